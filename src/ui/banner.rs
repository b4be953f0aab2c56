//! Messages over the window. They float: what lies below them stays where it is.

use eframe::egui::{Align, Area, Frame, Id, Label, Layout, Margin, Order, Rect, RichText, Ui, pos2, vec2};

use super::action::{Actions, ProgramAction};
use super::language::tr;
use super::state::{BannerKind, ViewerState};
use super::theme;

/// Widest and narrowest strip.
const WIDTHS: [f32; 2] = [300.0, 640.0];

/// One strip a message at the top of the image, or of the window without one, each with a button that takes it away.
pub(crate) fn banners_ui(ui: &Ui, state: &ViewerState, actions: &mut Actions) {
    if state.banners.is_empty() {
        return;
    }
    let colors = theme::of(ui);
    let window = ui.ctx().content_rect();
    let below_bars = Rect::from_min_max(pos2(window.left(), window.top() + 60.0), window.max);
    let over = state.view.viewport.filter(|_| state.loaded().is_some()).unwrap_or(below_bars);
    let width = (over.width() - 24.0).clamp(WIDTHS[0], WIDTHS[1]);
    let at = pos2(over.center().x - width / 2.0, over.top() + 8.0);
    Area::new(Id::unique("banners")).order(Order::Foreground).fixed_pos(at).show(ui.ctx(), |ui| {
        ui.set_width(width);
        for (index, banner) in state.banners.iter().enumerate() {
            let (fill, text) = match banner.kind {
                BannerKind::Done => (colors.good_fill, colors.good),
                BannerKind::Warning => (colors.warning_fill, colors.warning),
                BannerKind::Error => (colors.error_fill, colors.error),
            };
            let frame = Frame::new().fill(fill).corner_radius(5.0).inner_margin(Margin::symmetric(10, 6));
            frame.show(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.allocate_ui(vec2(ui.available_width() - 74.0, 20.0), |ui| {
                        ui.add(Label::new(RichText::new(&banner.text).color(text)).wrap());
                    });
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        if ui.small_button(tr!("Dismiss")).clicked() {
                            actions.push(ProgramAction::DismissBanner(index));
                        }
                    });
                });
            });
        }
    });
}
