//! What the wheel and drags over an image ask for, the same in every view.

use eframe::egui::{Event, MouseWheelUnit, PointerButton, Pos2, Rect, Response, Ui, Vec2};

use super::camera::{Camera, ImageFrame};
use super::state::Tool;
use crate::volume::WindowLevel;

/// Points of a touch pad that make one notch of a wheel.
const POINTS_PER_NOTCH: f32 = 40.0;
/// Drag over this many points to leaf on by one slice.
const POINTS_PER_SLICE: f32 = 20.0;
/// Drag over this many points to change the window by its default width.
const POINTS_PER_WINDOW: f32 = 400.0;

/// One wish, in the terms of the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Gesture {
    /// Go on by so many slices.
    Scroll(isize),
    /// Move the image.
    Pan(Vec2),
    /// Magnify around a point that stays in place.
    Zoom {
        /// The point.
        anchor: Pos2,
        /// Magnification relative to now.
        factor: f64,
    },
    /// Change brightness and contrast by a drag.
    Window(Vec2),
}

/// The wishes of this frame. Wheel: slices, with Ctrl zoom at the pointer. Drags: the tool on the left button, pan in
/// the middle, on the right zoom or, if the user prefers it, the window.
pub(crate) fn gestures(ui: &Ui, response: &Response, tool: Tool, right_drag_windows: bool) -> Vec<Gesture> {
    let mut gestures = Vec::new();
    wheel(ui, response, &mut gestures);
    gestures.extend(drag(ui, response, tool, right_drag_windows));
    gestures
}

fn wheel(ui: &Ui, response: &Response, gestures: &mut Vec<Gesture>) {
    let Some(anchor) = response.hover_pos().filter(|_| response.contains_pointer()) else { return };
    let mut lines = 0.0;
    ui.input(|input| {
        for event in &input.events {
            let factor = match event {
                Event::MouseWheel { unit, delta, modifiers, .. } => {
                    let notches = match unit {
                        MouseWheelUnit::Line => delta.y,
                        MouseWheelUnit::Point => delta.y / POINTS_PER_NOTCH,
                        MouseWheelUnit::Page => delta.y * 10.0,
                    };
                    if !(modifiers.ctrl || modifiers.command) {
                        lines += notches;
                        continue;
                    }
                    f64::from(notches * 0.15).exp()
                }
                Event::Zoom(factor) => f64::from(*factor),
                _ => continue,
            };
            gestures.push(Gesture::Zoom { anchor, factor });
        }
    });
    gestures.extend(whole_slices(ui, response, -lines));
}

fn drag(ui: &Ui, response: &Response, tool: Tool, right_drag_windows: bool) -> Option<Gesture> {
    let delta = response.drag_delta();
    if delta == Vec2::ZERO {
        return None;
    }
    let left = response.dragged_by(PointerButton::Primary);
    let right = response.dragged_by(PointerButton::Secondary);
    if response.dragged_by(PointerButton::Middle) || left && tool == Tool::Pan {
        Some(Gesture::Pan(delta))
    } else if right && !right_drag_windows || left && tool == Tool::Zoom {
        let anchor = ui.input(|input| input.pointer.press_origin()).unwrap_or(response.rect.center());
        Some(Gesture::Zoom { anchor, factor: f64::from(-delta.y * 0.01).exp() })
    } else if left && tool == Tool::Scroll {
        whole_slices(ui, response, delta.y / POINTS_PER_SLICE)
    } else {
        (right || left && tool == Tool::Window).then_some(Gesture::Window(delta))
    }
}

/// Steps by whole slices; a touch pad sends fractions, of which the rest is kept.
fn whole_slices(ui: &Ui, response: &Response, slices: f32) -> Option<Gesture> {
    if slices == 0.0 {
        return None;
    }
    let id = response.id.with("part of a slice");
    let total = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or(0.0) + slices;
    let whole = total.trunc();
    ui.data_mut(|data| data.insert_temp(id, total - whole));
    (whole != 0.0).then_some(Gesture::Scroll(whole as isize))
}

/// A camera after a gesture; `None` where the gesture does not move the image.
#[must_use]
pub(crate) fn moved_camera(camera: Camera, frame: &ImageFrame, viewport: Rect, gesture: Gesture) -> Option<Camera> {
    match gesture {
        Gesture::Pan(delta) => Some(camera.panned(frame, viewport, delta)),
        Gesture::Zoom { anchor, factor } => Some(camera.zoomed_at(frame, viewport, anchor, factor)),
        Gesture::Scroll(_) | Gesture::Window(_) => None,
    }
}

/// A window after a drag: right is wider, up is brighter (a lower center). `base` is the width of the series' own.
#[must_use]
pub(crate) fn dragged_window(window: WindowLevel, base: f32, delta: Vec2) -> WindowLevel {
    let scale = base / POINTS_PER_WINDOW;
    let width = (window.width + delta.x * scale).max(base * 0.01);
    WindowLevel { center: window.center + delta.y * scale, width }
}
