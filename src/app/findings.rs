//! What the reader corrects and draws, with undo, kept on disk the moment it is made.

use std::path::Path;

use super::correction::{is_same_disc, relabelled};
use super::history::{History, TypedInto};
use super::reader_store::JoinedWork;
use super::{Command, Event, Viewer};
use crate::records::{BlindReading, GradesByDisc, ReviewFile, VertebraEntry};
use crate::spine::{BoxSource, DiscLevel, Grading, PixelBox, SliceBox, Vertebra, discs_between, vertebral_window};
use crate::ui::action::BoxAction;
use crate::ui::language::{tr, translated};
use crate::ui::state::{BannerKind, Findings, Selection, Tool};
use crate::volume::WindowLevel;
use crate::worker::{Loadable, Work};

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Changes the reader's boxes.
    pub(super) fn apply_box(&mut self, action: BoxAction) {
        match action {
            BoxAction::Add(rect) => self.add_box(rect),
            BoxAction::Change { index, rect } => self.change_box(index, rect),
            BoxAction::Copy(slices) => self.copy_box(slices),
            BoxAction::FindUnboxed(step) => self.find_unboxed(step),
            BoxAction::Select(index) => self.select_box(index),
            BoxAction::Delete(index) => self.delete_box(index),
        }
    }

    /// The disc called `from` is `to`; names, boxes and grades follow, and only discs without grades are graded.
    pub(super) fn relabel_disc(&mut self, from: DiscLevel, to: DiscLevel) {
        match relabelled(&self.state.reading.findings, from, to) {
            Ok(findings) => self.change(tr!("level correction"), findings),
            Err(error) => self.tell_error(tr!("The level could not be corrected: {reason}.", reason = error)),
        }
    }

    /// A reader's box for the selection on the slice shown; takes the place of one that is there already.
    fn add_box(&mut self, rect: PixelBox) {
        let Some(selection) = self.state.reading.selection else { return };
        let mut findings = self.state.reading.findings.clone();
        let slice = self.state.view.slice;
        findings
            .boxes
            .retain(|other| (other.level, other.grading, other.slice) != (selection.level, selection.grading, slice));
        findings.boxes.push(SliceBox {
            level: selection.level,
            grading: selection.grading,
            slice,
            rect,
            source: BoxSource::Reader,
            percentile: None,
        });
        self.state.reading.selected_box = Some(findings.boxes.len() - 1);
        self.change(tr!("new box"), findings);
    }

    /// Copies the selected box, or the one of the selection on this slice, so many slices on, and shows it there.
    fn copy_box(&mut self, slices: isize) {
        let slice = self.state.view.slice;
        let here = || self.state.selected_boxes().find(|(_, found)| found.slice == slice).map(|(index, _)| index);
        let Some(source) = self
            .state
            .reading
            .selected_box
            .or_else(here)
            .and_then(|index| self.state.reading.findings.boxes.get(index))
        else {
            return self.tell(BannerKind::Warning, tr!("Select the box to copy first.").to_owned());
        };
        let (rect, from) = (source.rect, source.slice);
        let (level, grading) = (source.level, source.grading);
        let last = self.state.loaded().map_or(0, |series| series.volume.slices() - 1);
        let Some(to) = from.checked_add_signed(slices).filter(|to| *to <= last) else { return };
        self.state.reading.selection = Some(Selection { level, grading });
        self.state.view.slice = to;
        self.add_box(rect);
    }

    /// Selects the next disc (or, with -1, the one before) that has no reader's box of the selected grading.
    fn find_unboxed(&mut self, step: isize) {
        let grading = self.state.reading.selection.map_or(Grading::UpperMarrowChange, |selection| selection.grading);
        let levels: Vec<DiscLevel> = self.state.reading.discs.iter().map(|disc| disc.level).collect();
        let selected = self.state.reading.selection.map(|selection| selection.level);
        let from = levels.iter().position(|level| Some(*level) == selected);
        let has_box =
            |level| self.state.reading.findings.boxes.iter().any(|b| (b.level, b.grading) == (level, grading));
        let (count, start) = (levels.len() as isize, from.map_or(if step > 0 { -1 } else { 0 }, |at| at as isize));
        let next = (1..=count).map(|steps| levels[(start + step * steps).rem_euclid(count) as usize]);
        match next.into_iter().find(|level| !has_box(*level)) {
            Some(level) => self.explain(Selection { level, grading }),
            None if levels.is_empty() => {}
            None => {
                let text =
                    tr!("Every disc of this series has a box for {grading}.", grading = translated(grading.name()));
                self.tell(BannerKind::Done, text);
            }
        }
    }

    /// Another rectangle for a box.
    fn change_box(&mut self, index: usize, rect: PixelBox) {
        let mut findings = self.state.reading.findings.clone();
        if let Some(changed) = findings.boxes.get_mut(index) {
            changed.rect = rect;
            self.change(tr!("box change"), findings);
        }
    }

    /// Deletes the selected box, or else the selected measurement.
    pub(super) fn delete_selected(&mut self) {
        let reading = &self.state.reading;
        match (reading.selected_box, reading.selected_measurement) {
            (Some(index), _) => self.delete_box(index),
            (None, Some(index)) => self.delete_measurement(index),
            (None, None) => {}
        }
    }

    fn delete_box(&mut self, index: usize) {
        let mut findings = self.state.reading.findings.clone();
        if index < findings.boxes.len() {
            findings.boxes.remove(index);
            self.state.reading.selected_box = None;
            self.change(tr!("box deletion"), findings);
        }
    }

    /// Selects a box, or none.
    fn select_box(&mut self, index: Option<usize>) {
        self.state.reading.selected_box = index.filter(|index| *index < self.state.reading.findings.boxes.len());
        if self.state.reading.selected_box.is_some() {
            self.state.reading.selected_measurement = None;
            self.state.view.tool = Tool::Box;
        }
    }

    pub(super) fn undo(&mut self) {
        if let Some(findings) = self.reading.history.undo(self.state.reading.findings.clone()) {
            self.adopt(findings);
        }
    }

    pub(super) fn redo(&mut self) {
        if let Some(findings) = self.reading.history.redo(self.state.reading.findings.clone()) {
            self.adopt(findings);
        }
    }

    /// Makes a change that can be taken back.
    pub(super) fn change(&mut self, label: &'static str, findings: Findings) {
        let before = self.state.reading.findings.clone();
        let findings = unsigned_if_changed(&before, findings);
        if before != findings {
            self.reading.history.record(label, before);
            self.adopt(findings);
        }
    }

    /// The same while a text is typed: a run of letters is one step.
    pub(super) fn change_by_typing(&mut self, label: &'static str, text: TypedInto, findings: Findings) {
        let before = self.state.reading.findings.clone();
        let findings = unsigned_if_changed(&before, findings);
        if before != findings {
            self.reading.history.record_typing(label, text, before);
            self.adopt(findings);
        }
    }

    /// Takes on findings: saves what changed, and lets discs, grades and evidence follow changed bodies.
    pub(super) fn adopt(&mut self, findings: Findings) {
        let before = std::mem::replace(&mut self.state.reading.findings, findings);
        let now = &self.state.reading.findings;
        self.state.reading.undo_label = self.reading.history.undo_label();
        self.state.reading.redo_label = self.reading.history.redo_label();
        self.state.reading.selected_box = self.state.reading.selected_box.filter(|index| *index < now.boxes.len());
        let measurements = now.review.measurements.len();
        self.state.reading.selected_measurement =
            self.state.reading.selected_measurement.filter(|index| *index < measurements);
        let boxes_changed = before.boxes != now.boxes;
        let vertebrae_changed = before.vertebrae != now.vertebrae;
        if boxes_changed {
            self.save_boxes();
        }
        self.save_readings(&before.readings);
        if vertebrae_changed || before.review != self.state.reading.findings.review {
            self.save_review();
        }
        if vertebrae_changed {
            self.follow_vertebrae();
        }
        self.sum_up();
    }

    fn save_boxes(&mut self) {
        let Some(file) = self.boxes_file() else { return };
        if let Err(message) = self.store_is_open().and_then(|()| self.store.save_boxes(file)) {
            self.tell_error(message.to_owned());
        }
    }

    /// Saves the blind readings that changed; one that was taken back is kept without grades.
    fn save_readings(&mut self, before: &[BlindReading]) {
        let now = &self.state.reading.findings.readings;
        let is_there = |reading: &BlindReading| now.iter().any(|other| other.reader == reading.reader);
        let gone = before.iter().filter(|reading| !is_there(reading)).cloned();
        let emptied = gone.map(|reading| BlindReading { grades: GradesByDisc::new(), ..reading });
        let changed: Vec<BlindReading> =
            now.iter().filter(|reading| !before.contains(reading)).cloned().chain(emptied).collect();
        for reading in changed {
            if let Err(message) = self.store_is_open().and_then(|()| self.store.save_reading(reading)) {
                self.tell_error(message.to_owned());
            }
        }
    }

    fn save_review(&mut self) {
        let Some(file) = self.review_file() else { return };
        if let Err(message) = self.store_is_open().and_then(|()| self.store.save_review(file)) {
            self.tell_error(message.to_owned());
        }
    }

    /// The review as it is kept.
    fn review_file(&self) -> Option<ReviewFile> {
        let series = self.state.loaded()?;
        let findings = &self.state.reading.findings;
        let vertebrae = findings.vertebrae_corrected.then(|| {
            let geometry = series.volume.geometry();
            findings.vertebrae.iter().map(|vertebra| VertebraEntry::new(vertebra, geometry)).collect()
        });
        let (summary, voxel_sha256) = (&series.series.summary, series.series.voxel_sha256());
        Some(ReviewFile::new(&summary.series_instance_uid, voxel_sha256, vertebrae, findings.review.clone()))
    }

    /// Takes in what another window changed in the same work. Where something was changed here since `ours` was saved, the
    /// next save joins both and tells again.
    pub(super) fn work_joined(&mut self, ours: &[u8], joined: JoinedWork) {
        let mut findings = self.state.reading.findings.clone();
        match joined {
            JoinedWork::Boxes(file) => {
                if self.boxes_file().and_then(|now| now.json().ok()).is_none_or(|now| now != ours) {
                    return;
                }
                findings.boxes = file.boxes;
            }
            JoinedWork::Review(file) => {
                let Some(now) = self.review_file() else { return };
                if now.json().ok().is_none_or(|now| now != ours) {
                    return;
                }
                if now.vertebrae != file.vertebrae
                    && let Some(vertebrae) = file.corrected_vertebrae()
                {
                    (findings.vertebrae, findings.vertebrae_corrected) = (vertebrae, true);
                }
                findings.review = file.review;
            }
            JoinedWork::Reading(reading) => {
                let is_ours = |now: &&mut BlindReading| now.json(Path::new("")).is_ok_and(|now| now == ours);
                let Some(now) = findings.readings.iter_mut().find(is_ours) else { return };
                *now = reading;
            }
        }
        // A step back from here would take away what was done in the other window.
        self.reading.history = History::default();
        self.adopt(findings);
        let text = tr!(
            "This series is open in another window too. What was changed there is taken in here; undo begins anew."
        );
        self.tell(BannerKind::Warning, text.to_owned());
    }

    /// Whether saving would not overwrite what could not be read.
    fn store_is_open(&self) -> Result<(), &'static str> {
        if self.reading.saved_work_is_unread {
            return Err(tr!(
                "This change is not saved: the earlier work on this series could not be read, and saving would \
                 overwrite it."
            ));
        }
        Ok(())
    }

    /// The window of the slice through the middle of the bodies.
    fn window_of_bodies(&self) -> Option<WindowLevel> {
        let (volume, vertebrae) = (&self.state.loaded()?.volume, &self.state.reading.findings.vertebrae);
        let middle = vertebrae.iter().map(Vertebra::center_slice).sum::<f64>() / vertebrae.len().max(1) as f64;
        vertebral_window(volume, vertebrae, (middle.round().max(0.0) as usize).min(volume.slices() - 1))
    }

    /// Discs and grades of the present vertebrae; asks for the grades that are not known yet.
    pub(super) fn follow_vertebrae(&mut self) {
        let before =
            std::mem::replace(&mut self.state.reading.discs, discs_between(&self.state.reading.findings.vertebrae));
        self.state.reading.selection = self.state.reading.selection.and_then(|selection| {
            let disc = before.iter().find(|disc| disc.level == selection.level)?;
            let renamed = self.state.reading.discs.iter().find(|other| is_same_disc(other, disc));
            let level = renamed.or(self.state.disc(selection.level))?.level;
            Some(Selection { level, ..selection })
        });
        self.state.reading.body_window = self.window_of_bodies();
        self.state.reading.grades.clear();
        for disc in &self.state.reading.discs {
            let known = self.reading.grade_book.look_up(disc);
            let known = known.map_or(Loadable::Idle, |grades| Loadable::Ready(std::sync::Arc::new(grades)));
            self.state.reading.grades.insert(disc.level, known);
        }
        if self.state.unfit().is_none() {
            self.grade_missing();
        }
        self.follow_selection();
        self.sum_up();
    }
}

/// A signature stands for what was signed: any change but the signing itself takes it away. Blind readings are not part of
/// it.
fn unsigned_if_changed(before: &Findings, mut findings: Findings) -> Findings {
    let signed = |findings: &Findings| (findings.vertebrae.clone(), findings.boxes.clone(), findings.review.clone());
    let is_same = before.review.sign_off.is_none() || signed(before) == signed(&findings);
    if findings.review.sign_off == before.review.sign_off && !is_same {
        findings.review.sign_off = None;
    }
    findings
}
