//! Grades discs of a scan: disc volume in, class probabilities out, from one view or the paper's 54.

use std::path::Path;

use candle_core::Device;
use candle_nn::VarBuilder;
use glam::DVec2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::grading::disc_tensor;
use super::weights::{WeightsError, WeightsFolder, WeightsInfo, find_weights};
use super::{DiscPrediction, GradingConfig, GradingNetwork, probabilities};
use crate::spine::{
    Disc, DiscFrame, DiscFrameError, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PATCH_VOXELS, PatchAugmentation,
    PerGrading,
};
use crate::task::{CancelToken, Cancelled};
use crate::volume::Volume;

/// Name of the weights.
pub const GRADING_WEIGHTS: &str = "grading";

/// Step of the shifted views, patch pixels: the stride of the trunk.
const VIEW_SHIFT: f64 = 16.0;

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
    /// Number of views.
    #[must_use]
    pub fn count(self) -> usize {
        self.shifts().len() * self.arrangements().len()
    }

    /// In-plane shifts, patch pixels; the center first.
    fn shifts(self) -> Vec<DVec2> {
        let steps = [0.0, -VIEW_SHIFT, VIEW_SHIFT];
        match self {
            Self::One => vec![DVec2::ZERO],
            Self::FiftyFour => steps.iter().flat_map(|y| steps.map(|x| DVec2::new(x, *y))).collect(),
        }
    }

    /// Slice windows with and without reflection.
    fn arrangements(self) -> Vec<(isize, bool)> {
        match self {
            Self::One => vec![(0, false)],
            Self::FiftyFour => [0, -1, 1].into_iter().flat_map(|window| [(window, false), (window, true)]).collect(),
        }
    }

    /// The disc volumes of one in-plane shift, one after the other. Each slice is read once: windows and reflections
    /// only arrange slices anew.
    fn read(self, frame: &DiscFrame, volume: &Volume, shift: DVec2) -> Vec<f32> {
        const PLANE: usize = PATCH_ROWS * PATCH_COLUMNS;
        let at_window =
            |slice_shift| frame.augmented(&PatchAugmentation { shift, slice_shift, ..PatchAugmentation::NONE });
        let windows = [at_window(-1), at_window(0), at_window(1)];
        // Planes −1 to 9 of the centered window; the outer two are seen through the shifted windows.
        let mut planes = vec![0.0; (PATCH_SLICES + 2) * PLANE];
        planes.par_chunks_mut(PLANE).enumerate().for_each(|(plane, pixels)| {
            let (window, slice) = match plane {
                0 => (&windows[0], 0),
                plane if plane <= PATCH_SLICES => (&windows[1], plane - 1),
                _ => (&windows[2], PATCH_SLICES - 1),
            };
            // Slices that the scan does not have stay zero.
            let _ = window.sample_slice(volume, slice, pixels);
        });
        let mut voxels = Vec::with_capacity(self.arrangements().len() * PATCH_VOXELS);
        for (window, mirrored) in self.arrangements() {
            for slice in 0..PATCH_SLICES {
                let slice = if mirrored { PATCH_SLICES - 1 - slice } else { slice };
                let plane = (slice + 1).saturating_add_signed(window);
                voxels.extend_from_slice(&planes[plane * PLANE..(plane + 1) * PLANE]);
            }
        }
        voxels
    }
}

/// The grading network with its weights.
#[derive(Debug, Clone)]
pub struct Grader {
    network: GradingNetwork,
    info: WeightsInfo,
    unvalidated: Vec<Grading>,
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
        // Weights that do not say so claim that patients taught every grading.
        let listed = |key: &str| -> Vec<Grading> {
            serde_json::from_value(folder.metadata.training.results[key].clone()).unwrap_or_default()
        };
        let unvalidated = [listed("phantom_only_gradings"), listed("untrained_gradings")].concat();
        Ok(Self { network, info: loaded.info, unvalidated })
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

    /// Gradings that no labelled disc of a patient taught (phantoms at most): their answers have not been validated on
    /// patients, and whoever shows them has to say so.
    #[must_use]
    pub fn unvalidated(&self) -> &[Grading] {
        &self.unvalidated
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
        let mut sum = PerGrading::from_fn(|grading| vec![0.0_f64; grading.classes()]);
        for shift in views.shifts() {
            cancel.check()?;
            let voxels = views.read(&frame, volume, shift);
            let input = disc_tensor(voxels.chunks_exact(PATCH_VOXELS), self.network.device())?;
            for view in probabilities(&self.network.forward(&input)?)? {
                for (grading, probabilities) in view.iter() {
                    for (sum, probability) in sum[grading].iter_mut().zip(probabilities) {
                        *sum += f64::from(*probability);
                    }
                }
            }
        }
        let mean = |_, sums: &Vec<f64>| sums.iter().map(|sum| (sum / views.count() as f64) as f32).collect();
        Ok(DiscPrediction { level: disc.level, probabilities: sum.map(mean) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{Corners, DiscLevel, Vertebra, VertebraLabel, VertebraOutline};
    use crate::volume::VolumeGeometry;
    use glam::DVec3;

    /// Eight slices of a pattern that differs everywhere, and a disc in its middle.
    fn scan() -> (Volume, Disc) {
        let origins = (0..8).map(|slice| DVec3::X * (4.0 * f64::from(slice))).collect();
        let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
        let value = |index: usize| 60.0 + 40.0 * ((index as f32 * 0.37).sin() + (index as f32 * 0.011).cos());
        let volume = Volume::new(90, 80, (0..8 * 90 * 80).map(value).collect(), geometry).expect("matching size");
        let body = |label, top: f64| {
            let at = |x, y| DVec2::new(x, top + y);
            let corners = Corners { sa: at(20.0, 0.0), sp: at(54.0, 1.0), ip: at(53.0, 26.0), ia: at(21.0, 25.0) };
            Vertebra {
                label,
                confidence: 1.0,
                outlines: (1..6).map(|slice| VertebraOutline { slice, corners }).collect(),
            }
        };
        let (upper, lower) = (body(VertebraLabel::L4, 10.0), body(VertebraLabel::L5, 46.0));
        (volume, Disc::between(DiscLevel::L4L5, &upper, &lower).expect("outlines"))
    }

    #[test]
    fn the_views_are_the_papers_fifty_four() {
        let (volume, disc) = scan();
        let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
        let mut seen = Vec::new();
        for shift in Views::FiftyFour.shifts() {
            let voxels = Views::FiftyFour.read(&frame, &volume, shift);
            let arrangements = Views::FiftyFour.arrangements();
            for (view, (slice_shift, mirror_slices)) in voxels.chunks_exact(PATCH_VOXELS).zip(arrangements) {
                let change = PatchAugmentation { shift, slice_shift, mirror_slices, ..PatchAugmentation::NONE };
                assert_eq!(view, frame.augmented(&change).sample(&volume).voxels, "{change:?}");
                assert!(!seen.contains(&change));
                seen.push(change);
            }
        }
        assert_eq!((seen.len(), Views::FiftyFour.count(), Views::One.count()), (54, 54, 1));
        assert!(seen.contains(&PatchAugmentation::NONE));
        assert!(seen.iter().all(|change| change.shift.abs().max_element() <= 16.0 && change.slice_shift.abs() <= 1));
        assert_eq!(Views::One.read(&frame, &volume, DVec2::ZERO), frame.sample(&volume).voxels);
    }
}
