//! What cross-validation measured: per grading, on discs of patients that the network had not seen.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::examples::{GradingExample, ScanKind};
use crate::evaluation::{ConfusionMatrix, area_under_curve};
use crate::spine::{DiscLevel, Grading, PerGrading};
use crate::training::labels::DiscLabels;
use crate::words::UnknownWord;

/// The network's answer for a disc of a patient left out of its training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HeldOutPrediction {
    /// Index of the fold.
    pub fold: usize,
    /// The set that the disc belongs to.
    #[serde(default)]
    pub cohort: String,
    pub patient: u32,
    pub kind: ScanKind,
    pub level: DiscLevel,
    /// What is known of the disc.
    pub labels: DiscLabels,
    /// Probability of every class.
    pub probabilities: PerGrading<Vec<f32>>,
}

/// What is measured: gradings as far as the labels tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub(crate) enum MeasuredGrading {
    /// Pfirrmann in five grades, narrowing as yes or no, presence of the others.
    One(Grading),
    /// Upper or lower marrow changed, or both: labels do not say which.
    EitherMarrowChange,
}

impl MeasuredGrading {
    /// Narrowing is labelled as yes or no.
    const NARROWING_PRESENT: &'static str = "disc_narrowing_present";
    const EITHER_MARROW_CHANGE: &'static str = "either_marrow_change";

    /// What can be measured of some gradings, in the order of [`Grading::ALL`].
    #[must_use]
    pub(crate) fn of(gradings: impl IntoIterator<Item = Grading>) -> Vec<Self> {
        let mut measured = Vec::new();
        for grading in gradings {
            match grading {
                Grading::UpperMarrowChange => {}
                Grading::LowerMarrowChange => measured.push(Self::EitherMarrowChange),
                one => measured.push(Self::One(one)),
            }
        }
        measured
    }

    /// Name in files.
    #[must_use]
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::One(Grading::DiscNarrowing) => Self::NARROWING_PRESENT,
            Self::One(grading) => grading.key(),
            Self::EitherMarrowChange => Self::EITHER_MARROW_CHANGE,
        }
    }

    /// Name for readers.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One(Grading::DiscNarrowing) => "narrowing, yes or no",
            Self::One(grading) => grading.spec().in_sentence,
            Self::EitherMarrowChange => "marrow change, either side",
        }
    }

    /// The gradings of the network that it measures.
    #[must_use]
    pub(crate) fn gradings(self) -> Vec<Grading> {
        match self {
            Self::One(grading) => vec![grading],
            Self::EitherMarrowChange => vec![Grading::UpperMarrowChange, Grading::LowerMarrowChange],
        }
    }

    #[must_use]
    pub(crate) fn classes(self) -> usize {
        match self {
            Self::One(Grading::Pfirrmann) => Grading::Pfirrmann.classes(),
            Self::One(_) | Self::EitherMarrowChange => 2,
        }
    }

    /// True class of a disc, where it is known.
    #[must_use]
    pub(crate) fn truth(self, labels: &DiscLabels) -> Option<usize> {
        match self {
            Self::One(Grading::Pfirrmann) => labels.of(Grading::Pfirrmann).single(),
            Self::One(grading) => labels.of(grading).lowest().map(|class| class.min(1)),
            Self::EitherMarrowChange => labels.any_marrow_change().map(usize::from),
        }
    }

    /// Probabilities of the classes that this measure tells apart; `None` where a grading is missing.
    #[must_use]
    pub(crate) fn probabilities(self, all: &PerGrading<Vec<f32>>) -> Option<Vec<f32>> {
        let absent = |grading| Some(*all.get(grading)?.first()?);
        let absent = match self {
            Self::One(Grading::Pfirrmann) => return all.get(Grading::Pfirrmann).cloned(),
            Self::One(grading) => absent(grading)?,
            Self::EitherMarrowChange => absent(Grading::UpperMarrowChange)? * absent(Grading::LowerMarrowChange)?,
        };
        Some(vec![absent, 1.0 - absent])
    }
}

impl From<MeasuredGrading> for &'static str {
    fn from(measured: MeasuredGrading) -> Self {
        measured.key()
    }
}

impl TryFrom<String> for MeasuredGrading {
    type Error = UnknownWord;

    fn try_from(key: String) -> Result<Self, UnknownWord> {
        match key.as_str() {
            Self::NARROWING_PRESENT => Ok(Self::One(Grading::DiscNarrowing)),
            Self::EITHER_MARROW_CHANGE => Ok(Self::EitherMarrowChange),
            other => other.parse().map(Self::One),
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeasuredRow {
    /// The set that the discs belong to.
    #[serde(default)]
    pub cohort: String,
    pub grading: MeasuredGrading,
    pub scans: ScanKind,
    pub patients: usize,
    /// Discs with a label.
    pub discs: usize,
    /// Discs of each class.
    pub class_counts: Vec<usize>,
    /// Mean over the folds of the balanced accuracy, percent.
    pub balanced_accuracy: f64,
    /// Standard deviation over the folds, percent.
    pub standard_deviation: f64,
    /// Balanced accuracy of all held-out discs together, percent.
    pub pooled_balanced_accuracy: f64,
    /// Share of all held-out discs at most one grade off, percent; for gradings with more than two classes.
    pub within_one_grade: Option<f64>,
    /// Area under the ROC curve of all held-out discs together; for two classes.
    pub area_under_curve: Option<f64>,
}

impl HeldOutPrediction {
    /// What was said of a disc, beside what is known of it.
    pub(super) fn of(example: &GradingExample, fold: usize, probabilities: PerGrading<Vec<f32>>) -> Self {
        let GradingExample { patient, kind, level, ref cohort, ref labels, .. } = *example;
        Self { fold, cohort: cohort.to_string(), patient, kind, level, labels: labels.clone(), probabilities }
    }
}

/// Balanced accuracy of each measured grading over all scans together, percent; `None` where nothing is labelled.
pub(super) fn balanced_accuracies(predictions: &[HeldOutPrediction], gradings: &[MeasuredGrading]) -> Vec<Option<f64>> {
    let all: Vec<_> = predictions.iter().collect();
    let accuracy = |grading| row(&all, ScanKind::MidSagittal, grading).map(|row| row.pooled_balanced_accuracy);
    gradings.iter().copied().map(accuracy).collect()
}

/// The tables of all cohorts: of each the table of single slices, then that of stacks.
pub(super) fn measure_all(predictions: &[HeldOutPrediction]) -> Vec<MeasuredRow> {
    let cohorts: BTreeSet<&str> = predictions.iter().map(|prediction| prediction.cohort.as_str()).collect();
    let kinds = [ScanKind::MidSagittal, ScanKind::Stack];
    cohorts.into_iter().flat_map(|cohort| kinds.map(|kind| measure(predictions, cohort, kind))).flatten().collect()
}

/// The table of a scan kind of a cohort; gradings without labels or answers are left out.
#[must_use]
pub(crate) fn measure(predictions: &[HeldOutPrediction], cohort: &str, kind: ScanKind) -> Vec<MeasuredRow> {
    let is_chosen = |prediction: &&HeldOutPrediction| prediction.kind == kind && prediction.cohort == cohort;
    let chosen: Vec<_> = predictions.iter().filter(is_chosen).collect();
    let rows = MeasuredGrading::of(Grading::ALL).into_iter().filter_map(|grading| row(&chosen, kind, grading));
    rows.map(|row| MeasuredRow { cohort: cohort.to_owned(), ..row }).collect()
}

fn row(predictions: &[&HeldOutPrediction], kind: ScanKind, grading: MeasuredGrading) -> Option<MeasuredRow> {
    struct Answer {
        fold: usize,
        truth: usize,
        predicted: usize,
        severity: f32,
    }
    let classes = grading.classes();
    let mut patients = Vec::new();
    let mut answers = Vec::new();
    for prediction in predictions {
        let Some(truth) = grading.truth(&prediction.labels) else { continue };
        let Some(probabilities) = grading.probabilities(&prediction.probabilities) else { continue };
        let predicted = (0..classes).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]))?;
        answers.push(Answer { fold: prediction.fold, truth, predicted, severity: probabilities[classes - 1] });
        patients.push(prediction.patient);
    }
    patients.sort_unstable();
    patients.dedup();
    let folds = answers.iter().map(|answer| answer.fold).max()? + 1;
    let matrix = |fold: Option<usize>| {
        let chosen = answers.iter().filter(|answer| fold.is_none_or(|fold| answer.fold == fold));
        let pairs: Vec<_> = chosen.map(|answer| (answer.truth, answer.predicted)).collect();
        ConfusionMatrix::from_pairs(&pairs, classes)
    };
    let balanced = |matrix: &ConfusionMatrix| matrix.balanced_accuracy().map(|share| share * 100.0);
    let per_fold: Vec<f64> = (0..folds).filter_map(|fold| balanced(&matrix(Some(fold)))).collect();
    let mean = per_fold.iter().sum::<f64>() / per_fold.len() as f64;
    let variance = per_fold.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / per_fold.len() as f64;
    let pooled = matrix(None);
    let scores: Vec<(bool, f64)> =
        answers.iter().map(|answer| (answer.truth > 0, f64::from(answer.severity))).collect();
    Some(MeasuredRow {
        cohort: String::new(),
        grading,
        scans: kind,
        patients: patients.len(),
        discs: answers.len(),
        class_counts: (0..classes).map(|class| answers.iter().filter(|a| a.truth == class).count()).collect(),
        balanced_accuracy: mean,
        standard_deviation: variance.sqrt(),
        pooled_balanced_accuracy: balanced(&pooled)?,
        within_one_grade: if classes > 2 { pooled.accuracy_within(1).map(|share| share * 100.0) } else { None },
        area_under_curve: if classes == 2 { area_under_curve(&scores) } else { None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::labels::ClassSet;

    fn prediction(fold: usize, patient: u32, slipped: bool, probability: f32) -> HeldOutPrediction {
        let mut labels = DiscLabels::default();
        labels.gradings.insert(Grading::Spondylolisthesis, ClassSet::exactly(usize::from(slipped)));
        let mut probabilities =
            PerGrading::from_fn(Grading::PAPER, |grading| vec![1.0 / grading.classes() as f32; grading.classes()]);
        probabilities[Grading::Spondylolisthesis] = vec![1.0 - probability, probability];
        HeldOutPrediction {
            fold,
            cohort: String::new(),
            patient,
            kind: ScanKind::Stack,
            level: DiscLevel::L4L5,
            labels,
            probabilities,
        }
    }

    #[test]
    fn folds_are_measured_apart_and_together() {
        let predictions = [
            prediction(0, 1, true, 0.9),
            prediction(0, 1, false, 0.2),
            prediction(1, 2, true, 0.3),
            prediction(1, 3, false, 0.4),
            prediction(1, 3, false, 0.1),
        ];
        let table = measure(&predictions, "", ScanKind::Stack);
        assert_eq!(table.len(), 1, "gradings without labels are left out");
        let row = &table[0];
        assert_eq!((row.patients, row.discs, row.class_counts.clone()), (3, 5, vec![3, 2]));
        // Fold 0: both right. Fold 1: no slip found (0), both others right (1).
        assert!((row.balanced_accuracy - 75.0).abs() < 1e-9 && (row.standard_deviation - 25.0).abs() < 1e-9);
        assert!((row.pooled_balanced_accuracy - 75.0).abs() < 1e-9);
        // 0.9 beats all three; 0.3 beats 0.2 and 0.1.
        assert!((row.area_under_curve.expect("both classes") - 5.0 / 6.0).abs() < 1e-9);
        assert!(measure(&predictions, "", ScanKind::MidSagittal).is_empty());
    }

    #[test]
    fn marrow_is_measured_as_either_endplate() {
        let mut labels = DiscLabels { either_marrow_changed: true, ..DiscLabels::default() };
        assert_eq!(MeasuredGrading::EitherMarrowChange.truth(&labels), Some(1));
        labels.either_marrow_changed = false;
        assert_eq!(MeasuredGrading::EitherMarrowChange.truth(&labels), None);
        let probabilities = PerGrading::from_fn(Grading::PAPER, |_| vec![0.6, 0.4]);
        let either = MeasuredGrading::EitherMarrowChange.probabilities(&probabilities).expect("both marrows");
        assert!((either[1] - 0.64).abs() < 1e-6);
        assert_eq!(MeasuredGrading::One(Grading::DiscBulging).probabilities(&probabilities), None);
    }

    #[test]
    fn keys_are_those_of_files_written_before() {
        let keys: Vec<_> = MeasuredGrading::of(Grading::PAPER).into_iter().map(MeasuredGrading::key).collect();
        let expected = [
            "pfirrmann",
            "disc_narrowing_present",
            "upper_endplate_defect",
            "lower_endplate_defect",
            "either_marrow_change",
            "spondylolisthesis",
            "central_canal_stenosis",
        ];
        assert_eq!(keys, expected);
        for measured in MeasuredGrading::of(Grading::ALL) {
            let text = serde_json::to_string(&measured).expect("a text");
            assert_eq!(serde_json::from_str::<MeasuredGrading>(&text).expect("its own key"), measured);
        }
    }
}
