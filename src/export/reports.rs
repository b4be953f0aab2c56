//! Report files: JSON, JSON lines, CSV and Parquet; one file may hold many scans, failed ones too.

use std::path::Path;

use serde::Serialize;

use super::{ExportError, parquet, table};
use crate::files::{PathError, write_whole};
use crate::records::ReportEntry;

/// Format of a report file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// One object, or an array of several.
    Json,
    /// One object a line.
    JsonLines,
    /// One row a disc.
    Csv,
    /// The same table with typed columns.
    Parquet,
}

impl OutputFormat {
    /// The format that the ending of a file's name asks for.
    ///
    /// # Errors
    /// If it is none of `.json`, `.jsonl`, `.csv` and `.parquet`.
    pub(crate) fn of(file: &Path) -> Result<Self, ExportError> {
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("json") => Ok(Self::Json),
            Some("jsonl") => Ok(Self::JsonLines),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(ExportError::OutputFormat { path: file.to_owned() }),
        }
    }

    /// The file of `entries` in this format; a single entry is a JSON object, not an array.
    ///
    /// # Errors
    /// If a Parquet file cannot be put together.
    pub(crate) fn bytes(self, entries: &[ReportEntry]) -> Result<Vec<u8>, ExportError> {
        let text = match (self, entries) {
            (Self::Json, [single]) => json(single),
            (Self::Json, several) => json(several),
            (Self::JsonLines, _) => entries.iter().map(ReportEntry::line).collect(),
            (Self::Csv, _) => table::csv(entries),
            (Self::Parquet, _) => {
                return parquet::parquet(entries).map_err(|error| ExportError::Table(error.to_string()));
            }
        };
        Ok(text.into_bytes())
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string_pretty(value).expect("reports hold no maps with other keys than text") + "\n"
}

/// Writes reports in the format that the file's name asks for, at once and whole.
///
/// # Errors
/// If the name asks for no known format or the file cannot be written.
pub fn write_reports(file: &Path, entries: &[ReportEntry]) -> Result<(), ExportError> {
    let bytes = OutputFormat::of(file)?.bytes(entries)?;
    Ok(write_whole(file, &bytes).map_err(PathError::at(file))?)
}
