//! How well grades, boxes and evidence agree with what is true, and blind readings with what was computed: measures over
//! files and synthetic studies, and their tables and charts.

mod agreement;
mod boxes;
mod cases;
mod choice;
mod evidence;
mod grades;
mod scans;
mod tables;

pub use agreement::Agreement;
pub(crate) use agreement::{COMPUTED, Comparison, GradingAgreement};
pub(crate) use boxes::{BoxFiles, BoxMeasures, GradingOverlap, PercentileChoice, PercentileFrom, measure_boxes};
pub(crate) use cases::EvidenceCase;
pub(crate) use choice::chosen_ways;
pub(crate) use evidence::{EvidenceMeasures, EvidenceRow, EvidenceStudy, LearnedLocationOverlap};
pub(crate) use grades::{GradeMeasures, GradingMeasures, measure_grades};
pub(crate) use scans::{BoxedScans, SeedRange};
pub(crate) use tables::{
    box_measures_chart, box_measures_csv, evidence_measures_charts, evidence_measures_csv, grade_measures_csv,
    reliability_charts,
};

/// Name and version of the schema of measures.
pub(crate) const MEASURES_SCHEMA: &str = "spinenet-measures/1";
