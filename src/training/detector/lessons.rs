//! Slices with boxes around discs as lessons. Boxes are a weak truth: they say where discs lie and, counted upward from the lowest
//! one, what they are called. A detector that learned from marked vertebrae, the teacher, finds the corners.

use std::collections::BTreeMap;

use glam::DVec2;
use rayon::prelude::*;

use crate::causes::with_causes;
use crate::detection::{Detection, relabel};
use crate::spine::{Corners, Disc, DiscLevel, Vertebra, VertebraLabel, VertebraOutline, discs_between};
use crate::training::boxed::{Picture, pictures};
use crate::training::located::{DiscFinder, ScanError};
use crate::training::manifest::{DataSet, ManifestError};
use crate::volume::Volume;

/// A box lies around a disc if their centers are that near, mm.
const AROUND_MM: f64 = 6.0;
/// Boxes of two pictures of one patient are the same if their centers are that near, mm.
const SAME_PLACE_MM: f64 = 2.0;
/// Fewer boxes around discs than this do not show what is called what.
const FEWEST_BOXES: usize = 3;
/// Patients of boxed sets get numbers from here on.
const FIRST_NUMBER: u32 = 1_000_000;
/// The weighting whose corners the pictures of the same place in other weightings take: the teacher learned from it.
const TAUGHT_WEIGHTING: &str = "t2";
/// Size of the sacrum's endplate and distance to it from the middle of the disc above, where only that disc was boxed, mm.
const SACRUM_WIDTH_MM: f64 = 26.0;
const HALF_DISC_MM: f64 = 3.0;

/// A boxed slice.
pub(crate) struct BoxedScan {
    /// Number of the patient, the same for all of the patient's pictures.
    pub patient: u32,
    /// Name of the picture in its set.
    pub name: String,
    /// Set and weighting, as the measures name them.
    pub kind: String,
    /// The slice.
    pub volume: Volume,
    /// Centers of the boxes around graded discs, image pixels.
    pub discs: Vec<(DiscLevel, DVec2)>,
    /// Bodies to learn from, one list for each way to name them: a single one where the boxes say what the teacher says, two where their
    /// names are one level apart, none where nothing is learned.
    pub readings: Vec<Vec<Vertebra>>,
    /// What the teacher found, or why nothing.
    pub taught: Result<Detection, String>,
}

/// The pictures of the boxed `sets`, as the teacher sees them.
///
/// # Errors
/// If a set cannot be read, or the work is cancelled.
pub(super) fn boxed_scans(sets: &[&DataSet], teacher: &DiscFinder) -> Result<Vec<BoxedScan>, ManifestError> {
    let mut scans: Vec<BoxedScan> = Vec::new();
    let mut patients = 0;
    for set in sets {
        let DataSet::Boxed { name, folder } = set else { continue };
        let pictures = pictures(folder)?;
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for Picture { patient, .. } in &pictures {
            let next = FIRST_NUMBER + patients + numbers.len() as u32;
            numbers.entry(patient.clone()).or_insert(next);
        }
        patients += numbers.len() as u32;
        let scan = |picture: Picture| scan_of(picture, name, &numbers, teacher);
        let mut of_set: Vec<(String, BoxedScan)> =
            pictures.into_par_iter().map(scan).collect::<Result<_, ManifestError>>()?;
        share_corners(&mut of_set);
        scans.extend(of_set.into_iter().map(|(_, scan)| scan));
    }
    Ok(scans)
}

/// A picture's weighting and what is learned from it by itself.
fn scan_of(
    picture: Picture,
    set: &str,
    numbers: &BTreeMap<String, u32>,
    teacher: &DiscFinder,
) -> Result<(String, BoxedScan), ManifestError> {
    let Picture { patient, image, weighting, volume, discs } = picture;
    let taught = match teacher.detection(&volume).map_err(ScanError::unless_cancelled) {
        Ok(found) => Ok(found),
        Err(error) => Err(with_causes(&error?)),
    };
    let found = taught.as_ref().map(|found| found.vertebrae.as_slice()).unwrap_or_default();
    let readings = readings(&volume, &discs, found);
    let (patient, kind) = (numbers[&patient], format!("{set}_{weighting}"));
    Ok((weighting, BoxedScan { patient, name: image, kind, volume, discs, readings, taught }))
}

/// Gives pictures of other weightings the corners of the patient's T2 picture, where readers drew the same boxes on both.
fn share_corners(scans: &mut [(String, BoxedScan)]) {
    let shared: Vec<Option<Vec<Vec<Vertebra>>>> = scans
        .iter()
        .map(|(weighting, scan)| {
            let twins = scans.iter().filter(|(other, twin)| other == TAUGHT_WEIGHTING && show_the_same(scan, twin));
            let readings = twins.map(|(_, twin)| &twin.readings).find(|readings| !readings.is_empty());
            readings.filter(|_| weighting != TAUGHT_WEIGHTING).cloned()
        })
        .collect();
    for ((_, scan), readings) in scans.iter_mut().zip(shared) {
        scan.readings = readings.unwrap_or_else(|| std::mem::take(&mut scan.readings));
    }
}

fn show_the_same(scan: &BoxedScan, twin: &BoxedScan) -> bool {
    let size = scan.volume.geometry().pixel_size_mm();
    let is_near = |((level, at), (other, there)): (&(DiscLevel, DVec2), &(DiscLevel, DVec2))| {
        level == other && ((*at - *there) * size).length() <= SAME_PLACE_MM
    };
    scan.patient == twin.patient
        && scan.volume.shape() == twin.volume.shape()
        && size == twin.volume.geometry().pixel_size_mm()
        && scan.discs.len() == twin.discs.len()
        && scan.discs.iter().zip(&twin.discs).all(is_near)
}

/// The bodies `found` on a slice by each way to name them that boxes and teacher leave open; see [`BoxedScan::readings`]. The
/// image may cut off a body at the topmost box. Any other box must lie around a disc.
fn readings(volume: &Volume, boxes: &[(DiscLevel, DVec2)], found: &[Vertebra]) -> Vec<Vec<Vertebra>> {
    let size = volume.geometry().pixel_size_mm();
    let discs = discs_between(found);
    let disc_in = |center: DVec2| {
        let away = |disc: &&Disc| {
            let [_, row, column] = disc.center_voxel;
            ((DVec2::new(column, row) - center) * size).length()
        };
        discs.iter().min_by(|a, b| away(a).total_cmp(&away(b))).filter(|disc| away(disc) <= AROUND_MM)
    };
    let mut boxes = boxes.to_vec();
    boxes.sort_by(|a, b| a.1.y.total_cmp(&b.1.y));
    let discs_in: Vec<Option<&Disc>> = boxes.iter().map(|(_, center)| disc_in(*center)).collect();
    // How many levels further down the teacher names a disc.
    let mut apart = boxes.iter().zip(&discs_in).filter_map(|((level, _), disc)| {
        let disc = disc.as_ref()?;
        Some(disc.level.index() as isize - level.index() as isize)
    });
    let Some(levels) = apart.next().filter(|first| apart.all(|other| other == *first)) else { return Vec::new() };
    let (empty, last) = (discs_in.iter().skip(1).filter(|disc| disc.is_none()).count(), discs_in.last());
    let is_last_empty = last.is_some_and(Option::is_none);
    if discs_in.iter().flatten().count() < FEWEST_BOXES {
        return Vec::new();
    }
    let other = match (levels, empty, is_last_empty, boxes.last()) {
        (0, 0, ..) => return vec![found.to_vec()],
        (1, 1, true, Some((_, center))) => with_sacrum_below(found, *center, size),
        (-1, 0, ..) => renamed(found, VertebraLabel::L5, VertebraLabel::S1),
        _ => None,
    };
    other.map(|other| vec![found.to_vec(), other]).unwrap_or_default()
}

/// The same bodies, the one called `label` by a new name and all others by as many places.
fn renamed(found: &[Vertebra], label: VertebraLabel, new: VertebraLabel) -> Option<Vec<Vertebra>> {
    relabel(found, found.iter().position(|body| body.label == label)?, new).ok()
}

/// The same bodies if what is called S1 is a lumbar one: its lower endplate and the sacrum lie on both sides of the disc around
/// `center`, as parallel to its upper endplate as S2 is.
fn with_sacrum_below(found: &[Vertebra], center: DVec2, pixel_size_mm: DVec2) -> Option<Vec<Vertebra>> {
    let mut bodies = renamed(found, VertebraLabel::S1, VertebraLabel::L5)?;
    let lowest = bodies.last_mut()?;
    for outline in &mut lowest.outlines {
        let Corners { sa, sp, .. } = outline.corners;
        let along = ((sp - sa) * pixel_size_mm).try_normalize()?;
        let half = along * SACRUM_WIDTH_MM / 2.0 / pixel_size_mm;
        let up = -along.perp() * HALF_DISC_MM / pixel_size_mm;
        outline.corners = Corners { sa, sp, ip: center + up + half, ia: center + up - half };
    }
    let sacrum = lowest
        .outlines
        .iter()
        .map(|outline| {
            let Corners { ip, ia, .. } = outline.corners;
            let down = 2.0 * (center - (ip + ia) / 2.0);
            let height_mm = ((ip - ia) * pixel_size_mm).length();
            let corners = Corners::from_upper_endplate(ia + down, ip + down, pixel_size_mm, height_mm)?;
            Some(VertebraOutline { slice: outline.slice, corners })
        })
        .collect::<Option<Vec<_>>>()?;
    let confidence = lowest.confidence;
    bodies.push(Vertebra { label: VertebraLabel::S1, confidence, outlines: sacrum });
    Some(bodies)
}

#[cfg(test)]
mod tests {
    use glam::DVec3;

    use super::*;
    use crate::spine::VertebraLabel::{L1, L2, L3, L4, L5, S1};
    use crate::volume::VolumeGeometry;

    fn volume() -> Volume {
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid");
        Volume::new(260, 100, vec![0.0; 26_000], geometry).expect("matching size")
    }

    /// L1 to S1, 34 mm apart.
    fn found() -> Vec<Vertebra> {
        let body = |(index, label): (usize, &VertebraLabel)| {
            let at = |x, dy| DVec2::new(x, 10.0 + 34.0 * index as f64 + dy);
            let corners = Corners { sa: at(30.0, 0.0), sp: at(60.0, 0.0), ip: at(60.0, 26.0), ia: at(30.0, 26.0) };
            Vertebra { label: *label, confidence: 1.0, outlines: vec![VertebraOutline { slice: 0, corners }] }
        };
        [L1, L2, L3, L4, L5, S1].iter().enumerate().map(body).collect()
    }

    /// Boxes around all five discs and, with six names, the one below S1; named from above.
    fn boxes(names: &[DiscLevel]) -> Vec<(DiscLevel, DVec2)> {
        let center = |index: usize| DVec2::new(45.0, 40.0 + 34.0 * index as f64);
        names.iter().enumerate().map(|(index, level)| (*level, center(index))).collect()
    }

    fn labels(reading: &[Vertebra]) -> Vec<VertebraLabel> {
        reading.iter().map(|body| body.label).collect()
    }

    #[test]
    fn where_boxes_and_teacher_agree_there_is_one_reading() {
        assert_eq!(readings(&volume(), &boxes(&DiscLevel::ALL[1..]), &found()), [found()]);
        // The image may cut off what the topmost box shows, but nothing else.
        let mut moved = boxes(&DiscLevel::ALL[1..]);
        moved[0].1.y -= 9.0;
        assert_eq!(readings(&volume(), &moved, &found()).len(), 1);
        moved[2].1.y -= 9.0;
        assert!(readings(&volume(), &moved, &found()).is_empty());
        assert!(readings(&volume(), &boxes(&DiscLevel::ALL[1..])[3..], &found()).is_empty(), "two boxes");
    }

    #[test]
    fn a_disc_boxed_below_s1_leaves_a_sixth_body_open() {
        let read = readings(&volume(), &boxes(&DiscLevel::ALL), &found());
        assert_eq!(read.len(), 2);
        assert_eq!(read[0], found());
        assert_eq!(labels(&read[1])[..2], [VertebraLabel::T12, L1]);
        let [.., last_body, sacrum] = read[1].as_slice() else { panic!("bodies") };
        assert_eq!((last_body.label, sacrum.label), (L5, S1));
        let [above, below] = [last_body, sacrum].map(|body| body.outlines[0].corners);
        assert_eq!((above.sa, above.sp), (DVec2::new(30.0, 180.0), DVec2::new(60.0, 180.0)));
        assert_eq!((above.ia, above.ip), (DVec2::new(32.0, 207.0), DVec2::new(58.0, 207.0)));
        assert_eq!((below.sa, below.sp), (DVec2::new(32.0, 213.0), DVec2::new(58.0, 213.0)));
    }

    #[test]
    fn a_lowest_disc_without_box_leaves_l5_open() {
        let read = readings(&volume(), &boxes(&DiscLevel::ALL[2..]), &found());
        assert_eq!(read.len(), 2);
        assert_eq!(labels(&read[0]), [L1, L2, L3, L4, L5, S1]);
        assert_eq!(labels(&read[1]), [L2, L3, L4, L5, S1]);
        assert_eq!(read[1][4].outlines, found()[4].outlines);
        // Other names, and neither a box too many nor one too few.
        assert!(readings(&volume(), &boxes(&DiscLevel::ALL[..5]), &found()).is_empty());
    }

    #[test]
    fn a_t1_slice_with_the_same_boxes_takes_the_corners_of_its_t2_twin() {
        let scan = |patient, weighting: &str, moved_mm: f64, readings: Vec<Vec<Vertebra>>| {
            let mut discs = boxes(&DiscLevel::ALL[1..]);
            discs[2].1.x += moved_mm;
            let kind = weighting.to_owned();
            let taught = Err("not looked at".to_owned());
            (kind.clone(), BoxedScan { patient, name: kind.clone(), kind, volume: volume(), discs, readings, taught })
        };
        let mut own = found();
        own.pop();
        let mut scans = vec![
            scan(1, "t1", 1.0, Vec::new()),
            scan(1, "t2", 0.0, vec![found()]),
            scan(2, "t1", 0.0, vec![own.clone()]),
            scan(3, "t1", 3.0, vec![own.clone()]),
            scan(3, "t2", 0.0, vec![found()]),
            scan(4, "t1", 0.0, vec![own.clone()]),
            scan(4, "t2", 0.0, Vec::new()),
        ];
        share_corners(&mut scans);
        let readings: Vec<_> = scans.into_iter().map(|(_, scan)| scan.readings).collect();
        let (twin, own) = (vec![found()], vec![own]);
        assert_eq!(readings, [twin.clone(), twin.clone(), own.clone(), own.clone(), twin, own, Vec::new()]);
    }
}
