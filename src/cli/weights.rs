//! `spinenet weights` and `spinenet devices`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Outcome;
use super::console::{Console, complain, print_line};
use super::grade_table::aligned;
use crate::model::weights::{WeightsError, WeightsFolder, list_weights, weights_search_path};
use crate::pipeline::{DeviceChoice, verify_weights};

/// Arguments of `spinenet weights`.
#[derive(Debug, Args)]
pub struct WeightsArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the weights that would be found.
    List(Place),
    /// Check metadata, size, SHA-256 and every tensor.
    Verify(Place),
}

/// Where to look.
#[derive(Debug, Args)]
struct Place {
    /// Folder with weights; the usual places if left out.
    path: Option<PathBuf>,
}

/// Runs `spinenet weights`.
pub fn run(arguments: &WeightsArguments, console: Console) -> anyhow::Result<Outcome> {
    let (place, verify) = match &arguments.action {
        Action::List(place) => (place, false),
        Action::Verify(place) => (place, true),
    };
    let folders = place.path.clone().map_or_else(|| weights_search_path(None), |path| vec![path]);
    let found: Vec<Result<WeightsFolder, WeightsError>> =
        folders.iter().flat_map(|folder| list_weights(folder)).collect();
    anyhow::ensure!(!found.is_empty(), "no weights in {}", listed(&folders));
    let mut rows = vec![["Name", "Version", "SHA-256", "Bytes", "Trained on"].map(str::to_owned).to_vec()];
    let mut failures = 0;
    let mut fail = |error: &dyn std::fmt::Display| {
        failures += 1;
        complain(&error.to_string());
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
pub fn list_devices() {
    for choice in [DeviceChoice::Cpu, DeviceChoice::Cuda, DeviceChoice::Metal] {
        match choice.open() {
            Ok(_) => print_line(&format!("{choice:<6} ready")),
            Err(error) => print_line(&format!("{choice:<6} {error}")),
        }
    }
    print_line(&format!("threads {}", rayon::current_num_threads()));
}
