//! What changed since an earlier examination, level by level. Window, clipboard, PDF, structured report and JSON say the
//! same.

use crate::language::{Language, say};
use crate::records::{Prior, Report};
use crate::spine::{ClassIndex, DiscLevel, Grading, PerGrading};

/// A grade of both examinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GradeChange {
    /// Disc.
    pub level: DiscLevel,
    /// Grading.
    pub grading: Grading,
    /// Class then.
    pub before: ClassIndex,
    /// Class now.
    pub now: ClassIndex,
}

impl GradeChange {
    /// Whether it is another class.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.before != self.now
    }

    /// "Pfirrmann III to IV", "spondylolisthesis new", "disc bulging no longer seen".
    fn in_words(self, language: Language) -> String {
        let name = language.text(self.grading.spec().in_sentence);
        match (self.grading.is_presence(), self.now > self.before) {
            (true, true) => say!(language, "{finding} new", finding = name),
            (true, false) => say!(language, "{finding} no longer seen", finding = name),
            (false, _) => {
                let [before, now] = [self.before, self.now].map(|class| language.text(self.grading.class_name(class)));
                say!(language, "{grading} {before} to {now}", grading = name, before = before, now = now)
            }
        }
    }
}

/// The grades of the discs that both examinations have, changed or not; computed ones of experimental gradings are not
/// compared.
#[must_use]
pub fn compared_grades(report: &Report, prior: &Prior) -> Vec<GradeChange> {
    let mut compared = Vec::new();
    for disc in &report.discs {
        for (grading, entry) in disc.gradings.iter().flat_map(PerGrading::iter) {
            let is_relied_on = entry.edited.is_some() || !report.experimental_gradings.contains(&grading);
            let now = grading.class_from_grade(entry.reported()).filter(|_| is_relied_on);
            let before = prior.grade(disc.level, grading).and_then(|grade| grading.class_from_grade(grade));
            if let (Some(before), Some(now)) = (before, now) {
                compared.push(GradeChange { level: disc.level, grading, before, now });
            }
        }
    }
    compared
}

/// The change by level in sentences: "L4-L5, since the examination 384 days before: Pfirrmann III to IV." and one for all
/// levels without a change.
#[must_use]
pub fn change_sentences(compared: &[GradeChange], days_before: Option<i64>, language: Language) -> Vec<String> {
    let since = match days_before {
        Some(days) if days > 0 => say!(
            language,
            days = days as usize;
            one "the examination {days} day before", other "the examination {days} days before"
        ),
        Some(_) | None => say!(language, "the other examination").to_owned(),
    };
    let mut sentences = Vec::new();
    let mut unchanged = Vec::new();
    for level in compared.chunk_by(|a, b| a.level == b.level) {
        let changes: Vec<String> =
            level.iter().filter(|grade| grade.is_change()).map(|grade| grade.in_words(language)).collect();
        if changes.is_empty() {
            unchanged.push(level[0].level.to_string());
        } else {
            sentences.push(say!(
                language,
                "{level}, since {examination}: {changes}.",
                level = level[0].level,
                examination = since,
                changes = changes.join(", ")
            ));
        }
    }
    if !unchanged.is_empty() {
        sentences.push(say!(
            language,
            "Grades as in {examination}: {levels}.",
            examination = since,
            levels = unchanged.join(", ")
        ));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn changes_are_told_by_level_and_experimental_grades_are_not_compared() {
        let mut now = report();
        let prior = Prior::of_report(&now, Some(384));
        let sentences = |now: &Report, prior: &Prior| {
            change_sentences(&compared_grades(now, prior), prior.days_before, Language::ENGLISH)
        };
        assert_eq!(sentences(&now, &prior), ["Grades as in the examination 384 days before: L4-L5."]);
        let level = DiscLevel::L4L5;
        assert!(now.set_edited(level, Grading::Pfirrmann, Some(4)));
        assert!(now.set_edited(level, Grading::Spondylolisthesis, Some(0)));
        let words = "Pfirrmann II to IV, spondylolisthesis no longer seen";
        assert_eq!(sentences(&now, &prior), [format!("L4-L5, since the examination 384 days before: {words}.")]);
        let compared = compared_grades(&now, &prior);
        assert!(compared.iter().all(|grade| grade.grading != Grading::CentralCanalStenosis), "experimental");
        assert_eq!(compared.iter().filter(|grade| grade.is_change()).count(), 2);
        // A reader's own grade of an experimental grading counts.
        assert!(now.set_edited(level, Grading::CentralCanalStenosis, Some(0)));
        assert!(sentences(&now, &prior)[0].contains("central canal stenosis no longer seen"));
        let unknown = Prior { discs: Vec::new(), ..prior };
        assert!(sentences(&now, &unknown).is_empty());
    }
}
