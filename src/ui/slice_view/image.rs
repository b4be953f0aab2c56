//! The pixels of the slice and the evidence over them, drawn by the GPU.

use eframe::egui::Ui;

use super::Scene;
use crate::picture::{EvidenceLook, SliceLook};
use crate::render::{EvidencePaint, SlicePaint};
use crate::ui::state::{EvidenceState, MapState};

/// Paints the slice with an evidence map; nothing where there is no GPU (tests of state alone).
pub fn image_ui(ui: &Ui, scene: &Scene, map: &MapState) {
    let Some(texture) = &scene.state.image_texture else { return };
    let view = &scene.state.view;
    let look = SliceLook { invert: view.inverted, smooth: view.smooth, ..SliceLook::new(scene.window) };
    let paint = SlicePaint {
        series: texture.clone(),
        slice: scene.slice,
        image_from_screen: scene.transform.placement(),
        look,
        evidence: evidence_paint(&scene.state.evidence, map),
    };
    ui.painter().add(paint.shape(scene.transform.viewport));
}

/// A map as it is shown now.
pub fn evidence_paint(evidence: &EvidenceState, map: &MapState) -> Option<EvidencePaint> {
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
