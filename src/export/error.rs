//! Why results could not leave.

use std::path::PathBuf;

use thiserror::Error;

use crate::dicom::DicomError;
use crate::files::PathError;
use crate::picture::PictureError;
use crate::pipeline::PipelineError;
use crate::records::BoxesError;
use crate::saliency::SaliencyError;
use crate::words::UnknownWord;

/// Why results could not leave.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The images cannot be read, or a file not be written.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A DICOM object cannot be made.
    #[error(transparent)]
    Dicom(#[from] DicomError),
    /// The folder holds other images than the report was made from.
    #[error(
        "these are not the images of the report: {found} of its {expected} are there; give the folder that was graded"
    )]
    OtherImages {
        /// Images of the report.
        expected: usize,
        /// Those of them that were found.
        found: usize,
    },
    /// An outline or measurement lies on a slice that the images do not have.
    #[error("the report marks slice {slice}, but the series has {slices}")]
    NoSuchSlice {
        slice: usize,
        /// Slices there are.
        slices: usize,
    },
    /// The images are no DICOM study that objects could be filed with.
    #[error("DICOM objects belong to a DICOM study; these images come from a research file")]
    NotDicom,
    /// The signature has no time.
    #[error("the time of the signature is not RFC 3339: {0}")]
    SignatureTime(String),
    /// The PDF could not be put together.
    #[error("cannot make the PDF: {0}")]
    Pdf(String),
    /// A table cannot be put together.
    #[error("cannot make the table: {0}")]
    Table(String),
    /// The ending of an output file names no known format.
    #[error("cannot tell the format of the output; end its name in {endings}: {}", path.display())]
    OutputFormat {
        /// Those that are known.
        endings: String,
        /// Which file.
        path: PathBuf,
    },
    /// A format that reports alone do not make.
    #[error("{format} is made from the images too, not from reports alone")]
    ImagesNeeded { format: &'static str },
    /// A volume could not be written.
    #[error("cannot write the volume ({reason}): {}", path.display())]
    Nifti {
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// A picture or a figure cannot be written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Boxes cannot be written.
    #[error(transparent)]
    Boxes(#[from] BoxesError),
    /// No evidence map.
    #[error(transparent)]
    Saliency(#[from] SaliencyError),
    /// A key image names a method or a layer that there is not.
    #[error("a key image cannot be made: {0}")]
    KeyImage(#[from] UnknownWord),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] PathError),
}
