//! Signal: what a point sends, by source, and how a sequence weighs the sources.

use glam::{Vec3, Vec3A};

/// Signal of a point by its source: free fluid, other water (soft tissue) and fat. Their sum is the signal on T2 TSE,
/// cerebrospinal fluid being 1.
pub(super) type Signal = Vec3A;

/// No signal.
pub(super) const DARK: Signal = Vec3A::ZERO;

/// Pure fluid.
pub(super) fn fluid(value: f64) -> Signal {
    Vec3A::new(value as f32, 0.0, 0.0)
}

/// Pure soft tissue.
pub(super) fn tissue(value: f64) -> Signal {
    Vec3A::new(0.0, value as f32, 0.0)
}

/// Pure fat.
pub(super) fn fat(value: f64) -> Signal {
    Vec3A::new(0.0, 0.0, value as f32)
}

/// Water of a given brightness: dark water is bound in tissue, bright water is free.
pub(super) fn water(value: f64) -> Signal {
    /// Signal of well hydrated soft tissue; what is brighter comes from free fluid.
    const BOUND: f64 = 0.14;
    Vec3A::new((value - BOUND).max(0.0) as f32, value.min(BOUND) as f32, 0.0)
}

/// Signal `t` of the way from `a` to `b`.
pub(super) fn blend(a: Signal, b: Signal, t: f64) -> Signal {
    a + (b - a) * t as f32
}

/// Weights of the sources in a kind of sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Contrast {
    water: Vec3,
    fat: f32,
}

impl Contrast {
    /// Turbo spin echo, echo time about 100 ms.
    pub(super) const T2_TSE: Self = Self { water: Vec3::new(1.0, 1.0, 0.0), fat: 1.0 };
    /// 3-D with long trains of low flip angles: heavier T2, fat less bright.
    pub(super) const T2_SPACE: Self = Self { water: Vec3::new(1.0, 0.72, 0.0), fat: 0.58 };
    /// Short echo and repetition time: fat bright, soft tissue between, fluid dark.
    pub(super) const T1: Self = Self { water: Vec3::new(0.16, 2.1, 0.0), fat: 1.15 };

    /// Signal of water and of fat.
    pub(super) fn apply(self, signal: Signal) -> [f32; 2] {
        [Vec3::from(signal).dot(self.water), signal.z * self.fat]
    }
}
