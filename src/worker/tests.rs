use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::handle::{COMMAND_CAPACITY, EVENT_CAPACITY, SubmitError};
use super::{Handle, JobContext, JobError, JobEvent, JobId, Loadable, Notice, Work};
use crate::task::Progress;

const PATIENCE: Duration = Duration::from_secs(20);

/// Work without a model: counts, blocks, panics or floods as told.
#[derive(Default)]
struct Trial {
    runs_since_reset: usize,
}

enum Order {
    /// Emits this many events, then is done.
    Emit(usize),
    /// Says it has begun, then runs until it is cancelled.
    UntilCancelled(Sender<()>),
    /// Waits until the other end is dropped.
    Block(Receiver<()>),
    Panic,
    Fail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Small,
    Large,
}

#[derive(Debug)]
enum Answer {
    Part(usize),
    Done { runs_since_reset: usize },
    Notice(Notice),
}

impl From<Notice> for Answer {
    fn from(notice: Notice) -> Self {
        Self::Notice(notice)
    }
}

impl Work for Trial {
    type Command = Order;
    type Kind = Kind;
    type Event = Answer;

    fn kind(order: &Order) -> Kind {
        if matches!(order, Order::UntilCancelled(_)) { Kind::Large } else { Kind::Small }
    }

    fn supersedes(newer: Kind, older: Kind) -> bool {
        newer == Kind::Large && older == Kind::Large
    }

    fn run(&mut self, order: Order, job: &JobContext<Answer>) -> Result<Answer, JobError> {
        self.runs_since_reset += 1;
        match order {
            Order::Emit(count) => {
                for part in 0..count {
                    job.progress(Progress { step: "Counting", done: part, total: count });
                    job.emit(Answer::Part(part)).map_err(JobError::failed)?;
                }
            }
            Order::UntilCancelled(begun) => {
                let _ = begun.send(());
                while !job.cancel().is_cancelled() {
                    std::thread::yield_now();
                }
                job.cancel().check().map_err(JobError::failed)?;
            }
            Order::Block(gate) => {
                let _ = gate.recv();
            }
            Order::Panic => panic!("out of luck"),
            Order::Fail => return Err(JobError::failed("no such thing")),
        }
        Ok(Answer::Done { runs_since_reset: self.runs_since_reset })
    }

    fn reset(&mut self) {
        self.runs_since_reset = 0;
    }
}

fn trial() -> Handle<Trial> {
    Handle::start("trial", Trial::default(), || ()).expect("a thread")
}

/// All events of `job` up to its last; panics after [`PATIENCE`].
fn finish(handle: &mut Handle<Trial>, job: JobId) -> Vec<Answer> {
    let mut answers = Vec::new();
    loop {
        let JobEvent { job: of, event, ends_job } = handle.wait(PATIENCE).expect("an event in time");
        if of == job {
            answers.push(event);
            if ends_job {
                return answers;
            }
        }
    }
}

#[test]
fn a_job_reports_its_parts_in_order_and_ends_once() {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    let mut handle = Handle::start("trial", Trial::default(), move || {
        counter.fetch_add(1, Ordering::Relaxed);
    })
    .expect("a thread");
    let job = handle.submit(Order::Emit(5)).expect("room");
    assert!(handle.is_active(job));
    let answers = finish(&mut handle, job);
    let parts: Vec<usize> =
        answers.iter().filter_map(|answer| if let Answer::Part(part) = answer { Some(*part) } else { None }).collect();
    assert_eq!(parts, [0, 1, 2, 3, 4]);
    assert!(matches!(answers.last(), Some(Answer::Done { .. })));
    assert!(!handle.is_active(job));
    assert!(handle.poll().is_none());
    drop(handle);
    assert_eq!(wakes.load(Ordering::Relaxed), answers.len(), "one wake per event");
}

#[test]
fn a_job_is_cancelled_in_the_middle_and_the_worker_goes_on() {
    let mut handle = trial();
    let (begun, has_begun) = bounded(1);
    let job = handle.submit(Order::UntilCancelled(begun)).expect("room");
    has_begun.recv_timeout(PATIENCE).expect("the job runs");
    handle.cancel(job);
    assert!(matches!(finish(&mut handle, job).last(), Some(Answer::Notice(Notice::Cancelled))));
    let next = handle.submit(Order::Emit(1)).expect("room");
    assert!(matches!(finish(&mut handle, next).last(), Some(Answer::Done { runs_since_reset: 2 })));
}

#[test]
fn a_newer_job_cancels_the_older_one_of_its_kind_only() {
    let mut handle = trial();
    let (begun, has_begun) = bounded(2);
    let older = handle.submit(Order::UntilCancelled(begun.clone())).expect("room");
    let other = handle.submit(Order::Emit(1)).expect("room");
    has_begun.recv_timeout(PATIENCE).expect("the job runs");
    let newer = handle.submit(Order::UntilCancelled(begun)).expect("room");
    assert!(matches!(finish(&mut handle, older).last(), Some(Answer::Notice(Notice::Cancelled))));
    assert!(matches!(finish(&mut handle, other).last(), Some(Answer::Done { .. })));
    has_begun.recv_timeout(PATIENCE).expect("the newer job runs");
    assert!(handle.is_active(newer));
}

#[test]
fn a_job_cancelled_while_it_waits_never_runs() {
    let mut handle = trial();
    let (gate, closed) = bounded::<()>(0);
    handle.submit(Order::Block(closed)).expect("room");
    let waiting = handle.submit(Order::Panic).expect("room");
    handle.cancel(waiting);
    drop(gate);
    assert!(matches!(finish(&mut handle, waiting)[..], [Answer::Notice(Notice::Cancelled)]));
}

#[test]
fn a_panic_becomes_a_failure_and_resets_the_work() {
    let mut handle = trial();
    let job = handle.submit(Order::Panic).expect("room");
    let answers = finish(&mut handle, job);
    let Some(Answer::Notice(Notice::Failed(error))) = answers.last() else { panic!("got {answers:?}") };
    assert!(matches!(&**error, JobError::Panicked(message) if message == "out of luck"));
    let next = handle.submit(Order::Emit(1)).expect("room");
    assert!(matches!(finish(&mut handle, next).last(), Some(Answer::Done { runs_since_reset: 1 })));
}

#[test]
fn an_error_is_reported_with_its_message() {
    let mut handle = trial();
    let job = handle.submit(Order::Fail).expect("room");
    let answers = finish(&mut handle, job);
    let Some(Answer::Notice(Notice::Failed(error))) = answers.last() else { panic!("got {answers:?}") };
    assert_eq!(error.chain(), "no such thing");
}

#[test]
fn dropping_with_a_full_event_queue_does_not_deadlock() {
    let mut handle = trial();
    handle.submit(Order::Emit(10 * EVENT_CAPACITY)).expect("room");
    for _ in 0..3 {
        handle.submit(Order::Emit(EVENT_CAPACITY)).expect("room");
    }
    let begun = Instant::now();
    while handle.events.as_ref().is_some_and(|events| !events.is_full()) {
        assert!(begun.elapsed() < PATIENCE, "the queue fills up");
        std::thread::yield_now();
    }
    let (done, is_done) = bounded(1);
    let dropper = std::thread::Builder::new().name("dropper".into()).spawn(move || {
        drop(handle);
        let _ = done.send(());
    });
    is_done.recv_timeout(PATIENCE).expect("the drop returns");
    dropper.expect("a thread").join().expect("no panic");
}

#[test]
fn a_full_command_queue_is_an_error_and_cancels_nothing() {
    let mut handle = trial();
    let (begun, has_begun) = bounded(1);
    let running = handle.submit(Order::UntilCancelled(begun.clone())).expect("room");
    has_begun.recv_timeout(PATIENCE).expect("the job runs");
    for _ in 0..COMMAND_CAPACITY {
        handle.submit(Order::Emit(0)).expect("room");
    }
    assert_eq!(handle.submit(Order::UntilCancelled(begun)), Err(SubmitError::Busy));
    assert!(handle.is_active(running));
    std::thread::sleep(Duration::from_millis(20));
    assert!(handle.poll().is_none(), "the running job was not cancelled");
    handle.cancel_all();
    assert!(matches!(finish(&mut handle, running).last(), Some(Answer::Notice(Notice::Cancelled))));
}

#[test]
fn stale_results_change_nothing() {
    let (old, new) = (JobId(1), JobId(2));
    let mut state = Loadable::Pending(new);
    assert!(!state.resolve(old, Arc::new(1)));
    assert!(!state.fail(old, Arc::new(JobError::failed("late"))));
    assert!(!state.abandon(old));
    assert!(state.awaits(new));
    assert!(state.resolve(new, Arc::new(2)));
    assert!(!state.abandon(new), "a result that is there stays");
    assert_eq!(state.ready().map(|value| **value), Some(2));
    assert!(Loadable::<u8>::default().pending().is_none());
}
