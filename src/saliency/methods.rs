//! The four methods, for a batch of disc volumes and several classes at once.

use candle_core::{Device, Result, Tensor};

use super::{SaliencyMethod, mwp};
use crate::model::grading::{GradingNetwork, Head, HeadTrace, LinearLayer, TrunkTrace};
use crate::nn::{conv3d_input_gradient, max_unpool_2x2, max_unpool_2x2_channel_sum, pass_where_positive};
use crate::spine::{ClassIndex, Grading, PATCH_COLUMNS, PATCH_ROWS};

/// One class of one grading, whose evidence is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SaliencyTarget {
    /// Grading.
    pub grading: Grading,
    /// Class.
    pub class: ClassIndex,
}

/// Evidence `[n, 9, 112, 224]`, not negative, for `class` in disc volumes `[n, 9, 112, 224]`: see [`Tracer`].
///
/// # Errors
/// If `discs` has another shape, the grading has no such class, or the device fails.
pub fn evidence(
    network: &GradingNetwork,
    discs: &Tensor,
    grading: Grading,
    class: ClassIndex,
    method: SaliencyMethod,
) -> Result<Tensor> {
    Tracer::new(network, method)?.evidence(discs, &[SaliencyTarget { grading, class }])
}

/// Traces classes back through a network by one method.
///
/// Gradients are taken to the voxels. The excitation methods stop at the output of Conv1, which keeps the slices: their
/// probabilities are summed over its channels, clamped at 0 and brought to voxel size by bilinear interpolation.
///
/// Activations and the normalizers of excitation depend on the discs alone: one pass through the trunk, and one with w⁺,
/// serve every class of every grading, and the contrastive difference is passed down signed, so it takes no second way.
pub struct Tracer<'a> {
    network: &'a GradingNetwork,
    method: SaliencyMethod,
    /// w⁺ of each convolution; of the gradient methods nothing.
    excitatory: Vec<Tensor>,
}

impl<'a> Tracer<'a> {
    /// Prepares the filters.
    ///
    /// # Errors
    /// If the device fails.
    pub fn new(network: &'a GradingNetwork, method: SaliencyMethod) -> Result<Self> {
        let excitatory = match method {
            SaliencyMethod::Gradient | SaliencyMethod::Guided => Vec::new(),
            SaliencyMethod::Excitation | SaliencyMethod::ContrastiveExcitation => {
                network.trunk().iter().map(|layer| layer.weight.detach().relu()).collect::<Result<_>>()?
            }
        };
        Ok(Self { network, method, excitatory })
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &GradingNetwork {
        self.network
    }

    /// Evidence for each target in disc volumes `[n, 9, 112, 224]`: `[targets · n, 9, 112, 224]`, target by target, not
    /// negative.
    ///
    /// # Errors
    /// If `discs` has another shape, there is no target or a grading has no such class, or the device fails.
    pub fn evidence(&self, discs: &Tensor, targets: &[SaliencyTarget]) -> Result<Tensor> {
        let trunk = self.network.trace_trunk(discs)?;
        let mut features = Vec::with_capacity(targets.len());
        for SaliencyTarget { grading, class } in targets {
            let head = self.network.trace_head(*grading, &trunk.features)?;
            let top = one_hot(head.logits.dims2()?, *class, self.network.device())?;
            let layers = self.network.head(*grading);
            features.push(match self.method {
                SaliencyMethod::Gradient => head_gradient(&head, layers, &top, false)?,
                SaliencyMethod::Guided => head_gradient(&head, layers, &top, true)?,
                SaliencyMethod::Excitation => head_excitation(&trunk, &head, layers, &top, false, &mut |_, _| ())?,
                SaliencyMethod::ContrastiveExcitation => {
                    head_excitation(&trunk, &head, layers, &top, true, &mut |_, _| ())?
                }
            });
        }
        let (samples, channels, slices, rows, columns) = pooled_shape(&trunk)?;
        let features = Tensor::cat(&features, 0)?;
        let pool5 = features.reshape((targets.len() * samples, channels, slices, rows, columns))?;
        match self.method {
            SaliencyMethod::Gradient => trunk_gradient(&trunk, pool5, false),
            SaliencyMethod::Guided => trunk_gradient(&trunk, pool5, true),
            SaliencyMethod::Excitation | SaliencyMethod::ContrastiveExcitation => {
                to_voxels(&self.trunk_excitation(&trunk, pool5, &mut |_, _| ())?)
            }
        }
    }

    /// Excitation from pool5 `[targets · n, channels, 1, 7, 14]` to the output of Conv1, summed over its channels:
    /// `[targets · n, 9, 56, 112]`. `on_layer` sees what arrives at the pooled output of each convolution.
    pub(super) fn trunk_excitation(&self, trunk: &TrunkTrace, pool5: Tensor, on_layer: OnLayer) -> Result<Tensor> {
        let mut p = pool5;
        for (step, excitatory) in trunk.steps.iter().zip(&self.excitatory).skip(1).rev() {
            on_layer(step.layer.name, &p);
            if step.layer.pooled {
                p = max_unpool_2x2(&p, &step.rectified)?;
            }
            p = mwp::convolution(&p, &step.input, excitatory, step.layer.window)?;
        }
        let conv1 = &trunk.steps[0];
        on_layer(conv1.layer.name, &p);
        max_unpool_2x2_channel_sum(&p, &conv1.rectified)
    }
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

/// Clamp at 0, and interpolation to voxels.
fn to_voxels(conv1: &Tensor) -> Result<Tensor> {
    let map = conv1.relu()?;
    let (samples, slices, rows, columns) = map.dims4()?;
    // An output of Conv1 (stride 2, padding 3, kernel 7) is centered on the voxel of twice its index.
    let along_rows = interpolation(rows, PATCH_ROWS, map.device())?;
    let along_columns = interpolation(columns, PATCH_COLUMNS, map.device())?;
    let wide = map.reshape((samples * slices * rows, columns))?.matmul(&along_columns.t()?)?;
    let wide = wide.reshape((samples * slices, rows, PATCH_COLUMNS))?;
    let voxels = along_rows.broadcast_matmul(&wide)?;
    voxels.reshape((samples, slices, PATCH_ROWS, PATCH_COLUMNS))
}

/// Matrix `[to, from]` of linear interpolation at `index / 2`; the last value is held beyond the end.
fn interpolation(from: usize, to: usize, device: &Device) -> Result<Tensor> {
    let mut weights = vec![0.0_f32; to * from];
    for index in 0..to {
        let (low, high) = ((index / 2).min(from - 1), index.div_ceil(2).min(from - 1));
        weights[index * from + low] += 0.5;
        weights[index * from + high] += 0.5;
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

/// |gradient| from pool5 to the voxels.
fn trunk_gradient(trunk: &TrunkTrace, pool5: Tensor, guided: bool) -> Result<Tensor> {
    let mut signal = pool5;
    for step in trunk.steps.iter().rev() {
        if step.layer.pooled {
            signal = max_unpool_2x2(&signal, &step.rectified)?;
        }
        signal = through_relu(&signal, &step.rectified, guided)?;
        let (_, channels, slices, rows, columns) = step.input.dims5()?;
        let shape = [signal.dim(0)?, channels, slices, rows, columns];
        signal = conv3d_input_gradient(&signal, &step.layer.weight.detach(), shape, step.layer.window)?;
    }
    signal.squeeze(1)?.abs()
}

/// Signal where the unit was active; guided, only where it is positive.
fn through_relu(signal: &Tensor, output: &Tensor, guided: bool) -> Result<Tensor> {
    let signal = if guided { signal.relu()? } else { signal.clone() };
    pass_where_positive(&signal, output)
}
