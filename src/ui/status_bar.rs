//! The strip along the bottom: running job, pixel under the pointer, device, and the warning that is always there.

use eframe::egui::{Align, Label, Layout, Panel, ProgressBar, RichText, Ui};

use super::action::{Actions, ProgramAction};
use super::language::{in_force, tr};
use super::state::ViewerState;
use super::theme;

/// The strip along the bottom.
pub(crate) fn status_bar_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    Panel::bottom("status_bar").resizable(false).exact_size(28.0).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            job_ui(ui, state, actions);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(RichText::new(tr!("Research use only. Not a medical device.")).color(theme::of(ui).warning));
                if !state.device.is_empty() {
                    ui.separator();
                    ui.label(RichText::new(&state.device).color(theme::of(ui).text_weak));
                }
                if let Some(probe) = &state.view.probe {
                    ui.separator();
                    let (x, y) = (probe.image.x.round(), probe.image.y.round());
                    let value = format!("{:.0}", probe.value);
                    let text = tr!("x {x}  y {y}  value {value}", x = x, y = y, value = value);
                    ui.add(Label::new(RichText::new(text).monospace().color(theme::of(ui).text_weak)).truncate());
                }
            });
        });
    });
}

fn job_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let Some(job) = &state.job else {
        ui.label(RichText::new(tr!("Ready")).color(theme::of(ui).text_weak));
        return;
    };
    let progress = job.progress;
    ui.label(in_force().text_in("step", progress.step));
    if progress.total > 0 {
        let share = progress.done as f32 / progress.total as f32;
        let text = RichText::new(tr!("{done} of {total}", done = progress.done, total = progress.total)).small();
        ui.add(ProgressBar::new(share).desired_width(130.0).desired_height(14.0).text(text));
    }
    if ui.small_button(tr!("Cancel")).on_hover_text(tr!("Stop this job; what is done so far stays")).clicked() {
        actions.push(ProgramAction::CancelJob);
    }
}
