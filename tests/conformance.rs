//! Every file of the conformance collection opens with the right pixels or is refused with the reason, and the study
//! folders open with the right geometry and pixels.

mod needs;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use candle_core::Device;
use glam::DVec3;
use spinenet_viewer::detection::{DetectionError, Detector};
use spinenet_viewer::dicom::{DicomError, FolderScan, Series, Weighting, load_series, scan_folder};
use spinenet_viewer::task::CancelToken;
use spinenet_viewer::volume::PlaneOrientation;

/// Longest time that a file may take.
const LONGEST: Duration = Duration::from_secs(2);

/// The tests share one pool of threads; taking turns keeps their times apart.
static TURN: Mutex<()> = Mutex::new(());

fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What becomes of a file.
enum Expected {
    /// Stacks × slices × rows × columns; smallest and largest voxel; sum of all.
    Opens([usize; 4], f32, f32, f64),
    /// Words that the reason must contain.
    Refused(&'static str),
}

const fn opens(shape: [usize; 4], min: f32, max: f32, sum: f64) -> Expected {
    Expected::Opens(shape, min, max, sum)
}

const fn refused(reason: &'static str) -> Expected {
    Expected::Refused(reason)
}

/// Voxels as pydicom 3.0 with pylibjpeg gives them:
/// ```python
/// ds = pydicom.dcmread(path, force=True)  # final delimiter appended where only that is missing
/// a = ds.pixel_array.astype(float) * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
/// print(a.shape, a.min(), a.max(), a.sum())
/// ```
const FILES: &[(&str, Expected)] = &[
    ("CT_small.dcm", opens([1, 1, 128, 128], -896.0, 1167.0, -1_950_906.0)),
    ("ExplVR_BigEnd.dcm", refused("3 samples per pixel, RGB")),
    ("ExplVR_BigEndNoMeta.dcm", refused("holds no image")),
    ("ExplVR_LitEndNoMeta.dcm", refused("holds no image")),
    ("MR-SIEMENS-DICOM-WithOverlays.dcm", opens([1, 1, 484, 484], 0.0, 1123.0, 28_033_480.0)),
    ("MR2_J2KI.dcm", opens([1, 1, 1024, 1024], 0.000_061, 2264.4685, 297_341_684.236)),
    ("MR2_J2KR.dcm", opens([1, 1, 1024, 1024], 0.000_061, 2245.598, 297_139_221.891)),
    ("MR2_UNCI.dcm", opens([1, 1, 1024, 1024], 0.000_061, 2264.4685, 297_341_684.236)),
    ("MR2_UNCR.dcm", opens([1, 1, 1024, 1024], 0.000_061, 2245.598, 297_139_221.891)),
    ("MR_small.dcm", opens([1, 1, 64, 64], 127.0, 2145.0, 2_125_338.0)),
    ("MR_small_RLE.dcm", opens([1, 1, 64, 64], 127.0, 2145.0, 2_125_338.0)),
    ("MR_small_bigendian.dcm", opens([1, 1, 64, 64], 127.0, 2145.0, 2_125_338.0)),
    ("MR_small_expb.dcm", opens([1, 1, 64, 64], 127.0, 2145.0, 2_125_338.0)),
    ("MR_small_implicit.dcm", opens([1, 1, 64, 64], 127.0, 2145.0, 2_125_338.0)),
    ("MR_small_jp2klossless.dcm", opens([1, 1, 64, 64], 127.0, 2145.0, 2_125_338.0)),
    ("MR_small_jpeg_ls_lossless.dcm", opens([1, 1, 64, 64], 127.0, 2145.0, 2_125_338.0)),
    ("MR_small_padded.dcm", opens([1, 1, 64, 64], 127.0, 2145.0, 2_125_338.0)),
    ("MR_truncated.dcm", refused("truncated: expected 8192 bytes, got 8130")),
    ("README.txt", refused("not a DICOM file")),
    ("badVR.dcm", refused("32 bits allocated")),
    ("bad_sequence.dcm", opens([1, 1, 512, 512], -1011.0, 1243.0, -20_086_954.0)),
    ("dcm_qa_enh_SiemensXA10_enhMR.dcm", opens([1, 6, 64, 64], 0.0, 1199.0, 2_516_181.0)),
    ("empty_charset_LEI.dcm", refused("holds no image")),
    ("emri_small.dcm", opens([1, 10, 64, 64], 0.0, 467.0, 4_493_276.0)),
    ("emri_small_RLE.dcm", opens([1, 10, 64, 64], 0.0, 467.0, 4_493_276.0)),
    ("emri_small_big_endian.dcm", opens([1, 10, 64, 64], 0.0, 467.0, 4_493_276.0)),
    ("emri_small_jpeg_2k_lossless.dcm", opens([1, 10, 64, 64], 0.0, 467.0, 4_493_276.0)),
    // Both lack the final delimiter only: every frame is whole.
    ("emri_small_jpeg_2k_lossless_too_short.dcm", opens([1, 10, 64, 64], 0.0, 467.0, 4_493_276.0)),
    ("emri_small_jpeg_ls_lossless.dcm", opens([1, 10, 64, 64], 0.0, 467.0, 4_493_276.0)),
    ("explicit_VR-UN.dcm", opens([1, 1, 512, 512], -1024.0, 1186.0, -175_887_460.0)),
    ("fodicom_GH1339_spine_axial_jpegll_truncated.dcm", opens([1, 1, 320, 320], 0.0, 819.0, 13_863_935.0)),
    // Nineteen points in time of one slice.
    ("fodicom_MOVEKNEE_enhMR.dcm", opens([19, 1, 256, 256], 0.0, 4095.0, 574_098_013.0)),
    ("meta_missing_tsyntax.dcm", refused("names no transfer syntax")),
    ("no_meta.dcm", refused("not a DICOM file")),
    ("no_meta_group_length.dcm", refused("holds no image")),
    ("rtplan_truncated.dcm", refused("declares 976 bytes where 711 remain")),
];

fn scan(path: &Path) -> FolderScan {
    scan_folder(path, &CancelToken::default(), &mut |_| ()).expect("the path can be read")
}

fn load_all(scan: &FolderScan) -> Result<Vec<Series>, DicomError> {
    scan.series.iter().map(|series| load_series(series, &CancelToken::default(), &mut |_| ())).collect()
}

/// What is wrong with the outcome for one file; `None` if it is as expected.
fn complaint(path: &Path, expected: &Expected) -> Option<String> {
    let scan = scan(path);
    let loaded = load_all(&scan);
    match (expected, scan.refused.first(), loaded) {
        (Expected::Refused(words), Some(refused), _) => {
            let reason = refused.reason.to_string();
            (!reason.contains(words)).then(|| format!("refused because it {reason}, not because of {words}"))
        }
        (Expected::Refused(words), None, _) => Some(format!("opened, although {words}")),
        (Expected::Opens(..), Some(refused), _) => Some(format!("refused: it {}", refused.reason)),
        (Expected::Opens(..), None, Err(error)) => Some(error.to_string()),
        (Expected::Opens(shape, min, max, sum), None, Ok(loaded)) => {
            let first = loaded.first()?.volume.shape();
            let got_shape = [loaded.len(), first[0], first[1], first[2]];
            let voxels = || loaded.iter().flat_map(|series| series.volume.voxels()).copied();
            let got_sum: f64 = voxels().map(f64::from).sum();
            let (got_min, got_max) = voxels().fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(v), b.max(v)));
            let agrees = got_shape == *shape
                && (got_min - min).abs() < 1e-3
                && (got_max - max).abs() < 1e-3
                && (got_sum - sum).abs() <= sum.abs() * 1e-8;
            (!agrees).then(|| format!("{got_shape:?}, {got_min} to {got_max}, sum {got_sum}"))
        }
    }
}

#[test]
fn conformance_files_open_or_are_refused_with_the_reason() {
    let Some(folder) = needs::data("dicom-conformance") else { return };
    let _turn = my_turn();
    let mut complaints = Vec::new();
    for (name, expected) in FILES {
        // The best of up to three attempts counts, since other work may hold up any one of them.
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            if let Some(complaint) = complaint(&folder.join(name), expected) {
                complaints.push(format!("{name}: {complaint}"));
                break;
            }
            best = best.min(start.elapsed());
            if best < LONGEST {
                break;
            }
        }
        if best >= LONGEST {
            complaints.push(format!("{name}: took longer than {LONGEST:?}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let files = std::fs::read_dir(&folder).expect("readable folder").count();
    assert_eq!(files, FILES.len(), "the table must name every file of the collection");
}

#[test]
fn the_whole_collection_scans_as_one_folder() {
    let Some(folder) = needs::data("dicom-conformance") else { return };
    let _turn = my_turn();
    let scan = scan(&folder);
    let openable = FILES.iter().filter(|(_, expected)| matches!(expected, Expected::Opens(..))).count();
    let files: std::collections::BTreeSet<_> =
        scan.series.iter().flat_map(|series| series.instances.iter().map(|instance| &instance.path)).collect();
    // Copies of one image in several encodings lie at one position; one is kept, and a warning tells.
    assert!(files.len() <= openable && scan.series.len() >= 10, "{} files, {} series", files.len(), scan.series.len());
    // README.txt is no DICOM file; an ultrasound image in color, two plans, a dose and a portal image are no MR.
    assert_eq!(scan.passed_over, 6);
    assert_eq!(scan.refused.len(), FILES.len() - openable - 6);
    assert!(scan.series.iter().all(|series| !series.choice.reason.is_empty()));
}

/// Heads, knees, a trunk in axial slices: no lumbar spine is claimed anywhere.
#[test]
fn what_is_no_spine_gets_no_levels() {
    let Some(folder) = needs::data("dicom-conformance") else { return };
    let _turn = my_turn();
    let detector = Detector::load(None, &Device::Cpu).expect("weights of the source tree");
    let mut refused = [0, 0];
    for (name, _) in FILES.iter().filter(|(_, expected)| matches!(expected, Expected::Opens(..))) {
        for series in load_all(&scan(&folder.join(name))).expect("opens") {
            match detector.detect(&series.volume, &CancelToken::default(), &mut |_| ()) {
                Err(DetectionError::NotSagittal(_)) => refused[0] += 1,
                Err(DetectionError::NoSpine { .. }) => refused[1] += 1,
                Err(error) => panic!("{name}: {error}"),
                Ok(found) => panic!("{name}: {} vertebrae", found.vertebrae.len()),
            }
        }
    }
    assert!(refused[0] > 10 && refused[1] > 0, "{refused:?} in other planes, without a spine");
}

/// Folder, slices, first and last position after sorting, spacing, sum of the first slice, sum of all, and the value
/// at row 320, column 200 of the first slice:
/// ```python
/// slices = [pydicom.dcmread(path) for path in glob.glob(folder + "/*")]
/// normal = lambda ds: np.cross(ds.ImageOrientationPatient[:3], ds.ImageOrientationPatient[3:])
/// slices.sort(key=lambda ds: np.dot(normal(ds), ds.ImagePositionPatient))
/// print(len(slices), slices[0].ImagePositionPatient, slices[-1].ImagePositionPatient, ...)
/// ```
type Case = (&'static str, usize, [f64; 3], [f64; 3], f64, f64, f64, f32);

const CASES: &[Case] = &[
    ("case-007", 5, [7.2, -120.0, 150.0], [-7.2, -120.0, 150.0], 3.6, 133_758_498.0, 699_672_532.0, 92.0),
    ("case-041", 10, [8.1, -120.0, 150.0], [-8.1, -120.0, 150.0], 1.8, 344_802_465.0, 3_466_868_165.0, 674.0),
    ("case-065", 12, [9.9, -120.0, 150.0], [-9.9, -120.0, 150.0], 1.8, 432_367_957.0, 5_096_894_546.0, 2168.0),
    ("case-110", 11, [9.0, -120.0, 150.0], [-9.0, -120.0, 150.0], 1.8, 138_127_956.0, 1_664_468_773.0, 214.0),
    ("case-142", 10, [8.1, -120.0, 150.0], [-8.1, -120.0, 150.0], 1.8, 451_912_761.0, 4_550_999_774.0, 2786.0),
    ("case-162", 8, [6.3, -120.0, 150.0], [-6.3, -120.0, 150.0], 1.8, 177_547_080.0, 1_439_266_495.0, 100.0),
    ("case-239", 21, [9.0, -120.0, 150.0], [-9.0, -120.0, 150.0], 0.9, 150_233_892.0, 3_371_002_111.0, 321.0),
];

#[test]
fn studies_open_sorted_by_position_with_exact_pixels() {
    let Some(folder) = needs::data("dicom") else { return };
    let _turn = my_turn();
    for (name, slices, first, last, spacing, first_sum, sum, value) in CASES {
        let scan = scan(&folder.join(name));
        assert!(scan.refused.is_empty() && scan.series.len() == 1, "{name}: {:?}", scan.refused);
        let chosen = scan.t2_sagittal().unwrap_or_else(|| panic!("{name} has a T2 sagittal series"));
        assert_eq!((chosen.plane, chosen.weighting), (Some(PlaneOrientation::Sagittal), Weighting::T2), "{name}");
        assert!(chosen.choice.reason.starts_with("chosen"), "{name}: {}", chosen.choice.reason);
        let mut steps = Vec::new();
        let series = load_series(chosen, &CancelToken::default(), &mut |progress| steps.push(progress))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(series.warnings.is_empty(), "{name}: {:?}", series.warnings);
        assert_eq!(steps.last().map(|step| (step.done, step.total)), Some((*slices, *slices)), "{name}");
        let (volume, geometry) = (&series.volume, series.volume.geometry());
        assert_eq!(volume.shape(), [*slices, 640, 512], "{name}");
        let origins = geometry.slice_origins_lps();
        assert_eq!(origins.first(), Some(&DVec3::from_array(*first)), "{name}");
        assert_eq!(origins.last(), Some(&DVec3::from_array(*last)), "{name}");
        assert!((geometry.slice_spacing_mm().unwrap_or_default() - spacing).abs() < 1e-6, "{name}");
        assert_eq!((geometry.row_spacing_mm(), geometry.column_spacing_mm()), (0.468_75, 0.468_75), "{name}");
        let total = |voxels: &[f32]| voxels.iter().map(|value| f64::from(*value)).sum::<f64>();
        assert_eq!(total(volume.slice(0)), *first_sum, "{name}");
        assert_eq!(total(volume.voxels()), *sum, "{name}");
        assert_eq!(volume.slice(0)[320 * 512 + 200], *value, "{name}");
    }
}

#[test]
fn a_cancelled_scan_and_load_stop() {
    let Some(folder) = needs::data("dicom") else { return };
    let _turn = my_turn();
    let cancel = CancelToken::default();
    let scan = scan(&folder.join("case-041"));
    cancel.cancel();
    assert!(matches!(scan_folder(&folder, &cancel, &mut |_| ()), Err(DicomError::Cancelled(_))));
    let loaded = load_series(&scan.series[0], &cancel, &mut |_| ());
    assert!(matches!(loaded, Err(DicomError::Cancelled(_))));
}
