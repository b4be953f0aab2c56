//! From a folder to graded discs, step by step.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::{DiscFindings, Models, ModelsInfo, PipelineError, ReportParts};
use crate::detection::Detection;
use crate::dicom::{FolderScan, Series, SeriesSummary, load_series, scan_folder, scan_folder_telling};
use crate::model::{Grader, GraderError, Views};
use crate::records::{Report, Seconds};
use crate::research::{is_volume_file, read_volume};
use crate::saliency::{self, SaliencyMap, SaliencyRequest};
use crate::spine::{Disc, DiscLevel, DiscPrediction, discs_between};
use crate::task::{CancelToken, Progress};
use crate::volume::Volume;

/// Finds the T2 sagittal series of a folder, or the one with `series_uid`, and decodes it. Oddities of the folder are
/// added to the warnings of the series. Instead of a folder it may be a NIfTI or MetaImage file, which is taken to be T2.
///
/// # Errors
/// If the folder cannot be read, holds no such series, or a file of it cannot be decoded.
pub fn open_series(
    folder: &Path,
    series_uid: Option<&str>,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Series, PipelineError> {
    if is_volume_file(folder) && folder.is_file() {
        let volume =
            read_volume(folder).map_err(|reason| PipelineError::Research { reason, path: folder.to_owned() })?;
        let series = Series::of_volume(volume);
        return match series_uid.filter(|uid| *uid != series.summary.series_instance_uid) {
            Some(uid) => Err(PipelineError::NoSuchSeries { uid: uid.to_owned() }),
            None => Ok(series),
        };
    }
    let scan = scan_folder(folder, cancel, on_progress)?;
    let mut series = load_series(choose_series(&scan, series_uid)?, cancel, on_progress)?;
    series.warnings.extend(scan.warnings);
    Ok(series)
}

/// Reads studies for a thread that first lists their series and then loads some of them.
#[derive(Default)]
pub struct StudyReader {
    /// The NIfTI or MetaImage file that was scanned last; it is read whole to be scanned.
    volume: Option<Arc<Series>>,
}

impl StudyReader {
    /// What a folder holds; of a NIfTI or MetaImage file, its volume as the only series. `on_series` hears of the series
    /// found so far before all files of a folder are read.
    ///
    /// # Errors
    /// If the folder or the file cannot be read.
    pub fn scan(
        &mut self,
        path: &Path,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
        on_series: &mut dyn FnMut(Vec<SeriesSummary>),
    ) -> Result<FolderScan, PipelineError> {
        self.volume = None;
        if !(is_volume_file(path) && path.is_file()) {
            return Ok(scan_folder_telling(path, cancel, on_progress, on_series)?);
        }
        on_progress(Progress { step: "Reading the file", done: 0, total: 1 });
        let series = open_series(path, None, cancel, on_progress)?;
        let scan = FolderScan { series: vec![series.summary.clone()], ..FolderScan::default() };
        self.volume = Some(Arc::new(series));
        Ok(scan)
    }

    /// The images of a series that was found.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn load(
        &self,
        series: &SeriesSummary,
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Arc<Series>, PipelineError> {
        let wanted = &series.series_instance_uid;
        match self.volume.as_ref().filter(|it| it.summary.series_instance_uid == *wanted) {
            Some(volume) => Ok(Arc::clone(volume)),
            None => Ok(Arc::new(load_series(series, cancel, on_progress)?)),
        }
    }
}

/// The series with `series_uid`, or without it the one chosen for grading.
///
/// # Errors
/// If there is none, saying why each series was not chosen.
pub fn choose_series<'a>(scan: &'a FolderScan, series_uid: Option<&str>) -> Result<&'a SeriesSummary, PipelineError> {
    if let Some(uid) = series_uid {
        let named = scan.series.iter().filter(|series| series.series_instance_uid == uid);
        // One UID may stand for several stacks (localizers, repetitions); the largest is meant.
        let largest = named.max_by_key(|series| (series.slices, series.choice.is_chosen));
        return largest.ok_or_else(|| PipelineError::NoSuchSeries { uid: uid.to_owned() });
    }
    if let Some(chosen) = scan.t2_sagittal() {
        return Ok(chosen);
    }
    if scan.series.is_empty() {
        let refused =
            scan.refused.first().map(|file| format!("{} refused, the first {}", scan.refused.len(), file.reason));
        return Err(PipelineError::NoImages { refused });
    }
    let patients = scan.patients();
    if patients > 1 {
        return Err(PipelineError::SeveralPatients { patients });
    }
    let name = |series: &SeriesSummary| match series.series_number {
        Some(number) => format!("series {number} is {}", series.choice.reason),
        None => format!("a series is {}", series.choice.reason),
    };
    Err(PipelineError::NoSagittalT2 { reasons: scan.series.iter().map(name).collect() })
}

/// What became of one disc.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there are as many as discs, and nearly all are graded")]
pub enum GradeOutcome {
    /// Its grades.
    Graded(DiscPrediction),
    /// It cannot be graded; the others can.
    NotGraded {
        /// Which.
        level: DiscLevel,
        /// Why, in words.
        reason: String,
    },
}

impl GradeOutcome {
    /// The grades, if there are any.
    #[must_use]
    pub fn prediction(&self) -> Option<&DiscPrediction> {
        if let Self::Graded(prediction) = self { Some(prediction) } else { None }
    }
}

/// Grades discs in the given order; `on_disc` hears of each as soon as it is done.
///
/// # Errors
/// If the work is cancelled, or if not one disc can be graded: then the first disc's reason.
pub fn grade_discs(
    grader: &Grader,
    volume: &Volume,
    discs: &[Disc],
    views: Views,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
    on_disc: &mut dyn FnMut(&GradeOutcome),
) -> Result<Vec<GradeOutcome>, PipelineError> {
    let mut outcomes = Vec::with_capacity(discs.len());
    let mut first_failure = None;
    for (done, disc) in discs.iter().enumerate() {
        on_progress(Progress { step: "Grading discs", done, total: discs.len() });
        let outcome = match grader.grade(volume, disc, views, cancel) {
            Ok(prediction) => GradeOutcome::Graded(prediction),
            Err(GraderError::Cancelled(cancelled)) => return Err(cancelled.into()),
            Err(source) => {
                let reason = source.to_string();
                first_failure.get_or_insert(source);
                GradeOutcome::NotGraded { level: disc.level, reason }
            }
        };
        on_disc(&outcome);
        outcomes.push(outcome);
    }
    on_progress(Progress { step: "Grading discs", done: discs.len(), total: discs.len() });
    match first_failure {
        Some(error) if outcomes.iter().all(|outcome| outcome.prediction().is_none()) => Err(error.into()),
        _ => Ok(outcomes),
    }
}

/// The evidence map of one class of one grading; `on_map` sees it sharpen as augmentations are averaged.
///
/// # Errors
/// If the disc has no frame, the class does not exist, the device fails, or the work is cancelled.
pub fn explain(
    grader: &Grader,
    volume: &Volume,
    disc: &Disc,
    request: &SaliencyRequest,
    cancel: &CancelToken,
    on_map: &mut dyn FnMut(SaliencyMap),
) -> Result<SaliencyMap, PipelineError> {
    let start = Instant::now();
    let map = saliency::explain(grader.network(), volume, disc, request, cancel, on_map)?;
    tracing::info!(seconds = start.elapsed().as_secs_f64(), "a grade is explained");
    Ok(map)
}

/// A scan with everything found in it.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// The scan.
    pub series: Series,
    /// Labelled bodies.
    pub detection: Detection,
    /// The discs between them, from the thorax down.
    pub discs: Vec<Disc>,
    /// What became of each disc; empty where only detection was asked for.
    pub outcomes: Vec<GradeOutcome>,
    /// Views averaged; `None` where only detection was asked for.
    pub views: Option<Views>,
    /// The networks that were used.
    pub models: ModelsInfo,
    /// How long the steps took.
    pub seconds: Seconds,
}

/// What the chain shall do.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnalysisOptions<'a> {
    /// Grade this series instead of the one that would be chosen.
    pub series_uid: Option<&'a str>,
    /// Views averaged per disc; `None` only detects.
    pub views: Option<Views>,
}

/// What happens while a scan is analyzed.
pub trait AnalysisObserver {
    /// The current step came this far.
    fn progressed(&mut self, progress: Progress);
    /// One disc is done.
    fn disc_done(&mut self, _outcome: &GradeOutcome) {}
}

impl<F: FnMut(Progress)> AnalysisObserver for F {
    fn progressed(&mut self, progress: Progress) {
        self(progress);
    }
}

/// The whole chain on one folder: find the series, decode it, detect and label, grade.
///
/// # Errors
/// The error of the step that failed.
pub fn analyze_folder(
    folder: &Path,
    models: &mut Models,
    options: AnalysisOptions<'_>,
    cancel: &CancelToken,
    observer: &mut dyn AnalysisObserver,
) -> Result<Analysis, PipelineError> {
    let start = Instant::now();
    let series = open_series(folder, options.series_uid, cancel, &mut |progress| observer.progressed(progress))?;
    let load = start.elapsed().as_secs_f64();
    let mut analysis = analyze_series(series, models, options.views, cancel, observer)?;
    analysis.seconds.load = load;
    Ok(analysis)
}

/// Detects, labels and, with `views`, grades a loaded series.
///
/// # Errors
/// The error of the step that failed.
pub fn analyze_series(
    series: Series,
    models: &mut Models,
    views: Option<Views>,
    cancel: &CancelToken,
    observer: &mut dyn AnalysisObserver,
) -> Result<Analysis, PipelineError> {
    let mut seconds = Seconds::default();
    models.load_detector()?;
    let start = Instant::now();
    let detection = models.detector()?.detect(&series.volume, cancel, &mut |progress| observer.progressed(progress))?;
    let discs = discs_between(&detection.vertebrae);
    seconds.detect = start.elapsed().as_secs_f64();
    let (vertebrae, found) = (detection.vertebrae.len(), discs.len());
    tracing::info!(vertebrae, discs = found, seconds = seconds.detect, "vertebrae are found");
    if discs.is_empty() {
        return Err(PipelineError::NoDiscs);
    }
    let mut outcomes = Vec::new();
    if let Some(views) = views {
        models.load_grader()?;
        let start = Instant::now();
        // Progress and discs go to the same observer, one after the other.
        let observer = std::cell::RefCell::new(observer);
        outcomes = grade_discs(
            models.grader()?,
            &series.volume,
            &discs,
            views,
            cancel,
            &mut |progress| observer.borrow_mut().progressed(progress),
            &mut |outcome| observer.borrow_mut().disc_done(outcome),
        )?;
        seconds.grade = start.elapsed().as_secs_f64();
        tracing::info!(discs = outcomes.len(), views = views.count(), seconds = seconds.grade, "discs are graded");
    }
    Ok(Analysis { series, detection, discs, outcomes, views, models: models.info(), seconds })
}

impl Analysis {
    /// The grades of the discs that have them.
    #[must_use]
    pub fn predictions(&self) -> Vec<DiscPrediction> {
        self.outcomes.iter().filter_map(GradeOutcome::prediction).cloned().collect()
    }

    /// The grades that can be relied on of the discs that have them.
    #[must_use]
    pub fn findings(&self) -> Vec<DiscFindings> {
        let graded = self.outcomes.iter().filter_map(GradeOutcome::prediction);
        graded.map(|prediction| DiscFindings::computed(prediction, &self.models.experimental)).collect()
    }

    /// One sentence for each graded disc.
    #[must_use]
    pub fn predictions_in_words(&self) -> Vec<String> {
        self.findings().iter().map(DiscFindings::sentence).collect()
    }

    /// The disc of a level.
    ///
    /// # Errors
    /// If it was not found, naming those that were.
    pub fn disc(&self, level: DiscLevel) -> Result<&Disc, PipelineError> {
        let found = || self.discs.iter().map(|disc| disc.level).collect();
        let disc = self.discs.iter().find(|disc| disc.level == level);
        disc.ok_or_else(|| PipelineError::NoSuchDisc { level, found: found() })
    }

    /// The report; discs that could not be graded are named in its warnings.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = ReportParts {
            source: (&self.series).into(),
            vertebrae: &self.detection.vertebrae,
            discs: &self.discs,
            predictions: &self.predictions(),
            models: &self.models,
            views: self.views,
            seconds: Some(self.seconds),
        }
        .report();
        for doubt in self.detection.doubts() {
            report.warn(doubt.code(), doubt.to_string());
        }
        for outcome in &self.outcomes {
            if let GradeOutcome::NotGraded { level, reason } = outcome {
                report.warn("disc_not_graded", format!("{level} could not be graded: {reason}"));
            }
        }
        report
    }
}
