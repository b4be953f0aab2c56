//! A saliency map and the boxes around its hotspots.

use glam::DVec2;

use super::SaliencyMethod;
use crate::spine::{
    BoxSource, ClassIndex, DiscFrame, DiscLevel, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PixelBox, SliceBox,
};
use crate::volume::Volume;

const SLICE_VOXELS: usize = PATCH_ROWS * PATCH_COLUMNS;

/// Evidence for one class of one grading of one disc, in the voxels of the disc volume.
#[derive(Debug, Clone, PartialEq)]
pub struct SaliencyMap {
    /// Evidence `[9, 112, 224]`, not negative; 0 on slices that the scan does not have.
    pub values: Vec<f32>,
    /// Where the voxels lie in the scan.
    pub frame: DiscFrame,
    /// Disc.
    pub level: DiscLevel,
    /// Grading.
    pub grading: Grading,
    /// Class.
    pub class: ClassIndex,
    /// Method.
    pub method: SaliencyMethod,
    /// Views averaged so far, the plain one included.
    pub augmentations: usize,
    /// Estimated distance from the mean over endless views, as a share of the map's size (Euclidean norms over the
    /// voxels, from the standard error of each); `None` where there are too few views to tell.
    pub relative_error: Option<f32>,
}

impl SaliencyMap {
    /// Evidence of one patch slice, `[112, 224]`.
    ///
    /// # Panics
    /// If `patch_slice` is not below 9.
    #[must_use]
    pub fn slice(&self, patch_slice: usize) -> &[f32] {
        &self.values[patch_slice * SLICE_VOXELS..(patch_slice + 1) * SLICE_VOXELS]
    }

    /// Value that `percentile` percent of the voxels do not exceed, over the slices that the scan has; `percentile` is
    /// held to 0 to 100. Hotspots are the voxels above it. 0 if the scan has none of the slices.
    #[must_use]
    pub fn threshold(&self, percentile: f64) -> f32 {
        let present = (0..PATCH_SLICES).filter(|slice| self.frame.scan_slice(*slice).is_some());
        let mut values: Vec<f32> = present.flat_map(|slice| self.slice(slice).iter().copied()).collect();
        if values.is_empty() {
            return 0.0;
        }
        let rank = (percentile.clamp(0.0, 100.0) / 100.0 * values.len() as f64).ceil() as usize;
        let index = rank.clamp(1, values.len()) - 1;
        *values.select_nth_unstable_by(index, f32::total_cmp).1
    }

    /// For each slice of the scan with voxels above the threshold of `percentile`, the smallest axis-parallel box in image
    /// pixels that holds them, cut at the border of the image; ascending by slice.
    #[must_use]
    pub fn image_boxes(&self, volume: &Volume, percentile: f64) -> Vec<SliceBox> {
        let threshold = self.threshold(percentile);
        let mut boxes: Vec<SliceBox> = (0..PATCH_SLICES)
            .filter_map(|patch_slice| {
                let slice = self.frame.scan_slice(patch_slice).filter(|slice| *slice < volume.slices())?;
                let rect = self.hotspot_box(patch_slice, threshold, volume)?;
                let (source, percentile) = (BoxSource::Predicted, Some(percentile));
                Some(SliceBox { level: self.level, grading: self.grading, slice, rect, source, percentile })
            })
            .collect();
        boxes.sort_by_key(|found| found.slice);
        boxes
    }

    fn hotspot_box(&self, patch_slice: usize, threshold: f32, volume: &Volume) -> Option<PixelBox> {
        let mut low = DVec2::INFINITY;
        let mut high = DVec2::NEG_INFINITY;
        // A patch pixel reaches half its edge to every side; the patch may lie rotated on the image.
        let corners = [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)];
        for (row, line) in self.slice(patch_slice).chunks_exact(PATCH_COLUMNS).enumerate() {
            let hot = |value: &f32| *value > threshold;
            let (Some(first), Some(last)) = (line.iter().position(hot), line.iter().rposition(hot)) else { continue };
            for column in [first, last] {
                for (down, right) in corners {
                    let corner = self.frame.image_from_patch(row as f64 + down, column as f64 + right);
                    (low, high) = (low.min(corner), high.max(corner));
                }
            }
        }
        let border = DVec2::new(volume.columns() as f64, volume.rows() as f64) - 0.5;
        let (low, high) = (low.max(DVec2::splat(-0.5)), high.min(border));
        (low.x < high.x && low.y < high.y).then(|| PixelBox::from_corners(low.into(), high.into()))
    }
}
