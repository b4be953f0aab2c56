//! All discs of a scan as the network sees them, to be looked at side by side.

use glam::DVec2;
use image::{Rgb, RgbImage};

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::shade::patch_plane;
use crate::spine::{Disc, DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};
use crate::volume::Volume;

const GAP: f64 = 6.0;
const HEADER: f64 = 56.0;
/// Left of the tiles, for the level.
const NAMES: f64 = 92.0;

/// Draws a row for each disc: the nine slices of its volume, anterior left; a slice that the scan does not have is
/// empty. A disc whose outlines span no volume has a row without pictures.
#[must_use]
pub(crate) fn disc_sheet(volume: &Volume, discs: &[Disc], title: &str) -> RgbImage {
    let tile = DVec2::new(PATCH_COLUMNS as f64, PATCH_ROWS as f64);
    let size = DVec2::new(PATCH_SLICES as f64, discs.len() as f64) * (tile + GAP) + DVec2::new(NAMES + GAP, HEADER);
    let mut sheet = Canvas::new(size.x as u32, size.y as u32);
    sheet.text(DVec2::new(2.0 * GAP, 36.0), TextStyle::new(22.0, Ink::TEXT).bold(), title);
    for (row, disc) in discs.iter().enumerate() {
        let top = HEADER + row as f64 * (tile.y + GAP);
        let name = TextStyle::new(19.0, Ink::TEXT).bold().aligned(Align::Center);
        sheet.text(DVec2::new(NAMES / 2.0, top + tile.y / 2.0 + 7.0), name, &disc.level.to_string());
        let Ok(frame) = DiscFrame::of_disc(volume, disc) else { continue };
        let voxels = frame.sample(volume).voxels;
        for slice in 0..PATCH_SLICES {
            let left = NAMES + slice as f64 * (tile.x + GAP);
            let plane = patch_plane(&voxels, slice);
            let picture = RgbImage::from_fn(PATCH_COLUMNS as u32, PATCH_ROWS as u32, |x, y| {
                let value = plane.bilinear(x as f32, y as f32).clamp(0.0, 1.0);
                Rgb([(value * 255.0).round() as u8; 3])
            });
            sheet.place(&picture, left as u32, top as u32);
            if let Some(scan_slice) = frame.scan_slice(slice) {
                let number = TextStyle::new(13.0, Ink::WHITE).halo();
                sheet.text(DVec2::new(left + 5.0, top + tile.y - 6.0), number, &(scan_slice + 1).to_string());
            }
        }
    }
    sheet.finish()
}
