//! Cross-validation and the final network.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use serde::Serialize;

use super::sample::LabelledSlice;
use super::validation::{DiscCenters, ScanOutcome, Summary, evaluate_scan, stack_disc_centers, summarize};
use super::{DetectorTrainingConfig, DetectorTrainingError, TrainingSet, train};
use crate::detection::{DetectionError, Detector};
use crate::model::WeightsInfo;
use crate::model::detector::{DETECTOR_WEIGHTS, DetectorNetwork};
use crate::phantom::Phantom;
use crate::spine::DiscLevel;
use crate::task::{CancelToken, Progress};
use crate::training::optimizer::sorted;
use crate::training::spider::{ScanCase, load_cases};
use crate::training::split::folds_by_patient;

/// Decides the groups of patients; apart from the training seed, so that another seed is measured on the same groups.
const SPLIT_SEED: u64 = 1;

/// Figures of the scans that were held out, by kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Folds measured, of how many.
    pub folds: [usize; 2],
    /// By kind of scan and truth.
    pub summaries: BTreeMap<String, Summary>,
    /// Scans with discs that were not found.
    pub failures: Vec<MissedDiscs>,
}

/// A held-out scan with discs that were not found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MissedDiscs {
    /// Name of the scan in the data set.
    pub scan: String,
    /// The discs, each with the distance to the detected disc of that level (mm) and the level of the one found there.
    pub discs: Vec<(DiscLevel, Option<f64>, Option<DiscLevel>)>,
    /// Why nothing was detected, if nothing was.
    pub error: Option<String>,
}

/// What training made.
pub struct DetectorOutcome {
    /// Held-out figures.
    pub measured: Measured,
    /// Tensors of the network of all patients.
    pub variables: VarMap,
    /// Patients.
    pub patients: usize,
    /// Scans.
    pub scans: usize,
}

/// Trains on the phantoms of `config` alone for `config.steps` and measures on every scan of the SPIDER development set in
/// `folder`: what phantoms teach about patients.
///
/// # Errors
/// As [`cross_validate_and_train`].
pub fn train_on_phantoms(
    config: &DetectorTrainingConfig,
    folder: &Path,
    out: &Path,
    resume: bool,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<DetectorOutcome, DetectorTrainingError> {
    let cases = load_cases(folder)?;
    let mask_centers = stack_disc_centers(folder)?;
    let set = training_set(config, &[], cancel)?;
    let variables = train(config, &set, None, &out.join("phantoms"), resume, cancel, on_progress)?;
    let detector = detector(config, &variables)?;
    let mut outcomes = Outcomes::default();
    for case in &cases {
        cancel.check()?;
        outcomes.add(&detector, case, &mask_centers, cancel)?;
    }
    Ok(DetectorOutcome { measured: outcomes.measured([1, 1]), variables, patients: 0, scans: 0 })
}

/// Trains and measures `config.measured_folds` of `config.folds` patient-level folds on the SPIDER development set in
/// `folder`, then the final network on all patients. Logs and checkpoints go to `out`; with `resume` finished parts are
/// kept and an interrupted one goes on.
///
/// # Errors
/// If the data cannot be read, a file cannot be written, a tensor operation fails, or the work is cancelled.
pub fn cross_validate_and_train(
    config: &DetectorTrainingConfig,
    folder: &Path,
    out: &Path,
    resume: bool,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<DetectorOutcome, DetectorTrainingError> {
    let cases = load_cases(folder)?;
    let mask_centers = stack_disc_centers(folder)?;
    let folds = folds_by_patient(cases.iter().map(|case| (case.patient, 0)), config.folds, SPLIT_SEED);
    let mut outcomes = Outcomes::default();
    let mut first = None;
    for (fold, held_out) in folds.iter().enumerate().take(config.measured_folds) {
        let (held, learned): (Vec<_>, Vec<_>) = cases.iter().partition(|case| held_out.contains(&case.patient));
        let set = training_set(config, &learned, cancel)?;
        let out = out.join(format!("fold-{fold}"));
        let variables = train(config, &set, None, &out, resume, cancel, on_progress)?;
        let detector = detector(config, &variables)?;
        for case in held {
            cancel.check()?;
            outcomes.add(&detector, case, &mask_centers, cancel)?;
        }
        first.get_or_insert(variables);
    }
    let all: Vec<&ScanCase> = cases.iter().collect();
    let set = training_set(config, &all, cancel)?;
    let mut config_all = DetectorTrainingConfig { steps: config.final_steps, ..config.clone() };
    if first.is_some() {
        // A trained network is refined, not shaken up.
        config_all.schedule.peak *= 0.5;
    }
    let variables = train(&config_all, &set, first.as_ref(), &out.join("final"), resume, cancel, on_progress)?;
    let measured = outcomes.measured([config.measured_folds.min(folds.len()), folds.len()]);
    let patients = folds.iter().map(Vec::len).sum();
    Ok(DetectorOutcome { measured, variables, patients, scans: cases.len() })
}

fn training_set(
    config: &DetectorTrainingConfig,
    cases: &[&ScanCase],
    cancel: &CancelToken,
) -> Result<TrainingSet, DetectorTrainingError> {
    let pixel_mm = config.network.pixel_mm;
    let kind = |stack: bool| {
        cases
            .iter()
            .filter(move |case| (case.volume.slices() > 1) == stack)
            .map(move |case| LabelledSlice::of_case(case, pixel_mm))
    };
    let mut set = TrainingSet::default();
    set.add_kind(config.shares.mid_sagittal, kind(false));
    set.add_kind(config.shares.stacks, kind(true));
    let mut phantoms = Vec::new();
    for index in 0..config.phantoms {
        cancel.check()?;
        let study = Phantom::generate(config.first_phantom + index as u64);
        phantoms.push(LabelledSlice::of_phantom(&study, pixel_mm));
    }
    set.add_kind(config.shares.phantoms, phantoms.into_iter());
    Ok(set)
}

/// A detector of the network in its present state.
fn detector(config: &DetectorTrainingConfig, variables: &VarMap) -> Result<Detector, DetectorTrainingError> {
    let tensors: HashMap<String, Tensor> =
        sorted(variables).into_iter().map(|(name, variable)| (name, variable.as_detached_tensor())).collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let network = DetectorNetwork::new(&config.network, vb)?;
    let info = WeightsInfo { name: DETECTOR_WEIGHTS.to_owned(), version: "0.0.0".to_owned(), sha256: String::new() };
    Ok(Detector::new(network, config.network.clone(), Device::Cpu, info))
}

#[derive(Default)]
struct Outcomes {
    by_kind: BTreeMap<String, Vec<ScanOutcome>>,
    failures: Vec<MissedDiscs>,
}

impl Outcomes {
    fn add(
        &mut self,
        detector: &Detector,
        case: &ScanCase,
        mask_centers: &DiscCenters,
        cancel: &CancelToken,
    ) -> Result<(), DetectorTrainingError> {
        let (detection, error) = match detector.detect(&case.volume, cancel, &mut |_| {}) {
            Ok(detection) => (Some(detection), None),
            Err(DetectionError::Cancelled(cancelled)) => return Err(cancelled.into()),
            Err(DetectionError::Network(error)) => return Err(error.into()),
            Err(error) => (None, Some(error.to_string())),
        };
        // A body of which only the lower endplate is in the image is no truth to compare corners with.
        let truth = &case.vertebrae[usize::from(case.top_is_extrapolated)..];
        let evaluate =
            |centers: &[(DiscLevel, [f64; 3])]| evaluate_scan(&case.volume, truth, centers, detection.as_ref());
        let centers: Vec<_> = case.discs.iter().map(|disc| (disc.disc.level, disc.disc.center_voxel)).collect();
        let outcome = evaluate(&centers);
        let missed: Vec<_> = outcome.discs.iter().filter(|disc| !disc.is_found()).collect();
        if !missed.is_empty() {
            let discs = missed.iter().map(|disc| (disc.level, disc.distance_mm, disc.nearest)).collect();
            self.failures.push(MissedDiscs { scan: case.name.clone(), discs, error });
        }
        let is_stack = case.volume.slices() > 1;
        let kind = if is_stack { "t2_space_stack" } else { "t2_mid_sagittal" };
        self.by_kind.entry(kind.to_owned()).or_default().push(outcome);
        if let Some(centers) = mask_centers.get(&case.patient).filter(|_| is_stack) {
            self.by_kind.entry("t2_space_stack_mask_centroids".to_owned()).or_default().push(evaluate(centers));
        }
        Ok(())
    }

    fn measured(self, folds: [usize; 2]) -> Measured {
        let summaries = self.by_kind.into_iter().map(|(kind, outcomes)| (kind, summarize(&outcomes))).collect();
        Measured { folds, summaries, failures: self.failures }
    }
}
