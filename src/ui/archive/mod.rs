//! The archive window: find and open studies, send results, and the connections for both.

mod connections;
mod send;
mod state;
mod studies;

pub use state::{ArchiveAction, ArchivePage, ConnectionDraft};
pub(crate) use state::{ArchiveMessage, ArchiveState};

use eframe::egui::{Align2, Button, ComboBox, Label, ProgressBar, RichText, Ui, Window, vec2};

use super::action::Actions;
use super::state::ViewerState;
use super::theme;
use crate::ui::language::{in_force, tr};

/// The window over everything else, while a page is open.
pub(crate) fn archive_ui(ui: &Ui, state: &ViewerState, actions: &mut Actions) {
    let Some(page) = state.archive.page else { return };
    let title = match page {
        ArchivePage::Studies => tr!("Open from archive"),
        ArchivePage::Send => tr!("Send results to archive"),
        ArchivePage::Connections => tr!("Archive connections"),
    };
    let mut open = true;
    let room = ui.ctx().content_rect().size();
    let window =
        Window::new(title).id(eframe::egui::Id::unique("archive")).open(&mut open).collapsible(false).resizable(false);
    window.anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
        ui.set_width((room.x - 80.0).min(880.0));
        let mut wanted = Vec::new();
        match page {
            ArchivePage::Studies => studies::studies_ui(ui, &state.archive, room.y - 330.0, &mut wanted),
            ArchivePage::Send => send::send_ui(ui, state, &mut wanted),
            ArchivePage::Connections => connections::connections_ui(ui, &state.archive, &mut wanted),
        }
        ui.add_space(6.0);
        status_ui(ui, &state.archive, &mut wanted);
        actions.extend(wanted);
    });
    if !open {
        actions.push(ArchiveAction::Close);
    }
}

/// Which connection is used, and what is to be known about it.
fn connection_ui(ui: &mut Ui, state: &ArchiveState, actions: &mut Vec<ArchiveAction>) {
    ui.horizontal(|ui| {
        let label = ui.label(tr!("Archive"));
        let name =
            state.connection().map_or(tr!(in "archive connection", "none"), |connection| connection.name.as_str());
        let combo = ComboBox::from_id_salt("connection").selected_text(name).width(220.0).show_ui(ui, |ui| {
            for (index, connection) in state.connections.iter().enumerate() {
                if ui.selectable_label(state.chosen == index, &connection.name).clicked() {
                    actions.push(ArchiveAction::Choose(index));
                }
            }
        });
        combo.response.labelled_by(label.id);
        if ui.button(tr!("Connections…")).clicked() {
            actions.push(ArchiveAction::Show(ArchivePage::Connections));
        }
        if let Some(warning) = state.connection().and_then(crate::pacs::Connection::warning) {
            ui.label(RichText::new(capitalized(warning)).small().color(theme::of(ui).warning));
        }
    });
}

/// The job at work, or how the last one ended; its room is always kept, so that nothing jumps.
fn status_ui(ui: &mut Ui, state: &ArchiveState, actions: &mut Vec<ArchiveAction>) {
    ui.horizontal(|ui| {
        ui.set_min_height(26.0);
        if let Some(progress) = state.progress {
            ui.spinner();
            ui.label(in_force().text_in("step", progress.step));
            if progress.total > 0 {
                let share = progress.done as f32 / progress.total as f32;
                let text =
                    RichText::new(tr!("{done} of {total}", done = progress.done, total = progress.total)).small();
                ui.add(ProgressBar::new(share).desired_width(220.0).desired_height(14.0).text(text));
            }
            if ui.button(tr!("Cancel")).clicked() {
                actions.push(ArchiveAction::Cancel);
            }
        } else if let Some(message) = &state.message {
            let color = if message.is_good { theme::of(ui).good } else { theme::of(ui).error };
            ui.add(Label::new(RichText::new(&message.text).color(color)).wrap());
        }
    });
}

/// A button for what the page is there for.
fn main_button(ui: &mut Ui, label: &str, is_enabled: bool) -> bool {
    let button = Button::new(label).fill(theme::of(ui).accent_dim).min_size(vec2(110.0, 28.0));
    ui.add_enabled(is_enabled, button).clicked()
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}
