//! Hands that are faster than the frames, and a window in which nothing moves away from under them.

use eframe::egui::accesskit::Role;
use eframe::egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, vec2};
use egui_kittest::kittest::Queryable;
use glam::DVec2;
use spinenet_viewer::language::Language;
use spinenet_viewer::spine::{DiscLevel, Grading};
use spinenet_viewer::ui::action::{BoxAction, ProgramAction, ReadAction};
use spinenet_viewer::ui::state::{Selection, Tool};

use super::{Window, apply, disc, explained_window, graded_window, on_screen, scratch};

/// Everything that happened while one slow frame was drawn.
fn at_once(window: &mut Window, events: Vec<Event>) {
    window.input_mut().events.extend(events);
    window.run();
}

fn key(key: Key, modifiers: Modifiers) -> [Event; 2] {
    let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
    [event(true), event(false)]
}

fn button(pos: Pos2, pressed: bool) -> Event {
    Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE }
}

fn comment_field(window: &Window) -> Rect {
    window.get_by_role(Role::MultilineTextInput).rect()
}

fn drag(from: Pos2, to: Pos2) -> [Event; 5] {
    let moved = Event::PointerMoved;
    [moved(from), button(from, true), moved(from.lerp(to, 0.5)), moved(to), button(to, false)]
}

#[test]
fn a_box_is_drawn_within_one_slow_frame() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let center = disc(DiscLevel::L4L5).center_voxel;
    let at = |window: &Window, dx, dy| on_screen(window, DVec2::new(center[2] + dx, center[1] + dy));
    let (from, to) = (at(&window, -14.0, -8.0), at(&window, 14.0, 8.0));
    let events = key(Key::B, Modifiers::NONE).into_iter().chain(drag(from, to)).collect();
    at_once(&mut window, events);
    let boxes = &window.state().state.reading.findings.boxes;
    assert_eq!(boxes.len(), 1);
    assert!((boxes[0].rect.width - 28.0).abs() < 1.5 && (boxes[0].rect.height - 16.0).abs() < 1.5, "from end to end");
}

#[test]
fn a_short_drag_within_one_frame_sets_the_window() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let before = window.state().state.window();
    let at = on_screen(&window, DVec2::new(30.0, 30.0));
    at_once(&mut window, drag(at, at + vec2(30.0, -20.0)).to_vec());
    let after = window.state().state.window();
    assert!(after.width > before.width && after.center < before.center);
}

/// The button is pressed in one frame and let go in another, more than a second later.
#[test]
fn a_click_is_not_lost_between_slow_frames() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let at = window.get_by_label("View").rect().center();
    window.input_mut().events.extend([Event::PointerMoved(at), button(at, true)]);
    // A frame of the tests is a quarter of a second.
    window.run_steps(6);
    window.input_mut().events.push(button(at, false));
    window.run();
    window.get_by_label_contains("Invert gray values");
}

#[test]
fn letters_are_text_where_a_text_is_meant() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let camera = window.state().state.view.camera;
    let field = comment_field(&window).center();
    let letters = "bnr".chars().zip([Key::B, Key::N, Key::R]);
    let typed = letters.flat_map(|(letter, pressed)| {
        let [down, up] = key(pressed, Modifiers::NONE);
        [down, Event::Text(letter.to_string()), up]
    });
    let click = [Event::PointerMoved(field), button(field, true), button(field, false)];
    at_once(&mut window, click.into_iter().chain(typed).collect());
    let state = &window.state().state;
    assert_eq!(state.reading.findings.review.comment_of(DiscLevel::L4L5), "bnr");
    assert!(state.view.tool == Tool::Window && !state.view.inverted && state.view.camera == camera);
    // Escape leaves the field and nothing else.
    window.key_press(Key::V);
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(window.state().state.view.tool, Tool::Window, "V was typed");
    window.key_press(Key::N);
    window.run();
    assert!(window.state().state.view.inverted, "the field was left");
}

#[test]
fn letters_behind_the_key_of_the_palette_are_its_text() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let open = key(Key::P, Modifiers::COMMAND);
    let [down, up] = key(Key::N, Modifiers::NONE);
    at_once(&mut window, open.into_iter().chain([down, Event::Text("n".to_owned()), up]).collect());
    assert_eq!(window.state().state.palette.as_deref(), Some("n"));
    assert!(!window.state().state.view.inverted);
}

#[test]
fn escape_closes_menus_then_pages_and_messages_one_at_a_time() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let escape = |window: &mut Window| {
        window.key_press(Key::Escape);
        window.run();
    };
    window.key_press(Key::B);
    window.key_press(Key::F1);
    window.run();
    apply(&mut window, ProgramAction::EditPalette(Some(String::new())));
    escape(&mut window);
    assert!(window.state().state.palette.is_none() && window.state().state.page.is_some());
    escape(&mut window);
    assert_eq!(window.state().state.page, None);
    assert_eq!(window.state().state.view.tool, Tool::Box);
    window.get_by_label("View").click();
    window.run();
    window.get_by_label_contains("Invert gray values");
    escape(&mut window);
    assert!(window.query_by_label_contains("Invert gray values").is_none(), "the menu is closed");
    assert_eq!(window.state().state.view.tool, Tool::Box, "and nothing else");
    escape(&mut window);
    assert_eq!(window.state().state.view.tool, Tool::Window);
}

/// Whatever is said above it, the editor stays where it is; messages move nothing at all.
#[test]
fn nothing_moves_away_from_under_the_pointer() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let table = window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %").rect();
    let selection = Selection { level: DiscLevel::L2L3, grading: Grading::UpperEndplateDefect };
    apply(&mut window, ReadAction::Select(selection));
    let field = comment_field(&window);
    let sentences = window.state().state.reading.summary.sentences(Language::ENGLISH);
    apply(&mut window, ReadAction::SetGrade { selection, class: Some(1) });
    assert_ne!(window.state().state.reading.summary.sentences(Language::ENGLISH), sentences, "a line appeared");
    assert_eq!(comment_field(&window), field);
    // There is no box to copy, and a message says so.
    apply(&mut window, BoxAction::Copy(1));
    assert_eq!(window.state().state.banners.len(), 1);
    assert_eq!(window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %").rect(), table);
    assert_eq!(comment_field(&window), field);
}
