//! Which data a training reads: a small TOML file, so that the configuration does not depend on where data lie.
//!
//! ```toml
//! use = "learn"             # or "measure": learn from phantoms alone, measure on these patients
//! detector = "my-weights"   # finds the discs of sets without marked vertebrae; the shipped detector if left out
//!
//! [[data]]                  # as many as there are
//! kind = "spider"
//! folder = "SPIDER"
//! ```
//!
//! | kind | folder |
//! |---|---|
//! | `table` | `grades.csv` and scans of any format: [`super::table`] |
//! | `spider` | SPIDER as published: [`super::spider_release`] |
//! | `rsna-2024` | the RSNA 2024 challenge as published: [`super::rsna`] |
//! | `boxed` | single slices with boxes around discs, `name = "…"`: see docs/training.md |
//! | `phantom` | none: `studies = 40` and `seed = 1`, [`super::synthetic`] |
//! | `spider-dev` | the part of SPIDER prepared for development, with marked vertebrae: [`super::spider`] |

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::located::{DiscFinder, LeftOut, ScanError};
use super::spider::{ATTRIBUTION, ScanCase, SpiderError, load_cases};
use super::{boxed, rsna, spider_release, synthetic, table};
use crate::causes::with_causes;
use crate::detection::DetectionError;
use crate::model::detector::DETECTOR_WEIGHTS;
use crate::model::weights::{WeightsFolder, list_weights};
use crate::spine::DiscFrame;
use crate::task::{CancelToken, Cancelled, Progress};

/// Patients of sets that do not number them as SPIDER does get numbers from here on.
const FIRST_NUMBER: u32 = 1_000_000;

/// Why the data cannot be read.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The manifest cannot be read.
    #[error("cannot read the data manifest {}", path.display())]
    File {
        source: std::io::Error,
        /// The manifest.
        path: PathBuf,
    },
    /// The manifest is not valid.
    #[error("the data manifest {} is not valid", path.display())]
    Format {
        source: Box<toml::de::Error>,
        /// The manifest.
        path: PathBuf,
    },
    /// The manifest names no data.
    #[error("the data manifest names no data; add [[data]] with kind and folder: {}", path.display())]
    Empty {
        /// The manifest.
        path: PathBuf,
    },
    /// A data set as prepared for development cannot be read, or a table or folder of SPIDER.
    #[error(transparent)]
    Spider(#[from] SpiderError),
    /// A table is missing or malformed.
    #[error("cannot read the table {}", path.display())]
    Csv {
        source: csv::Error,
        /// The table.
        path: PathBuf,
    },
    /// A row of a table says something impossible.
    #[error("row {row}: {what}: {}", path.display())]
    Row {
        /// Row, the header is 1.
        row: usize,
        what: String,
        /// The table.
        path: PathBuf,
    },
    /// The detector that finds discs cannot be loaded.
    #[error("discs without marked vertebrae need a detector")]
    Detector(#[source] DetectionError),
    /// The detector learns from marked vertebrae.
    #[error("the detector learns from one set of marked vertebrae, of kind spider-dev, and any number of kind boxed")]
    NeedsLandmarks,
    /// Boxes are taught by a detector, and none that may have learned from them.
    #[error("boxed sets need a detector that did not learn from them: name the folder of its weights as `detector`")]
    NeedsTeacher,
    /// No scan could be used.
    #[error("none of the {left_out} scans can be used; the first: {reason}")]
    NothingLeft {
        /// Scans left out.
        left_out: usize,
        /// Why the first was.
        reason: String,
    },
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// What the scans are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DataUse {
    /// To learn from and, by folds, to measure on.
    #[default]
    Learn,
    /// To measure on only: the network learns from phantoms alone.
    Measure,
}

/// A data set by its layout; folders are in the file relative to the manifest's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum DataSet {
    /// A table of grades beside scans.
    Table {
        /// With `grades.csv`.
        folder: PathBuf,
    },
    /// SPIDER as published.
    Spider {
        /// With `images`, `masks` and `radiological_gradings.csv`.
        folder: PathBuf,
    },
    /// The RSNA 2024 lumbar spine challenge as published.
    #[serde(rename = "rsna-2024")]
    Rsna2024 {
        /// With `train.csv` and `train_images`.
        folder: PathBuf,
    },
    /// Single slices with boxes around discs.
    Boxed {
        /// What the set is called.
        name: String,
        /// With `images.csv`, `discs.csv` and a folder of pictures.
        folder: PathBuf,
    },
    /// The part of SPIDER prepared for development.
    SpiderDev {
        /// With `landmarks`, `midsag_t2` and `t2_SPACE`.
        folder: PathBuf,
    },
    /// Synthetic patients with every grade known, as if they were real ones.
    Phantom {
        /// How many.
        studies: usize,
        /// Seed of the first; the others follow.
        seed: u64,
    },
}

/// Where scans come from, as weights trained on them say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataSource {
    /// In the middle of a sentence.
    pub name: String,
    /// How it must be cited.
    pub attribution: Option<String>,
    /// Whether readers graded stenosis; otherwise widths of the canal stand for their grades.
    pub has_graded_stenosis: bool,
}

impl DataSet {
    /// Where its scans come from.
    #[must_use]
    pub(crate) fn source(&self) -> DataSource {
        let attribution = match self {
            Self::Spider { .. } | Self::SpiderDev { .. } => Some(ATTRIBUTION.to_owned()),
            Self::Rsna2024 { .. } => Some(rsna::ATTRIBUTION.to_owned()),
            Self::Boxed { folder, .. } => fs::read_to_string(folder.join("ATTRIBUTION.md")).ok(),
            Self::Table { .. } | Self::Phantom { .. } => None,
        };
        let has_graded_stenosis = match self {
            Self::Rsna2024 { .. } | Self::Boxed { .. } | Self::Table { .. } => true,
            Self::Spider { .. } | Self::SpiderDev { .. } | Self::Phantom { .. } => false,
        };
        DataSource { name: self.cohort().to_owned(), attribution, has_graded_stenosis }
    }

    /// What its patients are called together, in the middle of a sentence.
    #[must_use]
    pub(crate) fn cohort(&self) -> &str {
        match self {
            Self::Table { .. } => "data of one's own",
            Self::Spider { .. } | Self::SpiderDev { .. } => "SPIDER",
            Self::Rsna2024 { .. } => "the RSNA 2024 lumbar spine challenge",
            Self::Boxed { name, .. } => name,
            Self::Phantom { .. } => "synthetic studies",
        }
    }

    fn folder_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Table { folder }
            | Self::Spider { folder }
            | Self::Rsna2024 { folder }
            | Self::Boxed { folder, .. }
            | Self::SpiderDev { folder } => Some(folder),
            Self::Phantom { .. } => None,
        }
    }
}

/// The data of a training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataManifest {
    /// Whether the network learns from them.
    #[serde(default, rename = "use")]
    pub(crate) purpose: DataUse,
    /// Folder with weights of the detector that finds discs; the shipped ones if none. In the file relative to the manifest's own.
    #[serde(default)]
    pub detector: Option<PathBuf>,
    /// The sets. Patients of different sets are taken for different people, except in two of kind `spider-dev`.
    #[serde(default)]
    pub(crate) data: Vec<DataSet>,
}

/// Scans of one set, read by the same readers.
#[derive(Debug)]
pub struct TrainingCohort {
    /// What it is called: [`DataSet::cohort`].
    pub name: String,
    /// Scans with labelled discs.
    pub cases: Vec<ScanCase>,
}

/// Scans with labelled discs.
#[derive(Debug)]
pub struct TrainingData {
    /// In the order of the sets; those of one name are one cohort.
    pub cohorts: Vec<TrainingCohort>,
    /// Scans that cannot be learned from.
    pub left_out: Vec<LeftOut>,
}

impl DataManifest {
    /// Reads a manifest and resolves its folders.
    ///
    /// # Errors
    /// If it cannot be read, does not parse, or names no data.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = fs::read_to_string(path).map_err(|source| ManifestError::File { source, path: path.to_owned() })?;
        let mut manifest: Self = toml::from_str(&text)
            .map_err(|source| ManifestError::Format { source: Box::new(source), path: path.to_owned() })?;
        if manifest.data.is_empty() {
            return Err(ManifestError::Empty { path: path.to_owned() });
        }
        let beside = path.parent().unwrap_or(Path::new(""));
        for folder in manifest.data.iter_mut().filter_map(DataSet::folder_mut).chain(&mut manifest.detector) {
            *folder = beside.join(&folder);
        }
        Ok(manifest)
    }

    /// The folder with marked vertebrae that the detector learns from, and its boxed sets.
    ///
    /// # Errors
    /// If the manifest names other sets, not one with marked vertebrae, or boxed ones and no detector to teach them.
    pub(crate) fn detector_data(&self) -> Result<(&Path, Vec<&DataSet>), ManifestError> {
        let (boxed, others): (Vec<_>, Vec<_>) = self.data.iter().partition(|set| matches!(set, DataSet::Boxed { .. }));
        let [DataSet::SpiderDev { folder }] = others.as_slice() else { return Err(ManifestError::NeedsLandmarks) };
        // Not the shipped one instead of one that is missing: it may have learned from the same patients.
        let is_detector = |found: &WeightsFolder| found.metadata.name == DETECTOR_WEIGHTS;
        let has_teacher =
            self.detector.as_ref().is_some_and(|folder| list_weights(folder).iter().flatten().any(is_detector));
        if boxed.is_empty() || has_teacher { Ok((folder, boxed)) } else { Err(ManifestError::NeedsTeacher) }
    }

    /// Reads all scans; those that cannot be used are left out and told.
    ///
    /// # Errors
    /// If a table or folder of a set is missing or malformed, no scan can be used, or `cancel` was asked.
    pub fn load(
        &self,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<TrainingData, ManifestError> {
        let mut reading =
            Reading { cases: Vec::new(), left_out: Vec::new(), patients: HashMap::new(), set: 0, cancel, on_progress };
        let mut finder = None;
        let mut cohorts: Vec<TrainingCohort> = Vec::new();
        for (index, set) in self.data.iter().enumerate() {
            reading.set = index;
            match set {
                DataSet::Table { folder } => {
                    table::load(&folder.join("grades.csv"), self.finder(&mut finder, cancel)?, &mut reading)?;
                }
                DataSet::Spider { folder } => {
                    spider_release::load(folder, self.finder(&mut finder, cancel)?, &mut reading)?;
                }
                DataSet::Rsna2024 { folder } => rsna::load(folder, self.finder(&mut finder, cancel)?, &mut reading)?,
                DataSet::Boxed { folder, .. } => boxed::load(folder, self.finder(&mut finder, cancel)?, &mut reading)?,
                DataSet::SpiderDev { folder } => reading.cases.extend(load_cases(folder)?),
                DataSet::Phantom { studies, seed } => synthetic::load(*studies, *seed, &mut reading)?,
            }
            let cases = std::mem::take(&mut reading.cases);
            match cohorts.iter_mut().find(|cohort| cohort.name == set.cohort()) {
                Some(cohort) => cohort.cases.extend(cases),
                None => cohorts.push(TrainingCohort { name: set.cohort().to_owned(), cases }),
            }
        }
        let left_out = reading.left_out;
        match left_out.first().filter(|_| cohorts.iter().all(|cohort| cohort.cases.is_empty())) {
            Some(first) => {
                Err(ManifestError::NothingLeft { left_out: left_out.len(), reason: with_causes(&first.error) })
            }
            None => Ok(TrainingData { cohorts, left_out }),
        }
    }

    /// The finder of discs, loaded when the first set needs it.
    fn finder<'f, 'c>(
        &self,
        loaded: &'f mut Option<DiscFinder<'c>>,
        cancel: &'c CancelToken,
    ) -> Result<&'f DiscFinder<'c>, ManifestError> {
        match loaded {
            Some(finder) => Ok(finder),
            none => {
                let finder = DiscFinder::new(self.detector.as_deref(), cancel).map_err(ManifestError::Detector)?;
                Ok(none.insert(finder))
            }
        }
    }
}

/// What has been read so far.
pub(super) struct Reading<'a> {
    cases: Vec<ScanCase>,
    left_out: Vec<LeftOut>,
    /// Numbers of patients by set and name.
    patients: HashMap<(usize, String), u32>,
    set: usize,
    cancel: &'a CancelToken,
    on_progress: &'a mut dyn FnMut(Progress),
}

impl Reading<'_> {
    /// The number of a patient of this set, the same at every call.
    pub(super) fn patient(&mut self, name: &str) -> u32 {
        let next = FIRST_NUMBER + self.patients.len() as u32;
        *self.patients.entry((self.set, name.to_owned())).or_insert(next)
    }

    /// Adds the scan at `path` that `read` reads, or leaves it out.
    pub(super) fn add(
        &mut self,
        path: &Path,
        read: impl FnOnce() -> Result<ScanCase, ScanError>,
    ) -> Result<(), ManifestError> {
        self.cancel.check()?;
        let done = self.cases.len() + self.left_out.len();
        (self.on_progress)(Progress { step: "Reading scans", done, total: 0 });
        match read() {
            Ok(mut case) => {
                // A disc at the border may be found and still not span a disc volume.
                case.discs.retain(|labelled| DiscFrame::of_disc(&case.volume, &labelled.disc).is_ok());
                if case.discs.is_empty() {
                    self.left_out.push(LeftOut { path: path.to_owned(), error: ScanError::NoGradedDisc });
                } else {
                    self.cases.push(case);
                }
            }
            Err(error) => self.left_out.push(LeftOut { path: path.to_owned(), error: error.unless_cancelled()? }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_relative_to_the_manifest_and_mistakes_are_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("data.toml");
        let write = |text: &str| std::fs::write(&path, text).expect("writable");
        let load = || DataManifest::read(&path).expect("valid").load(&CancelToken::default(), &mut |_| {});
        write("[[data]]\nkind = \"spider-dev\"\nfolder = \"scans\"");
        let manifest = DataManifest::read(&path).expect("valid");
        let set = DataSet::SpiderDev { folder: folder.path().join("scans") };
        assert_eq!(manifest, DataManifest { purpose: DataUse::Learn, detector: None, data: vec![set] });
        assert_eq!(manifest.detector_data().expect("one set").0, folder.path().join("scans"));
        let boxed = "\n[[data]]\nkind = \"boxed\"\nname = \"made\"\nfolder = \"boxes\"";
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/weights");
        for (teacher, is_accepted) in [(None, false), (Some("."), false), (Some(shipped), true)] {
            let teacher = teacher.map(|folder| format!("detector = {folder:?}\n")).unwrap_or_default();
            write(&format!("{teacher}[[data]]\nkind = \"spider-dev\"\nfolder = \"scans\"{boxed}"));
            let manifest = DataManifest::read(&path).expect("valid");
            match manifest.detector_data() {
                Ok((_, boxed)) => assert_eq!((is_accepted, boxed.len()), (true, 1)),
                Err(error) => assert!(!is_accepted && matches!(error, ManifestError::NeedsTeacher), "{error}"),
            }
        }
        write("[[data]]\nkind = \"spider-dev\"\nfolder = \"scans\"");
        assert!(matches!(load(), Err(ManifestError::Spider(_))), "no such folder");
        write("use = \"measure\"\ndetector = \"mine\"\n[[data]]\nkind = \"rsna-2024\"\nfolder = \"scans\"");
        let manifest = DataManifest::read(&path).expect("valid");
        assert_eq!(
            (manifest.purpose, manifest.detector.as_deref()),
            (DataUse::Measure, Some(&*folder.path().join("mine")))
        );
        assert!(matches!(manifest.detector_data(), Err(ManifestError::NeedsLandmarks)));
        write("[[data]]\nkind = \"spider-dev\"\nfolder = \"scans\"\nsize = 3");
        assert!(matches!(DataManifest::read(&path), Err(ManifestError::Format { .. })));
        write("use = \"learn\"");
        assert!(matches!(DataManifest::read(&path), Err(ManifestError::Empty { .. })));
        assert!(matches!(DataManifest::read(folder.path()), Err(ManifestError::File { .. })));
    }
}
