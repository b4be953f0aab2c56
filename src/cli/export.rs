//! `spinenet export`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::error::ErrorKind;
use clap::{Arg, ArgGroup, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::Outcome;
use super::arguments::ModelArguments;
use super::console::{Console, RESEARCH_USE_ONLY};
use super::explain::WayArguments;
use crate::export::{
    EvidenceOptions, ExportError, ExportFormat, ExportOptions, FORMATS, ReportTemplate, ReportedStudy, Written,
    add_learned_locations, explain_abnormal, explain_key_images, read_boxes, signature_time,
};
use crate::language::Language;
use crate::pipeline::Models;
use crate::records::{Report, ReportEntry, read_reports};
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// Report, as `spinenet grade` or the viewer wrote it (.json, .jsonl).
    report: PathBuf,
    /// Folder with the images that were graded; needed for all but tables.
    #[arg(long, value_name = "FOLDER")]
    study: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
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
    /// Add boxes where readers would probably box the abnormal findings, learned from their boxes on other patients: no evidence
    /// for a grade.
    #[arg(long)]
    learned_locations: bool,
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

/// What is to be written where: an option for every row of [`FORMATS`].
#[derive(Debug)]
struct Outputs(Vec<(&'static ExportFormat, PathBuf)>);

impl Args for Outputs {
    fn augment_args(command: Command) -> Command {
        let group = ArgGroup::new("output").args(FORMATS.map(|format| format.key)).required(true).multiple(true);
        let option = |format: &'static ExportFormat| {
            let place = if format.ending.is_some() { "FILE" } else { "DIR" };
            Arg::new(format.key)
                .long(format.key)
                .help(format.help)
                .value_name(place)
                .value_parser(value_parser!(PathBuf))
        };
        command.args(FORMATS.iter().map(option)).group(group)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Outputs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let asked = |format: &'static ExportFormat| Some((format, matches.get_one::<PathBuf>(format.key)?.clone()));
        let outputs: Vec<_> = FORMATS.iter().filter_map(asked).collect();
        for (format, file) in &outputs {
            // A table named like a PDF is a slip of the hand.
            if let Some(ending) = format.ending
                && ExportFormat::of_file(file).is_ok()
                && !format.fits(file)
            {
                let message = format!("--{}: end the name in .{ending}: {}\n", format.key, file.display());
                return Err(clap::Error::raw(ErrorKind::ValueValidation, message));
            }
        }
        Ok(Self(outputs))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Runs `spinenet export`.
pub(super) fn run(arguments: &ExportArguments, console: Console) -> anyhow::Result<Outcome> {
    let mut entries = read_reports(&arguments.report)?;
    // Shards put together in any order give one table.
    entries.sort_by_key(|entry| entry.cohort().map(|place| place.input));
    let outputs = arguments.outputs.0.iter();
    let (of_studies, of_reports): (Vec<_>, Vec<_>) = outputs.partition(|(format, _)| format.needs_images());
    let mut written = Vec::new();
    for (format, file) in of_reports {
        format.write_reports(&entries, file)?;
        written.push(file.clone());
    }
    if !of_studies.is_empty() {
        let report = single(entries, &arguments.report)?;
        let options = options(arguments, &report)?;
        let study = study(arguments, report, console)?;
        for (format, place) in of_studies {
            let Written { files, note } = format.write_study(&study, &options, place)?;
            if let Some(note) = note {
                console.note(&note);
            }
            written.extend(files);
        }
    }
    for file in &written {
        console.say(&file.display().to_string());
    }
    console.say(RESEARCH_USE_ONLY);
    Ok(Outcome::Done)
}

fn options(arguments: &ExportArguments, report: &Report) -> anyhow::Result<ExportOptions> {
    let template = arguments.template.as_deref().map(ReportTemplate::read).transpose()?.unwrap_or_default();
    let created = Some(created(report, &arguments.report)?);
    Ok(ExportOptions { with_identity: arguments.identity, template, created })
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

/// The report with its images, the boxes that were named, and the evidence that was asked for.
fn study(arguments: &ExportArguments, report: Report, console: Console) -> anyhow::Result<ReportedStudy> {
    let folder = arguments.study.as_ref().context("give the folder with the images: --study FOLDER")?;
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
    let mut models = Models::new(arguments.models.device, arguments.models.weights.clone())?;
    if arguments.evidence > 0 {
        let options = EvidenceOptions {
            augmentations: arguments.augmentations as usize,
            seed: arguments.seed,
            choice: arguments.way.choice(),
            limit: arguments.evidence,
        };
        explain_abnormal(&mut study, &mut models, options, &cancel, &mut show)?;
    }
    if arguments.learned_locations {
        add_learned_locations(&mut study);
    }
    explain_key_images(&mut study, &mut models, &cancel, &mut show)?;
    Ok(study)
}

/// The time that DICOM objects carry: when the report was signed, else when its file was written; so the same file gives
/// the same objects.
fn created(report: &Report, file: &Path) -> Result<DateTime<Utc>, ExportError> {
    let written = || fs::metadata(file).and_then(|data| data.modified()).unwrap_or(SystemTime::now()).into();
    report.sign_off.as_ref().map_or_else(|| Ok(written()), |sign_off| Ok(signature_time(sign_off)?.to_utc()))
}
