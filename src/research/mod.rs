//! Research formats: NIfTI (`.nii`, `.nii.gz`) and MetaImage (`.mha`, `.mhd`) read as volumes, NIfTI written.
//!
//! Nothing a header declares is allocated before it is checked against the file and a limit. Volumes come out sagittal,
//! as a scanner would have written them: slices from the patient's left to right, rows downwards, columns backwards.

mod meta_image;
mod nifti_file;
pub(crate) mod nifti_write;
mod orient;
mod samples;

pub use nifti_write::{Voxels, write_nifti};

use std::path::Path;

use thiserror::Error;

use crate::volume::{GeometryError, Volume};

/// Most voxels that are read: 2 GiB of them.
const MAX_VOXELS: u64 = 1 << 29;

/// Why a research file cannot be used; names no path. Shown in lists too, so it says its cause itself.
#[derive(Debug, Error)]
pub enum ResearchError {
    /// The file system refused.
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
    /// The header is not what the format says.
    #[error("is not a {format} file: {reason}")]
    Header {
        /// Format that its name promises.
        format: &'static str,
        reason: String,
    },
    /// Something of the format that this program does not read.
    #[error("holds {0}, which is not supported")]
    Unsupported(String),
    /// More voxels than any scan has.
    #[error("declares {0:?} voxels, too many")]
    TooLarge([u64; 3]),
    /// Fewer bytes than the header promises.
    #[error("is truncated: expected {expected} bytes of voxels, got {got}")]
    Truncated {
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// The slices run in another plane.
    #[error("its slices are not sagittal: the voxels are largest along the patient's {0} axis")]
    NotSagittal(&'static str),
    /// Directions or spacings that place nothing.
    #[error("has no usable geometry: {0}")]
    Geometry(GeometryError),
}

impl From<std::io::Error> for ResearchError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<GeometryError> for ResearchError {
    fn from(error: GeometryError) -> Self {
        Self::Geometry(error)
    }
}

/// Whether the name says that the file is a volume that [`read_volume`] reads.
#[must_use]
pub(crate) fn is_volume_file(path: &Path) -> bool {
    format_of(path).is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Nifti { compressed: bool },
    MetaImage,
}

#[allow(clippy::case_sensitive_file_extension_comparisons, reason = "the name is in lower case")]
fn format_of(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    if name.ends_with(".nii") {
        Some(Format::Nifti { compressed: false })
    } else if name.ends_with(".nii.gz") {
        Some(Format::Nifti { compressed: true })
    } else if name.ends_with(".mha") || name.ends_with(".mhd") {
        Some(Format::MetaImage)
    } else {
        None
    }
}

/// Reads a volume and turns it sagittal; voxel values after the file's scaling.
///
/// # Errors
/// If the file cannot be read, is damaged, too large, or its slices are not sagittal.
pub fn read_volume(path: &Path) -> Result<Volume, ResearchError> {
    let grid = match format_of(path) {
        Some(Format::Nifti { compressed }) => nifti_file::read(path, compressed)?,
        Some(Format::MetaImage) => meta_image::read(path)?,
        None => return Err(ResearchError::Unsupported("an unknown format".to_owned())),
    };
    orient::sagittal(&grid)
}

/// Voxels as files store them: the first index runs fastest.
#[derive(Debug, Clone, PartialEq)]
struct Grid {
    /// Voxels along each index.
    size: [usize; 3],
    /// Step of each index in the patient, LPS mm.
    steps: [glam::DVec3; 3],
    /// Position of the first voxel, LPS mm.
    origin: glam::DVec3,
    values: Vec<f32>,
}

/// Voxels in all, if that many can be read.
fn checked_count(size: [u64; 3]) -> Result<u64, ResearchError> {
    let count = size.iter().try_fold(1_u64, |count, side| count.checked_mul(*side));
    count.filter(|count| (1..=MAX_VOXELS).contains(count)).ok_or(ResearchError::TooLarge(size))
}

#[cfg(test)]
mod tests;
