//! The same functions composed from stock Candle operations, for devices other than the CPU and as a reference in tests.

use candle_core::{D, Result, Tensor, Var, bail};

use super::ConvWindow;

/// 3-D convolution as a sum over slice taps of 2-D convolutions.
pub(super) fn conv3d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>, window: ConvWindow) -> Result<Tensor> {
    let ConvWindow { stride: [slice_stride, stride, column_stride], padding: [slices, rows, columns] } = window;
    if stride != column_stride {
        bail!("this device needs the same stride along rows and columns, got {stride} and {column_stride}");
    }
    let padded =
        input.pad_with_zeros(2, slices, slices)?.pad_with_zeros(3, rows, rows)?.pad_with_zeros(4, columns, columns)?;
    // Candle's gradient fails where rows and columns that no filter reads are left over in one direction only.
    let used = |size: usize, kernel: usize| (size - kernel) / stride * stride + kernel;
    let (samples, channels, depth, height, width) = padded.dims5()?;
    let (height, width) = (used(height, weight.dim(3)?), used(width, weight.dim(4)?));
    let input = padded.narrow(3, 0, height)?.narrow(4, 0, width)?.contiguous()?;
    let taps = weight.dim(2)?;
    let out_slices = (depth - taps) / slice_stride + 1;
    let mut sum: Option<Tensor> = None;
    for tap in 0..taps {
        let read: Vec<u32> = (0..out_slices).map(|slice| (slice * slice_stride + tap) as u32).collect();
        let slices = input.index_select(&Tensor::new(read, input.device())?, 2)?;
        let planes = slices.transpose(1, 2)?.reshape((samples * out_slices, channels, height, width))?;
        let part = planes.conv2d(&weight.narrow(2, tap, 1)?.squeeze(2)?.contiguous()?, 0, stride, 1, 1)?;
        sum = Some(match sum {
            Some(sum) => (sum + part)?,
            None => part,
        });
    }
    let Some(sum) = sum else { bail!("a filter without taps") };
    let (_, filters, out_height, out_width) = sum.dims4()?;
    let output = sum.reshape((samples, out_slices, filters, out_height, out_width))?.transpose(1, 2)?.contiguous()?;
    match bias {
        Some(bias) => output.broadcast_add(&bias.reshape((1, filters, 1, 1, 1))?),
        None => Ok(output),
    }
}

/// Gradient to the input by Candle's autograd: the convolution is linear, so it may be taken at zero.
pub(super) fn conv3d_input_gradient(
    grad_output: &Tensor,
    weight: &Tensor,
    input_shape: [usize; 5],
    window: ConvWindow,
) -> Result<Tensor> {
    let input = Var::zeros(input_shape.as_slice(), grad_output.dtype(), grad_output.device())?;
    let output = conv3d(&input, &weight.detach(), None, window)?;
    let gradients = (output * grad_output.detach())?.sum_all()?.backward()?;
    match gradients.get(&input) {
        Some(gradient) => Ok(gradient.clone()),
        None => bail!("the convolution has no gradient"),
    }
}

/// max(0, x) with gradient 0 at 0.
pub(super) fn relu(input: &Tensor) -> Result<Tensor> {
    input * input.detach().gt(0.0)?.to_dtype(input.dtype())?
}

/// The four pixels of each 2 × 2 window in reading order, each `[.., h/2, w/2]`.
fn window_pixels(input: &Tensor) -> Result<[Tensor; 4]> {
    let dims = input.dims();
    let rank = dims.len();
    let (rows, columns) = (dims[rank - 2] / 2, dims[rank - 1] / 2);
    let even = input.narrow(D::Minus2, 0, 2 * rows)?.narrow(D::Minus1, 0, 2 * columns)?;
    let mut shape = dims[..rank - 2].to_vec();
    shape.extend([rows, 2, columns, 2]);
    let split = even.contiguous()?.reshape(shape)?;
    let pixel = |row: usize, column: usize| {
        split.narrow(rank - 1, row, 1)?.narrow(rank + 1, column, 1)?.squeeze(rank + 1)?.squeeze(rank - 1)
    };
    Ok([pixel(0, 0)?, pixel(0, 1)?, pixel(1, 0)?, pixel(1, 1)?])
}

/// For each pixel of the windows 1 where it is the first largest and 0 elsewhere.
fn winner_masks(pixels: &[Tensor; 4]) -> Result<Vec<Tensor>> {
    let pixels = pixels.each_ref().map(Tensor::detach);
    let largest = pixels[0].maximum(&pixels[1])?.maximum(&pixels[2])?.maximum(&pixels[3])?;
    let mut free = largest.ones_like()?;
    let mut masks = Vec::with_capacity(4);
    for pixel in &pixels {
        let mask = (pixel.eq(&largest)?.to_dtype(largest.dtype())? * &free)?;
        free = (free - &mask)?;
        masks.push(mask);
    }
    Ok(masks)
}

/// Largest of each window; the gradient goes to the winner.
pub(super) fn max_pool_2x2(input: &Tensor) -> Result<Tensor> {
    let pixels = window_pixels(input)?;
    let masks = winner_masks(&pixels)?;
    let mut sum = (&pixels[0] * &masks[0])?;
    for (pixel, mask) in pixels.iter().zip(&masks).skip(1) {
        sum = (sum + (pixel * mask)?)?;
    }
    Ok(sum)
}

/// Puts pooled values where the winners are.
pub(super) fn max_unpool_2x2(pooled: &Tensor, input: &Tensor) -> Result<Tensor> {
    let masks = winner_masks(&window_pixels(input)?)?;
    let rank = input.rank();
    let routed: Vec<Tensor> = masks.iter().map(|mask| mask * pooled).collect::<Result<_>>()?;
    let top = Tensor::stack(&routed[..2], rank)?;
    let bottom = Tensor::stack(&routed[2..], rank)?;
    // [.., h/2, 2, w/2, 2], then joined to [.., h, w] and padded where an odd row or column was left out.
    let joined = Tensor::stack(&[top, bottom], rank - 1)?;
    let (rows, columns) = (pooled.dim(D::Minus2)?, pooled.dim(D::Minus1)?);
    let mut shape = input.dims()[..rank - 2].to_vec();
    shape.extend([2 * rows, 2 * columns]);
    let even = joined.contiguous()?.reshape(shape)?;
    even.pad_with_zeros(rank - 2, 0, input.dim(D::Minus2)? - 2 * rows)?.pad_with_zeros(
        rank - 1,
        0,
        input.dim(D::Minus1)? - 2 * columns,
    )
}
