//! Walks the elements of a data set without trusting any length it declares.
//!
//! dicom-rs allocates what a length field asks for before it reads. So every file is walked here first, skipping over
//! values, and only the elements that the program uses, all proven to lie inside the file, are handed on.

use std::io::{self, Read, Seek, SeekFrom};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::error::FileError;
use super::makers;

/// Deepest nesting of sequences that is followed; real enhanced images need about five.
const MAX_DEPTH: usize = 24;
/// Largest single value that the program has a use for, outside functional groups.
pub(super) const MAX_VALUE_BYTES: u32 = (1 << 16) - 2;
/// Largest header, all used elements together.
const MAX_HEADER_BYTES: u64 = 256 << 20;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_DELIMITER: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_DELIMITER: Tag = Tag(0xFFFE, 0xE0DD);
/// Length field that says "until the delimiter".
const UNDEFINED: u32 = u32::MAX;

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    pub explicit: bool,
    pub big_endian: bool,
}

impl Encoding {
    pub(crate) const EXPLICIT_LITTLE: Self = Self { explicit: true, big_endian: false };
    pub(crate) const IMPLICIT_LITTLE: Self = Self { explicit: false, big_endian: false };
    pub(crate) const EXPLICIT_BIG: Self = Self { explicit: true, big_endian: true };

    fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// Header of one element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    pub tag: Tag,
    /// As declared, or as the dictionary has it where the syntax declares none; `UN` where unknown.
    pub vr: VR,
    /// Declared length; `None` where it is undefined.
    pub length: Option<u32>,
    /// Byte where the header begins.
    pub start: u64,
    /// Byte where the value begins.
    pub value: u64,
}

/// An element to decode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub tag: Tag,
    /// Byte where its header begins.
    pub start: u64,
    /// Byte behind its value.
    pub end: u64,
    /// A header to put in the place of one that hides a known element as `UN`, and the byte where the value begins.
    pub header: Option<([u8; 8], u64)>,
}

/// What a walk over the top level of a data set found.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The elements worth decoding, in file order.
    pub kept: Vec<Kept>,
    /// The pixel data, where the walk stops.
    pub pixels: Option<Element>,
}

/// Reads element headers between two bytes of a source.
pub(super) struct Walker<R> {
    source: R,
    encoding: Encoding,
    position: u64,
    end: u64,
}

impl<R: Read + Seek> Walker<R> {
    /// Begins at byte `start`; nothing at or after byte `end` is read.
    pub(super) fn new(mut source: R, encoding: Encoding, start: u64, end: u64) -> Result<Self, FileError> {
        source.seek(SeekFrom::Start(start))?;
        Ok(Self { source, encoding, position: start, end })
    }

    /// Byte where the next element begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Next element header; `None` at the end.
    pub(crate) fn next_element(&mut self) -> Result<Option<Element>, FileError> {
        self.element_before(self.end, self.encoding)
    }

    /// Value of `element`, which must be the one read last; refuses to read more than 64 KiB.
    pub(super) fn value(&mut self, element: &Element) -> Result<Vec<u8>, FileError> {
        let length = Self::checked_length(element, self.end)?;
        if length > u64::from(MAX_VALUE_BYTES) {
            return Err(FileError::HeaderTooLarge { bytes: length, limit: u64::from(MAX_VALUE_BYTES) });
        }
        let mut bytes = vec![0; length as usize];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    /// Walks the top level up to the pixel data and notes which elements to decode: those that `is_wanted` picks, and the
    /// functional groups.
    pub(super) fn layout(mut self, is_wanted: fn(&Element) -> bool) -> Result<Layout, FileError> {
        let mut layout = Layout::default();
        let mut kept_bytes = 0;
        while let Some(element) = self.next_element()? {
            let group = element.tag.group();
            if element.tag == tags::PIXEL_DATA {
                layout.pixels = Some(element);
                break;
            }
            if group > 0x7FE0 && group != 0xFFFE {
                break;
            }
            if group == 0xFFFE {
                // A stray delimiter: nothing belongs to it.
                continue;
            }
            let is_kept = is_used_sequence(element.tag) || is_wanted(&element);
            self.skip_value(&element, self.end, is_kept, 0)?;
            if is_kept {
                kept_bytes += self.position - element.start;
                if kept_bytes > MAX_HEADER_BYTES {
                    return Err(FileError::HeaderTooLarge { bytes: kept_bytes, limit: MAX_HEADER_BYTES });
                }
                let (start, end) = (element.start, self.position);
                layout.kept.push(Kept { tag: element.tag, start, end, header: self.known_header(&element) });
            }
        }
        Ok(layout)
    }

    /// Byte ranges of the items of encapsulated pixel data whose header was read last, offset table first.
    pub(super) fn fragments(&mut self) -> Result<Vec<(u64, u64)>, FileError> {
        let mut fragments = Vec::new();
        // A missing final delimiter loses nothing; a fragment cut short does.
        while self.end - self.position >= 8 {
            let item = self.item_header()?;
            match (item.tag, item.length) {
                (ITEM, Some(length)) => {
                    let (length, remaining) = (u64::from(length), self.end - item.value);
                    if length > remaining {
                        return Err(FileError::TruncatedPixelData { expected: length, got: remaining });
                    }
                    fragments.push((item.value, item.value + length));
                    self.seek_to(item.value + length)?;
                }
                (SEQUENCE_DELIMITER, _) => break,
                _ => return Err(FileError::BrokenSequence { offset: item.start }),
            }
        }
        Ok(fragments)
    }

    /// A header with the dictionary's value representation for an element written as `UN` (PS3.5 6.2.2 note 2).
    fn known_header(&self, element: &Element) -> Option<([u8; 8], u64)> {
        let vr = dictionary_vr(element.tag).to_bytes();
        let hidden = self.encoding == Encoding::EXPLICIT_LITTLE && element.vr == VR::UN && has_short_length(vr);
        let length = u16::try_from(element.length?).ok().filter(|_| hidden)?.to_le_bytes();
        let (group, number) = (element.tag.group().to_le_bytes(), element.tag.element().to_le_bytes());
        let header = [group[0], group[1], number[0], number[1], vr[0], vr[1], length[0], length[1]];
        Some((header, element.value))
    }

    fn element_before(&mut self, end: u64, encoding: Encoding) -> Result<Option<Element>, FileError> {
        if self.position >= end {
            return Ok(None);
        }
        let start = self.position;
        let tag = self.tag(end, encoding)?;
        let mut vr = dictionary_vr(tag);
        let length = if tag.group() == 0xFFFE || !encoding.explicit {
            encoding.u32(self.bytes(end)?)
        } else {
            let letters = self.bytes::<2>(end)?;
            vr = VR::from_binary(letters).unwrap_or(VR::UN);
            if has_short_length(letters) {
                u32::from(encoding.u16(self.bytes(end)?))
            } else {
                let _reserved = self.bytes::<2>(end)?;
                encoding.u32(self.bytes(end)?)
            }
        };
        let length = (length != UNDEFINED).then_some(length);
        Ok(Some(Element { tag, vr, length, start, value: self.position }))
    }

    fn item_header(&mut self) -> Result<Element, FileError> {
        let start = self.position;
        let tag = self.tag(self.end, self.encoding)?;
        let length = self.encoding.u32(self.bytes(self.end)?);
        let length = (length != UNDEFINED).then_some(length);
        Ok(Element { tag, vr: VR::UN, length, start, value: self.position })
    }

    fn tag(&mut self, end: u64, encoding: Encoding) -> Result<Tag, FileError> {
        let [g0, g1, e0, e1] = self.bytes(end)?;
        Ok(Tag(encoding.u16([g0, g1]), encoding.u16([e0, e1])))
    }

    fn checked_length(element: &Element, end: u64) -> Result<u64, FileError> {
        let declared = u64::from(element.length.ok_or(FileError::BrokenSequence { offset: element.start })?);
        let remaining = end.saturating_sub(element.value);
        if declared > remaining {
            return Err(FileError::Overrun { tag: element.tag, declared, remaining });
        }
        Ok(declared)
    }

    /// Moves behind the value; descends where the length is undefined, and everywhere where `thorough`.
    fn skip_value(&mut self, element: &Element, end: u64, thorough: bool, depth: usize) -> Result<(), FileError> {
        if element.length.is_none() {
            // Items of an unknown element are written implicitly (PS3.5 6.2.2).
            let encoding = if element.vr == VR::UN && self.encoding.explicit {
                Encoding { explicit: false, ..self.encoding }
            } else {
                self.encoding
            };
            return self.skip_items(end, encoding, thorough, depth + 1);
        }
        let value_end = element.value + Self::checked_length(element, end)?;
        if thorough && element.vr == VR::SQ {
            return self.skip_items_within(value_end, thorough, depth + 1);
        }
        self.seek_to(value_end)
    }

    /// Skips the items of a sequence of undefined length.
    fn skip_items(&mut self, end: u64, encoding: Encoding, thorough: bool, depth: usize) -> Result<(), FileError> {
        self.within_encoding(encoding, depth, |walker| {
            loop {
                let item = walker.item_in(end)?;
                match item.tag {
                    ITEM => walker.skip_item(&item, end, thorough, depth)?,
                    SEQUENCE_DELIMITER => return Ok(()),
                    _ => return Err(FileError::BrokenSequence { offset: item.start }),
                }
            }
        })
    }

    /// Skips the items of a sequence that ends at byte `end`.
    fn skip_items_within(&mut self, end: u64, thorough: bool, depth: usize) -> Result<(), FileError> {
        self.within_encoding(self.encoding, depth, |walker| {
            while walker.position < end {
                let item = walker.item_in(end)?;
                match item.tag {
                    ITEM => walker.skip_item(&item, end, thorough, depth)?,
                    SEQUENCE_DELIMITER => {}
                    _ => return Err(FileError::BrokenSequence { offset: item.start }),
                }
            }
            Ok(())
        })
    }

    fn skip_item(&mut self, item: &Element, end: u64, thorough: bool, depth: usize) -> Result<(), FileError> {
        let item_end = match item.length {
            Some(_) => item.value + Self::checked_length(item, end)?,
            None => end,
        };
        if item.length.is_some() && !thorough {
            return self.seek_to(item_end);
        }
        while let Some(element) = self.element_before(item_end, self.encoding)? {
            if element.tag == ITEM_DELIMITER {
                return Ok(());
            }
            self.skip_value(&element, item_end, thorough, depth)?;
        }
        if item.length.is_some() { Ok(()) } else { Err(FileError::TruncatedHeader) }
    }

    fn within_encoding(
        &mut self,
        encoding: Encoding,
        depth: usize,
        walk: impl FnOnce(&mut Self) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        if depth > MAX_DEPTH {
            return Err(FileError::TooDeep(MAX_DEPTH));
        }
        let outer = std::mem::replace(&mut self.encoding, encoding);
        let result = walk(self);
        self.encoding = outer;
        result
    }

    fn item_in(&mut self, end: u64) -> Result<Element, FileError> {
        if end.saturating_sub(self.position) < 8 {
            return Err(FileError::TruncatedHeader);
        }
        self.item_header()
    }

    fn bytes<const N: usize>(&mut self, end: u64) -> Result<[u8; N], FileError> {
        if end.saturating_sub(self.position) < N as u64 {
            return Err(FileError::TruncatedHeader);
        }
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), FileError> {
        self.source.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => FileError::TruncatedHeader,
            _ => FileError::Io(error),
        })?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn seek_to(&mut self, position: u64) -> Result<(), FileError> {
        // Relative, so that a buffered reader keeps its buffer.
        self.source.seek_relative(position as i64 - self.position as i64)?;
        self.position = position;
        Ok(())
    }
}

/// The sequences that the program reads: per-frame attributes of enhanced images, and the region of the body.
fn is_used_sequence(tag: Tag) -> bool {
    matches!(
        tag,
        tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE
            | tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE
            | tags::ANATOMIC_REGION_SEQUENCE
    )
}

/// Whether the program reads such an element: plain values of the patient, study, series and image groups, and what makers
/// say in their own.
pub(super) fn is_used(element: &Element) -> bool {
    if makers::is_known(element) {
        return true;
    }
    let known = dictionary_vr(element.tag);
    matches!(element.tag.group(), 0x0008 | 0x0010 | 0x0018 | 0x0020 | 0x0028)
        && element.tag.element() != 0
        && !matches!(known, VR::SQ | VR::UN)
        && element.vr != VR::SQ
        && element.length.is_some_and(|length| length <= MAX_VALUE_BYTES)
}

/// Whether an element is of the command of a message (PS3.7 6.3.1).
pub(super) fn is_of_command(element: &Element) -> bool {
    element.tag.group() == 0x0000 && element.length.is_some_and(|length| length <= MAX_VALUE_BYTES)
}

/// Value representation of a tag in the standard's dictionary; `UN` for tags that it does not have.
fn dictionary_vr(tag: Tag) -> VR {
    StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed())
}

/// Whether an explicit element with this value representation has a 16-bit length (PS3.5 7.1.2).
fn has_short_length(letters: [u8; 2]) -> bool {
    matches!(
        &letters,
        b"AE"
            | b"AS"
            | b"AT"
            | b"CS"
            | b"DA"
            | b"DS"
            | b"DT"
            | b"FL"
            | b"FD"
            | b"IS"
            | b"LO"
            | b"LT"
            | b"PN"
            | b"SH"
            | b"SL"
            | b"SS"
            | b"ST"
            | b"TM"
            | b"UI"
            | b"UL"
            | b"US"
    )
}
