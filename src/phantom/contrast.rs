//! Signal: what a point sends, by source, and how a sequence weighs the sources.

use glam::Vec3A;
use rand::Rng;

use super::parameters::ScannerParameters;

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

/// Weights of the sources in a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Contrast {
    /// Of free fluid and of soft tissue.
    water: [f32; 2],
    fat: f32,
    /// Effective echo time against the usual one: free water of signal s sends s to this power, as exp(-TE / T2) does.
    echo: f32,
}

impl Contrast {
    /// Turbo spin echo at the usual echo time.
    pub(super) const LOCALIZER: Self = Self { water: [1.0, 1.0], fat: 1.0, echo: 1.0 };
    /// Short echo and repetition time: fat bright, soft tissue between, fluid dark.
    pub(super) const T1: Self = Self { water: [0.16, 2.1], fat: 1.15, echo: 1.0 };

    /// T2-weighted with an inversion pulse that leaves next to nothing of fat.
    pub(super) const STIR: Self = Self { water: [1.0, 1.0], fat: 0.04, echo: 1.0 };
    /// Short echo and long repetition time: fluid hardly brighter than soft tissue, fat bright.
    pub(super) const PROTON_DENSITY: Self = Self { water: [0.42, 2.4], fat: 1.0, echo: 1.0 };

    /// T2-weighted turbo spin echo, echo time about 100 ms.
    pub(super) fn t2_tse(rng: &mut impl Rng, parameters: &ScannerParameters) -> Self {
        Self { echo: parameters.echo.draw(rng) as f32, ..Self::LOCALIZER }
    }

    /// 3-D with long trains of low flip angles: heavier T2, fat less bright.
    pub(super) fn t2_space(rng: &mut impl Rng, parameters: &ScannerParameters) -> Self {
        let tissue = parameters.space_tissue.draw(rng) as f32;
        Self {
            water: [1.0, tissue],
            fat: parameters.space_fat.draw(rng) as f32,
            echo: parameters.space_echo.draw(rng) as f32,
        }
    }

    /// Signal of water and of fat.
    pub(super) fn apply(self, signal: Signal) -> [f32; 2] {
        let free = if self.echo == 1.0 || signal.x <= 0.0 { signal.x } else { signal.x.powf(self.echo) };
        [free * self.water[0] + signal.y * self.water[1], signal.z * self.fat]
    }
}
