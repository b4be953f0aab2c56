//! The window without a mouse.

use std::collections::BTreeSet;

use super::*;
use egui_kittest::kittest::NodeT;
use spinenet_viewer::ui::state::Pane;

/// Presses Tab until the focus comes round, and notes what had it.
fn round(window: &mut Window) -> BTreeSet<String> {
    let mut met = BTreeSet::new();
    for _ in 0..140 {
        window.key_press(Key::Tab);
        window.run();
        if let Some(node) = window.root().children_recursive().find(|node| node.accesskit_node().is_focused()) {
            let node = node.accesskit_node();
            let name = node.label().unwrap_or_default();
            met.insert(format!("{:?} {name}", node.role()));
        }
    }
    met
}

fn has(met: &BTreeSet<String>, part: &str) -> bool {
    met.iter().any(|name| name.contains(part))
}

#[test]
fn tab_reaches_everything_on_the_first_page() {
    let folder = scratch();
    let mut window = window(folder.path());
    let met = round(&mut window);
    for part in ["File", "Help", "Open folder…", "Open from archive…", "Open demo"] {
        assert!(has(&met, part), "{part}: {met:#?}");
    }
}

#[test]
fn tab_reaches_the_table_the_comment_the_reader_and_the_sliders() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let met = round(&mut window);
    for part in ["Table of grades", "MultilineTextInput", "Reader", "Slider", "Sign off", "Report…", "Measure"] {
        assert!(has(&met, part), "{part}: {met:#?}");
    }
    assert!(!has(&met, "Pfirrmann grade: V"), "the table is one stop");
}

#[test]
fn a_table_with_the_keyboard_takes_the_arrows_and_shows_where_it_is() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    window.get_by_label("Table of grades").focus();
    window.run();
    let selection = |window: &Window| window.state().state.reading.selection.expect("one");
    window.key_press(Key::ArrowRight);
    window.run();
    assert_eq!(selection(&window).grading, Grading::DiscNarrowing);
    window.key_press(Key::ArrowUp);
    window.run();
    assert_eq!(selection(&window).level, DiscLevel::L3L4);
    assert_eq!(window.state().state.view.pane, Pane::Table);
}

#[test]
fn a_menu_is_opened_walked_and_used_by_keys() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    window.get_by_label("View").focus();
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert!(window.query_by_label_contains("Invert gray values").is_some(), "open");
    for _ in 0..60 {
        window.key_press(Key::Tab);
        window.run();
        let focused = window.root().children_recursive().find(|node| node.accesskit_node().is_focused());
        if focused
            .and_then(|node| node.accesskit_node().label())
            .is_some_and(|name| name.contains("Invert gray values"))
        {
            break;
        }
    }
    window.key_press(Key::Enter);
    window.run();
    assert!(window.state().state.view.inverted, "the item was used");
}
