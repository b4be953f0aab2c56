//! The system's dialogs, on a thread of their own so that the window never waits.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, bounded};

use crate::export::named_formats;
use crate::ui::language::tr;
use crate::ui::state::PathPurpose;

/// How a dialog ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DialogOutcome {
    /// The user chose a path.
    Chosen(PathBuf),
    /// The user cancelled, or the system has no dialog.
    Nothing {
        /// It came back faster than anybody can cancel: there is no dialog on this system.
        is_missing: bool,
    },
}

/// Ending of a report whose name has none.
pub(super) const REPORT_ENDING: &str = "pdf";

/// Name of a report unless the reader has a better one; nothing in it is of the patient.
const REPORT_FILE: &str = "lumbar-spine-report.pdf";

/// Formats of a report, the one that readers send on before those for programs.
fn report_formats() -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_to_read = |(_, ending): &(&str, &str)| *ending == REPORT_ENDING;
    named_formats().filter(is_to_read).chain(named_formats().filter(move |format| !is_to_read(format)))
}

/// Faster than this nobody cancels a dialog.
const FASTEST_CANCEL_SECS: f32 = 0.4;

/// A dialog that is open.
pub(crate) struct PathDialog {
    pub wanted: PathPurpose,
    outcome: Receiver<DialogOutcome>,
}

impl PathDialog {
    /// Opens a dialog of the system; `wake` is called when it closes.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn open(wanted: PathPurpose, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
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
    pub(super) fn outcome(&self) -> Option<DialogOutcome> {
        self.outcome.try_recv().ok()
    }
}

fn ask(wanted: PathPurpose) -> Option<PathBuf> {
    let dialog = rfd::FileDialog::new().set_title(wanted.title());
    match wanted {
        PathPurpose::OpenStudy
        | PathPurpose::AddStudy
        | PathPurpose::SaveCopy
        | PathPurpose::SaveFigures
        | PathPurpose::SaveAgreement => dialog.pick_folder(),
        PathPurpose::OpenFile => dialog
            .add_filter(tr!("ZIP files, NIfTI and MetaImage volumes"), &["zip", "nii", "gz", "mha", "mhd"])
            .add_filter(tr!("All files"), &["*"])
            .pick_file(),
        PathPurpose::SaveBoxes => dialog
            .set_file_name("boxes.json")
            .add_filter(tr!("Boxes (JSON; COCO where the name ends in .coco.json)"), &["json"])
            .save_file(),
        PathPurpose::LoadBoxes => dialog.add_filter(tr!("Boxes (JSON, COCO)"), &["json"]).pick_file(),
        PathPurpose::SaveReport => {
            let dialog = dialog.set_file_name(REPORT_FILE);
            report_formats().fold(dialog, |dialog, (name, ending)| dialog.add_filter(name, &[ending])).save_file()
        }
        PathPurpose::SaveImage => {
            dialog.set_file_name("image.png").add_filter(tr!("Picture (PNG)"), &["png"]).save_file()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_pdf_unless_another_format_is_chosen() {
        let endings: Vec<&str> = report_formats().map(|(_, ending)| ending).collect();
        assert_eq!(endings[0], "pdf");
        assert!(REPORT_FILE.ends_with(REPORT_ENDING) && endings.contains(&"json"), "{endings:?}");
        assert_eq!(endings.iter().filter(|ending| **ending == "pdf").count(), 1);
        assert_eq!(endings.len(), named_formats().count());
    }
}
