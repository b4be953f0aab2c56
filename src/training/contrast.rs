//! Learns to tell contrasts: intensities of scans whose contrast is known, a logistic regression on them, and how often patients left
//! out are judged wrong.
//!
//! No public lumbar set has fat-suppressed or proton-density images with known patients, so these are computed from T2 and T1 pictures
//! of the same slice: fat is what is bright on T1, and proton density lies between both weightings.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use thiserror::Error;

use super::boxed;
use super::located::{DiscFinder, ScanError};
use super::manifest::{DataManifest, DataSet, ManifestError};
use super::spider::load_cases;
use super::split::folds_by_patient;
use crate::detection::contrast::{
    ContrastModel, FAT, FEATURES, Features, ImageContrast, Intensities, MUSCLE, intensities,
};
use crate::phantom::{PhantomPatient, PhantomSettings, Sequence};
use crate::task::{CancelToken, Progress};
use crate::volume::Volume;

/// Folds of the measurement, split by patient.
const FOLDS: usize = 5;
const SEED: u64 = 18;
/// An image is taken for T2 unless its probability is less: readers are disturbed by each false alarm, and what is no T2 image lies
/// far below.
const LEAST_T2: f64 = 0.05;
/// Weight of the squares of the weights.
const RIDGE: f64 = 1e-4;
const STEPS: usize = 3000;
const RATE: f64 = 0.05;
/// Share of the fat that suppression leaves, at most.
const MOST_FAT_LEFT: f64 = 0.25;
/// Noise of computed images against the marrow of the T2 image.
const NOISE: f64 = 0.02;
/// Computed images are scaled to this value of the marrow of the T2 image.
const SCALE: f64 = 100.0;

/// Why nothing was learned.
#[derive(Debug, Error)]
pub enum ContrastTrainingError {
    /// The scans cannot be read.
    #[error(transparent)]
    Data(#[from] ManifestError),
    /// A tensor operation failed.
    #[error(transparent)]
    Network(#[from] candle_core::Error),
}

impl From<crate::task::Cancelled> for ContrastTrainingError {
    fn from(cancelled: crate::task::Cancelled) -> Self {
        Self::Data(cancelled.into())
    }
}

/// How the scans of one source were judged by what patients other than theirs taught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContrastRow {
    /// Where they come from.
    pub source: String,
    /// What they are.
    pub contrast: ImageContrast,
    /// Number of scans.
    pub scans: usize,
    /// Scans on which no spine was found; they are not graded for that reason.
    pub without_spine: usize,
    /// The others by what they were taken for.
    pub judged: BTreeMap<ImageContrast, usize>,
}

/// What is written: the model of all patients, and how models of four fifths of them judged the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearnedContrasts {
    /// How the scans that were learned from must be cited.
    pub attribution: Vec<String>,
    /// Rows by source.
    pub measured: Vec<ContrastRow>,
    /// For the program.
    pub model: ContrastModel,
}

/// A scan of known contrast.
struct Example {
    source: String,
    patient: u32,
    contrast: ImageContrast,
    /// `None` where no spine was found.
    features: Option<Features>,
}

/// Learns from the scans of a manifest whose contrast is known: sets of kind `spider-dev` (T2), `boxed` (T2 and T1, and what is
/// computed from both) and `phantom` (every contrast). T2 pictures with dark and bright exchanged stand for what nobody thought of.
///
/// # Errors
/// If a set cannot be read, the detector is missing, or `cancel` was asked.
pub fn learn(
    manifest: &DataManifest,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<LearnedContrasts, ContrastTrainingError> {
    let finder = DiscFinder::new(manifest.detector.as_deref(), cancel).map_err(ManifestError::Detector)?;
    let mut gathering = Gathering { finder, examples: Vec::new(), patients: BTreeMap::new(), cancel, on_progress };
    for set in &manifest.data {
        gathering.add_set(set)?;
    }
    let examples = gathering.examples;
    let strata = examples.iter().map(|example| (example.patient, example.contrast as usize));
    let mut measured: Vec<ContrastRow> = Vec::new();
    for held_out in folds_by_patient(strata, FOLDS, SEED) {
        let (test, learned): (Vec<_>, Vec<_>) =
            examples.iter().partition(|example| held_out.contains(&example.patient));
        let model = fit(&learned)?;
        for example in test {
            let at = measured.iter().position(|row| row.source == example.source).unwrap_or_else(|| {
                let Example { source, contrast, .. } = example;
                let (source, contrast) = (source.clone(), *contrast);
                measured.push(ContrastRow { source, contrast, scans: 0, without_spine: 0, judged: BTreeMap::new() });
                measured.len() - 1
            });
            let row = &mut measured[at];
            row.scans += 1;
            match &example.features {
                Some(features) => *row.judged.entry(model.judge(features)).or_default() += 1,
                None => row.without_spine += 1,
            }
        }
    }
    measured.sort_by(|a, b| (a.contrast, &a.source).cmp(&(b.contrast, &b.source)));
    let attribution = manifest.data.iter().filter_map(|set| set.source().attribution).collect();
    Ok(LearnedContrasts { attribution, measured, model: fit(&examples.iter().collect::<Vec<_>>())? })
}

struct Gathering<'a> {
    finder: DiscFinder<'a>,
    examples: Vec<Example>,
    patients: BTreeMap<String, u32>,
    cancel: &'a CancelToken,
    on_progress: &'a mut dyn FnMut(Progress),
}

impl Gathering<'_> {
    fn add_set(&mut self, set: &DataSet) -> Result<(), ManifestError> {
        let name = set.cohort();
        match set {
            DataSet::SpiderDev { folder } => {
                for case in load_cases(folder)? {
                    let patient = self.patient(name, &case.patient.to_string());
                    if case.volume.slices() > 1 {
                        self.add(&format!("{name}, stacks"), patient, ImageContrast::T2, &case.volume)?;
                    } else {
                        self.add(&format!("{name}, slices"), patient, ImageContrast::T2, &case.volume)?;
                        let source = format!("{name}, slices inverted");
                        self.add(&source, patient, ImageContrast::Other, &inverted(&case.volume))?;
                    }
                }
            }
            DataSet::Boxed { folder, .. } => self.add_boxed(name, boxed::pictures(folder)?)?,
            DataSet::Phantom { studies, seed } => {
                for seed in *seed..*seed + *studies as u64 {
                    let drawn = PhantomPatient::draw(&PhantomSettings::new(seed));
                    let patient = self.patient(name, &seed.to_string());
                    self.add(&format!("{name}, T2"), patient, ImageContrast::T2, &drawn.t2().volume)?;
                    for (kind, sequence, contrast) in [
                        ("T1", Sequence::T1Tse, ImageContrast::T1),
                        ("STIR", Sequence::Stir, ImageContrast::FatSuppressed),
                        ("proton density", Sequence::ProtonDensity, ImageContrast::Other),
                    ] {
                        let volume = drawn.with_contrast(sequence).volume;
                        self.add(&format!("{name}, {kind}"), patient, contrast, &volume)?;
                    }
                }
            }
            DataSet::Table { .. } | DataSet::Spider { .. } | DataSet::Rsna2024 { .. } => {}
        }
        Ok(())
    }

    fn add_boxed(&mut self, name: &str, pictures: Vec<boxed::Picture>) -> Result<(), ManifestError> {
        let mut pairs: BTreeMap<u32, [Option<(Volume, Intensities)>; 2]> = BTreeMap::new();
        for picture in pictures {
            let patient = self.patient(name, &picture.patient);
            let (place, kind, contrast) = match picture.weighting.as_str() {
                "t2" => (0, "T2", ImageContrast::T2),
                "t1" => (1, "T1", ImageContrast::T1),
                _ => continue,
            };
            let found = self.add(&format!("{name}, {kind}"), patient, contrast, &picture.volume)?;
            if contrast == ImageContrast::T2 {
                let source = format!("{name}, T2 inverted");
                self.add(&source, patient, ImageContrast::Other, &inverted(&picture.volume))?;
            }
            if let Some(found) = found {
                pairs.entry(patient).or_default()[place].get_or_insert((picture.volume, found));
            }
        }
        for (patient, pair) in pairs {
            let [Some(t2), Some(t1)] = pair else { continue };
            // Where fluid is brighter than marrow the picture was no T1 image.
            if t1.1.features[0] > 0.0 || t1.0.voxels().len() != t2.0.voxels().len() {
                continue;
            }
            let mut rng = ChaCha8Rng::seed_from_u64(SEED + u64::from(patient));
            let left = rng.random_range(0.0..MOST_FAT_LEFT);
            let suppressed = joined(&t2, &t1, |t2, t1, fat2, [muscle1, fat1]| {
                let fat = fat2 * ((t1 - muscle1) / (fat1 - muscle1)).clamp(0.0, 1.2);
                (t2 - fat * (1.0 - left)).abs().min(t2) + rng.random_range(0.0..NOISE)
            });
            self.add(&format!("{name}, fat suppressed"), patient, ImageContrast::FatSuppressed, &suppressed)?;
            let between = joined(&t2, &t1, |t2, t1, fat2, [_, fat1]| f64::midpoint(t2 / fat2, t1 / fat1));
            self.add(&format!("{name}, proton density"), patient, ImageContrast::Other, &between)?;
        }
        Ok(())
    }

    fn patient(&mut self, set: &str, name: &str) -> u32 {
        let next = self.patients.len() as u32;
        *self.patients.entry(format!("{set} {name}")).or_insert(next)
    }

    /// Adds a scan, and gives back what was read from it.
    fn add(
        &mut self,
        source: &str,
        patient: u32,
        contrast: ImageContrast,
        volume: &Volume,
    ) -> Result<Option<Intensities>, ManifestError> {
        self.cancel.check()?;
        (self.on_progress)(Progress { step: "Measuring contrasts", done: self.examples.len(), total: 0 });
        let found = match self.finder.vertebrae(volume) {
            Ok(vertebrae) => intensities(volume, &vertebrae),
            Err(error) => {
                let _: ScanError = error.unless_cancelled()?;
                None
            }
        };
        let features = found.as_ref().map(|found| found.features);
        self.examples.push(Example { source: source.to_owned(), patient, contrast, features });
        Ok(found)
    }
}

/// Dark and bright exchanged.
fn inverted(volume: &Volume) -> Volume {
    let highest = volume.voxels().iter().copied().fold(0.0, f32::max);
    let voxels = volume.voxels().iter().map(|value| highest - value).collect();
    Volume::new(volume.rows(), volume.columns(), voxels, volume.geometry().clone()).expect("the same size")
}

/// A picture computed from a T2 and a T1 picture of the same slice: `join` gets both values against their marrow, what fat sends on
/// the T2 picture, and what muscle and fat send on the T1 picture.
fn joined(
    (of_t2, on_t2): &(Volume, Intensities),
    (of_t1, on_t1): &(Volume, Intensities),
    mut join: impl FnMut(f64, f64, f64, [f64; 2]) -> f64,
) -> Volume {
    let tissues = [on_t1.features[MUSCLE].exp(), on_t1.features[FAT].exp()];
    let fat2 = on_t2.features[FAT].exp();
    let pairs = of_t2.voxels().iter().zip(of_t1.voxels());
    let join = |(t2, t1): (&f32, &f32)| {
        let [t2, t1] = [(t2, of_t2, on_t2), (t1, of_t1, on_t1)]
            .map(|(value, volume, on)| f64::from(value - volume.black()) / on.marrow);
        (SCALE * join(t2, t1, fat2, tissues)) as f32
    };
    Volume::new(of_t2.rows(), of_t2.columns(), pairs.map(join).collect(), of_t2.geometry().clone())
        .expect("the same size")
}

/// The regression with the least cross-entropy, all contrasts counting the same.
fn fit(examples: &[&Example]) -> candle_core::Result<ContrastModel> {
    let known: Vec<(&Features, ImageContrast)> =
        examples.iter().filter_map(|example| Some((example.features.as_ref()?, example.contrast))).collect();
    let count = known.len() as f64;
    let mean: Features = std::array::from_fn(|at| known.iter().map(|(row, _)| row[at]).sum::<f64>() / count);
    let deviation: Features = std::array::from_fn(|at| {
        (known.iter().map(|(row, _)| (row[at] - mean[at]).powi(2)).sum::<f64>() / count).sqrt().max(1e-6)
    });
    let inputs: Vec<f64> = known.iter().flat_map(|(row, _)| ContrastModel::inputs(&mean, &deviation, row)).collect();
    let width = 2 * FEATURES + 1;
    let share = |contrast| {
        let of_class = known.iter().filter(|(_, other)| *other == contrast).count();
        1.0 / (of_class.max(1) * ImageContrast::ALL.len()) as f64
    };
    let shares = ImageContrast::ALL.map(share);
    let targets: Vec<f64> = known
        .iter()
        .flat_map(|(_, own)| {
            ImageContrast::ALL.iter().zip(shares).map(move |(other, share)| if other == own { share } else { 0.0 })
        })
        .collect();
    let cpu = &Device::Cpu;
    let inputs = Tensor::from_vec(inputs, (known.len(), width), cpu)?;
    let targets = Tensor::from_vec(targets, (known.len(), ImageContrast::ALL.len()), cpu)?;
    let weights = Var::zeros((width, ImageContrast::ALL.len()), DType::F64, cpu)?;
    let settings = ParamsAdamW { lr: RATE, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(vec![weights.clone()], settings)?;
    for step in 0..STEPS {
        optimizer.set_learning_rate(RATE * (1.0 - step as f64 / STEPS as f64));
        let logs = candle_nn::ops::log_softmax(&inputs.matmul(&weights)?, 1)?;
        let penalty = (weights.narrow(0, 0, width - 1)?.sqr()?.sum_all()? * RIDGE)?;
        let loss = (penalty - (logs * &targets)?.sum_all()?)?;
        optimizer.backward_step(&loss)?;
    }
    let [a, b, c, d] = std::array::from_fn(|class| weights.as_tensor().get_on_dim(1, class)?.to_vec1::<f64>());
    Ok(ContrastModel { mean, deviation, weights: [a?, b?, c?, d?], least_t2: LEAST_T2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two features decide; the others are noise.
    #[test]
    fn a_regression_tells_classes_apart_that_differ() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut example = |index: usize| {
            let contrast = ImageContrast::ALL[index % 4];
            let mut features: Features = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
            features[0] += if index.is_multiple_of(2) { 3.0 } else { -3.0 };
            features[1] += if index % 4 < 2 { 3.0 } else { -3.0 };
            Example { source: "made".to_owned(), patient: index as u32, contrast, features: Some(features) }
        };
        let examples: Vec<Example> = (0..200).map(&mut example).collect();
        let model = fit(&examples.iter().take(120).collect::<Vec<_>>()).expect("fitted");
        let is_right = |example: &&Example| {
            let found = model.probabilities(example.features.as_ref().expect("made"));
            ImageContrast::ALL.iter().zip(found).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(best, _)| *best)
                == Some(example.contrast)
        };
        let right = examples[120..].iter().filter(is_right).count();
        assert!(right >= 76, "{right} of 80");
    }

    #[test]
    fn pairs_are_joined_in_units_of_their_marrow() {
        let one = crate::phantom::Phantom::generate(5).volume;
        let features = std::array::from_fn(|index| if index == FAT { 2f64.ln() } else { 0.5f64.ln() });
        let (t2, t1) = (Intensities { marrow: 10.0, features }, Intensities { marrow: 20.0, features });
        let (t2, t1) = ((one.clone(), t2), (one.clone(), t1));
        let sum = joined(&t2, &t1, |t2, t1, fat2, [muscle1, fat1]| t2 + t1 + 0.0 * (fat2 + muscle1 + fat1));
        let at = one.voxels().len() / 2;
        assert!((f64::from(sum.voxels()[at]) - SCALE * f64::from(one.voxels()[at]) * 0.15).abs() < 1e-2);
        let told = joined(&t2, &t1, |_, _, fat2, [muscle1, fat1]| fat2 * 100.0 + fat1 * 10.0 + muscle1);
        assert!((f64::from(told.voxels()[0]) / SCALE - 220.5).abs() < 1e-3);
        let twice = inverted(&inverted(&one));
        assert_eq!(twice.voxels()[at], one.voxels()[at]);
    }
}
