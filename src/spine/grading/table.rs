//! The table of gradings: everything that is particular to one stands in its row. Screen, reports, DICOM objects, tables
//! and training read it from here, so a new grading is a row and a head in the weights.

use serde::{Deserialize, Serialize};

use super::ClassIndex;

/// What is particular to a grading. English texts; the window looks them up in its language.
#[derive(Debug)]
pub struct GradingSpec {
    /// Name in files and on the command line.
    pub key: &'static str,
    /// Name in words.
    pub name: &'static str,
    /// Heading shared with the neighbouring column of the screen's table; empty where the column stands alone.
    pub group: &'static str,
    /// Heading of the column, below [`Self::group`].
    pub heading: &'static str,
    /// Heading in the printed report, in two lines.
    pub title: &'static str,
    /// What a sentence calls it; scales have the class behind it.
    pub in_sentence: &'static str,
    /// Name and criterion of each class, the mildest first.
    pub classes: &'static [(&'static str, &'static str)],
    /// The first class that is a finding. Pfirrmann I and II are normal, III to V degenerated, the usual division of the
    /// scale (as in doi:10.1186/s40064-016-3155-8), though some studies begin at IV.
    pub first_abnormal: ClassIndex,
    /// Code value in this program's coding scheme, at most 16 characters with the number that classes of scales add.
    pub code: &'static str,
    /// What is looked at.
    pub about: &'static str,
    /// Where the definition comes from.
    pub source: &'static str,
}

const GENODISC: &str = "Jamaludin et al., MedIA 41, 2017; readings of the Genodisc study";
const MODIC: &str = "Jamaludin et al., MedIA 41, 2017; after Modic et al., Radiology 166, 1988";
const FARDON: &str = "Fardon et al., The Spine Journal 14(11), 2014";
const ENDPLATE: &[(&str, &str)] =
    &[("absent", "smooth and continuous"), ("present", "irregular, eroded or indented (Schmorl's node)")];
const MARROW: &[(&str, &str)] = &[
    ("absent", "the signal of the rest of the body"),
    ("present", "a band of other signal along the endplate (Modic)"),
];

/// Makes the enum of the rows, so that neither can lack what the other has.
macro_rules! gradings {
    ($($(#[doc = $doc:literal])* $variant:ident $key:literal { $($field:ident: $value:expr,)* })*) => {
        /// A grading of a disc. New ones stand at the end: the order is that of columns and tensors.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum Grading {
            $($(#[doc = $doc])* $variant,)*
        }

        const TABLE: &[GradingSpec] = &[$(GradingSpec { key: $key, $($field: $value,)* }),*];

        impl Grading {
            /// All gradings, in the order of every table and array over gradings.
            pub const ALL: [Self; TABLE.len()] = [$(Self::$variant),*];
        }
    };
}

impl Grading {
    /// Its row of the table.
    #[must_use]
    pub fn spec(self) -> &'static GradingSpec {
        &TABLE[self as usize]
    }
}

gradings! {
    /// Disc degeneration, five grades I–V.
    Pfirrmann "pfirrmann" {
        name: "Pfirrmann grade",
        group: "",
        heading: "Pfirr.",
        title: "Pfirrmann\ngrade",
        in_sentence: "Pfirrmann",
        classes: &[
            ("I", "homogeneous and bright, nucleus and annulus distinct, normal height"),
            ("II", "inhomogeneous but bright, often with a dark band; distinct, normal height"),
            ("III", "inhomogeneous and gray, border of the nucleus unclear, height normal or slightly less"),
            ("IV", "inhomogeneous, gray to black, no border of the nucleus, height normal to moderately less"),
            ("V", "inhomogeneous and black, no border, the disc space has collapsed"),
        ],
        first_abnormal: 2,
        code: "PFIRRMANN",
        about: "Degeneration of the disc by signal, structure and height.",
        source: "Pfirrmann et al., Spine 26(17), 2001; T2 sagittal",
    }
    /// Loss of disc height, four grades.
    DiscNarrowing "disc_narrowing" {
        name: "Disc narrowing",
        group: "",
        heading: "Narr.",
        title: "Disc\nnarrowing",
        in_sentence: "narrowing",
        classes: &[
            ("1", "no loss of height"),
            ("2", "slight loss"),
            ("3", "moderate loss"),
            ("4", "severe loss, endplates close to touching"),
        ],
        first_abnormal: 1,
        code: "NARROWING",
        about: "Loss of height against the discs above and below.",
        source: GENODISC,
    }
    /// Defect of the endplate above the disc.
    UpperEndplateDefect "upper_endplate_defect" {
        name: "Upper endplate defect",
        group: "Endplate",
        heading: "upper",
        title: "Upper end-\nplate defect",
        in_sentence: "upper endplate defect",
        classes: ENDPLATE,
        first_abnormal: 1,
        code: "UP-ENDPLATE",
        about: "The endplate above the disc (lower endplate of the upper vertebra).",
        source: GENODISC,
    }
    /// Defect of the endplate below the disc.
    LowerEndplateDefect "lower_endplate_defect" {
        name: "Lower endplate defect",
        group: "Endplate",
        heading: "lower",
        title: "Lower end-\nplate defect",
        in_sentence: "lower endplate defect",
        classes: ENDPLATE,
        first_abnormal: 1,
        code: "LOW-ENDPLATE",
        about: "The endplate below the disc (upper endplate of the lower vertebra).",
        source: GENODISC,
    }
    /// Signal change of the marrow above the disc (Modic).
    UpperMarrowChange "upper_marrow_change" {
        name: "Upper marrow change",
        group: "Marrow",
        heading: "upper",
        title: "Upper mar-\nrow change",
        in_sentence: "upper marrow change",
        classes: MARROW,
        first_abnormal: 1,
        code: "UP-MARROW",
        about: "Marrow signal in the vertebra above, next to the disc.",
        source: MODIC,
    }
    /// Signal change of the marrow below the disc (Modic).
    LowerMarrowChange "lower_marrow_change" {
        name: "Lower marrow change",
        group: "Marrow",
        heading: "lower",
        title: "Lower mar-\nrow change",
        in_sentence: "lower marrow change",
        classes: MARROW,
        first_abnormal: 1,
        code: "LOW-MARROW",
        about: "Marrow signal in the vertebra below, next to the disc.",
        source: MODIC,
    }
    /// Slip of the vertebra above against the one below.
    Spondylolisthesis "spondylolisthesis" {
        name: "Spondylolisthesis",
        group: "",
        heading: "Slip",
        title: "Spondylo-\nlisthesis",
        in_sentence: "spondylolisthesis",
        classes: &[
            ("absent", "the posterior borders line up"),
            ("present", "the upper body is displaced forward or backward"),
        ],
        first_abnormal: 1,
        code: "LISTHESIS",
        about: "Slip of the vertebra above on the one below.",
        source: "Jamaludin et al., MedIA 41, 2017; degree by Meyerding, 1932",
    }
    /// Narrowing of the central canal.
    CentralCanalStenosis "central_canal_stenosis" {
        name: "Central canal stenosis",
        group: "",
        heading: "Sten.",
        title: "Central canal\nstenosis",
        in_sentence: "central canal stenosis",
        classes: &[
            ("absent", "fluid around the nerve roots is seen"),
            ("present", "the canal is narrowed, fluid is displaced"),
        ],
        first_abnormal: 1,
        code: "CANAL-STENOSIS",
        about: "Narrowing of the spinal canal at the level of the disc.",
        source: GENODISC,
    }
    /// Disc tissue beyond the vertebral edges around most of the disc.
    DiscBulging "disc_bulging" {
        name: "Disc bulging",
        group: "",
        heading: "Bulge",
        title: "Disc\nbulging",
        in_sentence: "disc bulging",
        classes: &[
            ("absent", "the disc ends at the edges of the vertebral bodies"),
            ("present", "the disc passes the edges of the bodies around more than a quarter of its circumference"),
        ],
        first_abnormal: 1,
        code: "BULGING",
        about: "Whether the disc as a whole passes the edges of the vertebral bodies.",
        source: FARDON,
    }
    /// Disc tissue displaced at one place: protrusion or extrusion.
    DiscHerniation "disc_herniation" {
        name: "Disc herniation",
        group: "",
        heading: "Hern.",
        title: "Disc\nherniation",
        in_sentence: "disc herniation",
        classes: &[
            ("absent", "no disc tissue is displaced at one place"),
            ("present", "disc tissue is displaced over less than a quarter of the circumference"),
        ],
        first_abnormal: 1,
        code: "HERNIATION",
        about: "Whether disc tissue is displaced at one place: protrusion or extrusion.",
        source: FARDON,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole() {
        let mut keys = Vec::new();
        for grading in Grading::ALL {
            let spec = grading.spec();
            let texts = [spec.key, spec.name, spec.heading, spec.in_sentence, spec.code, spec.about, spec.source];
            assert!(texts.iter().all(|text| !text.is_empty()), "{grading}");
            assert!(
                spec.classes.iter().all(|(name, criterion)| !name.is_empty() && !criterion.is_empty()),
                "{grading}"
            );
            assert!(spec.classes.len() >= 2 && (1..spec.classes.len()).contains(&spec.first_abnormal), "{grading}");
            keys.extend([spec.key, spec.code]);
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 2 * Grading::ALL.len(), "keys and codes differ");
    }
}
