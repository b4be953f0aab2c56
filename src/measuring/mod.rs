//! How well grades, boxes and evidence agree with what is true, and blind readings with what was computed: measures over
//! files and synthetic studies, and their tables and charts.

mod agreement;
mod boxes;
mod choice;
mod evidence;
mod grades;
mod scans;
mod tables;

pub use agreement::{AGREEMENT_SCHEMA, Agreement, COMPUTED, Comparison, GradingAgreement, Rating};
pub use boxes::{
    BoxFiles, BoxMeasures, BoxMeasuresError, CurvePoint, FindingOverlap, GradingOverlap, PercentileChoice,
    PercentileFrom, measure_boxes,
};
pub use choice::chosen_ways;
pub use evidence::{EvidenceMeasures, EvidenceRow, EvidenceStudy, MeasuredWay};
pub use grades::{CalibrationMeasures, GradeMeasures, GradingMeasures, LevelMeasures, measure_grades};
pub use scans::{BoxedScans, SeedRange};
pub use tables::{
    box_measures_chart, box_measures_csv, evidence_measures_charts, evidence_measures_csv, grade_measures_csv,
    reliability_charts,
};

/// Name and version of the schema of measures.
pub const MEASURES_SCHEMA: &str = "spinenet-measures/1";
