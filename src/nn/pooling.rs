//! Max-pooling of 2 × 2 windows and its reverse.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
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
/// elsewhere. This is the gradient of [`max_pool_2x2`] and how excitation passes through it. Not differentiable.
///
/// # Errors
/// If the shapes do not belong together or the device fails.
pub fn max_unpool_2x2(pooled: &Tensor, input: &Tensor) -> Result<Tensor> {
    let planes = Planes::of(input.dims())?;
    if pooled.dims() != planes.pooled_shape(input.dims()) {
        bail!("pooling {:?} gives no {:?}", input.dims(), pooled.dims());
    }
    if on_cpu(input) && on_cpu(pooled) {
        pooled.contiguous()?.apply_op2_no_bwd(&input.contiguous()?, &MaxUnpool)
    } else {
        stock::max_unpool_2x2(pooled, input)
    }
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

    /// Index in the plane of the winner of each window, in reading order of the windows.
    fn winners(self, plane: &[f32]) -> impl Iterator<Item = usize> + '_ {
        let columns = self.columns;
        (0..self.rows / 2).flat_map(move |row| {
            (0..columns / 2).map(move |column| {
                let first = 2 * row * columns + 2 * column;
                let mut winner = first;
                for index in [first + 1, first + columns, first + columns + 1] {
                    // NaN wins and stays, as in PyTorch.
                    if plane[index] > plane[winner] || (plane[index].is_nan() && !plane[winner].is_nan()) {
                        winner = index;
                    }
                }
                winner
            })
        })
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
            for (value, winner) in pooled.iter_mut().zip(planes.winners(plane)) {
                *value = plane[winner];
            }
        });
        Ok((CpuStorage::F32(output), shape.into()))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, grad_output: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(max_unpool_2x2(grad_output, input)?))
    }
}

struct MaxUnpool;

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
        let mut output = vec![0.0; input.len()];
        let pairs = pooled.par_chunks(planes.pooled_pixels()).zip(input.par_chunks(planes.pixels()));
        output.par_chunks_mut(planes.pixels()).zip(pairs).for_each(|(routed, (pooled, plane))| {
            for (value, winner) in pooled.iter().zip(planes.winners(plane)) {
                routed[winner] = *value;
            }
        });
        Ok((CpuStorage::F32(output), input_layout.shape().clone()))
    }
}
