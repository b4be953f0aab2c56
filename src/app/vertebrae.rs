//! Correcting what the detector found: moving corners and bodies, deleting and adding vertebrae.

use glam::DVec2;

use super::correction::with_vertebrae;
use super::{Command, Event, Viewer};
use crate::spine::{Corners, Vertebra, VertebraLabel, VertebraOutline};
use crate::ui::action::VertebraAction;
use crate::ui::language::tr;
use crate::ui::state::BannerKind;
use crate::volume::VolumeGeometry;
use crate::worker::{Loadable, Work};

/// Depth and height of a body that is added where there is no other to copy the shape from, mm.
const USUAL_BODY_MM: DVec2 = DVec2::new(35.0, 27.0);

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Changes the vertebral bodies.
    pub(super) fn apply_vertebra(&mut self, action: VertebraAction) {
        match action {
            VertebraAction::RelabelDisc { from, to } => self.relabel_disc(from, to),
            VertebraAction::Renumber(levels) => self.renumber(levels),
            VertebraAction::Reshape { label, corners } => self.reshape_vertebra(label, corners),
            VertebraAction::Delete(label) => self.delete_vertebra(label),
            VertebraAction::Add(point) => self.add_vertebra(point),
        }
    }

    /// The selected disc is really so many levels lower.
    fn renumber(&mut self, levels: isize) {
        let Some(from) = self.state.reading.selection.map(|selection| selection.level) else {
            return self.tell(BannerKind::Warning, tr!("Select a disc first: click its name on the image.").to_owned());
        };
        let all = self.state.reading.findings.levels();
        let at = all.iter().position(|level| *level == from).and_then(|at| at.checked_add_signed(levels));
        if let Some(to) = at.and_then(|at| all.get(at)).copied() {
            self.relabel_disc(from, to);
        }
    }

    /// New corners of a body on the slice shown; the discs beside it are graded again.
    fn reshape_vertebra(&mut self, label: VertebraLabel, corners: Corners) {
        let slice = self.state.view.slice;
        let mut vertebrae = self.state.reading.findings.vertebrae.clone();
        let Some(vertebra) = vertebrae.iter_mut().find(|vertebra| vertebra.label == label) else { return };
        match vertebra.outlines.iter_mut().find(|outline| outline.slice == slice) {
            Some(outline) => outline.corners = corners,
            None => vertebra.outlines.push(VertebraOutline { slice, corners }),
        }
        vertebra.outlines.sort_by_key(|outline| outline.slice);
        // What a reader placed is sure.
        vertebra.confidence = 1.0;
        self.change(tr!("outline"), with_vertebrae(&self.state.reading.findings, vertebrae));
    }

    /// Takes a body away; the names of the others stay.
    fn delete_vertebra(&mut self, label: VertebraLabel) {
        let mut vertebrae = self.state.reading.findings.vertebrae.clone();
        vertebrae.retain(|vertebra| vertebra.label != label);
        self.change(tr!("deletion of a vertebra"), with_vertebrae(&self.state.reading.findings, vertebrae));
    }

    /// Adds a body around an image point; its name follows from its neighbours.
    fn add_vertebra(&mut self, point: DVec2) {
        let Some(series) = self.state.loaded() else { return };
        let geometry = series.volume.geometry();
        let vertebrae = with_added(&self.state.reading.findings.vertebrae, point, self.state.view.slice, geometry);
        // A reader may start where the detector found nothing.
        if self.state.reading.detection.ready().is_none() {
            self.state.reading.detection = Loadable::Ready(std::sync::Arc::new(()));
        }
        self.change(tr!("new vertebra"), with_vertebrae(&self.state.reading.findings, vertebrae));
    }
}

/// The bodies with one more around `point`, shaped like its neighbour. Levels are counted from the sacrum: where no
/// name is free, the bodies above move up by one.
fn with_added(vertebrae: &[Vertebra], point: DVec2, slice: usize, geometry: &VolumeGeometry) -> Vec<Vertebra> {
    let center =
        |vertebra: &Vertebra| vertebra.corners_at(slice as f64).map_or(DVec2::ZERO, |corners| corners.center());
    let mut bodies = vertebrae.to_vec();
    let place = bodies.iter().filter(|body| center(body).y < point.y).count();
    let has_six = bodies.iter().any(|body| body.label == VertebraLabel::L6);
    let above = |label: VertebraLabel| match label {
        VertebraLabel::S1 if has_six => Some(VertebraLabel::L6),
        label => label.above(1),
    };
    let wanted = match (bodies.get(place), bodies.last()) {
        (Some(below), _) => above(below.label),
        (None, Some(lowest)) => lowest.label.above(-1),
        (None, None) => Some(VertebraLabel::L3),
    };
    let label = wanted.unwrap_or(if place == 0 { VertebraLabel::T8 } else { VertebraLabel::S1 });
    if bodies[..place].last().is_some_and(|above| above.label >= label) {
        let higher: Vec<Vertebra> = bodies.drain(..place).collect();
        let moved = higher.into_iter().filter_map(|body| Some(Vertebra { label: above(body.label)?, ..body }));
        bodies.splice(..0, moved.collect::<Vec<_>>());
    }
    let neighbour = bodies.iter().min_by(|a, b| center(a).distance(point).total_cmp(&center(b).distance(point)));
    let outlines = match neighbour {
        Some(body) => {
            let shift = point - center(body);
            let moved = |outline: &VertebraOutline| {
                let corners = Corners::from_array(outline.corners.as_array().map(|corner| corner + shift));
                VertebraOutline { corners, ..*outline }
            };
            body.outlines.iter().map(moved).collect()
        }
        None => vec![VertebraOutline { slice, corners: usual_corners(point, geometry) }],
    };
    bodies.retain(|body| body.label != label);
    bodies.push(Vertebra { label, confidence: 1.0, outlines });
    bodies.sort_by_key(|body| body.label);
    bodies
}

/// An upright body of the usual size, anterior on the side where the scan has it.
fn usual_corners(point: DVec2, geometry: &VolumeGeometry) -> Corners {
    let half = USUAL_BODY_MM / geometry.pixel_size_mm() / 2.0;
    // Patient y grows towards the back.
    let posterior = if geometry.column_direction().y < 0.0 { -half.x } else { half.x };
    let at = |x: f64, y: f64| point + DVec2::new(x, y);
    Corners {
        sa: at(-posterior, -half.y),
        sp: at(posterior, -half.y),
        ip: at(posterior, half.y),
        ia: at(-posterior, half.y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::{small_spine, small_volume};

    fn labels(vertebrae: &[Vertebra]) -> Vec<VertebraLabel> {
        vertebrae.iter().map(|vertebra| vertebra.label).collect()
    }

    fn added(vertebrae: &[Vertebra], y: f64) -> Vec<Vertebra> {
        with_added(vertebrae, DVec2::new(40.0, y), 4, small_volume().geometry())
    }

    #[test]
    fn an_added_body_takes_the_free_name() {
        use VertebraLabel::{L2, L3, L4, L5, S1};
        let mut spine = small_spine();
        let removed = spine.remove(1);
        let middle = removed.corners_at(4.0).expect("an outline").center().y;
        let back = added(&spine, middle);
        assert_eq!(labels(&back), [L3, L4, L5, S1]);
        assert_eq!(back[1].outlines.len(), removed.outlines.len(), "on the slices of its neighbour");
        assert_eq!(labels(&added(&small_spine(), 2.0)), [L2, L3, L4, L5, S1], "above all others");
    }

    #[test]
    fn where_no_name_is_free_the_bodies_above_move_up() {
        use VertebraLabel::{L2, L3, L4, L5, S1};
        let spine = small_spine();
        assert_eq!(labels(&added(&spine, 30.0)), [L2, L3, L4, L5, S1], "between L3 and L4");
        assert_eq!(labels(&added(&spine, 118.0)), [L2, L3, L4, L5, S1], "below S1");
        assert_eq!(labels(&added(&[], 50.0)), [L3]);
        let mut six = spine;
        six[2].label = VertebraLabel::L6;
        six[1].label = VertebraLabel::L5;
        six[0].label = VertebraLabel::L4;
        assert_eq!(labels(&added(&six, 95.0)), [L3, L4, L5, VertebraLabel::L6, S1], "between L6 and S1");
    }
}
