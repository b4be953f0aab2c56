//! From a folder to graded discs: each step asks the worker for the next.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::correction::GradeBook;
use super::evidence::MapWanted;
use super::history::History;
use super::search::Search;
use super::{Command, DemoOptions, Event, Viewer, present};
use crate::dicom::{FolderScan, Series, is_packed_study};
use crate::model::Views;
use crate::pacs::FetchedStudy;
use crate::research::is_volume_file;
use crate::saliency::SaliencyMap;
use crate::spine::Disc;
use crate::task::Progress;
use crate::ui::language::tr;
use crate::ui::state::{BannerKind, JobStatus, ReadingState, StudyState};
use crate::worker::{JobEvent, JobId, JobKind, Loadable, Work};

/// What is shown until a job reports how far it is.
fn starting() -> JobStatus {
    JobStatus { progress: Progress { step: tr!("Working…"), done: 0, total: 0 } }
}

/// What belongs to the open study and is not on the screen; closing the study drops it.
#[derive(Default)]
pub(super) struct OpenedStudy {
    /// Its series.
    pub(super) scan: Option<Arc<FolderScan>>,
    /// Where the studies in it were found, folders or files, each with the place of its first series.
    pub(super) open_paths: Vec<(usize, PathBuf)>,
    /// The study from an archive; its files go when it does.
    pub(super) fetched: Option<Arc<FetchedStudy>>,
    /// It lies where the user keeps it, to be listed among the recent ones once it is known to be a study.
    pub(super) is_kept: bool,
    /// The search for the series to grade; none once the reader chose.
    pub(super) search: Option<Search>,
    /// Explain the worst finding when grading is done, as the demo does.
    pub(super) explains_worst: bool,
}

/// What belongs to the series that is read and is not on the screen; closing the series drops it.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub(super) struct OpenedSeries {
    /// The series that is shown or on its way: its place in the scan.
    pub(super) index: Option<usize>,
    /// It is graded when it is loaded, whatever it is.
    pub(super) is_to_be_graded: bool,
    pub(super) history: History,
    pub(super) grade_book: GradeBook,
    /// The series is loaded and shown as soon as earlier work on it is read.
    pub(super) awaits_work: Option<(JobId, Arc<Series>)>,
    /// The saved work on the series could not be read, so nothing is written over it.
    pub(super) saved_work_is_unread: bool,
    /// Computed grades were on the screen before the reader began to read blind.
    pub(super) computed_was_seen: bool,
    /// The reader was told which blind grades are missing.
    pub(super) was_told_of_missing: bool,
    /// Finished maps, so that a second look needs no second computation.
    pub(super) finished_maps: Vec<(MapWanted, Arc<SaliencyMap>)>,
    /// What the maps under way were asked for.
    pub(super) wanted_maps: HashMap<JobId, MapWanted>,
    /// The disc that [`ReadingState::disc_frame`] belongs to.
    pub(super) framed_disc: Option<Disc>,
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Opens the study in a folder or a ZIP file, or a NIfTI or MetaImage file; of any other file, the folder it lies in. A
    /// study that is open stays until the other is known to be one.
    pub fn open_folder(&mut self, path: PathBuf) {
        let folder = match path.parent() {
            Some(parent) if path.is_file() && !is_volume_file(&path) && !is_packed_study(&path) => parent.to_owned(),
            _ => path,
        };
        self.state.path_entry = None;
        if self.state.study.folder.ready().is_some() {
            return self.scan_instead(folder);
        }
        self.close_study();
        self.scan_folder(folder);
        self.study.is_kept = true;
    }

    /// Looks for series; a demo comes here too and is not remembered.
    pub(super) fn scan_folder(&mut self, folder: PathBuf) {
        self.study.open_paths = vec![(0, folder.clone())];
        if let Some(job) = self.submit(Command::ScanFolder { folder }) {
            self.state.study.folder = Loadable::Pending(job);
        }
    }

    /// Opens the study again that was open when the program was cut off, and says so.
    pub(super) fn reopen(&mut self, folder: PathBuf, told: &str) {
        self.open_folder(folder);
        self.tell(BannerKind::Warning, told.to_owned());
    }

    /// Writes the synthetic study, opens it, and explains its worst finding.
    pub(crate) fn open_demo(&mut self, demo: DemoOptions) {
        self.close_study();
        if let Some(job) = self.submit(Command::PrepareDemo { folder: demo.out, seed: demo.seed }) {
            self.study.explains_worst = true;
            self.state.study.folder = Loadable::Pending(job);
        }
    }

    /// Closes the study; its jobs are cancelled.
    pub(super) fn close_study(&mut self) {
        self.close_series();
        self.study = OpenedStudy::default();
        self.state.study = StudyState::default();
        self.state.banners.clear();
        self.clear_companions();
        self.forget_open_study();
    }

    /// Closes the shown series; all that is asked about it is cancelled. How it was looked at stays.
    fn close_series(&mut self) {
        // Files that are being written are finished, and told.
        for job in self.jobs.iter().filter(|(_, kind)| **kind != JobKind::Export).map(|(job, _)| *job) {
            self.worker.cancel(job);
        }
        self.jobs.retain(|_, kind| *kind == JobKind::Export);
        self.reading = OpenedSeries::default();
        self.state.reading = ReadingState::default();
        self.state.evidence = self.state.evidence.of_another_series();
        self.state.view = self.state.view.of_another_series();
    }

    /// Shows the next series of the list, or with -1 the one before; at its ends nothing happens.
    pub(super) fn step_series(&mut self, step: isize) {
        let count = self.state.study.series_list.len();
        let read = self.reading.index;
        let beside = self.state.shown_beside().get(self.state.active).and_then(|beside| beside.index);
        let mut next = beside.or(read).map_or(Some(0), |now| now.checked_add_signed(step));
        // What is read is in sight already.
        if next.is_some() && next == read {
            next = next.and_then(|next| next.checked_add_signed(step));
        }
        if let Some(next) = next.filter(|next| *next < count) {
            self.show_series(next);
        }
    }

    /// Shows a series: beside the one that is read, whose findings belong to the study and stay; in its place where there
    /// are none.
    pub(super) fn show_series(&mut self, index: usize) {
        if !self.state.reading.is_begun() {
            return self.choose_series(index);
        }
        if self.reading.index == Some(index) {
            return;
        }
        self.show_series_beside(index);
    }

    /// Reads and grades another series, or the one that stands beside; the one that was read takes its place there.
    pub(super) fn grade_instead(&mut self, index: Option<usize>) {
        let read = self.reading.index;
        let Some(index) = index.or(self.state.beside().index).filter(|index| Some(*index) != read) else { return };
        let view = self.state.shown_beside().iter().position(|beside| beside.index == Some(index));
        self.choose_series(index);
        self.reading.is_to_be_graded = true;
        if let (Some(read), Some(view)) = (read, view) {
            self.show_companion(view, read);
        }
    }

    /// Folder or file of the study that the shown series belongs to; of the first where none is shown.
    pub(super) fn path_of_shown(&self) -> Option<PathBuf> {
        let shown = self.reading.index.unwrap_or(0);
        self.study.open_paths.iter().rev().find(|(first, _)| *first <= shown).map(|(_, path)| path.clone())
    }

    /// Loads the series at a place of the list.
    pub(super) fn load_series(&mut self, index: usize) {
        let Some(series) = self.study.scan.as_ref().and_then(|scan| scan.series.get(index)).cloned() else { return };
        self.close_series();
        // The preview is of the series that opens by itself.
        if !series.choice.is_chosen {
            self.state.study.preview = None;
        }
        // What stands beside it need not be read again, but how they lie to each other is another question.
        let beside: Vec<_> = self.state.shown_beside().iter().map(|beside| (beside.index, beside.plane)).collect();
        self.clear_companions();
        for (view, (beside, plane)) in beside.into_iter().enumerate() {
            if let Some(axis) = plane {
                self.show_plane(view, axis);
            } else if let Some(beside) = beside.filter(|beside| *beside != index) {
                self.show_companion(view, beside);
            }
        }
        self.reading.index = Some(index);
        self.list_series();
        if let Some(job) = self.submit(Command::LoadSeries { series: Arc::new(series) }) {
            self.state.reading.image = Loadable::Pending(job);
        }
    }

    /// Writes the series list anew.
    pub(super) fn list_series(&mut self) {
        if let Some(scan) = &self.study.scan {
            self.state.study.series_list = present::series_list(&scan.series, self.reading.index);
        }
    }

    /// Looks for vertebrae and discs; grading follows.
    pub(super) fn detect(&mut self) {
        if self.state.reading.detection.ready().is_some() {
            self.grade_missing();
            return;
        }
        let Some(series) = self.state.loaded() else { return };
        let volume = Arc::clone(&series.volume);
        if let Some(job) = self.submit(Command::DetectDiscs { volume }) {
            self.state.reading.detection = Loadable::Pending(job);
        }
    }

    /// Grades the discs that have no grades yet.
    pub(super) fn grade_missing(&mut self) {
        let Some(series) = self.state.loaded() else { return };
        let is_missing = |level| !matches!(self.state.reading.grades.get(level), Some(Loadable::Ready(_)));
        let discs: Vec<_> = self.state.reading.discs.iter().filter(|disc| is_missing(&disc.level)).cloned().collect();
        if discs.is_empty() {
            return;
        }
        let levels: Vec<_> = discs.iter().map(|disc| disc.level).collect();
        let volume = Arc::clone(&series.volume);
        if let Some(job) = self.submit(Command::GradeDiscs { volume, discs, views: Views::FiftyFour }) {
            for level in levels {
                self.state.reading.grades.insert(level, Loadable::Pending(job));
            }
        }
    }

    /// Queues a command; a full queue becomes a message.
    pub(super) fn submit(&mut self, command: Command) -> Option<JobId> {
        let kind = command.kind();
        match self.worker.submit(command) {
            Ok(job) => {
                self.jobs.retain(|_, older| !kind.supersedes(*older));
                self.jobs.insert(job, kind);
                self.state.job.get_or_insert_with(starting);
                Some(job)
            }
            Err(error) => {
                self.tell_error(tr!("This could not be started: {reason}.", reason = error));
                None
            }
        }
    }

    pub(super) fn cancel_job(&mut self) {
        match self.reporting_job {
            Some(job) => self.worker.cancel(job),
            None => self.worker.cancel_all(),
        }
    }

    /// Takes in one event of the worker; stale ones change nothing.
    pub(super) fn receive(&mut self, JobEvent { job, event, ends_job }: JobEvent<Event>) {
        match event {
            Event::Progressed(progress) => {
                if self.worker.is_active(job) {
                    self.reporting_job = Some(job);
                    self.state.job = Some(JobStatus { progress });
                }
            }
            Event::Cancelled => self.cancelled(job),
            Event::Failed(error) => self.failed(job, &error),
            Event::SeriesFound(series) => self.series_found(job, &series),
            Event::FolderScanned(scan) => self.folder_scanned(job, scan),
            Event::DemoPrepared(study) => self.demo_prepared(job, &study),
            Event::ModelsLoaded(models) => self.models_loaded(&models),
            Event::SeriesLoaded(series) => self.series_loaded(job, series),
            Event::DiscsDetected(detection) => self.detected(job, &detection),
            Event::DetectedBeside(detection) => self.companion_detected(job, &detection),
            Event::Exported(files) => self.exported(job, &files),
            Event::BoxesRead(file) => self.boxes_read(job, &file),
            Event::AgreementMeasured(agreement) => self.agreement_measured(job, agreement),
            Event::Anonymized(outcome) => self.anonymized(job, &outcome),
            Event::DiscGraded(disc) => self.disc_graded(job, &disc),
            Event::DiscNotGraded { level, reason } => self.disc_not_graded(job, level, reason),
            Event::DiscsGradingFinished => self.discs_graded(job),
            Event::SaliencyRefined(map) => self.evidence_refined(job, map),
            Event::SaliencyFinished(map) => self.evidence_finished(job, map),
        }
        if ends_job {
            self.job_ended(job);
        }
    }

    /// Shows the next job at work, or that there is none.
    fn job_ended(&mut self, job: JobId) {
        self.jobs.remove(&job);
        if self.reporting_job == Some(job) {
            self.reporting_job = None;
        }
        if !self.worker.is_busy() {
            self.state.job = None;
        } else if self.reporting_job.is_none() {
            self.state.job = Some(starting());
        }
    }
}
