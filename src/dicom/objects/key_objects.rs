//! The images that a reader marked, as a Key Object Selection (PS3.3 A.35.4, TID 2010): viewers of archives show it.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::build::{Item, Put, texts};
use super::codes::Code;
use super::context::{ObjectContext, ResultObject};
use crate::dicom::error::DicomError;

/// Makes the selection of these slices, each once; `description` says what was chosen.
///
/// # Errors
/// If there are none, or one lies on a slice that the series does not have.
pub(crate) fn key_objects(
    context: &ObjectContext,
    slices: &[usize],
    description: &str,
) -> Result<ResultObject, DicomError> {
    let mut chosen = slices.to_vec();
    chosen.sort_unstable();
    chosen.dedup();
    match chosen.last() {
        None => return Err(DicomError::Unwritable("no image was marked".to_owned())),
        Some(last) if *last >= context.slices() => {
            return Err(DicomError::Unwritable(format!("slice {} was marked, which is not there", last + 1)));
        }
        Some(_) => {}
    }
    let class = uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE;
    let mut object = context.object(class, "KO", 9005, "spinenet key images, research use only");
    object.items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, Vec::new());
    object.item(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, context.evidence_of(&chosen));
    object.text(tags::VALUE_TYPE, VR::CS, "CONTAINER");
    object.item(tags::CONCEPT_NAME_CODE_SEQUENCE, Code::dcm("113000", "Of Interest").item());
    object.text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
    let template = texts(&[(tags::MAPPING_RESOURCE, VR::CS, "DCMR"), (tags::TEMPLATE_IDENTIFIER, VR::CS, "2010")]);
    object.item(tags::CONTENT_TEMPLATE_SEQUENCE, template);
    let mut words = content("TEXT");
    words.item(tags::CONCEPT_NAME_CODE_SEQUENCE, Code::dcm("113012", "Key Object Description").item());
    words.text(tags::TEXT_VALUE, VR::UT, description);
    let image = |slice: &usize| {
        let mut image = content("IMAGE");
        image.item(tags::REFERENCED_SOP_SEQUENCE, context.reference(*slice));
        image
    };
    object.items(tags::CONTENT_SEQUENCE, [words].into_iter().chain(chosen.iter().map(image)).collect());
    Ok(context.finish(object, class, "KO"))
}

fn content(kind: &str) -> Item {
    texts(&[(tags::RELATIONSHIP_TYPE, VR::CS, "CONTAINS"), (tags::VALUE_TYPE, VR::CS, kind)])
}
