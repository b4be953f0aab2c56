//! The files that results are kept in: reports, reviews, boxes and truth as plain serializable types.
//!
//! They hold levels, grades, places and words; how these were computed is none of their business.

mod blind_reading;
mod boxes;
mod entry;
mod error;
mod key_image;
mod measurement;
mod prior;
mod report;
mod review;
mod truth;

pub use blind_reading::{BLIND_READING_SCHEMA, BlindReading, FinishedReading, GradesByDisc};
pub use boxes::{BoxesError, BoxesFile};
pub(crate) use boxes::{MapEntry, PeakEntry, SeenSliceEntry};
pub use entry::{FailedScan, ReportEntry, read_reports};
pub use error::RecordError;
pub use key_image::{KeyImage, KeyMap, KeySubject};
pub use measurement::{DiscMeasures, MeasurementEntry};
pub(crate) use measurement::{slip_in_short, slip_in_words};
pub use prior::{Prior, PriorDisc, days_between};
pub use report::EXPERIMENTAL_NOTE;
pub(crate) use report::REPORT_SCHEMA;
pub use report::{
    CohortPlace, CornersEntry, DiscEntry, GradeEntry, Narrative, OutlineEntry, Report, ReportWarning, Seconds, SignOff,
    Software, VertebraEntry, WeightsUsed,
};
pub(crate) use review::ReviewError;
pub use review::{Review, ReviewFile};
pub(crate) use truth::{DiscTruth, TRUTH_SCHEMA, TruthFile, TruthTable};

/// `value` with `digits` after the point; never a negative zero. Written numbers are rounded to what they are worth, so
/// that files stay small and differences in the last bit do not show.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale + 0.0
}
