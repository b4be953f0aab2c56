//! Which frames of a series make one stack.

use std::fs;
use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use glam::DVec3;

use super::{codes, edit, load, put, scan, volume, written};
use crate::dicom::*;
use crate::volume::{PlaneOrientation, Volume, VolumeGeometry};

#[test]
fn a_second_image_at_one_position_is_told_and_echoes_are_parted() {
    let (folder, paths) = written(&volume(&[4.0; 2]));
    let copy = folder.path().join("copy.dcm");
    fs::copy(&paths[1], &copy).unwrap();
    let doubled = scan(folder.path());
    assert_eq!((doubled.series.len(), doubled.series[0].slices), (1, 3));
    assert!(codes(&doubled.series[0]).contains(&"duplicate_positions"));
    edit(&copy, |object| put(object, tags::ECHO_TIME, VR::DS, "20"));
    let parted = scan(folder.path());
    let shapes: Vec<_> = parted.series.iter().map(|series| series.slices).collect();
    assert_eq!(shapes, [3, 1]);
    assert!(codes(&parted.series[0]).contains(&"mixed_series_split"));
    assert!(parted.series[0].choice.is_chosen && !parted.series[1].choice.is_chosen);
}

#[test]
fn repetitions_in_one_series_are_parted() {
    let (folder, paths) = written(&volume(&[4.0; 2]));
    for path in &paths {
        let copy = path.with_extension("second.dcm");
        fs::copy(path, &copy).unwrap();
        edit(&copy, |object| put(object, tags::ACQUISITION_NUMBER, VR::IS, "2"));
    }
    let shapes: Vec<_> = scan(folder.path()).series.iter().map(|series| series.slices).collect();
    assert_eq!(shapes, [3, 3]);
}

#[test]
fn mixed_orientations_are_parted() {
    let (folder, paths) = written(&volume(&[4.0; 2]));
    edit(&paths[2], |object| put(object, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0"));
    let scan = scan(folder.path());
    let planes: Vec<_> = scan.series.iter().map(|series| series.plane).collect();
    assert_eq!(planes, [Some(PlaneOrientation::Sagittal), Some(PlaneOrientation::Axial)]);
    assert_eq!(scan.series[1].choice.reason, "not chosen: axial");
}

/// Copies every file beside itself as another image of the series and changes the copy; the copies, in slice order.
fn doubled(paths: &[std::path::PathBuf], change: impl Fn(usize, &mut dicom_object::DefaultDicomObject)) {
    for (slice, path) in paths.iter().enumerate() {
        let copy = path.with_extension("second.dcm");
        fs::copy(path, &copy).unwrap();
        edit(&copy, |object| {
            put(object, tags::SOP_INSTANCE_UID, VR::UI, format!("2.25.{}", 1000 + slice));
            change(slice, object);
        });
    }
}

#[test]
fn repetitions_that_only_the_clock_parts_are_not_mixed() {
    let original = volume(&[4.0; 3]);
    // Once every slice with a time of its own, once one time for each repetition; numbers run the other way the second time.
    for slice_seconds in [0, 7] {
        let (folder, paths) = written(&original);
        let at = |start: usize, slice: usize| format!("1000{:02}.{:04}", start + slice * slice_seconds, 1200);
        for (slice, path) in paths.iter().enumerate() {
            edit(path, |object| put(object, tags::ACQUISITION_TIME, VR::TM, at(0, slice)));
        }
        doubled(&paths, |slice, object| {
            put(object, tags::ACQUISITION_TIME, VR::TM, at(30, slice));
            put(object, tags::INSTANCE_NUMBER, VR::IS, (4 - slice).to_string());
            let dark: Vec<u16> = (0..30).map(|index| (index + slice) as u16).collect();
            put(object, tags::PIXEL_DATA, VR::OW, dicom_core::PrimitiveValue::U16(dark.into()));
        });
        // One file came twice.
        fs::copy(&paths[1], folder.path().join("again.dcm")).unwrap();
        let scan = scan(folder.path());
        assert_eq!(scan.series.iter().map(|series| series.slices).collect::<Vec<_>>(), [4, 4]);
        assert_eq!(*load(&scan.series[0]).unwrap().volume, original);
        let second = load(&scan.series[1]).unwrap().volume;
        assert!((0..4).all(|slice| second.slice(slice)[0] == slice as f32), "slices of the second repetition alone");
    }
}

#[test]
fn repetitions_are_parted_by_when_they_were_made_where_all_were_acquired_at_one_time() {
    for tag in [tags::CONTENT_TIME, tags::INSTANCE_CREATION_TIME] {
        let original = volume(&[4.0; 3]);
        let (folder, paths) = written(&original);
        for path in &paths {
            edit(path, |object| {
                put(object, tags::ACQUISITION_TIME, VR::TM, "100000");
                put(object, tag, VR::TM, "100500");
            });
        }
        doubled(&paths, |_, object| {
            put(object, tag, VR::TM, "101000");
            let other = dicom_core::PrimitiveValue::U16(vec![9; 30].into());
            put(object, tags::PIXEL_DATA, VR::OW, other);
        });
        let scan = scan(folder.path());
        assert_eq!(scan.series.iter().map(|series| series.slices).collect::<Vec<_>>(), [4, 4]);
        assert_eq!(*load(&scan.series[0]).unwrap().volume, original);
    }
}

#[test]
fn of_acquisitions_that_nothing_tells_apart_the_first_files_are_kept() {
    let original = volume(&[4.0; 3]);
    let (folder, paths) = written(&original);
    // Other files behind those of the first acquisition, numbered like them, but from the other end.
    for (slice, path) in paths.iter().enumerate() {
        let later = folder.path().join(format!("z{slice}.dcm"));
        fs::copy(path, &later).unwrap();
        edit(&later, |object| {
            put(object, tags::SOP_INSTANCE_UID, VR::UI, format!("2.25.{}", 1000 + slice));
            put(object, tags::INSTANCE_NUMBER, VR::IS, (4 - slice).to_string());
            put(object, tags::PIXEL_DATA, VR::OW, dicom_core::PrimitiveValue::U16(vec![9; 30].into()));
        });
    }
    let scan = scan(folder.path());
    assert_eq!((scan.series.len(), scan.series[0].slices), (1, 4));
    assert!(codes(&scan.series[0]).contains(&"duplicate_positions"));
    assert_eq!(*load(&scan.series[0]).unwrap().volume, original, "slices of one acquisition alone");
}

/// A series of two stations, the upper one `shift` from the lower one; all slices follow `step`.
fn stations(folder: &Path, shift: DVec3, turn: f64) {
    let (sine, cosine) = turn.sin_cos();
    let row = DVec3::new(sine, 0.0, -cosine);
    let normal = DVec3::Y.cross(row);
    for (first, from) in [(1, shift), (5, DVec3::ZERO)] {
        let origins = (0..4).map(|slice| DVec3::new(8.0, -60.0, 80.0) + from + normal * (4.0 * f64::from(slice)));
        let geometry = VolumeGeometry::new(origins.collect(), DVec3::Y, row, 0.6, 0.75).unwrap();
        let values = (0..120).map(|index| (index + first * 1000) as f32).collect();
        let mut header = SeriesHeader::synthetic_t2_sagittal("stations");
        header.first_instance = first;
        write_series(folder, &Volume::new(6, 5, values, geometry).unwrap(), &header).unwrap();
    }
}

#[test]
fn stations_of_the_table_are_stacks_of_their_own_and_the_lowest_is_graded() {
    let up = DVec3::Z * 250.0;
    for (shift, turn) in [(up, 0.0), (up, 0.02), (up + DVec3::X * 1.7, 0.0), (up + DVec3::X * 9.0, -0.1)] {
        let folder = tempfile::tempdir().unwrap();
        stations(folder.path(), shift, turn);
        let scan = scan(folder.path());
        assert_eq!(scan.series.iter().map(|series| series.slices).collect::<Vec<_>>(), [4, 4], "{shift} {turn}");
        let chosen = scan.t2_sagittal().unwrap();
        assert!(chosen.geometry.slice_origins_lps()[0].z < 100.0, "the lower one");
        assert_eq!(codes(chosen), ["anisotropic_pixels", "mixed_series_split"]);
        assert_eq!(load(chosen).unwrap().volume.slice(0)[0], 5000.0, "slices of one station");
        let other = scan.series.iter().find(|series| !series.choice.is_chosen).unwrap();
        assert!(other.choice.reason.contains("of a part higher in the body"), "{}", other.choice.reason);
    }
}

#[test]
fn a_sheared_stack_stays_whole() {
    let origins = (0..12).map(|slice| DVec3::new(-4.0, 0.0, 6.0) * f64::from(slice)).collect();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 0.6, 0.6).unwrap();
    let (folder, _) = written(&Volume::new(2, 2, vec![1.0; 48], geometry).unwrap());
    let scan = scan(folder.path());
    assert_eq!((scan.series.len(), scan.series[0].slices), (1, 12));
    assert!(codes(&scan.series[0]).contains(&"sheared_stack"));
}
