//! Studies that come as one ZIP file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::error::DicomError;
use super::scan::MAX_FILES;
use crate::files::BorrowedFolder;
use crate::task::{CancelToken, Progress};

/// Most bytes that a file may unpack to.
const MAX_BYTES: u64 = 8 << 30;
/// Most that a file may grow by unpacking; images hardly shrink.
const MAX_RATIO: u64 = 100;

/// Letters of a name that are kept: file systems take 255 bytes, of which a letter needs up to four.
const LONGEST_NAME: usize = 48;

/// Whether a path names a ZIP file.
#[must_use]
pub(crate) fn is_packed_study(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip")) && path.is_file()
}

/// Unpacks a ZIP file into a private folder. Names in it are not believed: files are numbered in its order, and only the last
/// part of a name is kept, for messages.
pub(super) fn unpack(
    path: &Path,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<BorrowedFolder, DicomError> {
    let refused = |reason: String| DicomError::Packed { reason, path: path.to_owned() };
    let broken = |error: ZipError| refused(error.to_string());
    let io = |error: io::Error| refused(error.to_string());
    let file = File::open(path).map_err(io)?;
    let mut room = file.metadata().map_err(io)?.len().saturating_mul(MAX_RATIO).min(MAX_BYTES);
    let mut archive = ZipArchive::new(file).map_err(broken)?;
    if archive.len() > MAX_FILES {
        return Err(refused(format!("it holds {} files, more than {MAX_FILES}", archive.len())));
    }
    let folder = BorrowedFolder::new_in(&std::env::temp_dir()).map_err(io)?;
    for index in 0..archive.len() {
        cancel.check()?;
        on_progress(Progress { step: "Unpacking", done: index, total: archive.len() });
        let entry = archive.by_index(index).map_err(broken)?;
        // A name that is no text says nothing.
        let listed = entry.name().unwrap_or_default();
        if !entry.is_file() || is_hidden(&listed) {
            continue;
        }
        let mut out = File::create(folder.path().join(format!("{index:06}-{}", plain_name(&listed)))).map_err(io)?;
        // Declared sizes are not believed either.
        let written = io::copy(&mut entry.take(room + 1), &mut out).map_err(io)?;
        room = room.checked_sub(written).ok_or_else(|| refused("it unpacks to more than any study".to_owned()))?;
    }
    Ok(folder)
}

/// The end of the last part of a name, for messages and for its ending.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let letters: Vec<char> = last.chars().map(|letter| if letter.is_control() { '_' } else { letter }).collect();
    letters[letters.len().saturating_sub(LONGEST_NAME)..].iter().collect()
}

/// Files that folders hide too, and the second half of Mac files, which are no files of their own.
fn is_hidden(name: &str) -> bool {
    let mut parts = name.split(['/', '\\']).rev();
    parts.next().is_some_and(|last| last.starts_with('.')) || parts.any(|folder| folder == "__MACOSX")
}
