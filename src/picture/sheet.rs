//! Sheets of evidence: rows of tiles under a title, a curve below them where it is wanted, and what they mean at the foot.

use glam::DVec2;
use image::{Rgb, RgbImage};

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::chart::LineChart;
use super::drawing::Drawing;
use super::figure::{DISCLAIMER, EvidenceFigure, ordinal};
use super::tile::{TileView, box_ink, draw_tile, tile_height};
use super::{ColorMap, ImageFromScreen};
use crate::spine::{BoxSource, PATCH_COLUMNS, PATCH_ROWS};
use crate::volume::Volume;

const MARGIN: f64 = 48.0;
const GAP: f64 = 10.0;
/// From the top of the sheet to the first row.
const HEADER: f64 = 150.0;
/// Above each row, for its name.
const ROW_NAME: f64 = 38.0;
/// Below a tile with a caption.
const CAPTION: f64 = 32.0;
/// Below the last row, without the lines of notes.
const FOOTER: f64 = 132.0;
/// One line of notes.
const NOTE: f64 = 24.0;
/// Width that the rows should about fill.
const ROWS_WIDTH: f64 = 2100.0;
/// Narrower sheets have no room for the text.
const LEAST_WIDTH: f64 = 1240.0;
/// Height of a curve.
const CHART_HEIGHT: f64 = 460.0;

/// One picture of a row.
pub(crate) struct Tile<'a> {
    /// The scan of the map.
    pub volume: &'a Volume,
    /// The map shown.
    pub figure: &'a EvidenceFigure<'a>,
    /// Slice of its disc volume.
    pub patch_slice: usize,
    pub view: TileView,
    /// Below the tile; nothing if empty.
    pub caption: String,
}

/// A row of tiles with a name.
pub(crate) struct TileRow<'a> {
    /// What it shows.
    pub name: String,
    /// More of it, in quiet letters.
    pub detail: String,
    /// From left to right.
    pub tiles: Vec<Tile<'a>>,
}

/// A sheet of one disc, or of one way to make maps of several.
pub(crate) struct EvidenceSheet<'a> {
    /// Large at the top.
    pub title: String,
    /// Below the title.
    pub subtitle: String,
    /// Names the scan, at the top right.
    pub scan: String,
    /// The rows; there should be one at least.
    pub rows: Vec<TileRow<'a>>,
    /// Below the rows.
    pub chart: Option<LineChart>,
    /// At the foot, one line each.
    pub notes: Vec<String>,
}

impl EvidenceSheet<'_> {
    /// Draws the sheet.
    #[must_use]
    pub(crate) fn drawing(&self) -> Drawing {
        let plan = Plan::new(self);
        let mut canvas = Canvas::new(plan.width as u32, plan.height as u32);
        self.header(&mut canvas, &plan);
        for (row, top) in self.rows.iter().zip(&plan.row_tops) {
            row_name(&mut canvas, *top, &row.name, &row.detail);
            for (column, tile) in row.tiles.iter().enumerate() {
                let corner = DVec2::new(plan.column(column), *top).round();
                draw_tile(&mut canvas, tile, corner, plan.scale);
                let below = corner + DVec2::new(plan.tile_width() / 2.0, tile_height(tile.view, plan.scale) + 26.0);
                canvas.text(below, TextStyle::new(17.0, Ink::QUIET).aligned(Align::Center), &tile.caption);
            }
        }
        if let (Some(chart), Some(top)) = (&self.chart, plan.chart_top) {
            let size = DVec2::new((plan.width - 2.0 * MARGIN).min(1600.0), CHART_HEIGHT - GAP);
            chart.draw(&mut canvas, DVec2::new(MARGIN, top), size);
        }
        self.footer(&mut canvas, &plan);
        canvas.into_drawing()
    }

    fn header(&self, canvas: &mut Canvas, plan: &Plan) {
        let large = TextStyle::new(38.0, Ink::TEXT).bold();
        canvas.text(DVec2::new(MARGIN, 68.0), large, &large.shortened(&self.title, plan.width - 2.0 * MARGIN));
        let quiet = TextStyle::new(21.0, Ink::QUIET);
        canvas.text(DVec2::new(MARGIN, 104.0), quiet, &quiet.shortened(&self.subtitle, plan.width - 2.0 * MARGIN));
        let right = quiet.aligned(Align::Right);
        let scan = right.shortened(&self.scan, plan.width - 2.0 * MARGIN - large.width(&self.title) - 40.0);
        canvas.text(DVec2::new(plan.width - MARGIN, 68.0), right, &scan);
        let rule = 128.0;
        canvas.line(DVec2::new(MARGIN, rule), DVec2::new(plan.width - MARGIN, rule), 1.0, Ink::RULE);
    }

    fn figures(&self) -> impl Iterator<Item = &EvidenceFigure<'_>> {
        self.rows.iter().flat_map(|row| row.tiles.iter().map(|tile| tile.figure))
    }

    fn footer(&self, canvas: &mut Canvas, plan: &Plan) {
        let top = plan.footer_top + 24.0;
        let text = TextStyle::new(17.0, Ink::QUIET);
        let right = plan.width - MARGIN;
        if let Some(figure) = self.figures().next() {
            // A threshold is marked where all tiles share one.
            let is_shared = self.figures().all(|other| other.threshold == figure.threshold);
            color_scale(canvas, DVec2::new(MARGIN, top), figure, is_shared);
        }
        let mut x = right;
        for (source, name) in [(BoxSource::Reader, "reader"), (BoxSource::Predicted, "predicted")] {
            if self.figures().any(|figure| figure.boxes.iter().any(|found| found.source == source)) {
                canvas.text(DVec2::new(x, top + 15.0), text.aligned(Align::Right), name);
                x -= text.width(name) + 36.0;
                canvas.plate(DVec2::new(x, top - 1.0), DVec2::new(26.0, 18.0), 2.0, Ink([24, 26, 30, 255]));
                canvas.frame(DVec2::new(x + 4.0, top + 3.0), DVec2::new(18.0, 10.0), 2.0, box_ink(source));
                x -= 22.0;
            }
        }
        if x < right {
            canvas.text(DVec2::new(x, top + 15.0), text.aligned(Align::Right), "Boxes:");
        }
        for (index, note) in self.notes.iter().enumerate() {
            let at = DVec2::new(MARGIN, top + 68.0 + index as f64 * NOTE);
            canvas.text(at, text, &text.shortened(note, right - MARGIN));
        }
        let last = plan.height - 26.0;
        canvas.text(DVec2::new(MARGIN, last), text.bold(), DISCLAIMER);
        let caution = "Evidence supports a grade; it does not outline a lesion.";
        canvas.text(DVec2::new(right, last), text.aligned(Align::Right), caution);
    }
}

/// Where things lie on the sheet.
struct Plan {
    /// Sheet pixels to a patch pixel.
    scale: f64,
    width: f64,
    height: f64,
    row_tops: Vec<f64>,
    chart_top: Option<f64>,
    footer_top: f64,
}

impl Plan {
    fn new(sheet: &EvidenceSheet) -> Self {
        let columns = sheet.rows.iter().map(|row| row.tiles.len()).max().unwrap_or(1).max(1);
        let gaps = GAP * (columns - 1) as f64;
        let scale = ((ROWS_WIDTH - gaps) / (columns * PATCH_COLUMNS) as f64).clamp(1.0, 2.5);
        // Whole tile pixels keep rows and columns aligned.
        let tile = (scale * PATCH_COLUMNS as f64 / 2.0).round() * 2.0;
        let scale = tile / PATCH_COLUMNS as f64;
        let width = (tile * columns as f64 + gaps + 2.0 * MARGIN).max(LEAST_WIDTH);
        let mut next = HEADER;
        let mut row_tops = Vec::with_capacity(sheet.rows.len());
        for row in &sheet.rows {
            row_tops.push(next + ROW_NAME);
            let height = row.tiles.iter().map(|tile| tile_height(tile.view, scale)).fold(0.0, f64::max);
            let caption = if row.tiles.iter().any(|tile| !tile.caption.is_empty()) { CAPTION } else { 0.0 };
            next += ROW_NAME + height + caption + GAP;
        }
        let chart_top = sheet.chart.as_ref().map(|_| next + ROW_NAME);
        let footer_top = next + if chart_top.is_some() { ROW_NAME + CHART_HEIGHT } else { 0.0 };
        let height = footer_top + FOOTER + NOTE * sheet.notes.len() as f64;
        Self { scale, width, height, row_tops, chart_top, footer_top }
    }

    fn tile_width(&self) -> f64 {
        (PATCH_COLUMNS as f64 * self.scale).round()
    }

    /// Left edge of a column.
    fn column(&self, index: usize) -> f64 {
        MARGIN + index as f64 * (self.tile_width() + GAP)
    }
}

fn row_name(canvas: &mut Canvas, top: f64, name: &str, detail: &str) {
    let style = TextStyle::new(19.0, Ink::TEXT).bold();
    let at = DVec2::new(MARGIN, top - 13.0);
    canvas.text(at, style, name);
    canvas.text(at + DVec2::new(style.width(name) + 14.0, 0.0), TextStyle::new(17.0, Ink::QUIET), detail);
}

/// The color scale, with the threshold where there is one.
fn color_scale(canvas: &mut Canvas, corner: DVec2, figure: &EvidenceFigure, with_threshold: bool) {
    let size = DVec2::new(300.0, 16.0);
    let text = TextStyle::new(17.0, Ink::QUIET);
    canvas.text(corner + DVec2::new(0.0, 15.0), text, "none");
    let start = corner + DVec2::new(text.width("none") + 12.0, 0.0);
    canvas.place(&scale_bar(figure.color_map, size), start.x as u32, start.y as u32);
    canvas.text(start + DVec2::new(size.x + 12.0, 15.0), text, "strongest of its map");
    if with_threshold {
        let share = f64::from((figure.threshold / figure.strongest()).clamp(0.0, 1.0));
        let tick = start.trunc() + DVec2::new(share * size.x, 0.0);
        canvas.line(tick - DVec2::new(0.0, 5.0), tick + DVec2::new(0.0, size.y + 5.0), 2.0, Ink::TEXT);
        let name = format!("threshold: {} percentile", ordinal(figure.percentile));
        canvas.text(tick + DVec2::new(0.0, size.y + 24.0), text.aligned(Align::Left), &name);
    }
}

/// A horizontal bar of a color map, weak to strong.
fn scale_bar(map: ColorMap, size: DVec2) -> RgbImage {
    RgbImage::from_fn(size.x as u32, size.y as u32, |x, _| {
        Rgb(map.color(x as f32 / (size.x as f32 - 1.0)).map(|channel| (channel * 255.0).round() as u8))
    })
}

/// The scan upright around the disc, at the scale of the disc volume, with the disc's center at `middle`.
pub(super) fn scan_view(volume: &Volume, figure: &EvidenceFigure, scale: f64, middle: DVec2) -> ImageFromScreen {
    let frame = figure.frame;
    let center = frame.image_from_patch((PATCH_ROWS as f64 - 1.0) / 2.0, (PATCH_COLUMNS as f64 - 1.0) / 2.0);
    let pixel = volume.geometry().pixel_size_mm();
    ImageFromScreen::centered(center, pixel, scale / frame.mm_per_patch_pixel(), middle)
}
