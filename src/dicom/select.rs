//! Which contrast a series has, and which series is the T2 sagittal one.

use std::cmp::Ordering;

use super::series::SeriesSummary;
use crate::volume::PlaneOrientation;

/// Contrast of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weighting {
    /// T1-weighted.
    T1,
    /// T2-weighted spin echo (fluid is bright).
    T2,
    /// Short-tau inversion recovery.
    Stir,
    /// Proton density.
    ProtonDensity,
    /// Anything else, or not told by the header.
    Other,
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
            Self::Other => "other contrast",
        }
    }
}

/// Whether a series is the one to grade, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// It is the T2 sagittal series of the scan.
    pub is_chosen: bool,
    /// The reason, for people.
    pub reason: String,
}

/// What the header tells about contrast.
#[derive(Debug, Clone, Default)]
pub(super) struct ContrastHints {
    pub echo_time_ms: Option<f64>,
    pub repetition_time_ms: Option<f64>,
    pub inversion_time_ms: Option<f64>,
    /// Scanning Sequence, as written (`SE`, `GR`, `IR\\SE`).
    pub scanning_sequence: String,
    /// Series description, protocol and sequence names.
    pub words: String,
}

impl ContrastHints {
    /// Contrast by the times where they are conclusive, else by the words of the description.
    pub fn weighting(&self) -> Weighting {
        let named = self.named_weighting();
        if named == Some(Weighting::Stir) {
            return Weighting::Stir;
        }
        let is_gradient_echo = self.scanning_sequence.split('\\').any(|part| part.trim() == "GR");
        if is_gradient_echo && !self.scanning_sequence.contains("SE") {
            return if named == Some(Weighting::T1) { Weighting::T1 } else { Weighting::Other };
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
            (Some(..45.0), Some(1800.0..)) => named.unwrap_or(Weighting::ProtonDensity),
            (Some(40.0..), Some(1800.0..)) => named.unwrap_or(Weighting::T2),
            _ => named.unwrap_or(Weighting::Other),
        }
    }

    fn named_weighting(&self) -> Option<Weighting> {
        let words = words_of(&self.words);
        let any = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
        if any(&["STIR", "TIRM"]) {
            Some(Weighting::Stir)
        } else if any(&["FLAIR", "DWI", "DIFF", "ADC", "T2STAR", "MEDIC", "MERGE"]) {
            Some(Weighting::Other)
        } else if any(&["T2", "T2W", "T2WI", "FRFSE"]) {
            Some(Weighting::T2)
        } else if any(&["T1", "T1W", "T1WI"]) {
            Some(Weighting::T1)
        } else if any(&["PD", "PDW", "DP"]) {
            Some(Weighting::ProtonDensity)
        } else {
            None
        }
    }
}

/// Upper-case words of a description; `T2*` becomes `T2STAR`.
fn words_of(text: &str) -> Vec<String> {
    text.to_uppercase()
        .replace("T2*", "T2STAR")
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Fills in [`SeriesSummary::choice`] of every series; at most one is chosen.
pub(super) fn choose_t2_sagittal(series: &mut [SeriesSummary]) {
    let best = (0..series.len())
        .filter(|index| obstacle(&series[*index]).is_none())
        .min_by(|a, b| compare(&rank(&series[*a]), &rank(&series[*b])));
    let winner = best.map(|index| (rank(&series[index]), name(&series[index])));
    for (index, one) in series.iter_mut().enumerate() {
        let reason = match (obstacle(one), &winner) {
            (Some(obstacle), _) => format!("not chosen: {obstacle}"),
            (None, Some(_)) if Some(index) == best => format!("chosen: T2 sagittal, {} slices", one.slices),
            (None, Some((rank_of_best, name))) => {
                format!("not chosen: T2 sagittal too, but {} ({name})", lost_by(&rank(one), rank_of_best))
            }
            (None, None) => "not chosen".to_owned(),
        };
        one.choice = Choice { is_chosen: Some(index) == best, reason };
    }
}

/// Why a series cannot be the one to grade.
fn obstacle(series: &SeriesSummary) -> Option<String> {
    if series.modality != "MR" {
        return Some(format!("modality {}, not MR", series.modality));
    }
    match series.plane {
        None => return Some("its plane is unknown".to_owned()),
        Some(PlaneOrientation::Axial) => return Some("axial".to_owned()),
        Some(PlaneOrientation::Coronal) => return Some("coronal".to_owned()),
        Some(PlaneOrientation::Sagittal) => {}
    }
    if series.has_assumed_geometry() {
        return Some("positions or pixel spacing are missing".to_owned());
    }
    let words = words_of(&series.description);
    if words.iter().any(|word| matches!(word.as_str(), "LOC" | "LOCALIZER" | "SCOUT" | "SURVEY" | "3PLANE")) {
        return Some("a localizer".to_owned());
    }
    (series.weighting != Weighting::T2).then(|| format!("sagittal, but {}", series.weighting.name()))
}

/// Reasons to prefer another T2 sagittal series, most important first: a penalty, and what to say where it decides.
type Rank = [(f64, &'static str); 8];

fn rank(series: &SeriesSummary) -> Rank {
    let words = words_of(&format!("{} {}", series.description, series.body_part));
    let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
    let is_lumbar = has(&["LSPINE", "LUMBAR", "LWS", "LS", "L", "LUMBOSACRAL"]);
    let is_elsewhere = has(&["CSPINE", "CERVICAL", "HWS", "TSPINE", "THORACIC", "BWS", "BRAIN", "HEAD", "KNEE"]);
    let is_derived = series.image_type.starts_with("DERIVED") || has(&["MPR", "MIP", "SUB"]);
    let is_fat_suppressed = has(&["FS", "FATSAT", "SPAIR", "SPIR", "WATER", "FAT", "W", "F", "OPP"]);
    let study_date: f64 = series.texts.study_date.parse().unwrap_or(0.0);
    [
        (f64::from(is_elsewhere && !is_lumbar), "of another region than the chosen one"),
        (f64::from(is_derived), "derived, where another is original"),
        (f64::from(is_fat_suppressed), "fat-suppressed, where another is not"),
        (f64::from(series.slices < 5), "with fewer than five slices"),
        (-study_date, "of an older study"),
        (f64::from(series.is_three_dimensional), "3-D, where another is 2-D"),
        (-(series.slices as f64), "with fewer slices than another"),
        (series.geometry.row_spacing_mm(), "with larger pixels than another"),
    ]
}

/// Compares ranks; the better one is less. Equal ranks leave the first series the better one.
fn compare(one: &Rank, other: &Rank) -> Ordering {
    let orders = one.iter().zip(other).map(|(a, b)| a.0.total_cmp(&b.0));
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The first respect in which `one` is worse than `best`, in words.
fn lost_by(one: &Rank, best: &Rank) -> &'static str {
    one.iter().zip(best).find(|(one, best)| one.0 > best.0).map_or("an earlier one is as good", |(one, _)| one.1)
}

/// How a series is called in the reason of another.
fn name(series: &SeriesSummary) -> String {
    match series.series_number {
        Some(number) => format!("series {number}"),
        None => "another series".to_owned(),
    }
}
