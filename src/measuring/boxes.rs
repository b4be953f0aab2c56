//! Predicted boxes against true ones: the paper's measures, schema `spinenet-measures/1`.

use std::collections::{BTreeMap, BTreeSet};

use glam::DVec2;
use serde::{Deserialize, Serialize};

use super::MEASURES_SCHEMA;
use crate::evaluation::{
    BoxedFinding, BoxesBySlice, CONFIDENCE, Estimate, SeenSlices, best_percentile, overlap_curve, summarize_overlap,
};
use crate::records::{BoxesFile, MapEntry, rounded};
use crate::saliency::EvidenceWay;
use crate::spine::{DiscLevel, Grading, SliceBox};

/// How well predicted boxes lie on true ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BoxMeasures {
    pub schema: String,
    /// Confidence of the intervals, which are drawn by resampling patients.
    pub confidence: f64,
    /// One entry for each grading with truth, in the order of [`Grading::ALL`].
    pub gradings: Vec<GradingOverlap>,
    /// Every finding at the percentile of its grading.
    pub findings: Vec<FindingOverlap>,
}

/// Where the percentile came from that overlap is reported at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PercentileFrom {
    /// It was best on validation data.
    Validation,
    Asked,
    /// The predictions have no other.
    Only,
    /// It is the one that evidence is boxed at unless another is asked for.
    Default,
}

/// Overlap of the boxes of one grading; means are over discs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GradingOverlap {
    pub grading: Grading,
    /// Discs with a true box on a slice looked at.
    pub discs: usize,
    /// Patients that they are of.
    pub patients: usize,
    /// Discs among them without any predicted box; they count as 0.
    pub discs_without_prediction: usize,
    /// Percentile that the following numbers are of; none if the predictions were not cut at one.
    pub percentile: Option<f64>,
    /// Where it came from.
    pub percentile_from: PercentileFrom,
    /// Jaccard index over all slices, and its interval.
    pub mean_iou: f64,
    pub mean_iou_interval: [f64; 2],
    /// Jaccard index over the slices that have a true box.
    pub mean_iou_slices_with_truth: f64,
    pub mean_iou_slices_with_truth_interval: [f64; 2],
    /// Share of discs whose index over the slices with a true box is above 0.3.
    pub share_located: f64,
    /// Jaccard index of whole slices, the baseline; `null` where the predictions do not say what was looked at.
    pub whole_slice_iou: Option<f64>,
    /// How many times the baseline is reached.
    pub times_whole_slice: Option<f64>,
    /// Share of discs whose strongest evidence lies in a true box; `null` as for the baseline.
    pub pointing_game: Option<f64>,
    pub pointing_game_interval: Option<[f64; 2]>,
    /// Overlap against percentile.
    pub curve: Vec<CurvePoint>,
}

/// Overlap at one percentile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct CurvePoint {
    /// Percentile; none if the predictions were not cut at one.
    pub percentile: Option<f64>,
    /// Jaccard index over all slices.
    pub mean_iou: f64,
    /// Jaccard index over the slices that have a true box.
    pub mean_iou_slices_with_truth: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FindingOverlap {
    pub series_instance_uid: String,
    pub level: DiscLevel,
    pub grading: Grading,
    /// Percentile of the grading.
    pub percentile: Option<f64>,
    /// Jaccard index over all slices.
    pub iou: f64,
    /// Jaccard index over the slices that have a true box.
    pub iou_slices_with_truth: f64,
    /// Jaccard index of whole slices.
    pub whole_slice_iou: Option<f64>,
    /// Whether the strongest evidence lies in a true box.
    pub pointed_at: Option<bool>,
}

/// Why boxes cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum BoxMeasuresError {
    /// Two boxes of one file lie on one slice of one finding, which the measure does not allow.
    #[error("{level} {grading} has two boxes on slice {}; the measure takes one a slice", slice + 1)]
    TwoBoxes { level: DiscLevel, grading: Grading, slice: usize },
    /// There is no prediction at the percentile asked for.
    #[error("no box was predicted at percentile {0}")]
    NoSuchPercentile(f64),
    /// Predictions to choose a percentile from were cut at others than those to measure.
    #[error("the predictions for validation and for the test are not cut at the same percentiles")]
    OtherPercentiles,
    /// Nothing to choose a percentile from.
    #[error("{0} has no true box in the validation data to choose its percentile by")]
    NotValidated(Grading),
}

/// Boxes to measure on, or to choose a percentile by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoxFiles<'a> {
    /// A reader's.
    pub truth: &'a [BoxesFile],
    /// Predicted ones, at one percentile or several.
    pub predicted: &'a [BoxesFile],
}

/// How a percentile is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PercentileChoice<'a> {
    /// The only one of the predictions, or that of [`EvidenceWay::PAPER`].
    Default,
    Fixed(f64),
    /// For each grading the best on other data.
    Validated(BoxFiles<'a>),
}

/// Findings by series, disc and grading, each at the same percentiles.
struct Findings {
    percentiles: Vec<Option<f64>>,
    found: BTreeMap<(String, DiscLevel, Grading), BoxedFinding>,
}

impl Findings {
    fn of(&self, grading: Grading) -> Vec<BoxedFinding> {
        self.found.iter().filter(|(key, _)| key.2 == grading).map(|(_, finding)| finding.clone()).collect()
    }
}

/// Compares predicted boxes with true ones, disc by disc. Predictions for discs without a true box are not looked at.
/// `patients` says whose a series is; one that it does not name is a patient of its own.
///
/// # Errors
/// If a file has two boxes of one finding on one slice, or no percentile can be chosen as asked.
pub(crate) fn measure_boxes(
    files: BoxFiles,
    choice: PercentileChoice,
    patients: &BTreeMap<String, String>,
) -> Result<BoxMeasures, BoxMeasuresError> {
    let findings = findings(files, patients)?;
    let validation = match choice {
        PercentileChoice::Validated(files) => Some(self::findings(files, patients)?),
        PercentileChoice::Default | PercentileChoice::Fixed(_) => None,
    };
    if validation.as_ref().is_some_and(|validation| validation.percentiles != findings.percentiles) {
        return Err(BoxMeasuresError::OtherPercentiles);
    }
    let (percentiles, mut measures) = (&findings.percentiles, BoxMeasures::empty());
    for grading in Grading::ALL {
        let of_grading = findings.of(grading);
        if !of_grading.iter().any(|finding| (0..percentiles.len()).any(|index| finding.scores(index).is_some())) {
            continue;
        }
        let at = |wanted: f64| percentiles.iter().position(|percentile| *percentile == Some(wanted));
        let (chosen, from) = match (&validation, choice) {
            (Some(validation), _) => {
                let best = best_percentile(&validation.of(grading), percentiles.len());
                (best.ok_or(BoxMeasuresError::NotValidated(grading))?, PercentileFrom::Validation)
            }
            (None, PercentileChoice::Fixed(wanted)) => {
                (at(wanted).ok_or(BoxMeasuresError::NoSuchPercentile(wanted))?, PercentileFrom::Asked)
            }
            _ if percentiles.len() == 1 => (0, PercentileFrom::Only),
            _ => {
                let no_such = BoxMeasuresError::NoSuchPercentile(EvidenceWay::PAPER.percentile);
                (at(EvidenceWay::PAPER.percentile).ok_or(no_such)?, PercentileFrom::Default)
            }
        };
        measures.gradings.extend(grading_overlap(grading, &of_grading, percentiles, chosen, from));
        for ((series, level, _), finding) in findings.found.iter().filter(|(key, _)| key.2 == grading) {
            measures.findings.extend(finding_overlap(series, *level, grading, finding, percentiles, chosen));
        }
    }
    Ok(measures)
}

impl BoxMeasures {
    fn empty() -> Self {
        let schema = MEASURES_SCHEMA.to_owned();
        Self { schema, confidence: CONFIDENCE, gradings: Vec::new(), findings: Vec::new() }
    }
}

/// Sums up the findings of one grading; `None` if none can be measured.
pub(super) fn grading_overlap(
    grading: Grading,
    findings: &[BoxedFinding],
    percentiles: &[Option<f64>],
    chosen: usize,
    percentile_from: PercentileFrom,
) -> Option<GradingOverlap> {
    let summary = summarize_overlap(findings, chosen)?;
    let round = |value: f64| rounded(value, 5);
    let interval = |estimate: Estimate| [round(estimate.interval.low), round(estimate.interval.high)];
    let baseline = summary.baseline.filter(|baseline| *baseline > 0.0);
    let curve = overlap_curve(findings, percentiles.len()).into_iter().zip(percentiles);
    Some(GradingOverlap {
        grading,
        discs: summary.findings,
        patients: summary.patients,
        discs_without_prediction: summary.without_prediction,
        percentile: percentiles[chosen],
        percentile_from,
        mean_iou: round(summary.volume.mean),
        mean_iou_interval: interval(summary.volume),
        mean_iou_slices_with_truth: round(summary.slices_with_truth.mean),
        mean_iou_slices_with_truth_interval: interval(summary.slices_with_truth),
        share_located: round(summary.located),
        whole_slice_iou: baseline.map(round),
        times_whole_slice: baseline.map(|baseline| rounded(summary.volume.mean / baseline, 2)),
        pointing_game: summary.pointing_game.map(|estimate| round(estimate.mean)),
        pointing_game_interval: summary.pointing_game.map(interval),
        curve: curve
            .map(|((volume, slices), percentile)| CurvePoint {
                percentile: *percentile,
                mean_iou: round(volume),
                mean_iou_slices_with_truth: round(slices),
            })
            .collect(),
    })
}

fn finding_overlap(
    series: &str,
    level: DiscLevel,
    grading: Grading,
    finding: &BoxedFinding,
    percentiles: &[Option<f64>],
    chosen: usize,
) -> Option<FindingOverlap> {
    let scores = finding.scores(chosen)?;
    Some(FindingOverlap {
        series_instance_uid: series.to_owned(),
        level,
        grading,
        percentile: percentiles[chosen],
        iou: rounded(scores.volume, 5),
        iou_slices_with_truth: rounded(scores.slices_with_truth, 5),
        whole_slice_iou: scores.baseline.map(|value| rounded(value, 5)),
        pointed_at: scores.is_pointed_at,
    })
}

fn findings(files: BoxFiles, patients: &BTreeMap<String, String>) -> Result<Findings, BoxMeasuresError> {
    let boxes = || files.predicted.iter().flat_map(|file| &file.boxes);
    let mut percentiles: Vec<Option<f64>> = boxes().map(|found| found.percentile).collect();
    percentiles.sort_by(|a, b| a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0)));
    percentiles.dedup();
    if percentiles.is_empty() {
        percentiles.push(None);
    }
    let names: BTreeSet<&str> = files.truth.iter().map(|file| patient_of(file, patients)).collect();
    let mut found = BTreeMap::new();
    for file in files.truth {
        let name = patient_of(file, patients);
        let patient = names.iter().position(|other| *other == name).unwrap_or_default() as u32;
        for truth in &file.boxes {
            let key = (file.series_instance_uid.clone(), truth.level, truth.grading);
            let empty = || BoxedFinding {
                patient,
                truth: BoxesBySlice::new(),
                predicted: vec![BoxesBySlice::new(); percentiles.len()],
                seen: None,
            };
            insert(&mut found.entry(key).or_insert_with(empty).truth, truth)?;
        }
    }
    for file in files.predicted {
        let key = |level, grading| (file.series_instance_uid.clone(), level, grading);
        for predicted in &file.boxes {
            let Some(finding) = found.get_mut(&key(predicted.level, predicted.grading)) else { continue };
            let at = percentiles.iter().position(|percentile| *percentile == predicted.percentile);
            if let Some(at) = at {
                insert(&mut finding.predicted[at], predicted)?;
            }
        }
        for map in &file.maps {
            if let Some(finding) = found.get_mut(&key(map.level, map.grading)) {
                finding.seen = Some(seen_slices(map));
            }
        }
    }
    Ok(Findings { percentiles, found })
}

/// What a map looked at.
pub(super) fn seen_slices(map: &MapEntry) -> SeenSlices {
    let slices = map.slices.iter().map(|seen| (seen.slice, seen.corners.map(DVec2::from))).collect();
    SeenSlices { slices, peak: map.peak.map(|peak| (peak.slice, DVec2::from(peak.at))) }
}

fn patient_of<'a>(file: &'a BoxesFile, patients: &'a BTreeMap<String, String>) -> &'a str {
    patients.get(&file.series_instance_uid).unwrap_or(&file.series_instance_uid)
}

fn insert(boxes: &mut BoxesBySlice, found: &SliceBox) -> Result<(), BoxMeasuresError> {
    if boxes.insert(found.slice, found.rect).is_some() {
        let (level, grading, slice) = (found.level, found.grading, found.slice);
        return Err(BoxMeasuresError::TwoBoxes { level, grading, slice });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{CocoImage, coco_text, parse_boxes};
    use crate::records::{PeakEntry, SeenSliceEntry};
    use crate::spine::{BoxRule, BoxSource};

    const GRADING: Grading = Grading::UpperMarrowChange;

    /// Boxes (level, slice, sides, percentile).
    fn file(series: &str, boxes: &[(DiscLevel, usize, [f64; 4], Option<f64>)]) -> BoxesFile {
        let make = |&(level, slice, rect, percentile): &(DiscLevel, usize, [f64; 4], Option<f64>)| SliceBox {
            level,
            grading: GRADING,
            slice,
            rect: rect.into(),
            source: if percentile.is_some() { BoxSource::Predicted } else { BoxSource::Reader },
            percentile,
        };
        BoxesFile::new("AB", series, boxes.iter().map(make).collect())
    }

    fn measure(truth: &[BoxesFile], predicted: &[BoxesFile]) -> Result<BoxMeasures, BoxMeasuresError> {
        measure_boxes(BoxFiles { truth, predicted }, PercentileChoice::Default, &BTreeMap::new())
    }

    #[test]
    fn overlap_is_measured_disc_by_disc_and_a_missing_prediction_is_zero() {
        let truth = file(
            "1",
            &[
                (DiscLevel::L4L5, 2, [0.0, 0.0, 2.0, 2.0], None),
                (DiscLevel::L4L5, 3, [0.0, 0.0, 2.0, 2.0], None),
                (DiscLevel::L5S1, 3, [9.0, 9.0, 2.0, 2.0], None),
            ],
        );
        // Slice 2: intersection 2, union 6; slice 3: missed, 4; slice 5: 10 for nothing. Of L3-L4 there is no truth.
        let predicted = file(
            "1",
            &[
                (DiscLevel::L4L5, 2, [1.0, 0.0, 2.0, 2.0], Some(95.0)),
                (DiscLevel::L4L5, 5, [0.0, 0.0, 5.0, 2.0], Some(95.0)),
                (DiscLevel::L3L4, 2, [0.0, 0.0, 2.0, 2.0], Some(95.0)),
            ],
        );
        let measures = measure(std::slice::from_ref(&truth), &[predicted]).expect("one box a slice");
        assert_eq!((measures.gradings.len(), measures.findings.len()), (1, 2));
        let overlap = &measures.gradings[0];
        assert_eq!((overlap.discs, overlap.discs_without_prediction, overlap.patients), (2, 1, 1));
        assert_eq!((overlap.percentile, overlap.percentile_from), (Some(95.0), PercentileFrom::Only));
        assert!((overlap.mean_iou - 0.05).abs() < 1e-9);
        assert!((overlap.mean_iou_slices_with_truth - 0.1).abs() < 1e-9);
        assert_eq!((overlap.whole_slice_iou, overlap.pointing_game), (None, None));
        let twice =
            file("1", &[(DiscLevel::L4L5, 2, [0.0, 0.0, 2.0, 2.0], None), (DiscLevel::L4L5, 2, [5.0; 4], None)]);
        assert!(matches!(measure(&[truth], &[twice]), Err(BoxMeasuresError::TwoBoxes { slice: 2, .. })));
    }

    #[test]
    fn the_percentile_is_chosen_on_validation_and_maps_give_baseline_and_pointing_game() {
        let square = [0.0, 0.0, 4.0, 4.0];
        let at = |percentile, side: f64| (DiscLevel::L4L5, 2, [0.0, 0.0, 4.0, side], Some(percentile));
        let truth =
            [file("1", &[(DiscLevel::L4L5, 2, square, None)]), file("2", &[(DiscLevel::L4L5, 2, square, None)])];
        // The test data would choose 97, the validation data 95.
        let predicted = [file("1", &[at(95.0, 2.0), at(97.0, 4.0)]), file("2", &[at(95.0, 4.0), at(97.0, 1.0)])];
        let corners = [[-0.5, -0.5], [9.5, -0.5], [9.5, 7.5], [-0.5, 7.5]];
        let map = MapEntry {
            level: DiscLevel::L4L5,
            grading: GRADING,
            box_rule: BoxRule::All,
            peak: Some(PeakEntry { slice: 2, at: [1.0, 3.0] }),
            slices: vec![SeenSliceEntry { slice: 2, corners }],
        };
        let test = predicted[0].clone().with_maps(vec![map]);
        let files = |index: usize| BoxFiles { truth: &truth[index..=index], predicted: &predicted[index..=index] };
        let choice = PercentileChoice::Validated(files(1));
        let test_files = BoxFiles { truth: &truth[..1], predicted: std::slice::from_ref(&test) };
        let measures = measure_boxes(test_files, choice, &BTreeMap::new()).expect("comparable");
        let overlap = &measures.gradings[0];
        assert_eq!((overlap.percentile, overlap.percentile_from), (Some(95.0), PercentileFrom::Validation));
        assert_eq!((overlap.mean_iou, overlap.curve[1].mean_iou), (0.5, 1.0));
        assert_eq!((overlap.whole_slice_iou, overlap.times_whole_slice), (Some(0.2), Some(2.5)));
        assert_eq!((overlap.pointing_game, measures.findings[0].pointed_at), (Some(1.0), Some(true)));
        // COCO carries the same.
        let size = CocoImage { slices: 3, rows: 8, columns: 10 };
        let through_coco = [parse_boxes(coco_text(&test, size).as_bytes()).expect("valid")];
        let files = BoxFiles { truth: &truth[..1], predicted: &through_coco };
        assert_eq!(measure_boxes(files, choice, &BTreeMap::new()).expect("comparable"), measures);
        let fixed = |percentile| measure_boxes(test_files, PercentileChoice::Fixed(percentile), &BTreeMap::new());
        assert_eq!(fixed(97.0).expect("there").gradings[0].mean_iou, 1.0);
        assert_eq!(fixed(96.0), Err(BoxMeasuresError::NoSuchPercentile(96.0)));
    }

    #[test]
    fn series_of_one_patient_are_drawn_together() {
        let boxes = |series: &str, side: f64| {
            (
                file(series, &[(DiscLevel::L4L5, 2, [0.0, 0.0, 4.0, 4.0], None)]),
                file(series, &[(DiscLevel::L4L5, 2, [0.0, 0.0, 4.0, side], Some(97.0))]),
            )
        };
        let (truth, predicted): (Vec<_>, Vec<_>) = [boxes("1", 1.0), boxes("2", 4.0)].into_iter().unzip();
        let files = BoxFiles { truth: &truth, predicted: &predicted };
        let overlap = |patients: &BTreeMap<String, String>| {
            measure_boxes(files, PercentileChoice::Default, patients).expect("comparable").gradings[0].clone()
        };
        let (apart, same) = (overlap(&BTreeMap::new()), ["1", "2"].map(|s| (s.to_owned(), "P".to_owned())).into());
        let together = overlap(&same);
        assert_eq!((apart.patients, together.patients), (2, 1));
        assert_eq!((apart.mean_iou, together.mean_iou), (0.625, 0.625));
        assert_eq!((apart.mean_iou_interval, together.mean_iou_interval), ([0.25, 1.0], [0.625, 0.625]));
    }
}
