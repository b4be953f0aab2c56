//! The running mean of maps over views, in the voxels of the plain view.

use glam::DVec2;
use rayon::prelude::*;

use crate::spine::{DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PATCH_VOXELS};

const PIXELS: usize = PATCH_ROWS * PATCH_COLUMNS;

/// Views needed before their spread tells anything.
const FEWEST_VIEWS: usize = 4;

/// Mean over views of one map, with its spread; a view counts only where it saw the voxel.
pub(super) struct RunningMean {
    frame: DiscFrame,
    views: usize,
    sums: Vec<f32>,
    squares: Vec<f32>,
    counts: Vec<f32>,
}

impl RunningMean {
    pub(super) fn new(frame: DiscFrame) -> Self {
        let zeros = vec![0.0; PATCH_VOXELS];
        Self { frame, views: 0, sums: zeros.clone(), squares: zeros.clone(), counts: zeros }
    }

    /// Adds the maps of one view to means that share their frame, warped back by way of image coordinates: where a voxel
    /// lies in the view is found once.
    pub(super) fn add_all(means: &mut [&mut Self], view: &DiscFrame, maps: &[&[f32]]) {
        let Some(first) = means.first() else { return };
        let frame = first.frame.clone();
        let seen = seen_pixels(&frame, view);
        let slices: Vec<Option<usize>> = (0..PATCH_SLICES).map(|slice| seen_slice(&frame, view, slice)).collect();
        means.par_iter_mut().zip(maps).for_each(|(mean, values)| {
            mean.views += 1;
            let sums = mean.sums.par_chunks_mut(PIXELS).zip(mean.squares.par_chunks_mut(PIXELS));
            let voxels = sums.zip(mean.counts.par_chunks_mut(PIXELS)).zip(&slices);
            voxels.for_each(|(((sums, squares), counts), slice)| {
                let Some(slice) = slice else { return };
                let source = &values[slice * PIXELS..][..PIXELS];
                for SeenPixel { pixel, corner, weights } in &seen {
                    let (pixel, corner) = (*pixel as usize, *corner as usize);
                    let (top, bottom) = (&source[corner..corner + 2], &source[corner + PATCH_COLUMNS..][..2]);
                    let [a, b, c, d] = weights;
                    let value = top[0] * a + top[1] * b + bottom[0] * c + bottom[1] * d;
                    sums[pixel] += value;
                    squares[pixel] += value * value;
                    counts[pixel] += 1.0;
                }
            });
        });
    }

    /// The mean; 0 where no view saw a voxel.
    pub(super) fn values(&self) -> Vec<f32> {
        let pairs = self.sums.iter().zip(&self.counts);
        pairs.map(|(sum, count)| if *count > 0.0 { sum / count } else { 0.0 }).collect()
    }

    /// Root of the summed squares of the voxels' standard errors, as a share of that of the mean itself.
    pub(super) fn relative_error(&self) -> Option<f32> {
        if self.views < FEWEST_VIEWS {
            return None;
        }
        let (mut errors, mut sizes) = (0.0_f64, 0.0_f64);
        for (mean, error_square) in self.voxels().flatten() {
            errors += f64::from(error_square);
            sizes += f64::from(mean * mean);
        }
        (sizes > 0.0).then(|| (errors / sizes).sqrt() as f32)
    }

    /// Standard error of the mean of each voxel, 0 where fewer than two views saw it; `None` if there are too few views.
    pub(super) fn standard_errors(&self) -> Option<Vec<f32>> {
        let errors = || self.voxels().map(|voxel| voxel.map_or(0.0, |(_, error_square)| error_square.sqrt())).collect();
        (self.views >= FEWEST_VIEWS).then(errors)
    }

    /// Mean and squared standard error of each voxel that two views saw.
    fn voxels(&self) -> impl Iterator<Item = Option<(f32, f32)>> {
        self.sums.iter().zip(&self.squares).zip(&self.counts).map(|((sum, square), count)| {
            (*count >= 2.0).then(|| {
                let mean = sum / count;
                let variance = (square / count - mean * mean).max(0.0) * count / (count - 1.0);
                (mean, variance / count)
            })
        })
    }
}

/// A pixel of the plain view that another view sees: where, between which four pixels of it, and with which weights.
struct SeenPixel {
    pixel: u32,
    corner: u32,
    weights: [f32; 4],
}

/// The slice of `view` that shows what patch slice `slice` of `frame` shows, where both have it.
fn seen_slice(frame: &DiscFrame, view: &DiscFrame, slice: usize) -> Option<usize> {
    frame.scan_slice(slice)?;
    let seen = view.patch_from_scan_slice(frame.scan_from_patch_slice(slice as f64)).round();
    (0.0..PATCH_SLICES as f64).contains(&seen).then_some(seen as usize)
}

/// The pixels of `frame` that lie in `view`, in order.
fn seen_pixels(frame: &DiscFrame, view: &DiscFrame) -> Vec<SeenPixel> {
    let position = |row, column| DVec2::from(view.patch_from_image(frame.image_from_patch(row, column)));
    // In-plane the two frames differ by an affine map, (row, column) to (row, column).
    let origin = position(0.0, 0.0);
    let (per_row, per_column) = (position(1.0, 0.0) - origin, position(0.0, 1.0) - origin);
    let last = DVec2::new(PATCH_ROWS as f64 - 1.0, PATCH_COLUMNS as f64 - 1.0);
    let pixels = (0..PIXELS).into_par_iter().with_min_len(PATCH_COLUMNS).filter_map(|pixel| {
        let (row, column) = ((pixel / PATCH_COLUMNS) as f64, (pixel % PATCH_COLUMNS) as f64);
        let at = origin + per_row * row + per_column * column;
        // Half a pixel of tolerance, within which the edge value is held.
        let is_inside = at.cmpge(DVec2::splat(-0.5)).all() && at.cmple(last + 0.5).all();
        is_inside.then(|| {
            let at = at.clamp(DVec2::ZERO, last);
            // At the far edges the last pixel has all the weight.
            let corner = at.floor().min(last - 1.0);
            let (down, right) = ((at.x - corner.x) as f32, (at.y - corner.y) as f32);
            let (up, left) = (1.0 - down, 1.0 - right);
            let corner = corner.x as usize * PATCH_COLUMNS + corner.y as usize;
            let weights = [up * left, up * right, down * left, down * right];
            SeenPixel { pixel: pixel as u32, corner: corner as u32, weights }
        })
    });
    pixels.collect()
}
