//! What a reader graded without seeing what was computed, schema `spinenet-blind-reading/1`: one file a reader and series.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{RecordError, WeightsUsed};
use crate::files::{PathError, sha256, write_private};
use crate::spine::{ClassIndex, DiscLevel, Grading};

/// Name and version of the schema of blind readings.
pub const BLIND_READING_SCHEMA: &str = "spinenet-blind-reading/1";

/// Grades in a reader's counting (Pfirrmann 1–5, narrowing 1–4, the others 0 or 1); discs without any are left out.
pub type GradesByDisc = BTreeMap<DiscLevel, BTreeMap<Grading, u8>>;

/// One reader's grades of one series, given before the computed ones were shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindReading {
    /// [`BLIND_READING_SCHEMA`].
    pub schema: String,
    /// The reader's name, initials or id.
    pub reader: String,
    /// Study of the series.
    pub study_instance_uid: String,
    /// The series.
    pub series_instance_uid: String,
    /// SHA-256 of the voxels that the reader saw.
    pub voxel_sha256: String,
    /// Computed grades of this series were on the screen, in the same run of the program, before the first grade was given.
    pub computed_seen_before: bool,
    /// The reader's grades.
    #[serde(default)]
    pub grades: GradesByDisc,
    /// What the grades are compared with; absent until the reader finished, after which no grade changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<FinishedReading>,
}

/// The end of a blind reading: from here on the computed grades are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedReading {
    /// When, RFC 3339 in UTC.
    pub finished_at: String,
    /// Weights that gave the computed grades.
    pub weights: Vec<WeightsUsed>,
    /// The computed grades.
    pub computed: GradesByDisc,
}

impl BlindReading {
    /// A reading without grades.
    #[must_use]
    pub fn new(reader: &str, study_instance_uid: &str, series_instance_uid: &str, voxel_sha256: &str) -> Self {
        let [reader, study_instance_uid, series_instance_uid, voxel_sha256] =
            [reader, study_instance_uid, series_instance_uid, voxel_sha256].map(str::to_owned);
        Self {
            schema: BLIND_READING_SCHEMA.to_owned(),
            reader,
            study_instance_uid,
            series_instance_uid,
            voxel_sha256,
            computed_seen_before: false,
            grades: GradesByDisc::new(),
            finished: None,
        }
    }

    /// The reader's class of a grading, where it was graded.
    #[must_use]
    pub fn class_of(&self, level: DiscLevel, grading: Grading) -> Option<ClassIndex> {
        grading.class_from_grade(*self.grades.get(&level)?.get(&grading)?)
    }

    /// Notes the reader's class of a grading; `None` takes it back.
    pub fn set_class(&mut self, level: DiscLevel, grading: Grading, class: Option<ClassIndex>) {
        let disc = self.grades.entry(level).or_default();
        match class {
            Some(class) => disc.insert(grading, grading.grade_from_class(class)),
            None => disc.remove(&grading),
        };
        self.grades.retain(|_, disc| !disc.is_empty());
    }

    /// Grades given so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.grades.values().map(BTreeMap::len).sum()
    }

    /// Whether grades were given and the computed ones are still hidden.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.finished.is_none() && !self.grades.is_empty()
    }

    /// Whether both are about the same images.
    #[must_use]
    pub fn is_of_images_of(&self, other: &Self) -> bool {
        (&self.series_instance_uid, &self.voxel_sha256) == (&other.series_instance_uid, &other.voxel_sha256)
    }

    /// The same after discs were renamed; grades of discs without a new name are dropped.
    #[must_use]
    pub fn renamed(&self, new_level: impl Fn(DiscLevel) -> Option<DiscLevel>) -> Self {
        let moved = |grades: &GradesByDisc| {
            grades.iter().filter_map(|(level, disc)| Some((new_level(*level)?, disc.clone()))).collect()
        };
        let finished = self.finished.as_ref();
        let finished = finished.map(|end| FinishedReading { computed: moved(&end.computed), ..end.clone() });
        Self { grades: moved(&self.grades), finished, ..self.clone() }
    }

    /// Part of a file's name that stands for the reader: names may hold what a file's name may not.
    #[must_use]
    pub fn reader_key(&self) -> String {
        let mut key = sha256([self.reader.as_bytes()]);
        key.truncate(12);
        key
    }

    /// Reads and validates a file.
    ///
    /// # Errors
    /// If it cannot be read, is no blind reading of this schema, or holds a grade that does not exist.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        Self::parse(&std::fs::read(path).map_err(PathError::at(path))?, path)
    }

    /// Parses and validates JSON that stands in the file `path`.
    ///
    /// # Errors
    /// If it is no blind reading of this schema, or holds a grade that does not exist.
    pub(crate) fn parse(json: &[u8], path: &Path) -> Result<Self, RecordError> {
        let broken = |reason: String| RecordError::BlindReading { reason, path: path.to_owned() };
        // The schema is looked at first, so that a newer file is named as such and not as broken.
        let value: serde_json::Value = serde_json::from_slice(json).map_err(|error| broken(error.to_string()))?;
        let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
        if schema != BLIND_READING_SCHEMA {
            return Err(broken(format!("expected schema {BLIND_READING_SCHEMA}, got \"{schema}\"")));
        }
        let reading: Self = serde_json::from_value(value).map_err(|error| broken(error.to_string()))?;
        let all = std::iter::once(&reading.grades).chain(reading.finished.as_ref().map(|end| &end.computed));
        for (level, disc) in all.flatten() {
            for (grading, grade) in disc {
                if grading.class_from_grade(*grade).is_none() {
                    return Err(broken(format!("{level} {grading}: there is no grade {grade}")));
                }
            }
        }
        Ok(reading)
    }

    /// All readings of a folder that can be read, and how many files cannot; a folder that does not exist has none.
    #[must_use]
    pub fn read_all(folder: &Path) -> (Vec<Self>, usize) {
        let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|file| file.path());
        let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "json"));
        let (read, broken): (Vec<_>, Vec<_>) = files.map(|file| Self::read(&file)).partition(Result::is_ok);
        (read.into_iter().filter_map(Result::ok).collect(), broken.len())
    }

    /// Writes the file, for its owner alone, so that a crash leaves either the old or the new one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        Ok(write_private(path, &self.json(path)?).map_err(PathError::at(path))?)
    }

    /// What stands in its file, `path`.
    pub(crate) fn json(&self, path: &Path) -> Result<Vec<u8>, RecordError> {
        let broken =
            |error: serde_json::Error| RecordError::BlindReading { reason: error.to_string(), path: path.to_owned() };
        Ok((serde_json::to_string_pretty(self).map_err(broken)? + "\n").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_reading_reads_back_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("reading.json");
        let mut reading = BlindReading::new("Dr. A/B", "1.2", "1.2.3", "ab");
        reading.set_class(DiscLevel::L4L5, Grading::Pfirrmann, Some(3));
        reading.set_class(DiscLevel::L4L5, Grading::Spondylolisthesis, Some(0));
        assert!(reading.is_under_way() && reading.count() == 2);
        let computed = reading.grades.clone();
        reading.finished =
            Some(FinishedReading { finished_at: "2026-11-30T12:00:00Z".to_owned(), weights: vec![], computed });
        reading.save(&path).expect("saved");
        assert_eq!(BlindReading::read(&path).expect("valid"), reading);
        assert!(!reading.is_under_way() && reading.reader_key().bytes().all(|letter| letter.is_ascii_hexdigit()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        }
        let up = |level: DiscLevel| (level == DiscLevel::L4L5).then_some(DiscLevel::L3L4);
        let moved = reading.renamed(up);
        assert_eq!(moved.class_of(DiscLevel::L3L4, Grading::Pfirrmann), Some(3));
        assert_eq!(moved.finished.expect("kept").computed, moved.grades);
    }

    #[test]
    fn grades_that_are_taken_back_leave_no_trace() {
        let mut reading = BlindReading::new("A", "1.2", "1.2.3", "ab");
        reading.set_class(DiscLevel::L4L5, Grading::Pfirrmann, Some(3));
        reading.set_class(DiscLevel::L4L5, Grading::Pfirrmann, None);
        assert_eq!(reading, BlindReading::new("A", "1.2", "1.2.3", "ab"));
    }

    #[test]
    fn other_schemas_and_grades_that_do_not_exist_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("reading.json");
        let mut reading = BlindReading::new("A", "1.2", "1.2.3", "ab");
        reading.grades.entry(DiscLevel::L4L5).or_default().insert(Grading::Pfirrmann, 9);
        reading.save(&path).expect("saved");
        let error = BlindReading::read(&path).expect_err("refused").to_string();
        assert!(error.contains("L4-L5 pfirrmann: there is no grade 9"), "{error}");
        std::fs::write(&path, r#"{"schema": "spinenet-blind-reading/2"}"#).expect("written");
        let error = BlindReading::read(&path).expect_err("refused").to_string();
        assert!(error.contains("got \"spinenet-blind-reading/2\""), "{error}");
    }
}
