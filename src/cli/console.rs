//! Progress, results and logs on a terminal or in a pipe.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::arguments::TalkArguments;
use crate::task::Progress;

/// On every screen with results.
pub(crate) const RESEARCH_USE_ONLY: &str = "Research use only. Not a medical device.";

/// Where a command talks to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    quiet: bool,
}

impl Console {
    /// Sets up what is printed and logged.
    pub(super) fn new(talk: &TalkArguments) -> anyhow::Result<Self> {
        start_log(talk)?;
        Ok(Self { quiet: talk.quiet })
    }

    /// Prints a line of results, unless quiet.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet {
            print_line(text);
        }
    }

    /// Prints a line on stderr that is no result, unless quiet.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// A progress bar named `name`: drawn on a terminal, nothing on a pipe.
    pub(super) fn progress(self, name: &str) -> ProgressLine {
        self.progress_with("{prefix} {msg} {wide_bar} {pos}/{len}", name)
    }

    /// The same with the time that is left, for work that goes on for minutes or hours.
    pub(crate) fn long_progress(self, name: &str) -> ProgressLine {
        self.progress_with("{prefix} {msg} {wide_bar} {pos}/{len}, {eta} left", name)
    }

    fn progress_with(self, template: &str, name: &str) -> ProgressLine {
        let shown = !self.quiet && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template(template).expect("a valid template");
        bar.set_style(style);
        bar.set_prefix(name.to_owned());
        ProgressLine { bar }
    }
}

/// Prints a line on stdout; a reader that has gone away (`| head`) is no reason to fail.
pub(crate) fn print_line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints an error that the command survives, however quiet.
pub(crate) fn complain(text: &str) {
    eprintln!("spinenet: {text}");
}

/// A progress bar; disappears when dropped.
pub(crate) struct ProgressLine {
    bar: ProgressBar,
}

impl ProgressLine {
    /// Shows how far the work has come.
    pub(crate) fn show(&self, progress: Progress) {
        self.bar.set_length(progress.total as u64);
        self.bar.set_position(progress.done as u64);
        self.bar.set_message(progress.step);
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn start_log(talk: &TalkArguments) -> anyhow::Result<()> {
    let own = match talk.verbose {
        0 if talk.log.is_some() => "info",
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    // Libraries may name files; only this program's own lines are known to hold no patient data.
    let filter = EnvFilter::new(format!("off,spinenet_viewer={own}"));
    match &talk.log {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.with_context(|| format!("cannot open the log: {}", path.display()))?;
            install(filter, Mutex::new(file));
        }
        None => install(filter, std::io::stderr),
    }
    Ok(())
}

fn install<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(filter: EnvFilter, writer: W) {
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(writer);
    // A second start in one process (tests) keeps the first log.
    let _ = subscriber.try_init();
}
