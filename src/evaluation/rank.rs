//! Agreement of orders.

/// Spearman's rank correlation of two lists of the same length, equal values sharing their mean rank; `None` if a list is
/// shorter than two or all of its values are equal.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub(crate) fn rank_correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "pairs of values");
    let (a, b) = (ranks(a), ranks(b));
    let mean = f64::midpoint(a.len() as f64, 1.0);
    let product = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum() };
    let size = (product(&a, &a) * product(&b, &b)).sqrt();
    (size > 0.0).then(|| product(&a, &b) / size)
}

fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = before as f64 + f64::midpoint(equal.len() as f64, 1.0);
        for index in equal {
            ranks[*index] = rank;
        }
        before += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_their_mean_rank() {
        // numpy.corrcoef of the ranks [1, 2.5, 2.5, 4, 5] and [3, 1, 2, 4.5, 4.5]: 6 / 9.5.
        let correlation = rank_correlation(&[1.0, 2.0, 2.0, 4.0, 5.0], &[3.0, 1.0, 2.0, 5.0, 5.0]).expect("varied");
        assert!((correlation - 12.0 / 19.0).abs() < 1e-12, "{correlation}");
        assert_eq!(rank_correlation(&[1.0, 2.0, 9.0], &[-3.0, 0.0, 0.1]), Some(1.0));
        assert_eq!(rank_correlation(&[1.0, 2.0], &[5.0, 5.0]), None);
        assert_eq!(rank_correlation(&[], &[]), None);
    }
}
