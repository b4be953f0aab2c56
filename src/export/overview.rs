//! The overview picture of a graded scan.

use std::path::Path;

use super::ExportError;
use crate::language::{Language, say};
use crate::picture::{DiscNote, study_overview, write_png};
use crate::pipeline::OpenSeries;

/// Writes the middle slice with labelled bodies and what was found at each disc.
///
/// # Errors
/// If the file cannot be written.
pub fn write_overview(analysis: &OpenSeries, language: Language, file: &Path) -> Result<(), ExportError> {
    let notes: Vec<DiscNote> = analysis.findings().iter().map(|disc| disc.note(language)).collect();
    let title = say!(language, "Lumbar spine");
    let picture = study_overview(&analysis.series.volume, &analysis.vertebrae, &notes, title, language);
    Ok(write_png(&picture, file)?)
}
