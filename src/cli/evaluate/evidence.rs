//! `spinenet evaluate evidence`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use candle_core::Device;
use clap::Args;

use super::{number, print, save, save_json, with_interval};
use crate::cli::Outcome;
use crate::cli::arguments::ModelArguments;
use crate::cli::console::Console;
use crate::measuring::{EvidenceMeasures, EvidenceStudy, SeedRange, evidence_measures_charts, evidence_measures_csv};
use crate::model::grader::GRADING_WEIGHTS;
use crate::model::{Grader, find_weights};
use crate::pipeline::method_in_words;
use crate::saliency::{SaliencyLayer, SaliencyMethod};
use crate::spine::BoxRule;
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet evaluate evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArguments {
    /// Names of the grading weights to compare, such as grading and grading-2d.
    #[arg(long, value_name = "NAME", num_args = 1.., default_values_t = [GRADING_WEIGHTS.to_owned()])]
    networks: Vec<String>,
    /// Methods to compare; all if left out.
    #[arg(long, value_name = "METHOD", num_args = 1.., default_values_t = SaliencyMethod::ALL)]
    methods: Vec<SaliencyMethod>,
    /// Read evidence off at this layer instead of each method's usual one: input or conv1 to conv5.
    #[arg(long, value_name = "LAYER")]
    layer: Option<SaliencyLayer>,
    /// Views of the maps with augmentation.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    augmentations: u32,
    /// Boxes in the table and the curves; the files have all rules: all, largest-of-slice or largest-of-volume.
    #[arg(long, value_name = "RULE", default_value_t)]
    box_rule: BoxRule,
    /// Studies that percentiles are chosen on.
    #[arg(long, value_name = "N", default_value_t = 12)]
    validation: u64,
    /// Studies that are measured on.
    #[arg(long, value_name = "N", default_value_t = 24)]
    test: u64,
    /// Seed of the first validation study; trainings use seeds below 100,000.
    #[arg(long, value_name = "SEED", default_value_t = 5_000_000)]
    validation_seed: u64,
    /// Seed of the first test study.
    #[arg(long, value_name = "SEED", default_value_t = 6_000_000)]
    test_seed: u64,
    /// Seed of the augmentations.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for measures (JSON, CSV) and curves (PNG, SVG).
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    models: ModelArguments,
}

/// Runs `spinenet evaluate evidence`.
pub fn run(arguments: &EvidenceArguments, console: Console) -> anyhow::Result<Outcome> {
    let device: Device = arguments.models.device.open()?;
    let mut graders = Vec::new();
    for name in &arguments.networks {
        let weights = find_weights(name, arguments.models.weights.as_deref())?;
        graders.push(Grader::from_folder(&weights, &device)?);
    }
    let study = EvidenceStudy {
        validation: SeedRange { first: arguments.validation_seed, count: arguments.validation },
        test: SeedRange { first: arguments.test_seed, count: arguments.test },
        methods: arguments.methods.clone(),
        layer: arguments.layer,
        augmentations: arguments.augmentations as usize,
        seed: arguments.seed,
    };
    anyhow::ensure!(!study.overlaps(), "the validation and the test studies share seeds");
    let line = console.progress("");
    let measures = study.measure(&graders, &CancelToken::default(), &mut |progress: Progress| line.show(progress))?;
    drop(line);
    print(&table(&measures, arguments.box_rule), console);
    console
        .say("IoU: mean over discs with the finding (95 % interval by resampling studies); the percentile is the best");
    console.say("of the validation studies. Found: on discs that the network itself calls abnormal.");
    let out = &arguments.out;
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder: {}", out.display()))?;
    save_json(&out.join("evidence-measures.json"), &measures)?;
    save(&out.join("evidence-measures.csv"), &evidence_measures_csv(&measures))?;
    let charts = evidence_measures_charts(&measures, arguments.box_rule);
    for ending in ["png", "svg"] {
        charts.write(&out.join(format!("evidence-measures.{ending}")))?;
    }
    console.say(&format!("4 files in {}", out.display()));
    Ok(Outcome::Done)
}

fn table(measures: &EvidenceMeasures, rule: BoxRule) -> Vec<Vec<String>> {
    let heads = [
        "Grading",
        "Network",
        "Method",
        "Views",
        "Discs",
        "Percentile",
        "IoU",
        "On slices with truth",
        "Whole slices",
        "Times",
        "Pointing",
        "Found",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for row in measures.rows.iter().filter(|row| row.box_rule == rule) {
        let Some(test) = &row.test else { continue };
        rows.push(vec![
            test.grading.name().to_owned(),
            row.dimensions.to_owned(),
            method_in_words(row.method).to_owned(),
            row.augmentations.to_string(),
            test.discs.to_string(),
            test.percentile.map(|percentile| percentile.to_string()).unwrap_or_default(),
            with_interval(test.mean_iou, test.mean_iou_interval),
            with_interval(test.mean_iou_slices_with_truth, test.mean_iou_slices_with_truth_interval),
            number(test.whole_slice_iou),
            test.times_whole_slice.map_or_else(|| "-".to_owned(), |times| format!("{times:.1}")),
            number(test.pointing_game),
            row.test_found
                .as_ref()
                .map_or_else(|| "-".to_owned(), |found| format!("{:.3} ({})", found.mean_iou, found.discs)),
        ]);
    }
    rows
}
