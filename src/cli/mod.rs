//! The commands: each a thin user of [`crate::pipeline`], [`crate::training`] and [`crate::evaluation`].

#![allow(clippy::print_stderr, reason = "printing is what a command line is for")]

mod anonymize;
mod arguments;
mod console;
mod demo;
mod evaluate;
mod explain;
mod export;
mod figures;
mod grade;
mod grade_archive;
mod grade_table;
mod pacs;
mod phantom;
mod train;
mod training_log;
mod weights;

use std::path::PathBuf;

pub use arguments::Arguments;
pub(crate) use demo::DemoArguments;

use arguments::Command;
use console::Console;

use crate::causes::with_causes;
use crate::pipeline::DeviceChoice;

/// How a command ended.
#[derive(Debug)]
pub enum Outcome {
    Done,
    /// Something failed and was reported already; the rest is done.
    PartlyFailed,
    /// The window is to be opened.
    OpenViewer(ViewerRequest),
}

/// What the window shall show.
#[derive(Debug, Clone)]
pub struct ViewerRequest {
    /// Folder to open.
    pub folder: Option<PathBuf>,
    /// Make a synthetic study and open that instead.
    pub demo: Option<DemoArguments>,
    /// The user's own weights.
    pub weights: Option<PathBuf>,
    /// Where the networks run.
    pub device: DeviceChoice,
    console: Console,
}

/// Runs the command that the arguments ask for.
///
/// # Errors
/// Whatever stops the whole command; the caller prints it once.
pub fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let console = Console::new(&arguments.talk)?;
    let viewer = |folder| {
        let (weights, device) = (arguments.models.weights.clone(), arguments.models.device);
        Outcome::OpenViewer(ViewerRequest { folder, demo: None, weights, device, console })
    };
    match arguments.command {
        None => Ok(viewer(arguments.folder)),
        Some(Command::Demo(demo)) => demo::run(demo, console),
        Some(Command::Grade(grade)) => grade::run_grade(&grade, console),
        Some(Command::Detect(detect)) => grade::run_detect(&detect, console),
        Some(Command::Explain(explain)) => explain::run(&explain, console),
        Some(Command::Figures(figures)) => figures::run(&figures, console),
        Some(Command::Export(export)) => export::run(&export, console),
        Some(Command::Anonymize(anonymize)) => anonymize::run(&anonymize, console),
        Some(Command::Evaluate(evaluate)) => evaluate::run(&evaluate, console),
        Some(Command::Train(train)) => train::run(&train, console),
        Some(Command::Experiment(experiment)) => train::run_experiment(&experiment, console),
        Some(Command::Pacs(pacs)) => pacs::run(&pacs, console),
        Some(Command::Phantom(phantom)) => phantom::run(&phantom, console),
        Some(Command::Weights(weights)) => weights::run(&weights, console),
        Some(Command::Devices) => {
            weights::list_devices();
            Ok(Outcome::Done)
        }
    }
}

/// Why no window can be opened, where that is plain beforehand.
#[must_use]
pub fn why_no_display() -> Option<&'static str> {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let needs_server = cfg!(all(unix, not(target_os = "macos")));
    (needs_server && !["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(is_set))
        .then_some("there is no display (DISPLAY and WAYLAND_DISPLAY are not set)")
}

/// Does what can be done of `request` without a window: all of a demo, nothing of a viewer.
///
/// # Errors
/// Whatever stops the demo; without one, what to do instead.
pub fn without_window(request: ViewerRequest, reason: &str) -> anyhow::Result<Outcome> {
    if let Some(demo) = request.demo {
        request.console.note(&format!("spinenet: {reason}; the demo runs without a window"));
        return demo::run_headless(&demo, request.console);
    }
    let folder = request.folder.map_or_else(|| "FOLDER".to_owned(), |folder| folder.display().to_string());
    anyhow::bail!(
        "{reason}; to work without a window try `spinenet grade {folder} --out report.json`, \
         `spinenet explain`, or `spinenet demo --headless`"
    )
}

/// Prints the error that ended a command, with its causes.
pub fn print_error(error: &anyhow::Error) {
    eprintln!("spinenet: {}", with_causes(error.as_ref()));
}
