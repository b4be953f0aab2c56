//! Everything around the bones: canal, fat, muscle, back.
//!
//! The belly in front and tubes such as vessels and bowel are in `organs`.

use glam::{DVec2, DVec3};
use rand::Rng;

use super::anatomy::Spine;
use super::contrast::{DARK, Signal, blend, fluid, tissue, water};
use super::organs::{Belly, Tube, bowel, cysts, nerve_roots, vessels};
use super::parameters::{PhantomParameters, TissueParameters};
use super::pathology::Pathology;
use super::profile::{Profile, Station};
use super::texture::{Texture, smoothstep};
use crate::spine::VertebraLabel;

/// Signals of the tissues of one patient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tissues {
    /// Marrow of the bodies.
    pub marrow: Signal,
    /// How much brighter the marrow of arches is.
    pub arch_marrow: f64,
    /// Cortical bone, ligament.
    pub cortex: Signal,
    pub fat: Signal,
    pub muscle: Signal,
    cord: Signal,
    /// Degeneration of the patient in standard deviations: fat comes with age.
    pub wear: f64,
    /// Share of fat in the back muscles.
    infiltration: f64,
    /// How dense the nerve roots lie in the sac.
    roots: f64,
    /// How much signal moving fluid loses.
    flow_void: f64,
}

impl Tissues {
    /// Signals of one patient.
    fn draw(rng: &mut impl Rng, parameters: &TissueParameters, wear: f64) -> Self {
        let (marrow, share) = (parameters.marrow.draw(rng), parameters.marrow_fat.draw(rng));
        Self {
            marrow: tissue(marrow * (1.0 - share)) + super::contrast::fat(marrow * share),
            arch_marrow: parameters.arch_marrow.draw(rng),
            cortex: tissue(parameters.cortex),
            fat: super::contrast::fat(parameters.fat.draw(rng)),
            muscle: tissue(parameters.muscle.draw(rng)),
            cord: water(parameters.cord.draw(rng)),
            wear,
            infiltration: (parameters.infiltration.draw(rng) + 0.08 * wear).clamp(0.0, 0.8),
            roots: parameters.roots.draw(rng),
            flow_void: parameters.flow_void.draw(rng),
        }
    }
}

/// Soft tissue of one patient.
pub(super) struct Surroundings {
    pub tissues: Tissues,
    /// Vessels and bowel, painted before the bones.
    pub organs: Vec<Tube>,
    /// Nerve roots and cysts, painted after the bones.
    pub roots: Vec<Tube>,
    profile: Profile,
    belly: Belly,
    /// Heights at which spinous processes are missing.
    opened: Vec<(f64, f64)>,
}

impl Surroundings {
    /// Draws the soft tissue around a spine.
    pub(super) fn draw(
        rng: &mut impl Rng,
        parameters: &PhantomParameters,
        spine: &Spine,
        pathology: &Pathology,
        profile: Profile,
    ) -> Self {
        let belly = Belly::draw(rng, &parameters.build, spine);
        let tissues = Tissues::draw(rng, &parameters.tissues, pathology.wear);
        let mut organs = bowel(rng, spine, &profile, &belly);
        organs.extend(vessels(rng, spine, &profile));
        let mut roots = nerve_roots(rng, spine, &tissues);
        roots.extend(cysts(rng, spine, pathology));
        let height = |label: &VertebraLabel| {
            let body = spine.body(*label);
            let middle = body.frame.center().z - 0.4 * body.height();
            (middle - 0.75 * body.height(), middle + 0.75 * body.height())
        };
        let opened = pathology.laminectomy.iter().map(height).collect();
        Self { tissues, organs, roots, profile, belly, opened }
    }

    /// The spine's course.
    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Whether the tissue around a position changes from plane to plane of a slice: near the canal.
    pub(super) fn is_fine(&self, point: DVec3) -> bool {
        let station = self.profile.at(point.z);
        let depth = (point.y - station.wall_y) * station.cosine;
        (-2.0..station.canal_depth + 2.0).contains(&depth)
    }

    /// Whether a position lies in the dural sac.
    pub(super) fn is_in_sac(&self, point: DVec3) -> bool {
        let station = self.profile.at(point.z);
        let half_depth = station.sac_depth / 2.0;
        let depth = (point.y - station.wall_y) * station.cosine - station.sac_front - half_depth;
        half_depth > 0.8
            && DVec2::new(depth / half_depth, (point.x - station.x) / station.sac_half_width).length_squared() < 1.0
    }

    /// How much a position moves with breath and pulse, 0 to 1: belly, vessels and canal.
    pub(super) fn mobility(&self, point: DVec3) -> f64 {
        let station = self.profile.at(point.z);
        let in_front = smoothstep(15.0, 70.0, station.front_y - point.y);
        let depth = point.y - station.wall_y;
        let canal = smoothstep(0.0, 2.0, depth) * smoothstep(station.canal_depth, station.canal_depth - 2.0, depth);
        in_front.max(0.5 * canal)
    }

    /// Signal of the tissue at a patient position, bones, discs and organs left out.
    pub(super) fn signal(&self, point: DVec3, texture: &Texture) -> Signal {
        // The trunk is round: skin curves forward at the sides.
        let round = 0.0035 * point.x * point.x;
        let to_skin = self.profile.at(point.z).skin_y - round - point.y;
        if to_skin < 0.0 || self.belly.is_outside(point) {
            return DARK;
        }
        // Nothing in a body is straight.
        let bend = |shift: f64| texture.at((point + DVec3::splat(shift)) * (1.0 / 11.0));
        let point = point + DVec3::new(0.0, 1.8 * bend(0.0), 2.5 * bend(57.0));
        let station = self.profile.at(point.z);
        let x = point.x - station.x;
        let fascia = station.fascia_y + station.muscle_rise * smoothstep(2.0, 22.0, x.abs());
        if point.y > fascia - 0.5 {
            let fat = self.subcutaneous(point, texture);
            let fat = blend(self.tissues.cortex * 2.0, fat, smoothstep(fascia - 0.5, fascia + 1.2, point.y));
            // Skin.
            return blend(tissue(0.25), fat, smoothstep(1.0, 2.0, to_skin)) * smoothstep(0.0, 0.6, to_skin) as f32;
        }
        let depth = (point.y - station.wall_y) * station.cosine;
        if depth > station.canal_depth + 1.5 {
            self.back(point, x, depth - station.canal_depth, station, texture)
        } else if depth > -1.5 {
            self.canal(point, x, depth, station, texture)
        } else {
            self.belly.signal(point, x, station, &self.tissues, texture)
        }
    }

    fn subcutaneous(&self, point: DVec3, texture: &Texture) -> Signal {
        // Thin dark septa where a slow field crosses zero.
        let field = texture.at(DVec3::new(point.x / 18.0, point.y / 6.0, point.z / 20.0));
        let septum = smoothstep(0.035, 0.0, field.abs());
        self.tissues.fat * (1.05 * (1.0 - 0.35 * septum) * (1.0 + 0.04 * texture.at(point * (1.0 / 3.0)))) as f32
    }

    /// Muscles and interspinous tissue.
    fn back(&self, point: DVec3, x: f64, behind: f64, station: &Station, texture: &Texture) -> Signal {
        let tissues = &self.tissues;
        // Fat lies in streaks between the bundles of muscle.
        let across = point.y + 0.15 * point.z;
        let patches = texture.grain(point, 11.0);
        // Fat gathers at the laminae and further down the spine; z = 0 is L3.
        let low = smoothstep(40.0, -60.0, point.z);
        let midline = smoothstep(6.0, 3.0, x.abs());
        let mut signal = DARK;
        if midline < 1.0 {
            let fibers = fibers(point, across, texture);
            let fatty = 1.6 * tissues.infiltration - 0.75 + 0.5 * smoothstep(10.0, 0.0, behind) + 0.45 * low;
            let lean = tissues.muscle * (1.0 + 0.25 * fibers) as f32;
            signal = blend(lean, tissues.fat * 0.85, smoothstep(0.0, 0.8, fibers + 0.5 * patches + fatty));
        }
        if midline > 0.0 {
            // Interspinous ligament: dark bands, fat and some fluid between.
            let stripes = texture.grain(DVec3::new(point.x, across * 1.3 - 0.5 * point.z, point.z * 0.35), 4.0);
            let fatty = smoothstep(-0.15, 0.65, stripes + 0.35 * patches + 0.3 * low);
            signal = blend(signal, blend(tissue(0.12), tissues.fat * 0.85, fatty), midline);
        }
        if self.opened.iter().any(|(low, high)| (*low..*high).contains(&point.z)) {
            // Scar with some fluid in it.
            let fibers = fibers(point, across, texture);
            let scar = blend(tissue(0.12), water(0.6), smoothstep(0.35, 0.8, patches + 0.3 * fibers));
            signal = blend(signal, scar, smoothstep(16.0, 12.0, x.abs()));
        }
        // Fat fills the gap between the laminae behind the sac.
        let fat = station.between_laminae * smoothstep(7.5, 4.5, behind) * smoothstep(9.0, 5.0, x.abs());
        blend(signal, tissues.fat, fat)
    }

    fn canal(&self, point: DVec3, x: f64, depth: f64, station: &Station, texture: &Texture) -> Signal {
        let tissues = &self.tissues;
        let half_depth = station.sac_depth / 2.0;
        let middle = station.sac_front + half_depth;
        // Ligament lies on the wall, flavum on the lamina beside the midline; fat fills the rest and the foramina.
        let fat = tissues.fat * (0.85 + 0.2 * texture.grain(point, 3.0)) as f32;
        let ligament = smoothstep(0.9, 0.2, depth.abs()) * smoothstep(14.0, 9.0, x.abs());
        let lateral = smoothstep(2.0, 5.0, x.abs()) * smoothstep(15.0, 11.0, x.abs());
        let behind_sac = smoothstep(0.0, 1.0, depth - station.sac_front - station.sac_depth);
        let narrow = smoothstep(0.8, 0.5, station.sac_depth / (station.canal_depth - station.sac_front).max(1.0));
        let flavum = behind_sac * lateral.max(narrow * smoothstep(15.0, 11.0, x.abs()));
        let mut signal = blend(fat, tissues.cortex * 1.6, (0.8 * ligament).max(0.9 * flavum));
        let far = smoothstep(17.0, 23.0, x.abs());
        if far > 0.0 {
            signal = blend(signal, self.back(point, x, 20.0, station, texture), far);
        }
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
        signal = blend(signal, tissue(0.2), smoothstep(0.9, 0.45, edge));
        blend(signal, content, smoothstep(0.35, -0.35, edge))
    }

    /// Fluid, cord and nerve roots at a share of the sac's depth from the front.
    fn sac(&self, point: DVec3, x: f64, share: f64, station: &Station, texture: &Texture) -> Signal {
        let tissues = &self.tissues;
        let above_conus = point.z - self.profile.conus_z;
        // The roots sink to the back of the supine patient's sac.
        let streaks = texture.at(DVec3::new(point.x / 1.6, point.y / 0.9 + point.z * 0.02, point.z / 45.0));
        let settled = smoothstep(0.25, 0.75, share) * smoothstep(40.0, 0.0, above_conus);
        let crowded = smoothstep(9.0, 5.0, station.sac_depth);
        let density = ((tissues.roots * settled + 0.5 * crowded) * (0.65 + 0.6 * streaks)).clamp(0.0, 1.0);
        // The pulse drives the fluid beside and above the conus; where it moves fast it sends nothing.
        let rush = smoothstep(0.1, 0.7, texture.grain(DVec3::new(point.x, point.y, point.z * 0.25), 5.0));
        let moving = tissues.flow_void * smoothstep(-30.0, 30.0, above_conus) * rush;
        let fluid = fluid((1.0 - density) * (1.0 - moving)) + tissue(0.25 * density);
        // The cone thins over its last 25 mm.
        let taper = ((above_conus + 2.0) / 32.0).clamp(0.0, 1.0);
        if taper <= 0.0 {
            return fluid;
        }
        let depth = (share - 0.56) * station.sac_depth;
        let radius = DVec2::new(depth / 3.6, x / 4.6).length() - taper.sqrt();
        blend(fluid, tissues.cord * (1.0 + 0.06 * streaks) as f32, smoothstep(0.14, -0.14, radius))
    }
}

/// Bundles that run down the back, slightly forward, and fibers in them.
fn fibers(point: DVec3, across: f64, texture: &Texture) -> f64 {
    let bundles = texture.at(DVec3::new(point.x / 6.0, across / 4.5, point.z / 30.0));
    0.6 * bundles + 0.5 * texture.at(DVec3::new(point.x / 3.0, across / 1.8, point.z / 18.0))
}
