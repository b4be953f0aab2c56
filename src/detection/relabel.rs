//! Correcting a level by hand.

use thiserror::Error;

use crate::spine::{Vertebra, VertebraLabel};

/// Why the levels could not be changed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub(crate) enum RelabelError {
    /// There is no such vertebra.
    #[error("there is no vertebra number {index}; {count} were found")]
    NoSuchVertebra {
        /// Asked for.
        index: usize,
        count: usize,
    },
}

/// The same bodies with vertebra `index` named `label` and all others moved by as many places; those that are pushed
/// beyond T8 or S1 are dropped. Naming a body L6 gives the spine six lumbar vertebrae, naming one anything else gives it
/// five. The corrected vertebra's confidence becomes 1, the others keep theirs.
///
/// # Errors
/// If there is no vertebra `index`.
pub(crate) fn relabel(
    vertebrae: &[Vertebra],
    index: usize,
    label: VertebraLabel,
) -> Result<Vec<Vertebra>, RelabelError> {
    let no_such = RelabelError::NoSuchVertebra { index, count: vertebrae.len() };
    let corrected = vertebrae.get(index).ok_or(no_such)?;
    let before = VertebraLabel::of_spine(vertebrae.iter().map(|vertebra| vertebra.label));
    let after = VertebraLabel::of_spine([label]);
    let place = |names: &[VertebraLabel], label| names.iter().position(|name| *name == label).map(|at| at as isize);
    let moved = |(other, vertebra): (usize, &Vertebra)| {
        let below = place(before, vertebra.label)? - place(before, corrected.label)?;
        let label = *after.get(usize::try_from(place(after, label)? + below).ok()?)?;
        let confidence = if other == index { 1.0 } else { vertebra.confidence };
        Some(Vertebra { label, confidence, outlines: vertebra.outlines.clone() })
    };
    Ok(vertebrae.iter().enumerate().filter_map(moved).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::VertebraLabel::{L2, L3, L4, L5, S1, T12};

    fn bodies(labels: &[VertebraLabel]) -> Vec<Vertebra> {
        labels.iter().map(|label| Vertebra { label: *label, confidence: 0.5, outlines: Vec::new() }).collect()
    }

    fn labels(vertebrae: &[Vertebra]) -> Vec<VertebraLabel> {
        vertebrae.iter().map(|vertebra| vertebra.label).collect()
    }

    #[test]
    fn the_rest_follows_and_holes_stay() {
        let moved = relabel(&bodies(&[L2, L4, L5]), 1, L3).expect("exists");
        assert_eq!(labels(&moved), [VertebraLabel::L1, L3, L4]);
        assert_eq!(moved.iter().map(|v| v.confidence).collect::<Vec<_>>(), [0.5, 1.0, 0.5]);
    }

    #[test]
    fn bodies_pushed_off_the_end_are_dropped() {
        let moved = relabel(&bodies(&[L4, L5, S1]), 1, S1).expect("exists");
        assert_eq!(labels(&moved), [L5, S1]);
        let moved = relabel(&bodies(&[VertebraLabel::T8, T12, L5]), 2, L4).expect("exists");
        assert_eq!(labels(&moved), [VertebraLabel::T11, L4]);
    }

    #[test]
    fn a_sixth_lumbar_vertebra_comes_and_goes() {
        use VertebraLabel::{L1, L6};
        let five = [T12, L1, L2, L3, L4, L5, S1];
        let six = relabel(&bodies(&five), 5, L6).expect("exists");
        assert_eq!(labels(&six), [L1, L2, L3, L4, L5, L6, S1]);
        assert_eq!(labels(&relabel(&six, 5, L5).expect("exists")), five);
        assert_eq!(labels(&relabel(&six, 0, T12).expect("exists")), five);
    }

    #[test]
    fn a_missing_vertebra_is_an_error() {
        assert_eq!(relabel(&[], 0, L5), Err(RelabelError::NoSuchVertebra { index: 0, count: 0 }));
    }
}
