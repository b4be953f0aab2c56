//! From a graded disc to the evidence for its grades.

use std::sync::Arc;

use super::{Evidence, Models, PipelineError};
use crate::dicom::Series;
use crate::saliency::{EvidenceWay, SaliencyMap, SaliencyTarget, WayChoice, explain_each};
use crate::spine::{Disc, DiscPrediction};
use crate::task::{CancelToken, Progress};

/// Explains grades of a scan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Explanation<'a> {
    /// The scan.
    pub series: &'a Series,
    /// How maps are made and boxed.
    pub choice: WayChoice,
    /// Views averaged, at most.
    pub augmentations: usize,
    /// Stop before that when a map has converged so far; see [`crate::saliency::SaliencyPlan::precision`].
    pub precision: Option<f32>,
    /// Seed of the views.
    pub seed: u64,
}

impl Explanation<'_> {
    /// Computes the evidence map of each target and joins it with what its files say; they share their views.
    ///
    /// # Errors
    /// As [`explain_each`], and if the grader's weights cannot be loaded.
    pub(crate) fn evidence(
        &self,
        models: &mut Models,
        disc: &Disc,
        prediction: &DiscPrediction,
        targets: &[SaliencyTarget],
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Evidence>, PipelineError> {
        models.load_grader()?;
        let info = models.info();
        let ways: Vec<EvidenceWay> =
            targets.iter().map(|target| self.choice.way(target.grading, &info.evidence)).collect();
        let plans = ways.iter().map(|way| way.plan(self.augmentations, self.precision, self.seed));
        let wanted: Vec<_> = targets.iter().copied().zip(plans).collect();
        let mut maps: Vec<Option<SaliencyMap>> = vec![None; targets.len()];
        let mut tell = |done| on_progress(Progress { step: "Explaining", done, total: self.augmentations });
        tell(0);
        let (network, volume) = (models.grader()?.network(), &self.series.volume);
        explain_each(network, volume, disc, &wanted, cancel, &mut |place, map| {
            tell(map.augmentations);
            maps[place] = Some(map);
        })?;
        let summary = &self.series.summary;
        let evidence = |(map, way): (SaliencyMap, EvidenceWay)| Evidence {
            probability: prediction.probability(map.grading, map.class),
            map: Arc::new(map),
            seed: self.seed,
            percentile: way.percentile,
            box_rule: way.box_rule,
            volume: Arc::clone(&self.series.volume),
            study_instance_uid: summary.study_instance_uid.clone(),
            series_instance_uid: summary.series_instance_uid.clone(),
            sop_instance_uids: summary.instances.iter().map(|from| from.sop_instance_uid.clone()).collect(),
            weights: info.weights.clone(),
            device: info.device.clone(),
            reader_boxes: Vec::new(),
        };
        Ok(maps.into_iter().zip(ways).filter_map(|(map, way)| Some((map?, way))).map(evidence).collect())
    }
}
