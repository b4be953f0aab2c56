//! Calibration: the logits of each grading are scaled and shifted so that probabilities of discs never seen mean what they
//! say (Guo et al. 2017; with a shift for each class as in their vector scaling).
//!
//! Probabilities stand for classes that are equally common, as the class-balanced loss does; in that sense they are
//! calibrated, by minimizing the same loss on held-out answers. Scale and shift become part of the last layer, so nothing
//! that uses the network has to know of them.

use std::collections::BTreeSet;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{Init, VarBuilder, VarMap};
use serde::{Deserialize, Serialize};

use super::loss::{BatchTargets, LabelWeights};
use super::measure::{HeldOutPrediction, MeasuredGrading};
use crate::spine::{Grading, PerGrading};
use crate::training::optimizer::{Optimizer, UpdateRule, sorted};

const STEPS: usize = 400;
const LEARNING_RATE: f64 = 0.02;
/// Pull of scale and shift towards none, so that a few discs of a rare class do not decide alone.
const RIDGE: f64 = 0.005;
/// Probabilities below this are as good as none.
const SMALLEST_PROBABILITY: f32 = 1e-6;

/// What becomes of the logits of one grading: `scale · logits + shift`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GradingCalibration {
    /// Below 1 where the network is too sure of itself.
    pub scale: f32,
    /// For each class.
    pub shift: Vec<f32>,
}

/// Calibration of all gradings; gradings without labels stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration(PerGrading<GradingCalibration>);

impl Calibration {
    /// The calibration that makes the labels of held-out discs most probable.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub(crate) fn fit(predictions: &[HeldOutPrediction]) -> Result<Self> {
        let device = &Device::Cpu;
        let weights = LabelWeights::of(predictions.iter().map(|prediction| &prediction.labels));
        let discs: Vec<_> = predictions.iter().map(|prediction| (&prediction.labels, &weights, 1.0)).collect();
        let gradings: BTreeSet<Grading> =
            predictions.iter().flat_map(|prediction| prediction.probabilities.gradings()).collect();
        let targets = BatchTargets::new(&gradings, &discs, device)?;
        let mut logits = PerGrading::default();
        for grading in gradings.iter().copied() {
            let of_grading = predictions.iter().flat_map(|prediction| &prediction.probabilities[grading]);
            let values: Vec<f32> = of_grading.map(|p| p.max(SMALLEST_PROBABILITY).ln()).collect();
            logits.insert(grading, Tensor::from_vec(values, (predictions.len(), grading.classes()), device)?);
        }
        let variables = VarMap::new();
        let vb = VarBuilder::from_varmap(&variables, DType::F32, device);
        let mut parameters = PerGrading::default();
        for grading in gradings {
            let vb = vb.pp(grading.key());
            let log_scale = vb.get_with_hints(1, "log_scale", Init::Const(0.0))?;
            parameters.insert(grading, (log_scale, vb.get_with_hints(grading.classes(), "shift", Init::Const(0.0))?));
        }
        let mut optimizer = Optimizer::new(UpdateRule::AdamW, &variables, 0.0, f64::INFINITY)?;
        for _ in 0..STEPS {
            let mut calibrated = PerGrading::default();
            let mut total = Tensor::zeros((), DType::F32, device)?;
            for (grading, (log_scale, shift)) in parameters.iter() {
                let scaled = logits[grading].broadcast_mul(&log_scale.exp()?)?;
                calibrated.insert(grading, if has_shift(grading) { scaled.broadcast_add(shift)? } else { scaled });
                total = (total + ((log_scale.sqr()?.sum_all()? + shift.sqr()?.sum_all()?)? * RIDGE)?)?;
            }
            for (_, loss) in targets.loss(&calibrated)?.iter() {
                total = (total + loss)?;
            }
            optimizer.step(&total.backward()?, LEARNING_RATE)?;
        }
        let fitted = |(grading, (log_scale, shift)): (Grading, &(Tensor, Tensor))| {
            let scale = log_scale.exp()?.to_vec1::<f32>()?[0];
            Ok((grading, GradingCalibration { scale, shift: shift.to_vec1()? }))
        };
        Ok(Self(parameters.iter().map(fitted).collect::<Result<_>>()?))
    }

    /// What becomes of probabilities: those of the calibrated logits.
    #[must_use]
    pub(crate) fn applied(&self, probabilities: &PerGrading<Vec<f32>>) -> PerGrading<Vec<f32>> {
        probabilities.map(|grading, probabilities| {
            let Some(GradingCalibration { scale, shift }) = self.0.get(grading) else { return probabilities.clone() };
            let logit = |p: &f32, shift: &f32| (p.max(SMALLEST_PROBABILITY).ln() * scale + shift).exp();
            let powers: Vec<f32> = probabilities.iter().zip(shift).map(|(p, shift)| logit(p, shift)).collect();
            let total: f32 = powers.iter().sum();
            powers.iter().map(|power| power / total).collect()
        })
    }

    /// Makes the calibration part of the last layer of each grading's branch.
    ///
    /// # Errors
    /// If the variables are not those of a grading network.
    pub(crate) fn fold_into(&self, variables: &VarMap) -> Result<()> {
        let variables = sorted(variables);
        let find = |name: String| -> Result<&Var> {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, variable)| variable).ok_or_else(|| candle_core::Error::Msg(format!("no variable {name}")))
        };
        for (grading, GradingCalibration { scale, shift }) in self.0.iter() {
            let weight = find(format!("{}.fc8.weight", grading.key()))?;
            let bias = find(format!("{}.fc8.bias", grading.key()))?;
            let scale = f64::from(*scale);
            weight.set(&(weight.as_tensor() * scale)?)?;
            bias.set(&((bias.as_tensor() * scale)? + Tensor::new(shift.as_slice(), bias.device())?)?)?;
        }
        Ok(())
    }
}

/// Whether classes are shifted. Not those of a grade with an order: shifts of rare grades are learned from a few discs, and
/// on patients of two cohorts they moved grades by two and more (Pfirrmann within one grade 97 % without, 94 % with them).
fn has_shift(grading: Grading) -> bool {
    MeasuredGrading::One(grading).classes() == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dimensions, GradingConfig, GradingNetwork, probabilities};
    use crate::spine::{DiscLevel, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};
    use crate::training::grading::examples::ScanKind;
    use crate::training::labels::{ClassSet, DiscLabels};

    fn disc(grading: Grading, label: ClassSet, of_grading: &[f32]) -> HeldOutPrediction {
        let mut labels = DiscLabels::default();
        labels.gradings.insert(grading, label);
        let mut probabilities =
            PerGrading::from_fn(Grading::PAPER, |grading| vec![1.0 / grading.classes() as f32; grading.classes()]);
        probabilities[grading] = of_grading.to_vec();
        let (kind, level) = (ScanKind::MidSagittal, DiscLevel::L4L5);
        HeldOutPrediction { fold: 0, cohort: String::new(), patient: 1, kind, level, labels, probabilities }
    }

    fn calibrated(calibration: &Calibration, grading: Grading, probabilities: &[f32]) -> Vec<f32> {
        let GradingCalibration { scale, shift } = &calibration.0[grading];
        let powers: Vec<f32> =
            probabilities.iter().zip(shift).map(|(p, shift)| (p.ln() * scale + shift).exp()).collect();
        powers.iter().map(|power| power / powers.iter().sum::<f32>()).collect()
    }

    #[test]
    fn answers_that_are_too_sure_become_as_sure_as_they_are_right() {
        // "99 %" for either class is right in three of four discs.
        let slip = Grading::Spondylolisthesis;
        let discs: Vec<_> = (0..400)
            .map(|index| {
                let (called, right) = (index % 2, index / 2 % 4 != 0);
                let answer = if called == 1 { [0.01, 0.99] } else { [0.99, 0.01] };
                disc(slip, ClassSet::exactly(if right { called } else { 1 - called }), &answer)
            })
            .collect();
        let calibration = Calibration::fit(&discs).expect("fitted");
        let [absent, present] = calibrated(&calibration, slip, &[0.01, 0.99])[..] else { panic!("two classes") };
        assert!((present - 0.75).abs() < 0.02 && (absent - 0.25).abs() < 0.02, "{present}");
        let grades: Vec<_> = (0..60)
            .map(|index| {
                let answer = [0.05, 0.85, 0.05, 0.03, 0.02];
                disc(Grading::Pfirrmann, ClassSet::exactly(usize::from(index % 3 != 0)), &answer)
            })
            .collect();
        let ordered = &Calibration::fit(&grades).expect("fitted").0[Grading::Pfirrmann];
        assert!(ordered.scale < 1.0 && ordered.shift == [0.0; 5], "{ordered:?}");
        let untouched = &calibration.0[Grading::CentralCanalStenosis];
        assert!((untouched.scale - 1.0).abs() < 1e-4 && untouched.shift.iter().all(|shift| shift.abs() < 1e-4));
    }

    #[test]
    fn a_class_called_too_seldom_is_lifted() {
        // Every tenth disc is slipped; those are given 30 %, the others 5 % (and a few of them 30 % too).
        let slip = Grading::Spondylolisthesis;
        let discs: Vec<_> = (0..500)
            .map(|index| {
                let slipped = index % 10 == 0;
                let answer = if slipped || index % 10 == 1 && index % 4 == 1 { [0.7, 0.3] } else { [0.95, 0.05] };
                disc(slip, ClassSet::exactly(usize::from(slipped)), &answer)
            })
            .collect();
        let calibration = Calibration::fit(&discs).expect("fitted");
        assert!(calibrated(&calibration, slip, &[0.7, 0.3])[1] > 0.6);
        assert!(calibrated(&calibration, slip, &[0.95, 0.05])[1] < 0.4);
    }

    #[test]
    fn the_last_layer_takes_the_calibration_in() -> Result<()> {
        let config = GradingConfig {
            dimensions: Dimensions::Two,
            channels: [2; 5],
            fully_connected: 3,
            ..GradingConfig::paper(Dimensions::Three)
        };
        let variables = config.initial_variables(1, &Device::Cpu)?;
        let network = GradingNetwork::new(&config, VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
        let values = (0..PATCH_SLICES * PATCH_ROWS * PATCH_COLUMNS).map(|i| (i as f32 * 0.1).sin().abs()).collect();
        let input = Tensor::from_vec(values, (1, PATCH_SLICES, PATCH_ROWS, PATCH_COLUMNS), &Device::Cpu)?;
        let before = probabilities(&network.forward(&input)?)?.remove(0);
        let calibration = Calibration(PerGrading::from_fn(Grading::PAPER, |grading| GradingCalibration {
            scale: 0.5,
            shift: (0..grading.classes()).map(|class| class as f32 * 0.3).collect(),
        }));
        calibration.fold_into(&variables)?;
        let after = probabilities(&network.forward(&input)?)?.remove(0);
        for (grading, probabilities) in after.iter() {
            for (a, b) in probabilities.iter().zip(calibrated(&calibration, grading, &before[grading])) {
                assert!((a - b).abs() < 1e-5, "{grading}: {a} instead of {b}");
            }
        }
        Ok(())
    }
}
