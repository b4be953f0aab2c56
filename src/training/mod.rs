//! Learning from public data: data sets, labels, splits, augmentation, losses and the trainers.

mod boxed;
mod canal;
pub mod contrast;
pub mod detector;
pub mod grading;
mod job;
pub mod labels;
pub mod located;
pub mod manifest;
pub mod optimizer;
pub mod realism;
pub mod rsna;
pub mod schedule;
pub mod spider;
pub mod spider_release;
pub mod split;
pub mod synthetic;
pub mod table;

pub use job::{CHECKPOINT, TrainingJob};
pub use labels::{ClassSet, DiscLabels};
pub use spider::{LabelledDisc, ScanCase, SpiderError};
