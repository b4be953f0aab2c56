//! The report of a graded scan, schema `spinenet-report/1`.
//!
//! The same scan, weights and options give the same bytes: keys keep their order, numbers are rounded to what they are
//! worth, and the running times are the only part that changes from run to run ([`Report::without_times`] drops them).

use std::collections::BTreeSet;
use std::sync::OnceLock;

use glam::{DVec2, DVec3};
use serde::{Deserialize, Serialize};

use super::{DiscMeasures, KeyImage, MeasurementEntry, Prior, rounded};
use crate::files::sha256;
use crate::language::{Language, say};
use crate::spine::{
    Corners, Disc, DiscLevel, DiscPrediction, Grading, MeasurementKind, PerGrading, Vertebra, VertebraLabel,
    most_probable,
};
use crate::volume::VolumeGeometry;

/// Name and version of the report's schema.
pub(crate) const REPORT_SCHEMA: &str = "spinenet-report/1";

/// What the mark * of a grading means, wherever grades are shown.
pub const EXPERIMENTAL_NOTE: &str = "* experimental: low accuracy, or no reader's grades; do not rely on it";

/// A graded scan as written to JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub schema: String,
    /// The program that wrote it.
    pub software: Software,
    /// Weights that were used, in the order of the chain.
    pub weights: Vec<WeightsUsed>,
    /// Place in the list of a cohort; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<CohortPlace>,
    /// Where the networks ran: `cpu`, `cuda` or `metal`.
    pub device: String,
    /// Views averaged per disc; absent where nothing was graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<usize>,
    /// Always true.
    pub research_use_only: bool,
    /// Gradings that the weights were hardly or not trained for; their values say little.
    pub experimental_gradings: Vec<Grading>,
    /// Whether the weights calibrate probabilities; absent where nothing was graded, and in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<bool>,
    /// Distance between rows and between columns, mm.
    pub pixel_spacing_mm: [f64; 2],
    /// Mean distance between slices, mm, measured from positions; `null` for a single slice.
    pub slice_spacing_mm: Option<f64>,
    /// Study of the series.
    pub study_instance_uid: String,
    /// The series that was graded.
    pub series_instance_uid: String,
    /// Its instances by position.
    pub sop_instance_uids: Vec<String>,
    /// SHA-256 of what was graded: all voxels in the order of the slices, row by row, as little-endian `f32`.
    #[serde(default)]
    pub voxel_sha256: String,
    /// Folder that was read; only on request, because paths may name the patient.
    pub folder: Option<String>,
    /// What is odd about the scan but could be lived with.
    pub warnings: Vec<ReportWarning>,
    /// Labelled vertebral bodies from the thorax down.
    pub vertebrae: Vec<VertebraEntry>,
    /// Discs from the thorax down.
    pub discs: Vec<DiscEntry>,
    /// What a reader measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<MeasurementEntry>,
    /// Slices that a reader marked to be shown, in the order in which they were marked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_images: Vec<KeyImage>,
    /// What the reader wrote about the study as a whole.
    #[serde(default, skip_serializing_if = "Narrative::is_empty")]
    pub narrative: Narrative,
    /// The earlier examination that it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
    /// Who signed the report off, and when; `null` until a reader has.
    #[serde(default)]
    pub sign_off: Option<SignOff>,
    /// Running times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Seconds>,
}

/// Place of a study in the list of a cohort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortPlace {
    /// Place among the studies of the list, from 1; the same for any number of shards.
    pub input: usize,
    /// SHA-256 of the list's lines up to and with this one, hexadecimal.
    pub list_sha256: String,
}

/// A program and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// SHA-256 of the running program, hexadecimal; in reports, where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Software {
    /// This program.
    #[must_use]
    pub(crate) fn this() -> Self {
        Self { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), sha256: None }
    }

    /// This program with the hash of its file, which is read once.
    #[must_use]
    pub(crate) fn hashed() -> Self {
        static SHA256: OnceLock<Option<String>> = OnceLock::new();
        let hash = || Some(sha256([std::fs::read(std::env::current_exe().ok()?).ok()?]));
        Self { sha256: SHA256.get_or_init(hash).clone(), ..Self::this() }
    }
}

/// Weights that took part in a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsUsed {
    pub name: String,
    pub version: String,
    /// SHA-256 of the weights file, hexadecimal.
    pub sha256: String,
}

/// A warning of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportWarning {
    /// Stable code such as `uneven_slice_spacing`.
    pub code: String,
    /// What it means for the reader.
    pub message: String,
}

/// A vertebral body in the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VertebraEntry {
    pub label: VertebraLabel,
    /// Probability that body and label are right.
    pub confidence: f64,
    /// Outlines, ascending by slice.
    pub slices: Vec<OutlineEntry>,
    /// Center in the patient, mm.
    pub centroid_lps: [f64; 3],
}

/// Outline of a body on one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutlineEntry {
    /// Slice index after sorting by position.
    pub slice: usize,
    /// Corners in image pixels.
    pub corners_image: CornersEntry,
}

/// Four corners as `[x, y]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct CornersEntry {
    pub sa: [f64; 2],
    pub sp: [f64; 2],
    pub ip: [f64; 2],
    pub ia: [f64; 2],
}

/// A disc in the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiscEntry {
    pub level: DiscLevel,
    /// Center in the patient, mm.
    pub centroid_lps: [f64; 3],
    /// Center as `[slice, x, y]`.
    pub centroid_image: [f64; 3],
    /// Grades, of the gradings that the weights have; absent where the disc was only detected or could not be graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradings: Option<PerGrading<GradeEntry>>,
    /// The disc looks unlike those that the network learned from: its grades are uncertain, however probable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlike_training_data: bool,
    /// Height, slip and canal; absent in reports of versions that did not measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<DiscMeasures>,
    /// Sentences where a grade that counts and what was measured disagree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
    /// The reader's words about this disc.
    #[serde(default)]
    pub comment: Option<String>,
}

/// One grading of one disc.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradeEntry {
    /// The computed grade in a reader's counting.
    pub grade: u8,
    /// Probability of each class, lowest grade first.
    pub probabilities: Vec<f64>,
    /// Standard deviation over the views of the probability of [`Self::grade`]; absent where there is one view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    /// The probabilities where classes are as common as among the discs that the weights were measured on; absent where they
    /// do not say how common that is. [`Self::probabilities`] hold where classes are equally common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_prevalence: Option<Vec<f64>>,
    /// The reader's grade where it differs; the computed one stays beside it.
    pub edited: Option<u8>,
}

impl GradeEntry {
    /// The grade that counts: the reader's where there is one, else the computed one.
    #[must_use]
    pub(crate) fn reported(&self) -> u8 {
        self.edited.unwrap_or(self.grade)
    }
}

/// The parts of a report that only a reader can write; empty ones are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrative {
    /// Why the patient was examined.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub indication: String,
    /// Earlier examinations that were compared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comparison: String,
    /// The conclusion, instead of the program's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub impression: String,
}

impl Narrative {
    /// Whether nothing was written.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A reader's signature under a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOff {
    /// The reader's name, initials or id.
    pub reader: String,
    /// When, RFC 3339 in UTC: `2026-11-24T18:30:00Z`.
    pub signed_at: String,
}

/// Running times, s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Finding and decoding the series.
    pub load: f64,
    /// Finding the vertebrae.
    pub detect: f64,
    /// Grading all discs.
    pub grade: f64,
}

impl Report {
    /// Notes a reader's grade beside the computed one; `None` takes the edit back. `false` if the report has no such
    /// grading or the grade does not exist.
    pub fn set_edited(&mut self, level: DiscLevel, grading: Grading, grade: Option<u8>) -> bool {
        let exists = grade.is_none_or(|grade| grading.class_from_grade(grade).is_some());
        let disc = self.discs.iter_mut().find(|disc| disc.level == level);
        let Some(gradings) = disc.and_then(|disc| disc.gradings.as_mut()).filter(|_| exists) else { return false };
        let Some(entry) = gradings.get_mut(grading) else { return false };
        entry.edited = grade.filter(|grade| *grade != entry.grade);
        true
    }

    /// Notes a reader's words about a disc; empty ones take them back. `false` if the report has no such disc.
    pub fn set_comment(&mut self, level: DiscLevel, comment: &str) -> bool {
        let Some(disc) = self.discs.iter_mut().find(|disc| disc.level == level) else { return false };
        let comment = comment.trim();
        disc.comment = (!comment.is_empty()).then(|| comment.to_owned());
        true
    }

    /// The gradings that any of its discs has.
    #[must_use]
    pub fn gradings(&self) -> BTreeSet<Grading> {
        self.discs.iter().filter_map(|disc| disc.gradings.as_ref()).flat_map(PerGrading::gradings).collect()
    }

    /// What its probabilities stand for, as far as the weights say.
    #[must_use]
    pub fn probability_note(&self, language: Language) -> Option<&'static str> {
        self.calibrated.map(|is_calibrated| {
            if is_calibrated {
                say!(language, "Probabilities are calibrated for classes that are equally common.")
            } else {
                say!(language, "Probabilities are not calibrated.")
            }
        })
    }

    /// Gives each disc the width of the canal that a reader measured at it; of several the last.
    pub(super) fn note_canals(&mut self) {
        for measurement in self.measurements.iter().filter(|it| it.kind == MeasurementKind::CanalWidth) {
            let disc = self.discs.iter_mut().find(|disc| Some(disc.level) == measurement.level);
            if let Some(measures) = disc.and_then(|disc| disc.measured.as_mut()) {
                measures.canal_mm = Some(measurement.value);
            }
        }
    }

    /// Adds a warning.
    pub fn warn(&mut self, code: &str, message: String) {
        self.warnings.push(ReportWarning { code: code.to_owned(), message });
    }

    /// The report without running times: the same input gives the same bytes.
    #[must_use]
    pub(crate) fn without_times(mut self) -> Self {
        self.seconds = None;
        self
    }
}

impl VertebraEntry {
    /// A body as written.
    #[must_use]
    pub(crate) fn new(vertebra: &Vertebra, geometry: &VolumeGeometry) -> Self {
        let slices = vertebra.outlines.iter();
        Self {
            label: vertebra.label,
            confidence: rounded(f64::from(vertebra.confidence), 4),
            slices: slices
                .map(|outline| OutlineEntry { slice: outline.slice, corners_image: (&outline.corners).into() })
                .collect(),
            centroid_lps: millimeters(vertebra.centroid_lps(geometry)),
        }
    }
}

impl DiscEntry {
    /// A disc as written, with what was computed for it.
    #[must_use]
    pub fn new(disc: &Disc, geometry: &VolumeGeometry, prediction: Option<&DiscPrediction>) -> Self {
        let [slice, row, column] = disc.center_voxel;
        Self {
            level: disc.level,
            centroid_lps: millimeters(disc.center_lps(geometry)),
            centroid_image: [slice, column, row].map(|index| rounded(index, 3)),
            gradings: prediction.map(|prediction| {
                let written = |values: &Vec<f32>| values.iter().map(|value| rounded(f64::from(*value), 5)).collect();
                prediction.probabilities.map(|grading, probabilities| GradeEntry {
                    grade: grading.grade_from_class(most_probable(probabilities)),
                    probabilities: written(probabilities),
                    at_prevalence: prediction.at_prevalence.get(grading).map(written),
                    spread: prediction
                        .spread
                        .get(grading)
                        .filter(|spread| **spread > 0.0)
                        .map(|spread| rounded(f64::from(*spread), 5)),
                    edited: None,
                })
            }),
            unlike_training_data: prediction.is_some_and(|prediction| !prediction.is_familiar),
            measured: Some(DiscMeasures::of_corners(disc, geometry.pixel_size_mm())),
            conflicts: Vec::new(),
            comment: None,
        }
    }

    /// What was computed for the disc; `None` where it was not graded.
    #[must_use]
    pub fn prediction(&self) -> Option<DiscPrediction> {
        let gradings = self.gradings.as_ref()?;
        let read = |values: &Vec<f64>| values.iter().map(|value| *value as f32).collect();
        let probabilities = gradings.map(|_, entry| read(&entry.probabilities));
        let known = gradings.iter().filter_map(|(grading, entry)| Some((grading, entry.at_prevalence.as_ref()?)));
        let at_prevalence = known.map(|(grading, values)| (grading, read(values))).collect();
        let is_familiar = !self.unlike_training_data;
        let spread = gradings.map(|_, entry| entry.spread.unwrap_or_default() as f32);
        Some(DiscPrediction { level: self.level, probabilities, spread, at_prevalence, is_familiar })
    }
}

impl From<&Corners> for CornersEntry {
    fn from(corners: &Corners) -> Self {
        let point = |corner: DVec2| [rounded(corner.x, 3), rounded(corner.y, 3)];
        Self { sa: point(corners.sa), sp: point(corners.sp), ip: point(corners.ip), ia: point(corners.ia) }
    }
}

fn millimeters(point: DVec3) -> [f64; 3] {
    point.to_array().map(|value| rounded(value, 3))
}
