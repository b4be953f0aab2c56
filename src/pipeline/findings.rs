//! Grades in words.

use super::DiscEntry;
use crate::model::DiscPrediction;
use crate::picture::DiscNote;
use crate::saliency::SaliencyMethod;
use crate::spine::{ClassIndex, DiscLevel, Grading, PerGrading};

/// One grading of one disc with its predicted class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Disc.
    pub level: DiscLevel,
    /// Grading.
    pub grading: Grading,
    /// Predicted class.
    pub class: ClassIndex,
    /// Its probability.
    pub probability: f32,
}

impl Finding {
    /// The predicted class of a grading.
    #[must_use]
    pub fn of(prediction: &DiscPrediction, grading: Grading) -> Self {
        let class = prediction.class(grading);
        Self { level: prediction.level, grading, class, probability: prediction.probabilities[grading][class] }
    }

    /// How abnormal it is and how surely, 0 to 1: severity of the class times its probability.
    #[must_use]
    pub fn weight(&self) -> f32 {
        self.grading.severity(self.class) * self.probability
    }
}

/// The finding with the greatest [`Finding::weight`] among the gradings that can be relied on (`experimental` names the
/// others); of equal ones the first from the thorax down. `None` if there is nothing to choose from.
#[must_use]
pub fn most_abnormal(predictions: &[DiscPrediction], experimental: &PerGrading<Option<String>>) -> Option<Finding> {
    let findings = predictions.iter().flat_map(|prediction| reliable(prediction, experimental));
    findings.reduce(|best, next| if next.weight() > best.weight() { next } else { best })
}

/// What is abnormal about a disc, in one sentence: "L4-L5: Pfirrmann IV, narrowing 3, upper endplate defect."
#[must_use]
pub fn sentence(prediction: &DiscPrediction, experimental: &PerGrading<Option<String>>) -> String {
    let mut parts = vec![headline(prediction)];
    parts.extend(abnormal(prediction, experimental));
    if parts.len() == 1 {
        parts.push("nothing else abnormal".to_owned());
    }
    format!("{}: {}.", prediction.level, parts.join(", "))
}

/// The same sentence from a report, where a reader's grade counts before the computed one; `None` without grades.
/// Gradings in `experimental` are left out.
#[must_use]
pub fn reported_sentence(disc: &DiscEntry, experimental: &[Grading]) -> Option<String> {
    let gradings = disc.gradings.as_ref()?;
    let classes = gradings.map(|grading, entry| grading.class_from_grade(entry.reported()).unwrap_or_default());
    let mut parts = vec![format!("Pfirrmann {}", Grading::Pfirrmann.class_name(classes[Grading::Pfirrmann]))];
    let reliable = Grading::ALL.into_iter().filter(|grading| !experimental.contains(grading));
    parts.extend(reliable.filter_map(|grading| in_words(grading, classes[grading])));
    if parts.len() == 1 {
        parts.push("nothing else abnormal".to_owned());
    }
    Some(format!("{}: {}.", disc.level, parts.join(", ")))
}

/// The notes beside the discs of an overview picture.
#[must_use]
pub fn disc_notes(predictions: &[DiscPrediction], experimental: &PerGrading<Option<String>>) -> Vec<DiscNote> {
    let note = |prediction: &DiscPrediction| DiscNote {
        level: prediction.level,
        headline: headline(prediction),
        detail: abnormal(prediction, experimental).join(", "),
        severity: reliable(prediction, experimental).map(|finding| finding.weight()).fold(0.0, f32::max),
    };
    predictions.iter().map(note).collect()
}

/// A method's name on screen and on pictures.
#[must_use]
pub fn method_in_words(method: SaliencyMethod) -> &'static str {
    match method {
        SaliencyMethod::Gradient => "Gradient",
        SaliencyMethod::Guided => "Guided backpropagation",
        SaliencyMethod::Excitation => "Excitation backpropagation",
        SaliencyMethod::ContrastiveExcitation => "Contrastive excitation backpropagation",
    }
}

fn reliable<'a>(
    prediction: &'a DiscPrediction,
    experimental: &'a PerGrading<Option<String>>,
) -> impl Iterator<Item = Finding> + 'a {
    Grading::ALL
        .into_iter()
        .filter(|grading| experimental[*grading].is_none())
        .map(|grading| Finding::of(prediction, grading))
}

fn headline(prediction: &DiscPrediction) -> String {
    format!("Pfirrmann {}", Grading::Pfirrmann.class_name(prediction.class(Grading::Pfirrmann)))
}

/// Abnormal gradings besides Pfirrmann's, in words.
fn abnormal(prediction: &DiscPrediction, experimental: &PerGrading<Option<String>>) -> Vec<String> {
    reliable(prediction, experimental).filter_map(|finding| in_words(finding.grading, finding.class)).collect()
}

/// What an abnormal class adds to a sentence; Pfirrmann's stands at its head.
fn in_words(grading: Grading, class: ClassIndex) -> Option<String> {
    match grading {
        Grading::Pfirrmann => None,
        _ if class == 0 => None,
        Grading::DiscNarrowing => Some(format!("narrowing {}", grading.class_name(class))),
        other => Some(other.name().to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy(level: DiscLevel) -> DiscPrediction {
        let probabilities = PerGrading::from_fn(|grading| {
            let mut probabilities = vec![0.0; grading.classes()];
            probabilities[0] = 1.0;
            probabilities
        });
        DiscPrediction { level, probabilities }
    }

    fn all_reliable() -> PerGrading<Option<String>> {
        PerGrading::from_fn(|_| None)
    }

    #[test]
    fn severity_counts_as_much_as_probability() {
        let mut upper = healthy(DiscLevel::L3L4);
        upper.probabilities[Grading::Pfirrmann] = vec![0.0, 0.0, 0.1, 0.9, 0.0];
        let mut lower = healthy(DiscLevel::L5S1);
        lower.probabilities[Grading::LowerMarrowChange] = vec![0.4, 0.6];
        let found = most_abnormal(&[upper.clone(), lower.clone()], &all_reliable()).expect("predictions");
        // 0.75 × 0.9 against 1 × 0.6.
        assert_eq!((found.level, found.grading, found.class), (DiscLevel::L3L4, Grading::Pfirrmann, 3));
        let mut experimental = all_reliable();
        experimental[Grading::Pfirrmann] = Some("hardly trained".to_owned());
        let found = most_abnormal(&[upper, lower], &experimental).expect("predictions");
        assert_eq!((found.level, found.grading), (DiscLevel::L5S1, Grading::LowerMarrowChange));
        assert_eq!(most_abnormal(&[], &all_reliable()), None);
    }

    #[test]
    fn sentences_name_what_is_abnormal_and_can_be_relied_on() {
        let mut disc = healthy(DiscLevel::L4L5);
        assert_eq!(sentence(&disc, &all_reliable()), "L4-L5: Pfirrmann I, nothing else abnormal.");
        disc.probabilities[Grading::Pfirrmann] = vec![0.0, 0.0, 0.0, 0.8, 0.2];
        disc.probabilities[Grading::DiscNarrowing] = vec![0.0, 0.0, 1.0, 0.0];
        disc.probabilities[Grading::UpperEndplateDefect] = vec![0.1, 0.9];
        disc.probabilities[Grading::CentralCanalStenosis] = vec![0.1, 0.9];
        let mut experimental = all_reliable();
        experimental[Grading::CentralCanalStenosis] = Some("no labels".to_owned());
        assert_eq!(sentence(&disc, &experimental), "L4-L5: Pfirrmann IV, narrowing 3, upper endplate defect.");
        let notes = disc_notes(&[disc], &experimental);
        assert_eq!(
            (notes[0].headline.as_str(), notes[0].detail.as_str()),
            ("Pfirrmann IV", "narrowing 3, upper endplate defect")
        );
        assert!((notes[0].severity - 0.9).abs() < 1e-6);
    }
}
