//! A reader study in the window: grades that are given unseen, then compared.

use super::*;
use spinenet_viewer::measuring::Agreement;
use spinenet_viewer::records::BlindReading;
use spinenet_viewer::ui::action::{FileAction, ReadAction};
use spinenet_viewer::ui::state::{Page, PathPurpose};

const CELLS: usize = 6 * 8;

/// A graded window of a reader who begins to read blind.
fn blind_window(folder: &Path, reader: &str) -> Window {
    let mut window = window(folder);
    window.key_press_modifiers(Modifiers::COMMAND, Key::B);
    window.run();
    apply(&mut window, ReadAction::SetReader(reader.to_owned()));
    window.state_mut().open_folder(study());
    wait_for(&mut window, "six graded discs", |viewer| viewer.state.is_graded());
    window
}

/// The window of a reader who has finished a blind reading and sees the agreement.
pub(crate) fn finished_window(folder: &Path) -> Window {
    let mut window = blind_window(folder, "AB");
    grade_all(&mut window, Key::Num4);
    window.get_by_label("Finish").click();
    wait_for(&mut window, "the agreement", |viewer| viewer.state.agreement.measured.ready().is_some());
    window
}

fn readings(folder: &Path) -> Vec<BlindReading> {
    let (mut readings, unreadable) = BlindReading::read_all(&folder.join("readings"));
    assert_eq!(unreadable, 0);
    readings.sort_by(|a, b| a.reader.cmp(&b.reader));
    readings
}

/// Grades every cell by its digit: the mildest class, but Pfirrmann of L4-L5 as `pfirrmann`.
fn grade_all(window: &mut Window, pfirrmann: Key) {
    window.get_by_label("T12-L1 Pfirrmann grade: hidden").click();
    window.run();
    for _ in 0..CELLS {
        let Selection { level, grading } = window.state().state.reading.selection.expect("one is missing");
        let mildest = if grading.classes() == 2 { Key::Num0 } else { Key::Num1 };
        let worst = (level, grading) == (DiscLevel::L4L5, Grading::Pfirrmann);
        window.key_press(if worst { pfirrmann } else { mildest });
        window.run();
        // No hand is faster, and every grade is saved: a busy disk keeps up.
        std::thread::sleep(Duration::from_millis(40));
    }
}

#[test]
fn a_reader_grades_everything_unseen_and_then_sees_the_agreement() {
    let folder = scratch();
    let mut window = blind_window(folder.path(), "AB");
    assert!(window.query_by_label_contains("85 %").is_none());
    let window_level = window.state().state.window();
    grade_all(&mut window, Key::Num4);
    assert_eq!(window.state().state.blind_progress(), (CELLS, CELLS));
    assert_eq!(window.state().state.window(), window_level, "digits were grades");
    window.get_by_label("L4-L5 Pfirrmann grade: IV, read blind");
    image_snapshot(&picture(&mut window), "blind_reading");
    assert!(window.query_by_label_contains("85 %").is_none(), "still nothing that was computed");
    // Neither leaving, nor the report, nor a signature tells what was computed.
    for keys in [Key::B, Key::R, Key::Enter] {
        window.key_press_modifiers(Modifiers::COMMAND, keys);
        window.run();
    }
    let state = &window.state().state;
    assert!(state.evidence.blind && state.page.is_none() && state.reading.findings.review.sign_off.is_none());
    window.get_by_label("Finish").click();
    wait_for(&mut window, "the agreement", |viewer| viewer.state.agreement.measured.ready().is_some());
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %, read blind IV");
    window.get_by_label("T12-L1 Pfirrmann grade: I, 90 %, read blind I");
    window.get_by_value("AB and computed");
    window.get_by_label("Pfirrmann grade: rows AB, columns computed");
    window.get_by_label("IV and V: 1");
    window.get_by_label("I and I: 5");
    // Narrowing: five of six equal, one pair (1, 4). Chance agrees on 5/6, so that kappa is 0.
    let agreement = window.state().state.agreement.measured.ready().cloned().expect("measured");
    let row = |grading| agreement.comparisons[0].gradings.iter().find(|row| row.grading == grading).expect("graded");
    assert_eq!((row(Grading::DiscNarrowing).exact, row(Grading::DiscNarrowing).kappa), (Some(0.8333), Some(0.0)));
    // Pfirrmann (I, I) five times and (IV, V) once: kappa 1 − (1/6) / (11/36).
    let pfirrmann = row(Grading::Pfirrmann);
    assert_eq!((pfirrmann.exact, pfirrmann.kappa), (Some(0.8333), Some(0.4545)));
    assert!(pfirrmann.kappa_quadratic.is_some_and(|kappa| kappa > 0.9), "one class off out of four");

    let out = folder.path().join("out");
    apply(&mut window, FileAction::Chosen(PathPurpose::SaveAgreement, out.clone()));
    wait_for(&mut window, "the files", |viewer| !viewer.state.banners.is_empty());
    let saved: Agreement =
        serde_json::from_slice(&std::fs::read(out.join("agreement.json")).expect("written")).expect("an agreement");
    assert_eq!(saved, *agreement);
    let ratings = std::fs::read_to_string(out.join("ratings.csv")).expect("written");
    assert_eq!(ratings.lines().count(), 1 + CELLS);
    assert!(ratings.contains("1.2,1.2.3,L4-L5,pfirrmann,AB,4,5,false"), "{ratings}");
    assert!(
        std::fs::read_to_string(out.join("agreement.csv")).expect("written").contains("AB,computed,pfirrmann,1,6,")
    );

    // The grades can be taken into the report; taken back, the computed ones count again.
    window.get_by_label("Use my grades in the report").click();
    window.run();
    window.get_by_label("L4-L5 Pfirrmann grade: IV by the reader, computed V");
    drop(window);
    let kept = readings(folder.path());
    assert_eq!((kept.len(), kept[0].reader.as_str(), kept[0].count()), (1, "AB", CELLS));
    let end = kept[0].finished.as_ref().expect("finished");
    assert_eq!(end.computed[&DiscLevel::L4L5][&Grading::Pfirrmann], 5);
}

#[test]
fn a_reading_is_on_disk_grade_by_grade_and_goes_on_blind() {
    let folder = scratch();
    let mut window = blind_window(folder.path(), "AB");
    window.get_by_label("L4-L5 Pfirrmann grade: hidden").click();
    window.run();
    window.key_press(Key::Num3);
    window.run();
    let selection = window.state().state.reading.selection.expect("the next");
    assert_eq!((selection.level, selection.grading), (DiscLevel::L4L5, Grading::DiscNarrowing));
    // By the buttons too, and by mouse only: nothing moves on then.
    window.get_by_label("2").click();
    window.run();
    window.get_by_label("L4-L5 Disc narrowing: 2, read blind");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    window.get_by_label("L4-L5 Disc narrowing: hidden");
    // The first press names what is missing.
    window.get_by_label("Finish").click();
    window.run();
    window.get_by_label_contains("47 grades are missing.");
    assert!(window.state().state.evidence.blind);
    drop(window);
    let kept = readings(folder.path());
    assert_eq!((kept.len(), kept[0].count(), kept[0].is_under_way()), (1, 1, true));
    // Even where the habit of reading blind was given up meanwhile by another reader.
    let mut window =
        window_of(Handle::start("answers", Answers::default(), || ()).expect("a thread"), folder.path(), SIZE, 1.0);
    apply(&mut window, ReadAction::SetReader("CD".to_owned()));
    window.key_press_modifiers(Modifiers::COMMAND, Key::B);
    window.run();
    window.state_mut().open_folder(study());
    wait_for(&mut window, "six graded discs", |viewer| viewer.state.is_graded());
    assert!(!window.state().state.evidence.blind);
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %");
    apply(&mut window, ReadAction::SetReader("AB".to_owned()));
    window.get_by_label("L4-L5 Pfirrmann grade: III, read blind");
    window.get_by_label("L5-S1 Pfirrmann grade: hidden");
    window.get_by_label_contains("Your blind reading of this series goes on: 1 grade is given.");
}

#[test]
fn a_reader_never_sees_another_before_finishing() {
    let folder = scratch();
    let mut window = blind_window(folder.path(), "AB");
    grade_all(&mut window, Key::Num4);
    window.get_by_label("Finish").click();
    wait_for(&mut window, "the agreement", |viewer| viewer.state.agreement.measured.ready().is_some());
    window.get_by_label("Use my grades in the report").click();
    drop(window);
    let mut window = blind_window(folder.path(), "CD");
    window.get_by_label_contains("1 other reader has read this series");
    window.get_by_label("L4-L5 Pfirrmann grade: hidden");
    grade_all(&mut window, Key::Num5);
    assert!(window.state().state.agreement.measured.ready().is_none());
    window.get_by_label("Finish").click();
    wait_for(&mut window, "the agreement", |viewer| viewer.state.agreement.measured.ready().is_some());
    let agreement = window.state().state.agreement.measured.ready().cloned().expect("measured");
    let raters: Vec<_> = agreement.comparisons.iter().map(|one| one.raters.join("-")).collect();
    assert_eq!(raters, ["CD-computed", "CD-AB", "AB-computed"]);
    let between = agreement.comparisons[1].gradings.iter().find(|row| row.grading == Grading::Pfirrmann);
    assert_eq!(between.map(|row| row.confusion[4][3]), Some(1), "V of CD is IV of AB");
    assert_eq!(window.state().state.page, Some(Page::Agreement));
}

#[test]
fn grades_that_were_seen_before_are_noted() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    apply(&mut window, ReadAction::SetReader("AB".to_owned()));
    window.key_press_modifiers(Modifiers::COMMAND, Key::B);
    window.run();
    window.get_by_label("L4-L5 Pfirrmann grade: hidden").click();
    window.run();
    window.key_press(Key::Num5);
    window.run();
    drop(window);
    assert!(readings(folder.path())[0].computed_seen_before);
}
