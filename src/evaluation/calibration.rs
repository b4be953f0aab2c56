//! Whether probabilities mean what they say.

/// One bar of a reliability diagram: answers of about the same confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ReliabilityBin {
    /// Answers in it.
    pub count: usize,
    /// Their mean probability.
    pub confidence: f64,
    /// Share of them that is right.
    pub accuracy: f64,
}

/// Bars of equal width over 0 to 1 for answers (probability of the answer, whether it is right); empty ones are left out.
///
/// # Panics
/// If `bins` is 0.
#[must_use]
pub(crate) fn reliability(answers: &[(f64, bool)], bins: usize) -> Vec<ReliabilityBin> {
    assert!(bins > 0, "no bar holds no answer");
    let mut sums = vec![(0_usize, 0.0, 0_usize); bins];
    for &(probability, right) in answers {
        let bin = ((probability * bins as f64) as usize).min(bins - 1);
        let (count, confidence, hits) = &mut sums[bin];
        (*count, *confidence, *hits) = (*count + 1, *confidence + probability, *hits + usize::from(right));
    }
    let filled = sums.into_iter().filter(|(count, ..)| *count > 0);
    filled
        .map(|(count, confidence, hits)| ReliabilityBin {
            count,
            confidence: confidence / count as f64,
            accuracy: hits as f64 / count as f64,
        })
        .collect()
}

/// Expected calibration error (Naeini et al. 2015): mean distance of confidence and accuracy over the bars, weighted by
/// their answers. `None` without answers.
#[must_use]
pub(crate) fn expected_calibration_error(bins: &[ReliabilityBin]) -> Option<f64> {
    let total: usize = bins.iter().map(|bin| bin.count).sum();
    let distance = |bin: &ReliabilityBin| bin.count as f64 * (bin.confidence - bin.accuracy).abs();
    (total > 0).then(|| bins.iter().map(distance).sum::<f64>() / total as f64)
}

/// Brier score (1950): mean squared distance of the probabilities of all classes from what is so, 0 at best. `None`
/// without answers.
///
/// # Panics
/// If a true class has no probability.
#[must_use]
pub(crate) fn brier_score(answers: &[(usize, Vec<f64>)]) -> Option<f64> {
    let of_answer = |(truth, probabilities): &(usize, Vec<f64>)| -> f64 {
        assert!(*truth < probabilities.len(), "class {truth} of only {}", probabilities.len());
        let distance = |(class, probability): (usize, &f64)| probability - f64::from(u8::from(class == *truth));
        probabilities.iter().enumerate().map(distance).map(|distance| distance * distance).sum()
    };
    (!answers.is_empty()).then(|| answers.iter().map(of_answer).sum::<f64>() / answers.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_hold_answers_of_their_confidence() {
        let answers = [(0.95, true), (0.91, false), (1.0, true), (0.55, true), (0.51, false)];
        let bins = reliability(&answers, 10);
        assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), [2, 3]);
        assert!((bins[1].confidence - 2.86 / 3.0).abs() < 1e-12 && (bins[1].accuracy - 2.0 / 3.0).abs() < 1e-12);
        // (2 · |0.53 − 0.5| + 3 · |0.95333 − 0.66667|) / 5
        let error = expected_calibration_error(&bins).expect("answers");
        assert!((error - 0.184).abs() < 1e-9, "{error}");
        assert_eq!(expected_calibration_error(&reliability(&[], 10)), None);
    }

    // sklearn.metrics.brier_score_loss([1, 0, 1], [.8, .3, .4]) = 0.16333 (one of two equal classes), twice that here.
    #[test]
    fn the_brier_score_of_two_classes_is_twice_scikit_learns() {
        let answers = [(1, vec![0.2, 0.8]), (0, vec![0.7, 0.3]), (1, vec![0.6, 0.4])];
        assert!((brier_score(&answers).expect("answers") - 2.0 * 0.163_333_333).abs() < 1e-8);
        assert_eq!(brier_score(&[]), None);
    }
}
