//! Keeps the reader's work on disk: boxes and reviews, in the user's own data folder and never beside the patient's
//! images.

mod joined;
mod saving;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use thiserror::Error;

pub(super) use saving::JoinedWork;
use saving::{Save, Saving};

use super::languages::FoundLanguages;
use super::settings::{SETTINGS_FILE, Settings};
use crate::dicom::Series;
use crate::export::{ReportTemplate, TEMPLATE_FILE, TemplateError};
use crate::files::{PathError, remove_unfinished};
use crate::pacs::{CONNECTIONS_FILE, Connection, Connections, PacsError};
use crate::records::{BlindReading, BoxesError, BoxesFile, RecordError, ReviewError, ReviewFile};
use crate::spine::SliceBox;
use crate::ui::language::tr;

/// Saves that may wait; each holds the whole file. They are taken together, so more of them mean that the disk does not
/// answer.
const WAITING: usize = 128;
/// A save takes less than a second; what is half written for longer was left by a program that was killed.
const UNFINISHED_AGE: Duration = Duration::from_mins(10);
/// Name of the folder of tables of languages.
const LANGUAGES: &str = "languages";
/// Name of the folder of blind readings.
const READINGS: &str = "readings";

/// Why work could not be loaded or saved.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    Boxes(#[from] BoxesError),
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// A blind reading.
    #[error(transparent)]
    Reading(#[from] RecordError),
    /// The connections to archives.
    #[error(transparent)]
    Connections(#[from] PacsError),
    #[error("the settings cannot be saved")]
    Settings(#[source] std::io::Error),
    #[error("the folder of your work cannot be made")]
    Folder(#[from] PathError),
}

/// What the thread of the store is asked for, in this order: what was saved before is what a later look finds.
enum Request {
    Work(SeenImages),
    Save(Save),
}

/// The images that work is about: a series, and the SHA-256 of its voxels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenImages {
    pub series_instance_uid: String,
    pub voxel_sha256: String,
}

impl SeenImages {
    pub(super) fn of(series: &Series) -> Self {
        let series_instance_uid = series.summary.series_instance_uid.clone();
        Self { series_instance_uid, voxel_sha256: series.voxel_sha256().to_owned() }
    }
}

/// What the thread of the store answers.
pub(crate) enum StoreEvent {
    /// Earlier work on the images asked for. An error means that there is a file that cannot be read; then the other one is
    /// lost for this session too, so that nothing is overwritten half known.
    Work(SeenImages, Result<Box<SavedWork>, StoreError>),
    /// A change is not on the disk; it is tried again until it is.
    NotSaved(StoreError),
    /// Everything that could not be saved before is on the disk now.
    SavedAfterAll,
    /// Another window changed the same work meanwhile: what was saved, `ours`, and what stands on the disk instead, with
    /// the changes of both.
    Joined { ours: Vec<u8>, joined: JoinedWork },
}

/// What was saved for a series.
#[derive(Debug, Default)]
pub(crate) struct SavedWork {
    pub boxes: Vec<SliceBox>,
    /// Review; `None` if there is no file.
    pub review: Option<ReviewFile>,
    /// Blind readings, one a reader.
    pub readings: Vec<BlindReading>,
    /// There is work on other images of the series and none on these: slices came or went, or the series holds several
    /// stacks.
    pub is_on_other_images: bool,
}

/// Reads and saves the work on series on a thread of its own, so that a slow disk does not stop the window.
///
/// Dropping it waits until everything is saved.
pub struct ReaderStore {
    folder: WorkFolder,
    requests: Option<Sender<Request>>,
    events: Receiver<StoreEvent>,
    thread: Option<JoinHandle<()>>,
}

impl ReaderStore {
    /// A store in `folder`; with `None` nothing is kept. `wake` is called when there is an event.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(folder: Option<PathBuf>, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (requests, waiting) = bounded::<Request>(WAITING);
        // The window takes events in every frame, and there is one for a request at most.
        let (told, events) = bounded(2 * WAITING);
        let work = WorkFolder(folder.clone());
        let thread = std::thread::Builder::new().name("reader store".into()).spawn(move || {
            work.remove_unfinished();
            let tell = |event| {
                // While the window closes nobody takes them, and only what was to be saved still matters.
                let _ = told.try_send(event);
                wake();
            };
            let mut saving = Saving::new(work.0.as_deref());
            loop {
                let first = match saving.next(&waiting) {
                    Ok(request) => Some(request),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                for request in first.into_iter().chain(waiting.try_iter()) {
                    match request {
                        Request::Save(save) => saving.queue(save),
                        Request::Work(key) => {
                            saving.run(tell);
                            let found = work.read(&key, &mut saving).map(Box::new);
                            tell(StoreEvent::Work(key, found));
                        }
                    }
                }
                saving.run(tell);
            }
            saving.run(tell);
        })?;
        Ok(Self { folder: WorkFolder(folder), requests: Some(requests), events, thread: Some(thread) })
    }

    /// Asks for earlier work on these images; [`StoreEvent::Work`] brings it.
    ///
    /// # Errors
    /// A message for the user if the disk has not answered for many changes.
    pub(crate) fn request_work(&self, key: SeenImages) -> Result<(), &'static str> {
        self.queue(Request::Work(key))
    }

    /// Queues the boxes of a series to be saved.
    ///
    /// # Errors
    /// A message for the user if the disk has not answered for many changes.
    pub(crate) fn save_boxes(&self, file: BoxesFile) -> Result<(), &'static str> {
        let voxels = file.voxel_sha256.as_deref().unwrap_or_default();
        let path = self.folder.path_of("boxes", &file.series_instance_uid, voxels).ok_or_else(not_kept)?;
        self.queue(Request::Save(Save::shared(path, JoinedWork::Boxes(file))))
    }

    /// Queues the review of a series to be saved.
    ///
    /// # Errors
    /// A message for the user if the disk has not answered for many changes.
    pub(crate) fn save_review(&self, file: ReviewFile) -> Result<(), &'static str> {
        let path =
            self.folder.path_of("reviews", &file.series_instance_uid, &file.voxel_sha256).ok_or_else(not_kept)?;
        self.queue(Request::Save(Save::shared(path, JoinedWork::Review(file))))
    }

    /// Queues a blind reading to be saved.
    ///
    /// # Errors
    /// A message for the user if the disk has not answered for many changes.
    pub fn save_reading(&self, reading: BlindReading) -> Result<(), &'static str> {
        let stem = file_stem_of(&reading.series_instance_uid, &reading.voxel_sha256);
        let (folder, stem) = self.folder.readings().zip(stem).ok_or_else(not_kept)?;
        let path = folder.join(format!("{stem}-{}.json", reading.reader_key()));
        self.queue(Request::Save(Save::shared(path, JoinedWork::Reading(reading))))
    }

    /// Where the work is kept; `None` if nothing is.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.0.as_deref()
    }

    /// Where blind readings are kept; `None` if nothing is.
    #[must_use]
    pub fn readings_folder(&self) -> Option<PathBuf> {
        self.folder.readings()
    }

    /// The settings of this user; those of a new user where there are none that can be read.
    #[must_use]
    pub(crate) fn load_settings(&self) -> Settings {
        self.folder.0.as_ref().map(|folder| Settings::read(&folder.join(SETTINGS_FILE))).unwrap_or_default()
    }

    /// What reports of this user say and in which order; `None` where it is as the program has it.
    pub(super) fn load_template(&self) -> Option<Result<ReportTemplate, TemplateError>> {
        let file = self.folder.0.as_ref()?.join(TEMPLATE_FILE);
        file.exists().then(|| ReportTemplate::read(&file))
    }

    /// The tables of languages that this user has; none without a folder.
    #[must_use]
    pub(super) fn load_languages(&self) -> FoundLanguages {
        self.folder.0.as_ref().map(|folder| FoundLanguages::in_folder(&folder.join(LANGUAGES))).unwrap_or_default()
    }

    /// Queues the settings to be saved; without a folder they are forgotten.
    pub(crate) fn save_settings(&self, settings: Settings) {
        if let Some(folder) = &self.folder.0 {
            // Settings are not worth a message: what is lost is a habit.
            let _ = self
                .queue_save(folder.join(SETTINGS_FILE), move |path| settings.save(path).map_err(StoreError::Settings));
        }
    }

    /// The connections to archives.
    ///
    /// # Errors
    /// If their file cannot be used, or other users can read it.
    pub(crate) fn load_connections(&self) -> Result<Connections, StoreError> {
        let file = self.folder.0.as_ref().map(|folder| folder.join(CONNECTIONS_FILE));
        Ok(file.map_or_else(|| Ok(Connections::default()), |file| Connections::read(&file))?)
    }

    /// Queues the connections to be saved.
    ///
    /// # Errors
    /// A message for the user if the disk has not answered for many changes.
    pub(crate) fn save_connections(&self, list: Vec<Connection>) -> Result<(), &'static str> {
        let file = self.folder.0.as_ref().map(|folder| folder.join(CONNECTIONS_FILE));
        self.queue_save(file.ok_or_else(not_kept)?, move |path| Ok(Connections { list: list.clone() }.save(path)?))
    }

    fn queue_save(
        &self,
        path: PathBuf,
        write: impl Fn(&Path) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), &'static str> {
        self.queue(Request::Save(Save::own(path, write)))
    }

    fn queue(&self, request: Request) -> Result<(), &'static str> {
        let Some(requests) = &self.requests else { return Ok(()) };
        match requests.try_send(request) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(tr!("The disk does not answer; the last change is not saved yet.")),
            Err(TrySendError::Disconnected(_)) => Err(tr!("Changes can no longer be saved; restart the program.")),
        }
    }

    /// What happened since; never waits.
    #[must_use]
    pub(crate) fn poll(&self) -> Option<StoreEvent> {
        self.events.try_recv().ok()
    }
}

fn not_kept() -> &'static str {
    tr!("Your work is not kept: no folder for this user's data was found (set HOME).")
}

/// Where the work lies; nowhere, then nothing is found and nothing kept.
struct WorkFolder(Option<PathBuf>);

impl WorkFolder {
    fn remove_unfinished(&self) {
        let folders = self.0.iter().flat_map(|folder| ["", "boxes", "reviews", READINGS].map(|name| folder.join(name)));
        for folder in folders {
            remove_unfinished(&folder, UNFINISHED_AGE);
        }
    }

    /// What was saved for these images.
    fn read(
        &self,
        SeenImages { series_instance_uid, voxel_sha256 }: &SeenImages,
        saving: &mut Saving,
    ) -> Result<SavedWork, StoreError> {
        let mut existing = |kind| {
            let path = self.path_of(kind, series_instance_uid, voxel_sha256).filter(|path| path.exists())?;
            Some(saving.read(&path))
        };
        let boxes =
            existing("boxes").map(|json| Ok::<_, StoreError>(BoxesFile::parse(&json.map_err(BoxesError::Read)?)?));
        let boxes = boxes.transpose()?;
        let review =
            existing("reviews").map(|json| Ok::<_, StoreError>(ReviewFile::parse(&json.map_err(ReviewError::Read)?)?));
        let review = review.transpose()?;
        let boxes = boxes.filter(|file| file.voxel_sha256.as_deref() == Some(voxel_sha256.as_str()));
        let review = review.filter(|file| file.voxel_sha256 == *voxel_sha256);
        let readings = self.readings_of(series_instance_uid, voxel_sha256, saving)?;
        let is_unknown = boxes.is_none() && review.is_none() && readings.is_empty();
        let is_on_other_images = is_unknown && self.has_work_on(series_instance_uid);
        let boxes = boxes.map_or_else(Vec::new, |file| file.boxes);
        Ok(SavedWork { boxes, review, readings, is_on_other_images })
    }

    /// The blind readings of a series with these voxels.
    fn readings_of(
        &self,
        series_instance_uid: &str,
        voxel_sha256: &str,
        saving: &mut Saving,
    ) -> Result<Vec<BlindReading>, StoreError> {
        let Some((folder, start)) = self.readings().zip(file_stem_of(series_instance_uid, voxel_sha256)) else {
            return Ok(Vec::new());
        };
        let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let is_of_series = |name: &str| name.strip_prefix(&*start).is_some_and(|rest| rest.starts_with('-'));
        let files = files.filter(|file| file.file_name().to_str().is_some_and(is_of_series));
        let read = |file: std::fs::DirEntry| {
            let path = file.path();
            let json = saving.read(&path).map_err(PathError::at(&path)).map_err(RecordError::from)?;
            Ok::<_, StoreError>(BlindReading::parse(&json, &path)?)
        };
        let readings: Result<Vec<_>, _> = files.map(read).collect();
        Ok(readings?.into_iter().filter(|reading| reading.voxel_sha256 == voxel_sha256).collect())
    }

    fn readings(&self) -> Option<PathBuf> {
        self.0.as_ref().map(|folder| folder.join(READINGS))
    }

    /// Whether there is work on a series, whatever its images.
    fn has_work_on(&self, series_instance_uid: &str) -> bool {
        let Some(series) = file_name_of(series_instance_uid) else { return false };
        // Before images were noted, the series alone named the file.
        let is_ending = |rest: &str| rest.starts_with('-') || rest == ".json";
        let is_of_series = |name: &str| name.strip_prefix(&*series).is_some_and(is_ending);
        let folders = self.0.iter().flat_map(|folder| [folder.join("boxes"), folder.join("reviews")]);
        let mut files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().filter_map(Result::ok);
        files.any(|file| file.file_name().to_str().is_some_and(is_of_series))
    }

    fn path_of(&self, kind: &str, series_instance_uid: &str, voxel_sha256: &str) -> Option<PathBuf> {
        let stem = file_stem_of(series_instance_uid, voxel_sha256)?;
        self.0.as_ref().map(|folder| folder.join(kind).join(format!("{stem}.json")))
    }
}

/// Name of the files on a series with these voxels, without its ending.
fn file_stem_of(series_instance_uid: &str, voxel_sha256: &str) -> Option<String> {
    let voxels = voxel_sha256.get(..16).unwrap_or(voxel_sha256);
    Some(format!("{}-{voxels}", file_name_of(series_instance_uid)?))
}

/// A UID as part of a file's name. It comes from a file: only what may stand in a UID goes into the name.
fn file_name_of(series_instance_uid: &str) -> Option<String> {
    let name: String =
        series_instance_uid.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '.').collect();
    let name = name.trim_matches('.');
    (!name.is_empty()).then(|| name.to_owned())
}

impl Drop for ReaderStore {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that saves the reader's work ended with a panic");
        }
    }
}

#[cfg(test)]
mod tests;
