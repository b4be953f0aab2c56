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
mod makers;
pub(crate) mod objects;
mod packed;
mod partition;
mod person_name;
mod pixels;
mod region;
mod rejoin;
mod scan;
mod select;
pub(crate) mod series;
mod stack;
mod vocabulary;
pub(crate) mod warning;
mod write;

pub(crate) use anonymize::{AnonymizedFolder, anonymize_folder};
pub use contrast::Weighting;
pub use error::DicomError;
pub(crate) use error::FileError;
pub use frames::HeaderTexts;
pub(crate) use identity::{ObjectIdentity, read_command, read_message};
pub use load::{Series, load_series};
pub(crate) use packed::is_packed_study;
pub(crate) use person_name::readable_name;
pub use scan::{FolderScan, scan_folder};
pub(crate) use scan::{RefusedFile, scan_folder_listing};
pub use select::Choice;
pub use series::{SeriesSummary, StackTraits};
pub(crate) use warning::SeriesWarning;
pub use write::{SeriesHeader, write_series};

#[cfg(test)]
mod tests;
