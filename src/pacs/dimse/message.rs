//! Command sets of DIMSE messages (PS3.7 E.1): implicit little endian, flat.

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;

use crate::dicom::read_command;

/// Kinds of messages.
pub(super) const C_STORE: u16 = 0x0001;
pub(super) const C_GET: u16 = 0x0010;
pub(super) const C_FIND: u16 = 0x0020;
pub(super) const C_ECHO: u16 = 0x0030;
/// Added to the kind of a request for its response.
pub(super) const RESPONSE: u16 = 0x8000;
/// Says that no data set follows.
const NO_DATA_SET: u16 = 0x0101;
const DATA_SET: u16 = 0x0000;
const MEDIUM: u16 = 0x0000;
/// Status of responses.
pub(super) const SUCCESS: u16 = 0x0000;
pub(super) const CANNOT_UNDERSTAND: u16 = 0xC000;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct CommandSet(InMemDicomObject);

impl CommandSet {
    pub(super) fn request(kind: u16, sop_class: &str, message: u16, has_data: bool) -> Self {
        let mut command = Self(InMemDicomObject::from_element_iter([
            uid(tags::AFFECTED_SOP_CLASS_UID, sop_class),
            number(tags::COMMAND_FIELD, kind),
            number(tags::MESSAGE_ID, message),
            number(tags::COMMAND_DATA_SET_TYPE, if has_data { DATA_SET } else { NO_DATA_SET }),
        ]));
        if kind != C_ECHO {
            command.0.put(number(tags::PRIORITY, MEDIUM));
        }
        command
    }

    /// The response to a C-STORE request.
    pub(super) fn stored(request: &Self, status: u16) -> Self {
        Self(InMemDicomObject::from_element_iter([
            uid(tags::AFFECTED_SOP_CLASS_UID, &request.text(tags::AFFECTED_SOP_CLASS_UID)),
            number(tags::COMMAND_FIELD, C_STORE | RESPONSE),
            number(tags::MESSAGE_ID_BEING_RESPONDED_TO, request.number(tags::MESSAGE_ID).unwrap_or_default()),
            number(tags::COMMAND_DATA_SET_TYPE, NO_DATA_SET),
            number(tags::STATUS, status),
            uid(tags::AFFECTED_SOP_INSTANCE_UID, &request.text(tags::AFFECTED_SOP_INSTANCE_UID)),
        ]))
    }

    /// Names the object of a C-STORE request.
    pub(crate) fn with_instance(mut self, instance_uid: &str) -> Self {
        self.0.put(uid(tags::AFFECTED_SOP_INSTANCE_UID, instance_uid));
        self
    }

    /// The command as bytes, its group length first.
    ///
    /// # Panics
    /// Never: numbers and UIDs can be written, and memory takes them.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let command = InMemDicomObject::command_from_element_iter(self.0.clone());
        command
            .write_dataset_with_ts(&mut bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased())
            .expect("plain elements in memory");
        bytes
    }

    /// Reads a command; `None` if the bytes are none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let command = Self(read_command(bytes.to_vec()).ok()?);
        command.number(tags::COMMAND_FIELD).is_some().then_some(command)
    }

    pub(super) fn number(&self, tag: Tag) -> Option<u16> {
        self.0.get(tag)?.to_int().ok()
    }

    /// A text without its padding; empty where there is none.
    pub(super) fn text(&self, tag: Tag) -> String {
        let text = self.0.get(tag).and_then(|element| element.to_str().ok()).unwrap_or_default();
        text.trim_matches(['\0', ' ']).to_owned()
    }

    /// Kind of the message.
    pub(super) fn kind(&self) -> u16 {
        self.number(tags::COMMAND_FIELD).unwrap_or_default()
    }

    /// Whether a data set follows.
    pub(crate) fn has_data(&self) -> bool {
        self.number(tags::COMMAND_DATA_SET_TYPE).is_some_and(|kind| kind != NO_DATA_SET)
    }

    /// Status of a response.
    pub(super) fn status(&self) -> u16 {
        self.number(tags::STATUS).unwrap_or(CANNOT_UNDERSTAND)
    }

    /// Whether more responses will follow (PS3.7 C.4).
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.status(), 0xFF00 | 0xFF01)
    }

    /// Whether it says that the work is done, perhaps with a remark.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.status(), SUCCESS | 0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF)
    }

    /// A status that is no success, in words.
    pub(crate) fn failure(&self) -> String {
        let status = self.status();
        let words = match status {
            0x0105 => "no such attribute",
            0x0117 => "invalid object instance",
            0x0122 => "it does not take objects of this class",
            0x0124 => "not authorized",
            0x0211 => "unrecognized operation",
            0xA700..=0xA7FF => "out of resources",
            0xA800..=0xA8FF => "unknown destination",
            0xA900..=0xA9FF => "the object does not match its class",
            0xC000..=0xCFFF => "it cannot process this",
            0xFE00 => "cancelled by the archive",
            _ => "no success",
        };
        let comment = self.text(tags::ERROR_COMMENT);
        let comment: String = comment.chars().filter(|letter| !letter.is_control()).take(64).collect();
        if comment.is_empty() {
            format!("{words}, status {status:04X}")
        } else {
            format!("{words}, status {status:04X}: {comment}")
        }
    }
}

fn number(tag: Tag, value: u16) -> InMemElement {
    DataElement::new(tag, VR::US, PrimitiveValue::from(value))
}

fn uid(tag: Tag, value: &str) -> InMemElement {
    DataElement::new(tag, VR::UI, PrimitiveValue::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_read_back_and_lies_are_refused() {
        let request = CommandSet::request(C_STORE, "1.2.3", 7, true).with_instance("1.2.3.4");
        let bytes = request.bytes();
        let read = CommandSet::parse(&bytes).expect("a command");
        assert_eq!((read.kind(), read.number(tags::MESSAGE_ID), read.has_data()), (C_STORE, Some(7), true));
        assert_eq!(read.text(tags::AFFECTED_SOP_INSTANCE_UID), "1.2.3.4");
        // SOP class first, padded by a zero as UIDs are.
        assert_eq!(bytes[12..26], *b"\0\0\x02\0\x06\0\0\x001.2.3\0");
        let group: [u8; 4] = bytes[8..12].try_into().expect("four bytes");
        assert_eq!(u32::from_le_bytes(group) as usize, bytes.len() - 12, "group length");
        let response = CommandSet::parse(&CommandSet::stored(&read, SUCCESS).bytes()).expect("a command");
        assert!(response.is_success() && !response.has_data() && response.kind() == C_STORE | RESPONSE);
        for end in 0..bytes.len() {
            let _ = CommandSet::parse(&bytes[..end]);
        }
        let mut lying = bytes.clone();
        lying[4..8].fill(0xFF);
        assert_eq!(CommandSet::parse(&lying), None);
    }
}
