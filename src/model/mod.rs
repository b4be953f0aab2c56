//! The networks, each in one readable file, their weights on disk, and what they predict.

pub mod detector;
pub mod grader;
pub mod grading;
mod prediction;
mod views;
pub mod weights;

pub use detector::{DetectorConfig, DetectorNetwork};
pub use grader::{Grader, GraderError};
pub use grading::{Dimensions, GradingConfig, GradingNetwork};
pub use prediction::probabilities;
pub use views::{Place, ViewAverage, Views};
pub use weights::{WeightsError, WeightsFolder, WeightsInfo, find_weights};
