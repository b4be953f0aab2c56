//! Reports as a table, one row a disc: the columns that CSV and Parquet share.

use std::collections::BTreeSet;

use crate::records::{DiscEntry, DiscMeasures, GradeEntry, Report, ReportEntry};
use crate::spine::Grading;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Real,
}

/// A cell; what is not known is empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Empty,
    Text(String),
    Integer(i32),
    Real(f64),
}

impl From<Option<&String>> for Cell {
    fn from(text: Option<&String>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.clone()))
    }
}

impl Cell {
    /// The cell in a CSV file; an empty one is empty.
    fn csv(&self) -> String {
        match self {
            Self::Empty => String::new(),
            // Spreadsheets take what begins so for a formula, and run it; a quotation mark makes it text.
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
        }
    }
}

/// Columns that come before those of the gradings.
const FIRST_COLUMNS: [(&str, Kind); 8] = [
    ("study_instance_uid", Kind::Text),
    ("series_instance_uid", Kind::Text),
    ("folder", Kind::Text),
    ("level", Kind::Text),
    ("centroid_slice", Kind::Real),
    ("centroid_x", Kind::Real),
    ("centroid_y", Kind::Real),
    ("error", Kind::Text),
];

/// Columns that come behind them, with what the reader added.
const LAST_COLUMNS: [(&str, Kind); 3] = [("comment", Kind::Text), ("signed_by", Kind::Text), ("signed_at", Kind::Text)];

/// Columns of what was measured, where any report says it.
const MEASURED_COLUMNS: [(&str, Kind); 5] = [
    ("height_mm", Kind::Real),
    ("slip_percent", Kind::Real),
    ("canal_mm", Kind::Real),
    ("signal_of_fluid", Kind::Real),
    ("conflicts", Kind::Text),
];

/// What the table of some reports has room for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The gradings that any report has grades of.
    gradings: BTreeSet<Grading>,
    /// Whether any report says what was measured.
    has_measures: bool,
}

impl Layout {
    /// The table of `entries`.
    pub(super) fn of(entries: &[ReportEntry]) -> Self {
        let reports = entries.iter().filter_map(|entry| match entry {
            ReportEntry::Report(report) => Some(report),
            ReportEntry::Failed(_) => None,
        });
        let mut layout = Self::default();
        for report in reports {
            layout.gradings.extend(report.gradings());
            layout.has_measures |= report.discs.iter().any(|disc| disc.measured.is_some());
        }
        layout
    }

    /// The columns; for each grading the computed grade, the reader's edit, and the probability of each grade.
    pub(super) fn columns(&self) -> Vec<Column> {
        let named = |(name, kind): (&str, Kind)| Column { name: name.to_owned(), kind };
        let mut columns: Vec<Column> = FIRST_COLUMNS.map(named).to_vec();
        for grading in &self.gradings {
            let key = grading.key();
            columns.extend([(key, Kind::Integer), (&format!("{key}_edited"), Kind::Integer)].map(named));
            let probability = |class| format!("{key}_p{}", grading.grade_from_class(class));
            columns.extend((0..grading.classes()).map(|class| named((&probability(class), Kind::Real))));
        }
        columns.extend(LAST_COLUMNS.map(named));
        if self.has_measures {
            columns.extend(MEASURED_COLUMNS.map(named));
        }
        columns
    }

    /// The rows of a report; a failed scan has one that holds only its error.
    pub(super) fn rows(&self, entry: &ReportEntry) -> Vec<Vec<Cell>> {
        match entry {
            ReportEntry::Report(report) => report.discs.iter().map(|disc| self.disc_row(report, disc)).collect(),
            ReportEntry::Failed(failed) => {
                let mut row = vec![Cell::Empty; self.columns().len()];
                row[2] = failed.folder.as_ref().into();
                row[7] = Cell::Text(failed.error.clone());
                vec![row]
            }
        }
    }

    fn disc_row(&self, report: &Report, disc: &DiscEntry) -> Vec<Cell> {
        let [slice, x, y] = disc.centroid_image.map(Cell::Real);
        let mut row = vec![
            Cell::Text(report.study_instance_uid.clone()),
            Cell::Text(report.series_instance_uid.clone()),
            report.folder.as_ref().into(),
            Cell::Text(disc.level.to_string()),
            slice,
            x,
            y,
            Cell::Empty,
        ];
        for grading in &self.gradings {
            match disc.gradings.as_ref().and_then(|grades| grades.get(*grading)) {
                Some(entry) => row.extend(grade_cells(entry)),
                None => row.extend(vec![Cell::Empty; 2 + grading.classes()]),
            }
        }
        let sign_off = report.sign_off.as_ref();
        row.extend([
            disc.comment.as_ref().into(),
            sign_off.map(|sign_off| &sign_off.reader).into(),
            sign_off.map(|sign_off| &sign_off.signed_at).into(),
        ]);
        if self.has_measures {
            let DiscMeasures { height_mm, slip_percent, canal_mm, signal_of_fluid } = disc.measured.unwrap_or_default();
            let measures = [height_mm, slip_percent, canal_mm, signal_of_fluid];
            row.extend(measures.map(|value| value.map_or(Cell::Empty, Cell::Real)));
            let conflicts = (!disc.conflicts.is_empty()).then(|| disc.conflicts.join("; "));
            row.push(conflicts.as_ref().into());
        }
        row
    }
}

/// CSV text of `entries` with a head row. It begins with a byte order mark: without it Excel takes UTF-8 for the code page
/// of the computer.
pub(super) fn csv(entries: &[ReportEntry]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    let mut write = |row: Vec<String>| writer.write_record(row).expect("writing to memory, rows of one length");
    let layout = Layout::of(entries);
    write(layout.columns().into_iter().map(|column| column.name).collect());
    for row in entries.iter().flat_map(|entry| layout.rows(entry)) {
        write(row.iter().map(Cell::csv).collect());
    }
    writer.into_inner().expect("flushing to memory")
}

fn grade_cells(entry: &GradeEntry) -> Vec<Cell> {
    let edited = entry.edited.map_or(Cell::Empty, |grade| Cell::Integer(i32::from(grade)));
    let mut cells = vec![Cell::Integer(i32::from(entry.grade)), edited];
    cells.extend(entry.probabilities.iter().map(|probability| Cell::Real(*probability)));
    cells
}
