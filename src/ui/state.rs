//! What the window shows; panels read it, only the app changes it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::TextureHandle;
use glam::DVec2;

use crate::detection::{LevelDoubt, Unfit};
use crate::dicom::Series;
use crate::language::Language;
use crate::measuring::Agreement;
use crate::pipeline::{GradeChange, ImageJudgement, StudySummary};
use crate::records::{BlindReading, KeyImage, Prior, Review, WeightsUsed, days_between};
use crate::saliency::EvidenceWay;
use crate::spine::{
    ClassIndex, Disc, DiscFrame, DiscLevel, DiscPrediction, Grading, Measurement, PerGrading, SliceBox, Vertebra,
};
use crate::task::Progress;
use crate::volume::{Section, Volume, WindowLevel};
use crate::worker::Loadable;

use super::archive::ArchiveState;
use super::camera::ImageFrame;
use super::command::UiCommand;
use super::companion::{Companion, MOST_BESIDE};

use crate::render::SeriesHandle;

pub use super::evidence_state::{BesideChoice, EvidenceChoice, EvidenceState, MapState};
pub use super::path::{Listing, PathEntry, PathPurpose};
pub use super::view::{
    AnnotationLevel, Approach, Cine, Pane, SeriesGrid, SidePanel, Tool, ViewLayout, ViewState, WindowPreset,
};
pub use super::window_menu::NamedWindow;
pub use crate::picture::ColorMap;

/// The study that is open: what its folder holds.
#[derive(Default)]
pub struct StudyState {
    /// Whether a folder is open or on its way.
    pub folder: Loadable<()>,
    pub series_list: Vec<SeriesEntry>,
    /// Small pictures of the series, by their place in the list.
    pub thumbnails: BTreeMap<usize, TextureHandle>,
    /// The middle slice of the series that will be read, until it is loaded.
    pub preview: Option<TextureHandle>,
    /// Oddities of the folder that the user should know.
    pub folder_warnings: Vec<String>,
}

/// The series that is read: its images, what was found in them, and what the reader selected.
#[derive(Default)]
pub struct ReadingState {
    pub image: Loadable<LoadedSeries>,
    /// Their pixels on the GPU.
    pub image_texture: Option<SeriesHandle>,
    /// Whether vertebrae have been looked for.
    pub detection: Loadable<()>,
    /// Why the names of the levels, as they were found, may be wrong.
    pub level_doubts: Vec<LevelDoubt>,
    /// What its image shows; `None` until vertebrae were looked for, and where they are the reader's.
    pub judgement: Option<ImageJudgement>,
    /// The reader wants grades although the image is not what they were learned on.
    pub grades_anyway: bool,
    /// The display window in which the bodies of the middle slice are mid-gray.
    pub body_window: Option<WindowLevel>,
    /// Labelled bodies and boxes: what the reader can change and take back.
    pub findings: Findings,
    /// Discs between the labelled bodies, from the thorax down.
    pub discs: Vec<Disc>,
    /// Grades of each disc, filled one disc at a time.
    pub grades: BTreeMap<DiscLevel, Loadable<DiscPrediction>>,
    /// What the report says in words; follows grades and edits.
    pub summary: StudySummary,
    /// The earlier examination that the report is compared with.
    pub prior: Option<Prior>,
    /// Grades of both examinations, disc by disc; follow grades and edits.
    pub compared: Vec<GradeChange>,
    /// The disc and grading looked at.
    pub selection: Option<Selection>,
    /// Place of the selected box in [`Findings::boxes`].
    pub selected_box: Option<usize>,
    /// Place of the selected measurement in the review.
    pub selected_measurement: Option<usize>,
    /// The axial and the coronal plane through the crosshair, while they are shown.
    pub planes: [Option<PlaneImage>; 2],
    /// Place of the selected disc's nine slices, while they are shown.
    pub disc_frame: Option<DiscFrame>,
    /// What undo would take back.
    pub undo_label: Option<&'static str>,
    /// What redo would make again.
    pub redo_label: Option<&'static str>,
}

impl ReadingState {
    /// Whether its discs were looked for, so that there are findings that another series must not take away.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.detection.pending().is_some() || self.detection.ready().is_some()
    }
}

/// A page over the study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Keys and mouse.
    Help,
    /// What only the reader can write, and the way to the file.
    Report,
    /// How blind readings agree with what was computed and with each other.
    Agreement,
    /// Version, weights and device.
    About,
}

/// Everything on the screen.
#[derive(Default)]
pub struct ViewerState {
    /// The open study.
    pub study: StudyState,
    /// The series of it that is read.
    pub reading: ReadingState,
    /// The gradings that the weights have; empty until they are loaded.
    pub gradings: Vec<Grading>,
    /// Why gradings must not be relied on, where that is so.
    pub experimental: PerGrading<String>,
    /// Evidence map and how it is shown.
    pub evidence: EvidenceState,
    /// Slice, zoom, window and tool.
    pub view: ViewState,
    /// Other series, beside the one that is read.
    pub companions: [Companion; MOST_BESIDE],
    /// Place of the one of them that was worked with last: a series that is chosen is shown there.
    pub active: usize,
    /// Who reads, as signed.
    pub reader: String,
    /// The archive pages.
    pub archive: ArchiveState,
    /// The running job.
    pub job: Option<JobStatus>,
    /// Messages to the user, oldest first.
    pub banners: Vec<Banner>,
    /// Weights that were loaded, in the order of the chain.
    pub weights: Vec<WeightsUsed>,
    /// Where the reader's work is kept.
    pub data_folder: Option<PathBuf>,
    /// The step of the guided first minute that is shown.
    pub tour: Option<usize>,
    /// Where the networks run.
    pub device: String,
    /// The path field, shown where the system has no file dialog.
    pub path_entry: Option<PathEntry>,
    /// What lies in the folder of that path.
    pub listing: Listing,
    /// Studies opened before, newest first.
    pub recent: Vec<PathBuf>,
    /// What is typed into the command palette; `None` while it is closed.
    pub palette: Option<String>,
    /// Light colors instead of dark ones around the image.
    pub light_theme: bool,
    /// Languages to choose from.
    pub languages: Vec<Language>,
    /// A drag with the right button sets the window instead of zooming.
    pub right_drag_windows: bool,
    /// What becomes of the image when a grade is selected.
    pub approach: Approach,
    /// Display windows that the reader named.
    pub windows: Vec<NamedWindow>,
    /// Panels that the user showed or hid.
    pub panels: BTreeMap<SidePanel, bool>,
    /// Widths that the user gave them, points.
    pub panel_widths: BTreeMap<SidePanel, f32>,
    /// Whether the PDF names the patient.
    pub pdf_names_patient: bool,
    /// The page over the study.
    pub page: Option<Page>,
    /// How blind readings agree; measured when its page is opened.
    pub agreement: AgreementState,
    /// The command whose new keys are waited for.
    pub awaiting_keys: Option<UiCommand>,
}

/// The page of agreement.
#[derive(Default)]
pub struct AgreementState {
    /// The measures.
    pub measured: Loadable<Agreement>,
    /// Place of the comparison shown in [`Agreement::comparisons`].
    pub comparison: usize,
    /// The grading whose counts are shown; `None` is the first.
    pub grading: Option<Grading>,
}

/// A plane across the series, on the screen.
#[derive(Debug, Clone)]
pub struct PlaneImage {
    /// Its pixels and the way back into the series.
    pub section: Arc<Section>,
    /// The pixels on the GPU.
    pub texture: Option<SeriesHandle>,
    /// Row or column of the series that it was made at.
    pub at: f64,
}

/// A grade as it stands in the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShownGrade {
    pub computed: ClassIndex,
    pub probability: f32,
    /// The reader's class, where it differs.
    pub edited: Option<ClassIndex>,
}

impl ShownGrade {
    /// The class that counts: the reader's, or the computed one.
    #[must_use]
    pub(crate) fn class(&self) -> ClassIndex {
        self.edited.unwrap_or(self.computed)
    }
}

/// One line of the series list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesEntry {
    /// Series description, or a stand-in.
    pub title: String,
    /// Plane, weighting, size.
    pub detail: String,
    /// Why it was or was not chosen for grading.
    pub reason: String,
    /// Whether it is the one shown.
    pub shown: bool,
    /// Examination that it belongs to, in words.
    pub study: String,
    /// It is the first of its examination, and several are listed.
    pub begins_study: bool,
}

/// A series with its voxels and the texts in the corners of the image.
#[derive(Debug)]
pub struct LoadedSeries {
    /// The series as it was read.
    pub series: Arc<Series>,
    /// Its voxels and geometry.
    pub volume: Arc<Volume>,
    /// Display window at the start.
    pub default_window: WindowLevel,
    /// Top left.
    pub patient_lines: Vec<String>,
    /// Top right.
    pub study_lines: Vec<String>,
    /// Bottom right.
    pub series_lines: Vec<String>,
    /// Oddities found while reading.
    pub warnings: Vec<String>,
}

impl LoadedSeries {
    /// Size of its slices.
    #[must_use]
    pub fn frame(&self) -> ImageFrame {
        ImageFrame::of(&self.volume)
    }
}

/// What the reader may correct.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// Labelled vertebral bodies.
    pub vertebrae: Vec<Vertebra>,
    /// Whether the reader corrected them, so that they are kept and not found anew.
    pub vertebrae_corrected: bool,
    /// Boxes drawn by the reader, at most one for each disc, grading and slice.
    pub boxes: Vec<SliceBox>,
    /// Grades, comments, measurements and signature of the reader.
    pub review: Review,
    /// Blind readings, one a reader; only that of the present reader is shown before it is finished.
    pub readings: Vec<BlindReading>,
}

impl Findings {
    /// The levels of this spine, from the thorax down.
    #[must_use]
    pub(crate) fn levels(&self) -> &'static [DiscLevel] {
        DiscLevel::of_spine(self.vertebrae.iter().map(|vertebra| vertebra.label))
    }
}

/// A disc and one of its gradings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    pub level: DiscLevel,
    pub grading: Grading,
}

/// The running job in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobStatus {
    /// How far it is.
    pub progress: Progress,
}

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BannerKind {
    /// Something worked that would otherwise not be seen.
    Done,
    /// Worth knowing.
    Warning,
    /// Something did not work.
    Error,
}

/// A message at the top of the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// How grave.
    pub kind: BannerKind,
    /// What happened and what to do, in plain words.
    pub text: String,
}

impl ViewerState {
    /// The series shown, once it is loaded.
    #[must_use]
    pub fn loaded(&self) -> Option<&Arc<LoadedSeries>> {
        self.reading.image.ready()
    }

    /// The disc of a level.
    #[must_use]
    pub fn disc(&self, level: DiscLevel) -> Option<&Disc> {
        self.reading.discs.iter().find(|disc| disc.level == level)
    }

    /// The grades of a level, once they are there.
    #[must_use]
    pub fn grades_of(&self, level: DiscLevel) -> Option<&DiscPrediction> {
        self.reading.grades.get(&level)?.ready().map(AsRef::as_ref)
    }

    /// The columns of the table of grades: the gradings of the weights, or those of the paper until the weights are loaded.
    #[must_use]
    pub(crate) fn columns(&self) -> &[Grading] {
        if self.gradings.is_empty() { &Grading::PAPER } else { &self.gradings }
    }

    /// Whether the grades of a disc are uncertain because it looks unlike those that the network learned from.
    #[must_use]
    pub(crate) fn is_unfamiliar(&self, level: DiscLevel) -> bool {
        self.grades_of(level).is_some_and(|grades| !grades.is_familiar)
    }

    /// A grade with the reader's change, once it is there.
    #[must_use]
    pub fn grade(&self, Selection { level, grading }: Selection) -> Option<ShownGrade> {
        let grades = self.grades_of(level)?;
        let computed = grades.class(grading)?;
        let probability = grades.probability(grading, computed)?;
        let edited = self.reading.findings.review.class_of(level, grading).filter(|class| *class != computed);
        Some(ShownGrade { computed, probability, edited })
    }

    /// Why the names of the levels may be wrong; none once the reader corrected them.
    #[must_use]
    pub(crate) fn open_doubts(&self) -> &[LevelDoubt] {
        if self.reading.findings.vertebrae_corrected { &[] } else { &self.reading.level_doubts }
    }

    /// Why the discs are not graded by themselves.
    #[must_use]
    pub fn unfit(&self) -> Option<Unfit> {
        self.reading.judgement.as_ref()?.fitness.err().filter(|_| !self.reading.grades_anyway)
    }

    /// Whether every disc that was found has its grades.
    #[must_use]
    pub fn is_graded(&self) -> bool {
        !self.reading.discs.is_empty() && self.reading.discs.iter().all(|disc| self.grades_of(disc.level).is_some())
    }

    /// Where the other planes cross: row and column of the image; the middle until a crosshair is set.
    #[must_use]
    pub fn crosshair(&self) -> [f64; 2] {
        let middle = || {
            self.loaded().map_or([0.0; 2], |series| {
                [(series.volume.rows() as f64 - 1.0) / 2.0, (series.volume.columns() as f64 - 1.0) / 2.0]
            })
        };
        self.view.crosshair.unwrap_or_else(middle)
    }

    /// Display window in force: the reader's, else the bodies mid-gray, else as recorded until they are found.
    #[must_use]
    pub fn window(&self) -> WindowLevel {
        let default = || self.loaded().map_or(WindowLevel { center: 0.5, width: 1.0 }, |series| series.default_window);
        self.view.window.or(self.reading.body_window).unwrap_or_else(default)
    }

    /// The series beside that was worked with last.
    #[must_use]
    pub fn beside(&self) -> &Companion {
        &self.companions[self.active]
    }

    /// The series beside that the layout has views for.
    #[must_use]
    pub fn shown_beside(&self) -> &[Companion] {
        &self.companions[..self.view.layout.beside()]
    }

    /// Days from an examination beside to the one that is read, as their headers say.
    #[must_use]
    pub fn days_before(&self, companion: &Companion) -> Option<i64> {
        let date = |series: &LoadedSeries| series.series.summary.texts.study_date.clone();
        days_between(&date(companion.image.ready()?), &date(self.loaded()?))
    }

    /// The level that a measurement belongs to.
    #[must_use]
    pub fn level_of(&self, measurement: &Measurement) -> Option<DiscLevel> {
        let discs = self.reading.discs.iter();
        let middles = discs.map(|disc| (disc.level, DVec2::new(disc.center_voxel[2], disc.center_voxel[1])));
        measurement.level(middles, self.loaded()?.frame().pixel_size_mm)
    }

    /// Place in the review of the key image that shows this slice and is about what is selected.
    #[must_use]
    pub fn key_image_here(&self) -> Option<usize> {
        let selected = self.reading.selection.map(|selection| (selection.level, selection.grading));
        let is_here = |image: &KeyImage| {
            let subject = image.subject.as_ref().map(|subject| (subject.level, subject.grading));
            image.slice == self.view.slice && subject == selected
        };
        self.reading.findings.review.key_images.iter().position(is_here)
    }

    /// How the map of the selection is made and boxed; of no selection, as the paper does.
    #[must_use]
    pub fn evidence_way(&self) -> EvidenceWay {
        let grading = self.reading.selection.map(|selection| selection.grading);
        grading.map_or(self.evidence.own_way.unwrap_or(EvidenceWay::PAPER), |grading| self.evidence.way(grading))
    }
}
