//! What the coil receives from each place: sensitivity, slow shading, saturation.

use super::canvas::Grid;
use super::scene::Scene;
use super::texture::{mix, smoothstep};
use glam::DVec3;

/// Depth of the vertebral bodies under the skin of the back, where the coil's sensitivity counts as 1, mm.
const BODY_DEPTH_MM: f64 = 70.0;

/// Sensitivity over the patient.
#[derive(Debug, Clone)]
pub(super) struct Coil {
    /// Distance over which it falls by e, mm.
    pub reach_mm: f64,
    /// Whether the scanner evens that out.
    pub is_normalized: bool,
    /// Slow shading: strength, and phases along the patient and from front to back.
    pub bias: (f64, f64, f64),
    /// Position of the edge of the saturation band in front of the spine, and the signal left within it, if there is
    /// one.
    pub saturation: Option<(f64, f64)>,
}

impl Coil {
    /// Sensitivity over a slice: by depth alone, and in all. It changes slowly: every few pixels are enough.
    pub(super) fn over_slice(&self, scene: &Scene, grid: &Grid) -> (Vec<f32>, Vec<f32>) {
        const STEP: usize = 12;
        let pixels = grid.rows * grid.columns;
        let (mut falloff, mut all) = (Vec::with_capacity(pixels), Vec::with_capacity(pixels));
        for row in 0..grid.rows {
            let at = |column: usize| {
                let lps = grid.place(row as f64, column as f64);
                let falloff = self.falloff(scene, lps);
                [falloff as f32, (falloff * self.shading(lps)) as f32]
            };
            let mut left = at(0);
            for start in (0..grid.columns).step_by(STEP) {
                let right = at(start + STEP);
                for column in start..(start + STEP).min(grid.columns) {
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
            self.saturation.map_or(1.0, |(edge, left)| mix(left, 1.0, smoothstep(edge - 16.0, edge + 2.0, lps.y)));
        bias * saturation
    }
}
