//! A reader's measurements as written into reports.

use glam::DVec2;
use serde::{Deserialize, Serialize};

use super::rounded;
use crate::language::{Language, say};
use crate::spine::{
    Disc, DiscLevel, LEAST_SLIP_PERCENT, MeasuredValue, Measurement, MeasurementKind, SlipClass, slip_among_usual,
};

/// What was measured of a disc; `None` (`null` in files) where it cannot be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DiscMeasures {
    /// Distance between the middles of the two endplates, mm.
    pub height_mm: Option<f64>,
    /// Slip of the upper body on the lower one, percent of the endplate's depth, positive forward.
    pub slip_percent: Option<f64>,
    /// Width of the canal from front to back, mm. Corners do not show the canal: a reader's measurement, or `None`.
    pub canal_mm: Option<f64>,
    /// Signal of the nucleus as a share of that of the fluid in the canal beside it; not in older reports.
    #[serde(default)]
    pub signal_of_fluid: Option<f64>,
}

impl DiscMeasures {
    /// What the corners of the two bodies tell of the disc on its middle slice, where the tools of the window measure the
    /// same; `pixel_size_mm` is (x, y).
    #[must_use]
    pub(crate) fn of_corners(disc: &Disc, pixel_size_mm: DVec2) -> Self {
        let slice = disc.center_voxel[0].round().max(0.0) as usize;
        let measured = |measurement: Option<Measurement>| match measurement?.value(pixel_size_mm)? {
            MeasuredValue::Millimeters(value) | MeasuredValue::Degrees(value) | MeasuredValue::SlipPercent(value) => {
                Some(rounded(value, 2))
            }
        };
        Self {
            height_mm: measured(Measurement::height_of(disc, slice)),
            slip_percent: measured(Measurement::slip_of(disc, slice)),
            ..Self::default()
        }
    }

    /// "height 7.2 mm, slip 12 % forward, canal 11.0 mm" of the disc of that level; what was not measured is left out.
    #[must_use]
    pub fn in_words(&self, level: DiscLevel, language: Language) -> String {
        let mm = |value| MeasuredValue::Millimeters(value).in_words(language);
        let height = self.height_mm.map(|height| say!(language, "height {value}", value = mm(height)));
        let slip = self.slip_percent.map(|percent| slip_in_words(percent, level, language));
        let canal = self.canal_mm.map(|canal| say!(language, "canal {value}", value = mm(canal)));
        [height, slip, canal].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// "slip 0 %", "slip 12 % forward, Meyerding I", "slip 8 % backward, usual at L4-L5".
#[must_use]
pub(crate) fn slip_in_words(percent: f64, level: DiscLevel, language: Language) -> String {
    let slip = |value: String| say!(language, "slip {value}", value = value);
    let is_small = SlipClass::of(percent) == SlipClass::Small;
    if is_small && percent.abs() < LEAST_SLIP_PERCENT {
        return slip(format!("{:.0} %", percent.abs()));
    }
    let slip = slip(MeasuredValue::SlipPercent(percent).in_words(language));
    if is_small && slip_among_usual(percent, level).is_eq() {
        say!(language, "{slip}, usual at {level}", slip = slip, level = level)
    } else {
        slip
    }
}

/// "+12 %", backward negative; a slip that rounds to nothing has no sign.
#[must_use]
pub(crate) fn slip_in_short(percent: f64) -> String {
    match percent.round() {
        0.0 => "0 %".to_owned(),
        whole => format!("{whole:+.0} %"),
    }
}

/// A measurement with its value, so that nobody has to compute it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasurementEntry {
    pub kind: MeasurementKind,
    /// The disc it was measured at; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<DiscLevel>,
    /// Slice index after sorting by position.
    pub slice: usize,
    /// The points as `[x, y]` in image pixels, in the order of [`MeasurementKind`].
    pub points_image: Vec<[f64; 2]>,
    /// The value in [`Self::unit`]; a slip is positive forward.
    pub value: f64,
    /// `mm`, `deg` or `%` (UCUM).
    pub unit: String,
}

impl MeasurementEntry {
    /// A measurement as written, given its level and the size (x, y) of a pixel in mm; `None` where there is no value.
    #[must_use]
    pub fn new(measurement: &Measurement, level: Option<DiscLevel>, pixel_size_mm: DVec2) -> Option<Self> {
        let (value, unit) = match measurement.value(pixel_size_mm)? {
            MeasuredValue::Millimeters(value) => (value, "mm"),
            MeasuredValue::Degrees(value) => (value, "deg"),
            MeasuredValue::SlipPercent(value) => (value, "%"),
        };
        Some(Self {
            kind: measurement.kind,
            level,
            slice: measurement.slice,
            points_image: measurement.points.iter().map(|point| point.to_array().map(|at| rounded(at, 3))).collect(),
            value: rounded(value, 3),
            unit: unit.to_owned(),
        })
    }

    /// What was measured, without the value.
    #[must_use]
    pub fn measurement(&self) -> Measurement {
        let points = self.points_image.iter().map(|point| DVec2::from_array(*point)).collect();
        Measurement { kind: self.kind, slice: self.slice, points }
    }

    /// What, where and how much, as on screen: "Disc height L4-L5 7.2 mm".
    #[must_use]
    pub fn in_words(&self, language: Language) -> String {
        let level = self.level.map(|level| format!(" {level}")).unwrap_or_default();
        let name = language.text_in("measurement", self.kind.name());
        format!("{name}{level} {}", self.value().in_words(language))
    }

    /// The value with its unit.
    #[must_use]
    pub fn value(&self) -> MeasuredValue {
        match self.unit.as_str() {
            "mm" => MeasuredValue::Millimeters(self.value),
            "deg" => MeasuredValue::Degrees(self.value),
            _ => MeasuredValue::SlipPercent(self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_words_for_what_was_measured() {
        let measures = DiscMeasures { height_mm: Some(7.24), slip_percent: Some(-0.4), ..DiscMeasures::default() };
        assert_eq!(measures.in_words(DiscLevel::L5S1, Language::ENGLISH), "height 7.2 mm, slip 0 %");
        let measures = DiscMeasures { slip_percent: Some(12.0), canal_mm: Some(9.0), ..DiscMeasures::default() };
        let words = measures.in_words(DiscLevel::L4L5, Language::ENGLISH);
        assert_eq!(words, "slip 12 % forward, Meyerding I, canal 9.0 mm");
        assert_eq!(DiscMeasures::default().in_words(DiscLevel::L4L5, Language::ENGLISH), "");
    }

    #[test]
    fn a_slip_is_read_against_what_is_usual_at_its_level() {
        let words = |percent| slip_in_words(percent, DiscLevel::L4L5, Language::ENGLISH);
        assert_eq!(words(-14.0), "slip 14 % backward, retrolisthesis");
        assert_eq!(words(-8.0), "slip 8 % backward, usual at L4-L5");
        assert_eq!(words(-3.0), "slip 3 %");
        assert_eq!(words(0.1), "slip 0 %");
        assert_eq!(words(12.0), "slip 12 % forward, Meyerding I");
        let at_s1 = slip_in_words(-9.0, DiscLevel::L5S1, Language::ENGLISH);
        assert_eq!(at_s1, "slip 9 % backward");
    }

    #[test]
    fn values_carry_their_units() {
        let points = vec![DVec2::new(0.0, 0.0), DVec2::new(3.0, 4.0)];
        let length = Measurement { kind: MeasurementKind::Length, slice: 2, points };
        let entry = MeasurementEntry::new(&length, None, DVec2::splat(0.5)).expect("a value");
        assert_eq!(
            (entry.value, entry.unit.as_str(), entry.in_words(Language::ENGLISH).as_str()),
            (2.5, "mm", "Length 2.5 mm")
        );
        assert_eq!(entry.measurement(), length);
        let at_a_disc = MeasurementEntry { level: Some(DiscLevel::L4L5), ..entry };
        assert_eq!(at_a_disc.in_words(Language::ENGLISH), "Length L4-L5 2.5 mm");
        let half = Measurement { points: vec![DVec2::ZERO], ..length };
        assert_eq!(MeasurementEntry::new(&half, None, DVec2::ONE), None);
    }
}
