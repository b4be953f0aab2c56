//! A line below a picture that comes from elsewhere.

use glam::DVec2;
use image::RgbImage;

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::figure::DISCLAIMER;

/// Height of the line, pixels.
const LINE: u32 = 34;

/// The picture over a line that says `text` and what results are not.
#[must_use]
pub(crate) fn captioned(picture: &RgbImage, text: &str) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let mut canvas = Canvas::new(width.max(1), height + LINE);
    canvas.place(picture, 0, 0);
    let size = (f64::from(width) / 46.0).clamp(9.0, 15.0);
    let style = TextStyle::new(size, Ink::QUIET);
    let y = f64::from(height) + 22.0;
    canvas.text(DVec2::new(12.0, y), style, text);
    canvas.text(DVec2::new(f64::from(width) - 12.0, y), style.aligned(Align::Right), DISCLAIMER);
    canvas.finish()
}
