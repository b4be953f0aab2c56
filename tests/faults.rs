//! What goes wrong around the program: it is killed while it saves, the disk is full, a folder cannot be written, files
//! vanish while they are read. Nothing that was confirmed is lost, and nothing half written is taken for a result.
#![allow(clippy::print_stdout)] // the writer confirms on stdout

mod needs;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spinenet_viewer::dicom::{load_series, scan_folder};
use spinenet_viewer::files::remove_unfinished;
use spinenet_viewer::records::{BoxesFile, Review, ReviewFile};
use spinenet_viewer::spine::{BoxSource, DiscLevel, Grading, PixelBox, SliceBox};
use spinenet_viewer::task::CancelToken;

/// Times that the program is killed.
const KILLS: u64 = 200;
/// Where the writer that will be killed works; the test passes it on.
const FOLDER: &str = "SPINENET_FAULTS_FOLDER";

fn slice_box(number: usize) -> SliceBox {
    SliceBox {
        level: DiscLevel::L4L5,
        grading: Grading::UpperEndplateDefect,
        slice: number % 9,
        rect: PixelBox { x: number as f64, y: 20.0, width: 30.0, height: 12.0 },
        source: BoxSource::Reader,
        percentile: None,
    }
}

fn files(folder: &Path) -> [PathBuf; 2] {
    ["boxes.json", "review.json"].map(|name| folder.join(name))
}

/// Boxes and the comment that are on disk; files that are not whole fail here.
fn on_disk(folder: &Path) -> (usize, usize) {
    let [boxes, review] = files(folder);
    let boxes = if boxes.exists() { BoxesFile::read(&boxes).expect("whole").boxes.len() } else { 0 };
    let comment = |file: ReviewFile| file.review.comment_of(DiscLevel::L4L5).parse().expect("a number");
    let review = if review.exists() { comment(ReviewFile::read(&review).expect("whole")) } else { 0 };
    (boxes, review)
}

/// Not a test by itself: draws boxes and edits a review without end, and says what is saved. It is killed from outside.
#[test]
#[ignore = "the writer that another test kills"]
fn writer() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let [boxes_file, review_file] = files(&folder);
    let (saved, _) = on_disk(&folder);
    let mut boxes: Vec<SliceBox> = (0..saved).map(slice_box).collect();
    loop {
        boxes.push(slice_box(boxes.len()));
        BoxesFile::new("AB", "1.2.3", boxes.clone()).save(&boxes_file).expect("saved");
        println!("boxes {}", boxes.len());
        let mut review = Review::default();
        review.set_comment(DiscLevel::L4L5, &boxes.len().to_string());
        ReviewFile::new("1.2.3", "ab", None, review).save(&review_file).expect("saved");
        println!("review {}", boxes.len());
        std::io::stdout().flush().expect("the test listens");
    }
}

#[test]
fn a_killed_program_has_lost_nothing_that_it_confirmed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut random = ChaCha8Rng::seed_from_u64(10);
    let (mut boxes, mut review) = (0, 0);
    for kill in 0..KILLS {
        let mut writer = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "writer", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the writer starts");
        let mut said = BufReader::new(writer.stdout.take().expect("piped")).lines();
        let mut confirm = |line: String| match line.split_once(' ') {
            Some(("boxes", count)) => boxes = count.parse().expect("a number"),
            Some(("review", count)) => review = count.parse().expect("a number"),
            _ => (),
        };
        // Somewhere within a save, after a few whole ones.
        let mut wanted = random.random_range(1..8);
        while wanted > 0 {
            let line = said.next().expect("the writer goes on").expect("text");
            wanted -= usize::from(line.starts_with("boxes") || line.starts_with("review"));
            confirm(line);
        }
        std::thread::sleep(Duration::from_micros(random.random_range(0..3000)));
        writer.kill().expect("killed");
        writer.wait().expect("gone");
        said.map_while(Result::ok).for_each(confirm);
        let found = on_disk(folder.path());
        assert!(found.0 >= boxes && found.1 >= review, "kill {kill}: {found:?} of {boxes} and {review} confirmed");
        // At most the one that was being saved is there without having been confirmed.
        assert!(found.0 <= boxes + 1 && found.1 <= boxes + 1, "kill {kill}: {found:?} of {boxes} and {review}");
    }
    assert!(boxes > KILLS as usize, "{boxes} boxes were confirmed");
    remove_unfinished(folder.path(), Duration::ZERO);
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("readable").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "nothing half written is left: {left:?}");
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn spinenet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spinenet"))
        .args(arguments)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("the program starts")
}

/// The program on a disk that takes files of `kib` KiB at most and then says that there is no more room.
#[cfg(target_os = "linux")]
fn spinenet_with_room(kib: u32, arguments: &[&str]) -> Output {
    // An ignored SIGXFSZ is inherited; writing then fails as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
    Command::new("bash")
        .args(["-c", &script, env!("CARGO_BIN_EXE_spinenet")])
        .args(arguments)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("bash starts")
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_and_the_older_result_stays_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (studies, report) = (folder.path().join("studies"), folder.path().join("report.json"));
    assert!(spinenet(&["phantom", "--out", path(&studies), "--seed", "4", "--quiet"]).status.success());
    let study = path(&studies.join("phantom-000004")).to_owned();
    let grade = ["grade", &study, "--views", "1", "--out", path(&report)];
    assert!(spinenet(&grade).status.success());
    let before = fs::read(&report).expect("a report");
    let refused = spinenet_with_room(4, &grade);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("report.json") && !said.contains("panicked"), "{said}");
    assert_eq!(fs::read(&report).expect("the older report"), before);
    for command in [
        &["demo", "--out", path(&folder.path().join("demo")), "--augmentations", "2"][..],
        &["phantom", "--out", path(&folder.path().join("more"))],
        &["explain", &study, "--disc", "L4-L5", "--grading", "pfirrmann", "--out", path(&folder.path().join("maps"))],
        &["anonymize", &study, "--out", path(&folder.path().join("anonymous"))],
    ] {
        let refused = spinenet_with_room(4, command);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains(path(folder.path())) && !said.contains("panicked"), "{command:?} names the file: {said}");
    }
    let unfinished = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".spinenet-")).count()
    };
    assert_eq!(["", "demo", "maps"].map(|name| unfinished(&folder.path().join(name))), [0; 3]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(spinenet(&["phantom", "--out", path(folder.path()), "--seed", "4", "--quiet"]).status.success());
    let study = path(&folder.path().join("phantom-000004")).to_owned();
    // Nobody, not even root, can make files there.
    for command in [
        &["grade", &study, "--views", "1", "--out", "/proc/spinenet/report.json"][..],
        &["demo", "--out", "/proc/spinenet"],
        &["phantom", "--out", "/proc/spinenet"],
        &["anonymize", &study, "--out", "/proc/spinenet"],
    ] {
        let refused = spinenet(command);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains("/proc/spinenet") && !said.contains("panicked"), "{command:?}: {said}");
    }
}

#[test]
fn a_file_that_vanishes_before_it_is_read_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(spinenet(&["phantom", "--out", path(folder.path()), "--seed", "4", "--quiet"]).status.success());
    let token = CancelToken::default();
    let scan = scan_folder(folder.path(), &token, &mut |_| ()).expect("scanned");
    let series = scan.series.iter().max_by_key(|series| series.instances.len()).expect("a series");
    let gone = series.instances[1].path.clone();
    fs::remove_file(&gone).expect("removed");
    let refused = load_series(series, &token, &mut |_| ()).expect_err("a missing image is no scan").to_string();
    assert!(refused.contains(gone.file_name().and_then(|name| name.to_str()).expect("a name")), "{refused}");
    fs::remove_dir_all(folder.path().join("phantom-000004")).expect("removed");
    assert!(load_series(series, &token, &mut |_| ()).is_err());
    assert!(scan_folder(&folder.path().join("phantom-000004"), &token, &mut |_| ()).is_err());
}

/// The window on a virtual screen loses its graphics device, which reports it or makes the toolkit panic first; either
/// way the program starts again with the study.
#[test]
#[cfg(all(target_os = "linux", feature = "gui", debug_assertions))]
fn a_lost_graphics_card_costs_nothing_but_the_window() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let study = folder.path().join("study");
    let header = spinenet_viewer::dicom::SeriesHeader::synthetic_t2_sagittal("graphics");
    let volume = spinenet_viewer::phantom::Phantom::generate(4).volume;
    spinenet_viewer::dicom::write_series(&study, &volume, &header).expect("written");
    std::thread::scope(|threads| {
        for loss in ["reported", "unreported", "twice"] {
            let (study, log, data) = (&study, folder.path().join(format!("{loss}.txt")), folder.path().join(loss));
            let Some(mut command) = needs::program("xvfb-run", "xvfb xauth") else { return };
            threads.spawn(move || {
                let outcome = command
                    .args(["-a", "timeout", "40", env!("CARGO_BIN_EXE_spinenet"), "--log"])
                    .args([&log, study])
                    .env("XDG_DATA_HOME", &data)
                    .env("SPINENET_TEST_GRAPHICS_LOSS", loss)
                    .output()
                    .expect("it starts");
                let said = text(&outcome.stderr);
                assert_eq!(outcome.status.code(), Some(124), "{loss}: it went on until it was stopped:\n{said}");
                let log = fs::read_to_string(&log).expect("a log");
                assert_eq!(log.matches("the program starts again").count(), 1, "{loss}: {log}");
                let settings = fs::read_to_string(data.join("spinenet-viewer/settings.json")).expect("settings");
                assert!(settings.contains("\"open_study\": \""), "{loss}: the study is open again: {settings}");
            });
        }
    });
}
