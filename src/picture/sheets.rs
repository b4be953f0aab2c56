//! The figures of evidence maps: one map, methods side by side, thresholds, convergence, unlearning.

use super::chart::LineChart;
use super::drawing::Drawing;
use super::figure::{EvidenceFigure, ordinal};
use super::sheet::{EvidenceSheet, Tile, TileRow};
use super::tile::{TileView, strongest_slice};
use crate::spine::PATCH_SLICES;
use crate::volume::Volume;

/// Slices of the disc volume that the paper's figures show: the second to the eighth of nine.
const PAPER_SLICES: std::ops::RangeInclusive<usize> = 1..=7;

/// Rows for the slices of `patch_slices` that the scan has.
fn row<'a>(
    volume: &'a Volume,
    figure: &'a EvidenceFigure<'a>,
    (name, detail): (String, String),
    view: TileView,
    patch_slices: impl Iterator<Item = usize>,
    with_captions: bool,
) -> TileRow<'a> {
    let tiles = patch_slices.filter_map(|patch_slice| {
        let slice = figure.frame.scan_slice(patch_slice)?;
        let caption = if with_captions { format!("Slice {} of {}", slice + 1, volume.slices()) } else { String::new() };
        Some(Tile { volume, figure, patch_slice, view, caption })
    });
    TileRow { name, detail, tiles: tiles.collect() }
}

fn named(name: &str, detail: &str) -> (String, String) {
    (name.to_owned(), detail.to_owned())
}

/// The sheet of one evidence map: the disc's slices, the heat map, and the evidence with its boxes in the scan, one column
/// for each slice of the disc volume that the scan has. `scan` names the scan in the header.
#[must_use]
pub(crate) fn figure_sheet(volume: &Volume, figure: &EvidenceFigure, scan: &str) -> Drawing {
    let row = |names, view, captions| row(volume, figure, names, view, 0..PATCH_SLICES, captions);
    let rows = vec![
        row(named("Disc volume", "as the network sees it; anterior left"), TileView::Disc, false),
        row(named("Supporting evidence", "for this grade, on the same slices"), TileView::Heat, false),
        row(named("In the scan", "evidence above the threshold, with its box on each slice"), TileView::InScan, true),
    ];
    let sheet = EvidenceSheet {
        title: format!("{}   {}", figure.level, figure.finding()),
        subtitle: format!("Supporting evidence  ·  {}", figure.making()),
        scan: scan.to_owned(),
        rows,
        chart: None,
        notes: vec![figure.boxing()],
    };
    sheet.drawing()
}

/// The methods side by side, after the figures of the paper: slices 2 to 8 of the disc volume, then for each map the heat
/// map and the overlay. The maps are of one disc and class; `notes` stand at the foot.
///
/// # Panics
/// If there is no map.
#[must_use]
pub(crate) fn methods_sheet(volume: &Volume, figures: &[EvidenceFigure], scan: &str, notes: Vec<String>) -> Drawing {
    let first = figures.first().expect("a map at least");
    let disc = named("Disc volume", "slices 2 to 8 as the network sees them; anterior left");
    let mut rows = vec![row(volume, first, disc, TileView::Disc, PAPER_SLICES, true)];
    for figure in figures {
        let making = format!("{}, N = {}", figure.reading, figure.augmentations);
        rows.push(row(volume, figure, (figure.method.clone(), making), TileView::Heat, PAPER_SLICES, false));
        rows.push(row(volume, figure, named("", "over the slices"), TileView::Overlay, PAPER_SLICES, false));
    }
    let sheet = EvidenceSheet {
        title: format!("{}   {}", first.level, first.finding()),
        subtitle: "Supporting evidence by method".to_owned(),
        scan: scan.to_owned(),
        rows,
        chart: None,
        notes,
    };
    sheet.drawing()
}

/// One map cut at several percentiles, with its predicted boxes and a reader's: one figure for each percentile.
///
/// # Panics
/// If there is no map.
#[must_use]
pub(crate) fn thresholds_sheet(volume: &Volume, figures: &[EvidenceFigure], scan: &str, notes: Vec<String>) -> Drawing {
    let first = figures.first().expect("a map at least");
    let last = figures.len() - 1;
    let rows = figures.iter().enumerate().map(|(index, figure)| {
        let name = (format!("{} percentile", ordinal(figure.percentile)), String::new());
        row(volume, figure, name, TileView::InScan, PAPER_SLICES, index == last)
    });
    let sheet = EvidenceSheet {
        title: format!("{}   {}", first.level, first.finding()),
        subtitle: format!("Evidence above its percentile, and boxes around it  ·  {}", first.making()),
        scan: scan.to_owned(),
        rows: rows.collect(),
        chart: None,
        notes,
    };
    sheet.drawing()
}

/// Maps of one disc that follow each other (more views, more layers unlearned), each a row of steps with a caption, shown
/// on one slice: the one where the last step of the first row (or its first, if `by_first`) is strongest. A curve below.
///
/// # Panics
/// If there is no map.
#[must_use]
pub(crate) fn steps_sheet(
    volume: &Volume,
    rows: &[(String, Vec<(String, EvidenceFigure)>)],
    by_first: bool,
    [title, subtitle, scan]: [String; 3],
    chart: LineChart,
    notes: Vec<String>,
) -> Drawing {
    let steps = &rows.first().expect("a row at least").1;
    let (_, shown) = if by_first { steps.first() } else { steps.last() }.expect("a map at least");
    let patch_slice = strongest_slice(shown).unwrap_or(PATCH_SLICES / 2);
    let tile = |(caption, figure)| Tile { volume, figure, patch_slice, view: TileView::Overlay, caption };
    let rows = rows.iter().map(|(name, steps)| {
        let tiles = steps.iter().map(|(caption, figure)| tile((caption.clone(), figure))).collect();
        TileRow { name: name.clone(), detail: String::new(), tiles }
    });
    EvidenceSheet { title, subtitle, scan, rows: rows.collect(), chart: Some(chart), notes }.drawing()
}

/// A map among others that were measured, shown on one slice.
pub(crate) struct CaseFigure<'a> {
    pub volume: &'a Volume,
    pub figure: EvidenceFigure<'a>,
    /// Slice of the disc volume.
    pub patch_slice: usize,
    /// Below the picture.
    pub caption: String,
}

impl CaseFigure<'_> {
    fn tile(&self) -> Tile<'_> {
        let Self { volume, figure, patch_slice, caption } = self;
        Tile { volume, figure, patch_slice: *patch_slice, view: TileView::InScan, caption: caption.clone() }
    }
}

/// Maps that were made in one way.
pub(crate) struct CaseRow<'a> {
    pub name: String,
    /// More of it, in quiet letters.
    pub detail: String,
    pub cases: Vec<CaseFigure<'a>>,
}

/// Maps of several discs with their boxes.
#[must_use]
pub(crate) fn cases_sheet(rows: &[CaseRow], subtitle: String, notes: Vec<String>) -> Drawing {
    let rows = rows.iter().map(|CaseRow { name, detail, cases }| TileRow {
        name: name.clone(),
        detail: detail.clone(),
        tiles: cases.iter().map(CaseFigure::tile).collect(),
    });
    EvidenceSheet {
        title: "Evidence against boxes: best, median and worst discs".to_owned(),
        subtitle,
        scan: String::new(),
        rows: rows.collect(),
        chart: None,
        notes,
    }
    .drawing()
}
