//! Which grades a phantom has, and the lesions that make them visible.

use std::collections::BTreeMap;

use rand::Rng;

use super::PhantomSettings;
use super::texture::around;
use crate::spine::{DiscLevel, Grading, PerGrading};

/// How common findings are.
///
/// Defaults follow the 970 graded discs of SPIDER (van der Graaf et al. 2024): endplate defects in two of five discs,
/// Modic changes in one of three, slips in one of forty; stenosis, which SPIDER does not grade, in one of twelve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathologyRates {
    /// Mean degeneration of the discs, added to their Pfirrmann grade before rounding (0: as in SPIDER).
    pub degeneration: f64,
    /// Share of endplates with a defect, 0 to 1.
    pub endplate_defect: f64,
    /// Share of endplates with a marrow change, 0 to 1.
    pub marrow_change: f64,
    /// Share of discs with spondylolisthesis, 0 to 1.
    pub spondylolisthesis: f64,
    /// Share of discs with central canal stenosis, 0 to 1.
    pub central_canal_stenosis: f64,
}

impl Default for PathologyRates {
    fn default() -> Self {
        Self {
            degeneration: 0.0,
            endplate_defect: 0.35,
            marrow_change: 0.25,
            spondylolisthesis: 0.04,
            central_canal_stenosis: 0.1,
        }
    }
}

/// Dent of an endplate (Schmorl's node or erosion), in millimeters from the middle of the endplate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notch {
    /// Center along the endplate, posterior positive.
    pub along: f64,
    /// Center to the left.
    pub lateral: f64,
    /// Half its length along the endplate.
    pub half_length: f64,
    /// Half its width left to right.
    pub half_width: f64,
    /// Greatest depth.
    pub depth: f64,
}

impl Notch {
    /// Depth at a point of the endplate, 0 outside.
    pub(super) fn depth_at(&self, along: f64, lateral: f64) -> f64 {
        let (a, b) = ((along - self.along) / self.half_length, (lateral - self.lateral) / self.half_width);
        self.depth * (1.0 - a * a - b * b).max(0.0)
    }
}

/// Band of changed marrow beside an endplate, in millimeters from the middle of the endplate.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarrowChange {
    /// Center along the endplate, posterior positive.
    pub along: f64,
    /// Half its length along the endplate.
    pub half_length: f64,
    /// Center to the left.
    pub lateral: f64,
    /// Half its width left to right.
    pub half_width: f64,
    /// Depth into the body.
    pub thickness: f64,
    /// Signal against that of healthy marrow.
    pub contrast: f64,
}

impl MarrowChange {
    /// Depth that the band reaches under a point of the endplate, 0 outside.
    pub(super) fn thickness_at(&self, along: f64, lateral: f64) -> f64 {
        let (a, b) = ((along - self.along) / self.half_length, (lateral - self.lateral) / self.half_width);
        self.thickness * (1.0 - a * a * a * a - b * b * b * b).max(0.0)
    }
}

/// Lesions of one endplate.
#[derive(Debug, Clone, Default)]
pub(super) struct EndplateLesions {
    /// Dents.
    pub notches: Vec<Notch>,
    /// Changed marrow.
    pub marrow: Option<MarrowChange>,
}

/// Grades of a disc and the lesions behind them.
#[derive(Debug, Clone)]
pub(super) struct DiscPathology {
    /// What a reader should say.
    pub grades: PerGrading<u8>,
    /// Height against a healthy disc.
    pub height_factor: f64,
    /// Lesions of the endplate above.
    pub upper: EndplateLesions,
    /// Lesions of the endplate below.
    pub lower: EndplateLesions,
    /// Forward slip of the body above, share of its depth; slightly negative is normal.
    pub slip: f64,
    /// How far the disc passes the posterior walls, mm.
    pub bulge_mm: f64,
    /// How far the ligamentum flavum pushes the sac forward, mm.
    pub flavum_mm: f64,
    /// Share of the sac's depth left at the disc.
    pub sac_left: f64,
}

/// Draws grades and lesions for the six graded discs.
pub(super) fn draw(rng: &mut impl Rng, settings: &PhantomSettings) -> BTreeMap<DiscLevel, DiscPathology> {
    // Degeneration is shared within a patient and worse further down.
    let patient = around(rng, 0.0, 0.9) + settings.pathology.degeneration;
    DiscLevel::ALL
        .into_iter()
        .map(|level| {
            let grades = draw_grades(rng, settings, level, patient);
            (level, lesions(rng, grades))
        })
        .collect()
}

fn draw_grades(rng: &mut impl Rng, settings: &PhantomSettings, level: DiscLevel, patient: f64) -> PerGrading<u8> {
    // Mean Pfirrmann grade by level in SPIDER: 2.3 at T12-L1 to 3.3 at L4-L5 and L5-S1.
    let mean = [2.3, 2.5, 2.7, 2.9, 3.2, 3.3][level.index()];
    let fixed = |grading: Grading, drawn: u8| settings.fixed_grade(level, grading).unwrap_or(drawn);
    let pfirrmann = fixed(Grading::Pfirrmann, around(rng, mean + patient, 0.7).round().clamp(1.0, 5.0) as u8);
    let usual_narrowing = [1.0, 1.1, 1.5, 2.2, 3.5][usize::from(pfirrmann) - 1];
    let narrowing = fixed(Grading::DiscNarrowing, around(rng, usual_narrowing, 0.35).round().clamp(1.0, 4.0) as u8);
    // Findings are rarer at young discs and commoner at old ones; the factors average to about one.
    let age = [0.35, 0.6, 1.0, 1.5, 2.0][usize::from(pfirrmann) - 1];
    let rates = &settings.pathology;
    let mut present = |grading: Grading, rate: f64| fixed(grading, u8::from(rng.random_bool(rate.clamp(0.0, 1.0))));
    let upper_defect = present(Grading::UpperEndplateDefect, rates.endplate_defect * age);
    let together = |other: u8| if other == 1 { 1.4 } else { 0.7 };
    let lower_defect = present(Grading::LowerEndplateDefect, rates.endplate_defect * age * together(upper_defect));
    let upper_marrow = present(Grading::UpperMarrowChange, rates.marrow_change * age);
    let lower_marrow = present(Grading::LowerMarrowChange, rates.marrow_change * age * together(upper_marrow));
    let low = [0.2, 0.3, 0.5, 1.0, 2.2, 1.8][level.index()];
    let slip = present(Grading::Spondylolisthesis, rates.spondylolisthesis * low * age);
    let low = [0.2, 0.4, 0.9, 1.7, 2.2, 0.6][level.index()];
    let stenosis = present(Grading::CentralCanalStenosis, rates.central_canal_stenosis * low * age);
    let in_order = [pfirrmann, narrowing, upper_defect, lower_defect, upper_marrow, lower_marrow, slip, stenosis];
    PerGrading::from_fn(|grading| in_order[grading.index()])
}

fn lesions(rng: &mut impl Rng, grades: PerGrading<u8>) -> DiscPathology {
    let pfirrmann = f64::from(grades[Grading::Pfirrmann]);
    let (low, high) =
        [(0.95, 1.12), (0.72, 0.86), (0.45, 0.62), (0.15, 0.32)][usize::from(grades[Grading::DiscNarrowing]) - 1];
    let stenosis = grades[Grading::CentralCanalStenosis] == 1;
    let slip = if grades[Grading::Spondylolisthesis] == 1 {
        // Meyerding I to the beginning of II.
        rng.random_range(0.15..0.32)
    } else {
        around(rng, 0.0, 0.012)
    };
    let bulge_mm = if stenosis { rng.random_range(3.0..5.5) } else { (pfirrmann - 2.0) * rng.random_range(0.1..0.8) };
    let flavum_mm = if stenosis { rng.random_range(2.5..4.5) } else { rng.random_range(0.0..1.0) };
    let mut endplate = |defect: Grading, marrow: Grading| EndplateLesions {
        notches: if grades[defect] == 1 { draw_notches(rng) } else { Vec::new() },
        marrow: (grades[marrow] == 1).then(|| draw_marrow_change(rng)),
    };
    let upper = endplate(Grading::UpperEndplateDefect, Grading::UpperMarrowChange);
    let lower = endplate(Grading::LowerEndplateDefect, Grading::LowerMarrowChange);
    DiscPathology {
        height_factor: rng.random_range(low..high),
        upper,
        lower,
        slip,
        bulge_mm: bulge_mm.max(0.0),
        flavum_mm,
        // A sac of 12-15 mm reduced below half is severe stenosis; a normal disc takes a tenth at most.
        sac_left: if stenosis { rng.random_range(0.2..0.42) } else { rng.random_range(0.85..1.0) },
        grades,
    }
}

/// One Schmorl's node or a few erosions.
fn draw_notches(rng: &mut impl Rng) -> Vec<Notch> {
    let node = rng.random_bool(0.6);
    let count = if node { 1 } else { rng.random_range(2..=3) };
    (0..count)
        .map(|_| {
            let (depth, half_length) = if node {
                (rng.random_range(3.5..8.0), rng.random_range(5.0..9.0))
            } else {
                (rng.random_range(2.4..4.0), rng.random_range(3.5..5.5))
            };
            Notch {
                along: rng.random_range(-7.0..7.0),
                lateral: around(rng, 0.0, 4.0),
                half_length,
                half_width: rng.random_range(6.0..13.0),
                depth,
            }
        })
        .collect()
}

fn draw_marrow_change(rng: &mut impl Rng) -> MarrowChange {
    // Fatty (type 2) and edematous (type 1) changes are bright on T2, sclerosis (type 3) is dark and rare.
    let contrast = if rng.random_bool(0.06) { rng.random_range(0.3..0.5) } else { rng.random_range(1.35..2.0) };
    MarrowChange {
        along: rng.random_range(-8.0..8.0),
        half_length: rng.random_range(9.0..18.0),
        lateral: around(rng, 0.0, 5.0),
        half_width: rng.random_range(9.0..20.0),
        thickness: rng.random_range(5.0..11.0),
        contrast,
    }
}
