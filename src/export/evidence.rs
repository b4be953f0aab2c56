//! Evidence for the abnormal grades of a report.

use super::{ExportError, ReportedStudy};
use crate::pipeline::{DiscFindings, Evidence, Explanation, Models, by_weight};
use crate::records::DiscEntry;
use crate::saliency::{SaliencyTarget, WayChoice};
use crate::spine::{ClassIndex, DiscLevel, Grading, SliceBox};
use crate::task::{CancelToken, Progress};

/// How grades are explained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EvidenceOptions {
    /// Randomly changed inputs averaged for each map.
    pub augmentations: usize,
    /// Their seed.
    pub seed: u64,
    /// How maps are made and boxed.
    pub choice: WayChoice,
    /// Most maps; the most abnormal grades come first.
    pub limit: usize,
}

/// The abnormal grades of a report that can be relied on, the worst first ([`by_weight`]).
#[must_use]
pub(crate) fn abnormal_grades(study: &ReportedStudy) -> Vec<(DiscLevel, Grading, ClassIndex)> {
    by_weight(&DiscFindings::of_report(&study.report))
        .iter()
        .map(|found| (found.level, found.grading, found.class))
        .collect()
}

/// Computes the evidence for the most abnormal grades and adds it to the study, with the boxes around its hotspots.
///
/// # Errors
/// If the weights cannot be loaded, a disc has no frame, or the work is cancelled.
pub(crate) fn explain_abnormal(
    study: &mut ReportedStudy,
    models: &mut Models,
    options: EvidenceOptions,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), ExportError> {
    let mut grades = abnormal_grades(study);
    grades.truncate(options.limit);
    let EvidenceOptions { augmentations, seed, choice, .. } = options;
    let mut found = Vec::new();
    // Grades of a disc share their views, so each disc is worked through once.
    for disc in &study.discs {
        let entry = study.report.discs.iter().find(|entry| entry.level == disc.level);
        let Some(prediction) = entry.and_then(DiscEntry::prediction) else { continue };
        let of_disc = grades.iter().filter(|(level, ..)| *level == disc.level);
        let targets: Vec<SaliencyTarget> =
            of_disc.map(|(_, grading, class)| SaliencyTarget { grading: *grading, class: *class }).collect();
        if !targets.is_empty() {
            let series = &study.series;
            let explanation = Explanation { series, choice, augmentations, precision: None, seed };
            found.extend(explanation.evidence(models, disc, &prediction, &targets, cancel, on_progress)?);
        }
    }
    let rank = |evidence: &Evidence| {
        grades.iter().position(|grade| *grade == (evidence.map.level, evidence.map.grading, evidence.map.class))
    };
    found.sort_by_key(rank);
    for mut evidence in found {
        evidence.reader_boxes.clone_from(&study.boxes);
        study.evidence.push(evidence);
    }
    let predicted: Vec<SliceBox> = study.evidence.iter().flat_map(Evidence::predicted_boxes).collect();
    study.boxes.extend(predicted);
    Ok(())
}
