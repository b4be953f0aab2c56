//! What a report says at each place of its template; the sentences are those of the window.

use super::ReportedStudy;
use super::template::Place;
use crate::dicom::Weighting;
use crate::pipeline::{DiscFindings, StudySummary};
use crate::records::Report;
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
        Place::Levels => levels(report, summary),
        Place::Closing => summary.closing().into_iter().map(Part::of_program).collect(),
        Place::Measurements => measurements(report).into_iter().collect(),
        Place::Impression => match Part::of_reader(&report.narrative.impression) {
            Some(read) => vec![read],
            None => summary.impression().into_iter().map(Part::of_program).collect(),
        },
        Place::Signature => signature(report),
    }
}

/// How the images were made and graded, as far as the headers say.
fn technique(study: &ReportedStudy) -> String {
    let (report, summary) = (&study.report, &study.series.summary);
    let texts = &summary.texts;
    let weighting = match summary.weighting {
        Weighting::Unknown | Weighting::Other => "MR".to_owned(),
        known => known.name().to_owned(),
    };
    let mut scan = vec![format!("Sagittal {weighting} images")];
    scan.extend(texts.field_strength_tesla.map(|tesla| format!("{tesla:.1} T")));
    scan.extend(texts.repetition_time_ms.map(|time| format!("TR {time:.0} ms")));
    scan.extend(texts.echo_time_ms.map(|time| format!("TE {time:.0} ms")));
    let mut stack = vec![match summary.slices {
        1 => "1 slice".to_owned(),
        slices => format!("{slices} slices"),
    }];
    stack.extend(texts.slice_thickness_mm.map(|mm| format!("{mm:.1} mm thick")));
    stack.extend(report.slice_spacing_mm.map(|mm| format!("{mm:.1} mm apart")));
    let [row, column] = report.pixel_spacing_mm;
    stack.push(format!("pixels of {row:.2} × {column:.2} mm"));
    let views = match report.views {
        None => "not graded".to_owned(),
        Some(1) => "graded from 1 view a disc".to_owned(),
        Some(views) => format!("graded from {views} views a disc"),
    };
    let software = &report.software;
    format!(
        "{}; {}. Discs {views} by {} {}; height and slip from the corners of the bodies on the middle slice of each disc.",
        scan.join(", "),
        stack.join(", "),
        software.name,
        software.version
    )
}

/// A sentence for each disc, and below it what the reader wrote about it.
fn levels(report: &Report, summary: &StudySummary) -> Vec<Part> {
    if report.discs.is_empty() {
        return vec![Part::of_program("No disc from T12-L1 to L5-S1 was found.".to_owned())];
    }
    let mut parts = Vec::new();
    for disc in &report.discs {
        let sentence = summary.disc(disc.level).map(DiscFindings::sentence);
        let sentence = sentence.unwrap_or_else(|| format!("{}: found, not graded.", disc.level));
        parts.push(Part::of_program(sentence));
        parts.extend(disc.comment.iter().map(|comment| Part {
            text: format!("Reader: {comment}"),
            is_readers: true,
            is_aside: true,
        }));
    }
    parts
}

fn measurements(report: &Report) -> Option<Part> {
    let words: Vec<String> = report
        .measurements
        .iter()
        .map(|measured| format!("{} (slice {})", measured.in_words(), measured.slice + 1))
        .collect();
    (!words.is_empty()).then(|| Part {
        text: format!("Measured by the reader: {}.", words.join("; ")),
        is_readers: true,
        is_aside: false,
    })
}

/// Who signed, or that nobody has, and how many grades are a reader's.
fn signature(report: &Report) -> Vec<Part> {
    let gradings = report.discs.iter().filter_map(|disc| disc.gradings.as_ref());
    let edits = gradings.flat_map(PerGrading::iter).filter(|(_, entry)| entry.edited.is_some()).count();
    let edited = match edits {
        0 => "no grade changed by a reader".to_owned(),
        1 => "1 grade changed by the reader".to_owned(),
        several => format!("{several} grades changed by the reader"),
    };
    let signed = match &report.sign_off {
        Some(sign_off) => {
            let at = sign_off.signed_at.replace('T', " ").replace('Z', " UTC");
            format!("Signed off by {} on {at}", sign_off.reader)
        }
        None => "Not signed off".to_owned(),
    };
    [signed, edited].map(Part::of_program).into()
}
