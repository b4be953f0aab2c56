//! Mouse over the image: what gestures, clicks and the menu do to it.

use eframe::egui::{self, PointerButton, Response, Ui};
use glam::DVec2;

use super::{Scene, boxes, measure};
use crate::spine::{Corners, DiscLevel};
use crate::ui::action::{Actions, BoxAction, MeasureAction, ProgramAction, ReadAction, VertebraAction, ViewAction};
use crate::ui::command::UiCommand;
use crate::ui::criteria;
use crate::ui::gesture::{Gesture, dragged_window, gestures};
use crate::ui::language::{in_force, tr};
use crate::ui::state::{Tool, ViewLayout};

/// Wheel and drags.
pub(crate) fn gestures_ui(ui: &Ui, response: &Response, scene: &Scene, actions: &mut Actions) {
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

/// A click on a measurement selects it, with any tool but those that measure; double click fits, or maximizes; a click on a
/// disc selects it.
pub(super) fn click(response: &Response, scene: &Scene, actions: &mut Actions) {
    let tool = scene.state.view.tool;
    if matches!(tool, Tool::Measure(_)) {
        return;
    }
    let at = response.interact_pointer_pos();
    if let Some(at) = at.filter(|_| response.clicked() && !response.double_clicked()) {
        let measured = measure::measurement_at(scene, at);
        if measured != scene.state.reading.selected_measurement {
            actions.push(MeasureAction::Select(measured));
        }
        if measured.is_some() {
            return;
        }
    }
    if tool == Tool::Vertebra {
        return;
    }
    if tool == Tool::Crosshair {
        if (response.clicked() || response.dragged_by(PointerButton::Primary))
            && let Some(at) = at
        {
            let point = scene.transform.image_from_screen(at);
            actions.push(ViewAction::SetCrosshair([point.y, point.x]));
        }
    } else if response.double_clicked() {
        // Beside other views the slice takes the whole middle, and gives it back; alone it is fitted.
        let alone = scene.state.view.layout == ViewLayout::Single;
        actions.push(if alone { ViewAction::Fit } else { ViewAction::Maximize(0) });
    } else if response.clicked() && tool != Tool::Box {
        let level = at.and_then(|at| disc_at(scene, scene.transform.image_from_screen(at)));
        actions.extend(level.map(ReadAction::PointAtDisc));
    }
}

/// The disc whose space between the endplates holds an image point.
pub(crate) fn disc_at(scene: &Scene, point: DVec2) -> Option<DiscLevel> {
    scene.state.reading.discs.iter().find_map(|disc| {
        let (above, below) = (disc.upper.corners_at(scene.slice as f64)?, disc.lower.corners_at(scene.slice as f64)?);
        let space = Corners { sa: above.ia, sp: above.ip, ip: below.sp, ia: below.sa };
        space.contains(point).then_some(disc.level)
    })
}

/// Right click: what lies under the pointer comes first, a measurement before a box before a disc; then view and tools, and
/// last what changes the anatomy.
pub(super) fn context_menu(response: &Response, scene: &Scene, actions: &mut Actions) {
    let id = response.id.with("menu point");
    if response.secondary_clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        response.ctx.data_mut(|data| data.insert_temp(id, scene.transform.image_from_screen(at)));
    }
    response.context_menu(|ui| {
        let point = ui.data(|data| data.get_temp::<DVec2>(id)).unwrap_or_default();
        let level = disc_at(scene, point);
        if let Some(index) = measure::measurement_at(scene, scene.transform.screen_from_image(point)) {
            measurement_menu_ui(ui, scene, index, actions);
        } else if let Some(index) = boxes::box_at(scene, point) {
            if ui.button(tr!("Delete this box")).clicked() {
                actions.push(BoxAction::Delete(index));
                ui.close();
            }
            ui.separator();
        } else if let Some(level) = level {
            relabel_menu_ui(ui, level, actions);
            ui.separator();
        }
        for command in [
            UiCommand::FitView,
            UiCommand::ResetView,
            UiCommand::KeyImage,
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
        ui.separator();
        anatomy_menu_ui(ui, scene, point, actions);
    });
}

/// What can be done with a measurement.
fn measurement_menu_ui(ui: &mut Ui, scene: &Scene, index: usize, actions: &mut Actions) {
    let Some(measurement) = scene.state.reading.findings.review.measurements.get(index) else { return };
    let kind = criteria::measurement(measurement.kind);
    let name = scene.state.level_of(measurement).map_or(kind.to_owned(), |level| format!("{kind} {level}"));
    ui.label(egui::RichText::new(name).strong());
    if let Some(value) = measurement.value(scene.series.frame().pixel_size_mm).map(|value| value.in_words(in_force()))
        && ui.button(tr!("Copy {value}", value = value)).clicked()
    {
        actions.push(ProgramAction::Copy(value));
        ui.close();
    }
    if ui.button(tr!("Delete this measurement")).clicked() {
        actions.push(MeasureAction::Delete(index));
        ui.close();
    }
    ui.separator();
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
}

/// "This disc is …": all levels, those of a sixth lumbar vertebra last.
pub(crate) fn relabel_menu_ui(ui: &mut Ui, from: DiscLevel, actions: &mut Actions) {
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
