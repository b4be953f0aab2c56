//! What is asked for in an archive, and what it lists.

use serde::Serialize;

/// Most studies that are listed unless told otherwise.
const LIMIT: usize = 100;

/// Which studies are wanted; empty texts match all. `*` and `?` stand for any letters and any letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyQuery {
    /// Part of the patient's name.
    pub patient_name: String,
    pub patient_id: String,
    /// Study date, `YYYYMMDD`, or a range `YYYYMMDD-YYYYMMDD` with either end left out.
    pub study_date: String,
    pub accession_number: String,
    pub study_instance_uid: String,
    /// Modality that the study must have; empty for any.
    pub modality: String,
    /// Most studies that are listed.
    pub limit: usize,
}

impl Default for StudyQuery {
    fn default() -> Self {
        Self {
            patient_name: String::new(),
            patient_id: String::new(),
            study_date: String::new(),
            accession_number: String::new(),
            study_instance_uid: String::new(),
            modality: "MR".to_owned(),
            limit: LIMIT,
        }
    }
}

impl StudyQuery {
    /// The name as archives match it: a word without `*` or `?` may stand anywhere.
    #[must_use]
    pub(super) fn name_pattern(&self) -> String {
        let name = self.patient_name.trim();
        if name.is_empty() || name.contains(['*', '?']) { name.to_owned() } else { format!("*{name}*") }
    }

    /// Attributes to match, keyword and value; those that match all are left out.
    pub(super) fn matches(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("PatientName", self.name_pattern()),
            ("PatientID", self.patient_id.trim().to_owned()),
            ("StudyDate", self.study_date.trim().to_owned()),
            ("AccessionNumber", self.accession_number.trim().to_owned()),
            ("StudyInstanceUID", self.study_instance_uid.trim().to_owned()),
            ("ModalitiesInStudy", self.modality.trim().to_owned()),
        ];
        fields.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}

impl StudyQuery {
    /// Whether a study is one that was meant, by name, number and accession number. Letters match in any case, and the marks
    /// between the parts of a name match each other.
    pub(super) fn is_met_by(&self, study: &ArchivedStudy) -> bool {
        let pairs = [
            (self.name_pattern(), &study.patient_name),
            (self.patient_id.trim().to_owned(), &study.patient_id),
            (self.accession_number.trim().to_owned(), &study.accession_number),
        ];
        pairs.iter().all(|(pattern, text)| pattern.is_empty() || matches(&folded(pattern), &folded(text)))
    }
}

/// Letters in one case, the marks between parts of a name as spaces.
fn folded(text: &str) -> Vec<char> {
    let mark = |letter| if "^=,".contains(letter) { ' ' } else { letter };
    text.to_lowercase().chars().map(mark).collect()
}

/// Whether a text matches a pattern, in which `*` is any letters and `?` any letter.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        (['*', rest @ ..], _) => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        (['?', rest @ ..], [_, behind @ ..]) => matches(rest, behind),
        ([letter, rest @ ..], [other, behind @ ..]) => letter == other && matches(rest, behind),
        (_, []) => false,
    }
}

/// Whether a text is a date or a range of dates as [`StudyQuery::study_date`] takes it.
#[must_use]
pub(crate) fn is_date_range(text: &str) -> bool {
    let is_date = |date: &str| date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('-') {
        None => is_date(text),
        Some((from, to)) => {
            [from, to].into_iter().all(|date| date.is_empty() || is_date(date)) && !(from.is_empty() && to.is_empty())
        }
    }
}

/// A study of an archive. It has no `Debug`: it names a patient.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct ArchivedStudy {
    pub study_instance_uid: String,
    /// Patient's name, components parted by `^`.
    pub patient_name: String,
    pub patient_id: String,
    pub patient_birth_date: String,
    pub study_date: String,
    /// `HHMMSS`, as the archive has it.
    pub study_time: String,
    /// Study description.
    pub description: String,
    pub accession_number: String,
    /// Modalities of its series.
    pub modalities: Vec<String>,
    /// Number of its series, where the archive tells.
    pub series: Option<usize>,
    /// Number of its objects, where the archive tells.
    pub objects: Option<usize>,
}

/// A series of a study in an archive.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ArchivedSeries {
    pub series_instance_uid: String,
    pub modality: String,
    /// Series description.
    pub description: String,
    /// Number of its objects, where the archive tells.
    pub objects: Option<usize>,
}

/// Newest first; studies of one moment by UID, so that the order is always the same.
pub(super) fn sort_studies(studies: &mut [ArchivedStudy]) {
    studies.sort_by(|a, b| {
        let newest = (&b.study_date, &b.study_time).cmp(&(&a.study_date, &a.study_time));
        newest.then_with(|| a.study_instance_uid.cmp(&b.study_instance_uid))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_leave_out_what_matches_all() {
        let query = StudyQuery { patient_name: " Muster ".into(), ..StudyQuery::default() };
        let expected = [("PatientName", "*Muster*".to_owned()), ("ModalitiesInStudy", "MR".to_owned())];
        assert_eq!(query.matches(), expected);
        let exact = StudyQuery { patient_name: "Muster^A*".into(), ..StudyQuery::default() };
        assert_eq!(exact.name_pattern(), "Muster^A*");
    }

    #[test]
    fn studies_are_sifted_by_what_was_typed() {
        let meets = |typed: &str, name: &str| {
            let query = StudyQuery { patient_name: typed.into(), ..StudyQuery::default() };
            query.is_met_by(&ArchivedStudy { patient_name: name.into(), ..ArchivedStudy::default() })
        };
        for (typed, name) in [
            ("Tester^Ann", "TESTER^Ann^"),
            ("Tester Ann", "Tester^Ann"),
            ("van dyke", "van Dyke^Bea"),
            ("Müller", "Müller^Jörg"),
            ("洪", "Hong^Gildong=洪^吉洞"),
            ("T?ster*", "Tester^Ann"),
        ] {
            assert!(meets(typed, name), "{typed} {name}");
        }
        for (typed, name) in [("Tester^Bob", "Tester^Ann"), ("Müller", "Moller"), ("T?ster", "Tester^Ann")] {
            assert!(!meets(typed, name), "{typed} {name}");
        }
        let query = StudyQuery { patient_id: "A/1".into(), ..StudyQuery::default() };
        assert!(!query.is_met_by(&ArchivedStudy { patient_id: "A-1".into(), ..ArchivedStudy::default() }));
    }

    #[test]
    fn dates_and_ranges() {
        for good in ["20260101", "20260101-20260131", "20260101-", "-20260131"] {
            assert!(is_date_range(good), "{good}");
        }
        for bad in ["", "-", "2026", "2026-01-01", "20260101-x"] {
            assert!(!is_date_range(bad), "{bad}");
        }
    }
}
