//! The page of keys and mouse gestures, where keys are changed too.

use eframe::egui::{Align2, Button, Grid, RichText, Role, ScrollArea, Ui, WidgetInfo, Window, vec2};

use super::action::{Actions, ProgramAction};
use super::command::UiCommand;
use super::keymap::{Keymap, KeysAction};
use super::language::{tr, translated};
use super::state::{Page, ViewerState};
use super::theme;

/// Room for a command with its keys, points.
const COMMAND_WIDTH: f32 = 455.0;

/// Mouse gestures over the image and what they do.
fn gestures() -> [(&'static str, &'static str); 8] {
    [
        (tr!("Wheel"), tr!("slice")),
        (tr!("Ctrl + wheel"), tr!("zoom at the pointer")),
        (tr!("Left drag"), tr!("the chosen tool; window: right = wider, up = brighter")),
        (tr!("Middle drag"), tr!("pan")),
        (tr!("Right click"), tr!("menu: correct a level, add or delete a vertebra, tools")),
        (tr!("Right click on a grade"), tr!("change it")),
        (tr!("Double click"), tr!("fit to window; of several views one alone, and back")),
        (tr!("Hold H"), tr!("hide the evidence")),
    ]
}

/// Floating page, opened from the menu or by its key; a click on a command's keys changes them.
pub(crate) fn help_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let mut open = state.page == Some(Page::Help);
    let size = ui.ctx().content_rect().size();
    Window::new(tr!("Keys and mouse"))
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .default_size(size)
        .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
        .show(ui.ctx(), |ui| {
            ScrollArea::both().max_height(size.y - 110.0).max_width(size.x - 40.0).show(ui, |ui| {
                gestures_ui(ui, state, actions);
                ui.separator();
                let columns = ((size.x - 40.0) / COMMAND_WIDTH).clamp(1.0, 3.0) as usize;
                keys_ui(ui, state, columns, actions);
            });
        });
    if !open && state.page == Some(Page::Help) {
        actions.push(ProgramAction::TogglePage(Page::Help));
    }
}

fn gestures_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    Grid::new("gestures").num_columns(4).spacing(vec2(24.0, 4.0)).show(ui, |ui| {
        for row in gestures().chunks(2) {
            for (gesture, meaning) in row {
                ui.label(RichText::new(*gesture).strong());
                ui.label(*meaning);
            }
            ui.end_row();
        }
        ui.label(RichText::new(tr!("Right drag")).strong());
        ui.horizontal(|ui| {
            for (name, windows) in [(tr!("zoom"), false), (tr!("window and level"), true)] {
                let is_chosen = state.right_drag_windows == windows;
                if ui.add(Button::selectable(is_chosen, name)).clicked() && !is_chosen {
                    actions.push(ProgramAction::ToggleRightDrag);
                }
            }
        });
        ui.end_row();
    });
}

/// All commands with their keys by group, so many to a row.
fn keys_ui(ui: &mut Ui, state: &ViewerState, columns: usize, actions: &mut Actions) {
    let keymap = Keymap::of(ui.ctx());
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Click keys to change them; right click for those of the program.")).small());
        if keymap.is_any_changed() && ui.small_button(tr!("Reset all keys")).clicked() {
            actions.push(KeysAction::ResetAll);
        }
    });
    Grid::new("keys").num_columns(2 * columns).spacing(vec2(16.0, 2.0)).show(ui, |ui| {
        for (group, commands) in UiCommand::GROUPS {
            ui.label(RichText::new(translated(group)).strong().color(theme::of(ui).text_strong));
            ui.end_row();
            for row in commands.chunks(columns) {
                for command in row {
                    key_ui(ui, *command, state.awaiting_keys == Some(*command), &keymap, actions);
                    ui.label(command.label());
                }
                ui.end_row();
            }
        }
    });
}

fn key_ui(ui: &mut Ui, command: UiCommand, is_awaited: bool, keymap: &Keymap, actions: &mut Actions) {
    let keys = command.keys_text(ui.ctx());
    let color = if keymap.is_changed(command) { theme::of(ui).accent } else { theme::of(ui).text_strong };
    let text = match () {
        () if is_awaited => RichText::new(tr!("press keys…")).color(theme::of(ui).warning),
        () if keys.is_empty() => RichText::new("–").color(theme::of(ui).text_weak),
        () => RichText::new(&keys).strong().color(color),
    };
    let response = ui.add(Button::selectable(is_awaited, text));
    let name = if is_awaited {
        tr!("Press the keys of {command}", command = command.label())
    } else {
        tr!("Keys of {command}: {keys}", command = command.label(), keys = keys)
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    if response.clicked() {
        actions.push(KeysAction::Await((!is_awaited).then_some(command)));
    }
    if response.secondary_clicked() && keymap.is_changed(command) {
        actions.push(KeysAction::Reset(command));
    }
}
