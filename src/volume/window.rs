//! Display windows.

use serde::{Deserialize, Serialize};

/// Linear display window: `center` is shown mid-gray, `width` spans black to white (both in voxel values).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WindowLevel {
    /// Value shown as mid-gray.
    pub center: f32,
    /// Distance from black to white, above zero.
    pub width: f32,
}

impl WindowLevel {
    /// Window from the 1st to the 99th percentile of `values`, which shows MR of any scaling well.
    /// Constant or empty input gives a window of width 1 around the value (or 0).
    #[must_use]
    pub(crate) fn from_percentiles(values: &[f32]) -> Self {
        // A sample of some 100,000 values places the percentiles well enough to look at.
        let step = (values.len() / 100_000).max(1);
        let mut sample: Vec<f32> = values.iter().step_by(step).copied().filter(|v| v.is_finite()).collect();
        if sample.is_empty() {
            return Self { center: 0.0, width: 1.0 };
        }
        let last = (sample.len() - 1) as f32;
        let mut at =
            |fraction: f32| *sample.select_nth_unstable_by((last * fraction).round() as usize, f32::total_cmp).1;
        let (low, high) = (at(0.01), at(0.99));
        if high > low {
            Self { center: f32::midpoint(low, high), width: high - low }
        } else {
            Self { center: low, width: 1.0 }
        }
    }

    /// Display value 0 (black) to 1 (white) of a voxel value.
    #[must_use]
    pub(crate) fn apply(self, value: f32) -> f32 {
        ((value - self.center) / self.width + 0.5).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_maps_its_ends_to_black_and_white() {
        let window = WindowLevel { center: 100.0, width: 50.0 };
        assert_eq!(window.apply(75.0), 0.0);
        assert_eq!(window.apply(100.0), 0.5);
        assert_eq!(window.apply(125.0), 1.0);
        assert_eq!(window.apply(1e9), 1.0);
    }

    #[test]
    fn percentile_window_ignores_outliers_and_survives_constants() {
        let mut values: Vec<f32> = (0..1000).map(|v| v as f32).collect();
        values[0] = 1e6;
        let window = WindowLevel::from_percentiles(&values);
        assert!(window.width < 1100.0);
        assert_eq!(WindowLevel::from_percentiles(&[7.0; 9]).width, 1.0);
        assert_eq!(WindowLevel::from_percentiles(&[]).width, 1.0);
    }
}
