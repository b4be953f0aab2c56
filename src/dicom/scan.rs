//! Finds the DICOM images of a folder and sorts them into series, reading headers only.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dicom_dictionary_std::uids;
use rayon::prelude::*;

use super::error::{DicomError, FileError};
use super::file::DicomFile;
use super::frames::ImageHeader;
use super::packed::{is_packed_study, unpack};
use super::select::choose_t2_sagittal;
use super::series::{Image, SeriesSummary, group};
use super::warning::{SeriesWarning, WarningCode};
use crate::files::BorrowedFolder;
use crate::language::message;
use crate::research::is_volume_file;
use crate::task::{CancelToken, Progress};

/// Deepest folder below the given one that is searched.
const MAX_DEPTH: usize = 16;
/// Most files that are looked at.
pub(super) const MAX_FILES: usize = 200_000;
/// Files read between two reports of progress.
const BATCH: usize = 32;
/// Shortest time between two reports of the series found so far.
const BETWEEN_REPORTS: Duration = Duration::from_millis(400);

/// What a folder holds.
#[derive(Debug, Clone, Default)]
pub struct FolderScan {
    /// The series, ordered by study, series number and UID.
    pub series: Vec<SeriesSummary>,
    /// DICOM files that cannot be used, each with its reason, ordered by path.
    pub refused: Vec<RefusedFile>,
    /// Number of other files that were passed over (not DICOM, a DICOMDIR, or objects beside images such as reports).
    pub passed_over: usize,
    /// Oddities of the folder as a whole.
    pub warnings: Vec<SeriesWarning>,
    /// Where the files are that came in ZIP files; they are there as long as these.
    pub unpacked: Vec<Arc<BorrowedFolder>>,
}

/// A file that cannot be used; its path is left out of `Debug`.
#[derive(Clone)]
pub struct RefusedFile {
    /// The file; patient data, never logged.
    pub path: PathBuf,
    pub reason: Arc<FileError>,
}

impl fmt::Debug for RefusedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RefusedFile").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl FolderScan {
    /// The T2 sagittal series to grade; every series tells in [`SeriesSummary::choice`] why it is or is not that one.
    #[must_use]
    pub fn t2_sagittal(&self) -> Option<&SeriesSummary> {
        self.series.iter().find(|series| series.choice.is_chosen)
    }

    /// How many patients the images are of; those that name none count with any.
    #[must_use]
    pub(crate) fn patients(&self) -> usize {
        patients(&self.series)
    }

    /// Adds what another folder holds, behind what is there, whose places stay; each keeps its own chosen series.
    pub fn add(&mut self, other: Self) {
        let Self { series, refused, passed_over, warnings, unpacked } = other;
        self.series.extend(series);
        self.refused.extend(refused);
        self.passed_over += passed_over;
        self.warnings.extend(warnings);
        self.unpacked.extend(unpacked);
    }
}

/// Reads the headers of all DICOM images in `folder` and below (of a single file, a DICOMDIR's folder, a ZIP file) and sorts them into series.
///
/// Folders behind symbolic links are not entered. Files that are not DICOM are passed over, unless their name ends in
/// `.dcm` or they were asked for by name; what is wrong with any other file is told in [`FolderScan::refused`].
/// The result does not depend on the number of threads.
///
/// # Errors
/// [`DicomError::Folder`] if the folder itself cannot be read, [`DicomError::Packed`] if a ZIP file cannot be unpacked,
/// [`DicomError::Cancelled`] on request.
pub fn scan_folder(
    folder: &Path,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<FolderScan, DicomError> {
    scan_folder_listing(folder, cancel, on_progress, &mut |_| ())
}

/// The same; `on_series` hears of the series found so far, which may still get slices, before all files are read.
///
/// # Errors
/// As [`scan_folder`].
pub(crate) fn scan_folder_listing(
    folder: &Path,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
    on_series: &mut dyn FnMut(Vec<SeriesSummary>),
) -> Result<FolderScan, DicomError> {
    if is_packed_study(folder) {
        let unpacked = unpack(folder, cancel, on_progress)?;
        let scan = scan_folder_listing(unpacked.path(), cancel, on_progress, on_series)?;
        return Ok(FolderScan { unpacked: vec![Arc::new(unpacked)], ..scan });
    }
    // A DICOMDIR lists what lies beside it and below; that is looked for, whatever it says.
    let folder = match folder.parent() {
        Some(beside) if folder.is_file() && is_directory_file(folder) => beside,
        _ => folder,
    };
    let is_single_file = folder.is_file();
    let files = Files::below(folder, cancel)?;
    let mut scan = FolderScan::default();
    let mut images = Vec::new();
    let (mut packed, mut volumes) = (0, 0);
    let mut told_at: Option<Instant> = None;
    for (batch, paths) in files.paths.chunks(BATCH).enumerate() {
        cancel.check()?;
        on_progress(Progress { step: "Reading files", done: batch * BATCH, total: files.paths.len() });
        let read: Vec<_> = paths.par_iter().map(|path| read_image(path, is_single_file)).collect();
        for (path, result) in paths.iter().zip(read) {
            match result {
                Ok(Some(header)) => images.push(Image { path: path.clone(), header }),
                Ok(None) => scan.passed_over += 1,
                Err(FileError::NotDicom) if !is_single_file && !is_named_dicom(path) => {
                    scan.passed_over += 1;
                    packed += usize::from(is_packed_study(path));
                    volumes += usize::from(is_volume_file(path));
                }
                Err(reason) => scan.refused.push(RefusedFile { path: path.clone(), reason: reason.into() }),
            }
        }
        let is_last = (batch + 1) * BATCH >= files.paths.len();
        if !is_last && !images.is_empty() && told_at.is_none_or(|at| at.elapsed() >= BETWEEN_REPORTS) {
            on_series(sorted_into_series(&images));
            told_at = Some(Instant::now());
        }
    }
    on_progress(Progress { step: "Reading files", done: files.paths.len(), total: files.paths.len() });
    scan.series = sorted_into_series(&images);
    if !scan.refused.is_empty() {
        let message = message!("{count} DICOM files could not be used", count = scan.refused.len());
        scan.warnings.push(SeriesWarning::new(WarningCode::RefusedFiles, message));
    }
    if packed > 0 {
        let message =
            message!("{count} ZIP files in the folder were not searched; open each of them by itself", count = packed);
        scan.warnings.push(SeriesWarning::new(WarningCode::PackedFiles, message));
    }
    // Beside images they are what was made of them.
    if volumes > 0 && images.is_empty() {
        let message = message!(
            "{count} NIfTI or MetaImage files in the folder were not read; open each of them by itself",
            count = volumes
        );
        scan.warnings.push(SeriesWarning::new(WarningCode::ResearchFiles, message));
    }
    if files.is_cut_short {
        let message = message!(
            "only {files} files, {folders} folders deep, are searched; there are more",
            files = MAX_FILES,
            folders = MAX_DEPTH
        );
        scan.warnings.push(SeriesWarning::new(WarningCode::FolderNotSearchedFully, message));
    }
    let warnings: Arc<[SeriesWarning]> = scan.warnings.clone().into();
    for series in &mut scan.series {
        series.folder_warnings = Arc::clone(&warnings);
    }
    let FolderScan { series, refused, passed_over, .. } = &scan;
    let (series, refused) = (series.len(), refused.len());
    tracing::info!(
        files = files.paths.len(),
        images = images.len(),
        series,
        refused,
        passed_over,
        "a folder is searched"
    );
    Ok(scan)
}

fn sorted_into_series(images: &[Image]) -> Vec<SeriesSummary> {
    let mut series = group(images);
    let patients = patients(&series);
    choose_t2_sagittal(&mut series, patients);
    series
}

/// How many patients the series are of; those that name none count with any.
fn patients(series: &[SeriesSummary]) -> usize {
    let mut known: Vec<&SeriesSummary> = Vec::new();
    for one in series.iter().filter(|one| one.names_patient()) {
        if !known.iter().any(|other| other.is_of_patient(one)) {
            known.push(one);
        }
    }
    known.len()
}

/// Whether a file is a DICOMDIR by its name.
fn is_directory_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"))
}

/// Header of an image; `None` for a DICOMDIR, which only lists what is found anyway, and for objects that belong beside
/// images: reports, presentation states, raw data, segmentations, screenshots, maps. If such a file `is_asked_for` by name,
/// it is refused with the reason.
fn read_image(path: &Path, is_asked_for: bool) -> Result<Option<ImageHeader>, FileError> {
    if is_directory_file(path) {
        return Ok(None);
    }
    let file = match DicomFile::open(path) {
        Err(FileError::NotDicom) if is_asked_for && !is_named_dicom(path) => return Err(FileError::UnknownFormat),
        opened => opened?,
    };
    if file.media_sop_class.as_deref() == Some(uids::MEDIA_STORAGE_DIRECTORY_STORAGE) {
        return Ok(None);
    }
    match ImageHeader::read(&file) {
        Err(FileError::NoPixelData { .. } | FileError::UnsupportedPixels(_)) if !is_asked_for && !file.may_be_mr() => {
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Whether the name says that the file should be DICOM.
fn is_named_dicom(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["dcm", "dicom", "ima"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// The files below a folder.
#[derive(Default)]
struct Files {
    paths: Vec<PathBuf>,
    is_cut_short: bool,
}

/// The files of a folder and below, sorted; a single file is given back.
pub(super) fn files_in(folder: &Path, cancel: &CancelToken) -> Result<Vec<PathBuf>, DicomError> {
    Files::below(folder, cancel).map(|files| files.paths)
}

impl Files {
    fn below(folder: &Path, cancel: &CancelToken) -> Result<Self, DicomError> {
        let unreadable = |source| DicomError::Folder { source, path: folder.to_owned() };
        let mut files = Self::default();
        if fs::metadata(folder).map_err(unreadable)?.is_file() {
            files.paths.push(folder.to_owned());
        } else {
            fs::read_dir(folder).map_err(unreadable)?;
            files.collect(folder, 0, cancel)?;
            files.paths.sort();
        }
        Ok(files)
    }

    fn collect(&mut self, folder: &Path, depth: usize, cancel: &CancelToken) -> Result<(), DicomError> {
        cancel.check()?;
        if depth > MAX_DEPTH {
            self.is_cut_short = true;
            return Ok(());
        }
        // A subfolder that may not be read holds nothing for this user.
        let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
        for entry in entries.flatten() {
            if self.paths.len() >= MAX_FILES {
                self.is_cut_short = true;
                return Ok(());
            }
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.collect(&entry.path(), depth + 1, cancel)?,
                Ok(kind) if kind.is_file() => self.paths.push(entry.path()),
                // Links to files are read, links to folders could lead in circles.
                Ok(kind) if kind.is_symlink() && entry.path().is_file() => self.paths.push(entry.path()),
                _ => {}
            }
        }
        Ok(())
    }
}
