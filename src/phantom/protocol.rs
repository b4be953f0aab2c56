//! Protocols: which slices are laid through the patient, and with what settings.

use glam::{DMat3, DVec3};
use rand::Rng;

use super::anatomy::Spine;
use super::coil::Coil;
use super::contrast::Contrast;
use super::formation::{Formation, Scaling};
use super::imaging::{Acquisition, Field, Sequence};
use super::parameters::{ScannerParameters, Span};
use super::texture::around;
use crate::spine::VertebraLabel;
use crate::volume::{GeometryError, VolumeGeometry};

/// First random stream of the slices' noise; lower ones belong to the anatomy.
const NOISE_STREAM: u64 = 1000;

impl Acquisition {
    /// Draws a T2 sagittal protocol that shows T12 to S1.
    ///
    /// # Errors
    /// Only if the drawn geometry were invalid.
    pub(super) fn draw(
        rng: &mut impl Rng,
        parameters: &ScannerParameters,
        spine: &Spine,
    ) -> Result<Self, GeometryError> {
        let space = rng.random_bool(parameters.space);
        let (thickness, spacing, pixel, slices) = if space {
            let spacing = parameters.space_spacing_mm.draw(rng);
            let [least, most] = parameters.space_slices;
            (spacing, spacing, [parameters.space_pixel_mm; 2], rng.random_range(least..=most))
        } else {
            let thickness = median_of_three(rng, parameters.thickness_mm);
            let [least, most] = parameters.slices;
            let pixel = draw_pixel(rng, parameters);
            (thickness, thickness * parameters.gap.draw(rng), pixel, rng.random_range(least..=most))
        };
        let (center, size) = draw_field(rng, parameters, spine, pixel);
        let rotation = DMat3::from_rotation_z(around(rng, 0.0, 0.03)) * DMat3::from_rotation_y(around(rng, 0.0, 0.015));
        let (x, y) = (rotation * DVec3::Y, rotation * DVec3::NEG_Z);
        let across = if rng.random_bool(0.5) { x.cross(y) } else { -x.cross(y) };
        let (noise, saturation, distance) = if space {
            (parameters.space_noise, parameters.space_saturation, parameters.space_saturation_mm)
        } else {
            (parameters.noise, parameters.saturation, parameters.saturation_mm)
        };
        let saturated = rng.random_bool(saturation);
        let edge = corner_front(spine) - distance.draw(rng);
        let left = parameters.saturated.draw(rng);
        let noise = noise.draw(rng);
        let coil = Coil {
            reach_mm: parameters.coil_mm.draw(rng),
            is_normalized: rng.random_bool(parameters.normalized),
            bias: (
                parameters.bias.draw(rng),
                rng.random_range(0.0..std::f64::consts::TAU),
                rng.random_range(0.0..std::f64::consts::TAU),
            ),
            saturation: saturated.then_some((edge, left)),
        };
        Ok(Self {
            sequence: if space { Sequence::T2Space } else { Sequence::T2Tse },
            geometry: stack(center, x, y, across * spacing, slices, size, pixel)?,
            field: Field::whole(size),
            thickness_mm: thickness,
            contrast: if space { Contrast::t2_space(rng, parameters) } else { Contrast::t2_tse(rng, parameters) },
            formation: Formation::draw(rng, parameters, noise),
            scaling: Scaling::draw(rng, parameters),
            coil,
            noise_stream: NOISE_STREAM,
        })
    }

    /// The T1 series that goes with a T2 series: the same slices.
    pub(super) fn t1(&self, rng: &mut impl Rng, parameters: &ScannerParameters) -> Self {
        self.weighted(Sequence::T1Tse, rng, parameters)
    }

    /// The same slices in another contrast; of T2 series and localizers the usual one.
    pub(super) fn weighted(&self, sequence: Sequence, rng: &mut impl Rng, parameters: &ScannerParameters) -> Self {
        let (contrast, streams) = match sequence {
            Sequence::T1Tse => (Contrast::T1, 2),
            Sequence::Stir => (Contrast::STIR, 6),
            Sequence::ProtonDensity => (Contrast::PROTON_DENSITY, 7),
            Sequence::T2Tse | Sequence::T2Space | Sequence::Localizer => (Contrast::LOCALIZER, 8),
        };
        Self {
            sequence,
            contrast,
            formation: Formation::draw(rng, parameters, self.formation.noise),
            noise_stream: streams * NOISE_STREAM,
            ..self.clone()
        }
    }

    /// Sagittal, coronal and transverse localizers: three slices each, thick and coarse.
    ///
    /// # Errors
    /// Only if the geometry were invalid.
    pub(super) fn localizers(
        &self,
        rng: &mut impl Rng,
        parameters: &ScannerParameters,
    ) -> Result<[Self; 3], GeometryError> {
        /// Pixels, slice distance and thickness of usual three-plane localizers.
        const SIZE: [usize; 2] = [256; 2];
        const PIXEL_MM: [f64; 2] = [1.5; 2];
        const SPACING_MM: f64 = 15.0;
        const THICKNESS_MM: f64 = 8.0;
        let planes = [(DVec3::Y, DVec3::NEG_Z), (DVec3::X, DVec3::NEG_Z), (DVec3::X, DVec3::Y)];
        let mut make = |index: usize| {
            let (x, y) = planes[index];
            let mut formation = Formation::draw(rng, parameters, 0.02);
            formation.wrap = None;
            Ok(Self {
                sequence: Sequence::Localizer,
                geometry: stack(DVec3::ZERO, x, y, x.cross(y) * SPACING_MM, 3, SIZE, PIXEL_MM)?,
                field: Field::whole(SIZE),
                thickness_mm: THICKNESS_MM,
                contrast: Contrast::LOCALIZER,
                formation,
                scaling: self.scaling,
                coil: Coil { saturation: None, ..self.coil.clone() },
                noise_stream: (3 + index as u64) * NOISE_STREAM,
            })
        };
        Ok([make(0)?, make(1)?, make(2)?])
    }
}

/// Height and width of a pixel of a TSE series, mm.
fn draw_pixel(rng: &mut impl Rng, parameters: &ScannerParameters) -> [f64; 2] {
    let logarithmic = |span: Span| Span { low: span.low.ln(), high: span.high.ln() };
    let edge = median_of_three(rng, logarithmic(parameters.pixel_mm)).exp();
    let stretch = logarithmic(parameters.stretch).draw(rng).exp().sqrt();
    if rng.random_bool(parameters.stretched) { [edge * stretch, edge / stretch] } else { [edge; 2] }
}

/// Middle, rows and columns of a field of view for pixels of this height and width.
fn draw_field(
    rng: &mut impl Rng,
    parameters: &ScannerParameters,
    spine: &Spine,
    [height, width]: [f64; 2],
) -> (DVec3, [usize; 2]) {
    let corner = |label: VertebraLabel, index: usize| {
        let body = spine.body(label);
        let at = body.measures.corners[index];
        body.frame.lps(DVec3::new(0.0, at.x, at.y))
    };
    let (top, bottom) = (corner(VertebraLabel::T12, 0), corner(VertebraLabel::S1, 3).min(corner(VertebraLabel::S1, 2)));
    let needed = top.z - bottom.z + 24.0;
    let field = parameters.field_mm.draw(rng).max(needed);
    // Rectangular fields are usual.
    let share = if rng.random_bool(0.5) { 1.0 } else { parameters.rectangular.draw(rng) };
    let across = field * share;
    let slack = (field - needed) / 2.0;
    let third = spine.body(VertebraLabel::L3).frame.center();
    let center = DVec3::new(
        third.x + around(rng, 0.0, 1.5),
        third.y + rng.random_range(-0.12..0.05) * across,
        f64::midpoint(top.z, bottom.z) + rng.random_range(-0.8..0.8) * slack,
    );
    (center, [(field / height).round() as usize, (across / width).round() as usize])
}

/// The middle one of three draws: most often near the middle, now and then near an end.
fn median_of_three(rng: &mut impl Rng, span: Span) -> f64 {
    let mut draws = [0; 3].map(|_| span.draw(rng));
    draws.sort_by(f64::total_cmp);
    draws[1]
}

/// Geometry of slices around `center`.
fn stack(
    center: DVec3,
    x: DVec3,
    y: DVec3,
    step: DVec3,
    slices: usize,
    [rows, columns]: [usize; 2],
    [height, width]: [f64; 2],
) -> Result<VolumeGeometry, GeometryError> {
    let corner = center - x * ((columns - 1) as f64 / 2.0 * width) - y * ((rows - 1) as f64 / 2.0 * height);
    let origins = (0..slices).map(|slice| corner + step * (slice as f64 - (slices - 1) as f64 / 2.0)).collect();
    VolumeGeometry::new(origins, x, y, height, width)
}

/// The most anterior corner of the lumbar bodies.
fn corner_front(spine: &Spine) -> f64 {
    spine
        .bodies
        .iter()
        .filter(|body| body.label.is_some())
        .flat_map(|body| body.measures.corners.map(|at| body.frame.lps(DVec3::new(0.0, at.x, at.y)).y))
        .fold(f64::INFINITY, f64::min)
}
