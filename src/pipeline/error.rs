//! Why the chain stopped.

use std::path::PathBuf;

use thiserror::Error;

use super::DeviceError;
use super::judgement::learned_on;
use crate::detection::DetectionError;
use crate::dicom::DicomError;
use crate::files::PathError;
use crate::model::{GraderError, WeightsError};
use crate::records::{BoxesError, RecordError};
use crate::research::ResearchError;
use crate::saliency::SaliencyError;
use crate::spine::DiscLevel;
use crate::task::Cancelled;

/// Why a step of the chain failed.
#[derive(Debug, Error)]
pub enum PipelineError {
    /// Stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Reading or writing DICOM.
    #[error(transparent)]
    Dicom(#[from] DicomError),
    /// A NIfTI or MetaImage file.
    #[error("{}", path.display())]
    Research {
        #[source]
        reason: ResearchError,
        /// Which file.
        path: PathBuf,
    },
    /// The folder holds no MR images at all.
    #[error("no usable DICOM images were found{}", hint.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    NoImages {
        /// What was wrong with the first refused file, or what was not searched, if there was such a thing.
        hint: Option<String>,
    },
    /// Nobody said whose images to take.
    #[error("the folder holds images of {patients} patients; open the folder of one of them, or name a series")]
    SeveralPatients {
        /// How many.
        patients: usize,
    },
    /// There are series, but none to grade.
    #[error("no T2 sagittal series was found: {}", reasons.join("; "))]
    NoSagittalT2 {
        /// Why each series was not chosen.
        reasons: Vec<String>,
    },
    /// There are series, but none whose images can be graded.
    #[error("{}; {}. --grade-anyway grades the first of them all the same", reasons.join("; "), learned_on())]
    Unfit {
        /// Code of the first reason, for programs.
        code: &'static str,
        /// Each series that was tried, with the reason.
        reasons: Vec<String>,
    },
    /// The series asked for is not in the folder.
    #[error("the folder has no series {uid}")]
    NoSuchSeries {
        /// What was asked for.
        uid: String,
    },
    /// The device cannot be had.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Weights are missing or damaged.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// No vertebrae.
    #[error(transparent)]
    Detection(#[from] DetectionError),
    /// Bodies were found but no two that enclose a graded disc.
    #[error("no disc from T12-L1 to L5-S1 was found")]
    NoDiscs,
    /// A disc that was asked for was not found.
    #[error("disc {level} was not found; found {}", list(found))]
    NoSuchDisc {
        /// What was asked for.
        level: DiscLevel,
        /// What is there.
        found: Vec<DiscLevel>,
    },
    /// No grader, or not one disc can be graded.
    #[error(transparent)]
    Grader(#[from] GraderError),
    /// No evidence map.
    #[error(transparent)]
    Saliency(#[from] SaliencyError),
    /// A file of results.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A boxes file.
    #[error(transparent)]
    Boxes(#[from] BoxesError),
    /// A volume could not be written.
    #[error("cannot write the volume ({reason}): {}", path.display())]
    Nifti {
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// Results and list of a cohort do not go together.
    #[error("{reason}: {}", path.display())]
    Cohort {
        /// What is wrong and what to do.
        reason: String,
        /// The results file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
}

impl PipelineError {
    /// Code for programs that read results; `None` where there is none yet.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        if let Self::Unfit { code, .. } = self { Some(code) } else { None }
    }
}

fn list(levels: &[DiscLevel]) -> String {
    if levels.is_empty() {
        return "none".to_owned();
    }
    levels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
