//! Evidence maps as files: the volume, the pictures, the boxes and how they were made.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ExportError;
use super::coco::{CocoImage, coco_text};
use super::nifti::{write_map, write_standard_error};
use crate::files::{PathError, write_whole};
use crate::language::Language;
use crate::picture::{OverlayStyle, figure_sheet, overlay, write_png};
use crate::pipeline::Evidence;
use crate::records::{Software, WeightsUsed, rounded};
use crate::saliency::HotspotBox;
use crate::spine::{BoxRule, PATCH_SLICES, PixelBox};
use crate::volume::VolumeGeometry;

/// Name and version of the schema of evidence descriptions.
pub(crate) const EVIDENCE_SCHEMA: &str = "spinenet-evidence/1";

/// How a map was made: what must be known to make it again.
#[derive(Debug, Serialize)]
struct Description<'a> {
    schema: &'static str,
    software: Software,
    weights: &'a [WeightsUsed],
    device: &'a str,
    research_use_only: bool,
    study_instance_uid: &'a str,
    series_instance_uid: &'a str,
    sop_instance_uids: &'a [String],
    level: String,
    grading: &'static str,
    class: usize,
    grade: u8,
    probability: Option<f64>,
    method: &'static str,
    layer: &'static str,
    smoothing_mm: f64,
    augmentations: usize,
    relative_error: Option<f64>,
    seed: u64,
    percentile: f64,
    threshold: f64,
    box_rule: BoxRule,
    boxes: Vec<BoxEntry>,
    volume: String,
    /// Spacing of the volume's slices where those of the scan are uneven, mm.
    interpolated_to_slices_mm: Option<f64>,
    standard_error: Option<String>,
}

/// A predicted box in all coordinates.
#[derive(Debug, Serialize)]
struct BoxEntry {
    /// Slice of the disc volume, and box `[x, y, width, height]` in its pixels.
    patch_slice: usize,
    patch: [f64; 4],
    /// Slice of the scan, and box in image pixels.
    slice: usize,
    image: [f64; 4],
    /// Corners of that box in the patient, LPS in mm: top left, top right, bottom right, bottom left.
    corners_lps: [[f64; 3]; 4],
}

impl BoxEntry {
    fn new(found: &HotspotBox, geometry: &VolumeGeometry) -> Self {
        let sides = |rect: PixelBox| <[f64; 4]>::from(rect).map(|side| rounded(side, 3));
        let corners = found.corners_lps(geometry);
        Self {
            patch_slice: found.patch_slice,
            patch: sides(found.patch),
            slice: found.slice,
            image: sides(found.image),
            corners_lps: corners.map(|corner| corner.to_array().map(|value| rounded(value, 3))),
        }
    }
}

/// Writes into `folder` (made where needed), each name starting with disc and grading: the map and its standard error
/// as NIfTI in patient space, one picture for each scan slice of the disc, the figure sheet, the predicted boxes (also
/// as COCO, and at several percentiles), and how all was made.
///
/// # Errors
/// If a file cannot be written.
///
/// # Panics
/// Never: the description holds only what JSON can.
pub(crate) fn write_evidence(evidence: &Evidence, folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
    fs::create_dir_all(folder).map_err(PathError::at(folder))?;
    let stem = format!("{}_{}", evidence.map.level, evidence.map.grading);
    let path = |ending: &str| folder.join(format!("{stem}_{ending}"));
    let volume = path("evidence.nii.gz");
    let interpolated = write_map(evidence, &volume)?;
    let standard_error = path("standard-error.nii.gz");
    let has_error = write_standard_error(evidence, &standard_error)?;
    let predicted = evidence.boxes_file(evidence.predicted_boxes());
    let (boxes, by_percentile) = (path("boxes.json"), path("boxes-by-percentile.json"));
    predicted.save(&boxes)?;
    evidence.boxes_by_percentile().save(&by_percentile)?;
    let coco = path("boxes-coco.json");
    let text = coco_text(&predicted, CocoImage::of(&evidence.volume));
    write_whole(&coco, text.as_bytes()).map_err(PathError::at(&coco))?;
    let description = path("evidence.json");
    let errors = has_error.then_some(standard_error);
    let text = serde_json::to_string_pretty(&describe(evidence, &volume, interpolated, errors.as_deref()))
        .expect("plain values");
    write_whole(&description, (text + "\n").as_bytes()).map_err(PathError::at(&description))?;

    let figure = evidence.figure(Language::ENGLISH);
    let mut files = vec![volume, boxes, by_percentile, coco, description];
    files.extend(errors);
    for slice in scan_slices(evidence) {
        let file = path(&format!("slice-{:02}.png", slice + 1));
        write_png(&overlay(&evidence.volume, slice, Some(&figure), &OverlayStyle::default()), &file)?;
        files.push(file);
    }
    let sheet = path("figure.png");
    figure_sheet(&evidence.volume, &figure, "").write(&sheet)?;
    files.push(sheet);
    Ok(files)
}

/// Scan slices that the disc volume shows, ascending.
fn scan_slices(evidence: &Evidence) -> Vec<usize> {
    let mut slices: Vec<usize> = (0..PATCH_SLICES).filter_map(|slice| evidence.map.frame.scan_slice(slice)).collect();
    slices.sort_unstable();
    slices
}

fn describe<'a>(
    evidence: &'a Evidence,
    volume: &Path,
    interpolated: Option<f64>,
    standard_error: Option<&Path>,
) -> Description<'a> {
    let map = &evidence.map;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let boxes = map.hotspot_boxes(&evidence.volume, evidence.percentile, evidence.box_rule);
    Description {
        schema: EVIDENCE_SCHEMA,
        software: Software::this(),
        weights: &evidence.weights,
        device: &evidence.device,
        research_use_only: true,
        study_instance_uid: &evidence.study_instance_uid,
        series_instance_uid: &evidence.series_instance_uid,
        sop_instance_uids: &evidence.sop_instance_uids,
        level: map.level.to_string(),
        grading: map.grading.key(),
        class: map.class,
        grade: map.grading.grade_from_class(map.class),
        probability: evidence.probability.map(|probability| rounded(f64::from(probability), 5)),
        method: map.method.key(),
        layer: map.layer.key(),
        smoothing_mm: map.smoothing_mm,
        augmentations: map.augmentations,
        relative_error: map.relative_error.map(|error| rounded(f64::from(error), 4)),
        seed: evidence.seed,
        percentile: evidence.percentile,
        threshold: f64::from(map.threshold(evidence.percentile)),
        box_rule: evidence.box_rule,
        boxes: boxes.iter().map(|found| BoxEntry::new(found, evidence.volume.geometry())).collect(),
        volume: name(volume),
        interpolated_to_slices_mm: interpolated.map(|spacing| rounded(spacing, 4)),
        standard_error: standard_error.map(name),
    }
}
