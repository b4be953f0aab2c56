//! Random numbers and smooth random fields.

use glam::DVec3;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Edge of the periodic lattice; a power of two so that wrapping is a mask.
const LATTICE: usize = 32;
/// Added to a number, this leaves no room behind the point: the sum is rounded to a whole number, whose lowest bits are
/// those of the sum.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

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
pub(super) struct Texture(Box<[[i8; 8]; LATTICE * LATTICE * LATTICE]>);

impl Texture {
    /// A field drawn from `rng`.
    pub(super) fn new(rng: &mut impl Rng) -> Self {
        let lattice: Vec<i8> = (0..LATTICE * LATTICE * LATTICE).map(|_| rng.random_range(-127..=127)).collect();
        // Each cell holds all its corners: one look at memory for each look at the field.
        let corners = |cell: usize| {
            let [x, y, z] = [cell % LATTICE, cell / LATTICE % LATTICE, cell / LATTICE / LATTICE];
            std::array::from_fn(|corner| {
                let step = |value: usize, bit: usize| (value + (corner >> bit & 1)) % LATTICE;
                lattice[(step(z, 2) * LATTICE + step(y, 1)) * LATTICE + step(x, 0)]
            })
        };
        let cells: Box<[[i8; 8]]> = (0..lattice.len()).map(corners).collect();
        Self(cells.try_into().expect("as many values as cells"))
    }

    /// Value at `position`, one lattice cell per unit.
    ///
    /// A third of the time of imaging is spent here: no conversions to whole numbers, which check for what cannot be, and
    /// indices joined by `|`, so that the compiler sees them stay within the lattice.
    #[inline]
    pub(super) fn at(&self, position: DVec3) -> f64 {
        const MASK: u64 = LATTICE as u64 - 1;
        let at = position - DVec3::splat(0.5);
        let rounded = at + DVec3::splat(ROUNDING);
        let low = |value: f64| (value.to_bits() & MASK) as usize;
        let cell = (low(rounded.z) * LATTICE * LATTICE) | (low(rounded.y) * LATTICE) | low(rounded.x);
        let [fx, fy, fz] = (position - (rounded - DVec3::splat(ROUNDING))).to_array().map(|share| share as f32);
        let corners = &self.0[cell];
        let mut face = [0.0; 4];
        for corner in 0..4 {
            let (near, far) = (f32::from(corners[corner]), f32::from(corners[corner + 4]));
            face[corner] = near + (far - near) * fz;
        }
        let (low, high) = (face[0] + (face[2] - face[0]) * fy, face[1] + (face[3] - face[1]) * fy);
        f64::from((low + (high - low) * fx) * (1.0 / 127.0))
    }

    /// Sum of a coarse and a fine field with grains of `grain_mm` and half of it, about -1 to 1.
    #[inline]
    pub(super) fn grain(&self, position: DVec3, grain_mm: f64) -> f64 {
        let scaled = position * grain_mm.recip();
        // The offset keeps the two octaves from lining up.
        0.65 * self.at(scaled) + 0.35 * self.at(scaled * 2.0 + DVec3::splat(7.3))
    }
}
