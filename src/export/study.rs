//! A report joined with the images it was made from.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset};
use glam::DVec2;

use super::ExportError;
use crate::dicom::Series;
use crate::language::Language;
use crate::pipeline::{Evidence, Study};
use crate::records::{CornersEntry, Report, SignOff, VertebraEntry};
use crate::spine::{Corners, Disc, SliceBox, Vertebra, VertebraOutline, discs_between};
use crate::task::{CancelToken, Progress};

/// A report with its images and whatever explains it.
#[derive(Debug, Clone)]
pub struct ReportedStudy {
    pub report: Report,
    /// The images.
    pub series: Arc<Series>,
    /// The labelled bodies of the report.
    pub vertebrae: Vec<Vertebra>,
    /// The discs between them.
    pub discs: Vec<Disc>,
    /// Boxes of readers and of the program.
    pub boxes: Vec<SliceBox>,
    /// Evidence maps.
    pub evidence: Vec<Evidence>,
    /// Those of key images, as far as they are there.
    pub key_evidence: Vec<Evidence>,
    /// What it is put into words in where it leaves; codes and keys are in English always.
    pub language: Language,
}

impl ReportedStudy {
    /// Opens the images of `report` in `folder` and checks that they are the ones it was made from.
    ///
    /// # Errors
    /// If they cannot be read, or are others.
    pub(crate) fn open(
        report: Report,
        folder: &Path,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, ExportError> {
        let study = Study::open(folder, cancel, on_progress, &mut |_| ())?;
        let series = study.load_reported(&report, cancel, on_progress)?;
        Self::join(report, series)
    }

    /// Joins a report with the images that it was made from.
    ///
    /// # Errors
    /// If the images are others.
    pub(crate) fn join(report: Report, series: Arc<Series>) -> Result<Self, ExportError> {
        let there: Vec<&str> = series.summary.instances.iter().map(|from| from.sop_instance_uid.as_str()).collect();
        let expected = report.sop_instance_uids.len();
        if there != report.sop_instance_uids {
            let found = report.sop_instance_uids.iter().filter(|uid| there.contains(&uid.as_str())).count();
            return Err(ExportError::OtherImages { expected, found });
        }
        let slices = series.volume.slices();
        let outlines = report.vertebrae.iter().flat_map(|entry| &entry.slices);
        if let Some(outline) = outlines.clone().find(|outline| outline.slice >= slices) {
            return Err(ExportError::NoSuchSlice { slice: outline.slice + 1, slices });
        }
        if let Some(measured) = report.measurements.iter().find(|measured| measured.slice >= slices) {
            return Err(ExportError::NoSuchSlice { slice: measured.slice + 1, slices });
        }
        if let Some(marked) = report.key_images.iter().find(|marked| marked.slice >= slices) {
            return Err(ExportError::NoSuchSlice { slice: marked.slice + 1, slices });
        }
        let vertebrae: Vec<Vertebra> = report.vertebrae.iter().map(vertebra).collect();
        let discs = discs_between(&vertebrae);
        Ok(Self {
            report,
            series,
            vertebrae,
            discs,
            boxes: Vec::new(),
            evidence: Vec::new(),
            key_evidence: Vec::new(),
            language: Language::ENGLISH,
        })
    }
}

/// A study as a window has it open, to be joined where it stops nobody. It has no `Debug`: it is a patient's.
#[derive(Clone)]
pub struct OpenStudy {
    pub report: Report,
    /// The series that is shown.
    pub series: Arc<Series>,
    /// Boxes of the reader and of the program.
    pub boxes: Vec<SliceBox>,
    /// Evidence maps.
    pub evidence: Vec<Evidence>,
    /// Those of key images, as far as they are there.
    pub key_evidence: Vec<Evidence>,
    /// What the reader reads in.
    pub language: Language,
}

impl OpenStudy {
    /// Joins report and images.
    ///
    /// # Errors
    /// As [`ReportedStudy::join`].
    pub fn join(self) -> Result<ReportedStudy, ExportError> {
        let Self { report, series, boxes, evidence, key_evidence, language } = self;
        Ok(ReportedStudy { boxes, evidence, key_evidence, language, ..ReportedStudy::join(report, series)? })
    }
}

/// When a report was signed, with the offset of the reader's clock from UTC.
///
/// # Errors
/// [`ExportError::SignatureTime`] if the report says it in another way than RFC 3339.
pub(crate) fn signature_time(sign_off: &SignOff) -> Result<DateTime<FixedOffset>, ExportError> {
    let signed_at = &sign_off.signed_at;
    DateTime::parse_from_rfc3339(signed_at).map_err(|_| ExportError::SignatureTime(signed_at.clone()))
}

fn vertebra(entry: &VertebraEntry) -> Vertebra {
    let outline = |slice: usize, corners: &CornersEntry| {
        let corners = Corners::from_array([corners.sa, corners.sp, corners.ip, corners.ia].map(DVec2::from_array));
        VertebraOutline { slice, corners }
    };
    Vertebra {
        label: entry.label,
        confidence: entry.confidence as f32,
        outlines: entry.slices.iter().map(|from| outline(from.slice, &from.corners_image)).collect(),
    }
}
