//! A synthetic study on disk: DICOM with its truth beside it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{BoxesFile, PipelineError, TruthFile, TruthTable, choose_series, write_whole};
use crate::dicom::{SeriesHeader, scan_folder, write_series};
use crate::phantom::{Phantom, PhantomStudy};
use crate::spine::BoxSource;
use crate::task::{CancelToken, Progress};

/// The synthetic patient that `spinenet demo` shows.
pub const DEMO_SEED: u64 = 4;

/// A synthetic study on disk.
#[derive(Debug)]
pub struct DemoStudy {
    folder: PathBuf,
    /// What is true of it; written beside the DICOM folder.
    pub truth: TruthFile,
    /// Deletes a temporary folder together with this value.
    temporary: Option<TempDir>,
}

impl DemoStudy {
    /// Folder with the DICOM files alone.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the study is deleted together with this value.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }
}

/// Writes the synthetic patient `seed` into `folder` (made where needed; `None`: a temporary one):
/// `dicom/*.dcm`, `truth.json`, `truth-grades.csv` and `truth-boxes.json`. The same seed gives the same bytes.
///
/// # Errors
/// If a file cannot be written or the work is cancelled.
pub fn prepare_demo(
    folder: Option<&Path>,
    seed: u64,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<DemoStudy, PipelineError> {
    const STEP: &str = "Making a synthetic study";
    on_progress(Progress { step: STEP, done: 0, total: 2 });
    let temporary = match folder {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("spinenet-demo-").tempdir().map_err(PipelineError::file("temp"))?),
    };
    let folder = temporary.as_ref().map_or_else(|| folder.unwrap_or(Path::new(".")), TempDir::path).to_owned();
    let study = Phantom::generate(seed);
    cancel.check()?;
    on_progress(Progress { step: STEP, done: 1, total: 2 });
    let dicom_folder = folder.join("dicom");
    fs::create_dir_all(&dicom_folder).map_err(PipelineError::file(&dicom_folder))?;
    let truth = write_study(&folder, &dicom_folder, &study, seed)?;
    on_progress(Progress { step: STEP, done: 2, total: 2 });
    Ok(DemoStudy { folder: dicom_folder, truth, temporary })
}

fn write_study(
    folder: &Path,
    dicom_folder: &Path,
    study: &PhantomStudy,
    seed: u64,
) -> Result<TruthFile, PipelineError> {
    let header = SeriesHeader::synthetic_t2_sagittal(&format!("phantom {seed}"));
    write_series(dicom_folder, &study.volume, &header)?;
    // The writer makes the UIDs; reading back also proves that the study opens.
    let scan = scan_folder(dicom_folder, &CancelToken::default(), &mut |_| ())?;
    let truth = TruthFile::of_phantom(study, seed, &choose_series(&scan, None)?.series_instance_uid);
    let file = folder.join("truth.json");
    let text = serde_json::to_string_pretty(&truth).expect("truth holds no maps with other keys than text") + "\n";
    write_whole(&file, text.as_bytes()).map_err(PipelineError::file(&file))?;
    let mut table = TruthTable::default();
    table.add(&truth);
    table.write(&folder.join("truth-grades.csv"))?;
    let boxes = study.boxes.iter().filter(|truth| truth.source == BoxSource::Reader).cloned().collect();
    BoxesFile::new("phantom", &truth.series_instance_uid, boxes).save(&folder.join("truth-boxes.json"))?;
    Ok(truth)
}
