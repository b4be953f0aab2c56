//! Slices marked for the report: listed, shown again as they were, kept and taken back.

use super::*;

use spinenet_viewer::records::{KeyImage, ReportEntry, ReviewFile, read_reports};
use spinenet_viewer::ui::action::{FileAction, ViewAction};
use spinenet_viewer::ui::state::PathPurpose;

const LISTED: &str = "Slice 6, L4-L5 Pfirrmann grade";

fn marked(window: &Window) -> &[KeyImage] {
    &window.state().state.reading.findings.review.key_images
}

#[test]
fn a_slice_is_marked_by_a_key_and_shown_again_as_it_was() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let view = |window: &Window| {
        let state = &window.state().state;
        (state.view.slice, state.window(), state.reading.selection)
    };
    let at = window.state().state.view.viewport.expect("drawn").left_center() + vec2(40.0, 0.0);
    drag(&mut window, at, at + vec2(60.0, 20.0));
    let before = view(&window);
    window.key_press_modifiers(Modifiers::SHIFT, Key::K);
    window.run();
    let image = marked(&window)[0].clone();
    assert_eq!((image.slice, image.window), (before.0, before.1));
    let subject = image.subject.as_ref().expect("a grade is selected");
    let map = subject.map.as_ref().expect("its evidence is shown");
    assert_eq!((subject.level, map.grade, map.method.as_str()), (DiscLevel::L4L5, 5, "contrastive-excitation"));
    // The disc was zoomed to: the whole slice was not in sight.
    let region = image.region.expect("a part of the slice");
    let [_, row, column] = disc(DiscLevel::L4L5).center_voxel;
    assert!(region.x < column && column < region.x + region.width, "{region:?}");
    assert!(region.y < row && row < region.y + region.height, "{region:?}");
    assert!(region.height < 150.0, "{region:?}");

    // Elsewhere in the stack, as a whole, with another window and another disc.
    window.get_by_label("L2-L3 Disc narrowing: 1, 90 %").click();
    window.run();
    for key in [Key::End, Key::Num0, Key::F] {
        window.key_press(key);
        window.run();
    }
    assert_ne!(view(&window), before);
    window.get_by_label(LISTED).click();
    wait_for(&mut window, "the map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    assert_eq!(view(&window), before);
    for corner in [DVec2::new(region.x, region.y), DVec2::new(region.x + region.width, region.y + region.height)] {
        let at = on_screen(&window, corner);
        let viewport = window.state().state.view.viewport.expect("drawn");
        assert!(viewport.expand(1.0).contains(at), "{corner} is in sight again: {at:?} in {viewport:?}");
    }
}

#[test]
fn marks_are_on_disk_at_once_and_are_taken_back() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    for _ in 0..3 {
        window.key_press_modifiers(Modifiers::SHIFT, Key::K);
        window.run();
    }
    assert_eq!(marked(&window).len(), 1, "marked, not any more, marked again");
    window.key_press(Key::ArrowDown);
    window.run();
    for (modifiers, key) in [(Modifiers::NONE, Key::F6), (Modifiers::NONE, Key::ArrowDown), (Modifiers::SHIFT, Key::K)]
    {
        window.key_press_modifiers(modifiers, key);
        window.run();
    }
    let two = marked(&window).to_vec();
    assert_eq!(two.len(), 2);
    window.get_all_by_label("×").next().expect("listed").click();
    window.run();
    assert_eq!(marked(&window), &two[1..]);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!(marked(&window), &two[..]);
    let file = folder.path().join("report.json");
    apply(&mut window, FileAction::Chosen(PathPurpose::SaveReport, file.clone()));
    wait_for(&mut window, "the report", |_| file.exists());
    let ReportEntry::Report(report) = read_reports(&file).expect("a report").remove(0) else { panic!("a report") };
    assert_eq!(report.key_images, two);
    drop(window);
    let kept = ReviewFile::read(&work_file(folder.path(), "reviews")).expect("saved");
    assert_eq!(kept.review.key_images, two);
    let again = graded_window(folder.path());
    assert_eq!(marked(&again), &two[..]);
}

#[test]
fn a_blind_reader_marks_without_what_was_computed() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    window.key_press_modifiers(Modifiers::COMMAND, Key::B);
    window.run();
    apply(&mut window, ViewAction::ShowSlice(4));
    window.key_press_modifiers(Modifiers::SHIFT, Key::K);
    window.run();
    assert!(window.state().state.evidence.blind);
    let image = &marked(&window)[0];
    assert!(image.slice == 4 && image.subject.as_ref().is_none_or(|subject| subject.map.is_none()));
}

#[test]
fn a_comment_on_a_key_image_is_kept_and_stands_in_every_report() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    window.key_press_modifiers(Modifiers::SHIFT, Key::K);
    window.run();
    let field = window.get_by_label("Comment on key image 1");
    field.focus();
    window.run();
    // Letters of commands among them.
    for letter in "knob B".chars() {
        window.event(Event::Text(letter.to_string()));
        window.run();
    }
    assert_eq!(marked(&window)[0].comment, "knob B");
    assert!(!window.state().state.view.inverted);
    window.key_press(Key::Escape);
    window.run();
    let text = super::review::copied(&mut window);
    let listed = "Key images: Slice 6 of 11, L4-L5 Pfirrmann grade: knob B.";
    assert!(text.contains(listed), "{text}");
    let pdf = folder.path().join("report.pdf");
    apply(&mut window, FileAction::Chosen(PathPurpose::SaveReport, pdf.clone()));
    wait_for(&mut window, "the report", |_| pdf.exists());
    if let Some(mut pdftotext) = needs::program("pdftotext", "poppler-utils") {
        let said = pdftotext.arg(&pdf).arg("-").output().expect("it starts").stdout;
        let said = String::from_utf8(said).expect("text");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(said.matches("knob B").count(), 2, "in the text and below the picture\n{said}");
    }
    // One step takes the whole comment back, and not the mark.
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!((marked(&window).len(), marked(&window)[0].comment.as_str()), (1, ""));
    window.key_press_modifiers(Modifiers::COMMAND, Key::Y);
    window.run();
    drop(window);
    let kept = ReviewFile::read(&work_file(folder.path(), "reviews")).expect("saved");
    assert_eq!(kept.review.key_images[0].comment, "knob B");
    assert_eq!(marked(&graded_window(folder.path()))[0].comment, "knob B");
}
