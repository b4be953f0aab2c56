//! Where a grade and what was measured at the same disc disagree. The rules stand here and nowhere else.

use super::{DiscFindings, Finding};
use crate::language::{Language, say};
use crate::records::slip_in_words;
use crate::spine::{DiscLevel, Grading, MeasuredValue, SlipClass, slip_among_usual};

/// A forward slip of so many percent is more than corners can be wrong by: "absent" is contradicted.
const CLEAR_SLIP_PERCENT: f64 = 10.0;
/// A disc of less than this share of its neighbors' height has lost height.
const LOST_HEIGHT: f64 = 0.5;
/// Moderate loss of height: from this class of disc narrowing on a disc should be lower than a neighbor.
const MODERATE_LOSS: usize = 2;
/// Widths of the canal from front to back, mm: below the first it is narrow (absolute stenosis, Verbiest 1954), from the
/// second on it is not.
const CANAL_WIDTHS_MM: [f64; 2] = [10.0, 13.0];

/// A grade that disagrees with a measurement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conflict {
    /// The grade.
    pub finding: Finding,
    measured: Contradiction,
}

/// What was measured instead.
#[derive(Debug, Clone, PartialEq)]
enum Contradiction {
    /// Percent, and where.
    Slip(f64, DiscLevel),
    /// Height of the disc and of those beside it, mm.
    Height(f64, Vec<(DiscLevel, f64)>),
    /// Width of the canal, mm.
    Canal(f64),
}

impl Conflict {
    /// Both in words: "spondylolisthesis present (62 %), measured slip 0 %".
    #[must_use]
    pub(crate) fn text(&self, language: Language) -> String {
        let Finding { grading, class, .. } = self.finding;
        say!(
            language,
            "{grading} {grade} ({surety}), measured {measured}",
            grading = language.text(grading.spec().in_sentence),
            grade = language.text(grading.class_name(class)),
            surety = self.finding.surety(language),
            measured = self.measured.in_words(language)
        )
    }

    /// Whether the grade is not stated as found: not where the measurement is beyond what discs without the finding measure.
    #[must_use]
    pub(crate) fn is_doubt(&self) -> bool {
        !self.measured.is_small_yet_unusual()
    }
}

impl Contradiction {
    /// Less than is called a slip, and further forward than discs of the level that have none.
    fn is_small_yet_unusual(&self) -> bool {
        matches!(self, Self::Slip(percent, level)
            if SlipClass::of(*percent) == SlipClass::Small && slip_among_usual(*percent, *level).is_gt())
    }

    fn in_words(&self, language: Language) -> String {
        let mm = |value| MeasuredValue::Millimeters(value).in_words(language);
        match self {
            Self::Slip(percent, level) => {
                let slip = slip_in_words(*percent, *level, language);
                if self.is_small_yet_unusual() {
                    say!(language, "{slip}, further forward than usual at {level}", slip = slip, level = level)
                } else {
                    slip
                }
            }
            Self::Height(height, beside) => {
                let height = say!(language, "height {value}", value = mm(*height));
                format!("{height} ({})", heights_in_words(beside, language))
            }
            Self::Canal(width) => say!(language, "canal {value}", value = mm(*width)),
        }
    }
}

/// The disagreements of a disc.
pub(super) fn conflicts(disc: &DiscFindings) -> Vec<Conflict> {
    let found = |grading, rule: &dyn Fn(&Finding) -> Option<Contradiction>| {
        let finding = disc.of(grading)?;
        Some(Conflict { finding: *finding, measured: rule(finding)? })
    };
    let rules = [
        found(Grading::Spondylolisthesis, &|finding| slip(finding, disc.measured.slip_percent?, disc.level)),
        found(Grading::DiscNarrowing, &|finding| narrowing(finding, disc.measured.height_mm?, &disc.beside_mm)),
        found(Grading::CentralCanalStenosis, &|finding| stenosis(finding, disc.measured.canal_mm?)),
    ];
    rules.into_iter().flatten().collect()
}

fn slip(finding: &Finding, percent: f64, level: DiscLevel) -> Option<Contradiction> {
    let class = SlipClass::of(percent);
    let disagrees = if finding.is_abnormal() {
        class == SlipClass::Small
    } else {
        class == SlipClass::Retrolisthesis || percent >= CLEAR_SLIP_PERCENT
    };
    disagrees.then_some(Contradiction::Slip(percent, level))
}

fn narrowing(finding: &Finding, height: f64, neighbors: &[(DiscLevel, f64)]) -> Option<Contradiction> {
    if neighbors.is_empty() {
        return None;
    }
    let is_lowest = neighbors.iter().all(|(_, other)| height < LOST_HEIGHT * other);
    let is_highest = neighbors.iter().all(|(_, other)| height >= *other);
    let disagrees = !finding.is_abnormal() && is_lowest || finding.class >= MODERATE_LOSS && is_highest;
    disagrees.then(|| Contradiction::Height(height, neighbors.to_vec()))
}

/// "L3-L4 9.0 mm, L5-S1 8.5 mm".
pub(super) fn heights_in_words(heights: &[(DiscLevel, f64)], language: Language) -> String {
    let height = |mm: f64| MeasuredValue::Millimeters(mm).in_words(language);
    heights.iter().map(|(level, mm)| format!("{level} {}", height(*mm))).collect::<Vec<_>>().join(", ")
}

fn stenosis(finding: &Finding, width_mm: f64) -> Option<Contradiction> {
    let [narrow, wide] = CANAL_WIDTHS_MM;
    let disagrees = if finding.is_abnormal() { width_mm >= wide } else { width_mm < narrow };
    disagrees.then_some(Contradiction::Canal(width_mm))
}

#[cfg(test)]
mod tests {
    use super::super::findings::tests::disc;
    use super::*;
    use crate::records::DiscMeasures;

    fn texts(grading: Grading, class: usize, measured: DiscMeasures, [above, height, below]: [f64; 3]) -> Vec<String> {
        let mut found = disc(DiscLevel::L4L5, &[(grading, class, 0.62)]);
        found.measured = DiscMeasures { height_mm: Some(height), ..measured };
        found.beside_mm = vec![(DiscLevel::L3L4, above), (DiscLevel::L5S1, below)];
        conflicts(&found).into_iter().map(|conflict| conflict.text(Language::ENGLISH)).collect()
    }

    #[test]
    fn a_slip_that_is_called_and_not_measured_is_a_conflict() {
        let measured = |percent| DiscMeasures { slip_percent: Some(percent), ..DiscMeasures::default() };
        let said = |class, percent| texts(Grading::Spondylolisthesis, class, measured(percent), [8.0; 3]);
        assert_eq!(said(1, -3.3), ["spondylolisthesis present (62 %), measured slip 3 %"]);
        let usual = "spondylolisthesis present (62 %), measured slip 8 % backward, usual at L4-L5";
        assert_eq!(said(1, -8.0), [usual]);
        // 95 of 100 discs L4-L5 without a slip measure -12 to -1 percent.
        let unusual = "spondylolisthesis present (62 %), measured slip 0 %, further forward than usual at L4-L5";
        assert_eq!(said(1, 0.3), [unusual]);
        assert_eq!(said(0, -8.0), [] as [&str; 0]);
        assert_eq!(said(0, -14.0), ["spondylolisthesis absent (62 %), measured slip 14 % backward, retrolisthesis"]);
        assert_eq!(said(1, 14.0), [] as [&str; 0]);
        assert_eq!(said(0, 14.0), ["spondylolisthesis absent (62 %), measured slip 14 % forward, Meyerding I"]);
        assert_eq!(said(0, 7.0), [] as [&str; 0], "within the error of the corners");
        assert!(texts(Grading::Spondylolisthesis, 1, DiscMeasures::default(), [8.0; 3]).is_empty(), "not measured");
    }

    #[test]
    fn loss_of_height_is_held_against_the_discs_above_and_below() {
        let said = |class, heights| texts(Grading::DiscNarrowing, class, DiscMeasures::default(), heights);
        assert_eq!(
            said(2, [8.0, 9.0, 8.5]),
            ["narrowing 3 (62 %), measured height 9.0 mm (L3-L4 8.0 mm, L5-S1 8.5 mm)"]
        );
        assert_eq!(
            said(0, [9.0, 4.0, 8.5]),
            ["narrowing 1 (62 %), measured height 4.0 mm (L3-L4 9.0 mm, L5-S1 8.5 mm)"]
        );
        for (class, heights) in [(2, [9.0, 6.0, 8.5]), (0, [9.0, 6.0, 8.5]), (1, [8.0, 9.0, 8.5])] {
            assert!(said(class, heights).is_empty(), "{class} {heights:?}");
        }
    }

    #[test]
    fn a_canal_that_a_reader_measured_is_held_against_stenosis() {
        let measured = |width| DiscMeasures { canal_mm: Some(width), ..DiscMeasures::default() };
        let said = |class, width| texts(Grading::CentralCanalStenosis, class, measured(width), [8.0; 3]).len();
        assert_eq!([said(1, 14.0), said(1, 11.0), said(0, 11.0), said(0, 8.0)], [1, 0, 0, 1]);
    }
}
