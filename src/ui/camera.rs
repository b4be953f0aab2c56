//! Which part of the image is seen, and the way between image pixels and the screen.

use eframe::egui::{Pos2, Rect, Vec2, pos2, vec2};
use glam::{DAffine2, DMat2, DVec2, Vec2Swizzles as _};

use crate::picture::ImageFromScreen;
use crate::volume::Volume;

/// How the image is turned and mirrored on the screen: one of eight ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Orientation {
    /// Clockwise turns by 90°, 0 to 3, after mirroring.
    quarter_turns: u8,
    /// Left and right changed.
    is_mirrored: bool,
}

impl Orientation {
    /// Turned once more clockwise.
    #[must_use]
    pub(crate) fn rotated_right(self) -> Self {
        Self { quarter_turns: (self.quarter_turns + 1) % 4, ..self }
    }

    /// Turned once more counterclockwise.
    #[must_use]
    pub(crate) fn rotated_left(self) -> Self {
        Self { quarter_turns: (self.quarter_turns + 3) % 4, ..self }
    }

    /// Left and right of the screen changed.
    #[must_use]
    pub(crate) fn flipped_horizontally(self) -> Self {
        Self { quarter_turns: (4 - self.quarter_turns) % 4, is_mirrored: !self.is_mirrored }
    }

    /// Top and bottom of the screen changed.
    #[must_use]
    pub(crate) fn flipped_vertically(self) -> Self {
        self.flipped_horizontally().rotated_right().rotated_right()
    }

    /// Whether width and height are exchanged.
    #[must_use]
    pub(crate) fn is_sideways(self) -> bool {
        self.quarter_turns % 2 == 1
    }

    /// Screen direction of an image direction, both with y down.
    #[must_use]
    pub(crate) fn matrix(self) -> DMat2 {
        let (sin, cos) = [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)][usize::from(self.quarter_turns % 4)];
        let mirror = if self.is_mirrored { -1.0 } else { 1.0 };
        DMat2::from_cols(DVec2::new(cos, sin) * mirror, DVec2::new(-sin, cos))
    }
}

/// Zoom and middle of the view, independent of the window's size: resizing keeps the image where it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// Magnification; 1 fits the whole slice into the view.
    pub zoom: f64,
    /// Image point (x, y, in pixels) shown in the middle of the view.
    pub center_image: DVec2,
    /// How it is turned.
    pub(crate) orientation: Orientation,
}

/// Smallest and largest magnification.
const ZOOM_RANGE: (f64, f64) = (0.25, 40.0);

impl Camera {
    /// The whole slice, centered.
    #[must_use]
    pub fn fit(image: &ImageFrame) -> Self {
        Self { zoom: 1.0, center_image: image.center(), orientation: Orientation::default() }
    }

    /// The whole slice, centered, turned as now.
    #[must_use]
    pub(crate) fn refitted(self, image: &ImageFrame) -> Self {
        Self { orientation: self.orientation, ..Self::fit(image) }
    }

    /// Turned about the middle of the view.
    #[must_use]
    pub(crate) fn turned(self, turn: impl FnOnce(Orientation) -> Orientation) -> Self {
        Self { orientation: turn(self.orientation), ..self }
    }

    /// Magnified so that an image pixel is as wide as `points` of the screen, about the middle of the view.
    #[must_use]
    pub(crate) fn with_pixel_width(self, image: &ImageFrame, viewport: Rect, points: f64) -> Self {
        let now = SliceTransform::new(image, viewport, &self).points_per_pixel().x;
        Self { zoom: (self.zoom * points / now).clamp(ZOOM_RANGE.0, ZOOM_RANGE.1), ..self }
    }

    /// Magnified by `factor` with the image point under `anchor` kept in place.
    #[must_use]
    pub(crate) fn zoomed_at(self, image: &ImageFrame, viewport: Rect, anchor: Pos2, factor: f64) -> Self {
        let fixed = SliceTransform::new(image, viewport, &self).image_from_screen(anchor);
        let mut zoomed = Self { zoom: (self.zoom * factor).clamp(ZOOM_RANGE.0, ZOOM_RANGE.1), ..self };
        let moved = SliceTransform::new(image, viewport, &zoomed).image_from_screen(anchor);
        zoomed.center_image += fixed - moved;
        zoomed.held(image)
    }

    /// Magnified and moved so that the part of the image between two opposite corners fills the view; turned as now.
    #[must_use]
    pub fn showing(self, image: &ImageFrame, viewport: Rect, [corner, opposite]: [DVec2; 2]) -> Self {
        let size = ((opposite - corner).abs() * image.pixel_size_mm).max(DVec2::splat(1e-3));
        let size = if self.orientation.is_sideways() { size.yx() } else { size };
        let points_per_mm = (f64::from(viewport.width()) / size.x).min(f64::from(viewport.height()) / size.y);
        let centered = Self { center_image: (corner + opposite) / 2.0, ..self };
        centered.with_pixel_width(image, viewport, points_per_mm * image.pixel_size_mm.x).held(image)
    }

    /// Moved with the pointer by `delta` points.
    #[must_use]
    pub(crate) fn panned(self, image: &ImageFrame, viewport: Rect, delta: Vec2) -> Self {
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
    pub rows: usize,
    pub columns: usize,
    /// Pixel size (x, y) in mm.
    pub pixel_size_mm: DVec2,
}

impl ImageFrame {
    /// Frame of every slice of a volume.
    #[must_use]
    pub(crate) fn of(volume: &Volume) -> Self {
        Self { rows: volume.rows(), columns: volume.columns(), pixel_size_mm: volume.geometry().pixel_size_mm() }
    }

    /// Middle of the image in pixels.
    #[must_use]
    pub(crate) fn center(&self) -> DVec2 {
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
    /// How the image is turned.
    pub(crate) orientation: Orientation,
    /// Size of an image pixel (x, y), mm.
    pixel_size_mm: DVec2,
    /// Image point (x, y) in the middle of the viewport.
    center_image: DVec2,
}

impl SliceTransform {
    /// The transform that a camera gives in a viewport.
    #[must_use]
    pub fn new(image: &ImageFrame, viewport: Rect, camera: &Camera) -> Self {
        let size = image.size_mm();
        let size = if camera.orientation.is_sideways() { size.yx() } else { size };
        let fit = (f64::from(viewport.width()) / size.x).min(f64::from(viewport.height()) / size.y);
        Self {
            viewport,
            points_per_mm: fit.max(1e-3) * camera.zoom,
            orientation: camera.orientation,
            pixel_size_mm: image.pixel_size_mm,
            center_image: camera.center_image,
        }
    }

    /// Screen points per image pixel along the image's x and y.
    #[must_use]
    pub(crate) fn points_per_pixel(&self) -> DVec2 {
        self.pixel_size_mm * self.points_per_mm
    }

    /// The linear part: screen points per image pixel, as a matrix.
    fn screen_from_pixels(&self) -> DMat2 {
        self.orientation.matrix() * DMat2::from_diagonal(self.points_per_pixel())
    }

    /// Where an image point lies on the screen.
    #[must_use]
    pub fn screen_from_image(&self, image: DVec2) -> Pos2 {
        let offset = self.screen_from_pixels() * (image - self.center_image);
        self.viewport.center() + vec2(offset.x as f32, offset.y as f32)
    }

    /// Which image point lies under a screen point.
    #[must_use]
    pub(crate) fn image_from_screen(&self, screen: Pos2) -> DVec2 {
        let offset = screen - self.viewport.center();
        let offset = DVec2::new(f64::from(offset.x), f64::from(offset.y));
        self.center_image + self.orientation.matrix().transpose() * offset / self.points_per_pixel()
    }

    /// The same map for the renderer.
    #[must_use]
    pub(crate) fn placement(&self) -> ImageFromScreen {
        let middle = self.viewport.center();
        let middle = DVec2::new(f64::from(middle.x), f64::from(middle.y));
        let linear = self.screen_from_pixels().inverse();
        let translation = self.center_image - linear * middle;
        ImageFromScreen::from_affine(DAffine2::from_mat2_translation(linear, translation))
    }

    /// A rectangle of the image on the screen, given two opposite corners.
    #[must_use]
    pub fn screen_rect(&self, corner: DVec2, opposite: DVec2) -> Rect {
        Rect::from_two_pos(self.screen_from_image(corner), self.screen_from_image(opposite))
    }

    /// The whole image on the screen, pixel edges included; may reach beyond the viewport.
    #[must_use]
    pub(crate) fn image_rect(&self, image: &ImageFrame) -> Rect {
        self.screen_rect(DVec2::splat(-0.5), DVec2::new(image.columns as f64, image.rows as f64) - 0.5)
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
        let mut camera = Camera { zoom: 2.5, center_image: DVec2::new(20.0, 70.0), ..Camera::fit(&IMAGE) };
        let point = DVec2::new(12.25, 33.5);
        let turns: [fn(Orientation) -> Orientation; 4] = [
            Orientation::rotated_right,
            Orientation::flipped_horizontally,
            Orientation::rotated_left,
            Orientation::flipped_vertically,
        ];
        for turn in turns {
            let transform = SliceTransform::new(&IMAGE, viewport(), &camera);
            let screen = transform.screen_from_image(point);
            assert!((transform.image_from_screen(screen) - point).length() < 1e-4);
            let drawn =
                transform.placement().affine().transform_point2(DVec2::new(f64::from(screen.x), f64::from(screen.y)));
            assert!((drawn - point).length() < 1e-4, "pixels lie where outlines do");
            camera = camera.turned(turn);
        }
    }

    #[test]
    fn turns_and_flips_are_those_of_the_screen() {
        let upright = Orientation::default();
        let right = |orientation: Orientation| orientation.matrix() * DVec2::X;
        let down = |orientation: Orientation| orientation.matrix() * DVec2::Y;
        assert_eq!(right(upright.rotated_right()), DVec2::Y);
        assert_eq!(down(upright.rotated_right()), -DVec2::X);
        let turned = upright.rotated_right().flipped_horizontally();
        assert_eq!((right(turned), down(turned)), (DVec2::Y, DVec2::X));
        let turned = upright.rotated_right().flipped_vertically();
        assert_eq!((right(turned), down(turned)), (-DVec2::Y, -DVec2::X));
        assert_eq!(upright.rotated_left().rotated_right(), upright);
        assert_eq!(upright.flipped_vertically().flipped_horizontally(), upright.rotated_left().rotated_left());
    }

    #[test]
    fn a_part_of_the_image_fills_the_view_however_it_is_turned() {
        let part = [DVec2::new(20.0, 40.0), DVec2::new(60.0, 90.0)];
        let fits = |camera: Camera, sides: [f32; 2]| {
            let transform = SliceTransform::new(&IMAGE, viewport(), &camera);
            let shown = transform.screen_rect(part[0], part[1]);
            assert!((shown.center() - viewport().center()).length() < 1e-3);
            assert!((shown.width() - sides[0]).abs() < 1e-2 && (shown.height() - sides[1]).abs() < 1e-2, "{shown}");
        };
        // 40 mm by 25 mm, in a view of 400 by 300 points.
        fits(Camera::fit(&IMAGE).showing(&IMAGE, viewport(), part), [400.0, 250.0]);
        let turned = Camera::fit(&IMAGE).turned(Orientation::rotated_right);
        fits(turned.showing(&IMAGE, viewport(), part), [187.5, 300.0]);
    }

    #[test]
    fn one_to_one_shows_a_pixel_a_pixel() {
        let camera = Camera::fit(&IMAGE).with_pixel_width(&IMAGE, viewport(), 2.0);
        assert!((SliceTransform::new(&IMAGE, viewport(), &camera).points_per_pixel().x - 2.0).abs() < 1e-9);
    }
}
