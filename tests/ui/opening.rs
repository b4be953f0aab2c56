//! Opening where the system has no file dialog, and opening that fails.

use super::*;
use spinenet_viewer::ui::action::FileAction;
use spinenet_viewer::ui::path::PathEntry;
use spinenet_viewer::ui::state::PathPurpose;

fn typed(window: &Window) -> String {
    window.state().state.path_entry.as_ref().expect("the field is open").text.clone()
}

#[test]
fn a_path_is_typed_completed_and_browsed() {
    let folder = scratch();
    for name in ["studies/thin", "studies/other"] {
        std::fs::create_dir_all(folder.path().join(name)).expect("a folder");
    }
    let mut window = window(&folder.path().join("work"));
    let text = format!("{}/", folder.path().display());
    let listed = |folder: &Path| {
        let folder = folder.join("");
        move |viewer: &Viewer<Answers>| viewer.state.listing.folder == folder
    };
    apply(&mut window, FileAction::EditPath(Some(PathEntry { purpose: PathPurpose::OpenStudy, text, row: None })));
    wait_for(&mut window, "the folder", listed(folder.path()));
    window.event(Event::Text("st".to_owned()));
    window.run();
    window.key_press(Key::Tab);
    window.run();
    assert_eq!(typed(&window), format!("{}/studies/", folder.path().display()));
    wait_for(&mut window, "its folders", listed(&folder.path().join("studies")));
    // By mouse: into a folder and out again.
    window.get_by_label("other/").click();
    window.run();
    assert!(typed(&window).ends_with("studies/other/"));
    window.get_by_label("Folder above").click();
    window.run();
    wait_for(&mut window, "its folders", listed(&folder.path().join("studies")));
    assert!(typed(&window).ends_with("/studies/"));
    // By keys: down to the second one, into it, and open it.
    for key in [Key::ArrowDown, Key::ArrowDown, Key::Enter] {
        window.key_press(key);
        window.run();
    }
    assert!(typed(&window).ends_with("/studies/thin/"), "{}", typed(&window));
    window.key_press(Key::Enter);
    wait_for(&mut window, "six graded discs", |viewer| viewer.state.is_graded());
    assert_eq!(window.state().state.path_entry, None);
}

#[test]
fn escape_leaves_the_field_and_nothing_else() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let entry = PathEntry { purpose: PathPurpose::SaveReport, text: String::new(), row: None };
    apply(&mut window, FileAction::EditPath(Some(entry)));
    window.get_by_label("Save the report");
    window.key_press(Key::Escape);
    window.run();
    let state = &window.state().state;
    assert!(state.path_entry.is_none() && state.loaded().is_some());
}

#[test]
fn a_failed_open_leaves_everything_as_it_was() {
    let folder = scratch();
    let mut window = window(folder.path());
    for (bad, told) in [("broken", "The study could not be opened"), ("empty", "No DICOM images were found")] {
        window.state_mut().open_folder(bad.into());
        wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
        window.get_by_label_contains(told);
        window.get_by_label("Open demo");
        assert_eq!(window.state().state.banners.len(), 1, "told once");
        assert!(window.state().state.recent.is_empty(), "it is no study");
        window.get_by_label("Dismiss").click();
        window.run();
    }
}
