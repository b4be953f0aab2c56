//! Planes across a stack of slices, reconstructed from its voxels.

use glam::DVec3;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Volume, VolumeGeometry};

/// Which plane is cut out of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SectionAxis {
    /// Along one image row: of a sagittal stack the axial plane.
    Row,
    /// Along one image column: of a sagittal stack the coronal plane.
    Column,
}

impl SectionAxis {
    /// Both.
    #[cfg(feature = "gui")]
    pub(crate) const ALL: [Self; 2] = [Self::Row, Self::Column];
}

/// A plane across a stack, with the way back into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The plane as a volume of one slice, square pixels; patient left is on the right, anterior or head at the top.
    pub volume: Volume,
    axis: SectionAxis,
    at: f64,
    /// Position along the stack's normal of the first column, and its change per column, mm.
    across_mm: [f64; 2],
    /// Index along the rows or columns of the stack of the first row, and its change per row.
    along: [f64; 2],
}

impl Volume {
    /// The plane through image row or column `at`, by linear interpolation between slices and pixels. `None` of a single
    /// slice, or where the stack has no extent.
    #[must_use]
    pub fn section(&self, axis: SectionAxis, at: f64) -> Option<Section> {
        let geometry = self.geometry();
        let stack = StackAxis::of(geometry)?;
        let (direction, spacing, length) = match axis {
            SectionAxis::Row => (geometry.column_direction(), geometry.column_spacing_mm(), self.columns()),
            SectionAxis::Column => (geometry.row_direction(), geometry.row_spacing_mm(), self.rows()),
        };
        let is_towards_left = stack.normal.x >= 0.0;
        // Down the picture is towards the back, or towards the feet.
        let is_downward = if axis == SectionAxis::Row { direction.y >= 0.0 } else { direction.z <= 0.0 };
        let columns = (stack.extent() / spacing).round() as usize + 1;
        let along = if is_downward { [0.0, 1.0] } else { [length as f64 - 1.0, -1.0] };
        let first = if is_towards_left { stack.heights[0] } else { stack.heights[stack.heights.len() - 1] };
        let across_mm = [first, if is_towards_left { spacing } else { -spacing }];

        let places: Vec<Place> =
            (0..columns).map(|column| stack.place(geometry, across_mm[0] + across_mm[1] * column as f64)).collect();
        // Every slice is read once along the plane, at its own place; what lies between two slices is mixed of them.
        let shifts: Vec<Place> = stack.heights.iter().map(|height| stack.place(geometry, *height)).collect();
        let mut voxels = vec![0.0; length * columns];
        let line = || vec![0.0; shifts.len()];
        voxels.par_chunks_mut(columns).enumerate().for_each_init(line, |line, (row, voxels)| {
            let index = along[0] + along[1] * row as f64;
            let (x, y) = match axis {
                SectionAxis::Row => (index, at),
                SectionAxis::Column => (at, index),
            };
            for (slice, (value, Place { dx, dy, .. })) in line.iter_mut().zip(&shifts).enumerate() {
                *value = self.sample_bilinear(slice, x + dx, y + dy).unwrap_or(0.0);
            }
            for (voxel, place) in voxels.iter_mut().zip(&places) {
                let (low, high) = (line[place.lower], line[place.lower + 1]);
                *voxel = low + (high - low) * place.share;
            }
        });
        let [row, column] = match axis {
            SectionAxis::Row => [at, along[0]],
            SectionAxis::Column => [along[0], at],
        };
        let origin = geometry.lps_from_voxel([places[0].slice(), row, column]);
        let across = stack.normal * across_mm[1].signum();
        let plane = VolumeGeometry::new(vec![origin], across, direction * along[1], spacing, spacing).ok()?;
        let volume = Volume::new(length, columns, voxels, plane).ok()?;
        Some(Section { volume, axis, at, across_mm, along })
    }
}

impl Section {
    /// Fractional voxel `[slice, row, column]` of the stack under a point (x, y) of the plane's picture.
    #[must_use]
    pub(crate) fn stack_voxel(&self, stack: &VolumeGeometry, x: f64, y: f64) -> Option<[f64; 3]> {
        let slice = StackAxis::of(stack)?.slice_at(self.across_mm[0] + self.across_mm[1] * x);
        let index = self.along[0] + self.along[1] * y;
        Some(match self.axis {
            SectionAxis::Row => [slice, self.at, index],
            SectionAxis::Column => [slice, index, self.at],
        })
    }

    /// Point (x, y) of the plane's picture nearest to a voxel `[slice, row, column]` of the stack.
    #[must_use]
    pub(crate) fn point_of(&self, stack: &VolumeGeometry, [slice, row, column]: [f64; 3]) -> Option<[f64; 2]> {
        let height = StackAxis::of(stack)?.height_at(slice);
        let index = if self.axis == SectionAxis::Row { column } else { row };
        Some([(height - self.across_mm[0]) / self.across_mm[1], (index - self.along[0]) / self.along[1]])
    }
}

/// The stack seen along its normal.
pub(super) struct StackAxis {
    /// Unit vector from the first slice to the last.
    pub normal: DVec3,
    /// Position of each slice along it, mm, ascending.
    pub heights: Vec<f64>,
}

impl StackAxis {
    pub(super) fn of(geometry: &VolumeGeometry) -> Option<Self> {
        let origins = geometry.slice_origins_lps();
        let (first, last) = (origins.first()?, origins.last()?);
        let normal = geometry.normal();
        let normal = if (*last - *first).dot(normal) < 0.0 { -normal } else { normal };
        let heights: Vec<f64> = origins.iter().map(|origin| (*origin - *first).dot(normal)).collect();
        heights.windows(2).all(|pair| pair[1] > pair[0]).then_some(())?;
        (heights.len() > 1).then_some(Self { normal, heights })
    }

    /// Distance between the first and the last slice, mm.
    pub(crate) fn extent(&self) -> f64 {
        self.heights[self.heights.len() - 1] - self.heights[0]
    }

    /// Fractional slice at a height, held at the ends.
    fn slice_at(&self, height: f64) -> f64 {
        let after = self.heights.partition_point(|other| *other <= height).clamp(1, self.heights.len() - 1);
        let (low, high) = (self.heights[after - 1], self.heights[after]);
        after as f64 - 1.0 + ((height - low) / (high - low)).clamp(0.0, 1.0)
    }

    fn height_at(&self, slice: f64) -> f64 {
        let below = (slice.max(0.0) as usize).min(self.heights.len() - 2);
        let (low, high) = (self.heights[below], self.heights[below + 1]);
        low + (high - low) * (slice - below as f64)
    }

    /// Where a height lies between the slices, with the shift of a sheared stack.
    pub(super) fn place(&self, geometry: &VolumeGeometry, height: f64) -> Place {
        let slice = self.slice_at(height);
        let start = geometry.slice_origins_lps()[0] + self.normal * height;
        let shift = start - geometry.lps_from_voxel([slice, 0.0, 0.0]);
        Place {
            lower: (slice as usize).min(self.heights.len() - 2),
            share: (slice - (slice as usize).min(self.heights.len() - 2) as f64) as f32,
            dx: shift.dot(geometry.column_direction()) / geometry.column_spacing_mm(),
            dy: shift.dot(geometry.row_direction()) / geometry.row_spacing_mm(),
        }
    }
}

/// A position between two slices.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    lower: usize,
    /// 0 on the lower slice, 1 on the next.
    share: f32,
    dx: f64,
    dy: f64,
}

impl Place {
    fn slice(&self) -> f64 {
        self.lower as f64 + f64::from(self.share)
    }

    /// Value at a pixel of the straight stack, linear between slices and pixels; 0 beside them.
    pub(super) fn sample(&self, volume: &Volume, x: f64, y: f64) -> f32 {
        let at = |slice| volume.sample_bilinear(slice, x + self.dx, y + self.dy).unwrap_or(0.0);
        let low = at(self.lower);
        if self.share == 0.0 { low } else { low + (at(self.lower + 1) - low) * self.share }
    }

    /// Value of the nearest voxel, of the lower slice where both are as near; 0 beside them.
    pub(crate) fn nearest(&self, volume: &Volume, x: f64, y: f64) -> f32 {
        let slice = self.lower + usize::from(self.share > 0.5);
        volume.sample_bilinear(slice, (x + self.dx).round(), (y + self.dy).round()).unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five sagittal slices from right to left or back, 4 mm apart, whose value is `100 slice + 10 row + column`.
    fn stack(step: f64) -> Volume {
        let origins = (0..5).map(|slice| DVec3::new(f64::from(slice) * step, 0.0, 0.0)).collect();
        let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 2.0).expect("valid");
        let value = |index: usize| (index / 24 * 100 + index / 4 % 6 * 10 + index % 4) as f32;
        Volume::new(6, 4, (0..5 * 24).map(value).collect(), geometry).expect("matching size")
    }

    #[test]
    fn an_axial_plane_is_seen_from_the_feet() {
        for step in [4.0, -4.0] {
            let volume = stack(step);
            let section = volume.section(SectionAxis::Row, 2.0).expect("a stack");
            // 16 mm in steps of 2 mm; four columns front to back.
            assert_eq!(section.volume.shape(), [1, 4, 9]);
            let geometry = section.volume.geometry();
            assert_eq!((geometry.column_direction(), geometry.row_direction()), (DVec3::X, DVec3::Y));
            let first_slice = if step > 0.0 { 0.0 } else { 4.0 };
            assert_eq!(section.volume.slice(0)[0], first_slice as f32 * 100.0 + 20.0);
            let between = if step > 0.0 { 70.0 } else { 370.0 };
            assert_eq!(section.volume.slice(0)[1], between, "half way to the next slice");
            let voxel = section.stack_voxel(volume.geometry(), 3.0, 1.0).expect("a stack");
            let expected = if step > 0.0 { 1.5 } else { 2.5 };
            assert_eq!(voxel, [expected, 2.0, 1.0]);
            assert_eq!(section.point_of(volume.geometry(), voxel), Some([3.0, 1.0]));
            let [slice, row, column] = voxel;
            let there = volume.geometry().lps_from_voxel([slice, row, column]);
            assert!(
                (geometry.lps_from_voxel([0.0, 1.0, 3.0]) - there).length() < 1e-9,
                "the same place in the patient"
            );
        }
    }

    /// Slices each lie a little lower than the one before, unevenly far apart: a value that grows evenly through the patient
    /// grows evenly in the plane.
    #[test]
    fn planes_of_a_sheared_stack_show_what_lies_there() {
        let value = |at: DVec3| (at.x * 3.0 + at.y * 5.0 - at.z * 7.0) as f32;
        let origins = [0.0, 3.0, 8.0, 12.0].map(|x| DVec3::new(x, 0.3 * x, -0.2 * x)).to_vec();
        let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid");
        let voxel = |index: usize| [index / 900, index / 30 % 30, index % 30].map(|place| place as f64);
        let voxels = (0..4 * 900).map(|index| value(geometry.lps_from_voxel(voxel(index)))).collect();
        let volume = Volume::new(30, 30, voxels, geometry).expect("matching size");
        for axis in [SectionAxis::Row, SectionAxis::Column] {
            let section = volume.section(axis, 15.0).expect("a stack");
            let (plane, pixels) = (section.volume.geometry(), section.volume.slice(0));
            assert_eq!(section.volume.shape(), [1, 30, 13]);
            for (row, column) in (5..25).flat_map(|row| (0..13).map(move |column| (row, column))) {
                let there = value(plane.lps_from_voxel([0.0, row as f64, column as f64]));
                let shown = pixels[row * 13 + column];
                assert!((shown - there).abs() < 1e-3, "{axis:?} {row} {column}: {shown} instead of {there}");
            }
        }
    }

    #[test]
    fn a_coronal_plane_has_the_head_at_the_top_and_one_slice_has_no_planes() {
        let volume = stack(4.0);
        let section = volume.section(SectionAxis::Column, 1.0).expect("a stack");
        assert_eq!(section.volume.geometry().row_direction(), -DVec3::Z);
        assert_eq!(section.volume.shape(), [1, 6, 17]);
        assert_eq!(section.volume.slice(0)[17], 11.0, "second row, first slice, column one");
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid");
        let single = Volume::new(2, 2, vec![0.0; 4], geometry).expect("matching size");
        assert_eq!(single.section(SectionAxis::Row, 0.0), None);
    }
}
