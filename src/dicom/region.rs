//! Which part of the body a series shows, as far as its header says.

use std::collections::BTreeSet;

use super::vocabulary::{Concept, concepts};
use crate::language::message;

/// What the header says of the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Region {
    /// The lumbar spine.
    Lumbar,
    /// The lumbar spine beside other parts.
    LumbarAndMore,
    WholeSpine,
    /// Nothing, or no more than "spine".
    #[default]
    Unknown,
    /// Another part, by a weak sign.
    PerhapsElsewhere(Part),
    /// Another part.
    Elsewhere(Part),
}

/// A part of the body that is not the lumbar spine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Cervical,
    Thoracic,
    CervicalAndThoracic,
    Sacrum,
    Other,
}

impl Part {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Cervical => message!("the cervical spine"),
            Self::Thoracic => message!("the thoracic spine"),
            Self::CervicalAndThoracic => message!("the cervical and thoracic spine"),
            Self::Sacrum => message!("the sacrum"),
            Self::Other => message!("another part of the body"),
        }
    }
}

/// The texts that may name a region.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RegionTexts<'a> {
    /// Series description.
    pub description: &'a str,
    pub protocol: &'a str,
    /// Body part examined and the names of anatomic regions.
    pub body_part: &'a str,
    /// Study description.
    pub study: &'a str,
}

impl Region {
    /// The region by the most specific text that names one: a series description is written for this series, a body part
    /// is often that of the whole examination, and single letters may mean something else.
    pub(super) fn of(texts: RegionTexts) -> Self {
        let description = concepts(texts.description);
        let protocol = concepts(texts.protocol);
        if let Some(region) = named(&description).or_else(|| named(&protocol)) {
            return region;
        }
        let letter = letters(&description).or_else(|| letters(&protocol));
        match (named(&concepts(texts.body_part)), letter) {
            (Some(body_part), None) => body_part,
            (Some(body_part), Some(letter)) => body_part.doubted_by(letter),
            (None, Some(letter)) => letter,
            (None, None) => named(&concepts(texts.study)).map_or(Self::Unknown, Self::of_whole_study),
        }
    }

    /// The region that a body part names, where a letter of the description may name another.
    fn doubted_by(self, letter: Self) -> Self {
        match (self, letter) {
            (Self::Lumbar, Self::PerhapsElsewhere(_)) => letter,
            (Self::Elsewhere(Part::Cervical | Part::Thoracic), Self::Lumbar | Self::LumbarAndMore) => Self::Unknown,
            // Of a knee, L is the left one.
            _ => self,
        }
    }

    /// What the description of a study that has this region says of one series.
    fn of_whole_study(self) -> Self {
        match self {
            Self::Elsewhere(part) => Self::PerhapsElsewhere(part),
            Self::LumbarAndMore | Self::WholeSpine => Self::Unknown,
            other => other,
        }
    }

    /// Penalty in the choice of the series to grade.
    pub(crate) fn penalty(self) -> f64 {
        match self {
            Self::Lumbar => 0.0,
            Self::LumbarAndMore | Self::Unknown => 1.0,
            Self::WholeSpine | Self::PerhapsElsewhere(_) => 2.0,
            Self::Elsewhere(_) => 3.0,
        }
    }
}

/// The region that whole words name.
fn named(concepts: &BTreeSet<Concept>) -> Option<Region> {
    let has = |concept| concepts.contains(&concept);
    let (cervical, thoracic, elsewhere) = (has(Concept::Cervical), has(Concept::Thoracic), has(Concept::Elsewhere));
    let lumbar = has(Concept::Lumbar) || has(Concept::LumbarAndThoracic);
    if has(Concept::WholeSpine) || (cervical && thoracic && lumbar) {
        return Some(Region::WholeSpine);
    }
    match (lumbar, cervical || thoracic || elsewhere || has(Concept::LumbarAndThoracic)) {
        (true, true) => Some(Region::LumbarAndMore),
        (true, false) => Some(Region::Lumbar),
        (false, _) if cervical && thoracic => Some(Region::Elsewhere(Part::CervicalAndThoracic)),
        (false, _) if cervical => Some(Region::Elsewhere(Part::Cervical)),
        (false, _) if thoracic => Some(Region::Elsewhere(Part::Thoracic)),
        (false, true) => Some(Region::Elsewhere(Part::Other)),
        (false, false) => has(Concept::Sacrum).then_some(Region::Elsewhere(Part::Sacrum)),
    }
}

/// The region that single letters or levels suggest.
fn letters(concepts: &BTreeSet<Concept>) -> Option<Region> {
    let has = |concept| concepts.contains(&concept);
    // From the thorax to the sacrum, as in T12-S1, lies the lumbar spine; S1 alone may be the first series.
    if has(Concept::SacralLetter) && has(Concept::ThoracicLetter) && !has(Concept::CervicalLetter) {
        return Some(Region::Lumbar);
    }
    match (has(Concept::LumbarLetter), has(Concept::ThoracicLetter), has(Concept::CervicalLetter)) {
        (true, true, true) => Some(Region::WholeSpine),
        (true, false, false) => Some(Region::Lumbar),
        (true, ..) => Some(Region::LumbarAndMore),
        (false, _, true) => Some(Region::PerhapsElsewhere(Part::Cervical)),
        (false, true, false) => Some(Region::PerhapsElsewhere(Part::Thoracic)),
        (false, false, false) => None,
    }
}
