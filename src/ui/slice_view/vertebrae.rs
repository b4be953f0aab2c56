//! The vertebra tool: corners and bodies are dragged, a right click deletes or adds.

use eframe::egui::{Align2, CursorIcon, PointerButton, Pos2, Response, Shape, Stroke, Ui, vec2};
use glam::DVec2;

use super::{Scene, name_on_image};
use crate::spine::{Corners, VertebraLabel};
use crate::ui::action::{Actions, VertebraAction};
use crate::ui::language::tr;
use crate::ui::theme;

/// A corner is grabbed within this many points of the screen.
const GRAB_RADIUS: f32 = 10.0;

/// What is dragged.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Grab {
    label: VertebraLabel,
    /// Number of the corner (SA, SP, IP, IA); `None`: the whole body.
    corner: Option<usize>,
    /// Where the body was when it was grabbed.
    before: Corners,
    /// Image point that was grabbed.
    origin: DVec2,
}

impl Grab {
    fn moved_to(&self, point: DVec2) -> Corners {
        let shift = point - self.origin;
        let mut corners = self.before.as_array();
        match self.corner {
            Some(corner) => corners[corner] += shift,
            None => corners = corners.map(|corner| corner + shift),
        }
        Corners::from_array(corners)
    }
}

/// Handles on the corners of every body, and what the mouse does with them.
pub(crate) fn edit_ui(ui: &Ui, response: &Response, scene: &Scene, actions: &mut Actions) {
    let id = response.id.with("vertebra drag");
    let pointer = ui.input(|input| input.pointer.interact_pos());
    if response.drag_started_by(PointerButton::Primary)
        && let Some(origin) = ui.input(|input| input.pointer.press_origin())
        && let Some(grab) = grabbed(scene, origin)
    {
        ui.data_mut(|data| data.insert_temp(id, grab));
    }
    let grab = ui.data(|data| data.get_temp::<Grab>(id));
    let moved = grab.zip(pointer).map(|(grab, at)| (grab, grab.moved_to(scene.transform.image_from_screen(at))));
    paint(ui, scene, moved);
    if response.drag_stopped_by(PointerButton::Primary) {
        ui.data_mut(|data| data.remove::<Grab>(id));
        if let Some((grab, corners)) = moved {
            actions.push(VertebraAction::Reshape { label: grab.label, corners });
        }
    }
    if let Some(at) = response.hover_pos() {
        let icon = match grab.or_else(|| grabbed(scene, at)) {
            Some(Grab { corner: Some(_), .. }) => CursorIcon::Grab,
            Some(_) => CursorIcon::Move,
            None => CursorIcon::Default,
        };
        ui.ctx().set_cursor_icon(icon);
    }
}

/// The bodies on the slice shown.
fn bodies<'a>(scene: &'a Scene) -> impl Iterator<Item = (VertebraLabel, Corners)> + 'a {
    let slice = scene.slice as f64;
    scene.state.reading.findings.vertebrae.iter().filter_map(move |body| Some((body.label, body.corners_at(slice)?)))
}

fn grabbed(scene: &Scene, at: Pos2) -> Option<Grab> {
    let origin = scene.transform.image_from_screen(at);
    let near = |corner: DVec2| scene.transform.screen_from_image(corner).distance(at);
    let corners = bodies(scene).flat_map(|(label, before)| {
        before.as_array().into_iter().enumerate().map(move |(number, corner)| (label, before, number, corner))
    });
    let nearest = corners
        .filter(|(.., corner)| near(*corner) <= GRAB_RADIUS)
        .min_by(|a, b| near(a.3).total_cmp(&near(b.3)))
        .map(|(label, before, number, _)| Grab { label, corner: Some(number), before, origin });
    nearest.or_else(|| {
        let (label, before) = bodies(scene).find(|(_, corners)| corners.contains(origin))?;
        Some(Grab { label, corner: None, before, origin })
    })
}

/// The body under an image point.
pub(crate) fn body_at(scene: &Scene, point: DVec2) -> Option<VertebraLabel> {
    bodies(scene).find(|(_, corners)| corners.contains(point)).map(|(label, _)| label)
}

fn paint(ui: &Ui, scene: &Scene, moved: Option<(Grab, Corners)>) {
    let painter = ui.painter_at(scene.transform.viewport);
    for (label, corners) in bodies(scene) {
        let dragged = moved.filter(|(grab, _)| grab.label == label).map(|(_, corners)| corners);
        let points: Vec<Pos2> = dragged
            .unwrap_or(corners)
            .as_array()
            .into_iter()
            .map(|corner| scene.transform.screen_from_image(corner))
            .collect();
        if dragged.is_some() {
            painter.add(Shape::closed_line(points.clone(), Stroke::new(2.0, theme::VERTEBRA)));
        }
        for point in points {
            painter.circle(point, 4.0, theme::name_backing(), Stroke::new(1.5, theme::VERTEBRA));
        }
    }
    let at = scene.transform.viewport.center_bottom() - vec2(0.0, 40.0);
    let text = tr!("Drag a corner or a body. Right click: delete or add a vertebra.");
    name_on_image(&painter, at, Align2::CENTER_BOTTOM, text, [theme::VERTEBRA, theme::text_shadow()]);
}
