//! The worker's work: reads, detects, grades and explains with networks that are loaded on first use and then stay.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::handle::{Handle, JobContext, Work};
use super::job::JobError;
use super::message::{Command, Event};
use crate::dicom::{load_series, scan_folder};
use crate::pipeline::{self, DemoStudy, DeviceChoice, DeviceError, GradeOutcome, Models, PipelineError};
use crate::saliency::SaliencyRequest;

/// The worker of the program.
pub type WorkerHandle = Handle<Inference>;

impl WorkerHandle {
    /// Starts the worker; weights are looked for in `user_weights` first. `wake` is called after every event.
    ///
    /// # Errors
    /// If the device is not there or the system gives no thread.
    pub fn spawn(
        device: DeviceChoice,
        user_weights: Option<PathBuf>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let models = Models::new(device, user_weights)?;
        Ok(Self::start("inference", Inference { models, demo: None }, wake)?)
    }
}

/// Why the worker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The system gives no thread.
    #[error("the background worker cannot be started: {0}")]
    Thread(#[from] io::Error),
}

/// Loaded networks and the steps of the chain.
pub struct Inference {
    models: Models,
    /// Keeps the temporary folder of the latest demo.
    demo: Option<Arc<DemoStudy>>,
}

/// Kinds of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Opens a folder.
    Scan,
    /// Loads a series.
    Load,
    /// Detects.
    Detect,
    /// Grades.
    Grade,
    /// Explains.
    Explain,
    /// Prepares a demo.
    Demo,
    /// Writes files.
    Export,
}

impl Work for Inference {
    type Command = Command;
    type Kind = JobKind;
    type Event = Event;

    fn kind(command: &Command) -> JobKind {
        match command {
            Command::ScanFolder { .. } => JobKind::Scan,
            Command::LoadSeries { .. } => JobKind::Load,
            Command::DetectDiscs { .. } => JobKind::Detect,
            Command::GradeDiscs { .. } => JobKind::Grade,
            Command::ExplainGrade { .. } => JobKind::Explain,
            Command::PrepareDemo { .. } => JobKind::Demo,
            Command::ExportReport { .. } | Command::ExportEvidence { .. } => JobKind::Export,
        }
    }

    /// Newer work of the same kind wins, and another folder or series ends the work on the one before. Exports are
    /// always finished.
    fn supersedes(newer: JobKind, older: JobKind) -> bool {
        use JobKind::{Demo, Detect, Explain, Export, Grade, Load, Scan};
        match newer {
            Scan | Demo => older != Export,
            Load => matches!(older, Load | Detect | Grade | Explain),
            Detect => matches!(older, Detect | Grade | Explain),
            Grade => older == Grade,
            Explain => older == Explain,
            Export => false,
        }
    }

    fn run(&mut self, command: Command, job: &JobContext<Event>) -> Result<Event, JobError> {
        self.answer(command, job).map_err(JobError::failed)
    }

    fn reset(&mut self) {
        self.models.unload();
    }
}

impl Inference {
    fn answer(&mut self, command: Command, job: &JobContext<Event>) -> Result<Event, PipelineError> {
        let cancel = job.cancel();
        let mut on_progress = |progress| job.progress(progress);
        match command {
            Command::ScanFolder { folder } => {
                Ok(Event::FolderScanned(Arc::new(scan_folder(&folder, cancel, &mut on_progress)?)))
            }
            Command::LoadSeries { series } => {
                Ok(Event::SeriesLoaded(Arc::new(load_series(&series, cancel, &mut on_progress)?)))
            }
            Command::DetectDiscs { volume } => {
                self.announcing(job, Models::load_detector)?;
                let detection = self.models.detector()?.detect(&volume, cancel, &mut on_progress)?;
                Ok(Event::DiscsDetected(Arc::new(detection)))
            }
            Command::GradeDiscs { volume, discs, views } => {
                self.announcing(job, Models::load_grader)?;
                let grader = self.models.grader()?;
                let mut told = Ok(());
                let mut on_disc = |outcome: &GradeOutcome| {
                    let event = match outcome {
                        GradeOutcome::Graded(prediction) => Event::DiscGraded(Arc::new(prediction.clone())),
                        GradeOutcome::NotGraded { level, reason } => {
                            Event::DiscNotGraded { level: *level, reason: reason.clone() }
                        }
                    };
                    told = job.emit(event);
                };
                pipeline::grade_discs(grader, &volume, &discs, views, cancel, &mut on_progress, &mut on_disc)?;
                told?;
                Ok(Event::DiscsGradingFinished)
            }
            Command::ExplainGrade { volume, disc, grading, class, method, augmentations, seed } => {
                self.announcing(job, Models::load_grader)?;
                let request = SaliencyRequest { grading, class, method, augmentations, seed };
                // A failed emit means cancelled, which `explain` asks about itself.
                let mut on_map = |map| {
                    let _ = job.emit(Event::SaliencyRefined(Arc::new(map)));
                };
                let map = pipeline::explain(self.models.grader()?, &volume, &disc, &request, cancel, &mut on_map)?;
                Ok(Event::SaliencyFinished(Arc::new(map)))
            }
            Command::PrepareDemo { folder, seed } => {
                let study = Arc::new(pipeline::prepare_demo(folder.as_deref(), seed, cancel, &mut on_progress)?);
                self.demo = Some(Arc::clone(&study));
                Ok(Event::DemoPrepared(study))
            }
            Command::ExportReport { report, file } => {
                pipeline::write_reports(&file, &[report.as_ref().clone().into()])?;
                Ok(Event::Exported(vec![file]))
            }
            Command::ExportEvidence { evidence, folder } => Ok(Event::Exported(evidence.write(&folder)?)),
        }
    }

    /// Loads networks where they are not yet, and tells the screen which they are.
    fn announcing(
        &mut self,
        job: &JobContext<Event>,
        load: impl FnOnce(&mut Models) -> Result<bool, PipelineError>,
    ) -> Result<(), PipelineError> {
        if load(&mut self.models)? {
            job.emit(Event::ModelsLoaded(Arc::new(self.models.info())))?;
        }
        Ok(())
    }
}
