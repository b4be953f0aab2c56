//! Command sets of DIMSE messages (PS3.7 E.1): implicit little endian, flat, in ascending order.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

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

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CommandSet {
    elements: Vec<(Tag, Vec<u8>)>,
}

impl CommandSet {
    pub(super) fn request(kind: u16, sop_class: &str, message: u16, has_data: bool) -> Self {
        let mut command = Self::default();
        command.put_text(tags::AFFECTED_SOP_CLASS_UID, sop_class);
        command.put(tags::COMMAND_FIELD, kind);
        command.put(tags::MESSAGE_ID, message);
        if kind != C_ECHO {
            command.put(tags::PRIORITY, MEDIUM);
        }
        command.put(tags::COMMAND_DATA_SET_TYPE, if has_data { DATA_SET } else { NO_DATA_SET });
        command
    }

    /// The response to a C-STORE request.
    pub(super) fn stored(request: &Self, status: u16) -> Self {
        let mut command = Self::default();
        command.put_text(tags::AFFECTED_SOP_CLASS_UID, &request.text(tags::AFFECTED_SOP_CLASS_UID));
        command.put(tags::COMMAND_FIELD, C_STORE | RESPONSE);
        command.put(tags::MESSAGE_ID_BEING_RESPONDED_TO, request.number(tags::MESSAGE_ID).unwrap_or_default());
        command.put(tags::COMMAND_DATA_SET_TYPE, NO_DATA_SET);
        command.put(tags::STATUS, status);
        command.put_text(tags::AFFECTED_SOP_INSTANCE_UID, &request.text(tags::AFFECTED_SOP_INSTANCE_UID));
        command
    }

    /// Names the object of a C-STORE request.
    pub(crate) fn with_instance(mut self, uid: &str) -> Self {
        self.put_text(tags::AFFECTED_SOP_INSTANCE_UID, uid);
        self
    }

    fn put(&mut self, tag: Tag, value: u16) {
        self.elements.push((tag, value.to_le_bytes().to_vec()));
    }

    fn put_text(&mut self, tag: Tag, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        self.elements.push((tag, bytes));
    }

    /// The command as bytes, its group length first.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut elements = self.elements.clone();
        elements.sort_by_key(|(tag, _)| *tag);
        let mut body = Vec::new();
        for (tag, value) in &elements {
            append(&mut body, *tag, value);
        }
        let mut bytes = Vec::new();
        append(&mut bytes, tags::COMMAND_GROUP_LENGTH, &(body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    /// Reads a command; `None` if the bytes are none.
    pub(super) fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut command = Self::default();
        while !bytes.is_empty() {
            let [g0, g1, e0, e1, l0, l1, l2, l3] = *bytes.first_chunk::<8>()?;
            let tag = Tag(u16::from_le_bytes([g0, g1]), u16::from_le_bytes([e0, e1]));
            let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            let value = bytes.get(8..8_usize.checked_add(length)?)?;
            if tag.group() != 0 {
                return None;
            }
            command.elements.push((tag, value.to_vec()));
            bytes = &bytes[8 + length..];
        }
        command.number(tags::COMMAND_FIELD).map(|_| command)
    }

    fn value(&self, tag: Tag) -> Option<&[u8]> {
        self.elements.iter().find(|(other, _)| *other == tag).map(|(_, value)| value.as_slice())
    }

    pub(super) fn number(&self, tag: Tag) -> Option<u16> {
        self.value(tag)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
    }

    /// A text without its padding; empty where there is none.
    pub(super) fn text(&self, tag: Tag) -> String {
        let bytes = self.value(tag).unwrap_or_default();
        String::from_utf8_lossy(bytes).trim_matches(['\0', ' ']).to_owned()
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

fn append(bytes: &mut Vec<u8>, tag: Tag, value: &[u8]) {
    bytes.extend(tag.group().to_le_bytes());
    bytes.extend(tag.element().to_le_bytes());
    bytes.extend((value.len() as u32).to_le_bytes());
    bytes.extend(value);
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
