//! Which keys give which command: those of the program, as the user changed them.

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui::{self, Event, Id, Key, KeyboardShortcut, Modifiers};

use super::command::UiCommand;

/// What can be asked for on the page of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysAction {
    /// Wait for the new keys of a command; `None` stops waiting.
    Await(Option<UiCommand>),
    /// These keys alone give the command; another command that had them loses them.
    Set(UiCommand, KeyboardShortcut),
    /// The program's own keys again.
    Reset(UiCommand),
    /// The program's own keys for everything.
    ResetAll,
}

/// The keys of all commands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Keymap {
    changed: BTreeMap<UiCommand, Vec<KeyboardShortcut>>,
}

impl Keymap {
    /// The keys in force.
    #[must_use]
    pub(crate) fn of(ctx: &egui::Context) -> Arc<Self> {
        ctx.data(|data| data.get_temp::<Arc<Self>>(place())).unwrap_or_default()
    }

    /// Puts these keys in force; menus, tooltips and the page of keys follow.
    pub(crate) fn install(&self, ctx: &egui::Context) {
        ctx.data_mut(|data| data.insert_temp(place(), Arc::new(self.clone())));
    }

    /// Keys that give a command; the first is the one that menus show.
    #[must_use]
    pub(crate) fn keys(&self, command: UiCommand) -> &[KeyboardShortcut] {
        self.changed.get(&command).map_or(command.shortcuts(), Vec::as_slice)
    }

    /// Whether a command has other keys than the program's own.
    #[must_use]
    pub(crate) fn is_changed(&self, command: UiCommand) -> bool {
        self.changed.contains_key(&command)
    }

    /// Whether any command has.
    #[must_use]
    pub(crate) fn is_any_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Makes `shortcut` the only key of a command, and gives back the command that it was taken from.
    pub(crate) fn set(&mut self, command: UiCommand, shortcut: KeyboardShortcut) -> Option<UiCommand> {
        let loser = self.take(command, &[shortcut]);
        self.put(command, vec![shortcut]);
        loser
    }

    /// Gives a command the program's own keys back, and gives back a command that they were taken from.
    pub(crate) fn reset(&mut self, command: UiCommand) -> Option<UiCommand> {
        self.changed.remove(&command);
        self.take(command, command.shortcuts())
    }

    /// Takes keys away from every other command; the last that had one is given back.
    fn take(&mut self, winner: UiCommand, taken: &[KeyboardShortcut]) -> Option<UiCommand> {
        let mut loser = None;
        for other in UiCommand::ALL.iter().copied().filter(|other| *other != winner) {
            let left: Vec<_> = self.keys(other).iter().copied().filter(|key| !taken.contains(key)).collect();
            if left.len() < self.keys(other).len() {
                self.put(other, left);
                loser = Some(other);
            }
        }
        loser
    }

    fn put(&mut self, command: UiCommand, keys: Vec<KeyboardShortcut>) {
        if keys == command.shortcuts() {
            self.changed.remove(&command);
        } else {
            self.changed.insert(command, keys);
        }
    }

    /// What was changed, for a file: the names of commands with keys such as `Ctrl+Shift+Z`.
    #[must_use]
    pub(crate) fn to_texts(&self) -> BTreeMap<String, Vec<String>> {
        let texts = |keys: &Vec<KeyboardShortcut>| keys.iter().copied().map(text_of).collect();
        self.changed.iter().map(|(command, keys)| (command.name().to_owned(), texts(keys))).collect()
    }

    /// Reads [`Self::to_texts`]; names and keys that this version does not know are left out.
    #[must_use]
    pub(crate) fn from_texts(texts: &BTreeMap<String, Vec<String>>) -> Self {
        let mut keymap = Self::default();
        for (name, keys) in texts {
            if let Some(command) = UiCommand::ALL.iter().find(|command| command.name() == name) {
                keymap.put(*command, keys.iter().filter_map(|text| shortcut_of(text)).collect());
            }
        }
        keymap
    }
}

fn place() -> Id {
    Id::unique("keymap")
}

/// What was pressed while a command waits for new keys.
pub(crate) enum NewKeys {
    /// Escape: it keeps those it has.
    Kept,
    Pressed(KeyboardShortcut),
}

/// The keys pressed in this frame, for a command that waits for its new ones.
#[must_use]
pub(crate) fn pressed_keys(ctx: &egui::Context) -> Option<NewKeys> {
    ctx.input(|input| {
        input.events.iter().find_map(|event| match event {
            Event::Key { key: Key::Escape, pressed: true, .. } => Some(NewKeys::Kept),
            Event::Key { key, pressed: true, modifiers, .. } => {
                let Modifiers { alt, shift, command, .. } = *modifiers;
                let held = Modifiers { alt, shift, command, ..Modifiers::NONE };
                Some(NewKeys::Pressed(KeyboardShortcut::new(held, *key)))
            }
            // These two arrive by names of their own.
            Event::Copy => Some(NewKeys::Pressed(KeyboardShortcut::new(Modifiers::COMMAND, Key::C))),
            Event::Cut => Some(NewKeys::Pressed(KeyboardShortcut::new(Modifiers::COMMAND, Key::X))),
            _ => None,
        })
    })
}

fn text_of(shortcut: KeyboardShortcut) -> String {
    let held = shortcut.modifiers;
    let names = [(held.command, "Ctrl+"), (held.alt, "Alt+"), (held.shift, "Shift+")];
    let names = names.into_iter().filter_map(|(is_held, name)| is_held.then_some(name));
    names.chain([shortcut.logical_key.name()]).collect()
}

fn shortcut_of(text: &str) -> Option<KeyboardShortcut> {
    let (held, key) = text.rsplit_once('+').unwrap_or(("", text));
    let mut modifiers = Modifiers::NONE;
    for name in held.split('+').filter(|name| !name.is_empty()) {
        match name {
            "Ctrl" => modifiers.command = true,
            "Alt" => modifiers.alt = true,
            "Shift" => modifiers.shift = true,
            _ => return None,
        }
    }
    Some(KeyboardShortcut::new(modifiers, Key::from_name(key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CTRL_SHIFT_G: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::G);

    #[test]
    fn a_key_belongs_to_one_command_and_goes_back() {
        let mut keymap = Keymap::default();
        assert_eq!(keymap.set(UiCommand::SaveImage, CTRL_SHIFT_G), None);
        assert_eq!(keymap.keys(UiCommand::SaveImage), [CTRL_SHIFT_G]);
        let undo = UiCommand::Undo.shortcuts()[0];
        assert_eq!(keymap.set(UiCommand::Redo, undo), Some(UiCommand::Undo));
        assert!(keymap.keys(UiCommand::Undo).is_empty() && keymap.is_changed(UiCommand::Undo));
        assert_eq!(keymap.reset(UiCommand::Undo), Some(UiCommand::Redo));
        assert_eq!(keymap.keys(UiCommand::Undo), [undo]);
        assert!(keymap.keys(UiCommand::Redo).is_empty());
        keymap.reset(UiCommand::Redo);
        keymap.reset(UiCommand::SaveImage);
        assert_eq!(keymap, Keymap::default());
    }

    #[test]
    fn every_key_of_the_program_can_be_written_and_read() {
        for shortcut in UiCommand::ALL.iter().flat_map(|command| command.shortcuts()) {
            assert_eq!(shortcut_of(&text_of(*shortcut)), Some(*shortcut), "{}", text_of(*shortcut));
        }
        let mut keymap = Keymap::default();
        keymap.set(UiCommand::Help, CTRL_SHIFT_G);
        let mut texts = keymap.to_texts();
        assert_eq!(texts["Help"], ["Ctrl+Shift+G"]);
        texts.insert("Unheard".to_owned(), vec!["Ctrl+A".to_owned()]);
        texts.insert("Quit".to_owned(), vec!["Hyper+A".to_owned(), "Ctrl+Nokey".to_owned()]);
        let read = Keymap::from_texts(&texts);
        assert_eq!(read.keys(UiCommand::Help), [CTRL_SHIFT_G]);
        assert!(read.keys(UiCommand::Quit).is_empty());
    }
}
