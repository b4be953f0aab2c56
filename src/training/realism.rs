//! How like patients' scans phantoms look: intensities, textures and shapes measured in the same places of both.
//!
//! All values are relative to the marrow of the nearest body, so that scaling and coil do not matter. One number per scan
//! (or per disc where the Pfirrmann grade matters); phantoms and scans are compared by their distributions, TSE with
//! mid-sagittal slices and SPACE with stacks. Phantoms are tuned on one half of the patients and reported on the other.

use std::collections::BTreeMap;

use glam::DVec2;

use super::spider::ScanCase;
use crate::phantom::{PhantomStudy, Sequence};
use crate::spine::{Corners, DiscLevel, Grading, Vertebra, VertebraLabel, discs_between};
use crate::volume::Volume;

/// Bodies that are measured.
const BODIES: [VertebraLabel; 5] =
    [VertebraLabel::L1, VertebraLabel::L2, VertebraLabel::L3, VertebraLabel::L4, VertebraLabel::L5];
/// Width of the window that divides slow from fine texture, mm.
const WINDOW_MM: f64 = 5.0;

/// Names of the kinds of scans.
const TSE: &str = "TSE";
const SPACE: &str = "SPACE";

/// Values of each measure, one a scan or disc.
pub(crate) type Measures = BTreeMap<String, Vec<f64>>;

/// One measure in phantoms and in patients.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// What was measured.
    pub name: String,
    /// Number of values: phantoms, patients.
    pub counts: [usize; 2],
    /// 10th, 50th and 90th percentile in phantoms.
    pub phantoms: [f64; 3],
    /// The same in patients.
    pub patients: [f64; 3],
    /// Kolmogorov–Smirnov distance: 0 same distribution, 1 no overlap.
    pub distance: f64,
}

/// Whether phantoms may be tuned to a patient: those of even number. The others say how well that went.
#[must_use]
pub(crate) fn is_for_tuning(patient: u32) -> bool {
    patient.is_multiple_of(2)
}

/// Mean Kolmogorov–Smirnov distance of comparisons.
#[must_use]
pub(crate) fn mean_distance(rows: &[Comparison]) -> f64 {
    rows.iter().map(|row| row.distance).sum::<f64>() / rows.len().max(1) as f64
}

/// Measures a patient's scan on its middle slice.
pub(crate) fn measure_case(case: &ScanCase, into: &mut Measures) {
    let grades = case.discs.iter().filter_map(|labelled| {
        let class = labelled.labels.of(Grading::Pfirrmann).single()?;
        Some((labelled.disc.level, class + 1))
    });
    let slice = middle_slice(&case.vertebrae, &case.volume);
    let kind = if case.volume.slices() == 1 { TSE } else { SPACE };
    measure(&case.volume, slice, &case.vertebrae, &grades.collect(), kind, into);
}

/// Measures a phantom on its middle slice.
pub(crate) fn measure_phantom(study: &PhantomStudy, into: &mut Measures) {
    let grades = study.grades.iter().map(|(level, grades)| (*level, usize::from(grades[Grading::Pfirrmann])));
    let slice = middle_slice(&study.vertebrae, &study.volume);
    let kind = if study.sequence == Sequence::T2Space { SPACE } else { TSE };
    measure(&study.volume, slice, &study.vertebrae, &grades.collect(), kind, into);
}

/// The slice through the middle of the third lumbar body, or of the scan.
#[must_use]
pub(crate) fn middle_slice(vertebrae: &[Vertebra], volume: &Volume) -> usize {
    let third = vertebrae.iter().find(|body| body.label == VertebraLabel::L3);
    let middle = third.map_or((volume.slices() - 1) as f64 / 2.0, Vertebra::center_slice);
    (middle.round().max(0.0) as usize).min(volume.slices() - 1)
}

/// Compares what was measured in both, in alphabetical order.
#[must_use]
pub(crate) fn compare(phantoms: &Measures, patients: &Measures) -> Vec<Comparison> {
    let rows = phantoms.iter().filter_map(|(name, phantoms)| {
        let patients = patients.get(name)?;
        let distance = distance(phantoms, patients);
        let name = name.clone();
        let counts = [phantoms.len(), patients.len()];
        Some(Comparison { name, counts, phantoms: deciles(phantoms), patients: deciles(patients), distance })
    });
    rows.collect()
}

fn deciles(values: &[f64]) -> [f64; 3] {
    [0.1, 0.5, 0.9].map(|share| percentile(values, share))
}

fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(((sorted.len().max(1) - 1) as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Greatest difference between the two cumulative distributions.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let below = |values: &[f64], limit: f64| {
        values.iter().filter(|value| **value <= limit).count() as f64 / values.len().max(1) as f64
    };
    a.iter().chain(b).map(|limit| (below(a, *limit) - below(b, *limit)).abs()).fold(0.0, f64::max)
}

/// A slice that is read in millimeters.
struct Reader<'a> {
    volume: &'a Volume,
    slice: usize,
    pixel: DVec2,
}

impl Reader<'_> {
    fn at(&self, mm: DVec2) -> Option<f64> {
        let at = mm / self.pixel;
        self.volume.sample_bilinear(self.slice, at.x, at.y).map(f64::from)
    }

    fn all(&self, points: &[DVec2]) -> Option<Vec<f64>> {
        points.iter().map(|point| self.at(*point)).collect()
    }

    /// Mean of the window around a position.
    fn smooth(&self, mm: DVec2) -> Option<f64> {
        let offsets = [-0.4, -0.2, 0.0, 0.2, 0.4].map(|share| share * WINDOW_MM);
        let window = offsets.iter().flat_map(|y| offsets.iter().map(move |x| DVec2::new(*x, *y)));
        let values = self.all(&window.map(|offset| mm + offset).collect::<Vec<_>>())?;
        Some(mean(&values))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// Points of a quadrilateral (SA, SP, IP, IA, mm) shrunk around its center.
fn grid(quad: [DVec2; 4], shrink: f64) -> Vec<DVec2> {
    const STEPS: usize = 20;
    let center = quad.iter().sum::<DVec2>() / 4.0;
    let [a, b, c, d] = quad.map(|corner| center + (corner - center) * shrink);
    let share = |step: usize| step as f64 / (STEPS - 1) as f64;
    let point = |row: usize, column: usize| a.lerp(b, share(column)).lerp(d.lerp(c, share(column)), share(row));
    (0..STEPS * STEPS).map(|index| point(index / STEPS, index % STEPS)).collect()
}

/// A body in millimeters.
struct BodyPlace {
    label: VertebraLabel,
    quad: [DVec2; 4],
    posterior: DVec2,
    down: DVec2,
    height: f64,
    marrow: f64,
}

impl BodyPlace {
    fn new(label: VertebraLabel, corners: &Corners, reader: &Reader<'_>) -> Option<Self> {
        let quad @ [sa, sp, ip, ia] = corners.as_array().map(|corner| corner * reader.pixel);
        let marrow = percentile(&reader.all(&grid(quad, 0.7))?, 0.5);
        let down = (ip + ia - sa - sp) / 2.0;
        (marrow > 0.0).then(|| Self {
            label,
            quad,
            posterior: (sp - sa + ip - ia).normalize(),
            down: down.normalize(),
            height: down.length(),
            marrow,
        })
    }

    /// Points before (negative) or behind the wall at `from` to `to` mm, over the middle of the body's height.
    fn strip(&self, from: f64, to: f64) -> Vec<DVec2> {
        let [sa, sp, ip, ia] = self.quad;
        let wall = if from < 0.0 { (sa + ia) / 2.0 } else { (sp + ip) / 2.0 };
        let step = |count: usize, index: usize| index as f64 / (count - 1) as f64;
        (0..9 * 32)
            .map(|index| {
                let along = (step(9, index / 32) - 0.5) * 0.7 * self.height;
                wall + self.posterior * (from + (to - from) * step(32, index % 32)) + self.down * along
            })
            .collect()
    }
}

fn measure(
    volume: &Volume,
    slice: usize,
    vertebrae: &[Vertebra],
    grades: &BTreeMap<DiscLevel, usize>,
    kind: &str,
    into: &mut Measures,
) {
    let reader = Reader { volume, slice, pixel: volume.geometry().pixel_size_mm() };
    let corners = |label: VertebraLabel| {
        vertebrae.iter().find(|body| body.label == label).and_then(|body| body.corners_at(slice as f64))
    };
    let bodies: Vec<BodyPlace> =
        BODIES.iter().filter_map(|label| BodyPlace::new(*label, &corners(*label)?, &reader)).collect();
    let mut scan = Measures::new();
    for body in &bodies {
        measure_body(&reader, body, &mut scan);
    }
    for (name, values) in scan {
        into.entry(format!("{kind}: {name}")).or_default().push(mean(&values));
    }
    for disc in discs_between(vertebrae) {
        let Some(grade) = grades.get(&disc.level) else { continue };
        let marrow: Vec<f64> = bodies
            .iter()
            .filter(|body| [disc.level.upper(), disc.level.lower()].contains(&body.label))
            .map(|body| body.marrow)
            .collect();
        let (Some(upper), Some(lower)) = (corners(disc.level.upper()), corners(disc.level.lower())) else { continue };
        let quad = [upper.ia, upper.ip, lower.sp, lower.sa].map(|corner| corner * reader.pixel);
        let Some(values) = reader.all(&grid(quad, 0.6)).filter(|_| !marrow.is_empty()) else { continue };
        let roman = ["I", "II", "III", "IV", "V"][grade - 1];
        let mut add = |what: &str, value: f64| {
            into.entry(format!("{kind}: disc {roman}, {what}")).or_default().push(value);
        };
        add("signal, median", percentile(&values, 0.5) / mean(&marrow));
        add("signal, lowest tenth", percentile(&values, 0.1) / mean(&marrow));
        add("signal, highest tenth", percentile(&values, 0.9) / mean(&marrow));
        let height = f64::midpoint(quad[0].distance(quad[3]), quad[1].distance(quad[2]));
        add("height by depth", height / quad[0].distance(quad[1]));
    }
}

fn measure_body(reader: &Reader<'_>, body: &BodyPlace, scan: &mut Measures) {
    let mut add = |name: &str, value: Option<f64>| {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            scan.entry(name.to_owned()).or_default().push(value / body.marrow);
        }
    };
    let inside = grid(body.quad, 0.7);
    let values = reader.all(&inside);
    let slow: Option<Vec<f64>> = inside.iter().map(|point| reader.smooth(*point)).collect();
    if let (Some(values), Some(slow)) = (values, slow) {
        let fine: Vec<f64> = values.iter().zip(&slow).map(|(value, slow)| value - slow).collect();
        add("marrow: fine texture", Some(deviation(&fine)));
        add("marrow: slow texture", Some(deviation(&slow)));
    }
    let canal = reader.all(&body.strip(1.0, 15.0));
    add("fluid", canal.map(|values| percentile(&values, 0.92)));
    let behind = reader.all(&body.strip(20.0, 38.0));
    add("back: mean", behind.as_deref().map(mean));
    add("back: texture", behind.as_deref().map(deviation));
    add("in front, 5-15 mm", reader.all(&body.strip(-5.0, -15.0)).map(|values| percentile(&values, 0.5)));
    add("in front, 20-45 mm", reader.all(&body.strip(-20.0, -45.0)).map(|values| percentile(&values, 0.5)));
    let ahead = reader.all(&body.strip(-5.0, -40.0));
    add("in front: texture", ahead.as_deref().map(deviation));
    // The brightest 3 mm behind the back.
    let brightest = (35..110).step_by(3).filter_map(|from| {
        let values = reader.all(&body.strip(f64::from(from), f64::from(from) + 3.0))?;
        Some(mean(&values))
    });
    add("subcutaneous fat", brightest.max_by(f64::total_cmp));
    let [sa, sp, ip, ia] = body.quad;
    for (from, to, outward) in [(sa, sp, -body.down), (ia, ip, body.down)] {
        let profiles = [0.3, 0.4, 0.5, 0.6, 0.7].map(|share| {
            let on_plate = from.lerp(to, share);
            let profile = (-16..=24).filter_map(|step| reader.at(on_plate + outward * (0.25 * f64::from(step))));
            profile.fold(f64::INFINITY, f64::min)
        });
        add("endplate: darkest", Some(mean(&profiles)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom::Phantom;

    #[test]
    fn distributions_are_told_apart() {
        let low: Vec<f64> = (0..100).map(f64::from).collect();
        let high: Vec<f64> = low.iter().map(|value| value + 50.0).collect();
        assert!(distance(&low, &low) < 1e-9);
        assert!((distance(&low, &high) - 0.5).abs() < 1e-9);
        assert_eq!(deciles(&low), [10.0, 50.0, 89.0]);
    }

    /// Phantoms lie where patients' scans lie: no measure of the tissues that grades depend on is disjoint.
    #[test]
    fn phantoms_resemble_the_development_scans() {
        let Some(data) = crate::needs::data("spider-dev") else { return };
        let (mut phantoms, mut patients) = (Measures::new(), Measures::new());
        for case in super::super::spider::load_cases(&data).expect("the development set") {
            measure_case(&case, &mut patients);
        }
        for seed in 0..12 {
            measure_phantom(&Phantom::generate(seed), &mut phantoms);
        }
        let rows = compare(&phantoms, &patients);
        let row = |name: &str| rows.iter().find(|row| row.name == format!("{TSE}: {name}")).expect("measured in both");
        for name in ["fluid", "subcutaneous fat", "marrow: slow texture", "marrow: fine texture", "endplate: darkest"] {
            let row = row(name);
            let [least, _, most] = row.patients;
            assert!((least..=most).contains(&row.phantoms[1]), "{row:?}");
        }
    }
}
