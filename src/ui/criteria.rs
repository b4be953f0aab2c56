//! What each grade means, in the language of the window; the texts stand in the table of gradings.

use super::language::{in_force, translated};
use crate::spine::{ClassIndex, Grading, MeasurementKind};

#[must_use]
pub(crate) fn name(grading: Grading) -> &'static str {
    translated(grading.name())
}

/// A class in a reader's words.
#[must_use]
pub(crate) fn class_name(grading: Grading, class: ClassIndex) -> &'static str {
    translated(grading.class_name(class))
}

/// Name of what is measured.
#[must_use]
pub(crate) fn measurement(kind: MeasurementKind) -> &'static str {
    in_force().text_in("measurement", kind.name())
}

/// Where the definition of a grading comes from.
#[must_use]
pub(crate) fn source(grading: Grading) -> &'static str {
    translated(grading.spec().source)
}

/// What is looked at.
#[must_use]
pub(crate) fn about(grading: Grading) -> &'static str {
    translated(grading.spec().about)
}

/// What a class means.
///
/// # Panics
/// If the grading has no such class.
#[must_use]
pub(crate) fn criterion(grading: Grading, class: ClassIndex) -> &'static str {
    translated(grading.spec().classes[class].1)
}
