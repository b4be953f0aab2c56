//! Every command of the window in one table: menus, palette, shortcuts, tooltips and the help page are made from it.

use eframe::egui::{self, Key, KeyboardShortcut, Modifiers};

use super::action::{
    Actions, ActiveAction, BoxAction, EvidenceAction, FileAction, MeasureAction, ProgramAction, ReadAction, Turn,
    UiAction, VertebraAction, ViewAction,
};
use super::agreement_page::BlindAction;
use super::archive::{ArchiveAction, ArchivePage};
use super::companion::CompanionAction;
use super::grade_table;
use super::key_images_panel::KeyImageAction;
use super::keymap::{self, Keymap, KeysAction, NewKeys};
use super::language::translated;
use super::pace;
use super::state::{Page, Pane, PathPurpose, SidePanel, Tool, ViewerState, WindowPreset};
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

/// Makes the enum and its tables from one list of groups: name, label, what else a reader would call it, keys (the first
/// is shown in menus), action.
macro_rules! commands {
    ($($group:literal { $($name:ident $label:literal ($words:literal) [$($key:expr),*] $action:expr;)* })*) => {
        /// Something the user can ask for by menu, palette or key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the labels are the documentation")]
        pub enum UiCommand {
            $($(#[doc = $label] $name,)*)*
        }

        impl UiCommand {
            /// All commands, in the order of the help page.
            pub const ALL: &[Self] = &[$($(Self::$name),*),*];

            /// The groups of the help page with their commands; names are English keys of the tables.
            pub const GROUPS: &[(&'static str, &'static [Self])] = &[$(($group, &[$(Self::$name),*])),*];

            /// Its English label, which is the key in the tables of other languages.
            #[must_use]
            pub fn english(self) -> &'static str {
                match self { $($(Self::$name => $label,)*)* }
            }

            /// Words beside its label by which the palette finds it, in English, a key of the tables too; often empty.
            #[must_use]
            pub fn english_words(self) -> &'static str {
                match self { $($(Self::$name => $words,)*)* }
            }

            /// What menus, palette and help page call it, in the language of the window.
            #[must_use]
            pub fn label(self) -> &'static str {
                translated(self.english())
            }

            /// What files call it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)*)* }
            }

            /// Keys that the program gives it; the first is the one that menus show. The user may have others:
            /// [`Keymap::keys`].
            #[must_use]
            pub fn shortcuts(self) -> &'static [KeyboardShortcut] {
                match self { $($(Self::$name => const { &[$($key),*] },)*)* }
            }

            /// The action that the command stands for.
            #[must_use]
            pub fn action(self) -> UiAction {
                match self { $($(Self::$name => $action.into(),)*)* }
            }
        }
    };
}

commands! {
    "Studies and files" {
        OpenFolder "Open folder…" ("study load import") [ctrl(Key::O)] FileAction::Ask(PathPurpose::OpenStudy);
        OpenFile "Open file…" ("nifti metaimage zip load import") [] FileAction::Ask(PathPurpose::OpenFile);
        AddStudy "Add prior or other study…" ("previous earlier compare follow-up") [] FileAction::Ask(PathPurpose::AddStudy);
        OpenArchive "Open from archive…" ("pacs dicomweb query retrieve") [ctrl_shift(Key::O)] ArchiveAction::Show(ArchivePage::Studies);
        OpenDemo "Open demo" ("example phantom synthetic") [] FileAction::OpenDemo;
        CloseStudy "Close study" ("") [ctrl(Key::W)] FileAction::Close;
        ClearRecent "Clear recent studies" ("history forget") [] FileAction::ClearRecent;
        Quit "Quit" ("") [ctrl(Key::Q)] ProgramAction::Quit;
    }
    "Results" {
        KeyImage "Mark as key image, or not any more" ("star flag bookmark report") [shift(Key::K)] KeyImageAction::Toggle;
        EditReport "Report…" ("impression indication comparison text") [ctrl(Key::R)] ProgramAction::TogglePage(Page::Report);
        SaveReport "Save report…" ("pdf csv json export") [ctrl(Key::S)] FileAction::Ask(PathPurpose::SaveReport);
        SaveFigures "Save figures of the selection…" ("publication export") [ctrl_shift(Key::E)] FileAction::Ask(PathPurpose::SaveFigures);
        SaveBoxes "Save boxes…" ("export coco annotations") [] FileAction::Ask(PathPurpose::SaveBoxes);
        LoadBoxes "Load boxes…" ("import coco annotations") [] FileAction::Ask(PathPurpose::LoadBoxes);
        SendResults "Send results to archive…" ("pacs store dicom export") [] ArchiveAction::Show(ArchivePage::Send);
        CopyImage "Copy image" ("screenshot clipboard") [ctrl_shift(Key::C)] FileAction::CopyImage;
        SaveImage "Save image…" ("screenshot picture png export") [ctrl_shift(Key::S)] FileAction::Ask(PathPurpose::SaveImage);
        SaveCopy "Save copy without identity…" ("anonymize deidentify export") [] FileAction::Ask(PathPurpose::SaveCopy);
    }
    "Changes" {
        Undo "Undo" ("") [ctrl(Key::Z)] ReadAction::Undo;
        Redo "Redo" ("") [ctrl_shift(Key::Z), ctrl(Key::Y)] ReadAction::Redo;
        DeleteSelected "Delete selected" ("remove") [key(Key::Delete), key(Key::Backspace)] ReadAction::DeleteSelected;
    }
    "Boxes" {
        CopyBoxOn "Copy box to the next slice" ("propagate") [shift(Key::B)] BoxAction::Copy(1);
        CopyBoxBack "Copy box to the previous slice" ("") [] BoxAction::Copy(-1);
        NextUnboxed "Next disc without a box" ("annotate") [key(Key::J)] BoxAction::FindUnboxed(1);
        PreviousUnboxed "Previous disc without a box" ("") [shift(Key::J)] BoxAction::FindUnboxed(-1);
    }
    "Slices and series" {
        PreviousSlice "Previous slice" ("") [key(Key::ArrowUp)] ActiveAction::Step(-1);
        NextSlice "Next slice" ("") [key(Key::ArrowDown)] ActiveAction::Step(1);
        TenSlicesBack "Ten slices back" ("") [shift(Key::ArrowUp), key(Key::PageUp)] ActiveAction::Step(-10);
        TenSlicesOn "Ten slices on" ("") [shift(Key::ArrowDown), key(Key::PageDown)] ActiveAction::Step(10);
        FirstSlice "First slice" ("") [key(Key::Home)] ActiveAction::First;
        LastSlice "Last slice" ("") [key(Key::End)] ActiveAction::Last;
        PreviousSeries "Previous series" ("") [key(Key::ArrowLeft)] FileAction::StepSeries(-1);
        NextSeries "Next series" ("") [key(Key::ArrowRight)] FileAction::StepSeries(1);
        Cine "Run through the slices" ("play movie") [key(Key::C)] ViewAction::ToggleCine;
    }
    "Table of grades" {
        NextPane "Arrow keys: image or table" ("focus keyboard") [key(Key::F6)] ViewAction::NextPane;
        DiscUp "Disc above" ("") [alt(Key::ArrowUp)] ReadAction::MoveSelection { discs: -1, gradings: 0 };
        DiscDown "Disc below" ("") [alt(Key::ArrowDown)] ReadAction::MoveSelection { discs: 1, gradings: 0 };
        GradingLeft "Grading to the left" ("") [alt(Key::ArrowLeft)] ReadAction::MoveSelection { discs: 0, gradings: -1 };
        GradingRight "Grading to the right" ("") [alt(Key::ArrowRight)] ReadAction::MoveSelection { discs: 0, gradings: 1 };
        GradeWorse "Grade one worse" ("") [key(Key::Plus), key(Key::Equals)] ReadAction::StepGrade(1);
        GradeMilder "Grade one milder" ("") [key(Key::Minus)] ReadAction::StepGrade(-1);
        GradeAsComputed "Back to the computed grade" ("reset revert") [alt(Key::Backspace)] ReadAction::ResetGrade;
        SignOff "Sign off" ("signature approve finalize") [ctrl(Key::Enter)] ReadAction::SignOff;
        LevelUp "The selected disc is one level higher" ("rename relabel number label level correct") [] VertebraAction::Renumber(-1);
        LevelDown "The selected disc is one level lower" ("rename relabel number label level correct") [] VertebraAction::Renumber(1);
    }
    "Tools" {
        WindowTool "Window tool" ("level brightness contrast") [key(Key::W)] ViewAction::ChooseTool(Tool::Window);
        PanTool "Pan tool" ("") [key(Key::T)] ViewAction::ChooseTool(Tool::Pan);
        ZoomTool "Zoom tool" ("") [key(Key::Z)] ViewAction::ChooseTool(Tool::Zoom);
        ScrollTool "Scroll tool" ("") [key(Key::S)] ViewAction::ChooseTool(Tool::Scroll);
        CrosshairTool "Crosshair tool" ("") [key(Key::X)] ViewAction::ChooseTool(Tool::Crosshair);
        BoxTool "Box tool" ("") [key(Key::B)] ViewAction::ChooseTool(Tool::Box);
        VertebraTool "Vertebra tool" ("outline corner body move") [key(Key::V)] ViewAction::ChooseTool(Tool::Vertebra);
        LengthTool "Measure length" ("distance ruler") [key(Key::D)] ViewAction::ChooseTool(Tool::Measure(MeasurementKind::Length));
        AngleTool "Measure angle" ("") [key(Key::A)] ViewAction::ChooseTool(Tool::Measure(MeasurementKind::Angle));
        CobbTool "Measure Cobb angle" ("lordosis scoliosis") [key(Key::K)] ViewAction::ChooseTool(Tool::Measure(MeasurementKind::Cobb));
        SlipTool "Measure slip" ("listhesis") [key(Key::M)] ViewAction::ChooseTool(Tool::Measure(MeasurementKind::Slip));
        DiscHeightTool "Measure disc height" ("") [] ViewAction::ChooseTool(Tool::Measure(MeasurementKind::DiscHeight));
        CanalWidthTool "Measure canal width" ("stenosis") [] ViewAction::ChooseTool(Tool::Measure(MeasurementKind::CanalWidth));
        MeasureDiscHeight "Measure height of the selected disc" ("") [shift(Key::D)] MeasureAction::OfDisc(MeasurementKind::DiscHeight);
        MeasureSlip "Measure slip of the selected disc" ("listhesis") [shift(Key::M)] MeasureAction::OfDisc(MeasurementKind::Slip);
    }
    "View" {
        FitView "Fit to window" ("zoom") [key(Key::F)] ActiveAction::Fit;
        ActualSize "One to one" ("zoom 100 %") [shift(Key::F)] ViewAction::ActualSize;
        Escape "Close what is open, put the tool away" ("") [key(Key::Escape)] ViewAction::Escape;
        ResetView "Reset view" ("") [key(Key::Num0)] ViewAction::Reset;
        WindowHeader "Window as recorded" ("level preset") [key(Key::Num1)] ActiveAction::ApplyPreset(WindowPreset::Header);
        WindowSeries "Window from the series" ("level preset") [key(Key::Num2)] ActiveAction::ApplyPreset(WindowPreset::Series);
        WindowSlice "Window from this slice" ("level preset") [key(Key::Num3)] ActiveAction::ApplyPreset(WindowPreset::Slice);
        WindowVertebrae "Window with vertebrae mid-gray" ("level preset") [key(Key::Num4)] ActiveAction::ApplyPreset(WindowPreset::Vertebrae);
        WindowWide "Wide window" ("level preset") [key(Key::Num5)] ActiveAction::ApplyPreset(WindowPreset::Wide);
        OwnWindow1 "Your window 1" ("level preset own") [key(Key::Num6)] ProgramAction::OwnWindow(0);
        OwnWindow2 "Your window 2" ("level preset own") [key(Key::Num7)] ProgramAction::OwnWindow(1);
        OwnWindow3 "Your window 3" ("level preset own") [key(Key::Num8)] ProgramAction::OwnWindow(2);
        OwnWindow4 "Your window 4" ("level preset own") [key(Key::Num9)] ProgramAction::OwnWindow(3);
        Invert "Invert gray values" ("negative") [key(Key::N)] ViewAction::ToggleInverted;
        Smooth "Smooth pixels" ("") [key(Key::P)] ViewAction::ToggleSmooth;
        RotateRight "Rotate right" ("") [key(Key::R)] ViewAction::Turn(Turn::Right);
        RotateLeft "Rotate left" ("") [shift(Key::R)] ViewAction::Turn(Turn::Left);
        FlipHorizontally "Flip left to right" ("") [] ViewAction::Turn(Turn::FlipHorizontally);
        FlipVertically "Flip top to bottom" ("") [] ViewAction::Turn(Turn::FlipVertically);
        NextLayout "Next layout: slice, planes, disc, compare, series" ("axial coronal planes grid hanging") [key(Key::L)] ViewAction::NextLayout;
        GradeBeside "Grade the series beside instead" ("other series") [] FileAction::GradeInstead(None);
        LinkCompanion "Link or unlink the series beside" ("prior synchronize scroll") [shift(Key::L)] CompanionAction::ToggleLink;
        ToggleSeries "Show or hide the list of series" ("panel") [key(Key::F8)] ProgramAction::TogglePanel(SidePanel::Series);
        ToggleFindings "Show or hide grades and findings" ("panel") [key(Key::F9)] ProgramAction::TogglePanel(SidePanel::Findings);
        FullScreen "Full screen" ("") [key(Key::F11)] ProgramAction::ToggleFullScreen;
        ToggleDiscZoom "Zoom to the disc that is selected, or not" ("") [] ProgramAction::ToggleDiscZoom;
        CycleAnnotations "Cycle annotations" ("overlay text labels") [key(Key::Space), key(Key::I)] ViewAction::CycleAnnotations;
    }
    "Evidence" {
        ToggleEvidence "Show evidence" ("heat map saliency overlay why") [key(Key::E)] EvidenceAction::Toggle;
        ToggleContour "Evidence as contour or filled" ("heat map outline") [key(Key::G)] EvidenceAction::ToggleContour;
        ToggleLearnedLocation "Learned location of the finding (not evidence)" ("box where place prior") [] EvidenceAction::ToggleLearnedLocation;
    }
    "Blind reading" {
        ToggleBlind "Read blind: hide what was computed" ("reader study hide") [ctrl(Key::B)] EvidenceAction::ToggleBlind;
        FinishBlind "Finish blind reading: show what was computed" ("reader study end") [] BlindAction::Finish;
        NextMissing "Next grade that is missing in the blind reading" ("") [key(Key::U)] BlindAction::NextMissing;
        ShowAgreement "Agreement of blind readings…" ("kappa confusion reader study") [] ProgramAction::TogglePage(Page::Agreement);
        SaveAgreement "Save agreement of blind readings…" ("kappa confusion export csv") [] FileAction::Ask(PathPurpose::SaveAgreement);
    }
    "Program" {
        Palette "Command palette" ("search find") [ctrl(Key::P), ctrl_shift(Key::P)] ProgramAction::EditPalette(Some(String::new()));
        ToggleTheme "Light or dark theme" ("dark light appearance") [] ProgramAction::ToggleTheme;
        ToggleRightDrag "Right drag: zoom or window" ("") [] ProgramAction::ToggleRightDrag;
        Help "Keys and mouse" ("shortcuts keyboard") [key(Key::F1)] ProgramAction::TogglePage(Page::Help);
        Tour "Guided first minute" ("tutorial introduction start learn") [] ProgramAction::Tour(Some(0));
        About "About this program" ("version weights hash licence device") [] ProgramAction::TogglePage(Page::About);
    }
}

impl UiCommand {
    /// The keys in words, for menus and help; empty where there are none.
    #[must_use]
    pub(crate) fn keys_text(self, ctx: &egui::Context) -> String {
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

    /// Whether every typed word lies in its label, or in what else a reader would call it; upper and lower case alike.
    #[must_use]
    pub fn is_called(self, typed: &str) -> bool {
        let names = [self.label(), translated(self.english_words())].join(" ").to_lowercase();
        typed.to_lowercase().split_whitespace().all(|word| names.contains(word))
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

/// In a blind reading, while the table has the keys, digits are grades.
const DIGITS: [Key; 6] = [Key::Num0, Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5];

/// Takes the shortcuts out of this frame's input; none while a text field has the keyboard.
pub(crate) fn take_shortcuts(ctx: &egui::Context, state: &ViewerState, actions: &mut Actions) {
    if let Some(command) = state.awaiting_keys {
        actions.extend(keymap::pressed_keys(ctx).map(|keys| match keys {
            NewKeys::Kept => KeysAction::Await(None),
            NewKeys::Pressed(keys) => KeysAction::Set(command, keys),
        }));
        // Whatever it is, it is not meant for another command.
        ctx.input_mut(|input| input.events.retain(|event| !matches!(event, egui::Event::Key { .. })));
        return;
    }
    // Escape leaves a field before this frame knows of it; what opens with a field has the keyboard at once.
    let awaits_text = state.palette.is_some() || state.path_entry.is_some();
    let is_typing = ctx.text_edit_focused() || pace::was_typing(ctx) || awaits_text;
    let held = ctx.input(|input| input.key_down(Key::H)) && !is_typing;
    if held != state.evidence.held_back {
        actions.push(EvidenceAction::Hold(held));
    }
    if is_typing {
        return;
    }
    // A control that has the keyboard takes the keys that controls are worked with; the table of grades has none of its own.
    let has_focus = ctx.memory(egui::Memory::focused).is_some_and(|id| id != grade_table::id());
    let has_menu = egui::Popup::is_any_open(ctx);
    let is_for_controls = |shortcut: &KeyboardShortcut| {
        if has_menu && shortcut.logical_key == Key::Escape {
            return true;
        }
        let keys = [Key::Space, Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight];
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
        if table && state.evidence.blind {
            for (grade, digit) in (0..).zip(DIGITS) {
                let times = input.count_and_consume_key(Modifiers::NONE, digit);
                actions.extend((0..times).map(|_| BlindAction::Grade(grade)));
            }
        }
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
    fn a_command_is_found_by_what_a_reader_would_type() {
        let found =
            |typed: &str| UiCommand::ALL.iter().copied().filter(|command| command.is_called(typed)).collect::<Vec<_>>();
        assert!(found("rename").contains(&UiCommand::LevelUp) && found("LEVEL").contains(&UiCommand::LevelDown));
        assert!(found("prior").contains(&UiCommand::AddStudy) && found("anonymize") == [UiCommand::SaveCopy]);
        assert_eq!(found("ang cobb"), [UiCommand::CobbTool], "in any order");
        assert_eq!(found("").len(), UiCommand::ALL.len());
        assert!(found("xyzzy").is_empty());
    }

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
