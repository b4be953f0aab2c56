//! Menus, tools and the title of the series.

use eframe::egui::{Align, Button, Layout, MenuBar, Panel, RichText, Ui};

use super::action::UiAction;
use super::command::UiCommand;
use super::state::{Tool, ViewerState};
use super::theme;

/// The strip along the top.
pub fn top_bar_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Vec<UiAction>) {
    Panel::top("top_bar").resizable(false).show(ui, |ui| {
        MenuBar::new().ui(ui, |ui| {
            menus_ui(ui, state, actions);
            if state.loaded().is_some() {
                ui.separator();
                tools_ui(ui, state, actions);
            }
            if let Some(series) = state.series_list.iter().find(|series| series.shown) {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.label(RichText::new(&series.title).color(theme::TEXT_WEAK));
                });
            }
        });
    });
}

fn menus_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Vec<UiAction>) {
    let study_open = state.folder.pending().is_some() || state.folder.ready().is_some();
    let image_shown = state.loaded().is_some();
    ui.menu_button("File", |ui| {
        item_ui(ui, UiCommand::OpenFolder, true, actions);
        item_ui(ui, UiCommand::OpenDemo, true, actions);
        item_ui(ui, UiCommand::CloseStudy, study_open, actions);
        ui.separator();
        item_ui(ui, UiCommand::Quit, true, actions);
    });
    ui.menu_button("Edit", |ui| {
        let named = |command: UiCommand, what: Option<&str>| {
            what.map_or_else(|| command.label().to_owned(), |what| format!("{} {what}", command.label()))
        };
        let (undo, redo) = (state.undo_label, state.redo_label);
        named_item_ui(ui, UiCommand::Undo, &named(UiCommand::Undo, undo), undo.is_some(), actions);
        named_item_ui(ui, UiCommand::Redo, &named(UiCommand::Redo, redo), redo.is_some(), actions);
        ui.separator();
        item_ui(ui, UiCommand::DeleteBox, state.selected_box.is_some(), actions);
    });
    ui.menu_button("View", |ui| {
        for command in [UiCommand::FitView, UiCommand::ResetView] {
            item_ui(ui, command, image_shown, actions);
        }
        ui.separator();
        for command in [UiCommand::CycleAnnotations, UiCommand::ToggleEvidence] {
            item_ui(ui, command, image_shown, actions);
        }
    });
    ui.menu_button("Help", |ui| item_ui(ui, UiCommand::Help, true, actions));
}

fn item_ui(ui: &mut Ui, command: UiCommand, enabled: bool, actions: &mut Vec<UiAction>) {
    named_item_ui(ui, command, command.label(), enabled, actions);
}

fn named_item_ui(ui: &mut Ui, command: UiCommand, label: &str, enabled: bool, actions: &mut Vec<UiAction>) {
    let button = Button::new(label).shortcut_text(command.keys_text(ui.ctx()));
    if ui.add_enabled(enabled, button).clicked() {
        actions.push(command.action());
        ui.close();
    }
}

fn tools_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Vec<UiAction>) {
    for tool in Tool::ALL {
        let (label, command) = match tool {
            Tool::Window => ("Window", UiCommand::WindowTool),
            Tool::Pan => ("Pan", UiCommand::PanTool),
            Tool::Zoom => ("Zoom", UiCommand::ZoomTool),
            Tool::Box => ("Box", UiCommand::BoxTool),
        };
        let button = ui.add(Button::selectable(state.view.tool == tool, label));
        if button.on_hover_text(format!("{} ({})", command.label(), command.keys_text(ui.ctx()))).clicked() {
            actions.push(command.action());
        }
    }
}
