//! Where an image lies on a screen or in a picture.

use glam::{DAffine2, DMat2, DVec2};

/// Maps a screen to image pixels, exactly: zoom, pan, flips, rotation and pixels that are not square.
///
/// The screen is any plane with x to the right and y down: points of a window, pixels of a picture. Its coordinates
/// are continuous, so the first pixel of a picture has its center at (0.5, 0.5). Image coordinates count pixels, with
/// (0, 0) at the center of the top-left one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageFromScreen(DAffine2);

impl ImageFromScreen {
    /// Shows the whole image, centered and as large as fits, in the rectangle at `corner` of size `size`.
    ///
    /// `pixel_size_mm` (x, y) keeps the shape true where pixels are not square
    /// ([`VolumeGeometry::pixel_size_mm`](crate::volume::VolumeGeometry::pixel_size_mm)).
    #[must_use]
    pub fn fit(columns: usize, rows: usize, pixel_size_mm: DVec2, corner: DVec2, size: DVec2) -> Self {
        let extent_mm = DVec2::new(columns as f64, rows as f64) * pixel_size_mm;
        let screen_per_mm = (size / extent_mm).min_element().max(f64::MIN_POSITIVE);
        let middle = DVec2::new(columns as f64, rows as f64) / 2.0 - 0.5;
        Self::centered(middle, pixel_size_mm, screen_per_mm, corner + size / 2.0)
    }

    /// Shows the image point `image` at `screen`, `screen_per_mm` screen units to a millimeter, upright.
    #[must_use]
    pub fn centered(image: DVec2, pixel_size_mm: DVec2, screen_per_mm: f64, screen: DVec2) -> Self {
        let pixels_per_screen = 1.0 / (pixel_size_mm * screen_per_mm);
        let linear = DMat2::from_diagonal(pixels_per_screen);
        Self(DAffine2::from_mat2_translation(linear, image - pixels_per_screen * screen))
    }

    /// Any affine map; it must be invertible.
    #[must_use]
    pub fn from_affine(image_from_screen: DAffine2) -> Self {
        Self(image_from_screen)
    }

    /// The map itself.
    #[must_use]
    pub fn affine(&self) -> DAffine2 {
        self.0
    }

    /// Image position (x, y) under a screen position.
    #[must_use]
    pub fn image(&self, screen: DVec2) -> DVec2 {
        self.0.transform_point2(screen)
    }

    /// Screen position of an image position; inverse of [`Self::image`].
    #[must_use]
    pub fn screen(&self, image: DVec2) -> DVec2 {
        self.0.inverse().transform_point2(image)
    }

    /// The same view after the picture was dragged by `delta` on the screen.
    #[must_use]
    pub fn panned(&self, delta: DVec2) -> Self {
        self.after(DAffine2::from_translation(-delta))
    }

    /// The same view magnified `factor` times, with the image point under `fixed` staying there.
    #[must_use]
    pub fn zoomed(&self, factor: f64, fixed: DVec2) -> Self {
        self.after(about(fixed, DMat2::from_diagonal(DVec2::splat(1.0 / factor))))
    }

    /// The same view mirrored left to right about the screen position `fixed`.
    #[must_use]
    pub fn flipped_horizontally(&self, fixed: DVec2) -> Self {
        self.after(about(fixed, DMat2::from_diagonal(DVec2::new(-1.0, 1.0))))
    }

    /// The same view mirrored top to bottom about the screen position `fixed`.
    #[must_use]
    pub fn flipped_vertically(&self, fixed: DVec2) -> Self {
        self.after(about(fixed, DMat2::from_diagonal(DVec2::new(1.0, -1.0))))
    }

    /// The same view turned clockwise by `angle` radians about the screen position `fixed`.
    #[must_use]
    pub fn rotated(&self, angle: f64, fixed: DVec2) -> Self {
        self.after(about(fixed, DMat2::from_angle(-angle)))
    }

    /// The same view where the screen is counted in units `scale` times finer (points to physical pixels).
    #[must_use]
    pub fn with_finer_screen(&self, scale: f64) -> Self {
        self.after(DAffine2::from_scale(DVec2::splat(1.0 / scale)))
    }

    /// Screen units to a millimeter, given the pixel size (geometric mean over directions); for rulers and zoom labels.
    #[must_use]
    pub fn screen_per_mm(&self, pixel_size_mm: DVec2) -> f64 {
        let square_mm_per_square_unit = self.0.matrix2.determinant().abs() * pixel_size_mm.x * pixel_size_mm.y;
        square_mm_per_square_unit.sqrt().recip()
    }

    fn after(&self, change: DAffine2) -> Self {
        Self(self.0 * change)
    }
}

/// The linear map `linear` about the point `fixed`.
fn about(fixed: DVec2, linear: DMat2) -> DAffine2 {
    DAffine2::from_mat2_translation(linear, fixed - linear * fixed)
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
        assert!((view.screen_per_mm(PIXEL_MM) - 2.0).abs() < 1e-12);
        assert!(near(view.screen(DVec2::new(-0.5, -0.5)), DVec2::new(10.0 + 70.0, 20.0)));
        assert!(near(view.screen(DVec2::new(99.5, 199.5)), DVec2::new(10.0 + 230.0, 220.0)));
    }

    #[test]
    fn changes_keep_the_point_they_are_made_about() {
        let view = ImageFromScreen::fit(100, 200, PIXEL_MM, DVec2::ZERO, DVec2::new(300.0, 200.0));
        let fixed = DVec2::new(120.0, 33.0);
        for changed in [
            view.zoomed(3.0, fixed),
            view.flipped_horizontally(fixed),
            view.flipped_vertically(fixed),
            view.rotated(0.7, fixed),
        ] {
            assert!(near(changed.image(fixed), view.image(fixed)));
            assert!(near(changed.screen(changed.image(DVec2::new(7.0, 8.0))), DVec2::new(7.0, 8.0)));
        }
        assert!((view.zoomed(3.0, fixed).screen_per_mm(PIXEL_MM) - 6.0).abs() < 1e-9);
    }

    #[test]
    fn dragging_right_moves_the_picture_right_and_turning_is_clockwise() {
        let view = ImageFromScreen::centered(DVec2::ZERO, DVec2::ONE, 1.0, DVec2::ZERO);
        assert!(near(view.panned(DVec2::new(5.0, 1.0)).screen(DVec2::ZERO), DVec2::new(5.0, 1.0)));
        // What was to the right is now below.
        let turned = view.rotated(std::f64::consts::FRAC_PI_2, DVec2::ZERO);
        assert!(near(turned.screen(DVec2::X), DVec2::Y));
        assert!(near(view.with_finer_screen(2.0).screen(DVec2::X), DVec2::new(2.0, 0.0)));
    }
}
