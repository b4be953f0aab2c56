//! A patient ready to be imaged, and the painting of one slice through it.

use super::anatomy::Spine;
use super::canvas::{Canvas, Solid};
use super::contrast::{DARK, Signal};
use super::organs::Tube;
use super::surroundings::Surroundings;
use super::texture::{Texture, smoothstep};
use crate::spine::VertebraLabel;

/// Labels of the masks, those of the development scans' masks.
pub(crate) const MASK_DISC: u8 = 29;
/// Vertebra with its posterior elements; the sacrum is not labelled.
pub(crate) const MASK_VERTEBRA: u8 = 76;
/// Dural sac.
pub(crate) const MASK_CANAL: u8 = 150;

/// Bone deeper than this is marrow only, mm.
const RIM_MM: f64 = 1.8;

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
    /// Signal of one slice, row by row: from nerve roots through bones, discs and organs to soft tissue, what lies in
    /// front first.
    pub(super) fn paint(&self, mut canvas: Canvas<Signal>) -> Vec<Signal> {
        let (texture, tissues) = (&self.texture, &self.surroundings.tissues);
        let pixel = canvas.grid.pixel_mm();
        for root in self.surroundings.roots.iter().rev() {
            self.paint_tube(&mut canvas, root, pixel);
        }
        for body in self.spine.bodies.iter().rev() {
            let (low, high) = body.extent();
            canvas.draw(
                &body.frame.box_corners(low, high),
                &Solid {
                    distance: |point| body.surface(body.frame.local(point), texture),
                    coverage: |distance, cortex| {
                        (cover(distance, pixel), smoothstep(0.3 - cortex, -0.5 - cortex, distance))
                    },
                    content: |point, _| body.marrow(body.frame.local(point), tissues, texture),
                    rim: tissues.cortex,
                    reach_mm: [pixel / 2.0, RIM_MM.max(pixel / 2.0)],
                    is_averaged: true,
                    slack_mm: body.slack_mm(),
                    is_layered: false,
                },
            );
        }
        for disc in self.spine.discs.iter().rev() {
            let (low, high) = disc.extent();
            canvas.draw(
                &disc.frame.box_corners(low, high),
                &Solid {
                    distance: |point| (disc.distance(disc.frame.local(point)), 0.0),
                    coverage: |distance, _| (cover(distance, pixel), 1.0),
                    content: |point, _| disc.signal(disc.frame.local(point), texture),
                    rim: DARK,
                    reach_mm: [pixel / 2.0; 2],
                    is_averaged: true,
                    slack_mm: 0.0,
                    is_layered: false,
                },
            );
        }
        for organ in self.surroundings.organs.iter().rev() {
            self.paint_tube(&mut canvas, organ, pixel.max(organ.edge_mm()));
        }
        canvas.fill(|point| self.surroundings.signal(point, texture), |point| self.surroundings.is_fine(point))
    }

    fn paint_tube(&self, canvas: &mut Canvas<Signal>, tube: &Tube, edge: f64) {
        let texture = &self.texture;
        canvas.draw(
            &tube.box_corners(),
            &Solid {
                distance: |point| (tube.distance(point, texture), 0.0),
                coverage: |distance, _| (cover(distance, edge), 1.0),
                content: |point, distance: f64| tube.signal(-distance, point, texture),
                rim: DARK,
                reach_mm: [edge / 2.0; 2],
                // What moves with breath and peristalsis is blurred already.
                is_averaged: tube.edge_mm() == 0.0,
                slack_mm: 0.0,
                is_layered: true,
            },
        );
    }

    /// Labels of one slice, on its middle plane.
    pub(super) fn paint_labels(&self, mut canvas: Canvas<u8>) -> Vec<u8> {
        let inside = |distance: f64, _: f64| (if distance < 0.0 { 1.0 } else { 0.0 }, 1.0);
        for (index, body) in self.spine.bodies.iter().enumerate().rev() {
            let (low, high) = body.extent();
            // The sacrum covers what reaches into it, unlabelled.
            let label = if index < VertebraLabel::S1.index() { MASK_VERTEBRA } else { 0 };
            canvas.draw(
                &body.frame.box_corners(low, high),
                &Solid {
                    distance: |point| body.surface(body.frame.local(point), &self.texture),
                    coverage: inside,
                    content: |_, _| label,
                    rim: label,
                    reach_mm: [0.0; 2],
                    is_averaged: false,
                    slack_mm: body.slack_mm(),
                    is_layered: false,
                },
            );
        }
        for disc in self.spine.discs.iter().rev().filter(|disc| !disc.is_remnant) {
            let (low, high) = disc.extent();
            canvas.draw(
                &disc.frame.box_corners(low, high),
                &Solid {
                    distance: |point| (disc.distance(disc.frame.local(point)), 0.0),
                    coverage: inside,
                    content: |_, _| MASK_DISC,
                    rim: MASK_DISC,
                    reach_mm: [0.0; 2],
                    is_averaged: false,
                    slack_mm: 0.0,
                    is_layered: false,
                },
            );
        }
        canvas.fill(|point| if self.surroundings.is_in_sac(point) { MASK_CANAL } else { 0 }, |_| false)
    }
}

/// Share of a pixel that a surface at this signed distance from its center covers.
fn cover(distance: f64, pixel_mm: f64) -> f64 {
    (0.5 - distance / pixel_mm).clamp(0.0, 1.0)
}
