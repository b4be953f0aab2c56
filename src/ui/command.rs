//! Every command of the window in one table: menus, palette, shortcuts, tooltips and the help page are made from it.

use eframe::egui::{self, Key, KeyboardShortcut, Modifiers};

use super::action::{Turn, UiAction};
use super::archive::{ArchiveAction, ArchivePage};
use super::companion::CompanionAction;
use super::keymap::{self, Keymap, KeysAction};
use super::language::translated;
use super::state::{Pane, Tool, ViewerState, WindowPreset};
use crate::spine::MeasurementKind;

const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::SHIFT, key)
}

const fn alt(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::ALT, key)
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

/// Makes the enum and its tables from one list: name, label, keys (the first is shown in menus), action.
macro_rules! commands {
    ($($name:ident $label:literal [$($key:expr),*] $action:expr;)*) => {
        /// Something the user can ask for by menu, palette or key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the labels are the documentation")]
        pub enum UiCommand {
            $(#[doc = $label] $name,)*
        }

        impl UiCommand {
            /// All commands, in the order of the help page.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its English label, which is the key in the tables of other languages.
            #[must_use]
            pub fn english(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// What menus, palette and help page call it, in the language of the window.
            #[must_use]
            pub fn label(self) -> &'static str {
                translated(self.english())
            }

            /// What files call it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Keys that the program gives it; the first is the one that menus show. The user may have others:
            /// [`Keymap::keys`].
            #[must_use]
            pub fn shortcuts(self) -> &'static [KeyboardShortcut] {
                match self { $(Self::$name => const { &[$($key),*] },)* }
            }

            /// The action that the command stands for.
            #[must_use]
            pub fn action(self) -> UiAction {
                match self { $(Self::$name => $action,)* }
            }
        }
    };
}

commands! {
    OpenFolder "Open folder…" [ctrl(Key::O)] UiAction::AskForFolder;
    OpenFile "Open file…" [] UiAction::AskForFile;
    AddStudy "Add prior or other study…" [] UiAction::AskForOtherStudy;
    OpenArchive "Open from archive…" [ctrl_shift(Key::O)] UiAction::Archive(ArchiveAction::Show(ArchivePage::Studies));
    OpenDemo "Open demo" [] UiAction::OpenDemo;
    CloseStudy "Close study" [ctrl(Key::W)] UiAction::CloseStudy;
    SaveReport "Save report…" [ctrl(Key::S)] UiAction::AskForReportFile;
    SaveFigures "Save figures of the selection…" [ctrl_shift(Key::E)] UiAction::AskForFigureFolder;
    SendResults "Send results to archive…" [] UiAction::Archive(ArchiveAction::Show(ArchivePage::Send));
    CopyImage "Copy image" [ctrl_shift(Key::C)] UiAction::CopyImage;
    SaveImage "Save image…" [ctrl_shift(Key::S)] UiAction::AskForImageFile;
    SaveCopy "Save copy without identity…" [] UiAction::AskForCopyFolder;
    ClearRecent "Clear recent studies" [] UiAction::ClearRecent;
    Quit "Quit" [ctrl(Key::Q)] UiAction::Quit;
    Undo "Undo" [ctrl(Key::Z)] UiAction::Undo;
    Redo "Redo" [ctrl_shift(Key::Z), ctrl(Key::Y)] UiAction::Redo;
    CopyBoxOn "Copy box to the next slice" [shift(Key::B)] UiAction::CopyBox(1);
    CopyBoxBack "Copy box to the previous slice" [] UiAction::CopyBox(-1);
    NextUnboxed "Next disc without a box" [key(Key::J)] UiAction::FindUnboxed(1);
    PreviousUnboxed "Previous disc without a box" [shift(Key::J)] UiAction::FindUnboxed(-1);
    DeleteSelected "Delete selected" [key(Key::Delete), key(Key::Backspace)] UiAction::DeleteSelected;
    PreviousSlice "Previous slice" [key(Key::ArrowUp)] UiAction::StepSlices(-1);
    NextSlice "Next slice" [key(Key::ArrowDown)] UiAction::StepSlices(1);
    TenSlicesBack "Ten slices back" [shift(Key::ArrowUp), key(Key::PageUp)] UiAction::StepSlices(-10);
    TenSlicesOn "Ten slices on" [shift(Key::ArrowDown), key(Key::PageDown)] UiAction::StepSlices(10);
    FirstSlice "First slice" [key(Key::Home)] UiAction::ShowSlice(0);
    LastSlice "Last slice" [key(Key::End)] UiAction::ShowSlice(usize::MAX);
    PreviousSeries "Previous series" [key(Key::ArrowLeft)] UiAction::StepSeries(-1);
    NextSeries "Next series" [key(Key::ArrowRight)] UiAction::StepSeries(1);
    Cine "Run through the slices" [key(Key::C)] UiAction::ToggleCine;
    NextPane "Arrow keys: image or table" [key(Key::Tab)] UiAction::NextPane;
    DiscUp "Disc above" [alt(Key::ArrowUp)] UiAction::MoveSelection { discs: -1, gradings: 0 };
    DiscDown "Disc below" [alt(Key::ArrowDown)] UiAction::MoveSelection { discs: 1, gradings: 0 };
    GradingLeft "Grading to the left" [alt(Key::ArrowLeft)] UiAction::MoveSelection { discs: 0, gradings: -1 };
    GradingRight "Grading to the right" [alt(Key::ArrowRight)] UiAction::MoveSelection { discs: 0, gradings: 1 };
    GradeWorse "Grade one worse" [key(Key::Plus), key(Key::Equals)] UiAction::StepGrade(1);
    GradeMilder "Grade one milder" [key(Key::Minus)] UiAction::StepGrade(-1);
    GradeAsComputed "Back to the computed grade" [alt(Key::Backspace)] UiAction::ResetGrade;
    SignOff "Sign off" [ctrl(Key::Enter)] UiAction::SignOff;
    WindowTool "Window tool" [key(Key::W)] UiAction::ChooseTool(Tool::Window);
    PanTool "Pan tool" [key(Key::T)] UiAction::ChooseTool(Tool::Pan);
    ZoomTool "Zoom tool" [key(Key::Z)] UiAction::ChooseTool(Tool::Zoom);
    ScrollTool "Scroll tool" [key(Key::S)] UiAction::ChooseTool(Tool::Scroll);
    CrosshairTool "Crosshair tool" [key(Key::X)] UiAction::ChooseTool(Tool::Crosshair);
    BoxTool "Box tool" [key(Key::B)] UiAction::ChooseTool(Tool::Box);
    VertebraTool "Vertebra tool" [key(Key::V)] UiAction::ChooseTool(Tool::Vertebra);
    LengthTool "Measure length" [key(Key::D)] UiAction::ChooseTool(Tool::Measure(MeasurementKind::Length));
    AngleTool "Measure angle" [key(Key::A)] UiAction::ChooseTool(Tool::Measure(MeasurementKind::Angle));
    CobbTool "Measure Cobb angle" [key(Key::K)] UiAction::ChooseTool(Tool::Measure(MeasurementKind::Cobb));
    SlipTool "Measure slip" [key(Key::M)] UiAction::ChooseTool(Tool::Measure(MeasurementKind::Slip));
    DiscHeightTool "Measure disc height" [] UiAction::ChooseTool(Tool::Measure(MeasurementKind::DiscHeight));
    CanalWidthTool "Measure canal width" [] UiAction::ChooseTool(Tool::Measure(MeasurementKind::CanalWidth));
    MeasureDiscHeight "Measure height of the selected disc" [shift(Key::D)] UiAction::MeasureDiscHeight;
    MeasureSlip "Measure slip of the selected disc" [shift(Key::M)] UiAction::MeasureSlip;
    FitView "Fit to window" [key(Key::F)] UiAction::FitView;
    ActualSize "One to one" [shift(Key::F)] UiAction::ActualSize;
    ResetView "Reset view" [key(Key::Escape)] UiAction::ResetView;
    WindowHeader "Window as recorded" [key(Key::Num1)] UiAction::ApplyPreset(WindowPreset::Header);
    WindowSeries "Window from the series" [key(Key::Num2)] UiAction::ApplyPreset(WindowPreset::Series);
    WindowSlice "Window from this slice" [key(Key::Num3)] UiAction::ApplyPreset(WindowPreset::Slice);
    WindowVertebrae "Window with vertebrae mid-gray" [key(Key::Num4)] UiAction::ApplyPreset(WindowPreset::Vertebrae);
    WindowWide "Wide window" [key(Key::Num5)] UiAction::ApplyPreset(WindowPreset::Wide);
    Invert "Invert gray values" [key(Key::N)] UiAction::ToggleInverted;
    Smooth "Smooth pixels" [key(Key::P)] UiAction::ToggleSmooth;
    RotateRight "Rotate right" [key(Key::R)] UiAction::Turn(Turn::Right);
    RotateLeft "Rotate left" [shift(Key::R)] UiAction::Turn(Turn::Left);
    FlipHorizontally "Flip left to right" [] UiAction::Turn(Turn::FlipHorizontally);
    FlipVertically "Flip top to bottom" [] UiAction::Turn(Turn::FlipVertically);
    NextLayout "Next layout: slice, planes, disc, compare, series" [key(Key::L)] UiAction::NextLayout;
    LinkCompanion "Link or unlink the series beside" [shift(Key::L)] UiAction::Companion(CompanionAction::ToggleLink);
    CycleAnnotations "Cycle annotations" [key(Key::Space), key(Key::I)] UiAction::CycleAnnotations;
    ToggleEvidence "Show evidence" [key(Key::E)] UiAction::ToggleEvidence;
    ToggleContour "Evidence as contour or filled" [key(Key::G)] UiAction::ToggleContour;
    ToggleBlind "Read blind: hide what was computed" [ctrl(Key::B)] UiAction::ToggleBlind;
    Palette "Command palette" [ctrl(Key::P), ctrl_shift(Key::P)] UiAction::EditPalette(Some(String::new()));
    ToggleTheme "Light or dark theme" [] UiAction::ToggleTheme;
    ToggleRightDrag "Right drag: zoom or window" [] UiAction::ToggleRightDrag;
    Help "Keys and mouse" [key(Key::F1)] UiAction::ToggleHelp;
}

impl UiCommand {
    /// The keys in words, for menus and help; empty where there are none.
    #[must_use]
    pub fn keys_text(self, ctx: &egui::Context) -> String {
        let keymap = Keymap::of(ctx);
        let keys: Vec<String> = keymap.keys(self).iter().map(|shortcut| ctx.format_shortcut(shortcut)).collect();
        keys.join(", ")
    }

    /// The label with its keys, for tooltips.
    #[must_use]
    pub fn hint(self, ctx: &egui::Context) -> String {
        let keys = self.keys_text(ctx);
        if keys.is_empty() { self.label().to_owned() } else { format!("{} ({keys})", self.label()) }
    }

    /// What a key means while the table has the arrow keys.
    fn in_table(self) -> Self {
        match self {
            Self::PreviousSlice => Self::DiscUp,
            Self::NextSlice => Self::DiscDown,
            Self::PreviousSeries => Self::GradingLeft,
            Self::NextSeries => Self::GradingRight,
            other => other,
        }
    }
}

/// Takes the shortcuts out of this frame's input; none while a text field has the keyboard.
pub fn take_shortcuts(ctx: &egui::Context, state: &ViewerState, actions: &mut Vec<UiAction>) {
    if let Some(command) = state.awaiting_keys {
        let pressed = keymap::pressed_keys(ctx);
        actions.extend(
            pressed.map(|keys| {
                UiAction::Keys(keys.map_or(KeysAction::Await(None), |keys| KeysAction::Set(command, keys)))
            }),
        );
        // Whatever it is, it is not meant for another command.
        ctx.input_mut(|input| input.events.retain(|event| !matches!(event, egui::Event::Key { .. })));
        return;
    }
    let is_typing = ctx.text_edit_focused();
    let held = ctx.input(|input| input.key_down(Key::H)) && !is_typing;
    if held != state.evidence.held_back {
        actions.push(UiAction::HoldEvidence(held));
    }
    if is_typing {
        return;
    }
    // A control that has the keyboard (Shift+Tab enters them) takes the keys that controls are worked with.
    let has_focus = ctx.memory(egui::Memory::focused).is_some();
    let is_for_controls = |shortcut: &KeyboardShortcut| {
        let keys = [Key::Tab, Key::Space, Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight];
        has_focus && shortcut.modifiers.is_none() && keys.contains(&shortcut.logical_key)
    };
    let keymap = Keymap::of(ctx);
    let mut shortcuts: Vec<(KeyboardShortcut, UiCommand)> = UiCommand::ALL
        .iter()
        .flat_map(|command| keymap.keys(*command).iter().map(|shortcut| (*shortcut, *command)))
        .filter(|(shortcut, _)| !is_for_controls(shortcut))
        .collect();
    // Plain keys match with Shift held too, so those with modifiers come first.
    shortcuts.sort_by_key(|(shortcut, _)| {
        let held = shortcut.modifiers;
        3 - u8::from(held.shift) - u8::from(held.command) - u8::from(held.alt)
    });
    let table = state.view.pane == Pane::Table;
    ctx.input_mut(|input| {
        for (shortcut, command) in shortcuts {
            for _ in 0..input.count_and_consume_key(shortcut.modifiers, shortcut.logical_key) {
                actions.push(if table { command.in_table().action() } else { command.action() });
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_a_key_or_a_name() {
        let (mut keys, mut names) = (std::collections::HashSet::new(), std::collections::HashSet::new());
        for command in UiCommand::ALL {
            assert!(names.insert(command.label()), "{command:?} has the name of another command");
            for shortcut in command.shortcuts() {
                assert!(keys.insert(*shortcut), "{command:?} takes a key of another command");
            }
        }
    }
}
