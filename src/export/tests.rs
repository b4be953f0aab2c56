use std::path::Path;

use glam::DVec3;

use super::nifti::write_patch;
use super::reports::json;
use super::table::csv;
use super::write_reports;
use crate::language::Language;
use crate::pipeline::DiscFindings;
use crate::pipeline::tests::{report, scan};
use crate::records::{FailedScan, GradeEntry, Report, ReportEntry, Seconds, SignOff, read_reports};
use crate::research::nifti_write::ras_from_voxel;
use crate::spine::{DiscFrame, DiscLevel, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, discs_between};

fn text(make: fn(&[ReportEntry]) -> Vec<u8>, entries: &[ReportEntry]) -> String {
    String::from_utf8(make(entries)).expect("UTF-8")
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

/// A byte order mark.
const MARK: char = '\u{feff}';

/// A spreadsheet takes text that begins with one of these for a formula.
#[test]
fn csv_holds_no_formulas_and_says_that_it_is_utf_8() {
    for (comment, cell) in [
        ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+1 grade", "'+1 grade"),
        ("- stable", "'- stable"),
        ("größer, 추간판", "größer, 추간판"),
    ] {
        let mut report = report();
        report.set_comment(DiscLevel::L4L5, comment);
        let text = text(csv, &[report.into()]);
        let mut reader = csv::Reader::from_reader(text.strip_prefix(MARK).expect("marked").as_bytes());
        let head = reader.headers().expect("a head").clone();
        let row = reader.records().next().expect("a disc").expect("a row");
        let place = head.iter().position(|column| column == "comment").expect("a column");
        assert_eq!(row.get(place), Some(cell));
    }
}

#[test]
fn csv_has_one_row_a_disc_and_one_a_failure() {
    let failed = FailedScan::new(2, Path::new("/data/Doe^John"), "no images, none", false);
    let mut report = report();
    report.set_comment(DiscLevel::L4L5, "old, \"stable\"");
    report.sign_off = Some(SignOff { reader: "AB".into(), signed_at: "2026-11-24T18:30:00Z".into() });
    let text = text(csv, &[report.into(), ReportEntry::Failed(failed)]);
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
    assert_eq!(
        (cell(0, "height_mm"), cell(0, "slip_percent"), cell(0, "canal_mm")),
        ("5".into(), "0".into(), String::new())
    );
    assert_eq!(
        cell(0, "conflicts"),
        "spondylolisthesis present (90 %), measured slip 0 %, further forward than usual at L4-L5"
    );
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
}

#[test]
fn without_times_the_bytes_repeat() {
    let text = |seconds: f64| {
        let mut report = report();
        report.seconds = Some(Seconds { load: seconds, detect: seconds, grade: seconds });
        text(json, &[report.without_times().into()])
    };
    assert_eq!(text(1.0), text(2.0));
    assert!(!text(1.0).contains("seconds"));
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
    write_patch(&file, &values, &frame, volume.geometry()).expect("written");
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
    let herniation =
        GradeEntry { grade: 1, probabilities: vec![0.1, 0.9], spread: None, at_prevalence: None, edited: None };
    *gradings = [(kept, pfirrmann), (added, herniation)].into_iter().collect();
    report.experimental_gradings.clear();
    let entry = ReportEntry::from(report.clone());
    let csv = text(csv, std::slice::from_ref(&entry));
    let head = csv.lines().next().expect("a head");
    let named: Vec<&str> = Grading::ALL.map(Grading::key).into_iter().filter(|key| head.contains(key)).collect();
    assert_eq!(named, [kept.key(), added.key()]);
    assert!(
        head.contains("pfirrmann_p5,disc_herniation,disc_herniation_edited,disc_herniation_p0,disc_herniation_p1,")
    );
    assert_eq!(
        DiscFindings::of_report(&report)[0].sentence(Language::ENGLISH),
        "L4-L5: Pfirrmann II (60 %), disc herniation; height 5.0 mm, slip 0 %."
    );
    assert!(!report.set_edited(DiscLevel::L4L5, Grading::DiscBulging, Some(1)), "there is nothing to edit");
    let written = text(json, &[entry]);
    assert!(
        written.contains("disc_herniation") && !written.contains("disc_narrowing") && !written.contains("disc_bulging")
    );
    assert_eq!(serde_json::from_str::<Report>(&written).expect("its own report"), report);
}

/// A report and its table as version 0.1.0 wrote them.
#[test]
fn reports_written_before_optional_gradings_read_and_write_the_same() {
    let json = include_str!("../../tests/golden/report-0.1.0.json");
    let report: Report = serde_json::from_str(json).expect("an old report");
    assert_eq!(report.gradings(), Grading::PAPER.into());
    let entries = [ReportEntry::from(report)];
    assert_eq!(text(super::reports::json, &entries), json);
    let table = text(csv, &entries);
    assert_eq!(table.strip_prefix(MARK).expect("marked as UTF-8"), include_str!("../../tests/golden/report-0.1.0.csv"));
}
