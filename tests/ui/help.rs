//! What helps a reader who is new: what the program is, how to begin, and commands found by what one would type.

use super::*;
use spinenet_viewer::records::WeightsUsed;
use spinenet_viewer::ui::action::{EvidenceAction, ProgramAction, ReadAction};
use spinenet_viewer::ui::command::UiCommand;
use spinenet_viewer::ui::state::Page;

fn typed(window: &mut Window, text: &str) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.run();
    window.event(Event::Text(text.to_owned()));
    window.run();
}

#[test]
fn about_names_version_weights_with_hash_and_device() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let sha256 = "ab".repeat(32);
    let used = WeightsUsed { name: "grading-3d".to_owned(), version: "0.4.0".to_owned(), sha256: sha256.clone() };
    window.state_mut().state.weights = vec![used];
    window.state_mut().state.device = "cpu".to_owned();
    window.get_by_label("Help").click();
    window.run();
    window.get_by_label_contains("About this program").click();
    window.run();
    assert_eq!(window.state().state.page, Some(Page::About));
    window.get_by_label_contains(env!("CARGO_PKG_VERSION"));
    window.get_by_label_contains(&sha256);
    window.get_by_label(&folder.path().display().to_string());
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(window.state().state.page, None);
}

#[test]
fn a_disc_is_renamed_by_a_reader_who_types_rename() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    typed(&mut window, "rename");
    window.get_by_label_contains("The selected disc is one level lower");
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(window.state().state.reading.findings.vertebrae[0].label, VertebraLabel::T11, "one level higher");
    typed(&mut window, "rename");
    window.key_press(Key::ArrowDown);
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(window.state().state.reading.findings.vertebrae[0].label, VertebraLabel::T12, "and back");
}

#[test]
fn the_first_minute_is_guided_and_comes_by_itself_once() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    apply(&mut window, ReadAction::SetReader("AB".to_owned()));
    apply(&mut window, ProgramAction::Tour(Some(0)));
    window.get_by_label("First minute, 1 of 5");
    assert!(window.query_by_label_contains("Done.").is_none());
    let selection = Selection { level: DiscLevel::L4L5, grading: Grading::DiscNarrowing };
    apply(&mut window, ReadAction::Select(selection));
    window.get_by_label("Done. Go on when you like.");
    window.get_by_label("Next").click();
    window.run();
    window.get_by_label("First minute, 2 of 5");
    apply(&mut window, EvidenceAction::Toggle);
    window.get_by_label("Done. Go on when you like.");
    for _ in 2..5 {
        window.get_by_label("Next").click();
        window.run();
    }
    window.get_by_label("End").click();
    window.run();
    assert_eq!(window.state().state.tour, None);
    drop(window);
    let mut window =
        window_of(Handle::start("answers", Answers::default(), || ()).expect("a thread"), folder.path(), SIZE, 1.0);
    window.get_by_label("Open demo").click();
    wait_for(&mut window, "the answer", |viewer| !viewer.state.banners.is_empty());
    assert_eq!(window.state().state.tour, None, "it was shown before");
}

#[test]
fn keys_stand_in_groups() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    window.key_press(Key::F1);
    window.run();
    for (group, commands) in UiCommand::GROUPS {
        assert!(window.query_all_by_label(group).next().is_some(), "{group}");
        assert!(!commands.is_empty());
    }
    let grouped: usize = UiCommand::GROUPS.iter().map(|(_, commands)| commands.len()).sum();
    assert_eq!(grouped, UiCommand::ALL.len());
}
