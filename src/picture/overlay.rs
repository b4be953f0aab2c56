//! One whole slice with what was found on it.

use glam::DVec2;
use image::RgbImage;

use super::canvas::{Align, Canvas, Ink, TextStyle};
use super::figure::{DISCLAIMER, EvidenceFigure};
use super::tile::box_ink;
use super::{ImageFromScreen, SliceLook, SliceScene};
use crate::spine::{BoxSource, PixelBox};
use crate::volume::{Volume, WindowLevel, orientation_letters};

/// Below the image, for its caption.
const CAPTION: f64 = 72.0;

/// How a whole slice is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OverlayStyle {
    /// Height of the slice in the picture, pixels; the width follows from the pixels' shape.
    pub height: u32,
    /// Display window; `None` shows the bodies beside the disc of the figure mid-gray, and without a figure takes one from
    /// the volume's percentiles.
    pub window: Option<WindowLevel>,
}

impl Default for OverlayStyle {
    fn default() -> Self {
        Self { height: 1024, window: None }
    }
}

/// Draws one slice with the evidence of `figure` and its boxes where they lie on it, over a caption.
///
/// # Panics
/// If `slice` is not below `volume.slices()`.
#[must_use]
pub(crate) fn overlay(
    volume: &Volume,
    slice: usize,
    figure: Option<&EvidenceFigure>,
    style: &OverlayStyle,
) -> RgbImage {
    let (view, size) = whole_slice(volume, style.height);
    let mut canvas = Canvas::new(size.x as u32, (size.y + CAPTION) as u32);
    let of_bodies = || figure.and_then(|figure| figure.frame.window(slice));
    let window = style.window.or_else(of_bodies).unwrap_or_else(|| WindowLevel::from_percentiles(volume.voxels()));
    let mut scene = SliceScene::new(&view, SliceLook::new(window));
    if let Some(figure) = figure {
        scene = scene.with_evidence(figure.frame, slice, figure.look());
    }
    let values = figure.map(|figure| figure.values);
    canvas.place(&scene.draw(volume, slice, values, size.x as u32, size.y as u32), 0, 0);
    for source in [BoxSource::Reader, BoxSource::Predicted] {
        for found in figure.into_iter().flat_map(|figure| figure.boxes_on(slice, source)) {
            draw_box(&mut canvas, &found.rect, source, |image| view.screen(image), (DVec2::ZERO, size));
        }
    }
    orientation(&mut canvas, volume, size, size / 2.0);
    caption(&mut canvas, volume, slice, figure, size);
    canvas.finish()
}

/// The view of a whole slice drawn `height` pixels high, and the picture's size.
pub(super) fn whole_slice(volume: &Volume, height: u32) -> (ImageFromScreen, DVec2) {
    let pixel = volume.geometry().pixel_size_mm();
    let extent = DVec2::new(volume.columns() as f64, volume.rows() as f64) * pixel;
    let size = DVec2::new((f64::from(height) * extent.x / extent.y).round().max(1.0), f64::from(height));
    (ImageFromScreen::fit(volume.columns(), volume.rows(), pixel, DVec2::ZERO, size), size)
}

/// Draws a box given in image pixels, cut off at the picture's (`corner`, `size`) edges.
pub(super) fn draw_box(
    canvas: &mut Canvas,
    rect: &PixelBox,
    source: BoxSource,
    screen: impl Fn(DVec2) -> DVec2,
    (corner, size): (DVec2, DVec2),
) {
    let inside = |point: DVec2| point.clamp(corner + 1.0, corner + size - 1.0);
    let first = inside(screen(DVec2::new(rect.x, rect.y)));
    let second = inside(screen(DVec2::new(rect.x + rect.width, rect.y + rect.height)));
    let (low, extent) = (first.min(second), (second - first).abs());
    if extent.min_element() > 0.0 {
        canvas.frame(low, extent, 4.0, Ink::SHADE);
        canvas.frame(low, extent, 2.0, box_ink(source));
    }
}

/// Anatomical letters at the image's edges, straight above, below and beside the point `cross`.
pub(super) fn orientation(canvas: &mut Canvas, volume: &Volume, size: DVec2, cross: DVec2) {
    let geometry = volume.geometry();
    let style = TextStyle::new(22.0, Ink::WHITE).halo();
    let inset = 14.0;
    let middle = cross + DVec2::new(0.0, 8.0);
    let (x, y) = (geometry.column_direction(), geometry.row_direction());
    canvas.text(DVec2::new(inset, middle.y), style, &orientation_letters(-x));
    canvas.text(DVec2::new(size.x - inset, middle.y), style.aligned(Align::Right), &orientation_letters(x));
    canvas.text(DVec2::new(middle.x, inset + 18.0), style.aligned(Align::Center), &orientation_letters(-y));
    canvas.text(DVec2::new(middle.x, size.y - inset), style.aligned(Align::Center), &orientation_letters(y));
}

fn caption(canvas: &mut Canvas, volume: &Volume, slice: usize, figure: Option<&EvidenceFigure>, size: DVec2) {
    let (left, right) = (16.0, size.x - 16.0);
    let (first, second) = (size.y + 30.0, size.y + 56.0);
    let small = (size.x / 46.0).clamp(9.0, 16.0);
    let quiet = TextStyle::new(small, Ink::QUIET);
    let name = format!("Slice {} of {}", slice + 1, volume.slices());
    canvas.text(DVec2::new(right, first), quiet.aligned(Align::Right), &name);
    if let Some(figure) = figure {
        let title = format!("{}  {}", figure.level, figure.finding());
        canvas.text(DVec2::new(left, first), TextStyle::new(small * 1.2, Ink::TEXT).bold(), &title);
        canvas.text(DVec2::new(left, second), quiet, "Supporting evidence");
    }
    canvas.text(DVec2::new(right, second), quiet.aligned(Align::Right), DISCLAIMER);
}
