//! SPIDER as published: `images/` and `masks/` with `<patient>_t2.mha` and `<patient>_t2_SPACE.mha`, and
//! `radiological_gradings.csv` beside them (doi:10.5281/zenodo.10159290).
//!
//! The masks number discs from L5-S1 (201) upward, which names the discs that the detector finds: a scan whose levels
//! the detector would get wrong is learned from with the right ones. T1 images are passed over, they have no grades of their own.

use std::fs;
use std::path::{Path, PathBuf};

use super::labels::DiscLabels;
use super::located::{DiscFinder, discs_named};
use super::manifest::{ManifestError, Reading};
use super::spider::{Grades, LabelledDisc, ScanCase, SpiderError, level_counted_upward, read_grades};
use crate::research::read_volume;
use crate::spine::{Disc, DiscLevel};
use crate::volume::Volume;

/// Values of discs in the masks: L5-S1, and the one above T12-L1 that the grades go up to.
const FIRST_DISC: f32 = 201.0;
const LAST_DISC: f32 = 220.0;
/// How far around the middle of a disc its mask is asked for, mm.
const REACH_MM: f64 = 6.0;
const STEP_MM: f64 = 1.0;
/// At least this share of the points asked must carry the name: the disc is there, and not only near.
const LEAST_SHARE: f64 = 0.2;

/// Reads the data set below `folder` into `reading`.
pub(super) fn load(folder: &Path, finder: &DiscFinder, reading: &mut Reading) -> Result<(), ManifestError> {
    let grades = read_grades(&folder.join("radiological_gradings.csv"))?;
    for (patient, path) in images(&folder.join("images"))? {
        let mask = folder.join("masks").join(path.file_name().unwrap_or_default());
        let number = reading.patient(&patient.to_string());
        reading.add(&path, || {
            let volume = finder.read(&path)?;
            let mask = read_volume(&mask)?;
            let vertebrae = finder.vertebrae(&volume)?;
            let discs = discs_named(&vertebrae, |disc| level_in_mask(&mask, &volume, disc));
            let discs = discs.into_iter().filter_map(|disc| labelled(patient, disc, &grades)).collect();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(ScanCase {
                patient: number,
                name,
                volume,
                vertebrae,
                top_is_extrapolated: false,
                discs,
                boxes: Vec::new(),
            })
        })?;
    }
    Ok(())
}

fn labelled(patient: u32, disc: Disc, grades: &Grades) -> Option<LabelledDisc> {
    let labels: DiscLabels = grades.get(&(patient, disc.level))?.clone();
    Some(LabelledDisc { disc, labels })
}

/// T2 images with their patients, in the order of their names.
fn images(folder: &Path) -> Result<Vec<(u32, PathBuf)>, SpiderError> {
    let failed = |source| SpiderError::Folder { source, path: folder.to_owned() };
    let mut images = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_volume = path.extension().is_some_and(|extension| extension == "mha");
        let parts = stem.split_once('_').filter(|(_, kind)| is_volume && matches!(*kind, "t2" | "t2_SPACE"));
        images.extend(parts.and_then(|(patient, _)| Some((patient.parse().ok()?, path.clone()))));
    }
    images.sort();
    Ok(images)
}

/// The level whose mask covers most of the middle of a disc.
fn level_in_mask(mask: &Volume, volume: &Volume, disc: &Disc) -> Option<DiscLevel> {
    let geometry = volume.geometry();
    let middle = geometry.lps_from_voxel(disc.center_voxel);
    let steps = (REACH_MM / STEP_MM) as i32;
    let mut counts = [0_usize; (LAST_DISC - FIRST_DISC) as usize + 1];
    let mut asked = 0_usize;
    for (down, along) in (-steps..=steps).flat_map(|down| (-steps..=steps).map(move |along| (down, along))) {
        let offset = geometry.column_direction() * f64::from(down) + geometry.row_direction() * f64::from(along);
        let [slice, row, column] = mask.geometry().voxel_from_lps(middle + offset * STEP_MM).map(f64::round);
        let [slices, rows, columns] = mask.shape().map(|length| length as f64);
        let within = |at: f64, length: f64| at >= 0.0 && at < length;
        asked += 1;
        if within(slice, slices) && within(row, rows) && within(column, columns) {
            let value = mask.slice(slice as usize)[row as usize * mask.columns() + column as usize];
            if (FIRST_DISC..=LAST_DISC).contains(&value) {
                counts[(value - FIRST_DISC) as usize] += 1;
            }
        }
    }
    let (index, count) = counts.iter().enumerate().max_by_key(|(_, count)| **count)?;
    (*count as f64 >= LEAST_SHARE * asked as f64).then(|| level_counted_upward(index + 1)).flatten()
}
