//! `spinenet grade` and `spinenet detect`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Outcome;
use super::arguments::ModelArguments;
use super::console::{Console, ProgressLine, RESEARCH_USE_ONLY, complain};
use super::grade_table::{aligned, grade_table};
use crate::model::Views;
use crate::pipeline::{
    AnalysisObserver, AnalysisOptions, FailedScan, Models, OutputFormat, PipelineError, Report, ReportEntry,
    analyze_folder, write_reports,
};
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet grade`.
#[derive(Debug, Args)]
pub struct GradeArguments {
    #[command(flatten)]
    scans: ScanArguments,
    /// Report file; its name ends in .json, .jsonl or .csv.
    #[arg(long, value_name = "FILE", value_parser = report_file)]
    out: Option<PathBuf>,
    /// Views of each disc that are averaged: 54 is the method's own, 1 is quick; 54-separate passes each of the 54
    /// through the whole network, the reference.
    #[arg(long, default_value = "54", value_parser = views)]
    views: Views,
}

/// Arguments of `spinenet detect`.
#[derive(Debug, Args)]
pub struct DetectArguments {
    #[command(flatten)]
    scans: ScanArguments,
    /// Report file; its name ends in .json or .jsonl.
    #[arg(long, value_name = "FILE", value_parser = report_file)]
    out: PathBuf,
}

/// Which scans, and what the report says about them.
#[derive(Debug, Args)]
struct ScanArguments {
    /// Folders with DICOM studies; one that fails does not stop the others.
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Take this series instead of the T2 sagittal one that would be chosen.
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    /// Write the folders into the report; paths may name patients.
    #[arg(long)]
    include_paths: bool,
    /// Leave running times out, so that the same scan gives the same bytes.
    #[arg(long)]
    no_times: bool,
    #[command(flatten)]
    models: ModelArguments,
}

/// `1`, `54` or `54-separate`.
pub(super) fn views(text: &str) -> Result<Views, String> {
    let found = Views::ALL.into_iter().find(|views| views.key() == text);
    found.ok_or_else(|| "choose 1, 54 or 54-separate".to_owned())
}

fn report_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    OutputFormat::of(&path).map(|_| path).map_err(|error| error.to_string())
}

/// Runs `spinenet grade`.
pub fn run_grade(arguments: &GradeArguments, console: Console) -> anyhow::Result<Outcome> {
    run(&arguments.scans, Some(arguments.views), arguments.out.as_deref(), console)
}

/// Runs `spinenet detect`.
pub fn run_detect(arguments: &DetectArguments, console: Console) -> anyhow::Result<Outcome> {
    run(&arguments.scans, None, Some(&arguments.out), console)
}

fn run(scans: &ScanArguments, views: Option<Views>, out: Option<&Path>, console: Console) -> anyhow::Result<Outcome> {
    let mut models = Models::new(scans.models.device, scans.models.weights.clone())?;
    // Without weights no folder can be done.
    models.load_detector()?;
    if views.is_some() {
        models.load_grader()?;
    }
    let options = AnalysisOptions { series_uid: scans.series.as_deref(), views };
    let mut entries = Vec::with_capacity(scans.folders.len());
    let mut failures = 0;
    for (index, folder) in scans.folders.iter().enumerate() {
        let name =
            if scans.folders.len() > 1 { format!("{}/{}", index + 1, scans.folders.len()) } else { String::new() };
        let mut observer = Observer { line: console.progress(&name) };
        match analyze_folder(folder, &mut models, options, &CancelToken::default(), &mut observer) {
            Ok(analysis) => {
                drop(observer);
                let mut report = analysis.report();
                if scans.no_times {
                    report = report.without_times();
                }
                print_report(&report, folder, &analysis.predictions_in_words(), console);
                report.folder = scans.include_paths.then(|| folder.display().to_string());
                entries.push(ReportEntry::from(report));
            }
            Err(error) => {
                drop(observer);
                failures += 1;
                let message = chain(&error);
                let path = folder.display().to_string();
                let named = if message.contains(&path) { message.clone() } else { format!("{message}: {path}") };
                complain(&named);
                entries.push(ReportEntry::Failed(FailedScan::new(index + 1, folder, &message, scans.include_paths)));
            }
        }
    }
    if let Some(file) = out {
        write_reports(file, &entries)?;
    }
    Ok(if failures == 0 { Outcome::Done } else { Outcome::PartlyFailed })
}

/// The message of an error with those of its causes that it does not repeat itself.
fn chain(error: &PipelineError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let message = cause.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        source = cause.source();
    }
    text
}

struct Observer {
    line: ProgressLine,
}

impl AnalysisObserver for Observer {
    fn progressed(&mut self, progress: Progress) {
        self.line.show(progress);
    }
}

/// Prints what a report says.
pub(super) fn print_report(report: &Report, folder: &Path, sentences: &[String], console: Console) {
    console.say(&format!("{}", folder.display()));
    for warning in &report.warnings {
        console.say(&format!("  warning: {}", warning.message));
    }
    let lines = if report.views.is_some() { grade_table(report) } else { disc_table(report) };
    for line in lines.iter().chain(sentences) {
        console.say(&format!("  {line}"));
    }
    let weights: Vec<String> = report.weights.iter().map(|used| format!("{} {}", used.name, used.version)).collect();
    let views = match report.views {
        None => String::new(),
        Some(1) => ", 1 view".to_owned(),
        Some(views) => format!(", {views} views"),
    };
    console.say(&format!("  {} on {}{views}. {RESEARCH_USE_ONLY}", weights.join(", "), report.device));
}

/// Where the discs are, for `detect`.
fn disc_table(report: &Report) -> Vec<String> {
    let mut rows = vec![["Disc", "Slice", "x", "y"].map(str::to_owned).to_vec()];
    rows.extend(report.discs.iter().map(|disc| {
        let [slice, x, y] = disc.centroid_image;
        vec![disc.level.to_string(), format!("{slice:.1}"), format!("{x:.1}"), format!("{y:.1}")]
    }));
    aligned(&rows)
}
