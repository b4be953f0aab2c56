//! Boxes to and from files, and on stacks thinner than the network's slices.

use super::*;
use spinenet_viewer::evaluation::iou_of_pairs;
use spinenet_viewer::spine::SliceBox;
use spinenet_viewer::ui::action::{BoxAction, FileAction, ReadAction};
use spinenet_viewer::ui::state::PathPurpose;

/// Draws a box around the middle of L4-L5 on the slice shown, 28 × 16 pixels.
fn draw(window: &mut Window) {
    window.key_press(Key::B);
    window.run();
    let [_, row, column] = disc(DiscLevel::L4L5).center_voxel;
    let at = |window: &Window, dx: f64, dy: f64| on_screen(window, DVec2::new(column + dx, row + dy));
    let (from, to) = (at(window, -14.0, -8.0), at(window, 14.0, 8.0));
    drag(window, from, to);
}

fn boxes(window: &Window) -> Vec<SliceBox> {
    window.state().state.reading.findings.boxes.clone()
}

fn chosen(window: &mut Window, purpose: PathPurpose, path: &Path) {
    window.state_mut().state.banners.clear();
    apply(window, FileAction::Chosen(purpose, path.to_owned()));
    wait_for(window, "a message", |viewer| !viewer.state.banners.is_empty());
}

#[test]
fn boxes_leave_and_come_back_in_both_forms() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    draw(&mut window);
    let drawn = boxes(&window);
    assert_eq!(drawn.len(), 1);
    let out = folder.path().join("out");
    std::fs::create_dir(&out).expect("a folder");
    for name in ["boxes.json", "boxes.coco.json"] {
        let file = out.join(name);
        chosen(&mut window, PathPurpose::SaveBoxes, &file);
        window.get_by_label(&format!("Saved: {name}"));
        let text = std::fs::read_to_string(&file).expect("written");
        assert_eq!(text.contains("\"bbox\""), name.contains("coco"), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&file).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "boxes are their reader's");
        }
        apply(&mut window, BoxAction::Select(Some(0)));
        apply(&mut window, ReadAction::DeleteSelected);
        assert!(boxes(&window).is_empty());
        chosen(&mut window, PathPurpose::LoadBoxes, &file);
        window.get_by_label("1 box was loaded.");
        let (back, was) = (boxes(&window)[0].rect, drawn[0].rect);
        assert!((back.x - was.x).abs() < 2e-3 && (back.height - was.height).abs() < 2e-3, "{back:?}");
        // Loaded once more it stays one; undo takes the first loading back.
        chosen(&mut window, PathPurpose::LoadBoxes, &file);
        assert_eq!(boxes(&window).len(), 1);
    }
    let other = std::fs::read_to_string(out.join("boxes.json")).expect("written").replace("\"1.2.3\"", "\"4.5.6\"");
    let file = out.join("other.json");
    std::fs::write(&file, other).expect("written");
    chosen(&mut window, PathPurpose::LoadBoxes, &file);
    window.get_by_label_contains("These boxes are of another series");
    // A report takes its boxes along.
    chosen(&mut window, PathPurpose::SaveReport, &out.join("report.json"));
    wait_for(&mut window, "both files", |viewer| viewer.state.banners.len() == 2);
    assert_eq!(BoxesFile::read(&out.join("report.boxes.json")).expect("written").boxes.len(), 1);
}

#[test]
fn between_the_slices_of_the_network_the_overlap_is_that_of_the_boxes_between() {
    let folder = scratch();
    let mut window = window(folder.path());
    window.state_mut().open_folder("thin".into());
    wait_for(&mut window, "six graded discs", |viewer| viewer.state.is_graded());
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %").click();
    wait_for(&mut window, "the evidence map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    let map = window.state().state.evidence.main.request.ready().cloned().expect("waited for");
    assert_eq!(map.frame.slice_step(), 4, "every fourth slice of 1 mm");
    let middle = window.state().state.view.slice;
    draw(&mut window);
    window.key_press_modifiers(Modifiers::SHIFT, Key::B);
    window.run();
    let drawn = boxes(&window)[1].clone();
    assert_eq!(drawn.slice, middle + 1);
    let state = &window.state().state;
    let volume = &state.loaded().expect("a series").volume;
    let way = state.evidence_way();
    let of_network = map.image_boxes(volume, way.percentile, way.box_rule);
    assert!(of_network.iter().all(|one| one.slice.abs_diff(middle) % 4 == 0), "{of_network:?}");
    let at = |slice: usize| of_network.iter().find(|one| one.slice == slice).expect("evidence there").rect;
    let between = at(middle).mixed(&at(middle + 4), 0.25);
    assert_eq!(state.slice_iou(middle + 1), iou_of_pairs(&[(Some(drawn.rect), Some(between))]));
    assert!(state.slice_iou(middle + 1).is_some_and(|overlap| overlap > 0.1));
    let shown = state.evidence.main.predicted_boxes.iter().find(|one| one.slice == middle + 1);
    assert_eq!(shown.map(|one| one.rect), Some(between), "and it is drawn there");
}
