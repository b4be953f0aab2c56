//! The chain as plain functions: find and decode a series, detect and label, grade, explain; one study or a cohort.

mod change;
mod cohort;
mod conflicts;
mod demo;
mod device;
mod error;
mod evidence;
mod explanation;
mod findings;
mod judgement;
mod models;
mod open_series;
mod phantom_study;
mod reason;
mod steps;
mod study;
mod summary;
#[cfg(test)]
pub(crate) mod tests;

pub use change::{GradeChange, change_sentences, compared_grades};
pub use cohort::Cohort;
pub(crate) use cohort::{CohortTally, Results, Shard};
pub use demo::{DEMO_SEED, DemoStudy, prepare_demo};
pub(crate) use device::device_name;
pub use device::{DeviceChoice, DeviceError};
pub use error::PipelineError;
pub(crate) use evidence::map_entry;
pub use evidence::{CURVE_PERCENTILES, Evidence};
pub(crate) use explanation::Explanation;
pub use findings::method_in_words;
pub use findings::{DiscFindings, Finding, reading_in_words};
pub(crate) use findings::{by_weight, most_abnormal};
pub use judgement::ImageJudgement;
pub(crate) use judgement::passed_over;
pub(crate) use models::verify_weights;
pub use models::{Models, ModelsInfo};
pub use open_series::{AnalysisObserver, AnalysisOptions, OpenSeries, analyze_folder, analyze_series};
pub(crate) use phantom_study::write_phantom;
pub(crate) use steps::grade_discs;
pub use steps::{GradeOutcome, explain};
pub use study::Study;
pub(crate) use summary::StudySummary;
