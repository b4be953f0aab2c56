//! The reader's verdict: grades, comments, measurements, signature, and the report that is written from them.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{SecondsFormat, Utc};

use super::dialog::REPORT_ENDING;
use super::history::TypedInto;
use super::{Command, Event, Viewer};
use crate::export::ExportOptions;
use crate::model::Views;
use crate::pipeline::{GradeOutcome, ModelsInfo, OpenSeries, StudySummary, compared_grades};
use crate::records::{Narrative, Report, SignOff};
use crate::spine::{ClassIndex, Disc, DiscLevel, DiscPrediction, Measurement};
use crate::ui::language::tr;
use crate::ui::state::{BannerKind, PathPurpose, Selection, ViewerState};
use crate::worker::{Loadable, Work};

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// The reader's class of a grading; the computed class, or `None`, takes an earlier change back.
    /// In a blind reading it is the reader's blind class.
    pub(super) fn set_grade(&mut self, selection: Selection, class: Option<ClassIndex>) {
        if self.state.evidence.blind {
            return self.set_blind_grade(selection, class);
        }
        let Some(grade) = self.state.grade(selection) else { return };
        let class = class.filter(|class| *class != grade.computed && *class < selection.grading.classes());
        let mut findings = self.state.reading.findings.clone();
        findings.review.set_class(selection.level, selection.grading, class);
        self.change(tr!("grade"), findings);
    }

    /// Makes the selected grade so many steps worse.
    pub(super) fn step_grade(&mut self, steps: isize) {
        let Some(selection) = self.state.reading.selection else { return };
        // A step from a grade that the reader does not see would tell it: a blind one starts at the first class.
        let class = if self.state.evidence.blind {
            let own = self.state.own_reading();
            own.and_then(|reading| reading.class_of(selection.level, selection.grading))
        } else {
            let Some(grade) = self.state.grade(selection) else { return };
            Some(grade.class())
        };
        let class = class.map_or(0, |class| class.saturating_add_signed(steps)).min(selection.grading.classes() - 1);
        self.set_grade(selection, Some(class));
    }

    pub(super) fn set_comment(&mut self, level: DiscLevel, text: &str) {
        let mut findings = self.state.reading.findings.clone();
        findings.review.set_comment(level, text);
        self.change_by_typing(tr!("comment"), TypedInto::Disc(level), findings);
    }

    pub(super) fn set_narrative(&mut self, narrative: Narrative) {
        let mut findings = self.state.reading.findings.clone();
        let before = std::mem::replace(&mut findings.review.narrative, narrative);
        let now = &findings.review.narrative;
        let text = if before.indication != now.indication {
            TypedInto::Indication
        } else if before.comparison != now.comparison {
            TypedInto::Comparison
        } else {
            TypedInto::Impression
        };
        self.change_by_typing(tr!("report text"), text, findings);
    }

    /// Signs the results; says what is missing where they cannot be signed yet.
    pub(super) fn sign_off(&mut self) {
        if self.state.loaded().is_none() {
            return;
        }
        if self.state.evidence.blind {
            let text = tr!("You read blind: finish first, so that you see what you sign.");
            return self.tell(BannerKind::Warning, text.to_owned());
        }
        let reader = self.state.reader.trim().to_owned();
        if reader.is_empty() {
            self.tell(BannerKind::Warning, tr!("Enter your name or initials beside Sign off first.").to_owned());
            return;
        }
        if !self.state.is_graded() {
            self.tell(BannerKind::Warning, tr!("The discs are not all graded yet; sign off when they are.").to_owned());
            return;
        }
        let mut findings = self.state.reading.findings.clone();
        let signed_at = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        findings.review.sign_off = Some(SignOff { reader, signed_at });
        self.change(tr!("sign off"), findings);
    }

    pub(super) fn withdraw_sign_off(&mut self) {
        let mut findings = self.state.reading.findings.clone();
        findings.review.sign_off = None;
        self.change(tr!("withdrawal of the signature"), findings);
    }

    pub(super) fn add_measurement(&mut self, measurement: Measurement) {
        if !measurement.is_whole() {
            return;
        }
        let mut findings = self.state.reading.findings.clone();
        findings.review.measurements.push(measurement);
        self.state.reading.selected_box = None;
        self.state.reading.selected_measurement = Some(findings.review.measurements.len() - 1);
        self.change(tr!("measurement"), findings);
    }

    pub(super) fn change_measurement(&mut self, index: usize, measurement: Measurement) {
        let mut findings = self.state.reading.findings.clone();
        if let Some(changed) = findings.review.measurements.get_mut(index) {
            *changed = measurement;
            self.change(tr!("change of a measurement"), findings);
        }
    }

    /// Selects a measurement, whatever the tool, or none.
    pub(super) fn select_measurement(&mut self, index: Option<usize>) {
        let count = self.state.reading.findings.review.measurements.len();
        self.state.reading.selected_measurement = index.filter(|index| *index < count);
        if self.state.reading.selected_measurement.is_some() {
            self.state.reading.selected_box = None;
        }
    }

    pub(super) fn show_measurement(&mut self, index: usize) {
        let measurements = &self.state.reading.findings.review.measurements;
        if let Some(slice) = measurements.get(index).map(|measurement| measurement.slice) {
            self.state.view.slice = slice;
            self.select_measurement(Some(index));
        }
    }

    pub(super) fn delete_measurement(&mut self, index: usize) {
        let mut findings = self.state.reading.findings.clone();
        if index < findings.review.measurements.len() {
            findings.review.measurements.remove(index);
            self.state.reading.selected_measurement = None;
            self.change(tr!("deletion of a measurement"), findings);
        }
    }

    /// Measures the selected disc from its outlines.
    pub(super) fn measure_disc(&mut self, measured: impl Fn(&Disc, usize) -> Option<Measurement>) {
        let slice = self.state.view.slice;
        let disc = self.state.reading.selection.and_then(|selection| self.state.disc(selection.level));
        match disc.and_then(|disc| measured(disc, slice)) {
            Some(measurement) => self.add_measurement(measurement),
            None => self.tell(BannerKind::Warning, tr!("Select a disc first: click its name on the image.").to_owned()),
        }
    }

    /// Writes the summary anew after grades or edits changed.
    pub(super) fn sum_up(&mut self) {
        let report = self.report();
        let reading = &mut self.state.reading;
        reading.summary = report.as_ref().map(StudySummary::of_report).unwrap_or_default();
        let compared = report.as_ref().and_then(|report| Some(compared_grades(report, report.prior.as_ref()?)));
        reading.compared = compared.unwrap_or_default();
        self.locate_findings();
    }

    /// Asks for the file of the report.
    pub(super) fn ask_for_report_file(&mut self) {
        if self.state.evidence.blind {
            return self.tell_report_is_hidden();
        }
        if self.state.reading.discs.is_empty() {
            self.tell(BannerKind::Warning, tr!("There is nothing to report yet: no disc was found.").to_owned());
        } else {
            self.open_dialog(PathPurpose::SaveReport);
        }
    }

    /// Writes the report with the reader's changes.
    pub(super) fn save_report(&mut self, file: PathBuf) {
        self.state.path_entry = None;
        let file = if file.extension().is_none() { file.with_extension(REPORT_ENDING) } else { file };
        let beside = file.clone();
        let (with_identity, template) = (self.state.pdf_names_patient, self.template.clone());
        let options = ExportOptions { with_identity, template, created: None };
        if let Some(study) = self.open_study() {
            self.submit(Command::ExportStudy { study: Box::new(study), options, file });
            self.save_boxes_beside(&beside);
        }
    }

    /// The text of the report, as the template has it; the same sentences as in the PDF.
    pub(super) fn report_text(&self) -> Option<String> {
        let study = self.open_study()?.join().ok()?;
        Some(self.template.text(&study))
    }

    /// What is on screen as a report.
    pub(super) fn report(&self) -> Option<Report> {
        self.open_series().map(|open| open.report())
    }

    /// The networks that were used, as far as they are known.
    pub(super) fn models_in_use(&self) -> ModelsInfo {
        let state = &self.state;
        let no_models = || ModelsInfo {
            weights: vec![],
            device: state.device.clone(),
            gradings: state.gradings.clone(),
            experimental: state.experimental.clone(),
            calibrated: None,
            evidence: state.evidence.defaults.clone(),
        };
        self.models.clone().unwrap_or_else(no_models)
    }

    /// What is on screen of the series that is read.
    fn open_series(&self) -> Option<OpenSeries> {
        let (state, reading) = (&self.state, &self.state.reading);
        let outcome = |(level, grades): (&DiscLevel, &Loadable<DiscPrediction>)| match grades {
            Loadable::Ready(prediction) => Some(GradeOutcome::Graded(prediction.as_ref().clone())),
            Loadable::Failed(error) => Some(GradeOutcome::NotGraded { level: *level, reason: error.chain() }),
            Loadable::Idle | Loadable::Pending(_) => None,
        };
        let outcomes: Vec<GradeOutcome> = reading.grades.iter().filter_map(outcome).collect();
        Some(OpenSeries {
            series: Arc::clone(&state.loaded()?.series),
            vertebrae: reading.findings.vertebrae.clone(),
            doubts: state.open_doubts().to_vec(),
            judgement: reading.judgement.clone(),
            discs: reading.discs.clone(),
            views: outcomes.iter().any(|outcome| outcome.prediction().is_some()).then_some(Views::FiftyFour),
            outcomes,
            review: reading.findings.review.clone(),
            prior: reading.prior.clone(),
            models: self.models_in_use(),
            seconds: None,
        })
    }
}

/// The disc and grading so many steps away that has a grade; at the edge of the table it stays.
pub(super) fn moved_selection(state: &ViewerState, discs: isize, gradings: isize) -> Option<Selection> {
    let levels: Vec<DiscLevel> = state.reading.discs.iter().map(|disc| disc.level).collect();
    let columns = state.columns();
    let first = Selection { level: *levels.first()?, grading: *columns.first()? };
    let Some(now) = state.reading.selection else { return Some(first) };
    let row = levels.iter().position(|level| *level == now.level)?;
    let row = row.saturating_add_signed(discs).min(levels.len() - 1);
    let column = columns.iter().position(|grading| *grading == now.grading)?;
    let column = column.saturating_add_signed(gradings).min(columns.len() - 1);
    Some(Selection { level: levels[row], grading: columns[column] })
}
