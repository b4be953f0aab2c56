//! What decides the tensors of a grading network: its sizes, its dimensions, its gradings.

use std::collections::BTreeSet;

use candle_core::{Device, Result, Var, bail};
use candle_nn::VarMap;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::INPUT_MEAN;
use super::familiarity::Familiarity;
use super::levels::LevelLayers;
use crate::model::weights::Architecture;
use crate::nn::ConvWindow;
use crate::spine::{Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};

/// How a network takes in the nine slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Dimensions {
    /// As channels of Conv1; every filter is one slice thick.
    #[serde(rename = "2d")]
    Two,
    /// As a third dimension, up to Conv4.
    #[default]
    #[serde(rename = "3d")]
    Three,
    /// As a third dimension up to the branches: Conv4 sees three slices and keeps all nine.
    #[serde(rename = "3d-unreduced")]
    ThreeUnreduced,
}

impl Dimensions {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::Two, Self::Three, Self::ThreeUnreduced];

    /// "2-D", "3-D" or "3-D unreduced".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Two => "2-D",
            Self::Three => "3-D",
            Self::ThreeUnreduced => "3-D unreduced",
        }
    }

    /// Slices of a patch's pool5, which the branches read.
    #[must_use]
    pub(crate) fn pooled_slices(self) -> usize {
        match self {
            Self::Two | Self::Three => 1,
            Self::ThreeUnreduced => PATCH_SLICES,
        }
    }

    // Weights older than the 2-D network do not say that they are of the 3-D one.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Channels of the input of Conv1.
    pub(super) fn input_channels(self) -> usize {
        match self {
            Self::Two => PATCH_SLICES,
            Self::Three | Self::ThreeUnreduced => 1,
        }
    }

    /// The convolutions: those of [`TRUNK`], flattened in two dimensions, or with a Conv4 that keeps the slices.
    pub(super) fn trunk(self) -> [ConvolutionPlan; 5] {
        TRUNK.map(|mut plan| {
            match self {
                Self::Two => (plan.kernel[0], plan.window.padding[0]) = (1, 0),
                Self::ThreeUnreduced if plan.kernel[0] == PATCH_SLICES => {
                    (plan.kernel[0], plan.window.padding[0]) = (3, 1);
                }
                Self::Three | Self::ThreeUnreduced => {}
            }
            plan
        })
    }
}

/// Where a convolution stands: names, filter sizes `[slice, row, column]`, steps, padding, and what follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConvolutionPlan {
    pub(super) name: &'static str,
    pub(super) kernel: [usize; 3],
    pub(super) window: ConvWindow,
    pub(super) pooled: bool,
}

// Sizes after each layer in three dimensions, [channels of the paper] slices × rows × columns; in two there is one slice:
const TRUNK: [ConvolutionPlan; 5] = [
    // [96] 9 × 56 × 112, pooled 9 × 28 × 56
    ConvolutionPlan {
        name: "conv1",
        kernel: [3, 7, 7],
        window: ConvWindow { stride: [1, 2, 2], padding: [1, 3, 3] },
        pooled: true,
    },
    // [256] 9 × 28 × 56, pooled 9 × 14 × 28
    ConvolutionPlan {
        name: "conv2",
        kernel: [3, 5, 5],
        window: ConvWindow { stride: [1, 1, 1], padding: [1, 2, 2] },
        pooled: true,
    },
    // [512] 9 × 14 × 28
    ConvolutionPlan {
        name: "conv3",
        kernel: [3, 3, 3],
        window: ConvWindow { stride: [1, 1, 1], padding: [1, 1, 1] },
        pooled: false,
    },
    // [512] 1 × 14 × 28: all nine slices are joined
    ConvolutionPlan {
        name: "conv4",
        kernel: [9, 3, 3],
        window: ConvWindow { stride: [1, 1, 1], padding: [0, 1, 1] },
        pooled: false,
    },
    // [512] 1 × 14 × 28, pooled 1 × 7 × 14
    ConvolutionPlan {
        name: "conv5",
        kernel: [1, 3, 3],
        window: ConvWindow { stride: [1, 1, 1], padding: [0, 1, 1] },
        pooled: true,
    },
];

/// Pixels of pool5: the trunk's stride is 16.
const POOLED_PIXELS: usize = (PATCH_ROWS / 16) * (PATCH_COLUMNS / 16);

/// Dimensions of the network and widths of its layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradingConfig {
    /// How the slices are taken in.
    #[serde(default, skip_serializing_if = "Dimensions::is_default")]
    pub dimensions: Dimensions,
    /// Gradings that have a branch.
    #[serde(default = "papers_gradings", skip_serializing_if = "are_papers_gradings")]
    pub gradings: BTreeSet<Grading>,
    /// Filters of Conv1 to Conv5.
    pub channels: [usize; 5],
    /// Units of FC6 and FC7 of each grading.
    pub fully_connected: usize,
    /// Units that the level of a disc is told through, beside FC6; 0: the network does not know the level.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub level_units: usize,
    /// Whether the weights know what the discs looked like that they were learned from: [`Familiarity`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub familiarity: bool,
}

impl GradingConfig {
    /// The network of the paper: 448.5 M parameters and about 98 GFLOP a disc in three dimensions, 426.0 M and 8 GFLOP in
    /// two.
    #[must_use]
    pub fn paper(dimensions: Dimensions) -> Self {
        Self {
            dimensions,
            gradings: papers_gradings(),
            channels: [96, 256, 512, 512, 512],
            fully_connected: 1024,
            level_units: 0,
            familiarity: false,
        }
    }

    /// The network that ships: a sixth to an eighth of the paper's width, about 2 GFLOP a disc, trainable on a laptop.
    #[must_use]
    pub fn shipped() -> Self {
        Self {
            dimensions: Dimensions::Three,
            gradings: Grading::ALL.into(),
            channels: [16, 32, 64, 64, 64],
            fully_connected: 64,
            level_units: 8,
            familiarity: true,
        }
    }

    /// Names and shapes of all parameters, in the order of the layers; weights are `[out, in, ..]`, biases `[out]`.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let mut parameters = Vec::new();
        let mut add = |layer: &str, weight: Vec<usize>| {
            parameters.push((format!("{layer}.bias"), vec![weight[0]]));
            parameters.push((format!("{layer}.weight"), weight));
        };
        let mut inputs = self.dimensions.input_channels();
        for (plan, filters) in self.dimensions.trunk().iter().zip(self.channels) {
            let [depth, height, width] = plan.kernel;
            add(plan.name, vec![filters, inputs, depth, height, width]);
            inputs = filters;
        }
        for grading in &self.gradings {
            let key = grading.key();
            add(&format!("{key}.fc6"), vec![self.fully_connected, self.pooled_units()]);
            add(&format!("{key}.fc7"), vec![self.fully_connected, self.fully_connected]);
            add(&format!("{key}.fc8"), vec![grading.classes(), self.fully_connected]);
        }
        if self.level_units > 0 {
            parameters.extend(LevelLayers::parameters(self));
        }
        parameters
    }

    /// Units of pool5 that a branch reads.
    pub(super) fn pooled_units(&self) -> usize {
        self.channels[4] * self.dimensions.pooled_slices() * POOLED_PIXELS
    }

    /// Names and shapes of all tensors that weights of this size hold: the parameters, [`INPUT_MEAN`] and those of
    /// [`Familiarity`].
    #[must_use]
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = self.parameters();
        tensors.push((INPUT_MEAN.to_owned(), vec![self.dimensions.input_channels()]));
        if self.familiarity {
            tensors.extend(Familiarity::tensors());
        }
        tensors
    }

    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// New parameters to train from, drawn by `seed`: weights after Glorot, uniform in ±√(6 / (fan in + fan out));
    /// biases and [`INPUT_MEAN`] zero.
    ///
    /// # Errors
    /// If the device fails.
    pub fn initial_variables(&self, seed: u64, device: &Device) -> Result<VarMap> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let variables = VarMap::new();
        for (name, shape) in self.tensors() {
            let bound = glorot_bound(&shape);
            let values: Vec<f32> =
                (0..shape.iter().product()).map(|_: usize| random.random_range(-1.0..=1.0_f32) * bound).collect();
            let variable = Var::from_vec(values, shape, device)?;
            let Ok(mut data) = variables.data().lock() else { bail!("the map of variables is poisoned") };
            data.insert(name, variable);
        }
        Ok(variables)
    }
}

// Weights older than the choice of gradings do not list theirs.
fn papers_gradings() -> BTreeSet<Grading> {
    Grading::PAPER.into()
}

fn are_papers_gradings(gradings: &BTreeSet<Grading>) -> bool {
    *gradings == papers_gradings()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(units: &usize) -> bool {
    *units == 0
}

/// √(6 / (fan in + fan out)) for weights `[out, in, taps..]`, 0 for biases.
pub(super) fn glorot_bound(shape: &[usize]) -> f32 {
    match shape {
        [outputs, inputs, taps @ ..] => {
            let taps: usize = taps.iter().product();
            (6.0 / ((inputs + outputs) * taps) as f32).sqrt()
        }
        _ => 0.0,
    }
}

impl Architecture for GradingConfig {
    const NAMES: &'static [&'static str] = &["spinenet-3d/1", "spinenet-2d/1", "spinenet-3d-unreduced/1"];

    fn name(&self) -> &'static str {
        match self.dimensions {
            Dimensions::Three => Self::NAMES[0],
            Dimensions::Two => Self::NAMES[1],
            Dimensions::ThreeUnreduced => Self::NAMES[2],
        }
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        Self::tensors(self)
    }
}
