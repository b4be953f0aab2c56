//! What the grading network says about a disc.

use candle_core::{D, Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::spine::{ClassIndex, DiscLevel, Grading, PerGrading};

/// Class probabilities of the gradings of one disc: those that the weights have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiscPrediction {
    /// Which disc.
    pub level: DiscLevel,
    /// For each grading the probability of each class; they sum to 1.
    pub probabilities: PerGrading<Vec<f32>>,
    /// For each grading the standard deviation over the views of the most probable class's probability; absent or 0 of one
    /// view.
    pub spread: PerGrading<f32>,
    /// Whether the disc looks like those that the network learned from (see [`super::grading::Familiarity`]). Where it does
    /// not, its grades are uncertain, however probable.
    pub is_familiar: bool,
}

impl DiscPrediction {
    /// The most probable class, the milder one where two are equal.
    ///
    /// # Panics
    /// As this and what follows do for a grading that the prediction does not have.
    #[must_use]
    pub fn class(&self, grading: Grading) -> ClassIndex {
        let probabilities = &self.probabilities[grading];
        (1..probabilities.len())
            .fold(0, |best, class| if probabilities[class] > probabilities[best] { class } else { best })
    }

    /// The most probable grade as a reader says it (see [`Grading::grade_from_class`]).
    #[must_use]
    pub fn grade(&self, grading: Grading) -> u8 {
        grading.grade_from_class(self.class(grading))
    }

    /// Mean severity over the classes' probabilities, 0 (normal) to 1 (worst).
    #[must_use]
    pub fn severity(&self, grading: Grading) -> f32 {
        let weighted = self.probabilities[grading].iter().enumerate();
        weighted.map(|(class, probability)| probability * grading.severity(class)).sum()
    }

    /// The grading with the greatest [`Self::severity`], the first where several are equal; `None` without gradings.
    #[must_use]
    pub fn most_abnormal(&self) -> Option<Grading> {
        let worse = |best: Grading, next: Grading| if self.severity(next) > self.severity(best) { next } else { best };
        self.probabilities.gradings().reduce(worse)
    }
}

/// Class probabilities per sample from logits `[n, classes]` per grading.
///
/// # Errors
/// If the device fails.
pub fn probabilities(logits: &PerGrading<Tensor>) -> Result<Vec<PerGrading<Vec<f32>>>> {
    let rows = |(grading, logits)| Ok((grading, candle_nn::ops::softmax(logits, D::Minus1)?.to_vec2::<f32>()?));
    let rows: PerGrading<Vec<Vec<f32>>> = logits.iter().map(rows).collect::<Result<_>>()?;
    let samples = rows.iter().map(|(_, rows)| rows.len()).next().unwrap_or(0);
    Ok((0..samples).map(|sample| rows.map(|_, rows| rows[sample].clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn probabilities_are_softmax_per_sample_and_the_largest_class_wins() -> Result<()> {
        let mut logits = PerGrading::from_fn(Grading::PAPER, |grading| {
            Tensor::zeros((2, grading.classes()), candle_core::DType::F32, &Device::Cpu).expect("small tensor")
        });
        logits[Grading::DiscNarrowing] =
            Tensor::new(&[[0_f32, 0., 0., 0.], [0., 2_f32.ln(), 5_f32.ln(), 0.]], &Device::Cpu)?;
        let all = probabilities(&logits)?;
        let predictions: Vec<DiscPrediction> = all
            .into_iter()
            .map(|probabilities| {
                let spread = PerGrading::default();
                DiscPrediction { level: DiscLevel::L4L5, probabilities, spread, is_familiar: true }
            })
            .collect();
        assert_eq!(predictions[0].class(Grading::DiscNarrowing), 0);
        assert_eq!(predictions[1].class(Grading::DiscNarrowing), 2);
        assert_eq!(predictions[1].grade(Grading::DiscNarrowing), 3);
        let narrowing = &predictions[1].probabilities[Grading::DiscNarrowing];
        assert!((narrowing[2] - 5.0 / 9.0).abs() < 1e-6);
        assert!(
            (predictions[1].severity(Grading::DiscNarrowing) - (2.0 / 9.0 + 10.0 / 9.0 + 1.0 / 3.0) / 3.0).abs() < 1e-6
        );
        assert_eq!(predictions[1].most_abnormal(), Some(Grading::DiscNarrowing));
        Ok(())
    }
}
