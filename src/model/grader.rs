//! Grades discs of a scan: disc volume in, class probabilities out, from one view or the paper's 54.

use std::path::Path;

use candle_core::Device;
use candle_nn::VarBuilder;
use thiserror::Error;

use super::grading::appearance;
use super::weights::{WeightsError, WeightsFolder, WeightsInfo, find_weights};
use super::{GradingConfig, GradingNetwork, ViewAverage, Views};
use crate::spine::{
    Disc, DiscFrame, DiscFrameError, DiscPrediction, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PerGrading, Prevalence,
    at_prevalence, most_probable,
};
use crate::task::{CancelToken, Cancelled};
use crate::volume::Volume;

pub const GRADING_WEIGHTS: &str = "grading";

/// Name of the weights of the 2-D network, which is there for comparison.
pub(crate) const GRADING_2D_WEIGHTS: &str = "grading-2d";

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
    #[error("the disc cannot be graded")]
    Frame(#[from] DiscFrameError),
    /// A tensor operation failed.
    #[error("grading failed")]
    Tensor(#[from] candle_core::Error),
}

/// The grading network with its weights.
#[derive(Debug, Clone)]
pub struct Grader {
    network: GradingNetwork,
    info: WeightsInfo,
    prevalence: PerGrading<Prevalence>,
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
        Ok(Self { network, info: loaded.info, prevalence: folder.prevalence() })
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

    /// Class probabilities of a disc, the mean over `views`.
    ///
    /// # Errors
    /// If the disc has no frame, the device fails, or `cancel` was asked between shifts.
    pub fn grade(
        &self,
        volume: &Volume,
        disc: &Disc,
        views: Views,
        cancel: &CancelToken,
    ) -> Result<DiscPrediction, GraderError> {
        let frame = DiscFrame::of_disc(volume, disc)?;
        let network = self.network.at_level(disc.level)?;
        let ViewAverage { probabilities, deviations } = views.average(&network, &frame, volume, cancel)?;
        let is_familiar = match self.network.familiarity() {
            Some(familiarity) => {
                let mut middle = vec![0.0; PATCH_ROWS * PATCH_COLUMNS];
                // A slice that the scan does not have stays zero.
                let _ = frame.sample_slice(volume, PATCH_SLICES / 2, &mut middle);
                familiarity.distance(&appearance(&middle))? <= 1.0
            }
            None => true,
        };
        let spread = deviations.map(|grading, deviations| deviations[most_probable(&probabilities[grading])]);
        let at_prevalence = at_prevalence(&probabilities, &self.prevalence);
        Ok(DiscPrediction { level: disc.level, probabilities, spread, at_prevalence, is_familiar })
    }
}
