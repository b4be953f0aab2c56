//! Learning from public data: data sets, labels, splits, augmentation, losses and the trainers.

mod canal;
pub mod detector;
pub mod grading;
pub mod labels;
pub mod manifest;
pub mod optimizer;
pub mod realism;
pub mod spider;
pub mod split;

pub use labels::{ClassSet, DiscLabels};
pub use spider::{LabelledDisc, ScanCase, SpiderError};
