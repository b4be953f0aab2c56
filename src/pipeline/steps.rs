//! The steps that use the networks: grades and maps.

use std::time::Instant;

use super::PipelineError;
use crate::causes::with_causes;
use crate::model::{Grader, GraderError, Views};
use crate::saliency::{self, SaliencyMap, SaliencyRequest};
use crate::spine::{Disc, DiscLevel, DiscPrediction};
use crate::task::{CancelToken, Progress};
use crate::volume::Volume;

/// What became of one disc.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there are as many as discs, and nearly all are graded")]
pub enum GradeOutcome {
    Graded(DiscPrediction),
    /// It cannot be graded; the others can.
    NotGraded {
        level: DiscLevel,
        /// Why, in words.
        reason: String,
    },
}

impl GradeOutcome {
    /// The grades, if there are any.
    #[must_use]
    pub(crate) fn prediction(&self) -> Option<&DiscPrediction> {
        if let Self::Graded(prediction) = self { Some(prediction) } else { None }
    }
}

/// Grades discs in the given order; `on_disc` hears of each as soon as it is done.
///
/// # Errors
/// If the work is cancelled, or if not one disc can be graded: then the first disc's reason.
pub(crate) fn grade_discs(
    grader: &Grader,
    volume: &Volume,
    discs: &[Disc],
    views: Views,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
    on_disc: &mut dyn FnMut(&GradeOutcome),
) -> Result<Vec<GradeOutcome>, PipelineError> {
    let mut outcomes = Vec::with_capacity(discs.len());
    let mut first_failure = None;
    for (done, disc) in discs.iter().enumerate() {
        on_progress(Progress { step: "Grading discs", done, total: discs.len() });
        let outcome = match grader.grade(volume, disc, views, cancel) {
            Ok(prediction) => GradeOutcome::Graded(prediction),
            Err(GraderError::Cancelled(cancelled)) => return Err(cancelled.into()),
            Err(source) => {
                let reason = with_causes(&source);
                first_failure.get_or_insert(source);
                GradeOutcome::NotGraded { level: disc.level, reason }
            }
        };
        on_disc(&outcome);
        outcomes.push(outcome);
    }
    on_progress(Progress { step: "Grading discs", done: discs.len(), total: discs.len() });
    match first_failure {
        Some(error) if outcomes.iter().all(|outcome| outcome.prediction().is_none()) => Err(error.into()),
        _ => Ok(outcomes),
    }
}

/// The evidence map of one class of one grading; `on_map` sees it sharpen as augmentations are averaged.
///
/// # Errors
/// If the disc has no frame, the class does not exist, the device fails, or the work is cancelled.
pub fn explain(
    grader: &Grader,
    volume: &Volume,
    disc: &Disc,
    request: &SaliencyRequest,
    cancel: &CancelToken,
    on_map: &mut dyn FnMut(SaliencyMap),
) -> Result<SaliencyMap, PipelineError> {
    let start = Instant::now();
    let map = saliency::explain(grader.network(), volume, disc, request, cancel, on_map)?;
    tracing::info!(seconds = start.elapsed().as_secs_f64(), "a grade is explained");
    Ok(map)
}
