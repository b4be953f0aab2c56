//! Learning from public data: data sets, labels, splits, augmentation, losses and the trainers.

mod boxed;
mod canal;
pub mod contrast;
pub mod detector;
pub mod grading;
mod job;
pub(crate) mod labels;
pub mod located;
pub(crate) mod location;
pub mod manifest;
pub(crate) mod optimizer;
pub(crate) mod realism;
pub(crate) mod rsna;
pub(crate) mod schedule;
pub mod spider;
pub(crate) mod spider_release;
pub(crate) mod split;
pub(crate) mod synthetic;
pub(crate) mod table;

pub(crate) use job::{CHECKPOINT, TrainingJob};
pub use labels::ClassSet;
pub use spider::ScanCase;
pub(crate) use spider::SpiderError;

/// Version of weights trained on other data than those that ship.
const OWN_VERSION: &str = "0.0.1";
