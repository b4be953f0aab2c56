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
mod format;
mod key_images;
mod locations;
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

pub(crate) use coco::CocoImage;
#[cfg(test)]
pub(crate) use coco::{coco_text, parse_boxes};
pub use coco::{read_boxes, write_boxes};
pub(crate) use dicom::write_dicom;
pub use error::ExportError;
pub(crate) use evidence::{EvidenceOptions, abnormal_grades, explain_abnormal};
pub(crate) use evidence_files::write_evidence;
pub use figures::FigureOrder;
pub(crate) use figures::{FigureRequest, write_figures};
pub(crate) use format::{ExportFormat, Make, Written, named_formats};
pub use format::{ExportOptions, write_reports, write_study};
pub(crate) use key_images::explain_key_images;
pub(crate) use locations::{add_learned_locations, learned_location};
pub use overview::write_overview;
pub use study::OpenStudy;
pub(crate) use study::{ReportedStudy, signature_time};
pub use template::{ReportTemplate, TEMPLATE_FILE, TemplateError};

/// Every format that results leave in: all that command line and window know of them.
pub(crate) const FORMATS: [ExportFormat; 10] = [
    ExportFormat {
        key: "json",
        name: "JSON",
        ending: Some("json"),
        help: "Reports, as `spinenet grade` writes them",
        make: Make::OfReports(|entries| Ok(reports::json(entries))),
    },
    ExportFormat {
        key: "jsonl",
        name: "JSON lines",
        ending: Some("jsonl"),
        help: "Reports, one a line",
        make: Make::OfReports(|entries| Ok(reports::json_lines(entries))),
    },
    ExportFormat {
        key: "csv",
        name: "CSV",
        ending: Some("csv"),
        help: "Grades as a table, one row a disc",
        make: Make::OfReports(|entries| Ok(table::csv(entries))),
    },
    ExportFormat {
        key: "parquet",
        name: "Parquet",
        ending: Some("parquet"),
        help: "The same table as Parquet",
        make: Make::OfReports(parquet::parquet),
    },
    ExportFormat {
        key: "spider-csv",
        name: "SPIDER CSV",
        ending: Some("csv"),
        help: "Grades in the columns of the SPIDER data set",
        make: Make::OfReports(|entries| Ok(spider::spider_csv(entries))),
    },
    ExportFormat {
        key: "pdf",
        name: "PDF",
        ending: Some("pdf"),
        help: "Report to file and print",
        make: Make::OfStudy(pdf::report_pdf),
    },
    ExportFormat {
        key: "key-images",
        name: "PNG",
        ending: None,
        help: "Folder for pictures of the key images that the reader marked",
        make: Make::IntoFolder(key_images::write_key_images),
    },
    ExportFormat {
        key: "coco",
        name: "COCO",
        ending: Some("json"),
        help: "Boxes as COCO",
        make: Make::OfStudy(|study, _| Ok(coco::study_coco(study))),
    },
    ExportFormat {
        key: "nifti",
        name: "NIfTI",
        ending: None,
        help: "Folder for NIfTI volumes: the scan, labels of bodies and discs, disc volumes, evidence maps",
        make: Make::IntoFolder(nifti::write_volumes),
    },
    ExportFormat {
        key: "dicom",
        name: "DICOM",
        ending: None,
        help: "Folder for DICOM objects of the same study: structured report, segmentation, overview picture, evidence maps",
        make: Make::IntoFolder(dicom::write_objects),
    },
];
