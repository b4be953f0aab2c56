//! A synthetic study as files: every series as DICOM, the truth as JSON, CSV and NIfTI.

use std::fs;
use std::path::Path;

use super::{PipelineError, Study};
use crate::causes::with_causes;
use crate::dicom::{SeriesHeader, write_series};
use crate::files::{PathError, write_whole};
use crate::phantom::{PhantomPatient, PhantomSeries, PhantomSettings, PhantomStudy, Sequence};
use crate::records::{BoxesFile, DiscTruth, Software, TRUTH_SCHEMA, TruthFile, TruthTable, VertebraEntry};
use crate::research::{Voxels, write_nifti};
use crate::spine::{DiscLevel, PerGrading};
use crate::task::CancelToken;
use crate::volume::Volume;

/// Writes the synthetic patient that `settings` ask for into `folder`, which is made where needed: below `dicom` a folder for each series (localizers in three
/// planes, T1 and T2 sagittal), beside it `truth.json`, `truth-grades.csv`, `truth-boxes.json` and `truth-masks.nii.gz`.
///
/// # Errors
/// If a file cannot be written or the work is cancelled.
pub(crate) fn write_phantom(
    folder: &Path,
    settings: &PhantomSettings,
    cancel: &CancelToken,
) -> Result<(), PipelineError> {
    fs::create_dir_all(folder).map_err(PathError::at(folder))?;
    let seed = settings.seed;
    let patient = PhantomPatient::draw(settings);
    let t2 = patient.t2();
    cancel.check()?;
    let dicom = folder.join("dicom");
    for (index, series) in patient.companions().iter().chain([&t2]).enumerate() {
        cancel.check()?;
        let mut header = header(series, seed, index as u32 + 1);
        let folder = dicom.join(format!("series-{}", index + 1));
        for volume in std::iter::once(&series.volume).chain(&series.other_planes) {
            write_series(&folder, volume, &header)?;
            header.first_instance += volume.slices();
        }
    }
    // The writer makes the UIDs; reading back also proves that the study opens and that its T2 series is chosen.
    let written = Study::open(&dicom, cancel, &mut |_| (), &mut |_| ())?;
    let truth = truth_of(&patient.study_of(&t2), seed, &written.choose(None)?.series_instance_uid);
    let file = folder.join("truth.json");
    let text = serde_json::to_string_pretty(&truth).expect("truth holds no maps with other keys than text") + "\n";
    write_whole(&file, text.as_bytes()).map_err(PathError::at(&file))?;
    let mut table = TruthTable::default();
    table.add(&truth);
    table.write(&folder.join("truth-grades.csv"))?;
    let boxes = truth.boxes.clone();
    BoxesFile::new("phantom", &truth.series_instance_uid, boxes).save(&folder.join("truth-boxes.json"))?;
    write_masks(&folder.join("truth-masks.nii.gz"), patient.masks(), &t2.volume)
}

/// The truth of a phantom that was written as the series `series_instance_uid`.
fn truth_of(study: &PhantomStudy, seed: u64, series_instance_uid: &str) -> TruthFile {
    let geometry = study.volume.geometry();
    let disc =
        |(level, gradings): (&DiscLevel, &PerGrading<u8>)| DiscTruth { level: *level, gradings: gradings.clone() };
    TruthFile {
        schema: TRUTH_SCHEMA.to_owned(),
        software: Software::this(),
        seed,
        series_instance_uid: series_instance_uid.to_owned(),
        lumbar_bodies: study.lumbar_bodies,
        vertebrae: study.vertebrae.iter().map(|vertebra| VertebraEntry::new(vertebra, geometry)).collect(),
        discs: study.grades.iter().map(disc).collect(),
        boxes: study.boxes.clone(),
    }
}

fn header(series: &PhantomSeries, seed: u64, number: u32) -> SeriesHeader {
    let mut header = SeriesHeader::synthetic_t2_sagittal(&format!("phantom {seed}"));
    let (description, repetition, echo) = match series.sequence {
        Sequence::T2Tse => ("T2 TSE SAG", 3500.0, 100.0),
        Sequence::T2Space => ("T2 SPACE SAG", 1000.0, 124.0),
        Sequence::T1Tse => ("T1 TSE SAG", 600.0, 11.0),
        Sequence::Stir => ("STIR SAG", 4000.0, 60.0),
        Sequence::ProtonDensity => ("PD TSE SAG", 3500.0, 15.0),
        Sequence::Localizer => ("LOCALIZER", 1200.0, 90.0),
    };
    header.series_number = number;
    header.bits_stored = u16::from(series.bits);
    header.window = Some(series.window);
    header.is_three_dimensional = series.sequence == Sequence::T2Space;
    description.clone_into(&mut header.texts.series_description);
    header.texts.repetition_time_ms = Some(repetition);
    header.texts.echo_time_ms = Some(echo);
    header.texts.slice_thickness_mm = Some((series.thickness_mm * 100.0).round() / 100.0);
    header
}

/// Writes labels `[slice, row, column]` of `volume` as NIfTI, index order (column, row, slice), scanner coordinates.
fn write_masks(file: &Path, labels: Vec<u8>, volume: &Volume) -> Result<(), PipelineError> {
    let size = [volume.rows(), volume.columns()];
    write_nifti(file, Voxels::Labels(labels), volume.geometry(), size, "29 disc, 76 vertebra, 150 canal")
        .map(|_| ())
        .map_err(|error| PipelineError::Nifti { reason: with_causes(&error), path: file.to_owned() })
}
