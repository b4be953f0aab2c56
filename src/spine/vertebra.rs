//! Vertebral bodies and the discs between them.

use glam::{DVec2, DVec3};

use super::{DiscLevel, VertebraLabel};
use crate::volume::VolumeGeometry;

/// The four corners of a vertebral body on one slice, in image pixels (x, y).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corners {
    /// Superior-anterior.
    pub sa: DVec2,
    /// Superior-posterior.
    pub sp: DVec2,
    /// Inferior-posterior.
    pub ip: DVec2,
    /// Inferior-anterior.
    pub ia: DVec2,
}

impl Corners {
    /// Corners in the order SA, SP, IP, IA: around the body.
    #[must_use]
    pub fn as_array(&self) -> [DVec2; 4] {
        [self.sa, self.sp, self.ip, self.ia]
    }

    /// Corners from the order SA, SP, IP, IA.
    #[must_use]
    pub fn from_array([sa, sp, ip, ia]: [DVec2; 4]) -> Self {
        Self { sa, sp, ip, ia }
    }

    /// Closes the outline of a body of which only the upper endplate is known, such as S1: the lower corners lie
    /// `height_mm` below it at right angles. `None` if the endplate is a point.
    #[must_use]
    pub(crate) fn from_upper_endplate(sa: DVec2, sp: DVec2, pixel_size_mm: DVec2, height_mm: f64) -> Option<Self> {
        let down = Self::downward(sa, sp, pixel_size_mm)? * height_mm / pixel_size_mm;
        Some(Self { sa, sp, ip: sp + down, ia: sa + down })
    }

    /// Closes the outline of a body cut off by the upper image edge: the upper corners lie `height_mm` above the lower
    /// endplate at right angles, outside the image if need be. `None` if the endplate is a point.
    #[must_use]
    pub(crate) fn from_lower_endplate(ip: DVec2, ia: DVec2, pixel_size_mm: DVec2, height_mm: f64) -> Option<Self> {
        let up = -Self::downward(ia, ip, pixel_size_mm)? * height_mm / pixel_size_mm;
        Some(Self { sa: ia + up, sp: ip + up, ip, ia })
    }

    /// Unit normal of an endplate that points down the image, in millimeters; whichever side anterior is on.
    fn downward(anterior: DVec2, posterior: DVec2, pixel_size_mm: DVec2) -> Option<DVec2> {
        let normal = ((posterior - anterior) * pixel_size_mm).perp().try_normalize()?;
        Some(if normal.y < 0.0 { -normal } else { normal })
    }

    /// Mean of the four corners.
    #[must_use]
    pub fn center(&self) -> DVec2 {
        (self.sa + self.sp + self.ip + self.ia) / 4.0
    }

    /// Whether an image point lies inside the quadrilateral (even-odd rule).
    #[must_use]
    pub fn contains(&self, point: DVec2) -> bool {
        let corners = self.as_array();
        let mut inside = false;
        for (index, a) in corners.iter().enumerate() {
            let b = corners[(index + 1) % 4];
            if (a.y > point.y) != (b.y > point.y) {
                let crossing = a.x + (point.y - a.y) / (b.y - a.y) * (b.x - a.x);
                inside ^= point.x < crossing;
            }
        }
        inside
    }
}

/// Corners of a body on one slice of the scan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VertebraOutline {
    /// Slice index after sorting by position.
    pub slice: usize,
    /// Corners in image pixels.
    pub corners: Corners,
}

/// A labelled vertebral body, seen on one or more slices.
///
/// Of S1 the upper endplate is known; its lower corners are an extrapolation that closes the quadrilateral.
#[derive(Debug, Clone, PartialEq)]
pub struct Vertebra {
    pub label: VertebraLabel,
    /// Probability that the body exists and the label is right, 0 to 1.
    pub confidence: f32,
    /// Outlines, ascending by slice; never empty.
    pub outlines: Vec<VertebraOutline>,
}

impl Vertebra {
    /// The outline on `slice`: measured there, interpolated between measured neighbours, or the nearest one beyond the
    /// ends. `slice` may be fractional. `None` only if there is no outline at all.
    #[must_use]
    pub fn corners_at(&self, slice: f64) -> Option<Corners> {
        let after = self.outlines.iter().find(|outline| outline.slice as f64 >= slice);
        let before = self.outlines.iter().rev().find(|outline| outline.slice as f64 <= slice);
        match (before, after) {
            (Some(a), Some(b)) if a.slice != b.slice => {
                let t = (slice - a.slice as f64) / (b.slice - a.slice) as f64;
                let (from, to) = (a.corners.as_array(), b.corners.as_array());
                Some(Corners::from_array(std::array::from_fn(|i| from[i].lerp(to[i], t))))
            }
            (Some(outline), _) | (_, Some(outline)) => Some(outline.corners),
            (None, None) => None,
        }
    }

    /// Mean slice index of the outlines: where the body's middle lies across the slices.
    #[must_use]
    pub(crate) fn center_slice(&self) -> f64 {
        self.outlines.iter().map(|outline| outline.slice as f64).sum::<f64>() / self.outlines.len().max(1) as f64
    }

    /// Center of the body in the patient: mean over its outlines' centers.
    #[must_use]
    pub fn centroid_lps(&self, geometry: &VolumeGeometry) -> DVec3 {
        let sum: DVec3 = self
            .outlines
            .iter()
            .map(|outline| {
                let center = outline.corners.center();
                geometry.lps_from_voxel([outline.slice as f64, center.y, center.x])
            })
            .sum();
        sum / self.outlines.len().max(1) as f64
    }
}

/// A disc between two labelled bodies.
#[derive(Debug, Clone, PartialEq)]
pub struct Disc {
    pub level: DiscLevel,
    /// Middle of the disc as fractional voxel index `[slice, row, column]`: the centroid of the area between the four
    /// corners facing it (a wedge's lies towards its thick side), on its middle slice.
    pub center_voxel: [f64; 3],
    /// The body above.
    pub upper: Vertebra,
    /// The body below.
    pub lower: Vertebra,
}

impl Disc {
    /// The disc of `level` between two bodies; `None` if either has no outline.
    #[must_use]
    pub(crate) fn between(level: DiscLevel, upper: &Vertebra, lower: &Vertebra) -> Option<Self> {
        let slice = f64::midpoint(upper.center_slice(), lower.center_slice());
        let (above, below) = (upper.corners_at(slice)?, lower.corners_at(slice)?);
        let center = centroid([above.ia, above.ip, below.sp, below.sa]);
        Some(Self { level, center_voxel: [slice, center.y, center.x], upper: upper.clone(), lower: lower.clone() })
    }

    /// Middle of the disc in the patient.
    #[must_use]
    pub(crate) fn center_lps(&self, geometry: &VolumeGeometry) -> DVec3 {
        geometry.lps_from_voxel(self.center_voxel)
    }
}

/// Centroid of a quadrilateral's area; of a crossed or flat one the mean of its corners.
fn centroid(corners: [DVec2; 4]) -> DVec2 {
    let [a, b, c, d] = corners;
    let (first, second) = ((b - a).perp_dot(c - a), (c - a).perp_dot(d - a));
    if first * second <= 0.0 {
        return (a + b + c + d) / 4.0;
    }
    ((a + b + c) * first + (a + c + d) * second) / (3.0 * (first + second))
}

/// The graded discs between adjacent labelled bodies, from the thorax down.
#[must_use]
pub fn discs_between(vertebrae: &[Vertebra]) -> Vec<Disc> {
    let find = |label: VertebraLabel| vertebrae.iter().find(|vertebra| vertebra.label == label);
    DiscLevel::of_spine(vertebrae.iter().map(|vertebra| vertebra.label))
        .iter()
        .filter_map(|level| Disc::between(*level, find(level.upper())?, find(level.lower())?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: f64, y: f64) -> Corners {
        let at = |dx, dy| DVec2::new(x + dx, y + dy);
        Corners { sa: at(0.0, 0.0), sp: at(10.0, 0.0), ip: at(10.0, 10.0), ia: at(0.0, 10.0) }
    }

    fn body(label: VertebraLabel, y: f64) -> Vertebra {
        let outline = |slice, x| VertebraOutline { slice, corners: square(x, y) };
        Vertebra { label, confidence: 1.0, outlines: vec![outline(2, 0.0), outline(4, 2.0)] }
    }

    #[test]
    fn corners_interpolate_between_slices_and_hold_beyond() {
        let body = body(VertebraLabel::L4, 0.0);
        assert_eq!(body.corners_at(3.0).expect("outlines").sa.x, 1.0);
        assert_eq!(body.corners_at(0.0).expect("outlines").sa.x, 0.0);
        assert_eq!(body.corners_at(9.0).expect("outlines").sa.x, 2.0);
        assert_eq!(body.center_slice(), 3.0);
    }

    #[test]
    fn discs_lie_between_adjacent_labels_only() {
        let discs = discs_between(&[
            body(VertebraLabel::L2, 0.0),
            body(VertebraLabel::L4, 20.0),
            body(VertebraLabel::L5, 40.0),
        ]);
        assert_eq!(discs.len(), 1);
        assert_eq!(discs[0].level, DiscLevel::L4L5);
        assert_eq!(discs[0].center_voxel, [3.0, 35.0, 6.0]);
        let six = [VertebraLabel::L5, VertebraLabel::L6, VertebraLabel::S1];
        let six: Vec<_> = six.into_iter().enumerate().map(|(index, label)| body(label, 20.0 * index as f64)).collect();
        let levels: Vec<_> = discs_between(&six).into_iter().map(|disc| disc.level).collect();
        assert_eq!(levels, [DiscLevel::L5L6, DiscLevel::L6S1]);
    }

    #[test]
    fn half_marked_bodies_are_closed_at_right_angles_in_millimeters() {
        let pixel = DVec2::new(0.8, 0.5);
        let (sa, sp) = (DVec2::new(10.0, 20.0), DVec2::new(50.0, 4.0));
        for (a, p) in [(sa, sp), (sp, sa)] {
            let corners = Corners::from_upper_endplate(a, p, pixel, 25.0).expect("a line");
            let (edge, side) = ((corners.sp - corners.sa) * pixel, (corners.ia - corners.sa) * pixel);
            assert!(edge.dot(side).abs() < 1e-9 && (side.length() - 25.0).abs() < 1e-9 && side.y > 0.0);
            let back = Corners::from_lower_endplate(corners.ip, corners.ia, pixel, 25.0).expect("a line");
            assert!((back.sa - corners.sa).length() < 1e-9 && (back.sp - corners.sp).length() < 1e-9);
        }
        assert_eq!(Corners::from_upper_endplate(sa, sa, pixel, 25.0), None);
    }

    #[test]
    fn the_middle_of_a_wedge_lies_towards_its_thick_side() {
        let at = DVec2::new;
        // Heights 2 and 4 over a width of 6: the centroid lies at 6 / 3 * (2 + 2 * 4) / (2 + 4).
        let center = centroid([at(0.0, 0.0), at(6.0, 0.0), at(6.0, 4.0), at(0.0, 2.0)]);
        assert!((center.x - 10.0 / 3.0).abs() < 1e-12);
        // Crossed endplates enclose nothing to take the centroid of.
        assert_eq!(centroid([at(0.0, 0.0), at(4.0, 2.0), at(4.0, 0.0), at(0.0, 2.0)]), at(2.0, 1.0));
    }

    #[test]
    fn a_quadrilateral_contains_its_center() {
        let corners = square(3.0, 4.0);
        assert!(corners.contains(corners.center()));
        assert!(!corners.contains(DVec2::new(2.0, 5.0)));
    }
}
