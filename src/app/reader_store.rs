//! Keeps the reader's work on disk: boxes and reviews, in the user's own data folder and never beside the patient's
//! images.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use thiserror::Error;

use super::languages::FoundLanguages;
use super::settings::{SETTINGS_FILE, Settings};
use crate::dicom::Series;
use crate::export::{ReportTemplate, TEMPLATE_FILE, TemplateError};
use crate::files::{PathError, make_private_folder, remove_unfinished};
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

type Write = dyn FnOnce(&Path) -> Result<(), StoreError> + Send;

/// A whole file to be saved; a later one of the same path takes its place.
struct Save {
    path: PathBuf,
    write: Box<Write>,
}

impl Save {
    fn run(self) -> Result<(), StoreError> {
        if let Some(folder) = self.path.parent() {
            make_private_folder(folder).map_err(PathError::at(folder))?;
        }
        (self.write)(&self.path)
    }
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
    NotSaved(StoreError),
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
            while let Ok(first) = waiting.recv() {
                let mut saves = Vec::new();
                for request in std::iter::once(first).chain(waiting.try_iter()) {
                    match request {
                        Request::Save(save) => {
                            saves.retain(|earlier: &Save| earlier.path != save.path);
                            saves.push(save);
                        }
                        Request::Work(key) => {
                            run_all(&mut saves, tell);
                            let found = work.read(&key).map(Box::new);
                            tell(StoreEvent::Work(key, found));
                        }
                    }
                }
                run_all(&mut saves, tell);
            }
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
        self.queue_save(path, move |path| Ok(file.save(path)?))
    }

    /// Queues the review of a series to be saved.
    ///
    /// # Errors
    /// A message for the user if the disk has not answered for many changes.
    pub(crate) fn save_review(&self, file: ReviewFile) -> Result<(), &'static str> {
        let path =
            self.folder.path_of("reviews", &file.series_instance_uid, &file.voxel_sha256).ok_or_else(not_kept)?;
        self.queue_save(path, move |path| Ok(file.save(path)?))
    }

    /// Queues a blind reading to be saved.
    ///
    /// # Errors
    /// A message for the user if the disk has not answered for many changes.
    pub fn save_reading(&self, reading: BlindReading) -> Result<(), &'static str> {
        let stem = file_stem_of(&reading.series_instance_uid, &reading.voxel_sha256);
        let (folder, stem) = self.folder.readings().zip(stem).ok_or_else(not_kept)?;
        let path = folder.join(format!("{stem}-{}.json", reading.reader_key()));
        self.queue_save(path, move |path| Ok(reading.save(path)?))
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
        self.queue_save(file.ok_or_else(not_kept)?, move |path| Ok(Connections { list }.save(path)?))
    }

    fn queue_save(
        &self,
        path: PathBuf,
        write: impl FnOnce(&Path) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), &'static str> {
        self.queue(Request::Save(Save { path, write: Box::new(write) }))
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
    fn read(&self, SeenImages { series_instance_uid, voxel_sha256 }: &SeenImages) -> Result<SavedWork, StoreError> {
        let existing = |kind| self.path_of(kind, series_instance_uid, voxel_sha256).filter(|path| path.exists());
        let boxes = existing("boxes").map(|path| BoxesFile::read(&path)).transpose()?;
        let review = existing("reviews").map(|path| ReviewFile::read(&path)).transpose()?;
        let boxes = boxes.filter(|file| file.voxel_sha256.as_deref() == Some(voxel_sha256.as_str()));
        let review = review.filter(|file| file.voxel_sha256 == *voxel_sha256);
        let readings = self.readings_of(series_instance_uid, voxel_sha256)?;
        let is_unknown = boxes.is_none() && review.is_none() && readings.is_empty();
        let is_on_other_images = is_unknown && self.has_work_on(series_instance_uid);
        let boxes = boxes.map_or_else(Vec::new, |file| file.boxes);
        Ok(SavedWork { boxes, review, readings, is_on_other_images })
    }

    /// The blind readings of a series with these voxels.
    fn readings_of(&self, series_instance_uid: &str, voxel_sha256: &str) -> Result<Vec<BlindReading>, StoreError> {
        let Some((folder, start)) = self.readings().zip(file_stem_of(series_instance_uid, voxel_sha256)) else {
            return Ok(Vec::new());
        };
        let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let is_of_series = |name: &str| name.strip_prefix(&*start).is_some_and(|rest| rest.starts_with('-'));
        let files = files.filter(|file| file.file_name().to_str().is_some_and(is_of_series));
        let readings: Result<Vec<_>, _> = files.map(|file| BlindReading::read(&file.path())).collect();
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

/// Saves what is left of `saves`, and tells what could not be.
fn run_all(saves: &mut Vec<Save>, tell: impl Fn(StoreEvent)) {
    for save in saves.drain(..) {
        if let Err(error) = save.run() {
            tell(StoreEvent::NotSaved(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Review;
    use crate::spine::{BoxSource, DiscLevel, Grading, PixelBox};

    fn a_box(x: f64) -> SliceBox {
        let rect = PixelBox { x, y: 2.0, width: 3.0, height: 4.0 };
        let (level, grading) = (DiscLevel::L4L5, Grading::UpperMarrowChange);
        SliceBox { level, grading, slice: 5, rect, source: BoxSource::Reader, percentile: None }
    }

    fn voxels(letter: char) -> String {
        letter.to_string().repeat(64)
    }

    fn boxes_file(boxes: Vec<SliceBox>) -> BoxesFile {
        BoxesFile::new("AB", "1.2.3", boxes).on_voxels(&voxels('a'))
    }

    /// Earlier work on the images, as the window gets it.
    fn work_on(store: &ReaderStore, series: &str, letter: char) -> SavedWork {
        let key = SeenImages { series_instance_uid: series.to_owned(), voxel_sha256: voxels(letter) };
        store.request_work(key.clone()).expect("room");
        match store.events.recv_timeout(Duration::from_secs(20)).expect("an answer") {
            StoreEvent::Work(of, work) => {
                assert_eq!(of, key);
                *work.expect("readable")
            }
            StoreEvent::NotSaved(error) => panic!("{error}"),
        }
    }

    /// A decision is queued before the look for earlier work, so the look finds it.
    #[test]
    fn work_asked_for_after_a_decision_holds_the_decision() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
        for x in 0..20 {
            store.save_boxes(boxes_file(vec![a_box(f64::from(x))])).expect("room");
        }
        assert_eq!(work_on(&store, "1.2.3", 'a').boxes, [a_box(19.0)]);
    }

    /// However many changes wait for a slow disk, each file is written once more, as it is at last.
    #[test]
    fn changes_that_wait_for_the_disk_are_saved_together() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
        let (begun, begin) = bounded(0);
        let (release, released) = bounded(0);
        let wait = move |_: &Path| {
            begun.send(()).expect("awaited");
            released.recv().expect("released");
            Ok(())
        };
        store.queue_save(folder.path().join("slow"), wait).expect("room");
        begin.recv().expect("the thread is at work");
        let (told, written) = bounded(WAITING);
        for change in 0..WAITING / 2 {
            for name in ["one", "other"] {
                let told = told.clone();
                let write = move |_: &Path| {
                    told.send((name, change)).expect("room");
                    Ok(())
                };
                store.queue_save(folder.path().join(name), write).expect("room");
            }
        }
        release.send(()).expect("the disk answers");
        drop(store);
        let last = WAITING / 2 - 1;
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [("one", last), ("other", last)]);
    }

    #[test]
    fn work_that_cannot_be_read_is_told_and_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("boxes").join(format!("1.2.3-{}.json", &voxels('a')[..16]));
        std::fs::create_dir(folder.path().join("boxes")).expect("made");
        std::fs::write(&file, "{ broken").expect("written");
        let store = ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
        let key = SeenImages { series_instance_uid: "1.2.3".to_owned(), voxel_sha256: voxels('a') };
        store.request_work(key).expect("room");
        let answer = store.events.recv_timeout(Duration::from_secs(20)).expect("an answer");
        assert!(matches!(answer, StoreEvent::Work(_, Err(StoreError::Boxes(BoxesError::Json(_))))));
        assert_eq!(std::fs::read_to_string(file).expect("there"), "{ broken");
    }

    #[test]
    fn work_comes_back_from_disk() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("deep/data");
        let store = ReaderStore::start(Some(place.clone()), || ()).expect("a thread");
        assert!(work_on(&store, "1.2.3", 'a').boxes.is_empty());
        store.save_boxes(boxes_file(vec![a_box(1.0)])).expect("room");
        store.save_boxes(boxes_file(vec![a_box(1.0), a_box(9.0)])).expect("room");
        let mut review = Review::default();
        review.set_comment(DiscLevel::L5S1, "seen");
        let file = ReviewFile::new("1.2.3", &voxels('a'), None, review);
        store.save_review(file.clone()).expect("room");
        drop(store);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(place.join("reviews")).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "closed to other users");
        }
        let store = ReaderStore::start(Some(place), || ()).expect("a thread");
        let saved = work_on(&store, "1.2.3", 'a');
        assert_eq!(saved.boxes, [a_box(1.0), a_box(9.0)]);
        assert_eq!((saved.review, saved.is_on_other_images), (Some(file), false));
    }

    /// The same series with other images: what was decided about the first ones stays on disk and does not show.
    #[test]
    fn work_is_about_the_images_that_were_seen() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().to_owned();
        let store = ReaderStore::start(Some(place.clone()), || ()).expect("a thread");
        let review = |words: &str| {
            let mut review = Review::default();
            review.set_comment(DiscLevel::L5S1, words);
            review
        };
        store.save_review(ReviewFile::new("1.2.3", &voxels('a'), None, review("all slices"))).expect("room");
        drop(store);
        let store = ReaderStore::start(Some(place.clone()), || ()).expect("a thread");
        let half = work_on(&store, "1.2.3", 'b');
        assert!(half.is_on_other_images && half.review.is_none() && half.boxes.is_empty());
        for unseen in ["1.2", "1.2.3.4"] {
            assert!(!work_on(&store, unseen, 'b').is_on_other_images, "{unseen}");
        }
        store.save_review(ReviewFile::new("1.2.3", &voxels('b'), None, review("half of them"))).expect("room");
        drop(store);
        let store = ReaderStore::start(Some(place), || ()).expect("a thread");
        for (images, words) in [('a', "all slices"), ('b', "half of them")] {
            let saved = work_on(&store, "1.2.3", images);
            assert_eq!(saved.review.expect("kept").review.comment_of(DiscLevel::L5S1), words);
        }
    }

    #[test]
    fn a_hostile_uid_stays_in_the_folder() {
        let place = WorkFolder(Some(PathBuf::from("/data")));
        let path = place.path_of("boxes", "../../etc/passwd", &voxels('a')).expect("a path");
        assert_eq!(path.parent(), Some(Path::new("/data/boxes")));
        assert_eq!(place.path_of("boxes", "../..", &voxels('a')), None);
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
        let store = ReaderStore::start(Some(blocked), wake_once).expect("a thread");
        store.save_boxes(boxes_file(vec![a_box(1.0)])).expect("room");
        wake.recv_timeout(std::time::Duration::from_secs(20)).expect("the failure wakes the window");
        assert!(matches!(store.poll(), Some(StoreEvent::NotSaved(_))));
    }
}
