//! How the image is looked at: slice, zoom, window, tool and layout.

use std::collections::BTreeMap;

use eframe::egui::{Rect, vec2};
use serde::{Deserialize, Serialize};

use super::action::Probe;
use super::camera::Camera;
use super::companion::MOST_BESIDE;
use super::language::tr;
use super::window_menu::RelativeWindow;
use crate::spine::MeasurementKind;
use crate::volume::{SectionAxis, WindowLevel};

/// How much text and outline lies on the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnnotationLevel {
    /// The bare image.
    None,
    /// Orientation, ruler, slice, disc names.
    Minimal,
    #[default]
    All,
}

impl AnnotationLevel {
    /// None, minimal, all, none, …
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::None => Self::Minimal,
            Self::Minimal => Self::All,
            Self::All => Self::None,
        }
    }
}

/// What dragging with the left button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tool {
    /// Brightness and contrast.
    #[default]
    Window,
    Pan,
    Zoom,
    /// Scroll through the slices.
    Scroll,
    /// Place the crosshair of the other planes.
    Crosshair,
    /// Draw and change boxes.
    Box,
    /// Move corners and bodies, add and delete vertebrae.
    Vertebra,
    Measure(MeasurementKind),
}

/// How the view of the slice and views of other series share the middle of the window: rows by columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesGrid {
    /// 1×2.
    OneByTwo,
    /// 1×3.
    OneByThree,
    /// 2×2.
    TwoByTwo,
}

impl SeriesGrid {
    /// All, by the number of their views.
    pub const ALL: [Self; 3] = [Self::OneByTwo, Self::OneByThree, Self::TwoByTwo];

    /// What it is called in every language.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneByTwo => "1×2",
            Self::OneByThree => "1×3",
            Self::TwoByTwo => "2×2",
        }
    }

    /// Rows and columns.
    #[must_use]
    pub fn size(self) -> [usize; 2] {
        match self {
            Self::OneByTwo => [1, 2],
            Self::OneByThree => [1, 3],
            Self::TwoByTwo => [2, 2],
        }
    }

    /// Where a view lies in `area`, row by row.
    #[must_use]
    pub fn cell(self, area: Rect, view: usize) -> Rect {
        let [rows, columns] = self.size();
        let size = area.size() / vec2(columns as f32, rows as f32);
        let corner = area.min + size * vec2((view % columns) as f32, (view / columns) as f32);
        Rect::from_min_size(corner, size)
    }
}

/// Which views share the middle of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewLayout {
    /// The slice alone.
    #[default]
    Single,
    /// The slice with the axial and coronal planes through the crosshair.
    Planes,
    /// The slice with the nine slices of the selected disc, as the network sees them.
    Disc,
    /// The slice twice, with two evidence maps.
    Compare,
    /// The slice with other series of this or another study, at the same place.
    Series(SeriesGrid),
}

impl ViewLayout {
    /// Single, planes, disc, compare, the grids of series, single, …
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Single => Self::Planes,
            Self::Planes => Self::Disc,
            Self::Disc => Self::Compare,
            Self::Compare => Self::Series(SeriesGrid::OneByTwo),
            Self::Series(SeriesGrid::OneByTwo) => Self::Series(SeriesGrid::OneByThree),
            Self::Series(SeriesGrid::OneByThree) => Self::Series(SeriesGrid::TwoByTwo),
            Self::Series(SeriesGrid::TwoByTwo) => Self::Single,
        }
    }

    /// Views of other series.
    #[must_use]
    pub fn beside(self) -> usize {
        match self {
            Self::Series(grid) => grid.size().iter().product::<usize>() - 1,
            Self::Single | Self::Planes | Self::Disc | Self::Compare => 0,
        }
    }
}

/// What becomes of the image when a grade or a disc is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approach {
    /// It is zoomed to the disc.
    #[default]
    Zoom,
    /// It stays, unless the disc is out of sight.
    Stay,
}

/// A panel beside the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SidePanel {
    /// The list of series on the left.
    Series,
    /// Grades, findings and signature on the right.
    Findings,
}

/// Windows narrower than this hide the list of series unless it was asked for, so that the image keeps most of them.
const NARROW: f32 = 1000.0;

impl SidePanel {
    /// Whether it is shown in a window of a width in points, given what the user chose.
    #[must_use]
    pub fn is_shown(self, chosen: &BTreeMap<Self, bool>, width: f32) -> bool {
        chosen.get(&self).copied().unwrap_or(self == Self::Findings || width >= NARROW)
    }
}

/// Where the arrow keys go, and what else is asked for by keys and menus of one view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// The slice.
    #[default]
    Image,
    /// The view beside it that was worked with last.
    Beside,
    /// Discs and gradings.
    Table,
}

/// Ready-made display windows.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowPreset {
    /// The window of the file, or of the whole series where the file has none.
    Header,
    /// 1st to 99th percentile of the whole series.
    Series,
    /// 1st to 99th percentile of the slice shown.
    Slice,
    /// Vertebral bodies mid-gray, as the network sees them.
    #[default]
    Vertebrae,
    /// Fluid and fat without glare: twice the width of the series.
    Wide,
    /// One that the reader kept.
    Own(RelativeWindow),
}

impl WindowPreset {
    /// Those of the program, in the order of their keys 1 to 5.
    pub(crate) const ALL: [Self; 5] = [Self::Header, Self::Series, Self::Slice, Self::Vertebrae, Self::Wide];

    /// Name on screen.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Header => tr!("As recorded"),
            Self::Series => tr!("Automatic, series"),
            Self::Slice => tr!("Automatic, this slice"),
            Self::Vertebrae => tr!("Vertebrae mid-gray"),
            Self::Wide => tr!("Wide (fluid and fat)"),
            Self::Own(_) => tr!("Your own"),
        }
    }
}

/// Slices that follow each other by themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cine {
    /// Slices a second.
    pub rate: f64,
    /// Time of the next step, in the clock of the window, s; 0 before the first.
    pub next_step_secs: f64,
    /// Running towards the last slice; turns round at both ends.
    pub is_forward: bool,
}

/// Slice, zoom, window, tool and layout.
#[derive(Debug, Clone)]
pub struct ViewState {
    /// Slice shown.
    pub slice: usize,
    /// Zoom, middle and orientation; `None` fits the slice upright.
    pub camera: Option<Camera>,
    /// Display window; `None` is the bodies mid-gray.
    pub window: Option<WindowLevel>,
    /// The ready-made window that was chosen last: that of the next series.
    pub preset: WindowPreset,
    /// Low values bright.
    pub inverted: bool,
    /// Bilinear between pixels; otherwise every pixel is a flat rectangle.
    pub smooth: bool,
    pub tool: Tool,
    /// Texts and outlines.
    pub annotations: AnnotationLevel,
    /// What lies under the pointer.
    pub probe: Option<Probe>,
    /// Where on the screen the slice is shown.
    pub viewport: Option<Rect>,
    /// Running through the slices.
    pub cine: Option<Cine>,
    /// Which views are shown.
    pub layout: ViewLayout,
    /// The one of them that fills the middle of the window alone: the slice is 0, the others follow.
    pub maximized: Option<usize>,
    /// The planes that the reader chose for the views beside the slice, for the next study too.
    pub planes: [Option<SectionAxis>; MOST_BESIDE],
    /// Where the arrow keys go.
    pub pane: Pane,
    /// Where the other planes cross: row and column of the image; `None` is the middle.
    pub crosshair: Option<[f64; 2]>,
    /// Zoom and middle of the axial and the coronal plane; `None` fits them.
    pub plane_cameras: [Option<Camera>; 2],
}

impl Default for ViewState {
    fn default() -> Self {
        Self {
            slice: 0,
            camera: None,
            window: None,
            preset: WindowPreset::default(),
            inverted: false,
            smooth: true,
            tool: Tool::default(),
            annotations: AnnotationLevel::default(),
            probe: None,
            viewport: None,
            cine: None,
            layout: ViewLayout::default(),
            maximized: None,
            planes: [None; MOST_BESIDE],
            pane: Pane::default(),
            crosshair: None,
            plane_cameras: [None; 2],
        }
    }
}

impl ViewState {
    /// How images are looked at, without the place: for another series.
    #[must_use]
    pub(crate) fn of_another_series(&self) -> Self {
        let Self { preset, inverted, smooth, annotations, viewport, layout, planes, .. } = *self;
        Self { preset, inverted, smooth, annotations, viewport, layout, planes, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use eframe::egui::pos2;

    use super::*;

    #[test]
    fn views_of_a_grid_fill_it_row_by_row() {
        let area = Rect::from_min_size(pos2(10.0, 20.0), vec2(600.0, 400.0));
        let grid = SeriesGrid::TwoByTwo;
        assert_eq!(grid.cell(area, 0).min, area.min);
        assert_eq!(grid.cell(area, 1), Rect::from_min_size(pos2(310.0, 20.0), vec2(300.0, 200.0)));
        assert_eq!(grid.cell(area, 2).min, pos2(10.0, 220.0));
        assert_eq!(grid.cell(area, 3).max, area.max);
        assert_eq!(SeriesGrid::OneByThree.cell(area, 2), Rect::from_min_size(pos2(410.0, 20.0), vec2(200.0, 400.0)));
        assert_eq!(SeriesGrid::ALL.map(|grid| ViewLayout::Series(grid).beside()), [1, 2, 3]);
    }

    #[test]
    fn every_layout_comes_round() {
        let mut layout = ViewLayout::Single;
        let mut seen = Vec::new();
        while !seen.contains(&layout) {
            seen.push(layout);
            layout = layout.next();
        }
        assert_eq!((seen.len(), layout), (7, ViewLayout::Single));
    }
}
