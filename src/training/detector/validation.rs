//! How well a detector finds the labelled discs of scans it did not learn from.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use glam::DVec2;
use serde::{Deserialize, Serialize};

use super::DetectorTrainingError;
use super::lessons::BoxedScan;
use crate::detection::Detection;
use crate::evaluation::{CONFIDENCE, bootstrap_by_patient};
use crate::spine::{Disc, DiscLevel, Vertebra, VertebraLabel, discs_between};
use crate::volume::{Volume, VolumeGeometry};

/// A disc counts as found when a disc of its level lies this near, mm.
const FOUND_WITHIN_MM: f64 = 5.0;
/// The same where the truth is the middle of a box.
const FOUND_WITHIN_MM_OF_BOX: f64 = 8.0;
/// Resamples of an interval.
const RESAMPLES: usize = 2000;

/// What became of a labelled disc.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DiscOutcome {
    /// True level.
    pub level: DiscLevel,
    /// Distance to the detected disc of the same level, mm; `None` if there is none.
    pub distance_mm: Option<f64>,
    /// Whether that is near enough.
    pub is_found: bool,
    /// Level of the nearest detected disc that is near enough, whichever it is.
    pub nearest: Option<DiscLevel>,
}

/// What became of a scan.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ScanOutcome {
    /// One per labelled disc.
    pub discs: Vec<DiscOutcome>,
    /// Distance of each labelled corner to the detected one of the same level, mm; S1 with its upper corners only.
    pub corner_errors_mm: Vec<f64>,
    /// Detected bodies whose center lies in no labelled body.
    pub false_vertebrae: usize,
    /// Confidence of each detected body that is a labelled one, and whether its name is right.
    pub names: Vec<(f32, bool)>,
    /// Whether any body has a wrong name; of boxed scans, whether most discs are called otherwise than their boxes.
    pub is_misnamed: bool,
    /// Whether the reader is asked to check the levels.
    pub is_doubted: bool,
}

/// Compares a detection (`None` where it failed) with the labelled bodies and disc centers of a scan.
///
/// Corners are compared on the slices with labelled outlines. A body above the topmost labelled one is not false.
#[must_use]
pub(crate) fn evaluate_scan(
    volume: &Volume,
    truth: &[Vertebra],
    discs: &[(DiscLevel, [f64; 3])],
    detection: Option<&Detection>,
) -> ScanOutcome {
    let geometry = volume.geometry();
    let found = detection.map(|detection| detection.vertebrae.as_slice()).unwrap_or_default();
    let found_discs = discs_between(found);
    let discs = discs
        .iter()
        .map(|(level, center)| disc_outcome(geometry, *level, *center, &found_discs, FOUND_WITHIN_MM))
        .collect();
    let mut corner_errors_mm = Vec::new();
    for body in truth {
        if let Some(twin) = found.iter().find(|other| other.label == body.label) {
            corner_errors_mm.extend(corner_errors(geometry, body, twin));
        }
    }
    let false_vertebrae = found.iter().filter(|body| is_false(body, truth)).count();
    let name = |body: &Vertebra| Some((body.confidence, labelled_at(body, truth)? == body.label));
    let names: Vec<(f32, bool)> = found.iter().filter_map(name).collect();
    ScanOutcome {
        discs,
        corner_errors_mm,
        false_vertebrae,
        is_misnamed: names.iter().any(|(_, right)| !right),
        names,
        is_doubted: detection.is_some_and(|detection| !detection.doubts().is_empty()),
    }
}

/// Compares a detection with the boxes around discs, and its corners with those that the slice teaches if it teaches one reading:
/// the teacher's, which are no independent truth. What lies outside the boxes is not judged.
#[must_use]
pub(crate) fn evaluate_boxed(scan: &BoxedScan, detection: Option<&Detection>) -> ScanOutcome {
    let geometry = scan.volume.geometry();
    let found = detection.map(|detection| detection.vertebrae.as_slice()).unwrap_or_default();
    let found_discs = discs_between(found);
    let outcome = |(level, at): &(DiscLevel, DVec2)| {
        disc_outcome(geometry, *level, [0.0, at.y, at.x], &found_discs, FOUND_WITHIN_MM_OF_BOX)
    };
    let discs: Vec<DiscOutcome> = scan.discs.iter().map(outcome).collect();
    let name = |disc: &DiscOutcome| {
        let upper = found.iter().find(|body| disc.nearest.is_some_and(|level| body.label == level.upper()))?;
        Some((upper.confidence, disc.nearest == Some(disc.level)))
    };
    let names: Vec<(f32, bool)> = discs.iter().filter_map(name).collect();
    let taught = if let [reading] = scan.readings.as_slice() { reading.as_slice() } else { &[] };
    let pairs = taught.iter().filter_map(|body| Some((body, found.iter().find(|other| other.label == body.label)?)));
    ScanOutcome {
        corner_errors_mm: pairs.flat_map(|(body, twin)| corner_errors(geometry, body, twin)).collect(),
        false_vertebrae: 0,
        is_misnamed: 2 * names.iter().filter(|(_, right)| !right).count() > names.len(),
        is_doubted: detection.is_some_and(|detection| !detection.doubts().is_empty()),
        discs,
        names,
    }
}

fn disc_outcome(
    geometry: &VolumeGeometry,
    level: DiscLevel,
    center: [f64; 3],
    found: &[Disc],
    reach_mm: f64,
) -> DiscOutcome {
    let at = geometry.lps_from_voxel(center);
    let distance = |disc: &Disc| disc.center_lps(geometry).distance(at);
    let nearest = found.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let distance_mm = found.iter().find(|disc| disc.level == level).map(distance);
    DiscOutcome {
        level,
        distance_mm,
        is_found: distance_mm.is_some_and(|distance| distance <= reach_mm),
        nearest: nearest.filter(|disc| distance(disc) <= reach_mm).map(|disc| disc.level),
    }
}

fn corner_errors(geometry: &VolumeGeometry, truth: &Vertebra, found: &Vertebra) -> Vec<f64> {
    let seen = if truth.label == VertebraLabel::S1 { 2 } else { 4 };
    let mut errors = Vec::new();
    for outline in &truth.outlines {
        let Some(corners) = found.corners_at(outline.slice as f64) else { continue };
        let pairs = outline.corners.as_array().into_iter().zip(corners.as_array()).take(seen);
        errors.extend(pairs.map(|(a, b)| ((a - b) * geometry.pixel_size_mm()).length()));
    }
    errors
}

fn is_false(body: &Vertebra, truth: &[Vertebra]) -> bool {
    let slice = body.center_slice();
    let Some(center) = body.corners_at(slice).map(|corners| corners.center()) else { return true };
    let outlines: Vec<_> = truth.iter().filter_map(|other| other.corners_at(slice)).collect();
    let above_all = outlines.first().is_none_or(|top| center.y < top.sa.y.max(top.sp.y));
    !above_all && !outlines.iter().any(|corners| corners.contains(center))
}

/// True name of the body in which the center of `body` lies, of S1 that of the nearest upper endplate.
fn labelled_at(body: &Vertebra, truth: &[Vertebra]) -> Option<VertebraLabel> {
    let slice = body.center_slice();
    let center = body.corners_at(slice)?.center();
    let holds = |other: &&Vertebra| other.corners_at(slice).is_some_and(|corners| corners.contains(center));
    truth.iter().find(holds).map(|other| other.label)
}

/// Disc centers `[slice, row, column]` by patient.
pub(crate) type DiscCenters = HashMap<u32, Vec<(DiscLevel, [f64; 3])>>;

/// Disc centers of the T2 SPACE stacks by patient, from the centroids of the data set's disc masks
/// (`gt_discs.csv` in `folder`). Slices are counted from the first one that is there.
///
/// # Errors
/// If the table or the folder of images cannot be read.
pub(crate) fn stack_disc_centers(folder: &Path) -> Result<DiscCenters, DetectorTrainingError> {
    let (images, table) = (folder.join("t2_SPACE/images"), folder.join("gt_discs.csv"));
    let unreadable = |path: &Path, reason: String| DetectorTrainingError::Table { reason, path: path.to_owned() };
    let mut first_slices: HashMap<u32, f64> = HashMap::new();
    for entry in fs::read_dir(&images).map_err(|error| unreadable(&images, error.to_string()))? {
        let name = entry.map_err(|error| unreadable(&images, error.to_string()))?.file_name();
        let parts = name.to_str().and_then(|name| name.strip_suffix(".png")?.split_once("_t2_SPACE_slice"));
        if let Some((Ok(patient), Ok(slice))) = parts.map(|(patient, slice)| (patient.parse(), slice.parse::<f64>())) {
            let first = first_slices.entry(patient).or_insert(slice);
            *first = first.min(slice);
        }
    }
    let mut reader = csv::Reader::from_path(&table).map_err(|error| unreadable(&table, error.to_string()))?;
    let mut centers = DiscCenters::new();
    for row in reader.deserialize::<DiscRow>() {
        let row = row.map_err(|error| unreadable(&table, error.to_string()))?;
        if let (Ok(level), Some(first)) = (row.level.parse(), first_slices.get(&row.patient)) {
            centers.entry(row.patient).or_default().push((level, [row.slice_c - first, row.cy_px, row.cx_px]));
        }
    }
    Ok(centers)
}

#[derive(Deserialize)]
struct DiscRow {
    patient: u32,
    level: String,
    cx_px: f64,
    cy_px: f64,
    slice_c: f64,
}

/// Figures over many scans.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub scans: usize,
    /// Labelled discs.
    pub discs: usize,
    /// Share of them found within 5 mm, of boxed ones 8 mm, with the right level.
    pub found: f64,
    /// Its 95 % interval by bootstrap over patients.
    pub found_interval: [f64; 2],
    /// Share of them with a detected disc of another level as near.
    pub wrong_level: f64,
    /// Median distance of the discs of the right level, mm.
    pub median_distance_mm: f64,
    /// 95th percentile of the same.
    pub distance_95_mm: f64,
    /// Median corner error, mm.
    pub median_corner_mm: f64,
    /// 95th percentile of the same.
    pub corner_95_mm: f64,
    /// Detected bodies that are none, per scan.
    pub false_vertebrae_per_scan: f64,
    /// Share of the labelled bodies that were found and have the right name.
    pub names_right: f64,
    /// Mean confidence of the same bodies: equal to the share where confidence is honest.
    pub mean_confidence: f64,
    /// Scans with a wrong name, and how many of them ask the reader to check the levels.
    pub misnamed_scans: [usize; 2],
    /// Scans without a wrong name that ask nevertheless.
    pub doubted_without_reason: usize,
}

/// Figures over the outcomes of many scans, each with the patient's number.
#[must_use]
pub(crate) fn summarize(scans: &[(u32, ScanOutcome)]) -> Summary {
    let by_patient: Vec<(u32, bool)> = scans
        .iter()
        .flat_map(|(patient, outcome)| outcome.discs.iter().map(|disc| (*patient, disc.is_found)))
        .collect();
    let share_of = |found: &[bool]| {
        Some(found.iter().filter(|found| **found).count() as f64 / found.len() as f64).filter(|_| !found.is_empty())
    };
    let interval = bootstrap_by_patient(&by_patient, CONFIDENCE, RESAMPLES, 0, share_of);
    let outcomes: Vec<&ScanOutcome> = scans.iter().map(|(_, outcome)| outcome).collect();
    let discs: Vec<&DiscOutcome> = outcomes.iter().flat_map(|outcome| &outcome.discs).collect();
    let share = |count: usize| count as f64 / discs.len().max(1) as f64;
    let mut distances: Vec<f64> = discs.iter().filter_map(|disc| disc.distance_mm).collect();
    let mut corners: Vec<f64> = outcomes.iter().flat_map(|outcome| outcome.corner_errors_mm.iter().copied()).collect();
    distances.sort_by(f64::total_cmp);
    corners.sort_by(f64::total_cmp);
    let percentile = |sorted: &[f64], share: f64| {
        sorted.get(((sorted.len() as f64 - 1.0).max(0.0) * share).round() as usize).copied().unwrap_or(f64::NAN)
    };
    let names: Vec<(f32, bool)> = outcomes.iter().flat_map(|outcome| outcome.names.iter().copied()).collect();
    let per_name = |sum: f64| sum / names.len().max(1) as f64;
    let misnamed = || outcomes.iter().filter(|outcome| outcome.is_misnamed);
    let wrong = |disc: &&&DiscOutcome| disc.nearest.is_some_and(|level| level != disc.level);
    Summary {
        scans: outcomes.len(),
        discs: discs.len(),
        found: share(discs.iter().filter(|disc| disc.is_found).count()),
        found_interval: interval.map_or([f64::NAN; 2], |interval| [interval.low, interval.high]),
        wrong_level: share(discs.iter().filter(wrong).count()),
        median_distance_mm: percentile(&distances, 0.5),
        distance_95_mm: percentile(&distances, 0.95),
        median_corner_mm: percentile(&corners, 0.5),
        corner_95_mm: percentile(&corners, 0.95),
        false_vertebrae_per_scan: outcomes.iter().map(|outcome| outcome.false_vertebrae).sum::<usize>() as f64
            / outcomes.len().max(1) as f64,
        names_right: per_name(names.iter().filter(|(_, right)| *right).count() as f64),
        mean_confidence: per_name(names.iter().map(|(confidence, _)| f64::from(*confidence)).sum()),
        misnamed_scans: [misnamed().count(), misnamed().filter(|outcome| outcome.is_doubted).count()],
        doubted_without_reason: outcomes.iter().filter(|outcome| outcome.is_doubted && !outcome.is_misnamed).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::ImageContrast;
    use crate::spine::{Corners, VertebraOutline};
    use glam::{DVec2, DVec3};

    fn volume() -> Volume {
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid");
        Volume::new(200, 100, vec![0.0; 20_000], geometry).expect("matching size")
    }

    fn spine(labels: &[VertebraLabel], shift: f64) -> Vec<Vertebra> {
        let body = |(index, label): (usize, &VertebraLabel)| {
            let y = 10.0 + 35.0 * index as f64 + shift;
            let at = |x, dy| DVec2::new(x, y + dy);
            let corners = Corners { sa: at(30.0, 0.0), sp: at(60.0, 0.0), ip: at(60.0, 26.0), ia: at(30.0, 26.0) };
            Vertebra { label: *label, confidence: 1.0, outlines: vec![VertebraOutline { slice: 0, corners }] }
        };
        labels.iter().enumerate().map(body).collect()
    }

    fn outcome(found: &[VertebraLabel], shift: f64) -> ScanOutcome {
        let truth = spine(&[VertebraLabel::L2, VertebraLabel::L3, VertebraLabel::L4], 0.0);
        let discs: Vec<_> = discs_between(&truth).into_iter().map(|disc| (disc.level, disc.center_voxel)).collect();
        let detection = Detection { vertebrae: spine(found, shift), shifted: [0.0; 2], contrast: ImageContrast::T2 };
        evaluate_scan(&volume(), &truth, &discs, Some(&detection))
    }

    #[test]
    fn a_perfect_detection_finds_everything() {
        let summary = summarize(&[(1, outcome(&[VertebraLabel::L2, VertebraLabel::L3, VertebraLabel::L4], 0.0))]);
        assert_eq!((summary.discs, summary.found, summary.wrong_level), (2, 1.0, 0.0));
        assert_eq!((summary.corner_95_mm, summary.false_vertebrae_per_scan), (0.0, 0.0));
        assert_eq!((summary.names_right, summary.misnamed_scans, summary.doubted_without_reason), (1.0, [0, 0], 1));
    }

    #[test]
    fn shifted_levels_count_as_wrong_and_far_discs_as_missed() {
        let shifted = summarize(&[(1, outcome(&[VertebraLabel::L1, VertebraLabel::L2, VertebraLabel::L3], 0.0))]);
        assert_eq!((shifted.found, shifted.wrong_level), (0.0, 1.0));
        assert_eq!((shifted.names_right, shifted.mean_confidence, shifted.misnamed_scans), (0.0, 1.0, [1, 1]));
        let far = summarize(&[(1, outcome(&[VertebraLabel::L2, VertebraLabel::L3, VertebraLabel::L4], 7.0))]);
        assert_eq!((far.found, far.wrong_level, far.median_distance_mm), (0.0, 0.0, 7.0));
    }

    #[test]
    fn a_failed_detection_misses_every_disc() {
        let truth = spine(&[VertebraLabel::L4, VertebraLabel::L5], 0.0);
        let outcome = evaluate_scan(&volume(), &truth, &[(DiscLevel::L4L5, [0.0, 40.0, 45.0])], None);
        assert_eq!(outcome.discs[0].distance_mm, None);
        assert_eq!(summarize(&[(1, outcome)]).found, 0.0);
    }

    #[test]
    fn boxes_judge_names_within_eight_millimeters() {
        let labels = [VertebraLabel::L2, VertebraLabel::L3, VertebraLabel::L4, VertebraLabel::L5];
        let truth = spine(&labels, 0.0);
        let discs = discs_between(&truth).into_iter().map(|disc| {
            let [_, y, x] = disc.center_voxel;
            (disc.level, DVec2::new(x, y))
        });
        let scan = BoxedScan {
            patient: 1,
            name: "one".to_owned(),
            kind: "made".to_owned(),
            volume: volume(),
            discs: discs.collect(),
            readings: vec![truth.clone()],
            taught: Err("not looked at".to_owned()),
        };
        let judged = |labels: &[VertebraLabel], shift| {
            let detection =
                Detection { vertebrae: spine(labels, shift), shifted: [0.0; 2], contrast: ImageContrast::T2 };
            evaluate_boxed(&scan, Some(&detection))
        };
        let near = judged(&labels, 7.0);
        assert!(near.discs.iter().all(|disc| disc.is_found) && !near.is_misnamed);
        assert_eq!(near.corner_errors_mm, [7.0; 16]);
        let far = judged(&labels, 9.0);
        assert!(far.discs.iter().all(|disc| !disc.is_found && disc.nearest.is_none()) && !far.is_misnamed);
        let lower = [VertebraLabel::L1, VertebraLabel::L2, VertebraLabel::L3, VertebraLabel::L4];
        let shifted = judged(&lower, 0.0);
        assert!(shifted.discs.iter().all(|disc| !disc.is_found) && shifted.is_misnamed && shifted.is_doubted);
        let nothing = evaluate_boxed(&scan, None);
        assert_eq!((nothing.discs.len(), nothing.is_misnamed, nothing.is_doubted), (3, false, false));
    }
}
