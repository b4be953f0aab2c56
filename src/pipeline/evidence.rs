//! Evidence maps as files: the volume, the pictures, the boxes and how they were made.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::report::{Software, WeightsUsed};
use super::{BoxesFile, CocoImage, MapEntry, PipelineError, coco_text, method_in_words, rounded, write_whole};
use crate::picture::{ColorMap, EvidenceFigure, OverlayStyle, figure_sheet, overlay, write_png};
use crate::research::{Voxels, write_nifti};
use crate::saliency::{BoxRule, HotspotBox, SaliencyMap};
use crate::spine::{DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, SliceBox};
use crate::volume::{Volume, VolumeGeometry};

/// Name and version of the schema of evidence descriptions.
pub const EVIDENCE_SCHEMA: &str = "spinenet-evidence/1";

/// Percentile of the map above which evidence is boxed and shown, unless another is asked for.
pub const DEFAULT_PERCENTILE: f64 = 97.0;

/// Percentiles that overlap is measured at: the paper's 90 to 99.
pub const CURVE_PERCENTILES: [f64; 10] = [90.0, 91.0, 92.0, 93.0, 94.0, 95.0, 96.0, 97.0, 98.0, 99.0];

/// An evidence map with all that its files say.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The map.
    pub map: Arc<SaliencyMap>,
    /// Probability of the explained class, where the disc was graded.
    pub probability: Option<f32>,
    /// Of the random augmentations.
    pub seed: u64,
    /// Percentile of the map above which evidence is boxed.
    pub percentile: f64,
    /// Which hotspots a box encloses.
    pub box_rule: BoxRule,
    /// The scan.
    pub volume: Arc<Volume>,
    /// Study of the scan.
    pub study_instance_uid: String,
    /// The series.
    pub series_instance_uid: String,
    /// Its instances by position.
    pub sop_instance_uids: Vec<String>,
    /// Weights of the networks used.
    pub weights: Vec<WeightsUsed>,
    /// `cpu`, `cuda` or `metal`.
    pub device: String,
    /// A reader's boxes of the same disc and grading, drawn beside the predicted ones.
    pub reader_boxes: Vec<SliceBox>,
}

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
        let sides = |rect: crate::spine::PixelBox| <[f64; 4]>::from(rect).map(|side| rounded(side, 3));
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

impl Evidence {
    /// The predicted boxes: one for each scan slice with evidence above the percentile.
    #[must_use]
    pub fn predicted_boxes(&self) -> Vec<SliceBox> {
        self.map.image_boxes(&self.volume, self.percentile, self.box_rule)
    }

    /// The predicted boxes at each of [`CURVE_PERCENTILES`], and what the map looked at: what overlap is measured from.
    #[must_use]
    pub fn boxes_by_percentile(&self) -> BoxesFile {
        let boxes = |percentile: &f64| self.map.image_boxes(&self.volume, *percentile, self.box_rule);
        self.boxes_file(CURVE_PERCENTILES.iter().flat_map(boxes).collect())
    }

    fn boxes_file(&self, boxes: Vec<SliceBox>) -> BoxesFile {
        BoxesFile::new("", &self.series_instance_uid, boxes).with_maps(vec![MapEntry::of(&self.map, self.box_rule)])
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
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, PipelineError> {
        fs::create_dir_all(folder).map_err(PipelineError::file(folder))?;
        let stem = format!("{}_{}", self.map.level, self.map.grading);
        let path = |ending: &str| folder.join(format!("{stem}_{ending}"));
        let volume = path("evidence.nii.gz");
        let interpolated = self.write_nifti(&volume)?;
        let standard_error = path("standard-error.nii.gz");
        let has_error = self.write_standard_error(&standard_error)?;
        let predicted = self.boxes_file(self.predicted_boxes());
        let (boxes, by_percentile) = (path("boxes.json"), path("boxes-by-percentile.json"));
        predicted.save(&boxes)?;
        self.boxes_by_percentile().save(&by_percentile)?;
        let coco = path("boxes-coco.json");
        let [slices, rows, columns] = self.volume.shape();
        let text = coco_text(&predicted, CocoImage { slices, rows, columns });
        write_whole(&coco, text.as_bytes()).map_err(PipelineError::file(&coco))?;
        let description = path("evidence.json");
        let errors = has_error.then_some(standard_error);
        let text = serde_json::to_string_pretty(&self.description(&volume, interpolated, errors.as_deref()))
            .expect("plain values");
        write_whole(&description, (text + "\n").as_bytes()).map_err(PipelineError::file(&description))?;

        let figure = self.figure();
        let mut files = vec![volume, boxes, by_percentile, coco, description];
        files.extend(errors);
        for slice in self.scan_slices() {
            let file = path(&format!("slice-{:02}.png", slice + 1));
            write_png(&overlay(&self.volume, slice, Some(&figure), &OverlayStyle::default()), &file)?;
            files.push(file);
        }
        let sheet = path("figure.png");
        figure_sheet(&self.volume, &figure, "").write(&sheet)?;
        files.push(sheet);
        Ok(files)
    }

    /// Writes the map as NIfTI in patient space, on the grid of the disc volume; where the scan's slices are uneven,
    /// interpolated to the spacing in mm that is returned.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_nifti(&self, file: &Path) -> Result<Option<f64>, PipelineError> {
        write_map(file, &self.map.values, &self.map.frame, self.volume.geometry())
    }

    /// Writes the standard error of the map in the same way; `false` if there are too few views to tell it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_standard_error(&self, file: &Path) -> Result<bool, PipelineError> {
        let Some(errors) = &self.map.standard_errors else { return Ok(false) };
        write_map(file, errors, &self.map.frame, self.volume.geometry())?;
        Ok(true)
    }

    /// Scan slices that the disc volume shows, ascending.
    fn scan_slices(&self) -> Vec<usize> {
        let mut slices: Vec<usize> = (0..PATCH_SLICES).filter_map(|slice| self.map.frame.scan_slice(slice)).collect();
        slices.sort_unstable();
        slices
    }

    /// What pictures show of the map: its values, the predicted boxes, and a reader's of the same disc and grading.
    #[must_use]
    pub fn figure(&self) -> EvidenceFigure<'_> {
        self.figure_at(self.percentile)
    }

    /// As [`Self::figure`], cut at another percentile.
    #[must_use]
    pub fn figure_at(&self, percentile: f64) -> EvidenceFigure<'_> {
        let map = &self.map;
        let same = |found: &&SliceBox| found.level == map.level && found.grading == map.grading;
        let readers = self.reader_boxes.iter().filter(same).cloned();
        EvidenceFigure {
            values: &map.values,
            frame: &map.frame,
            level: map.level,
            grading: map.grading,
            class: map.class,
            probability: self.probability,
            method: method_in_words(map.method).to_owned(),
            augmentations: map.augmentations,
            percentile,
            threshold: map.threshold(percentile),
            boxes: map.image_boxes(&self.volume, percentile, self.box_rule).into_iter().chain(readers).collect(),
            color_map: ColorMap::default(),
        }
    }

    fn description(&self, volume: &Path, interpolated: Option<f64>, standard_error: Option<&Path>) -> Description<'_> {
        let map = &self.map;
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let boxes = map.hotspot_boxes(&self.volume, self.percentile, self.box_rule);
        Description {
            schema: EVIDENCE_SCHEMA,
            software: Software::this(),
            weights: &self.weights,
            device: &self.device,
            research_use_only: true,
            study_instance_uid: &self.study_instance_uid,
            series_instance_uid: &self.series_instance_uid,
            sop_instance_uids: &self.sop_instance_uids,
            level: map.level.to_string(),
            grading: map.grading.key(),
            class: map.class,
            grade: map.grading.grade_from_class(map.class),
            probability: self.probability.map(|probability| rounded(f64::from(probability), 5)),
            method: map.method.key(),
            layer: map.layer.key(),
            smoothing_mm: map.smoothing_mm,
            augmentations: map.augmentations,
            relative_error: map.relative_error.map(|error| rounded(f64::from(error), 4)),
            seed: self.seed,
            percentile: self.percentile,
            threshold: f64::from(map.threshold(self.percentile)),
            box_rule: self.box_rule,
            boxes: boxes.iter().map(|found| BoxEntry::new(found, self.volume.geometry())).collect(),
            volume: name(volume),
            interpolated_to_slices_mm: interpolated.map(|spacing| rounded(spacing, 4)),
            standard_error: standard_error.map(name),
        }
    }
}

/// Writes values of the voxels of a map as `float32` NIfTI, index order (column, row, slice) of the disc volume; returns
/// what [`write_nifti`] does.
pub(super) fn write_map(
    file: &Path,
    values: &[f32],
    frame: &DiscFrame,
    geometry: &VolumeGeometry,
) -> Result<Option<f64>, PipelineError> {
    let failed = |reason: String| PipelineError::Nifti { reason, path: file.to_owned() };
    let geometry = frame.geometry(geometry).map_err(|error| failed(error.to_string()))?;
    let voxels = Voxels::Floats(values.to_vec());
    write_nifti(file, voxels, &geometry, [PATCH_ROWS, PATCH_COLUMNS], "spinenet evidence, research use only")
        .map_err(|error| failed(error.to_string()))
}
