//! Grades in words.

use std::fmt;

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
pub fn most_abnormal(predictions: &[DiscPrediction], experimental: &PerGrading<String>) -> Option<Finding> {
    let findings = predictions.iter().flat_map(|prediction| reliable(prediction, experimental));
    findings.reduce(|best, next| if next.weight() > best.weight() { next } else { best })
}

/// What is abnormal about a disc, in one sentence: "L4-L5: Pfirrmann IV, narrowing 3, upper endplate defect."
#[must_use]
pub fn sentence(prediction: &DiscPrediction, experimental: &PerGrading<String>) -> String {
    in_one_sentence(prediction.level, headline(prediction), abnormal(prediction, experimental))
}

/// The same sentence from a report, where a reader's grade counts before the computed one; `None` without grades.
/// Gradings in `experimental` are left out.
#[must_use]
pub fn reported_sentence(disc: &DiscEntry, experimental: &[Grading]) -> Option<String> {
    let gradings = disc.gradings.as_ref()?;
    let classes = gradings.map(|grading, entry| grading.class_from_grade(entry.reported()).unwrap_or_default());
    let headline = classes.get(Grading::Pfirrmann).map(|class| in_words(Grading::Pfirrmann, *class));
    let reliable = classes.iter().filter(|(grading, _)| !experimental.contains(grading));
    let abnormal = reliable.filter_map(|(grading, class)| beside_pfirrmann(grading, *class)).collect();
    Some(in_one_sentence(disc.level, headline, abnormal))
}

/// Pfirrmann's grade, where the weights have it, and what is abnormal beside it.
fn in_one_sentence(level: DiscLevel, headline: Option<String>, abnormal: Vec<String>) -> String {
    let nothing = if headline.is_some() { "nothing else abnormal" } else { "nothing abnormal" };
    let nothing = abnormal.is_empty().then(|| nothing.to_owned());
    let parts: Vec<String> = headline.into_iter().chain(abnormal).chain(nothing).collect();
    format!("{level}: {}.", parts.join(", "))
}

/// The notes beside the discs of an overview picture.
#[must_use]
pub fn disc_notes(predictions: &[DiscPrediction], experimental: &PerGrading<String>) -> Vec<DiscNote> {
    let note = |prediction: &DiscPrediction| DiscNote {
        level: prediction.level,
        headline: headline(prediction).unwrap_or_default(),
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
    experimental: &'a PerGrading<String>,
) -> impl Iterator<Item = Finding> + 'a {
    let gradings = prediction.probabilities.gradings();
    gradings.filter(|grading| !experimental.contains(*grading)).map(|grading| Finding::of(prediction, grading))
}

fn headline(prediction: &DiscPrediction) -> Option<String> {
    let grading = Grading::Pfirrmann;
    prediction.probabilities.contains(grading).then(|| in_words(grading, prediction.class(grading)))
}

/// Abnormal gradings besides Pfirrmann's, in words.
fn abnormal(prediction: &DiscPrediction, experimental: &PerGrading<String>) -> Vec<String> {
    reliable(prediction, experimental).filter_map(|finding| beside_pfirrmann(finding.grading, finding.class)).collect()
}

/// What an abnormal class adds to a sentence; Pfirrmann's stands at its head.
fn beside_pfirrmann(grading: Grading, class: ClassIndex) -> Option<String> {
    (grading != Grading::Pfirrmann && is_abnormal(grading, class)).then(|| in_words(grading, class))
}

/// The final grades of a disc: computed, or the reader's where they differ.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscClasses {
    /// Disc.
    pub level: DiscLevel,
    /// Class of each grading that there is.
    pub classes: PerGrading<ClassIndex>,
}

/// One disc of a summary in words.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscSummary {
    /// Disc.
    pub level: DiscLevel,
    /// What is abnormal, such as "Pfirrmann IV, narrowing 3, upper endplate defect".
    pub text: String,
    /// Severity of the worst grading, 0 to 1.
    pub severity: f32,
}

/// A study in words: what is abnormal, the worst disc first, and what is not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StudySummary {
    /// Abnormal discs, the worst first.
    pub abnormal: Vec<DiscSummary>,
    /// Normal discs from the thorax down.
    pub normal: Vec<DiscLevel>,
}

impl StudySummary {
    /// Sums up the discs by the gradings that can be relied on (`experimental` names the others). What counts as
    /// abnormal, the table of gradings says ([`is_abnormal`]).
    #[must_use]
    pub fn of(discs: &[DiscClasses], experimental: &PerGrading<String>) -> Self {
        let mut summary = Self::default();
        let mut weights = Vec::new();
        for disc in discs {
            let found = || {
                let reliable = disc.classes.iter().filter(|(grading, _)| !experimental.contains(*grading));
                reliable
                    .map(|(grading, class)| (grading, *class))
                    .filter(|(grading, class)| is_abnormal(*grading, *class))
            };
            let words = words_of(&found().collect::<Vec<_>>());
            if words.is_empty() {
                summary.normal.push(disc.level);
                continue;
            }
            let severities = || found().map(|(grading, class)| grading.severity(class));
            let (severity, total) = (severities().fold(0.0, f32::max), severities().sum::<f32>());
            weights.push((severity, total));
            summary.abnormal.push(DiscSummary { level: disc.level, text: words.join(", "), severity });
        }
        let mut order: Vec<usize> = (0..weights.len()).collect();
        let key = |index: &usize| (weights[*index].0, weights[*index].1);
        order.sort_by(|a, b| key(b).0.total_cmp(&key(a).0).then(key(b).1.total_cmp(&key(a).1)));
        summary.abnormal = order.into_iter().map(|index| summary.abnormal[index].clone()).collect();
        summary
    }

    /// Whether every disc is normal, and there is one.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        self.abnormal.is_empty() && !self.normal.is_empty()
    }

    /// The last sentence: which discs are normal; empty where none is.
    #[must_use]
    pub fn normal_sentence(&self) -> String {
        let names = || self.normal.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match (self.normal.len(), self.abnormal.is_empty()) {
            (0, _) => String::new(),
            (1, true) => format!("The disc {} is normal.", names()),
            (count, true) => format!("All {count} discs are normal."),
            (_, false) => format!("Normal: {}.", names()),
        }
    }
}

impl fmt::Display for StudySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let abnormal = self.abnormal.iter().map(|disc| format!("{}: {}.", disc.level, disc.text));
        let normal = Some(self.normal_sentence()).filter(|sentence| !sentence.is_empty());
        f.write_str(&abnormal.chain(normal).collect::<Vec<_>>().join("\n"))
    }
}

/// Whether a class counts as a finding.
#[must_use]
pub fn is_abnormal(grading: Grading, class: ClassIndex) -> bool {
    class >= grading.spec().first_abnormal
}

/// Findings of a disc in words; what is found above and below the disc alike is said once.
fn words_of(found: &[(Grading, ClassIndex)]) -> Vec<String> {
    let has = |grading| found.iter().any(|(other, _)| *other == grading);
    let both_sides = [
        (Grading::UpperEndplateDefect, Grading::LowerEndplateDefect, "defects of both endplates"),
        (Grading::UpperMarrowChange, Grading::LowerMarrowChange, "marrow changes on both sides"),
    ];
    let words = found.iter().filter_map(|(grading, class)| {
        let pair = both_sides.iter().find(|(upper, lower, _)| [*upper, *lower].contains(grading));
        match pair.filter(|(upper, lower, _)| has(*upper) && has(*lower)) {
            Some((upper, _, both)) => (grading == upper).then(|| (*both).to_owned()),
            None => Some(in_words(*grading, *class)),
        }
    });
    words.collect()
}

fn in_words(grading: Grading, class: ClassIndex) -> String {
    let name = grading.spec().in_sentence;
    if grading.is_presence() { name.to_owned() } else { format!("{name} {}", grading.class_name(class)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy(level: DiscLevel) -> DiscPrediction {
        let probabilities = PerGrading::from_fn(Grading::PAPER, |grading| {
            let mut probabilities = vec![0.0; grading.classes()];
            probabilities[0] = 1.0;
            probabilities
        });
        DiscPrediction { level, probabilities, spread: PerGrading::default(), is_familiar: true }
    }

    fn all_reliable() -> PerGrading<String> {
        PerGrading::default()
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
        experimental.insert(Grading::Pfirrmann, "hardly trained".to_owned());
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
        experimental.insert(Grading::CentralCanalStenosis, "no labels".to_owned());
        assert_eq!(sentence(&disc, &experimental), "L4-L5: Pfirrmann IV, narrowing 3, upper endplate defect.");
        let notes = disc_notes(&[disc], &experimental);
        assert_eq!(
            (notes[0].headline.as_str(), notes[0].detail.as_str()),
            ("Pfirrmann IV", "narrowing 3, upper endplate defect")
        );
        assert!((notes[0].severity - 0.9).abs() < 1e-6);
    }

    #[test]
    fn a_summary_names_the_worst_disc_first_and_the_normal_ones_last() {
        let disc = |level, pfirrmann, narrowing| {
            let mut classes = PerGrading::from_fn(Grading::PAPER, |_| 0);
            (classes[Grading::Pfirrmann], classes[Grading::DiscNarrowing]) = (pfirrmann, narrowing);
            DiscClasses { level, classes }
        };
        let mut discs = [disc(DiscLevel::L3L4, 1, 0), disc(DiscLevel::L4L5, 2, 0), disc(DiscLevel::L5S1, 3, 2)];
        discs[0].classes[Grading::CentralCanalStenosis] = 1;
        let mut experimental = all_reliable();
        experimental.insert(Grading::CentralCanalStenosis, "no labels".to_owned());
        let summary = StudySummary::of(&discs, &experimental);
        assert_eq!(summary.to_string(), "L5-S1: Pfirrmann IV, narrowing 3.\nL4-L5: Pfirrmann III.\nNormal: L3-L4.");
        assert!(!summary.is_normal());
        discs[1].classes[Grading::UpperEndplateDefect] = 1;
        discs[1].classes[Grading::LowerMarrowChange] = 1;
        assert_eq!(
            StudySummary::of(&discs[1..2], &experimental).to_string(),
            "L4-L5: Pfirrmann III, upper endplate defect, lower marrow change."
        );
        discs[1].classes[Grading::LowerEndplateDefect] = 1;
        assert_eq!(
            StudySummary::of(&discs[1..2], &experimental).to_string(),
            "L4-L5: Pfirrmann III, defects of both endplates, lower marrow change."
        );
        let healthy = StudySummary::of(&[disc(DiscLevel::L3L4, 1, 0), disc(DiscLevel::L4L5, 0, 0)], &experimental);
        assert!(healthy.is_normal());
        assert_eq!(healthy.to_string(), "All 2 discs are normal.");
        assert!(!StudySummary::default().is_normal(), "nothing is known yet");
    }
}
