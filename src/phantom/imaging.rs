//! The scanner: protocols, slices through the patient, partial volume, coil.

use std::ops::Range;

use glam::{DMat3, DVec3};
use rand::Rng;
use rayon::prelude::*;

use super::anatomy::Spine;
use super::contrast::{Contrast, DARK};
use super::formation::{Formation, RawSlice, Scaling};
use super::parameters::{ScannerParameters, Span};
use super::scene::{Canvas, Paint, Scene};
use super::texture::{around, mix, smoothstep, stream};
use crate::spine::VertebraLabel;
use crate::volume::{GeometryError, Volume, VolumeGeometry};

/// Scanners even out sensitivity down to this share of that at the bodies; beyond, noise would be all there is.
const LEAST_DIVISOR: f32 = 0.25;
/// First random stream of the slices' noise; lower ones belong to the anatomy.
const NOISE_STREAM: u64 = 1000;
/// Distance of the planes that are averaged across the thickness of a slice, mm.
const PLANE_MM: f64 = 1.3;
/// More planes change little and take time.
const MOST_PLANES: usize = 4;
/// Depth of the vertebral bodies under the skin of the back, where the coil's sensitivity counts as 1, mm.
const BODY_DEPTH_MM: f64 = 70.0;
/// Half the edge of the part of a scan that holds a disc with its two bodies, turned and shifted, mm.
const CROP_MM: f64 = 47.0;
/// Slices to either side of the middle that a disc volume can reach, with a shift by one, at wide spacing.
const CROP_SLICES: f64 = 5.0;

/// Kind of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// T2-weighted turbo spin echo, 2-D.
    T2Tse,
    /// T2-weighted SPACE, 3-D.
    T2Space,
    /// T1-weighted turbo spin echo, 2-D.
    T1Tse,
    /// A few thick slices to plan the others on.
    Localizer,
}

/// Settings of a series.
#[derive(Debug, Clone)]
pub(super) struct Acquisition {
    /// Kind of series.
    pub sequence: Sequence,
    /// Where the voxels lie.
    pub geometry: VolumeGeometry,
    /// Rows of each slice.
    pub rows: usize,
    /// Columns of each slice.
    pub columns: usize,
    /// Thickness of a slice, mm.
    pub thickness_mm: f64,
    /// Scaling to whole numbers.
    pub scaling: Scaling,
    contrast: Contrast,
    formation: Formation,
    coil: Coil,
    /// Keeps the noise of the series of a study apart.
    noise_stream: u64,
}

/// Sensitivity over the patient.
#[derive(Debug, Clone)]
struct Coil {
    /// Distance over which it falls by e, mm.
    reach_mm: f64,
    /// Whether the scanner evens that out.
    normalized: bool,
    /// Slow shading: strength, and phases along the patient and from front to back.
    bias: (f64, f64, f64),
    /// Position of the edge of the saturation band in front of the spine, if there is one.
    saturation_y: Option<f64>,
}

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
            (spacing, spacing, parameters.space_pixel_mm, rng.random_range(least..=most))
        } else {
            let thickness = median_of_three(rng, parameters.thickness_mm);
            let logarithmic = Span { low: parameters.pixel_mm.low.ln(), high: parameters.pixel_mm.high.ln() };
            let [least, most] = parameters.slices;
            let pixel = median_of_three(rng, logarithmic).exp();
            (thickness, thickness * parameters.gap.draw(rng), pixel, rng.random_range(least..=most))
        };
        let Field { center, rows, columns } = Field::draw(rng, parameters, spine, pixel);
        let rotation = DMat3::from_rotation_z(around(rng, 0.0, 0.03)) * DMat3::from_rotation_y(around(rng, 0.0, 0.015));
        let (x, y) = (rotation * DVec3::Y, rotation * DVec3::NEG_Z);
        let across = if rng.random_bool(0.5) { x.cross(y) } else { -x.cross(y) };
        let (noise, saturation) = if space {
            (parameters.space_noise, parameters.space_saturation)
        } else {
            (parameters.noise, parameters.saturation)
        };
        let saturated = rng.random_bool(saturation);
        let saturation_y = corner_front(spine) - parameters.saturation_mm.draw(rng);
        let noise = noise.draw(rng);
        Ok(Self {
            sequence: if space { Sequence::T2Space } else { Sequence::T2Tse },
            geometry: stack(center, x, y, across * spacing, slices, [rows, columns], pixel)?,
            rows,
            columns,
            thickness_mm: thickness,
            contrast: if space { Contrast::T2_SPACE } else { Contrast::T2_TSE },
            formation: Formation::draw(rng, parameters, noise),
            scaling: Scaling::draw(rng, parameters),
            coil: Coil {
                reach_mm: parameters.coil_mm.draw(rng),
                normalized: rng.random_bool(parameters.normalized),
                bias: (
                    parameters.bias.draw(rng),
                    rng.random_range(0.0..std::f64::consts::TAU),
                    rng.random_range(0.0..std::f64::consts::TAU),
                ),
                saturation_y: saturated.then_some(saturation_y),
            },
            noise_stream: NOISE_STREAM,
        })
    }

    /// The T1 series that goes with a T2 series: the same slices.
    pub(super) fn t1(&self, rng: &mut impl Rng, parameters: &ScannerParameters) -> Self {
        Self {
            sequence: Sequence::T1Tse,
            contrast: Contrast::T1,
            formation: Formation::draw(rng, parameters, self.formation.noise),
            noise_stream: 2 * NOISE_STREAM,
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
        const SIZE: usize = 256;
        const PIXEL_MM: f64 = 1.5;
        const SPACING_MM: f64 = 15.0;
        const THICKNESS_MM: f64 = 8.0;
        let planes = [(DVec3::Y, DVec3::NEG_Z), (DVec3::X, DVec3::NEG_Z), (DVec3::X, DVec3::Y)];
        let mut make = |index: usize| {
            let (x, y) = planes[index];
            let geometry = stack(DVec3::ZERO, x, y, x.cross(y) * SPACING_MM, 3, [SIZE, SIZE], PIXEL_MM)?;
            Ok(Self {
                sequence: Sequence::Localizer,
                geometry,
                rows: SIZE,
                columns: SIZE,
                thickness_mm: THICKNESS_MM,
                contrast: Contrast::T2_TSE,
                formation: Formation::draw(rng, parameters, 0.02),
                scaling: self.scaling,
                coil: Coil { saturation_y: None, ..self.coil.clone() },
                noise_stream: (3 + index as u64) * NOISE_STREAM,
            })
        };
        Ok([make(0)?, make(1)?, make(2)?])
    }

    /// The part of the scan around a patient position: enough for the disc volume of a disc there.
    ///
    /// # Errors
    /// Only if the geometry were invalid.
    pub(super) fn cropped(&self, center: DVec3) -> Result<Self, GeometryError> {
        let geometry = &self.geometry;
        let [slice, row, column] = geometry.voxel_from_lps(center);
        let range = |middle: f64, reach: f64, count: usize| -> Range<usize> {
            let low = (middle - reach).floor().max(0.0) as usize;
            low.min(count - 1)..((middle + reach).ceil().max(0.0) as usize + 1).clamp(1, count)
        };
        let spacing = geometry.slice_spacing_mm().unwrap_or(1.0);
        // Thin slices are stepped over so that nine span a vertebra.
        let reach = CROP_SLICES * (4.4 / spacing).max(1.0);
        let slices = range(slice, reach, geometry.slices());
        let rows = range(row, CROP_MM / geometry.row_spacing_mm(), self.rows);
        let columns = range(column, CROP_MM / geometry.column_spacing_mm(), self.columns);
        let offset = geometry.row_direction() * geometry.row_spacing_mm() * rows.start as f64
            + geometry.column_direction() * geometry.column_spacing_mm() * columns.start as f64;
        let origins = geometry.slice_origins_lps()[slices].iter().map(|origin| *origin + offset).collect();
        let geometry = VolumeGeometry::new(
            origins,
            geometry.column_direction(),
            geometry.row_direction(),
            geometry.row_spacing_mm(),
            geometry.column_spacing_mm(),
        )?;
        Ok(Self { geometry, rows: rows.len(), columns: columns.len(), ..self.clone() })
    }

    /// Images a patient; the result does not depend on the number of threads.
    ///
    /// # Errors
    /// Only if the voxels did not fit the geometry.
    pub(super) fn image(&self, scene: &Scene, seed: u64) -> Result<Volume, GeometryError> {
        let slices: Vec<Vec<f32>> =
            (0..self.geometry.slices()).into_par_iter().map(|slice| self.image_slice(scene, seed, slice)).collect();
        let mut voxels = slices.concat();
        self.scaling.apply(&mut voxels);
        Volume::new(self.rows, self.columns, voxels, self.geometry.clone())
    }

    /// Labels `[slice, row, column]` of the middle planes of the slices.
    pub(super) fn labels(&self, scene: &Scene) -> Vec<u8> {
        let slice = |slice| {
            let mut canvas = self.canvas(slice, 0);
            scene.paint_labels(&mut canvas);
            canvas.values
        };
        let slices: Vec<Vec<u8>> = (0..self.geometry.slices()).into_par_iter().map(slice).collect();
        slices.concat()
    }

    fn image_slice(&self, scene: &Scene, seed: u64, slice: usize) -> Vec<f32> {
        let mut canvas = self.canvas(slice, DARK);
        let planes = ((self.thickness_mm / PLANE_MM).round() as usize).clamp(1, MOST_PLANES);
        let step = self.geometry.normal() * (self.thickness_mm / planes as f64);
        canvas.planes = (0..planes).map(|plane| step * (plane as f64 + 0.5 - planes as f64 / 2.0)).collect();
        scene.paint(&mut canvas);
        let place = |row: usize, column: usize| self.geometry.lps_from_voxel([slice as f64, row as f64, column as f64]);
        let (mut water, mut fat) = (Vec::with_capacity(canvas.values.len()), Vec::with_capacity(canvas.values.len()));
        let (falloff, sensitivity) = self.coil.over_slice(scene, [self.rows, self.columns], place);
        for (signal, sensitivity) in canvas.values.into_iter().zip(sensitivity) {
            let [free, bound] = self.contrast.apply(signal);
            water.push(free * sensitivity);
            fat.push(bound * sensitivity);
        }
        let mobility = |row: usize, column: usize| scene.surroundings.mobility(place(row, column));
        let pixel_mm = self.geometry.row_spacing_mm();
        let raw = RawSlice { water, fat, mobility: &mobility, columns: self.columns, pixel_mm };
        let mut pixels = self.formation.image(raw, &mut stream(seed, self.noise_stream + slice as u64));
        if self.coil.normalized {
            // Evening out the coil leaves its noise uneven.
            pixels.iter_mut().zip(falloff).for_each(|(pixel, falloff)| *pixel /= falloff.max(LEAST_DIVISOR));
        }
        pixels
    }

    fn canvas<T: Paint>(&self, slice: usize, value: T) -> Canvas<T> {
        let geometry = &self.geometry;
        Canvas {
            origin: geometry.slice_origins_lps()[slice],
            planes: Vec::new(),
            right: geometry.column_direction() * geometry.column_spacing_mm(),
            down: geometry.row_direction() * geometry.row_spacing_mm(),
            rows: self.rows,
            columns: self.columns,
            values: vec![value; self.rows * self.columns],
        }
    }
}

impl Coil {
    /// Sensitivity over a slice: by depth alone, and in all. It changes slowly: every few pixels are enough.
    fn over_slice(
        &self,
        scene: &Scene,
        [rows, columns]: [usize; 2],
        place: impl Fn(usize, usize) -> DVec3,
    ) -> (Vec<f32>, Vec<f32>) {
        const STEP: usize = 6;
        let (mut falloff, mut all) = (Vec::with_capacity(rows * columns), Vec::with_capacity(rows * columns));
        for row in 0..rows {
            let at = |column: usize| {
                let lps = place(row, column);
                let falloff = self.falloff(scene, lps);
                [falloff as f32, (falloff * self.shading(lps)) as f32]
            };
            let mut left = at(0);
            for start in (0..columns).step_by(STEP) {
                let right = at(start + STEP);
                for column in start..(start + STEP).min(columns) {
                    let share = (column - start) as f32 / STEP as f32;
                    let [depth, total] = std::array::from_fn(|part| left[part] + (right[part] - left[part]) * share);
                    falloff.push(depth);
                    all.push(total);
                }
                left = right;
            }
        }
        (falloff, all)
    }

    /// Sensitivity by depth and at the ends of the coil.
    fn falloff(&self, scene: &Scene, lps: DVec3) -> f64 {
        let from_skin = (scene.surroundings.profile().at(lps.z).skin_y - lps.y).max(0.0);
        let ends = smoothstep(220.0, 110.0, lps.z.abs());
        // Nearer than the skin of a slim patient the coil is not brighter still.
        ((BODY_DEPTH_MM - from_skin) / self.reach_mm).exp().clamp(0.04, 2.6) * mix(0.5, 1.0, ends)
    }

    /// Everything else: bias field and saturation band.
    fn shading(&self, lps: DVec3) -> f64 {
        let (strength, along, across) = self.bias;
        let bias = 1.0 + strength * ((lps.z / 90.0 + along).sin() + 0.5 * (lps.y / 60.0 + across).sin());
        let saturation =
            self.saturation_y.map_or(1.0, |edge| mix(0.1, 1.0, smoothstep(edge - 16.0, edge + 2.0, lps.y)));
        bias * saturation
    }
}

/// Middle and size of a field of view.
struct Field {
    center: DVec3,
    rows: usize,
    columns: usize,
}

impl Field {
    fn draw(rng: &mut impl Rng, parameters: &ScannerParameters, spine: &Spine, pixel: f64) -> Self {
        let corner = |label: VertebraLabel, index: usize| {
            let body = spine.body(label);
            let at = body.measures.corners[index];
            body.frame.lps(DVec3::new(0.0, at.x, at.y))
        };
        let (top, bottom) =
            (corner(VertebraLabel::T12, 0), corner(VertebraLabel::S1, 3).min(corner(VertebraLabel::S1, 2)));
        let needed = top.z - bottom.z + 24.0;
        let field = parameters.field_mm.draw(rng).max(needed);
        let rows = (field / pixel).round() as usize;
        // Rectangular fields are usual.
        let share = if rng.random_bool(0.5) { 1.0 } else { parameters.rectangular.draw(rng) };
        let columns = (rows as f64 * share).round() as usize;
        let slack = (field - needed) / 2.0;
        let third = spine.body(VertebraLabel::L3).frame.center();
        let center = DVec3::new(
            third.x + around(rng, 0.0, 1.5),
            third.y + rng.random_range(-0.12..0.05) * columns as f64 * pixel,
            f64::midpoint(top.z, bottom.z) + rng.random_range(-0.8..0.8) * slack,
        );
        Self { center, rows, columns }
    }
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
    pixel: f64,
) -> Result<VolumeGeometry, GeometryError> {
    let corner = center - x * ((columns - 1) as f64 / 2.0 * pixel) - y * ((rows - 1) as f64 / 2.0 * pixel);
    let origins = (0..slices).map(|slice| corner + step * (slice as f64 - (slices - 1) as f64 / 2.0)).collect();
    VolumeGeometry::new(origins, x, y, pixel, pixel)
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
