//! Turning a grid of any axis order sagittal.

use glam::DVec3;

use super::{Grid, ResearchError};
use crate::volume::{Volume, VolumeGeometry};

/// Where slices, rows and columns of a sagittal scan point to, LPS: right, down and back.
const TARGETS: [DVec3; 3] = [DVec3::new(-1.0, 0.0, 0.0), DVec3::new(0.0, 0.0, -1.0), DVec3::new(0.0, 1.0, 0.0)];
/// How much larger than the next the voxels of thick slices are.
const THICK: f64 = 1.8;

/// Reorders and mirrors the grid's axes, without resampling, so that slices run to the patient's right, rows down and
/// columns back.
pub(super) fn sagittal(grid: &Grid) -> Result<Volume, ResearchError> {
    let [slices, rows, columns] = closest_axes(&grid.steps);
    let lengths = grid.steps.map(DVec3::length);
    for (axis, name) in [(rows, "foot to head"), (columns, "front to back")] {
        if lengths[axis] > THICK * lengths[slices] {
            return Err(ResearchError::NotSagittal(name));
        }
    }
    // Signs and starts along each axis after mirroring.
    let is_mirrored = |axis: usize, target: DVec3| grid.steps[axis].dot(target) < 0.0;
    let mirrored = [is_mirrored(slices, TARGETS[0]), is_mirrored(rows, TARGETS[1]), is_mirrored(columns, TARGETS[2])];
    let axes = [slices, rows, columns];
    let size = axes.map(|axis| grid.size[axis]);
    let mut origin = grid.origin;
    let mut steps = axes.map(|axis| grid.steps[axis]);
    for place in 0..3 {
        if mirrored[place] {
            origin += steps[place] * (size[place] as f64 - 1.0);
            steps[place] = -steps[place];
        }
    }
    let origins = (0..size[0]).map(|slice| origin + steps[0] * slice as f64).collect();
    let (row, column) = (steps[1], steps[2]);
    let geometry = VolumeGeometry::new(
        origins,
        column.normalize_or_zero(),
        row.normalize_or_zero(),
        row.length(),
        column.length(),
    )?
    .with_slice_thickness(Some(steps[0].length()));
    // Distance in the file between neighbours along each axis.
    let strides = [1, grid.size[0], grid.size[0] * grid.size[1]];
    let at = |place: usize, index: usize| {
        let index = if mirrored[place] { size[place] - 1 - index } else { index };
        index * strides[axes[place]]
    };
    let mut voxels = Vec::with_capacity(grid.values.len());
    for slice in 0..size[0] {
        for row in 0..size[1] {
            let start = at(0, slice) + at(1, row);
            voxels.extend((0..size[2]).map(|column| grid.values[start + at(2, column)]));
        }
    }
    Ok(Volume::new(size[1], size[2], voxels, geometry)?)
}

/// The file's axes that lie closest to slices, rows and columns, each used once.
fn closest_axes(steps: &[DVec3; 3]) -> [usize; 3] {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let agreement = |order: &[usize; 3]| -> f64 {
        order.iter().zip(TARGETS).map(|(axis, target)| steps[*axis].normalize_or_zero().dot(target).abs()).sum()
    };
    ORDERS.into_iter().fold(ORDERS[0], |best, next| if agreement(&next) > agreement(&best) { next } else { best })
}
