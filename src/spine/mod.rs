//! The vocabulary of the lumbar spine: levels, gradings, vertebrae, discs, boxes, and the disc volume.

mod alignment;
mod boxes;
mod brightness;
mod disc_volume;
mod grading;
mod label;
mod measurement;
mod prediction;
mod prevalence;
mod signal;
mod vertebra;

pub use alignment::SpineAlignment;
pub use boxes::{BoxRule, BoxSource, PixelBox, SliceBox, interpolated_boxes};
pub(crate) use brightness::vertebral_window;
pub use disc_volume::{DiscFrame, DiscFrameError, DiscVolume, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PATCH_VOXELS};
pub(crate) use disc_volume::{PatchAugmentation, WIDE_COLUMNS, WIDE_MARGIN, WIDE_ROWS, WIDE_SLICE_MARGIN, WIDE_SLICES};
pub(crate) use grading::{ClassIndex, GradingSpec};
pub use grading::{Grading, PerGrading};
pub(crate) use label::UnknownLevel;
pub use label::{DiscLevel, VertebraLabel};
pub(crate) use measurement::{LEAST_SLIP_PERCENT, SlipClass, slip_among_usual};
pub use measurement::{MeasuredValue, Measurement, MeasurementKind};
pub use prediction::{DiscPrediction, most_probable};
pub(crate) use prevalence::{Prevalence, at_prevalence};
pub use signal::signal_of_fluid;
pub use vertebra::{Corners, Disc, Vertebra, VertebraOutline, discs_between};
