//! The eight radiological gradings.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Class of a grading as the network counts it, from 0.
pub type ClassIndex = usize;

/// A name that is none of the eight gradings.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error(
    "unknown grading \"{0}\"; choose pfirrmann, disc_narrowing, upper_endplate_defect, lower_endplate_defect, \
     upper_marrow_change, lower_marrow_change, spondylolisthesis or central_canal_stenosis"
)]
pub struct UnknownGrading(pub String);

/// One of the eight gradings of a disc (Jamaludin et al. 2017, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grading {
    /// Disc degeneration, five grades I–V.
    Pfirrmann,
    /// Loss of disc height, four grades.
    DiscNarrowing,
    /// Defect of the endplate above the disc.
    UpperEndplateDefect,
    /// Defect of the endplate below the disc.
    LowerEndplateDefect,
    /// Signal change of the marrow above the disc (Modic).
    UpperMarrowChange,
    /// Signal change of the marrow below the disc (Modic).
    LowerMarrowChange,
    /// Slip of the vertebra above against the one below.
    Spondylolisthesis,
    /// Narrowing of the central canal.
    CentralCanalStenosis,
}

impl Grading {
    /// All gradings in the order of the paper's tables, the order of every array over gradings.
    pub const ALL: [Self; 8] = [
        Self::Pfirrmann,
        Self::DiscNarrowing,
        Self::UpperEndplateDefect,
        Self::LowerEndplateDefect,
        Self::UpperMarrowChange,
        Self::LowerMarrowChange,
        Self::Spondylolisthesis,
        Self::CentralCanalStenosis,
    ];

    /// Position in [`Self::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(self) -> usize {
        match self {
            Self::Pfirrmann => 5,
            Self::DiscNarrowing => 4,
            _ => 2,
        }
    }

    /// The grade a reader says for a class: Pfirrmann 1–5, narrowing 1–4, the others 0 (absent) or 1 (present).
    #[must_use]
    pub fn grade_from_class(self, class: ClassIndex) -> u8 {
        let first = u8::from(self.classes() > 2);
        u8::try_from(class).unwrap_or(u8::MAX).saturating_add(first)
    }

    /// The class of a reader's grade; inverse of [`Self::grade_from_class`], `None` if there is no such grade.
    #[must_use]
    pub fn class_from_grade(self, grade: u8) -> Option<ClassIndex> {
        let first = u8::from(self.classes() > 2);
        let class = usize::from(grade.checked_sub(first)?);
        (class < self.classes()).then_some(class)
    }

    /// Name in files and on the command line, such as `upper_endplate_defect`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Pfirrmann => "pfirrmann",
            Self::DiscNarrowing => "disc_narrowing",
            Self::UpperEndplateDefect => "upper_endplate_defect",
            Self::LowerEndplateDefect => "lower_endplate_defect",
            Self::UpperMarrowChange => "upper_marrow_change",
            Self::LowerMarrowChange => "lower_marrow_change",
            Self::Spondylolisthesis => "spondylolisthesis",
            Self::CentralCanalStenosis => "central_canal_stenosis",
        }
    }

    /// Name in words, such as "Upper endplate defect".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pfirrmann => "Pfirrmann grade",
            Self::DiscNarrowing => "Disc narrowing",
            Self::UpperEndplateDefect => "Upper endplate defect",
            Self::LowerEndplateDefect => "Lower endplate defect",
            Self::UpperMarrowChange => "Upper marrow change",
            Self::LowerMarrowChange => "Lower marrow change",
            Self::Spondylolisthesis => "Spondylolisthesis",
            Self::CentralCanalStenosis => "Central canal stenosis",
        }
    }

    /// A class in a reader's words: `II`, `3`, `absent`, `present`.
    ///
    /// # Panics
    /// If `class` is not below [`Self::classes`].
    #[must_use]
    pub fn class_name(self, class: ClassIndex) -> &'static str {
        match self {
            Self::Pfirrmann => ["I", "II", "III", "IV", "V"][class],
            Self::DiscNarrowing => ["1", "2", "3", "4"][class],
            _ => ["absent", "present"][class],
        }
    }

    /// How abnormal a class is, 0 (normal) to 1 (worst).
    #[must_use]
    pub fn severity(self, class: ClassIndex) -> f32 {
        class as f32 / (self.classes() - 1) as f32
    }
}

impl fmt::Display for Grading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

impl FromStr for Grading {
    type Err = UnknownGrading;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = text.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        Self::ALL.into_iter().find(|grading| grading.key() == key).ok_or_else(|| UnknownGrading(text.to_owned()))
    }
}

/// One value for each of the eight gradings, in the order of [`Grading::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PerGrading<T>([T; 8]);

impl<T> PerGrading<T> {
    /// Computes the value of each grading.
    pub fn from_fn(mut value: impl FnMut(Grading) -> T) -> Self {
        Self(std::array::from_fn(|index| value(Grading::ALL[index])))
    }

    /// Gradings with their values.
    pub fn iter(&self) -> impl Iterator<Item = (Grading, &T)> {
        Grading::ALL.into_iter().zip(&self.0)
    }

    /// The same gradings with each value changed by `f`.
    pub fn map<U>(&self, mut f: impl FnMut(Grading, &T) -> U) -> PerGrading<U> {
        PerGrading::from_fn(|grading| f(grading, &self[grading]))
    }
}

impl<T> Index<Grading> for PerGrading<T> {
    type Output = T;

    fn index(&self, grading: Grading) -> &T {
        &self.0[grading.index()]
    }
}

impl<T> IndexMut<Grading> for PerGrading<T> {
    fn index_mut(&mut self, grading: Grading) -> &mut T {
        &mut self.0[grading.index()]
    }
}

/// Written as a JSON object keyed by [`Grading::key`].
impl<T: Serialize> Serialize for PerGrading<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(grading, value)| (grading.key(), value)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PerGrading<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = std::collections::BTreeMap::<Grading, T>::deserialize(deserializer)?;
        let mut taken = Vec::with_capacity(8);
        for grading in Grading::ALL {
            taken.push(values.remove(&grading).ok_or_else(|| serde::de::Error::missing_field(grading.key()))?);
        }
        let values = taken.try_into().map_err(|_| serde::de::Error::custom("eight gradings expected"))?;
        Ok(Self(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_and_classes_convert_both_ways() {
        for grading in Grading::ALL {
            for class in 0..grading.classes() {
                let grade = grading.grade_from_class(class);
                assert_eq!(grading.class_from_grade(grade), Some(class));
                assert!(!grading.class_name(class).is_empty());
            }
            assert_eq!(grading.class_from_grade(grading.grade_from_class(grading.classes())), None);
            assert_eq!(grading.key().parse(), Ok(grading));
            assert_eq!(serde_json::to_value(grading).expect("plain enum"), grading.key());
        }
        assert_eq!(Grading::Pfirrmann.grade_from_class(0), 1);
        assert_eq!(Grading::Pfirrmann.class_from_grade(0), None);
        assert_eq!(Grading::Spondylolisthesis.grade_from_class(0), 0);
    }

    #[test]
    fn a_map_over_gradings_reads_back_from_json() {
        let map = PerGrading::from_fn(Grading::classes);
        let text = serde_json::to_string(&map).expect("a map of numbers");
        assert!(text.starts_with("{\"pfirrmann\":5,\"disc_narrowing\":4,"));
        assert_eq!(serde_json::from_str::<PerGrading<usize>>(&text).expect("complete map"), map);
        assert!(serde_json::from_str::<PerGrading<usize>>("{\"pfirrmann\":5}").is_err());
    }
}
