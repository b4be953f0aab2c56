//! The tiles of sheets: one slice of a disc, its evidence, or both.

use glam::DVec2;
use image::{Rgb, RgbImage};

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::figure::EvidenceFigure;
use super::overlay::draw_box;
use super::shade::patch_plane;
use super::sheet::{Tile, scan_view};
use super::{SliceLook, SliceScene};
use crate::language::say;
use crate::spine::{BoxSource, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};
use crate::volume::{Volume, WindowLevel};

/// Height of the tiles that show the scan, in patch pixels: a tilted disc volume is higher than a level one.
const SCAN_ROWS: f64 = 168.0;
/// Length of the scale, mm.
const SCALE_MM: f64 = 10.0;

/// What a tile shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TileView {
    /// The slice as the network sees it, level, anterior on the left.
    Disc,
    /// The map on that slice, in colors.
    Heat,
    /// The map over that slice, the stronger the less of it is seen.
    Overlay,
    /// The scan upright around the disc with the evidence above the threshold and the boxes.
    InScan,
}

/// Height of a tile in sheet pixels.
pub(super) fn tile_height(view: TileView, scale: f64) -> f64 {
    let rows = if view == TileView::InScan { SCAN_ROWS } else { PATCH_ROWS as f64 };
    (rows * scale).round()
}

/// Draws a tile with its corner at `corner`, `scale` sheet pixels to a patch pixel; nothing where the scan has no slice.
pub(super) fn draw_tile(canvas: &mut Canvas, tile: &Tile, corner: DVec2, scale: f64) {
    let volume = tile.volume;
    let Some(scan_slice) = tile.figure.frame.scan_slice(tile.patch_slice).filter(|slice| *slice < volume.slices())
    else {
        return;
    };
    let size = DVec2::new((PATCH_COLUMNS as f64 * scale).round(), tile_height(tile.view, scale));
    let place = |canvas: &mut Canvas, picture: &RgbImage| canvas.place(picture, corner.x as u32, corner.y as u32);
    if tile.view == TileView::InScan {
        place(canvas, &scan_tile(volume, tile.figure, scan_slice, scale, size));
        let view = scan_view(volume, tile.figure, scale, size / 2.0);
        for source in [BoxSource::Reader, BoxSource::Predicted] {
            for found in tile.figure.boxes_on(scan_slice, source) {
                draw_box(canvas, &found.rect, source, |image| corner + view.screen(image), (corner, size));
            }
        }
    } else {
        place(canvas, &patch_tile(tile, scale, size));
        if tile.view == TileView::Disc {
            scale_mark(canvas, tile.figure, corner + DVec2::new(0.0, size.y), scale);
        }
    }
}

/// The scan around the disc with the evidence above the threshold.
fn scan_tile(volume: &Volume, figure: &EvidenceFigure, slice: usize, scale: f64, size: DVec2) -> RgbImage {
    let view = scan_view(volume, figure, scale, size / 2.0);
    let window = figure.frame.window(slice);
    let look = SliceLook::new(window.unwrap_or_else(|| WindowLevel::from_percentiles(volume.voxels())));
    let scene = SliceScene::new(&view, look).with_evidence(figure.frame, slice, figure.look());
    scene.draw(volume, slice, Some(figure.values), size.x as u32, size.y as u32)
}

/// One slice of the disc volume, enlarged.
fn patch_tile(tile: &Tile, scale: f64, size: DVec2) -> RgbImage {
    let figure = tile.figure;
    let mut pixels = vec![0.0; PATCH_ROWS * PATCH_COLUMNS];
    figure.frame.sample_slice(tile.volume, tile.patch_slice, &mut pixels);
    let disc = patch_plane(&pixels, 0);
    let map = patch_plane(figure.values, tile.patch_slice);
    let strongest = figure.strongest();
    RgbImage::from_fn(size.x as u32, size.y as u32, |x, y| {
        let patch = |pixel: u32| ((f64::from(pixel) + 0.5) / scale - 0.5) as f32;
        let (x, y) = (patch(x), patch(y));
        let gray = disc.bilinear(x, y).clamp(0.0, 1.0);
        let strength = (map.bilinear(x, y) / strongest).clamp(0.0, 1.0);
        let cover = match tile.view {
            TileView::Heat => 1.0,
            // Weak evidence leaves the slice as it is.
            TileView::Overlay => {
                let rise = ((strength - 0.08) / 0.42).clamp(0.0, 1.0);
                0.85 * rise * rise * (3.0 - 2.0 * rise)
            }
            TileView::Disc | TileView::InScan => 0.0,
        };
        let color = figure.color_map.color(strength);
        Rgb(color.map(|channel| ((gray + (channel - gray) * cover) * 255.0).round() as u8))
    })
}

/// A bar of ten millimeters above the lower left corner `corner` of a tile.
fn scale_mark(canvas: &mut Canvas, figure: &EvidenceFigure, corner: DVec2, scale: f64) {
    let length = SCALE_MM / figure.frame.mm_per_patch_pixel() * scale;
    let (from, to) = (corner + DVec2::new(12.0, -12.0), corner + DVec2::new(12.0 + length, -12.0));
    canvas.line(from, to, 4.0, Ink::SHADE);
    canvas.line(from, to, 2.0, Ink::WHITE);
    let style = TextStyle::new(16.0, Ink::WHITE).halo();
    canvas.text(to + DVec2::new(7.0, 5.0), style, "10 mm");
}

/// Draws the disc in the scan, `width` × `height` pixels, on the slice with the most evidence above the threshold, with
/// that evidence and its boxes. `None` if the scan has no slice of the disc volume.
#[must_use]
pub(crate) fn evidence_tile(volume: &Volume, figure: &EvidenceFigure, width: u32, height: u32) -> Option<RgbImage> {
    let slice = figure.frame.scan_slice(strongest_slice(figure)?)?;
    let size = DVec2::new(f64::from(width), f64::from(height));
    let scale = size.x / PATCH_COLUMNS as f64;
    let mut canvas = Canvas::new(width, height);
    canvas.place(&scan_tile(volume, figure, slice, scale, size), 0, 0);
    let view = scan_view(volume, figure, scale, size / 2.0);
    for source in [BoxSource::Reader, BoxSource::Predicted] {
        for found in figure.boxes_on(slice, source) {
            draw_box(&mut canvas, &found.rect, source, |image| view.screen(image), (DVec2::ZERO, size));
        }
    }
    let name = say!(figure.language, "Slice {slice} of {count}", slice = slice + 1, count = volume.slices());
    let style = TextStyle::new(size.y * 0.055, Ink::WHITE).halo().aligned(Align::Left);
    canvas.text(DVec2::new(size.y * 0.04, size.y * 0.95), style, &name);
    Some(canvas.finish())
}

/// The slice of the disc volume with the most evidence above the threshold; `None` if the scan has none of them.
pub(super) fn strongest_slice(figure: &EvidenceFigure) -> Option<usize> {
    let strength = |patch: &usize| -> f32 {
        let pixels = PATCH_ROWS * PATCH_COLUMNS;
        let above = |value: &&f32| **value > figure.threshold;
        figure.values[patch * pixels..(patch + 1) * pixels].iter().filter(above).sum()
    };
    let present = (0..PATCH_SLICES).filter(|patch| figure.frame.scan_slice(*patch).is_some());
    present.max_by(|a, b| strength(a).total_cmp(&strength(b)))
}

/// The color of a source's boxes.
pub(super) fn box_ink(source: BoxSource) -> Ink {
    match source {
        BoxSource::Predicted => Ink::PREDICTED,
        BoxSource::Reader => Ink::READER,
        BoxSource::LearnedLocation => Ink::LEARNED,
    }
}
