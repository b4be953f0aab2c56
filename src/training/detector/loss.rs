//! The detector's loss and its gradient, in one pass over the outputs.

use rayon::prelude::*;

use super::targets::{PEAK_CHANNELS, Targets};
use crate::model::detector::DetectorHead;
use crate::spine::VertebraLabel;

/// Weights of the parts of the loss.
const PEAK_WEIGHT: f64 = 1.0;
const OFFSET_WEIGHT: f64 = 2.0;
const LABEL_WEIGHT: f64 = 0.5;

/// Parts of the loss of a batch, each a mean over what it is about.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct LossParts {
    /// Soft-target focal loss of the peaks, per peak.
    pub peaks: f64,
    /// Absolute error of the offsets, per coordinate, in the network's unit.
    pub offsets: f64,
    /// Cross-entropy of the levels.
    pub labels: f64,
}

impl LossParts {
    /// The weighted sum that is minimized.
    #[must_use]
    pub(crate) fn total(&self) -> f64 {
        PEAK_WEIGHT * self.peaks + OFFSET_WEIGHT * self.offsets + LABEL_WEIGHT * self.labels
    }

    fn plus(self, other: Self) -> Self {
        Self {
            peaks: self.peaks + other.peaks,
            offsets: self.offsets + other.offsets,
            labels: self.labels + other.labels,
        }
    }
}

/// What each part is divided by.
struct Norms {
    peaks: [f32; PEAK_CHANNELS],
    offsets: f32,
    labels: f32,
}

impl Norms {
    fn of(targets: &[Targets]) -> Self {
        let sum = |of: fn(&Targets) -> f32| targets.iter().map(of).sum::<f32>().max(1e-3);
        let count = |channel: usize| targets.iter().map(|t| t.counts[channel]).sum::<usize>().max(1) as f32;
        Self {
            // The four kinds of corners share one weight.
            peaks: std::array::from_fn(|channel| count(channel) * if channel < 2 { 1.0 } else { 4.0 }),
            offsets: sum(|t| 4.0 * t.offset_weights.iter().sum::<f32>()),
            labels: sum(|t| t.label_weights.iter().sum()),
        }
    }
}

/// Loss of a batch and its gradient with respect to `outputs`, which holds one `[DetectorHead::TOTAL, rows, columns]` block
/// per element of `targets`.
#[must_use]
pub(crate) fn loss_and_gradient(outputs: &[f32], targets: &[Targets]) -> (LossParts, Vec<f32>) {
    let norms = Norms::of(targets);
    let block = outputs.len() / targets.len().max(1);
    let mut gradient = vec![0f32; outputs.len()];
    let parts: Vec<LossParts> = gradient
        .par_chunks_mut(block.max(1))
        .zip(outputs.par_chunks(block.max(1)))
        .zip(targets)
        .map(|((gradient, outputs), targets)| LossParts {
            peaks: peak_loss(outputs, gradient, targets, &norms),
            offsets: offset_loss(outputs, gradient, targets, &norms),
            labels: label_loss(outputs, gradient, targets, &norms),
        })
        .collect();
    (parts.into_iter().fold(LossParts::default(), LossParts::plus), gradient)
}

/// Quality focal loss (Li et al. 2020): cross-entropy with soft targets, weighted by the squared error.
fn peak_loss(outputs: &[f32], gradient: &mut [f32], targets: &Targets, norms: &Norms) -> f64 {
    let cells = targets.rows * targets.columns;
    let mut total = 0f64;
    for channel in 0..PEAK_CHANNELS {
        let scale = 1.0 / norms.peaks[channel];
        let mut sum = 0f64;
        for cell in 0..cells {
            if !targets.known[cell] {
                continue;
            }
            let at = channel * cells + cell;
            let (logit, target) = (outputs[at], targets.peaks[at]);
            let probability = 1.0 / (1.0 + (-logit).exp());
            let error = probability - target;
            let entropy = logit.max(0.0) - logit * target + (-logit.abs()).exp().ln_1p();
            sum += f64::from(error * error * entropy);
            let slope = 2.0 * error * probability * (1.0 - probability) * entropy + error * error * error;
            gradient[at] = PEAK_WEIGHT as f32 * scale * slope;
        }
        total += sum * f64::from(scale);
    }
    total
}

fn offset_loss(outputs: &[f32], gradient: &mut [f32], targets: &Targets, norms: &Norms) -> f64 {
    let cells = targets.rows * targets.columns;
    let first = DetectorHead::Offsets.channels().0 * cells;
    let scale = 1.0 / norms.offsets;
    let mut sum = 0f64;
    for channel in 0..8 {
        for cell in 0..cells {
            let weight = targets.offset_weights[channel / 4 * cells + cell];
            if weight > 0.0 {
                let at = channel * cells + cell;
                let error = outputs[first + at] - targets.offsets[at];
                sum += f64::from(weight * error.abs());
                // Constant slope, but smooth within a fifth of a millimeter.
                gradient[first + at] = OFFSET_WEIGHT as f32 * scale * weight * (error / 0.007).clamp(-1.0, 1.0);
            }
        }
    }
    sum * f64::from(scale)
}

fn label_loss(outputs: &[f32], gradient: &mut [f32], targets: &Targets, norms: &Norms) -> f64 {
    const LABELS: usize = VertebraLabel::ALL.len();
    let cells = targets.rows * targets.columns;
    let first = DetectorHead::Labels.channels().0 * cells;
    let scale = 1.0 / norms.labels;
    let mut sum = 0f64;
    for (cell, weight) in targets.label_weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        let logits: [f32; LABELS] = std::array::from_fn(|label| outputs[first + label * cells + cell]);
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        let own = targets.labels[cell];
        sum += f64::from(weight * (total.ln() + largest - logits[own]));
        for (label, logit) in logits.iter().enumerate() {
            let probability = (logit - largest).exp() / total;
            let slope = probability - if label == own { 1.0 } else { 0.0 };
            gradient[first + label * cells + cell] = LABEL_WEIGHT as f32 * scale * weight * slope;
        }
    }
    sum * f64::from(scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::detector::targets::CanvasBody;
    use glam::DVec2;

    fn targets() -> Vec<Targets> {
        let body = |label, x: f64, y: f64| {
            let at = |dx, dy| DVec2::new(x + dx, y + dy);
            let corners = [at(-9.0, -8.0), at(9.0, -8.0), at(9.0, 8.0), at(-9.0, 8.0)];
            CanvasBody { label, corners, upper_is_seen: true }
        };
        let first = [body(VertebraLabel::L5, 16.0, 9.0), body(VertebraLabel::S1, 17.0, 29.0)];
        vec![Targets::new(32, 1.25, &first), Targets::new(32, 1.25, &[body(VertebraLabel::L1, 12.0, 18.0)])]
    }

    fn outputs(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 % 101) as f32 / 50.0 - 1.0) * 1.5).collect()
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let targets = targets();
        let outputs = outputs(2 * DetectorHead::TOTAL * 64);
        let (_, gradient) = loss_and_gradient(&outputs, &targets);
        let loss_at = |index: usize, change: f32| {
            let mut moved = outputs.clone();
            moved[index] += change;
            loss_and_gradient(&moved, &targets).0.total()
        };
        let largest = |range: std::ops::Range<usize>| {
            range.max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs())).expect("not empty")
        };
        for head in [
            DetectorHead::Body,
            DetectorHead::Sacrum,
            DetectorHead::Corners,
            DetectorHead::Offsets,
            DetectorHead::Labels,
        ] {
            let (first, count) = head.channels();
            for sample in 0..2 {
                let start = (sample * DetectorHead::TOTAL + first) * 64;
                let index = largest(start..start + count * 64);
                let numeric = (loss_at(index, 5e-3) - loss_at(index, -5e-3)) / 1e-2;
                let analytic = f64::from(gradient[index]);
                assert!((numeric - analytic).abs() < 0.02 * numeric.abs() + 2e-5, "{head:?}: {analytic} not {numeric}");
            }
        }
    }

    #[test]
    fn unknown_cells_have_no_gradient() {
        let targets = targets();
        let (_, gradient) = loss_and_gradient(&outputs(2 * DetectorHead::TOTAL * 64), &targets);
        let second = &gradient[DetectorHead::TOTAL * 64..];
        for (cell, known) in targets[1].known.iter().enumerate() {
            assert_eq!(second[cell] != 0.0, *known);
        }
    }
}
