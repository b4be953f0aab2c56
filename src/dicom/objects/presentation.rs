//! Boxes and measurements drawn over the images by a Grayscale Softcopy Presentation State.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};

use super::build::{Item, Put, texts};
use super::context::{ObjectContext, ResultObject, put_content};
use super::gray::GrayScale;
use super::structured_report::{ImageBox, MeasuredImage};
use crate::dicom::error::DicomError;
use crate::dicom::write::{clean, decimal};
use crate::spine::PixelBox;
use crate::volume::WindowLevel;

const LAYER: &str = "SPINENET";
/// Room for a mark's text, in image pixels: wide enough for the longest at the size that viewers choose.
const TEXT_SIZE: [f64; 2] = [120.0, 14.0];

/// What is drawn over the images.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks<'a> {
    /// Boxes, named by disc and grading.
    pub boxes: &'a [ImageBox],
    /// Measurements with their values.
    pub measurements: &'a [MeasuredImage],
    /// Display window, in voxel values.
    pub window: WindowLevel,
    /// Distance between rows and between columns, mm.
    pub pixel_spacing_mm: [f64; 2],
}

/// A place on an image as DICOM counts it: (0, 0) is the corner of the first pixel, where here it is its center.
pub(super) fn on_image(x: f64, y: f64) -> [f32; 2] {
    [(x + 0.5) as f32, (y + 0.5) as f32]
}

/// The closed outline of a box.
pub(super) fn box_outline(rect: &PixelBox) -> [[f32; 2]; 5] {
    let ([x, y], [right, bottom]) = (on_image(rect.x, rect.y), on_image(rect.x + rect.width, rect.y + rect.height));
    [[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]
}

/// Makes presentation states that any DICOM viewer can lay over the images: one for all of them, or, where their stored
/// values become gray in several ways, one for each way that has marks.
///
/// # Errors
/// If there is nothing to draw, a mark lies on a slice that the series does not have, or an image cannot be read any more.
pub(crate) fn presentation_states(context: &ObjectContext, marks: &Marks<'_>) -> Result<Vec<ResultObject>, DicomError> {
    let slices = marks.boxes.iter().map(|found| found.slice).chain(marks.measurements.iter().map(|found| found.slice));
    let mut marked: Vec<usize> = slices.collect();
    marked.sort_unstable();
    marked.dedup();
    if marked.last().is_none_or(|last| *last >= context.slices()) {
        return Err(DicomError::Unwritable("there is no mark that lies on the images".to_owned()));
    }
    let mut groups: Vec<(GrayScale, Vec<usize>)> = Vec::new();
    for (slice, scale) in context.gray_scales()?.into_iter().enumerate() {
        match groups.iter_mut().find(|(other, _)| other.is_like(&scale)) {
            Some((_, slices)) => slices.push(slice),
            None => groups.push((scale, vec![slice])),
        }
    }
    groups.retain(|(_, slices)| marked.iter().any(|slice| slices.contains(slice)));
    let state = |(index, (scale, slices)): (usize, &(GrayScale, Vec<usize>))| {
        let marked: Vec<usize> = marked.iter().copied().filter(|slice| slices.contains(slice)).collect();
        presentation_state(context, marks, index + 1, *scale, slices, &marked)
    };
    Ok(groups.iter().enumerate().map(state).collect())
}

/// A state for the images of `slices`, with the marks on those that are `marked`.
fn presentation_state(
    context: &ObjectContext,
    marks: &Marks<'_>,
    number: usize,
    scale: GrayScale,
    slices: &[usize],
    marked: &[usize],
) -> ResultObject {
    let class = uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE;
    // Every state is an object of its own in one series.
    let key = format!("PR {number}");
    let mut object = context.object(class, &key, 9005, "spinenet boxes and measurements, research use only");
    object.text(tags::MODALITY, VR::CS, "PR");
    object.text(tags::SERIES_INSTANCE_UID, VR::UI, &context.uid("PR series"));
    object.text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string());
    put_content(&mut object, LAYER, "Boxes and measurements; supporting evidence, research use only");
    object.text(tags::PRESENTATION_CREATION_DATE, VR::DA, &context.created.date);
    object.text(tags::PRESENTATION_CREATION_TIME, VR::TM, &context.created.time);
    let images = context.referenced_slices(tags::REFERENCED_IMAGE_SEQUENCE, slices);
    object.items(tags::REFERENCED_SERIES_SEQUENCE, images);
    object.item(tags::DISPLAYED_AREA_SELECTION_SEQUENCE, displayed_area(context, marks.pixel_spacing_mm));
    let annotations = marked.iter().map(|slice| annotation(context, marks, *slice)).collect();
    object.items(tags::GRAPHIC_ANNOTATION_SEQUENCE, annotations);
    let layer = texts(&[(tags::GRAPHIC_LAYER, VR::CS, LAYER), (tags::GRAPHIC_LAYER_ORDER, VR::IS, "1")]);
    object.item(tags::GRAPHIC_LAYER_SEQUENCE, layer);
    scale.put(&mut object, marks.window);
    context.finish(object, class, &key)
}

/// All of every image.
fn displayed_area(context: &ObjectContext, [row, column]: [f64; 2]) -> Item {
    let (rows, columns) = context.size;
    let mut area = Item::new_empty();
    let corners = [
        (tags::DISPLAYED_AREA_TOP_LEFT_HAND_CORNER, [1, 1]),
        (tags::DISPLAYED_AREA_BOTTOM_RIGHT_HAND_CORNER, [columns as i32, rows as i32]),
    ];
    for (tag, corner) in corners {
        area.put(DataElement::new(tag, VR::SL, PrimitiveValue::I32(corner.into_iter().collect())));
    }
    area.text(tags::PRESENTATION_SIZE_MODE, VR::CS, "SCALE TO FIT");
    area.text(tags::PRESENTATION_PIXEL_SPACING, VR::DS, &format!("{}\\{}", decimal(row), decimal(column)));
    area
}

/// The marks of one slice.
fn annotation(context: &ObjectContext, marks: &Marks<'_>, slice: usize) -> Item {
    let (mut graphics, mut words) = (Vec::new(), Vec::new());
    for found in marks.boxes.iter().filter(|found| found.slice == slice) {
        graphics.push(graphic(&box_outline(&found.rect)));
        let text = format!("{} {}, {}", found.level, found.grading.name(), found.source.name());
        words.push(text_object(context, &text, [found.rect.x, found.rect.y + found.rect.height]));
    }
    for found in marks.measurements.iter().filter(|found| found.slice == slice) {
        let at = |place: usize| found.points.get(place).map(|[x, y]| on_image(*x, *y));
        for line in found.kind.lines() {
            if let (Some(from), Some(to)) = (at(line[0]), at(line[1])) {
                graphics.push(graphic(&[from, to]));
            }
        }
        let lowest = found.points.iter().copied().max_by(|a, b| a[1].total_cmp(&b[1])).unwrap_or_default();
        words.push(text_object(context, &found.words, lowest));
    }
    let mut item = texts(&[(tags::GRAPHIC_LAYER, VR::CS, LAYER)]);
    item.item(tags::REFERENCED_IMAGE_SEQUENCE, context.reference(slice));
    item.items(tags::TEXT_OBJECT_SEQUENCE, words);
    item.items(tags::GRAPHIC_OBJECT_SEQUENCE, graphics);
    item
}

fn graphic(points: &[[f32; 2]]) -> Item {
    let mut item = texts(&[
        (tags::GRAPHIC_ANNOTATION_UNITS, VR::CS, "PIXEL"),
        (tags::GRAPHIC_TYPE, VR::CS, "POLYLINE"),
        (tags::GRAPHIC_FILLED, VR::CS, "N"),
    ]);
    item.short(tags::GRAPHIC_DIMENSIONS, 2);
    item.short(tags::NUMBER_OF_GRAPHIC_POINTS, points.len() as u16);
    item.put(DataElement::new(tags::GRAPHIC_DATA, VR::FL, PrimitiveValue::F32(points.concat().into())));
    item
}

/// A text below a place, inside the image.
fn text_object(context: &ObjectContext, text: &str, [x, y]: [f64; 2]) -> Item {
    let (rows, columns) = context.size;
    let left = x.min(columns as f64 - TEXT_SIZE[0]).max(0.0);
    let top = (y + 2.0).min(rows as f64 - TEXT_SIZE[1]).max(0.0);
    let mut item = texts(&[
        (tags::BOUNDING_BOX_ANNOTATION_UNITS, VR::CS, "PIXEL"),
        (tags::UNFORMATTED_TEXT_VALUE, VR::ST, &clean(text)),
        (tags::BOUNDING_BOX_TEXT_HORIZONTAL_JUSTIFICATION, VR::CS, "LEFT"),
    ]);
    for (tag, corner) in [
        (tags::BOUNDING_BOX_TOP_LEFT_HAND_CORNER, on_image(left, top)),
        (tags::BOUNDING_BOX_BOTTOM_RIGHT_HAND_CORNER, on_image(left + TEXT_SIZE[0], top + TEXT_SIZE[1])),
    ] {
        item.put(DataElement::new(tag, VR::FL, PrimitiveValue::F32(corner.into_iter().collect())));
    }
    item
}
