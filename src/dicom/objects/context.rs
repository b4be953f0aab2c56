//! What all result objects of a study have in common.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, FixedOffset, Local, Utc};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::FileMetaTableBuilder;

use super::build::{Item, Put, texts};
use super::codes::{Code, SOURCE_IMAGE};
use super::study::study_of;
use crate::dicom::error::DicomError;
use crate::dicom::file::{DicomFile, integer, text};
use crate::dicom::series::{SeriesSummary, SliceSource};
use crate::dicom::write::{clean, decimal, uid_of};
use crate::volume::VolumeGeometry;

/// When results were made, as their attributes say it.
#[derive(Debug, Clone)]
pub(super) struct ResultTime {
    pub date: String,
    pub time: String,
    /// `+HHMM` or `-HHMM`: what to add to UTC.
    offset: String,
}

impl ResultTime {
    /// A moment in the time zone of the images, or of this machine where they name none: dates and times of an object are
    /// all of one zone (PS3.3 C.12.1.1.8).
    fn of(moment: DateTime<Utc>, header: &Item) -> Self {
        let zone = text(header, tags::TIMEZONE_OFFSET_FROM_UTC).and_then(|offset| zone(&offset));
        let moment = match zone {
            Some(zone) => moment.with_timezone(&zone),
            None => moment.with_timezone(&Local).fixed_offset(),
        };
        let in_words = |format| moment.format(format).to_string();
        Self { date: in_words("%Y%m%d"), time: in_words("%H%M%S"), offset: in_words("%z") }
    }
}

/// A zone from `+HHMM` or `-HHMM`.
fn zone(offset: &str) -> Option<FixedOffset> {
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let is_clock = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let clock: i32 = digits.parse().ok().filter(|_| is_clock)?;
    FixedOffset::east_opt(sign * (clock / 100 * 3600 + clock % 100 * 60))
}

/// The study that results belong to, and what made them.
#[derive(Clone)]
pub(crate) struct ObjectContext {
    study: Item,
    study_uid: String,
    series_uid: String,
    frame_of_reference_uid: Option<String>,
    sop_class: String,
    sources: Vec<SliceSource>,
    is_multi_frame: bool,
    institution: String,
    /// Thickness of the images as they say it, mm.
    slice_thickness_mm: Option<f64>,
    /// Rows and columns of the images.
    pub(super) size: (usize, usize),
    pub(super) created: ResultTime,
    uid_seed: String,
}

/// A finished object.
#[derive(Debug)]
pub(crate) struct ResultObject {
    data: Item,
    sop_class: &'static str,
    instance_uid: String,
}

impl ResultObject {
    /// Writes the object (explicit little endian).
    ///
    /// # Errors
    /// [`DicomError::Write`] if the folder or the file cannot be written.
    pub(crate) fn write(self, folder: &Path, name: &str) -> Result<PathBuf, DicomError> {
        let path = folder.join(name);
        let failed = |message: String| DicomError::Write { message, path: path.clone() };
        fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .media_storage_sop_class_uid(self.sop_class)
            .media_storage_sop_instance_uid(&self.instance_uid);
        let file = self.data.with_meta(meta).map_err(|error| failed(error.to_string()))?;
        file.write_to_file(&path).map_err(|error| failed(error.to_string()))?;
        Ok(path)
    }
}

impl ObjectContext {
    /// The study of `series`, read from its first image. `results` is any text that tells these results from others:
    /// all UIDs follow from it and from `created`.
    ///
    /// # Errors
    /// If the image cannot be read any more.
    pub(crate) fn of_series(series: &SeriesSummary, results: &str, created: DateTime<Utc>) -> Result<Self, DicomError> {
        let first = series.instances.first().ok_or_else(|| DicomError::Unwritable("the series is empty".to_owned()))?;
        let refused = |reason| DicomError::File { reason, path: first.path.clone() };
        let file = DicomFile::open(&first.path).map_err(refused)?;
        let value = |tag| text(&file.header, tag).unwrap_or_default();
        let mut study = study_of(&first.path).map_err(refused)?;
        let time = ResultTime::of(created, &file.header);
        study.text(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, &time.offset);
        Ok(Self {
            study,
            study_uid: series.study_instance_uid.clone(),
            series_uid: series.series_instance_uid.clone(),
            frame_of_reference_uid: series.frame_of_reference_uid.clone(),
            sop_class: value(tags::SOP_CLASS_UID),
            sources: series.instances.clone(),
            is_multi_frame: integer(&file.header, tags::NUMBER_OF_FRAMES).is_some_and(|frames| frames > 1),
            institution: clean(&value(tags::INSTITUTION_NAME)),
            slice_thickness_mm: series.texts.slice_thickness_mm.filter(|thickness| *thickness > 0.0),
            size: (series.rows, series.columns),
            uid_seed: format!("{} {results} {}", series.series_instance_uid, created.format("%Y%m%d %H%M%S")),
            created: time,
        })
    }

    /// A UID that follows from the results and `what`.
    pub(super) fn uid(&self, what: &str) -> String {
        uid_of(&format!("{} {what}", self.uid_seed))
    }

    /// The tracking UID of a disc or body that is seen in the series: one for all objects that speak of it, whatever they say
    /// and however often they are made, so that readers can join grade and outline (TID 1501, PS3.3 C.8.20.2).
    pub(super) fn anatomy_uid(&self, label: &str) -> String {
        uid_of(&format!("{} anatomy {label}", self.series_uid))
    }

    pub(super) fn institution(&self) -> &str {
        &self.institution
    }

    /// The modules that every object has: patient, study, series, equipment, and what kind of object it is.
    pub(super) fn object(&self, sop_class: &str, modality: &str, number: u32, description: &str) -> Item {
        let mut object = self.study.clone();
        let (series, instance) = (self.uid(&format!("{modality} series")), self.uid(&format!("{modality} instance")));
        let ResultTime { date, time, .. } = &self.created;
        for (tag, vr, value) in [
            (tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
            (tags::INSTANCE_CREATION_DATE, VR::DA, date.as_str()),
            (tags::INSTANCE_CREATION_TIME, VR::TM, time),
            (tags::SOP_CLASS_UID, VR::UI, sop_class),
            (tags::SOP_INSTANCE_UID, VR::UI, &instance),
            (tags::SERIES_DATE, VR::DA, date),
            (tags::SERIES_TIME, VR::TM, time),
            (tags::CONTENT_DATE, VR::DA, date),
            (tags::CONTENT_TIME, VR::TM, time),
            (tags::MODALITY, VR::CS, modality),
            (tags::MANUFACTURER, VR::LO, env!("CARGO_PKG_NAME")),
            (tags::SERIES_DESCRIPTION, VR::LO, description),
            (tags::MANUFACTURER_MODEL_NAME, VR::LO, env!("CARGO_PKG_NAME")),
            (tags::BODY_PART_EXAMINED, VR::CS, "LSPINE"),
            // A program has no serial number; the element must not be empty.
            (tags::DEVICE_SERIAL_NUMBER, VR::LO, "none"),
            (tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION")),
            (tags::STUDY_INSTANCE_UID, VR::UI, &self.study_uid),
            (tags::SERIES_INSTANCE_UID, VR::UI, &series),
            (tags::SERIES_NUMBER, VR::IS, &number.to_string()),
            (tags::INSTANCE_NUMBER, VR::IS, "1"),
        ] {
            object.text(tag, vr, value);
        }
        object
    }

    /// Adds the frame of reference, without which patient coordinates mean nothing.
    pub(super) fn put_frame_of_reference(&self, object: &mut Item) -> Result<(), DicomError> {
        let uid = self.frame_of_reference_uid.as_deref().ok_or_else(|| {
            DicomError::Unwritable("the images have no frame of reference, so results cannot be placed".to_owned())
        })?;
        object.text(tags::FRAME_OF_REFERENCE_UID, VR::UI, uid);
        object.text(tags::POSITION_REFERENCE_INDICATOR, VR::LO, "");
        Ok(())
    }

    /// A reference to the image of a slice.
    pub(super) fn reference(&self, slice: usize) -> Item {
        let source = &self.sources[slice];
        let mut item = texts(&[
            (tags::REFERENCED_SOP_CLASS_UID, VR::UI, &self.sop_class),
            (tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &source.sop_instance_uid),
        ]);
        if self.is_multi_frame {
            item.text(tags::REFERENCED_FRAME_NUMBER, VR::IS, &(source.frame + 1).to_string());
        }
        item
    }

    /// Number of slices of the series.
    pub(super) fn slices(&self) -> usize {
        self.sources.len()
    }

    /// Where the slices come from.
    pub(super) fn sources(&self) -> &[SliceSource] {
        &self.sources
    }

    /// References to each image of the slices once, with frames where not all of an image are meant.
    fn references(&self, slices: &[usize]) -> Vec<Item> {
        let mut images: Vec<(&str, Vec<String>)> = Vec::new();
        for source in slices.iter().map(|slice| &self.sources[*slice]) {
            let (uid, frame) = (source.sop_instance_uid.as_str(), (source.frame + 1).to_string());
            match images.iter_mut().find(|(other, _)| *other == uid) {
                Some((_, frames)) => frames.push(frame),
                None => images.push((uid, vec![frame])),
            }
        }
        let is_part = self.is_multi_frame && slices.len() < self.sources.len();
        let reference = |(uid, frames): &(&str, Vec<String>)| {
            let mut item = texts(&[
                (tags::REFERENCED_SOP_CLASS_UID, VR::UI, self.sop_class.as_str()),
                (tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, uid),
            ]);
            if is_part {
                item.text(tags::REFERENCED_FRAME_NUMBER, VR::IS, &frames.join("\\"));
            }
            item
        };
        images.iter().map(reference).collect()
    }

    /// The series as items of a referenced series sequence: one, but where every image has a series UID of its own.
    pub(super) fn referenced_series(&self, instances: Tag) -> Vec<Item> {
        let all: Vec<usize> = (0..self.slices()).collect();
        self.referenced_slices(instances, &all)
    }

    /// The same with some slices of the series.
    pub(super) fn referenced_slices(&self, instances: Tag, slices: &[usize]) -> Vec<Item> {
        let mut parts: Vec<(&str, Vec<usize>)> = Vec::new();
        for &slice in slices {
            let uid = self.sources[slice].series_instance_uid.as_str();
            match parts.iter_mut().find(|(other, _)| *other == uid) {
                Some((_, slices)) => slices.push(slice),
                None => parts.push((uid, vec![slice])),
            }
        }
        let item = |(uid, slices): &(&str, Vec<usize>)| {
            let mut series = texts(&[(tags::SERIES_INSTANCE_UID, VR::UI, uid)]);
            series.items(instances, self.references(slices));
            series
        };
        parts.iter().map(item).collect()
    }

    /// The study with the series, as evidence of a report.
    pub(super) fn evidence(&self) -> Item {
        let all: Vec<usize> = (0..self.slices()).collect();
        self.evidence_of(&all)
    }

    /// The same with some slices of the series.
    pub(super) fn evidence_of(&self, slices: &[usize]) -> Item {
        let mut study = texts(&[(tags::STUDY_INSTANCE_UID, VR::UI, &self.study_uid)]);
        let series = self.referenced_slices(tags::REFERENCED_SOP_SEQUENCE, slices);
        study.items(tags::REFERENCED_SERIES_SEQUENCE, series);
        study
    }

    /// The derivation macro of a frame made from the image of `slice` by `method`; `in_place` where its pixels are those
    /// of the image.
    pub(super) fn derivation(&self, slice: usize, method: &Code, in_place: bool) -> Item {
        let mut source = self.reference(slice);
        source.text(tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, if in_place { "YES" } else { "NO" });
        source.item(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, SOURCE_IMAGE.item());
        let mut derivation = Item::new_empty();
        derivation.item(tags::SOURCE_IMAGE_SEQUENCE, source);
        derivation.item(tags::DERIVATION_CODE_SEQUENCE, method.item());
        derivation
    }

    /// The pixel measures of frames that lie in `geometry`: pixel size, thickness of the images, and how far frames are
    /// apart. Without the last readers take the thickness for it; a mean over gaps would place frames where none is.
    pub(super) fn pixel_measures(&self, geometry: &VolumeGeometry) -> Item {
        let step = geometry.slice_step_mm();
        let pixel = [geometry.row_spacing_mm(), geometry.column_spacing_mm()].map(decimal).join("\\");
        let mut measures = texts(&[(tags::PIXEL_SPACING, VR::DS, &pixel)]);
        if let Some(thickness) = self.slice_thickness_mm.or(step) {
            measures.text(tags::SLICE_THICKNESS, VR::DS, &decimal(thickness));
        }
        if let Some(step) = step {
            measures.text(tags::SPACING_BETWEEN_SLICES, VR::DS, &decimal(step));
        }
        measures
    }

    pub(super) fn finish(&self, data: Item, sop_class: &'static str, modality: &str) -> ResultObject {
        ResultObject { data, sop_class, instance_uid: self.uid(&format!("{modality} instance")) }
    }
}

/// Content macro of the multi-frame objects.
pub(super) fn put_content(object: &mut Item, label: &str, description: &str) {
    object.text(tags::CONTENT_LABEL, VR::CS, label);
    object.text(tags::CONTENT_DESCRIPTION, VR::LO, description);
    object.text(tags::CONTENT_CREATOR_NAME, VR::PN, "spinenet-viewer^software");
}

/// The multi-frame dimensions: what `indices` point to, each a pointer and the functional group that holds it.
pub(super) fn put_dimensions(object: &mut Item, uid: &str, indices: &[(Tag, Tag, &str)]) {
    let at = |tag: Tag| dicom_core::PrimitiveValue::Tags([tag].into_iter().collect());
    let item = |(pointer, group, label): &(Tag, Tag, &str)| {
        let mut item = texts(&[
            (tags::DIMENSION_ORGANIZATION_UID, VR::UI, uid),
            (tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, label),
        ]);
        item.put(dicom_core::DataElement::new(tags::DIMENSION_INDEX_POINTER, VR::AT, at(*pointer)));
        item.put(dicom_core::DataElement::new(tags::FUNCTIONAL_GROUP_POINTER, VR::AT, at(*group)));
        item
    };
    object.item(tags::DIMENSION_ORGANIZATION_SEQUENCE, texts(&[(tags::DIMENSION_ORGANIZATION_UID, VR::UI, uid)]));
    object.items(tags::DIMENSION_INDEX_SEQUENCE, indices.iter().map(item).collect());
}

/// What in the body a frame shows.
pub(super) fn anatomy(region: &Code) -> Item {
    let mut anatomy = texts(&[(tags::FRAME_LATERALITY, VR::CS, "U")]);
    anatomy.item(tags::ANATOMIC_REGION_SEQUENCE, region.item());
    anatomy
}
