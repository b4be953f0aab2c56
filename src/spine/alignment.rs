//! The same place in two examinations of one patient, by the vertebral bodies that both show.

use glam::DVec3;

use super::Vertebra;
use crate::volume::VolumeGeometry;

/// Rounds in which [`SpineAlignment::here`] comes closer; neighbouring bodies moved by nearly the same, so few suffice.
const ROUNDS: usize = 12;

/// Where every place of one examination lies in another: as the bodies around it moved.
///
/// Two examinations have patient coordinates of their own, and the patient lies differently in each. Around a body the
/// shift is that body's; between bodies it goes smoothly from one to the other (weights of inverse squared distance).
#[derive(Debug, Clone, PartialEq)]
pub struct SpineAlignment {
    /// Centers of one body here and there, LPS, mm; never empty.
    pairs: Vec<[DVec3; 2]>,
}

impl SpineAlignment {
    /// By the bodies of the same name; `None` if there is none.
    #[must_use]
    pub(crate) fn between(here: (&[Vertebra], &VolumeGeometry), there: (&[Vertebra], &VolumeGeometry)) -> Option<Self> {
        let pair = |body: &Vertebra| {
            let other = there.0.iter().find(|other| other.label == body.label)?;
            Some([body.centroid_lps(here.1), other.centroid_lps(there.1)])
        };
        let pairs: Vec<_> = here.0.iter().filter_map(pair).collect();
        (!pairs.is_empty()).then_some(Self { pairs })
    }

    /// Number of bodies that both examinations show.
    #[must_use]
    pub(crate) fn bodies(&self) -> usize {
        self.pairs.len()
    }

    /// Where a place of this examination lies in the other, LPS, mm.
    #[must_use]
    pub(crate) fn there(&self, here: DVec3) -> DVec3 {
        here + self.shift_at(here)
    }

    /// Inverse of [`Self::there`].
    #[must_use]
    pub(crate) fn here(&self, there: DVec3) -> DVec3 {
        (0..ROUNDS).fold(there, |here, _| there - self.shift_at(here))
    }

    fn shift_at(&self, here: DVec3) -> DVec3 {
        let (mut sum, mut weights) = (DVec3::ZERO, 0.0);
        for [center, other] in &self.pairs {
            // Within a millimeter of a center nothing else counts.
            let weight = 1.0 / here.distance_squared(*center).max(1.0);
            sum += (*other - *center) * weight;
            weights += weight;
        }
        sum / weights
    }
}

#[cfg(test)]
mod tests {
    use glam::DVec2;

    use super::*;
    use crate::spine::{Corners, VertebraLabel, VertebraOutline};

    /// Bodies 30 mm apart, the one at `index` at row `30 index` and column `columns[index]`.
    fn spine(labels: &[VertebraLabel], columns: &[f64]) -> Vec<Vertebra> {
        let body = |(index, label): (usize, &VertebraLabel)| {
            let center = DVec2::new(columns[index], 30.0 * index as f64);
            let at = |dx, dy| center + DVec2::new(dx, dy);
            let corners = Corners { sa: at(-9.0, -9.0), sp: at(9.0, -9.0), ip: at(9.0, 9.0), ia: at(-9.0, 9.0) };
            Vertebra { label: *label, confidence: 1.0, outlines: vec![VertebraOutline { slice: 1, corners }] }
        };
        labels.iter().enumerate().map(body).collect()
    }

    fn geometry(origin: DVec3) -> VolumeGeometry {
        let origins = (0..3).map(|slice| origin + DVec3::X * 4.0 * f64::from(slice)).collect();
        VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid")
    }

    #[test]
    fn each_body_moves_as_it_did_and_the_way_back_leads_back() {
        use VertebraLabel::{L2, L3, L4, L5};
        let (first, second) = (geometry(DVec3::ZERO), geometry(DVec3::new(12.0, -7.0, 55.0)));
        let (here, there) = (spine(&[L2, L3, L4], &[0.0, 0.0, 0.0]), spine(&[L3, L4, L5], &[2.0, 5.0, 9.0]));
        let alignment = SpineAlignment::between((&here, &first), (&there, &second)).expect("two bodies in common");
        assert_eq!(alignment.bodies(), 2);
        for (index, body) in here.iter().enumerate().skip(1) {
            let found = alignment.there(body.centroid_lps(&first));
            let right = there[index - 1].centroid_lps(&second);
            assert!((found - right).length() < 0.01, "{found} {right}");
        }
        for point in [DVec3::new(4.0, 20.0, -45.0), DVec3::new(-3.0, 60.0, 30.0), DVec3::new(9.0, -40.0, -80.0)] {
            assert!((alignment.here(alignment.there(point)) - point).length() < 1e-3, "{point}");
        }
        assert_eq!(SpineAlignment::between((&here[..1], &first), (&there, &second)), None);
    }
}
