//! SpineNet in two and three dimensions: nine sagittal slices of a disc in, logits of its gradings out.
//!
//! Jamaludin et al. 2017, section 3.2: VGG-M of the "1024" kind without local response normalization, Conv2 with stride 1;
//! a branch of three fully connected layers per grading after pool5; which gradings a network has, its weights say. The 2-D
//! network takes the nine slices as channels of Conv1; the paper's size gives the paper's 426.0 M parameters. The 3-D network has filters three slices thick that keep
//! the nine slices up to Conv4, which reduces them to one; as the text has it the paper's size gives 448.5 M parameters,
//! the paper's "434M" is what a Conv4 of three slices would give. Without that reduction, as the paper tried too, all
//! nine slices reach FC6.

mod config;
mod familiarity;
mod layers;
mod levels;

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

use crate::nn::relu;
use crate::spine::{DiscLevel, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PerGrading};

pub use config::{Dimensions, GradingConfig};
pub(crate) use familiarity::{Familiarity, appearance};
use levels::LevelLayers;

pub(crate) use layers::{ConvolutionLayer, Dropout, Head, HeadTrace, LinearLayer, TrunkStep, TrunkTrace};

/// Name of the tensor with the mean voxel of the training set, subtracted from every input: `[1]`, or, in two dimensions,
/// one for each slice, `[9]`. It is no parameter.
pub(crate) const INPUT_MEAN: &str = "input_mean";

/// SpineNet in two or three dimensions. Clones share their tensors.
#[derive(Debug, Clone)]
pub struct GradingNetwork {
    config: GradingConfig,
    input_mean: Tensor,
    trunk: Arc<[ConvolutionLayer; 5]>,
    heads: Arc<PerGrading<Head>>,
    levels: Option<LevelLayers>,
    familiarity: Option<Familiarity>,
}

impl GradingNetwork {
    /// Takes the tensors that [`GradingConfig::tensors`] lists out of `vb`.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    #[allow(clippy::needless_pass_by_value, reason = "a cheap handle, passed as Candle's own networks take it")]
    pub fn new(config: &GradingConfig, vb: VarBuilder) -> Result<Self> {
        let [c1, c2, c3, c4, c5] = config.channels;
        let (inputs, plans) = (config.dimensions.input_channels(), config.dimensions.trunk());
        let layer = |index: usize, inputs, filters| ConvolutionLayer::new(&plans[index], inputs, filters, &vb);
        let trunk = [layer(0, inputs, c1)?, layer(1, c1, c2)?, layer(2, c2, c3)?, layer(3, c3, c4)?, layer(4, c4, c5)?];
        if config.gradings.is_empty() {
            bail!("the network has no gradings");
        }
        let head = |grading: &Grading| Ok((*grading, Head::new(config, grading.classes(), &vb.pp(grading.key()))?));
        let heads = config.gradings.iter().map(head).collect::<Result<PerGrading<Head>>>()?;
        let input_mean = vb.get_with_hints(inputs, INPUT_MEAN, Init::Const(0.0))?.detach();
        let levels = (config.level_units > 0).then(|| LevelLayers::new(config, &vb)).transpose()?;
        let familiarity = config.familiarity.then(|| Familiarity::new(&vb)).transpose()?;
        let config = config.clone();
        Ok(Self { config, input_mean, trunk: Arc::new(trunk), heads: Arc::new(heads), levels, familiarity })
    }

    /// The network for discs of one level: what the level adds is part of its biases. The same network where it does not
    /// ask for the level.
    ///
    /// # Errors
    /// If the device fails.
    pub fn at_level(&self, level: DiscLevel) -> Result<Self> {
        let Some(levels) = &self.levels else { return Ok(self.clone()) };
        let biases = levels.biases(&[level], self.device())?;
        let mut heads = self.heads.as_ref().clone();
        for (grading, bias) in biases.iter() {
            heads[grading].fc7.bias = (&heads[grading].fc7.bias + bias.squeeze(0)?)?;
        }
        let config = GradingConfig { level_units: 0, ..self.config.clone() };
        Ok(Self { config, heads: Arc::new(heads), levels: None, ..self.clone() })
    }

    /// Dimensions, and widths of the layers.
    #[must_use]
    pub fn config(&self) -> &GradingConfig {
        &self.config
    }

    /// Where it runs.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.input_mean.device()
    }

    /// Mean voxel that is subtracted from every input: [`INPUT_MEAN`].
    #[must_use]
    pub(crate) fn input_mean(&self) -> &Tensor {
        &self.input_mean
    }

    /// What the discs that the network learned from looked like, if the weights know.
    #[must_use]
    pub(crate) fn familiarity(&self) -> Option<&Familiarity> {
        self.familiarity.as_ref()
    }

    /// The convolutions in order.
    #[must_use]
    pub(crate) fn trunk(&self) -> &[ConvolutionLayer; 5] {
        &self.trunk
    }

    /// The layers of a grading's branch.
    ///
    /// # Errors
    /// If the network does not have the grading.
    pub(crate) fn head(&self, grading: Grading) -> Result<&Head> {
        match self.heads.get(grading) {
            Some(head) => Ok(head),
            None => bail!("the network does not grade {grading}"),
        }
    }

    /// All tensors by the names of [`GradingConfig::tensors`].
    #[must_use]
    pub fn tensors(&self) -> HashMap<String, Tensor> {
        let mut tensors = HashMap::from([(INPUT_MEAN.to_owned(), self.input_mean.clone())]);
        let mut add = |layer: String, weight: &Tensor, bias: &Tensor| {
            tensors.insert(format!("{layer}.weight"), weight.clone());
            tensors.insert(format!("{layer}.bias"), bias.clone());
        };
        for layer in self.trunk.iter() {
            add(layer.name.to_owned(), &layer.weight, &layer.bias);
        }
        for (grading, Head { fc6, fc7, fc8 }) in self.heads.iter() {
            for (name, layer) in [("fc6", fc6), ("fc7", fc7), ("fc8", fc8)] {
                add(format!("{}.{name}", grading.key()), &layer.weight, &layer.bias);
            }
        }
        tensors.extend(self.levels.iter().flat_map(LevelLayers::tensors));
        for (name, tensor) in self.familiarity.iter().flat_map(Familiarity::named) {
            tensors.insert(name.to_owned(), tensor.clone());
        }
        tensors
    }

    /// Logits `[n, classes]` of each grading for disc volumes `[n, 9, 112, 224]` with voxels in [0, 1].
    ///
    /// # Errors
    /// If `discs` has another shape or the device fails.
    pub fn forward(&self, discs: &Tensor) -> Result<PerGrading<Tensor>> {
        self.classify(&self.features(discs)?, None, None)
    }

    /// The trunk with every activation on the way.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub(crate) fn trace_trunk(&self, discs: &Tensor) -> Result<TrunkTrace> {
        check_patch(discs)?;
        let mut input = self.centered(&self.conv1_input(discs)?)?;
        let mut steps = Vec::with_capacity(self.trunk.len());
        for layer in self.trunk.iter() {
            let rectified = layer.rectified(&input)?;
            let output = layer.pooled(&rectified)?;
            steps.push(TrunkStep { layer: layer.clone(), input, rectified });
            input = output;
        }
        Ok(TrunkTrace { steps, features: input.flatten_from(1)? })
    }

    /// One grading's branch with every activation on the way, from pool5.
    ///
    /// # Errors
    /// If the network does not have the grading or the device fails.
    pub(crate) fn trace_head(&self, grading: Grading, features: &Tensor) -> Result<HeadTrace> {
        self.trace_head_dropping(grading, features, None, None)
    }

    fn trace_head_dropping(
        &self,
        grading: Grading,
        features: &Tensor,
        level_bias: Option<&Tensor>,
        mut dropout: Option<&mut Dropout>,
    ) -> Result<HeadTrace> {
        if self.levels.is_some() && level_bias.is_none() {
            bail!("the network has to be told the levels of the discs");
        }
        let Head { fc6, fc7, fc8 } = self.head(grading)?;
        let mut hidden = |sums: &Tensor| {
            let units = relu(sums)?;
            match &mut dropout {
                Some(dropout) => dropout.apply(&units),
                None => Ok(units),
            }
        };
        let fc6 = hidden(&fc6.forward(features)?)?;
        let fc7 = fc7.forward(&fc6)?;
        let fc7 = hidden(&match level_bias {
            Some(bias) => (fc7 + bias)?,
            None => fc7,
        })?;
        let logits = fc8.forward(&fc7)?;
        Ok(HeadTrace { fc6, fc7, logits })
    }

    /// Logits of all branches from pool5 `[n, channels · slices · 7 · 14]`, with units of FC6 and FC7 dropped by chance if asked. A
    /// network with [`GradingConfig::level_units`] needs the level of each disc, or to be that of one level
    /// ([`Self::at_level`]); any other ignores them.
    ///
    /// # Errors
    /// If levels are missing or the device fails.
    pub(crate) fn classify(
        &self,
        features: &Tensor,
        levels: Option<&[DiscLevel]>,
        mut dropout: Option<&mut Dropout>,
    ) -> Result<PerGrading<Tensor>> {
        let biases = match (&self.levels, levels) {
            (Some(layers), Some(levels)) => Some(layers.biases(levels, features.device())?),
            _ => None,
        };
        let logits = |grading: Grading| {
            let bias = biases.as_ref().and_then(|biases| biases.get(grading));
            Ok((grading, self.trace_head_dropping(grading, features, bias, dropout.as_deref_mut())?.logits))
        };
        self.heads.gradings().map(logits).collect()
    }

    /// pool5 `[n, channels · slices · 7 · 14]`, of [`Dimensions::pooled_slices`].
    fn features(&self, discs: &Tensor) -> Result<Tensor> {
        check_patch(discs)?;
        self.pool5(discs)?.flatten_from(1)
    }

    /// pool5 `[n, channels, slices − 8, rows / 16, columns / 16]`, or with all slices where Conv4 keeps them, of disc
    /// volumes that may be larger than a patch, `[n, slices, rows, columns]`. Each place of it that has the size of a patch's pool5 is what the trunk sees of that
    /// part of the volume. Nine slices are one pass in two dimensions, each further one takes another.
    ///
    /// # Errors
    /// If there are fewer than nine slices or the device fails.
    pub(crate) fn pool5(&self, discs: &Tensor) -> Result<Tensor> {
        let slices = discs.dim(1)?;
        let trunk = |discs: &Tensor| {
            let mut units = self.centered(&self.conv1_input(discs)?)?;
            for layer in self.trunk.iter() {
                units = layer.forward(&units)?;
            }
            Ok(units)
        };
        match self.config.dimensions {
            Dimensions::Three | Dimensions::ThreeUnreduced => trunk(discs),
            Dimensions::Two if slices < PATCH_SLICES => bail!("{PATCH_SLICES} slices are needed, got {slices}"),
            Dimensions::Two => {
                let windows = (0..=slices - PATCH_SLICES).map(|first| trunk(&discs.narrow(1, first, PATCH_SLICES)?));
                Tensor::cat(&windows.collect::<Result<Vec<_>>>()?, 2)
            }
        }
    }

    /// [`Self::pool5`] of volumes of `slices` equal slices, given as one of them each, `[n, rows, columns]`: the same numbers.
    /// Layers that keep the slices tell equal ones apart only as far from the ends as their filters and paddings reach, so what
    /// lies between is computed once.
    ///
    /// # Errors
    /// As [`Self::pool5`].
    pub fn pool5_of_equal(&self, slice: &Tensor, slices: usize) -> Result<Tensor> {
        let equal = |slices: usize| slice.unsqueeze(1)?.repeat((1, slices, 1, 1));
        let joining = self.trunk.iter().position(|layer| !layer.keeps_slices()).unwrap_or(self.trunk.len());
        let (keeping, joining) = self.trunk.split_at(joining);
        let reach: usize = keeping.iter().map(|layer| layer.window.padding[0]).sum();
        let distinct = 2 * reach + 1;
        if self.config.dimensions == Dimensions::Two || slices <= distinct {
            return self.pool5(&equal(slices)?);
        }
        let mut units = self.centered(&self.conv1_input(&equal(distinct)?)?)?;
        for layer in keeping {
            units = layer.forward(&units)?;
        }
        let middle = units.narrow(2, reach, 1)?.repeat((1, 1, slices - 2 * reach, 1, 1))?;
        units = Tensor::cat(&[units.narrow(2, 0, reach)?, middle, units.narrow(2, reach + 1, reach)?], 2)?;
        for layer in joining {
            units = layer.forward(&units)?;
        }
        Ok(units)
    }

    /// Disc volumes `[n, slices, rows, columns]` as Conv1 takes them, before the mean is subtracted:
    /// `[n, channels, slices, rows, columns]`, of which one of channels and slices is 1.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn conv1_input(&self, discs: &Tensor) -> Result<Tensor> {
        match self.config.dimensions {
            Dimensions::Two => discs.unsqueeze(2),
            Dimensions::Three | Dimensions::ThreeUnreduced => discs.unsqueeze(1),
        }
    }

    /// Input of Conv1 with the mean subtracted.
    fn centered(&self, conv1_input: &Tensor) -> Result<Tensor> {
        conv1_input.broadcast_sub(&self.input_mean.reshape(((), 1, 1, 1))?)
    }
}

fn check_patch(discs: &Tensor) -> Result<()> {
    match discs.dims() {
        [_, PATCH_SLICES, PATCH_ROWS, PATCH_COLUMNS] => Ok(()),
        other => bail!("disc volumes are [n, {PATCH_SLICES}, {PATCH_ROWS}, {PATCH_COLUMNS}], got {other:?}"),
    }
}

/// Puts disc volumes' voxels into the tensor `[n, 9, 112, 224]` that the network reads.
///
/// # Errors
/// If a volume has another size or the device fails.
pub fn disc_tensor<'a>(discs: impl IntoIterator<Item = &'a [f32]>, device: &Device) -> Result<Tensor> {
    let mut voxels = Vec::new();
    for disc in discs {
        voxels.extend_from_slice(disc);
    }
    let samples = voxels.len() / (PATCH_SLICES * PATCH_ROWS * PATCH_COLUMNS);
    Tensor::from_vec(voxels, (samples, PATCH_SLICES, PATCH_ROWS, PATCH_COLUMNS), device)?.to_dtype(DType::F32)
}

#[cfg(test)]
mod tests;
