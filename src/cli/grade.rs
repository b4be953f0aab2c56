//! `spinenet grade` and `spinenet detect`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;

use super::Outcome;
use super::arguments::ModelArguments;
use super::console::{Console, ProgressLine, RESEARCH_USE_ONLY, complain};
use super::grade_archive;
use super::grade_table::{aligned, cohort_table, grade_table};
use crate::causes::with_causes;
use crate::export::{ExportFormat, write_reports};
use crate::language::Language;
use crate::model::Views;
use crate::picture::{disc_sheet, study_overview};
use crate::pipeline::{
    AnalysisObserver, AnalysisOptions, Cohort, CohortTally, Models, OpenSeries, PipelineError, Results, Shard,
    StudySummary, analyze_folder,
};
use crate::records::{FailedScan, Report, ReportEntry};
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet grade`.
#[derive(Debug, Args)]
pub(crate) struct GradeArguments {
    /// Folders with DICOM studies, or NIfTI or MetaImage files; with --pacs study instance UIDs. One that fails does not
    /// stop the others.
    #[arg(required_unless_present = "list", value_name = "FOLDER")]
    pub(super) folders: Vec<PathBuf>,
    /// Fetch the studies from this archive; see `spinenet pacs`. They are removed again when they are graded.
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    pub(super) pacs: Option<String>,
    /// Store the results (structured report, segmentation, overview picture) in the archive, in the study they belong to.
    #[arg(long, requires = "pacs")]
    pub(super) send: bool,
    #[command(flatten)]
    pub(super) scans: ScanArguments,
    #[command(flatten)]
    cohort: CohortArguments,
    /// Report file; its name ends in .json, .jsonl or .csv.
    #[arg(long, value_name = "FILE", value_parser = report_file)]
    pub(super) out: Option<PathBuf>,
    /// Views of each disc that are averaged: 54 is the method's own, 1 is quick; 54-separate passes each of the 54
    /// through the whole network, the reference; 54-bare does so without the scan around each view.
    #[arg(long, default_value_t = Views::FiftyFour)]
    pub(super) views: Views,
    /// Grade images that do not look like T2 of the lumbar spine (T1, suppressed fat, another region) all the same: the report
    /// marks every disc as unlike the training data.
    #[arg(long)]
    pub(super) grade_anyway: bool,
}

/// A cohort instead of folders.
#[derive(Debug, Args)]
pub(super) struct CohortArguments {
    /// Grade the studies of a list, one folder or file a line, and append each to --out (.jsonl) as soon as it is done;
    /// those it holds already are skipped.
    #[arg(long, value_name = "FILE", requires = "out", conflicts_with = "folders")]
    list: Option<PathBuf>,
    /// Grade only every Nth study of the list, from the Ith on; together, N shards give what one run gives.
    #[arg(long, value_name = "I/N", requires = "list")]
    shard: Option<Shard>,
    /// Try the studies again that failed in an earlier run.
    #[arg(long, requires = "list")]
    retry_failed: bool,
}

/// Arguments of `spinenet detect`.
#[derive(Debug, Args)]
pub(crate) struct DetectArguments {
    /// Folders with DICOM studies, or NIfTI or MetaImage files; one that fails does not stop the others.
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    scans: ScanArguments,
    /// Report file; its name ends in .json or .jsonl.
    #[arg(long, value_name = "FILE", value_parser = report_file)]
    out: PathBuf,
    /// Also draw each scan with its labelled vertebrae, and all slices of its disc volumes, into this folder.
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
}

/// Which scans, and what the report says about them.
#[derive(Debug, Args)]
pub(super) struct ScanArguments {
    /// Take this series instead of the T2 sagittal one that would be chosen.
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    /// Write the folders into the report; paths may name patients.
    #[arg(long)]
    include_paths: bool,
    /// Language of the sentences that are printed, and of structured report and picture that are sent: en, de, es or fr.
    #[arg(long, value_name = "CODE", default_value = "en")]
    pub(super) language: Language,
    /// Leave running times out, so that the same scan gives the same bytes.
    #[arg(long)]
    no_times: bool,
    #[command(flatten)]
    models: ModelArguments,
}

fn report_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    ExportFormat::of_reports(&path).map(|_| path).map_err(|error| error.to_string())
}

/// Runs `spinenet grade`.
pub(crate) fn run_grade(arguments: &GradeArguments, console: Console) -> anyhow::Result<Outcome> {
    match (&arguments.cohort.list, &arguments.out) {
        _ if arguments.pacs.is_some() => grade_archive::run(arguments, console),
        (Some(list), Some(out)) => run_cohort(arguments, list, out, console),
        (_, out) => {
            let work = Work::grading(arguments, console)?;
            run(&arguments.folders, work, out.as_deref())
        }
    }
}

/// Runs `spinenet detect`.
pub(crate) fn run_detect(arguments: &DetectArguments, console: Console) -> anyhow::Result<Outcome> {
    let pictures = arguments.pictures.as_deref();
    if let Some(folder) = pictures {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder: {}", folder.display()))?;
    }
    let work = Work { pictures, ..Work::new(&arguments.scans, None, console)? };
    run(&arguments.folders, work, Some(&arguments.out))
}

fn run(folders: &[PathBuf], mut work: Work<'_>, out: Option<&Path>) -> anyhow::Result<Outcome> {
    let total = folders.len();
    let mut entries = Vec::with_capacity(total);
    for (index, folder) in folders.iter().enumerate() {
        let name = if total > 1 { format!("{}/{total}", index + 1) } else { String::new() };
        entries.push(work.analyze(index + 1, folder, &name, true));
    }
    finish(&entries, out)
}

/// Writes the report of all studies.
pub(super) fn finish(entries: &[ReportEntry], out: Option<&Path>) -> anyhow::Result<Outcome> {
    if let Some(file) = out {
        write_reports(file, entries)?;
    }
    let is_failed = |entry: &ReportEntry| matches!(entry, ReportEntry::Failed(_));
    Ok(if entries.iter().any(is_failed) { Outcome::PartlyFailed } else { Outcome::Done })
}

/// Grades a cohort: study by study onto disk, and nothing kept but numbers.
fn run_cohort(arguments: &GradeArguments, list: &Path, out: &Path, console: Console) -> anyhow::Result<Outcome> {
    anyhow::ensure!(
        ExportFormat::of_reports(out).is_ok_and(|format| format.key == "jsonl"),
        "results of a list are appended one by one; end the name of --out in .jsonl (`spinenet export` makes tables)"
    );
    let cohort = Cohort::read(list)?;
    let mut results = Results::open(out, &cohort, arguments.cohort.retry_failed)?;
    let mut work = Work::grading(arguments, console)?;
    let mut tally = CohortTally::default();
    let start = Instant::now();
    for (place, study) in cohort.shard(arguments.cohort.shard.unwrap_or(Shard::WHOLE)) {
        if results.has(place) {
            tally.skipped += 1;
            continue;
        }
        let name = format!("{}/{}", place.input, cohort.len());
        let entry = work.analyze(place.input, study, &name, false).placed(place.clone());
        results.append(&entry)?;
        tally.add(&entry);
    }
    for line in cohort_table(&tally, start.elapsed()) {
        console.say(&line);
    }
    console.say(RESEARCH_USE_ONLY);
    Ok(if tally.failed == 0 { Outcome::Done } else { Outcome::PartlyFailed })
}

/// Networks and settings for one study after the other.
pub(super) struct Work<'a> {
    scans: &'a ScanArguments,
    models: Models,
    options: AnalysisOptions<'a>,
    /// Where each scan is drawn.
    pictures: Option<&'a Path>,
    console: Console,
}

impl<'a> Work<'a> {
    /// For `spinenet grade`.
    pub(super) fn grading(arguments: &'a GradeArguments, console: Console) -> anyhow::Result<Self> {
        let work = Self::new(&arguments.scans, Some(arguments.views), console)?;
        Ok(Self { options: AnalysisOptions { grades_anyway: arguments.grade_anyway, ..work.options }, ..work })
    }

    fn new(scans: &'a ScanArguments, views: Option<Views>, console: Console) -> anyhow::Result<Self> {
        let mut models = Models::new(scans.models.device, scans.models.weights.clone())?;
        // Without weights no folder can be done.
        models.load_detector()?;
        if views.is_some() {
            models.load_grader()?;
        }
        // Vertebrae may be looked for on any image.
        let grades_anyway = views.is_none();
        let options = AnalysisOptions { series_uid: scans.series.as_deref(), views, grades_anyway };
        Ok(Self { scans, models, options, pictures: None, console })
    }

    /// What the study is put into words in.
    pub(super) fn language(&self) -> Language {
        self.scans.language
    }

    /// Works one study through; a failure is told and becomes an entry, too. `is_printed` prints the grades.
    fn analyze(&mut self, input: usize, folder: &Path, name: &str, is_printed: bool) -> ReportEntry {
        match self.report(folder, folder, name, is_printed) {
            Ok((report, analysis)) => {
                if let Some(Err(error)) = self.pictures.map(|folder| draw(&analysis, input, folder)) {
                    complain(&format!("{error:#}"));
                }
                ReportEntry::from(report)
            }
            Err(error) => self.failed(input, folder, &error),
        }
    }

    /// The report on the study in `folder`, which is printed and named as `shown`, and what it was made from.
    pub(super) fn report(
        &mut self,
        folder: &Path,
        shown: &Path,
        name: &str,
        is_printed: bool,
    ) -> Result<(Report, OpenSeries), PipelineError> {
        let mut observer = Observer { line: self.console.progress(name) };
        let analysis = analyze_folder(folder, &mut self.models, self.options, &CancelToken::default(), &mut observer)?;
        drop(observer);
        let mut report = analysis.report();
        if self.scans.no_times {
            report = report.without_times();
        }
        if is_printed {
            print_report(&report, shown, self.scans.language, self.console);
        }
        report.folder = self.scans.include_paths.then(|| shown.display().to_string());
        Ok((report, analysis))
    }

    /// Tells of a failure and notes it.
    fn failed(&self, input: usize, shown: &Path, error: &PipelineError) -> ReportEntry {
        let code = error.code().map(str::to_owned);
        ReportEntry::Failed(FailedScan { code, ..self.told(input, shown, &with_causes(error)) })
    }

    /// Tells what went wrong.
    pub(super) fn told(&self, input: usize, shown: &Path, message: &str) -> FailedScan {
        let path = shown.display().to_string();
        complain(&if message.contains(&path) { message.to_owned() } else { format!("{message}: {path}") });
        FailedScan::new(input, shown, message, self.scans.include_paths)
    }
}

/// Draws the labelled vertebrae and the disc volumes of the scan that is the `input`-th one asked for. The pictures do not
/// name the folder, which may name a patient.
fn draw(analysis: &OpenSeries, input: usize, folder: &Path) -> anyhow::Result<()> {
    let (volume, vertebrae) = (&analysis.series.volume, &analysis.vertebrae);
    let overview = study_overview(volume, vertebrae, &[], "Labelled vertebrae", Language::ENGLISH);
    let discs = disc_sheet(volume, &analysis.discs, "Disc volumes, anterior left; numbers are slices of the scan");
    for (name, picture) in [("overview", overview), ("discs", discs)] {
        let file = folder.join(format!("{input:03}_{name}.png"));
        picture.save(&file).with_context(|| format!("cannot write: {}", file.display()))?;
    }
    Ok(())
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
pub(super) fn print_report(report: &Report, folder: &Path, language: Language, console: Console) {
    console.say(&format!("{}", folder.display()));
    for warning in &report.warnings {
        console.say(&format!("  warning: {}", language.message(&warning.message)));
    }
    let lines = if report.views.is_some() { grade_table(report, language) } else { disc_table(report) };
    for line in lines.iter().chain(&StudySummary::of_report(report).sentences(language)) {
        console.say(&format!("  {line}"));
    }
    // Whose grades these are, without a name.
    let images = report.voxel_sha256.get(..16).unwrap_or_default();
    console.say(&format!("  study {}, images {images}…", report.study_instance_uid));
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
