//! The report as a PDF of A4 pages.

mod evidence;
mod flow;
mod front;
mod key_images;
mod page;
mod table;

use krilla::Document;
use krilla::metadata::Metadata;
use krilla::page::PageSettings;

use super::key_images::{KeyPicture, key_pictures};
use super::{ExportError, ExportOptions, ReportedStudy, abnormal_grades};
use crate::language::say;
use crate::picture::DISCLAIMER;
use crate::pipeline::Evidence;
use page::{CAUTION, Fonts, HEIGHT, MARGIN, QUIET, Sheet, Style, WIDTH};

/// What stands on a page.
enum Page<'a> {
    /// A page of the text, counted from 0.
    Text(usize),
    KeyImages(&'a [KeyPicture]),
    Evidence(&'a [&'a Evidence]),
}

/// Makes the report: study, technique, overview, findings, impression, signature, grades and settings, then the key images
/// and the evidence for the abnormal grades that count. The same study and options give the same bytes.
///
/// # Errors
/// If the document cannot be put together, or a key image names a method that there is not.
pub(super) fn report_pdf(study: &ReportedStudy, options: &ExportOptions) -> Result<Vec<u8>, ExportError> {
    let mut fonts = Fonts::bundled().ok_or_else(|| ExportError::Pdf("the font cannot be read".to_owned()))?;
    let mut document = Document::new();
    let language = study.language;
    document.set_metadata(
        Metadata::new()
            .title(say!(language, "Lumbar spine MRI: disc grades").to_owned())
            .description(language.text(DISCLAIMER).to_owned())
            .language(language.code().to_owned())
            .creator(format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))),
    );
    let composition = front::compose(study, &options.template);
    let pictures = key_pictures(study)?;
    let counting = counting_evidence(study);
    let mut sheets: Vec<Page> = (0..composition.flow.pages().len()).map(Page::Text).collect();
    sheets.extend(pictures.chunks(key_images::PER_PAGE).map(Page::KeyImages));
    sheets.extend(counting.chunks(evidence::PER_PAGE).map(Page::Evidence));
    let pages = sheets.len();
    for (number, content) in (1..).zip(sheets) {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| ExportError::Pdf("page size".to_owned()))?;
        let mut page = document.start_page_with(settings);
        let mut sheet = Sheet { surface: page.surface(), fonts: &mut fonts, lacks_letters: false };
        match content {
            Page::Text(page) => composition.draw(&mut sheet, study, page, options),
            Page::KeyImages(pictures) => key_images::draw(&mut sheet, pictures, language),
            Page::Evidence(evidence) => evidence::draw(&mut sheet, evidence, language),
        }
        footer(&mut sheet, study, number, pages);
        sheet.surface.finish();
    }
    document.finish().map_err(|error| ExportError::Pdf(format!("{error:?}")))
}

/// The evidence for abnormal grades that count: not for one that a reader overruled.
fn counting_evidence(study: &ReportedStudy) -> Vec<&Evidence> {
    let grades = abnormal_grades(study);
    let counts = |evidence: &&Evidence| {
        let map = &evidence.map;
        grades.contains(&(map.level, map.grading, map.class))
    };
    study.evidence.iter().filter(counts).collect()
}

/// On every page: what this is not, and which study it belongs to.
fn footer(sheet: &mut Sheet, study: &ReportedStudy, number: usize, pages: usize) {
    let language = study.language;
    sheet.rule(HEIGHT - 44.0);
    let y = HEIGHT - 30.0;
    sheet.text(MARGIN, y, Style::new(8.5, CAUTION).bold(), language.text(DISCLAIMER));
    let quiet = Style::new(7.0, QUIET);
    sheet.text_right(WIDTH - MARGIN, y, quiet, &say!(language, "Page {page} of {count}", page = number, count = pages));
    let study = say!(language, "Study {uid}", uid = study.report.study_instance_uid);
    sheet.text(MARGIN, y + 11.0, quiet, &quiet.shortened(&study, WIDTH - 2.0 * MARGIN));
    if sheet.lacks_letters {
        let words =
            say!(language, "No font of this computer has some of the letters on this page: they are printed as boxes.");
        sheet.text_right(WIDTH - MARGIN, y + 20.0, Style::new(7.0, CAUTION), words);
    }
}
