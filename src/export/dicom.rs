//! Results as DICOM objects in the study of the images.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::key_images::key_pictures;
use super::masks::{Structure, StructureMask, disc_outline, structure_masks};
use super::study::signature_time;
use super::{ExportError, ExportOptions, ReportedStudy, Written};
use crate::dicom::objects::{
    Code, EvidenceMap, GradedDisc, Marks, MeasuredImage, MeasurementReport, ObjectContext, Observer, Segment,
    SegmentationTexts, SignedGrade, key_objects, parametric_map, presentation_states, secondary_capture, segmentation,
    structured_report,
};
use crate::language::{Language, say};
use crate::picture::{DISCLAIMER, DiscNote, study_overview};
use crate::pipeline::{DiscFindings, Evidence, StudySummary};
use crate::records::{DiscEntry, MeasurementEntry, Report, SignOff};
use crate::saliency::SaliencyMap;
use crate::spine::{Disc, PerGrading};
use crate::volume::WindowLevel;

/// [`write_dicom`] as a format of the table.
pub(super) fn write_objects(
    study: &ReportedStudy,
    options: &ExportOptions,
    folder: &Path,
) -> Result<Written, ExportError> {
    let files = write_dicom(study, options.created.unwrap_or_else(Utc::now), folder)?;
    Ok(Written { files, note: None })
}

/// Writes into `folder` the structured report, the segmentation and the overview picture; for evidence maps a parametric
/// map each and a segmentation of their hotspots; for key images a selection and a picture each; for boxes and
/// measurements presentation states. Returns the files.
/// `created` is the time that the objects carry.
///
/// # Errors
/// If the images are not DICOM, have no frame of reference, or a file cannot be written.
pub(crate) fn write_dicom(
    study: &ReportedStudy,
    created: DateTime<Utc>,
    folder: &Path,
) -> Result<Vec<PathBuf>, ExportError> {
    let summary = &study.series.summary;
    if summary.instances.is_empty() {
        return Err(ExportError::NotDicom);
    }
    let context = ObjectContext::of_series(summary, &fingerprint(study), created)?;
    let volume = &study.series.volume;
    let report = measurement_report(study)?;
    let mut files = vec![structured_report(&context, &report)?.write(folder, "report-sr.dcm")?];
    let spine = segmentation(&context, &structures(study), volume.geometry(), spine_texts(study))?;
    files.push(spine.write(folder, "spine-seg.dcm")?);
    for (index, evidence) in study.evidence.iter().enumerate() {
        let map = &evidence.map;
        let name = format!("evidence-{}-{}.dcm", map.level, map.grading);
        let map = EvidenceMap {
            values: &map.values,
            frame: &map.frame,
            geometry: volume.geometry(),
            explained: &explained(evidence),
            method: &made_in_words(evidence),
        };
        files.push(parametric_map(&context, &map, index as u32 + 1)?.write(folder, &name)?);
    }
    let hotspots = hotspots(study);
    if !hotspots.is_empty() {
        let seg = segmentation(&context, &hotspots, volume.geometry(), hotspot_texts(study))?;
        files.push(seg.write(folder, "hotspots-seg.dcm")?);
    }
    if !report.boxes.is_empty() || !report.measurements.is_empty() {
        let marks = Marks {
            boxes: &report.boxes,
            measurements: &report.measurements,
            window: summary.window.unwrap_or_else(|| WindowLevel::from_percentiles(volume.voxels())),
            pixel_spacing_mm: study.report.pixel_spacing_mm,
        };
        for (index, state) in presentation_states(&context, &marks)?.into_iter().enumerate() {
            let name = if index == 0 { "marks-pr.dcm".to_owned() } else { format!("marks-pr-{}.dcm", index + 1) };
            files.push(state.write(folder, &name)?);
        }
    }
    let language = study.language;
    let title = say!(language, "Lumbar spine");
    let picture = study_overview(volume, &study.vertebrae, &notes(&study.report, language), title, language);
    let size = (picture.height(), picture.width());
    let capture = secondary_capture(&context, picture.as_raw(), size, CAPTURES, 1)?;
    files.push(capture.write(folder, "overview-sc.dcm")?);
    files.extend(write_key_images(study, &context, folder)?);
    Ok(files)
}

/// Name of the series of captures.
const CAPTURES: &str = "spinenet pictures, research use only";

/// The key images: which they are, for viewers that show the images themselves, and as pictures with all that lay over them.
fn write_key_images(
    study: &ReportedStudy,
    context: &ObjectContext,
    folder: &Path,
) -> Result<Vec<PathBuf>, ExportError> {
    let pictures = key_pictures(study)?;
    if pictures.is_empty() {
        return Ok(Vec::new());
    }
    let slices: Vec<usize> = study.report.key_images.iter().map(|image| image.slice).collect();
    let titles: Vec<&str> = pictures.iter().map(|key| key.title.as_str()).collect();
    let selection = key_objects(context, &slices, &titles.join("\n"))?;
    let mut files = vec![selection.write(folder, "key-images-ko.dcm")?];
    for (number, key) in (1..).zip(&pictures) {
        let picture = key.captioned();
        let size = (picture.height(), picture.width());
        // The first capture is the overview.
        let capture = secondary_capture(context, picture.as_raw(), size, CAPTURES, number + 1)?;
        files.push(capture.write(folder, &format!("key-image-{number}-sc.dcm"))?);
    }
    Ok(files)
}

/// Discs and vertebral bodies.
fn structures(study: &ReportedStudy) -> Vec<Segment> {
    let volume = &study.series.volume;
    let segment = |mask: StructureMask| {
        let code = match mask.structure {
            Structure::Vertebra(label) => Code::of_vertebra(label),
            Structure::Disc(level) => Code::of_disc(level),
        };
        let (label, category) = (mask.structure.label(), Code::anatomical_structure());
        Segment { label, code, category, masks: mask.slices }
    };
    structure_masks(&study.vertebrae, &study.discs, volume.rows(), volume.columns()).into_iter().map(segment).collect()
}

fn spine_texts(study: &ReportedStudy) -> SegmentationTexts<'_> {
    SegmentationTexts {
        number: 1,
        series: "spinenet segmentations, research use only",
        label: "SPINE",
        description: "Discs and vertebral bodies from their detected corners",
        segments: "Quadrilateral through detected corners; research use only",
        algorithm: weights(study, 0),
    }
}

/// Where each evidence map is above its percentile.
fn hotspots(study: &ReportedStudy) -> Vec<Segment> {
    let segment = |evidence: &Evidence| {
        let masks = evidence.map.hotspot_masks(&study.series.volume, evidence.percentile, evidence.box_rule);
        let label: String = explained(evidence).chars().take(64).collect();
        let (code, category) = (Code::hotspot(), Code::spatial_concept());
        (!masks.is_empty()).then_some(Segment { label, code, category, masks })
    };
    study.evidence.iter().filter_map(segment).collect()
}

fn hotspot_texts(study: &ReportedStudy) -> SegmentationTexts<'_> {
    SegmentationTexts {
        number: 2,
        series: "spinenet segmentations, research use only",
        label: "HOTSPOTS",
        description: "Hotspots of supporting evidence, not a segmentation",
        segments: "Evidence above a percentile of its map; supporting evidence, research use only",
        algorithm: weights(study, 1),
    }
}

/// Name and version of the weights at a place of the chain.
fn weights(study: &ReportedStudy, place: usize) -> (&str, &str) {
    let used = study.report.weights.get(place);
    used.map_or(("unknown", "unknown"), |used| (used.name.as_str(), used.version.as_str()))
}

/// Disc and grade that a map is evidence for.
fn explained(evidence: &Evidence) -> String {
    let map = &evidence.map;
    if map.grading.is_presence() {
        format!("{} {}: {}", map.level, map.grading.name(), map.grading.class_name(map.class))
    } else {
        format!("{} {}", map.level, Code::of_grade(map.grading, map.class).meaning)
    }
}

/// A text that differs wherever the results do.
fn fingerprint(study: &ReportedStudy) -> String {
    let maps: Vec<String> = study.evidence.iter().map(made_in_words).collect();
    serde_json::to_string(&(&study.report, &study.boxes, maps, study.language.code())).unwrap_or_default()
}

/// How a map was made, short enough for a header.
fn made_in_words(evidence: &Evidence) -> String {
    let SaliencyMap { method, layer, smoothing_mm, augmentations, .. } = evidence.map.as_ref();
    let smoothed = if *smoothing_mm > 0.0 { format!(", {smoothing_mm} mm") } else { String::new() };
    format!("{method} at {layer}{smoothed}, {augmentations} inputs, seed {}", evidence.seed)
}

fn measurement_report(study: &ReportedStudy) -> Result<MeasurementReport, ExportError> {
    let report = &study.report;
    let names =
        |part: fn(&crate::records::WeightsUsed) -> &str| report.weights.iter().map(part).collect::<Vec<_>>().join(", ");
    let mut parameters: Vec<String> =
        report.weights.iter().map(|used| format!("{} SHA-256 {}", used.name, used.sha256)).collect();
    parameters.push(format!("device {}, {} views", report.device, report.views.unwrap_or_default()));
    if !report.experimental_gradings.is_empty() {
        let keys: Vec<&str> = report.experimental_gradings.iter().map(|grading| grading.key()).collect();
        parameters.push(format!("experimental: {}", keys.join(", ")));
    }
    parameters.push(DISCLAIMER.to_owned());
    let observer = |sign_off: &SignOff| {
        let signed_at = signature_time(sign_off)?.format("%Y%m%d%H%M%S%z").to_string();
        Ok::<Observer, ExportError>(Observer { name: sign_off.reader.clone(), signed_at })
    };
    let findings = DiscFindings::of_report(report);
    let sentence = |disc: &DiscEntry| {
        let found = findings.iter().find(|found| found.level == disc.level)?;
        Some(found.grades_sentence(study.language))
    };
    let graded = |disc| GradedDisc { sentence: sentence(disc), ..graded_disc(disc, &study.discs) };
    Ok(MeasurementReport {
        discs: report.discs.iter().map(graded).collect(),
        sentences: StudySummary::of_report(report).sentences(study.language),
        language: study.language,
        boxes: study.boxes.clone(),
        measurements: report.measurements.iter().map(|entry| measured(entry, study.language)).collect(),
        algorithm: names(|used| &used.name),
        version: names(|used| &used.version),
        parameters,
        observer: report.sign_off.as_ref().map(observer).transpose()?,
    })
}

fn measured(entry: &MeasurementEntry, language: Language) -> MeasuredImage {
    MeasuredImage {
        kind: entry.kind,
        slice: entry.slice,
        points: entry.points_image.clone(),
        value: entry.value,
        words: entry.in_words(language),
    }
}

fn graded_disc(disc: &DiscEntry, found: &[Disc]) -> GradedDisc {
    let slice = disc.centroid_image[0].round().max(0.0) as usize;
    let outline = found.iter().find(|found| found.level == disc.level).and_then(|found| disc_outline(found, slice));

    let grades = disc.gradings.iter().flat_map(PerGrading::iter);
    GradedDisc {
        level: disc.level,
        slice,
        outline: outline.map(|corners| corners.as_array().map(|corner| corner.to_array())),
        grades: grades
            .map(|(grading, entry)| SignedGrade {
                grading,
                computed: grading.class_from_grade(entry.grade).unwrap_or_default(),
                edited: entry.edited.and_then(|grade| grading.class_from_grade(grade)),
                probabilities: entry.probabilities.clone(),
            })
            .collect(),
        sentence: None,
        comment: disc.comment.clone(),
    }
}

/// The notes of the overview picture, with the grades that count.
fn notes(report: &Report, language: Language) -> Vec<DiscNote> {
    DiscFindings::of_report(report).iter().map(|disc| disc.note(language)).collect()
}
