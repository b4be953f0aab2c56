//! What the reader chose of the window is on disk at once and there at the next start.

use super::*;

use spinenet_viewer::picture::{ColorMap, EvidenceFill};
use spinenet_viewer::ui::action::{EvidenceAction, FileAction};
use spinenet_viewer::ui::state::{SidePanel, ViewLayout, WindowPreset};
use spinenet_viewer::volume::SectionAxis;

use super::grid::{all_loaded, choose};
use super::series::graded_examination;

#[test]
fn window_layout_colors_and_panels_are_there_at_the_next_start() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    // The edge of the panel of findings, wider by hand.
    let edge = window.state().state.view.viewport.expect("drawn").right_center() + vec2(1.0, 60.0);
    drag(&mut window, edge, edge - vec2(70.0, 0.0));
    let width = window.state().state.panel_widths.get(&SidePanel::Findings).copied().expect("dragged");
    assert!((470.0..=490.0).contains(&width), "{width}");
    window.key_press(Key::Num5);
    window.key_press(Key::P);
    window.key_press(Key::G);
    window.run();
    window.get_by_label("Planes").click();
    window.run();
    apply(&mut window, EvidenceAction::SetColorMap(ColorMap::Dusk));
    apply(&mut window, EvidenceAction::SetOpacity(0.25));
    let chosen = window.state().state.window();
    // Nothing was closed or ended: a crash loses none of it.
    let settings = folder.path().join("settings.json");
    let begun = Instant::now();
    let kept = loop {
        let text = std::fs::read(&settings).unwrap_or_default();
        let kept: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        if kept["looks"]["opacity"] == 0.25 || begun.elapsed() > Duration::from_secs(20) {
            break kept;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!((&kept["looks"]["preset"], &kept["looks"]["layout"]), (&"wide".into(), &"planes".into()));
    std::mem::forget(window);

    let again = graded_window(folder.path());
    let state = &again.state().state;
    assert_eq!((state.view.layout, state.view.preset), (ViewLayout::Planes, WindowPreset::Wide));
    assert_eq!((state.window(), state.view.smooth), (chosen, false));
    let evidence = &state.evidence;
    assert_eq!((evidence.color_map, evidence.fill, evidence.opacity), (ColorMap::Dusk, EvidenceFill::Contour, 0.25));
    assert_eq!(state.panel_widths.get(&SidePanel::Findings), Some(&width));
    let table = again.get_by_label_contains("L5-S1 Pfirrmann grade").rect();
    assert!(table.left() > SIZE.x - width, "{table:?}");
}

/// What was chosen by hand counts for the next study and the next run; what only filled an empty view does not.
#[test]
fn a_plane_chosen_for_a_view_is_there_at_the_next_start() {
    let folder = scratch();
    let (mut window, _) = graded_examination(folder.path());
    choose(&mut window, "1×3");
    wait_for(&mut window, "both series", all_loaded);
    let planes = |window: &Window| window.state().state.companions.each_ref().map(|beside| beside.plane);
    assert_eq!(planes(&window), [None; 3], "there are series for both");
    // The list of the view on the right.
    let lists = window.get_all_by_label("Series").map(|node| node.rect());
    let list = lists.max_by(|a, b| a.left().total_cmp(&b.left())).expect("one a view");
    window.hover_at(list.center());
    window.step();
    window.drag_at(list.center());
    window.drop_at(list.center());
    window.run();
    window.get_by_label_contains("Coronal plane").click();
    window.run();
    let chosen = [None, Some(SectionAxis::Column), None];
    assert_eq!(planes(&window), chosen);
    apply(&mut window, FileAction::Close);
    assert_eq!(planes(&window), [None; 3]);
    window.state_mut().open_folder(folder.path().join("study"));
    wait_for(&mut window, "the views", |viewer| viewer.state.is_graded() && viewer.state.companions[1].plane.is_some());
    assert_eq!(planes(&window), chosen, "for another study too");
    drop(window);

    let mut again = window_of(
        Handle::start("answers", Answers::default(), || ()).expect("a thread"),
        &folder.path().join("work"),
        SIZE,
        1.0,
    );
    again.state_mut().open_folder(folder.path().join("study"));
    wait_for(&mut again, "the views", |viewer| viewer.state.is_graded() && all_loaded(viewer));
    assert_eq!(planes(&again), chosen, "for another run too");
    // A series chosen in its place is what counts from then on.
    let from = again.get_by_label("Series T1 TSE SAG").rect().center();
    let target = again.get_by_label("Coronal plane").rect().center();
    drag(&mut again, from, target);
    wait_for(&mut again, "the series", all_loaded);
    apply(&mut again, FileAction::Close);
    again.state_mut().open_folder(folder.path().join("study"));
    wait_for(&mut again, "the views", |viewer| viewer.state.is_graded() && all_loaded(viewer));
    assert_eq!(planes(&again), [None; 3]);
}
