//! Agreement of predicted classes with true ones.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::spine::ClassIndex;

/// Counts of items by true class (row) and predicted class (column).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

/// How much a disagreement between two classes counts in Cohen's kappa.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KappaWeights {
    /// Every disagreement alike.
    None,
    /// By the distance between the classes.
    Linear,
    /// By its square.
    Quadratic,
}

impl ConfusionMatrix {
    /// Counts pairs (true class, predicted class).
    ///
    /// # Panics
    /// If a class is not below `classes`.
    #[must_use]
    pub(crate) fn from_pairs(pairs: &[(ClassIndex, ClassIndex)], classes: usize) -> Self {
        let mut matrix = Self { classes, counts: vec![0; classes * classes] };
        for &(truth, predicted) in pairs {
            assert!(truth < classes && predicted < classes, "class {truth} or {predicted} of only {classes}");
            matrix.counts[truth * classes + predicted] += 1;
        }
        matrix
    }

    /// Items of class `truth` that were called `predicted`.
    ///
    /// # Panics
    /// If a class is not below [`Self::classes`].
    #[must_use]
    pub(crate) fn count(&self, truth: ClassIndex, predicted: ClassIndex) -> u64 {
        assert!(predicted < self.classes, "class {predicted} of only {}", self.classes);
        self.counts[truth * self.classes + predicted]
    }

    /// Number of items.
    #[must_use]
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Share of a class's items that were found; `None` where the truth has no such item.
    ///
    /// # Panics
    /// If `class` is not below [`Self::classes`].
    #[must_use]
    pub(crate) fn recall(&self, class: ClassIndex) -> Option<f64> {
        let row: u64 = (0..self.classes).map(|predicted| self.count(class, predicted)).sum();
        ratio(self.count(class, class), row)
    }

    /// Mean recall over the classes that the truth has: the measure of the paper's tables, 0 to 1.
    /// `None` without items.
    #[must_use]
    pub(crate) fn balanced_accuracy(&self) -> Option<f64> {
        let recalls: Vec<f64> = (0..self.classes).filter_map(|class| self.recall(class)).collect();
        (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
    }

    /// Share of items called at most `distance` classes off; 0 gives plain accuracy. `None` without items.
    #[must_use]
    pub(crate) fn accuracy_within(&self, distance: usize) -> Option<f64> {
        let close: u64 = self.cells().filter(|(a, b, _)| a.abs_diff(*b) <= distance).map(|(_, _, count)| count).sum();
        ratio(close, self.total())
    }

    /// Cohen's kappa (1960; weighted: 1968): agreement beyond what the two marginal distributions give by chance,
    /// 1 at best. `None` where chance alone gives full agreement (no items, or all of one class in both).
    #[must_use]
    pub(crate) fn cohen_kappa(&self, weights: KappaWeights) -> Option<f64> {
        let total = self.total() as f64;
        let margin = |fixed: &dyn Fn(usize) -> (usize, usize)| -> f64 {
            (0..self.classes).map(fixed).map(|(a, b)| self.count(a, b) as f64).sum()
        };
        let (mut observed, mut expected) = (0.0, 0.0);
        for (truth, predicted, count) in self.cells() {
            let distance = truth.abs_diff(predicted) as f64;
            let weight = match weights {
                KappaWeights::None => f64::from(u8::from(truth != predicted)),
                KappaWeights::Linear => distance,
                KappaWeights::Quadratic => distance * distance,
            };
            observed += weight * count as f64;
            expected += weight * margin(&|class| (truth, class)) * margin(&|class| (class, predicted)) / total;
        }
        (expected > 0.0).then(|| 1.0 - observed / expected)
    }

    /// All cells as (true class, predicted class, count).
    fn cells(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        self.counts.iter().enumerate().map(|(index, count)| (index / self.classes, index % self.classes, *count))
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Area under the receiver operating characteristic: how often a present finding has the higher probability than an
/// absent one, ties counting half (Mann and Whitney). `None` unless both occur.
#[must_use]
pub(crate) fn area_under_curve(items: &[(bool, f64)]) -> Option<f64> {
    let mut sorted = items.to_vec();
    sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
    let present = items.iter().filter(|(present, _)| *present).count() as f64;
    let absent = items.len() as f64 - present;
    let (mut wins, mut absent_below) = (0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.1 == b.1) {
        let present_here = tied.iter().filter(|(present, _)| *present).count() as f64;
        let absent_here = tied.len() as f64 - present_here;
        wins += present_here * (absent_below + absent_here / 2.0);
        absent_below += absent_here;
    }
    (present > 0.0 && absent > 0.0).then(|| wins / (present * absent))
}

/// Confidence interval of a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Percentile bootstrap interval of a measure, resampling patients with replacement: the discs of one patient are
/// alike, so they are drawn together.
///
/// `items` are (patient, item); `confidence` such as 0.95. Resamples on which `measure` is `None` are left out; the
/// result is `None` if all are, or without items. The same `seed` gives the same interval.
#[must_use]
pub(crate) fn bootstrap_by_patient<T: Clone>(
    items: &[(u32, T)],
    confidence: f64,
    resamples: usize,
    seed: u64,
    measure: impl Fn(&[T]) -> Option<f64>,
) -> Option<Interval> {
    let mut patients: BTreeMap<u32, Vec<T>> = BTreeMap::new();
    for (patient, item) in items {
        patients.entry(*patient).or_default().push(item.clone());
    }
    let patients: Vec<Vec<T>> = patients.into_values().collect();
    if patients.is_empty() {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values: Vec<f64> = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        let sample: Vec<T> =
            (0..patients.len()).flat_map(|_| patients[rng.random_range(0..patients.len())].iter().cloned()).collect();
        values.extend(measure(&sample));
    }
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    // Linear between order statistics, as numpy.percentile does.
    let quantile = |share: f64| {
        let position = share.clamp(0.0, 1.0) * last as f64;
        let (below, above) = (values[position.floor() as usize], values[position.ceil() as usize]);
        below + (above - below) * position.fract()
    };
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(tail), high: quantile(1.0 - tail) })
}

#[cfg(test)]
mod tests {
    use super::*;

    // from sklearn.metrics import *; import numpy as np  # scikit-learn 1.9.1
    // truth = [0,0,0,1,1,1,1,2,2,3,3,3,0,1,2,3]
    // pred  = [0,0,1,1,1,2,0,2,3,3,3,1,0,1,2,2]
    // confusion_matrix(truth, pred); balanced_accuracy_score(truth, pred)
    // [cohen_kappa_score(truth, pred, weights=w) for w in (None, 'linear', 'quadratic')]
    // y = [1,1,1,0,0,0,0,1]; p = [.9,.8,.4,.4,.3,.85,.1,.6]; roc_auc_score(y, p)
    const TRUTH: [usize; 16] = [0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 0, 1, 2, 3];
    const PREDICTED: [usize; 16] = [0, 0, 1, 1, 1, 2, 0, 2, 3, 3, 3, 1, 0, 1, 2, 2];

    fn close(value: Option<f64>, expected: f64) {
        let value = value.expect("defined");
        assert!((value - expected).abs() < 1e-12, "{value} instead of {expected}");
    }

    fn golden() -> ConfusionMatrix {
        let pairs: Vec<_> = TRUTH.into_iter().zip(PREDICTED).collect();
        ConfusionMatrix::from_pairs(&pairs, 4)
    }

    #[test]
    fn measures_of_grades_agree_with_scikit_learn() {
        let matrix = golden();
        let rows: Vec<u64> =
            (0..4).flat_map(|a| (0..4).map(move |b| (a, b))).map(|(a, b)| matrix.count(a, b)).collect();
        assert_eq!(rows, [3, 1, 0, 0, 1, 3, 1, 0, 0, 0, 2, 1, 0, 1, 1, 2]);
        close(matrix.balanced_accuracy(), 0.629_166_666_666_666_7);
        close(matrix.cohen_kappa(KappaWeights::None), 0.497_382_198_952_879_6);
        close(matrix.cohen_kappa(KappaWeights::Linear), 0.638_709_677_419_354_8);
        close(matrix.cohen_kappa(KappaWeights::Quadratic), 0.761_589_403_973_509_9);
        close(matrix.accuracy_within(0), 0.625);
        close(matrix.accuracy_within(1), 0.9375);
    }

    #[test]
    fn measures_of_findings_agree_with_scikit_learn() {
        let probabilities = [0.9, 0.8, 0.4, 0.4, 0.3, 0.85, 0.1, 0.6];
        let present = [true, true, true, false, false, false, false, true];
        let items: Vec<_> = present.into_iter().zip(probabilities).collect();
        let called: Vec<_> = items.iter().map(|(present, p)| (usize::from(*present), usize::from(*p >= 0.5))).collect();
        let matrix = ConfusionMatrix::from_pairs(&called, 2);
        // Sensitivity, then specificity.
        close(matrix.recall(1), 0.75);
        close(matrix.recall(0), 0.75);
        close(area_under_curve(&items), 0.78125);
    }

    #[test]
    fn classes_that_the_truth_lacks_do_not_count() {
        // Class 2 of 3 never occurs in truth; one item is called so.
        let matrix = ConfusionMatrix::from_pairs(&[(0, 0), (0, 2), (1, 1)], 3);
        close(matrix.balanced_accuracy(), 0.75);
        assert_eq!(matrix.recall(2), None);
    }

    #[test]
    fn what_the_data_do_not_define_is_none() {
        let empty = ConfusionMatrix::from_pairs(&[], 5);
        assert_eq!(empty.balanced_accuracy(), None);
        assert_eq!(empty.accuracy_within(1), None);
        assert_eq!(empty.cohen_kappa(KappaWeights::Quadratic), None);
        let single = ConfusionMatrix::from_pairs(&[(1, 1), (1, 1)], 5);
        close(single.balanced_accuracy(), 1.0);
        assert_eq!(single.cohen_kappa(KappaWeights::None), None);
        assert_eq!(area_under_curve(&[(true, 0.3), (true, 0.9)]), None);
        let absent = ConfusionMatrix::from_pairs(&[(0, 0)], 2);
        assert_eq!((absent.recall(1), absent.recall(0)), (None, Some(1.0)));
    }

    #[test]
    fn equal_probabilities_give_half_the_area() {
        close(area_under_curve(&[(true, 0.5), (false, 0.5), (false, 0.5)]), 0.5);
        close(area_under_curve(&[(true, 0.2), (false, 0.7)]), 0.0);
    }

    fn accuracy(items: &[bool]) -> Option<f64> {
        ratio(items.iter().filter(|right| **right).count() as u64, items.len() as u64)
    }

    #[test]
    fn bootstrap_draws_patients_whole() {
        // Six discs each: resampling discs would give a narrow interval, resampling the two patients spans 0 to 1.
        let items: Vec<(u32, bool)> = (0..12).map(|index| (index / 6, index < 6)).collect();
        let interval = bootstrap_by_patient(&items, 0.9, 400, 7, accuracy).expect("patients");
        assert_eq!(interval, Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn bootstrap_interval_has_the_width_of_the_standard_error() {
        // 400 patients, 70 % right: standard error sqrt(0.7 * 0.3 / 400) = 0.0229, 95 % interval ± 0.0449.
        let items: Vec<(u32, bool)> = (0..400).map(|patient| (patient, patient % 10 < 7)).collect();
        let interval = bootstrap_by_patient(&items, 0.95, 2000, 1, accuracy).expect("patients");
        assert!((interval.low - 0.655).abs() < 0.006 && (interval.high - 0.745).abs() < 0.006, "{interval:?}");
        assert_eq!(bootstrap_by_patient(&items, 0.95, 2000, 1, accuracy), Some(interval));
        assert_eq!(bootstrap_by_patient(&[], 0.95, 10, 1, accuracy), None);
        assert_eq!(bootstrap_by_patient(&items, 0.95, 10, 1, |_| None), None);
    }
}
