//! Training of the vertebra detector ([`crate::model::detector`]).

mod lessons;
mod loss;
mod publish;
mod run;
mod sample;
mod targets;
mod validation;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) use loss::LossParts;
pub(crate) use publish::publish;
pub(crate) use run::{DetectorOutcome, Measured, MissedDiscs, cross_validate_and_train, train_on_phantoms};
pub(crate) use sample::{AugmentationConfig, LabelledSlice};
pub(crate) use targets::Targets;

use super::manifest::ManifestError;
use super::optimizer::{Optimizer, UpdateRule, initialize, sorted};
use super::schedule::CosineSchedule;
use super::{CHECKPOINT, SpiderError, TrainingJob};
use crate::model::WeightsError;
use crate::model::detector::{DetectorConfig, DetectorHead, DetectorNetwork};
use crate::phantom::{PhantomPatient, PhantomSettings};
use crate::task::{Cancelled, Progress};

/// Everything that decides a training run; `assets/training/detector.toml` holds the shipped one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorTrainingConfig {
    /// Decides weights, samples and their variation.
    pub seed: u64,
    /// Groups of patients for cross-validation.
    pub folds: usize,
    /// How many of them are held out in turn (fewer than all to save time; 0 measures nothing).
    pub measured_folds: usize,
    /// Optimizer steps of each fold.
    pub steps: usize,
    /// Optimizer steps of the final network; it goes on from the first fold's network if there is one.
    pub final_steps: usize,
    /// Slices a step.
    pub batch: usize,
    /// Edge of the square views, pixels.
    pub edge: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients are scaled down to this norm.
    pub largest_gradient: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Shares of the kinds of scans.
    pub(crate) shares: Shares,
    /// Unseen phantoms that each fold is measured on, beside its held-out patients.
    pub measured_phantoms: usize,
    /// Seed of the first phantom; each sample shows another one.
    pub first_phantom: u64,
    /// Network size.
    pub network: DetectorConfig,
    /// Learning rate.
    pub(crate) schedule: CosineSchedule,
    /// Variation of the slices.
    pub(crate) augmentation: AugmentationConfig,
}

/// How often each kind of scan is drawn, relative to the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shares {
    /// Single mid-sagittal slices.
    pub mid_sagittal: f64,
    /// Stacks of slices.
    pub stacks: f64,
    /// Boxed slices.
    #[serde(default)]
    pub boxed: f64,
    pub phantoms: f64,
}

/// Why training stopped.
#[derive(Debug, Error)]
pub(crate) enum DetectorTrainingError {
    /// Nothing to learn from.
    #[error("there is no scan to train on")]
    NoScans,
    /// The checkpoint belongs to another configuration or cannot be read.
    #[error("cannot resume ({reason}): {}", path.display())]
    Checkpoint {
        /// What does not fit.
        reason: String,
        /// The checkpoint.
        path: PathBuf,
    },
    /// The log or a checkpoint cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// The data set could not be read.
    #[error(transparent)]
    Data(#[from] SpiderError),
    /// The boxed sets could not be read, or there is no detector to teach them.
    #[error(transparent)]
    Boxed(#[from] ManifestError),
    /// A table beside the data set is missing or malformed.
    #[error("cannot read the table ({reason}): {}", path.display())]
    Table {
        reason: String,
        /// The table.
        path: PathBuf,
    },
    /// The weights could not be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Stopped on request; the last checkpoint stays.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A tensor operation failed.
    #[error("the detector network failed")]
    Network(#[from] candle_core::Error),
}

/// Scans to learn from, grouped by kind.
#[derive(Default)]
pub(crate) struct TrainingSet {
    groups: Vec<Group>,
}

struct Group {
    share: f64,
    source: Source,
}

enum Source {
    /// Slices of each scan.
    Scans(Vec<Vec<LabelledSlice>>),
    /// Synthetic patients, made when they are drawn: seed of the first one, and the canvas' pixel size.
    Phantoms { first_seed: u64, pixel_mm: f64 },
}

impl TrainingSet {
    /// Adds the slices of each scan of one kind, drawn with the given share. A kind without slices is left out.
    pub(crate) fn add_kind(&mut self, share: f64, scans: impl Iterator<Item = Vec<LabelledSlice>>) {
        let scans: Vec<_> = scans.filter(|slices| !slices.is_empty()).collect();
        if !scans.is_empty() && share > 0.0 {
            self.groups.push(Group { share, source: Source::Scans(scans) });
        }
    }

    /// Adds phantoms, another one for every sample.
    pub(crate) fn add_phantoms(&mut self, share: f64, first_seed: u64, pixel_mm: f64) {
        if share > 0.0 {
            self.groups.push(Group { share, source: Source::Phantoms { first_seed, pixel_mm } });
        }
    }

    /// A slice for the sample with a number.
    fn draw(&self, number: u64, random: &mut impl Rng) -> Option<Cow<'_, LabelledSlice>> {
        let total: f64 = self.groups.iter().map(|group| group.share).sum();
        let mut left = total * random.random::<f64>();
        let group = self.groups.iter().find(|group| {
            left -= group.share;
            left < 0.0
        });
        match &group.or(self.groups.last())?.source {
            Source::Scans(scans) => {
                let slices = &scans[random.random_range(0..scans.len())];
                Some(Cow::Borrowed(&slices[random.random_range(0..slices.len())]))
            }
            Source::Phantoms { first_seed, pixel_mm } => {
                let patient = PhantomPatient::draw(&PhantomSettings::new(first_seed.wrapping_add(number)));
                Some(Cow::Owned(LabelledSlice::of_phantom(&patient, *pixel_mm, random)))
            }
        }
    }
}

/// Trains a detector for `config.steps`, from random weights or those of `start`; the log (`log.csv`) and checkpoints go
/// to the job's folder. Where it resumes, it goes on from the checkpoint there, if there is one, to the same result as an uninterrupted run.
///
/// # Errors
/// If there is no scan, the checkpoint does not fit, a file cannot be written, or the work is cancelled.
pub(crate) fn train(
    config: &DetectorTrainingConfig,
    set: &TrainingSet,
    start: Option<&VarMap>,
    job: &TrainingJob,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<VarMap, DetectorTrainingError> {
    let TrainingJob { folder, resume, device, cancel } = job;
    let variables = VarMap::new();
    let network = DetectorNetwork::new(&config.network, VarBuilder::from_varmap(&variables, DType::F32, device))?;
    initialize(&variables, config.seed)?;
    calm_heads(&variables)?;
    for ((_, variable), (_, start)) in sorted(&variables).iter().zip(start.map(sorted).unwrap_or_default()) {
        variable.set(&start.to_device(device)?)?;
    }
    let mut optimizer = Optimizer::new(UpdateRule::AdamW, &variables, config.weight_decay, config.largest_gradient)?;
    let checkpoint = Checkpoint { folder: folder.to_owned() };
    fs::create_dir_all(folder).map_err(|source| DetectorTrainingError::Write { source, path: folder.to_owned() })?;
    if *resume && checkpoint.exists() {
        let (state, steps) = checkpoint.load(config)?;
        optimizer.restore(&state, steps)?;
    }
    let mut log = TrainingLog::open(folder, optimizer.steps())?;
    while optimizer.steps() < config.steps {
        cancel.check()?;
        let step = optimizer.steps();
        on_progress(Progress { step: "Training the detector", done: step, total: config.steps });
        let start = Instant::now();
        // Each step has its own stream, so that a resumed run draws what an uninterrupted one would have.
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        random.set_stream(step as u64 + 1);
        let (input, targets) = draw_batch(config, set, step, &mut random)?;
        let output = network.forward(&input.to_device(device)?)?;
        let (parts, gradient) = loss::loss_and_gradient(&output.flatten_all()?.to_vec1::<f32>()?, &targets);
        // The sum of outputs times their (constant) gradients has exactly those gradients.
        let surrogate = (&output * Tensor::from_vec(gradient, output.shape(), device)?)?.sum_all()?;
        let rate = config.schedule.rate(step, config.steps);
        let norm = optimizer.step(&surrogate.backward()?, rate)?;
        log.write(step, rate, parts, norm, start.elapsed().as_secs_f64())?;
        if optimizer.steps().is_multiple_of(config.checkpoint_every) || optimizer.steps() == config.steps {
            checkpoint.save(config, &optimizer)?;
        }
    }
    on_progress(Progress { step: "Training the detector", done: config.steps, total: config.steps });
    Ok(variables)
}

/// Starts the heads small, and with the belief that peaks are rare: otherwise the first steps only unlearn noise.
fn calm_heads(variables: &VarMap) -> candle_core::Result<()> {
    for (name, variable) in sorted(variables) {
        if name == "heads.weight" {
            variable.set(&(variable.as_tensor() * 0.1)?)?;
        } else if name == "heads.bias" {
            let value = |channel| if channel < targets::PEAK_CHANNELS { -3.0f32 } else { 0.0 };
            variable.set(&Tensor::from_iter((0..DetectorHead::TOTAL).map(value), variable.device())?)?;
        }
    }
    Ok(())
}

/// Input `[batch, 1, edge, edge]` and targets of each slice.
fn draw_batch(
    config: &DetectorTrainingConfig,
    set: &TrainingSet,
    step: usize,
    random: &mut ChaCha8Rng,
) -> Result<(Tensor, Vec<Targets>), DetectorTrainingError> {
    let (edge, pixel_mm) = (config.edge, config.network.pixel_mm);
    let seeds: Vec<u64> = (0..config.batch).map(|_| random.random()).collect();
    let sample = |(index, seed): (usize, &u64)| {
        let mut random = ChaCha8Rng::seed_from_u64(*seed);
        let slice = set.draw((step * config.batch + index) as u64, &mut random)?;
        let (view, bodies) = slice.view(edge, pixel_mm, &config.augmentation, &mut random);
        Some((view, Targets::new(edge, pixel_mm, &bodies)))
    };
    let samples: Option<Vec<_>> = seeds.par_iter().enumerate().map(sample).collect();
    let (pixels, targets): (Vec<Vec<f32>>, Vec<Targets>) =
        samples.ok_or(DetectorTrainingError::NoScans)?.into_iter().unzip();
    Ok((Tensor::from_vec(pixels.concat(), (config.batch, 1, edge, edge), &Device::Cpu)?, targets))
}

/// Optimizer state (`checkpoint.safetensors`) and what it belongs to (`checkpoint.json`).
struct Checkpoint {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct CheckpointInfo {
    steps: usize,
    config: DetectorTrainingConfig,
}

impl Checkpoint {
    fn tensors(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    fn info(&self) -> PathBuf {
        self.folder.join(CHECKPOINT)
    }

    fn exists(&self) -> bool {
        self.info().is_file()
    }

    fn save(&self, config: &DetectorTrainingConfig, optimizer: &Optimizer) -> Result<(), DetectorTrainingError> {
        let temporary = self.folder.join("checkpoint.safetensors.new");
        candle_core::safetensors::save(&optimizer.state()?, &temporary)?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DetectorTrainingError::Write { source, path }
        };
        fs::rename(&temporary, self.tensors()).map_err(failed(&temporary))?;
        let info = CheckpointInfo { steps: optimizer.steps(), config: config.clone() };
        let text = serde_json::to_string_pretty(&info).map_err(std::io::Error::from).map_err(failed(&self.info()))?;
        fs::write(self.info(), text).map_err(failed(&self.info()))
    }

    fn load(&self, config: &DetectorTrainingConfig) -> Result<(HashMap<String, Tensor>, usize), DetectorTrainingError> {
        let refused = |reason: String| DetectorTrainingError::Checkpoint { reason, path: self.info() };
        let text = fs::read_to_string(self.info()).map_err(|error| refused(error.to_string()))?;
        let info: CheckpointInfo = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
        if info.config != *config {
            return Err(refused("it was made with another configuration".to_owned()));
        }
        Ok((candle_core::safetensors::load(self.tensors(), &Device::Cpu)?, info.steps))
    }
}

/// One line a step, comma-separated, to be plotted.
struct TrainingLog {
    file: fs::File,
    path: PathBuf,
}

impl TrainingLog {
    /// Starts a new log, or goes on after `steps` lines of an old one.
    fn open(folder: &Path, steps: usize) -> Result<Self, DetectorTrainingError> {
        let path = folder.join("log.csv");
        let failed = |source| DetectorTrainingError::Write { source, path: path.clone() };
        let old = if steps > 0 { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let mut file = fs::File::create(&path).map_err(failed)?;
        writeln!(file, "step,learning_rate,loss,peaks,offsets,labels,gradient_norm,seconds").map_err(failed)?;
        for line in old.lines().skip(1).take(steps) {
            writeln!(file, "{line}").map_err(failed)?;
        }
        Ok(Self { file, path })
    }

    fn write(
        &mut self,
        step: usize,
        rate: f64,
        parts: LossParts,
        norm: f64,
        seconds: f64,
    ) -> Result<(), DetectorTrainingError> {
        let LossParts { peaks, offsets, labels } = parts;
        let total = parts.total();
        let line = format!("{step},{rate:.3e},{total:.5},{peaks:.5},{offsets:.5},{labels:.5},{norm:.4},{seconds:.3}");
        writeln!(self.file, "{line}").map_err(|source| DetectorTrainingError::Write { source, path: self.path.clone() })
    }
}

#[cfg(test)]
mod tests;
