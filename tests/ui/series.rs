//! Findings belong to the study: other series of it are looked at without losing them.

use super::*;

use spinenet_viewer::dicom::{SeriesHeader, write_series};
use spinenet_viewer::records::{ReportEntry, read_reports};
use spinenet_viewer::ui::action::{FileAction, ReadAction, ViewAction};
use spinenet_viewer::ui::state::{PathPurpose, SeriesGrid, ViewLayout};

use super::companion::axial_stack;

/// An examination of the made-up spine: T2 sagittal, T1 sagittal, T2 axial.
pub(crate) fn examination(folder: &Path) {
    let header = |number: u32, description: &str, times: [f64; 2]| {
        let mut header = SeriesHeader::synthetic_t2_sagittal("series");
        header.series_number = number;
        description.clone_into(&mut header.texts.series_description);
        "20260301".clone_into(&mut header.texts.study_date);
        [header.texts.repetition_time_ms, header.texts.echo_time_ms] = times.map(Some);
        header
    };
    let volume = answers::volume(answers::SLICES);
    for (name, volume, header) in [
        ("t2", &volume, header(1, "T2 TSE SAG", [3500.0, 100.0])),
        ("t1", &volume, header(2, "T1 TSE SAG", [550.0, 10.0])),
        ("axial", &axial_stack(&volume), header(3, "T2 TSE AX", [3500.0, 100.0])),
    ] {
        write_series(&folder.join(name), volume, &header).expect("written");
    }
}

/// A window with the examination open and graded, and the discs in the order in which they were graded.
pub(crate) fn graded_examination(folder: &Path) -> (Window, std::sync::Arc<std::sync::Mutex<Vec<DiscLevel>>>) {
    let study = folder.join("study");
    examination(&study);
    let answers = Answers::default();
    let graded = std::sync::Arc::clone(&answers.graded);
    let worker = Handle::start("answers", answers, || ()).expect("a thread");
    let mut window: Window = window_of(worker, &folder.join("work"), SIZE, 1.0);
    window.state_mut().open_folder(study);
    wait_for(&mut window, "six graded discs", |viewer| viewer.state.is_graded());
    (window, graded)
}

/// Whether the series of this title is the one beside.
pub(crate) fn stands_beside(viewer: &Viewer<Answers>, title: &str) -> bool {
    let companion = viewer.state.beside();
    let listed = companion.index.and_then(|index| viewer.state.study.series_list.get(index));
    companion.image.ready().is_some() && listed.is_some_and(|series| series.title == title)
}

#[test]
fn other_series_are_shown_without_losing_or_repeating_the_grades() {
    let folder = scratch();
    let (mut window, graded) = graded_examination(folder.path());
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %").click();
    wait_for(&mut window, "the map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    let selection = window.state().state.reading.selection;
    for title in ["T1 TSE SAG", "T2 TSE AX"] {
        window.get_by_label(&format!("Series {title}")).click();
        window.run();
        wait_for(&mut window, "the other series", |viewer| stands_beside(viewer, title));
        let state = &window.state().state;
        assert_eq!((state.view.layout, state.reading.selection), (ViewLayout::Series(SeriesGrid::OneByTwo), selection));
        assert!(state.is_graded() && visible_map(&window).is_some(), "{title}");
        window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %");
    }
    // The keys of series walk over what is not read; the read series itself stays where it is.
    window.key_press(Key::F6);
    window.key_press(Key::ArrowLeft);
    window.run();
    wait_for(&mut window, "the series before", |viewer| stands_beside(viewer, "T1 TSE SAG"));
    window.get_by_label("Series T2 TSE SAG").click();
    window.run();
    assert!(stands_beside(window.state(), "T1 TSE SAG"));
    assert_eq!(graded.lock().expect("not poisoned").len(), 6, "each disc was graded once");
    apply(&mut window, ViewAction::SetLayout(ViewLayout::Single));
    assert!(window.state().state.is_graded());
}

#[test]
fn another_series_is_graded_by_its_own_command_only() {
    let folder = scratch();
    let (mut window, graded) = graded_examination(folder.path());
    window.get_by_label("Series T1 TSE SAG").click_secondary();
    window.run();
    window.get_by_label("Grade this series instead").click();
    window.run();
    let is_read = |viewer: &Viewer<Answers>, title: &str| {
        let read = viewer.state.study.series_list.iter().find(|series| series.shown);
        viewer.state.is_graded() && read.is_some_and(|series| series.title == title)
    };
    wait_for(&mut window, "grades of T1", |viewer| is_read(viewer, "T1 TSE SAG"));
    assert_eq!(graded.lock().expect("not poisoned").len(), 12);
    // What stands beside is graded by the palette, and changes places with what was read.
    window.get_by_label("Series T2 TSE SAG").click();
    window.run();
    wait_for(&mut window, "T2 beside", |viewer| stands_beside(viewer, "T2 TSE SAG"));
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.run();
    window.event(Event::Text("grade the series beside".to_owned()));
    window.run();
    window.key_press(Key::Enter);
    window.run();
    wait_for(&mut window, "grades of T2", |viewer| is_read(viewer, "T2 TSE SAG"));
    wait_for(&mut window, "T1 beside", |viewer| stands_beside(viewer, "T1 TSE SAG"));
}

#[test]
fn grades_of_a_prior_stand_beside_those_of_the_present_and_the_report_says_what_changed() {
    let folder = scratch();
    let (mut window, _) = graded_examination(folder.path());
    let mut header = SeriesHeader::synthetic_t2_sagittal("prior");
    "20250210".clone_into(&mut header.texts.study_date);
    let prior = folder.path().join("prior");
    write_series(&prior, &answers::volume(answers::SLICES), &header).expect("written");
    apply(&mut window, FileAction::Chosen(PathPurpose::AddStudy, prior));
    wait_for(&mut window, "the prior's grades", |viewer| viewer.state.reading.prior.is_some());
    window.get_by_label("L4-L5 Disc narrowing: 2 then, 4 now");
    window.get_by_label("L3-L4 Pfirrmann grade: I then, I now");
    let changed = "L4-L5, since the examination 384 days before: Pfirrmann I to V, narrowing 2 to 4, \
                   upper endplate defect new, lower endplate defect new, upper marrow change new, \
                   lower marrow change new, spondylolisthesis new, central canal stenosis new.";
    window.get_by_label(changed);
    // The pair stays when the prior is clicked, and a change of the reader counts at once.
    let pair = window.state().state.beside().index;
    let listed = window.state().state.study.series_list.len();
    let title = window.state().state.study.series_list[listed - 1].title.clone();
    window.get_all_by_label(&format!("Series {title}")).last().expect("listed").click();
    window.run();
    assert_eq!(
        (window.state().state.beside().index, window.state().state.view.layout),
        (pair, ViewLayout::Series(SeriesGrid::OneByTwo))
    );
    let selection = Selection { level: DiscLevel::L4L5, grading: Grading::DiscNarrowing };
    apply(&mut window, ReadAction::SetGrade { selection, class: Some(1) });
    window.get_by_label("L4-L5 Disc narrowing: 2 then, 2 now");
    let file = folder.path().join("report.json");
    apply(&mut window, FileAction::Chosen(PathPurpose::SaveReport, file.clone()));
    wait_for(&mut window, "the report", |_| file.exists());
    let ReportEntry::Report(report) = read_reports(&file).expect("a report").remove(0) else { panic!("a report") };
    let compared = report.prior.expect("compared");
    assert_eq!((compared.days_before, compared.discs.len()), (Some(384), 6));
    assert!(compared.changes[0].starts_with("L4-L5, since the examination 384 days before: Pfirrmann I to V, upper"));
    assert_eq!(
        compared.changes[1],
        "Grades as in the examination 384 days before: T12-L1, L1-L2, L2-L3, L3-L4, L5-S1."
    );
}
