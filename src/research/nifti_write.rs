//! NIfTI-1 written so that readers of all kinds put the voxels in the same place.

use std::path::Path;

use glam::{DMat3, DQuat, DVec3};
use ndarray::{Array3, ShapeBuilder};
use nifti::NiftiHeader;
use nifti::writer::WriterOptions;
use thiserror::Error;

use super::nifti_file::FLIP;
use crate::volume::{EvenStack, GeometryError, Interpolation, Volume, VolumeGeometry};

/// Code of coordinates that are the scanner's (nifti1.h, `NIFTI_XFORM_SCANNER_ANAT`).
const SCANNER: i16 = 1;

/// A volume could not be written.
#[derive(Debug, Error)]
pub enum NiftiWriteError {
    /// Voxels and geometry do not belong together.
    #[error("cannot write the volume")]
    Geometry(#[from] GeometryError),
    /// The file system or the format refused.
    #[error("cannot write the volume: {0}")]
    Write(String),
}

/// Rows of the affine that gives RAS millimeters from (column, row, slice, 1). Slices stand one mean step apart, for the
/// format knows no others; [`write_nifti`] evens out those that do not.
#[must_use]
pub(crate) fn ras_from_voxel(geometry: &VolumeGeometry) -> [[f64; 4]; 3] {
    let at = |slice: f64, row: f64, column: f64| geometry.lps_from_voxel([slice, row, column]);
    let origin = at(0.0, 0.0, 0.0);
    let last = (geometry.slices().max(2) - 1) as f64;
    let steps = [at(0.0, 0.0, 1.0) - origin, at(0.0, 1.0, 0.0) - origin, (at(last, 0.0, 0.0) - origin) / last];
    let [column, row, slice, origin] = [steps[0], steps[1], steps[2], origin].map(|vector| (vector * FLIP).to_array());
    std::array::from_fn(|axis| [column[axis], row[axis], slice[axis], origin[axis]])
}

/// Voxels to write, slice by slice and row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Voxels {
    Labels(Vec<u8>),
    Floats(Vec<f32>),
}

impl Voxels {
    fn on(
        self,
        even: &EvenStack,
        geometry: &VolumeGeometry,
        [rows, columns]: [usize; 2],
    ) -> Result<Self, GeometryError> {
        let volume = |voxels| Volume::new(rows, columns, voxels, geometry.clone());
        Ok(match self {
            Self::Floats(floats) => Self::Floats(even.resampled(&volume(floats)?, Interpolation::Linear)),
            Self::Labels(labels) => {
                let volume = volume(labels.into_iter().map(f32::from).collect())?;
                Self::Labels(
                    even.resampled(&volume, Interpolation::Nearest).into_iter().map(|label| label as u8).collect(),
                )
            }
        })
    }
}

/// Writes voxels as NIfTI with the index order (column, row, slice): an affine (sform), and beside it the nearest place
/// with axes at right angles (qform), which ITK falls back to where rounding made the affine oblique.
///
/// The format knows one step for all slices. Where they lie otherwise, or are sheared by more than half a step, voxels are
/// interpolated to an even stack, whose spacing in mm is returned; `None` where they were written as they are.
///
/// # Errors
/// If there are not slices × rows × columns voxels or the file cannot be written.
pub fn write_nifti(
    file: &Path,
    voxels: Voxels,
    geometry: &VolumeGeometry,
    size: [usize; 2],
    description: &str,
) -> Result<Option<f64>, NiftiWriteError> {
    let Some(even) = EvenStack::of(geometry) else {
        write_as_is(file, voxels, geometry, size, description)?;
        return Ok(None);
    };
    let voxels = voxels.on(&even, geometry, size)?;
    write_as_is(file, voxels, even.geometry(), size, &format!("{description}, interpolated"))?;
    Ok(even.geometry().slice_spacing_mm())
}

fn write_as_is(
    file: &Path,
    voxels: Voxels,
    geometry: &VolumeGeometry,
    [rows, columns]: [usize; 2],
    description: &str,
) -> Result<(), NiftiWriteError> {
    let ras = ras_from_voxel(geometry);
    let row = |axis: usize| ras[axis].map(|value| value as f32);
    let slice = DVec3::from_array(ras.map(|row| row[2]));
    let axes = right_angled(geometry, slice);
    let handedness = if axes.determinant() < 0.0 { -1.0 } else { 1.0 };
    let turn = rotation(DMat3::from_cols(axes.x_axis, axes.y_axis, axes.z_axis * handedness));
    let mut header = NiftiHeader {
        pixdim: [
            handedness as f32,
            geometry.column_spacing_mm() as f32,
            geometry.row_spacing_mm() as f32,
            slice.dot(axes.z_axis) as f32,
            0.0,
            0.0,
            0.0,
            0.0,
        ],
        // Millimeters.
        xyzt_units: 2,
        qform_code: SCANNER,
        quatern_b: turn.x as f32,
        quatern_c: turn.y as f32,
        quatern_d: turn.z as f32,
        quatern_x: ras[0][3] as f32,
        quatern_y: ras[1][3] as f32,
        quatern_z: ras[2][3] as f32,
        sform_code: SCANNER,
        srow_x: row(0),
        srow_y: row(1),
        srow_z: row(2),
        ..NiftiHeader::default()
    };
    let failed = |error: nifti::NiftiError| NiftiWriteError::Write(error.to_string());
    header.set_description_str(description).map_err(failed)?;
    let shape = (columns, rows, geometry.slices()).f();
    let options = WriterOptions::new(file).reference_header(&header);
    let misshapen = |error: ndarray::ShapeError| NiftiWriteError::Write(error.to_string());
    match voxels {
        Voxels::Labels(labels) => {
            options.write_nifti(&Array3::from_shape_vec(shape, labels).map_err(misshapen)?).map_err(failed)
        }
        Voxels::Floats(floats) => {
            options.write_nifti(&Array3::from_shape_vec(shape, floats).map_err(misshapen)?).map_err(failed)
        }
    }
}

/// Unit axes at right angles nearest to those of the columns and rows (RAS), and the third on the side of `slice`.
fn right_angled(geometry: &VolumeGeometry, slice: DVec3) -> DMat3 {
    let (column, row) =
        ((geometry.column_direction() * FLIP).normalize(), (geometry.row_direction() * FLIP).normalize());
    // Half of what is missing to a right angle is taken from either.
    let (sum, difference) = ((column + row).normalize(), (column - row).normalize());
    let (column, row) = ((sum + difference).normalize(), (sum - difference).normalize());
    let normal = column.cross(row);
    DMat3::from_cols(column, row, if normal.dot(slice) < 0.0 { -normal } else { normal })
}

/// The quaternion of a rotation with its real part, which the format leaves out, not negative.
fn rotation(axes: DMat3) -> DQuat {
    let turn = DQuat::from_mat3(&axes).normalize();
    if turn.w < 0.0 { -turn } else { turn }
}
