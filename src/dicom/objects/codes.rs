//! Coded terms: SNOMED CT and DICOM's own where there is one, else those of this program (`99SPINENET`).

use std::borrow::Cow;

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::build::{Item, texts};
use crate::spine::{ClassIndex, DiscLevel, Grading, MeasurementKind, VertebraLabel};

/// Designator of the codes that no standard has: the gradings and their grades.
pub(super) const PRIVATE_SCHEME: &str = "99SPINENET";

/// A coded term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    /// Code value, at most 16 characters.
    pub value: Cow<'static, str>,
    /// Coding scheme designator.
    pub scheme: &'static str,
    /// Meaning in words, at most 64 characters.
    pub meaning: Cow<'static, str>,
}

impl Code {
    pub(super) const fn dcm(value: &'static str, meaning: &'static str) -> Self {
        Self::of("DCM", value, meaning)
    }

    pub(super) const fn sct(value: &'static str, meaning: &'static str) -> Self {
        Self::of("SCT", value, meaning)
    }

    pub(super) const fn of(scheme: &'static str, value: &'static str, meaning: &'static str) -> Self {
        Self { value: Cow::Borrowed(value), scheme, meaning: Cow::Borrowed(meaning) }
    }

    /// The disc of a level (SNOMED CT).
    #[must_use]
    pub(crate) const fn of_disc(level: DiscLevel) -> Self {
        match level {
            DiscLevel::T12L1 => Self::sct("76206002", "T12/L1 disc"),
            DiscLevel::L1L2 => Self::sct("80064006", "L1/L2 disc"),
            DiscLevel::L2L3 => Self::sct("67459009", "L2/L3 disc"),
            DiscLevel::L3L4 => Self::sct("62551000", "L3/L4 disc"),
            DiscLevel::L4L5 => Self::sct("84020006", "L4/L5 disc"),
            DiscLevel::L5S1 => Self::sct("715056000", "L5/S1 disc"),
            // SNOMED CT names no disc of a sixth lumbar vertebra.
            DiscLevel::L5L6 => Self::of(PRIVATE_SCHEME, "DISC-L5-L6", "L5/L6 disc"),
            DiscLevel::L6S1 => Self::of(PRIVATE_SCHEME, "DISC-L6-S1", "L6/S1 disc"),
        }
    }

    /// A vertebra (SNOMED CT); above T12 only "vertebra", the label says which.
    #[must_use]
    pub(crate) const fn of_vertebra(label: VertebraLabel) -> Self {
        match label {
            VertebraLabel::T12 => Self::sct("23215003", "T12 vertebra"),
            VertebraLabel::L1 => Self::sct("66794005", "L1 vertebra"),
            VertebraLabel::L2 => Self::sct("14293000", "L2 vertebra"),
            VertebraLabel::L3 => Self::sct("36470004", "L3 vertebra"),
            VertebraLabel::L4 => Self::sct("11994002", "L4 vertebra"),
            VertebraLabel::L5 => Self::sct("49668003", "L5 vertebra"),
            VertebraLabel::S1 => Self::sct("54735007", "Sacrum"),
            _ => Self::sct("51282000", "Vertebra"),
        }
    }

    /// A grading; none has a code in a standard that means just this scale.
    #[must_use]
    pub(crate) fn of_grading(grading: Grading) -> Self {
        Self::of(PRIVATE_SCHEME, grading.spec().code, grading.name())
    }

    /// A grade: the scale's own, or present and absent.
    #[must_use]
    pub(crate) fn of_grade(grading: Grading, class: ClassIndex) -> Self {
        match class {
            _ if !grading.is_presence() => {
                let scale = Self::of_grading(grading);
                Self {
                    value: format!("{}-{}", scale.value, class + 1).into(),
                    scheme: PRIVATE_SCHEME,
                    meaning: format!("{} {}", scale.meaning, grading.class_name(class)).into(),
                }
            }
            0 => Self::sct("272519000", "Absent"),
            _ => Self::sct("52101004", "Present"),
        }
    }

    /// The probability of a grade, with the grade in its name: "Pfirrmann grade IV, probability".
    #[must_use]
    pub(crate) fn of_probability(grading: Grading, class: ClassIndex) -> Self {
        let scale = Self::of_grading(grading);
        let meaning = match Self::of_grade(grading, class) {
            grade if grading.is_presence() => format!("{} {}", scale.meaning, grade.meaning.to_lowercase()),
            grade => grade.meaning.into_owned(),
        };
        Self {
            value: format!("{}.{}", scale.value, grading.grade_from_class(class)).into(),
            scheme: PRIVATE_SCHEME,
            meaning: format!("{meaning}, probability").into(),
        }
    }

    /// What a reader measured.
    #[must_use]
    pub(crate) const fn of_measurement(kind: MeasurementKind) -> Self {
        match kind {
            MeasurementKind::Length => Self::sct("410668003", "Length"),
            MeasurementKind::Angle => Self::sct("1483009", "Angle"),
            MeasurementKind::Cobb => Self::sct("285285000", "Cobb angle"),
            MeasurementKind::DiscHeight => Self::of(PRIVATE_SCHEME, "DISC-HEIGHT", "Height of an intervertebral disc"),
            MeasurementKind::CanalWidth => {
                Self::of(PRIVATE_SCHEME, "CANAL-WIDTH", "Width of the spinal canal from front to back")
            }
            MeasurementKind::Slip => {
                Self::of(PRIVATE_SCHEME, "SLIP-PERCENT", "Slip of a vertebra on the one below, share of endplate depth")
            }
        }
    }

    /// The unit of a measured value (UCUM).
    #[must_use]
    pub(crate) const fn of_unit(kind: MeasurementKind) -> Self {
        match kind {
            MeasurementKind::Length | MeasurementKind::DiscHeight | MeasurementKind::CanalWidth => {
                Self::of("UCUM", "mm", "millimeter")
            }
            MeasurementKind::Angle | MeasurementKind::Cobb => Self::of("UCUM", "deg", "degree"),
            MeasurementKind::Slip => Self::of("UCUM", "%", "percent"),
        }
    }

    /// The category of anatomy (CID 7150).
    #[must_use]
    pub(crate) const fn anatomical_structure() -> Self {
        Self::sct("91723000", "Anatomical Structure")
    }

    /// The category of what is no anatomy: where in the image evidence lies.
    #[must_use]
    pub(crate) const fn spatial_concept() -> Self {
        Self::sct("309825002", "Spatial and Relational Concept")
    }

    /// A hotspot of an evidence map.
    #[must_use]
    pub(crate) const fn hotspot() -> Self {
        Self::of(PRIVATE_SCHEME, "HOTSPOT", "Hotspot of supporting evidence")
    }

    /// The term as an item of a code sequence.
    pub(super) fn item(&self) -> Item {
        texts(&[
            (tags::CODE_VALUE, VR::SH, &self.value),
            (tags::CODING_SCHEME_DESIGNATOR, VR::SH, self.scheme),
            (tags::CODE_MEANING, VR::LO, &self.meaning),
        ])
    }
}

pub(super) const LUMBAR_SPINE: Code = Code::sct("122496007", "Lumbar spine");
pub(super) const NO_UNITS: Code = Code::of("UCUM", "1", "no units");
pub(super) const ARTIFICIAL_INTELLIGENCE: Code = Code::dcm("123110", "Artificial Intelligence");
pub(super) const SOURCE_IMAGE: Code = Code::dcm("121322", "Source image for image processing operation");
pub(super) const RESAMPLING: Code = Code::dcm("113085", "Spatial resampling");
pub(super) const SEGMENTATION: Code = Code::dcm("113076", "Segmentation");

/// Says whose the private codes are.
pub(super) fn scheme_identification() -> Item {
    texts(&[
        (tags::CODING_SCHEME_DESIGNATOR, VR::SH, PRIVATE_SCHEME),
        (tags::CODING_SCHEME_NAME, VR::ST, "Gradings of lumbar discs by spinenet-viewer"),
        (tags::CODING_SCHEME_VERSION, VR::SH, "1"),
        (tags::CODING_SCHEME_RESPONSIBLE_ORGANIZATION, VR::ST, "spinenet-viewer"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fit_their_elements_and_differ() {
        let mut seen = Vec::new();
        for grading in Grading::ALL {
            seen.push(Code::of_grading(grading));
            for class in 0..grading.classes().max(3) - 1 {
                seen.push(Code::of_grade(grading, class));
            }
            seen.extend((0..grading.classes()).map(|class| Code::of_probability(grading, class)));
        }
        seen.extend(MeasurementKind::ALL.iter().flat_map(|kind| [Code::of_measurement(*kind), Code::of_unit(*kind)]));
        seen.push(Code::hotspot());
        assert!(seen.iter().all(|code| code.value.len() <= 16 && code.meaning.len() <= 64));
        let names = Grading::ALL.map(|grading| Code::of_grading(grading).value);
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
        assert_eq!(Code::of_grade(Grading::Pfirrmann, 3).meaning, "Pfirrmann grade IV");
        assert_eq!(Code::of_grade(Grading::Spondylolisthesis, 1).meaning, "Present");
        let named = |grading, class| Code::of_probability(grading, class).meaning;
        assert_eq!(named(Grading::Pfirrmann, 3), "Pfirrmann grade IV, probability");
        assert_eq!(named(Grading::Spondylolisthesis, 0), "Spondylolisthesis absent, probability");
    }
}
