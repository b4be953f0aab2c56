//! `spinenet explain`.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;

use super::Outcome;
use super::arguments::ModelArguments;
use super::console::{Console, RESEARCH_USE_ONLY};
use crate::export::{learned_location, write_evidence};
use crate::language::Language;
use crate::model::Views;
use crate::model::grader::GRADING_WEIGHTS;
use crate::pipeline::{AnalysisOptions, Evidence, Explanation, Models, OpenSeries, analyze_folder};
use crate::records::BoxesFile;
use crate::saliency::{CONVERGED, MOST_VIEWS, SaliencyLayer, SaliencyMethod, SaliencyTarget, WayChoice};
use crate::spine::{BoxRule, ClassIndex, Disc, DiscLevel, DiscPrediction, Grading, SliceBox};
use crate::task::{CancelToken, Progress};
use crate::words::UnknownWord;

/// How maps are made and boxed. What is left out is as the weights say is best for the grading.
#[derive(Debug, Args)]
pub(crate) struct WayArguments {
    /// Make and box maps as the paper does: contrastive excitation at Conv1, all hotspots of a slice, 97th percentile.
    /// Other options change single parts of that.
    #[arg(long)]
    as_in_paper: bool,
    /// How: gradient, guided, excitation, contrastive-excitation, hi-res-cam or layer-cam.
    #[arg(long)]
    method: Option<SaliencyMethod>,
    /// Where in the network evidence is read off: input or conv1 to conv5; with --method alone its usual layer.
    #[arg(long, value_name = "LAYER")]
    layer: Option<SaliencyLayer>,
    /// Smooth maps within their slices by a Gaussian of this standard deviation in millimeters.
    #[arg(long, value_name = "MM", value_parser = smoothing)]
    smoothing: Option<f64>,
    /// Hotspots of a slice that its box encloses: all, largest-of-slice (the largest region of touching ones), or
    /// largest-of-volume (the same over all slices; slices that it does not reach get no box).
    #[arg(long, value_name = "RULE")]
    box_rule: Option<BoxRule>,
    /// Percentile of the map above which evidence is boxed, 50 to 100.
    #[arg(long, value_parser = percentile)]
    percentile: Option<f64>,
}

impl WayArguments {
    pub(super) fn choice(&self) -> WayChoice {
        let Self { as_in_paper: is_paper, method, layer, smoothing: smoothing_mm, box_rule, percentile } = *self;
        WayChoice { is_paper, method, layer, smoothing_mm, box_rule, percentile }
    }
}

/// Which disc of which scan is explained by which network, and how its map is boxed.
#[derive(Debug, Args)]
pub(crate) struct DiscArguments {
    /// Folder with a DICOM study.
    pub folder: PathBuf,
    /// Disc, such as L4-L5.
    #[arg(long, value_name = "LEVEL")]
    pub disc: DiscLevel,
    /// Class to explain, counted from 0 (Pfirrmann IV is 3); the predicted one if left out.
    #[arg(long, value_name = "N")]
    pub class: Option<ClassIndex>,
    /// Seed of the random changes.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub way: WayArguments,
    /// Name of the grading weights: grading, or grading-2d for the 2-D network where its weights are at hand.
    #[arg(long, value_name = "NAME", default_value = GRADING_WEIGHTS)]
    pub network: String,
    /// Take this series instead of the T2 sagittal one that would be chosen.
    #[arg(long, value_name = "UID")]
    pub series: Option<String>,
    /// Go on with images that do not look like T2 of the lumbar spine.
    #[arg(long)]
    pub grade_anyway: bool,
    #[command(flatten)]
    pub models: ModelArguments,
}

/// A scan in which a disc is to be explained.
pub(crate) struct Prepared {
    pub models: Models,
    pub analysis: OpenSeries,
    pub prediction: DiscPrediction,
}

impl DiscArguments {
    /// Finds and grades the disc.
    pub(crate) fn prepare(&self, cancel: &CancelToken, show: &mut dyn FnMut(Progress)) -> anyhow::Result<Prepared> {
        let mut models = Models::new(self.models.device, self.models.weights.clone())?.grading_with(&self.network);
        let options =
            AnalysisOptions { series_uid: self.series.as_deref(), views: None, grades_anyway: self.grade_anyway };
        let analysis = analyze_folder(&self.folder, &mut models, options, cancel, &mut |progress| show(progress))?;
        let disc = analysis.disc(self.disc)?;
        let prediction = models.grader()?.grade(&analysis.series.volume, disc, Views::FiftyFour, cancel)?;
        Ok(Prepared { models, analysis, prediction })
    }

    /// What is explained of a grading.
    pub(super) fn target(&self, grading: Grading, prediction: &DiscPrediction) -> anyhow::Result<SaliencyTarget> {
        let predicted = prediction.class(grading).with_context(|| format!("the weights do not grade {grading}"))?;
        let class = self.class.unwrap_or(predicted);
        let classes = grading.classes();
        ensure!(class < classes, "{grading} has {classes} classes, 0 to {}", classes - 1);
        Ok(SaliencyTarget { grading, class })
    }

    /// How its grades are explained.
    pub(crate) fn explanation<'a>(&self, analysis: &'a OpenSeries, views: Augmentations) -> Explanation<'a> {
        let Augmentations { most: augmentations, precision } = views;
        let (choice, seed) = (self.way.choice(), self.seed);
        Explanation { series: &analysis.series, choice, augmentations, precision, seed }
    }
}

/// Arguments of `spinenet explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    disc: DiscArguments,
    /// Grading, such as pfirrmann or `upper_marrow_change`; "all" that the weights have take little more time than one.
    #[arg(long, value_name = "GRADING", value_parser = gradings)]
    grading: Gradings,
    /// Randomly changed inputs to average over; "auto": until the map has converged, at most 150.
    #[arg(long, value_name = "N", default_value = "150", value_parser = augmentations)]
    augmentations: Augmentations,
    /// Also write where readers would probably box a finding that is called abnormal, learned from their boxes on other patients:
    /// no evidence for its grade.
    #[arg(long)]
    learned_locations: bool,
    /// Folder for the files.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// One grading, or all that the weights have.
#[derive(Debug, Clone, Copy)]
enum Gradings {
    One(Grading),
    All,
}

fn gradings(text: &str) -> Result<Gradings, String> {
    if text == "all" {
        return Ok(Gradings::All);
    }
    text.parse().map(Gradings::One).map_err(|error: UnknownWord| format!("{error}, or all"))
}

/// How many views, and when to stop before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Augmentations {
    pub most: usize,
    pub precision: Option<f32>,
}

fn augmentations(text: &str) -> Result<Augmentations, String> {
    if text == "auto" {
        return Ok(Augmentations { most: MOST_VIEWS, precision: Some(CONVERGED) });
    }
    let most = text.parse().ok().filter(|most| (1..=100_000).contains(most));
    most.map(|most| Augmentations { most, precision: None })
        .ok_or_else(|| "choose a number from 1 to 100000, or auto".to_owned())
}

/// A standard deviation in millimeters.
pub(super) fn smoothing(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| (0.0..=20.0).contains(value));
    value.ok_or_else(|| "choose millimeters from 0 to 20".to_owned())
}

pub(super) fn percentile(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| (50.0..100.0).contains(value));
    value.ok_or_else(|| "choose a number from 50 to below 100".to_owned())
}

/// Runs `spinenet explain`.
pub(super) fn run(arguments: &ExplainArguments, console: Console) -> anyhow::Result<Outcome> {
    let is_one = matches!(arguments.grading, Gradings::One(_));
    ensure!(arguments.disc.class.is_none() || is_one, "--class needs one grading, not all");
    let cancel = CancelToken::default();
    let line = console.progress("");
    let mut show = |progress: Progress| line.show(progress);
    let Prepared { mut models, analysis, prediction } = arguments.disc.prepare(&cancel, &mut show)?;
    let gradings = match arguments.grading {
        Gradings::One(grading) => vec![grading],
        Gradings::All => prediction.probabilities.gradings().collect(),
    };
    let targets = gradings.into_iter().map(|grading| arguments.disc.target(grading, &prediction));
    let targets: Vec<SaliencyTarget> = targets.collect::<anyhow::Result<_>>()?;
    let explanation = arguments.disc.explanation(&analysis, arguments.augmentations);
    let disc = analysis.disc(arguments.disc.disc)?;
    let evidence = explanation.evidence(&mut models, disc, &prediction, &targets, &cancel, &mut show)?;
    let mut files = 0;
    for evidence in &evidence {
        files += write_evidence(evidence, &arguments.out)?.len();
        describe(evidence, console);
    }
    if arguments.learned_locations {
        for grading in targets.iter().map(|target| target.grading) {
            files += write_learned_location(&analysis, disc, (grading, &prediction), &arguments.out, console)?;
        }
    }
    drop(line);
    console.say(&format!("{files} files in {}", arguments.out.display()));
    console.say(&format!("Supporting evidence, not a segmentation. {RESEARCH_USE_ONLY}"));
    Ok(Outcome::Done)
}

/// Writes the learned location of a finding, where there is one; gives back the number of files.
fn write_learned_location(
    analysis: &OpenSeries,
    disc: &Disc,
    (grading, prediction): (Grading, &DiscPrediction),
    folder: &Path,
    console: Console,
) -> anyhow::Result<usize> {
    let Some(class) = prediction.class(grading) else { return Ok(0) };
    let boxes = learned_location(&analysis.series.volume, disc, (grading, class));
    if boxes.is_empty() {
        return Ok(0);
    }
    console.say(&format!("{} {}: learned location (not evidence)", disc.level, grading.name()));
    say_boxes(&boxes, console);
    let file = folder.join(format!("{}_{grading}_learned-location.json", disc.level));
    let series = &analysis.series;
    BoxesFile::new("", &series.summary.series_instance_uid, boxes).on_voxels(series.voxel_sha256()).save(&file)?;
    Ok(1)
}

fn say_boxes(boxes: &[SliceBox], console: Console) {
    for found in boxes {
        let sides: [f64; 4] = found.rect.into();
        let [x, y, width, height] = sides.map(|side| format!("{side:.1}"));
        console.say(&format!("  slice {}: x {x}, y {y}, {width} × {height} pixels", found.slice));
    }
}

/// What was explained, how thoroughly, and where the evidence lies.
fn describe(evidence: &Evidence, console: Console) {
    let map = &evidence.map;
    let class = map.grading.class_name(map.class);
    let probability = evidence.probability.map_or_else(String::new, |probability| format!(" ({probability:.2})"));
    console.say(&format!("{} {}: {class}{probability}, {} views", map.level, map.grading.name(), map.augmentations));
    let figure = evidence.figure(Language::ENGLISH);
    console.say(&format!("  {}. {}.", figure.making(), figure.boxing()));
    let boxes = evidence.predicted_boxes();
    say_boxes(&boxes, console);
    if boxes.is_empty() {
        console.say("  no evidence above the percentile lies in the scan");
    }
}
