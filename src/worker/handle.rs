//! One named thread that works through commands and reports events, and the handle that the screen holds.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use thiserror::Error;

use super::{JobError, JobEvent, JobId, Notice};
use crate::task::{CancelToken, Cancelled, Progress};

/// Commands that may wait.
pub(crate) const COMMAND_CAPACITY: usize = 16;
/// Events that may wait.
pub(crate) const EVENT_CAPACITY: usize = 256;

/// What a worker does with its commands; lives on the worker's thread and keeps its state (loaded models) there.
pub trait Work: Send + 'static {
    /// What can be asked for.
    type Command: Send + 'static;
    /// Sorts commands, to tell which job makes which older one pointless.
    type Kind: Copy + 'static;
    /// What is answered.
    type Event: From<Notice> + Send + 'static;

    /// The kind of a command.
    fn kind(command: &Self::Command) -> Self::Kind;

    /// Whether a new job of kind `newer` makes an unfinished one of kind `older` pointless, so that it is cancelled.
    fn supersedes(newer: Self::Kind, older: Self::Kind) -> bool;

    /// Does one job; intermediate events go through `job`, the returned event is its last.
    ///
    /// # Errors
    /// [`JobError`] if the job cannot be done. Whatever error is returned after `job` was cancelled means cancelled.
    fn run(&mut self, command: Self::Command, job: &JobContext<Self::Event>) -> Result<Self::Event, JobError>;

    /// Drops state that a panic may have left half changed.
    fn reset(&mut self);
}

/// What a running job sees of its worker.
pub struct JobContext<E> {
    job: JobId,
    cancel: CancelToken,
    events: Sender<JobEvent<E>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl<E: From<Notice>> JobContext<E> {
    /// The flag that asks this job to stop.
    #[must_use]
    pub fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// Reports an event, waiting while the queue is full.
    ///
    /// # Errors
    /// [`Cancelled`] if this job was cancelled or nobody listens any more.
    pub fn emit(&self, event: E) -> Result<(), Cancelled> {
        self.cancel.check()?;
        self.send(event, false)
    }

    /// Reports how far the job has come; left out while the queue is filling up, because results matter more.
    pub fn progress(&self, progress: Progress) {
        if self.events.len() < EVENT_CAPACITY / 2 {
            let event = Notice::Progressed(progress).into();
            let sent = self.events.try_send(JobEvent { job: self.job, event, ends_job: false });
            if sent.is_ok() {
                (self.wake)();
            }
        }
    }

    fn send(&self, event: E, ends_job: bool) -> Result<(), Cancelled> {
        let sent = self.events.send(JobEvent { job: self.job, event, ends_job });
        if sent.is_err() {
            self.cancel.cancel();
            return Err(Cancelled);
        }
        (self.wake)();
        Ok(())
    }
}

/// Why a command was not taken.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubmitError {
    /// The queue of commands is full.
    #[error("too much is waiting to be done ({COMMAND_CAPACITY} commands); try again in a moment")]
    Busy,
    /// The worker has ended.
    #[error("the background worker has ended; restart the program")]
    Stopped,
}

struct Job<C> {
    id: JobId,
    command: C,
    cancel: CancelToken,
}

struct Active<K> {
    id: JobId,
    kind: K,
    cancel: CancelToken,
}

/// The screen's end of a worker: submits commands and collects events, never waits.
///
/// Dropping it cancels all jobs and joins the thread.
pub struct Handle<W: Work> {
    // The order of these fields is not relied on: `drop` takes them one by one.
    commands: Option<Sender<Job<W::Command>>>,
    pub(super) events: Option<Receiver<JobEvent<W::Event>>>,
    thread: Option<JoinHandle<()>>,
    active: Vec<Active<W::Kind>>,
    jobs_submitted: u64,
}

impl<W: Work> Handle<W> {
    /// Starts the thread `name` with `work`; `wake` is called after every event, on the worker's thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(name: &str, work: W, wake: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        let (commands, jobs) = bounded(COMMAND_CAPACITY);
        let (sender, events) = bounded(EVENT_CAPACITY);
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(wake);
        let thread = Builder::new().name(name.to_owned()).spawn(move || work_through(work, &jobs, &sender, &wake))?;
        Ok(Self {
            commands: Some(commands),
            events: Some(events),
            thread: Some(thread),
            active: Vec::new(),
            jobs_submitted: 0,
        })
    }

    /// Queues a command and cancels the unfinished jobs that it makes pointless.
    ///
    /// # Errors
    /// [`SubmitError`] if the queue is full or the worker has ended; nothing is cancelled then.
    pub(crate) fn submit(&mut self, command: W::Command) -> Result<JobId, SubmitError> {
        let (kind, cancel) = (W::kind(&command), CancelToken::default());
        let id = JobId(self.jobs_submitted + 1);
        let sender = self.commands.as_ref().ok_or(SubmitError::Stopped)?;
        sender.try_send(Job { id, command, cancel: cancel.clone() }).map_err(|error| match error {
            TrySendError::Full(_) => SubmitError::Busy,
            TrySendError::Disconnected(_) => SubmitError::Stopped,
        })?;
        self.jobs_submitted += 1;
        for older in self.active.iter().filter(|older| W::supersedes(kind, older.kind)) {
            older.cancel.cancel();
        }
        self.active.push(Active { id, kind, cancel });
        Ok(id)
    }

    /// Asks a job to stop; it answers `Cancelled`, or with its result if that was already on its way.
    pub(crate) fn cancel(&self, job: JobId) {
        for active in self.active.iter().filter(|active| active.id == job) {
            active.cancel.cancel();
        }
    }

    /// Asks all jobs to stop.
    pub(crate) fn cancel_all(&self) {
        for active in &self.active {
            active.cancel.cancel();
        }
    }

    /// Whether the last word of a job is still to come.
    #[must_use]
    pub(crate) fn is_active(&self, job: JobId) -> bool {
        self.active.iter().any(|active| active.id == job)
    }

    /// Whether no job was submitted after this one.
    #[must_use]
    pub(crate) fn is_latest(&self, job: JobId) -> bool {
        job.0 == self.jobs_submitted
    }

    /// Whether any job is unfinished.
    #[must_use]
    pub(crate) fn is_busy(&self) -> bool {
        !self.active.is_empty()
    }

    /// The next event, if there is one; never waits.
    pub(crate) fn poll(&mut self) -> Option<JobEvent<W::Event>> {
        let event = self.events.as_ref()?.try_recv().ok()?;
        Some(self.seen(event))
    }

    /// The next event, waiting for it up to `timeout`.
    #[cfg(test)]
    pub(crate) fn wait(&mut self, timeout: std::time::Duration) -> Option<JobEvent<W::Event>> {
        let event = self.events.as_ref()?.recv_timeout(timeout).ok()?;
        Some(self.seen(event))
    }

    fn seen(&mut self, event: JobEvent<W::Event>) -> JobEvent<W::Event> {
        if event.ends_job {
            self.active.retain(|active| active.id != event.job);
        }
        event
    }
}

impl<W: Work> Drop for Handle<W> {
    fn drop(&mut self) {
        // In this order a worker that waits for room in the full event queue is woken (the receiver is gone), and one
        // that waits for commands is too (the sender is gone).
        self.cancel_all();
        self.commands = None;
        self.events = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the background worker ended with a panic");
        }
    }
}

fn work_through<W: Work>(
    mut work: W,
    jobs: &Receiver<Job<W::Command>>,
    events: &Sender<JobEvent<W::Event>>,
    wake: &Arc<dyn Fn() + Send + Sync>,
) {
    while let Ok(Job { id, command, cancel }) = jobs.recv() {
        let job = JobContext { job: id, cancel, events: events.clone(), wake: Arc::clone(wake) };
        let last = run_guarded(&mut work, command, &job);
        if job.send(last, true).is_err() {
            break;
        }
    }
}

/// Runs one job; a panic becomes a failure.
fn run_guarded<W: Work>(work: &mut W, command: W::Command, job: &JobContext<W::Event>) -> W::Event {
    if job.cancel.is_cancelled() {
        return Notice::Cancelled.into();
    }
    // Unwind safety: `reset` drops whatever the panic left half changed.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| work.run(command, job)));
    match outcome {
        Ok(Ok(event)) => event,
        Ok(Err(_)) if job.cancel.is_cancelled() => Notice::Cancelled.into(),
        Ok(Err(error)) => Notice::Failed(Arc::new(error)).into(),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            let error = JobError::Panicked(text.unwrap_or_else(|| "panic without a message".to_owned()));
            tracing::error!(job = job.job.0, "a background job panicked");
            work.reset();
            Notice::Failed(Arc::new(error)).into()
        }
    }
}
