//! The paper's measures: how well grades and boxes agree with a reader's.
//!
//! Pure functions over slices of numbers; formatting and files are elsewhere. A measure that the data do not define
//! (no items, one class only) is `None`, never a made-up number.

mod boxes;
mod calibration;
mod fixed_place;
mod grades;
mod rank;

pub use boxes::{
    BoxedFinding, BoxesBySlice, CONFIDENCE, Estimate, FindingScores, OverlapSummary, SeenSlices, best_percentile,
    iou_of_pairs, overlap_curve, summarize_overlap,
};
pub use calibration::{ReliabilityBin, brier_score, expected_calibration_error, reliability};
pub use fixed_place::{PlacedBoxes, fixed_places};
pub use grades::{
    BinaryMeasures, ConfusionMatrix, Interval, KappaWeights, area_under_curve, binary_measures, bootstrap_by_patient,
};
pub use rank::rank_correlation;
