//! How the reader's boxes of the selection overlap with the predicted ones.

use std::collections::BTreeMap;

use super::state::ViewerState;
use crate::evaluation::iou_of_pairs;
use crate::pipeline::CURVE_PERCENTILES;
use crate::spine::{PixelBox, SliceBox, interpolated_boxes};

impl ViewerState {
    /// Reader's boxes of the selection, with their places in the list.
    pub fn selected_boxes(&self) -> impl Iterator<Item = (usize, &SliceBox)> {
        let selection = self.reading.selection;
        self.reading.findings.boxes.iter().enumerate().filter(move |(_, slice_box)| {
            selection.is_some_and(|wanted| wanted.level == slice_box.level && wanted.grading == slice_box.grading)
        })
    }

    /// Overlap (`IoU`) of the reader's and the predicted boxes of the selection on one slice; `None` without a
    /// reader's box there.
    #[must_use]
    pub fn slice_iou(&self, slice: usize) -> Option<f64> {
        self.iou_where(|other| other == slice)
    }

    /// Overlap (`IoU`) over all slices; `None` without a reader's box.
    #[must_use]
    pub fn volume_iou(&self) -> Option<f64> {
        self.iou_where(|_| true)
    }

    fn iou_where(&self, wanted: impl Fn(usize) -> bool) -> Option<f64> {
        self.evidence.main.map.as_ref()?;
        self.iou_with(&self.evidence.main.predicted_boxes, wanted)
    }

    /// Overlap (`IoU`) over all slices against the percentile above which evidence is boxed; empty without a reader's box
    /// or before the map is finished and all percentiles are measured.
    #[must_use]
    pub fn iou_by_percentile(&self) -> Vec<(f64, f64)> {
        let boxes = &self.evidence.by_percentile;
        if boxes.len() < CURVE_PERCENTILES.len() {
            return Vec::new();
        }
        boxes.iter().filter_map(|(percentile, boxes)| Some((*percentile, self.iou_with(boxes, |_| true)?))).collect()
    }

    fn iou_with(&self, predicted: &[SliceBox], wanted: impl Fn(usize) -> bool) -> Option<f64> {
        if self.evidence.blind {
            return None;
        }
        // The network looks at some slices of a thin stack only; those between them are meant too.
        let step = self.evidence.main.map.as_ref().map_or(1, |map| map.frame.slice_step());
        let by_slice = |boxes: &mut dyn Iterator<Item = &SliceBox>| {
            let boxes: BTreeMap<usize, PixelBox> = boxes.map(|one| (one.slice, one.rect)).collect();
            interpolated_boxes(&boxes, step).into_iter().filter(|(slice, _)| wanted(*slice)).collect::<Vec<_>>()
        };
        let drawn = by_slice(&mut self.selected_boxes().map(|(_, drawn)| drawn));
        if drawn.is_empty() {
            return None;
        }
        let mut slices: BTreeMap<usize, (Option<PixelBox>, Option<PixelBox>)> = BTreeMap::new();
        for (slice, rect) in drawn {
            slices.entry(slice).or_default().0 = Some(rect);
        }
        for (slice, rect) in by_slice(&mut predicted.iter()) {
            slices.entry(slice).or_default().1 = Some(rect);
        }
        iou_of_pairs(&slices.into_values().collect::<Vec<_>>())
    }
}
