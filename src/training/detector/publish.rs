//! Writes the trained detector as weights that say where they come from and how good they are.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use candle_core::Tensor;
use serde_json::json;

use super::{DetectorOutcome, DetectorTrainingConfig, DetectorTrainingError, Measured};
use crate::model::detector::DETECTOR_WEIGHTS;
use crate::model::weights::{Training, WeightsFolder, WeightsMetadata, save_weights};
use crate::training::OWN_VERSION;
use crate::training::manifest::DataSource;
use crate::training::optimizer::sorted;

/// Version of weights that learned from SPIDER alone, and what came with each version up to it.
const MARKED: (&str, &[(&str, &str)]) = (
    "0.3.0",
    &[
        ("0.1.0", "First training."),
        ("0.2.0", "All three folds measured; phantoms drawn fresh for every sample; views stretched."),
        ("0.3.0", "Four times as many steps."),
    ],
);
/// What is new in weights that learned from both cohorts.
const BOXED: (&str, &str) =
    ("0.4.0", "Learned from a second cohort, T2 and T1, with corners that weights 0.3.0 found in its boxes.");

/// Writes `<folder>/vertebra-detector-<version>/` with the network as f16; `command` is how to train it again, `sources` where the
/// scans come from.
///
/// # Errors
/// If the files cannot be written.
pub(crate) fn publish(
    folder: &Path,
    config: &DetectorTrainingConfig,
    outcome: &DetectorOutcome,
    command: &str,
    sources: &[DataSource],
) -> Result<WeightsFolder, DetectorTrainingError> {
    let tensors: HashMap<String, Tensor> =
        sorted(&outcome.variables).into_iter().map(|(name, variable)| (name, variable.as_tensor().clone())).collect();
    Ok(save_weights(folder, &config.network, metadata(config, outcome, command, sources), &tensors, true)?)
}

/// Writes what was measured as `<folder>/measures.json`, and what became of each scan as `held-out.json`.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn write_measures(folder: &Path, measured: &Measured) -> Result<(), DetectorTrainingError> {
    let texts = [
        ("measures.json", serde_json::to_vec_pretty(measured)),
        ("held-out.json", serde_json::to_vec(&measured.scans)),
    ];
    for (name, text) in texts {
        let path = folder.join(name);
        let written = text.map_err(std::io::Error::from).and_then(|text| fs::write(&path, text));
        written.map_err(|source| DetectorTrainingError::Write { source, path })?;
    }
    Ok(())
}

fn metadata(
    config: &DetectorTrainingConfig,
    outcome: &DetectorOutcome,
    command: &str,
    sources: &[DataSource],
) -> WeightsMetadata {
    let measured = &outcome.measured;
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let (version, changelog) = history(&names);
    let is_ours = version != OWN_VERSION;
    let names = names.join(" and ");
    let attribution: Vec<String> = sources.iter().filter_map(|source| source.attribution.clone()).collect();
    let eval_metrics: BTreeMap<String, f64> =
        measured.summaries.iter().map(|(kind, summary)| (metric_name(kind), summary.found)).collect();
    WeightsMetadata {
        version: version.to_owned(),
        changelog,
        name: DETECTOR_WEIGHTS.to_owned(),
        task: "Vertebral bodies T8 to S1 with corners and levels on sagittal lumbar MRI".to_owned(),
        description: "U-shaped residual network that reads one sagittal slice at 1.25 mm; bodies are linked across \
                      slices and named by the best chain from the sacrum up."
            .to_owned(),
        authors: if is_ours { "spinenet-viewer contributors" } else { "" }.to_owned(),
        copyright: if is_ours {
            "Weights under the MIT License; trained on data under CC BY 4.0 (see attribution)."
        } else {
            "Whose data these weights were trained on decides (see attribution)."
        }
        .to_owned(),
        intended_use: "Research only; not a medical device.".to_owned(),
        data_source: attribution.join(" "),
        references: vec![
            "He K., Zhang X., Ren S., Sun J., Identity mappings in deep residual networks, ECCV 2016".to_owned(),
        ],
        eval_metrics,
        network_data_format: json!({
            "inputs": {"slice": {"type": "image", "modality": "MR", "format": "sagittal slice, anterior left",
                "num_channels": 1, "spatial_shape": ["32*n", "32*n"], "dtype": "float32", "value_range": [0, 1.5]}},
            "outputs": {"heads": {"type": "array", "format": "one cell per 4 pixels", "num_channels": 25}},
        }),
        training: Training {
            data: format!(
                "{} scans of {} patients of {names}, and a fresh synthetic study for each sample that shows none of them",
                outcome.scans, outcome.patients
            ),
            seed: config.seed,
            command: command.to_owned(),
            results: json!({
                "measure": "labelled discs with a detected disc of the same level within 5 mm, boxed ones 8 mm, on patients \
                            left out of training; distances and corner errors in mm; the shipped network learned from all patients",
                "held_out": measured,
                "taught": outcome.taught,
                "config": config,
            }),
        },
        attribution,
        ..WeightsMetadata::default()
    }
}

/// Version and history of weights that learned from these sets; only those of the development data go on with ours.
fn history(sets: &[&str]) -> (&'static str, BTreeMap<String, String>) {
    let (version, changes) = MARKED;
    let mut changes: BTreeMap<String, String> =
        changes.iter().map(|(version, change)| ((*version).to_owned(), (*change).to_owned())).collect();
    match sets {
        ["SPIDER"] => (version, changes),
        ["SPIDER", "Sudirman"] => {
            let (version, change) = BOXED;
            changes.insert(version.to_owned(), change.to_owned());
            (version, changes)
        }
        other => (OWN_VERSION, [(OWN_VERSION.to_owned(), format!("Trained on {}.", other.join(" and ")))].into()),
    }
}

/// Such as `sudirman_t2_found`.
fn metric_name(kind: &str) -> String {
    format!("{}_found", kind.to_lowercase().replace(' ', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_other_data_do_not_carry_our_history() {
        let (version, changes) = history(&["SPIDER"]);
        assert_eq!((version, changes.len()), ("0.3.0", 3));
        let (version, changes) = history(&["SPIDER", "Sudirman"]);
        assert_eq!((version, changes.keys().last().map(String::as_str)), ("0.4.0", Some("0.4.0")));
        let (version, changes) = history(&["SPIDER", "Elsewhere"]);
        assert_eq!(
            (version, changes["0.0.1"].as_str(), changes.len()),
            ("0.0.1", "Trained on SPIDER and Elsewhere.", 1)
        );
    }
}
