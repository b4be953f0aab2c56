//! Scans whose findings are boxed: synthetic ones and patients'.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::phantom::Phantom;
use crate::spine::{Disc, SliceBox, discs_between};
use crate::training::ScanCase;
use crate::volume::Volume;

/// Synthetic studies by their seeds, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeedRange {
    /// First seed.
    pub first: u64,
    pub count: u64,
}

impl SeedRange {
    /// Whether a study is in both.
    #[must_use]
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.first < other.first + other.count && other.first < self.first + self.count
    }
}

/// Scans whose findings are boxed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BoxedScans<'a> {
    /// Synthetic ones, made when they are needed.
    Phantoms(SeedRange),
    /// A reader's.
    Cases(&'a [ScanCase]),
}

/// One scan, its discs and their boxes.
pub(super) struct BoxedScan<'a> {
    pub(super) patient: u32,
    pub(super) volume: Cow<'a, Volume>,
    pub(super) discs: Vec<Disc>,
    pub(super) boxes: Cow<'a, [SliceBox]>,
}

impl<'a> BoxedScans<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Phantoms(seeds) => seeds.count as usize,
            Self::Cases(cases) => cases.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> BoxedScan<'a> {
        match self {
            Self::Phantoms(seeds) => {
                let study = Phantom::generate(seeds.first + index as u64);
                let discs = discs_between(&study.vertebrae);
                let (volume, boxes) = (Cow::Owned(study.volume), Cow::Owned(study.boxes));
                BoxedScan { patient: index as u32, volume, discs, boxes }
            }
            Self::Cases(cases) => {
                let case = &cases[index];
                BoxedScan {
                    patient: case.patient,
                    volume: Cow::Borrowed(&case.volume),
                    discs: case.discs.iter().map(|labelled| labelled.disc.clone()).collect(),
                    boxes: Cow::Borrowed(&case.boxes),
                }
            }
        }
    }

    /// What they are: "40 scans with readers' boxes of 40 patients".
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Phantoms(SeedRange { first, count }) => {
                format!("synthetic studies of seeds {first} to {}", first + count.max(&1) - 1)
            }
            Self::Cases(cases) => {
                let patients: BTreeSet<u32> = cases.iter().map(|case| case.patient).collect();
                format!("{} scans with readers' boxes of {} patients", cases.len(), patients.len())
            }
        }
    }
}
