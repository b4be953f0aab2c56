//! Reports and boxes against the truth: the paper's measures, schema `spinenet-measures/1`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BoxesFile, ReportEntry, TruthTable, rounded};
use crate::evaluation::{ConfusionMatrix, KappaWeights, iou_of_pairs};
use crate::spine::{DiscLevel, Grading, PixelBox, SliceBox};

/// Name and version of the schema of measures.
pub const MEASURES_SCHEMA: &str = "spinenet-measures/1";

/// How well computed grades agree with true ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradeMeasures {
    /// [`MEASURES_SCHEMA`].
    pub schema: String,
    /// Discs with a true grade that have no computed one: not detected, or not graded.
    pub discs_without_prediction: usize,
    /// One entry for each grading with truth, in the order of [`Grading::ALL`].
    pub gradings: Vec<GradingMeasures>,
}

/// Agreement on one grading; a measure that the data do not define is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradingMeasures {
    /// Grading.
    pub grading: Grading,
    /// Discs with both a true and a computed grade.
    pub discs: u64,
    /// Mean recall of the classes that occur.
    pub balanced_accuracy: Option<f64>,
    /// Share of exact agreement.
    pub accuracy: Option<f64>,
    /// Share that is off by one grade at most.
    pub accuracy_within_one: Option<f64>,
    /// Cohen's kappa, quadratic weights.
    pub kappa_quadratic: Option<f64>,
    /// Number of discs by true class (row) and computed class (column).
    pub confusion: Vec<Vec<u64>>,
}

/// Compares the computed grades of reports (a reader's edits are not looked at) with true ones.
#[must_use]
pub fn measure_grades(truth: &TruthTable, reports: &[ReportEntry]) -> GradeMeasures {
    let mut graded = BTreeMap::new();
    for entry in reports {
        let ReportEntry::Report(report) = entry else { continue };
        for disc in &report.discs {
            if let Some(gradings) = &disc.gradings {
                graded.insert((report.series_instance_uid.clone(), disc.level), gradings);
            }
        }
    }
    let discs_without_prediction = truth.grades.keys().filter(|key| !graded.contains_key(*key)).count();
    let gradings = Grading::ALL.into_iter().filter_map(|grading| {
        let class = |grade: u8| grading.class_from_grade(grade);
        let labelled = truth.grades.iter().filter_map(|(key, grades)| Some((key, class(grades[grading]?)?)));
        let pairs: Vec<_> =
            labelled.filter_map(|(key, truth)| Some((truth, class(graded.get(key)?[grading].grade)?))).collect();
        (!pairs.is_empty()).then(|| grading_measures(grading, &pairs))
    });
    GradeMeasures { schema: MEASURES_SCHEMA.to_owned(), discs_without_prediction, gradings: gradings.collect() }
}

fn grading_measures(grading: Grading, pairs: &[(usize, usize)]) -> GradingMeasures {
    let matrix = ConfusionMatrix::from_pairs(pairs, grading.classes());
    let round = |value: Option<f64>| value.map(|value| rounded(value, 5));
    let row = |truth| (0..grading.classes()).map(|predicted| matrix.count(truth, predicted)).collect();
    GradingMeasures {
        grading,
        discs: matrix.total(),
        balanced_accuracy: round(matrix.balanced_accuracy()),
        accuracy: round(matrix.accuracy_within(0)),
        accuracy_within_one: round(matrix.accuracy_within(1)),
        kappa_quadratic: round(matrix.cohen_kappa(KappaWeights::Quadratic)),
        confusion: (0..grading.classes()).map(row).collect(),
    }
}

/// How well predicted boxes lie on true ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoxMeasures {
    /// [`MEASURES_SCHEMA`].
    pub schema: String,
    /// One entry for each grading with truth, in the order of [`Grading::ALL`].
    pub gradings: Vec<GradingOverlap>,
}

/// Overlap of the boxes of one grading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradingOverlap {
    /// Grading.
    pub grading: Grading,
    /// Discs with a true box.
    pub discs: usize,
    /// Discs among them without any predicted box; they count as 0.
    pub discs_without_prediction: usize,
    /// Mean over discs of the Jaccard index over all slices.
    pub mean_iou: f64,
    /// Mean over discs of the Jaccard index over the slices that have a true box.
    pub mean_iou_slices_with_truth: f64,
}

/// Two boxes of one file lie on one slice of one finding, which the measure does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{level} {grading} has two boxes on slice {slice}; the measure takes one a slice")]
pub struct TwoBoxes {
    /// Disc.
    pub level: DiscLevel,
    /// Grading.
    pub grading: Grading,
    /// Slice.
    pub slice: usize,
}

type BoxesBySlice = BTreeMap<usize, PixelBox>;
type Findings = BTreeMap<(String, DiscLevel, Grading), BoxesBySlice>;

/// Compares predicted boxes with true ones, disc by disc. Predictions for discs without a true box are not looked at.
///
/// # Errors
/// If a file has two boxes of one finding on one slice.
pub fn measure_boxes(truth: &[BoxesFile], predicted: &[BoxesFile]) -> Result<BoxMeasures, TwoBoxes> {
    let (truth, predicted) = (by_finding(truth)?, by_finding(predicted)?);
    let mut gradings = Vec::new();
    for grading in Grading::ALL {
        let none = BoxesBySlice::new();
        let mut overlaps = Vec::new();
        let mut discs_without_prediction = 0;
        for (key, true_boxes) in truth.iter().filter(|(key, _)| key.2 == grading) {
            let found = predicted.get(key).unwrap_or(&none);
            discs_without_prediction += usize::from(found.is_empty());
            let slices: std::collections::BTreeSet<usize> = true_boxes.keys().chain(found.keys()).copied().collect();
            let pair = |slice: &usize| (true_boxes.get(slice).copied(), found.get(slice).copied());
            let all: Vec<_> = slices.iter().map(pair).collect();
            let with_truth: Vec<_> = true_boxes.keys().map(pair).collect();
            if let (Some(all), Some(with_truth)) = (iou_of_pairs(&all), iou_of_pairs(&with_truth)) {
                overlaps.push((all, with_truth));
            }
        }
        if !overlaps.is_empty() {
            let mean = |pick: fn(&(f64, f64)) -> f64| {
                rounded(overlaps.iter().map(pick).sum::<f64>() / overlaps.len() as f64, 5)
            };
            gradings.push(GradingOverlap {
                grading,
                discs: overlaps.len(),
                discs_without_prediction,
                mean_iou: mean(|pair| pair.0),
                mean_iou_slices_with_truth: mean(|pair| pair.1),
            });
        }
    }
    Ok(BoxMeasures { schema: MEASURES_SCHEMA.to_owned(), gradings })
}

fn by_finding(files: &[BoxesFile]) -> Result<Findings, TwoBoxes> {
    let mut findings = Findings::new();
    for file in files {
        for SliceBox { level, grading, slice, rect, .. } in &file.boxes {
            let (level, grading, slice) = (*level, *grading, *slice);
            let finding = findings.entry((file.series_instance_uid.clone(), level, grading)).or_default();
            if finding.insert(slice, *rect).is_some() {
                return Err(TwoBoxes { level, grading, slice });
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spine::BoxSource;

    fn file(boxes: &[(DiscLevel, usize, [f64; 4])]) -> BoxesFile {
        let grading = Grading::UpperMarrowChange;
        let make = |&(level, slice, rect): &(DiscLevel, usize, [f64; 4])| SliceBox {
            level,
            grading,
            slice,
            rect: rect.into(),
            source: BoxSource::Reader,
            percentile: None,
        };
        BoxesFile::new("AB", "1.2", boxes.iter().map(make).collect())
    }

    #[test]
    fn overlap_is_measured_disc_by_disc_and_a_missing_prediction_is_zero() {
        let truth = file(&[
            (DiscLevel::L4L5, 2, [0.0, 0.0, 2.0, 2.0]),
            (DiscLevel::L4L5, 3, [0.0, 0.0, 2.0, 2.0]),
            (DiscLevel::L5S1, 3, [9.0, 9.0, 2.0, 2.0]),
        ]);
        // Slice 2: intersection 2, union 6; slice 3: missed, 4; slice 5: 10 for nothing. Of L3-L4 there is no truth.
        let predicted = file(&[
            (DiscLevel::L4L5, 2, [1.0, 0.0, 2.0, 2.0]),
            (DiscLevel::L4L5, 5, [0.0, 0.0, 5.0, 2.0]),
            (DiscLevel::L3L4, 2, [0.0, 0.0, 2.0, 2.0]),
        ]);
        let measures = measure_boxes(std::slice::from_ref(&truth), &[predicted]).expect("one box a slice");
        assert_eq!(measures.gradings.len(), 1);
        let overlap = &measures.gradings[0];
        assert_eq!((overlap.discs, overlap.discs_without_prediction), (2, 1));
        assert!((overlap.mean_iou - 0.05).abs() < 1e-9);
        assert!((overlap.mean_iou_slices_with_truth - 0.1).abs() < 1e-9);
        let twice = file(&[(DiscLevel::L4L5, 2, [0.0, 0.0, 2.0, 2.0]), (DiscLevel::L4L5, 2, [5.0, 0.0, 2.0, 2.0])]);
        assert!(measure_boxes(&[truth], &[twice]).is_err());
    }
}
