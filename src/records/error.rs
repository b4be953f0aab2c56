//! Why a file of results was refused.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a report, a blind reading or a table of true grades cannot be read or written.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A report file is not what it should be.
    #[error("not a report ({reason}): {}", path.display())]
    Report {
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// A truth table is not what it should be.
    #[error("not a table of true grades ({reason}): {}", path.display())]
    Truth {
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// A blind reading is not what it should be.
    #[error("not a blind reading ({reason}): {}", path.display())]
    BlindReading {
        /// What is wrong.
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{source}: {}", path.display())]
    File {
        /// What the system said.
        #[source]
        source: io::Error,
        /// Which file.
        path: PathBuf,
    },
}

impl RecordError {
    /// Adds the path to what the system says.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { source, path }
    }
}
