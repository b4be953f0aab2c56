//! Element-wise steps of the way back through a network for several targets at once.
//!
//! Signals of several targets through the same samples lie behind each other, `[targets · n, ..]`, target by target; what
//! the samples themselves gave, `[n, ..]`, is repeated for each target without being copied. Not differentiable.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{elements, on_cpu};

/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `signal · samples`.
///
/// # Errors
/// If the sizes do not fit or the device fails.
pub(crate) fn multiply_repeated(signal: &Tensor, samples: &Tensor) -> Result<Tensor> {
    apply(signal, samples, |s, x| s * x, Tensor::broadcast_mul)
}

/// `signal / samples` where `samples` is positive (and not subnormal), 0 elsewhere.
///
/// # Errors
/// As [`multiply_repeated`].
pub(crate) fn divide_repeated_where_positive(signal: &Tensor, samples: &Tensor) -> Result<Tensor> {
    let on_values = |s: f32, x: f32| if x > f32::MIN_POSITIVE { s / x } else { 0.0 };
    apply(signal, samples, on_values, |s, x| {
        let positive = x.gt(f64::from(f32::MIN_POSITIVE))?;
        let inverse = positive.where_cond(&positive.where_cond(x, &x.ones_like()?)?.recip()?, &x.zeros_like()?)?;
        s.broadcast_mul(&inverse)
    })
}

/// `signal` where `samples` is positive, 0 elsewhere: back through a ReLU from what it let pass.
///
/// # Errors
/// As [`multiply_repeated`].
pub(crate) fn pass_where_positive(signal: &Tensor, samples: &Tensor) -> Result<Tensor> {
    let on_values = |s: f32, x: f32| if x > 0.0 { s } else { 0.0 };
    apply(signal, samples, on_values, |s, x| s.broadcast_mul(&x.gt(0.0)?.to_dtype(x.dtype())?))
}

fn apply<F: Fn(f32, f32) -> f32 + Send + Sync>(
    signal: &Tensor,
    samples: &Tensor,
    on_values: F,
    elsewhere: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let repeats = repeats(signal.dims(), samples.dims())?;
    if on_cpu(signal) && on_cpu(samples) {
        return signal.contiguous()?.apply_op2_no_bwd(&samples.contiguous()?, &Repeated(on_values));
    }
    let mut shape = samples.dims().to_vec();
    shape.insert(0, repeats);
    elsewhere(&signal.reshape(shape)?, &samples.unsqueeze(0)?)?.reshape(signal.shape())
}

/// How often `samples` is repeated along `signal`.
pub(super) fn repeats(signal: &[usize], samples: &[usize]) -> Result<usize> {
    match (signal, samples) {
        ([all, signal @ ..], [n, samples @ ..]) if signal == samples && *n > 0 && all % n == 0 => Ok(all / n),
        _ => bail!("{signal:?} is no repetition of {samples:?}"),
    }
}

struct Repeated<F>(F);

impl<F: Fn(f32, f32) -> f32 + Send + Sync> CustomOp2 for Repeated<F> {
    fn name(&self) -> &'static str {
        "repeated"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (signal, samples) = (elements(s1, l1)?, elements(s2, l2)?);
        let mut output = vec![0.0; signal.len()];
        let repeats = output.par_chunks_mut(samples.len().max(1)).zip(signal.par_chunks(samples.len().max(1)));
        repeats.for_each(|(output, signal)| {
            let chunks = output.par_chunks_mut(CHUNK).zip(signal.par_chunks(CHUNK)).zip(samples.par_chunks(CHUNK));
            chunks.for_each(|((output, signal), samples)| {
                for ((output, signal), sample) in output.iter_mut().zip(signal).zip(samples) {
                    *output = self.0(*signal, *sample);
                }
            });
        });
        Ok((CpuStorage::F32(output), l1.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn samples_are_repeated_for_every_target() -> Result<()> {
        let signal = Tensor::new(&[[1_f32, -2.], [3., 4.], [5., 6.], [7., 8.]], &Device::Cpu)?;
        let samples = Tensor::new(&[[2_f32, 0.], [-1., 4.]], &Device::Cpu)?;
        let rows = |tensor: Tensor| tensor.to_vec2::<f32>();
        assert_eq!(rows(multiply_repeated(&signal, &samples)?)?, [[2., 0.], [-3., 16.], [10., 0.], [-7., 32.]]);
        let divided = rows(divide_repeated_where_positive(&signal, &samples)?)?;
        assert_eq!(divided, [[0.5, 0.], [0., 1.], [2.5, 0.], [0., 2.]]);
        assert_eq!(rows(pass_where_positive(&signal, &samples)?)?, [[1., 0.], [0., 4.], [5., 0.], [0., 8.]]);
        // Double precision goes the way of other devices.
        let double = |tensor: &Tensor| tensor.to_dtype(DType::F64);
        for op in [multiply_repeated, divide_repeated_where_positive, pass_where_positive] {
            let elsewhere = op(&double(&signal)?, &double(&samples)?)?.to_dtype(DType::F32)?;
            assert_eq!(rows(elsewhere)?, rows(op(&signal, &samples)?)?);
        }
        assert!(multiply_repeated(&signal, &signal.narrow(0, 0, 3)?).is_err());
        Ok(())
    }
}
