//! A contact sheet: middle slices of many scans in rows, to be looked at side by side.

use glam::DVec2;
use image::RgbImage;

use super::canvas::{Canvas, Ink, TextStyle};
use super::{ImageFromScreen, SliceLook, SliceScene};
use crate::volume::{Volume, WindowLevel};

/// Edge of a tile, pixels.
const TILE: u32 = 320;
const GAP: u32 = 6;
const CAPTION: u32 = 24;

/// Draws one slice of each scan at the same scale, `columns` in a row, each under its name.
#[must_use]
pub(crate) fn contact_sheet(scans: &[(String, &Volume, usize)], columns: usize) -> RgbImage {
    let columns = columns.max(1);
    let rows = scans.len().div_ceil(columns) as u32;
    let (width, height) = (TILE + GAP, TILE + CAPTION + GAP);
    let mut sheet = Canvas::new(columns as u32 * width + GAP, rows.max(1) * height + GAP);
    // The largest scan decides how many millimeters a tile shows.
    let extent = |volume: &Volume| {
        let pixel = volume.geometry().pixel_size_mm();
        (pixel * DVec2::new(volume.columns() as f64, volume.rows() as f64)).max_element()
    };
    let shown_mm = scans.iter().map(|(_, volume, _)| extent(volume)).fold(1.0, f64::max);
    for (index, (name, volume, slice)) in scans.iter().enumerate() {
        let corner = [(index % columns) as u32 * width + GAP, (index / columns) as u32 * height + GAP];
        let text = TextStyle::new(15.0, Ink::TEXT);
        let at = DVec2::new(f64::from(corner[0]), f64::from(corner[1] + CAPTION) - 7.0);
        sheet.text(at, text, &text.shortened(name, f64::from(TILE)));
        let pixel = volume.geometry().pixel_size_mm();
        let middle = (DVec2::new(volume.columns() as f64, volume.rows() as f64) - 1.0) / 2.0;
        let half = DVec2::splat(f64::from(TILE) / 2.0);
        let view = ImageFromScreen::centered(middle, pixel, f64::from(TILE) / shown_mm, half);
        let look = SliceLook::new(WindowLevel::from_percentiles(volume.slice(*slice)));
        let picture = SliceScene::new(&view, look).draw(volume, *slice, None, TILE, TILE);
        sheet.place(&picture, corner[0], corner[1] + CAPTION);
    }
    sheet.finish()
}
