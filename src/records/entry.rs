//! What a report file holds: many scans, failed ones too.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RecordError;
use super::report::{CohortPlace, REPORT_SCHEMA, Report, Software};
use crate::files::PathError;

/// What is reported about one scan. Reports are large, failures are rare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant, reason = "failures are rare")]
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
    pub(crate) fn cohort(&self) -> Option<&CohortPlace> {
        match self {
            Self::Report(report) => report.cohort.as_ref(),
            Self::Failed(failed) => failed.cohort.as_ref(),
        }
    }

    /// The entry with its place in the list of a cohort.
    #[must_use]
    pub(crate) fn placed(mut self, place: CohortPlace) -> Self {
        match &mut self {
            Self::Report(report) => report.cohort = Some(place),
            Self::Failed(failed) => failed.cohort = Some(place),
        }
        self
    }

    /// Reads the JSON of one entry.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        Self::of_value(serde_json::from_str(json).map_err(|error| error.to_string())?)
    }

    /// The schema is looked at first, so that the reason names it.
    fn of_value(value: serde_json::Value) -> Result<Self, String> {
        let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
        if schema != REPORT_SCHEMA {
            return Err(format!("expected schema {REPORT_SCHEMA}, got \"{schema}\""));
        }
        let entry = if value.get("error").is_some() {
            serde_json::from_value(value).map(Self::Failed)
        } else {
            serde_json::from_value(value).map(|report| Self::Report(Box::new(report)))
        };
        entry.map_err(|error| error.to_string())
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
    /// Why nothing was graded, for programs, where the images are not what grades were learned on (`contrast_t1`); absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What went wrong; without paths, unless the folder is named too.
    pub error: String,
}

impl FailedScan {
    /// Notes a failure. `folder` is cut out of `message` with what follows it, unless `include_paths`.
    #[must_use]
    pub(crate) fn new(input: usize, folder: &Path, message: &str, include_paths: bool) -> Self {
        let path = folder.display().to_string();
        let error = if include_paths { message.to_owned() } else { without_path(message, path.trim_end_matches('/')) };
        Self {
            schema: REPORT_SCHEMA.to_owned(),
            software: Software::this(),
            research_use_only: true,
            input,
            cohort: None,
            folder: include_paths.then_some(path),
            code: None,
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

/// Reads the reports of a JSON or JSON-lines file, told apart by the ending of its name.
///
/// # Errors
/// If the file cannot be read, is of another kind, or holds something else.
pub fn read_reports(file: &Path) -> Result<Vec<ReportEntry>, RecordError> {
    let broken = |reason: String| RecordError::Report { reason, path: file.to_owned() };
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let has_lines = match ending.as_deref() {
        Some("json") => false,
        Some("jsonl") => true,
        _ => return Err(broken("reports are read from .json and .jsonl".to_owned())),
    };
    let text = std::fs::read_to_string(file).map_err(PathError::at(file))?;
    if has_lines {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        return lines.map(|line| ReportEntry::parse(line).map_err(&broken)).collect();
    }
    if text.trim_start().starts_with('[') {
        let values: Vec<serde_json::Value> = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        return values.into_iter().map(|value| ReportEntry::of_value(value).map_err(&broken)).collect();
    }
    Ok(vec![ReportEntry::parse(&text).map_err(&broken)?])
}
