//! Where an image lies on a screen or in a picture.

use glam::{DAffine2, DMat2, DVec2};

/// Maps a screen to image pixels, exactly: zoom, pan, flips, rotation and pixels that are not square.
///
/// The screen is any plane with x to the right and y down: points of a window, pixels of a picture. Its coordinates
/// are continuous, so the first pixel of a picture has its center at (0.5, 0.5). Image coordinates count pixels, with
/// (0, 0) at the center of the top-left one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ImageFromScreen(DAffine2);

impl ImageFromScreen {
    /// Shows the whole image, centered and as large as fits, in the rectangle at `corner` of size `size`.
    ///
    /// `pixel_size_mm` (x, y) keeps the shape true where pixels are not square
    /// ([`VolumeGeometry::pixel_size_mm`](crate::volume::VolumeGeometry::pixel_size_mm)).
    #[must_use]
    pub(crate) fn fit(columns: usize, rows: usize, pixel_size_mm: DVec2, corner: DVec2, size: DVec2) -> Self {
        let extent_mm = DVec2::new(columns as f64, rows as f64) * pixel_size_mm;
        let screen_per_mm = (size / extent_mm).min_element().max(f64::MIN_POSITIVE);
        let middle = DVec2::new(columns as f64, rows as f64) / 2.0 - 0.5;
        Self::centered(middle, pixel_size_mm, screen_per_mm, corner + size / 2.0)
    }

    /// Shows the image point `image` at `screen`, `screen_per_mm` screen units to a millimeter, upright.
    #[must_use]
    pub(crate) fn centered(image: DVec2, pixel_size_mm: DVec2, screen_per_mm: f64, screen: DVec2) -> Self {
        let pixels_per_screen = 1.0 / (pixel_size_mm * screen_per_mm);
        let linear = DMat2::from_diagonal(pixels_per_screen);
        Self(DAffine2::from_mat2_translation(linear, image - pixels_per_screen * screen))
    }

    /// Any affine map; it must be invertible.
    #[must_use]
    pub(crate) fn from_affine(image_from_screen: DAffine2) -> Self {
        Self(image_from_screen)
    }

    /// The map itself.
    #[must_use]
    pub(crate) fn affine(&self) -> DAffine2 {
        self.0
    }

    /// Screen position of an image position (x, y).
    #[must_use]
    pub(crate) fn screen(&self, image: DVec2) -> DVec2 {
        self.0.inverse().transform_point2(image)
    }

    /// The same view where the screen is counted in units `scale` times finer (points to physical pixels).
    #[must_use]
    pub(crate) fn with_finer_screen(&self, scale: f64) -> Self {
        Self(self.0 * DAffine2::from_scale(DVec2::splat(1.0 / scale)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXEL_MM: DVec2 = DVec2::new(0.8, 0.5);

    fn near(a: DVec2, b: DVec2) -> bool {
        (a - b).length() < 1e-9
    }

    #[test]
    fn fit_keeps_the_shape_and_touches_the_narrower_side() {
        // 80 × 100 mm in 300 × 200: the height decides, 2 units to a millimeter.
        let view = ImageFromScreen::fit(100, 200, PIXEL_MM, DVec2::new(10.0, 20.0), DVec2::new(300.0, 200.0));
        assert!(near(view.screen(DVec2::new(-0.5, -0.5)), DVec2::new(10.0 + 70.0, 20.0)));
        assert!(near(view.screen(DVec2::new(99.5, 199.5)), DVec2::new(10.0 + 230.0, 220.0)));
    }

    #[test]
    fn a_finer_screen_shows_the_same_place() {
        let view = ImageFromScreen::centered(DVec2::ZERO, DVec2::ONE, 1.0, DVec2::ZERO);
        assert!(near(view.with_finer_screen(2.0).screen(DVec2::X), DVec2::new(2.0, 0.0)));
    }
}
