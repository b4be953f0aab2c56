//! The radiological gradings of a disc, and maps from gradings to values.
//!
//! Everything that is particular to a grading stands in its row of [`table`]. Which gradings a scan has follows from the
//! weights: a network has heads for some of them.

mod table;

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use crate::words::conversions;

pub use table::Grading;
pub(crate) use table::GradingSpec;

/// Class of a grading as the network counts it, from 0.
pub(crate) type ClassIndex = usize;

impl Grading {
    /// The eight of Jamaludin et al. 2017, section 2, in the order of its tables. Weights that do not say which gradings
    /// they have have these.
    pub const PAPER: [Self; 8] = [
        Self::Pfirrmann,
        Self::DiscNarrowing,
        Self::UpperEndplateDefect,
        Self::LowerEndplateDefect,
        Self::UpperMarrowChange,
        Self::LowerMarrowChange,
        Self::Spondylolisthesis,
        Self::CentralCanalStenosis,
    ];

    #[must_use]
    pub fn classes(self) -> usize {
        self.spec().classes.len()
    }

    /// Whether it says only that something is present or absent; the others are scales of several grades.
    #[must_use]
    pub(crate) fn is_presence(self) -> bool {
        self.classes() == 2
    }

    /// The grade a reader says for a class: scales count from 1, presence is 0 (absent) or 1 (present).
    #[must_use]
    pub fn grade_from_class(self, class: ClassIndex) -> u8 {
        let first = u8::from(!self.is_presence());
        u8::try_from(class).unwrap_or(u8::MAX).saturating_add(first)
    }

    /// The class of a reader's grade; inverse of [`Self::grade_from_class`], `None` if there is no such grade.
    #[must_use]
    pub fn class_from_grade(self, grade: u8) -> Option<ClassIndex> {
        let first = u8::from(!self.is_presence());
        let class = usize::from(grade.checked_sub(first)?);
        (class < self.classes()).then_some(class)
    }

    /// Name in files and on the command line, such as `upper_endplate_defect`.
    #[must_use]
    pub fn key(self) -> &'static str {
        self.spec().key
    }

    /// Name in words, such as "Upper endplate defect".
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// A class in a reader's words: `II`, `3`, `absent`, `present`.
    ///
    /// # Panics
    /// If `class` is not below [`Self::classes`].
    #[must_use]
    pub fn class_name(self, class: ClassIndex) -> &'static str {
        self.spec().classes[class].0
    }

    /// How abnormal a class is, 0 (normal) to 1 (worst).
    #[must_use]
    pub(crate) fn severity(self, class: ClassIndex) -> f32 {
        class as f32 / (self.classes() - 1) as f32
    }
}

conversions!(Grading, "grading");

/// A value for some of the gradings, in the order of [`Grading::ALL`]; written as a JSON object keyed by [`Grading::key`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PerGrading<T>(BTreeMap<Grading, T>);

impl<T> PerGrading<T> {
    /// A value for each of `gradings`.
    pub fn from_fn(gradings: impl IntoIterator<Item = Grading>, mut value: impl FnMut(Grading) -> T) -> Self {
        gradings.into_iter().map(|grading| (grading, value(grading))).collect()
    }

    /// The value of a grading, if it has one.
    #[must_use]
    pub fn get(&self, grading: Grading) -> Option<&T> {
        self.0.get(&grading)
    }

    /// The value of a grading to be changed, if it has one.
    pub fn get_mut(&mut self, grading: Grading) -> Option<&mut T> {
        self.0.get_mut(&grading)
    }

    /// Sets the value of a grading.
    pub fn insert(&mut self, grading: Grading, value: T) {
        self.0.insert(grading, value);
    }

    /// Whether a grading has a value.
    #[must_use]
    pub fn contains(&self, grading: Grading) -> bool {
        self.0.contains_key(&grading)
    }

    /// Whether no grading has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The gradings that have a value.
    pub fn gradings(&self) -> impl Iterator<Item = Grading> {
        self.0.keys().copied()
    }

    /// Gradings with their values.
    pub fn iter(&self) -> impl Iterator<Item = (Grading, &T)> {
        self.0.iter().map(|(grading, value)| (*grading, value))
    }

    /// The same gradings with each value changed by `f`.
    pub fn map<U>(&self, mut f: impl FnMut(Grading, &T) -> U) -> PerGrading<U> {
        self.iter().map(|(grading, value)| (grading, f(grading, value))).collect()
    }
}

impl<T: Default> PerGrading<T> {
    /// The value of a grading, its default if it had none.
    pub fn entry(&mut self, grading: Grading) -> &mut T {
        self.0.entry(grading).or_default()
    }
}

impl<T> Default for PerGrading<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> FromIterator<(Grading, T)> for PerGrading<T> {
    fn from_iter<I: IntoIterator<Item = (Grading, T)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// For gradings that are known to have a value; panics where one has none. [`PerGrading::get`] asks.
impl<T> Index<Grading> for PerGrading<T> {
    type Output = T;

    fn index(&self, grading: Grading) -> &T {
        self.get(grading).unwrap_or_else(|| panic!("{grading} has no value here"))
    }
}

impl<T> IndexMut<Grading> for PerGrading<T> {
    fn index_mut(&mut self, grading: Grading) -> &mut T {
        self.get_mut(grading).unwrap_or_else(|| panic!("{grading} has no value here"))
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
            }
            assert_eq!(grading.class_from_grade(grading.grade_from_class(grading.classes())), None);
            assert_eq!(grading.key().parse(), Ok(grading));
            assert_eq!(serde_json::to_value(grading).expect("plain enum"), grading.key());
        }
        assert_eq!(Grading::Pfirrmann.grade_from_class(0), 1);
        assert_eq!(Grading::Pfirrmann.class_from_grade(0), None);
        assert_eq!(Grading::Spondylolisthesis.grade_from_class(0), 0);
        assert_eq!(Grading::PAPER, Grading::ALL[..8]);
    }

    #[test]
    fn a_map_over_some_gradings_reads_back_from_json() {
        let map = PerGrading::from_fn(Grading::PAPER, Grading::classes);
        let text = serde_json::to_string(&map).expect("a map of numbers");
        assert!(text.starts_with("{\"pfirrmann\":5,\"disc_narrowing\":4,"));
        assert_eq!(serde_json::from_str::<PerGrading<usize>>(&text).expect("a map"), map);
        let one: PerGrading<usize> = serde_json::from_str("{\"disc_bulging\":2}").expect("gradings may be missing");
        assert_eq!(
            (one.gradings().collect::<Vec<_>>(), one.get(Grading::Pfirrmann)),
            (vec![Grading::DiscBulging], None)
        );
        assert!(serde_json::from_str::<PerGrading<usize>>("{\"disc_colour\":2}").is_err());
    }
}
