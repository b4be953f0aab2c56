//! Which part of the image is seen, and the way between image pixels and the screen.

use eframe::egui::{Pos2, Rect, Vec2, pos2, vec2};
use glam::DVec2;

use crate::volume::Volume;

/// Zoom and middle of the view, independent of the window's size: resizing keeps the image where it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// Magnification; 1 fits the whole slice into the view.
    pub zoom: f64,
    /// Image point (x, y, in pixels) shown in the middle of the view.
    pub center_image: DVec2,
}

/// Smallest and largest magnification.
const ZOOM_RANGE: (f64, f64) = (0.25, 40.0);

impl Camera {
    /// The whole slice, centered.
    #[must_use]
    pub fn fit(image: &ImageFrame) -> Self {
        Self { zoom: 1.0, center_image: image.center() }
    }

    /// Magnified by `factor` with the image point under `anchor` kept in place.
    #[must_use]
    pub fn zoomed_at(self, image: &ImageFrame, viewport: Rect, anchor: Pos2, factor: f64) -> Self {
        let fixed = SliceTransform::new(image, viewport, &self).image_from_screen(anchor);
        let mut zoomed = Self { zoom: (self.zoom * factor).clamp(ZOOM_RANGE.0, ZOOM_RANGE.1), ..self };
        let moved = SliceTransform::new(image, viewport, &zoomed).image_from_screen(anchor);
        zoomed.center_image += fixed - moved;
        zoomed.held(image)
    }

    /// Moved with the pointer by `delta` points.
    #[must_use]
    pub fn panned(self, image: &ImageFrame, viewport: Rect, delta: Vec2) -> Self {
        let transform = SliceTransform::new(image, viewport, &self);
        let step = transform.image_from_screen(pos2(0.0, 0.0)) - transform.image_from_screen(delta.to_pos2());
        Self { center_image: self.center_image + step, ..self }.held(image)
    }

    /// The middle of the view never leaves the image, so the image cannot be lost.
    fn held(self, image: &ImageFrame) -> Self {
        let size = DVec2::new(image.columns as f64, image.rows as f64);
        Self { center_image: self.center_image.clamp(DVec2::splat(-0.5), size - 0.5), ..self }
    }
}

/// Size of a slice in pixels and of its pixels in millimeters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageFrame {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Pixel size (x, y) in mm.
    pub pixel_size_mm: DVec2,
}

impl ImageFrame {
    /// Frame of every slice of a volume.
    #[must_use]
    pub fn of(volume: &Volume) -> Self {
        Self { rows: volume.rows(), columns: volume.columns(), pixel_size_mm: volume.geometry().pixel_size_mm() }
    }

    /// Middle of the image in pixels.
    #[must_use]
    pub fn center(&self) -> DVec2 {
        DVec2::new(self.columns as f64 - 1.0, self.rows as f64 - 1.0) / 2.0
    }

    /// Width and height in mm.
    fn size_mm(&self) -> DVec2 {
        DVec2::new(self.columns as f64, self.rows as f64) * self.pixel_size_mm
    }
}

/// Image pixels to screen points and back, for one viewport and camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceTransform {
    /// Part of the screen that shows the slice.
    pub viewport: Rect,
    /// Screen points per millimeter, the same along x and y.
    pub points_per_mm: f64,
    /// Screen points per image pixel along x and y.
    pub points_per_pixel: DVec2,
    /// Image point (x, y) in the middle of the viewport.
    pub center_image: DVec2,
}

impl SliceTransform {
    /// The transform that a camera gives in a viewport.
    #[must_use]
    pub fn new(image: &ImageFrame, viewport: Rect, camera: &Camera) -> Self {
        let size = image.size_mm();
        let fit = (f64::from(viewport.width()) / size.x).min(f64::from(viewport.height()) / size.y);
        let points_per_mm = fit.max(1e-3) * camera.zoom;
        Self {
            viewport,
            points_per_mm,
            points_per_pixel: image.pixel_size_mm * points_per_mm,
            center_image: camera.center_image,
        }
    }

    /// Where an image point lies on the screen.
    #[must_use]
    pub fn screen_from_image(&self, image: DVec2) -> Pos2 {
        let offset = (image - self.center_image) * self.points_per_pixel;
        self.viewport.center() + vec2(offset.x as f32, offset.y as f32)
    }

    /// Which image point lies under a screen point.
    #[must_use]
    pub fn image_from_screen(&self, screen: Pos2) -> DVec2 {
        let offset = screen - self.viewport.center();
        self.center_image + DVec2::new(f64::from(offset.x), f64::from(offset.y)) / self.points_per_pixel
    }

    /// The whole image on the screen, pixel edges included; may reach beyond the viewport.
    #[must_use]
    pub fn image_rect(&self, image: &ImageFrame) -> Rect {
        let corner = DVec2::new(image.columns as f64, image.rows as f64) - 0.5;
        Rect::from_min_max(self.screen_from_image(DVec2::splat(-0.5)), self.screen_from_image(corner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: ImageFrame = ImageFrame { rows: 200, columns: 100, pixel_size_mm: DVec2::new(1.0, 0.5) };

    fn viewport() -> Rect {
        Rect::from_min_size(pos2(30.0, 20.0), vec2(400.0, 300.0))
    }

    #[test]
    fn fit_shows_the_whole_slice_with_its_true_aspect() {
        let rect = SliceTransform::new(&IMAGE, viewport(), &Camera::fit(&IMAGE)).image_rect(&IMAGE);
        assert!((rect.height() - 300.0).abs() < 1e-3);
        assert!((rect.width() - rect.height()).abs() < 1e-3, "100 mm by 100 mm is square");
        assert!((rect.center() - viewport().center()).length() < 1e-3);
    }

    #[test]
    fn zoom_keeps_the_point_under_the_pointer() {
        let anchor = pos2(200.0, 100.0);
        let before = Camera::fit(&IMAGE);
        let after = before.zoomed_at(&IMAGE, viewport(), anchor, 3.0);
        let under = |camera| SliceTransform::new(&IMAGE, viewport(), camera).image_from_screen(anchor);
        assert!((under(&before) - under(&after)).length() < 1e-6);
        assert_eq!(after.zoom, 3.0);
    }

    #[test]
    fn the_image_cannot_be_panned_out_of_sight() {
        let camera = Camera::fit(&IMAGE).panned(&IMAGE, viewport(), vec2(1e6, -1e6));
        let rect = SliceTransform::new(&IMAGE, viewport(), &camera).image_rect(&IMAGE);
        assert!(rect.intersects(viewport()));
    }

    #[test]
    fn screen_and_image_round_trip() {
        let camera = Camera { zoom: 2.5, center_image: DVec2::new(20.0, 70.0) };
        let transform = SliceTransform::new(&IMAGE, viewport(), &camera);
        let point = DVec2::new(12.25, 33.5);
        assert!((transform.image_from_screen(transform.screen_from_image(point)) - point).length() < 1e-4);
    }
}
