//! Reports against the truth: the paper's measures, schema `spinenet-measures/1`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ReportEntry, TruthTable, rounded};
use crate::evaluation::{ConfusionMatrix, KappaWeights};
use crate::spine::Grading;

/// Name and version of the schema of measures.
pub const MEASURES_SCHEMA: &str = "spinenet-measures/1";

/// How well computed grades agree with true ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradeMeasures {
    /// [`MEASURES_SCHEMA`].
    pub schema: String,
    /// Discs with a true grade that have no computed one: not detected, or not graded.
    pub discs_without_prediction: usize,
    /// One entry for each grading with truth, in the order of [`Grading::ALL`].
    pub gradings: Vec<GradingMeasures>,
}

/// Agreement on one grading; a measure that the data do not define is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradingMeasures {
    /// Grading.
    pub grading: Grading,
    /// Discs with both a true and a computed grade.
    pub discs: u64,
    /// Mean recall of the classes that occur.
    pub balanced_accuracy: Option<f64>,
    /// Share of exact agreement.
    pub accuracy: Option<f64>,
    /// Share that is off by one grade at most.
    pub accuracy_within_one: Option<f64>,
    /// Cohen's kappa, quadratic weights.
    pub kappa_quadratic: Option<f64>,
    /// Number of discs by true class (row) and computed class (column).
    pub confusion: Vec<Vec<u64>>,
}

/// Compares the computed grades of reports (a reader's edits are not looked at) with true ones.
#[must_use]
pub fn measure_grades(truth: &TruthTable, reports: &[ReportEntry]) -> GradeMeasures {
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
    let gradings = Grading::ALL.into_iter().filter_map(|grading| {
        let class = |grade: u8| grading.class_from_grade(grade);
        let labelled = truth.grades.iter().filter_map(|(key, grades)| Some((key, class(grades[grading]?)?)));
        let pairs: Vec<_> =
            labelled.filter_map(|(key, truth)| Some((truth, class(graded.get(key)?[grading].grade)?))).collect();
        (!pairs.is_empty()).then(|| grading_measures(grading, &pairs))
    });
    GradeMeasures { schema: MEASURES_SCHEMA.to_owned(), discs_without_prediction, gradings: gradings.collect() }
}

fn grading_measures(grading: Grading, pairs: &[(usize, usize)]) -> GradingMeasures {
    let matrix = ConfusionMatrix::from_pairs(pairs, grading.classes());
    let round = |value: Option<f64>| value.map(|value| rounded(value, 5));
    let row = |truth| (0..grading.classes()).map(|predicted| matrix.count(truth, predicted)).collect();
    GradingMeasures {
        grading,
        discs: matrix.total(),
        balanced_accuracy: round(matrix.balanced_accuracy()),
        accuracy: round(matrix.accuracy_within(0)),
        accuracy_within_one: round(matrix.accuracy_within(1)),
        kappa_quadratic: round(matrix.cohen_kappa(KappaWeights::Quadratic)),
        confusion: (0..grading.classes()).map(row).collect(),
    }
}
