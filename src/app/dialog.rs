//! The folder dialog, on a thread of its own so that the window never waits.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, bounded};

/// How a dialog ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogOutcome {
    /// The user chose a folder.
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
pub struct FolderDialog {
    outcome: Receiver<DialogOutcome>,
}

impl FolderDialog {
    /// Opens the system's folder dialog; `wake` is called when it closes.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn open(wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (sender, outcome) = bounded(1);
        std::thread::Builder::new().name("folder dialog".into()).spawn(move || {
            let begun = std::time::Instant::now();
            let chosen = rfd::FileDialog::new().set_title("Open the folder of a study").pick_folder();
            let is_missing = begun.elapsed().as_secs_f32() < FASTEST_CANCEL_SECS;
            // The window may be gone by now.
            let _ = sender.send(chosen.map_or(DialogOutcome::Nothing { is_missing }, DialogOutcome::Chosen));
            wake();
        })?;
        Ok(Self { outcome })
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<DialogOutcome> {
        self.outcome.try_recv().ok()
    }
}
