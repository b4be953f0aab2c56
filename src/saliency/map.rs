//! A saliency map.

use std::sync::OnceLock;

use super::smooth::smooth_slices;
use super::{SaliencyLayer, SaliencyMethod};
use crate::spine::{ClassIndex, DiscFrame, DiscLevel, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};

pub(super) const SLICE_VOXELS: usize = PATCH_ROWS * PATCH_COLUMNS;

/// Evidence for one class of one grading of one disc, in the voxels of the disc volume.
#[derive(Debug, Clone, PartialEq)]
pub struct SaliencyMap {
    /// Evidence `[9, 112, 224]`, not negative; 0 on slices that the scan does not have.
    pub values: Vec<f32>,
    /// Standard error of each of the values over the views; `None` where there are too few views to tell.
    pub standard_errors: Option<Vec<f32>>,
    /// Where the voxels lie in the scan.
    pub frame: DiscFrame,
    pub level: DiscLevel,
    pub grading: Grading,
    pub class: ClassIndex,
    pub method: SaliencyMethod,
    /// Where it was read off.
    pub layer: SaliencyLayer,
    /// Standard deviation of the Gaussian that it was smoothed by within its slices, mm; 0 for none.
    pub smoothing_mm: f64,
    /// Views averaged so far, the plain one included.
    pub augmentations: usize,
    /// Estimated distance from the mean over endless views, as a share of the map's size (Euclidean norms over the
    /// voxels, from the standard error of each); `None` where there are too few views to tell.
    pub relative_error: Option<f32>,
    /// Order of the values, for [`Self::threshold`].
    pub ranks: Ranks,
}

/// The values of a map in ascending order, over the slices that the scan has; found when they are first asked for.
#[derive(Debug, Default)]
pub struct Ranks(OnceLock<Box<[f32]>>);

impl Clone for Ranks {
    /// Not known yet: a copy may get other values.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Ranks {
    /// They follow from the values.
    fn eq(&self, _other: &Self) -> bool {
        true
    }
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

    /// The map smoothed within its slices by a Gaussian of that standard deviation. Errors of neighbors are taken to be wholly
    /// correlated, so the standard errors are upper bounds.
    #[must_use]
    pub(crate) fn smoothed(&self, deviation_mm: f64) -> Self {
        let mut smooth = self.clone();
        let deviation = (deviation_mm / self.frame.mm_per_patch_pixel()) as f32;
        smooth_slices(&mut smooth.values, deviation);
        if let Some(errors) = &mut smooth.standard_errors {
            smooth_slices(errors, deviation);
        }
        // Two Gaussians in a row are one whose variances add.
        smooth.smoothing_mm = self.smoothing_mm.hypot(deviation_mm);
        smooth
    }

    /// Value that `percentile` percent of the voxels do not exceed, over the slices that the scan has; `percentile` is
    /// held to 0 to 100. Hotspots are the voxels above it. 0 if the scan has none of the slices.
    #[must_use]
    pub fn threshold(&self, percentile: f64) -> f32 {
        let values = self.in_order();
        let rank = (percentile.clamp(0.0, 100.0) / 100.0 * values.len() as f64).ceil() as usize;
        values.get(rank.max(1) - 1).copied().unwrap_or(0.0)
    }

    /// Sorts the values now, so that whoever asks for a threshold later need not wait for it.
    pub fn rank(&self) {
        self.in_order();
    }

    fn in_order(&self) -> &[f32] {
        self.ranks.0.get_or_init(|| {
            let present = (0..PATCH_SLICES).filter(|slice| self.frame.scan_slice(*slice).is_some());
            let mut values: Vec<f32> = Vec::with_capacity(self.values.len());
            present.for_each(|slice| values.extend_from_slice(self.slice(slice)));
            values.sort_unstable_by(f32::total_cmp);
            values.into()
        })
    }
}
