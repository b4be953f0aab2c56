//! A patient ready to be imaged, and the painting of one plane through it.

use glam::DVec3;

use super::anatomy::Spine;
use super::contrast::{DARK, Signal, blend};
use super::surroundings::Surroundings;
use super::texture::{Texture, smoothstep};
use crate::spine::VertebraLabel;

/// Labels of the masks, those of the development scans' masks.
pub const MASK_DISC: u8 = 29;
/// Vertebra with its posterior elements; the sacrum is not labelled.
pub const MASK_VERTEBRA: u8 = 76;
/// Dural sac.
pub const MASK_CANAL: u8 = 150;

/// A patient, ready to be imaged.
pub(super) struct Scene {
    /// Bones and discs.
    pub spine: Spine,
    /// The rest.
    pub surroundings: Surroundings,
    /// Texture of all tissues.
    pub texture: Texture,
}

impl Scene {
    /// Paints one slice: soft tissue, organs, then canal, discs, bones and nerve roots.
    pub(super) fn paint(&self, canvas: &mut Canvas<Signal>) {
        let (texture, tissues) = (&self.texture, &self.surroundings.tissues);
        canvas.fill(|point| self.surroundings.signal(point, texture), |point| self.surroundings.is_fine(point));
        let pixel = canvas.down.length();
        let solid = |distance: f64| (cover(distance, pixel), 1.0);
        for organ in &self.surroundings.organs {
            let edge = pixel.max(organ.edge_mm());
            canvas.draw(
                &organ.box_corners(),
                &Shape {
                    distance: |point| (organ.distance(point, texture), 0.0),
                    coverage: |distance, _| (cover(distance, edge), 1.0),
                    content: |point, distance: f64| organ.signal(-distance, point, texture),
                    rim: DARK,
                },
            );
        }
        for disc in &self.spine.discs {
            let (low, high) = disc.extent();
            canvas.draw(
                &disc.frame.box_corners(low, high),
                &Shape {
                    distance: |point| (disc.distance(disc.frame.local(point)), 0.0),
                    coverage: |distance, _| solid(distance),
                    content: |point, _| disc.signal(disc.frame.local(point), texture),
                    rim: DARK,
                },
            );
        }
        for body in &self.spine.bodies {
            let (low, high) = body.extent();
            canvas.draw(
                &body.frame.box_corners(low, high),
                &Shape {
                    distance: |point| body.surface(body.frame.local(point), texture),
                    coverage: |distance, cortex| {
                        (cover(distance, pixel), smoothstep(0.3 - cortex, -0.5 - cortex, distance))
                    },
                    content: |point, _| body.marrow(body.frame.local(point), tissues, texture),
                    rim: tissues.cortex,
                },
            );
        }
        for root in &self.surroundings.roots {
            canvas.draw(
                &root.box_corners(),
                &Shape {
                    distance: |point| (root.distance(point, texture), 0.0),
                    coverage: |distance, _| solid(distance),
                    content: |point, distance: f64| root.signal(-distance, point, texture),
                    rim: DARK,
                },
            );
        }
    }

    /// Labels of one slice, on its middle plane.
    pub(super) fn paint_labels(&self, canvas: &mut Canvas<u8>) {
        canvas.fill(|point| if self.surroundings.is_in_sac(point) { MASK_CANAL } else { 0 }, |_| false);
        for disc in self.spine.discs.iter().filter(|disc| !disc.is_remnant) {
            let (low, high) = disc.extent();
            canvas.draw(
                &disc.frame.box_corners(low, high),
                &Shape {
                    distance: |point| (disc.distance(disc.frame.local(point)), 0.0),
                    coverage: |distance, _| (if distance < 0.0 { 1.0 } else { 0.0 }, 1.0),
                    content: |_, _| MASK_DISC,
                    rim: MASK_DISC,
                },
            );
        }
        for (index, body) in self.spine.bodies.iter().enumerate() {
            let (low, high) = body.extent();
            // The sacrum covers what reaches into it, unlabelled.
            let label = if index < VertebraLabel::S1.index() { MASK_VERTEBRA } else { 0 };
            canvas.draw(
                &body.frame.box_corners(low, high),
                &Shape {
                    distance: |point| body.surface(body.frame.local(point), &self.texture),
                    coverage: |distance, _| (if distance < 0.0 { 1.0 } else { 0.0 }, 1.0),
                    content: |_, _| label,
                    rim: label,
                },
            );
        }
    }
}

/// Share of a pixel that a surface at this signed distance from its center covers.
fn cover(distance: f64, pixel_mm: f64) -> f64 {
    (0.5 - distance / pixel_mm).clamp(0.0, 1.0)
}

/// A solid to paint.
struct Shape<T, D, C, S> {
    /// Signed distance to the surface at a position, about right near it, and the thickness of the rim.
    distance: D,
    /// What of a pixel the solid covers, and what of that is content, not rim; by the two distances.
    coverage: C,
    /// Value of the content at a position, given the distance.
    content: S,
    /// Value of the rim.
    rim: T,
}

/// What can be painted.
pub(super) trait Paint: Copy {
    /// This value where `over` covers a share of it.
    fn covered(self, over: Self, share: f64) -> Self;
}

impl Paint for Signal {
    fn covered(self, over: Self, share: f64) -> Self {
        blend(self, over, share)
    }
}

impl Paint for u8 {
    fn covered(self, over: Self, share: f64) -> Self {
        if share >= 0.5 { over } else { self }
    }
}

/// One slice through the patient.
pub(super) struct Canvas<T> {
    /// Patient position of the first pixel, on the middle plane.
    pub origin: DVec3,
    /// Step to the next column.
    pub right: DVec3,
    /// Step to the next row.
    pub down: DVec3,
    /// Steps from the middle plane to those that are averaged across the thickness; none for the middle plane alone.
    pub planes: Vec<DVec3>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Row by row.
    pub values: Vec<T>,
}

impl<T: Paint> Canvas<T> {
    /// Sets all pixels; where `is_fine`, to the mean over the planes.
    fn fill(&mut self, value: impl Fn(DVec3) -> T, is_fine: impl Fn(DVec3) -> bool) {
        for row in 0..self.rows {
            for column in 0..self.columns {
                let point = self.origin + self.down * row as f64 + self.right * column as f64;
                self.values[row * self.columns + column] = match self.planes.split_first() {
                    Some((first, others)) if is_fine(point) => {
                        let mean = |(mean, count): (T, f64), plane: &DVec3| {
                            (mean.covered(value(point + *plane), 1.0 / (count + 1.0)), count + 1.0)
                        };
                        others.iter().fold((value(point + *first), 1.0), mean).0
                    }
                    _ => value(point),
                };
            }
        }
    }

    /// Paints a solid on the pixels near the projection of the box `corners`. Its edge is averaged over the planes, its
    /// content is that of the middle plane.
    fn draw<D, C, S>(&mut self, corners: &[DVec3; 8], shape: &Shape<T, D, C, S>)
    where
        D: Fn(DVec3) -> (f64, f64),
        C: Fn(f64, f64) -> (f64, f64),
        S: Fn(DVec3, f64) -> T,
    {
        /// Deeper than this under the surface there is content only.
        const RIM_MM: f64 = 2.5;
        let normal = self.right.cross(self.down).normalize();
        let reach = self.planes.iter().map(|plane| plane.length()).fold(0.0, f64::max);
        let pixel_mm = self.down.length();
        let (mut low, mut high) = (DVec3::INFINITY, DVec3::NEG_INFINITY);
        for corner in corners {
            let from = *corner - self.origin;
            let pixel = pixel_mm * pixel_mm;
            let at = DVec3::new(from.dot(self.right) / pixel, from.dot(self.down) / pixel, from.dot(normal));
            (low, high) = (low.min(at), high.max(at));
        }
        if low.z > reach || high.z < -reach {
            return;
        }
        let range = |low: f64, high: f64, count: usize| {
            low.floor().max(0.0) as usize..((high + 2.0).max(0.0) as usize).min(count)
        };
        for row in range(low.y, high.y, self.rows) {
            for column in range(low.x, high.x, self.columns) {
                let point = self.origin + self.down * row as f64 + self.right * column as f64;
                let (distance, rim) = (shape.distance)(point);
                if distance > reach + RIM_MM {
                    continue;
                }
                let (covered, content) = if self.planes.is_empty() || distance < -reach - RIM_MM {
                    let (share, inner) = (shape.coverage)(distance, rim);
                    (share, share * inner)
                } else {
                    self.planes.iter().fold((0.0, 0.0), |(covered, content), plane| {
                        let (distance, rim) = (shape.distance)(point + *plane);
                        let (share, inner) = (shape.coverage)(distance, rim);
                        let count = self.planes.len() as f64;
                        (covered + share / count, content + share * inner / count)
                    })
                };
                if covered > 0.0 {
                    let content = (content / covered).min(1.0);
                    let over = if content > 0.0 { (shape.content)(point, distance.min(0.0)) } else { shape.rim };
                    let value = &mut self.values[row * self.columns + column];
                    *value = value.covered(shape.rim.covered(over, content), covered);
                }
            }
        }
    }
}
