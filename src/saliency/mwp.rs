//! Marginal winning probability, layer by layer (Zhang et al. 2016, excitation backpropagation).
//!
//! A layer with inputs x ≥ 0 and weights w passes probabilities down by
//! `p_in = x ⊙ Backward(w⁺, p_out ⊘ Forward(w⁺, x))` with w⁺ = max(0, w), without bias, and 0 where the normalizer is 0.
//! The sum of `p` is kept except at units without excitatory input. ReLU passes p unchanged.

use candle_core::{Result, Tensor};

use crate::nn::{ConvWindow, conv3d, conv3d_input_gradient, max_unpool_2x2};

/// Through a convolution: `[n, o, d', h', w']` to the shape of `input`.
pub(super) fn convolution(p_out: &Tensor, input: &Tensor, weight: &Tensor, window: ConvWindow) -> Result<Tensor> {
    let excitatory = weight.detach().relu()?;
    let normalizer = conv3d(input, &excitatory, None, window)?;
    let share = divide_where_positive(p_out, &normalizer)?;
    input * conv3d_input_gradient(&share, &excitatory, input.dims5()?.into(), window)?
}

/// Through a fully connected layer: `[n, outputs]` to `[n, inputs]`; `weight` is `[outputs, inputs]`.
pub(super) fn linear(p_out: &Tensor, input: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let excitatory = weight.detach().relu()?;
    let normalizer = input.matmul(&excitatory.t()?)?;
    let share = divide_where_positive(p_out, &normalizer)?;
    input * share.matmul(&excitatory)?
}

/// Through max-pooling: to the winners of `input`.
pub(super) fn max_pool(p_out: &Tensor, input: &Tensor) -> Result<Tensor> {
    max_unpool_2x2(p_out, input)
}

/// Difference p⁺ − p⁻ through the last layer: of `p_out` through `weight` and through its negative (all of it negated,
/// then the positive part kept). Signed; [`linear`] and [`convolution`] pass it on, being linear in p.
pub(super) fn contrastive_linear(p_out: &Tensor, input: &Tensor, weight: &Tensor) -> Result<Tensor> {
    linear(p_out, input, weight)? - linear(p_out, input, &weight.neg()?)?
}

fn divide_where_positive(p: &Tensor, normalizer: &Tensor) -> Result<Tensor> {
    let positive = normalizer.gt(f64::from(f32::MIN_POSITIVE))?;
    let safe = positive.where_cond(normalizer, &normalizer.ones_like()?)?;
    positive.where_cond(&(p / safe)?, &p.zeros_like()?)
}
