//! Names of vertebrae and discs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A name that is neither a vertebra nor a disc level.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("unknown level \"{0}\"; discs are T12-L1, L1-L2, L2-L3, L3-L4, L4-L5, L5-S1")]
pub struct UnknownLevel(pub String);

/// A vertebra, ordered from the thorax down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
}

impl VertebraLabel {
    /// All labels from the thorax down.
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

    /// Position in [`Self::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The label `count` places further up (towards the head; negative: down), if there is one.
    #[must_use]
    pub fn above(self, count: isize) -> Option<Self> {
        let index = (self.index() as isize).checked_sub(count)?;
        Self::ALL.get(usize::try_from(index).ok()?).copied()
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
        Self::ALL
            .into_iter()
            .find(|label| label.to_string().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

/// One of the six graded discs, named by the vertebrae above and below; ordered from the thorax down.
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
}

impl DiscLevel {
    /// All levels from the thorax down.
    pub const ALL: [Self; 6] = [Self::T12L1, Self::L1L2, Self::L2L3, Self::L3L4, Self::L4L5, Self::L5S1];

    /// Position in [`Self::ALL`].
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
            Self::L5S1 => VertebraLabel::L5,
        }
    }

    /// The vertebra below the disc.
    #[must_use]
    pub fn lower(self) -> VertebraLabel {
        match self {
            Self::T12L1 => VertebraLabel::L1,
            Self::L1L2 => VertebraLabel::L2,
            Self::L2L3 => VertebraLabel::L3,
            Self::L3L4 => VertebraLabel::L4,
            Self::L4L5 => VertebraLabel::L5,
            Self::L5S1 => VertebraLabel::S1,
        }
    }

    /// The graded level below `upper`, if it is one of the six.
    #[must_use]
    pub fn below(upper: VertebraLabel) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.upper() == upper)
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
        Self::ALL
            .into_iter()
            .find(|level| bare(&level.to_string()) == bare(text))
            .ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_back_as_they_show() {
        for level in DiscLevel::ALL {
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
}
