//! Report files: JSON, JSON lines, CSV and Parquet; one file may hold many scans, failed ones too.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::{REPORT_SCHEMA, Report, Software};
use super::{CohortPlace, PipelineError, parquet_table, table};
use crate::files::write_whole;

/// What is reported about one scan. Reports are large, failures are rare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReportEntry {
    /// It was worked through.
    Report(Box<Report>),
    /// It could not be.
    Failed(FailedScan),
}

impl From<Report> for ReportEntry {
    fn from(report: Report) -> Self {
        Self::Report(Box::new(report))
    }
}

impl ReportEntry {
    /// Place in the list of a cohort.
    #[must_use]
    pub fn cohort(&self) -> Option<&CohortPlace> {
        match self {
            Self::Report(report) => report.cohort.as_ref(),
            Self::Failed(failed) => failed.cohort.as_ref(),
        }
    }

    /// The entry with its place in the list of a cohort.
    #[must_use]
    pub fn placed(mut self, place: CohortPlace) -> Self {
        match &mut self {
            Self::Report(report) => report.cohort = Some(place),
            Self::Failed(failed) => failed.cohort = Some(place),
        }
        self
    }

    /// The entry as one line of JSON, its end included.
    ///
    /// # Panics
    /// Never: reports hold only what JSON can.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("reports hold no maps with other keys than text") + "\n"
    }
}

/// A folder that could not be worked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedScan {
    /// [`REPORT_SCHEMA`].
    pub schema: String,
    /// The program that tried.
    pub software: Software,
    /// Always true.
    pub research_use_only: bool,
    /// Place among the folders given, from 1.
    pub input: usize,
    /// Place in the list of a cohort; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<CohortPlace>,
    /// The folder; only on request, because paths may name the patient.
    pub folder: Option<String>,
    /// What went wrong; without paths, unless the folder is named too.
    pub error: String,
}

impl FailedScan {
    /// Notes a failure. `folder` is cut out of `message` with what follows it, unless `include_paths`.
    #[must_use]
    pub fn new(input: usize, folder: &Path, message: &str, include_paths: bool) -> Self {
        let path = folder.display().to_string();
        let error = if include_paths { message.to_owned() } else { without_path(message, path.trim_end_matches('/')) };
        Self {
            schema: REPORT_SCHEMA.to_owned(),
            software: Software::this(),
            research_use_only: true,
            input,
            cohort: None,
            folder: include_paths.then_some(path),
            error,
        }
    }
}

/// Errors name the path last; this cuts it off.
fn without_path(message: &str, path: &str) -> String {
    match message.find(path).filter(|_| !path.is_empty()) {
        Some(at) => message[..at].trim_end_matches([' ', ':', '(', '"']).to_owned(),
        None => message.to_owned(),
    }
}

/// Format of a report file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
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
    pub fn of(file: &Path) -> Result<Self, PipelineError> {
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("json") => Ok(Self::Json),
            Some("jsonl") => Ok(Self::JsonLines),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(PipelineError::OutputFormat { path: file.to_owned() }),
        }
    }

    /// The file of `entries` in this format; a single entry is a JSON object, not an array.
    ///
    /// # Errors
    /// If a Parquet file cannot be put together.
    pub fn bytes(self, entries: &[ReportEntry]) -> Result<Vec<u8>, PipelineError> {
        let text = match (self, entries) {
            (Self::Json, [single]) => json(single),
            (Self::Json, several) => json(several),
            (Self::JsonLines, _) => entries.iter().map(ReportEntry::line).collect(),
            (Self::Csv, _) => table::csv(entries),
            (Self::Parquet, _) => {
                return parquet_table::parquet(entries).map_err(|error| PipelineError::Table(error.to_string()));
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
pub fn write_reports(file: &Path, entries: &[ReportEntry]) -> Result<(), PipelineError> {
    let bytes = OutputFormat::of(file)?.bytes(entries)?;
    write_whole(file, &bytes).map_err(PipelineError::file(file))
}

/// Reads the reports of a JSON or JSON-lines file.
///
/// # Errors
/// If the file cannot be read, is of another kind, or holds something else.
pub fn read_reports(file: &Path) -> Result<Vec<ReportEntry>, PipelineError> {
    let broken = |reason: String| PipelineError::Report { reason, path: file.to_owned() };
    let format = OutputFormat::of(file)?;
    if matches!(format, OutputFormat::Csv | OutputFormat::Parquet) {
        return Err(broken("reports are read from .json and .jsonl".to_owned()));
    }
    let text = std::fs::read_to_string(file).map_err(PipelineError::file(file))?;
    let entries: Vec<ReportEntry> = match format {
        OutputFormat::JsonLines => text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| entry(line).map_err(&broken))
            .collect::<Result<_, _>>()?,
        OutputFormat::Json if text.trim_start().starts_with('[') => {
            let values: Vec<serde_json::Value> =
                serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
            values.iter().map(|value| entry(&value.to_string()).map_err(&broken)).collect::<Result<_, _>>()?
        }
        _ => vec![entry(&text).map_err(&broken)?],
    };
    Ok(entries)
}

/// One entry; the schema is looked at first, so that the reason names it.
pub(super) fn entry(json: &str) -> Result<ReportEntry, String> {
    let value: serde_json::Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
    if schema != REPORT_SCHEMA {
        return Err(format!("expected schema {REPORT_SCHEMA}, got \"{schema}\""));
    }
    if value.get("error").is_some() {
        return serde_json::from_value(value).map(ReportEntry::Failed).map_err(|error| error.to_string());
    }
    serde_json::from_value(value).map(|report| ReportEntry::Report(Box::new(report))).map_err(|error| error.to_string())
}
