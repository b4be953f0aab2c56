//! Which contrast a stack of images has, and which part of the signal it shows, as far as the header says.

use std::collections::BTreeSet;

use super::vocabulary::{Concept, concepts, words};
use crate::language::message;

/// Contrast of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weighting {
    T1,
    /// T2-weighted spin echo (fluid is bright).
    T2,
    /// Short-tau inversion recovery.
    Stir,
    ProtonDensity,
    /// Diffusion-weighted, or computed from such images.
    Diffusion,
    /// Gradient echo, T2* among them.
    GradientEcho,
    /// Anything else.
    Other,
    /// The header says nothing of it.
    Unknown,
}

impl Weighting {
    /// The word for the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::T1 => "T1",
            Self::T2 => "T2",
            Self::Stir => "STIR",
            Self::ProtonDensity => "PD",
            Self::Diffusion => "diffusion-weighted",
            Self::GradientEcho => "gradient echo",
            Self::Other => "other contrast",
            Self::Unknown => "contrast not named",
        }
    }
}

/// Which part of the signal an image shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) enum SignalPart {
    /// All of it, as magnitude; also a Dixon image of fat and water in phase.
    #[default]
    Magnitude,
    InPhase,
    Water,
    OpposedPhase,
    Fat,
    Phase,
    Real,
    Imaginary,
    /// A quantity computed from several images.
    Map,
}

impl SignalPart {
    /// By the values of Image Type or Frame Type from the third on, and by Complex Image Component.
    pub(crate) fn of_image_type(image_type: &str, complex_component: &str) -> Self {
        let of_value = |value: &str| match value.trim() {
            "IP" | "IN" => Self::InPhase,
            "OP" | "OPP" | "OUT" => Self::OpposedPhase,
            "W" | "WI" => Self::Water,
            "F" | "FI" => Self::Fat,
            "P" => Self::Phase,
            "R" | "REAL" => Self::Real,
            "I" => Self::Imaginary,
            "FF" | "FAT_FRACTION" | "WATER_FRACTION" | "R2_STAR" | "R2STAR" | "T2_STAR" => Self::Map,
            value if value.starts_with("P_") => Self::Phase,
            value if value.starts_with("R_") => Self::Real,
            value if value.starts_with("I_") => Self::Imaginary,
            value if value.contains("MAP") => Self::Map,
            value if value.len() < 3 => Self::Magnitude,
            value => match Self::named(&concepts(value)) {
                None if value.contains("PHASE") => Self::Phase,
                named => named.unwrap_or_default(),
            },
        };
        let by_type = image_type.split('\\').skip(2).map(of_value).find(|part| *part != Self::Magnitude);
        by_type.unwrap_or_else(|| of_value(complex_component))
    }

    /// By the words of a series description.
    fn of_description(description: &str, concepts: &BTreeSet<Concept>) -> Self {
        if let Some(part) = Self::named(concepts) {
            return part;
        }
        if !concepts.contains(&Concept::Dixon) {
            return Self::Magnitude;
        }
        let of_letters = |word: &String| match word.as_str() {
            "W" => Some(Self::Water),
            "F" => Some(Self::Fat),
            "IN" | "IP" | "I" => Some(Self::InPhase),
            "OUT" | "OP" | "O" => Some(Self::OpposedPhase),
            _ => None,
        };
        words(description).iter().find_map(of_letters).unwrap_or_default()
    }

    /// The part that words name. Where they name suppression too, fat is what is missing.
    fn named(concepts: &BTreeSet<Concept>) -> Option<Self> {
        let has = |concept| concepts.contains(&concept);
        let lacks_fat = has(Concept::Suppression) || (has(Concept::FatSuppressed) && !has(Concept::Dixon));
        let named = [
            (Concept::OpposedPhase, Self::OpposedPhase),
            (Concept::InPhase, Self::InPhase),
            (Concept::Water, Self::Water),
            (Concept::Fat, Self::Fat),
            (Concept::PhaseImage, Self::Phase),
            (Concept::Real, Self::Real),
            (Concept::Imaginary, Self::Imaginary),
        ];
        let counts = |(concept, _): &(Concept, Self)| has(*concept) && !(*concept == Concept::Fat && lacks_fat);
        named.into_iter().find(counts).map(|(_, part)| part)
    }

    /// Why such an image is not graded; `None` where it may be.
    pub(crate) fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Magnitude | Self::InPhase | Self::Water => None,
            Self::OpposedPhase => Some(message!("fat and water are in opposed phase")),
            Self::Fat => Some(message!("it shows fat only")),
            Self::Phase => Some(message!("it shows the phase of the signal, not its magnitude")),
            Self::Real => Some(message!("it shows the real part of the signal, not its magnitude")),
            Self::Imaginary => Some(message!("it shows the imaginary part of the signal, not its magnitude")),
            Self::Map => Some(message!("a map computed from other images")),
        }
    }
}

/// What the header says that bears on contrast.
#[derive(Debug, Clone, Default)]
pub(super) struct ContrastHints<'a> {
    pub echo_time_ms: Option<f64>,
    pub repetition_time_ms: Option<f64>,
    pub inversion_time_ms: Option<f64>,
    /// Scanning Sequence, as written (`SE`, `GR`, `IR\\SE`).
    pub scanning_sequence: &'a str,
    /// Scan Options, and Spectrally Selected Suppression of enhanced images.
    pub scan_options: &'a str,
    /// Image Type, or Frame Type, as written.
    pub image_type: &'a str,
    /// Acquisition Contrast of enhanced images.
    pub acquisition_contrast: &'a str,
    /// Greatest diffusion weighting among the images of the series, s/mm².
    pub greatest_b_value: Option<f64>,
    /// Echoes of the series.
    pub echoes: usize,
    pub part: SignalPart,
    /// Series description.
    pub description: &'a str,
    /// Protocol and sequence names.
    pub protocol: &'a str,
}

/// What follows from it.
#[allow(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Contrast {
    pub weighting: Weighting,
    pub part: SignalPart,
    pub is_fat_suppressed: bool,
    /// Computed from other images, though it may look like one.
    pub is_derived: bool,
    pub is_localizer: bool,
    /// One of many echoes, acquired to compute a map.
    pub is_for_a_map: bool,
}

impl ContrastHints<'_> {
    pub(super) fn judge(&self) -> Contrast {
        let described = concepts(self.description);
        let has = |concept| described.contains(&concept);
        let type_has = |names: &[&str]| self.image_type.split('\\').any(|value| names.contains(&value.trim()));
        let part = match self.part {
            SignalPart::Magnitude => SignalPart::of_description(self.description, &described),
            part => part,
        };
        let suppresses = |text: &str| {
            text.split('\\')
                .any(|value| matches!(value.trim(), "FS" | "FAT" | "FAT_AND_WATER" | "FATSAT" | "FATSAT_GEMS"))
        };
        Contrast {
            weighting: self.weighting(&described),
            part,
            is_fat_suppressed: part == SignalPart::Water
                || has(Concept::FatSuppressed)
                || (has(Concept::Fat) && has(Concept::Suppression))
                || suppresses(self.scan_options),
            is_derived: self.image_type.starts_with("DERIVED")
                || has(Concept::Reformatted)
                || type_has(&["MPR", "MIP", "MIN IP", "REFORMATTED", "PROJECTION IMAGE", "COMPOSED", "SUBTRACTION"]),
            is_localizer: has(Concept::Localizer) || type_has(&["LOCALIZER", "SCOUT"]),
            is_for_a_map: has(Concept::Map) || self.echoes > 2,
        }
    }

    /// Contrast by what was measured where that is conclusive, else by what the series is called.
    fn weighting(&self, described: &BTreeSet<Concept>) -> Weighting {
        let named = named_weighting(described)
            .or_else(|| self.acquisition_contrast())
            .or_else(|| named_weighting(&concepts(self.protocol)));
        if named == Some(Weighting::Diffusion) || self.is_diffusion() {
            return Weighting::Diffusion;
        }
        if matches!(named, Some(Weighting::Stir | Weighting::Other)) {
            return named.unwrap_or(Weighting::Other);
        }
        let acquired = |kind: &str| self.scanning_sequence.split('\\').any(|part| part.trim() == kind);
        if acquired("EP") {
            return Weighting::Other;
        }
        if named == Some(Weighting::GradientEcho) || (acquired("GR") && !acquired("SE")) {
            return if named == Some(Weighting::T1) { Weighting::T1 } else { Weighting::GradientEcho };
        }
        if let Some(inversion) = self.inversion_time_ms.filter(|time| *time > 0.0) {
            // Fat is nulled near 150-230 ms; longer inversion nulls fluid (FLAIR).
            let is_short_echo = self.echo_time_ms.is_some_and(|time| time < 40.0);
            return match inversion {
                ..300.0 => Weighting::Stir,
                _ if is_short_echo => Weighting::T1,
                _ => Weighting::Other,
            };
        }
        match (self.echo_time_ms, self.repetition_time_ms) {
            (Some(60.0..), Some(1200.0..)) => Weighting::T2,
            (Some(..30.0), Some(..1200.0)) => Weighting::T1,
            // The times part the echoes of one series; its name, which they share, does not.
            (Some(..30.0), Some(1800.0..)) if named != Some(Weighting::T1) => Weighting::ProtonDensity,
            (Some(..45.0), Some(1800.0..)) => named.unwrap_or(Weighting::ProtonDensity),
            (Some(40.0..), Some(1800.0..)) | (Some(60.0..), None) => named.unwrap_or(Weighting::T2),
            (None, _) | (_, None) => named.unwrap_or(Weighting::Unknown),
            _ => named.unwrap_or(Weighting::Other),
        }
    }

    fn is_diffusion(&self) -> bool {
        let values = || self.image_type.split('\\').map(str::trim);
        self.greatest_b_value.is_some_and(|b| b > 0.0)
            || values().any(|value| {
                matches!(value, "DIFFUSION" | "DWI" | "ADC" | "EADC" | "TRACE" | "TRACEW" | "FA" | "TENSOR" | "DTI")
                    || value.starts_with("DIFFUSION")
            })
    }

    fn acquisition_contrast(&self) -> Option<Weighting> {
        match self.acquisition_contrast {
            "T1" => Some(Weighting::T1),
            "T2" => Some(Weighting::T2),
            "STIR" => Some(Weighting::Stir),
            "PROTON_DENSITY" => Some(Weighting::ProtonDensity),
            "DIFFUSION" => Some(Weighting::Diffusion),
            "T2_STAR" => Some(Weighting::GradientEcho),
            "FLUID_ATTENUATED" | "FLOW_ENCODED" | "PERFUSION" | "TAGGING" | "TOF" | "MAGNETIZATION_TRANSFER" => {
                Some(Weighting::Other)
            }
            _ => None,
        }
    }
}

/// The contrast that words name.
fn named_weighting(concepts: &BTreeSet<Concept>) -> Option<Weighting> {
    // The more special one first: a STIR or a T2* is often called T2 too.
    let order = [
        (Concept::Diffusion, Weighting::Diffusion),
        (Concept::Stir, Weighting::Stir),
        (Concept::GradientEcho, Weighting::GradientEcho),
        (Concept::EchoPlanar, Weighting::Other),
        (Concept::Myelogram, Weighting::Other),
        (Concept::Perfusion, Weighting::Other),
        (Concept::T1, Weighting::T1),
        (Concept::FluidNulled, Weighting::Other),
        (Concept::T2, Weighting::T2),
        (Concept::ProtonDensity, Weighting::ProtonDensity),
    ];
    order.into_iter().find(|(concept, _)| concepts.contains(concept)).map(|(_, weighting)| weighting)
}
