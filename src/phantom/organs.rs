//! The belly, and tubes of all kinds: vessels, bowel, nerve roots, cysts.

use glam::{DVec2, DVec3};
use rand::Rng;

use super::anatomy::Spine;
use super::contrast::{DARK, Signal, blend, fluid, tissue, water};
use super::parameters::BuildParameters;
use super::pathology::Pathology;
use super::profile::{Profile, Station};
use super::solids::capsule;
use super::surroundings::Tissues;
use super::texture::{Texture, around, smoothstep};
use crate::spine::VertebraLabel;

/// A tube with round ends: vessel, nerve root, loop of bowel.
pub(super) struct Tube {
    from: DVec3,
    to: DVec3,
    radius: f64,
    signal: Signal,
    /// Thickness and signal of its wall.
    wall: Option<(f64, Signal)>,
    /// How far its surface is bent, mm; the same over some centimeters.
    bend_mm: f64,
    /// How uneven its content is.
    uneven: f64,
}

impl Tube {
    fn straight(from: DVec3, to: DVec3, radius: f64, signal: Signal) -> Self {
        Self { from, to, radius, signal, wall: None, bend_mm: 0.0, uneven: 0.15 }
    }

    /// Signed distance to the surface.
    pub(super) fn distance(&self, point: DVec3, texture: &Texture) -> f64 {
        if self.bend_mm == 0.0 {
            return capsule(point, self.from, self.to, self.radius);
        }
        let bend = |shift: f64| texture.at((point + DVec3::splat(shift)) * (1.0 / 18.0));
        capsule(point + DVec3::new(bend(3.0), bend(41.0), bend(83.0)) * self.bend_mm, self.from, self.to, self.radius)
    }

    /// Signal `depth` mm under the surface.
    pub(super) fn signal(&self, depth: f64, point: DVec3, texture: &Texture) -> Signal {
        let content = self.signal * (1.0 + self.uneven * texture.grain(point, 5.0)).max(0.1) as f32;
        self.wall.map_or(content, |(thickness, signal)| {
            blend(signal, content, smoothstep(thickness - 0.5, thickness + 0.5, depth))
        })
    }

    /// Width of its edge, mm: what moves with breath and peristalsis is blurred.
    pub(super) fn edge_mm(&self) -> f64 {
        0.35 * self.bend_mm
    }

    /// Corners of a box that holds it.
    pub(super) fn box_corners(&self) -> [DVec3; 8] {
        let room = self.radius + 1.0 + 2.2 * self.bend_mm;
        let (low, high) = (self.from.min(self.to) - room, self.from.max(self.to) + room);
        std::array::from_fn(|corner| {
            let pick = |bit: usize, low: f64, high: f64| if corner >> bit & 1 == 0 { low } else { high };
            DVec3::new(pick(0, low.x, high.x), pick(1, low.y, high.y), pick(2, low.z, high.z))
        })
    }
}

/// Belly wall, fat and psoas in front of the spine.
pub(super) struct Belly {
    /// Inner face of the front abdominal wall.
    pub wall_y: f64,
    /// Fat under the skin.
    fat_mm: f64,
    /// Rearmost position of the middle of the psoas.
    psoas_y: f64,
    /// How much of the space around the bowel is fat: lean bellies are full of gut.
    mesentery: f64,
}

impl Belly {
    /// Draws a belly.
    pub(super) fn draw(rng: &mut impl Rng, parameters: &BuildParameters, spine: &Spine) -> Self {
        let third = spine.body(VertebraLabel::L3).frame.center();
        Self {
            wall_y: third.y - parameters.abdomen_mm.draw(rng),
            fat_mm: parameters.belly_fat_mm.draw(rng),
            psoas_y: spine.body(VertebraLabel::L5).frame.center().y,
            mesentery: rng.random_range(-0.5..0.3),
        }
    }

    /// Distance behind the inner face of the belly wall, which curves around the bowel.
    fn inner(&self, point: DVec3) -> f64 {
        point.y - self.wall_y - 0.0012 * point.z * point.z - 0.004 * point.x * point.x
    }

    /// Whether a position lies before the skin of the belly.
    pub(super) fn is_outside(&self, point: DVec3) -> bool {
        self.inner(point) < -self.fat_mm - 9.0
    }

    /// In front of the canal: beside the bodies psoas, before them great vessels' bed, bowel and belly wall.
    pub(super) fn signal(
        &self,
        point: DVec3,
        x: f64,
        station: &Station,
        tissues: &Tissues,
        texture: &Texture,
    ) -> Signal {
        let before = station.front_y - point.y;
        let fine = texture.grain(point, 5.0);
        let fat = tissues.fat * (0.9 + 0.1 * fine) as f32;
        let inner = self.inner(point);
        if inner < 0.0 {
            let skin = -inner - 9.0 - self.fat_mm;
            let wall = blend(tissues.muscle, fat, smoothstep(7.0, 9.5, -inner + 1.5 * fine));
            return if skin > 0.0 { DARK } else { blend(tissue(0.25), wall, smoothstep(-1.0, -2.0, skin)) };
        }
        let behind = smoothstep(16.0, 7.0, before);
        let mut bed = DARK;
        if behind < 1.0 {
            // Mesentery: fat with vessels in it (where a field crosses zero), and collapsed gut.
            let vessel = smoothstep(0.12, 0.0, texture.at((point + DVec3::splat(19.0)) * (1.0 / 9.0)).abs());
            let gut = blend(tissue(0.1), water(0.45), smoothstep(-0.5, 0.7, fine));
            let patches = texture.grain(point, 22.0);
            let mesentery = blend(fat, gut, smoothstep(0.0, 0.35, patches + 0.2 * fine - self.mesentery));
            bed = blend(mesentery, tissue(0.1), 0.2 * vessel);
        }
        if behind > 0.0 {
            // Retroperitoneal fat, then the anterior ligament on the bone.
            let streak = blend(fat, tissue(0.12), 0.75 * smoothstep(0.05, 0.5, texture.grain(point, 9.0)));
            bed = blend(bed, streak, behind);
        }
        let ligament = smoothstep(1.6, 0.4, before) * smoothstep(station.half_width, station.half_width - 6.0, x.abs());
        let signal = blend(bed, tissues.cortex * 1.4, 0.8 * ligament);
        // Psoas grows from L1 down and moves forward and aside; z = 0 is L3.
        let grown = smoothstep(85.0, -30.0, point.z);
        if grown <= 0.0 {
            return signal;
        }
        let (half_depth, half_width) = (4.0 + 17.0 * grown, 2.0 + 17.0 * grown);
        let center_x = station.half_width.min(26.0) + 1.0 + 0.7 * half_width;
        // Below L5 it leaves the spine, which turns backward, and goes on straight.
        let center_y = f64::midpoint(station.front_y, station.wall_y).min(self.psoas_y) - 2.0 * grown;
        let radius = DVec2::new((x.abs() - center_x) / half_width, (point.y - center_y) / half_depth).length();
        if radius >= 1.05 {
            return signal;
        }
        let fibers = texture.at(DVec3::new(point.x / 3.0, point.y / 3.0, point.z / 25.0));
        let lean = tissues.muscle * (1.0 + 0.15 * fibers) as f32;
        let psoas = blend(lean, fat, 0.3 * smoothstep(0.75, 1.1, fibers + 0.3 * radius));
        blend(signal, psoas, smoothstep(1.05, 0.95, radius))
    }
}

/// Aorta and left common iliac, vena cava and right common iliac: flowing blood is black, slow blood in veins less so.
pub(super) fn vessels(rng: &mut impl Rng, spine: &Spine, profile: &Profile) -> Vec<Tube> {
    let fork = spine.body(VertebraLabel::L4).frame.center().z + around(rng, 0.0, 8.0);
    let mut tubes = Vec::new();
    let vein = if rng.random_bool(0.3) { rng.random_range(0.2..0.6) } else { 0.08 };
    for (x, signal, radius) in [(rng.random_range(4.0..20.0), 0.05, 8.0), (-rng.random_range(10.0..18.0), vein, 9.5)] {
        let radius = around(rng, radius, 1.2);
        let wander = rng.random_range(0.0..6.0);
        let drift = rng.random_range(-3.0..3.0);
        let at = |z: f64, x: f64| {
            let station = profile.at(z);
            DVec3::new(x + station.x, station.front_y - radius - 2.0 - wander, z)
        };
        let mut push = |from: DVec3, to: DVec3, radius: f64| {
            tubes.push(Tube { bend_mm: 4.0, uneven: 0.4, ..Tube::straight(from, to, radius, fluid(signal)) });
        };
        for step in 0..7 {
            let z = fork + 25.0 * f64::from(step);
            push(at(z, x + drift * f64::from(step)), at(z + 25.0, x + drift * f64::from(step + 1)), radius);
        }
        let aside = f64::signum(x) * 22.0;
        push(at(fork, x), at(fork - 45.0, x + aside), 0.6 * radius);
        push(at(fork, x), at(fork - 45.0, x - aside), 0.6 * radius);
    }
    tubes
}

/// Loops of bowel, liver, kidneys, bladder, rectum.
pub(super) fn bowel(rng: &mut impl Rng, spine: &Spine, profile: &Profile, belly: &Belly) -> Vec<Tube> {
    let mut tubes = Vec::new();
    let mut push = |from: DVec3, to: DVec3, radius: f64, signal: Signal, wall: Option<(f64, Signal)>, bend_mm: f64| {
        tubes.push(Tube { wall, bend_mm, uneven: 0.45, ..Tube::straight(from, to, radius, signal) });
    };
    let liver_z = 75.0 + around(rng, 0.0, 12.0);
    let liver = DVec3::new(-55.0, belly.wall_y + 55.0, liver_z);
    push(liver, liver + DVec3::new(30.0, 0.0, 60.0), 48.0, tissue(0.24), None, 12.0);
    for x in [-62.0, 62.0] {
        let from = DVec3::new(x + around(rng, 0.0, 4.0), profile.at(30.0).wall_y - 5.0, 20.0 + around(rng, 0.0, 10.0));
        // Cortex around a pelvis of fat and urine.
        let cortex = Some((11.0, water(0.5)));
        push(from, from + DVec3::new(-x * 0.12, 6.0, 55.0), 24.0, tissue(0.1) + fluid(0.4), cortex, 4.0);
    }
    let sacrum = spine.body(VertebraLabel::S1).frame.center();
    for _ in 0..rng.random_range(26..46) {
        let z = rng.random_range(sacrum.z - 45.0..120.0);
        let deepest = profile.at(z).front_y - if z < sacrum.z + 15.0 { 20.0 } else { 32.0 };
        let radius = rng.random_range(5.0..13.0);
        if deepest - radius < belly.wall_y + radius {
            continue;
        }
        let from = DVec3::new(
            rng.random_range(-45.0..45.0),
            rng.random_range(belly.wall_y + radius..deepest - radius + 0.1),
            z,
        );
        let to = from
            + DVec3::new(rng.random_range(-25.0..25.0), rng.random_range(-12.0..12.0), rng.random_range(-18.0..18.0));
        let to = DVec3::new(to.x, to.y.min(deepest - radius), to.z);
        // Gas and stool are black, fluid and wall between fat and muscle.
        let signal = if rng.random_bool(0.6) { rng.random_range(0.02..0.15) } else { rng.random_range(0.3..0.9) };
        let wall = Some((rng.random_range(1.2..3.0), water(rng.random_range(0.2..0.45))));
        push(from, to, radius, water(signal), wall, 7.0);
    }
    let bladder = DVec3::new(around(rng, 0.0, 5.0), belly.wall_y + 40.0, sacrum.z - 75.0);
    let wall = Some((3.0, tissue(0.2)));
    push(bladder, bladder + DVec3::new(12.0, 15.0, -8.0), rng.random_range(16.0..30.0), fluid(1.1), wall, 4.0);
    let rectum = DVec3::new(around(rng, 0.0, 6.0), profile.at(sacrum.z - 40.0).front_y - 18.0, sacrum.z - 38.0);
    let content = water(rng.random_range(0.03..0.3));
    let wall = Some((2.5, water(0.3)));
    push(rectum, rectum + DVec3::new(3.0, 14.0, -35.0), rng.random_range(7.0..12.0), content, wall, 5.0);
    tubes
}

/// Nerve roots leaving under the pedicles, and the sacral roots in their foramina.
pub(super) fn nerve_roots(rng: &mut impl Rng, spine: &Spine, tissues: &Tissues) -> Vec<Tube> {
    let mut tubes = Vec::new();
    let nerve = water(0.34);
    for (index, body) in spine.bodies.iter().enumerate() {
        let height = body.height();
        for side in [-1.0, 1.0] {
            if index <= VertebraLabel::L5.index() {
                let at =
                    |x: f64, y: f64, z: f64| body.frame.lps(DVec3::new(side * x, body.depth() / 2.0 + y, z * height));
                let radius = around(rng, 2.4, 0.3);
                tubes.push(Tube::straight(at(10.0, 6.0, 0.05), at(19.0, 5.0, -0.2), radius, nerve));
                tubes.push(Tube::straight(at(19.0, 5.0, -0.2), at(34.0, 0.0, -0.7), radius, nerve));
            } else if index + 2 < spine.bodies.len() {
                // Fat around the sacral root, the root within.
                let at = |y: f64, z: f64| body.frame.lps(DVec3::new(side * 17.0, y * body.depth(), z * height));
                let (from, to) = (at(0.45, -0.42), at(-0.4, -0.6));
                let wall = Some((0.8, tissues.cortex * 2.0));
                tubes.push(Tube { wall, ..Tube::straight(from, to, 4.5, tissues.fat) });
                tubes.push(Tube::straight(from, to, 2.2, nerve));
            }
        }
    }
    tubes
}

/// Fluid where it need not be: Tarlov cysts in the sacral canal, and in facet joints.
pub(super) fn cysts(rng: &mut impl Rng, spine: &Spine, pathology: &Pathology) -> Vec<Tube> {
    let mut tubes = Vec::new();
    if let Some(radius) = pathology.tarlov_mm {
        let body = &spine.bodies[VertebraLabel::S1.index() + rng.random_range(1..=2_usize)];
        let lateral = rng.random_range(-9.0..9.0);
        let at = |z: f64| body.frame.lps(DVec3::new(lateral, body.depth() / 2.0 + 0.7 * radius, z));
        let wall = Some((0.6, tissue(0.2)));
        tubes.push(Tube { wall, uneven: 0.03, ..Tube::straight(at(-3.0), at(5.0), radius, fluid(1.0)) });
    }
    for level in &pathology.facet_fluid {
        let body = spine.body(level.upper());
        let wall = body.depth() / 2.0;
        for side in [-1.0, 1.0] {
            // Where the inferior facet meets the superior one of the body below.
            let at = |y: f64, z: f64| body.frame.lps(DVec3::new(side * 17.0, wall + y, z * body.height()));
            tubes.push(Tube::straight(at(15.0, -0.5), at(13.5, -0.85), rng.random_range(0.6..1.3), fluid(0.9)));
        }
    }
    tubes
}
