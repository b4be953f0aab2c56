//! The pixels of the slice and the evidence over them, drawn by the GPU.

use eframe::egui::Ui;

use super::Scene;
use crate::picture::{EvidenceLook, SliceLook};
use crate::render::{EvidencePaint, SeriesHandle, SlicePaint};
use crate::ui::state::{EvidenceState, MapState};

/// Paints the slice with evidence over it; nothing where there is no GPU (tests of state alone).
pub(crate) fn image_ui(ui: &Ui, scene: &Scene, texture: Option<&SeriesHandle>, evidence: Option<EvidencePaint>) {
    let Some(texture) = texture else { return };
    let view = &scene.state.view;
    let look = SliceLook { invert: view.inverted, smooth: view.smooth, ..SliceLook::new(scene.window) };
    let (series, image_from_screen) = (texture.clone(), scene.transform.placement());
    let paint = SlicePaint { series, slice: scene.slice, image_from_screen, look, evidence };
    ui.painter().add(paint.shape(scene.transform.viewport));
}

/// A map as it is shown now.
pub(crate) fn evidence_paint(evidence: &EvidenceState, map: &MapState) -> Option<EvidencePaint> {
    evidence.visible(map)?;
    let look = EvidenceLook {
        opacity: evidence.opacity,
        threshold: map.threshold,
        range: (0.0, map.peak.max(f32::MIN_POSITIVE)),
        color_map: evidence.color_map,
        fill: evidence.fill,
    };
    map.texture.clone().map(|map| EvidencePaint { map, look })
}
