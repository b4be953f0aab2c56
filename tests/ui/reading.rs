//! Reading images: windows, turns, measurements, corrected vertebrae and the commands behind them.

use super::*;
use image::RgbImage;
use spinenet_viewer::spine::{MeasuredValue, MeasurementKind};
use spinenet_viewer::ui::action::{FileAction, ProgramAction, ViewAction};
use spinenet_viewer::ui::state::{PathPurpose, ViewLayout};

#[test]
fn a_length_is_dragged_moved_copied_and_deleted() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    window.key_press(Key::D);
    window.run();
    assert_eq!(window.state().state.view.tool, Tool::Measure(MeasurementKind::Length));
    let (from, to) = (DVec2::new(40.0, 200.0), DVec2::new(40.0, 260.0));
    let (start, end) = (on_screen(&window, from), on_screen(&window, to));
    drag(&mut window, start, end);
    let value = |window: &Window| {
        let state = &window.state().state;
        let size = state.loaded().expect("a series").frame().pixel_size_mm;
        state.reading.findings.review.measurements[0].value(size).expect("whole")
    };
    let MeasuredValue::Millimeters(length) = value(&window) else { panic!("a length") };
    assert!((length - 42.0).abs() < 0.5, "60 pixels of 0.7 mm: {length}");
    drag(&mut window, end, start.lerp(end, 0.5));
    let MeasuredValue::Millimeters(length) = value(&window) else { panic!("a length") };
    assert!((length - 21.0).abs() < 0.5, "{length}");
    window.key_press(Key::Delete);
    window.run();
    assert!(window.state().state.reading.findings.review.measurements.is_empty());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    drop(window);
    let again = graded_window(folder.path());
    assert_eq!(
        again.state().state.reading.findings.review.measurements.len(),
        1,
        "measurements come back with the series"
    );
}

/// Click with a button of the mouse at a place of the window.
fn press(window: &mut Window, at: Pos2, button: egui::PointerButton) {
    window.hover_at(at);
    window.step();
    for pressed in [true, false] {
        window.event(Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
        window.step();
    }
    window.run();
}

#[test]
fn measurements_are_listed_by_level_selected_with_any_tool_and_deleted() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    for (key, modifiers) in [(Key::D, Modifiers::SHIFT), (Key::M, Modifiers::SHIFT)] {
        window.key_press_modifiers(modifiers, key);
        window.run();
    }
    assert_eq!(window.state().state.view.tool, Tool::Window, "measuring a disc takes no tool");
    window.key_press(Key::Escape);
    window.key_press(Key::Home);
    window.run();
    let selected = |window: &Window| window.state().state.reading.selected_measurement;
    assert_eq!((selected(&window), window.state().state.view.slice), (None, 0));
    // The list leads to the slice.
    window.get_by_label("Slip L4-L5").click();
    window.run();
    let height = window.state().state.reading.findings.review.measurements[0].clone();
    assert_eq!((selected(&window), window.state().state.view.slice), (Some(1), height.slice));
    // On the image a click on the line is enough, whatever the tool.
    let at = on_screen(&window, height.points[0].lerp(height.points[1], 0.5));
    for (key, tool) in [(Key::T, Tool::Pan), (Key::B, Tool::Box), (Key::V, Tool::Vertebra), (Key::W, Tool::Window)] {
        window.key_press(Key::Escape);
        window.key_press(key);
        window.run();
        press(&mut window, at, egui::PointerButton::Primary);
        assert_eq!((selected(&window), window.state().state.view.tool), (Some(0), tool));
        apply(&mut window, spinenet_viewer::ui::action::MeasureAction::Select(None));
    }
    // The menu offers what lies under the pointer; the key deletes what is selected.
    press(&mut window, at, egui::PointerButton::Secondary);
    window.get_by_label("Copy 9.4 mm");
    window.get_by_label("Delete this measurement").click();
    window.run();
    let kinds = |window: &Window| -> Vec<MeasurementKind> {
        window.state().state.reading.findings.review.measurements.iter().map(|measured| measured.kind).collect()
    };
    assert_eq!(kinds(&window), [MeasurementKind::Slip]);
    window.get_by_label("Slip L4-L5").click();
    window.run();
    window.key_press(Key::Delete);
    window.run();
    assert!(kinds(&window).is_empty());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!(kinds(&window), [MeasurementKind::Slip]);
}

#[test]
fn the_slip_of_a_disc_is_measured_from_its_outlines() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    window.key_press_modifiers(Modifiers::SHIFT, Key::M);
    window.run();
    let measurements = &window.state().state.reading.findings.review.measurements;
    let MeasuredValue::SlipPercent(percent) = measurements[0].value(DVec2::splat(0.7)).expect("whole") else {
        panic!("a slip")
    };
    assert!(percent.abs() < 30.0, "{percent}");
}

#[test]
fn a_corner_is_dragged_and_only_its_discs_are_graded_again() {
    let folder = scratch();
    let answers = Answers::default();
    let graded = std::sync::Arc::clone(&answers.graded);
    let worker = Handle::start("answers", answers, || ()).expect("a thread");
    let mut window: Window = window_of(worker, folder.path(), SIZE, 1.0);
    window.state_mut().open_folder(study());
    wait_for(&mut window, "six graded discs", |viewer| viewer.state.is_graded());
    graded.lock().expect("not poisoned").clear();
    window.key_press(Key::V);
    window.run();
    let slice = window.state().state.view.slice as f64;
    let body = |window: &Window, label| {
        let bodies = &window.state().state.reading.findings.vertebrae;
        bodies.iter().find(|body| body.label == label).expect("found").corners_at(slice).expect("an outline")
    };
    let before = body(&window, VertebraLabel::L3);
    let (from, to) = (on_screen(&window, before.sa), on_screen(&window, before.sa - DVec2::new(6.0, 0.0)));
    drag(&mut window, from, to);
    let after = body(&window, VertebraLabel::L3);
    assert!((after.sa.x - before.sa.x + 6.0).abs() < 0.8 && (after.ip - before.ip).length() < 1e-9);
    wait_for(&mut window, "grades of L2-L3", |viewer| viewer.state.is_graded());
    assert_eq!(*graded.lock().expect("not poisoned"), [DiscLevel::L2L3, DiscLevel::L3L4], "only the two beside it");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!(body(&window, VertebraLabel::L3), before);
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    window.run();
    drop(window);
    let again = graded_window(folder.path());
    assert!((body(&again, VertebraLabel::L3).sa - after.sa).length() < 2e-3, "corrections come back with the series");
}

#[test]
fn a_vertebra_is_deleted_and_added_again() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let center = {
        let bodies = &window.state().state.reading.findings.vertebrae;
        let l3 = bodies.iter().find(|body| body.label == VertebraLabel::L3).expect("found");
        l3.corners_at(window.state().state.view.slice as f64).expect("an outline").center()
    };
    let labels = |window: &Window| -> Vec<VertebraLabel> {
        window.state().state.reading.findings.vertebrae.iter().map(|vertebra| vertebra.label).collect()
    };
    let before = labels(&window);
    let right_click = |window: &mut Window, at: Pos2| {
        window.hover_at(at);
        window.step();
        for pressed in [true, false] {
            let (button, modifiers) = (egui::PointerButton::Secondary, Modifiers::NONE);
            window.event(Event::PointerButton { pos: at, button, pressed, modifiers });
            window.step();
        }
        window.run();
    };
    let at = on_screen(&window, center + DVec2::new(0.0, 10.0));
    right_click(&mut window, at);
    window.get_by_label("Delete vertebra L3").click();
    window.run();
    assert!(!labels(&window).contains(&VertebraLabel::L3));
    window.get_by_label("L3-L4 Pfirrmann grade: not in the scan");
    right_click(&mut window, at);
    window.get_by_label("Add a vertebra here").click();
    window.run();
    assert_eq!(labels(&window), before);
}

#[test]
fn windows_turns_and_cine_follow_their_keys() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let gray = |window: &mut Window| {
        let at = on_screen(window, DVec2::new(20.0, 300.0));
        let area = egui::Rect::from_center_size(at, vec2(4.0, 4.0));
        cut(&picture(window), area).get_pixel(1, 1).0[0]
    };
    window.key_press_modifiers(Modifiers::NONE, Key::Num4);
    window.run();
    let chosen = window.state().state.window();
    assert_eq!(chosen.width, chosen.center * 2.0);
    let dark = gray(&mut window);
    window.key_press(Key::N);
    window.run();
    assert!(gray(&mut window) > dark.saturating_add(60), "inverted");
    window.key_press(Key::R);
    window.run();
    let (top, bottom) = (on_screen(&window, DVec2::new(60.0, 10.0)), on_screen(&window, DVec2::new(60.0, 300.0)));
    assert!(top.x > bottom.x && (top.y - bottom.y).abs() < 1.0, "turned right, the head is on the right");
    window.key_press(Key::C);
    window.step();
    let slice = window.state().state.view.slice;
    window.run_steps(30);
    assert_ne!(window.state().state.view.slice, slice, "slices run");
    window.key_press(Key::Num0);
    window.run();
    let view = &window.state().state.view;
    assert!(view.cine.is_none() && view.camera.is_none() && !view.inverted);
}

#[test]
fn the_palette_finds_a_command_and_escape_closes_it() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.run();
    window.event(Event::Text("next lay".to_owned()));
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(window.state().state.view.layout, ViewLayout::Planes);
    assert!(window.state().state.palette.is_none());
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.run();
    window.key_press(Key::Escape);
    window.run();
    assert!(window.state().state.palette.is_none());
    assert_eq!(window.state().state.view.layout, ViewLayout::Planes);
}

#[test]
fn the_slice_bar_and_recent_studies_work() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let bar = window.get_by_label("Place in the stack").rect();
    drag(&mut window, bar.center(), bar.center_bottom());
    assert_eq!(window.state().state.view.slice, SLICES - 1);
    assert_eq!(window.state().state.recent, [study()]);
    assert_eq!(window.state().interrupted_study(), None, "a study that is no folder is not opened again");
}

#[test]
fn planes_and_disc_slices_stand_beside_the_slice() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    window.key_press(Key::L);
    window.run();
    let colored = |window: &mut Window, area: egui::Rect| {
        let spread = |pixel: &image::Rgba<u8>| pixel.0[0].max(pixel.0[2]) - pixel.0[0].min(pixel.0[2]);
        let whole = picture(window);
        let part = cut(&whole, area);
        let brightest = part.pixels().map(|pixel| pixel.0[1]).max().expect("pixels");
        (brightest, part.pixels().map(spread).max().expect("pixels"))
    };
    for name in ["Axial plane", "Coronal plane"] {
        let area = window.get_by_label(name).rect();
        assert!(area.width() > 150.0, "{name}: {area}");
        assert!(colored(&mut window, area).0 > 100, "{name} shows the bodies");
    }
    let crosshair = window.state().state.crosshair();
    let plane = window.get_by_label("Coronal plane").rect();
    window.hover_at(plane.center());
    window.step();
    window.drag_at(plane.center());
    window.step();
    window.drop_at(plane.center());
    window.run();
    assert_ne!(window.state().state.crosshair(), crosshair, "a click moves the crosshair");
    assert_eq!(window.state().state.view.slice, SLICES / 2, "the middle column is the middle slice");
    window.key_press(Key::L);
    window.run();
    let first = window.get_by_label("Disc slice 5").rect();
    assert!((first.width() / first.height() - 2.0).abs() < 0.1);
    assert!(colored(&mut window, first).1 > 80, "evidence lies on the middle slice");
    window.get_by_label("Disc slice 3").click();
    window.run();
    let middle = disc(DiscLevel::L4L5).center_voxel[0].round() as usize;
    assert_eq!(window.state().state.view.slice, middle - 2);
}

#[test]
fn the_image_is_saved_and_copied_as_shown_but_for_the_patient() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let names_the_patient = |picture: &RgbImage| {
        let corner = image::imageops::crop_imm(picture, 0, 0, 220, 60).to_image();
        corner.pixels().any(|pixel| pixel.0[0] > 170 && pixel.0[0] > pixel.0[2].saturating_add(20))
    };
    let area = window.state().state.view.viewport.expect("drawn");
    let shown = image::DynamicImage::ImageRgba8(cut(&picture(&mut window), area)).to_rgb8();
    assert!(names_the_patient(&shown), "the window does");
    let context = window.ctx.clone();
    window.state_mut().apply(&context, FileAction::Chosen(PathPurpose::SaveImage, folder.path().join("image")));
    let file = folder.path().join("image.png");
    wait_for(&mut window, "the picture", |viewer| !viewer.state.banners.is_empty());
    let saved = image::open(&file).expect("a PNG").to_rgb8();
    assert!((saved.width() as f32 - area.width()).abs() <= 1.0 && saved.height() as f32 > area.height() + 20.0);
    assert!(!names_the_patient(&saved), "the picture does not");
    let colored = |picture: &RgbImage| {
        let spread = |pixel: &image::Rgb<u8>| pixel.0.iter().max().unwrap_or(&0) - pixel.0.iter().min().unwrap_or(&0);
        picture.pixels().filter(|pixel| spread(pixel) > 80).count()
    };
    assert!(colored(&saved) > colored(&shown) / 2, "the evidence is in it");
    assert_eq!(window.state().state.view.annotations, AnnotationLevel::All, "the window shows all again");
    // The message takes room from the image.
    window.state_mut().apply(&context, ProgramAction::DismissBanner(0));
    window.run();
    window.state_mut().apply(&context, FileAction::CopyImage);
    let mut copied = None;
    for _ in 0..20 {
        window.step();
        let commands = &window.output().platform_output.commands;
        copied = commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyImage(image) => Some(image.size),
            _ => None,
        });
        if copied.is_some() {
            break;
        }
    }
    assert_eq!(copied, Some([saved.width() as usize, saved.height() as usize]));
}

#[test]
fn a_right_drag_zooms_or_sets_the_window_as_the_user_prefers() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let right_drag = |window: &mut Window| {
        let at = on_screen(window, DVec2::new(30.0, 30.0));
        let (button, modifiers) = (egui::PointerButton::Secondary, Modifiers::NONE);
        window.hover_at(at);
        window.step();
        window.event(Event::PointerButton { pos: at, button, pressed: true, modifiers });
        for step in 1..=4 {
            window.hover_at(at + vec2(20.0, -15.0) * step as f32);
            window.step();
        }
        let end = at + vec2(80.0, -60.0);
        window.event(Event::PointerButton { pos: end, button, pressed: false, modifiers });
        window.run();
    };
    let before = window.state().state.window();
    right_drag(&mut window);
    assert!(window.state().state.view.camera.expect("zoomed").zoom > 1.2);
    assert_eq!(window.state().state.window(), before);
    window.key_press(Key::Num0);
    apply(&mut window, ProgramAction::ToggleRightDrag);
    right_drag(&mut window);
    let after = window.state().state.window();
    assert!(after.width > before.width && after.center < before.center, "wider and brighter");
    assert!(window.state().state.view.camera.is_none(), "not zoomed");
    drop(window);
    let window = graded_window(folder.path());
    assert!(window.state().state.right_drag_windows, "the habit is kept");
}

#[test]
fn keys_are_changed_on_their_page_and_stay_changed() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let middle = window.state().state.view.slice;
    window.key_press(Key::F1);
    window.run();
    window.get_by_label("Keys of Next slice: Down").scroll_to_me();
    window.run();
    window.get_by_label("Keys of Next slice: Down").click();
    window.run();
    window.get_by_label("Press the keys of Next slice");
    // The key of another command changes hands.
    window.key_press(Key::N);
    window.run();
    window.get_by_label("“Invert gray values” has no key now.");
    assert!(!window.state().state.view.inverted, "the key was not meant for anything yet");
    window.key_press(Key::Escape);
    window.run();
    window.key_press(Key::N);
    window.run();
    assert_eq!(window.state().state.view.slice, middle + 1);
    window.key_press(Key::ArrowDown);
    window.run();
    assert_eq!(window.state().state.view.slice, middle + 1, "the old key does nothing");
    drop(window);
    let mut window = graded_window(folder.path());
    let context = window.ctx.clone();
    window.state().apply_settings(&context);
    window.key_press(Key::N);
    window.run();
    assert_eq!(window.state().state.view.slice, middle + 1, "the next day too");
    window.key_press(Key::F1);
    window.run();
    window.get_by_label("Reset all keys").scroll_to_me();
    window.run();
    window.get_by_label("Reset all keys").click();
    window.run();
    window.key_press(Key::Escape);
    window.key_press(Key::N);
    window.run();
    assert!(window.state().state.view.inverted);
}

#[test]
fn a_plane_is_zoomed_and_moved_by_itself() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    apply(&mut window, ViewAction::SetLayout(ViewLayout::Planes));
    let at = window.get_by_label("Axial plane").rect().center();
    wheel(&mut window, at, 3.0, Modifiers::COMMAND);
    let view = &window.state().state.view;
    assert!(view.plane_cameras[0].expect("zoomed").zoom > 1.3);
    assert_eq!((view.camera, view.plane_cameras[1]), (None, None), "the others stay");
    let row = window.state().state.crosshair()[0];
    wheel(&mut window, at, -1.0, Modifiers::NONE);
    assert_eq!(window.state().state.crosshair()[0], row + 2.0, "without Ctrl the wheel goes on");
    window.key_press(Key::Num0);
    window.run();
    assert_eq!(window.state().state.view.plane_cameras, [None; 2]);
}

#[test]
fn a_folder_without_images_changes_nothing_and_is_not_remembered() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let recent = window.state().state.recent.clone();
    assert_eq!(recent, [study()]);
    let empty = folder.path().join("nothing");
    std::fs::create_dir(&empty).expect("a folder");
    for (path, said) in [
        (empty, "No DICOM images were found in this folder."),
        (folder.path().join("gone"), "The study could not be opened."),
    ] {
        window.state_mut().open_folder(path);
        wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
        window.get_by_label_contains(said);
        window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %");
        assert_eq!(window.state().state.recent, recent);
        window.get_by_label("Dismiss").click();
        window.run();
    }
    // From the first page one comes back to the first page.
    apply(&mut window, FileAction::Close);
    window.state_mut().open_folder("broken".into());
    wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
    window.get_by_label("Open demo");
    assert_eq!(window.state().state.recent, recent);
}
