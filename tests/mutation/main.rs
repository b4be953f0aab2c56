//! Damaged files of every kind that the program reads: none makes it panic, hang, or take more memory than a scan may, and
//! the good files beside them still open. Seeded, so a failure comes back; its message names the kind, the file and the
//! number of the mutant.

mod mutate;
#[path = "../needs/mod.rs"]
mod needs;

use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::Device;
use glam::DVec3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use spinenet_viewer::dicom::{SeriesHeader, load_series, scan_folder, write_series};
use spinenet_viewer::model::weights::{Training, WeightsMetadata, save_weights};
use spinenet_viewer::model::{Dimensions, GradingConfig, WeightsFolder};
use spinenet_viewer::records::{BoxesFile, Review, ReviewFile, read_reports};
use spinenet_viewer::research::{Voxels, read_volume, write_nifti};
use spinenet_viewer::spine::{BoxSource, DiscLevel, Grading, PixelBox, SliceBox};
use spinenet_viewer::task::CancelToken;
use spinenet_viewer::volume::{Volume, VolumeGeometry};

use mutate::mutant;

/// Longest time that a file may take.
const LONGEST: Duration = Duration::from_secs(2);
/// Most memory that the process may ever have taken, KiB.
const MOST_MEMORY_KIB: u64 = 1 << 20;
/// Files of the conformance collection above this size are left to their own test.
const LARGEST_SEED: u64 = 60_000;

/// Mutants of each kind; `SPINENET_MUTANTS=20` makes twenty times as many others.
const DICOM: usize = 18_000;
const JSON: usize = 10_000;
const RESEARCH: usize = 8_000;
const WEIGHTS: usize = 4_000;

fn numbers(mutants: usize) -> Range<usize> {
    match std::env::var("SPINENET_MUTANTS").ok().and_then(|times| times.parse::<usize>().ok()) {
        Some(times) => mutants..mutants * (times + 1),
        None => 0..mutants,
    }
}

/// Reads `mutants` damaged copies of `seeds` with `read`, which gets the path and says whether it opens; either is fine as
/// long as it is said, in time.
fn survive(kind: &str, seeds: &[(PathBuf, Vec<u8>)], mutants: usize, read: &dyn Fn(&Path) -> bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let numbers = numbers(mutants);
    let (mut opened, all) = (0, numbers.len());
    for number in numbers {
        let (name, seed) = &seeds[number % seeds.len()];
        let mut random = ChaCha8Rng::seed_from_u64(number as u64);
        let bytes = mutant(seed, &mut random);
        let path = folder.path().join(name.file_name().expect("a file"));
        fs::write(&path, &bytes).expect("written");
        let which = format!("{kind}, mutant {number} of {}", name.display());
        // Other work may hold up one attempt.
        let mut best = Duration::MAX;
        for _ in 0..2 {
            let start = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| read(&path)));
            let Ok(opens) = outcome else { panic!("{which} makes the program panic") };
            best = best.min(start.elapsed());
            if best < LONGEST {
                opened += usize::from(opens);
                break;
            }
        }
        assert!(best < LONGEST, "{which} takes {best:?}");
        fs::remove_file(&path).expect("removed");
    }
    // The damage is neither always fatal nor always harmless: readers are reached at every depth.
    assert!(opened > all / 200 && opened < all, "{kind}: {opened} of {all} mutants open");
    if let Some(peak) = peak_memory_kib() {
        assert!(peak < MOST_MEMORY_KIB, "{kind}: the process has taken {peak} KiB");
    }
}

/// The most memory that the process has taken so far, where the system says.
fn peak_memory_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
}

fn seeds_in(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    let small = |path: &PathBuf| path.metadata().is_ok_and(|data| data.is_file() && data.len() <= LARGEST_SEED);
    paths.into_iter().filter(small).map(|path| (path.clone(), fs::read(&path).expect("readable"))).collect()
}

/// A few small sagittal slices.
fn small_volume() -> Volume {
    let origins = (0..3).map(|slice| DVec3::X * (4.0 * f64::from(slice))).collect();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
    Volume::new(24, 20, (0..3 * 24 * 20).map(|index| (index % 251) as f32).collect(), geometry).expect("matching size")
}

fn read_dicom(path: &Path) -> bool {
    let token = CancelToken::default();
    let Ok(scan) = scan_folder(path, &token, &mut |_| ()) else { return false };
    for refused in &scan.refused {
        assert!(!refused.reason.to_string().is_empty(), "a refusal says why");
    }
    let opens = |series| load_series(series, &token, &mut |_| ()).is_ok();
    scan.series.iter().filter(|series| opens(series)).count() > 0
}

#[test]
fn damaged_dicom_files() {
    let made = tempfile::tempdir().expect("a temporary folder");
    write_series(made.path(), &small_volume(), &SeriesHeader::synthetic_t2_sagittal("seed")).expect("written");
    let mut seeds = seeds_in(made.path());
    if let Some(folder) = needs::data("dicom-conformance") {
        seeds.extend(seeds_in(&folder));
    }
    survive("DICOM", &seeds, DICOM, &read_dicom);
}

#[test]
fn damaged_reports_boxes_and_reviews() {
    let report = br#"{"schema":"spinenet-report/1","software":{"name":"spinenet-viewer","version":"0.1.0"},"weights":[],
        "device":"cpu","views":54,"research_use_only":true,"experimental_gradings":[],"pixel_spacing_mm":[0.5,0.5],
        "slice_spacing_mm":4.4,"study_instance_uid":"1.2","series_instance_uid":"1.2.3","sop_instance_uids":["1.2.3.4"],
        "folder":null,"warnings":[{"code":"uneven_slice_spacing","message":"x"}],"vertebrae":[],"discs":[{"level":"L5-S1",
        "centroid_lps":[1.0,2.0,3.0],"centroid_image":[1.0,2.0,3.0],"comment":null}],"sign_off":null,"seconds":null}"#;
    let boxes = vec![SliceBox {
        level: DiscLevel::L4L5,
        grading: Grading::UpperEndplateDefect,
        slice: 4,
        rect: PixelBox { x: 10.5, y: 20.0, width: 30.0, height: 12.0 },
        source: BoxSource::Reader,
        percentile: None,
    }];
    let boxes = serde_json::to_vec(&BoxesFile::new("AB", "1.2.3", boxes)).expect("JSON");
    let mut review = Review::default();
    review.set_class(DiscLevel::L4L5, Grading::Pfirrmann, Some(3));
    let review = serde_json::to_vec(&ReviewFile::new("1.2.3", "ab", None, review)).expect("JSON");
    let one_line: Vec<u8> = report.iter().copied().filter(|byte| *byte != b'\n').collect();
    let seeds: Vec<(PathBuf, Vec<u8>)> =
        [("report.json", report.to_vec()), ("report.jsonl", one_line), ("boxes.json", boxes), ("review.json", review)]
            .map(|(name, text)| (PathBuf::from(name), text))
            .to_vec();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in &seeds {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        let opens = match name.to_string_lossy().split('.').next() {
            Some("report") => read_reports(&path).is_ok_and(|entries| entries.len() == 1),
            Some("boxes") => BoxesFile::read(&path).is_ok(),
            _ => ReviewFile::read(&path).is_ok(),
        };
        assert!(opens, "the seed {} itself opens", name.display());
    }
    survive("JSON", &seeds, JSON, &|path| {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        match name.split('.').next() {
            Some("report") => read_reports(path).is_ok(),
            Some("boxes") => BoxesFile::read(path).is_ok(),
            _ => ReviewFile::read(path).is_ok(),
        }
    });
}

#[test]
fn damaged_research_volumes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let volume = small_volume();
    for name in ["seed.nii", "seed.nii.gz"] {
        let voxels = Voxels::Floats(volume.voxels().to_vec());
        let size = [volume.rows(), volume.columns()];
        write_nifti(&folder.path().join(name), voxels, volume.geometry(), size, "").expect("written");
    }
    let mut mha =
        b"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n\
        TransformMatrix = 0 1 0 0 0 -1 1 0 0\nOffset = 0 0 0\nElementSpacing = 1 1 4\nDimSize = 20 24 3\n\
        ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
            .to_vec();
    mha.extend(volume.voxels().iter().flat_map(|voxel| (*voxel as i16).to_le_bytes()));
    fs::write(folder.path().join("seed.mha"), &mha).expect("written");
    assert!(read_volume(&folder.path().join("seed.mha")).is_ok(), "the seed itself opens");
    survive("research volume", &seeds_in(folder.path()), RESEARCH, &|path| read_volume(path).is_ok());
}

#[test]
fn damaged_weights() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = GradingConfig { channels: [1; 5], fully_connected: 1, ..GradingConfig::paper(Dimensions::Three) };
    let variables = config.initial_variables(1, &Device::Cpu).expect("small network");
    let tensors = variables
        .data()
        .lock()
        .expect("not poisoned")
        .iter()
        .map(|(n, v)| (n.clone(), v.as_tensor().clone()))
        .collect();
    let metadata = WeightsMetadata {
        name: "seed".to_owned(),
        version: "1.0.0".to_owned(),
        training: Training { command: "none".to_owned(), ..Training::default() },
        ..WeightsMetadata::default()
    };
    let saved = save_weights(folder.path(), &config, metadata, &tensors, true).expect("written");
    assert!(saved.load::<GradingConfig>(&Device::Cpu).is_ok(), "the seed itself loads");
    let files = seeds_in(&saved.path);
    assert_eq!(files.len(), 2, "metadata and tensors");
    survive("weights", &files, WEIGHTS, &|path| {
        let copy = tempfile::tempdir().expect("a temporary folder");
        let bytes = fs::read(path).expect("readable");
        let name = path.file_name().expect("a file");
        fs::copy(saved.path.join("metadata.json"), copy.path().join("metadata.json")).expect("copied");
        fs::copy(saved.path.join("model.safetensors"), copy.path().join("model.safetensors")).expect("copied");
        if name == "model.safetensors" {
            // With the length and the hash of the damaged file, so that its tensors are looked at.
            let sha256 = format!("{:x}", Sha256::digest(&bytes));
            let metadata = WeightsMetadata { sha256, bytes: bytes.len() as u64, ..saved.metadata.clone() };
            let text = serde_json::to_vec(&metadata).expect("JSON");
            fs::write(copy.path().join("metadata.json"), text).expect("written");
        }
        fs::write(copy.path().join(name), bytes).expect("written");
        WeightsFolder::open(copy.path()).is_ok_and(|weights| weights.load::<GradingConfig>(&Device::Cpu).is_ok())
    });
}

/// A folder full of everything that can lie about, with one good series in it.
#[test]
fn the_good_series_of_a_bad_folder_opens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let good =
        write_series(&at("good"), &small_volume(), &SeriesHeader::synthetic_t2_sagittal("good")).expect("written");
    let bytes = fs::read(&good[0]).expect("readable");
    for number in 0..200_u64 {
        let mut random = ChaCha8Rng::seed_from_u64(1_000_000 + number);
        // Only the pixels' half of the file, so that no mutant is a good slice with another position.
        let kept = bytes.len() / 3;
        let mut bad = bytes[..kept].to_vec();
        bad.extend(mutant(&bytes[kept..], &mut random).iter().take(50));
        fs::write(at(&format!("bad-{number}.dcm")), bad).expect("written");
    }
    fs::write(at("empty.dcm"), b"").expect("written");
    fs::write(at("notes.txt"), b"not an image").expect("written");
    fs::write(at("DICOMDIR"), b"../../../etc/passwd").expect("written");
    fs::write(at("bomb.dcm"), deflate_bomb()).expect("written");
    let mut deep = at("deep");
    for _ in 0..60 {
        deep = deep.join("d");
    }
    fs::create_dir_all(&deep).expect("made");
    fs::copy(&good[0], deep.join("far.dcm")).expect("copied");
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        symlink(folder.path(), at("loop")).expect("linked");
        symlink(at("nowhere"), at("dangling.dcm")).expect("linked");
        fs::copy(&good[1], at("locked.dcm")).expect("copied");
        fs::set_permissions(at("locked.dcm"), fs::Permissions::from_mode(0o000)).expect("locked");
    }
    let start = Instant::now();
    let scan = scan_folder(folder.path(), &CancelToken::default(), &mut |_| ()).expect("the folder can be read");
    let best = scan.series.iter().max_by_key(|series| series.slices).expect("the good series");
    let loaded = load_series(best, &CancelToken::default(), &mut |_| ()).expect("opens");
    assert_eq!(loaded.volume.shape(), [3, 24, 20]);
    assert!(scan.refused.len() > 100, "{} files are refused", scan.refused.len());
    assert!(scan.refused.iter().any(|refused| refused.path.ends_with("bomb.dcm")), "the bomb is named");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    if let Some(peak) = peak_memory_kib() {
        assert!(peak < MOST_MEMORY_KIB, "{peak} KiB");
    }
}

/// A deflated data set of two gigabytes of zeros in two megabytes.
fn deflate_bomb() -> Vec<u8> {
    use std::io::Write as _;
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM");
    let mut meta = Vec::new();
    let uid = b"1.2.840.10008.1.2.1.99";
    meta.extend([0x02, 0x00, 0x10, 0x00, b'U', b'I', uid.len() as u8, 0]);
    meta.extend_from_slice(uid);
    file.extend([0x02, 0x00, 0x00, 0x00, b'U', b'L', 4, 0]);
    file.extend((meta.len() as u32).to_le_bytes());
    file.extend(meta);
    let mut bomb = flate2::write::DeflateEncoder::new(file, flate2::Compression::fast());
    // (0010,4000) of 2 GiB less a little.
    bomb.write_all(&[0x10, 0x00, 0x00, 0x40, b'O', b'B', 0, 0, 0xF0, 0xFF, 0xFF, 0x7F]).expect("written");
    let zeros = vec![0; 1 << 20];
    for _ in 0..2047 {
        bomb.write_all(&zeros).expect("written");
    }
    bomb.finish().expect("written")
}
