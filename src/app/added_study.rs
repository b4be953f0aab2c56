//! Another study, added to the open one or put in its place.

use std::path::PathBuf;
use std::sync::Arc;

use super::series_reader::ReadingCommand;
use super::{Command, Event, Viewer, present};
use crate::dicom::{FolderScan, SeriesSummary};
use crate::ui::language::tr;
use crate::ui::state::BannerKind;
use crate::worker::{JobId, Loadable, Work};

/// A study whose headers are being read while another one is open.
pub(super) struct WantedStudy {
    pub(super) job: JobId,
    pub(super) path: PathBuf,
    /// It stands beside the open one; otherwise it takes its place.
    pub(super) is_added: bool,
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Reads the headers of another study and adds its series to the list.
    pub(super) fn add_study(&mut self, path: PathBuf) {
        if self.study.scan.is_none() {
            return self.open_folder(path);
        }
        if let Some(job) = self.read(ReadingCommand::Scan(path.clone())) {
            self.companion_jobs.wanted = Some(WantedStudy { job, path, is_added: true });
        }
    }

    /// Reads the headers of a study that takes the place of the open one, if it is one.
    pub(super) fn scan_instead(&mut self, path: PathBuf) {
        if let Some(job) = self.read(ReadingCommand::Scan(path.clone())) {
            self.companion_jobs.wanted = Some(WantedStudy { job, path, is_added: false });
        }
    }

    /// Opens a study in the place of the open one; a folder without images changes nothing.
    pub(super) fn study_instead(&mut self, scan: Arc<FolderScan>, path: PathBuf) {
        if scan.series.is_empty() {
            return self.tell_error(tr!("No DICOM images were found in this folder.").to_owned());
        }
        self.close_study();
        self.study.open_paths = vec![(0, path)];
        self.study.is_kept = true;
        self.state.study.folder = Loadable::Ready(Arc::new(()));
        self.study_found(scan);
    }

    /// Puts the series of another study behind those that are listed, and shows the one of them that could be graded.
    pub(super) fn study_added(&mut self, other: FolderScan, path: PathBuf) {
        let Some(scan) = self.study.scan.clone() else { return };
        let is_known = |series: &SeriesSummary| scan.series.iter().any(|listed| listed.is_stack_of(series));
        let (known, new): (Vec<_>, Vec<_>) = other.series.iter().cloned().partition(is_known);
        let Some(first) = new.first() else {
            let text = if known.is_empty() {
                tr!("No study was added. No DICOM images were found in it.")
            } else {
                tr!("No study was added. It is open already.")
            };
            return self.tell(BannerKind::Warning, text.to_owned());
        };
        if scan.series.first().is_some_and(|open| !open.is_of_patient(first)) {
            let text =
                tr!("The added study names another patient than the open one. Compare the names above both images.");
            self.tell(BannerKind::Warning, text.to_owned());
        }
        let first = scan.series.len();
        let chosen = first + new.iter().position(|series| series.choice.is_chosen).unwrap_or(0);
        let mut scan = Arc::unwrap_or_clone(scan);
        scan.add(FolderScan { series: new, ..other });
        self.state.study.folder_warnings = present::folder_warnings(&scan);
        self.request_thumbnails(&scan.series);
        self.study.scan = Some(Arc::new(scan));
        self.study.open_paths.push((first, path));
        self.list_series();
        self.show_series_beside(chosen);
    }
}
