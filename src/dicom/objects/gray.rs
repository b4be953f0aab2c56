//! From the stored values of images to the gray values that a presentation state shows (PS3.4 N.2).

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::build::{Item, Put, texts};
use super::context::ObjectContext;
use crate::dicom::error::DicomError;
use crate::dicom::file::DicomFile;
use crate::dicom::frames::ImageHeader;
use crate::dicom::pixels::{PixelFormat, Rescale};
use crate::dicom::write::decimal;
use crate::volume::WindowLevel;

/// How the stored values of a slice become gray. A presentation state has one such way for all its images and puts it in
/// the place of what they say themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GrayScale {
    rescale: Rescale,
    format: PixelFormat,
}

impl ObjectContext {
    /// The gray scale of every slice, read from the images again.
    pub(super) fn gray_scales(&self) -> Result<Vec<GrayScale>, DicomError> {
        let mut last: Option<(&std::path::Path, ImageHeader)> = None;
        let mut scales = Vec::with_capacity(self.slices());
        for source in self.sources() {
            let refused = |reason| DicomError::File { reason, path: source.path.clone() };
            let header = match last.take() {
                Some((path, header)) if path == source.path => header,
                _ => DicomFile::open(&source.path).and_then(|file| ImageHeader::read(&file)).map_err(refused)?,
            };
            let frame = header.frames.get(source.frame);
            let frame = frame.ok_or_else(|| DicomError::Changed { path: source.path.clone() })?;
            scales.push(GrayScale { rescale: frame.rescale, format: header.format });
            last = Some((&source.path, header));
        }
        Ok(scales)
    }
}

impl GrayScale {
    /// Whether both show the same stored value as the same gray.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.rescale == other.rescale && self.format.is_inverted == other.format.is_inverted
    }

    /// Puts modality LUT, window and presentation LUT into a state that shows voxel values through `window`.
    pub(super) fn put(&self, state: &mut Item, window: WindowLevel) {
        let Rescale { slope, intercept } = self.rescale;
        if (slope, intercept) != (1.0, 0.0) {
            state.text(tags::RESCALE_INTERCEPT, VR::DS, &decimal(intercept));
            state.text(tags::RESCALE_SLOPE, VR::DS, &decimal(slope));
            state.text(tags::RESCALE_TYPE, VR::LO, "US");
        }
        let window = self.format.window(window);
        let mut shown = texts(&[
            (tags::WINDOW_CENTER, VR::DS, &decimal(f64::from(window.center))),
            (tags::WINDOW_WIDTH, VR::DS, &decimal(f64::from(window.width))),
        ]);
        if window.width < 1.0 {
            // The plain function knows no windows narrower than 1.
            shown.text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
        }
        state.item(tags::SOFTCOPY_VOILUT_SEQUENCE, shown);
        let shape = if self.format.is_inverted { "INVERSE" } else { "IDENTITY" };
        state.text(tags::PRESENTATION_LUT_SHAPE, VR::CS, shape);
    }
}
