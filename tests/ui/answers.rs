//! A worker that answers for the networks: a made-up scan, its vertebrae, grades and an evidence map.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use glam::{DVec2, DVec3};
use spinenet_viewer::detection::{Detection, ImageContrast};
use spinenet_viewer::dicom::{
    Choice, FolderScan, HeaderTexts, Series, SeriesSummary, Weighting, load_series, scan_folder,
};
use spinenet_viewer::pipeline::ModelsInfo;
use spinenet_viewer::saliency::{SaliencyLayer, SaliencyMap};
use spinenet_viewer::spine::{
    Corners, Disc, DiscFrame, DiscLevel, DiscPrediction, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PerGrading,
    Vertebra, VertebraLabel, VertebraOutline,
};
use spinenet_viewer::task::Progress;
use spinenet_viewer::volume::{PlaneOrientation, Volume, VolumeGeometry};
use spinenet_viewer::worker::{Command, Event, JobContext, JobError, Work};

/// Slices of the made-up scan.
pub(crate) const SLICES: usize = 11;
/// Slices of the made-up scan of thin ones, 1 mm each.
pub(crate) const THIN_SLICES: usize = 41;
const ROWS: usize = 320;
const COLUMNS: usize = 256;

/// Where answers can be held back, to see what a reader may do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Load,
    /// After half of the discs.
    Grade,
    /// Before the last map.
    Explain,
    Export,
}

/// Holds answers back until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Option<Hold>>>);

impl Gate {
    pub(crate) fn close(&self, at: Hold) {
        *self.0.lock().expect("not poisoned") = Some(at);
    }

    pub(crate) fn open(&self) {
        *self.0.lock().expect("not poisoned") = None;
    }

    /// Waits here while the gate is closed; a job that is cancelled meanwhile goes no further.
    fn pass(&self, at: Hold, job: &JobContext<Event>) -> Result<(), JobError> {
        while *self.0.lock().expect("not poisoned") == Some(at) {
            let progress = Progress { step: "Grading discs", done: 1, total: 2 };
            job.emit(Event::Progressed(progress)).map_err(JobError::failed)?;
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
        Ok(())
    }
}

/// Answers at once and always the same.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) gate: Gate,
    /// Discs in the order in which they were graded.
    pub(crate) graded: Arc<Mutex<Vec<DiscLevel>>>,
    /// The grading that its weights say must not be relied on, and why.
    pub(crate) experimental: Option<(Grading, String)>,
}

impl Work for Answers {
    type Command = Command;
    type Kind = ();
    type Event = Event;

    fn kind(_command: &Command) {}

    fn supersedes((): (), (): ()) -> bool {
        false
    }

    #[allow(clippy::too_many_lines, reason = "one short arm for each command")]
    fn run(&mut self, command: Command, job: &JobContext<Event>) -> Result<Event, JobError> {
        match &command {
            Command::LoadSeries { .. } => self.gate.pass(Hold::Load, job)?,
            Command::ExportStudy { .. } => self.gate.pass(Hold::Export, job)?,
            _ => {}
        }
        match command {
            Command::ScanFolder { folder } if folder.ends_with("empty") => {
                Ok(Event::FolderScanned(Arc::new(scan(&[]))))
            }
            Command::ScanFolder { folder } if folder.ends_with("broken") => Err(JobError::failed("the disk is gone")),
            Command::ScanFolder { folder } if folder.ends_with("large") => {
                let large =
                    SeriesSummary { slices: 30, rows: 1024, columns: 1024, geometry: geometry_of(30, 4.0), ..t2() };
                Ok(Event::FolderScanned(Arc::new(scan(&[large]))))
            }
            Command::ScanFolder { folder } if folder.ends_with("thin") => {
                let thin = SeriesSummary { slices: THIN_SLICES, geometry: geometry_of(THIN_SLICES, 1.0), ..t2() };
                Ok(Event::FolderScanned(Arc::new(scan(&[thin]))))
            }
            Command::ScanFolder { folder } if folder.is_dir() => {
                let scan = scan_folder(&folder, job.cancel(), &mut |_| ()).map_err(JobError::failed)?;
                Ok(Event::FolderScanned(Arc::new(scan)))
            }
            Command::ScanFolder { .. } => Ok(Event::FolderScanned(Arc::new(scan(&[t2(), t1()])))),
            Command::LoadSeries { series } if !series.instances.is_empty() => {
                let loaded = load_series(&series, job.cancel(), &mut |_| ()).map_err(JobError::failed)?;
                Ok(Event::SeriesLoaded(Arc::new(loaded)))
            }
            Command::LoadSeries { series } => {
                let summary = series.as_ref().clone();
                let volume = if summary.rows == ROWS { volume(summary.slices) } else { large_volume() };
                Ok(Event::SeriesLoaded(Arc::new(Series::new(summary, volume, None, vec![]))))
            }
            Command::DetectDiscs { volume } => {
                if let Some((grading, why)) = &self.experimental {
                    job.emit(Event::ModelsLoaded(Arc::new(models(*grading, why)))).map_err(JobError::failed)?;
                }
                let vertebrae = spine(volume.slices());
                Ok(Event::DiscsDetected(Arc::new(Detection {
                    vertebrae,
                    shifted: [0.0; 2],
                    contrast: ImageContrast::T2,
                })))
            }
            Command::DetectBeside { volume } => {
                let vertebrae = spine(volume.slices());
                Ok(Event::DetectedBeside(Arc::new(Detection {
                    vertebrae,
                    shifted: [0.0; 2],
                    contrast: ImageContrast::T2,
                })))
            }
            Command::GradeBeside { discs, .. } => {
                for disc in discs {
                    // Nothing is wrong there but at L4-L5, which was a little narrow.
                    let mut grades = prediction(DiscLevel::L1L2);
                    grades.level = disc.level;
                    if disc.level == DiscLevel::L4L5
                        && let Some(narrowing) = grades.probabilities.get_mut(Grading::DiscNarrowing)
                    {
                        *narrowing = vec![0.1, 0.8, 0.1, 0.0];
                    }
                    job.emit(Event::DiscGraded(Arc::new(grades))).map_err(JobError::failed)?;
                }
                Ok(Event::DiscsGradingFinished)
            }
            Command::GradeDiscs { discs, .. } => {
                for (done, disc) in discs.iter().enumerate() {
                    if done == discs.len() / 2 {
                        self.gate.pass(Hold::Grade, job)?;
                    }
                    self.graded.lock().expect("not poisoned").push(disc.level);
                    job.progress(Progress { step: "Grading discs", done, total: discs.len() });
                    job.emit(Event::DiscGraded(Arc::new(prediction(disc.level)))).map_err(JobError::failed)?;
                }
                Ok(Event::DiscsGradingFinished)
            }
            Command::ExplainGrade { volume, disc, grading, class, plan, is_beside: _ } => {
                let frame = DiscFrame::of_disc(&volume, &disc).map_err(JobError::failed)?;
                let map = |augmentations| {
                    let values = blob(f64::from(augmentations));
                    let augmentations = augmentations as usize;
                    let frame = frame.clone();
                    let (level, method, relative_error) = (disc.level, plan.method, None);
                    let map = SaliencyMap {
                        values,
                        standard_errors: None,
                        frame,
                        level,
                        grading,
                        class,
                        method,
                        layer: plan.layer.unwrap_or(SaliencyLayer::Conv1),
                        smoothing_mm: plan.smoothing_mm,
                        augmentations,
                        relative_error,
                        ranks: spinenet_viewer::saliency::Ranks::default(),
                    };
                    map.rank();
                    Arc::new(map)
                };
                job.emit(Event::SaliencyRefined(map(1))).map_err(JobError::failed)?;
                self.gate.pass(Hold::Explain, job)?;
                Ok(Event::SaliencyFinished(map(16)))
            }
            Command::ExportStudy { study, options, file } => {
                spinenet_viewer::export::write_study(*study, &options, &file).map_err(JobError::failed)?;
                Ok(Event::Exported(vec![file]))
            }
            Command::SavePicture { picture, file } => {
                spinenet_viewer::picture::write_png(&picture, &file).map_err(JobError::failed)?;
                Ok(Event::Exported(vec![file]))
            }
            Command::ExportBoxes { boxes, size, file } => {
                spinenet_viewer::export::write_boxes(&boxes, size, &file).map_err(JobError::failed)?;
                Ok(Event::Exported(vec![file]))
            }
            Command::ReadBoxes { file } => {
                let boxes = spinenet_viewer::export::read_boxes(&file).map_err(JobError::failed)?;
                Ok(Event::BoxesRead(Arc::new(boxes)))
            }
            Command::MeasureAgreement { folder, open, reader } => {
                let agreement = spinenet_viewer::measuring::Agreement::gather(&folder, &open, &reader);
                Ok(Event::AgreementMeasured(Arc::new(agreement)))
            }
            Command::ExportAgreement { agreement, folder } => {
                agreement.write(&folder).map(Event::Exported).map_err(JobError::failed)
            }
            _ => Err(JobError::failed("not asked for in these tests")),
        }
    }

    fn reset(&mut self) {}
}

/// Weights of which one grading must not be relied on.
fn models(grading: Grading, why: &str) -> ModelsInfo {
    ModelsInfo {
        weights: Vec::new(),
        device: "cpu".to_owned(),
        gradings: Grading::PAPER.to_vec(),
        experimental: PerGrading::from_fn([grading], |_| why.to_owned()),
        calibrated: None,
        evidence: PerGrading::default(),
    }
}

fn scan(series: &[SeriesSummary]) -> FolderScan {
    FolderScan { series: series.to_vec(), ..FolderScan::default() }
}

fn t2() -> SeriesSummary {
    summary(
        "T2 TSE sagittal",
        Weighting::T2,
        Choice { is_chosen: true, place: Some(0), reason: "chosen: T2 sagittal".to_owned() },
    )
}

fn t1() -> SeriesSummary {
    summary(
        "T1 TSE sagittal",
        Weighting::T1,
        Choice { is_chosen: false, place: None, reason: "not chosen: T1".to_owned() },
    )
}

fn summary(description: &str, weighting: Weighting, choice: Choice) -> SeriesSummary {
    SeriesSummary {
        study_instance_uid: "1.2".to_owned(),
        series_instance_uid: "1.2.3".to_owned(),
        frame_of_reference_uid: None,
        series_number: Some(1),
        description: description.to_owned(),
        modality: "MR".to_owned(),
        body_part: String::new(),
        image_type: "ORIGINAL".to_owned(),
        plane: Some(PlaneOrientation::Sagittal),
        weighting,
        traits: spinenet_viewer::dicom::StackTraits::default(),
        is_three_dimensional: false,
        slices: SLICES,
        rows: ROWS,
        columns: COLUMNS,
        geometry: geometry(),
        instances: vec![],
        texts: HeaderTexts { patient_name: "TEST^PATIENT".to_owned(), ..HeaderTexts::default() },
        window: None,
        warnings: vec![],
        folder_warnings: std::sync::Arc::default(),
        choice,
    }
}

fn geometry() -> VolumeGeometry {
    geometry_of(SLICES, 4.0)
}

/// Thirty slices of 1024 × 1024 pixels.
fn large_volume() -> Volume {
    let voxels = (0..30 * 1024 * 1024).map(|index: usize| (index % 1021) as f32).collect();
    Volume::new(1024, 1024, voxels, geometry_of(30, 4.0)).expect("matching size")
}

fn geometry_of(slices: usize, spacing_mm: f64) -> VolumeGeometry {
    let origins = (0..slices).map(|slice| DVec3::new(slice as f64 * spacing_mm - 20.0, -80.0, 100.0)).collect();
    VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 0.7, 0.7).expect("valid geometry")
}

/// Seven bodies T12 to S1 on a gentle curve, on the middle slices: 2 to 8 of eleven.
fn spine(slices: usize) -> Vec<Vertebra> {
    use VertebraLabel::{L1, L2, L3, L4, L5, S1, T12};
    let body = |(index, label): (usize, VertebraLabel)| {
        let y = 12.0 + 43.0 * index as f64;
        let x = 105.0 + 3.0 * (index as f64 - 3.0).powi(2);
        let at = |dx: f64, dy: f64| DVec2::new(x + dx, y + dy);
        let corners = Corners { sa: at(0.0, 0.0), sp: at(46.0, 0.0), ip: at(46.0, 33.0), ia: at(0.0, 33.0) };
        let outlines = (slices / 5..=slices * 4 / 5).map(|slice| VertebraOutline { slice, corners }).collect();
        Vertebra { label, confidence: if label == T12 { 0.4 } else { 0.9 }, outlines }
    };
    [T12, L1, L2, L3, L4, L5, S1].into_iter().enumerate().map(body).collect()
}

/// Gray bodies on a dark ground, brighter from slice to slice.
pub(crate) fn volume(slices: usize) -> Volume {
    let spine = spine(slices);
    let geometry = if slices == SLICES { geometry() } else { geometry_of(slices, 1.0) };
    let mut voxels = Vec::with_capacity(slices * ROWS * COLUMNS);
    for slice in 0..slices {
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let point = DVec2::new(column as f64, row as f64);
                let inside = spine.iter().any(|body| body.outlines[0].corners.contains(point));
                voxels.push(if inside { 300.0 + 40.0 * slice as f32 } else { 60.0 + column as f32 * 0.2 });
            }
        }
    }
    Volume::new(ROWS, COLUMNS, voxels, geometry).expect("matching size")
}

/// L4-L5 is the bad disc.
fn prediction(level: DiscLevel) -> DiscPrediction {
    let sure = if level == DiscLevel::L4L5 { 0.85 } else { 0.1 };
    let probabilities = PerGrading::from_fn(Grading::PAPER, |grading: Grading| {
        let classes = grading.classes();
        let mut probabilities = vec![0.0; classes];
        probabilities[classes - 1] = sure;
        probabilities[0] = 1.0 - sure;
        probabilities
    });
    DiscPrediction {
        level,
        probabilities,
        spread: PerGrading::default(),
        at_prevalence: PerGrading::default(),
        is_familiar: true,
    }
}

/// Evidence around the middle of the disc, narrower with more augmentations.
fn blob(augmentations: f64) -> Vec<f32> {
    let width = 30.0 / augmentations.sqrt() + 8.0;
    let mut values = Vec::with_capacity(PATCH_SLICES * PATCH_ROWS * PATCH_COLUMNS);
    for slice in 0..PATCH_SLICES {
        for row in 0..PATCH_ROWS {
            for column in 0..PATCH_COLUMNS {
                let offset = |value: usize, size: usize| value as f64 - (size as f64 - 1.0) / 2.0;
                let across = offset(slice, PATCH_SLICES) * 8.0;
                let (down, right) = (offset(row, PATCH_ROWS), offset(column, PATCH_COLUMNS));
                let distance = (across * across + down * down + right * right).sqrt() / width;
                values.push((-distance * distance).exp() as f32);
            }
        }
    }
    values
}

/// Folder that the answers take for a study.
pub(crate) fn study() -> PathBuf {
    PathBuf::from("study")
}

/// The disc that the answers find at a level.
pub(crate) fn disc(level: DiscLevel) -> Disc {
    spinenet_viewer::spine::discs_between(&spine(SLICES)).into_iter().find(|disc| disc.level == level).expect("all six")
}
