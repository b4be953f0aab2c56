//! Convolutions in two and three dimensions.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::correlation::{Correlation, arrange_filters};
use super::{elements, on_cpu, stock};

/// How a 3-D filter moves over its input: `[slice, row, column]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvWindow {
    /// Steps between neighbouring outputs, at least 1.
    pub stride: [usize; 3],
    /// Zeros added on both sides.
    pub padding: [usize; 3],
}

impl ConvWindow {
    /// Stride 1 and the padding that keeps the size of the input (for an odd kernel).
    #[must_use]
    pub fn same(kernel: [usize; 3]) -> Self {
        Self { stride: [1; 3], padding: kernel.map(|size| size / 2) }
    }
}

/// Convolves `input` `[n, c, d, h, w]` with `weight` `[o, c, kd, kh, kw]` (no flip, as in PyTorch) and adds `bias` `[o]`.
/// The result is `[n, o, d', h', w']` with `d' = (d + 2·padding − kd) / stride + 1` and so on.
///
/// # Errors
/// If the shapes do not fit together, or the device fails. Devices other than the CPU need the same stride along rows
/// and columns.
pub fn conv3d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>, window: ConvWindow) -> Result<Tensor> {
    let sizes = sizes(input.dims(), weight.dims(), window)?;
    if let Some(bias) = bias
        && bias.dims() != [sizes.out_channels]
    {
        bail!("bias of shape {:?} for {} filters", bias.dims(), sizes.out_channels);
    }
    if !(on_cpu(input) && on_cpu(weight) && bias.is_none_or(on_cpu)) {
        return stock::conv3d(input, weight, bias, window);
    }
    let (input, weight, op) = (input.contiguous()?, weight.contiguous()?, Convolution { window });
    match bias {
        Some(bias) => input.apply_op3(&weight, &bias.contiguous()?, op),
        None => input.apply_op2(&weight, op),
    }
}

/// Convolves `input` `[n, c, h, w]` with `weight` `[o, c, kh, kw]`, the same stride and padding along both directions.
///
/// # Errors
/// As [`conv3d`].
pub fn conv2d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: usize, padding: usize) -> Result<Tensor> {
    let window = ConvWindow { stride: [1, stride, stride], padding: [0, padding, padding] };
    conv3d(&input.unsqueeze(2)?, &weight.unsqueeze(2)?, bias, window)?.squeeze(2)
}

/// Gradient of a loss to the input of [`conv3d`], from its gradient to the output (the transposed convolution).
/// Not differentiable itself.
///
/// # Errors
/// As [`conv3d`], and if `grad_output` has not the shape of the output.
pub fn conv3d_input_gradient(
    grad_output: &Tensor,
    weight: &Tensor,
    input_shape: [usize; 5],
    window: ConvWindow,
) -> Result<Tensor> {
    let sizes = sizes(&input_shape, weight.dims(), window)?;
    check_grad_output(&sizes, grad_output.dims())?;
    if !(on_cpu(grad_output) && on_cpu(weight)) {
        return stock::conv3d_input_gradient(grad_output, weight, input_shape, window);
    }
    grad_output.contiguous()?.apply_op2_no_bwd(&weight.contiguous()?, &InputGradient { sizes })
}

/// Gradient of a loss to the weights of [`conv3d`].
fn conv3d_weight_gradient(
    grad_output: &Tensor,
    input: &Tensor,
    weight_shape: &[usize],
    window: ConvWindow,
) -> Result<Tensor> {
    let sizes = sizes(input.dims(), weight_shape, window)?;
    check_grad_output(&sizes, grad_output.dims())?;
    grad_output.contiguous()?.apply_op2_no_bwd(&input.contiguous()?, &WeightGradient { sizes })
}

fn check_grad_output(sizes: &Correlation, shape: &[usize]) -> Result<()> {
    if shape == output_shape(sizes) { Ok(()) } else { bail!("the output is {:?}, not {shape:?}", output_shape(sizes)) }
}

fn output_shape(sizes: &Correlation) -> [usize; 5] {
    let [slices, rows, columns] = sizes.output;
    [sizes.samples, sizes.out_channels, slices, rows, columns]
}

fn sizes(input: &[usize], weight: &[usize], window: ConvWindow) -> Result<Correlation> {
    let (&[samples, in_channels, d, h, w], &[out_channels, weight_channels, kd, kh, kw]) = (input, weight) else {
        bail!("a convolution needs five dimensions, got {input:?} and {weight:?}");
    };
    let (input, kernel) = ([d, h, w], [kd, kh, kw]);
    if in_channels != weight_channels || kernel.contains(&0) || window.stride.contains(&0) {
        bail!("input {input:?} of {in_channels} channels does not fit filters {weight:?} with {window:?}");
    }
    let mut output = [0; 3];
    for axis in 0..3 {
        let Some(room) = (input[axis] + 2 * window.padding[axis]).checked_sub(kernel[axis]) else {
            bail!("filters {weight:?} are larger than the padded input {input:?}");
        };
        output[axis] = room / window.stride[axis] + 1;
    }
    let offset = window.padding.map(|padding| -(padding as isize));
    Ok(Correlation { samples, in_channels, out_channels, input, kernel, stride: window.stride, offset, output })
}

/// Index of a weight `[o, c, kd, kh, kw]`.
fn weight_index(channels: usize, kernel: [usize; 3], filter: usize, channel: usize, tap: [usize; 3]) -> usize {
    (((filter * channels + channel) * kernel[0] + tap[0]) * kernel[1] + tap[1]) * kernel[2] + tap[2]
}

/// The convolution with its gradients, with bias (three arguments) and without.
struct Convolution {
    window: ConvWindow,
}

impl Convolution {
    fn forward(
        &self,
        (input, input_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = sizes(input_layout.dims(), weight_layout.dims(), self.window)?;
        let (input, weight) = (elements(input, input_layout)?, elements(weight, weight_layout)?);
        let (channels, kernel) = (sizes.in_channels, sizes.kernel);
        let filters = arrange_filters(sizes.out_channels, channels, kernel, |filter, channel, tap| {
            weight[weight_index(channels, kernel, filter, channel, tap)]
        });
        Ok((CpuStorage::F32(sizes.run(input, &filters, bias)), output_shape(&sizes).as_slice().into()))
    }

    /// Gradients to input and weight, each only where something upstream wants it.
    fn gradients(
        &self,
        input: &Tensor,
        weight: &Tensor,
        grad_output: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad_output = grad_output.contiguous()?;
        let to_input = input
            .track_op()
            .then(|| conv3d_input_gradient(&grad_output, weight, input.dims5()?.into(), self.window))
            .transpose()?;
        let to_weight = weight
            .track_op()
            .then(|| conv3d_weight_gradient(&grad_output, input, weight.dims(), self.window))
            .transpose()?;
        Ok((to_input, to_weight))
    }
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward((s1, l1), (s2, l2), None)
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        grad_output: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients(input, weight, grad_output)
    }
}

impl CustomOp3 for Convolution {
    fn name(&self) -> &'static str {
        "convolution-with-bias"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((s1, l1), (s2, l2), Some(elements(s3, l3)?))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _output: &Tensor,
        grad_output: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (to_input, to_weight) = self.gradients(input, weight, grad_output)?;
        let to_bias = bias.track_op().then(|| grad_output.contiguous()?.apply_op1_no_bwd(&ChannelSums)).transpose()?;
        Ok((to_input, to_weight, to_bias))
    }
}

/// Gradient to the input: for each phase of the stride a correlation of the output's gradient with mirrored filters.
struct InputGradient {
    sizes: Correlation,
}

/// Inputs of one axis that share their taps: `position = first + step · index`.
#[derive(Clone, Copy)]
struct AxisPhase {
    first: usize,
    count: usize,
    /// Taps `first_tap + stride · j`, `j < taps`.
    first_tap: usize,
    taps: usize,
    offset: isize,
}

impl InputGradient {
    /// Phases of one axis. Input `y` gets from output `t − j` through tap `r + stride·j`, where `y + padding = stride·t + r`.
    fn axis_phases(&self, axis: usize) -> Vec<AxisPhase> {
        let (stride, size, kernel) = (self.sizes.stride[axis], self.sizes.input[axis], self.sizes.kernel[axis]);
        let padding = self.sizes.offset[axis].unsigned_abs();
        (0..stride.min(kernel))
            .filter_map(|remainder| {
                let t_first = padding.saturating_sub(remainder).div_ceil(stride);
                let first = t_first * stride + remainder - padding;
                let taps = (kernel - remainder).div_ceil(stride);
                let offset = t_first as isize - (taps as isize - 1);
                let count = size.checked_sub(first).filter(|rest| *rest > 0)?.div_ceil(stride);
                Some(AxisPhase { first, count, first_tap: remainder, taps, offset })
            })
            .collect()
    }

    fn run_phase(&self, phase: [AxisPhase; 3], grad_output: &[f32], weight: &[f32]) -> Vec<f32> {
        let sizes = &self.sizes;
        let kernel = phase.map(|axis| axis.taps);
        let mirrored = arrange_filters(sizes.in_channels, sizes.out_channels, kernel, |channel, filter, tap| {
            let tap = std::array::from_fn(|axis| {
                phase[axis].first_tap + sizes.stride[axis] * (phase[axis].taps - 1 - tap[axis])
            });
            weight[weight_index(sizes.in_channels, sizes.kernel, filter, channel, tap)]
        });
        Correlation {
            samples: sizes.samples,
            in_channels: sizes.out_channels,
            out_channels: sizes.in_channels,
            input: sizes.output,
            kernel,
            stride: [1; 3],
            offset: phase.map(|axis| axis.offset),
            output: phase.map(|axis| axis.count),
        }
        .run(grad_output, &mirrored, None)
    }

    fn scatter(&self, phase: [AxisPhase; 3], part: &[f32], result: &mut [f32]) {
        let [_, rows, columns] = self.sizes.input;
        let [slice_step, row_step, column_step] = self.sizes.stride;
        let [slice_phase, row_phase, column_phase] = phase;
        let part_pixels = slice_phase.count * row_phase.count * column_phase.count;
        let pixels = self.sizes.input.iter().product::<usize>();
        result.par_chunks_mut(pixels).zip(part.par_chunks(part_pixels)).for_each(|(result, part)| {
            for (line, values) in part.chunks_exact(column_phase.count).enumerate() {
                let slice = slice_phase.first + line / row_phase.count * slice_step;
                let row = row_phase.first + line % row_phase.count * row_step;
                let start = (slice * rows + row) * columns + column_phase.first;
                let end = (slice * rows + row + 1) * columns;
                for (target, value) in result[start..end].iter_mut().step_by(column_step).zip(values) {
                    *target = *value;
                }
            }
        });
    }
}

impl CustomOp2 for InputGradient {
    fn name(&self) -> &'static str {
        "convolution-input-gradient"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (grad_output, weight) = (elements(s1, l1)?, elements(s2, l2)?);
        let [d, h, w] = self.sizes.input;
        let shape: Shape = [self.sizes.samples, self.sizes.in_channels, d, h, w].as_slice().into();
        let [slices, rows, columns] = [0, 1, 2].map(|axis| self.axis_phases(axis));
        if self.sizes.stride == [1; 3] {
            let whole = [slices[0], rows[0], columns[0]];
            return Ok((CpuStorage::F32(self.run_phase(whole, grad_output, weight)), shape));
        }
        let mut result = vec![0.0; shape.elem_count()];
        for slice in &slices {
            for row in &rows {
                for column in &columns {
                    let phase = [*slice, *row, *column];
                    let part = self.run_phase(phase, grad_output, weight);
                    self.scatter(phase, &part, &mut result);
                }
            }
        }
        Ok((CpuStorage::F32(result), shape))
    }
}

/// Gradient to the weights; arguments are the output's gradient and the input.
struct WeightGradient {
    sizes: Correlation,
}

impl CustomOp2 for WeightGradient {
    fn name(&self) -> &'static str {
        "convolution-weight-gradient"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let gradient = self.sizes.filter_gradient(elements(s2, l2)?, elements(s1, l1)?);
        let [kd, kh, kw] = self.sizes.kernel;
        let shape = [self.sizes.out_channels, self.sizes.in_channels, kd, kh, kw];
        Ok((CpuStorage::F32(gradient), shape.as_slice().into()))
    }
}

/// Sum of each channel of `[n, c, ..]` over everything else, `[c]`.
struct ChannelSums;

impl candle_core::CustomOp1 for ChannelSums {
    fn name(&self) -> &'static str {
        "channel-sums"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        const LANES: usize = 16;
        let values = elements(storage, layout)?;
        let (samples, channels) = (layout.dims()[0], layout.dims()[1]);
        let plane = values.len() / (samples * channels).max(1);
        let sum = |channel: usize| {
            let mut lanes = [0.0_f32; LANES];
            let mut total = 0.0_f64;
            for sample in 0..samples {
                let start = (sample * channels + channel) * plane;
                let mut chunks = values[start..start + plane].chunks_exact(LANES);
                for chunk in &mut chunks {
                    for (lane, value) in lanes.iter_mut().zip(chunk) {
                        *lane += value;
                    }
                }
                total += chunks.remainder().iter().map(|value| f64::from(*value)).sum::<f64>();
                total += lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>();
                lanes.fill(0.0);
            }
            total as f32
        };
        let sums: Vec<f32> = (0..channels).into_par_iter().map(sum).collect();
        Ok((CpuStorage::F32(sums), channels.into()))
    }
}
