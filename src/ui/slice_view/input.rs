//! Mouse over the image: wheel, drags, clicks and the menu.

use eframe::egui::{self, Event, MouseWheelUnit, PointerButton, Response, Ui, Vec2};
use glam::DVec2;

use super::Scene;
use crate::spine::{Corners, DiscLevel};
use crate::ui::action::UiAction;
use crate::ui::command::UiCommand;
use crate::ui::state::Tool;
use crate::volume::WindowLevel;

/// Points of a touch pad that make one slice.
const POINTS_PER_SLICE: f32 = 40.0;
/// Drag over this many points to change the window by its default width.
const POINTS_PER_WINDOW: f32 = 400.0;

/// Wheel: slices; with Ctrl: zoom at the pointer.
pub fn wheel(ui: &Ui, response: &Response, scene: &Scene, actions: &mut Vec<UiAction>) {
    let Some(anchor) = response.hover_pos().filter(|_| response.contains_pointer()) else { return };
    let mut lines = 0.0;
    ui.input(|input| {
        for event in &input.events {
            let factor = match event {
                Event::MouseWheel { unit, delta, modifiers, .. } => {
                    let notches = match unit {
                        MouseWheelUnit::Line => delta.y,
                        MouseWheelUnit::Point => delta.y / POINTS_PER_SLICE,
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
            actions.push(UiAction::Zoom { viewport: scene.transform.viewport, anchor, factor });
        }
    });
    if lines != 0.0 {
        // A touch pad sends fractions of a slice: keep what is left over.
        let id = response.id.with("wheel");
        let total = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or(0.0) + lines;
        let whole = total.trunc();
        ui.data_mut(|data| data.insert_temp(id, total - whole));
        if whole != 0.0 {
            actions.push(UiAction::StepSlices(-(whole as isize)));
        }
    }
}

/// Drags: the tool on the left button, pan in the middle, zoom on the right.
pub fn drag(ui: &Ui, response: &Response, scene: &Scene, actions: &mut Vec<UiAction>) {
    let delta = response.drag_delta();
    if delta == Vec2::ZERO {
        return;
    }
    let viewport = scene.transform.viewport;
    let tool = scene.state.view.tool;
    let left = response.dragged_by(PointerButton::Primary);
    if response.dragged_by(PointerButton::Middle) || left && tool == Tool::Pan {
        actions.push(UiAction::Pan { viewport, delta });
    } else if response.dragged_by(PointerButton::Secondary) || left && tool == Tool::Zoom {
        let anchor = ui.input(|input| input.pointer.press_origin()).unwrap_or(viewport.center());
        actions.push(UiAction::Zoom { viewport, anchor, factor: f64::from(-delta.y * 0.01).exp() });
    } else if left && tool == Tool::Window {
        let base = scene.series.default_window.width;
        let (window, scale) = (scene.state.window(), base / POINTS_PER_WINDOW);
        // Right: wider. Up: brighter, which is a lower center.
        let width = (window.width + delta.x * scale).max(base * 0.01);
        actions.push(UiAction::SetWindow(WindowLevel { center: window.center + delta.y * scale, width }));
    }
}

/// Double click fits; a click on a disc selects it.
pub fn click(response: &Response, scene: &Scene, actions: &mut Vec<UiAction>) {
    if response.double_clicked() {
        actions.push(UiAction::FitView);
    } else if response.clicked() && scene.state.view.tool != Tool::Box {
        let level =
            response.interact_pointer_pos().and_then(|at| disc_at(scene, scene.transform.image_from_screen(at)));
        actions.extend(level.map(UiAction::SelectDisc));
    }
}

/// The disc whose space between the endplates holds an image point.
pub fn disc_at(scene: &Scene, point: DVec2) -> Option<DiscLevel> {
    scene.state.discs.iter().find_map(|disc| {
        let (above, below) = (disc.upper.corners_at(scene.slice as f64)?, disc.lower.corners_at(scene.slice as f64)?);
        let space = Corners { sa: above.ia, sp: above.ip, ip: below.sp, ia: below.sa };
        space.contains(point).then_some(disc.level)
    })
}

/// Right click: correct the level of the disc under the pointer, view and tools.
pub fn context_menu(response: &Response, scene: &Scene, actions: &mut Vec<UiAction>) {
    let id = response.id.with("menu disc");
    let ctx = &response.ctx;
    if response.secondary_clicked() {
        let level =
            response.interact_pointer_pos().and_then(|at| disc_at(scene, scene.transform.image_from_screen(at)));
        ctx.data_mut(|data| data.insert_temp(id, level));
    }
    response.context_menu(|ui| {
        if let Some(level) = ui.data(|data| data.get_temp::<Option<DiscLevel>>(id)).flatten() {
            relabel_menu_ui(ui, level, actions);
            ui.separator();
        }
        for command in [
            UiCommand::FitView,
            UiCommand::ResetView,
            UiCommand::WindowTool,
            UiCommand::PanTool,
            UiCommand::ZoomTool,
            UiCommand::BoxTool,
            UiCommand::CycleAnnotations,
        ] {
            let button = egui::Button::new(command.label()).shortcut_text(command.keys_text(ui.ctx()));
            if ui.add(button).clicked() {
                actions.push(command.action());
                ui.close();
            }
        }
    });
}

/// "This disc is …": the six levels.
pub fn relabel_menu_ui(ui: &mut Ui, from: DiscLevel, actions: &mut Vec<UiAction>) {
    ui.label(egui::RichText::new(format!("{from}: this disc is …")).strong());
    for to in DiscLevel::ALL {
        if ui.selectable_label(to == from, to.to_string()).clicked() {
            if to != from {
                actions.push(UiAction::RelabelDisc { from, to });
            }
            ui.close();
        }
    }
}
