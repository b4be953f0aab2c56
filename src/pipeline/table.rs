//! Reports as CSV, one row a disc.

use super::output::ReportEntry;
use super::report::{DiscEntry, GradeEntry, Report};
use crate::spine::Grading;

/// Columns that come before those of the gradings.
const FIRST_COLUMNS: [&str; 8] = [
    "study_instance_uid",
    "series_instance_uid",
    "folder",
    "level",
    "centroid_slice",
    "centroid_x",
    "centroid_y",
    "error",
];

/// Columns that come behind them, with what the reader added.
const LAST_COLUMNS: [&str; 3] = ["comment", "signed_by", "signed_at"];

/// CSV text of `entries` with a head row; for each grading the computed grade, the reader's edit, and the probability
/// of each grade. A failed scan has one row that holds only its error.
pub(super) fn csv(entries: &[ReportEntry]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: Vec<String>| writer.write_record(row).expect("writing to memory, rows of one length");
    write(head());
    for entry in entries {
        match entry {
            ReportEntry::Report(report) => {
                for disc in &report.discs {
                    write(disc_row(report, disc));
                }
            }
            ReportEntry::Failed(failed) => {
                let mut row = vec![String::new(); head().len()];
                row[2] = failed.folder.clone().unwrap_or_default();
                row[7].clone_from(&failed.error);
                write(row);
            }
        }
    }
    let bytes = writer.into_inner().expect("flushing to memory");
    String::from_utf8(bytes).expect("written from strings")
}

fn head() -> Vec<String> {
    let mut head: Vec<String> = FIRST_COLUMNS.map(str::to_owned).to_vec();
    for grading in Grading::ALL {
        let key = grading.key();
        head.extend([key.to_owned(), format!("{key}_edited")]);
        head.extend((0..grading.classes()).map(|class| format!("{key}_p{}", grading.grade_from_class(class))));
    }
    head.extend(LAST_COLUMNS.map(str::to_owned));
    head
}

fn disc_row(report: &Report, disc: &DiscEntry) -> Vec<String> {
    let [slice, x, y] = disc.centroid_image.map(|value| value.to_string());
    let mut row = vec![
        report.study_instance_uid.clone(),
        report.series_instance_uid.clone(),
        report.folder.clone().unwrap_or_default(),
        disc.level.to_string(),
        slice,
        x,
        y,
        String::new(),
    ];
    for grading in Grading::ALL {
        match &disc.gradings {
            Some(gradings) => row.extend(grade_cells(&gradings[grading])),
            None => row.extend(vec![String::new(); 2 + grading.classes()]),
        }
    }
    let sign_off = report.sign_off.as_ref();
    row.extend([
        disc.comment.clone().unwrap_or_default(),
        sign_off.map(|sign_off| sign_off.reader.clone()).unwrap_or_default(),
        sign_off.map(|sign_off| sign_off.signed_at.clone()).unwrap_or_default(),
    ]);
    row
}

fn grade_cells(entry: &GradeEntry) -> Vec<String> {
    let edited = entry.edited.map(|grade| grade.to_string()).unwrap_or_default();
    let mut cells = vec![entry.grade.to_string(), edited];
    cells.extend(entry.probabilities.iter().map(ToString::to_string));
    cells
}
