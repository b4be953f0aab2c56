//! Results that leave the program: the report as PDF, DICOM objects, NIfTI volumes and tables.
//!
//! Everything is made from a report file and the images it was made from, so that what leaves is what was signed.

mod dicom;
mod evidence;
mod masks;
mod nifti;
mod pdf;
mod spider;
mod study;

pub use dicom::write_dicom;
pub use evidence::{EvidenceOptions, abnormal_grades, explain_abnormal};
pub use masks::{Structure, StructureMask, structure_masks};
pub use nifti::{WrittenVolumes, write_volumes};
pub use pdf::{PdfOptions, report_pdf};
pub use spider::spider_csv;
pub use study::{ExportError, OpenStudy, ReportedStudy, signature_time};
