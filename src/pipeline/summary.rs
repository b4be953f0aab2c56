//! A study in words.

use super::change::{GradeChange, change_sentences, compared_grades};
use super::conflicts::Conflict;
use super::{DiscFindings, Finding};
use crate::language::{Language, say};
use crate::records::Report;
use crate::spine::{DiscLevel, Grading};

/// A normal grade that is less probable than all others together is named.
const MAJORITY: f32 = 0.5;

/// A study in words: each disc, what disagrees or must not be relied on, and what was looked at. It never calls a study
/// normal: only the gradings of the weights were assessed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StudySummary {
    discs: Vec<DiscFindings>,
    /// The grades of an earlier examination beside the present ones, and the days between, as far as they are known.
    compared: Vec<GradeChange>,
    days_before: Option<i64>,
}

impl StudySummary {
    /// Sums up a report.
    #[must_use]
    pub fn of_report(report: &Report) -> Self {
        let prior = report.prior.as_ref();
        Self {
            compared: prior.map(|prior| compared_grades(report, prior)).unwrap_or_default(),
            days_before: prior.and_then(|prior| prior.days_before),
            ..Self::of(DiscFindings::of_report(report))
        }
    }

    /// Sums up graded discs.
    #[must_use]
    pub fn of(discs: Vec<DiscFindings>) -> Self {
        Self { discs, ..Self::default() }
    }

    /// The graded discs from the thorax down.
    #[must_use]
    pub(crate) fn discs(&self) -> &[DiscFindings] {
        &self.discs
    }

    /// What was found at a level.
    #[must_use]
    pub(crate) fn disc(&self, level: DiscLevel) -> Option<&DiscFindings> {
        self.discs.iter().find(|disc| disc.level == level)
    }

    /// Discs with an abnormal grade, the worst first.
    #[must_use]
    pub fn abnormal(&self) -> Vec<&DiscFindings> {
        let mut abnormal: Vec<&DiscFindings> =
            self.discs.iter().filter(|disc| disc.abnormal().next().is_some()).collect();
        let total = |disc: &DiscFindings| disc.abnormal().map(Finding::severity).sum::<f32>();
        abnormal.sort_by(|a, b| b.severity().total_cmp(&a.severity()).then(total(b).total_cmp(&total(a))));
        abnormal
    }

    /// What changed since an earlier examination, where there is one to compare with.
    #[must_use]
    pub fn changes(&self, language: Language) -> Vec<String> {
        change_sentences(&self.compared, self.days_before, language)
    }

    /// Which discs have no abnormal grade.
    #[must_use]
    pub fn unremarkable_sentence(&self, language: Language) -> Option<String> {
        let without = self.discs.iter().filter(|disc| disc.abnormal().next().is_none());
        let names: Vec<String> = without.map(|disc| disc.level.to_string()).collect();
        (!names.is_empty()).then(|| say!(language, "No abnormal grade: {levels}.", levels = names.join(", ")))
    }

    /// What a reader must look at because the program does not know: grades that disagree with a measurement, flags of
    /// experimental gradings, and normal grades that are hardly more probable than others.
    #[must_use]
    pub fn doubt_sentences(&self, language: Language) -> Vec<String> {
        let joined = |named: Vec<String>| Some(named.join("; ")).filter(|named| !named.is_empty());
        let conflict = |disc: &DiscFindings| {
            let level = disc.level;
            let text = |conflict: &Conflict| format!("{level} {}", conflict.text(language));
            disc.conflicts.iter().map(text).collect::<Vec<_>>()
        };
        let named =
            |finding: &Finding| format!("{} {} ({})", finding.level, finding.name(language), finding.surety(language));
        let flagged = self.discs.iter().flat_map(|disc| &disc.experimental).filter(|finding| finding.is_abnormal());
        let uncertain = self.discs.iter().flat_map(|disc| &disc.findings);
        let uncertain = uncertain.filter(|finding| !finding.is_abnormal() && finding.probability < MAJORITY);
        let sentences = [
            joined(self.discs.iter().flat_map(conflict).collect())
                .map(|conflict| say!(language, "Grade and measurement disagree: {conflict}.", conflict = conflict)),
            joined(flagged.map(named).collect())
                .map(|findings| say!(language, "Experimental, not relied on: {findings}.", findings = findings)),
            joined(uncertain.map(named).collect())
                .map(|findings| say!(language, "Low probability: {findings}.", findings = findings)),
        ];
        sentences.into_iter().flatten().collect()
    }

    /// What was assessed; everything else in the images was not.
    #[must_use]
    pub fn scope_sentence(&self, language: Language) -> Option<String> {
        let is_assessed = |grading: &Grading| {
            self.discs.iter().flat_map(|disc| &disc.findings).any(|finding| finding.grading == *grading)
        };
        let mut names: Vec<&str> = Vec::new();
        for grading in Grading::ALL.into_iter().filter(is_assessed) {
            let name = match grading {
                Grading::UpperEndplateDefect | Grading::LowerEndplateDefect => say!(language, "endplate defects"),
                Grading::UpperMarrowChange | Grading::LowerMarrowChange => say!(language, "marrow changes"),
                other => language.text(other.spec().in_sentence),
            };
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            return None;
        }
        let gradings = names.join(", ");
        let assessed =
            say!(language, "Assessed: {gradings}. Nothing else in the images was assessed.", gradings = gradings);
        let has_canal = self.discs.iter().any(|disc| disc.measured.canal_mm.is_some());
        let canal = (!has_canal).then(|| say!(language, "The width of the canal was not measured.").to_owned());
        Some([assessed].into_iter().chain(canal).collect::<Vec<_>>().join(" "))
    }

    /// The conclusion in short: abnormal discs, the worst first, without measurements, and which have no abnormal grade.
    #[must_use]
    pub fn impression(&self, language: Language) -> Vec<String> {
        let abnormal = self.abnormal().into_iter().map(|disc| disc.grades_sentence(language));
        abnormal.chain(self.unremarkable_sentence(language)).collect()
    }

    /// The sentences that follow those about the discs, the same on screen, on the clipboard and in print.
    #[must_use]
    pub fn closing(&self, language: Language) -> Vec<String> {
        let changes = self.changes(language).into_iter();
        changes.chain(self.doubt_sentences(language)).chain(self.scope_sentence(language)).collect()
    }

    /// All sentences: a line for each graded disc from the thorax down, then [`Self::closing`].
    #[must_use]
    pub fn sentences(&self, language: Language) -> Vec<String> {
        self.discs.iter().map(|disc| disc.sentence(language)).chain(self.closing(language)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::tests::disc;
    use super::*;
    use crate::records::DiscMeasures;

    fn text(summary: &StudySummary) -> String {
        summary.sentences(Language::ENGLISH).join("\n")
    }

    const SCOPE: &str = "Nothing else in the images was assessed. The width of the canal was not measured.";

    #[test]
    fn the_worst_disc_is_first_on_screen_and_levels_are_in_order_in_the_text() {
        let [pfirrmann, narrowing] = [Grading::Pfirrmann, Grading::DiscNarrowing];
        let summary = StudySummary::of(vec![
            disc(DiscLevel::L3L4, &[(pfirrmann, 1, 0.9), (narrowing, 0, 0.9)]),
            disc(DiscLevel::L4L5, &[(pfirrmann, 2, 0.9), (narrowing, 0, 0.9)]),
            disc(DiscLevel::L5S1, &[(pfirrmann, 3, 0.9), (narrowing, 2, 0.9)]),
        ]);
        let levels: Vec<DiscLevel> = summary.abnormal().iter().map(|disc| disc.level).collect();
        assert_eq!(levels, [DiscLevel::L5S1, DiscLevel::L4L5]);
        assert_eq!(
            summary.impression(Language::ENGLISH),
            ["L5-S1: Pfirrmann IV, narrowing 3.", "L4-L5: Pfirrmann III.", "No abnormal grade: L3-L4."]
        );
        assert_eq!(
            text(&summary),
            format!(
                "L3-L4: Pfirrmann II.\nL4-L5: Pfirrmann III.\nL5-S1: Pfirrmann IV, narrowing 3.\n\
                 Assessed: Pfirrmann, narrowing. {SCOPE}"
            )
        );
        assert_eq!(text(&StudySummary::default()), "", "nothing is known yet");
    }

    #[test]
    fn a_study_without_an_abnormal_grade_is_not_called_normal() {
        let mut discs = vec![
            disc(DiscLevel::L3L4, &[(Grading::Pfirrmann, 1, 0.42)]),
            disc(DiscLevel::L4L5, &[(Grading::Pfirrmann, 1, 0.9)]),
        ];
        let mut flag = disc(DiscLevel::L4L5, &[(Grading::CentralCanalStenosis, 1, 0.63)]);
        discs[1].experimental.append(&mut flag.findings);
        let text = text(&StudySummary::of(discs));
        assert_eq!(
            text,
            format!(
                "L3-L4: Pfirrmann II (42 %).\nL4-L5: Pfirrmann II.\n\
                 Experimental, not relied on: L4-L5 central canal stenosis (63 %).\n\
                 Low probability: L3-L4 Pfirrmann II (42 %).\nAssessed: Pfirrmann. {SCOPE}"
            )
        );
        assert!(!text.to_lowercase().contains("normal study"));
    }

    #[test]
    fn a_canal_that_was_measured_is_not_called_unmeasured() {
        let mut found = disc(DiscLevel::L4L5, &[(Grading::Pfirrmann, 1, 0.9)]);
        found.measured = DiscMeasures { canal_mm: Some(11.0), ..DiscMeasures::default() };
        let text = text(&StudySummary::of(vec![found]));
        assert!(text.starts_with("L4-L5: Pfirrmann II; canal 11.0 mm.") && text.ends_with("was assessed."), "{text}");
    }
}
