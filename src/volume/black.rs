//! Where the values of a volume begin: what a voxel without signal has.

/// Values that are looked at: enough to place a percentile.
const SAMPLE: usize = 20_000;
/// Share of the voxels that are taken for air, cortical bone or padding in any image: fewer than these are in every one.
const DARK: f32 = 0.005;
/// Share of the voxels that are not brighter than the range of values reaches.
const BRIGHT: f32 = 0.99;
/// Scanners write magnitudes, which begin at zero. Values whose darkest lie further below or above it than these shares of their
/// range begin elsewhere: they were inverted, normalized, or have an intercept. Smoothing leaves a few a little below zero, and
/// of a close field of view even the darkest tissue may send something.
const FAR_BELOW: f32 = 0.05;
const FAR_ABOVE: f32 = 0.4;

/// The value of no signal of `voxels` that may have been moved: zero where they can begin there.
pub(super) fn black(voxels: &[f32]) -> f32 {
    let (dark, bright) = limits(voxels);
    let plausible = -FAR_BELOW * (bright - dark)..=FAR_ABOVE * (bright - dark);
    if plausible.contains(&dark) || bright <= dark { 0.0 } else { dark }
}

/// The darkest and brightest values that more than a few voxels have; zeros where there are none.
pub(super) fn limits(voxels: &[f32]) -> (f32, f32) {
    // An odd step, so that not one column of the image is looked at alone.
    let step = (voxels.len() / SAMPLE) | 1;
    let mut sample: Vec<f32> = voxels.iter().step_by(step).copied().filter(|value| value.is_finite()).collect();
    let Some(last) = sample.len().checked_sub(1) else { return (0.0, 0.0) };
    let mut at = |share: f32| *sample.select_nth_unstable_by((last as f32 * share) as usize, f32::total_cmp).1;
    (at(DARK), at(BRIGHT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_begin_at_zero_unless_they_lie_far_from_it() {
        let from = |low: f32, high: f32| -> Vec<f32> {
            (0..20_000).map(|index| low + (high - low) * (index % 1000) as f32 / 999.0).collect()
        };
        for (low, high) in [(0.0, 4095.0), (90.0, 900.0), (-30.0, 900.0), (7.0, 7.0)] {
            assert_eq!(black(&from(low, high)), 0.0, "{low} to {high}");
        }
        for (low, high) in [(64_535.0, 65_535.0), (-1024.0, 3071.0), (-900.0, 0.0), (2000.0, 3000.0), (-0.8, 4.0)] {
            let found = black(&from(low, high));
            assert!((found - low).abs() <= 0.01 * (high - low), "{low} to {high}: {found}");
        }
        assert_eq!(black(&[]), 0.0);
        assert_eq!(black(&[f32::NAN; 3]), 0.0);
    }
}
