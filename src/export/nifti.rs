//! Volumes as NIfTI.

use std::fs;
use std::path::Path;

use super::masks::{Structure, structure_masks};
use super::{ExportError, ExportOptions, ReportedStudy, Written};
use crate::causes::with_causes;
use crate::pipeline::Evidence;
use crate::research::{Voxels, write_nifti};
use crate::spine::{DiscFrame, DiscLevel, PATCH_COLUMNS, PATCH_ROWS, VertebraLabel};
use crate::volume::VolumeGeometry;

const DESCRIPTION: &str = "spinenet, research use only";

/// Writes into `folder` the scan (`scan.nii.gz`), a label map of bodies and discs on its grid (`labels.nii.gz`), every
/// disc's volume as the network sees it (`L4-L5_disc.nii.gz`) and the evidence maps. A note says if slices were interpolated.
///
/// Labels are those of the SPIDER data set: bodies count from the one above S1 = 1 upwards, discs from the
/// lowest = 201.
///
/// # Errors
/// If a file cannot be written.
pub(super) fn write_volumes(
    study: &ReportedStudy,
    _options: &ExportOptions,
    folder: &Path,
) -> Result<Written, ExportError> {
    let failed = |path: &Path, reason: String| ExportError::Nifti { reason, path: path.to_owned() };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error.to_string()))?;
    let volume = &study.series.volume;
    let mut files = Vec::new();
    let mut write = |name: String, voxels: Voxels, geometry: &VolumeGeometry, size: [usize; 2]| {
        let file = folder.join(name);
        let interpolated = write_nifti(&file, voxels, geometry, size, DESCRIPTION)
            .map_err(|error| failed(&file, with_causes(&error)))?;
        files.push(file);
        Ok::<Option<f64>, ExportError>(interpolated)
    };
    let (geometry, size) = (volume.geometry(), [volume.rows(), volume.columns()]);
    let interpolated_mm = write("scan.nii.gz".to_owned(), Voxels::Floats(volume.voxels().to_vec()), geometry, size)?;
    write("labels.nii.gz".to_owned(), Voxels::Labels(label_map(study)), geometry, size)?;
    for disc in &study.discs {
        // A disc whose corners collapse has no volume; its grades are missing for the same reason.
        let Ok(frame) = DiscFrame::of_disc(volume, disc) else { continue };
        let Ok(place) = frame.geometry(geometry) else { continue };
        let voxels = Voxels::Floats(frame.sample(volume).voxels);
        write(format!("{}_disc.nii.gz", disc.level), voxels, &place, [PATCH_ROWS, PATCH_COLUMNS])?;
    }
    for evidence in &study.evidence {
        let file = folder.join(format!("{}_{}_evidence.nii.gz", evidence.map.level, evidence.map.grading));
        write_map(evidence, &file)?;
        files.push(file);
    }
    let note = interpolated_mm.map(|spacing| {
        format!(
            "the slices are unevenly spaced or sheared, which NIfTI cannot say: the volumes were interpolated to slices \
             {spacing:.2} mm apart"
        )
    });
    Ok(Written { files, note })
}

/// Label of each voxel, discs over bodies where both claim one.
fn label_map(study: &ReportedStudy) -> Vec<u8> {
    let volume = &study.series.volume;
    let [_, rows, columns] = volume.shape();
    let mut labels = vec![0; volume.voxels().len()];
    let names: Vec<VertebraLabel> = study.vertebrae.iter().map(|vertebra| vertebra.label).collect();
    for mask in structure_masks(&study.vertebrae, &study.discs, rows, columns) {
        let Some(label) = label(mask.structure, &names) else { continue };
        for (slice, marked) in &mask.slices {
            let pixels = &mut labels[slice * rows * columns..(slice + 1) * rows * columns];
            for (pixel, _) in pixels.iter_mut().zip(marked).filter(|(_, marked)| **marked) {
                *pixel = label;
            }
        }
    }
    labels
}

/// Label of a structure in a spine with bodies of these names.
fn label(structure: Structure, names: &[VertebraLabel]) -> Option<u8> {
    let number = match structure {
        Structure::Vertebra(label) => {
            VertebraLabel::of_spine(names.iter().copied()).iter().rev().position(|name| *name == label)?
        }
        Structure::Disc(level) => 200 + level.number_above_sacrum(DiscLevel::of_spine(names.iter().copied()))?,
    };
    u8::try_from(number).ok()
}

/// Writes a map as NIfTI in patient space, on the grid of the disc volume; where the scan's slices are uneven,
/// interpolated to the spacing in mm that is returned.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write_map(evidence: &Evidence, file: &Path) -> Result<Option<f64>, ExportError> {
    write_patch(file, &evidence.map.values, &evidence.map.frame, evidence.volume.geometry())
}

/// Writes the standard error of a map in the same way; `false` if there are too few views to know it.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write_standard_error(evidence: &Evidence, file: &Path) -> Result<bool, ExportError> {
    let Some(errors) = &evidence.map.standard_errors else { return Ok(false) };
    write_patch(file, errors, &evidence.map.frame, evidence.volume.geometry())?;
    Ok(true)
}

/// Writes values of the voxels of a map as `float32` NIfTI, index order (column, row, slice) of the disc volume; returns
/// what [`write_nifti`] does.
pub(super) fn write_patch(
    file: &Path,
    values: &[f32],
    frame: &DiscFrame,
    geometry: &VolumeGeometry,
) -> Result<Option<f64>, ExportError> {
    let failed = |reason: String| ExportError::Nifti { reason, path: file.to_owned() };
    let geometry = frame.geometry(geometry).map_err(|error| failed(with_causes(&error)))?;
    let voxels = Voxels::Floats(values.to_vec());
    write_nifti(file, voxels, &geometry, [PATCH_ROWS, PATCH_COLUMNS], "spinenet evidence, research use only")
        .map_err(|error| failed(with_causes(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_those_of_spider() {
        assert_eq!(label(Structure::Vertebra(VertebraLabel::L5), &[]), Some(1));
        assert_eq!(label(Structure::Vertebra(VertebraLabel::T12), &[]), Some(6));
        assert_eq!(label(Structure::Disc(DiscLevel::L5S1), &[]), Some(201));
        assert_eq!(label(Structure::Disc(DiscLevel::T12L1), &[]), Some(206));
        let six = [VertebraLabel::L5, VertebraLabel::L6];
        assert_eq!(label(Structure::Vertebra(VertebraLabel::L5), &six), Some(2));
        assert_eq!(label(Structure::Disc(DiscLevel::L5L6), &six), Some(202));
    }
}
