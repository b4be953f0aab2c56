//! A synthetic study on disk: DICOM with its truth beside it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::PipelineError;
use super::phantom_study::{make_folder, write_phantom};
use crate::records::TruthFile;
use crate::task::{CancelToken, Progress};

/// The synthetic patient that `spinenet demo` shows.
pub const DEMO_SEED: u64 = 27;

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
/// `dicom` with all series, `truth.json`, `truth-grades.csv`, `truth-boxes.json` and `truth-masks.nii.gz`. The same seed
/// gives the same bytes.
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
    on_progress(Progress { step: STEP, done: 0, total: 1 });
    let temporary = match folder {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("spinenet-demo-").tempdir().map_err(PipelineError::file("temp"))?),
    };
    let folder = temporary.as_ref().map_or_else(|| folder.unwrap_or(Path::new(".")), TempDir::path).to_owned();
    make_folder(&folder)?;
    let truth = write_phantom(&folder, seed, cancel)?;
    on_progress(Progress { step: STEP, done: 1, total: 1 });
    Ok(DemoStudy { folder: folder.join("dicom"), truth, temporary })
}
