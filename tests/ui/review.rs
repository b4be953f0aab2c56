//! The reader's verdict: grades, comments and the signature, kept on disk and taken back.

use super::*;
use spinenet_viewer::language::Language;
use spinenet_viewer::records::{Report, ReportEntry, ReviewFile, read_reports};
use spinenet_viewer::ui::action::{FileAction, ProgramAction, ReadAction};
use spinenet_viewer::ui::state::PathPurpose;

const WORST: &str = "L4-L5 Pfirrmann grade: V, 85 %";

fn saved_review(folder: &Path) -> ReviewFile {
    ReviewFile::read(&work_file(folder, "reviews")).expect("saved")
}

#[test]
fn a_grade_is_changed_kept_and_taken_back() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    window.get_by_label(WORST).click_secondary();
    window.run();
    window.get_by_label_contains("IV: inhomogeneous, gray to black").click();
    window.run();
    let changed = "L4-L5 Pfirrmann grade: IV by the reader, computed V";
    window.get_by_label(changed);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    window.get_by_label(WORST);
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    window.run();
    window.get_by_label(changed);
    drop(window);
    assert_eq!(saved_review(folder.path()).review.class_of(DiscLevel::L4L5, Grading::Pfirrmann), Some(3));
    let window = graded_window(folder.path());
    window.get_by_label(changed);
}

#[test]
fn keys_move_over_the_table_and_change_grades() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let selection = |window: &Window| window.state().state.reading.selection.expect("one");
    for (key, level, grading) in [
        (Key::ArrowUp, DiscLevel::L3L4, Grading::Pfirrmann),
        (Key::ArrowRight, DiscLevel::L3L4, Grading::DiscNarrowing),
        (Key::ArrowDown, DiscLevel::L4L5, Grading::DiscNarrowing),
    ] {
        window.key_press(key);
        window.run();
        assert_eq!(selection(&window), Selection { level, grading });
    }
    window.key_press(Key::Minus);
    window.run();
    window.get_by_label("L4-L5 Disc narrowing: 3 by the reader, computed 4");
    window.key_press(Key::Plus);
    window.run();
    window.get_by_label("L4-L5 Disc narrowing: 4, 85 %");
    // F6 gives the arrows back to the image.
    let slice = window.state().state.view.slice;
    window.key_press(Key::F6);
    window.run();
    window.key_press(Key::ArrowDown);
    window.run();
    assert_eq!(window.state().state.view.slice, slice + 1);
}

#[test]
fn a_comment_is_one_step_and_on_disk_letter_by_letter() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    window.get_by(|node| node.role() == egui::accesskit::Role::MultilineTextInput).focus();
    window.run();
    for letter in ["w", "o", "r", "d"] {
        window.event(Event::Text(letter.to_owned()));
        window.run();
    }
    assert_eq!(window.state().state.reading.findings.review.comment_of(DiscLevel::L4L5), "word");
    assert_eq!(window.state().state.reading.undo_label, Some("comment"));
    let context = window.ctx.clone();
    window.state_mut().apply(&context, ReadAction::Undo);
    assert_eq!(window.state().state.reading.findings.review.comment_of(DiscLevel::L4L5), "");
    window.state_mut().apply(&context, ReadAction::Redo);
    drop(window);
    assert_eq!(saved_review(folder.path()).review.comment_of(DiscLevel::L4L5), "word");
}

#[test]
fn a_signature_ends_with_the_next_change_and_the_report_has_it_all() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let context = window.ctx.clone();
    window.state_mut().apply(&context, ReadAction::SetReader("Dr. A".to_owned()));
    window.run();
    window.key_press(Key::Minus);
    window.run();
    window.get_by_label("Sign off").click();
    window.run();
    window.get_by_label("Signed by Dr. A");
    let report = folder.path().join("report.json");
    window.state_mut().apply(&context, FileAction::Chosen(PathPurpose::SaveReport, report.clone()));
    wait_for(&mut window, "the report", |viewer| !viewer.state.banners.is_empty());
    window.get_by_label("Saved: report.json");
    let entries = read_reports(&report).expect("a report");
    let [ReportEntry::Report(report)] = &entries[..] else { panic!("one report") };
    let report: &Report = report;
    assert_eq!(report.sign_off.as_ref().expect("signed").reader, "Dr. A");
    let disc = report.discs.iter().find(|disc| disc.level == DiscLevel::L4L5).expect("graded");
    let grade = &disc.gradings.as_ref().expect("grades")[Grading::Pfirrmann];
    assert_eq!((grade.grade, grade.edited), (5, Some(4)), "the computed grade stays beside the reader's");
    window.key_press(Key::Plus);
    window.run();
    assert_eq!(window.state().state.reading.findings.review.sign_off, None, "it stood for other grades");
}

#[test]
fn findings_are_told_worst_first() {
    let folder = scratch();
    let window = graded_window(folder.path());
    let summary = &window.state().state.reading.summary;
    assert_eq!(summary.abnormal()[0].level, DiscLevel::L4L5);
    window.get_by_label_contains("L4-L5: Pfirrmann V, narrowing 4");
    window.get_by_label_contains("No abnormal grade: T12-L1, L1-L2");
}

#[test]
fn work_that_cannot_be_read_is_left_as_it_is() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    window.key_press(Key::Minus);
    window.run();
    drop(window);
    let path = work_file(folder.path(), "reviews");
    std::fs::write(&path, r#"{"schema": "spinenet-review/9"}"#).expect("written");
    let mut window = explained_window(folder.path());
    window.get_by_label_contains("Earlier work on this series could not be read");
    window.key_press(Key::Minus);
    window.run();
    window.get_by_label_contains("This change is not saved");
    drop(window);
    assert_eq!(std::fs::read_to_string(&path).expect("there"), r#"{"schema": "spinenet-review/9"}"#);
}

#[test]
fn work_on_other_images_of_the_series_is_kept_and_told() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    window.key_press(Key::Minus);
    window.run();
    window.get_by_label("Sign off").click();
    window.run();
    drop(window);
    // What the same work is called where the series had other images.
    let path = work_file(folder.path(), "reviews");
    let other = path.with_file_name("1.2.3-0000000000000000.json");
    std::fs::rename(&path, &other).expect("renamed");
    let window = graded_window(folder.path());
    window.get_by_label_contains("earlier work on this series, but on other images of it");
    assert_eq!(window.state().state.reading.findings.review.sign_off, None);
    window.get_by_label(WORST);
    drop(window);
    assert!(other.exists());
}

#[test]
fn what_only_a_reader_can_write_stands_in_the_report() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    window.key_press_modifiers(Modifiers::COMMAND, Key::R);
    window.run();
    window.get_by_label("Impression").focus();
    window.run();
    // The letters are text, B and N included.
    for letter in ["B", "o", "n", "e"] {
        window.event(Event::Text(letter.to_owned()));
    }
    window.run();
    window.get_by_label("The PDF names the patient").click();
    window.run();
    let state = &window.state().state;
    assert_eq!(state.reading.findings.review.narrative.impression, "Bone");
    assert!(state.pdf_names_patient && state.page.is_some());
    window.get_by_label("Indication").focus();
    window.run();
    window.key_press(Key::Escape);
    window.run();
    assert!(window.state().state.page.is_some(), "Escape leaves the field first");
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(window.state().state.page, None);
    drop(window);
    assert_eq!(saved_review(folder.path()).review.narrative.impression, "Bone");
    assert!(graded_window(folder.path()).state().state.pdf_names_patient, "kept as a habit");
}

pub(crate) fn copied(window: &mut Window) -> String {
    let context = window.ctx.clone();
    window.state_mut().apply(&context, ProgramAction::CopyReport);
    window.step();
    let commands = &window.output().platform_output.commands;
    let text = |command: &egui::OutputCommand| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    };
    commands.iter().find_map(text).expect("copied")
}

#[test]
fn the_copied_report_says_what_the_screen_says_in_the_order_of_the_template() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let sentences = window.state().state.reading.summary.sentences(Language::ENGLISH);
    let text = copied(&mut window);
    for sentence in sentences {
        assert!(text.contains(&sentence), "{sentence} is missing in\n{text}");
    }
    assert!(text.starts_with("TECHNIQUE\n") && text.contains("\nIMPRESSION (BY THE PROGRAM)\n"), "{text}");
    assert!(text.trim_end().ends_with("Not signed off\nno grade changed by a reader"), "{text}");
    window.run();
    window.get_by_label("The report is on the clipboard.");
    drop(window);

    let file = folder.path().join("report-template.txt");
    std::fs::write(&file, "Spine clinic\n# Result\n{closing}\n{signature}\n").expect("written");
    let mut window = graded_window(folder.path());
    let text = copied(&mut window);
    assert!(text.starts_with("Spine clinic\n\nRESULT\n") && !text.contains("TECHNIQUE"), "{text}");
    drop(window);

    std::fs::write(&file, "{closing}\n{sinature}\n").expect("written");
    let mut window = super::window(folder.path());
    window.run();
    window.get_by_label_contains("there is no place {sinature}");
}
