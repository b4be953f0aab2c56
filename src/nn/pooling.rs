//! Max-pooling of 2 × 2 windows and its reverse.

#![allow(clippy::inline_always, reason = "only what is inlined into the dispatched function sees its registers")]

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use pulp::Arch;
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
pub fn max_unpool_2x2_channel_sum(pooled: &Tensor, input: &Tensor) -> Result<Tensor> {
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

    /// The two rows of each window row.
    fn row_pairs(self, plane: &[f32]) -> impl Iterator<Item = (&[f32], &[f32])> {
        plane.chunks_exact(2 * self.columns).map(move |rows| rows.split_at(self.columns))
    }

    /// Adds each pooled value where `plane` has the winner of its window.
    fn unpool(self, pooled: &[f32], plane: &[f32], routed: &mut [f32]) {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let lines = pooled.chunks_exact(self.columns / 2).zip(self.row_pairs(plane));
                for ((pooled, (top, bottom)), routed) in lines.zip(routed.chunks_exact_mut(2 * self.columns)) {
                    unpool_rows(top, bottom, pooled, routed.split_at_mut(self.columns));
                }
            },
        );
    }
}

/// The larger value, the first of equal ones; NaN wins and stays, as in PyTorch.
#[inline(always)]
fn larger(first: f32, second: f32) -> f32 {
    if second > first || second.is_nan() { second } else { first }
}

/// Largest of each window of two rows.
#[inline(always)]
fn pool_rows(top: &[f32], bottom: &[f32], pooled: &mut [f32]) {
    let windows = top.as_chunks::<2>().0.iter().zip(bottom.as_chunks::<2>().0);
    for (value, (top, bottom)) in pooled.iter_mut().zip(windows) {
        *value = larger(larger(top[0], top[1]), larger(bottom[0], bottom[1]));
    }
}

/// Adds each pooled value where the first largest of its window is.
#[inline(always)]
fn unpool_rows(top: &[f32], bottom: &[f32], pooled: &[f32], (upper, lower): (&mut [f32], &mut [f32])) {
    // How a winner is told from what came before it: by being larger, or the first NaN.
    let wins = |later: f32, earlier: f32| (later > earlier) | (later.is_nan() & !earlier.is_nan());
    let pick = |wins: bool, yes: f32, no: f32| if wins { yes } else { no };
    let columns = 2 * pooled.len();
    let (top, bottom) = (&top[..columns], &bottom[..columns]);
    let (upper, lower) = (&mut upper[..columns], &mut lower[..columns]);
    // Plain indices and no branch: the compiler makes vectors of it.
    for (window, value) in pooled.iter().enumerate() {
        let [a, b, c, d] = [top[2 * window], top[2 * window + 1], bottom[2 * window], bottom[2 * window + 1]];
        let (right, lower_right) = (wins(b, a), wins(d, c));
        let is_below = wins(pick(lower_right, d, c), pick(right, b, a));
        let (above, below) = (pick(is_below, 0.0, *value), pick(is_below, *value, 0.0));
        upper[2 * window] += pick(right, 0.0, above);
        upper[2 * window + 1] += pick(right, above, 0.0);
        lower[2 * window] += pick(lower_right, 0.0, below);
        lower[2 * window + 1] += pick(lower_right, below, 0.0);
    }
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
        pairs.for_each(|(pooled, plane)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    let lines = pooled.chunks_exact_mut(planes.columns / 2);
                    for (pooled, (top, bottom)) in lines.zip(planes.row_pairs(plane)) {
                        pool_rows(top, bottom, pooled);
                    }
                },
            );
        });
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
                planes.unpool(pooled, input, routed);
            }
        });
        Ok((CpuStorage::F32(output), shape.into()))
    }
}
