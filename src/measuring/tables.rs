//! Measures of grades and boxes as tables and curves.

use super::{BoxMeasures, EvidenceMeasures, EvidenceRow, GradeMeasures, GradingMeasures, GradingOverlap};
use crate::picture::{Curve, Drawing, LineChart, chart_sheet};
use crate::pipeline::{CURVE_PERCENTILES, method_in_words};
use crate::spine::BoxRule;

/// Charts beside each other on a sheet.
const CHARTS_ACROSS: usize = 2;

const OVERLAP_COLUMNS: [&str; 18] = [
    "grading",
    "discs",
    "patients",
    "discs_without_prediction",
    "percentile",
    "percentile_from",
    "mean_iou",
    "mean_iou_low",
    "mean_iou_high",
    "mean_iou_slices_with_truth",
    "mean_iou_slices_with_truth_low",
    "mean_iou_slices_with_truth_high",
    "share_located",
    "whole_slice_iou",
    "times_whole_slice",
    "pointing_game",
    "pointing_game_low",
    "pointing_game_high",
];

fn cell(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The cells of [`OVERLAP_COLUMNS`].
fn overlap_cells(overlap: &GradingOverlap) -> Vec<String> {
    let from = serde_json::to_value(overlap.percentile_from).ok();
    let from = from.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let [iou_low, iou_high] = overlap.mean_iou_interval;
    let [slices_low, slices_high] = overlap.mean_iou_slices_with_truth_interval;
    let pointing = overlap.pointing_game_interval;
    vec![
        overlap.grading.key().to_owned(),
        overlap.discs.to_string(),
        overlap.patients.to_string(),
        overlap.discs_without_prediction.to_string(),
        cell(overlap.percentile),
        from,
        overlap.mean_iou.to_string(),
        iou_low.to_string(),
        iou_high.to_string(),
        overlap.mean_iou_slices_with_truth.to_string(),
        slices_low.to_string(),
        slices_high.to_string(),
        overlap.share_located.to_string(),
        cell(overlap.whole_slice_iou),
        cell(overlap.times_whole_slice),
        cell(overlap.pointing_game),
        cell(pointing.map(|[low, _]| low)),
        cell(pointing.map(|[_, high]| high)),
    ]
}

fn csv(rows: impl Iterator<Item = Vec<String>>) -> String {
    rows.map(|row| row.join(",") + "\n").collect()
}

/// The measures of each grading, one row a grading.
#[must_use]
pub(crate) fn box_measures_csv(measures: &BoxMeasures) -> String {
    let head = OVERLAP_COLUMNS.map(str::to_owned).to_vec();
    csv(std::iter::once(head).chain(measures.gradings.iter().map(overlap_cells)))
}

/// Overlap against percentile, one curve a grading; the percentile that is reported stands out.
#[must_use]
pub(crate) fn box_measures_chart(measures: &BoxMeasures) -> Drawing {
    let curves = measures.gradings.iter().map(|overlap| curve(overlap.grading.name().to_owned(), overlap)).collect();
    overlap_chart("Overlap of predicted and true boxes".to_owned(), curves).drawing()
}

/// Agreement of grades: one row a grading, below it one a level; a second reader's grades after the computed ones.
#[must_use]
pub(crate) fn grade_measures_csv(measures: &GradeMeasures) -> String {
    const HEAD: [&str; 17] = [
        "rater",
        "grading",
        "level",
        "discs",
        "balanced_accuracy",
        "balanced_accuracy_low",
        "balanced_accuracy_high",
        "accuracy",
        "accuracy_within_one",
        "kappa",
        "kappa_linear",
        "kappa_quadratic",
        "sensitivity",
        "specificity",
        "area_under_curve",
        "expected_calibration_error",
        "brier_score",
    ];
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    for (rater, gradings) in [("computed", &measures.gradings), ("second", &measures.second_rater)] {
        for row in gradings {
            let named = |level: String, discs: u64| {
                vec![rater.to_owned(), row.grading.key().to_owned(), level, discs.to_string()]
            };
            let [low, high] = row.balanced_accuracy_interval.map_or([None; 2], |ends| ends.map(Some));
            let calibration = row.calibration.as_ref();
            let values = [
                row.balanced_accuracy,
                low,
                high,
                row.accuracy,
                row.accuracy_within_one,
                row.kappa,
                row.kappa_linear,
                row.kappa_quadratic,
                row.sensitivity,
                row.specificity,
                row.area_under_curve,
                calibration.map(|calibration| calibration.expected_error),
                calibration.map(|calibration| calibration.brier_score),
            ];
            let mut cells = named(String::new(), row.discs);
            cells.extend(values.map(cell));
            rows.push(cells);
            for level in &row.levels {
                let mut cells = named(level.level.to_string(), level.discs);
                cells.extend([level.balanced_accuracy, None, None, level.accuracy].map(cell));
                cells.resize(HEAD.len(), String::new());
                rows.push(cells);
            }
        }
    }
    csv(rows.into_iter())
}

/// How often computed grades are right against how probable they were called, a chart for each grading.
#[must_use]
pub(crate) fn reliability_charts(measures: &GradeMeasures) -> Drawing {
    let chart = |row: &GradingMeasures| {
        let calibration = row.calibration.as_ref()?;
        let points = calibration.reliability.iter().map(|(_, confidence, accuracy)| (*confidence, *accuracy)).collect();
        Some(LineChart {
            title: format!("{}: calibration error {:.3}", row.grading.name(), calibration.expected_error),
            x_name: "Probability of the computed grade".to_owned(),
            y_name: "Share that is right".to_owned(),
            x_ticks: [0.0, 0.2, 0.4, 0.6, 0.8, 1.0].map(|tick| (tick, tick.to_string())).to_vec(),
            y_range: (0.0, 1.0),
            curves: vec![
                Curve { name: format!("{} discs", row.discs), points, stressed: None },
                Curve { name: "as promised".to_owned(), points: vec![(0.0, 0.0), (1.0, 1.0)], stressed: None },
            ],
        })
    };
    let charts: Vec<LineChart> = measures.gradings.iter().filter_map(chart).collect();
    chart_sheet("Reliability of the probabilities", &charts, CHARTS_ACROSS, &[])
}

fn curve(name: String, overlap: &GradingOverlap) -> Curve {
    let points = overlap.curve.iter().filter_map(|point| Some((point.percentile?, point.mean_iou)));
    Curve { name, points: points.collect(), stressed: overlap.percentile }
}

/// What no percentile changes.
fn level_line(name: String, overlap: f64) -> Curve {
    let points = CURVE_PERCENTILES.iter().map(|percentile| (*percentile, overlap));
    Curve { name, points: points.collect(), stressed: None }
}

fn overlap_chart(title: String, curves: Vec<Curve>) -> LineChart {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let mut ticks: Vec<f64> = points().map(|(percentile, _)| *percentile).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    LineChart {
        title,
        x_name: "Percentile of the map above which evidence is boxed".to_owned(),
        y_name: "IoU over all slices, mean over discs".to_owned(),
        x_ticks: ticks.into_iter().map(|tick| (tick, tick.to_string())).collect(),
        y_range: (0.0, points().map(|(_, iou)| *iou).fold(0.05, f64::max)),
        curves,
    }
}

/// Every row of the measures as CSV; the columns of overlap are those of the test, `validation_mean_iou` stands before. Boxes that no
/// map made come last: the fixed place, the learned location, and each slice whole.
#[must_use]
pub(crate) fn evidence_measures_csv(measures: &EvidenceMeasures) -> String {
    let ways = ["network", "dimensions", "method", "layer", "augmentations", "smoothing_mm", "box_rule"];
    let chosen = ["is_chosen", "validation_discs", "validation_mean_iou", "found_discs", "found_mean_iou"];
    let before = [&ways[..], &chosen].concat();
    let head = before.iter().copied().chain(OVERLAP_COLUMNS);
    let rows = measures.rows.iter().filter_map(|row| {
        let mut cells = vec![
            row.network.clone(),
            row.dimensions.clone(),
            row.way.method.key().to_owned(),
            row.way.layer.key().to_owned(),
            row.way.augmentations.to_string(),
            row.way.smoothing_mm.to_string(),
            row.way.box_rule.key().to_owned(),
            row.is_chosen.to_string(),
            row.validation.discs.to_string(),
            row.validation.mean_iou.to_string(),
            row.test_found.as_ref().map(|found| found.discs.to_string()).unwrap_or_default(),
            cell(row.test_found.as_ref().map(|found| found.mean_iou)),
        ];
        cells.extend(overlap_cells(row.test.as_ref()?));
        Some(cells)
    });
    let without_map = |method: &str, cells: Vec<String>| {
        let of_column = |column: &&str| if *column == "method" { method.to_owned() } else { String::new() };
        before.iter().map(of_column).chain(cells).collect::<Vec<_>>()
    };
    let learned = measures.learned_locations.iter().map(|learned| &learned.overlap);
    let others = (measures.fixed_places.iter().map(|place| without_map("fixed-place", overlap_cells(place))))
        .chain(learned.map(|overlap| without_map("learned-location", overlap_cells(overlap))))
        .chain(measures.fixed_places.iter().map(|place| without_map("whole-slice", whole_slice_cells(place))));
    csv(std::iter::once(head.map(str::to_owned).collect()).chain(rows).chain(others))
}

/// The cells of [`OVERLAP_COLUMNS`] of boxes that take each slice whole: their overlap alone was measured.
fn whole_slice_cells(overlap: &GradingOverlap) -> Vec<String> {
    let of_column = |column: &str| match column {
        "grading" => overlap.grading.key().to_owned(),
        "discs" => overlap.discs.to_string(),
        "patients" => overlap.patients.to_string(),
        "mean_iou" => cell(overlap.whole_slice_iou),
        _ => String::new(),
    };
    OVERLAP_COLUMNS.map(of_column).to_vec()
}

/// Overlap against percentile on the test scans, a chart for each grading, a curve for each network, method and layer at the
/// smoothing that is best on the validation scans, with all views, and a line for the fixed place; boxes by `rule`.
#[must_use]
pub(crate) fn evidence_measures_charts(measures: &EvidenceMeasures, rule: BoxRule) -> Drawing {
    let most = measures.study.augmentations.iter().copied().max().unwrap_or(1);
    let of_rule = || measures.rows.iter().filter(|row| row.way.box_rule == rule && row.way.augmentations == most);
    let is_best_smoothing = |row: &&EvidenceRow| {
        let alike = |other: &&EvidenceRow| {
            other.network == row.network
                && other.validation.grading == row.validation.grading
                && (other.way.method, other.way.layer) == (row.way.method, row.way.layer)
        };
        of_rule().filter(alike).all(|other| other.validation.mean_iou <= row.validation.mean_iou)
    };
    let shown: Vec<&EvidenceRow> = of_rule().filter(is_best_smoothing).collect();
    let mut gradings: Vec<_> = shown.iter().map(|row| row.validation.grading).collect();
    // Every network has all of them.
    gradings.sort();
    gradings.dedup();
    let charts: Vec<LineChart> = gradings
        .into_iter()
        .map(|grading| {
            let rows = shown.iter().filter(|row| row.validation.grading == grading);
            let curves = rows.filter_map(|row| {
                let name = format!("{} at {}, {}", method_in_words(row.way.method), row.way.layer, row.dimensions);
                row.test.as_ref().map(|test| curve(name, test))
            });
            let place = measures.fixed_places.iter().find(|place| place.grading == grading);
            let curves = curves.chain(place.map(|place| level_line("a fixed place".to_owned(), place.mean_iou)));
            overlap_chart(grading.name().to_owned(), curves.collect())
        })
        .collect();
    let notes = [
        format!(
            "Measured on {}; {most} views; boxes: {rule}; the percentile chosen on other scans stands out.",
            measures.test
        ),
        crate::picture::DISCLAIMER.to_owned(),
    ];
    chart_sheet("Evidence against boxes", &charts, CHARTS_ACROSS, &notes)
}
