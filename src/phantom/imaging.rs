//! The scanner at work: slices through the patient, partial volume, coil, and the parts of a scan that training needs.

use std::ops::Range;

use glam::{DVec2, DVec3};
use rayon::prelude::*;

use super::canvas::{Canvas, Grid};
use super::coil::Coil;
use super::contrast::Contrast;
use super::formation::{Formation, RawSlice, Scaling};
use super::scene::Scene;
use super::texture::stream;
use crate::volume::{GeometryError, Volume, VolumeGeometry};

/// Scanners even out sensitivity down to this share of that at the bodies; beyond, noise would be all there is.
const LEAST_DIVISOR: f32 = 0.25;
/// Slices thicker than this are the mean of three planes, others of one, mm.
const PLANE_MM: f64 = 2.0;
/// Half the edge of the part of a scan that holds a disc with its two bodies, turned and shifted, mm.
const CROP_MM: f64 = 47.0;
/// Slices this far apart at most are used for discs: of thinner ones every n-th, as a disc volume does.
const CROP_SPACING_MM: f64 = 4.4;

/// Kind of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// T2-weighted turbo spin echo, 2-D.
    T2Tse,
    /// T2-weighted SPACE, 3-D.
    T2Space,
    /// T1-weighted turbo spin echo, 2-D.
    T1Tse,
    /// T2-weighted with suppressed fat (short inversion time), 2-D.
    Stir,
    /// Weighted by proton density, 2-D.
    ProtonDensity,
    /// A few thick slices to plan the others on.
    Localizer,
}

/// Which part of a field of view is imaged: first row and column, rows and columns, and those of the whole field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    start: [usize; 2],
    size: [usize; 2],
    whole: [usize; 2],
}

impl Field {
    pub(super) fn whole(size: [usize; 2]) -> Self {
        Self { start: [0; 2], size, whole: size }
    }
}

/// Settings of a series.
#[derive(Debug, Clone)]
pub(super) struct Acquisition {
    /// Kind of series.
    pub sequence: Sequence,
    /// Where the voxels lie.
    pub geometry: VolumeGeometry,
    /// What of the field is imaged.
    pub field: Field,
    /// Thickness of a slice, mm.
    pub thickness_mm: f64,
    /// Scaling to whole numbers.
    pub scaling: Scaling,
    /// Weights of the sources of signal.
    pub contrast: Contrast,
    /// Faults and limits.
    pub formation: Formation,
    pub coil: Coil,
    /// Keeps the noise of the series of a study apart.
    pub noise_stream: u64,
}

/// Signal of a part of a slice after the coil, by source.
struct Received {
    water: Vec<f32>,
    fat: Vec<f32>,
}

impl Acquisition {
    /// Rows of each slice.
    pub(super) fn rows(&self) -> usize {
        self.field.size[0]
    }

    /// Columns of each slice.
    pub(super) fn columns(&self) -> usize {
        self.field.size[1]
    }

    /// The part of the scan around a patient position: enough for the disc volume of a disc there, with at most
    /// `beside` slices to either side of its middle.
    ///
    /// # Errors
    /// Only if the geometry were invalid.
    pub(super) fn cropped(&self, center: DVec3, beside: usize) -> Result<Self, GeometryError> {
        let geometry = &self.geometry;
        let [slice, row, column] = geometry.voxel_from_lps(center);
        let range = |middle: f64, reach: f64, count: usize| -> Range<usize> {
            let low = (middle - reach).floor().max(0.0) as usize;
            low.min(count - 1)..((middle + reach).ceil().max(0.0) as usize + 1).clamp(1, count)
        };
        let rows = range(row, CROP_MM / geometry.row_spacing_mm(), self.rows());
        let columns = range(column, CROP_MM / geometry.column_spacing_mm(), self.columns());
        let step = geometry.slice_spacing_mm().map_or(1, |spacing| (CROP_SPACING_MM / spacing).max(1.0) as isize);
        let (middle, beside) = (slice.round() as isize, beside as isize);
        let slices = (-beside..=beside).filter_map(|side| usize::try_from(middle + side * step).ok());
        self.part(&slices.filter(|slice| *slice < geometry.slices()).collect::<Vec<_>>(), rows, columns)
    }

    /// Some slices of the scan.
    ///
    /// # Errors
    /// Only if the geometry were invalid.
    pub(super) fn slices(&self, slices: &[usize]) -> Result<Self, GeometryError> {
        self.part(slices, 0..self.rows(), 0..self.columns())
    }

    fn part(&self, slices: &[usize], rows: Range<usize>, columns: Range<usize>) -> Result<Self, GeometryError> {
        let geometry = &self.geometry;
        let offset = geometry.row_direction() * geometry.row_spacing_mm() * rows.start as f64
            + geometry.column_direction() * geometry.column_spacing_mm() * columns.start as f64;
        let origins = slices.iter().map(|slice| geometry.slice_origins_lps()[*slice] + offset).collect();
        let (x, y) = (geometry.column_direction(), geometry.row_direction());
        let part = VolumeGeometry::new(origins, x, y, geometry.row_spacing_mm(), geometry.column_spacing_mm())?;
        let Field { start, whole, .. } = self.field;
        let start = [start[0] + rows.start, start[1] + columns.start];
        let field = Field { start, size: [rows.len(), columns.len()], whole };
        Ok(Self { geometry: part, field, ..self.clone() })
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
        Volume::new(self.rows(), self.columns(), voxels, self.geometry.clone())
    }

    /// Labels `[slice, row, column]` of the middle planes of the slices.
    pub(super) fn labels(&self, scene: &Scene) -> Vec<u8> {
        let slice = |slice| scene.paint_labels(Canvas::new(self.pixels(slice), Vec::new()));
        let slices: Vec<Vec<u8>> = (0..self.geometry.slices()).into_par_iter().map(slice).collect();
        slices.concat()
    }

    fn image_slice(&self, scene: &Scene, seed: u64, slice: usize) -> Vec<f32> {
        let grid = self.samples(slice);
        let mut received = self.receive(scene, &grid);
        self.fold(scene, &grid, &mut received);
        let mobility = |row: usize, column: usize| scene.surroundings.mobility(grid.place(row as f64, column as f64));
        let raw = RawSlice {
            water: received.water,
            fat: received.fat,
            mobility: &mobility,
            columns: grid.columns,
            sample_mm: DVec2::new(grid.right.length(), grid.down.length()),
            stored: self.field.size,
        };
        let mut pixels = self.formation.image(raw, &mut stream(seed, self.noise_stream + slice as u64));
        if self.coil.is_normalized {
            // Evening out the coil leaves its noise uneven.
            let falloff = self.coil.over_slice(scene, &self.pixels(slice)).0;
            pixels.iter_mut().zip(falloff).for_each(|(pixel, falloff)| *pixel /= falloff.max(LEAST_DIVISOR));
        }
        pixels
    }

    /// What the coil receives from the places of a grid.
    fn receive(&self, scene: &Scene, grid: &Grid) -> Received {
        let sensitivity = self.coil.over_slice(scene, grid).1;
        let step = self.geometry.normal() * (self.thickness_mm / 3.0);
        let planes = if self.thickness_mm > PLANE_MM { vec![step, -step] } else { Vec::new() };
        let signal = scene.paint(Canvas::new(grid.clone(), planes));
        let mut received = Received { water: Vec::with_capacity(signal.len()), fat: Vec::with_capacity(signal.len()) };
        for (signal, sensitivity) in signal.into_iter().zip(sensitivity) {
            let [free, bound] = self.contrast.apply(signal);
            received.water.push(free * sensitivity);
            received.fat.push(bound * sensitivity);
        }
        received
    }

    /// Adds what lies beyond the field along phase and folds over its other end.
    fn fold(&self, scene: &Scene, grid: &Grid, received: &mut Received) {
        let Some(wrap) = self.formation.wrap else { return };
        let axis = usize::from(self.formation.is_phase_across);
        let pitch = [self.geometry.row_spacing_mm(), self.geometry.column_spacing_mm()][axis];
        let (step, count) = [(grid.down, grid.rows), (grid.right, grid.columns)][axis];
        let whole = self.field.whole[axis] as f64 * pitch;
        let start = self.field.start[axis] as f64 * pitch;
        let period = whole + wrap.oversampled_mm;
        let line = |mm: f64| (((mm - start) / step.length()).ceil().max(0.0) as usize).min(count);
        let folded = wrap.reach_mm - wrap.oversampled_mm;
        for (from, to, shift) in [(whole - folded, whole, -period), (0.0, folded, period)] {
            // Lines of this part of the field that something folds onto.
            let lines = line(from)..line(to);
            if lines.is_empty() {
                continue;
            }
            let mut beyond = grid.clone();
            beyond.origin += step * lines.start as f64 + step.normalize() * shift;
            *[&mut beyond.rows, &mut beyond.columns][axis] = lines.len();
            let other = self.receive(scene, &beyond);
            // Gradients and coils end: the further off, the weaker.
            let strength = |line: usize| {
                let from_edge = if shift < 0.0 { whole } else { 0.0 } - start - step.length() * line as f64;
                wrap.strength * (1.0 - from_edge.abs() / folded).clamp(0.0, 1.0) as f32
            };
            for row in 0..beyond.rows {
                for column in 0..beyond.columns {
                    let mut at = [row, column];
                    at[axis] += lines.start;
                    let (onto, source) = (at[0] * grid.columns + at[1], row * beyond.columns + column);
                    received.water[onto] += other.water[source] * strength(at[axis]);
                    received.fat[onto] += other.fat[source] * strength(at[axis]);
                }
            }
        }
    }

    /// Stored pixels of a slice.
    fn pixels(&self, slice: usize) -> Grid {
        let geometry = &self.geometry;
        let right = geometry.column_direction() * geometry.column_spacing_mm();
        let down = geometry.row_direction() * geometry.row_spacing_mm();
        let origin = geometry.slice_origins_lps()[slice];
        Grid { origin, right, down, rows: self.rows(), columns: self.columns() }
    }

    /// Acquired samples of a slice: fewer than pixels, over the same field.
    fn samples(&self, slice: usize) -> Grid {
        let pixels = self.pixels(slice);
        let [along_columns, along_rows] = self.formation.shares();
        let count = |pixels: usize, share: f64| ((pixels - 1) as f64 * share).ceil() as usize + 1;
        Grid {
            origin: pixels.origin,
            right: pixels.right / along_rows,
            down: pixels.down / along_columns,
            rows: count(pixels.rows, along_columns),
            columns: count(pixels.columns, along_rows),
        }
    }
}
