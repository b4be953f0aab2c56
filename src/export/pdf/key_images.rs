//! Pages of key images: what the reader chose to show.

use super::page::{HEIGHT, MARGIN, QUIET, READER, Sheet, Style, TEXT, WIDTH};
use crate::export::key_images::KeyPicture;
use crate::language::{Language, say};

/// Pictures on a page, in two columns.
pub(super) const PER_PAGE: usize = 4;
const GAP: f32 = 18.0;
const TOP: f32 = 84.0;
/// Below a picture, for its words.
const WORDS: f32 = 66.0;
/// Lines of a comment.
const COMMENT_LINES: usize = 2;
/// Room of a page for both rows.
const ROOM: f32 = HEIGHT - 64.0 - TOP;

pub(super) fn draw(sheet: &mut Sheet, pictures: &[KeyPicture], language: Language) {
    sheet.text(MARGIN, 56.0, Style::new(15.0, TEXT).bold(), say!(language, "Key images"));
    sheet.rule(66.0);
    let width = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
    let height = ROOM / 2.0 - WORDS;
    for (index, key) in pictures.iter().enumerate() {
        let (x, y) = (MARGIN + (index % 2) as f32 * (width + GAP), TOP + (index / 2) as f32 * ROOM / 2.0);
        let (across, down) = (key.picture.width() as f32, key.picture.height() as f32);
        let scale = (width / across).min(height / down);
        let size = (across * scale, down * scale);
        sheet.picture((x, y), size, &key.picture);
        let title = Style::new(9.5, TEXT).bold();
        sheet.text(x, y + size.1 + 13.0, title, &title.shortened(&key.title, width));
        let mut below = y + size.1 + 24.0;
        let (said, quiet) = (Style::new(8.5, READER), Style::new(7.2, QUIET));
        for (style, words, lines) in [(said, &key.comment, COMMENT_LINES), (quiet, &key.detail, 2)] {
            let wrapped = style.wrapped(words, width);
            for (index, line) in wrapped.iter().take(lines).enumerate() {
                // What does not fit is said to go on; the text of the report has all of it.
                let is_cut = index + 1 == lines && wrapped.len() > lines;
                let line = if is_cut { style.shortened(&format!("{line} …"), width) } else { line.clone() };
                sheet.text(x, below, style, &line);
                below += 1.25 * style.size;
            }
        }
    }
}
