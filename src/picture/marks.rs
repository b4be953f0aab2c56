//! What stands on a slice: bodies with their names, and what a reader measured.

use glam::DVec2;

use super::canvas::{Align, Canvas, Ink, TextStyle};
use crate::spine::{Measurement, Vertebra, VertebraLabel};

/// Draws the outline of a body and its name on a picture of `size`.
pub(super) fn draw_body(
    canvas: &mut Canvas,
    vertebra: &Vertebra,
    slice: usize,
    size: DVec2,
    screen: impl Fn(DVec2) -> DVec2,
) {
    let Some(corners) = vertebra.corners_at(slice as f64) else { return };
    let [sa, sp, ip, ia] = corners.as_array().map(screen);
    if vertebra.label == VertebraLabel::S1 {
        // Only the upper endplate of S1 is known.
        canvas.polyline(&[sa.lerp(ia, 0.25), sa, sp, sp.lerp(ip, 0.25)], false, 2.0, Ink::PREDICTED);
    } else {
        canvas.polyline(&[sa, sp, ip, ia], true, 2.0, Ink::PREDICTED);
    }
    let style = TextStyle::new(24.0, Ink::WHITE).bold().halo().aligned(Align::Center);
    // The label of a body that the image cuts off stays readable.
    let middle = ((sa + sp + ip + ia) / 4.0).clamp(DVec2::splat(24.0), size - 24.0);
    canvas.text(middle + DVec2::new(0.0, 8.0), style, &vertebra.label.to_string());
}

/// Draws what was measured on `slice` on a picture of `size`, each with its words in letters of height `letters`.
pub(super) fn draw_measurements(
    canvas: &mut Canvas,
    measurements: &[(Measurement, String)],
    slice: usize,
    letters: f64,
    size: DVec2,
    screen: impl Fn(DVec2) -> DVec2,
) {
    let style = TextStyle::new(letters, Ink::READER).halo().aligned(Align::Left);
    let mut free = 0.0;
    let mut here: Vec<_> = measurements.iter().filter(|(measured, _)| measured.slice == slice).collect();
    let lowest =
        |measured: &Measurement| measured.points.iter().map(|point| screen(*point).y).fold(f64::NEG_INFINITY, f64::max);
    here.sort_by(|a, b| lowest(&a.0).total_cmp(&lowest(&b.0)));
    for (measured, words) in here {
        let points: Vec<DVec2> = measured.points.iter().map(|point| screen(*point)).collect();
        for [from, to] in measured.kind.lines() {
            if let (Some(from), Some(to)) = (points.get(*from), points.get(*to)) {
                canvas.line(*from, *to, 5.0, Ink::SHADE);
                canvas.line(*from, *to, 2.5, Ink::READER);
            }
        }
        for point in &points {
            canvas.dot(*point, 4.0, Ink::READER);
        }
        let Some(last) = points.iter().copied().reduce(|a, b| if b.x > a.x { b } else { a }) else { continue };
        // The words stand behind the spine, each below those above it.
        let x = (last.x + style.size * 0.6).min(size.x - style.width(words) - 4.0);
        let y = (last.y + style.size * 0.35).max(free);
        canvas.text(DVec2::new(x, y), style, words);
        free = y + style.size * 1.2;
    }
}
