//! The reader's boxes of the selected grading and how well the predicted ones agree.

use eframe::egui::{Button, Grid, RichText, Ui, vec2};

use super::action::{Actions, BoxAction, ReadAction, ViewAction};
use super::command::UiCommand;
use super::language::{in_force, tr};
use super::percentile_curve::percentile_curve_ui;
use super::state::{Tool, ViewerState};
use super::{criteria, theme};

/// List under the evidence controls.
pub(crate) fn boxes_panel_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let Some(selection) = state.reading.selection else { return };
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Boxes")).strong());
        let drawing = state.view.tool == Tool::Box;
        let hint = tr!("Drag on the image to box the finding ({keys})", keys = UiCommand::BoxTool.keys_text(ui.ctx()));
        if ui.add(Button::selectable(drawing, tr!("Draw"))).on_hover_text(hint).clicked() {
            actions.push(ViewAction::ChooseTool(if drawing { Tool::Window } else { Tool::Box }));
        }
        for (command, name, is_possible) in [
            (UiCommand::SaveBoxes, tr!("Save…"), !state.reading.findings.boxes.is_empty()),
            (UiCommand::LoadBoxes, tr!("Load…"), true),
        ] {
            if ui.add_enabled(is_possible, Button::new(name).small()).on_hover_text(command.hint(ui.ctx())).clicked() {
                actions.push(command.action());
            }
        }
        if state.reading.selected_box.is_some() && ui.small_button(tr!("Delete")).clicked() {
            actions.push(ReadAction::DeleteSelected);
        }
    });
    let boxes: Vec<_> = state.selected_boxes().collect();
    if boxes.is_empty() {
        let (level, grading) = (selection.level, criteria::name(selection.grading));
        let text = tr!("No box drawn yet for {level}, {grading}.", level = level, grading = grading);
        ui.label(RichText::new(text).color(theme::of(ui).text_weak));
        return;
    }
    ui.label(RichText::new(overlap_text(tr!("Overlap (IoU) over all slices"), state.volume_iou())));
    let curve = state.iou_by_percentile();
    if let Some(now) = state.volume_iou().filter(|_| !curve.is_empty()) {
        ui.label(RichText::new(tr!("By percentile; a click takes one:")).small().color(theme::of(ui).text_weak));
        percentile_curve_ui(ui, &curve, (state.evidence_way().percentile, now), actions);
    }
    Grid::new("boxes").num_columns(3).striped(true).spacing(vec2(16.0, 3.0)).show(ui, |ui| {
        for (index, slice_box) in boxes {
            let selected = state.reading.selected_box == Some(index);
            if ui.selectable_label(selected, tr!("Slice {slice}", slice = slice_box.slice + 1)).clicked() {
                actions.push(ViewAction::ShowSlice(slice_box.slice));
                actions.push(BoxAction::Select(Some(index)));
            }
            let rect = slice_box.rect;
            ui.label(
                RichText::new(format!("{:.0} × {:.0} px", rect.width, rect.height)).color(theme::of(ui).text_weak),
            );
            ui.label(overlap_text(tr!("IoU"), state.slice_iou(slice_box.slice)));
            ui.end_row();
        }
    });
}

/// An overlap in words; a dash where there is no evidence map to compare with.
#[must_use]
pub(crate) fn overlap_text(name: &str, overlap: Option<f64>) -> String {
    overlap.map_or_else(|| format!("{name} –"), |overlap| format!("{name} {}", in_force().decimal(overlap, 2)))
}
