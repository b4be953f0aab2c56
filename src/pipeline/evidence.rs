//! An evidence map with the scan it explains.

use std::sync::Arc;

use glam::DVec2;

use super::{method_in_words, reading_in_words};
use crate::language::Language;
use crate::picture::{ColorMap, EvidenceFigure};
use crate::records::{BoxesFile, MapEntry, PeakEntry, SeenSliceEntry, WeightsUsed, rounded};
use crate::saliency::SaliencyMap;
use crate::spine::{BoxRule, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, SliceBox};
use crate::volume::Volume;

/// Percentiles that overlap is measured at: the paper's 90 to 99, and lower ones for findings that take much of a slice.
pub const CURVE_PERCENTILES: [f64; 15] =
    [70.0, 75.0, 80.0, 85.0, 88.0, 90.0, 91.0, 92.0, 93.0, 94.0, 95.0, 96.0, 97.0, 98.0, 99.0];

/// An evidence map with all that its files say.
#[derive(Debug, Clone)]
pub struct Evidence {
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

impl Evidence {
    /// The predicted boxes: one for each scan slice with evidence above the percentile.
    #[must_use]
    pub(crate) fn predicted_boxes(&self) -> Vec<SliceBox> {
        self.map.image_boxes(&self.volume, self.percentile, self.box_rule)
    }

    /// The predicted boxes at each of [`CURVE_PERCENTILES`], and what the map looked at: what overlap is measured from.
    #[must_use]
    pub(crate) fn boxes_by_percentile(&self) -> BoxesFile {
        let boxes = |percentile: &f64| self.map.image_boxes(&self.volume, *percentile, self.box_rule);
        self.boxes_file(CURVE_PERCENTILES.iter().flat_map(boxes).collect())
    }

    /// What pictures show of the map: its values, the predicted boxes, and a reader's of the same disc and grading.
    #[must_use]
    pub fn figure(&self, language: Language) -> EvidenceFigure<'_> {
        self.figure_at(self.percentile, language)
    }

    /// As [`Self::figure`], cut at another percentile.
    #[must_use]
    pub fn figure_at(&self, percentile: f64, language: Language) -> EvidenceFigure<'_> {
        let map = &self.map;
        let same = |found: &&SliceBox| found.level == map.level && found.grading == map.grading;
        let readers = self.reader_boxes.iter().filter(same).cloned();
        EvidenceFigure {
            language,
            values: &map.values,
            frame: &map.frame,
            level: map.level,
            grading: map.grading,
            class: map.class,
            probability: self.probability,
            method: language.text(method_in_words(map.method)).to_owned(),
            reading: reading_in_words(map, language),
            augmentations: map.augmentations,
            percentile,
            threshold: map.threshold(percentile),
            box_rule: self.box_rule,
            boxes: map.image_boxes(&self.volume, percentile, self.box_rule).into_iter().chain(readers).collect(),
            color_map: ColorMap::default(),
        }
    }

    /// Boxes of the map with what it looked at.
    #[must_use]
    pub(crate) fn boxes_file(&self, boxes: Vec<SliceBox>) -> BoxesFile {
        BoxesFile::new("", &self.series_instance_uid, boxes).with_maps(vec![map_entry(&self.map, self.box_rule)])
    }
}

/// What a map looked at.
#[must_use]
pub(crate) fn map_entry(map: &SaliencyMap, box_rule: BoxRule) -> MapEntry {
    let (bottom, right) = (PATCH_ROWS as f64 - 0.5, PATCH_COLUMNS as f64 - 0.5);
    let place = |at: DVec2| at.to_array().map(|value| rounded(value, 3));
    let corners = [(-0.5, -0.5), (-0.5, right), (bottom, right), (bottom, -0.5)]
        .map(|(row, column)| place(map.frame.image_from_patch(row, column)));
    let present = (0..PATCH_SLICES).filter_map(|slice| map.frame.scan_slice(slice));
    let mut slices: Vec<SeenSliceEntry> = present.map(|slice| SeenSliceEntry { slice, corners }).collect();
    slices.sort_by_key(|entry| entry.slice);
    let peak = map.peak().map(|peak| PeakEntry { slice: peak.slice, at: place(peak.image) });
    MapEntry { level: map.level, grading: map.grading, box_rule, peak, slices }
}
