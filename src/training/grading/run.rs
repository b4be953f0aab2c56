//! Cross-validation and the final network, each part resumable.

use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use candle_nn::VarMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::examples::{GradingExample, ScanKind};
use super::fit::{Fitted, Run};
use super::measure::{HeldOutPrediction, MeasuredRow, measure};
use super::{GradingTrainingConfig, GradingTrainingError};
use crate::model::GradingNetwork;
use crate::model::probabilities;
use crate::spine::{Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PatchAugmentation, PerGrading};
use crate::task::{CancelToken, Progress};
use crate::training::labels::DiscLabels;
use crate::training::spider::ScanCase;
use crate::training::split::folds_by_patient;

/// Discs graded at once.
const PREDICTION_BATCH: usize = 8;
/// A single slice is shown on all nine when measured.
const REPEATED: usize = PATCH_SLICES / 2;

/// What cross-validation measured, as written to `cross-validation.json` and into the metadata of the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// Folds; patients of one fold are never in its training.
    pub folds: usize,
    /// The 3-D network.
    pub table: Vec<MeasuredRow>,
    /// The flat network after the first stage, for comparison.
    pub flat_table: Vec<MeasuredRow>,
}

/// What training made.
pub struct TrainingOutcome {
    /// Cross-validated measures, if asked for.
    pub cross_validation: Option<CrossValidation>,
    /// The network of all patients with its tensors, if asked for.
    pub network: Option<(GradingNetwork, VarMap)>,
    /// Gradings that no label of a patient taught: known from phantoms only.
    pub phantom_only_gradings: Vec<Grading>,
    /// Gradings that nothing taught.
    pub untrained_gradings: Vec<Grading>,
    /// Patients with labelled discs.
    pub patients: usize,
    /// Labelled discs of patients.
    pub discs: usize,
}

/// Held-out answers of one fold.
#[derive(Serialize, Deserialize)]
struct FoldPredictions {
    config: GradingTrainingConfig,
    deep: Vec<HeldOutPrediction>,
    flat: Vec<HeldOutPrediction>,
}

/// Trains as `config` says on `cases`; logs, checkpoints and tables go into `out`. With `resume`, parts already done are
/// kept and the interrupted one goes on from its last whole epoch, with the same result as without the interruption.
///
/// # Errors
/// If there are fewer patients than folds, a disc has no frame, a file cannot be written, or `cancel` was asked.
pub fn train(
    config: &GradingTrainingConfig,
    cases: Vec<ScanCase>,
    out: &Path,
    resume: bool,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<TrainingOutcome, GradingTrainingError> {
    let examples = GradingExample::of_cases(cases)?;
    let slipped = |example: &GradingExample| example.labels.gradings[Grading::Spondylolisthesis].single() == Some(1);
    let strata = examples.iter().map(|example| (example.patient, usize::from(slipped(example))));
    let folds = folds_by_patient(strata, config.folds, config.seed);
    let patients = folds.iter().map(Vec::len).sum();
    if patients < config.folds.max(1) {
        return Err(GradingTrainingError::TooFewPatients { patients, folds: config.folds });
    }
    // A fold is the same whether the final network is trained after it or not.
    let fold_config = GradingTrainingConfig { final_network: true, ..config.clone() };
    let mut predictions = FoldPredictions { config: config.clone(), deep: Vec::new(), flat: Vec::new() };
    for (fold, held_out) in folds.iter().enumerate().take(config.folds) {
        let split = Split { config: &fold_config, examples: &examples, held_out };
        let done = split.run_fold(fold, &out.join(format!("fold-{fold}")), resume, cancel, on_progress)?;
        predictions.deep.extend(done.deep);
        predictions.flat.extend(done.flat);
    }
    let cross_validation = (config.folds > 0).then(|| {
        let [table, flat_table] = [&predictions.deep, &predictions.flat].map(|answers| both_kinds(answers));
        CrossValidation { folds: config.folds, table, flat_table }
    });
    if let Some(measured) = &cross_validation {
        write_json(&out.join("cross-validation.json"), measured)?;
    }
    let network = if config.final_network {
        // The network of all patients is the same whatever is cross-validated beside it.
        let config = &GradingTrainingConfig { folds: 0, ..config.clone() };
        let split = Split { config, examples: &examples, held_out: &[] };
        let Fitted { network, variables } =
            split.run(config.seed, &out.join("final"), resume, cancel).fit(&mut |_| Ok(()), on_progress)?;
        Some((network, variables))
    } else {
        None
    };
    let taught =
        |examples: &[GradingExample], grading| examples.iter().any(|example| teaches(&example.labels, grading));
    let (untaught, _): (Vec<_>, Vec<_>) = Grading::ALL.into_iter().partition(|grading| !taught(&examples, *grading));
    // Of phantoms everything is known.
    let uses_phantoms = config.flat.phantom + config.deep.phantom > 0;
    let (phantom_only_gradings, untrained_gradings) = untaught.into_iter().partition(|_| uses_phantoms);
    let discs = examples.len();
    Ok(TrainingOutcome { cross_validation, network, phantom_only_gradings, untrained_gradings, patients, discs })
}

/// Trains both stages on the phantoms of `config` alone and measures on every disc of `cases`: what phantoms teach about
/// patients. The table goes into `out` as `measures.json`.
///
/// # Errors
/// As [`train`].
pub fn train_on_phantoms(
    config: &GradingTrainingConfig,
    cases: Vec<ScanCase>,
    out: &Path,
    resume: bool,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<CrossValidation, GradingTrainingError> {
    let examples = GradingExample::of_cases(cases)?;
    let everybody: Vec<u32> = examples.iter().map(|example| example.patient).collect();
    let split = Split { config, examples: &examples, held_out: &everybody };
    let done = split.run_fold(0, &out.join("phantoms"), resume, cancel, on_progress)?;
    let measured = CrossValidation { folds: 1, table: both_kinds(&done.deep), flat_table: both_kinds(&done.flat) };
    write_json(&out.join("measures.json"), &measured)?;
    Ok(measured)
}

/// The table of single slices, then that of stacks.
fn both_kinds(predictions: &[HeldOutPrediction]) -> Vec<MeasuredRow> {
    [measure(predictions, ScanKind::MidSagittal), measure(predictions, ScanKind::Stack)].concat()
}

fn teaches(labels: &DiscLabels, grading: Grading) -> bool {
    let marrow = matches!(grading, Grading::UpperMarrowChange | Grading::LowerMarrowChange);
    !labels.gradings[grading].is_unknown() || (marrow && labels.either_marrow_changed)
}

/// Discs and the patients that are left out of training.
struct Split<'a> {
    config: &'a GradingTrainingConfig,
    examples: &'a [GradingExample],
    held_out: &'a [u32],
}

impl<'a> Split<'a> {
    fn run(&self, seed: u64, folder: &'a Path, resume: bool, cancel: &'a CancelToken) -> Run<'a> {
        let examples = self.examples.iter().filter(|example| !self.held_out.contains(&example.patient)).collect();
        Run { config: self.config, examples, seed, folder, resume, cancel }
    }

    fn run_fold(
        &self,
        fold: usize,
        folder: &Path,
        resume: bool,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<FoldPredictions, GradingTrainingError> {
        let path = folder.join("predictions.json");
        if resume && path.exists() {
            let done: FoldPredictions = read_json(&path)?;
            return if done.config == *self.config {
                Ok(done)
            } else {
                Err(GradingTrainingError::OtherConfig { path })
            };
        }
        let test: Vec<&GradingExample> =
            self.examples.iter().filter(|example| self.held_out.contains(&example.patient)).collect();
        let seed = self.config.seed + 1 + fold as u64;
        let run = Split { ..*self }.run(seed, folder, resume, cancel);
        let flat_path = folder.join("flat-predictions.json");
        let fitted = run.fit(
            &mut |flat| {
                let predicted = predict(&test, fold, &|examples| {
                    let patches: Vec<Vec<f32>> =
                        examples.par_iter().map(|example| example.flat_patch(&PatchAugmentation::NONE)).collect();
                    let shape = (examples.len(), 1, PATCH_ROWS, PATCH_COLUMNS);
                    flat.forward(&Tensor::from_vec(patches.concat(), shape, &Device::Cpu)?, None)
                })?;
                write_json(&flat_path, &predicted)
            },
            on_progress,
        )?;
        let deep = predict(&test, fold, &|examples| fitted.network.forward(&volumes(examples)?))?;
        let done = FoldPredictions { config: self.config.clone(), deep, flat: read_json(&flat_path)? };
        write_json(&path, &done)?;
        Ok(done)
    }
}

fn volumes(examples: &[&GradingExample]) -> candle_core::Result<Tensor> {
    let patches: Vec<Vec<f32>> =
        examples.par_iter().map(|example| example.disc_volume(&PatchAugmentation::NONE, REPEATED)).collect();
    Tensor::from_vec(patches.concat(), (examples.len(), PATCH_SLICES, PATCH_ROWS, PATCH_COLUMNS), &Device::Cpu)
}

fn predict(
    examples: &[&GradingExample],
    fold: usize,
    forward: &dyn Fn(&[&GradingExample]) -> candle_core::Result<PerGrading<Tensor>>,
) -> Result<Vec<HeldOutPrediction>, GradingTrainingError> {
    let mut predictions = Vec::with_capacity(examples.len());
    for batch in examples.chunks(PREDICTION_BATCH) {
        let batch_probabilities = probabilities(&forward(batch)?)?;
        predictions.extend(batch.iter().zip(batch_probabilities).map(|(example, probabilities)| HeldOutPrediction {
            fold,
            patient: example.patient,
            kind: example.kind,
            level: example.level,
            labels: example.labels.clone(),
            probabilities,
        }));
    }
    Ok(predictions)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), GradingTrainingError> {
    let failed = |source| GradingTrainingError::File { source, path: path.to_owned() };
    let text = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    fs::write(path, text).map_err(failed)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, GradingTrainingError> {
    let failed = |source| GradingTrainingError::File { source, path: path.to_owned() };
    let text = fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| failed(error.into()))
}
