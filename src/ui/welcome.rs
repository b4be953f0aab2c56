//! First page: how to open a study.

use eframe::egui::{Align, Button, Layout, RichText, ScrollArea, Ui, vec2};

use super::action::{Actions, FileAction};
use super::command::UiCommand;
use super::language::tr;
use super::state::{PathPurpose, ViewerState};
use super::theme;

/// Name of the program, the same in every language.
const PROGRAM: &str = "SpineNet Viewer";

/// Shown while no folder is open.
pub(crate) fn welcome_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let share = if state.recent.is_empty() { 0.24 } else { 0.12 };
    let top = (ui.available_height() * share).max(20.0);
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.add_space(top);
        ui.label(RichText::new(PROGRAM).size(26.0).color(theme::of(ui).text_strong));
        ui.label(tr!("Grades the discs of a lumbar MRI and shows where in the image the evidence lies."));
        ui.add_space(22.0);
        let button = |label: &str| Button::new(RichText::new(label).size(15.0)).min_size(vec2(220.0, 36.0));
        let open = button(UiCommand::OpenFolder.label()).fill(theme::of(ui).accent_dim);
        if ui.add(open).on_hover_text(UiCommand::OpenFolder.hint(ui.ctx())).clicked() {
            actions.push(UiCommand::OpenFolder.action());
        }
        if ui.add(button(UiCommand::OpenArchive.label())).on_hover_text(UiCommand::OpenArchive.hint(ui.ctx())).clicked()
        {
            actions.push(UiCommand::OpenArchive.action());
        }
        let demo = ui.add(button(UiCommand::OpenDemo.label()));
        if demo.on_hover_text(tr!("A synthetic study, graded and explained: see what this program does")).clicked() {
            actions.push(UiCommand::OpenDemo.action());
        }
        ui.add_space(14.0);
        ui.label(
            RichText::new(tr!("or drop a folder with DICOM files, a NIfTI or a MetaImage file here"))
                .color(theme::of(ui).text_weak),
        );
        ui.add_space(22.0);
        recent_ui(ui, state, actions);
    });
}

/// Studies opened before.
fn recent_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    if state.recent.is_empty() {
        return;
    }
    ui.label(RichText::new(tr!("Recent studies")).strong());
    ScrollArea::vertical().max_height((ui.available_height() - 60.0).max(80.0)).show(ui, |ui| {
        for study in &state.recent {
            let name = study.file_name().unwrap_or(study.as_os_str()).to_string_lossy();
            let response = ui.add(Button::new(name.as_ref()).frame(false).min_size(vec2(220.0, 24.0)));
            if response.on_hover_text(study.display().to_string()).clicked() {
                actions.push(FileAction::Chosen(PathPurpose::OpenStudy, study.clone()));
            }
        }
    });
    ui.add_space(4.0);
    let clear =
        ui.small_button(tr!("Clear this list")).on_hover_text(tr!("The list is kept in a file that only you can read"));
    if clear.clicked() {
        actions.push(FileAction::ClearRecent);
    }
}
