//! Files of boxes, schema `spinenet-boxes/1`: one a series, saved at once and whole.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::rounded;
use crate::files::write_private;
use crate::spine::{BoxRule, BoxSource, DiscLevel, Grading, PixelBox, SliceBox};

/// Name and version of the schema of boxes files.
pub(crate) const BOXES_SCHEMA: &str = "spinenet-boxes/1";

/// Why a boxes file was refused or could not be saved.
#[derive(Debug, Error)]
pub enum BoxesError {
    /// The file cannot be read.
    #[error("cannot read the boxes")]
    Read(#[source] io::Error),
    /// The file cannot be written.
    #[error("cannot save the boxes")]
    Write(#[source] io::Error),
    /// The file is not JSON of the expected form.
    #[error("not a boxes file")]
    Json(#[from] serde_json::Error),
    /// Another schema.
    #[error("expected schema {BOXES_SCHEMA}, got \"{0}\"")]
    Schema(String),
    /// A COCO file whose names say neither disc and grading nor slice.
    #[error("cannot read the COCO file: {0}")]
    Coco(String),
    /// A box that cannot be.
    #[error("box {number}: {fault}")]
    Box {
        /// Position in the file, from 1.
        number: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
}

/// The boxes that one reader drew, or the program predicted, on one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoxesFile {
    pub schema: String,
    /// The reader's initials or id; empty for predicted boxes.
    pub reader: String,
    /// The series they lie on.
    pub series_instance_uid: String,
    /// SHA-256 of the voxels that the reader saw, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voxel_sha256: Option<String>,
    pub boxes: Vec<SliceBox>,
    /// The evidence maps that predicted boxes came from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) maps: Vec<MapEntry>,
}

/// An evidence map that boxes were predicted from: what it looked at, and where it is strongest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MapEntry {
    pub level: DiscLevel,
    pub grading: Grading,
    /// Which hotspots the boxes enclose.
    pub box_rule: BoxRule,
    /// Where the map is strongest; none for a map without evidence.
    pub peak: Option<PeakEntry>,
    /// The slices of the disc volume that the scan has.
    pub slices: Vec<SeenSliceEntry>,
}

/// The strongest place of a map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct PeakEntry {
    /// Slice of the scan.
    pub slice: usize,
    /// Place on it, `[x, y]` in image pixels.
    pub at: [f64; 2],
}

/// Where a slice of a disc volume lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeenSliceEntry {
    /// Slice of the scan.
    pub slice: usize,
    /// Corners `[x, y]` in image pixels, in order around it.
    pub corners: [[f64; 2]; 4],
}

impl BoxesFile {
    /// An annotation of a series.
    #[must_use]
    pub fn new(reader: &str, series_instance_uid: &str, boxes: Vec<SliceBox>) -> Self {
        Self {
            schema: BOXES_SCHEMA.to_owned(),
            reader: reader.to_owned(),
            series_instance_uid: series_instance_uid.to_owned(),
            voxel_sha256: None,
            boxes,
            maps: Vec::new(),
        }
    }

    /// The same, drawn on these voxels.
    #[must_use]
    pub(crate) fn on_voxels(self, voxel_sha256: &str) -> Self {
        Self { voxel_sha256: Some(voxel_sha256.to_owned()), ..self }
    }

    /// The same with the evidence maps that the boxes came from.
    #[must_use]
    pub(crate) fn with_maps(self, maps: Vec<MapEntry>) -> Self {
        Self { maps, ..self }
    }

    /// Reads and validates a file.
    ///
    /// # Errors
    /// If it cannot be read, is no boxes file of this schema, or holds a box that cannot be.
    pub fn read(path: &Path) -> Result<Self, BoxesError> {
        Self::parse(&fs::read(path).map_err(BoxesError::Read)?)
    }

    /// Parses and validates JSON.
    ///
    /// # Errors
    /// If it is no boxes file of this schema, or holds a box that cannot be.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, BoxesError> {
        // The schema is looked at first, so that a newer file is named as such and not as broken.
        let value: serde_json::Value = serde_json::from_slice(json)?;
        let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
        if schema != BOXES_SCHEMA {
            return Err(BoxesError::Schema(schema.to_owned()));
        }
        let file: Self = serde_json::from_value(value)?;
        file.validate()?;
        Ok(file)
    }

    /// Checks every box: finite, with an area, and a percentile exactly where predicted.
    ///
    /// # Errors
    /// [`BoxesError::Box`] naming the first bad one.
    pub(crate) fn validate(&self) -> Result<(), BoxesError> {
        let bad = |(index, annotation)| fault(annotation).map(|fault| BoxesError::Box { number: index + 1, fault });
        self.boxes.iter().enumerate().find_map(bad).map_or(Ok(()), Err)
    }

    /// Writes the file, for its owner alone, so that a crash leaves either the old or the new one: temporary file, fsync, rename, fsync of the
    /// folder. Coordinates are rounded to a thousandth of a pixel.
    ///
    /// # Errors
    /// If a box cannot be or the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), BoxesError> {
        write_private(path, &self.json()?).map_err(BoxesError::Write)
    }

    /// What stands in its file.
    pub(crate) fn json(&self) -> Result<Vec<u8>, BoxesError> {
        self.validate()?;
        Ok((serde_json::to_string_pretty(&self.with_rounded_sides())? + "\n").into_bytes())
    }

    fn with_rounded_sides(&self) -> Self {
        let mut file = self.clone();
        for annotation in &mut file.boxes {
            let sides: [f64; 4] = annotation.rect.into();
            annotation.rect = PixelBox::from(sides.map(|side| rounded(side, 3)));
        }
        file
    }
}

fn fault(annotation: &SliceBox) -> Option<&'static str> {
    let sides: [f64; 4] = annotation.rect.into();
    if !sides.iter().all(|side| side.is_finite()) {
        return Some("coordinates are not finite");
    }
    if !(annotation.rect.width > 0.0 && annotation.rect.height > 0.0) {
        return Some("width and height must be above 0");
    }
    match (annotation.source, annotation.percentile) {
        (BoxSource::Predicted, Some(percentile)) if (0.0..=100.0).contains(&percentile) => None,
        (BoxSource::Predicted, _) => Some("a predicted box needs the percentile it was cut at, 0 to 100"),
        (BoxSource::Reader, Some(_)) => Some("a reader's box has no percentile"),
        (BoxSource::LearnedLocation, Some(_)) => Some("a learned location has no percentile"),
        (BoxSource::Reader | BoxSource::LearnedLocation, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation(source: BoxSource, percentile: Option<f64>) -> SliceBox {
        let rect = PixelBox { x: 10.5, y: 20.0, width: 3.25, height: 4.0 };
        SliceBox { level: DiscLevel::L4L5, grading: Grading::UpperMarrowChange, slice: 3, rect, source, percentile }
    }

    #[test]
    fn a_saved_file_reads_back_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("boxes.json");
        let mut file = BoxesFile::new("AB", "1.2.3", vec![annotation(BoxSource::Reader, None)]);
        file.save(&path).expect("saved");
        assert_eq!(BoxesFile::read(&path).expect("valid"), file);
        file.boxes.push(annotation(BoxSource::Predicted, Some(97.0)));
        file.boxes.push(annotation(BoxSource::LearnedLocation, None));
        file.save(&path).expect("saved again");
        assert_eq!(BoxesFile::read(&path).expect("valid"), file);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1, "no temporary file is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        }
        let text = fs::read_to_string(&path).expect("readable");
        assert!(text.contains("\"schema\": \"spinenet-boxes/1\""));
        assert!(text.contains("\"level\": \"L4-L5\"") && text.contains("\"grading\": \"upper_marrow_change\""));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_number() {
        let good = annotation(BoxSource::Reader, None);
        let mut flat = good.clone();
        flat.rect.height = 0.0;
        let mut endless = good.clone();
        endless.rect.x = f64::NAN;
        let faults = [flat, endless, annotation(BoxSource::Predicted, None), annotation(BoxSource::Reader, Some(5.0))];
        for fault in faults {
            let file = BoxesFile::new("AB", "1.2.3", vec![good.clone(), fault]);
            assert!(matches!(file.validate(), Err(BoxesError::Box { number: 2, .. })));
            let folder = tempfile::tempdir().expect("a temporary folder");
            assert!(file.save(&folder.path().join("boxes.json")).is_err());
        }
    }

    #[test]
    fn another_schema_is_named() {
        let error = BoxesFile::parse(br#"{"schema": "spinenet-boxes/2", "marks": []}"#).expect_err("refused");
        assert_eq!(error.to_string(), "expected schema spinenet-boxes/1, got \"spinenet-boxes/2\"");
        assert!(matches!(BoxesFile::parse(b"[1, 2"), Err(BoxesError::Json(_))));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = BoxesFile::new("AB", "1.2.3", Vec::new());
        assert!(matches!(file.save(&folder.path().join("none/boxes.json")), Err(BoxesError::Write(_))));
    }
}
