//! `spinenet demo`: the main job with nothing else at hand.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::arguments::ModelArguments;
use super::console::{Console, RESEARCH_USE_ONLY};
use super::grade::print_report;
use super::{Outcome, ViewerRequest};
use crate::export::{write_evidence, write_overview, write_reports};
use crate::language::Language;
use crate::model::Views;
use crate::pipeline::{AnalysisOptions, DEMO_SEED, Explanation, Models, analyze_folder, most_abnormal, prepare_demo};
use crate::saliency::{SaliencyTarget, WayChoice};
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArguments {
    /// Do the same work without a window and write report, pictures and boxes.
    #[arg(long)]
    headless: bool,
    /// Folder for the study and, without a window, the results.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Which synthetic patient.
    #[arg(long, default_value_t = DEMO_SEED)]
    pub seed: u64,
    /// Randomly changed inputs to average the evidence over.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    augmentations: u32,
    #[command(flatten)]
    models: ModelArguments,
}

/// Leaves the work to the window, unless none is wanted.
pub(super) fn run(arguments: DemoArguments, console: Console) -> anyhow::Result<Outcome> {
    if arguments.headless {
        return run_headless(&arguments, console);
    }
    let (weights, device) = (arguments.models.weights.clone(), arguments.models.device);
    Ok(Outcome::OpenViewer(ViewerRequest { folder: None, demo: Some(arguments), weights, device, console }))
}

/// Does the whole job and writes everything into the folder of the arguments, `spinenet-demo` if they name none.
///
/// # Errors
/// Whatever stops a step.
pub(crate) fn run_headless(arguments: &DemoArguments, console: Console) -> anyhow::Result<Outcome> {
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from("spinenet-demo"));
    fs::create_dir_all(&out).with_context(|| format!("cannot make the folder: {}", out.display()))?;
    let mut models = Models::new(arguments.models.device, arguments.models.weights.clone())?;
    let cancel = CancelToken::default();
    let line = console.progress("");
    let mut show = |progress: Progress| line.show(progress);
    let study = prepare_demo(Some(&out), arguments.seed, &cancel, &mut show)?;
    let options = AnalysisOptions { views: Some(Views::FiftyFour), ..AnalysisOptions::default() };
    let analysis = analyze_folder(study.folder(), &mut models, options, &cancel, &mut show)?;
    let report = analysis.report();
    write_reports(&out.join("report.json"), &[report.clone().into()])?;
    let overview = out.join("overview.png");
    write_overview(&analysis, Language::ENGLISH, &overview)?;

    let worst = most_abnormal(&analysis.findings()).context("no disc was graded")?;
    let disc = analysis.disc(worst.level)?;
    let prediction =
        analysis.predictions().find(|prediction| prediction.level == worst.level).context("graded above")?;
    let target = SaliencyTarget { grading: worst.grading, class: worst.class };
    let (series, augmentations) = (&analysis.series, arguments.augmentations as usize);
    let explanation = Explanation { series, choice: WayChoice::default(), augmentations, precision: None, seed: 0 };
    let evidence = explanation.evidence(&mut models, disc, prediction, &[target], &cancel, &mut show)?;
    let evidence = evidence.first().context("one map was asked for")?;
    let files = write_evidence(evidence, &out)?;
    drop(line);
    print_report(&report, Path::new("Synthetic study"), Language::ENGLISH, console);
    let class = worst.grading.class_name(worst.class);
    console.say(&format!(
        "Evidence shown for {} {}: {class} ({:.2}), {} boxes",
        worst.level,
        worst.grading.name(),
        worst.probability,
        evidence.predicted_boxes().len()
    ));
    console.say(&format!("{} files in {}", files.len() + 2, out.display()));
    console.say(RESEARCH_USE_ONLY);
    Ok(Outcome::Done)
}
