//! Where in the disc the evidence for a grade lies.
//!
//! Four methods after Jamaludin et al. 2017, section 5 and 6: gradient, guided backpropagation, excitation
//! backpropagation and its contrastive form; and two that weigh what a layer saw by its gradient, `HiResCAM` (Draelos and
//! Carin 2020) and `LayerCAM` (Jiang et al. 2021). In two and three dimensions, to the input or to a chosen layer; each
//! averaged over randomly augmented views, warped back, and smoothed if asked for. A map is supporting evidence, not a segmentation.

mod augment;
mod hotspots;
mod map;
mod mean;
mod methods;
mod mwp;
mod sanity;
mod smooth;
mod way;

pub(crate) use augment::explain_each;
pub use augment::{explain, explain_all};
pub(crate) use hotspots::HotspotBox;
pub use map::{Ranks, SaliencyMap};
pub use methods::{SaliencyTarget, Tracer};
pub(crate) use sanity::{CASCADE, randomized};
pub use way::EvidenceWay;
pub(crate) use way::{EvidenceDefaults, GradingEvidence, MeasuredEvidence, WayChoice};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::Dimensions;
use crate::spine::{ClassIndex, DiscFrameError, Grading};
use crate::task::Cancelled;
use crate::words::words;

/// How evidence is traced back through the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum SaliencyMethod {
    /// |∂ logit / ∂ voxel|.
    Gradient,
    /// The same with negative signals stopped at every ReLU.
    Guided,
    /// Marginal winning probability.
    Excitation,
    /// Marginal winning probability of the class less that of its opposite, where positive.
    ContrastiveExcitation,
    /// Gradient times activation, where the sum over channels is positive.
    HiResCam,
    /// The positive part of the gradient times activation, summed over channels.
    LayerCam,
}

words!(SaliencyMethod, "method", [
    Gradient "gradient",
    Guided "guided",
    Excitation "excitation",
    ContrastiveExcitation "contrastive-excitation",
    HiResCam "hi-res-cam",
    LayerCam "layer-cam",
]);

/// Where on the way back through the network evidence is read off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum SaliencyLayer {
    /// The voxels.
    Input,
    /// Output of Conv1, before pooling: every second voxel.
    Conv1,
    /// Output of Conv2: every fourth voxel.
    Conv2,
    /// Output of Conv3: every eighth voxel; the last with slices in three dimensions.
    Conv3,
    /// Output of Conv4: every eighth voxel, without slices unless it keeps them.
    Conv4,
    /// Output of Conv5: every eighth voxel, without slices unless Conv4 keeps them.
    Conv5,
}

impl SaliencyLayer {
    /// Where a method is read off unless another layer is asked for. Gradients go to the voxels. Excitation stops at Conv1,
    /// as in the paper; in two dimensions Conv1 has no slices any more, so it goes on to the voxels. Activations are read
    /// at Conv3, the last layer with slices.
    #[must_use]
    pub(crate) fn usual(method: SaliencyMethod, dimensions: Dimensions) -> Self {
        match (method, dimensions) {
            (SaliencyMethod::HiResCam | SaliencyMethod::LayerCam, _) => Self::Conv3,
            (SaliencyMethod::Gradient | SaliencyMethod::Guided, _) | (_, Dimensions::Two) => Self::Input,
            (_, Dimensions::Three | Dimensions::ThreeUnreduced) => Self::Conv1,
        }
    }
}

impl SaliencyLayer {
    /// Name in a sentence: "the voxels", "Conv3".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "the voxels",
            Self::Conv1 => "Conv1",
            Self::Conv2 => "Conv2",
            Self::Conv3 => "Conv3",
            Self::Conv4 => "Conv4",
            Self::Conv5 => "Conv5",
        }
    }
}

words!(SaliencyLayer, "layer", [
    Input "input",
    Conv1 "conv1",
    Conv2 "conv2",
    Conv3 "conv3",
    Conv4 "conv4",
    Conv5 "conv5",
]);

/// What to explain, and how thoroughly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SaliencyRequest {
    pub grading: Grading,
    /// Class whose evidence is wanted.
    pub class: ClassIndex,
    /// How maps are computed and averaged.
    pub plan: SaliencyPlan,
}

/// How maps are computed and averaged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SaliencyPlan {
    pub method: SaliencyMethod,
    /// Layer to read it off at; [`SaliencyLayer::usual`] if `None`.
    pub layer: Option<SaliencyLayer>,
    /// Standard deviation of the Gaussian that maps are smoothed by within their slices, mm; 0 for none.
    pub smoothing_mm: f64,
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

/// Views averaged into one map at most where no other number is asked for: the paper's; most maps converge earlier.
pub const MOST_VIEWS: usize = 150;

/// Why there is no map.
#[derive(Debug, Error)]
pub enum SaliencyError {
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The disc cannot be cut out of the scan.
    #[error("the disc has no usable outline")]
    Frame(#[from] DiscFrameError),
    /// The network has no such grading.
    #[error("these weights do not grade {0}")]
    Grading(Grading),
    /// The grading has no such class.
    #[error("{grading} has {} classes, there is no class {class}", grading.classes())]
    Class {
        /// Grading asked for.
        grading: Grading,
        /// Class asked for.
        class: ClassIndex,
    },
    /// The device failed.
    #[error("the network cannot be evaluated")]
    Device(#[from] candle_core::Error),
}

#[cfg(test)]
mod tests;
