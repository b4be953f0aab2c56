//! The color of one screen pixel: the CPU twin of `shaders/slice.wgsl`, function by function.
//!
//! The window on screen and the pictures written to files show the same thing because both start from a [`SliceScene`].

use glam::DVec2;
use image::{Rgb, RgbImage};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ColorMap, ImageFromScreen};
use crate::spine::{DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};
use crate::volume::{Volume, WindowLevel};

/// Averaged screen samples per axis at most, where the image is shown smaller than its pixels.
const MOST_SAMPLES: f64 = 4.0;

/// Share of the color range over which evidence fades in above its threshold.
const SOFT_EDGE: f32 = 0.06;

/// Half the width of a contour, screen pixels, and the width of its soft edge.
const CONTOUR: (f32, f32) = (0.9, 0.8);

/// Place of a contour's color in the color map: bright in all of them.
const CONTOUR_STRENGTH: f32 = 0.8;

/// How a slice is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SliceLook {
    /// Display window.
    pub window: WindowLevel,
    /// Shows low values bright.
    pub invert: bool,
    /// Bilinear between pixels; otherwise every pixel is a flat rectangle.
    pub smooth: bool,
    /// Color beside the image, sRGB.
    pub background: [u8; 3],
}

impl SliceLook {
    /// Smooth, not inverted, on black.
    #[must_use]
    pub(crate) fn new(window: WindowLevel) -> Self {
        Self { window, invert: false, smooth: true, background: [0; 3] }
    }
}

/// How strongly evidence covers the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceFill {
    /// Evenly wherever it is above the threshold.
    #[default]
    Even,
    /// In proportion to its place in the range, so weak evidence leaves the image visible.
    Graded,
    /// A line along the threshold alone.
    Contour,
}

/// How evidence is shown over a slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EvidenceLook {
    /// Cover of the image, 0 (none) to 1.
    pub opacity: f32,
    /// Evidence up to this value is not drawn.
    pub threshold: f32,
    /// Values at the two ends of the color map.
    pub range: (f32, f32),
    pub color_map: ColorMap,
    /// Cover by value.
    pub fill: EvidenceFill,
}

/// Everything but pixels that decides what one view shows; the same numbers go to the shader and to its CPU twin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SliceScene {
    /// Rows (x, y) of the affine map from screen to image pixels.
    pub(crate) image_from_screen: [[f32; 3]; 2],
    /// Averaged samples per screen pixel and axis.
    pub(crate) samples: u32,
    /// How the slice is shown.
    pub(crate) look: SliceLook,
    /// The evidence over it.
    pub(crate) evidence: Option<EvidenceScene>,
}

/// The part of a scene that draws evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EvidenceScene {
    /// Rows (row, column) of the affine map from image to patch pixels.
    pub(crate) patch_from_image: [[f32; 3]; 2],
    /// Patch slice shown.
    pub(crate) patch_slice: usize,
    /// How it is shown.
    pub(crate) look: EvidenceLook,
}

impl SliceScene {
    /// A slice without evidence. `image_from_screen` counts the screen in physical pixels.
    #[must_use]
    pub(crate) fn new(image_from_screen: &ImageFromScreen, look: SliceLook) -> Self {
        let affine = image_from_screen.affine();
        let step = affine.matrix2.x_axis.length().max(affine.matrix2.y_axis.length());
        Self {
            image_from_screen: rows_of(affine.matrix2.x_axis, affine.matrix2.y_axis, affine.translation),
            samples: step.ceil().clamp(1.0, MOST_SAMPLES) as u32,
            look,
            evidence: None,
        }
    }

    /// The same view with the evidence of a disc volume, where `slice` of the scan is nearest to one of its slices.
    #[must_use]
    pub(crate) fn with_evidence(self, frame: &DiscFrame, slice: usize, look: EvidenceLook) -> Self {
        let evidence = nearest_patch_slice(frame, slice).map(|patch_slice| {
            let at = |image| DVec2::from(frame.patch_from_image(image));
            let origin = at(DVec2::ZERO);
            let patch_from_image = rows_of(at(DVec2::X) - origin, at(DVec2::Y) - origin, origin);
            EvidenceScene { patch_from_image, patch_slice, look }
        });
        Self { evidence, ..self }
    }

    /// Draws the picture on the CPU: `width` × `height` pixels of `slice`, and of `evidence` (`[9, 112, 224]`) if the
    /// scene has it.
    ///
    /// # Panics
    /// If `slice` is not in the volume or the evidence has the wrong size.
    #[must_use]
    pub(crate) fn draw(
        &self,
        volume: &Volume,
        slice: usize,
        evidence: Option<&[f32]>,
        width: u32,
        height: u32,
    ) -> RgbImage {
        let image = Plane { pixels: volume.slice(slice), rows: volume.rows(), columns: volume.columns() };
        let patch = self.evidence.zip(evidence).map(|(scene, values)| (scene, patch_plane(values, scene.patch_slice)));
        let mut picture = RgbImage::new(width, height);
        let lines: Vec<_> = picture.rows_mut().collect();
        lines.into_par_iter().zip(0..height).for_each(|(line, y)| {
            for (x, pixel) in line.enumerate() {
                let color = self.color_at(&image, patch, x as f32 + 0.5, y as f32 + 0.5);
                *pixel = Rgb(color.map(|channel| (channel * 255.0).round() as u8));
            }
        });
        picture
    }

    /// The mean color of one screen pixel around (`x`, `y`).
    fn color_at(&self, image: &Plane, patch: Option<(EvidenceScene, Plane)>, x: f32, y: f32) -> [f32; 3] {
        let mut sum = [0.0; 3];
        for row in 0..self.samples {
            for column in 0..self.samples {
                let offset = |index: u32| (index as f32 + 0.5) / self.samples as f32 - 0.5;
                let color = self.sample_color(image, patch, x + offset(column), y + offset(row));
                sum = std::array::from_fn(|channel| sum[channel] + color[channel]);
            }
        }
        sum.map(|channel| channel / (self.samples * self.samples) as f32)
    }

    /// The color at one exact screen position.
    fn sample_color(&self, image: &Plane, patch: Option<(EvidenceScene, Plane)>, x: f32, y: f32) -> [f32; 3] {
        let [across, down] = transform(&self.image_from_screen, x, y);
        if !image.contains(across, down) {
            return self.look.background.map(|channel| f32::from(channel) / 255.0);
        }
        let value = if self.look.smooth { image.bilinear(across, down) } else { image.nearest(across, down) };
        let gray = self.look.window.apply(value);
        let gray = if self.look.invert { 1.0 - gray } else { gray };
        let color = [gray; 3];
        // What one screen pixel to the right and one down are in the image.
        let [[xx, xy, _], [yx, yy, _]] = self.image_from_screen;
        patch.map_or(color, |(scene, plane)| scene.over(color, &plane, [across, down], [[xx, yx], [xy, yy]]))
    }
}

impl EvidenceScene {
    /// `color` with the evidence at an image position drawn over it; `steps` are a screen pixel to the right and one down.
    fn over(&self, color: [f32; 3], patch: &Plane, [x, y]: [f32; 2], steps: [[f32; 2]; 2]) -> [f32; 3] {
        let at = |x: f32, y: f32| {
            let [row, column] = transform(&self.patch_from_image, x, y);
            (row, column, patch.bilinear(column, row))
        };
        let (row, column, value) = at(x, y);
        if !patch.contains(column, row) {
            return color;
        }
        let (strength, cover) = if self.look.fill == EvidenceFill::Contour {
            let slope = steps.map(|[dx, dy]| (at(x + dx, y + dy).2 - at(x - dx, y - dy).2) / 2.0);
            (CONTOUR_STRENGTH, self.contour(value, slope))
        } else {
            (self.strength(value), self.cover(value, self.strength(value)))
        };
        let evidence = self.look.color_map.color(strength);
        std::array::from_fn(|channel| color[channel] + (evidence[channel] - color[channel]) * cover)
    }

    /// Place of a value in the range, 0 to 1.
    fn strength(&self, value: f32) -> f32 {
        ((value - self.look.range.0) / self.range_width()).clamp(0.0, 1.0)
    }

    /// Share of the image that evidence of this value hides.
    fn cover(&self, value: f32, strength: f32) -> f32 {
        let rise = ((value - self.look.threshold) / self.soft_edge()).clamp(0.0, 1.0);
        let graded = if self.look.fill == EvidenceFill::Graded { strength } else { 1.0 };
        self.look.opacity * rise * rise * (3.0 - 2.0 * rise) * graded
    }

    /// Cover by the line along the threshold, where evidence rises by `slope` for a screen pixel to the right and down.
    fn contour(&self, value: f32, [across, down]: [f32; 2]) -> f32 {
        let steepness = across.hypot(down);
        // Level ground at the threshold has no line through it.
        let distance = (value - self.look.threshold).abs() / steepness.max(f32::MIN_POSITIVE);
        let (half, soft) = CONTOUR;
        self.look.opacity * ((half + soft - distance) / soft).clamp(0.0, 1.0)
    }

    /// Difference of the range's ends, above zero.
    pub(crate) fn range_width(&self) -> f32 {
        (self.look.range.1 - self.look.range.0).max(f32::MIN_POSITIVE)
    }

    /// Rise above the threshold over which evidence fades in, above zero.
    pub(crate) fn soft_edge(&self) -> f32 {
        (SOFT_EDGE * self.range_width()).max(f32::MIN_POSITIVE)
    }
}

/// Row-major values of one slice.
#[derive(Clone, Copy)]
pub(super) struct Plane<'a> {
    pub(super) pixels: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Plane<'_> {
    /// Whether a position lies on a pixel.
    fn contains(&self, x: f32, y: f32) -> bool {
        x >= -0.5 && y >= -0.5 && x <= self.columns as f32 - 0.5 && y <= self.rows as f32 - 0.5
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        self.pixels[y as usize * self.columns + x as usize]
    }

    fn nearest(&self, x: f32, y: f32) -> f32 {
        let (last_x, last_y) = (self.columns as f32 - 1.0, self.rows as f32 - 1.0);
        self.at((x + 0.5).floor().clamp(0.0, last_x), (y + 0.5).floor().clamp(0.0, last_y))
    }

    pub(super) fn bilinear(&self, x: f32, y: f32) -> f32 {
        let (last_x, last_y) = (self.columns as f32 - 1.0, self.rows as f32 - 1.0);
        let (x, y) = (x.clamp(0.0, last_x), y.clamp(0.0, last_y));
        let (left, top) = (x.floor(), y.floor());
        let (right, bottom) = ((left + 1.0).min(last_x), (top + 1.0).min(last_y));
        let (across, down) = (x - left, y - top);
        let upper = self.at(left, top) + (self.at(right, top) - self.at(left, top)) * across;
        let lower = self.at(left, bottom) + (self.at(right, bottom) - self.at(left, bottom)) * across;
        upper + (lower - upper) * down
    }
}

/// The patch slice nearest to a scan slice; `None` where the disc volume does not reach or the scan has no slice.
#[must_use]
pub(crate) fn nearest_patch_slice(frame: &DiscFrame, slice: usize) -> Option<usize> {
    let nearest = frame.patch_from_scan_slice(slice as f64).round();
    let inside = (0.0..PATCH_SLICES as f64).contains(&nearest);
    inside.then_some(nearest as usize).filter(|patch_slice| frame.scan_slice(*patch_slice).is_some())
}

pub(super) fn patch_plane(values: &[f32], slice: usize) -> Plane<'_> {
    let pixels = PATCH_ROWS * PATCH_COLUMNS;
    Plane { pixels: &values[slice * pixels..(slice + 1) * pixels], rows: PATCH_ROWS, columns: PATCH_COLUMNS }
}

/// The two rows of an affine map given by its columns.
fn rows_of(x_axis: DVec2, y_axis: DVec2, translation: DVec2) -> [[f32; 3]; 2] {
    [[x_axis.x as f32, y_axis.x as f32, translation.x as f32], [x_axis.y as f32, y_axis.y as f32, translation.y as f32]]
}

fn transform(rows: &[[f32; 3]; 2], x: f32, y: f32) -> [f32; 2] {
    rows.map(|[a, b, c]| a * x + b * y + c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::VolumeGeometry;
    use glam::DVec3;

    fn ramp() -> Volume {
        let geometry =
            VolumeGeometry::new(vec![DVec3::ZERO; 2], DVec3::Y, -DVec3::Z, 1.0, 2.0).expect("valid geometry");
        Volume::new(4, 3, (0..24).map(|value| value as f32).collect(), geometry).expect("matching size")
    }

    const WINDOW: WindowLevel = WindowLevel { center: 12.0, width: 24.0 };

    /// Ten screen pixels to a millimeter, corner to corner.
    fn view() -> ImageFromScreen {
        ImageFromScreen::fit(3, 4, DVec2::new(2.0, 1.0), DVec2::ZERO, DVec2::new(60.0, 40.0))
    }

    #[test]
    fn a_smooth_slice_shows_bilinear_samples_through_the_window() {
        let volume = ramp();
        let picture = SliceScene::new(&view(), SliceLook::new(WINDOW)).draw(&volume, 1, None, 60, 40);
        for (x, y) in [(0, 0), (31, 17), (59, 39), (12, 30)] {
            let at = view().affine().transform_point2(DVec2::new(f64::from(x) + 0.5, f64::from(y) + 0.5));
            let value = volume.sample_bilinear(1, at.x, at.y).expect("inside");
            let expected = (WINDOW.apply(value) * 255.0).round() as u8;
            assert!(picture.get_pixel(x, y).0[0].abs_diff(expected) <= 1, "at {x}, {y}");
        }
    }

    #[test]
    fn flat_pixels_are_whole_and_inverted_ones_complementary() {
        let look = SliceLook { smooth: false, ..SliceLook::new(WINDOW) };
        let volume = ramp();
        let picture = SliceScene::new(&view(), look).draw(&volume, 0, None, 60, 40);
        // Each image pixel covers 20 × 10 screen pixels.
        for (x, y) in [(0, 0), (19, 9)] {
            assert_eq!(picture.get_pixel(x, y).0, [(WINDOW.apply(0.0) * 255.0).round() as u8; 3]);
        }
        assert_eq!(picture.get_pixel(20, 10).0, [(WINDOW.apply(4.0) * 255.0).round() as u8; 3]);
        let inverted = SliceScene::new(&view(), SliceLook { invert: true, ..look }).draw(&volume, 0, None, 60, 40);
        assert!(
            picture
                .pixels()
                .zip(inverted.pixels())
                .all(|(a, b)| (i32::from(a.0[0]) + i32::from(b.0[0]) - 255).abs() <= 1)
        );
    }

    #[test]
    fn shrunk_slices_are_averaged_and_the_background_surrounds_them() {
        // Columns alternate between black and white: at half size every screen pixel is their mean.
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
        let stripes = (0..64).map(|index| (index % 2) as f32).collect();
        let volume = Volume::new(8, 8, stripes, geometry).expect("matching size");
        let look = SliceLook { background: [1, 2, 3], ..SliceLook::new(WindowLevel { center: 0.5, width: 1.0 }) };
        let view = ImageFromScreen::fit(8, 8, DVec2::ONE, DVec2::ZERO, DVec2::new(8.0, 4.0));
        let picture = SliceScene::new(&view, look).draw(&volume, 0, None, 8, 4);
        assert_eq!(picture.get_pixel(0, 0).0, [1, 2, 3]);
        assert_eq!(picture.get_pixel(4, 2).0, [128; 3]);
    }

    #[test]
    fn evidence_up_to_the_threshold_is_not_drawn_and_full_evidence_has_the_strongest_color() {
        let look = EvidenceLook {
            opacity: 1.0,
            threshold: 0.5,
            range: (0.0, 1.0),
            color_map: ColorMap::Ember,
            fill: EvidenceFill::Even,
        };
        let scene = EvidenceScene { patch_from_image: [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], patch_slice: 0, look };
        let plane = Plane { pixels: &[0.5, 1.0], rows: 1, columns: 2 };
        let steps = [[0.1, 0.0], [0.0, 0.1]];
        let over = |scene: EvidenceScene, x: f32| scene.over([0.2; 3], &plane, [x, 0.0], steps);
        assert_eq!(over(scene, 0.0), [0.2; 3]);
        assert_eq!(over(scene, 1.0), ColorMap::Ember.table()[255]);
        assert_eq!(over(scene, 2.0), [0.2; 3]);
        let half = EvidenceScene { look: EvidenceLook { opacity: 0.5, ..look }, ..scene };
        let mixed = f32::midpoint(0.2, ColorMap::Ember.table()[255][0]);
        assert!((over(half, 1.0)[0] - mixed).abs() < 1e-6);
        // From 0.5 to 1 over ten screen pixels: the line along 0.7 lies at 0.4, two to three pixels wide.
        let look = EvidenceLook { threshold: 0.7, fill: EvidenceFill::Contour, ..look };
        let line = EvidenceScene { look, ..scene };
        let bright = ColorMap::Ember.color(CONTOUR_STRENGTH);
        assert!(over(line, 0.4).iter().zip(bright).all(|(got, expected)| (got - expected).abs() < 1e-3));
        assert_eq!((over(line, 0.2), over(line, 0.6)), ([0.2; 3], [0.2; 3]));
    }
}
