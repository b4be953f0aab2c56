//! What a reader must not be told wrongly, from a click to what leaves the program: no study is called normal, a grade that
//! contradicts a measurement says so, and what must not be relied on says why where it is read.

use super::*;

use spinenet_viewer::records::ReviewFile;
use spinenet_viewer::ui::action::{FileAction, ReadAction};
use spinenet_viewer::ui::state::PathPurpose;

/// What the PDF that the window saves says, line breaks as spaces; `None` without a program that reads it.
fn saved_pdf(window: &mut Window, file: &Path) -> Option<String> {
    apply(window, FileAction::Chosen(PathPurpose::SaveReport, file.to_owned()));
    wait_for(window, "the report", |_| file.exists());
    let text = needs::program("pdftotext", "poppler-utils")?.arg(file).arg("-").output().expect("it starts");
    let text = String::from_utf8(text.stdout).expect("text");
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Everything that the window says, in one text.
fn said(window: &Window) -> String {
    use egui_kittest::kittest::NodeT;
    let labels = window.root().children_recursive().filter_map(|node| {
        let node = node.accesskit_node();
        node.label().or_else(|| node.value())
    });
    labels.collect::<Vec<_>>().join("\n")
}

fn choose_class(window: &mut Window, cell: &str, class: &str) {
    window.get_by_label_contains(cell).click();
    window.run();
    window.get_by_label_contains(class).click();
    window.run();
}

/// Every grade of the bad disc is overruled; still nobody is told that the study is normal, in the window or in the PDF.
#[test]
fn a_study_without_an_abnormal_grade_is_never_called_normal() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    for grading in Grading::PAPER {
        let selection = Selection { level: DiscLevel::L4L5, grading };
        apply(&mut window, ReadAction::SetGrade { selection, class: Some(0) });
    }
    assert!(window.state().state.reading.summary.abnormal().is_empty());
    window.get_by_label_contains("No abnormal grade: T12-L1, L1-L2, L2-L3, L3-L4, L4-L5, L5-S1.");
    window.get_by_label_contains("Nothing else in the images was assessed.");
    let told = said(&window).to_lowercase();
    let is_called_normal = |text: &str| text.replace("abnormal", "").contains("normal");
    assert!(!is_called_normal(&told), "{told}");
    let Some(pdf) = saved_pdf(&mut window, &folder.path().join("report.pdf")) else { return };
    assert!(pdf.contains("No abnormal grade: T12-L1") && pdf.contains("Nothing else in the images was assessed."));
    assert!(!is_called_normal(&pdf.to_lowercase()), "{pdf}");
}

/// The made-up L4 has slipped by a fifth of the endplate: to grade it "absent" is a contradiction wherever it is read.
#[test]
fn a_grade_against_the_measured_slip_is_a_conflict_in_window_and_pdf() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let conflict = "L4-L5 spondylolisthesis absent (by the reader), measured slip 20 %";
    assert!(!said(&window).contains(conflict));
    choose_class(&mut window, "L4-L5 Spondylolisthesis: present", "absent: 15 %");
    window.get_by_label_contains("Grade and measurement disagree: spondylolisthesis absent (by the reader)");
    assert!(said(&window).contains(conflict), "{}", said(&window));
    let pdf = saved_pdf(&mut window, &folder.path().join("report.pdf"));
    assert!(pdf.is_none_or(|pdf| pdf.contains(conflict)));
    // Taken back, nothing disagrees at this disc.
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert!(!said(&window).contains(conflict));
    // The highest disc of all, which a reader calls narrowed, is narrowed; what was measured stands beside it.
    let selection = Selection { level: DiscLevel::L5S1, grading: Grading::DiscNarrowing };
    apply(&mut window, ReadAction::SetGrade { selection, class: Some(3) });
    let told = said(&window);
    assert!(told.contains("narrowing 4 (by the reader), measured height 12.6 mm"), "{told}");
    assert!(!told.contains("not confirmed by measurement"), "{told}");
}

#[test]
fn an_experimental_grade_says_why_where_it_is_read() {
    const WHY: &str = "too few slips were learned from";
    let folder = scratch();
    let answers = Answers { experimental: Some((Grading::Spondylolisthesis, WHY.to_owned())), ..Answers::default() };
    let worker = Handle::start("answers", answers, || ()).expect("a thread");
    let mut window: Window = window_of(worker, folder.path(), SIZE, 1.0);
    window.state_mut().open_folder(study());
    wait_for(&mut window, "the grades", |viewer| viewer.state.is_graded());
    window.get_by_label_contains("L4-L5 Spondylolisthesis: present").click();
    window.run();
    window.get_by_label(&format!("Experimental: {WHY}"));
    window.get_by_label_contains("Experimental, not relied on: L4-L5 spondylolisthesis");
    // Another grade of the disc does not carry the doubt.
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %").click();
    window.run();
    assert!(window.query_by_label(&format!("Experimental: {WHY}")).is_none());
    let Some(pdf) = saved_pdf(&mut window, &folder.path().join("report.pdf")) else { return };
    assert!(pdf.contains("Experimental, not relied on: L4-L5 spondylolisthesis"), "{pdf}");
}

/// The window at the start shows the vertebral bodies in the middle of the gray scale; as recorded is a key away.
#[test]
fn vertebrae_are_mid_gray_at_the_start() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    window.key_press(Key::Space);
    let body = |window: &mut Window| {
        // The middle of L1, between the outlines' corners.
        let at = on_screen(window, DVec2::new(105.0 + 3.0 * 4.0 + 23.0, 12.0 + 43.0 + 16.0));
        let picture = picture(window);
        picture.get_pixel(at.x.round() as u32, at.y.round() as u32).0[0]
    };
    let shown = body(&mut window);
    assert!((105..=150).contains(&shown), "{shown}");
    window.key_press(Key::Num1);
    window.run();
    let recorded = body(&mut window);
    assert!(recorded.abs_diff(shown) > 20, "{recorded} as recorded, {shown} at the start");
}

#[test]
fn full_screen_is_asked_for_by_its_key_and_by_the_menu() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    // A request stands in what the frame of its event gives out.
    let asked_by = |window: &mut Window, events: Vec<Event>| {
        window.input_mut().events.extend(events);
        window.step();
        let mut commands = window.output().viewport_output.values().flat_map(|viewport| &viewport.commands);
        commands.any(|command| *command == egui::ViewportCommand::Fullscreen(true))
    };
    assert!(!asked_by(&mut window, Vec::new()));
    let (key, modifiers) = (Key::F11, Modifiers::NONE);
    let pressed = Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
    assert!(asked_by(&mut window, vec![pressed]));
    window.run();
    window.get_by_label("View").click();
    window.run();
    let pos = window.get_by_label_contains("Full screen").rect().center();
    let button = |pressed| Event::PointerButton { pos, button: egui::PointerButton::Primary, pressed, modifiers };
    assert!(asked_by(&mut window, vec![Event::PointerMoved(pos), button(true), button(false)]));
}

/// Reviews as every version so far wrote them: what the reader decided is there again.
#[test]
fn reviews_of_earlier_versions_open() {
    let folder = scratch();
    let window = graded_window(folder.path());
    let voxels = window.state().state.loaded().expect("a series").series.voxel_sha256().to_owned();
    drop(window);
    let head = format!(r#""schema": "spinenet-review/1", "series_instance_uid": "1.2.3", "voxel_sha256": "{voxels}""#);
    let decided = r#""discs": {"L4-L5": {"grades": {"pfirrmann": 3}, "comment": "seen"}},
        "measurements": [{"kind": "length", "slice": 3, "points": [[1.0, 2.0], [3.5, 4.25]]}],
        "sign_off": {"reader": "AB", "signed_at": "2026-05-04T10:00:00Z"}"#;
    let narrative = r#""narrative": {"indication": "low back pain", "impression": "as before"}"#;
    let marked = r#""key_images": [{"slice": 4, "window": {"center": 300.0, "width": 600.0}}]"#;
    let reviews = folder.path().join("reviews");
    std::fs::create_dir_all(&reviews).expect("a folder");
    let file = reviews.join(format!("1.2.3-{}.json", &voxels[..16]));
    for (fields, images) in [(vec![decided], 0), (vec![decided, narrative], 0), (vec![decided, narrative, marked], 1)] {
        std::fs::write(&file, format!("{{{head}, {}}}", fields.join(", "))).expect("written");
        let window = graded_window(folder.path());
        window.get_by_label("L4-L5 Pfirrmann grade: III by the reader, computed V");
        window.get_by_label("Signed by AB");
        let review = &window.state().state.reading.findings.review;
        assert_eq!((review.comment_of(DiscLevel::L4L5), review.measurements.len()), ("seen", 1));
        assert_eq!(review.key_images.len(), images);
        assert_eq!(review.narrative.impression, if fields.len() > 1 { "as before" } else { "" });
        drop(window);
        assert_eq!(ReviewFile::read(&file).expect("still a review").review.key_images.len(), images);
    }
    // The first versions noted no images: such work is told of and left as it is.
    std::fs::remove_file(&file).expect("removed");
    let first = reviews.join("1.2.3.json");
    let text = format!(r#"{{"schema": "spinenet-review/1", "series_instance_uid": "1.2.3", {decided}}}"#);
    std::fs::write(&first, &text).expect("written");
    let window = graded_window(folder.path());
    window.get_by_label_contains("earlier work on this series, but on other images of it");
    drop(window);
    assert_eq!(std::fs::read_to_string(&first).expect("there"), text);
}
