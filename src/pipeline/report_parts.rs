//! From what was found and computed to the report.

use super::ModelsInfo;
use crate::dicom::{Series, SeriesSummary, SeriesWarning};
use crate::model::{Views, WeightsInfo};
use crate::records::{
    DiscEntry, REPORT_SCHEMA, Report, ReportWarning, Seconds, Software, VertebraEntry, WeightsUsed, rounded,
};
use crate::spine::{Disc, DiscPrediction, Vertebra};
use crate::volume::VolumeGeometry;

/// Where a scan comes from and how it lies, as far as the report says it.
#[derive(Debug, Clone)]
pub struct ScanSource<'a> {
    /// Study of the series.
    pub study_instance_uid: &'a str,
    /// The series.
    pub series_instance_uid: &'a str,
    /// Its instances by position.
    pub sop_instance_uids: Vec<String>,
    /// Hash of its voxels.
    pub voxel_sha256: &'a str,
    /// Oddities.
    pub warnings: Vec<ReportWarning>,
    /// Spacings.
    pub geometry: &'a VolumeGeometry,
}

impl<'a> From<&'a Series> for ScanSource<'a> {
    fn from(series: &'a Series) -> Self {
        let SeriesSummary { study_instance_uid, series_instance_uid, instances, .. } = &series.summary;
        let warning = |from: &SeriesWarning| ReportWarning { code: from.code.clone(), message: from.message.clone() };
        Self {
            study_instance_uid,
            series_instance_uid,
            sop_instance_uids: instances.iter().map(|instance| instance.sop_instance_uid.clone()).collect(),
            voxel_sha256: &series.voxel_sha256,
            warnings: series.warnings.iter().map(warning).collect(),
            geometry: series.volume.geometry(),
        }
    }
}

/// Everything a report is made of.
#[derive(Debug, Clone)]
pub struct ReportParts<'a> {
    /// The scan.
    pub source: ScanSource<'a>,
    /// Labelled bodies, as detected or as corrected by a reader.
    pub vertebrae: &'a [Vertebra],
    /// The discs between them.
    pub discs: &'a [Disc],
    /// What was computed for them; discs without an entry are reported without grades.
    pub predictions: &'a [DiscPrediction],
    /// The weights and the device.
    pub models: &'a ModelsInfo,
    /// Views averaged per disc; `None` where nothing was graded.
    pub views: Option<Views>,
    /// Running times, to be left out where bytes must repeat.
    pub seconds: Option<Seconds>,
}

impl ReportParts<'_> {
    /// Puts the report together; vertebrae and discs are ordered from the thorax down.
    #[must_use]
    pub fn report(&self) -> Report {
        let source = &self.source;
        let geometry = source.geometry;
        let mut vertebrae: Vec<&Vertebra> = self.vertebrae.iter().collect();
        vertebrae.sort_by_key(|vertebra| vertebra.label);
        let mut discs: Vec<&Disc> = self.discs.iter().collect();
        discs.sort_by_key(|disc| disc.level);
        let prediction = |level| self.predictions.iter().find(|prediction| prediction.level == level);
        let mut report = Report {
            schema: REPORT_SCHEMA.to_owned(),
            software: Software::hashed(),
            weights: self.models.weights.clone(),
            cohort: None,
            device: self.models.device.clone(),
            views: self.views.map(Views::count),
            research_use_only: true,
            experimental_gradings: self.models.experimental.gradings().collect(),
            calibrated: self.models.calibrated,
            pixel_spacing_mm: [rounded(geometry.row_spacing_mm(), 6), rounded(geometry.column_spacing_mm(), 6)],
            slice_spacing_mm: geometry.slice_spacing_mm().map(|spacing| rounded(spacing, 4)),
            study_instance_uid: source.study_instance_uid.to_owned(),
            series_instance_uid: source.series_instance_uid.to_owned(),
            sop_instance_uids: source.sop_instance_uids.clone(),
            voxel_sha256: source.voxel_sha256.to_owned(),
            folder: None,
            warnings: source.warnings.clone(),
            vertebrae: vertebrae.into_iter().map(|vertebra| VertebraEntry::new(vertebra, geometry)).collect(),
            discs: discs.into_iter().map(|disc| DiscEntry::new(disc, geometry, prediction(disc.level))).collect(),
            measurements: Vec::new(),
            sign_off: None,
            seconds: self.seconds.map(rounded_seconds),
        };
        let unlike: Vec<String> =
            report.discs.iter().filter(|disc| disc.unlike_training_data).map(|disc| disc.level.to_string()).collect();
        if !unlike.is_empty() {
            let message = format!(
                "{} looks unlike the discs that the network learned from: the grades are uncertain; check the sequence, \
                 the image quality and the outlines",
                unlike.join(", ")
            );
            report.warn("unlike_training_data", message);
        }
        report
    }
}

/// Running times as written.
fn rounded_seconds(Seconds { load, detect, grade }: Seconds) -> Seconds {
    Seconds { load: rounded(load, 3), detect: rounded(detect, 3), grade: rounded(grade, 3) }
}

impl From<WeightsInfo> for WeightsUsed {
    fn from(WeightsInfo { name, version, sha256 }: WeightsInfo) -> Self {
        Self { name, version, sha256 }
    }
}
