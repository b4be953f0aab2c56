//! What follows when the reader corrects a level: names, grades and boxes move with the discs.

use crate::detection::{RelabelError, relabel};
use crate::spine::{Disc, DiscLevel, SliceBox, Vertebra, discs_between};
use crate::ui::state::{DiscGrades, Findings};

/// The findings after the disc called `from` was named `to`; all other names move with it, and so do the boxes.
/// Boxes of discs that are pushed out of the six graded levels are dropped; undo brings them back.
///
/// # Errors
/// If there is no disc of the level `from`.
pub fn relabelled(findings: &Findings, from: DiscLevel, to: DiscLevel) -> Result<Findings, RelabelError> {
    let upper = findings.vertebrae.iter().position(|vertebra| vertebra.label == from.upper());
    let vertebrae = relabel(&findings.vertebrae, upper.unwrap_or(findings.vertebrae.len()), to.upper())?;
    let boxes = moved_boxes(&findings.boxes, &findings.vertebrae, &vertebrae);
    Ok(Findings { vertebrae, boxes })
}

fn moved_boxes(boxes: &[SliceBox], before: &[Vertebra], after: &[Vertebra]) -> Vec<SliceBox> {
    let (before, after) = (discs_between(before), discs_between(after));
    let new_level = |level: DiscLevel| {
        let disc = before.iter().find(|disc| disc.level == level)?;
        after.iter().find(|other| is_same_disc(other, disc)).map(|other| other.level)
    };
    let moved = |slice_box: &SliceBox| Some(SliceBox { level: new_level(slice_box.level)?, ..slice_box.clone() });
    boxes.iter().filter_map(moved).collect()
}

/// Whether two discs are the same place of the scan, whatever they are called.
pub fn is_same_disc(a: &Disc, b: &Disc) -> bool {
    a.center_voxel.iter().zip(b.center_voxel).all(|(a, b)| (a - b).abs() < 1e-6)
}

/// Grades by place in the scan: a grade belongs to the tissue, not to the name, so a corrected level needs no new grading.
#[derive(Default)]
pub struct GradeBook {
    entries: Vec<(Disc, DiscGrades)>,
}

impl GradeBook {
    /// Remembers the grades of a disc.
    pub fn enter(&mut self, disc: Disc, grades: DiscGrades) {
        self.entries.retain(|(known, _)| !is_same_disc(known, &disc));
        self.entries.push((disc, grades));
    }

    /// The grades of a disc, whatever it was called when it was graded.
    #[must_use]
    pub fn look_up(&self, disc: &Disc) -> Option<&DiscGrades> {
        self.entries.iter().find(|(known, _)| is_same_disc(known, disc)).map(|(_, grades)| grades)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{BoxSource, Corners, Grading, PerGrading, PixelBox, VertebraLabel, VertebraOutline};
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
        Findings { vertebrae, boxes: vec![on(DiscLevel::L4L5), on(DiscLevel::L5S1)] }
    }

    #[test]
    fn boxes_follow_their_disc() {
        let after = relabelled(&findings(), DiscLevel::L4L5, DiscLevel::L3L4).expect("exists");
        let levels: Vec<_> = after.boxes.iter().map(|slice_box| slice_box.level).collect();
        assert_eq!(levels, [DiscLevel::L3L4, DiscLevel::L4L5]);
        assert!(relabelled(&findings(), DiscLevel::L1L2, DiscLevel::L2L3).is_err());
    }

    #[test]
    fn grades_are_found_under_the_new_name() {
        let before = findings();
        let mut book = GradeBook::default();
        let grades = PerGrading::from_fn(|grading| vec![1.0; grading.classes()]);
        for disc in discs_between(&before.vertebrae) {
            book.enter(disc, grades.clone());
        }
        let after = relabelled(&before, DiscLevel::L4L5, DiscLevel::L3L4).expect("exists");
        let discs = discs_between(&after.vertebrae);
        assert_eq!(discs.len(), 3);
        assert!(discs.iter().all(|disc| book.look_up(disc).is_some()));
    }
}
