//! Grades as a Comprehensive 3D SR after TID 1500 (Imaging Measurement Report).

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};

use super::build::{Item, Put, texts};
use super::codes::{Code, LUMBAR_SPINE, NO_UNITS, scheme_identification};
use super::context::{ObjectContext, ResultObject};
use super::presentation::{box_outline, on_image};
use crate::dicom::error::DicomError;
use crate::dicom::write::{clean, decimal, uid_of};
use crate::language::Language;
use crate::spine::{ClassIndex, DiscLevel, Grading, MeasurementKind, SliceBox};

const CONTAINS: &str = "CONTAINS";
const CONTEXT: &str = "HAS OBS CONTEXT";
const MODIFIER: &str = "HAS CONCEPT MOD";

/// Who looked at the grades and stands for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observer {
    /// Name, initials or id.
    pub name: String,
    /// When, with the offset from UTC: `YYYYMMDDHHMMSS+HHMM`.
    pub signed_at: String,
}

/// One grading of a disc.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SignedGrade {
    pub grading: Grading,
    pub computed: ClassIndex,
    /// Class that the reader put in its place.
    pub edited: Option<ClassIndex>,
    /// Probability of each class.
    pub probabilities: Vec<f64>,
}

/// A disc with its grades.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GradedDisc {
    pub level: DiscLevel,
    /// Slice nearest to its middle.
    pub slice: usize,
    /// Its outline on that slice, corners `[x, y]` in order; (0, 0) is the center of the first pixel. `None` where it has none.
    pub outline: Option<[[f64; 2]; 4]>,
    /// Grades; empty where the disc was only found.
    pub grades: Vec<SignedGrade>,
    /// The disc in one sentence, in the language of the report: viewers label its outline with it. `None` without grades.
    pub sentence: Option<String>,
    /// The reader's words.
    pub comment: Option<String>,
}

/// A box on an image.
pub(crate) type ImageBox = SliceBox;

/// What a reader measured on an image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MeasuredImage {
    pub kind: MeasurementKind,
    pub slice: usize,
    /// Points `[x, y]`; (0, 0) is the center of the first pixel.
    pub points: Vec<[f64; 2]>,
    /// Value in the unit of [`Code::of_unit`].
    pub value: f64,
    /// The same in words, with its name.
    pub words: String,
}

/// Everything the report says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MeasurementReport {
    /// Discs from the thorax down.
    pub discs: Vec<GradedDisc>,
    /// The study in words.
    pub sentences: Vec<String>,
    /// What they are in; the rest is in English.
    pub language: Language,
    /// Boxes, each a planar region of interest.
    pub boxes: Vec<ImageBox>,
    /// Measurements of the reader.
    pub measurements: Vec<MeasuredImage>,
    /// Name of the weights.
    pub algorithm: String,
    /// Version of the weights.
    pub version: String,
    /// Settings and digests, in words.
    pub parameters: Vec<String>,
    /// The reader who signed; without one the report is unverified.
    pub observer: Option<Observer>,
}

/// Makes the structured report.
///
/// # Errors
/// If a box or measurement lies on a slice that the series does not have.
pub(crate) fn structured_report(
    context: &ObjectContext,
    report: &MeasurementReport,
) -> Result<ResultObject, DicomError> {
    let class = uids::COMPREHENSIVE3_DSR_STORAGE;
    let mut object = context.object(class, "SR", 9001, "spinenet grades, research use only");
    object.items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, Vec::new());
    object.items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, Vec::new());
    object.item(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, scheme_identification());
    object.item(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, context.evidence());
    object.text(tags::COMPLETION_FLAG, VR::CS, "COMPLETE");
    object.text(tags::PRELIMINARY_FLAG, VR::CS, if report.observer.is_some() { "FINAL" } else { "PRELIMINARY" });
    verification(&mut object, context, report.observer.as_ref());

    let mut content = vec![
        code(MODIFIER, &LANGUAGE, &ENGLISH),
        code(CONTEXT, &Code::dcm("121005", "Observer Type"), &Code::dcm("121007", "Device")),
        uid(CONTEXT, &Code::dcm("121012", "Device Observer UID"), &device_uid()),
        text(CONTEXT, &Code::dcm("121013", "Device Observer Name"), env!("CARGO_PKG_NAME")),
    ];
    if let Some(observer) = &report.observer {
        content.push(code(CONTEXT, &Code::dcm("121005", "Observer Type"), &Code::dcm("121006", "Person")));
        let mut name = item(CONTEXT, "PNAME", &Code::dcm("121008", "Person Observer Name"));
        name.text(tags::PERSON_NAME, VR::PN, &clean(&observer.name));
        content.push(name);
    }
    let procedure = Code::of("LN", "25056-3", "MRI unspecified body region");
    content.push(code(MODIFIER, &Code::dcm("121058", "Procedure reported"), &procedure));
    content.push(image_library(context));
    let mut groups: Vec<Item> = report.discs.iter().map(|disc| disc_group(context, report, disc)).collect();
    for (index, found) in report.boxes.iter().enumerate() {
        groups.push(box_group(context, index, found)?);
    }
    for (index, measured) in report.measurements.iter().enumerate() {
        groups.push(measurement_group(context, index, measured)?);
    }
    content.push(container(CONTAINS, &Code::dcm("126010", "Imaging Measurements"), None, groups));
    if !report.sentences.is_empty() {
        let sentences = report.sentences.iter().map(|sentence| text(CONTAINS, &IMPRESSION, sentence));
        let sentences = foreign(report.language).into_iter().chain(sentences).collect();
        content.push(container(CONTAINS, &QUALITATIVE_EVALUATIONS, None, sentences));
    }

    object.text(tags::VALUE_TYPE, VR::CS, "CONTAINER");
    let title = Code::dcm("126000", "Imaging Measurement Report");
    object.item(tags::CONCEPT_NAME_CODE_SEQUENCE, title.item());
    object.text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
    object.item(tags::CONTENT_TEMPLATE_SEQUENCE, template("1500"));
    object.items(tags::CONTENT_SEQUENCE, content);
    Ok(context.finish(object, class, "SR"))
}

/// UID of the device that observes, this version of the program: the same in all its reports (TID 1004).
fn device_uid() -> String {
    uid_of(concat!("device ", env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")))
}

const LANGUAGE: Code = Code::dcm("121049", "Language of Content Item and Descendants");
const ENGLISH: Code = Code::of("RFC5646", "en-US", "English (United States)");

/// Says that what it modifies is in `language`; `None` for English, which all of the report is in.
fn foreign(language: Language) -> Option<Item> {
    let named = Code::of("RFC5646", language.code(), language.name());
    (language != Language::ENGLISH).then(|| code(MODIFIER, &LANGUAGE, &named))
}

/// The reader's signature; the standard wants an organization with it.
fn verification(object: &mut Item, context: &ObjectContext, observer: Option<&Observer>) {
    let Some(observer) = observer else {
        object.text(tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED");
        return;
    };
    object.text(tags::VERIFICATION_FLAG, VR::CS, "VERIFIED");
    let organization = if context.institution().is_empty() { "not stated" } else { context.institution() };
    let mut verifier = texts(&[
        (tags::VERIFYING_ORGANIZATION, VR::LO, organization),
        (tags::VERIFICATION_DATE_TIME, VR::DT, &observer.signed_at),
        (tags::VERIFYING_OBSERVER_NAME, VR::PN, &clean(&observer.name)),
    ]);
    verifier.items(tags::VERIFYING_OBSERVER_IDENTIFICATION_CODE_SEQUENCE, Vec::new());
    object.item(tags::VERIFYING_OBSERVER_SEQUENCE, verifier);
}

fn image_library(context: &ObjectContext) -> Item {
    let images = (0..context.slices())
        .map(|slice| {
            let mut image = texts(&[(tags::RELATIONSHIP_TYPE, VR::CS, CONTAINS), (tags::VALUE_TYPE, VR::CS, "IMAGE")]);
            image.item(tags::REFERENCED_SOP_SEQUENCE, context.reference(slice));
            image
        })
        .collect();
    let group = container(CONTAINS, &Code::dcm("126200", "Image Library Group"), None, images);
    container(CONTAINS, &Code::dcm("111028", "Image Library"), Some("1600"), vec![group])
}

/// A disc's grades, with its outline as a region of interest (TID 1410): some readers take no group without coordinates, and
/// some look for them in the group's first number only, which is inferred from the same outline. A disc without one is a
/// group about its image (TID 1501).
fn disc_group(context: &ObjectContext, report: &MeasurementReport, disc: &GradedDisc) -> Item {
    let level = Code::of_disc(disc.level);
    let name = disc.level.to_string();
    let slice = disc.slice.min(context.slices() - 1);
    let mut content = tracking(&name, &context.anatomy_uid(&name));
    content.push(code(CONTAINS, &FINDING, &level));
    content.push(text(MODIFIER, &Code::dcm("111001", "Algorithm Name"), &report.algorithm));
    content.push(text(MODIFIER, &Code::dcm("111003", "Algorithm Version"), &report.version));
    for parameter in &report.parameters {
        content.push(text(MODIFIER, &Code::dcm("111002", "Algorithm Parameters"), parameter));
    }
    content.push(code(MODIFIER, &FINDING_SITE, &level));
    let outline = disc
        .outline
        .map(|[first, second, third, fourth]| [first, second, third, fourth, first].map(|[x, y]| on_image(x, y)));
    if let Some(outline) = &outline {
        content.push(coordinates(context, CONTAINS, &IMAGE_REGION, slice, outline));
    } else {
        let mut image = item(CONTAINS, "IMAGE", &Code::dcm("121112", "Source of Measurement"));
        image.item(tags::REFERENCED_SOP_SEQUENCE, context.reference(slice));
        content.push(image);
    }
    let mut source = outline.map(|points| coordinates(context, "INFERRED FROM", &AREA_OUTLINE, slice, &points));
    content.extend(probabilities(&disc.grades).map(|(grade, class)| probability(grade, class, source.take())));
    content.extend(disc.grades.iter().flat_map(evaluations));
    if let Some(sentence) = &disc.sentence {
        let mut sentence = text(CONTAINS, &COMMENT, sentence);
        if let Some(language) = foreign(report.language) {
            sentence.item(tags::CONTENT_SEQUENCE, language);
        }
        content.push(sentence);
    }
    if let Some(comment) = &disc.comment {
        content.push(text(CONTAINS, &COMMENT, comment));
    }
    container(CONTAINS, &GROUP, Some(if disc.outline.is_some() { "1410" } else { "1501" }), content)
}

const GROUP: Code = Code::dcm("125007", "Measurement Group");
const IMAGE_REGION: Code = Code::dcm("111030", "Image Region");
const AREA_OUTLINE: Code = Code::dcm("121056", "Area outline");
const COMMENT: Code = Code::dcm("121106", "Comment");
const IMPRESSION: Code = Code::dcm("121073", "Impression");
const QUALITATIVE_EVALUATIONS: Code = Code::of("UMLS", "C0034375", "Qualitative Evaluations");
const FINDING: Code = Code::dcm("121071", "Finding");
const FINDING_SITE: Code = Code::sct("363698007", "Finding Site");

/// The probabilities in the order in which they are listed: of the grades that count first, since viewers show the first few.
fn probabilities(grades: &[SignedGrade]) -> impl Iterator<Item = (&SignedGrade, ClassIndex)> {
    let all = || grades.iter().flat_map(|grade| (0..grade.probabilities.len()).map(move |class| (grade, class)));
    let counts = |(grade, class): &(&SignedGrade, ClassIndex)| *class == grade.edited.unwrap_or(grade.computed);
    all().filter(counts).chain(all().filter(move |one| !counts(one)))
}

/// The probability of a class. Its name has the grade in it, since some viewers show a number by its name alone.
fn probability(grade: &SignedGrade, class: ClassIndex, source: Option<Item>) -> Item {
    let mut number = item(CONTAINS, "NUM", &Code::of_probability(grade.grading, class));
    let mut measured = texts(&[(tags::NUMERIC_VALUE, VR::DS, &decimal(grade.probabilities[class]))]);
    measured.item(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, NO_UNITS.item());
    number.item(tags::MEASURED_VALUE_SEQUENCE, measured);
    let of = code(MODIFIER, &Code::of_grading(grade.grading), &Code::of_grade(grade.grading, class));
    number.items(tags::CONTENT_SEQUENCE, std::iter::once(of).chain(source).collect());
    number
}

/// The grade that counts, and beside a reader's the computed one.
fn evaluations(grade: &SignedGrade) -> Vec<Item> {
    let name = Code::of_grading(grade.grading);
    let value = |class| Code::of_grade(grade.grading, class);
    let Some(edited) = grade.edited else { return vec![code(CONTAINS, &name, &value(grade.computed))] };
    let computed = Code {
        value: format!("{}-C", name.value).into(),
        scheme: name.scheme,
        meaning: format!("{}, as computed", name.meaning).into(),
    };
    vec![code(CONTAINS, &name, &value(edited)), code(CONTAINS, &computed, &value(grade.computed))]
}

/// A box: a planar region of interest (TID 1410).
fn box_group(context: &ObjectContext, index: usize, found: &ImageBox) -> Result<Item, DicomError> {
    checked_slice(context, found.slice)?;
    let name = format!("{} {} box {} by {}", found.level, found.grading, index + 1, found.source.name());
    let mut content = tracking(&name, &context.uid(&name));
    content.push(code(CONTAINS, &FINDING, &Code::of_grading(found.grading)));
    content.push(code(MODIFIER, &FINDING_SITE, &Code::of_disc(found.level)));
    content.push(coordinates(context, CONTAINS, &IMAGE_REGION, found.slice, &box_outline(&found.rect)));
    Ok(container(CONTAINS, &GROUP, Some("1410"), content))
}

/// A reader's measurement: a value inferred from the points that it was measured between (TID 1501 with TID 300).
fn measurement_group(context: &ObjectContext, index: usize, measured: &MeasuredImage) -> Result<Item, DicomError> {
    checked_slice(context, measured.slice)?;
    let concept = Code::of_measurement(measured.kind);
    let name = format!("{} {}", measured.kind.name(), index + 1);
    let mut content = tracking(&name, &context.uid(&name));
    content.push(code(MODIFIER, &FINDING_SITE, &LUMBAR_SPINE));
    let mut number = item(CONTAINS, "NUM", &concept);
    let mut value = texts(&[(tags::NUMERIC_VALUE, VR::DS, &decimal(measured.value))]);
    value.item(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, Code::of_unit(measured.kind).item());
    number.item(tags::MEASURED_VALUE_SEQUENCE, value);
    let path = Code::dcm("121055", "Path");
    let points = measured.points.iter().map(|[x, y]| on_image(*x, *y)).collect::<Vec<_>>();
    number.item(tags::CONTENT_SEQUENCE, coordinates(context, "INFERRED FROM", &path, measured.slice, &points));
    content.push(number);
    Ok(container(CONTAINS, &GROUP, Some("1501"), content))
}

fn checked_slice(context: &ObjectContext, slice: usize) -> Result<(), DicomError> {
    if slice < context.slices() {
        return Ok(());
    }
    Err(DicomError::Unwritable(format!("a mark lies on slice {}, which is not there", slice + 1)))
}

/// Points on an image.
fn coordinates(context: &ObjectContext, relation: &str, concept: &Code, slice: usize, points: &[[f32; 2]]) -> Item {
    let mut region = item(relation, "SCOORD", concept);
    region.put(DataElement::new(tags::GRAPHIC_DATA, VR::FL, PrimitiveValue::F32(points.concat().into())));
    region.text(tags::GRAPHIC_TYPE, VR::CS, "POLYLINE");
    let mut image = texts(&[(tags::RELATIONSHIP_TYPE, VR::CS, "SELECTED FROM"), (tags::VALUE_TYPE, VR::CS, "IMAGE")]);
    image.item(tags::REFERENCED_SOP_SEQUENCE, context.reference(slice));
    region.item(tags::CONTENT_SEQUENCE, image);
    region
}

fn tracking(name: &str, unique: &str) -> Vec<Item> {
    vec![
        text(CONTEXT, &Code::dcm("112039", "Tracking Identifier"), name),
        uid(CONTEXT, &Code::dcm("112040", "Tracking Unique Identifier"), unique),
    ]
}

fn item(relation: &str, kind: &str, concept: &Code) -> Item {
    let mut item = texts(&[(tags::RELATIONSHIP_TYPE, VR::CS, relation), (tags::VALUE_TYPE, VR::CS, kind)]);
    item.item(tags::CONCEPT_NAME_CODE_SEQUENCE, concept.item());
    item
}

fn code(relation: &str, concept: &Code, value: &Code) -> Item {
    let mut item = item(relation, "CODE", concept);
    item.item(tags::CONCEPT_CODE_SEQUENCE, value.item());
    item
}

fn text(relation: &str, concept: &Code, value: &str) -> Item {
    let mut item = item(relation, "TEXT", concept);
    item.text(tags::TEXT_VALUE, VR::UT, value);
    item
}

fn uid(relation: &str, concept: &Code, value: &str) -> Item {
    let mut item = item(relation, "UIDREF", concept);
    item.text(tags::UID, VR::UI, value);
    item
}

fn container(relation: &str, concept: &Code, template_id: Option<&str>, content: Vec<Item>) -> Item {
    let mut item = item(relation, "CONTAINER", concept);
    item.text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
    if let Some(id) = template_id {
        item.item(tags::CONTENT_TEMPLATE_SEQUENCE, template(id));
    }
    item.items(tags::CONTENT_SEQUENCE, content);
    item
}

fn template(id: &str) -> Item {
    texts(&[(tags::MAPPING_RESOURCE, VR::CS, "DCMR"), (tags::TEMPLATE_IDENTIFIER, VR::CS, id)])
}
