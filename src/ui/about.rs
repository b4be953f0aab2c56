//! What this program is: version, weights, device, where the reader's work is kept, and whose it is.

use std::iter;

use eframe::egui::{Align, Align2, Label, Layout, RichText, Ui, Window, vec2};

use super::action::{Actions, ProgramAction};
use super::language::tr;
use super::state::{Page, ViewerState};
use super::theme;
use crate::records::{Software, WeightsUsed};

/// Width of the names of the rows, points.
const NAMES: f32 = 88.0;

/// Floating page, opened from the menu or the palette.
pub(super) fn about_ui(ui: &Ui, state: &ViewerState, actions: &mut Actions) {
    if state.page != Some(Page::About) {
        return;
    }
    let mut open = true;
    let window = Window::new(tr!("About this program")).open(&mut open).collapsible(false).resizable(false);
    window.anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
        ui.set_width(560.0_f32.min(ui.ctx().content_rect().width() - 60.0));
        ui.label(RichText::new(tr!("Research use only. Not a medical device.")).color(theme::of(ui).warning));
        ui.add_space(4.0);
        let rows = rows(state);
        for (name, value) in &rows {
            ui.horizontal_top(|ui| {
                ui.allocate_ui_with_layout(vec2(NAMES, 18.0), Layout::left_to_right(Align::Min), |ui| {
                    ui.set_min_width(NAMES);
                    ui.add(Label::new(RichText::new(*name).color(theme::of(ui).text_weak)).truncate());
                });
                ui.add(Label::new(value).wrap().selectable(true));
            });
        }
        if state.weights.is_empty() {
            let text = tr!("Weights are loaded, checked and named here with the first study.");
            ui.label(RichText::new(text).color(theme::of(ui).text_weak));
        }
        ui.add_space(6.0);
        if ui.button(tr!("Copy")).on_hover_text(tr!("For a report of a problem")).clicked() {
            let lines = rows.iter().map(|(name, value)| format!("{name}: {value}"));
            actions.push(ProgramAction::Copy(lines.collect::<Vec<_>>().join("\n")));
        }
    });
    if !open {
        actions.push(ProgramAction::TogglePage(Page::About));
    }
}

fn rows(state: &ViewerState) -> Vec<(&'static str, String)> {
    let Software { name, version, .. } = Software::this();
    let device = if state.device.is_empty() { tr!("chosen with the first study") } else { state.device.as_str() };
    let weights = state.weights.iter().map(|used| {
        let WeightsUsed { name, version, sha256 } = used;
        let text = tr!("{name} {version}, SHA-256 {sha256}", name = name, version = version, sha256 = sha256);
        (tr!("Weights"), text)
    });
    let folder = state.data_folder.as_ref();
    let folder = folder.map(|folder| (tr!("Your work"), folder.display().to_string()));
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    iter::once((tr!("Program"), format!("{name} {version}")))
        .chain([(tr!("System"), system), (tr!("Device"), device.to_owned())])
        .chain(weights)
        .chain(folder)
        .chain([(tr!("Licence"), env!("CARGO_PKG_LICENSE").to_owned())])
        .collect()
}
