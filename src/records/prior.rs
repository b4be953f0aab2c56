//! An earlier examination of the same patient, as a report is compared with it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Report;
use crate::spine::{DiscLevel, Grading, PerGrading};

/// The earlier examination and its grades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// Its study.
    pub study_instance_uid: String,
    /// The series that was graded.
    pub series_instance_uid: String,
    /// Days from it to the present one; absent where a header has no date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_before: Option<i64>,
    /// Its graded discs from the thorax down.
    pub discs: Vec<PriorDisc>,
    /// Change by level in words; a report writes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

/// A disc of the earlier examination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriorDisc {
    /// Level.
    pub level: DiscLevel,
    /// Its grades that count, in a reader's counting.
    pub grades: PerGrading<u8>,
}

impl Prior {
    /// The examination that an earlier report is about.
    #[must_use]
    pub fn of_report(report: &Report, days_before: Option<i64>) -> Self {
        let disc = |disc: &super::DiscEntry| {
            let grades = disc.gradings.as_ref()?.iter().map(|(grading, entry)| (grading, entry.reported())).collect();
            Some(PriorDisc { level: disc.level, grades })
        };
        Self {
            study_instance_uid: report.study_instance_uid.clone(),
            series_instance_uid: report.series_instance_uid.clone(),
            days_before,
            discs: report.discs.iter().filter_map(disc).collect(),
            changes: Vec::new(),
        }
    }

    /// A grade of it.
    #[must_use]
    pub fn grade(&self, level: DiscLevel, grading: Grading) -> Option<u8> {
        self.discs.iter().find(|disc| disc.level == level)?.grades.get(grading).copied()
    }
}

/// Days from one date of a header (`YYYYMMDD`) to another; `None` where either is none.
#[must_use]
pub fn days_between(earlier: &str, later: &str) -> Option<i64> {
    let [earlier, later] = [earlier, later].map(|date| NaiveDate::parse_from_str(date.trim(), "%Y%m%d").ok());
    Some((later? - earlier?).num_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days_between("20250210", "20260301"), Some(384));
        assert_eq!(days_between("20260301", "20250210"), Some(-384));
        assert_eq!(days_between("", "20250210"), None);
        assert_eq!(days_between("2025", "20250210"), None);
    }
}
