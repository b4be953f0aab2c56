//! Where weights are looked for.

use std::fs;
use std::path::{Path, PathBuf};

use super::{METADATA_FILE, WeightsError, WeightsFolder, version_numbers};
use crate::files::source_folder;

/// Folders that may hold weights, in the order of search: the user's, `SPINENET_WEIGHTS`, `weights` beside the program,
/// `share/spinenet-viewer/weights` beside the folder of programs, `weights` of the source tree.
#[must_use]
pub(crate) fn weights_search_path(user_folder: Option<&Path>) -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let programs = program.as_deref().and_then(Path::parent);
    let beside = programs.map(|folder| folder.join("weights"));
    let shared = programs.and_then(Path::parent).map(|prefix| prefix.join("share/spinenet-viewer/weights"));
    let variable = std::env::var_os("SPINENET_WEIGHTS").map(PathBuf::from);
    let source = source_folder().map(|source| source.join("weights"));
    [user_folder.map(Path::to_owned), variable, beside, shared, source].into_iter().flatten().collect()
}

/// All folders of weights under `folder`, or `folder` itself if it is one, by name and then version. Those whose metadata
/// is not valid come as errors.
#[must_use]
pub(crate) fn list_weights(folder: &Path) -> Vec<Result<WeightsFolder, WeightsError>> {
    if folder.join(METADATA_FILE).is_file() {
        return vec![WeightsFolder::open(folder)];
    }
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    paths.retain(|path| path.join(METADATA_FILE).is_file());
    paths.sort();
    let mut found: Vec<_> = paths.iter().map(|path| WeightsFolder::open(path)).collect();
    found.sort_by_key(|found| match found {
        Ok(found) => (found.metadata.name.clone(), version_numbers(&found.metadata.version)),
        Err(_) => (String::new(), None),
    });
    found
}

/// The newest weights named `name` in the first folder of [`weights_search_path`] that has any.
///
/// # Errors
/// If there is none, or the metadata of the only candidate is not valid.
pub(crate) fn find_weights(name: &str, user_folder: Option<&Path>) -> Result<WeightsFolder, WeightsError> {
    let searched = weights_search_path(user_folder);
    for folder in &searched {
        let mut damaged = None;
        let mut newest = None;
        for found in list_weights(folder) {
            match found {
                Ok(found) if found.metadata.name == name => newest = Some(found),
                Ok(_) => {}
                Err(error) => damaged = damaged.or(candidate_error(error, name)),
            }
        }
        match (newest, damaged) {
            (Some(newest), _) => return Ok(newest),
            (None, Some(error)) => return Err(error),
            (None, None) => {}
        }
    }
    Err(WeightsError::NotFound { name: name.to_owned(), searched })
}

/// `error` if the folder it is about is named as weights of `name` are.
fn candidate_error(error: WeightsError, name: &str) -> Option<WeightsError> {
    let path = match &error {
        WeightsError::File(file) => file.path(),
        WeightsError::Metadata { path, .. } => path,
        _ => return Some(error),
    };
    let folder = path.parent()?.file_name()?.to_string_lossy().into_owned();
    let version = folder.strip_prefix(name)?.strip_prefix('-')?;
    version_numbers(version).map(|_| error)
}
