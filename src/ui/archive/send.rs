//! Storing the results of the open study.

use eframe::egui::{Label, RichText, Ui};

use super::{ArchiveAction, connection_ui, main_button};
use crate::ui::state::ViewerState;
use crate::ui::theme;

/// The page.
pub(super) fn send_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Vec<ArchiveAction>) {
    connection_ui(ui, &state.archive, actions);
    ui.separator();
    let colors = theme::of(ui);
    if state.discs.is_empty() {
        ui.label(
            RichText::new("There are no results yet: no disc was found in the series shown.").color(colors.warning),
        );
    } else {
        ui.label("These objects are added to the patient's study; the images stay as they are:");
        let mut parts = vec![
            "structured report with grades, probabilities, boxes and measurements".to_owned(),
            "segmentation of discs and vertebral bodies".to_owned(),
            "overview picture".to_owned(),
        ];
        let review = &state.findings.review;
        let map = state.evidence.main.request.ready();
        if !review.measurements.is_empty() || !state.findings.boxes.is_empty() || map.is_some() {
            parts.push("presentation state with boxes and measurements".to_owned());
        }
        if let Some(map) = map {
            parts.push(format!("evidence map and hotspots of {}, {}", map.level, map.grading.name()));
        }
        for part in parts {
            ui.label(format!("   •  {part}"));
        }
        ui.add_space(6.0);
        let (text, color) = match &review.sign_off {
            Some(sign_off) => (format!("Signed by {}: the report is sent as verified.", sign_off.reader), colors.good),
            None => ("Not signed off: the report is sent as preliminary and unverified.".to_owned(), colors.warning),
        };
        ui.add(Label::new(RichText::new(text).color(color)).wrap());
        if !state.is_graded() {
            ui.label(RichText::new("Grading is not finished.").color(colors.warning));
        }
    }
    ui.add_space(6.0);
    let can_send = !state.discs.is_empty() && state.archive.connection().is_some() && state.archive.progress.is_none();
    ui.horizontal(|ui| {
        if main_button(ui, "Send", can_send) {
            actions.push(ArchiveAction::Send);
        }
    });
}
