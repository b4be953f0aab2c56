//! Slice, zoom, window and tools: changes of the view alone.

use eframe::egui::{self, vec2};
use glam::DVec2;

use crate::spine::DiscLevel;
use crate::ui::action::{Turn, ViewAction};
use crate::ui::camera::{Camera, ImageFrame, Orientation, SliceTransform};
use crate::ui::state::{Cine, LoadedSeries, Pane, Tool, ViewerState, WindowPreset};
use crate::volume::WindowLevel;

/// Slices a second at the start of a run.
const CINE_RATE: f64 = 8.0;

/// Changes how the image is looked at; without a series only what the window itself reports.
pub(crate) fn apply(state: &mut ViewerState, ctx: &egui::Context, action: ViewAction) {
    if let ViewAction::Viewport(viewport) = action {
        state.view.viewport = Some(viewport);
        return;
    }
    let Some(series) = state.loaded() else { return };
    let (frame, last) = (series.frame(), series.volume.slices() - 1);
    let view = &mut state.view;
    match action {
        ViewAction::Viewport(viewport) => view.viewport = Some(viewport),
        ViewAction::Probe(probe) => view.probe = probe,
        ViewAction::ShowSlice(slice) => view.slice = slice.min(last),
        ViewAction::StepSlices(step) => view.slice = view.slice.saturating_add_signed(step).min(last),
        ViewAction::SetWindow(window) => view.window = Some(window),
        ViewAction::ApplyPreset(preset) => {
            view.preset = preset;
            apply_preset(state);
        }
        ViewAction::ToggleInverted => view.inverted = !view.inverted,
        ViewAction::ToggleSmooth => view.smooth = !view.smooth,
        ViewAction::Turn(turn) => {
            let turn = match turn {
                Turn::Right => Orientation::rotated_right,
                Turn::Left => Orientation::rotated_left,
                Turn::FlipHorizontally => Orientation::flipped_horizontally,
                Turn::FlipVertically => Orientation::flipped_vertically,
            };
            view.camera = Some(camera_of(view.camera, &frame).turned(turn));
        }
        ViewAction::Pan { viewport, delta } => {
            view.camera = Some(camera_of(view.camera, &frame).panned(&frame, viewport, delta));
        }
        ViewAction::Zoom { viewport, anchor, factor } => {
            view.camera = Some(camera_of(view.camera, &frame).zoomed_at(&frame, viewport, anchor, factor));
        }
        // Fitting keeps flips and turns; a reset does not.
        ViewAction::Fit => view.camera = view.camera.map(|camera| camera.refitted(&frame)),
        ViewAction::ActualSize => show_actual_size(state, ctx.pixels_per_point()),
        ViewAction::Escape => {
            let selected = (&mut state.reading.selected_box, &mut state.reading.selected_measurement);
            if selected.0.take().is_none() & selected.1.take().is_none() {
                if view.tool == Tool::Window {
                    (view.cine, view.maximized) = (None, None);
                } else {
                    view.tool = Tool::Window;
                }
            }
        }
        ViewAction::Reset => {
            view.plane_cameras = [None; 2];
            (view.camera, view.tool, view.cine) = (None, Tool::Window, None);
            view.inverted = false;
            for beside in &mut state.companions {
                (beside.camera, beside.window) = (None, None);
            }
            (state.reading.selected_box, state.reading.selected_measurement) = (None, None);
            apply_preset(state);
        }
        ViewAction::ToggleCine => {
            view.cine = match view.cine {
                Some(_) => None,
                None => Some(Cine { rate: CINE_RATE, next_step_secs: 0.0, is_forward: true }),
            };
        }
        ViewAction::SetCineRate(rate) => view.cine = view.cine.map(|cine| Cine { rate, ..cine }),
        ViewAction::SetLayout(layout) => (view.layout, view.maximized) = (layout, None),
        ViewAction::NextLayout => (view.layout, view.maximized) = (view.layout.next(), None),
        ViewAction::Maximize(of) => view.maximized = if view.maximized == Some(of) { None } else { Some(of) },
        ViewAction::FocusPane(pane) => view.pane = pane,
        ViewAction::NextPane => {
            view.pane = if view.pane == Pane::Table { Pane::Image } else { Pane::Table };
            // A control that has the keyboard would keep the arrow keys.
            if let Some(id) = ctx.memory(egui::Memory::focused) {
                ctx.memory_mut(|memory| memory.surrender_focus(id));
            }
        }
        ViewAction::SetCrosshair([row, column]) => {
            let slice = view.slice;
            show_place(state, slice, [row, column]);
        }
        ViewAction::SetPlaneCamera { plane, camera } => view.plane_cameras[plane] = camera,
        ViewAction::ChooseTool(tool) => view.tool = tool,
        ViewAction::CycleAnnotations => view.annotations = view.annotations.next(),
    }
}

/// Shows a slice with the crosshair at a row and column of it, or at the nearest that there are.
pub(crate) fn show_place(state: &mut ViewerState, slice: usize, [row, column]: [f64; 2]) {
    let Some(series) = state.loaded() else { return };
    let (frame, last) = (series.frame(), series.volume.slices() - 1);
    state.view.slice = slice.min(last);
    let corner = [frame.rows as f64 - 1.0, frame.columns as f64 - 1.0];
    state.view.crosshair = Some([row.clamp(0.0, corner[0]), column.clamp(0.0, corner[1])]);
}

/// Sets the window of the ready-made one that was chosen last.
pub(super) fn apply_preset(state: &mut ViewerState) {
    let Some(series) = state.loaded() else { return };
    state.view.window = preset_window(series, state.view.slice, state.view.preset);
}

/// The window of a preset on a slice of a series; `None` is the usual one: the bodies mid-gray, where they are known.
pub(super) fn preset_window(series: &LoadedSeries, slice: usize, preset: WindowPreset) -> Option<WindowLevel> {
    let volume = &series.volume;
    let of_series = || WindowLevel::from_percentiles(volume.voxels());
    match preset {
        WindowPreset::Header => Some(series.default_window),
        WindowPreset::Series => Some(of_series()),
        WindowPreset::Slice => Some(WindowLevel::from_percentiles(volume.slice(slice.min(volume.slices() - 1)))),
        WindowPreset::Vertebrae => None,
        WindowPreset::Wide => {
            let window = of_series();
            Some(WindowLevel { center: window.center + window.width / 2.0, width: 2.0 * window.width })
        }
        WindowPreset::Own(window) => Some(window.on(of_series())),
    }
}

/// Shows one image pixel on one pixel of the screen.
fn show_actual_size(state: &mut ViewerState, pixels_per_point: f32) {
    let (Some(series), Some(viewport)) = (state.loaded(), state.view.viewport) else { return };
    let frame = series.frame();
    let camera = camera_of(state.view.camera, &frame);
    state.view.camera = Some(camera.with_pixel_width(&frame, viewport, 1.0 / f64::from(pixels_per_point)));
}

/// Shows the next slice of a run if its time has come; says how many seconds the one after it is away.
pub(crate) fn step_cine(state: &mut ViewerState, now_secs: f64) -> Option<f64> {
    let last = state.loaded()?.volume.slices().checked_sub(1).filter(|last| *last > 0)?;
    let view = &mut state.view;
    let cine = view.cine.as_mut()?;
    let period = 1.0 / cine.rate.clamp(1.0, 60.0);
    if now_secs >= cine.next_step_secs {
        let is_at_end = view.slice == if cine.is_forward { last } else { 0 };
        cine.is_forward ^= is_at_end;
        view.slice = view.slice.saturating_add_signed(if cine.is_forward { 1 } else { -1 }).min(last);
        cine.next_step_secs = now_secs + period;
    }
    Some((cine.next_step_secs - now_secs).clamp(0.0, period))
}

fn camera_of(camera: Option<Camera>, frame: &ImageFrame) -> Camera {
    camera.unwrap_or_else(|| Camera::fit(frame))
}

/// Room around the two bodies of a disc that is zoomed to, as a share of their width and height.
const ROOM: DVec2 = DVec2::new(0.45, 0.12);

/// Shows the middle slice of a disc with both its bodies and the canal behind them as large as fits.
pub(super) fn zoom_to_disc(state: &mut ViewerState, level: DiscLevel) {
    show_disc(state, level);
    let (Some(series), Some(disc), Some(viewport)) = (state.loaded(), state.disc(level), state.view.viewport) else {
        return;
    };
    let frame = series.frame();
    let slice = state.view.slice as f64;
    let corners = [&disc.upper, &disc.lower].into_iter().filter_map(|body| body.corners_at(slice));
    let (low, high) = corners
        .flat_map(|corners| corners.as_array())
        .fold((DVec2::INFINITY, DVec2::NEG_INFINITY), |(low, high), corner| (low.min(corner), high.max(corner)));
    if low.cmplt(high).all() {
        let room = (high - low) * ROOM;
        let camera = camera_of(state.view.camera, &frame);
        state.view.camera = Some(camera.showing(&frame, viewport, [low - room, high + room]));
    }
}

/// Shows the middle slice of a disc, and moves the image only if the disc is out of sight.
pub(crate) fn show_disc(state: &mut ViewerState, level: DiscLevel) {
    let (Some(series), Some(disc)) = (state.loaded(), state.disc(level)) else { return };
    let frame = series.frame();
    let [slice, row, column] = disc.center_voxel;
    let slice = (slice.round().max(0.0) as usize).min(series.volume.slices() - 1);
    let center = DVec2::new(column, row);
    state.view.slice = slice;
    state.view.crosshair = Some([row, column]);
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

    fn apply(state: &mut ViewerState, action: ViewAction) {
        super::apply(state, &egui::Context::default(), action);
    }

    fn viewport() -> Rect {
        Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 400.0))
    }

    #[test]
    fn slices_stop_at_both_ends() {
        let mut state = state_with_series();
        for (action, expected) in [
            (ViewAction::ShowSlice(usize::MAX), 8),
            (ViewAction::StepSlices(1), 8),
            (ViewAction::StepSlices(-3), 5),
            (ViewAction::StepSlices(-10), 0),
        ] {
            apply(&mut state, action);
            assert_eq!(state.view.slice, expected);
        }
    }

    #[test]
    fn reset_brings_back_fit_and_window_but_keeps_the_slice() {
        let mut state = state_with_series();
        let before = state.window();
        apply(&mut state, ViewAction::ShowSlice(3));
        apply(&mut state, ViewAction::SetWindow(WindowLevel { center: 1.0, width: 2.0 }));
        apply(&mut state, ViewAction::Zoom { viewport: viewport(), anchor: pos2(10.0, 10.0), factor: 4.0 });
        apply(&mut state, ViewAction::ChooseTool(Tool::Box));
        apply(&mut state, ViewAction::Reset);
        assert_eq!((state.view.camera, state.window(), state.view.slice), (None, before, 3));
        assert_eq!(state.view.tool, Tool::Window);
    }

    #[test]
    fn escape_lets_go_of_what_is_selected_then_of_the_tool_and_never_of_window_or_zoom() {
        let mut state = state_with_series();
        let window = WindowLevel { center: 1.0, width: 2.0 };
        apply(&mut state, ViewAction::SetWindow(window));
        apply(&mut state, ViewAction::Zoom { viewport: viewport(), anchor: pos2(10.0, 10.0), factor: 4.0 });
        apply(&mut state, ViewAction::ChooseTool(Tool::Box));
        (state.reading.selected_box, state.reading.selected_measurement) = (Some(0), Some(0));
        apply(&mut state, ViewAction::Escape);
        let selected = (state.reading.selected_box, state.reading.selected_measurement);
        assert_eq!((selected, state.view.tool), ((None, None), Tool::Box));
        apply(&mut state, ViewAction::Escape);
        assert_eq!(state.view.tool, Tool::Window);
        apply(&mut state, ViewAction::Escape);
        assert!(state.view.window == Some(window) && state.view.camera.is_some());
    }

    #[test]
    fn a_disc_in_sight_does_not_move_the_image() {
        let mut state = state_with_series();
        state.view.viewport = Some(viewport());
        let fit = Camera::fit(&state.loaded().expect("a series").frame());
        state.view.camera = Some(Camera { zoom: 1.0, center_image: DVec2::new(40.0, 60.0), ..fit });
        show_disc(&mut state, DiscLevel::L4L5);
        assert_eq!(state.view.camera.expect("a camera").center_image, DVec2::new(40.0, 60.0));
        let [slice, row, column] = state.disc(DiscLevel::L4L5).expect("a disc").center_voxel;
        assert_eq!(state.view.slice, slice.round() as usize);
        state.view.camera = Some(Camera { zoom: 12.0, center_image: DVec2::new(2.0, 2.0), ..fit });
        show_disc(&mut state, DiscLevel::L4L5);
        assert_eq!(state.view.camera.expect("a camera").center_image, DVec2::new(column, row));
    }

    #[test]
    fn a_disc_that_is_zoomed_to_is_seen_with_both_its_bodies() {
        let mut state = state_with_series();
        state.view.viewport = Some(viewport());
        zoom_to_disc(&mut state, DiscLevel::L4L5);
        let frame = state.loaded().expect("a series").frame();
        let transform = SliceTransform::new(&frame, viewport(), &state.view.camera.expect("zoomed"));
        let disc = state.disc(DiscLevel::L4L5).expect("a disc");
        for body in [&disc.upper, &disc.lower] {
            for corner in body.corners_at(4.0).expect("an outline").as_array() {
                assert!(viewport().contains(transform.screen_from_image(corner)));
            }
        }
        // Bodies of 20 mm with 8 mm between them, and room above and below.
        assert!((transform.points_per_mm - 400.0 / (48.0 * 1.24)).abs() < 1e-6);
    }

    #[test]
    fn a_run_turns_round_at_the_ends() {
        let mut state = state_with_series();
        apply(&mut state, ViewAction::ShowSlice(7));
        apply(&mut state, ViewAction::ToggleCine);
        let slices: Vec<usize> = (1..=4)
            .map(|step| {
                step_cine(&mut state, f64::from(step)).expect("running");
                state.view.slice
            })
            .collect();
        assert_eq!(slices, [8, 7, 6, 5]);
        let wait = step_cine(&mut state, 4.01).expect("running");
        assert_eq!(state.view.slice, 5, "its time has not come");
        assert!(wait > 0.0 && wait < 0.2);
        apply(&mut state, ViewAction::ToggleCine);
        assert_eq!(step_cine(&mut state, 9.0), None);
    }

    #[test]
    fn presets_are_made_from_the_data() {
        let mut state = state_with_series();
        let recorded = state.loaded().expect("a series").default_window;
        state.reading.body_window = Some(WindowLevel { center: 90.0, width: 180.0 });
        apply(&mut state, ViewAction::ApplyPreset(WindowPreset::Header));
        assert_eq!(state.window(), recorded);
        apply(&mut state, ViewAction::ApplyPreset(WindowPreset::Vertebrae));
        assert_eq!(state.window().center, 90.0, "the one at the start");
    }
}
