//! What a reader measures on a slice: lengths, angles, slips, heights of discs and widths of the canal.

use std::cmp::Ordering;

use glam::DVec2;
use serde::{Deserialize, Serialize};

use super::{Disc, DiscLevel};
use crate::language::{Language, say};

/// Slips of less are within the error of placing two points, whichever way.
pub(crate) const LEAST_SLIP_PERCENT: f64 = 5.0;
/// From so far backward on it is a retrolisthesis: of 1,319 discs without a slip, ten lie there.
const RETROLISTHESIS_PERCENT: f64 = -12.0;
/// A measurement belongs to the nearest disc whose middle lies within this distance of its own, mm: the canal lies that far
/// behind.
const REACH_MM: f64 = 32.0;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasurementKind {
    /// Distance between two points.
    Length,
    /// Angle at the second of three points.
    Angle,
    /// Angle between two lines, the acute one, as Cobb measured curvature between two endplates.
    Cobb,
    /// How far a vertebra slipped on the one below, in percent of the endplate's depth: the first two points are the
    /// posterior and the anterior end of the lower body's upper endplate, the third is the posterior lower corner of
    /// the upper body. Positive is forward (anterolisthesis).
    Slip,
    /// Distance between the endplates of a disc, in its middle.
    DiscHeight,
    /// Width of the spinal canal from front to back.
    CanalWidth,
}

impl MeasurementKind {
    /// All kinds in the order of the tool bar.
    pub const ALL: [Self; 6] = [Self::Length, Self::Angle, Self::Cobb, Self::Slip, Self::DiscHeight, Self::CanalWidth];

    /// Points that define it.
    #[must_use]
    pub fn points(self) -> usize {
        match self {
            Self::Length | Self::DiscHeight | Self::CanalWidth => 2,
            Self::Angle | Self::Slip => 3,
            Self::Cobb => 4,
        }
    }

    /// Name on screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "Length",
            Self::Angle => "Angle",
            Self::Cobb => "Cobb angle",
            Self::Slip => "Slip",
            Self::DiscHeight => "Disc height",
            Self::CanalWidth => "Canal width",
        }
    }

    /// Pairs of points that are joined by a line, of those that are there.
    #[must_use]
    pub fn lines(self) -> &'static [[usize; 2]] {
        match self {
            Self::Length | Self::Slip | Self::DiscHeight | Self::CanalWidth => &[[0, 1]],
            Self::Angle => &[[0, 1], [1, 2]],
            Self::Cobb => &[[0, 1], [2, 3]],
        }
    }

    /// What the next point is, given how many there are.
    #[must_use]
    pub fn next_point(self, placed: usize) -> &'static str {
        match (self, placed) {
            (Self::Length, 0) => "Click or drag from one end to the other",
            (Self::Length, _) => "Click the other end",
            (Self::DiscHeight, 0) => "Click or drag from one endplate to the other, in the middle of the disc",
            (Self::DiscHeight, _) => "Click the other endplate",
            (Self::CanalWidth, 0) => "Click or drag from the front of the canal to its back, at right angles to it",
            (Self::CanalWidth, _) => "Click the back of the canal",
            (Self::Angle, 0) => "Click or drag the first arm, ending at the vertex",
            (Self::Angle, 1) => "Click the vertex",
            (Self::Angle, _) => "Click the end of the second arm",
            (Self::Cobb, 0) => "Click or drag along the first endplate",
            (Self::Cobb, 1) => "Click the other end of the first endplate",
            (Self::Cobb, 2) => "Click or drag along the second endplate",
            (Self::Cobb, _) => "Click the other end of the second endplate",
            (Self::Slip, 0) => "Click the posterior end of the lower body's upper endplate",
            (Self::Slip, 1) => "Click its anterior end",
            (Self::Slip, _) => "Click the posterior lower corner of the upper body",
        }
    }
}

/// Points that a reader placed on one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    pub kind: MeasurementKind,
    /// Slice index after sorting by position.
    pub slice: usize,
    /// Image positions (x, y) in pixels, as many as [`MeasurementKind::points`].
    pub points: Vec<DVec2>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MeasuredValue {
    /// Distance in mm.
    Millimeters(f64),
    /// Angle in degrees.
    Degrees(f64),
    /// Slip in percent of the endplate's depth, positive forward.
    SlipPercent(f64),
}

impl Measurement {
    /// The slip of the upper body of a disc on the lower one, from their outlines; `None` if either has none.
    #[must_use]
    pub(crate) fn slip_of(disc: &Disc, slice: usize) -> Option<Self> {
        let (above, below) = (disc.upper.corners_at(slice as f64)?, disc.lower.corners_at(slice as f64)?);
        Some(Self { kind: MeasurementKind::Slip, slice, points: vec![below.sp, below.sa, above.ip] })
    }

    /// The height of a disc between the middles of its endplates, from the outlines; `None` if either body has none.
    #[must_use]
    pub(crate) fn height_of(disc: &Disc, slice: usize) -> Option<Self> {
        let (above, below) = (disc.upper.corners_at(slice as f64)?, disc.lower.corners_at(slice as f64)?);
        let points = vec![(above.ia + above.ip) / 2.0, (below.sa + below.sp) / 2.0];
        Some(Self { kind: MeasurementKind::DiscHeight, slice, points })
    }

    /// The value in words; what it is of where the value alone does not tell.
    #[must_use]
    pub fn in_words(&self, value: MeasuredValue, language: Language) -> String {
        let value = value.in_words(language);
        match self.kind {
            MeasurementKind::DiscHeight => say!(language, "disc {value}", value = value),
            MeasurementKind::CanalWidth => say!(language, "canal {value}", value = value),
            MeasurementKind::Length | MeasurementKind::Angle | MeasurementKind::Cobb | MeasurementKind::Slip => value,
        }
    }

    /// The level it belongs to, of discs with their middles (x, y) in image pixels of a size (x, y) in mm. `None` where no
    /// disc is near, and of a Cobb angle, which lies between two levels.
    #[must_use]
    pub fn level(
        &self,
        discs: impl IntoIterator<Item = (DiscLevel, DVec2)>,
        pixel_size_mm: DVec2,
    ) -> Option<DiscLevel> {
        if self.kind == MeasurementKind::Cobb || self.points.is_empty() {
            return None;
        }
        let middle = self.points.iter().sum::<DVec2>() / self.points.len() as f64;
        let distances = discs.into_iter().map(|(level, at)| (level, ((at - middle) * pixel_size_mm).length()));
        let nearest = distances.min_by(|a, b| a.1.total_cmp(&b.1));
        nearest.filter(|(_, distance)| *distance <= REACH_MM).map(|(level, _)| level)
    }

    /// Whether it has the right number of finite points, so that there is something to measure.
    #[must_use]
    pub(crate) fn is_whole(&self) -> bool {
        self.points.len() == self.kind.points() && self.points.iter().all(|point| point.is_finite())
    }

    /// The value, given the size (x, y) of a pixel in mm; `None` where points are missing or lines have no length.
    #[must_use]
    pub fn value(&self, pixel_size_mm: DVec2) -> Option<MeasuredValue> {
        if !self.is_whole() {
            return None;
        }
        let mm: Vec<DVec2> = self.points.iter().map(|point| *point * pixel_size_mm).collect();
        match self.kind {
            MeasurementKind::Length | MeasurementKind::DiscHeight | MeasurementKind::CanalWidth => {
                Some(MeasuredValue::Millimeters(mm[0].distance(mm[1])))
            }
            MeasurementKind::Angle => angle(mm[0] - mm[1], mm[2] - mm[1]),
            MeasurementKind::Cobb => angle(mm[1] - mm[0], mm[3] - mm[2]).map(|value| match value {
                MeasuredValue::Degrees(degrees) if degrees > 90.0 => MeasuredValue::Degrees(180.0 - degrees),
                other => other,
            }),
            MeasurementKind::Slip => {
                let endplate = mm[1] - mm[0];
                let depth = endplate.length_squared();
                (depth > 0.0).then(|| MeasuredValue::SlipPercent((mm[2] - mm[0]).dot(endplate) / depth * 100.0))
            }
        }
    }
}

fn angle(a: DVec2, b: DVec2) -> Option<MeasuredValue> {
    let (a, b) = (a.try_normalize()?, b.try_normalize()?);
    Some(MeasuredValue::Degrees(a.perp_dot(b).atan2(a.dot(b)).abs().to_degrees()))
}

/// What a measured slip amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlipClass {
    /// Grade of a forward slip (Meyerding 1932): I up to a quarter of the endplate, II up to a half, III up to three quarters,
    /// IV up to all of it, V beyond.
    Meyerding(&'static str),
    /// Backward by 12 percent or more.
    Retrolisthesis,
    /// Neither.
    Small,
}

impl SlipClass {
    #[must_use]
    pub(crate) fn of(percent: f64) -> Self {
        match percent {
            ..=RETROLISTHESIS_PERCENT => Self::Retrolisthesis,
            ..LEAST_SLIP_PERCENT => Self::Small,
            ..=25.0 => Self::Meyerding("I"),
            ..=50.0 => Self::Meyerding("II"),
            ..=75.0 => Self::Meyerding("III"),
            ..=100.0 => Self::Meyerding("IV"),
            _ => Self::Meyerding("V"),
        }
    }
}

/// How a slip compares with those of 95 of 100 discs of its level that have none: `Less` is further backward, `Greater`
/// further forward. The posterior corner of the upper body usually lies behind that of the lower one; limits in percent, from
/// the corners of 1,319 discs of two cohorts (docs/grading.md).
#[must_use]
pub(crate) fn slip_among_usual(percent: f64, level: DiscLevel) -> Ordering {
    let (low, high) = match level {
        DiscLevel::T12L1 => (-7.0, 0.0),
        DiscLevel::L1L2 => (-8.0, 0.0),
        DiscLevel::L2L3 => (-8.0, -2.0),
        DiscLevel::L3L4 => (-11.0, -1.0),
        DiscLevel::L4L5 | DiscLevel::L5L6 => (-12.0, -1.0),
        DiscLevel::L5S1 | DiscLevel::L6S1 => (-6.0, 5.0),
    };
    if percent < low {
        Ordering::Less
    } else if percent > high {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

impl MeasuredValue {
    /// The value with its unit: "7.2 mm", "12 % forward, Meyerding I", "8 % backward".
    #[must_use]
    pub fn in_words(self, language: Language) -> String {
        match self {
            Self::Millimeters(mm) => format!("{} mm", language.decimal(mm, 1)),
            Self::Degrees(degrees) => format!("{}°", language.decimal(degrees, 1)),
            Self::SlipPercent(percent) => {
                let direction = if percent < 0.0 { say!(language, "backward") } else { say!(language, "forward") };
                let slip = say!(
                    language,
                    "{percent} % {direction}",
                    percent = format!("{:.0}", percent.abs()),
                    direction = direction
                );
                match SlipClass::of(percent) {
                    SlipClass::Meyerding(grade) => {
                        say!(language, "{slip}, Meyerding {grade}", slip = slip, grade = grade)
                    }
                    SlipClass::Retrolisthesis => say!(language, "{slip}, retrolisthesis", slip = slip),
                    SlipClass::Small => slip,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(kind: MeasurementKind, points: &[[f64; 2]]) -> Option<MeasuredValue> {
        let points = points.iter().map(|point| DVec2::from_array(*point)).collect();
        Measurement { kind, slice: 0, points }.value(DVec2::new(2.0, 1.0))
    }

    #[test]
    fn lengths_and_angles_are_true_where_pixels_are_not_square() {
        let length = measured(MeasurementKind::Length, &[[0.0, 0.0], [2.0, 3.0]]).expect("whole");
        assert_eq!(length, MeasuredValue::Millimeters(5.0));
        assert_eq!(length.in_words(Language::ENGLISH), "5.0 mm");
        // One pixel to the right is two millimeters: the arms are at 45 degrees in the patient.
        let angle = measured(MeasurementKind::Angle, &[[1.0, 0.0], [0.0, 0.0], [1.0, 2.0]]).expect("whole");
        assert!(matches!(angle, MeasuredValue::Degrees(degrees) if (degrees - 45.0).abs() < 1e-9));
    }

    #[test]
    fn a_disc_is_as_high_as_its_endplates_are_apart() {
        use crate::spine::{Corners, DiscLevel, Vertebra, VertebraLabel, VertebraOutline};
        let body = |label, top: f64| {
            let at = |x, y| DVec2::new(x, top + y);
            let corners = Corners { sa: at(0.0, 0.0), sp: at(20.0, 0.0), ip: at(20.0, 15.0), ia: at(0.0, 15.0) };
            Vertebra { label, confidence: 1.0, outlines: vec![VertebraOutline { slice: 3, corners }] }
        };
        let (upper, lower) = (body(VertebraLabel::L4, 0.0), body(VertebraLabel::L5, 23.0));
        let disc = Disc::between(DiscLevel::L4L5, &upper, &lower).expect("outlines");
        let height = Measurement::height_of(&disc, 3).expect("outlines");
        let value = height.value(DVec2::new(2.0, 1.0)).expect("whole");
        assert_eq!(
            (value, height.in_words(value, Language::ENGLISH)),
            (MeasuredValue::Millimeters(8.0), "disc 8.0 mm".to_owned())
        );
    }

    #[test]
    fn a_measurement_belongs_to_the_disc_beside_it() {
        let discs = [(DiscLevel::L3L4, DVec2::new(60.0, 85.0)), (DiscLevel::L4L5, DVec2::new(60.0, 125.0))];
        let level = |kind, points: &[[f64; 2]]| {
            let points = points.iter().map(|point| DVec2::from_array(*point)).collect();
            Measurement { kind, slice: 0, points }.level(discs, DVec2::new(0.8, 1.0))
        };
        let canal = |y| level(MeasurementKind::CanalWidth, &[[80.0, y], [95.0, y]]);
        assert_eq!([canal(85.0), canal(110.0), canal(300.0)], [Some(DiscLevel::L3L4), Some(DiscLevel::L4L5), None]);
        let cobb = [[60.0, 80.0], [70.0, 80.0], [60.0, 130.0], [70.0, 130.0]];
        assert_eq!(level(MeasurementKind::Cobb, &cobb), None, "between two levels");
    }

    #[test]
    fn cobb_does_not_depend_on_the_direction_of_drawing() {
        let lines = [[0.0, 0.0], [5.0, 0.0], [0.0, 8.0], [5.0, 18.0]];
        let back = [[5.0, 0.0], [0.0, 0.0], [0.0, 8.0], [5.0, 18.0]];
        let degrees = |points: &[[f64; 2]]| match measured(MeasurementKind::Cobb, points) {
            Some(MeasuredValue::Degrees(degrees)) => degrees,
            other => panic!("{other:?}"),
        };
        assert!((degrees(&lines) - 45.0).abs() < 1e-9);
        assert!((degrees(&lines) - degrees(&back)).abs() < 1e-9);
    }

    #[test]
    fn a_slip_has_its_direction_and_meyerding_grade() {
        // Endplate from posterior (x = 20) to anterior (x = 0): 40 mm; the corner above lies 12 mm forward.
        let slip = measured(MeasurementKind::Slip, &[[20.0, 50.0], [0.0, 50.0], [14.0, 42.0]]).expect("whole");
        assert_eq!(slip.in_words(Language::ENGLISH), "30 % forward, Meyerding II");
        let back = measured(MeasurementKind::Slip, &[[20.0, 50.0], [0.0, 50.0], [22.0, 42.0]]).expect("whole");
        assert_eq!(back.in_words(Language::ENGLISH), "10 % backward");
        let none = measured(MeasurementKind::Slip, &[[20.0, 50.0], [0.0, 50.0], [20.2, 42.0]]).expect("whole");
        assert_eq!(none.in_words(Language::ENGLISH), "1 % backward");
        for (percent, grade) in [(5.0, "I"), (25.0, "I"), (26.0, "II"), (75.0, "III"), (76.0, "IV"), (101.0, "V")] {
            assert_eq!(SlipClass::of(percent), SlipClass::Meyerding(grade));
        }
        assert_eq!(MeasuredValue::SlipPercent(-14.0).in_words(Language::ENGLISH), "14 % backward, retrolisthesis");
    }

    #[test]
    fn a_body_usually_stands_behind_the_one_below_it() {
        // Medians of discs without a slip, by the detector's corners.
        let medians = [-3.3, -4.1, -5.4, -6.9, -8.6, -3.1];
        for (level, median) in DiscLevel::ALL.into_iter().zip(medians) {
            assert_eq!((SlipClass::of(median), slip_among_usual(median, level)), (SlipClass::Small, Ordering::Equal));
        }
        assert_eq!(slip_among_usual(0.0, DiscLevel::L4L5), Ordering::Greater);
        assert_eq!(slip_among_usual(0.0, DiscLevel::L5S1), Ordering::Equal);
        assert_eq!(slip_among_usual(-9.0, DiscLevel::L5S1), Ordering::Less);
    }

    #[test]
    fn what_cannot_be_measured_has_no_value() {
        assert_eq!(measured(MeasurementKind::Length, &[[0.0, 0.0]]), None);
        assert_eq!(measured(MeasurementKind::Slip, &[[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]), None);
        assert_eq!(measured(MeasurementKind::Length, &[[0.0, 0.0], [f64::NAN, 3.0]]), None);
    }
}
