//! Archives (PACS): finding studies, fetching them and storing results, over DICOMweb and over DIMSE.
//!
//! Nothing is contacted but the connections that the user has configured ([`Connections`]). What an archive sends is
//! untrusted: lengths and totals are capped, names of files are ours, and a study that did not come whole is not opened.

mod account;
mod connection;
mod dicomweb;
mod dimse;
mod error;
mod inbox;
mod multipart;
mod patience;
mod secure;
mod study;
mod transfer;

pub(crate) use connection::{Address, CONNECTIONS_FILE};
pub use connection::{Connection, Connections, Secret};
pub use error::PacsError;
pub(crate) use inbox::Inbox;
pub(crate) use study::{ArchivedSeries, ArchivedStudy, StudyQuery, is_date_range};
pub(crate) use transfer::{FetchedStudy, IMAGES, fetch_study_into};
pub use transfer::{fetch_study, send_files};

use std::path::PathBuf;

use crate::task::{CancelToken, Progress};

/// What an archive can do, whatever its protocol.
pub(crate) trait Archive {
    /// Asks whether the archive is there and lets us in.
    ///
    /// # Errors
    /// Why not.
    fn echo(&mut self, cancel: &CancelToken) -> Result<(), PacsError>;

    /// Studies that match, newest first, at most [`StudyQuery::limit`].
    ///
    /// # Errors
    /// If the archive cannot be asked.
    fn studies(&mut self, query: &StudyQuery, cancel: &CancelToken) -> Result<Vec<ArchivedStudy>, PacsError>;

    /// The series of a study.
    ///
    /// # Errors
    /// If the archive cannot be asked.
    fn series(&mut self, study_instance_uid: &str, cancel: &CancelToken) -> Result<Vec<ArchivedSeries>, PacsError>;

    /// Fetches all objects of a series into `inbox`.
    ///
    /// # Errors
    /// If not all of them came.
    fn fetch_series(
        &mut self,
        study_instance_uid: &str,
        series_instance_uid: &str,
        inbox: &mut Inbox<'_>,
        cancel: &CancelToken,
    ) -> Result<(), PacsError>;

    /// Stores objects, as many as the archive takes.
    ///
    /// # Errors
    /// [`PacsError::NotAllStored`], with those that are missing, if the archive refuses any; others if none could be sent.
    fn store(
        &mut self,
        files: &[PathBuf],
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), PacsError>;
}

/// The archive behind a connection; nothing is sent yet.
///
/// # Errors
/// If the connection's address or certificates cannot be used.
pub(crate) fn archive(connection: &Connection) -> Result<Box<dyn Archive>, PacsError> {
    Ok(match connection.address()? {
        Address::Web { url } => Box::new(dicomweb::WebArchive::new(connection, url)?),
        Address::Dimse(peer) => Box::new(dimse::DimseArchive::new(connection, peer)?),
    })
}
