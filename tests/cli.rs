//! The program from end to end: the built binary on synthetic and, where present, real studies.

mod needs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use spinenet_viewer::export::read_boxes;
use spinenet_viewer::model::detector::DETECTOR_WEIGHTS;
use spinenet_viewer::model::grader::GRADING_WEIGHTS;
use spinenet_viewer::pipeline::CURVE_PERCENTILES;
use spinenet_viewer::records::{BoxesFile, read_reports};
use spinenet_viewer::spine::BoxSource;

fn spinenet(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program starts")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinenet"));
    command.args(arguments).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs and expects status 0.
fn succeed(arguments: &[&str]) -> String {
    let output = spinenet(arguments);
    assert!(output.status.success(), "{arguments:?}: {}\n{}", output.status, text(&output.stderr));
    text(&output.stdout)
}

fn json(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).expect("readable")).expect("JSON")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// One synthetic study for all tests; the folder lives as long as the process.
fn phantom() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    static STUDY: OnceLock<PathBuf> = OnceLock::new();
    STUDY.get_or_init(|| {
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder"));
        succeed(&["phantom", "--out", path(folder.path()), "--seed", "4", "--quiet"]);
        folder.path().join("phantom-000004")
    })
}

#[test]
fn wrong_usage_ends_with_status_2_and_help_with_0() {
    for arguments in [
        &["grade"][..],
        &["grade", "x", "--views", "3"],
        &["grade", "x", "--out", "report.txt"],
        &["explain", "x", "--disc", "L4-L5", "--grading", "beauty", "--out", "y"],
        &["--frobnicate"],
    ] {
        let output = spinenet(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty());
    }
    assert!(succeed(&["--help"]).contains("grade"));
    assert!(succeed(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn without_a_display_the_viewer_says_what_to_do_instead() {
    let output = spinenet(&[path(phantom())]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("spinenet grade") && message.contains("--headless"), "{message}");
}

#[test]
fn a_phantom_has_the_grades_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = path(folder.path());
    succeed(&[
        "phantom",
        "--out",
        out,
        "--healthy",
        "--grade",
        "L4-L5:pfirrmann=5",
        "--grade",
        "L3/L4:disc_narrowing=3",
    ]);
    let truth = json(&folder.path().join("phantom-000000/truth.json"));
    for disc in truth["discs"].as_array().expect("discs") {
        let level = disc["level"].as_str().expect("a level");
        let grades = (
            &disc["gradings"]["pfirrmann"],
            &disc["gradings"]["disc_narrowing"],
            &disc["gradings"]["spondylolisthesis"],
        );
        let asked = (if level == "L4-L5" { 5 } else { 1 }, if level == "L3-L4" { 3 } else { 1 }, 0);
        assert_eq!(grades, (&asked.0.into(), &asked.1.into(), &asked.2.into()), "{level}");
    }
    for (grade, reason) in
        [("L4-L5:pfirrmann=6", "no grade 6"), ("L4-L5", "L4-L5:pfirrmann=5"), ("L9:pfirrmann=1", "L9")]
    {
        let output = spinenet(&["phantom", "--out", out, "--grade", grade]);
        assert!(!output.status.success() && text(&output.stderr).contains(reason), "{}", text(&output.stderr));
    }
}

#[test]
fn a_phantom_study_says_what_is_true_of_it() {
    let truth = json(&phantom().join("truth.json"));
    assert_eq!(truth["schema"], "spinenet-truth/1");
    assert_eq!(truth["discs"].as_array().expect("discs").len(), 6);
    assert!(truth["discs"][0]["gradings"]["pfirrmann"].is_u64());
    assert!((4..=6).contains(&truth["lumbar_bodies"].as_u64().expect("a count")));
    assert_eq!(names(&phantom().join("dicom")).len(), 3, "localizers, T1 and T2");
    assert_eq!(names(&phantom().join("dicom/series-1")).len(), 9, "localizers of three planes are one series");
    BoxesFile::read(&phantom().join("truth-boxes.json")).expect("valid boxes");
    let again = tempfile::tempdir().expect("a temporary folder");
    succeed(&["phantom", "--out", path(again.path()), "--seed", "4"]);
    for file in ["truth.json", "dicom/series-3/IM0001.dcm", "truth-masks.nii.gz", "truth-grades.csv"] {
        let bytes = |folder: &Path| fs::read(folder.join(file)).expect("readable");
        assert!(bytes(phantom()) == bytes(&again.path().join("phantom-000004")), "{file} repeats");
    }
}

#[test]
fn a_study_is_graded_the_same_way_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let study = phantom().join("dicom");
    let mut reports = Vec::new();
    for (name, threads) in [("a", "1"), ("b", "2"), ("c", "2")] {
        let file = folder.path().join(format!("{name}.json"));
        let arguments = ["grade", path(&study), "--out", path(&file), "--views", "1", "--no-times"];
        let output = command(&arguments).env("RAYON_NUM_THREADS", threads).output().expect("the program starts");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let table = text(&output.stdout);
        assert!(table.contains("L4-L5") && table.contains("Research use only"), "{table}");
        assert!(output.stderr.is_empty(), "no progress on a pipe: {}", text(&output.stderr));
        reports.push(fs::read(&file).expect("readable"));
    }
    assert!(reports[0] == reports[1] && reports[1] == reports[2], "the same bytes");
    let report: Value = serde_json::from_slice(&reports[0]).expect("JSON");
    assert_eq!(report["schema"], "spinenet-report/1");
    assert_eq!(report["views"], 1);
    assert_eq!(report["device"], "cpu");
    assert_eq!(report["folder"], Value::Null);
    assert_eq!(report["weights"].as_array().expect("weights").len(), 2);
    let discs = report["discs"].as_array().expect("discs");
    let levels: Vec<&str> = discs.iter().map(|disc| disc["level"].as_str().expect("a level")).collect();
    assert_eq!(levels, ["T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]);
    for disc in discs {
        for (grading, classes) in [("pfirrmann", 5), ("disc_narrowing", 4), ("central_canal_stenosis", 2)] {
            let probabilities = disc["gradings"][grading]["probabilities"].as_array().expect("probabilities");
            assert_eq!(probabilities.len(), classes);
            let sum: f64 = probabilities.iter().filter_map(Value::as_f64).sum();
            assert!((sum - 1.0).abs() < 1e-3, "{grading}: {sum}");
        }
    }
    discs_lie_where_the_truth_says(&report, &json(&phantom().join("truth.json")));
}

/// The detector has to find the synthetic discs where they are, not only name six.
fn discs_lie_where_the_truth_says(report: &Value, truth: &Value) {
    let center = |value: &Value| -> [f64; 3] {
        std::array::from_fn(|axis| value["centroid_lps"][axis].as_f64().expect("a number"))
    };
    for found in report["vertebrae"].as_array().expect("vertebrae") {
        let bodies = truth["vertebrae"].as_array().expect("vertebrae");
        let Some(real) = bodies.iter().find(|body| body["label"] == found["label"]) else { continue };
        let distance = center(found).iter().zip(center(real)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        assert!(distance < 8.0, "{} lies {distance:.1} mm off", found["label"]);
    }
}

#[test]
fn a_bad_folder_does_not_stop_the_others_and_the_status_is_1() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = folder.path().join("Doe^John");
    fs::create_dir(&empty).expect("writable");
    let (file, study) = (folder.path().join("reports.jsonl"), phantom().join("dicom"));
    let output = spinenet(&["detect", path(&empty), "/no/such/folder", path(&study), "--out", path(&file)]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("no usable DICOM images") && message.contains("cannot read the folder"), "{message}");
    let lines = fs::read_to_string(&file).expect("readable");
    assert_eq!(lines.lines().count(), 3);
    assert!(!lines.contains("Doe^John") && !lines.contains("/no/such"), "paths only on request");
    let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(entries[0]["error"].as_str().expect("an error").contains("no usable DICOM images"));
    assert_eq!((&entries[1]["input"], &entries[2]["discs"][0]["level"]), (&Value::from(2), &Value::from("T12-L1")));
    assert!(entries[2]["discs"][0].get("gradings").is_none(), "detect does not grade");
    assert_eq!(read_reports(&file).expect("valid").len(), 3);
}

#[test]
fn evidence_is_written_as_volume_pictures_and_boxes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let study = phantom().join("dicom");
    let explain = |out: &Path| {
        succeed(&[
            "explain",
            path(&study),
            "--disc",
            "L4/L5",
            "--grading",
            "pfirrmann",
            "--augmentations",
            "3",
            "--seed",
            "5",
            "--out",
            path(out),
        ])
    };
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    let said = explain(&first);
    assert!(said.contains("Pfirrmann") && said.contains("Research use only"), "{said}");
    explain(&second);
    let description = json(&first.join("L4-L5_pfirrmann_evidence.json"));
    assert_eq!((&description["augmentations"], &description["seed"]), (&Value::from(3), &Value::from(5)));
    assert_eq!(description["method"], "contrastive-excitation");
    let boxes = BoxesFile::read(&first.join("L4-L5_pfirrmann_boxes.json")).expect("valid boxes");
    assert!(!boxes.boxes.is_empty());
    let names = names(&first);
    assert!(names.contains(&"L4-L5_pfirrmann_evidence.nii.gz".to_owned()), "{names:?}");
    assert!(names.iter().filter(|name| name.contains("_slice-")).count() >= 5, "{names:?}");
    for name in &names {
        let bytes = |folder: &Path| fs::read(folder.join(name)).expect("readable");
        assert!(bytes(&first) == bytes(&second), "{name} repeats");
        if Path::new(name).extension().is_some_and(|ending| ending == "png") {
            let picture = image::open(first.join(name)).expect("a picture").to_rgb8();
            let (low, high) = picture.as_raw().iter().fold((255, 0), |(low, high), v| (low.min(*v), high.max(*v)));
            assert!(high - low > 100, "{name} shows something");
        }
    }
    // The boxes in the patient: a corner of each lies where its place in the image says.
    let entries = description["boxes"].as_array().expect("boxes");
    assert_eq!(entries.len(), boxes.boxes.len());
    assert!(entries.iter().all(|entry| entry["corners_lps"].as_array().is_some_and(|corners| corners.len() == 4)));
    assert_eq!(read_boxes(&first.join("L4-L5_pfirrmann_boxes-coco.json")).expect("valid"), boxes);
    measured_against_themselves(&first);
    let output =
        spinenet(&["explain", path(&study), "--disc", "L4-L5", "--grading", "pfirrmann", "--class", "5", "--out", "x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("classes"));
}

/// Boxes measured against those cut at the 95th percentile, which are best there.
fn measured_against_themselves(folder: &Path) {
    let by_percentile = folder.join("L4-L5_pfirrmann_boxes-by-percentile.json");
    let mut truth = BoxesFile::read(&by_percentile).expect("valid");
    truth.boxes.retain(|found| found.percentile == Some(95.0));
    for found in &mut truth.boxes {
        (found.source, found.percentile) = (BoxSource::Reader, None);
    }
    let reader = folder.join("reader.json");
    BoxesFile::new("AB", &truth.series_instance_uid, truth.boxes).save(&reader).expect("saved");
    let files = ["m.json", "m.csv", "m.png", "m.svg"].map(|name| folder.join(name));
    let [json_file, csv, png, svg] = files.each_ref().map(|file| path(file));
    let (reader, predicted) = (path(&reader), path(&by_percentile));
    let said = succeed(&[
        "evaluate",
        "boxes",
        "--truth",
        reader,
        "--predictions",
        predicted,
        "--validation-truth",
        reader,
        "--validation-predictions",
        predicted,
        "--out",
        json_file,
        "--csv",
        csv,
        "--plot",
        png,
        svg,
    ]);
    assert!(said.contains("Pfirrmann grade") && said.contains("1.000"), "{said}");
    let measures = json(&files[0]);
    let overlap = &measures["gradings"][0];
    assert_eq!((&overlap["percentile"], &overlap["mean_iou"]), (&Value::from(95.0), &Value::from(1.0)));
    assert_eq!((&overlap["percentile_from"], &overlap["discs"]), (&Value::from("validation"), &Value::from(1)));
    assert_eq!(overlap["curve"].as_array().map(Vec::len), Some(CURVE_PERCENTILES.len()));
    assert!(overlap["whole_slice_iou"].as_f64().is_some_and(|baseline| baseline > 0.0 && baseline < 1.0));
    assert_eq!(overlap["pointing_game"], 1.0);
    let table = fs::read_to_string(&files[1]).expect("readable");
    assert!(table.starts_with("grading,discs,patients,") && table.lines().count() == 2, "{table}");
    assert!(fs::read_to_string(&files[3]).expect("readable").starts_with("<svg"));
    for file in files.iter().chain([&folder.join("reader.json")]) {
        fs::remove_file(file).expect("written above");
    }
}

#[test]
fn figures_are_drawn_as_pixels_vectors_and_pages() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (study, out) = (phantom().join("dicom"), folder.path().join("figures"));
    let said = succeed(&[
        "figures",
        path(&study),
        "--disc",
        "L5-S1",
        "--grading",
        "lower_endplate_defect",
        "--augmentations",
        "4",
        "--no-randomization",
        "--out",
        path(&out),
    ]);
    assert!(said.contains("9 files"), "{said}");
    for figure in ["methods", "thresholds", "convergence"] {
        for (ending, start) in [("png", &b"\x89PNG"[..]), ("svg", b"<svg"), ("pdf", b"%PDF")] {
            let file = out.join(format!("L5-S1_lower_endplate_defect_{figure}.{ending}"));
            assert!(fs::read(&file).expect("written").starts_with(start), "{}", file.display());
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").file_name());
    entries.map(|name| name.to_string_lossy().into_owned()).collect()
}

#[test]
fn the_demo_without_a_display_writes_everything() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("demo");
    let said = succeed(&["demo", "--out", path(&out), "--augmentations", "2"]);
    assert!(said.contains("L5-S1") && said.contains("Evidence shown for"), "{said}");
    let report = json(&out.join("report.json"));
    assert_eq!(report["views"], 54);
    assert_eq!(report["discs"].as_array().expect("discs").len(), 6);
    let names = names(&out);
    for ending in ["overview.png", "_figure.png", "_boxes.json", "_evidence.nii.gz", "_evidence.json", "truth.json"] {
        assert!(names.iter().any(|name| name.ends_with(ending)), "{ending} in {names:?}");
    }
    // The truth as a second rater agrees with itself.
    let (truth, measures) = (out.join("truth-grades.csv"), out.join("measures.json"));
    let measured = succeed(&[
        "evaluate",
        "grades",
        "--truth",
        path(&truth),
        "--predictions",
        path(&out.join("report.json")),
        "--second-rater",
        path(&truth),
        "--out",
        path(&measures),
    ]);
    assert!(measured.contains("Pfirrmann grade") && measured.contains("Second rater"), "{measured}");
    let second = &json(&measures)["second_rater"];
    assert_eq!((second.as_array().map(Vec::len), &second[0]["accuracy"]), (Some(8), &Value::from(1.0)));
}

#[test]
fn shipped_weights_are_whole_and_damage_is_noticed() {
    let said = succeed(&["weights", "verify"]);
    assert!(said.contains(DETECTOR_WEIGHTS) && said.contains(GRADING_WEIGHTS), "{said}");
    assert!(succeed(&["devices"]).contains("cpu"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    let newest = names(&shipped).into_iter().find(|name| name.starts_with(DETECTOR_WEIGHTS)).expect("a detector");
    let copy = folder.path().join(&newest);
    fs::create_dir(&copy).expect("writable");
    for name in names(&shipped.join(&newest)) {
        fs::copy(shipped.join(&newest).join(&name), copy.join(&name)).expect("copied");
    }
    let tensors = copy.join("model.safetensors");
    let mut bytes = fs::read(&tensors).expect("readable");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&tensors, bytes).expect("writable");
    let output = spinenet(&["weights", "verify", path(folder.path())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("SHA-256"), "{}", text(&output.stderr));
    // A damaged file of the user's must not be passed over in silence.
    let study = phantom().join("dicom");
    let output = spinenet(&["detect", path(&study), "--weights", path(folder.path()), "--out", "never.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("SHA-256"), "{}", text(&output.stderr));
}

#[test]
fn real_studies_are_graded_whatever_their_encoding() {
    let Some(cases) = needs::data("dicom") else { return };
    // Uncompressed, RLE, JPEG-LS and JPEG 2000, with and without file name endings.
    let mut cases: Vec<PathBuf> = fs::read_dir(cases)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("cases.jsonl");
    let mut arguments = vec!["grade", "--views", "1", "--out", path(&file)];
    arguments.extend(cases.iter().map(|case| path(case)));
    succeed(&arguments);
    let reports = fs::read_to_string(&file).expect("readable");
    assert_eq!(reports.lines().count(), cases.len());
    for (case, line) in cases.iter().zip(reports.lines()) {
        let report: Value = serde_json::from_str(line).expect("JSON");
        let discs = report["discs"].as_array().expect("discs");
        assert!(discs.len() >= 4, "{}: {} discs", case.display(), discs.len());
        assert!(discs.iter().all(|disc| disc["gradings"]["pfirrmann"]["grade"].is_u64()));
    }
}
