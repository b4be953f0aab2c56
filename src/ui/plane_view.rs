//! The axial and coronal planes through the crosshair, beside the slice.

use eframe::egui::{self, Align2, CursorIcon, Painter, Pos2, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo};
use eframe::egui::{pos2, vec2};
use glam::DVec2;

use super::action::{Actions, ViewAction};
use super::camera::{Camera, ImageFrame, SliceTransform};
use super::gesture::{Gesture, dragged_window, gestures, moved_camera};
use super::language::tr;
use super::state::{LoadedSeries, PlaneImage, Tool, ViewerState};
use super::theme;
use crate::picture::SliceLook;
use crate::render::SlicePaint;
use crate::volume::{SectionAxis, orientation_letters};

/// Rows or columns that a notch of the wheel moves the crosshair by.
const PER_NOTCH: isize = 2;

/// What the functions of one plane share.
struct PlaneScene<'a> {
    /// The view that it stands in.
    view: usize,
    state: &'a ViewerState,
    series: &'a LoadedSeries,
    plane: &'a PlaneImage,
    axis: SectionAxis,
    frame: ImageFrame,
    camera: Camera,
    transform: SliceTransform,
}

/// Both planes, one above the other.
pub(crate) fn planes_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let (area, _) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    // The axial plane is the flatter one.
    let split = area.top() + area.height() * 0.42;
    let upper = Rect::from_min_max(area.min, pos2(area.right(), split - 1.0));
    let lower = Rect::from_min_max(pos2(area.left(), split + 1.0), area.max);
    one_plane_ui(ui, state, (1, SectionAxis::Row), upper, actions);
    one_plane_ui(ui, state, (2, SectionAxis::Column), lower, actions);
    ui.painter().hline(area.x_range(), split, Stroke::new(1.0, theme::LINE));
}

/// One of them in what is left of a view.
pub(super) fn plane_alone_ui(
    ui: &mut Ui,
    state: &ViewerState,
    (view, axis): (usize, SectionAxis),
    actions: &mut Actions,
) -> Response {
    let (area, _) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    one_plane_ui(ui, state, (view, axis), area, actions)
}

/// What a plane is called.
pub(super) fn plane_name(axis: SectionAxis) -> &'static str {
    match axis {
        SectionAxis::Row => tr!("Axial plane"),
        SectionAxis::Column => tr!("Coronal plane"),
    }
}

fn one_plane_ui(
    ui: &Ui,
    state: &ViewerState,
    (view, axis): (usize, SectionAxis),
    rect: Rect,
    actions: &mut Actions,
) -> Response {
    let response = ui.interact(rect, ui.scope_id().with(("plane", view)), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, plane_name(axis)));
    let Some(series) = state.loaded() else { return response };
    if let Some(plane) = &state.reading.planes[axis as usize] {
        let frame = ImageFrame::of(&plane.section.volume);
        let camera = state.view.plane_cameras[axis as usize].unwrap_or_else(|| Camera::fit(&frame));
        let transform = SliceTransform::new(&frame, rect.shrink(6.0), &camera);
        let scene = PlaneScene { view, state, series, plane, axis, frame, camera, transform };
        plane_ui(ui, &scene, &response, actions);
    } else if series.volume.slices() == 1 {
        let text = tr!("A single slice has no other planes.");
        let font = theme::image_font(13.0);
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, text, font, theme::TEXT_WEAK);
    }
    response
}

fn plane_ui(ui: &Ui, scene: &PlaneScene, response: &Response, actions: &mut Actions) {
    let PlaneScene { state, series, plane, frame, transform, .. } = scene;
    if let Some(texture) = &plane.texture {
        let window = SliceLook::new(state.window());
        let look = SliceLook { invert: state.view.inverted, smooth: state.view.smooth, ..window };
        let image_from_screen = transform.placement();
        let paint = SlicePaint { series: texture.clone(), slice: 0, image_from_screen, look, evidence: None };
        ui.painter().add(paint.shape(transform.viewport));
    }
    let painter = ui.painter_at(response.rect);
    let [row, column] = state.crosshair();
    let here = [state.view.slice as f64, row, column];
    if let Some(point) = plane.section.point_of(series.volume.geometry(), here) {
        let at = transform.screen_from_image(DVec2::from_array(point));
        reference_lines(&painter, transform.image_rect(frame).intersect(transform.viewport), at);
    }
    chrome(&painter, &response.rect, plane, scene.axis);
    mouse(ui, response, scene, actions);
}

/// Where the slice and the other plane cut this one, with a gap that leaves the point itself in sight.
fn reference_lines(painter: &Painter, area: Rect, at: Pos2) {
    const GAP: f32 = 7.0;
    let stroke = Stroke::new(1.0, theme::CROSSHAIR.gamma_multiply(0.8));
    for (from, to) in [
        (pos2(at.x, area.top()), pos2(at.x, at.y - GAP)),
        (pos2(at.x, at.y + GAP), pos2(at.x, area.bottom())),
        (pos2(area.left(), at.y), pos2(at.x - GAP, at.y)),
        (pos2(at.x + GAP, at.y), pos2(area.right(), at.y)),
    ] {
        painter.line_segment([from, to], stroke);
    }
}

fn chrome(painter: &Painter, rect: &Rect, plane: &PlaneImage, axis: SectionAxis) {
    let area = rect.shrink(8.0);
    let geometry = plane.section.volume.geometry();
    let (right, down) = (geometry.column_direction(), geometry.row_direction());
    let text = |at: Pos2, anchor: Align2, text: &str, size: f32| {
        let font = theme::image_font(size);
        painter.text(at + vec2(1.0, 1.0), anchor, text, font.clone(), theme::text_shadow());
        painter.text(at, anchor, text, font, theme::ON_IMAGE);
    };
    text(area.left_center(), Align2::LEFT_CENTER, &orientation_letters(-right), 14.0);
    text(area.right_center(), Align2::RIGHT_CENTER, &orientation_letters(right), 14.0);
    text(area.center_top(), Align2::CENTER_TOP, &orientation_letters(-down), 14.0);
    text(area.center_bottom(), Align2::CENTER_BOTTOM, &orientation_letters(down), 14.0);
    let name = if axis == SectionAxis::Row { tr!("Axial") } else { tr!("Coronal") };
    text(area.left_top(), Align2::LEFT_TOP, name, 12.0);
    text(area.left_top() + vec2(0.0, 15.0), Align2::LEFT_TOP, tr!("reconstructed"), 11.0);
}

fn mouse(ui: &Ui, response: &Response, scene: &PlaneScene, actions: &mut Actions) {
    let PlaneScene { view, state, series, plane, axis, frame, camera, transform } = scene;
    if response.double_clicked() {
        actions.push(ViewAction::Maximize(*view));
        return;
    }
    let [row, column] = state.crosshair();
    if (response.clicked() || response.dragged())
        && let Some(at) = response.interact_pointer_pos()
    {
        let point = transform.image_from_screen(at);
        if let Some([slice, row, column]) = plane.section.stack_voxel(series.volume.geometry(), point.x, point.y) {
            actions.push(ViewAction::ShowSlice(slice.round().max(0.0) as usize));
            actions.push(ViewAction::SetCrosshair([row, column]));
        }
    }
    if response.contains_pointer() {
        ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
    }
    // The left button moves the crosshair here, whatever the tool is.
    for gesture in gestures(ui, response, Tool::Crosshair, state.right_drag_windows) {
        match gesture {
            Gesture::Scroll(notches) => {
                let steps = (notches * PER_NOTCH) as f64;
                let moved = if *axis == SectionAxis::Row { [row + steps, column] } else { [row, column + steps] };
                actions.push(ViewAction::SetCrosshair(moved));
            }
            Gesture::Window(delta) => {
                let window = dragged_window(state.window(), series.default_window.width, delta);
                actions.push(ViewAction::SetWindow(window));
            }
            Gesture::Pan(_) | Gesture::Zoom { .. } => {
                let moved = moved_camera(*camera, frame, transform.viewport, gesture);
                actions.push(ViewAction::SetPlaneCamera { plane: *axis as usize, camera: moved });
            }
        }
    }
}

/// Where the planes cut the slice itself.
pub(crate) fn lines_on_slice(ui: &egui::Ui, state: &ViewerState, transform: &SliceTransform, frame: &ImageFrame) {
    let [row, column] = state.crosshair();
    let at = transform.screen_from_image(DVec2::new(column, row));
    let painter = ui.painter_at(transform.viewport);
    reference_lines(&painter, transform.image_rect(frame).intersect(transform.viewport), at);
}
