//! What a check needs from outside of the project: programs, Python packages, development data. A check that lacks
//! something is left out and noted for the last lines of `scripts/test`; where `CI=true` it fails.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// What was `found`, if anything.
///
/// # Panics
/// Where `CI=true` and nothing was found.
pub(crate) fn found<T>(found: Option<T>, missing: &str) -> Option<T> {
    if found.is_none() {
        let thread = std::thread::current();
        let note = format!("{}: {missing}", thread.name().unwrap_or("a check"));
        assert!(std::env::var("CI").as_deref() != Ok("true"), "not checked: {note}");
        // The test runner hides what a passing test prints.
        if let Some(notes) = std::env::var_os("SPINENET_NOT_CHECKED") {
            let notes = OpenOptions::new().create(true).append(true).open(notes);
            notes.and_then(|mut notes| notes.write_all(format!("{note}\n").as_bytes())).expect("the note is kept");
        }
    }
    found
}

/// A program on the path, or else the Debian `package` that has it.
pub(crate) fn program(name: &str, package: &str) -> Option<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found(file, &format!("{name} is not installed (Debian, Ubuntu: apt install {package})")).map(Command::new)
}

/// Whether fontconfig has a font for a language.
pub(crate) fn font(language: &str) -> Option<()> {
    let listed = Command::new("fc-list").arg(format!(":lang={language}")).output();
    let missing =
        format!("no font for the language {language} (Debian, Ubuntu: apt install fontconfig fonts-wqy-microhei)");
    found(listed.is_ok_and(|listed| !listed.stdout.is_empty()).then_some(()), &missing)
}

/// Python with other readers of our files: `SPINENET_PYTHON`, or the one that `scripts/test` makes.
pub(crate) fn python() -> Option<Command> {
    let made = || Path::new(SOURCE).join("target/validators/bin/python").into_os_string();
    let python: OsString = std::env::var_os("SPINENET_PYTHON").unwrap_or_else(made);
    let packages = Command::new(&python).args(["-c", "import pydicom, highdicom, nibabel, pyarrow"]).output();
    let has_them = packages.is_ok_and(|packages| packages.status.success());
    let missing = "no Python with pydicom, highdicom, nibabel and pyarrow (SPINENET_PYTHON, or run scripts/test)";
    found(has_them.then(|| Command::new(&python)), missing)
}

/// A folder or file of the development data: in `SPINENET_DATA`, or in `../shared/data` beside the source tree.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(SOURCE).join("../shared/data");
    let path = std::env::var_os("SPINENET_DATA").map_or_else(beside, PathBuf::from).join(name);
    found(path.exists().then_some(path), &format!("the development data are not here (SPINENET_DATA/{name})"))
}
