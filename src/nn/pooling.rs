//! Max-pooling of 2 × 2 windows and its reverse.

#![allow(clippy::inline_always, reason = "only what is inlined into the dispatched function sees its registers")]

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{elements, on_cpu, stock};

/// Largest of each 2 × 2 window of the last two dimensions, `[.., h, w]` to `[.., h/2, w/2]`; an odd last row or column
/// is left out. The gradient goes to the winner, the first in reading order where several are equal (as in PyTorch).
///
/// # Errors
/// If there are fewer than two dimensions or fewer than two rows or columns, or the device fails.
pub fn max_pool_2x2(input: &Tensor) -> Result<Tensor> {
    Planes::of(input.dims())?;
    if on_cpu(input) { input.contiguous()?.apply_op1(MaxPool) } else { stock::max_pool_2x2(input) }
}

/// Puts each value of `pooled` (`[.., h/2, w/2]`) where `input` (`[.., h, w]`) has the winner of its window; zero
/// elsewhere. This is the gradient of [`max_pool_2x2`] and how excitation passes through it. `pooled` may hold several
/// targets of the same samples, `[targets · n, ..]` where the input is `[n, ..]`. Not differentiable.
///
/// # Errors
/// If the shapes do not belong together or the device fails.
pub fn max_unpool_2x2(pooled: &Tensor, input: &Tensor) -> Result<Tensor> {
    let repeats = check_pooled(pooled, input)?;
    if on_cpu(input) && on_cpu(pooled) {
        return pooled.contiguous()?.apply_op2_no_bwd(&input.contiguous()?, &MaxUnpool { sums_channels: false });
    }
    let parts = pooled.chunk(repeats, 0)?.into_iter().map(|part| stock::max_unpool_2x2(&part, input));
    Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
}

/// Sum over the channels of [`max_unpool_2x2`]: `[targets · n, c, d, h/2, w/2]` and `[n, c, d, h, w]` to
/// `[targets · n, d, h, w]`.
///
/// # Errors
/// As [`max_unpool_2x2`].
pub(crate) fn max_unpool_2x2_channel_sum(pooled: &Tensor, input: &Tensor) -> Result<Tensor> {
    check_pooled(pooled, input)?;
    input.dims5()?;
    if on_cpu(input) && on_cpu(pooled) {
        return pooled.contiguous()?.apply_op2_no_bwd(&input.contiguous()?, &MaxUnpool { sums_channels: true });
    }
    max_unpool_2x2(pooled, input)?.sum(1)
}

/// How many targets `pooled` holds of each sample of `input`.
fn check_pooled(pooled: &Tensor, input: &Tensor) -> Result<usize> {
    let planes = Planes::of(input.dims())?;
    super::repeated::repeats(pooled.dims(), &planes.pooled_shape(input.dims()))
}

/// Rows and columns of the planes that are pooled.
#[derive(Clone, Copy)]
struct Planes {
    rows: usize,
    columns: usize,
}

impl Planes {
    fn of(shape: &[usize]) -> Result<Self> {
        match shape {
            [.., rows, columns] if *rows >= 2 && *columns >= 2 => Ok(Self { rows: *rows, columns: *columns }),
            _ => bail!("2 x 2 pooling needs two rows and two columns, got {shape:?}"),
        }
    }

    fn pooled_shape(self, shape: &[usize]) -> Vec<usize> {
        let mut pooled = shape.to_vec();
        let rank = pooled.len();
        pooled[rank - 2] = self.rows / 2;
        pooled[rank - 1] = self.columns / 2;
        pooled
    }

    fn pixels(self) -> usize {
        self.rows * self.columns
    }

    fn pooled_pixels(self) -> usize {
        (self.rows / 2) * (self.columns / 2)
    }
}

/// One plane's pooling, compiled for the registers of this processor. (A closure would not do: its body is a function of
/// its own, compiled for the oldest processor.)
struct PoolPlane<'a> {
    planes: Planes,
    input: &'a [f32],
    pooled: &'a mut [f32],
}

impl WithSimd for PoolPlane<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let columns = self.planes.columns;
        for (row, pooled) in self.pooled.chunks_exact_mut(columns / 2).enumerate() {
            let (top, bottom) = self.input[2 * row * columns..2 * (row + 1) * columns].split_at(columns);
            let windows = top.as_chunks::<2>().0.iter().zip(bottom.as_chunks::<2>().0);
            for (value, (top, bottom)) in pooled.iter_mut().zip(windows) {
                *value = larger(larger(top[0], top[1]), larger(bottom[0], bottom[1]));
            }
        }
    }
}

/// Puts each pooled value of one plane where the first largest of its window is, and zero elsewhere; or, if it `ADDS`, adds it.
struct UnpoolPlane<'a, const ADDS: bool> {
    planes: Planes,
    pooled: &'a [f32],
    input: &'a [f32],
    routed: &'a mut [f32],
}

impl<const ADDS: bool> WithSimd for UnpoolPlane<'_, ADDS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let columns = self.planes.columns;
        for (row, pooled) in self.pooled.chunks_exact(columns / 2).enumerate() {
            let rows = 2 * row * columns..2 * (row + 1) * columns;
            let (top, bottom) = self.input[rows.clone()].split_at(columns);
            let (upper, lower) = self.routed[rows].split_at_mut(columns);
            let (pooled, last_pooled) = pooled.as_chunks::<LANES>();
            let (top, last_top) = top.as_chunks::<2>().0.as_chunks::<LANES>();
            let (bottom, last_bottom) = bottom.as_chunks::<2>().0.as_chunks::<LANES>();
            let (upper, last_upper) = upper.as_chunks_mut::<2>().0.as_chunks_mut::<LANES>();
            let (lower, last_lower) = lower.as_chunks_mut::<2>().0.as_chunks_mut::<LANES>();
            for block in 0..pooled.len() {
                unpool_windows::<ADDS>(
                    &pooled[block],
                    &top[block],
                    &bottom[block],
                    &mut upper[block],
                    &mut lower[block],
                );
            }
            if !last_pooled.is_empty() {
                let (mut routed_above, mut routed_below) = (padded(last_upper), padded(last_lower));
                let (top, bottom) = (padded(last_top), padded(last_bottom));
                unpool_windows::<ADDS>(&padded(last_pooled), &top, &bottom, &mut routed_above, &mut routed_below);
                last_upper.copy_from_slice(&routed_above[..last_upper.len()]);
                last_lower.copy_from_slice(&routed_below[..last_lower.len()]);
            }
        }
    }
}

/// Windows that are worked on together.
const LANES: usize = 8;

/// The first values, filled up with zeros.
#[inline(always)]
fn padded<T: Copy + Default>(values: &[T]) -> [T; LANES] {
    let mut all = [T::default(); LANES];
    let count = values.len().min(LANES);
    all[..count].copy_from_slice(&values[..count]);
    all
}

/// Gives each value to the winner of its window. Masks instead of branches, and a fixed number of windows: only so does the
/// compiler make vectors of it.
#[inline(always)]
fn unpool_windows<const ADDS: bool>(
    pooled: &[f32; LANES],
    top: &[[f32; 2]; LANES],
    bottom: &[[f32; 2]; LANES],
    upper: &mut [[f32; 2]; LANES],
    lower: &mut [[f32; 2]; LANES],
) {
    let (mut right, mut lower_right, mut is_below) = ([0_u32; LANES], [0_u32; LANES], [0_u32; LANES]);
    for window in 0..LANES {
        let ([a, b], [c, d]) = (top[window], bottom[window]);
        right[window] = wins(b, a);
        lower_right[window] = wins(d, c);
        is_below[window] = wins(pick(lower_right[window], d, c), pick(right[window], b, a));
    }
    for window in 0..LANES {
        let (value, right, lower_right) = (pooled[window], right[window], lower_right[window]);
        let (above, below) = (pick(!is_below[window], value, 0.0), pick(is_below[window], value, 0.0));
        put::<ADDS>(&mut upper[window][0], pick(!right, above, 0.0));
        put::<ADDS>(&mut upper[window][1], pick(right, above, 0.0));
        put::<ADDS>(&mut lower[window][0], pick(!lower_right, below, 0.0));
        put::<ADDS>(&mut lower[window][1], pick(lower_right, below, 0.0));
    }
}

#[inline(always)]
fn put<const ADDS: bool>(place: &mut f32, value: f32) {
    *place = if ADDS { *place + value } else { value };
}

/// The larger value, the first of equal ones; NaN wins and stays, as in PyTorch.
#[inline(always)]
fn larger(first: f32, second: f32) -> f32 {
    if second > first || second.is_nan() { second } else { first }
}

/// All bits set where a value wins over what came before it: by being larger, or the first NaN.
#[inline(always)]
fn wins(later: f32, earlier: f32) -> u32 {
    mask(later > earlier) | (mask(later.is_nan()) & !mask(earlier.is_nan()))
}

#[inline(always)]
fn mask(condition: bool) -> u32 {
    u32::from(condition).wrapping_neg()
}

/// `yes` where the bits of the mask are set, else `no`.
#[inline(always)]
fn pick(mask: u32, yes: f32, no: f32) -> f32 {
    f32::from_bits((yes.to_bits() & mask) | (no.to_bits() & !mask))
}

struct MaxPool;

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool-2x2"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = elements(storage, layout)?;
        let planes = Planes::of(layout.dims())?;
        let shape = planes.pooled_shape(layout.dims());
        let mut output = vec![0.0; shape.iter().product()];
        let pairs = output.par_chunks_mut(planes.pooled_pixels()).zip(input.par_chunks(planes.pixels()));
        pairs.for_each(|(pooled, input)| Arch::new().dispatch(PoolPlane { planes, input, pooled }));
        Ok((CpuStorage::F32(output), shape.into()))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, grad_output: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(max_unpool_2x2(grad_output, input)?))
    }
}

struct MaxUnpool {
    /// Whether the channels (dimension 1 of 5) are added up.
    sums_channels: bool,
}

impl CustomOp2 for MaxUnpool {
    fn name(&self) -> &'static str {
        "max-unpool-2x2"
    }

    fn cpu_fwd(
        &self,
        pooled: &CpuStorage,
        pooled_layout: &Layout,
        input: &CpuStorage,
        input_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (pooled, input) = (elements(pooled, pooled_layout)?, elements(input, input_layout)?);
        let planes = Planes::of(input_layout.dims())?;
        let input_planes = input.len() / planes.pixels();
        // Planes of the output, and how many planes are added up in each: (channels, planes between neighbours).
        let mut shape = input_layout.dims().to_vec();
        shape[0] = pooled_layout.dims()[0];
        let (channels, step) = if self.sums_channels { (shape.remove(1), shape[1]) } else { (1, 1) };
        let mut output = vec![0.0; shape.iter().product()];
        output.par_chunks_mut(planes.pixels()).enumerate().for_each(|(plane, routed)| {
            let first = plane / step * step * channels + plane % step;
            for plane in (0..channels).map(|channel| first + channel * step) {
                let pooled = &pooled[plane * planes.pooled_pixels()..][..planes.pooled_pixels()];
                let input = &input[plane % input_planes * planes.pixels()..][..planes.pixels()];
                let routed = &mut *routed;
                if self.sums_channels {
                    Arch::new().dispatch(UnpoolPlane::<true> { planes, pooled, input, routed });
                } else {
                    Arch::new().dispatch(UnpoolPlane::<false> { planes, pooled, input, routed });
                }
            }
        });
        Ok((CpuStorage::F32(output), shape.into()))
    }
}
