//! Slices that the reader marks for the report, as they are looked at.

use std::sync::Arc;

use glam::DVec2;

use super::history::TypedInto;
use super::{Command, Event, Viewer};
use crate::pipeline::Evidence;
use crate::records::{KeyImage, KeyMap, KeySubject, Report};
use crate::spine::PixelBox;
use crate::ui::camera::{Camera, SliceTransform};
use crate::ui::key_images_panel::KeyImageAction;
use crate::ui::language::tr;
use crate::ui::state::{Selection, ViewerState};
use crate::worker::Work;

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Marks slices, shows them and takes the mark away.
    pub(super) fn apply_key_image(&mut self, action: KeyImageAction) {
        match action {
            KeyImageAction::Toggle => self.toggle_key_image(),
            KeyImageAction::Show(index) => self.show_key_image(index),
            KeyImageAction::Comment { index, text } => {
                let mut findings = self.state.reading.findings.clone();
                if let Some(image) = findings.review.key_images.get_mut(index) {
                    image.comment = text;
                    self.change_by_typing(tr!("comment on a key image"), TypedInto::KeyImage(index), findings);
                }
            }
            KeyImageAction::Delete(index) => {
                let mut findings = self.state.reading.findings.clone();
                if index < findings.review.key_images.len() {
                    findings.review.key_images.remove(index);
                    self.change(tr!("removal of a key image"), findings);
                }
            }
        }
    }

    /// Marks the slice as it is shown; one that is marked with the same disc and grading is not marked any more.
    fn toggle_key_image(&mut self) {
        let Some(image) = shown(&self.state) else { return };
        let mut findings = self.state.reading.findings.clone();
        let label = if let Some(index) = self.state.key_image_here() {
            findings.review.key_images.remove(index);
            tr!("removal of a key image")
        } else {
            findings.review.key_images.push(image);
            tr!("key image")
        };
        self.change(label, findings);
    }

    /// Shows a key image as it was looked at when it was marked.
    fn show_key_image(&mut self, index: usize) {
        let Some(image) = self.state.reading.findings.review.key_images.get(index).cloned() else { return };
        let Some(last) = self.state.loaded().map(|series| series.volume.slices() - 1) else { return };
        if let Some(subject) = &image.subject {
            self.show_subject(subject);
        }
        let Some(frame) = self.state.loaded().map(|series| series.frame()) else { return };
        let view = &mut self.state.view;
        (view.slice, view.window, view.inverted) = (image.slice.min(last), Some(image.window), image.inverted);
        view.camera = image.region.zip(view.viewport).map(|(region, viewport)| {
            let low = DVec2::new(region.x, region.y);
            let high = low + DVec2::new(region.width, region.height);
            Camera::fit(&frame).showing(&frame, viewport, [low, high])
        });
    }

    /// Selects what a key image is about, with the map that it was marked with.
    fn show_subject(&mut self, subject: &KeySubject) {
        let selection = Selection { level: subject.level, grading: subject.grading };
        if self.state.disc(subject.level).is_none() {
            return;
        }
        let computed = self.state.grade(selection).map(|grade| grade.computed);
        self.state.reading.selection = Some(selection);
        let evidence = &mut self.state.evidence;
        evidence.shown = subject.map.is_some();
        evidence.class = subject.class().filter(|class| Some(*class) != computed);
        // A way that this version does not know is shown by the usual one; exports say what is wrong.
        let way = subject.map.as_ref().and_then(|map| map.way().ok());
        evidence.own_way = None;
        evidence.own_way = way.filter(|way| *way != evidence.way(subject.grading));
        self.request_evidence();
    }

    /// The finished maps of what key images are about.
    pub(super) fn key_evidence(&self, report: &Report) -> Vec<Evidence> {
        let is_wanted = |map: &crate::saliency::SaliencyMap| {
            let subjects = report.key_images.iter().filter_map(|image| image.subject.as_ref());
            subjects.into_iter().any(|subject| (subject.level, subject.grading) == (map.level, map.grading))
        };
        let maps = self.reading.finished_maps.iter().map(|(_, map)| map).filter(|map| is_wanted(map));
        maps.filter_map(|map| self.evidence_of(report, Arc::clone(map))).collect()
    }
}

/// The slice as it is looked at.
fn shown(state: &ViewerState) -> Option<KeyImage> {
    let (series, view) = (state.loaded()?, &state.view);
    let slice = view.slice.min(series.volume.slices() - 1);
    let subject = state.reading.selection.map(|Selection { level, grading }| {
        let map =
            state.evidence.visible(&state.evidence.main).filter(|map| (map.level, map.grading) == (level, grading));
        KeySubject { level, grading, map: map.map(|map| KeyMap::of(map, &state.evidence_way())) }
    });
    let (window, inverted, region) = (state.window(), view.inverted, region(state));
    Some(KeyImage { slice, window, inverted, region, subject, comment: String::new() })
}

/// The part of the slice that is in sight; `None` where that is all of it.
fn region(state: &ViewerState) -> Option<PixelBox> {
    let (camera, viewport, frame) = (state.view.camera?, state.view.viewport?, state.loaded()?.frame());
    let transform = SliceTransform::new(&frame, viewport, &camera);
    let corners = [viewport.left_top(), viewport.right_top(), viewport.right_bottom(), viewport.left_bottom()];
    let corners = corners.map(|corner| transform.image_from_screen(corner));
    let (least, most) = (DVec2::splat(-0.5), DVec2::new(frame.columns as f64, frame.rows as f64) - 0.5);
    let low = corners.into_iter().fold(DVec2::INFINITY, DVec2::min).max(least);
    let high = corners.into_iter().fold(DVec2::NEG_INFINITY, DVec2::max).min(most);
    let is_part = low.cmplt(high).all() && (low.cmpgt(least).any() || high.cmplt(most).any());
    is_part.then(|| PixelBox::from_corners(low.to_array(), high.to_array()))
}

#[cfg(test)]
mod tests {
    use eframe::egui::{Rect, pos2, vec2};

    use super::*;
    use crate::app::testing::state_with_series;

    #[test]
    fn the_part_in_sight_is_marked_and_a_whole_slice_as_such() {
        let mut state = state_with_series();
        state.view.viewport = Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 400.0)));
        assert_eq!(shown(&state).expect("a slice").region, None);
        let frame = state.loaded().expect("a series").frame();
        let middle = DVec2::new(frame.columns as f64, frame.rows as f64) / 2.0;
        let part = [middle - 10.0, middle + 10.0];
        state.view.camera = Some(Camera::fit(&frame).showing(&frame, state.view.viewport.expect("set"), part));
        let region = shown(&state).expect("a slice").region.expect("a part");
        let center = DVec2::new(region.x + region.width / 2.0, region.y + region.height / 2.0);
        assert!((center - middle).length() < 1e-6, "{region:?}");
        assert!((region.width.min(region.height) - 20.0).abs() < 1e-6, "{region:?}");
        // Zoomed out there is nothing that is not in sight.
        state.view.camera = Some(Camera { zoom: 0.5, ..Camera::fit(&frame) });
        assert_eq!(shown(&state).expect("a slice").region, None);
    }
}
