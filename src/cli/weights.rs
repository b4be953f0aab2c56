//! `spinenet weights` and `spinenet devices`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::Outcome;
use super::console::{Console, complain, print_line};
use super::grade_table::aligned;
use crate::causes::with_causes;
use crate::measuring::{EvidenceMeasures, chosen_ways};
use crate::model::weights::{WeightsError, WeightsFolder, list_weights, weights_search_path};
use crate::pipeline::{DeviceChoice, verify_weights};
use crate::records::WeightsUsed;
use crate::saliency::{GradingEvidence, SaliencyLayer};

/// Arguments of `spinenet weights`.
#[derive(Debug, Args)]
pub(crate) struct WeightsArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the weights that would be found.
    List(Place),
    /// Check metadata, size, SHA-256 and every tensor.
    Verify(Place),
    /// Write into the metadata how maps of each grading are best made, as `spinenet evaluate evidence` measured it.
    Evidence(Measured),
}

/// Measures, and the weights that they are of.
#[derive(Debug, Args)]
struct Measured {
    /// Folder of the weights.
    weights: PathBuf,
    /// Files evidence-measures.json. A grading takes the first that has it, so those of readers' boxes come first.
    #[arg(required = true)]
    measures: Vec<PathBuf>,
}

impl Measured {
    fn write(&self, console: Console) -> anyhow::Result<Outcome> {
        let mut weights = WeightsFolder::open(&self.weights)?;
        let read = |path: &PathBuf| -> anyhow::Result<EvidenceMeasures> {
            let text = fs::read(path).with_context(|| format!("cannot read: {}", path.display()))?;
            serde_json::from_slice(&text).with_context(|| format!("not measures of evidence: {}", path.display()))
        };
        let measures: Vec<EvidenceMeasures> = self.measures.iter().map(read).collect::<anyhow::Result<_>>()?;
        let info = weights.info();
        let is_of_these = |used: &WeightsUsed| used.name != info.name || used.sha256 == info.sha256;
        let are_of_these = measures.iter().flat_map(|measures| &measures.weights).all(is_of_these);
        anyhow::ensure!(are_of_these, "the measures are of other weights of this name");
        let chosen = chosen_ways(&info.name, &measures);
        anyhow::ensure!(!chosen.is_empty(), "the measures hold no grading of these weights");
        weights.set_evidence(serde_json::to_value(&chosen)?)?;
        for (grading, GradingEvidence { way, measured }) in chosen.iter() {
            let [low, high] = measured.iou_interval;
            console.say(&format!(
                "{}: {} at {}, smoothed by {} mm, boxes {}, percentile {}: IoU {:.3} ({low:.3}–{high:.3}), fixed place {:.3}",
                grading.name(),
                way.method,
                way.layer.map_or("its usual layer", SaliencyLayer::key),
                way.smoothing_mm,
                way.box_rule,
                way.percentile,
                measured.iou,
                measured.fixed_place_iou,
            ));
        }
        Ok(Outcome::Done)
    }
}

/// Where to look.
#[derive(Debug, Args)]
struct Place {
    /// Folder with weights; the usual places if left out.
    path: Option<PathBuf>,
}

/// Runs `spinenet weights`.
pub(super) fn run(arguments: &WeightsArguments, console: Console) -> anyhow::Result<Outcome> {
    let (place, verify) = match &arguments.action {
        Action::List(place) => (place, false),
        Action::Verify(place) => (place, true),
        Action::Evidence(measured) => return measured.write(console),
    };
    let folders = place.path.clone().map_or_else(|| weights_search_path(None), |path| vec![path]);
    let found: Vec<Result<WeightsFolder, WeightsError>> =
        folders.iter().flat_map(|folder| list_weights(folder)).collect();
    anyhow::ensure!(!found.is_empty(), "no weights in {}", listed(&folders));
    let mut rows = vec![["Name", "Version", "SHA-256", "Bytes", "Trained on"].map(str::to_owned).to_vec()];
    let mut failures = 0;
    let mut fail = |error: &(dyn std::error::Error + 'static)| {
        failures += 1;
        complain(&with_causes(error));
    };
    for weights in found {
        match weights {
            Ok(weights) => {
                if verify && let Err(error) = verify_weights(&weights) {
                    fail(&error);
                    continue;
                }
                let metadata = &weights.metadata;
                rows.push(vec![
                    metadata.name.clone(),
                    metadata.version.clone(),
                    metadata.sha256.chars().take(16).collect(),
                    metadata.bytes.to_string(),
                    metadata.training.data.clone(),
                ]);
            }
            Err(error) => fail(&error),
        }
    }
    for line in aligned(&rows) {
        console.say(&line);
    }
    if verify {
        console.say(&format!("{} whole, {failures} damaged", rows.len() - 1));
    }
    Ok(if failures == 0 { Outcome::Done } else { Outcome::PartlyFailed })
}

fn listed(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder: &PathBuf| Path::display(folder).to_string()).collect::<Vec<_>>().join(", ")
}

/// Prints where the networks could run.
pub(crate) fn list_devices() {
    for choice in [DeviceChoice::Cpu, DeviceChoice::Cuda, DeviceChoice::Metal] {
        match choice.open() {
            Ok(_) => print_line(&format!("{choice:<6} ready")),
            Err(error) => print_line(&format!("{choice:<6} {error}")),
        }
    }
    print_line(&format!("threads {}", rayon::current_num_threads()));
}
