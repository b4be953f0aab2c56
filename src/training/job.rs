//! Where and how a training runs.

use std::path::PathBuf;

use candle_core::Device;

use crate::task::CancelToken;

/// What a training needs beside its data and its configuration. None of it decides what is learned, but for the rounding
/// of the device.
#[derive(Debug, Clone)]
pub struct TrainingJob {
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
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), resume: false, device: Device::Cpu, cancel: CancelToken::default() }
    }

    /// A part of it, in a folder inside its own.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self { folder: self.folder.join(name), ..self.clone() }
    }
}
