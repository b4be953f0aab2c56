//! The whole program with its real networks on real DICOM files: what a radiologist, a clinician and a researcher do
//! from opening a study to a saved result; and the pictures of the README.

use super::*;
use std::path::PathBuf;

use super::companion::{Examinations, examinations};

use spinenet_viewer::language::Language;
use spinenet_viewer::model::Views;
use spinenet_viewer::pipeline::{
    AnalysisOptions, DEMO_SEED, DeviceChoice, Models, OpenSeries, analyze_folder, prepare_demo,
};
use spinenet_viewer::records::{ReportEntry, read_reports};
use spinenet_viewer::spine::{MeasurementKind, PixelBox};
use spinenet_viewer::task::{CancelToken, Progress};
use spinenet_viewer::ui::action::{
    BoxAction, EvidenceAction, FileAction, MeasureAction, ProgramAction, ReadAction, ViewAction,
};
use spinenet_viewer::ui::companion::CommonSpace;
use spinenet_viewer::ui::state::{PathPurpose, SeriesGrid, ViewLayout};
use spinenet_viewer::worker::{Inference, WorkerHandle};

/// Margin that the test harness leaves around the window, in points.
const MARGIN: f32 = 8.0;

type RealWindow = WindowOf<Inference>;

/// A scan of a patient where the development data are at hand, else the synthetic study.
fn real_study(folder: &Path) -> PathBuf {
    needs::data("dicom/case-007").unwrap_or_else(|| synthetic_study(folder))
}

fn synthetic_study(folder: &Path) -> PathBuf {
    let study = prepare_demo(Some(folder), DEMO_SEED, &CancelToken::default(), &mut |_| ());
    study.expect("a study").folder().to_owned()
}

fn opened(study: &Path, work: &Path, size: Vec2, scale: f32) -> RealWindow {
    let worker = WorkerHandle::spawn(DeviceChoice::Cpu, None, || ()).expect("the processor and a thread");
    let mut window = window_of(worker, work, size, scale);
    window.state_mut().open_folder(study.to_owned());
    wait_for(&mut window, "grades of all discs", |viewer| viewer.state.is_graded());
    window
}

fn select(window: &mut RealWindow, level: DiscLevel, grading: Grading) {
    let context = window.ctx.clone();
    window.state_mut().apply(&context, ReadAction::Select(Selection { level, grading }));
    wait_for(window, "the evidence", |viewer| viewer.state.evidence.main.request.ready().is_some());
}

#[test]
fn three_readers_come_from_opening_to_a_saved_result() {
    let folder = scratch();
    let study = real_study(&folder.path().join("study"));
    let work = folder.path().join("work");
    let mut window = opened(&study, &work, SIZE, 1.0);
    radiologist(&mut window, folder.path());
    clinician(&mut window, folder.path());
    researcher(&mut window, folder.path());
    let boxes = window.state().state.reading.findings.boxes.clone();
    let review = window.state().state.reading.findings.review.clone();
    drop(window);
    // The next day everything is there again.
    let window = opened(&study, &work, SIZE, 1.0);
    assert_eq!(window.state().state.reading.findings.review, review);
    assert_eq!(window.state().state.reading.findings.boxes.len(), boxes.len());
}

/// What is on screen and what the command line finds are one report, to the byte; a review changes both alike.
#[test]
fn the_window_and_the_command_line_write_the_same_report() {
    let folder = scratch();
    let study = synthetic_study(&folder.path().join("study"));
    // The folder has something to warn of.
    std::fs::write(study.join("broken.dcm"), b"no image").expect("written");
    let [graded, shown, reviewed] =
        ["graded", "shown", "reviewed"].map(|name| folder.path().join(format!("{name}.json")));
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_spinenet"))
        .args(["grade", "--quiet", "--no-times", "--out"])
        .args([&graded, &study])
        .output()
        .expect("it starts");
    assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
    let mut window = opened(&study, &folder.path().join("work"), SIZE, 1.0);
    let context = window.ctx.clone();
    let save = |window: &mut RealWindow, file: &Path| {
        window.state_mut().apply(&context, FileAction::Chosen(PathPurpose::SaveReport, file.to_owned()));
        wait_for(window, "the report", |_| file.exists());
        std::fs::read_to_string(file).expect("readable")
    };
    // The program that made a report is named by its hash, and the tests are another one.
    let named = |report: &str| {
        let hash = report.split("\"sha256\": \"").nth(1).and_then(|rest| rest.get(..64)).expect("the program's hash");
        report.replacen(hash, "this program", 1)
    };
    let (graded, on_screen) = (std::fs::read_to_string(&graded).expect("written"), save(&mut window, &shown));
    assert!(graded.contains("refused_files"), "{graded}");
    assert_eq!(named(&on_screen), named(&graded));

    let level = window.state().state.reading.discs.last().expect("discs").level;
    let selection = Selection { level, grading: Grading::Pfirrmann };
    let class = Some((window.state().state.grade(selection).expect("graded").computed + 1) % 5);
    window.state_mut().apply(&context, ReadAction::SetGrade { selection, class });
    window.state_mut().apply(&context, ReadAction::SetComment { level, text: "seen".to_owned() });
    let on_screen = save(&mut window, &reviewed);
    let mut models = Models::new(DeviceChoice::Cpu, None).expect("the processor");
    let options = AnalysisOptions { views: Some(Views::FiftyFour), ..AnalysisOptions::default() };
    let analyzed = analyze_folder(&study, &mut models, options, &CancelToken::default(), &mut |_: Progress| ());
    let review = window.state().state.reading.findings.review.clone();
    let report = OpenSeries { review, seconds: None, ..analyzed.expect("graded") }.report();
    let ReportEntry::Report(read) = read_reports(&reviewed).expect("a report").remove(0) else { panic!("a report") };
    assert!(on_screen.contains("seen"));
    assert_eq!(*read, report);
}

/// A marked slice with its map is the same picture in the PDF of the window and in the files of the command line.
#[test]
fn the_window_and_the_command_line_draw_the_same_key_image() {
    let folder = scratch();
    let study = synthetic_study(&folder.path().join("study"));
    let [pdf, report, pictures] = ["shown.pdf", "report.json", "pictures"].map(|name| folder.path().join(name));
    let work = folder.path().join("work");
    let mut window = opened(&study, &work, SIZE, 1.0);
    let level = window.state().state.reading.summary.abnormal().first().expect("one").level;
    select(&mut window, level, Grading::Pfirrmann);
    window.key_press_modifiers(Modifiers::SHIFT, Key::K);
    window.run();
    drop(window);
    // Another run knows the map by its name only, and makes it again.
    let mut window = opened(&study, &work, SIZE, 1.0);
    let context = window.ctx.clone();
    for file in [&pdf, &report] {
        window.state_mut().apply(&context, FileAction::Chosen(PathPurpose::SaveReport, file.clone()));
        wait_for(&mut window, "the report", |_| file.exists());
    }
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_spinenet"))
        .args(["export", "--quiet"])
        .arg(&report)
        .args([Path::new("--study"), &study, Path::new("--key-images"), &pictures])
        .output()
        .expect("it starts");
    assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
    let drawn = image::open(pictures.join("key-image-1.png")).expect("a picture").to_rgb8();
    let Some(mut pdfimages) = needs::program("pdfimages", "poppler-utils") else { return };
    let taken = pdfimages.arg("-png").args([&pdf, &folder.path().join("taken")]).status().expect("it starts");
    assert!(taken.success());
    let taken = std::fs::read_dir(folder.path()).expect("readable").map(|file| file.expect("readable").path());
    let pages: Vec<_> = taken.filter(|path| path.extension().is_some_and(|ending| ending == "png")).collect();
    let pages: Vec<_> = pages.iter().map(|path| image::open(path).expect("a picture").to_rgb8()).collect();
    // The file has a line of words below.
    let is_it = |page: &image::RgbImage| {
        let (width, height) = page.dimensions();
        width == drawn.width()
            && height < drawn.height()
            && image::imageops::crop_imm(&drawn, 0, 0, width, height).to_image() == *page
    };
    assert!(
        pages.iter().any(is_it),
        "{:?} is not among {:?}",
        drawn.dimensions(),
        pages.iter().map(image::RgbImage::dimensions)
    );
    let spread = |pixel: &image::Rgb<u8>| {
        let [red, green, blue] = pixel.0;
        red.max(green).max(blue) - red.min(green).min(blue)
    };
    assert!(drawn.pixels().filter(|pixel| spread(pixel) > 60).count() > 500, "the map is in it");
}

/// Looks at the lowest disc, disagrees, comments, signs and saves the report.
fn radiologist(window: &mut RealWindow, folder: &Path) {
    let level = window.state().state.reading.discs.last().expect("discs").level;
    let selection = Selection { level, grading: Grading::Pfirrmann };
    select(window, level, Grading::Pfirrmann);
    let computed = window.state().state.grade(selection).expect("graded").computed;
    let (key, expected) = if computed > 0 { (Key::Minus, computed - 1) } else { (Key::Plus, computed + 1) };
    window.key_press(key);
    window.run();
    assert_eq!(window.state().state.grade(selection).expect("graded").edited, Some(expected));
    let context = window.ctx.clone();
    let text = "looks better than that".to_owned();
    window.state_mut().apply(&context, ReadAction::SetComment { level, text });
    window.state_mut().apply(&context, ReadAction::SetReader("R".to_owned()));
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    window.run();
    window.get_by_label("Signed by R");
    let file = folder.join("report.json");
    window.state_mut().apply(&context, FileAction::Chosen(PathPurpose::SaveReport, file.clone()));
    wait_for(window, "the report", |_| file.exists());
    let entries = read_reports(&file).expect("a report");
    let ReportEntry::Report(report) = &entries[0] else { panic!("a report") };
    assert_eq!(report.sign_off.as_ref().expect("signed").reader, "R");
    assert_eq!(report.weights.len(), 2, "both networks are named");
    let disc = report.discs.iter().find(|disc| disc.level == level).expect("the disc");
    assert_eq!(disc.comment.as_deref(), Some("looks better than that"));
}

/// Reads the sentence, clicks the worst finding, sees where it is, takes a table home.
fn clinician(window: &mut RealWindow, folder: &Path) {
    let summary = window.state().state.reading.summary.clone();
    if let Some(worst) = summary.abnormal().first() {
        window.get_by_label(&worst.sentence(Language::ENGLISH)).click();
        wait_for(window, "the evidence", |viewer| viewer.state.evidence.main.request.ready().is_some());
        assert_eq!(window.state().state.reading.selection.expect("selected").level, worst.level);
    } else {
        window.get_by_label_contains("No abnormal grade");
    }
    let file = folder.join("grades.csv");
    let context = window.ctx.clone();
    window.state_mut().apply(&context, FileAction::Chosen(PathPurpose::SaveReport, file.clone()));
    wait_for(window, "the table", |_| file.exists());
    let table = std::fs::read_to_string(&file).expect("readable");
    assert_eq!(table.lines().count(), 1 + window.state().state.reading.discs.len());
}

/// Boxes a finding, compares it with the evidence, moves the percentile, and takes the figures home.
fn researcher(window: &mut RealWindow, folder: &Path) {
    let level = window.state().state.reading.discs.last().expect("discs").level;
    select(window, level, Grading::UpperEndplateDefect);
    window.key_press(Key::B);
    window.run();
    let [_, row, column] = window.state().state.disc(level).expect("a disc").center_voxel;
    let at = |dx: f64, dy: f64| DVec2::new(column + dx, row + dy);
    let (from, to) = (on_screen(window, at(-25.0, -25.0)), on_screen(window, at(25.0, 10.0)));
    drag(window, from, to);
    assert_eq!(window.state().state.selected_boxes().count(), 1);
    let before = window.state().state.volume_iou().expect("a box and a map");
    let context = window.ctx.clone();
    window.state_mut().apply(&context, EvidenceAction::SetPercentile(90.0));
    window.run();
    let after = window.state().state.volume_iou().expect("a box and a map");
    assert!((0.0..=1.0).contains(&before) && before != after, "{before} {after}");
    // By keys alone: the palette, a part of the command's name, the folder.
    window.state_mut().state.banners.clear();
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.run();
    window.event(Event::Text("figures".to_owned()));
    window.run();
    window.key_press(Key::Enter);
    let out = folder.join("figures");
    enter_path(window, &out);
    wait_for(window, "the figures", |viewer| !viewer.state.banners.is_empty());
    window.get_by_label("Saved: 9 files in figures");
    for name in ["methods", "thresholds", "convergence"] {
        let [png, svg, pdf] = ["png", "svg", "pdf"]
            .map(|ending| out.join(format!("{level}_{}_{name}.{ending}", Grading::UpperEndplateDefect)));
        let picture = image::open(png).expect("a picture").to_luma8();
        let (darkest, brightest) =
            picture.pixels().fold((255, 0), |(low, high): (u8, u8), pixel| (low.min(pixel.0[0]), high.max(pixel.0[0])));
        assert!(brightest - darkest > 100, "{name} shows something");
        assert!(std::fs::read_to_string(svg).expect("a drawing").starts_with("<svg"), "{name}");
        assert!(std::fs::read(pdf).expect("a page").starts_with(b"%PDF"), "{name}");
    }
}

/// Every main state of the window, for the README: `cargo test --test ui -- --ignored pictures`.
#[test]
#[ignore = "writes assets/screenshots"]
fn pictures_of_every_main_state() {
    let folder = scratch();
    let margins = vec2(2.0 * MARGIN, 2.0 * MARGIN);
    let study = synthetic_study(&folder.path().join("study"));
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/screenshots");
    let mut empty = window_of(
        WorkerHandle::spawn(DeviceChoice::Cpu, None, || ()).expect("a thread"),
        &folder.path().join("new"),
        SIZE + margins,
        1.0,
    );
    let save = |window: &mut RealWindow, name: &str| {
        window.remove_cursor();
        window.run();
        // The harness leaves a margin around the window.
        let margin = (MARGIN * window.ctx.pixels_per_point()) as u32;
        let whole = window.render().expect("rendered");
        let (width, height) = (whole.width() - 2 * margin, whole.height() - 2 * margin);
        let inner = image::imageops::crop_imm(&whole, margin, margin, width, height).to_image();
        inner.save(out.join(format!("{name}.png"))).expect("written");
    };
    save(&mut empty, "first-run");
    let mut window = opened(&study, &folder.path().join("work"), SIZE + margins, 1.0);
    let context = window.ctx.clone();
    let worst = window.state().state.reading.summary.abnormal().first().map_or(DiscLevel::L4L5, |disc| disc.level);
    select(&mut window, worst, Grading::CentralCanalStenosis);
    save(&mut window, "viewer");
    let verdict: [UiAction; 6] = [
        ReadAction::SetReader("Reader".to_owned()).into(),
        ReadAction::SetGrade { selection: Selection { level: worst, grading: Grading::Pfirrmann }, class: Some(3) }
            .into(),
        ReadAction::SetComment { level: worst, text: "Narrow canal behind the disc.".to_owned() }.into(),
        MeasureAction::OfDisc(MeasurementKind::Slip).into(),
        ReadAction::SignOff.into(),
        ViewAction::SetLayout(ViewLayout::Disc).into(),
    ];
    for action in verdict {
        window.state_mut().apply(&context, action);
    }
    save(&mut window, "review");
    window.state_mut().apply(&context, ViewAction::SetLayout(ViewLayout::Planes));
    save(&mut window, "planes");
    compared(&mut window, worst);
    save(&mut window, "compare");
    series_beside(&folder.path().join("examinations"), &folder.path().join("work"), &save);
    window.state_mut().apply(&context, ViewAction::SetLayout(ViewLayout::Single));
    window.state_mut().apply(&context, ProgramAction::ToggleTheme);
    window.state_mut().apply(&context, ProgramAction::EditPalette(Some("me".to_owned())));
    save(&mut window, "light-and-palette");
    drop(window);
    let mut large = opened(&study, &folder.path().join("work"), vec2(1280.0, 720.0) + margins, 2.0);
    compared(&mut large, worst);
    save(&mut large, "high-resolution");
}

/// An axial series and a prior beside the read one.
fn series_beside(folder: &Path, work: &Path, save: &impl Fn(&mut RealWindow, &str)) {
    let Examinations { today, prior } = examinations(folder);
    let mut window = opened(&today, work, SIZE + vec2(2.0 * MARGIN, 2.0 * MARGIN), 1.0);
    select(&mut window, DiscLevel::L4L5, Grading::Pfirrmann);
    let context = window.ctx.clone();
    window.state_mut().apply(&context, ViewAction::SetLayout(ViewLayout::Series(SeriesGrid::OneByTwo)));
    wait_for(&mut window, "the axial series", |viewer| viewer.state.beside().image.ready().is_some());
    save(&mut window, "axial");
    window.state_mut().apply(&context, FileAction::Chosen(PathPurpose::AddStudy, prior));
    wait_for(&mut window, "the match", |viewer| matches!(viewer.state.beside().space, CommonSpace::BySpine(_)));
    save(&mut window, "prior");
}

/// Two maps of a finding beside each other, with a reader's box and its overlap.
fn compared(window: &mut RealWindow, level: DiscLevel) {
    select(window, level, Grading::CentralCanalStenosis);
    let [_, row, column] = window.state().state.disc(level).expect("a disc").center_voxel;
    let context = window.ctx.clone();
    if window.state().state.selected_boxes().count() == 0 {
        let rect = PixelBox { x: column + 12.0, y: row - 38.0, width: 28.0, height: 34.0 };
        window.state_mut().apply(&context, BoxAction::Add(rect));
    }
    window.state_mut().apply(&context, ViewAction::SetLayout(ViewLayout::Compare));
    wait_for(window, "the second map", |viewer| viewer.state.evidence.beside.request.ready().is_some());
}
