//! Where abnormal findings lie, learned from readers' boxes: boxes that no evidence stands behind.

use super::ReportedStudy;
use super::evidence::abnormal_grades;
use crate::model::location::LocationModel;
use crate::spine::{ClassIndex, Disc, DiscFrame, Grading, SliceBox};
use crate::volume::Volume;

/// The learned location of a graded finding of a disc; none where the grade is normal or no boxes taught it.
#[must_use]
pub(crate) fn learned_location(volume: &Volume, disc: &Disc, finding: (Grading, ClassIndex)) -> Vec<SliceBox> {
    let frame = DiscFrame::of_disc(volume, disc);
    frame.map_or_else(|_| Vec::new(), |frame| LocationModel::shipped().boxes(volume, disc, &frame, finding))
}

/// Adds the learned locations of the abnormal grades of the report to the study's boxes.
pub(crate) fn add_learned_locations(study: &mut ReportedStudy) {
    for (level, grading, class) in abnormal_grades(study) {
        if let Some(disc) = study.discs.iter().find(|disc| disc.level == level) {
            study.boxes.extend(learned_location(&study.series.volume, disc, (grading, class)));
        }
    }
}
