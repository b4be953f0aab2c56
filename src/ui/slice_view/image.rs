//! The pixels of the slice and the evidence over them, drawn by the GPU.

use eframe::egui::Ui;
use glam::DVec2;

use super::Scene;
use crate::picture::{EvidenceFill, EvidenceLook, ImageFromScreen, SliceLook};
use crate::render::{EvidencePaint, SlicePaint};

/// Paints the slice; nothing where there is no GPU (tests of state alone).
pub fn image_ui(ui: &Ui, scene: &Scene) {
    let Some(texture) = &scene.state.image_texture else { return };
    let transform = &scene.transform;
    let middle = transform.viewport.center();
    let image_from_screen = ImageFromScreen::centered(
        transform.center_image,
        scene.series.frame().pixel_size_mm,
        transform.points_per_mm,
        DVec2::new(f64::from(middle.x), f64::from(middle.y)),
    );
    let paint = SlicePaint {
        series: texture.clone(),
        slice: scene.slice,
        image_from_screen,
        look: SliceLook::new(scene.state.window()),
        evidence: evidence(scene),
    };
    ui.painter().add(paint.shape(transform.viewport));
}

fn evidence(scene: &Scene) -> Option<EvidencePaint> {
    let state = &scene.state.evidence;
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
