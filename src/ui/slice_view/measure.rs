//! Measurements on the slice shown: placing, moving and painting.

use eframe::egui::{
    self, Align2, CursorIcon, Id, Painter, PointerButton, Pos2, Rect, Response, Stroke, Ui, pos2, vec2,
};
use glam::DVec2;

use super::{Scene, name_on_image};
use crate::spine::{Measurement, MeasurementKind};
use crate::ui::action::{Actions, MeasureAction};
use crate::ui::language::{in_force, translated};
use crate::ui::theme;

/// A point is grabbed within this many points of the screen.
const GRAB_RADIUS: f32 = 9.0;
/// Drags shorter than this are clicks.
const SHORTEST_DRAG: f32 = 4.0;

/// What the hand is at.
#[derive(Debug, Clone, Default)]
struct Hand {
    /// Points of a measurement that is not complete.
    placed: Vec<DVec2>,
    /// What it measures, and on which slice.
    of: Option<(MeasurementKind, usize)>,
    /// A point of a measurement that is being moved: place in the list and number of the point.
    moved: Option<(usize, usize)>,
}

/// The measuring tools: click or drag to place points, drag a point to move it.
pub(crate) fn edit_ui(ui: &Ui, response: &Response, scene: &Scene, kind: MeasurementKind, actions: &mut Actions) {
    let id = response.id.with("measuring");
    let mut hand = ui.data(|data| data.get_temp::<Hand>(id)).unwrap_or_default();
    if hand.of != Some((kind, scene.slice)) {
        hand = Hand { of: Some((kind, scene.slice)), ..Hand::default() };
    }
    let pointer = ui.input(|input| input.pointer.interact_pos());
    let origin = ui.input(|input| input.pointer.press_origin());
    if response.drag_started_by(PointerButton::Primary)
        && let Some(origin) = origin
    {
        hand.moved = grabbed(scene, origin);
        if hand.moved.is_none() {
            hand.placed.push(scene.transform.image_from_screen(origin));
        }
        actions.push(MeasureAction::Select(hand.moved.map(|(index, _)| index)));
    }
    let moved = hand.moved.zip(pointer).and_then(|((index, point), at)| {
        let mut measurement = scene.state.reading.findings.review.measurements.get(index)?.clone();
        *measurement.points.get_mut(point)? = scene.transform.image_from_screen(at);
        Some((index, measurement))
    });
    if response.drag_stopped_by(PointerButton::Primary) {
        if let Some((index, measurement)) = &moved {
            actions.push(MeasureAction::Change { index: *index, measurement: measurement.clone() });
        } else if let Some(at) = pointer
            && origin.is_none_or(|origin| origin.distance(at) >= SHORTEST_DRAG)
        {
            hand.placed.push(scene.transform.image_from_screen(at));
        }
        hand.moved = None;
    }
    if response.clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        match grabbed(scene, at).filter(|_| hand.placed.is_empty()) {
            Some((index, _)) => actions.push(MeasureAction::Select(Some(index))),
            None => hand.placed.push(scene.transform.image_from_screen(at)),
        }
    }
    if hand.placed.len() >= kind.points() {
        let points = hand.placed.drain(..).take(kind.points()).collect();
        actions.push(MeasureAction::Add(Measurement { kind, slice: scene.slice, points }));
        hand.placed.clear();
    }
    paint(ui, scene, moved.as_ref());
    paint_unfinished(ui, response, scene, kind, &hand);
    if response.hovered() {
        ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
    }
    ui.data_mut(|data| data.insert_temp(id, hand));
}

/// Forgets the points of a measurement that is not complete.
pub(crate) fn cancel(ui: &Ui, response_id: Id) {
    ui.data_mut(|data| data.remove::<Hand>(response_id.with("measuring")));
}

fn here<'a>(scene: &'a Scene) -> impl Iterator<Item = (usize, &'a Measurement)> {
    scene.state.reading.findings.review.measurements.iter().enumerate().filter(|(_, it)| it.slice == scene.slice)
}

/// The point of a measurement under a screen position.
fn grabbed(scene: &Scene, at: Pos2) -> Option<(usize, usize)> {
    here(scene).find_map(|(index, measurement)| {
        let near = |point: &DVec2| scene.transform.screen_from_image(*point).distance(at) <= GRAB_RADIUS;
        measurement.points.iter().position(near).map(|point| (index, point))
    })
}

/// The measurement under a screen position, by any of its lines and points.
pub(super) fn measurement_at(scene: &Scene, at: Pos2) -> Option<usize> {
    let screen = |point: &DVec2| scene.transform.screen_from_image(*point);
    here(scene).find_map(|(index, measurement)| {
        let points: Vec<Pos2> = measurement.points.iter().map(screen).collect();
        let mut lines = measurement.kind.lines().iter().filter_map(|[a, b]| Some([*points.get(*a)?, *points.get(*b)?]));
        let is_near = lines.any(|line| distance_to(line, at) <= GRAB_RADIUS)
            || points.iter().any(|point| point.distance(at) <= GRAB_RADIUS);
        is_near.then_some(index)
    })
}

/// Distance of a point from a line between two others.
fn distance_to([from, to]: [Pos2; 2], at: Pos2) -> f32 {
    let line = to - from;
    let share = ((at - from).dot(line) / line.length_sq().max(1e-6)).clamp(0.0, 1.0);
    (from + line * share).distance(at)
}

/// What a measurement says, with its level.
pub(super) fn words(scene: &Scene, measurement: &Measurement) -> Option<String> {
    let value = measurement.in_words(measurement.value(scene.series.frame().pixel_size_mm)?, in_force());
    Some(match scene.state.level_of(measurement) {
        Some(level) => format!("{level} {value}"),
        None => value,
    })
}

/// The measurements of this slice; `moved` is shown where the hand has it.
pub(crate) fn paint(ui: &Ui, scene: &Scene, moved: Option<&(usize, Measurement)>) {
    let painter = ui.painter_at(scene.transform.viewport);
    let mut labels = Vec::new();
    for (index, measurement) in here(scene) {
        let shown = moved.filter(|(other, _)| *other == index).map_or(measurement, |(_, moved)| moved);
        let selected = scene.state.reading.selected_measurement == Some(index);
        let points: Vec<Pos2> = shown.points.iter().map(|point| scene.transform.screen_from_image(*point)).collect();
        lines(&painter, shown.kind, &points, selected);
        if let Some(words) = words(scene, shown) {
            label(&painter, &points, &words, &mut labels);
        }
    }
}

fn lines(painter: &Painter, kind: MeasurementKind, points: &[Pos2], selected: bool) {
    let stroke = Stroke::new(if selected { 2.2 } else { 1.5 }, theme::MEASUREMENT);
    let shadow = Stroke::new(stroke.width + 2.0, theme::name_backing());
    for [from, to] in kind.lines() {
        if let (Some(from), Some(to)) = (points.get(*from), points.get(*to)) {
            painter.line_segment([*from, *to], shadow);
            painter.line_segment([*from, *to], stroke);
        }
    }
    if kind == MeasurementKind::Slip
        && let [posterior, anterior, corner] = points
    {
        // The perpendicular from the corner to the endplate shows how far the corner is along it.
        let endplate = *anterior - *posterior;
        let share = (*corner - *posterior).dot(endplate) / endplate.length_sq().max(1e-3);
        let foot = *posterior + endplate * share;
        painter.extend(egui::Shape::dashed_line(&[*corner, foot], stroke, 4.0, 3.0));
        painter.line_segment([*posterior, foot], Stroke::new(3.0, theme::MEASUREMENT));
    }
    for point in points {
        let radius = if selected { 4.0 } else { 3.0 };
        painter.circle(*point, radius, theme::name_backing(), Stroke::new(1.5, theme::MEASUREMENT));
    }
}

/// The value beside the rightmost point, on a backing: it may stand on tissue and names alike. Where the view ends before
/// that, it stands below the lowest point; where another label stands, below that.
fn label(painter: &Painter, points: &[Pos2], text: &str, others: &mut Vec<Rect>) {
    let Some(rightmost) = points.iter().max_by(|a, b| a.x.total_cmp(&b.x)) else { return };
    let colors = [theme::MEASUREMENT, theme::text_shadow()];
    let size = painter.layout_no_wrap(text.to_owned(), theme::image_font(13.0), colors[0]).size();
    let right = painter.clip_rect().right() - 6.0;
    let beside = *rightmost + vec2(12.0, 2.0 - size.y / 2.0);
    let at = if beside.x + size.x <= right {
        beside
    } else {
        let lowest = points.iter().map(|point| point.y).fold(f32::NEG_INFINITY, f32::max);
        pos2(right - size.x, lowest + 12.0)
    };
    let mut place = Rect::from_min_size(at, size).expand2(vec2(4.0, 1.0));
    while let Some(other) = others.iter().find(|other| other.intersects(place)) {
        place = place.translate(vec2(0.0, other.bottom() + 1.0 - place.top()));
    }
    name_on_image(painter, place.shrink2(vec2(4.0, 1.0)).left_top(), Align2::LEFT_TOP, text, colors);
    others.push(place);
}

/// Points placed so far, the line to the pointer, and what comes next.
fn paint_unfinished(ui: &Ui, response: &Response, scene: &Scene, kind: MeasurementKind, hand: &Hand) {
    let painter = ui.painter_at(scene.transform.viewport);
    let mut points: Vec<Pos2> = hand.placed.iter().map(|point| scene.transform.screen_from_image(*point)).collect();
    if !points.is_empty() && hand.moved.is_none() {
        points.extend(response.hover_pos());
        lines(&painter, kind, &points, true);
    }
    let at = scene.transform.viewport.center_bottom() - vec2(0.0, 40.0);
    let hint = translated(kind.next_point(hand.placed.len()));
    // On a backing: the name of the lowest disc may lie there.
    name_on_image(&painter, at, Align2::CENTER_BOTTOM, hint, [theme::MEASUREMENT, theme::text_shadow()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_make_room_for_each_other() {
        let context = egui::Context::default();
        let mut labels = Vec::new();
        let mut output = context.run_ui(egui::RawInput::default(), |ui| {
            let area = Rect::from_min_size(Pos2::ZERO, vec2(600.0, 400.0));
            let painter = ui.painter_at(area);
            labels.clear();
            for y in [100.0, 104.0, 108.0, 300.0] {
                label(&painter, &[pos2(50.0, y), pos2(90.0, y)], "L4-L5 7.2 mm", &mut labels);
            }
        });
        output.textures_delta.clear();
        assert_eq!(labels.len(), 4);
        let overlap = |a: usize, b: usize| labels[a].intersects(labels[b]);
        assert!((0..4).all(|a| (0..a).all(|b| !overlap(a, b))), "{labels:?}");
        assert!((labels[3].center().y - 302.0).abs() < 1.0, "where there is room it stays beside its line");
    }

    #[test]
    fn a_line_is_near_along_its_length_only() {
        let line = [pos2(10.0, 10.0), pos2(50.0, 10.0)];
        assert_eq!(distance_to(line, pos2(30.0, 14.0)), 4.0);
        assert_eq!(distance_to(line, pos2(53.0, 14.0)), 5.0);
    }
}
