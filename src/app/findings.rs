//! What the reader corrects and draws: levels and boxes, with undo.

use super::correction::{is_same_disc, relabelled};
use super::{Command, Event, Viewer};
use crate::spine::{BoxSource, DiscLevel, PixelBox, SliceBox, discs_between};
use crate::ui::state::{Findings, Selection, Tool};
use crate::worker::{Loadable, Work};

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// The disc called `from` is `to`; names, boxes and grades follow, and only discs without grades are graded.
    pub(super) fn relabel_disc(&mut self, from: DiscLevel, to: DiscLevel) {
        match relabelled(&self.state.findings, from, to) {
            Ok(findings) => self.change("level correction", findings),
            Err(error) => self.tell_error(format!("The level could not be corrected: {error}.")),
        }
    }

    /// A reader's box for the selection on the slice shown; takes the place of one that is there already.
    pub(super) fn add_box(&mut self, rect: PixelBox) {
        let Some(selection) = self.state.selection else { return };
        let mut findings = self.state.findings.clone();
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
        self.state.selected_box = Some(findings.boxes.len() - 1);
        self.change("new box", findings);
    }

    /// Another rectangle for a box.
    pub(super) fn change_box(&mut self, index: usize, rect: PixelBox) {
        let mut findings = self.state.findings.clone();
        if let Some(changed) = findings.boxes.get_mut(index) {
            changed.rect = rect;
            self.change("box change", findings);
        }
    }

    /// Deletes the selected box.
    pub(super) fn delete_box(&mut self) {
        let Some(index) = self.state.selected_box.take() else { return };
        let mut findings = self.state.findings.clone();
        if index < findings.boxes.len() {
            findings.boxes.remove(index);
            self.change("box deletion", findings);
        }
    }

    /// Selects a box, or none.
    pub(super) fn select_box(&mut self, index: Option<usize>) {
        self.state.selected_box = index.filter(|index| *index < self.state.findings.boxes.len());
        if self.state.selected_box.is_some() {
            self.state.view.tool = Tool::Box;
        }
    }

    pub(super) fn undo(&mut self) {
        if let Some(findings) = self.history.undo(self.state.findings.clone()) {
            self.adopt(findings);
        }
    }

    pub(super) fn redo(&mut self) {
        if let Some(findings) = self.history.redo(self.state.findings.clone()) {
            self.adopt(findings);
        }
    }

    fn change(&mut self, label: &'static str, findings: Findings) {
        let before = self.state.findings.clone();
        if before != findings {
            self.history.record(label, before);
            self.adopt(findings);
        }
    }

    /// Takes on findings: saves changed boxes, and lets discs, grades and evidence follow changed levels.
    fn adopt(&mut self, findings: Findings) {
        let before = std::mem::replace(&mut self.state.findings, findings);
        self.state.undo_label = self.history.undo_label();
        self.state.redo_label = self.history.redo_label();
        if before.boxes != self.state.findings.boxes {
            self.state.selected_box = self.state.selected_box.filter(|index| *index < self.state.findings.boxes.len());
            self.save_boxes();
        }
        if before.vertebrae != self.state.findings.vertebrae {
            self.follow_vertebrae();
        }
    }

    fn save_boxes(&mut self) {
        let Some(series) = self.state.loaded() else { return };
        if let Err(message) = self.boxes.save(&series.series_instance_uid, &self.state.findings.boxes) {
            self.tell_error(message.to_owned());
        }
    }

    /// Discs and grades of the present vertebrae; asks for the grades that are not known yet.
    pub(super) fn follow_vertebrae(&mut self) {
        let before = std::mem::replace(&mut self.state.discs, discs_between(&self.state.findings.vertebrae));
        self.state.selection = self.state.selection.and_then(|selection| {
            let disc = before.iter().find(|disc| disc.level == selection.level)?;
            let renamed = self.state.discs.iter().find(|other| is_same_disc(other, disc))?;
            Some(Selection { level: renamed.level, ..selection })
        });
        self.state.grades.clear();
        for disc in &self.state.discs {
            let known = self.grade_book.look_up(disc).cloned();
            let known = known.map_or(Loadable::Idle, |grades| Loadable::Ready(std::sync::Arc::new(grades)));
            self.state.grades.insert(disc.level, known);
        }
        self.grade_missing();
        self.follow_selection();
    }
}
