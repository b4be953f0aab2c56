//! Boxes to and from files: the reader's own, or those that another tool drew.

use std::path::{Path, PathBuf};

use super::{Command, Event, Viewer};
use crate::export::CocoImage;
use crate::records::BoxesFile;
use crate::spine::{BoxSource, SliceBox};
use crate::ui::language::tr;
use crate::ui::state::{BannerKind, LoadedSeries, PathPurpose};
use crate::worker::{JobId, Work};

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Asks for a file of boxes to write.
    pub(super) fn ask_for_boxes_file(&mut self) {
        if self.state.reading.findings.boxes.is_empty() {
            self.tell(BannerKind::Warning, tr!("There is no box to save: draw one first.").to_owned());
        } else {
            self.open_dialog(PathPurpose::SaveBoxes);
        }
    }

    /// Writes the reader's boxes; the ending of the name says in which form.
    pub(super) fn save_boxes_as(&mut self, file: PathBuf) {
        let file = if file.extension().is_none() { file.with_extension("json") } else { file };
        let size = self.state.loaded().map(|series| CocoImage::of(&series.volume));
        let Some((boxes, size)) = self.boxes_file().zip(size) else { return };
        self.submit(Command::ExportBoxes { boxes: Box::new(boxes), size, file });
    }

    /// Writes the reader's boxes, where there are any, beside a report.
    pub(super) fn save_boxes_beside(&mut self, report: &Path) {
        if !self.state.reading.findings.boxes.is_empty() {
            self.save_boxes_as(report.with_extension("boxes.json"));
        }
    }

    /// Reads boxes of the open series from a file.
    pub(super) fn load_boxes(&mut self, file: PathBuf) {
        self.submit(Command::ReadBoxes { file });
    }

    /// The reader's boxes with all that a file of them says.
    pub(super) fn boxes_file(&self) -> Option<BoxesFile> {
        let series = &self.state.loaded()?.series;
        let boxes = self.state.reading.findings.boxes.clone();
        let file = BoxesFile::new(&self.state.reader, &series.summary.series_instance_uid, boxes);
        Some(file.on_voxels(series.voxel_sha256()))
    }

    /// Takes in boxes, in one step that can be taken back; each takes the place of one that is there already.
    pub(super) fn boxes_read(&mut self, job: JobId, file: &BoxesFile) {
        if !self.jobs.contains_key(&job) {
            return;
        }
        let Some(series) = self.state.loaded().cloned() else { return };
        if let Some(fault) = fault(file, &series) {
            return self.tell_error(fault.to_owned());
        }
        let new: Vec<SliceBox> = file.boxes.iter().filter(|one| one.source == BoxSource::Reader).cloned().collect();
        let place = |one: &SliceBox| (one.level, one.grading, one.slice);
        let mut findings = self.state.reading.findings.clone();
        findings.boxes.retain(|old| !new.iter().any(|one| place(one) == place(old)));
        findings.boxes.extend_from_slice(&new);
        self.change(tr!("loading of boxes"), findings);
        let (kind, text) = match new.len() {
            0 => (BannerKind::Warning, tr!("The file holds no box of a reader.").to_owned()),
            count => (
                BannerKind::Done,
                tr!(count = count; one "{count} box was loaded.", other "{count} boxes were loaded."),
            ),
        };
        self.tell(kind, text);
    }
}

/// Why boxes cannot lie on this series.
fn fault(file: &BoxesFile, series: &LoadedSeries) -> Option<&'static str> {
    let shown = &series.series;
    if file.series_instance_uid != shown.summary.series_instance_uid {
        return Some(tr!("These boxes are of another series: open that one, then load them."));
    }
    let is_other = file.voxel_sha256.as_ref().is_some_and(|voxels| voxels != shown.voxel_sha256());
    if is_other || file.boxes.iter().any(|one| one.slice >= series.volume.slices()) {
        return Some(tr!("These boxes were drawn on other images of this series; check that the series is whole."));
    }
    None
}
