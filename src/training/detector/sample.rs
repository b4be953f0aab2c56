//! Random views of labelled slices.

use glam::DVec2;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::lessons::BoxedScan;
use super::targets::CanvasBody;
use crate::detection::canvas::{CanvasFrame, SlicePicture};
use crate::phantom::PhantomPatient;
use crate::spine::{Vertebra, VertebraLabel};
use crate::training::optimizer::normal;
use crate::training::spider::ScanCase;
use crate::volume::{Volume, VolumeGeometry};

/// How much slices are varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AugmentationConfig {
    /// Largest rotation to either side, degrees.
    pub rotation_degrees: f64,
    /// Smallest and largest magnification.
    pub scale: [f64; 2],
    /// Largest stretch of the width against the height, to either side: pixel sizes in files are not always right.
    pub stretch: f64,
    /// Largest shift of the view in each direction, mm; larger ones cut off the sacrum at times.
    pub shift_mm: f64,
    /// Standard deviation of the logarithm of the gamma exponent.
    pub gamma: f32,
    /// Standard deviation of the logarithm of the brightness across half the view (coil profile).
    pub bias_field: f32,
    /// Largest noise, as a share of the 99th percentile.
    pub noise: f32,
    /// Share of views that are blurred.
    pub blur_share: f64,
    /// Share of views whose bright tissue is darkened, as fluid is in T1-weighted images.
    pub dark_fluid_share: f64,
}

/// A slice with the bodies seen on it, in image pixels.
#[derive(Clone)]
pub(crate) struct LabelledSlice {
    picture: SlicePicture,
    geometry: VolumeGeometry,
    size_image: DVec2,
    bodies: Vec<(VertebraLabel, [DVec2; 4])>,
    top_is_extrapolated: bool,
}

impl LabelledSlice {
    /// Prepares a slice. Bodies without an outline on it take the nearest one: they change little over a centimeter.
    #[must_use]
    pub(crate) fn new(
        volume: &Volume,
        slice: usize,
        vertebrae: &[Vertebra],
        top_is_extrapolated: bool,
        pixel_mm: f64,
    ) -> Self {
        let corners = |body: &Vertebra| Some((body.label, body.corners_at(slice as f64)?.as_array()));
        Self {
            picture: SlicePicture::new(volume, slice, pixel_mm),
            geometry: volume.geometry().clone(),
            size_image: DVec2::new(volume.columns() as f64, volume.rows() as f64),
            bodies: vertebrae.iter().filter_map(corners).collect(),
            top_is_extrapolated,
        }
    }

    /// All slices of a scan whose bodies are outlined on its middle.
    #[must_use]
    pub(crate) fn of_case(case: &ScanCase, pixel_mm: f64) -> Vec<Self> {
        let slice = |slice| Self::new(&case.volume, slice, &case.vertebrae, case.top_is_extrapolated, pixel_mm);
        (0..case.volume.slices()).map(slice).collect()
    }

    /// A boxed slice by each way to name its bodies, so that each is learned as often.
    pub(crate) fn of_boxed(scan: &BoxedScan, pixel_mm: f64) -> Vec<Self> {
        let slice = |bodies: &Vec<Vertebra>| {
            let top = bodies.first().and_then(|body| body.corners_at(0.0));
            let is_cut_off = top.is_some_and(|corners| corners.sa.y.min(corners.sp.y) < 0.0);
            Self::new(&scan.volume, 0, bodies, is_cut_off, pixel_mm)
        };
        scan.readings.iter().map(slice).collect()
    }

    /// A slice of a phantom: one on which every body is outlined, or one far enough to the side to show none. Between them
    /// partial volume leaves open what there is to find.
    pub(crate) fn of_phantom(patient: &PhantomPatient, pixel_mm: f64, random: &mut impl Rng) -> Self {
        let vertebrae = patient.vertebrae();
        let outlined = |body: &Vertebra, slice: usize| body.outlines.iter().any(|outline| outline.slice == slice);
        let near = |body: &Vertebra, slice: usize| body.outlines.iter().any(|o| o.slice.abs_diff(slice) < 2);
        let clear: Vec<usize> = (0..patient.slices())
            .filter(|slice| {
                vertebrae.iter().all(|body| outlined(body, *slice)) || !vertebrae.iter().any(|body| near(body, *slice))
            })
            .collect();
        // Middle slices show every body.
        let slice = clear.get(random.random_range(0..clear.len().max(1))).copied().unwrap_or(patient.slices() / 2);
        let on_slice = |mut body: Vertebra| {
            body.outlines.retain(|outline| outline.slice == slice);
            body.outlines.iter_mut().for_each(|outline| outline.slice = 0);
            body
        };
        let bodies: Vec<Vertebra> = vertebrae.into_iter().map(on_slice).collect();
        Self::new(&patient.slice(slice), 0, &bodies, false, pixel_mm)
    }

    /// A random view of `edge` × `edge` pixels: pixels and the bodies in canvas coordinates, from the thorax down.
    pub(crate) fn view(
        &self,
        edge: usize,
        pixel_mm: f64,
        augmentation: &AugmentationConfig,
        random: &mut impl Rng,
    ) -> (Vec<f32>, Vec<CanvasBody>) {
        let [smallest, largest] = augmentation.scale;
        let scale = (smallest.ln() + (largest / smallest).ln() * random.random::<f64>()).exp();
        let rotation = augmentation.rotation_degrees.to_radians() * (2.0 * random.random::<f64>() - 1.0);
        let mut within = |reach: f64| reach * (2.0 * random.random::<f64>() - 1.0);
        let shift_mm = DVec2::new(within(augmentation.shift_mm), within(augmentation.shift_mm));
        let center = (self.size_image - 1.0) / 2.0 + shift_mm / self.geometry.pixel_size_mm();
        let stretch = 1.0 + within(augmentation.stretch);
        let frame =
            CanvasFrame::new(&self.geometry, [edge, edge], center, pixel_mm / scale, rotation).stretched(stretch);
        let mut pixels = self.picture.sample(&frame);
        vary_intensity(&mut pixels, edge, augmentation, random);
        (pixels, self.bodies_on(&frame))
    }

    fn bodies_on(&self, frame: &CanvasFrame) -> Vec<CanvasBody> {
        self.bodies
            .iter()
            .enumerate()
            .map(|(index, (label, corners))| CanvasBody {
                label: *label,
                corners: corners.map(|corner| frame.canvas_from_image(corner)),
                upper_is_seen: !(index == 0 && self.top_is_extrapolated),
            })
            .collect()
    }
}

fn vary_intensity(pixels: &mut [f32], edge: usize, augmentation: &AugmentationConfig, random: &mut impl Rng) {
    let dark_fluid = random.random_bool(augmentation.dark_fluid_share);
    let gamma = (augmentation.gamma * normal(random)).exp();
    let slopes: [f32; 2] = std::array::from_fn(|_| augmentation.bias_field * normal(random));
    let gain = (0.15 * normal(random)).exp();
    let noise = augmentation.noise * random.random::<f32>().powi(2);
    let half = edge as f32 / 2.0;
    for (index, pixel) in pixels.iter_mut().enumerate() {
        let (x, y) = ((index % edge) as f32 / half - 1.0, (index / edge) as f32 / half - 1.0);
        let mut value = pixel.powf(gamma);
        if dark_fluid {
            // Rises to mid-gray tissue, then falls: fluid ends up darker than marrow.
            value = if value < 0.5 { 1.6 * value } else { (0.8 - 1.2 * (value - 0.5)).max(0.15) };
        }
        value *= gain * (slopes[0] * x + slopes[1] * y).exp();
        // The sum of two uniform draws is close enough to normal here, and fast.
        value += noise * 2.0 * (random.random::<f32>() + random.random::<f32>() - 1.0);
        *pixel = value.clamp(0.0, 1.5);
    }
    if random.random_bool(augmentation.blur_share) {
        blur(pixels, edge);
    }
}

/// 3 × 3 binomial filter; the border row and column stay.
fn blur(pixels: &mut [f32], edge: usize) {
    let source = pixels.to_vec();
    for row in 1..edge - 1 {
        for column in 1..edge - 1 {
            let line = |row: usize| {
                let at = row * edge + column;
                source[at - 1] + 2.0 * source[at] + source[at + 1]
            };
            pixels[row * edge + column] = (line(row - 1) + 2.0 * line(row) + line(row + 1)) / 16.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::{Corners, VertebraOutline};
    use glam::DVec3;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn plain() -> AugmentationConfig {
        AugmentationConfig {
            rotation_degrees: 15.0,
            scale: [0.8, 1.25],
            stretch: 0.1,
            shift_mm: 10.0,
            gamma: 0.0,
            bias_field: 0.0,
            noise: 0.0,
            blur_share: 0.0,
            dark_fluid_share: 0.0,
        }
    }

    /// A dark slice with one bright 20 mm square whose corners are the body's.
    #[test]
    fn corners_move_with_the_picture() {
        let (rows, columns) = (100, 200);
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 0.5).expect("valid");
        let inside = |i: usize| (40..60).contains(&(i / columns)) && (80..120).contains(&(i % columns));
        let voxels = (0..rows * columns).map(|i| if inside(i) { 1.0 } else { 0.0 }).collect();
        let volume = Volume::new(rows, columns, voxels, geometry).expect("matching size");
        let at = |x: f64, y: f64| DVec2::new(x - 0.5, y - 0.5);
        let corners = Corners { sa: at(80.0, 40.0), sp: at(120.0, 40.0), ip: at(120.0, 60.0), ia: at(80.0, 60.0) };
        let body = Vertebra {
            label: VertebraLabel::L3,
            confidence: 1.0,
            outlines: vec![VertebraOutline { slice: 0, corners }],
        };
        let slice = LabelledSlice::new(&volume, 0, &[body], false, 1.0);
        let mut random = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..5 {
            let (pixels, bodies) = slice.view(64, 1.0, &plain(), &mut random);
            let outline = Corners::from_array(bodies[0].corners);
            let wrong = pixels.iter().enumerate().filter(|(index, value)| {
                let inside = outline.contains(DVec2::new((index % 64) as f64, (index / 64) as f64));
                inside != (**value > 0.5)
            });
            // Pixels on the edge may fall to either side.
            assert!(wrong.count() < 30);
        }
    }

    #[test]
    fn a_seed_decides_the_view() {
        let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid");
        let volume = Volume::new(64, 64, (0..4096u16).map(f32::from).collect(), geometry).expect("matching size");
        let slice = LabelledSlice::new(&volume, 0, &[], false, 1.0);
        let augmentation = AugmentationConfig {
            gamma: 0.2,
            bias_field: 0.3,
            noise: 0.1,
            blur_share: 0.5,
            dark_fluid_share: 0.5,
            ..plain()
        };
        let view = |seed| slice.view(32, 1.0, &augmentation, &mut ChaCha8Rng::seed_from_u64(seed)).0;
        assert_eq!(view(1), view(1));
        assert_ne!(view(1), view(2));
        assert!(view(4).iter().all(|value| (0.0..=1.5).contains(value)));
    }
}
