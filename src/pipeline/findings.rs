//! Grades in words, and which of them matter most.

use std::fmt;

use crate::picture::DiscNote;
use crate::records::DiscEntry;
use crate::saliency::{SaliencyMap, SaliencyMethod};
use crate::spine::{ClassIndex, DiscLevel, DiscPrediction, Grading, PerGrading, most_probable};

/// What a disc is graded in one grading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Disc.
    pub level: DiscLevel,
    /// Grading.
    pub grading: Grading,
    /// The reader's class, else the computed one.
    pub class: ClassIndex,
    /// Probability of the computed class; 1 of a reader's.
    pub probability: f32,
}

impl Finding {
    /// How abnormal it is, 0 (normal) to 1 (worst).
    #[must_use]
    pub fn severity(&self) -> f32 {
        self.grading.severity(self.class)
    }

    /// How abnormal it is and how surely, 0 to 1: severity times probability. The worst grade is the one with the greatest.
    #[must_use]
    pub fn weight(&self) -> f32 {
        self.severity() * self.probability
    }

    /// Whether it is to be mentioned; where abnormal begins, the table of gradings says.
    #[must_use]
    pub fn is_abnormal(&self) -> bool {
        self.class >= self.grading.spec().first_abnormal
    }
}

/// The grades of a disc that can be relied on.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscFindings {
    /// Disc.
    pub level: DiscLevel,
    /// One for each grading, in the order of [`Grading::ALL`].
    pub findings: Vec<Finding>,
}

impl DiscFindings {
    /// What was computed, without the gradings in `experimental`.
    #[must_use]
    pub fn computed(prediction: &DiscPrediction, experimental: &PerGrading<String>) -> Self {
        let level = prediction.level;
        let reliable = prediction.probabilities.iter().filter(|(grading, _)| !experimental.contains(*grading));
        let finding = |(grading, probabilities): (Grading, &Vec<f32>)| {
            let class = most_probable(probabilities);
            Some(Finding { level, grading, class, probability: *probabilities.get(class)? })
        };
        Self { level, findings: reliable.filter_map(finding).collect() }
    }

    /// What a report says, where a reader's grade counts before the computed one; without the gradings in `experimental`.
    /// `None` without grades.
    #[must_use]
    pub fn reported(disc: &DiscEntry, experimental: &[Grading]) -> Option<Self> {
        let level = disc.level;
        let reliable = disc.gradings.as_ref()?.iter().filter(|(grading, _)| !experimental.contains(grading));
        let findings = reliable.filter_map(|(grading, entry)| {
            let class = grading.class_from_grade(entry.reported())?;
            let computed = || entry.probabilities.get(class).copied().unwrap_or_default() as f32;
            let probability = if entry.edited.is_some() { 1.0 } else { computed() };
            Some(Finding { level, grading, class, probability })
        });
        Some(Self { level, findings: findings.collect() })
    }

    /// The abnormal ones.
    pub fn abnormal(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_abnormal())
    }

    /// What is abnormal about the disc, in one sentence: "L4-L5: Pfirrmann IV, narrowing 3, upper endplate defect."
    #[must_use]
    pub fn sentence(&self) -> String {
        let (headline, mut parts) = (self.headline(), self.beside_pfirrmann());
        if parts.is_empty() {
            let nothing = if headline.is_some() { "nothing else abnormal" } else { "nothing abnormal" };
            parts.push(nothing.to_owned());
        }
        let parts: Vec<String> = headline.into_iter().chain(parts).collect();
        format!("{}: {}.", self.level, parts.join(", "))
    }

    /// The note beside the disc of an overview picture.
    #[must_use]
    pub fn note(&self) -> DiscNote {
        DiscNote {
            level: self.level,
            headline: self.headline().unwrap_or_default(),
            detail: self.beside_pfirrmann().join(", "),
            severity: self.findings.iter().map(Finding::weight).fold(0.0, f32::max),
        }
    }

    /// Pfirrmann's grade, normal or not.
    fn headline(&self) -> Option<String> {
        let found = self.findings.iter().find(|finding| finding.grading == Grading::Pfirrmann);
        found.and_then(|finding| in_words(&[finding]).pop())
    }

    /// What else is abnormal.
    fn beside_pfirrmann(&self) -> Vec<String> {
        in_words(&self.abnormal().filter(|finding| finding.grading != Grading::Pfirrmann).collect::<Vec<_>>())
    }
}

/// The finding with the greatest [`Finding::weight`]; of equal ones the first from the thorax down. `None` if there is
/// nothing to choose from.
#[must_use]
pub fn most_abnormal(discs: &[DiscFindings]) -> Option<Finding> {
    let findings = discs.iter().flat_map(|disc| disc.findings.iter().copied());
    findings.reduce(|best, next| if next.weight() > best.weight() { next } else { best })
}

/// The abnormal findings, those with the greatest [`Finding::weight`] first; equal ones from the thorax down.
#[must_use]
pub fn by_weight(discs: &[DiscFindings]) -> Vec<Finding> {
    let mut found: Vec<Finding> = discs.iter().flat_map(DiscFindings::abnormal).copied().collect();
    found.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
    found
}

/// A method's name on screen and on pictures.
#[must_use]
pub fn method_in_words(method: SaliencyMethod) -> &'static str {
    match method {
        SaliencyMethod::Gradient => "Gradient",
        SaliencyMethod::Guided => "Guided backpropagation",
        SaliencyMethod::Excitation => "Excitation backpropagation",
        SaliencyMethod::ContrastiveExcitation => "Contrastive excitation backpropagation",
        SaliencyMethod::HiResCam => "HiResCAM",
        SaliencyMethod::LayerCam => "LayerCAM",
    }
}

/// Where a map was read off and how far it was smoothed: "at Conv3, smoothed by 2 mm".
#[must_use]
pub fn reading_in_words(map: &SaliencyMap) -> String {
    let smoothed =
        if map.smoothing_mm > 0.0 { format!(", smoothed by {} mm", map.smoothing_mm) } else { String::new() };
    format!("at {}{smoothed}", map.layer.name())
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
    /// Sums up the discs.
    #[must_use]
    pub fn of(discs: &[DiscFindings]) -> Self {
        let mut summary = Self::default();
        let mut weights = Vec::new();
        for disc in discs {
            let abnormal: Vec<&Finding> = disc.abnormal().collect();
            if abnormal.is_empty() {
                summary.normal.push(disc.level);
                continue;
            }
            let severities = || abnormal.iter().map(|finding| finding.severity());
            let (severity, total) = (severities().fold(0.0, f32::max), severities().sum::<f32>());
            weights.push((severity, total));
            let text = in_words(&abnormal).join(", ");
            summary.abnormal.push(DiscSummary { level: disc.level, text, severity });
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

/// Findings of a disc in words; what is found above and below the disc alike is said once.
fn in_words(found: &[&Finding]) -> Vec<String> {
    let has = |grading| found.iter().any(|finding| finding.grading == grading);
    let both_sides = [
        (Grading::UpperEndplateDefect, Grading::LowerEndplateDefect, "defects of both endplates"),
        (Grading::UpperMarrowChange, Grading::LowerMarrowChange, "marrow changes on both sides"),
    ];
    let words = found.iter().filter_map(|Finding { grading, class, .. }| {
        let pair = both_sides.iter().find(|(upper, lower, _)| [*upper, *lower].contains(grading));
        let name = grading.spec().in_sentence;
        match pair.filter(|(upper, lower, _)| has(*upper) && has(*lower)) {
            Some((upper, _, both)) => (grading == upper).then(|| (*both).to_owned()),
            None if grading.is_presence() => Some(name.to_owned()),
            None => Some(format!("{name} {}", grading.class_name(*class))),
        }
    });
    words.collect()
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

    fn computed(predictions: &[DiscPrediction], experimental: &PerGrading<String>) -> Vec<DiscFindings> {
        predictions.iter().map(|prediction| DiscFindings::computed(prediction, experimental)).collect()
    }

    #[test]
    fn severity_counts_as_much_as_probability() {
        let mut upper = healthy(DiscLevel::L3L4);
        upper.probabilities[Grading::Pfirrmann] = vec![0.0, 0.0, 0.1, 0.9, 0.0];
        let mut lower = healthy(DiscLevel::L5S1);
        lower.probabilities[Grading::LowerMarrowChange] = vec![0.4, 0.6];
        let discs = [upper, lower];
        let found = most_abnormal(&computed(&discs, &all_reliable())).expect("predictions");
        // 0.75 × 0.9 against 1 × 0.6.
        assert_eq!((found.level, found.grading, found.class), (DiscLevel::L3L4, Grading::Pfirrmann, 3));
        assert_eq!(by_weight(&computed(&discs, &all_reliable())).len(), 2);
        let experimental = PerGrading::from_fn([Grading::Pfirrmann], |_| "hardly trained".to_owned());
        let found = most_abnormal(&computed(&discs, &experimental)).expect("predictions");
        assert_eq!((found.level, found.grading), (DiscLevel::L5S1, Grading::LowerMarrowChange));
        assert_eq!(most_abnormal(&[]), None);
    }

    #[test]
    fn sentences_name_what_is_abnormal_and_can_be_relied_on() {
        let mut disc = healthy(DiscLevel::L4L5);
        let sentence = |disc: &DiscPrediction, experimental: &PerGrading<String>| {
            DiscFindings::computed(disc, experimental).sentence()
        };
        assert_eq!(sentence(&disc, &all_reliable()), "L4-L5: Pfirrmann I, nothing else abnormal.");
        disc.probabilities[Grading::Pfirrmann] = vec![0.0, 0.0, 0.0, 0.8, 0.2];
        disc.probabilities[Grading::DiscNarrowing] = vec![0.0, 0.0, 1.0, 0.0];
        disc.probabilities[Grading::UpperEndplateDefect] = vec![0.1, 0.9];
        disc.probabilities[Grading::CentralCanalStenosis] = vec![0.1, 0.9];
        let experimental = PerGrading::from_fn([Grading::CentralCanalStenosis], |_| "no labels".to_owned());
        assert_eq!(sentence(&disc, &experimental), "L4-L5: Pfirrmann IV, narrowing 3, upper endplate defect.");
        let note = DiscFindings::computed(&disc, &experimental).note();
        assert_eq!(
            (note.headline.as_str(), note.detail.as_str()),
            ("Pfirrmann IV", "narrowing 3, upper endplate defect")
        );
        assert!((note.severity - 0.9).abs() < 1e-6);
        let only_slip = PerGrading::from_fn([Grading::Spondylolisthesis], |_| vec![0.9, 0.1]);
        let disc = DiscPrediction { probabilities: only_slip, ..disc };
        assert_eq!(sentence(&disc, &experimental), "L4-L5: nothing abnormal.");
    }

    #[test]
    fn a_summary_names_the_worst_disc_first_and_the_normal_ones_last() {
        let disc = |level, classes: &[(Grading, ClassIndex)]| {
            let finding = |(grading, class): &(Grading, ClassIndex)| Finding {
                level,
                grading: *grading,
                class: *class,
                probability: 0.5,
            };
            DiscFindings { level, findings: classes.iter().map(finding).collect() }
        };
        let [pfirrmann, narrowing] = [Grading::Pfirrmann, Grading::DiscNarrowing];
        let mut discs = vec![
            disc(DiscLevel::L3L4, &[(pfirrmann, 1), (narrowing, 0)]),
            disc(DiscLevel::L4L5, &[(pfirrmann, 2), (narrowing, 0)]),
            disc(DiscLevel::L5S1, &[(pfirrmann, 3), (narrowing, 2)]),
        ];
        let summary = StudySummary::of(&discs);
        assert_eq!(summary.to_string(), "L5-S1: Pfirrmann IV, narrowing 3.\nL4-L5: Pfirrmann III.\nNormal: L3-L4.");
        assert!(!summary.is_normal());
        let said = |classes: &[(Grading, ClassIndex)]| StudySummary::of(&[disc(DiscLevel::L4L5, classes)]).to_string();
        let [upper, lower] = [Grading::UpperEndplateDefect, Grading::LowerEndplateDefect];
        let marrow = (Grading::LowerMarrowChange, 1);
        assert_eq!(
            said(&[(pfirrmann, 2), (upper, 1), (lower, 0), marrow]),
            "L4-L5: Pfirrmann III, upper endplate defect, lower marrow change."
        );
        assert_eq!(
            said(&[(pfirrmann, 2), (upper, 1), (lower, 1), marrow]),
            "L4-L5: Pfirrmann III, defects of both endplates, lower marrow change."
        );
        assert_eq!(said(&[(Grading::DiscHerniation, 1)]), "L4-L5: disc herniation.");
        discs.truncate(1);
        discs.push(disc(DiscLevel::L4L5, &[(pfirrmann, 0)]));
        let healthy = StudySummary::of(&discs);
        assert!(healthy.is_normal());
        assert_eq!(healthy.to_string(), "All 2 discs are normal.");
        assert!(!StudySummary::default().is_normal(), "nothing is known yet");
    }
}
