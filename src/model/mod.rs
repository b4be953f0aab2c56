//! The networks, each in one readable file, their weights on disk, and what they predict.

mod built_in;
mod cholesky;
pub mod detector;
pub mod grader;
pub mod grading;
pub(crate) mod location;
mod prediction;
mod views;
pub mod weights;

pub(crate) use built_in::built_in_model;
pub(crate) use cholesky::Cholesky;
pub use detector::DetectorConfig;
pub use grader::Grader;
pub(crate) use grader::GraderError;
pub use grading::{Dimensions, GradingConfig, GradingNetwork};
pub(crate) use prediction::probabilities;
pub use views::Views;
pub(crate) use views::{Place, ViewAverage};
pub use weights::WeightsFolder;
pub(crate) use weights::{WeightsError, WeightsInfo, find_weights};
