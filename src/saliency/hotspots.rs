//! Hotspots of a map and the boxes around them, in patch, image and patient coordinates.

use glam::{DVec2, DVec3};

use super::SaliencyMap;
use super::map::SLICE_VOXELS;
use crate::spine::{BoxRule, BoxSource, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PATCH_VOXELS, PixelBox, SliceBox};
use crate::volume::{Volume, VolumeGeometry};

/// The box around the hotspots of one slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HotspotBox {
    /// Slice of the disc volume.
    pub patch_slice: usize,
    /// Box in pixels of that slice (x along its columns), turned with the disc.
    pub patch: PixelBox,
    /// Slice of the scan.
    pub slice: usize,
    /// Axis-parallel box in image pixels that holds the same hotspots, cut at the border of the image.
    pub image: PixelBox,
}

impl HotspotBox {
    /// Corners of [`Self::image`] in the patient, LPS in mm: top left, top right, bottom right, bottom left.
    #[must_use]
    pub(crate) fn corners_lps(&self, geometry: &VolumeGeometry) -> [DVec3; 4] {
        let PixelBox { x, y, width, height } = self.image;
        [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
            .map(|(x, y)| geometry.lps_from_voxel([self.slice as f64, y, x]))
    }
}

/// Where a map is strongest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Peak {
    /// Slice of the scan.
    pub slice: usize,
    /// Place on it, image pixels.
    pub image: DVec2,
}

impl SaliencyMap {
    /// Boxes around the voxels above the threshold of `percentile`, at most one for each slice of the disc volume that the
    /// scan has; ascending by scan slice.
    #[must_use]
    pub(crate) fn hotspot_boxes(&self, volume: &Volume, percentile: f64, rule: BoxRule) -> Vec<HotspotBox> {
        let hot = self.hotspots(percentile, rule);
        let mut boxes: Vec<HotspotBox> = (0..PATCH_SLICES)
            .filter_map(|patch_slice| {
                let slice = self.frame.scan_slice(patch_slice).filter(|slice| *slice < volume.slices())?;
                let (patch, image) = self.enclosing(&hot[patch_slice * SLICE_VOXELS..][..SLICE_VOXELS], volume)?;
                Some(HotspotBox { patch_slice, patch, slice, image })
            })
            .collect();
        boxes.sort_by_key(|found| found.slice);
        boxes
    }

    /// As [`Self::hotspot_boxes`], in image pixels alone.
    #[must_use]
    pub fn image_boxes(&self, volume: &Volume, percentile: f64, rule: BoxRule) -> Vec<SliceBox> {
        let boxes = self.hotspot_boxes(volume, percentile, rule).into_iter();
        boxes
            .map(|HotspotBox { slice, image: rect, .. }| {
                let (source, percentile) = (BoxSource::Predicted, Some(percentile));
                SliceBox { level: self.level, grading: self.grading, slice, rect, source, percentile }
            })
            .collect()
    }

    /// For each slice of the scan with hotspots, whether each of its pixels (row by row) has its center in one; ascending
    /// by slice.
    #[must_use]
    pub(crate) fn hotspot_masks(&self, volume: &Volume, percentile: f64, rule: BoxRule) -> Vec<(usize, Vec<bool>)> {
        let hot = self.hotspots(percentile, rule);
        let is_hot = |patch_slice: usize, [row, column]: [f64; 2]| {
            let (row, column) = (row.round(), column.round());
            let is_inside = (0.0..PATCH_ROWS as f64).contains(&row) && (0.0..PATCH_COLUMNS as f64).contains(&column);
            is_inside && hot[patch_slice * SLICE_VOXELS + row as usize * PATCH_COLUMNS + column as usize]
        };
        let mut masks = Vec::new();
        for HotspotBox { patch_slice, slice, image, .. } in self.hotspot_boxes(volume, percentile, rule) {
            let mut mask = vec![false; volume.rows() * volume.columns()];
            // Nothing is marked outside the box around the hotspots.
            let (left, top) = (image.x.ceil().max(0.0) as usize, image.y.ceil().max(0.0) as usize);
            let right = ((image.x + image.width).floor() as usize).min(volume.columns() - 1);
            let bottom = ((image.y + image.height).floor() as usize).min(volume.rows() - 1);
            for row in top..=bottom {
                for column in left..=right {
                    let at = self.frame.patch_from_image(DVec2::new(column as f64, row as f64));
                    mask[row * volume.columns() + column] = is_hot(patch_slice, at);
                }
            }
            if mask.contains(&true) {
                masks.push((slice, mask));
            }
        }
        masks
    }

    /// The strongest voxel of the slices that the scan has, the first of several equal ones; `None` for a map without
    /// evidence.
    #[must_use]
    pub(crate) fn peak(&self) -> Option<Peak> {
        let mut best: Option<(f32, Peak)> = None;
        for patch_slice in 0..PATCH_SLICES {
            let Some(slice) = self.frame.scan_slice(patch_slice) else { continue };
            for (pixel, value) in self.slice(patch_slice).iter().enumerate() {
                if *value > best.map_or(0.0, |(value, _)| value) {
                    let (row, column) = ((pixel / PATCH_COLUMNS) as f64, (pixel % PATCH_COLUMNS) as f64);
                    best = Some((*value, Peak { slice, image: self.frame.image_from_patch(row, column) }));
                }
            }
        }
        best.map(|(_, peak)| peak)
    }

    /// Which voxels `[9, 112, 224]` boxes enclose.
    fn hotspots(&self, percentile: f64, rule: BoxRule) -> Vec<bool> {
        let threshold = self.threshold(percentile);
        let mut hot = vec![false; PATCH_VOXELS];
        let present: Vec<usize> = (0..PATCH_SLICES).filter(|slice| self.frame.scan_slice(*slice).is_some()).collect();
        let (Some(first), Some(last)) = (present.first(), present.last()) else { return hot };
        for slice in &present {
            let voxels = slice * SLICE_VOXELS..(slice + 1) * SLICE_VOXELS;
            let values = self.values[voxels.clone()].iter();
            hot[voxels].iter_mut().zip(values).for_each(|(hot, value)| *hot = *value > threshold);
        }
        // Beyond the first and the last slice of the scan there is nothing to look for.
        let voxels = first * SLICE_VOXELS..(last + 1) * SLICE_VOXELS;
        let seen = hot[voxels.clone()].to_vec();
        hot[voxels].copy_from_slice(&match rule {
            BoxRule::All => seen,
            BoxRule::LargestOfSlice => seen.chunks_exact(SLICE_VOXELS).flat_map(largest_region).collect(),
            BoxRule::LargestOfVolume => largest_region(&seen),
        });
        hot
    }

    /// The smallest boxes around the hotspots of one slice, in the patch and in the image.
    fn enclosing(&self, hot: &[bool], volume: &Volume) -> Option<(PixelBox, PixelBox)> {
        let (mut low, mut high) = (DVec2::INFINITY, DVec2::NEG_INFINITY);
        let (mut patch_low, mut patch_high) = (low, high);
        // A patch pixel reaches half its edge to every side; the patch may lie rotated on the image.
        let corners = [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)];
        for (row, line) in hot.chunks_exact(PATCH_COLUMNS).enumerate() {
            let is_hot = |hot: &bool| *hot;
            let (Some(first), Some(last)) = (line.iter().position(is_hot), line.iter().rposition(is_hot)) else {
                continue;
            };
            for column in [first, last] {
                for (down, right) in corners {
                    let (row, column) = (row as f64 + down, column as f64 + right);
                    let (patch, corner) = (DVec2::new(column, row), self.frame.image_from_patch(row, column));
                    (low, high) = (low.min(corner), high.max(corner));
                    (patch_low, patch_high) = (patch_low.min(patch), patch_high.max(patch));
                }
            }
        }
        let border = DVec2::new(volume.columns() as f64, volume.rows() as f64) - 0.5;
        let (low, high) = (low.max(DVec2::splat(-0.5)), high.min(border));
        let boxed = |low: DVec2, high: DVec2| PixelBox::from_corners(low.into(), high.into());
        (low.x < high.x && low.y < high.y).then(|| (boxed(patch_low, patch_high), boxed(low, high)))
    }
}

/// The largest region of touching `true` voxels of neighbouring slices of 112 × 224, the first of several equal ones.
fn largest_region(hot: &[bool]) -> Vec<bool> {
    let mut regions = vec![0_u32; hot.len()];
    let (mut largest, mut count) = ((0, 0), 0);
    let mut open = Vec::new();
    for start in 0..hot.len() {
        if !hot[start] || regions[start] != 0 {
            continue;
        }
        count += 1;
        let mut size = 0;
        regions[start] = count;
        open.push(start);
        while let Some(voxel) = open.pop() {
            size += 1;
            for neighbor in neighbors(voxel, hot.len() / SLICE_VOXELS) {
                if hot[neighbor] && regions[neighbor] == 0 {
                    regions[neighbor] = count;
                    open.push(neighbor);
                }
            }
        }
        if size > largest.0 {
            largest = (size, count);
        }
    }
    regions.into_iter().map(|region| region != 0 && region == largest.1).collect()
}

/// Voxels that touch one, itself included.
fn neighbors(voxel: usize, slices: usize) -> impl Iterator<Item = usize> {
    const _: () = assert!(PATCH_VOXELS == PATCH_SLICES * SLICE_VOXELS);
    let around = |at: usize, count: usize| at.saturating_sub(1)..(at + 2).min(count);
    let (slice, row, column) = (voxel / SLICE_VOXELS, voxel / PATCH_COLUMNS % PATCH_ROWS, voxel % PATCH_COLUMNS);
    around(slice, slices).flat_map(move |slice| {
        around(row, PATCH_ROWS).flat_map(move |row| {
            around(column, PATCH_COLUMNS).map(move |column| slice * SLICE_VOXELS + row * PATCH_COLUMNS + column)
        })
    })
}
