//! The window driven by real mouse and keyboard events under software Vulkan, with a worker that answers for the
//! networks.
#![cfg(feature = "gui")]

mod active;
mod answers;
mod archive;
mod blind;
mod boxes;
mod breaking;
mod companion;
mod evidence;
mod frame_time;
mod grid;
mod hands;
mod help;
mod journeys;
mod key_images;
mod keyboard;
mod languages;
#[path = "../needs/mod.rs"]
mod needs;
mod opening;
#[path = "../pacs/orthanc.rs"]
#[allow(dead_code, reason = "shared with the tests of archives")]
mod orthanc;
mod reading;
mod remembered;
mod review;
mod screens;
mod series;
mod soak;
mod whole;
mod why;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use answers::{Answers, SLICES, disc, study};
use eframe::egui::{self, Event, Key, Modifiers, MouseWheelSource, MouseWheelUnit, Pos2, TouchPhase, Vec2, vec2};
use egui_kittest::kittest::Queryable;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use egui_kittest::{Harness, image_snapshot};
use glam::DVec2;
use image::RgbaImage;
use spinenet_viewer::app::{ReaderStore, Viewer};
use spinenet_viewer::records::BoxesFile;
use spinenet_viewer::render::SliceRenderer;
use spinenet_viewer::spine::{DiscLevel, Grading, VertebraLabel};
use spinenet_viewer::ui::action::UiAction;
use spinenet_viewer::ui::camera::{Camera, SliceTransform};
use spinenet_viewer::ui::state::{AnnotationLevel, Selection, Tool};
use spinenet_viewer::ui::theme;
use spinenet_viewer::worker::{self, Command, Handle, Work};

type WindowOf<W> = Harness<'static, Viewer<W>>;
type Window = WindowOf<Answers>;

const PATIENCE: Duration = Duration::from_mins(5);
const SIZE: Vec2 = vec2(1280.0, 800.0);

/// A window with nothing open and made-up answers; the reader's work is kept in `folder`.
fn window(folder: &Path) -> Window {
    window_of(Handle::start("answers", Answers::default(), || ()).expect("a thread"), folder, SIZE, 1.0)
}

/// A window of `size` points with nothing open.
fn window_of<W: Work<Command = Command, Event = worker::Event>>(
    worker: Handle<W>,
    folder: &Path,
    size: Vec2,
    pixels_per_point: f32,
) -> WindowOf<W> {
    let options = eframe::egui_wgpu::RendererOptions::PREDICTABLE;
    let render_state = create_render_state(default_wgpu_setup(), options);
    let renderer = SliceRenderer::new(&render_state);
    let store = ReaderStore::start(Some(folder.to_owned()), || ()).expect("a thread");
    let mut viewer = Viewer::new(worker, store, Some(renderer), std::sync::Arc::new(|| ()));
    viewer.ask_in_window();
    Harness::builder()
        .with_size(size)
        .with_pixels_per_point(pixels_per_point)
        .with_max_steps(40)
        .renderer(WgpuTestRenderer::from_render_state(render_state))
        .with_context_setup(spinenet_viewer::ui::install)
        .build_ui_state(
            |ui, viewer: &mut Viewer<W>| {
                viewer.logic(ui.ctx());
                viewer.ui(ui);
            },
            viewer,
        )
}

/// Draws until `done`; the worker answers on its own thread.
fn wait_for<W: Work<Command = Command, Event = worker::Event>>(
    window: &mut WindowOf<W>,
    what: &str,
    done: impl Fn(&Viewer<W>) -> bool,
) {
    let begun = Instant::now();
    while !done(window.state()) {
        assert!(begun.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
        window.step();
    }
    window.run();
}

/// A window with the study open and graded.
fn graded_window(boxes: &Path) -> Window {
    let mut window = window(boxes);
    window.state_mut().open_folder(study());
    wait_for(&mut window, "six graded discs", |viewer| {
        viewer.state.reading.grades.values().filter(|grades| grades.ready().is_some()).count() == 6
    });
    window
}

/// The same after a click on the Pfirrmann grade of L4-L5, with its evidence map complete.
fn explained_window(boxes: &Path) -> Window {
    let mut window = graded_window(boxes);
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %").click();
    wait_for(&mut window, "the evidence map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    window
}

/// Does what a menu, a key or a panel would ask for.
fn apply(window: &mut Window, action: impl Into<UiAction>) {
    let context = window.ctx.clone();
    window.state_mut().apply(&context, action);
    window.run();
}

/// Types a path into the field that asks for one, and presses Enter.
fn enter_path<W: Work<Command = Command, Event = worker::Event>>(window: &mut WindowOf<W>, path: &Path) {
    window.run();
    let typed = window.state().state.path_entry.as_ref().expect("a path is asked for").text.chars().count();
    for _ in 0..typed {
        window.key_press(Key::Backspace);
    }
    window.run();
    window.event(Event::Text(path.display().to_string()));
    window.run();
    window.key_press(Key::Enter);
    window.step();
}

fn visible_map(window: &Window) -> Option<&std::sync::Arc<spinenet_viewer::saliency::SaliencyMap>> {
    let evidence = &window.state().state.evidence;
    evidence.visible(&evidence.main)
}

/// The one file in which the work on the series is kept.
fn work_file(folder: &Path, kind: &str) -> PathBuf {
    let files = std::fs::read_dir(folder.join(kind)).expect("kept").map(|file| file.expect("readable").path());
    let files: Vec<PathBuf> = files.collect();
    let [file] = &files[..] else { panic!("{} files of {kind}", files.len()) };
    assert!(file.file_name().expect("a name").to_string_lossy().starts_with("1.2.3-"));
    file.clone()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Where an image point lies in the window.
fn on_screen<W: Work<Command = Command, Event = worker::Event>>(window: &WindowOf<W>, image: DVec2) -> Pos2 {
    let state = &window.state().state;
    let frame = state.loaded().expect("a series").frame();
    let camera = state.view.camera.unwrap_or_else(|| Camera::fit(&frame));
    SliceTransform::new(&frame, state.view.viewport.expect("drawn"), &camera).screen_from_image(image)
}

fn wheel(window: &mut Window, at: Pos2, lines: f32, modifiers: Modifiers) {
    window.hover_at(at);
    window.step();
    let (unit, delta) = (MouseWheelUnit::Line, vec2(0.0, lines));
    let (phase, source) = (TouchPhase::Move, MouseWheelSource::Unknown);
    window.event(Event::MouseWheel { unit, delta, phase, source, modifiers });
    window.run();
}

/// Drag with the left button in a few steps, as a hand does.
fn drag<W: Work<Command = Command, Event = worker::Event>>(window: &mut WindowOf<W>, from: Pos2, to: Pos2) {
    window.hover_at(from);
    window.step();
    window.drag_at(from);
    window.step();
    for step in 1..=4 {
        window.hover_at(from.lerp(to, step as f32 / 4.0));
        window.step();
    }
    window.drop_at(to);
    window.run();
}

fn picture(window: &mut Window) -> RgbaImage {
    window.remove_cursor();
    window.run();
    window.render().expect("rendered")
}

/// Part of a picture of the window, in points.
fn cut(picture: &RgbaImage, area: egui::Rect) -> RgbaImage {
    let [x, y, width, height] = [area.left(), area.top(), area.width(), area.height()].map(|side| side.round() as u32);
    image::imageops::crop_imm(picture, x, y, width, height).to_image()
}

#[test]
fn a_study_opens_and_its_grades_fill_the_table() {
    let folder = scratch();
    let mut window = window(folder.path());
    window.get_by_label("Open demo");
    window.get_by_label("Research use only. Not a medical device.");
    window.state_mut().open_folder(study());
    wait_for(&mut window, "the worst grade", |viewer| viewer.state.grades_of(DiscLevel::L4L5).is_some());
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %");
    window.get_by_label("L1-L2 Spondylolisthesis: absent, 90 %");
    window.get_by_label("Series T1 TSE sagittal");
    window.get_by_label("Not chosen: T1");
    window.get_by_label("Research use only. Not a medical device.");
}

#[test]
fn wheel_and_keys_change_the_slice_and_ctrl_wheel_zooms() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let middle = window.state().state.view.slice;
    let at = on_screen(&window, DVec2::new(60.0, 150.0));
    wheel(&mut window, at, -1.0, Modifiers::NONE);
    assert_eq!(window.state().state.view.slice, middle + 1);
    window.get_by_label(&format!("Slice {} of {SLICES}", middle + 2));
    for (key, modifiers, expected) in [
        (Key::ArrowUp, Modifiers::NONE, middle),
        (Key::End, Modifiers::NONE, SLICES - 1),
        (Key::ArrowUp, Modifiers::SHIFT, 0),
        (Key::ArrowDown, Modifiers::NONE, 1),
    ] {
        window.key_press_modifiers(modifiers, key);
        window.run();
        assert_eq!(window.state().state.view.slice, expected, "{key:?}");
    }
    let under = DVec2::new(60.0, 150.0);
    wheel(&mut window, at, 2.0, Modifiers::COMMAND);
    assert!(window.state().state.view.camera.expect("zoomed").zoom > 1.2);
    assert!(on_screen(&window, under).distance(at) < 0.5, "the point under the pointer stays");
    assert_eq!(window.state().state.view.slice, 1);
}

#[test]
fn a_left_drag_changes_the_window_and_only_a_reset_takes_it_back() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let before = window.state().state.window();
    let at = on_screen(&window, DVec2::new(30.0, 30.0));
    drag(&mut window, at, at + vec2(80.0, -60.0));
    let after = window.state().state.window();
    assert!(after.width > before.width && after.center < before.center, "wider and brighter");
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(window.state().state.window(), after, "Escape closes and lets go, no more");
    window.key_press(Key::Num0);
    window.run();
    assert_eq!(window.state().state.window(), before);
}

#[test]
fn evidence_is_drawn_and_can_be_hidden() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let selection = Selection { level: DiscLevel::L4L5, grading: Grading::Pfirrmann };
    assert_eq!(window.state().state.reading.selection, Some(selection));
    let shown = picture(&mut window);
    window.key_press(Key::E);
    let hidden = picture(&mut window);
    let center = disc(DiscLevel::L4L5).center_voxel;
    let at = on_screen(&window, DVec2::new(center[2], center[1]));
    let area = egui::Rect::from_center_size(at, vec2(100.0, 44.0));
    let strongest_color = |picture: &RgbaImage| {
        let spread = |pixel: &image::Rgba<u8>| {
            let [red, green, blue, _] = pixel.0;
            red.max(green).max(blue) - red.min(green).min(blue)
        };
        cut(picture, area).pixels().map(spread).max().expect("pixels")
    };
    assert!(strongest_color(&hidden) < 20, "the bare image is gray");
    assert!(strongest_color(&shown) > 80, "the evidence is colored");
    window.key_press(Key::E);
    window.run();
    window.key_down(Key::H);
    window.run();
    assert!(visible_map(&window).is_none(), "hidden while H is held");
    window.key_up(Key::H);
    window.run();
    assert!(visible_map(&window).is_some());
}

#[test]
fn a_box_is_drawn_saved_moved_and_undone() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let center = disc(DiscLevel::L4L5).center_voxel;
    let point = |dx: f64, dy: f64| DVec2::new(center[2] + dx, center[1] + dy);
    window.key_press(Key::B);
    window.run();
    let (from, to) = (on_screen(&window, point(-14.0, -8.0)), on_screen(&window, point(14.0, 8.0)));
    drag(&mut window, from, to);
    let boxes = window.state().state.reading.findings.boxes.clone();
    assert_eq!(boxes.len(), 1);
    assert!((boxes[0].rect.width - 28.0).abs() < 1.5 && (boxes[0].rect.height - 16.0).abs() < 1.5);
    let overlap = window.state().state.volume_iou().expect("a box and a map");
    assert!(overlap > 0.0, "the box lies on the evidence");
    let inside = on_screen(&window, point(0.0, 0.0));
    drag(&mut window, inside, inside + vec2(40.0, 0.0));
    let moved = window.state().state.reading.findings.boxes[0].rect;
    assert!(moved.x > boxes[0].rect.x + 5.0 && (moved.width - boxes[0].rect.width).abs() < 1e-6);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!(window.state().state.reading.findings.boxes, boxes);
    window.key_press(Key::Delete);
    window.run();
    assert!(window.state().state.reading.findings.boxes.is_empty());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    drop(window);
    let saved = BoxesFile::read(&work_file(folder.path(), "boxes")).expect("saved");
    assert_eq!(saved.boxes.len(), 1);
    assert_eq!(saved.boxes[0].level, DiscLevel::L4L5);
    let again = graded_window(folder.path());
    assert_eq!(again.state().state.reading.findings.boxes.len(), 1, "boxes come back with the series");
}

#[test]
fn a_wrong_level_is_corrected_and_the_correction_undone() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let labels = |window: &Window| -> Vec<VertebraLabel> {
        window.state().state.reading.findings.vertebrae.iter().map(|vertebra| vertebra.label).collect()
    };
    let before = labels(&window);
    window.get_by_label("Disc L4-L5").click_secondary();
    window.run();
    window.get_by_label("L3-L4").click();
    window.run();
    let after = labels(&window);
    assert_eq!(after[0], VertebraLabel::T11);
    assert_eq!(after[6], VertebraLabel::L5);
    let worst = window.state().state.grades_of(DiscLevel::L3L4).expect("the grade moved with its disc");
    assert!(worst.probability(Grading::Pfirrmann, 4).is_some_and(|probability| probability > 0.8));
    window.get_by_label("L5-S1 Pfirrmann grade: not in the scan");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!(labels(&window), before);
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    window.run();
    assert_eq!(labels(&window), after);
}

#[test]
fn what_goes_wrong_is_told_and_can_be_dismissed() {
    let folder = scratch();
    let mut window = window(folder.path());
    window.state_mut().open_folder("broken".into());
    wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
    window.get_by_label("The study could not be opened. the disk is gone");
    window.get_by_label("Dismiss").click();
    window.run();
    assert!(window.state().state.banners.is_empty());
    window.state_mut().open_folder("empty".into());
    wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
    window.get_by_label("No DICOM images were found in this folder.");
}

#[test]
fn results_of_a_study_that_was_left_are_dropped() {
    let folder = scratch();
    let mut window = window(folder.path());
    window.state_mut().open_folder(study());
    window.state_mut().open_folder("empty".into());
    wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
    std::thread::sleep(Duration::from_millis(100));
    window.run();
    let state = &window.state().state;
    assert!(state.study.series_list.is_empty() && state.loaded().is_none() && state.reading.grades.is_empty());
}

#[test]
fn tools_and_annotations_follow_their_keys() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    for (key, tool) in [(Key::T, Tool::Pan), (Key::Z, Tool::Zoom), (Key::B, Tool::Box), (Key::W, Tool::Window)] {
        window.key_press(key);
        window.run();
        assert_eq!(window.state().state.view.tool, tool);
    }
    for level in [AnnotationLevel::None, AnnotationLevel::Minimal, AnnotationLevel::All] {
        window.key_press(Key::Space);
        window.run();
        assert_eq!(window.state().state.view.annotations, level);
    }
}

#[test]
fn the_table_and_the_annotated_slice_look_as_before() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let whole = picture(&mut window);
    let first = window.get_by_label_contains("T12-L1 Pfirrmann grade").rect();
    let last = window.get_by_label_contains("L5-S1 Central canal stenosis").rect();
    image_snapshot(&cut(&whole, first.union(last).expand(4.0)), "grade_table");
    let center = disc(DiscLevel::L4L5).center_voxel;
    let at = on_screen(&window, DVec2::new(center[2], center[1]));
    image_snapshot(&cut(&whole, egui::Rect::from_center_size(at, vec2(260.0, 160.0))), "evidence_over_slice");
}
