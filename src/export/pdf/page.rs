//! Words for laying text, lines and pictures on a page. Lengths are points, y grows downwards.

use image::RgbImage;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect, Size, Transform};
use krilla::image::Image;
use krilla::num::NormalizedF32;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};

use crate::picture::{Face, faces_of, text_width};

pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
pub(super) const MARGIN: f32 = 42.0;

pub(super) type Ink = [u8; 3];
pub(super) const TEXT: Ink = [28, 32, 38];
pub(super) const QUIET: Ink = [96, 103, 113];
pub(super) const RULE: Ink = [205, 209, 215];
pub(super) const READER: Ink = [20, 105, 70];
pub(super) const CAUTION: Ink = [150, 70, 20];

/// How text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub size: f32,
    pub ink: Ink,
    pub bold: bool,
}

impl Style {
    pub(super) fn new(size: f32, ink: Ink) -> Self {
        Self { size, ink, bold: false }
    }

    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) fn width(self, text: &str) -> f32 {
        text_width(text, f64::from(self.size)) as f32
    }

    /// The text in lines not wider than `room`; words that are wider are broken.
    pub(crate) fn wrapped(self, text: &str, room: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut line = String::new();
        for word in text.split_whitespace() {
            let mut word = word.to_owned();
            loop {
                let longer = if line.is_empty() { word.clone() } else { format!("{line} {word}") };
                if self.width(&longer) <= room {
                    line = longer;
                    break;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                    continue;
                }
                // One letter fits always, so that this ends.
                let letters: Vec<char> = word.chars().collect();
                let fits = |count: &usize| self.width(&letters[..*count].iter().collect::<String>()) <= room;
                let count = (1..letters.len()).rev().find(fits).unwrap_or(1);
                lines.push(letters[..count].iter().collect());
                word = letters[count..].iter().collect();
                if word.is_empty() {
                    break;
                }
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// The same, smaller by a fifth at most where the text would be wider than `room`.
    pub(crate) fn fitting(self, text: &str, room: f32) -> Self {
        let share = (room / self.width(text).max(1.0)).clamp(0.8, 1.0);
        Self { size: self.size * share, ..self }
    }

    /// The text, cut short with an ellipsis where it is wider than `room`.
    pub(crate) fn shortened(self, text: &str, room: f32) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        let letters: Vec<char> = text.chars().collect();
        let cut = |count: usize| letters[..count].iter().collect::<String>().trim_end().to_owned() + "…";
        (0..letters.len()).rev().map(cut).find(|short| self.width(short) <= room).unwrap_or_default()
    }
}

/// The fonts of a report: that of the window and the pictures, then those that its letters needed beside it.
pub(super) struct Fonts(Vec<(Face, Font)>);

impl Fonts {
    /// The bundled font alone; `None` if it cannot be read.
    pub(crate) fn bundled() -> Option<Self> {
        let face = Face::bundled();
        Some(Self(vec![(face.clone(), embedded(&face)?)]))
    }

    /// The font of a face, or the bundled one where it cannot be embedded.
    fn of(&mut self, face: &Face) -> Font {
        if let Some((_, font)) = self.0.iter().find(|(known, _)| known == face) {
            return font.clone();
        }
        let font = embedded(face).unwrap_or_else(|| self.0[0].1.clone());
        self.0.push((face.clone(), font.clone()));
        font
    }
}

fn embedded(face: &Face) -> Option<Font> {
    let (bytes, index) = face.file();
    Font::new(bytes.into(), index)
}

/// A page under way.
pub(super) struct Sheet<'a> {
    pub surface: Surface<'a>,
    pub fonts: &'a mut Fonts,
    /// Whether letters were asked for that no font has.
    pub lacks_letters: bool,
}

impl Sheet<'_> {
    /// One line of text; (`x`, `y`) is the start of its base line.
    pub(super) fn text(&mut self, x: f32, y: f32, style: Style, text: &str) {
        let paint = color(style.ink);
        self.surface.set_fill(Some(Fill { paint: paint.into(), ..Fill::default() }));
        // Each face comes in one weight; a thin stroke makes it heavier.
        let stroke = Stroke { paint: paint.into(), width: style.size * 0.035, ..Stroke::default() };
        self.surface.set_stroke(style.bold.then_some(stroke));
        let mut x = x;
        for (face, part) in faces_of(text) {
            self.lacks_letters |= part.chars().any(|letter| !letter.is_control() && !face.has(letter));
            let font = self.fonts.of(&face);
            self.surface.draw_text(Point::from_xy(x, y), font, style.size, part, false, TextDirection::Auto);
            x += style.width(part);
        }
        self.surface.set_stroke(None);
    }

    pub(crate) fn text_right(&mut self, x: f32, y: f32, style: Style, text: &str) {
        self.text(x - style.width(text), y, style, text);
    }

    /// Wrapped text; returns the base line that would come next.
    pub(crate) fn paragraph(&mut self, x: f32, y: f32, style: Style, text: &str, room: f32) -> f32 {
        let lines = style.wrapped(text, room);
        for (index, line) in lines.iter().enumerate() {
            self.text(x, y + index as f32 * style.size * 1.35, style, line);
        }
        y + lines.len() as f32 * style.size * 1.35
    }

    /// A filled rectangle.
    pub(crate) fn plate(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), ink: Ink, opacity: f32) {
        let Some(rect) = Rect::from_xywh(x, y, width, height) else { return };
        let mut path = PathBuilder::new();
        path.push_rect(rect);
        let opacity = NormalizedF32::new(opacity).unwrap_or(NormalizedF32::ONE);
        self.surface.set_fill(Some(Fill { paint: color(ink).into(), opacity, ..Fill::default() }));
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
    }

    /// A thin horizontal line.
    pub(super) fn rule(&mut self, y: f32) {
        self.plate((MARGIN, y), (WIDTH - 2.0 * MARGIN, 0.6), RULE, 1.0);
    }

    /// A picture with its corner at (`x`, `y`).
    pub(super) fn picture(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), picture: &RgbImage) {
        let pixels = picture.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2], 255]).collect();
        let image = Image::from_rgba8(pixels, picture.width(), picture.height());
        self.surface.push_transform(&Transform::from_translate(x, y));
        if let Some(size) = Size::from_wh(width, height) {
            self.surface.draw_image(image, size);
        }
        self.surface.pop();
    }
}

fn color([red, green, blue]: Ink) -> rgb::Color {
    rgb::Color::new(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_at_words_and_breaks_long_ones() {
        let style = Style::new(10.0, TEXT);
        let lines = style.wrapped("L4-L5: Pfirrmann IV, narrowing 3, upper endplate defect.", 120.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| style.width(line) <= 120.0), "{lines:?}");
        assert_eq!(lines.join(" "), "L4-L5: Pfirrmann IV, narrowing 3, upper endplate defect.");
        let long = style.wrapped(&"a".repeat(200), 100.0);
        assert!(long.len() > 2 && long.concat() == "a".repeat(200));
        assert!(style.wrapped("", 100.0).is_empty());
        assert_eq!(style.wrapped("ab", 0.1), ["a", "b"]);
    }
}
