//! Grades in words, and which of them matter most.

use super::conflicts::{Conflict, conflicts};
use crate::language::{Language, say};
use crate::picture::DiscNote;
use crate::records::{DiscEntry, DiscMeasures, Report};
use crate::saliency::{SaliencyMap, SaliencyMethod};
use crate::spine::{ClassIndex, DiscLevel, Grading};

/// From this probability on a finding is stated plainly; a less probable one is called possible.
const SURE: f32 = 0.7;
/// What a disc is graded in one grading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    pub level: DiscLevel,
    pub grading: Grading,
    /// The reader's class, else the computed one.
    pub class: ClassIndex,
    /// Probability of the computed class; 1 of a reader's.
    pub probability: f32,
    /// The class is a reader's.
    pub is_read: bool,
}

impl Finding {
    /// How abnormal it is, 0 (normal) to 1 (worst).
    #[must_use]
    pub(crate) fn severity(&self) -> f32 {
        self.grading.severity(self.class)
    }

    /// How abnormal it is and how surely, 0 to 1: severity times probability. The worst grade is the one with the greatest.
    #[must_use]
    pub(crate) fn weight(&self) -> f32 {
        self.severity() * self.probability
    }

    /// Whether it is to be mentioned; where abnormal begins, the table of gradings says.
    #[must_use]
    pub(crate) fn is_abnormal(&self) -> bool {
        self.class >= self.grading.spec().first_abnormal
    }

    /// How sure it is: "62 %", or whose it is.
    pub(super) fn surety(&self, language: Language) -> String {
        if self.is_read {
            say!(language, "by the reader").to_owned()
        } else {
            format!("{:.0} %", self.probability * 100.0)
        }
    }

    /// "Pfirrmann III", "upper endplate defect".
    pub(super) fn name(&self, language: Language) -> String {
        let name = language.text(self.grading.spec().in_sentence);
        if self.grading.is_presence() {
            name.to_owned()
        } else {
            format!("{name} {}", language.text(self.grading.class_name(self.class)))
        }
    }

    /// The name; where it is not sure "Pfirrmann II (42 %)", and of what is abnormal "possible disc herniation (63 %)".
    fn words(&self, name: &str, language: Language) -> String {
        match (self.probability >= SURE, self.is_abnormal()) {
            (true, _) => name.to_owned(),
            (false, true) => {
                say!(language, "possible {finding} ({surety})", finding = name, surety = self.surety(language))
            }
            (false, false) => format!("{name} ({})", self.surety(language)),
        }
    }
}

/// The grades of a disc.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscFindings {
    pub level: DiscLevel,
    /// Those that can be relied on, one for each grading, in the order of [`Grading::ALL`].
    pub(crate) findings: Vec<Finding>,
    /// Those of experimental gradings, which are named and not counted.
    pub experimental: Vec<Finding>,
    /// Height, slip, canal and signal.
    pub measured: DiscMeasures,
    /// Heights of the discs above and below, mm, where they were measured.
    pub beside_mm: Vec<(DiscLevel, f64)>,
    /// Where grades and what was measured disagree.
    pub(crate) conflicts: Vec<Conflict>,
}

impl DiscFindings {
    /// What a report says of its graded discs.
    #[must_use]
    pub(crate) fn of_report(report: &Report) -> Vec<Self> {
        let mut discs: Vec<Self> =
            report.discs.iter().filter_map(|disc| Self::reported(disc, &report.experimental_gradings)).collect();
        for disc in &mut discs {
            disc.beside_mm = heights_beside(report, disc.level);
            disc.conflicts = conflicts(disc);
        }
        discs
    }

    /// What a report says of a disc, where a reader's grade counts before the computed one; computed grades of the gradings
    /// in `experimental` are kept apart. `None` without grades.
    fn reported(disc: &DiscEntry, experimental: &[Grading]) -> Option<Self> {
        let level = disc.level;
        let measured = disc.measured.unwrap_or_default();
        let mut whole =
            Self { level, findings: vec![], experimental: vec![], measured, beside_mm: vec![], conflicts: vec![] };
        for (grading, entry) in disc.gradings.as_ref()?.iter() {
            let Some(class) = grading.class_from_grade(entry.reported()) else { continue };
            let is_read = entry.edited.is_some();
            let computed = || entry.probabilities.get(class).copied().unwrap_or_default() as f32;
            let probability = if is_read { 1.0 } else { computed() };
            let is_experimental = experimental.contains(&grading) && !is_read;
            let list = if is_experimental { &mut whole.experimental } else { &mut whole.findings };
            list.push(Finding { level, grading, class, probability, is_read });
        }
        Some(whole)
    }

    /// The grade that counts of a grading, experimental or not.
    #[must_use]
    pub(crate) fn of(&self, grading: Grading) -> Option<&Finding> {
        self.findings.iter().chain(&self.experimental).find(|finding| finding.grading == grading)
    }

    /// Severity of the worst grade, 0 (normal) to 1.
    #[must_use]
    pub(crate) fn severity(&self) -> f32 {
        self.abnormal().map(Finding::severity).fold(0.0, f32::max)
    }

    /// The abnormal ones.
    pub(crate) fn abnormal(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_abnormal())
    }

    /// The disc in one sentence: "L4-L5: Pfirrmann IV, narrowing 3, possible upper endplate defect (63 %); height 7.2 mm,
    /// slip 1 %." What was not graded or measured is not mentioned.
    #[must_use]
    pub fn sentence(&self, language: Language) -> String {
        let measures = Some(self.measured.in_words(self.level, language)).filter(|words| !words.is_empty());
        let parts: Vec<String> = std::iter::once(self.grades(language)).chain(measures).collect();
        format!("{}: {}.", self.level, parts.join("; "))
    }

    /// The same without what was measured.
    #[must_use]
    pub fn grades_sentence(&self, language: Language) -> String {
        format!("{}: {}.", self.level, self.grades(language))
    }

    fn grades(&self, language: Language) -> String {
        let beside = self.beside_pfirrmann(language);
        let grades: Vec<String> = self.headline(language).into_iter().chain(beside).collect();
        let unconfirmed = self.unconfirmed(language);
        let graded = if grades.is_empty() && unconfirmed.is_none() {
            Some(say!(language, "no abnormal grade").to_owned())
        } else {
            Some(grades.join(", ")).filter(|grades| !grades.is_empty())
        };
        graded.into_iter().chain(unconfirmed).collect::<Vec<_>>().join("; ")
    }

    /// The abnormal grades that a measurement contradicts, which are not stated as found.
    fn unconfirmed(&self, language: Language) -> Option<String> {
        let found: Vec<_> = self.abnormal().filter(|finding| self.is_contradicted(finding)).collect();
        let words = in_words(&found, language);
        (!words.is_empty())
            .then(|| say!(language, "not confirmed by measurement: {findings}", findings = words.join(", ")))
    }

    /// What a reader graded stands, whatever the program measured; that they disagree is told beside it.
    fn is_contradicted(&self, finding: &Finding) -> bool {
        let contradicts = |conflict: &Conflict| conflict.finding.grading == finding.grading && conflict.is_doubt();
        !finding.is_read && self.conflicts.iter().any(contradicts)
    }

    /// The note beside the disc of an overview picture.
    #[must_use]
    pub fn note(&self, language: Language) -> DiscNote {
        DiscNote {
            level: self.level,
            headline: self.headline(language).unwrap_or_default(),
            detail: self
                .beside_pfirrmann(language)
                .into_iter()
                .chain(self.unconfirmed(language))
                .collect::<Vec<_>>()
                .join(", "),
            severity: self.findings.iter().map(Finding::weight).fold(0.0, f32::max),
        }
    }

    /// Pfirrmann's grade, normal or not.
    fn headline(&self, language: Language) -> Option<String> {
        let found = self.findings.iter().find(|finding| finding.grading == Grading::Pfirrmann);
        found.and_then(|finding| in_words(&[finding], language).pop())
    }

    /// What else is abnormal and not contradicted by a measurement.
    fn beside_pfirrmann(&self, language: Language) -> Vec<String> {
        let is_told = |finding: &&Finding| finding.grading != Grading::Pfirrmann && !self.is_contradicted(finding);
        let found: Vec<_> = self.abnormal().filter(is_told).collect();
        in_words(&found, language)
    }
}

/// Heights of the discs above and below one in a report, where they were measured.
fn heights_beside(report: &Report, level: DiscLevel) -> Vec<(DiscLevel, f64)> {
    let Some(place) = report.discs.iter().position(|disc| disc.level == level) else { return Vec::new() };
    let beside =
        [place.checked_sub(1), Some(place + 1)].into_iter().flatten().filter_map(|place| report.discs.get(place));
    beside.filter_map(|disc| Some((disc.level, disc.measured?.height_mm?))).collect()
}

/// The finding with the greatest [`Finding::weight`]; of equal ones the first from the thorax down. `None` if there is
/// nothing to choose from.
#[must_use]
pub(crate) fn most_abnormal(discs: &[DiscFindings]) -> Option<Finding> {
    let findings = discs.iter().flat_map(|disc| disc.findings.iter().copied());
    findings.reduce(|best, next| if next.weight() > best.weight() { next } else { best })
}

/// The abnormal findings, those with the greatest [`Finding::weight`] first; equal ones from the thorax down.
#[must_use]
pub(crate) fn by_weight(discs: &[DiscFindings]) -> Vec<Finding> {
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
pub fn reading_in_words(map: &SaliencyMap, language: Language) -> String {
    let layer = map.layer.name();
    if map.smoothing_mm > 0.0 {
        say!(language, "at {layer}, smoothed by {smoothing} mm", layer = layer, smoothing = map.smoothing_mm)
    } else {
        say!(language, "at {layer}", layer = layer)
    }
}

/// Findings of a disc in words; what is found above and below the disc alike is said once.
fn in_words(found: &[&Finding], language: Language) -> Vec<String> {
    let has = |grading| found.iter().any(|finding| finding.grading == grading);
    let both_sides = [
        (Grading::UpperEndplateDefect, Grading::LowerEndplateDefect, say!(language, "defects of both endplates")),
        (Grading::UpperMarrowChange, Grading::LowerMarrowChange, say!(language, "marrow changes on both sides")),
    ];
    let words = found.iter().filter_map(|finding| {
        let pair = both_sides.iter().find(|(upper, lower, _)| [*upper, *lower].contains(&finding.grading));
        let Some((upper, lower, both)) = pair.filter(|(upper, lower, _)| has(*upper) && has(*lower)) else {
            return Some(finding.words(&finding.name(language), language));
        };
        let sides = || found.iter().filter(|side| [*upper, *lower].contains(&side.grading));
        let less_probable = sides().min_by(|a, b| a.probability.total_cmp(&b.probability))?;
        (finding.grading == *upper).then(|| less_probable.words(both, language))
    });
    words.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::records::GradeEntry;
    use crate::spine::PerGrading;

    /// A disc with these classes and their probabilities.
    pub(crate) fn disc(level: DiscLevel, classes: &[(Grading, ClassIndex, f32)]) -> DiscFindings {
        let finding = |(grading, class, probability): &(Grading, ClassIndex, f32)| Finding {
            level,
            grading: *grading,
            class: *class,
            probability: *probability,
            is_read: false,
        };
        let findings = classes.iter().map(finding).collect();
        let measured = DiscMeasures::default();
        DiscFindings {
            level,
            findings,
            experimental: Vec::new(),
            measured,
            beside_mm: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    #[test]
    fn severity_counts_as_much_as_probability() {
        let discs = [
            disc(DiscLevel::L3L4, &[(Grading::Pfirrmann, 3, 0.9)]),
            disc(DiscLevel::L5S1, &[(Grading::Pfirrmann, 0, 1.0), (Grading::LowerMarrowChange, 1, 0.6)]),
        ];
        let found = most_abnormal(&discs).expect("findings");
        // 0.75 × 0.9 against 1 × 0.6.
        assert_eq!((found.level, found.grading, found.class), (DiscLevel::L3L4, Grading::Pfirrmann, 3));
        assert_eq!(by_weight(&discs).len(), 2);
        assert_eq!(most_abnormal(&[]), None);
    }

    #[test]
    fn a_readers_grade_counts_and_computed_ones_of_experimental_gradings_do_not() {
        let entry =
            |edited| GradeEntry { grade: 1, probabilities: vec![0.3, 0.7], spread: None, at_prevalence: None, edited };
        let found = |edited| {
            let grades = [(Grading::CentralCanalStenosis, entry(edited)), (Grading::DiscHerniation, entry(None))];
            let disc = DiscEntry {
                level: DiscLevel::L4L5,
                centroid_lps: [0.0; 3],
                centroid_image: [0.0; 3],
                gradings: Some(grades.into_iter().collect::<PerGrading<_>>()),
                unlike_training_data: false,
                measured: None,
                conflicts: Vec::new(),
                comment: None,
            };
            DiscFindings::reported(&disc, &[Grading::CentralCanalStenosis]).expect("graded")
        };
        let computed = found(None);
        assert_eq!((computed.findings.len(), computed.experimental.len()), (1, 1));
        assert_eq!(computed.sentence(Language::ENGLISH), "L4-L5: disc herniation.");
        let read = found(Some(0));
        assert!(read.experimental.is_empty() && read.findings[0].is_read && !read.findings[0].is_abnormal());
    }

    #[test]
    fn what_a_measurement_contradicts_is_found_only_if_a_reader_says_so() {
        let mut found = disc(DiscLevel::L4L5, &[(Grading::Spondylolisthesis, 1, 0.9)]);
        found.measured = DiscMeasures { slip_percent: Some(-3.3), ..DiscMeasures::default() };
        found.conflicts = conflicts(&found);
        assert_eq!(
            found.sentence(Language::ENGLISH),
            "L4-L5: not confirmed by measurement: spondylolisthesis; slip 3 %."
        );
        // Discs L4-L5 without a slip hardly ever measure so far forward.
        found.measured.slip_percent = Some(0.3);
        found.conflicts = conflicts(&found);
        assert_eq!(
            (found.conflicts.len(), found.sentence(Language::ENGLISH).as_str()),
            (1, "L4-L5: spondylolisthesis; slip 0 %.")
        );
        found.measured.slip_percent = Some(-3.3);
        found.findings[0].is_read = true;
        found.conflicts = conflicts(&found);
        assert_eq!(found.conflicts.len(), 1);
        assert_eq!(found.sentence(Language::ENGLISH), "L4-L5: spondylolisthesis; slip 3 %.");
    }

    #[test]
    fn a_disc_is_put_into_words_in_every_language() {
        let classes = [
            (Grading::Pfirrmann, 3, 0.9),
            (Grading::DiscNarrowing, 2, 0.9),
            (Grading::UpperEndplateDefect, 1, 0.6),
            (Grading::LowerEndplateDefect, 1, 0.9),
            (Grading::CentralCanalStenosis, 1, 0.8),
            (Grading::DiscHerniation, 1, 0.63),
        ];
        let mut found = disc(DiscLevel::L4L5, &classes);
        found.measured = DiscMeasures {
            height_mm: Some(7.24),
            slip_percent: Some(12.4),
            canal_mm: Some(9.0),
            ..DiscMeasures::default()
        };
        let said = Language::shipped().into_iter().map(|language| found.sentence(language)).collect::<Vec<_>>();
        assert_eq!(
            said,
            [
                "L4-L5: Pfirrmann IV, narrowing 3, possible defects of both endplates (60 %), central canal stenosis, \
                 possible disc herniation (63 %); height 7.2 mm, slip 12 % forward, Meyerding I, canal 9.0 mm.",
                "L4-L5: Pfirrmann IV, Höhenminderung 3, V. a. Endplattendefekte beidseits der Bandscheibe (60 %), \
                 zentrale Spinalkanalstenose, V. a. Bandscheibenvorfall (63 %); Höhe 7,2 mm, Versatz 12 % nach ventral, \
                 Meyerding I, Kanal 9,0 mm.",
                "L4-L5: Pfirrmann IV, pinzamiento 3, posible defecto de ambos platillos (60 %), estenosis del canal \
                 central, posible hernia discal (63 %); altura 7,2 mm, deslizamiento 12 % anterior, Meyerding I, canal \
                 9,0 mm.",
                "L4-L5: Pfirrmann IV, pincement 3, possible anomalie des deux plateaux (60 %), sténose canalaire \
                 centrale, possible hernie discale (63 %); hauteur 7,2 mm, glissement 12 % antérieur, Meyerding I, \
                 canal 9,0 mm.",
            ]
        );
    }

    #[test]
    fn sentences_say_how_sure_a_grade_is_and_what_was_measured() {
        let [pfirrmann, herniation] = [Grading::Pfirrmann, Grading::DiscHerniation];
        let mut found = disc(DiscLevel::L4L5, &[(pfirrmann, 3, 0.9), (herniation, 1, 0.63)]);
        found.measured = DiscMeasures { height_mm: Some(7.24), slip_percent: Some(0.4), ..DiscMeasures::default() };
        assert_eq!(
            found.sentence(Language::ENGLISH),
            "L4-L5: Pfirrmann IV, possible disc herniation (63 %); height 7.2 mm, slip 0 %."
        );
        // Nothing is claimed of gradings that the weights do not have.
        assert_eq!(
            disc(DiscLevel::L4L5, &[(pfirrmann, 1, 0.42)]).sentence(Language::ENGLISH),
            "L4-L5: Pfirrmann II (42 %)."
        );
        assert_eq!(
            disc(DiscLevel::L4L5, &[(herniation, 0, 0.9)]).sentence(Language::ENGLISH),
            "L4-L5: no abnormal grade."
        );
        let [upper, lower] = [Grading::UpperEndplateDefect, Grading::LowerEndplateDefect];
        let said = |classes: &[(Grading, ClassIndex, f32)]| disc(DiscLevel::L4L5, classes).sentence(Language::ENGLISH);
        let marrow = (Grading::LowerMarrowChange, 1, 0.9);
        assert_eq!(
            said(&[(pfirrmann, 2, 0.9), (upper, 1, 0.9), (lower, 0, 0.9), marrow]),
            "L4-L5: Pfirrmann III, upper endplate defect, lower marrow change."
        );
        assert_eq!(
            said(&[(pfirrmann, 2, 0.42), (upper, 1, 0.9), (lower, 1, 0.6), marrow]),
            "L4-L5: possible Pfirrmann III (42 %), possible defects of both endplates (60 %), lower marrow change."
        );
    }
}
