//! Slice, zoom, window and tools: changes of the view alone.

use eframe::egui::vec2;
use glam::DVec2;

use crate::spine::DiscLevel;
use crate::ui::action::UiAction;
use crate::ui::camera::{Camera, ImageFrame, SliceTransform};
use crate::ui::state::{Tool, ViewerState};

/// Applies an action that changes only the view; gives it back if it is of another kind.
pub fn apply(state: &mut ViewerState, action: UiAction) -> Option<UiAction> {
    let Some(series) = state.loaded() else { return Some(action) };
    let (frame, last) = (series.frame(), series.volume.slices() - 1);
    let view = &mut state.view;
    match action {
        UiAction::ShowSlice(slice) => view.slice = slice.min(last),
        UiAction::StepSlices(step) => view.slice = view.slice.saturating_add_signed(step).min(last),
        UiAction::SetWindow(window) => view.window = Some(window),
        UiAction::Pan { viewport, delta } => {
            view.camera = Some(camera_of(view.camera, &frame).panned(&frame, viewport, delta));
        }
        UiAction::Zoom { viewport, anchor, factor } => {
            view.camera = Some(camera_of(view.camera, &frame).zoomed_at(&frame, viewport, anchor, factor));
        }
        UiAction::FitView => view.camera = None,
        UiAction::ResetView => {
            (view.camera, view.window, view.tool) = (None, None, Tool::Window);
            state.selected_box = None;
        }
        UiAction::ChooseTool(tool) => view.tool = tool,
        UiAction::CycleAnnotations => view.annotations = view.annotations.next(),
        UiAction::Probe(probe) => view.probe = probe,
        other => return Some(other),
    }
    None
}

fn camera_of(camera: Option<Camera>, frame: &ImageFrame) -> Camera {
    camera.unwrap_or_else(|| Camera::fit(frame))
}

/// Shows the middle slice of a disc, and moves the image only if the disc is out of sight.
pub fn show_disc(state: &mut ViewerState, level: DiscLevel) {
    let (Some(series), Some(disc)) = (state.loaded(), state.disc(level)) else { return };
    let frame = series.frame();
    let [slice, row, column] = disc.center_voxel;
    let slice = (slice.round().max(0.0) as usize).min(series.volume.slices() - 1);
    let center = DVec2::new(column, row);
    state.view.slice = slice;
    if let (Some(camera), Some(viewport)) = (state.view.camera, state.view.viewport) {
        let transform = SliceTransform::new(&frame, viewport, &camera);
        let comfortable = viewport.shrink2(viewport.size() * vec2(0.12, 0.12));
        if !comfortable.contains(transform.screen_from_image(center)) {
            state.view.camera = Some(Camera { center_image: center, ..camera });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::state_with_series;
    use crate::volume::WindowLevel;
    use eframe::egui::{Rect, pos2};

    fn viewport() -> Rect {
        Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 400.0))
    }

    #[test]
    fn slices_stop_at_both_ends() {
        let mut state = state_with_series();
        for (action, expected) in [
            (UiAction::ShowSlice(usize::MAX), 8),
            (UiAction::StepSlices(1), 8),
            (UiAction::StepSlices(-3), 5),
            (UiAction::StepSlices(-10), 0),
        ] {
            assert_eq!(apply(&mut state, action), None);
            assert_eq!(state.view.slice, expected);
        }
    }

    #[test]
    fn reset_brings_back_fit_and_window_but_keeps_the_slice() {
        let mut state = state_with_series();
        let before = state.window();
        apply(&mut state, UiAction::ShowSlice(3));
        apply(&mut state, UiAction::SetWindow(WindowLevel { center: 1.0, width: 2.0 }));
        apply(&mut state, UiAction::Zoom { viewport: viewport(), anchor: pos2(10.0, 10.0), factor: 4.0 });
        apply(&mut state, UiAction::ChooseTool(Tool::Box));
        apply(&mut state, UiAction::ResetView);
        assert_eq!((state.view.camera, state.window(), state.view.slice), (None, before, 3));
        assert_eq!(state.view.tool, Tool::Window);
    }

    #[test]
    fn a_disc_in_sight_does_not_move_the_image() {
        let mut state = state_with_series();
        state.view.viewport = Some(viewport());
        state.view.camera = Some(Camera { zoom: 1.0, center_image: DVec2::new(40.0, 60.0) });
        show_disc(&mut state, DiscLevel::L4L5);
        assert_eq!(state.view.camera.expect("a camera").center_image, DVec2::new(40.0, 60.0));
        let [slice, row, column] = state.disc(DiscLevel::L4L5).expect("a disc").center_voxel;
        assert_eq!(state.view.slice, slice.round() as usize);
        state.view.camera = Some(Camera { zoom: 12.0, center_image: DVec2::new(2.0, 2.0) });
        show_disc(&mut state, DiscLevel::L4L5);
        assert_eq!(state.view.camera.expect("a camera").center_image, DVec2::new(column, row));
    }
}
