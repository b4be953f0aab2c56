//! Cross-validation and the final network, each part resumable.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use candle_core::Tensor;
use candle_nn::VarMap;
use serde::{Deserialize, Serialize};

use super::calibrate::Calibration;
use super::examples::GradingExample;
use super::familiar::{self, Distances, FamiliarityMeasures};
use super::fit::{Fitted, Run};
use super::measure::{HeldOutPrediction, MeasuredRow, measure_all};
use super::{GradingTrainingConfig, GradingTrainingError};
use crate::model::{GradingNetwork, Views, probabilities};
use crate::phantom::PhantomSettings;
use crate::spine::{Grading, PATCH_COLUMNS, PATCH_ROWS, PatchAugmentation, PerGrading};
use crate::task::{CancelToken, Progress};
use crate::training::TrainingJob;
use crate::training::labels::DiscLabels;
use crate::training::split::{Division, SplitKind, divisions};

/// Held-out answers, in the folder of a training.
pub(super) const HELD_OUT: &str = "held-out.json";

/// Limit of familiarity where no discs were held out: about what cross-validation finds.
const UNMEASURED_LIMIT: f32 = 15.0;

/// What cross-validation measured, as written to `cross-validation.json` and into the metadata of the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CrossValidation {
    /// Folds; patients of one fold are never in its training.
    pub folds: usize,
    /// The network as it grades in use: calibrated on the other folds, 54 views.
    pub table: Vec<MeasuredRow>,
    /// The same with one view.
    #[serde(default)]
    pub one_view_table: Vec<MeasuredRow>,
    /// Before calibration, one view.
    pub plain_table: Vec<MeasuredRow>,
    /// The flat network after the first stage, one view.
    pub flat_table: Vec<MeasuredRow>,
}

/// What training made.
pub(crate) struct TrainingOutcome {
    /// Cross-validated measures, if asked for.
    pub cross_validation: Option<CrossValidation>,
    /// The network of all patients with its tensors, if asked for.
    pub network: Option<(GradingNetwork, VarMap)>,
    /// Calibration of that network, fitted on all held-out discs and part of its tensors.
    pub calibration: Option<Calibration>,
    /// What its familiarity with discs catches.
    pub familiarity_measures: Option<FamiliarityMeasures>,
    /// Gradings that no label of a patient taught: known from phantoms only.
    pub phantom_only_gradings: Vec<Grading>,
    /// Gradings that nothing taught.
    pub untrained_gradings: Vec<Grading>,
    /// Patients that the network learned from.
    pub patients: usize,
    /// Their labelled discs.
    pub discs: usize,
}

/// A fold's network and its answers for the discs held out of its training.
struct Fold {
    fitted: Fitted,
    /// One view, not calibrated.
    plain: Vec<HeldOutPrediction>,
    /// The same for the patients set aside.
    validation: Vec<HeldOutPrediction>,
    /// The flat network, one view.
    flat: Vec<HeldOutPrediction>,
}

/// Trains as `config` says on `examples`; logs, checkpoints and tables go into the job's folder. Where it resumes, parts already done are
/// kept and the interrupted one goes on from its last whole epoch, with the same result as without the interruption.
///
/// # Errors
/// If a task is no grading of the network, there are fewer patients than folds, a disc has no frame, a file cannot be written, or it was cancelled.
#[expect(clippy::too_many_lines, reason = "one after the other: folds, calibration, the network of all")]
pub(crate) fn train(
    config: &GradingTrainingConfig,
    examples: &[GradingExample],
    job: &TrainingJob,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<TrainingOutcome, GradingTrainingError> {
    config.check()?;
    let examples = taught_by(config, examples);
    let slipped = |example: &GradingExample| example.labels.of(Grading::Spondylolisthesis).single() == Some(1);
    let strata = examples.iter().map(|example| (example.patient, usize::from(slipped(example))));
    let mut patients: Vec<u32> = examples.iter().map(|example| example.patient).collect();
    patients.sort_unstable();
    patients.dedup();
    let patients = patients.len();
    let least = if config.split == SplitKind::EightyTenTen && config.folds > 0 { 10 } else { config.folds.max(1) };
    if patients < least {
        return Err(GradingTrainingError::TooFewPatients { patients, folds: least });
    }
    let mut runs = divisions(config.split, strata, config.folds, config.validation_share, config.seed);
    runs.truncate(config.measured_folds.unwrap_or(usize::MAX));
    // A fold is the same whether the final network is trained after it or not.
    let fold_config = GradingTrainingConfig { final_network: true, measured_folds: None, ..config.clone() };
    let split = |division| Split { config: &fold_config, examples: &examples, division };
    let mut done = Vec::new();
    for (fold, division) in runs.iter().enumerate() {
        done.push(split(division).run_fold(fold, &job.part(&format!("fold-{fold}")), on_progress)?);
    }
    let mut cross_validation = None;
    let mut calibration = None;
    let mut familiarity_measures = None;
    if !done.is_empty() {
        let (mut calibrated, mut one_view) = (Vec::new(), Vec::new());
        let mut distances = Distances::default();
        for (fold, division) in runs.iter().enumerate() {
            on_progress(Progress { step: "Measuring", done: fold, total: runs.len() });
            let Fold { fitted: Fitted { network, .. }, plain, validation, .. } = &done[fold];
            let others: Vec<_> = done.iter().enumerate().filter(|(other, _)| *other != fold).collect();
            let others: Vec<_> = others.iter().flat_map(|(_, done)| done.plain.iter().cloned()).collect();
            let split = split(division);
            let averaged = split.predict(fold, &division.test, &mut |example| {
                answer(network, Views::FiftyFour, example, &job.cancel)
            })?;
            // Calibrated as it will be: on discs that are not those measured.
            for half in [0, 1] {
                let of_half = |answer: &&HeldOutPrediction| answer.patient % 2 == half;
                let known = match (validation.is_empty(), others.is_empty()) {
                    (false, _) => validation.clone(),
                    (true, false) => others.clone(),
                    (true, true) => plain.iter().filter(|answer| !of_half(answer)).cloned().collect(),
                };
                let calibration = Calibration::fit(&known)?;
                let apply = |answer: &HeldOutPrediction| HeldOutPrediction {
                    probabilities: calibration.applied(&answer.probabilities),
                    ..answer.clone()
                };
                calibrated.extend(averaged.iter().filter(of_half).map(apply));
                one_view.extend(plain.iter().filter(of_half).map(apply));
            }
            if config.network.familiarity {
                let (held_out, learned): (Vec<_>, Vec<_>) =
                    examples.iter().partition(|example| division.holds_out(example.patient));
                distances.add(&familiar::familiarity(&learned, &job.cancel)?, &held_out, &job.cancel)?;
            }
        }
        familiarity_measures = distances.measure();
        write_json(&job.folder.join(HELD_OUT), &calibrated)?;
        let plain: Vec<_> = done.iter().flat_map(|fold| fold.plain.iter().cloned()).collect();
        let flat: Vec<_> = done.iter().flat_map(|fold| fold.flat.iter().cloned()).collect();
        let [table, one_view_table, plain_table, flat_table] =
            [&calibrated, &one_view, &plain, &flat].map(|answers| measure_all(answers));
        let measured = CrossValidation { folds: runs.len(), table, one_view_table, plain_table, flat_table };
        write_json(&job.folder.join("cross-validation.json"), &measured)?;
        cross_validation = Some(measured);
        calibration = Some(Calibration::fit(&plain)?);
    }
    let nobody = Division::default();
    let first = config.measured_folds.and_then(|_| runs.first().zip(done.into_iter().next()));
    // Whom the published network did not see.
    let left_out = first.as_ref().map_or(&nobody, |(division, _)| division);
    let learned: Vec<_> = examples.iter().filter(|example| !left_out.holds_out(example.patient)).collect();
    let (discs, patients) =
        (learned.len(), learned.iter().map(|example| example.patient).collect::<BTreeSet<_>>().len());
    let network = if config.final_network {
        let Fitted { network, variables } = if let Some((_, fold)) = first {
            fold.fitted
        } else {
            // The network of all patients is the same whatever is cross-validated beside it, but for its calibration.
            let config = &GradingTrainingConfig { folds: 0, ..config.clone() };
            let split = Split { config, examples: &examples, division: &nobody };
            split.run(config.seed, &job.part("final")).fit(&mut |_| Ok(()), on_progress)?
        };
        if let Some(calibration) = &calibration {
            calibration.fold_into(&variables)?;
        }
        if config.network.familiarity {
            let familiarity = familiar::familiarity(&learned, &job.cancel)?;
            let limit =
                familiarity_measures.as_ref().map_or(UNMEASURED_LIMIT, |measures: &FamiliarityMeasures| measures.limit);
            familiar::store(&familiarity.with_limit(limit)?, &variables)?;
        }
        Some((network, variables))
    } else {
        None
    };
    let taught =
        |examples: &[GradingExample], grading| examples.iter().any(|example| teaches(&example.labels, grading));
    let gradings = config.network.gradings.iter().copied();
    let untaught = gradings.filter(|grading| !taught(&examples, *grading));
    let uses_phantoms = config.flat.phantom + config.deep.phantom > 0;
    let phantoms_teach = |grading: &Grading| {
        uses_phantoms && PhantomSettings::GRADINGS.contains(grading) && config.task_weight(*grading) > 0.0
    };
    let (phantom_only_gradings, untrained_gradings) = untaught.partition(phantoms_teach);
    Ok(TrainingOutcome {
        cross_validation,
        network,
        calibration,
        familiarity_measures,
        phantom_only_gradings,
        untrained_gradings,
        patients,
        discs,
    })
}

/// Trains both stages on the phantoms of `config` alone and measures on every disc of `examples`: what phantoms teach about
/// patients. The table goes into the job's folder as `measures.json`.
///
/// # Errors
/// As [`train`].
pub(crate) fn train_on_phantoms(
    config: &GradingTrainingConfig,
    examples: &[GradingExample],
    job: &TrainingJob,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<CrossValidation, GradingTrainingError> {
    config.check()?;
    let examples = taught_by(config, examples);
    let everybody = Division { test: examples.iter().map(|example| example.patient).collect(), ..Division::default() };
    let split = Split { config, examples: &examples, division: &everybody };
    let done = split.run_fold(0, &job.part("phantoms"), on_progress)?;
    let network = &done.fitted.network;
    let table =
        split.predict(0, &everybody.test, &mut |example| answer(network, Views::FiftyFour, example, &job.cancel))?;
    let [table, plain_table, flat_table] = [&table, &done.plain, &done.flat].map(|answers| measure_all(answers));
    // Nothing is calibrated without patients.
    let measured = CrossValidation { folds: 1, table, one_view_table: plain_table.clone(), plain_table, flat_table };
    write_json(&job.folder.join("measures.json"), &measured)?;
    Ok(measured)
}

/// The examples with the labels that `config` learns from.
fn taught_by(config: &GradingTrainingConfig, examples: &[GradingExample]) -> Vec<GradingExample> {
    let learned = |example: &GradingExample| {
        let labels = config.learned(&example.labels);
        GradingExample { labels, ..example.clone() }
    };
    examples.iter().map(learned).collect()
}

fn teaches(labels: &DiscLabels, grading: Grading) -> bool {
    let marrow = matches!(grading, Grading::UpperMarrowChange | Grading::LowerMarrowChange);
    !labels.of(grading).is_unknown() || (marrow && labels.either_marrow_changed)
}

/// Discs and the patients that are left out of training.
struct Split<'a> {
    config: &'a GradingTrainingConfig,
    examples: &'a [GradingExample],
    division: &'a Division,
}

impl<'a> Split<'a> {
    fn run(&self, seed: u64, job: &'a TrainingJob) -> Run<'a> {
        let examples = self.examples.iter().filter(|example| !self.division.holds_out(example.patient)).collect();
        let aside = |example: &&GradingExample| self.division.validation.contains(&example.patient);
        let validation = self.examples.iter().filter(aside).collect();
        Run { config: self.config, examples, validation, seed, job }
    }

    fn run_fold(
        &self,
        fold: usize,
        job: &TrainingJob,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Fold, GradingTrainingError> {
        let seed = self.config.seed + 1 + fold as u64;
        let flat_path = job.folder.join("flat-predictions.json");
        let fitted = Split { ..*self }.run(seed, job).fit(
            &mut |flat| {
                let predicted = self.predict(fold, &self.division.test, &mut |example| {
                    let patch = example.flat_patch(&PatchAugmentation::NONE);
                    let patch = Tensor::from_vec(patch, (1, 1, PATCH_ROWS, PATCH_COLUMNS), &job.device)?;
                    Ok(probabilities(&flat.forward(&patch, &[example.level])?)?.remove(0))
                })?;
                write_json(&flat_path, &predicted)
            },
            on_progress,
        )?;
        let one_view = |patients: &[u32]| {
            self.predict(fold, patients, &mut |example| answer(&fitted.network, Views::One, example, &job.cancel))
        };
        let (plain, validation) = (one_view(&self.division.test)?, one_view(&self.division.validation)?);
        Ok(Fold { fitted, plain, validation, flat: read_json(&flat_path)? })
    }

    /// Answers for the discs of patients.
    fn predict(
        &self,
        fold: usize,
        patients: &[u32],
        answer: Answer,
    ) -> Result<Vec<HeldOutPrediction>, GradingTrainingError> {
        let held_out = self.examples.iter().filter(|example| patients.contains(&example.patient));
        held_out.map(|example| Ok(HeldOutPrediction::of(example, fold, answer(example)?))).collect()
    }
}

/// What a network says of a disc, as when it is used.
fn answer(
    network: &GradingNetwork,
    views: Views,
    example: &GradingExample,
    cancel: &CancelToken,
) -> Result<PerGrading<Vec<f32>>, GradingTrainingError> {
    let network = network.at_level(example.level)?;
    Ok(views.average(&network, &example.frame, &example.volume, cancel)?.probabilities)
}

/// What a network says of a disc.
type Answer<'a> = &'a mut dyn FnMut(&GradingExample) -> Result<PerGrading<Vec<f32>>, GradingTrainingError>;

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), GradingTrainingError> {
    let failed = |source| GradingTrainingError::File { source, path: path.to_owned() };
    let text = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    fs::write(path, text).map_err(failed)
}

pub(super) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, GradingTrainingError> {
    let failed = |source| GradingTrainingError::File { source, path: path.to_owned() };
    let text = fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| failed(error.into()))
}
