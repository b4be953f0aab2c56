//! Boxes as COCO, for tools that draw and train on boxes.
//!
//! A category is a disc with a grading ("L4-L5 `upper_marrow_change`"), an image is named `<series UID>/slice-007.png`
//! (slices from 1): both names come back from tools that keep nothing else. COCO counts from the corner of the first
//! pixel, boxes of this program from its center.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::ReportedStudy;
use crate::files::write_private;
use crate::records::{BoxesError, BoxesFile, MapEntry, rounded};
use crate::spine::{BoxSource, DiscLevel, Grading, PixelBox, SliceBox};
use crate::volume::Volume;

/// Size of a series' images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CocoImage {
    pub slices: usize,
    pub rows: usize,
    pub columns: usize,
}

impl CocoImage {
    /// The size of the slices of a scan.
    #[must_use]
    pub(crate) fn of(volume: &Volume) -> Self {
        let [slices, rows, columns] = volume.shape();
        Self { slices, rows, columns }
    }
}

/// The boxes of a series as COCO; every slice is listed, with boxes or without.
///
/// # Panics
/// Never: COCO holds only what JSON can.
#[must_use]
pub(crate) fn coco_text(file: &BoxesFile, size: CocoImage) -> String {
    let mut names: Vec<(DiscLevel, Grading)> = file.boxes.iter().map(|found| (found.level, found.grading)).collect();
    names.sort_unstable();
    names.dedup();
    let categories: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(index, (level, grading))| {
            json!({ "id": index + 1, "name": format!("{level} {grading}"), "supercategory": grading.key() })
        })
        .collect();
    let images: Vec<Value> = (1..=size.slices)
        .map(|number| {
            let name = format!("{}/slice-{number:03}.png", file.series_instance_uid);
            json!({ "id": number, "file_name": name, "width": size.columns, "height": size.rows })
        })
        .collect();
    let annotations: Vec<Value> = file
        .boxes
        .iter()
        .enumerate()
        .map(|(index, found)| {
            let PixelBox { x, y, width, height } = found.rect;
            let sides = [x + 0.5, y + 0.5, width, height].map(|side| rounded(side, 3));
            let category = names.binary_search(&(found.level, found.grading)).unwrap_or_default() + 1;
            json!({
                "id": index + 1, "image_id": found.slice + 1, "category_id": category, "iscrowd": 0,
                "bbox": sides, "area": rounded(sides[2] * sides[3], 3),
                "attributes": { "source": found.source, "percentile": found.percentile },
            })
        })
        .collect();
    let info = json!({
        "description": "Boxes of spinenet-viewer. Research use only. Not a medical device.",
        "version": env!("CARGO_PKG_VERSION"), "contributor": file.reader,
    });
    let mut coco = json!({ "info": info, "images": images, "annotations": annotations, "categories": categories });
    if !file.maps.is_empty() {
        // Not of COCO, whose readers pass over what they do not know.
        coco["spinenet_maps"] = json!(file.maps);
    }
    serde_json::to_string_pretty(&coco).expect("plain values") + "\n"
}

/// The boxes of a study as COCO.
pub(super) fn study_coco(study: &ReportedStudy) -> Vec<u8> {
    let boxes = BoxesFile::new("", &study.report.series_instance_uid, study.boxes.clone());
    coco_text(&boxes, CocoImage::of(&study.series.volume)).into_bytes()
}

/// Writes boxes for their owner alone: as COCO where the name of the file ends in `.coco.json`, else as `spinenet-boxes/1`.
///
/// # Errors
/// If a box cannot be or the file cannot be written.
pub fn write_boxes(boxes: &BoxesFile, size: CocoImage, file: &Path) -> Result<(), BoxesError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if !name.ends_with(".coco.json") {
        return boxes.save(file);
    }
    boxes.validate()?;
    write_private(file, coco_text(boxes, size).as_bytes()).map_err(BoxesError::Write)
}

/// Reads and validates a file of boxes, `spinenet-boxes/1` or COCO as this program writes it.
///
/// # Errors
/// If it cannot be read, is neither, or holds a box that cannot be.
pub fn read_boxes(file: &Path) -> Result<BoxesFile, BoxesError> {
    parse_boxes(&fs::read(file).map_err(BoxesError::Read)?)
}

pub(crate) fn parse_boxes(json: &[u8]) -> Result<BoxesFile, BoxesError> {
    let value: Value = serde_json::from_slice(json)?;
    let is_coco =
        value.get("schema").is_none() && value.get("annotations").is_some() && value.get("categories").is_some();
    if is_coco { parse_coco(value) } else { BoxesFile::parse(json) }
}

/// Reads boxes from COCO; those without a source are a reader's.
fn parse_coco(value: Value) -> Result<BoxesFile, BoxesError> {
    let coco: Coco = serde_json::from_value(value)?;
    let mut series: Option<String> = None;
    let mut boxes = Vec::with_capacity(coco.annotations.len());
    for annotation in coco.annotations {
        let id = annotation.id;
        let fault = |what: &str| BoxesError::Coco(format!("annotation {id}: {what}"));
        let image = coco.images.iter().find(|image| image.id == annotation.image_id);
        let name = &image.ok_or_else(|| fault("its image is not listed"))?.file_name;
        let (uid, slice) = place(name).ok_or_else(|| fault("its image is not named UID/slice-NUMBER"))?;
        if series.get_or_insert_with(|| uid.to_owned()) != uid {
            return Err(fault("it lies on another series than the ones before; one file a series"));
        }
        let category = coco.categories.iter().find(|category| category.id == annotation.category_id);
        let names = category.and_then(|category| category.name.split_once(' '));
        let kind = names.and_then(|(level, grading)| Some((level.parse().ok()?, grading.parse().ok()?)));
        let (level, grading) = kind.ok_or_else(|| fault("its category is not a disc and a grading"))?;
        let [x, y, width, height] = annotation.bbox;
        let Attributes { source, percentile } = annotation.attributes.unwrap_or_default();
        let source = source.unwrap_or(BoxSource::Reader);
        let rect = PixelBox { x: x - 0.5, y: y - 0.5, width, height };
        boxes.push(SliceBox { level, grading, slice, rect, source, percentile });
    }
    let listed = coco.images.first().and_then(|image| place(&image.file_name)).map(|(uid, _)| uid.to_owned());
    let series_instance_uid = series.or(listed).ok_or_else(|| BoxesError::Coco("it lists no images".to_owned()))?;
    let reader = coco.info.map(|info| info.contributor).unwrap_or_default();
    let file = BoxesFile::new(&reader, &series_instance_uid, boxes).with_maps(coco.spinenet_maps);
    file.validate()?;
    Ok(file)
}

/// Series UID and slice (from 0) that an image's name says.
fn place(name: &str) -> Option<(&str, usize)> {
    let (uid, file) = name.rsplit_once('/')?;
    let number = file.strip_prefix("slice-")?.split('.').next()?.parse::<usize>().ok()?;
    Some((uid.rsplit('/').next()?, number.checked_sub(1)?))
}

#[derive(serde::Deserialize)]
struct Coco {
    #[serde(default)]
    info: Option<Info>,
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
    #[serde(default)]
    spinenet_maps: Vec<MapEntry>,
}

#[derive(serde::Deserialize)]
struct Info {
    #[serde(default)]
    contributor: String,
}

#[derive(serde::Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(serde::Deserialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    #[serde(default)]
    attributes: Option<Attributes>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Attributes {
    source: Option<BoxSource>,
    percentile: Option<f64>,
}

#[derive(serde::Deserialize)]
struct Category {
    id: u64,
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes() -> BoxesFile {
        let found = |level, slice, source, percentile| SliceBox {
            level,
            grading: Grading::UpperMarrowChange,
            slice,
            rect: PixelBox { x: 10.5, y: 20.0, width: 3.25, height: 4.0 },
            source,
            percentile,
        };
        let reader = found(DiscLevel::L4L5, 3, BoxSource::Reader, None);
        let predicted = found(DiscLevel::L1L2, 0, BoxSource::Predicted, Some(97.0));
        BoxesFile::new("AB", "1.2.3", vec![reader, predicted])
    }

    #[test]
    fn boxes_come_back_from_coco() {
        let text = coco_text(&boxes(), CocoImage { slices: 5, rows: 64, columns: 48 });
        assert_eq!(parse_boxes(text.as_bytes()).expect("valid"), boxes());
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["images"].as_array().map(Vec::len), Some(5));
        assert_eq!(value["images"][3]["file_name"], "1.2.3/slice-004.png");
        assert_eq!(value["annotations"][0]["bbox"], json!([11.0, 20.5, 3.25, 4.0]), "from the pixel's corner");
        assert_eq!(value["categories"][1]["name"], "L4-L5 upper_marrow_change");
    }

    #[test]
    fn names_that_say_too_little_are_refused() {
        let text = coco_text(&boxes(), CocoImage { slices: 5, rows: 64, columns: 48 });
        let message =
            |from: &str, to: &str| parse_boxes(text.replace(from, to).as_bytes()).expect_err("refused").to_string();
        assert!(message("L4-L5 upper_marrow_change", "modic").contains("annotation 1: its category"));
        assert!(message("1.2.3/slice-004.png", "a.png").contains("annotation 1: its image is not named"));
        assert!(message("1.2.3/slice-001.png", "4.5.6/slice-001.png").contains("another series"));
    }
}
