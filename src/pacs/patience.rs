//! Waiting for what cannot be interrupted itself: a request that is no longer wanted is left to its own time-outs.

use std::io::{self, Cursor, Read};
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::task::{CancelToken, Cancelled};

/// How often a wait looks whether the work was cancelled.
const TURN: Duration = Duration::from_millis(100);
/// Bytes passed on at once.
const CHUNK: usize = 64 << 10;

/// Does `work` on a thread of its own and waits for it until it is done or cancelled.
///
/// # Errors
/// [`Cancelled`] on request; the work then ends unheard.
pub(super) fn interruptible<T: Send + 'static>(
    cancel: &CancelToken,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Cancelled> {
    let (done, outcome) = bounded(1);
    let thread = named_thread(move || {
        // Nobody listens once the work was cancelled.
        let _ = done.send(work());
    });
    loop {
        match outcome.recv_timeout(TURN) {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Timeout) => cancel.check()?,
            Err(RecvTimeoutError::Disconnected) => {
                resume_unwind(thread.join().expect_err("work that ends without an outcome has panicked"))
            }
        }
    }
}

/// A thread of one request, named as such.
///
/// # Panics
/// If the system has no thread left, as `std::thread::spawn` does.
fn named_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().name("archive request".to_owned()).spawn(work).expect("the system has a thread left")
}

/// Bytes of a source that another thread reads, until cancelled.
pub(super) struct Piped {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Cursor<Vec<u8>>,
    cancel: CancelToken,
}

impl Piped {
    pub(super) fn new(mut source: impl Read + Send + 'static, cancel: &CancelToken) -> Self {
        let (sender, pieces) = bounded(4);
        named_thread(move || {
            loop {
                let mut piece = vec![0; CHUNK];
                let read = source.read(&mut piece);
                let is_last = !matches!(read, Ok(1..));
                let piece = read.map(|count| {
                    piece.truncate(count);
                    piece
                });
                if sender.send(piece).is_err() || is_last {
                    return;
                }
            }
        });
        Self { pieces, piece: Cursor::default(), cancel: cancel.clone() }
    }
}

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            match self.pieces.recv_timeout(TURN) {
                Ok(piece) => {
                    self.piece = Cursor::new(piece?);
                    if self.piece.get_ref().is_empty() {
                        return Ok(0);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.cancel.check().map_err(io::Error::other)?,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// A source that has nothing to give for a minute.
    struct Stalled;

    impl Read for Stalled {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            thread::sleep(Duration::from_mins(1));
            Ok(0)
        }
    }

    #[test]
    fn a_stalled_request_is_left_at_once() {
        let cancel = CancelToken::default();
        let canceller = cancel.clone();
        let cancelling = thread::Builder::new().name("cancelling".into()).spawn(move || {
            thread::sleep(Duration::from_millis(300));
            canceller.cancel();
        });
        let begun = Instant::now();
        assert!(interruptible(&cancel, || thread::sleep(Duration::from_mins(1))).is_err());
        assert!(Piped::new(Stalled, &cancel).read(&mut [0; 8]).is_err());
        cancelling.expect("a thread").join().expect("no panic");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[test]
    fn all_bytes_arrive_in_order() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|value| value as u8).collect();
        let mut read = Vec::new();
        Piped::new(Cursor::new(bytes.clone()), &CancelToken::default()).read_to_end(&mut read).expect("to memory");
        assert_eq!(read, bytes);
        assert_eq!(interruptible(&CancelToken::default(), || 7), Ok(7));
    }
}
