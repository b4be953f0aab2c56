//! The middle of the window: the views of a layout, or one of them alone.

use eframe::egui::{
    self, Align2, CentralPanel, DragAndDrop, Frame, Panel, Response, Stroke, StrokeKind, Ui, UiBuilder, vec2,
};

use super::action::{Actions, FileAction};
use super::language::tr;
use super::state::{Pane, SeriesGrid, ViewLayout, ViewerState};
use super::{disc_view, plane_view, slice_view, theme};
use crate::volume::SectionAxis;

/// A series that is dragged from the list into a view: its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DraggedSeries(pub(crate) usize);

/// Draws the layout in what the other panels leave.
pub(crate) fn views_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let image = Frame::new().fill(theme::IMAGE_BACKGROUND);
    let whole = CentralPanel::no_frame().frame(image);
    let middle = ui.available_size();
    if let Some(view) = state.view.maximized.filter(|_| state.loaded().is_some()) {
        whole.show(ui, |ui| view_ui(ui, state, view, actions));
        return dragged_ui(ui, state);
    }
    match state.view.layout {
        ViewLayout::Single => {}
        ViewLayout::Planes => {
            let panel = Panel::right("planes").default_size(middle.x * 0.36).frame(image);
            panel.show(ui, |ui| plane_view::planes_ui(ui, state, actions));
        }
        ViewLayout::Compare => {
            let panel = Panel::right("beside").default_size(middle.x * 0.5).frame(image);
            panel.show(ui, |ui| view_ui(ui, state, 1, actions));
        }
        ViewLayout::Disc => {
            let panel = Panel::bottom("disc").default_size(middle.y * 0.46).resizable(true).frame(image);
            panel.show(ui, |ui| view_ui(ui, state, 1, actions));
        }
        ViewLayout::Series(grid) => {
            whole.show(ui, |ui| grid_ui(ui, state, grid, actions));
            return dragged_ui(ui, state);
        }
    }
    whole.show(ui, |ui| view_ui(ui, state, 0, actions));
    dragged_ui(ui, state);
}

/// A view of the layout: the slice is 0, the others follow.
fn view_ui(ui: &mut Ui, state: &ViewerState, view: usize, actions: &mut Actions) {
    match (state.view.layout, view.checked_sub(1)) {
        (_, None) | (ViewLayout::Single, _) => slice_view::slice_view_ui(ui, state, actions),
        (ViewLayout::Planes, Some(plane)) => {
            plane_view::plane_alone_ui(ui, state, (view, SectionAxis::ALL[plane.min(1)]), actions);
        }
        (ViewLayout::Disc, Some(_)) => disc_view::disc_view_ui(ui, state, actions),
        (ViewLayout::Compare, Some(_)) => slice_view::beside_view_ui(ui, state, actions),
        (ViewLayout::Series(grid), Some(beside)) => {
            let last = ViewLayout::Series(grid).beside() - 1;
            slice_view::companion_view_ui(ui, state, beside.min(last), actions);
        }
    }
}

/// The views of a grid, with a frame around the one that has the keys, and a fainter one around that which a series of the
/// list would go to.
fn grid_ui(ui: &mut Ui, state: &ViewerState, grid: SeriesGrid, actions: &mut Actions) {
    let area = ui.available_rect_before_wrap();
    let beside = ViewLayout::Series(grid).beside();
    for view in 0..=beside {
        let cell = grid.cell(area, view).shrink(1.0);
        ui.scope_builder(UiBuilder::new().id_salt(("view", view)).max_rect(cell), |ui| {
            ui.shrink_clip_rect(cell);
            view_ui(ui, state, view, actions);
        });
        let has_keys = match state.view.pane {
            Pane::Image => view == 0,
            Pane::Beside => view == state.active + 1,
            Pane::Table => false,
        };
        let is_target = beside > 1 && view == state.active + 1;
        let color = match (has_keys, is_target) {
            (true, _) => theme::ACCENT,
            (false, true) => theme::ACCENT_DIM,
            (false, false) => theme::LINE,
        };
        ui.painter().rect_stroke(cell, 0.0, Stroke::new(1.0, color), StrokeKind::Outside);
    }
    ui.advance_cursor_after_rect(area);
}

/// Shows that a dragged series can be dropped on a view; gives back the one that was.
pub(crate) fn dropped_series(ui: &Ui, response: &Response) -> Option<usize> {
    let area = response.rect;
    if response.dnd_hover_payload::<DraggedSeries>().is_some() {
        let painter = ui.painter();
        painter.rect_filled(area, 0.0, theme::ACCENT.gamma_multiply(0.12));
        painter.rect_stroke(area, 0.0, Stroke::new(2.0, theme::ACCENT), StrokeKind::Inside);
    }
    Some(response.dnd_release_payload::<DraggedSeries>()?.0)
}

/// A series dropped on the slice goes beside it: what is read stays.
pub(crate) fn take_series_beside(ui: &Ui, response: &Response, actions: &mut Actions) {
    actions.extend(dropped_series(ui, response).map(FileAction::ShowSeries));
}

/// The name of the series that is dragged, at the pointer.
fn dragged_ui(ui: &Ui, state: &ViewerState) {
    let Some(dragged) = DragAndDrop::payload::<DraggedSeries>(ui.ctx()) else { return };
    let (Some(series), Some(at)) = (state.study.series_list.get(dragged.0), ui.ctx().pointer_interact_pos()) else {
        return;
    };
    let layer = egui::LayerId::new(egui::Order::Tooltip, egui::Id::unique("dragged series"));
    let painter = ui.ctx().layer_painter(layer);
    let words = tr!("Show {series} here", series = series.title);
    let galley = painter.layout_no_wrap(words, theme::image_font(13.0), theme::TEXT_STRONG);
    let rect = Align2::LEFT_CENTER.anchor_size(at + vec2(16.0, 0.0), galley.size());
    painter.rect_filled(rect.expand2(vec2(6.0, 3.0)), 4.0, theme::ACCENT_DIM);
    painter.galley(rect.min, galley, theme::TEXT_STRONG);
}
