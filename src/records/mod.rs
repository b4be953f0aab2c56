//! The files that results are kept in: reports, reviews, boxes and truth as plain serializable types.
//!
//! They hold levels, grades, places and words; how these were computed is none of their business.

mod blind_reading;
mod boxes;
mod entry;
mod error;
mod measurement;
mod prior;
mod report;
mod review;
mod truth;

pub use blind_reading::{BLIND_READING_SCHEMA, BlindReading, FinishedReading, GradesByDisc};
pub use boxes::{BOXES_SCHEMA, BoxesError, BoxesFile, MapEntry, PeakEntry, SeenSliceEntry};
pub use entry::{FailedScan, ReportEntry, read_reports};
pub use error::RecordError;
pub use measurement::{DiscMeasures, MeasurementEntry, slip_in_words};
pub use prior::{Prior, PriorDisc, days_between};
pub use report::{
    CohortPlace, CornersEntry, DiscEntry, EXPERIMENTAL_NOTE, GradeEntry, Narrative, OutlineEntry, REPORT_SCHEMA,
    Report, ReportWarning, Seconds, SignOff, Software, VertebraEntry, WeightsUsed,
};
pub use review::{DiscReview, REVIEW_SCHEMA, Review, ReviewError, ReviewFile};
pub use truth::{DiscTruth, TRUTH_SCHEMA, TruthFile, TruthTable};

/// `value` with `digits` after the point; never a negative zero. Written numbers are rounded to what they are worth, so
/// that files stay small and differences in the last bit do not show.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale + 0.0
}
