//! De-identified copies of image files after the Basic Application Level Confidentiality Profile (PS3.15 Annex E).
//!
//! A copy is built from what is known to be harmless, not by taking out what is known to be harmful: numbers and codes of
//! the acquisition, geometry and pixel groups are carried over, UIDs are replaced consistently, everything else (texts,
//! dates, private attributes, overlays, sequences other than functional groups) never gets into the copy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::{DataSetSequence, PixelFragmentSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use sha2::{Digest, Sha256};

use super::burned_in::suspicion;
use super::elements::is_used;
use super::error::{DicomError, FileError};
use super::file::{DicomFile, text};
use super::scan::files_in;
use super::write::uid_of;
use crate::task::{CancelToken, Progress};

/// Texts that the program needs and that name nobody.
const HARMLESS_TEXTS: [Tag; 4] =
    [tags::MANUFACTURER, tags::MANUFACTURER_MODEL_NAME, tags::SEQUENCE_NAME, tags::PULSE_SEQUENCE_NAME];
/// Attributes that a copy must have but that stay empty (action Z), whether the image had them or not.
const EMPTIED: [(Tag, VR); 8] = [
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::ACCESSION_NUMBER, VR::SH),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::PATIENT_SEX, VR::CS),
    (tags::STUDY_ID, VR::SH),
    (tags::POSITION_REFERENCE_INDICATOR, VR::LO),
];

/// What stands in the place of values that multi-frame images must have (action D), where the image had one.
const DUMMIES: [(Tag, VR, &str); 11] = [
    (tags::ACQUISITION_DATE_TIME, VR::DT, "19000101000000"),
    (tags::FRAME_ACQUISITION_DATE_TIME, VR::DT, "19000101000000"),
    (tags::FRAME_REFERENCE_DATE_TIME, VR::DT, "19000101000000"),
    (tags::CONTENT_DATE, VR::DA, "19000101"),
    (tags::CONTENT_TIME, VR::TM, "000000"),
    (tags::DEVICE_SERIAL_NUMBER, VR::LO, "REMOVED"),
    (tags::SOFTWARE_VERSIONS, VR::LO, "REMOVED"),
    (tags::RECEIVE_COIL_NAME, VR::SH, "REMOVED"),
    (tags::TRANSMIT_COIL_NAME, VR::SH, "REMOVED"),
    (tags::MULTI_COIL_ELEMENT_NAME, VR::SH, "REMOVED"),
    // The dummy of this one says "unspecified".
    (tags::RESCALE_TYPE, VR::LO, "US"),
];

/// What multi-frame images have beside the elements that the program uses: what the places of their frames are counted by,
/// the circumstances of the acquisition, which are emptied, and whether high values are bright.
const OF_MULTI_FRAMES: [Tag; 4] = [
    tags::DIMENSION_ORGANIZATION_SEQUENCE,
    tags::DIMENSION_INDEX_SEQUENCE,
    tags::ACQUISITION_CONTEXT_SEQUENCE,
    tags::PRESENTATION_LUT_SHAPE,
];
/// A coded term.
const CODE: [Tag; 3] = [tags::CODE_VALUE, tags::CODING_SCHEME_DESIGNATOR, tags::CODE_MEANING];
/// Schemes whose terms anybody can look up (PS3.16 section 8).
const PUBLIC_SCHEMES: [&str; 7] = ["DCM", "FMA", "LN", "SCT", "SNM3", "SRT", "UCUM"];

/// What became of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnonymizedFolder {
    /// Images copied.
    pub copied: usize,
    /// DICOM files that were not copied, by reason.
    pub left_out: BTreeMap<String, usize>,
    /// Other files, passed over.
    pub passed_over: usize,
    /// Attributes whose values were removed or emptied, by keyword, with the number of images that had them.
    pub removed: BTreeMap<String, usize>,
    /// Different UIDs that were replaced.
    pub uids: usize,
    /// Images whose header does not say whether text is burned into the pixels.
    pub burned_in_unknown: usize,
}

/// Writes de-identified copies of all images below `folder` into `out`, which must be empty or new. `secret` ties the
/// replaced UIDs and the pseudonym together: the same secret gives the same ones, and without it they tell nothing.
///
/// Images that say, or give away, that text is burned into their pixels are left out, and so is everything that is no image.
///
/// # Errors
/// If the folder cannot be read, `out` is not empty, or a copy cannot be written.
pub(crate) fn anonymize_folder(
    folder: &Path,
    out: &Path,
    secret: &str,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<AnonymizedFolder, DicomError> {
    let failed = |message: String| DicomError::Write { message, path: out.to_owned() };
    fs::create_dir_all(out).map_err(|error| failed(error.to_string()))?;
    if fs::read_dir(out).map_err(|error| failed(error.to_string()))?.next().is_some() {
        return Err(failed("the folder for the copies is not empty".to_owned()));
    }
    let files = files_in(folder, cancel)?;
    let mut work = Work { secret, outcome: AnonymizedFolder::default(), uids: BTreeSet::new() };
    for (done, path) in files.iter().enumerate() {
        cancel.check()?;
        on_progress(Progress { step: "Copying images", done, total: files.len() });
        work.copy(path, out)?;
    }
    on_progress(Progress { step: "Copying images", done: files.len(), total: files.len() });
    work.outcome.uids = work.uids.len();
    Ok(work.outcome)
}

struct Work<'a> {
    secret: &'a str,
    outcome: AnonymizedFolder,
    uids: BTreeSet<String>,
}

impl Work<'_> {
    fn copy(&mut self, path: &Path, out: &Path) -> Result<(), DicomError> {
        match self.anonymized(path) {
            Ok((object, syntax)) => {
                self.outcome.copied += 1;
                return self.write(object, syntax, out);
            }
            Err(FileError::NotDicom) => self.outcome.passed_over += 1,
            Err(reason) => *self.outcome.left_out.entry(reason.to_string()).or_default() += 1,
        }
        Ok(())
    }

    /// The copy of an image, and the transfer syntax that its pixels are written in.
    fn anonymized(&mut self, path: &Path) -> Result<(InMemDicomObject, &'static str), FileError> {
        let file = DicomFile::open_for(path, |element| is_used(element) || OF_MULTI_FRAMES.contains(&element.tag))?;
        if !file.has_pixels() {
            return Err(FileError::UnsupportedPixels("there are none".to_owned()));
        }
        if let Some(reason) = suspicion(&file.header, file.media_sop_class.as_deref()) {
            return Err(FileError::UnsupportedPixels(reason.to_owned()));
        }
        let pixels = pixel_element(&file)?;
        let mut removed = BTreeSet::new();
        let mut object = self.harmless(&file.header, &mut removed);
        self.put_identity(&mut object, &file.header);
        object.put(pixels);
        for tag in removed {
            *self.outcome.removed.entry(keyword(tag)).or_default() += 1;
        }
        let is_unknown = text(&file.header, tags::BURNED_IN_ANNOTATION).is_none();
        self.outcome.burned_in_unknown += usize::from(is_unknown);
        // Compressed pixels stay as they are; all others are written plainly.
        let syntax = if file.is_encapsulated() { file.syntax.uid() } else { uids::EXPLICIT_VR_LITTLE_ENDIAN };
        Ok((object, syntax))
    }

    fn write(&self, object: InMemDicomObject, syntax: &str, out: &Path) -> Result<(), DicomError> {
        let path: PathBuf = out.join(format!("IM{:06}.dcm", self.outcome.copied));
        let failed = |message: String| DicomError::Write { message, path: path.clone() };
        let word = |tag| text(&object, tag).unwrap_or_default();
        let (class, instance) = (word(tags::SOP_CLASS_UID), word(tags::SOP_INSTANCE_UID));
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(syntax)
            .media_storage_sop_class_uid(class)
            .media_storage_sop_instance_uid(instance);
        let copy = object.with_meta(meta).map_err(|error| failed(error.to_string()))?;
        copy.write_to_file(&path).map_err(|error| failed(error.to_string()))
    }

    /// The elements that may stay, UIDs replaced; the tags of the others go to `removed`.
    fn harmless(&mut self, from: &InMemDicomObject, removed: &mut BTreeSet<Tag>) -> InMemDicomObject {
        let mut object = InMemDicomObject::new_empty();
        for element in from {
            let (tag, vr) = (element.header().tag, element.vr());
            if tag.group() % 2 == 1 {
                removed.insert(tag);
            } else if tag == tags::ACQUISITION_CONTEXT_SEQUENCE {
                object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(Vec::<InMemDicomObject>::new())));
            } else if vr == VR::SQ {
                let items = element.items().unwrap_or_default();
                let items: Vec<_> = items
                    .iter()
                    .map(|item| if is_standard_code(item) { code(item) } else { self.harmless(item, removed) })
                    .collect();
                object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
            } else if vr == VR::UI {
                let Ok(value) = element.to_str() else { continue };
                let replaced: Vec<String> = value.split('\\').map(|uid| self.replaced(uid)).collect();
                object.put(DataElement::new(tag, VR::UI, PrimitiveValue::from(replaced.join("\\"))));
            } else if may_stay(tag, vr) || is_stack_number(element) {
                object.put(element.clone());
            } else if element.to_str().is_ok_and(|value| value.trim().is_empty()) {
                object.put(DataElement::empty(tag, vr));
            } else {
                if let Some((_, vr, dummy)) = DUMMIES.iter().find(|(known, ..)| *known == tag) {
                    object.put(DataElement::new(tag, *vr, PrimitiveValue::from(*dummy)));
                }
                removed.insert(tag);
            }
        }
        object
    }

    /// What the standard wants in the place of identity.
    fn put_identity(&self, object: &mut InMemDicomObject, from: &InMemDicomObject) {
        let mut put = |tag: Tag, vr: VR, value: &str| {
            object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        };
        for (tag, vr) in EMPTIED {
            put(tag, vr, "");
        }
        let patient = [tags::PATIENT_NAME, tags::PATIENT_ID].map(|tag| text(from, tag));
        let digest = Sha256::digest(format!("{} patient {patient:?}", self.secret));
        let pseudonym = format!("ANON-{:02X}{:02X}{:02X}{:02X}", digest[0], digest[1], digest[2], digest[3]);
        put(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
        put(tags::PATIENT_NAME, VR::PN, &format!("{pseudonym}^"));
        put(tags::PATIENT_ID, VR::LO, &pseudonym);
        put(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES");
        let method = concat!("PS3.15 basic profile by spinenet-viewer ", env!("CARGO_PKG_VERSION"));
        put(tags::DEIDENTIFICATION_METHOD, VR::LO, method);
        put(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, VR::CS, "REMOVED");
        let mut code = InMemDicomObject::new_empty();
        for (tag, vr, value) in [
            (tags::CODE_VALUE, VR::SH, "113100"),
            (tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM"),
            (tags::CODE_MEANING, VR::LO, "Basic Application Confidentiality Profile"),
        ] {
            code.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        }
        let codes = DataSetSequence::from(vec![code]);
        object.put(DataElement::new(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, VR::SQ, codes));
    }

    /// A UID in the place of another; those of the standard stay.
    fn replaced(&mut self, uid: &str) -> String {
        let uid = uid.trim_matches(['\0', ' ']);
        if uid.is_empty() || uid.starts_with("1.2.840.10008.") {
            return uid.to_owned();
        }
        self.uids.insert(uid.to_owned());
        uid_of(&format!("{} uid {uid}", self.secret))
    }
}

/// Whether an item is a term of a public scheme: such a term names a thing, and nobody chose its words.
fn is_standard_code(item: &InMemDicomObject) -> bool {
    let scheme = text(item, tags::CODING_SCHEME_DESIGNATOR).unwrap_or_default();
    CODE.iter().all(|tag| text(item, *tag).is_some()) && PUBLIC_SCHEMES.contains(&scheme.as_str())
}

/// The term alone.
fn code(item: &InMemDicomObject) -> InMemDicomObject {
    let mut code = InMemDicomObject::new_empty();
    for element in CODE.iter().filter_map(|tag| item.get(*tag)) {
        code.put(element.clone());
    }
    code
}

/// Whether an element tells the stacks of one file apart by numbers; other names of stacks might say more.
fn is_stack_number(element: &DataElement<InMemDicomObject, Vec<u8>>) -> bool {
    element.header().tag == tags::STACK_ID && element.to_str().is_ok_and(|name| name.trim().parse::<u32>().is_ok())
}

/// Whether a value tells nothing of who, when and where.
fn may_stay(tag: Tag, vr: VR) -> bool {
    let is_number_or_code =
        matches!(vr, VR::DS | VR::IS | VR::FD | VR::FL | VR::US | VR::SS | VR::UL | VR::SL | VR::CS | VR::AT);
    match tag.group() {
        0x0008 => (vr == VR::CS && tag != tags::SPECIFIC_CHARACTER_SET) || HARMLESS_TEXTS.contains(&tag),
        0x0018 | 0x0020 | 0x0028 => is_number_or_code || HARMLESS_TEXTS.contains(&tag),
        // Echo times, frame types and the like of enhanced images lie in functional groups of these groups, too.
        0x0040 | 0x5200 => is_number_or_code,
        0x2050 => tag == tags::PRESENTATION_LUT_SHAPE,
        _ => false,
    }
}

fn keyword(tag: Tag) -> String {
    StandardDataDictionary.by_tag(tag).map_or_else(|| tag.to_string(), |entry| entry.alias().to_owned())
}

/// The pixels as they are: compressed fragments, or plain samples.
fn pixel_element(file: &DicomFile) -> Result<DataElement<InMemDicomObject, Vec<u8>>, FileError> {
    if file.is_encapsulated() {
        let mut items = file.fragment_ranges()?.into_iter();
        let table = items.next().map(|range| file.bytes(range)).transpose()?.unwrap_or_default();
        let fragments = items.map(|range| file.bytes(range)).collect::<Result<Vec<_>, _>>()?;
        // Items keep their lengths, so the offsets of the frames stay what they are.
        let offsets: Vec<u32> = table.as_chunks::<4>().0.iter().map(|offset| u32::from_le_bytes(*offset)).collect();
        let value: Value<InMemDicomObject, Vec<u8>> = PixelFragmentSequence::new(offsets, fragments).into();
        return Ok(DataElement::new(tags::PIXEL_DATA, VR::OB, value));
    }
    let (declared, available) = file.native_length().ok_or(FileError::MissingAttribute("PixelData"))?;
    if available < declared {
        return Err(FileError::TruncatedPixelData { expected: declared, got: available });
    }
    let bytes = file.native_bytes(0, available)?;
    let is_wide = super::file::integer(&file.header, tags::BITS_ALLOCATED) == Some(16);
    if is_wide {
        let sample = |pair: &[u8; 2]| {
            if file.is_big_endian() { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
        };
        let samples = bytes.as_chunks::<2>().0.iter().map(sample).collect();
        return Ok(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(samples)));
    }
    if file.is_big_endian() {
        return Err(FileError::UnsupportedPixels("samples wider than 16 bits, high byte first".to_owned()));
    }
    Ok(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(bytes.into())))
}
