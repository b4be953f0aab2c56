//! The guided first minute: a few sentences, one after the other, each with something to do.

use eframe::egui::{Align2, Area, Button, Frame, Id, Label, Margin, Order, RichText, Ui, vec2};

use super::action::{Actions, ProgramAction};
use super::command::UiCommand;
use super::language::tr;
use super::state::{Page, Selection, ViewerState};
use super::theme;
use crate::spine::Grading;

/// Something to see or to do.
struct Step {
    text: String,
    /// Whether the reader has done it.
    is_done: bool,
}

/// What is said, in this order; keys are those of the reader.
fn steps(ui: &Ui, state: &ViewerState) -> Vec<Step> {
    let keys = |command: UiCommand| command.keys_text(ui.ctx());
    let is_edited = !state.reading.findings.review.discs.is_empty();
    let selected = state.reading.selection;
    let is_other = |selection: Selection| selection.grading != Grading::Pfirrmann;
    let table = tr!(
        "Every row of the table on the right is a disc, every column a grading, with its probability below. Click any \
         grade: the image shows where its evidence lies."
    );
    let image = tr!(
        "The wheel goes through the slices, Ctrl and the wheel zoom. {keys} shows and hides the evidence; try it.",
        keys = keys(UiCommand::ToggleEvidence)
    );
    let words = tr!(
        "Below the table the study stands in words. A sign ≠ marks a grade that disagrees with what was measured; hold \
         the pointer over a grade to read its scale."
    );
    let changes = tr!(
        "You disagree? Choose another class at the bottom right, or press {worse} and {milder}; write a comment below it. \
         Every change is on disk at once, and {undo} takes it back.",
        worse = keys(UiCommand::GradeWorse),
        milder = keys(UiCommand::GradeMilder),
        undo = keys(UiCommand::Undo)
    );
    let report = tr!(
        "{report} opens the report: write the impression, then save or sign it. {palette} finds every command by its name.",
        report = keys(UiCommand::EditReport),
        palette = keys(UiCommand::Palette)
    );
    let is_at_report = state.page == Some(Page::Report) || state.palette.is_some();
    let step = |text: String, is_done: bool| Step { text, is_done };
    vec![
        step(table.to_owned(), selected.is_some_and(is_other)),
        step(image, !state.evidence.shown),
        step(words.to_owned(), false),
        step(changes, is_edited),
        step(report, is_at_report),
    ]
}

/// The sentence that the reader is at, over the lower left of the image, so that nothing is hidden that it speaks of.
pub(super) fn tour_ui(ui: &Ui, state: &ViewerState, actions: &mut Actions) {
    let Some(at) = state.tour.filter(|_| state.loaded().is_some()) else { return };
    let steps = steps(ui, state);
    let Some(step) = steps.get(at) else { return };
    let colors = theme::of(ui);
    let anchor = state.view.viewport.map_or(vec2(210.0, -40.0), |view| {
        vec2(view.left() + 12.0, view.bottom() - ui.ctx().content_rect().bottom() - 40.0)
    });
    Area::new(Id::unique("tour")).order(Order::Foreground).anchor(Align2::LEFT_BOTTOM, anchor).show(ui.ctx(), |ui| {
        let frame = Frame::new().fill(colors.raised).stroke((1.5, colors.accent)).corner_radius(6.0);
        frame.inner_margin(Margin::same(10)).show(ui, |ui| {
            ui.set_width(360.0);
            let title = tr!("First minute, {step} of {count}", step = at + 1, count = steps.len());
            ui.label(RichText::new(title).strong().color(colors.accent));
            ui.add(Label::new(&step.text).wrap());
            if step.is_done {
                ui.label(RichText::new(tr!("Done. Go on when you like.")).color(colors.good));
            }
            ui.horizontal(|ui| {
                let last = at + 1 == steps.len();
                if ui.add_enabled(at > 0, Button::new(tr!("Back"))).clicked() {
                    actions.push(ProgramAction::Tour(Some(at - 1)));
                }
                if ui.button(if last { tr!("End") } else { tr!("Next") }).clicked() {
                    actions.push(ProgramAction::Tour((!last).then_some(at + 1)));
                }
                if !last && ui.button(tr!("Skip the rest")).clicked() {
                    actions.push(ProgramAction::Tour(None));
                }
            });
        });
    });
}
