//! Whole windows as a reader sees them, in the sizes that screens have.

use super::series::{examination, stands_beside};
use super::*;

use spinenet_viewer::spine::MeasurementKind;
use spinenet_viewer::ui::action::{FileAction, MeasureAction, ProgramAction, ReadAction, ViewAction};
use spinenet_viewer::ui::state::{Page, SeriesGrid, ViewLayout};

/// A window with nothing open, for a reader whose name does not depend on the machine.
fn empty(folder: &Path, size: Vec2, scale: f32) -> Window {
    let worker = Handle::start("answers", Answers::default(), || ()).expect("a thread");
    let mut window = window_of(worker, folder, size, scale);
    apply(&mut window, ReadAction::SetReader("Reader".to_owned()));
    window
}

/// The study open and graded, with the worst grade explained.
pub(crate) fn explained(folder: &Path, size: Vec2, scale: f32) -> Window {
    let mut window = empty(folder, size, scale);
    window.state_mut().open_folder(study());
    wait_for(&mut window, "the grades", |viewer| viewer.state.is_graded());
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %").click();
    wait_for(&mut window, "the evidence map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    window
}

fn compare(window: &mut Window, name: &str) {
    image_snapshot(&picture(window), name);
}

#[test]
fn the_first_screen() {
    let folder = scratch();
    compare(&mut empty(folder.path(), SIZE, 1.0), "welcome_1280x800");
}

#[test]
fn an_explained_grade_on_every_screen() {
    let folder = scratch();
    for (size, scale, name) in [
        (vec2(1024.0, 700.0), 1.0, "explained_1024x700"),
        (vec2(1440.0, 900.0), 1.0, "explained_1440x900"),
        (vec2(2560.0, 1440.0), 1.0, "explained_2560x1440"),
        (vec2(1024.0, 700.0), 2.0, "explained_1024x700_twice"),
    ] {
        compare(&mut explained(&folder.path().join(name), size, scale), name);
    }
}

#[test]
fn the_light_theme_with_planes() {
    let folder = scratch();
    let mut window = explained(folder.path(), vec2(1440.0, 900.0), 1.0);
    apply(&mut window, ProgramAction::ToggleTheme);
    apply(&mut window, ViewAction::SetLayout(ViewLayout::Planes));
    compare(&mut window, "planes_light_1440x900");
}

#[test]
fn measurements_and_key_images() {
    let folder = scratch();
    let mut window = explained(folder.path(), SIZE, 1.0);
    apply(&mut window, MeasureAction::OfDisc(MeasurementKind::DiscHeight));
    window.key_press_modifiers(Modifiers::SHIFT, Key::K);
    window.run();
    apply(&mut window, ReadAction::Select(Selection { level: DiscLevel::L2L3, grading: Grading::DiscNarrowing }));
    wait_for(&mut window, "the map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    window.key_press_modifiers(Modifiers::SHIFT, Key::K);
    window.run();
    compare(&mut window, "key_images_1280x800");
}

#[test]
fn a_grid_of_series() {
    let folder = scratch();
    let study = folder.path().join("study");
    examination(&study);
    let mut window = empty(&folder.path().join("work"), vec2(1440.0, 900.0), 1.0);
    window.state_mut().open_folder(study);
    wait_for(&mut window, "the grades", |viewer| viewer.state.is_graded());
    apply(&mut window, FileAction::ShowSeries(2));
    wait_for(&mut window, "the axial series", |viewer| stands_beside(viewer, "T2 TSE AX"));
    apply(&mut window, ViewAction::SetLayout(ViewLayout::Series(SeriesGrid::TwoByTwo)));
    wait_for(&mut window, "all series and their pictures", |viewer| {
        let beside = &viewer.state.shown_beside()[..2];
        viewer.state.study.thumbnails.len() == 3 && beside.iter().all(|beside| beside.image.ready().is_some())
    });
    compare(&mut window, "grid_1440x900");
}

#[test]
fn the_page_of_the_report() {
    let folder = scratch();
    let mut window = explained(folder.path(), vec2(1024.0, 700.0), 1.0);
    apply(&mut window, ProgramAction::TogglePage(Page::Report));
    compare(&mut window, "report_page_1024x700");
}

/// No command of the page of keys is cut off at its right edge, on small screens and large ones.
#[test]
fn the_page_of_keys_stays_on_the_screen() {
    for (size, name) in [(vec2(1024.0, 700.0), "small"), (SIZE, "usual"), (vec2(2560.0, 1440.0), "large")] {
        let folder = scratch();
        let mut window = explained(folder.path(), size, 1.0);
        apply(&mut window, ProgramAction::TogglePage(Page::Help));
        let page = window.get_by_role_and_label(egui::accesskit::Role::Window, "Keys and mouse").rect();
        assert!(page.width() <= size.x && page.height() <= size.y, "{name}: {page}");
        for label in ["Open folder…", "Open file…", "Right click on a grade", "change it", "Wheel"] {
            let places = window.get_all_by_label(label).map(|node| node.rect());
            let is_inside = |rect: egui::Rect| page.x_range().contains(rect.left()) && rect.right() <= page.right();
            assert!(places.into_iter().any(is_inside), "{name}: {label} is cut off");
        }
    }
}
