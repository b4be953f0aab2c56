//! Several series in a grid of views: dragged from the list, scrolled together, one of them alone and back.

use super::series::{graded_examination, stands_beside};
use super::*;

use spinenet_viewer::ui::action::{FileAction, ViewAction};
use spinenet_viewer::ui::state::{SeriesGrid, ViewLayout};

/// Where the title of a series in the list lies.
fn listed(window: &Window, title: &str) -> Pos2 {
    window.get_by_label(&format!("Series {title}")).rect().center()
}

/// The series of each view beside the slice.
fn titles(window: &Window) -> Vec<&str> {
    let state = &window.state().state;
    let title = |index: usize| state.study.series_list[index].title.as_str();
    state.shown_beside().iter().map(|beside| beside.index.map_or("", title)).collect()
}

pub(crate) fn all_loaded(viewer: &Viewer<Answers>) -> bool {
    let beside = viewer.state.shown_beside();
    !beside.is_empty() && beside.iter().all(|beside| beside.index.is_none() || beside.image.ready().is_some())
}

/// Chooses a grid in the menu of the layouts.
pub(crate) fn choose(window: &mut Window, grid: &str) {
    window.get_by_label("Grid").click();
    window.run();
    window.get_by_label(grid).click();
    window.run();
}

/// Two clicks; the clock of the tests, a quarter of a second a frame, runs faster than a hand.
pub(crate) fn double_click(window: &mut Window, at: Pos2) {
    window.ctx.options_mut(|options| options.input_options.max_double_click_delay = 2.0);
    // Apart from the clicks before.
    window.run_steps(12);
    window.hover_at(at);
    window.step();
    for pressed in [true, false, true, false] {
        let (button, modifiers) = (egui::PointerButton::Primary, Modifiers::NONE);
        window.event(Event::PointerButton { pos: at, button, pressed, modifiers });
    }
    window.run();
}

#[test]
fn a_series_is_dragged_into_a_view_and_all_views_show_the_same_place() {
    let folder = scratch();
    let (mut window, graded) = graded_examination(folder.path());
    choose(&mut window, "1×3");
    wait_for(&mut window, "both series", all_loaded);
    assert_eq!(titles(&window), ["T2 TSE AX", "T1 TSE SAG"], "axial images first");

    // T1 into the first view: both show it now, and what was read stays.
    let target = window.get_by_label_contains("Series beside").rect().center();
    let from = listed(&window, "T1 TSE SAG");
    drag(&mut window, from, target);
    wait_for(&mut window, "the dragged series", all_loaded);
    assert_eq!(titles(&window), ["T1 TSE SAG", "T1 TSE SAG"]);
    let from = listed(&window, "T2 TSE AX");
    let target = window.get_by_label_contains("Series in view 3").rect().center();
    drag(&mut window, from, target);
    wait_for(&mut window, "the dragged series", all_loaded);
    assert_eq!(titles(&window), ["T1 TSE SAG", "T2 TSE AX"]);
    assert_eq!(graded.lock().expect("not poisoned").len(), 6, "nothing was graded again");

    // The wheel over one view moves them all.
    let slices = |window: &Window| -> Vec<usize> {
        let state = &window.state().state;
        [state.view.slice].into_iter().chain(state.shown_beside().iter().map(|beside| beside.slice)).collect()
    };
    let before = slices(&window);
    let t1 = window.get_by_label_contains("Series beside").rect().center();
    wheel(&mut window, t1, -1.0, Modifiers::NONE);
    assert_eq!(slices(&window)[..2], [before[0] + 1, before[1] + 1]);
    assert_eq!(window.state().state.active, 0, "it is the one that is worked with");
    let before = slices(&window);
    let axial = window.get_by_label_contains("Series in view 3").rect().center();
    wheel(&mut window, axial, -1.0, Modifiers::NONE);
    assert_eq!(slices(&window)[2], before[2] + 1);
    assert_eq!(window.state().state.active, 1);
    // A click in the list goes to the view that is worked with.
    window.get_by_label("Series T1 TSE SAG").click();
    window.run();
    assert_eq!(titles(&window), ["T1 TSE SAG", "T2 TSE AX"], "what is in sight already stays where it is");
}

#[test]
fn a_view_is_alone_after_a_double_click_and_among_the_others_after_the_next() {
    let folder = scratch();
    let (mut window, _) = graded_examination(folder.path());
    choose(&mut window, "2×2");
    wait_for(&mut window, "the series", all_loaded);
    assert_eq!(titles(&window), ["T2 TSE AX", "T1 TSE SAG", ""], "there is no third one");
    let cell = window.get_by_label_contains("Series beside").rect();
    double_click(&mut window, cell.center());
    let alone = window.get_by_label_contains("Series beside").rect();
    assert!(alone.area() > 3.0 * cell.area(), "{cell:?} {alone:?}");
    assert!(window.query_by_label_contains("Series in view 3").is_none());
    double_click(&mut window, alone.center());
    assert_eq!(window.get_by_label_contains("Series beside").rect(), cell);
    // The slice itself, too.
    let slice = window.state().state.view.viewport.expect("drawn");
    double_click(&mut window, slice.left_center() + vec2(30.0, 0.0));
    assert_eq!(window.state().state.view.maximized, Some(0));
    assert!(window.query_by_label_contains("Series beside").is_none());
    window.key_press(Key::L);
    window.run();
    assert_eq!((window.state().state.view.layout, window.state().state.view.maximized), (ViewLayout::Single, None));
}

#[test]
fn a_series_dropped_on_the_slice_goes_beside_it() {
    let folder = scratch();
    let (mut window, graded) = graded_examination(folder.path());
    let from = listed(&window, "T2 TSE AX");
    let target = window.state().state.view.viewport.expect("drawn").center();
    drag(&mut window, from, target);
    wait_for(&mut window, "the series", |viewer| stands_beside(viewer, "T2 TSE AX"));
    assert_eq!(window.state().state.view.layout, ViewLayout::Series(SeriesGrid::OneByTwo));
    assert_eq!(graded.lock().expect("not poisoned").len(), 6);
    // By the keyboard's menu it goes into a view by its number.
    apply(&mut window, ViewAction::SetLayout(ViewLayout::Series(SeriesGrid::OneByThree)));
    wait_for(&mut window, "the series", all_loaded);
    window.get_by_label("Series T1 TSE SAG").click_secondary();
    window.run();
    window.get_by_label("Show in view 2").click();
    window.run();
    wait_for(&mut window, "the series", all_loaded);
    assert_eq!(titles(&window)[0], "T1 TSE SAG");
    // Closing forgets them all.
    apply(&mut window, FileAction::Close);
    assert!(window.state().state.companions.iter().all(|beside| beside.index.is_none()));
}
