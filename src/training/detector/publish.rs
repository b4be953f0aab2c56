//! Writes the trained detector as weights that say where they come from and how good they are.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use candle_core::Tensor;
use serde_json::json;

use super::{DetectorOutcome, DetectorTrainingConfig, DetectorTrainingError, Measured};
use crate::model::detector::DETECTOR_WEIGHTS;
use crate::model::weights::{Training, WeightsFolder, WeightsMetadata, save_weights};
use crate::training::optimizer::sorted;
use crate::training::spider::ATTRIBUTION;

/// Version of the weights that this code trains.
const VERSION: &str = "0.3.0";
/// What came with each version.
const CHANGES: [(&str, &str); 3] = [
    ("0.1.0", "First training."),
    ("0.2.0", "All three folds measured; phantoms drawn fresh for every sample; views stretched."),
    (VERSION, "Four times as many steps."),
];

/// Writes `<folder>/vertebra-detector-<version>/` with the network as f16; `command` is how to train it again.
///
/// # Errors
/// If the files cannot be written.
pub(crate) fn publish(
    folder: &Path,
    config: &DetectorTrainingConfig,
    outcome: &DetectorOutcome,
    command: &str,
) -> Result<WeightsFolder, DetectorTrainingError> {
    let tensors: HashMap<String, Tensor> =
        sorted(&outcome.variables).into_iter().map(|(name, variable)| (name, variable.as_tensor().clone())).collect();
    Ok(save_weights(folder, &config.network, metadata(config, outcome, command), &tensors, true)?)
}

/// Writes what was measured as `<folder>/measures.json`.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_measures(folder: &Path, measured: &Measured) -> Result<(), DetectorTrainingError> {
    let path = folder.join("measures.json");
    let text = serde_json::to_vec_pretty(measured).map_err(std::io::Error::from);
    text.and_then(|text| fs::write(&path, text)).map_err(|source| DetectorTrainingError::Write { source, path })
}

fn metadata(config: &DetectorTrainingConfig, outcome: &DetectorOutcome, command: &str) -> WeightsMetadata {
    let measured = &outcome.measured;
    let eval_metrics: BTreeMap<String, f64> =
        measured.summaries.iter().map(|(kind, summary)| (format!("{kind}_found_within_5_mm"), summary.found)).collect();
    WeightsMetadata {
        version: VERSION.to_owned(),
        changelog: CHANGES.map(|(version, change)| (version.to_owned(), change.to_owned())).into(),
        name: DETECTOR_WEIGHTS.to_owned(),
        task: "Vertebral bodies T8 to S1 with corners and levels on sagittal lumbar MRI".to_owned(),
        description: "U-shaped residual network that reads one sagittal slice at 1.25 mm; bodies are linked across \
                      slices and named by the best chain from the sacrum up."
            .to_owned(),
        authors: "spinenet-viewer contributors".to_owned(),
        copyright: "Weights under the MIT License; trained on data under CC BY 4.0 (see attribution).".to_owned(),
        intended_use: "Research only; not a medical device.".to_owned(),
        data_source: ATTRIBUTION.to_owned(),
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
                "{} scans of {} patients of SPIDER, and a fresh synthetic study for each sample that shows none of them",
                outcome.scans, outcome.patients
            ),
            seed: config.seed,
            command: command.to_owned(),
            results: json!({
                "measure": "labelled discs with a detected disc of the same level within 5 mm, on patients left out of \
                            training; distances and corner errors in mm; the shipped network learned from all patients",
                "held_out": measured,
                "config": config,
            }),
        },
        attribution: vec![ATTRIBUTION.to_owned()],
        ..WeightsMetadata::default()
    }
}
