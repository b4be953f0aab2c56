//! What is proposed to an archive: classes of objects, and ways of writing them.

use std::path::PathBuf;

use dicom_dictionary_std::uids;
use dicom_ul::association::client::ClientAssociationOptions;

use crate::dicom::ObjectIdentity;

pub(super) const GET: &str = uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_GET;
/// Every archive takes one of these.
pub(super) const PLAIN: [&str; 2] = [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN];
/// Presentation contexts that an association can have (odd numbers of one byte).
const MAX_CONTEXTS: usize = 128;

/// Images that may be fetched, in every way that this program decodes.
const IMAGE_CLASSES: [&str; 3] =
    [uids::MR_IMAGE_STORAGE, uids::ENHANCED_MR_IMAGE_STORAGE, uids::LEGACY_CONVERTED_ENHANCED_MR_IMAGE_STORAGE];
const COMPRESSED: [&str; 10] = [
    uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    uids::RLE_LOSSLESS,
    uids::JPEG_BASELINE8_BIT,
    uids::JPEG_EXTENDED12_BIT,
    uids::JPEG_LOSSLESS,
    uids::JPEG_LOSSLESS_SV1,
    uids::JPEGLS_LOSSLESS,
    uids::JPEGLS_NEAR_LOSSLESS,
    uids::JPEG2000_LOSSLESS,
    uids::JPEG2000,
];
/// Results that may be fetched.
const RESULT_CLASSES: [&str; 9] = [
    uids::COMPREHENSIVE3_DSR_STORAGE,
    uids::COMPREHENSIVE_SR_STORAGE,
    uids::ENHANCED_SR_STORAGE,
    uids::SEGMENTATION_STORAGE,
    uids::PARAMETRIC_MAP_STORAGE,
    uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE,
    uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
    uids::MULTI_FRAME_TRUE_COLOR_SECONDARY_CAPTURE_IMAGE_STORAGE,
    uids::CT_IMAGE_STORAGE,
];

/// What is proposed to fetch: one context for each class and way of writing, so that nothing needs to be converted.
pub(super) fn retrieval<'a>() -> ClientAssociationOptions<'a> {
    let mut options = ClientAssociationOptions::new().with_presentation_context(GET, PLAIN.to_vec());
    for class in IMAGE_CLASSES {
        for syntax in PLAIN.iter().chain(&COMPRESSED) {
            options = options.with_presentation_context(class, vec![*syntax]);
        }
    }
    for class in RESULT_CLASSES {
        options = options.with_presentation_context(class, PLAIN.to_vec());
    }
    // We are to be given objects, which is the role of a storage provider.
    IMAGE_CLASSES
        .iter()
        .chain(&RESULT_CLASSES)
        .fold(options, |options, class| options.with_role_selection(*class, false, true))
}

/// What is proposed to store the first objects, and how many of them that serves.
pub(super) fn proposals<'a>(objects: &'a [(&PathBuf, ObjectIdentity)]) -> (ClientAssociationOptions<'a>, usize) {
    let mut wanted: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut count = 0;
    for (_, identity) in objects {
        let syntaxes = if identity.is_native { PLAIN.to_vec() } else { vec![identity.transfer_syntax_uid] };
        let proposal = (identity.sop_class_uid.as_str(), syntaxes);
        if !wanted.contains(&proposal) {
            if wanted.len() == MAX_CONTEXTS {
                break;
            }
            wanted.push(proposal);
        }
        count += 1;
    }
    let options = wanted.into_iter().fold(ClientAssociationOptions::new(), |options, (class, syntaxes)| {
        options.with_presentation_context(class, syntaxes)
    });
    (options, count)
}
