//! The following pages: where the evidence for abnormal grades lies.

use super::page::{MARGIN, QUIET, Sheet, Style, TEXT, WIDTH};
use crate::language::{Language, say};
use crate::picture::evidence_tile;
use crate::pipeline::Evidence;

/// Tiles on a page, in two columns.
pub(super) const PER_PAGE: usize = 6;
const GAP: f32 = 18.0;
/// Pixels of a tile: sharp in print.
const PIXELS: (u32, u32) = (900, 640);

pub(super) fn draw(sheet: &mut Sheet, evidence: &[&Evidence], language: Language) {
    sheet.text(MARGIN, 56.0, Style::new(15.0, TEXT).bold(), say!(language, "Supporting evidence for abnormal grades"));
    let caution = say!(
        language,
        "Where the network found support for a grade. Supporting evidence only: it does not outline a lesion."
    );
    sheet.text(MARGIN, 72.0, Style::new(9.0, QUIET), caution);
    sheet.rule(82.0);
    let width = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
    let height = width * PIXELS.1 as f32 / PIXELS.0 as f32;
    for (index, evidence) in evidence.iter().enumerate() {
        let figure = evidence.figure(language);
        let (x, y) = (MARGIN + (index % 2) as f32 * (width + GAP), 98.0 + (index / 2) as f32 * (height + 52.0));
        match evidence_tile(&evidence.volume, &figure, PIXELS.0, PIXELS.1) {
            Some(tile) => sheet.picture((x, y), (width, height), &tile),
            None => sheet.text(
                x,
                y + 20.0,
                Style::new(9.0, QUIET),
                say!(language, "The scan has no slice of this disc volume."),
            ),
        }
        let title = Style::new(9.5, TEXT).bold();
        let words = format!("{}  {}", figure.level, figure.finding());
        sheet.text(x, y + height + 13.0, title, &title.shortened(&words, width));
        let quiet = Style::new(7.2, QUIET);
        let boxes = say!(language, "{boxing}; seed {seed}", boxing = figure.boxing(), seed = evidence.seed);
        for (line, words) in [(24.0, figure.making()), (33.0, boxes)] {
            let quiet = quiet.fitting(&words, width);
            sheet.text(x, y + height + line, quiet, &quiet.shortened(&words, width));
        }
    }
}
