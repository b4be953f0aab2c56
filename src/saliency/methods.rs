//! The four methods, for a batch of disc volumes.

use candle_core::{Device, Result, Tensor};

use super::{SaliencyMethod, mwp};
use crate::model::grading::{GradingNetwork, Head, HeadTrace, TrunkTrace};
use crate::nn::{conv3d_input_gradient, max_unpool_2x2};
use crate::spine::{ClassIndex, Grading, PATCH_COLUMNS, PATCH_ROWS};

/// Evidence `[n, 9, 112, 224]`, not negative, for `class` in disc volumes `[n, 9, 112, 224]`.
///
/// Gradients are taken to the voxels. The excitation methods stop at the output of Conv1, which keeps the slices: their
/// probabilities are summed over its channels, clamped at 0 and brought to voxel size by bilinear interpolation.
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
    let trunk = network.trace_trunk(discs)?;
    let head = network.trace_head(grading, &trunk.features)?;
    let top = one_hot(head.logits.dims2()?, class, network.device())?;
    let layers = network.head(grading);
    match method {
        SaliencyMethod::Gradient => input_gradient(&trunk, &head, layers, &top, false),
        SaliencyMethod::Guided => input_gradient(&trunk, &head, layers, &top, true),
        SaliencyMethod::Excitation => to_voxels(&excitation(&trunk, &head, layers, &top, false)?),
        SaliencyMethod::ContrastiveExcitation => to_voxels(&excitation(&trunk, &head, layers, &top, true)?),
    }
}

/// `[samples, classes]` with 1 at `class`.
fn one_hot((samples, classes): (usize, usize), class: ClassIndex, device: &Device) -> Result<Tensor> {
    if class >= classes {
        candle_core::bail!("there are {classes} classes, no class {class}");
    }
    let row: Vec<f32> = (0..classes).map(|index| if index == class { 1.0 } else { 0.0 }).collect();
    Tensor::from_vec(row, (1, classes), device)?.repeat((samples, 1))
}

/// Probabilities at each layer on the way down, named by the layer whose output they belong to.
pub(super) struct Excitation {
    pub(super) layers: Vec<(&'static str, Tensor)>,
}

impl Excitation {
    /// Those at the output of Conv1, before pooling: `[n, channels, 9, 56, 112]`.
    fn conv1(&self) -> &Tensor {
        let (_, conv1) = &self.layers[self.layers.len() - 1];
        conv1
    }
}

/// Marginal winning probabilities from the class down to Conv1; contrastive ones are signed.
pub(super) fn excitation(
    trunk: &TrunkTrace,
    head: &HeadTrace,
    layers: &Head,
    top: &Tensor,
    contrastive: bool,
) -> Result<Excitation> {
    let last = if contrastive { mwp::contrastive_linear } else { mwp::linear };
    let fc7 = last(top, &head.fc7, &layers.fc8.weight)?;
    let fc6 = mwp::linear(&fc7, &head.fc6, &layers.fc7.weight)?;
    let features = mwp::linear(&fc6, &trunk.features, &layers.fc6.weight)?;
    let mut p = features.reshape(pooled_shape(trunk)?)?;
    let mut passed = vec![("fc7", fc7), ("fc6", fc6), ("pool5", p.clone())];
    for (index, step) in trunk.steps.iter().enumerate().rev() {
        if step.layer.pooled {
            p = mwp::max_pool(&p, &step.rectified)?;
        }
        passed.push((step.layer.name, p.clone()));
        if index > 0 {
            p = mwp::convolution(&p, &step.input, &step.layer.weight, step.layer.window)?;
        }
    }
    Ok(Excitation { layers: passed })
}

/// Shape of pool5 before it was flattened.
fn pooled_shape(trunk: &TrunkTrace) -> Result<(usize, usize, usize, usize, usize)> {
    let (samples, channels, slices, rows, columns) = trunk.steps[trunk.steps.len() - 1].rectified.dims5()?;
    Ok((samples, channels, slices, rows / 2, columns / 2))
}

/// Sum over channels, clamp at 0, and interpolation to voxels.
fn to_voxels(excitation: &Excitation) -> Result<Tensor> {
    let map = excitation.conv1().sum(1)?.relu()?;
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

/// |gradient| to the voxels; `guided` stops negative signals at every ReLU.
fn input_gradient(trunk: &TrunkTrace, head: &HeadTrace, layers: &Head, top: &Tensor, guided: bool) -> Result<Tensor> {
    let through_linear =
        |signal: &Tensor, layer: &crate::model::grading::LinearLayer| signal.matmul(&layer.weight.detach());
    let fc7 = through_relu(&through_linear(top, &layers.fc8)?, &head.fc7, guided)?;
    let fc6 = through_relu(&through_linear(&fc7, &layers.fc7)?, &head.fc6, guided)?;
    let features = through_linear(&fc6, &layers.fc6)?;
    let mut signal = features.reshape(pooled_shape(trunk)?)?;
    for step in trunk.steps.iter().rev() {
        if step.layer.pooled {
            signal = max_unpool_2x2(&signal, &step.rectified)?;
        }
        signal = through_relu(&signal, &step.rectified, guided)?;
        let shape = step.input.dims5()?.into();
        signal = conv3d_input_gradient(&signal, &step.layer.weight.detach(), shape, step.layer.window)?;
    }
    signal.squeeze(1)?.abs()
}

/// Signal where the unit was active; guided, only where it is positive.
fn through_relu(signal: &Tensor, output: &Tensor, guided: bool) -> Result<Tensor> {
    let signal = if guided { signal.relu()? } else { signal.clone() };
    output.gt(0.0)?.where_cond(&signal, &signal.zeros_like()?)
}
