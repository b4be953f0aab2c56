//! The thread that does the long work, and the messages to and from it.
//!
//! ```text
//! screen ── bounded(16) Command ──▶ worker
//!        ◀─ bounded(256) JobEvent ─
//! ```
//! The screen never waits: it submits, and collects events when it is woken. Every event names the job that asked for
//! it, so that stale ones can be dropped; every job ends with exactly one event marked `ends_job`. A panic in a job
//! becomes a failure of that job. Knows nothing of windows: the worker is given a closure that wakes the screen.

mod handle;
mod inference;
mod job;
mod message;
mod network;
#[cfg(test)]
mod tests;

pub use handle::{COMMAND_CAPACITY, EVENT_CAPACITY, Handle, JobContext, SubmitError, Work};
pub use inference::{Inference, StartError, WorkerHandle};
pub use job::{JobError, JobEvent, JobId, Loadable, Notice};
pub use message::{Command, Event, JobKind};
pub use network::{Network, NetworkCommand, NetworkEvent, NetworkHandle, NetworkKind};
