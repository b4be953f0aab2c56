//! Paths that are asked for, in the dialog of the system or, where it has none, in a field.

use std::path::PathBuf;

use eframe::egui::text::{CCursor, CCursorRange};
use eframe::egui::text_edit::TextEditState;
use eframe::egui::{Align2, Button, Id, Key, Modifiers, RichText, ScrollArea, TextEdit, Ui, Window, vec2};

use super::action::{Actions, FileAction};
use super::language::tr;
use super::state::ViewerState;
use super::theme;

/// What a path is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathPurpose {
    /// A folder to open.
    OpenStudy,
    /// A folder to add to the open study.
    AddStudy,
    /// A NIfTI or MetaImage file to open.
    OpenFile,
    /// A file to write the report to.
    SaveReport,
    /// A folder to write the figures of the selection into.
    SaveFigures,
    /// A file to write the image to.
    SaveImage,
    /// A file to write the reader's boxes to.
    SaveBoxes,
    /// A file of boxes to load.
    LoadBoxes,
    /// A folder to write the agreement of blind readings into.
    SaveAgreement,
    /// An empty folder for a copy without identity.
    SaveCopy,
}

impl PathPurpose {
    /// Title of the dialog.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::OpenStudy => tr!("Open the folder of a study"),
            Self::AddStudy => tr!("Add the folder of another study"),
            Self::OpenFile => tr!("Open a volume"),
            Self::SaveReport => tr!("Save the report"),
            Self::SaveFigures => tr!("Folder for the figures"),
            Self::SaveImage => tr!("Save the image"),
            Self::SaveBoxes => tr!("Save the boxes"),
            Self::LoadBoxes => tr!("Load boxes"),
            Self::SaveAgreement => tr!("Folder for the agreement"),
            Self::SaveCopy => tr!("Choose an empty folder for the copy without identity"),
        }
    }

    /// What is done with the path.
    fn verb(self) -> &'static str {
        match self {
            Self::OpenStudy | Self::OpenFile => tr!("Open"),
            Self::AddStudy => tr!("Add"),
            Self::LoadBoxes => tr!("Load"),
            Self::SaveReport
            | Self::SaveFigures
            | Self::SaveImage
            | Self::SaveBoxes
            | Self::SaveAgreement
            | Self::SaveCopy => tr!("Save"),
        }
    }

    /// What a path may look like.
    #[must_use]
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::OpenStudy | Self::AddStudy => tr!("/path/to/study"),
            Self::OpenFile => tr!("/path/to/scan.nii.gz (or .mha)"),
            Self::SaveReport => tr!("/path/to/report.pdf (or .json, .csv, .parquet)"),
            Self::SaveFigures => tr!("/path/to/figures"),
            Self::SaveImage => tr!("/path/to/image.png"),
            Self::SaveBoxes | Self::LoadBoxes => tr!("/path/to/boxes.json (COCO: boxes.coco.json)"),
            Self::SaveAgreement => tr!("/path/to/agreement"),
            Self::SaveCopy => tr!("/path/to/an/empty/folder"),
        }
    }
}

/// A path that is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathEntry {
    pub purpose: PathPurpose,
    /// What is typed so far.
    pub text: String,
    /// The row of the list that the arrow keys stand on.
    pub row: Option<usize>,
}

/// What a folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Which folder.
    pub folder: PathBuf,
    /// Folders first, both by name.
    pub entries: Vec<ListedEntry>,
    /// Why it cannot be listed.
    pub fault: Option<String>,
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEntry {
    /// Its name.
    pub name: String,
    /// Whether it can be entered.
    pub is_folder: bool,
}

/// The folder and the beginning of a name that a typed path consists of.
fn parts(text: &str) -> (&str, &str) {
    let begins = text.rfind(std::path::is_separator).map_or(0, |at| at + 1);
    text.split_at(begins)
}

/// The folder that a typed path lies in.
#[must_use]
pub fn folder_of(text: &str) -> PathBuf {
    let (folder, _) = parts(text.trim_start());
    PathBuf::from(if folder.is_empty() { "." } else { folder })
}

/// The entries that a typed path may go on with, upper and lower case alike.
fn matching<'a>(listing: &'a Listing, text: &str) -> Vec<&'a ListedEntry> {
    if listing.folder != folder_of(text) {
        return Vec::new();
    }
    let begun = parts(text).1.to_lowercase();
    listing.entries.iter().filter(|entry| entry.name.to_lowercase().starts_with(&begun)).collect()
}

/// A typed path with a name in the place of what is begun of it.
fn with_name(text: &str, name: &str, is_folder: bool) -> String {
    let end = if is_folder { std::path::MAIN_SEPARATOR_STR } else { "" };
    format!("{}{name}{end}", parts(text).0)
}

/// A typed path as far as all matching entries agree.
fn completed(listing: &Listing, text: &str) -> String {
    match matching(listing, text)[..] {
        [] => text.to_owned(),
        [only] => with_name(text, &only.name, only.is_folder),
        [first, ref others @ ..] => {
            let shared = |length: &usize| {
                let start = first.name.get(..*length);
                start.is_some() && others.iter().all(|other| other.name.get(..*length) == start)
            };
            let length = (0..=first.name.len()).rev().find(shared).unwrap_or(0);
            let longer = with_name(text, &first.name[..length], false);
            if longer.len() > text.len() { longer } else { text.to_owned() }
        }
    }
}

/// The folder above the one that a typed path lies in.
fn folder_above(text: &str) -> Option<String> {
    let folder = folder_of(text);
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty())?;
    Some(above.join("").to_string_lossy().into_owned())
}

/// Height of the list.
const LIST_HEIGHT: f32 = 260.0;

/// Where the system has no file dialog: a field for the path, and below it what lies there.
pub fn path_entry_ui(ui: &Ui, state: &ViewerState, actions: &mut Actions) {
    let Some(entry) = &state.path_entry else { return };
    let purpose = entry.purpose;
    let mut open = true;
    let mut now = entry.clone();
    let mut is_entered = false;
    let window = Window::new(purpose.title()).open(&mut open).collapsible(false).resizable(false);
    window.anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ui.ctx(), |ui| {
        ui.set_width(520.0);
        ui.label(tr!("This system has no file dialog. Type or paste the path, or choose it below; Tab completes it."));
        is_entered = field_ui(ui, &state.listing, &mut now);
        list_ui(ui, &state.listing, &mut now);
        ui.horizontal(|ui| {
            let has_path = !now.text.trim().is_empty();
            is_entered |= ui.add_enabled(has_path, Button::new(purpose.verb())).clicked();
            if ui.button(tr!("Cancel")).clicked() {
                actions.push(FileAction::EditPath(None));
            }
        });
    });
    let path = now.text.trim();
    if is_entered && !path.is_empty() {
        actions.push(FileAction::Chosen(purpose, path.into()));
    } else if !open || ui.input(|input| input.key_pressed(Key::Escape)) {
        actions.push(FileAction::EditPath(None));
    } else if now != *entry {
        actions.push(FileAction::EditPath(Some(now)));
    }
}

/// The field; whether the path in it is meant.
fn field_ui(ui: &mut Ui, listing: &Listing, entry: &mut PathEntry) -> bool {
    let id = Id::unique("path field");
    let has_keys = ui.memory(|memory| memory.has_focus(id));
    let pressed = |ui: &mut Ui, key| has_keys && ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let rows = matching(listing, &entry.text).len();
    if pressed(ui, Key::Tab) {
        entry.text = completed(listing, &entry.text);
        move_to_end(ui, id, &entry.text);
    }
    if pressed(ui, Key::ArrowDown) && rows > 0 {
        entry.row = Some(entry.row.map_or(0, |row| (row + 1).min(rows - 1)));
    }
    if pressed(ui, Key::ArrowUp) {
        entry.row = entry.row.and_then(|row| row.checked_sub(1));
    }
    let mut is_entered = false;
    if pressed(ui, Key::Enter) {
        match entry.row.and_then(|row| matching(listing, &entry.text).get(row).copied()) {
            Some(chosen) => {
                entry.text = with_name(&entry.text, &chosen.name, chosen.is_folder);
                entry.row = None;
                move_to_end(ui, id, &entry.text);
            }
            None => is_entered = true,
        }
    }
    let before = entry.text.clone();
    let field = TextEdit::singleline(&mut entry.text).id(id).desired_width(f32::INFINITY).lock_focus(true);
    let field = ui.add(field.hint_text(entry.purpose.example()));
    if entry.text != before {
        entry.row = None;
    }
    // Typing is meant for the field, not for shortcuts.
    if ui.memory(|memory| memory.focused().is_none()) {
        field.request_focus();
        move_to_end(ui, id, &entry.text);
    }
    is_entered
}

/// Goes on typing behind the text.
fn move_to_end(ui: &Ui, id: Id, text: &str) {
    let mut state = TextEditState::load(ui.ctx(), id).unwrap_or_default();
    let end = CCursor::new(text.chars().count());
    state.cursor.set_char_range(Some(CCursorRange::one(end)));
    state.store(ui.ctx(), id);
}

/// What lies in the folder and begins as typed; a click enters a folder or takes a file.
fn list_ui(ui: &mut Ui, listing: &Listing, entry: &mut PathEntry) {
    if let Some(fault) = &listing.fault {
        ui.label(RichText::new(tr!("Nothing is listed: {reason}", reason = fault)).color(theme::of(ui).warning));
    }
    let list = ScrollArea::vertical().max_height(LIST_HEIGHT).min_scrolled_height(LIST_HEIGHT).auto_shrink(false);
    let (typed, row) = (entry.text.clone(), entry.row);
    list.show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        if let Some(above) = folder_above(&typed)
            && ui.selectable_label(false, tr!("Folder above")).clicked()
        {
            (entry.text, entry.row) = (above, None);
            move_to_end(ui, Id::unique("path field"), &entry.text);
        }
        for (index, found) in matching(listing, &typed).into_iter().enumerate() {
            let name = if found.is_folder { format!("{}/", found.name) } else { found.name.clone() };
            let is_marked = row == Some(index);
            let response = ui.selectable_label(is_marked, name);
            if is_marked {
                response.scroll_to_me(None);
            }
            if response.clicked() {
                (entry.text, entry.row) = (with_name(&typed, &found.name, found.is_folder), None);
                move_to_end(ui, Id::unique("path field"), &entry.text);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> Listing {
        let entry =
            |name: &&str| ListedEntry { name: name.trim_end_matches('/').to_owned(), is_folder: name.ends_with('/') };
        Listing { folder: "/data/".into(), entries: names.iter().map(entry).collect(), fault: None }
    }

    #[test]
    fn a_path_is_completed_as_far_as_it_is_clear() {
        let listing = listing(&["study-1/", "study-2/", "volume.nii"]);
        assert_eq!(completed(&listing, "/data/s"), "/data/study-");
        assert_eq!(completed(&listing, "/data/study-2"), "/data/study-2/");
        assert_eq!(completed(&listing, "/data/VOL"), "/data/volume.nii", "whatever the case");
        assert_eq!(completed(&listing, "/data/"), "/data/", "nothing is shared");
        assert_eq!(completed(&listing, "/other/s"), "/other/s", "that folder is not listed yet");
        assert_eq!(matching(&listing, "/data/study").len(), 2);
    }

    #[test]
    fn the_folder_of_a_path_ends_at_its_last_separator() {
        assert_eq!(folder_of("/data/study/im"), PathBuf::from("/data/study/"));
        assert_eq!(folder_of("im"), PathBuf::from("."));
        assert_eq!(folder_above("/data/study/im"), Some("/data/".to_owned()));
        assert_eq!(folder_above("/"), None);
    }
}
