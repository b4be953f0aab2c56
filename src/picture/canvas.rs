//! A sheet to lay pictures, lines and text on.

use glam::DVec2;
use image::RgbImage;
use skrifa::MetadataProvider;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use vello_cpu::kurbo::{Affine, BezPath, Circle, Rect, RoundedRect, Shape};

use super::drawing::{Drawing, Mark};
use super::faces::faces_of;

/// sRGB with opacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink(pub(super) [u8; 4]);

impl Ink {
    /// Text on paper.
    pub(super) const TEXT: Self = Self([28, 32, 38, 255]);
    /// Less important text on paper.
    pub(super) const QUIET: Self = Self([104, 111, 121, 255]);
    /// Thin separating lines on paper.
    pub(super) const RULE: Self = Self([214, 217, 222, 255]);
    /// What the program marked in the image.
    pub(super) const PREDICTED: Self = Self([70, 214, 255, 255]);
    /// What a reader marked in the image.
    pub(super) const READER: Self = Self([126, 240, 130, 255]);
    /// Where a finding probably lies, learned from readers' boxes.
    pub(super) const LEARNED: Self = Self([226, 150, 240, 255]);
    /// Text on images.
    pub(super) const WHITE: Self = Self([255, 255, 255, 255]);
    /// Around text on images.
    pub(super) const SHADE: Self = Self([0, 0, 0, 200]);

    /// The same color at another opacity.
    pub(super) fn faded(self, opacity: f32) -> Self {
        let [red, green, blue, alpha] = self.0;
        Self([red, green, blue, (f32::from(alpha) * opacity).round() as u8])
    }
}

/// The color of the sheets.
pub(super) const PAPER: [u8; 3] = [252, 252, 250];

/// Which end of a text its position gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TextStyle {
    /// Size of the letter square, pixels.
    pub(super) size: f64,
    pub(super) ink: Ink,
    pub(super) align: Align,
    pub(super) bold: bool,
    /// Dark surround, for text on images.
    pub(super) halo: bool,
}

impl TextStyle {
    /// Left-aligned text of a size and color.
    pub(super) fn new(size: f64, ink: Ink) -> Self {
        Self { size, ink, align: Align::Left, bold: false, halo: false }
    }

    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) fn halo(self) -> Self {
        Self { halo: true, ..self }
    }

    pub(super) fn aligned(self, align: Align) -> Self {
        Self { align, ..self }
    }

    /// Width of a text in this style, pixels.
    pub(super) fn width(self, text: &str) -> f64 {
        layout(text, self.size).1
    }

    /// The text, cut short with an ellipsis where it is wider than `room`.
    pub(super) fn shortened(self, text: &str, room: f64) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        let letters: Vec<char> = text.chars().collect();
        let cut = |count: usize| letters[..count].iter().collect::<String>().trim_end().to_owned() + "…";
        let fitting = (0..letters.len()).rev().map(cut).find(|short| self.width(short) <= room);
        fitting.unwrap_or_default()
    }
}

/// A sheet under way: pictures first, lines and text always above them.
pub(super) struct Canvas {
    drawing: Drawing,
}

impl Canvas {
    /// An empty sheet of paper.
    ///
    /// # Panics
    /// If a side is longer than 65,535 pixels.
    pub(super) fn new(width: u32, height: u32) -> Self {
        let side = |length: u32| u16::try_from(length).expect("sheets are some thousand pixels large");
        Self { drawing: Drawing::new(side(width), side(height)) }
    }

    /// Lays a picture on the sheet, its corner at (`x`, `y`).
    pub(super) fn place(&mut self, picture: &RgbImage, x: u32, y: u32) {
        self.drawing.pictures.push((picture.clone(), [x, y]));
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: DVec2, to: DVec2, width: f64, ink: Ink) {
        self.polyline(&[from, to], false, width, ink);
    }

    /// Joined lines, back to the start if `closed`.
    pub(super) fn polyline(&mut self, points: &[DVec2], closed: bool, width: f64, ink: Ink) {
        let mut path = BezPath::new();
        for (index, point) in points.iter().enumerate() {
            if index == 0 { path.move_to((point.x, point.y)) } else { path.line_to((point.x, point.y)) }
        }
        if closed {
            path.close_path();
        }
        self.stroke(path, width, ink);
    }

    /// The outline of a rectangle.
    pub(super) fn frame(&mut self, corner: DVec2, size: DVec2, width: f64, ink: Ink) {
        let path = Rect::new(corner.x, corner.y, corner.x + size.x, corner.y + size.y).to_path(0.1);
        self.stroke(path, width, ink);
    }

    /// A filled rectangle with round corners.
    pub(super) fn plate(&mut self, corner: DVec2, size: DVec2, radius: f64, ink: Ink) {
        let rect = RoundedRect::new(corner.x, corner.y, corner.x + size.x, corner.y + size.y, radius);
        self.fill(rect.to_path(0.1), ink);
    }

    /// A filled polygon.
    pub(super) fn polygon(&mut self, corners: &[DVec2], ink: Ink) {
        let mut path = BezPath::new();
        for (index, point) in corners.iter().enumerate() {
            if index == 0 { path.move_to((point.x, point.y)) } else { path.line_to((point.x, point.y)) }
        }
        path.close_path();
        self.fill(path, ink);
    }

    /// A filled circle.
    pub(super) fn dot(&mut self, center: DVec2, radius: f64, ink: Ink) {
        self.fill(Circle::new((center.x, center.y), radius).to_path(0.1), ink);
    }

    /// One line of text; `at` is on the base line. Letters that no face of the system has show as an empty box.
    pub(super) fn text(&mut self, at: DVec2, style: TextStyle, text: &str) {
        let (mut path, width) = layout(text, style.size);
        let shift = match style.align {
            Align::Left => 0.0,
            Align::Center => width / 2.0,
            Align::Right => width,
        };
        path.apply_affine(Affine::translate((at.x - shift, at.y)));
        if style.halo {
            self.stroke(path.clone(), style.size * 0.22, Ink::SHADE);
        }
        self.fill(path.clone(), style.ink);
        if style.bold {
            self.stroke(path, style.size * 0.042, style.ink);
        }
    }

    /// The finished picture.
    pub(super) fn finish(self) -> RgbImage {
        self.drawing.raster()
    }

    /// The finished drawing, for pixels or vectors.
    pub(super) fn into_drawing(self) -> Drawing {
        self.drawing
    }

    fn fill(&mut self, path: BezPath, ink: Ink) {
        self.drawing.marks.push(Mark { path, width: None, ink });
    }

    fn stroke(&mut self, path: BezPath, width: f64, ink: Ink) {
        self.drawing.marks.push(Mark { path, width: Some(width), ink });
    }
}

/// Width of a text in the font of the pictures, in the unit of `size`.
#[must_use]
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    layout(text, size).1
}

/// The outlines of a text that starts at the origin, and its width.
fn layout(text: &str, size: f64) -> (BezPath, f64) {
    let size = Size::new(size as f32);
    let mut pen = Pen { path: BezPath::new(), x: 0.0 };
    for (face, part) in faces_of(text) {
        let Some(font) = face.font() else { continue };
        let (letters, outlines) = (font.charmap(), font.outline_glyphs());
        let metrics = font.glyph_metrics(size, LocationRef::default());
        for letter in part.chars() {
            let glyph = letters.map(letter).unwrap_or_default();
            // A broken outline in a face of the system leaves its place empty.
            if let Some(outline) = outlines.get(glyph) {
                let _ = outline.draw(DrawSettings::unhinted(size, LocationRef::default()), &mut pen);
            }
            pen.x += f64::from(metrics.advance_width(glyph).unwrap_or_default());
        }
    }
    (pen.path, pen.x)
}

/// Collects glyph outlines (y up) as one path (y down).
struct Pen {
    path: BezPath,
    x: f64,
}

impl Pen {
    fn point(&self, x: f32, y: f32) -> (f64, f64) {
        (self.x + f64::from(x), -f64::from(y))
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let to = self.point(x, y);
        self.path.move_to(to);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.point(x, y);
        self.path.line_to(to);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        let (control, to) = (self.point(cx, cy), self.point(x, y));
        self.path.quad_to(control, to);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        let (first, second, to) = (self.point(cx0, cy0), self.point(cx1, cy1), self.point(x, y));
        self.path.curve_to(first, second, to);
    }

    fn close(&mut self) {
        self.path.close_path();
    }
}

#[cfg(test)]
mod tests {
    use super::super::faces::Face;
    use super::*;
    use image::Rgb;

    #[test]
    fn text_has_width_and_lands_where_it_is_aligned() {
        let style = TextStyle::new(20.0, Ink::TEXT);
        let width = style.width("L4-L5");
        assert!((40.0..70.0).contains(&width), "{width} pixels");
        let mut canvas = Canvas::new(200, 40);
        canvas.text(DVec2::new(100.0, 30.0), style.aligned(Align::Right), "L4-L5");
        let picture = canvas.finish();
        let inked: Vec<u32> = picture.enumerate_pixels().filter(|(.., p)| p.0[0] < 128).map(|(x, ..)| x).collect();
        let (first, last) = (inked.iter().min().expect("ink"), inked.iter().max().expect("ink"));
        assert!(*last <= 100 && f64::from(*first) >= 100.0 - width - 1.0, "{first} to {last}");
    }

    #[test]
    fn long_text_is_cut_to_its_room() {
        let style = TextStyle::new(20.0, Ink::TEXT);
        assert_eq!(style.shortened("short", 200.0), "short");
        let cut = style.shortened("Narrowing 3, upper endplate defect, central canal stenosis", 200.0);
        assert!(cut.starts_with("Narrowing 3,") && cut.ends_with('…') && style.width(&cut) <= 200.0, "{cut}");
        assert_eq!(style.shortened("anything", 1.0), "");
    }

    #[test]
    fn lines_cover_pictures_and_leave_the_rest() {
        let mut canvas = Canvas::new(20, 20);
        canvas.place(&RgbImage::from_pixel(10, 20, Rgb([0, 0, 200])), 10, 0);
        canvas.line(DVec2::new(0.0, 10.5), DVec2::new(20.0, 10.5), 1.0, Ink([255, 0, 0, 255]));
        let picture = canvas.finish();
        assert_eq!(picture.get_pixel(3, 3).0, PAPER);
        assert_eq!(picture.get_pixel(15, 3).0, [0, 0, 200]);
        assert_eq!(picture.get_pixel(15, 10).0, [255, 0, 0]);
    }

    #[test]
    fn the_font_has_every_letter_that_the_sheets_use() {
        let missing: String =
            "L5-S1 · Pfirrmann – × ° % ± µ é …".chars().filter(|c| !Face::bundled().has(*c)).collect();
        assert_eq!(missing, "");
    }
}
