//! One vertebra as a solid: signed distance and marrow.

use glam::{DVec2, DVec3};

use super::contrast::{Signal, blend, fat, tissue, water};
use super::frame::Frame;
use super::pathology::{EndplateLesions, Modic};
use super::solids::{capsule, merge, rounded_box};
use super::surroundings::Tissues;
use super::texture::{Texture, mix, smoothstep};
use crate::spine::VertebraLabel;

/// Radius of the body's rounded edges, mm.
const EDGE_RADIUS: f64 = 2.0;
/// Cortex of endplates (with their cartilage, as dark), of the other walls, and of arches, mm.
const PLATE_CORTEX_MM: f64 = 1.15;
const WALL_CORTEX_MM: f64 = 0.55;
const ARCH_CORTEX_MM: f64 = 0.45;
/// Share of the half width within which a body is seen well enough to outline: beyond it, partial volume blurs it away.
const VISIBLE_SHARE: f64 = 0.85;

/// Straight side of the body in its sagittal plane (posterior, superior).
#[derive(Debug, Clone, Copy)]
struct Side {
    middle: DVec2,
    along: DVec2,
    outward: DVec2,
    half_length: f64,
    /// How far the middle of the side is drawn in, mm.
    hollow: f64,
}

impl Side {
    fn new(from: DVec2, to: DVec2, inside: DVec2, hollow: f64) -> Self {
        let along = (to - from).normalize();
        let middle = (from + to) / 2.0;
        let perpendicular = along.perp();
        let outward = if perpendicular.dot(inside - middle) > 0.0 { -perpendicular } else { perpendicular };
        Self { middle, along, outward, half_length: from.distance(to) / 2.0, hollow }
    }

    fn position(&self, point: DVec2) -> f64 {
        (point - self.middle).dot(self.along)
    }

    /// Distance above the side, the hollow counted.
    fn distance(&self, point: DVec2, along: f64) -> f64 {
        let share = along / self.half_length;
        (point - self.middle).dot(self.outward) + self.hollow * (1.0 - share * share).max(0.0)
    }
}

/// What lies behind the canal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arch {
    /// Pedicles, facets, lamina, spinous process.
    Vertebral {
        /// Middle of the pedicle left of the midline, mm.
        pedicle_mm: f64,
        /// Length of the spinous process, mm.
        spinous_length: f64,
        /// How far the spinous process drops per millimeter of its length.
        spinous_slope: f64,
    },
    /// The closed back wall of the sacral canal.
    Sacral,
}

/// Measures of a vertebra in its own frame, mm.
#[derive(Debug, Clone)]
pub(super) struct BodyMeasures {
    /// Corners (posterior, superior) at the midline: SA, SP, IP, IA, before edges are rounded.
    pub corners: [DVec2; 4],
    /// Half the width left to right.
    pub half_width: f64,
    /// Distance left or right of the middle up to which the body is outlined before [`VISIBLE_SHARE`] is taken.
    pub outlined_half_width: f64,
    /// Depth of the hollow of the upper and lower endplate.
    pub hollows: [f64; 2],
    /// Waist in front and behind.
    pub waists: [f64; 2],
    /// Depth of the canal from the posterior wall to the lamina.
    pub canal_depth: f64,
    /// The posterior elements.
    pub arch: Arch,
}

/// A vertebra: body and posterior elements.
pub(super) struct Body {
    /// Level; `None` below S1.
    pub label: Option<VertebraLabel>,
    /// Its place.
    pub frame: Frame,
    pub measures: BodyMeasures,
    /// Lesions of the upper endplate.
    pub superior: EndplateLesions,
    /// Lesions of the lower endplate.
    pub inferior: EndplateLesions,
    /// Benign bright spot in the marrow: center (own coordinates) and radius.
    pub hemangioma: Option<(DVec3, f64)>,
    /// Length of the bony lips at the upper and lower front edge, mm.
    pub osteophytes: [f64; 2],
    /// Whether spinous process and lamina have been removed.
    pub is_opened: bool,
    sides: [Side; 4],
}

impl Body {
    /// A vertebra without lesions.
    pub(super) fn new(label: Option<VertebraLabel>, frame: Frame, measures: BodyMeasures) -> Self {
        let [sa, sp, ip, ia] = measures.corners;
        let inside = (sa + sp + ip + ia) / 4.0;
        let sides = [
            Side::new(sa, sp, inside, measures.hollows[0]),
            Side::new(ia, ip, inside, measures.hollows[1]),
            Side::new(sa, ia, inside, measures.waists[0]),
            Side::new(sp, ip, inside, measures.waists[1]),
        ];
        let none = EndplateLesions::default;
        Self {
            label,
            frame,
            measures,
            superior: none(),
            inferior: none(),
            hemangioma: None,
            osteophytes: [0.0; 2],
            is_opened: false,
            sides,
        }
    }

    /// How far the front and back walls lie inside their midline places at `lateral` mm off the middle.
    fn drawn_in(&self, lateral: f64) -> (f64, f64) {
        let share = (lateral.abs() / self.measures.half_width).min(1.0);
        let gone = 1.0 - (1.0 - share * share * share).sqrt();
        let depth = self.depth();
        (0.62 * depth * gone, 0.38 * depth * gone)
    }

    /// How far the endplates lie inside their midline places at `lateral` mm off the middle.
    fn thinner(&self, lateral: f64) -> f64 {
        2.0 * (lateral / self.measures.half_width).powi(4).min(1.0)
    }

    /// Depth front to back at the midline, mm.
    pub(super) fn depth(&self) -> f64 {
        self.sides[0].half_length + self.sides[1].half_length
    }

    /// Mean height, mm.
    pub(super) fn height(&self) -> f64 {
        self.sides[2].half_length + self.sides[3].half_length
    }

    /// Mean posterior coordinate of the posterior wall.
    fn wall(&self) -> f64 {
        self.sides[3].middle.x
    }

    /// Corners (posterior, superior) as a reader would set them, on the rounded edges `lateral` mm off the middle;
    /// `None` where the body is not seen well.
    pub(super) fn visible_corners(&self, lateral: f64) -> Option<[DVec2; 4]> {
        if lateral.abs() > VISIBLE_SHARE * self.measures.outlined_half_width {
            return None;
        }
        let (front, back) = self.drawn_in(lateral);
        // The point of a rounded right angle that lies furthest along the diagonal.
        let inset = EDGE_RADIUS * (1.0 - std::f64::consts::FRAC_1_SQRT_2);
        let thinner = self.thinner(lateral);
        let inward = |side: usize, mm: f64| self.sides[side].outward * -(mm + inset);
        let (up, down, fore, aft) = (inward(0, thinner), inward(1, thinner), inward(2, front), inward(3, back));
        let [sa, sp, ip, ia] = self.measures.corners;
        Some([sa + up + fore, sp + up + aft, ip + down + aft, ia + down + fore])
    }

    /// Own (posterior, superior) coordinates of a point of an endplate and the direction into the body.
    pub(super) fn endplate_point(&self, superior: bool, along: f64, depth: f64) -> DVec2 {
        let side = self.sides[usize::from(!superior)];
        let share = along / side.half_length;
        side.middle + side.along * along - side.outward * (depth + side.hollow * (1.0 - share * share).max(0.0))
    }

    /// Signed distance to the bone surface (negative inside), about right near the surface, and the thickness of the
    /// cortex there.
    pub(super) fn surface(&self, local: DVec3, texture: &Texture) -> (f64, f64) {
        // Bone is not smooth: some tenths of a millimeter on bodies, more on arches.
        let rough = || texture.at((local + self.frame.center()) * (1.0 / 3.0));
        let arch = || {
            let distance = self.arch_distance(self.bent(local, texture));
            if distance.abs() < 2.5 { distance + 0.8 * rough() } else { distance }
        };
        // Far from the posterior wall only one of the two matters.
        if local.y > self.wall() + 8.0 {
            return (arch(), ARCH_CORTEX_MM);
        }
        let (body, cortex) = self.body_distance(local);
        let body = if body.abs() < 2.5 { body + 0.4 * rough() } else { body };
        if local.y < self.wall() - 6.0 {
            return (body, cortex);
        }
        let arch = arch();
        (merge(body, arch), if arch < body { ARCH_CORTEX_MM } else { cortex })
    }

    /// Arches and processes are nobody's geometry: their parts are bent some millimeters.
    fn bent(&self, local: DVec3, texture: &Texture) -> DVec3 {
        let at = (local + self.frame.center()) * (1.0 / 14.0);
        let strength = 4.0 * smoothstep(self.wall() + 4.0, self.wall() + 16.0, local.y);
        if strength <= 0.0 {
            return local;
        }
        local + DVec3::new(0.0, texture.at(at), texture.at(at + DVec3::splat(11.3))) * strength
    }

    /// Distance to the body's surface and the cortex of the side that is nearest.
    fn body_distance(&self, local: DVec3) -> (f64, f64) {
        let lateral = local.x;
        let point = DVec2::new(local.y, local.z);
        let [up, down, fore, aft] = &self.sides;
        let flank = lateral.abs() - self.measures.half_width;
        let (front, back) = self.drawn_in(lateral);
        let thinner = self.thinner(lateral);
        let plate = |side: &Side, lesions: &EndplateLesions| {
            let along = side.position(point);
            let dents = lesions.notches.iter().map(|notch| notch.depth_at(along, lateral)).fold(0.0, f64::max);
            side.distance(point, along) + dents + thinner
        };
        let (upper, lower) = (plate(up, &self.superior), plate(down, &self.inferior));
        // Lips grow forward from the edges, a few millimeters high.
        let lip = |plate: f64, mm: f64| mm * smoothstep(-6.0, -0.5, plate);
        let lips = lip(upper, self.osteophytes[0]).max(lip(lower, self.osteophytes[1]));
        let distances = [
            upper,
            lower,
            fore.distance(point, fore.position(point)) + front - lips,
            aft.distance(point, aft.position(point)) + back,
            flank,
        ];
        let mut outside = 0.0;
        let mut inside = f64::NEG_INFINITY;
        for distance in distances {
            let rounded = distance + EDGE_RADIUS;
            outside += rounded.max(0.0).powi(2);
            inside = inside.max(rounded);
        }
        let walls = distances[2..].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let cortex = mix(WALL_CORTEX_MM, PLATE_CORTEX_MM, smoothstep(-1.0, 1.0, upper.max(lower) - walls));
        (if inside > 0.0 { outside.sqrt() - EDGE_RADIUS } else { inside - EDGE_RADIUS }, cortex)
    }

    fn arch_distance(&self, local: DVec3) -> f64 {
        let wall = self.wall();
        if self.is_opened {
            let removed = (local.y - wall - self.measures.canal_depth + 2.0).min(13.0 - local.x.abs());
            return removed.max(self.whole_arch_distance(local));
        }
        self.whole_arch_distance(local)
    }

    fn whole_arch_distance(&self, local: DVec3) -> f64 {
        let wall = self.wall();
        let point = DVec3::new(local.x.abs(), local.y - wall, local.z);
        let (height, canal) = (self.height(), self.measures.canal_depth);
        match self.measures.arch {
            Arch::Sacral => {
                let back = rounded_box(
                    point - DVec3::new(0.0, canal + 3.5, 0.0),
                    DVec3::new(15.0, 2.4, height / 2.0 + 2.5),
                    2.0,
                );
                let crest =
                    rounded_box(point - DVec3::new(0.0, canal + 8.0, 0.0), DVec3::new(2.5, 6.0, height * 0.3), 2.0);
                merge(back, crest)
            }
            Arch::Vertebral { pedicle_mm, spinous_length, spinous_slope } => {
                let at = |x: f64, y: f64, z: f64| DVec3::new(x, y, z * height);
                let transverse = || capsule(point, at(pedicle_mm + 3.0, 9.0, 0.15), at(38.0, 13.0, 0.2), 3.5);
                if point.x > pedicle_mm + 9.0 {
                    return transverse();
                }
                // The lamina is a plate: taller than it is thick.
                let squash = DVec3::new(1.0, 1.0, 0.45);
                let lamina = capsule(
                    point * squash,
                    at(pedicle_mm, canal - 1.0, -0.05) * squash,
                    at(0.0, canal + 4.5, -0.4) * squash,
                    3.6,
                );
                // The spinous process is a plate with a rounded outline, a little taller at its end.
                let mut spine = point - at(0.0, canal + 5.0 + spinous_length / 2.0, -0.42);
                spine.z += spinous_slope * spine.y;
                let tall = 0.34 * height + 0.06 * spine.y;
                let outline =
                    DVec2::new(spine.y.abs() - spinous_length / 2.0, spine.z.abs() - tall) + DVec2::splat(6.0);
                let outline = outline.max(DVec2::ZERO).length() + outline.max_element().min(0.0) - 6.0;
                let median = merge(lamina, outline.max(spine.x - 3.6));
                if point.x < pedicle_mm - 9.0 {
                    return median;
                }
                let pedicle = rounded_box(point - at(pedicle_mm, 5.0, 0.22), DVec3::new(4.5, 9.0, height * 0.26), 3.5);
                let superior_facet =
                    capsule(point, at(pedicle_mm + 2.5, 10.0, 0.1), at(pedicle_mm + 3.5, 9.5, 0.68), 4.2);
                let inferior_facet = capsule(point, at(pedicle_mm, 15.0, 0.0), at(pedicle_mm - 1.0, 19.0, -0.8), 4.2);
                [pedicle, superior_facet, inferior_facet, transverse()].into_iter().fold(median, merge)
            }
        }
    }

    /// Signal of the marrow at a point.
    pub(super) fn marrow(&self, local: DVec3, tissues: &Tissues, texture: &Texture) -> Signal {
        let point = DVec2::new(local.y, local.z);
        let at = local + self.frame.center();
        let grain = texture.grain(at, 2.6);
        let patches = texture.at(at * (1.0 / 9.0));
        let fine = texture.at(at * (1.0 / 0.9));
        let uneven = (1.0 + 0.07 * grain + 0.05 * patches + 0.07 * fine).max(0.2) as f32;
        if local.y > self.wall() + 6.0 {
            let coarse = (0.85 + 0.3 * patches + 0.2 * grain).max(0.2);
            return tissues.marrow * (uneven * (tissues.arch_marrow * coarse) as f32);
        }
        let mut signal = tissues.marrow * uneven;
        // Islands of fat, more of them in fatty marrow.
        let island = smoothstep(0.35, 0.8, texture.at((at + DVec3::splat(31.0)) * (1.0 / 5.0)) + 0.2 * tissues.wear);
        signal = blend(signal, signal * 0.35 + tissues.fat * 0.6, 0.17 * island);
        for (side, lesions) in [(&self.sides[0], &self.superior), (&self.sides[1], &self.inferior)] {
            if let Some(change) = &lesions.marrow {
                let along = side.position(point);
                let depth = -side.distance(point, along);
                let reach = change.thickness_at(along, local.x);
                let reach = reach + (2.0 * grain + 2.0 * patches) * (reach / 4.0).min(1.0);
                let level = f64::from(tissues.marrow.element_sum());
                let changed = match change.kind {
                    Modic::Fat => signal * 0.3 + fat(level * (change.contrast - 0.3)),
                    Modic::Edema => signal * 0.4 + water(level * (change.contrast - 0.4)),
                    Modic::Sclerosis => signal * change.contrast as f32,
                };
                signal = blend(signal, changed, smoothstep(1.2, -3.0, depth - reach));
            }
        }
        if let Some((center, radius)) = self.hemangioma {
            let near = smoothstep(radius + 0.8, radius - 0.8, local.distance(center) + 0.8 * grain);
            let trabeculae =
                1.0 - 0.35 * smoothstep(0.2, 0.6, texture.at(DVec3::new(at.x / 1.2, at.y / 1.2, at.z / 9.0)));
            signal = blend(signal, (tissues.fat + tissue(0.1)) * trabeculae as f32, near);
        }
        // The basivertebral vein enters the middle of the posterior wall.
        let vein = DVec3::new(local.x / 3.0, (local.y - self.wall()) / 7.0, (point.y - self.sides[3].middle.y) / 1.8);
        blend(signal, signal + water(0.2), smoothstep(1.2, 0.4, vein.length() + 0.3 * patches))
    }

    /// How far the distance to the surface can jump, mm: the deepest dent.
    pub(super) fn slack_mm(&self) -> f64 {
        let notches = self.superior.notches.iter().chain(&self.inferior.notches);
        notches.map(|notch| notch.depth).fold(0.0, f64::max)
    }

    /// Box in own coordinates that holds body and posterior elements.
    pub(super) fn extent(&self) -> (DVec3, DVec3) {
        let (depth, height) = (self.depth(), self.height());
        let side = self.measures.half_width.max(44.0);
        let behind = match self.measures.arch {
            Arch::Vertebral { spinous_length, .. } => self.measures.canal_depth + spinous_length + 9.0,
            Arch::Sacral => self.measures.canal_depth + 17.0,
        };
        (
            DVec3::new(-side, -depth / 2.0 - 9.0, -1.35 * height - 4.0),
            DVec3::new(side, depth / 2.0 + behind + 3.0, 0.95 * height + 4.0),
        )
    }
}
