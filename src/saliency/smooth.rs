//! Maps smoothed within their slices.

use rayon::prelude::*;

use super::map::SLICE_VOXELS;
use crate::spine::{PATCH_COLUMNS, PATCH_ROWS};

/// Beyond so many standard deviations a Gaussian is cut off.
const REACH: f32 = 4.0;

/// Smooths a map `[9, 112, 224]` by a Gaussian of that standard deviation within each slice. What lies beyond the edge has
/// no say, so constant evidence stays constant.
pub(super) fn smooth_slices(values: &mut [f32], deviation_pixels: f32) {
    if deviation_pixels <= 0.0 {
        return;
    }
    let reach = ((REACH * deviation_pixels).ceil() as usize).min(PATCH_COLUMNS);
    let weights: Vec<f32> = (0..=reach).map(|away| (-0.5 * (away as f32 / deviation_pixels).powi(2)).exp()).collect();
    values.par_chunks_mut(SLICE_VOXELS).for_each(|slice| {
        // Rows as they lie, then columns as rows of the transpose.
        let along_rows = transposed(&smooth_lines(slice, PATCH_COLUMNS, &weights), PATCH_COLUMNS);
        let along_both = transposed(&smooth_lines(&along_rows, PATCH_ROWS, &weights), PATCH_ROWS);
        slice.copy_from_slice(&along_both);
    });
}

/// Each line of `length` values, weighted by distance.
fn smooth_lines(values: &[f32], length: usize, weights: &[f32]) -> Vec<f32> {
    let mut smooth = Vec::with_capacity(values.len());
    for line in values.chunks_exact(length) {
        for at in 0..length {
            let (first, last) = (at.saturating_sub(weights.len() - 1), (at + weights.len() - 1).min(length - 1));
            let (mut sum, mut total) = (0.0, 0.0);
            for (index, value) in line[first..=last].iter().enumerate() {
                let weight = weights[at.abs_diff(first + index)];
                sum += weight * value;
                total += weight;
            }
            smooth.push(sum / total);
        }
    }
    smooth
}

/// Lines of `length` values as columns.
fn transposed(values: &[f32], length: usize) -> Vec<f32> {
    let lines = values.len() / length;
    (0..values.len()).map(|index| values[index % lines * length + index / lines]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::PATCH_VOXELS;

    #[test]
    fn a_point_becomes_a_gaussian_on_its_own_slice() {
        const DEVIATION: f32 = 3.0;
        let at = |slice: usize, row: usize, column: usize| slice * SLICE_VOXELS + row * PATCH_COLUMNS + column;
        let mut values = vec![0.0; PATCH_VOXELS];
        values[at(4, 50, 100)] = 1.0;
        smooth_slices(&mut values, DEVIATION);
        assert!((values.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        assert!(values[..at(4, 0, 0)].iter().chain(&values[at(5, 0, 0)..]).all(|value| *value == 0.0));
        let expected = |squares: f32| {
            (-squares / (2.0 * DEVIATION * DEVIATION)).exp() / (2.0 * std::f32::consts::PI * DEVIATION * DEVIATION)
        };
        for (rows, columns) in [(0, 0), (2, 0), (0, 5), (4, 3)] {
            let (got, right) =
                (values[at(4, 50 + rows, 100 - columns)], expected((rows * rows + columns * columns) as f32));
            assert!((got / right - 1.0).abs() < 2e-3, "{rows}, {columns}: {got} instead of {right}");
        }
    }

    #[test]
    fn constant_evidence_stays_constant_and_nothing_is_smoothed_by_nothing() {
        let mut constant = vec![0.7; PATCH_VOXELS];
        smooth_slices(&mut constant, 12.0);
        assert!(constant.iter().all(|value| (value - 0.7).abs() < 1e-5));
        let mut ramp: Vec<f32> = (0..PATCH_VOXELS).map(|index| index as f32).collect();
        let same = ramp.clone();
        smooth_slices(&mut ramp, 0.0);
        assert_eq!(ramp, same);
    }
}
