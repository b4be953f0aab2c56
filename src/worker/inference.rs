//! The worker's work: reads, detects, grades and explains with networks that are loaded on first use and then stay.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::handle::{Handle, JobContext, Work};
use super::job::JobError;
use super::message::{Command, Event, JobKind};
use crate::detection::Detection;
use crate::dicom::anonymize_folder;
use crate::export::{ExportError, ExportFormat, explain_key_images, read_boxes, write_boxes, write_study};
use crate::files::PathError;
use crate::measuring::Agreement;
use crate::model::Views;
use crate::picture::write_png;
use crate::pipeline::{self, DemoStudy, DeviceChoice, DeviceError, GradeOutcome, Models, PipelineError, Study};
use crate::saliency::{SaliencyMap, SaliencyRequest};
use crate::spine::Disc;
use crate::volume::Volume;

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
        Ok(Self::start("inference", Inference { models, demo: None, study: Study::default() }, wake)?)
    }
}

/// Why the worker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The system gives no thread.
    #[error("the background worker cannot be started")]
    Thread(#[from] io::Error),
}

/// Loaded networks and the steps of the chain.
pub struct Inference {
    models: Models,
    /// Keeps the temporary folder of the latest demo.
    demo: Option<Arc<DemoStudy>>,
    /// The study that was searched last.
    study: Study,
}

impl Work for Inference {
    type Command = Command;
    type Kind = JobKind;
    type Event = Event;

    fn kind(command: &Command) -> JobKind {
        command.kind()
    }

    fn supersedes(newer: JobKind, older: JobKind) -> bool {
        newer.supersedes(older)
    }

    fn run(&mut self, command: Command, job: &JobContext<Event>) -> Result<Event, JobError> {
        self.answer(command, job).map_err(JobError::failed)
    }

    fn reset(&mut self) {
        self.models.unload();
    }
}

impl Inference {
    fn answer(&mut self, command: Command, job: &JobContext<Event>) -> Result<Event, ExportError> {
        let cancel = job.cancel();
        let mut on_progress = |progress| job.progress(progress);
        match command {
            Command::ScanFolder { folder } => {
                // A failed emit means cancelled, which the scan asks about itself.
                let mut on_series = |series| {
                    let _ = job.emit(Event::SeriesFound(Arc::new(series)));
                };
                self.study = Study::default();
                self.study = Study::open(&folder, cancel, &mut on_progress, &mut on_series)?;
                Ok(Event::FolderScanned(Arc::clone(self.study.scan())))
            }
            Command::LoadSeries { series } => {
                Ok(Event::SeriesLoaded(self.study.load(&series, cancel, &mut on_progress)?))
            }
            Command::DetectDiscs { volume } => Ok(Event::DiscsDetected(self.detect(&volume, job)?)),
            Command::DetectBeside { volume } => Ok(Event::DetectedBeside(self.detect(&volume, job)?)),
            Command::GradeDiscs { volume, discs, views } => self.grade(&volume, &discs, views, job),
            Command::GradeBeside { volume, discs } => self.grade(&volume, &discs, Views::FiftyFour, job),
            Command::ExplainGrade { volume, disc, grading, class, plan, is_beside: _ } => {
                self.announcing(job, Models::load_grader)?;
                let request = SaliencyRequest { grading, class, plan };
                // A failed emit means cancelled, which `explain` asks about itself.
                let mut on_map = |map: SaliencyMap| {
                    // The screen asks for thresholds, and must not sort.
                    map.rank();
                    let _ = job.emit(Event::SaliencyRefined(Arc::new(map)));
                };
                let map = pipeline::explain(self.models.grader()?, &volume, &disc, &request, cancel, &mut on_map)?;
                map.rank();
                Ok(Event::SaliencyFinished(Arc::new(map)))
            }
            Command::PrepareDemo { folder, seed } => {
                let study = Arc::new(pipeline::prepare_demo(folder.as_deref(), seed, cancel, &mut on_progress)?);
                self.demo = Some(Arc::clone(&study));
                Ok(Event::DemoPrepared(study))
            }
            Command::ExportStudy { mut study, options, file } => {
                if ExportFormat::of_file(&file)?.needs_images() && !study.report.key_images.is_empty() {
                    self.announcing(job, Models::load_grader)?;
                    let mut joined = study.as_ref().clone().join()?;
                    explain_key_images(&mut joined, &mut self.models, cancel, &mut on_progress)?;
                    study.key_evidence = joined.key_evidence;
                }
                write_study(*study, &options, &file)?;
                Ok(Event::Exported(vec![file]))
            }
            Command::ExportBoxes { boxes, size, file } => {
                write_boxes(&boxes, size, &file)?;
                Ok(Event::Exported(vec![file]))
            }
            Command::ReadBoxes { file } => Ok(Event::BoxesRead(Arc::new(read_boxes(&file)?))),
            Command::DrawFigures { order, folder } => {
                self.announcing(job, Models::load_grader)?;
                Ok(Event::Exported(order.write(&mut self.models, &folder, cancel, &mut on_progress)?))
            }
            Command::SavePicture { picture, file } => {
                write_png(&picture, &file)?;
                Ok(Event::Exported(vec![file]))
            }
            Command::MeasureAgreement { folder, open, reader } => {
                Ok(Event::AgreementMeasured(Arc::new(Agreement::gather(&folder, &open, &reader))))
            }
            Command::ExportAgreement { agreement, folder } => {
                let written = agreement.write(&folder).map_err(PathError::at(&folder)).map_err(ExportError::from)?;
                Ok(Event::Exported(written))
            }
            Command::Anonymize { folder, out } => {
                let secret = format!("{:032x}", rand::random::<u128>());
                let done = anonymize_folder(&folder, &out, &secret, cancel, &mut on_progress)?;
                Ok(Event::Anonymized(Arc::new(done)))
            }
        }
    }

    fn detect(&mut self, volume: &Volume, job: &JobContext<Event>) -> Result<Arc<Detection>, PipelineError> {
        self.announcing(job, Models::load_detector)?;
        let detection = self.models.detector()?.detect(volume, job.cancel(), &mut |progress| job.progress(progress))?;
        Ok(Arc::new(detection))
    }

    fn grade(
        &mut self,
        volume: &Volume,
        discs: &[Disc],
        views: Views,
        job: &JobContext<Event>,
    ) -> Result<Event, ExportError> {
        self.announcing(job, Models::load_grader)?;
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
        let mut on_progress = |progress| job.progress(progress);
        let grader = self.models.grader()?;
        pipeline::grade_discs(grader, volume, discs, views, job.cancel(), &mut on_progress, &mut on_disc)?;
        told.map_err(PipelineError::from)?;
        Ok(Event::DiscsGradingFinished)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::spine::{DiscLevel, discs_between};

    use super::super::{JobEvent, JobId, Loadable};
    use super::*;

    fn worker() -> WorkerHandle {
        WorkerHandle::spawn(DeviceChoice::Cpu, None, || ()).expect("the processor and a thread")
    }

    /// Submits and returns the job's events up to its last one.
    fn finish(worker: &mut WorkerHandle, command: Command) -> Vec<Event> {
        let job: JobId = worker.submit(command).expect("room");
        let mut events = Vec::new();
        loop {
            let JobEvent { job: of, event, ends_job } = worker.wait(Duration::from_mins(2)).expect("an event in time");
            assert_eq!(of, job);
            events.push(event);
            if ends_job {
                return events;
            }
        }
    }

    #[test]
    fn a_synthetic_study_is_written_found_loaded_and_detected() {
        let mut worker = worker();
        let events = finish(&mut worker, Command::PrepareDemo { folder: None, seed: 3 });
        let Some(Event::DemoPrepared(study)) = events.last() else { panic!("no study") };
        let folder = study.folder().to_owned();
        let events = finish(&mut worker, Command::ScanFolder { folder: folder.clone() });
        assert!(events.iter().any(|event| matches!(event, Event::Progressed(_))));
        let Some(Event::FolderScanned(scan)) = events.last() else { panic!("no scan") };
        let series = Arc::new(scan.t2_sagittal().expect("a T2 sagittal series").clone());
        let events = finish(&mut worker, Command::LoadSeries { series });
        let Some(Event::SeriesLoaded(series)) = events.last() else { panic!("no series") };
        let volume = Arc::clone(&series.volume);
        let events = finish(&mut worker, Command::DetectDiscs { volume: Arc::clone(&volume) });
        let models =
            events.iter().find_map(|event| if let Event::ModelsLoaded(models) = event { Some(models) } else { None });
        assert_eq!(models.expect("told which networks").weights.len(), 1);
        let Some(Event::DiscsDetected(detection)) = events.last() else { panic!("no discs") };
        let levels: Vec<DiscLevel> = discs_between(&detection.vertebrae).iter().map(|disc| disc.level).collect();
        assert_eq!(levels, DiscLevel::ALL);
        let events = finish(&mut worker, Command::DetectDiscs { volume });
        assert!(!events.iter().any(|event| matches!(event, Event::ModelsLoaded(_))), "loaded once");
        drop((worker, events));
        assert!(folder.exists(), "the answer still holds the temporary study");
    }

    #[test]
    fn a_missing_folder_fails_with_its_reason() {
        let mut worker = worker();
        let events = finish(&mut worker, Command::ScanFolder { folder: PathBuf::from("/no/such/folder") });
        let Some(Event::Failed(error)) = events.last() else { panic!("no failure") };
        assert!(error.chain().starts_with("cannot read the folder"), "{}", error.chain());
        let mut state: Loadable<()> = Loadable::Idle;
        assert!(!state.fail(JobId(9), Arc::clone(error)));
    }

    #[test]
    fn another_series_ends_the_work_on_the_one_before_but_no_export() {
        use JobKind::{Demo, Detect, DetectBeside, Explain, ExplainBeside, Export, Grade, GradeBeside, Load, Scan};
        let ended = |newer| -> Vec<JobKind> {
            let all = [Scan, Load, Detect, DetectBeside, Grade, GradeBeside, Explain, ExplainBeside, Demo, Export];
            all.into_iter().filter(|older| Inference::supersedes(newer, *older)).collect()
        };
        assert_eq!(ended(Scan), [Scan, Load, Detect, DetectBeside, Grade, GradeBeside, Explain, ExplainBeside, Demo]);
        assert_eq!(ended(Load), [Load, Detect, Grade, Explain, ExplainBeside]);
        assert_eq!(ended(Detect), [Detect, Grade, Explain, ExplainBeside]);
        assert_eq!(ended(DetectBeside), [DetectBeside, GradeBeside]);
        assert_eq!(ended(GradeBeside), [GradeBeside]);
        assert_eq!(ended(Grade), [Grade]);
        assert_eq!(ended(Explain), [Explain, ExplainBeside]);
        assert_eq!(ended(ExplainBeside), [ExplainBeside]);
        assert_eq!(ended(Export), []);
    }
}
