//! Storing the results of the open study.

use eframe::egui::{Label, RichText, Ui};

use super::{ArchiveAction, connection_ui, main_button};
use crate::ui::language::tr;
use crate::ui::state::ViewerState;
use crate::ui::{criteria, theme};

/// The page.
pub(super) fn send_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Vec<ArchiveAction>) {
    connection_ui(ui, &state.archive, actions);
    ui.separator();
    let colors = theme::of(ui);
    if state.reading.discs.is_empty() {
        ui.label(
            RichText::new(tr!("There are no results yet: no disc was found in the series shown."))
                .color(colors.warning),
        );
    } else {
        ui.label(tr!("These objects are added to the patient's study; the images stay as they are:"));
        let mut parts = vec![
            tr!("structured report with grades, probabilities, boxes and measurements").to_owned(),
            tr!("segmentation of discs and vertebral bodies").to_owned(),
            tr!("overview picture").to_owned(),
        ];
        let review = &state.reading.findings.review;
        let map = state.evidence.main.request.ready();
        if !review.measurements.is_empty() || !state.reading.findings.boxes.is_empty() || map.is_some() {
            parts.push(tr!("presentation state with boxes and measurements").to_owned());
        }
        if let Some(map) = map {
            let grading = criteria::name(map.grading);
            parts.push(tr!("evidence map and hotspots of {level}, {grading}", level = map.level, grading = grading));
        }
        for part in parts {
            ui.label(format!("   •  {part}"));
        }
        ui.add_space(6.0);
        let (text, color) = match &review.sign_off {
            Some(sign_off) => {
                (tr!("Signed by {reader}: the report is sent as verified.", reader = sign_off.reader), colors.good)
            }
            None => {
                (tr!("Not signed off: the report is sent as preliminary and unverified.").to_owned(), colors.warning)
            }
        };
        ui.add(Label::new(RichText::new(text).color(color)).wrap());
        if !state.is_graded() {
            ui.label(RichText::new(tr!("Grading is not finished.")).color(colors.warning));
        }
    }
    ui.add_space(6.0);
    let can_send =
        !state.reading.discs.is_empty() && state.archive.connection().is_some() && state.archive.progress.is_none();
    ui.horizontal(|ui| {
        if main_button(ui, tr!("Send"), can_send) {
            actions.push(ArchiveAction::Send);
        }
    });
}
