//! A line below a picture that comes from elsewhere.

use glam::DVec2;
use image::RgbImage;

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::figure::DISCLAIMER;

/// Height of the line, pixels.
const LINE: u32 = 34;
/// Beside the text, pixels.
const MARGIN: f64 = 12.0;

/// The picture over a line, or two where one is too short, that says `text` and what results are not.
#[must_use]
pub(crate) fn captioned(picture: &RgbImage, text: &str) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let size = (f64::from(width) / 46.0).clamp(9.0, 15.0);
    let style = TextStyle::new(size, Ink::QUIET);
    let fits = style.width(text) + style.width(DISCLAIMER) + 3.0 * MARGIN <= f64::from(width);
    let lines = if fits { 1 } else { 2 };
    let mut canvas = Canvas::new(width.max(1), height + lines * LINE);
    canvas.place(picture, 0, 0);
    let line = |number: u32| f64::from(height + number * LINE) - 12.0;
    canvas.text(DVec2::new(MARGIN, line(1)), style, text);
    let right = DVec2::new(f64::from(width) - MARGIN, line(lines));
    canvas.text(right, style.aligned(Align::Right), DISCLAIMER);
    canvas.finish()
}
