//! What each grade means, in words, and who defined it.

use crate::spine::{ClassIndex, Grading};

/// Where the definition of a grading comes from.
#[must_use]
pub fn source(grading: Grading) -> &'static str {
    match grading {
        Grading::Pfirrmann => "Pfirrmann et al., Spine 26(17), 2001; T2 sagittal",
        Grading::Spondylolisthesis => "Jamaludin et al., MedIA 41, 2017; degree by Meyerding, 1932",
        Grading::UpperMarrowChange | Grading::LowerMarrowChange => {
            "Jamaludin et al., MedIA 41, 2017; after Modic et al., Radiology 166, 1988"
        }
        _ => "Jamaludin et al., MedIA 41, 2017; readings of the Genodisc study",
    }
}

/// What is looked at.
#[must_use]
pub fn about(grading: Grading) -> &'static str {
    match grading {
        Grading::Pfirrmann => "Degeneration of the disc by signal, structure and height.",
        Grading::DiscNarrowing => "Loss of height against the discs above and below.",
        Grading::UpperEndplateDefect => "The endplate above the disc (lower endplate of the upper vertebra).",
        Grading::LowerEndplateDefect => "The endplate below the disc (upper endplate of the lower vertebra).",
        Grading::UpperMarrowChange => "Marrow signal in the vertebra above, next to the disc.",
        Grading::LowerMarrowChange => "Marrow signal in the vertebra below, next to the disc.",
        Grading::Spondylolisthesis => "Slip of the vertebra above on the one below.",
        Grading::CentralCanalStenosis => "Narrowing of the spinal canal at the level of the disc.",
    }
}

/// What a class means.
#[must_use]
pub fn criterion(grading: Grading, class: ClassIndex) -> &'static str {
    match grading {
        Grading::Pfirrmann => PFIRRMANN.get(class),
        Grading::DiscNarrowing => NARROWING.get(class),
        Grading::UpperEndplateDefect | Grading::LowerEndplateDefect => ENDPLATE.get(class),
        Grading::UpperMarrowChange | Grading::LowerMarrowChange => MARROW.get(class),
        Grading::Spondylolisthesis => SLIP.get(class),
        Grading::CentralCanalStenosis => STENOSIS.get(class),
    }
    .copied()
    .unwrap_or_default()
}

const PFIRRMANN: &[&str] = &[
    "homogeneous and bright, nucleus and annulus distinct, normal height",
    "inhomogeneous but bright, often with a dark band; distinct, normal height",
    "inhomogeneous and gray, border of the nucleus unclear, height normal or slightly less",
    "inhomogeneous, gray to black, no border of the nucleus, height normal to moderately less",
    "inhomogeneous and black, no border, the disc space has collapsed",
];
const NARROWING: &[&str] =
    &["no loss of height", "slight loss", "moderate loss", "severe loss, endplates close to touching"];
const ENDPLATE: &[&str] = &["smooth and continuous", "irregular, eroded or indented (Schmorl's node)"];
const MARROW: &[&str] = &["the signal of the rest of the body", "a band of other signal along the endplate (Modic)"];
const SLIP: &[&str] = &["the posterior borders line up", "the upper body is displaced forward or backward"];
const STENOSIS: &[&str] = &["fluid around the nerve roots is seen", "the canal is narrowed, fluid is displaced"];

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
