//! Pictures of slices and evidence on the CPU, for files and for views on screen alike.
//!
//! [`SliceScene`] holds what one view shows; the window draws it with `shaders/slice.wgsl`, files are drawn by its CPU
//! twin in this module.

mod color_map;
mod placement;
mod shade;

pub use color_map::{COLOR_ENTRIES, ColorMap};
pub use placement::ImageFromScreen;
pub use shade::{EvidenceFill, EvidenceLook, EvidenceScene, SliceLook, SliceScene, nearest_patch_slice};
