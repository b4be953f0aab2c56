//! Keeps the reader's boxes on disk, in the user's own data folder and never beside the patient's images.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::pipeline::{BoxesError, BoxesFile};
use crate::spine::SliceBox;

/// Saves that may wait; each holds the whole file, so more than a few mean that the disk does not answer.
const WAITING: usize = 32;

struct Save {
    path: PathBuf,
    file: BoxesFile,
}

/// Loads boxes of a series, and saves them on a thread of its own so that a slow disk does not stop the window.
///
/// Dropping it waits until everything is saved.
pub struct BoxStore {
    folder: Option<PathBuf>,
    reader: String,
    saves: Option<Sender<Save>>,
    errors: Receiver<BoxesError>,
    thread: Option<JoinHandle<()>>,
}

impl BoxStore {
    /// A store in `folder`; with `None` boxes are not kept. `wake` is called when a save failed.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(folder: Option<PathBuf>, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (saves, waiting) = bounded::<Save>(WAITING);
        let (failed, errors) = bounded(WAITING);
        let thread = std::thread::Builder::new().name("boxes".into()).spawn(move || {
            while let Ok(Save { path, file }) = waiting.recv() {
                if let Err(error) = save(&path, &file) {
                    // A full queue of errors means that the user was told already.
                    let _ = failed.try_send(error);
                    wake();
                }
            }
        })?;
        let reader = std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_default();
        Ok(Self { folder, reader, saves: Some(saves), errors, thread: Some(thread) })
    }

    /// Boxes saved for a series; none if there is no file.
    ///
    /// # Errors
    /// If there is a file that cannot be read.
    pub fn load(&self, series_instance_uid: &str) -> Result<Vec<SliceBox>, BoxesError> {
        match self.path_of(series_instance_uid) {
            Some(path) if path.exists() => Ok(BoxesFile::read(&path)?.boxes),
            _ => Ok(Vec::new()),
        }
    }

    /// Queues the boxes of a series to be saved.
    ///
    /// # Errors
    /// A message for the user if the disk has not answered for many changes.
    pub fn save(&self, series_instance_uid: &str, boxes: &[SliceBox]) -> Result<(), &'static str> {
        let (Some(path), Some(saves)) = (self.path_of(series_instance_uid), &self.saves) else {
            return Err("Boxes are not kept: no folder for this user's data was found (set HOME).");
        };
        let file = BoxesFile::new(&self.reader, series_instance_uid, boxes.to_vec());
        match saves.try_send(Save { path, file }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err("The disk does not answer; the last box is not saved yet."),
            Err(TrySendError::Disconnected(_)) => Err("Boxes can no longer be saved; restart the program."),
        }
    }

    /// The next failed save, if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<BoxesError> {
        self.errors.try_recv().ok()
    }

    fn path_of(&self, series_instance_uid: &str) -> Option<PathBuf> {
        // A UID comes from a file: only what may stand in a UID goes into the name.
        let name: String =
            series_instance_uid.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '.').collect();
        let name = name.trim_matches('.');
        (!name.is_empty()).then_some(())?;
        self.folder.as_ref().map(|folder| folder.join(format!("{name}.json")))
    }
}

impl Drop for BoxStore {
    fn drop(&mut self) {
        self.saves = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that saves boxes ended with a panic");
        }
    }
}

fn save(path: &Path, file: &BoxesFile) -> Result<(), BoxesError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(BoxesError::Write)?;
    }
    file.save(path)
}

/// Where this user's boxes are kept, after the custom of the system; `None` if it names no home.
#[must_use]
pub fn user_boxes_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        set("APPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")))
    };
    base.map(|base| base.join("spinenet-viewer").join("boxes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{BoxSource, DiscLevel, Grading, PixelBox};

    fn a_box(x: f64) -> SliceBox {
        let rect = PixelBox { x, y: 2.0, width: 3.0, height: 4.0 };
        let (level, grading) = (DiscLevel::L4L5, Grading::UpperMarrowChange);
        SliceBox { level, grading, slice: 5, rect, source: BoxSource::Reader, percentile: None }
    }

    #[test]
    fn boxes_come_back_from_disk() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("deep/boxes");
        let store = BoxStore::start(Some(place.clone()), || ()).expect("a thread");
        assert!(store.load("1.2.3").expect("no file").is_empty());
        store.save("1.2.3", &[a_box(1.0)]).expect("room");
        store.save("1.2.3", &[a_box(1.0), a_box(9.0)]).expect("room");
        drop(store);
        let store = BoxStore::start(Some(place), || ()).expect("a thread");
        assert_eq!(store.load("1.2.3").expect("readable"), [a_box(1.0), a_box(9.0)]);
    }

    #[test]
    fn a_hostile_uid_stays_in_the_folder() {
        let store = BoxStore::start(Some(PathBuf::from("/data/boxes")), || ()).expect("a thread");
        let path = store.path_of("../../etc/passwd").expect("a path");
        assert_eq!(path.parent(), Some(Path::new("/data/boxes")));
        assert_eq!(store.path_of("../.."), None);
    }

    #[test]
    fn a_failed_save_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, b"in the way").expect("writable");
        let (told, wake) = bounded(1);
        let wake_once = move || {
            let _ = told.try_send(());
        };
        let store = BoxStore::start(Some(blocked), wake_once).expect("a thread");
        store.save("1.2.3", &[a_box(1.0)]).expect("room");
        wake.recv_timeout(std::time::Duration::from_secs(20)).expect("the failure wakes the window");
        assert!(store.failure().is_some());
    }
}
