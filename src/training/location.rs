//! Learns where findings lie from boxes (`spinenet train location`), and measures that on patients left out, beside a fixed place.
//!
//! Ridge regression: middle and sides of a box in the frame of its disc against [`location_features`]. How strongly weights are held
//! back is chosen by the overlap that folds within the patients learned from reach.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ScanCase;
use super::located::LeftOut;
use super::manifest::{DataManifest, ManifestError};
use super::split::folds_by_patient;
use crate::evaluation::{
    BoxedFinding, BoxesBySlice, Estimate, PlacedBoxes, fixed_places, overlap_difference, summarize_overlap,
    usual_slices,
};
use crate::model::Cholesky;
use crate::model::location::{
    FEATURE_KINDS, FEATURES, LearnedPlace, Line, LocationModel, location_features, regressed,
};
use crate::records::rounded;
use crate::spine::{Disc, DiscFrame, Grading, PATCH_SLICES, PixelBox};
use crate::task::{CancelToken, Progress};
use crate::volume::Volume;

/// Every patient is left out once.
const FOLDS: usize = 5;
/// Of the folds.
const SEED: u64 = 0;
/// Penalties of the squares of the weights to choose from, for standardized features of which each kind counts as one. Of equally
/// good ones the first counts, which moves least from the usual place.
const RIDGES: [f64; 8] = [1000.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1];

/// A finding with its true boxes, and what its place is told from.
#[derive(Debug, Clone)]
pub(crate) struct LocationExample {
    pub patient: u32,
    /// The frame of its disc.
    pub frame: DiscFrame,
    /// The boxes on slices that the disc volume shows.
    pub truth: BoxesBySlice,
    /// By slice of the disc volume.
    features: BTreeMap<usize, Vec<f64>>,
}

impl LocationExample {
    /// A finding at a disc of `volume` with a reader's boxes.
    pub(crate) fn new(patient: u32, volume: &Volume, disc: &Disc, frame: DiscFrame, mut truth: BoxesBySlice) -> Self {
        let shown: Vec<usize> = (0..PATCH_SLICES).filter_map(|slice| frame.scan_slice(slice)).collect();
        truth.retain(|slice, rect| shown.contains(slice) && rect.area() > 0.0);
        let of_slice = |slice| Some((slice, location_features(volume, disc, &frame, slice)?));
        let features = (0..PATCH_SLICES).filter_map(of_slice).collect();
        Self { patient, frame, truth, features }
    }

    /// The true boxes in the frame, by slice of the disc volume.
    pub(crate) fn placed(&self) -> PlacedBoxes {
        let boxes = self.features.keys().filter_map(|slice| {
            let rect = self.truth.get(&self.frame.scan_slice(*slice)?)?;
            Some((*slice, rect.in_frame(&self.frame)))
        });
        boxes.collect()
    }

    /// Boxes in the frame as they lie on the scan.
    pub(crate) fn on_scan(&self, placed: &PlacedBoxes) -> BoxesBySlice {
        let boxes = placed.iter().filter_map(|(slice, numbers)| {
            Some((self.frame.scan_slice(*slice)?, PixelBox::from_frame(*numbers, &self.frame)))
        });
        boxes.collect()
    }

    fn located(&self, place: &LearnedPlace) -> BoxesBySlice {
        let usual = place.slices.iter().filter_map(|slice| Some((*slice, place.at(self.features.get(slice)?))));
        self.on_scan(&usual.collect())
    }

    fn boxed(&self, predicted: BoxesBySlice) -> BoxedFinding {
        BoxedFinding { patient: self.patient, truth: self.truth.clone(), predicted: vec![predicted], seen: None }
    }
}

/// The findings of scans by grading.
fn examples_of(cases: &[ScanCase]) -> BTreeMap<Grading, Vec<LocationExample>> {
    let mut examples: BTreeMap<Grading, Vec<LocationExample>> = BTreeMap::new();
    for case in cases {
        for disc in case.discs.iter().map(|labelled| &labelled.disc) {
            let mut truth: BTreeMap<Grading, BoxesBySlice> = BTreeMap::new();
            for found in case.boxes.iter().filter(|found| found.level == disc.level) {
                truth.entry(found.grading).or_default().insert(found.slice, found.rect);
            }
            let Some(frame) = DiscFrame::of_disc(&case.volume, disc).ok().filter(|_| !truth.is_empty()) else {
                continue;
            };
            for (grading, truth) in truth {
                let example = LocationExample::new(case.patient, &case.volume, disc, frame.clone(), truth);
                if !example.truth.is_empty() {
                    examples.entry(grading).or_default().push(example);
                }
            }
        }
    }
    examples
}

/// The boxes of each finding as other patients' teach them: every patient is left out once.
#[must_use]
pub(crate) fn locations_held_out(examples: &[&LocationExample]) -> Vec<BoxesBySlice> {
    let mut boxes = vec![BoxesBySlice::new(); examples.len()];
    for fold in folds(examples) {
        let learned: Vec<&LocationExample> =
            examples.iter().copied().filter(|example| !fold.contains(&example.patient)).collect();
        let Some(place) = fit(&learned) else { continue };
        for (example, boxes) in examples.iter().zip(&mut boxes).filter(|(example, _)| fold.contains(&example.patient)) {
            *boxes = example.located(&place);
        }
    }
    boxes
}

fn folds(examples: &[&LocationExample]) -> Vec<Vec<u32>> {
    folds_by_patient(examples.iter().map(|example| (example.patient, 0)), FOLDS, SEED)
}

/// The regression on findings of one grading; `None` without any.
fn fit(examples: &[&LocationExample]) -> Option<LearnedPlace> {
    let mut overlaps = [0.0; RIDGES.len()];
    for fold in folds(examples) {
        let (left_out, learned): (Vec<&LocationExample>, Vec<_>) =
            examples.iter().copied().partition(|example| fold.contains(&example.patient));
        let Some(equations) = Equations::of(&learned) else { continue };
        for (overlap, ridge) in overlaps.iter_mut().zip(RIDGES) {
            let place = equations.solved(ridge);
            let scores = left_out.iter().filter_map(|example| example.boxed(example.located(&place)).scores(0));
            *overlap += scores.map(|scores| scores.volume).sum::<f64>();
        }
    }
    let best = (1..RIDGES.len()).fold(0, |best, next| if overlaps[next] > overlaps[best] { next } else { best });
    Some(Equations::of(examples)?.solved(RIDGES[best]))
}

/// The normal equations of the four regressions, of standardized features and centered targets.
struct Equations {
    slices: Vec<usize>,
    mean: Vec<f64>,
    /// Brings a feature to standard deviation 1 over the square root of how many of its kind there are; 0 of one that never changes.
    scale: Vec<f64>,
    /// Products of features, `[FEATURES, FEATURES]`.
    products: Vec<f64>,
    /// Products of features with each target.
    right: [Vec<f64>; 4],
    targets: [Target; 4],
}

#[derive(Clone, Copy)]
struct Target {
    mean: f64,
    range: [f64; 2],
}

impl Equations {
    fn of(examples: &[&LocationExample]) -> Option<Self> {
        let placed: Vec<PlacedBoxes> = examples.iter().map(|example| example.placed()).collect();
        let boxes = examples.iter().zip(&placed).flat_map(|(example, placed)| {
            placed.iter().map(|(slice, numbers)| (&example.features[slice], regressed(*numbers)))
        });
        let rows: Vec<(&Vec<f64>, [f64; 4])> = boxes.collect();
        if rows.is_empty() {
            return None;
        }
        let count = rows.len() as f64;
        let kinds = FEATURE_KINDS.into_iter().flat_map(|kind| std::iter::repeat_n(kind as f64, kind));
        let mean: Vec<f64> = (0..FEATURES).map(|at| rows.iter().map(|(row, _)| row[at]).sum::<f64>() / count).collect();
        let scale: Vec<f64> = kinds
            .enumerate()
            .map(|(at, of_kind)| {
                let variance = rows.iter().map(|(row, _)| (row[at] - mean[at]).powi(2)).sum::<f64>() / count;
                if variance > 1e-12 { (variance * of_kind).sqrt().recip() } else { 0.0 }
            })
            .collect();
        let targets: [Target; 4] = std::array::from_fn(|at| {
            let values = || rows.iter().map(|(_, numbers)| numbers[at]);
            let range = [values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max)];
            Target { mean: values().sum::<f64>() / count, range }
        });
        let (mut products, mut right) = (vec![0.0; FEATURES * FEATURES], [(); 4].map(|()| vec![0.0; FEATURES]));
        for (row, numbers) in &rows {
            let standard: Vec<f64> = (0..FEATURES).map(|at| (row[at] - mean[at]) * scale[at]).collect();
            for (one, line) in standard.iter().zip(products.chunks_exact_mut(FEATURES)) {
                line.iter_mut().zip(&standard).for_each(|(sum, other)| *sum += one * other);
            }
            for ((sums, target), number) in right.iter_mut().zip(&targets).zip(numbers) {
                sums.iter_mut().zip(&standard).for_each(|(sum, one)| *sum += one * (number - target.mean));
            }
        }
        let slices = usual_slices(&placed.iter().collect::<Vec<_>>());
        Some(Self { slices, mean, scale, products, right, targets })
    }

    fn solved(&self, ridge: f64) -> LearnedPlace {
        let mut matrix: Vec<Vec<f64>> = self.products.chunks_exact(FEATURES).map(<[f64]>::to_vec).collect();
        matrix.iter_mut().enumerate().for_each(|(at, line)| line[at] += ridge);
        let root = Cholesky::of(matrix);
        let line = |at: usize| {
            let solution = root.solve(&self.right[at]);
            let weights: Vec<f64> = solution.iter().zip(&self.scale).map(|(weight, scale)| weight * scale).collect();
            let Target { mean, range } = self.targets[at];
            let constant = mean - weights.iter().zip(&self.mean).map(|(weight, mean)| weight * mean).sum::<f64>();
            Line { weights: weights.into_iter().map(|weight| weight as f32).collect(), constant, range }
        };
        LearnedPlace { slices: self.slices.clone(), lines: std::array::from_fn(line) }
    }
}

/// How well learned locations lie on the boxes of patients left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LocationRow {
    pub grading: Grading,
    /// Findings.
    pub discs: usize,
    pub patients: usize,
    /// Mean overlap over all slices, and its interval by patients.
    pub iou: f64,
    pub iou_interval: [f64; 2],
    /// The same of a box that is always at the usual place of other patients.
    pub fixed_place_iou: f64,
    pub fixed_place_iou_interval: [f64; 2],
    /// Mean difference of both.
    pub above_fixed_place: f64,
    pub above_fixed_place_interval: [f64; 2],
}

impl LocationRow {
    fn measured(grading: Grading, examples: &[LocationExample]) -> Option<Self> {
        let examples: Vec<&LocationExample> = examples.iter().collect();
        let placed: Vec<_> = examples.iter().map(|example| (example.patient, example.placed())).collect();
        let boxed = |boxes: Vec<BoxesBySlice>| -> Vec<BoxedFinding> {
            examples.iter().zip(boxes).map(|(example, boxes)| example.boxed(boxes)).collect()
        };
        let learned = boxed(locations_held_out(&examples));
        let places = fixed_places(&placed);
        let fixed = boxed(examples.iter().zip(&places).map(|(example, place)| example.on_scan(place)).collect());
        let (summary, of_fixed) = (summarize_overlap(&learned, 0)?, summarize_overlap(&fixed, 0)?);
        let value = |estimate: Estimate| rounded(estimate.mean, 5);
        let interval = |estimate: Estimate| [estimate.interval.low, estimate.interval.high].map(|end| rounded(end, 5));
        let above = overlap_difference(&learned, &fixed)?;
        Some(Self {
            grading,
            discs: summary.findings,
            patients: summary.patients,
            iou: value(summary.volume),
            iou_interval: interval(summary.volume),
            fixed_place_iou: value(of_fixed.volume),
            fixed_place_iou_interval: interval(of_fixed.volume),
            above_fixed_place: value(above),
            above_fixed_place_interval: interval(above),
        })
    }

    /// Whether it tells more than a fixed place: the whole interval of the difference is above 0.
    pub(crate) fn beats_fixed_place(&self) -> bool {
        self.above_fixed_place_interval[0] > 0.0
    }
}

/// What is written: the model of all patients, of the gradings whose location beats a fixed place, and what was measured of all.
#[derive(Debug, Serialize)]
pub(crate) struct LearnedLocations {
    /// How the scans that were learned from must be cited.
    pub attribution: Vec<String>,
    /// On patients left out.
    pub measured: Vec<LocationRow>,
    /// For the program.
    pub model: LocationModel,
    /// Scans that could not be used.
    #[serde(skip)]
    pub left_out: Vec<LeftOut>,
    /// Scans that could.
    #[serde(skip)]
    pub scans: usize,
}

/// Learns from the boxes of all scans of a manifest.
///
/// # Errors
/// If a set cannot be read, the detector is missing, or `cancel` was asked.
pub(crate) fn learn(
    manifest: &DataManifest,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<LearnedLocations, ManifestError> {
    let data = manifest.load(cancel, on_progress)?;
    let cases: Vec<ScanCase> = data.cohorts.into_iter().flat_map(|cohort| cohort.cases).collect();
    let examples = examples_of(&cases);
    let measured: Vec<LocationRow> =
        examples.iter().filter_map(|(grading, examples)| LocationRow::measured(*grading, examples)).collect();
    let beating = measured.iter().filter(|row| row.beats_fixed_place());
    let places =
        beating.filter_map(|row| Some((row.grading, fit(&examples[&row.grading].iter().collect::<Vec<_>>())?)));
    let model = LocationModel(places.collect());
    let attribution = manifest.data.iter().filter_map(|set| set.source().attribution).collect();
    Ok(LearnedLocations { attribution, measured, model, left_out: data.left_out, scans: cases.len() })
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::phantom::Phantom;
    use crate::spine::discs_between;

    /// Findings of 200 patients on one slice. The box is as wide and high always; `column` says where it lies, by two features.
    fn made(column: impl Fn(f64, f64) -> f64) -> Vec<LocationExample> {
        let study = Phantom::generate(910_000);
        let disc = discs_between(&study.vertebrae).remove(3);
        let frame = DiscFrame::of_disc(&study.volume, &disc).expect("exact outlines");
        let slice = frame.scan_slice(4).expect("the middle");
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        (0..200)
            .map(|patient| {
                let features: Vec<f64> = (0..FEATURES).map(|_| rng.random_range(-1.0..1.0)).collect();
                let numbers = [55.0, column(features[5], features[FEATURES - 1]), 40.0, 50.0];
                let truth = BoxesBySlice::from([(slice, PixelBox::from_frame(numbers, &frame))]);
                LocationExample { patient, frame: frame.clone(), truth, features: [(4, features)].into() }
            })
            .collect()
    }

    #[test]
    fn a_place_that_follows_the_image_is_found_on_patients_left_out() {
        let follows = made(|one, other| 140.0 + 12.0 * one - 15.0 * other);
        let row = LocationRow::measured(Grading::CentralCanalStenosis, &follows).expect("boxed");
        assert_eq!((row.discs, row.patients), (200, 200));
        assert!(row.iou > 0.8 && row.above_fixed_place > 0.1 && row.beats_fixed_place(), "{row:?}");
        let place = fit(&follows.iter().collect::<Vec<_>>()).expect("boxed");
        assert_eq!(place.slices, [4]);
        let [constant, column, ..] = &place.lines;
        // What decides has the greatest weights, of the right sign, and of the rest nothing follows.
        assert!(column.weights[5] > 6.0 && column.weights[FEATURES - 1] < -10.0, "{:?}", column.weights);
        let others = column.weights.iter().enumerate().filter(|(at, _)| ![5, FEATURES - 1].contains(at));
        assert!(others.map(|(_, weight)| weight.abs()).fold(0.0, f32::max) < 4.0, "{:?}", column.weights);
        assert!(constant.weights.iter().all(|weight| weight.abs() < 1e-6));
    }

    #[test]
    fn a_place_that_does_not_follow_the_image_stays_the_usual_one() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let shifts: Vec<f64> = (0..200).map(|_| rng.random_range(-15.0..15.0)).collect();
        let next = std::cell::Cell::new(0);
        let scattered = made(|_, _| 140.0 + shifts[next.replace(next.get() + 1)]);
        let row = LocationRow::measured(Grading::CentralCanalStenosis, &scattered).expect("boxed");
        assert!(!row.beats_fixed_place() && row.above_fixed_place.abs() < 0.05, "{row:?}");
    }
}
