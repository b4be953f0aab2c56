//! Signed distances to simple solids (negative inside), mm.

use glam::DVec3;

/// Union of two solids, the notch between them filled so that no cortex shows inside.
pub(super) fn merge(a: f64, b: f64) -> f64 {
    const REACH_MM: f64 = 3.0;
    let near = (REACH_MM - (a - b).abs()).max(0.0);
    // Infinite distances have no difference.
    if near > 0.0 { a.min(b) - near * near / (4.0 * REACH_MM) } else { a.min(b) }
}

/// Signed distance to a box around the origin with rounded edges.
pub(super) fn rounded_box(point: DVec3, half_size: DVec3, radius: f64) -> f64 {
    let beyond = point.abs() - half_size + DVec3::splat(radius);
    beyond.max(DVec3::ZERO).length() + beyond.max_element().min(0.0) - radius
}

/// Signed distance to a tube with round ends.
pub(super) fn capsule(point: DVec3, from: DVec3, to: DVec3, radius: f64) -> f64 {
    let axis = to - from;
    let share = ((point - from).dot(axis) / axis.length_squared()).clamp(0.0, 1.0);
    point.distance(from + axis * share) - radius
}
