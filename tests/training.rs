//! Training on data as researchers have them: published layouts, tables of their own, synthetic patients.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use spinenet_viewer::phantom::{Phantom, PhantomStudy};
use spinenet_viewer::pipeline::prepare_demo;
use spinenet_viewer::spine::{Disc, DiscLevel, Grading, discs_between};
use spinenet_viewer::task::CancelToken;
use spinenet_viewer::training::located::ScanError;
use spinenet_viewer::training::manifest::{DataManifest, ManifestError, TrainingCohort, TrainingData};
use spinenet_viewer::training::{ClassSet, ScanCase};
use spinenet_viewer::volume::Volume;

fn load(folder: &Path, manifest: &str) -> Result<TrainingData, ManifestError> {
    let file = folder.join("data.toml");
    fs::write(&file, manifest).expect("writable");
    DataManifest::read(&file)?.load(&CancelToken::default(), &mut |_| ())
}

/// The scans of all cohorts.
fn cases(cohorts: Vec<TrainingCohort>) -> Vec<ScanCase> {
    cohorts.into_iter().flat_map(|cohort| cohort.cases).collect()
}

/// A volume as MetaImage, voxels as floats.
fn write_mha(file: &Path, volume: &Volume, voxels: &[f32]) {
    let geometry = volume.geometry();
    let [slices, rows, columns] = volume.shape();
    let vector = |v: glam::DVec3| format!("{} {} {}", v.x, v.y, v.z);
    let (x, y, z) = (geometry.column_direction(), geometry.row_direction(), geometry.normal());
    let mut bytes = format!(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n\
         TransformMatrix = {} {} {}\nOffset = {}\nElementSpacing = {} {} {}\nDimSize = {columns} {rows} {slices}\n\
         ElementType = MET_FLOAT\nElementDataFile = LOCAL\n",
        vector(x),
        vector(y),
        vector(z),
        vector(geometry.slice_origins_lps()[0]),
        geometry.column_spacing_mm(),
        geometry.row_spacing_mm(),
        geometry.slice_spacing_mm().expect("even"),
    )
    .into_bytes();
    bytes.extend(voxels.iter().flat_map(|value| value.to_le_bytes()));
    fs::write(file, bytes).expect("writable");
}

/// Voxels within 8 mm of each disc's middle hold its number, counted upward from L5-S1 as 201 plus `shift`.
fn disc_mask(study: &PhantomStudy, shift: usize) -> Vec<f32> {
    let (volume, discs) = (&study.volume, discs_between(&study.vertebrae));
    let geometry = volume.geometry();
    let [slices, rows, columns] = volume.shape();
    let mut mask = vec![0.0; slices * rows * columns];
    for disc in &discs {
        let number = 201 + shift + DiscLevel::ALL.iter().rev().position(|level| *level == disc.level).expect("graded");
        let middle = geometry.lps_from_voxel(disc.center_voxel);
        for (index, voxel) in mask.iter_mut().enumerate() {
            let place = [index / (rows * columns), index / columns % rows, index % columns].map(|at| at as f64);
            if geometry.lps_from_voxel(place).distance(middle) < 8.0 {
                *voxel = number as f32;
            }
        }
    }
    mask
}

fn distance_mm(volume: &Volume, a: &Disc, b: &Disc) -> f64 {
    let place = |disc: &Disc| volume.geometry().lps_from_voxel(disc.center_voxel);
    place(a).distance(place(b))
}

/// The SPIDER layout as published. The masks of the second patient are numbered one level higher than the truth: names
/// come from the masks, not from the detector.
#[test]
fn spider_as_published_is_read_and_named_by_its_masks() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for name in ["images", "masks"] {
        fs::create_dir(folder.path().join(name)).expect("writable");
    }
    let mut grades =
        "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,\
                      Disc bulging,Pfirrman grade\n"
            .to_owned();
    let studies = [Phantom::generate(4), Phantom::generate(5)];
    for (patient, study) in studies.iter().enumerate() {
        let name = format!("{}_t2.mha", patient + 1);
        write_mha(&folder.path().join("images").join(&name), &study.volume, study.volume.voxels());
        write_mha(&folder.path().join("masks").join(&name), &study.volume, &disc_mask(study, patient));
        for disc in 1..=8 {
            writeln!(grades, "{},{disc},2,1,0,0,1,1,0,{}", patient + 1, disc.min(5)).expect("text");
        }
    }
    fs::write(folder.path().join("radiological_gradings.csv"), grades).expect("writable");
    // A T1 image, and a scan that is no spine.
    let (study, images) = (&studies[0], folder.path().join("images"));
    write_mha(&images.join("1_t1.mha"), &study.volume, study.volume.voxels());
    write_mha(&images.join("3_t2.mha"), &study.volume, &vec![7.0; study.volume.voxels().len()]);
    fs::copy(folder.path().join("masks/1_t2.mha"), folder.path().join("masks/3_t2.mha")).expect("copied");

    let TrainingData { cohorts, left_out } =
        load(folder.path(), "[[data]]\nkind = \"spider\"\nfolder = \".\"").expect("readable");
    let cases = cases(cohorts);
    assert_eq!(cases.len(), 2);
    assert_eq!(left_out.len(), 1);
    assert!(left_out[0].path.ends_with("images/3_t2.mha"), "{left_out:?}");
    assert!(matches!(left_out[0].error, ScanError::Detection(_)), "{left_out:?}");
    assert_ne!(cases[0].patient, cases[1].patient);

    for (patient, (case, study)) in cases.iter().zip(&studies).enumerate() {
        let truth = discs_between(&study.vertebrae);
        assert_eq!(case.discs.len(), 6 - patient, "{}: a disc above T12-L1 has no grade here", case.name);
        for labelled in &case.discs {
            let place = DiscLevel::ALL.iter().rev().position(|level| *level == labelled.disc.level).expect("graded");
            let real = DiscLevel::ALL.into_iter().rev().nth(place - patient).expect("numbered higher");
            let real = truth.iter().find(|disc| disc.level == real).expect("in the image");
            let distance = distance_mm(&case.volume, &labelled.disc, real);
            assert!(distance < 5.0, "{} {}: {distance} mm", case.name, labelled.disc.level);
            let labels = &labelled.labels;
            assert_eq!(labels.of(Grading::Pfirrmann).single(), Some(place.min(4)));
            assert_eq!(labels.of(Grading::DiscNarrowing), ClassSet::of(1..=3));
            assert_eq!(labels.of(Grading::DiscHerniation).single(), Some(1));
            assert_eq!(labels.of(Grading::DiscBulging).single(), Some(0));
            assert!(labels.either_marrow_changed);
        }
    }
}

/// The RSNA layout: points in the canal name the discs.
#[test]
fn the_rsna_challenge_is_read_and_named_by_its_points() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let study =
        prepare_demo(Some(&folder.path().join("study")), 4, &CancelToken::default(), &mut |_| ()).expect("made");
    let phantom = Phantom::generate(4);
    // The series with as many files as the T2 volume has slices is it, among localizers and T1 of other counts.
    let series = fs::read_dir(study.folder()).expect("made").map(|entry| entry.expect("readable").path());
    let t2 = series.filter(|path| fs::read_dir(path).expect("folder").count() == phantom.volume.slices()).max();
    let target = folder.path().join("train_images/100/200");
    fs::create_dir_all(&target).expect("writable");
    for entry in fs::read_dir(t2.expect("the T2 series")).expect("folder") {
        let file = entry.expect("readable").path();
        fs::copy(&file, target.join(file.file_name().expect("a file"))).expect("copied");
    }
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("writable");
    write(
        "train.csv",
        "study_id,spinal_canal_stenosis_l1_l2,spinal_canal_stenosis_l4_l5,spinal_canal_stenosis_l5_s1,\
         left_subarticular_stenosis_l4_l5\n100,Normal/Mild,Severe,,Moderate\n101,Moderate,,,\n",
    );
    write(
        "train_series_descriptions.csv",
        "study_id,series_id,series_description\n100,200,Sagittal T2/STIR\n100,201,Axial T2\n101,300,Sagittal T2/STIR\n",
    );
    let mut points = "study_id,series_id,instance_number,condition,level,x,y\n".to_owned();
    for disc in discs_between(&phantom.vertebrae) {
        let upper = disc.upper.corners_at(disc.center_voxel[0]).expect("outlined");
        let level = disc.level.to_string().replace('-', "/");
        writeln!(points, "100,200,6,Spinal Canal Stenosis,{level},{},{}", upper.ip.x + 6.0, upper.ip.y).expect("text");
    }
    write("train_label_coordinates.csv", &points);
    let data = load(folder.path(), "[[data]]\nkind = \"rsna-2024\"\nfolder = \".\"").expect("readable");
    let cases = cases(data.cohorts);
    assert_eq!((cases.len(), data.left_out.len()), (1, 0), "{:?}", data.left_out);
    let stenoses: Vec<_> = cases[0]
        .discs
        .iter()
        .map(|disc| (disc.disc.level, disc.labels.of(Grading::CentralCanalStenosis).single()))
        .collect();
    assert_eq!(stenoses, [(DiscLevel::L1L2, Some(0)), (DiscLevel::L4L5, Some(1))]);
}

/// A table of one's own beside DICOM and NIfTI, joined with synthetic patients, and trained on by the command.
#[test]
fn a_table_and_synthetic_patients_train_together() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for seed in [4, 5] {
        let into = folder.path().join(format!("scans/{seed}"));
        prepare_demo(Some(&into), seed, &CancelToken::default(), &mut |_| ()).expect("made");
    }
    let mut table = "patient,scan,level,pfirrmann,spondylolisthesis\n".to_owned();
    for (seed, level) in [4, 5].into_iter().flat_map(|seed| DiscLevel::ALL.map(|level| (seed, level))) {
        writeln!(table, "patient {seed},scans/{seed},{level},{},0", 1 + seed % 5).expect("text");
    }
    writeln!(table, "somebody,scans/none,L4-L5,3,1").expect("text");
    fs::write(folder.path().join("grades.csv"), table).expect("writable");
    let manifest = "[[data]]\nkind = \"table\"\nfolder = \".\"\n[[data]]\nkind = \"phantom\"\nstudies = 2\nseed = 9\n";
    let data = load(folder.path(), manifest).expect("readable");
    let discs = |cases: &[ScanCase]| cases.iter().map(|case| case.discs.len()).collect::<Vec<_>>();
    let cases = cases(data.cohorts);
    assert_eq!(discs(&cases), [6, 6, 6, 6]);
    assert_eq!(data.left_out.len(), 1);
    assert!(cases[3].discs.iter().all(|disc| disc.labels.of(Grading::DiscNarrowing).single().is_some()));

    let config = include_str!("../assets/training/grading.toml")
        .replace("folds = 3\nmeasured_folds = 1", "folds = 2")
        .replace("epochs = 24", "epochs = 1")
        .replace("epochs = 2\n", "epochs = 1\n")
        .replace("[16, 32, 64, 64, 64]", "[2, 2, 2, 2, 2]")
        .replace("fully_connected = 64", "fully_connected = 4")
        .replace("phantom = 100", "phantom = 2")
        .replace("phantom = 40", "phantom = 1");
    fs::write(folder.path().join("config.toml"), config).expect("writable");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spinenet"));
        command.args(arguments).args(["--data", &path("data.toml"), "--config", &path("config.toml")]);
        command.output().expect("the program starts")
    };
    let output = run(&["train", "grading", "--out", &path("out")]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 of 5 scans are left out"), "{told}");
    let left_out = fs::read_to_string(folder.path().join("out/left-out.csv")).expect("listed");
    assert!(left_out.contains("scans/none"), "{left_out}");
    let metadata = fs::read_to_string(folder.path().join("out/grading-0.0.1/metadata.json")).expect("weights");
    let data = "24 labelled discs of 4 patients of data of one's own, synthetic studies";
    assert!(metadata.contains(data) && !metadata.contains("SPIDER"), "{metadata}");

    // A training that took hours is not begun anew by mistake.
    let log = || fs::read(folder.path().join("out/final/log.csv")).expect("log");
    let before = log();
    let output = run(&["train", "grading", "--out", &path("out")]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("--resume"), "{told}");
    assert_eq!(log(), before);
}
