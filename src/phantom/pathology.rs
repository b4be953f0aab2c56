//! Which grades a phantom has, and the lesions that make them visible.
//!
//! Chances by Pfirrmann grade and correlations were counted in the 970 graded discs of the development scans (see
//! `parameters`): grades of neighbouring discs correlate by 0.64, endplate defects by 0.49, marrow changes by 0.56; the
//! two endplates of a disc agree in 93 % of discs. `tests` holds the phantoms to these figures.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::PhantomSettings;
use super::texture::around;
use crate::spine::{DiscLevel, Grading, PerGrading, VertebraLabel};

/// Mean Pfirrmann grade by level, T12-L1 to L5-S1.
const MEAN_GRADE: [f64; 6] = [2.26, 2.49, 2.69, 2.89, 3.26, 3.35];
/// Deviation of the Pfirrmann grade between and within patients.
const GRADE_DEVIATION: [f64; 2] = [1.0, 0.75];
/// Chance of an endplate defect by Pfirrmann grade; for the endplate above, and for that below where the one above has
/// one and where it has none.
const ENDPLATE: [f64; 5] = [0.16, 0.21, 0.44, 0.55, 0.82];
const SECOND_ENDPLATE: [f64; 2] = [0.063, 0.92];
/// Chance of a marrow change at a disc.
const MARROW: [f64; 5] = [0.03, 0.13, 0.39, 0.48, 0.88];
/// Chance of narrowing, and of its grades 2 to 4 among narrowed discs. The development scans say narrowed or not; the
/// grades among them follow from the measured heights.
const NARROWED: [f64; 5] = [0.11, 0.08, 0.37, 0.72, 1.0];
const NARROWING: [[f64; 3]; 5] =
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.8, 0.2, 0.0], [0.5, 0.42, 0.08], [0.3, 0.45, 0.25]];
/// Chance of a slip by grade, and its distribution over levels around 1.
const SLIP: [f64; 5] = [0.002, 0.005, 0.013, 0.072, 0.112];
const SLIP_LEVEL: [f64; 6] = [0.3, 0.7, 0.7, 0.7, 1.4, 1.7];
/// Chance of a bulging and of a herniated disc.
const BULGING: [f64; 5] = [0.18, 0.24, 0.66, 0.86, 0.88];
const HERNIATED: [f64; 5] = [0.01, 0.01, 0.05, 0.09, 0.21];
/// Stenosis, which the development scans do not grade, is a matter of degeneration and of the lower lumbar levels.
const STENOSIS: [f64; 5] = [0.2, 0.4, 0.9, 1.5, 2.0];
const STENOSIS_LEVEL: [f64; 6] = [0.2, 0.4, 0.9, 1.7, 2.2, 0.6];
/// Share of the variance of defects and marrow changes, given the grade, that lies between patients.
const SHARED: f64 = 0.8;

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
    /// Steepness of its walls: 1 is a bowl, more is a bay.
    pub steepness: f64,
}

impl Notch {
    /// Depth at a point of the endplate, 0 outside.
    pub(super) fn depth_at(&self, along: f64, lateral: f64) -> f64 {
        let (a, b) = ((along - self.along) / self.half_length, (lateral - self.lateral) / self.half_width);
        let share = 1.0 - a * a - b * b;
        if share <= 0.0 { 0.0 } else { self.depth * (share * self.steepness).min(1.0) * (0.8 + 0.2 * share) }
    }
}

/// Modic's types (Modic et al., Radiology 166, 1988).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modic {
    /// Edema: bright on T2, dark on T1.
    Edema,
    /// Fat: bright on both.
    Fat,
    /// Sclerosis: dark on both.
    Sclerosis,
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
    /// What it consists of.
    pub kind: Modic,
    /// T2 signal against that of healthy marrow.
    pub contrast: f64,
}

impl MarrowChange {
    /// Depth that the band reaches under a point of the endplate, 0 outside.
    pub(super) fn thickness_at(&self, along: f64, lateral: f64) -> f64 {
        let (a, b) = ((along - self.along) / self.half_length, (lateral - self.lateral) / self.half_width);
        self.thickness * (1.0 - a * a * a * a - b * b * b * b).max(0.0)
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct EndplateLesions {
    pub notches: Vec<Notch>,
    pub marrow: Option<MarrowChange>,
}

/// Part of a disc that passes the posterior walls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bulge {
    /// All along the posterior wall, mm.
    pub broad_mm: f64,
    /// More at one place (protrusion), mm.
    pub focal_mm: f64,
    /// How far left of the middle that is, mm.
    pub lateral: f64,
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
    /// How far the disc passes the posterior walls.
    pub bulge: Bulge,
    /// How far the ligamentum flavum pushes the sac forward, mm.
    pub flavum_mm: f64,
    /// Share of the sac's depth left at the disc.
    pub sac_left: f64,
    /// Length of the bony lips in front, mm.
    pub osteophyte_mm: f64,
}

/// Where the lumbar spine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    /// Five free lumbar bodies.
    None,
    /// S1 is free as well.
    Lumbarized,
    /// L5 has grown together with the sacrum.
    Sacralized,
}

/// Everything that ails a patient.
pub(super) struct Pathology {
    /// Findings of the six graded discs.
    pub discs: BTreeMap<DiscLevel, DiscPathology>,
    /// Degeneration of the patient as a whole, in standard deviations.
    pub wear: f64,
    /// Number of lumbar bodies.
    pub transition: Transition,
    /// An old fracture: the body and how much of its height in front is lost.
    pub fracture: Option<(VertebraLabel, f64)>,
    /// Bodies whose arches have been removed.
    pub laminectomy: Vec<VertebraLabel>,
    /// Levels with fluid in the facet joints.
    pub facet_fluid: Vec<DiscLevel>,
    /// Radius of a Tarlov cyst, mm.
    pub tarlov_mm: Option<f64>,
}

impl Pathology {
    /// Grades of the six discs.
    pub(super) fn grades(&self) -> BTreeMap<DiscLevel, PerGrading<u8>> {
        self.discs.iter().map(|(level, finding)| (*level, finding.grades.clone())).collect()
    }
}

/// Draws grades, lesions and lookalikes.
pub(super) fn draw(rng: &mut impl Rng, settings: &PhantomSettings) -> Pathology {
    let rates = &settings.parameters.pathology;
    let chance = rng.random::<f64>();
    let transition = if chance < rates.lumbarized {
        Transition::Lumbarized
    } else if chance < rates.lumbarized + rates.sacralized {
        Transition::Sacralized
    } else {
        Transition::None
    };
    let patient =
        Patient { wear: around(rng, 0.0, 1.0), endplates: around(rng, 0.0, 1.0), marrow: around(rng, 0.0, 1.0) };
    let discs = DiscLevel::ALL
        .into_iter()
        .map(|level| {
            let fused = transition == Transition::Sacralized && level == DiscLevel::L5S1;
            let grades = draw_grades(rng, settings, level, &patient, fused);
            // What one disc needs leaves the others alone.
            let mut own = ChaCha8Rng::seed_from_u64(rng.random());
            (level, lesions(&mut own, grades, &patient))
        })
        .collect();
    let mut pathology = Pathology {
        discs,
        wear: patient.wear,
        transition,
        fracture: None,
        laminectomy: Vec::new(),
        facet_fluid: Vec::new(),
        tarlov_mm: None,
    };
    add_distractors(rng, settings, &mut pathology);
    pathology
}

/// What a patient's discs have in common, each in standard deviations.
struct Patient {
    wear: f64,
    endplates: f64,
    marrow: f64,
}

fn add_distractors(rng: &mut impl Rng, settings: &PhantomSettings, pathology: &mut Pathology) {
    let rates = &settings.parameters.distractors;
    if rng.random_bool(rates.fracture) {
        let body = [VertebraLabel::T12, VertebraLabel::L1, VertebraLabel::L2][rng.random_range(0..3)];
        pathology.fracture = Some((body, rng.random_range(0.15..0.4)));
    }
    if rng.random_bool(rates.laminectomy) {
        let first = rng.random_range(VertebraLabel::L2.index()..=VertebraLabel::L5.index());
        let last = (first + rng.random_range(0..2)).min(VertebraLabel::L5.index());
        pathology.laminectomy = VertebraLabel::ALL[first..=last].to_vec();
    }
    pathology.facet_fluid = DiscLevel::ALL.into_iter().filter(|_| rng.random_bool(rates.facet_fluid)).collect();
    pathology.tarlov_mm = rng.random_bool(rates.tarlov_cyst).then(|| rng.random_range(4.0..8.0));
}

fn draw_grades(
    rng: &mut impl Rng,
    settings: &PhantomSettings,
    level: DiscLevel,
    patient: &Patient,
    fused: bool,
) -> PerGrading<u8> {
    let rates = &settings.parameters.pathology;
    let fixed = |grading: Grading, drawn: u8| settings.fixed_grade(level, grading).unwrap_or(drawn);
    let mean = MEAN_GRADE[level.index()] + rates.degeneration + GRADE_DEVIATION[0] * patient.wear;
    let pfirrmann = fixed(Grading::Pfirrmann, around(rng, mean, GRADE_DEVIATION[1]).round().clamp(1.0, 5.0) as u8);
    let by_grade = |table: &[f64; 5]| table[usize::from(pfirrmann) - 1];
    // A disc that fusion has left behind is low whatever its grade.
    let drawn = if fused {
        3
    } else if rng.random_bool(by_grade(&NARROWED)) {
        let chance = rng.random::<f64>();
        let [second, third, _] = NARROWING[usize::from(pfirrmann) - 1];
        2 + u8::from(chance >= second) + u8::from(chance >= second + third)
    } else {
        1
    };
    let narrowing = fixed(Grading::DiscNarrowing, drawn);
    let mut shared = |chance: f64, patient: f64| {
        let liability = SHARED.sqrt() * patient + (1.0 - SHARED).sqrt() * around(rng, 0.0, 1.0);
        u8::from(liability < quantile(chance))
    };
    let marrow = shared(by_grade(&MARROW) * rates.marrow_change, patient.marrow);
    // Half of the patients' tendency is common to defects and marrow changes (they correlate by 0.46).
    let endplates = (patient.endplates + patient.marrow) / std::f64::consts::SQRT_2;
    let upper = shared(by_grade(&ENDPLATE) * rates.endplate_defect, endplates);
    let upper_defect = fixed(Grading::UpperEndplateDefect, upper);
    let mut present = |grading: Grading, rate: f64| fixed(grading, u8::from(rng.random_bool(rate.clamp(0.0, 1.0))));
    let lower_defect = present(Grading::LowerEndplateDefect, SECOND_ENDPLATE[usize::from(upper)]);
    // Marrow changes mostly lie on both sides; which side alone, the development scans do not say.
    let both = present(Grading::UpperMarrowChange, if marrow == 1 { 0.82 } else { 0.0 });
    let lower_rate = if both == 1 { 0.8 } else { 1.0 };
    let lower_marrow = present(Grading::LowerMarrowChange, if marrow == 1 { lower_rate } else { 0.0 });
    let slip_rate = by_grade(&SLIP) * SLIP_LEVEL[level.index()] * rates.spondylolisthesis;
    let slip = present(Grading::Spondylolisthesis, if fused { 0.0 } else { slip_rate });
    let stenosis_rate = rates.central_canal_stenosis * by_grade(&STENOSIS) * STENOSIS_LEVEL[level.index()];
    let stenosis = present(Grading::CentralCanalStenosis, stenosis_rate);
    let in_order = [pfirrmann, narrowing, upper_defect, lower_defect, both, lower_marrow, slip, stenosis];
    PhantomSettings::GRADINGS.into_iter().zip(in_order).collect()
}

/// The value that a standard normal variable stays below with this chance (logistic approximation).
fn quantile(chance: f64) -> f64 {
    // The logistic curve of slope 1.702 is within 0.01 of the normal distribution.
    let chance = chance.clamp(1e-6, 1.0 - 1e-6);
    (chance / (1.0 - chance)).ln() / 1.702
}

fn lesions(rng: &mut impl Rng, grades: PerGrading<u8>, patient: &Patient) -> DiscPathology {
    let pfirrmann = usize::from(grades[Grading::Pfirrmann]) - 1;
    let (low, high) =
        [(0.88, 1.06), (0.7, 0.84), (0.54, 0.68), (0.36, 0.5)][usize::from(grades[Grading::DiscNarrowing]) - 1];
    let stenosis = grades[Grading::CentralCanalStenosis] == 1;
    let height_factor = rng.random_range(low..high);
    let slip = if grades[Grading::Spondylolisthesis] == 1 {
        // Meyerding I to the beginning of II.
        rng.random_range(0.12..0.32)
    } else {
        around(rng, 0.0, 0.012)
    };
    let mut bulge = Bulge::default();
    if rng.random_bool(BULGING[pfirrmann]) {
        bulge.broad_mm = rng.random_range(0.8..2.6);
    }
    if rng.random_bool(HERNIATED[pfirrmann]) {
        bulge.focal_mm = rng.random_range(2.0..4.5);
        bulge.lateral = around(rng, 0.0, 5.0);
    }
    if stenosis {
        bulge.broad_mm = bulge.broad_mm.max(rng.random_range(2.5..5.0));
    }
    let flavum_mm = if stenosis { rng.random_range(2.5..4.5) } else { rng.random_range(0.0..1.4) };
    let mut endplate = |defect: Grading, marrow: Grading| EndplateLesions {
        notches: if grades[defect] == 1 { draw_notches(rng) } else { Vec::new() },
        marrow: (grades[marrow] == 1).then(|| draw_marrow_change(rng)),
    };
    let upper = endplate(Grading::UpperEndplateDefect, Grading::UpperMarrowChange);
    let lower = endplate(Grading::LowerEndplateDefect, Grading::LowerMarrowChange);
    let worn = pfirrmann as f64 - 1.5 + 0.5 * patient.wear + around(rng, 0.0, 1.0);
    DiscPathology {
        height_factor,
        upper,
        lower,
        slip,
        bulge,
        flavum_mm,
        // A sac of 12-15 mm reduced below half is severe stenosis; other discs leave two thirds at least.
        sac_left: if stenosis { rng.random_range(0.2..0.42) } else { rng.random_range(0.85..1.0) },
        osteophyte_mm: (worn * rng.random_range(0.3..1.3)).clamp(0.0, 5.0),
        grades,
    }
}

/// Many small ones, few large: of even distribution on a logarithmic scale.
fn mostly_small(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low * (high / low).powf(rng.random())
}

/// One Schmorl's node, or an irregular plate of some erosions side by side.
fn draw_notches(rng: &mut impl Rng) -> Vec<Notch> {
    let node = rng.random_bool(0.45);
    let (count, spread) = if node { (1, 0.0) } else { (rng.random_range(2..=4), 4.5) };
    let (along, lateral) = (rng.random_range(-9.0..9.0), around(rng, 0.0, 5.0));
    (0..count)
        .map(|_| {
            let (depth, half_length) = if node {
                (mostly_small(rng, 2.2, 6.5), mostly_small(rng, 2.5, 9.5))
            } else {
                (mostly_small(rng, 1.5, 3.2), mostly_small(rng, 1.8, 6.0))
            };
            Notch {
                along: along + spread * rng.random_range(-1.0..1.0),
                lateral: lateral + spread * rng.random_range(-0.5..0.5),
                half_length,
                // Less would fall between two slices.
                half_width: mostly_small(rng, 4.5, 12.0),
                depth,
                steepness: rng.random_range(1.0..1.6),
            }
        })
        .collect()
}

fn draw_marrow_change(rng: &mut impl Rng) -> MarrowChange {
    // Development scans: nearly all of type 2, but types were told from T1 and T2 by eye; others find more of type 1.
    let (kind, contrast) = match rng.random::<f64>() {
        ..0.78 => (Modic::Fat, rng.random_range(1.25..1.85)),
        ..0.93 => (Modic::Edema, rng.random_range(1.3..1.9)),
        _ => (Modic::Sclerosis, rng.random_range(0.3..0.55)),
    };
    MarrowChange {
        along: rng.random_range(-12.0..12.0),
        half_length: mostly_small(rng, 3.0, 12.0),
        lateral: around(rng, 0.0, 6.0),
        half_width: mostly_small(rng, 4.5, 10.0),
        thickness: mostly_small(rng, 2.2, 8.5),
        kind,
        contrast,
    }
}
