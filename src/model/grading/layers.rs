//! What the grading networks are made of, and what they leave behind on the way through.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::config::{ConvolutionPlan, glorot_bound};
use crate::model::GradingConfig;
use crate::nn::{ConvWindow, conv3d, max_pool_2x2, relu};

/// Convolution with ReLU, and max-pooling where the plan has it.
#[derive(Debug, Clone)]
pub(crate) struct ConvolutionLayer {
    /// `conv1` to `conv5`.
    pub name: &'static str,
    /// `[filters, channels, slices, rows, columns]`.
    pub weight: Tensor,
    pub bias: Tensor,
    /// Steps and padding.
    pub window: ConvWindow,
    /// Whether 2 × 2 max-pooling follows.
    pub pooled: bool,
}

impl ConvolutionLayer {
    pub(super) fn new(plan: &ConvolutionPlan, inputs: usize, filters: usize, vb: &VarBuilder) -> Result<Self> {
        let [depth, height, width] = plan.kernel;
        let shape = [filters, inputs, depth, height, width];
        let (weight, bias) = layer_tensors(&vb.pp(plan.name), &shape)?;
        Ok(Self { name: plan.name, weight, bias, window: plan.window, pooled: plan.pooled })
    }

    /// Whether it gives as many slices as it takes.
    pub(super) fn keeps_slices(&self) -> bool {
        self.weight.dims()[2] == 2 * self.window.padding[0] + 1
    }

    /// ReLU of the convolution, before pooling.
    pub(super) fn rectified(&self, input: &Tensor) -> Result<Tensor> {
        relu(&conv3d(input, &self.weight, Some(&self.bias), self.window)?)
    }

    /// Convolution, ReLU and, where it follows, pooling.
    ///
    /// # Errors
    /// If the input has other channels or the device fails.
    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.pooled(&self.rectified(input)?)
    }

    pub(super) fn pooled(&self, rectified: &Tensor) -> Result<Tensor> {
        if self.pooled { max_pool_2x2(rectified) } else { Ok(rectified.clone()) }
    }
}

/// Fully connected layer.
#[derive(Debug, Clone)]
pub(crate) struct LinearLayer {
    /// `[outputs, inputs]`.
    pub weight: Tensor,
    pub bias: Tensor,
}

impl LinearLayer {
    pub(super) fn new(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        let (weight, bias) = layer_tensors(vb, &[outputs, inputs])?;
        Ok(Self { weight, bias })
    }

    pub(super) fn forward(&self, input: &Tensor) -> Result<Tensor> {
        input.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }
}

fn layer_tensors(vb: &VarBuilder, shape: &[usize]) -> Result<(Tensor, Tensor)> {
    let bound = f64::from(glorot_bound(shape));
    let weight = vb.get_with_hints(shape, "weight", Init::Uniform { lo: -bound, up: bound })?;
    let bias = vb.get_with_hints(shape[0], "bias", Init::Const(0.0))?;
    Ok((weight, bias))
}

/// The three fully connected layers of one grading.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// pool5 to hidden units.
    pub fc6: LinearLayer,
    /// Hidden to hidden units.
    pub fc7: LinearLayer,
    /// Hidden units to classes.
    pub fc8: LinearLayer,
}

impl Head {
    pub(super) fn new(config: &GradingConfig, classes: usize, vb: &VarBuilder) -> Result<Self> {
        let hidden = config.fully_connected;
        Ok(Self {
            fc6: LinearLayer::new(config.pooled_units(), hidden, &vb.pp("fc6"))?,
            fc7: LinearLayer::new(hidden, hidden, &vb.pp("fc7"))?,
            fc8: LinearLayer::new(hidden, classes, &vb.pp("fc8"))?,
        })
    }
}

/// Activations of the trunk, recorded on the way.
#[derive(Debug, Clone)]
pub(crate) struct TrunkTrace {
    /// Conv1 to Conv5 in order.
    pub steps: Vec<TrunkStep>,
    /// pool5, flattened to `[n, channels · slices · 7 · 14]`; what every head reads.
    pub features: Tensor,
}

/// One convolution of the trunk and what it saw.
#[derive(Debug, Clone)]
pub(crate) struct TrunkStep {
    pub layer: ConvolutionLayer,
    /// What it read, `[n, channels, slices, rows, columns]`; not negative after the first layer.
    pub input: Tensor,
    /// ReLU of its convolution, before pooling.
    pub rectified: Tensor,
}

/// Activations of one head.
#[derive(Debug, Clone)]
pub(crate) struct HeadTrace {
    /// ReLU of FC6, `[n, units]`.
    pub fc6: Tensor,
    /// ReLU of FC7, `[n, units]`.
    pub fc7: Tensor,
    /// Output of FC8, `[n, classes]`.
    pub logits: Tensor,
}

/// Random dropping of hidden units while training.
#[derive(Debug)]
pub(crate) struct Dropout<'a> {
    /// Share of the units of FC6 and FC7 that is dropped, below 1.
    pub rate: f32,
    /// Source of chance.
    pub random: &'a mut ChaCha8Rng,
}

impl Dropout<'_> {
    /// Zeroes units by chance and scales the others so that the mean stays.
    pub(super) fn apply(&mut self, units: &Tensor) -> Result<Tensor> {
        if self.rate <= 0.0 {
            return Ok(units.clone());
        }
        let kept = 1.0 / (1.0 - self.rate);
        let mask: Vec<f32> =
            (0..units.elem_count()).map(|_| if self.random.random::<f32>() < self.rate { 0.0 } else { kept }).collect();
        units * Tensor::from_vec(mask, units.shape(), units.device())?
    }
}
