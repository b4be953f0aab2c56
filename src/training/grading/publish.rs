//! Writes the trained network as weights that say where they come from and how good they are.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::Tensor;
use serde_json::json;

use super::measure::{MeasuredGrading, MeasuredRow};
use super::{GradingTrainingConfig, GradingTrainingError, TrainingOutcome};
use crate::model::Dimensions;
use crate::model::grader::{GRADING_2D_WEIGHTS, GRADING_WEIGHTS};
use crate::model::weights::{
    CALIBRATION, EXPERIMENTAL_GRADINGS, Training, WeightsFolder, WeightsMetadata, save_weights,
};
use crate::spine::Grading;
use crate::training::OWN_VERSION;
use crate::training::manifest::DataSource;
use crate::training::optimizer::sorted;

/// Version of the weights that this code trains in three dimensions.
const VERSION: &str = "0.4.0";
/// The same in two dimensions.
const VERSION_2D: &str = "0.1.0";
/// What the weights that ship were trained on.
const SHIPPED_SOURCES: [&[&str]; 2] = [&["SPIDER"], &["SPIDER", "Sudirman"]];
/// What came with each version of the 3-D weights.
const CHANGES: [(&str, &str); 4] = [
    ("0.1.0", "First training."),
    ("0.2.0", "Learned views with the scan around them beside bare patches, and on rebuilt synthetic studies."),
    (
        "0.3.0",
        "Three times as many passes, averaged weights; told the level; calibrated on held-out discs; stenosis from canal \
         widths; knows which discs look unlike those it learned from.",
    ),
    (
        VERSION,
        "Learned from two cohorts, each with the thresholds of its own readers; disc bulging and herniation; stenosis from \
         readers' labels.",
    ),
];
/// What came with each version of the 2-D weights.
const CHANGES_2D: [(&str, &str); 1] = [(VERSION_2D, "First training, as that of the 3-D weights 0.3.0.")];

/// Writes `<folder>/grading-<version>/` (or `grading-2d-<version>/`) with the network of all patients as f16; `command` is how to train it again,
/// `sources` where the scans come from.
/// `None` if there is no such network.
///
/// # Errors
/// If the files cannot be written.
pub(crate) fn publish(
    folder: &Path,
    config: &GradingTrainingConfig,
    outcome: &TrainingOutcome,
    command: &str,
    sources: &[DataSource],
) -> Result<Option<WeightsFolder>, GradingTrainingError> {
    let Some((_, variables)) = &outcome.network else { return Ok(None) };
    let tensors: HashMap<String, Tensor> =
        sorted(variables).into_iter().map(|(name, variable)| (name, variable.as_tensor().clone())).collect();
    Ok(Some(save_weights(folder, &config.network, metadata(config, outcome, command, sources), &tensors, true)?))
}

fn metadata(
    config: &GradingTrainingConfig,
    outcome: &TrainingOutcome,
    command: &str,
    sources: &[DataSource],
) -> WeightsMetadata {
    let table: &[MeasuredRow] = outcome.cross_validation.as_ref().map_or(&[], |measured| &measured.table);
    let eval_metrics: BTreeMap<String, f64> =
        table.iter().map(|row| (metric_name(row), (row.balanced_accuracy * 10.0).round() / 10.0)).collect();
    let results = json!({
        "measure": "balanced accuracy in percent by cross-validation with splits by patient, mean and standard \
                    deviation over the folds; trained and measured on the same data set's other patients",
        "cross_validation": outcome.cross_validation,
        "patients": outcome.patients,
        "discs": outcome.discs,
        "synthetic_discs": config.flat.epochs * config.flat.phantom + config.deep.epochs * config.deep.phantom,
        CALIBRATION: outcome.calibration,
        "familiarity": outcome.familiarity_measures,
        EXPERIMENTAL_GRADINGS: experimental_gradings(config, outcome, sources),
        "config": config,
    });
    let dimensions = config.network.dimensions;
    let (name, version, changes): (_, _, &[(&str, &str)]) = match dimensions {
        Dimensions::Three | Dimensions::ThreeUnreduced => (GRADING_WEIGHTS, VERSION, &CHANGES),
        Dimensions::Two => (GRADING_2D_WEIGHTS, VERSION_2D, &CHANGES_2D),
    };
    let mut names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    names.dedup();
    let names = names.join(", ");
    // Only weights of the same network and data carry the history of those that ship.
    let is_shipped = dimensions != Dimensions::ThreeUnreduced
        && SHIPPED_SOURCES
            .iter()
            .any(|shipped| sources.iter().map(|source| source.name.as_str()).eq(shipped.iter().copied()));
    let own_change = format!("Trained on {names}.");
    let own_changes = [(OWN_VERSION, own_change.as_str())];
    let (version, changes) = if is_shipped { (version, changes) } else { (OWN_VERSION, &own_changes[..]) };
    let mut attribution: Vec<String> = sources.iter().filter_map(|source| source.attribution.clone()).collect();
    attribution.dedup();
    let copyright = match attribution.as_slice() {
        _ if is_shipped => "Weights under the MIT License; trained on data under CC BY 4.0 (see attribution).",
        [] => "Whose data these weights were trained on decides.",
        _ => "Whose data these weights were trained on decides (see attribution).",
    };
    WeightsMetadata {
        version: version.to_owned(),
        changelog: changes.iter().map(|(version, change)| ((*version).to_owned(), (*change).to_owned())).collect(),
        name: name.to_owned(),
        task: format!("{} radiological gradings of a lumbar disc on sagittal T2 MRI", config.network.gradings.len()),
        description: format!(
            "{} SpineNet of narrow layers, first learned on single slices, inflated, and trained on disc volumes. \
             Labels are partial: narrowing is known as yes or no, marrow change for both endplates together; the finer \
             grades and those listed as phantom-only come from synthetic studies.",
            dimensions.name()
        ),
        authors: if is_shipped { "spinenet-viewer contributors" } else { "" }.to_owned(),
        copyright: copyright.to_owned(),
        intended_use: "Research only; not a medical device.".to_owned(),
        data_source: if attribution.is_empty() { names.clone() } else { attribution.join(" ") },
        references: vec![
            "Jamaludin A., Kadir T., Zisserman A., SpineNet: Automated classification and evidence visualization in \
             spinal MRIs, Medical Image Analysis 41 (2017) 63-73"
                .to_owned(),
            "Carreira J., Zisserman A., Quo vadis, action recognition?, CVPR 2017 (inflation)".to_owned(),
        ],
        eval_metrics,
        network_data_format: json!({
            "inputs": {"disc": {"type": "image", "modality": "MR", "format": "sagittal T2 disc volume",
                "num_channels": 1, "spatial_shape": [9, 112, 224], "dtype": "float32", "value_range": [0, 1]}},
            "outputs": {"gradings": {"type": "probabilities", "format": "classification"}},
        }),
        training: Training {
            data: format!("{} labelled discs of {} patients of {names}", outcome.discs, outcome.patients),
            seed: config.seed,
            command: command.to_owned(),
            results,
        },
        attribution,
        ..WeightsMetadata::default()
    }
}

/// How far from chance (0) to perfect (1) the balanced accuracy on patients left out must be for a grading to be relied on:
/// 70 % for two classes, 52 % for five.
const RELIABLE: f64 = 0.4;

/// Gradings that must not be relied on, and why; shown wherever their grades are.
fn experimental_gradings(
    config: &GradingTrainingConfig,
    outcome: &TrainingOutcome,
    sources: &[DataSource],
) -> BTreeMap<&'static str, String> {
    let mut reasons = BTreeMap::new();
    let table: &[MeasuredRow] = outcome.cross_validation.as_ref().map_or(&[], |measured| &measured.table);
    for measured in MeasuredGrading::of(config.network.gradings.iter().copied()) {
        let chance = 1.0 / measured.classes() as f64;
        let most_discs = table.iter().filter(|row| row.grading == measured).max_by_key(|row| row.discs);
        if let Some(row) = most_discs {
            let accuracy = row.balanced_accuracy / 100.0;
            let bar = chance + RELIABLE * (1.0 - chance);
            if accuracy < bar {
                let (reached, bar) = (accuracy * 100.0, bar * 100.0);
                let reason = format!("balanced accuracy on patients left out {reached:.0} %, below {bar:.0} %");
                reasons.extend(measured.gradings().into_iter().map(|grading| (grading.key(), reason.clone())));
            }
        }
    }
    let is_graded = sources.iter().any(|source| source.has_graded_stenosis);
    let stenosis = "learned from canal widths and synthetic studies, not from readers' grades";
    if config.network.gradings.contains(&Grading::CentralCanalStenosis) && !is_graded {
        reasons.insert(Grading::CentralCanalStenosis.key(), stenosis.to_owned());
    }
    for grading in &outcome.phantom_only_gradings {
        reasons.insert(grading.key(), "trained on synthetic studies only, not on patients".to_owned());
    }
    for grading in &outcome.untrained_gradings {
        reasons.insert(grading.key(), "not trained: no labels".to_owned());
    }
    reasons
}

/// Such as `spider_pfirrmann_balanced_accuracy_stack`.
fn metric_name(row: &MeasuredRow) -> String {
    let cohort = row.cohort.to_lowercase().replace(' ', "_");
    format!("{cohort}_{}_balanced_accuracy_{}", row.grading.key(), row.scans.key())
}
