//! The page of the report: what only a reader can write, whether it names the patient, and the way to the file.

use eframe::egui::{Align2, Button, RichText, TextEdit, Ui, Window, vec2};

use super::action::{Actions, ProgramAction, ReadAction};
use super::command::UiCommand;
use super::language::{in_force, tr};
use super::state::{Page, ViewerState};
use super::theme;

/// Widest the page gets.
const WIDTH: f32 = 620.0;

/// Floating page, opened from the panel of the verdict or by its key.
pub(crate) fn report_page_ui(ui: &Ui, state: &ViewerState, actions: &mut Actions) {
    if state.page != Some(Page::Report) || state.loaded().is_none() {
        return;
    }
    let mut open = true;
    let window = Window::new(tr!("Report")).open(&mut open).collapsible(false).resizable(false);
    window.anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
        ui.set_width(WIDTH.min(ui.ctx().content_rect().width() - 60.0));
        texts_ui(ui, state, actions);
        ui.add_space(6.0);
        let mut names_patient = state.pdf_names_patient;
        if ui.checkbox(&mut names_patient, tr!("The PDF names the patient")).changed() {
            actions.push(ProgramAction::NamePatient(names_patient));
        }
        ui.horizontal(|ui| {
            let save = ui.add_enabled(!state.reading.discs.is_empty(), Button::new(UiCommand::SaveReport.label()));
            if save.on_hover_text(UiCommand::SaveReport.hint(ui.ctx())).clicked() {
                actions.push(UiCommand::SaveReport.action());
            }
            let hint = tr!("The whole text, as it stands in the PDF");
            if ui.button(tr!("Copy report")).on_hover_text(hint).clicked() {
                actions.push(ProgramAction::CopyReport);
            }
        });
    });
    if !open {
        actions.push(ProgramAction::TogglePage(Page::Report));
    }
}

fn texts_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let before = &state.reading.findings.review.narrative;
    let mut now = before.clone();
    let program = state.reading.summary.impression(in_force()).join("\n");
    let field = |ui: &mut Ui, name: &str, text: &mut String, rows: usize, hint: &str| {
        let label = ui.label(RichText::new(name).strong());
        let edit = TextEdit::multiline(text).desired_rows(rows).desired_width(f32::INFINITY).hint_text(hint.to_owned());
        ui.add(edit).labelled_by(label.id);
    };
    field(ui, tr!("Indication"), &mut now.indication, 1, tr!("Why the patient was examined"));
    field(ui, tr!("Comparison"), &mut now.comparison, 1, tr!("Earlier examinations that were compared"));
    field(ui, tr!("Impression"), &mut now.impression, 5, &program);
    if now.impression.is_empty() && !program.is_empty() {
        ui.horizontal(|ui| {
            let text = tr!("Left empty, the report has these sentences and says whose they are.");
            ui.label(RichText::new(text).small().color(theme::of(ui).text_weak));
            if ui.small_button(tr!("Edit them")).clicked() {
                now.impression = program;
            }
        });
    }
    if now != *before {
        actions.push(ReadAction::SetNarrative(now));
    }
}
