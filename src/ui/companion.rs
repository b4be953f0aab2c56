//! Another series of the open studies beside the one that is read: what it shows, and how places correspond.

use eframe::egui::Rect;
use glam::{DVec2, DVec3};

use super::camera::{Camera, ImageFrame, SliceTransform};
use super::language::tr;
use super::state::{LoadedSeries, Pane, ViewLayout, ViewerState};
use crate::render::SeriesHandle;
use crate::spine::SpineAlignment;
use crate::volume::{SectionAxis, VolumeGeometry, WindowLevel};
use crate::worker::Loadable;

/// Series beside the read one that are shown at most.
pub const MOST_BESIDE: usize = 3;

/// Planes whose normals have at least this cosine are looked at in the same direction.
const PARALLEL: f64 = 0.9;

/// What can be asked for in the view that is worked with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CompanionAction {
    /// Work with this view from now on.
    Activate(usize),
    /// Show the series at this place of the list.
    Show(usize),
    /// Show a plane through the crosshair of the read series.
    ShowPlane(SectionAxis),
    /// Go on by so many slices.
    Step(isize),
    /// Display window; `None` is that of the series.
    SetWindow(Option<WindowLevel>),
    /// Zoom and middle, where the planes cross; `None` fits the slice.
    SetCamera(Option<Camera>),
    /// Let both views move together, or each by itself; what is shown then is taken for the same place.
    ToggleLink,
    /// Look at this place, a voxel of the companion, in both views.
    PointAt([f64; 3]),
}

/// How places of the read series lie in the companion.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum CommonSpace {
    /// One examination: the same patient coordinates.
    #[default]
    Shared,
    /// Two examinations, put on each other by the vertebral bodies that both show.
    BySpine(SpineAlignment),
    /// Two examinations whose vertebrae are compared as soon as those of both are found.
    Comparing,
    /// Two examinations of which nothing tells how they lie to each other.
    Unknown,
}

/// What an examination is called that was made so many days before the one that is read.
#[must_use]
pub fn examination_name(days_before: Option<i64>) -> String {
    let count = |days: i64| usize::try_from(days.unsigned_abs()).unwrap_or(usize::MAX);
    match days_before {
        Some(0) => tr!("Other examination of the same day").to_owned(),
        Some(days) if days > 0 => {
            tr!(days = count(days); one "Prior, {days} day before", other "Prior, {days} days before")
        }
        Some(days) => tr!(days = count(days); one "Later, by {days} day", other "Later, by {days} days"),
        None => tr!("Other examination").to_owned(),
    }
}

impl CommonSpace {
    /// What the reader must know about it; nothing where both are one examination.
    #[must_use]
    pub(crate) fn caption(&self) -> Option<String> {
        match self {
            Self::Shared => None,
            Self::BySpine(alignment) => Some(tr!(
                count = alignment.bodies();
                one "matched by {count} vertebra", other "matched by {count} vertebrae"
            )),
            Self::Comparing => Some(tr!("not matched yet: the vertebrae are awaited").to_owned()),
            Self::Unknown => {
                Some(tr!("not matched: unlink, scroll both views to the same place, then link").to_owned())
            }
        }
    }
}

/// What a view beside the slice shows, and how it is looked at: another series, or a plane through the crosshair.
#[derive(Default)]
pub struct Companion {
    /// The place of the other series in the list.
    pub index: Option<usize>,
    /// The plane; then there is no series.
    pub plane: Option<SectionAxis>,
    pub image: Loadable<LoadedSeries>,
    /// Its pixels on the GPU.
    pub texture: Option<SeriesHandle>,
    /// Slice shown.
    pub slice: usize,
    /// Display window; `None` is that of the series.
    pub window: Option<WindowLevel>,
    /// Zoom and middle where the planes cross; parallel planes follow the read series. `None` fits the slice.
    pub camera: Option<Camera>,
    /// Whether the two views move by themselves.
    pub is_unlinked: bool,
    /// How places correspond.
    pub space: CommonSpace,
    /// What the reader shifted by linking two places, LPS, mm.
    pub shift: DVec3,
}

impl Companion {
    /// Where a place of the read series lies in the companion, LPS, mm.
    #[must_use]
    pub fn there(&self, here: DVec3) -> DVec3 {
        let placed = if let CommonSpace::BySpine(alignment) = &self.space { alignment.there(here) } else { here };
        placed + self.shift
    }

    /// Inverse of [`Self::there`].
    #[must_use]
    pub(crate) fn here(&self, there: DVec3) -> DVec3 {
        let there = there - self.shift;
        if let CommonSpace::BySpine(alignment) = &self.space { alignment.here(there) } else { there }
    }

    /// Whether the slices of both series are seen from the same side, so that zoom and middle can be shared.
    #[must_use]
    pub fn is_parallel(&self, read: &LoadedSeries) -> bool {
        self.image.ready().is_some_and(|shown| {
            let (ours, theirs) = (read.volume.geometry(), shown.volume.geometry());
            ours.column_direction().dot(theirs.column_direction()) > PARALLEL
                && ours.row_direction().dot(theirs.row_direction()) > PARALLEL
        })
    }

    /// The slice nearest to a place of the companion.
    #[must_use]
    pub(crate) fn nearest_slice(&self, there: DVec3) -> Option<usize> {
        let volume = &self.image.ready()?.volume;
        let slice = volume.geometry().voxel_from_lps(there)[0];
        Some((slice.round().max(0.0) as usize).min(volume.slices() - 1))
    }

    /// How the companion is looked at in `viewport`: planes that are parallel show the same place at the same size as the
    /// read series does, others have a camera of their own.
    #[must_use]
    pub(crate) fn camera_in(&self, viewport: Rect, state: &ViewerState) -> Option<Camera> {
        let (shown, read) = (self.image.ready()?, state.loaded()?);
        let frame = shown.frame();
        let fitted = Camera::fit(&frame);
        let own = self.camera.unwrap_or(fitted);
        let Some(read_viewport) = state.view.viewport.filter(|_| self.is_parallel(read) && !self.is_unlinked) else {
            return Some(own);
        };
        let read_frame = read.frame();
        let camera = state.view.camera.unwrap_or_else(|| Camera::fit(&read_frame));
        let transform = SliceTransform::new(&read_frame, read_viewport, &camera);
        let middle = transform.image_from_screen(read_viewport.center());
        let geometry = read.volume.geometry();
        let place = self.there(geometry.lps_from_voxel([state.view.slice as f64, middle.y, middle.x]));
        let [_, row, column] = shown.volume.geometry().voxel_from_lps(place);
        let turned = Camera { orientation: camera.orientation, center_image: DVec2::new(column, row), ..fitted };
        Some(turned.with_pixel_width(&frame, viewport, transform.points_per_mm * frame.pixel_size_mm.x))
    }

    /// Where the shown slice of the companion cuts a slice of the read series: two image points of it. `None` where the
    /// two do not meet, or lie in each other.
    #[must_use]
    pub fn line_on(&self, read: &LoadedSeries, slice: usize) -> Option<[DVec2; 2]> {
        let shown = self.image.ready()?;
        let edge = slice_edge(shown.volume.geometry(), &shown.frame(), self.slice);
        cut(read.volume.geometry(), edge.map(|place| self.here(place)), slice)
    }

    /// Where a slice of the read series cuts the shown slice of the companion.
    #[must_use]
    pub(crate) fn line_of(&self, read: &LoadedSeries, slice: usize) -> Option<[DVec2; 2]> {
        let shown = self.image.ready()?;
        let edge = slice_edge(read.volume.geometry(), &read.frame(), slice);
        cut(shown.volume.geometry(), edge.map(|place| self.there(place)), self.slice)
    }
}

impl ViewerState {
    /// The view beside the slice that has the keys; `None` where the slice or the table has them.
    #[must_use]
    pub fn keyed_beside(&self) -> Option<usize> {
        let is_seen = self.view.maximized.is_none_or(|view| view == self.active + 1);
        let has_keys = self.view.pane == Pane::Beside && self.active < self.view.layout.beside() && is_seen;
        has_keys.then_some(self.active)
    }

    /// The other series in the view that has the keys; planes are looked at like the slice they were made from.
    #[must_use]
    pub(crate) fn keyed_series(&self) -> Option<(&Companion, &LoadedSeries)> {
        let companion = &self.companions[self.keyed_beside()?];
        Some((companion, companion.image.ready()?))
    }

    /// Display window in force in the view that is worked with.
    #[must_use]
    pub fn active_window(&self) -> WindowLevel {
        let of_series =
            |(companion, series): (&Companion, &LoadedSeries)| companion.window.unwrap_or(series.default_window);
        self.keyed_series().map_or_else(|| self.window(), of_series)
    }

    /// Whether a view beside the slice shows a plane, or the layout has both.
    #[must_use]
    pub(crate) fn shows_plane(&self, axis: SectionAxis) -> bool {
        self.view.layout == ViewLayout::Planes || self.shown_beside().iter().any(|beside| beside.plane == Some(axis))
    }
}

/// The four corners of a slice in the patient, going round.
fn slice_edge(geometry: &VolumeGeometry, frame: &ImageFrame, slice: usize) -> [DVec3; 4] {
    let (bottom, right) = (frame.rows as f64 - 0.5, frame.columns as f64 - 0.5);
    [[-0.5, -0.5], [-0.5, right], [bottom, right], [bottom, -0.5]]
        .map(|[row, column]| geometry.lps_from_voxel([slice as f64, row, column]))
}

/// Where a quadrilateral in the patient cuts a slice, in its image points.
fn cut(geometry: &VolumeGeometry, corners: [DVec3; 4], slice: usize) -> Option<[DVec2; 2]> {
    let origin = geometry.lps_from_voxel([slice as f64, 0.0, 0.0]);
    let height = |place: DVec3| (place - origin).dot(geometry.normal());
    let crossing = |index: usize| {
        let (from, to) = (corners[index], corners[(index + 1) % 4]);
        let (low, high) = (height(from), height(to));
        if (low > 0.0) == (high > 0.0) {
            return None;
        }
        let place = from.lerp(to, low / (low - high)) - origin;
        let along = |direction: DVec3| place.dot(direction);
        Some(DVec2::new(along(geometry.column_direction()), along(geometry.row_direction())) / geometry.pixel_size_mm())
    };
    let mut crossings = (0..4).filter_map(crossing);
    Some([crossings.next()?, crossings.next()?])
}
