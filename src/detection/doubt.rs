//! Why the names of the levels may be wrong.

use std::fmt;

use super::Detection;
use crate::language::message;
use crate::spine::VertebraLabel;

/// Other names at least this probable are told to the reader: some 1 % of the T2 scans whose names are right, 2 % of the T1 scans.
const WORTH_MENTIONING: f64 = 0.1;

/// A reason to check the levels, in words through `Display`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LevelDoubt {
    /// The sacrum was not found, so levels are known by the look of the bodies only.
    NoSacrum,
    /// Transitional anatomy, or a sacrum that is hard to tell from L5: what is called by one name may be the next one.
    Shifted {
        /// Whether all names may have to move towards the head (what is called L5 is L4) rather than towards the feet.
        up: bool,
        probability: f64,
    },
}

impl LevelDoubt {
    /// Code for programs that read reports.
    #[must_use]
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NoSacrum => "sacrum_not_found",
            Self::Shifted { .. } => "levels_uncertain",
        }
    }
}

impl fmt::Display for LevelDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::NoSacrum => message!(
                "The sacrum was not found; the levels follow from the look of the vertebrae alone. Please check them."
            )
            .to_owned(),
            Self::Shifted { up, probability } => {
                let [shifted, as_named] = [*probability, 1.0 - probability].map(|part| format!("{:.0}", 100.0 * part));
                if *up {
                    message!(
                        "The levels may be named too low (probability {shifted} %, as named {as_named} %): what is called L5 \
                         may be L4. The lumbosacral junction is unusual, as with four or six lumbar vertebrae. Please check \
                         them.",
                        shifted = shifted,
                        as_named = as_named
                    )
                } else {
                    message!(
                        "The levels may be named too high (probability {shifted} %, as named {as_named} %): what is called L5 \
                         may be a sixth lumbar vertebra or S1. The lumbosacral junction is unusual, as with four or six \
                         lumbar vertebrae. Please check them.",
                        shifted = shifted,
                        as_named = as_named
                    )
                }
            }
        };
        f.write_str(&words)
    }
}

impl Detection {
    /// What a reader should know before trusting the names of the levels.
    #[must_use]
    pub(crate) fn doubts(&self) -> Vec<LevelDoubt> {
        let mut doubts = Vec::new();
        if self.vertebrae.last().is_some_and(|lowest| lowest.label != VertebraLabel::S1) {
            doubts.push(LevelDoubt::NoSacrum);
        }
        for (up, probability) in [(true, self.shifted[0]), (false, self.shifted[1])] {
            if probability >= WORTH_MENTIONING {
                doubts.push(LevelDoubt::Shifted { up, probability });
            }
        }
        doubts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::ImageContrast;
    use crate::spine::Vertebra;

    fn detection(lowest: VertebraLabel, shifted: [f64; 2]) -> Detection {
        let body = |label| Vertebra { label, confidence: 0.9, outlines: Vec::new() };
        let vertebrae = [VertebraLabel::L4, lowest].map(body).into();
        Detection { vertebrae, shifted, contrast: ImageContrast::T2 }
    }

    #[test]
    fn sure_levels_leave_no_doubt() {
        assert_eq!(detection(VertebraLabel::S1, [0.02, 0.09]).doubts(), []);
    }

    #[test]
    fn doubts_are_told_in_words() {
        let doubts = detection(VertebraLabel::L5, [0.0, 0.31]).doubts();
        assert_eq!(doubts, [LevelDoubt::NoSacrum, LevelDoubt::Shifted { up: false, probability: 0.31 }]);
        assert!(
            doubts[1]
                .to_string()
                .contains("too high (probability 31 %, as named 69 %): what is called L5 may be a sixth")
        );
        let codes: Vec<_> = doubts.into_iter().map(LevelDoubt::code).collect();
        assert_eq!(codes, ["sacrum_not_found", "levels_uncertain"]);
    }
}
