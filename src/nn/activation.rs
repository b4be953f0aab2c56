//! Rectified linear unit.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{elements, on_cpu, stock};

/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 15;

/// max(0, x), with gradient 0 at 0 as in PyTorch (Candle's own has 1 there).
///
/// # Errors
/// If the device fails.
pub(crate) fn relu(input: &Tensor) -> Result<Tensor> {
    if on_cpu(input) { input.contiguous()?.apply_op1(Relu) } else { stock::relu(input) }
}

struct Relu;

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = elements(storage, layout)?;
        let mut output = vec![0.0; input.len()];
        output.par_chunks_mut(CHUNK).zip(input.par_chunks(CHUNK)).for_each(|(output, input)| {
            for (y, x) in output.iter_mut().zip(input) {
                // Written so that NaN passes.
                *y = if *x <= 0.0 { 0.0 } else { *x };
            }
        });
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    fn bwd(&self, _input: &Tensor, output: &Tensor, grad_output: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad_output.contiguous()?.apply_op2_no_bwd(output, &ReluGradient)?))
    }
}

struct ReluGradient;

impl CustomOp2 for ReluGradient {
    fn name(&self) -> &'static str {
        "relu-gradient"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        output: &CpuStorage,
        output_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (grad, output) = (elements(grad, grad_layout)?, elements(output, output_layout)?);
        let mut result = vec![0.0; grad.len()];
        let chunks = grad.par_chunks(CHUNK).zip(output.par_chunks(CHUNK));
        result.par_chunks_mut(CHUNK).zip(chunks).for_each(|(result, (grad, output))| {
            for ((r, g), y) in result.iter_mut().zip(grad).zip(output) {
                *r = if *y > 0.0 { *g } else { 0.0 };
            }
        });
        Ok((CpuStorage::F32(result), grad_layout.shape().clone()))
    }
}
