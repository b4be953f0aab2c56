//! Why a grade: the probabilities of its classes, what was measured, and the switches of its map. All of it is in sight
//! whatever the size of the window.

use eframe::egui::text::LayoutJob;
use eframe::egui::{
    Align2, Color32, CornerRadius, CursorIcon, FontSelection, Label, Rect, RichText, Role, Sense, Stroke, StrokeKind,
    TextStyle, TextWrapMode, Ui, WidgetInfo, pos2, vec2,
};

use super::action::{Actions, EvidenceAction, ReadAction};
use super::command::UiCommand;
use super::language::{in_force, tr};
use super::state::{Selection, ShownGrade, ViewerState};
use super::{criteria, evidence_panel, theme};
use crate::picture::EvidenceFill;

/// Height of the classes.
const CLASSES_HEIGHT: f32 = 38.0;
/// Between two of them.
const GAP: f32 = 4.0;
/// Height of a bar.
const BAR_HEIGHT: f32 = 6.0;
/// Lines that a reason may take.
const REASON_LINES: usize = 2;
/// Height of the reason and of what is to be doubted.
const REASON_HEIGHT: f32 = 50.0;

/// The classes of a grade side by side, each with its probability as a bar; a click takes one.
pub(super) fn classes_ui(
    ui: &mut Ui,
    state: &ViewerState,
    selection: Selection,
    grade: ShownGrade,
    actions: &mut Actions,
) {
    let grading = selection.grading;
    let size = vec2(ui.available_width(), CLASSES_HEIGHT);
    let (area, _) = ui.allocate_exact_size(size, Sense::hover());
    let width = (area.width() + GAP) / grading.classes() as f32;
    for class in 0..grading.classes() {
        let left = area.left() + width * class as f32;
        let cell = Rect::from_min_max(pos2(left, area.top()), pos2(left + width - GAP, area.bottom()));
        let grades = state.grades_of(selection.level);
        let probability = grades.and_then(|grades| grades.probability(grading, class)).unwrap_or_default();
        let (is_chosen, is_computed) = (grade.class() == class, grade.computed == class);
        let name = criteria::class_name(grading, class);
        let response = ui.interact(cell, ui.scope_id().with(("class", class)), Sense::click());
        let label = format!("{name}: {:.0} %", probability * 100.0);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_chosen, &label));
        let (painter, colors) = (ui.painter(), theme::of(ui));
        let fill = match (is_chosen, response.hovered()) {
            (true, _) => colors.accent_dim,
            (false, true) => colors.button_hovered,
            (false, false) => colors.button,
        };
        painter.rect_filled(cell, 4.0, fill);
        if is_chosen || response.has_focus() {
            let stroke = Stroke::new(if response.has_focus() { 2.0 } else { 1.0 }, colors.accent);
            painter.rect_stroke(cell, 4.0, stroke, StrokeKind::Inside);
        }
        let inner = cell.shrink2(vec2(7.0, 5.0));
        let text = |at, anchor, words: &str, size, color| {
            painter.text(at, anchor, words, theme::image_font(size), color);
        };
        text(inner.left_top(), Align2::LEFT_TOP, name, 13.5, colors.text_strong);
        let percent = format!("{:.0} %", probability * 100.0);
        text(inner.right_top() + vec2(0.0, 2.0), Align2::RIGHT_TOP, &percent, 11.0, colors.text);
        let track = Rect::from_min_max(pos2(inner.left(), inner.bottom() - BAR_HEIGHT), inner.max);
        painter.rect_filled(track, BAR_HEIGHT / 2.0, colors.line);
        let bar = track.with_max_x(track.left() + track.width() * probability.clamp(0.0, 1.0));
        let color = if is_computed { colors.accent } else { colors.text_weak };
        painter.rect_filled(bar, CornerRadius::same(3), color);
        let meaning = criteria::criterion(grading, class);
        let mut hint = format!("{name}: {meaning}");
        if let Some(common) = grades.and_then(|grades| grades.probability_at_prevalence(grading, class)) {
            let percent_of = |probability: f32| format!("{:.0}", probability * 100.0);
            let both = tr!(
                "{balanced} % where all classes are equally common; {common} % where they are as common as among the discs \
                 that the grades were measured on.",
                balanced = percent_of(probability),
                common = percent_of(common)
            );
            hint = format!("{hint}\n{both}");
        }
        if response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(hint).clicked() {
            actions.push(ReadAction::SetGrade { selection, class: Some(class) });
        }
    }
}

/// What was measured that the grade can be held against, and why to doubt it; of one height always.
pub(super) fn reason_ui(ui: &mut Ui, state: &ViewerState, selection: Selection) {
    let size = vec2(ui.available_width(), REASON_HEIGHT);
    ui.allocate_ui(size, |ui| {
        ui.set_min_size(size);
        ui.spacing_mut().item_spacing.y = 1.0;
        let colors = theme::of(ui);
        if let Some(found) = state.reading.summary.disc(selection.level) {
            let reason = found.reason(selection.grading, in_force());
            line_ui(ui, &reason, REASON_LINES, colors.text_strong);
        }
        if let Some((doubt, color)) = doubt(ui, state, selection) {
            line_ui(ui, &doubt, 1, color);
        }
    });
}

/// A text of at most so many lines; all of it under the pointer.
fn line_ui(ui: &mut Ui, text: &str, lines: usize, color: Color32) {
    let mut job = LayoutJob::default();
    let rich = RichText::new(text).size(12.0).color(color);
    rich.append_to(&mut job, ui.style(), FontSelection::Default, eframe::egui::Align::Min);
    job.wrap.max_rows = lines;
    ui.add(Label::new(job).wrap_mode(TextWrapMode::Wrap)).on_hover_text(text);
}

/// The gravest reason to doubt a grade or its map.
fn doubt(ui: &Ui, state: &ViewerState, Selection { level, grading }: Selection) -> Option<(String, Color32)> {
    let colors = theme::of(ui);
    if let Some(error) = state.evidence.main.request.error() {
        return Some((error.chain(), colors.error));
    }
    let found = state.reading.summary.disc(level);
    let conflict = found.and_then(|found| found.conflicts.iter().find(|conflict| conflict.finding.grading == grading));
    if let Some(conflict) = conflict {
        return Some((
            tr!("Grade and measurement disagree: {conflict}.", conflict = conflict.text(in_force())),
            colors.warning,
        ));
    }
    if let Some(reason) = state.experimental.get(grading) {
        return Some((tr!("Experimental: {reason}", reason = reason), colors.warning));
    }
    state.is_unfamiliar(level).then(|| (super::grade_table::unfamiliar_text().to_owned(), colors.warning))
}

/// Whether and how the map is shown, and how far it has come.
pub(super) fn switches_ui(ui: &mut Ui, state: &ViewerState, selection: Selection, actions: &mut Actions) {
    let evidence = &state.evidence;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let mut shown = evidence.shown;
        let progress = evidence_panel::progress_text(state, selection);
        let hint = tr!("E; hold H to hide it for a moment");
        if ui.checkbox(&mut shown, tr!("Evidence")).on_hover_text(format!("{hint}\n{progress}")).changed() {
            actions.push(EvidenceAction::Toggle);
        }
        let hint = tr!("Shown filled or as its contour ({keys})", keys = UiCommand::ToggleContour.keys_text(ui.ctx()));
        for (fill, name) in [
            (EvidenceFill::Even, tr!("filled")),
            (EvidenceFill::Graded, tr!("graded")),
            (EvidenceFill::Contour, tr!("contour")),
        ] {
            if ui.selectable_label(evidence.fill == fill, name).on_hover_text(&hint).clicked() {
                actions.push(EvidenceAction::SetFill(fill));
            }
        }
        // Where it has no room it stands under the pointer only: half of a word says nothing.
        let (font, color) = (TextStyle::Small.resolve(ui.style()), theme::of(ui).text_weak);
        let galley = ui.painter().layout_no_wrap(progress, font, color);
        if galley.size().x <= ui.available_width() {
            ui.label(galley);
        }
    });
}
