//! Stacks of evenly spaced, unsheared slices, for formats that know no others.

use glam::DVec3;

use super::section::{Place, StackAxis};
use super::{Volume, VolumeGeometry};

/// How far a slice may lie from where one step for all slices puts it, mm: positions are often rounded to a tenth.
const UNEVEN_MM: f64 = 0.2;
/// How far, in steps of the stack, slices may be shifted against those that stand straight above each other.
const SHEARED_STEPS: f64 = 0.5;
/// Most slices that are made of one.
const MOST_FOR_ONE: usize = 8;

/// The straight, evenly spaced stack that takes the place of another one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EvenStack {
    geometry: VolumeGeometry,
    places: Vec<Place>,
}

/// How voxels are found between slices and pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interpolation {
    /// Linear, for quantities.
    Linear,
    /// That of the nearest voxel, for labels.
    Nearest,
}

impl EvenStack {
    /// The even stack for `geometry`: as many slices, as far apart, as were acquired, those that are missing included.
    /// `None` where the slices are even already, or lie so that no stack can be made of them.
    #[must_use]
    pub(crate) fn of(geometry: &VolumeGeometry) -> Option<Self> {
        let axis = StackAxis::of(geometry)?;
        let origins = geometry.slice_origins_lps();
        let gaps = origins.len() as f64 - 1.0;
        let step = (origins[origins.len() - 1] - origins[0]) / gaps;
        let is_uneven =
            |(slice, origin): (usize, &DVec3)| (*origin - origins[0] - step * slice as f64).length() > UNEVEN_MM;
        let sideways = (step - axis.normal * step.dot(axis.normal)).length() * gaps;
        if !origins.iter().enumerate().any(is_uneven) && sideways <= SHEARED_STEPS * step.dot(axis.normal) {
            return None;
        }
        let spacing = geometry.slice_step_mm().unwrap_or_else(|| usual_gap(&axis.heights));
        let steps = (axis.extent() / spacing).round().clamp(1.0, (MOST_FOR_ONE * origins.len()) as f64);
        let height = |slice: usize| axis.extent() * slice as f64 / steps;
        let slices = 0..=steps as usize;
        let places = slices.clone().map(|slice| axis.place(geometry, height(slice))).collect();
        let origins = slices.map(|slice| origins[0] + axis.normal * height(slice)).collect();
        let geometry = VolumeGeometry::new(
            origins,
            geometry.column_direction(),
            geometry.row_direction(),
            geometry.row_spacing_mm(),
            geometry.column_spacing_mm(),
        );
        Some(Self { geometry: geometry.ok()?, places })
    }

    /// Where its voxels lie.
    #[must_use]
    pub(crate) fn geometry(&self) -> &VolumeGeometry {
        &self.geometry
    }

    /// Voxels of a volume of the stack that this one was made for, `[slice, row, column]`; 0 beside it.
    #[must_use]
    pub(crate) fn resampled(&self, volume: &Volume, interpolation: Interpolation) -> Vec<f32> {
        let mut voxels = Vec::with_capacity(self.places.len() * volume.rows() * volume.columns());
        for place in &self.places {
            for row in 0..volume.rows() {
                let value = |column: usize| match interpolation {
                    Interpolation::Linear => place.sample(volume, column as f64, row as f64),
                    Interpolation::Nearest => place.nearest(volume, column as f64, row as f64),
                };
                voxels.extend((0..volume.columns()).map(value));
            }
        }
        voxels
    }
}

fn usual_gap(heights: &[f64]) -> f64 {
    let mut gaps: Vec<f64> = heights.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_by(f64::total_cmp);
    gaps[(gaps.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sagittal slices of 3 × 4 pixels of 1 mm, whose value is `10 × height + row`, shifted down by `drift` mm a slice.
    fn stack(heights: &[f64], drift: f64) -> Volume {
        let place = |(slice, height): (usize, &f64)| DVec3::new(-height, 0.0, -drift * slice as f64);
        let origins = heights.iter().enumerate().map(place).collect();
        let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid");
        let value = |index: usize| (10.0 * heights[index / 12]) as f32 + (index / 4 % 3) as f32;
        Volume::new(3, 4, (0..12 * heights.len()).map(value).collect(), geometry).expect("matching size")
    }

    #[test]
    fn even_stacks_stay_as_they_are_and_so_does_rounding() {
        for (heights, drift) in [(&[0.0, 4.0, 8.0, 12.0][..], 0.0), (&[0.0, 4.1, 8.0, 12.1], 0.05), (&[7.0], 0.0)] {
            assert_eq!(EvenStack::of(stack(heights, drift).geometry()), None, "{heights:?}");
        }
    }

    #[test]
    fn missing_slices_are_filled_and_the_others_stay_where_they_are() {
        let volume = stack(&[0.0, 2.0, 8.0, 10.0], 0.0);
        let even = EvenStack::of(volume.geometry()).expect("uneven");
        assert_eq!(even.geometry().slices(), 6);
        assert_eq!(even.geometry().slice_origins_lps()[4], volume.geometry().slice_origins_lps()[2]);
        let first = |voxels: &[f32]| voxels.iter().step_by(12).copied().collect::<Vec<_>>();
        assert_eq!(first(&even.resampled(&volume, Interpolation::Linear)), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(first(&even.resampled(&volume, Interpolation::Nearest)), [0.0, 20.0, 20.0, 80.0, 80.0, 100.0]);
    }

    #[test]
    fn gaps_that_have_nothing_in_common_become_equal_ones() {
        let volume = stack(&[0.0, 4.0, 8.5, 12.0], 0.0);
        let even = EvenStack::of(volume.geometry()).expect("uneven");
        assert_eq!(even.geometry().slice_step_mm(), Some(4.0));
        let voxels = even.resampled(&volume, Interpolation::Linear);
        assert!((voxels[24] - 80.0).abs() < 1e-4, "the value of the place: {}", voxels[24]);
    }

    #[test]
    fn a_sheared_stack_is_straightened() {
        let volume = stack(&[0.0, 2.0, 4.0], 1.0);
        let even = EvenStack::of(volume.geometry()).expect("sheared");
        let [first, .., last] = even.geometry().slice_origins_lps() else { panic!("several slices") };
        assert_eq!((*last - *first).normalize(), -DVec3::X);
        // The last slice lies two rows lower: its first row is seen in the third of the straight stack.
        let voxels = even.resampled(&volume, Interpolation::Linear);
        assert_eq!((voxels[24], voxels[24 + 8]), (0.0, 40.0));
    }
}
