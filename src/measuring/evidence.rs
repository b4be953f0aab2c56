//! How well evidence lies on what it should: measured where boxes are known, on synthetic studies and on patients.
//!
//! The counterpart of the paper's Table 3: every method, layer, smoothing and rule of boxes side by side, in two and three
//! dimensions. The true class is explained. What is chosen (a percentile, and the best way of all for each grading) is chosen
//! on other patients than those measured on, and beside it stands what a box reaches that never looks at the image.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::boxes::{GradingOverlap, PercentileFrom, grading_overlap, seen_slices};
use super::{BoxedScans, EvidenceCase, MEASURES_SCHEMA};
use crate::evaluation::{BoxedFinding, BoxesBySlice, SeenSlices, best_percentile, fixed_places, overlap_difference};
use crate::model::{Grader, Views};
use crate::pipeline::{CURVE_PERCENTILES, PipelineError, map_entry};
use crate::records::{Software, WeightsUsed, rounded};
use crate::saliency::{SaliencyLayer, SaliencyMap, SaliencyMethod, SaliencyPlan, SaliencyTarget, explain_each};
use crate::spine::{BoxRule, ClassIndex, Disc, DiscFrame, DiscLevel, Grading, SliceBox};
use crate::task::{CancelToken, Progress};
use crate::training::location::{LocationExample, locations_held_out};
use crate::volume::Volume;

/// The class of a finding that is there.
pub(super) const PRESENT: ClassIndex = 1;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EvidenceStudy {
    pub gradings: Vec<Grading>,
    /// Methods, and layers to read evidence off at; a method's usual one if `None`.
    pub maps: Vec<(SaliencyMethod, Option<SaliencyLayer>)>,
    /// Standard deviations of the smoothing, mm.
    pub smoothings_mm: Vec<f64>,
    /// Numbers of views that maps are averaged over, ascending.
    pub augmentations: Vec<usize>,
    /// Seed of the augmentations.
    pub seed: u64,
}

/// What was measured, schema `spinenet-measures/1`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EvidenceMeasures {
    pub schema: String,
    /// The program.
    pub software: Software,
    /// What was asked for.
    pub study: EvidenceStudy,
    /// What percentiles and ways were chosen on.
    pub validation: String,
    /// What was measured on.
    pub test: String,
    /// The networks.
    pub weights: Vec<WeightsUsed>,
    /// Every network and way to make boxes.
    pub rows: Vec<EvidenceRow>,
    /// Boxes that are always where other patients of the test have theirs: the baseline that no map needs a network for.
    pub fixed_places: Vec<GradingOverlap>,
    /// Boxes where those of other patients, of validation and test, teach to look for them: no network's, and no evidence.
    #[serde(default)]
    pub learned_locations: Vec<LearnedLocationOverlap>,
}

/// Overlap of learned locations, each learned without the patient that it is measured on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LearnedLocationOverlap {
    #[serde(flatten)]
    pub overlap: GradingOverlap,
    /// Mean difference of the overlap to that of a fixed place, with its interval by patients.
    pub above_fixed_place: f64,
    pub above_fixed_place_interval: [f64; 2],
}

/// A way to make boxes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeasuredWay {
    pub method: SaliencyMethod,
    /// Where it was read off.
    pub layer: SaliencyLayer,
    /// Views averaged.
    pub augmentations: usize,
    /// Standard deviation of the smoothing, mm.
    pub smoothing_mm: f64,
    /// Which hotspots a box encloses.
    pub box_rule: BoxRule,
}

/// Measures of one way to make boxes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EvidenceRow {
    /// Name of the weights.
    pub network: String,
    /// `2-D` or `3-D`.
    pub dimensions: String,
    #[serde(flatten)]
    pub way: MeasuredWay,
    /// Whether it is the best of this network and grading on the validation scans.
    pub is_chosen: bool,
    /// Overlap on the validation scans at the percentile that is best there.
    pub validation: GradingOverlap,
    /// Overlap on the test scans at that percentile; none if they show no such finding.
    pub test: Option<GradingOverlap>,
    /// The same on the findings that the network itself calls present.
    pub test_found: Option<GradingOverlap>,
    /// Overlap on each of the test discs, from the best; of the chosen way only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<EvidenceCase>,
}

/// Boxes of one finding by every way to make them.
struct Measured {
    /// Which of the scans.
    scan: usize,
    level: DiscLevel,
    grading: Grading,
    is_found: bool,
    example: LocationExample,
    by_way: Vec<(MeasuredWay, BoxedFinding)>,
}

impl EvidenceStudy {
    /// Measures the networks, which are told apart by the names of their weights.
    ///
    /// # Errors
    /// If a disc cannot be framed, the device fails, or the work is cancelled.
    pub(crate) fn measure(
        &self,
        graders: &[Grader],
        validation: BoxedScans,
        test: BoxedScans,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<EvidenceMeasures, PipelineError> {
        let total = graders.len() * (validation.len() + test.len());
        let mut done = 0;
        let mut step = || {
            on_progress(Progress { step: "Measuring evidence", done, total });
            done += 1;
        };
        let (mut rows, mut fixed_places, mut learned_locations) = (Vec::new(), Vec::new(), Vec::new());
        for grader in graders {
            let chosen_on = self.findings(grader, validation, cancel, &mut step)?;
            let measured_on = self.findings(grader, test, cancel, &mut step)?;
            for grading in Grading::ALL {
                rows.extend(rows_of(grading, grader, &chosen_on, &measured_on));
            }
            // The same for every network.
            let of_each = Grading::ALL.into_iter();
            let without_maps = of_each.filter_map(|grading| without_map(grading, &chosen_on, &measured_on));
            (fixed_places, learned_locations) = without_maps.unzip();
        }
        Ok(EvidenceMeasures {
            schema: MEASURES_SCHEMA.to_owned(),
            software: Software::this(),
            study: self.clone(),
            validation: validation.in_words(),
            test: test.in_words(),
            weights: graders.iter().map(|grader| WeightsUsed::from(grader.info().clone())).collect(),
            rows,
            fixed_places,
            learned_locations,
        })
    }

    /// The findings of scans, boxed in every way.
    fn findings(
        &self,
        grader: &Grader,
        scans: BoxedScans,
        cancel: &CancelToken,
        step: &mut dyn FnMut(),
    ) -> Result<Vec<Measured>, PipelineError> {
        let mut measured = Vec::new();
        for index in 0..scans.len() {
            step();
            let scan = scans.get(index);
            for disc in &scan.discs {
                let mut truth = boxes_by_grading(scan.boxes.iter().filter(|found| found.level == disc.level));
                truth.retain(|grading, _| self.gradings.contains(grading));
                if truth.is_empty() {
                    continue;
                }
                let prediction = grader.grade(&scan.volume, disc, Views::One, cancel)?;
                truth.retain(|grading, _| prediction.probabilities.contains(*grading));
                let frame = DiscFrame::of_disc(&scan.volume, disc).map_err(crate::saliency::SaliencyError::Frame)?;
                let first = measured.len();
                measured.extend(truth.into_iter().map(|(grading, truth)| Measured {
                    scan: index,
                    level: disc.level,
                    grading,
                    is_found: prediction.class(grading) == Some(PRESENT),
                    example: LocationExample::new(scan.patient, &scan.volume, disc, frame.clone(), truth),
                    by_way: Vec::new(),
                }));
                self.explain(grader, &scan.volume, disc, &mut measured[first..], cancel)?;
            }
        }
        Ok(measured)
    }

    /// Boxes the findings of one disc in every way.
    fn explain(
        &self,
        grader: &Grader,
        volume: &Volume,
        disc: &Disc,
        findings: &mut [Measured],
        cancel: &CancelToken,
    ) -> Result<(), PipelineError> {
        let augmentations = self.augmentations.iter().copied().max().unwrap_or(1);
        let plan = |(method, layer): &(SaliencyMethod, Option<SaliencyLayer>)| {
            let (method, layer, seed) = (*method, *layer, self.seed);
            SaliencyPlan { method, layer, smoothing_mm: 0.0, augmentations, precision: None, seed }
        };
        let target = |found: &Measured| SaliencyTarget { grading: found.grading, class: PRESENT };
        let of_map = |map| findings.iter().map(move |found| (target(found), plan(map)));
        let wanted: Vec<(SaliencyTarget, SaliencyPlan)> = self.maps.iter().flat_map(of_map).collect();
        let mut maps: Vec<SaliencyMap> = Vec::new();
        explain_each(grader.network(), volume, disc, &wanted, cancel, &mut |_, map| {
            if self.augmentations.contains(&map.augmentations) {
                maps.push(map);
            }
        })?;
        for found in findings.iter_mut() {
            let of_finding = maps.iter().filter(|map| map.grading == found.grading);
            let smoothed: Vec<(&SaliencyMap, f64)> =
                of_finding.flat_map(|map| self.smoothings_mm.iter().map(move |smoothing| (map, *smoothing))).collect();
            let LocationExample { patient, truth, .. } = &found.example;
            let boxed = smoothed.into_par_iter().flat_map_iter(|(map, smoothing_mm)| {
                let map = map.smoothed(smoothing_mm);
                let ways = BoxRule::ALL.map(|box_rule| {
                    let SaliencyMap { method, layer, augmentations, .. } = map;
                    let way = MeasuredWay { method, layer, augmentations, smoothing_mm, box_rule };
                    (way, boxed_finding(*patient, truth, &map, volume, box_rule))
                });
                ways.into_iter()
            });
            found.by_way = boxed.collect();
        }
        Ok(())
    }
}

/// Every way to box the findings of one grading, the best on the validation scans marked.
fn rows_of(grading: Grading, grader: &Grader, validation: &[Measured], test: &[Measured]) -> Vec<EvidenceRow> {
    let percentiles = CURVE_PERCENTILES.map(Some);
    let of_grading = |all: &'_ [Measured], way: usize, only_found: bool| -> Vec<BoxedFinding> {
        let chosen = all.iter().filter(|found| found.grading == grading && (found.is_found || !only_found));
        chosen.map(|found| found.by_way[way].1.clone()).collect()
    };
    let ways = validation.iter().find(|found| found.grading == grading).map_or(&[][..], |found| &found.by_way);
    let row = |(index, (way, _)): (usize, &(MeasuredWay, BoxedFinding))| {
        let chosen_on = of_grading(validation, index, false);
        let chosen = best_percentile(&chosen_on, percentiles.len())?;
        let overlap = |findings: &[BoxedFinding]| {
            grading_overlap(grading, findings, &percentiles, chosen, PercentileFrom::Validation)
        };
        Some(EvidenceRow {
            network: grader.info().name.clone(),
            dimensions: grader.network().config().dimensions.name().to_owned(),
            way: *way,
            is_chosen: false,
            validation: overlap(&chosen_on)?,
            test: overlap(&of_grading(test, index, false)),
            test_found: overlap(&of_grading(test, index, true)),
            cases: Vec::new(),
        })
    };
    let mut rows: Vec<EvidenceRow> = ways.par_iter().enumerate().filter_map(row).collect();
    let iou = |row: &EvidenceRow| row.validation.mean_iou;
    if let Some(best) =
        (0..rows.len()).reduce(|best, next| if iou(&rows[next]) > iou(&rows[best]) { next } else { best })
    {
        rows[best].is_chosen = true;
        rows[best].cases = cases(grading, test, best, rows[best].validation.percentile);
    }
    rows
}

/// The overlap on each finding of a grading, boxed in one way, from the best.
fn cases(grading: Grading, test: &[Measured], way: usize, percentile: Option<f64>) -> Vec<EvidenceCase> {
    let Some(index) = CURVE_PERCENTILES.iter().position(|offered| Some(*offered) == percentile) else {
        return Vec::new();
    };
    let case = |found: &Measured| {
        let scores = found.by_way[way].1.scores(index)?;
        Some(EvidenceCase { scan: found.scan, level: found.level, iou: rounded(scores.volume, 5) })
    };
    let mut cases: Vec<EvidenceCase> = test.iter().filter(|found| found.grading == grading).filter_map(case).collect();
    cases.sort_by(|a, b| b.iou.total_cmp(&a.iou));
    cases
}

/// The overlap on the test scans of boxes that no map made: those that are always where other patients of the test have theirs, and
/// those that boxes of other patients teach to look for.
fn without_map(
    grading: Grading,
    validation: &[Measured],
    test: &[Measured],
) -> Option<(GradingOverlap, LearnedLocationOverlap)> {
    let is_of_grading = |found: &&Measured| found.grading == grading;
    let findings: Vec<&Measured> = test.iter().filter(is_of_grading).collect();
    let others = validation.iter().filter(is_of_grading);
    let boxed = |boxes: Vec<BoxesBySlice>| -> Option<Vec<BoxedFinding>> {
        let one = |(found, boxes): (&&Measured, BoxesBySlice)| {
            let (_, of_map) = found.by_way.first()?;
            let seen = of_map.seen.clone().map(|seen| SeenSlices { peak: None, ..seen });
            let LocationExample { patient, truth, .. } = &found.example;
            Some(BoxedFinding { patient: *patient, truth: truth.clone(), predicted: vec![boxes], seen })
        };
        findings.iter().zip(boxes).map(one).collect()
    };
    let placed: Vec<_> = findings.iter().map(|found| (found.example.patient, found.example.placed())).collect();
    let places = fixed_places(&placed);
    let fixed = boxed(findings.iter().zip(&places).map(|(found, place)| found.example.on_scan(place)).collect())?;
    let examples: Vec<&LocationExample> = findings.iter().copied().chain(others).map(|found| &found.example).collect();
    let learned = boxed(locations_held_out(&examples))?;
    let overlap = |findings: &[BoxedFinding]| grading_overlap(grading, findings, &[None], 0, PercentileFrom::Only);
    let above = overlap_difference(&learned, &fixed)?;
    let learned = LearnedLocationOverlap {
        overlap: overlap(&learned)?,
        above_fixed_place: rounded(above.mean, 5),
        above_fixed_place_interval: [above.interval.low, above.interval.high].map(|end| rounded(end, 5)),
    };
    Some((overlap(&fixed)?, learned))
}

fn boxes_by_grading<'a>(boxes: impl Iterator<Item = &'a SliceBox>) -> BTreeMap<Grading, BoxesBySlice> {
    let mut by_grading: BTreeMap<Grading, BoxesBySlice> = BTreeMap::new();
    for found in boxes {
        by_grading.entry(found.grading).or_default().insert(found.slice, found.rect);
    }
    by_grading
}

/// A finding with the boxes of a map at every percentile.
fn boxed_finding(
    patient: u32,
    truth: &BoxesBySlice,
    map: &SaliencyMap,
    volume: &Volume,
    rule: BoxRule,
) -> BoxedFinding {
    let boxes =
        |percentile| map.image_boxes(volume, percentile, rule).into_iter().map(|found| (found.slice, found.rect));
    let predicted = CURVE_PERCENTILES.map(|percentile| boxes(percentile).collect()).into();
    let seen = seen_slices(&map_entry(map, rule));
    BoxedFinding { patient, truth: truth.clone(), predicted, seen: Some(seen) }
}

#[cfg(test)]
mod tests {
    use super::super::{SeedRange, evidence_measures_csv};
    use super::*;
    use crate::model::find_weights;
    use crate::model::grader::GRADING_WEIGHTS;
    use crate::phantom::Phantom;
    use crate::spine::{PixelBox, discs_between};
    use candle_core::Device;

    #[test]
    fn shipped_weights_are_measured_on_studies_they_have_not_seen() {
        let weights = find_weights(GRADING_WEIGHTS, None).expect("shipped");
        let grader = Grader::from_folder(&weights, &Device::Cpu).expect("whole");
        let study = EvidenceStudy {
            gradings: Grading::ALL.to_vec(),
            maps: vec![(SaliencyMethod::ContrastiveExcitation, None)],
            smoothings_mm: vec![0.0, 2.0],
            augmentations: vec![1, 2],
            seed: 0,
        };
        let [validation, test] = [910_000, 920_000].map(|first| BoxedScans::Phantoms(SeedRange { first, count: 1 }));
        let measures =
            study.measure(&[grader], validation, test, &CancelToken::default(), &mut |_| ()).expect("measured");
        assert_eq!(measures.weights.len(), 1);
        let gradings = |overlap: &GradingOverlap| (overlap.grading, overlap.discs);
        let learned = measures.learned_locations.iter().map(|learned| gradings(&learned.overlap));
        assert_eq!(learned.collect::<Vec<_>>(), measures.fixed_places.iter().map(gradings).collect::<Vec<_>>());
        assert!(!measures.rows.is_empty() && measures.rows.len().is_multiple_of(12), "views, smoothings, rules");
        let place = measures.fixed_places.first().expect("a finding");
        let csv = evidence_measures_csv(&measures);
        let cells: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        assert!(cells.iter().all(|row| row.len() == cells[0].len()), "{csv}");
        let column = |name: &str| cells[0].iter().position(|head| *head == name).expect("a column");
        for (method, overlap) in [("fixed-place", Some(place.mean_iou)), ("whole-slice", place.whole_slice_iou)] {
            let is_it =
                |row: &&Vec<&str>| row[column("method")] == method && row[column("grading")] == place.grading.key();
            let row = cells.iter().find(is_it).expect("a row");
            assert_eq!(row[column("mean_iou")].parse::<f64>().ok(), overlap);
        }
        let learned_rows = cells.iter().filter(|row| row[column("method")] == "learned-location");
        assert_eq!(learned_rows.count(), measures.learned_locations.len());
        for row in measures.rows.iter().filter(|row| row.is_chosen) {
            let ious: Vec<f64> = row.cases.iter().map(|case| case.iou).collect();
            assert!(ious.is_sorted_by(|a, b| a >= b));
            let Some(test) = &row.test else { continue };
            assert_eq!(ious.len(), test.discs);
            assert!((ious.iter().sum::<f64>() / ious.len() as f64 - test.mean_iou).abs() < 1e-4, "{ious:?}");
        }
        for row in &measures.rows {
            assert_eq!((row.dimensions.as_str(), row.way.layer), ("3-D", SaliencyLayer::Conv1));
            let chosen = row.validation.percentile.expect("chosen");
            assert!(row.test.as_ref().is_none_or(|test| test.percentile == Some(chosen)));
            let best = row.validation.curve.iter().map(|point| point.mean_iou).fold(0.0, f64::max);
            assert_eq!(row.validation.mean_iou, best);
            assert!(row.validation.whole_slice_iou.is_some_and(|baseline| baseline > 0.0 && baseline < 0.3));
        }
    }

    #[test]
    fn a_box_keeps_its_place_through_the_frame_of_its_disc() {
        let study = Phantom::generate(910_000);
        let disc = discs_between(&study.vertebrae).remove(2);
        let frame = DiscFrame::of_disc(&study.volume, &disc).expect("exact outlines");
        let slice = frame.scan_slice(4).expect("the middle");
        let boxes = BoxesBySlice::from([(slice, PixelBox { x: 60.0, y: 80.0, width: 21.0, height: 9.0 })]);
        let example = LocationExample::new(1, &study.volume, &disc, frame, boxes);
        let placed = example.placed();
        assert_eq!(placed.keys().collect::<Vec<_>>(), [&4]);
        let back = example.on_scan(&placed)[&slice];
        let sides: [f64; 4] = back.into();
        for (got, expected) in sides.into_iter().zip([60.0, 80.0, 21.0, 9.0]) {
            assert!((got - expected).abs() < 1e-6, "{sides:?}");
        }
    }
}
