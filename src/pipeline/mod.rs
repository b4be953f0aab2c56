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
pub use cohort::{Cohort, CohortTally, Results, Shard};
pub use conflicts::Conflict;
pub use demo::{DEMO_SEED, DemoStudy, prepare_demo};
pub use device::{DeviceChoice, DeviceError, device_name};
pub use error::PipelineError;
pub use evidence::{CURVE_PERCENTILES, Evidence, map_entry};
pub use explanation::Explanation;
pub use findings::{DiscFindings, Finding, by_weight, method_in_words, most_abnormal, reading_in_words};
pub use judgement::ImageJudgement;
pub(crate) use judgement::passed_over;
pub use models::{Models, ModelsInfo, verify_weights};
pub use open_series::{AnalysisObserver, AnalysisOptions, OpenSeries, analyze_folder, analyze_series};
pub use steps::{GradeOutcome, explain, grade_discs};
pub use study::Study;
pub use summary::StudySummary;
