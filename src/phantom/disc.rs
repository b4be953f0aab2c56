//! One intervertebral disc: shape and signal.

use glam::{DVec2, DVec3};
use rand::Rng;

use super::body::Body;
use super::contrast::{Signal, blend, tissue, water};
use super::frame::Frame;
use super::pathology::{Bulge, DiscPathology};
use super::texture::{Texture, mix, smoothstep};
use crate::spine::{DiscLevel, Grading};

/// How far the disc's solid reaches into the territory of the bodies, which are painted over it: deeper than any
/// dent of an endplate.
const REACH_MM: f64 = 9.0;
/// How far inside the disc's rim that part stays, so that it does not show beside the bodies.
const CORE_INSET_MM: f64 = 2.0;

/// Look of a Pfirrmann grade (Pfirrmann et al., Spine 26, 2001): signals against cerebrospinal fluid on T2 TSE, set so
/// that medians and outer deciles within the discs are those of the development scans (I: 0.96 of the marrow, II: 0.72,
/// III: 0.39, IV and V: 0.26).
struct GradeLook {
    nucleus: f64,
    annulus: f64,
    /// Width of the border between nucleus and annulus in shares of the disc: small is a clear distinction.
    blur: f64,
    /// How much darker the horizontal cleft is.
    cleft: f64,
    /// Strength of the texture of the nucleus.
    unrest: f64,
}

const LOOKS: [GradeLook; 5] = [
    GradeLook { nucleus: 0.5, annulus: 0.09, blur: 0.42, cleft: 0.0, unrest: 0.1 },
    GradeLook { nucleus: 0.42, annulus: 0.06, blur: 0.48, cleft: 0.45, unrest: 0.2 },
    GradeLook { nucleus: 0.25, annulus: 0.045, blur: 0.58, cleft: 0.35, unrest: 0.3 },
    GradeLook { nucleus: 0.165, annulus: 0.015, blur: 0.66, cleft: 0.2, unrest: 0.8 },
    GradeLook { nucleus: 0.14, annulus: 0.015, blur: 0.66, cleft: 0.0, unrest: 1.0 },
];

#[derive(Debug, Clone, Copy)]
pub(super) struct DiscPlace {
    /// Graded level, if it is one of the six.
    pub level: Option<DiscLevel>,
    /// A remnant between fused bodies of the sacrum.
    pub is_remnant: bool,
}

/// A disc in its own frame: origin between the two endplates.
pub(super) struct DiscBody {
    /// Graded level, if it is one of the six.
    pub level: Option<DiscLevel>,
    /// A remnant between fused bodies of the sacrum.
    pub is_remnant: bool,
    /// Its place.
    pub frame: Frame,
    /// Half the depth front to back, mm.
    pub half_depth: f64,
    /// Half the gap between the endplates in front and behind, mm.
    pub half_gaps: [f64; 2],
    bulge: Bulge,
    half_width: f64,
    /// Posterior shift per millimeter upward that joins bodies which have slipped.
    shear: f64,
    grade: usize,
    nucleus_scale: f64,
    /// Brightness against the usual look.
    tone: f64,
    /// Signal in the middle of a collapsed disc: gas is dark, fluid bright.
    cleft_fluid: f64,
    /// Signal of a tear in the posterior annulus, and how far above the middle it lies in shares of the half height.
    tear: Option<(f64, f64)>,
}

impl DiscBody {
    /// The disc between two adjacent bodies. Without a finding it is of grade II, or a dark remnant in the sacrum.
    pub(super) fn between(
        rng: &mut impl Rng,
        place: DiscPlace,
        finding: Option<&DiscPathology>,
        tone: f64,
        upper: &Body,
        lower: &Body,
    ) -> Self {
        let lps = |body: &Body, corner: usize| {
            let at: DVec2 = body.measures.corners[corner];
            body.frame.lps(DVec3::new(0.0, at.x, at.y))
        };
        let (front_up, front_down, back_up, back_down) = (lps(upper, 3), lps(lower, 0), lps(upper, 2), lps(lower, 1));
        let (front, back) = ((front_up + front_down) / 2.0, (back_up + back_down) / 2.0);
        let across = back - front;
        let tilt = (-across.z).atan2(across.y);
        let slope = (lower.frame.center().x - upper.frame.center().x)
            / (lower.frame.center().z - upper.frame.center().z).min(-1.0);
        let frame = Frame::new((front + back) / 2.0, tilt, -slope.atan());
        let half = |up: DVec3, down: DVec3| (frame.local(up).z - frame.local(down).z).max(0.8) / 2.0;
        let offset = |up: DVec3, down: DVec3| frame.local(up).y - frame.local(down).y;
        let gaps = half(front_up, front_down) + half(back_up, back_down);
        let shear = (offset(front_up, front_down) + offset(back_up, back_down)) / (2.0 * gaps);
        let DiscPlace { level, is_remnant: remnant } = place;
        let grade = match finding {
            Some(finding) => usize::from(finding.grades[Grading::Pfirrmann]) - 1,
            None if remnant => rng.random_range(2..4),
            None => rng.random_range(0..3),
        };
        Self {
            level,
            is_remnant: remnant,
            half_depth: across.length() / 2.0,
            half_gaps: [half(front_up, front_down), half(back_up, back_down)],
            bulge: finding.map(|finding| finding.bulge).unwrap_or_default(),
            half_width: if remnant { 14.0 } else { upper.measures.half_width.min(lower.measures.half_width) },
            shear,
            grade,
            nucleus_scale: rng.random_range(0.85..1.15),
            tone,
            // Fluid in clefts lifts the brightest tenth of collapsed discs above that of grade IV.
            cleft_fluid: if grade == 4 && rng.random_bool(0.6) { rng.random_range(0.1..0.5) } else { 0.0 },
            tear: (grade >= 2 && rng.random_bool(0.25))
                .then(|| (rng.random_range(0.3..0.8), rng.random_range(-0.5..0.5))),
            frame,
        }
    }

    /// Half the gap between the endplates at a place from front to back.
    fn half_gap(&self, posterior: f64) -> f64 {
        let share = (posterior / self.half_depth).clamp(-1.0, 1.0);
        mix(self.half_gaps[0], self.half_gaps[1], f64::midpoint(share, 1.0))
    }

    /// The place that a point has in the disc without the slip.
    fn straightened(&self, local: DVec3, half_gap: f64) -> DVec3 {
        local - DVec3::Y * (self.shear * local.z.clamp(-half_gap, half_gap))
    }

    /// Signed distance to the disc's surface, the parts that bodies will cover included.
    pub(super) fn distance(&self, local: DVec3) -> f64 {
        let share = (local.x.abs() / self.half_width).min(1.0);
        let gone = 1.0 - (1.0 - share * share * share).sqrt();
        let half_gap = self.half_gap(local.y);
        let local = self.straightened(local, half_gap);
        let front = -local.y - self.half_depth * (1.0 - 1.24 * gone);
        let back = local.y - self.half_depth * (1.0 - 0.76 * gone);
        let flank = local.x.abs() - self.half_width;
        // The core that the bodies bound, and the rounded rim that shows between and beyond them.
        let core = (front.max(back).max(flank) + CORE_INSET_MM).max(local.z.abs() - half_gap - REACH_MM);
        let rim = half_gap + 0.7;
        let bulge = self.bulge_mm(local.x) + 0.8;
        let radius = rim.min(4.0);
        let beyond =
            DVec2::new((front - 0.8).max(back - bulge).max(flank - 0.8) + radius, local.z.abs() - rim + radius);
        let rounded = beyond.max(DVec2::ZERO).length() + beyond.max_element().min(0.0) - radius;
        core.min(rounded)
    }

    /// How far the disc passes the posterior walls `lateral` mm left of its middle, mm.
    pub(super) fn bulge_mm(&self, lateral: f64) -> f64 {
        /// Half the width of a protrusion.
        const FOCAL_MM: f64 = 7.0;
        let broad = self.bulge.broad_mm * (1.0 - 0.5 * (lateral / 9.0).powi(2).min(1.0));
        let focal = self.bulge.focal_mm * (-((lateral - self.bulge.lateral) / FOCAL_MM).powi(2)).exp();
        broad + focal
    }

    /// Signal at a point of the disc.
    pub(super) fn signal(&self, local: DVec3, texture: &Texture) -> Signal {
        let look = &LOOKS[self.grade];
        let half_gap = self.half_gap(local.y);
        let local = self.straightened(local, half_gap);
        let depth = local.y / self.half_depth;
        // The endplates are hollow: the disc is taller in its middle than between its corners.
        let height = (local.z / (half_gap + 1.6)).clamp(-1.3, 1.3);
        let grain = texture.grain(local + self.frame.center(), 2.5);
        let scale = self.nucleus_scale;
        // The nucleus lies a little behind the middle.
        let radius = DVec3::new(
            local.x / (0.7 * self.half_width),
            (depth - 0.04) / 0.57,
            // Endplate cartilage keeps the nucleus off the bone.
            height / 0.88,
        );
        // Between an ellipsoid and a box.
        let squares = radius * radius;
        let norm = f64::midpoint(squares.dot(squares).sqrt().sqrt(), radius.length()) + 0.06 * grain;
        let inside = smoothstep(scale + look.blur, scale - look.blur, norm);
        let cleft = 1.0
            - look.cleft * smoothstep(0.32, 0.05, (height + 0.1 * grain).abs()) * smoothstep(0.95, 0.5, radius.y.abs());
        let nucleus = look.nucleus * self.tone * cleft * (1.0 + look.unrest * grain)
            + self.cleft_fluid
                * smoothstep(0.45, 0.1, (height + 0.15 * grain).abs())
                * smoothstep(0.9, 0.4, radius.y.abs());
        // Outer fibers and longitudinal ligaments are black.
        let annulus = mix(look.annulus, 0.03, smoothstep(0.55, 0.95, depth.abs())) * (1.0 + 0.25 * grain);
        let signal = blend(tissue(annulus), water(nucleus), inside);
        let Some((brightness, above)) = self.tear else {
            return signal;
        };
        let tear = DVec3::new(local.x / 5.0, (depth - 0.86) / 0.07, (height - above) / 0.22);
        blend(signal, water(brightness), smoothstep(1.2, 0.6, tear.length()))
    }

    /// Box in own coordinates that holds the disc.
    pub(super) fn extent(&self) -> (DVec3, DVec3) {
        let half_gap = self.half_gaps[0].max(self.half_gaps[1]) + REACH_MM + 1.0;
        let side = self.half_width + 2.0;
        let slip = self.shear.abs() * half_gap;
        (
            DVec3::new(-side, -self.half_depth - slip - 3.0, -half_gap),
            DVec3::new(side, self.half_depth + self.bulge.broad_mm + self.bulge.focal_mm + slip + 3.0, half_gap),
        )
    }
}
