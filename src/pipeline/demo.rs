//! A synthetic study on disk: DICOM with its truth beside it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::PipelineError;
use super::phantom_study::write_phantom;
use crate::files::PathError;
use crate::phantom::PhantomSettings;
use crate::task::{CancelToken, Progress};

/// The synthetic patient that `spinenet demo` shows.
pub const DEMO_SEED: u64 = 27;

/// A synthetic study on disk.
#[derive(Debug)]
pub struct DemoStudy {
    folder: PathBuf,
    /// Deletes a temporary folder together with this value.
    _temporary: Option<TempDir>,
}

impl DemoStudy {
    /// Folder with the DICOM files alone.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
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
        None => Some(tempfile::Builder::new().prefix("spinenet-demo-").tempdir().map_err(PathError::at("temp"))?),
    };
    let folder = temporary.as_ref().map_or_else(|| folder.unwrap_or(Path::new(".")), TempDir::path).to_owned();
    write_phantom(&folder, &PhantomSettings::new(seed), cancel)?;
    on_progress(Progress { step: STEP, done: 1, total: 1 });
    Ok(DemoStudy { folder: folder.join("dicom"), _temporary: temporary })
}
