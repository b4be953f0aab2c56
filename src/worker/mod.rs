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

pub use handle::{Handle, JobContext, Work};
pub(crate) use inference::StartError;
pub use inference::{Inference, WorkerHandle};
pub use job::JobError;
pub(crate) use job::{JobEvent, JobId, Loadable, Notice};
pub(crate) use message::JobKind;
pub use message::{Command, Event};
pub(crate) use network::{Network, NetworkCommand, NetworkEvent, NetworkHandle};
