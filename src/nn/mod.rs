//! Layers that Candle lacks or has slow or wrong on the CPU, each with gradients and a reference test.
//!
//! Candle 0.11 has no 3-D convolution, computes the input gradient of a convolution on the CPU with a naive loop, returns
//! a wrong gradient for max-pooling and gives ReLU the gradient 1 at 0. The functions here are differentiable through
//! Candle's autograd. In `f32` on the CPU they run on one kernel (`correlation`) for the forward pass and both
//! gradients, with the widest vector registers of the processor; elsewhere they are composed from stock operations. Results do not depend on the number of threads.

mod activation;
mod convolution;
mod correlation;
mod excitatory;
mod filter_gradient;
mod group_norm;
mod kernel;
mod pooling;
mod repeated;
mod scratch;
mod stock;
mod turn;

pub(crate) use activation::relu;
pub(crate) use convolution::conv2d;
pub use convolution::{ConvWindow, conv3d, conv3d_input_gradient, conv3d_weight_gradient};
pub(crate) use excitatory::{WeightPart, excitatory_linear, excitatory_linear_back};
pub(crate) use group_norm::group_norm_relu;
pub(crate) use pooling::max_unpool_2x2_channel_sum;
pub use pooling::{max_pool_2x2, max_unpool_2x2};
pub(crate) use repeated::{divide_repeated_where_positive, multiply_repeated, pass_where_positive};

use candle_core::{CpuStorage, DType, Layout, Result, Tensor};

/// Whether the CPU kernels of this module serve `tensor`.
fn on_cpu(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

/// The elements of a contiguous `f32` tensor inside a custom operation.
fn elements<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("a contiguous tensor is needed");
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

#[cfg(test)]
mod tests;
