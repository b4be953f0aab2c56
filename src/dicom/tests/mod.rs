mod beside;
mod choice;
mod contrast;
mod pixels;
mod rejoin;
mod stacks;

use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::value::{PixelFragmentSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::adapters::EncodeOptions;
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::{DefaultDicomObject, InMemDicomObject, open_file};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use glam::DVec3;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::warning::WarningCode;
use super::*;
use crate::task::CancelToken;
use crate::volume::{PlaneOrientation, Volume, VolumeGeometry, WindowLevel};

/// Four sagittal slices of 6 × 5 pixels with values that tell where they belong, `gaps` mm apart.
fn volume(gaps: &[f64]) -> Volume {
    let (slices, rows, columns) = (gaps.len() + 1, 6, 5);
    let mut origins = vec![DVec3::new(20.5, -60.25, 80.125)];
    for gap in gaps {
        origins.push(origins[origins.len() - 1] - DVec3::X * *gap);
    }
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 0.6, 0.75).unwrap();
    let values = (0..slices * rows * columns).map(|index| ((index * 977) % 65_536) as f32).collect();
    Volume::new(rows, columns, values, geometry).unwrap()
}

/// A folder with `volume` as a series.
fn written(volume: &Volume) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = write_series(folder.path(), volume, &SeriesHeader::synthetic_t2_sagittal("test")).unwrap();
    (folder, paths)
}

fn edit(path: &Path, change: impl FnOnce(&mut DefaultDicomObject)) {
    let mut object = open_file(path).unwrap();
    change(&mut object);
    object.write_to_file(path).unwrap();
}

fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: impl Into<PrimitiveValue>) {
    object.put(DataElement::new(tag, vr, value.into()));
}

fn scan(path: &Path) -> FolderScan {
    scan_folder(path, &CancelToken::default(), &mut |_| ()).unwrap()
}

fn load(series: &SeriesSummary) -> Result<Series, DicomError> {
    load_series(series, &CancelToken::default(), &mut |_| ())
}

fn codes(series: &SeriesSummary) -> Vec<&str> {
    series.warnings.iter().map(|warning| warning.code.as_str()).collect()
}

fn only_refusal(path: &Path) -> String {
    let scan = scan(path);
    assert!(scan.series.is_empty(), "the file must not open");
    scan.refused[0].reason.to_string()
}

#[test]
fn a_written_series_reads_back_bit_for_bit() {
    let original = volume(&[4.0, 4.5, 3.5]);
    let (folder, paths) = written(&original);
    assert_eq!(paths[0].file_name().unwrap(), "IM0001.dcm");
    let scan = scan(folder.path());
    let chosen = scan.t2_sagittal().unwrap();
    let series = load(chosen).unwrap();
    assert_eq!(*series.volume, original);
    assert_eq!(chosen.plane, Some(PlaneOrientation::Sagittal));
    assert_eq!(chosen.texts.patient_name, "Phantom^Lumbar");
    assert_eq!(chosen.texts.echo_time_ms, Some(100.0));
    let again = tempfile::tempdir().unwrap();
    write_series(again.path(), &original, &SeriesHeader::synthetic_t2_sagittal("test")).unwrap();
    let name = paths[2].file_name().unwrap();
    assert_eq!(
        fs::read(&paths[2]).unwrap(),
        fs::read(again.path().join(name)).unwrap(),
        "the same seed, the same bytes"
    );
}

#[test]
fn oblique_positions_survive_sixteen_characters() {
    let turn = glam::DQuat::from_euler(glam::EulerRot::XYZ, 0.123_456_789, -0.2, 0.05);
    let (column, row) = (turn * DVec3::Y, turn * -DVec3::Z);
    let origins = (0..3).map(|slice| DVec3::new(-41.1, 33.3, -512.7) + column.cross(row) * (f64::from(slice) * 4.4));
    let geometry = VolumeGeometry::new(origins.collect(), column, row, 1.0 / 3.0, 0.7).unwrap();
    let original = Volume::new(2, 2, (0..12u8).map(f32::from).collect(), geometry).unwrap();
    let (folder, _) = written(&original);
    let read = load(&scan(folder.path()).series[0]).unwrap();
    let (a, b) = (original.geometry(), read.volume.geometry());
    let far = [2.9, 500.0, 400.0];
    assert!((a.lps_from_voxel(far) - b.lps_from_voxel(far)).length() < 1e-8);
}

#[test]
fn values_that_do_not_fit_are_not_written() {
    let geometry = volume(&[]).geometry().clone();
    let negative = Volume::new(6, 5, vec![-1.0; 30], geometry).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let result = write_series(folder.path(), &negative, &SeriesHeader::synthetic_t2_sagittal("test"));
    assert!(matches!(result, Err(DicomError::Unwritable(_))));
}

#[test]
fn slices_are_sorted_by_position_whatever_their_numbers_and_names() {
    let original = volume(&[4.0; 3]);
    let (folder, paths) = written(&original);
    for (path, number) in paths.iter().zip(["3", "1", "4", "2"]) {
        edit(path, |object| put(object, tags::INSTANCE_NUMBER, VR::IS, number));
        fs::rename(path, folder.path().join(format!("slice{number}"))).unwrap();
    }
    let scan = scan(folder.path());
    assert_eq!(*load(&scan.series[0]).unwrap().volume, original);
    assert!(codes(&scan.series[0]).contains(&"anisotropic_pixels"));
}

#[test]
fn uneven_and_missing_slices_are_told() {
    let (folder, _) = written(&volume(&[4.0, 5.0, 4.0]));
    assert!(codes(&scan(folder.path()).series[0]).contains(&"uneven_slice_spacing"));
    let (folder, paths) = written(&volume(&[4.0; 5]));
    assert!(!codes(&scan(folder.path()).series[0]).contains(&"uneven_slice_spacing"));
    fs::remove_file(&paths[2]).unwrap();
    let scan = scan(folder.path());
    let warning = scan.series[0].warnings.iter().find(|warning| warning.is(WarningCode::MissingSlices)).unwrap();
    assert!(warning.message.starts_with("1 slices seem to be missing"), "{}", warning.message);
}

#[test]
fn missing_geometry_is_told_and_never_chosen() {
    let (folder, paths) = written(&volume(&[4.0]));
    for path in &paths {
        edit(path, |object| {
            object.remove_element(tags::IMAGE_POSITION_PATIENT);
            object.remove_element(tags::PIXEL_SPACING);
        });
    }
    let scan = scan(folder.path());
    assert_eq!(codes(&scan.series[0]), ["missing_position", "missing_pixel_spacing"]);
    assert!(scan.t2_sagittal().is_none());
    assert_eq!(load(&scan.series[0]).unwrap().volume.shape(), [2, 6, 5]);
}

/// Loads one slice whose stored samples and pixel attributes `change` sets.
fn voxels_after(samples: &[u16], change: impl FnOnce(&mut InMemDicomObject)) -> Series {
    let (folder, paths) = written(&volume(&[]));
    edit(&paths[0], |object| {
        let mut all = samples.to_vec();
        all.resize(30, 0);
        put(object, tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(all.into()));
        change(object);
    });
    load(&scan(folder.path()).series[0]).unwrap()
}

fn set_bits(object: &mut InMemDicomObject, stored: u16, signed: u16) {
    put(object, tags::BITS_STORED, VR::US, stored);
    put(object, tags::HIGH_BIT, VR::US, stored - 1);
    put(object, tags::PIXEL_REPRESENTATION, VR::US, signed);
}

#[test]
fn signs_are_extended_and_stray_high_bits_masked() {
    // 12 bits: 0x0FFF is -1, 0x0800 is -2048; bits 12 to 15 hold an overlay.
    let signed = voxels_after(&[0x0FFF, 0x0800, 0x07FF, 0xF001], |object| set_bits(object, 12, 1));
    assert_eq!(signed.volume.voxels()[..4], [-1.0, -2048.0, 2047.0, 1.0]);
    let unsigned = voxels_after(&[0x0FFF, 0x0800, 0x07FF, 0xF001], |object| set_bits(object, 12, 0));
    assert_eq!(unsigned.volume.voxels()[..4], [4095.0, 2048.0, 2047.0, 1.0]);
    let shifted = voxels_after(&[0xABC0], |object| {
        set_bits(object, 12, 0);
        put(object, tags::HIGH_BIT, VR::US, 15);
    });
    assert_eq!(shifted.volume.voxels()[0], 2748.0);
}

#[test]
fn dark_high_values_are_inverted_with_their_window_and_rescaled() {
    let series = voxels_after(&[0, 4095, 1000], |object| {
        set_bits(object, 12, 0);
        put(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
        put(object, tags::RESCALE_SLOPE, VR::DS, "2");
        put(object, tags::RESCALE_INTERCEPT, VR::DS, "-10");
        // Window around the stored value 1000.
        put(object, tags::WINDOW_CENTER, VR::DS, "1990");
        put(object, tags::WINDOW_WIDTH, VR::DS, "500");
    });
    assert_eq!(series.volume.voxels()[..3], [10.0, -8180.0, -1990.0]);
    assert_eq!(series.window, Some(WindowLevel { center: -1990.0, width: 500.0 }));
}

#[test]
fn eight_bit_pixels_are_read() {
    let series = voxels_after(&[0x0201, 0x0403], |object| {
        set_bits(object, 8, 0);
        put(object, tags::BITS_ALLOCATED, VR::US, 8_u16);
    });
    assert_eq!(series.volume.voxels()[..4], [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn promises_of_gigabytes_are_refused_at_once() {
    let (_folder, paths) = written(&volume(&[]));
    edit(&paths[0], |object| {
        put(object, tags::ROWS, VR::US, 65_535_u16);
        put(object, tags::COLUMNS, VR::US, 65_535_u16);
        put(object, tags::NUMBER_OF_FRAMES, VR::IS, "9999");
    });
    assert!(only_refusal(&paths[0]).starts_with("declares 9999 frames of 65535 x 65535 pixels"));
    edit(&paths[0], |object| {
        put(object, tags::ROWS, VR::US, 4096_u16);
        put(object, tags::COLUMNS, VR::US, 4096_u16);
        put(object, tags::NUMBER_OF_FRAMES, VR::IS, "2147483647");
    });
    assert!(only_refusal(&paths[0]).contains("truncated"));
    edit(&paths[0], |object| {
        let fragments = PixelFragmentSequence::new(vec![], vec![vec![0u8; 64]]);
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, fragments));
        object.update_meta(|meta| meta.transfer_syntax = uids::RLE_LOSSLESS.to_owned());
    });
    assert!(only_refusal(&paths[0]).contains("1 compressed fragments do not make 2147483647 frames"));
}

#[test]
fn lengths_beyond_the_file_are_refused_before_they_are_read() {
    let (folder, paths) = written(&volume(&[]));
    let bytes = fs::read(&paths[0]).unwrap();
    let at = bytes.windows(4).position(|window| window == [0x10, 0, 0x10, 0]).expect("patient name");
    let bomb = |header: &[u8]| {
        let path = folder.path().join("bomb.dcm");
        fs::write(&path, [&bytes[..at], header, &bytes[at..]].concat()).unwrap();
        only_refusal(&path)
    };
    // (0009,1010) OB of 4 GiB; a sequence that nests itself; an item in the middle of nowhere.
    assert!(bomb(&[9, 0, 0x10, 0x10, b'O', b'B', 0, 0, 0xF0, 0xFF, 0xFF, 0xFF]).contains("declares 4294967280 bytes"));
    let level = [
        [0x08, 0, 0x40, 0x11, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF].as_slice(),
        &[0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF],
    ]
    .concat();
    assert!(bomb(&level.repeat(1000)).contains("nests sequences deeper"));
    assert!(bomb(&[0x08, 0, 0x40, 0x11, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]).contains("broken sequence"));
}

#[test]
fn truncated_files_are_refused_with_the_numbers() {
    let (_folder, paths) = written(&volume(&[]));
    let bytes = fs::read(&paths[0]).unwrap();
    fs::write(&paths[0], &bytes[..bytes.len() - 10]).unwrap();
    assert_eq!(only_refusal(&paths[0]), "pixel data are truncated: expected 60 bytes, got 50");
    // Cut anywhere, a file is refused and nothing panics.
    for length in 0..bytes.len() {
        fs::write(&paths[0], &bytes[..length]).unwrap();
        assert!(scan(&paths[0]).series.is_empty(), "cut to {length} bytes");
    }
}

#[test]
fn files_without_preamble_or_meta_are_read() {
    let original = volume(&[]);
    let (folder, paths) = written(&original);
    let bytes = fs::read(&paths[0]).unwrap();
    let dataset = bytes.windows(6).position(|window| window == [8, 0, 5, 0, b'C', b'S']).expect("first element");
    for start in [128, 132, dataset] {
        fs::write(folder.path().join("IM0001.dcm"), &bytes[start..]).unwrap();
        assert_eq!(*load(&scan(folder.path()).series[0]).unwrap().volume, original, "from byte {start}");
    }
}

#[test]
fn deflated_and_implicit_files_are_read() {
    let original = volume(&[]);
    for syntax in [uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"] {
        let (folder, paths) = written(&original);
        edit(&paths[0], |object| object.update_meta(|meta| meta.transfer_syntax = syntax.to_owned()));
        assert_eq!(*load(&scan(folder.path()).series[0]).unwrap().volume, original, "{syntax}");
    }
}

#[test]
fn deflated_data_sets_may_not_explode() {
    let (_folder, paths) = written(&volume(&[]));
    edit(&paths[0], |object| {
        put(object, tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(vec![0; 32 << 20].into()));
        object.update_meta(|meta| meta.transfer_syntax = uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.to_owned());
    });
    assert!(only_refusal(&paths[0]).starts_with("deflated data set grows beyond"));
}

#[test]
fn baseline_jpeg_is_read_and_told_to_be_lossy() {
    let geometry = volume(&[]).geometry().clone();
    let smooth: Vec<f32> = (0..64 * 48).map(|index| (index % 48 + index / 48 * 2) as f32).collect();
    let (folder, paths) = written(&Volume::new(64, 48, smooth.clone(), geometry).unwrap());
    edit(&paths[0], |object| {
        set_bits(object, 8, 0);
        put(object, tags::BITS_ALLOCATED, VR::US, 8_u16);
        let bytes: Vec<u8> = smooth.iter().map(|value| *value as u8).collect();
        put(object, tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(bytes.into()));
        let syntax = TransferSyntaxRegistry.get(uids::JPEG_BASELINE8_BIT).unwrap();
        let mut stream = Vec::new();
        let writer = syntax.pixel_data_writer().unwrap();
        writer.encode_frame(&*object, 0, EncodeOptions::default(), &mut stream).unwrap();
        stream.resize(stream.len().next_multiple_of(2), 0);
        // Split in two, as long streams may be.
        let rest = stream.split_off(300);
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PixelFragmentSequence::new(vec![], vec![stream, rest])));
        object.update_meta(|meta| meta.transfer_syntax = uids::JPEG_BASELINE8_BIT.to_owned());
    });
    let series = load(&scan(folder.path()).series[0]).unwrap();
    assert!(series.warnings.iter().any(|warning| warning.is(WarningCode::LossyCompression)));
    let worst = smooth.iter().zip(series.volume.voxels()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 6.0, "pixels differ by up to {worst}");
}

#[test]
fn other_files_are_passed_over_and_reports_refused() {
    let (folder, paths) = written(&volume(&[4.0; 2]));
    fs::write(folder.path().join("notes.txt"), "not DICOM at all").unwrap();
    fs::write(folder.path().join("DICOMDIR"), "whatever").unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::rename(&paths[0], folder.path().join("sub/image")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), folder.path().join("sub/loop")).unwrap();
    edit(&paths[1], |object| {
        object.remove_element(tags::PIXEL_DATA);
    });
    let scan = scan(folder.path());
    assert_eq!((scan.passed_over, scan.refused.len(), scan.series[0].slices), (2, 1, 2), "an image without pixels");
    assert!(scan.refused[0].reason.to_string().starts_with("holds no image"));
    let debug = format!("{:?} {:?}", scan.series[0], scan.refused[0]);
    assert!(!debug.contains("Phantom") && !debug.contains("IM000"), "{debug}");
}

#[test]
fn broken_compressed_streams_are_refused_without_a_crash() {
    let Some(data) = crate::needs::data("dicom-conformance") else { return };
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.dcm");
    for (name, times) in [
        ("MR_small_RLE", 200),
        ("MR_small_jpeg_ls_lossless", 200),
        ("MR_small_jp2klossless", 200),
        ("fodicom_GH1339_spine_axial_jpegll_truncated", 30),
    ] {
        let whole = fs::read(data.join(format!("{name}.dcm"))).unwrap();
        for _ in 0..times {
            let mut bytes = whole.clone();
            for _ in 0..random.random_range(1..6) {
                let at = random.random_range(whole.len() - 4000..whole.len());
                bytes[at] = random.random();
            }
            fs::write(&path, &bytes).unwrap();
            // Either outcome is right; a crash or a volume of another shape is not.
            for series in &scan(&path).series {
                if let Ok(series) = load(series) {
                    let SeriesSummary { slices, rows, columns, .. } = series.summary;
                    assert_eq!(series.volume.shape(), [slices, rows, columns]);
                }
            }
        }
    }
}

fn zipped(path: &Path, entries: &[(&str, &[u8])]) {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(fs::File::create(path).expect("made"));
    for (name, bytes) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("whole");
}

#[test]
fn a_study_in_a_zip_file_opens_and_its_copy_is_gone_with_it() {
    let (made, paths) = written(&volume(&[4.0, 4.0]));
    let images: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).expect("readable")).collect();
    let zip = made.path().join("study.zip");
    // Names may lie, repeat, or say nothing.
    let names = ["a/IM1", "../../escape.dcm", "b/IM1"];
    let entries: Vec<(&str, &[u8])> = names.into_iter().zip(images.iter().map(Vec::as_slice)).collect();
    zipped(&zip, &entries);
    assert!(is_packed_study(&zip) && !is_packed_study(made.path()));
    let found = scan(&zip);
    let folder = found.unpacked.first().expect("unpacked").path().to_owned();
    assert_eq!((found.series.len(), found.series[0].slices, found.refused.len()), (1, 3, 0));
    let series = load(&found.series[0]).expect("loads");
    assert_eq!(*series.volume, volume(&[4.0, 4.0]));
    assert!(folder.exists() && !made.path().parent().expect("a folder").join("escape.dcm").exists());
    drop(found);
    assert!(!folder.exists(), "nothing of the patient stays behind");
}

#[test]
fn broken_and_bloated_zip_files_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let zip = folder.path().join("study.zip");
    let refusal = || match scan_folder(&zip, &CancelToken::default(), &mut |_| ()) {
        Err(error @ DicomError::Packed { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    fs::write(&zip, b"no archive").expect("written");
    assert!(refusal().contains("study.zip"));
    zipped(&zip, &[("zeros", &vec![0; 30 << 20])]);
    assert!(zip.metadata().expect("there").len() < 100_000);
    assert!(refusal().contains("more than any study"));
}

#[test]
fn a_dicomdir_stands_for_the_folder_that_it_lies_in() {
    let (made, _) = written(&volume(&[4.0]));
    let list = made.path().join("DICOMDIR");
    fs::write(&list, b"what it lists is not asked").expect("written");
    assert_eq!(scan(&list).series[0].slices, 2);
}

#[test]
fn series_are_told_before_all_files_are_read() {
    let (made, paths) = written(&volume(&[4.0; 39]));
    let mut found = Vec::new();
    let mut on_series = |series: Vec<SeriesSummary>| found.push(series);
    let cancel = CancelToken::default();
    let scan = scan_folder_listing(made.path(), &cancel, &mut |_| (), &mut on_series).expect("readable");
    assert_eq!((paths.len(), scan.series[0].slices), (40, 40));
    assert_eq!(found.len(), 1, "once, after the first files");
    assert_eq!((found[0].len(), found[0][0].slices), (1, 32));
    assert!(found[0][0].choice.is_chosen, "what will be read is known");
}
