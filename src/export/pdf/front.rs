//! The first page: whose spine, what was found, by what, and who stands for it.

use super::PdfOptions;
use super::page::{CAUTION, HEIGHT, MARGIN, QUIET, READER, Sheet, Style, TEXT, WIDTH};
use super::table;
use crate::dicom::readable_name;
use crate::export::study::ReportedStudy;
use crate::picture::{DISCLAIMER, key_image};
use crate::pipeline::DiscFindings;
use crate::records::Report;

/// Room for the key image.
const IMAGE: (f32, f32) = (196.0, 290.0);
const BODY_TOP: f32 = 138.0;

pub(super) fn draw(sheet: &mut Sheet, study: &ReportedStudy, options: PdfOptions) {
    header(sheet);
    study_lines(sheet, study, options);
    let image = key_image(&study.series.volume, &study.vertebrae, 800);
    let scale = (IMAGE.0 / image.width() as f32).min(IMAGE.1 / image.height() as f32);
    let size = (image.width() as f32 * scale, image.height() as f32 * scale);
    sheet.picture((MARGIN, BODY_TOP), size, &image);
    let quiet = Style::new(7.0, QUIET);
    sheet.text(MARGIN, BODY_TOP + size.1 + 10.0, quiet, "Key image: middle slice with the detected bodies");
    let column = MARGIN + IMAGE.0 + 20.0;
    let end = findings(sheet, study, (column, BODY_TOP + 10.0), WIDTH - MARGIN - column);
    let top = (BODY_TOP + size.1 + 30.0).max(end + 12.0);
    let below = table::draw(sheet, &study.report, top);
    let below = signature(sheet, &study.report, below + 16.0);
    settings(sheet, study, below + 10.0);
}

fn header(sheet: &mut Sheet) {
    sheet.text(MARGIN, 56.0, Style::new(19.0, TEXT).bold(), "Lumbar spine MRI");
    sheet.text(MARGIN, 74.0, Style::new(10.5, QUIET), "Gradings of the discs by spinenet-viewer");
    let style = Style::new(10.0, CAUTION).bold();
    let width = style.width(DISCLAIMER);
    sheet.plate((WIDTH - MARGIN - width - 16.0, 42.0), (width + 16.0, 22.0), [250, 238, 224], 1.0);
    sheet.text_right(WIDTH - MARGIN - 8.0, 56.5, style, DISCLAIMER);
    sheet.rule(84.0);
}

/// Whose study, and which series of it.
fn study_lines(sheet: &mut Sheet, study: &ReportedStudy, options: PdfOptions) {
    let (texts, report, summary) = (&study.series.summary.texts, &study.report, &study.series.summary);
    let given = |value: &str| if value.is_empty() { "not given".to_owned() } else { value.to_owned() };
    let mut left: Vec<(&str, String)> = Vec::new();
    if options.with_identity {
        let name = readable_name(&texts.patient_name);
        left.push(("Patient", format!("{}, ID {}", given(name.trim()), given(&texts.patient_id))));
        let born = day(&texts.patient_birth_date).unwrap_or_else(|| "not given".to_owned());
        left.push(("Born, sex", format!("{born}, {}", given(&texts.patient_sex))));
        let date = day(&texts.study_date).unwrap_or_else(|| "not given".to_owned());
        left.push(("Study", format!("{date}, {}", given(&texts.institution))));
    } else {
        left.push(("Patient", "identity left out of this report".to_owned()));
        left.push(("Study", "see the study number below".to_owned()));
    }
    let [row, column] = report.pixel_spacing_mm;
    let slices = report.slice_spacing_mm.map(|spacing| format!(", {spacing:.1} mm apart")).unwrap_or_default();
    let right = [
        ("Series", given(&summary.description)),
        ("Images", format!("{} slices{slices}, pixels of {row:.2} × {column:.2} mm", summary.slices)),
        ("Scanner", given(texts.scanner.trim())),
    ];
    let label = Style::new(8.0, QUIET);
    let value = Style::new(8.5, TEXT);
    let middle = WIDTH / 2.0 + 6.0;
    let left = left.iter().map(|(name, text)| (*name, text.clone()));
    for (x, lines) in [(MARGIN, left.collect::<Vec<_>>()), (middle, right.to_vec())] {
        for (index, (name, text)) in lines.iter().enumerate() {
            let y = 98.0 + index as f32 * 12.5;
            sheet.text(x, y, label, name);
            sheet.text(x + 44.0, y, value, &value.shortened(text, WIDTH / 2.0 - MARGIN - 54.0));
        }
    }
    sheet.rule(130.0);
}

/// `20261124` as `2026-11-24`.
fn day(date: &str) -> Option<String> {
    let is_date = date.len() == 8 && date.bytes().all(|letter| letter.is_ascii_digit());
    is_date.then(|| format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]))
}

/// What was found, disc by disc, and what to know about the scan; returns where it ends.
fn findings(sheet: &mut Sheet, study: &ReportedStudy, (x, top): (f32, f32), room: f32) -> f32 {
    let report = &study.report;
    sheet.text(x, top, Style::new(12.0, TEXT).bold(), "Findings");
    let mut y = top + 18.0;
    for disc in &report.discs {
        let findings = DiscFindings::reported(disc, &report.experimental_gradings);
        let words = findings.map_or_else(|| format!("{}: found, not graded.", disc.level), |found| found.sentence());
        y = sheet.paragraph(x, y, Style::new(10.0, TEXT), &words, room);
        if let Some(comment) = &disc.comment {
            y = sheet.paragraph(x + 8.0, y - 1.0, Style::new(9.0, READER), &format!("Reader: {comment}"), room - 8.0);
        }
        y += 3.5;
    }
    if report.discs.is_empty() {
        y = sheet.paragraph(x, y, Style::new(10.0, TEXT), "No disc from T12-L1 to L5-S1 was found.", room);
    }
    if !report.measurements.is_empty() {
        let words: Vec<String> = report
            .measurements
            .iter()
            .map(|measured| format!("{} (slice {})", measured.in_words(), measured.slice + 1))
            .collect();
        let words = format!("Measured by the reader: {}.", words.join("; "));
        y = sheet.paragraph(x, y + 2.0, Style::new(9.0, READER), &words, room) + 3.5;
    }
    if !report.warnings.is_empty() {
        y += 8.0;
        sheet.text(x, y, Style::new(9.0, CAUTION).bold(), "About the scan");
        y += 13.0;
        for warning in &report.warnings {
            y = sheet.paragraph(x, y, Style::new(8.5, TEXT), &warning.message, room) + 1.5;
        }
    }
    y
}

/// Who signed, or a line to sign on; returns where it ends.
fn signature(sheet: &mut Sheet, report: &Report, top: f32) -> f32 {
    let edits: usize = report
        .discs
        .iter()
        .filter_map(|disc| disc.gradings.as_ref())
        .map(|gradings| gradings.iter().filter(|(_, entry)| entry.edited.is_some()).count())
        .sum();
    let edited = match edits {
        0 => "no grade changed by a reader".to_owned(),
        1 => "1 grade changed by the reader".to_owned(),
        several => format!("{several} grades changed by the reader"),
    };
    let large = Style::new(10.0, TEXT);
    match &report.sign_off {
        Some(sign_off) => {
            let at = sign_off.signed_at.replace('T', " ").replace('Z', " UTC");
            let words = format!("Signed off by {} on {at}", sign_off.reader);
            sheet.text(MARGIN, top, Style::new(10.0, READER).bold(), &large.shortened(&words, 400.0));
        }
        None => sheet.text(MARGIN, top, large.bold(), "Not signed off"),
    }
    sheet.text_right(WIDTH - MARGIN, top, Style::new(9.0, QUIET), &edited);
    top + 6.0
}

/// Weights, device, views and images: what is needed to get the same numbers again.
fn settings(sheet: &mut Sheet, study: &ReportedStudy, top: f32) {
    let report = &study.report;
    let quiet = Style::new(7.0, QUIET);
    let mut lines = Vec::new();
    for used in &report.weights {
        lines.push(format!("Weights {} {}, SHA-256 {}", used.name, used.version, used.sha256));
    }
    let views = match report.views {
        None => "not graded".to_owned(),
        Some(1) => "1 view a disc".to_owned(),
        Some(views) => format!("{views} views a disc"),
    };
    lines.push(format!(
        "{} {}, device {}, {views}, series {}, {} images",
        report.software.name,
        report.software.version,
        report.device,
        report.series_instance_uid,
        report.sop_instance_uids.len()
    ));
    let mut y = top + 8.0;
    for line in lines {
        y = sheet.paragraph(MARGIN, y, quiet, &line, WIDTH - 2.0 * MARGIN).min(HEIGHT - 52.0);
    }
}
