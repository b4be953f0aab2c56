//! What follows when the reader corrects a level: names, grades, comments and boxes move with the discs.

use crate::detection::{RelabelError, relabel};
use crate::spine::{Disc, DiscLevel, DiscPrediction, SliceBox, Vertebra, VertebraLabel, discs_between};
use crate::ui::state::Findings;

/// The findings after the disc called `from` was named `to`; all other names move with it, and so do boxes and the
/// reader's grades and comments. Those of discs that are pushed out of the six graded levels are dropped; undo brings
/// them back.
///
/// # Errors
/// If there is no disc of the level `from`.
pub(crate) fn relabelled(findings: &Findings, from: DiscLevel, to: DiscLevel) -> Result<Findings, RelabelError> {
    // L5 has its name above L6 and above S1, so the disc between L5 and L6 is named by the body below it.
    let (body, name) =
        if to.lower() == VertebraLabel::L6 { (from.lower(), to.lower()) } else { (from.upper(), to.upper()) };
    let index = findings.vertebrae.iter().position(|vertebra| vertebra.label == body);
    let vertebrae = relabel(&findings.vertebrae, index.unwrap_or(findings.vertebrae.len()), name)?;
    Ok(with_vertebrae(findings, vertebrae))
}

/// The findings with other bodies. Boxes, grades and comments follow a disc that got another name; those of a disc
/// whose outlines changed stay with its name; those of a disc that is gone are dropped.
pub(crate) fn with_vertebrae(findings: &Findings, vertebrae: Vec<Vertebra>) -> Findings {
    let (before, after) = (discs_between(&findings.vertebrae), discs_between(&vertebrae));
    let new_level = |level: DiscLevel| {
        let disc = before.iter().find(|disc| disc.level == level)?;
        let same_place = after.iter().find(|other| is_same_disc(other, disc));
        let same_name =
            || after.iter().find(|other| other.level == level && !before.iter().any(|b| is_same_disc(b, other)));
        same_place.or_else(same_name).map(|other| other.level)
    };
    let moved = |slice_box: &SliceBox| Some(SliceBox { level: new_level(slice_box.level)?, ..slice_box.clone() });
    let boxes = findings.boxes.iter().filter_map(moved).collect();
    let readings = findings.readings.iter().map(|reading| reading.renamed(new_level)).collect();
    Findings { vertebrae, vertebrae_corrected: true, boxes, review: findings.review.renamed(new_level), readings }
}

/// Whether two discs lie between the same outlines, whatever they are called: then their grades are the same.
pub(crate) fn is_same_disc(a: &Disc, b: &Disc) -> bool {
    a.upper.outlines == b.upper.outlines && a.lower.outlines == b.lower.outlines
}

/// Grades by place in the scan: a grade belongs to the tissue, not to the name, so a corrected level needs no new grading.
#[derive(Default)]
pub(crate) struct GradeBook {
    entries: Vec<(Disc, DiscPrediction)>,
}

impl GradeBook {
    /// Remembers the grades of a disc.
    pub(crate) fn enter(&mut self, disc: Disc, grades: DiscPrediction) {
        self.entries.retain(|(known, _)| !is_same_disc(known, &disc));
        self.entries.push((disc, grades));
    }

    /// The grades of a disc under its present name, whatever it was called when it was graded.
    #[must_use]
    pub(crate) fn look_up(&self, disc: &Disc) -> Option<DiscPrediction> {
        let (_, grades) = self.entries.iter().find(|(known, _)| is_same_disc(known, disc))?;
        Some(DiscPrediction { level: disc.level, ..grades.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{BoxSource, Corners, Grading, PerGrading, PixelBox, VertebraOutline};
    use glam::DVec2;

    fn body(label: VertebraLabel, y: f64) -> Vertebra {
        let at = |x, dy| DVec2::new(x, y + dy);
        let corners = Corners { sa: at(10.0, 0.0), sp: at(40.0, 0.0), ip: at(40.0, 20.0), ia: at(10.0, 20.0) };
        Vertebra { label, confidence: 0.9, outlines: vec![VertebraOutline { slice: 4, corners }] }
    }

    fn findings() -> Findings {
        use VertebraLabel::{L3, L4, L5, S1};
        let labels = [L3, L4, L5, S1];
        let vertebrae = labels.iter().enumerate().map(|(index, label)| body(*label, index as f64 * 30.0)).collect();
        let rect = PixelBox { x: 10.0, y: 50.0, width: 8.0, height: 6.0 };
        let on = |level| SliceBox {
            level,
            grading: Grading::Pfirrmann,
            slice: 4,
            rect,
            source: BoxSource::Reader,
            percentile: None,
        };
        Findings { vertebrae, boxes: vec![on(DiscLevel::L4L5), on(DiscLevel::L5S1)], ..Findings::default() }
    }

    #[test]
    fn boxes_follow_their_disc() {
        let after = relabelled(&findings(), DiscLevel::L4L5, DiscLevel::L3L4).expect("exists");
        let levels: Vec<_> = after.boxes.iter().map(|slice_box| slice_box.level).collect();
        assert_eq!(levels, [DiscLevel::L3L4, DiscLevel::L4L5]);
        assert!(relabelled(&findings(), DiscLevel::L1L2, DiscLevel::L2L3).is_err());
        let six = relabelled(&findings(), DiscLevel::L4L5, DiscLevel::L5L6).expect("exists");
        let levels: Vec<_> = six.boxes.iter().map(|slice_box| slice_box.level).collect();
        assert_eq!(levels, [DiscLevel::L5L6, DiscLevel::L6S1]);
        assert_eq!(six, relabelled(&findings(), DiscLevel::L5S1, DiscLevel::L6S1).expect("exists"));
        let back = relabelled(&six, DiscLevel::L6S1, DiscLevel::L5S1).expect("exists");
        assert_eq!(back.boxes, findings().boxes);
    }

    #[test]
    fn grades_are_found_under_the_new_name() {
        let before = findings();
        let mut book = GradeBook::default();
        let probabilities = PerGrading::from_fn(Grading::PAPER, |grading| vec![1.0; grading.classes()]);
        for disc in discs_between(&before.vertebrae) {
            let (probabilities, spread) = (probabilities.clone(), PerGrading::default());
            let grades = DiscPrediction {
                level: disc.level,
                probabilities,
                spread,
                at_prevalence: PerGrading::default(),
                is_familiar: true,
            };
            book.enter(disc, grades);
        }
        let after = relabelled(&before, DiscLevel::L4L5, DiscLevel::L3L4).expect("exists");
        let discs = discs_between(&after.vertebrae);
        assert_eq!(discs.len(), 3);
        assert!(discs.iter().all(|disc| book.look_up(disc).is_some_and(|grades| grades.level == disc.level)));
    }
}
