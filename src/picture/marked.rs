//! A slice as a reader marked it: the part that was in sight, with all that lay over it.

use glam::DVec2;
use image::RgbImage;

use super::canvas::Canvas;
use super::figure::EvidenceFigure;
use super::marks::{draw_body, draw_measurements};
use super::overlay::{draw_box, orientation};
use super::{ImageFromScreen, SliceLook, SliceScene};
use crate::spine::{BoxSource, Measurement, PixelBox, SliceBox, Vertebra};
use crate::volume::Volume;

/// Longest and shortest side that a picture may have to each other: a sliver shows nothing.
const LONGEST: f64 = 2.5;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MarkedSlice<'a> {
    /// Slice.
    pub(crate) slice: usize,
    /// Display window and gray values.
    pub(crate) look: SliceLook,
    /// The part of it, image pixels; `None` is all.
    pub(crate) region: Option<PixelBox>,
    /// Labelled bodies.
    pub(crate) vertebrae: &'a [Vertebra],
    /// What was measured, with its words; drawn where it lies on the slice.
    pub(crate) measurements: &'a [(Measurement, String)],
    /// A reader's boxes; drawn where they lie on the slice.
    pub(crate) boxes: &'a [SliceBox],
    /// The evidence with its boxes.
    pub(crate) figure: Option<&'a EvidenceFigure<'a>>,
}

/// Draws the slice upright, its longer side `pixels` long.
///
/// # Panics
/// If the slice is not below `volume.slices()`.
#[must_use]
pub(crate) fn marked_slice(volume: &Volume, marked: &MarkedSlice, pixels: u32) -> RgbImage {
    let MarkedSlice { slice, look, .. } = *marked;
    let (view, size) = view(volume, marked.region, f64::from(pixels));
    let screen = |image: DVec2| view.screen(image);
    let mut scene = SliceScene::new(&view, look);
    if let Some(figure) = marked.figure {
        scene = scene.with_evidence(figure.frame, slice, figure.look());
    }
    let mut canvas = Canvas::new(size.x as u32, size.y as u32);
    let values = marked.figure.map(|figure| figure.values);
    canvas.place(&scene.draw(volume, slice, values, size.x as u32, size.y as u32), 0, 0);
    let is_in_sight = |vertebra: &&Vertebra| {
        let middle =
            vertebra.corners_at(slice as f64).map(|corners| corners.as_array().into_iter().sum::<DVec2>() / 4.0);
        middle.map(screen).is_some_and(|at| at.cmpge(DVec2::ZERO).all() && at.cmple(size).all())
    };
    for vertebra in marked.vertebrae.iter().filter(is_in_sight) {
        draw_body(&mut canvas, vertebra, slice, size, screen);
    }
    let predicted = marked.figure.into_iter().flat_map(|figure| figure.boxes_on(slice, BoxSource::Predicted));
    for found in predicted.chain(marked.boxes.iter().filter(|drawn| drawn.slice == slice)) {
        draw_box(&mut canvas, &found.rect, found.source, screen, (DVec2::ZERO, size));
    }
    draw_measurements(&mut canvas, marked.measurements, slice, f64::from(pixels) / 42.0, size, screen);
    orientation(&mut canvas, volume, size, size / 2.0);
    canvas.finish()
}

/// The view of a part of a slice with its longer side `pixels` long, and the picture's size.
fn view(volume: &Volume, region: Option<PixelBox>, pixels: f64) -> (ImageFromScreen, DVec2) {
    let pixel_mm = volume.geometry().pixel_size_mm();
    let whole = DVec2::new(volume.columns() as f64, volume.rows() as f64);
    let (low, high) = region.map_or((DVec2::splat(-0.5), whole - 0.5), |region| {
        let corner = DVec2::new(region.x, region.y);
        (corner, corner + DVec2::new(region.width, region.height))
    });
    let extent_mm = ((high - low) * pixel_mm).max(DVec2::splat(1e-3));
    let longer = extent_mm.max_element();
    let extent_mm = extent_mm.max(DVec2::splat(longer / LONGEST));
    let scale = pixels / longer;
    let size = (extent_mm * scale).round().max(DVec2::ONE);
    (ImageFromScreen::centered((low + high) / 2.0, pixel_mm, scale, size / 2.0), size)
}

#[cfg(test)]
mod tests {
    use glam::DVec3;

    use super::*;
    use crate::volume::{VolumeGeometry, WindowLevel};

    /// One slice of 100 × 200 pixels of 0.5 × 1 mm, black but for a white square.
    fn volume() -> Volume {
        let (rows, columns) = (100, 200);
        let voxels = (0..rows * columns).map(|at| {
            let (row, column) = (at / columns, at % columns);
            if (40..60).contains(&row) && (80..120).contains(&column) { 100.0 } else { 0.0 }
        });
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 0.5).expect("valid");
        Volume::new(rows, columns, voxels.collect(), geometry).expect("matching size")
    }

    fn marked(region: Option<PixelBox>) -> MarkedSlice<'static> {
        let look = SliceLook::new(WindowLevel { center: 50.0, width: 100.0 });
        MarkedSlice { slice: 0, look, region, vertebrae: &[], measurements: &[], boxes: &[], figure: None }
    }

    #[test]
    fn the_part_that_was_in_sight_fills_the_picture_in_its_true_shape() {
        let all = marked_slice(&volume(), &marked(None), 400);
        assert_eq!((all.width(), all.height()), (400, 400), "100 mm each way");
        // The white square alone: 20 mm each way.
        let region = PixelBox { x: 79.5, y: 39.5, width: 40.0, height: 20.0 };
        let part = marked_slice(&volume(), &marked(Some(region)), 200);
        assert_eq!((part.width(), part.height()), (200, 200));
        assert_eq!([part.get_pixel(40, 40).0, part.get_pixel(160, 40).0], [[255; 3]; 2]);
        let wider = PixelBox { x: 59.5, width: 80.0, ..region };
        let part = marked_slice(&volume(), &marked(Some(wider)), 400);
        assert_eq!((part.width(), part.height()), (400, 200));
        assert_eq!([part.get_pixel(60, 60).0, part.get_pixel(140, 60).0], [[0; 3], [255; 3]]);
        let sliver = PixelBox { height: 1.0, ..wider };
        assert_eq!(marked_slice(&volume(), &marked(Some(sliver)), 400).height(), 160);
    }

    #[test]
    fn boxes_and_measurements_of_the_slice_are_drawn_where_they_lie() {
        let drawn = |boxes: &[SliceBox], measurements: &[(Measurement, String)]| {
            let marked = MarkedSlice { measurements, boxes, ..marked(None) };
            marked_slice(&volume(), &marked, 400)
        };
        let bare = drawn(&[], &[]);
        let rect = PixelBox { x: 19.5, y: 19.5, width: 40.0, height: 20.0 };
        let a_box = |slice| SliceBox {
            level: crate::spine::DiscLevel::L4L5,
            grading: crate::spine::Grading::Pfirrmann,
            slice,
            rect,
            source: BoxSource::Reader,
            percentile: None,
        };
        // Its upper edge: 20 pixels of 1 mm down, 4 picture pixels to a millimeter.
        let at = (80, 80);
        assert_ne!(drawn(&[a_box(0)], &[]).get_pixel(at.0, at.1), bare.get_pixel(at.0, at.1));
        assert_eq!(drawn(&[a_box(3)], &[]), bare, "of another slice");
        let points = vec![DVec2::new(9.5, 79.5), DVec2::new(69.5, 79.5)];
        let length = Measurement { kind: crate::spine::MeasurementKind::Length, slice: 0, points };
        let measured = drawn(&[], &[(length, "30 mm".to_owned())]);
        assert_ne!(measured.get_pixel(80, 320), bare.get_pixel(80, 320));
    }
}
