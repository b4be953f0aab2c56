//! The command palette: every command by its name.

use eframe::egui::{self, Align2, Button, Id, Key, ScrollArea, TextEdit, Ui, Window, vec2};

use super::action::{Actions, ProgramAction};
use super::command::UiCommand;
use super::language::tr;
use super::state::ViewerState;

/// The list over the window; Enter takes the first.
pub fn palette_ui(ui: &Ui, state: &ViewerState, actions: &mut Actions) {
    let Some(typed) = &state.palette else { return };
    let mut text = typed.clone();
    let mut chosen = None;
    let (enter, escape) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
    let window =
        Window::new(tr!("Commands")).title_bar(false).resizable(false).anchor(Align2::CENTER_TOP, vec2(0.0, 90.0));
    window.show(ui.ctx(), |ui| {
        ui.set_width(420.0);
        // Asked for before the field is drawn, so that it takes the letters of this very frame.
        let id = Id::unique("palette field");
        ui.memory_mut(|memory| memory.request_focus(id));
        let field = TextEdit::singleline(&mut text).id(id).hint_text(tr!("Type a command"));
        ui.add(field.desired_width(f32::INFINITY));
        let matching: Vec<UiCommand> =
            UiCommand::ALL.iter().copied().filter(|command| matches(command.label(), &text)).collect();
        if enter {
            chosen = matching.first().copied();
        }
        ScrollArea::vertical().max_height(360.0).auto_shrink([false, true]).show(ui, |ui| {
            for (index, command) in matching.iter().enumerate() {
                let button = Button::selectable(index == 0, command.label()).shortcut_text(command.keys_text(ui.ctx()));
                if ui.add_sized(vec2(ui.available_width(), 24.0), button).clicked() {
                    chosen = Some(*command);
                }
            }
            if matching.is_empty() {
                ui.label(tr!("No such command."));
            }
        });
    });
    if chosen.is_some() || escape {
        actions.push(ProgramAction::EditPalette(None));
        actions.extend(chosen.map(UiCommand::action));
        ui.ctx().memory_mut(egui::Memory::stop_text_input);
    } else if text != *typed {
        actions.push(ProgramAction::EditPalette(Some(text)));
    }
}

/// Whether every typed word begins, or lies in, the label; upper and lower case alike.
fn matches(label: &str, typed: &str) -> bool {
    let label = label.to_lowercase();
    typed.to_lowercase().split_whitespace().all(|word| label.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_match_in_any_order() {
        assert!(matches("Measure Cobb angle", "ang cobb"));
        assert!(!matches("Measure Cobb angle", "slip"));
        assert!(matches("Undo", ""));
    }
}
