//! The RSNA 2024 lumbar spine challenge as published: `train.csv`, `train_label_coordinates.csv`,
//! `train_series_descriptions.csv` and `train_images/<study>/<series>/`.
//!
//! Of its gradings the stenosis of the central canal is one of the program's: `Normal/Mild` is absent, `Moderate` and
//! `Severe` are present. The points that readers marked in the canal name the discs that the detector finds.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use glam::DVec2;
use serde::Deserialize;

use super::labels::{ClassSet, DiscLabels};
use super::located::{DiscFinder, discs_named};
use super::manifest::{ManifestError, Reading};
use super::spider::{LabelledDisc, ScanCase, read_table};
use crate::spine::{Disc, DiscLevel, Grading};
use crate::volume::Volume;

/// How weights trained on the data set must cite it.
pub(crate) const ATTRIBUTION: &str = "RSNA 2024 Lumbar Spine Degenerative Classification, Radiological Society of North America and \
    American Society of Neuroradiology, 2024; the challenge's terms of use apply.";

const CONDITION: &str = "Spinal Canal Stenosis";
const SERIES: &str = "Sagittal T2/STIR";
/// A reader's point names a disc if the back of the disc is that near, mm: half the height of a vertebra.
const REACH_MM: f64 = 16.0;

#[derive(Deserialize)]
struct PointRow {
    study_id: String,
    series_id: String,
    condition: String,
    level: String,
    x: f64,
    y: f64,
}

#[derive(Deserialize)]
struct SeriesRow {
    study_id: String,
    series_id: String,
    series_description: String,
}

/// Column and row of each level's point in the canal.
type Points = BTreeMap<DiscLevel, DVec2>;

/// Reads the data set below `folder` into `reading`.
pub(super) fn load(folder: &Path, finder: &DiscFinder, reading: &mut Reading) -> Result<(), ManifestError> {
    let stenoses = read_stenoses(&folder.join("train.csv"))?;
    let mut points: HashMap<(String, String), Points> = HashMap::new();
    for row in read_table::<PointRow>(&folder.join("train_label_coordinates.csv"))? {
        if let (CONDITION, Ok(level)) = (row.condition.as_str(), row.level.parse::<DiscLevel>()) {
            points.entry((row.study_id, row.series_id)).or_default().insert(level, DVec2::new(row.x, row.y));
        }
    }
    for row in read_table::<SeriesRow>(&folder.join("train_series_descriptions.csv"))? {
        let key = (row.study_id.clone(), row.series_id.clone());
        let (Some(points), Some(grades)) = (points.get(&key), stenoses.get(&row.study_id)) else { continue };
        if row.series_description != SERIES {
            continue;
        }
        let path = folder.join("train_images").join(&row.study_id).join(&row.series_id);
        let patient = reading.patient(&row.study_id);
        reading.add(&path, || {
            let volume = finder.read(&path)?;
            let vertebrae = finder.vertebrae(&volume)?;
            let discs = discs_named(&vertebrae, |disc| nearest_level(points, &volume, disc));
            let discs = discs.into_iter().filter_map(|disc| {
                let mut labels = DiscLabels::default();
                labels.gradings.insert(Grading::CentralCanalStenosis, *grades.get(&disc.level)?);
                Some(LabelledDisc { disc, labels })
            });
            let (discs, name) = (discs.collect(), format!("{}/{}", row.study_id, row.series_id));
            Ok(ScanCase { patient, name, volume, vertebrae, top_is_extrapolated: false, discs, boxes: Vec::new() })
        })?;
    }
    Ok(())
}

/// The level whose point lies nearest to the back of a disc, if it is near.
fn nearest_level(points: &Points, volume: &Volume, disc: &Disc) -> Option<DiscLevel> {
    let slice = disc.center_voxel[0];
    let back = (disc.upper.corners_at(slice)?.ip + disc.lower.corners_at(slice)?.sp) / 2.0;
    let size = volume.geometry().pixel_size_mm();
    let distance = |point: &DVec2| ((*point - back) * size).length();
    let (level, point) = points.iter().min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)))?;
    (distance(point) <= REACH_MM).then_some(*level)
}

/// Stenosis of each level by study; levels without a grade are missing.
fn read_stenoses(path: &Path) -> Result<HashMap<String, BTreeMap<DiscLevel, ClassSet>>, ManifestError> {
    let wrong = |what: String| ManifestError::Row { row: 1, what, path: path.to_owned() };
    let mut stenoses = HashMap::new();
    for row in read_table::<BTreeMap<String, String>>(path)? {
        let study = row.get("study_id").cloned().ok_or_else(|| wrong("there is no column study_id".to_owned()))?;
        let mut grades = BTreeMap::new();
        for (column, severity) in &row {
            let Some(level) = column.strip_prefix("spinal_canal_stenosis_") else { continue };
            let level = level.replace('_', "-").parse::<DiscLevel>().map_err(|error| wrong(error.to_string()))?;
            let class = match severity.as_str() {
                "Normal/Mild" => 0,
                "Moderate" | "Severe" => 1,
                "" => continue,
                other => return Err(wrong(format!("{column} is {other}: Normal/Mild, Moderate or Severe is known"))),
            };
            grades.insert(level, ClassSet::exactly(class));
        }
        stenoses.insert(study, grades);
    }
    Ok(stenoses)
}
