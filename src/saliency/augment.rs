//! The mean of maps over randomly augmented views of a disc, each warped back to the plain one.

use std::f64::consts::PI;

use candle_core::Tensor;
use glam::DVec2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::mean::RunningMean;
use super::{
    SaliencyError, SaliencyLayer, SaliencyMap, SaliencyMethod, SaliencyPlan, SaliencyRequest, SaliencyTarget, Tracer,
};
use crate::model::grading::{GradingNetwork, disc_tensor};
use crate::spine::{Disc, DiscFrame, PATCH_VOXELS, PatchAugmentation};
use crate::task::CancelToken;
use crate::volume::Volume;

/// Maps (views × targets) that are computed at once; more gain nothing, take memory and delay a cancel.
const MAPS_AT_ONCE: usize = 8;
/// Before so many views the spread is too uncertain to stop by.
const FEWEST_TO_CONVERGE: usize = 16;
/// Whether a map has converged is asked after so many views, again and again: the same number for any batch.
const ASKED_EVERY: usize = 8;

/// A change drawn from the ranges that the network was trained with (paper, section 4): rotation ±15°, shift ±32 columns
/// and ±24 rows, ±2 slices, scale 90 to 110 %, intensity ±0.1, slices reversed half the time.
pub(crate) fn random_augmentation(random: &mut ChaCha8Rng) -> PatchAugmentation {
    PatchAugmentation {
        rotation: random.random_range(-15.0..=15.0) * PI / 180.0,
        shift: DVec2::new(random.random_range(-32.0..=32.0), random.random_range(-24.0..=24.0)),
        slice_shift: random.random_range(-2..=2_i32) as isize,
        scale: random.random_range(0.9..=1.1),
        intensity: random.random_range(-0.1..=0.1),
        mirror_slices: random.random(),
    }
}

/// Explains a grade of `disc`: the mean of `request.plan.augmentations` maps, the first of the plain view, the others of
/// random ones, or of fewer where the plan asks for no more than a converged map. `on_map` gets the mean after 1, 2, 4,
/// 8, … views and at the end.
///
/// # Errors
/// If the network does not have the grading or it no such class, the disc has no usable outline, the work is cancelled, or the device fails.
///
/// # Panics
/// Never: a map is told of at the end at the latest.
pub fn explain(
    network: &GradingNetwork,
    volume: &Volume,
    disc: &Disc,
    request: &SaliencyRequest,
    cancel: &CancelToken,
    on_map: &mut dyn FnMut(SaliencyMap),
) -> Result<SaliencyMap, SaliencyError> {
    let target = SaliencyTarget { grading: request.grading, class: request.class };
    let mut last = None;
    explain_all(network, volume, disc, &[target], &request.plan, cancel, &mut |map| {
        last = Some(map.clone());
        on_map(map);
    })?;
    Ok(last.expect("a map is told of at the end at the latest"))
}

/// Explains several grades of `disc` at once, each as [`explain`] would: see [`explain_each`]. `on_map` gets every target's
/// means as they sharpen.
///
/// # Errors
/// As [`explain`].
pub fn explain_all(
    network: &GradingNetwork,
    volume: &Volume,
    disc: &Disc,
    targets: &[SaliencyTarget],
    plan: &SaliencyPlan,
    cancel: &CancelToken,
    on_map: &mut dyn FnMut(SaliencyMap),
) -> Result<(), SaliencyError> {
    let wanted: Vec<_> = targets.iter().map(|target| (*target, *plan)).collect();
    explain_each(network, volume, disc, &wanted, cancel, &mut |_, map| on_map(map))
}

/// A map under way.
struct OpenMap {
    /// Its place among those wanted.
    index: usize,
    target: SaliencyTarget,
    plan: SaliencyPlan,
    /// Place of its tracer.
    tracer: usize,
    mean: RunningMean,
}

/// Explains grades of `disc`, each by its own plan. All share the views and the way up through the trunk, those of one method
/// and layer also the way down; one that has converged takes no further part. Number and seed of the views are those of the
/// first plan. `on_map` gets the place of a map among those wanted and its means as they sharpen.
///
/// # Errors
/// As [`explain`].
pub(crate) fn explain_each(
    network: &GradingNetwork,
    volume: &Volume,
    disc: &Disc,
    wanted: &[(SaliencyTarget, SaliencyPlan)],
    cancel: &CancelToken,
    on_map: &mut dyn FnMut(usize, SaliencyMap),
) -> Result<(), SaliencyError> {
    let Some((_, SaliencyPlan { augmentations, seed, .. })) = wanted.first().copied() else { return Ok(()) };
    for (SaliencyTarget { grading, class }, _) in wanted {
        if !network.config().gradings.contains(grading) {
            return Err(SaliencyError::Grading(*grading));
        }
        if *class >= grading.classes() {
            return Err(SaliencyError::Class { grading: *grading, class: *class });
        }
    }
    let frame = DiscFrame::of_disc(volume, disc)?;
    let network = network.at_level(disc.level)?;
    let mut ways: Vec<(SaliencyMethod, Option<SaliencyLayer>)> = Vec::new();
    let mut open: Vec<OpenMap> = Vec::with_capacity(wanted.len());
    for (index, (target, plan)) in wanted.iter().copied().enumerate() {
        let tracer = ways.iter().position(|way| *way == (plan.method, plan.layer)).unwrap_or_else(|| {
            ways.push((plan.method, plan.layer));
            ways.len() - 1
        });
        open.push(OpenMap { index, target, plan, tracer, mean: RunningMean::new(frame.clone()) });
    }
    let tracers = ways.iter().map(|(method, layer)| Tracer::new(&network, *method, *layer));
    let tracers: Vec<Tracer> = tracers.collect::<candle_core::Result<_>>()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let total = augmentations.max(1);
    let mut done = 0;
    while !open.is_empty() {
        cancel.check()?;
        let batch = batch_size(done, total, open.len());
        let views: Vec<DiscFrame> = (done..done + batch)
            .map(|view| match view {
                0 => frame.clone(),
                _ => frame.augmented(&random_augmentation(&mut random)),
            })
            .collect();
        add_views(&tracers, volume, &views, &mut open)?;
        done += batch;
        open.retain(|OpenMap { index, target, plan, tracer, mean }| {
            let relative_error = if done.is_power_of_two() || done.is_multiple_of(ASKED_EVERY) || done == total {
                mean.relative_error()
            } else {
                None
            };
            let has_converged = plan.precision.is_some_and(|precision| {
                let is_asked = done >= FEWEST_TO_CONVERGE && done.is_multiple_of(ASKED_EVERY);
                is_asked && relative_error.is_some_and(|error| error <= precision)
            });
            let is_last = done == total || has_converged;
            if is_last || done.is_power_of_two() {
                let map = SaliencyMap {
                    values: mean.values(),
                    standard_errors: mean.standard_errors(),
                    frame: frame.clone(),
                    level: disc.level,
                    grading: target.grading,
                    class: target.class,
                    method: plan.method,
                    layer: tracers[*tracer].layer(),
                    smoothing_mm: 0.0,
                    augmentations: done,
                    relative_error,
                    ranks: super::Ranks::default(),
                };
                on_map(*index, map.smoothed(plan.smoothing_mm));
            }
            !is_last
        });
    }
    Ok(())
}

/// Views of the next batch: up to the next power of two, where a map is shown.
fn batch_size(done: usize, wanted: usize, maps: usize) -> usize {
    let shown = (done + 1).next_power_of_two();
    (shown.min(wanted) - done).min((MAPS_AT_ONCE / maps).max(1))
}

/// Adds some views to the mean of each map.
fn add_views(
    tracers: &[Tracer],
    volume: &Volume,
    views: &[DiscFrame],
    open: &mut [OpenMap],
) -> Result<(), SaliencyError> {
    let Some(network) = tracers.first().map(Tracer::network) else { return Ok(()) };
    let patches: Vec<_> = views.par_iter().map(|view| view.sample(volume).voxels).collect();
    let discs: Tensor = disc_tensor(patches.iter().map(Vec::as_slice), network.device())?;
    let trunk = network.trace_trunk(&discs)?;
    // For each map its values of all views.
    let mut values: Vec<Vec<f32>> = vec![Vec::new(); open.len()];
    for (index, tracer) in tracers.iter().enumerate() {
        let (places, targets): (Vec<usize>, Vec<SaliencyTarget>) =
            (0..).zip(&*open).filter(|(_, map)| map.tracer == index).map(|(place, map)| (place, map.target)).unzip();
        if targets.is_empty() {
            continue;
        }
        let evidence = tracer.evidence_from(&trunk, &discs, &targets)?.flatten_all()?.to_vec1::<f32>()?;
        for (place, of_target) in places.into_iter().zip(evidence.chunks_exact(views.len() * PATCH_VOXELS)) {
            values[place] = of_target.to_vec();
        }
    }
    for (index, view) in views.iter().enumerate() {
        let of_view: Vec<&[f32]> =
            values.iter().map(|values| &values[index * PATCH_VOXELS..][..PATCH_VOXELS]).collect();
        let mut means: Vec<&mut RunningMean> = open.iter_mut().map(|map| &mut map.mean).collect();
        RunningMean::add_all(&mut means, view, &of_view);
    }
    Ok(())
}
