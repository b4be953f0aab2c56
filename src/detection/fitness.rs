//! Whether images are what grades were learned on: T2 with bright fat, of the lumbar spine.

use std::fmt;

use super::{Detection, ImageContrast};
use crate::language::message;
use crate::spine::VertebraLabel;

/// Why the images of a scan must not be graded, in words through `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// T1-weighted.
    T1,
    /// T2-weighted with suppressed fat.
    FatSuppressed,
    /// Of no contrast that is known.
    OtherContrast,
    /// No sacrum below the bodies: another part of the spine, or one whose levels cannot be counted.
    NoSacrum,
}

impl Unfit {
    /// Code for programs that read reports.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::T1 => "contrast_t1",
            Self::FatSuppressed => "contrast_fat_suppressed",
            Self::OtherContrast => "contrast_unknown",
            Self::NoSacrum => "region_not_lumbar",
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::T1 => message!("the image looks T1-weighted: fluid in the canal is darker than the marrow"),
            Self::FatSuppressed => {
                message!(
                    "the image looks like T2 or STIR with suppressed fat: marrow and fat are dark against the fluid"
                )
            }
            Self::OtherContrast => {
                message!(
                    "the image does not look T2-weighted: fluid, discs, marrow and fat do not stand to each other as \
                     they do there"
                )
            }
            Self::NoSacrum => {
                message!(
                    "no sacrum was found below the vertebrae, so this may be another part of the spine, and the levels \
                     cannot be counted"
                )
            }
        })
    }
}

impl Detection {
    /// Whether the scan may be graded.
    ///
    /// # Errors
    /// Why it must not.
    pub fn fitness(&self) -> Result<(), Unfit> {
        let has_sacrum = self.vertebrae.iter().any(|body| body.label == VertebraLabel::S1);
        match self.contrast {
            ImageContrast::T1 => Err(Unfit::T1),
            ImageContrast::FatSuppressed => Err(Unfit::FatSuppressed),
            // Where the bodies are not lumbar ones, intensities around them mean nothing.
            _ if !has_sacrum => Err(Unfit::NoSacrum),
            ImageContrast::Other => Err(Unfit::OtherContrast),
            ImageContrast::T2 => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::Vertebra;

    #[test]
    fn only_a_t2_image_with_a_sacrum_is_graded() {
        let fitness = |contrast, lowest| {
            let body = |label| Vertebra { label, confidence: 0.9, outlines: Vec::new() };
            let vertebrae = [VertebraLabel::L3, VertebraLabel::L4, lowest].map(body).into();
            Detection { vertebrae, shifted: [0.0; 2], contrast }.fitness()
        };
        let (s1, l5) = (VertebraLabel::S1, VertebraLabel::L5);
        assert_eq!(fitness(ImageContrast::T2, s1), Ok(()));
        assert_eq!(fitness(ImageContrast::T2, l5), Err(Unfit::NoSacrum));
        assert_eq!(fitness(ImageContrast::Other, l5), Err(Unfit::NoSacrum));
        assert_eq!(fitness(ImageContrast::Other, s1), Err(Unfit::OtherContrast));
        assert_eq!(fitness(ImageContrast::T1, l5), Err(Unfit::T1));
        assert_eq!(fitness(ImageContrast::FatSuppressed, s1), Err(Unfit::FatSuppressed));
    }
}
