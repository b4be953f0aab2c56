//! Every command of the window in one list: menus, shortcuts and the help page are made from it.

use eframe::egui::{self, Key, KeyboardShortcut, Modifiers};

use super::action::UiAction;
use super::state::{Tool, ViewerState};

/// Something the user can ask for by menu or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UiCommand {
    /// Choose a folder with a study.
    OpenFolder,
    /// Write and open the synthetic study.
    OpenDemo,
    /// Close the study.
    CloseStudy,
    /// End the program.
    Quit,
    /// Take back the last change.
    Undo,
    /// Make the change again that was taken back.
    Redo,
    /// Delete the selected box.
    DeleteBox,
    /// One slice back.
    PreviousSlice,
    /// One slice on.
    NextSlice,
    /// Ten slices back.
    TenSlicesBack,
    /// Ten slices on.
    TenSlicesOn,
    /// First slice.
    FirstSlice,
    /// Last slice.
    LastSlice,
    /// Drag changes brightness and contrast.
    WindowTool,
    /// Drag moves the image.
    PanTool,
    /// Drag magnifies.
    ZoomTool,
    /// Drag draws a box.
    BoxTool,
    /// Fit the slice into the view.
    FitView,
    /// Back to fit, default window and window tool.
    ResetView,
    /// More, less or no texts and outlines on the image.
    CycleAnnotations,
    /// Show or hide the evidence map.
    ToggleEvidence,
    /// Show the keys.
    Help,
}

impl UiCommand {
    /// All commands, in the order of the help page.
    pub const ALL: [Self; 22] = [
        Self::OpenFolder,
        Self::OpenDemo,
        Self::CloseStudy,
        Self::Quit,
        Self::Undo,
        Self::Redo,
        Self::DeleteBox,
        Self::PreviousSlice,
        Self::NextSlice,
        Self::TenSlicesBack,
        Self::TenSlicesOn,
        Self::FirstSlice,
        Self::LastSlice,
        Self::WindowTool,
        Self::PanTool,
        Self::ZoomTool,
        Self::BoxTool,
        Self::FitView,
        Self::ResetView,
        Self::CycleAnnotations,
        Self::ToggleEvidence,
        Self::Help,
    ];

    /// What menus and the help page call it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenFolder => "Open folder…",
            Self::OpenDemo => "Open demo",
            Self::CloseStudy => "Close study",
            Self::Quit => "Quit",
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::DeleteBox => "Delete selected box",
            Self::PreviousSlice => "Previous slice",
            Self::NextSlice => "Next slice",
            Self::TenSlicesBack => "Ten slices back",
            Self::TenSlicesOn => "Ten slices on",
            Self::FirstSlice => "First slice",
            Self::LastSlice => "Last slice",
            Self::WindowTool => "Window tool",
            Self::PanTool => "Pan tool",
            Self::ZoomTool => "Zoom tool",
            Self::BoxTool => "Box tool",
            Self::FitView => "Fit to window",
            Self::ResetView => "Reset view",
            Self::CycleAnnotations => "Cycle annotations",
            Self::ToggleEvidence => "Show evidence",
            Self::Help => "Keys and mouse",
        }
    }

    /// Keys that give the command; the first is the one that menus show.
    #[must_use]
    pub fn shortcuts(self) -> Vec<KeyboardShortcut> {
        let key = |key| KeyboardShortcut::new(Modifiers::NONE, key);
        let shift = |key| KeyboardShortcut::new(Modifiers::SHIFT, key);
        let command = |key| KeyboardShortcut::new(Modifiers::COMMAND, key);
        match self {
            Self::OpenFolder => vec![command(Key::O)],
            Self::OpenDemo | Self::CloseStudy => vec![],
            Self::Quit => vec![command(Key::Q)],
            Self::Undo => vec![command(Key::Z)],
            Self::Redo => vec![KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z)],
            Self::DeleteBox => vec![key(Key::Delete), key(Key::Backspace)],
            Self::PreviousSlice => vec![key(Key::ArrowUp)],
            Self::NextSlice => vec![key(Key::ArrowDown)],
            Self::TenSlicesBack => vec![shift(Key::ArrowUp), key(Key::PageUp)],
            Self::TenSlicesOn => vec![shift(Key::ArrowDown), key(Key::PageDown)],
            Self::FirstSlice => vec![key(Key::Home)],
            Self::LastSlice => vec![key(Key::End)],
            Self::WindowTool => vec![key(Key::W)],
            Self::PanTool => vec![key(Key::T)],
            Self::ZoomTool => vec![key(Key::Z)],
            Self::BoxTool => vec![key(Key::B)],
            Self::FitView => vec![key(Key::F)],
            Self::ResetView => vec![key(Key::Escape)],
            Self::CycleAnnotations => vec![key(Key::Space), key(Key::I)],
            Self::ToggleEvidence => vec![key(Key::E)],
            Self::Help => vec![key(Key::F1)],
        }
    }

    /// The action that the command stands for.
    #[must_use]
    pub fn action(self) -> UiAction {
        match self {
            Self::OpenFolder => UiAction::AskForFolder,
            Self::OpenDemo => UiAction::OpenDemo,
            Self::CloseStudy => UiAction::CloseStudy,
            Self::Quit => UiAction::Quit,
            Self::Undo => UiAction::Undo,
            Self::Redo => UiAction::Redo,
            Self::DeleteBox => UiAction::DeleteBox,
            Self::PreviousSlice => UiAction::StepSlices(-1),
            Self::NextSlice => UiAction::StepSlices(1),
            Self::TenSlicesBack => UiAction::StepSlices(-10),
            Self::TenSlicesOn => UiAction::StepSlices(10),
            Self::FirstSlice => UiAction::ShowSlice(0),
            Self::LastSlice => UiAction::ShowSlice(usize::MAX),
            Self::WindowTool => UiAction::ChooseTool(Tool::Window),
            Self::PanTool => UiAction::ChooseTool(Tool::Pan),
            Self::ZoomTool => UiAction::ChooseTool(Tool::Zoom),
            Self::BoxTool => UiAction::ChooseTool(Tool::Box),
            Self::FitView => UiAction::FitView,
            Self::ResetView => UiAction::ResetView,
            Self::CycleAnnotations => UiAction::CycleAnnotations,
            Self::ToggleEvidence => UiAction::ToggleEvidence,
            Self::Help => UiAction::ToggleHelp,
        }
    }

    /// The keys in words, for menus and help; empty where there are none.
    #[must_use]
    pub fn keys_text(self, ctx: &egui::Context) -> String {
        let keys: Vec<String> = self.shortcuts().iter().map(|shortcut| ctx.format_shortcut(shortcut)).collect();
        keys.join(", ")
    }
}

/// Takes the shortcuts out of this frame's input; none while a text field has the keyboard.
pub fn take_shortcuts(ctx: &egui::Context, state: &ViewerState, actions: &mut Vec<UiAction>) {
    let held = ctx.input(|input| input.key_down(Key::H)) && !ctx.text_edit_focused();
    if held != state.evidence.held_back {
        actions.push(UiAction::HoldEvidence(held));
    }
    if ctx.text_edit_focused() {
        return;
    }
    let mut shortcuts: Vec<(KeyboardShortcut, UiCommand)> = UiCommand::ALL
        .into_iter()
        .flat_map(|command| command.shortcuts().into_iter().map(move |shortcut| (shortcut, command)))
        .collect();
    // Plain keys match with Shift held too, so those with modifiers come first.
    shortcuts.sort_by_key(|(shortcut, _)| {
        let held = shortcut.modifiers;
        3 - u8::from(held.shift) - u8::from(held.command) - u8::from(held.alt)
    });
    ctx.input_mut(|input| {
        for (shortcut, command) in shortcuts {
            for _ in 0..input.count_and_consume_key(shortcut.modifiers, shortcut.logical_key) {
                actions.push(command.action());
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_a_key() {
        let mut seen = std::collections::HashSet::new();
        for command in UiCommand::ALL {
            for shortcut in command.shortcuts() {
                assert!(seen.insert(shortcut), "{command:?} takes a key of another command");
            }
        }
    }
}
