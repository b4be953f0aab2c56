//! Padding, fragments without a table, High-Throughput JPEG 2000, and samples of old files of GE.

use std::fs;

use dicom_core::value::{PixelFragmentSequence, PrimitiveValue};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};

use super::{edit, load, put, scan, set_bits, volume, voxels_after, written};
use crate::causes::with_causes;
use crate::volume::Volume;

#[test]
fn padding_is_as_dark_as_the_darkest_pixel() {
    let samples = |padding: u16| -> Vec<u16> {
        (0..30).map(|index| if index % 5 == 0 { padding } else { 100 + index }).collect()
    };
    let expected: Vec<f32> = (0..30).map(|index| if index % 5 == 0 { 101.0 } else { 100.0 + index as f32 }).collect();
    for (padding, signed, vr) in [(0x8000, 1, VR::SS), (0xFFFF, 0, VR::US), (0, 0, VR::US), (0x8000, 1, VR::US)] {
        let series = voxels_after(&samples(padding), |object| {
            set_bits(object, 16, signed);
            match vr {
                VR::SS => put(object, tags::PIXEL_PADDING_VALUE, vr, padding.cast_signed()),
                _ => put(object, tags::PIXEL_PADDING_VALUE, vr, padding),
            }
        });
        assert_eq!(series.volume.voxels(), expected, "{padding} {vr:?}");
    }
    let range = voxels_after(&samples(60_007), |object| {
        put(object, tags::PIXEL_PADDING_VALUE, VR::US, 60_000_u16);
        put(object, tags::PIXEL_PADDING_RANGE_LIMIT, VR::US, 60_010_u16);
    });
    assert_eq!(range.volume.voxels(), expected);
    let inverted = voxels_after(&samples(0), |object| {
        put(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
        put(object, tags::PIXEL_PADDING_VALUE, VR::US, 0_u16);
    });
    assert_eq!(inverted.volume.voxels()[..2], [-129.0, -101.0]);
    let negative = voxels_after(&samples(0), |object| {
        put(object, tags::RESCALE_SLOPE, VR::DS, "-1");
        put(object, tags::PIXEL_PADDING_VALUE, VR::US, 0_u16);
    });
    assert_eq!(negative.volume.voxels()[..2], [-129.0, -101.0]);
    let empty = voxels_after(&[7; 30], |object| put(object, tags::PIXEL_PADDING_VALUE, VR::US, 7_u16));
    assert_eq!(empty.volume.voxels(), [0.0; 30], "nothing but padding");
}

#[test]
fn inverted_values_begin_at_the_darkest_of_them_whatever_the_bits() {
    for (bits, signed, highest) in [(12, 0, 4095), (12, 0, 3000), (16, 0, 900), (16, 1, 900)] {
        let samples: Vec<u16> = (0..30).map(|index| highest - index * 30).collect();
        let series = voxels_after(&samples, |object| {
            set_bits(object, bits, signed);
            put(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
        });
        let volume = &series.volume;
        assert_eq!(volume.voxels()[0], -f32::from(highest), "{bits} bits to {highest}");
        let signal: Vec<f32> = volume.voxels().iter().map(|value| value - volume.black()).collect();
        assert_eq!(signal, (0..30).map(|index| index as f32 * 30.0).collect::<Vec<_>>(), "{bits} bits to {highest}");
    }
}

/// 24 x 20 pixels of twelve bits, `(37 row + 91 column) mod 4096`, as `OpenJPH` 0.26.3 compresses them (lossless):
/// ```python
/// imagecodecs.htj2k_encode(((r * 37 + c * 91) % 4096).astype("uint16"))  # imagecodecs 2026.3.6; r, c = np.mgrid[:24, :20]
/// ```
const HIGH_THROUGHPUT: &str = "ff4fff5100294000000000140000001800000000000000000000001400000018000000000000000000010f0101ff500008000200\
     00000aff52000c00020001000504044001ff5c00132088909090909090909090909090888888ff64001700014f70656e4a504820\
     56657220302e32362e332eff90000a0000000000a90001ff93c00026d9f705077400c0001340001300acfb03077400f2fc028774\
     00c000134000130071fc000b740069fa00023400c000151000055031c600023002760050a142fdc03181feb600c00015d0000568\
     983131316362fed82fd7e18b7700a4241289f4f408462101ecb800c0002d580005aa341a8d46a3d168341a8df6effa7a7a7a7a71\
     027a0048044110044110e4ff50023d84207bf61081ecbd00ffd9";

fn high_throughput_frame() -> Vec<u8> {
    let digits = HIGH_THROUGHPUT.as_bytes().as_chunks::<2>().0;
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.iter().map(byte).collect()
}

fn high_throughput_pixels() -> Vec<f32> {
    (0..480).map(|index| ((index / 20 * 37 + index % 20 * 91) % 4096) as f32).collect()
}

/// Writes `fragments` as the only pixel data of a file of `frames` frames.
fn encapsulated(syntax: &str, frames: usize, table: Vec<u32>, fragments: Vec<Vec<u8>>) -> Vec<f32> {
    let geometry = volume(&[]).geometry().clone();
    let (folder, paths) = written(&Volume::new(24, 20, high_throughput_pixels(), geometry).unwrap());
    edit(&paths[0], |object| {
        put(object, tags::NUMBER_OF_FRAMES, VR::IS, frames.to_string());
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PixelFragmentSequence::new(table, fragments)));
        object.update_meta(|meta| meta.transfer_syntax = syntax.to_owned());
    });
    let scan = scan(folder.path());
    load(&scan.series[0]).unwrap().volume.voxels().to_vec()
}

#[test]
fn high_throughput_jpeg_2000_is_read() {
    for syntax in [uids::HTJ2K_LOSSLESS, uids::HTJ2K_LOSSLESS_RPCL, uids::HTJ2K] {
        let mut frame = high_throughput_frame();
        frame.resize(frame.len().next_multiple_of(2), 0);
        assert_eq!(encapsulated(syntax, 1, vec![], vec![frame]), high_throughput_pixels(), "{syntax}");
    }
}

#[test]
fn fragments_without_a_table_are_parted_where_frames_end() {
    let mut fragments = Vec::new();
    let mut offsets = Vec::new();
    let mut offset = 0;
    // Frames of different numbers of fragments, some with padding behind their end.
    for (cuts, padding) in [(vec![100], 0), (vec![50, 120], 2), (vec![], 2)] {
        offsets.push(offset);
        let frame = [high_throughput_frame(), vec![0; padding]].concat();
        let mut from = 0;
        for to in cuts.into_iter().chain([frame.len()]) {
            fragments.push(frame[from..to].to_vec());
            offset += 8 + (to - from) as u32;
            from = to;
        }
    }
    let expected = high_throughput_pixels().repeat(3);
    assert_eq!(encapsulated(uids::HTJ2K_LOSSLESS, 3, offsets, fragments.clone()), expected, "with a table");
    assert_eq!(encapsulated(uids::HTJ2K_LOSSLESS, 3, vec![], fragments.clone()), expected, "without one");
    let (folder, paths) = written(&volume(&[]));
    edit(&paths[0], |object| {
        put(object, tags::NUMBER_OF_FRAMES, VR::IS, "4");
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PixelFragmentSequence::new(vec![], fragments)));
        object.update_meta(|meta| meta.transfer_syntax = uids::HTJ2K_LOSSLESS.to_owned());
    });
    let error = with_causes(&load(&scan(folder.path()).series[0]).unwrap_err());
    assert!(error.contains("6 compressed fragments do not make 4 frames"), "{error}");
}

#[test]
fn old_files_of_ge_have_samples_with_the_high_byte_first() {
    let original = volume(&[]);
    let (folder, paths) = written(&original);
    let swapped = original.voxels().iter().map(|value| (*value as u16).swap_bytes()).collect();
    edit(&paths[0], |object| {
        put(object, tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(swapped));
        object.update_meta(|meta| meta.transfer_syntax = uids::IMPLICIT_VR_LITTLE_ENDIAN.to_owned());
    });
    // The library writes no such file: the name of the syntax is put in by hand.
    let mut bytes = fs::read(&paths[0]).unwrap();
    let [standard, of_ge] = ["1.2.840.10008.1.2\0", "1.2.840.113619.5.2"];
    let at = bytes.windows(standard.len()).position(|window| window == standard.as_bytes()).unwrap();
    bytes.splice(at..at + standard.len(), of_ge.bytes());
    fs::write(&paths[0], bytes).unwrap();
    assert_eq!(*load(&scan(folder.path()).series[0]).unwrap().volume, original);
}
