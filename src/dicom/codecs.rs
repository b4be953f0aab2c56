//! Decompresses single frames. Dimensions in the compressed stream are checked before any decoder sees it.

use std::borrow::Cow;

use dicom_core::value::C;
use dicom_dictionary_std::uids;
use dicom_encoding::adapters::{PixelDataObject, RawPixelData};
use dicom_encoding::transfer_syntax::{Codec, TransferSyntax};

use super::pixels::PixelFormat;

/// Whether frames in this transfer syntax can be decompressed here.
pub(super) fn is_supported(syntax: &TransferSyntax) -> bool {
    family(syntax.uid()).is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    RunLength,
    Jpeg,
    JpegLs,
    Jpeg2000,
}

fn family(uid: &str) -> Option<Family> {
    match uid {
        uids::RLE_LOSSLESS => Some(Family::RunLength),
        uids::JPEG_BASELINE8_BIT | uids::JPEG_EXTENDED12_BIT | uids::JPEG_LOSSLESS | uids::JPEG_LOSSLESS_SV1 => {
            Some(Family::Jpeg)
        }
        uids::JPEGLS_LOSSLESS | uids::JPEGLS_NEAR_LOSSLESS => Some(Family::JpegLs),
        uids::JPEG2000_LOSSLESS | uids::JPEG2000 | uids::HTJ2K_LOSSLESS | uids::HTJ2K_LOSSLESS_RPCL | uids::HTJ2K => {
            Some(Family::Jpeg2000)
        }
        _ => None,
    }
}

/// Whether pixels in this transfer syntax may have lost information.
pub(super) fn is_lossy(uid: &str) -> bool {
    matches!(uid, uids::JPEG_BASELINE8_BIT | uids::JPEG_EXTENDED12_BIT | uids::JPEGLS_NEAR_LOSSLESS)
}

/// Decompresses one frame into its samples, row-major; errors are the decoder's words.
pub(super) fn decode(syntax: &TransferSyntax, stream: &[u8], format: &PixelFormat) -> Result<Vec<u16>, String> {
    let family = family(syntax.uid()).ok_or("no decoder for this compression")?;
    let samples = match family {
        Family::RunLength => decode_run_length(stream, format)?,
        Family::JpegLs => {
            check_frame(jpeg_frame(stream, &[0xF7]), format)?;
            let (columns, rows) = (format.columns as u32, format.rows as u32);
            jpegls::decode(stream, columns, rows).map_err(|error| error.to_string())?.0
        }
        Family::Jpeg => {
            let frame = jpeg_frame(stream, &[0xC0, 0xC1, 0xC2, 0xC3]);
            let precision = check_frame(frame, format)?;
            if precision > 8 && syntax.uid() == uids::JPEG_EXTENDED12_BIT {
                return Err(format!("lossy JPEG of {precision} bits is not supported"));
            }
            decode_with_registry(syntax, stream, format, if precision <= 8 { 8 } else { 16 })?
        }
        Family::Jpeg2000 => {
            check_frame(jpeg2000_frame(stream), format)?;
            decode_with_registry(syntax, stream, format, 16)?
        }
    };
    if samples.len() == format.frame_pixels() {
        Ok(samples)
    } else {
        Err(format!("{} pixels came out where {} were expected", samples.len(), format.frame_pixels()))
    }
}

/// Size and coding that a compressed stream declares for itself.
#[derive(Debug, PartialEq, Eq)]
struct StreamFrame {
    rows: usize,
    columns: usize,
    components: usize,
    precision: u32,
}

/// Compares what the stream declares with the DICOM header; returns the precision in bits.
fn check_frame(frame: Option<StreamFrame>, format: &PixelFormat) -> Result<u32, String> {
    let frame = frame.ok_or("the stream has no frame header")?;
    if (frame.rows, frame.columns) != (format.rows, format.columns) {
        return Err(format!(
            "the stream holds {} x {} pixels, the header says {} x {}",
            frame.rows, frame.columns, format.rows, format.columns
        ));
    }
    if frame.components != 1 {
        return Err(format!("the stream has {} components", frame.components));
    }
    if !(2..=16).contains(&frame.precision) {
        return Err(format!("the stream has {} bits per sample", frame.precision));
    }
    Ok(frame.precision)
}

/// First frame header with one of the marker codes `starts` in a stream of JPEG markers (T.81 B.1).
fn jpeg_frame(stream: &[u8], starts: &[u8]) -> Option<StreamFrame> {
    let mut rest = stream.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        let &[0xFF, code, high, low, ref payload @ ..] = rest else { return None };
        if code == 0xFF {
            // A fill byte before the marker.
            rest = &rest[1..];
            continue;
        }
        let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(2)?;
        let segment = payload.get(..length)?;
        if starts.contains(&code) {
            let &[precision, r0, r1, c0, c1, components, ..] = segment else { return None };
            return Some(StreamFrame {
                rows: usize::from(u16::from_be_bytes([r0, r1])),
                columns: usize::from(u16::from_be_bytes([c0, c1])),
                components: usize::from(components),
                precision: u32::from(precision),
            });
        }
        if code == 0xDA {
            return None;
        }
        rest = &payload[length..];
    }
}

/// The SIZ segment of a JPEG 2000 codestream (T.800 A.5.1), also inside a JP2 wrapper.
fn jpeg2000_frame(stream: &[u8]) -> Option<StreamFrame> {
    let start = stream.windows(4).take(4096).position(|window| window == [0xFF, 0x4F, 0xFF, 0x51])?;
    let segment = stream.get(start + 6..start + 43)?;
    let word = |at: usize| u32::from_be_bytes([segment[at], segment[at + 1], segment[at + 2], segment[at + 3]]);
    let size = |end: u32, offset: u32| end.checked_sub(offset).map(|size| size as usize);
    let (tile_width, tile_height) = (word(18), word(22));
    if tile_width == 0 || tile_height == 0 {
        return None;
    }
    Some(StreamFrame {
        columns: size(word(2), word(10))?,
        rows: size(word(6), word(14))?,
        components: usize::from(u16::from_be_bytes([segment[34], segment[35]])),
        precision: u32::from(segment[36] & 0x7F) + 1,
    })
}

/// Decodes RLE Lossless (PS3.5 annex G): one `PackBits` segment per byte of a sample, most significant byte first.
fn decode_run_length(stream: &[u8], format: &PixelFormat) -> Result<Vec<u16>, String> {
    let (header, _) = stream.as_chunks::<4>().0.split_at_checked(16).ok_or("the stream has no header")?;
    let word = |index: usize| u32::from_le_bytes(header[index]) as usize;
    let segments = word(0);
    if segments != format.sample_bytes {
        return Err(format!("{segments} segments where {} were expected", format.sample_bytes));
    }
    let mut samples = vec![0u16; format.frame_pixels()];
    for segment in 0..segments {
        let start = word(1 + segment);
        let end = if segment + 1 < segments { word(2 + segment) } else { stream.len() };
        let packed = stream.get(start..end).ok_or("segment offsets lie outside the stream")?;
        unpack_bits(packed, &mut samples)?;
    }
    Ok(samples)
}

/// Shifts each sample left by a byte and adds the next unpacked byte.
fn unpack_bits(packed: &[u8], samples: &mut [u16]) -> Result<(), String> {
    let mut put = samples.iter_mut();
    let mut rest = packed;
    while put.len() > 0 {
        let (&control, after) = rest.split_first().ok_or("a segment ends early")?;
        rest = after;
        match control {
            0..=127 => {
                let (bytes, after) = rest.split_at_checked(usize::from(control) + 1).ok_or("a segment ends early")?;
                bytes.iter().zip(&mut put).for_each(|(byte, sample)| *sample = *sample << 8 | u16::from(*byte));
                rest = after;
            }
            128 => {}
            129..=255 => {
                let (&byte, after) = rest.split_first().ok_or("a segment ends early")?;
                let count = 257 - usize::from(control);
                put.by_ref().take(count).for_each(|sample| *sample = *sample << 8 | u16::from(byte));
                rest = after;
            }
        }
    }
    Ok(())
}

/// One compressed frame in the shape that the decoders of dicom-rs ask for.
struct SingleFrame<'a> {
    syntax_uid: &'a str,
    stream: &'a [u8],
    rows: u16,
    columns: u16,
    bits: u16,
}

impl PixelDataObject for SingleFrame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        self.syntax_uid
    }
    fn rows(&self) -> Option<u16> {
        Some(self.rows)
    }
    fn cols(&self) -> Option<u16> {
        Some(self.columns)
    }
    fn samples_per_pixel(&self) -> Option<u16> {
        Some(1)
    }
    fn bits_allocated(&self) -> Option<u16> {
        Some(self.bits)
    }
    fn bits_stored(&self) -> Option<u16> {
        Some(self.bits)
    }
    fn photometric_interpretation(&self) -> Option<&str> {
        Some("MONOCHROME2")
    }
    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }
    fn number_of_fragments(&self) -> Option<u32> {
        Some(1)
    }
    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        (fragment == 0).then_some(Cow::Borrowed(self.stream))
    }
    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        Some(Cow::Borrowed(&[]))
    }
    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        let mut fragments = C::new();
        fragments.push(self.stream.to_vec());
        Some(RawPixelData { fragments, offset_table: C::new() })
    }
}

fn decode_with_registry(
    syntax: &TransferSyntax,
    stream: &[u8],
    format: &PixelFormat,
    bits: u16,
) -> Result<Vec<u16>, String> {
    let Codec::EncapsulatedPixelData(Some(reader), _) = syntax.codec() else {
        return Err("no decoder for this compression is built in".to_owned());
    };
    let side = |size: usize| u16::try_from(size).map_err(|_| format!("{size} pixels exceed a side's limit"));
    let (rows, columns) = (side(format.rows)?, side(format.columns)?);
    let frame = SingleFrame { syntax_uid: syntax.uid(), stream, rows, columns, bits };
    let mut bytes = Vec::new();
    reader.decode_frame(&frame, 0, &mut bytes).map_err(|error| error.to_string())?;
    Ok(match bits {
        8 => bytes.iter().map(|byte| u16::from(*byte)).collect(),
        _ => bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect(),
    })
}
