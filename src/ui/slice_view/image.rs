//! The pixels of the slice and the evidence over them, drawn by the GPU.

use eframe::egui::Ui;

use super::Scene;
use crate::picture::{EvidenceFill, EvidenceLook, SliceLook};
use crate::render::{EvidencePaint, SlicePaint};
use crate::ui::state::ViewerState;

/// Paints the slice; nothing where there is no GPU (tests of state alone).
pub fn image_ui(ui: &Ui, scene: &Scene) {
    let Some(texture) = &scene.state.image_texture else { return };
    let view = &scene.state.view;
    let look = SliceLook { invert: view.inverted, smooth: view.smooth, ..SliceLook::new(scene.state.window()) };
    let paint = SlicePaint {
        series: texture.clone(),
        slice: scene.slice,
        image_from_screen: scene.transform.placement(),
        look,
        evidence: evidence_paint(scene.state),
    };
    ui.painter().add(paint.shape(scene.transform.viewport));
}

/// The evidence as it is shown now.
pub fn evidence_paint(state: &ViewerState) -> Option<EvidencePaint> {
    let state = &state.evidence;
    state.visible_map()?;
    let look = EvidenceLook {
        opacity: state.opacity,
        threshold: state.threshold,
        range: (0.0, state.peak.max(f32::MIN_POSITIVE)),
        color_map: state.color_map,
        fill: EvidenceFill::Even,
    };
    state.texture.clone().map(|map| EvidencePaint { map, look })
}
