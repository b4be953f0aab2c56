//! `spinenet export`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};

use super::Outcome;
use super::arguments::ModelArguments;
use super::console::{Console, RESEARCH_USE_ONLY};
use super::explain::WayArguments;
use crate::export::{
    CocoImage, EvidenceOptions, ExportError, OutputFormat, PdfOptions, ReportTemplate, ReportedStudy, coco_text,
    explain_abnormal, read_boxes, report_pdf, signature_time, spider_csv, write_dicom, write_reports, write_volumes,
};
use crate::files::write_whole;
use crate::language::Language;
use crate::pipeline::Models;
use crate::records::{BoxesFile, Report, ReportEntry, read_reports};
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet export`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("output").args(["pdf", "dicom", "nifti", "csv", "parquet", "spider_csv", "coco"]).required(true).multiple(true)))]
pub(crate) struct ExportArguments {
    /// Report, as `spinenet grade` or the viewer wrote it (.json, .jsonl).
    report: PathBuf,
    /// Folder with the images that were graded; needed for all but tables.
    #[arg(long, value_name = "FOLDER")]
    study: Option<PathBuf>,
    /// Report to file and print.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// Folder for DICOM objects of the same study: structured report, segmentation, overview picture, evidence maps.
    #[arg(long, value_name = "DIR")]
    dicom: Option<PathBuf>,
    /// Folder for NIfTI volumes: the scan, labels of bodies and discs, disc volumes, evidence maps.
    #[arg(long, value_name = "DIR")]
    nifti: Option<PathBuf>,
    /// Boxes as COCO.
    #[arg(long, value_name = "FILE")]
    coco: Option<PathBuf>,
    /// Grades in the columns of the SPIDER data set.
    #[arg(long, value_name = "FILE")]
    spider_csv: Option<PathBuf>,
    /// Grades as a table, one row a disc.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The same table as Parquet.
    #[arg(long, value_name = "FILE", value_parser = parquet_file)]
    parquet: Option<PathBuf>,
    /// Name the patient in the PDF; left out otherwise. DICOM objects always belong to the patient of the study.
    #[arg(long)]
    identity: bool,
    /// What the text of the PDF says and in which order; without it as the program has it.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Boxes to add to the DICOM report, the pictures and the COCO file (spinenet-boxes/1 or COCO).
    #[arg(long, value_name = "FILE", num_args = 1..)]
    boxes: Vec<PathBuf>,
    /// Compute and add the evidence for the most abnormal grades, at most this many.
    #[arg(long, value_name = "N", default_value_t = 0, default_missing_value = "6", num_args = 0..=1)]
    evidence: usize,
    /// Randomly changed inputs to average evidence over.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    augmentations: u32,
    /// Seed of the random changes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Language of PDF, structured report and overview picture: en, de, es or fr.
    #[arg(long, value_name = "CODE", default_value = "en")]
    language: Language,
    #[command(flatten)]
    way: WayArguments,
    #[command(flatten)]
    models: ModelArguments,
}

impl ExportArguments {
    fn needs_images(&self) -> bool {
        self.pdf.is_some() || self.dicom.is_some() || self.nifti.is_some() || self.coco.is_some()
    }
}

fn parquet_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let fits = matches!(OutputFormat::of(&path), Ok(OutputFormat::Parquet));
    fits.then_some(path).ok_or_else(|| "end the name in .parquet".to_owned())
}

fn save(file: &Path, bytes: &[u8], written: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    write_whole(file, bytes).with_context(|| format!("cannot write: {}", file.display()))?;
    written.push(file.to_owned());
    Ok(())
}

/// Runs `spinenet export`.
pub(super) fn run(arguments: &ExportArguments, console: Console) -> anyhow::Result<Outcome> {
    let mut entries = read_reports(&arguments.report)?;
    // Shards put together in any order give one table.
    entries.sort_by_key(|entry| entry.cohort().map(|place| place.input));
    let mut written = Vec::new();
    for file in [&arguments.csv, &arguments.parquet].into_iter().flatten() {
        write_reports(file, &entries)?;
        written.push(file.clone());
    }
    if let Some(file) = &arguments.spider_csv {
        let reports = entries.iter().filter_map(|entry| match entry {
            ReportEntry::Report(report) => Some(report.as_ref()),
            ReportEntry::Failed(_) => None,
        });
        save(file, spider_csv(reports).as_bytes(), &mut written)?;
    }
    if arguments.needs_images() {
        let report = single(entries, &arguments.report)?;
        written.extend(with_images(arguments, report, console)?);
    }
    for file in &written {
        console.say(&file.display().to_string());
    }
    console.say(RESEARCH_USE_ONLY);
    Ok(Outcome::Done)
}

/// The one report of a file.
fn single(entries: Vec<ReportEntry>, file: &Path) -> anyhow::Result<Report> {
    let count = entries.len();
    let mut reports = entries.into_iter().filter_map(|entry| match entry {
        ReportEntry::Report(report) => Some(*report),
        ReportEntry::Failed(_) => None,
    });
    match (reports.next(), count) {
        (Some(report), 1) => Ok(report),
        (None, 1) => bail!("the report says that the scan could not be graded: {}", file.display()),
        _ => bail!("expected one report, got {count}; only tables are made of several: {}", file.display()),
    }
}

/// Everything that is made from the images too.
fn with_images(arguments: &ExportArguments, report: Report, console: Console) -> anyhow::Result<Vec<PathBuf>> {
    let folder = arguments.study.as_ref().context("give the folder with the images: --study FOLDER")?;
    let created = created(&report, &arguments.report)?;
    let cancel = CancelToken::default();
    let line = console.progress("");
    let mut show = |progress: Progress| line.show(progress);
    let mut study = ReportedStudy::open(report, folder, &cancel, &mut show)?;
    study.language = arguments.language;
    for file in &arguments.boxes {
        let boxes = read_boxes(file).with_context(|| file.display().to_string())?;
        if boxes.series_instance_uid != study.report.series_instance_uid {
            bail!("these boxes were drawn on another series: {}", file.display());
        }
        if boxes.voxel_sha256.as_ref().is_some_and(|voxels| *voxels != study.report.voxel_sha256) {
            bail!("these boxes were drawn on other images of the series: {}", file.display());
        }
        study.boxes.extend(boxes.boxes);
    }
    if arguments.evidence > 0 {
        let mut models = Models::new(arguments.models.device, arguments.models.weights.clone())?;
        let options = EvidenceOptions {
            augmentations: arguments.augmentations as usize,
            seed: arguments.seed,
            choice: arguments.way.choice(),
            limit: arguments.evidence,
        };
        explain_abnormal(&mut study, &mut models, options, &cancel, &mut show)?;
    }
    let mut written = Vec::new();
    if let Some(file) = &arguments.pdf {
        let template = arguments.template.as_deref().map(ReportTemplate::read).transpose()?.unwrap_or_default();
        let bytes = report_pdf(&study, &PdfOptions { with_identity: arguments.identity, template })?;
        save(file, &bytes, &mut written)?;
    }
    if let Some(file) = &arguments.coco {
        let [slices, rows, columns] = study.series.volume.shape();
        let boxes = BoxesFile::new("", &study.report.series_instance_uid, study.boxes.clone());
        save(file, coco_text(&boxes, CocoImage { slices, rows, columns }).as_bytes(), &mut written)?;
    }
    if let Some(folder) = &arguments.nifti {
        let volumes = write_volumes(&study, folder)?;
        if let Some(spacing) = volumes.interpolated_mm {
            console.note(&format!(
                "the slices are unevenly spaced or sheared, which NIfTI cannot say: the volumes were interpolated to slices \
                 {spacing:.2} mm apart"
            ));
        }
        written.extend(volumes.files);
    }
    if let Some(folder) = &arguments.dicom {
        written.extend(write_dicom(&study, created, folder)?);
    }
    Ok(written)
}

/// The time that DICOM objects carry: when the report was signed, else when its file was written; so the same file gives
/// the same objects.
fn created(report: &Report, file: &Path) -> Result<DateTime<Utc>, ExportError> {
    let written = || fs::metadata(file).and_then(|data| data.modified()).unwrap_or(SystemTime::now()).into();
    report.sign_off.as_ref().map_or_else(|| Ok(written()), |sign_off| Ok(signature_time(sign_off)?.to_utc()))
}
