//! Curves over a labelled grid.

use glam::DVec2;

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::drawing::Drawing;

/// Colors that color-blind readers tell apart (Okabe and Ito 2008), the dark ones first.
const COLORS: [Ink; 6] = [
    Ink([0, 114, 178, 255]),
    Ink([213, 94, 0, 255]),
    Ink([0, 140, 105, 255]),
    Ink([190, 100, 150, 255]),
    Ink([96, 103, 113, 255]),
    Ink([214, 145, 0, 255]),
];
/// Room for the names of the vertical axis, and below for those of the horizontal one.
const LEFT: f64 = 84.0;
const BELOW: f64 = 62.0;
/// Room for the title and for one line of names of curves.
const TITLE: f64 = 30.0;
const NAMES: f64 = 24.0;

/// A named curve.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    pub name: String,
    /// (x, y), ascending by x.
    pub points: Vec<(f64, f64)>,
    /// x of a point to stress, if one is.
    pub stressed: Option<f64>,
}

/// Curves over one pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LineChart {
    /// Above the curves.
    pub title: String,
    /// Below the horizontal axis.
    pub x_name: String,
    /// Above the vertical axis.
    pub y_name: String,
    /// Marks of the horizontal axis; the first and the last are its ends.
    pub x_ticks: Vec<(f64, String)>,
    /// Lower and upper end of the vertical axis; widened to whole steps.
    pub y_range: (f64, f64),
    pub curves: Vec<Curve>,
}

/// Charts beside and below each other under one title.
#[must_use]
pub(crate) fn chart_sheet(title: &str, charts: &[LineChart], columns: usize, notes: &[String]) -> Drawing {
    let (cell, margin, gap) = (DVec2::new(760.0, 470.0), 40.0, 36.0);
    let columns = columns.clamp(1, charts.len().max(1));
    let rows = charts.len().div_ceil(columns);
    let head = if title.is_empty() { 20.0 } else { 84.0 };
    let width = columns as f64 * (cell.x + gap) - gap + 2.0 * margin;
    let height = head + rows as f64 * (cell.y + gap) + 26.0 * notes.len() as f64 + 24.0;
    let mut canvas = Canvas::new(width as u32, height as u32);
    let large = TextStyle::new(30.0, Ink::TEXT).bold();
    canvas.text(DVec2::new(margin, 52.0), large, &large.shortened(title, width - 2.0 * margin));
    for (index, chart) in charts.iter().enumerate() {
        let place = DVec2::new((index % columns) as f64, (index / columns) as f64);
        chart.draw(&mut canvas, DVec2::new(margin, head) + place * (cell + gap), cell);
    }
    let quiet = TextStyle::new(17.0, Ink::QUIET);
    for (index, note) in notes.iter().enumerate() {
        let y = height - 24.0 - 26.0 * (notes.len() - 1 - index) as f64;
        canvas.text(DVec2::new(margin, y), quiet, &quiet.shortened(note, width - 2.0 * margin));
    }
    canvas.into_drawing()
}

impl LineChart {
    /// The chart alone.
    #[must_use]
    pub(crate) fn drawing(&self) -> Drawing {
        chart_sheet("", std::slice::from_ref(self), 1, &[])
    }

    /// Draws the chart into a rectangle of a sheet.
    pub(super) fn draw(&self, canvas: &mut Canvas, corner: DVec2, size: DVec2) {
        canvas.text(corner + DVec2::new(0.0, 20.0), TextStyle::new(19.0, Ink::TEXT).bold(), &self.title);
        let names = self.names(canvas, corner + DVec2::new(0.0, TITLE), size.x);
        let top = TITLE + names + 36.0;
        let area = Area {
            corner: corner + DVec2::new(LEFT, top),
            size: size - DVec2::new(LEFT + 12.0, top + BELOW),
            x: self.x_ticks.first().zip(self.x_ticks.last()).map_or((0.0, 1.0), |(first, last)| (first.0, last.0)),
            y: self.y_range,
        };
        let (area, steps) = area.with_steps();
        self.grid(canvas, &area, &steps);
        for (index, curve) in self.curves.iter().enumerate() {
            let ink = COLORS[index % COLORS.len()];
            let points: Vec<DVec2> = curve.points.iter().map(|point| area.place(*point)).collect();
            if points.len() > 1 {
                canvas.polyline(&points, false, 2.2, ink);
            }
            for (point, (x, _)) in points.iter().zip(&curve.points) {
                marker(canvas, *point, index, if curve.stressed == Some(*x) { 7.5 } else { 4.0 }, ink);
            }
        }
    }

    /// The names of the curves with their markers, in as many lines as they need; returns their height.
    fn names(&self, canvas: &mut Canvas, corner: DVec2, width: f64) -> f64 {
        let style = TextStyle::new(16.0, Ink::QUIET);
        let mut at = DVec2::new(0.0, 16.0);
        for (index, curve) in self.curves.iter().enumerate() {
            let wide = 26.0 + style.width(&curve.name) + 24.0;
            if at.x > 0.0 && at.x + wide > width {
                at = DVec2::new(0.0, at.y + NAMES);
            }
            let ink = COLORS[index % COLORS.len()];
            canvas.line(corner + at + DVec2::new(0.0, -5.0), corner + at + DVec2::new(18.0, -5.0), 2.2, ink);
            marker(canvas, corner + at + DVec2::new(9.0, -5.0), index, 4.0, ink);
            canvas.text(corner + at + DVec2::new(26.0, 0.0), style, &curve.name);
            at.x += wide;
        }
        at.y + 8.0
    }

    fn grid(&self, canvas: &mut Canvas, area: &Area, steps: &[f64]) {
        let text = TextStyle::new(15.0, Ink::QUIET);
        let right = area.corner.x + area.size.x;
        for step in steps {
            let y = area.place((area.x.0, *step)).y;
            canvas.line(DVec2::new(area.corner.x, y), DVec2::new(right, y), 1.0, Ink::RULE);
            let name = number(*step, steps);
            canvas.text(DVec2::new(area.corner.x - 10.0, y + 5.0), text.aligned(Align::Right), &name);
        }
        let base = area.corner.y + area.size.y;
        for (x, name) in &self.x_ticks {
            let x = area.place((*x, area.y.0)).x;
            canvas.line(DVec2::new(x, base), DVec2::new(x, base + 6.0), 1.0, Ink::QUIET);
            canvas.text(DVec2::new(x, base + 24.0), text.aligned(Align::Center), name);
        }
        canvas.line(DVec2::new(area.corner.x, base), DVec2::new(right, base), 1.0, Ink::QUIET);
        let named = TextStyle::new(16.0, Ink::TEXT);
        let middle = area.corner.x + area.size.x / 2.0;
        canvas.text(DVec2::new(middle, base + 50.0), named.aligned(Align::Center), &self.x_name);
        canvas.text(area.corner + DVec2::new(-LEFT, -18.0), named, &self.y_name);
    }
}

/// Where curves are drawn.
struct Area {
    corner: DVec2,
    size: DVec2,
    x: (f64, f64),
    y: (f64, f64),
}

impl Area {
    /// The same with a vertical axis of whole steps, and the steps.
    fn with_steps(self) -> (Self, Vec<f64>) {
        let (low, high) = self.y;
        let span = (high - low).max(f64::MIN_POSITIVE);
        let rough = 10_f64.powf((span / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * rough).into_iter().find(|step| span / step <= 6.0);
        let step = step.unwrap_or(span);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let steps = (0..=(last - first) as usize).map(|index| (first + index as f64) * step).collect();
        (Self { y: (first * step, last * step), ..self }, steps)
    }

    fn place(&self, (x, y): (f64, f64)) -> DVec2 {
        let share = |value: f64, (low, high): (f64, f64)| (value - low) / (high - low).max(f64::MIN_POSITIVE);
        self.corner + self.size * DVec2::new(share(x, self.x), 1.0 - share(y, self.y))
    }
}

/// With as many digits as the steps need.
fn number(value: f64, steps: &[f64]) -> String {
    let step = if steps.len() > 1 { steps[1] - steps[0] } else { 1.0 };
    let digits = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
    format!("{value:.digits$}")
}

/// A circle, square, triangle or diamond.
fn marker(canvas: &mut Canvas, at: DVec2, kind: usize, radius: f64, ink: Ink) {
    let around = |corners: &[(f64, f64)]| -> Vec<DVec2> {
        corners.iter().map(|(x, y)| at + DVec2::new(*x, *y) * radius).collect()
    };
    match kind % 4 {
        0 => canvas.dot(at, radius, ink),
        1 => canvas.polygon(&around(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]), ink),
        2 => canvas.polygon(&around(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]), ink),
        _ => canvas.polygon(&around(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]), ink),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(y: (f64, f64)) -> Area {
        Area { corner: DVec2::new(10.0, 20.0), size: DVec2::new(100.0, 50.0), x: (90.0, 99.0), y }
    }

    #[test]
    fn axes_have_round_steps_around_the_values() {
        let (wide, steps) = area((0.0, 0.47)).with_steps();
        let said: Vec<String> = steps.iter().map(|step| number(*step, &steps)).collect();
        assert_eq!(said, ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(wide.place((90.0, 0.0)), DVec2::new(10.0, 70.0));
        assert!((wide.place((99.0, 0.5)) - DVec2::new(110.0, 20.0)).length() < 1e-9);
        let (_, steps) = area((-1.0, 1.0)).with_steps();
        let said: Vec<String> = steps.iter().map(|step| number(*step, &steps)).collect();
        assert_eq!(said, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        let (_, steps) = area((0.0, 0.0)).with_steps();
        assert!(!steps.is_empty() && steps.len() < 10, "a flat range ends");
    }

    #[test]
    fn curves_are_drawn_in_their_colors() {
        let curve = |name: &str, y: f64| Curve {
            name: name.to_owned(),
            points: (90..100).map(|x| (f64::from(x), y * f64::from(x - 90) / 9.0)).collect(),
            stressed: Some(97.0),
        };
        let chart = LineChart {
            title: "Upper marrow change".to_owned(),
            x_name: "Percentile".to_owned(),
            y_name: "IoU".to_owned(),
            x_ticks: (90..100).map(|x| (f64::from(x), x.to_string())).collect(),
            y_range: (0.0, 0.4),
            curves: vec![curve("Contrastive excitation", 0.4), curve("Gradient", 0.2)],
        };
        let picture = chart.drawing().raster();
        for Ink([red, green, blue, _]) in &COLORS[..2] {
            let inked = picture.pixels().filter(|pixel| pixel.0 == [*red, *green, *blue]).count();
            assert!(inked > 500, "{inked} pixels");
        }
    }
}
