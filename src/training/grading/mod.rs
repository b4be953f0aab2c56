//! Training of the grading network: cross-validation by patient, then the network of all patients.

mod calibrate;
mod checkpoint;
mod examples;
mod experiments;
mod familiar;
mod fit;
mod flat;
mod log;
mod loss;
mod measure;
mod phantoms;
mod publish;
mod readers;
mod run;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::labels::DiscLabels;
use super::optimizer::UpdateRule;
use super::schedule::{CosineSchedule, Plateau};
use super::spider::SpiderError;
use super::split::SplitKind;
use crate::memory::NotEnoughMemory;
use crate::model::{GraderError, GradingConfig, WeightsError};
use crate::spine::{DiscFrameError, Grading};
use crate::task::Cancelled;

pub(crate) use examples::{Augmentation, GradingExample};
pub(crate) use experiments::Experiment;
pub(crate) use publish::publish;
pub(crate) use run::{CrossValidation, TrainingOutcome, train, train_on_phantoms};

/// Everything that decides a training beside the data (`assets/training/grading.toml` made the shipped weights).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradingTrainingConfig {
    /// Decides split, initialization, order and augmentation.
    pub seed: u64,
    /// Folds of the cross-validation; 0 skips it.
    pub folds: usize,
    /// How patients are divided; with the paper's 80:10:10 the number of folds only says whether to measure.
    #[serde(default)]
    pub(crate) split: SplitKind,
    /// Of folds, the share of the patients learned from that is set aside to watch training on; it then calibrates, too.
    #[serde(default)]
    pub validation_share: f64,
    /// Of the folds, how many are trained and measured; all of them if left out. The network of the first is then the final one, so
    /// that what was measured is what is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_folds: Option<usize>,
    /// Folder of weights to start from, instead of chance: layers of the same name and shape are taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// Gradings of the network that are learned, and how much the loss of each counts; all of them, equally, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<BTreeMap<Grading, f64>>,
    /// How gradients change the weights.
    #[serde(default)]
    pub(crate) optimizer: UpdateRule,
    /// Whether to train on all patients after cross-validation and write weights.
    pub final_network: bool,
    /// Share of hidden units dropped while training.
    pub dropout: f32,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Share of the batches that show the scan around each view instead of zeros, as views that share their trunk see it
    /// when discs are graded ([`crate::model::Views::FiftyFour`]); the others are single views.
    pub context_share: f64,
    /// Gradients are scaled down to this norm.
    pub largest_gradient: f64,
    /// What a stage ends with is the mean of its weights over about `1 / (1 - averaging)` steps.
    pub averaging: f64,
    /// Widths of the network.
    pub network: GradingConfig,
    /// Random changes of the discs.
    pub(crate) augmentation: Augmentation,
    /// First stage: single slices.
    pub(crate) flat: Stage,
    /// Second stage: disc volumes of nine slices.
    pub(crate) deep: Stage,
    /// Synthetic discs mixed into training.
    pub(crate) phantoms: PhantomMix,
}

impl GradingTrainingConfig {
    /// How much the loss of a grading counts; 0 where it is not learned.
    #[must_use]
    pub(crate) fn task_weight(&self, grading: Grading) -> f64 {
        if !self.network.gradings.contains(&grading) {
            return 0.0;
        }
        self.tasks.as_ref().map_or(1.0, |tasks| tasks.get(&grading).copied().unwrap_or(0.0))
    }

    /// Every grading that is to be learned has a place in the network.
    fn check(&self) -> Result<(), GradingTrainingError> {
        let mut tasks = self.tasks.iter().flat_map(BTreeMap::keys);
        match tasks.find(|grading| !self.network.gradings.contains(grading)) {
            Some(grading) => Err(GradingTrainingError::NoHead(*grading)),
            None => Ok(()),
        }
    }

    /// Labels of the gradings that are learned.
    fn learned(&self, labels: &DiscLabels) -> DiscLabels {
        labels.only(|grading| self.task_weight(grading) > 0.0)
    }
}

/// One stage of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stage {
    pub epochs: usize,
    /// Discs per step.
    pub batch: usize,
    /// Discs of mid-sagittal images per pass, at most.
    pub mid_sagittal: usize,
    /// Discs of stacks per pass, at most.
    pub stack: usize,
    /// Discs of phantoms per pass; no two passes show the same.
    pub phantom: usize,
    /// Learning rate: a cosine from its peak down.
    pub schedule: CosineSchedule,
    /// Instead of the cosine: the peak, lowered where the error no longer falls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plateau: Option<Plateau>,
    /// Ends the stage after that many epochs without a new lowest error, with the weights of the epoch that had it. The error is
    /// the loss on patients set aside, or on those learned from if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
}

/// Synthetic discs mixed into training, fresh ones in every epoch; they are never measured on. How many is said by each
/// [`Stage`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhantomMix {
    /// Seed of the first patient; the others follow, six discs each.
    pub first_seed: u64,
    /// How much a phantom's loss counts against a patient's.
    pub loss_weight: f32,
}

/// Why training stopped.
#[derive(Debug, Error)]
pub(crate) enum GradingTrainingError {
    /// Asked to.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The network and what training keeps of it are larger than the free memory.
    #[error("training does not fit into the free memory, take a narrower network")]
    Memory(#[from] NotEnoughMemory),
    /// The data set could not be read.
    #[error(transparent)]
    Data(#[from] SpiderError),
    /// A disc cannot be framed.
    #[error("a training disc has no frame")]
    Frame(#[from] DiscFrameError),
    /// No disc of a synthetic patient lies wholly in its image.
    #[error("the synthetic patient {seed} shows no disc: choose another first_seed")]
    NoPhantomDisc {
        /// Seed of the patient.
        seed: u64,
    },
    /// A tensor operation failed.
    #[error("training failed")]
    Tensor(#[from] candle_core::Error),
    /// The weights could not be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// There is nothing to learn from.
    #[error("the data hold {patients} patients, fewer than the {folds} folds asked for")]
    TooFewPatients {
        /// Patients with labelled discs.
        patients: usize,
        /// Folds asked for.
        folds: usize,
    },
    /// A grading is to be learned that the network does not have.
    #[error("{0} is among the tasks, but not among the gradings of the network: add it there")]
    NoHead(Grading),
    /// An experiment needs patients left out.
    #[error("an experiment measures on patients left out: set folds in the configuration")]
    NoFolds,
    /// Held-out discs could not be graded.
    #[error(transparent)]
    Grader(GraderError),
    /// The checkpoint to go on from was made with another configuration.
    #[error("cannot resume: the checkpoint was made with another configuration: {}", path.display())]
    OtherConfig {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot read or write {}", path.display())]
    File {
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
}

impl From<GraderError> for GradingTrainingError {
    fn from(error: GraderError) -> Self {
        match error {
            GraderError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            other => Self::Grader(other),
        }
    }
}

#[cfg(test)]
mod tests;
