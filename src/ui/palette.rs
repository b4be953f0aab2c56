//! The command palette: every command by its name, or by what else a reader would call it.

use eframe::egui::{self, Align2, Button, Id, Key, Modifiers, ScrollArea, TextEdit, Ui, Window, vec2};

use super::action::{Actions, ProgramAction};
use super::command::UiCommand;
use super::language::tr;
use super::state::ViewerState;

/// The list over the window; the arrow keys choose a row and Enter takes it.
pub(super) fn palette_ui(ui: &Ui, state: &ViewerState, actions: &mut Actions) {
    let Some(typed) = &state.palette else { return };
    let mut text = typed.clone();
    let place = Id::unique("palette row");
    let mut row = ui.data(|data| data.get_temp::<usize>(place)).unwrap_or(0);
    let mut chosen = None;
    let (enter, escape) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
    let steps = |key| ui.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key));
    row = (row + steps(Key::ArrowDown)).saturating_sub(steps(Key::ArrowUp));
    let window =
        Window::new(tr!("Commands")).title_bar(false).resizable(false).anchor(Align2::CENTER_TOP, vec2(0.0, 90.0));
    window.show(ui.ctx(), |ui| {
        ui.set_width(420.0);
        // Asked for before the field is drawn, so that it takes the letters of this very frame.
        let id = Id::unique("palette field");
        ui.memory_mut(|memory| memory.request_focus(id));
        let field = TextEdit::singleline(&mut text).id(id).hint_text(tr!("Type a command"));
        ui.add(field.desired_width(f32::INFINITY));
        let matching = found(&text);
        row = if text == *typed { row.min(matching.len().saturating_sub(1)) } else { 0 };
        if enter {
            chosen = matching.get(row).copied();
        }
        ScrollArea::vertical().max_height(360.0).auto_shrink([false, true]).show(ui, |ui| {
            for (index, command) in matching.iter().enumerate() {
                let button =
                    Button::selectable(index == row, command.label()).shortcut_text(command.keys_text(ui.ctx()));
                let response = ui.add_sized(vec2(ui.available_width(), 24.0), button);
                if index == row && row > 0 {
                    response.scroll_to_me(None);
                }
                if response.clicked() {
                    chosen = Some(*command);
                }
            }
            if matching.is_empty() {
                ui.label(tr!("No such command."));
            }
        });
    });
    let is_over = chosen.is_some() || escape;
    ui.data_mut(|data| data.insert_temp(place, if is_over { 0 } else { row }));
    if is_over {
        actions.push(ProgramAction::EditPalette(None));
        actions.extend(chosen.map(UiCommand::action));
        ui.ctx().memory_mut(egui::Memory::stop_text_input);
    } else if text != *typed {
        actions.push(ProgramAction::EditPalette(Some(text)));
    }
}

/// Commands that are called so; those whose label itself says it come first.
fn found(typed: &str) -> Vec<UiCommand> {
    let mut found: Vec<UiCommand> = UiCommand::ALL.iter().copied().filter(|command| command.is_called(typed)).collect();
    let says_it = |command: &UiCommand| {
        let label = command.label().to_lowercase();
        typed.to_lowercase().split_whitespace().all(|word| label.contains(word))
    };
    found.sort_by_key(|command| !says_it(command));
    found
}
