//! Overlap of the reader's and the predicted boxes against the percentile above which evidence is boxed.

use eframe::egui::{Align2, CursorIcon, Pos2, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::action::{Actions, EvidenceAction};
use super::language::{in_force, tr};
use super::theme;

const SIZE: (f32, f32) = (300.0, 96.0);
/// Room for the numbers on the left and below.
const LEFT: f32 = 30.0;
const BELOW: f32 = 16.0;
/// Room for one number below.
const LABEL: f32 = 16.0;

/// Draws the curve (percentile, overlap); a click takes the nearest percentile. `now` is the percentile in force with its
/// overlap.
pub(crate) fn percentile_curve_ui(ui: &mut Ui, curve: &[(f64, f64)], now: (f64, f64), actions: &mut Actions) {
    let (Some((first, _)), Some((last, _))) = (curve.first(), curve.last()) else { return };
    let (area, response) = ui.allocate_exact_size(vec2(SIZE.0, SIZE.1), Sense::click());
    let best = curve.iter().fold(curve[0], |best, point| if point.1 > best.1 { *point } else { best });
    let overlap = in_force().decimal(best.1, 2);
    let words = tr!("Overlap by percentile, best {overlap} at {percentile}", overlap = overlap, percentile = best.0);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    let plot = Rect::from_min_max(area.min + vec2(LEFT, 6.0), area.max - vec2(8.0, BELOW));
    let top = (best.1.max(now.1).max(0.1) * 10.0).ceil() / 10.0;
    let place = |(percentile, overlap): (f64, f64)| -> Pos2 {
        let x = ((percentile - first) / (last - first).max(f64::MIN_POSITIVE)) as f32;
        let y = (overlap / top) as f32;
        pos2(plot.left() + x * plot.width(), plot.bottom() - y * plot.height())
    };
    let tokens = theme::of(ui);
    let (painter, font) = (ui.painter_at(area), theme::image_font(10.5));
    for share in [0.0, 0.5, 1.0] {
        let y = place((*first, top * share)).y;
        painter.line_segment([pos2(plot.left(), y), pos2(plot.right(), y)], Stroke::new(1.0, tokens.line));
        let at = pos2(plot.left() - 5.0, y);
        painter.text(at, Align2::RIGHT_CENTER, in_force().decimal(top * share, 2), font.clone(), tokens.text_weak);
    }
    let mut free = f32::NEG_INFINITY;
    for (percentile, _) in curve {
        let at = pos2(place((*percentile, 0.0)).x, area.bottom());
        if at.x < free {
            continue;
        }
        free = at.x + LABEL;
        painter.text(at, Align2::CENTER_BOTTOM, format!("{percentile}"), font.clone(), tokens.text_weak);
    }
    let points: Vec<Pos2> = curve.iter().map(|point| place(*point)).collect();
    painter.line(points.clone(), Stroke::new(1.5, tokens.accent));
    for point in &points {
        painter.circle_filled(*point, 2.0, tokens.accent);
    }
    if (*first..=*last).contains(&now.0) {
        painter.circle_stroke(place(now), 4.5, Stroke::new(1.5, tokens.text_strong));
    }
    let response = response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(&words);
    if let Some(at) = response.interact_pointer_pos().filter(|_| response.clicked()) {
        let distance = |point: &(f64, f64)| (place(*point).x - at.x).abs();
        let nearest = curve.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        actions.extend(nearest.map(|(percentile, _)| EvidenceAction::SetPercentile(*percentile)));
    }
}
