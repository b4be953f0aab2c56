//! The page of keys and mouse gestures.

use eframe::egui::{Align2, Grid, RichText, Ui, Window, vec2};

use super::action::UiAction;
use super::command::UiCommand;
use super::state::ViewerState;

/// Mouse gestures over the image and what they do.
const GESTURES: [(&str, &str); 8] = [
    ("Wheel", "slice"),
    ("Ctrl + wheel", "zoom at the pointer"),
    ("Left drag", "the chosen tool; window: right = wider, up = brighter"),
    ("Middle drag", "pan"),
    ("Right click", "menu: correct a level, add or delete a vertebra, tools"),
    ("Right click on a grade", "change it"),
    ("Double click", "fit to window"),
    ("Hold H", "hide the evidence"),
];

/// Floating page, opened from the menu or by its key.
pub fn help_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Vec<UiAction>) {
    let mut open = state.help_open;
    Window::new("Keys and mouse")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
        .show(ui.ctx(), |ui| {
            Grid::new("gestures").num_columns(2).spacing(vec2(24.0, 4.0)).show(ui, |ui| {
                let right_drag = if state.right_drag_windows { "window" } else { "zoom" };
                for (gesture, meaning) in GESTURES.into_iter().chain([("Right drag", right_drag)]) {
                    ui.label(RichText::new(gesture).strong());
                    ui.label(meaning);
                    ui.end_row();
                }
            });
            ui.separator();
            Grid::new("keys").num_columns(6).spacing(vec2(24.0, 4.0)).show(ui, |ui| {
                let commands: Vec<_> =
                    UiCommand::ALL.iter().copied().filter(|command| !command.shortcuts().is_empty()).collect();
                for pair in commands.chunks(3) {
                    for command in pair {
                        ui.label(RichText::new(command.keys_text(ui.ctx())).strong());
                        ui.label(command.label());
                    }
                    ui.end_row();
                }
            });
        });
    if open != state.help_open {
        actions.push(UiAction::ToggleHelp);
    }
}
