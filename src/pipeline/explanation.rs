//! From a graded disc to the evidence for one of its grades.

use std::sync::Arc;

use super::{Evidence, Models, PipelineError};
use crate::dicom::Series;
use crate::saliency::{SaliencyMap, SaliencyPlan, SaliencyTarget, explain_all};
use crate::spine::{BoxRule, Disc, DiscPrediction};
use crate::task::{CancelToken, Progress};

/// Explains grades of a scan.
#[derive(Debug, Clone, Copy)]
pub struct Explanation<'a> {
    /// The scan.
    pub series: &'a Series,
    /// Percentile of the map above which evidence is boxed.
    pub percentile: f64,
    /// Which hotspots a box encloses.
    pub box_rule: BoxRule,
    /// Standard deviation of the Gaussian that maps are smoothed by within their slices, mm.
    pub smoothing_mm: f64,
    /// How maps are computed and averaged.
    pub plan: SaliencyPlan,
}

impl Explanation<'_> {
    /// Computes the evidence map of each target and joins it with what its files say; the maps share their views.
    ///
    /// # Errors
    /// As [`crate::saliency::explain_all`], and if the grader's weights cannot be loaded.
    pub fn evidence(
        &self,
        models: &mut Models,
        disc: &Disc,
        prediction: &DiscPrediction,
        targets: &[SaliencyTarget],
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Evidence>, PipelineError> {
        let series = self.series;
        let (plan, total) = (&self.plan, self.plan.augmentations);
        on_progress(Progress { step: "Explaining", done: 0, total });
        let mut maps: Vec<Option<SaliencyMap>> = vec![None; targets.len()];
        explain_all(models.grader()?.network(), &series.volume, disc, targets, plan, cancel, &mut |map| {
            on_progress(Progress { step: "Explaining", done: map.augmentations, total });
            let of_map = |target: &SaliencyTarget| (target.grading, target.class) == (map.grading, map.class);
            if let Some(place) = targets.iter().position(of_map) {
                maps[place] = Some(map);
            }
        })?;
        let info = models.info();
        let evidence = |map: SaliencyMap| Evidence {
            probability: prediction.probability(map.grading, map.class),
            map: Arc::new(if self.smoothing_mm > 0.0 { map.smoothed(self.smoothing_mm) } else { map }),
            seed: plan.seed,
            percentile: self.percentile,
            box_rule: self.box_rule,
            volume: Arc::clone(&series.volume),
            study_instance_uid: series.summary.study_instance_uid.clone(),
            series_instance_uid: series.summary.series_instance_uid.clone(),
            sop_instance_uids: series.summary.instances.iter().map(|from| from.sop_instance_uid.clone()).collect(),
            weights: info.weights.clone(),
            device: info.device.clone(),
            reader_boxes: Vec::new(),
        };
        Ok(maps.into_iter().flatten().map(evidence).collect())
    }
}
