//! What is known of a disc's gradings: each label is the set of admissible outcomes.
//!
//! Public labels are often coarser than the network's heads: narrowing is yes or no where the head has four grades,
//! and one Modic label speaks for both endplates. A label therefore says which outcomes it admits, and the loss is
//! minus the logarithm of their total probability (REFERENCES section 4).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spine::{ClassIndex, Grading, PerGrading};

/// A set of classes of one grading; empty where nothing is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ClassSet(u8);

impl ClassSet {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Self = Self(0);

    #[must_use]
    pub(crate) fn exactly(class: ClassIndex) -> Self {
        Self::of(class..=class)
    }

    /// A range of classes, each below 8.
    #[must_use]
    pub fn of(classes: std::ops::RangeInclusive<ClassIndex>) -> Self {
        Self(classes.filter(|class| *class < 8).fold(0, |bits, class| bits | 1 << class))
    }

    /// Whether the label admits `class`.
    #[must_use]
    pub fn contains(self, class: ClassIndex) -> bool {
        class < 8 && self.0 >> class & 1 == 1
    }

    /// Whether nothing is known.
    #[must_use]
    pub(crate) fn is_unknown(self) -> bool {
        self.0 == 0
    }

    /// The admitted classes, ascending.
    pub fn classes(self) -> impl Iterator<Item = ClassIndex> {
        (0..8).filter(move |class| self.contains(*class))
    }

    /// The lowest admitted class: what coarse labels are counted and scored by.
    #[must_use]
    pub(crate) fn lowest(self) -> Option<ClassIndex> {
        self.classes().next()
    }

    /// The class, if there is just one.
    #[must_use]
    pub fn single(self) -> Option<ClassIndex> {
        self.lowest().filter(|_| self.0.is_power_of_two())
    }
}

impl fmt::Debug for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.classes()).finish()
    }
}

/// What is known of one disc.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiscLabels {
    /// Admissible classes of each grading of which something is known; [`Self::of`] asks for one.
    pub gradings: PerGrading<ClassSet>,
    /// At least one of the two neighbouring marrows is changed, it is not told which. The two marrow gradings are then
    /// unknown by themselves.
    pub either_marrow_changed: bool,
}

impl DiscLabels {
    /// Gradings known exactly, from grades in a reader's words (Pfirrmann 1–5, narrowing 1–4, others 0 or 1);
    /// a grade that does not exist counts as unknown.
    #[must_use]
    pub(crate) fn exact(grades: &PerGrading<u8>) -> Self {
        let known =
            |(grading, grade): (Grading, &u8)| Some((grading, ClassSet::exactly(grading.class_from_grade(*grade)?)));
        Self { gradings: grades.iter().filter_map(known).collect(), either_marrow_changed: false }
    }

    /// Admissible classes of a grading.
    #[must_use]
    pub fn of(&self, grading: Grading) -> ClassSet {
        self.gradings.get(grading).copied().unwrap_or(ClassSet::UNKNOWN)
    }

    /// Whether any marrow label is known: `Some(true)` where at least one endplate's marrow is changed.
    #[must_use]
    pub(crate) fn any_marrow_change(&self) -> Option<bool> {
        if self.either_marrow_changed {
            return Some(true);
        }
        let upper = self.of(Grading::UpperMarrowChange).single()?;
        let lower = self.of(Grading::LowerMarrowChange).single()?;
        Some(upper + lower > 0)
    }

    /// What is known of some gradings alone. A marrow change on either side stays known with either of the two.
    #[must_use]
    pub(crate) fn only(&self, keep: impl Fn(Grading) -> bool) -> Self {
        let kept = self.gradings.iter().filter(|(grading, _)| keep(*grading));
        let gradings = kept.map(|(grading, classes)| (grading, *classes)).collect();
        let marrow = keep(Grading::UpperMarrowChange) || keep(Grading::LowerMarrowChange);
        Self { gradings, either_marrow_changed: self.either_marrow_changed && marrow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_they_were_made_of() {
        let narrowed = ClassSet::of(1..=3);
        assert_eq!(narrowed.classes().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((narrowed.lowest(), narrowed.single()), (Some(1), None));
        assert_eq!(ClassSet::exactly(4).single(), Some(4));
        assert!(ClassSet::UNKNOWN.is_unknown() && ClassSet::UNKNOWN.lowest().is_none());
        assert_eq!(format!("{narrowed:?}"), "{1, 2, 3}");
    }

    #[test]
    fn exact_grades_become_single_classes() {
        let labels = DiscLabels::exact(&PerGrading::from_fn(Grading::PAPER, |grading| match grading {
            Grading::Pfirrmann => 5,
            Grading::DiscNarrowing | Grading::LowerMarrowChange => 1,
            _ => 0,
        }));
        assert_eq!(labels.of(Grading::Pfirrmann).single(), Some(4));
        assert_eq!(labels.of(Grading::DiscNarrowing).single(), Some(0));
        assert_eq!(labels.any_marrow_change(), Some(true));
        let some = labels.only(|grading| grading == Grading::Pfirrmann);
        assert_eq!((some.of(Grading::Pfirrmann).single(), some.any_marrow_change()), (Some(4), None));
        assert!(DiscLabels::default().any_marrow_change().is_none());
    }
}
