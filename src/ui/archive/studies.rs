//! Searching for studies and opening one.

use eframe::egui::{Key, Label, RichText, ScrollArea, Sense, TextEdit, Ui, UiBuilder, WidgetInfo, vec2};

use super::{ArchiveAction, ArchiveState, connection_ui, main_button};
use crate::dicom::readable_name;
use crate::pacs::{ArchivedStudy, is_date_range};
use crate::ui::language::tr;
use crate::ui::theme;

/// Widths of the columns: date, patient, id, modalities, images, description takes the rest.
const WIDTHS: [f32; 5] = [84.0, 220.0, 120.0, 90.0, 62.0];
const ROW_HEIGHT: f32 = 22.0;

/// The page.
pub(super) fn studies_ui(ui: &mut Ui, state: &ArchiveState, room: f32, actions: &mut Vec<ArchiveAction>) {
    connection_ui(ui, state, actions);
    ui.add_space(4.0);
    search_ui(ui, state, actions);
    ui.separator();
    let heads = [tr!("Date"), tr!("Patient"), tr!("Patient ID"), tr!("Modalities"), tr!("Objects"), tr!("Description")];
    row_ui(ui, heads.map(|head| RichText::new(head).strong()));
    let height = room.clamp(120.0, 420.0);
    ScrollArea::vertical().min_scrolled_height(height).max_height(height).auto_shrink([false, false]).show(ui, |ui| {
        let weak = |text: &str| RichText::new(text).color(theme::of(ui).text_weak);
        match state.studies.as_deref() {
            None if state.connections.is_empty() => {
                ui.label(weak(tr!(
                    "No archive is configured. “Connections…” adds one; until then nothing is contacted."
                )));
            }
            None => {
                ui.label(weak(tr!(
                    "Search for a patient, or leave all fields empty for the newest studies with MR images."
                )));
            }
            Some(studies) if studies.is_empty() => {
                ui.label(weak(tr!("No study matches.")));
            }
            Some(studies) => {
                for (index, study) in studies.iter().enumerate() {
                    study_ui(ui, state, index, study, actions);
                }
            }
        }
    });
    if state.studies.as_ref().is_some_and(|studies| studies.len() == state.query.limit) {
        let text = tr!(
            count = state.query.limit;
            one "Only {count} study is listed; search for something narrower.",
            other "Only {count} studies are listed; search for something narrower."
        );
        ui.label(RichText::new(text).small().color(theme::of(ui).warning));
    }
    ui.add_space(4.0);
    let can_open = state.selected.is_some() && state.progress.is_none();
    ui.horizontal(|ui| {
        if main_button(ui, tr!("Open"), can_open) {
            actions.push(ArchiveAction::Open);
        }
        let note =
            tr!("Images are fetched into a private temporary folder, which is removed when the study is closed.");
        ui.label(RichText::new(note).small().color(theme::of(ui).text_weak));
    });
}

fn search_ui(ui: &mut Ui, state: &ArchiveState, actions: &mut Vec<ArchiveAction>) {
    let mut query = state.query.clone();
    let mut is_entered = false;
    ui.horizontal(|ui| {
        for (name, text, width, hint) in [
            (tr!("Patient name"), &mut query.patient_name, 170.0, ""),
            (tr!("Patient ID"), &mut query.patient_id, 110.0, ""),
            (tr!("Study date"), &mut query.study_date, 160.0, "20260101-20261231"),
        ] {
            let label = ui.label(name);
            let field = ui.add(TextEdit::singleline(text).desired_width(width).hint_text(hint)).labelled_by(label.id);
            is_entered |= field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        }
        let date = query.study_date.trim();
        let is_date = date.is_empty() || is_date_range(date);
        let can_search = state.connection().is_some() && is_date;
        let is_clicked = main_button(ui, tr!("Search"), can_search);
        if !is_date {
            ui.label(RichText::new(tr!("Date: YYYYMMDD or a range")).small().color(theme::of(ui).warning));
        }
        if query != state.query {
            actions.push(ArchiveAction::Query(query));
        }
        if is_clicked || (is_entered && can_search) {
            actions.push(ArchiveAction::Search);
        }
    });
}

fn study_ui(ui: &mut Ui, state: &ArchiveState, index: usize, study: &ArchivedStudy, actions: &mut Vec<ArchiveAction>) {
    let is_selected = state.selected == Some(index);
    let name = readable_name(&study.patient_name);
    let builder = UiBuilder::new().id_salt(("study", index)).sense(Sense::click());
    let response = ui
        .scope_builder(builder, |ui| {
            let (is_hovered, colors) = (ui.response().hovered(), theme::of(ui));
            let fill = match (is_selected, is_hovered) {
                (true, _) => Some(colors.accent_dim),
                (_, true) => Some(colors.button),
                _ => None,
            };
            if let Some(fill) = fill {
                let mut area = ui.max_rect();
                area.max.y = area.min.y + ROW_HEIGHT;
                ui.painter().rect_filled(area, 2.0, fill);
            }
            let date = readable_date(&study.study_date);
            let objects = study.objects.map(|objects| objects.to_string()).unwrap_or_default();
            let modalities = study.modalities.join(" ");
            row_ui(
                ui,
                [&date, name.trim(), &study.patient_id, &modalities, &objects, &study.description].map(RichText::new),
            );
        })
        .response;
    let label = tr!("Study of {date} {name}", date = study.study_date, name = name.trim());
    response.widget_info(|| WidgetInfo::selected(eframe::egui::Role::Button, true, is_selected, &label));
    if response.clicked() || response.double_clicked() {
        actions.push(ArchiveAction::Select(index));
    }
    if response.double_clicked() && state.progress.is_none() {
        actions.push(ArchiveAction::Open);
    }
}

/// One row; what does not fit is cut with an ellipsis.
fn row_ui(ui: &mut Ui, cells: [RichText; 6]) {
    ui.horizontal(|ui| {
        ui.set_min_height(ROW_HEIGHT);
        ui.add_space(4.0);
        for (place, cell) in cells.into_iter().enumerate() {
            let width = WIDTHS.get(place).copied().unwrap_or_else(|| ui.available_width());
            ui.allocate_ui_with_layout(
                vec2(width, ROW_HEIGHT),
                eframe::egui::Layout::left_to_right(eframe::egui::Align::Center),
                |ui| {
                    ui.set_min_width(width);
                    ui.add(Label::new(cell).truncate().selectable(false));
                },
            );
        }
    });
}

fn readable_date(date: &str) -> String {
    match date.len() {
        8 if date.is_ascii() => format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]),
        _ => date.to_owned(),
    }
}
