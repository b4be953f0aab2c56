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
mod parametric_map;
mod presentation;
mod segmentation;
mod structured_report;
mod study;

pub use capture::secondary_capture;
pub use codes::Code;
pub use context::{ObjectContext, ResultObject};
pub use parametric_map::{EvidenceMap, parametric_map};
pub use presentation::{Marks, presentation_states};
pub use segmentation::{Segment, SegmentationTexts, segmentation};
pub use structured_report::{
    GradedDisc, ImageBox, MeasuredImage, MeasurementReport, Observer, SignedGrade, structured_report,
};

#[cfg(test)]
mod tests;
