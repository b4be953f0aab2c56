//! What the screen can ask for, and what it is told.

use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;

use super::Notice;
use super::job::JobError;
use crate::detection::Detection;
use crate::dicom::{AnonymizedFolder, FolderScan, Series, SeriesSummary};
use crate::export::{CocoImage, ExportOptions, FigureOrder, OpenStudy};
use crate::measuring::Agreement;
use crate::model::Views;
use crate::pipeline::{DemoStudy, ModelsInfo};
use crate::records::{BlindReading, BoxesFile};
use crate::saliency::{SaliencyMap, SaliencyPlan};
use crate::spine::{ClassIndex, Disc, DiscLevel, DiscPrediction, Grading};
use crate::task::Progress;
use crate::volume::Volume;

/// A request to the worker. It has no `Debug`: folders and series are patient data.
pub enum Command {
    /// Find the series of a folder (or of a single file, NIfTI and MetaImage too).
    ScanFolder { folder: PathBuf },
    /// Decode the pixels of a series.
    LoadSeries {
        /// Which, from [`Event::FolderScanned`].
        series: Arc<SeriesSummary>,
    },
    /// Find and label the vertebral bodies.
    DetectDiscs {
        /// In which scan.
        volume: Arc<Volume>,
    },
    /// Find the vertebral bodies of a series that is shown beside another.
    DetectBeside {
        /// In which scan.
        volume: Arc<Volume>,
    },
    /// Grade discs, one after the other.
    GradeDiscs {
        /// Of which scan.
        volume: Arc<Volume>,
        /// Which discs, in the order in which the results are wanted.
        discs: Vec<Disc>,
        /// How many views are averaged.
        views: Views,
    },
    /// Grade the discs of another examination that is shown beside the one that is read.
    GradeBeside {
        /// Of which scan.
        volume: Arc<Volume>,
        /// Which discs.
        discs: Vec<Disc>,
    },
    /// Show where the evidence for one class of one grading is.
    ExplainGrade {
        /// In which scan.
        volume: Arc<Volume>,
        disc: Disc,
        grading: Grading,
        /// Which class of it, usually the predicted one.
        class: ClassIndex,
        /// How, and how thoroughly.
        plan: SaliencyPlan,
        /// Whether it is shown beside another map, which it must not end.
        is_beside: bool,
    },
    /// Write a synthetic study.
    PrepareDemo {
        /// Where; `None`: in a temporary folder that lives as long as the worker or the answer.
        folder: Option<PathBuf>,
        /// Which synthetic patient.
        seed: u64,
    },
    /// Write the study in the format that the ending of the file's name asks for.
    ExportStudy { study: Box<OpenStudy>, options: ExportOptions, file: PathBuf },
    /// Write boxes, as COCO where the name of the file ends in `.coco.json`.
    ExportBoxes {
        /// What.
        boxes: Box<BoxesFile>,
        /// Size of the images that they lie on.
        size: CocoImage,
        /// To which file.
        file: PathBuf,
    },
    /// Read boxes.
    ReadBoxes {
        /// From which file.
        file: PathBuf,
    },
    /// Draw the figures of a grade and write them.
    DrawFigures {
        order: Arc<FigureOrder>,
        /// Into which folder, made where needed.
        folder: PathBuf,
    },
    /// Write a picture as PNG.
    SavePicture {
        /// What.
        picture: Arc<RgbImage>,
        /// To which file.
        file: PathBuf,
    },
    /// Measure how blind readings agree.
    MeasureAgreement {
        /// Where readings are kept.
        folder: PathBuf,
        /// Readings of the open series, newer than their files.
        open: Vec<BlindReading>,
        /// Who asks: others' readings take part where this reader finished.
        reader: String,
    },
    /// Write an agreement.
    ExportAgreement {
        /// What.
        agreement: Arc<Agreement>,
        /// Into which folder, made where needed.
        folder: PathBuf,
    },
    /// Copy a study without identity.
    Anonymize {
        folder: PathBuf,
        /// Into which empty folder.
        out: PathBuf,
    },
}

/// Kinds of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Opens a folder.
    Scan,
    /// Loads a series.
    Load,
    Detect,
    /// Detects in a series beside.
    DetectBeside,
    Grade,
    /// Grades a series beside.
    GradeBeside,
    /// Explains.
    Explain,
    /// Explains for a second map beside the first.
    ExplainBeside,
    /// Prepares a demo.
    Demo,
    /// Measures agreement.
    Agree,
    /// Reads a file into the open series.
    Import,
    /// Writes files.
    Export,
}

impl JobKind {
    /// Whether a new job of this kind makes an unfinished one of kind `older` pointless: newer work of the same kind wins,
    /// and another folder or series ends the work on the one before. Exports are always finished.
    #[must_use]
    pub fn supersedes(self, older: Self) -> bool {
        use JobKind::{
            Agree, Demo, Detect, DetectBeside, Explain, ExplainBeside, Export, Grade, GradeBeside, Import, Load, Scan,
        };
        match self {
            Scan | Demo => !matches!(older, Export | Agree),
            Load => matches!(older, Load | Detect | Grade | Explain | ExplainBeside | Import),
            Detect => matches!(older, Detect | Grade | Explain | ExplainBeside),
            DetectBeside => matches!(older, DetectBeside | GradeBeside),
            Grade | GradeBeside | Agree => older == self,
            Explain => matches!(older, Explain | ExplainBeside),
            ExplainBeside => older == ExplainBeside,
            Export | Import => false,
        }
    }
}

impl Command {
    /// The kind of job that it starts.
    #[must_use]
    pub(crate) fn kind(&self) -> JobKind {
        match self {
            Self::ScanFolder { .. } => JobKind::Scan,
            Self::LoadSeries { .. } => JobKind::Load,
            Self::DetectDiscs { .. } => JobKind::Detect,
            Self::DetectBeside { .. } => JobKind::DetectBeside,
            Self::GradeDiscs { .. } => JobKind::Grade,
            Self::GradeBeside { .. } => JobKind::GradeBeside,
            Self::ExplainGrade { is_beside: false, .. } => JobKind::Explain,
            Self::ExplainGrade { is_beside: true, .. } => JobKind::ExplainBeside,
            Self::PrepareDemo { .. } => JobKind::Demo,
            Self::MeasureAgreement { .. } => JobKind::Agree,
            Self::ReadBoxes { .. } => JobKind::Import,
            Self::ExportStudy { .. }
            | Self::ExportBoxes { .. }
            | Self::SavePicture { .. }
            | Self::Anonymize { .. }
            | Self::ExportAgreement { .. }
            | Self::DrawFigures { .. } => JobKind::Export,
        }
    }
}

/// What the worker tells; an answer is marked as the last word of its job by [`super::JobEvent::ends_job`].
#[derive(Clone)]
pub enum Event {
    /// The job came this far.
    Progressed(Progress),
    /// The job stopped because it was asked to, or because newer work made it pointless.
    Cancelled,
    /// The job could not be done.
    Failed(Arc<JobError>),
    /// The series that [`Command::ScanFolder`] found so far.
    SeriesFound(Arc<Vec<SeriesSummary>>),
    /// Answers [`Command::ScanFolder`].
    FolderScanned(Arc<FolderScan>),
    /// Answers [`Command::LoadSeries`].
    SeriesLoaded(Arc<Series>),
    /// Networks were loaded, before the first result that uses them.
    ModelsLoaded(Arc<ModelsInfo>),
    /// Answers [`Command::DetectDiscs`].
    DiscsDetected(Arc<Detection>),
    /// Answers [`Command::DetectBeside`].
    DetectedBeside(Arc<Detection>),
    /// One disc of [`Command::GradeDiscs`] or [`Command::GradeBeside`] is done.
    DiscGraded(Arc<DiscPrediction>),
    /// One disc of them cannot be graded.
    DiscNotGraded {
        level: DiscLevel,
        /// Why, in words.
        reason: String,
    },
    /// Answers them when all discs are done.
    DiscsGradingFinished,
    /// A better map of [`Command::ExplainGrade`]; the first comes after one augmentation.
    SaliencyRefined(Arc<SaliencyMap>),
    /// Answers [`Command::ExplainGrade`] with the map over all augmentations.
    SaliencyFinished(Arc<SaliencyMap>),
    /// Answers [`Command::PrepareDemo`].
    DemoPrepared(Arc<DemoStudy>),
    /// Answers [`Command::ReadBoxes`].
    BoxesRead(Arc<BoxesFile>),
    /// Answers [`Command::MeasureAgreement`].
    AgreementMeasured(Arc<Agreement>),
    /// Answers [`Command::Anonymize`].
    Anonymized(Arc<AnonymizedFolder>),
    /// Answers the exports: the files written.
    Exported(Vec<PathBuf>),
}

impl From<Notice> for Event {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Progressed(progress) => Self::Progressed(progress),
            Notice::Cancelled => Self::Cancelled,
            Notice::Failed(error) => Self::Failed(error),
        }
    }
}
