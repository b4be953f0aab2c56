//! Everything that decides how phantoms vary, in one place; `docs/phantom.md` has the sources in full.
//!
//! Sources named below:
//! * *development scans*: 134 mid-sagittal T2 images and 20 T2 SPACE stacks of SPIDER (van der Graaf et al., Sci Data
//!   11, 264, 2024), measured inside their corner landmarks; headers from its table of series, grades from its table of
//!   970 discs of 140 patients.
//! * *Konin*: Konin and Walz, AJNR 31 (2010) 1778, lumbosacral transitional vertebrae.
//! * *de Bazelaire*: de Bazelaire et al., Radiology 230 (2004) 652, relaxation times in the abdomen at 3 T.
//! * *Genodisc*: Jamaludin et al., Med Image Anal 41 (2017) 63, the scans of the method's paper.
//!
//! Where no source is named, the value is a judgement by eye against the development scans.

mod patient;
mod scanner;

use rand::Rng;

use super::texture::around;

pub(crate) use patient::{BuildParameters, DistractorRates, PathologyRates, TissueParameters};
pub(crate) use scanner::ScannerParameters;

/// Drawn evenly from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    /// Least value.
    pub low: f64,
    /// Greatest value.
    pub high: f64,
}

impl Span {
    pub(super) const fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    pub(in crate::phantom) fn draw(self, rng: &mut impl Rng) -> f64 {
        self.low + (self.high - self.low) * rng.random::<f64>()
    }
}

/// Drawn bell-shaped, never further than three deviations from the mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bell {
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

impl Bell {
    pub(super) const fn new(mean: f64, deviation: f64) -> Self {
        Self { mean, deviation }
    }

    pub(in crate::phantom) fn draw(self, rng: &mut impl Rng) -> f64 {
        around(rng, self.mean, self.deviation)
    }
}

/// Everything that decides how phantoms vary.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct PhantomParameters {
    /// How common findings are.
    pub pathology: PathologyRates,
    /// How common lookalikes are.
    pub distractors: DistractorRates,
    /// Build of patients.
    pub build: BuildParameters,
    pub tissues: TissueParameters,
    pub scanner: ScannerParameters,
}
