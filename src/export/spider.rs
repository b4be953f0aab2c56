//! Grades in the columns of the SPIDER data set's `radiological_gradings.csv`.

use crate::records::{DiscEntry, ReportEntry};
use crate::spine::{DiscLevel, Grading, PerGrading};

const HEAD: &str = "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,\
    Disc bulging,Pfirrman grade\n";

/// CSV of reports, failed scans left out: the study UID stands for the patient, discs count from the one above S1 = 1 upwards, a reader's grade
/// counts before the computed one.
///
/// Cells stay empty where the weights do not grade, and for the type of a marrow change (0 is written where there is none on
/// either side).
pub(super) fn spider_csv(entries: &[ReportEntry]) -> Vec<u8> {
    let mut text = HEAD.to_owned();
    for entry in entries {
        let ReportEntry::Report(report) = entry else { continue };
        let mut discs: Vec<&DiscEntry> = report.discs.iter().collect();
        discs.sort_by_key(|disc| std::cmp::Reverse(disc.level));
        let levels = DiscLevel::of_spine(report.vertebrae.iter().map(|vertebra| vertebra.label));
        for disc in discs {
            let Some(gradings) = &disc.gradings else { continue };
            let grades = gradings.map(|_, entry| entry.reported());
            let Some(number) = disc.level.number_above_sacrum(levels) else { continue };
            text.push_str(&row(&report.study_instance_uid, number, &grades));
        }
    }
    text.into_bytes()
}

fn row(patient: &str, disc: usize, grades: &PerGrading<u8>) -> String {
    let grade = |grading: Grading| grades.get(grading).map(u8::to_string).unwrap_or_default();
    let marrow = [Grading::UpperMarrowChange, Grading::LowerMarrowChange].map(|grading| grades.get(grading));
    let modic = if marrow == [Some(&0), Some(&0)] { "0" } else { "" };
    let narrowed = grades.get(Grading::DiscNarrowing).map(|grade| u8::from(*grade > 1).to_string()).unwrap_or_default();
    format!(
        "{patient},{disc},{modic},{},{},{},{},{narrowed},{},{}\n",
        grade(Grading::UpperEndplateDefect),
        grade(Grading::LowerEndplateDefect),
        grade(Grading::Spondylolisthesis),
        grade(Grading::DiscHerniation),
        grade(Grading::DiscBulging),
        grade(Grading::Pfirrmann),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_columns_of_the_head() {
        let mut grades = PerGrading::from_fn(Grading::PAPER, |grading| grading.grade_from_class(0));
        assert_eq!(row("1.2", 1, &grades), "1.2,1,0,0,0,0,,0,,1\n");
        grades[Grading::DiscNarrowing] = 3;
        grades[Grading::LowerMarrowChange] = 1;
        grades[Grading::Pfirrmann] = 4;
        assert_eq!(row("1.2", 2, &grades), "1.2,2,,0,0,0,,1,,4\n");
        grades.insert(Grading::DiscHerniation, 1);
        grades.insert(Grading::DiscBulging, 0);
        assert_eq!(row("1.2", 2, &grades), "1.2,2,,0,0,0,1,1,0,4\n");
        assert_eq!(HEAD.matches(',').count(), 9);
    }
}
