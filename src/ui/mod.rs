//! The panels and widgets of the window.
//!
//! Every panel is a function `…_ui(ui, &state, &mut actions)`: it reads the state, draws, and notes what the user asked
//! for. Nothing here changes the state or talks to the worker; the app applies the actions after the frame.

pub mod action;
pub mod agreement_page;
pub mod archive;
pub mod camera;
pub mod command;
pub mod companion;
pub(crate) mod evidence_state;
pub(crate) mod keymap;
pub mod language;
pub mod path;
pub mod state;
pub mod theme;
pub(crate) mod view;

mod about;
mod banner;
mod boxes_panel;
mod criteria;
mod disc_view;
mod evidence_panel;
mod gesture;
mod grade_table;
mod help;
mod measurements_panel;
mod pace;
mod palette;
mod percentile_curve;
mod plane_view;
mod prior_panel;
mod report_page;
mod review_panel;
mod series_panel;
mod slice_view;
mod status_bar;
mod top_bar;
mod tour;
mod welcome;
mod why_panel;

use eframe::egui::{self, CentralPanel, Frame, Margin, Panel, ScrollArea};

use action::Actions;
use language::tr;
use state::{SidePanel, Tool, ViewLayout, ViewerState};

/// Prepares a context for this window: its looks, and how events become frames.
pub fn install(ctx: &egui::Context) {
    theme::install(ctx);
    ctx.add_plugin(pace::Pace::default());
}

/// Draws the whole window.
pub(crate) fn viewer_ui(ui: &mut egui::Ui, state: &ViewerState, actions: &mut Actions) {
    command::take_shortcuts(ui.ctx(), state, actions);
    top_bar::top_bar_ui(ui, state, actions);
    status_bar::status_bar_ui(ui, state, actions);
    if matches!(state.study.folder, crate::worker::Loadable::Idle) {
        CentralPanel::default().show(ui, |ui| welcome::welcome_ui(ui, state, actions));
    } else {
        study_ui(ui, state, actions);
    }
    help::help_ui(ui, state, actions);
    report_page::report_page_ui(ui, state, actions);
    agreement_page::agreement_page_ui(ui, state, actions);
    about::about_ui(ui, state, actions);
    tour::tour_ui(ui, state, actions);
    palette::palette_ui(ui, state, actions);
    path::path_entry_ui(ui, state, actions);
    archive::archive_ui(ui, state, actions);
    banner::banners_ui(ui, state, actions);
    drop_hint_ui(ui);
}

/// While a folder is held over the window: what dropping it does.
fn drop_hint_ui(ui: &egui::Ui) {
    if ui.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint"));
    let painter = ui.ctx().layer_painter(layer);
    let area = ui.ctx().content_rect();
    painter.rect_filled(area, 0.0, theme::text_shadow());
    let font = theme::image_font(22.0);
    painter.text(area.center(), egui::Align2::CENTER_CENTER, tr!("Drop to open this study"), font, theme::TEXT_STRONG);
}

fn study_ui(ui: &mut egui::Ui, state: &ViewerState, actions: &mut Actions) {
    let frame = Frame::new().fill(theme::of(ui).panel).inner_margin(Margin::same(8));
    let width = ui.ctx().content_rect().width();
    if SidePanel::Series.is_shown(&state.panels, width) {
        Panel::left("series").default_size(190.0).size_range(140.0..=320.0).frame(frame).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| series_panel::series_panel_ui(ui, state, actions));
        });
    }
    if SidePanel::Findings.is_shown(&state.panels, width) {
        // The table of grades needs the first; a wide screen has room for the second.
        let findings_width = (width * 0.32).clamp(360.0, 460.0);
        Panel::right("findings").default_size(findings_width).size_range(360.0..=620.0).frame(frame).show(ui, |ui| {
            if state.loaded().is_some() {
                // The editor stands still whatever lines appear above it, so that a click meets what it was meant for.
                Panel::bottom("sign_off").resizable(false).show(ui, |ui| review_panel::sign_off_ui(ui, state, actions));
                Panel::bottom("verdict").resizable(false).show(ui, |ui| review_panel::verdict_ui(ui, state, actions));
            }
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                grade_table::grade_table_ui(ui, state, actions);
                prior_panel::prior_panel_ui(ui, state, actions);
                ui.add_space(4.0);
                evidence_panel::evidence_panel_ui(ui, state, actions);
                // What is being drawn stands above what is only read.
                let draws = state.view.tool == Tool::Box;
                if draws {
                    boxes_panel::boxes_panel_ui(ui, state, actions);
                }
                ui.add_space(6.0);
                measurements_panel::measurements_panel_ui(ui, state, actions);
                ui.scope(|ui| review_panel::findings_ui(ui, state, actions));
                if !draws {
                    ui.add_space(8.0);
                    boxes_panel::boxes_panel_ui(ui, state, actions);
                }
            });
        });
    }
    let image = Frame::new().fill(theme::IMAGE_BACKGROUND);
    let middle = ui.available_size();
    match state.view.layout {
        ViewLayout::Single => {}
        ViewLayout::Planes => {
            let panel = Panel::right("planes").default_size(middle.x * 0.36).frame(image);
            panel.show(ui, |ui| plane_view::planes_ui(ui, state, actions));
        }
        ViewLayout::Compare => {
            let panel = Panel::right("beside").default_size(middle.x * 0.5).frame(image);
            panel.show(ui, |ui| slice_view::beside_view_ui(ui, state, actions));
        }
        ViewLayout::Companion => {
            let panel = Panel::right("companion").default_size(middle.x * 0.5).frame(image);
            panel.show(ui, |ui| slice_view::companion_view_ui(ui, state, actions));
        }
        ViewLayout::Disc => {
            let panel = Panel::bottom("disc").default_size(middle.y * 0.46).resizable(true).frame(image);
            panel.show(ui, |ui| disc_view::disc_view_ui(ui, state, actions));
        }
    }
    CentralPanel::no_frame().frame(image).show(ui, |ui| slice_view::slice_view_ui(ui, state, actions));
}
