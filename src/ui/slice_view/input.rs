//! Mouse over the image: what gestures, clicks and the menu do to it.

use eframe::egui::{self, PointerButton, Response, Ui};
use glam::DVec2;

use super::Scene;
use crate::spine::{Corners, DiscLevel};
use crate::ui::action::{Actions, ProgramAction, ReadAction, VertebraAction, ViewAction};
use crate::ui::command::UiCommand;
use crate::ui::gesture::{Gesture, dragged_window, gestures};
use crate::ui::language::tr;
use crate::ui::state::{Tool, ViewLayout};

/// Wheel and drags.
pub fn gestures_ui(ui: &Ui, response: &Response, scene: &Scene, actions: &mut Actions) {
    let viewport = scene.transform.viewport;
    for gesture in gestures(ui, response, scene.state.view.tool, scene.state.right_drag_windows) {
        actions.push(match gesture {
            Gesture::Scroll(slices) => ViewAction::StepSlices(slices),
            Gesture::Pan(delta) => ViewAction::Pan { viewport, delta },
            Gesture::Zoom { anchor, factor } => ViewAction::Zoom { viewport, anchor, factor },
            Gesture::Window(delta) => {
                ViewAction::SetWindow(dragged_window(scene.window, scene.series.default_window.width, delta))
            }
        });
    }
}

/// Double click fits; a click on a disc selects it.
pub fn click(response: &Response, scene: &Scene, actions: &mut Actions) {
    let tool = scene.state.view.tool;
    if matches!(tool, Tool::Measure(_) | Tool::Vertebra) {
        return;
    }
    if tool == Tool::Crosshair {
        if (response.clicked() || response.dragged_by(PointerButton::Primary))
            && let Some(at) = response.interact_pointer_pos()
        {
            let point = scene.transform.image_from_screen(at);
            actions.push(ViewAction::SetCrosshair([point.y, point.x]));
        }
    } else if response.double_clicked() {
        // Beside other planes the slice takes the whole middle; alone it is fitted.
        let alone = scene.state.view.layout == ViewLayout::Single;
        actions.push(if alone { ViewAction::Fit } else { ViewAction::SetLayout(ViewLayout::Single) });
    } else if response.clicked() && tool != Tool::Box {
        let level =
            response.interact_pointer_pos().and_then(|at| disc_at(scene, scene.transform.image_from_screen(at)));
        actions.extend(level.map(ReadAction::SelectDisc));
    }
}

/// The disc whose space between the endplates holds an image point.
pub fn disc_at(scene: &Scene, point: DVec2) -> Option<DiscLevel> {
    scene.state.reading.discs.iter().find_map(|disc| {
        let (above, below) = (disc.upper.corners_at(scene.slice as f64)?, disc.lower.corners_at(scene.slice as f64)?);
        let space = Corners { sa: above.ia, sp: above.ip, ip: below.sp, ia: below.sa };
        space.contains(point).then_some(disc.level)
    })
}

/// Right click: correct the level of the disc under the pointer, view and tools.
pub fn context_menu(response: &Response, scene: &Scene, actions: &mut Actions) {
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
            && ui.button(tr!("Copy {value}", value = value)).clicked()
        {
            actions.push(ProgramAction::Copy(value));
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
fn anatomy_menu_ui(ui: &mut Ui, scene: &Scene, point: DVec2, actions: &mut Actions) {
    match super::vertebrae::body_at(scene, point) {
        Some(label) => {
            if ui.button(tr!("Delete vertebra {label}", label = label)).clicked() {
                actions.push(VertebraAction::Delete(label));
                ui.close();
            }
        }
        None => {
            if ui.button(tr!("Add a vertebra here")).clicked() {
                actions.push(VertebraAction::Add(point));
                ui.close();
            }
        }
    }
    ui.separator();
}

/// The value of the selected measurement in words.
fn selected_value(scene: &Scene) -> Option<String> {
    let measurement =
        scene.state.reading.findings.review.measurements.get(scene.state.reading.selected_measurement?)?;
    measurement.value(scene.series.frame().pixel_size_mm).map(|value| value.to_string())
}

/// "This disc is …": all levels, those of a sixth lumbar vertebra last.
pub fn relabel_menu_ui(ui: &mut Ui, from: DiscLevel, actions: &mut Actions) {
    ui.label(egui::RichText::new(tr!("{level}: this disc is …", level = from)).strong());
    for to in DiscLevel::every() {
        if ui.selectable_label(to == from, to.to_string()).clicked() {
            if to != from {
                actions.push(VertebraAction::RelabelDisc { from, to });
            }
            ui.close();
        }
    }
}
