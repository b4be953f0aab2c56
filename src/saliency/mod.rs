//! Where in the disc the evidence for a grade lies.
//!
//! Four methods after Jamaludin et al. 2017, section 5 and 6: gradient, guided backpropagation, excitation
//! backpropagation and its contrastive form; each averaged over randomly augmented views, warped back. A map is
//! supporting evidence, not a segmentation.

mod augment;
mod map;
mod mean;
mod methods;
mod mwp;

pub use augment::{explain, explain_all, random_augmentation};
pub use map::SaliencyMap;
pub use methods::{SaliencyTarget, Tracer, evidence};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::spine::{ClassIndex, DiscFrameError, Grading};
use crate::task::Cancelled;

/// How evidence is traced back through the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SaliencyMethod {
    /// |∂ logit / ∂ voxel|.
    Gradient,
    /// The same with negative signals stopped at every ReLU.
    Guided,
    /// Marginal winning probability at the output of Conv1.
    Excitation,
    /// Marginal winning probability of the class less that of its opposite, where positive.
    ContrastiveExcitation,
}

impl SaliencyMethod {
    /// All methods.
    pub const ALL: [Self; 4] = [Self::Gradient, Self::Guided, Self::Excitation, Self::ContrastiveExcitation];

    /// Name in files and on the command line.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Gradient => "gradient",
            Self::Guided => "guided",
            Self::Excitation => "excitation",
            Self::ContrastiveExcitation => "contrastive-excitation",
        }
    }
}

impl fmt::Display for SaliencyMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

/// A name that is none of the methods.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("unknown method \"{0}\"; choose gradient, guided, excitation or contrastive-excitation")]
pub struct UnknownMethod(pub String);

impl FromStr for SaliencyMethod {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = text.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        Self::ALL.into_iter().find(|method| method.key() == key).ok_or_else(|| UnknownMethod(text.to_owned()))
    }
}

/// What to explain, and how thoroughly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SaliencyRequest {
    /// Grading.
    pub grading: Grading,
    /// Class whose evidence is wanted.
    pub class: ClassIndex,
    /// How maps are computed and averaged.
    pub plan: SaliencyPlan,
}

/// How maps are computed and averaged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SaliencyPlan {
    /// Method.
    pub method: SaliencyMethod,
    /// Number of views averaged, the plain one included; the paper takes about 150. 0 counts as 1.
    pub augmentations: usize,
    /// Stop before that when a map has converged: when its [`SaliencyMap::relative_error`] is at most this.
    pub precision: Option<f32>,
    /// Seed of the random augmentations.
    pub seed: u64,
}

/// Precision at which a map counts as converged where no other is asked for. The map is then about as far from that of
/// endless views as the paper's 150 are (a sixth of its size), and its hotspots overlap with those of 150 by nine tenths.
pub const CONVERGED: f32 = 0.2;

/// Why there is no map.
#[derive(Debug, Error)]
pub enum SaliencyError {
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The disc cannot be cut out of the scan.
    #[error("the disc has no usable outline: {0}")]
    Frame(#[from] DiscFrameError),
    /// The grading has no such class.
    #[error("{grading} has {} classes, there is no class {class}", grading.classes())]
    Class {
        /// Grading asked for.
        grading: Grading,
        /// Class asked for.
        class: ClassIndex,
    },
    /// The device failed.
    #[error("the network cannot be evaluated: {0}")]
    Device(#[from] candle_core::Error),
}

#[cfg(test)]
mod tests;
