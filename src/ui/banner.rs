//! Messages at the top of the window.

use eframe::egui::{self, Frame, Label, Margin, Panel, RichText, Ui};

use super::action::{Actions, ProgramAction};
use super::language::tr;
use super::state::{BannerKind, ViewerState};
use super::theme;

/// One strip a message, each with a button that takes it away.
pub fn banners_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let colors = theme::of(ui);
    for (index, banner) in state.banners.iter().enumerate() {
        let (fill, text) = match banner.kind {
            BannerKind::Done => (colors.good_fill, colors.good),
            BannerKind::Warning => (colors.warning_fill, colors.warning),
            BannerKind::Error => (colors.error_fill, colors.error),
        };
        let frame = Frame::new().fill(fill).inner_margin(Margin::symmetric(10, 5));
        Panel::top(("banner", index)).resizable(false).frame(frame).show(ui, |ui| {
            ui.horizontal(|ui| {
                let width = ui.available_width() - 80.0;
                ui.allocate_ui(egui::vec2(width, 20.0), |ui| {
                    ui.add(Label::new(RichText::new(&banner.text).color(text)).wrap());
                });
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if ui.small_button(tr!("Dismiss")).clicked() {
                        actions.push(ProgramAction::DismissBanner(index));
                    }
                });
            });
        });
    }
}
