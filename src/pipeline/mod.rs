//! The whole chain as plain functions, and the files that come out of it.
//!
//! The command line and the background worker call the same functions, so they cannot disagree.

mod boxes;
mod device;
mod files;

pub use boxes::{BOXES_SCHEMA, BoxesError, BoxesFile};
pub use device::{DeviceChoice, DeviceError, device_name};
pub use files::write_whole;

/// `value` with `digits` after the point; never a negative zero. Written numbers are rounded to what they are worth, so
/// that files stay small and differences in the last bit do not show.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale + 0.0
}
