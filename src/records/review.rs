//! What a reader decided about a scan, schema `spinenet-review/1`: one file a series, saved at once and whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use glam::DVec2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{CornersEntry, KeyImage, MeasurementEntry, Narrative, OutlineEntry, Report, SignOff, VertebraEntry};
use crate::files::write_private;
use crate::spine::{ClassIndex, Corners, DiscLevel, Grading, Measurement, Vertebra, VertebraLabel, VertebraOutline};

/// Name and version of the schema of review files.
pub(crate) const REVIEW_SCHEMA: &str = "spinenet-review/1";

/// Why a review was refused or could not be saved.
#[derive(Debug, Error)]
pub enum ReviewError {
    /// The file cannot be read.
    #[error("cannot read the review")]
    Read(#[source] io::Error),
    /// The file cannot be written.
    #[error("cannot save the review")]
    Write(#[source] io::Error),
    /// The file is not JSON of the expected form.
    #[error("not a review")]
    Json(#[from] serde_json::Error),
    /// Another schema.
    #[error("expected schema {REVIEW_SCHEMA}, got \"{0}\"")]
    Schema(String),
    /// Something in it that cannot be.
    #[error("the review cannot be used: {0}")]
    Content(String),
}

/// What a reader decided about one disc.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscReview {
    /// The reader's grades (Pfirrmann 1–5, narrowing 1–4, the others 0 or 1) where they differ from the computed ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grades: BTreeMap<Grading, u8>,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl DiscReview {
    /// Whether nothing was decided.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.grades.is_empty() && self.comment.is_empty()
    }
}

/// A reader's decisions about a scan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// Decisions by disc; discs without any are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub discs: BTreeMap<DiscLevel, DiscReview>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Measurement>,
    /// Slices for the report, in the order in which they were marked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_images: Vec<KeyImage>,
    /// What was written about the study as a whole.
    #[serde(default, skip_serializing_if = "Narrative::is_empty")]
    pub narrative: Narrative,
    /// Who stands for the results, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_off: Option<SignOff>,
}

impl Review {
    /// The reader's class of a grading, where it differs from the computed one.
    #[must_use]
    pub fn class_of(&self, level: DiscLevel, grading: Grading) -> Option<ClassIndex> {
        grading.class_from_grade(*self.discs.get(&level)?.grades.get(&grading)?)
    }

    /// Notes the reader's class of a grading; `None` goes back to the computed one.
    pub fn set_class(&mut self, level: DiscLevel, grading: Grading, class: Option<ClassIndex>) {
        let disc = self.discs.entry(level).or_default();
        match class {
            Some(class) => disc.grades.insert(grading, grading.grade_from_class(class)),
            None => disc.grades.remove(&grading),
        };
        self.forget_empty();
    }

    /// The comment on a disc; empty without one.
    #[must_use]
    pub fn comment_of(&self, level: DiscLevel) -> &str {
        self.discs.get(&level).map_or("", |disc| &disc.comment)
    }

    pub fn set_comment(&mut self, level: DiscLevel, comment: &str) {
        comment.clone_into(&mut self.discs.entry(level).or_default().comment);
        self.forget_empty();
    }

    fn forget_empty(&mut self) {
        self.discs.retain(|_, disc| !disc.is_empty());
    }

    /// The same decisions after discs were renamed; those of discs without a new name are dropped.
    #[must_use]
    pub(crate) fn renamed(&self, new_level: impl Fn(DiscLevel) -> Option<DiscLevel>) -> Self {
        let discs = self.discs.iter().filter_map(|(level, disc)| Some((new_level(*level)?, disc.clone()))).collect();
        let key_images = self.key_images.iter().map(|image| image.renamed(&new_level)).collect();
        Self { discs, key_images, ..self.clone() }
    }

    /// Writes the decisions into a report, beside what was computed.
    pub fn note_in(&self, report: &mut Report) {
        for (level, review) in &self.discs {
            for (grading, grade) in &review.grades {
                report.set_edited(*level, *grading, Some(*grade));
            }
            report.set_comment(*level, &review.comment);
        }
        let [row, column] = report.pixel_spacing_mm;
        let pixel_size_mm = DVec2::new(column, row);
        let discs =
            report.discs.iter().map(|disc| (disc.level, DVec2::new(disc.centroid_image[1], disc.centroid_image[2])));
        let entry = |measurement: &Measurement| {
            MeasurementEntry::new(measurement, measurement.level(discs.clone(), pixel_size_mm), pixel_size_mm)
        };
        report.measurements = self.measurements.iter().filter_map(entry).collect();
        report.key_images.clone_from(&self.key_images);
        report.narrative.clone_from(&self.narrative);
        report.sign_off.clone_from(&self.sign_off);
        report.note_canals();
    }
}

/// A review as kept on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewFile {
    pub schema: String,
    /// The series it is about.
    pub series_instance_uid: String,
    /// SHA-256 of the voxels that the reader saw: the decisions are about those images and no others of the series.
    pub voxel_sha256: String,
    /// The vertebral bodies, where the reader corrected any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vertebrae: Option<Vec<VertebraEntry>>,
    /// The decisions.
    #[serde(flatten)]
    pub review: Review,
}

impl ReviewFile {
    /// A review of a series, as its voxels are; with `vertebrae` where the reader corrected them.
    #[must_use]
    pub fn new(
        series_instance_uid: &str,
        voxel_sha256: &str,
        vertebrae: Option<Vec<VertebraEntry>>,
        review: Review,
    ) -> Self {
        let [series_instance_uid, voxel_sha256] = [series_instance_uid, voxel_sha256].map(str::to_owned);
        Self { schema: REVIEW_SCHEMA.to_owned(), series_instance_uid, voxel_sha256, vertebrae, review }
    }

    /// Reads and validates a file.
    ///
    /// # Errors
    /// If it cannot be read, is no review of this schema, or holds what cannot be.
    pub fn read(path: &Path) -> Result<Self, ReviewError> {
        Self::parse(&fs::read(path).map_err(ReviewError::Read)?)
    }

    /// Parses and validates JSON.
    ///
    /// # Errors
    /// If it is no review of this schema, or holds what cannot be.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, ReviewError> {
        // The schema is looked at first, so that a newer file is named as such and not as broken.
        let value: serde_json::Value = serde_json::from_slice(json)?;
        let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
        if schema != REVIEW_SCHEMA {
            return Err(ReviewError::Schema(schema.to_owned()));
        }
        let file: Self = serde_json::from_value(value)?;
        file.validate()?;
        Ok(file)
    }

    fn validate(&self) -> Result<(), ReviewError> {
        let fault = |text: String| Err(ReviewError::Content(text));
        for (level, disc) in &self.review.discs {
            for (grading, grade) in &disc.grades {
                if grading.class_from_grade(*grade).is_none() {
                    return fault(format!("{level} {grading}: there is no grade {grade}"));
                }
            }
        }
        if !self.review.measurements.iter().all(Measurement::is_whole) {
            return fault("a measurement lacks points".to_owned());
        }
        if let Some(found) = self.review.key_images.iter().find_map(KeyImage::fault) {
            return fault(found);
        }
        let is_bad = |vertebra: &Vertebra| {
            let finite = |outline: &VertebraOutline| outline.corners.as_array().iter().all(|corner| corner.is_finite());
            vertebra.outlines.is_empty() || !vertebra.outlines.iter().all(finite)
        };
        match self.corrected_vertebrae().unwrap_or_default().iter().find(|vertebra| is_bad(vertebra)) {
            Some(vertebra) => fault(format!("{} has no outline", vertebra.label)),
            None => Ok(()),
        }
    }

    /// Writes the file, for its owner alone, so that a crash leaves either the old or the new one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ReviewError> {
        write_private(path, &self.json()?).map_err(ReviewError::Write)
    }

    /// What stands in its file.
    pub(crate) fn json(&self) -> Result<Vec<u8>, ReviewError> {
        Ok((serde_json::to_string_pretty(self)? + "\n").into_bytes())
    }

    /// The bodies as the reader left them; `None` if none was corrected.
    #[must_use]
    pub(crate) fn corrected_vertebrae(&self) -> Option<Vec<Vertebra>> {
        let vertebra = |entry: &VertebraEntry| {
            let mut outlines: Vec<_> = entry.slices.iter().map(VertebraOutline::from).collect();
            outlines.sort_by_key(|outline| outline.slice);
            Vertebra { label: entry.label, confidence: entry.confidence as f32, outlines }
        };
        let mut vertebrae: Vec<Vertebra> = self.vertebrae.as_ref()?.iter().map(vertebra).collect();
        vertebrae.sort_by_key(|vertebra| vertebra.label);
        vertebrae.dedup_by_key(|vertebra: &mut Vertebra| -> VertebraLabel { vertebra.label });
        Some(vertebrae)
    }
}

impl From<&OutlineEntry> for VertebraOutline {
    fn from(entry: &OutlineEntry) -> Self {
        let CornersEntry { sa, sp, ip, ia } = entry.corners_image;
        let corners = Corners::from_array([sa, sp, ip, ia].map(DVec2::from_array));
        Self { slice: entry.slice, corners }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::MeasurementKind;

    fn review() -> Review {
        let mut review = Review::default();
        review.set_class(DiscLevel::L4L5, Grading::Pfirrmann, Some(3));
        review.set_class(DiscLevel::L4L5, Grading::CentralCanalStenosis, Some(0));
        review.set_comment(DiscLevel::L5S1, "small extrusion\nto the left");
        let points = vec![DVec2::new(1.0, 2.0), DVec2::new(3.5, 4.25)];
        review.measurements.push(Measurement { kind: MeasurementKind::Length, slice: 3, points });
        review
    }

    #[test]
    fn a_saved_review_reads_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("review.json");
        let mut file = ReviewFile::new("1.2.3", "ab", None, review());
        let outline = OutlineEntry {
            slice: 4,
            corners_image: CornersEntry { sa: [0.0, 0.0], sp: [9.0, 0.0], ip: [9.0, 7.0], ia: [0.0, 7.0] },
        };
        let entry = |label, slices: &[OutlineEntry]| VertebraEntry {
            label,
            confidence: 1.0,
            slices: slices.to_vec(),
            centroid_lps: [0.0; 3],
        };
        file.vertebrae = Some(vec![entry(VertebraLabel::L5, std::slice::from_ref(&outline))]);
        file.save(&path).expect("saved");
        let read = ReviewFile::read(&path).expect("valid");
        assert_eq!(read, file);
        let bodies = read.corrected_vertebrae().expect("corrected");
        assert_eq!((bodies[0].label, bodies[0].outlines[0].corners.ip), (VertebraLabel::L5, DVec2::new(9.0, 7.0)));
        file.vertebrae = Some(vec![entry(VertebraLabel::L5, &[])]);
        file.save(&path).expect("saved");
        assert!(matches!(ReviewFile::read(&path), Err(ReviewError::Content(_))));
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        let mut review = review();
        review.set_class(DiscLevel::L4L5, Grading::Pfirrmann, None);
        review.set_class(DiscLevel::L4L5, Grading::CentralCanalStenosis, None);
        review.set_comment(DiscLevel::L5S1, "");
        review.measurements.clear();
        assert_eq!(review, Review::default());
    }

    #[test]
    fn decisions_follow_renamed_discs() {
        let up = |level: DiscLevel| DiscLevel::ALL.get(level.index().checked_sub(1)?).copied();
        let moved = review().renamed(up);
        assert_eq!(moved.class_of(DiscLevel::L3L4, Grading::Pfirrmann), Some(3));
        assert_eq!(moved.comment_of(DiscLevel::L4L5), "small extrusion\nto the left");
        assert_eq!(moved.class_of(DiscLevel::L4L5, Grading::Pfirrmann), None);
    }

    #[test]
    fn grades_that_do_not_exist_and_other_schemas_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("review.json");
        let bad = r#"{"schema": "spinenet-review/1", "series_instance_uid": "1", "voxel_sha256": "", "discs": {"L4-L5": {"grades": {"pfirrmann": 9}}}}"#;
        for (text, expected) in [
            (bad, "the review cannot be used: L4-L5 pfirrmann: there is no grade 9"),
            (r#"{"schema": "spinenet-review/2"}"#, "expected schema spinenet-review/1, got \"spinenet-review/2\""),
        ] {
            fs::write(&path, text).expect("written");
            assert_eq!(ReviewFile::read(&path).expect_err("refused").to_string(), expected);
        }
    }
}
