//! A copy of the open study without identity.

use std::path::PathBuf;

use super::{Command, Event, Viewer};
use crate::dicom::AnonymizedFolder;
use crate::ui::language::tr;
use crate::ui::state::{BannerKind, PathPurpose};
use crate::worker::{JobId, Work};

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Asks for the folder of the copy.
    pub(super) fn ask_for_copy_folder(&mut self) {
        if self.path_of_shown().is_some() {
            self.open_dialog(PathPurpose::SaveCopy);
        }
    }

    /// Writes the copy; the folder must be empty, which the writer checks.
    pub(super) fn save_anonymized_copy(&mut self, out: PathBuf) {
        let Some(folder) = self.path_of_shown() else { return };
        self.submit(Command::Anonymize { folder, out });
    }

    /// Says what was copied, and what a person must still look at.
    pub(super) fn anonymized(&mut self, job: JobId, outcome: &AnonymizedFolder) {
        if !self.jobs.contains_key(&job) {
            return;
        }
        let left_out: usize = outcome.left_out.values().sum();
        let mut text = tr!(
            count = outcome.copied;
            one "{count} image was copied without identity.", other "{count} images were copied without identity."
        );
        if left_out > 0 {
            text.push(' ');
            text += &tr!("Left out, being no image or having text burned in: {count}.", count = left_out);
        }
        self.tell(BannerKind::Done, text);
        if outcome.burned_in_unknown > 0 {
            self.tell(
                BannerKind::Warning,
                tr!(
                    "Copied images that do not say whether text is burned into their pixels: {count}. Look at the copy \
                     before it leaves.",
                    count = outcome.burned_in_unknown
                ),
            );
        }
    }
}
