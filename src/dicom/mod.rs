//! DICOM: finding, reading and writing MR series.
//!
//! [`scan_folder`] reads headers only and sorts files into series; [`load_series`] decodes the pixels of one;
//! [`write_series`] writes a volume as a new series. Nothing a file declares is trusted before it is checked against
//! the bytes that are there, and every file that cannot be used is named with its reason.

mod anonymize;
mod burned_in;
mod characters;
mod codecs;
mod contrast;
mod elements;
mod error;
mod file;
mod frames;
mod identity;
mod load;
pub mod objects;
mod packed;
mod partition;
mod person_name;
mod pixels;
mod region;
mod scan;
mod select;
mod series;
mod stack;
mod vocabulary;
mod warning;
mod write;

pub use anonymize::{AnonymizedFolder, anonymize_folder};
pub use contrast::Weighting;
pub use error::{DicomError, FileError};
pub use frames::HeaderTexts;
pub use identity::{ObjectIdentity, read_message};
pub use load::{Series, load_series};
pub use packed::is_packed_study;
pub use person_name::readable_name;
pub use scan::{FolderScan, RefusedFile, scan_folder, scan_folder_listing};
pub use select::Choice;
pub use series::{SeriesSummary, SliceSource, StackTraits};
pub use warning::{SeriesWarning, WarningCode};
pub use write::{SeriesHeader, write_series};

#[cfg(test)]
mod tests;
