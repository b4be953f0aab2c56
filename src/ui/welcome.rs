//! First page: how to open a study.

use eframe::egui::{self, Align, Button, Layout, RichText, TextEdit, Ui, vec2};

use super::action::UiAction;
use super::command::UiCommand;
use super::state::ViewerState;
use super::theme;

/// Shown while no folder is open.
pub fn welcome_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Vec<UiAction>) {
    let top = (ui.available_height() * 0.28).max(20.0);
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.add_space(top);
        ui.label(RichText::new("SpineNet Viewer").size(26.0).color(theme::TEXT_STRONG));
        ui.label("Grades the discs of a lumbar MRI and shows where in the image the evidence lies.");
        ui.add_space(22.0);
        let button = |label: &str| Button::new(RichText::new(label).size(15.0)).min_size(vec2(220.0, 36.0));
        if ui.add(button(UiCommand::OpenFolder.label()).fill(theme::ACCENT_DIM)).clicked() {
            actions.push(UiCommand::OpenFolder.action());
        }
        if ui.add(button(UiCommand::OpenDemo.label())).clicked() {
            actions.push(UiCommand::OpenDemo.action());
        }
        ui.add_space(14.0);
        ui.label(RichText::new("or drop a folder with DICOM files here").color(theme::TEXT_WEAK));
        ui.add_space(16.0);
        if state.path_entry.is_some() {
            path_entry_ui(ui, state, actions);
        }
    });
}

/// Where the system has no folder dialog: a field for the path.
pub fn path_entry_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Vec<UiAction>) {
    let Some(shown) = &state.path_entry else { return };
    let mut text = shown.clone();
    ui.label(RichText::new("No folder dialog was found on this system. Type or paste the folder's path:").small());
    let field = ui.add(TextEdit::singleline(&mut text).desired_width(420.0).hint_text("/path/to/study"));
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    if text != *shown {
        actions.push(UiAction::EditPath(Some(text.clone())));
    }
    let path = text.trim();
    if (ui.add_enabled(!path.is_empty(), Button::new("Open this folder")).clicked() || entered) && !path.is_empty() {
        actions.push(UiAction::OpenPath(path.into()));
    }
}
