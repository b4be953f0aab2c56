//! What a format of results is, for command line and window alike.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::{ExportError, FORMATS, OpenStudy, ReportTemplate, ReportedStudy};
use crate::files::{PathError, write_whole};
use crate::records::ReportEntry;

/// One way for results to leave.
#[derive(Debug)]
pub(crate) struct ExportFormat {
    /// The option of the command line that asks for it.
    pub key: &'static str,
    /// Its name, the same in all languages.
    pub name: &'static str,
    /// Ending of its file, without the point; `None` for a folder of several files.
    pub ending: Option<&'static str>,
    /// What it holds.
    pub help: &'static str,
    pub make: Make,
}

/// How a format is made.
#[derive(Debug)]
pub(crate) enum Make {
    /// A file of any number of reports, without their images.
    OfReports(fn(&[ReportEntry]) -> Result<Vec<u8>, ExportError>),
    /// A file of one report and its images.
    OfStudy(fn(&ReportedStudy, &ExportOptions) -> Result<Vec<u8>, ExportError>),
    /// Files of one report and its images, written into a folder.
    IntoFolder(fn(&ReportedStudy, &ExportOptions, &Path) -> Result<Written, ExportError>),
}

/// What the formats can be asked for; each heeds what concerns it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Name, ID, birth date and sex of the patient, study date and institution stand in the PDF.
    pub with_identity: bool,
    /// What the text of the PDF says and in which order.
    pub template: ReportTemplate,
    /// The time that DICOM objects carry; the present one if left out.
    pub created: Option<DateTime<Utc>>,
}

/// Files that were written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub files: Vec<PathBuf>,
    /// What whoever uses them should know.
    pub note: Option<String>,
}

impl ExportFormat {
    /// The format that the ending of a file's name asks for; of several the first of the table.
    ///
    /// # Errors
    /// If it is that of none.
    pub(crate) fn of_file(file: &Path) -> Result<&'static Self, ExportError> {
        Self::among(FORMATS.iter(), file)
    }

    /// As [`Self::of_file`], among those that hold any number of reports.
    ///
    /// # Errors
    /// If the ending is that of none.
    pub(crate) fn of_reports(file: &Path) -> Result<&'static Self, ExportError> {
        Self::among(FORMATS.iter().filter(|format| !format.needs_images()), file)
    }

    fn among(formats: impl Iterator<Item = &'static Self> + Clone, file: &Path) -> Result<&'static Self, ExportError> {
        formats.clone().find(|format| format.fits(file)).ok_or_else(|| {
            let mut endings: Vec<&str> = formats.filter_map(|format| format.ending).collect();
            endings.dedup();
            ExportError::OutputFormat { endings: format!(".{}", endings.join(", .")), path: file.to_owned() }
        })
    }

    /// Whether a file's name has the ending of this format.
    #[must_use]
    pub(crate) fn fits(&self, file: &Path) -> bool {
        let found = file.extension().and_then(|ending| ending.to_str());
        self.ending.zip(found).is_some_and(|(ending, found)| found.eq_ignore_ascii_case(ending))
    }

    #[must_use]
    pub(crate) fn needs_images(&self) -> bool {
        !matches!(self.make, Make::OfReports(_))
    }

    /// Writes reports in this format, at once and whole.
    ///
    /// # Errors
    /// If the format needs images too, or the file cannot be put together or written.
    pub(crate) fn write_reports(&self, entries: &[ReportEntry], file: &Path) -> Result<(), ExportError> {
        match self.make {
            Make::OfReports(bytes) => Ok(write_whole(file, &bytes(entries)?).map_err(PathError::at(file))?),
            Make::OfStudy(_) | Make::IntoFolder(_) => Err(ExportError::ImagesNeeded { format: self.name }),
        }
    }

    /// Writes a study in this format to a file or into a folder.
    ///
    /// # Errors
    /// If something cannot be put together or written.
    pub(crate) fn write_study(
        &self,
        study: &ReportedStudy,
        options: &ExportOptions,
        place: &Path,
    ) -> Result<Written, ExportError> {
        match self.make {
            Make::OfReports(_) => self.write_reports(&[study.report.clone().into()], place)?,
            Make::OfStudy(bytes) => write_whole(place, &bytes(study, options)?).map_err(PathError::at(place))?,
            Make::IntoFolder(write) => return write(study, options, place),
        }
        Ok(Written { files: vec![place.to_owned()], note: None })
    }
}

/// Name and ending of every format that the ending of a file's name asks for.
pub(crate) fn named_formats() -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_asked_for = |format: &&'static ExportFormat, ending: &str| {
        ExportFormat::of_file(Path::new(&format!("report.{ending}"))).is_ok_and(|found| found.key == format.key)
    };
    let endings = FORMATS.iter().filter_map(|format| Some((format, format.ending?)));
    endings.filter(move |(format, ending)| is_asked_for(format, ending)).map(|(format, ending)| (format.name, ending))
}

/// Writes reports in the format that the ending of the file's name asks for.
///
/// # Errors
/// If the name asks for no format of reports or the file cannot be written.
pub fn write_reports(file: &Path, entries: &[ReportEntry]) -> Result<(), ExportError> {
    ExportFormat::of_reports(file)?.write_reports(entries, file)
}

/// Writes a study that is open in the format that the ending of the file's name asks for.
///
/// # Errors
/// If the name asks for no format, the images are not those of the report, or the file cannot be written.
pub fn write_study(study: OpenStudy, options: &ExportOptions, file: &Path) -> Result<(), ExportError> {
    let format = ExportFormat::of_file(file)?;
    if !format.needs_images() {
        return format.write_reports(&[study.report.into()], file);
    }
    format.write_study(&study.join()?, options, file).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_file_names_its_format() {
        let key = |name: &str| ExportFormat::of_file(Path::new(name)).map(|format| format.key);
        for (name, expected) in
            [("R.JSONL", "jsonl"), ("r.json", "json"), ("r.csv", "csv"), ("r.parquet", "parquet"), ("r.pdf", "pdf")]
        {
            assert_eq!(key(name).expect("known"), expected, "{name}");
        }
        let error = ExportFormat::of_reports(Path::new("report.pdf")).expect_err("no images there").to_string();
        assert!(error.contains("end its name in .json, .jsonl, .csv, .parquet"), "{error}");
        assert!(key("report").is_err());
    }

    #[test]
    fn options_are_unique() {
        let mut keys: Vec<&str> = FORMATS.iter().map(|format| format.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), FORMATS.len());
    }
}
