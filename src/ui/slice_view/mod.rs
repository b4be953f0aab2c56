//! The image: one slice with evidence, outlines, boxes and texts, and the mouse over it.

mod anatomy;
mod beside;
mod boxes;
mod chrome;
mod companion;
mod image;
mod input;
mod measure;
mod scroll_bar;
mod vertebrae;

pub(crate) use beside::beside_view_ui;
pub(crate) use companion::companion_view_ui;
pub(crate) use image::evidence_paint;

use eframe::egui::{self, Align2, Pos2, Rect, Role, Sense, Ui, WidgetInfo};

use super::action::{Actions, Probe, ViewAction};
use super::camera::{Camera, SliceTransform};
use super::state::{AnnotationLevel, LoadedSeries, Pane, Tool, ViewerState};
use super::{plane_view, theme, views};
use crate::ui::language::tr;
use crate::volume::{SectionAxis, WindowLevel};
use crate::worker::Loadable;

/// What the painting functions of this module share.
struct Scene<'a> {
    state: &'a ViewerState,
    series: &'a LoadedSeries,
    transform: SliceTransform,
    slice: usize,
    window: WindowLevel,
}

/// The image area; fills what the other panels leave.
pub(crate) fn slice_view_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let (viewport, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    if state.view.viewport != Some(viewport) {
        actions.push(ViewAction::Viewport(viewport));
    }
    let Some(series) = state.loaded() else {
        waiting_ui(ui, viewport, state);
        return;
    };
    let frame = series.frame();
    let camera = state.view.camera.unwrap_or_else(|| Camera::fit(&frame));
    let transform = SliceTransform::new(&frame, viewport, &camera);
    let slice = state.view.slice.min(series.volume.slices() - 1);
    let scene = Scene { state, series, transform, slice, window: state.window() };
    let slices = series.volume.slices();
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Canvas, true, tr!("Slice {slice} of {count}", slice = slice + 1, count = slices))
    });

    let evidence = evidence_paint(&state.evidence, &state.evidence.main);
    image::image_ui(ui, &scene, state.reading.image_texture.as_ref(), evidence);
    if SectionAxis::ALL.iter().any(|axis| state.shows_plane(*axis)) || state.view.tool == Tool::Crosshair {
        plane_view::lines_on_slice(ui, state, &transform, &frame);
    }
    if state.view.tool == Tool::Box && state.reading.selection.is_some() {
        boxes::edit_ui(ui, &response, &scene, actions);
    } else {
        boxes::paint(ui, &scene, None);
    }
    for beside in state.shown_beside() {
        companion::line_on_slice(ui, &scene, beside);
    }
    input::gestures_ui(ui, &response, &scene, actions);
    input::click(&response, &scene, actions);
    views::take_series_beside(ui, &response, actions);
    if state.view.annotations != AnnotationLevel::None {
        anatomy::anatomy_ui(ui, &scene, actions);
    }
    match state.view.tool {
        Tool::Measure(kind) => measure::edit_ui(ui, &response, &scene, kind, actions),
        Tool::Vertebra => vertebrae::edit_ui(ui, &response, &scene, actions),
        _ => {}
    }
    if !matches!(state.view.tool, Tool::Measure(_)) {
        measure::cancel(ui, response.id);
        measure::paint(ui, &scene, None);
    }
    let probe = response.hover_pos().and_then(|pointer| probe_at(&scene, pointer));
    chrome::paint(ui, &scene, probe);
    if probe != state.view.probe {
        actions.push(ViewAction::Probe(probe));
    }
    scroll_bar::scroll_bar_ui(ui, &scene, actions);
    input::context_menu(&response, &scene, actions);
    let scrolled = response.hovered() && ui.input(|input| input.smooth_scroll_delta().y != 0.0);
    let touched = response.clicked() || response.drag_started() || scrolled;
    if touched && state.view.pane != Pane::Image {
        actions.push(ViewAction::FocusPane(Pane::Image));
    }
}

/// Before the series is there: its middle slice as soon as that is known, and what is waited for.
fn waiting_ui(ui: &Ui, viewport: Rect, state: &ViewerState) {
    let text = match &state.reading.image {
        Loadable::Pending(_) => tr!("Loading the series…"),
        Loadable::Failed(_) => tr!("The series could not be loaded."),
        _ if state.study.folder.pending().is_some() => tr!("Looking for a T2 sagittal series…"),
        _ => tr!("Choose a series on the left."),
    };
    let painter = ui.painter_at(viewport);
    if let Some(preview) = state.study.preview.as_ref().filter(|_| state.reading.image.error().is_none()) {
        let size = preview.size_vec2();
        let scale = (viewport.width() / size.x).min(viewport.height() / size.y);
        let whole = Rect::from_min_max(Pos2::ZERO, egui::pos2(1.0, 1.0));
        let place = Rect::from_center_size(viewport.center(), size * scale);
        painter.image(preview.id(), place, whole, egui::Color32::WHITE);
        let at = viewport.center_bottom() - egui::vec2(0.0, 24.0);
        name_on_image(&painter, at, Align2::CENTER_BOTTOM, text, [theme::ON_IMAGE, theme::text_shadow()]);
    } else {
        painter.text(viewport.center(), Align2::CENTER_CENTER, text, theme::image_font(15.0), theme::TEXT_WEAK);
    }
}

fn probe_at(scene: &Scene, pointer: Pos2) -> Option<Probe> {
    let image = scene.transform.image_from_screen(pointer);
    let volume = &scene.series.volume;
    let nearest = image.round();
    let inside =
        nearest.x >= 0.0 && nearest.y >= 0.0 && nearest.x < volume.columns() as f64 && nearest.y < volume.rows() as f64;
    if !inside {
        return None;
    }
    let (column, row) = (nearest.x as usize, nearest.y as usize);
    let value = volume.slice(scene.slice)[row * volume.columns() + column];
    Some(Probe { image, value })
}

/// A name on the image, on a backing: it may stand on tissue of any brightness.
fn name_on_image(painter: &egui::Painter, at: Pos2, anchor: Align2, name: &str, [color, backing]: [egui::Color32; 2]) {
    let galley = painter.layout_no_wrap(name.to_owned(), theme::image_font(13.0), color);
    let rect = anchor.anchor_size(at, galley.size());
    painter.rect_filled(rect.expand2(egui::vec2(4.0, 1.0)), 4.0, backing);
    painter.galley(rect.min, galley, color);
}

/// Text on the image with a dark edge, so that it reads on bright tissue too.
fn text_on_image(
    painter: &egui::Painter,
    at: Pos2,
    anchor: Align2,
    text: &str,
    size: f32,
    color: egui::Color32,
) -> Rect {
    let font = theme::image_font(size);
    for offset in [egui::vec2(1.0, 1.0), egui::vec2(-1.0, 0.5), egui::vec2(0.5, -1.0)] {
        painter.text(at + offset, anchor, text, font.clone(), theme::text_shadow());
    }
    painter.text(at, anchor, text, font, color)
}
