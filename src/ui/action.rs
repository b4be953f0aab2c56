//! What the user asked for in a frame; panels collect these, the app applies them after drawing.

use std::path::PathBuf;

use eframe::egui::{Pos2, Rect, Vec2};
use glam::DVec2;

use super::state::{ColorMap, Selection, Tool};
use crate::saliency::SaliencyMethod;
use crate::spine::{ClassIndex, DiscLevel, PixelBox};
use crate::volume::WindowLevel;

/// One request of the user.
#[derive(Debug, Clone, PartialEq)]
pub enum UiAction {
    /// Show the folder dialog.
    AskForFolder,
    /// Open the study in a folder.
    OpenPath(PathBuf),
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
    EditPath(Option<String>),
    /// Show a slice; beyond the last means the last.
    ShowSlice(usize),
    /// Go on by so many slices.
    StepSlices(isize),
    /// Set brightness and contrast.
    SetWindow(WindowLevel),
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
    /// Select the box at this place of the list.
    SelectBox(Option<usize>),
    /// Delete the selected box.
    DeleteBox,
    /// Take back the last change.
    Undo,
    /// Make it again.
    Redo,
    /// Stop the running job.
    CancelJob,
    /// Take away the message at this place.
    DismissBanner(usize),
    /// Show or hide the page of keys.
    ToggleHelp,
}

/// What lies under the pointer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Image position in pixels.
    pub image: DVec2,
    /// Voxel value.
    pub value: f32,
}
