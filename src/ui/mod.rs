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
pub mod key_images_panel;
pub(crate) mod keymap;
pub mod language;
pub mod path;
pub mod state;
pub mod theme;
pub(crate) mod view;

mod about;
mod banner;
mod blind_state;
mod boxes_panel;
mod criteria;
mod disc_view;
mod evidence_panel;
mod gesture;
mod grade_cell;
mod grade_table;
mod help;
mod measurements_panel;
mod overlap;
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
mod views;
mod welcome;
mod why_panel;
pub(crate) mod window_menu;

use std::ops::RangeInclusive;

use eframe::egui::{self, CentralPanel, Frame, Margin, Panel, PanelState, ScrollArea, Ui};

use action::{Actions, ProgramAction};
use language::tr;
use state::{SidePanel, Tool, ViewerState};

/// A button that is held longer was not clicked; by egui's own 0.8 s clicks get lost where a frame takes that long.
const LONGEST_CLICK_SECS: f64 = 2.5;

/// Prepares a context for this window: its looks, and how events become frames.
pub fn install(ctx: &egui::Context) {
    theme::install(ctx);
    // The button of a click may be let go a slow frame later. A touch that lasts longer is a right click.
    ctx.options_mut(|options| options.input_options.max_click_duration = LONGEST_CLICK_SECS);
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

fn study_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let width = ui.ctx().content_rect().width();
    if SidePanel::Series.is_shown(&state.panels, width) {
        side_panel_ui(ui, state, actions, SidePanel::Series, (190.0, 140.0..=320.0), |ui, actions| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| series_panel::series_panel_ui(ui, state, actions));
        });
    }
    if SidePanel::Findings.is_shown(&state.panels, width) {
        // The table of grades needs the first; a wide screen has room for the second.
        let findings_width = (width * 0.32).clamp(360.0, 460.0);
        side_panel_ui(ui, state, actions, SidePanel::Findings, (findings_width, 360.0..=620.0), |ui, actions| {
            findings_ui(ui, state, actions);
        });
    }
    views::views_ui(ui, state, actions);
}

/// A panel beside the image, as wide as usual or as the reader dragged it, which is told.
fn side_panel_ui(
    ui: &mut Ui,
    state: &ViewerState,
    actions: &mut Actions,
    side: SidePanel,
    (usual, range): (f32, RangeInclusive<f32>),
    add_contents: impl FnOnce(&mut Ui, &mut Actions),
) {
    let (name, panel) = match side {
        SidePanel::Series => ("series", Panel::left("series")),
        SidePanel::Findings => ("findings", Panel::right("findings")),
    };
    let id = ui.scope_id().with(name);
    let width = |ui: &Ui| PanelState::load(ui.ctx(), id).map(|panel| panel.size().x);
    let before = width(ui);
    let first = state.panel_widths.get(&side).copied().unwrap_or(usual);
    let frame = Frame::new().fill(theme::of(ui).panel).inner_margin(Margin::same(8));
    panel.default_size(first).size_range(range).frame(frame).show(ui, |ui| add_contents(ui, actions));
    // A window of another size changes it too; that is nobody's wish.
    let is_dragged = ui.input(|input| input.pointer.any_down() || input.pointer.any_released());
    if let (Some(before), Some(now)) = (before, width(ui))
        && is_dragged
        && (before - now).abs() > 0.5
    {
        actions.push(ProgramAction::ResizePanel(side, now));
    }
}

/// Grades, evidence and what the reader makes of them.
fn findings_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
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
        key_images_panel::key_images_panel_ui(ui, state, actions);
        ui.scope(|ui| review_panel::findings_ui(ui, state, actions));
        if !draws {
            ui.add_space(8.0);
            boxes_panel::boxes_panel_ui(ui, state, actions);
        }
    });
}
