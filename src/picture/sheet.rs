//! The figure sheet: everything about one evidence map on one page.

use glam::DVec2;
use image::{Rgb, RgbImage};

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::figure::{DISCLAIMER, EvidenceFigure, ordinal};
use super::overlay::draw_box;
use super::shade::patch_plane;
use super::{ColorMap, ImageFromScreen, SliceLook, SliceScene};
use crate::spine::{BoxSource, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};
use crate::volume::{Volume, WindowLevel};

const MARGIN: f64 = 48.0;
const GAP: f64 = 10.0;
/// From the top of the sheet to the first row.
const HEADER: f64 = 150.0;
/// Above each row, for its name.
const ROW_NAME: f64 = 38.0;
/// Below the last row.
const FOOTER: f64 = 168.0;
/// Width that the rows should about fill.
const ROWS_WIDTH: f64 = 2100.0;
/// Narrower sheets have no room for the text.
const LEAST_WIDTH: f64 = 1240.0;
/// Height of the tiles that show the scan, in patch pixels: a tilted disc volume is higher than a level one.
const SCAN_ROWS: f64 = 168.0;

/// Draws the sheet of one evidence map: the disc's slices, the heat map, and the evidence with its boxes in the scan,
/// one column for each slice of the disc volume that the scan has. `scan` names the scan in the header.
#[must_use]
pub fn figure_sheet(volume: &Volume, figure: &EvidenceFigure, scan: &str) -> RgbImage {
    let slices: Vec<(usize, usize)> =
        (0..PATCH_SLICES).filter_map(|patch| Some((patch, figure.frame.scan_slice(patch)?))).collect();
    let plan = Plan::new(slices.len());
    let mut canvas = Canvas::new(plan.width as u32, plan.height() as u32);
    header(&mut canvas, &plan, figure, scan);

    let disc_volume = figure.frame.sample(volume);
    let (strongest, look) = (figure.strongest(), figure.look());
    let scan_look = SliceLook::new(WindowLevel::from_percentiles(volume.voxels()));
    let [discs, heat, overlays] = plan.row_tops();
    row_name(&mut canvas, discs, "Disc volume", "as the network sees it; anterior left");
    row_name(&mut canvas, heat, "Supporting evidence", "for this grade, on the same slices");
    row_name(&mut canvas, overlays, "In the scan", "evidence above the threshold, with its box on each slice");

    for (column, (patch_slice, scan_slice)) in slices.iter().copied().enumerate() {
        let x = plan.column(column);
        let corner = |y: f64| (x.round() as u32, y.round() as u32);
        let (left, top) = corner(discs);
        canvas.place(
            &patch_tile(&disc_volume.voxels, patch_slice, &plan, |value| [value.clamp(0.0, 1.0); 3]),
            left,
            top,
        );
        let (left, top) = corner(heat);
        let color = |value: f32| figure.color_map.color(value / strongest);
        canvas.place(&patch_tile(figure.values, patch_slice, &plan, color), left, top);

        let size = plan.scan_tile();
        let view = scan_view(volume, figure, plan.scale, size / 2.0);
        let scene = SliceScene::new(&view, scan_look).with_evidence(figure.frame, scan_slice, look);
        let picture = scene.draw(volume, scan_slice, Some(figure.values), size.x as u32, size.y as u32);
        let (left, top) = corner(overlays);
        canvas.place(&picture, left, top);
        let origin = DVec2::new(f64::from(left), f64::from(top));
        for source in [BoxSource::Reader, BoxSource::Predicted] {
            for found in figure.boxes_on(scan_slice, source) {
                draw_box(&mut canvas, &found.rect, source, |image| origin + view.screen(image), (origin, size));
            }
        }
        let name = format!("Slice {} of {}", scan_slice + 1, volume.slices());
        let below = DVec2::new(x + plan.tile().x / 2.0, overlays + size.y + 26.0);
        canvas.text(below, TextStyle::new(17.0, Ink::QUIET).aligned(Align::Center), &name);
    }
    footer(&mut canvas, &plan, figure, strongest);
    canvas.finish()
}

/// Draws the disc in the scan, `width` × `height` pixels, on the slice with the most evidence above the threshold, with
/// that evidence and its boxes. `None` if the scan has no slice of the disc volume.
#[must_use]
pub fn evidence_tile(volume: &Volume, figure: &EvidenceFigure, width: u32, height: u32) -> Option<RgbImage> {
    let present = (0..PATCH_SLICES).filter_map(|patch| Some((patch, figure.frame.scan_slice(patch)?)));
    let strength = |patch: usize| -> f32 {
        let pixels = PATCH_ROWS * PATCH_COLUMNS;
        let above = |value: &&f32| **value > figure.threshold;
        figure.values[patch * pixels..(patch + 1) * pixels].iter().filter(above).sum()
    };
    let (_, slice) = present.max_by(|a, b| strength(a.0).total_cmp(&strength(b.0)))?;
    let size = DVec2::new(f64::from(width), f64::from(height));
    let scale = size.x / PATCH_COLUMNS as f64;
    let view = scan_view(volume, figure, scale, size / 2.0);
    let look = SliceLook::new(WindowLevel::from_percentiles(volume.voxels()));
    let scene = SliceScene::new(&view, look).with_evidence(figure.frame, slice, figure.look());
    let mut canvas = Canvas::new(width, height);
    canvas.place(&scene.draw(volume, slice, Some(figure.values), width, height), 0, 0);
    for source in [BoxSource::Reader, BoxSource::Predicted] {
        for found in figure.boxes_on(slice, source) {
            draw_box(&mut canvas, &found.rect, source, |image| view.screen(image), (DVec2::ZERO, size));
        }
    }
    let name = format!("Slice {} of {}", slice + 1, volume.slices());
    let style = TextStyle::new(size.y * 0.055, Ink::WHITE).halo();
    canvas.text(DVec2::new(size.y * 0.04, size.y * 0.95), style, &name);
    Some(canvas.finish())
}

/// Where things lie on the sheet.
struct Plan {
    /// Sheet pixels to a patch pixel.
    scale: f64,
    width: f64,
}

impl Plan {
    fn new(columns: usize) -> Self {
        let columns = columns.max(1);
        let gaps = GAP * (columns - 1) as f64;
        let scale = ((ROWS_WIDTH - gaps) / (columns * PATCH_COLUMNS) as f64).clamp(1.0, 2.5);
        // Whole tile pixels keep rows and columns aligned.
        let tile = (scale * PATCH_COLUMNS as f64 / 2.0).round() * 2.0;
        let width = (tile * columns as f64 + gaps + 2.0 * MARGIN).max(LEAST_WIDTH);
        Self { scale: tile / PATCH_COLUMNS as f64, width }
    }

    fn tile(&self) -> DVec2 {
        (DVec2::new(PATCH_COLUMNS as f64, PATCH_ROWS as f64) * self.scale).round()
    }

    fn scan_tile(&self) -> DVec2 {
        (DVec2::new(PATCH_COLUMNS as f64, SCAN_ROWS) * self.scale).round()
    }

    /// Left edge of a column.
    fn column(&self, index: usize) -> f64 {
        MARGIN + index as f64 * (self.tile().x + GAP)
    }

    /// Top edges of the three rows of tiles.
    fn row_tops(&self) -> [f64; 3] {
        let first = HEADER + ROW_NAME;
        let second = first + self.tile().y + ROW_NAME + GAP;
        [first, second, second + self.tile().y + ROW_NAME + GAP]
    }

    fn height(&self) -> f64 {
        self.row_tops()[2] + self.scan_tile().y + FOOTER
    }
}

fn header(canvas: &mut Canvas, plan: &Plan, figure: &EvidenceFigure, scan: &str) {
    let title = format!("{}   {}", figure.level, figure.finding());
    let large = TextStyle::new(38.0, Ink::TEXT).bold();
    canvas.text(DVec2::new(MARGIN, 68.0), large, &title);
    let making = format!("Supporting evidence  ·  {}", figure.making());
    canvas.text(DVec2::new(MARGIN, 104.0), TextStyle::new(21.0, Ink::QUIET), &making);
    let right = TextStyle::new(21.0, Ink::QUIET).aligned(Align::Right);
    let scan = right.shortened(scan, plan.width - 2.0 * MARGIN - large.width(&title) - 40.0);
    canvas.text(DVec2::new(plan.width - MARGIN, 68.0), right, &scan);
    let rule = 128.0;
    canvas.line(DVec2::new(MARGIN, rule), DVec2::new(plan.width - MARGIN, rule), 1.0, Ink::RULE);
}

fn row_name(canvas: &mut Canvas, top: f64, name: &str, detail: &str) {
    let style = TextStyle::new(19.0, Ink::TEXT).bold();
    let at = DVec2::new(MARGIN, top - 13.0);
    canvas.text(at, style, name);
    canvas.text(at + DVec2::new(style.width(name) + 14.0, 0.0), TextStyle::new(17.0, Ink::QUIET), detail);
}

fn footer(canvas: &mut Canvas, plan: &Plan, figure: &EvidenceFigure, strongest: f32) {
    let top = plan.height() - FOOTER + 62.0;
    let text = TextStyle::new(17.0, Ink::QUIET);
    color_scale(canvas, DVec2::new(MARGIN, top), figure, strongest);

    let right = plan.width - MARGIN;
    let sources = [(BoxSource::Predicted, "predicted"), (BoxSource::Reader, "reader")];
    let mut x = right;
    for (source, name) in sources.into_iter().rev() {
        if figure.boxes.iter().any(|found| found.source == source) {
            canvas.text(DVec2::new(x, top + 15.0), text.aligned(Align::Right), name);
            x -= text.width(name) + 36.0;
            canvas.plate(DVec2::new(x, top - 1.0), DVec2::new(26.0, 18.0), 2.0, Ink([24, 26, 30, 255]));
            canvas.frame(DVec2::new(x + 4.0, top + 3.0), DVec2::new(18.0, 10.0), 2.0, box_ink(source));
            x -= 22.0;
        }
    }
    canvas.text(DVec2::new(x, top + 15.0), text.aligned(Align::Right), &figure.boxing());

    let last = plan.height() - 26.0;
    canvas.text(DVec2::new(MARGIN, last), text.bold(), DISCLAIMER);
    let caution = "Evidence supports a grade; it does not outline a lesion.";
    canvas.text(DVec2::new(right, last), text.aligned(Align::Right), caution);
}

/// The color scale with the threshold marked.
fn color_scale(canvas: &mut Canvas, corner: DVec2, figure: &EvidenceFigure, strongest: f32) {
    let size = DVec2::new(300.0, 16.0);
    let text = TextStyle::new(17.0, Ink::QUIET);
    canvas.text(corner + DVec2::new(0.0, 15.0), text, "none");
    let start = corner + DVec2::new(text.width("none") + 12.0, 0.0);
    canvas.place(&scale_bar(figure.color_map, size), start.x as u32, start.y as u32);
    canvas.text(start + DVec2::new(size.x + 12.0, 15.0), text, "strongest");
    let share = f64::from((figure.threshold / strongest).clamp(0.0, 1.0));
    let tick = start.trunc() + DVec2::new(share * size.x, 0.0);
    canvas.line(tick - DVec2::new(0.0, 5.0), tick + DVec2::new(0.0, size.y + 5.0), 2.0, Ink::TEXT);
    let name = format!("threshold: {} percentile", ordinal(figure.percentile));
    canvas.text(tick + DVec2::new(0.0, size.y + 24.0), text.aligned(Align::Left), &name);
}

/// A horizontal bar of a color map, weak to strong.
fn scale_bar(map: ColorMap, size: DVec2) -> RgbImage {
    RgbImage::from_fn(size.x as u32, size.y as u32, |x, _| {
        Rgb(map.color(x as f32 / (size.x as f32 - 1.0)).map(|channel| (channel * 255.0).round() as u8))
    })
}

/// One slice of a disc volume, enlarged.
fn patch_tile(values: &[f32], slice: usize, plan: &Plan, color: impl Fn(f32) -> [f32; 3]) -> RgbImage {
    let (plane, size) = (patch_plane(values, slice), plan.tile());
    RgbImage::from_fn(size.x as u32, size.y as u32, |x, y| {
        let patch = |pixel: u32| (f64::from(pixel) + 0.5) / plan.scale - 0.5;
        let value = plane.bilinear(patch(x) as f32, patch(y) as f32);
        Rgb(color(value).map(|channel| (channel * 255.0).round() as u8))
    })
}

/// The scan upright around the disc, at the scale of the disc volume, with the disc's center at `middle`.
fn scan_view(volume: &Volume, figure: &EvidenceFigure, scale: f64, middle: DVec2) -> ImageFromScreen {
    let frame = figure.frame;
    let center = frame.image_from_patch((PATCH_ROWS as f64 - 1.0) / 2.0, (PATCH_COLUMNS as f64 - 1.0) / 2.0);
    let pixel = volume.geometry().pixel_size_mm();
    ImageFromScreen::centered(center, pixel, scale / frame.mm_per_patch_pixel(), middle)
}

/// The color of a source's boxes.
pub(super) fn box_ink(source: BoxSource) -> Ink {
    match source {
        BoxSource::Predicted => Ink::PREDICTED,
        BoxSource::Reader => Ink::READER,
    }
}
