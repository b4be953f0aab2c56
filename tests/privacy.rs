//! Nothing that names a patient leaves the study: not into logs, temporary files, settings or copies without identity; and
//! nothing goes out to the network.

mod needs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use spinenet_viewer::dicom::{SeriesHeader, write_series};
use spinenet_viewer::phantom::Phantom;

/// Name, identifier and birth date of the planted patient, and the name of the folder.
const IDENTITY: [&str; 4] = ["Zaphodius", "ZQ-88213", "19571224", "Beeblebrox-study"];

/// A place of its own for everything that the program writes.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    /// With a study of the planted patient, one of whose files is damaged.
    fn new() -> Self {
        let place = Self { root: tempfile::tempdir().expect("a temporary folder") };
        let mut header = SeriesHeader::synthetic_t2_sagittal("planted");
        header.texts.patient_name = format!("{}^Eva", IDENTITY[0]);
        IDENTITY[1].clone_into(&mut header.texts.patient_id);
        IDENTITY[2].clone_into(&mut header.texts.patient_birth_date);
        let files = write_series(&place.study(), &Phantom::generate(4).volume, &header).expect("written");
        let whole = fs::read(&files[0]).expect("readable");
        fs::write(place.study().join("Zaphodius damaged.dcm"), &whole[..whole.len() / 2]).expect("written");
        for folder in ["temporary", "data"] {
            fs::create_dir(place.path(folder)).expect("made");
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn study(&self) -> PathBuf {
        self.path(IDENTITY[3])
    }

    /// A program whose temporary files and settings stay here, and that has no window.
    fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("TMPDIR", self.path("temporary")).env("XDG_DATA_HOME", self.path("data"));
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        command
    }

    fn spinenet(&self, arguments: &[&str]) -> Output {
        self.program(env!("CARGO_BIN_EXE_spinenet")).args(arguments).output().expect("the program starts")
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Fails if `bytes` hold one of `words`, also in the 16-bit texts of some formats.
fn assert_without(what: &str, bytes: &[u8], words: &[&str]) {
    for word in words {
        let wide: Vec<u8> = word.bytes().flat_map(|byte| [byte, 0]).collect();
        for pattern in [word.as_bytes(), &wide] {
            let found = bytes.windows(pattern.len()).any(|window| window == pattern);
            assert!(!found, "{what} holds {word}");
        }
    }
}

#[test]
fn logs_results_and_temporary_files_do_not_name_the_patient() {
    let place = Place::new();
    let study = place.study();
    let [log, report, maps, copy, pdf] =
        ["log.txt", "report.json", "maps", "copy", "x.pdf"].map(|name| place.path(name));
    let nowhere = study.join("nowhere");
    let talk = ["-vv", "--log", path(&log)];
    let fewer = ["--augmentations", "2"];
    let commands: [(&[&str], bool); 6] = [
        (&["grade", path(&study), "--views", "1", "--out", path(&report)], true),
        (
            &[
                "explain",
                path(&study),
                "--disc",
                "L4-L5",
                "--grading",
                "pfirrmann",
                "--out",
                path(&maps),
                fewer[0],
                fewer[1],
            ],
            true,
        ),
        (&["anonymize", path(&study), "--out", path(&copy)], true),
        (&["grade", path(&nowhere), "--out", path(&report)], false),
        (&["grade", path(&study), "--series", "1.2.3", "--out", path(&report)], false),
        (&["export", path(&report), "--images", path(&nowhere), "--pdf", path(&pdf)], false),
    ];
    let mut logged = 0;
    for (command, succeeds) in commands {
        let output = place.spinenet(&[command, &talk].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), succeeds, "{command:?}: {said}");
        assert_without(&format!("{command:?} on the screen"), &output.stdout, &IDENTITY[..3]);
        let text = fs::read(&log).expect("a log");
        logged += text.len();
        assert_without(&format!("the log of {command:?}"), &text, &IDENTITY);
        assert_without(&format!("the log of {command:?}"), &text, &[path(place.root.path())]);
    }
    assert!(logged > 500, "there is something to look at: {logged} bytes");
    let written = [files(&maps), files(&copy), vec![report]].concat();
    assert!(written.len() > 15, "{} files", written.len());
    for file in written {
        assert_without(path(&file), &fs::read(&file).expect("readable"), &IDENTITY);
        assert_without(
            "a file name",
            path(file.strip_prefix(place.root.path()).expect("inside")).as_bytes(),
            &IDENTITY,
        );
    }
    let left = files(&place.path("temporary"));
    assert!(left.is_empty(), "temporary files are removed: {left:?}");
    assert!(files(&place.path("data")).is_empty(), "the command line keeps nothing of its own");
}

/// What a program asked of the network, a line each; `None` where strace is missing. `around` is what runs it.
fn traced(place: &Place, around: &[&str], program: &[&str]) -> Option<String> {
    needs::program("strace", "strace")?;
    let trace = place.path("trace.txt");
    let _ = fs::remove_file(&trace);
    let watched = "trace=socket,connect,sendto,sendmsg,bind,listen";
    let strace = ["strace", "-f", "--seccomp-bpf", "-e", watched, "-o", path(&trace)];
    let line = [around, &strace, program].concat();
    place.program(line[0]).args(&line[1..]).output().expect("it starts");
    Some(fs::read_to_string(&trace).expect("strace wrote what it saw"))
}

fn assert_silent(trace: &str, what: &str) {
    for family in ["AF_INET", "AF_PACKET", "AF_VSOCK"] {
        let spoken = trace.lines().find(|line| line.contains(family));
        assert!(spoken.is_none(), "{what} speaks to the network: {spoken:?}");
    }
    assert!(trace.contains("exited with") || trace.contains("killed by"), "{what} was traced:\n{trace}");
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_goes_out_to_the_network() {
    let place = Place::new();
    let (program, study) = (env!("CARGO_BIN_EXE_spinenet"), place.study());
    let (report, out) = (place.path("report.json"), place.path("demo"));
    let graded = [program, "grade", path(&study), "--views", "1", "--out", path(&report)];
    let Some(trace) = traced(&place, &[], &graded) else { return };
    assert!(report.exists(), "it did its work while it was watched");
    assert_silent(&trace, "grading");
    let demo = [program, "demo", "--headless", "--augmentations", "2", "--out", path(&out)];
    assert_silent(&traced(&place, &[], &demo).expect("strace was there"), "the demo");
}

/// The window on a virtual screen, for as long as a look takes.
#[test]
#[cfg(all(target_os = "linux", feature = "gui"))]
fn a_window_with_a_study_is_silent_and_its_settings_do_not_name_the_patient() {
    let place = Place::new();
    let study = place.study();
    // Long enough to open and grade; then it ends as by a crash.
    let look = ["timeout", "30", env!("CARGO_BIN_EXE_spinenet"), path(&study)];
    if needs::program("xvfb-run", "xvfb xauth").is_none() {
        return;
    }
    let Some(trace) = traced(&place, &["xvfb-run", "-a"], &look) else { return };
    assert!(trace.contains(".X11-unix"), "the window was open:\n{trace}");
    assert_silent(&trace, "the window");
    let settings = fs::read(place.path("data/spinenet-viewer/settings.json")).expect("the study was opened");
    let settings = String::from_utf8(settings).expect("text");
    // The folder itself has to be kept to open it again, for its owner alone.
    assert!(settings.contains(IDENTITY[3]));
    assert_without("the settings", settings.as_bytes(), &IDENTITY[..3]);
}
