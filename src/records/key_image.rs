//! Slices that a reader marked as key images, with how they were looked at.

use serde::{Deserialize, Serialize};

use crate::spine::{BoxRule, ClassIndex, DiscLevel, Grading, PixelBox};
use crate::volume::WindowLevel;

/// A slice that stands in the report as the reader saw it. Measurements and boxes are not held here: those that lie on the
/// slice when the picture is made are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyImage {
    /// Slice index after sorting by position.
    pub slice: usize,
    /// Display window.
    pub window: WindowLevel,
    /// Low values are bright.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inverted: bool,
    /// The part of the slice that was in sight, image pixels; absent where that was all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<PixelBox>,
    /// The disc and grading that were looked at, whose boxes are drawn; absent where none were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<KeySubject>,
    /// What the reader has to say about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// What a key image is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeySubject {
    /// Disc.
    pub level: DiscLevel,
    /// Grading.
    pub grading: Grading,
    /// The evidence map over the slice; absent where it was hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<KeyMap>,
}

/// An evidence map as it was made, so that it can be made again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyMap {
    /// The grade that it explains: Pfirrmann 1–5, narrowing 1–4, the others 0 or 1.
    pub grade: u8,
    /// Name of the method.
    pub method: String,
    /// Name of the layer that it was read off at; absent for the usual one of the method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Standard deviation of the Gaussian that it was smoothed by within slices, mm; 0 for none.
    pub smoothing_mm: f64,
    /// Which hotspots a box encloses.
    pub box_rule: BoxRule,
    /// Percentile above which evidence is drawn.
    pub percentile: f64,
}

impl KeyImage {
    /// What cannot be in it, in words.
    pub(super) fn fault(&self) -> Option<String> {
        let slice = self.slice + 1;
        let window = self.window;
        if !(window.center.is_finite() && window.width.is_finite() && window.width > 0.0) {
            return Some(format!("the key image of slice {slice} has no display window"));
        }
        let is_area = |region: &PixelBox| {
            let sides = [region.x, region.y, region.width, region.height];
            sides.iter().all(|side| side.is_finite()) && region.area() > 0.0
        };
        if !self.region.as_ref().is_none_or(is_area) {
            return Some(format!("the key image of slice {slice} shows no part of it"));
        }
        let KeySubject { level, grading, map } = self.subject.as_ref()?;
        let KeyMap { grade, percentile, .. } = map.as_ref()?;
        if grading.class_from_grade(*grade).is_none() {
            return Some(format!("{level} {grading}: there is no grade {grade}"));
        }
        let is_percentile = (0.0..=100.0).contains(percentile);
        (!is_percentile).then(|| format!("{level} {grading}: there is no percentile {percentile}"))
    }

    /// The same after discs were renamed; it is about none where its disc has no new name.
    pub(super) fn renamed(&self, new_level: impl Fn(DiscLevel) -> Option<DiscLevel>) -> Self {
        let renamed = |subject: &KeySubject| Some(KeySubject { level: new_level(subject.level)?, ..subject.clone() });
        Self { subject: self.subject.as_ref().and_then(renamed), ..self.clone() }
    }
}

impl KeySubject {
    /// The class that the map explains, where there is one.
    #[must_use]
    pub fn class(&self) -> Option<ClassIndex> {
        self.grading.class_from_grade(self.map.as_ref()?.grade)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> KeyImage {
        let map = KeyMap {
            grade: 5,
            method: "gradient".to_owned(),
            layer: None,
            smoothing_mm: 0.0,
            box_rule: BoxRule::All,
            percentile: 97.0,
        };
        let subject = KeySubject { level: DiscLevel::L4L5, grading: Grading::Pfirrmann, map: Some(map) };
        let region = PixelBox { x: 10.0, y: 20.0, width: 100.0, height: 80.0 };
        let window = WindowLevel { center: 300.0, width: 600.0 };
        KeyImage {
            slice: 4,
            window,
            inverted: false,
            region: Some(region),
            subject: Some(subject),
            comment: String::new(),
        }
    }

    #[test]
    fn what_cannot_be_shown_is_named() {
        assert_eq!(image().fault(), None);
        let mut dark = image();
        dark.window.width = 0.0;
        assert_eq!(dark.fault().as_deref(), Some("the key image of slice 5 has no display window"));
        let mut nowhere = image();
        nowhere.region = Some(PixelBox { x: 1.0, y: 1.0, width: 0.0, height: 9.0 });
        assert_eq!(nowhere.fault().as_deref(), Some("the key image of slice 5 shows no part of it"));
        let mut graded = image();
        graded.subject.as_mut().and_then(|subject| subject.map.as_mut()).expect("a map").grade = 6;
        assert_eq!(graded.fault().as_deref(), Some("L4-L5 pfirrmann: there is no grade 6"));
    }

    #[test]
    fn it_follows_its_disc_and_outlives_it() {
        let moved = image().renamed(|_| Some(DiscLevel::L5S1));
        assert_eq!(moved.subject.map(|subject| subject.level), Some(DiscLevel::L5S1));
        let left = image().renamed(|_| None);
        assert_eq!((left.slice, left.subject), (4, None));
    }
}
