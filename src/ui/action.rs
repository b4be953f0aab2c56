//! What the user asked for in a frame; panels collect these, the app applies them after drawing.
//!
//! Each panel has an enum of its own, and the app one exhaustive `match` for each: an action that nothing answers does
//! not compile.

use std::path::PathBuf;

use eframe::egui::{Pos2, Rect, Vec2};
use glam::DVec2;

use super::agreement_page::BlindAction;
use super::archive::ArchiveAction;
use super::camera::Camera;
use super::companion::CompanionAction;
use super::key_images_panel::KeyImageAction;
use super::keymap::KeysAction;
use super::path::{PathEntry, PathPurpose};
use super::state::{BesideChoice, ColorMap, Page, Pane, Selection, SidePanel, Tool, ViewLayout, WindowPreset};
use crate::picture::EvidenceFill;
use crate::records::Narrative;
use crate::saliency::{EvidenceWay, SaliencyMethod};
use crate::spine::{BoxRule, ClassIndex, Corners, DiscLevel, Measurement, MeasurementKind, PixelBox, VertebraLabel};
use crate::volume::WindowLevel;

/// The requests of one frame, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Actions(Vec<UiAction>);

impl Actions {
    /// Notes a request.
    pub(crate) fn push(&mut self, action: impl Into<UiAction>) {
        self.0.push(action.into());
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<A: Into<UiAction>> Extend<A> for Actions {
    fn extend<T: IntoIterator<Item = A>>(&mut self, actions: T) {
        self.0.extend(actions.into_iter().map(Into::into));
    }
}

impl IntoIterator for Actions {
    type Item = UiAction;
    type IntoIter = std::vec::IntoIter<UiAction>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Makes the enum of all requests from the enums of the panels.
macro_rules! panels {
    ($($(#[$doc:meta])* $name:ident($action:ty);)*) => {
        /// One request of the user.
        #[derive(Debug, Clone, PartialEq)]
        pub enum UiAction {
            $($(#[$doc])* $name($action),)*
        }

        $(impl From<$action> for UiAction {
            fn from(action: $action) -> Self {
                Self::$name(action)
            }
        })*
    };
}

panels! {
    /// Opening, saving and closing.
    File(FileAction);
    /// The view that is worked with.
    Active(ActiveAction);
    /// How the image is looked at.
    View(ViewAction);
    /// Discs, grades, comments and the signature.
    Read(ReadAction);
    /// Vertebral bodies and the levels that follow from them.
    Vertebra(VertebraAction);
    /// Measurements.
    Measure(MeasureAction);
    /// Key images.
    KeyImage(KeyImageAction);
    /// The reader's boxes.
    Box(BoxAction);
    /// Evidence maps.
    Evidence(EvidenceAction);
    /// Blind readings and how they agree.
    Blind(BlindAction);
    /// The series beside the one that is read.
    Companion(CompanionAction);
    /// The archive pages.
    Archive(ArchiveAction);
    /// The keys on the page of help.
    Keys(KeysAction);
    /// The window itself.
    Program(ProgramAction);
}

/// Opening, saving and closing.
#[derive(Debug, Clone, PartialEq)]
pub enum FileAction {
    Ask(PathPurpose),
    /// The path that was asked for.
    Chosen(PathPurpose, PathBuf),
    /// Change the path typed where no dialog exists; `None` closes the field.
    EditPath(Option<PathEntry>),
    /// Write the synthetic study and open it.
    OpenDemo,
    /// Show the series at this place of the list: beside the one that is read, whose findings stay; in its place where
    /// nothing is read yet.
    ShowSeries(usize),
    /// Show the series so many places further in the list.
    StepSeries(isize),
    /// Read and grade the series at this place of the list, or the one that stands beside, instead of the one that is read.
    GradeInstead(Option<usize>),
    /// Put the image as it is shown on the clipboard.
    CopyImage,
    /// Forget which studies were opened.
    ClearRecent,
    /// Close the study.
    Close,
}

/// What keys and menus ask of the view that is worked with: the slice, or a view beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ActiveAction {
    /// Go on by so many slices; in a plane by so many rows or columns.
    Step(isize),
    First,
    Last,
    /// Choose a ready-made display window.
    ApplyPreset(WindowPreset),
    /// Set brightness and contrast.
    SetWindow(WindowLevel),
    /// Fit the image into the view.
    Fit,
}

/// How the image is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ViewAction {
    /// Where on the screen the slice is shown now.
    Viewport(Rect),
    /// What lies under the pointer.
    Probe(Option<Probe>),
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
    Fit,
    /// One image pixel on one pixel of the screen.
    ActualSize,
    /// Let go of what is selected, else of the tool, else of the run through the slices.
    Escape,
    /// Fit, default window, window tool, nothing selected.
    Reset,
    /// Run through the slices, or stop.
    ToggleCine,
    /// Slices a second while running.
    SetCineRate(f64),
    /// Choose which views are shown.
    SetLayout(ViewLayout),
    NextLayout,
    /// Let a view fill the middle of the window alone, or go back to all of the layout.
    Maximize(usize),
    /// Send the arrow keys to a pane.
    FocusPane(Pane),
    /// Send the arrow keys to the other pane.
    NextPane,
    /// Where the other planes cross: row and column of the image.
    SetCrosshair([f64; 2]),
    /// Zoom and middle of the axial (0) or coronal (1) plane; `None` fits it.
    SetPlaneCamera {
        plane: usize,
        /// How it is looked at.
        camera: Option<Camera>,
    },
    /// What dragging does.
    ChooseTool(Tool),
    /// Next level of texts and outlines.
    CycleAnnotations,
}

/// Discs, grades, comments and the signature.
#[derive(Debug, Clone, PartialEq)]
pub enum ReadAction {
    /// Find and grade the discs of the series shown.
    Grade,
    /// Select a disc and zoom to it; its grading stays.
    SelectDisc(DiscLevel),
    /// Select a disc that was pointed at on the image, which stays as it is.
    PointAtDisc(DiscLevel),
    /// Select a disc and grading and ask for its evidence.
    Select(Selection),
    /// Go so many discs down and gradings to the right.
    MoveSelection {
        /// Discs, downward.
        discs: isize,
        /// Gradings, to the right.
        gradings: isize,
    },
    /// The reader's grade; `None` is the computed one.
    SetGrade { selection: Selection, class: Option<ClassIndex> },
    /// Make the selected grade so much worse.
    StepGrade(isize),
    /// Take back the reader's change of the selected grade.
    ResetGrade,
    /// What the reader has to say about a disc.
    SetComment { level: DiscLevel, text: String },
    /// What the reader wrote about the study as a whole.
    SetNarrative(Narrative),
    /// The reader's name.
    SetReader(String),
    /// Sign the results.
    SignOff,
    /// Take the signature back.
    WithdrawSignOff,
    /// Delete the selected box or measurement.
    DeleteSelected,
    /// Take back the last change.
    Undo,
    /// Make it again.
    Redo,
}

/// Vertebral bodies and the levels that follow from them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VertebraAction {
    /// The disc called `from` is really `to`; the others follow.
    RelabelDisc {
        /// Present level.
        from: DiscLevel,
        /// Right level.
        to: DiscLevel,
    },
    /// The selected disc is so many levels lower; the others follow.
    Renumber(isize),
    /// Move a vertebral body or one of its corners on the slice shown.
    Reshape {
        label: VertebraLabel,
        /// Its new corners.
        corners: Corners,
    },
    /// Take a vertebral body away.
    Delete(VertebraLabel),
    /// Add a vertebral body around an image point of the slice shown.
    Add(DVec2),
}

/// Measurements; an index is a place in the list of the review.
#[derive(Debug, Clone, PartialEq)]
pub enum MeasureAction {
    Add(Measurement),
    /// Move the points of a measurement.
    Change {
        index: usize,
        /// The measurement with its new points.
        measurement: Measurement,
    },
    /// Select a measurement, or none.
    Select(Option<usize>),
    /// Show the slice of a measurement, and select it.
    Show(usize),
    /// Delete a measurement.
    Delete(usize),
    /// Measure the height of, or the slip at, the selected disc from the outlines.
    OfDisc(MeasurementKind),
}

/// The reader's boxes; an index is a place in the list of all boxes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BoxAction {
    /// Add a box for the selection on the slice shown.
    Add(PixelBox),
    /// Give a box another rectangle.
    Change {
        index: usize,
        /// New rectangle.
        rect: PixelBox,
    },
    /// Copy the selected box so many slices on.
    Copy(isize),
    /// Go to the next disc without a box of the selected grading: 1 downward, -1 upward.
    FindUnboxed(isize),
    /// Select a box, or none.
    Select(Option<usize>),
    /// Delete a box.
    Delete(usize),
}

/// Evidence maps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EvidenceAction {
    /// Another class for the map; `None` is the predicted one.
    SetClass(Option<ClassIndex>),
    /// The reader's own way to make and box maps; `None` is that of the weights.
    SetWay(Option<EvidenceWay>),
    /// Another method for the map, at its usual layer.
    SetMethod(SaliencyMethod),
    /// How strongly the map covers the image, 0 to 1.
    SetOpacity(f32),
    /// Percentile above which evidence counts as a hotspot.
    SetPercentile(f64),
    SetColorMap(ColorMap),
    /// Filled, or as a contour.
    SetFill(EvidenceFill),
    /// The other of the two.
    ToggleContour,
    /// Which hotspots a box encloses.
    SetBoxRule(BoxRule),
    /// What the second map shows.
    SetBeside(BesideChoice),
    /// Show or hide the map.
    Toggle,
    /// Show or hide where readers would probably box the finding.
    ToggleLearnedLocation,
    /// Hide the map while a key is held.
    Hold(bool),
    /// Hide everything that was computed, or show it again.
    ToggleBlind,
}

/// The window itself.
#[derive(Debug, Clone, PartialEq)]
pub enum ProgramAction {
    /// Put a text on the clipboard.
    Copy(String),
    /// Put the text of the report on the clipboard.
    CopyReport,
    /// Change the text of the command palette; `None` closes it.
    EditPalette(Option<String>),
    /// Light colors around the image instead of dark ones, or back.
    ToggleTheme,
    /// Texts in the language of this code; an empty one is English.
    SetLanguage(String),
    /// Dragging with the right button sets the window instead of zooming, or back.
    ToggleRightDrag,
    /// Selecting a grade zooms to its disc, or leaves the image as it is.
    ToggleDiscZoom,
    /// Keep the window of the view that is worked with under this name; another one of that name goes.
    KeepWindow(String),
    /// Choose the display window at this place of the reader's own.
    OwnWindow(usize),
    /// Forget it.
    ForgetWindow(usize),
    /// Show or hide a panel beside the image.
    TogglePanel(SidePanel),
    /// A panel was given a width, points.
    ResizePanel(SidePanel, f32),
    /// Fill the screen, or be a window again.
    ToggleFullScreen,
    /// Stop the running job.
    CancelJob,
    /// Take away the message at this place.
    DismissBanner(usize),
    /// Show or hide a page.
    TogglePage(Page),
    /// Show a step of the guided first minute, or end it.
    Tour(Option<usize>),
    /// Whether the PDF names the patient.
    NamePatient(bool),
    /// End the program.
    Quit,
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
