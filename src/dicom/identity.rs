//! What names a DICOM object, and headers that come in messages instead of files.

use std::path::Path;

use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::elements::{Encoding, is_of_command, is_used};
use super::error::FileError;
use super::file::{DicomFile, decode_message, text};

/// What names an object, and how its file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectIdentity {
    pub sop_class_uid: String,
    pub sop_instance_uid: String,
    /// Study instance UID; empty where the object has none.
    pub study_instance_uid: String,
    /// Series instance UID; empty where the object has none.
    pub series_instance_uid: String,
    pub transfer_syntax_uid: &'static str,
    /// Whether the pixels, if there are any, are written plainly.
    pub is_native: bool,
    /// Byte of the file where the data set begins, behind the file meta information.
    pub data_set_start: u64,
}

impl ObjectIdentity {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// If the file is no DICOM object, is damaged, or does not name class and instance.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let file = DicomFile::open(path)?;
        let named = |tag, keyword| text(&file.header, tag).ok_or(FileError::MissingAttribute(keyword));
        Ok(Self {
            sop_class_uid: named(tags::SOP_CLASS_UID, "SOPClassUID")?,
            sop_instance_uid: named(tags::SOP_INSTANCE_UID, "SOPInstanceUID")?,
            study_instance_uid: text(&file.header, tags::STUDY_INSTANCE_UID).unwrap_or_default(),
            series_instance_uid: text(&file.header, tags::SERIES_INSTANCE_UID).unwrap_or_default(),
            transfer_syntax_uid: file.syntax.uid(),
            is_native: file.syntax.uid() == uids::EXPLICIT_VR_LITTLE_ENDIAN
                || file.syntax.uid() == uids::IMPLICIT_VR_LITTLE_ENDIAN,
            data_set_start: file.data_set_start,
        })
    }
}

/// Decodes the plain elements of a little-endian data set that came in a message; sequences are passed over. Lengths are
/// checked against the bytes that are there.
///
/// # Errors
/// If the bytes are no data set.
pub(crate) fn read_message(bytes: Vec<u8>, is_explicit: bool) -> Result<InMemDicomObject, FileError> {
    let encoding = if is_explicit { Encoding::EXPLICIT_LITTLE } else { Encoding::IMPLICIT_LITTLE };
    decode_message(bytes, encoding, is_used)
}

/// Decodes the command of a message; what is not of its group is passed over.
///
/// # Errors
/// If the bytes are no data set.
pub(crate) fn read_command(bytes: Vec<u8>) -> Result<InMemDicomObject, FileError> {
    decode_message(bytes, Encoding::IMPLICIT_LITTLE, is_of_command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_lies_reserves_no_memory() {
        // PatientName, implicit, declares 4 GiB less two bytes.
        let bytes = [0x10, 0, 0x10, 0, 0xFE, 0xFF, 0xFF, 0xFF, b'A', b'^'].to_vec();
        assert!(matches!(read_message(bytes, false), Err(FileError::Overrun { .. })));
        let bytes = [0x10, 0, 0x10, 0, 4, 0, 0, 0, b'A', b'^', b'B', b' '].to_vec();
        let object = read_message(bytes, false).expect("a data set");
        assert_eq!(text(&object, tags::PATIENT_NAME).as_deref(), Some("A^B"));
    }
}
