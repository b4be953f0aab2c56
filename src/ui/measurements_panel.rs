//! What the reader measured: names, levels and values.

use eframe::egui::{Grid, RichText, Ui, vec2};

use super::action::{Actions, MeasureAction};
use super::criteria;
use super::language::{in_force, tr};
use super::state::ViewerState;
use super::theme;

/// The list; a click shows the slice of a measurement and selects it.
pub(super) fn measurements_panel_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let measurements = &state.reading.findings.review.measurements;
    let Some(series) = state.loaded().filter(|_| !measurements.is_empty()) else { return };
    ui.label(RichText::new(tr!("Measurements")).strong());
    Grid::new("measurements").num_columns(4).spacing(vec2(12.0, 3.0)).show(ui, |ui| {
        for (index, measurement) in measurements.iter().enumerate() {
            let kind = criteria::measurement(measurement.kind);
            let name = state.level_of(measurement).map_or(kind.to_owned(), |level| format!("{kind} {level}"));
            let is_selected = state.reading.selected_measurement == Some(index);
            if ui.selectable_label(is_selected, &name).clicked() {
                actions.push(MeasureAction::Show(index));
            }
            let value = measurement.value(series.frame().pixel_size_mm);
            ui.label(value.map_or_else(|| "–".to_owned(), |value| value.in_words(in_force())));
            let slice = tr!("Slice {slice}", slice = measurement.slice + 1);
            ui.label(RichText::new(slice).small().color(theme::of(ui).text_weak));
            let delete = ui.small_button("×").on_hover_text(tr!("Delete {name}", name = name));
            if delete.clicked() {
                actions.push(MeasureAction::Delete(index));
            }
            ui.end_row();
        }
    });
}
