//! The scanner: slices through the patient, partial volume, blur, coil shading, noise.

use glam::{DMat3, DVec2, DVec3};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::anatomy::Spine;
use super::surroundings::Surroundings;
use super::texture::{Texture, around, mix, smoothstep, stream};
use crate::spine::VertebraLabel;
use crate::volume::{GeometryError, Volume, VolumeGeometry};

/// Planes averaged across the thickness of a slice.
const PLANES: usize = 3;
/// First random stream of the slices' noise; lower ones belong to the anatomy.
const NOISE_STREAM: u64 = 1000;

/// Settings of the scan.
pub(super) struct Acquisition {
    /// Where the voxels lie.
    pub geometry: VolumeGeometry,
    /// Rows of each slice.
    pub rows: usize,
    /// Columns of each slice.
    pub columns: usize,
    thickness_mm: f64,
    blur_pixels: f64,
    noise: f64,
    /// Distance over which the coil's sensitivity falls by e, mm.
    coil_reach_mm: f64,
    /// Slow shading along the patient: strength and phase.
    shading: (f64, f64),
    /// Position of the edge of the saturation band in front of the spine, if there is one.
    saturation_y: Option<f64>,
    /// Voxel value of cerebrospinal fluid.
    gain: f64,
}

impl Acquisition {
    /// Draws a sagittal protocol that shows T12 to S1.
    ///
    /// # Errors
    /// Only if the drawn geometry were invalid.
    pub(super) fn draw(rng: &mut impl Rng, spine: &Spine) -> Result<Self, GeometryError> {
        // Clinical lumbar protocols: 4 mm slices every 4.4 mm, pixels around 0.6 mm, fields of 260-320 mm.
        let spacing = rng.random_range(4.0..4.8);
        let pixel = rng.random_range(0.55..0.68);
        let corner = |label: VertebraLabel, index: usize| {
            let body = spine.body(label);
            let at = body.measures.corners[index];
            body.frame.lps(DVec3::new(0.0, at.x, at.y))
        };
        let (top, bottom) =
            (corner(VertebraLabel::T12, 0), corner(VertebraLabel::S1, 3).min(corner(VertebraLabel::S1, 2)));
        let needed = top.z - bottom.z + 24.0;
        let field = f64::max(rng.random_range(255.0..310.0), needed);
        let rows = (field / pixel).round() as usize;
        // Rectangular fields are usual.
        let columns =
            (rows as f64 * if rng.random_bool(0.5) { 1.0 } else { rng.random_range(0.72..0.95) }).round() as usize;
        let slack = (field - needed) / 2.0;
        let middle_z = f64::midpoint(top.z, bottom.z) + rng.random_range(-0.8..0.8) * slack;
        let third = spine.body(VertebraLabel::L3);
        let middle_y = third.frame.center().y + rng.random_range(-0.12..0.05) * columns as f64 * pixel;
        let middle_x = third.frame.center().x + around(rng, 0.0, 1.5);
        let slices = rng.random_range(13..=17_usize);

        let yaw = around(rng, 0.0, 0.03);
        let roll = around(rng, 0.0, 0.015);
        let rotation = DMat3::from_rotation_z(yaw) * DMat3::from_rotation_y(roll);
        let (x, y) = (rotation * DVec3::Y, rotation * DVec3::NEG_Z);
        let across = if rng.random_bool(0.5) { x.cross(y) } else { -x.cross(y) };
        let center = DVec3::new(middle_x, middle_y, middle_z);
        let corner = center - x * ((columns - 1) as f64 / 2.0 * pixel) - y * ((rows - 1) as f64 / 2.0 * pixel);
        let origins =
            (0..slices).map(|slice| corner + across * ((slice as f64 - (slices - 1) as f64 / 2.0) * spacing)).collect();
        let saturation_y = rng.random_bool(0.35).then(|| corner_front(spine) - rng.random_range(8.0..35.0));
        Ok(Self {
            geometry: VolumeGeometry::new(origins, x, y, pixel, pixel)?,
            rows,
            columns,
            thickness_mm: spacing * rng.random_range(0.85..0.95),
            blur_pixels: rng.random_range(0.45..0.8),
            noise: rng.random_range(0.008..0.03),
            coil_reach_mm: rng.random_range(90.0..400.0),
            shading: (rng.random_range(0.0..0.2), rng.random_range(0.0..std::f64::consts::TAU)),
            saturation_y,
            gain: rng.random_range(350.0..1200.0),
        })
    }

    /// Images a patient; the result does not depend on the number of threads.
    ///
    /// # Errors
    /// Only if the voxels did not fit the geometry.
    pub(super) fn image(&self, scene: &Scene, seed: u64) -> Result<Volume, GeometryError> {
        let slices: Vec<Vec<f32>> =
            (0..self.geometry.slices()).into_par_iter().map(|slice| self.image_slice(scene, seed, slice)).collect();
        Volume::new(self.rows, self.columns, slices.concat(), self.geometry.clone())
    }

    fn image_slice(&self, scene: &Scene, seed: u64, slice: usize) -> Vec<f32> {
        let mut mean = vec![0.0_f32; self.rows * self.columns];
        let mut background = self.canvas(slice, 0.0);
        scene.paint_background(&mut background);
        for plane in 0..PLANES {
            let offset = ((plane as f64 + 0.5) / PLANES as f64 - 0.5) * self.thickness_mm;
            let mut canvas = self.canvas(slice, offset);
            canvas.values.copy_from_slice(&background.values);
            scene.paint_spine(&mut canvas);
            for (sum, value) in mean.iter_mut().zip(canvas.values) {
                *sum += value / PLANES as f32;
            }
        }
        blur(&mut mean, self.columns, self.blur_pixels);
        let mut rng = stream(seed, NOISE_STREAM + slice as u64);
        for row in 0..self.rows {
            for column in 0..self.columns {
                let lps = self.geometry.lps_from_voxel([slice as f64, row as f64, column as f64]);
                let value = &mut mean[row * self.columns + column];
                let signal = f64::from(*value) * self.sensitivity(scene, lps);
                *value = (self.gain * rician(&mut rng, signal, self.noise)).round() as f32;
            }
        }
        mean
    }

    fn canvas(&self, slice: usize, offset_mm: f64) -> Canvas {
        let geometry = &self.geometry;
        Canvas {
            origin: geometry.slice_origins_lps()[slice] + geometry.normal() * offset_mm,
            right: geometry.column_direction() * geometry.column_spacing_mm(),
            down: geometry.row_direction() * geometry.row_spacing_mm(),
            rows: self.rows,
            columns: self.columns,
            pixel_mm: geometry.row_spacing_mm(),
            values: vec![0.0; self.rows * self.columns],
        }
    }

    fn sensitivity(&self, scene: &Scene, lps: DVec3) -> f64 {
        let from_skin = (scene.surroundings.profile().at(lps.z).skin_y - lps.y).max(0.0);
        let (strength, phase) = self.shading;
        // The coil ends somewhere above and below: sensitivity falls off there.
        let along = 1.0 + strength * (lps.z / 90.0 + phase).sin();
        let ends = smoothstep(220.0, 110.0, lps.z.abs());
        let saturation = self.saturation_y.map_or(1.0, |edge| mix(0.08, 1.0, smoothstep(edge - 10.0, edge, lps.y)));
        // 1 at 70 mm depth, where the bodies lie.
        ((70.0 - from_skin) / self.coil_reach_mm).exp() * along * mix(0.5, 1.0, ends) * saturation
    }
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

/// A patient, ready to be imaged.
pub(super) struct Scene {
    /// Bones and discs.
    pub spine: Spine,
    /// The rest.
    pub surroundings: Surroundings,
    /// Texture of all tissues.
    pub texture: Texture,
}

impl Scene {
    /// Paints soft tissue, then organs; the canal is left to [`Self::paint_spine`].
    fn paint_background(&self, canvas: &mut Canvas) {
        let texture = &self.texture;
        canvas.fill(|point| (!self.surroundings.is_fine(point)).then(|| self.surroundings.signal(point, texture)));
        for organ in &self.surroundings.organs {
            canvas.draw(&organ.box_corners(), |point, pixel| {
                let distance = organ.distance(point);
                (distance < pixel).then(|| (cover(distance, pixel), organ.signal(-distance, point, texture)))
            });
        }
    }

    /// Paints over the background what changes within the thickness of a slice: canal, discs, bones, nerve roots.
    fn paint_spine(&self, canvas: &mut Canvas) {
        let texture = &self.texture;
        canvas.fill(|point| self.surroundings.is_fine(point).then(|| self.surroundings.signal(point, texture)));
        for disc in &self.spine.discs {
            let (low, high) = disc.extent();
            canvas.draw(&disc.frame.box_corners(low, high), |point, pixel| {
                let local = disc.frame.local(point);
                let distance = disc.distance(local);
                (distance < pixel).then(|| (cover(distance, pixel), disc.signal(local, texture)))
            });
        }
        let tissues = &self.surroundings.tissues;
        for body in &self.spine.bodies {
            let (low, high) = body.extent();
            canvas.draw(&body.frame.box_corners(low, high), |point, pixel| {
                let local = body.frame.local(point);
                let distance = body.distance(local);
                (distance < pixel).then(|| {
                    // About a millimeter of cortex around the marrow.
                    let marrow =
                        if distance < -0.2 { tissues.marrow * body.marrow(local, texture) } else { tissues.marrow };
                    let signal = mix(tissues.cortex, marrow, smoothstep(-0.6, -1.5, distance));
                    (cover(distance, pixel), signal)
                })
            });
        }
        for root in &self.surroundings.roots {
            canvas.draw(&root.box_corners(), |point, pixel| {
                let distance = root.distance(point);
                (distance < pixel).then(|| (cover(distance, pixel), root.signal(-distance, point, texture)))
            });
        }
    }
}

/// Share of a pixel that a surface at this signed distance from its center covers.
fn cover(distance: f64, pixel_mm: f64) -> f64 {
    (0.5 - distance / pixel_mm).clamp(0.0, 1.0)
}

/// One plane through the patient.
struct Canvas {
    origin: DVec3,
    right: DVec3,
    down: DVec3,
    rows: usize,
    columns: usize,
    pixel_mm: f64,
    values: Vec<f32>,
}

impl Canvas {
    /// Sets the pixels for which `signal` gives one.
    fn fill(&mut self, signal: impl Fn(DVec3) -> Option<f64>) {
        for (row, line) in self.values.chunks_exact_mut(self.columns).enumerate() {
            let start = self.origin + self.down * row as f64;
            for (column, value) in line.iter_mut().enumerate() {
                if let Some(signal) = signal(start + self.right * column as f64) {
                    *value = signal as f32;
                }
            }
        }
    }

    /// Paints what `shape` gives (coverage, signal) on the pixels near the projection of the box `corners`.
    fn draw(&mut self, corners: &[DVec3; 8], shape: impl Fn(DVec3, f64) -> Option<(f64, f64)>) {
        let normal = self.right.cross(self.down).normalize();
        let (mut low, mut high) = (DVec3::INFINITY, DVec3::NEG_INFINITY);
        for corner in corners {
            let from = *corner - self.origin;
            let pixel = self.pixel_mm * self.pixel_mm;
            let at = DVec3::new(from.dot(self.right) / pixel, from.dot(self.down) / pixel, from.dot(normal));
            (low, high) = (low.min(at), high.max(at));
        }
        if low.z > 0.0 || high.z < 0.0 {
            return;
        }
        let range = |low: f64, high: f64, count: usize| {
            low.floor().max(0.0) as usize..((high + 2.0).max(0.0) as usize).min(count)
        };
        for row in range(low.y, high.y, self.rows) {
            for column in range(low.x, high.x, self.columns) {
                let point = self.origin + self.down * row as f64 + self.right * column as f64;
                if let Some((coverage, signal)) = shape(point, self.pixel_mm) {
                    let value = &mut self.values[row * self.columns + column];
                    *value += ((signal - f64::from(*value)) * coverage) as f32;
                }
            }
        }
    }
}

/// Gaussian blur over 7 × 7 pixels, edges held.
fn blur(values: &mut [f32], columns: usize, sigma: f64) {
    let weights: Vec<f32> = (-3_i32..=3).map(|k| (-0.5 * (f64::from(k) / sigma).powi(2)).exp() as f32).collect();
    let sum: f32 = weights.iter().sum();
    let rows = values.len() / columns;
    let mut pass = |step: usize, stride: usize, lines: usize, length: usize| {
        let mut line = vec![0.0; length];
        for start in 0..lines {
            let at = |index: usize| start * stride + index * step;
            for (index, value) in line.iter_mut().enumerate() {
                *value = values[at(index)];
            }
            for index in 0..length {
                let tap = |k: usize| line[(index + k).saturating_sub(3).min(length - 1)];
                values[at(index)] = weights.iter().enumerate().map(|(k, weight)| weight * tap(k)).sum::<f32>() / sum;
            }
        }
    };
    pass(1, columns, rows, columns);
    pass(columns, 1, columns, rows);
}

/// Magnitude of a signal with Gaussian noise in both channels.
fn rician(rng: &mut ChaCha8Rng, signal: f64, noise: f64) -> f64 {
    // Box and Muller: one draw gives both channels.
    let radius = noise * (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let channels = DVec2::from_angle(rng.random_range(0.0..std::f64::consts::TAU)) * radius;
    (channels + DVec2::X * signal).length()
}
