//! Why an archive could not be used, in words that say what to do.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::account::RefusedObject;
use crate::causes::with_causes;
use crate::dicom::FileError;
use crate::files::PathError;
use crate::task::Cancelled;

/// Why a request to an archive failed. Texts name the connection, never a patient.
#[derive(Debug, Error)]
pub enum PacsError {
    /// Stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A connection is not what it should be.
    #[error("{0}")]
    Configuration(String),
    /// Nobody listens.
    #[error("{place} refuses the connection; is the archive running, and are its address and port right?")]
    Refused {
        /// Name of the connection.
        place: String,
    },
    /// The name of the server is not known, or there is no way to it.
    #[error("{place} cannot be reached ({reason}); check the name of the server and the network")]
    Unreachable {
        /// Name of the connection.
        place: String,
        /// What the system said.
        reason: String,
    },
    /// No answer.
    #[error("{place} did not answer in time; try again, or ask whoever runs the archive")]
    Timeout {
        /// Name of the connection.
        place: String,
    },
    /// No TLS.
    #[error(
        "no secure connection to {place}: {reason}; if its certificate is signed by your institution, name that \
         certificate in the connection"
    )]
    Tls {
        /// Name of the connection.
        place: String,
        /// What the TLS library said.
        reason: String,
    },
    /// Wrong user, password, token, or application entity title.
    #[error("{place} does not let us in ({reason}); check user and password, token, or AE titles")]
    Unauthorized {
        /// Name of the connection.
        place: String,
        /// Status or reason.
        reason: String,
    },
    /// The archive cannot or will not do what was asked.
    #[error("{place} refuses: {reason}")]
    Rejected {
        /// Name of the connection.
        place: String,
        /// Status or reason.
        reason: String,
    },
    /// The archive offers none of the services that were asked for.
    #[error("{place} refuses: it does not offer this service")]
    NotOffered {
        /// Name of the connection.
        place: String,
    },
    /// Not all of several objects were stored.
    #[error("{place} stored {stored} of {total} objects{}", rest(refused, stopped.as_deref()))]
    NotAllStored {
        /// Name of the connection.
        place: String,
        /// Objects that were stored.
        stored: usize,
        /// Objects that were to be stored.
        total: usize,
        /// Those that the archive did not take.
        refused: Vec<RefusedObject>,
        /// What ended the sending before all were tried.
        stopped: Option<Box<PacsError>>,
    },
    /// The connection broke off.
    #[error("the connection to {place} was lost ({reason}); nothing of what was coming is kept")]
    Lost {
        /// Name of the connection.
        place: String,
        /// What the system said.
        reason: String,
    },
    /// The archive sent what makes no sense.
    #[error("{place} sent what cannot be understood: {reason}")]
    Answer {
        /// Name of the connection.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More than any study has.
    #[error("{place} sends more than {limit} {of}; nothing of it is kept")]
    TooMuch {
        /// Name of the connection.
        place: String,
        limit: u64,
        of: &'static str,
    },
    /// Objects are missing.
    #[error("{place} sent {got} of {expected} objects; nothing of the study is kept")]
    Incomplete {
        /// Name of the connection.
        place: String,
        /// Objects that came.
        got: usize,
        /// Objects that the archive said there are.
        expected: usize,
    },
    /// No such study, or none of its series is wanted.
    #[error("{place} has no {what}")]
    NotFound {
        /// Name of the connection.
        place: String,
        /// What was asked for.
        what: String,
    },
    /// A file to send is no DICOM object.
    #[error("{} cannot be sent", path.display())]
    Object {
        /// What is wrong with it.
        #[source]
        reason: FileError,
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
}

/// What became of the objects that were not stored.
fn rest(refused: &[RefusedObject], stopped: Option<&PacsError>) -> String {
    let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let refused = if refused.is_empty() { String::new() } else { format!("; not stored: {}", refused.join(", ")) };
    refused + &stopped.map(|error| format!("; {}", with_causes(error))).unwrap_or_default()
}

impl PacsError {
    /// What the system said about a connection.
    pub(super) fn of_io(place: &str, error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let (place, reason) = (place.to_owned(), error.to_string());
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused { place },
            Kind::TimedOut | Kind::WouldBlock => Self::Timeout { place },
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NotFound | Kind::AddrNotAvailable => {
                Self::Unreachable { place, reason }
            }
            // rustls wraps its own errors so.
            Kind::InvalidData => Self::Tls { place, reason },
            _ => Self::Lost { place, reason },
        }
    }
}
