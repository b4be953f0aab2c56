//! Why a file or a series could not be read or written.

use std::path::PathBuf;

use dicom_core::Tag;
use thiserror::Error;

use crate::task::Cancelled;
use crate::volume::GeometryError;

/// Why one file cannot be used; names no path, which its holder knows. It is shown in lists, where no chain is printed, so the
/// words of the file system are part of its own.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file system refused.
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
    /// Neither the DICOM prefix nor a plausible data set was found.
    #[error("is not a DICOM file")]
    NotDicom,
    /// The same of a file that was asked for by name.
    #[error(
        "is not a DICOM file; NIfTI (.nii, .nii.gz), MetaImage (.mha, .mhd) and ZIP files are read too: unpack or convert others"
    )]
    UnknownFormat,
    /// The file meta information names no transfer syntax and the data set does not look like one that can be guessed.
    #[error("names no transfer syntax")]
    MissingTransferSyntax,
    /// The transfer syntax is not one of the standard's.
    #[error("unknown transfer syntax {0}")]
    UnknownTransferSyntax(String),
    /// No decoder for this compression is built in.
    #[error("compression {name} ({uid}) is not supported")]
    UnsupportedCompression {
        /// transfer syntax UID
        uid: String,
        /// its name in the standard
        name: String,
    },
    /// An element claims more bytes than the file has left.
    #[error("element {tag} declares {declared} bytes where {remaining} remain")]
    Overrun {
        /// the element
        tag: Tag,
        /// bytes it declares
        declared: u64,
        /// bytes left
        remaining: u64,
    },
    /// The file ends inside an element or a sequence.
    #[error("ends in the middle of its header")]
    TruncatedHeader,
    /// Something other than an item stands in a sequence.
    #[error("has a broken sequence at byte {offset}")]
    BrokenSequence {
        /// byte in the file (in the inflated data set where it is deflated)
        offset: u64,
    },
    /// Sequences are nested deeper than any real file needs.
    #[error("nests sequences deeper than {0} levels")]
    TooDeep(usize),
    /// The header is larger than any real one.
    #[error("header of {bytes} bytes exceeds the limit of {limit}")]
    HeaderTooLarge {
        /// bytes found
        bytes: u64,
        /// bytes allowed
        limit: u64,
    },
    /// The deflated data set grows beyond all proportion.
    #[error("deflated data set grows beyond {limit} bytes")]
    InflatedTooLarge {
        /// bytes allowed for a file of this size
        limit: u64,
    },
    /// The elements could not be decoded.
    #[error("header cannot be decoded: {0}")]
    Header(Box<dicom_object::ReadError>),
    /// A DICOM object without pixels (a report, a plan, a directory).
    #[error("holds no image (SOP class {sop_class})")]
    NoPixelData {
        /// name or UID of its SOP class
        sop_class: String,
    },
    /// An attribute that reading needs is absent or empty.
    #[error("lacks {0}")]
    MissingAttribute(&'static str),
    /// An attribute has a value that reading cannot work with.
    #[error("{name} has the unusable value {value}")]
    InvalidAttribute {
        /// keyword of the attribute
        name: &'static str,
        /// what it holds
        value: String,
    },
    /// Pixels of a kind that this program does not show.
    #[error("pixels are not supported: {0}")]
    UnsupportedPixels(String),
    /// The header promises more pixels than the file can hold or a viewer can show.
    #[error("declares {frames} frames of {rows} x {columns} pixels, more than {limit}")]
    ImageTooLarge {
        /// rows of a frame
        rows: usize,
        /// columns of a frame
        columns: usize,
        frames: usize,
        /// what bounds it, in words
        limit: &'static str,
    },
    /// Pixel data end early.
    #[error("pixel data are truncated: expected {expected} bytes, got {got}")]
    TruncatedPixelData {
        /// bytes that the header asks for
        expected: u64,
        /// bytes that are there
        got: u64,
    },
    /// The compressed fragments cannot be assigned to frames.
    #[error("{fragments} compressed fragments do not make {frames} frames")]
    FragmentCount {
        /// fragments found
        fragments: usize,
        /// frames declared
        frames: usize,
    },
    /// A compressed frame is broken.
    #[error("frame {frame} cannot be decoded: {message}")]
    Decode {
        frame: usize,
        /// the decoder's words
        message: String,
    },
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why a folder could not be scanned, or a series loaded or written.
#[derive(Debug, Error)]
pub enum DicomError {
    /// A ZIP file cannot be unpacked.
    #[error("the ZIP file cannot be unpacked ({reason}): {}", path.display())]
    Packed {
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// Stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The folder (or single file) to scan cannot be read.
    #[error("cannot read the folder {}", path.display())]
    Folder {
        /// what the file system said
        source: std::io::Error,
        /// the folder
        path: PathBuf,
    },
    /// One file of the series cannot be used.
    #[error("{}", path.display())]
    File {
        #[source]
        reason: FileError,
        /// the file
        path: PathBuf,
    },
    /// A file no longer holds what the scan saw.
    #[error("the file changed since the folder was scanned: {}", path.display())]
    Changed {
        /// the file
        path: PathBuf,
    },
    /// The series holds more voxels than the limit.
    #[error("series of {slices} slices of {rows} x {columns} pixels is too large")]
    TooLarge { slices: usize, rows: usize, columns: usize },
    /// Positions and orientation do not place the voxels.
    #[error("the series has no usable geometry")]
    Geometry(#[from] GeometryError),
    /// The volume to write does not fit what the standard's attributes can hold.
    #[error("cannot write the series: {0}")]
    Unwritable(String),
    /// A file could not be written.
    #[error("cannot write: {message}: {}", path.display())]
    Write {
        message: String,
        /// the file
        path: PathBuf,
    },
}
