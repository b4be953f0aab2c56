//! Everything around the bones: canal, fat, muscle, vessels, bowel.

use glam::{DVec2, DVec3};
use rand::Rng;

use super::anatomy::Spine;
use super::body::capsule;
use super::profile::{Profile, Station};
use super::texture::{Texture, around, mix, smoothstep};
use crate::spine::VertebraLabel;

/// Signals of the tissues on T2, cerebrospinal fluid being 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tissues {
    /// Bone marrow.
    pub marrow: f64,
    /// Cortical bone, ligament.
    pub cortex: f64,
    fat: f64,
    muscle: f64,
    cord: f64,
    /// Share of fat in the back muscles.
    infiltration: f64,
    /// How dense the nerve roots lie in the sac.
    roots: f64,
}

impl Tissues {
    /// Signals of one patient.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        Self {
            marrow: around(rng, 0.44, 0.06),
            cortex: 0.05,
            fat: around(rng, 0.82, 0.06),
            muscle: around(rng, 0.17, 0.03),
            cord: around(rng, 0.5, 0.04),
            infiltration: rng.random_range(0.05..0.6),
            roots: rng.random_range(0.25..0.6),
        }
    }
}

/// A tube with round ends: vessel, nerve root, loop of bowel.
pub(super) struct Tube {
    from: DVec3,
    to: DVec3,
    radius: f64,
    signal: f64,
    /// Thickness and signal of its wall.
    wall: Option<(f64, f64)>,
}

impl Tube {
    /// Signed distance to the surface.
    pub(super) fn distance(&self, point: DVec3) -> f64 {
        capsule(point, self.from, self.to, self.radius)
    }

    /// Signal `depth` mm under the surface.
    pub(super) fn signal(&self, depth: f64, point: DVec3, texture: &Texture) -> f64 {
        let content = self.signal * (1.0 + 0.25 * texture.grain(point, 5.0));
        self.wall.map_or(content, |(thickness, signal)| {
            mix(signal, content, smoothstep(thickness - 0.4, thickness + 0.4, depth))
        })
    }

    /// Corners of a box that holds it.
    pub(super) fn box_corners(&self) -> [DVec3; 8] {
        let (low, high) = (self.from.min(self.to) - self.radius - 1.0, self.from.max(self.to) + self.radius + 1.0);
        std::array::from_fn(|corner| {
            let pick = |bit: usize, low: f64, high: f64| if corner >> bit & 1 == 0 { low } else { high };
            DVec3::new(pick(0, low.x, high.x), pick(1, low.y, high.y), pick(2, low.z, high.z))
        })
    }
}

/// Soft tissue of one patient.
pub(super) struct Surroundings {
    /// Signals.
    pub tissues: Tissues,
    /// Vessels and bowel, painted before the bones.
    pub organs: Vec<Tube>,
    /// Nerve roots, painted after the bones.
    pub roots: Vec<Tube>,
    profile: Profile,
    /// Inner face of the front abdominal wall.
    abdomen_y: f64,
    /// Fat under the skin of the belly.
    belly_fat: f64,
    /// Rearmost position of the middle of the psoas.
    psoas_y: f64,
}

impl Surroundings {
    /// Draws the soft tissue around a spine.
    pub(super) fn draw(rng: &mut impl Rng, spine: &Spine, profile: Profile) -> Self {
        let third = spine.body(VertebraLabel::L3).frame.center();
        let abdomen_y = third.y - rng.random_range(75.0..140.0);
        let mut organs = bowel(rng, spine, &profile, abdomen_y);
        organs.extend(vessels(rng, spine, &profile));
        Self {
            tissues: Tissues::draw(rng),
            organs,
            roots: nerve_roots(rng, spine),
            profile,
            abdomen_y,
            belly_fat: rng.random_range(8.0..45.0),
            psoas_y: spine.body(VertebraLabel::L5).frame.center().y,
        }
    }

    /// The spine's course.
    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Whether the tissue around a position changes from plane to plane of a slice: near the canal.
    pub(super) fn is_fine(&self, point: DVec3) -> bool {
        let station = self.profile.at(point.z);
        let depth = (point.y - station.wall_y) * station.cosine;
        (-2.0..station.canal_depth + 10.0).contains(&depth)
    }

    /// Signal of the tissue at a patient position, bones, discs and organs left out.
    pub(super) fn signal(&self, point: DVec3, texture: &Texture) -> f64 {
        let station = self.profile.at(point.z);
        let to_skin = station.skin_y - point.y;
        if to_skin < 0.0 {
            return 0.0;
        }
        let x = point.x - station.x;
        let beside = (x / 16.0).powi(2);
        let fascia = station.fascia_y + station.muscle_rise * beside / (1.0 + beside);
        let behind_fascia = point.y - fascia;
        if behind_fascia > -0.7 {
            let fat = self.subcutaneous(point, texture);
            let fat = mix(self.tissues.cortex * 2.0, fat, smoothstep(0.4, 1.2, behind_fascia));
            return mix(0.25, fat, smoothstep(1.0, 2.0, to_skin)) * smoothstep(0.0, 0.6, to_skin);
        }
        let depth = (point.y - station.wall_y) * station.cosine;
        if depth > station.canal_depth + 1.5 {
            self.back(point, x, depth - station.canal_depth, station, texture)
        } else if depth > -1.5 {
            self.canal(point, x, depth, station, texture)
        } else {
            self.front(point, x, station, texture)
        }
    }

    fn subcutaneous(&self, point: DVec3, texture: &Texture) -> f64 {
        // Thin dark septa where a slow field crosses zero.
        let field = texture.at(DVec3::new(point.x / 18.0, point.y / 6.0, point.z / 20.0));
        let septum = smoothstep(0.035, 0.0, field.abs());
        self.tissues.fat * 1.05 * (1.0 - 0.45 * septum) * (1.0 + 0.05 * texture.at(point / 3.0))
    }

    /// Muscles and interspinous tissue.
    fn back(&self, point: DVec3, x: f64, behind: f64, station: &Station, texture: &Texture) -> f64 {
        // Bundles run down the back, slightly forward; fat lies in streaks between them.
        let across = point.y + 0.15 * point.z;
        let bundles = texture.at(DVec3::new(point.x / 6.0, across / 4.5, point.z / 30.0));
        let fibers = 0.6 * bundles + 0.5 * texture.at(DVec3::new(point.x / 3.0, across / 1.8, point.z / 18.0));
        let patches = texture.grain(point, 11.0);
        let fatty = 1.6 * self.tissues.infiltration - 0.75 + 0.5 * smoothstep(10.0, 0.0, behind);
        let lean = self.tissues.muscle * (1.0 + 0.25 * fibers);
        let muscle = mix(lean, 0.85 * self.tissues.fat, smoothstep(0.0, 0.8, fibers + 0.5 * patches + fatty));
        let ligament = mix(0.12, 0.5, smoothstep(-0.5, 0.7, fibers * 0.6 + patches * 0.7));
        let midline = smoothstep(6.0, 3.0, x.abs());
        let tissue = mix(muscle, ligament, midline);
        // Fat fills the gap between the laminae behind the sac.
        let fat = station.between_laminae * smoothstep(7.5, 4.5, behind) * smoothstep(9.0, 5.0, x.abs());
        mix(tissue, self.tissues.fat, fat)
    }

    fn canal(&self, point: DVec3, x: f64, depth: f64, station: &Station, texture: &Texture) -> f64 {
        let half_depth = station.sac_depth / 2.0;
        let middle = station.sac_front + half_depth;
        // Ligament lies on the wall, flavum on the lamina beside the midline; fat fills the rest and the foramina.
        let fat = self.tissues.fat * (0.9 + 0.15 * texture.grain(point, 3.0));
        let ligament = smoothstep(1.1, 0.3, depth.abs()) * smoothstep(14.0, 9.0, x.abs());
        let lateral = smoothstep(2.0, 5.0, x.abs()) * smoothstep(15.0, 11.0, x.abs());
        let behind_sac = smoothstep(0.0, 1.0, depth - station.sac_front - station.sac_depth);
        let narrow = smoothstep(0.8, 0.5, station.sac_depth / (station.canal_depth - station.sac_front).max(1.0));
        let flavum = behind_sac * lateral.max(narrow * smoothstep(15.0, 11.0, x.abs()));
        let mut signal = mix(fat, self.tissues.cortex * 1.6, ligament.max(0.9 * flavum));
        let far = smoothstep(17.0, 23.0, x.abs());
        signal = mix(signal, self.back(point, x, 20.0, station, texture), far);
        if half_depth < 0.8 {
            return signal;
        }
        let radius = DVec2::new((depth - middle) / half_depth, x / station.sac_half_width).length();
        let edge = (radius - 1.0) * half_depth.min(station.sac_half_width);
        if edge > 0.9 {
            return signal;
        }
        let content = self.sac(point, x, (depth - station.sac_front) / station.sac_depth, station, texture);
        // Dura: a thin dark line.
        signal = mix(signal, 0.3, smoothstep(0.9, 0.45, edge));
        mix(signal, content, smoothstep(0.35, -0.35, edge))
    }

    /// Fluid, cord and nerve roots at a share of the sac's depth from the front.
    fn sac(&self, point: DVec3, x: f64, share: f64, station: &Station, texture: &Texture) -> f64 {
        let above_conus = point.z - self.profile.conus_z;
        // The roots sink to the back of the supine patient's sac.
        let streaks = texture.at(DVec3::new(point.x / 1.6, point.y / 0.9 + point.z * 0.02, point.z / 45.0));
        let settled = smoothstep(0.25, 0.75, share) * smoothstep(40.0, 0.0, above_conus);
        let crowded = smoothstep(9.0, 5.0, station.sac_depth);
        let density = (self.tissues.roots * settled + 0.5 * crowded) * (0.65 + 0.6 * streaks);
        let fluid = 1.0 - 0.75 * density.clamp(0.0, 1.0);
        // The cone thins over its last 25 mm.
        let taper = ((above_conus + 2.0) / 32.0).clamp(0.0, 1.0);
        if taper <= 0.0 {
            return fluid;
        }
        let depth = (share - 0.56) * station.sac_depth;
        let radius = DVec2::new(depth / 3.6, x / 4.6).length() - taper.sqrt();
        mix(fluid, self.tissues.cord * (1.0 + 0.06 * streaks), smoothstep(0.14, -0.14, radius))
    }

    /// In front of the canal: beside the bodies psoas, before them great vessels' bed, bowel and belly wall.
    fn front(&self, point: DVec3, x: f64, station: &Station, texture: &Texture) -> f64 {
        let before = station.front_y - point.y;
        let tissues = &self.tissues;
        let patches = texture.grain(point, 22.0);
        let fine = texture.grain(point, 5.0);
        let fat = tissues.fat * (0.9 + 0.1 * fine);
        // The belly wall curves around the bowel.
        let inner = point.y - self.abdomen_y - 0.0012 * point.z * point.z - 0.002 * x * x;
        if inner < 0.0 {
            let skin = -inner - 9.0 - self.belly_fat;
            let wall = mix(tissues.muscle, fat, smoothstep(8.0, 9.5, -inner));
            return if skin > 0.0 { 0.0 } else { mix(0.25, wall, smoothstep(-1.0, -2.0, skin)) };
        }
        let mesentery = mix(0.4 + 0.08 * fine, fat, smoothstep(-0.5, 0.35, patches + 0.15 * fine));
        // Retroperitoneal fat, then the anterior ligament on the bone.
        let bed = mix(mesentery, fat, smoothstep(14.0, 6.0, before));
        let ligament = smoothstep(2.2, 0.6, before) * smoothstep(station.half_width, station.half_width - 6.0, x.abs());
        let signal = mix(bed, tissues.cortex * 1.4, ligament);
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
        let fibers = texture.at(DVec3::new(point.x / 3.0, point.y / 3.0, point.z / 25.0));
        let psoas = tissues.muscle * (1.0 + 0.15 * fibers) + 0.3 * smoothstep(0.75, 1.1, fibers);
        mix(signal, psoas, smoothstep(1.05, 0.95, radius))
    }
}

/// Aorta and left common iliac, vena cava and right common iliac: flowing blood is black.
fn vessels(rng: &mut impl Rng, spine: &Spine, profile: &Profile) -> Vec<Tube> {
    let fork = spine.body(VertebraLabel::L4).frame.center().z + around(rng, 0.0, 8.0);
    let mut tubes = Vec::new();
    for (x, signal, radius) in [(rng.random_range(2.0..14.0), 0.05, 9.0), (-rng.random_range(10.0..18.0), 0.09, 10.0)] {
        let radius = around(rng, radius, 1.0);
        let wander = rng.random_range(0.0..8.0);
        let drift = rng.random_range(-3.0..3.0);
        let at = |z: f64, x: f64| {
            let station = profile.at(z);
            DVec3::new(x + station.x, station.front_y - radius - 3.0 - wander, z)
        };
        let mut push = |from: DVec3, to: DVec3, radius: f64| {
            tubes.push(Tube { from, to, radius, signal, wall: None });
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

/// Loops of bowel, liver, bladder, rectum.
fn bowel(rng: &mut impl Rng, spine: &Spine, profile: &Profile, abdomen_y: f64) -> Vec<Tube> {
    let mut tubes = Vec::new();
    let mut push = |from: DVec3, to: DVec3, radius: f64, signal: f64, wall: Option<(f64, f64)>| {
        tubes.push(Tube { from, to, radius, signal, wall });
    };
    let liver_z = 75.0 + around(rng, 0.0, 12.0);
    let liver = DVec3::new(-55.0, abdomen_y + 55.0, liver_z);
    push(liver, liver + DVec3::new(30.0, 0.0, 60.0), 48.0, 0.24, None);
    let sacrum = spine.body(VertebraLabel::S1).frame.center();
    for _ in 0..rng.random_range(22..40) {
        let z = rng.random_range(sacrum.z - 45.0..120.0);
        let deepest = profile.at(z).front_y - if z < sacrum.z + 15.0 { 20.0 } else { 32.0 };
        let radius = rng.random_range(5.0..13.0);
        if deepest - radius < abdomen_y + radius {
            continue;
        }
        let from =
            DVec3::new(rng.random_range(-45.0..45.0), rng.random_range(abdomen_y + radius..deepest - radius + 0.1), z);
        let to = from
            + DVec3::new(rng.random_range(-25.0..25.0), rng.random_range(-12.0..12.0), rng.random_range(-18.0..18.0));
        let to = DVec3::new(to.x, to.y.min(deepest - radius), to.z);
        // Gas and stool are black, fluid and wall between fat and muscle.
        let signal = if rng.random_bool(0.6) { rng.random_range(0.02..0.12) } else { rng.random_range(0.3..0.95) };
        push(from, to, radius, signal, Some((rng.random_range(1.2..2.5), rng.random_range(0.25..0.45))));
    }
    let bladder = DVec3::new(around(rng, 0.0, 5.0), abdomen_y + 40.0, sacrum.z - 75.0);
    push(bladder, bladder + DVec3::new(12.0, 15.0, -8.0), rng.random_range(16.0..30.0), 1.1, Some((3.0, 0.2)));
    let rectum = DVec3::new(around(rng, 0.0, 6.0), profile.at(sacrum.z - 40.0).front_y - 18.0, sacrum.z - 38.0);
    let content = rng.random_range(0.03..0.3);
    push(rectum, rectum + DVec3::new(3.0, 14.0, -35.0), rng.random_range(7.0..12.0), content, Some((2.5, 0.3)));
    tubes
}

/// Nerve roots leaving under the pedicles, and the sacral roots in their foramina.
fn nerve_roots(rng: &mut impl Rng, spine: &Spine) -> Vec<Tube> {
    let mut tubes = Vec::new();
    for (index, body) in spine.bodies.iter().enumerate() {
        let height = body.height();
        for side in [-1.0, 1.0] {
            if index <= VertebraLabel::L5.index() {
                let at =
                    |x: f64, y: f64, z: f64| body.frame.lps(DVec3::new(side * x, body.depth() / 2.0 + y, z * height));
                let radius = around(rng, 2.4, 0.3);
                tubes.push(Tube {
                    from: at(10.0, 6.0, 0.05),
                    to: at(19.0, 5.0, -0.2),
                    radius,
                    signal: 0.36,
                    wall: None,
                });
                tubes.push(Tube {
                    from: at(19.0, 5.0, -0.2),
                    to: at(34.0, 0.0, -0.7),
                    radius,
                    signal: 0.36,
                    wall: None,
                });
            } else if index + 2 < spine.bodies.len() {
                // Fat around the sacral root, the root within.
                let at = |y: f64, z: f64| body.frame.lps(DVec3::new(side * 17.0, y * body.depth(), z * height));
                let (from, to) = (at(0.45, -0.42), at(-0.4, -0.6));
                tubes.push(Tube { from, to, radius: 4.5, signal: 0.75, wall: Some((0.8, 0.08)) });
                tubes.push(Tube { from, to, radius: 2.2, signal: 0.35, wall: None });
            }
        }
    }
    tubes
}
