//! Where received objects lie until their study is whole: files with names of ours, counted and capped.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::error::PacsError;
use crate::dicom::ObjectIdentity;
use crate::files::PathError;
use crate::task::{CancelToken, Progress};

/// Largest object, all objects together, and most of them. A 3-D series is about 0.2 GB.
const MAX_OBJECT_BYTES: u64 = 4 << 30;
const MAX_BYTES: u64 = 32 << 30;
const MAX_OBJECTS: usize = 50_000;

/// Takes in the objects of one study.
pub(crate) struct Inbox<'a> {
    folder: PathBuf,
    place: String,
    study_instance_uid: String,
    objects: usize,
    expected: usize,
    bytes: u64,
    cancel: &'a CancelToken,
    on_progress: &'a mut dyn FnMut(Progress),
}

impl<'a> Inbox<'a> {
    /// An inbox in `folder` for the objects of a study, of which about `expected` will come (0: not known).
    pub(super) fn new(
        folder: &Path,
        place: &str,
        study_instance_uid: &str,
        expected: usize,
        cancel: &'a CancelToken,
        on_progress: &'a mut dyn FnMut(Progress),
    ) -> Self {
        on_progress(Progress { step: "Fetching images", done: 0, total: expected });
        let (folder, place, study_instance_uid) = (folder.to_owned(), place.to_owned(), study_instance_uid.to_owned());
        Self { folder, place, study_instance_uid, objects: 0, expected, bytes: 0, cancel, on_progress }
    }

    /// Objects that came.
    pub(super) fn objects(&self) -> usize {
        self.objects
    }

    /// Takes in one object that `receive` writes.
    ///
    /// # Errors
    /// If it cannot be received or written, is too large, is no DICOM object, or belongs to another study.
    pub(super) fn take(
        &mut self,
        receive: impl FnOnce(&mut dyn Write) -> Result<(), PacsError>,
    ) -> Result<(), PacsError> {
        let too_much = |limit, of| PacsError::TooMuch { place: self.place.clone(), limit, of };
        if self.objects >= MAX_OBJECTS {
            return Err(too_much(MAX_OBJECTS as u64, "objects"));
        }
        // The name is a number: what the archive sends never becomes a path.
        let path = self.folder.join(format!("IM{:06}.dcm", self.objects + 1));
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(PathError::at(&path))?;
        let limit = MAX_OBJECT_BYTES.min(MAX_BYTES - self.bytes);
        let file = BufWriter::with_capacity(1 << 16, file);
        let mut capped = Capped { file, written: 0, limit, cancel: self.cancel };
        let received = receive(&mut capped);
        self.cancel.check()?;
        if capped.written > limit {
            return Err(too_much(limit, "bytes"));
        }
        received?;
        capped.file.flush().map_err(PathError::at(&path))?;
        let answer = |reason: String| PacsError::Answer { place: self.place.clone(), reason };
        let identity = ObjectIdentity::read(&path).map_err(|error| answer(format!("no DICOM object ({error})")))?;
        if identity.study_instance_uid != self.study_instance_uid {
            return Err(answer("an object of another study than the one asked for".to_owned()));
        }
        self.bytes += capped.written;
        self.objects += 1;
        let total = if self.expected == 0 { 0 } else { self.expected.max(self.objects) };
        (self.on_progress)(Progress { step: "Fetching images", done: self.objects, total });
        Ok(())
    }
}

/// Writes no more than it may (one byte more is counted, so that it shows) and no longer than it is wanted.
struct Capped<'a> {
    file: BufWriter<File>,
    written: u64,
    limit: u64,
    cancel: &'a CancelToken,
}

impl Write for Capped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written + bytes.len() as u64 > self.limit {
            self.written = self.limit + 1;
            return Err(io::Error::other("too large"));
        }
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let count = self.file.write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_dicom_or_too_large_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (cancel, mut ignore) = (CancelToken::default(), |_| ());
        let mut inbox = Inbox::new(folder.path(), "archive", "1.2", 1, &cancel, &mut ignore);
        let error = inbox.take(|out| Ok(out.write_all(b"<html>").map_err(PathError::at("x"))?)).expect_err("no DICOM");
        assert!(matches!(error, PacsError::Answer { .. }), "{error}");
        let file = BufWriter::new(tempfile::tempfile().expect("a file"));
        let mut capped = Capped { file, written: 0, limit: 4, cancel: &cancel };
        assert!(capped.write_all(b"abcd").is_ok() && capped.write_all(b"e").is_err());
        assert!(capped.written > capped.limit);
    }
}
