//! No trace of a planted identity in de-identified copies, which stay the same images.

mod needs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dicom_core::value::{DataSetSequence, PixelFragmentSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, open_file};
use spinenet_viewer::dicom::{Series, SeriesHeader, load_series, scan_folder, write_series};
use spinenet_viewer::phantom::Phantom;
use spinenet_viewer::task::CancelToken;

/// What must not be found in the copies, in any element, nested or private.
const PLANTED: [&str; 9] =
    ["Mustermann", "Erika", "4711-XYZ", "19610517", "20240229", "Klinikum", "Secretprotocol", "Secretary", "SN-0815"];

fn plant(folder: &Path) {
    let mut header = SeriesHeader::synthetic_t2_sagittal("planted identity");
    "Mustermann^Erika".clone_into(&mut header.texts.patient_name);
    "4711-XYZ".clone_into(&mut header.texts.patient_id);
    "19610517".clone_into(&mut header.texts.patient_birth_date);
    "20240229".clone_into(&mut header.texts.study_date);
    "Klinikum Beispiel".clone_into(&mut header.texts.institution);
    "LWS Mustermann".clone_into(&mut header.texts.study_description);
    "Secretprotocol".clone_into(&mut header.texts.protocol);
    let paths = write_series(folder, &Phantom::generate(3).volume, &header).expect("written");
    for path in paths {
        let mut file = open_file(&path).expect("readable");
        let mut put = |tag: Tag, vr: VR, value: &str| {
            file.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        };
        put(tags::OPERATORS_NAME, VR::PN, "Secretary^Bob");
        put(tags::DEVICE_SERIAL_NUMBER, VR::LO, "SN-0815");
        put(tags::ACQUISITION_DATE_TIME, VR::DT, "20240229101500");
        put(tags::IMAGE_COMMENTS, VR::LT, "Frau Mustermann, geb. 19610517");
        put(Tag(0x0009, 0x0010), VR::LO, "Klinikum private");
        put(Tag(0x0009, 0x1001), VR::LO, "Erika");
        put(Tag(0x6000, 0x4000), VR::LT, "Erika in an overlay");
        let mut request = InMemDicomObject::new_empty();
        request.put(DataElement::new(tags::REQUESTING_PHYSICIAN, VR::PN, PrimitiveValue::from("Mustermann^Karl")));
        file.put(DataElement::new(tags::REQUEST_ATTRIBUTES_SEQUENCE, VR::SQ, DataSetSequence::from(vec![request])));
        file.write_to_file(&path).expect("written");
    }
    fs::rename(folder.join("IM0001.dcm"), folder.join("Mustermann_Erika.dcm")).expect("renamed");
}

fn anonymize(folder: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinenet"));
    command.arg("anonymize").arg(folder).arg("--out").arg(out).args(more);
    command.output().expect("the program starts")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

fn load(folder: &Path) -> Series {
    let scan = scan_folder(folder, &CancelToken::default(), &mut |_| ()).expect("readable");
    assert_eq!(scan.series.len(), 1, "one series stays one series");
    load_series(scan.t2_sagittal().expect("still T2"), &CancelToken::default(), &mut |_| ()).expect("decodable")
}

#[test]
fn no_planted_identity_is_left_and_the_images_are_the_same() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    plant(&source);
    let output = anonymize(&source, &out, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("PatientName in ") && said.contains("InstitutionName in "), "{said}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("burned into their pixels"));
    let copies = files(&out);
    assert_eq!(copies.len(), files(&source).len());
    for copy in &copies {
        let bytes = fs::read(copy).expect("readable");
        let text = String::from_utf8_lossy(&bytes);
        for planted in PLANTED {
            assert!(!text.contains(planted), "{planted} is left");
            assert!(!copy.file_name().expect("a name").to_string_lossy().contains(planted));
        }
        let old: [&str; 2] = ["PatientIdentityRemoved", "DeidentificationMethodCodeSequence"];
        let object = open_file(copy).expect("readable");
        assert!(old.iter().all(|name| object.element_by_name(name).is_ok()));
        assert!(object.iter().all(|element| element.header().tag.group() % 2 == 0), "no private attribute");
    }
    let (before, after) = (load(&source), load(&out));
    assert_eq!(before.volume, after.volume, "pixels and geometry stay");
    assert_ne!(before.summary.study_instance_uid, after.summary.study_instance_uid);
    assert_ne!(before.summary.frame_of_reference_uid, after.summary.frame_of_reference_uid);
    let again = anonymize(&source, &out, &[]);
    assert!(!again.status.success(), "copies of two runs must not mix");
    if let Some(mut dciodvfy) = needs::program("dciodvfy", "dicom3tools") {
        let output = dciodvfy.arg("-new").arg(&copies[0]).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("Error")).collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
}

#[test]
fn a_secret_gives_the_same_copies_and_another_one_others() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let source = place.path().join("source");
    plant(&source);
    let secret = |name: &str, text: &str| {
        let file = place.path().join(name);
        fs::write(&file, text).expect("writable");
        file.to_str().expect("a UTF-8 path").to_owned()
    };
    let (first, other) = (secret("a", "correct horse battery"), secret("b", "staple correct horse"));
    let copy = |name: &str, secret: &str| {
        let out = place.path().join(name);
        let output = anonymize(&source, &out, &["--secret", secret]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(&files(&out)[0]).expect("readable")
    };
    assert_eq!(copy("one", &first), copy("two", &first));
    assert_ne!(copy("three", &other), copy("four", &first));
    let short = secret("c", "short");
    assert!(!anonymize(&source, &place.path().join("five"), &["--secret", &short]).status.success());
}

#[test]
fn real_studies_stay_the_same_images_whatever_their_encoding() {
    let Some(cases) = needs::data("dicom") else { return };
    for case in files(&cases).into_iter().filter(|path| path.is_dir()) {
        let place = tempfile::tempdir().expect("a temporary folder");
        let out = place.path().join("out");
        let output = anonymize(&case, &out, &["--quiet"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(load(&case).volume, load(&out).volume, "{}", case.display());
    }
}

#[test]
fn pictures_of_screens_are_left_out_with_the_reason() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    plant(&source);
    let images = files(&source);
    let pictures = [
        ("capture", (tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE)),
        ("image type", (tags::IMAGE_TYPE, VR::CS, "DERIVED\\SECONDARY\\SCREEN SAVE")),
        ("description", (tags::SERIES_DESCRIPTION, VR::LO, "Bildschirmfoto")),
    ];
    for (name, (tag, vr, value)) in pictures {
        let mut file = open_file(&images[0]).expect("readable");
        file.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        file.write_to_file(source.join(format!("{name}.dcm"))).expect("written");
    }
    let output = anonymize(&source, &out, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files(&out).len(), images.len(), "the scan alone: {said}");
    assert!(said.contains("1 files left out: pixels are not supported: they were captured"), "{said}");
    assert!(said.contains("2 files left out: pixels are not supported: they are a copy of a screen"), "{said}");
}

/// Four frames of JPEG-LS in two fragments each, found by the basic offset table, as an Enhanced MR object.
fn enhanced(folder: &Path) {
    let (rows, columns, frames) = (40_u16, 30_u16, 4_u16);
    let header = SeriesHeader::synthetic_t2_sagittal("fragments");
    let first =
        write_series(&folder.join("classic"), &Phantom::generate(3).volume, &header).expect("written").remove(0);
    let mut object = open_file(&first).expect("readable");
    fs::remove_dir_all(folder.join("classic")).expect("removed");
    let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
        object.put(DataElement::new(tag, vr, value));
    };
    for tag in [tags::ROWS, tags::COLUMNS] {
        put(tag, VR::US, if tag == tags::ROWS { rows } else { columns }.into());
    }
    put(tags::SOP_CLASS_UID, VR::UI, uids::ENHANCED_MR_IMAGE_STORAGE.into());
    put(tags::NUMBER_OF_FRAMES, VR::IS, frames.to_string().into());
    let item = |elements: Vec<(Tag, VR, PrimitiveValue)>| {
        let mut item = InMemDicomObject::new_empty();
        for (tag, vr, value) in elements {
            item.put(DataElement::new(tag, vr, value));
        }
        item
    };
    let sequence = |tag: Tag, items: Vec<InMemDicomObject>| DataElement::new(tag, VR::SQ, DataSetSequence::from(items));
    let text = |value: &str| PrimitiveValue::from(value);
    let at = |tag: Tag| PrimitiveValue::Tags([tag].into_iter().collect());
    let organization = item(vec![(tags::DIMENSION_ORGANIZATION_UID, VR::UI, text("1.2.3.4"))]);
    let index = item(vec![
        (tags::DIMENSION_ORGANIZATION_UID, VR::UI, text("1.2.3.4")),
        (tags::DIMENSION_INDEX_POINTER, VR::AT, at(tags::IMAGE_POSITION_PATIENT)),
        (tags::FUNCTIONAL_GROUP_POINTER, VR::AT, at(tags::PLANE_POSITION_SEQUENCE)),
        (tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, text("Klinikum")),
    ]);
    let region = item(vec![
        (tags::CODE_VALUE, VR::SH, text("122496007")),
        (tags::CODING_SCHEME_DESIGNATOR, VR::SH, text("SCT")),
        (tags::CODE_MEANING, VR::LO, text("Lumbar spine")),
    ]);
    let private = item(vec![
        (tags::CODE_VALUE, VR::SH, text("SN-0815")),
        (tags::CODING_SCHEME_DESIGNATOR, VR::SH, text("99KLINIK")),
        (tags::CODE_MEANING, VR::LO, text("Secretprotocol")),
    ]);
    let mut anatomy = item(vec![(tags::FRAME_LATERALITY, VR::CS, text("U"))]);
    anatomy.put(sequence(tags::ANATOMIC_REGION_SEQUENCE, vec![region, private]));
    let mut shared = InMemDicomObject::new_empty();
    shared.put(sequence(tags::FRAME_ANATOMY_SEQUENCE, vec![anatomy]));
    let frame = |number: u16| {
        let position = format!("{}\\-60\\80", 4 * number);
        let content = item(vec![
            (tags::FRAME_ACQUISITION_DATE_TIME, VR::DT, text("20240229101500")),
            (tags::DIMENSION_INDEX_VALUES, VR::UL, u32::from(number + 1).into()),
            (tags::STACK_ID, VR::SH, text("2")),
        ]);
        let mut groups = InMemDicomObject::new_empty();
        groups.put(sequence(tags::FRAME_CONTENT_SEQUENCE, vec![content]));
        let place = item(vec![(tags::IMAGE_POSITION_PATIENT, VR::DS, text(&position))]);
        groups.put(sequence(tags::PLANE_POSITION_SEQUENCE, vec![place]));
        groups
    };
    object.put(DataElement::new(tags::DEVICE_SERIAL_NUMBER, VR::LO, text("SN-0815")));
    object.put(DataElement::new(tags::PRESENTATION_LUT_SHAPE, VR::CS, text("IDENTITY")));
    let circumstance = item(vec![(tags::TEXT_VALUE, VR::UT, text("Frau Mustermann"))]);
    object.put(sequence(tags::ACQUISITION_CONTEXT_SEQUENCE, vec![circumstance]));
    object.put(sequence(tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![organization]));
    object.put(sequence(tags::DIMENSION_INDEX_SEQUENCE, vec![index]));
    object.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared]));
    object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, (0..frames).map(frame).collect()));
    let (mut offsets, mut fragments, mut offset) = (Vec::new(), Vec::new(), 0);
    for frame in 0..frames {
        let pixels: Vec<u16> = (0..rows * columns).map(|pixel| pixel % 97 * (frame + 1)).collect();
        let mut stream = Vec::new();
        jpegls::encode(&pixels, columns.into(), rows.into(), &mut stream).expect("to memory");
        stream.resize(stream.len().next_multiple_of(4), 0);
        offsets.push(offset);
        for half in stream.chunks(stream.len() / 2) {
            offset += half.len() as u32 + 8;
            fragments.push(half.to_vec());
        }
    }
    let value: Value<InMemDicomObject, Vec<u8>> = PixelFragmentSequence::new(offsets, fragments).into();
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, value));
    uids::JPEGLS_LOSSLESS.clone_into(&mut object.meta_mut().transfer_syntax);
    uids::ENHANCED_MR_IMAGE_STORAGE.clone_into(&mut object.meta_mut().media_storage_sop_class_uid);
    object.meta_mut().update_information_group_length();
    object.write_to_file(folder.join("enhanced.dcm")).expect("written");
}

#[test]
fn frames_in_several_fragments_stay_readable_and_keep_their_dimensions() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    fs::create_dir(&source).expect("a folder");
    enhanced(&source);
    let output = anonymize(&source, &out, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let load = |folder: &Path| {
        let scan = scan_folder(folder, &CancelToken::default(), &mut |_| ()).expect("readable");
        load_series(&scan.series[0], &CancelToken::default(), &mut |_| ()).expect("decodable").volume
    };
    let (before, after) = (load(&source), load(&out));
    assert_eq!(before.slices(), 4);
    let mut values: Vec<f32> = (0..4).map(|slice| before.slice(slice)[5]).collect();
    values.sort_by(f32::total_cmp);
    assert_eq!(values, [5.0, 10.0, 15.0, 20.0], "a frame each");
    assert_eq!(before, after);
    let copy = open_file(&files(&out)[0]).expect("readable");
    let item = |object: &InMemDicomObject, tag: Tag| -> InMemDicomObject {
        object.get(tag).and_then(DataElement::items).expect("a sequence")[0].clone()
    };
    let index = item(&copy, tags::DIMENSION_INDEX_SEQUENCE);
    assert!(
        index.get(tags::DIMENSION_INDEX_POINTER).is_some() && index.get(tags::DIMENSION_DESCRIPTION_LABEL).is_none()
    );
    let uid = |object: &InMemDicomObject| {
        object.get(tags::DIMENSION_ORGANIZATION_UID).and_then(|uid| uid.to_str().ok()).expect("a UID").into_owned()
    };
    assert_eq!(uid(&index), uid(&item(&copy, tags::DIMENSION_ORGANIZATION_SEQUENCE)));
    assert_ne!(uid(&index), "1.2.3.4");
    let frame = item(&item(&copy, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE), tags::FRAME_CONTENT_SEQUENCE);
    assert_eq!(frame.get(tags::STACK_ID).and_then(|stack| stack.to_str().ok()).as_deref(), Some("2"));
    // What such images must have stands there, with a value that tells nothing.
    let value = |object: &InMemDicomObject, tag: Tag| {
        object.get(tag).map(|element| element.to_str().expect("a text").into_owned())
    };
    assert_eq!(value(&frame, tags::FRAME_ACQUISITION_DATE_TIME).as_deref(), Some("19000101000000"));
    assert_eq!(value(&copy, tags::DEVICE_SERIAL_NUMBER).as_deref(), Some("REMOVED"));
    assert_eq!(value(&copy, tags::PRESENTATION_LUT_SHAPE).as_deref(), Some("IDENTITY"));
    let circumstances = copy.get(tags::ACQUISITION_CONTEXT_SEQUENCE).and_then(DataElement::items);
    assert_eq!(circumstances.map(<[_]>::len), Some(0));
    let anatomy = item(&item(&copy, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE), tags::FRAME_ANATOMY_SEQUENCE);
    let meaning = item(&anatomy, tags::ANATOMIC_REGION_SEQUENCE);
    assert_eq!(meaning.get(tags::CODE_MEANING).and_then(|text| text.to_str().ok()).as_deref(), Some("Lumbar spine"));
    let bytes = fs::read(&files(&out)[0]).expect("readable");
    let text = String::from_utf8_lossy(&bytes);
    assert!(PLANTED.iter().all(|planted| !text.contains(planted)));
}

/// A value of the kind that names somebody, some place or some time.
fn telling_value(vr: VR) -> Option<PrimitiveValue> {
    let text = match vr {
        VR::AE | VR::SH | VR::LO | VR::LT | VR::ST | VR::UT | VR::UC | VR::UR => "PLANTED",
        VR::PN => "PLANTED^Name",
        VR::AS => "061Y",
        VR::DA => "19610517",
        VR::DT => "19610517101500",
        VR::TM => "101517",
        VR::UI => "1.2.3.4711.20240229",
        _ => return None,
    };
    Some(PrimitiveValue::from(text))
}

#[test]
fn of_all_attributes_of_the_standard_no_text_date_or_uid_is_left() {
    use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
    let place = tempfile::tempdir().expect("a temporary folder");
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    let header = SeriesHeader::synthetic_t2_sagittal("every attribute");
    let paths = write_series(&source, &Phantom::generate(3).volume, &header).expect("written");
    let mut file = open_file(&paths[0]).expect("readable");
    let structural =
        [tags::SPECIFIC_CHARACTER_SET, tags::SOP_CLASS_UID, tags::MANUFACTURER, tags::MANUFACTURER_MODEL_NAME];
    // Texts that name a sequence of pulses, which the program needs.
    let harmless = [tags::SEQUENCE_NAME, tags::PULSE_SEQUENCE_NAME];
    let mut planted = 0;
    for group in
        [0x0008, 0x0010, 0x0012, 0x0014, 0x0018, 0x0020, 0x0028, 0x0032, 0x0038, 0x0040, 0x0054, 0x0070, 0x0400]
    {
        for number in 1..=u16::MAX {
            let tag = Tag(group, number);
            let Some(entry) = dicom_dictionary_std::StandardDataDictionary.by_tag(tag) else { continue };
            if let Some(value) = telling_value(entry.vr().relaxed())
                && !structural.contains(&tag)
                && !harmless.contains(&tag)
            {
                file.put(DataElement::new(tag, entry.vr().relaxed(), value));
                planted += 1;
            }
        }
    }
    file.write_to_file(&paths[0]).expect("written");
    assert!(planted > 600, "{planted} attributes");
    let output = anonymize(&source, &out, &["--quiet"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for copy in files(&out) {
        let object = open_file(&copy).expect("readable");
        for element in object.iter() {
            let text = element.to_str().unwrap_or_default();
            // New UIDs are long random numbers, in which any short one comes up now and then.
            let traces: &[&str] = match element.header().vr() {
                VR::UI => &["1.2.3.4711"],
                _ => &["PLANTED", "061Y", "19610517", "101517"],
            };
            for trace in traces {
                assert!(!text.contains(trace), "{} is left in {}", trace, element.header().tag);
            }
        }
    }
}
