//! One view of one slice as an egui shape.

use std::sync::{Mutex, PoisonError};

use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, ScreenDescriptor};

use super::upload::{EvidenceHandle, SeriesHandle};
use crate::picture::{EvidenceLook, ImageFromScreen, SliceLook, SliceScene};

/// One view of one slice; make a new one every frame.
#[derive(Debug, Clone)]
pub(crate) struct SlicePaint {
    pub series: SeriesHandle,
    /// Slice index; past the last slice the view is all background.
    pub slice: usize,
    /// Where the image lies in the window, in points: the coordinates of pointer events and of [`egui::Painter`].
    pub image_from_screen: ImageFromScreen,
    /// How the slice is shown.
    pub look: SliceLook,
    /// Evidence drawn over it where the disc volume reaches this slice.
    pub evidence: Option<EvidencePaint>,
}

/// Evidence over a slice.
#[derive(Debug, Clone)]
pub(crate) struct EvidencePaint {
    pub map: EvidenceHandle,
    /// How it is shown.
    pub look: EvidenceLook,
}

impl SlicePaint {
    /// The shape that fills `rect` (points) with this view: `ui.painter().add(paint.shape(rect))`.
    pub(crate) fn shape(self, rect: egui::Rect) -> egui::Shape {
        Callback::new_paint_callback(rect, SliceCallback::new(self)).into()
    }

    /// What the view shows, counted in physical pixels.
    pub(super) fn scene(&self, pixels_per_point: f32) -> SliceScene {
        let image_from_pixel = self.image_from_screen.with_finer_screen(f64::from(pixels_per_point));
        let scene = SliceScene::new(&image_from_pixel, self.look);
        match &self.evidence {
            Some(evidence) => scene.with_evidence(evidence.map.frame(), self.slice, evidence.look),
            None => scene,
        }
    }
}

/// A view in the hands of egui's renderer.
pub(super) struct SliceCallback {
    paint: SlicePaint,
    /// Made by `prepare`, used by `paint`; egui gives both only a shared reference.
    scene: Mutex<Option<wgpu::BindGroup>>,
}

impl SliceCallback {
    pub(super) fn new(paint: SlicePaint) -> Self {
        Self { paint, scene: Mutex::new(None) }
    }
}

impl CallbackTrait for SliceCallback {
    fn prepare(
        &self,
        _device: &wgpu::Device,
        _queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        _resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let (_, layer) = self.paint.series.0.place(self.paint.slice);
        let binding = self.paint.series.0.gpu.bind_scene(&self.paint.scene(screen.pixels_per_point), layer);
        *self.scene.lock().unwrap_or_else(PoisonError::into_inner) = Some(binding);
        Vec::new()
    }

    fn paint(
        &self,
        _info: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _resources: &CallbackResources,
    ) {
        let series = &self.paint.series.0;
        let scene = self.scene.lock().unwrap_or_else(PoisonError::into_inner);
        let scene = scene.as_ref().expect("egui prepares a callback before it paints it");
        let evidence = self.paint.evidence.as_ref().map_or(&series.gpu.no_evidence, |evidence| &evidence.map.0.binding);
        pass.set_pipeline(&series.gpu.pipeline);
        pass.set_bind_group(0, scene, &[]);
        pass.set_bind_group(1, series.place(self.paint.slice).0, &[]);
        pass.set_bind_group(2, evidence, &[]);
        pass.draw(0..3, 0..1);
    }
}
