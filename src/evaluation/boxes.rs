//! Overlap of predicted boxes with a reader's (Jamaludin et al. 2017, section 5.3).

use std::collections::BTreeMap;

use glam::DVec2;

use super::{Interval, bootstrap_by_patient};
use crate::spine::PixelBox;

/// Confidence of the intervals.
pub(crate) const CONFIDENCE: f64 = 0.95;
/// Resamples of patients that an interval is computed from.
const RESAMPLES: usize = 2000;
/// Seed of the resampling.
const SEED: u64 = 0;

/// A finding counts as located above this overlap on the slices with truth.
pub(crate) const LOCATED: f64 = 0.3;

pub(crate) type BoxesBySlice = BTreeMap<usize, PixelBox>;

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

/// What an evidence map looked at: the slices of a disc volume where they lie in the image.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SeenSlices {
    /// Corners of each slice of the disc volume in image pixels, in order around it.
    pub slices: BTreeMap<usize, [DVec2; 4]>,
    /// Where the map is strongest: slice, and place in image pixels.
    pub peak: Option<(usize, DVec2)>,
}

/// A finding that a reader boxed, and what was predicted of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoxedFinding {
    /// Whose it is; intervals are drawn by it.
    pub patient: u32,
    /// The reader's boxes.
    pub truth: BoxesBySlice,
    /// Predicted boxes, one set for each percentile measured.
    pub predicted: Vec<BoxesBySlice>,
    /// What was looked at, where that is known: then truth counts on these slices alone.
    pub seen: Option<SeenSlices>,
}

/// Overlap of one finding's boxes at one percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FindingScores {
    /// Jaccard index over all slices.
    pub volume: f64,
    /// Jaccard index over the slices that have a true box.
    pub slices_with_truth: f64,
    /// Jaccard index over all slices if each slice of the disc volume were predicted whole.
    pub baseline: Option<f64>,
    /// Whether the strongest place of the map lies in a true box (the pointing game).
    pub is_pointed_at: Option<bool>,
}

impl BoxedFinding {
    /// Scores at the percentile of that index; `None` if no slice looked at has a true box of positive area.
    ///
    /// # Panics
    /// If there is no such index.
    #[must_use]
    pub(crate) fn scores(&self, percentile: usize) -> Option<FindingScores> {
        let is_seen = |slice: &usize| self.seen.as_ref().is_none_or(|seen| seen.slices.contains_key(slice));
        let truth: BoxesBySlice = self
            .truth
            .iter()
            .filter(|(slice, rect)| is_seen(slice) && rect.area() > 0.0)
            .map(|(s, r)| (*s, *r))
            .collect();
        let predicted = &self.predicted[percentile];
        let pair = |slice: &usize| (truth.get(slice).copied(), predicted.get(slice).copied());
        let mut slices: Vec<usize> = truth.keys().chain(predicted.keys()).copied().collect();
        slices.sort_unstable();
        slices.dedup();
        if truth.is_empty() {
            return None;
        }
        Some(FindingScores {
            volume: iou_of_pairs(&slices.iter().map(pair).collect::<Vec<_>>())?,
            slices_with_truth: iou_of_pairs(&truth.keys().map(pair).collect::<Vec<_>>())?,
            baseline: self.seen.as_ref().map(|seen| whole_slices(&truth, seen)),
            is_pointed_at: self.seen.as_ref().and_then(|seen| seen.peak).map(|(slice, at)| {
                truth.get(&slice).is_some_and(|PixelBox { x, y, width, height }| {
                    (*x..=x + width).contains(&at.x) && (*y..=y + height).contains(&at.y)
                })
            }),
        })
    }
}

/// Jaccard index of true boxes with whole slices of the disc volume, which may be turned.
fn whole_slices(truth: &BoxesBySlice, seen: &SeenSlices) -> f64 {
    let (mut intersections, mut unions) = (0.0, 0.0);
    for (slice, corners) in &seen.slices {
        let shared = truth.get(slice).map_or(0.0, |rect| clipped_area(corners, rect));
        intersections += shared;
        unions += area(corners) + truth.get(slice).map_or(0.0, PixelBox::area) - shared;
    }
    if unions > 0.0 { intersections / unions } else { 0.0 }
}

/// Area of a simple polygon.
fn area(corners: &[DVec2]) -> f64 {
    let next = corners.iter().cycle().skip(1);
    corners.iter().zip(next).map(|(a, b)| a.perp_dot(*b)).sum::<f64>().abs() / 2.0
}

/// Area of a convex polygon inside a box (Sutherland and Hodgman: cut along each side).
fn clipped_area(corners: &[DVec2; 4], rect: &PixelBox) -> f64 {
    let sides = [
        (DVec2::X, rect.x),
        (DVec2::NEG_X, -(rect.x + rect.width)),
        (DVec2::Y, rect.y),
        (DVec2::NEG_Y, -(rect.y + rect.height)),
    ];
    let mut polygon = corners.to_vec();
    for (inward, least) in sides {
        let depth = |point: DVec2| point.dot(inward) - least;
        let mut cut = Vec::with_capacity(polygon.len() + 1);
        for (index, a) in polygon.iter().enumerate() {
            let b = polygon[(index + 1) % polygon.len()];
            let (from, to) = (depth(*a), depth(b));
            if from >= 0.0 {
                cut.push(*a);
            }
            if (from >= 0.0) != (to >= 0.0) {
                cut.push(*a + (b - *a) * (from / (from - to)));
            }
        }
        polygon = cut;
    }
    area(&polygon)
}

/// A mean over findings with its interval over resampled patients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub mean: f64,
    /// Interval of [`CONFIDENCE`].
    pub interval: Interval,
}

/// Overlap of many findings at one percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OverlapSummary {
    /// Findings with a true box on a slice looked at.
    pub findings: usize,
    /// Patients that they are of.
    pub patients: usize,
    /// Findings among them without any predicted box; they count as 0.
    pub without_prediction: usize,
    /// Mean of [`FindingScores::volume`].
    pub volume: Estimate,
    /// Mean of [`FindingScores::slices_with_truth`].
    pub slices_with_truth: Estimate,
    /// Share of findings whose [`FindingScores::slices_with_truth`] is above 0.3.
    pub located: f64,
    /// Mean of [`FindingScores::baseline`], over the findings that have one.
    pub baseline: Option<f64>,
    /// Share of [`FindingScores::is_pointed_at`], over the findings that have one.
    pub pointing_game: Option<Estimate>,
}

/// Sums up findings at the percentile of that index; `None` if none can be measured.
///
/// # Panics
/// If there is no such index.
#[must_use]
pub(crate) fn summarize_overlap(findings: &[BoxedFinding], percentile: usize) -> Option<OverlapSummary> {
    let scored: Vec<(u32, FindingScores)> =
        findings.iter().filter_map(|finding| Some((finding.patient, finding.scores(percentile)?))).collect();
    let measurable = findings.iter().filter(|finding| finding.scores(percentile).is_some());
    let without_prediction = measurable.filter(|finding| finding.predicted[percentile].is_empty()).count();
    let mut patients: Vec<u32> = scored.iter().map(|(patient, _)| *patient).collect();
    patients.dedup();
    patients.sort_unstable();
    patients.dedup();
    let estimate = |value: &dyn Fn(&FindingScores) -> Option<f64>| {
        let values: Vec<(u32, f64)> = scored.iter().filter_map(|(p, scores)| Some((*p, value(scores)?))).collect();
        let all: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
        let interval = bootstrap_by_patient(&values, CONFIDENCE, RESAMPLES, SEED, mean)?;
        Some(Estimate { mean: mean(&all)?, interval })
    };
    let baselines: Vec<f64> = scored.iter().filter_map(|(_, scores)| scores.baseline).collect();
    Some(OverlapSummary {
        findings: scored.len(),
        patients: patients.len(),
        without_prediction,
        volume: estimate(&|scores| Some(scores.volume))?,
        slices_with_truth: estimate(&|scores| Some(scores.slices_with_truth))?,
        located: estimate(&|scores| Some(f64::from(u8::from(scores.slices_with_truth > LOCATED))))?.mean,
        baseline: mean(&baselines),
        pointing_game: estimate(&|scores| scores.is_pointed_at.map(|hit| f64::from(u8::from(hit)))),
    })
}

/// How much better the same findings, in the same order, are boxed by `better` than by `worse`: mean difference of
/// [`FindingScores::volume`] at the only percentile. `None` if none can be measured.
#[must_use]
pub(crate) fn overlap_difference(better: &[BoxedFinding], worse: &[BoxedFinding]) -> Option<Estimate> {
    let pairs = better.iter().zip(worse);
    let differences: Vec<(u32, f64)> =
        pairs.filter_map(|(one, other)| Some((one.patient, one.scores(0)?.volume - other.scores(0)?.volume))).collect();
    let interval = bootstrap_by_patient(&differences, CONFIDENCE, RESAMPLES, SEED, mean)?;
    Some(Estimate { mean: mean(&differences.iter().map(|(_, value)| *value).collect::<Vec<_>>())?, interval })
}

/// Mean over findings of [`FindingScores::volume`] and of [`FindingScores::slices_with_truth`] for each of `percentiles`
/// percentiles: the curves. Empty if no finding can be measured.
#[must_use]
pub(crate) fn overlap_curve(findings: &[BoxedFinding], percentiles: usize) -> Vec<(f64, f64)> {
    let at = |percentile: usize| {
        let scores: Vec<_> = findings.iter().filter_map(|finding| finding.scores(percentile)).collect();
        let volume: Vec<f64> = scores.iter().map(|scores| scores.volume).collect();
        let slices: Vec<f64> = scores.iter().map(|scores| scores.slices_with_truth).collect();
        mean(&volume).zip(mean(&slices))
    };
    (0..percentiles).filter_map(at).collect()
}

/// Index of the percentile with the greatest mean overlap over all slices, the first of several equal ones. Choose it on
/// findings that nothing else is measured on.
#[must_use]
pub(crate) fn best_percentile(findings: &[BoxedFinding], percentiles: usize) -> Option<usize> {
    let curve = overlap_curve(findings, percentiles);
    let better = |best: usize, next: usize| if curve[next].0 > curve[best].0 { next } else { best };
    (!curve.is_empty()).then(|| (1..curve.len()).fold(0, better))
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: f64, y: f64, width: f64, height: f64) -> PixelBox {
        PixelBox { x, y, width, height }
    }

    fn iou(a: &PixelBox, b: &PixelBox) -> Option<f64> {
        iou_of_pairs(&[(Some(*a), Some(*b))])
    }

    fn finding(truth: &[(usize, PixelBox)], predicted: &[&[(usize, PixelBox)]]) -> BoxedFinding {
        let boxes = |list: &[(usize, PixelBox)]| list.iter().copied().collect();
        let predicted = predicted.iter().map(|list| boxes(list)).collect();
        BoxedFinding { patient: 1, truth: boxes(truth), predicted, seen: None }
    }

    /// Nine slices of 20 × 10 pixels, the strongest place at (x, y) of slice 3.
    fn seen(x: f64, y: f64) -> SeenSlices {
        let corners = [(-0.5, -0.5), (19.5, -0.5), (19.5, 9.5), (-0.5, 9.5)].map(|(x, y)| DVec2::new(x, y));
        SeenSlices { slices: (0..9).map(|slice| (slice, corners)).collect(), peak: Some((3, DVec2::new(x, y))) }
    }

    #[test]
    fn boxes_that_share_a_third_have_an_index_of_one_third() {
        assert_eq!(iou(&rect(0.0, 0.0, 2.0, 2.0), &rect(1.0, 0.0, 2.0, 2.0)), Some(1.0 / 3.0));
        assert_eq!(iou(&rect(0.0, 0.0, 2.0, 2.0), &rect(0.0, 0.0, 2.0, 2.0)), Some(1.0));
        assert_eq!(iou(&rect(0.0, 0.0, 2.0, 2.0), &rect(5.0, 5.0, 2.0, 2.0)), Some(0.0));
        assert_eq!(iou(&rect(0.0, 0.0, 0.0, 2.0), &rect(0.0, 0.0, 3.0, 0.0)), None);
        assert_eq!(iou_of_pairs(&[]), None);
    }

    #[test]
    fn a_volume_sums_areas_before_dividing() {
        // Slice 2: intersection 2, union 6. Slice 3: truth 4 missed. Slice 5: 10 predicted for nothing.
        let truth = [(2, rect(0.0, 0.0, 2.0, 2.0)), (3, rect(0.0, 0.0, 2.0, 2.0))];
        let predicted = [(2, rect(1.0, 0.0, 2.0, 2.0)), (5, rect(0.0, 0.0, 5.0, 2.0))];
        let mut finding = finding(&truth, &[&predicted]);
        let scores = finding.scores(0).expect("there is truth");
        assert!((scores.volume - 2.0 / 20.0).abs() < 1e-12);
        assert!((scores.slices_with_truth - 2.0 / 10.0).abs() < 1e-12);
        assert_eq!((scores.baseline, scores.is_pointed_at), (None, None));
        finding.seen = Some(seen(1.0, 1.9));
        let scores = finding.scores(0).expect("there is truth");
        assert!((scores.baseline.expect("slices are known") - 8.0 / 1800.0).abs() < 1e-12);
        assert_eq!(scores.is_pointed_at, Some(true));
        finding.seen = Some(seen(1.0, 2.1));
        assert_eq!(finding.scores(0).expect("there is truth").is_pointed_at, Some(false));
        // What was not looked at is no miss.
        finding.seen.as_mut().expect("set above").slices.remove(&3);
        assert!((finding.scores(0).expect("there is truth").slices_with_truth - 2.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn the_same_findings_are_compared_with_each_other() {
        let truth = [(4, rect(0.0, 0.0, 4.0, 4.0))];
        let boxed = |patient, width| BoxedFinding { patient, ..finding(&truth, &[&[(4, rect(0.0, 0.0, width, 4.0))]]) };
        let difference = overlap_difference(&[boxed(1, 4.0), boxed(2, 3.0)], &[boxed(1, 3.0), boxed(2, 1.0)]);
        let Estimate { mean, interval } = difference.expect("there is truth");
        assert_eq!((mean, interval.low, interval.high), (0.375, 0.25, 0.5));
        assert_eq!(overlap_difference(&[], &[]), None);
    }

    #[test]
    fn nothing_predicted_is_zero_and_nothing_true_is_undefined() {
        let truth = [(4, rect(1.0, 1.0, 3.0, 3.0))];
        let scores = finding(&truth, &[&[]]).scores(0).expect("there is truth");
        assert_eq!((scores.volume, scores.slices_with_truth), (0.0, 0.0));
        assert_eq!(finding(&[], &[&truth]).scores(0), None);
        assert_eq!(finding(&[(0, rect(1.0, 1.0, 0.0, 3.0))], &[&truth]).scores(0), None);
    }

    #[test]
    fn turned_slices_are_clipped_exactly() {
        // A square standing on its corner, diagonals 4; the box covers its right half but for a triangle of legs 1.
        let corners = [(0.0, -2.0), (2.0, 0.0), (0.0, 2.0), (-2.0, 0.0)].map(|(x, y)| DVec2::new(x, y));
        assert_eq!(area(&corners), 8.0);
        assert!((clipped_area(&corners, &rect(0.0, -2.0, 9.0, 9.0)) - 4.0).abs() < 1e-12);
        assert!((clipped_area(&corners, &rect(0.0, 0.0, 1.0, 9.0)) - 1.5).abs() < 1e-12);
        assert_eq!(clipped_area(&corners, &rect(5.0, 5.0, 1.0, 1.0)), 0.0);
    }

    #[test]
    fn the_best_percentile_has_the_greatest_mean_and_patients_are_resampled() {
        let truth = [(2, rect(0.0, 0.0, 2.0, 2.0))];
        let (half, whole) = ([(2, rect(0.0, 0.0, 2.0, 1.0))], [(2, rect(0.0, 0.0, 2.0, 2.0))]);
        let mut findings = vec![finding(&truth, &[&[], &whole, &half]), finding(&truth, &[&half, &half, &half])];
        findings[1].patient = 2;
        assert_eq!(overlap_curve(&findings, 3), [(0.25, 0.25), (0.75, 0.75), (0.5, 0.5)]);
        assert_eq!(best_percentile(&findings, 3), Some(1));
        assert_eq!(best_percentile(&[], 3), None);
        let summary = summarize_overlap(&findings, 0).expect("measurable");
        assert_eq!((summary.findings, summary.patients, summary.without_prediction), (2, 2, 1));
        assert_eq!(summary.volume.mean, 0.25);
        assert_eq!((summary.volume.interval.low, summary.volume.interval.high), (0.0, 0.5));
        assert_eq!((summary.baseline, summary.pointing_game), (None, None));
        assert_eq!(summary.located, 0.5);
        assert_eq!(summarize_overlap(&[], 0), None);
    }
}
