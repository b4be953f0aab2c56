//! Series of which every image has a series UID of its own.

use std::collections::BTreeSet;

use chrono::DateTime;
use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;

use super::choice::{Study, Written, times};
use super::{codes, load, put};
use crate::dicom::objects::{ObjectContext, key_objects};

/// Gives an image a series UID of its own.
fn alone(series: u32) -> impl Fn(usize, &mut DefaultDicomObject) {
    move |slice, object| put(object, tags::SERIES_INSTANCE_UID, VR::UI, format!("2.25.{series}{slice:03}"))
}

#[test]
fn images_that_are_a_series_each_are_put_together_by_name_and_place() {
    let mut study = Study::new();
    study
        .add_changed(Written { description: "T1 SAG", slices: 7, ..Written::default() }, |slice, object| {
            times(object, "550", "9");
            alone(1)(slice, object);
        })
        .add_changed(Written { slices: 9, ..Written::default() }, alone(2))
        // Numbers of their own, too.
        .add_changed(Written { description: "T2 SAG HWS", slices: 8, ..Written::default() }, |slice, object| {
            put(object, tags::SERIES_NUMBER, VR::IS, format!("{}", 300 + slice));
            alone(3)(slice, object);
        })
        // A series of one image, and two that are called alike, stay what they are.
        .add(Written { description: "SCOUT", slices: 1, ..Written::default() })
        .add(Written { description: "KEY", slices: 1, ..Written::default() })
        .add(Written { description: "KEY", slices: 1, ..Written::default() });
    let scan = study.scan();
    let slices: Vec<_> = scan.series.iter().map(|series| series.slices).collect();
    assert_eq!(slices, [7, 9, 1, 1, 1, 8]);
    let chosen = scan.t2_sagittal().unwrap();
    assert_eq!((chosen.series_number, codes(chosen)), (Some(2), vec!["series_rejoined"]));
    assert_eq!(
        chosen.warnings[0].message,
        "9 images, each a series of its own, were put together by name, size and place"
    );
    assert_eq!(load(chosen).unwrap().volume.slices(), 9);
    assert!(chosen.is_of_series("2.25.2008") && !chosen.is_of_series("2.25.1003"));
}

/// Without numbers, names and times nothing but how they were made tells one contrast from another at the same places.
#[test]
fn images_without_numbers_are_not_put_together_across_contrasts() {
    let nameless = |series: u32, options: &'static str| {
        move |slice: usize, object: &mut DefaultDicomObject| {
            alone(series)(slice, object);
            put(object, tags::SERIES_NUMBER, VR::IS, "");
            put(object, tags::SCAN_OPTIONS, VR::CS, options);
        }
    };
    let written = || Written { description: "", slices: 6, ..Written::default() };
    let mut one = Study::new();
    one.add_changed(written(), nameless(1, ""));
    assert_eq!(one.scan().series.iter().map(|series| series.slices).collect::<Vec<_>>(), [6]);
    let mut two = Study::new();
    two.add_changed(written(), nameless(1, "")).add_changed(written(), nameless(2, "FS"));
    assert!(two.scan().series.iter().all(|series| series.slices == 1));
}

#[test]
fn a_repetition_under_another_number_stays_apart() {
    let mut study = Study::new();
    study
        .add_changed(Written { slices: 6, ..Written::default() }, alone(1))
        .add_changed(Written { slices: 6, ..Written::default() }, alone(2));
    assert_eq!(study.scan().series.iter().map(|series| series.slices).collect::<Vec<_>>(), [6, 6]);
}

#[test]
fn results_refer_to_each_image_in_the_series_that_it_names() {
    let mut study = Study::new();
    study.add_changed(Written { slices: 4, ..Written::default() }, alone(5));
    let scan = study.scan();
    let series = scan.t2_sagittal().unwrap();
    let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let context = ObjectContext::of_series(series, "results", now).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = key_objects(&context, &[1, 3], "two").unwrap().write(folder.path(), "ko.dcm").unwrap();
    let object = dicom_object::open_file(file).unwrap();
    let items = |object: &dicom_object::InMemDicomObject, tag| object.element(tag).unwrap().items().unwrap().to_vec();
    let text = |object: &dicom_object::InMemDicomObject, tag| {
        object.element(tag).unwrap().to_str().unwrap().trim_end_matches('\0').to_owned()
    };
    let evidence = items(&object, tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE);
    let named: BTreeSet<(String, String)> = items(&evidence[0], tags::REFERENCED_SERIES_SEQUENCE)
        .iter()
        .map(|one| {
            let images = items(one, tags::REFERENCED_SOP_SEQUENCE);
            assert_eq!(images.len(), 1);
            (text(one, tags::SERIES_INSTANCE_UID), text(&images[0], tags::REFERENCED_SOP_INSTANCE_UID))
        })
        .collect();
    let expected = [1, 3].map(|slice: usize| {
        let from = &series.instances[slice];
        (from.series_instance_uid.clone(), from.sop_instance_uid.clone())
    });
    assert_eq!(named, BTreeSet::from(expected));
    assert_eq!(named.iter().map(|(series, _)| series).collect::<BTreeSet<_>>().len(), 2, "two series");
}
