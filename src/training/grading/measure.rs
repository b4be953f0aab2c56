//! What cross-validation measured: per grading, on discs of patients that the network had not seen.

use serde::{Deserialize, Serialize};

use super::examples::{GradingExample, ScanKind};
use crate::evaluation::{ConfusionMatrix, area_under_curve};
use crate::spine::{DiscLevel, Grading, PerGrading};
use crate::training::labels::DiscLabels;

/// The network's answer for a disc of a patient left out of its training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeldOutPrediction {
    /// Index of the fold.
    pub fold: usize,
    /// Patient number.
    pub patient: u32,
    /// Scan kind.
    pub kind: ScanKind,
    /// Level.
    pub level: DiscLevel,
    /// What is known of the disc.
    pub labels: DiscLabels,
    /// Probability of every class.
    pub probabilities: PerGrading<Vec<f32>>,
}

/// What is measured: gradings as far as the labels tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredGrading {
    /// Five grades.
    Pfirrmann,
    /// Grade 1 against grades 2 to 4.
    DiscNarrowingPresent,
    /// Present or absent.
    UpperEndplateDefect,
    /// Present or absent.
    LowerEndplateDefect,
    /// Upper or lower marrow changed, or both.
    EitherMarrowChange,
    /// Present or absent.
    Spondylolisthesis,
    /// Present or absent.
    CentralCanalStenosis,
}

impl MeasuredGrading {
    /// All of them in the order of [`Grading::ALL`].
    pub const ALL: [Self; 7] = [
        Self::Pfirrmann,
        Self::DiscNarrowingPresent,
        Self::UpperEndplateDefect,
        Self::LowerEndplateDefect,
        Self::EitherMarrowChange,
        Self::Spondylolisthesis,
        Self::CentralCanalStenosis,
    ];

    /// Name in files.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Pfirrmann => "pfirrmann",
            Self::DiscNarrowingPresent => "disc_narrowing_present",
            Self::UpperEndplateDefect => "upper_endplate_defect",
            Self::LowerEndplateDefect => "lower_endplate_defect",
            Self::EitherMarrowChange => "either_marrow_change",
            Self::Spondylolisthesis => "spondylolisthesis",
            Self::CentralCanalStenosis => "central_canal_stenosis",
        }
    }

    /// Name for readers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pfirrmann => "Pfirrmann",
            Self::DiscNarrowingPresent => "narrowing, yes or no",
            Self::UpperEndplateDefect => "upper endplate defect",
            Self::LowerEndplateDefect => "lower endplate defect",
            Self::EitherMarrowChange => "marrow change, either side",
            Self::Spondylolisthesis => "spondylolisthesis",
            Self::CentralCanalStenosis => "central canal stenosis",
        }
    }

    /// The gradings of the network that it measures.
    #[must_use]
    pub fn gradings(self) -> &'static [Grading] {
        match self {
            Self::Pfirrmann => &[Grading::Pfirrmann],
            Self::DiscNarrowingPresent => &[Grading::DiscNarrowing],
            Self::UpperEndplateDefect => &[Grading::UpperEndplateDefect],
            Self::LowerEndplateDefect => &[Grading::LowerEndplateDefect],
            Self::EitherMarrowChange => &[Grading::UpperMarrowChange, Grading::LowerMarrowChange],
            Self::Spondylolisthesis => &[Grading::Spondylolisthesis],
            Self::CentralCanalStenosis => &[Grading::CentralCanalStenosis],
        }
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(self) -> usize {
        if self == Self::Pfirrmann { 5 } else { 2 }
    }

    /// True class of a disc, where it is known.
    #[must_use]
    pub fn truth(self, labels: &DiscLabels) -> Option<usize> {
        let binary = |grading: Grading| labels.gradings[grading].lowest().map(|class| class.min(1));
        match self {
            Self::Pfirrmann => labels.gradings[Grading::Pfirrmann].single(),
            Self::DiscNarrowingPresent => binary(Grading::DiscNarrowing),
            Self::UpperEndplateDefect => binary(Grading::UpperEndplateDefect),
            Self::LowerEndplateDefect => binary(Grading::LowerEndplateDefect),
            Self::EitherMarrowChange => labels.any_marrow_change().map(usize::from),
            Self::Spondylolisthesis => binary(Grading::Spondylolisthesis),
            Self::CentralCanalStenosis => binary(Grading::CentralCanalStenosis),
        }
    }

    /// Probabilities of the classes that this measure tells apart.
    #[must_use]
    pub fn probabilities(self, all: &PerGrading<Vec<f32>>) -> Vec<f32> {
        let binary = |absent: f32| vec![absent, 1.0 - absent];
        match self {
            Self::Pfirrmann => all[Grading::Pfirrmann].clone(),
            Self::DiscNarrowingPresent => binary(all[Grading::DiscNarrowing][0]),
            Self::UpperEndplateDefect => binary(all[Grading::UpperEndplateDefect][0]),
            Self::LowerEndplateDefect => binary(all[Grading::LowerEndplateDefect][0]),
            Self::EitherMarrowChange => binary(all[Grading::UpperMarrowChange][0] * all[Grading::LowerMarrowChange][0]),
            Self::Spondylolisthesis => binary(all[Grading::Spondylolisthesis][0]),
            Self::CentralCanalStenosis => binary(all[Grading::CentralCanalStenosis][0]),
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredRow {
    /// What was measured.
    pub grading: MeasuredGrading,
    /// On which scans.
    pub scans: ScanKind,
    /// Patients.
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
        let GradingExample { patient, kind, level, ref labels, .. } = *example;
        Self { fold, patient, kind, level, labels: labels.clone(), probabilities }
    }
}

/// Balanced accuracy of each measured grading over all scans together, percent; `None` where nothing is labelled.
pub(super) fn balanced_accuracies(predictions: &[HeldOutPrediction]) -> [Option<f64>; MeasuredGrading::ALL.len()] {
    let all: Vec<_> = predictions.iter().collect();
    MeasuredGrading::ALL
        .map(|grading| row(&all, ScanKind::MidSagittal, grading).map(|row| row.pooled_balanced_accuracy))
}

/// The table of a scan kind; gradings without labels are left out.
#[must_use]
pub fn measure(predictions: &[HeldOutPrediction], kind: ScanKind) -> Vec<MeasuredRow> {
    let chosen: Vec<_> = predictions.iter().filter(|prediction| prediction.kind == kind).collect();
    MeasuredGrading::ALL.into_iter().filter_map(|grading| row(&chosen, kind, grading)).collect()
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
        let probabilities = grading.probabilities(&prediction.probabilities);
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
        labels.gradings[Grading::Spondylolisthesis] = ClassSet::exactly(usize::from(slipped));
        let mut probabilities = PerGrading::from_fn(|grading| vec![1.0 / grading.classes() as f32; grading.classes()]);
        probabilities[Grading::Spondylolisthesis] = vec![1.0 - probability, probability];
        HeldOutPrediction { fold, patient, kind: ScanKind::Stack, level: DiscLevel::L4L5, labels, probabilities }
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
        let table = measure(&predictions, ScanKind::Stack);
        assert_eq!(table.len(), 1, "gradings without labels are left out");
        let row = &table[0];
        assert_eq!((row.patients, row.discs, row.class_counts.clone()), (3, 5, vec![3, 2]));
        // Fold 0: both right. Fold 1: no slip found (0), both others right (1).
        assert!((row.balanced_accuracy - 75.0).abs() < 1e-9 && (row.standard_deviation - 25.0).abs() < 1e-9);
        assert!((row.pooled_balanced_accuracy - 75.0).abs() < 1e-9);
        // 0.9 beats all three; 0.3 beats 0.2 and 0.1.
        assert!((row.area_under_curve.expect("both classes") - 5.0 / 6.0).abs() < 1e-9);
        assert!(measure(&predictions, ScanKind::MidSagittal).is_empty());
    }

    #[test]
    fn marrow_is_measured_as_either_endplate() {
        let mut labels = DiscLabels { either_marrow_changed: true, ..DiscLabels::default() };
        assert_eq!(MeasuredGrading::EitherMarrowChange.truth(&labels), Some(1));
        labels.either_marrow_changed = false;
        assert_eq!(MeasuredGrading::EitherMarrowChange.truth(&labels), None);
        let probabilities = PerGrading::from_fn(|_| vec![0.6, 0.4]);
        assert!((MeasuredGrading::EitherMarrowChange.probabilities(&probabilities)[1] - 0.64).abs() < 1e-6);
    }
}
