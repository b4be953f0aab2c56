//! Cross-validation and the final network.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use serde::Serialize;

use super::sample::LabelledSlice;
use super::validation::{DiscCenters, ScanOutcome, Summary, evaluate_scan, stack_disc_centers, summarize};
use super::{DetectorTrainingConfig, DetectorTrainingError, TrainingSet, train};
use crate::causes::with_causes;
use crate::detection::{Detection, DetectionError, Detector};
use crate::model::WeightsInfo;
use crate::model::detector::{DETECTOR_WEIGHTS, DetectorNetwork};
use crate::phantom::{Phantom, PhantomStudy};
use crate::spine::{Disc, DiscLevel, Vertebra, discs_between};
use crate::task::{CancelToken, Progress};
use crate::training::TrainingJob;
use crate::training::optimizer::sorted;
use crate::training::spider::{ScanCase, load_cases};
use crate::training::split::folds_by_patient;
use crate::volume::Volume;

/// Decides the groups of patients; apart from the training seed, so that another seed is measured on the same groups.
const SPLIT_SEED: u64 = 1;

/// Seed of the first phantom that is measured on; far from those that are learned from.
const FIRST_MEASURED_PHANTOM: u64 = 900_000;

/// Kinds of scans, as the measures name them.
const MID_SAGITTAL: &str = "t2_mid_sagittal";
const STACK: &str = "t2_space_stack";
const PHANTOM: &str = "phantom";

/// Figures of the scans that were held out, by kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Measured {
    /// Folds measured, of how many.
    pub folds: [usize; 2],
    /// By kind of scan and truth.
    pub summaries: BTreeMap<String, Summary>,
    /// Scans with discs that were not found.
    pub failures: Vec<MissedDiscs>,
}

/// A held-out scan with discs that were not found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MissedDiscs {
    /// Name of the scan in the data set.
    pub scan: String,
    /// The discs, each with the distance to the detected disc of that level (mm) and the level of the one found there.
    pub discs: Vec<(DiscLevel, Option<f64>, Option<DiscLevel>)>,
    /// Why nothing was detected, if nothing was.
    pub error: Option<String>,
    /// Kind of scan.
    pub kind: String,
    #[serde(skip)]
    pub detection: Option<Detection>,
}

/// What training made.
pub(crate) struct DetectorOutcome {
    /// Held-out figures.
    pub measured: Measured,
    /// Tensors of the network of all patients.
    pub variables: VarMap,
    pub patients: usize,
    pub scans: usize,
}

/// Trains on the phantoms of `config` alone for `config.steps` and measures on every scan of the SPIDER development set in
/// `folder`: what phantoms teach about patients.
///
/// # Errors
/// As [`cross_validate_and_train`].
pub(crate) fn train_on_phantoms(
    config: &DetectorTrainingConfig,
    folder: &Path,
    job: &TrainingJob,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<DetectorOutcome, DetectorTrainingError> {
    let cases = load_cases(folder)?;
    let mask_centers = stack_disc_centers(folder)?;
    let set = training_set(config, &[]);
    let variables = train(config, &set, None, &job.part("phantoms"), on_progress)?;
    let detector = detector(config, &variables)?;
    let mut outcomes = Outcomes::default();
    outcomes.add_cases(&detector, &cases, &mask_centers, &job.cancel)?;
    Ok(DetectorOutcome { measured: outcomes.measured([1, 1]), variables, patients: 0, scans: 0 })
}

/// Trains and measures `config.measured_folds` of `config.folds` patient-level folds on the SPIDER development set in
/// `folder`, then the final network on all patients. Logs and checkpoints go to the job's folder; where it resumes, finished parts are
/// kept and an interrupted one goes on.
///
/// # Errors
/// If the data cannot be read, a file cannot be written, a tensor operation fails, or the work is cancelled.
pub(crate) fn cross_validate_and_train(
    config: &DetectorTrainingConfig,
    folder: &Path,
    job: &TrainingJob,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<DetectorOutcome, DetectorTrainingError> {
    let cases = load_cases(folder)?;
    let mask_centers = stack_disc_centers(folder)?;
    let folds = folds_by_patient(cases.iter().map(|case| (case.patient, 0)), config.folds, SPLIT_SEED);
    let mut outcomes = Outcomes::default();
    let mut first = None;
    for (fold, held_out) in folds.iter().enumerate().take(config.measured_folds) {
        let (held, learned): (Vec<_>, Vec<_>) = cases.iter().partition(|case| held_out.contains(&case.patient));
        let set = training_set(config, &learned);
        let part = job.part(&format!("fold-{fold}"));
        let variables = train(config, &set, None, &part, on_progress)?;
        let detector = detector(config, &variables)?;
        outcomes.add_cases(&detector, held, &mask_centers, &job.cancel)?;
        let first_seed = FIRST_MEASURED_PHANTOM + (fold * config.measured_phantoms) as u64;
        outcomes.add_phantoms(&detector, first_seed..first_seed + config.measured_phantoms as u64, &job.cancel)?;
        first.get_or_insert(variables);
    }
    let all: Vec<&ScanCase> = cases.iter().collect();
    let set = training_set(config, &all);
    let mut config_all = DetectorTrainingConfig { steps: config.final_steps, ..config.clone() };
    if first.is_some() {
        // A trained network is refined, not shaken up.
        config_all.schedule.peak *= 0.5;
    }
    let variables = train(&config_all, &set, first.as_ref(), &job.part("final"), on_progress)?;
    let measured = outcomes.measured([config.measured_folds.min(folds.len()), folds.len()]);
    let patients = folds.iter().map(Vec::len).sum();
    Ok(DetectorOutcome { measured, variables, patients, scans: cases.len() })
}

fn training_set(config: &DetectorTrainingConfig, cases: &[&ScanCase]) -> TrainingSet {
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
    set.add_phantoms(config.shares.phantoms, config.first_phantom, pixel_mm);
    set
}

/// A detector of the network in its present state.
fn detector(config: &DetectorTrainingConfig, variables: &VarMap) -> Result<Detector, DetectorTrainingError> {
    let tensors: HashMap<String, Tensor> = sorted(variables)
        .into_iter()
        .map(|(name, variable)| Ok((name, variable.as_detached_tensor().to_device(&Device::Cpu)?)))
        .collect::<candle_core::Result<_>>()?;
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let network = DetectorNetwork::new(&config.network, vb)?;
    let info = WeightsInfo { name: DETECTOR_WEIGHTS.to_owned(), version: "0.0.0".to_owned(), sha256: String::new() };
    Ok(Detector::new(network, config.network.clone(), Device::Cpu, info))
}

/// A scan with its truth.
struct Truth<'a> {
    name: String,
    kind: &'static str,
    volume: &'a Volume,
    vertebrae: &'a [Vertebra],
    /// Level and center `[slice, row, column]`.
    discs: Vec<(DiscLevel, [f64; 3])>,
}

impl<'a> Truth<'a> {
    fn of_case(case: &'a ScanCase) -> Self {
        Self {
            name: case.name.clone(),
            kind: if case.volume.slices() > 1 { STACK } else { MID_SAGITTAL },
            volume: &case.volume,
            // A body of which only the lower endplate is in the image is no truth to compare corners with.
            vertebrae: &case.vertebrae[usize::from(case.top_is_extrapolated)..],
            discs: case.discs.iter().map(|disc| (disc.disc.level, disc.disc.center_voxel)).collect(),
        }
    }

    fn of_phantom(study: &'a PhantomStudy, seed: u64) -> Self {
        let center = |disc: Disc| (disc.level, disc.center_voxel);
        Self {
            name: format!("phantom_{seed}"),
            kind: PHANTOM,
            volume: &study.volume,
            vertebrae: &study.vertebrae,
            discs: discs_between(&study.vertebrae).into_iter().map(center).collect(),
        }
    }
}

#[derive(Default)]
struct Outcomes {
    by_kind: BTreeMap<String, Vec<ScanOutcome>>,
    failures: Vec<MissedDiscs>,
}

impl Outcomes {
    /// Measures on held-out scans of patients.
    fn add_cases<'a>(
        &mut self,
        detector: &Detector,
        cases: impl IntoIterator<Item = &'a ScanCase>,
        mask_centers: &DiscCenters,
        cancel: &CancelToken,
    ) -> Result<(), DetectorTrainingError> {
        for case in cases {
            let truth = Truth::of_case(case);
            let detection = self.add(detector, &truth, cancel)?;
            if let Some(centers) = mask_centers.get(&case.patient).filter(|_| truth.kind == STACK) {
                let outcome = evaluate_scan(truth.volume, truth.vertebrae, centers, detection.as_ref());
                self.by_kind.entry(format!("{STACK}_mask_centroids")).or_default().push(outcome);
            }
        }
        Ok(())
    }

    /// Measures on phantoms that were not learned from.
    fn add_phantoms(
        &mut self,
        detector: &Detector,
        seeds: Range<u64>,
        cancel: &CancelToken,
    ) -> Result<(), DetectorTrainingError> {
        for seed in seeds {
            self.add(detector, &Truth::of_phantom(&Phantom::generate(seed), seed), cancel)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        detector: &Detector,
        truth: &Truth<'_>,
        cancel: &CancelToken,
    ) -> Result<Option<Detection>, DetectorTrainingError> {
        let (detection, error) = match detector.detect(truth.volume, cancel, &mut |_| {}) {
            Ok(detection) => (Some(detection), None),
            Err(DetectionError::Cancelled(cancelled)) => return Err(cancelled.into()),
            Err(DetectionError::Network(error)) => return Err(error.into()),
            Err(error) => (None, Some(with_causes(&error))),
        };
        let outcome = evaluate_scan(truth.volume, truth.vertebrae, &truth.discs, detection.as_ref());
        let missed: Vec<_> = outcome.discs.iter().filter(|disc| !disc.is_found()).collect();
        if !missed.is_empty() {
            self.failures.push(MissedDiscs {
                scan: truth.name.clone(),
                kind: truth.kind.to_owned(),
                discs: missed.iter().map(|disc| (disc.level, disc.distance_mm, disc.nearest)).collect(),
                error,
                detection: detection.clone(),
            });
        }
        self.by_kind.entry(truth.kind.to_owned()).or_default().push(outcome);
        Ok(detection)
    }

    fn measured(self, folds: [usize; 2]) -> Measured {
        let summaries = self.by_kind.into_iter().map(|(kind, outcomes)| (kind, summarize(&outcomes))).collect();
        Measured { folds, summaries, failures: self.failures }
    }
}
