//! What an archive took of the objects it was sent: one that it refuses does not hold up the others.

use std::fmt;
use std::path::Path;

use dicom_dictionary_std::uids;

use super::error::PacsError;

/// An object that an archive did not store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedObject {
    pub file: String,
    /// What it is; empty where that could not be read.
    pub class: String,
    pub reason: String,
}

impl fmt::Display for RefusedObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, class, reason } = self;
        if class.is_empty() {
            write!(formatter, "{file}: {reason}")
        } else {
            write!(formatter, "{file} ({class}): {reason}")
        }
    }
}

/// Counts what is stored and what is not.
pub(super) struct Account {
    place: String,
    total: usize,
    stored: usize,
    refused: Vec<RefusedObject>,
}

impl Account {
    pub(super) fn new(place: &str, total: usize) -> Self {
        Self { place: place.to_owned(), total, stored: 0, refused: Vec::new() }
    }

    /// Objects that were tried.
    pub(crate) fn tried(&self) -> usize {
        self.stored + self.refused.len()
    }

    /// Notes what became of an object.
    ///
    /// # Errors
    /// Where it was not the object that the archive minded, and nothing more can be sent.
    pub(super) fn note(
        &mut self,
        file: &Path,
        class_uid: &str,
        outcome: Result<(), PacsError>,
    ) -> Result<(), PacsError> {
        let reason = match outcome {
            Ok(()) => {
                self.stored += 1;
                return Ok(());
            }
            Err(PacsError::Rejected { reason, .. } | PacsError::Answer { reason, .. }) => reason,
            Err(PacsError::NotOffered { .. }) => "it does not take objects of this class".to_owned(),
            Err(PacsError::Object { reason, .. }) => format!("it cannot be sent, {reason}"),
            Err(error) => return Err(self.stopped(error)),
        };
        self.refuse(file, class_uid, reason);
        Ok(())
    }

    /// Notes an object that was not stored.
    pub(crate) fn refuse(&mut self, file: &Path, class_uid: &str, reason: String) {
        let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.refused.push(RefusedObject { file, class: class(class_uid).to_owned(), reason });
    }

    /// The error of an end in the middle, with what was done before.
    pub(crate) fn stopped(&mut self, error: PacsError) -> PacsError {
        if self.tried() == 0 || matches!(error, PacsError::Cancelled(_)) {
            return error;
        }
        let refused = std::mem::take(&mut self.refused);
        let stopped = Some(Box::new(error));
        PacsError::NotAllStored { place: self.place.clone(), stored: self.stored, total: self.total, refused, stopped }
    }

    /// # Errors
    /// If not everything was stored.
    pub(crate) fn close(self) -> Result<(), PacsError> {
        let Self { place, total, stored, refused } = self;
        if refused.is_empty() {
            return Ok(());
        }
        Err(PacsError::NotAllStored { place, stored, total, refused, stopped: None })
    }
}

/// What an object is, in words where it is one that this program makes.
fn class(uid: &str) -> &str {
    match uid {
        uids::COMPREHENSIVE3_DSR_STORAGE => "structured report",
        uids::SEGMENTATION_STORAGE => "segmentation",
        uids::PARAMETRIC_MAP_STORAGE => "parametric map",
        uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE => "presentation state",
        uids::SECONDARY_CAPTURE_IMAGE_STORAGE => "secondary capture",
        uids::MR_IMAGE_STORAGE | uids::ENHANCED_MR_IMAGE_STORAGE => "MR image",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected() -> PacsError {
        PacsError::Rejected { place: "archive".to_owned(), reason: "out of resources, A700".to_owned() }
    }

    #[test]
    fn refusals_are_named_and_do_not_end_the_sending() {
        let mut account = Account::new("archive", 3);
        assert!(account.note(Path::new("/secret/report-sr.dcm"), uids::SEGMENTATION_STORAGE, Ok(())).is_ok());
        assert!(account.note(Path::new("/secret/map.dcm"), uids::PARAMETRIC_MAP_STORAGE, Err(rejected())).is_ok());
        assert!(account.note(Path::new("/secret/other.dcm"), "1.2.3", Ok(())).is_ok());
        let said = account.close().expect_err("not all").to_string();
        assert_eq!(said, "archive stored 2 of 3 objects; not stored: map.dcm (parametric map): out of resources, A700");
    }

    #[test]
    fn a_lost_connection_ends_it_and_says_what_was_stored() {
        let lost = || PacsError::Timeout { place: "archive".to_owned() };
        let mut account = Account::new("archive", 3);
        assert!(matches!(account.note(Path::new("a"), "", Err(lost())), Err(PacsError::Timeout { .. })));
        assert!(account.note(Path::new("a"), "", Ok(())).is_ok());
        let said = account.note(Path::new("b"), "", Err(lost())).expect_err("stopped").to_string();
        assert!(said.starts_with("archive stored 1 of 3 objects; archive did not answer in time"), "{said}");
        assert!(Account::new("archive", 0).close().is_ok());
    }
}
