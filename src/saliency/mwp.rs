//! Marginal winning probability, layer by layer (Zhang et al. 2016, excitation backpropagation).
//!
//! A layer with inputs x ≥ 0 and weights w passes probabilities down by
//! `p_in = x ⊙ Backward(w⁺, p_out ⊘ Forward(w⁺, x))` with w⁺ = max(0, w), without bias, and 0 where the normalizer is 0.
//! The sum of `p` is kept except at units without excitatory input. ReLU passes p unchanged.

use candle_core::{Result, Tensor};

use crate::nn::{
    ConvWindow, WeightPart, conv3d, conv3d_input_gradient, divide_repeated_where_positive, excitatory_linear,
    excitatory_linear_back, multiply_repeated,
};

/// Through a convolution: `[targets · n, o, d', h', w']` to the shape of `input` for each target. `excitatory` is w⁺; its
/// normalizer serves all targets.
pub(super) fn convolution(p_out: &Tensor, input: &Tensor, excitatory: &Tensor, window: ConvWindow) -> Result<Tensor> {
    let share = divide_repeated_where_positive(p_out, &conv3d(input, excitatory, None, window)?)?;
    let (_, channels, slices, rows, columns) = input.dims5()?;
    let shape = [share.dim(0)?, channels, slices, rows, columns];
    multiply_repeated(&conv3d_input_gradient(&share, excitatory, shape, window)?, input)
}

/// Through a fully connected layer: `[n, outputs]` to `[n, inputs]`; `weight` is `[outputs, inputs]`.
pub(super) fn linear(p_out: &Tensor, input: &Tensor, weight: &Tensor) -> Result<Tensor> {
    part_of_linear(p_out, input, weight, WeightPart::Positive)
}

/// Difference p⁺ − p⁻ through the last layer: of `p_out` through `weight` and through its negative (all of it negated,
/// then the positive part kept). Signed; [`linear`] and [`convolution`] pass it on, being linear in p.
pub(super) fn contrastive_linear(p_out: &Tensor, input: &Tensor, weight: &Tensor) -> Result<Tensor> {
    linear(p_out, input, weight)? - part_of_linear(p_out, input, weight, WeightPart::Negative)?
}

fn part_of_linear(p_out: &Tensor, input: &Tensor, weight: &Tensor, part: WeightPart) -> Result<Tensor> {
    let share = divide_repeated_where_positive(p_out, &excitatory_linear(input, weight, part)?)?;
    multiply_repeated(&excitatory_linear_back(&share, weight, part)?, input)
}
