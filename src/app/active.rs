//! What keys and menus ask of the view that is worked with: the slice, or another series or a plane beside it.

use eframe::egui;

use super::{Command, Event, Viewer, navigation};
use crate::ui::action::{ActiveAction, ViewAction};
use crate::ui::companion::CompanionAction;
use crate::ui::language::tr;
use crate::ui::state::{BannerKind, NamedWindow, WindowPreset};
use crate::ui::window_menu::RelativeWindow;
use crate::volume::{SectionAxis, WindowLevel};
use crate::worker::Work;

/// Display windows that are kept at most: a menu of more is no help.
const MOST_WINDOWS: usize = 12;

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Does what was asked for in the view that has the keys.
    pub(super) fn apply_active(&mut self, ctx: &egui::Context, action: ActiveAction) {
        let plane = self.state.keyed_beside().and_then(|view| self.state.companions[view].plane);
        if let Some(axis) = plane {
            self.apply_to_plane(ctx, axis, action);
        } else if self.state.keyed_series().is_some() {
            self.apply_to_series(ctx, action);
        } else if self.state.keyed_beside().is_none() {
            navigation::apply(&mut self.state, ctx, on_slice(action));
        }
        // A view whose series is not there yet has nothing to change.
    }

    /// In a plane steps move the crosshair; it has the window of the slice.
    fn apply_to_plane(&mut self, ctx: &egui::Context, axis: SectionAxis, action: ActiveAction) {
        let [row, column] = self.state.crosshair();
        let moved = |to: &dyn Fn(f64) -> f64| match axis {
            SectionAxis::Row => [to(row), column],
            SectionAxis::Column => [row, to(column)],
        };
        let action = match action {
            ActiveAction::Step(steps) => ViewAction::SetCrosshair(moved(&|at| at + steps as f64)),
            // What lies beyond the image is its edge.
            ActiveAction::First => ViewAction::SetCrosshair(moved(&|_| 0.0)),
            ActiveAction::Last => ViewAction::SetCrosshair(moved(&|_| f64::MAX)),
            ActiveAction::Fit => ViewAction::SetPlaneCamera { plane: axis as usize, camera: None },
            ActiveAction::ApplyPreset(_) | ActiveAction::SetWindow(_) => on_slice(action),
        };
        navigation::apply(&mut self.state, ctx, action);
    }

    fn apply_to_series(&mut self, ctx: &egui::Context, action: ActiveAction) {
        let Some((companion, series)) = self.state.keyed_series() else { return };
        let follows = !companion.is_unlinked && self.state.loaded().is_some_and(|read| companion.is_parallel(read));
        let action = match action {
            ActiveAction::Step(steps) => CompanionAction::Step(steps),
            ActiveAction::First => CompanionAction::Step(isize::MIN),
            ActiveAction::Last => CompanionAction::Step(isize::MAX),
            ActiveAction::ApplyPreset(preset) => {
                CompanionAction::SetWindow(navigation::preset_window(series, companion.slice, preset))
            }
            ActiveAction::SetWindow(window) => CompanionAction::SetWindow(Some(window)),
            // Parallel planes show what the slice shows.
            ActiveAction::Fit if follows => return navigation::apply(&mut self.state, ctx, ViewAction::Fit),
            ActiveAction::Fit => CompanionAction::SetCamera(None),
        };
        self.companion(action);
    }

    /// Keeps the window of the view that is worked with under a name.
    pub(super) fn keep_window(&mut self, name: String) {
        // A plane has the window of the slice.
        let is_of_slice = self.state.keyed_beside().is_none_or(|view| self.state.companions[view].plane.is_some());
        let of_slice = self.state.loaded().filter(|_| is_of_slice).map(AsRef::as_ref);
        let Some(series) = self.state.keyed_series().map(|(_, series)| series).or(of_slice) else { return };
        let gray = WindowLevel::from_percentiles(series.volume.voxels());
        let window = RelativeWindow::of(self.state.active_window(), gray);
        let windows = &mut self.settings.windows;
        if let Some(named) = windows.iter_mut().find(|named| named.name == name) {
            named.window = window;
        } else if windows.len() == MOST_WINDOWS {
            let text = tr!("You have {count} windows already; forget one first.", count = MOST_WINDOWS);
            return self.tell(BannerKind::Warning, text);
        } else {
            windows.push(NamedWindow { name, window });
        }
        self.keep_windows();
    }

    /// Shows the view that is worked with in the window at this place of the reader's own.
    pub(super) fn show_own_window(&mut self, ctx: &egui::Context, index: usize) {
        if let Some(window) = self.state.windows.get(index).map(|named| named.window) {
            self.apply_active(ctx, ActiveAction::ApplyPreset(WindowPreset::Own(window)));
        } else {
            let text = tr!("You have kept no window {number} yet: W/L, a name, Keep.", number = index + 1);
            self.tell(BannerKind::Warning, text);
        }
    }

    pub(super) fn forget_window(&mut self, index: usize) {
        if index < self.settings.windows.len() {
            self.settings.windows.remove(index);
            self.keep_windows();
        }
    }

    fn keep_windows(&mut self) {
        self.state.windows.clone_from(&self.settings.windows);
    }
}

/// The same of the slice.
fn on_slice(action: ActiveAction) -> ViewAction {
    match action {
        ActiveAction::Step(steps) => ViewAction::StepSlices(steps),
        ActiveAction::First => ViewAction::ShowSlice(0),
        ActiveAction::Last => ViewAction::ShowSlice(usize::MAX),
        ActiveAction::ApplyPreset(preset) => ViewAction::ApplyPreset(preset),
        ActiveAction::SetWindow(window) => ViewAction::SetWindow(window),
        ActiveAction::Fit => ViewAction::Fit,
    }
}
