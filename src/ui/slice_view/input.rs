//! Mouse over the image: wheel, drags, clicks and the menu.

use eframe::egui::{self, Event, MouseWheelUnit, PointerButton, Response, Ui, Vec2};
use glam::DVec2;

use super::Scene;
use crate::spine::{Corners, DiscLevel};
use crate::ui::action::UiAction;
use crate::ui::command::UiCommand;
use crate::ui::state::{Tool, ViewLayout};
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
    step_slices(ui, response, -lines, actions);
}

/// Steps by whole slices; a touch pad sends fractions, of which the rest is kept.
fn step_slices(ui: &Ui, response: &Response, slices: f32, actions: &mut Vec<UiAction>) {
    if slices == 0.0 {
        return;
    }
    let id = response.id.with("part of a slice");
    let total = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or(0.0) + slices;
    let whole = total.trunc();
    ui.data_mut(|data| data.insert_temp(id, total - whole));
    if whole != 0.0 {
        actions.push(UiAction::StepSlices(whole as isize));
    }
}

/// Drags: the tool on the left button, pan in the middle, on the right zoom or, if the user prefers it, the window.
pub fn drag(ui: &Ui, response: &Response, scene: &Scene, actions: &mut Vec<UiAction>) {
    let delta = response.drag_delta();
    if delta == Vec2::ZERO {
        return;
    }
    let viewport = scene.transform.viewport;
    let tool = scene.state.view.tool;
    let left = response.dragged_by(PointerButton::Primary);
    let right = response.dragged_by(PointerButton::Secondary);
    let right_windows = scene.state.right_drag_windows;
    if response.dragged_by(PointerButton::Middle) || left && tool == Tool::Pan {
        actions.push(UiAction::Pan { viewport, delta });
    } else if right && !right_windows || left && tool == Tool::Zoom {
        let anchor = ui.input(|input| input.pointer.press_origin()).unwrap_or(viewport.center());
        actions.push(UiAction::Zoom { viewport, anchor, factor: f64::from(-delta.y * 0.01).exp() });
    } else if left && tool == Tool::Scroll {
        step_slices(ui, response, delta.y / POINTS_PER_SLICE * 2.0, actions);
    } else if right || left && tool == Tool::Window {
        let base = scene.series.default_window.width;
        let (window, scale) = (scene.state.window(), base / POINTS_PER_WINDOW);
        // Right: wider. Up: brighter, which is a lower center.
        let width = (window.width + delta.x * scale).max(base * 0.01);
        actions.push(UiAction::SetWindow(WindowLevel { center: window.center + delta.y * scale, width }));
    }
}

/// Double click fits; a click on a disc selects it.
pub fn click(response: &Response, scene: &Scene, actions: &mut Vec<UiAction>) {
    let tool = scene.state.view.tool;
    if matches!(tool, Tool::Measure(_) | Tool::Vertebra) {
        return;
    }
    if tool == Tool::Crosshair {
        if (response.clicked() || response.dragged_by(PointerButton::Primary))
            && let Some(at) = response.interact_pointer_pos()
        {
            let point = scene.transform.image_from_screen(at);
            actions.push(UiAction::SetCrosshair([point.y, point.x]));
        }
    } else if response.double_clicked() {
        // Beside other planes the slice takes the whole middle; alone it is fitted.
        let alone = scene.state.view.layout == ViewLayout::Single;
        actions.push(if alone { UiAction::FitView } else { UiAction::SetLayout(ViewLayout::Single) });
    } else if response.clicked() && tool != Tool::Box {
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
    let id = response.id.with("menu point");
    if response.secondary_clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        response.ctx.data_mut(|data| data.insert_temp(id, scene.transform.image_from_screen(at)));
    }
    response.context_menu(|ui| {
        let point = ui.data(|data| data.get_temp::<DVec2>(id)).unwrap_or_default();
        if let Some(level) = disc_at(scene, point) {
            relabel_menu_ui(ui, level, actions);
            ui.separator();
        }
        anatomy_menu_ui(ui, scene, point, actions);
        if let Some(value) = selected_value(scene)
            && ui.button(format!("Copy {value}")).clicked()
        {
            actions.push(UiAction::Copy(value));
            ui.close();
        }
        for command in [
            UiCommand::FitView,
            UiCommand::ResetView,
            UiCommand::WindowTool,
            UiCommand::PanTool,
            UiCommand::ZoomTool,
            UiCommand::BoxTool,
            UiCommand::VertebraTool,
            UiCommand::LengthTool,
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

/// Delete the body under the pointer, or add one where there is none.
fn anatomy_menu_ui(ui: &mut Ui, scene: &Scene, point: DVec2, actions: &mut Vec<UiAction>) {
    match super::vertebrae::body_at(scene, point) {
        Some(label) => {
            if ui.button(format!("Delete vertebra {label}")).clicked() {
                actions.push(UiAction::DeleteVertebra(label));
                ui.close();
            }
        }
        None => {
            if ui.button("Add a vertebra here").clicked() {
                actions.push(UiAction::AddVertebra(point));
                ui.close();
            }
        }
    }
    ui.separator();
}

/// The value of the selected measurement in words.
fn selected_value(scene: &Scene) -> Option<String> {
    let measurement = scene.state.findings.review.measurements.get(scene.state.selected_measurement?)?;
    measurement.value(scene.series.frame().pixel_size_mm).map(|value| value.to_string())
}

/// "This disc is …": all levels, those of a sixth lumbar vertebra last.
pub fn relabel_menu_ui(ui: &mut Ui, from: DiscLevel, actions: &mut Vec<UiAction>) {
    ui.label(egui::RichText::new(format!("{from}: this disc is …")).strong());
    for to in DiscLevel::every() {
        if ui.selectable_label(to == from, to.to_string()).clicked() {
            if to != from {
                actions.push(UiAction::RelabelDisc { from, to });
            }
            ui.close();
        }
    }
}
