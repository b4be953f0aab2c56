//! A picture as Secondary Capture, for viewers that show nothing else.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};

use super::build::Put;
use super::context::{ObjectContext, ResultObject};
use crate::dicom::error::DicomError;
use crate::dicom::write::clean;

/// Makes a secondary capture of an RGB picture, `rgb` being row by row and three bytes a pixel; `number`
/// tells the captures of one study apart. The picture must name no patient: what is burned in cannot be removed.
///
/// # Errors
/// If the picture's size is not `rows` × `columns` or does not fit.
pub(crate) fn secondary_capture(
    context: &ObjectContext,
    rgb: &[u8],
    (rows, columns): (u32, u32),
    title: &str,
    number: u32,
) -> Result<ResultObject, DicomError> {
    let side = |length: u32| u16::try_from(length).ok().filter(|length| *length > 0);
    let is_whole = rgb.len() == rows as usize * columns as usize * 3;
    let (Some(rows), Some(columns), true) = (side(rows), side(columns), is_whole) else {
        return Err(DicomError::Unwritable(format!("a picture of {columns} × {rows} pixels does not fit")));
    };
    let class = uids::SECONDARY_CAPTURE_IMAGE_STORAGE;
    let mut object = context.object(class, "OT", 9004, &clean(title));
    let key = format!("OT capture {number}");
    object.text(tags::SOP_INSTANCE_UID, VR::UI, &context.uid(&format!("{key} instance")));
    object.text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string());
    for (tag, value) in [
        (tags::IMAGE_TYPE, "DERIVED\\SECONDARY"),
        (tags::CONVERSION_TYPE, "WSD"),
        // Grades and labels are burned in, identity is not.
        (tags::BURNED_IN_ANNOTATION, "YES"),
        (tags::PHOTOMETRIC_INTERPRETATION, "RGB"),
        (tags::PATIENT_ORIENTATION, ""),
    ] {
        object.text(tag, VR::CS, value);
    }
    object.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 3),
        (tags::PLANAR_CONFIGURATION, 0),
        (tags::ROWS, rows),
        (tags::COLUMNS, columns),
        (tags::BITS_ALLOCATED, 8),
        (tags::BITS_STORED, 8),
        (tags::HIGH_BIT, 7),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        object.short(tag, value);
    }
    let mut pixels = rgb.to_vec();
    if pixels.len() % 2 == 1 {
        pixels.push(0);
    }
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(pixels.into())));
    Ok(context.finish(object, class, &key))
}
