//! Random numbers and smooth random fields.

use glam::DVec3;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Edge of the periodic lattice; a power of two so that wrapping is a mask.
const LATTICE: usize = 32;
/// Greatest coordinate; a multiple of the lattice, so that adding it changes nothing.
const REACH: f64 = 8192.0;

/// Generator of one part of a phantom: parts with their own stream do not disturb each other when one changes.
pub(super) fn stream(seed: u64, part: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(part);
    rng
}

/// Bell-shaped draw with this mean and standard deviation, never further than three deviations off.
pub(super) fn around(rng: &mut impl Rng, mean: f64, deviation: f64) -> f64 {
    // The sum of three uniform numbers has a standard deviation of one half.
    let sum: f64 = (0..3).map(|_| rng.random::<f64>()).sum();
    mean + (sum - 1.5) * 2.0 * deviation
}

/// Smooth step from 0 (`value` ≤ `low`) to 1 (`value` ≥ `high`); falling if `high` < `low`.
pub(super) fn smoothstep(low: f64, high: f64, value: f64) -> f64 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Value `t` of the way from `a` to `b`.
pub(super) fn mix(a: f64, b: f64, t: f64) -> f64 {
    a + (b - a) * t
}

/// Periodic random field, trilinear between lattice values in [-1, 1].
pub(super) struct Texture(Box<[f32; LATTICE * LATTICE * LATTICE]>);

impl Texture {
    /// A field drawn from `rng`.
    pub(super) fn new(rng: &mut impl Rng) -> Self {
        let lattice: Box<[f32]> = (0..LATTICE * LATTICE * LATTICE).map(|_| rng.random_range(-1.0..1.0)).collect();
        Self(lattice.try_into().expect("as many values as cells"))
    }

    /// Value at `position`, one lattice cell per unit; coordinates within ±[`REACH`].
    ///
    /// Half of the time of imaging is spent here: no closures, and indices joined by `|`, so that the compiler sees them
    /// stay within the lattice.
    #[inline]
    pub(super) fn at(&self, position: DVec3) -> f64 {
        const MASK: usize = LATTICE - 1;
        // Truncation of a positive number is a floor, and much faster.
        let (x, y, z) = (position.x + REACH, position.y + REACH, position.z + REACH);
        let (column, row, plane) = (x as u32, y as u32, z as u32);
        let fx = (x - f64::from(column)) as f32;
        let fy = (y - f64::from(row)) as f32;
        let fz = (z - f64::from(plane)) as f32;
        let (x0, x1) = (column as usize & MASK, (column as usize + 1) & MASK);
        let (y0, y1) = ((row as usize & MASK) * LATTICE, ((row as usize + 1) & MASK) * LATTICE);
        let (z0, z1) = ((plane as usize & MASK) * LATTICE * LATTICE, ((plane as usize + 1) & MASK) * LATTICE * LATTICE);
        let lattice = &*self.0;
        let (a0, a1) = (lattice[z0 | y0 | x0], lattice[z0 | y0 | x1]);
        let (b0, b1) = (lattice[z0 | y1 | x0], lattice[z0 | y1 | x1]);
        let (c0, c1) = (lattice[z1 | y0 | x0], lattice[z1 | y0 | x1]);
        let (d0, d1) = (lattice[z1 | y1 | x0], lattice[z1 | y1 | x1]);
        let (a, b) = (a0 + (a1 - a0) * fx, b0 + (b1 - b0) * fx);
        let (c, d) = (c0 + (c1 - c0) * fx, d0 + (d1 - d0) * fx);
        let (near, far) = (a + (b - a) * fy, c + (d - c) * fy);
        f64::from(near + (far - near) * fz)
    }

    /// Sum of a coarse and a fine field with grains of `grain_mm` and half of it, about -1 to 1.
    pub(super) fn grain(&self, position: DVec3, grain_mm: f64) -> f64 {
        let scaled = position / grain_mm;
        // The offset keeps the two octaves from lining up.
        0.65 * self.at(scaled) + 0.35 * self.at(scaled * 2.0 + DVec3::splat(7.3))
    }
}
