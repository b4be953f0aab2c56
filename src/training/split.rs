//! Splits by patient: no patient is on both sides.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Deals patients into `folds` groups of nearly equal size; together they hold every patient once, each group sorted.
///
/// `strata` gives each patient (in any order, repetitions allowed) a key; patients of one key are spread evenly over
/// the groups, so that rare findings occur in every one. The same seed gives the same groups.
#[must_use]
pub(crate) fn folds_by_patient(
    strata: impl IntoIterator<Item = (u32, usize)>,
    folds: usize,
    seed: u64,
) -> Vec<Vec<u32>> {
    let mut keys: BTreeMap<u32, usize> = BTreeMap::new();
    for (patient, key) in strata {
        let largest = keys.entry(patient).or_default();
        *largest = key.max(*largest);
    }
    let mut patients: Vec<u32> = keys.keys().copied().collect();
    patients.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    patients.sort_by_key(|patient| std::cmp::Reverse(keys[patient]));
    let mut groups = vec![Vec::new(); folds.max(1)];
    for (index, patient) in patients.into_iter().enumerate() {
        groups[index % folds.max(1)].push(patient);
    }
    for group in &mut groups {
        group.sort_unstable();
    }
    groups
}

/// How patients are divided into those learned from and those measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum SplitKind {
    /// Every patient is measured once: k folds.
    #[default]
    #[serde(rename = "folds")]
    Folds,
    /// As in the paper: a tenth of the patients to validate on, a tenth to test on, and a second run with the two swapped.
    #[serde(rename = "80-10-10")]
    EightyTenTen,
}

/// Patients of one run that are not learned from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Division {
    /// Watched while training, and calibrated on.
    pub validation: Vec<u32>,
    /// Measured on.
    pub test: Vec<u32>,
}

impl Division {
    /// Whether a patient is not learned from.
    #[must_use]
    pub(crate) fn holds_out(&self, patient: u32) -> bool {
        self.validation.contains(&patient) || self.test.contains(&patient)
    }
}

/// The runs of a split into `folds`, or two of the paper's; none for no folds. `strata` as for [`folds_by_patient`]. Of
/// folds, `validation_share` of the patients learned from are set aside to validate on.
#[must_use]
pub(crate) fn divisions(
    kind: SplitKind,
    strata: impl IntoIterator<Item = (u32, usize)>,
    folds: usize,
    validation_share: f64,
    seed: u64,
) -> Vec<Division> {
    if folds == 0 {
        return Vec::new();
    }
    if kind == SplitKind::EightyTenTen {
        let groups = folds_by_patient(strata, 10, seed);
        return [(0, 1), (1, 0)]
            .map(|(validation, test)| Division { validation: groups[validation].clone(), test: groups[test].clone() })
            .to_vec();
    }
    let groups = folds_by_patient(strata, folds, seed);
    let aside = |fold: usize| {
        let others = groups.iter().enumerate().filter(|(other, _)| *other != fold);
        let mut others: Vec<u32> = others.flat_map(|(_, group)| group.iter().copied()).collect();
        let count = (others.len() as f64 * validation_share).round() as usize;
        others.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.wrapping_add(fold as u64)));
        others.truncate(count);
        others.sort_unstable();
        others
    };
    (0..folds).map(|fold| Division { validation: aside(fold), test: groups[fold].clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_hold_every_patient_once_and_spread_rare_findings() {
        // Patients 0..50, every tenth with a rare finding; each seen twice.
        let strata = || (0..50).flat_map(|patient| [(patient, 0), (patient, usize::from(patient % 10 == 0))]);
        let folds = folds_by_patient(strata(), 5, 7);
        let mut all: Vec<u32> = folds.concat();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        for fold in &folds {
            assert_eq!(fold.len(), 10);
            assert_eq!(fold.iter().filter(|patient| *patient % 10 == 0).count(), 1);
        }
        assert_eq!(folds, folds_by_patient(strata(), 5, 7));
        assert_ne!(folds, folds_by_patient(strata(), 5, 8));
    }
    #[test]
    fn nobody_is_both_learned_from_and_measured() {
        let patients = || (0..50).map(|patient| (patient, 0));
        let paper = divisions(SplitKind::EightyTenTen, patients(), 3, 0.0, 7);
        assert_eq!(paper.len(), 2);
        assert_eq!((&paper[0].validation, &paper[0].test), (&paper[1].test, &paper[1].validation), "swapped");
        assert_eq!((paper[0].validation.len(), paper[0].test.len()), (5, 5));
        let folds = divisions(SplitKind::Folds, patients(), 5, 0.25, 7);
        let mut tested: Vec<u32> = folds.iter().flat_map(|division| division.test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..50).collect::<Vec<_>>());
        for division in &folds {
            assert_eq!(division.validation.len(), 10);
            assert!(division.validation.iter().all(|patient| !division.test.contains(patient)));
            assert_eq!((0..50).filter(|patient| !division.holds_out(*patient)).count(), 30);
        }
        assert!(divisions(SplitKind::Folds, patients(), 0, 0.0, 7).is_empty());
    }
}
