//! Writes a volume as an MR Image Storage series, one file a slice.

use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use glam::DVec3;
use sha2::{Digest, Sha256};

use super::error::DicomError;
use super::frames::HeaderTexts;
use crate::volume::{Volume, WindowLevel};

/// Longest decimal string (PS3.5 6.2, DS).
const DECIMAL_LENGTH: usize = 16;
/// Longest long string (PS3.5 6.2, LO); also used for the other short texts.
const TEXT_LENGTH: usize = 64;

/// What a written series says beside its pixels and geometry.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesHeader {
    /// All UIDs follow from this text and the series number: the same seed gives the same study.
    pub uid_seed: String,
    /// Number of the series in its study.
    pub series_number: u32,
    /// Patient, study and series texts and the sequence's times. Empty ones are written empty.
    pub texts: HeaderTexts,
    /// Body part examined, a defined term such as `LSPINE`.
    pub body_part: String,
    /// Acquired as one 3-D block.
    pub is_three_dimensional: bool,
    /// Bits that the values use, up to 16.
    pub bits_stored: u16,
    /// Display window; by percentiles where absent.
    pub(crate) window: Option<WindowLevel>,
    /// Instance number of the first slice: more than 1 for a further stack of the same series.
    pub first_instance: usize,
}

impl SeriesHeader {
    /// Header of a synthetic T2-weighted turbo spin echo series of the lumbar spine.
    #[must_use]
    pub fn synthetic_t2_sagittal(uid_seed: &str) -> Self {
        Self {
            uid_seed: uid_seed.to_owned(),
            series_number: 1,
            texts: HeaderTexts {
                patient_name: "Phantom^Lumbar".to_owned(),
                patient_id: "PHANTOM".to_owned(),
                patient_sex: "O".to_owned(),
                study_description: "Synthetic lumbar spine".to_owned(),
                series_description: "T2 TSE SAG".to_owned(),
                scanner: "spinenet-viewer phantom".to_owned(),
                repetition_time_ms: Some(3500.0),
                echo_time_ms: Some(100.0),
                field_strength_tesla: Some(1.5),
                ..HeaderTexts::default()
            },
            body_part: "LSPINE".to_owned(),
            is_three_dimensional: false,
            bits_stored: 16,
            window: None,
            first_instance: 1,
        }
    }
}

/// Writes `volume` into `folder` as `IM0001.dcm`, … in slice order (explicit little endian, 16-bit unsigned), counting
/// from [`SeriesHeader::first_instance`], and returns the paths. Voxels are rounded to whole numbers; such volumes read back bit for bit.
///
/// # Errors
/// [`DicomError::Unwritable`] if a voxel is not within 0..=65535 or a side exceeds 65535 pixels;
/// [`DicomError::Write`] if the folder or a file cannot be written.
pub fn write_series(folder: &Path, volume: &Volume, header: &SeriesHeader) -> Result<Vec<PathBuf>, DicomError> {
    let failed = |path: &Path, message: String| DicomError::Write { message, path: path.to_owned() };
    let side = |size: usize| {
        u16::try_from(size).map_err(|_| DicomError::Unwritable(format!("a side of {size} pixels is too long")))
    };
    let size = (side(volume.rows())?, side(volume.columns())?);
    if let Some(value) = volume.voxels().iter().find(|value| !(-0.5..65535.5).contains(*value)) {
        return Err(DicomError::Unwritable(format!("voxel value {value} does not fit 16 unsigned bits")));
    }
    fs::create_dir_all(folder).map_err(|error| failed(folder, error.to_string()))?;
    let common = common_elements(volume, header, size);
    let mut paths = Vec::with_capacity(volume.slices());
    for slice in 0..volume.slices() {
        let instance = header.first_instance + slice;
        let path = folder.join(format!("IM{instance:04}.dcm"));
        let mut object = common.clone();
        let instance_uid = uid(header, &format!("series {} slice {}", header.series_number, instance - 1));
        put_slice(&mut object, volume, slice, instance, &instance_uid);
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .media_storage_sop_class_uid(uids::MR_IMAGE_STORAGE)
            .media_storage_sop_instance_uid(&instance_uid);
        let file = object.with_meta(meta).map_err(|error| failed(&path, error.to_string()))?;
        file.write_to_file(&path).map_err(|error| failed(&path, error.to_string()))?;
        paths.push(path);
    }
    Ok(paths)
}

/// UID that follows from the seed of a series and `what`.
fn uid(header: &SeriesHeader, what: &str) -> String {
    uid_of(&format!("{} {what}", header.uid_seed))
}

/// UID below 2.25 (a version 8 UUID as a number) that follows from `text`.
pub(super) fn uid_of(text: &str) -> String {
    let digest = Sha256::digest(format!("spinenet-viewer {text}"));
    let mut bytes: [u8; 16] = digest[..16].try_into().expect("a SHA-256 digest has 32 bytes");
    bytes[6] = (bytes[6] & 0x0F) | 0x80;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    format!("2.25.{}", u128::from_be_bytes(bytes))
}

/// The elements that all slices share.
fn common_elements(volume: &Volume, header: &SeriesHeader, (rows, columns): (u16, u16)) -> InMemDicomObject {
    let texts = &header.texts;
    let mut object = InMemDicomObject::new_empty();
    let mut put = |tag: Tag, vr: VR, value: String| {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    };
    put(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192".to_owned());
    put(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\OTHER".to_owned());
    put(tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE.to_owned());
    put(tags::STUDY_DATE, VR::DA, digits(&texts.study_date));
    put(tags::STUDY_TIME, VR::TM, String::new());
    put(tags::ACCESSION_NUMBER, VR::SH, String::new());
    put(tags::MODALITY, VR::CS, "MR".to_owned());
    put(tags::MANUFACTURER, VR::LO, clean(&texts.scanner));
    put(tags::INSTITUTION_NAME, VR::LO, clean(&texts.institution));
    put(tags::REFERRING_PHYSICIAN_NAME, VR::PN, String::new());
    put(tags::STUDY_DESCRIPTION, VR::LO, clean(&texts.study_description));
    put(tags::SERIES_DESCRIPTION, VR::LO, clean(&texts.series_description));
    put(tags::PATIENT_NAME, VR::PN, clean(&texts.patient_name));
    put(tags::PATIENT_ID, VR::LO, clean(&texts.patient_id));
    put(tags::PATIENT_BIRTH_DATE, VR::DA, digits(&texts.patient_birth_date));
    put(tags::PATIENT_SEX, VR::CS, clean(&texts.patient_sex));
    put(tags::BODY_PART_EXAMINED, VR::CS, clean(&header.body_part));
    put(tags::SCANNING_SEQUENCE, VR::CS, scanning_sequence(texts));
    put(tags::SEQUENCE_VARIANT, VR::CS, "SK".to_owned());
    put(tags::SCAN_OPTIONS, VR::CS, String::new());
    put(tags::MR_ACQUISITION_TYPE, VR::CS, if header.is_three_dimensional { "3D" } else { "2D" }.to_owned());
    let spacing = volume.geometry().slice_spacing_mm();
    put(tags::SLICE_THICKNESS, VR::DS, optional_decimal(texts.slice_thickness_mm.or(spacing)));
    put(tags::REPETITION_TIME, VR::DS, optional_decimal(texts.repetition_time_ms));
    put(tags::ECHO_TIME, VR::DS, optional_decimal(texts.echo_time_ms));
    if let Some(time) = texts.inversion_time_ms {
        put(tags::INVERSION_TIME, VR::DS, decimal(time));
    }
    put(tags::MAGNETIC_FIELD_STRENGTH, VR::DS, optional_decimal(texts.field_strength_tesla));
    if let Some(spacing) = spacing {
        put(tags::SPACING_BETWEEN_SLICES, VR::DS, decimal(spacing));
    }
    put(tags::ECHO_TRAIN_LENGTH, VR::IS, String::new());
    put(tags::PROTOCOL_NAME, VR::LO, clean(&texts.protocol));
    put(tags::PATIENT_POSITION, VR::CS, "HFS".to_owned());
    put(tags::STUDY_INSTANCE_UID, VR::UI, uid(header, "study"));
    put(tags::SERIES_INSTANCE_UID, VR::UI, uid(header, &format!("series {}", header.series_number)));
    put(tags::STUDY_ID, VR::SH, "1".to_owned());
    put(tags::SERIES_NUMBER, VR::IS, header.series_number.to_string());
    put(tags::FRAME_OF_REFERENCE_UID, VR::UI, uid(header, "frame of reference"));
    put(tags::POSITION_REFERENCE_INDICATOR, VR::LO, String::new());
    put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2".to_owned());
    let geometry = volume.geometry();
    let (column, row) = (geometry.column_direction(), geometry.row_direction());
    put(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, format!("{}\\{}", decimals(column), decimals(row)));
    let spacings = [geometry.row_spacing_mm(), geometry.column_spacing_mm()].map(decimal);
    put(tags::PIXEL_SPACING, VR::DS, spacings.join("\\"));
    let window = header.window.unwrap_or_else(|| WindowLevel::from_percentiles(volume.voxels()));
    put(tags::WINDOW_CENTER, VR::DS, decimal(f64::from(window.center)));
    put(tags::WINDOW_WIDTH, VR::DS, decimal(f64::from(window.width.max(1.0))));
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, rows),
        (tags::COLUMNS, columns),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, header.bits_stored),
        (tags::HIGH_BIT, header.bits_stored - 1),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }
    object
}

/// The elements of one slice.
fn put_slice(object: &mut InMemDicomObject, volume: &Volume, slice: usize, instance: usize, instance_uid: &str) {
    let origin = volume.geometry().slice_origins_lps()[slice];
    let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
        object.put(DataElement::new(tag, vr, value));
    };
    put(tags::SOP_INSTANCE_UID, VR::UI, instance_uid.into());
    put(tags::INSTANCE_NUMBER, VR::IS, instance.to_string().into());
    put(tags::IMAGE_POSITION_PATIENT, VR::DS, decimals(origin).into());
    put(tags::SLICE_LOCATION, VR::DS, decimal(origin.dot(volume.geometry().normal())).into());
    let pixels = volume.slice(slice).iter().map(|value| value.round() as u16).collect();
    put(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels));
}

/// Scanning sequence that goes with the times: inversion recovery where there is an inversion time.
fn scanning_sequence(texts: &HeaderTexts) -> String {
    if texts.inversion_time_ms.is_some() { "SE\\IR" } else { "SE" }.to_owned()
}

fn optional_decimal(value: Option<f64>) -> String {
    value.map(decimal).unwrap_or_default()
}

pub(super) fn decimals(vector: DVec3) -> String {
    vector.to_array().map(decimal).join("\\")
}

/// A number in at most sixteen characters, as exactly as they allow.
pub(super) fn decimal(value: f64) -> String {
    // Adding zero turns -0 into 0.
    let exact = format!("{}", value + 0.0);
    if exact.len() <= DECIMAL_LENGTH {
        return exact;
    }
    (1..DECIMAL_LENGTH)
        .rev()
        .map(|places| format!("{value:.places$}"))
        .find(|text| text.len() <= DECIMAL_LENGTH)
        .map_or_else(|| format!("{value:.8e}"), |text| text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// A text without separators and control characters, not longer than the standard allows.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| if letter == '\\' || letter.is_control() { ' ' } else { letter })
        .take(TEXT_LENGTH)
        .collect()
}

/// A date as eight digits, or empty.
pub(super) fn digits(date: &str) -> String {
    let is_date = date.len() == 8 && date.bytes().all(|letter| letter.is_ascii_digit());
    if is_date { date.to_owned() } else { String::new() }
}
