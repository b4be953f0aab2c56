//! Class-balanced cross-entropy over sets of admissible outcomes.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::log_softmax;

use crate::spine::{Grading, PerGrading};
use crate::training::labels::{ClassSet, DiscLabels};

/// Stands in for minus infinity where a class is not admitted; its exponential is 0 in `f32`.
const EXCLUDED: f32 = -1e9;

/// What is counted as one label for class balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LabelKey {
    Classes(ClassSet),
    /// One of the two marrows is changed, not told which.
    EitherMarrow,
}

/// The label of `grading`, if it is known.
fn label_key(labels: &DiscLabels, grading: Grading) -> Option<LabelKey> {
    let marrow = matches!(grading, Grading::UpperMarrowChange | Grading::LowerMarrowChange);
    let set = labels.of(grading);
    if !set.is_unknown() {
        Some(LabelKey::Classes(set))
    } else if marrow && labels.either_marrow_changed {
        Some(LabelKey::EitherMarrow)
    } else {
        None
    }
}

/// Weights that make every distinct label of a grading count the same in all: α = 1 / frequency, scaled so that the
/// mean weight over the known labels is 1 (Jamaludin et al. 2017, section 4).
#[derive(Debug, Clone, Default)]
pub(crate) struct LabelWeights(PerGrading<BTreeMap<LabelKey, f32>>);

impl LabelWeights {
    /// Weights from the labels of a training set.
    pub(super) fn of<'a>(labels: impl IntoIterator<Item = &'a DiscLabels>) -> Self {
        let mut counts = PerGrading::<BTreeMap<LabelKey, usize>>::default();
        for labels in labels {
            for grading in Grading::ALL {
                if let Some(key) = label_key(labels, grading) {
                    *counts.entry(grading).entry(key).or_default() += 1;
                }
            }
        }
        Self(counts.map(|_, counts| {
            let total: usize = counts.values().sum();
            let weight = |count: usize| total as f32 / (counts.len() * count) as f32;
            counts.iter().map(|(key, count)| (*key, weight(*count))).collect()
        }))
    }

    /// Weight of a label; 0 where it is unknown or was not in the training set.
    fn of_label(&self, labels: &DiscLabels, grading: Grading) -> f32 {
        label_key(labels, grading).and_then(|key| self.0.get(grading)?.get(&key)).copied().unwrap_or(0.0)
    }
}

/// Targets of a batch: what each disc admits, and how much it counts.
#[derive(Debug)]
pub(crate) struct BatchTargets {
    /// Per grading `[discs, classes]`: 0 where admitted or nothing is known, [`EXCLUDED`] elsewhere.
    masks: PerGrading<Tensor>,
    /// Per grading `[discs]`: weight of the label, 0 where it is unknown.
    weights: PerGrading<Tensor>,
    /// `[discs]`: weight of "either marrow is changed", 0 where it is not the label.
    either_weights: Tensor,
}

impl BatchTargets {
    /// Targets of discs for the gradings of a network; each disc with its labels, the weights of its source, and a factor on
    /// all of its losses.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn new(
        gradings: &BTreeSet<Grading>,
        discs: &[(&DiscLabels, &LabelWeights, f32)],
        device: &Device,
    ) -> Result<Self> {
        let (mut masks, mut weights) = (PerGrading::default(), PerGrading::default());
        for grading in gradings.iter().copied() {
            let classes = grading.classes();
            let mask: Vec<f32> = discs
                .iter()
                .flat_map(|(labels, ..)| {
                    let set = labels.of(grading);
                    (0..classes).map(move |class| if set.is_unknown() || set.contains(class) { 0.0 } else { EXCLUDED })
                })
                .collect();
            let known = |labels: &DiscLabels| f32::from(u8::from(!labels.of(grading).is_unknown()));
            let weight: Vec<f32> = discs
                .iter()
                .map(|(labels, weights, factor)| factor * known(labels) * weights.of_label(labels, grading))
                .collect();
            masks.insert(grading, Tensor::from_vec(mask, (discs.len(), classes), device)?);
            weights.insert(grading, Tensor::from_vec(weight, discs.len(), device)?);
        }
        let either: Vec<f32> = discs
            .iter()
            .map(|(labels, weights, factor)| {
                let undecided = labels.either_marrow_changed && labels.of(Grading::UpperMarrowChange).is_unknown();
                if undecided { factor * weights.of_label(labels, Grading::UpperMarrowChange) } else { 0.0 }
            })
            .collect();
        let either_weights = Tensor::from_vec(either, discs.len(), device)?;
        Ok(Self { masks, weights, either_weights })
    }

    /// Sum over gradings of the mean weighted loss of the batch, and each grading's part of it. The joint marrow label
    /// counts for the upper and the lower marrow by halves, where the network has both.
    ///
    /// # Errors
    /// If the logits do not have the shape of the targets.
    pub(super) fn loss(&self, logits: &PerGrading<Tensor>) -> Result<PerGrading<Tensor>> {
        let mut losses = PerGrading::default();
        let mut log_absent = Vec::new();
        for (grading, logits) in logits.iter() {
            let log_probabilities = log_softmax(logits, D::Minus1)?;
            if matches!(grading, Grading::UpperMarrowChange | Grading::LowerMarrowChange) {
                log_absent.push(log_probabilities.narrow(1, 0, 1)?.squeeze(1)?);
            }
            let admitted = (&log_probabilities + &self.masks[grading])?.log_sum_exp(1)?;
            losses.insert(grading, (admitted.neg()? * &self.weights[grading])?.mean_all()?);
        }
        let [upper, lower] = log_absent.as_slice() else { return Ok(losses) };
        // −log(1 − (1 − p_upper)(1 − p_lower)); the product is kept below 1 so that the logarithm stays finite.
        let both_absent = (upper + lower)?.exp()?.affine(1.0 - 1e-6, 0.0)?;
        let either = both_absent.affine(-1.0, 1.0)?.log()?.neg()?;
        let either = ((either * &self.either_weights)?.mean_all()? * 0.5)?;
        for grading in [Grading::UpperMarrowChange, Grading::LowerMarrowChange] {
            losses[grading] = (&losses[grading] + &either)?;
        }
        Ok(losses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    fn labels(set: impl Fn(Grading) -> ClassSet, either: bool) -> DiscLabels {
        DiscLabels { gradings: PerGrading::from_fn(Grading::PAPER, set), either_marrow_changed: either }
    }

    fn logits(discs: usize) -> PerGrading<Var> {
        PerGrading::from_fn(Grading::PAPER, |grading| {
            let values: Vec<f32> = (0..discs * grading.classes()).map(|i| (i as f32 * 0.7).sin()).collect();
            Var::from_vec(values, (discs, grading.classes()), &Device::Cpu).expect("tensor")
        })
    }

    fn value(tensor: &Tensor) -> f32 {
        tensor.to_scalar().expect("a scalar")
    }

    #[test]
    fn balanced_weights_give_every_label_the_same_share() {
        let absent = labels(|_| ClassSet::exactly(0), false);
        let present = labels(|_| ClassSet::exactly(1), false);
        let unknown = DiscLabels::default();
        let weights = LabelWeights::of([&absent, &absent, &absent, &present, &unknown]);
        let of = |labels| weights.of_label(labels, Grading::Spondylolisthesis);
        assert!((3.0 * of(&absent) - of(&present)).abs() < 1e-6);
        assert!((3.0 * of(&absent) + of(&present) - 4.0).abs() < 1e-6);
        assert_eq!(of(&unknown), 0.0);
    }

    #[test]
    fn the_loss_of_a_set_is_minus_the_logarithm_of_its_probability() {
        let label = labels(
            |grading| match grading {
                Grading::DiscNarrowing => ClassSet::of(1..=3),
                _ => ClassSet::UNKNOWN,
            },
            true,
        );
        let weights = LabelWeights::of([&label]);
        let targets =
            BatchTargets::new(&Grading::PAPER.into(), &[(&label, &weights, 1.0)], &Device::Cpu).expect("targets");
        let vars = logits(1);
        let losses = targets.loss(&vars.map(|_, var| var.as_tensor().clone())).expect("loss");
        let softmax = |grading: Grading| {
            let exp: Vec<f32> = (0..grading.classes()).map(|i| (i as f32 * 0.7).sin().exp()).collect();
            let sum: f32 = exp.iter().sum();
            exp.into_iter().map(|e| e / sum).collect::<Vec<_>>()
        };
        let narrowed = 1.0 - softmax(Grading::DiscNarrowing)[0];
        assert!((value(&losses[Grading::DiscNarrowing]) + narrowed.ln()).abs() < 1e-5);
        let absent = softmax(Grading::UpperMarrowChange)[0];
        let either = -(1.0 - absent * absent).ln();
        let marrow = value(&losses[Grading::UpperMarrowChange]) + value(&losses[Grading::LowerMarrowChange]);
        assert!((marrow - either).abs() < 1e-4);
        assert_eq!(value(&losses[Grading::Pfirrmann]), 0.0);
    }

    #[test]
    fn a_missing_label_sends_no_gradient() {
        let label = labels(
            |grading| match grading {
                Grading::Pfirrmann => ClassSet::exactly(2),
                _ => ClassSet::UNKNOWN,
            },
            false,
        );
        let weights = LabelWeights::of([&label]);
        let targets =
            BatchTargets::new(&Grading::PAPER.into(), &[(&label, &weights, 1.0)], &Device::Cpu).expect("targets");
        let vars = logits(1);
        let losses = targets.loss(&vars.map(|_, var| var.as_tensor().clone())).expect("loss");
        let total = losses.iter().try_fold(Tensor::new(0f32, &Device::Cpu).expect("zero"), |sum, (_, l)| sum + l);
        let gradients = total.expect("sum").backward().expect("gradients");
        for (grading, var) in vars.iter() {
            let size = gradients.get(var).map_or(0.0, |g| value(&g.abs().expect("abs").sum_all().expect("sum")));
            assert_eq!(size > 0.0, grading == Grading::Pfirrmann, "{grading}");
        }
    }
}
