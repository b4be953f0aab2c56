//! The spine's course as functions of height: walls, canal, back of the patient.

use glam::DVec3;
use rand::Rng;

use super::anatomy::Spine;
use super::body::{Arch, Body};
use super::parameters::BuildParameters;
use super::pathology::Pathology;
use super::texture::around;
use crate::spine::{Grading, VertebraLabel};

/// Distance between the heights of the table, mm.
const STEP_MM: f64 = 0.25;

/// Measures of the patient at one height.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Station {
    /// Middle of the spine, left positive.
    pub x: f64,
    /// Posterior wall of bodies and discs.
    pub wall_y: f64,
    /// Anterior wall.
    pub front_y: f64,
    /// Cosine of the wall's slope: horizontal distances times it are distances from the wall.
    pub cosine: f64,
    /// Distance from the wall to the dural sac.
    pub sac_front: f64,
    /// Depth of the sac; not above 0 below its end.
    pub sac_depth: f64,
    /// Half the width of the sac.
    pub sac_half_width: f64,
    /// Distance from the wall to the laminae.
    pub canal_depth: f64,
    /// 1 at the levels of discs, where fat fills the gap between the laminae, 0 behind the middle of a body.
    pub between_laminae: f64,
    /// Half the width of the bodies.
    pub half_width: f64,
    /// Position of the fascia behind the spinous processes.
    pub fascia_y: f64,
    /// How far the back muscles rise beside the midline.
    pub muscle_rise: f64,
    /// Position of the skin of the back.
    pub skin_y: f64,
}

impl Station {
    fn fields(&mut self) -> [&mut f64; 13] {
        [
            &mut self.x,
            &mut self.wall_y,
            &mut self.front_y,
            &mut self.cosine,
            &mut self.sac_front,
            &mut self.sac_depth,
            &mut self.sac_half_width,
            &mut self.canal_depth,
            &mut self.between_laminae,
            &mut self.half_width,
            &mut self.fascia_y,
            &mut self.muscle_rise,
            &mut self.skin_y,
        ]
    }

    fn lerp(mut self, mut other: Self, t: f64) -> Self {
        for (a, b) in self.fields().into_iter().zip(other.fields()) {
            *a += (*b - *a) * t;
        }
        self
    }
}

/// Stations from the lowest height up.
pub(super) struct Profile {
    low_z: f64,
    stations: Vec<Station>,
    /// Tip of the spinal cord.
    pub conus_z: f64,
}

/// What varies from patient to patient.
struct Habitus {
    sac_scale: f64,
    sac_end_shift: f64,
    fat_mm: f64,
}

/// Depth of the dural sac from T12 to S2, mm; above T12 as there.
const SAC_DEPTHS: [f64; 8] = [15.5, 16.0, 15.5, 14.8, 14.0, 12.8, 10.5, 4.0];
/// Fat in front of the sac from T12 to S2, mm.
const FAT_IN_FRONT: [f64; 8] = [0.8, 0.8, 0.8, 0.9, 1.2, 2.6, 4.0, 4.5];

impl Profile {
    /// Profile of a spine with its lesions.
    pub(super) fn draw(rng: &mut impl Rng, parameters: &BuildParameters, spine: &Spine, pathology: &Pathology) -> Self {
        let habitus = Habitus {
            sac_scale: parameters.sac.draw(rng),
            sac_end_shift: around(rng, 0.0, 8.0),
            // Thin to obese; most patients below 30 mm.
            fat_mm: 7.0 + 45.0 * rng.random::<f64>().powi(2),
        };
        let conus = &spine.bodies[VertebraLabel::L1.index()];
        let conus_z = conus.frame.center().z + parameters.conus_mm.draw(rng);
        let low_z = spine.bodies[spine.bodies.len() - 1].frame.center().z - MARGIN_MM;
        let mut profile = Self { low_z, stations: interpolate(&knots(spine, &habitus), low_z), conus_z };
        profile.place_front(spine);
        profile.smooth_walls();
        profile.narrow_canal(spine, pathology);
        profile.cover_with_fat(&habitus);
        profile
    }

    /// Measures at a height, held beyond the ends.
    pub(super) fn at(&self, z: f64) -> &Station {
        let index = ((z - self.low_z) * (1.0 / STEP_MM) + 0.5) as usize;
        &self.stations[index.min(self.stations.len() - 1)]
    }

    fn smooth(&mut self, sigma_mm: f64, mut field: impl FnMut(&mut Station) -> &mut f64) {
        let mut values: Vec<f64> = self.stations.iter_mut().map(|station| *field(station)).collect();
        // Three box filters come close to a Gaussian of this width.
        let half = (sigma_mm / STEP_MM).round() as usize;
        for _ in 0..3 {
            values = box_filter(&values, half);
        }
        for (station, value) in self.stations.iter_mut().zip(values) {
            *field(station) = value;
        }
    }

    /// The anterior wall has its own heights: the bodies are tilted.
    fn place_front(&mut self, spine: &Spine) {
        let mut wall: Vec<DVec3> = Vec::new();
        for body in spine.bodies.iter().rev() {
            let [sa, _, _, ia] = midline_corners(body);
            for corner in [ia, sa] {
                let floor = wall.last().map_or(f64::NEG_INFINITY, |below| below.z + 0.5);
                wall.push(corner.with_z(corner.z.max(floor)));
            }
        }
        let mut segment = 0;
        for (index, station) in self.stations.iter_mut().enumerate() {
            let z = self.low_z + index as f64 * STEP_MM;
            while segment + 2 < wall.len() && wall[segment + 1].z < z {
                segment += 1;
            }
            let (below, above) = (wall[segment], wall[segment + 1]);
            station.front_y = below.y + (above.y - below.y) * ((z - below.z) / (above.z - below.z)).max(0.0);
        }
    }

    fn smooth_walls(&mut self) {
        self.smooth(3.0, |station| &mut station.wall_y);
        self.smooth(3.5, |station| &mut station.front_y);
        self.smooth(6.0, |station| &mut station.x);
        self.smooth(5.0, |station| &mut station.sac_front);
        self.smooth(5.0, |station| &mut station.sac_depth);
        self.smooth(3.0, |station| &mut station.canal_depth);
        self.smooth(2.0, |station| &mut station.between_laminae);
        let last = self.stations.len() - 1;
        for index in 0..=last {
            let (below, above) = (index.saturating_sub(1), (index + 1).min(last));
            let rise = (above - below) as f64 * STEP_MM;
            let slope = (self.stations[above].wall_y - self.stations[below].wall_y) / rise;
            self.stations[index].cosine = 1.0 / slope.hypot(1.0);
        }
        self.smooth(5.0, |station| &mut station.cosine);
    }

    /// Bulging discs and thick ligaments make the sac narrow at the discs.
    fn narrow_canal(&mut self, spine: &Spine, pathology: &Pathology) {
        for disc in &spine.discs {
            let Some(finding) = disc.level.and_then(|level| pathology.discs.get(&level)) else {
                continue;
            };
            let z = disc.frame.lps(DVec3::new(0.0, disc.half_depth, 0.0)).z;
            let reach = disc.half_gaps[1] + 4.0;
            for (index, station) in self.stations.iter_mut().enumerate() {
                let away = (self.low_z + index as f64 * STEP_MM - z) / reach;
                let weight = (-away * away).exp();
                let (front, depth) = (station.sac_front, station.sac_depth);
                let pushed = front.max(disc.bulge_mm(0.0) + 0.4) - front;
                // Only a stenosis takes more than a third of the sac.
                let least = if finding.grades[Grading::CentralCanalStenosis] == 1 { 0.2 } else { 0.66 };
                let left = (depth * finding.sac_left).min(depth - pushed - finding.flavum_mm).max(least * depth);
                station.sac_front += pushed * weight;
                station.sac_depth += (left - depth) * weight;
                station.sac_half_width *= 1.0 - 0.25 * (1.0 - left / depth.max(1.0)) * weight;
            }
        }
    }

    fn cover_with_fat(&mut self, habitus: &Habitus) {
        self.smooth(9.0, |station| &mut station.fascia_y);
        for (index, station) in self.stations.iter_mut().enumerate() {
            let z = self.low_z + index as f64 * STEP_MM;
            // Fat is thickest over the lower lumbar spine; z = 0 is L3.
            let share = 0.55 + 0.45 / (1.0 + ((z - 20.0) / 30.0).exp());
            station.skin_y = station.fascia_y + station.muscle_rise * 0.7 + habitus.fat_mm * share;
        }
        self.smooth(22.0, |station| &mut station.skin_y);
    }
}

/// How far the table goes beyond the middles of the outermost bodies, mm.
const MARGIN_MM: f64 = 60.0;

fn midline_corners(body: &Body) -> [DVec3; 4] {
    body.measures.corners.map(|at| body.frame.lps(DVec3::new(0.0, at.x, at.y)))
}

/// Stations at the upper and lower end and the middle of every body, from the sacrum up, with their heights.
fn knots(spine: &Spine, habitus: &Habitus) -> Vec<(f64, Station)> {
    let mut knots: Vec<(f64, Station)> = Vec::new();
    let sacrum = VertebraLabel::S1.index();
    for (index, body) in spine.bodies.iter().enumerate().rev() {
        let [_, sp, ip, _] = midline_corners(body);
        let regional = |table: &[f64; 8]| table[index.saturating_sub(VertebraLabel::T12.index()).min(7)];
        let (behind, rise) = match body.measures.arch {
            Arch::Vertebral { spinous_length, .. } => (body.measures.canal_depth + spinous_length + 7.0, 6.0),
            Arch::Sacral => (body.measures.canal_depth + 17.0, 1.0),
        };
        let fade = if index > sacrum + 1 { 0.0 } else { 1.0 };
        let station = |posterior: DVec3, between: f64| Station {
            x: body.frame.center().x,
            wall_y: posterior.y,
            front_y: 0.0,
            cosine: 1.0,
            sac_front: regional(&FAT_IN_FRONT),
            sac_depth: regional(&SAC_DEPTHS) * habitus.sac_scale * fade - (1.0 - fade) * 4.0,
            sac_half_width: if index > sacrum { 7.0 } else { 9.5 } * habitus.sac_scale,
            canal_depth: body.measures.canal_depth,
            between_laminae: if index > sacrum { 0.0 } else { between },
            half_width: body.measures.half_width,
            fascia_y: posterior.y + behind,
            muscle_rise: rise,
            skin_y: 0.0,
        };
        let middle = station((sp + ip) / 2.0, 0.35);
        // Heights must rise, even where a body has slipped over the one below.
        let floor = knots.last().map_or(f64::NEG_INFINITY, |(z, _)| z + 0.5);
        let low = ip.z.max(floor);
        let high = sp.z.max(low + 1.0);
        knots.push((low, station(ip, 0.2)));
        knots.push((f64::midpoint(low, high), middle));
        knots.push((high, station(sp, 1.0)));
    }
    let end = habitus.sac_end_shift;
    // The sac ends around S2: shift its taper with the patient.
    for (_, station) in &mut knots {
        if station.sac_depth < 9.0 {
            station.sac_depth += end * 0.3;
        }
    }
    knots
}

/// Linear interpolation of knots onto the table; beyond the ends the last course is continued straight.
fn interpolate(knots: &[(f64, Station)], low_z: f64) -> Vec<Station> {
    let (Some(first), Some(last)) = (knots.first(), knots.last()) else {
        return vec![Station::default()];
    };
    let count = ((last.0 + MARGIN_MM - low_z) / STEP_MM) as usize;
    let mut segment = 0;
    (0..count)
        .map(|index| {
            let z = low_z + index as f64 * STEP_MM;
            if z <= first.0 {
                return first.1;
            }
            while segment + 2 < knots.len() && knots[segment + 1].0 < z {
                segment += 1;
            }
            let (below, above) = (&knots[segment], &knots[segment + 1]);
            let mut station = below.1.lerp(above.1, ((z - below.0) / (above.0 - below.0)).min(1.0));
            if z > above.0 {
                let slope = (above.1.wall_y - knots[segment - 1].1.wall_y) / (above.0 - knots[segment - 1].0);
                let shift = slope * (z - above.0);
                station.wall_y += shift;
                station.fascia_y += shift;
            }
            station
        })
        .collect()
}

/// Mean over `half` values either way, the ends held.
fn box_filter(values: &[f64], half: usize) -> Vec<f64> {
    let last = values.len() as isize - 1;
    let at = |index: isize| values[index.clamp(0, last) as usize];
    let half = half as isize;
    let mut sum: f64 = (-half..=half).map(at).sum();
    (0..values.len() as isize)
        .map(|index| {
            let mean = sum / (2 * half + 1) as f64;
            sum += at(index + half + 1) - at(index - half);
            mean
        })
        .collect()
}
