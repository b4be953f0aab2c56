//! Whole studies in, results out.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::connection::Connection;
use super::error::PacsError;
use super::inbox::Inbox;
use super::{Archive, archive};
use crate::task::{CancelToken, Progress};

/// Modalities of the series that are read; results and presentations are not fetched with them.
pub const IMAGES: &[&str] = &["MR"];

/// Begins the names of folders that studies are fetched into.
const PREFIX: &str = ".spinenet-pacs-";
/// Held as long as the folder is in use, also by another process.
const LOCK: &str = ".in-use";

/// A study that was fetched whole, in a folder that only the user can read and that is removed with this.
#[derive(Debug)]
pub struct FetchedStudy {
    // The lock goes before the folder that it lies in.
    _lock: File,
    folder: TempDir,
    /// Objects in it.
    pub objects: usize,
}

impl FetchedStudy {
    /// Where its objects are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Moves the study to a folder that is not there yet, and keeps it.
    fn keep_as(self, out: &Path) -> Result<usize, PacsError> {
        let lock = self.folder.path().join(LOCK);
        fs::remove_file(&lock).map_err(PacsError::file(&lock))?;
        fs::rename(self.folder.path(), out).map_err(PacsError::file(out))?;
        // The folder has moved; there is nothing left to remove.
        let _ = self.folder.keep();
        Ok(self.objects)
    }
}

/// Fetches the series of a study whose modality is one of `modalities` (all if there are none) into a temporary folder.
///
/// # Errors
/// If the archive cannot be reached, has no such series, or not every object came; nothing is kept then.
pub fn fetch_study(
    connection: &Connection,
    study_instance_uid: &str,
    modalities: &[&str],
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<FetchedStudy, PacsError> {
    let folder = std::env::temp_dir();
    fetch_below(&folder, connection, study_instance_uid, modalities, cancel, on_progress)
}

/// Fetches a study into the folder `out`, which must not be there yet; returns the number of objects.
///
/// # Errors
/// As [`fetch_study`]; `out` is made only if everything came.
pub fn fetch_study_into(
    out: &Path,
    connection: &Connection,
    study_instance_uid: &str,
    modalities: &[&str],
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<usize, PacsError> {
    if out.exists() {
        return Err(PacsError::Configuration(format!("the folder for the study is there already: {}", out.display())));
    }
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(PacsError::file(parent))?;
    fetch_below(parent, connection, study_instance_uid, modalities, cancel, on_progress)?.keep_as(out)
}

fn fetch_below(
    parent: &Path,
    connection: &Connection,
    study_instance_uid: &str,
    modalities: &[&str],
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<FetchedStudy, PacsError> {
    on_progress(Progress { step: "Asking the archive", done: 0, total: 0 });
    let mut archive = archive(connection)?;
    let place = &connection.name;
    let not_found = |what: String| PacsError::NotFound { place: place.clone(), what };
    let all = archive.series(study_instance_uid, cancel)?;
    if all.is_empty() {
        return Err(not_found("such study".to_owned()));
    }
    let is_wanted = |modality: &str| modalities.is_empty() || modalities.contains(&modality);
    let series: Vec<_> = all.iter().filter(|series| is_wanted(&series.modality)).collect();
    if series.is_empty() {
        return Err(not_found(format!("{} series in this study", modalities.join(" or "))));
    }
    // Temporary folders are private to their owner.
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(PacsError::file(parent))?;
    let lock = locked(folder.path()).map_err(PacsError::file(folder.path()))?;
    let expected = series.iter().map(|series| series.objects).sum::<Option<usize>>().unwrap_or_default();
    let mut inbox = Inbox::new(folder.path(), place, study_instance_uid, expected, cancel, on_progress);
    for series in series {
        let before = inbox.objects();
        archive.fetch_series(study_instance_uid, &series.series_instance_uid, &mut inbox, cancel)?;
        let got = inbox.objects() - before;
        if got == 0 || series.objects.is_some_and(|expected| got < expected) {
            let expected = series.objects.unwrap_or(1);
            return Err(PacsError::Incomplete { place: place.clone(), got, expected });
        }
    }
    let objects = inbox.objects();
    Ok(FetchedStudy { _lock: lock, folder, objects })
}

fn locked(folder: &Path) -> io::Result<File> {
    let file = File::create(folder.join(LOCK))?;
    file.try_lock().map_err(io::Error::from)?;
    Ok(file)
}

/// Removes fetched studies that a crash left in the temporary folder of the system; those in use stay.
pub fn remove_abandoned() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for folder in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let folder = folder.path();
        // A folder without a lock is only just being made.
        let Ok(lock) = File::open(folder.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() && fs::remove_dir_all(&folder).is_ok() {
            tracing::info!("a fetched study that was left over is removed");
        }
    }
}

/// Stores objects in an archive.
///
/// # Errors
/// If the archive cannot be reached or refuses an object; those before it are stored.
pub fn send_files(
    connection: &Connection,
    files: &[PathBuf],
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), PacsError> {
    let mut archive: Box<dyn Archive> = archive(connection)?;
    archive.store(files, cancel, on_progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_uses_is_removed() {
        let make = || tempfile::Builder::new().prefix(PREFIX).tempdir().expect("a temporary folder");
        let (used, left) = (make(), make().keep());
        let lock = locked(used.path()).expect("locked");
        drop(locked(&left).expect("locked"));
        remove_abandoned();
        assert!(used.path().exists() && !left.exists());
        drop(lock);
    }
}
