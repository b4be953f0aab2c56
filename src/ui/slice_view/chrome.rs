//! Texts in the corners, orientation letters, ruler and the legend of the evidence.

use eframe::egui::{self, Align2, Mesh, Painter, Pos2, Rect, Stroke, Ui, pos2, vec2};
use glam::DVec2;

use super::{Scene, name_on_image, text_on_image};
use crate::ui::action::Probe;
use crate::ui::companion::{CommonSpace, Companion};
use crate::ui::evidence_panel::method_name;
use crate::ui::language::{in_force, tr};
use crate::ui::state::{AnnotationLevel, MapState, Tool, ViewerState};
use crate::ui::{criteria, theme};
use crate::volume::{PlaneOrientation, orientation_letters};

const MARGIN: f32 = 10.0;
const TEXT_SIZE: f32 = 12.0;
const LINE_HEIGHT: f32 = 16.0;
/// Views narrower than this have no room for the caption between the corner texts.
const NARROW: f32 = 660.0;

/// Paints what the level of annotations asks for; the legend shows whenever evidence does.
pub(crate) fn paint(ui: &Ui, scene: &Scene, probe: Option<Probe>) {
    let painter = ui.painter_at(scene.transform.viewport);
    let level = scene.state.view.annotations;
    if level != AnnotationLevel::None {
        letters(&painter, scene);
        ruler(&painter, scene);
        let position = position_lines(scene, probe, ui.pixels_per_point());
        let shown = if level == AnnotationLevel::All { &position[..] } else { &position[..2] };
        corner(&painter, scene, Align2::LEFT_BOTTOM, shown);
        let images = &scene.state.reading.findings.review.key_images;
        if images.iter().any(|image| image.slice == scene.slice) {
            let above = vec2(0.0, shown.len() as f32 * LINE_HEIGHT + 2.0);
            let at = scene.transform.viewport.shrink(MARGIN).left_bottom() - above;
            text_on_image(&painter, at, Align2::LEFT_BOTTOM, tr!("Key image"), 13.0, theme::MEASUREMENT);
        }
    }
    if level == AnnotationLevel::All {
        corner(&painter, scene, Align2::LEFT_TOP, &scene.series.patient_lines);
        present(&painter, scene);
        corner(&painter, scene, Align2::RIGHT_TOP, &scene.series.study_lines);
        corner(&painter, scene, Align2::RIGHT_BOTTOM, &scene.series.series_lines);
    }
    legend(&painter, scene, &scene.state.evidence.main);
    if scene.state.view.tool == Tool::Box && scene.state.reading.selection.is_none() {
        let at = scene.transform.viewport.center_top() + vec2(0.0, 34.0);
        let text = tr!("Select a grade in the table, then drag a box around its finding.");
        text_on_image(&painter, at, Align2::CENTER_TOP, text, 13.0, theme::WARNING);
    }
}

/// Beside another examination: that this is the one that is read.
fn present(painter: &Painter, scene: &Scene) {
    if is_beside_another(scene.state) {
        let below = vec2(0.0, scene.series.patient_lines.len() as f32 * LINE_HEIGHT);
        let at = scene.transform.viewport.shrink(MARGIN).left_top() + below;
        text_on_image(painter, at, Align2::LEFT_TOP, tr!("Present"), 15.0, theme::TEXT_STRONG);
    }
}

/// Whether another examination is shown too.
fn is_beside_another(state: &ViewerState) -> bool {
    let is_other = |beside: &Companion| beside.image.ready().is_some() && beside.space != CommonSpace::Shared;
    state.shown_beside().iter().any(is_other)
}

/// The texts of a series that stands beside another: whose and when is told first, on the left, where a narrow view has
/// room for it. Gives back where the next line would begin.
pub(crate) fn texts_beside(ui: &Ui, scene: &Scene, probe: Option<Probe>) -> Pos2 {
    let painter = ui.painter_at(scene.transform.viewport);
    let level = scene.state.view.annotations;
    let start = scene.transform.viewport.shrink(MARGIN).left_top();
    if level == AnnotationLevel::None {
        return start;
    }
    letters(&painter, scene);
    let position = position_lines(scene, probe, ui.pixels_per_point());
    let shown = if level == AnnotationLevel::All { &position[..] } else { &position[..2] };
    corner(&painter, scene, Align2::LEFT_BOTTOM, shown);
    let mut lines = scene.series.study_lines.clone();
    if level == AnnotationLevel::All {
        ruler(&painter, scene);
        corner(&painter, scene, Align2::RIGHT_BOTTOM, &scene.series.series_lines);
        lines.extend(scene.series.patient_lines.iter().cloned());
    }
    corner(&painter, scene, Align2::LEFT_TOP, &lines);
    start + vec2(0.0, lines.len() as f32 * LINE_HEIGHT)
}

fn corner(painter: &Painter, scene: &Scene, corner: Align2, lines: &[String]) {
    let area = scene.transform.viewport.shrink(MARGIN);
    let start = corner.pos_in_rect(&area);
    let upwards = corner.y() == egui::Align::Max;
    for (index, line) in lines.iter().enumerate() {
        let rank = if upwards { lines.len() - 1 - index } else { index } as f32;
        let dy = if upwards { -rank * LINE_HEIGHT } else { rank * LINE_HEIGHT };
        text_on_image(painter, start + vec2(0.0, dy), corner, line, TEXT_SIZE, theme::ON_IMAGE);
    }
}

/// Slice and position first: those two stay with minimal annotations.
fn position_lines(scene: &Scene, probe: Option<Probe>, pixels_per_point: f32) -> Vec<String> {
    let volume = &scene.series.volume;
    let geometry = volume.geometry();
    let middle = [scene.slice as f64, (volume.rows() as f64 - 1.0) / 2.0, (volume.columns() as f64 - 1.0) / 2.0];
    let lps = geometry.lps_from_voxel(middle);
    let (distance, letters) = match geometry.plane() {
        PlaneOrientation::Sagittal => (lps.x, ["L", "R"]),
        PlaneOrientation::Coronal => (lps.y, ["P", "A"]),
        PlaneOrientation::Axial => (lps.z, ["H", "F"]),
    };
    let side = letters[usize::from(distance < 0.0)];
    let window = scene.window;
    let zoom = scene.transform.points_per_pixel().x * f64::from(pixels_per_point) * 100.0;
    let value = probe.map_or_else(|| "–".to_owned(), |probe| format!("{:.0}", probe.value));
    vec![
        tr!("Slice {slice} / {count}", slice = scene.slice + 1, count = volume.slices()),
        tr!("Position {side} {mm} mm", side = side, mm = in_force().decimal(distance.abs(), 1)),
        tr!("W {width}  L {level}", width = format!("{:.0}", window.width), level = format!("{:.0}", window.center)),
        tr!("Zoom {percent} %", percent = format!("{zoom:.0}")),
        tr!("Value {value}", value = value),
    ]
}

fn letters(painter: &Painter, scene: &Scene) {
    let area = scene.transform.viewport.shrink(MARGIN);
    let geometry = scene.series.volume.geometry();
    let image_from_screen = scene.transform.orientation.matrix().transpose();
    let lps = |screen: DVec2| {
        let image = image_from_screen * screen;
        geometry.column_direction() * image.x + geometry.row_direction() * image.y
    };
    let (right, down) = (lps(DVec2::X), lps(DVec2::Y));
    for (at, anchor, direction) in [
        (area.left_center(), Align2::LEFT_CENTER, -right),
        (area.right_center(), Align2::RIGHT_CENTER, right),
        (area.center_top(), Align2::CENTER_TOP, -down),
        (area.center_bottom(), Align2::CENTER_BOTTOM, down),
    ] {
        text_on_image(painter, at, anchor, &orientation_letters(direction), 16.0, theme::ON_IMAGE);
    }
}

/// Length of the ruler in cm: the longest of a few round ones that fits into `points`.
fn ruler_cm(points: f32, points_per_cm: f32) -> Option<u16> {
    [20, 15, 10, 5, 2, 1].into_iter().find(|cm| f32::from(*cm) * points_per_cm <= points)
}

/// Upright, on the right below the middle, with a tick every centimeter.
fn ruler(painter: &Painter, scene: &Scene) {
    let area = scene.transform.viewport.shrink(MARGIN);
    let points_per_cm = (scene.transform.points_per_mm * 10.0) as f32;
    let top = area.center().y + 24.0;
    let reserved = LINE_HEIGHT * (scene.series.series_lines.len() as f32 + 1.0);
    let Some(cm) = ruler_cm(area.bottom() - reserved - top, points_per_cm) else { return };
    let length = f32::from(cm) * points_per_cm;
    let (x, stroke) = (area.right() - 4.0, Stroke::new(1.0, theme::ON_IMAGE));
    painter.line_segment([pos2(x, top), pos2(x, top + length)], stroke);
    for tick in 0..=cm {
        let y = top + f32::from(tick) * points_per_cm;
        let long = tick == 0 || tick == cm || tick % 5 == 0;
        painter.line_segment([pos2(x - if long { 9.0 } else { 5.0 }, y), pos2(x, y)], stroke);
    }
    let label = pos2(x - 14.0, top + length / 2.0);
    text_on_image(painter, label, Align2::RIGHT_CENTER, &format!("{cm} cm"), TEXT_SIZE, theme::ON_IMAGE);
}

/// Color bar on the right above the middle, and what it explains at the top.
pub(crate) fn legend(painter: &Painter, scene: &Scene, shown: &MapState) {
    let evidence = &scene.state.evidence;
    let Some(map) = evidence.visible(shown) else { return };
    let area = scene.transform.viewport.shrink(MARGIN);
    let bottom = area.center().y - 24.0;
    let bar = Rect::from_min_max(pos2(area.right() - 12.0, bottom - 110.0), pos2(area.right(), bottom));
    color_bar(painter, bar, |strength| theme::from_unit_rgb(evidence.color_map.color(strength)));
    let side = |y: f32| pos2(bar.left() - 5.0, y);
    // Where on the scale the threshold lies.
    let share = (shown.threshold / shown.peak.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
    let y = bar.bottom() - share * bar.height();
    painter.line_segment([pos2(bar.left() - 3.0, y), pos2(bar.right() + 3.0, y)], Stroke::new(1.5, theme::ON_IMAGE));
    text_on_image(painter, side(bar.top() + 5.0), Align2::RIGHT_CENTER, tr!("strong"), 11.0, theme::ON_IMAGE);
    text_on_image(painter, side(bar.bottom() - 5.0), Align2::RIGHT_CENTER, tr!("weak"), 11.0, theme::ON_IMAGE);
    let on_left = scene.series.patient_lines.len() + usize::from(is_beside_another(scene.state));
    let lines = on_left.max(scene.series.study_lines.len()) as f32;
    let is_narrow = scene.state.view.annotations == AnnotationLevel::All && area.width() < NARROW;
    let evidence = tr!(
        "Evidence for {level} {grading} {class}",
        level = map.level,
        grading = criteria::name(map.grading),
        class = criteria::class_name(map.grading, map.class)
    );
    let between = if is_narrow { "\n" } else { " · " };
    let text = format!("{evidence}{between}{}", method_name(map.method));
    // In a narrow view the caption stands below the texts in the upper corners.
    let below = if is_narrow { lines * LINE_HEIGHT + 6.0 } else { 22.0 };
    let at = scene.transform.viewport.center_top() + vec2(0.0, MARGIN + below);
    // On a backing: the name of the uppermost vertebra may lie there.
    name_on_image(painter, at, Align2::CENTER_TOP, &text, [theme::TEXT_STRONG, theme::text_shadow()]);
}

fn color_bar(painter: &Painter, bar: Rect, color: impl Fn(f32) -> egui::Color32) {
    const STEPS: u32 = 32;
    let mut mesh = Mesh::default();
    for step in 0..=STEPS {
        let share = step as f32 / STEPS as f32;
        let y = bar.bottom() - share * bar.height();
        mesh.colored_vertex(Pos2::new(bar.left(), y), color(share));
        mesh.colored_vertex(Pos2::new(bar.right(), y), color(share));
        if step > 0 {
            let base = step * 2;
            mesh.add_triangle(base - 2, base - 1, base);
            mesh.add_triangle(base - 1, base, base + 1);
        }
    }
    painter.add(mesh);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ruler_is_the_longest_round_length_that_fits() {
        assert_eq!(ruler_cm(300.0, 28.0), Some(10));
        assert_eq!(ruler_cm(300.0, 299.0), Some(1));
        assert_eq!(ruler_cm(300.0, 400.0), None);
    }
}
