//! What is true of a synthetic study, schema `spinenet-truth/1`, and truth tables to evaluate against.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RecordError;
use super::report::{Software, VertebraEntry};
use crate::files::{PathError, write_whole};
use crate::spine::{DiscLevel, Grading, PerGrading, SliceBox};

/// Name and version of the schema of truth files.
pub(crate) const TRUTH_SCHEMA: &str = "spinenet-truth/1";

/// The truth of a synthetic study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TruthFile {
    pub schema: String,
    /// The program that made the study.
    pub software: Software,
    /// The synthetic patient.
    pub seed: u64,
    /// The series that it is true of.
    pub series_instance_uid: String,
    /// Free bodies of lumbar type, 4 to 6; labels are those of the bone all the same.
    pub lumbar_bodies: u8,
    /// Labelled bodies with their corners.
    pub vertebrae: Vec<VertebraEntry>,
    /// Grades of the discs in a reader's counting, from the thorax down.
    pub discs: Vec<DiscTruth>,
    /// Boxes around findings.
    pub boxes: Vec<SliceBox>,
}

/// True grades of one disc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DiscTruth {
    pub level: DiscLevel,
    /// Grades in a reader's counting.
    pub gradings: PerGrading<u8>,
}

/// True grades by series and disc; a grading without a label is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TruthTable {
    /// Grades in a reader's counting.
    pub grades: BTreeMap<(String, DiscLevel), PerGrading<u8>>,
    /// Whose a series is, where the table tells; intervals are drawn by patient.
    pub patients: BTreeMap<String, String>,
}

impl TruthTable {
    /// Adds the truth of a synthetic study.
    pub(crate) fn add(&mut self, truth: &TruthFile) {
        for disc in &truth.discs {
            let key = (truth.series_instance_uid.clone(), disc.level);
            self.grades.insert(key, disc.gradings.clone());
        }
        self.patients.insert(truth.series_instance_uid.clone(), truth.seed.to_string());
    }

    /// Adds the rows of another table.
    pub(crate) fn extend(&mut self, other: Self) {
        self.grades.extend(other.grades);
        self.patients.extend(other.patients);
    }

    /// Whose a series is: the patient that the table tells, else a patient of its own.
    #[must_use]
    pub(crate) fn patient<'a>(&'a self, series: &'a str) -> &'a str {
        self.patients.get(series).map_or(series, String::as_str)
    }

    /// Reads CSV with the columns `series_instance_uid`, `level` and any of the gradings' names; an empty cell is a
    /// missing label. A column `patient` tells which series are of one patient.
    ///
    /// # Errors
    /// If the file cannot be read, a column is missing, or a cell holds no level or no such grade.
    pub(crate) fn read(file: &Path) -> Result<Self, RecordError> {
        let broken = |reason: String| RecordError::Truth { reason, path: file.to_owned() };
        let mut reader = csv::Reader::from_path(file).map_err(|error| broken(error.to_string()))?;
        let head = reader.headers().map_err(|error| broken(error.to_string()))?.clone();
        let column = |name: &str| head.iter().position(|column| column.trim() == name);
        let needed = |name: &str| column(name).ok_or_else(|| broken(format!("column {name} is missing")));
        let (series, level) = (needed("series_instance_uid")?, needed("level")?);
        let patient = column("patient");
        let columns: Vec<(Grading, usize)> =
            Grading::ALL.into_iter().filter_map(|grading| Some((grading, column(grading.key())?))).collect();
        if columns.is_empty() {
            return Err(broken(format!("no column of a grading, such as {}", Grading::Pfirrmann)));
        }
        let mut table = Self::default();
        for (number, row) in reader.records().enumerate() {
            let row = row.map_err(|error| broken(error.to_string()))?;
            let line = number + 2;
            let cell = |index: usize| row.get(index).unwrap_or_default().trim();
            let level = cell(level).parse().map_err(|error| broken(format!("line {line}: {error}")))?;
            let mut grades = PerGrading::default();
            for (grading, column) in &columns {
                let text = cell(*column);
                if !text.is_empty() {
                    let grade = text.parse().ok().filter(|grade| grading.class_from_grade(*grade).is_some());
                    let no_such = || broken(format!("line {line}: {grading} has no grade \"{text}\""));
                    grades.insert(*grading, grade.ok_or_else(no_such)?);
                }
            }
            if let Some(patient) = patient.map(cell).filter(|patient| !patient.is_empty()) {
                table.patients.insert(cell(series).to_owned(), patient.to_owned());
            }
            table.grades.insert((cell(series).to_owned(), level), grades);
        }
        Ok(table)
    }

    /// Writes the table as CSV that [`Self::read`] reads.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, file: &Path) -> Result<(), RecordError> {
        let mut text = String::from("series_instance_uid,patient,level");
        let gradings: BTreeSet<Grading> = self.grades.values().flat_map(PerGrading::gradings).collect();
        for grading in &gradings {
            text.push(',');
            text.push_str(grading.key());
        }
        text.push('\n');
        for ((series, level), grades) in &self.grades {
            let patient = self.patients.get(series).cloned().unwrap_or_default();
            let mut cells = vec![series.clone(), patient, level.to_string()];
            let grade = |grading: &Grading| grades.get(*grading).map(u8::to_string).unwrap_or_default();
            cells.extend(gradings.iter().map(grade));
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        Ok(write_whole(file, text.as_bytes()).map_err(PathError::at(file))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_reads_back_and_missing_labels_stay_missing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("truth.csv");
        let mut table = TruthTable::default();
        let some = PerGrading::from_fn(Grading::PAPER.into_iter().take(7), |grading| grading.grade_from_class(1));
        let more = PerGrading::from_fn(Grading::ALL, |grading| grading.grade_from_class(0));
        table.grades.insert(("1.2.3".to_owned(), DiscLevel::L4L5), some);
        table.grades.insert(("1.2.4".to_owned(), DiscLevel::L4L5), more);
        table.patients.insert("1.2.3".to_owned(), "7".to_owned());
        assert_eq!((table.patient("1.2.3"), table.patient("1.2.4")), ("7", "1.2.4"));
        table.write(&file).expect("written");
        assert_eq!(TruthTable::read(&file).expect("valid"), table);
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("truth.csv");
        let message = |text: &str| {
            std::fs::write(&file, text).expect("written");
            TruthTable::read(&file).expect_err("refused").to_string()
        };
        assert!(message("level,pfirrmann\n").contains("column series_instance_uid is missing"));
        assert!(message("series_instance_uid,level\n").contains("no column of a grading"));
        assert!(
            message("series_instance_uid,level,pfirrmann\n1,L4-L5,6\n")
                .contains("line 2: pfirrmann has no grade \"6\"")
        );
        assert!(message("series_instance_uid,level,pfirrmann\n1,L4-L9,2\n").contains("line 2: unknown level"));
    }
}
