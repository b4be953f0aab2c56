//! What objects say of their images, whatever the images look like: values of the standard, not of the code.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, InMemDicomObject, open_file};
use glam::{DVec2, DVec3};

use super::context::ResultObject;
use super::*;
use crate::dicom::{SeriesHeader, SeriesSummary, scan_folder, write_series};
use crate::language::Language;
use crate::spine::{
    BoxSource, Corners, DiscFrame, DiscLevel, Grading, PATCH_SLICES, PATCH_VOXELS, PixelBox, SliceBox, Vertebra,
    VertebraLabel, VertebraOutline, discs_between,
};
use crate::task::CancelToken;
use crate::volume::{Volume, VolumeGeometry, WindowLevel};

/// Sagittal slices of 16 × 12 pixels at these places, written as a series.
struct Study {
    folder: tempfile::TempDir,
    paths: Vec<PathBuf>,
    volume: Volume,
}

fn study(places: &[f64], thickness: Option<f64>) -> Study {
    let origins = places.iter().map(|place| DVec3::new(-place, -60.0, 80.0)).collect();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 5.0, 5.0).expect("valid");
    let geometry = geometry.with_slice_thickness(thickness);
    let volume = Volume::new(16, 12, vec![300.0; places.len() * 192], geometry).expect("matching size");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut header = SeriesHeader::synthetic_t2_sagittal("objects");
    header.texts.slice_thickness_mm = thickness;
    header.window = Some(WindowLevel { center: 1500.0, width: 3000.0 });
    let paths = write_series(&folder.path().join("study"), &volume, &header).expect("written");
    Study { folder, paths, volume }
}

impl Study {
    fn edit(&self, change: impl Fn(usize, &mut DefaultDicomObject)) {
        for (index, path) in self.paths.iter().enumerate() {
            let mut object = open_file(path).expect("readable");
            change(index, &mut object);
            object.write_to_file(path).expect("written");
        }
    }

    fn series(&self) -> SeriesSummary {
        let scan = scan_folder(&self.folder.path().join("study"), &CancelToken::default(), &mut |_| ());
        scan.expect("readable").series.remove(0)
    }

    fn context(&self, results: &str) -> ObjectContext {
        ObjectContext::of_series(&self.series(), results, moment()).expect("a study")
    }

    fn written(&self, object: ResultObject) -> DefaultDicomObject {
        open_file(object.write(self.folder.path(), "object.dcm").expect("written")).expect("readable")
    }

    fn segmentation(&self, context: &ObjectContext, slices: &[usize]) -> DefaultDicomObject {
        let label = DiscLevel::L4L5.to_string();
        let (code, category) = (Code::of_disc(DiscLevel::L4L5), Code::anatomical_structure());
        let masks = slices.iter().map(|slice| (*slice, vec![true; 192])).collect();
        let said = SegmentationTexts {
            number: 1,
            series: "test",
            label: "TEST",
            description: "test",
            segments: "test",
            algorithm: ("test", "1"),
        };
        let segment = Segment { label, code, category, masks };
        self.written(segmentation(context, &[segment], self.volume.geometry(), said).expect("made"))
    }

    fn report(&self, context: &ObjectContext) -> DefaultDicomObject {
        let (level, grades) = (DiscLevel::L4L5, Vec::new());
        let disc = GradedDisc { level, slice: 0, outline: None, grades, sentence: None, comment: None };
        let report = MeasurementReport {
            discs: vec![disc],
            sentences: Vec::new(),
            language: Language::ENGLISH,
            boxes: Vec::new(),
            measurements: Vec::new(),
            algorithm: "test".to_owned(),
            version: "1".to_owned(),
            parameters: Vec::new(),
            observer: Some(Observer { name: "A^B".to_owned(), signed_at: "20261124183000+0900".to_owned() }),
        };
        self.written(structured_report(context, &report).expect("made"))
    }

    fn states(&self, slices: &[usize]) -> Vec<DefaultDicomObject> {
        let rect = PixelBox { x: 2.0, y: 2.0, width: 4.0, height: 3.0 };
        let (level, grading, source) = (DiscLevel::L4L5, Grading::Pfirrmann, BoxSource::Reader);
        let found = |slice: &usize| SliceBox { level, grading, slice: *slice, rect, source, percentile: None };
        let series = self.series();
        let marks = Marks {
            boxes: &slices.iter().map(found).collect::<Vec<_>>(),
            measurements: &[],
            window: series.window.expect("in the header"),
            pixel_spacing_mm: [5.0, 5.0],
        };
        let states = presentation_states(&self.context("marks"), &marks).expect("made");
        states.into_iter().map(|state| self.written(state)).collect()
    }
}

fn moment() -> DateTime<Utc> {
    "2026-11-24T18:30:05Z".parse().expect("a time")
}

fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

fn word(object: &InMemDicomObject, tag: Tag) -> String {
    let text = object.get(tag).and_then(|element| element.to_str().ok()).unwrap_or_default();
    text.trim_matches(['\0', ' ']).to_owned()
}

fn item(object: &InMemDicomObject, tag: Tag) -> &InMemDicomObject {
    object.get(tag).and_then(DataElement::items).and_then(<[_]>::first).expect("an item")
}

/// Thickness and spacing in the shared functional groups.
fn measures(object: &InMemDicomObject) -> [String; 2] {
    let measures = item(item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE), tags::PIXEL_MEASURES_SEQUENCE);
    [tags::SLICE_THICKNESS, tags::SPACING_BETWEEN_SLICES].map(|tag| word(measures, tag))
}

#[test]
fn frames_say_the_thickness_of_the_images_and_their_own_spacing() {
    for (places, thickness, expected) in [
        // Slices 4 mm thick with gaps between them; one slice is missing; several are; nothing in common; one slice.
        (&[0.0, 4.4, 8.8][..], Some(4.0), ["4", "4.4"]),
        (&[0.0, 1.5, 3.0, 6.0, 7.5], Some(1.5), ["1.5", "1.5"]),
        (&[0.0, 4.0, 16.0, 20.0], None, ["5.0", "4"]),
        (&[0.0, 4.0, 8.5, 12.0], Some(3.0), ["3", ""]),
        (&[0.0], Some(4.0), ["4", "4"]),
    ] {
        let study = study(places, thickness);
        let slices: Vec<usize> = (0..places.len()).collect();
        let said = measures(&study.segmentation(&study.context("spacing"), &slices));
        let numbers = |texts: [&str; 2]| texts.map(|text| text.parse::<f64>().ok());
        let expected = if thickness.is_none() { [&word_of_thickness(&study), expected[1]] } else { expected };
        assert_eq!(numbers([&said[0], &said[1]]), numbers(expected), "{places:?}");
    }
}

/// What the images say themselves.
fn word_of_thickness(study: &Study) -> String {
    word(&open_file(&study.paths[0]).expect("readable"), tags::SLICE_THICKNESS)
}

/// The frame of a disc that all slices of a study show.
fn disc_frame(study: &Study) -> DiscFrame {
    let body = |label, top: f64| {
        let at = DVec2::new;
        let corners = Corners { sa: at(2.0, top), sp: at(9.0, top), ip: at(9.0, top + 4.0), ia: at(2.0, top + 4.0) };
        let outlines = (0..study.volume.slices()).map(|slice| VertebraOutline { slice, corners }).collect();
        Vertebra { label, confidence: 1.0, outlines }
    };
    let discs = discs_between(&[body(VertebraLabel::L4, 1.0), body(VertebraLabel::L5, 7.0)]);
    DiscFrame::of_disc(&study.volume, &discs[0]).expect("a frame")
}

/// A map whose value is the number of the slice of the disc volume, and the places of its frames from right to left.
fn written_map(study: &Study, frame: &DiscFrame) -> (DefaultDicomObject, Vec<f64>) {
    let per_slice = PATCH_VOXELS / PATCH_SLICES;
    let values: Vec<f32> = (0..PATCH_VOXELS).map(|voxel| (voxel / per_slice) as f32).collect();
    let geometry = study.volume.geometry();
    let map = EvidenceMap { values: &values, frame, geometry, explained: "test", method: "test" };
    let object = study.written(parametric_map(&study.context("map"), &map, 1).expect("made"));
    let frames = object.get(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).and_then(DataElement::items).expect("frames");
    let x = |frame: &InMemDicomObject| {
        let position =
            item(frame, tags::PLANE_POSITION_SEQUENCE).get(tags::IMAGE_POSITION_PATIENT).expect("a position");
        position.to_multi_float64().expect("numbers")[0]
    };
    let places = frames.iter().map(x).collect();
    (object, places)
}

#[test]
fn maps_of_thin_slices_say_how_far_their_frames_are_apart() {
    // The disc volume takes every fourth of slices 0.9 mm apart.
    let places: Vec<f64> = (0..41).map(|slice| 0.9 * f64::from(slice)).collect();
    let study = study(&places, Some(0.9));
    let (object, x) = written_map(&study, &disc_frame(&study));
    assert_eq!(measures(&object).map(|text| text.parse::<f64>().expect("a number")), [0.9, 3.6]);
    assert_eq!(x.len(), 9);
    assert!(x.windows(2).all(|pair| ((pair[0] - pair[1]).abs() - 3.6).abs() < 1e-6));
}

#[test]
fn maps_have_a_frame_where_a_slice_of_the_scan_is_missing() {
    let places: Vec<f64> = (0..9).filter(|slice| *slice != 5).map(|slice| 4.0 * f64::from(slice)).collect();
    let study = study(&places, Some(4.0));
    let frame = disc_frame(&study);
    let (object, x) = written_map(&study, &frame);
    assert_eq!(measures(&object).map(|text| text.parse::<f64>().expect("a number")), [4.0, 4.0]);
    assert!(x.windows(2).all(|pair| ((pair[0] - pair[1]).abs() - 4.0).abs() < 1e-6), "{x:?}");
    let values = object.get(tags::FLOAT_PIXEL_DATA).expect("values").to_multi_float32().expect("numbers");
    let value = |number: usize| values[number * (PATCH_VOXELS / PATCH_SLICES) + 1000];
    let number_at = |place: f64| x.iter().position(|x| (x + place).abs() < 1e-6);
    let mut tested = 0;
    for (slice, place) in places.iter().enumerate() {
        let patch = (0..PATCH_SLICES).find(|patch| frame.scan_slice(*patch) == Some(slice));
        let (Some(patch), Some(number)) = (patch, number_at(*place)) else { continue };
        assert!((value(number) - patch as f32).abs() < 1e-3, "at {place} mm");
        tested += 1;
    }
    assert!(tested >= 7, "{tested} frames");
    let missing = number_at(20.0).expect("a frame");
    let between = f32::midpoint(value(missing - 1), value(missing + 1));
    assert!((value(missing) - between).abs() < 1e-3);
}

/// Slope, intercept, window center, window width and shape of a presentation state.
fn gray(state: &InMemDicomObject) -> [String; 5] {
    let window = item(state, tags::SOFTCOPY_VOILUT_SEQUENCE);
    let [slope, intercept, shape] =
        [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT, tags::PRESENTATION_LUT_SHAPE].map(|tag| word(state, tag));
    let [center, width] = [tags::WINDOW_CENTER, tags::WINDOW_WIDTH].map(|tag| word(window, tag));
    [slope, intercept, center, width, shape]
}

/// PS3.4 N.2: stored values go through the modality LUT of the state, then its window, then its presentation LUT.
#[test]
fn presentation_states_carry_the_gray_scale_of_their_images() {
    let plain = study(&[0.0, 4.0, 8.0], None);
    assert_eq!(gray(&plain.states(&[1])[0]), ["", "", "1500", "3000", "IDENTITY"]);
    let scaled = study(&[0.0, 4.0, 8.0], None);
    scaled.edit(|_, image| {
        put(image, tags::RESCALE_SLOPE, VR::DS, "2.5");
        put(image, tags::RESCALE_INTERCEPT, VR::DS, "-100");
    });
    assert_eq!(gray(&scaled.states(&[1])[0]), ["2.5", "-100", "1500", "3000", "IDENTITY"]);
    let inverted = study(&[0.0, 4.0, 8.0], None);
    inverted.edit(|_, image| {
        put(image, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
        put(image, tags::RESCALE_SLOPE, VR::DS, "0.5");
        put(image, tags::WINDOW_CENTER, VR::DS, "700");
    });
    // The window as the header has it: before the shape turns black into white.
    assert_eq!(gray(&inverted.states(&[1])[0]), ["0.5", "0", "700", "3000", "INVERSE"]);
    let fine = study(&[0.0, 4.0, 8.0], None);
    fine.edit(|_, image| {
        put(image, tags::RESCALE_SLOPE, VR::DS, "0.0001");
        put(image, tags::RESCALE_INTERCEPT, VR::DS, "0");
        put(image, tags::WINDOW_CENTER, VR::DS, "0.25");
        put(image, tags::WINDOW_WIDTH, VR::DS, "0.5");
    });
    let state = fine.states(&[1]).remove(0);
    assert_eq!(gray(&state), ["0.0001", "0", "0.25", "0.5", "IDENTITY"]);
    let window = item(&state, tags::SOFTCOPY_VOILUT_SEQUENCE);
    assert_eq!(word(window, tags::VOILUT_FUNCTION), "LINEAR_EXACT", "the plain function begins at a width of 1");
}

#[test]
fn images_of_several_gray_scales_get_a_state_each() {
    let study = study(&[0.0, 4.0, 8.0, 12.0], None);
    study.edit(|index, image| put(image, tags::RESCALE_SLOPE, VR::DS, ["1", "2", "1", "3"][index]));
    let states = study.states(&[0, 1]);
    let uids = study.series().instances.iter().map(|slice| slice.sop_instance_uid.clone()).collect::<Vec<_>>();
    let images = |state: &InMemDicomObject| {
        let series = item(state, tags::REFERENCED_SERIES_SEQUENCE);
        let images = series.get(tags::REFERENCED_IMAGE_SEQUENCE).and_then(DataElement::items).expect("images");
        images.iter().map(|image| word(image, tags::REFERENCED_SOP_INSTANCE_UID)).collect::<Vec<_>>()
    };
    assert_eq!(states.len(), 2, "the slice of slope 3 has no mark");
    assert_eq!(images(&states[0]), [uids[0].clone(), uids[2].clone()]);
    assert_eq!(images(&states[1]), [uids[1].clone()]);
    assert_eq!(states.iter().map(|state| gray(state)[0].clone()).collect::<Vec<_>>(), ["", "2"]);
    let number =
        |state: &DefaultDicomObject| (word(state, tags::SERIES_INSTANCE_UID), word(state, tags::INSTANCE_NUMBER));
    assert_eq!(number(&states[0]).0, number(&states[1]).0);
    assert_ne!(number(&states[0]).1, number(&states[1]).1);
}

#[test]
fn results_name_the_study_of_their_images_where_a_folder_holds_several() {
    let study = study(&[0.0, 4.0, 8.0, 12.0], None);
    let studies = [("1.2.1", "20230101"), ("1.2.2", "20240501")];
    study.edit(|index, image| {
        put(image, tags::STUDY_INSTANCE_UID, VR::UI, studies[index / 2].0);
        put(image, tags::STUDY_DATE, VR::DA, studies[index / 2].1);
    });
    let scan = scan_folder(&study.folder.path().join("study"), &CancelToken::default(), &mut |_| ()).expect("readable");
    assert_eq!(scan.series.len(), 2);
    for (series, (uid, date)) in scan.series.iter().zip(studies) {
        let context = ObjectContext::of_series(series, "several", moment()).expect("a study");
        let report = study.report(&context);
        let evidence = item(&report, tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE);
        let images = item(evidence, tags::REFERENCED_SERIES_SEQUENCE).get(tags::REFERENCED_SOP_SEQUENCE);
        let images = images.and_then(DataElement::items).expect("images").iter();
        let images: Vec<String> = images.map(|image| word(image, tags::REFERENCED_SOP_INSTANCE_UID)).collect();
        assert_eq!(
            (word(&report, tags::STUDY_INSTANCE_UID), word(&report, tags::STUDY_DATE)),
            (uid.into(), date.into())
        );
        assert_eq!(word(evidence, tags::STUDY_INSTANCE_UID), uid);
        assert!(images.iter().eq(series.instances.iter().map(|image| &image.sop_instance_uid)), "{images:?}");
    }
}

#[test]
fn times_are_those_of_the_zone_of_the_images() {
    let study = study(&[0.0, 4.0], None);
    for (zone, date, time) in
        [("+0900", "20261125", "033005"), ("-0330", "20261124", "150005"), ("+0000", "20261124", "183005")]
    {
        study.edit(|_, image| put(image, tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, zone));
        let report = study.report(&study.context("times"));
        for (tag, expected) in [
            (tags::TIMEZONE_OFFSET_FROM_UTC, zone),
            (tags::CONTENT_DATE, date),
            (tags::CONTENT_TIME, time),
            (tags::SERIES_DATE, date),
            (tags::INSTANCE_CREATION_TIME, time),
        ] {
            assert_eq!(word(&report, tag), expected);
        }
        let signed = item(&report, tags::VERIFYING_OBSERVER_SEQUENCE);
        assert_eq!(word(signed, tags::VERIFICATION_DATE_TIME), "20261124183000+0900", "the reader's clock");
    }
}

/// Without a zone in the images it is that of this machine, and the object says which.
#[test]
fn a_moment_stays_the_same_moment() {
    let study = study(&[0.0, 4.0], None);
    let report = study.report(&study.context("times"));
    let said = [tags::CONTENT_DATE, tags::CONTENT_TIME, tags::TIMEZONE_OFFSET_FROM_UTC].map(|tag| word(&report, tag));
    let read = DateTime::parse_from_str(&said.concat(), "%Y%m%d%H%M%S%z").expect("date, time and zone");
    assert_eq!(read.to_utc(), moment());
}

#[test]
fn patient_and_study_are_those_of_the_images() {
    let study = study(&[0.0, 4.0], None);
    let given = [
        (tags::ISSUER_OF_PATIENT_ID, VR::LO, "TRIAL OFFICE"),
        (tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES"),
        (tags::DEIDENTIFICATION_METHOD, VR::LO, "Basic profile"),
        (tags::CLINICAL_TRIAL_SPONSOR_NAME, VR::LO, "Sponsor"),
        (tags::CLINICAL_TRIAL_PROTOCOL_ID, VR::LO, "PROTOCOL-1"),
        (tags::CLINICAL_TRIAL_SUBJECT_ID, VR::LO, "SUBJECT-7"),
        (tags::CLINICAL_TRIAL_TIME_POINT_ID, VR::LO, "WEEK 12"),
        (tags::PATIENT_AGE, VR::AS, "045Y"),
        (tags::PATIENT_SIZE, VR::DS, "1.7"),
        (tags::PATIENT_WEIGHT, VR::DS, "70"),
        (tags::PHYSICIANS_OF_RECORD, VR::PN, "Who^Doctor"),
        (tags::ADMISSION_ID, VR::LO, "A-1"),
        (tags::OTHER_PATIENT_NAMES, VR::PN, "Alias^Ann\\Alias^Bea"),
    ];
    let coded = [tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, tags::PROCEDURE_CODE_SEQUENCE];
    study.edit(|_, image| {
        for (tag, vr, value) in given {
            put(image, tag, vr, value);
        }
        for tag in coded {
            let mut code = InMemDicomObject::new_empty();
            put(&mut code, tags::CODE_VALUE, VR::SH, "113100");
            put(&mut code, tags::CODE_MEANING, VR::LO, "Größe");
            image.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![code])));
        }
        put(image, tags::CLINICAL_TRIAL_SERIES_ID, VR::LO, "of the images' series");
    });
    let context = study.context("patient");
    for object in [study.report(&context), study.segmentation(&context, &[0])] {
        for (tag, _, value) in given {
            assert_eq!(word(&object, tag), value);
        }
        for tag in coded {
            assert_eq!(word(item(&object, tag), tags::CODE_MEANING), "Größe");
        }
        assert_eq!(word(&object, tags::CLINICAL_TRIAL_SERIES_ID), "", "it is of another series");
        assert_eq!(word(&object, tags::SPECIFIC_CHARACTER_SET), "ISO_IR 192");
    }
}

/// Puts bytes into a file in the place of others of the same number.
fn replace(path: &Path, old: &[u8], new: &[u8]) {
    let mut bytes = fs::read(path).expect("readable");
    let at = bytes.windows(old.len()).position(|window| window == old).expect("there");
    bytes[at..at + old.len()].copy_from_slice(new);
    fs::write(path, bytes).expect("written");
}

#[test]
fn names_in_code_extensions_arrive_in_utf_8() {
    let name = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf ";
    let study = study(&[0.0, 4.0], None);
    let (set, placeholder) = ("\\ISO 2022 IR 149", "N".repeat(name.len()));
    let standing = "S".repeat(set.len());
    study.edit(|_, image| {
        put(image, tags::SPECIFIC_CHARACTER_SET, VR::CS, &standing);
        put(image, tags::PATIENT_NAME, VR::PN, &placeholder);
        let mut other = InMemDicomObject::new_empty();
        put(&mut other, tags::PATIENT_ID, VR::LO, &placeholder);
        image.put(DataElement::new(tags::OTHER_PATIENT_I_DS_SEQUENCE, VR::SQ, DataSetSequence::from(vec![other])));
    });
    for path in &study.paths {
        replace(path, standing.as_bytes(), set.as_bytes());
        replace(path, placeholder.as_bytes(), name);
        replace(path, placeholder.as_bytes(), name);
    }
    let right = "Hong^Gildong=洪^吉洞=홍^길동";
    assert_eq!(study.series().texts.patient_name, right);
    let report = study.report(&study.context("names"));
    assert_eq!(word(&report, tags::PATIENT_NAME), right);
    assert_eq!(word(item(&report, tags::OTHER_PATIENT_I_DS_SEQUENCE), tags::PATIENT_ID), right);
    let bytes = fs::read(study.folder.path().join("object.dcm")).expect("written");
    assert!(bytes.windows(right.len()).any(|window| window == right.as_bytes()) && !bytes.contains(&0x1B));
}

/// Values of the content items with a concept, wherever in the tree.
fn contents(object: &InMemDicomObject, concept: &str, tag: Tag, found: &mut Vec<String>) {
    for item_of in object.get(tags::CONTENT_SEQUENCE).and_then(DataElement::items).unwrap_or_default() {
        let name = item_of.get(tags::CONCEPT_NAME_CODE_SEQUENCE).and_then(DataElement::items).and_then(<[_]>::first);
        if name.is_some_and(|name| word(name, tags::CODE_VALUE) == concept) {
            found.push(word(item_of, tag));
        }
        contents(item_of, concept, tag, found);
    }
}

#[test]
fn a_disc_and_a_device_keep_their_uids() {
    let study = study(&[0.0, 4.0], None);
    let of_report = |results: &str, concept| {
        let mut found = Vec::new();
        contents(&study.report(&study.context(results)), concept, tags::UID, &mut found);
        found
    };
    assert_eq!(of_report("first", "121012"), of_report("second", "121012"), "one device");
    let disc = of_report("first", "112040");
    assert_eq!(disc, of_report("second", "112040"), "one disc");
    let segmented = study.segmentation(&study.context("third"), &[0, 1]);
    let segment = item(&segmented, tags::SEGMENT_SEQUENCE);
    assert_eq!(disc, [word(segment, tags::TRACKING_UID)], "in grade and outline");
    let category = item(segment, tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE);
    assert_eq!(word(category, tags::CODE_VALUE), "91723000", "CID 7150");
}
