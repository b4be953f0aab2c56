//! Boxes drawn by readers or predicted from evidence.

use std::collections::BTreeMap;

use glam::DVec2;
use serde::{Deserialize, Serialize};

use super::{DiscFrame, DiscLevel, Grading};
use crate::words::words;

/// Axis-parallel box in image pixels; `x`, `y` is the top-left corner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 4]", into = "[f64; 4]")]
pub struct PixelBox {
    /// Left edge (column direction).
    pub x: f64,
    /// Top edge (row direction).
    pub y: f64,
    /// Extent along x, not negative.
    pub width: f64,
    /// Extent along y, not negative.
    pub height: f64,
}

impl PixelBox {
    /// The box spanned by two opposite corners in any order.
    #[must_use]
    pub(crate) fn from_corners(a: [f64; 2], b: [f64; 2]) -> Self {
        let (x, y) = (a[0].min(b[0]), a[1].min(b[1]));
        Self { x, y, width: (a[0] - b[0]).abs(), height: (a[1] - b[1]).abs() }
    }

    /// The box a share `t` (0 to 1) of the way from this one to `other`.
    #[must_use]
    pub fn mixed(&self, other: &Self, t: f64) -> Self {
        let (one, other): ([f64; 4], [f64; 4]) = ((*self).into(), (*other).into());
        Self::from(std::array::from_fn(|side| one[side] + (other[side] - one[side]) * t))
    }

    /// Area in square pixels.
    #[must_use]
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// Area shared with `other`.
    #[must_use]
    pub(crate) fn intersection(&self, other: &Self) -> f64 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        width.max(0.0) * height.max(0.0)
    }

    /// Middle (row, column) and sides (width, height) in pixels of a disc volume; the sides stay parallel to those of the image.
    #[must_use]
    pub(crate) fn in_frame(&self, frame: &DiscFrame) -> [f64; 4] {
        let side = frame.image_pixel_in_patch();
        let [row, column] = frame.patch_from_image(DVec2::new(self.x + self.width / 2.0, self.y + self.height / 2.0));
        [row, column, self.width * side.x, self.height * side.y]
    }

    /// The way back from [`Self::in_frame`].
    #[must_use]
    pub(crate) fn from_frame([row, column, width, height]: [f64; 4], frame: &DiscFrame) -> Self {
        let half = DVec2::new(width, height) / frame.image_pixel_in_patch() / 2.0;
        let middle = frame.image_from_patch(row, column);
        Self::from_corners((middle - half).into(), (middle + half).into())
    }
}

impl From<[f64; 4]> for PixelBox {
    fn from([x, y, width, height]: [f64; 4]) -> Self {
        Self { x, y, width, height }
    }
}

impl From<PixelBox> for [f64; 4] {
    fn from(rect: PixelBox) -> Self {
        [rect.x, rect.y, rect.width, rect.height]
    }
}

/// Boxes by slice with those between neighbours that are at most `step` slices apart. A network that looks at every
/// `step`-th slice of a thin stack has no box of its own between them, and a reader who boxes as often means those too.
#[must_use]
pub fn interpolated_boxes(boxes: &BTreeMap<usize, PixelBox>, step: usize) -> BTreeMap<usize, PixelBox> {
    let mut whole = boxes.clone();
    for ((from, first), (to, last)) in boxes.iter().zip(boxes.iter().skip(1)) {
        if to - from <= step {
            let share = |slice: usize| (slice - from) as f64 / (to - from) as f64;
            whole.extend((from + 1..*to).map(|slice| (slice, first.mixed(last, share(slice)))));
        }
    }
    whole
}

/// Who made a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxSource {
    /// Drawn by a person.
    Reader,
    /// Computed from an evidence map.
    Predicted,
    /// Where other patients' boxes lie on discs of this shape and brightness: learned, and no evidence for a grade.
    LearnedLocation,
}

impl BoxSource {
    /// The name in English.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Predicted => "predicted",
            Self::LearnedLocation => "learned location (not evidence)",
        }
    }
}

/// A box on one slice that marks the finding of one grading of one disc (schema `spinenet-boxes/1`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceBox {
    pub level: DiscLevel,
    pub grading: Grading,
    /// Slice index after sorting by position.
    pub slice: usize,
    /// Box in image pixels, written as `[x, y, width, height]`.
    #[serde(rename = "box")]
    pub rect: PixelBox,
    /// Who made it.
    pub source: BoxSource,
    /// Percentile of the evidence map above which voxels were boxed; only for predicted boxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentile: Option<f64>,
}

/// Which hotspots of a slice its box encloses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum BoxRule {
    /// All of them, as in the paper.
    #[default]
    All,
    /// The largest region of touching hotspots (8 neighbors) of each slice.
    LargestOfSlice,
    /// The part that the largest region of touching hotspots (26 neighbors) of the whole disc volume has on each slice:
    /// slices that it does not reach get no box.
    LargestOfVolume,
}

words!(BoxRule, "box rule", [
    All "all",
    LargestOfSlice "largest-of-slice",
    LargestOfVolume "largest-of-volume",
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_between_neighbours_lie_between_them_and_gaps_stay() {
        let boxed = |x: f64| PixelBox { x, y: 0.0, width: 2.0, height: 4.0 };
        let boxes = BTreeMap::from([(0, boxed(0.0)), (4, boxed(8.0)), (12, boxed(8.0))]);
        let whole = interpolated_boxes(&boxes, 4);
        assert_eq!(whole.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 12]);
        assert_eq!(whole[&3], boxed(6.0));
        assert_eq!(interpolated_boxes(&boxes, 1), boxes);
    }

    #[test]
    fn corners_in_any_order_span_the_same_box() {
        let rect = PixelBox::from_corners([5.0, 1.0], [2.0, 4.0]);
        assert_eq!(rect, PixelBox { x: 2.0, y: 1.0, width: 3.0, height: 3.0 });
        assert_eq!(rect.intersection(&PixelBox { x: 4.0, y: 0.0, width: 9.0, height: 2.0 }), 1.0);
        assert_eq!(rect.intersection(&PixelBox { x: 6.0, y: 0.0, width: 9.0, height: 2.0 }), 0.0);
    }
}
