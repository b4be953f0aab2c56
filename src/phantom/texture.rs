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
pub(super) struct Texture(Vec<f32>);

impl Texture {
    /// A field drawn from `rng`.
    pub(super) fn new(rng: &mut impl Rng) -> Self {
        Self((0..LATTICE * LATTICE * LATTICE).map(|_| rng.random_range(-1.0..1.0)).collect())
    }

    /// Value at `position`, one lattice cell per unit; coordinates within ±[`REACH`].
    #[inline]
    pub(super) fn at(&self, position: DVec3) -> f64 {
        // Truncation of a positive number is a floor, and much faster.
        let shifted = position + DVec3::splat(REACH);
        let cell = [shifted.x, shifted.y, shifted.z].map(|value| value as u32);
        let fraction = |axis: usize| (shifted[axis] - f64::from(cell[axis])) as f32;
        let mask = LATTICE - 1;
        let [x0, y0, z0] = cell.map(|index| index as usize & mask);
        let (x1, y1, z1) = ((x0 + 1) & mask, (y0 + 1) & mask, (z0 + 1) & mask);
        let (fx, fy, fz) = (fraction(0), fraction(1), fraction(2));
        let row = |y: usize, z: usize| {
            let start = (z * LATTICE + y) * LATTICE;
            let (low, high) = (self.0[start + x0], self.0[start + x1]);
            low + (high - low) * fx
        };
        let (near, far) = (row(y0, z0), row(y0, z1));
        let near = near + (row(y1, z0) - near) * fy;
        let far = far + (row(y1, z1) - far) * fy;
        f64::from(near + (far - near) * fz)
    }

    /// Sum of a coarse and a fine field with grains of `grain_mm` and half of it, about -1 to 1.
    pub(super) fn grain(&self, position: DVec3, grain_mm: f64) -> f64 {
        let scaled = position / grain_mm;
        // The offset keeps the two octaves from lining up.
        0.65 * self.at(scaled) + 0.35 * self.at(scaled * 2.0 + DVec3::splat(7.3))
    }
}
