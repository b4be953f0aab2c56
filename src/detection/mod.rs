//! From a sagittal scan to labelled vertebral bodies.
//!
//! The network ([`crate::model::detector`]) looks at each middle slice by itself ([`canvas`]); its peaks become candidate
//! bodies with corners (`decode`); those of neighbouring slices are linked into tracks (`tracks`); the chain with the
//! most evidence is the spine, named from the sacrum up (`chain`).

pub(crate) mod canvas;
mod chain;
pub mod contrast;
pub mod decode;
mod detector;
mod doubt;
mod fitness;
mod relabel;
mod tracks;

pub use contrast::ImageContrast;
pub use detector::{Detection, Detector};
pub use doubt::LevelDoubt;
pub use fitness::Unfit;
pub(crate) use relabel::{RelabelError, relabel};

use thiserror::Error;

use crate::model::WeightsError;
use crate::task::Cancelled;
use crate::volume::PlaneOrientation;

/// Why no vertebrae were found.
#[derive(Debug, Error)]
pub enum DetectionError {
    /// The detector reads sagittal slices only.
    #[error("vertebrae are looked for on sagittal slices; these are {0:?}")]
    NotSagittal(PlaneOrientation),
    /// Too few bodies in a row were seen.
    #[error("no lumbar spine was found: {bodies} vertebral bodies in a row, at least 3 are needed")]
    NoSpine {
        /// Bodies found.
        bodies: usize,
    },
    /// Stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The detector's weights cannot be used.
    #[error("no vertebra detector")]
    Weights(#[from] WeightsError),
    /// The network failed.
    #[error("the detector network failed")]
    Network(#[from] candle_core::Error),
}

#[cfg(test)]
mod tests;
