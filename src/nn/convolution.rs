//! Convolutions in two and three dimensions.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::correlation::{Correlation, Filters};
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
pub(crate) fn conv2d(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
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

/// Gradient of a loss to the weights of [`conv3d`], from its gradient to the output, on the CPU only. Not differentiable
/// itself.
///
/// # Errors
/// As [`conv3d_input_gradient`].
pub fn conv3d_weight_gradient(
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
        let filters = Filters::contiguous(weight, sizes.in_channels, sizes.kernel);
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

/// Gradient to the input: a correlation of the output's gradient with mirrored filters. Where the convolution has a
/// stride, inputs fall into phases that each see their own taps; the phases are channels of the correlation, put back
/// into their places afterwards.
struct InputGradient {
    sizes: Correlation,
}

impl InputGradient {
    fn run(&self, grad_output: &[f32], weight: &[f32]) -> Vec<f32> {
        let sizes = &self.sizes;
        if sizes.stride == [1; 3] {
            let filters = Filters::mirrored(weight, sizes.in_channels, sizes.kernel);
            let offset = [0, 1, 2].map(|axis| 1 - sizes.kernel[axis] as isize - sizes.offset[axis]);
            return self.transposed(sizes.in_channels, sizes.kernel, offset, sizes.input).run(
                grad_output,
                &filters,
                None,
            );
        }
        let taps = self.phase_taps();
        let filters = self.phase_filters(weight);
        // Position `input + padding` is `stride · t + phase`; it gets from output t − j through tap `phase + stride · j`.
        let steps = [0, 1, 2].map(|axis| (sizes.input[axis] + self.padding(axis)).div_ceil(sizes.stride[axis]));
        let offset = taps.map(|taps| 1 - taps as isize);
        let correlation = self.transposed(self.phases() * sizes.in_channels, taps, offset, steps);
        let filters = Filters::contiguous(&filters, sizes.out_channels, taps);
        self.join_phases(&correlation.run(grad_output, &filters, None), steps)
    }

    /// The correlation that reads the output's gradient.
    fn transposed(&self, channels: usize, kernel: [usize; 3], offset: [isize; 3], output: [usize; 3]) -> Correlation {
        Correlation {
            samples: self.sizes.samples,
            in_channels: self.sizes.out_channels,
            out_channels: channels,
            input: self.sizes.output,
            kernel,
            stride: [1; 3],
            offset,
            output,
        }
    }

    fn padding(&self, axis: usize) -> usize {
        self.sizes.offset[axis].unsigned_abs()
    }

    fn phases(&self) -> usize {
        self.sizes.stride.iter().product()
    }

    /// Taps that a phase sees, at most.
    fn phase_taps(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.sizes.kernel[axis].div_ceil(self.sizes.stride[axis]))
    }

    /// Filters `[phase, channel, filter, slice, row, column]`, mirrored; zero where a phase has fewer taps.
    fn phase_filters(&self, weight: &[f32]) -> Vec<f32> {
        let sizes = &self.sizes;
        let ([depth, height, width], taps) = (sizes.kernel, self.phase_taps());
        let taps_of_phase: usize = taps.iter().product();
        let mut filters = vec![0.0; self.phases() * sizes.in_channels * sizes.out_channels * taps_of_phase];
        for (index, value) in filters.iter_mut().enumerate() {
            let (tap, rest) = (index % taps_of_phase, index / taps_of_phase);
            let (filter, rest) = (rest % sizes.out_channels, rest / sizes.out_channels);
            let (channel, phase) = (rest % sizes.in_channels, self.phase(rest / sizes.in_channels));
            let tap = [tap / (taps[1] * taps[2]), tap / taps[2] % taps[1], tap % taps[2]];
            let [slice, row, column] =
                [0, 1, 2].map(|axis| phase[axis] + sizes.stride[axis] * (taps[axis] - 1 - tap[axis]));
            if slice < depth && row < height && column < width {
                let plane = (filter * sizes.in_channels + channel) * depth + slice;
                *value = weight[(plane * height + row) * width + column];
            }
        }
        filters
    }

    fn phase(&self, index: usize) -> [usize; 3] {
        let [_, rows, columns] = self.sizes.stride;
        [index / (rows * columns), index / columns % rows, index % columns]
    }

    /// Puts `[sample, phase, channel, steps..]` into the places of the inputs.
    fn join_phases(&self, parts: &[f32], steps: [usize; 3]) -> Vec<f32> {
        let sizes = &self.sizes;
        let ([slices, rows, columns], stride) = (sizes.input, sizes.stride);
        let planes = sizes.samples * sizes.in_channels * slices;
        let mut joined = vec![0.0; planes * rows * columns];
        let (sample_size, part_size) = (self.phases() * sizes.in_channels, steps.iter().product::<usize>());
        joined.par_chunks_mut((rows * columns).max(1)).enumerate().for_each(|(plane, joined)| {
            let (slice, channel) = (plane % slices + self.padding(0), plane / slices % sizes.in_channels);
            let sample = plane / slices / sizes.in_channels;
            for (row, line) in joined.chunks_exact_mut(columns).enumerate() {
                let row = row + self.padding(1);
                for column_phase in 0..stride[2] {
                    let phase = (slice % stride[0] * stride[1] + row % stride[1]) * stride[2] + column_phase;
                    let part = sample * sample_size + phase * sizes.in_channels + channel;
                    let start = part * part_size + (slice / stride[0] * steps[1] + row / stride[1]) * steps[2];
                    let first_step = self.padding(2).saturating_sub(column_phase).div_ceil(stride[2]);
                    let first = first_step * stride[2] + column_phase - self.padding(2);
                    let values = &parts[start + first_step..start + steps[2]];
                    for (target, value) in line.iter_mut().skip(first).step_by(stride[2]).zip(values) {
                        *target = *value;
                    }
                }
            }
        });
        joined
    }
}

impl CustomOp2 for InputGradient {
    fn name(&self) -> &'static str {
        "convolution-input-gradient"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let [d, h, w] = self.sizes.input;
        let shape: Shape = [self.sizes.samples, self.sizes.in_channels, d, h, w].as_slice().into();
        Ok((CpuStorage::F32(self.run(elements(s1, l1)?, elements(s2, l2)?)), shape))
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
