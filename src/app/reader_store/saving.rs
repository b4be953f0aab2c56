//! Saving whole files until they are on the disk, and joining what two windows do to one series.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::joined::joined;
use super::{StoreError, StoreEvent};
use crate::files::{PathError, make_private_folder};
use crate::records::{BlindReading, BoxesError, BoxesFile, RecordError, ReviewError, ReviewFile};

/// Between two attempts to save what could not be saved.
const RETRY: Duration = Duration::from_secs(2);
/// Held by the window that is saving, so that no other reads and writes meanwhile.
const LOCK: &str = ".saving";
/// What stands in a file that was not there.
const NOTHING: &[u8] = b"{}";

type Write = dyn Fn(&Path) -> Result<(), StoreError> + Send;

/// A file of work on a series.
#[derive(Debug)]
pub(crate) enum JoinedWork {
    Boxes(BoxesFile),
    Review(ReviewFile),
    Reading(BlindReading),
}

impl JoinedWork {
    fn json(&self, path: &Path) -> Result<Vec<u8>, StoreError> {
        Ok(match self {
            Self::Boxes(file) => file.json()?,
            Self::Review(file) => file.json()?,
            Self::Reading(reading) => reading.json(path)?,
        })
    }

    fn save(&self, path: &Path) -> Result<(), StoreError> {
        match self {
            Self::Boxes(file) => file.save(path)?,
            Self::Review(file) => file.save(path)?,
            Self::Reading(reading) => reading.save(path)?,
        }
        Ok(())
    }

    /// The same with what another window made of `base`, which stands on the disk as `theirs`.
    fn joined(&self, path: &Path, [base, ours, theirs]: [&[u8]; 3]) -> Result<Self, StoreError> {
        Ok(match self {
            Self::Boxes(_) => {
                let joined = joined(base, ours, theirs).map_err(BoxesError::Json)?;
                Self::Boxes(BoxesFile::parse(&joined)?)
            }
            Self::Review(_) => {
                let joined = joined(base, ours, theirs).map_err(ReviewError::Json)?;
                Self::Review(ReviewFile::parse(&joined)?)
            }
            Self::Reading(_) => {
                // What is no JSON is told by the parser of readings.
                let joined = joined(base, ours, theirs).unwrap_or_else(|_| theirs.to_owned());
                Self::Reading(BlindReading::parse(&joined, path)?)
            }
        })
    }

    fn unreadable(&self, path: &Path, error: io::Error) -> StoreError {
        match self {
            Self::Boxes(_) => BoxesError::Read(error).into(),
            Self::Review(_) => ReviewError::Read(error).into(),
            Self::Reading(_) => RecordError::from(PathError::at(path)(error)).into(),
        }
    }
}

/// What is written to a file.
enum Content {
    /// What no other window changes at the same time.
    Own(Box<Write>),
    Shared(Box<JoinedWork>),
}

/// A whole file to be saved; a later one of the same path takes its place.
pub(super) struct Save {
    path: PathBuf,
    content: Content,
    /// That it could not be saved was told.
    is_told: bool,
}

impl Save {
    pub(super) fn own(path: PathBuf, write: impl Fn(&Path) -> Result<(), StoreError> + Send + 'static) -> Self {
        Self { path, content: Content::Own(Box::new(write)), is_told: false }
    }

    pub(super) fn shared(path: PathBuf, work: JoinedWork) -> Self {
        Self { path, content: Content::Shared(Box::new(work)), is_told: false }
    }
}

/// What waits to be saved, and what this window knows of the files.
pub(super) struct Saving {
    waiting: Vec<Save>,
    /// What each file held when this window read it, or what it wrote last.
    known: HashMap<PathBuf, Vec<u8>>,
    /// Paths that could not be saved.
    failed: HashSet<PathBuf>,
    lock: Option<PathBuf>,
}

impl Saving {
    pub(super) fn new(folder: Option<&Path>) -> Self {
        let lock = folder.map(|folder| folder.join(LOCK));
        Self { waiting: Vec::new(), known: HashMap::new(), failed: HashSet::new(), lock }
    }

    /// The next request; while something is unsaved, only so long that it can be tried again.
    pub(super) fn next<T>(&self, requests: &Receiver<T>) -> Result<T, RecvTimeoutError> {
        if self.waiting.is_empty() {
            return requests.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        requests.recv_timeout(RETRY)
    }

    pub(super) fn queue(&mut self, save: Save) {
        self.waiting.retain(|earlier| earlier.path != save.path);
        self.waiting.push(save);
    }

    /// Reads a file of work: what this window changes from now on begins with it.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let json = fs::read(path)?;
        self.known.insert(path.to_owned(), json.clone());
        Ok(json)
    }

    /// Saves what waits; what cannot be saved goes on waiting and is told once.
    pub(super) fn run(&mut self, tell: impl Fn(StoreEvent)) {
        let had_failed = !self.failed.is_empty();
        for mut save in std::mem::take(&mut self.waiting) {
            match self.save(&save) {
                Ok(event) => {
                    self.failed.remove(&save.path);
                    event.into_iter().for_each(&tell);
                }
                Err(error) => {
                    self.failed.insert(save.path.clone());
                    if !std::mem::replace(&mut save.is_told, true) {
                        tell(StoreEvent::NotSaved(error));
                    }
                    self.waiting.push(save);
                }
            }
        }
        if had_failed && self.failed.is_empty() {
            tell(StoreEvent::SavedAfterAll);
        }
    }

    fn save(&mut self, save: &Save) -> Result<Option<StoreEvent>, StoreError> {
        let path = &save.path;
        if let Some(folder) = path.parent() {
            make_private_folder(folder).map_err(PathError::at(folder))?;
        }
        match &save.content {
            Content::Own(write) => write(path).map(|()| None),
            Content::Shared(work) => self.save_shared(path, work),
        }
    }

    /// Saves work in which another window may have changed something since this one read or wrote it.
    fn save_shared(&mut self, path: &Path, work: &JoinedWork) -> Result<Option<StoreEvent>, StoreError> {
        // Where a file system has no locks, two windows have to save within the same millisecond to be in each other's way.
        let lock = self.lock.as_ref().and_then(|lock| File::create(lock).ok());
        let _locked = lock.filter(|lock| lock.lock().is_ok());
        let ours = work.json(path)?;
        let base = self.known.get(path).map_or(NOTHING, Vec::as_slice);
        let theirs = match fs::read(path) {
            Ok(theirs) => Some(theirs),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(work.unreadable(path, error)),
        };
        let theirs = theirs.filter(|theirs| theirs != base && *theirs != ours);
        let joined = theirs.map(|theirs| work.joined(path, [base, &ours, &theirs])).transpose()?;
        joined.as_ref().unwrap_or(work).save(path)?;
        self.known.insert(path.to_owned(), ours.clone());
        let is_ours = |joined: &JoinedWork| joined.json(path).is_ok_and(|joined| joined == ours);
        Ok(joined.filter(|joined| !is_ours(joined)).map(|joined| StoreEvent::Joined { ours, joined }))
    }
}
