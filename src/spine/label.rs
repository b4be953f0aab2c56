//! Names of vertebrae and discs.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A name that is neither a vertebra nor a disc level.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error(
    "unknown level \"{0}\"; discs are T12-L1, L1-L2, L2-L3, L3-L4, L4-L5, L5-S1 and, with a sixth lumbar vertebra, L5-L6, L6-S1"
)]
pub struct UnknownLevel(pub String);

/// A vertebra, ordered from the thorax down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum VertebraLabel {
    T8,
    T9,
    T10,
    T11,
    T12,
    L1,
    L2,
    L3,
    L4,
    L5,
    S1,
    /// The sixth lumbar vertebra of a spine that has one, between L5 and S1.
    L6,
}

impl VertebraLabel {
    /// The names of a spine with five lumbar vertebrae, from the thorax down.
    pub const ALL: [Self; 11] = [
        Self::T8,
        Self::T9,
        Self::T10,
        Self::T11,
        Self::T12,
        Self::L1,
        Self::L2,
        Self::L3,
        Self::L4,
        Self::L5,
        Self::S1,
    ];

    /// The names of a spine with six lumbar vertebrae, from the thorax down.
    pub(crate) const WITH_L6: [Self; 12] = [
        Self::T8,
        Self::T9,
        Self::T10,
        Self::T11,
        Self::T12,
        Self::L1,
        Self::L2,
        Self::L3,
        Self::L4,
        Self::L5,
        Self::L6,
        Self::S1,
    ];

    /// The names of the spine that `labels` belong to.
    #[must_use]
    pub(crate) fn of_spine(labels: impl IntoIterator<Item = Self>) -> &'static [Self] {
        if labels.into_iter().any(|label| label == Self::L6) { &Self::WITH_L6 } else { &Self::ALL }
    }

    /// Position in [`Self::ALL`]; L6, which is not among them, comes after them.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The label `count` places further up (towards the head; negative: down), if there is one. Above S1 comes L5: a
    /// spine has a sixth lumbar vertebra only where a reader says so.
    #[must_use]
    pub(crate) fn above(self, count: isize) -> Option<Self> {
        let names: &[Self] = if self == Self::L6 { &Self::WITH_L6 } else { &Self::ALL };
        let index = (names.iter().position(|name| *name == self)? as isize).checked_sub(count)?;
        names.get(usize::try_from(index).ok()?).copied()
    }

    /// Position in [`Self::WITH_L6`]: the order along the spine.
    fn rank(self) -> usize {
        Self::WITH_L6.iter().position(|name| *name == self).unwrap_or(Self::WITH_L6.len())
    }
}

impl Ord for VertebraLabel {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for VertebraLabel {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for VertebraLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for VertebraLabel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::WITH_L6
            .into_iter()
            .find(|label| label.to_string().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

/// A graded disc, named by the vertebrae above and below; the levels of one spine are ordered from the thorax down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum DiscLevel {
    #[serde(rename = "T12-L1")]
    T12L1,
    #[serde(rename = "L1-L2")]
    L1L2,
    #[serde(rename = "L2-L3")]
    L2L3,
    #[serde(rename = "L3-L4")]
    L3L4,
    #[serde(rename = "L4-L5")]
    L4L5,
    #[serde(rename = "L5-S1")]
    L5S1,
    /// In a spine with six lumbar vertebrae only.
    #[serde(rename = "L5-L6")]
    L5L6,
    /// In a spine with six lumbar vertebrae only.
    #[serde(rename = "L6-S1")]
    L6S1,
}

impl DiscLevel {
    /// The six levels of a spine with five lumbar vertebrae, from the thorax down.
    pub const ALL: [Self; 6] = [Self::T12L1, Self::L1L2, Self::L2L3, Self::L3L4, Self::L4L5, Self::L5S1];

    /// The seven levels of a spine with six lumbar vertebrae, from the thorax down.
    pub(crate) const WITH_L6: [Self; 7] =
        [Self::T12L1, Self::L1L2, Self::L2L3, Self::L3L4, Self::L4L5, Self::L5L6, Self::L6S1];

    /// The levels of the spine that `vertebrae` name.
    #[must_use]
    pub(crate) fn of_spine(vertebrae: impl IntoIterator<Item = VertebraLabel>) -> &'static [Self] {
        if vertebrae.into_iter().any(|label| label == VertebraLabel::L6) { &Self::WITH_L6 } else { &Self::ALL }
    }

    /// Number of the disc counted from the sacrum upwards, 1 for the lowest, in a spine with these levels.
    #[must_use]
    pub(crate) fn number_above_sacrum(self, levels: &[Self]) -> Option<usize> {
        levels.iter().rev().position(|level| *level == self).map(|place| place + 1)
    }

    /// Position in [`Self::ALL`]; those of a sixth lumbar vertebra come after them.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The vertebra above the disc.
    #[must_use]
    pub fn upper(self) -> VertebraLabel {
        match self {
            Self::T12L1 => VertebraLabel::T12,
            Self::L1L2 => VertebraLabel::L1,
            Self::L2L3 => VertebraLabel::L2,
            Self::L3L4 => VertebraLabel::L3,
            Self::L4L5 => VertebraLabel::L4,
            Self::L5S1 | Self::L5L6 => VertebraLabel::L5,
            Self::L6S1 => VertebraLabel::L6,
        }
    }

    /// The vertebra below the disc.
    #[must_use]
    pub(crate) fn lower(self) -> VertebraLabel {
        match self {
            Self::T12L1 => VertebraLabel::L1,
            Self::L1L2 => VertebraLabel::L2,
            Self::L2L3 => VertebraLabel::L3,
            Self::L3L4 => VertebraLabel::L4,
            Self::L4L5 => VertebraLabel::L5,
            Self::L5S1 | Self::L6S1 => VertebraLabel::S1,
            Self::L5L6 => VertebraLabel::L6,
        }
    }

    /// The level below `upper` in a spine with five lumbar vertebrae, if it is graded.
    #[must_use]
    pub(crate) fn below(upper: VertebraLabel) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.upper() == upper)
    }

    /// The levels of all spines, each once.
    pub(crate) fn every() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain([Self::L5L6, Self::L6S1])
    }
}

impl fmt::Display for DiscLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` lets callers align levels in printed tables.
        f.pad(&format!("{}-{}", self.upper(), self.lower()))
    }
}

impl FromStr for DiscLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = |name: &str| name.replace(['-', '/', ' '], "").to_ascii_uppercase();
        Self::every().find(|level| bare(&level.to_string()) == bare(text)).ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_back_as_they_show() {
        for level in DiscLevel::every() {
            assert_eq!(level.to_string().parse(), Ok(level));
            assert_eq!(serde_json::to_string(&level).expect("plain enum"), format!("\"{level}\""));
        }
        assert_eq!("l4/5".parse::<DiscLevel>(), Err(UnknownLevel("l4/5".to_owned())));
        assert_eq!("L5/S1".parse(), Ok(DiscLevel::L5S1));
    }

    #[test]
    fn labels_count_up_and_down_the_spine() {
        assert_eq!(VertebraLabel::S1.above(1), Some(VertebraLabel::L5));
        assert_eq!(VertebraLabel::L5.above(-1), Some(VertebraLabel::S1));
        assert_eq!(VertebraLabel::S1.above(-1), None);
        assert_eq!(VertebraLabel::T8.above(1), None);
        assert_eq!(DiscLevel::below(VertebraLabel::L4), Some(DiscLevel::L4L5));
        assert_eq!(DiscLevel::below(VertebraLabel::S1), None);
    }

    #[test]
    fn a_sixth_lumbar_vertebra_lies_between_l5_and_s1() {
        let six = VertebraLabel::WITH_L6;
        assert!(six.is_sorted() && VertebraLabel::ALL.is_sorted() && DiscLevel::WITH_L6.is_sorted());
        assert_eq!((six[11].above(1), six[10].above(1)), (Some(VertebraLabel::L5), Some(VertebraLabel::L5)));
        assert_eq!(VertebraLabel::L6.above(-1), Some(VertebraLabel::S1));
        assert_eq!("l6".parse(), Ok(VertebraLabel::L6));
        for pair in DiscLevel::WITH_L6.windows(2) {
            assert_eq!(pair[0].lower(), pair[1].upper());
        }
        assert_eq!(DiscLevel::of_spine(six), DiscLevel::WITH_L6);
        assert_eq!(DiscLevel::of_spine(VertebraLabel::ALL), DiscLevel::ALL);
    }
}
