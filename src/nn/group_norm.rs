//! Group normalization and ReLU in one pass.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{elements, on_cpu};

const EPSILON: f32 = 1e-5;

/// Group normalization (Wu & He 2018) followed by ReLU: `max(0, (x − mean) / sqrt(variance + 1e-5) · scale + shift)`.
///
/// `input` is `[n, c, h, w]`, `scale` and `shift` are `[c]`; mean and variance are taken over the `c / groups` channels
/// and all positions of each group of each sample, so the result does not depend on the rest of the batch.
///
/// # Errors
/// If the shapes do not match, `groups` does not divide the channels, or the type is not `f32`.
pub(crate) fn group_norm_relu(input: &Tensor, scale: &Tensor, shift: &Tensor, groups: usize) -> Result<Tensor> {
    let (_, channels, _, _) = input.dims4()?;
    if groups == 0 || !channels.is_multiple_of(groups) || scale.dims() != [channels] || shift.dims() != [channels] {
        bail!(
            "group norm of {channels} channels in {groups} groups, scale {:?}, shift {:?}",
            scale.dims(),
            shift.dims()
        )
    }
    if on_cpu(input) {
        input.contiguous()?.apply_op3(&scale.contiguous()?, &shift.contiguous()?, GroupNormRelu { groups })
    } else {
        composed(input, scale, shift, groups)
    }
}

/// The same from stock operations: for accelerators, and the reference of the test.
fn composed(input: &Tensor, scale: &Tensor, shift: &Tensor, groups: usize) -> Result<Tensor> {
    let (n, channels, h, w) = input.dims4()?;
    let grouped = input.reshape((n, groups, channels / groups * h * w))?;
    let centered = grouped.broadcast_sub(&grouped.mean_keepdim(2)?)?;
    let deviation = (centered.sqr()?.mean_keepdim(2)? + f64::from(EPSILON))?.sqrt()?;
    let normalized = centered.broadcast_div(&deviation)?.reshape((n, channels, h, w))?;
    let scaled = normalized.broadcast_mul(&scale.reshape((1, channels, 1, 1))?)?;
    scaled.broadcast_add(&shift.reshape((1, channels, 1, 1))?)?.relu()
}

struct GroupNormRelu {
    groups: usize,
}

/// Mean and 1 / standard deviation.
fn moments(values: &[f32]) -> (f32, f32) {
    // Partial sums per row of 1024 in f32, then f64: exact enough for any size, and the compiler can vectorize it.
    let count = values.len() as f64;
    let mean = values.chunks(1024).map(|part| f64::from(part.iter().sum::<f32>())).sum::<f64>() / count;
    let center = mean as f32;
    let square = |part: &[f32]| f64::from(part.iter().map(|v| (v - center) * (v - center)).sum::<f32>());
    let variance = values.chunks(1024).map(square).sum::<f64>() / count;
    (center, 1.0 / (variance as f32 + EPSILON).sqrt())
}

impl CustomOp3 for GroupNormRelu {
    fn name(&self) -> &'static str {
        "group-norm-relu"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let input = elements(input, input_layout)?;
        let scale = elements(scale, scale_layout)?;
        let shift = elements(shift, shift_layout)?;
        let (_, channels, h, w) = input_layout.shape().dims4()?;
        let (plane, per_group) = (h * w, channels / self.groups);
        let mut output = vec![0f32; input.len()];
        let group_size = per_group * plane;
        output.par_chunks_mut(group_size).zip(input.par_chunks(group_size)).enumerate().for_each(
            |(index, (output, input))| {
                let (mean, inverse) = moments(input);
                let first = index % self.groups * per_group;
                for (channel, (output, input)) in output.chunks_mut(plane).zip(input.chunks(plane)).enumerate() {
                    let factor = inverse * scale[first + channel];
                    let offset = shift[first + channel] - mean * factor;
                    for (out, value) in output.iter_mut().zip(input) {
                        *out = (value * factor + offset).max(0.0);
                    }
                }
            },
        );
        Ok((CpuStorage::F32(output), input_layout.shape().clone()))
    }

    fn bwd(
        &self,
        input: &Tensor,
        scale: &Tensor,
        shift: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, channels, h, w) = input.dims4()?;
        let (plane, per_group) = (h * w, channels / self.groups);
        let group_size = per_group * plane;
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let (x, y, mut dy, scales) = (values(input)?, values(result)?, values(gradient)?, values(scale)?);
        // Per group: turns dy into the gradient of the input in place and returns those of scale and shift.
        let partial: Vec<Vec<(f32, f32)>> = dy
            .par_chunks_mut(group_size)
            .zip(x.par_chunks(group_size).zip(y.par_chunks(group_size)))
            .enumerate()
            .map(|(index, (dy, (x, y)))| {
                let first = index % self.groups * per_group;
                group_gradient(dy, x, y, &scales[first..first + per_group], plane)
            })
            .collect();
        let mut scale_gradient = vec![0f32; channels];
        let mut shift_gradient = vec![0f32; channels];
        for (index, group) in partial.iter().enumerate() {
            let first = index % self.groups * per_group;
            for (channel, (to_scale, to_shift)) in group.iter().enumerate() {
                scale_gradient[first + channel] += to_scale;
                shift_gradient[first + channel] += to_shift;
            }
        }
        let device = input.device();
        Ok((
            Some(Tensor::from_vec(dy, input.shape(), device)?),
            Some(Tensor::from_vec(scale_gradient, scale.shape(), device)?),
            Some(Tensor::from_vec(shift_gradient, shift.shape(), device)?),
        ))
    }
}

/// Gradients of one group: `dy` becomes that of the input; those of each channel's scale and shift are returned.
fn group_gradient(dy: &mut [f32], x: &[f32], y: &[f32], scale: &[f32], plane: usize) -> Vec<(f32, f32)> {
    let (mean, inverse) = moments(x);
    let mut per_channel = Vec::with_capacity(scale.len());
    let (mut sum, mut sum_normalized) = (0f64, 0f64);
    for (channel, factor) in scale.iter().enumerate() {
        let range = channel * plane..(channel + 1) * plane;
        let (mut to_scale, mut to_shift) = (0f64, 0f64);
        for ((dy, x), y) in
            dy[range.clone()].chunks_mut(1024).zip(x[range.clone()].chunks(1024)).zip(y[range].chunks(1024))
        {
            let (mut part_scale, mut part_shift) = (0f32, 0f32);
            for ((dy, x), y) in dy.iter_mut().zip(x).zip(y) {
                *dy = if *y > 0.0 { *dy } else { 0.0 };
                part_scale += *dy * (x - mean);
                part_shift += *dy;
            }
            to_scale += f64::from(part_scale * inverse);
            to_shift += f64::from(part_shift);
        }
        sum += to_shift * f64::from(*factor);
        sum_normalized += to_scale * f64::from(*factor);
        per_channel.push((to_scale as f32, to_shift as f32));
    }
    let count = x.len() as f64;
    let (mean_gradient, mean_product) = ((sum / count) as f32, (sum_normalized / count) as f32);
    for (channel, factor) in scale.iter().enumerate() {
        let range = channel * plane..(channel + 1) * plane;
        for (dy, x) in dy[range.clone()].iter_mut().zip(&x[range]) {
            let normalized = (x - mean) * inverse;
            *dy = inverse * (*dy * factor - mean_gradient - normalized * mean_product);
        }
    }
    per_channel
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    fn wave(shape: (usize, usize, usize, usize), phase: f32) -> Tensor {
        let count = shape.0 * shape.1 * shape.2 * shape.3;
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7 + phase).sin() + i as f32 * 0.01).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).expect("matching size")
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        let difference = (a - b).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar());
        difference.expect("same shape")
    }

    #[test]
    fn value_and_gradients_equal_those_of_stock_operations() {
        let input = Var::from_tensor(&wave((2, 6, 3, 5), 0.3)).expect("variable");
        let scale = Var::new(&[1.0f32, 0.5, -0.7, 1.3, 2.0, 0.1], &Device::Cpu).expect("variable");
        let shift = Var::new(&[0.1f32, -0.2, 0.3, 0.0, 0.5, 0.2], &Device::Cpu).expect("variable");
        let weights = wave((2, 6, 3, 5), 1.1);
        let run = |output: Tensor| {
            let grads = output.mul(&weights).expect("shape").sum_all().expect("sum").backward().expect("backward");
            let gradient = |var: &Var| grads.get(var).expect("gradient").clone();
            [output, gradient(&input), gradient(&scale), gradient(&shift)]
        };
        let fused = run(group_norm_relu(&input, &scale, &shift, 3).expect("valid"));
        let stock = run(composed(&input, &scale, &shift, 3).expect("valid"));
        for (a, b) in fused.iter().zip(&stock) {
            let difference = largest_difference(a, b);
            assert!(difference < 2e-4, "differs by {difference}");
        }
    }

    #[test]
    fn groups_must_divide_the_channels() {
        let ones = Tensor::ones(6, DType::F32, &Device::Cpu).expect("ones");
        assert!(group_norm_relu(&wave((1, 6, 2, 2), 0.0), &ones, &ones, 4).is_err());
    }
}
