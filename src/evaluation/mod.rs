//! The paper's measures: how well grades and boxes agree with a reader's.
//!
//! Pure functions over slices of numbers; formatting and files are elsewhere. A measure that the data do not define
//! (no items, one class only) is `None`, never a made-up number.

mod boxes;
mod calibration;
mod fixed_place;
mod grades;
mod rank;

pub use boxes::iou_of_pairs;
pub(crate) use boxes::{
    BoxedFinding, BoxesBySlice, CONFIDENCE, Estimate, SeenSlices, best_percentile, overlap_curve, overlap_difference,
    summarize_overlap,
};
pub(crate) use calibration::{ReliabilityBin, brier_score, expected_calibration_error, reliability};
pub(crate) use fixed_place::{PlacedBoxes, fixed_places, usual_slices};
pub(crate) use grades::{ConfusionMatrix, Interval, KappaWeights, area_under_curve, bootstrap_by_patient};
pub(crate) use rank::rank_correlation;
