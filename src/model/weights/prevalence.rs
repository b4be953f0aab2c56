//! How common the classes of gradings are, told by the measures in the metadata of grading weights.

use serde::Deserialize;

use super::{CALIBRATION, WeightsFolder};
use crate::spine::{Grading, PerGrading, Prevalence};

/// A row of the table of measures, as far as it counts discs.
#[derive(Deserialize)]
struct Counted {
    grading: String,
    class_counts: Vec<usize>,
}

impl WeightsFolder {
    /// How common classes are among the discs of patients left out, on which grades were measured; of gradings whose
    /// probabilities are calibrated, and that the table of measures counts.
    pub(crate) fn prevalence(&self) -> PerGrading<Prevalence> {
        let results = &self.metadata.training.results;
        if results[CALIBRATION].is_null() {
            return PerGrading::default();
        }
        let rows = Vec::<Counted>::deserialize(&results["cross_validation"]["table"]).unwrap_or_default();
        let of_grading = |grading: Grading| {
            // Labels of a cohort may say no more than whether there is something.
            let is_of = |row: &&Counted| row.grading.strip_suffix("_present").unwrap_or(&row.grading) == grading.key();
            let counts: Vec<&[usize]> = rows.iter().filter(is_of).map(|row| row.class_counts.as_slice()).collect();
            // Where any label only says whether there is something, more is not counted of the others either.
            let classes = counts.iter().map(|counts| counts.len()).min()?;
            let sum = |class: usize| {
                let of_row = |counts: &&[usize]| {
                    if class + 1 == classes { counts[class..].iter().sum() } else { counts[class] }
                };
                counts.iter().map(of_row).sum::<usize>()
            };
            let sums: Vec<usize> = (0..classes).map(sum).collect();
            Some((grading, Prevalence::of_counts(grading, &sums)?))
        };
        Grading::ALL.into_iter().filter_map(of_grading).collect()
    }
}
