//! The methods, for a batch of disc volumes and several classes at once.

use candle_core::{Device, Result, Tensor};

use super::{SaliencyLayer, SaliencyMethod, mwp};
use crate::model::grading::{GradingNetwork, Head, HeadTrace, LinearLayer, TrunkStep, TrunkTrace};
use crate::nn::{conv3d_input_gradient, max_unpool_2x2, max_unpool_2x2_channel_sum, pass_where_positive};
use crate::spine::{ClassIndex, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};

/// One class of one grading, whose evidence is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SaliencyTarget {
    pub grading: Grading,
    pub class: ClassIndex,
}

/// Traces classes back through a network by one method.
///
/// At the input, a map is |gradient|, gradient times voxel, or the probability of each voxel. At a layer it is summed over its
/// channels (of gradients the absolute values, or their products with the activations), clamped at 0 and brought to voxel size by bilinear interpolation; where the layer has no
/// slices any more, every slice shows the same. Excitation needs inputs that are not negative: of Conv1 these are the
/// voxels themselves, as subtracting the mean is a bias, which excitation ignores.
///
/// Activations and the normalizers of excitation depend on the discs alone: one pass through the trunk, and one with w⁺,
/// serve every class of every grading, and the contrastive difference is passed down signed, so it takes no second way.
pub struct Tracer<'a> {
    network: &'a GradingNetwork,
    method: SaliencyMethod,
    layer: SaliencyLayer,
    /// w⁺ of each convolution; of the gradient methods nothing.
    excitatory: Vec<Tensor>,
}

impl<'a> Tracer<'a> {
    /// Prepares the filters; without a layer, evidence is read off at the method's usual one.
    ///
    /// # Errors
    /// If the device fails.
    pub fn new(network: &'a GradingNetwork, method: SaliencyMethod, layer: Option<SaliencyLayer>) -> Result<Self> {
        let layer = layer.unwrap_or_else(|| SaliencyLayer::usual(method, network.config().dimensions));
        let excitatory = match method {
            SaliencyMethod::Gradient | SaliencyMethod::Guided | SaliencyMethod::HiResCam | SaliencyMethod::LayerCam => {
                Vec::new()
            }
            SaliencyMethod::Excitation | SaliencyMethod::ContrastiveExcitation => {
                network.trunk().iter().map(|layer| layer.weight.detach().relu()).collect::<Result<_>>()?
            }
        };
        Ok(Self { network, method, layer, excitatory })
    }

    #[must_use]
    pub fn network(&self) -> &GradingNetwork {
        self.network
    }

    /// Where evidence is read off.
    #[must_use]
    pub fn layer(&self) -> SaliencyLayer {
        self.layer
    }

    /// Evidence for each target in disc volumes `[n, 9, 112, 224]`: `[targets · n, 9, 112, 224]`, target by target, not
    /// negative.
    ///
    /// # Errors
    /// If `discs` has another shape, there is no target or a grading has no such class, or the device fails.
    pub fn evidence(&self, discs: &Tensor, targets: &[SaliencyTarget]) -> Result<Tensor> {
        self.evidence_from(&self.network.trace_trunk(discs)?, discs, targets)
    }

    /// As [`Self::evidence`], with the pass of the discs through the trunk, which serves every method and layer.
    pub(super) fn evidence_from(
        &self,
        trunk: &TrunkTrace,
        discs: &Tensor,
        targets: &[SaliencyTarget],
    ) -> Result<Tensor> {
        let mut features = Vec::with_capacity(targets.len());
        for SaliencyTarget { grading, class } in targets {
            let head = self.network.trace_head(*grading, &trunk.features)?;
            let top = one_hot(head.logits.dims2()?, *class, self.network.device())?;
            let layers = self.network.head(*grading)?;
            features.push(match self.method {
                SaliencyMethod::Gradient | SaliencyMethod::HiResCam | SaliencyMethod::LayerCam => {
                    head_gradient(&head, layers, &top, false)?
                }
                SaliencyMethod::Guided => head_gradient(&head, layers, &top, true)?,
                SaliencyMethod::Excitation => head_excitation(trunk, &head, layers, &top, false, &mut |_, _| ())?,
                SaliencyMethod::ContrastiveExcitation => {
                    head_excitation(trunk, &head, layers, &top, true, &mut |_, _| ())?
                }
            });
        }
        let (samples, channels, slices, rows, columns) = pooled_shape(trunk)?;
        let features = Tensor::cat(&features, 0)?;
        let pool5 = features.reshape((targets.len() * samples, channels, slices, rows, columns))?;
        let map = match self.method {
            SaliencyMethod::Gradient | SaliencyMethod::Guided | SaliencyMethod::HiResCam | SaliencyMethod::LayerCam => {
                self.trunk_gradient(trunk, discs, pool5)?
            }
            SaliencyMethod::Excitation | SaliencyMethod::ContrastiveExcitation => {
                self.trunk_excitation(trunk, discs, pool5, &mut |_, _| ())?.relu()?
            }
        };
        to_voxels(&map, self.layer)
    }

    /// Excitation from pool5 `[targets · n, channels, 1, 7, 14]` to the layer, summed over its channels:
    /// `[targets · n, slices, rows, columns]`. `on_layer` sees what arrives at the pooled output of each convolution.
    pub(super) fn trunk_excitation(
        &self,
        trunk: &TrunkTrace,
        discs: &Tensor,
        pool5: Tensor,
        on_layer: OnLayer,
    ) -> Result<Tensor> {
        let mut p = pool5;
        for ((index, step), excitatory) in trunk.steps.iter().enumerate().zip(&self.excitatory).rev() {
            on_layer(step.layer.name, &p);
            if self.stops_at(index) {
                return if step.layer.pooled { max_unpool_2x2_channel_sum(&p, &step.rectified) } else { p.sum(1) };
            }
            p = unpooled(p, step)?;
            p = if index == 0 {
                mwp::convolution(&p, &self.network.conv1_input(discs)?, excitatory, step.layer.window)?
            } else {
                mwp::convolution(&p, &step.input, excitatory, step.layer.window)?
            };
        }
        slices_of_input(&p)
    }

    /// Gradient from pool5 to the layer, alone or with what the layer saw, summed over its channels.
    fn trunk_gradient(&self, trunk: &TrunkTrace, discs: &Tensor, pool5: Tensor) -> Result<Tensor> {
        let mut signal = pool5;
        let guided = self.method == SaliencyMethod::Guided;
        for (index, step) in trunk.steps.iter().enumerate().rev() {
            signal = unpooled(signal, step)?;
            if self.stops_at(index) {
                return self.weighed(&signal, &step.rectified)?.sum(1)?.relu();
            }
            signal = through_relu(&signal, &step.rectified, guided)?;
            let (_, channels, slices, rows, columns) = step.input.dims5()?;
            let shape = [signal.dim(0)?, channels, slices, rows, columns];
            signal = conv3d_input_gradient(&signal, &step.layer.weight.detach(), shape, step.layer.window)?;
        }
        self.weighed(&slices_of_input(&signal)?, discs)?.relu()
    }

    /// What a method makes of the gradient `[targets · n, …]` of activations `[n, …]`.
    fn weighed(&self, gradient: &Tensor, activation: &Tensor) -> Result<Tensor> {
        let times_activation = |gradient: &Tensor| {
            let targets = gradient.dim(0)? / activation.dim(0)?;
            gradient * Tensor::cat(&vec![activation; targets], 0)?
        };
        match self.method {
            SaliencyMethod::HiResCam => times_activation(gradient),
            SaliencyMethod::LayerCam => times_activation(&gradient.relu()?),
            _ => gradient.abs(),
        }
    }

    /// Whether the output of this convolution is where evidence is read off.
    fn stops_at(&self, convolution: usize) -> bool {
        self.layer == SaliencyLayer::ALL[convolution + 1]
    }
}

/// Back through the pooling that follows a convolution, if one does.
fn unpooled(signal: Tensor, step: &TrunkStep) -> Result<Tensor> {
    if step.layer.pooled { max_unpool_2x2(&signal, &step.rectified) } else { Ok(signal) }
}

/// `[n, 9, rows, columns]` of a signal at the input of Conv1, whose slices are channels in two dimensions.
fn slices_of_input(signal: &Tensor) -> Result<Tensor> {
    let (samples, channels, slices, rows, columns) = signal.dims5()?;
    signal.reshape((samples, channels * slices, rows, columns))
}

/// Sees the probabilities that arrive at a layer on the way down.
type OnLayer<'a> = &'a mut dyn FnMut(&'static str, &Tensor);

/// `[samples, classes]` with 1 at `class`.
fn one_hot((samples, classes): (usize, usize), class: ClassIndex, device: &Device) -> Result<Tensor> {
    if class >= classes {
        candle_core::bail!("there are {classes} classes, no class {class}");
    }
    let row: Vec<f32> = (0..classes).map(|index| if index == class { 1.0 } else { 0.0 }).collect();
    Tensor::from_vec(row, (1, classes), device)?.repeat((samples, 1))
}

/// Marginal winning probabilities from the class down to pool5, `[n, channels · 7 · 14]`; contrastive ones are signed.
/// `on_layer` sees what arrives at the output of FC7 and FC6.
pub(super) fn head_excitation(
    trunk: &TrunkTrace,
    head: &HeadTrace,
    layers: &Head,
    top: &Tensor,
    contrastive: bool,
    on_layer: OnLayer,
) -> Result<Tensor> {
    let last = if contrastive { mwp::contrastive_linear } else { mwp::linear };
    let fc7 = last(top, &head.fc7, &layers.fc8.weight)?;
    on_layer("fc7", &fc7);
    let fc6 = mwp::linear(&fc7, &head.fc6, &layers.fc7.weight)?;
    on_layer("fc6", &fc6);
    mwp::linear(&fc6, &trunk.features, &layers.fc6.weight)
}

/// Shape of pool5 before it was flattened.
pub(super) fn pooled_shape(trunk: &TrunkTrace) -> Result<(usize, usize, usize, usize, usize)> {
    let (samples, channels, slices, rows, columns) = trunk.steps[trunk.steps.len() - 1].rectified.dims5()?;
    Ok((samples, channels, slices, rows / 2, columns / 2))
}

/// A map `[n, slices, rows, columns]` of a layer at the size of the voxels, `[n, 9, 112, 224]`.
fn to_voxels(map: &Tensor, layer: SaliencyLayer) -> Result<Tensor> {
    // Output i of a layer is centered on voxel step · i + first: Conv1 has stride 2 and padding 3 around a middle tap 3;
    // pooling joins outputs in pairs.
    let (step, first) = match layer {
        SaliencyLayer::Input => return Ok(map.clone()),
        SaliencyLayer::Conv1 => (2.0, 0.0),
        SaliencyLayer::Conv2 => (4.0, 1.0),
        SaliencyLayer::Conv3 | SaliencyLayer::Conv4 | SaliencyLayer::Conv5 => (8.0, 3.0),
    };
    let (samples, slices, rows, columns) = map.dims4()?;
    let along_rows = interpolation(rows, PATCH_ROWS, (step, first), map.device())?;
    let along_columns = interpolation(columns, PATCH_COLUMNS, (step, first), map.device())?;
    let wide = map.reshape((samples * slices * rows, columns))?.matmul(&along_columns.t()?)?;
    let wide = wide.reshape((samples * slices, rows, PATCH_COLUMNS))?;
    let voxels = along_rows.broadcast_matmul(&wide)?.reshape((samples, slices, PATCH_ROWS, PATCH_COLUMNS))?;
    if slices == 1 { voxels.repeat((1, PATCH_SLICES, 1, 1)) } else { Ok(voxels) }
}

/// Matrix `[to, from]` of linear interpolation at `(index − first) / step`; the outermost values are held beyond the ends.
fn interpolation(from: usize, to: usize, (step, first): (f32, f32), device: &Device) -> Result<Tensor> {
    let mut weights = vec![0.0_f32; to * from];
    for index in 0..to {
        let at = ((index as f32 - first) / step).clamp(0.0, from as f32 - 1.0);
        let (low, share) = (at.floor() as usize, at.fract());
        weights[index * from + low] += 1.0 - share;
        weights[index * from + (low + 1).min(from - 1)] += share;
    }
    Tensor::from_vec(weights, (to, from), device)
}

/// Gradient of a branch to pool5 `[n, channels · 7 · 14]`; `guided` stops negative signals at every ReLU.
fn head_gradient(head: &HeadTrace, layers: &Head, top: &Tensor, guided: bool) -> Result<Tensor> {
    let through_linear = |signal: &Tensor, layer: &LinearLayer| signal.matmul(&layer.weight.detach());
    let fc7 = through_relu(&through_linear(top, &layers.fc8)?, &head.fc7, guided)?;
    let fc6 = through_relu(&through_linear(&fc7, &layers.fc7)?, &head.fc6, guided)?;
    through_linear(&fc6, &layers.fc6)
}

/// Signal where the unit was active; guided, only where it is positive.
fn through_relu(signal: &Tensor, output: &Tensor, guided: bool) -> Result<Tensor> {
    let signal = if guided { signal.relu()? } else { signal.clone() };
    pass_where_positive(&signal, output)
}
