//! Reports against the truth: the paper's measures, schema `spinenet-measures/1`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MEASURES_SCHEMA;
use crate::evaluation::{
    CONFIDENCE, ConfusionMatrix, Interval, KappaWeights, ReliabilityBin, area_under_curve, bootstrap_by_patient,
    brier_score, expected_calibration_error, reliability,
};
use crate::records::{ReportEntry, TruthTable, rounded};
use crate::spine::{DiscLevel, Grading};

/// Samples of the patients that an interval is drawn from.
const RESAMPLES: usize = 1000;
/// Bars of the reliability diagram.
const RELIABILITY_BINS: usize = 10;

/// How well computed grades agree with true ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GradeMeasures {
    pub schema: String,
    /// Discs with a true grade that have no computed one: not detected, or not graded.
    pub discs_without_prediction: usize,
    /// One entry for each grading with truth, in the order of [`Grading::ALL`].
    pub gradings: Vec<GradingMeasures>,
    /// The same of a second reader's grades, where there are some: how well readers agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub second_rater: Vec<GradingMeasures>,
}

/// Agreement on one grading; a measure that the data do not define is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GradingMeasures {
    pub grading: Grading,
    /// Discs with both a true and a computed grade.
    pub discs: u64,
    /// Mean recall of the classes that occur.
    pub balanced_accuracy: Option<f64>,
    /// 95 % of it over samples of the patients, drawn whole.
    #[serde(default)]
    pub balanced_accuracy_interval: Option<[f64; 2]>,
    /// Share of exact agreement.
    pub accuracy: Option<f64>,
    /// Share that is off by one grade at most.
    pub accuracy_within_one: Option<f64>,
    /// Cohen's kappa: every disagreement alike.
    #[serde(default)]
    pub kappa: Option<f64>,
    /// Cohen's kappa, linear weights.
    #[serde(default)]
    pub kappa_linear: Option<f64>,
    /// Cohen's kappa, quadratic weights.
    pub kappa_quadratic: Option<f64>,
    /// Of a finding: share of those present that are called.
    #[serde(default)]
    pub sensitivity: Option<f64>,
    /// Of a finding: share of those absent that are not called.
    #[serde(default)]
    pub specificity: Option<f64>,
    /// Of a finding: area under the receiver operating characteristic.
    #[serde(default)]
    pub area_under_curve: Option<f64>,
    /// How far probabilities are from what they promise; none of a reader's grades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationMeasures>,
    /// By level, from the thorax down.
    #[serde(default)]
    pub levels: Vec<LevelMeasures>,
    /// Number of discs by true class (row) and computed class (column).
    pub confusion: Vec<Vec<u64>>,
}

/// How far the probabilities of the computed grades are from what they promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CalibrationMeasures {
    /// Expected calibration error of the computed grade, ten bars.
    pub expected_error: f64,
    /// Brier score of all classes.
    pub brier_score: f64,
    /// Bars of the reliability diagram: answers, mean probability, share that is right.
    pub reliability: Vec<(usize, f64, f64)>,
}

/// Agreement at one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LevelMeasures {
    pub level: DiscLevel,
    /// Discs with both grades.
    pub discs: u64,
    /// Mean recall of the classes that occur.
    pub balanced_accuracy: Option<f64>,
    /// Share of exact agreement.
    pub accuracy: Option<f64>,
}

/// A grade of a disc beside the true one.
struct Answer {
    /// Index of the patient.
    patient: u32,
    level: DiscLevel,
    truth: usize,
    grade: usize,
    /// Of each class, where they were computed.
    probabilities: Option<Vec<f64>>,
}

/// Compares the computed grades of reports (a reader's edits are not looked at) with true ones, and a second reader's too.
/// `at_prevalence` takes the most probable grade where classes are as common as among the discs that the weights were
/// measured on; gradings whose weights do not say so are left out.
#[must_use]
pub(crate) fn measure_grades(
    truth: &TruthTable,
    reports: &[ReportEntry],
    second_rater: Option<&TruthTable>,
    at_prevalence: bool,
) -> GradeMeasures {
    let mut graded = BTreeMap::new();
    for entry in reports {
        let ReportEntry::Report(report) = entry else { continue };
        for disc in &report.discs {
            if let Some(gradings) = &disc.gradings {
                graded.insert((report.series_instance_uid.clone(), disc.level), gradings);
            }
        }
    }
    let discs_without_prediction = truth.grades.keys().filter(|key| !graded.contains_key(*key)).count();
    let computed = |key: &(String, DiscLevel), grading: Grading| {
        let entry = graded.get(key)?.get(grading)?;
        if at_prevalence {
            let probabilities = entry.at_prevalence.clone()?;
            let class = probabilities.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?.0;
            return Some((grading.grade_from_class(class), Some(probabilities)));
        }
        Some((entry.grade, Some(entry.probabilities.clone())))
    };
    let second =
        |key: &(String, DiscLevel), grading: Grading| Some((*second_rater?.grades.get(key)?.get(grading)?, None));
    GradeMeasures {
        schema: MEASURES_SCHEMA.to_owned(),
        discs_without_prediction,
        gradings: measure_all(truth, &computed),
        second_rater: measure_all(truth, &second),
    }
}

/// A grade in a reader's counting, and the probability of each class if it was computed.
type Graded = Option<(u8, Option<Vec<f64>>)>;

fn measure_all(truth: &TruthTable, graded: &dyn Fn(&(String, DiscLevel), Grading) -> Graded) -> Vec<GradingMeasures> {
    let mut patients = BTreeMap::new();
    for (series, _) in truth.grades.keys() {
        let next = patients.len() as u32;
        patients.entry(truth.patient(series)).or_insert(next);
    }
    let of_grading = |grading: Grading| {
        let answers: Vec<Answer> = truth
            .grades
            .iter()
            .filter_map(|(key, grades)| {
                let (grade, probabilities) = graded(key, grading)?;
                Some(Answer {
                    patient: patients[truth.patient(&key.0)],
                    level: key.1,
                    truth: grading.class_from_grade(*grades.get(grading)?)?,
                    grade: grading.class_from_grade(grade)?,
                    probabilities,
                })
            })
            .collect();
        (!answers.is_empty()).then(|| grading_measures(grading, &answers))
    };
    Grading::ALL.into_iter().filter_map(of_grading).collect()
}

fn round(value: Option<f64>) -> Option<f64> {
    value.map(|value| rounded(value, 5))
}

fn matrix<'a>(grading: Grading, answers: impl IntoIterator<Item = &'a Answer>) -> ConfusionMatrix {
    let pairs: Vec<_> = answers.into_iter().map(|answer| (answer.truth, answer.grade)).collect();
    ConfusionMatrix::from_pairs(&pairs, grading.classes())
}

fn grading_measures(grading: Grading, answers: &[Answer]) -> GradingMeasures {
    let all = matrix(grading, answers);
    let row = |truth| (0..grading.classes()).map(|predicted| all.count(truth, predicted)).collect();
    let pairs: Vec<_> = answers.iter().map(|answer| (answer.patient, (answer.truth, answer.grade))).collect();
    let interval = bootstrap_by_patient(&pairs, CONFIDENCE, RESAMPLES, 0, |pairs| {
        ConfusionMatrix::from_pairs(pairs, grading.classes()).balanced_accuracy()
    });
    let is_finding = grading.classes() == 2;
    let of_finding = |value: Option<f64>| value.filter(|_| is_finding);
    GradingMeasures {
        grading,
        discs: all.total(),
        balanced_accuracy: round(all.balanced_accuracy()),
        balanced_accuracy_interval: interval.map(|Interval { low, high }| [low, high].map(|end| rounded(end, 5))),
        accuracy: round(all.accuracy_within(0)),
        accuracy_within_one: round(all.accuracy_within(1)),
        kappa: round(all.cohen_kappa(KappaWeights::None)),
        kappa_linear: round(all.cohen_kappa(KappaWeights::Linear)),
        kappa_quadratic: round(all.cohen_kappa(KappaWeights::Quadratic)),
        sensitivity: of_finding(round(all.recall(1))),
        specificity: of_finding(round(all.recall(0))),
        area_under_curve: of_finding(round(curve_area(answers))),
        calibration: calibration(answers),
        levels: level_measures(grading, answers),
        confusion: (0..grading.classes()).map(row).collect(),
    }
}

/// Of a finding; `None` where an answer has no probability.
fn curve_area(answers: &[Answer]) -> Option<f64> {
    let scored = answers.iter().map(|answer| Some((answer.truth > 0, *answer.probabilities.as_ref()?.last()?)));
    area_under_curve(&scored.collect::<Option<Vec<_>>>()?)
}

fn calibration(answers: &[Answer]) -> Option<CalibrationMeasures> {
    let of_answer = |answer: &Answer| Some((answer.truth, answer.grade, answer.probabilities.clone()?));
    let known: Vec<_> = answers.iter().map(of_answer).collect::<Option<_>>()?;
    let confidences: Vec<_> = known.iter().map(|(truth, grade, p)| (p[*grade], truth == grade)).collect();
    let bins = reliability(&confidences, RELIABILITY_BINS);
    let scored: Vec<_> = known.into_iter().map(|(truth, _, p)| (truth, p)).collect();
    let bar = |bin: &ReliabilityBin| (bin.count, rounded(bin.confidence, 5), rounded(bin.accuracy, 5));
    Some(CalibrationMeasures {
        expected_error: rounded(expected_calibration_error(&bins)?, 5),
        brier_score: rounded(brier_score(&scored)?, 5),
        reliability: bins.iter().map(bar).collect(),
    })
}

fn level_measures(grading: Grading, answers: &[Answer]) -> Vec<LevelMeasures> {
    let mut levels: BTreeMap<DiscLevel, Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        levels.entry(answer.level).or_default().push(answer);
    }
    levels
        .into_iter()
        .map(|(level, answers)| {
            let matrix = matrix(grading, answers);
            LevelMeasures {
                level,
                discs: matrix.total(),
                balanced_accuracy: round(matrix.balanced_accuracy()),
                accuracy: round(matrix.accuracy_within(0)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tests::report;
    use crate::spine::PerGrading;

    fn answer(patient: u32, level: DiscLevel, truth: usize, present: f64) -> Answer {
        let grade = usize::from(present > 0.5);
        Answer { patient, level, truth, grade, probabilities: Some(vec![1.0 - present, present]) }
    }

    #[test]
    fn a_finding_has_all_measures_and_those_of_its_levels() {
        let answers = [
            answer(0, DiscLevel::L4L5, 1, 0.9),
            answer(0, DiscLevel::L5S1, 1, 0.4),
            answer(1, DiscLevel::L4L5, 0, 0.2),
            answer(1, DiscLevel::L5S1, 0, 0.6),
        ];
        let measured = grading_measures(Grading::Spondylolisthesis, &answers);
        assert_eq!((measured.sensitivity, measured.specificity), (Some(0.5), Some(0.5)));
        assert_eq!((measured.area_under_curve, measured.kappa), (Some(0.75), Some(0.0)));
        let levels: Vec<_> = measured.levels.iter().map(|row| (row.level, row.accuracy)).collect();
        assert_eq!(levels, [(DiscLevel::L4L5, Some(1.0)), (DiscLevel::L5S1, Some(0.0))]);
        let calibration = measured.calibration.as_ref().expect("probabilities");
        // Called with 0.9, 0.6, 0.8 and 0.6: right, wrong, right, wrong.
        assert_eq!(calibration.reliability, [(2, 0.6, 0.0), (1, 0.8, 1.0), (1, 0.9, 1.0)]);
        assert_eq!(calibration.expected_error, 0.375);
        let [low, high] = measured.balanced_accuracy_interval.expect("series");
        assert!(low <= 0.5 && high >= 0.5);
    }

    #[test]
    fn series_of_one_patient_are_drawn_together() {
        // Ten series, half of those with each grade called right.
        let mut truth = TruthTable::default();
        for series in 0..10_u8 {
            let grades = PerGrading::from_fn([Grading::Spondylolisthesis], |_| series % 2);
            truth.grades.insert((series.to_string(), DiscLevel::L4L5), grades);
        }
        let interval = |truth: &TruthTable| {
            let graded = |(series, _): &(String, DiscLevel)| u8::from(series.parse::<u8>().expect("a number") % 4 > 1);
            let measured = measure_all(truth, &|key, _| Some((graded(key), None)));
            measured[0].balanced_accuracy_interval.expect("patients")
        };
        let [low, high] = interval(&truth);
        assert!(low < high, "ten patients differ: {low} to {high}");
        for series in 0..10 {
            truth.patients.insert(series.to_string(), "one".to_owned());
        }
        let [low, high] = interval(&truth);
        assert!((low - high).abs() < 1e-9, "one patient is always drawn");
    }

    #[test]
    fn a_readers_grades_have_no_calibration() {
        let answers = [Answer { probabilities: None, ..answer(0, DiscLevel::L4L5, 1, 0.9) }];
        let measured = grading_measures(Grading::UpperEndplateDefect, &answers);
        assert_eq!((measured.calibration, measured.area_under_curve), (None, None));
        assert_eq!(measured.balanced_accuracy, Some(1.0));
    }

    /// A slip that is called where classes are equally common is none where it is rare.
    #[test]
    fn a_rare_finding_is_called_less_often_where_it_is_rare() {
        let mut report = report();
        let entry = report.discs[0].gradings.as_mut().and_then(|gradings| gradings.get_mut(Grading::Spondylolisthesis));
        let entry = entry.expect("graded");
        (entry.grade, entry.probabilities, entry.at_prevalence) = (1, vec![0.4, 0.6], Some(vec![0.96, 0.04]));
        let mut truth = TruthTable::default();
        let grades = PerGrading::from_fn([Grading::Spondylolisthesis, Grading::Pfirrmann], |_| 1);
        truth.grades.insert((report.series_instance_uid.clone(), report.discs[0].level), grades);
        let reports = [report.into()];
        let confusion = |at_prevalence| {
            let measured = measure_grades(&truth, &reports, None, at_prevalence).gradings;
            measured.into_iter().map(|row| (row.grading, row.confusion)).collect::<Vec<_>>()
        };
        assert_eq!(confusion(false).len(), 2);
        // Of Pfirrmann the report has no such probabilities.
        assert_eq!(confusion(true), [(Grading::Spondylolisthesis, vec![vec![0, 0], vec![1, 0]])]);
        assert_eq!(confusion(false)[1].1, [[0, 0], [0, 1]]);
    }
}
