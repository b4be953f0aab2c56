//! What a report says at each place of its template; the sentences are those of the window.

use super::template::Place;
use super::{ReportedStudy, key_images};
use crate::dicom::Weighting;
use crate::language::{Language, say};
use crate::pipeline::StudySummary;
use crate::records::{KeyImage, Report};
use crate::spine::PerGrading;

/// A paragraph.
pub(super) struct Part {
    pub text: String,
    /// A reader wrote or measured it.
    pub is_readers: bool,
    /// It belongs to the paragraph before.
    pub is_aside: bool,
}

impl Part {
    fn of_program(text: String) -> Self {
        Self { text, is_readers: false, is_aside: false }
    }

    fn of_reader(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self { text: text.to_owned(), is_readers: true, is_aside: false })
    }
}

/// What is said at a place; nothing where there is nothing to say.
pub(super) fn parts(place: Place, study: &ReportedStudy, summary: &StudySummary) -> Vec<Part> {
    let report = &study.report;
    match place {
        Place::Indication => Part::of_reader(&report.narrative.indication).into_iter().collect(),
        Place::Comparison => Part::of_reader(&report.narrative.comparison).into_iter().collect(),
        Place::Technique => vec![Part::of_program(technique(study))],
        Place::Levels => levels(report, summary, study.language),
        Place::Closing => summary.closing(study.language).into_iter().map(Part::of_program).collect(),
        Place::Measurements => measurements(report, study.language).into_iter().collect(),
        Place::KeyImages => key_images(study).into_iter().collect(),
        Place::Impression => match Part::of_reader(&report.narrative.impression) {
            Some(read) => vec![read],
            None => summary.impression(study.language).into_iter().map(Part::of_program).collect(),
        },
        Place::Signature => signature(report, study.language),
    }
}

/// How the images were made and graded, as far as the headers say.
fn technique(study: &ReportedStudy) -> String {
    let (report, summary, language) = (&study.report, &study.series.summary, study.language);
    let texts = &summary.texts;
    let weighting = match summary.weighting {
        Weighting::Unknown | Weighting::Other => "MR".to_owned(),
        known => known.name().to_owned(),
    };
    let mut scan = vec![say!(language, "Sagittal {weighting} images", weighting = weighting)];
    scan.extend(texts.field_strength_tesla.map(|tesla| format!("{} T", language.decimal(tesla, 1))));
    scan.extend(texts.repetition_time_ms.map(|time| format!("TR {time:.0} ms")));
    scan.extend(texts.echo_time_ms.map(|time| format!("TE {time:.0} ms")));
    let mut stack = vec![slices_in_words(summary.slices, language)];
    stack.extend(texts.slice_thickness_mm.map(|mm| say!(language, "{mm} mm thick", mm = language.decimal(mm, 1))));
    stack.extend(spacing_in_words(report, language));
    stack.push(pixels_in_words(report, language));
    let software = format!("{} {}", report.software.name, report.software.version);
    let graded = match report.views {
        None => say!(language, "Discs not graded, found by {software}", software = software),
        Some(views) => say!(
            language,
            count = views;
            one "Discs graded from {count} view each by {software}",
            other "Discs graded from {count} views each by {software}",
            software = software
        ),
    };
    let measured = say!(language, "height and slip from the corners of the bodies on the middle slice of each disc");
    format!("{}; {}. {graded}; {measured}.", scan.join(", "), stack.join(", "))
}

pub(super) fn slices_in_words(slices: usize, language: Language) -> String {
    say!(language, count = slices; one "{count} slice", other "{count} slices")
}

/// How far the slices are apart; `None` for a single one.
pub(super) fn spacing_in_words(report: &Report, language: Language) -> Option<String> {
    report.slice_spacing_mm.map(|mm| say!(language, "{mm} mm apart", mm = language.decimal(mm, 1)))
}

pub(super) fn pixels_in_words(report: &Report, language: Language) -> String {
    let [row, column] = report.pixel_spacing_mm.map(|mm| language.decimal(mm, 2));
    say!(language, "pixels of {row} × {column} mm", row = row, column = column)
}

/// A sentence for each disc, and below it what the reader wrote about it.
fn levels(report: &Report, summary: &StudySummary, language: Language) -> Vec<Part> {
    if report.discs.is_empty() {
        return vec![Part::of_program(say!(language, "No disc from T12-L1 to L5-S1 was found.").to_owned())];
    }
    let mut parts = Vec::new();
    for disc in &report.discs {
        let sentence = summary.disc(disc.level).map(|found| found.sentence(language));
        let sentence = sentence.unwrap_or_else(|| say!(language, "{level}: found, not graded.", level = disc.level));
        parts.push(Part::of_program(sentence));
        parts.extend(disc.comment.iter().map(|comment| Part {
            text: say!(language, "Reader: {comment}", comment = comment),
            is_readers: true,
            is_aside: true,
        }));
    }
    parts
}

fn measurements(report: &Report, language: Language) -> Option<Part> {
    let words: Vec<String> = report
        .measurements
        .iter()
        .map(|measured| {
            let value = measured.in_words(language);
            say!(language, "{measurement} (slice {slice})", measurement = value, slice = measured.slice + 1)
        })
        .collect();
    (!words.is_empty()).then(|| Part {
        text: say!(language, "Measured by the reader: {measurements}.", measurements = words.join("; ")),
        is_readers: true,
        is_aside: false,
    })
}

/// The slices that the reader marked, in their order, each with its comment.
fn key_images(study: &ReportedStudy) -> Option<Part> {
    let marked = |image: &KeyImage| {
        // The sentence has its own full stop.
        let (name, comment) = (key_images::in_words(study, image), image.comment.trim().trim_end_matches('.'));
        if comment.is_empty() { name } else { format!("{name}: {comment}") }
    };
    let words: Vec<String> = study.report.key_images.iter().map(marked).collect();
    (!words.is_empty()).then(|| Part {
        text: say!(study.language, "Key images: {images}.", images = words.join("; ")),
        is_readers: true,
        is_aside: false,
    })
}

/// Who signed, or that nobody has, and how many grades are a reader's.
fn signature(report: &Report, language: Language) -> Vec<Part> {
    let gradings = report.discs.iter().filter_map(|disc| disc.gradings.as_ref());
    let edits = gradings.flat_map(PerGrading::iter).filter(|(_, entry)| entry.edited.is_some()).count();
    let edited = match edits {
        0 => say!(language, "no grade changed by a reader").to_owned(),
        several => say!(
            language,
            count = several;
            one "{count} grade changed by the reader", other "{count} grades changed by the reader"
        ),
    };
    let signed = match &report.sign_off {
        Some(sign_off) => {
            let at = sign_off.signed_at.replace('T', " ").replace('Z', " UTC");
            say!(language, "Signed off by {reader} on {at}", reader = sign_off.reader, at = at)
        }
        None => say!(language, "Not signed off").to_owned(),
    };
    [signed, edited].map(Part::of_program).into()
}
