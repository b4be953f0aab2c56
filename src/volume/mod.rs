//! Image volumes in patient space: voxels, their geometry, display windows and sampling.
//!
//! Pure: no file, no DICOM, no clock. Index order is `[slice, row, column]`; image coordinates are
//! `x` = column, `y` = row, in pixels, with (0, 0) at the center of the top-left pixel.

mod black;
mod even;
mod geometry;
mod section;
mod window;

pub(crate) use even::{EvenStack, Interpolation};
pub(crate) use geometry::{GeometryError, orientation_letters};
pub use geometry::{PlaneOrientation, VolumeGeometry};
pub(crate) use section::Section;
pub use section::SectionAxis;
pub(crate) use window::WindowLevel;

/// A scalar image volume: voxel values `[slice, row, column]` with their place in the patient.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    rows: usize,
    columns: usize,
    voxels: Vec<f32>,
    geometry: VolumeGeometry,
    black: f32,
}

impl Volume {
    /// Joins voxels (slice-major, then rows, then columns) and geometry.
    ///
    /// # Errors
    /// [`GeometryError::VoxelCount`] if `voxels` is not slices × `rows` × `columns` long, where the number
    /// of slices is that of `geometry`, or if any of the three is zero.
    pub fn new(rows: usize, columns: usize, voxels: Vec<f32>, geometry: VolumeGeometry) -> Result<Self, GeometryError> {
        let expected = geometry.slices().saturating_mul(rows).saturating_mul(columns);
        if expected == 0 || voxels.len() != expected {
            return Err(GeometryError::VoxelCount { expected, got: voxels.len() });
        }
        let black = black::black(&voxels);
        Ok(Self { rows, columns, voxels, geometry, black })
    }

    /// The same with its darkest voxels as those without signal, of images whose values may begin anywhere.
    #[must_use]
    pub(crate) fn black_at_darkest(mut self) -> Self {
        self.black = black::limits(&self.voxels).0;
        self
    }

    /// The value of a voxel without signal. Zero, but for images that were inverted or shifted: what compares
    /// intensities compares their distances from here.
    #[must_use]
    pub fn black(&self) -> f32 {
        self.black
    }

    /// Number of slices, rows and columns.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        [self.slices(), self.rows, self.columns]
    }

    #[must_use]
    pub fn slices(&self) -> usize {
        self.geometry.slices()
    }

    /// Number of rows of each slice.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns of each slice.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All voxels, slice-major.
    #[must_use]
    pub fn voxels(&self) -> &[f32] {
        &self.voxels
    }

    /// Pixels of one slice, row-major.
    ///
    /// # Panics
    /// If `slice` is not below [`Volume::slices`].
    #[must_use]
    pub fn slice(&self, slice: usize) -> &[f32] {
        let pixels = self.rows * self.columns;
        &self.voxels[slice * pixels..(slice + 1) * pixels]
    }

    /// Where the voxels lie in the patient.
    #[must_use]
    pub fn geometry(&self) -> &VolumeGeometry {
        &self.geometry
    }

    /// Value at image position (`x`, `y`) of `slice` by bilinear interpolation; `None` outside the pixel centers' hull
    /// extended by half a pixel (where the edge value is held).
    ///
    /// # Panics
    /// If `slice` is not below [`Volume::slices`].
    #[must_use]
    pub(crate) fn sample_bilinear(&self, slice: usize, x: f64, y: f64) -> Option<f32> {
        let (max_x, max_y) = (self.columns as f64 - 1.0, self.rows as f64 - 1.0);
        let inside = (-0.5..=max_x + 0.5).contains(&x) && (-0.5..=max_y + 0.5).contains(&y);
        inside.then(|| {
            let (x, y) = (x.clamp(0.0, max_x), y.clamp(0.0, max_y));
            let (x0, y0) = (x.floor(), y.floor());
            let (fx, fy) = ((x - x0) as f32, (y - y0) as f32);
            let (x0, y0) = (x0 as usize, y0 as usize);
            let (x1, y1) = ((x0 + 1).min(self.columns - 1), (y0 + 1).min(self.rows - 1));
            let pixels = self.slice(slice);
            let at = |row: usize, column: usize| pixels[row * self.columns + column];
            let top = at(y0, x0) + (at(y0, x1) - at(y0, x0)) * fx;
            let bottom = at(y1, x0) + (at(y1, x1) - at(y1, x0)) * fx;
            top + (bottom - top) * fy
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::DVec3;

    #[test]
    fn bilinear_sampling_interpolates_and_stops_at_the_edge() {
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
        let volume = Volume::new(2, 2, vec![0.0, 1.0, 2.0, 3.0], geometry).expect("matching size");
        assert_eq!(volume.sample_bilinear(0, 0.5, 0.5), Some(1.5));
        assert_eq!(volume.sample_bilinear(0, -0.4, 0.0), Some(0.0));
        assert_eq!(volume.sample_bilinear(0, 1.6, 0.0), None);
    }

    #[test]
    fn voxel_count_must_match() {
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
        assert!(matches!(
            Volume::new(2, 2, vec![0.0; 3], geometry),
            Err(GeometryError::VoxelCount { expected: 4, got: 3 })
        ));
    }
}
