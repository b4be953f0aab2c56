//! The detector's view of a slice: square pixels of a fixed size in millimeters, anterior left, superior up.

use glam::{DMat2, DVec2, DVec3};

use crate::model::detector::INPUT_MULTIPLE;
use crate::volume::{Volume, VolumeGeometry};

/// Largest edge of a canvas, pixels; 640 mm at the shipped pixel size, more than any scanner's sagittal field of view.
const LARGEST_EDGE: usize = 512;

/// Places canvas pixels (x, y) on the image of a slice; a similarity in millimeters unless stretched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CanvasFrame {
    rows: usize,
    columns: usize,
    /// Image position of the canvas center, pixels.
    center_image: DVec2,
    /// Image pixels per canvas pixel: first column along canvas x, second along canvas y.
    image_per_canvas: DMat2,
}

impl CanvasFrame {
    /// Canvas of `rows` × `columns` pixels around the image position `center_image`.
    ///
    /// `pixel_mm` is the edge of a canvas pixel; `rotation` (radians) turns the canvas against the image.
    #[must_use]
    pub(crate) fn new(
        geometry: &VolumeGeometry,
        [rows, columns]: [usize; 2],
        center_image: DVec2,
        pixel_mm: f64,
        rotation: f64,
    ) -> Self {
        let standard = image_mm_from_standard(geometry) * DMat2::from_angle(rotation) * pixel_mm;
        let per_mm = DMat2::from_diagonal(geometry.pixel_size_mm().recip());
        Self { rows, columns, center_image, image_per_canvas: per_mm * standard }
    }

    /// The same canvas with its content wider by `ratio` and lower by as much.
    #[must_use]
    pub(crate) fn stretched(self, ratio: f64) -> Self {
        let stretch = DMat2::from_diagonal(DVec2::new(ratio.recip(), ratio));
        Self { image_per_canvas: self.image_per_canvas * stretch, ..self }
    }

    /// The canvas that shows the whole slice, its sides rounded up to what the network takes.
    #[must_use]
    pub(crate) fn whole_slice(volume: &Volume, pixel_mm: f64) -> Self {
        let geometry = volume.geometry();
        let size_image = DVec2::new(volume.columns() as f64, volume.rows() as f64);
        let size_mm = size_image * geometry.pixel_size_mm();
        let size_canvas = (image_mm_from_standard(geometry).transpose() * size_mm).abs() / pixel_mm;
        let edge =
            |pixels: f64| (pixels.ceil() as usize).next_multiple_of(INPUT_MULTIPLE).clamp(INPUT_MULTIPLE, LARGEST_EDGE);
        let size = [edge(size_canvas.y), edge(size_canvas.x)];
        Self::new(geometry, size, (size_image - 1.0) / 2.0, pixel_mm, 0.0)
    }

    /// Rows and columns.
    #[must_use]
    pub(crate) fn size(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// Image position of a canvas position (x, y), both in pixels.
    #[must_use]
    pub(crate) fn image_from_canvas(&self, canvas: DVec2) -> DVec2 {
        self.center_image + self.image_per_canvas * (canvas - self.center())
    }

    /// Canvas position of an image position; inverse of [`Self::image_from_canvas`].
    #[must_use]
    pub(crate) fn canvas_from_image(&self, image: DVec2) -> DVec2 {
        self.image_per_canvas.inverse() * (image - self.center_image) + self.center()
    }

    fn center(&self) -> DVec2 {
        DVec2::new(self.columns as f64 - 1.0, self.rows as f64 - 1.0) / 2.0
    }
}

/// Directions of a sagittal image in the patient: unit vectors towards posterior and inferior (LPS).
#[must_use]
pub(crate) fn standard_directions(geometry: &VolumeGeometry) -> [DVec3; 2] {
    let image_mm = image_mm_from_standard(geometry);
    let lps = |image: DVec2| geometry.column_direction() * image.x + geometry.row_direction() * image.y;
    [lps(image_mm.x_axis), lps(image_mm.y_axis)]
}

/// Signed axis swap that takes (posterior, inferior) to image (x, y): each image axis runs along one of the two.
fn image_mm_from_standard(geometry: &VolumeGeometry) -> DMat2 {
    let (column, row) = (geometry.column_direction(), geometry.row_direction());
    let sign = |value: f64| if value < 0.0 { -1.0 } else { 1.0 };
    // LPS: posterior is +y, inferior is -z.
    if column.y.abs() + row.z.abs() >= column.z.abs() + row.y.abs() {
        DMat2::from_cols(DVec2::new(sign(column.y), 0.0), DVec2::new(0.0, sign(-row.z)))
    } else {
        DMat2::from_cols(DVec2::new(0.0, sign(row.y)), DVec2::new(sign(-column.z), 0.0))
    }
}

/// A slice made ready for sampling: averaged down to about the canvas resolution, intensities normalized.
#[derive(Debug, Clone)]
pub(crate) struct SlicePicture {
    pixels: Vec<f32>,
    rows: usize,
    columns: usize,
    /// Image pixels averaged into one, along x and y.
    reduction: [usize; 2],
}

impl SlicePicture {
    /// Prepares slice `slice` of `volume` for canvases of `pixel_mm`.
    ///
    /// Intensities become 0 at the 1st and 1 at the 99th percentile of the slice, cut at 0 and 1.5 (fat near the coil).
    ///
    /// # Panics
    /// If the volume has no such slice.
    #[must_use]
    pub(crate) fn new(volume: &Volume, slice: usize, pixel_mm: f64) -> Self {
        let spacing = volume.geometry().pixel_size_mm();
        // Averages away what the canvas cannot show, but keeps pixels up to a tenth larger than the canvas's.
        let reduce = |spacing: f64, count: usize| ((pixel_mm / spacing + 0.3) as usize).clamp(1, count.max(1));
        let reduction = [reduce(spacing.x, volume.columns()), reduce(spacing.y, volume.rows())];
        let (rows, columns) = (volume.rows() / reduction[1], volume.columns() / reduction[0]);
        let source = volume.slice(slice);
        let mut pixels = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            for column in 0..columns {
                let mut sum = 0f32;
                for y in row * reduction[1]..(row + 1) * reduction[1] {
                    let start = y * volume.columns() + column * reduction[0];
                    sum += source[start..start + reduction[0]].iter().sum::<f32>();
                }
                let mean = sum / (reduction[0] * reduction[1]) as f32;
                pixels.push(if mean.is_finite() { mean } else { 0.0 });
            }
        }
        normalize(&mut pixels);
        Self { pixels, rows, columns, reduction }
    }

    /// Canvas pixels, row-major; 0 outside the image.
    #[must_use]
    pub(crate) fn sample(&self, frame: &CanvasFrame) -> Vec<f32> {
        let [rows, columns] = frame.size();
        let mut canvas = Vec::with_capacity(rows * columns);
        let reduction = DVec2::new(self.reduction[0] as f64, self.reduction[1] as f64);
        // Reduced pixel i covers image pixels i·r .. i·r + r − 1, its center is at i·r + (r − 1) / 2.
        let reduced = |canvas: DVec2| (frame.image_from_canvas(canvas) - (reduction - 1.0) / 2.0) / reduction;
        for row in 0..rows {
            let start = reduced(DVec2::new(0.0, row as f64));
            let step = reduced(DVec2::new(1.0, row as f64)) - start;
            canvas.extend((0..columns).map(|column| self.bilinear(start + step * column as f64)));
        }
        canvas
    }

    fn bilinear(&self, position: DVec2) -> f32 {
        let (max_x, max_y) = (self.columns as f64 - 1.0, self.rows as f64 - 1.0);
        let inside = (-0.5..=max_x + 0.5).contains(&position.x) && (-0.5..=max_y + 0.5).contains(&position.y);
        if !inside {
            return 0.0;
        }
        let (x, y) = (position.x.clamp(0.0, max_x), position.y.clamp(0.0, max_y));
        let (x0, y0) = (x as usize, y as usize);
        let (fx, fy) = ((x - x0 as f64) as f32, (y - y0 as f64) as f32);
        let (x1, y1) = ((x0 + 1).min(self.columns - 1), (y0 + 1).min(self.rows - 1));
        let at = |row: usize, column: usize| self.pixels[row * self.columns + column];
        let top = at(y0, x0) + (at(y0, x1) - at(y0, x0)) * fx;
        let bottom = at(y1, x0) + (at(y1, x1) - at(y1, x0)) * fx;
        top + (bottom - top) * fy
    }
}

fn normalize(pixels: &mut [f32]) {
    let mut sorted = pixels.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let at = |fraction: f32| sorted[((sorted.len() - 1) as f32 * fraction).round() as usize];
    let (low, high) = (at(0.01), at(0.99));
    // A constant slice has nothing to show.
    let scale = if high > low { 1.0 / (high - low) } else { 0.0 };
    for pixel in pixels {
        *pixel = ((*pixel - low) * scale).clamp(0.0, 1.5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slice whose value is the distance towards posterior in mm (0..), stored along the given directions.
    fn ramp(column_direction: DVec3, row_direction: DVec3) -> Volume {
        let (rows, columns) = (60, 80);
        let geometry =
            VolumeGeometry::new(vec![DVec3::ZERO], column_direction, row_direction, 1.5, 0.5).expect("valid");
        let posterior = |row: usize, column: usize| geometry.lps_from_voxel([0.0, row as f64, column as f64]).y as f32;
        let voxels = (0..rows * columns).map(|i| posterior(i / columns, i % columns)).collect();
        Volume::new(rows, columns, voxels, geometry.clone()).expect("matching size")
    }

    #[test]
    fn posterior_is_right_and_inferior_down_whatever_way_the_slice_is_stored() {
        let (p, i) = (DVec3::Y, -DVec3::Z);
        for (column, row) in [(p, i), (-p, i), (p, -i), (-p, -i), (i, p), (-i, p), (i, -p), (-i, -p)] {
            let volume = ramp(column, row);
            let frame = CanvasFrame::whole_slice(&volume, 1.25);
            let lps = |x, y| {
                let image = frame.image_from_canvas(DVec2::new(x, y));
                volume.geometry().lps_from_voxel([0.0, image.y, image.x])
            };
            assert!((lps(11.0, 10.0) - lps(10.0, 10.0) - p * 1.25).length() < 1e-9, "{column} {row}");
            assert!((lps(10.0, 11.0) - lps(10.0, 10.0) - i * 1.25).length() < 1e-9, "{column} {row}");
            let [posterior, inferior] = standard_directions(volume.geometry());
            assert!((posterior - p).length() < 1e-9 && (inferior - i).length() < 1e-9);
        }
    }

    #[test]
    fn sampled_values_lie_where_the_frame_says() {
        let volume = ramp(DVec3::Y, -DVec3::Z);
        let picture = SlicePicture::new(&volume, 0, 1.25);
        let frame = CanvasFrame::new(volume.geometry(), [32, 32], DVec2::new(40.0, 30.0), 1.0, 0.3);
        let canvas = picture.sample(&frame);
        // The ramp runs over 39.5 mm; the 1st and 99th percentiles of the averaged columns set its scale.
        let at = |x: usize, y: usize| f64::from(canvas[y * 32 + x]);
        let mm = |x: usize, y: usize| frame.image_from_canvas(DVec2::new(x as f64, y as f64)).x * 0.5;
        let slope = (at(20, 16) - at(12, 16)) / (mm(20, 16) - mm(12, 16));
        for (x, y) in [(10, 10), (20, 12), (14, 20)] {
            let expected = at(16, 16) + slope * (mm(x, y) - mm(16, 16));
            assert!((at(x, y) - expected).abs() < 1e-3, "at {x}, {y}: {} not {expected}", at(x, y));
        }
    }

    #[test]
    fn canvas_and_image_positions_round_trip() {
        let volume = ramp(-DVec3::Y, -DVec3::Z);
        let frame = CanvasFrame::new(volume.geometry(), [64, 32], DVec2::new(13.0, 7.0), 0.9, -0.2);
        let canvas = DVec2::new(3.5, 41.25);
        assert!((frame.canvas_from_image(frame.image_from_canvas(canvas)) - canvas).length() < 1e-9);
        let wide = frame.clone().stretched(1.25);
        assert!((wide.canvas_from_image(wide.image_from_canvas(canvas)) - canvas).length() < 1e-9);
        let image = frame.image_from_canvas(frame.center() + DVec2::new(4.0, 4.0));
        assert!((wide.canvas_from_image(image) - wide.center() - DVec2::new(5.0, 3.2)).length() < 1e-9);
    }

    #[test]
    fn a_constant_slice_is_black() {
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid");
        let volume = Volume::new(4, 4, vec![7.0; 16], geometry).expect("matching size");
        let picture = SlicePicture::new(&volume, 0, 1.25);
        assert!(picture.sample(&CanvasFrame::whole_slice(&volume, 1.25)).iter().all(|v| *v == 0.0));
    }
}
