//! The 3-D SpineNet: nine sagittal slices of a disc in, logits of the eight gradings out.
//!
//! Jamaludin et al. 2017, section 3.2: VGG-M of the "1024" kind without local response normalization, Conv2 with stride 1,
//! filters three slices thick that keep the nine slices up to Conv4, which reduces them to one; a branch of three fully
//! connected layers per grading after pool5. As the text has it the paper's size gives 448.5 M parameters; the paper's
//! "434M" is what a Conv4 of three slices would give.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use candle_nn::{Init, VarBuilder, VarMap};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::weights::Architecture;
use crate::nn::{ConvWindow, conv3d, max_pool_2x2, relu};
use crate::spine::{Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PerGrading};

/// Name of this architecture in the metadata of weights.
pub const ARCHITECTURE: &str = "spinenet-3d/1";

/// Name of the tensor `[1]` with the mean voxel of the training set, subtracted from every input. It is no parameter.
pub const INPUT_MEAN: &str = "input_mean";

/// Where a convolution stands: names, filter sizes `[slice, row, column]`, steps, padding, and what follows.
struct ConvolutionPlan {
    name: &'static str,
    kernel: [usize; 3],
    window: ConvWindow,
    pooled: bool,
}

// Sizes after each layer at full patch size, [channels of the paper] slices × rows × columns:
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

/// Widths of the layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GradingConfig {
    /// Filters of Conv1 to Conv5.
    pub channels: [usize; 5],
    /// Units of FC6 and FC7 of each grading.
    pub fully_connected: usize,
}

impl GradingConfig {
    /// The network of the paper: 448.5 M parameters, about 98 GFLOP a disc.
    #[must_use]
    pub fn paper() -> Self {
        Self { channels: [96, 256, 512, 512, 512], fully_connected: 1024 }
    }

    /// The network that ships: a sixth to an eighth of the paper's width, about 2 GFLOP a disc, trainable on a laptop.
    #[must_use]
    pub fn shipped() -> Self {
        Self { channels: [16, 32, 64, 64, 64], fully_connected: 64 }
    }

    /// Names and shapes of all parameters, in the order of the layers; weights are `[out, in, ..]`, biases `[out]`.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let mut parameters = Vec::new();
        let mut add = |layer: &str, weight: Vec<usize>| {
            parameters.push((format!("{layer}.bias"), vec![weight[0]]));
            parameters.push((format!("{layer}.weight"), weight));
        };
        let mut inputs = 1;
        for (plan, filters) in TRUNK.iter().zip(self.channels) {
            let [depth, height, width] = plan.kernel;
            add(plan.name, vec![filters, inputs, depth, height, width]);
            inputs = filters;
        }
        for grading in Grading::ALL {
            let key = grading.key();
            add(&format!("{key}.fc6"), vec![self.fully_connected, self.channels[4] * POOLED_PIXELS]);
            add(&format!("{key}.fc7"), vec![self.fully_connected, self.fully_connected]);
            add(&format!("{key}.fc8"), vec![grading.classes(), self.fully_connected]);
        }
        parameters
    }

    /// Names and shapes of all tensors that weights of this size hold: the parameters and [`INPUT_MEAN`].
    #[must_use]
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = self.parameters();
        tensors.push((INPUT_MEAN.to_owned(), vec![1]));
        tensors
    }

    /// Number of parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Multiplications and additions of a forward pass of one disc.
    #[must_use]
    pub fn flops(&self) -> usize {
        // Output pixels of each convolution, over all slices.
        let pixels = [9 * 56 * 112, 9 * 28 * 56, 9 * 14 * 28, 14 * 28, 14 * 28];
        let weights = self.parameters().into_iter().filter(|(_, shape)| shape.len() > 1);
        weights
            .enumerate()
            .map(|(layer, (_, shape))| 2 * shape.iter().product::<usize>() * pixels.get(layer).copied().unwrap_or(1))
            .sum()
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

/// √(6 / (fan in + fan out)) for weights `[out, in, taps..]`, 0 for biases.
fn glorot_bound(shape: &[usize]) -> f32 {
    match shape {
        [outputs, inputs, taps @ ..] => {
            let taps: usize = taps.iter().product();
            (6.0 / ((inputs + outputs) * taps) as f32).sqrt()
        }
        _ => 0.0,
    }
}

/// Convolution with ReLU, and max-pooling where the plan has it.
#[derive(Debug, Clone)]
pub struct ConvolutionLayer {
    /// `conv1` to `conv5`.
    pub name: &'static str,
    /// `[filters, channels, slices, rows, columns]`.
    pub weight: Tensor,
    /// `[filters]`.
    pub bias: Tensor,
    /// Steps and padding.
    pub window: ConvWindow,
    /// Whether 2 × 2 max-pooling follows.
    pub pooled: bool,
}

impl ConvolutionLayer {
    fn new(plan: &ConvolutionPlan, inputs: usize, filters: usize, vb: &VarBuilder) -> Result<Self> {
        let [depth, height, width] = plan.kernel;
        let shape = [filters, inputs, depth, height, width];
        let (weight, bias) = layer_tensors(&vb.pp(plan.name), &shape)?;
        Ok(Self { name: plan.name, weight, bias, window: plan.window, pooled: plan.pooled })
    }

    /// ReLU of the convolution, before pooling.
    fn rectified(&self, input: &Tensor) -> Result<Tensor> {
        relu(&conv3d(input, &self.weight, Some(&self.bias), self.window)?)
    }

    /// Convolution, ReLU and, where it follows, pooling.
    ///
    /// # Errors
    /// If the input has other channels or the device fails.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.pooled(&self.rectified(input)?)
    }

    fn pooled(&self, rectified: &Tensor) -> Result<Tensor> {
        if self.pooled { max_pool_2x2(rectified) } else { Ok(rectified.clone()) }
    }
}

/// Fully connected layer.
#[derive(Debug, Clone)]
pub struct LinearLayer {
    /// `[outputs, inputs]`.
    pub weight: Tensor,
    /// `[outputs]`.
    pub bias: Tensor,
}

impl LinearLayer {
    fn new(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        let (weight, bias) = layer_tensors(vb, &[outputs, inputs])?;
        Ok(Self { weight, bias })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
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
pub struct Head {
    /// pool5 to hidden units.
    pub fc6: LinearLayer,
    /// Hidden to hidden units.
    pub fc7: LinearLayer,
    /// Hidden units to classes.
    pub fc8: LinearLayer,
}

impl Head {
    fn new(config: &GradingConfig, classes: usize, vb: &VarBuilder) -> Result<Self> {
        let hidden = config.fully_connected;
        Ok(Self {
            fc6: LinearLayer::new(config.channels[4] * POOLED_PIXELS, hidden, &vb.pp("fc6"))?,
            fc7: LinearLayer::new(hidden, hidden, &vb.pp("fc7"))?,
            fc8: LinearLayer::new(hidden, classes, &vb.pp("fc8"))?,
        })
    }
}

/// Activations of the trunk, recorded on the way.
#[derive(Debug, Clone)]
pub struct TrunkTrace {
    /// Conv1 to Conv5 in order.
    pub steps: Vec<TrunkStep>,
    /// pool5, flattened to `[n, channels · 7 · 14]`; what every head reads.
    pub features: Tensor,
}

/// One convolution of the trunk and what it saw.
#[derive(Debug, Clone)]
pub struct TrunkStep {
    /// The layer.
    pub layer: ConvolutionLayer,
    /// What it read, `[n, channels, slices, rows, columns]`; not negative after the first layer.
    pub input: Tensor,
    /// ReLU of its convolution, before pooling.
    pub rectified: Tensor,
}

/// Activations of one head.
#[derive(Debug, Clone)]
pub struct HeadTrace {
    /// ReLU of FC6, `[n, units]`.
    pub fc6: Tensor,
    /// ReLU of FC7, `[n, units]`.
    pub fc7: Tensor,
    /// Output of FC8, `[n, classes]`.
    pub logits: Tensor,
}

/// Random dropping of hidden units while training.
#[derive(Debug)]
pub struct Dropout<'a> {
    /// Share of the units of FC6 and FC7 that is dropped, below 1.
    pub rate: f32,
    /// Source of chance.
    pub random: &'a mut ChaCha8Rng,
}

impl Dropout<'_> {
    /// Zeroes units by chance and scales the others so that the mean stays.
    fn apply(&mut self, units: &Tensor) -> Result<Tensor> {
        if self.rate <= 0.0 {
            return Ok(units.clone());
        }
        let kept = 1.0 / (1.0 - self.rate);
        let mask: Vec<f32> =
            (0..units.elem_count()).map(|_| if self.random.random::<f32>() < self.rate { 0.0 } else { kept }).collect();
        units * Tensor::from_vec(mask, units.shape(), units.device())?
    }
}

/// The 3-D SpineNet. Clones share their tensors.
#[derive(Debug, Clone)]
pub struct GradingNetwork {
    config: GradingConfig,
    input_mean: Tensor,
    trunk: Arc<[ConvolutionLayer; 5]>,
    heads: Arc<PerGrading<Head>>,
}

impl GradingNetwork {
    /// Takes the tensors that [`GradingConfig::tensors`] lists out of `vb`.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    #[allow(clippy::needless_pass_by_value, reason = "a cheap handle, passed as Candle's own networks take it")]
    pub fn new(config: &GradingConfig, vb: VarBuilder) -> Result<Self> {
        let [c1, c2, c3, c4, c5] = config.channels;
        let layer = |index: usize, inputs, filters| ConvolutionLayer::new(&TRUNK[index], inputs, filters, &vb);
        let trunk = [layer(0, 1, c1)?, layer(1, c1, c2)?, layer(2, c2, c3)?, layer(3, c3, c4)?, layer(4, c4, c5)?];
        let mut heads = Vec::with_capacity(8);
        for grading in Grading::ALL {
            heads.push(Head::new(config, grading.classes(), &vb.pp(grading.key()))?);
        }
        let heads = PerGrading::from_fn(|grading| heads[grading.index()].clone());
        let input_mean = vb.get_with_hints(1, INPUT_MEAN, Init::Const(0.0))?.detach();
        Ok(Self { config: config.clone(), input_mean, trunk: Arc::new(trunk), heads: Arc::new(heads) })
    }

    /// Widths of the layers.
    #[must_use]
    pub fn config(&self) -> &GradingConfig {
        &self.config
    }

    /// Where it runs.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.input_mean.device()
    }

    /// Mean voxel that is subtracted from every input, `[1]`.
    #[must_use]
    pub fn input_mean(&self) -> &Tensor {
        &self.input_mean
    }

    /// The convolutions in order.
    #[must_use]
    pub fn trunk(&self) -> &[ConvolutionLayer; 5] {
        &self.trunk
    }

    /// The layers of a grading's branch.
    #[must_use]
    pub fn head(&self, grading: Grading) -> &Head {
        &self.heads[grading]
    }

    /// Logits `[n, classes]` of each grading for disc volumes `[n, 9, 112, 224]` with voxels in [0, 1].
    ///
    /// # Errors
    /// If `discs` has another shape or the device fails.
    pub fn forward(&self, discs: &Tensor) -> Result<PerGrading<Tensor>> {
        self.classify(&self.features(discs)?, None)
    }

    /// As [`Self::forward`], with units of FC6 and FC7 dropped by chance.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_training(&self, discs: &Tensor, mut dropout: Dropout) -> Result<PerGrading<Tensor>> {
        self.classify(&self.features(discs)?, Some(&mut dropout))
    }

    /// The trunk with every activation on the way.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn trace_trunk(&self, discs: &Tensor) -> Result<TrunkTrace> {
        check_patch(discs)?;
        let mut input = self.centered(discs)?;
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
    /// If the device fails.
    pub fn trace_head(&self, grading: Grading, features: &Tensor) -> Result<HeadTrace> {
        self.trace_head_dropping(grading, features, None)
    }

    fn trace_head_dropping(
        &self,
        grading: Grading,
        features: &Tensor,
        mut dropout: Option<&mut Dropout>,
    ) -> Result<HeadTrace> {
        let Head { fc6, fc7, fc8 } = &self.heads[grading];
        let mut hidden = |layer: &LinearLayer, input: &Tensor| {
            let units = relu(&layer.forward(input)?)?;
            match &mut dropout {
                Some(dropout) => dropout.apply(&units),
                None => Ok(units),
            }
        };
        let fc6 = hidden(fc6, features)?;
        let fc7 = hidden(fc7, &fc6)?;
        let logits = fc8.forward(&fc7)?;
        Ok(HeadTrace { fc6, fc7, logits })
    }

    /// Logits of all branches from pool5 `[n, channels · 7 · 14]`, with units of FC6 and FC7 dropped by chance if asked.
    ///
    /// # Errors
    /// If the device fails.
    pub fn classify(&self, features: &Tensor, mut dropout: Option<&mut Dropout>) -> Result<PerGrading<Tensor>> {
        let mut logits = PerGrading::from_fn(|_| features.clone());
        for grading in Grading::ALL {
            logits[grading] = self.trace_head_dropping(grading, features, dropout.as_deref_mut())?.logits;
        }
        Ok(logits)
    }

    /// pool5 `[n, channels · 7 · 14]`.
    fn features(&self, discs: &Tensor) -> Result<Tensor> {
        check_patch(discs)?;
        self.pool5(discs)?.flatten_from(1)
    }

    /// pool5 `[n, channels, slices − 8, rows / 16, columns / 16]` of disc volumes that may be larger than a patch,
    /// `[n, slices, rows, columns]`. Each place of it that has the size of a patch's pool5 is what the trunk sees of that
    /// part of the volume.
    ///
    /// # Errors
    /// If there are fewer than nine slices or the device fails.
    pub fn pool5(&self, discs: &Tensor) -> Result<Tensor> {
        let mut units = self.centered(discs)?;
        for layer in self.trunk.iter() {
            units = layer.forward(&units)?;
        }
        Ok(units)
    }

    /// Input of Conv1 `[n, 1, slices, rows, columns]`.
    fn centered(&self, discs: &Tensor) -> Result<Tensor> {
        discs.broadcast_sub(&self.input_mean)?.unsqueeze(1)
    }
}

fn check_patch(discs: &Tensor) -> Result<()> {
    match discs.dims() {
        [_, PATCH_SLICES, PATCH_ROWS, PATCH_COLUMNS] => Ok(()),
        other => bail!("disc volumes are [n, {PATCH_SLICES}, {PATCH_ROWS}, {PATCH_COLUMNS}], got {other:?}"),
    }
}

impl Architecture for GradingConfig {
    const NAME: &'static str = ARCHITECTURE;

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        Self::tensors(self)
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
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn tiny() -> GradingConfig {
        GradingConfig { channels: [2, 3, 4, 4, 5], fully_connected: 6 }
    }

    fn network(config: &GradingConfig, seed: u64) -> Result<(VarMap, GradingNetwork)> {
        let variables = config.initial_variables(seed, &Device::Cpu)?;
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        Ok((variables.clone(), GradingNetwork::new(config, vb)?))
    }

    fn discs(samples: usize) -> Result<Tensor> {
        let voxels: Vec<f32> = (0..samples * PATCH_SLICES * PATCH_ROWS * PATCH_COLUMNS)
            .map(|i| 0.5 + 0.5 * (i as f32 * 0.37).sin())
            .collect();
        Tensor::from_vec(voxels, (samples, PATCH_SLICES, PATCH_ROWS, PATCH_COLUMNS), &Device::Cpu)
    }

    #[test]
    fn the_paper_size_has_448_million_parameters() {
        // Counted by hand: five convolutions, then per grading FC6 50,176 -> 1024, FC7, and FC8 over 21 classes in all.
        let trunk = (147 + 1) * 96 + (7200 + 1) * 256 + (6912 + 1) * 512 + (41_472 + 1) * 512 + (4608 + 1) * 512;
        let heads = 8 * ((50_176 + 1) * 1024 + (1024 + 1) * 1024) + (1024 + 1) * 21;
        assert_eq!(GradingConfig::paper().parameter_count(), trunk + heads);
        assert_eq!(trunk + heads, 448_459_413);
        assert!((96..100).contains(&(GradingConfig::paper().flops() / 1_000_000_000)));
        assert!((1_900_000_000..2_200_000_000).contains(&GradingConfig::shipped().flops()));
    }

    #[test]
    fn layers_have_the_sizes_of_the_paper_and_all_gradings_their_classes() -> Result<()> {
        let config = tiny();
        let (_, network) = network(&config, 1)?;
        let trace = network.trace_trunk(&discs(2)?)?;
        let shapes: Vec<&[usize]> = trace.steps.iter().map(|step| step.rectified.dims()).collect();
        let expected: [&[usize]; 5] =
            [&[2, 2, 9, 56, 112], &[2, 3, 9, 28, 56], &[2, 4, 9, 14, 28], &[2, 4, 1, 14, 28], &[2, 5, 1, 14, 28]];
        assert_eq!(shapes, expected);
        assert_eq!(trace.features.dims(), [2, 5 * 7 * 14]);
        let logits = network.forward(&discs(2)?)?;
        for (grading, logits) in logits.iter() {
            assert_eq!(logits.dims(), [2, grading.classes()]);
            let head = network.trace_head(grading, &trace.features)?;
            assert_eq!(head.logits.to_vec2::<f32>()?, logits.to_vec2::<f32>()?);
            let values = logits.to_vec2::<f32>()?;
            assert!(values.iter().flatten().all(|value| value.is_finite()));
        }
        assert!(network.forward(&discs(1)?.narrow(1, 0, 8)?).is_err());
        Ok(())
    }

    #[test]
    fn a_seed_fixes_the_parameters_and_every_one_of_them_gets_a_gradient() -> Result<()> {
        let config = tiny();
        let (variables, network) = network(&config, 7)?;
        let logits = network.forward(&discs(2)?)?;
        let mut loss = Tensor::zeros((), DType::F32, &Device::Cpu)?;
        for (_, logits) in logits.iter() {
            loss = (loss + logits.sqr()?.sum_all()?)?;
        }
        let gradients = loss.backward()?;
        let data = variables.data().lock().expect("not poisoned");
        assert_eq!(data.len(), config.tensors().len());
        let again = config.initial_variables(7, &Device::Cpu)?;
        let again = again.data().lock().expect("not poisoned");
        for (name, variable) in data.iter() {
            assert_eq!(gradients.get(variable).is_some(), name != INPUT_MEAN, "{name}");
            let values = |var: &Var| var.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).expect("f32");
            assert_eq!(values(variable), values(&again[name]));
        }
        Ok(())
    }

    #[test]
    fn the_mean_is_subtracted_and_dropout_repeats_with_its_seed() -> Result<()> {
        let config = tiny();
        let (variables, network) = network(&config, 3)?;
        let discs = discs(1)?;
        let before = network.forward(&(&discs - 0.25)?)?;
        variables.data().lock().expect("not poisoned")[INPUT_MEAN].set(&Tensor::new(&[0.25_f32], &Device::Cpu)?)?;
        let after = network.forward(&discs)?;
        let pfirrmann = |logits: &PerGrading<Tensor>| logits[Grading::Pfirrmann].to_vec2::<f32>();
        for (a, b) in pfirrmann(&before)?[0].iter().zip(&pfirrmann(&after)?[0]) {
            assert!((a - b).abs() < 1e-5);
        }
        let drop = |seed: u64, rate: f32| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            pfirrmann(&network.forward_training(&discs, Dropout { rate, random: &mut random })?)
        };
        assert_eq!(drop(1, 0.5)?, drop(1, 0.5)?);
        assert_ne!(drop(1, 0.5)?, drop(2, 0.5)?);
        assert_eq!(drop(1, 0.0)?, pfirrmann(&after)?);
        Ok(())
    }

    #[test]
    fn tensors_of_another_shape_are_refused() -> Result<()> {
        let zeros = |shapes: Vec<(String, Vec<usize>)>| -> Result<HashMap<String, Tensor>> {
            shapes
                .into_iter()
                .map(|(name, shape)| Ok((name, Tensor::zeros(shape, DType::F32, &Device::Cpu)?)))
                .collect()
        };
        let tensors = zeros(tiny().tensors())?;
        let wider = GradingConfig { fully_connected: 7, ..tiny() };
        let vb = |tensors| VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        assert!(GradingNetwork::new(&tiny(), vb(tensors.clone())).is_ok());
        assert!(GradingNetwork::new(&wider, vb(tensors)).is_err());
        Ok(())
    }
}
