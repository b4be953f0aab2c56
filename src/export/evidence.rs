//! Evidence for the abnormal grades of a report.

use std::sync::Arc;

use super::study::{ExportError, ReportedStudy};
use crate::pipeline::{Evidence, Models, explain};
use crate::saliency::{BoxRule, SaliencyMap, SaliencyMethod, SaliencyPlan, SaliencyRequest};
use crate::spine::{ClassIndex, DiscLevel, Grading};
use crate::task::{CancelToken, Progress};

/// How grades are explained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvidenceOptions {
    /// Randomly changed inputs averaged for each map.
    pub augmentations: usize,
    /// Their seed.
    pub seed: u64,
    /// Percentile of each map above which evidence is boxed.
    pub percentile: f64,
    /// Most maps; the most abnormal grades come first.
    pub limit: usize,
}

/// The abnormal grades of a report that can be relied on, most abnormal first: severity times probability. A Pfirrmann
/// grade counts from IV. A reader's grade counts before the computed one.
#[must_use]
pub fn abnormal_grades(study: &ReportedStudy) -> Vec<(DiscLevel, Grading, ClassIndex)> {
    let mut found = Vec::new();
    for disc in &study.report.discs {
        let Some(gradings) = &disc.gradings else { continue };
        for (grading, entry) in gradings.iter() {
            let class = grading.class_from_grade(entry.reported()).unwrap_or_default();
            let first = if grading == Grading::Pfirrmann { 3 } else { 1 };
            if class >= first && !study.report.experimental_gradings.contains(&grading) {
                let probability = entry.probabilities.get(class).copied().unwrap_or_default();
                found.push((f64::from(grading.severity(class)) * probability, (disc.level, grading, class)));
            }
        }
    }
    // Stable, so that equal weights keep the order from the thorax down.
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, grade)| grade).collect()
}

/// Computes the evidence for the most abnormal grades and adds it to the study, with the boxes around its hotspots.
///
/// # Errors
/// If the weights cannot be loaded, a disc has no frame, or the work is cancelled.
pub fn explain_abnormal(
    study: &mut ReportedStudy,
    models: &mut Models,
    options: EvidenceOptions,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), ExportError> {
    models.load_grader()?;
    let volume = Arc::new(study.series.volume.clone());
    let grades = abnormal_grades(study);
    let total = grades.len().min(options.limit);
    for (done, (level, grading, class)) in grades.into_iter().take(total).enumerate() {
        on_progress(Progress { step: "Explaining grades", done, total });
        let Some(disc) = study.discs.iter().find(|disc| disc.level == level) else { continue };
        let EvidenceOptions { augmentations, seed, percentile, .. } = options;
        let method = SaliencyMethod::ContrastiveExcitation;
        let plan = SaliencyPlan { method, layer: None, augmentations, precision: None, seed };
        let request = SaliencyRequest { grading, class, plan };
        let map = explain(models.grader()?, &volume, disc, &request, cancel, &mut |_: SaliencyMap| ())?;
        let info = models.info();
        let entries = study.report.discs.iter().find(|disc| disc.level == level);
        let grades = entries.and_then(|disc| disc.gradings.as_ref());
        let probability = grades.and_then(|grades| grades[grading].probabilities.get(class)).map(|value| *value as f32);
        let evidence = Evidence {
            map: Arc::new(map),
            probability,
            seed,
            percentile,
            box_rule: BoxRule::All,
            volume: Arc::clone(&volume),
            study_instance_uid: study.report.study_instance_uid.clone(),
            series_instance_uid: study.report.series_instance_uid.clone(),
            sop_instance_uids: study.report.sop_instance_uids.clone(),
            weights: info.weights,
            device: info.device,
            reader_boxes: study.boxes.clone(),
        };
        study.boxes.extend(evidence.predicted_boxes());
        study.evidence.push(evidence);
    }
    on_progress(Progress { step: "Explaining grades", done: total, total });
    Ok(())
}
