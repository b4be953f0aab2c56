//! How well evidence lies on what it should: measured on synthetic studies, whose boxes are exact.
//!
//! The counterpart of the paper's Table 3: methods side by side, from one view and from many, in two and three dimensions.
//! Discs are framed by their true outlines and the true class is explained, so that evidence is measured and nothing else.
//! Percentiles are chosen on studies that are not measured on.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::MEASURES_SCHEMA;
use super::boxes::{GradingOverlap, PercentileFrom, grading_overlap, seen_slices};
use crate::evaluation::{BoxedFinding, BoxesBySlice, best_percentile};
use crate::model::{Grader, Views};
use crate::phantom::Phantom;
use crate::pipeline::{CURVE_PERCENTILES, PipelineError, map_entry};
use crate::records::{Software, WeightsUsed};
use crate::saliency::{SaliencyLayer, SaliencyMap, SaliencyMethod, SaliencyPlan, SaliencyTarget, explain_all};
use crate::spine::{BoxRule, ClassIndex, Grading, SliceBox, discs_between};
use crate::task::{CancelToken, Progress};

/// The gradings that phantoms have boxes of.
pub const BOXED_GRADINGS: [Grading; 6] = [
    Grading::UpperEndplateDefect,
    Grading::LowerEndplateDefect,
    Grading::UpperMarrowChange,
    Grading::LowerMarrowChange,
    Grading::Spondylolisthesis,
    Grading::CentralCanalStenosis,
];

/// The class of a finding that is there.
const PRESENT: ClassIndex = 1;

/// Studies by their seeds, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SeedRange {
    /// First seed.
    pub first: u64,
    /// Studies.
    pub count: u64,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvidenceStudy {
    /// Studies that percentiles are chosen on.
    pub validation: SeedRange,
    /// Studies that are measured on.
    pub test: SeedRange,
    /// Methods.
    pub methods: Vec<SaliencyMethod>,
    /// Layer to read evidence off at; each method's usual one if `None`.
    pub layer: Option<SaliencyLayer>,
    /// Views of the maps with augmentation.
    pub augmentations: usize,
    /// Seed of the augmentations.
    pub seed: u64,
}

/// What was measured, schema `spinenet-measures/1`.
#[derive(Debug, Clone, Serialize)]
pub struct EvidenceMeasures {
    /// [`MEASURES_SCHEMA`].
    pub schema: String,
    /// The program.
    pub software: Software,
    /// What was asked for.
    pub study: EvidenceStudy,
    /// The networks.
    pub weights: Vec<WeightsUsed>,
    /// Every network, method, number of views and rule of boxes.
    pub rows: Vec<EvidenceRow>,
}

/// Measures of one way to make boxes.
#[derive(Debug, Clone, Serialize)]
pub struct EvidenceRow {
    /// Name of the weights.
    pub network: String,
    /// `2-D` or `3-D`.
    pub dimensions: &'static str,
    /// Method.
    pub method: SaliencyMethod,
    /// Where it was read off.
    pub layer: SaliencyLayer,
    /// Views averaged.
    pub augmentations: usize,
    /// Which hotspots a box encloses.
    pub box_rule: BoxRule,
    /// Overlap on the validation studies at the percentile that is best there.
    pub validation: GradingOverlap,
    /// Overlap on the test studies at that percentile; none if they show no such finding.
    pub test: Option<GradingOverlap>,
    /// The same on the findings that the network itself calls present.
    pub test_found: Option<GradingOverlap>,
}

/// Boxes of one finding by a way to make them.
struct Measured {
    grading: Grading,
    method: SaliencyMethod,
    layer: SaliencyLayer,
    augmentations: usize,
    box_rule: BoxRule,
    is_found: bool,
    finding: BoxedFinding,
}

impl EvidenceStudy {
    /// Whether a study is both validated and tested on.
    #[must_use]
    pub fn overlaps(&self) -> bool {
        let (a, b) = (self.validation, self.test);
        a.first < b.first + b.count && b.first < a.first + a.count
    }

    /// Measures the networks, which are told apart by the names of their weights.
    ///
    /// # Errors
    /// If a disc cannot be framed, the device fails, or the work is cancelled.
    pub fn measure(
        &self,
        graders: &[Grader],
        cancel: &CancelToken,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<EvidenceMeasures, PipelineError> {
        let total = graders.len() * (self.validation.count + self.test.count) as usize;
        let mut done = 0;
        let mut step = || {
            on_progress(Progress { step: "Measuring evidence", done, total });
            done += 1;
        };
        let mut rows = Vec::new();
        for grader in graders {
            let validation = self.findings(grader, self.validation, cancel, &mut step)?;
            let test = self.findings(grader, self.test, cancel, &mut step)?;
            rows.extend(self.rows(grader, &validation, &test));
        }
        Ok(EvidenceMeasures {
            schema: MEASURES_SCHEMA.to_owned(),
            software: Software::this(),
            study: self.clone(),
            weights: graders.iter().map(|grader| WeightsUsed::from(grader.info().clone())).collect(),
            rows,
        })
    }

    fn rows(&self, grader: &Grader, validation: &[Measured], test: &[Measured]) -> Vec<EvidenceRow> {
        let percentiles = CURVE_PERCENTILES.map(Some);
        let mut rows = Vec::new();
        for grading in BOXED_GRADINGS {
            for method in &self.methods {
                for augmentations in self.view_counts() {
                    for box_rule in BoxRule::ALL {
                        let key = |found: &&Measured| {
                            (found.grading, found.method, found.augmentations, found.box_rule)
                                == (grading, *method, augmentations, box_rule)
                        };
                        let collect = |all: &[Measured], only_found: bool| -> Vec<BoxedFinding> {
                            let chosen = all.iter().filter(key).filter(|found| found.is_found || !only_found);
                            chosen.map(|found| found.finding.clone()).collect()
                        };
                        let chosen_on = collect(validation, false);
                        let Some(chosen) = best_percentile(&chosen_on, percentiles.len()) else { continue };
                        let overlap = |findings: &[BoxedFinding]| {
                            grading_overlap(grading, findings, &percentiles, chosen, PercentileFrom::Validation)
                        };
                        let Some(validation_overlap) = overlap(&chosen_on) else { continue };
                        rows.push(EvidenceRow {
                            network: grader.info().name.clone(),
                            dimensions: grader.network().config().dimensions.name(),
                            method: *method,
                            layer: validation.iter().find(key).map_or(SaliencyLayer::Input, |found| found.layer),
                            augmentations,
                            box_rule,
                            validation: validation_overlap,
                            test: overlap(&collect(test, false)),
                            test_found: overlap(&collect(test, true)),
                        });
                    }
                }
            }
        }
        rows
    }

    /// One view, and as many as asked for.
    fn view_counts(&self) -> Vec<usize> {
        if self.augmentations > 1 { vec![1, self.augmentations] } else { vec![1] }
    }

    /// The findings of studies, boxed in every way.
    fn findings(
        &self,
        grader: &Grader,
        seeds: SeedRange,
        cancel: &CancelToken,
        step: &mut dyn FnMut(),
    ) -> Result<Vec<Measured>, PipelineError> {
        let mut measured = Vec::new();
        for index in 0..seeds.count {
            step();
            let study = Phantom::generate(seeds.first + index);
            for disc in discs_between(&study.vertebrae) {
                let truth = boxes_by_grading(study.boxes.iter().filter(|found| found.level == disc.level));
                if truth.is_empty() {
                    continue;
                }
                let prediction = grader.grade(&study.volume, &disc, Views::One, cancel)?;
                let targets: Vec<SaliencyTarget> =
                    truth.keys().map(|grading| SaliencyTarget { grading: *grading, class: PRESENT }).collect();
                for method in &self.methods {
                    let plan = SaliencyPlan {
                        method: *method,
                        layer: self.layer,
                        augmentations: self.augmentations,
                        precision: None,
                        seed: self.seed,
                    };
                    let mut maps: Vec<SaliencyMap> = Vec::new();
                    let wanted = self.view_counts();
                    explain_all(grader.network(), &study.volume, &disc, &targets, &plan, cancel, &mut |map| {
                        if wanted.contains(&map.augmentations) {
                            maps.push(map);
                        }
                    })?;
                    let boxed = maps.par_iter().flat_map_iter(|map| {
                        let truth = &truth[&map.grading];
                        let is_found = prediction.class(map.grading) == Some(PRESENT);
                        BoxRule::ALL.map(|box_rule| Measured {
                            grading: map.grading,
                            method: *method,
                            layer: map.layer,
                            augmentations: map.augmentations,
                            box_rule,
                            is_found,
                            finding: boxed_finding(index as u32, truth, map, &study.volume, box_rule),
                        })
                    });
                    measured.extend(boxed.collect::<Vec<_>>());
                }
            }
        }
        Ok(measured)
    }
}

fn boxes_by_grading<'a>(boxes: impl Iterator<Item = &'a SliceBox>) -> BTreeMap<Grading, BoxesBySlice> {
    let mut by_grading: BTreeMap<Grading, BoxesBySlice> = BTreeMap::new();
    for found in boxes {
        by_grading.entry(found.grading).or_default().insert(found.slice, found.rect);
    }
    by_grading
}

/// A finding with the boxes of a map at every percentile of the curve.
fn boxed_finding(
    patient: u32,
    truth: &BoxesBySlice,
    map: &SaliencyMap,
    volume: &crate::volume::Volume,
    rule: BoxRule,
) -> BoxedFinding {
    let boxes =
        |percentile| map.image_boxes(volume, percentile, rule).into_iter().map(|found| (found.slice, found.rect));
    let predicted = CURVE_PERCENTILES.map(|percentile| boxes(percentile).collect()).into();
    let seen = seen_slices(&map_entry(map, rule));
    BoxedFinding { patient, truth: truth.clone(), predicted, seen: Some(seen) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::find_weights;
    use crate::model::grader::GRADING_WEIGHTS;
    use candle_core::Device;

    #[test]
    fn shipped_weights_are_measured_on_studies_they_have_not_seen() {
        let weights = find_weights(GRADING_WEIGHTS, None).expect("shipped");
        let grader = Grader::from_folder(&weights, &Device::Cpu).expect("whole");
        let study = EvidenceStudy {
            validation: SeedRange { first: 910_000, count: 1 },
            test: SeedRange { first: 920_000, count: 1 },
            methods: vec![SaliencyMethod::ContrastiveExcitation],
            layer: None,
            augmentations: 2,
            seed: 0,
        };
        let measures = study.measure(&[grader], &CancelToken::default(), &mut |_| ()).expect("measured");
        assert_eq!(measures.weights.len(), 1);
        assert!(!measures.rows.is_empty() && measures.rows.len().is_multiple_of(6), "one and two views, three rules");
        for row in &measures.rows {
            assert_eq!((row.dimensions, row.layer), ("3-D", SaliencyLayer::Conv1));
            let chosen = row.validation.percentile.expect("chosen");
            assert!(row.test.as_ref().is_none_or(|test| test.percentile == Some(chosen)));
            let best = row.validation.curve.iter().map(|point| point.mean_iou).fold(0.0, f64::max);
            assert_eq!(row.validation.mean_iou, best);
            assert!(row.validation.whole_slice_iou.is_some_and(|baseline| baseline > 0.0 && baseline < 0.3));
        }
    }
}
