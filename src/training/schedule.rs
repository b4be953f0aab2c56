//! Learning rates over a training, by cosine or by plateau, and when it is at its best.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// Learning rate over a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CosineSchedule {
    /// Highest rate, reached after the warm-up.
    pub peak: f64,
    /// Steps over which the rate rises linearly.
    pub warm_up_steps: usize,
}

impl CosineSchedule {
    /// Rate at `step` of `steps`: linear rise, then half a cosine wave down to a hundredth of the peak.
    #[must_use]
    pub(crate) fn rate(&self, step: usize, steps: usize) -> f64 {
        if step < self.warm_up_steps {
            return self.peak * (step + 1) as f64 / self.warm_up_steps as f64;
        }
        let span = steps.saturating_sub(self.warm_up_steps).max(1) as f64;
        let t = ((step - self.warm_up_steps) as f64 / span).min(1.0);
        self.peak * (0.01 + 0.99 * 0.5 * (1.0 + (PI * t).cos()))
    }
}

/// Lowers the learning rate where the error no longer falls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plateau {
    /// Epochs without a new lowest error before the rate is lowered, and again before each further time.
    pub patience: usize,
    /// What the rate is multiplied by, such as 0.1.
    pub factor: f64,
}

/// An error counts as lower if it is so by this share.
const LEAST_GAIN: f64 = 1e-3;

impl Plateau {
    /// What the rate is multiplied by after epochs with these errors.
    #[must_use]
    pub(crate) fn multiplier(&self, errors: &[f64]) -> f64 {
        let (mut lowest, mut waited, mut lowered) = (f64::INFINITY, 0, 0);
        for error in errors {
            waited += 1;
            if *error < lowest * (1.0 - LEAST_GAIN) {
                (lowest, waited) = (*error, 0);
            } else if waited >= self.patience.max(1) {
                (lowered, waited) = (lowered + 1, 0);
            }
        }
        self.factor.powi(lowered)
    }
}

/// The epoch with the lowest error; `None` without epochs.
#[must_use]
pub(crate) fn best_epoch(errors: &[f64]) -> Option<usize> {
    (0..errors.len()).min_by(|a, b| errors[*a].total_cmp(&errors[*b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_falls_and_ends_low() {
        let schedule = CosineSchedule { peak: 1.0, warm_up_steps: 10 };
        assert!((schedule.rate(0, 100) - 0.1).abs() < 1e-12);
        assert!((schedule.rate(10, 100) - 1.0).abs() < 1e-12);
        assert!(schedule.rate(99, 100) < 0.02);
    }

    #[test]
    fn the_rate_falls_where_the_error_no_longer_does() {
        let plateau = Plateau { patience: 2, factor: 0.1 };
        for (errors, expected) in [
            (&[][..], 1.0),
            (&[3.0, 2.0, 2.5], 1.0),
            (&[3.0, 2.0, 2.5, 2.0], 0.1),
            (&[3.0, 2.0, 2.5, 2.1, 1.0, 0.9], 0.1),
            (&[3.0, 4.0, 4.0, 4.0, 4.0], 0.01),
        ] {
            let multiplier = plateau.multiplier(errors);
            assert!((multiplier - expected).abs() < 1e-12, "{errors:?}: {multiplier}");
        }
        assert_eq!((best_epoch(&[3.0, 1.0, 2.0]), best_epoch(&[])), (Some(1), None));
    }
}
