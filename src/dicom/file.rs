//! Opens one file: preamble, file meta information, transfer syntax, and the header up to the pixel data.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::text::SpecificCharacterSet;
use dicom_encoding::transfer_syntax::{Codec, TransferSyntax, TransferSyntaxIndex};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::characters::{CharacterSets, decode_texts};
use super::elements::{Element, Encoding, Kept, Layout, Walker, is_used};
use super::error::FileError;

/// How much larger than the file a deflated data set may grow, and what is always allowed.
const INFLATION: (u64, u64) = (100, 16 << 20);

/// Retired from the standard, alive in archives.
const EXPLICIT_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
/// Of old GE scanners: implicit little endian, but for samples, whose high byte comes first.
const GE_BIG_ENDIAN_SAMPLES: &str = "1.2.840.113619.5.2";

/// The SOP classes of MR images.
pub(super) const MR_SOP_CLASSES: [&str; 3] =
    [uids::MR_IMAGE_STORAGE, uids::ENHANCED_MR_IMAGE_STORAGE, uids::LEGACY_CONVERTED_ENHANCED_MR_IMAGE_STORAGE];

/// An open file with its decoded header.
pub(super) struct DicomFile {
    /// The elements that the program uses, without pixel data.
    pub header: InMemDicomObject,
    /// How the pixel data are written.
    pub syntax: &'static TransferSyntax,
    /// SOP class from the file meta information, where it has one.
    pub media_sop_class: Option<String>,
    /// Byte where the data set begins.
    pub data_set_start: u64,
    pixels: Option<Element>,
    encoding: Encoding,
    has_big_endian_samples: bool,
    source: Source,
    end: u64,
}

enum Source {
    File {
        file: File,
        /// Frames are decoded by several threads, and all of them share the file's one position.
        turn: Mutex<()>,
    },
    Inflated(Vec<u8>),
}

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl Source {
    fn reader(&self) -> Box<dyn ReadSeek + '_> {
        match self {
            Self::File { file, .. } => Box::new(BufReader::with_capacity(1 << 14, file)),
            Self::Inflated(bytes) => Box::new(Cursor::new(bytes.as_slice())),
        }
    }

    fn read(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; (end - start) as usize];
        match self {
            Self::File { file, turn } => {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                let mut file: &File = file;
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(&mut bytes)?;
            }
            Self::Inflated(all) => bytes.copy_from_slice(&all[start as usize..end as usize]),
        }
        Ok(bytes)
    }
}

/// What the file meta information and a first look tell.
struct Start {
    syntax_uid: String,
    media_sop_class: Option<String>,
    dataset: u64,
}

impl DicomFile {
    /// Opens a file and decodes its header; pixel data are found but not read.
    ///
    /// # Errors
    /// [`FileError::NotDicom`] for other kinds of files; else what is wrong with this one.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        Self::open_for(path, is_used)
    }

    /// As [`Self::open`], with a header of the elements that `is_wanted` picks.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn open_for(path: &Path, is_wanted: fn(&Element) -> bool) -> Result<Self, FileError> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(FileError::NotDicom);
        }
        let file_end = metadata.len();
        let start = read_start(&file, file_end)?;
        let is_of_old_ge = start.syntax_uid == GE_BIG_ENDIAN_SAMPLES;
        let syntax_uid = if is_of_old_ge { uids::IMPLICIT_VR_LITTLE_ENDIAN } else { &start.syntax_uid };
        let syntax = TransferSyntaxRegistry
            .get(syntax_uid)
            .ok_or_else(|| FileError::UnknownTransferSyntax(syntax_uid.to_owned()))?;
        let encoding = match syntax.uid() {
            uids::IMPLICIT_VR_LITTLE_ENDIAN => Encoding::IMPLICIT_LITTLE,
            EXPLICIT_BIG_ENDIAN => Encoding::EXPLICIT_BIG,
            _ => Encoding::EXPLICIT_LITTLE,
        };
        let (source, dataset, end) = match syntax.codec() {
            Codec::Dataset(Some(adapter)) => {
                let mut compressed = BufReader::new(&file);
                compressed.seek(SeekFrom::Start(start.dataset))?;
                let inflated = inflate(adapter.adapt_reader(Box::new(compressed)), file_end)?;
                let end = inflated.len() as u64;
                (Source::Inflated(inflated), 0, end)
            }
            Codec::Dataset(None) => return Err(unsupported(syntax)),
            Codec::None | Codec::EncapsulatedPixelData(..) => {
                (Source::File { file, turn: Mutex::new(()) }, start.dataset, file_end)
            }
        };
        let layout = Walker::new(source.reader(), encoding, dataset, end)?.layout(is_wanted)?;
        let header = decode_header(&source, &layout, encoding)?;
        let has_big_endian_samples = encoding.big_endian || is_of_old_ge;
        let Start { media_sop_class, dataset: data_set_start, .. } = start;
        let pixels = layout.pixels;
        Ok(Self {
            header,
            syntax,
            media_sop_class,
            data_set_start,
            pixels,
            encoding,
            has_big_endian_samples,
            source,
            end,
        })
    }

    /// Whether the object may be an MR image, by its SOP class; objects without one may be. Pictures in color are none, whatever
    /// class a scanner gives its copies of screens and its colored maps.
    pub(crate) fn may_be_mr(&self) -> bool {
        if integer(&self.header, tags::SAMPLES_PER_PIXEL).is_some_and(|samples| samples > 1) {
            return false;
        }
        let sop_class = text(&self.header, tags::SOP_CLASS_UID).or_else(|| self.media_sop_class.clone());
        sop_class.is_none_or(|uid| MR_SOP_CLASSES.contains(&uid.as_str()))
    }

    /// Whether the file has a pixel data element.
    pub(crate) fn has_pixels(&self) -> bool {
        self.pixels.is_some()
    }

    /// Whether pixel data are written as compressed fragments.
    pub(crate) fn is_encapsulated(&self) -> bool {
        self.syntax.is_encapsulated_pixel_data() || self.pixels.is_some_and(|pixels| pixels.length.is_none())
    }

    /// Whether native samples are written high byte first.
    pub(crate) fn is_big_endian(&self) -> bool {
        self.has_big_endian_samples
    }

    /// Bytes of native pixel data: as declared, and as many of them as the file has.
    pub(crate) fn native_length(&self) -> Option<(u64, u64)> {
        let pixels = self.pixels?;
        let declared = u64::from(pixels.length?);
        Some((declared, declared.min(self.end.saturating_sub(pixels.value))))
    }

    /// The bytes `start..end` of native pixel data, counted from their beginning.
    pub(crate) fn native_bytes(&self, start: u64, end: u64) -> Result<Vec<u8>, FileError> {
        let (_, available) = self.native_length().ok_or(FileError::MissingAttribute("PixelData"))?;
        if end > available {
            return Err(FileError::TruncatedPixelData { expected: end, got: available });
        }
        let value = self.pixels.map_or(0, |pixels| pixels.value);
        Ok(self.source.read(value + start, value + end)?)
    }

    /// Byte ranges of the items of encapsulated pixel data, offset table first.
    pub(crate) fn fragment_ranges(&self) -> Result<Vec<(u64, u64)>, FileError> {
        let pixels = self.pixels.ok_or(FileError::MissingAttribute("PixelData"))?;
        Walker::new(self.source.reader(), self.encoding, pixels.value, self.end)?.fragments()
    }

    /// Bytes between two positions that [`Self::fragment_ranges`] gave.
    pub(super) fn bytes(&self, (start, end): (u64, u64)) -> Result<Vec<u8>, FileError> {
        Ok(self.source.read(start, end)?)
    }
}

/// Reads the file meta information where there is some, and guesses the encoding where there is none.
fn read_start(file: &File, end: u64) -> Result<Start, FileError> {
    let mut first = Vec::with_capacity(160);
    file.take(160).read_to_end(&mut first)?;
    let meta = match (first.get(128..132), first.get(0..4)) {
        (Some(b"DICM"), _) => 132,
        (_, Some(b"DICM")) => 4,
        // A meta group that lost its preamble.
        (_, Some([2, 0, 0 | 1, 0])) => 0,
        _ => {
            let encoding = guess_encoding(&first, end).ok_or(FileError::NotDicom)?;
            return Ok(Start { syntax_uid: syntax_of(encoding).to_owned(), media_sop_class: None, dataset: 0 });
        }
    };
    let mut walker = Walker::new(BufReader::new(file), Encoding::EXPLICIT_LITTLE, meta, end)?;
    let (mut syntax_uid, mut media_sop_class, mut dataset) = (None, None, meta);
    while let Some(element) = walker.next_element().ok().flatten().filter(|element| element.tag.group() == 2) {
        let value = walker.value(&element)?;
        match element.tag {
            tags::TRANSFER_SYNTAX_UID => syntax_uid = Some(uid_text(&value)),
            tags::MEDIA_STORAGE_SOP_CLASS_UID => media_sop_class = Some(uid_text(&value)),
            _ => {}
        }
        dataset = walker.position();
    }
    let syntax_uid = if let Some(uid) = syntax_uid.filter(|uid| !uid.is_empty()) {
        uid
    } else {
        let mut next = Vec::with_capacity(16);
        let mut file = file;
        file.seek(SeekFrom::Start(dataset))?;
        file.take(16).read_to_end(&mut next)?;
        let encoding = guess_encoding(&next, end).ok_or(FileError::MissingTransferSyntax)?;
        syntax_of(encoding).to_owned()
    };
    Ok(Start { syntax_uid, media_sop_class: media_sop_class.filter(|uid| !uid.is_empty()), dataset })
}

fn uid_text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).trim().to_owned()
}

/// Encoding of a data set that begins with `first`, if it begins as data sets do: with an element of group 0008.
fn guess_encoding(first: &[u8], file_length: u64) -> Option<Encoding> {
    let &[a, b, c, d, v0, v1, l0, l1, ..] = first else { return None };
    let explicit = VR::from_binary([v0, v1]).is_some();
    match ([a, b], [c, d]) {
        ([8, 0], [_, 0]) if explicit => Some(Encoding::EXPLICIT_LITTLE),
        ([8, 0], [_, 0]) => {
            let length = u64::from(u32::from_le_bytes([v0, v1, l0, l1]));
            (length < 1024.min(file_length)).then_some(Encoding::IMPLICIT_LITTLE)
        }
        ([0, 8], [0, _]) if explicit => Some(Encoding::EXPLICIT_BIG),
        _ => None,
    }
}

fn syntax_of(encoding: Encoding) -> &'static str {
    if encoding.big_endian {
        EXPLICIT_BIG_ENDIAN
    } else if encoding.explicit {
        uids::EXPLICIT_VR_LITTLE_ENDIAN
    } else {
        uids::IMPLICIT_VR_LITTLE_ENDIAN
    }
}

fn inflate(reader: Box<dyn Read + '_>, file_length: u64) -> Result<Vec<u8>, FileError> {
    let limit = file_length.saturating_mul(INFLATION.0).saturating_add(INFLATION.1);
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(FileError::InflatedTooLarge { limit }) } else { Ok(bytes) }
}

/// Decodes the wanted elements of a data set in memory.
pub(super) fn decode_message(
    bytes: Vec<u8>,
    encoding: Encoding,
    is_wanted: fn(&Element) -> bool,
) -> Result<InMemDicomObject, FileError> {
    let end = bytes.len() as u64;
    let source = Source::Inflated(bytes);
    let layout = Walker::new(source.reader(), encoding, 0, end)?.layout(is_wanted)?;
    decode_header(&source, &layout, encoding)
}

/// Decodes the kept elements alone, as a data set of their own.
fn decode_header(source: &Source, layout: &Layout, encoding: Encoding) -> Result<InMemDicomObject, FileError> {
    let mut bytes = Vec::new();
    let mut character_set = None;
    let mut kept = layout.kept.iter().peekable();
    while let Some(element) = kept.next() {
        let begin = bytes.len();
        let (mut start, mut end) = (element.start, element.end);
        if let Some((header, value)) = element.header {
            bytes.extend(header);
            start = value;
        }
        let mut last = begin..bytes.len() + (end - start) as usize;
        let mut note = |element: &Kept, place: &Range<usize>| {
            if element.tag == tags::SPECIFIC_CHARACTER_SET {
                character_set = Some(place.clone());
            }
        };
        note(element, &last);
        // Neighbors are read in one piece.
        while let Some(next) = kept.next_if(|next| next.start == end && next.header.is_none()) {
            last = last.end..last.end + (next.end - next.start) as usize;
            note(next, &last);
            end = next.end;
        }
        bytes.extend(source.read(start, end)?);
    }
    let syntax = TransferSyntaxRegistry
        .get(syntax_of(encoding))
        .ok_or_else(|| FileError::UnknownTransferSyntax(syntax_of(encoding).to_owned()))?;
    let decode = |bytes: &[u8]| {
        InMemDicomObject::read_dataset_with_ts_cs(bytes, syntax, SpecificCharacterSet::ISO_IR_100)
            .map_err(|error| FileError::Header(Box::new(error)))
    };
    // Read without it, texts are the bytes as they were written.
    let character_set: Vec<u8> = character_set.map(|range| bytes.drain(range).collect()).unwrap_or_default();
    let (mut header, named) = (decode(&bytes)?, decode(&character_set)?);
    let sets = CharacterSets::of(&text(&named, tags::SPECIFIC_CHARACTER_SET).unwrap_or_default());
    decode_texts(&mut header, &sets);
    named.into_iter().for_each(|element| {
        header.put(element);
    });
    Ok(header)
}

/// The error for a compression that no decoder is built in for.
pub(super) fn unsupported(syntax: &TransferSyntax) -> FileError {
    FileError::UnsupportedCompression { uid: syntax.uid().to_owned(), name: syntax.name().to_owned() }
}

/// Text of an attribute, without padding; `None` where it is absent or empty.
pub(super) fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let text = object.get(tag)?.to_str().ok()?.trim_matches(['\0', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

/// Numbers of an attribute; empty where it is absent or not numeric.
pub(super) fn numbers(object: &InMemDicomObject, tag: Tag) -> Vec<f64> {
    object.get(tag).and_then(|element| element.to_multi_float64().ok()).unwrap_or_default()
}

/// First finite number of an attribute.
pub(super) fn number(object: &InMemDicomObject, tag: Tag) -> Option<f64> {
    numbers(object, tag).first().copied().filter(|number| number.is_finite())
}

/// First whole number of an attribute.
pub(super) fn integer(object: &InMemDicomObject, tag: Tag) -> Option<i64> {
    object.get(tag).and_then(|element| element.to_int().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn threads_that_read_at_once_get_their_own_bytes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("numbers");
        let bytes: Vec<u8> = (0..1_u32 << 16).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&path, &bytes).expect("written");
        let source = Source::File { file: File::open(&path).expect("opens"), turn: Mutex::new(()) };
        let wrong = (0..20_000_usize)
            .into_par_iter()
            .filter(|number| {
                let start = number * 7919 % (bytes.len() - 4096);
                let read = source.read(start as u64, start as u64 + 4096).expect("inside");
                read != bytes[start..start + 4096]
            })
            .count();
        assert_eq!(wrong, 0);
    }
}
