//! The system's dialogs, on a thread of their own so that the window never waits.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, bounded};

/// What the user is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The folder of a study.
    StudyFolder,
    /// A file to write the report to.
    ReportFile,
    /// A folder to write figures into.
    FigureFolder,
}

/// How a dialog ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogOutcome {
    /// The user chose a path.
    Chosen(PathBuf),
    /// The user cancelled, or the system has no dialog.
    Nothing {
        /// It came back faster than anybody can cancel: there is no dialog on this system.
        is_missing: bool,
    },
}

/// Faster than this nobody cancels a dialog.
const FASTEST_CANCEL_SECS: f32 = 0.4;

/// A dialog that is open.
pub struct PathDialog {
    /// What for.
    pub wanted: Wanted,
    outcome: Receiver<DialogOutcome>,
}

impl PathDialog {
    /// Opens a dialog of the system; `wake` is called when it closes.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn open(wanted: Wanted, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (sender, outcome) = bounded(1);
        std::thread::Builder::new().name("dialog".into()).spawn(move || {
            let begun = std::time::Instant::now();
            let chosen = ask(wanted);
            let is_missing = begun.elapsed().as_secs_f32() < FASTEST_CANCEL_SECS;
            // The window may be gone by now.
            let _ = sender.send(chosen.map_or(DialogOutcome::Nothing { is_missing }, DialogOutcome::Chosen));
            wake();
        })?;
        Ok(Self { wanted, outcome })
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<DialogOutcome> {
        self.outcome.try_recv().ok()
    }
}

fn ask(wanted: Wanted) -> Option<PathBuf> {
    match wanted {
        Wanted::StudyFolder => rfd::FileDialog::new().set_title("Open the folder of a study").pick_folder(),
        Wanted::ReportFile => rfd::FileDialog::new()
            .set_title("Save the report")
            .set_file_name("report.json")
            .add_filter("JSON", &["json"])
            .add_filter("Table (CSV)", &["csv"])
            .save_file(),
        Wanted::FigureFolder => rfd::FileDialog::new().set_title("Folder for the figures").pick_folder(),
    }
}
