//! From signal to pixels: what happens between the patient and the stored image.
//!
//! Frequency runs along rows and phase along columns, as in all but one of the development scans.

use glam::DVec2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::parameters::ScannerParameters;

/// Taps of a resolution kernel to either side.
const TAPS: usize = 10;
/// Weight of the raised cosine in Hamming's filter.
const HAMMING: f64 = 0.46;

/// Faults and limits of one acquisition.
#[derive(Debug, Clone)]
pub(super) struct Formation {
    /// Acquired against stored resolution along frequency and phase.
    resolution: [f64; 2],
    /// Weight of the raised cosine over k-space; 0 leaves its edge sharp.
    apodization: f64,
    /// Noise of either channel.
    pub noise: f64,
    /// Shift of fat along frequency, pixels.
    chemical_shift: f64,
    /// Strength of the ghosts and their distance along phase, mm.
    ghost: Option<(f64, f64)>,
    /// Where the patient lay for a part of the scan: shift in mm and that part.
    motion: Option<(DVec2, f64)>,
}

/// One slice on its way from signal to pixels.
pub(super) struct RawSlice<'a> {
    /// Signal of water times the coil's sensitivity.
    pub water: Vec<f32>,
    /// The same of fat.
    pub fat: Vec<f32>,
    /// How much each pixel moves with breath and pulse; asked for only where there are ghosts.
    pub mobility: &'a dyn Fn(usize, usize) -> f64,
    /// Columns of the slice.
    pub columns: usize,
    /// Pixel size, mm.
    pub pixel_mm: f64,
}

impl Formation {
    /// Draws the faults of a scan.
    pub(super) fn draw(rng: &mut impl Rng, parameters: &ScannerParameters, noise: f64) -> Self {
        let frequency = parameters.frequency_resolution.draw(rng);
        let shift = parameters.chemical_shift.draw(rng);
        let chemical_shift = if rng.random_bool(0.5) { shift } else { -shift };
        let ghosted = rng.random_bool(parameters.ghosted);
        let ghost = (parameters.ghost.draw(rng), rng.random_range(20.0..90.0));
        let moved = rng.random_bool(parameters.moved);
        let angle = rng.random_range(0.0..std::f64::consts::TAU);
        let motion = (DVec2::from_angle(angle) * parameters.motion_mm.draw(rng), rng.random_range(0.15..0.45));
        Self {
            resolution: [frequency, frequency * parameters.phase_sampling.draw(rng)],
            apodization: if rng.random_bool(parameters.filtered) { HAMMING } else { 0.0 },
            noise,
            chemical_shift,
            ghost: ghosted.then_some(ghost),
            motion: moved.then_some(motion),
        }
    }

    /// Magnitude image of a slice, signal of fluid being about 1.
    pub(super) fn image(&self, raw: RawSlice<'_>, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let RawSlice { water: mut real, fat, mobility, columns, pixel_mm } = raw;
        shift_along_rows(&mut real, &fat, columns, self.chemical_shift);
        if let Some((shift, share)) = self.motion {
            move_for_a_while(&mut real, columns, shift / pixel_mm, share as f32);
        }
        if let Some((strength, distance)) = self.ghost {
            add_ghosts(&mut real, columns, mobility, strength, distance / pixel_mm);
        }
        let kernels = self.resolution.map(|share| kernel(share, self.apodization));
        // The kernels average noise: what goes in is larger than what comes out.
        let energy = |kernel: &[f32]| f64::from(kernel.iter().map(|tap| tap * tap).sum::<f32>());
        let noise = (self.noise / (energy(&kernels[0]) * energy(&kernels[1])).sqrt()) as f32;
        let mut imaginary = vec![0.0; real.len()];
        for (real, imaginary) in real.iter_mut().zip(&mut imaginary) {
            *real += noise * bell(rng.next_u64());
            *imaginary = noise * bell(rng.next_u64());
        }
        for channel in [&mut real, &mut imaginary] {
            filter_rows(channel, columns, &kernels[0]);
            filter_columns(channel, columns, &kernels[1]);
        }
        real.iter().zip(&imaginary).map(|(real, imaginary)| (real * real + imaginary * imaginary).sqrt()).collect()
    }
}

/// A number of mean 0 and deviation 1, bell-shaped, from random bits: the sum of four 16-bit numbers. Filtering, which
/// follows, brings it closer to normal still.
fn bell(bits: u64) -> f32 {
    let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xFFFF).sum();
    // Four uniform numbers of width 1 have a deviation of the root of a third.
    (sum as f32 / 65536.0 - 2.0) * 1.732_050_8
}

/// What a point looks like after k-space has been cut off at `share` of what the stored pixels could hold.
fn kernel(share: f64, apodization: f64) -> [f32; 2 * TAPS + 1] {
    let sinc = |x: f64| {
        let angle = std::f64::consts::PI * x;
        if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
    };
    let taps: [f32; 2 * TAPS + 1] = std::array::from_fn(|tap| {
        let x = (tap as f64 - TAPS as f64) * share;
        let sidelobes = f64::midpoint(sinc(x - 1.0), sinc(x + 1.0));
        // The end of the kernel is eased out.
        let end = (1.0 - ((tap as f64 - TAPS as f64) / (TAPS as f64 + 1.0)).powi(4)).max(0.0);
        (((1.0 - apodization) * sinc(x) + apodization * sidelobes) * end) as f32
    });
    let sum: f32 = taps.iter().sum();
    taps.map(|tap| tap / sum)
}

fn filter_rows(values: &mut [f32], columns: usize, kernel: &[f32]) {
    let mut padded = vec![0.0; columns + 2 * TAPS];
    for line in values.chunks_exact_mut(columns) {
        padded[..TAPS].fill(line[0]);
        padded[TAPS..TAPS + columns].copy_from_slice(line);
        padded[TAPS + columns..].fill(line[columns - 1]);
        line.fill(0.0);
        for (tap, weight) in kernel.iter().enumerate() {
            for (value, source) in line.iter_mut().zip(&padded[tap..]) {
                *value += weight * source;
            }
        }
    }
}

fn filter_columns(values: &mut [f32], columns: usize, kernel: &[f32]) {
    let source = values.to_vec();
    let last = source.len() / columns - 1;
    for (row, line) in values.chunks_exact_mut(columns).enumerate() {
        line.fill(0.0);
        for (tap, weight) in kernel.iter().enumerate() {
            let from = (row + tap).saturating_sub(TAPS).min(last) * columns;
            for (value, source) in line.iter_mut().zip(&source[from..from + columns]) {
                *value += weight * source;
            }
        }
    }
}

/// Adds `fat` to `real`, moved by `shift` pixels along the rows.
fn shift_along_rows(real: &mut [f32], fat: &[f32], columns: usize, shift: f64) {
    let (whole, part) = (shift.floor(), (shift - shift.floor()) as f32);
    let last = columns as isize - 1;
    for (line, fat) in real.chunks_exact_mut(columns).zip(fat.chunks_exact(columns)) {
        for (column, value) in line.iter_mut().enumerate() {
            let from = column as isize - whole as isize;
            let at = |index: isize| fat[index.clamp(0, last) as usize];
            *value += at(from) * (1.0 - part) + at(from - 1) * part;
        }
    }
}

/// Mixes in the slice as it looks while the patient lies elsewhere.
fn move_for_a_while(real: &mut [f32], columns: usize, shift: DVec2, share: f32) {
    let source = real.to_vec();
    let rows = source.len() / columns;
    let at = |x: isize, y: isize| {
        source[y.clamp(0, rows as isize - 1) as usize * columns + x.clamp(0, columns as isize - 1) as usize]
    };
    let (whole, part) = (shift.floor(), shift - shift.floor());
    let (fx, fy) = (part.x as f32, part.y as f32);
    for (index, value) in real.iter_mut().enumerate() {
        let x = (index % columns) as isize - whole.x as isize;
        let y = (index / columns) as isize - whole.y as isize;
        let near = at(x, y) * (1.0 - fx) + at(x - 1, y) * fx;
        let far = at(x, y - 1) * (1.0 - fx) + at(x - 1, y - 1) * fx;
        *value += (near * (1.0 - fy) + far * fy - *value) * share;
    }
}

/// Adds what moves periodically again at multiples of `distance` pixels along the columns, weaker each time.
fn add_ghosts(real: &mut [f32], columns: usize, mobility: &dyn Fn(usize, usize) -> f64, strength: f64, distance: f64) {
    let rows = real.len() / columns;
    let mut moving = real.to_vec();
    for (index, value) in moving.iter_mut().enumerate() {
        *value *= mobility(index / columns, index % columns) as f32;
    }
    for order in 1..=3_i32 {
        let shift = (distance * f64::from(order)).round() as usize % rows;
        // Ghosts interfere with the image, with changing sign.
        let weight = (strength / f64::from(order)) as f32 * if order == 2 { -1.0 } else { 1.0 };
        for row in 0..rows {
            for from in [(row + shift) % rows, (row + rows - shift) % rows] {
                for column in 0..columns {
                    real[row * columns + column] += weight * moving[from * columns + column];
                }
            }
        }
    }
}

/// How a series is scaled to whole numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scaling {
    /// Bits stored.
    pub bits: u8,
    /// Value of the brightest thousandth.
    top: f32,
}

impl Scaling {
    /// Draws a scaling.
    pub(super) fn draw(rng: &mut impl Rng, parameters: &ScannerParameters) -> Self {
        let [eight, twelve, _] = parameters.bits;
        let chance = rng.random::<f64>();
        // Eight bits are used up; scanners leave room in twelve; some rescale to sixteen.
        if chance < eight {
            Self { bits: 8, top: 255.0 }
        } else if chance < eight + twelve {
            Self { bits: 12, top: rng.random_range(500.0..3000.0) }
        } else {
            Self { bits: 16, top: rng.random_range(5000.0..30000.0) }
        }
    }

    /// Scales all voxels of a series to whole numbers.
    pub(super) fn apply(self, voxels: &mut [f32]) {
        let mut sample: Vec<f32> = voxels.iter().copied().step_by(37).collect();
        let place = (sample.len() - 1) * 999 / 1000;
        let (_, brightest, _) = sample.select_nth_unstable_by(place, f32::total_cmp);
        let gain = self.top / brightest.max(1e-6);
        let limit = f32::from(u16::MAX >> (16 - self.bits));
        for value in voxels {
            *value = (*value * gain).round().min(limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom::texture::stream;

    #[test]
    fn a_cut_off_spectrum_rings_beside_an_edge_and_a_filter_quiets_it() {
        let line: Vec<f32> = (0..128).map(|x| if x < 64 { 0.0 } else { 1.0 }).collect();
        let overshoot = |apodization: f64| {
            let mut values = line.clone();
            filter_rows(&mut values, 128, &kernel(0.6, apodization));
            values.iter().copied().fold(0.0, f32::max) - 1.0
        };
        // Gibbs: nine hundredths, however many samples.
        assert!((0.05..0.12).contains(&overshoot(0.0)), "{}", overshoot(0.0));
        assert!(overshoot(HAMMING) < 0.015, "{}", overshoot(HAMMING));
    }

    #[test]
    fn noise_is_rician_and_as_strong_as_asked_for() {
        let quiet = ScannerParameters { ghosted: 0.0, moved: 0.0, ..ScannerParameters::default() };
        let formation = Formation::draw(&mut stream(1, 0), &quiet, 0.05);
        let flat = |signal: f32| {
            let raw = RawSlice {
                water: vec![signal; 200 * 200],
                fat: vec![0.0; 200 * 200],
                mobility: &|_, _| 0.0,
                columns: 200,
                pixel_mm: 1.0,
            };
            let pixels = formation.image(raw, &mut stream(1, 1));
            let mean = pixels.iter().sum::<f32>() / pixels.len() as f32;
            let variance = pixels.iter().map(|pixel| (pixel - mean).powi(2)).sum::<f32>() / pixels.len() as f32;
            (mean, variance.sqrt())
        };
        let (mean, deviation) = flat(1.0);
        assert!((mean - 1.0).abs() < 0.01 && (deviation - 0.05).abs() < 0.005, "{mean} {deviation}");
        // Of air: Rayleigh, mean 1.25 and deviation 0.66 of the noise.
        let (mean, deviation) = flat(0.0);
        assert!((mean - 0.0627).abs() < 0.004 && (deviation - 0.0328).abs() < 0.004, "{mean} {deviation}");
    }

    #[test]
    fn scaling_uses_the_bits_it_has() {
        for (bits, top) in [(8, 255.0), (12, 2000.0), (16, 20000.0)] {
            let mut voxels: Vec<f32> = (0..100_000).map(|index| index as f32 / 1e5).collect();
            Scaling { bits, top }.apply(&mut voxels);
            let most = voxels.iter().copied().fold(0.0, f32::max);
            assert!(most >= top && most <= f32::from(u16::MAX >> (16 - bits)), "{bits}: {most}");
            assert!(voxels.iter().all(|value| value.fract() == 0.0));
        }
    }
}
