//! An evidence map as a Parametric Map of floats.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};

use super::build::{Item, Put, texts};
use super::codes::{Code, LUMBAR_SPINE, NO_UNITS, RESAMPLING};
use super::context::{ObjectContext, ResultObject, anatomy, put_content, put_dimensions};
use crate::dicom::error::DicomError;
use crate::dicom::write::{clean, decimal, decimals};
use crate::spine::{DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES};
use crate::volume::{EvenStack, Interpolation, Volume, VolumeGeometry};

const SLICE_VOXELS: usize = PATCH_ROWS * PATCH_COLUMNS;

/// Evidence in the voxels of a disc volume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EvidenceMap<'a> {
    /// Evidence `[9, 112, 224]`.
    pub values: &'a [f32],
    /// Where it lies in the scan.
    pub frame: &'a DiscFrame,
    /// The scan's geometry.
    pub geometry: &'a VolumeGeometry,
    /// What it is evidence for: `L4-L5 Pfirrmann grade IV`.
    pub explained: &'a str,
    /// How it was made.
    pub method: &'a str,
}

/// Makes a parametric map with the map's own values: its frames are the slices of the disc volume that the scan has, in
/// the disc volume's own orientation and pixel size, so that nothing is resampled. Only where slices of the scan are missing,
/// uneven or sheared are the frames interpolated to an even stack, as in NIfTI: readers know one distance between all frames
/// and close the gaps. `number` tells the maps of one study apart.
///
/// # Errors
/// If the scan has none of the slices, or the series has no frame of reference.
pub(crate) fn parametric_map(
    context: &ObjectContext,
    map: &EvidenceMap<'_>,
    number: u32,
) -> Result<ResultObject, DicomError> {
    let mut frames: Vec<(usize, usize)> =
        (0..PATCH_SLICES).filter_map(|patch| Some((map.frame.scan_slice(patch)?, patch))).collect();
    frames.retain(|(slice, _)| *slice < context.slices());
    frames.sort_unstable();
    if frames.is_empty() {
        return Err(DicomError::Unwritable("the map lies on none of the images".to_owned()));
    }
    let stack = stack_in_patient(map, &frames)?;
    let place = stack.geometry();
    let class = uids::PARAMETRIC_MAP_STORAGE;
    // Every map is an object of its own in one series.
    let key = format!("OT map {number}");
    let mut object = context.object(class, &key, 9003, "spinenet supporting evidence, research use only");
    object.text(tags::MODALITY, VR::CS, "OT");
    object.text(tags::SERIES_INSTANCE_UID, VR::UI, &context.uid("parametric map series"));
    object.text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string());
    context.put_frame_of_reference(&mut object)?;
    image_elements(&mut object, stack.slices());
    put_content(&mut object, "EVIDENCE", &clean(&format!("Evidence for {}", map.explained)));
    object.items(tags::REFERENCED_SERIES_SEQUENCE, context.referenced_series(tags::REFERENCED_INSTANCE_SEQUENCE));
    object.items(tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
    let position = [(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Position")];
    put_dimensions(&mut object, &context.uid("map dimensions"), &position);
    object.item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared_groups(context, map, place));
    let slices = frames.iter().map(|(slice, _)| *slice);
    let groups = place.slice_origins_lps().iter().enumerate().map(|(number, origin)| {
        let slice = slices.clone().min_by(|a, b| {
            let away = |slice: usize| (map.geometry.slice_origins_lps()[slice] - *origin).dot(place.normal()).abs();
            away(*a).total_cmp(&away(*b))
        });
        let mut content = Item::new_empty();
        content.longs(tags::DIMENSION_INDEX_VALUES, &[number as u32 + 1]);
        let corner = decimals(*origin);
        let mut groups = Item::new_empty();
        groups.item(tags::FRAME_CONTENT_SEQUENCE, content);
        groups.item(tags::PLANE_POSITION_SEQUENCE, texts(&[(tags::IMAGE_POSITION_PATIENT, VR::DS, &corner)]));
        groups.item(
            tags::DERIVATION_IMAGE_SEQUENCE,
            context.derivation(slice.unwrap_or(frames[0].0), &RESAMPLING, false),
        );
        groups
    });
    object.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, groups.collect());
    let values = PrimitiveValue::F32(stack.voxels().into());
    object.put(DataElement::new(tags::FLOAT_PIXEL_DATA, VR::OF, values));
    Ok(context.finish(object, class, &key))
}

fn image_elements(object: &mut Item, frames: usize) {
    for (tag, value) in [
        (tags::IMAGE_TYPE, "DERIVED\\PRIMARY\\OTHER\\NONE"),
        (tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2"),
        (tags::LOSSY_IMAGE_COMPRESSION, "00"),
        (tags::BURNED_IN_ANNOTATION, "NO"),
        (tags::RECOGNIZABLE_VISUAL_FEATURES, "NO"),
        (tags::PRESENTATION_LUT_SHAPE, "IDENTITY"),
        (tags::CONTENT_QUALIFICATION, "RESEARCH"),
    ] {
        object.text(tag, VR::CS, value);
    }
    object.text(tags::NUMBER_OF_FRAMES, VR::IS, &frames.to_string());
    object.short(tags::SAMPLES_PER_PIXEL, 1);
    object.short(tags::BITS_ALLOCATED, 32);
    object.short(tags::ROWS, PATCH_ROWS as u16);
    object.short(tags::COLUMNS, PATCH_COLUMNS as u16);
}

/// The frames, each a slice of the scan and one of the map, in their places, as an even stack.
fn stack_in_patient(map: &EvidenceMap<'_>, frames: &[(usize, usize)]) -> Result<Volume, DicomError> {
    let patch = map.frame.geometry(map.geometry)?;
    let origins = frames.iter().map(|(_, slice)| patch.slice_origins_lps()[*slice]).collect();
    let (edge, thickness) = (map.frame.mm_per_patch_pixel(), map.geometry.slice_step_mm());
    let place = VolumeGeometry::new(origins, patch.column_direction(), patch.row_direction(), edge, edge)?;
    let slice_of = |patch: usize| &map.values[patch * SLICE_VOXELS..(patch + 1) * SLICE_VOXELS];
    let values: Vec<f32> = frames.iter().flat_map(|(_, patch)| slice_of(*patch).iter().copied()).collect();
    let even = EvenStack::of(&place);
    let volume = Volume::new(PATCH_ROWS, PATCH_COLUMNS, values, place.with_slice_thickness(thickness))?;
    Ok(match even {
        None => volume,
        Some(even) => {
            let values = even.resampled(&volume, Interpolation::Linear);
            Volume::new(PATCH_ROWS, PATCH_COLUMNS, values, even.geometry().clone().with_slice_thickness(thickness))?
        }
    })
}

fn shared_groups(context: &ObjectContext, map: &EvidenceMap<'_>, place: &VolumeGeometry) -> Item {
    let directions = format!("{}\\{}", decimals(place.column_direction()), decimals(place.row_direction()));
    let mut shared = Item::new_empty();
    shared.item(tags::PIXEL_MEASURES_SEQUENCE, context.pixel_measures(place));
    shared.item(tags::PLANE_ORIENTATION_SEQUENCE, texts(&[(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &directions)]));
    shared.item(tags::FRAME_ANATOMY_SEQUENCE, anatomy(&LUMBAR_SPINE));
    let kind = texts(&[(tags::FRAME_TYPE, VR::CS, "DERIVED\\PRIMARY\\OTHER\\NONE")]);
    shared.item(tags::PARAMETRIC_MAP_FRAME_TYPE_SEQUENCE, kind);
    shared.item(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, real_world_values(map));
    let unchanged = [(tags::RESCALE_INTERCEPT, VR::DS, "0"), (tags::RESCALE_SLOPE, VR::DS, "1")];
    let mut transformation = texts(&unchanged);
    transformation.text(tags::RESCALE_TYPE, VR::LO, "US");
    shared.item(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, transformation);
    shared.item(tags::FRAME_VOILUT_SEQUENCE, window(map.values));
    shared
}

fn window(values: &[f32]) -> Item {
    let greatest = f64::from(values.iter().copied().fold(0.0, f32::max)).max(1e-9);
    texts(&[
        (tags::WINDOW_CENTER, VR::DS, &decimal(greatest / 2.0)),
        (tags::WINDOW_WIDTH, VR::DS, &decimal(greatest)),
        // The plain function knows no windows narrower than 1.
        (tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT"),
    ])
}

/// Says that the numbers are saliency.
fn real_world_values(map: &EvidenceMap<'_>) -> Item {
    let mut quantity = texts(&[(tags::VALUE_TYPE, VR::CS, "CODE")]);
    quantity.item(tags::CONCEPT_NAME_CODE_SEQUENCE, Code::sct("246205007", "Quantity").item());
    quantity.item(tags::CONCEPT_CODE_SEQUENCE, Code::dcm("130404", "Saliency").item());
    let mut mapping =
        texts(&[(tags::LUT_EXPLANATION, VR::LO, &clean(map.method)), (tags::LUT_LABEL, VR::SH, "SALIENCY")]);
    let greatest = f64::from(map.values.iter().copied().fold(0.0, f32::max));
    for (tag, value) in [
        (tags::REAL_WORLD_VALUE_INTERCEPT, 0.0),
        (tags::REAL_WORLD_VALUE_SLOPE, 1.0),
        (tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, 0.0),
        (tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_LAST_VALUE_MAPPED, greatest),
    ] {
        mapping.put(DataElement::new(tag, VR::FD, PrimitiveValue::from(value)));
    }
    mapping.item(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, NO_UNITS.item());
    mapping.item(tags::QUANTITY_DEFINITION_SEQUENCE, quantity);
    mapping
}
