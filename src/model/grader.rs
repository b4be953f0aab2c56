//! Grades discs of a scan: disc volume in, class probabilities out, from one view or the paper's 54.

use std::path::Path;

use candle_core::Device;
use candle_nn::VarBuilder;
use glam::DVec2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::grading::disc_tensor;
use super::weights::{WeightsError, WeightsFolder, WeightsInfo, find_weights};
use super::{DiscPrediction, GradingConfig, GradingNetwork, probabilities};
use crate::spine::{Disc, DiscFrame, DiscFrameError, Grading, PATCH_VOXELS, PatchAugmentation, PerGrading};
use crate::task::{CancelToken, Cancelled};
use crate::volume::Volume;

/// Name of the weights.
pub const GRADING_WEIGHTS: &str = "grading";

/// Step of the shifted views, patch pixels: the stride of the trunk.
const VIEW_SHIFT: f64 = 16.0;

/// Views put through the network at once.
const VIEW_BATCH: usize = 6;

/// Why a disc could not be graded.
#[derive(Debug, Error)]
pub enum GraderError {
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The weights are missing or damaged.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The disc cannot be framed.
    #[error("the disc cannot be graded: {0}")]
    Frame(#[from] DiscFrameError),
    /// A tensor operation failed.
    #[error("grading failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// How many views of a disc are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Views {
    /// The centered view.
    One,
    /// Center and 8 neighbours at ±16 pixels, each also with reversed slices, each at the slice windows −1, 0 and +1:
    /// the mean of 54 outputs (Jamaludin et al. 2017, section 5).
    #[default]
    FiftyFour,
}

impl Views {
    /// The changes that make the views; the centered one is among them.
    #[must_use]
    pub fn changes(self) -> Vec<PatchAugmentation> {
        if self == Self::One {
            return vec![PatchAugmentation::NONE];
        }
        let mut changes = Vec::with_capacity(54);
        for slice_shift in [0, -1, 1] {
            for mirror_slices in [false, true] {
                for rows in [0.0, -1.0, 1.0] {
                    for columns in [0.0, -1.0, 1.0] {
                        let shift = DVec2::new(columns, rows) * VIEW_SHIFT;
                        changes.push(PatchAugmentation {
                            shift,
                            slice_shift,
                            mirror_slices,
                            ..PatchAugmentation::NONE
                        });
                    }
                }
            }
        }
        changes
    }
}

/// The grading network with its weights.
#[derive(Debug, Clone)]
pub struct Grader {
    network: GradingNetwork,
    info: WeightsInfo,
    untrained: Vec<Grading>,
}

impl Grader {
    /// Loads the newest weights named "grading" of the first folder that has some (see [`find_weights`]).
    ///
    /// # Errors
    /// If there are none or they fail a check.
    pub fn load(user_folder: Option<&Path>, device: &Device) -> Result<Self, GraderError> {
        Self::from_folder(&find_weights(GRADING_WEIGHTS, user_folder)?, device)
    }

    /// Loads given weights.
    ///
    /// # Errors
    /// If they fail a check.
    pub fn from_folder(folder: &WeightsFolder, device: &Device) -> Result<Self, GraderError> {
        let loaded = folder.load::<GradingConfig>(device)?;
        let vb = VarBuilder::from_tensors(loaded.tensors, candle_core::DType::F32, device);
        let network = GradingNetwork::new(&loaded.config, vb)?;
        let untrained = folder.metadata.training.results["untrained_gradings"].clone();
        // Weights that do not say which gradings are untrained claim that none is.
        let untrained = serde_json::from_value(untrained).unwrap_or_default();
        Ok(Self { network, info: loaded.info, untrained })
    }

    /// The network, for evidence maps.
    #[must_use]
    pub fn network(&self) -> &GradingNetwork {
        &self.network
    }

    /// Name, version and hash of the weights.
    #[must_use]
    pub fn info(&self) -> &WeightsInfo {
        &self.info
    }

    /// Gradings that no labelled disc of a patient taught: their answers have not been validated on patients.
    #[must_use]
    pub fn untrained(&self) -> &[Grading] {
        &self.untrained
    }

    /// Class probabilities of a disc, the mean over `views`.
    ///
    /// # Errors
    /// If the disc has no frame, the device fails, or `cancel` was asked between batches of views.
    pub fn grade(
        &self,
        volume: &Volume,
        disc: &Disc,
        views: Views,
        cancel: &CancelToken,
    ) -> Result<DiscPrediction, GraderError> {
        let frame = DiscFrame::of_disc(volume, disc)?;
        let changes = views.changes();
        let mut sum = PerGrading::from_fn(|grading| vec![0.0_f64; grading.classes()]);
        for batch in changes.chunks(VIEW_BATCH) {
            cancel.check()?;
            let mut voxels = Vec::with_capacity(batch.len() * PATCH_VOXELS);
            for change in batch {
                voxels.extend(frame.augmented(change).sample(volume).voxels);
            }
            let input = disc_tensor(voxels.chunks_exact(PATCH_VOXELS), self.network.device())?;
            for view in probabilities(&self.network.forward(&input)?)? {
                for (grading, probabilities) in view.iter() {
                    for (sum, probability) in sum[grading].iter_mut().zip(probabilities) {
                        *sum += f64::from(*probability);
                    }
                }
            }
        }
        let mean = |_, sums: &Vec<f64>| sums.iter().map(|sum| (sum / changes.len() as f64) as f32).collect();
        Ok(DiscPrediction { level: disc.level, probabilities: sum.map(mean) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_four_views_are_all_different_and_balanced() {
        let changes = Views::FiftyFour.changes();
        assert_eq!(changes.len(), 54);
        for (index, change) in changes.iter().enumerate() {
            assert!(!changes[..index].contains(change));
        }
        assert!(changes.contains(&PatchAugmentation::NONE));
        assert_eq!(changes.iter().map(|change| change.shift).sum::<DVec2>(), DVec2::ZERO);
        assert_eq!(changes.iter().map(|change| change.slice_shift).sum::<isize>(), 0);
        assert_eq!(changes.iter().filter(|change| change.mirror_slices).count(), 27);
        assert_eq!(Views::One.changes(), [PatchAugmentation::NONE]);
    }
}
