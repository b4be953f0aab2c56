//! Cross-validation and the final network.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use rayon::prelude::*;
use serde::Serialize;

use super::lessons::{BoxedScan, boxed_scans};
use super::publish::write_measures;
use super::sample::LabelledSlice;
use super::validation::{
    DiscCenters, ScanOutcome, Summary, evaluate_boxed, evaluate_scan, stack_disc_centers, summarize,
};
use super::{DetectorTrainingConfig, DetectorTrainingError, TrainingSet, train};
use crate::causes::with_causes;
use crate::detection::{Detection, DetectionError, Detector};
use crate::model::WeightsInfo;
use crate::model::detector::{DETECTOR_WEIGHTS, DetectorNetwork};
use crate::phantom::{Phantom, PhantomStudy};
use crate::spine::{Disc, DiscLevel, Vertebra, discs_between};
use crate::task::{CancelToken, Progress};
use crate::training::TrainingJob;
use crate::training::located::DiscFinder;
use crate::training::manifest::{DataManifest, ManifestError};
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
    /// Scans with marked vertebrae and discs that were not found.
    pub failures: Vec<MissedDiscs>,
    /// Every scan; they are written apart from the figures.
    #[serde(skip)]
    pub scans: Vec<MeasuredScan>,
}

/// What became of a held-out scan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MeasuredScan {
    /// Name in the data set.
    pub scan: String,
    /// Kind of scan.
    pub kind: String,
    /// The discs, each with the distance to the detected disc of that level (mm) and the level of the one found there.
    pub discs: Vec<(DiscLevel, Option<f64>, Option<DiscLevel>)>,
    /// Centers of the detected discs, `[slice, row, column]`.
    pub found: Vec<(DiscLevel, [f64; 3])>,
    /// Whether the names are wrong.
    pub is_misnamed: bool,
    /// Whether the reader is asked to check them.
    pub is_doubted: bool,
    /// Probability that the names should lie further up, or down.
    pub shifted: Option<[f64; 2]>,
}

impl MeasuredScan {
    fn new(scan: &str, kind: &str, outcome: &ScanOutcome, detection: Option<&Detection>) -> Self {
        let found = detection.map(|detection| discs_between(&detection.vertebrae)).unwrap_or_default();
        Self {
            scan: scan.to_owned(),
            kind: kind.to_owned(),
            discs: outcome.discs.iter().map(|disc| (disc.level, disc.distance_mm, disc.nearest)).collect(),
            found: found.iter().map(|disc| (disc.level, disc.center_voxel)).collect(),
            is_misnamed: outcome.is_misnamed,
            is_doubted: outcome.is_doubted,
            shifted: detection.map(|detection| detection.shifted),
        }
    }
}

/// How boxed slices were taught.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Taught {
    /// The detector that found their corners.
    pub teacher: WeightsInfo,
    /// How it does on them itself, by set and weighting.
    pub summaries: BTreeMap<String, Summary>,
    /// Slices taught with one reading of their levels, with two, and not at all.
    pub slices: [usize; 3],
}

impl Taught {
    fn new(teacher: WeightsInfo, scans: &[BoxedScan]) -> Self {
        let mut by_kind: BTreeMap<String, Vec<(u32, ScanOutcome)>> = BTreeMap::new();
        for scan in scans {
            let outcome = evaluate_boxed(scan, scan.taught.as_ref().ok());
            by_kind.entry(scan.kind.clone()).or_default().push((scan.patient, outcome));
        }
        let with = |readings: usize| scans.iter().filter(|scan| scan.readings.len() == readings).count();
        Self {
            teacher,
            summaries: by_kind.into_iter().map(|(kind, outcomes)| (kind, summarize(&outcomes))).collect(),
            slices: [with(1), with(2), with(0)],
        }
    }
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
    /// How boxed slices among them were taught.
    pub taught: Option<Taught>,
}

/// Scans with their truth.
struct Data {
    cases: Vec<ScanCase>,
    mask_centers: DiscCenters,
    boxed: Vec<BoxedScan>,
    teacher: Option<WeightsInfo>,
}

impl Data {
    fn load(manifest: &DataManifest, cancel: &CancelToken) -> Result<Self, DetectorTrainingError> {
        let (folder, sets) = manifest.detector_data()?;
        let (cases, mask_centers) = (load_cases(folder)?, stack_disc_centers(folder)?);
        if sets.is_empty() {
            return Ok(Self { cases, mask_centers, boxed: Vec::new(), teacher: None });
        }
        let finder = DiscFinder::new(manifest.detector.as_deref(), cancel).map_err(ManifestError::Detector)?;
        let (boxed, teacher) = (boxed_scans(&sets, &finder)?, Some(finder.weights().clone()));
        Ok(Self { cases, mask_centers, boxed, teacher })
    }

    /// Groups of patients; those with marked vertebrae and those with boxes are spread evenly.
    fn folds(&self, count: usize) -> Vec<Vec<u32>> {
        let marked = self.cases.iter().map(|case| (case.patient, 0));
        let boxed = self.boxed.iter().map(|scan| (scan.patient, 1));
        folds_by_patient(marked.chain(boxed), count, SPLIT_SEED)
    }

    /// The scans of the patients that `is_chosen` picks.
    fn part(&self, is_chosen: impl Fn(u32) -> bool) -> DataPart<'_> {
        DataPart {
            cases: self.cases.iter().filter(|case| is_chosen(case.patient)).collect(),
            boxed: self.boxed.iter().filter(|scan| is_chosen(scan.patient)).collect(),
        }
    }
}

/// Scans of some of the patients.
#[derive(Default)]
struct DataPart<'a> {
    cases: Vec<&'a ScanCase>,
    boxed: Vec<&'a BoxedScan>,
}

/// Trains on the phantoms of `config` alone for `config.steps` and measures on every scan of the manifest: what phantoms teach about
/// patients.
///
/// # Errors
/// As [`cross_validate_and_train`].
pub(crate) fn train_on_phantoms(
    config: &DetectorTrainingConfig,
    manifest: &DataManifest,
    job: &TrainingJob,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<DetectorOutcome, DetectorTrainingError> {
    let data = Data::load(manifest, &job.cancel)?;
    let set = training_set(config, &DataPart::default());
    let variables = train(config, &set, None, &job.part("phantoms"), on_progress)?;
    let detector = detector(config, &variables)?;
    let mut outcomes = Outcomes::default();
    outcomes.add_part(&detector, &data.part(|_| true), &data.mask_centers, &job.cancel)?;
    let measured = outcomes.measured([1, 1]);
    write_measures(&job.folder, &measured)?;
    Ok(DetectorOutcome { measured, variables, patients: 0, scans: 0, taught: None })
}

/// Trains and measures `config.measured_folds` of `config.folds` patient-level folds of the manifest's scans, then the final network on
/// all patients. Logs, checkpoints and the measures so far go to the job's folder; where it resumes, finished parts are kept and an
/// interrupted one goes on.
///
/// # Errors
/// If the data cannot be read, a file cannot be written, a tensor operation fails, or the work is cancelled.
pub(crate) fn cross_validate_and_train(
    config: &DetectorTrainingConfig,
    manifest: &DataManifest,
    job: &TrainingJob,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<DetectorOutcome, DetectorTrainingError> {
    let data = Data::load(manifest, &job.cancel)?;
    let folds = data.folds(config.folds);
    let mut outcomes = Outcomes::default();
    let mut measured = Measured::default();
    let mut first = None;
    for (fold, held_out) in folds.iter().enumerate().take(config.measured_folds) {
        let set = training_set(config, &data.part(|patient| !held_out.contains(&patient)));
        let part = job.part(&format!("fold-{fold}"));
        let variables = train(config, &set, None, &part, on_progress)?;
        let detector = detector(config, &variables)?;
        let held = data.part(|patient| held_out.contains(&patient));
        outcomes.add_part(&detector, &held, &data.mask_centers, &job.cancel)?;
        let first_seed = FIRST_MEASURED_PHANTOM + (fold * config.measured_phantoms) as u64;
        outcomes.add_phantoms(&detector, first_seed..first_seed + config.measured_phantoms as u64, &job.cancel)?;
        measured = outcomes.measured([fold + 1, folds.len()]);
        write_measures(&job.folder, &measured)?;
        first.get_or_insert(variables);
    }
    let set = training_set(config, &data.part(|_| true));
    let mut config_all = DetectorTrainingConfig { steps: config.final_steps, ..config.clone() };
    if first.is_some() {
        // A trained network is refined, not shaken up.
        config_all.schedule.peak *= 0.5;
    }
    let variables = train(&config_all, &set, first.as_ref(), &job.part("final"), on_progress)?;
    let patients = folds.iter().map(Vec::len).sum();
    let taught = data.teacher.map(|teacher| Taught::new(teacher, &data.boxed));
    Ok(DetectorOutcome { measured, variables, patients, scans: data.cases.len() + data.boxed.len(), taught })
}

fn training_set(config: &DetectorTrainingConfig, part: &DataPart<'_>) -> TrainingSet {
    let pixel_mm = config.network.pixel_mm;
    let kind = |stack: bool| {
        part.cases
            .iter()
            .filter(move |case| (case.volume.slices() > 1) == stack)
            .map(move |case| LabelledSlice::of_case(case, pixel_mm))
    };
    let mut set = TrainingSet::default();
    set.add_kind(config.shares.mid_sagittal, kind(false));
    set.add_kind(config.shares.stacks, kind(true));
    set.add_kind(config.shares.boxed, part.boxed.iter().map(|scan| LabelledSlice::of_boxed(scan, pixel_mm)));
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
    patient: u32,
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
            patient: case.patient,
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
            patient: seed as u32,
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
    by_kind: BTreeMap<String, Vec<(u32, ScanOutcome)>>,
    scans: Vec<MeasuredScan>,
    failures: Vec<MissedDiscs>,
}

impl Outcomes {
    /// Measures on held-out scans of patients.
    fn add_part(
        &mut self,
        detector: &Detector,
        part: &DataPart<'_>,
        mask_centers: &DiscCenters,
        cancel: &CancelToken,
    ) -> Result<(), DetectorTrainingError> {
        for case in &part.cases {
            let truth = Truth::of_case(case);
            let detection = self.add(detector, &truth, cancel)?;
            if let Some(centers) = mask_centers.get(&case.patient).filter(|_| truth.kind == STACK) {
                let outcome = evaluate_scan(truth.volume, truth.vertebrae, centers, detection.as_ref());
                self.by_kind.entry(format!("{STACK}_mask_centroids")).or_default().push((truth.patient, outcome));
            }
        }
        let found: Vec<_> =
            part.boxed.par_iter().map(|scan| detect(detector, &scan.volume, cancel)).collect::<Result<_, _>>()?;
        for (scan, (detection, _)) in part.boxed.iter().zip(found) {
            let outcome = evaluate_boxed(scan, detection.as_ref());
            self.scans.push(MeasuredScan::new(&scan.name, &scan.kind, &outcome, detection.as_ref()));
            self.by_kind.entry(scan.kind.clone()).or_default().push((scan.patient, outcome));
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
        let (detection, error) = detect(detector, truth.volume, cancel)?;
        let outcome = evaluate_scan(truth.volume, truth.vertebrae, &truth.discs, detection.as_ref());
        let missed: Vec<_> = outcome.discs.iter().filter(|disc| !disc.is_found).collect();
        if !missed.is_empty() {
            self.failures.push(MissedDiscs {
                scan: truth.name.clone(),
                kind: truth.kind.to_owned(),
                discs: missed.iter().map(|disc| (disc.level, disc.distance_mm, disc.nearest)).collect(),
                error,
                detection: detection.clone(),
            });
        }
        self.scans.push(MeasuredScan::new(&truth.name, truth.kind, &outcome, detection.as_ref()));
        self.by_kind.entry(truth.kind.to_owned()).or_default().push((truth.patient, outcome));
        Ok(detection)
    }

    fn measured(&self, folds: [usize; 2]) -> Measured {
        let summaries = self.by_kind.iter().map(|(kind, outcomes)| (kind.clone(), summarize(outcomes))).collect();
        Measured { folds, summaries, failures: self.failures.clone(), scans: self.scans.clone() }
    }
}

/// What is found on a scan, or why nothing.
fn detect(
    detector: &Detector,
    volume: &Volume,
    cancel: &CancelToken,
) -> Result<(Option<Detection>, Option<String>), DetectorTrainingError> {
    match detector.detect(volume, cancel, &mut |_| {}) {
        Ok(detection) => Ok((Some(detection), None)),
        Err(DetectionError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(DetectionError::Network(error)) => Err(error.into()),
        Err(error) => Ok((None, Some(with_causes(&error)))),
    }
}
