//! Results that leave the program: reports, boxes, evidence and figures as JSON, tables, COCO, PDF, DICOM objects, NIfTI
//! and pictures.
//!
//! Exports of a study are made from its report file and the images it was made from, so that what leaves is what was
//! signed.

mod coco;
mod dicom;
mod error;
mod evidence;
mod evidence_files;
mod figures;
mod masks;
mod nifti;
mod overview;
mod parquet;
mod pdf;
mod report_text;
mod reports;
mod spider;
mod study;
mod table;
mod template;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use coco::parse_boxes;
pub(crate) use coco::{CocoImage, coco_text};
pub use coco::{read_boxes, write_boxes};
pub(crate) use dicom::write_dicom;
pub use error::ExportError;
pub(crate) use evidence::{EvidenceOptions, abnormal_grades, explain_abnormal};
pub(crate) use evidence_files::write_evidence;
pub use figures::FigureOrder;
pub(crate) use figures::{FigureRequest, write_figures};
pub(crate) use nifti::write_volumes;
pub use overview::write_overview;
pub use pdf::{PdfOptions, report_pdf};
pub(crate) use reports::OutputFormat;
pub use reports::write_reports;
pub(crate) use spider::spider_csv;
pub use study::OpenStudy;
pub(crate) use study::{ReportedStudy, signature_time};
pub use template::{ReportTemplate, TEMPLATE_FILE, TemplateError};
