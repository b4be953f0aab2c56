//! What becomes of each result, failure and cancellation of the study's steps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reader_store::{SavedWork, SeenImages, StoreError};
use super::search::Search;
use super::{Command, Event, Viewer, navigation, present};
use crate::causes::with_causes;
use crate::dicom::{FolderScan, Series, SeriesSummary};
use crate::pipeline::{DemoStudy, GradeOutcome, ModelsInfo, most_abnormal};
use crate::spine::{DiscLevel, DiscPrediction};
use crate::ui::language::tr;
use crate::ui::state::{BannerKind, Selection, ViewerState};
use crate::worker::{JobError, JobId, JobKind, Loadable, Work};

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Some series are known before all files are read: they are listed, with pictures.
    pub(super) fn series_found(&mut self, job: JobId, series: &[SeriesSummary]) {
        if self.state.study.folder.awaits(job) {
            self.state.study.series_list = present::series_list(series, None);
            self.request_thumbnails(series);
        }
    }

    pub(super) fn folder_scanned(&mut self, job: JobId, scan: Arc<FolderScan>) {
        if self.state.study.folder.resolve(job, Arc::new(())) {
            self.study_found(scan);
        }
    }

    /// Lists the series of a study and loads the one that can be graded; without any series there is nothing to stay with.
    pub(super) fn study_found(&mut self, scan: Arc<FolderScan>) {
        if scan.series.is_empty() {
            self.close_study();
            return self.tell_error(tr!("No DICOM images were found in this folder.").to_owned());
        }
        if self.study.is_kept
            && let Some((_, path)) = self.study.open_paths.first().cloned()
        {
            self.remember_study(&path);
        }
        self.state.study.folder_warnings = present::folder_warnings(&scan);
        self.request_thumbnails(&scan.series);
        let patients = scan.patients();
        self.study.search = Search::new(&scan);
        let first = self.study.search.as_ref().map(|search| search.first);
        self.study.scan = Some(scan);
        self.list_series();
        match first {
            Some(index) => self.load_series(index),
            None if patients > 1 => self.tell(
                BannerKind::Warning,
                tr!(
                    count = patients;
                    one "This folder holds images of {count} patient. Choose a series on the left.",
                    other "This folder holds images of {count} patients. Choose a series on the left."
                ),
            ),
            None => self.tell_no_t2(),
        }
    }

    pub(super) fn tell_no_t2(&mut self) {
        self.tell(
            BannerKind::Warning,
            tr!("No T2 sagittal series was found. The reasons stand beside each series on the left.").to_owned(),
        );
    }

    pub(super) fn demo_prepared(&mut self, job: JobId, study: &DemoStudy) {
        if self.jobs.contains_key(&job) {
            self.close_study();
            self.scan_folder(study.folder().to_owned());
            self.study.explains_worst = true;
        }
    }

    pub(super) fn models_loaded(&mut self, models: &ModelsInfo) {
        self.state.device.clone_from(&models.device);
        self.state.weights.clone_from(&models.weights);
        if !models.gradings.is_empty() {
            self.state.gradings.clone_from(&models.gradings);
        }
        self.state.experimental = models.experimental.clone();
        self.state.evidence.defaults = models.evidence.clone();
        self.models = Some(models.clone());
        self.sum_up();
    }

    pub(super) fn series_loaded(&mut self, job: JobId, series: Arc<Series>) {
        if !self.state.reading.image.awaits(job) {
            return;
        }
        // Shown once earlier work on it is known, so that nothing is decided beside that.
        let asked = self.store.request_work(SeenImages::of(&series));
        self.reading.awaits_work = Some((job, series));
        if let Err(message) = asked {
            self.reading.saved_work_is_unread = true;
            self.tell_error(message.to_owned());
            self.show_loaded(SavedWork::default());
        }
    }

    /// Earlier work on a series, or why it cannot be read, is known: on the one to be shown, or on the one beside it.
    pub(super) fn work_read(&mut self, key: &SeenImages, work: Result<Box<SavedWork>, StoreError>) {
        let is_of = |(_, series): &(JobId, Arc<Series>)| SeenImages::of(series) == *key;
        if !self.reading.awaits_work.as_ref().is_some_and(is_of) {
            return self.prior_work_read(key, work);
        }
        let work = work.unwrap_or_else(|error| {
            self.reading.saved_work_is_unread = true;
            self.tell_error(tr!(
                "Earlier work on this series could not be read and is left as it is. {reason}",
                reason = with_causes(&error)
            ));
            Box::default()
        });
        self.show_loaded(*work);
    }

    /// Shows the series that waits for its earlier work.
    fn show_loaded(&mut self, work: SavedWork) {
        let Some((job, series)) = self.reading.awaits_work.take() else { return };
        let is_chosen = series.summary.choice.is_chosen || self.study.search.is_some();
        let series = Arc::new(present::loaded_series(series));
        if !self.state.reading.image.resolve(job, Arc::clone(&series)) {
            return;
        }
        self.state.study.preview = None;
        self.state.view.slice = series.volume.slices() / 2;
        navigation::apply_preset(&mut self.state);
        let is_corrected = self.take_work(work);
        self.go_on_reading_blind();
        self.state.reading.image_texture = self.upload_series(&series.volume, self.state.view.slice);
        if is_corrected {
            self.study.search = None;
            self.state.reading.detection = Loadable::Ready(Arc::new(()));
            self.vertebrae_found();
        } else if is_chosen || self.reading.is_to_be_graded {
            self.detect();
        }
    }

    /// Takes in what the reader did on this series before; says whether that includes the vertebral bodies.
    fn take_work(&mut self, saved: SavedWork) -> bool {
        if saved.is_on_other_images {
            self.tell(
                BannerKind::Warning,
                tr!(
                    "There is earlier work on this series, but on other images of it: it is kept and not shown. Check \
                     that the series is whole and that these are the slices you mean."
                )
                .to_owned(),
            );
        }
        let findings = &mut self.state.reading.findings;
        (findings.boxes, findings.readings) = (saved.boxes, saved.readings);
        let Some(file) = saved.review else { return false };
        let corrected = file.corrected_vertebrae();
        findings.review = file.review;
        findings.vertebrae_corrected = corrected.is_some();
        findings.vertebrae = corrected.unwrap_or_default();
        findings.vertebrae_corrected
    }

    /// A file was written.
    pub(super) fn exported(&mut self, job: JobId, files: &[PathBuf]) {
        if self.jobs.contains_key(&job) {
            let name = |file: &Path| file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            let folder = files.first().and_then(|file| file.parent()).map(name).unwrap_or_default();
            let words = match files {
                [file] => tr!("Saved: {file}", file = name(file)),
                files => tr!(
                    count = files.len();
                    one "Saved: {count} file in {folder}", other "Saved: {count} files in {folder}", folder = folder
                ),
            };
            self.tell(BannerKind::Done, words);
        }
    }

    pub(super) fn vertebrae_found(&mut self) {
        self.follow_vertebrae();
        if self.state.reading.discs.is_empty() {
            self.tell(BannerKind::Warning, tr!("No lumbar disc was found in this series.").to_owned());
        } else if let Some(slice) = middle_slice(&self.state) {
            self.state.view.slice = slice;
        }
    }

    pub(super) fn disc_graded(&mut self, job: JobId, grades: &Arc<DiscPrediction>) {
        let level = grades.level;
        if self.prior_disc_graded(job, || GradeOutcome::Graded(grades.as_ref().clone())) {
            return;
        }
        let Some(slot) = self.state.reading.grades.get_mut(&level) else { return };
        if !slot.resolve(job, Arc::clone(grades)) {
            return;
        }
        if let Some(disc) = self.state.disc(level).cloned() {
            self.reading.grade_book.enter(disc, grades.as_ref().clone());
        }
        self.sum_up();
        let is_selected = self.state.reading.selection.is_some_and(|selection| selection.level == level);
        if is_selected && self.state.evidence.main.map.is_none() {
            self.request_evidence();
        }
    }

    pub(super) fn disc_not_graded(&mut self, job: JobId, level: DiscLevel, reason: String) {
        if self.prior_disc_graded(job, || GradeOutcome::NotGraded { level, reason: reason.clone() }) {
            return;
        }
        if let Some(slot) = self.state.reading.grades.get_mut(&level) {
            slot.fail(job, Arc::new(JobError::failed(reason)));
        }
    }

    pub(super) fn discs_graded(&mut self, job: JobId) {
        self.prior_graded(job);
        if self.jobs.get(&job) != Some(&JobKind::Grade) {
            return;
        }
        if std::mem::take(&mut self.study.explains_worst)
            && let Some(finding) = most_abnormal(self.state.reading.summary.discs())
        {
            self.explain(Selection { level: finding.level, grading: finding.grading });
        }
    }

    /// A job ended without its result because it was asked to.
    pub(super) fn cancelled(&mut self, job: JobId) {
        self.comparison_ended(job);
        let (state, Some(kind)) = (&mut self.state, self.jobs.get(&job)) else { return };
        match kind {
            JobKind::Scan | JobKind::Demo => state.study.folder.abandon(job),
            JobKind::Load => state.reading.image.abandon(job),
            JobKind::Detect => state.reading.detection.abandon(job),
            JobKind::Grade => state.reading.grades.values_mut().fold(false, |any, grades| any | grades.abandon(job)),
            JobKind::Explain => state.evidence.main.request.abandon(job),
            JobKind::ExplainBeside => state.evidence.beside.request.abandon(job),
            JobKind::Agree => state.agreement.measured.abandon(job),
            JobKind::DetectBeside | JobKind::GradeBeside | JobKind::Import => false,
            JobKind::Export => {
                let text = tr!("Saving was stopped; not everything was written.");
                self.tell(BannerKind::Warning, text.to_owned());
                false
            }
        };
    }

    /// A job ended with an error: it is told in plain words, and what it was to deliver says so.
    pub(super) fn failed(&mut self, job: JobId, error: &Arc<JobError>) {
        self.comparison_ended(job);
        let (state, Some(kind)) = (&mut self.state, self.jobs.get(&job)) else { return };
        let (reason, error) = (error.chain(), Arc::clone(error));
        let message = match kind {
            JobKind::Scan | JobKind::Demo => {
                if state.study.folder.fail(job, error) {
                    self.close_study();
                }
                tr!("The study could not be opened. {reason}", reason = reason)
            }
            JobKind::Load => {
                state.reading.image.fail(job, error);
                tr!("The series could not be loaded. {reason}", reason = reason)
            }
            JobKind::Detect if self.study.search.is_some() => {
                self.state.reading.detection.fail(job, error);
                if self.try_next(&reason) {
                    return;
                }
                tr!("The vertebrae could not be found. {reason}", reason = reason)
            }
            JobKind::Detect => {
                state.reading.detection.fail(job, error);
                tr!("The vertebrae could not be found. {reason}", reason = reason)
            }
            JobKind::Grade => {
                for grades in state.reading.grades.values_mut() {
                    grades.fail(job, Arc::clone(&error));
                }
                tr!("The discs could not be graded. {reason}", reason = reason)
            }
            JobKind::Explain => {
                state.evidence.main.request.fail(job, error);
                tr!("The evidence could not be computed. {reason}", reason = reason)
            }
            JobKind::ExplainBeside => {
                state.evidence.beside.request.fail(job, error);
                tr!("The evidence could not be computed. {reason}", reason = reason)
            }
            JobKind::Agree => {
                state.agreement.measured.fail(job, error);
                tr!("The agreement could not be measured. {reason}", reason = reason)
            }
            JobKind::Export => tr!("Nothing, or not everything, was saved. {reason}", reason = reason),
            JobKind::Import => tr!("The boxes could not be loaded. {reason}", reason = reason),
            // That the series beside lies elsewhere is told by its view.
            JobKind::DetectBeside => return,
            JobKind::GradeBeside => tr!("The other examination could not be graded. {reason}", reason = reason),
        };
        self.tell_error(message);
    }
}

/// The slice through the middle of the spine: the mean middle of the discs.
fn middle_slice(state: &ViewerState) -> Option<usize> {
    let last = state.loaded()?.volume.slices() - 1;
    let mean =
        state.reading.discs.iter().map(|disc| disc.center_voxel[0]).sum::<f64>() / state.reading.discs.len() as f64;
    Some((mean.round().max(0.0) as usize).min(last))
}
