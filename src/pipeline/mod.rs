//! The whole chain as plain functions, and the files that come out of it.
//!
//! The command line and the background worker call the same functions, so they cannot disagree.

mod box_measures;
mod boxes;
mod chain;
mod coco;
mod cohort;
mod demo;
mod device;
mod error;
mod evidence;
mod evidence_figures;
mod explanation;
mod findings;
mod measure_tables;
mod measured;
mod measures;
mod models;
mod output;
mod parquet_table;
mod phantom_evidence;
mod phantom_study;
mod report;
mod review;
mod table;
#[cfg(test)]
mod tests;
mod truth;

pub use crate::files::{write_private, write_whole};
pub use box_measures::{
    BoxFiles, BoxMeasures, BoxMeasuresError, CurvePoint, FindingOverlap, GradingOverlap, PercentileChoice,
    PercentileFrom, measure_boxes,
};
pub use boxes::{BOXES_SCHEMA, BoxesError, BoxesFile, MapEntry, PeakEntry, SeenSliceEntry};
pub use chain::{
    Analysis, AnalysisObserver, AnalysisOptions, GradeOutcome, StudyReader, analyze_folder, analyze_series,
    choose_series, explain, grade_discs, open_series,
};
pub use coco::{CocoImage, coco_text};
pub use cohort::{Cohort, CohortPlace, CohortTally, Results, Shard};
pub use demo::{DEMO_SEED, DemoStudy, prepare_demo};
pub use device::{DeviceChoice, DeviceError, device_name};
pub use error::PipelineError;
pub use evidence::{CURVE_PERCENTILES, DEFAULT_PERCENTILE, EVIDENCE_SCHEMA, Evidence};
pub use evidence_figures::{FigureOrder, FigureRequest, NamedFigure, write_figures};
pub use explanation::{Explanation, write_overview};
pub use findings::{DiscFindings, DiscSummary, Finding, StudySummary, by_weight, method_in_words, most_abnormal};
pub use measure_tables::{
    box_measures_chart, box_measures_csv, evidence_measures_charts, evidence_measures_csv, grade_measures_csv,
    reliability_charts,
};
pub use measured::MeasurementEntry;
pub use measures::{
    CalibrationMeasures, GradeMeasures, GradingMeasures, LevelMeasures, MEASURES_SCHEMA, measure_grades,
};
pub use models::{Models, ModelsInfo, verify_weights};
pub use output::{FailedScan, OutputFormat, ReportEntry, read_reports, write_reports};
pub use phantom_evidence::{BOXED_GRADINGS, EvidenceMeasures, EvidenceRow, EvidenceStudy, SeedRange};
pub use report::{
    CornersEntry, DiscEntry, EXPERIMENTAL_NOTE, GradeEntry, OutlineEntry, REPORT_SCHEMA, Report, ReportParts,
    ReportWarning, ScanSource, Seconds, SignOff, Software, VertebraEntry, WeightsUsed,
};
pub use review::{DiscReview, REVIEW_SCHEMA, Review, ReviewError, ReviewFile};
pub use truth::{DiscTruth, TRUTH_SCHEMA, TruthFile, TruthTable};

/// `value` with `digits` after the point; never a negative zero. Written numbers are rounded to what they are worth, so
/// that files stay small and differences in the last bit do not show.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale + 0.0
}
