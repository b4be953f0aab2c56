//! Whole studies in, results out.

use std::fs;
use std::path::{Path, PathBuf};

use super::connection::Connection;
use super::error::PacsError;
use super::inbox::Inbox;
use super::{Archive, archive};
use crate::files::{BorrowedFolder, PathError};
use crate::task::{CancelToken, Progress};

/// Modalities of the series that are read; results and presentations are not fetched with them.
pub(crate) const IMAGES: &[&str] = &["MR"];

/// A study that was fetched whole, in a folder that only the user can read and that is removed with this.
#[derive(Debug)]
pub struct FetchedStudy {
    folder: BorrowedFolder,
    pub objects: usize,
}

impl FetchedStudy {
    /// Where its objects are.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Moves the study to a folder that is not there yet, and keeps it.
    fn keep_as(self, out: &Path) -> Result<usize, PacsError> {
        self.folder.keep_as(out).map_err(PathError::at(out))?;
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
pub(crate) fn fetch_study_into(
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
    fs::create_dir_all(parent).map_err(PathError::at(parent))?;
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
    // A series of which the archive does not say what it is may be wanted.
    let is_wanted = |modality: &str| modalities.is_empty() || modality.is_empty() || modalities.contains(&modality);
    let series: Vec<_> = all.iter().filter(|series| is_wanted(&series.modality)).collect();
    if series.is_empty() {
        return Err(not_found(format!("{} series in this study", modalities.join(" or "))));
    }
    let folder = BorrowedFolder::new_in(parent).map_err(PathError::at(parent))?;
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
    Ok(FetchedStudy { folder, objects })
}

/// Stores objects in an archive, as many as it takes.
///
/// # Errors
/// If the archive cannot be reached, or, naming them, if it refuses some of the objects; the others are stored.
pub fn send_files(
    connection: &Connection,
    files: &[PathBuf],
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), PacsError> {
    let mut archive: Box<dyn Archive> = archive(connection)?;
    archive.store(files, cancel, on_progress)
}
