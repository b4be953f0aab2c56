//! Writing files so that nobody ever sees half of one, and where those of this user and of the source tree are kept.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use thiserror::Error;

/// Start of the names of files that are not yet whole.
const UNFINISHED: &str = ".spinenet-";

/// The file system refused something.
#[derive(Debug, Error)]
#[error("{}", path.display())]
pub struct PathError {
    /// What it said.
    source: io::Error,
    path: PathBuf,
}

impl PathError {
    /// Adds the path to what the file system says.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self { source, path }
    }

    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes `bytes` to a temporary file beside `path`, syncs it, renames it to `path` and syncs the folder.
///
/// # Errors
/// Whatever the file system says; `path` is then as it was.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, share_like_other_files)
}

/// The same for a file that only its owner may read.
///
/// # Errors
/// Whatever the file system says; `path` is then as it was.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Temporary files are private from the start.
    write(path, bytes, |_| Ok(()))
}

fn write(path: &Path, bytes: &[u8], set_permissions: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    set_permissions(temporary.as_file())?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Temporary files are private to their owner; a result is as readable as any other file (0644).
#[cfg(unix)]
fn share_like_other_files(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn share_like_other_files(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Reads a text as other programs write it: UTF-8 or UTF-16, with or without a byte order mark.
///
/// # Errors
/// Whatever the file system says; [`io::ErrorKind::InvalidData`] for any other encoding.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let bytes = std::fs::read(path)?;
    let text = match bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        // Without a mark, the half of its first letter that is empty tells.
        [1..=0xFF, 0, ..] => utf16(&bytes, u16::from_le_bytes),
        [0, 1..=0xFF, ..] => utf16(&bytes, u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok(),
    };
    let text = text.filter(|text| !text.contains('\0'));
    text.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8; save it in that encoding"))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16(&units).ok().filter(|_| rest.is_empty())
}

/// Makes the rename itself durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Folders cannot be opened as files here; the rename is atomic all the same.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes what a killed program left half written in `folder`; files younger than `least_age` may still be worked on.
pub fn remove_unfinished(folder: &Path, least_age: Duration) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for file in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
        let written = file.metadata().and_then(|data| data.modified());
        let age = written.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
        if age.is_ok_and(|age| age >= least_age) && std::fs::remove_file(file.path()).is_ok() {
            tracing::info!("a file that was left half written is removed");
        }
    }
}

/// Begins the names of folders that hold a study for as long as it is used.
const BORROWED: &str = ".spinenet-study-";
/// Held as long as the folder is in use, also by another process.
const LOCK: &str = ".in-use";

/// A folder for a patient's images that only this user can read and that is removed with this.
#[derive(Debug)]
pub struct BorrowedFolder {
    // The lock goes before the folder that it lies in.
    _lock: File,
    folder: TempDir,
}

impl BorrowedFolder {
    /// A new folder in `parent`.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub(crate) fn new_in(parent: &Path) -> io::Result<Self> {
        // Temporary folders are private to their owner.
        let folder = tempfile::Builder::new().prefix(BORROWED).tempdir_in(parent)?;
        Ok(Self { _lock: locked(folder.path())?, folder })
    }

    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Moves it to a place where nothing is yet, and keeps it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub(crate) fn keep_as(self, place: &Path) -> io::Result<()> {
        std::fs::remove_file(self.folder.path().join(LOCK))?;
        std::fs::rename(self.folder.path(), place)?;
        // The folder has moved; there is nothing left to remove.
        let _ = self.folder.keep();
        Ok(())
    }
}

fn locked(folder: &Path) -> io::Result<File> {
    let file = File::create(folder.join(LOCK))?;
    file.try_lock().map_err(io::Error::from)?;
    Ok(file)
}

/// Removes folders of studies that a crash left in the temporary folder of the system; those in use stay.
pub(crate) fn remove_abandoned_studies() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for folder in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(BORROWED)) {
        let folder = folder.path();
        // A folder without a lock is only just being made.
        let Ok(lock) = File::open(folder.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() && std::fs::remove_dir_all(&folder).is_ok() {
            tracing::info!("a study that was left over is removed");
        }
    }
}

/// SHA-256 of bytes that come in parts, hexadecimal.
#[must_use]
pub(crate) fn sha256<B: AsRef<[u8]>>(parts: impl IntoIterator<Item = B>) -> String {
    let mut digest = Sha256::new();
    parts.into_iter().for_each(|part| digest.update(part));
    format!("{:x}", digest.finalize())
}

/// Makes a folder and those above it, closed to other users: what is in it belongs to patients.
///
/// # Errors
/// Whatever the file system says.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Where this user's work and settings are kept, after the custom of the system; `None` if it names no home.
#[must_use]
pub(crate) fn user_data_folder() -> Option<PathBuf> {
    let folders = choose_native_strategy().ok()?;
    Some(folders.data_dir().join("spinenet-viewer"))
}

/// The source tree, while the program runs from it: as Cargo tells those that it starts, or the folder around the program
/// that holds `Cargo.toml`. Asked at run time, so that no path of the machine that built it is in the program.
#[must_use]
pub(crate) fn source_folder() -> Option<PathBuf> {
    let told = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let program = std::env::current_exe().ok();
    let around = || program?.ancestors().find(|folder| folder.join("Cargo.toml").is_file()).map(Path::to_owned);
    told.or_else(around)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_uses_is_removed() {
        let used = BorrowedFolder::new_in(&std::env::temp_dir()).expect("a folder");
        let left = tempfile::Builder::new().prefix(BORROWED).tempdir().expect("a temporary folder").keep();
        drop(locked(&left).expect("locked"));
        remove_abandoned_studies();
        assert!(used.path().exists() && !left.exists());
    }
}
