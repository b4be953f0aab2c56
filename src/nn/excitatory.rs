//! Fully connected layers with the positive part of their weights, or of their negative: what excitation backpropagation
//! passes through. The positive part is taken while the weights are read, not kept. Not differentiable.

#![allow(clippy::inline_always, reason = "only what is inlined into the dispatched function sees its registers")]

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{elements, on_cpu};

/// Sums that are held side by side, so that the compiler sees vectors.
const LANES: usize = 16;
/// Inputs that one thread takes at a time on the way back.
const CHUNK: usize = 512;

/// Which part of the weights counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightPart {
    /// max(0, w).
    Positive,
    /// max(0, −w).
    Negative,
}

impl WeightPart {
    #[inline(always)]
    fn of(self, weight: f32) -> f32 {
        match self {
            Self::Positive => weight.max(0.0),
            Self::Negative => (-weight).max(0.0),
        }
    }

    fn of_tensor(self, weight: &Tensor) -> Result<Tensor> {
        match self {
            Self::Positive => weight.relu(),
            Self::Negative => weight.neg()?.relu(),
        }
    }
}

/// `[n, inputs]` through a part of `weight` `[outputs, inputs]`: `[n, outputs]`, without bias.
///
/// # Errors
/// If the shapes do not fit or the device fails.
pub(crate) fn excitatory_linear(input: &Tensor, weight: &Tensor, part: WeightPart) -> Result<Tensor> {
    let ((_, inputs), weight) = (input.dims2()?, weight.detach());
    if weight.dims2()?.1 != inputs {
        bail!("{:?} does not fit weights {:?}", input.dims(), weight.dims());
    }
    if on_cpu(input) && on_cpu(&weight) {
        return input.contiguous()?.apply_op2_no_bwd(&weight.contiguous()?, &Forward(part));
    }
    input.matmul(&part.of_tensor(&weight)?.t()?)
}

/// The way back: `[n, outputs]` through a part of `weight` `[outputs, inputs]` to `[n, inputs]`.
///
/// # Errors
/// As [`excitatory_linear`].
pub(crate) fn excitatory_linear_back(output: &Tensor, weight: &Tensor, part: WeightPart) -> Result<Tensor> {
    let ((_, outputs), weight) = (output.dims2()?, weight.detach());
    if weight.dims2()?.0 != outputs {
        bail!("{:?} does not fit weights {:?}", output.dims(), weight.dims());
    }
    if on_cpu(output) && on_cpu(&weight) {
        return output.contiguous()?.apply_op2_no_bwd(&weight.contiguous()?, &Back(part));
    }
    output.matmul(&part.of_tensor(&weight)?)
}

struct Forward(WeightPart);

impl CustomOp2 for Forward {
    fn name(&self) -> &'static str {
        "excitatory-linear"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (input, weight) = (elements(s1, l1)?, elements(s2, l2)?);
        let (samples, inputs, outputs) = (l1.dims()[0], l1.dims()[1], l2.dims()[0]);
        let sum = |index: usize| {
            let (sample, output) = (index / outputs, index % outputs);
            let (input, weight) = (&input[sample * inputs..][..inputs], &weight[output * inputs..][..inputs]);
            Arch::new().dispatch(PositiveProduct { input, weight, part: self.0 })
        };
        let sums: Vec<f32> = (0..samples * outputs).into_par_iter().map(sum).collect();
        Ok((CpuStorage::F32(sums), (samples, outputs).into()))
    }
}

/// Sum of the products of inputs and one part of their weights.
struct PositiveProduct<'a> {
    input: &'a [f32],
    weight: &'a [f32],
    part: WeightPart,
}

impl WithSimd for PositiveProduct<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> f32 {
        let (inputs, last_inputs) = self.input.as_chunks::<LANES>();
        let (weights, last_weights) = self.weight.as_chunks::<LANES>();
        let mut lanes = [0.0_f32; LANES];
        for (inputs, weights) in inputs.iter().zip(weights) {
            for lane in 0..LANES {
                lanes[lane] += inputs[lane] * self.part.of(weights[lane]);
            }
        }
        let rest: f32 = last_inputs.iter().zip(last_weights).map(|(input, weight)| input * self.part.of(*weight)).sum();
        lanes.iter().sum::<f32>() + rest
    }
}

/// Adds to each input the outputs times one part of their weights, `weight` being the columns from `first` on.
struct AddBack<'a> {
    back: &'a mut [f32],
    output: &'a [f32],
    weight: &'a [f32],
    inputs: usize,
    first: usize,
    part: WeightPart,
}

impl WithSimd for AddBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for (row, value) in self.output.iter().enumerate() {
            let weight = &self.weight[row * self.inputs + self.first..][..self.back.len()];
            for (back, weight) in self.back.iter_mut().zip(weight) {
                *back += self.part.of(*weight) * value;
            }
        }
    }
}

struct Back(WeightPart);

impl CustomOp2 for Back {
    fn name(&self) -> &'static str {
        "excitatory-linear-back"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (output, weight) = (elements(s1, l1)?, elements(s2, l2)?);
        let (samples, outputs, inputs) = (l1.dims()[0], l1.dims()[1], l2.dims()[1]);
        let mut back = vec![0.0_f32; samples * inputs];
        back.par_chunks_mut(inputs.max(1)).zip(output.par_chunks(outputs.max(1))).for_each(|(back, output)| {
            back.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, back)| {
                let (first, part) = (chunk * CHUNK, self.0);
                Arch::new().dispatch(AddBack { back, output, weight, inputs, first, part });
            });
        });
        Ok((CpuStorage::F32(back), (samples, inputs).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn both_ways_are_products_with_the_part_of_the_weights() -> Result<()> {
        let wave = |count: usize, step: f32| (0..count).map(move |index| (index as f32 * step).sin());
        let (samples, inputs, outputs) = (3, 1_100, 5);
        let input = Tensor::from_iter(wave(samples * inputs, 0.3), &Device::Cpu)?.reshape((samples, inputs))?;
        let weight = Tensor::from_iter(wave(outputs * inputs, 0.7), &Device::Cpu)?.reshape((outputs, inputs))?;
        let output = Tensor::from_iter(wave(samples * outputs, 0.9), &Device::Cpu)?.reshape((samples, outputs))?;
        for part in [WeightPart::Positive, WeightPart::Negative] {
            let kept = part.of_tensor(&weight)?;
            assert!(kept.min_all()?.to_scalar::<f32>()? >= 0.0);
            // Double precision goes the way of other devices.
            let [input64, weight64, output64] = [&input, &weight, &output].map(|tensor| tensor.to_dtype(DType::F64));
            let (forward64, back64) = (
                excitatory_linear(&input64?, weight64.as_ref().expect("converted"), part)?,
                excitatory_linear_back(&output64?, &weight64?, part)?,
            );
            let pairs = [
                (excitatory_linear(&input, &weight, part)?, input.matmul(&kept.t()?)?),
                (excitatory_linear_back(&output, &weight, part)?, output.matmul(&kept)?),
                (excitatory_linear(&input, &weight, part)?, forward64.to_dtype(DType::F32)?),
                (excitatory_linear_back(&output, &weight, part)?, back64.to_dtype(DType::F32)?),
            ];
            for (got, expected) in pairs {
                assert!((got - expected)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-3);
            }
        }
        assert!(excitatory_linear(&output, &weight, WeightPart::Positive).is_err());
        assert!(excitatory_linear_back(&input, &weight, WeightPart::Positive).is_err());
        Ok(())
    }
}
