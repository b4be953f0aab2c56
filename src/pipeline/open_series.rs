//! A series as it is read: its images, what the networks found in them, and what the reader makes of it. Window, command
//! line and cohorts have the same report from it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::change::{change_sentences, compared_grades};
use super::{
    DiscFindings, GradeOutcome, ImageJudgement, Models, ModelsInfo, PipelineError, Study, grade_discs, passed_over,
};
use crate::detection::{Detection, DetectionError, LevelDoubt};
use crate::dicom::{Series, SeriesWarning};
use crate::language::{Language, message};
use crate::model::{Views, WeightsInfo};
use crate::records::{
    DiscEntry, Narrative, Prior, REPORT_SCHEMA, Report, ReportWarning, Review, Seconds, Software, VertebraEntry,
    WeightsUsed, rounded,
};
use crate::spine::{Disc, DiscLevel, DiscPrediction, Vertebra, discs_between, signal_of_fluid};
use crate::task::{CancelToken, Progress};

/// A series with everything that is known about it.
#[derive(Debug, Clone)]
pub struct OpenSeries {
    /// The images.
    pub series: Arc<Series>,
    /// Labelled bodies, as found or as the reader corrected them.
    pub vertebrae: Vec<Vertebra>,
    /// Why their names may be wrong.
    pub doubts: Vec<LevelDoubt>,
    /// What the image shows; `None` where the vertebrae are the reader's.
    pub judgement: Option<ImageJudgement>,
    /// The discs between them, from the thorax down.
    pub discs: Vec<Disc>,
    /// What became of the discs; empty where only detection was asked for.
    pub outcomes: Vec<GradeOutcome>,
    /// Views averaged; `None` where nothing was graded.
    pub views: Option<Views>,
    /// What the reader decided.
    pub review: Review,
    /// The earlier examination that it is compared with.
    pub prior: Option<Prior>,
    /// The networks that were used.
    pub models: ModelsInfo,
    /// How long the steps took; `None` where that is not told.
    pub seconds: Option<Seconds>,
}

/// What is done with a study.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnalysisOptions<'a> {
    /// Grade this series instead of the one that would be chosen.
    pub series_uid: Option<&'a str>,
    /// Views averaged per disc; `None` only detects.
    pub views: Option<Views>,
    /// Where no image is a T2 image of the lumbar spine, go on with the first one all the same.
    pub grades_anyway: bool,
}

/// What happens while a scan is analyzed.
pub trait AnalysisObserver {
    /// The current step came this far.
    fn progressed(&mut self, progress: Progress);
    fn disc_done(&mut self, _outcome: &GradeOutcome) {}
}

impl<F: FnMut(Progress)> AnalysisObserver for F {
    fn progressed(&mut self, progress: Progress) {
        self(progress);
    }
}

/// The whole chain on one folder: find the series, decode it, detect and label, judge the image, grade. Of several series that may
/// be the one, the first counts whose image is a T2 image of the lumbar spine.
///
/// # Errors
/// The error of the step that failed; [`PipelineError::Unfit`] if no image may be graded.
pub fn analyze_folder(
    folder: &Path,
    models: &mut Models,
    options: AnalysisOptions<'_>,
    cancel: &CancelToken,
    observer: &mut dyn AnalysisObserver,
) -> Result<OpenSeries, PipelineError> {
    let start = Instant::now();
    let study = Study::open(folder, cancel, &mut |progress| observer.progressed(progress), &mut |_| ())?;
    let scanned = start.elapsed().as_secs_f64();
    let (mut reasons, mut first_unfit, mut first_failure) = (Vec::new(), None, None);
    for summary in study.candidates(options.series_uid)? {
        let start = Instant::now();
        let series = study.load(summary, cancel, &mut |progress| observer.progressed(progress))?;
        let load = scanned + start.elapsed().as_secs_f64();
        match Found::new(series, models, cancel, observer) {
            Ok(found) => {
                let found = Found { load, ..found };
                let Err(unfit) = found.detection.fitness() else {
                    return found.complete(reasons, models, options.views, cancel, observer);
                };
                reasons.push(passed_over(summary, &unfit.to_string()));
                first_unfit.get_or_insert((found, unfit));
            }
            Err(PipelineError::Detection(error @ DetectionError::NoSpine { .. })) => {
                reasons.push(passed_over(summary, &error.to_string()));
                first_failure.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    if let Some((found, _)) = first_unfit.take_if(|_| options.grades_anyway) {
        return found.complete(Vec::new(), models, options.views, cancel, observer);
    }
    // Where no header names a T2 sagittal series, that is the better reason.
    study.choose(options.series_uid)?;
    match (first_unfit, first_failure) {
        (Some((_, unfit)), _) => Err(PipelineError::Unfit { code: unfit.code(), reasons }),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(PipelineError::NoDiscs),
    }
}

/// Detects, labels and, with `views`, grades a loaded series, whatever its image shows; the report tells what it is.
///
/// # Errors
/// The error of the step that failed.
pub fn analyze_series(
    series: Arc<Series>,
    models: &mut Models,
    views: Option<Views>,
    cancel: &CancelToken,
    observer: &mut dyn AnalysisObserver,
) -> Result<OpenSeries, PipelineError> {
    Found::new(series, models, cancel, observer)?.complete(Vec::new(), models, views, cancel, observer)
}

/// A series with its vertebrae.
struct Found {
    series: Arc<Series>,
    detection: Detection,
    /// Seconds for reading and for this.
    load: f64,
    detect: f64,
}

impl Found {
    fn new(
        series: Arc<Series>,
        models: &mut Models,
        cancel: &CancelToken,
        observer: &mut dyn AnalysisObserver,
    ) -> Result<Self, PipelineError> {
        models.load_detector()?;
        let start = Instant::now();
        let mut on_progress = |progress| observer.progressed(progress);
        let detection = models.detector()?.detect(&series.volume, cancel, &mut on_progress)?;
        let detect = start.elapsed().as_secs_f64();
        tracing::info!(vertebrae = detection.vertebrae.len(), seconds = detect, "vertebrae are found");
        Ok(Self { series, detection, load: 0.0, detect })
    }

    /// Grades, with `views`, and brings everything together.
    fn complete(
        self,
        passed_over: Vec<String>,
        models: &mut Models,
        views: Option<Views>,
        cancel: &CancelToken,
        observer: &mut dyn AnalysisObserver,
    ) -> Result<OpenSeries, PipelineError> {
        let Self { series, detection, load, detect } = self;
        let discs = discs_between(&detection.vertebrae);
        if discs.is_empty() {
            return Err(PipelineError::NoDiscs);
        }
        let mut seconds = Seconds { load, detect, grade: 0.0 };
        let mut outcomes = Vec::new();
        if let Some(views) = views {
            models.load_grader()?;
            let start = Instant::now();
            // Progress and discs go to the same observer, one after the other.
            let observer = RefCell::new(observer);
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
        Ok(OpenSeries {
            judgement: Some(ImageJudgement { fitness: detection.fitness(), passed_over }),
            doubts: detection.doubts(),
            vertebrae: detection.vertebrae,
            series,
            discs,
            outcomes,
            views,
            review: Review::default(),
            prior: None,
            models: models.info(),
            seconds: Some(seconds),
        })
    }
}

impl OpenSeries {
    /// The grades of the discs that have them.
    pub(crate) fn predictions(&self) -> impl Iterator<Item = &DiscPrediction> {
        self.outcomes.iter().filter_map(GradeOutcome::prediction)
    }

    /// What the report says of the graded discs.
    #[must_use]
    pub(crate) fn findings(&self) -> Vec<DiscFindings> {
        DiscFindings::of_report(&self.report())
    }

    /// The disc of a level.
    ///
    /// # Errors
    /// If it was not found, naming those that were.
    pub(crate) fn disc(&self, level: DiscLevel) -> Result<&Disc, PipelineError> {
        let found = || self.discs.iter().map(|disc| disc.level).collect();
        let disc = self.discs.iter().find(|disc| disc.level == level);
        disc.ok_or_else(|| PipelineError::NoSuchDisc { level, found: found() })
    }

    /// The report; vertebrae and discs are ordered from the thorax down, and its warnings name whatever is to be doubted
    /// and the discs that could not be graded.
    #[must_use]
    pub fn report(&self) -> Report {
        let summary = &self.series.summary;
        let geometry = self.series.volume.geometry();
        let mut vertebrae: Vec<&Vertebra> = self.vertebrae.iter().collect();
        vertebrae.sort_by_key(|vertebra| vertebra.label);
        let mut discs: Vec<&Disc> = self.discs.iter().collect();
        discs.sort_by_key(|disc| disc.level);
        let prediction = |level| self.predictions().find(|prediction| prediction.level == level);
        let entry = |disc: &Disc| {
            let mut entry = DiscEntry::new(disc, geometry, prediction(disc.level));
            if let Some(measured) = &mut entry.measured {
                let signal = signal_of_fluid(&self.series.volume, disc);
                measured.signal_of_fluid = signal.map(|signal| rounded(signal, 3));
            }
            entry
        };
        let warning = |from: &SeriesWarning| ReportWarning { code: from.code.clone(), message: from.message.clone() };
        let mut report = Report {
            schema: REPORT_SCHEMA.to_owned(),
            software: Software::hashed(),
            weights: self.models.weights.clone(),
            cohort: None,
            device: self.models.device.clone(),
            views: self.views.map(Views::count),
            research_use_only: true,
            experimental_gradings: self.models.experimental.gradings().collect(),
            calibrated: self.models.calibrated,
            pixel_spacing_mm: [rounded(geometry.row_spacing_mm(), 6), rounded(geometry.column_spacing_mm(), 6)],
            slice_spacing_mm: geometry.slice_spacing_mm().map(|spacing| rounded(spacing, 4)),
            study_instance_uid: summary.study_instance_uid.clone(),
            series_instance_uid: summary.series_instance_uid.clone(),
            sop_instance_uids: summary.instances.iter().map(|instance| instance.sop_instance_uid.clone()).collect(),
            voxel_sha256: self.series.voxel_sha256().to_owned(),
            folder: None,
            warnings: self.series.warnings.iter().map(warning).collect(),
            vertebrae: vertebrae.into_iter().map(|vertebra| VertebraEntry::new(vertebra, geometry)).collect(),
            discs: discs.into_iter().map(entry).collect(),
            measurements: Vec::new(),
            key_images: Vec::new(),
            narrative: Narrative::default(),
            prior: None,
            sign_off: None,
            seconds: self.seconds.map(rounded_seconds),
        };
        if let Some(judgement) = &self.judgement {
            let is_graded = |disc: &&mut DiscEntry| judgement.fitness.is_err() && disc.gradings.is_some();
            report.discs.iter_mut().filter(is_graded).for_each(|disc| disc.unlike_training_data = true);
            report.warnings.extend(judgement.warnings(summary));
        }
        let unlike: Vec<String> =
            report.discs.iter().filter(|disc| disc.unlike_training_data).map(|disc| disc.level.to_string()).collect();
        if !unlike.is_empty() {
            let message = message!(
                "{levels} looks unlike the discs that the network learned from: the grades are uncertain; check the sequence, \
                 the image quality and the outlines",
                levels = unlike.join(", ")
            );
            report.warn("unlike_training_data", message);
        }
        for doubt in &self.doubts {
            report.warn(doubt.code(), doubt.to_string());
        }
        for outcome in &self.outcomes {
            if let GradeOutcome::NotGraded { level, reason } = outcome {
                let message = message!("{level} could not be graded: {reason}", level = level, reason = reason);
                report.warn("disc_not_graded", message);
            }
        }
        self.review.note_in(&mut report);
        for found in DiscFindings::of_report(&report) {
            if let Some(disc) = report.discs.iter_mut().find(|disc| disc.level == found.level) {
                disc.conflicts = found.conflicts.into_iter().map(|conflict| conflict.text(Language::ENGLISH)).collect();
            }
        }
        if let Some(prior) = &self.prior {
            let changes = change_sentences(&compared_grades(&report, prior), prior.days_before, Language::ENGLISH);
            report.prior = Some(Prior { changes, ..prior.clone() });
        }
        report
    }
}

/// Running times as written.
fn rounded_seconds(Seconds { load, detect, grade }: Seconds) -> Seconds {
    Seconds { load: rounded(load, 3), detect: rounded(detect, 3), grade: rounded(grade, 3) }
}

impl From<WeightsInfo> for WeightsUsed {
    fn from(WeightsInfo { name, version, sha256 }: WeightsInfo) -> Self {
        Self { name, version, sha256 }
    }
}
