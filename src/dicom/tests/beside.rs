//! What lies beside the images of a study, in folders and ZIP files.

use std::fs;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::{WarningCode, codes, edit, put, scan, volume, written, zipped};

#[test]
fn objects_beside_the_images_are_no_failures() {
    let (folder, paths) = written(&volume(&[4.0; 2]));
    let private = "1.3.46.670589.11.0.0.12.2";
    for (sop_class, bits) in [
        (uids::RAW_DATA_STORAGE, None),
        (private, None),
        (uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE, None),
        (uids::ENHANCED_SR_STORAGE, None),
        (uids::ENCAPSULATED_PDF_STORAGE, None),
        (uids::PARAMETRIC_MAP_STORAGE, None),
        (uids::SEGMENTATION_STORAGE, Some(1_u16)),
        (uids::SECONDARY_CAPTURE_IMAGE_STORAGE, Some(32)),
    ] {
        let path = folder.path().join(format!("beside-{sop_class}.dcm"));
        fs::copy(&paths[0], &path).unwrap();
        edit(&path, |object| {
            put(object, tags::SOP_CLASS_UID, VR::UI, sop_class);
            object.update_meta(|meta| meta.media_storage_sop_class_uid = sop_class.to_owned());
            match bits {
                Some(bits) => put(object, tags::BITS_ALLOCATED, VR::US, bits),
                None => {
                    object.remove_element(tags::PIXEL_DATA);
                }
            }
        });
    }
    // A copy of a screen that calls itself an MR image.
    let colored = folder.path().join("colored.dcm");
    fs::copy(&paths[0], &colored).unwrap();
    edit(&colored, |object| {
        put(object, tags::SAMPLES_PER_PIXEL, VR::US, 3_u16);
        put(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB");
    });
    let scan = scan(folder.path());
    assert_eq!((scan.passed_over, scan.refused.len(), scan.warnings.len()), (9, 0, 0), "{:?}", scan.refused);
    assert_eq!((scan.series.len(), scan.series[0].slices), (1, 3));
}

#[test]
fn a_zip_file_from_a_mac_holds_the_study_alone() {
    let (made, paths) = written(&volume(&[4.0; 2]));
    let images: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let twin = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ";
    let long = format!("{}.dcm", "Ä".repeat(300));
    let mut entries: Vec<(String, &[u8])> = Vec::new();
    for (name, image) in ["IM1.dcm", "IM2.dcm", &long].into_iter().zip(&images) {
        entries.push((format!("study/{name}"), image));
        entries.push((format!("__MACOSX/study/._{name}"), twin));
        entries.push((format!("study/._{name}"), twin));
    }
    entries.push(("study/.DS_Store".to_owned(), b"Bud1"));
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let zip = made.path().join("study.zip");
    zipped(&zip, &entries);
    let scan = scan(&zip);
    assert_eq!((scan.series.len(), scan.series[0].slices), (1, 3));
    assert_eq!((scan.refused.len(), scan.passed_over, scan.warnings.len()), (0, 0, 0));
}

#[test]
fn zip_files_in_a_folder_are_named() {
    let (folder, _) = written(&volume(&[4.0; 2]));
    zipped(&folder.path().join("other.zip"), &[("a", b"b")]);
    let scan = scan(folder.path());
    let warning = &scan.warnings[0];
    assert!(warning.is(WarningCode::PackedFiles) && warning.message.contains("open each of them by itself"));
    assert!(codes(&scan.series[0]).iter().all(|code| *code != "refused_files"));
}
