//! Which series is the T2 sagittal one of the lumbar spine, and why each of the others is not.
//!
//! This is what the headers say. Where they leave the region open, or name another one in all series, the images decide
//! (`pipeline`), in the order of [`Choice::place`].

use std::cmp::Ordering;

use super::contrast::{Contrast, Weighting};
use super::region::Region;
use super::scan::FolderScan;
use super::series::SeriesSummary;
use super::warning::{SeriesWarning, WarningCode};
use crate::language::message;
use crate::volume::PlaneOrientation;

/// Series of one frame of reference whose middles are further apart than this show different parts of the body, mm.
const OTHER_PART_MM: f64 = 100.0;
/// Echo times of usual T2 turbo spin echo sequences of the spine, ms.
const USUAL_ECHO_MS: std::ops::RangeInclusive<f64> = 80.0..=130.0;

/// Series whose images are tried, at most: each is read and searched for vertebrae.
const MOST_CANDIDATES: usize = 8;

/// Whether a series is the one to grade, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// It is the T2 sagittal series of the scan.
    pub is_chosen: bool,
    /// Place among the T2 sagittal series of the scan, the best one being 0; `None` for any other series.
    pub place: Option<usize>,
    /// The reason, for people.
    pub reason: String,
}

/// Fills in [`SeriesSummary::choice`] of every series; at most one is chosen, and none where `patients` are several.
pub(super) fn choose_t2_sagittal(series: &mut [SeriesSummary], patients: usize) {
    let ranks: Vec<Rank> = series.iter().map(|one| rank(one, series)).collect();
    let mut order: Vec<usize> = (0..series.len()).filter(|index| obstacle(&series[*index]).is_none()).collect();
    order.sort_by(|a, b| compare(&ranks[*a], &ranks[*b]));
    let mut eligible = order.iter().copied().filter(|index| patients < 2 && elsewhere(&series[*index]).is_none());
    let (best, second) = (eligible.next(), eligible.next());
    let is_close = |second: &usize| {
        best.is_some_and(|best| compare(&ranks[*second][..OF_TASTE], &ranks[best][..OF_TASTE]).is_eq())
    };
    let second = second.filter(is_close);
    let choice = |(index, one): (usize, &SeriesSummary)| {
        let place = order.iter().position(|other| *other == index);
        let reason = match (obstacle(one).or_else(|| barred(one, patients)), best) {
            (Some(obstacle), _) => message!("not chosen: {obstacle}", obstacle = obstacle),
            (None, Some(best)) if best == index => chosen(one, second.map(|second| name(&series[second], one))),
            (None, Some(best)) => match lost_by(&ranks[index], &ranks[best]) {
                Some(why) => message!(
                    "not chosen: T2 sagittal too, but {why} ({other})",
                    why = why,
                    other = name(&series[best], one)
                ),
                None => message!(
                    "not chosen: T2 sagittal too, and as good as {other}, which comes first",
                    other = name(&series[best], one)
                ),
            },
            (None, None) => message!("not chosen").to_owned(),
        };
        Choice { is_chosen: best == Some(index), place, reason }
    };
    let choices: Vec<Choice> = series.iter().enumerate().map(choice).collect();
    for (one, choice) in series.iter_mut().zip(choices) {
        one.choice = choice;
    }
    if let (Some(best), Some(second)) = (best, second) {
        let why = lost_by(&ranks[second], &ranks[best]).unwrap_or(message!("behind it in the list"));
        let other = name(&series[second], &series[best]);
        let message = message!(
            "{other} is T2 sagittal too, but {why}; please check that this is the one you mean",
            other = other,
            why = why
        );
        series[best].warnings.push(SeriesWarning::new(WarningCode::CloseChoice, message));
    }
    if let Some(best) = best.filter(|best| series[*best].weighting == Weighting::Unknown) {
        let message = message!("the header does not tell the contrast; it is taken to be T2-weighted");
        series[best].warnings.push(SeriesWarning::new(WarningCode::ContrastNotKnown, message));
    }
}

/// Why a series was chosen, and which other one is nearly as good.
fn chosen(series: &SeriesSummary, close: Option<String>) -> String {
    let contrast = if series.weighting == Weighting::Unknown {
        message!("sagittal, taken to be T2")
    } else {
        message!("T2 sagittal")
    };
    let slices = series.slices;
    let chosen = match series.traits.region {
        Region::Lumbar => {
            message!("chosen: {contrast} of the lumbar spine, {slices} slices", contrast = contrast, slices = slices)
        }
        Region::LumbarAndMore => message!(
            "chosen: {contrast} of the lumbar spine and more, {slices} slices",
            contrast = contrast,
            slices = slices
        ),
        Region::WholeSpine => {
            message!("chosen: {contrast} of the whole spine, {slices} slices", contrast = contrast, slices = slices)
        }
        Region::Unknown | Region::PerhapsElsewhere(_) | Region::Elsewhere(_) => {
            message!("chosen: {contrast}, {slices} slices", contrast = contrast, slices = slices)
        }
    };
    match close {
        Some(other) => message!("{chosen}; {other} is nearly as good", chosen = chosen, other = other),
        None => chosen,
    }
}

/// Why a series cannot be the one to grade, whatever its images show.
fn obstacle(series: &SeriesSummary) -> Option<String> {
    not_sagittal(series).or_else(|| other_weighting(series)).or_else(|| other_part(series))
}

/// Why a series is not an MR series of known sagittal planes to be read.
fn not_sagittal(series: &SeriesSummary) -> Option<String> {
    if series.modality != "MR" {
        return Some(message!("modality {modality}, not MR", modality = series.modality));
    }
    let contrast = series.traits.contrast;
    if contrast.is_some_and(|contrast| contrast.is_localizer) {
        return Some(message!("a localizer").to_owned());
    }
    match series.plane {
        None => return Some(message!("its plane is unknown").to_owned()),
        Some(PlaneOrientation::Axial) => return Some(message!("axial").to_owned()),
        Some(PlaneOrientation::Coronal) => return Some(message!("coronal").to_owned()),
        Some(PlaneOrientation::Sagittal) => {}
    }
    if series.has_assumed_geometry() {
        return Some(message!("positions or pixel spacing are missing").to_owned());
    }
    None
}

/// Why a series is not the one to grade by the contrast that its header names.
fn other_weighting(series: &SeriesSummary) -> Option<String> {
    let is_other = !matches!(series.weighting, Weighting::T2 | Weighting::Unknown);
    is_other.then(|| message!("sagittal, but {reason}", reason = series.weighting.name()))
}

/// Why a series is not the one to grade by the part of the signal that it shows.
fn other_part(series: &SeriesSummary) -> Option<String> {
    series.traits.contrast?.part.obstacle().map(|reason| message!("sagittal, but {reason}", reason = reason))
}

/// Contrasts of a header that the image may contradict: words and times are written by people. What was measured in another way
/// is not.
fn is_contradictable(weighting: Weighting) -> bool {
    match weighting {
        Weighting::T1 | Weighting::Stir | Weighting::ProtonDensity | Weighting::Other => true,
        Weighting::T2 | Weighting::Unknown | Weighting::Diffusion | Weighting::GradientEcho => false,
    }
}

impl FolderScan {
    /// Places of the series to try, until the image of one is a T2 image of the lumbar spine: the chosen one, the other T2 sagittal
    /// ones in their order, and then sagittal ones that are called otherwise. None where the images are of several patients.
    #[must_use]
    pub fn candidates(&self) -> Vec<usize> {
        if self.patients() > 1 {
            return Vec::new();
        }
        let place = |index: &usize| self.series[*index].choice.place;
        let is_chosen = |index: &usize| self.series[*index].choice.is_chosen;
        let mut called_t2: Vec<usize> = (0..self.series.len()).filter(|index| place(index).is_some()).collect();
        called_t2.sort_by_key(|index| (!is_chosen(index), place(index)));
        let may_be = |index: &usize| {
            let series = &self.series[*index];
            is_contradictable(series.weighting) && not_sagittal(series).is_none() && other_part(series).is_none()
        };
        let called_otherwise = (0..self.series.len()).filter(may_be);
        called_t2.into_iter().chain(called_otherwise).take(MOST_CANDIDATES).collect()
    }
}

impl SeriesSummary {
    /// What its header says that is not so if its image is a T2 image of the lumbar spine with bright fat.
    #[must_use]
    pub fn contradicted_by_lumbar_t2(&self) -> Vec<SeriesWarning> {
        let mut warnings = Vec::new();
        let mut tell = |message: String| warnings.push(SeriesWarning::new(WarningCode::HeaderContradicted, message));
        if is_contradictable(self.weighting) {
            let named = self.weighting.name();
            tell(message!(
                "the header says {weighting}, but the image looks T2-weighted with bright fat and is graded as that",
                weighting = named
            ));
        } else if self.traits.contrast.is_some_and(|contrast| contrast.is_fat_suppressed) {
            tell(message!("the header says that fat is suppressed, but it is bright in the image").to_owned());
        }
        if let Some(part) = elsewhere(self) {
            tell(message!("the series is {part}, but the image shows lumbar vertebrae and the sacrum", part = part));
        }
        warnings
    }

    /// How the series is called in a sentence.
    #[must_use]
    pub fn short_name(&self) -> String {
        match self.series_number {
            Some(number) => message!("series {number}", number = number),
            None => message!("a series without a number").to_owned(),
        }
    }
}

/// Why a T2 sagittal series is not chosen by its header alone.
fn barred(series: &SeriesSummary, patients: usize) -> Option<String> {
    if patients > 1 {
        return Some(message!("the folder holds images of {count} patients", count = patients));
    }
    elsewhere(series).map(|reason| message!("T2 sagittal, but {reason}", reason = reason))
}

/// What the header names instead of the lumbar spine.
fn elsewhere(series: &SeriesSummary) -> Option<String> {
    match series.traits.region {
        Region::Elsewhere(part) => Some(message!("of {part} by its header", part = part.in_words())),
        _ => None,
    }
}

/// How much higher the middle of a series lies than that of the lowest T2 sagittal one of the same study, mm, where that is another
/// part of the body; zero elsewhere. Only series `with_its_coordinates` may be asked for.
fn height_above_lowest(series: &SeriesSummary, all: &[SeriesSummary], with_its_coordinates: bool) -> f64 {
    let middle = |one: &SeriesSummary| {
        let [slices, rows, columns] = [one.slices, one.rows, one.columns].map(|side| (side as f64 - 1.0) / 2.0);
        one.geometry.lps_from_voxel([slices, rows, columns]).z
    };
    let beside = |other: &&SeriesSummary| {
        (!with_its_coordinates || other.frame_of_reference_uid == series.frame_of_reference_uid)
            && other.study_instance_uid == series.study_instance_uid
            && obstacle(other).is_none()
            && elsewhere(other).is_none()
    };
    let lowest = all.iter().filter(beside).map(middle).min_by(f64::total_cmp);
    let above = lowest.map_or(0.0, |lowest| middle(series) - lowest);
    if above > OTHER_PART_MM { above.round() } else { 0.0 }
}

/// Reasons to prefer another T2 sagittal series, most important first: a penalty, and what to say where it decides.
type Rank = [Reason; 14];
type Reason = (f64, &'static str);
/// From here on the reasons are of taste: a reader may prefer the other one.
const OF_TASTE: usize = 8;

fn rank(series: &SeriesSummary, all: &[SeriesSummary]) -> Rank {
    let contrast = series.traits.contrast;
    let is = |what: fn(Contrast) -> bool| f64::from(contrast.is_some_and(what));
    let study_date: f64 = series.texts.study_date.parse().unwrap_or(0.0);
    let echo = series.texts.echo_time_ms.unwrap_or(*USUAL_ECHO_MS.start());
    let from_usual_echo = (USUAL_ECHO_MS.start() - echo).max(echo - USUAL_ECHO_MS.end()).max(0.0);
    let higher = message!("of a part higher in the body");
    [
        (f64::from(series.weighting == Weighting::Unknown), message!("of a contrast that its header does not tell")),
        (series.traits.region.penalty(), message!("not said to show the lumbar spine, or not it alone")),
        (height_above_lowest(series, all, true), higher),
        (series.traits.later_echoes as f64, message!("an earlier echo, and so less T2-weighted")),
        (is(|contrast| contrast.is_derived), message!("derived, where another is original")),
        (is(|contrast| contrast.is_fat_suppressed), message!("fat-suppressed, where another is not")),
        (f64::from(series.slices < 5), message!("with fewer than five slices")),
        (-study_date, message!("of an older study")),
        // In coordinates of their own series may lie anywhere, though those of one examination seldom do.
        (height_above_lowest(series, all, false), higher),
        (is(|contrast| contrast.is_for_a_map), message!("one of several echoes for a map")),
        (from_usual_echo, message!("with a less usual echo time")),
        (f64::from(series.is_three_dimensional), message!("3-D, where another is 2-D")),
        (-(series.slices as f64), message!("with fewer slices than another")),
        (series.geometry.row_spacing_mm(), message!("with larger pixels than another")),
    ]
}

/// Compares ranks; the better one is less. Equal ranks leave the first series the better one.
fn compare(one: &[Reason], other: &[Reason]) -> Ordering {
    let orders = one.iter().zip(other).map(|(a, b)| a.0.total_cmp(&b.0));
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The first respect in which `one` is worse than `best`, in words.
fn lost_by(one: &Rank, best: &Rank) -> Option<&'static str> {
    one.iter().zip(best).find(|(one, best)| one.0 > best.0).map(|(one, _)| one.1)
}

/// How a series is called in the reason of another one, `beside`.
fn name(series: &SeriesSummary, beside: &SeriesSummary) -> String {
    if series.series_instance_uid == beside.series_instance_uid {
        return message!("another stack of the same series").to_owned();
    }
    match series.series_number {
        Some(number) => message!("series {number}", number = number),
        None => message!("another series").to_owned(),
    }
}
