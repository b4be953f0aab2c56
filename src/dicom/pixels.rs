//! From stored bytes to voxel values: native and compressed frames, signs, stray high bits, inversion, rescaling.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::codecs;
use super::error::FileError;
use super::file::{DicomFile, integer, text};
use crate::volume::WindowLevel;

/// Most pixels a frame may have; four times the largest detector in use.
const MAX_FRAME_PIXELS: usize = 1 << 26;

/// Most bytes that may follow the marker at the end of a compressed frame, as padding.
const LONGEST_TAIL: u64 = 10;

/// How stored pixels are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PixelFormat {
    pub rows: usize,
    pub columns: usize,
    pub frames: usize,
    /// Bytes of a native sample: 1 or 2.
    pub sample_bytes: usize,
    pub bits_stored: u32,
    /// Bit number of the lowest stored bit.
    pub low_bit: u32,
    pub is_signed: bool,
    /// High values are dark (MONOCHROME1).
    pub is_inverted: bool,
    /// Least and greatest stored sample that is no image content (Pixel Padding Value and Range Limit).
    pub padding: Option<(i32, i32)>,
}

/// Linear map from stored values to voxel values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rescale {
    pub slope: f64,
    pub intercept: f64,
}

impl PixelFormat {
    /// Reads and checks the attributes of the image pixel module.
    pub(super) fn read(header: &InMemDicomObject) -> Result<Self, FileError> {
        let needed = |tag, name| integer(header, tag).ok_or(FileError::MissingAttribute(name));
        let size = |tag, name| {
            let value = needed(tag, name)?;
            usize::try_from(value)
                .ok()
                .filter(|size| *size > 0)
                .ok_or(FileError::InvalidAttribute { name, value: value.to_string() })
        };
        let samples = integer(header, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
        let photometric = text(header, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_else(|| "MONOCHROME2".to_owned());
        if samples != 1 || !matches!(photometric.as_str(), "MONOCHROME1" | "MONOCHROME2") {
            return Err(FileError::UnsupportedPixels(format!("{samples} samples per pixel, {photometric}")));
        }
        let bits_allocated = needed(tags::BITS_ALLOCATED, "BitsAllocated")?;
        let sample_bytes = match bits_allocated {
            8 => 1,
            16 => 2,
            other => return Err(FileError::UnsupportedPixels(format!("{other} bits allocated"))),
        };
        let bits_stored = integer(header, tags::BITS_STORED).unwrap_or(bits_allocated);
        if !(1..=bits_allocated).contains(&bits_stored) {
            return Err(FileError::InvalidAttribute { name: "BitsStored", value: bits_stored.to_string() });
        }
        let high_bit = integer(header, tags::HIGH_BIT).unwrap_or(bits_stored - 1);
        if !(bits_stored - 1..bits_allocated).contains(&high_bit) {
            return Err(FileError::InvalidAttribute { name: "HighBit", value: high_bit.to_string() });
        }
        let frames = match text(header, tags::NUMBER_OF_FRAMES) {
            None => 1,
            Some(value) => value
                .parse()
                .ok()
                .filter(|frames| *frames > 0)
                .ok_or(FileError::InvalidAttribute { name: "NumberOfFrames", value })?,
        };
        let mut format = Self {
            rows: size(tags::ROWS, "Rows")?,
            columns: size(tags::COLUMNS, "Columns")?,
            frames,
            sample_bytes,
            bits_stored: bits_stored as u32,
            low_bit: (high_bit + 1 - bits_stored) as u32,
            is_signed: integer(header, tags::PIXEL_REPRESENTATION) == Some(1),
            is_inverted: photometric == "MONOCHROME1",
            padding: None,
        };
        format.padding = integer(header, tags::PIXEL_PADDING_VALUE).map(|value| {
            // Implicit files do not say whether it is signed: its bits count.
            let stored = |value: i64| format.stored(value as u16);
            let limit = integer(header, tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value);
            (stored(value).min(stored(limit)), stored(value).max(stored(limit)))
        });
        if format.rows.checked_mul(format.columns).is_none_or(|pixels| pixels > MAX_FRAME_PIXELS) {
            return Err(format.too_large("a frame may have"));
        }
        Ok(format)
    }

    /// Checks that the file has the bytes that these frames need.
    pub(crate) fn check_against(&self, file: &DicomFile) -> Result<(), FileError> {
        if !file.is_encapsulated() {
            let expected = (self.frames as u64)
                .checked_mul(self.native_frame_bytes())
                .ok_or_else(|| self.too_large("any file holds"))?;
            let (_, got) = file.native_length().ok_or(FileError::MissingAttribute("PixelData"))?;
            return if got < expected { Err(FileError::TruncatedPixelData { expected, got }) } else { Ok(()) };
        }
        if !codecs::is_supported(file.syntax) {
            return Err(super::file::unsupported(file.syntax));
        }
        let fragments = file.fragment_ranges()?.len().saturating_sub(1);
        if fragments < self.frames {
            return Err(FileError::FragmentCount { fragments, frames: self.frames });
        }
        Ok(())
    }

    pub(crate) fn frame_pixels(&self) -> usize {
        self.rows * self.columns
    }

    fn native_frame_bytes(&self) -> u64 {
        (self.frame_pixels() * self.sample_bytes) as u64
    }

    fn too_large(&self, limit: &'static str) -> FileError {
        FileError::ImageTooLarge { rows: self.rows, columns: self.columns, frames: self.frames, limit }
    }

    /// A stored sample as a number: stray bits masked off, sign extended.
    fn stored(&self, sample: u16) -> i32 {
        let value = (i32::from(sample) >> self.low_bit) & self.mask();
        let half = 1i32 << (self.bits_stored - 1);
        if self.is_signed && value >= half { value - 2 * half } else { value }
    }

    fn mask(&self) -> i32 {
        ((1u32 << self.bits_stored) - 1) as i32
    }

    /// Writes the voxel values of the stored samples of a frame: rescaled, and negated where high values are dark, as the
    /// standard inverts what comes out of the modality LUT (PS3.3 C.7.6.3.1.2). Padding, which is no image content and may
    /// have any value, becomes as dark as the darkest pixel (PS3.3 C.7.5.1.1.2).
    pub(super) fn write_voxels(&self, samples: &[u16], Rescale { slope, intercept }: Rescale, voxels: &mut [f32]) {
        let sign = self.sign();
        let voxel = |stored: i32| sign * (f64::from(stored) * slope + intercept) as f32;
        let stored = samples.iter().map(|sample| self.stored(*sample));
        let voxels = voxels.iter_mut();
        let Some((least, greatest)) = self.padding else {
            return voxels.zip(stored).for_each(|(into, stored)| *into = voxel(stored));
        };
        let is_padding = |stored: &i32| (least..=greatest).contains(stored);
        let content = stored.clone().filter(|stored| !is_padding(stored)).map(voxel);
        let darkest = content.reduce(f32::min).unwrap_or_else(|| voxel(0));
        voxels.zip(stored).for_each(|(into, stored)| *into = if is_padding(&stored) { darkest } else { voxel(stored) });
    }

    fn sign(&self) -> f32 {
        if self.is_inverted { -1.0 } else { 1.0 }
    }

    /// A window of rescaled values as one of voxel values, and back.
    pub(super) fn window(&self, window: WindowLevel) -> WindowLevel {
        WindowLevel { center: self.sign() * window.center, ..window }
    }
}

/// The pixel data of an open file, ready to give frames.
pub(super) struct FrameReader<'a> {
    file: &'a DicomFile,
    format: PixelFormat,
    /// Byte ranges of the fragments of each frame; empty for native data.
    fragments: Vec<Vec<(u64, u64)>>,
}

impl<'a> FrameReader<'a> {
    /// Finds out which bytes belong to which frame.
    pub(super) fn new(file: &'a DicomFile, format: PixelFormat) -> Result<Self, FileError> {
        let fragments = if file.is_encapsulated() { fragments_of_frames(file, format.frames)? } else { Vec::new() };
        Ok(Self { file, format, fragments })
    }

    /// Reads and decodes the samples of one frame, row-major.
    ///
    /// # Errors
    /// What is wrong with its bytes; a decoder that panics on them counts as a broken frame.
    pub(crate) fn samples(&self, frame: usize) -> Result<Vec<u16>, FileError> {
        if !self.file.is_encapsulated() {
            let bytes = self.format.native_frame_bytes();
            let start = frame as u64 * bytes;
            return Ok(self.native_samples(&self.file.native_bytes(start, start + bytes)?));
        }
        let mut compressed = Vec::new();
        let ranges = self.fragments.get(frame).ok_or(FileError::MissingAttribute("PixelData"))?;
        for range in ranges {
            compressed.extend(self.file.bytes(*range)?);
        }
        let (format, syntax) = (&self.format, self.file.syntax);
        // Decoders of others, fed with bytes of others: broken streams are known to overflow their arithmetic.
        let decoded = catch_unwind(AssertUnwindSafe(|| codecs::decode(syntax, &compressed, format)))
            .unwrap_or_else(|_| Err("the decoder failed on it".to_owned()));
        decoded.map_err(|message| FileError::Decode { frame, message })
    }

    fn native_samples(&self, bytes: &[u8]) -> Vec<u16> {
        match (self.format.sample_bytes, self.file.is_big_endian()) {
            // OW in big endian keeps pairs of 8-bit pixels swapped; files found in practice write them as OB.
            (1, _) => bytes.iter().map(|byte| u16::from(*byte)).collect(),
            (_, false) => bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect(),
            (_, true) => bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect(),
        }
    }
}

/// Assigns fragments to frames: all to one, one to each, by the basic offset table, or by the marker at a frame's end.
fn fragments_of_frames(file: &DicomFile, frames: usize) -> Result<Vec<Vec<(u64, u64)>>, FileError> {
    let mut ranges = file.fragment_ranges()?.into_iter();
    let table = ranges.next().ok_or(FileError::FragmentCount { fragments: 0, frames })?;
    let ranges: Vec<_> = ranges.collect();
    let fragments = ranges.len();
    if frames == 1 {
        return Ok(vec![ranges]);
    }
    if fragments == frames || file.syntax.uid() == uids::RLE_LOSSLESS {
        return Ok(ranges.into_iter().take(frames).map(|range| vec![range]).collect());
    }
    let table = file.bytes(table)?;
    let offsets: Vec<u64> = table.as_chunks().0.iter().map(|entry| u64::from(u32::from_le_bytes(*entry))).collect();
    if offsets.is_empty() {
        return fragments_by_end_marker(file, ranges, frames);
    }
    if offsets.len() != frames {
        return Err(FileError::FragmentCount { fragments, frames });
    }
    // Offsets count from the first fragment's item header, eight bytes before its value.
    let first = ranges.first().map_or(0, |(start, _)| start - 8);
    let mut of_frames = vec![Vec::new(); frames];
    for (start, end) in ranges {
        let frame = offsets.partition_point(|offset| first + offset <= start - 8).saturating_sub(1);
        of_frames[frame].push((start, end));
    }
    Ok(of_frames)
}

/// Assigns fragments to frames where the offset table is empty: a frame ends with the fragment that holds the marker
/// `FF D9` at its end, which all kinds of JPEG share.
fn fragments_by_end_marker(
    file: &DicomFile,
    ranges: Vec<(u64, u64)>,
    frames: usize,
) -> Result<Vec<Vec<(u64, u64)>>, FileError> {
    let fragments = ranges.len();
    let mut of_frames = Vec::with_capacity(frames.min(fragments));
    let mut open = Vec::new();
    for (start, end) in ranges {
        let tail = file.bytes((start.max(end.saturating_sub(LONGEST_TAIL)), end))?;
        open.push((start, end));
        if tail.windows(2).any(|pair| pair == [0xFF, 0xD9]) {
            of_frames.push(std::mem::take(&mut open));
        }
    }
    if of_frames.len() == frames && open.is_empty() {
        Ok(of_frames)
    } else {
        Err(FileError::FragmentCount { fragments, frames })
    }
}
