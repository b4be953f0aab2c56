//! Where and how a training runs.

use std::fs;
use std::path::PathBuf;

use candle_core::Device;

use crate::task::CancelToken;

/// File that says where a part of a training stands.
pub(crate) const CHECKPOINT: &str = "checkpoint.json";

/// What a training needs beside its data and its configuration. None of it decides what is learned, but for the rounding
/// of the device.
#[derive(Debug, Clone)]
pub(crate) struct TrainingJob {
    /// For logs, checkpoints and measures.
    pub folder: PathBuf,
    /// Go on from the checkpoints in the folder.
    pub resume: bool,
    /// Where the networks learn.
    pub device: Device,
    /// Asks it to stop.
    pub cancel: CancelToken,
}

impl TrainingJob {
    /// A new training on the processor.
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), resume: false, device: Device::Cpu, cancel: CancelToken::default() }
    }

    /// Whether an earlier training left a checkpoint in the folder or below it.
    #[must_use]
    pub(crate) fn is_begun(&self) -> bool {
        let mut parts = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|part| part.path());
        self.folder.join(CHECKPOINT).exists()
            || parts.any(|part| part.is_dir() && Self { folder: part, ..self.clone() }.is_begun())
    }

    /// A part of it, in a folder inside its own.
    #[must_use]
    pub(crate) fn part(&self, name: &str) -> Self {
        Self { folder: self.folder.join(name), ..self.clone() }
    }
}
