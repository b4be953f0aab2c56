//! The grades of a scan as an aligned table.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::language::{Language, say};
use crate::pipeline::CohortTally;
use crate::records::{DiscEntry, EXPERIMENTAL_NOTE, GradeEntry, Report};
use crate::spine::{Grading, GradingSpec};

/// Lines of the table: a head, one line a disc with grade and probability of each grading, and a note on gradings that
/// must not be relied on (marked *).
pub(super) fn grade_table(report: &Report, language: Language) -> Vec<String> {
    let is_experimental = |grading: Grading| report.experimental_gradings.contains(&grading);
    let gradings = report.gradings();
    let mut rows = vec![vec![say!(language, "Disc").to_owned()]];
    for grading in &gradings {
        let mark = if is_experimental(*grading) { "*" } else { "" };
        let GradingSpec { group, heading, .. } = grading.spec();
        rows[0].push(format!("{} {}{mark}", language.text(group), language.text(heading)).trim_start().to_owned());
    }
    rows.extend(report.discs.iter().map(|disc| row(disc, &gradings)));
    let mut lines = aligned(&rows);
    if !report.experimental_gradings.is_empty() {
        lines.push(language.text(EXPERIMENTAL_NOTE).to_owned());
    }
    lines
}

/// Lines of the summary of a cohort: what was done in how long, and how many discs have which grade.
pub(crate) fn cohort_table(tally: &CohortTally, elapsed: Duration) -> Vec<String> {
    let CohortTally { graded, failed, skipped, discs, classes } = tally;
    let mut lines = vec![format!("{graded} studies graded, {failed} failed, {skipped} done before; {discs} discs")];
    if graded + failed > 0 {
        let seconds = elapsed.as_secs_f64();
        let each = seconds / (graded + failed) as f64;
        lines.push(format!("{seconds:.1} s, {each:.2} s a study, {:.0} studies per hour", 3600.0 / each));
    }
    if *discs > 0 {
        let mut rows = vec![vec!["Discs with".to_owned()]];
        rows[0].extend(["I, 1 or no", "II, 2 or yes", "III or 3", "IV or 4", "V"].map(str::to_owned));
        for (grading, counts) in classes.iter() {
            let mut row = vec![grading.name().to_owned()];
            row.extend(counts[..grading.classes()].iter().map(ToString::to_string));
            rows.push(row);
        }
        lines.extend(aligned(&rows));
    }
    lines
}

fn row(disc: &DiscEntry, gradings: &BTreeSet<Grading>) -> Vec<String> {
    let mut cells = vec![disc.level.to_string()];
    for grading in gradings {
        let entry = disc.gradings.as_ref().and_then(|entries| entries.get(*grading));
        cells.push(entry.map_or_else(|| "-".to_owned(), |entry| cell(*grading, entry)));
    }
    cells
}

/// `IV 0.62`; the reader's grade behind it where it differs.
fn cell(grading: Grading, entry: &GradeEntry) -> String {
    let Some(class) = grading.class_from_grade(entry.grade) else { return "?".to_owned() };
    let word = |class| match grading.class_name(class) {
        "present" => "yes",
        "absent" => "no",
        other => other,
    };
    let probability = entry.probabilities.get(class).copied().unwrap_or_default();
    let edited = entry.edited.and_then(|grade| grading.class_from_grade(grade));
    let edit = edited.map(|class| format!(" → {}", word(class))).unwrap_or_default();
    format!("{} {probability:.2}{edit}", word(class))
}

/// Cells padded so that columns line up, two spaces apart.
pub(crate) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["a".to_owned(), "bb".to_owned(), "c".to_owned()],
            vec!["↑aa".to_owned(), "b".to_owned(), "c".to_owned()],
        ];
        assert_eq!(aligned(&rows), ["a    bb  c", "↑aa  b   c"]);
    }

    #[test]
    fn cells_show_grade_probability_and_edit() {
        let mut entry = GradeEntry {
            grade: 4,
            probabilities: vec![0.0, 0.1, 0.2, 0.62, 0.08],
            spread: None,
            at_prevalence: None,
            edited: None,
        };
        assert_eq!(cell(Grading::Pfirrmann, &entry), "IV 0.62");
        entry.edited = Some(3);
        assert_eq!(cell(Grading::Pfirrmann, &entry), "IV 0.62 → III");
        let slip =
            GradeEntry { grade: 0, probabilities: vec![0.9, 0.1], spread: None, at_prevalence: None, edited: None };
        assert_eq!(cell(Grading::Spondylolisthesis, &slip), "no 0.90");
    }
}
