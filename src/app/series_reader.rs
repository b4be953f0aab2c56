//! The thread that reads other series beside the one that is graded, so that neither waits for the other.

use std::path::PathBuf;
use std::sync::Arc;

use crate::dicom::{FolderScan, Series, SeriesSummary};
use crate::pipeline::Study;
use crate::worker::{Handle, JobContext, JobError, Notice, Work};

/// The thread that reads.
pub(super) type ReadingHandle = Handle<Reading>;

/// What it can read. It has no `Debug`: folders and series are patient data.
pub(crate) enum ReadingCommand {
    /// The headers of another study.
    Scan(PathBuf),
    /// The images of a series.
    Load(Arc<SeriesSummary>),
}

/// What it tells.
pub(crate) enum ReadingEvent {
    /// The study's series.
    Scanned(Arc<FolderScan>),
    /// The series.
    Loaded(Arc<Series>),
    /// It could not be read.
    Failed(Arc<JobError>),
    /// Nothing that is shown.
    Other,
}

impl From<Notice> for ReadingEvent {
    fn from(notice: Notice) -> Self {
        if let Notice::Failed(error) = notice { Self::Failed(error) } else { Self::Other }
    }
}

/// Kinds of its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadingKind {
    /// A study.
    Scan,
    /// A series.
    Load,
}

/// Reads headers and images.
#[derive(Default)]
pub(crate) struct Reading(Study);

impl Work for Reading {
    type Command = ReadingCommand;
    type Kind = ReadingKind;
    type Event = ReadingEvent;

    fn kind(command: &ReadingCommand) -> ReadingKind {
        match command {
            ReadingCommand::Scan(_) => ReadingKind::Scan,
            ReadingCommand::Load(_) => ReadingKind::Load,
        }
    }

    fn supersedes(newer: ReadingKind, older: ReadingKind) -> bool {
        // Several series are shown at once: the view that no longer wants one cancels it.
        newer == ReadingKind::Scan && older == ReadingKind::Scan
    }

    fn run(&mut self, command: ReadingCommand, job: &JobContext<ReadingEvent>) -> Result<ReadingEvent, JobError> {
        let mut on_progress = |progress| job.progress(progress);
        match command {
            ReadingCommand::Scan(path) => {
                let study = Study::open(&path, job.cancel(), &mut on_progress, &mut |_| ());
                self.0 = study.map_err(JobError::failed)?;
                Ok(ReadingEvent::Scanned(Arc::clone(self.0.scan())))
            }
            ReadingCommand::Load(series) => {
                let loaded = self.0.load(&series, job.cancel(), &mut on_progress);
                Ok(ReadingEvent::Loaded(loaded.map_err(JobError::failed)?))
            }
        }
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}
