//! Adding, changing, testing and removing connections.

use std::path::PathBuf;

use eframe::egui::{Grid, RichText, TextEdit, Ui, vec2};

use super::{ArchiveAction, ArchivePage, ArchiveState, ConnectionDraft, capitalized, main_button};
use crate::pacs::{Address, Connection, Secret};
use crate::ui::language::tr;
use crate::ui::theme;

/// The page: the list, or the connection that is edited.
pub(super) fn connections_ui(ui: &mut Ui, state: &ArchiveState, actions: &mut Vec<ArchiveAction>) {
    match &state.draft {
        Some(draft) => draft_ui(ui, state, draft, actions),
        None => list_ui(ui, state, actions),
    }
}

fn list_ui(ui: &mut Ui, state: &ArchiveState, actions: &mut Vec<ArchiveAction>) {
    let weak = theme::of(ui).text_weak;
    if state.connections.is_empty() {
        ui.label(RichText::new(tr!("No archive is configured; nothing is contacted.")).color(weak));
    }
    Grid::new("connections").num_columns(4).striped(true).spacing(vec2(18.0, 6.0)).show(ui, |ui| {
        for connection in &state.connections {
            ui.label(RichText::new(&connection.name).strong());
            ui.label(&connection.address);
            let warning = connection.warning().unwrap_or_default();
            ui.label(RichText::new(capitalized(warning)).small().color(theme::of(ui).warning));
            if ui.button(tr!("Edit {name}", name = connection.name)).clicked() {
                actions.push(ArchiveAction::Edit(Some(Box::new(ConnectionDraft::of(connection)))));
            }
            ui.end_row();
        }
    });
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        if main_button(ui, tr!("Add archive"), true) {
            actions.push(ArchiveAction::Edit(Some(Box::default())));
        }
        if !state.connections.is_empty() && ui.button(tr!("Back to search")).clicked() {
            actions.push(ArchiveAction::Show(ArchivePage::Studies));
        }
    });
}

fn draft_ui(ui: &mut Ui, state: &ArchiveState, shown: &ConnectionDraft, actions: &mut Vec<ArchiveAction>) {
    let mut draft = shown.clone();
    Grid::new("draft").num_columns(2).spacing(vec2(16.0, 8.0)).show(ui, |ui| {
        field_ui(ui, tr!("Name"), &mut draft.connection.name, tr!("hospital archive"));
        let hint = tr!("https://server/dicom-web   or   dicom://AETITLE@server:104");
        field_ui(ui, tr!("Address"), &mut draft.connection.address, hint);
        log_in_ui(ui, &mut draft);
        if matches!(draft.connection.address(), Ok(Address::Dimse(_))) {
            field_ui(ui, tr!("Our AE title"), &mut draft.connection.calling_ae_title, "SPINENET");
        }
        file_ui(
            ui,
            tr!("Trusted certificates"),
            &mut draft.connection.ca_file,
            tr!("those of this computer; or a PEM file"),
        );
        file_ui(ui, tr!("Our certificate"), &mut draft.connection.certificate_file, tr!("none; or a PEM file"));
        if draft.connection.certificate_file.is_some() {
            file_ui(ui, tr!("Key of it"), &mut draft.connection.key_file, tr!("a PEM file"));
        }
    });
    let note = tr!("https and dicoms are encrypted. Connections are kept in a file that only you can read.");
    ui.label(RichText::new(note).small().color(theme::of(ui).text_weak));
    let finished = draft.finished();
    let fault = finished.check().err().map(|error| error.to_string());
    let is_empty = shown.connection == Connection::default();
    match (&fault, finished.warning()) {
        (Some(fault), _) if !is_empty => drop(ui.label(RichText::new(fault).color(theme::of(ui).warning))),
        (None, Some(warning)) => drop(ui.label(RichText::new(capitalized(warning)).color(theme::of(ui).warning))),
        _ => drop(ui.label("")),
    }
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        if main_button(ui, tr!("Save"), fault.is_none()) {
            actions.push(ArchiveAction::Keep);
        }
        if ui.add_enabled(fault.is_none() && state.progress.is_none(), button(tr!("Test connection"))).clicked() {
            actions.push(ArchiveAction::Test);
        }
        if ui.add(button(tr!("Discard changes"))).clicked() {
            actions.push(ArchiveAction::Edit(None));
        }
        if shown.replaces.is_some() && ui.add(button(tr!("Remove"))).clicked() {
            actions.push(ArchiveAction::Remove);
        }
    });
    if draft != *shown {
        // Behind the buttons, or the draft that was closed would come back.
        actions.insert(0, ArchiveAction::Edit(Some(Box::new(draft))));
    }
}

fn button(label: &str) -> eframe::egui::Button<'_> {
    eframe::egui::Button::new(label).min_size(vec2(0.0, 28.0))
}

fn log_in_ui(ui: &mut Ui, draft: &mut ConnectionDraft) {
    ui.label(tr!("Log in with"));
    ui.horizontal(|ui| {
        ui.selectable_value(&mut draft.is_token, false, tr!("User and password"));
        ui.selectable_value(&mut draft.is_token, true, tr!("Token (DICOMweb)"));
    });
    ui.end_row();
    if !draft.is_token {
        field_ui(ui, tr!("User"), &mut draft.connection.user, tr!("none"));
    }
    let (name, old) = if draft.is_token {
        (tr!("Token"), &draft.connection.token)
    } else {
        (tr!("Password"), &draft.connection.password)
    };
    let hint = if old.is_empty() { tr!("none") } else { tr!("unchanged") };
    let label = ui.label(name);
    let mut secret = draft.secret.reveal().to_owned();
    let field = TextEdit::singleline(&mut secret).password(true).desired_width(420.0).hint_text(hint);
    ui.add(field).labelled_by(label.id);
    draft.secret = Secret::new(&secret);
    ui.end_row();
}

fn field_ui(ui: &mut Ui, name: &str, text: &mut String, hint: &str) {
    let label = ui.label(name);
    ui.add(TextEdit::singleline(text).desired_width(420.0).hint_text(hint)).labelled_by(label.id);
    ui.end_row();
}

fn file_ui(ui: &mut Ui, name: &str, file: &mut Option<PathBuf>, hint: &str) {
    let mut text = file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    field_ui(ui, name, &mut text, hint);
    *file = (!text.trim().is_empty()).then(|| PathBuf::from(text.trim()));
}
