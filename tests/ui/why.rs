//! Why a grade: the image shows its disc, and all that explains it is in sight at once.

use super::*;
use spinenet_viewer::language::Language;
use spinenet_viewer::ui::action::ProgramAction;
use spinenet_viewer::ui::command::UiCommand;

const WORST: &str = "L4-L5 Pfirrmann grade: V, 85 %";

/// A window of some size after a click on the worst grade.
fn explained(folder: &Path, size: Vec2) -> Window {
    let worker = Handle::start("answers", Answers::default(), || ()).expect("a thread");
    let mut window = window_of(worker, folder, size, 1.0);
    window.state_mut().open_folder(study());
    wait_for(&mut window, "the grades", |viewer| viewer.state.is_graded());
    window.get_by_label(WORST).click();
    wait_for(&mut window, "the evidence map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    window
}

#[test]
fn grades_classes_reason_and_switches_are_in_sight_at_once() {
    for size in [vec2(1024.0, 700.0), vec2(1280.0, 800.0), vec2(2560.0, 1440.0)] {
        let folder = scratch();
        let window = explained(folder.path(), size);
        let table = ["T12-L1", "L5-S1"].map(|level| {
            let cell = format!("{level} Pfirrmann grade");
            window.get_by_label_contains(&cell).rect()
        });
        let classes = ["I: 15 %", "II: 0 %", "III: 0 %", "IV: 0 %", "V: 85 %"].map(|it| window.get_by_label(it).rect());
        let reason = window.get_by_label_contains("Measured: height").rect();
        let switches = ["Evidence", "filled", "graded", "contour"].map(|it| window.get_by_label(it).rect());
        let from_top = [table[0], table[1], classes[0], reason, switches[0]];
        assert!(from_top.windows(2).all(|pair| pair[0].bottom() <= pair[1].top() + 0.5), "{size}: {from_top:?}");
        let whole = egui::Rect::from_min_size(Pos2::ZERO, size);
        for shown in table.iter().chain(&classes).chain([&reason]).chain(&switches) {
            assert!(whole.contains_rect(*shown), "{size}: {shown}");
        }
        assert!(classes.windows(2).all(|pair| pair[0].right() < pair[1].left()), "{classes:?}");
    }
}

#[test]
fn a_reason_is_what_was_measured_and_a_class_is_one_click() {
    let folder = scratch();
    let mut window = explained(folder.path(), SIZE);
    let reason = window.state().state.reading.summary.abnormal()[0].reason(Grading::Pfirrmann, Language::ENGLISH);
    // The middles of the endplates lie ten rows and nine columns of 0.7 mm apart.
    assert!(reason.contains("height 9.4 mm") && reason.contains("signal 0."), "{reason}");
    window.get_by_label(&reason);
    window.get_by_label("IV: 0 %").click();
    window.run();
    window.get_by_label("L4-L5 Pfirrmann grade: IV by the reader, computed V");
    window.get_by_label("V: 85 %").click();
    window.run();
    window.get_by_label(WORST);
}

#[test]
fn the_image_goes_to_the_disc_of_a_grade_and_stays_where_the_reader_has_it() {
    let folder = scratch();
    let mut window = explained(folder.path(), SIZE);
    let camera = |window: &Window| window.state().state.view.camera;
    let viewport = window.state().state.view.viewport.expect("drawn");
    let disc = disc(DiscLevel::L4L5);
    let slice = window.state().state.view.slice as f64;
    let upper = disc.upper.corners_at(slice).expect("an outline");
    let [front, back] = [upper.ia, upper.ip].map(|corner| on_screen(&window, corner));
    let share = front.distance(back) / viewport.width();
    assert!((0.3..0.7).contains(&share), "the disc fills {share} of the width");
    // Another grade of the same disc, and what is pointed at on the image, leave the image alone.
    window.key_press(Key::F);
    window.run();
    let fitted = camera(&window);
    window.get_by_label("L4-L5 Disc narrowing: 4, 85 %").click();
    window.run();
    assert_eq!(camera(&window), fitted);
    window.get_by_label("Disc L2-L3").click();
    window.run();
    assert_eq!(window.state().state.reading.selection.expect("selected").level, DiscLevel::L2L3);
    assert_eq!(camera(&window), fitted);
    window.get_by_label(WORST).click();
    window.run();
    assert!(camera(&window).expect("zoomed").zoom > 2.0);
    // Who does not want it says so once.
    window.key_press(Key::F);
    apply(&mut window, UiCommand::ToggleDiscZoom.action());
    let fitted = camera(&window);
    window.get_by_label_contains("L1-L2 Pfirrmann grade").click();
    window.run();
    assert_eq!(camera(&window), fitted);
    drop(window);
    let window = explained(folder.path(), SIZE);
    assert_eq!(camera(&window), None, "the habit is kept");
}

/// Share of the window's width that the image has.
fn image_share(window: &Window) -> f32 {
    window.state().state.view.viewport.expect("drawn").width() / window.ctx.content_rect().width()
}

#[test]
fn the_image_keeps_most_of_a_narrow_window_and_all_of_it_without_the_panels() {
    let folder = scratch();
    let mut window = explained(folder.path(), vec2(960.0, 600.0));
    assert!(image_share(&window) >= 0.6, "{}", image_share(&window));
    assert!(window.query_by_label("Series T1 TSE sagittal").is_none());
    window.key_press(Key::F8);
    window.run();
    window.get_by_label("Series T1 TSE sagittal");
    window.key_press(Key::F8);
    window.key_press(Key::F9);
    window.run();
    assert!(image_share(&window) > 0.97, "{}", image_share(&window));
    assert!(window.query_by_label(WORST).is_none());
    drop(window);
    let worker = Handle::start("answers", Answers::default(), || ()).expect("a thread");
    let mut window: Window = window_of(worker, folder.path(), vec2(960.0, 600.0), 1.0);
    window.state_mut().open_folder(study());
    wait_for(&mut window, "the grades", |viewer| viewer.state.is_graded());
    assert!(window.query_by_label(WORST).is_none(), "the habit is kept");
    window.key_press(Key::F9);
    window.run();
    window.get_by_label(WORST);
}

/// Whole windows to look at: `SPINENET_PICTURES=FOLDER cargo test --test ui -- --ignored windows_to_look_at`.
#[test]
#[ignore = "writes pictures for the eye"]
fn windows_to_look_at() {
    let out = PathBuf::from(std::env::var_os("SPINENET_PICTURES").expect("a folder"));
    let sizes = [[960.0, 600.0], [1024.0, 700.0], [1280.0, 800.0], [1440.0, 900.0], [2560.0, 1440.0]];
    for [width, height] in sizes {
        let folder = scratch();
        let mut window = explained(folder.path(), vec2(width, height));
        for theme in ["dark", "light"] {
            let name = format!("{width}x{height}-{theme}.png");
            picture(&mut window).save(out.join(name)).expect("written");
            apply(&mut window, ProgramAction::ToggleTheme);
        }
    }
}
