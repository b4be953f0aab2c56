//! Any data set: a table of grades beside scans of any format, one row a disc.
//!
//! | column | |
//! |---|---|
//! | `patient` | any text; no patient is on both sides of a split |
//! | `scan` | NIfTI or MetaImage file, or DICOM folder, relative to the table |
//! | `level` | such as `L4-L5` |
//! | `pfirrmann`, `disc_narrowing`, … | a reader's grade (`3`), a range of grades that it may be (`2-4`), or nothing |
//! | `either_marrow_change` | 1 where one of the two marrows is changed and it is not told which, 0 where none is |
//!
//! Columns of gradings may be missing. Discs are found by the detector and keep its names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::labels::{ClassSet, DiscLabels};
use super::located::DiscFinder;
use super::manifest::{ManifestError, Reading};
use super::spider::{LabelledDisc, ScanCase};
use crate::spine::{DiscLevel, Grading, UnknownLevel, discs_between};

/// What a marrow label for both endplates together is called.
const EITHER_MARROW: &str = "either_marrow_change";

/// Grades of a scan's discs.
#[derive(Debug, Default, PartialEq)]
struct ScanRows {
    patient: String,
    discs: BTreeMap<DiscLevel, DiscLabels>,
}

/// Reads the table and its scans into `reading`.
pub(super) fn load(table: &Path, finder: &DiscFinder, reading: &mut Reading) -> Result<(), ManifestError> {
    let folder = table.parent().unwrap_or(Path::new(""));
    for (scan, rows) in read_table(table)? {
        let path = folder.join(&scan);
        let patient = reading.patient(&rows.patient);
        reading.add(&path, || {
            let volume = finder.read(&path)?;
            let vertebrae = finder.vertebrae(&volume)?;
            let discs = discs_between(&vertebrae).into_iter().filter_map(|disc| {
                let labels = rows.discs.get(&disc.level)?.clone();
                Some(LabelledDisc { disc, labels })
            });
            let (discs, name) = (discs.collect(), scan.display().to_string());
            Ok(ScanCase { patient, name, volume, vertebrae, top_is_extrapolated: false, discs, boxes: Vec::new() })
        })?;
    }
    Ok(())
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Patient,
    Scan,
    Level,
    EitherMarrow,
    Grade(Grading),
}

impl Column {
    fn of(name: &str) -> Result<Self, String> {
        match name {
            "patient" => Ok(Self::Patient),
            "scan" => Ok(Self::Scan),
            "level" => Ok(Self::Level),
            EITHER_MARROW => Ok(Self::EitherMarrow),
            other => other.parse().map(Self::Grade).map_err(|_| format!("there is no grading {other}")),
        }
    }
}

/// One disc.
#[derive(Default)]
struct Row {
    patient: String,
    scan: PathBuf,
    level: Option<DiscLevel>,
    labels: DiscLabels,
}

impl Row {
    fn take(&mut self, column: Column, cell: &str) -> Result<(), String> {
        match column {
            Column::Patient => cell.clone_into(&mut self.patient),
            Column::Scan => self.scan = PathBuf::from(cell),
            Column::Level => self.level = Some(cell.parse().map_err(|error: UnknownLevel| error.to_string())?),
            Column::EitherMarrow => match cell {
                "" => {}
                "0" => {
                    for grading in [Grading::UpperMarrowChange, Grading::LowerMarrowChange] {
                        self.labels.gradings.insert(grading, ClassSet::exactly(0));
                    }
                }
                "1" => self.labels.either_marrow_changed = true,
                other => return Err(format!("{EITHER_MARROW} is {other}, not 0 or 1")),
            },
            Column::Grade(grading) => {
                let key = grading.key();
                let set =
                    admissible(grading, cell).ok_or_else(|| format!("{key} is {cell}, which is no grade of it"))?;
                // A marrow known by itself is not overwritten by what is known of both.
                if !set.is_unknown() {
                    self.labels.gradings.insert(grading, set);
                }
            }
        }
        Ok(())
    }

    fn add_to(self, scans: &mut BTreeMap<PathBuf, ScanRows>) -> Result<(), String> {
        let Self { patient, scan, level, labels } = self;
        let level = level.ok_or("there is no level")?;
        if patient.is_empty() || scan.as_os_str().is_empty() {
            return Err("patient or scan is empty".to_owned());
        }
        let known = scans.entry(scan).or_insert_with(|| ScanRows { patient: patient.clone(), ..ScanRows::default() });
        if known.patient != patient {
            return Err("the scan has another patient in an earlier row".to_owned());
        }
        match known.discs.insert(level, labels) {
            Some(_) => Err(format!("{level} of this scan has a row already")),
            None => Ok(()),
        }
    }
}

/// The rows by scan; the error names the row.
fn read_table(path: &Path) -> Result<BTreeMap<PathBuf, ScanRows>, ManifestError> {
    let csv_error = |source| ManifestError::Csv { source, path: path.to_owned() };
    let wrong = |row: usize, what: String| ManifestError::Row { row, what, path: path.to_owned() };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(csv_error)?;
    let header = reader.headers().map_err(csv_error)?;
    for needed in ["patient", "scan", "level"] {
        if !header.iter().any(|column| column == needed) {
            return Err(wrong(1, format!("there is no column {needed}")));
        }
    }
    let columns = header.iter().map(Column::of).collect::<Result<Vec<_>, _>>().map_err(|what| wrong(1, what))?;
    let mut scans = BTreeMap::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(csv_error)?;
        let mut row = Row::default();
        let mut cells = columns.iter().zip(&record);
        cells
            .try_for_each(|(column, cell)| row.take(*column, cell))
            .and_then(|()| row.add_to(&mut scans))
            .map_err(|what| wrong(index + 2, what))?;
    }
    Ok(scans)
}

/// `3`, `2-4`, or nothing, in grades as readers count them; `None` for anything else.
fn admissible(grading: Grading, cell: &str) -> Option<ClassSet> {
    if cell.is_empty() {
        return Some(ClassSet::UNKNOWN);
    }
    let (low, high) = cell.split_once('-').unwrap_or((cell, cell));
    let class = |grade: &str| grading.class_from_grade(grade.trim().parse().ok()?);
    let (low, high) = (class(low)?, class(high)?);
    (low <= high).then(|| ClassSet::of(low..=high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<BTreeMap<PathBuf, ScanRows>, ManifestError> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("grades.csv");
        std::fs::write(&path, text).expect("writable");
        read_table(&path)
    }

    #[test]
    fn rows_become_labels_and_partial_ones_stay_partial() {
        let scans = table(
            "patient,scan,level,pfirrmann,disc_narrowing,either_marrow_change,upper_marrow_change\n\
             A, a/one.nii.gz ,L4-L5,3,2-4,1,\nA,a/one.nii.gz,L5/S1,,1,0,1\nB,b,L4L5,5,,,\n",
        )
        .expect("valid");
        let one = &scans[Path::new("a/one.nii.gz")];
        assert_eq!((scans.len(), one.patient.as_str(), one.discs.len()), (2, "A", 2));
        let upper = &one.discs[&DiscLevel::L4L5];
        assert_eq!(upper.of(Grading::Pfirrmann).single(), Some(2));
        assert_eq!(upper.of(Grading::DiscNarrowing), ClassSet::of(1..=3));
        assert!(upper.either_marrow_changed && upper.of(Grading::UpperMarrowChange).is_unknown());
        let lower = &one.discs[&DiscLevel::L5S1];
        assert_eq!(lower.of(Grading::LowerMarrowChange).single(), Some(0));
        assert_eq!(lower.of(Grading::UpperMarrowChange).single(), Some(1));
        assert!(lower.of(Grading::Pfirrmann).is_unknown());
    }

    #[test]
    fn mistakes_are_told_with_their_row() {
        let refusal = |text: &str| table(text).expect_err("wrong").to_string();
        assert!(refusal("patient,scan\nA,a\n").contains("no column level"));
        assert!(refusal("patient,scan,level,colour\nA,a,L4-L5,1\n").contains("no grading colour"));
        let six = refusal("patient,scan,level,pfirrmann\nA,a,L4-L5,6\n");
        assert!(six.contains("row 2") && six.contains("pfirrmann is 6"), "{six}");
        assert!(refusal("patient,scan,level,pfirrmann\nA,a,L4-L5,4-2\n").contains("no grade"));
        assert!(refusal("patient,scan,level\nA,a,L9\n").contains("row 2"));
        assert!(refusal("patient,scan,level\nA,a,L4-L5\nA,a,L4-L5\n").contains("row 3: L4-L5 of this scan"));
        assert!(refusal("patient,scan,level\nA,a,L4-L5\nB,a,L5-S1\n").contains("another patient"));
    }
}
