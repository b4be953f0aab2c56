//! Boxes of the selected grading on the slice shown: painting, drawing, moving and resizing.

use eframe::egui::{
    self, Align2, CursorIcon, Painter, PointerButton, Pos2, Rect, Response, Shape, Stroke, StrokeKind, Ui, pos2, vec2,
};
use glam::DVec2;

use super::{Scene, name_on_image, text_on_image};
use crate::spine::PixelBox;
use crate::ui::action::{Actions, BoxAction};
use crate::ui::boxes_panel::overlap_text;
use crate::ui::language::tr;
use crate::ui::state::MapState;
use crate::ui::theme;

/// A corner is grabbed within this many points.
const GRAB_RADIUS: f32 = 9.0;
/// Smaller boxes (in pixels) are slips of the hand.
const SMALLEST: f64 = 1.5;

/// A drag of the box tool in progress.
#[derive(Debug, Clone, Copy, PartialEq)]
enum BoxDrag {
    /// A new box from this corner.
    New { start: DVec2 },
    /// An existing box, grabbed at this offset from its top-left corner.
    Move { index: usize, grab: DVec2 },
    /// A corner of an existing box; the opposite one stays.
    Resize { index: usize, fixed: DVec2 },
}

/// A box while it is being dragged: which one (`None`: new) and where it is now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DraggedBox {
    index: Option<usize>,
    rect: PixelBox,
}

/// The box tool.
pub(crate) fn edit_ui(ui: &Ui, response: &Response, scene: &Scene, actions: &mut Actions) {
    let id = response.id.with("box drag");
    let pointer = ui.input(|input| input.pointer.interact_pos());
    if response.drag_started_by(PointerButton::Primary)
        && let Some(origin) = ui.input(|input| input.pointer.press_origin())
    {
        let drag = begin(scene, origin);
        ui.data_mut(|data| data.insert_temp(id, drag));
        actions.push(BoxAction::Select(match drag {
            BoxDrag::New { .. } => None,
            BoxDrag::Move { index, .. } | BoxDrag::Resize { index, .. } => Some(index),
        }));
    }
    let drag = ui.data(|data| data.get_temp::<BoxDrag>(id));
    let dragged =
        drag.zip(pointer).and_then(|(drag, at)| dragged_box(scene, drag, scene.transform.image_from_screen(at)));
    paint(ui, scene, dragged);
    cursor(ui, response, scene, drag);
    if response.drag_stopped_by(PointerButton::Primary) {
        ui.data_mut(|data| data.remove::<BoxDrag>(id));
        if let Some(DraggedBox { index, rect }) = dragged
            && rect.width >= SMALLEST
            && rect.height >= SMALLEST
        {
            actions.push(index.map_or(BoxAction::Add(rect), |index| BoxAction::Change { index, rect }));
        }
    }
    if response.clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        let point = scene.transform.image_from_screen(at);
        actions.push(BoxAction::Select(box_at(scene, point)));
    }
}

/// The reader's box of the selection under an image point.
pub(super) fn box_at(scene: &Scene, point: DVec2) -> Option<usize> {
    boxes_here(scene).find(|(_, rect)| holds(rect, point)).map(|(index, _)| index)
}

/// Reader's boxes of the selection on this slice.
fn boxes_here<'a>(scene: &'a Scene) -> impl Iterator<Item = (usize, PixelBox)> + 'a {
    let slice = scene.slice;
    let here = scene.state.selected_boxes().filter(move |(_, slice_box)| slice_box.slice == slice);
    here.map(|(index, slice_box)| (index, slice_box.rect))
}

fn holds(rect: &PixelBox, point: DVec2) -> bool {
    (rect.x..=rect.x + rect.width).contains(&point.x) && (rect.y..=rect.y + rect.height).contains(&point.y)
}

fn corners(rect: &PixelBox) -> [DVec2; 4] {
    let (right, bottom) = (rect.x + rect.width, rect.y + rect.height);
    [DVec2::new(rect.x, rect.y), DVec2::new(right, rect.y), DVec2::new(right, bottom), DVec2::new(rect.x, bottom)]
}

fn begin(scene: &Scene, origin: egui::Pos2) -> BoxDrag {
    let point = scene.transform.image_from_screen(origin);
    for (index, rect) in boxes_here(scene) {
        for (number, corner) in corners(&rect).into_iter().enumerate() {
            if scene.transform.screen_from_image(corner).distance(origin) <= GRAB_RADIUS {
                return BoxDrag::Resize { index, fixed: corners(&rect)[(number + 2) % 4] };
            }
        }
    }
    let inside = boxes_here(scene).find(|(_, rect)| holds(rect, point));
    inside.map_or(BoxDrag::New { start: clamped(scene, point) }, |(index, rect)| BoxDrag::Move {
        index,
        grab: point - DVec2::new(rect.x, rect.y),
    })
}

/// The nearest point of the image, pixel edges included.
fn clamped(scene: &Scene, point: DVec2) -> DVec2 {
    let volume = &scene.series.volume;
    point.clamp(DVec2::splat(-0.5), DVec2::new(volume.columns() as f64, volume.rows() as f64) - 0.5)
}

/// Where a dragged box is now; `None` if it is gone.
fn dragged_box(scene: &Scene, drag: BoxDrag, point: DVec2) -> Option<DraggedBox> {
    let spanned = |fixed: DVec2| PixelBox::from_corners(fixed.to_array(), clamped(scene, point).to_array());
    let (index, rect) = match drag {
        BoxDrag::New { start } => (None, spanned(start)),
        BoxDrag::Resize { index, fixed } => (Some(index), spanned(fixed)),
        BoxDrag::Move { index, grab } => {
            let rect = scene.state.reading.findings.boxes.get(index)?.rect;
            let size = DVec2::new(rect.width, rect.height);
            let corner = clamped(scene, clamped(scene, point - grab) + size) - size;
            (Some(index), PixelBox { x: corner.x, y: corner.y, ..rect })
        }
    };
    Some(DraggedBox { index, rect })
}

fn screen_rect(scene: &Scene, rect: &PixelBox) -> Rect {
    let corners = corners(rect);
    scene.transform.screen_rect(corners[0], corners[2])
}

/// Predicted boxes of a map, dashed, while it is shown.
pub(crate) fn predicted(painter: &Painter, scene: &Scene, map: &MapState) {
    if scene.state.evidence.visible(map).is_some() {
        for predicted in map.predicted_boxes.iter().filter(|found| found.slice == scene.slice) {
            dashed(painter, screen_rect(scene, &predicted.rect));
        }
    }
}

/// Where readers would probably box the finding, dotted, with words that nobody takes it for evidence.
pub(crate) fn learned(painter: &Painter, scene: &Scene, map: &MapState) {
    let evidence = &scene.state.evidence;
    if evidence.blind || evidence.held_back {
        return;
    }
    for found in map.learned_boxes.iter().filter(|found| found.slice == scene.slice) {
        let rect = screen_rect(scene, &found.rect);
        painter.extend(Shape::dashed_line(&outline(rect), Stroke::new(2.2, theme::BOX_LEARNED), 2.0, 4.0));
        let at = rect.left_top() + vec2(4.0, -4.0);
        let colors = [theme::BOX_LEARNED, theme::text_shadow()];
        name_on_image(painter, at, Align2::LEFT_BOTTOM, tr!("learned location (not evidence)"), colors);
    }
}

/// Reader's boxes solid, learned ones dotted, predicted ones dashed, the overlap of the slice beside them.
pub(crate) fn paint(ui: &Ui, scene: &Scene, dragged: Option<DraggedBox>) {
    let painter = ui.painter_at(scene.transform.viewport);
    predicted(&painter, scene, &scene.state.evidence.main);
    learned(&painter, scene, &scene.state.evidence.main);
    let mut last = None;
    for (index, rect) in boxes_here(scene) {
        let moving = dragged.filter(|dragged| dragged.index == Some(index));
        let shown = screen_rect(scene, &moving.map_or(rect, |dragged| dragged.rect));
        solid(&painter, shown, scene.state.reading.selected_box == Some(index));
        last = Some(shown);
    }
    if let Some(DraggedBox { index: None, rect }) = dragged {
        solid(&painter, screen_rect(scene, &rect), true);
    }
    if let (Some(shown), Some(overlap)) = (last, scene.state.slice_iou(scene.slice)) {
        let at = shown.left_bottom() + vec2(0.0, 5.0);
        let text = overlap_text(tr!("IoU"), Some(overlap));
        text_on_image(&painter, at, Align2::LEFT_TOP, &text, 12.0, theme::BOX_READER);
    }
}

fn solid(painter: &Painter, rect: Rect, selected: bool) {
    let stroke = Stroke::new(if selected { 2.0 } else { 1.4 }, theme::BOX_READER);
    painter.rect_stroke(rect, 0.0, stroke, StrokeKind::Middle);
    if selected {
        for corner in [rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom()] {
            painter.rect_filled(Rect::from_center_size(corner, vec2(6.0, 6.0)), 0.0, theme::BOX_READER);
        }
    }
}

fn outline(rect: Rect) -> [Pos2; 5] {
    [rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom(), rect.left_top()]
}

fn dashed(painter: &Painter, rect: Rect) {
    painter.extend(Shape::dashed_line(&outline(rect), Stroke::new(1.4, theme::BOX_PREDICTED), 6.0, 4.0));
}

fn cursor(ui: &Ui, response: &Response, scene: &Scene, drag: Option<BoxDrag>) {
    let Some(at) = response.hover_pos() else { return };
    let icon = match drag.unwrap_or_else(|| begin(scene, at)) {
        BoxDrag::New { .. } => CursorIcon::Crosshair,
        BoxDrag::Move { .. } => CursorIcon::Move,
        BoxDrag::Resize { fixed, .. } => {
            let fixed = scene.transform.screen_from_image(fixed);
            let away = pos2(at.x, at.y) - fixed;
            if away.x * away.y > 0.0 { CursorIcon::ResizeNwSe } else { CursorIcon::ResizeNeSw }
        }
    };
    ui.ctx().set_cursor_icon(icon);
}
