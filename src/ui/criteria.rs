//! What each grade means, in words, and who defined it.

use super::language::{tr, translated};
use crate::spine::{ClassIndex, Grading};

/// Name of a grading in the language of the window.
#[must_use]
pub fn name(grading: Grading) -> &'static str {
    translated(grading.name())
}

/// A class in a reader's words, in the language of the window.
#[must_use]
pub fn class_name(grading: Grading, class: ClassIndex) -> &'static str {
    translated(grading.class_name(class))
}

/// Where the definition of a grading comes from.
#[must_use]
pub fn source(grading: Grading) -> &'static str {
    match grading {
        Grading::Pfirrmann => tr!("Pfirrmann et al., Spine 26(17), 2001; T2 sagittal"),
        Grading::Spondylolisthesis => tr!("Jamaludin et al., MedIA 41, 2017; degree by Meyerding, 1932"),
        Grading::UpperMarrowChange | Grading::LowerMarrowChange => {
            tr!("Jamaludin et al., MedIA 41, 2017; after Modic et al., Radiology 166, 1988")
        }
        _ => tr!("Jamaludin et al., MedIA 41, 2017; readings of the Genodisc study"),
    }
}

/// What is looked at.
#[must_use]
pub fn about(grading: Grading) -> &'static str {
    match grading {
        Grading::Pfirrmann => tr!("Degeneration of the disc by signal, structure and height."),
        Grading::DiscNarrowing => tr!("Loss of height against the discs above and below."),
        Grading::UpperEndplateDefect => tr!("The endplate above the disc (lower endplate of the upper vertebra)."),
        Grading::LowerEndplateDefect => tr!("The endplate below the disc (upper endplate of the lower vertebra)."),
        Grading::UpperMarrowChange => tr!("Marrow signal in the vertebra above, next to the disc."),
        Grading::LowerMarrowChange => tr!("Marrow signal in the vertebra below, next to the disc."),
        Grading::Spondylolisthesis => tr!("Slip of the vertebra above on the one below."),
        Grading::CentralCanalStenosis => tr!("Narrowing of the spinal canal at the level of the disc."),
    }
}

/// What a class means.
#[must_use]
pub fn criterion(grading: Grading, class: ClassIndex) -> &'static str {
    match (grading, class) {
        (Grading::Pfirrmann, 0) => tr!("homogeneous and bright, nucleus and annulus distinct, normal height"),
        (Grading::Pfirrmann, 1) => tr!("inhomogeneous but bright, often with a dark band; distinct, normal height"),
        (Grading::Pfirrmann, 2) => {
            tr!("inhomogeneous and gray, border of the nucleus unclear, height normal or slightly less")
        }
        (Grading::Pfirrmann, 3) => {
            tr!("inhomogeneous, gray to black, no border of the nucleus, height normal to moderately less")
        }
        (Grading::Pfirrmann, 4) => tr!("inhomogeneous and black, no border, the disc space has collapsed"),
        (Grading::DiscNarrowing, 0) => tr!("no loss of height"),
        (Grading::DiscNarrowing, 1) => tr!("slight loss"),
        (Grading::DiscNarrowing, 2) => tr!("moderate loss"),
        (Grading::DiscNarrowing, 3) => tr!("severe loss, endplates close to touching"),
        (Grading::UpperEndplateDefect | Grading::LowerEndplateDefect, 0) => tr!("smooth and continuous"),
        (Grading::UpperEndplateDefect | Grading::LowerEndplateDefect, 1) => {
            tr!("irregular, eroded or indented (Schmorl's node)")
        }
        (Grading::UpperMarrowChange | Grading::LowerMarrowChange, 0) => tr!("the signal of the rest of the body"),
        (Grading::UpperMarrowChange | Grading::LowerMarrowChange, 1) => {
            tr!("a band of other signal along the endplate (Modic)")
        }
        (Grading::Spondylolisthesis, 0) => tr!("the posterior borders line up"),
        (Grading::Spondylolisthesis, 1) => tr!("the upper body is displaced forward or backward"),
        (Grading::CentralCanalStenosis, 0) => tr!("fluid around the nerve roots is seen"),
        (Grading::CentralCanalStenosis, 1) => tr!("the canal is narrowed, fluid is displaced"),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_every_grading_is_explained() {
        for grading in Grading::ALL {
            assert!((0..grading.classes()).all(|class| !criterion(grading, class).is_empty()), "{grading}");
            assert_eq!(criterion(grading, grading.classes()), "");
        }
    }
}
