//! The menu of display windows: ready-made ones, those that the reader named, and the numbers themselves.

use eframe::egui::containers::menu::{MenuButton, MenuConfig};
use eframe::egui::{Button, DragValue, Id, Key, PopupCloseBehavior, TextEdit, Ui, vec2};
use serde::{Deserialize, Serialize};

use super::action::{Actions, ActiveAction, ProgramAction};
use super::command::UiCommand;
use super::language::tr;
use super::state::{ViewerState, WindowPreset};
use crate::volume::WindowLevel;

/// Width of a row of the menu, points.
const ROW: f32 = 260.0;

/// A display window in terms of the gray values of a series, which have no unit in MR: what was chosen on one series looks
/// alike on another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RelativeWindow {
    /// Where mid-gray lies between the 1st (0) and the 99th percentile (1) of the series.
    pub level: f32,
    /// Distance from black to white as a multiple of that between these percentiles, above zero.
    pub width: f32,
}

impl RelativeWindow {
    /// A window on a series whose percentiles span `gray`.
    #[must_use]
    pub(crate) fn of(window: WindowLevel, gray: WindowLevel) -> Self {
        Self { level: (window.center - gray.center) / gray.width + 0.5, width: window.width / gray.width }
    }

    /// The same on another series; inverse of [`Self::of`].
    #[must_use]
    pub(crate) fn on(self, gray: WindowLevel) -> WindowLevel {
        WindowLevel { center: gray.center + (self.level - 0.5) * gray.width, width: self.width * gray.width }
    }

    /// Whether it can be shown: a file may hold anything.
    #[must_use]
    pub(crate) fn is_window(self) -> bool {
        self.level.is_finite() && self.width.is_finite() && self.width > 0.0
    }
}

/// A display window that the reader named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedWindow {
    pub name: String,
    #[serde(flatten)]
    pub window: RelativeWindow,
}

/// The menu; it stays open while numbers and a name are typed.
pub(super) fn window_menu_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let menu = MenuButton::new(tr!("W/L")).config(config).ui(ui, |ui| {
        for (preset, command) in WindowPreset::ALL.into_iter().zip([
            UiCommand::WindowHeader,
            UiCommand::WindowSeries,
            UiCommand::WindowSlice,
            UiCommand::WindowVertebrae,
            UiCommand::WindowWide,
        ]) {
            let button = Button::new(preset.name()).shortcut_text(command.keys_text(ui.ctx()));
            if ui.add(button).clicked() {
                actions.push(command.action());
                ui.close();
            }
        }
        own_windows_ui(ui, state, actions);
        ui.separator();
        numbers_ui(ui, state, actions);
        ui.separator();
        keep_ui(ui, state, actions);
    });
    menu.0.on_hover_text(tr!("Window and level: presets and numbers"));
}

/// Those that the reader named; the first few have keys.
fn own_windows_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    if state.windows.is_empty() {
        return;
    }
    ui.separator();
    let keyed = [UiCommand::OwnWindow1, UiCommand::OwnWindow2, UiCommand::OwnWindow3, UiCommand::OwnWindow4];
    for (index, named) in state.windows.iter().enumerate() {
        ui.horizontal(|ui| {
            let keys = keyed.get(index).map(|command| command.keys_text(ui.ctx())).unwrap_or_default();
            let button = Button::new(&named.name).shortcut_text(keys).truncate();
            if ui.add_sized(vec2(ROW - 30.0, ui.spacing().interact_size.y), button).clicked() {
                actions.push(ProgramAction::OwnWindow(index));
                ui.close();
            }
            let forget = ui.small_button("×").on_hover_text(tr!("Forget the window {name}", name = named.name));
            if forget.clicked() {
                actions.push(ProgramAction::ForgetWindow(index));
            }
        });
    }
}

/// Width and level as numbers, of the view that is worked with.
fn numbers_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let window = state.active_window();
    let (mut width, mut center) = (window.width, window.center);
    let speed = f64::from(window.width.max(1.0)) / 300.0;
    ui.horizontal(|ui| {
        let label = ui.label(tr!(in "window", "Width"));
        ui.add(DragValue::new(&mut width).speed(speed).range(1e-3..=1e9).max_decimals(1)).labelled_by(label.id);
        let label = ui.label(tr!(in "window", "Level"));
        ui.add(DragValue::new(&mut center).speed(speed).range(-1e9..=1e9).max_decimals(1)).labelled_by(label.id);
    });
    if (width, center) != (window.width, window.center) {
        actions.push(ActiveAction::SetWindow(WindowLevel { center, width }));
    }
}

/// The field for a name, by which the window that is shown is kept.
fn keep_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let place = Id::unique("name of a window");
    let mut name = ui.data(|data| data.get_temp::<String>(place)).unwrap_or_default();
    ui.horizontal(|ui| {
        let label = ui.label(tr!("Keep as"));
        let field = ui.add(TextEdit::singleline(&mut name).desired_width(ROW - 150.0).hint_text(tr!("a name")));
        let field = field.labelled_by(label.id);
        let is_entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let wanted = name.trim();
        let is_known = state.windows.iter().any(|named| named.name == wanted);
        let words = if is_known { tr!("Replace") } else { tr!("Keep") };
        let button = ui.add_enabled(!wanted.is_empty(), Button::new(words));
        let hint = tr!("Keep the window that is shown under this name; on other series it looks alike");
        if (button.on_hover_text(hint).clicked() || is_entered) && !wanted.is_empty() {
            actions.push(ProgramAction::KeepWindow(wanted.to_owned()));
            name.clear();
        }
    });
    ui.data_mut(|data| data.insert_temp(place, name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_window_is_the_same_on_its_series_and_alike_on_another() {
        let gray = WindowLevel { center: 300.0, width: 400.0 };
        let chosen = WindowLevel { center: 400.0, width: 200.0 };
        let relative = RelativeWindow::of(chosen, gray);
        assert_eq!(relative, RelativeWindow { level: 0.75, width: 0.5 });
        assert_eq!(relative.on(gray), chosen);
        let tenfold = WindowLevel { center: 3000.0, width: 4000.0 };
        assert_eq!(relative.on(tenfold), WindowLevel { center: 4000.0, width: 2000.0 });
        assert!(!RelativeWindow { width: 0.0, ..relative }.is_window());
    }
}
