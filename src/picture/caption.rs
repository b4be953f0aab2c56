//! A line below a picture that comes from elsewhere.

use glam::DVec2;
use image::RgbImage;

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::figure::DISCLAIMER;

/// Height of the line, pixels.
const LINE: u32 = 34;
/// Beside the text, pixels.
const MARGIN: f64 = 12.0;

/// The picture over as many lines as it takes to say `text` and what results are not.
#[must_use]
pub(crate) fn captioned(picture: &RgbImage, text: &str) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let size = (f64::from(width) / 46.0).clamp(9.0, 15.0);
    let style = TextStyle::new(size, Ink::QUIET);
    let room = f64::from(width) - 2.0 * MARGIN;
    let said = wrapped(style, text, room);
    let last = said.last().map_or(0.0, |line| style.width(line));
    let fits = last + MARGIN + style.width(DISCLAIMER) <= room;
    let lines = (said.len() as u32 + u32::from(!fits)).max(1);
    let mut canvas = Canvas::new(width.max(1), height + lines * LINE);
    canvas.place(picture, 0, 0);
    let line = |number: u32| f64::from(height + number * LINE) - 12.0;
    for (number, said) in (1..).zip(&said) {
        canvas.text(DVec2::new(MARGIN, line(number)), style, said);
    }
    let right = DVec2::new(f64::from(width) - MARGIN, line(lines));
    canvas.text(right, style.aligned(Align::Right), DISCLAIMER);
    canvas.finish()
}

/// The text in lines that are no wider than `room`, as far as its words allow.
fn wrapped(style: TextStyle, text: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut() {
            let longer = format!("{line} {word}");
            if style.width(&longer) <= room {
                *line = longer;
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_takes_more_lines_and_none_is_wider_than_the_picture() {
        let picture = RgbImage::new(400, 300);
        let words = "a comment of a reader that goes on and on ".repeat(4);
        let style = TextStyle::new(9.0, Ink::QUIET);
        let lines = wrapped(style, &words, 376.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| style.width(line) <= 376.0), "{lines:?}");
        assert_eq!(lines.join(" "), words.trim());
        assert!(captioned(&picture, &words).height() >= 300 + lines.len() as u32 * LINE);
        assert_eq!(captioned(&picture, "").height(), 300 + LINE);
    }
}
