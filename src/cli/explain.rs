//! `spinenet explain`.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;

use super::Outcome;
use super::arguments::ModelArguments;
use super::console::{Console, RESEARCH_USE_ONLY};
use crate::model::Views;
use crate::pipeline::{AnalysisOptions, DEFAULT_PERCENTILE, Evidence, Explanation, Models, analyze_folder};
use crate::saliency::{CONVERGED, SaliencyMethod, SaliencyPlan, SaliencyTarget};
use crate::spine::{ClassIndex, DiscLevel, Grading, UnknownGrading};
use crate::task::{CancelToken, Progress};

/// Views after which "auto" stops in any case: the paper's number.
const AUTO_AUGMENTATIONS: usize = 150;

/// Arguments of `spinenet explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Folder with a DICOM study.
    folder: PathBuf,
    /// Disc, such as L4-L5.
    #[arg(long, value_name = "LEVEL")]
    disc: DiscLevel,
    /// Grading, such as pfirrmann or `upper_marrow_change`; all eight with "all", in little more time than one.
    #[arg(long, value_name = "GRADING", value_parser = gradings)]
    grading: Gradings,
    /// Class to explain, counted from 0 (Pfirrmann IV is 3); the predicted one if left out.
    #[arg(long, value_name = "N")]
    class: Option<ClassIndex>,
    /// How: gradient, guided, excitation or contrastive-excitation.
    #[arg(long, default_value_t = SaliencyMethod::ContrastiveExcitation)]
    method: SaliencyMethod,
    /// Randomly changed inputs to average over; "auto": until the map has converged, at most 150.
    #[arg(long, value_name = "N", default_value = "150", value_parser = augmentations)]
    augmentations: Augmentations,
    /// Seed of the random changes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Percentile of the map above which evidence is boxed, 50 to 100.
    #[arg(long, default_value_t = DEFAULT_PERCENTILE, value_parser = percentile)]
    percentile: f64,
    /// Take this series instead of the T2 sagittal one that would be chosen.
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    /// Folder for the files.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    models: ModelArguments,
}

/// One grading or all.
#[derive(Debug, Clone)]
struct Gradings(Vec<Grading>);

fn gradings(text: &str) -> Result<Gradings, String> {
    if text == "all" {
        return Ok(Gradings(Grading::ALL.to_vec()));
    }
    text.parse().map(|grading| Gradings(vec![grading])).map_err(|error: UnknownGrading| format!("{error}, or all"))
}

/// How many views, and when to stop before.
#[derive(Debug, Clone, Copy)]
struct Augmentations {
    most: usize,
    precision: Option<f32>,
}

fn augmentations(text: &str) -> Result<Augmentations, String> {
    if text == "auto" {
        return Ok(Augmentations { most: AUTO_AUGMENTATIONS, precision: Some(CONVERGED) });
    }
    let most = text.parse().ok().filter(|most| (1..=100_000).contains(most));
    most.map(|most| Augmentations { most, precision: None })
        .ok_or_else(|| "choose a number from 1 to 100000, or auto".to_owned())
}

pub(super) fn percentile(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| (50.0..100.0).contains(value));
    value.ok_or_else(|| "choose a number from 50 to below 100".to_owned())
}

/// Runs `spinenet explain`.
pub fn run(arguments: &ExplainArguments, console: Console) -> anyhow::Result<Outcome> {
    let gradings = &arguments.grading.0;
    if let Some(class) = arguments.class {
        let [grading] = gradings[..] else { bail!("--class needs one grading, not all") };
        ensure!(
            class < grading.classes(),
            "{grading} has {} classes, 0 to {}",
            grading.classes(),
            grading.classes() - 1
        );
    }
    let mut models = Models::new(arguments.models.device, arguments.models.weights.clone())?;
    let options = AnalysisOptions { series_uid: arguments.series.as_deref(), views: None };
    let cancel = CancelToken::default();
    let line = console.progress("");
    let mut show = |progress: Progress| line.show(progress);
    let analysis = analyze_folder(&arguments.folder, &mut models, options, &cancel, &mut show)?;
    let disc = analysis.disc(arguments.disc)?;
    let grader = models.grader()?;
    let prediction = grader.grade(&analysis.series.volume, disc, Views::FiftyFour, &cancel)?;
    let class = |grading| arguments.class.unwrap_or_else(|| prediction.class(grading));
    let targets: Vec<SaliencyTarget> =
        gradings.iter().map(|grading| SaliencyTarget { grading: *grading, class: class(*grading) }).collect();
    let Augmentations { most, precision } = arguments.augmentations;
    let plan = SaliencyPlan { method: arguments.method, augmentations: most, precision, seed: arguments.seed };
    let explanation = Explanation { analysis: &analysis, percentile: arguments.percentile, plan };
    let evidence = explanation.evidence(&mut models, disc, &prediction, &targets, &cancel, &mut show)?;
    let mut files = 0;
    for evidence in &evidence {
        files += evidence.write(&arguments.out)?.len();
        describe(evidence, console);
    }
    drop(line);
    console.say(&format!("{files} files in {}", arguments.out.display()));
    console.say(&format!("Supporting evidence, not a segmentation. {RESEARCH_USE_ONLY}"));
    Ok(Outcome::Done)
}

/// What was explained, how thoroughly, and where the evidence lies.
fn describe(evidence: &Evidence, console: Console) {
    let map = &evidence.map;
    let class = map.grading.class_name(map.class);
    let probability = evidence.probability.map_or_else(String::new, |probability| format!(" ({probability:.2})"));
    console.say(&format!("{} {}: {class}{probability}, {} views", map.level, map.grading.name(), map.augmentations));
    let boxes = evidence.predicted_boxes();
    for found in &boxes {
        let sides: [f64; 4] = found.rect.into();
        let [x, y, width, height] = sides.map(|side| format!("{side:.1}"));
        console.say(&format!("  slice {}: x {x}, y {y}, {width} × {height} pixels", found.slice));
    }
    if boxes.is_empty() {
        console.say("  no evidence above the percentile lies in the scan");
    }
}
