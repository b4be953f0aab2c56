//! From signal to pixels: what happens between the patient and the stored image.
//!
//! A slice is sampled on the acquired matrix; the stored one is made of it as a scanner does, by filling k-space with
//! zeros. Frequency runs along rows and phase along columns, as in all but one of the development scans, or the other way
//! round.

use glam::DVec2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::parameters::ScannerParameters;
use crate::volume::WindowLevel;

/// Samples that each stored pixel is made of, per direction.
const TAPS: usize = 16;
/// Weight of the raised cosine in Hamming's filter.
const HAMMING: f64 = 0.46;

/// What folds over the other end of the field, along phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrap {
    /// What lies up to here beyond the field is oversampled and does not fold, mm.
    pub oversampled_mm: f64,
    /// What lies from there up to here folds, mm.
    pub reach_mm: f64,
    /// Its signal against that of the same tissue within the field, right at the field; it fades with the distance.
    pub strength: f32,
}

/// Faults and limits of one acquisition.
#[derive(Debug, Clone)]
pub(super) struct Formation {
    /// Acquired against stored resolution along frequency and phase.
    resolution: [f64; 2],
    /// Weight of the raised cosine over k-space; 0 leaves its edge sharp.
    apodization: f64,
    /// Noise of either channel.
    pub noise: f64,
    /// Shift of fat along frequency, samples.
    chemical_shift: f64,
    /// Strength of the ghosts and their distance along phase, mm.
    ghost: Option<(f64, f64)>,
    /// Where the patient lay for a part of the scan: shift in mm (along frequency, phase) and that part.
    motion: Option<(DVec2, f64)>,
    /// Whether phase runs along rows.
    pub is_phase_across: bool,
    /// What folds in, if anything does.
    pub wrap: Option<Wrap>,
}

/// One slice on its way from signal to pixels, on the acquired matrix.
pub(super) struct RawSlice<'a> {
    /// Signal of water times the coil's sensitivity.
    pub water: Vec<f32>,
    /// The same of fat.
    pub fat: Vec<f32>,
    /// How much each sample (row, column) moves with breath and pulse; asked for only where there are ghosts.
    pub mobility: &'a dyn Fn(usize, usize) -> f64,
    /// Columns acquired.
    pub columns: usize,
    /// Width and height of a sample, mm.
    pub sample_mm: DVec2,
    /// Rows and columns to be stored.
    pub stored: [usize; 2],
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
        let resolution = [frequency, frequency * parameters.phase_sampling.draw(rng)];
        let apodization = if rng.random_bool(parameters.filtered) { HAMMING } else { 0.0 };
        let wrapped = rng.random_bool(parameters.wrapped);
        let oversampled_mm = parameters.oversampled_mm.draw(rng);
        let wrap = Wrap {
            oversampled_mm,
            reach_mm: oversampled_mm + parameters.folded_mm.draw(rng),
            strength: parameters.folded.draw(rng) as f32,
        };
        Self {
            resolution,
            apodization,
            noise,
            chemical_shift,
            ghost: ghosted.then_some(ghost),
            motion: moved.then_some(motion),
            is_phase_across: rng.random_bool(parameters.phase_across),
            wrap: wrapped.then_some(wrap),
        }
    }

    /// Acquired against stored resolution along columns and rows (that is: of rows and of columns).
    pub(super) fn shares(&self) -> [f64; 2] {
        let [frequency, phase] = self.resolution;
        if self.is_phase_across { [frequency, phase] } else { [phase, frequency] }
    }

    /// Magnitude image of a slice, signal of fluid being about 1.
    pub(super) fn image(&self, raw: RawSlice<'_>, rng: &mut ChaCha8Rng) -> Vec<f32> {
        if !self.is_phase_across {
            return self.image_along_rows(raw, rng);
        }
        let RawSlice { water, fat, mobility, columns, sample_mm, stored: [rows_stored, columns_stored] } = raw;
        let turned = RawSlice {
            columns: water.len() / columns,
            water: transposed(&water, columns),
            fat: transposed(&fat, columns),
            mobility: &|row, column| mobility(column, row),
            sample_mm: DVec2::new(sample_mm.y, sample_mm.x),
            stored: [columns_stored, rows_stored],
        };
        transposed(&self.image_along_rows(turned, rng), rows_stored)
    }

    /// The same where frequency runs along rows.
    fn image_along_rows(&self, raw: RawSlice<'_>, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let RawSlice { water: mut real, fat, mobility, columns, sample_mm, stored } = raw;
        shift_along_rows(&mut real, &fat, columns, self.chemical_shift);
        if let Some((shift, share)) = self.motion {
            move_for_a_while(&mut real, columns, shift / sample_mm, share as f32);
        }
        if let Some((strength, distance)) = self.ghost {
            add_ghosts(&mut real, columns, mobility, strength, distance / sample_mm.y);
        }
        let [across, down] = self.resolution.map(|share| Zoom::new(share, self.apodization));
        // Filters against ringing average noise: what goes in is larger than what comes out.
        let noise = (self.noise / (across.noise_left() * down.noise_left()).sqrt()) as f32;
        let mut imaginary = vec![0.0; real.len()];
        for (real, imaginary) in real.iter_mut().zip(&mut imaginary) {
            *real += noise * bell(rng.next_u64());
            *imaginary = noise * bell(rng.next_u64());
        }
        let (rows, line) = (down.weights(stored[0]), across.weights(stored[1]));
        let [real, imaginary] = [real, imaginary]
            .map(|channel| Zoom::along_rows(&Zoom::along_columns(&channel, columns, &rows), columns, &line));
        real.iter().zip(&imaginary).map(|(real, imaginary)| (real * real + imaginary * imaginary).sqrt()).collect()
    }
}

/// Columns as rows.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns).copied()).collect()
}

/// A number of mean 0 and deviation 1, bell-shaped, from random bits: the sum of four 16-bit numbers. Filtering, which
/// follows, brings it closer to normal still.
fn bell(bits: u64) -> f32 {
    let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xFFFF).sum();
    // Four uniform numbers of width 1 have a deviation of the root of a third.
    (sum as f32 / 65536.0 - 2.0) * 1.732_050_8
}

/// From acquired samples to stored pixels in one direction.
struct Zoom {
    /// Acquired against stored resolution.
    share: f64,
    /// Weight of the raised cosine over k-space.
    apodization: f64,
}

impl Zoom {
    fn new(share: f64, apodization: f64) -> Self {
        Self { share, apodization }
    }

    /// First sample (negative ones lie before the slice) and weights of each of so many stored pixels.
    fn weights(&self, pixels: usize) -> Vec<(isize, [f32; TAPS])> {
        let weights = (0..pixels).map(|pixel| {
            let at = pixel as f64 * self.share;
            let first = at.floor() as isize + 1 - (TAPS / 2) as isize;
            let sine = (std::f64::consts::PI * (at - first as f64)).sin();
            // From sample to sample the sine changes its sign only.
            let taps: [f64; TAPS] = std::array::from_fn(|tap| {
                self.kernel(at - (first + tap as isize) as f64, if tap % 2 == 0 { sine } else { -sine })
            });
            let sum: f64 = taps.iter().sum();
            (first, taps.map(|tap| (tap / sum) as f32))
        });
        weights.collect()
    }

    /// What one sample adds at a distance, in samples, whose sine times π is given: k-space cut off at its edge, and
    /// filtered.
    fn kernel(&self, distance: f64, sine: f64) -> f64 {
        let sinc = |x: f64, sine: f64| if x.abs() < 1e-9 { 1.0 } else { sine / (std::f64::consts::PI * x) };
        let sidelobes = f64::midpoint(sinc(distance - 1.0, -sine), sinc(distance + 1.0, -sine));
        // The end of the kernel is eased out.
        let end = (1.0 - (distance / (TAPS as f64 / 2.0 + 1.0)).powi(4)).max(0.0);
        ((1.0 - self.apodization) * sinc(distance, sine) + self.apodization * sidelobes) * end
    }

    /// Share of the noise's variance that is left.
    fn noise_left(&self) -> f64 {
        let at = |tap: usize| self.kernel(tap as f64 - (TAPS / 2) as f64, 0.0);
        let sum: f64 = (0..=TAPS).map(at).sum();
        (0..=TAPS).map(|tap| (at(tap) / sum).powi(2)).sum()
    }

    /// Lines by their weights, made of those of `columns` samples; beyond the ends the outermost is held.
    fn along_columns(samples: &[f32], columns: usize, weights: &[(isize, [f32; TAPS])]) -> Vec<f32> {
        let last = (samples.len() / columns) as isize - 1;
        let mut stored = vec![0.0; weights.len() * columns];
        for ((first, taps), line) in weights.iter().zip(stored.chunks_exact_mut(columns)) {
            for (tap, weight) in (*first..).zip(taps) {
                let from = tap.clamp(0, last) as usize * columns;
                for (value, sample) in line.iter_mut().zip(&samples[from..from + columns]) {
                    *value += weight * sample;
                }
            }
        }
        stored
    }

    /// Every line of `acquired` samples made as long as there are weights.
    fn along_rows(samples: &[f32], acquired: usize, weights: &[(isize, [f32; TAPS])]) -> Vec<f32> {
        const LANES: usize = 8;
        let mut stored = Vec::with_capacity(samples.len() / acquired * weights.len());
        let mut padded = vec![0.0; acquired + 2 * TAPS];
        for line in samples.chunks_exact(acquired) {
            padded[..TAPS].fill(line[0]);
            padded[TAPS..TAPS + acquired].copy_from_slice(line);
            padded[TAPS + acquired..].fill(line[acquired - 1]);
            stored.extend(weights.iter().map(|(first, taps)| {
                let start = ((TAPS as isize + first) as usize).min(padded.len() - TAPS);
                let mut sums = [0.0; LANES];
                for (taps, samples) in taps.chunks_exact(LANES).zip(padded[start..start + TAPS].chunks_exact(LANES)) {
                    for lane in 0..LANES {
                        sums[lane] += taps[lane] * samples[lane];
                    }
                }
                sums.iter().sum::<f32>()
            }));
        }
        stored
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
    /// Value of the brightest voxels.
    top: f32,
    /// Share of the voxels that are cut off there.
    clipped: f64,
    /// Display window that the scanner stores.
    pub window: WindowLevel,
}

impl Scaling {
    /// Draws a scaling.
    pub(super) fn draw(rng: &mut impl Rng, parameters: &ScannerParameters) -> Self {
        let [eight, twelve, _] = parameters.bits;
        let chance = rng.random::<f64>();
        let clipped = parameters.clipped.draw(rng);
        // Eight bits are used up; scanners leave room in twelve; some rescale to sixteen.
        let (bits, top) = if chance < eight {
            (8, 255.0)
        } else if chance < eight + twelve {
            (12, rng.random_range(500.0..3000.0))
        } else {
            (16, rng.random_range(5000.0..30000.0))
        };
        let width = (top * parameters.window_width.draw(rng)).round();
        let center = (width * parameters.window_center.draw(rng)).round();
        let clipped = if bits == 8 { clipped } else { 0.0 };
        Self { bits, top: top as f32, clipped, window: WindowLevel { center: center as f32, width: width as f32 } }
    }

    /// Scales all voxels of a series to whole numbers.
    pub(super) fn apply(self, voxels: &mut [f32]) {
        let mut sample: Vec<f32> = voxels.iter().copied().step_by(37).collect();
        // The brightest thousandth are outliers.
        let place = ((sample.len() - 1) as f64 * (1.0 - self.clipped.max(0.001))) as usize;
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
        let line: Vec<f32> = (0..78).map(|x| if x < 39 { 0.0 } else { 1.0 }).collect();
        let overshoot = |apodization: f64| {
            let values = Zoom::along_rows(&line, line.len(), &Zoom::new(0.6, apodization).weights(128));
            values.iter().copied().fold(0.0, f32::max) - 1.0
        };
        // Gibbs: nine hundredths of an edge, some more of one that lies between samples.
        assert!((0.05..0.15).contains(&overshoot(0.0)), "{}", overshoot(0.0));
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
                sample_mm: DVec2::ONE,
                stored: formation.shares().map(|share| (200.0 / share) as usize),
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
            Scaling { bits, top, clipped: 0.0, window: WindowLevel { center: 1.0, width: 2.0 } }.apply(&mut voxels);
            let most = voxels.iter().copied().fold(0.0, f32::max);
            assert!(most >= top && most <= f32::from(u16::MAX >> (16 - bits)), "{bits}: {most}");
            assert!(voxels.iter().all(|value| value.fract() == 0.0));
        }
    }
}
