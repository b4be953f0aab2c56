//! The report: whose spine, how it was looked at, what was found, and who stands for it.

use super::flow::Flow;
use super::page::{CAUTION, MARGIN, QUIET, READER, Sheet, Style, TEXT, WIDTH};
use super::table;
use image::RgbImage;

use crate::dicom::readable_name;
use crate::export::ExportOptions;
use crate::export::report_text::{parts, pixels_in_words, slices_in_words, spacing_in_words};
use crate::export::study::ReportedStudy;
use crate::export::template::{Line, Place, ReportTemplate, Section};
use crate::language::{Language, say};
use crate::picture::{DISCLAIMER, DiscNote, key_image, key_slice};
use crate::pipeline::StudySummary;
use crate::records::MeasurementEntry;

/// Room for the key image.
const IMAGE: (f32, f32) = (210.0, 320.0);
const BODY_TOP: f32 = 138.0;

/// The text of the report and where its table stands: page, counted from 0, and place on it.
pub(super) struct Composition {
    pub flow: Flow,
    table: (usize, f32),
    /// Where a hand may sign.
    hand: Option<(usize, f32)>,
    image: (RgbImage, (f32, f32)),
    /// The slice that it shows.
    slice: usize,
}

/// Lays the report out.
pub(super) fn compose(study: &ReportedStudy, template: &ReportTemplate) -> Composition {
    let summary = StudySummary::of_report(&study.report);
    let language = study.language;
    let notes: Vec<DiscNote> = summary.abnormal().into_iter().map(|disc| disc.note(language)).collect();
    let volume = &study.series.volume;
    let entries = &study.report.measurements;
    let measured: Vec<_> = entries.iter().map(|entry| (entry.measurement(), entry.in_words(language))).collect();
    let measurements: Vec<_> = entries.iter().map(MeasurementEntry::measurement).collect();
    let slice = key_slice(volume, &study.vertebrae, &measurements);
    let image = key_image(volume, &study.vertebrae, slice, &notes, &measured, 1000);
    let scale = (IMAGE.0 / image.width() as f32).min(IMAGE.1 / image.height() as f32);
    let size = (image.width() as f32 * scale, image.height() as f32 * scale);
    let mut flow = Flow::new(BODY_TOP + 4.0, (MARGIN + IMAGE.0 + 20.0, BODY_TOP + size.1 + 12.0));
    let mut hand = None;
    for part in template.sections() {
        hand = section(&mut flow, part, study, &summary).or(hand);
    }
    flow.space(8.0);
    let table = flow.block(table::height(study));
    about(&mut flow, study);
    Composition { flow, table, hand, image: (image, size), slice }
}

impl Composition {
    /// Draws a page, counted from 0.
    pub(super) fn draw(&self, sheet: &mut Sheet, study: &ReportedStudy, page: usize, options: &ExportOptions) {
        if page == 0 {
            header(sheet, study.language);
            study_lines(sheet, study, options);
            let (image, size) = &self.image;
            sheet.picture((MARGIN, BODY_TOP), *size, image);
            let caption = say!(
                study.language,
                "Overview: slice {slice}, abnormal discs named, measurements of the reader",
                slice = self.slice + 1
            );
            let quiet = Style::new(6.5, QUIET);
            sheet.text(MARGIN, BODY_TOP + size.1 + 9.0, quiet, &quiet.shortened(&caption, IMAGE.0 + 14.0));
        }
        for line in &self.flow.pages()[page] {
            sheet.text(line.at.0, line.at.1, line.style, &line.text);
        }
        if self.table.0 == page {
            table::draw(sheet, study, self.table.1);
        }
        if let Some((_, top)) = self.hand.filter(|(of, _)| *of == page) {
            hand(sheet, top, study.language);
        }
    }
}

fn header(sheet: &mut Sheet, language: Language) {
    sheet.text(MARGIN, 56.0, Style::new(19.0, TEXT).bold(), say!(language, "Lumbar spine MRI"));
    let quiet = Style::new(10.5, QUIET);
    sheet.text(
        MARGIN,
        74.0,
        quiet,
        &say!(language, "Gradings of the discs by {software}", software = env!("CARGO_PKG_NAME")),
    );
    let style = Style::new(10.0, CAUTION).bold();
    let disclaimer = language.text(DISCLAIMER);
    let width = style.width(disclaimer);
    sheet.plate((WIDTH - MARGIN - width - 16.0, 42.0), (width + 16.0, 22.0), [250, 238, 224], 1.0);
    sheet.text_right(WIDTH - MARGIN - 8.0, 56.5, style, disclaimer);
    sheet.rule(84.0);
}

/// Whose study, and which series of it.
fn study_lines(sheet: &mut Sheet, study: &ReportedStudy, options: &ExportOptions) {
    let (texts, report, summary) = (&study.series.summary.texts, &study.report, &study.series.summary);
    let language = study.language;
    let not_given = || say!(language, "not given").to_owned();
    let given = |value: &str| if value.is_empty() { not_given() } else { value.to_owned() };
    let mut left: Vec<(&str, String)> = Vec::new();
    if options.with_identity {
        let name = readable_name(&texts.patient_name);
        left.push((say!(language, "Patient"), format!("{}, ID {}", given(name.trim()), given(&texts.patient_id))));
        let born = day(&texts.patient_birth_date).unwrap_or_else(not_given);
        left.push((say!(language, "Born, sex"), format!("{born}, {}", given(&texts.patient_sex))));
        let date = day(&texts.study_date).unwrap_or_else(not_given);
        left.push((say!(language, "Study"), format!("{date}, {}", given(&texts.institution))));
    } else {
        left.push((say!(language, "Patient"), say!(language, "identity left out of this report").to_owned()));
        left.push((say!(language, "Study"), say!(language, "see the study number below").to_owned()));
    }
    let images = [slices_in_words(summary.slices, language)]
        .into_iter()
        .chain(spacing_in_words(report, language))
        .chain([pixels_in_words(report, language)]);
    let right = [
        (say!(language, "Series"), given(&summary.description)),
        (say!(language, "Images"), images.collect::<Vec<_>>().join(", ")),
        (say!(language, "Scanner"), given(texts.scanner.trim())),
    ];
    let label = Style::new(8.0, QUIET);
    let value = Style::new(8.5, TEXT);
    let middle = WIDTH / 2.0 + 6.0;
    let left = left.iter().map(|(name, text)| (*name, text.clone()));
    for (x, lines) in [(MARGIN, left.collect::<Vec<_>>()), (middle, right.to_vec())] {
        for (index, (name, text)) in lines.iter().enumerate() {
            let y = 98.0 + index as f32 * 12.5;
            sheet.text(x, y, label, name);
            let room = WIDTH / 2.0 - MARGIN - 54.0;
            let value = value.fitting(text, room);
            sheet.text(x + 44.0, y, value, &value.shortened(text, room));
        }
    }
    sheet.rule(130.0);
}

fn day(date: &str) -> Option<String> {
    let is_date = date.len() == 8 && date.bytes().all(|letter| letter.is_ascii_digit());
    is_date.then(|| format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]))
}

/// Room for a name, a signature and a date by hand.
const HAND: f32 = 46.0;

/// Who signed, or that nobody has, with lines for a hand.
fn signature(flow: &mut Flow, study: &ReportedStudy, summary: &StudySummary) -> Option<(usize, f32)> {
    flow.space(8.0);
    let sign_off = &study.report.sign_off;
    for (index, part) in parts(Place::Signature, study, summary).iter().enumerate() {
        let ink = if sign_off.is_some() { READER } else { TEXT };
        let style = if index == 0 { Style::new(10.0, ink).bold() } else { Style::new(8.5, QUIET) };
        flow.paragraph(style, 0.0, &part.text);
    }
    sign_off.is_none().then(|| flow.block(HAND))
}

/// Lines for a name, a signature and a date.
fn hand(sheet: &mut Sheet, top: f32, language: Language) {
    let quiet = Style::new(7.0, QUIET);
    let room = WIDTH - 2.0 * MARGIN;
    let fields = [
        (say!(language, "Name"), 0.0, 0.36),
        (say!(language, in "by hand", "Signature"), 0.4, 0.36),
        (say!(language, "Date"), 0.8, 0.2),
    ];
    for (name, from, width) in fields {
        let x = MARGIN + from * room;
        sheet.plate((x, top + 26.0), (width * room, 0.6), QUIET, 1.0);
        sheet.text(x, top + 35.0, quiet, name);
    }
}

/// A section of the template with what is filled in; left out where there is nothing to say.
fn section(flow: &mut Flow, section: &Section, study: &ReportedStudy, summary: &StudySummary) -> Option<(usize, f32)> {
    let mut hand = None;
    let mut is_begun = section.title.is_empty();
    let mut begin = |flow: &mut Flow| {
        if !std::mem::replace(&mut is_begun, true) {
            flow.section(&section.title_of(study));
        }
    };
    for line in &section.lines {
        match line {
            Line::Text(text) => {
                begin(flow);
                flow.paragraph(Style::new(9.5, TEXT), 0.0, text);
            }
            Line::Place(Place::Signature) => hand = signature(flow, study, summary),
            Line::Place(place) => {
                for part in parts(*place, study, summary) {
                    begin(flow);
                    let ink = if part.is_readers { READER } else { TEXT };
                    let size = if part.is_aside { 9.0 } else { 9.5 };
                    flow.paragraph(Style::new(size, ink), if part.is_aside { 8.0 } else { 0.0 }, &part.text);
                    flow.space(2.0);
                }
            }
        }
    }
    hand
}

/// What to know about the scan; weights, device and images: what is needed to get the same numbers again.
fn about(flow: &mut Flow, study: &ReportedStudy) {
    let (report, language) = (&study.report, study.language);
    if !report.warnings.is_empty() {
        flow.section(say!(language, "About the scan"));
        for warning in &report.warnings {
            flow.paragraph(Style::new(8.5, TEXT), 0.0, &language.message(&warning.message));
            flow.space(1.5);
        }
    }
    flow.space(8.0);
    let quiet = Style::new(7.0, QUIET);
    for used in &report.weights {
        flow.paragraph(
            quiet,
            0.0,
            &say!(
                language,
                "Weights {name} {version}, SHA-256 {sha256}",
                name = used.name,
                version = used.version,
                sha256 = used.sha256
            ),
        );
    }
    let words = say!(
        language,
        count = report.sop_instance_uids.len();
        one "Device {device}, series {series}, {count} image", other "Device {device}, series {series}, {count} images",
        device = report.device,
        series = report.series_instance_uid
    );
    flow.paragraph(quiet, 0.0, &words);
}
