//! What pictures say about one evidence map.

use super::{ColorMap, EvidenceFill, EvidenceLook};
use crate::language::{Language, say};
use crate::spine::{
    BoxRule, BoxSource, ClassIndex, DiscFrame, DiscLevel, Grading, PATCH_COLUMNS, PATCH_ROWS, SliceBox,
};

/// On every sheet.
pub const DISCLAIMER: &str = "Research use only. Not a medical device.";

/// Share of the map's values up to the strongest color: a single hot voxel must not set the scale.
const STRONGEST: f64 = 0.999;

/// Cover of the image by evidence.
const OPACITY: f32 = 0.75;

/// An evidence map with everything its pictures show and say.
#[derive(Debug, Clone)]
pub struct EvidenceFigure<'a> {
    /// What its texts are in.
    pub language: Language,
    /// Evidence of the disc volume, `[9, 112, 224]`, not negative.
    pub values: &'a [f32],
    /// Where the disc volume lies in the scan.
    pub frame: &'a DiscFrame,
    pub level: DiscLevel,
    /// Grading explained.
    pub grading: Grading,
    /// Class explained.
    pub class: ClassIndex,
    /// Probability that the network gave this class, where it is known.
    pub probability: Option<f32>,
    /// Name of the method in words.
    pub method: String,
    /// Where in the network the map was read off, and how far it was smoothed: "at Conv3, smoothed by 2 mm".
    pub reading: String,
    /// Augmented inputs that the map is the mean of.
    pub augmentations: usize,
    /// Percentile of the whole volume's evidence that marks the hotspots.
    pub percentile: f64,
    /// Evidence at that percentile; what lies above is drawn and boxed.
    pub threshold: f32,
    /// Which hotspots the predicted boxes enclose.
    pub box_rule: BoxRule,
    /// Boxes of this disc and grading, predicted ones and a reader's.
    pub boxes: Vec<SliceBox>,
    pub color_map: ColorMap,
}

impl EvidenceFigure<'_> {
    /// The finding in words: "Central canal stenosis: present (93 %)".
    #[must_use]
    pub fn finding(&self) -> String {
        let grading = self.language.text(self.grading.name());
        let class = self.language.text(self.grading.class_name(self.class));
        let chance = self.probability.map(|p| format!(" ({:.0} %)", p * 100.0)).unwrap_or_default();
        format!("{grading}: {class}{chance}")
    }

    /// How the map was made: "Contrastive excitation at Conv1, mean of 150 augmented inputs".
    #[must_use]
    pub fn making(&self) -> String {
        let Self { language, method, reading, .. } = self;
        match self.augmentations {
            0 | 1 => say!(language, "{method} {reading}, one input", method = method, reading = reading),
            several => say!(
                language,
                "{method} {reading}, mean of {count} augmented inputs",
                method = method,
                reading = reading,
                count = several
            ),
        }
    }

    /// What the boxes enclose: "Boxes enclose all evidence above its 97th percentile in the disc volume".
    #[must_use]
    pub fn boxing(&self) -> String {
        let language = self.language;
        let enclosed = match self.box_rule {
            BoxRule::All => say!(language, "all evidence"),
            BoxRule::LargestOfSlice => say!(language, "the largest region of each slice with evidence"),
            BoxRule::LargestOfVolume => say!(language, "the largest region of the disc volume with evidence"),
        };
        let percentile = if language == Language::ENGLISH {
            ordinal(self.percentile)
        } else {
            language.decimal(self.percentile, usize::from(self.percentile.fract() != 0.0))
        };
        say!(
            language,
            "Boxes enclose {enclosed} above its {percentile} percentile in the disc volume",
            enclosed = enclosed,
            percentile = percentile
        )
    }

    /// Evidence shown in the strongest color: nearly the greatest on the slices that the scan has, 1 where there is none.
    #[must_use]
    pub(crate) fn strongest(&self) -> f32 {
        let slices = self.values.chunks_exact(PATCH_ROWS * PATCH_COLUMNS).enumerate();
        let present = slices.filter(|(slice, _)| self.frame.scan_slice(*slice).is_some());
        let mut values: Vec<f32> = present.flat_map(|(_, values)| values.iter().copied()).collect();
        if values.is_empty() {
            return 1.0;
        }
        let at = ((values.len() - 1) as f64 * STRONGEST) as usize;
        let (_, value, _) = values.select_nth_unstable_by(at, f32::total_cmp);
        if *value > 0.0 { *value } else { 1.0 }
    }

    /// How the map lies over the scan: what exceeds the threshold, in colors from zero to [`Self::strongest`].
    #[must_use]
    pub(crate) fn look(&self) -> EvidenceLook {
        EvidenceLook {
            opacity: OPACITY,
            threshold: self.threshold,
            range: (0.0, self.strongest()),
            color_map: self.color_map,
            fill: EvidenceFill::Even,
        }
    }

    /// The boxes on one scan slice from one source.
    pub(super) fn boxes_on(&self, slice: usize, source: BoxSource) -> impl Iterator<Item = &SliceBox> {
        self.boxes.iter().filter(move |found| found.slice == slice && found.source == source)
    }
}

/// `95` as "95th", `91` as "91st", `97.5` as "97.5th".
pub(crate) fn ordinal(number: f64) -> String {
    let whole = number.fract() == 0.0;
    let (tens, units) = ((number / 10.0) as i64 % 10, number as i64 % 10);
    let ending = match units {
        1 if whole && tens != 1 => "st",
        2 if whole && tens != 1 => "nd",
        3 if whole && tens != 1 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_end_as_spoken() {
        let said: Vec<String> = [90.0, 91.0, 92.0, 93.0, 95.0, 97.5, 11.0, 12.0].into_iter().map(ordinal).collect();
        assert_eq!(said, ["90th", "91st", "92nd", "93rd", "95th", "97.5th", "11th", "12th"]);
    }
}
