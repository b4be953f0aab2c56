//! Why a file of results was refused.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::PathError;

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
    #[error(transparent)]
    File(#[from] PathError),
}
