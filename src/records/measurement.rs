//! A reader's measurements as written into reports.

use glam::DVec2;
use serde::{Deserialize, Serialize};

use super::rounded;
use crate::spine::{MeasuredValue, Measurement, MeasurementKind};

/// A measurement with its value, so that nobody has to compute it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasurementEntry {
    /// What was measured.
    pub kind: MeasurementKind,
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
    /// A measurement as written, given the size (x, y) of a pixel in mm; `None` where there is no value.
    #[must_use]
    pub fn new(measurement: &Measurement, pixel_size_mm: DVec2) -> Option<Self> {
        let (value, unit) = match measurement.value(pixel_size_mm)? {
            MeasuredValue::Millimeters(value) => (value, "mm"),
            MeasuredValue::Degrees(value) => (value, "deg"),
            MeasuredValue::SlipPercent(value) => (value, "%"),
        };
        Some(Self {
            kind: measurement.kind,
            slice: measurement.slice,
            points_image: measurement.points.iter().map(|point| point.to_array().map(|at| rounded(at, 3))).collect(),
            value: rounded(value, 3),
            unit: unit.to_owned(),
        })
    }

    /// The value with its unit, as on screen.
    #[must_use]
    pub fn in_words(&self) -> String {
        let value = match self.unit.as_str() {
            "mm" => MeasuredValue::Millimeters(self.value),
            "deg" => MeasuredValue::Degrees(self.value),
            _ => MeasuredValue::SlipPercent(self.value),
        };
        format!("{} {value}", self.kind.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_carry_their_units() {
        let points = vec![DVec2::new(0.0, 0.0), DVec2::new(3.0, 4.0)];
        let length = Measurement { kind: MeasurementKind::Length, slice: 2, points };
        let entry = MeasurementEntry::new(&length, DVec2::splat(0.5)).expect("a value");
        assert_eq!((entry.value, entry.unit.as_str(), entry.in_words().as_str()), (2.5, "mm", "Length 2.5 mm"));
        let half = Measurement { points: vec![DVec2::ZERO], ..length };
        assert_eq!(MeasurementEntry::new(&half, DVec2::ONE), None);
    }
}
