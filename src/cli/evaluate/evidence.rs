//! `spinenet evaluate evidence`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use candle_core::Device;
use clap::Args;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{number, print, save, save_json, with_interval};
use crate::cli::Outcome;
use crate::cli::arguments::ModelArguments;
use crate::cli::console::Console;
use crate::cli::explain::smoothing;
use crate::measuring::{
    BoxedScans, EvidenceMeasures, EvidenceStudy, GradingOverlap, LearnedLocationOverlap, SeedRange,
    evidence_measures_charts, evidence_measures_csv,
};
use crate::model::grader::GRADING_WEIGHTS;
use crate::model::{Grader, find_weights};
use crate::pipeline::method_in_words;
use crate::saliency::{SaliencyLayer, SaliencyMethod};
use crate::spine::{BoxRule, Grading};
use crate::task::{CancelToken, Progress};
use crate::training::ScanCase;
use crate::training::manifest::{DataManifest, TrainingData};
use crate::words::UnknownWord;

/// Seed of the split of patients.
const SPLIT_SEED: u64 = 0;

/// Arguments of `spinenet evaluate evidence`.
#[derive(Debug, Args)]
pub(crate) struct EvidenceArguments {
    /// Names of the grading weights to compare, such as grading and grading-2d.
    #[arg(long, value_name = "NAME", num_args = 1.., default_values_t = [GRADING_WEIGHTS.to_owned()])]
    networks: Vec<String>,
    /// Measure on patients: a data manifest with sets whose findings are boxed. Without it, on synthetic studies.
    #[arg(long, value_name = "MANIFEST")]
    data: Option<PathBuf>,
    /// Findings to measure; all that are boxed if left out.
    #[arg(long, value_name = "GRADING", num_args = 1..)]
    gradings: Vec<Grading>,
    /// Maps to compare: methods at their usual layer, or at another (input, conv1 to conv5), such as gradient@conv3;
    /// all methods at their usual layer if left out.
    #[arg(long, value_name = "METHOD[@LAYER]", num_args = 1.., value_parser = map)]
    maps: Vec<(SaliencyMethod, Option<SaliencyLayer>)>,
    /// Smooth maps within their slices by Gaussians of these standard deviations in millimeters.
    #[arg(long, value_name = "MM", num_args = 1.., default_values_t = [0.0], value_parser = smoothing)]
    smoothing: Vec<f64>,
    /// Views of the maps with augmentation; on synthetic studies maps of one view are measured too.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    augmentations: u32,
    /// Boxes in the table and the curves; the files have all rules: all, largest-of-slice or largest-of-volume.
    #[arg(long, value_name = "RULE", default_value_t)]
    box_rule: BoxRule,
    /// Studies, or patients of the manifest, that percentiles and ways are chosen on.
    #[arg(long, value_name = "N", default_value_t = 12)]
    validation: u64,
    /// Studies, or other patients, that are measured on.
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
    /// Folder for measures (JSON, CSV), curves and typical cases (PNG, SVG).
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    models: ModelArguments,
}

/// A method, or a method and a layer.
fn map(text: &str) -> Result<(SaliencyMethod, Option<SaliencyLayer>), UnknownWord> {
    match text.split_once('@') {
        None => Ok((text.parse()?, None)),
        Some((method, layer)) => Ok((method.parse()?, Some(layer.parse()?))),
    }
}

impl EvidenceArguments {
    /// Scans with boxes of patients to choose on, and of others to measure on, drawn by [`SPLIT_SEED`].
    fn split(&self, data: TrainingData, gradings: &[Grading]) -> anyhow::Result<(Vec<ScanCase>, Vec<ScanCase>)> {
        let cases = data.cohorts.into_iter().flat_map(|cohort| cohort.cases);
        let is_boxed = |case: &ScanCase| case.boxes.iter().any(|found| gradings.contains(&found.grading));
        let boxed: Vec<ScanCase> = cases.filter(is_boxed).collect();
        let mut patients: Vec<u32> = boxed.iter().map(|case| case.patient).collect();
        patients.sort_unstable();
        patients.dedup();
        patients.shuffle(&mut ChaCha8Rng::seed_from_u64(SPLIT_SEED));
        let (validation, test) = (self.validation as usize, self.test as usize);
        anyhow::ensure!(
            validation > 0 && test > 0 && validation + test <= patients.len(),
            "{} patients of the data have such boxes; ask for {validation} and {test} or fewer",
            patients.len()
        );
        let of = |chosen: &[u32]| boxed.iter().filter(|case| chosen.contains(&case.patient)).cloned().collect();
        Ok((of(&patients[..validation]), of(&patients[validation..validation + test])))
    }
}

/// Runs `spinenet evaluate evidence`.
pub(super) fn run(arguments: &EvidenceArguments, console: Console) -> anyhow::Result<Outcome> {
    let device: Device = arguments.models.device.open()?;
    let mut graders = Vec::new();
    for name in &arguments.networks {
        let weights = find_weights(name, arguments.models.weights.as_deref())?;
        graders.push(Grader::from_folder(&weights, &device)?);
    }
    let most = arguments.augmentations as usize;
    let study = EvidenceStudy {
        gradings: if arguments.gradings.is_empty() { Grading::ALL.to_vec() } else { arguments.gradings.clone() },
        maps: if arguments.maps.is_empty() {
            SaliencyMethod::ALL.map(|method| (method, None)).to_vec()
        } else {
            arguments.maps.clone()
        },
        smoothings_mm: arguments.smoothing.clone(),
        augmentations: if arguments.data.is_some() { vec![most] } else { vec![1, most] },
        seed: arguments.seed,
    };
    let line = console.progress("");
    let (cancel, mut show) = (CancelToken::default(), |progress: Progress| line.show(progress));
    let cases;
    let (validation, test) = if let Some(manifest) = &arguments.data {
        let data = DataManifest::read(manifest)?.load(&cancel, &mut show)?;
        cases = arguments.split(data, &study.gradings)?;
        (BoxedScans::Cases(&cases.0), BoxedScans::Cases(&cases.1))
    } else {
        let validation = SeedRange { first: arguments.validation_seed, count: arguments.validation };
        let test = SeedRange { first: arguments.test_seed, count: arguments.test };
        anyhow::ensure!(!validation.overlaps(&test), "the validation and the test studies share seeds");
        (BoxedScans::Phantoms(validation), BoxedScans::Phantoms(test))
    };
    let measures = study.measure(&graders, validation, test, &cancel, &mut show)?;
    let drawn_cases = study.draw_cases(&graders, &measures, test, &cancel, &mut show)?;
    drop(line);
    print(&table(&measures, arguments.box_rule), console);
    console.say(
        "IoU: mean over discs with the finding (95 % interval by resampling patients); the percentile is the best on",
    );
    console.say(&format!("{}, measured on {}.", measures.validation, measures.test));
    console.say(
        "Chosen: the best way there. Located: IoU above 0.3 on the slices with truth. Found: on discs that the network",
    );
    console.say("itself calls abnormal. Learned location: no evidence, learned from the boxes of other patients; in brackets how far");
    console.say("it lies above the fixed place.");
    let out = &arguments.out;
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder: {}", out.display()))?;
    save_json(&out.join("evidence-measures.json"), &measures)?;
    save(&out.join("evidence-measures.csv"), &evidence_measures_csv(&measures))?;
    let charts = evidence_measures_charts(&measures, arguments.box_rule);
    for ending in ["png", "svg"] {
        charts.write(&out.join(format!("evidence-measures.{ending}")))?;
        drawn_cases.write(&out.join(format!("evidence-cases.{ending}")))?;
    }
    console.say(&format!("6 files in {}", out.display()));
    Ok(Outcome::Done)
}

fn table(measures: &EvidenceMeasures, rule: BoxRule) -> Vec<Vec<String>> {
    let heads = [
        "Grading",
        "Network",
        "Method",
        "Layer",
        "Views",
        "Smoothed",
        "Boxes",
        "Discs",
        "Percentile",
        "IoU",
        "On slices with truth",
        "Located",
        "Whole slices",
        "Times",
        "Pointing",
        "Found",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for row in measures.rows.iter().filter(|row| row.way.box_rule == rule || row.is_chosen) {
        let Some(test) = &row.test else { continue };
        rows.push(vec![
            test.grading.name().to_owned(),
            row.dimensions.clone(),
            format!("{}{}", method_in_words(row.way.method), if row.is_chosen { " (chosen)" } else { "" }),
            row.way.layer.to_string(),
            row.way.augmentations.to_string(),
            format!("{} mm", row.way.smoothing_mm),
            row.way.box_rule.to_string(),
            test.discs.to_string(),
            test.percentile.map(|percentile| percentile.to_string()).unwrap_or_default(),
            with_interval(test.mean_iou, test.mean_iou_interval),
            with_interval(test.mean_iou_slices_with_truth, test.mean_iou_slices_with_truth_interval),
            number(Some(test.share_located)),
            number(test.whole_slice_iou),
            test.times_whole_slice.map_or_else(|| "-".to_owned(), |times| format!("{times:.1}")),
            number(test.pointing_game),
            row.test_found
                .as_ref()
                .map_or_else(|| "-".to_owned(), |found| format!("{:.3} ({})", found.mean_iou, found.discs)),
        ]);
    }
    let mut without_map = |name: String, overlap: &GradingOverlap| {
        let mut row = vec![String::new(); heads.len()];
        overlap.grading.name().clone_into(&mut row[0]);
        row[2] = name;
        row[7] = overlap.discs.to_string();
        row[9] = with_interval(overlap.mean_iou, overlap.mean_iou_interval);
        row[10] = with_interval(overlap.mean_iou_slices_with_truth, overlap.mean_iou_slices_with_truth_interval);
        row[11] = number(Some(overlap.share_located));
        row[12] = number(overlap.whole_slice_iou);
        rows.push(row);
    };
    for place in &measures.fixed_places {
        without_map("Fixed place".to_owned(), place);
    }
    for LearnedLocationOverlap { overlap, above_fixed_place, above_fixed_place_interval } in &measures.learned_locations
    {
        let [low, high] = above_fixed_place_interval;
        let name = format!("Learned location ({above_fixed_place:+.3}, {low:+.3} to {high:+.3})");
        without_map(name, overlap);
    }
    rows
}
