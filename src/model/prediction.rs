//! From logits to probabilities.

use candle_core::{D, Result, Tensor};

use crate::spine::PerGrading;

/// Class probabilities per sample from logits `[n, classes]` per grading.
///
/// # Errors
/// If the device fails.
pub(crate) fn probabilities(logits: &PerGrading<Tensor>) -> Result<Vec<PerGrading<Vec<f32>>>> {
    let rows = |(grading, logits)| Ok((grading, candle_nn::ops::softmax(logits, D::Minus1)?.to_vec2::<f32>()?));
    let rows: PerGrading<Vec<Vec<f32>>> = logits.iter().map(rows).collect::<Result<_>>()?;
    let samples = rows.iter().map(|(_, rows)| rows.len()).next().unwrap_or(0);
    Ok((0..samples).map(|sample| rows.map(|_, rows| rows[sample].clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::Grading;
    use candle_core::Device;

    #[test]
    fn probabilities_are_softmax_per_sample() -> Result<()> {
        let narrowing = Tensor::new(&[[0_f32, 0., 0., 0.], [0., 2_f32.ln(), 5_f32.ln(), 0.]], &Device::Cpu)?;
        let slip = Tensor::new(&[[0_f32, 0.], [0., 3_f32.ln()]], &Device::Cpu)?;
        let logits = [(Grading::DiscNarrowing, narrowing), (Grading::Spondylolisthesis, slip)].into_iter().collect();
        let samples = probabilities(&logits)?;
        assert_eq!(samples.len(), 2);
        assert_eq!(samples[0][Grading::DiscNarrowing], [0.25; 4]);
        assert!((samples[1][Grading::DiscNarrowing][2] - 5.0 / 9.0).abs() < 1e-6);
        assert!((samples[1][Grading::Spondylolisthesis][1] - 0.75).abs() < 1e-6);
        Ok(())
    }
}
