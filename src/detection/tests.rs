//! The shipped detector on synthetic scans.

use candle_core::Device;
use glam::DVec3;

use super::{Detection, DetectionError, Detector};
use crate::needs;
use crate::phantom::{Phantom, PhantomStudy};
use crate::spine::{VertebraLabel, discs_between};
use crate::task::CancelToken;
use crate::volume::{Volume, VolumeGeometry};

fn shipped() -> Detector {
    Detector::load(None, &Device::Cpu).expect("weights of the source tree")
}

fn detect(volume: &Volume) -> Result<Detection, DetectionError> {
    shipped().detect(volume, &CancelToken::default(), &mut |_| {})
}

/// Labelled bodies of the truth whose detected twin's center lies within 5 mm in the sagittal plane.
fn found(study: &PhantomStudy, volume: &Volume, detection: &Detection) -> usize {
    let true_discs = discs_between(&study.vertebrae);
    let discs = discs_between(&detection.vertebrae);
    let near = |level, at: DVec3| {
        discs.iter().filter(|disc| disc.level == level).any(|disc| {
            let between = disc.center_lps(volume.geometry()) - at;
            between.y.hypot(between.z) < 5.0
        })
    };
    true_discs.iter().filter(|disc| near(disc.level, disc.center_lps(study.volume.geometry()))).count()
}

/// The same scan stored posterior to anterior.
fn mirrored(volume: &Volume) -> Volume {
    let geometry = volume.geometry();
    let width = (volume.columns() - 1) as f64 * geometry.column_spacing_mm();
    let origins = geometry.slice_origins_lps().iter().map(|origin| *origin + geometry.column_direction() * width);
    let geometry = VolumeGeometry::new(
        origins.collect(),
        -geometry.column_direction(),
        geometry.row_direction(),
        geometry.row_spacing_mm(),
        geometry.column_spacing_mm(),
    );
    let voxels = volume.voxels().chunks(volume.columns()).flat_map(|row| row.iter().rev().copied()).collect();
    Volume::new(volume.rows(), volume.columns(), voxels, geometry.expect("turned about")).expect("same size")
}

#[test]
fn the_discs_of_a_phantom_are_found_whichever_way_it_is_stored() {
    let study = Phantom::generate(4);
    let total = discs_between(&study.vertebrae).len();
    let detection = detect(&study.volume).expect("a spine");
    assert!(found(&study, &study.volume, &detection) + 1 >= total, "{:?}", detection.vertebrae.len());
    assert_eq!(detection.vertebrae.last().map(|body| body.label), Some(VertebraLabel::S1));
    assert!(detection.vertebrae.is_sorted_by_key(|body| body.label));
    assert!(detection.vertebrae.iter().all(|body| (0.0..=1.0).contains(&body.confidence) && !body.outlines.is_empty()));

    let turned = mirrored(&study.volume);
    let again = detect(&turned).expect("a spine");
    assert!(found(&study, &turned, &again) + 1 >= total);
}

#[test]
fn a_scan_without_a_spine_is_an_error() {
    let study = Phantom::generate(4);
    let [_, rows, columns] = study.volume.shape();
    let empty = |voxels| Volume::new(rows, columns, voxels, study.volume.geometry().clone()).expect("same size");
    let black = empty(vec![0.0; study.volume.voxels().len()]);
    assert!(matches!(detect(&black), Err(DetectionError::NoSpine { .. })));
    let noise = empty((0..study.volume.voxels().len()).map(|i| (i * 7919 % 1009) as f32).collect());
    assert!(matches!(detect(&noise), Err(DetectionError::NoSpine { .. })));
}

#[test]
fn other_planes_and_cancelling_are_told_apart_from_failure() {
    let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::X, DVec3::Y, 1.0, 1.0).expect("axial");
    let axial = Volume::new(32, 32, vec![0.0; 1024], geometry).expect("same size");
    assert!(matches!(detect(&axial), Err(DetectionError::NotSagittal(_))));
    let cancel = CancelToken::default();
    cancel.cancel();
    let study = Phantom::generate(4);
    let cancelled = shipped().detect(&study.volume, &cancel, &mut |_| {});
    assert!(matches!(cancelled, Err(DetectionError::Cancelled(_))));
}

/// Seven scans as a scanner writes them; the disc centers come from masks of the same patients.
#[test]
fn discs_of_real_dicom_scans_lie_where_the_masks_say() {
    let (Some(cases), Some(table)) = (needs::data("dicom"), needs::data("spider-dev/gt_discs.csv")) else { return };
    let (mut total, mut right) = (0, 0);
    let detector = shipped();
    let cancel = CancelToken::default();
    let mut table = csv::Reader::from_path(table).expect("table of discs");
    let rows: Vec<csv::StringRecord> = table.records().map(|row| row.expect("a row")).collect();
    for case in ["case-041", "case-142"] {
        let scan = crate::dicom::scan_folder(&cases.join(case), &cancel, &mut |_| {}).expect("a study");
        let series =
            crate::dicom::load_series(scan.t2_sagittal().expect("T2"), &cancel, &mut |_| {}).expect("readable");
        let detection = detector.detect(&series.volume, &cancel, &mut |_| {}).expect("a spine");
        let discs = discs_between(&detection.vertebrae);
        let pixel = series.volume.geometry().pixel_size_mm();
        for row in rows.iter().filter(|row| case.ends_with(&format!("{:0>3}", &row[0]))) {
            let Ok(level) = row[2].parse() else { continue };
            total += 1;
            let at = |index: usize| row[index].parse::<f64>().expect("pixels");
            right += usize::from(discs.iter().filter(|disc| disc.level == level).any(|disc| {
                let [_, y, x] = disc.center_voxel;
                ((x - at(3)) * pixel.x).hypot((y - at(4)) * pixel.y) < 5.0
            }));
        }
    }
    assert!(total >= 12 && right * 10 >= total * 9, "{right} of {total} discs");
}
