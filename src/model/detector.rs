//! The vertebra detector: a small U-shaped residual network that reads one sagittal slice.
//!
//! Input: one slice resampled to square pixels ([`DetectorConfig::pixel_mm`]), anterior left, superior up, intensities
//! in about [0, 1]. Output at a quarter of that resolution, one value per cell and [`DetectorHead`] channel. Pre-activation residual
//! blocks (He et al. 2016) with group normalization; four scales, so that the deepest cells see the whole slice: the
//! level of a body is told by where the sacrum is.

#![allow(clippy::needless_pass_by_value, reason = "variable builders are passed by value, as everywhere in Candle")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

use super::weights::Architecture;
use crate::nn::{conv2d, group_norm_relu};
use crate::spine::VertebraLabel;

/// Name of the detector's weights.
pub const DETECTOR_WEIGHTS: &str = "vertebra-detector";

/// Input rows and columns must be multiples of this.
pub(crate) const INPUT_MULTIPLE: usize = 32;

/// Input pixels per output cell, along rows and columns.
pub(crate) const OUTPUT_STRIDE: usize = 4;

/// Corner offsets are predicted in this unit, mm: a body is about one unit wide and high.
pub(crate) const OFFSET_UNIT_MM: f64 = 30.0;

/// What the output channels mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DetectorHead {
    /// Logit: center of a vertebral body T8 to L5 (mean of its four corners).
    Body,
    /// Logit: middle of the upper endplate of S1.
    Sacrum,
    /// Logits: corners of any body in the order SA, SP, IP, IA.
    Corners,
    /// From the cell to the corners of the body whose center is nearest: x, y of SA, SP, IP, IA, in
    /// [`OFFSET_UNIT_MM`]. Near the sacrum's peak those of S1 (SA and SP only).
    Offsets,
    /// Logits of the level, in the order of [`VertebraLabel::ALL`].
    Labels,
}

impl DetectorHead {
    /// First channel and number of channels.
    #[must_use]
    pub(crate) const fn channels(self) -> (usize, usize) {
        match self {
            Self::Body => (0, 1),
            Self::Sacrum => (1, 1),
            Self::Corners => (2, 4),
            Self::Offsets => (6, 8),
            Self::Labels => (14, VertebraLabel::ALL.len()),
        }
    }

    /// Channels of all heads together.
    pub(crate) const TOTAL: usize = 14 + VertebraLabel::ALL.len();
}

/// Size of the detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorConfig {
    /// Channels at 1/4, 1/8, 1/16 and 1/32 of the input resolution; multiples of `group_size`.
    pub channels: [usize; 4],
    /// Channels of the last layer before the heads, at 1/4; a multiple of `group_size`.
    pub head_channels: usize,
    /// Channels normalized together.
    pub group_size: usize,
    /// Edge of the square input pixels, mm.
    pub pixel_mm: f64,
}

impl DetectorConfig {
    /// The configuration whose weights ship.
    #[must_use]
    pub fn shipped() -> Self {
        Self { channels: [32, 64, 96, 128], head_channels: 32, group_size: 8, pixel_mm: 1.25 }
    }

    fn check(&self) -> Result<()> {
        let widths = self.channels.iter().chain([&self.head_channels]);
        for width in widths {
            if self.group_size == 0 || *width == 0 || !width.is_multiple_of(self.group_size) {
                bail!("{width} detector channels are not a multiple of the group size {}", self.group_size)
            }
        }
        Ok(())
    }
}

impl Architecture for DetectorConfig {
    const NAMES: &'static [&'static str] = &["vertebra-detector-1"];

    /// Of an impossible configuration, none.
    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let asked = Asked::default();
        // Building the network once is the one description of its tensors that cannot be wrong.
        let vb = VarBuilder::from_backend(Box::new(asked.clone()), DType::F32, Device::Cpu);
        if DetectorNetwork::new(self, vb).is_err() {
            return Vec::new();
        }
        asked.tensors().clone().into_iter().collect()
    }
}

/// Zeros for whatever tensor is asked for, by name and shape; nothing is drawn by chance only to be thrown away.
#[derive(Debug, Clone, Default)]
struct Asked(Arc<Mutex<BTreeMap<String, Vec<usize>>>>);

impl Asked {
    fn tensors(&self) -> MutexGuard<'_, BTreeMap<String, Vec<usize>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Asked {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        self.tensors().insert(name.to_owned(), shape.dims().to_vec());
        Tensor::zeros(shape, dtype, device)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("no shape is known for {name}")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// The network; see the module.
pub(crate) struct DetectorNetwork {
    stem: Convolution,
    entry: Block,
    down: Vec<Stage>,
    up: Vec<Join>,
    features: NormConvolution,
    heads: NormConvolution,
}

impl DetectorNetwork {
    /// Builds the network on the tensors of `vb`.
    ///
    /// # Errors
    /// If the configuration is impossible or a tensor is missing or has another shape.
    pub(crate) fn new(config: &DetectorConfig, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        let (widths, group) = (config.channels, config.group_size);
        let down = (1..4)
            .map(|level| {
                let blocks = if level == 3 { 2 } else { 1 };
                Stage::new(widths[level - 1], widths[level], blocks, group, vb.pp(format!("down{level}")))
            })
            .collect::<Result<_>>()?;
        let up = (0..3)
            .rev()
            .map(|level| Join::new(widths[level + 1], widths[level], group, vb.pp(format!("up{level}"))))
            .collect::<Result<_>>()?;
        Ok(Self {
            stem: Convolution::new(1, widths[0], 7, 4, vb.pp("stem"))?,
            entry: Block::new(widths[0], group, vb.pp("entry"))?,
            down,
            up,
            features: NormConvolution::new(widths[0], config.head_channels, 3, 1, group, vb.pp("features"))?,
            heads: NormConvolution::new(config.head_channels, DetectorHead::TOTAL, 1, 1, group, vb.pp("heads"))?,
        })
    }

    /// Raw outputs `[n, DetectorHead::TOTAL, h / 4, w / 4]` of slices `[n, 1, h, w]`; no sigmoid or softmax is applied.
    ///
    /// # Errors
    /// If `h` or `w` is no multiple of [`INPUT_MULTIPLE`], or a tensor operation fails.
    pub(crate) fn forward(&self, slices: &Tensor) -> Result<Tensor> {
        let (_, _, h, w) = slices.dims4()?;
        if h % INPUT_MULTIPLE != 0 || w % INPUT_MULTIPLE != 0 {
            bail!("detector input must be a multiple of {INPUT_MULTIPLE} pixels, got {h} x {w}")
        }
        // Centers the usual range: tissue of a percentile-normalized slice lies around 0.25.
        let mut x = self.entry.forward(&self.stem.forward(&slices.affine(4.0, -1.0)?)?)?; // [n, 32, h/4, w/4]
        let mut skips = Vec::with_capacity(self.down.len());
        for stage in &self.down {
            skips.push(x.clone());
            x = stage.forward(&x)?; // [n, 64, h/8, w/8] ... [n, 128, h/32, w/32]
        }
        for (join, skip) in self.up.iter().zip(skips.iter().rev()) {
            x = join.forward(&x, skip)?; // [n, 96, h/16, w/16] ... [n, 32, h/4, w/4]
        }
        self.heads.forward(&self.features.forward(&x)?) // [n, 25, h/4, w/4]
    }
}

/// Convolution with bias, zero padding that keeps the size (at stride 1).
struct Convolution {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
}

impl Convolution {
    fn new(from: usize, to: usize, kernel: usize, stride: usize, vb: VarBuilder) -> Result<Self> {
        let weight =
            vb.get_with_hints((to, from, kernel, kernel), "weight", candle_nn::init::DEFAULT_KAIMING_NORMAL)?;
        Ok(Self { weight, bias: vb.get_with_hints(to, "bias", Init::Const(0.0))?, stride })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        conv2d(x, &self.weight, Some(&self.bias), self.stride, self.weight.dim(2)? / 2)
    }
}

/// Group normalization, ReLU, convolution.
struct NormConvolution {
    scale: Tensor,
    shift: Tensor,
    groups: usize,
    convolution: Convolution,
}

impl NormConvolution {
    fn new(from: usize, to: usize, kernel: usize, stride: usize, group: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            scale: vb.get_with_hints(from, "norm.weight", Init::Const(1.0))?,
            shift: vb.get_with_hints(from, "norm.bias", Init::Const(0.0))?,
            groups: from / group,
            convolution: Convolution::new(from, to, kernel, stride, vb)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.convolution.forward(&group_norm_relu(x, &self.scale, &self.shift, self.groups)?)
    }
}

/// Residual block: `x + second(first(x))`.
struct Block {
    first: NormConvolution,
    second: NormConvolution,
}

impl Block {
    fn new(width: usize, group: usize, vb: VarBuilder) -> Result<Self> {
        let layer = |name| NormConvolution::new(width, width, 3, 1, group, vb.pp(name));
        Ok(Self { first: layer("first")?, second: layer("second")? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x + self.second.forward(&self.first.forward(x)?)?
    }
}

/// Halves the resolution, then residual blocks.
struct Stage {
    shrink: NormConvolution,
    blocks: Vec<Block>,
}

impl Stage {
    fn new(from: usize, to: usize, blocks: usize, group: usize, vb: VarBuilder) -> Result<Self> {
        let block = |index| Block::new(to, group, vb.pp(format!("block{index}")));
        Ok(Self {
            shrink: NormConvolution::new(from, to, 3, 2, group, vb.pp("shrink"))?,
            blocks: (0..blocks).map(block).collect::<Result<_>>()?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let shrunk = self.shrink.forward(x)?;
        self.blocks.iter().try_fold(shrunk, |x, block| block.forward(&x))
    }
}

/// Doubles the resolution, adds the encoder's features of that scale, then one residual convolution.
struct Join {
    lateral: NormConvolution,
    mix: NormConvolution,
}

impl Join {
    fn new(from: usize, to: usize, group: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            lateral: NormConvolution::new(from, to, 1, 1, group, vb.pp("lateral"))?,
            mix: NormConvolution::new(to, to, 3, 1, group, vb.pp("mix"))?,
        })
    }

    fn forward(&self, x: &Tensor, skip: &Tensor) -> Result<Tensor> {
        let joined = (double(&self.lateral.forward(x)?)? + skip)?;
        &joined + self.mix.forward(&joined)?
    }
}

/// Repeats every cell 2 × 2 times (Candle's own upsampling overwrites gradients where its input is used twice).
fn double(x: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    x.reshape((n, c, h, 1, w, 1))?.broadcast_as((n, c, h, 2, w, 2))?.reshape((n, c, 2 * h, 2 * w))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_nn::VarMap;

    fn network(variables: &VarMap) -> DetectorNetwork {
        let vb = VarBuilder::from_varmap(variables, DType::F32, &Device::Cpu);
        DetectorNetwork::new(&DetectorConfig::shipped(), vb).expect("valid configuration")
    }

    #[test]
    fn output_has_one_cell_per_four_pixels_and_every_tensor_a_gradient() {
        let variables = VarMap::new();
        let network = network(&variables);
        let slices = Tensor::randn(0f32, 1.0, (2, 1, 64, 96), &Device::Cpu).expect("random input");
        let output = network.forward(&slices).expect("forward");
        assert_eq!(output.dims(), [2, DetectorHead::TOTAL, 16, 24]);
        let grads = output.sqr().and_then(|o| o.sum_all()?.backward()).expect("backward");
        assert!(variables.all_vars().iter().all(|variable| grads.get(variable).is_some()));
        let parameters: usize = variables.all_vars().iter().map(|variable| variable.elem_count()).sum();
        assert_eq!(parameters, 1_198_201);
    }

    #[test]
    fn samples_of_a_batch_do_not_influence_each_other() {
        let variables = VarMap::new();
        let network = network(&variables);
        let slices = Tensor::randn(0f32, 1.0, (2, 1, 32, 32), &Device::Cpu).expect("random input");
        let both = network.forward(&slices).expect("forward").narrow(0, 1, 1).expect("second");
        let alone = network.forward(&slices.narrow(0, 1, 1).expect("second")).expect("forward");
        let difference: f32 = (both - alone).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar()).expect("scalar");
        assert!(difference < 1e-4, "differs by {difference}");
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let network = network(&VarMap::new());
        let slices = Tensor::zeros((1, 1, 40, 32), DType::F32, &Device::Cpu).expect("zeros");
        assert!(network.forward(&slices).is_err());
    }
}
