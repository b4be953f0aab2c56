//! Thousands of studies: a list of them, its shards, and results that are appended study by study.
//!
//! Every result carries its place in the list and a digest of the list up to there. So a run that was interrupted goes
//! on where it stopped, lists may grow at their end, and a list that was changed otherwise is noticed; paths, which may
//! name patients, need not be written.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::PipelineError;
use crate::files::{PathError, read_text, write_whole};
use crate::records::{CohortPlace, ReportEntry};
use crate::spine::PerGrading;

/// Studies to work through.
#[derive(Clone, PartialEq, Eq)]
pub struct Cohort {
    studies: Vec<(CohortPlace, PathBuf)>,
}

/// A line without spaces around it, and without the sign by which old programs end a file.
fn trimmed(line: &str) -> &str {
    line.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{1A}')
}

/// Whether a line names the columns of a table.
fn is_heading(line: &str) -> bool {
    let first = path_of(line);
    first != line && ["path", "folder", "file", "study"].iter().any(|name| first.eq_ignore_ascii_case(name))
}

/// The path in a line: what stands in quotation marks, as Windows copies paths, else all of it if it is there, else the first
/// cell of a table.
fn path_of(line: &str) -> &str {
    if let Some((quoted, _)) = line.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        return quoted;
    }
    match line.split_once(['\t', ';']) {
        Some((first, _)) if !Path::new(line).exists() => first.trim_end(),
        _ => line,
    }
}

impl fmt::Debug for Cohort {
    /// Leaves the paths out: they may name patients.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cohort").field("studies", &self.studies.len()).finish_non_exhaustive()
    }
}

impl Cohort {
    /// Reads a list: one folder or file a line, or a table whose first column they are; empty lines and those that begin with
    /// `#` are passed over. Relative paths start from the current folder.
    ///
    /// # Errors
    /// If the list cannot be read or is empty.
    pub(crate) fn read(list: &Path) -> Result<Self, PipelineError> {
        let text = read_text(list).map_err(PathError::at(list))?;
        let cohort = Self::of_lines(text.split(['\n', '\r']));
        if cohort.studies.is_empty() {
            let reason = "the list names no study; write one folder a line".to_owned();
            return Err(PipelineError::Cohort { reason, path: list.to_owned() });
        }
        Ok(cohort)
    }

    fn of_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut digest = Sha256::new();
        let lines = lines.map(trimmed).filter(|line| !line.is_empty() && !line.starts_with('#') && !is_heading(line));
        let place = |(index, line): (usize, &str)| {
            digest.update(line);
            digest.update("\n");
            let list_sha256 = format!("{:x}", digest.clone().finalize());
            (CohortPlace { input: index + 1, list_sha256 }, PathBuf::from(path_of(line)))
        };
        Self { studies: lines.enumerate().map(place).collect() }
    }

    /// The studies of one shard with their places: every `count`th from the `index`th on, so that slow and fast ones mix.
    pub(crate) fn shard(&self, shard: Shard) -> impl Iterator<Item = &(CohortPlace, PathBuf)> {
        self.studies.iter().skip(shard.index - 1).step_by(shard.count)
    }

    /// Number of studies.
    #[must_use]
    pub fn len(&self) -> usize {
        self.studies.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.studies.is_empty()
    }

    fn holds(&self, place: &CohortPlace) -> bool {
        self.studies.get(place.input.wrapping_sub(1)).is_some_and(|(own, _)| own == place)
    }
}

/// One of several equal parts of a cohort, written `index/count`, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    pub(crate) const WHOLE: Self = Self { index: 1, count: 1 };
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err("write I/N with I from 1 to N, such as 2/8".to_owned()),
        }
    }
}

/// The results of a cohort, one line a study, each on disk before the next is begun.
pub(crate) struct Results {
    file: File,
    path: PathBuf,
    done: BTreeSet<usize>,
}

impl Results {
    /// Opens or makes the file and finds out which studies of `cohort` it holds. A last line that a crash cut short is
    /// dropped; with `retry_failed` the lines of failed studies are, too.
    ///
    /// # Errors
    /// If another run is writing the file, it was made from another list, holds something else, or cannot be read or
    /// written.
    pub(crate) fn open(path: &Path, cohort: &Cohort, retry_failed: bool) -> Result<Self, PipelineError> {
        let wrong = |reason: String| PipelineError::Cohort { reason, path: path.to_owned() };
        let lock = |file: &File| match file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(wrong("another run is writing these results".to_owned())),
            Err(TryLockError::Error(error)) => Err(PipelineError::from(PathError::at(path)(error))),
        };
        let open = || OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = open().map_err(PathError::at(path))?;
        lock(&file)?;
        let mut done = BTreeSet::new();
        let (mut whole, mut kept, mut dropped) = (0_u64, String::new(), false);
        let mut reader = BufReader::new(&file);
        let mut line = String::new();
        for number in 1.. {
            line.clear();
            let read = reader.read_line(&mut line).map_err(PathError::at(path))?;
            if read == 0 || !line.ends_with('\n') {
                break;
            }
            let found =
                ReportEntry::parse(&line).map_err(|reason| wrong(format!("line {number} is no result ({reason})")))?;
            let place = found.cohort().filter(|place| cohort.holds(place)).ok_or_else(|| {
                wrong(format!(
                    "line {number} comes from another list; studies may only be added at a list's end, \
                     else write to a new file"
                ))
            })?;
            if retry_failed && matches!(found, ReportEntry::Failed(_)) {
                dropped = true;
            } else {
                done.insert(place.input);
                if retry_failed {
                    kept.push_str(&line);
                }
            }
            whole += read as u64;
        }
        drop(reader);
        if dropped {
            write_whole(path, kept.as_bytes()).map_err(PathError::at(path))?;
            file = open().map_err(PathError::at(path))?;
            lock(&file)?;
        } else {
            file.set_len(whole).map_err(PathError::at(path))?;
        }
        file.seek(SeekFrom::End(0)).map_err(PathError::at(path))?;
        Ok(Self { file, path: path.to_owned(), done })
    }

    /// Whether the study at a place is done.
    #[must_use]
    pub(crate) fn has(&self, place: &CohortPlace) -> bool {
        self.done.contains(&place.input)
    }

    /// Adds a result and waits until it is on disk.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn append(&mut self, entry: &ReportEntry) -> Result<(), PipelineError> {
        let written = self.file.write_all(entry.line().as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(PathError::at(&self.path))?;
        self.done.extend(entry.cohort().map(|place| place.input));
        Ok(())
    }
}

/// What came out of a run, in numbers; grows with grades, not with studies.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CohortTally {
    /// Studies with grades.
    pub graded: usize,
    /// Studies that failed.
    pub failed: usize,
    /// Studies done by an earlier run.
    pub skipped: usize,
    /// Discs of the graded studies.
    pub discs: usize,
    /// Discs of each class of each grading that was graded.
    pub classes: PerGrading<[usize; 5]>,
}

impl CohortTally {
    /// Counts a result.
    pub(crate) fn add(&mut self, entry: &ReportEntry) {
        let ReportEntry::Report(report) = entry else {
            self.failed += 1;
            return;
        };
        self.graded += 1;
        self.discs += report.discs.len();
        for gradings in report.discs.iter().filter_map(|disc| disc.gradings.as_ref()) {
            for (grading, entry) in gradings.iter() {
                if let Some(class) = grading.class_from_grade(entry.reported()) {
                    self.classes.entry(grading)[class] += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::with_causes;
    use crate::records::FailedScan;

    fn failed(place: &CohortPlace) -> ReportEntry {
        ReportEntry::Failed(FailedScan::new(place.input, Path::new("/x"), "no images", false)).placed(place.clone())
    }

    #[test]
    fn shards_part_the_list_and_keep_the_places() {
        let cohort = Cohort::of_lines("a\n# no study\n\nb\nc\nd\ne\n".lines());
        assert_eq!(cohort.len(), 5);
        let inputs = |text: &str| -> Vec<usize> {
            cohort.shard(text.parse().expect("a shard")).map(|(place, _)| place.input).collect()
        };
        assert_eq!((inputs("1/2"), inputs("2/2")), (vec![1, 3, 5], vec![2, 4]));
        assert_eq!(inputs("7/9"), Vec::<usize>::new());
        for wrong in ["0/2", "3/2", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_are_read_as_other_programs_write_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let list = folder.path().join("list.txt");
        let lines = "/data/Müller\r\n/data/b\r\n";
        let marked = [b"\xEF\xBB\xBF", lines.as_bytes()].concat();
        let units =
            |bytes: fn(u16) -> [u8; 2]| "\u{FEFF}".encode_utf16().chain(lines.encode_utf16()).flat_map(bytes).collect();
        let plain = Cohort::of_lines(lines.lines());
        let encoded = [units(u16::to_le_bytes), units(u16::to_be_bytes)];
        let unmarked = encoded.each_ref().map(|bytes: &Vec<u8>| bytes[2..].to_vec());
        let old = lines.replace("\r\n", "\r") + "\r\r \t\r\u{1A}";
        for bytes in
            [vec![lines.as_bytes().to_vec(), marked, old.into_bytes()], encoded.into(), unmarked.into()].concat()
        {
            std::fs::write(&list, bytes).expect("writable");
            assert_eq!(Cohort::read(&list).expect("readable"), plain);
        }
        assert_eq!(plain.studies[0].1, Path::new("/data/Müller"));
        let of_table =
            Cohort::of_lines("folder;note\n\t\"/data/Müller\"\n\"/data/a;b\";x\n/data/c ; y\n/data/d\te".lines());
        let paths: Vec<_> = of_table.studies.iter().map(|(_, path)| path.to_str().expect("UTF-8")).collect();
        assert_eq!(paths, ["/data/Müller", "/data/a;b", "/data/c", "/data/d"]);
        std::fs::write(&list, b"/data/M\xFCller").expect("writable");
        let refused = with_causes(&Cohort::read(&list).expect_err("in no encoding that can be told"));
        assert!(refused.contains("save it in that encoding"), "{refused}");
    }

    #[test]
    fn results_go_on_after_a_crash_and_refuse_a_changed_list() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("grades.jsonl");
        let cohort = Cohort::of_lines("a\nb\nc".lines());
        let places: Vec<CohortPlace> = cohort.shard(Shard::WHOLE).map(|(place, _)| place.clone()).collect();
        let mut results = Results::open(&file, &cohort, false).expect("new");
        results.append(&failed(&places[0])).expect("written");
        let second = Results::open(&file, &cohort, false).err().expect("one run at a time");
        assert!(second.to_string().contains("another run"), "{second}");
        drop(results);
        let mut text = std::fs::read_to_string(&file).expect("readable");
        text.push_str("{\"schema\": \"spinenet-rep");
        std::fs::write(&file, &text).expect("writable");
        let grown = Cohort::of_lines("a\nb\nc\nd".lines());
        let mut results = Results::open(&file, &grown, false).expect("the cut line is dropped, the list may grow");
        assert!(results.has(&places[0]) && !results.has(&places[1]));
        results.append(&failed(&places[1])).expect("written");
        drop(results);
        assert_eq!(std::fs::read_to_string(&file).expect("readable").lines().count(), 2);
        let changed = Results::open(&file, &Cohort::of_lines("b\na\nc".lines()), false).err().expect("another list");
        assert!(changed.to_string().contains("another list"), "{changed}");
        let results = Results::open(&file, &cohort, true).expect("failed ones are tried again");
        assert!(!results.has(&places[0]) && !results.has(&places[1]));
    }
}
