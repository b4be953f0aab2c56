//! Learning from public data: data sets, labels, splits, augmentation, losses and the trainers.

pub mod labels;
pub mod spider;

pub use labels::{ClassSet, DiscLabels};
pub use spider::{LabelledDisc, ScanCase, SpiderError};
