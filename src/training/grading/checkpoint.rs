//! Where a run stands, on disk after each epoch, so that it goes on from there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::fit::Run;
use super::{GradingTrainingConfig, GradingTrainingError};
use crate::training::CHECKPOINT;
use crate::training::optimizer::{Optimizer, WeightAverage};

/// The two stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StageName {
    Flat,
    Deep,
}

impl StageName {
    /// Name in files.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Deep => "deep",
        }
    }
}

/// Where a run stands; written after each epoch, the tensors beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) stage: StageName,
    pub(super) epochs_done: usize,
    pub(super) steps: usize,
    pub(super) tensors: String,
    /// The watched error of each epoch of the stage.
    #[serde(default)]
    pub(super) errors: Vec<f64>,
    /// What the run was started with; a checkpoint of another configuration is refused.
    pub(super) config: GradingTrainingConfig,
}

/// A checkpoint with the tensors that it points to.
pub(super) type SavedRun = (Checkpoint, HashMap<String, Tensor>);

pub(super) fn file_error(source: std::io::Error, path: &Path) -> GradingTrainingError {
    GradingTrainingError::File { source, path: path.to_owned() }
}

impl Run<'_> {
    /// Where the weights of the best epoch of a stage are kept.
    pub(super) fn best_path(&self, stage: StageName) -> PathBuf {
        self.job.folder.join(format!("best-{}.safetensors", stage.key()))
    }

    pub(super) fn checkpoint_path(&self) -> PathBuf {
        self.job.folder.join(CHECKPOINT)
    }

    /// Writes the tensors under a new name, then the small file that points to them, then drops the old tensors: a
    /// crash at any moment leaves a whole checkpoint.
    pub(super) fn write_checkpoint(
        &self,
        stage: StageName,
        epochs_done: usize,
        optimizer: &Optimizer,
        average: &WeightAverage,
        errors: &[f64],
    ) -> Result<(), GradingTrainingError> {
        let tensors = format!("checkpoint-{}-{epochs_done}.safetensors", stage.key());
        let mut state = optimizer.state()?;
        state.extend(average.state()?);
        candle_core::safetensors::save(&state, self.job.folder.join(&tensors))?;
        let old = fs::read(self.checkpoint_path()).ok().and_then(|old| serde_json::from_slice::<Checkpoint>(&old).ok());
        let config = self.config.clone();
        let errors = errors.to_vec();
        let checkpoint = Checkpoint { stage, epochs_done, steps: optimizer.steps(), tensors, errors, config };
        let text = serde_json::to_vec_pretty(&checkpoint).map_err(std::io::Error::from);
        let temporary = self.checkpoint_path().with_extension("json.new");
        text.and_then(|text| fs::write(&temporary, text))
            .and_then(|()| fs::rename(&temporary, self.checkpoint_path()))
            .map_err(|source| file_error(source, &self.checkpoint_path()))?;
        if let Some(old) = old.filter(|old| old.tensors != checkpoint.tensors) {
            let path = self.job.folder.join(old.tensors);
            fs::remove_file(&path).map_err(|source| file_error(source, &path))?;
        }
        Ok(())
    }

    pub(super) fn read_checkpoint(&self) -> Result<Option<SavedRun>, GradingTrainingError> {
        let path = self.checkpoint_path();
        if !path.exists() {
            return Ok(None);
        }
        let failed = |source| file_error(source, &path);
        let text = fs::read(&path).map_err(failed)?;
        let checkpoint: Checkpoint = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
        if checkpoint.config != *self.config {
            return Err(GradingTrainingError::OtherConfig { path });
        }
        let tensors = candle_core::safetensors::load(self.job.folder.join(&checkpoint.tensors), &Device::Cpu)?;
        Ok(Some((checkpoint, tensors)))
    }
}
