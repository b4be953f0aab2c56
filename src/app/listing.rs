//! What lies in the folder that is being typed, listed on a thread of its own: folders may be large, and on slow disks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Command, Event, Viewer};
use crate::ui::path::{ListedEntry, Listing, PathEntry, PathPurpose, folder_of};
use crate::worker::{Handle, JobContext, JobError, Notice, Work};

/// Entries listed at most: nobody looks through more, and typing narrows them.
const MOST_ENTRIES: usize = 2000;

/// The worker that lists folders.
pub(super) type ListingHandle = Handle<Listings>;

/// A folder is listed, or the job has ended without that.
pub(super) enum ListingEvent {
    /// What it holds.
    Listed(Listing),
    /// Another one was asked for meanwhile.
    Ended,
}

impl From<Notice> for ListingEvent {
    fn from(_notice: Notice) -> Self {
        Self::Ended
    }
}

/// Lists folders.
pub(super) struct Listings;

impl Work for Listings {
    type Command = PathBuf;
    type Kind = ();
    type Event = ListingEvent;

    fn kind(_command: &PathBuf) {}

    fn supersedes((): (), (): ()) -> bool {
        true
    }

    fn run(&mut self, folder: PathBuf, _job: &JobContext<ListingEvent>) -> Result<ListingEvent, JobError> {
        Ok(ListingEvent::Listed(list(folder)))
    }

    fn reset(&mut self) {}
}

/// Folders first, both by name, without hidden ones.
fn list(folder: PathBuf) -> Listing {
    let found = match std::fs::read_dir(&folder) {
        Ok(found) => found,
        Err(error) => return Listing { folder, entries: Vec::new(), fault: Some(error.to_string()) },
    };
    let entry = |found: std::fs::DirEntry| {
        let name = found.file_name().to_string_lossy().into_owned();
        // Links to folders are folders.
        (!name.starts_with('.')).then(|| ListedEntry { is_folder: found.path().is_dir(), name })
    };
    let mut entries: Vec<ListedEntry> = found.filter_map(Result::ok).filter_map(entry).take(MOST_ENTRIES).collect();
    entries.sort_by_key(|entry| (!entry.is_folder, entry.name.to_lowercase()));
    Listing { folder, entries, fault: None }
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Opens the path field where the last study lies, or at home.
    pub(super) fn open_path_field(&mut self, purpose: PathPurpose) {
        let recent = self.settings.recent.first().and_then(|study| study.parent()).map(Path::to_owned);
        let start = recent.filter(|folder| !folder.as_os_str().is_empty()).or_else(std::env::home_dir);
        let text = start.map(|folder| folder.join("").to_string_lossy().into_owned()).unwrap_or_default();
        self.state.path_entry = Some(PathEntry { purpose, text, row: None });
    }

    /// Lists the folder that is typed, and takes in what was listed.
    pub(super) fn follow_path_field(&mut self) {
        let Some(entry) = &self.state.path_entry else {
            (self.listing, self.state.listing) = (None, Listing::default());
            return;
        };
        let folder = folder_of(&entry.text);
        if self.listing.is_none() {
            let wake = Arc::clone(&self.wake);
            self.listing =
                Handle::start("listing", Listings, move || wake()).ok().map(|worker| (worker, PathBuf::new()));
        }
        let Some((worker, asked)) = &mut self.listing else { return };
        if *asked != folder && worker.submit(folder.clone()).is_ok() {
            *asked = folder;
        }
        while let Some(event) = worker.poll() {
            if let ListingEvent::Listed(listing) = event.event {
                self.state.listing = listing;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_first_and_hidden_files_not_at_all() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.nii", "A.mha", ".hidden"] {
            std::fs::write(folder.path().join(name), b"").expect("written");
        }
        std::fs::create_dir(folder.path().join("study")).expect("a folder");
        let names = |listing: &Listing| listing.entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&list(folder.path().to_owned())), ["study", "A.mha", "b.nii"]);
        let missing = list(folder.path().join("none"));
        assert!(missing.entries.is_empty() && missing.fault.is_some());
    }
}
