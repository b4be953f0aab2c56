use std::path::Path;

use glam::{DVec2, DVec3};

use super::*;
use crate::model::Views;
use crate::research::ras_from_voxel;
use crate::spine::{
    Corners, DiscFrame, DiscLevel, DiscPrediction, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PerGrading,
    Vertebra, VertebraLabel, VertebraOutline, discs_between,
};
use crate::volume::{Volume, VolumeGeometry};

/// An oblique scan of seven slices with two bodies 5 mm apart.
fn scan() -> (Volume, Vec<Vertebra>) {
    let rotation = glam::DQuat::from_euler(glam::EulerRot::XYZ, 0.05, 0.1, -0.08);
    let (x, y, normal) = (rotation * DVec3::Y, rotation * -DVec3::Z, rotation * -DVec3::X);
    let origins = (0..7).map(|slice| DVec3::new(12.0, -60.0, 90.0) + normal * (4.0 * f64::from(slice))).collect();
    let geometry = VolumeGeometry::new(origins, x, y, 0.5, 0.8).expect("valid geometry");
    let volume = Volume::new(200, 120, vec![100.0; 7 * 200 * 120], geometry).expect("matching size");
    let body = |label, top: f64| {
        let at = |x: f64, y: f64| DVec2::new(x, y);
        let corners =
            Corners { sa: at(40.0, top), sp: at(80.0, top), ip: at(80.0, top + 50.0), ia: at(40.0, top + 50.0) };
        let outlines = (1..6).map(|slice| VertebraOutline { slice, corners }).collect();
        Vertebra { label, confidence: 0.98761, outlines }
    };
    (volume, vec![body(VertebraLabel::L4, 30.0), body(VertebraLabel::L5, 90.0)])
}

fn prediction(level: DiscLevel) -> DiscPrediction {
    let probabilities = PerGrading::from_fn(Grading::PAPER, |grading| {
        let mut probabilities = vec![0.1; grading.classes()];
        probabilities[1] = 1.0 - 0.1 * (grading.classes() as f32 - 1.0);
        probabilities
    });
    DiscPrediction { level, probabilities, spread: PerGrading::default(), is_familiar: true }
}

fn models() -> ModelsInfo {
    let experimental = PerGrading::from_fn([Grading::CentralCanalStenosis], |_| "no labels".to_owned());
    let used = |name: &str| WeightsUsed { name: name.into(), version: "1.0.0".into(), sha256: "ab".repeat(32) };
    ModelsInfo {
        weights: vec![used("detector"), used("grading")],
        device: "cpu".into(),
        gradings: Grading::PAPER.to_vec(),
        experimental,
        calibrated: Some(true),
    }
}

fn report() -> Report {
    let (volume, vertebrae) = scan();
    let discs = discs_between(&vertebrae);
    let source = ScanSource {
        study_instance_uid: "1.2",
        series_instance_uid: "1.2.3",
        sop_instance_uids: vec!["1.2.3.1".into(), "1.2.3.2".into()],
        voxel_sha256: "cd",
        warnings: vec![ReportWarning { code: "uneven_slice_spacing".into(), message: "uneven".into() }],
        geometry: volume.geometry(),
    };
    Report::new(&ReportParts {
        source,
        vertebrae: &vertebrae,
        discs: &discs,
        predictions: &[prediction(DiscLevel::L4L5)],
        models: &models(),
        views: Some(Views::FiftyFour),
        seconds: Some(Seconds { load: 0.123_456, detect: 1.0, grade: 2.0 }),
    })
}

fn text(format: OutputFormat, entries: &[ReportEntry]) -> String {
    String::from_utf8(format.bytes(entries).expect("a text format")).expect("UTF-8")
}

#[test]
fn the_report_has_the_keys_of_the_schema_in_their_order() {
    let text = text(OutputFormat::Json, &[report().into()]);
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let keys = [
        "schema",
        "software",
        "weights",
        "device",
        "views",
        "research_use_only",
        "experimental_gradings",
        "calibrated",
        "pixel_spacing_mm",
        "slice_spacing_mm",
        "study_instance_uid",
        "series_instance_uid",
        "sop_instance_uids",
        "voxel_sha256",
        "folder",
        "warnings",
        "vertebrae",
        "discs",
        "sign_off",
        "seconds",
    ];
    let places: Vec<usize> =
        keys.iter().map(|key| text.find(&format!("\n  \"{key}\": ")).unwrap_or_else(|| panic!("no {key}"))).collect();
    assert!(places.is_sorted(), "keys in order");
    assert_eq!(value.as_object().expect("an object").len(), keys.len());
    assert_eq!(value["schema"], "spinenet-report/1");
    assert_eq!(value["views"], 54);
    assert_eq!(value["pixel_spacing_mm"], serde_json::json!([0.5, 0.8]), "row, then column spacing");
    assert_eq!(value["slice_spacing_mm"], 4.0);
    assert_eq!(value["folder"], serde_json::Value::Null);
    assert_eq!(value["experimental_gradings"], serde_json::json!(["central_canal_stenosis"]));
    assert_eq!(value["vertebrae"][1]["label"], "L5");
    assert_eq!(value["vertebrae"][0]["confidence"], 0.9876);
    assert_eq!(value["vertebrae"][0]["slices"][0]["slice"], 1);
    assert_eq!(value["vertebrae"][0]["slices"][0]["corners_image"]["SP"], serde_json::json!([80.0, 30.0]));
    let disc = &value["discs"][0];
    assert_eq!(disc["level"], "L4-L5");
    assert_eq!(disc["centroid_image"], serde_json::json!([3.0, 60.0, 85.0]), "slice, x, y");
    assert_eq!(disc["gradings"]["pfirrmann"]["grade"], 2);
    assert_eq!(disc["gradings"]["pfirrmann"]["probabilities"], serde_json::json!([0.1, 0.6, 0.1, 0.1, 0.1]));
    assert_eq!(disc["gradings"]["spondylolisthesis"]["grade"], 1);
    assert_eq!(disc["gradings"]["spondylolisthesis"]["edited"], serde_json::Value::Null);
    assert_eq!(disc["comment"], serde_json::Value::Null);
    assert_eq!(value["sign_off"], serde_json::Value::Null);
    assert_eq!(value["seconds"]["load"], 0.123);
}

#[test]
fn a_reader_edits_beside_the_computed_grade() {
    let mut report = report();
    assert!(report.set_edited(DiscLevel::L4L5, Grading::Pfirrmann, Some(4)));
    assert!(!report.set_edited(DiscLevel::L4L5, Grading::Pfirrmann, Some(6)), "no such grade");
    assert!(!report.set_edited(DiscLevel::L1L2, Grading::Pfirrmann, Some(1)), "no such disc");
    let entry = |report: &Report| report.discs[0].gradings.as_ref().expect("graded")[Grading::Pfirrmann].clone();
    assert_eq!((entry(&report).grade, entry(&report).edited), (2, Some(4)));
    assert!(report.set_edited(DiscLevel::L4L5, Grading::Pfirrmann, Some(2)));
    assert_eq!(entry(&report).edited, None, "the computed grade is no edit");
}

#[test]
fn a_review_is_written_and_a_report_without_one_still_reads() {
    let mut signed = report();
    assert!(signed.set_comment(DiscLevel::L4L5, "  Schmorl node, old. "));
    assert!(!signed.set_comment(DiscLevel::L1L2, "no such disc"));
    signed.set_edited(DiscLevel::L4L5, Grading::Pfirrmann, Some(4));
    signed.sign_off = Some(SignOff { reader: "AB".into(), signed_at: "2026-11-24T18:30:00Z".into() });
    let grades = signed.discs[0].gradings.as_ref().expect("graded");
    assert_eq!((grades[Grading::Pfirrmann].reported(), grades[Grading::Spondylolisthesis].reported()), (4, 1));
    let value = serde_json::to_value(&signed).expect("JSON");
    assert_eq!(value["discs"][0]["comment"], "Schmorl node, old.");
    assert_eq!(value["sign_off"], serde_json::json!({"reader": "AB", "signed_at": "2026-11-24T18:30:00Z"}));
    assert!(signed.set_comment(DiscLevel::L4L5, " ") && signed.discs[0].comment.is_none());

    let mut earlier = serde_json::to_value(report()).expect("JSON");
    earlier.as_object_mut().expect("an object").remove("sign_off");
    earlier["discs"][0].as_object_mut().expect("an object").remove("comment");
    let read: Report = serde_json::from_value(earlier).expect("fields may be absent");
    assert_eq!(read, report());
}

#[test]
fn reports_and_failures_read_back_from_json_and_lines() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let failed = FailedScan::new(2, Path::new("/data/Doe^John"), "no images", false);
    let entries = vec![ReportEntry::from(report()), ReportEntry::Failed(failed)];
    for name in ["report.json", "report.jsonl"] {
        let file = folder.path().join(name);
        write_reports(&file, &entries).expect("written");
        assert_eq!(read_reports(&file).expect("valid"), entries, "{name}");
        write_reports(&file, &entries[..1]).expect("written");
        assert_eq!(read_reports(&file).expect("valid"), entries[..1], "{name}");
    }
    let single = std::fs::read_to_string(folder.path().join("report.json")).expect("readable");
    assert!(single.starts_with("{\n  \"schema\""), "a single report is an object");
    let file = folder.path().join("other.json");
    std::fs::write(&file, r#"{"schema": "spinenet-report/9"}"#).expect("writable");
    let message = read_reports(&file).expect_err("refused").to_string();
    assert!(message.contains("expected schema spinenet-report/1, got \"spinenet-report/9\""), "{message}");
}

#[test]
fn without_times_the_bytes_repeat() {
    let text = |seconds: f64| {
        let mut report = report();
        report.seconds = Some(Seconds { load: seconds, detect: seconds, grade: seconds });
        text(OutputFormat::Json, &[report.without_times().into()])
    };
    assert_eq!(text(1.0), text(2.0));
    assert!(!text(1.0).contains("seconds"));
}

#[test]
fn csv_has_one_row_a_disc_and_one_a_failure() {
    let failed = FailedScan::new(2, Path::new("/data/Doe^John"), "no images, none", false);
    let mut report = report();
    report.set_comment(DiscLevel::L4L5, "old, \"stable\"");
    report.sign_off = Some(SignOff { reader: "AB".into(), signed_at: "2026-11-24T18:30:00Z".into() });
    let text = text(OutputFormat::Csv, &[report.into(), ReportEntry::Failed(failed)]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().expect("a head").clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("rows of one length")).collect();
    let cell = |row: usize, name: &str| {
        rows[row].get(head.iter().position(|column| column == name).expect("a column")).expect("a cell").to_owned()
    };
    assert_eq!(rows.len(), 2);
    assert_eq!(cell(0, "level"), "L4-L5");
    assert_eq!(cell(0, "pfirrmann"), "2");
    assert_eq!(cell(0, "pfirrmann_p2"), "0.6");
    assert_eq!(cell(0, "disc_narrowing_p4"), "0.1");
    assert_eq!(cell(0, "central_canal_stenosis_p0"), "0.1");
    assert_eq!(cell(0, "comment"), "old, \"stable\"");
    assert_eq!((cell(0, "signed_by"), cell(0, "signed_at")), ("AB".into(), "2026-11-24T18:30:00Z".into()));
    assert_eq!(cell(1, "error"), "no images, none");
    assert_eq!(cell(1, "level"), "");
}

#[test]
fn failures_name_the_folder_only_on_request() {
    let folder = Path::new("/data/Doe^John/");
    let message = "file is truncated: /data/Doe^John/IM0001.dcm";
    let hidden = FailedScan::new(1, folder, message, false);
    assert_eq!((hidden.error.as_str(), hidden.folder), ("file is truncated", None));
    let shown = FailedScan::new(1, folder, message, true);
    assert_eq!((shown.error.as_str(), shown.folder.as_deref()), (message, Some("/data/Doe^John/")));
    assert!(OutputFormat::of(Path::new("report.txt")).is_err());
    assert_eq!(OutputFormat::of(Path::new("R.JSONL")).expect("known"), OutputFormat::JsonLines);
}

#[test]
fn the_evidence_volume_lies_where_the_frame_says() {
    let (volume, vertebrae) = scan();
    let disc = &discs_between(&vertebrae)[0];
    let frame = DiscFrame::of_disc(&volume, disc).expect("good outlines");
    let affine = ras_from_voxel(&frame.geometry(volume.geometry()).expect("a place"));
    for [slice, row, column] in [[0.0, 0.0, 0.0], [4.0, 55.5, 111.5], [8.0, 111.0, 223.0], [2.0, 100.0, 3.0]] {
        let image = frame.image_from_patch(row, column);
        let lps = volume.geometry().lps_from_voxel([frame.scan_from_patch_slice(slice), image.y, image.x]);
        let ras = affine.map(|line| line[0] * column + line[1] * row + line[2] * slice + line[3]);
        assert!((DVec3::from_array(ras) - lps * DVec3::new(-1.0, -1.0, 1.0)).length() < 1e-9);
    }
    // The middle of the patch is the middle of the disc.
    let center = DVec3::from_array(affine.map(|line| line[0] * 111.5 + line[1] * 55.5 + line[2] * 4.0 + line[3]));
    assert!((center - disc.center_lps(volume.geometry()) * DVec3::new(-1.0, -1.0, 1.0)).length() < 1e-6);
}

#[test]
fn the_nifti_file_reads_back_with_values_and_affine() {
    use nifti::{IntoNdArray, NiftiObject, ReaderOptions};

    let (volume, vertebrae) = scan();
    let frame = DiscFrame::of_disc(&volume, &discs_between(&vertebrae)[0]).expect("good outlines");
    let mut values = vec![0.0; PATCH_SLICES * PATCH_ROWS * PATCH_COLUMNS];
    values[(3 * PATCH_ROWS + 40) * PATCH_COLUMNS + 200] = 0.75;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("L4-L5_pfirrmann_evidence.nii.gz");
    evidence::write_map(&file, &values, &frame, volume.geometry()).expect("written");
    let object = ReaderOptions::new().read_file(&file).expect("NIfTI");
    let affine = ras_from_voxel(&frame.geometry(volume.geometry()).expect("a place"));
    let header = object.header();
    for (written, expected) in [header.srow_x, header.srow_y, header.srow_z].iter().zip(affine) {
        assert!(written.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-3));
    }
    assert_eq!((header.sform_code, header.qform_code, header.xyzt_units), (1, 1, 2));
    let read = object.into_volume().into_ndarray::<f32>().expect("floats");
    assert_eq!(read.shape(), [PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES]);
    assert_eq!(read[[200, 40, 3]], 0.75);
    assert_eq!(read.sum(), 0.75);
}

/// The gradings decide what a report holds: optional ones are there where the weights have them, missing ones nowhere.
#[test]
fn only_the_gradings_of_the_weights_are_reported() {
    let mut report = report();
    let [kept, added] = [Grading::Pfirrmann, Grading::DiscHerniation];
    let gradings = report.discs[0].gradings.as_mut().expect("graded");
    let pfirrmann = gradings[kept].clone();
    let herniation = GradeEntry { grade: 1, probabilities: vec![0.1, 0.9], spread: None, edited: None };
    *gradings = [(kept, pfirrmann), (added, herniation)].into_iter().collect();
    report.experimental_gradings.clear();
    let entry = ReportEntry::from(report.clone());
    let csv = text(OutputFormat::Csv, std::slice::from_ref(&entry));
    let head = csv.lines().next().expect("a head");
    let named: Vec<&str> = Grading::ALL.map(Grading::key).into_iter().filter(|key| head.contains(key)).collect();
    assert_eq!(named, [kept.key(), added.key()]);
    assert!(
        head.contains("pfirrmann_p5,disc_herniation,disc_herniation_edited,disc_herniation_p0,disc_herniation_p1,")
    );
    assert_eq!(
        DiscFindings::reported(&report.discs[0], &[]).expect("graded").sentence(),
        "L4-L5: Pfirrmann II, disc herniation."
    );
    assert!(!report.set_edited(DiscLevel::L4L5, Grading::DiscBulging, Some(1)), "there is nothing to edit");
    let json = text(OutputFormat::Json, &[entry]);
    assert!(json.contains("disc_herniation") && !json.contains("disc_narrowing") && !json.contains("disc_bulging"));
    assert_eq!(serde_json::from_str::<Report>(&json).expect("its own report"), report);
}

/// A report and its table as version 0.1.0 wrote them.
#[test]
fn reports_written_before_optional_gradings_read_and_write_the_same() {
    let json = include_str!("../../tests/golden/report-0.1.0.json");
    let report: Report = serde_json::from_str(json).expect("an old report");
    assert_eq!(report.gradings(), Grading::PAPER.into());
    let entries = [ReportEntry::from(report)];
    assert_eq!(text(OutputFormat::Json, &entries), json);
    assert_eq!(text(OutputFormat::Csv, &entries), include_str!("../../tests/golden/report-0.1.0.csv"));
}
