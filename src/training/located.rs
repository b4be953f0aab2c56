//! Scans without marked vertebrae: the detector finds their discs, and the data set says which is which.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;
use thiserror::Error;

use super::spider::SpiderError;
use crate::detection::{Detection, DetectionError, Detector};
use crate::dicom::{DicomError, load_series, scan_folder};
use crate::model::WeightsInfo;
use crate::research::{ResearchError, is_volume_file, read_volume};
use crate::spine::{Disc, DiscLevel, Vertebra, VertebraLabel};
use crate::task::{CancelToken, Cancelled};
use crate::volume::{PlaneOrientation, Volume};

/// Why a scan cannot be learned from.
#[derive(Debug, Error)]
pub enum ScanError {
    /// A NIfTI or MetaImage file cannot be read.
    #[error(transparent)]
    Research(#[from] ResearchError),
    /// A folder of DICOM files cannot be read.
    #[error(transparent)]
    Dicom(#[from] DicomError),
    /// No series of the folder is sagittal.
    #[error("the folder holds no sagittal series")]
    NoSagittalSeries,
    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] SpiderError),
    /// The detector names the disc otherwise than the box around it.
    #[error("the disc boxed as {boxed} was found to be {detected}")]
    OtherNames {
        /// As the table has it.
        boxed: String,
        /// As the detector has it.
        detected: DiscLevel,
    },
    /// No vertebrae were found.
    #[error(transparent)]
    Detection(#[from] DetectionError),
    /// None of the discs that have grades was found.
    #[error("none of the discs with grades was found")]
    NoGradedDisc,
}

impl ScanError {
    /// Asking to stop is no fault of the scan.
    pub(super) fn unless_cancelled(self) -> Result<Self, Cancelled> {
        match self {
            Self::Dicom(DicomError::Cancelled(cancelled)) | Self::Detection(DetectionError::Cancelled(cancelled)) => {
                Err(cancelled)
            }
            other => Ok(other),
        }
    }
}

/// A scan that nothing is learned from, and why.
#[derive(Debug)]
pub struct LeftOut {
    /// The scan's file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub error: ScanError,
}

/// Reads scans and finds their discs.
pub(super) struct DiscFinder<'a> {
    detector: Detector,
    cancel: &'a CancelToken,
}

impl<'a> DiscFinder<'a> {
    /// With the detector's newest weights in `weights`, or else those that ship.
    pub(super) fn new(weights: Option<&Path>, cancel: &'a CancelToken) -> Result<Self, DetectionError> {
        Ok(Self { detector: Detector::load(weights, &Device::Cpu)?, cancel })
    }

    /// Reads a NIfTI or MetaImage file, or the T2 sagittal series of a DICOM folder; of a folder without one the largest
    /// sagittal series.
    pub(super) fn read(&self, path: &Path) -> Result<Volume, ScanError> {
        if is_volume_file(path) {
            return Ok(read_volume(path)?);
        }
        let scan = scan_folder(path, self.cancel, &mut |_| {})?;
        let sagittal = scan.series.iter().filter(|series| series.plane == Some(PlaneOrientation::Sagittal));
        let chosen = scan.t2_sagittal().or_else(|| sagittal.max_by_key(|series| series.slices));
        let series = chosen.ok_or(ScanError::NoSagittalSeries)?;
        Ok(Arc::unwrap_or_clone(load_series(series, self.cancel, &mut |_| {})?.volume))
    }

    /// What the detector finds.
    pub(super) fn detection(&self, volume: &Volume) -> Result<Detection, ScanError> {
        Ok(self.detector.detect(volume, self.cancel, &mut |_| {})?)
    }

    /// The vertebral bodies as the detector names them, from the thorax down.
    pub(super) fn vertebrae(&self, volume: &Volume) -> Result<Vec<Vertebra>, ScanError> {
        Ok(self.detection(volume)?.vertebrae)
    }

    /// Name, version and hash of the detector's weights.
    pub(super) fn weights(&self) -> &WeightsInfo {
        self.detector.info()
    }
}

/// The discs between neighbouring bodies, named by `level_of` instead of the detector. Of two with one name the first counts,
/// from the thorax down; those without a name are left out.
pub(super) fn discs_named(vertebrae: &[Vertebra], level_of: impl Fn(&Disc) -> Option<DiscLevel>) -> Vec<Disc> {
    let place = |vertebra: &Vertebra| VertebraLabel::ALL.iter().position(|label| *label == vertebra.label);
    let mut discs: Vec<Disc> = Vec::new();
    for pair in vertebrae.windows(2) {
        let are_neighbours = place(&pair[0]).is_some_and(|above| place(&pair[1]) == Some(above + 1));
        // The level is a guess until the data set names it.
        let Some(disc) = Disc::between(DiscLevel::L5S1, &pair[0], &pair[1]).filter(|_| are_neighbours) else {
            continue;
        };
        let level = level_of(&disc).filter(|level| discs.iter().all(|other| other.level != *level));
        discs.extend(level.map(|level| Disc { level, ..disc }));
    }
    discs
}
