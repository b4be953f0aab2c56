//! No trace of a planted identity in de-identified copies, which stay the same images.

mod needs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
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
