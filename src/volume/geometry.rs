//! Where voxels lie in the patient (LPS, millimeters).

use glam::{DMat3, DVec2, DVec3};
use thiserror::Error;

/// Why voxels and positions do not make a volume.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum GeometryError {
    /// The voxel array does not have the size that slices, rows and columns ask for.
    #[error("the volume needs {expected} voxels, got {got}")]
    VoxelCount {
        /// slices × rows × columns
        expected: usize,
        /// voxels given
        got: usize,
    },
    /// No slice position was given.
    #[error("a volume needs at least one slice position")]
    NoSlices,
    /// Row or column spacing is not a positive finite number.
    #[error("pixel spacing must be positive and finite, got {0} mm")]
    Spacing(f64),
    /// Row and column directions are not orthogonal unit vectors.
    #[error("image orientation is not two orthogonal unit vectors")]
    Orientation,
}

/// Places every voxel `[slice, row, column]` in patient coordinates (LPS, mm).
///
/// All slices share in-plane directions and spacings; each has its own origin, so uneven slice spacing and
/// sheared stacks are held exactly. Between slices origins are interpolated linearly, beyond the ends extrapolated.
#[derive(Debug, Clone, PartialEq)]
pub struct VolumeGeometry {
    slice_origins_lps: Vec<DVec3>,
    column_direction: DVec3,
    row_direction: DVec3,
    row_spacing_mm: f64,
    column_spacing_mm: f64,
    single_slice_thickness_mm: Option<f64>,
}

/// Which anatomical plane slices lie in, by the largest component of their normal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaneOrientation {
    /// Normal along left-right.
    Sagittal,
    /// Normal along anterior-posterior.
    Coronal,
    /// Normal along superior-inferior.
    Axial,
}

impl VolumeGeometry {
    /// Geometry from the position of each slice's first voxel, the direction of increasing column index (x on the
    /// image, the first triplet of DICOM's `ImageOrientationPatient`), that of increasing row index (y, the second
    /// triplet), and the distances between rows and between columns (`PixelSpacing` in its order).
    ///
    /// # Errors
    /// If there is no slice, a spacing is not positive, or the directions are not orthogonal unit vectors to 1e-3.
    pub fn new(
        slice_origins_lps: Vec<DVec3>,
        column_direction: DVec3,
        row_direction: DVec3,
        row_spacing_mm: f64,
        column_spacing_mm: f64,
    ) -> Result<Self, GeometryError> {
        if slice_origins_lps.is_empty() {
            return Err(GeometryError::NoSlices);
        }
        for spacing in [row_spacing_mm, column_spacing_mm] {
            if !(spacing.is_finite() && spacing > 0.0) {
                return Err(GeometryError::Spacing(spacing));
            }
        }
        let unit = |direction: DVec3| (direction.length() - 1.0).abs() < 1e-3;
        let finite = slice_origins_lps.iter().all(|origin| origin.is_finite());
        let orthogonal = column_direction.dot(row_direction).abs() < 1e-3;
        if !(finite && unit(column_direction) && unit(row_direction) && orthogonal) {
            return Err(GeometryError::Orientation);
        }
        Ok(Self {
            slice_origins_lps,
            column_direction,
            row_direction,
            row_spacing_mm,
            column_spacing_mm,
            single_slice_thickness_mm: None,
        })
    }

    /// The same place with the thickness of its slice, mm. Only a single slice keeps it: it has no neighbor whose distance
    /// says how far it reaches.
    #[must_use]
    pub(crate) fn with_slice_thickness(self, thickness_mm: Option<f64>) -> Self {
        let is_usable = |thickness: &f64| thickness.is_finite() && *thickness > 0.0;
        let kept = thickness_mm.filter(is_usable).filter(|_| self.slices() == 1);
        Self { single_slice_thickness_mm: kept, ..self }
    }

    #[must_use]
    pub fn slices(&self) -> usize {
        self.slice_origins_lps.len()
    }

    /// Position of the voxel `[slice, 0, 0]` of each slice.
    #[must_use]
    pub fn slice_origins_lps(&self) -> &[DVec3] {
        &self.slice_origins_lps
    }

    /// Unit direction of increasing column index (image x).
    #[must_use]
    pub fn column_direction(&self) -> DVec3 {
        self.column_direction
    }

    /// Unit direction of increasing row index (image y).
    #[must_use]
    pub fn row_direction(&self) -> DVec3 {
        self.row_direction
    }

    /// Unit normal of the slices (column direction × row direction).
    #[must_use]
    pub fn normal(&self) -> DVec3 {
        self.column_direction.cross(self.row_direction).normalize()
    }

    /// Distance between the centers of adjacent rows, mm (first value of `PixelSpacing`).
    #[must_use]
    pub fn row_spacing_mm(&self) -> f64 {
        self.row_spacing_mm
    }

    /// Distance between the centers of adjacent columns, mm (second value of `PixelSpacing`).
    #[must_use]
    pub fn column_spacing_mm(&self) -> f64 {
        self.column_spacing_mm
    }

    /// Pixel size as (x, y) in mm, to multiply image coordinates with.
    #[must_use]
    pub fn pixel_size_mm(&self) -> DVec2 {
        DVec2::new(self.column_spacing_mm, self.row_spacing_mm)
    }

    /// Mean distance between adjacent slices along their normal, mm, measured from positions; `None` for one slice.
    #[must_use]
    pub fn slice_spacing_mm(&self) -> Option<f64> {
        let (first, last) = (self.slice_origins_lps.first()?, self.slice_origins_lps.last()?);
        let gaps = self.slices().checked_sub(1).filter(|gaps| *gaps > 0)?;
        Some((*last - *first).dot(self.normal()).abs() / gaps as f64)
    }

    /// Spacing of the stack as it was acquired, mm: every gap between neighbors is a whole multiple of it, more than one
    /// where slices are missing. Of a single slice its thickness. `None` where gaps have nothing in common, to a tenth.
    #[must_use]
    pub(crate) fn slice_step_mm(&self) -> Option<f64> {
        if self.slices() == 1 {
            return self.single_slice_thickness_mm;
        }
        let heights: Vec<f64> = self.slice_origins_lps.iter().map(|origin| origin.dot(self.normal())).collect();
        let mut gaps: Vec<f64> = heights.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        let extent: f64 = gaps.iter().sum();
        gaps.sort_by(f64::total_cmp);
        let (usual, smallest) = (gaps[(gaps.len() - 1) / 2], gaps[0]);
        [usual, smallest].into_iter().filter(|gap| *gap > 0.0).find_map(|guess| {
            let steps = heights.windows(2).map(|pair| ((pair[1] - pair[0]).abs() / guess).round().max(1.0));
            let step = extent / steps.sum::<f64>();
            let off = |height: &f64| ((height - heights[0]) / step - ((height - heights[0]) / step).round()).abs();
            heights.iter().all(|height| off(height) < 0.1).then_some(step)
        })
    }

    /// Anatomical plane of the slices.
    #[must_use]
    pub fn plane(&self) -> PlaneOrientation {
        let normal = self.normal().abs();
        if normal.x >= normal.y && normal.x >= normal.z {
            PlaneOrientation::Sagittal
        } else if normal.y >= normal.z {
            PlaneOrientation::Coronal
        } else {
            PlaneOrientation::Axial
        }
    }

    /// Patient position of the fractional voxel index `[slice, row, column]`. Beside a single slice positions go on along
    /// its normal in steps of its thickness, or of 1 mm where that is not known.
    #[must_use]
    pub fn lps_from_voxel(&self, [slice, row, column]: [f64; 3]) -> DVec3 {
        self.origin_at(slice)
            + self.column_direction * (column * self.column_spacing_mm)
            + self.row_direction * (row * self.row_spacing_mm)
    }

    /// Fractional voxel index `[slice, row, column]` of a patient position; inverse of [`Self::lps_from_voxel`].
    /// A one-slice geometry projects onto its slice and reports slice 0.
    #[must_use]
    pub(crate) fn voxel_from_lps(&self, lps: DVec3) -> [f64; 3] {
        let segment = self.segment_of(lps);
        let (origin, step) = self.segment_origin_and_step(segment);
        let directions = DMat3::from_cols(
            self.column_direction * self.column_spacing_mm,
            self.row_direction * self.row_spacing_mm,
            step,
        );
        let index = directions.inverse() * (lps - origin);
        let slice = if self.slices() == 1 { 0.0 } else { segment as f64 + index.z };
        [slice, index.y, index.x]
    }

    fn origin_at(&self, slice: f64) -> DVec3 {
        let segment = (slice.floor().max(0.0) as usize).min(self.slices().saturating_sub(2));
        let (origin, step) = self.segment_origin_and_step(segment);
        origin + step * (slice - segment as f64)
    }

    fn segment_origin_and_step(&self, segment: usize) -> (DVec3, DVec3) {
        let origin = self.slice_origins_lps[segment];
        let alone = || self.normal() * self.single_slice_thickness_mm.unwrap_or(1.0);
        let step = self.slice_origins_lps.get(segment + 1).map_or_else(alone, |next| *next - origin);
        (origin, step)
    }

    /// Index of the gap between slices that holds `lps`, clamped to the ends.
    fn segment_of(&self, lps: DVec3) -> usize {
        let normal = self.normal();
        let height = |point: DVec3| point.dot(normal);
        let ascending = self.slices() < 2 || height(self.slice_origins_lps[1]) > height(self.slice_origins_lps[0]);
        let target = height(lps);
        let below = self
            .slice_origins_lps
            .iter()
            .filter(|origin| if ascending { height(**origin) <= target } else { height(**origin) >= target })
            .count();
        below.saturating_sub(1).min(self.slices().saturating_sub(2))
    }
}

/// Anatomical letters of a direction in LPS space, most important first: `A`/`P`, `L`/`R`, `H`/`F`; at most two.
/// A second letter is added where its component is at least a quarter of the first's.
#[must_use]
pub(crate) fn orientation_letters(direction: DVec3) -> String {
    let mut parts = [
        (direction.x, if direction.x > 0.0 { 'L' } else { 'R' }),
        (direction.y, if direction.y > 0.0 { 'P' } else { 'A' }),
        (direction.z, if direction.z > 0.0 { 'H' } else { 'F' }),
    ];
    parts.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    let largest = parts[0].0.abs();
    parts
        .iter()
        .take(2)
        .enumerate()
        .filter(|(rank, (size, _))| *rank == 0 || size.abs() > 0.25 * largest)
        .map(|(_, (_, letter))| *letter)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oblique_uneven() -> VolumeGeometry {
        let rotation = glam::DQuat::from_euler(glam::EulerRot::XYZ, 0.1, 0.2, -0.15);
        let (x, y, normal) = (rotation * DVec3::Y, rotation * -DVec3::Z, rotation * -DVec3::X);
        let origins = [0.0, 4.0, 8.5, 12.0].map(|gap| DVec3::new(30.0, -80.0, 120.0) + normal * gap);
        VolumeGeometry::new(origins.to_vec(), x, y, 0.5, 0.8).expect("valid geometry")
    }

    #[test]
    fn voxel_and_patient_coordinates_round_trip_on_oblique_uneven_slices() {
        let geometry = oblique_uneven();
        for voxel in [[0.0, 0.0, 0.0], [1.3, 20.5, 7.25], [2.9, 100.0, 3.0], [3.4, -5.0, 60.0], [-0.5, 1.0, 2.0]] {
            let back = geometry.voxel_from_lps(geometry.lps_from_voxel(voxel));
            for (a, b) in voxel.iter().zip(back) {
                assert!((a - b).abs() < 1e-9, "{voxel:?} came back as {back:?}");
            }
        }
    }

    #[test]
    fn sagittal_plane_and_letters_are_recognized() {
        let geometry = oblique_uneven();
        assert_eq!(geometry.plane(), PlaneOrientation::Sagittal);
        assert_eq!(orientation_letters(DVec3::Y), "P");
        assert_eq!(orientation_letters(-DVec3::Z), "F");
        assert_eq!(orientation_letters(DVec3::new(0.0, -0.9, 0.4)), "AH");
    }

    #[test]
    fn slice_spacing_is_measured_from_positions() {
        let spacing = oblique_uneven().slice_spacing_mm().expect("several slices");
        assert!((spacing - 4.0).abs() < 1e-9);
    }

    #[test]
    fn missing_slices_leave_the_step_as_it_was_and_unrelated_gaps_have_none() {
        let stack = |heights: &[f64]| {
            let origins = heights.iter().map(|height| DVec3::X * *height).collect();
            VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry")
        };
        for (heights, expected) in [
            (&[0.0, 1.8, 3.6, 7.2, 9.0][..], Some(1.8)),
            (&[0.0, -4.4, -8.8], Some(4.4)),
            // More slices are missing than are there.
            (&[0.0, 3.0, 6.0, 7.5, 10.5], Some(1.5)),
            // Positions rounded to a tenth of a millimeter.
            (&[0.0, 1.3, 2.7, 4.0, 5.3], Some(5.3 / 4.0)),
            (&[0.0, 4.0, 8.5, 12.0], None),
        ] {
            match (stack(heights).slice_step_mm(), expected) {
                (Some(step), Some(expected)) => assert!((step - expected).abs() < 1e-9, "{heights:?}: {step}"),
                (step, expected) => assert_eq!(step, expected, "{heights:?}"),
            }
        }
        let single = stack(&[5.0]);
        assert_eq!(single.slice_step_mm(), None);
        assert_eq!((single.lps_from_voxel([2.0, 0.0, 0.0]).x - 5.0).abs(), 2.0);
        let thick = single.with_slice_thickness(Some(4.0));
        assert_eq!(thick.slice_step_mm(), Some(4.0));
        assert!((thick.lps_from_voxel([1.0, 0.0, 0.0]) - thick.lps_from_voxel([0.0; 3])).length() == 4.0);
        assert_eq!(stack(&[0.0, 2.0]).with_slice_thickness(Some(4.0)), stack(&[0.0, 2.0]));
    }

    #[test]
    fn impossible_geometry_is_refused() {
        let make = |x, spacing| VolumeGeometry::new(vec![DVec3::ZERO], x, -DVec3::Z, spacing, 1.0);
        assert_eq!(make(DVec3::Y, 0.0), Err(GeometryError::Spacing(0.0)));
        assert_eq!(make(DVec3::Z, 1.0), Err(GeometryError::Orientation));
        assert_eq!(VolumeGeometry::new(vec![], DVec3::Y, -DVec3::Z, 1.0, 1.0), Err(GeometryError::NoSlices));
    }
}
