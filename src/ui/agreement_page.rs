//! Blind readings: what is asked of them, and the page that says how they agree.

use eframe::egui::{Align2, Button, ComboBox, Grid, RichText, Role, Ui, WidgetInfo, Window, vec2};

use super::action::{Actions, ProgramAction};
use super::command::UiCommand;
use super::criteria;
use super::language::{in_force, tr};
use super::state::{Page, ViewerState};
use super::theme;
use crate::measuring::{COMPUTED, Comparison, GradingAgreement};
use crate::spine::Grading;

/// What is asked of blind readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlindAction {
    /// The selected grade in a reader's counting; the next that is missing follows.
    Grade(u8),
    /// Select the next grade that is missing.
    NextMissing,
    /// End the reading: the computed grades are shown, and the reader's stay as they are.
    Finish,
    /// Take the reader's blind grades into the report.
    Adopt,
    /// Show the comparison at this place of the list.
    Compare(usize),
    /// Show the counts of a grading.
    ShowCounts(Grading),
}

/// Floating page; opened when a reading is finished, or by its command.
pub fn agreement_page_ui(ui: &Ui, state: &ViewerState, actions: &mut Actions) {
    if state.page != Some(Page::Agreement) {
        return;
    }
    let mut open = true;
    let window = Window::new(tr!("Agreement of blind readings")).open(&mut open).collapsible(false).resizable(false);
    window.anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
        ui.set_width(600.0_f32.min(ui.ctx().content_rect().width() - 60.0));
        let Some(agreement) = state.agreement.measured.ready() else {
            ui.label(tr!("Measuring…"));
            return;
        };
        if agreement.unreadable_files > 0 {
            let text = tr!("Files of readings that could not be read: {count}.", count = agreement.unreadable_files);
            ui.label(RichText::new(text).color(theme::of(ui).warning));
        }
        match agreement.comparisons.get(state.agreement.comparison) {
            Some(comparison) => comparison_ui(ui, state, comparison, &agreement.comparisons, actions),
            None if agreement.reader.trim().is_empty() => drop(ui.label(tr!(
                "No blind reading is finished yet. Enter your name beside Reader, read blind, then finish."
            ))),
            None => drop(ui.label(tr!(
                "No blind reading of {reader} is finished yet. Read blind: grade what you see, then finish.",
                reader = &agreement.reader
            ))),
        }
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            let save = Button::new(UiCommand::SaveAgreement.label());
            let has_some = !agreement.comparisons.is_empty();
            let hint = tr!("Measures as JSON and CSV, and every single grade as CSV");
            if ui.add_enabled(has_some, save).on_hover_text(hint).clicked() {
                actions.push(UiCommand::SaveAgreement.action());
            }
            let is_finished = state.own_reading().is_some_and(|reading| reading.finished.is_some());
            let adopt = ui.add_enabled(is_finished, Button::new(tr!("Use my grades in the report")));
            let hint = tr!("Your blind grades of this series take the place of the computed ones");
            if adopt.on_hover_text(hint).clicked() {
                actions.push(BlindAction::Adopt);
            }
        });
    });
    if !open {
        actions.push(ProgramAction::TogglePage(Page::Agreement));
    }
}

/// Name of a rater on the screen.
fn rater(name: &str) -> &str {
    if name == COMPUTED { tr!("computed") } else { name }
}

fn title(comparison: &Comparison) -> String {
    let [one, other] = comparison.raters.each_ref().map(|name| rater(name));
    tr!("{one} and {other}", one = one, other = other)
}

fn comparison_ui(ui: &mut Ui, state: &ViewerState, comparison: &Comparison, all: &[Comparison], actions: &mut Actions) {
    ui.horizontal(|ui| {
        let label = ui.label(tr!("Raters"));
        let combo = ComboBox::from_id_salt("raters").selected_text(title(comparison)).width(260.0);
        let response = combo.show_ui(ui, |ui| {
            for (index, other) in all.iter().enumerate() {
                if ui.selectable_label(index == state.agreement.comparison, title(other)).clicked() {
                    actions.push(BlindAction::Compare(index));
                }
            }
        });
        response.response.labelled_by(label.id);
        let series = tr!(count = comparison.series; one "{count} series", other "{count} series");
        ui.label(RichText::new(series).color(theme::of(ui).text_weak));
    });
    ui.add_space(4.0);
    let shown = state.agreement.grading.and_then(|grading| of(comparison, grading));
    let shown = shown.or(comparison.gradings.first());
    Grid::new("agreement").num_columns(5).striped(true).spacing(vec2(18.0, 4.0)).show(ui, |ui| {
        for name in [tr!("Grading"), tr!("Discs"), tr!("Equal"), tr!("Kappa (95 %)"), tr!("Weighted kappa (95 %)")] {
            ui.label(RichText::new(name).strong());
        }
        ui.end_row();
        for row in &comparison.gradings {
            let name = criteria::name(row.grading);
            let is_shown = shown.is_some_and(|shown| shown.grading == row.grading);
            if ui.selectable_label(is_shown, name).on_hover_text(tr!("Show its counts")).clicked() {
                actions.push(BlindAction::ShowCounts(row.grading));
            }
            ui.label(row.discs.to_string());
            ui.label(row.exact.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0)));
            ui.label(kappa_text(row.kappa, row.kappa_interval));
            let is_ordered = !row.grading.is_presence();
            let weighted = kappa_text(row.kappa_quadratic, row.kappa_quadratic_interval);
            ui.label(if is_ordered { weighted } else { String::new() });
            ui.end_row();
        }
    });
    let notes = tr!(
        "Weights are quadratic. A dash: both raters gave one and the same class, so chance alone agrees. Intervals need two studies."
    );
    ui.label(RichText::new(notes).small().color(theme::of(ui).text_weak));
    if let Some(row) = shown {
        ui.add_space(4.0);
        counts_ui(ui, comparison, row);
    }
}

fn of(comparison: &Comparison, grading: Grading) -> Option<&GradingAgreement> {
    comparison.gradings.iter().find(|row| row.grading == grading)
}

fn kappa_text(kappa: Option<f64>, interval: Option<[f64; 2]>) -> String {
    match (kappa, interval) {
        (None, _) => "–".to_owned(),
        (Some(kappa), None) => in_force().decimal(kappa, 2),
        (Some(kappa), Some([low, high])) => {
            let [kappa, low, high] = [kappa, low, high].map(|value| in_force().decimal(value, 2));
            format!("{kappa} ({low}–{high})")
        }
    }
}

/// How often each class of one rater met each of the other.
fn counts_ui(ui: &mut Ui, comparison: &Comparison, row: &GradingAgreement) {
    let [one, other] = comparison.raters.each_ref().map(|name| rater(name));
    let grading = row.grading;
    let text =
        tr!("{grading}: rows {one}, columns {other}", grading = criteria::name(grading), one = one, other = other);
    ui.label(RichText::new(text).strong());
    let colors = theme::of(ui);
    Grid::new("counts").spacing(vec2(14.0, 3.0)).show(ui, |ui| {
        ui.label("");
        for class in 0..grading.classes() {
            ui.label(RichText::new(criteria::class_name(grading, class)).color(colors.text_weak));
        }
        ui.end_row();
        for (class, counts) in row.confusion.iter().enumerate() {
            ui.label(RichText::new(criteria::class_name(grading, class)).color(colors.text_weak));
            for (column, count) in counts.iter().enumerate() {
                let text = RichText::new(if *count == 0 { "·".to_owned() } else { count.to_string() });
                let response = ui.label(match (column == class, *count) {
                    (_, 0) => text.color(colors.text_weak),
                    (true, _) => text.strong().color(colors.good),
                    (false, _) => text.strong().color(colors.warning),
                });
                let [row, column] = [class, column].map(|class| criteria::class_name(grading, class));
                let name = tr!("{row} and {column}: {count}", row = row, column = column, count = count);
                response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &name));
            }
            ui.end_row();
        }
    });
}
