//! Results as DICOM objects in the study they belong to: structured report, segmentations, parametric maps,
//! presentation states and secondary capture.
//!
//! [`ObjectContext`] takes patient and study from the graded series, so that an archive files the results there. UIDs
//! follow from the results and their time: writing the same results again gives the same bytes.

mod build;
mod capture;
mod codes;
mod context;
mod gray;
mod key_objects;
mod parametric_map;
mod presentation;
mod segmentation;
mod structured_report;
mod study;

pub(crate) use capture::secondary_capture;
pub(crate) use codes::Code;
pub(crate) use context::ObjectContext;
pub(crate) use key_objects::key_objects;
pub(crate) use parametric_map::{EvidenceMap, parametric_map};
pub(crate) use presentation::{Marks, presentation_states};
pub(crate) use segmentation::{Segment, SegmentationTexts, segmentation};
pub(crate) use structured_report::{
    GradedDisc, MeasuredImage, MeasurementReport, Observer, SignedGrade, structured_report,
};

#[cfg(test)]
mod tests;
