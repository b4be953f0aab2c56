//! The bar along the right edge of the image: where in the stack the slice lies.

use eframe::egui::{Rect, Sense, Stroke, Ui, WidgetInfo, pos2};

use super::Scene;
use crate::ui::action::{Actions, ViewAction};
use crate::ui::language::tr;
use crate::ui::theme;

const WIDTH: f32 = 10.0;
const SHORTEST_THUMB: f32 = 18.0;

/// The bar; a click or drag shows the slice there.
pub(crate) fn scroll_bar_ui(ui: &Ui, scene: &Scene, actions: &mut Actions) {
    let slices = scene.series.volume.slices();
    if slices < 2 {
        return;
    }
    let viewport = scene.transform.viewport;
    let track = Rect::from_min_max(pos2(viewport.right() - WIDTH, viewport.top()), viewport.right_bottom());
    let response = ui.interact(track, ui.scope_id().with("slice bar"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::slider(true, scene.slice as f64 + 1.0, tr!("Place in the stack")));
    let thumb = (track.height() / slices as f32).max(SHORTEST_THUMB).min(track.height());
    let room = track.height() - thumb;
    if let Some(at) = response.interact_pointer_pos().filter(|_| response.dragged() || response.clicked()) {
        let share = ((at.y - track.top() - thumb / 2.0) / room.max(1.0)).clamp(0.0, 1.0);
        let slice = (share * (slices - 1) as f32).round() as usize;
        if slice != scene.slice {
            actions.push(ViewAction::ShowSlice(slice));
        }
    }
    let top_of = |slice: usize| track.top() + room * slice as f32 / (slices - 1) as f32;
    for image in scene.state.reading.findings.review.key_images.iter().filter(|image| image.slice < slices) {
        let y = top_of(image.slice) + thumb / 2.0;
        ui.painter().hline(track.x_range(), y, Stroke::new(2.0, theme::MEASUREMENT));
    }
    let top = top_of(scene.slice);
    let bar = Rect::from_min_max(pos2(track.left() + 3.0, top), pos2(track.right() - 2.0, top + thumb));
    let active = response.hovered() || response.dragged();
    let color = if active { theme::ACCENT } else { theme::ON_IMAGE.gamma_multiply(0.35) };
    ui.painter().rect_filled(bar, 3.0, color);
}
