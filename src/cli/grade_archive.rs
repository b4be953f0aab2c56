//! `spinenet grade --pacs`.

use std::path::Path;

use chrono::Utc;

use super::Outcome;
use super::console::Console;
use super::grade::{GradeArguments, Work, finish};
use super::pacs::connection;
use crate::causes::with_causes;
use crate::export::{ReportedStudy, write_dicom};
use crate::files::remove_abandoned_studies;
use crate::language::Language;
use crate::pacs::{Connection, IMAGES, fetch_study, send_files};
use crate::pipeline::OpenSeries;
use crate::records::{Report, ReportEntry};
use crate::task::{CancelToken, Progress};

/// Fetches, grades and, with `--send`, reports back study after study; each is gone before the next is fetched.
pub(super) fn run(arguments: &GradeArguments, console: Console) -> anyhow::Result<Outcome> {
    let connection = connection(arguments.pacs.as_deref().unwrap_or_default())?;
    remove_abandoned_studies();
    let mut work = Work::grading(arguments, console)?;
    let total = arguments.folders.len();
    let mut entries = Vec::with_capacity(total);
    for (index, uid) in arguments.folders.iter().enumerate() {
        let name = if total > 1 { format!("{}/{total}", index + 1) } else { String::new() };
        let entry = match grade(&mut work, &connection, uid, &name, arguments.send, console) {
            Ok(report) => report.into(),
            Err(message) => ReportEntry::Failed(work.told(index + 1, uid, &message)),
        };
        entries.push(entry);
    }
    finish(&entries, arguments.out.as_deref())
}

fn grade(
    work: &mut Work<'_>,
    connection: &Connection,
    uid: &Path,
    name: &str,
    is_sent: bool,
    console: Console,
) -> Result<Report, String> {
    let study = {
        let line = console.progress(name);
        let mut show = |progress: Progress| line.show(progress);
        let uid = uid.to_string_lossy();
        fetch_study(connection, &uid, IMAGES, &CancelToken::default(), &mut show)
            .map_err(|error| with_causes(&error))?
    };
    let (report, analysis) = work.report(study.folder(), uid, name, true).map_err(|error| with_causes(&error))?;
    if is_sent {
        let sent = send(connection, &report, analysis, work.language(), name, console)
            .map_err(|error| format!("graded, but the results could not be stored: {}", with_causes(error.as_ref())))?;
        console.say(&format!("  {sent} objects stored in {}", connection.name));
    }
    Ok(report)
}

/// Stores the results as DICOM objects; returns their number.
fn send(
    connection: &Connection,
    report: &Report,
    analysis: OpenSeries,
    language: Language,
    name: &str,
    console: Console,
) -> anyhow::Result<usize> {
    let study = ReportedStudy { language, ..ReportedStudy::join(report.clone(), analysis.series)? };
    let folder = tempfile::tempdir()?;
    let files = write_dicom(&study, Utc::now(), folder.path())?;
    let line = console.progress(name);
    send_files(connection, &files, &CancelToken::default(), &mut |progress| line.show(progress))?;
    Ok(files.len())
}
