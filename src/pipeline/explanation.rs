//! From a graded disc to the evidence for one of its grades.

use std::path::Path;
use std::sync::Arc;

use super::{Analysis, Evidence, Models, PipelineError, disc_notes, explain};
use crate::model::DiscPrediction;
use crate::picture::{study_overview, write_png};
use crate::saliency::SaliencyRequest;
use crate::spine::Disc;
use crate::task::{CancelToken, Progress};

/// Explains grades of an analyzed scan.
#[derive(Debug, Clone, Copy)]
pub struct Explanation<'a> {
    /// The scan and what was found in it.
    pub analysis: &'a Analysis,
    /// Percentile of the map above which evidence is boxed.
    pub percentile: f64,
}

impl Explanation<'_> {
    /// Computes the evidence map of `request` and joins it with what its files say.
    ///
    /// # Errors
    /// As [`explain`], and if the grader's weights cannot be loaded.
    pub fn evidence(
        &self,
        models: &mut Models,
        disc: &Disc,
        prediction: &DiscPrediction,
        request: &SaliencyRequest,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Evidence, PipelineError> {
        models.load_grader()?;
        let series = &self.analysis.series;
        let total = request.augmentations;
        on_progress(Progress { step: "Explaining", done: 0, total });
        let mut on_map = |map: crate::saliency::SaliencyMap| {
            on_progress(Progress { step: "Explaining", done: map.augmentations, total });
        };
        let map = explain(models.grader()?, &series.volume, disc, request, cancel, &mut on_map)?;
        let info = models.info();
        Ok(Evidence {
            map: Arc::new(map),
            probability: prediction.probabilities[request.grading].get(request.class).copied(),
            seed: request.seed,
            percentile: self.percentile,
            volume: Arc::new(series.volume.clone()),
            study_instance_uid: series.summary.study_instance_uid.clone(),
            series_instance_uid: series.summary.series_instance_uid.clone(),
            sop_instance_uids: series.summary.instances.iter().map(|from| from.sop_instance_uid.clone()).collect(),
            weights: info.weights,
            device: info.device,
            reader_boxes: Vec::new(),
        })
    }
}

/// Writes the middle slice with labelled bodies and what was found at each disc.
///
/// # Errors
/// If the file cannot be written.
pub fn write_overview(analysis: &Analysis, file: &Path) -> Result<(), PipelineError> {
    let notes = disc_notes(&analysis.predictions(), &analysis.models.experimental);
    let picture = study_overview(&analysis.series.volume, &analysis.detection.vertebrae, &notes, "Lumbar spine");
    Ok(write_png(&picture, file)?)
}
