//! Overlap of predicted boxes with a reader's (Jamaludin et al. 2017, section 5.3).

use std::collections::BTreeSet;

use crate::spine::PixelBox;

/// Jaccard index of two boxes on one slice; `None` if both are empty of area.
#[must_use]
pub fn iou(a: &PixelBox, b: &PixelBox) -> Option<f64> {
    iou_of_pairs(&[(Some(*a), Some(*b))])
}

/// Jaccard index of a volume: the sum of the intersections over the sum of the unions of its slices' boxes
/// (true, predicted). `None` if no slice has a box with area.
#[must_use]
pub fn iou_of_pairs(slices: &[(Option<PixelBox>, Option<PixelBox>)]) -> Option<f64> {
    let (mut intersections, mut unions) = (0.0, 0.0);
    for (truth, predicted) in slices {
        let area = |rect: &Option<PixelBox>| rect.map_or(0.0, |rect| rect.area());
        let shared = truth.zip(*predicted).map_or(0.0, |(a, b)| a.intersection(&b));
        intersections += shared;
        unions += area(truth) + area(predicted) - shared;
    }
    (unions > 0.0).then(|| intersections / unions)
}

/// The box that covers a whole slice: the baseline any evidence must beat.
#[must_use]
pub fn whole_slice(rows: usize, columns: usize) -> PixelBox {
    PixelBox { x: -0.5, y: -0.5, width: columns as f64, height: rows as f64 }
}

/// Overlap of one volume's predicted boxes with the true ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverlapMeasures {
    /// Jaccard index over all slices of the volume.
    pub volume: f64,
    /// Jaccard index over the slices that have a true box.
    pub slices_with_truth: f64,
    /// Jaccard index over all slices if each were predicted whole.
    pub whole_slice_baseline: f64,
}

/// Measures a volume of `slices` slices of `rows` × `columns` pixels (the paper's disc volume: 9 of 112 × 224); boxes
/// are (slice, box), at most one a slice on each side. `None` without a true box of positive area: nothing to find.
///
/// # Panics
/// If a side has two boxes on one slice, or one outside the volume.
#[must_use]
pub fn overlap_measures(
    truth: &[(usize, PixelBox)],
    predicted: &[(usize, PixelBox)],
    [slices, rows, columns]: [usize; 3],
) -> Option<OverlapMeasures> {
    for boxes in [truth, predicted] {
        let distinct: BTreeSet<usize> = boxes.iter().map(|(slice, _)| *slice).collect();
        assert!(distinct.len() == boxes.len() && distinct.iter().all(|slice| *slice < slices), "one box a slice");
    }
    let on = |boxes: &[(usize, PixelBox)], slice: usize| {
        boxes.iter().find(|(index, _)| *index == slice).map(|(_, rect)| *rect)
    };
    let pairs: Vec<_> = (0..slices).map(|slice| (on(truth, slice), on(predicted, slice))).collect();
    let with_truth: Vec<_> = pairs.iter().copied().filter(|(truth, _)| truth.is_some()).collect();
    let baseline: Vec<_> = pairs.iter().map(|(truth, _)| (*truth, Some(whole_slice(rows, columns)))).collect();
    let any_area = truth.iter().any(|(_, rect)| rect.area() > 0.0);
    any_area.then_some(())?;
    Some(OverlapMeasures {
        volume: iou_of_pairs(&pairs)?,
        slices_with_truth: iou_of_pairs(&with_truth)?,
        whole_slice_baseline: iou_of_pairs(&baseline)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: f64, y: f64, width: f64, height: f64) -> PixelBox {
        PixelBox { x, y, width, height }
    }

    #[test]
    fn boxes_that_share_a_third_have_an_index_of_one_third() {
        assert_eq!(iou(&rect(0.0, 0.0, 2.0, 2.0), &rect(1.0, 0.0, 2.0, 2.0)), Some(1.0 / 3.0));
        assert_eq!(iou(&rect(0.0, 0.0, 2.0, 2.0), &rect(0.0, 0.0, 2.0, 2.0)), Some(1.0));
        assert_eq!(iou(&rect(0.0, 0.0, 2.0, 2.0), &rect(5.0, 5.0, 2.0, 2.0)), Some(0.0));
        assert_eq!(iou(&rect(0.0, 0.0, 0.0, 2.0), &rect(0.0, 0.0, 3.0, 0.0)), None);
    }

    #[test]
    fn a_volume_sums_areas_before_dividing() {
        // Slice 2: intersection 2, union 6. Slice 3: truth 4 missed. Slice 5: 10 predicted for nothing.
        let truth = [(2, rect(0.0, 0.0, 2.0, 2.0)), (3, rect(0.0, 0.0, 2.0, 2.0))];
        let predicted = [(2, rect(1.0, 0.0, 2.0, 2.0)), (5, rect(0.0, 0.0, 5.0, 2.0))];
        let measures = overlap_measures(&truth, &predicted, [9, 10, 20]).expect("there is truth");
        assert!((measures.volume - 2.0 / 20.0).abs() < 1e-12);
        assert!((measures.slices_with_truth - 2.0 / 10.0).abs() < 1e-12);
        assert!((measures.whole_slice_baseline - 8.0 / 1800.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_predicted_is_zero_and_nothing_true_is_undefined() {
        let truth = [(4, rect(1.0, 1.0, 3.0, 3.0))];
        let measures = overlap_measures(&truth, &[], [9, 10, 20]).expect("there is truth");
        assert_eq!((measures.volume, measures.slices_with_truth), (0.0, 0.0));
        assert_eq!(overlap_measures(&[], &truth, [9, 10, 20]), None);
        assert_eq!(overlap_measures(&[(0, rect(1.0, 1.0, 0.0, 3.0))], &truth, [9, 10, 20]), None);
        assert_eq!(iou_of_pairs(&[]), None);
    }

    #[test]
    fn the_whole_slice_covers_the_edges_of_the_outer_pixels() {
        assert_eq!(whole_slice(2, 3), rect(-0.5, -0.5, 3.0, 2.0));
    }
}
