//! Splits by patient: no patient is on both sides.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Deals patients into `folds` groups of nearly equal size; together they hold every patient once, each group sorted.
///
/// `strata` gives each patient (in any order, repetitions allowed) a key; patients of one key are spread evenly over
/// the groups, so that rare findings occur in every one. The same seed gives the same groups.
#[must_use]
pub fn folds_by_patient(strata: impl IntoIterator<Item = (u32, usize)>, folds: usize, seed: u64) -> Vec<Vec<u32>> {
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
}
