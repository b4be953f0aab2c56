use std::sync::Arc;

use glam::{DVec2, DVec3};

use super::*;
use crate::dicom::series::SliceSource;
use crate::dicom::warning::WarningCode;
use crate::dicom::{Series, SeriesWarning};
use crate::model::Views;
use crate::records::{Report, Review, Seconds, SignOff, WeightsUsed};
use crate::saliency::EvidenceDefaults;
use crate::spine::{
    Corners, DiscLevel, DiscPrediction, Grading, Measurement, MeasurementKind, PerGrading, Vertebra, VertebraLabel,
    VertebraOutline, discs_between,
};
use crate::volume::{Volume, VolumeGeometry};

/// An oblique scan of seven slices with two bodies 5 mm apart.
pub(crate) fn scan() -> (Volume, Vec<Vertebra>) {
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
    DiscPrediction {
        level,
        probabilities,
        spread: PerGrading::default(),
        at_prevalence: PerGrading::default(),
        is_familiar: true,
    }
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
        evidence: EvidenceDefaults::default(),
    }
}

/// Its report, with one graded disc.
pub(crate) fn report() -> Report {
    let (volume, vertebrae) = scan();
    let mut series = Series::of_volume(volume);
    series.summary.study_instance_uid = "1.2".into();
    series.summary.series_instance_uid = "1.2.3".into();
    let instance = |uid: &str| SliceSource { sop_instance_uid: uid.into(), ..SliceSource::default() };
    series.summary.instances = ["1.2.3.1", "1.2.3.2"].map(instance).to_vec();
    series.voxel_sha256 = "cd".to_owned().into();
    series.warnings = vec![SeriesWarning::new(WarningCode::UnevenSliceSpacing, "uneven")];
    OpenSeries {
        series: Arc::new(series),
        discs: discs_between(&vertebrae),
        vertebrae,
        doubts: Vec::new(),
        judgement: None,
        outcomes: vec![GradeOutcome::Graded(prediction(DiscLevel::L4L5))],
        views: Some(Views::FiftyFour),
        review: Review::default(),
        prior: None,
        models: models(),
        seconds: Some(Seconds { load: 0.123_456, detect: 1.0, grade: 2.0 }),
    }
    .report()
}

#[test]
fn the_report_has_the_keys_of_the_schema_in_their_order() {
    let text = serde_json::to_string_pretty(&report()).expect("JSON");
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
    // Bodies 40 pixels of 0.8 mm deep that line up, ten rows of 0.5 mm apart.
    // Every voxel is alike.
    let measured = serde_json::json!({"height_mm": 5.0, "slip_percent": 0.0, "canal_mm": null, "signal_of_fluid": 1.0});
    assert_eq!(disc["measured"], measured);
    let conflicts =
        serde_json::json!(["spondylolisthesis present (90 %), measured slip 0 %, further forward than usual at L4-L5"]);
    assert_eq!(disc["conflicts"], conflicts);
    assert_eq!(disc["comment"], serde_json::Value::Null);
    assert_eq!(value["sign_off"], serde_json::Value::Null);
    assert_eq!(value["seconds"]["load"], 0.123);
}

#[test]
fn a_canal_that_a_reader_measured_belongs_to_the_disc_beside_it() {
    let mut report = report();
    // The disc's middle is at (60, 85); pixels are 0.8 mm wide.
    let canal = |x: f64, y: f64| Measurement {
        kind: MeasurementKind::CanalWidth,
        slice: 3,
        points: vec![DVec2::new(x, y), DVec2::new(x + 15.0, y)],
    };
    let noted = |report: &mut Report, measurements| {
        Review { measurements, ..Review::default() }.note_in(report);
        report.discs[0].measured.expect("measured").canal_mm
    };
    assert_eq!(noted(&mut report, vec![canal(20.0, 85.0)]), Some(12.0));
    assert_eq!(noted(&mut self::report(), vec![canal(20.0, 185.0)]), None, "at another level");
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
