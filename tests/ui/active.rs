//! Keys and menus go to the view that was worked with last: the slice, another series, or a plane.

use super::grid::{all_loaded, choose};
use super::series::graded_examination;
use super::*;

use spinenet_viewer::ui::action::FileAction;
use spinenet_viewer::ui::state::{Pane, WindowPreset};
use spinenet_viewer::volume::SectionAxis;

/// A grid of two rows: the slice and the axial series above, T1 and the axial plane below.
fn four_views(folder: &Path) -> Window {
    let (mut window, _) = graded_examination(folder);
    choose(&mut window, "2×2");
    wait_for(&mut window, "the series", all_loaded);
    window
}

fn click_on(window: &mut Window, label: &str) {
    let at = window.get_by_label_contains(label).rect().center();
    window.hover_at(at);
    window.step();
    window.drag_at(at);
    window.drop_at(at);
    window.run();
}

fn press(window: &mut Window, key: Key) {
    window.key_press(key);
    window.run();
}

#[test]
fn arrow_keys_leaf_the_view_that_was_clicked() {
    let folder = scratch();
    let mut window = four_views(folder.path());
    // Not linked, so that each leafs by itself.
    click_on(&mut window, "Series beside");
    window.key_press_modifiers(Modifiers::SHIFT, Key::L);
    window.run();
    let slices = |window: &Window| {
        let state = &window.state().state;
        [state.view.slice, state.companions[0].slice]
    };
    let [slice, axial] = slices(&window);
    assert_eq!(window.state().state.keyed_beside(), Some(0));
    press(&mut window, Key::ArrowDown);
    press(&mut window, Key::ArrowDown);
    assert_eq!(slices(&window), [slice, axial + 2], "the axial series, not the slice");
    press(&mut window, Key::Home);
    assert_eq!(slices(&window), [slice, 0]);
    press(&mut window, Key::End);
    let last = window.state().state.companions[0].image.ready().expect("loaded").volume.slices() - 1;
    assert_eq!(slices(&window), [slice, last]);
    // Back to the slice by a click on it.
    let at = window.state().state.view.viewport.expect("drawn").left_center() + vec2(30.0, 0.0);
    window.hover_at(at);
    window.step();
    window.drag_at(at);
    window.drop_at(at);
    window.run();
    let slice = slices(&window)[0];
    press(&mut window, Key::ArrowUp);
    assert_eq!(slices(&window), [slice - 1, last]);
    // In a layout without the other view the keys are the slice's.
    window.state_mut().state.view.pane = Pane::Beside;
    press(&mut window, Key::L);
    press(&mut window, Key::ArrowUp);
    assert_eq!(slices(&window)[0], slice - 2);
}

#[test]
fn windows_and_fit_are_those_of_the_view_that_was_clicked() {
    let folder = scratch();
    let mut window = four_views(folder.path());
    let read = window.state().state.window();
    let axial = |window: &Window| window.state().state.companions[0].window;
    click_on(&mut window, "Series beside");
    press(&mut window, Key::Num5);
    let wide = axial(&window).expect("set by the key");
    let of_series = window.state().state.companions[0].image.ready().expect("loaded").default_window;
    assert!(wide.width > 1.2 * of_series.width, "{wide:?} {of_series:?}");
    assert_eq!((window.state().state.window(), window.state().state.view.preset), (read, WindowPreset::Vertebrae));
    let at = window.get_by_label_contains("Series beside").rect().center();
    wheel(&mut window, at, 3.0, Modifiers::COMMAND);
    assert!(window.state().state.companions[0].camera.is_some(), "zoomed");
    press(&mut window, Key::F);
    assert_eq!(window.state().state.companions[0].camera, None);
    press(&mut window, Key::Num1);
    assert_eq!(window.state().state.active_window(), of_series);
}

#[test]
fn planes_are_views_of_the_grid() {
    let folder = scratch();
    let mut window = four_views(folder.path());
    let planes = |window: &Window| window.state().state.companions.each_ref().map(|beside| beside.plane);
    assert_eq!(planes(&window), [None, None, Some(SectionAxis::Row)], "what no series fills shows the axial plane");
    let plane = window.get_by_label("Axial plane").rect();
    assert!(plane.width() > 200.0 && plane.height() > 150.0, "{plane}");
    // A click on it moves the slice; its keys move the crosshair along the spine.
    click_on(&mut window, "Axial plane");
    let [row, column] = window.state().state.crosshair();
    press(&mut window, Key::ArrowDown);
    assert_eq!(window.state().state.crosshair(), [row + 1.0, column]);
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowUp);
    window.run();
    assert_eq!(window.state().state.crosshair(), [row - 9.0, column]);
    // The coronal one is chosen in the view's own list, in the place of T1.
    let lists: Vec<_> = window.get_all_by_label("Series").map(|node| node.rect().center()).collect();
    let list = lists.into_iter().filter(|at| at.y > plane.top() - 60.0).min_by(|a, b| a.x.total_cmp(&b.x));
    click_at(&mut window, list.expect("the list of the view in the corner"));
    window.get_by_label_contains("Coronal plane").click();
    window.run();
    assert_eq!(planes(&window), [None, Some(SectionAxis::Column), Some(SectionAxis::Row)]);
    let coronal = window.state().state.reading.planes[1].as_ref().expect("made");
    assert_eq!(coronal.at, window.state().state.crosshair()[1].round());
    // Alone and back.
    let cell = window.get_by_label("Coronal plane").rect();
    super::grid::double_click(&mut window, cell.center());
    assert!(window.get_by_label("Coronal plane").rect().area() > 3.0 * cell.area());
    super::grid::double_click(&mut window, cell.center());
    // A series takes the place of a plane.
    let from = window.get_by_label("Series T1 TSE SAG").rect().center();
    let target = window.get_by_label("Axial plane").rect().center();
    drag(&mut window, from, target);
    wait_for(&mut window, "the series", all_loaded);
    assert_eq!(planes(&window), [None, Some(SectionAxis::Column), None]);
}

/// A window is kept under a name, and looks alike on a scan ten times as bright.
#[test]
fn a_window_of_the_readers_own_has_a_name_and_a_key_and_fits_other_scans() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let at = on_screen(&window, DVec2::new(30.0, 30.0));
    drag(&mut window, at, at + vec2(80.0, -60.0));
    let chosen = window.state().state.window();
    window.get_by_label("W/L").click();
    window.run();
    window.get_by_label("Keep");
    window.get_by_label("Keep as").focus();
    window.run();
    // B, N and 5 are letters here, and the menu stays open.
    for letter in ["B", "o", "n", "e", "5"] {
        window.event(Event::Text(letter.to_owned()));
    }
    window.run();
    window.get_by_label("Keep").click();
    window.run();
    assert_eq!(window.state().state.windows[0].name, "Bone5");
    assert_eq!(window.state().state.window(), chosen);
    press(&mut window, Key::Escape);
    press(&mut window, Key::Num4);
    assert_ne!(window.state().state.window(), chosen);
    press(&mut window, Key::Num6);
    let again = window.state().state.window();
    assert!((again.width / chosen.width - 1.0).abs() < 1e-3 && (again.center / chosen.center - 1.0).abs() < 1e-3);
    // What is not there is told.
    press(&mut window, Key::Num7);
    window.get_by_label_contains("You have kept no window 2 yet");
    drop(window);

    // The next start has it, for the next series too, in terms of that series.
    let mut window = graded_window(folder.path());
    assert_eq!(window.state().state.windows[0].name, "Bone5");
    assert!((window.state().state.window().width / chosen.width - 1.0).abs() < 1e-3, "it is the one chosen last");
    apply(&mut window, FileAction::Close);
    window.state_mut().open_folder("large".into());
    wait_for(&mut window, "the large scan", |viewer| {
        viewer.state.loaded().is_some_and(|series| series.volume.rows() == 1024)
    });
    let other = window.state().state.window();
    assert!(other.width > 0.0 && (other.width / chosen.width - 1.0).abs() > 0.2, "{other:?} {chosen:?}");
    window.get_by_label("W/L").click();
    window.run();
    window.get_by_label("×").click();
    window.run();
    assert!(window.state().state.windows.is_empty());
}

/// Numbers in the menu are typed without the menu closing.
#[test]
fn width_and_level_are_typed() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    window.get_by_label("W/L").click();
    window.run();
    let width = window.get_by_label("Width").rect().center();
    click_at(&mut window, width);
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.event(Event::Text("432".to_owned()));
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(window.state().state.window().width, 432.0);
}

fn click_at(window: &mut Window, at: Pos2) {
    window.hover_at(at);
    window.step();
    window.drag_at(at);
    window.drop_at(at);
    window.run();
}
