//! Names, states and failures of background jobs.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::causes::with_causes;
use crate::task::Progress;

/// Names one job of a worker; never used twice by the same worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub(super) u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}", self.0)
    }
}

/// Why a job failed.
#[derive(Debug, Error)]
pub enum JobError {
    /// A step of the chain reported an error.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
    /// The job panicked: a defect of this program. The worker goes on with the next job.
    #[error("internal error, please report it: {0}")]
    Panicked(String),
}

impl JobError {
    /// Wraps the error of a step.
    pub fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }

    /// The message with those of its causes, outermost first.
    #[must_use]
    pub fn chain(&self) -> String {
        with_causes(self)
    }
}

/// What a worker itself says about a job; every event type holds these.
#[derive(Debug, Clone)]
pub enum Notice {
    /// The job came this far.
    Progressed(Progress),
    /// The job stopped because it was asked to; its last word.
    Cancelled,
    /// The job could not be done; its last word.
    Failed(Arc<JobError>),
}

/// An event together with the job that it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct JobEvent<E> {
    /// The job that asked for it.
    pub job: JobId,
    /// What happened.
    pub event: E,
    /// Whether this is the last word of the job; every job has exactly one.
    pub ends_job: bool,
}

/// A result that a job is to deliver.
#[derive(Debug, Default)]
pub enum Loadable<T> {
    /// Not asked for.
    #[default]
    Idle,
    /// The job is on its way.
    Pending(JobId),
    /// The result.
    Ready(Arc<T>),
    Failed(Arc<JobError>),
}

// Derived, it would ask for `T: Clone`.
impl<T> Clone for Loadable<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Idle => Self::Idle,
            Self::Pending(job) => Self::Pending(*job),
            Self::Ready(value) => Self::Ready(Arc::clone(value)),
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
        }
    }
}

impl<T> Loadable<T> {
    /// The result, once it is there.
    #[must_use]
    pub fn ready(&self) -> Option<&Arc<T>> {
        if let Self::Ready(value) = self { Some(value) } else { None }
    }

    /// The failure, if the job failed.
    #[must_use]
    pub(crate) fn error(&self) -> Option<&Arc<JobError>> {
        if let Self::Failed(error) = self { Some(error) } else { None }
    }

    /// The job that is waited for.
    #[must_use]
    pub(crate) fn pending(&self) -> Option<JobId> {
        if let Self::Pending(job) = self { Some(*job) } else { None }
    }

    /// Whether this waits for `job`; events of any other job are stale.
    #[must_use]
    pub(crate) fn awaits(&self, job: JobId) -> bool {
        self.pending() == Some(job)
    }

    /// Takes the result of `job`; `false`, and nothing changes, if it is stale.
    pub(crate) fn resolve(&mut self, job: JobId, value: Arc<T>) -> bool {
        self.settle(job, Self::Ready(value))
    }

    /// Takes the failure of `job`; `false`, and nothing changes, if it is stale.
    pub(crate) fn fail(&mut self, job: JobId, error: Arc<JobError>) -> bool {
        self.settle(job, Self::Failed(error))
    }

    /// Forgets `job` after it was cancelled; `false`, and nothing changes, if it is stale.
    pub(crate) fn abandon(&mut self, job: JobId) -> bool {
        self.settle(job, Self::Idle)
    }

    fn settle(&mut self, job: JobId, state: Self) -> bool {
        let awaited = self.awaits(job);
        if awaited {
            *self = state;
        }
        awaited
    }
}
