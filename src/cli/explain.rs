//! `spinenet explain`.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use super::Outcome;
use super::arguments::ModelArguments;
use super::console::{Console, RESEARCH_USE_ONLY};
use crate::model::Views;
use crate::pipeline::{AnalysisOptions, DEFAULT_PERCENTILE, Explanation, Models, analyze_folder};
use crate::saliency::{SaliencyMethod, SaliencyRequest};
use crate::spine::{ClassIndex, DiscLevel, Grading};
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Folder with a DICOM study.
    folder: PathBuf,
    /// Disc, such as L4-L5.
    #[arg(long, value_name = "LEVEL")]
    disc: DiscLevel,
    /// Grading, such as pfirrmann or `upper_marrow_change`.
    #[arg(long)]
    grading: Grading,
    /// Class to explain, counted from 0 (Pfirrmann IV is 3); the predicted one if left out.
    #[arg(long, value_name = "N")]
    class: Option<ClassIndex>,
    /// How: gradient, guided, excitation or contrastive-excitation.
    #[arg(long, default_value_t = SaliencyMethod::ContrastiveExcitation)]
    method: SaliencyMethod,
    /// Randomly changed inputs to average over.
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    augmentations: u32,
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

fn percentile(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| (50.0..100.0).contains(value));
    value.ok_or_else(|| "choose a number from 50 to below 100".to_owned())
}

/// Runs `spinenet explain`.
pub fn run(arguments: &ExplainArguments, console: Console) -> anyhow::Result<Outcome> {
    let ExplainArguments { grading, class, .. } = *arguments;
    if let Some(class) = class {
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
    let class = class.unwrap_or_else(|| prediction.class(grading));
    let total = arguments.augmentations as usize;
    let request =
        SaliencyRequest { grading, class, method: arguments.method, augmentations: total, seed: arguments.seed };
    let explanation = Explanation { analysis: &analysis, percentile: arguments.percentile };
    let evidence = explanation.evidence(&mut models, disc, &prediction, &request, &cancel, &mut show)?;
    let files = evidence.write(&arguments.out)?;
    drop(line);
    let probability = prediction.probabilities[grading][class];
    let class_name = grading.class_name(class);
    console.say(&format!("{} {}: {class_name} ({probability:.2})", disc.level, grading.name()));
    let boxes = evidence.predicted_boxes();
    for found in &boxes {
        let sides: [f64; 4] = found.rect.into();
        let [x, y, width, height] = sides.map(|side| format!("{side:.1}"));
        console.say(&format!("  slice {}: x {x}, y {y}, {width} × {height} pixels", found.slice));
    }
    if boxes.is_empty() {
        console.say("  no evidence above the percentile lies in the scan");
    }
    console.say(&format!("{} files in {}", files.len(), arguments.out.display()));
    console.say(&format!("Supporting evidence, not a segmentation. {RESEARCH_USE_ONLY}"));
    Ok(Outcome::Done)
}
