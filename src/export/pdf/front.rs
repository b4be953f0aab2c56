//! The report: whose spine, how it was looked at, what was found, and who stands for it.

use super::PdfOptions;
use super::flow::Flow;
use super::page::{CAUTION, MARGIN, QUIET, READER, Sheet, Style, TEXT, WIDTH};
use super::table;
use image::RgbImage;

use crate::dicom::{Weighting, readable_name};
use crate::export::study::ReportedStudy;
use crate::picture::{DISCLAIMER, DiscNote, key_image, key_slice};
use crate::pipeline::{DiscFindings, StudySummary};
use crate::records::{MeasurementEntry, Narrative, Report};

/// Room for the key image.
const IMAGE: (f32, f32) = (210.0, 320.0);
const BODY_TOP: f32 = 138.0;

/// The text of the report and where its table stands: page, counted from 0, and place on it.
pub(super) struct Composition {
    pub flow: Flow,
    table: (usize, f32),
    image: (RgbImage, (f32, f32)),
    /// The slice that it shows.
    slice: usize,
}

/// Lays the report out.
pub(super) fn compose(study: &ReportedStudy) -> Composition {
    let summary = StudySummary::of_report(&study.report);
    let notes: Vec<DiscNote> = summary.abnormal().into_iter().map(DiscFindings::note).collect();
    let volume = &study.series.volume;
    let entries = &study.report.measurements;
    let measured: Vec<_> = entries.iter().map(|entry| (entry.measurement(), entry.in_words())).collect();
    let measurements: Vec<_> = entries.iter().map(MeasurementEntry::measurement).collect();
    let slice = key_slice(volume, &study.vertebrae, &measurements);
    let image = key_image(volume, &study.vertebrae, slice, &notes, &measured, 1000);
    let scale = (IMAGE.0 / image.width() as f32).min(IMAGE.1 / image.height() as f32);
    let size = (image.width() as f32 * scale, image.height() as f32 * scale);
    let mut flow = Flow::new(BODY_TOP + 4.0, (MARGIN + IMAGE.0 + 20.0, BODY_TOP + size.1 + 12.0));
    narrative(&mut flow, study);
    findings(&mut flow, &study.report, &summary);
    impression(&mut flow, &study.report, &summary);
    signature(&mut flow, &study.report);
    flow.space(8.0);
    let table = flow.block(table::height(&study.report));
    about(&mut flow, study);
    Composition { flow, table, image: (image, size), slice }
}

impl Composition {
    /// Draws a page, counted from 0.
    pub fn draw(&self, sheet: &mut Sheet, study: &ReportedStudy, page: usize, options: PdfOptions) {
        if page == 0 {
            header(sheet);
            study_lines(sheet, study, options);
            let (image, size) = &self.image;
            sheet.picture((MARGIN, BODY_TOP), *size, image);
            let caption =
                format!("Key image: slice {}, abnormal discs named, measurements of the reader", self.slice + 1);
            let quiet = Style::new(6.5, QUIET);
            sheet.text(MARGIN, BODY_TOP + size.1 + 9.0, quiet, &quiet.shortened(&caption, IMAGE.0 + 14.0));
        }
        for line in &self.flow.pages()[page] {
            sheet.text(line.at.0, line.at.1, line.style, &line.text);
        }
        if self.table.0 == page {
            table::draw(sheet, &study.report, self.table.1);
        }
    }
}

/// Why, against what and how the patient was examined.
fn narrative(flow: &mut Flow, study: &ReportedStudy) {
    let Narrative { indication, comparison, .. } = &study.report.narrative;
    for (title, text) in [("Indication", indication), ("Comparison", comparison)] {
        if !text.trim().is_empty() {
            flow.section(title);
            flow.paragraph(Style::new(9.5, READER), 0.0, text.trim());
        }
    }
    flow.section("Technique");
    flow.paragraph(Style::new(9.0, TEXT), 0.0, &technique(study));
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

/// What was found, disc by disc, and what must not be relied on.
fn findings(flow: &mut Flow, report: &Report, summary: &StudySummary) {
    flow.section("Findings");
    for disc in &report.discs {
        let sentence = summary.disc(disc.level).map(DiscFindings::sentence);
        let words = sentence.unwrap_or_else(|| format!("{}: found, not graded.", disc.level));
        flow.paragraph(Style::new(9.5, TEXT), 0.0, &words);
        if let Some(comment) = &disc.comment {
            flow.paragraph(Style::new(9.0, READER), 8.0, &format!("Reader: {comment}"));
        }
        flow.space(2.0);
    }
    if report.discs.is_empty() {
        flow.paragraph(Style::new(9.5, TEXT), 0.0, "No disc from T12-L1 to L5-S1 was found.");
    }
    for sentence in summary.closing() {
        flow.paragraph(Style::new(9.0, TEXT), 0.0, &sentence);
        flow.space(1.5);
    }
    if !report.measurements.is_empty() {
        let words: Vec<String> = report
            .measurements
            .iter()
            .map(|measured| format!("{} (slice {})", measured.in_words(), measured.slice + 1))
            .collect();
        let words = format!("Measured by the reader: {}.", words.join("; "));
        flow.paragraph(Style::new(9.0, READER), 0.0, &words);
    }
}

/// The reader's conclusion, or the program's, which says so.
fn impression(flow: &mut Flow, report: &Report, summary: &StudySummary) {
    let read = report.narrative.impression.trim();
    if read.is_empty() {
        flow.section("Impression (by the program)");
        for sentence in summary.impression() {
            flow.paragraph(Style::new(9.5, TEXT), 0.0, &sentence);
        }
    } else {
        flow.section("Impression");
        flow.paragraph(Style::new(9.5, READER), 0.0, read);
    }
}

/// Who signed, or that nobody has.
fn signature(flow: &mut Flow, report: &Report) {
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
    flow.space(8.0);
    match &report.sign_off {
        Some(sign_off) => {
            let at = sign_off.signed_at.replace('T', " ").replace('Z', " UTC");
            let words = format!("Signed off by {} on {at}", sign_off.reader);
            flow.paragraph(Style::new(10.0, READER).bold(), 0.0, &words);
        }
        None => flow.paragraph(Style::new(10.0, TEXT).bold(), 0.0, "Not signed off"),
    }
    flow.paragraph(Style::new(8.5, QUIET), 0.0, &edited);
}

/// What to know about the scan; weights, device and images: what is needed to get the same numbers again.
fn about(flow: &mut Flow, study: &ReportedStudy) {
    let report = &study.report;
    if !report.warnings.is_empty() {
        flow.section("About the scan");
        for warning in &report.warnings {
            flow.paragraph(Style::new(8.5, TEXT), 0.0, &warning.message);
            flow.space(1.5);
        }
    }
    flow.space(8.0);
    let quiet = Style::new(7.0, QUIET);
    for used in &report.weights {
        flow.paragraph(quiet, 0.0, &format!("Weights {} {}, SHA-256 {}", used.name, used.version, used.sha256));
    }
    let images = report.sop_instance_uids.len();
    let words = format!("Device {}, series {}, {images} images", report.device, report.series_instance_uid);
    flow.paragraph(quiet, 0.0, &words);
}
