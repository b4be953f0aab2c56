//! Pictures of slices and evidence on the CPU, for files and for views on screen alike.
//!
//! [`SliceScene`] holds what one view shows; the window draws it with `shaders/slice.wgsl`, files are drawn by its CPU
//! twin in this module. [`overlay()`], [`figure_sheet`] and [`study_overview`] are the pictures that are written to files;
//! a [`Drawing`] is written as pixels, SVG or PDF.

mod canvas;
mod caption;
mod chart;
mod color_map;
mod contact;
mod disc_sheet;
mod drawing;
mod faces;
mod figure;
mod marked;
mod marks;
mod overlay;
mod overview;
mod placement;
mod shade;
mod sheet;
mod sheets;
mod tile;

#[cfg(test)]
mod tests;

pub(crate) use canvas::text_width;
pub(crate) use caption::captioned;
pub(crate) use chart::{Curve, LineChart, chart_sheet};
pub(crate) use color_map::COLOR_ENTRIES;
pub use color_map::ColorMap;
pub(crate) use contact::contact_sheet;
pub(crate) use disc_sheet::disc_sheet;
pub(crate) use drawing::Drawing;
pub use faces::Face;
pub(crate) use faces::faces_of;
pub(crate) use figure::ordinal;
pub use figure::{DISCLAIMER, EvidenceFigure};
pub(crate) use marked::{MarkedSlice, marked_slice};
pub(crate) use overlay::{OverlayStyle, overlay};
pub(crate) use overview::{DiscNote, study_overview};
pub use overview::{key_image, key_slice};
pub(crate) use placement::ImageFromScreen;
pub use shade::EvidenceFill;
pub(crate) use shade::{EvidenceLook, SliceLook, SliceScene};
pub(crate) use sheets::{CaseFigure, CaseRow, cases_sheet, figure_sheet, methods_sheet, steps_sheet, thresholds_sheet};
pub(crate) use tile::evidence_tile;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::RgbImage;
use thiserror::Error;

use crate::files::write_whole;

/// A picture could not be written.
#[derive(Debug, Error)]
#[error("cannot write the picture {}", path.display())]
pub struct PictureError {
    source: image::ImageError,
    /// The file.
    path: PathBuf,
}

/// Writes a picture as PNG, whatever the name's ending; nobody sees half of it.
///
/// # Errors
/// If the file cannot be written.
pub fn write_png(picture: &RgbImage, path: &Path) -> Result<(), PictureError> {
    let mut bytes = Cursor::new(Vec::new());
    let encoded = picture.write_to(&mut bytes, image::ImageFormat::Png);
    let written = encoded.and_then(|()| write_whole(path, bytes.get_ref()).map_err(Into::into));
    written.map_err(|source| PictureError { source, path: path.to_owned() })
}
