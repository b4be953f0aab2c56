//! The grades of all discs with their probabilities.

use super::page::{CAUTION, MARGIN, QUIET, READER, RULE, Sheet, Style, TEXT, WIDTH};
use crate::export::ReportedStudy;
use crate::language::{Language, say};
use crate::pipeline::StudySummary;
use crate::records::{DiscEntry, DiscMeasures, EXPERIMENTAL_NOTE, GradeEntry, Report, slip_in_short};
use crate::spine::{Grading, MeasuredValue, PerGrading};

const LEVEL_WIDTH: f32 = 66.0;
const HEAD_HEIGHT: f32 = 28.0;
const ROW_HEIGHT: f32 = 27.0;

const NOTES: Style = Style { size: 7.5, ink: QUIET, bold: false };

/// Height of the table with its notes.
pub(super) fn height(study: &ReportedStudy) -> f32 {
    let report = &study.report;
    let notes = NOTES.wrapped(&note_words(report, study.language), WIDTH - 2.0 * MARGIN).len();
    HEAD_HEIGHT + ROW_HEIGHT * report.discs.len() as f32 + 11.0 + 10.2 * notes as f32
}

/// Draws the table at `top`.
pub(super) fn draw(sheet: &mut Sheet, study: &ReportedStudy, top: f32) {
    let (report, language) = (&study.report, study.language);
    let gradings = report.gradings();
    let summary = StudySummary::of_report(report);
    let width = (WIDTH - 2.0 * MARGIN - LEVEL_WIDTH) / gradings.len().max(1) as f32;
    let column = |index: usize| MARGIN + LEVEL_WIDTH + index as f32 * width;
    // Eight columns have room for this size.
    let head = Style::new(7.5 * (8.0 / gradings.len() as f32).min(1.0), QUIET);
    sheet.text(MARGIN, top + 11.0, head.bold(), say!(language, "Disc"));
    sheet.text(MARGIN, top + 20.0, head, say!(language, "height, slip"));
    for (place, grading) in gradings.iter().enumerate() {
        let mark = if report.experimental_gradings.contains(grading) { "*" } else { "" };
        let title = format!("{}{mark}", language.text(grading.spec().title));
        for (line, words) in title.lines().enumerate() {
            sheet.text(column(place) + 4.0, top + 11.0 + 9.0 * line as f32, head.bold(), words);
        }
    }
    let mut y = top + HEAD_HEIGHT;
    for disc in &report.discs {
        sheet.rule(y - 0.3);
        let found = summary.disc(disc.level);
        measures(sheet, disc, y, language);
        match &disc.gradings {
            Some(grades) => {
                for (place, grading) in gradings.iter().enumerate() {
                    let Some(entry) = grades.get(*grading) else { continue };
                    let experimental = report.experimental_gradings.contains(grading);
                    let area = (column(place), y, width);
                    cell(sheet, area, *grading, entry, experimental, language);
                    if found.is_some_and(|found| found.conflicts.iter().any(|it| it.finding.grading == *grading)) {
                        // "present" takes the width of its line, bars that below a number; near its own, not the next column.
                        let line = if grading.is_presence() { 22.5 } else { 12.0 };
                        let right = column(place) + (width - 4.0).min(36.0);
                        sheet.text_right(right, y + line, Style::new(10.0, CAUTION).bold(), "≠");
                    }
                }
            }
            None => sheet.text(column(0) + 4.0, y + 17.0, Style::new(9.0, QUIET), say!(language, "not graded")),
        }
        y += ROW_HEIGHT;
    }
    sheet.rule(y - 0.3);
    sheet.paragraph(MARGIN, y + 11.0, NOTES, &note_words(report, language), WIDTH - 2.0 * MARGIN);
}

/// The level, and below it what was measured.
fn measures(sheet: &mut Sheet, disc: &DiscEntry, y: f32, language: Language) {
    sheet.text(MARGIN, y + 12.0, Style::new(10.0, TEXT).bold(), &disc.level.to_string());
    let DiscMeasures { height_mm, slip_percent, .. } = disc.measured.unwrap_or_default();
    let height = height_mm.map(|height| MeasuredValue::Millimeters(height).in_words(language));
    let slip = slip_percent.map(slip_in_short);
    let words: Vec<String> = height.into_iter().chain(slip).collect();
    sheet.text(MARGIN, y + 21.5, Style::new(6.8, QUIET), &words.join(", "));
}

/// One grade: the reader's where there is one, its probability, and how the probabilities are spread over the classes.
fn cell(
    sheet: &mut Sheet,
    (x, y, width): (f32, f32, f32),
    grading: Grading,
    entry: &GradeEntry,
    experimental: bool,
    language: Language,
) {
    let class = grading.class_from_grade(entry.reported()).unwrap_or_default();
    let severity = grading.severity(class);
    if severity > 0.0 && !experimental {
        sheet.plate((x + 0.5, y + 0.5), (width - 1.0, ROW_HEIGHT - 1.3), [222, 140, 60], 0.06 + 0.22 * severity);
    }
    let ink = match (entry.edited, experimental) {
        (Some(_), _) => READER,
        (None, true) => QUIET,
        (None, false) => TEXT,
    };
    let style = Style::new(10.0, ink);
    let style = if class > 0 && !experimental { style.bold() } else { style };
    sheet.text(x + 4.0, y + 12.0, style, language.text(grading.class_name(class)));
    let percent =
        |class: usize| format!("{:.0} %", entry.probabilities.get(class).copied().unwrap_or_default() * 100.0);
    let small = Style::new(6.8, if entry.edited.is_some() { READER } else { QUIET });
    let below = if entry.edited.is_some() {
        let computed = grading.class_from_grade(entry.grade).unwrap_or_default();
        format!(
            "{} {}",
            say!(language, "was {class}", class = language.text(grading.class_name(computed))),
            percent(computed)
        )
    } else {
        percent(class)
    };
    sheet.text(x + 4.0, y + 21.5, small, &below);
    if !grading.is_presence() && entry.edited.is_none() {
        bars(sheet, (x + width - 4.0, y + 22.0), &entry.probabilities, class);
    }
}

/// The probability of each class as a small bar, lowest grade left.
fn bars(sheet: &mut Sheet, (right, bottom): (f32, f32), probabilities: &[f64], marked: usize) {
    let (step, height) = (4.4, 16.0);
    let left = right - step * probabilities.len() as f32;
    for (class, probability) in probabilities.iter().enumerate() {
        let tall = (*probability as f32 * height).max(0.5);
        let ink = if class == marked { [70, 80, 95] } else { RULE };
        sheet.plate((left + class as f32 * step, bottom - tall), (step - 1.0, tall), ink, 1.0);
    }
}

/// What the marks of the table mean; nothing is claimed that the weights do not say.
fn note_words(report: &Report, language: Language) -> String {
    let grades =
        say!(language, "Below each grade: the network's probability of it; bars: of every grade, lowest left.");
    let is_edited = |entry: &GradeEntry| entry.edited.is_some();
    let mut entries = report.discs.iter().filter_map(|disc| disc.gradings.as_ref()).flat_map(PerGrading::iter);
    let edited = entries.any(|(_, entry)| is_edited(entry));
    let edited = edited.then(|| say!(language, "Green: the reader's grade, the computed one below it."));
    let experimental =
        (!report.experimental_gradings.is_empty()).then(|| format!("{}.", language.text(EXPERIMENTAL_NOTE)));
    let has_conflict = report.discs.iter().any(|disc| !disc.conflicts.is_empty());
    let conflict = has_conflict.then(|| say!(language, "≠: the grade and what was measured disagree."));
    let parts = [Some(grades), conflict, report.probability_note(language), experimental.as_deref(), edited];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notes_claim_what_the_weights_say() {
        let json = include_str!("../../../tests/golden/report-0.1.0.json");
        let old: Report = serde_json::from_str(json).expect("an old report");
        assert!(!note_words(&old, Language::ENGLISH).contains("calibrated"), "an old report does not say");
        assert!(note_words(&old, Language::ENGLISH).ends_with(&format!("{EXPERIMENTAL_NOTE}.")));
        let notes = |calibrated| note_words(&Report { calibrated: Some(calibrated), ..old.clone() }, Language::ENGLISH);
        assert!(notes(true).contains("Probabilities are calibrated for classes that are equally common."));
        assert!(notes(false).contains("Probabilities are not calibrated."));
    }
}
