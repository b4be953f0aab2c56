//! Blind readings: grades given before the computed ones are shown, kept for each reader, and how they agree.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{SecondsFormat, Utc};

use super::history::History;
use super::{Command, Event, Viewer};
use crate::measuring::Agreement;
use crate::records::{BlindReading, FinishedReading, GradesByDisc};
use crate::spine::{ClassIndex, DiscPrediction, Grading};
use crate::ui::agreement_page::BlindAction;
use crate::ui::language::tr;
use crate::ui::state::{AgreementState, BannerKind, Page, PathPurpose, Selection};
use crate::worker::{JobId, Loadable, Work};

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Grades, ends and compares blind readings.
    pub(super) fn apply_blind(&mut self, action: BlindAction) {
        match action {
            BlindAction::Grade(grade) => self.grade_and_go_on(grade),
            BlindAction::NextMissing => self.select_missing(),
            BlindAction::Finish => self.finish_blind_reading(),
            BlindAction::Adopt => self.adopt_blind_grades(),
            BlindAction::Compare(index) => self.state.agreement.comparison = index,
            BlindAction::ShowCounts(grading) => self.state.agreement.grading = Some(grading),
        }
    }

    /// Hides what was computed, or shows it; a reading that is under way hides it until it is finished.
    pub(super) fn toggle_blind(&mut self) {
        let is_under_way = self.state.own_reading().is_some_and(BlindReading::is_under_way);
        if self.state.evidence.blind && is_under_way {
            let (given, total) = self.state.blind_progress();
            let text = tr!(
                "Your blind reading is under way ({given} of {total}). Finish it to see what was computed; its grades stay \
                 as they are then.",
                given = given,
                total = total
            );
            return self.tell(BannerKind::Warning, text);
        }
        if !self.state.evidence.blind {
            self.reading.computed_was_seen |= self.state.reading.grades.values().any(|one| one.ready().is_some());
        }
        self.set_blind(!self.state.evidence.blind);
    }

    /// Reads blind, or no longer, from now on and in the next run too.
    fn set_blind(&mut self, blind: bool) {
        self.state.evidence.blind = blind;
        self.settings.reads_blind = blind;
        if blind && self.state.page == Some(Page::Report) {
            self.state.page = None;
        }
        self.request_evidence();
    }

    /// A report would show what is hidden.
    pub(super) fn tell_report_is_hidden(&mut self) {
        let text = tr!("The report says what was computed: finish the blind reading, or leave it, first.");
        self.tell(BannerKind::Warning, text.to_owned());
    }

    /// Where the present reader has a reading of this series under way, it goes on.
    pub(super) fn go_on_reading_blind(&mut self) {
        let Some(reading) = self.state.own_reading().filter(|reading| reading.is_under_way()) else { return };
        let text = tr!(
            count = reading.count();
            one "Your blind reading of this series goes on: {count} grade is given.",
            other "Your blind reading of this series goes on: {count} grades are given."
        );
        if !self.state.evidence.blind {
            self.set_blind(true);
        }
        self.tell(BannerKind::Warning, text);
    }

    /// The reader's blind class of a grading; `None` takes it back.
    pub(super) fn set_blind_grade(&mut self, selection: Selection, class: Option<ClassIndex>) {
        let reader = self.state.reader.trim().to_owned();
        if reader.is_empty() {
            return self.tell(BannerKind::Warning, tr!("Enter your name or initials below first.").to_owned());
        }
        if self.state.own_reading().is_some_and(|reading| reading.finished.is_some()) {
            let text = tr!("Your blind reading of this series is finished; its grades stay as they are.");
            return self.tell(BannerKind::Warning, text.to_owned());
        }
        let Some(series) = self.state.loaded() else { return };
        let (summary, voxel_sha256) = (&series.series.summary, series.series.voxel_sha256());
        let mut findings = self.state.reading.findings.clone();
        let place = findings.readings.iter().position(|reading| reading.reader == reader);
        let place = place.unwrap_or_else(|| {
            let (study, series) = (&summary.study_instance_uid, &summary.series_instance_uid);
            let mut reading = BlindReading::new(&reader, study, series, voxel_sha256);
            reading.computed_seen_before = self.reading.computed_was_seen;
            findings.readings.push(reading);
            findings.readings.len() - 1
        });
        findings.readings[place].set_class(selection.level, selection.grading, class);
        self.change(tr!("blind grade"), findings);
    }

    /// A grade of the selection, and on to the next that is missing.
    fn grade_and_go_on(&mut self, grade: u8) {
        let Some(selection) = self.state.reading.selection else { return };
        let Some(class) = selection.grading.class_from_grade(grade) else { return };
        self.set_blind_grade(selection, Some(class));
        if self.state.own_reading().is_some_and(BlindReading::is_under_way) {
            self.select_missing();
        }
    }

    fn select_missing(&mut self) {
        match self.state.next_missing(self.state.reading.selection) {
            Some(next) => self.explain(next),
            None if self.state.reading.discs.is_empty() => {}
            None => {
                let text = tr!("Every grade is given: finish to see what was computed.");
                self.tell(BannerKind::Done, text.to_owned());
            }
        }
    }

    /// Ends the reading and shows what was computed. Grades that are missing are named once before.
    fn finish_blind_reading(&mut self) {
        let Some(reading) = self.state.own_reading().filter(|reading| reading.is_under_way()).cloned() else {
            let text = tr!("There is nothing to finish: no blind grade is given.");
            return self.tell(BannerKind::Warning, text.to_owned());
        };
        if !self.state.is_graded() {
            let text = tr!("The discs are not all graded by the program yet; finish when they are.");
            return self.tell(BannerKind::Warning, text.to_owned());
        }
        let (given, total) = self.state.blind_progress();
        if given < total && !std::mem::replace(&mut self.reading.was_told_of_missing, true) {
            let text = tr!(
                count = total - given;
                one "{count} grade is missing. Finish once more to end without it.",
                other "{count} grades are missing. Finish once more to end without them."
            );
            return self.tell(BannerKind::Warning, text);
        }
        let predictions = self.state.reading.discs.iter().filter_map(|disc| self.state.grades_of(disc.level));
        let finished = FinishedReading {
            finished_at: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            weights: self.models.as_ref().map(|models| models.weights.clone()).unwrap_or_default(),
            computed: computed_grades(predictions),
        };
        let mut findings = self.state.reading.findings.clone();
        findings.readings.retain(|other| other.reader != reading.reader);
        findings.readings.push(BlindReading { finished: Some(finished), ..reading });
        self.adopt(findings);
        // What was seen cannot be unseen: nothing before it can be taken back.
        self.reading.history = History::default();
        (self.state.reading.undo_label, self.state.reading.redo_label) = (None, None);
        self.state.banners.clear();
        self.set_blind(false);
        self.show_agreement();
    }

    /// Opens the page of agreement and measures what it shows.
    pub(super) fn show_agreement(&mut self) {
        self.state.page = Some(Page::Agreement);
        self.state.agreement = AgreementState::default();
        let Some(folder) = self.store.readings_folder() else { return };
        let open = self.state.reading.findings.readings.clone();
        let reader = self.state.reader.trim().to_owned();
        if let Some(job) = self.submit(Command::MeasureAgreement { folder, open, reader }) {
            self.state.agreement.measured = Loadable::Pending(job);
        }
    }

    pub(super) fn agreement_measured(&mut self, job: JobId, agreement: Arc<Agreement>) {
        self.state.agreement.measured.resolve(job, agreement);
    }

    /// Asks for the folder of the agreement.
    pub(super) fn ask_for_agreement_folder(&mut self) {
        if self.state.agreement.measured.ready().is_some() {
            self.open_dialog(PathPurpose::SaveAgreement);
        } else {
            self.show_agreement();
        }
    }

    pub(super) fn save_agreement(&mut self, folder: PathBuf) {
        if let Some(agreement) = self.state.agreement.measured.ready().cloned() {
            self.submit(Command::ExportAgreement { agreement, folder });
        }
    }

    /// Takes the reader's finished blind grades into the report, in one step that can be taken back.
    fn adopt_blind_grades(&mut self) {
        let Some(reading) = self.state.own_reading().filter(|reading| reading.finished.is_some()) else { return };
        let mut findings = self.state.reading.findings.clone();
        for (level, disc) in &reading.grades {
            for grading in disc.keys().copied() {
                let computed = self.state.grade(Selection { level: *level, grading }).map(|grade| grade.computed);
                let class = reading.class_of(*level, grading).filter(|class| Some(*class) != computed);
                findings.review.set_class(*level, grading, class);
            }
        }
        self.change(tr!("blind grades into the report"), findings);
        self.tell(BannerKind::Done, tr!("Your blind grades are in the report.").to_owned());
    }
}

/// The computed grades, without what a reader changed.
fn computed_grades<'a>(predictions: impl Iterator<Item = &'a DiscPrediction>) -> GradesByDisc {
    let of_disc = |disc: &DiscPrediction| {
        let grade = |grading: Grading| Some((grading, grading.grade_from_class(disc.class(grading)?)));
        (disc.level, disc.probabilities.gradings().filter_map(grade).collect())
    };
    predictions.map(of_disc).collect()
}
