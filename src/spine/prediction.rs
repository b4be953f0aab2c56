//! What a network says about a disc.

use serde::{Deserialize, Serialize};

use super::{ClassIndex, DiscLevel, Grading, PerGrading};

/// Class probabilities of one disc, of the gradings that the weights have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiscPrediction {
    pub level: DiscLevel,
    /// For each grading the probability of each class; they sum to 1.
    pub probabilities: PerGrading<Vec<f32>>,
    /// For each grading the standard deviation over the views of the most probable class's probability; absent or 0 of one
    /// view.
    pub spread: PerGrading<f32>,
    /// The probabilities where classes are as common as among the discs that grades were measured on, of the gradings whose
    /// weights say how common that is.
    pub at_prevalence: PerGrading<Vec<f32>>,
    /// Whether the disc looks like those that the network learned from. Where it does not, its grades are uncertain, however
    /// probable.
    pub is_familiar: bool,
}

impl DiscPrediction {
    /// The most probable class of a grading that it has.
    #[must_use]
    pub fn class(&self, grading: Grading) -> Option<ClassIndex> {
        self.probabilities.get(grading).map(|probabilities| most_probable(probabilities))
    }

    /// How probable a class is where all are equally common.
    #[must_use]
    pub fn probability(&self, grading: Grading, class: ClassIndex) -> Option<f32> {
        self.probabilities.get(grading)?.get(class).copied()
    }

    /// How probable it is where classes are as common as among the discs that grades were measured on.
    #[must_use]
    pub(crate) fn probability_at_prevalence(&self, grading: Grading, class: ClassIndex) -> Option<f32> {
        self.at_prevalence.get(grading)?.get(class).copied()
    }
}

/// The most probable class, the milder one where two are equal.
#[must_use]
pub fn most_probable(probabilities: &[f32]) -> ClassIndex {
    (1..probabilities.len())
        .fold(0, |best, class| if probabilities[class] > probabilities[best] { class } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_milder_of_two_equal_classes_counts() {
        assert_eq!(most_probable(&[0.2, 0.4, 0.4]), 1);
        let probabilities = PerGrading::from_fn([Grading::DiscNarrowing], |_| vec![0.1, 0.2, 0.6, 0.1]);
        let spread = PerGrading::default();
        let at_prevalence = PerGrading::default();
        let prediction =
            DiscPrediction { level: DiscLevel::L4L5, probabilities, spread, at_prevalence, is_familiar: true };
        assert_eq!(prediction.class(Grading::DiscNarrowing), Some(2));
        assert_eq!(prediction.probability(Grading::DiscNarrowing, 2), Some(0.6));
        assert_eq!(
            (prediction.class(Grading::DiscBulging), prediction.probability(Grading::DiscBulging, 0)),
            (None, None)
        );
    }
}
