//! What images say of their patient and study, for objects that are filed with them.

use std::path::Path;

use dicom_core::value::Value;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;

use super::build::{Item, Put};
use crate::dicom::elements::{Element, MAX_VALUE_BYTES};
use crate::dicom::error::FileError;
use crate::dicom::file::DicomFile;
use crate::dicom::write::{clean, digits};

/// Attributes that every object has, if only empty (type 2).
const NEEDED: [(Tag, VR); 9] = [
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::ACCESSION_NUMBER, VR::SH),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
    (tags::PATIENT_NAME, VR::PN),
    (tags::PATIENT_ID, VR::LO),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::PATIENT_SEX, VR::CS),
    (tags::STUDY_ID, VR::SH),
];

/// Attributes of the study in groups that hold others, too.
const OF_STUDY: [Tag; 23] = [
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::REFERRING_PHYSICIAN_IDENTIFICATION_SEQUENCE,
    tags::CONSULTING_PHYSICIAN_NAME,
    tags::CONSULTING_PHYSICIAN_IDENTIFICATION_SEQUENCE,
    tags::STUDY_DESCRIPTION,
    tags::STUDY_ID,
    tags::PHYSICIANS_OF_RECORD,
    tags::PHYSICIANS_OF_RECORD_IDENTIFICATION_SEQUENCE,
    tags::NAME_OF_PHYSICIANS_READING_STUDY,
    tags::PHYSICIANS_READING_STUDY_IDENTIFICATION_SEQUENCE,
    tags::REQUESTING_SERVICE,
    tags::REQUESTING_SERVICE_CODE_SEQUENCE,
    tags::REFERENCED_STUDY_SEQUENCE,
    tags::PROCEDURE_CODE_SEQUENCE,
    tags::REASON_FOR_PERFORMED_PROCEDURE_CODE_SEQUENCE,
    tags::ADMITTING_DIAGNOSES_DESCRIPTION,
    tags::ADMITTING_DIAGNOSES_CODE_SEQUENCE,
    tags::REASON_FOR_VISIT,
    tags::REASON_FOR_VISIT_CODE_SEQUENCE,
];

/// Of group 0012, what says something of the series.
const OF_SERIES: [Tag; 4] = [
    tags::CLINICAL_TRIAL_COORDINATING_CENTER_NAME,
    tags::CLINICAL_TRIAL_SERIES_ID,
    tags::CLINICAL_TRIAL_SERIES_DESCRIPTION,
    tags::ISSUER_OF_CLINICAL_TRIAL_SERIES_ID,
];

/// Whether an element belongs to the modules of the patient, the subject of a clinical trial, the study, the patient at
/// its time, or the study of a trial (PS3.3 C.7.1 and C.7.2).
fn is_of_study(element: &Element) -> bool {
    let tag = element.tag;
    let is_named = match tag.group() {
        0x0010 | 0x0038 => true,
        0x0012 => !OF_SERIES.contains(&tag),
        _ => OF_STUDY.contains(&tag) || tag == tags::SPECIFIC_CHARACTER_SET,
    };
    is_named && tag.element() != 0 && element.length.is_none_or(|length| length <= MAX_VALUE_BYTES)
}

/// Patient and study of an image, in UTF-8: every attribute and sequence of theirs, as the image has it.
pub(super) fn study_of(path: &Path) -> Result<Item, FileError> {
    let mut study = without_character_sets(&DicomFile::open_for(path, is_of_study)?.header);
    // What must be there is there, and kept within what its representation allows.
    for (tag, vr) in NEEDED.into_iter().chain([(tags::STUDY_DESCRIPTION, VR::LO)]) {
        let text = study.get(tag).and_then(|element| element.to_str().ok()).unwrap_or_default().into_owned();
        let kept = match vr {
            VR::DA => digits(text.trim()),
            VR::LO | VR::SH => clean(text.trim()),
            _ => text.trim_matches(['\0', ' ']).to_owned(),
        };
        study.text(tag, vr, &kept);
    }
    Ok(study)
}

/// A copy without the character sets that texts were written in; they have been decoded.
fn without_character_sets(from: &Item) -> Item {
    let mut copy = Item::new_empty();
    for element in from {
        let (tag, vr) = (element.header().tag, element.vr());
        let is_functional =
            matches!(tag, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE | tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
        match element.value() {
            _ if tag == tags::SPECIFIC_CHARACTER_SET || is_functional => {}
            Value::Sequence(sequence) => copy.items(tag, sequence.items().iter().map(without_character_sets).collect()),
            Value::Primitive(value) => {
                copy.put(DataElement::new(tag, vr, value.clone()));
            }
            Value::PixelSequence(_) => {}
        }
    }
    copy
}
