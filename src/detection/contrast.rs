//! Which contrast an image has, told from the image and not from its header: what the tissues send against the marrow, at places that
//! are known once the vertebrae are found.
//!
//! Grades were learned on T2 images with bright fat. Normalizing by the marrow makes a T1 image, or one with suppressed fat, look like
//! a spine of healthy discs, so such an image must not be graded as T2. A logistic regression on logarithms of intensities and their
//! squares tells the contrasts apart; `spinenet train contrast` fits it and measures it on patients left out
//! (`assets/detection/contrast.json`).

use std::sync::LazyLock;

use glam::DVec2;
use serde::{Deserialize, Serialize};

use crate::model::built_in_model;
use crate::spine::{Corners, Vertebra, VertebraLabel};
use crate::volume::Volume;

/// Bodies that are measured: S1 has no marked lower edge, and the thorax may lie at the rim of the coil.
const BODIES: [VertebraLabel; 5] =
    [VertebraLabel::L1, VertebraLabel::L2, VertebraLabel::L3, VertebraLabel::L4, VertebraLabel::L5];
/// Intensities are taken to be at least this share of the marrow's.
const FLOOR: f64 = 0.02;

/// A contrast that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageContrast {
    /// T2-weighted with bright fat: what grades were learned on.
    T2,
    /// T1-weighted.
    T1,
    /// T2-weighted with suppressed fat, such as STIR.
    FatSuppressed,
    /// None of these, such as proton density.
    Other,
}

impl ImageContrast {
    /// All, in the order of [`ContrastModel::probabilities`].
    pub const ALL: [Self; 4] = [Self::T2, Self::T1, Self::FatSuppressed, Self::Other];
}

/// Where intensities are read, around one body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Region {
    Marrow,
    /// The disc below the body.
    Disc,
    Canal,
    /// Spinous processes with muscle and fat between them.
    Near,
    /// Muscle and subcutaneous fat.
    Far,
}

/// Distances behind the back wall of a body, mm.
const CANAL_BEHIND_MM: [f64; 2] = [1.0, 22.0];
const NEAR_MM: [f64; 2] = [18.0, 40.0];
const FAR_MM: [f64; 2] = [40.0, 110.0];

/// How the values of all bodies become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Median,
    /// The second highest of three or more: a narrowed canal holds no fluid, but seldom at all levels.
    NearlyHighest,
}

/// Number of features.
pub const FEATURES: usize = 14;

/// Region, the share of its pixels that are darker than the value taken, and what is made of the values of all bodies.
const TABLE: [(Region, f64, Over); FEATURES] = [
    (Region::Canal, 0.85, Over::NearlyHighest),
    (Region::Canal, 0.15, Over::NearlyHighest),
    (Region::Canal, 0.85, Over::Median),
    (Region::Disc, 0.5, Over::Median),
    (Region::Disc, 0.95, Over::Median),
    (Region::Near, 0.15, Over::Median),
    (Region::Near, 0.5, Over::Median),
    (Region::Near, 0.85, Over::Median),
    (Region::Near, 0.95, Over::Median),
    (Region::Far, 0.5, Over::Median),
    (Region::Far, 0.85, Over::Median),
    (Region::Far, 0.95, Over::Median),
    (Region::Marrow, 0.15, Over::Median),
    (Region::Marrow, 0.85, Over::Median),
];

/// Logarithms of intensities against the marrow, on the middle slice of the lumbar bodies.
pub type Features = [f64; FEATURES];
/// Places in [`Features`] of what muscle and what fat send.
pub const MUSCLE: usize = 5;
/// See [`MUSCLE`].
pub const FAT: usize = 10;

/// What was read from an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Intensities {
    /// Of the marrow, in voxel values above that of no signal.
    pub marrow: f64,
    /// Of the tissues against it.
    pub features: Features,
}

/// Logistic regression on features and their squares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContrastModel {
    /// Mean of the features in what was learned from.
    pub mean: Features,
    /// Their standard deviation.
    pub deviation: Features,
    /// For each contrast of [`ImageContrast::ALL`] the weights of standardized features, of their squares, and a constant.
    pub weights: [Vec<f64>; 4],
    /// An image is taken for T2 unless that is less probable than this.
    pub least_t2: f64,
}

impl ContrastModel {
    /// The model that ships.
    #[must_use]
    pub fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<ContrastModel> =
            LazyLock::new(|| built_in_model(include_str!("../../assets/detection/contrast.json")));
        &SHIPPED
    }

    /// What the weights are multiplied with.
    #[must_use]
    pub fn inputs(mean: &Features, deviation: &Features, features: &Features) -> Vec<f64> {
        let standard = |index: usize| (features[index] - mean[index]) / deviation[index];
        let linear = (0..FEATURES).map(standard);
        linear.clone().chain(linear.map(|value| value * value)).chain([1.0]).collect()
    }

    /// Probability of each contrast, in the order of [`ImageContrast::ALL`], were all equally common.
    #[must_use]
    pub fn probabilities(&self, features: &Features) -> [f64; 4] {
        let inputs = Self::inputs(&self.mean, &self.deviation, features);
        let logits =
            self.weights.each_ref().map(|row| row.iter().zip(&inputs).map(|(weight, input)| weight * input).sum());
        let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let odds = logits.map(|logit: f64| (logit - highest).exp());
        let total: f64 = odds.iter().sum();
        odds.map(|odds| odds / total)
    }

    /// The contrast of an image with these features.
    #[must_use]
    pub fn judge(&self, features: &Features) -> ImageContrast {
        let [t2, others @ ..] = self.probabilities(features);
        if t2 >= self.least_t2 {
            return ImageContrast::T2;
        }
        let named = ImageContrast::ALL[1..].iter().copied().zip(others);
        named.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(ImageContrast::Other, |(contrast, _)| contrast)
    }
}

/// The contrast of a sagittal scan whose vertebrae are known; one without signal where it is looked for is none of the known ones.
#[must_use]
pub fn contrast_of(volume: &Volume, vertebrae: &[Vertebra]) -> ImageContrast {
    let found = intensities(volume, vertebrae);
    found.map_or(ImageContrast::Other, |found| ContrastModel::shipped().judge(&found.features))
}

/// Reads a sagittal scan; `None` where no lumbar body has signal, or one of the regions is not in the image.
#[must_use]
pub fn intensities(volume: &Volume, vertebrae: &[Vertebra]) -> Option<Intensities> {
    let bodies: Vec<&Vertebra> = vertebrae.iter().filter(|body| BODIES.contains(&body.label)).collect();
    let mut centers: Vec<f64> = bodies.iter().map(|body| body.center_slice()).collect();
    let middle = quantile(&mut centers, 0.5)?.round().max(0.0) as usize;
    let slice = middle.min(volume.slices() - 1);
    let sight = Sight { volume, slice, pixel: volume.geometry().pixel_size_mm() };
    let mut references = Vec::new();
    let mut values: [Vec<f64>; FEATURES] = std::array::from_fn(|_| Vec::new());
    for body in &bodies {
        let Some(corners) = body.corners_at(slice as f64) else { continue };
        let place = Place::new(&corners, sight.pixel);
        let mut marrow = sight.at(place.inside(0.7));
        let Some(reference) = quantile(&mut marrow, 0.5).filter(|value| *value > 0.0) else { continue };
        references.push(reference);
        let below = bodies.iter().find(|other| body.label.above(-1) == Some(other.label));
        let disc = below.and_then(|below| below.corners_at(slice as f64)).map(|below| {
            let gap = Corners { sa: corners.ia, sp: corners.ip, ip: below.sp, ia: below.sa };
            sight.at(Place::new(&gap, sight.pixel).inside(0.6))
        });
        let mut canal = sight.at(place.behind(CANAL_BEHIND_MM));
        let mut near = sight.at(place.behind(NEAR_MM));
        let mut far = sight.at(place.behind(FAR_MM));
        let mut disc = disc.unwrap_or_default();
        for ((region, share, _), values) in TABLE.iter().zip(&mut values) {
            let pixels = match region {
                Region::Marrow => &mut marrow,
                Region::Disc => &mut disc,
                Region::Canal => &mut canal,
                Region::Near => &mut near,
                Region::Far => &mut far,
            };
            values.extend(quantile(pixels, *share).map(|value| (value / reference).max(FLOOR).ln()));
        }
    }
    let mut features = [0.0; FEATURES];
    for ((feature, (_, _, over)), mut values) in features.iter_mut().zip(TABLE).zip(values) {
        *feature = match over {
            Over::Median => quantile(&mut values, 0.5)?,
            Over::NearlyHighest => {
                values.sort_by(f64::total_cmp);
                let skipped = usize::from(values.len() > 2);
                *values.get(values.len().checked_sub(1 + skipped)?)?
            }
        };
    }
    Some(Intensities { marrow: quantile(&mut references, 0.5)?, features })
}

/// The value that a share of them lie below; they are sorted. `None` without values.
fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let place = share * values.len().checked_sub(1)? as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

/// A slice that is read in millimeters.
struct Sight<'a> {
    volume: &'a Volume,
    slice: usize,
    pixel: DVec2,
}

impl Sight<'_> {
    /// Signal at the places that lie in the image.
    fn at(&self, places: impl Iterator<Item = DVec2>) -> Vec<f64> {
        let value = |mm: DVec2| {
            let at = mm / self.pixel;
            self.volume.sample_bilinear(self.slice, at.x, at.y).map(|value| f64::from(value - self.volume.black()))
        };
        places.filter_map(value).collect()
    }
}

/// Corners (SA, SP, IP, IA) of a body or a disc in millimeters.
struct Place([DVec2; 4]);

impl Place {
    fn new(corners: &Corners, pixel: DVec2) -> Self {
        Self(corners.as_array().map(|corner| corner * pixel))
    }

    /// A grid over the quadrilateral, shrunk around its center.
    fn inside(&self, shrink: f64) -> impl Iterator<Item = DVec2> + use<> {
        let center = self.0.iter().sum::<DVec2>() / 4.0;
        let [sa, sp, ip, ia] = self.0.map(|corner| center + (corner - center) * shrink);
        grid().map(move |[x, y]| sa.lerp(sp, x).lerp(ia.lerp(ip, x), y))
    }

    /// A grid over the middle of the body's height, from and to so many mm behind its back wall.
    fn behind(&self, [from, to]: [f64; 2]) -> impl Iterator<Item = DVec2> + use<> {
        let [sa, sp, ip, ia] = self.0;
        let wall = (sp + ip) / 2.0;
        let backward = (sp - sa + ip - ia).normalize_or_zero();
        let down = (ip + ia - sa - sp) * 0.35;
        grid().map(move |[x, y]| wall + backward * (from + (to - from) * x) + down * (y - 0.5))
    }
}

/// Shares of width and height of a regular grid.
fn grid() -> impl Iterator<Item = [f64; 2]> {
    const STEPS: usize = 24;
    let share = |step: usize| step as f64 / (STEPS - 1) as f64;
    (0..STEPS * STEPS).map(move |index| [share(index % STEPS), share(index / STEPS)])
}

#[cfg(test)]
mod tests {
    use glam::DVec3;

    use super::*;
    use crate::phantom::{PhantomPatient, PhantomSettings, Sequence};
    use crate::spine::VertebraOutline;
    use crate::volume::VolumeGeometry;

    /// L3 and L4, 30 mm deep and 25 mm high with a disc of 10 mm, pixels of 1 mm: marrow 100, disc 50, canal 200, the rest 300.
    fn made() -> (Volume, Vec<Vertebra>) {
        let body = |label, top: f64| {
            let at = |x, y| DVec2::new(x, top + y);
            let corners = Corners { sa: at(20.0, 0.0), sp: at(50.0, 0.0), ip: at(50.0, 25.0), ia: at(20.0, 25.0) };
            Vertebra { label, confidence: 1.0, outlines: vec![VertebraOutline { slice: 0, corners }] }
        };
        let pixel = |(row, column): (usize, usize)| match (row, column) {
            (20..=45 | 55..=80, 20..=50) => 100.0,
            (46..=54, 20..=50) => 50.0,
            (_, 51..=75) => 200.0,
            _ => 300.0,
        };
        let pixels = (0..100).flat_map(|row| (0..180).map(move |column| (row, column))).map(pixel).collect();
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("a plane");
        let volume = Volume::new(100, 180, pixels, geometry).expect("as many pixels");
        (volume, vec![body(VertebraLabel::L3, 20.0), body(VertebraLabel::L4, 55.0)])
    }

    #[test]
    fn intensities_are_read_where_the_tissues_are_and_against_the_marrow() {
        let (volume, vertebrae) = made();
        let found = intensities(&volume, &vertebrae).expect("two bodies");
        assert_eq!(found.marrow, 100.0);
        let expected = [2.0, 2.0, 2.0, 0.5, 0.5, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.0, 1.0].map(f64::ln);
        for (index, (found, expected)) in found.features.into_iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < 0.02, "feature {index}: {found}, not {expected}");
        }
        assert!(intensities(&volume, &vertebrae[..1]).is_none(), "no disc is known");
        assert_eq!(contrast_of(&volume, &[]), ImageContrast::Other);
    }

    #[test]
    fn phantoms_are_told_apart_by_their_contrast() {
        let judged = |sequence: Option<Sequence>| -> Vec<ImageContrast> {
            let patients = (31..35).map(|seed| PhantomPatient::draw(&PhantomSettings::new(seed)));
            let judge = |patient: PhantomPatient| {
                let series = sequence.map_or_else(|| patient.t2(), |sequence| patient.with_contrast(sequence));
                contrast_of(&series.volume, &patient.vertebrae())
            };
            patients.map(judge).collect()
        };
        assert_eq!(judged(None), [ImageContrast::T2; 4]);
        let t1 = judged(Some(Sequence::T1Tse));
        assert!(!t1.contains(&ImageContrast::T2), "{t1:?}");
        assert!(t1.iter().filter(|contrast| **contrast == ImageContrast::T1).count() >= 3, "{t1:?}");
        // Some phantoms have hardly any fat that could be suppressed.
        let stir = judged(Some(Sequence::Stir));
        let caught = stir.iter().filter(|contrast| **contrast == ImageContrast::FatSuppressed).count();
        assert!(caught >= 2, "{stir:?}");
    }

    #[test]
    fn the_shipped_model_is_whole() {
        let model = ContrastModel::shipped();
        assert!(model.weights.iter().all(|row| row.len() == 2 * FEATURES + 1));
        assert!(model.deviation.iter().all(|deviation| *deviation > 0.0));
        assert!((0.0..0.5).contains(&model.least_t2));
        let total: f64 = model.probabilities(&model.mean).iter().sum();
        assert!((total - 1.0).abs() < 1e-9);
    }
}
