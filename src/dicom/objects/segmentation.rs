//! Outlines as a binary Segmentation.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};

use super::build::{Item, Put, texts};
use super::codes::{ARTIFICIAL_INTELLIGENCE, Code, SEGMENTATION};
use super::context::{ObjectContext, ResultObject, put_content, put_dimensions};
use crate::dicom::error::DicomError;
use crate::dicom::write::decimals;
use crate::volume::VolumeGeometry;

/// One structure, marked on some slices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Segment {
    /// Name, such as `L4-L5`.
    pub label: String,
    pub code: Code,
    /// What kind of thing that is.
    pub category: Code,
    /// Slices, ascending, each with one value for each pixel, row by row.
    pub masks: Vec<(usize, Vec<bool>)>,
}

/// What a segmentation says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentationTexts<'a> {
    /// Tells the segmentations of one study apart; from 1.
    pub number: u32,
    /// Series description.
    pub series: &'a str,
    /// Content label: capital letters, digits and underscores.
    pub label: &'a str,
    /// What is marked, and how.
    pub description: &'a str,
    /// How each segment was made.
    pub segments: &'a str,
    /// Name and version of the weights behind it.
    pub algorithm: (&'a str, &'a str),
}

/// Makes a segmentation whose frames lie on the slices of `geometry`, which is that of the context's series.
///
/// # Errors
/// If there is nothing to mark, a mask has another size than the images, or the series has no frame of reference.
pub(crate) fn segmentation(
    context: &ObjectContext,
    segments: &[Segment],
    geometry: &VolumeGeometry,
    said: SegmentationTexts<'_>,
) -> Result<ResultObject, DicomError> {
    let (rows, columns) = context.size;
    let frames: Vec<(usize, usize, &[bool])> = segments
        .iter()
        .enumerate()
        .flat_map(|(index, segment)| segment.masks.iter().map(move |(slice, mask)| (index, *slice, mask.as_slice())))
        .collect();
    let fits = |(_, slice, mask): &(usize, usize, &[bool])| *slice < context.slices() && mask.len() == rows * columns;
    if frames.is_empty() || !frames.iter().all(fits) {
        return Err(DicomError::Unwritable("there is no outline that fits the images".to_owned()));
    }
    let class = uids::SEGMENTATION_STORAGE;
    // Every segmentation is an object of its own in one series.
    let key = format!("SEG {}", said.number);
    let mut object = context.object(class, &key, 9002, said.series);
    object.text(tags::MODALITY, VR::CS, "SEG");
    object.text(tags::SERIES_INSTANCE_UID, VR::UI, &context.uid("SEG series"));
    object.text(tags::INSTANCE_NUMBER, VR::IS, &said.number.to_string());
    context.put_frame_of_reference(&mut object)?;
    image_elements(&mut object, frames.len(), (rows, columns));
    put_content(&mut object, said.label, said.description);
    object.items(tags::REFERENCED_SERIES_SEQUENCE, context.referenced_series(tags::REFERENCED_INSTANCE_SEQUENCE));
    let segment = |(index, segment): (usize, &Segment)| segment_item(context, index + 1, segment, said);
    object.items(tags::SEGMENT_SEQUENCE, segments.iter().enumerate().map(segment).collect());
    put_dimensions(
        &mut object,
        &context.uid(&format!("{key} dimensions")),
        &[
            (tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE, "Segment"),
            (tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Position"),
        ],
    );
    object.item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared_groups(context, geometry));
    let mut slices: Vec<usize> = frames.iter().map(|(_, slice, _)| *slice).collect();
    slices.sort_unstable();
    slices.dedup();
    let groups = frames.iter().map(|(segment, slice, _)| {
        let place = slices.binary_search(slice).unwrap_or_default() as u32 + 1;
        frame_groups(context, geometry, *segment as u32 + 1, *slice, place)
    });
    object.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, groups.collect());
    let bits = packed(frames.iter().flat_map(|(.., mask)| mask.iter().copied()));
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(bits.into())));
    Ok(context.finish(object, class, &key))
}

fn image_elements(object: &mut Item, frames: usize, (rows, columns): (usize, usize)) {
    object.text(tags::IMAGE_TYPE, VR::CS, "DERIVED\\PRIMARY");
    object.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    object.text(tags::NUMBER_OF_FRAMES, VR::IS, &frames.to_string());
    object.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
    object.text(tags::SEGMENTATION_TYPE, VR::CS, "BINARY");
    // Discs and bodies meet at the endplates.
    object.text(tags::SEGMENTS_OVERLAP, VR::CS, "UNDEFINED");
    let sizes = [(tags::ROWS, rows as u16), (tags::COLUMNS, columns as u16)];
    let formats = [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::BITS_ALLOCATED, 1),
        (tags::BITS_STORED, 1),
        (tags::HIGH_BIT, 0),
        (tags::PIXEL_REPRESENTATION, 0),
    ];
    for (tag, value) in sizes.into_iter().chain(formats) {
        object.short(tag, value);
    }
}

fn segment_item(context: &ObjectContext, number: usize, segment: &Segment, said: SegmentationTexts<'_>) -> Item {
    let (name, version) = said.algorithm;
    // A structure is the same in every report; a hotspot is one of these results.
    let tracking_uid = if segment.category == Code::anatomical_structure() {
        context.anatomy_uid(&segment.label)
    } else {
        context.uid(&format!("segment {}", segment.label))
    };
    let mut item = texts(&[
        (tags::SEGMENT_LABEL, VR::LO, &segment.label),
        (tags::SEGMENT_DESCRIPTION, VR::ST, said.segments),
        (tags::SEGMENT_ALGORITHM_TYPE, VR::CS, "AUTOMATIC"),
        (tags::SEGMENT_ALGORITHM_NAME, VR::LO, name),
        (tags::TRACKING_ID, VR::UT, &segment.label),
        (tags::TRACKING_UID, VR::UI, &tracking_uid),
    ]);
    item.short(tags::SEGMENT_NUMBER, number as u16);
    item.item(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, segment.category.item());
    item.item(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, segment.code.item());
    let mut algorithm = texts(&[(tags::ALGORITHM_NAME, VR::LO, name), (tags::ALGORITHM_VERSION, VR::LO, version)]);
    algorithm.item(tags::ALGORITHM_FAMILY_CODE_SEQUENCE, ARTIFICIAL_INTELLIGENCE.item());
    item.item(tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, algorithm);
    item
}

fn shared_groups(context: &ObjectContext, geometry: &VolumeGeometry) -> Item {
    let directions = format!("{}\\{}", decimals(geometry.column_direction()), decimals(geometry.row_direction()));
    let mut shared = Item::new_empty();
    shared.item(tags::PIXEL_MEASURES_SEQUENCE, context.pixel_measures(geometry));
    shared.item(tags::PLANE_ORIENTATION_SEQUENCE, texts(&[(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &directions)]));
    shared
}

fn frame_groups(context: &ObjectContext, geometry: &VolumeGeometry, segment: u32, slice: usize, place: u32) -> Item {
    let mut content = Item::new_empty();
    content.longs(tags::DIMENSION_INDEX_VALUES, &[segment, place]);
    let position = decimals(geometry.slice_origins_lps()[slice]);
    let mut identification = Item::new_empty();
    identification.short(tags::REFERENCED_SEGMENT_NUMBER, segment as u16);
    let mut groups = Item::new_empty();
    groups.item(tags::FRAME_CONTENT_SEQUENCE, content);
    groups.item(tags::PLANE_POSITION_SEQUENCE, texts(&[(tags::IMAGE_POSITION_PATIENT, VR::DS, &position)]));
    groups.item(tags::DERIVATION_IMAGE_SEQUENCE, context.derivation(slice, &SEGMENTATION, true));
    groups.item(tags::SEGMENT_IDENTIFICATION_SEQUENCE, identification);
    groups
}

/// Bits packed eight to a byte, the first in the lowest, frames without gaps between them (PS3.5 8.1.1).
fn packed(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, bit) in bits.enumerate() {
        if index % 8 == 0 {
            bytes.push(0);
        }
        if let Some(last) = bytes.last_mut() {
            *last |= u8::from(bit) << (index % 8);
        }
    }
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_packed_from_the_lowest_to_an_even_number_of_bytes() {
        let bits = [true, false, false, false, false, false, false, true, true];
        assert_eq!(packed(bits.into_iter()), [0x81, 0x01]);
        assert_eq!(packed([true].into_iter()), [1, 0]);
    }
}
