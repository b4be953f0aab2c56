//! What the user asked for in a frame; panels collect these, the app applies them after drawing.

use std::path::PathBuf;

use eframe::egui::{Pos2, Rect, Vec2};
use glam::DVec2;

use super::archive::ArchiveAction;
use super::camera::Camera;
use super::companion::CompanionAction;
use super::keymap::KeysAction;
use super::state::{BesideChoice, ColorMap, Pane, PathEntry, Selection, Tool, ViewLayout, WindowPreset};
use crate::picture::EvidenceFill;
use crate::saliency::{BoxRule, SaliencyMethod};
use crate::spine::{ClassIndex, Corners, DiscLevel, Measurement, PixelBox, VertebraLabel};
use crate::volume::WindowLevel;

/// One request of the user.
#[derive(Debug, Clone, PartialEq)]
pub enum UiAction {
    /// Show the folder dialog.
    AskForFolder,
    /// Show the dialog for a NIfTI or MetaImage file.
    AskForFile,
    /// Open the study in a folder, or a NIfTI or MetaImage file.
    OpenPath(PathBuf),
    /// Show the dialog for a study to add to the open one.
    AskForOtherStudy,
    /// Add the study in a folder to the open one: a prior, for comparison.
    AddStudy(PathBuf),
    /// Write the synthetic study and open it.
    OpenDemo,
    /// Close the study.
    CloseStudy,
    /// End the program.
    Quit,
    /// Load the series at this place of the list.
    LoadSeries(usize),
    /// Find and grade the discs of the series shown.
    Grade,
    /// Where on the screen the slice is shown now.
    Viewport(Rect),
    /// Change the path typed where no dialog exists; `None` closes the field.
    EditPath(Option<PathEntry>),
    /// Forget which studies were opened.
    ClearRecent,
    /// Ask where to write the report.
    AskForReportFile,
    /// Write the report, as JSON, JSON lines, CSV, Parquet or PDF by the ending of the name.
    SaveReport(PathBuf),
    /// Ask where to save the image.
    AskForImageFile,
    /// Write the image as it is shown.
    SaveImage(PathBuf),
    /// Put the image as it is shown on the clipboard.
    CopyImage,
    /// Ask where to write a copy of the study without identity.
    AskForCopyFolder,
    /// Write a copy of the study without identity.
    SaveAnonymizedCopy(PathBuf),
    /// Put a text on the clipboard.
    Copy(String),
    /// Change the text of the command palette; `None` closes it.
    EditPalette(Option<String>),
    /// Light colors around the image instead of dark ones, or back.
    ToggleTheme,
    /// Texts in the language of this code; an empty one is English.
    SetLanguage(String),
    /// Dragging with the right button sets the window instead of zooming, or back.
    ToggleRightDrag,
    /// Load the series so many places further in the list.
    StepSeries(isize),
    /// Show a slice; beyond the last means the last.
    ShowSlice(usize),
    /// Go on by so many slices.
    StepSlices(isize),
    /// Set brightness and contrast.
    SetWindow(WindowLevel),
    /// Choose a ready-made display window.
    ApplyPreset(WindowPreset),
    /// Show low values bright, or as usual.
    ToggleInverted,
    /// Smooth pixels, or show them as they are.
    ToggleSmooth,
    /// Turn or mirror the image.
    Turn(Turn),
    /// One image pixel on one pixel of the screen.
    ActualSize,
    /// Run through the slices, or stop.
    ToggleCine,
    /// Slices a second while running.
    SetCineRate(f64),
    /// Choose which views are shown.
    SetLayout(ViewLayout),
    /// The next layout.
    NextLayout,
    /// Send the arrow keys to a pane.
    FocusPane(Pane),
    /// Send the arrow keys to the other pane.
    NextPane,
    /// Where the other planes cross: row and column of the image.
    SetCrosshair([f64; 2]),
    /// Zoom and middle of the axial (0) or coronal (1) plane; `None` fits it.
    SetPlaneCamera {
        /// Which.
        plane: usize,
        /// How it is looked at.
        camera: Option<Camera>,
    },
    /// Something in the view of another series.
    Companion(CompanionAction),
    /// Move the image by screen points.
    Pan {
        /// Where the slice is shown.
        viewport: Rect,
        /// How far the pointer moved.
        delta: Vec2,
    },
    /// Magnify around a screen point.
    Zoom {
        /// Where the slice is shown.
        viewport: Rect,
        /// Point that stays in place.
        anchor: Pos2,
        /// Magnification relative to now.
        factor: f64,
    },
    /// Fit the slice into the view.
    FitView,
    /// Fit, default window, window tool, nothing selected.
    ResetView,
    /// What dragging does.
    ChooseTool(Tool),
    /// Next level of texts and outlines.
    CycleAnnotations,
    /// What lies under the pointer.
    Probe(Option<Probe>),
    /// Select a disc; its grading stays.
    SelectDisc(DiscLevel),
    /// Select a disc and grading and ask for its evidence.
    Explain(Selection),
    /// Go so many discs down and gradings to the right.
    MoveSelection {
        /// Discs, downward.
        discs: isize,
        /// Gradings, to the right.
        gradings: isize,
    },
    /// The reader's grade; `None` is the computed one.
    SetGrade {
        /// Which.
        selection: Selection,
        /// Class.
        class: Option<ClassIndex>,
    },
    /// Make the selected grade so much worse.
    StepGrade(isize),
    /// Take back the reader's change of the selected grade.
    ResetGrade,
    /// What the reader has to say about a disc.
    SetComment {
        /// Which.
        level: DiscLevel,
        /// Text.
        text: String,
    },
    /// The reader's name.
    SetReader(String),
    /// Sign the results.
    SignOff,
    /// Take the signature back.
    WithdrawSignOff,
    /// Another class for the evidence map; `None` is the predicted one.
    SetEvidenceClass(Option<ClassIndex>),
    /// Another method for the evidence map.
    SetEvidenceMethod(SaliencyMethod),
    /// How strongly the evidence covers the image, 0 to 1.
    SetEvidenceOpacity(f32),
    /// Percentile above which evidence counts as a hotspot.
    SetEvidencePercentile(f64),
    /// Colors of the evidence.
    SetColorMap(ColorMap),
    /// Evidence filled, or as a contour.
    SetEvidenceFill(EvidenceFill),
    /// The other of the two.
    ToggleContour,
    /// Which hotspots a box encloses.
    SetBoxRule(BoxRule),
    /// What the second map shows.
    SetBeside(BesideChoice),
    /// Ask where to write the figures of the selection.
    AskForFigureFolder,
    /// Write the figures of the selection into a folder.
    SaveFigures(PathBuf),
    /// Show or hide the evidence.
    ToggleEvidence,
    /// Hide the evidence while a key is held.
    HoldEvidence(bool),
    /// The disc called `from` is really `to`; the others follow.
    RelabelDisc {
        /// Present level.
        from: DiscLevel,
        /// Right level.
        to: DiscLevel,
    },
    /// Add a reader's box for the selection on the slice shown.
    AddBox(PixelBox),
    /// Give the box at this place of the list another rectangle.
    ChangeBox {
        /// Place in the list.
        index: usize,
        /// New rectangle.
        rect: PixelBox,
    },
    /// Copy the selected box so many slices on.
    CopyBox(isize),
    /// Go to the next disc without a box of the selected grading: 1 downward, -1 upward.
    FindUnboxed(isize),
    /// Hide everything that was computed, or show it again.
    ToggleBlind,
    /// Select the box at this place of the list.
    SelectBox(Option<usize>),
    /// Add a measurement.
    AddMeasurement(Measurement),
    /// Move the points of the measurement at this place of the list.
    ChangeMeasurement {
        /// Place in the list.
        index: usize,
        /// The measurement with its new points.
        measurement: Measurement,
    },
    /// Select the measurement at this place of the list.
    SelectMeasurement(Option<usize>),
    /// Measure the height of the selected disc from the outlines.
    MeasureDiscHeight,
    /// Measure the slip at the selected disc from the outlines.
    MeasureSlip,
    /// Move a vertebral body or one of its corners on the slice shown.
    ReshapeVertebra {
        /// Which.
        label: VertebraLabel,
        /// Its new corners.
        corners: Corners,
    },
    /// Take a vertebral body away.
    DeleteVertebra(VertebraLabel),
    /// Add a vertebral body around an image point of the slice shown.
    AddVertebra(DVec2),
    /// Delete the selected box or measurement.
    DeleteSelected,
    /// Take back the last change.
    Undo,
    /// Make it again.
    Redo,
    /// Something on the archive pages.
    Archive(ArchiveAction),
    /// Stop the running job.
    CancelJob,
    /// Take away the message at this place.
    DismissBanner(usize),
    /// Show or hide the page of keys.
    ToggleHelp,
    /// Something about the keys on that page.
    Keys(KeysAction),
}

/// A change of the image's orientation on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Clockwise by 90°.
    Right,
    /// Counterclockwise by 90°.
    Left,
    /// Left and right changed.
    FlipHorizontally,
    /// Top and bottom changed.
    FlipVertically,
}

/// What lies under the pointer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Image position in pixels.
    pub image: DVec2,
    /// Voxel value.
    pub value: f32,
}
