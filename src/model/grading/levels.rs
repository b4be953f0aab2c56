//! What the level of a disc tells its grades: "disc-level supervision" of Jamaludin et al. 2017.
//!
//! The level, one of six, goes through a small fully connected layer, and its units stand beside those of FC6 before FC7 of
//! every branch. A discs's level is known, so what they add to FC7 is a bias: with it, [`super::GradingNetwork::at_level`]
//! makes of the network an ordinary one for discs of that level, which is what grades and explains. Excitation ignores
//! biases, so evidence always lies in the image.

use candle_core::{Device, Result, Tensor};
use candle_nn::{Init, VarBuilder};

use super::config::{GradingConfig, glorot_bound};
use super::layers::LinearLayer;
use crate::nn::relu;
use crate::spine::{DiscLevel, Grading, PerGrading};

/// Levels that are told apart.
const LEVELS: usize = DiscLevel::ALL.len();

/// The layers that the level goes through.
#[derive(Debug, Clone)]
pub(super) struct LevelLayers {
    /// One-hot level to units.
    units: LinearLayer,
    /// Units to FC7 of each branch, `[fully connected, units]`.
    fc7: PerGrading<Tensor>,
}

impl LevelLayers {
    /// Names and shapes of its parameters.
    pub(super) fn parameters(config: &GradingConfig) -> Vec<(String, Vec<usize>)> {
        let units = config.level_units;
        let mut parameters =
            vec![("level.bias".to_owned(), vec![units]), ("level.weight".to_owned(), vec![units, LEVELS])];
        let of_branch = |grading: Grading| (branch_name(grading), vec![config.fully_connected, units]);
        parameters.extend(config.gradings.iter().copied().map(of_branch));
        parameters
    }

    pub(super) fn new(config: &GradingConfig, vb: &VarBuilder) -> Result<Self> {
        let units = LinearLayer::new(LEVELS, config.level_units, &vb.pp("level"))?;
        let shape = [config.fully_connected, config.level_units];
        let bound = f64::from(glorot_bound(&shape));
        let hint = Init::Uniform { lo: -bound, up: bound };
        let of_branch = |grading: &Grading| Ok((*grading, vb.get_with_hints(&shape, &branch_name(*grading), hint)?));
        Ok(Self { units, fc7: config.gradings.iter().map(of_branch).collect::<Result<_>>()? })
    }

    /// What is added to FC7 of each branch for discs of these levels, `[n, fully connected]`.
    pub(super) fn biases(&self, levels: &[DiscLevel], device: &Device) -> Result<PerGrading<Tensor>> {
        let mut one_hot = vec![0.0_f32; levels.len() * LEVELS];
        for (row, level) in levels.iter().enumerate() {
            one_hot[row * LEVELS + position(*level)] = 1.0;
        }
        let units = relu(&self.units.forward(&Tensor::from_vec(one_hot, (levels.len(), LEVELS), device)?)?)?;
        self.fc7.iter().map(|(grading, weight)| Ok((grading, units.matmul(&weight.t()?)?))).collect()
    }

    /// All tensors by the names of [`Self::parameters`].
    pub(super) fn tensors(&self) -> Vec<(String, Tensor)> {
        let LinearLayer { weight, bias } = &self.units;
        let mut tensors = vec![("level.weight".to_owned(), weight.clone()), ("level.bias".to_owned(), bias.clone())];
        tensors.extend(self.fc7.iter().map(|(grading, weight)| (branch_name(grading), weight.clone())));
        tensors
    }
}

fn branch_name(grading: Grading) -> String {
    format!("{}.fc7_level.weight", grading.key())
}

/// Counted from the thorax down; with a sixth lumbar vertebra the lowest two discs count as L4-L5 and L5-S1 do.
fn position(level: DiscLevel) -> usize {
    match level {
        DiscLevel::L5L6 => DiscLevel::L4L5.index(),
        DiscLevel::L6S1 => DiscLevel::L5S1.index(),
        usual => usual.index(),
    }
}
