//! The overview picture of a graded scan.

use std::path::Path;

use super::ExportError;
use crate::picture::{DiscNote, study_overview, write_png};
use crate::pipeline::{DiscFindings, OpenSeries};

/// Writes the middle slice with labelled bodies and what was found at each disc.
///
/// # Errors
/// If the file cannot be written.
pub fn write_overview(analysis: &OpenSeries, file: &Path) -> Result<(), ExportError> {
    let notes: Vec<DiscNote> = analysis.findings().iter().map(DiscFindings::note).collect();
    let picture = study_overview(&analysis.series.volume, &analysis.vertebrae, &notes, "Lumbar spine");
    Ok(write_png(&picture, file)?)
}
