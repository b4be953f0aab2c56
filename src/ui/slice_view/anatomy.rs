//! Outlines and names of the vertebral bodies, names of the discs.

use eframe::egui::{self, Align2, CursorIcon, Painter, Pos2, Role, Sense, Shape, Stroke, Ui, WidgetInfo, vec2};

use super::{Scene, input, name_on_image};
use crate::spine::{Corners, Disc, Vertebra};
use crate::ui::action::{Actions, ReadAction};
use crate::ui::language::tr;
use crate::ui::state::AnnotationLevel;
use crate::ui::theme;

/// Below this confidence an outline is dashed.
const SURE: f32 = 0.5;

/// Outlines (only with all annotations) and the names of the discs, which can be clicked.
pub(crate) fn anatomy_ui(ui: &Ui, scene: &Scene, actions: &mut Actions) {
    let painter = ui.painter_at(scene.transform.viewport);
    if scene.state.view.annotations == AnnotationLevel::All {
        for vertebra in &scene.state.reading.findings.vertebrae {
            vertebra_outline(&painter, scene, vertebra);
        }
    }
    for disc in &scene.state.reading.discs {
        disc_name_ui(ui, &painter, scene, disc, actions);
    }
}

/// Whether the body was seen on this slice or on slices around it.
fn is_measured_at(vertebra: &Vertebra, slice: usize) -> bool {
    let (first, last) = (vertebra.outlines.first(), vertebra.outlines.last());
    first.zip(last).is_some_and(|(first, last)| (first.slice..=last.slice).contains(&slice))
}

fn screen_corners(scene: &Scene, corners: &Corners) -> [Pos2; 4] {
    corners.as_array().map(|corner| scene.transform.screen_from_image(corner))
}

fn vertebra_outline(painter: &Painter, scene: &Scene, vertebra: &Vertebra) {
    let Some(corners) = vertebra.corners_at(scene.slice as f64) else { return };
    if !is_measured_at(vertebra, scene.slice) {
        return;
    }
    let color = theme::VERTEBRA.gamma_multiply(0.35 + 0.5 * vertebra.confidence.clamp(0.0, 1.0));
    let stroke = Stroke::new(1.2, color);
    let [sa, sp, ip, ia] = screen_corners(scene, &corners);
    let path = [sa, sp, ip, ia, sa];
    if vertebra.confidence < SURE {
        painter.extend(Shape::dashed_line(&path, stroke, 5.0, 4.0));
    } else {
        painter.add(Shape::line(path.to_vec(), stroke));
    }
    let center = scene.transform.screen_from_image(corners.center());
    let colors = [theme::VERTEBRA, theme::name_backing()];
    name_on_image(painter, center, Align2::CENTER_CENTER, &vertebra.label.to_string(), colors);
}

fn disc_name_ui(ui: &Ui, painter: &Painter, scene: &Scene, disc: &Disc, actions: &mut Actions) {
    let slice = scene.slice as f64;
    let (Some(above), Some(below)) = (disc.upper.corners_at(slice), disc.lower.corners_at(slice)) else { return };
    let to_screen = |point| scene.transform.screen_from_image(point);
    let anterior = to_screen((above.ia + below.sa) / 2.0);
    let posterior = to_screen((above.ip + below.sp) / 2.0);
    let outward = (anterior - posterior).normalized();
    let anchor = if outward.x < 0.0 { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
    let at = anterior + outward * 30.0;
    let name = disc.level.to_string();
    let galley = painter.layout_no_wrap(name.clone(), theme::image_font(13.0), theme::DISC);
    let rect = anchor.anchor_size(at, galley.size()).expand2(vec2(5.0, 2.0));
    if !scene.transform.viewport.contains_rect(rect) {
        return;
    }
    let response = ui.interact(rect, ui.scope_id().with(("disc", disc.level)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, tr!("Disc {level}", level = name)));
    let selected = scene.state.reading.selection.is_some_and(|selection| selection.level == disc.level);
    name_on_image(painter, at, anchor, &name, disc_colors(selected, response.hovered()));
    painter.line_segment([anterior + outward * 4.0, at - outward * 3.0], Stroke::new(1.0, leader_color(selected)));
    if response.clicked() {
        actions.push(ReadAction::PointAtDisc(disc.level));
    }
    response.context_menu(|ui| input::relabel_menu_ui(ui, disc.level, actions));
    response
        .on_hover_cursor(CursorIcon::PointingHand)
        .on_hover_text(tr!("Click to select, right click to correct the level"));
}

fn leader_color(selected: bool) -> egui::Color32 {
    if selected { theme::ACCENT } else { theme::DISC.gamma_multiply(0.45) }
}

/// Text and backing of a disc's name.
fn disc_colors(selected: bool, hovered: bool) -> [egui::Color32; 2] {
    match (selected, hovered) {
        (true, _) => [theme::TEXT_STRONG, theme::ACCENT_DIM],
        (false, true) => [theme::ACCENT, theme::name_backing()],
        (false, false) => [theme::DISC, theme::name_backing()],
    }
}
