//! Attempts to break the window: what a reader does in a hurry, with a slow machine, a full disk or two windows.

use super::answers::{Gate, Hold};
use super::grid::double_click;
use super::series::{graded_examination, stands_beside};
use super::*;

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::NodeT;
use spinenet_viewer::records::{ReportEntry, ReviewFile, read_reports};
use spinenet_viewer::ui::action::{FileAction, ReadAction, VertebraAction};
use spinenet_viewer::ui::state::PathPurpose;

const WORST: &str = "L4-L5 Pfirrmann grade: V, 85 %";

/// A window whose answers wait at a gate.
fn gated_window(folder: &Path) -> (Window, Gate) {
    let answers = Answers::default();
    let gate = answers.gate.clone();
    let worker = Handle::start("answers", answers, || ()).expect("a thread");
    (window_of(worker, folder, SIZE, 1.0), gate)
}

/// Draws until `done`, while the answers keep the window busy.
fn draw_until(window: &mut Window, what: &str, done: impl Fn(&Viewer<Answers>) -> bool) {
    let begun = Instant::now();
    while !done(window.state()) {
        assert!(begun.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
        window.step();
    }
}

fn do_now(window: &mut Window, action: impl Into<UiAction>) {
    let context = window.ctx.clone();
    window.state_mut().apply(&context, action);
    window.run_steps(3);
}

fn saved_review(folder: &Path) -> ReviewFile {
    ReviewFile::read(&work_file(folder, "reviews")).expect("saved")
}

fn comment(window: &Window, level: DiscLevel) -> &str {
    window.state().state.reading.findings.review.comment_of(level)
}

fn comment_on(level: DiscLevel, text: &str) -> ReadAction {
    ReadAction::SetComment { level, text: text.to_owned() }
}

#[test]
fn a_study_closed_while_it_loads_or_is_graded_leaves_nothing_behind() {
    let folder = scratch();
    let (mut window, gate) = gated_window(folder.path());
    for hold in [Hold::Load, Hold::Grade] {
        gate.close(hold);
        window.state_mut().open_folder(study());
        draw_until(&mut window, "the gate", |viewer| match hold {
            Hold::Load => viewer.state.study.folder.ready().is_some(),
            _ => viewer.state.reading.grades.values().any(|grades| grades.ready().is_some()),
        });
        if hold == Hold::Grade {
            do_now(&mut window, comment_on(DiscLevel::L4L5, "seen early"));
        }
        do_now(&mut window, FileAction::Close);
        window.get_by_label("Open demo");
        gate.open();
        draw_until(&mut window, "the end of the job", |viewer| viewer.state.job.is_none());
        window.run();
        let state = &window.state().state;
        assert!(state.loaded().is_none() && state.reading.grades.is_empty() && state.banners.is_empty(), "{hold:?}");
        window.get_by_label("Open demo");
    }
    window.state_mut().open_folder(study());
    wait_for(&mut window, "the grades", |viewer| viewer.state.is_graded());
    assert_eq!(comment(&window, DiscLevel::L4L5), "seen early", "what was written before the grades came is kept");
}

#[test]
fn another_series_graded_in_the_midst_of_grading_has_its_own_grades_and_work() {
    let folder = scratch();
    let (mut window, _) = graded_examination(folder.path());
    drop(window);
    let (gated, gate) = gated_window(&folder.path().join("work"));
    window = gated;
    gate.close(Hold::Grade);
    window.state_mut().open_folder(folder.path().join("study"));
    draw_until(&mut window, "half of the grades", |viewer| {
        viewer.state.reading.grades.values().filter(|grades| grades.ready().is_some()).count() == 3
    });
    do_now(&mut window, comment_on(DiscLevel::L5S1, "of the T2"));
    let place = |window: &Window, title: &str| {
        let list = &window.state().state.study.series_list;
        list.iter().position(|series| series.title == title).expect("listed")
    };
    let read = |viewer: &Viewer<Answers>| {
        viewer.state.loaded().map(|series| series.series.summary.description.clone()).unwrap_or_default()
    };
    let t1 = place(&window, "T1 TSE SAG");
    do_now(&mut window, FileAction::GradeInstead(Some(t1)));
    gate.open();
    wait_for(&mut window, "the other grades", |viewer| viewer.state.is_graded() && read(viewer) == "T1 TSE SAG");
    assert_eq!(window.state().state.reading.grades.len(), 6);
    assert_eq!(comment(&window, DiscLevel::L5S1), "");
    do_now(&mut window, comment_on(DiscLevel::L5S1, "of the T1"));
    let t2 = place(&window, "T2 TSE SAG");
    do_now(&mut window, FileAction::GradeInstead(Some(t2)));
    wait_for(&mut window, "the grades", |viewer| viewer.state.is_graded() && read(viewer) == "T2 TSE SAG");
    assert_eq!(comment(&window, DiscLevel::L5S1), "of the T2");
}

#[test]
fn a_disc_renamed_while_its_map_is_computed_gets_the_map_of_its_new_name() {
    let folder = scratch();
    let (mut window, gate) = gated_window(folder.path());
    window.state_mut().open_folder(study());
    wait_for(&mut window, "the grades", |viewer| viewer.state.is_graded());
    gate.close(Hold::Explain);
    window.get_by_label(WORST).click();
    draw_until(&mut window, "the first view", |viewer| viewer.state.evidence.main.map.is_some());
    do_now(&mut window, VertebraAction::RelabelDisc { from: DiscLevel::L4L5, to: DiscLevel::L3L4 });
    gate.open();
    wait_for(&mut window, "the map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    let state = &window.state().state;
    let selection = Selection { level: DiscLevel::L3L4, grading: Grading::Pfirrmann };
    assert_eq!(state.reading.selection, Some(selection));
    let map = visible_map(&window).expect("shown");
    assert_eq!((map.level, map.grading, map.class), (DiscLevel::L3L4, Grading::Pfirrmann, 4));
    // It lies where the disc is, which did not move.
    let place = |level: DiscLevel| window.state().state.disc(level).expect("found").center_voxel;
    assert_eq!(place(DiscLevel::L3L4), disc(DiscLevel::L4L5).center_voxel);
}

#[test]
fn a_drag_that_leaves_the_window_ends_with_it_and_what_it_drew_lies_on_the_image() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let [_, row, column] = disc(DiscLevel::L4L5).center_voxel;
    let at = |window: &Window, dx: f64, dy: f64| on_screen(window, DVec2::new(column + dx, row + dy));
    window.key_press(Key::B);
    window.run();
    let from = at(&window, -10.0, -8.0);
    drag(&mut window, from, Pos2::new(5000.0, 4000.0));
    let boxes = window.state().state.reading.findings.boxes.clone();
    let (width, height) = (256.0, 320.0);
    assert_eq!(boxes.len(), 1);
    let rect = boxes[0].rect;
    assert!(rect.x >= -0.5 && rect.x + rect.width <= width && rect.y + rect.height <= height, "{rect:?}");
    // The button is let go where nobody sees it: the pointer is gone, and comes back without a drag.
    window.key_press(Key::W);
    window.run();
    let at = at(&window, 0.0, -20.0);
    window.hover_at(at);
    window.step();
    window.drag_at(at);
    window.step();
    window.event(Event::PointerGone);
    window.run();
    let (button, pressed, modifiers) = (egui::PointerButton::Primary, false, Modifiers::NONE);
    window.event(Event::PointerButton { pos: Pos2::new(-50.0, -50.0), button, pressed, modifiers });
    window.run();
    let held = window.state().state.window();
    window.hover_at(at + vec2(60.0, 40.0));
    window.run();
    assert_eq!(window.state().state.window(), held, "no button is held");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert!(window.state().state.reading.findings.boxes.is_empty());
}

#[test]
fn everything_can_be_clicked_twice_and_nothing_is_lost() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    apply(&mut window, comment_on(DiscLevel::L1L2, "mine"));
    let clickable = [Role::Button, Role::CheckBox, Role::ComboBox, Role::RadioButton, Role::Slider];
    let nodes: Vec<(Role, String)> = window
        .root()
        .children_recursive()
        .filter_map(|node| {
            let node = node.accesskit_node();
            let is_meant = clickable.contains(&node.role()) && !node.is_disabled();
            Some((node.role(), node.label().filter(|_| is_meant)?))
        })
        .collect();
    assert!(nodes.len() > 80, "{} of them", nodes.len());
    for (role, label) in nodes {
        // Not everything is there any more after what was clicked before.
        let Some(at) = window.query_all_by_role_and_label(role, &label).next().map(|node| node.rect().center()) else {
            continue;
        };
        double_click(&mut window, at);
        // Away with what opened, and on.
        for _ in 0..4 {
            window.key_press(Key::Escape);
            window.run_steps(2);
        }
        let state = &window.state().state;
        assert!(state.loaded().is_some(), "{label} closed the study");
        assert_eq!(comment(&window, DiscLevel::L1L2), "mine", "{label}");
    }
    // The changes that were clicked are steps, of which the first comment is the last.
    let mut steps = 0;
    while window.state().state.reading.undo_label.is_some() {
        apply(&mut window, ReadAction::Undo);
        steps += 1;
    }
    assert!(steps >= 1 && comment(&window, DiscLevel::L1L2).is_empty(), "{steps}");
    drop(window);
    assert!(saved_review(folder.path()).review.discs.is_empty(), "the disk has what the screen had");
}

#[test]
fn steps_back_after_signing_and_saving_change_neither_the_file_nor_the_meaning_of_the_signature() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    apply(&mut window, ReadAction::SetReader("Dr. A".to_owned()));
    apply(&mut window, comment_on(DiscLevel::L4L5, "one"));
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    window.run();
    let file = folder.path().join("report.json");
    apply(&mut window, FileAction::Chosen(PathPurpose::SaveReport, file.clone()));
    wait_for(&mut window, "the report", |viewer| !viewer.state.banners.is_empty());
    let written = std::fs::read(&file).expect("written");
    let undo = |window: &mut Window| {
        window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        window.run();
    };
    let signed = |window: &Window| window.state().state.reading.findings.review.sign_off.is_some();
    undo(&mut window);
    assert!(!signed(&window) && comment(&window, DiscLevel::L4L5) == "one");
    undo(&mut window);
    assert!(!signed(&window) && comment(&window, DiscLevel::L4L5).is_empty());
    for _ in 0..2 {
        window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
        window.run();
    }
    assert!(signed(&window) && comment(&window, DiscLevel::L4L5) == "one", "the same words under the same name");
    // A change takes the signature away; taken back, the signed words are signed again.
    apply(&mut window, comment_on(DiscLevel::L4L5, "two"));
    assert!(!signed(&window));
    undo(&mut window);
    assert!(signed(&window) && comment(&window, DiscLevel::L4L5) == "one");
    drop(window);
    assert!(saved_review(folder.path()).review.sign_off.is_some());
    assert_eq!(std::fs::read(&file).expect("there"), written, "a file that was handed on stays as it was");
    let ReportEntry::Report(report) = read_reports(&file).expect("a report").remove(0) else { panic!("a report") };
    assert_eq!(report.sign_off.expect("signed").reader, "Dr. A");
}

#[test]
fn two_windows_on_one_study_lose_nothing_of_each_other() {
    let folder = scratch();
    let mut one = graded_window(folder.path());
    let mut other = graded_window(folder.path());
    let grade = Selection { level: DiscLevel::L4L5, grading: Grading::Pfirrmann };
    apply(&mut one, ReadAction::SetGrade { selection: grade, class: Some(2) });
    let is_saved = |folder: &Path| std::fs::read_dir(folder.join("reviews")).is_ok_and(|files| files.count() == 1);
    draw_until(&mut one, "the file", |_| is_saved(folder.path()));
    apply(&mut other, comment_on(DiscLevel::L5S1, "by the other"));
    wait_for(&mut other, "the word about the first", |viewer| !viewer.state.banners.is_empty());
    other.get_by_label_contains("This series is open in another window too.");
    other.get_by_label("L4-L5 Pfirrmann grade: III by the reader, computed V");
    // A signature is for what is signed: the first window signs without having seen the comment.
    apply(&mut one, ReadAction::SetReader("Dr. A".to_owned()));
    apply(&mut one, ReadAction::SignOff);
    wait_for(&mut one, "the word about the other", |viewer| !viewer.state.banners.is_empty());
    assert_eq!(comment(&one, DiscLevel::L5S1), "by the other");
    assert!(one.state().state.reading.findings.review.sign_off.is_none(), "nobody signed the comment");
    apply(&mut one, ReadAction::SignOff);
    drop(other);
    drop(one);
    let saved = saved_review(folder.path()).review;
    assert_eq!(saved.class_of(DiscLevel::L4L5, Grading::Pfirrmann), Some(2));
    assert!(saved.comment_of(DiscLevel::L5S1) == "by the other" && saved.sign_off.is_some());
}

/// What the window answers to a wish to close it.
fn is_held_open(window: &mut Window) -> bool {
    let root = window.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
    root.events.push(egui::ViewportEvent::Close);
    window.step();
    let mut commands = window.output().viewport_output.values().flat_map(|viewport| &viewport.commands);
    commands.any(|command| *command == egui::ViewportCommand::CancelClose)
}

#[test]
fn work_that_cannot_be_written_is_told_and_written_as_soon_as_it_can_be() {
    let folder = scratch();
    let in_the_way = folder.path().join("reviews");
    std::fs::write(&in_the_way, b"a file").expect("written");
    let mut window = graded_window(folder.path());
    assert!(!is_held_open(&mut window), "nothing is unsaved");
    apply(&mut window, comment_on(DiscLevel::L4L5, "kept"));
    wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
    window.get_by_label_contains("Your last change was not saved.");
    assert!(is_held_open(&mut window), "closing would lose it");
    window.run();
    window.get_by_label_contains("Changes are not saved yet, so the window stays open.");
    assert!(!is_held_open(&mut window), "the second time is meant");
    assert_eq!(comment(&window, DiscLevel::L4L5), "kept", "the screen has it");
    std::fs::remove_file(&in_the_way).expect("removed");
    draw_until(&mut window, "the next attempt", |viewer| {
        viewer.state.banners.iter().any(|banner| banner.text.contains("is saved now"))
    });
    drop(window);
    assert_eq!(saved_review(folder.path()).review.comment_of(DiscLevel::L4L5), "kept");
}

#[test]
fn a_folder_that_disappears_leaves_what_was_read_and_the_way_to_the_report() {
    let folder = scratch();
    let (mut window, _) = graded_examination(folder.path());
    std::fs::remove_dir_all(folder.path().join("study")).expect("removed");
    window.get_by_label("Series T1 TSE SAG").click();
    wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
    assert!(!stands_beside(window.state(), "T1 TSE SAG") && window.state().state.is_graded());
    window.get_by_label(WORST).click();
    wait_for(&mut window, "the map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    apply(&mut window, comment_on(DiscLevel::L4L5, "while it was there"));
    let file = folder.path().join("report.pdf");
    window.state_mut().state.banners.clear();
    apply(&mut window, FileAction::Chosen(PathPurpose::SaveReport, file.clone()));
    wait_for(&mut window, "the report", |viewer| !viewer.state.banners.is_empty());
    window.get_by_label("Saved: report.pdf");
    assert!(std::fs::read(&file).expect("written").starts_with(b"%PDF"));
    // Its folder is one that cannot be opened again, which is told.
    apply(&mut window, FileAction::Close);
    window.state_mut().open_folder("broken".into());
    wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
    window.get_by_label("Open demo");
}

#[test]
fn a_report_that_is_being_written_is_finished_though_the_study_is_closed() {
    let folder = scratch();
    let (mut window, gate) = gated_window(folder.path());
    window.state_mut().open_folder(study());
    wait_for(&mut window, "the grades", |viewer| viewer.state.is_graded());
    gate.close(Hold::Export);
    let file = folder.path().join("report.json");
    do_now(&mut window, FileAction::Chosen(PathPurpose::SaveReport, file.clone()));
    do_now(&mut window, FileAction::Close);
    assert!(is_held_open(&mut window), "a file is being written");
    window.run_steps(3);
    window.get_by_label_contains("Files are still being written, so the window stays open.");
    assert!(!file.exists());
    gate.open();
    wait_for(&mut window, "the word", |viewer| {
        viewer.state.banners.iter().any(|banner| banner.text == "Saved: report.json")
    });
    assert!(file.exists());
}
