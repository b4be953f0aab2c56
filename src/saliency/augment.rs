//! The mean of maps over randomly augmented views of a disc, each warped back to the plain one.

use std::f64::consts::PI;

use candle_core::Tensor;
use glam::DVec2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{SaliencyError, SaliencyMap, SaliencyRequest, evidence};
use crate::model::grading::{GradingNetwork, disc_tensor};
use crate::spine::{Disc, DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PATCH_VOXELS, PatchAugmentation};
use crate::task::CancelToken;
use crate::volume::Volume;

/// Views that go through the network at once; more gain nothing and delay a cancel.
const BATCH: usize = 4;

/// A change drawn from the ranges that the network was trained with (paper, section 4): rotation ±15°, shift ±32 columns
/// and ±24 rows, ±2 slices, scale 90 to 110 %, intensity ±0.1, slices reversed half the time.
pub fn random_augmentation(random: &mut ChaCha8Rng) -> PatchAugmentation {
    PatchAugmentation {
        rotation: random.random_range(-15.0..=15.0) * PI / 180.0,
        shift: DVec2::new(random.random_range(-32.0..=32.0), random.random_range(-24.0..=24.0)),
        slice_shift: random.random_range(-2..=2_i32) as isize,
        scale: random.random_range(0.9..=1.1),
        intensity: random.random_range(-0.1..=0.1),
        mirror_slices: random.random(),
    }
}

/// Explains a grade of `disc`: the mean of `request.augmentations` maps, the first of the plain view, the others of random
/// ones. `on_map` gets the mean after 1, 2, 4, 8, … views and at the end.
///
/// # Errors
/// If the grading has no such class, the disc has no usable outline, the work is cancelled, or the device fails.
pub fn explain(
    network: &GradingNetwork,
    volume: &Volume,
    disc: &Disc,
    request: &SaliencyRequest,
    cancel: &CancelToken,
    on_map: &mut dyn FnMut(SaliencyMap),
) -> Result<SaliencyMap, SaliencyError> {
    let SaliencyRequest { grading, class, method, seed, .. } = *request;
    if class >= grading.classes() {
        return Err(SaliencyError::Class { grading, class });
    }
    let frame = DiscFrame::of_disc(volume, disc)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let wanted = request.augmentations.max(1);
    let mut mean = RunningMean::new(frame.clone());
    let mut done = 0;
    loop {
        cancel.check()?;
        let batch = batch_size(done, wanted);
        let views: Vec<DiscFrame> = (done..done + batch)
            .map(|view| match view {
                0 => frame.clone(),
                _ => frame.augmented(&random_augmentation(&mut random)),
            })
            .collect();
        for (view, values) in views.iter().zip(maps(network, volume, &views, request)?) {
            mean.add(view, &values);
        }
        done += batch;
        if done == wanted || done.is_power_of_two() {
            let map = SaliencyMap {
                values: mean.values(),
                frame: frame.clone(),
                level: disc.level,
                grading,
                class,
                method,
                augmentations: done,
            };
            on_map(map.clone());
            if done == wanted {
                return Ok(map);
            }
        }
    }
}

/// Views of the next batch: up to the next power of two, where a map is shown.
fn batch_size(done: usize, wanted: usize) -> usize {
    let shown = (done + 1).next_power_of_two();
    (shown.min(wanted) - done).min(BATCH)
}

/// The evidence of each view, in the voxels of that view.
fn maps(
    network: &GradingNetwork,
    volume: &Volume,
    views: &[DiscFrame],
    request: &SaliencyRequest,
) -> Result<Vec<Vec<f32>>, SaliencyError> {
    let patches: Vec<_> = views.par_iter().map(|view| view.sample(volume).voxels).collect();
    let discs: Tensor = disc_tensor(patches.iter().map(Vec::as_slice), network.device())?;
    let evidence = evidence(network, &discs, request.grading, request.class, request.method)?;
    Ok(evidence.flatten_from(1)?.to_vec2::<f32>()?)
}

/// Mean over views, in the voxels of the plain view; a view counts only where it saw the voxel.
pub(super) struct RunningMean {
    frame: DiscFrame,
    sums: Vec<f32>,
    counts: Vec<f32>,
}

impl RunningMean {
    pub(super) fn new(frame: DiscFrame) -> Self {
        Self { frame, sums: vec![0.0; PATCH_VOXELS], counts: vec![0.0; PATCH_VOXELS] }
    }

    /// Adds the map of a view, warped back by way of image coordinates.
    pub(super) fn add(&mut self, view: &DiscFrame, values: &[f32]) {
        let position = |row, column| DVec2::from(view.patch_from_image(self.frame.image_from_patch(row, column)));
        // In-plane the two frames differ by an affine map, (row, column) to (row, column).
        let origin = position(0.0, 0.0);
        let (per_row, per_column) = (position(1.0, 0.0) - origin, position(0.0, 1.0) - origin);
        let pixels = PATCH_ROWS * PATCH_COLUMNS;
        let frame = &self.frame;
        let slices = self.sums.par_chunks_mut(pixels).zip(self.counts.par_chunks_mut(pixels));
        slices.enumerate().for_each(|(slice, (sums, counts))| {
            if frame.scan_slice(slice).is_none() {
                return;
            }
            let seen = view.patch_from_scan_slice(frame.scan_from_patch_slice(slice as f64)).round();
            if !(0.0..PATCH_SLICES as f64).contains(&seen) {
                return;
            }
            let source = &values[seen as usize * pixels..][..pixels];
            for (index, (sum, count)) in sums.iter_mut().zip(counts).enumerate() {
                let (row, column) = ((index / PATCH_COLUMNS) as f64, (index % PATCH_COLUMNS) as f64);
                if let Some(value) = bilinear(source, origin + per_row * row + per_column * column) {
                    *sum += value;
                    *count += 1.0;
                }
            }
        });
    }

    /// The mean; 0 where no view saw a voxel.
    pub(super) fn values(&self) -> Vec<f32> {
        let pairs = self.sums.iter().zip(&self.counts);
        pairs.map(|(sum, count)| if *count > 0.0 { sum / count } else { 0.0 }).collect()
    }
}

/// Value of a patch slice at (row, column); `None` outside it.
fn bilinear(source: &[f32], at: DVec2) -> Option<f32> {
    let last = DVec2::new(PATCH_ROWS as f64 - 1.0, PATCH_COLUMNS as f64 - 1.0);
    // Half a pixel of tolerance, within which the edge value is held.
    let inside = at.cmpge(DVec2::splat(-0.5)).all() && at.cmple(last + 0.5).all();
    inside.then(|| {
        let at = at.clamp(DVec2::ZERO, last);
        let (row, column) = (at.x as usize, at.y as usize);
        let (down, right) = (at.x.fract() as f32, at.y.fract() as f32);
        let (next_row, next_column) = ((row + 1).min(PATCH_ROWS - 1), (column + 1).min(PATCH_COLUMNS - 1));
        let value = |row: usize, column: usize| source[row * PATCH_COLUMNS + column];
        let top = value(row, column) * (1.0 - right) + value(row, next_column) * right;
        let bottom = value(next_row, column) * (1.0 - right) + value(next_row, next_column) * right;
        top * (1.0 - down) + bottom * down
    })
}
