//! What the reader chose of the window is on disk at once and there at the next start.

use super::*;

use spinenet_viewer::picture::{ColorMap, EvidenceFill};
use spinenet_viewer::ui::action::EvidenceAction;
use spinenet_viewer::ui::state::{SidePanel, ViewLayout, WindowPreset};

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
