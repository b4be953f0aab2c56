//! The spine as a whole: bodies and discs chained upward from the sacral endplate.
//!
//! Sizes and tilts are means and deviations of the corner landmarks of 120 mid-sagittal T2 images of SPIDER
//! (van der Graaf et al. 2024), which agree with the morphometry of Panjabi et al. (Spine 17, 1992: lumbar bodies
//! 34-35 mm deep, 23-24 mm high behind, 41-47 mm wide, canal 17-20 mm deep); widths are Panjabi's.

use glam::{DVec2, DVec3};
use rand::Rng;

use super::body::{Arch, Body, BodyMeasures};
use super::disc::{DiscBody, DiscPlace};
use super::frame::Frame;
use super::parameters::{BuildParameters, PhantomParameters};
use super::pathology::{DiscPathology, Pathology, Transition};
use super::texture::around;
use crate::spine::{DiscLevel, VertebraLabel};

/// Bodies of a phantom: T8 to S1 and the four fused ones below.
pub(super) const BODIES: usize = 15;
/// Index of S1 among them.
const SACRAL_TOP: usize = 10;

/// Mean measures of a vertebra and of the disc below it, mm and degrees.
struct Usual {
    /// Depth of the upper and lower endplate.
    depths: [f64; 2],
    /// Height of the body.
    height: f64,
    /// Width left to right.
    width: f64,
    /// Tilt of the upper and lower endplate: posterior end down is positive.
    tilts: [f64; 2],
    /// Change of both tilts by one standard deviation of lordosis.
    lordosis: [f64; 2],
    /// Height of a healthy disc below.
    disc: f64,
    /// Middle of the pedicle left of the midline.
    pedicle: f64,
    /// Canal from the posterior wall to the lamina.
    canal: f64,
}

const fn usual(row: [f64; 11]) -> Usual {
    let [upper_depth, lower_depth, height, width, upper_tilt, lower_tilt, upper_more, lower_more, disc, pedicle, canal] =
        row;
    Usual {
        depths: [upper_depth, lower_depth],
        height,
        width,
        tilts: [upper_tilt, lower_tilt],
        lordosis: [upper_more, lower_more],
        disc,
        pedicle,
        canal,
    }
}

/// T8 to S5 as rows of: upper and lower depth, height, width, upper and lower tilt, their change with lordosis,
/// disc below, pedicle, canal.
const USUAL: [Usual; BODIES] = [
    usual([24.5, 25.0, 19.0, 29.0, -2.0, 0.0, 0.0, 0.5, 6.0, 9.0, 16.0]),
    usual([25.0, 25.5, 19.8, 30.0, 0.0, 1.5, 0.5, 1.0, 6.4, 9.0, 16.0]),
    usual([25.8, 26.3, 20.6, 32.0, 2.0, 4.0, 1.0, 1.8, 6.8, 9.5, 16.5]),
    usual([26.5, 27.3, 21.3, 35.0, 4.3, 6.3, 1.8, 2.3, 7.4, 10.0, 17.0]),
    usual([27.7, 28.3, 22.4, 39.0, 6.0, 9.0, 2.4, 3.2, 8.6, 10.5, 18.0]),
    usual([29.0, 29.8, 24.4, 42.0, 7.6, 10.8, 3.0, 2.8, 9.8, 11.5, 18.5]),
    usual([30.9, 31.4, 25.4, 44.0, 7.0, 8.3, 2.2, 1.4, 10.3, 12.0, 18.0]),
    usual([32.3, 32.3, 25.7, 46.0, 3.2, 2.3, 0.4, -0.6, 11.0, 13.0, 17.5]),
    usual([32.7, 32.5, 25.1, 48.0, -4.1, -7.2, -2.4, -3.6, 11.8, 14.5, 18.0]),
    usual([32.1, 31.5, 23.9, 50.0, -15.7, -23.5, -4.6, -5.8, 10.4, 17.0, 18.5]),
    usual([32.8, 22.0, 29.0, 84.0, -34.2, -37.0, -7.0, -6.0, 3.2, 20.0, 14.0]),
    usual([20.5, 15.5, 24.5, 78.0, -37.0, -36.0, -6.0, -6.0, 1.8, 20.0, 9.0]),
    usual([14.5, 12.0, 21.0, 66.0, -35.0, -30.0, -5.0, -5.0, 1.0, 20.0, 6.0]),
    usual([11.5, 9.5, 18.0, 54.0, -27.0, -15.0, -5.0, -5.0, 0.8, 20.0, 4.0]),
    usual([9.0, 7.0, 16.0, 40.0, -10.0, 5.0, -5.0, -5.0, 0.8, 20.0, 3.0]),
];

/// Labels of the bodies; the fused ones below S1 have none.
fn label(index: usize) -> Option<VertebraLabel> {
    VertebraLabel::ALL.get(index).copied()
}

/// The graded disc below a body.
fn level_below(index: usize) -> Option<DiscLevel> {
    label(index).and_then(DiscLevel::below)
}

/// The findings of the disc below a body.
fn finding_below(index: usize, pathology: &Pathology) -> Option<&DiscPathology> {
    pathology.discs.get(&level_below(index)?)
}

/// Spine of one patient.
pub(super) struct Spine {
    /// T8 to S5.
    pub bodies: Vec<Body>,
    /// Discs T8-T9 to S4-S5: each lies below the body of the same index.
    pub discs: Vec<DiscBody>,
}

/// One endplate in the sagittal plane: middle (posterior, superior) in the patient and tilt in radians.
#[derive(Clone, Copy)]
struct Plate {
    middle: DVec2,
    tilt: f64,
}

impl Plate {
    fn posterior(self) -> DVec2 {
        DVec2::new(self.tilt.cos(), -self.tilt.sin())
    }
}

fn up(tilt: f64) -> DVec2 {
    DVec2::new(tilt.sin(), tilt.cos())
}

/// What varies from patient to patient.
struct Build {
    /// Size against the mean.
    scale: f64,
    /// Height against depth.
    slenderness: f64,
    /// Disc height against the mean.
    disc_scale: f64,
    /// Lordosis in standard deviations.
    lordosis: f64,
    /// Rotation of the whole spine, degrees.
    pitch: f64,
    /// Amplitude and phase of the lateral curve: mm and radians.
    scoliosis: (f64, f64),
}

impl Build {
    fn draw(rng: &mut impl Rng, parameters: &BuildParameters) -> Self {
        let curved = rng.random_bool(parameters.scoliosis);
        let amplitude = if curved { parameters.scoliosis_mm.draw(rng) } else { rng.random_range(0.0..2.0) };
        Self {
            scale: parameters.scale.draw(rng),
            slenderness: parameters.slenderness.draw(rng),
            disc_scale: parameters.disc_height.draw(rng),
            lordosis: around(rng, 0.0, 1.0),
            pitch: parameters.pitch.draw(rng),
            scoliosis: (amplitude, rng.random_range(0.0..std::f64::consts::TAU)),
        }
    }

    /// Lateral offset (mm, left positive) at a height, and its slope.
    fn lateral(&self, z: f64) -> (f64, f64) {
        // One wave over about twice the lumbar spine.
        let wave = std::f64::consts::TAU / 330.0;
        let (amplitude, phase) = self.scoliosis;
        (amplitude * (wave * z + phase).sin(), amplitude * wave * (wave * z + phase).cos())
    }
}

impl Spine {
    /// Chains a spine from the sacrum up, its L3 near the origin of patient space.
    pub(super) fn draw(rng: &mut impl Rng, parameters: &PhantomParameters, pathology: &Pathology) -> Self {
        let build = Build::draw(rng, &parameters.build);
        let plates = place_plates(rng, &build, pathology);
        let mut bodies: Vec<Body> =
            (0..BODIES).map(|index| draw_body(rng, &build, index, plates[index], pathology)).collect();
        for (index, body) in bodies.iter_mut().enumerate() {
            if let Some(below) = finding_below(index, pathology) {
                body.inferior = below.upper.clone();
                body.osteophytes[1] = below.osteophyte_mm;
            }
            if let Some(above) = index.checked_sub(1).and_then(|above| finding_below(above, pathology)) {
                body.superior = above.lower.clone();
                body.osteophytes[0] = above.osteophyte_mm;
            }
            body.is_opened = body.label.is_some_and(|label| pathology.laminectomy.contains(&label));
            if rng.random_bool(parameters.distractors.hemangioma) {
                let center = DVec3::new(around(rng, 0.0, 6.0), around(rng, 0.0, 4.0), around(rng, 0.0, 3.0));
                body.hemangioma = Some((center, rng.random_range(3.0..7.0)));
            }
        }
        // What the patient's discs have in common, and each for itself.
        let tone = (parameters.tissues.disc_patient * around(rng, 0.0, 1.0)).exp();
        let discs = (0..BODIES - 1)
            .map(|index| {
                let tone = tone * (parameters.tissues.disc * around(rng, 0.0, 1.0)).exp();
                let free = index == SACRAL_TOP && pathology.transition == Transition::Lumbarized;
                let place = DiscPlace { level: level_below(index), is_remnant: index >= SACRAL_TOP && !free };
                DiscBody::between(rng, place, finding_below(index, pathology), tone, &bodies[index], &bodies[index + 1])
            })
            .collect();
        Self { bodies, discs }
    }

    /// The body with a label.
    pub(super) fn body(&self, label: VertebraLabel) -> &Body {
        &self.bodies[label.index()]
    }
}

/// Upper and lower endplate of each body.
fn place_plates(rng: &mut impl Rng, build: &Build, pathology: &Pathology) -> [[Plate; 2]; BODIES] {
    let tilts: Vec<[f64; 2]> = USUAL
        .iter()
        .map(|usual| {
            [0, 1].map(|plate| {
                let tilt = usual.tilts[plate] + usual.lordosis[plate] * build.lordosis + build.pitch;
                around(rng, tilt, 1.0).to_radians()
            })
        })
        .collect();
    let heights: Vec<f64> = USUAL
        .iter()
        .map(|usual| around(rng, usual.height, 0.025 * usual.height) * build.scale * build.slenderness)
        .collect();
    let gaps: Vec<(f64, f64)> = (0..BODIES)
        .map(|index| {
            let usual = &USUAL[index];
            let healthy = around(rng, usual.disc, 0.06 * usual.disc) * build.scale * build.disc_scale;
            match finding_below(index, pathology) {
                Some(disc) => (healthy * disc.height_factor, disc.slip * usual.depths[1] * build.scale),
                // The disc below a free first sacral segment is about half as high as that of L5.
                None if index == SACRAL_TOP && pathology.transition == Transition::Lumbarized => (2.0 * healthy, 0.0),
                None => (healthy, 0.0),
            }
        })
        .collect();

    let origin = Plate { middle: DVec2::ZERO, tilt: 0.0 };
    let mut plates = [[origin; 2]; BODIES];
    let lower = |upper: Plate, index: usize| {
        let mean = f64::midpoint(tilts[index][0], tilts[index][1]);
        Plate { middle: upper.middle - up(mean) * heights[index], tilt: tilts[index][1] }
    };
    // Downward from the top of the sacrum, then upward.
    plates[SACRAL_TOP][0].tilt = tilts[SACRAL_TOP][0];
    for index in SACRAL_TOP..BODIES {
        if index > SACRAL_TOP {
            let above = plates[index - 1][1];
            let middle = above.middle - up(above.tilt) * gaps[index - 1].0;
            plates[index][0] = Plate { middle, tilt: tilts[index][0] };
        }
        plates[index][1] = lower(plates[index][0], index);
    }
    for index in (0..SACRAL_TOP).rev() {
        let below = plates[index + 1][0];
        let (gap, slip) = gaps[index];
        let between = Plate { tilt: f64::midpoint(below.tilt, tilts[index][1]), ..below };
        let middle = below.middle + up(between.tilt) * gap - between.posterior() * slip;
        let mean = f64::midpoint(tilts[index][0], tilts[index][1]);
        plates[index][1] = Plate { middle, tilt: tilts[index][1] };
        plates[index][0] = Plate { middle: middle + up(mean) * heights[index], tilt: tilts[index][0] };
    }
    let third = VertebraLabel::L3.index();
    let center = (plates[third][0].middle + plates[third][1].middle) / 2.0;
    plates.iter_mut().flatten().for_each(|plate| plate.middle -= center);
    plates
}

fn draw_body(
    rng: &mut impl Rng,
    build: &Build,
    index: usize,
    [upper, lower]: [Plate; 2],
    pathology: &Pathology,
) -> Body {
    let usual = &USUAL[index];
    let tilt = f64::midpoint(upper.tilt, lower.tilt);
    let center = (upper.middle + lower.middle) / 2.0;
    let (x, slope) = build.lateral(center.y);
    let frame = Frame::new(DVec3::new(x, center.x, center.y), tilt, -slope.atan());
    let mut depths = usual.depths.map(|depth| around(rng, depth, 0.02 * depth) * build.scale);
    if index == SACRAL_TOP && pathology.transition == Transition::Lumbarized {
        // A free first sacral segment is squared like a lumbar body.
        depths[1] = depths[1].max(0.84 * depths[0]);
    }
    let corner = |plate: Plate, depth: f64| {
        let at = plate.middle + plate.posterior() * depth;
        let local = frame.local(DVec3::new(x, at.x, at.y));
        DVec2::new(local.y, local.z)
    };
    let mut corners = [
        corner(upper, -depths[0] / 2.0),
        corner(upper, depths[0] / 2.0),
        corner(lower, depths[1] / 2.0),
        corner(lower, -depths[1] / 2.0),
    ];
    if let Some((_, lost)) = pathology.fracture.filter(|(fractured, _)| label(index) == Some(*fractured)) {
        corners[0].y -= lost * usual.height;
        corners[1].y -= 0.2 * lost * usual.height;
    }
    let sacral = index >= SACRAL_TOP;
    let half_width = around(rng, usual.width / 2.0, 1.0) * build.scale;
    let thoracic = index < VertebraLabel::T12.index();
    let arch = if sacral {
        Arch::Sacral
    } else {
        Arch::Vertebral {
            pedicle_mm: usual.pedicle * build.scale,
            spinous_length: around(rng, if index == SACRAL_TOP - 1 { 20.0 } else { 27.0 }, 2.5) * build.scale,
            spinous_slope: if thoracic { rng.random_range(0.4..0.7) } else { rng.random_range(0.0..0.3) },
        }
    };
    let (hollows, waists) = if sacral {
        ([rng.random_range(0.0..1.0), 0.2], [1.0, 0.8])
    } else {
        (
            [rng.random_range(0.4..1.8), rng.random_range(0.8..2.6)],
            [rng.random_range(1.2..2.8), rng.random_range(0.6..1.8)],
        )
    };
    let measures = BodyMeasures {
        corners,
        half_width,
        outlined_half_width: half_width.min(25.0 * build.scale),
        hollows,
        waists,
        canal_depth: around(rng, usual.canal, 0.6) * build.scale,
        arch,
    };
    Body::new(label(index), frame, measures)
}
