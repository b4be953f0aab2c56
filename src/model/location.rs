//! Where a finding lies, learned from boxes: the place where readers would probably box it, if the disc has it.
//!
//! Four linear regressions per grading give the middle and the sides of the box in the frame of the disc, from the shape of the two
//! bodies and the brightness of the slice. They know nothing of the grading network, so they cannot say why it gave a grade, and must
//! never be shown as evidence; where the disc has no such finding they say nothing at all. `spinenet train location` fits them and
//! measures them on patients left out (`assets/location.json`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::model::built_in_model;
use crate::spine::{
    BoxSource, ClassIndex, Disc, DiscFrame, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PixelBox, SliceBox,
};
use crate::volume::Volume;

/// Side of the blocks whose brightness is read, pixels of the disc volume.
const BLOCK: usize = 16;
const BLOCKS_ACROSS: usize = PATCH_COLUMNS / BLOCK;
const BLOCKS: usize = (PATCH_ROWS / BLOCK) * BLOCKS_ACROSS;
/// Row and column of the four corners of both bodies, the tilt, and the size of a pixel.
const SHAPE: usize = 18;

/// Numbers of features of each kind: brightness of blocks, then shape.
pub(crate) const FEATURE_KINDS: [usize; 2] = [BLOCKS, SHAPE];
/// Number of features.
pub(crate) const FEATURES: usize = BLOCKS + SHAPE;
/// Brings corners, in pixels of the disc volume, to the size of the other features.
const CORNER_UNIT: f64 = 20.0;

/// What a place is told from, on one slice of the disc volume: the mean brightness of its blocks, row by row; the corners of the
/// upper and the lower body in the frame; the sine of the frame's tilt; and the size of a pixel, mm. `None` where the scan has no
/// such slice, or a body no outline.
#[must_use]
pub(crate) fn location_features(
    volume: &Volume,
    disc: &Disc,
    frame: &DiscFrame,
    patch_slice: usize,
) -> Option<Vec<f64>> {
    let slice = frame.scan_slice(patch_slice)?;
    let mut pixels = vec![0.0; PATCH_ROWS * PATCH_COLUMNS];
    if !frame.sample_slice(volume, patch_slice, &mut pixels) {
        return None;
    }
    let mut features = vec![0.0; BLOCKS];
    for (row, line) in pixels.chunks_exact(PATCH_COLUMNS).enumerate() {
        for (across, part) in line.chunks_exact(BLOCK).enumerate() {
            features[row / BLOCK * BLOCKS_ACROSS + across] += part.iter().copied().map(f64::from).sum::<f64>();
        }
    }
    for sum in &mut features {
        *sum /= (BLOCK * BLOCK) as f64;
    }
    for body in [&disc.upper, &disc.lower] {
        let corners = body.corners_at(slice as f64)?.as_array();
        features
            .extend(corners.into_iter().flat_map(|corner| frame.patch_from_image(corner)).map(|at| at / CORNER_UNIT));
    }
    let along = frame.image_from_patch(0.0, 1.0) - frame.image_from_patch(0.0, 0.0);
    let along_mm = along * volume.geometry().pixel_size_mm();
    features.extend([along_mm.normalize_or_zero().y, frame.mm_per_patch_pixel()]);
    Some(features)
}

/// A linear regression that never leaves the range of what it was learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// For each feature.
    pub weights: Vec<f32>,
    pub constant: f64,
    /// Least and greatest number that was learned from.
    pub range: [f64; 2],
}

impl Line {
    fn at(&self, features: &[f64]) -> f64 {
        let products = self.weights.iter().zip(features).map(|(weight, feature)| f64::from(*weight) * feature);
        let [least, greatest] = self.range;
        (self.constant + products.sum::<f64>()).max(least).min(greatest)
    }
}

/// What is regressed of a box in the frame ([`PixelBox::in_frame`]): sides vary by a share of themselves.
#[must_use]
pub(crate) fn regressed([row, column, width, height]: [f64; 4]) -> [f64; 4] {
    [row, column, width.ln(), height.ln()]
}

/// Where the finding of one grading lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LearnedPlace {
    /// Slices of the disc volume that at least half of the findings have a box on.
    pub slices: Vec<usize>,
    /// Of the numbers of [`regressed`].
    pub lines: [Line; 4],
}

impl LearnedPlace {
    /// The box on a slice with these features, as [`PixelBox::in_frame`] gives it.
    #[must_use]
    pub(crate) fn at(&self, features: &[f64]) -> [f64; 4] {
        let [row, column, width, height] = self.lines.each_ref().map(|line| line.at(features));
        [row, column, width.exp(), height.exp()]
    }
}

/// Where findings lie, of the gradings that boxes taught it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LocationModel(pub BTreeMap<Grading, LearnedPlace>);

impl LocationModel {
    /// The model that ships.
    #[must_use]
    pub(crate) fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<LocationModel> =
            LazyLock::new(|| built_in_model(include_str!("../../assets/location.json")));
        &SHIPPED
    }

    /// The boxes of the finding of a grading, in the frame that the disc is graded in. None where the grade is normal, or no box
    /// taught where this finding lies.
    #[must_use]
    pub(crate) fn boxes(
        &self,
        volume: &Volume,
        disc: &Disc,
        frame: &DiscFrame,
        (grading, class): (Grading, ClassIndex),
    ) -> Vec<SliceBox> {
        let is_abnormal = class >= grading.spec().first_abnormal;
        let Some(place) = self.0.get(&grading).filter(|_| is_abnormal) else { return Vec::new() };
        let found = |patch_slice: &usize| {
            let features = location_features(volume, disc, frame, *patch_slice)?;
            Some(SliceBox {
                level: disc.level,
                grading,
                slice: frame.scan_slice(*patch_slice)?,
                rect: PixelBox::from_frame(place.at(&features), frame),
                source: BoxSource::LearnedLocation,
                percentile: None,
            })
        };
        place.slices.iter().filter(|slice| **slice < PATCH_SLICES).filter_map(found).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom::Phantom;
    use crate::spine::discs_between;

    fn constant(value: f64) -> Line {
        Line { weights: vec![0.0; FEATURES], constant: value, range: [value; 2] }
    }

    #[test]
    fn features_are_the_brightness_of_blocks_and_the_shape_of_the_bodies() {
        let study = Phantom::generate(910_000);
        let disc = discs_between(&study.vertebrae).remove(3);
        let frame = DiscFrame::of_disc(&study.volume, &disc).expect("exact outlines");
        let features = location_features(&study.volume, &disc, &frame, 4).expect("the middle");
        assert_eq!(features.len(), FEATURES);
        let middle = frame.sample(&study.volume);
        let voxel =
            |row: usize, column: usize| f64::from(middle.voxels[(4 * PATCH_ROWS + row) * PATCH_COLUMNS + column]);
        let mean: f64 = (0..256).map(|at| voxel(16 + at / 16, 32 + at % 16)).sum::<f64>() / 256.0;
        assert!((features[BLOCKS_ACROSS + 2] - mean).abs() < 1e-6, "the second row, the third column");
        // The frame lies level between both bodies: the disc's four corners have their middle in its own.
        let shape = &features[BLOCKS..];
        let facing = [2, 3, 4, 5].map(|corner| shape[2 * corner] * CORNER_UNIT);
        assert!((facing.iter().sum::<f64>() / 4.0 - (PATCH_ROWS as f64 - 1.0) / 2.0).abs() < 0.5, "{facing:?}");
        assert!((shape[17] - frame.mm_per_patch_pixel()).abs() < 1e-12);
    }

    #[test]
    fn a_normal_disc_has_no_learned_location_and_a_number_stays_in_its_range() {
        let study = Phantom::generate(910_000);
        let disc = discs_between(&study.vertebrae).remove(3);
        let frame = DiscFrame::of_disc(&study.volume, &disc).expect("exact outlines");
        let lines = regressed([60.0, 180.0, 40.0, 50.0]).map(constant);
        let place = LearnedPlace { slices: vec![4], lines };
        let model = LocationModel([(Grading::CentralCanalStenosis, place)].into());
        let boxes = |grading, class| model.boxes(&study.volume, &disc, &frame, (grading, class));
        let found = boxes(Grading::CentralCanalStenosis, 1);
        assert_eq!(
            (found.len(), found[0].slice, found[0].source),
            (1, frame.scan_slice(4).unwrap_or(99), BoxSource::LearnedLocation)
        );
        let placed = found[0].rect.in_frame(&frame);
        assert!(
            placed.iter().zip([60.0, 180.0, 40.0, 50.0]).all(|(got, wanted)| (got - wanted).abs() < 1e-6),
            "{placed:?}"
        );
        assert_eq!(boxes(Grading::CentralCanalStenosis, 0), [], "normal");
        assert_eq!(boxes(Grading::Spondylolisthesis, 1), [], "no box taught it");
        let line = Line { weights: vec![2.0], constant: 1.0, range: [0.0, 6.0] };
        assert_eq!([-3.0, 1.0, 9.0].map(|feature| line.at(&[feature])), [0.0, 3.0, 6.0]);
    }

    #[test]
    fn the_model_that_ships_fits_the_features() {
        let shipped = LocationModel::shipped();
        assert!(shipped.0.contains_key(&Grading::CentralCanalStenosis));
        for place in shipped.0.values() {
            assert!(place.lines.iter().all(|line| line.weights.len() == FEATURES && line.range[0] <= line.range[1]));
            assert!(!place.slices.is_empty());
        }
        let text = serde_json::to_string(shipped).expect("plain values");
        assert_eq!(serde_json::from_str::<LocationModel>(&text).expect("as written"), *shipped);
    }
}
