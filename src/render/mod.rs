//! Slices and evidence drawn by the GPU inside egui.
//!
//! ```text
//! // once, where the window is made:
//! let renderer = SliceRenderer::new(&render_state);
//! // when a series or a map arrives (cheap handles; GPU memory goes with the last one):
//! let series: SeriesHandle = renderer.upload_series(&volume)?;
//! let map: EvidenceHandle = renderer.upload_evidence(&values, &frame)?;
//! // every frame, for every view; scrolling, windowing and fading upload nothing:
//! let paint = SlicePaint { series, slice, image_from_screen, look, evidence: Some(EvidencePaint { map, look }) };
//! ui.painter().add(paint.shape(rect));
//! ```
//!
//! The CPU twin of the shader is [`crate::picture`]: the command line draws the same pictures without a GPU.

mod slice_paint;
mod slice_renderer;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use slice_paint::{EvidencePaint, SlicePaint};
pub use slice_renderer::SliceRenderer;
pub(crate) use upload::{EvidenceHandle, SeriesHandle, SeriesUpload};
