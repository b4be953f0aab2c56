//! Series and evidence on the GPU.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::slice_renderer::{Gpu, SliceRenderer};
use crate::spine::{DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PATCH_VOXELS};
use crate::volume::Volume;

/// Bytes handed to the driver before it is asked to take them, which bounds the memory held for the transfer.
const BYTES_IN_FLIGHT: usize = 64 << 20;

/// Why pixels did not get onto the GPU.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub(crate) enum UploadError {
    /// A slice is larger than the GPU's textures.
    #[error("slices of {columns} x {rows} pixels are larger than this graphics adapter's limit of {limit}")]
    SliceTooLarge {
        /// Columns of the slice.
        columns: usize,
        /// Rows of the slice.
        rows: usize,
        /// Most columns or rows.
        limit: u32,
    },
    /// Graphics memory ran out.
    #[error("the graphics adapter has no {mebibytes} MiB of memory free for this series")]
    OutOfMemory {
        /// Size of the series.
        mebibytes: usize,
    },
    /// The evidence is not a disc volume.
    #[error("an evidence map has {PATCH_VOXELS} values, got {0}")]
    EvidenceSize(usize),
}

/// A series on the GPU; clones share it and the last one frees it.
#[derive(Clone)]
pub struct SeriesHandle(pub(super) Arc<SeriesTexture>);

/// An evidence map on the GPU; clones share it and the last one frees it.
#[derive(Clone)]
pub struct EvidenceHandle(pub(super) Arc<EvidenceTexture>);

pub(super) struct SeriesTexture {
    pub(super) gpu: Arc<Gpu>,
    shape: [usize; 3],
    layers_per_texture: usize,
    /// The slices in order, `layers_per_texture` to each, since textures have a limited number of layers.
    textures: Vec<wgpu::BindGroup>,
}

pub(super) struct EvidenceTexture {
    pub(super) frame: DiscFrame,
    pub(super) binding: wgpu::BindGroup,
}

impl SliceRenderer {
    /// Puts a whole series on the GPU, so that scrolling uploads nothing. May be called on any thread.
    ///
    /// # Errors
    /// If a slice exceeds the adapter's texture size or its memory runs out.
    pub(crate) fn upload_series(&self, volume: &Volume) -> Result<SeriesHandle, UploadError> {
        let (handle, textures) = self.room_for(volume)?;
        let mut in_flight = 0;
        for slice in 0..volume.slices() {
            handle.write_slice(&textures, volume, slice);
            in_flight += size_of_val(volume.slice(slice));
            if in_flight > BYTES_IN_FLIGHT {
                self.0.queue.submit([]);
                in_flight = 0;
            }
        }
        Ok(handle)
    }

    /// The same in parts, each short enough for a frame; `first` is the slice to begin with. Slices that are not there yet
    /// are black.
    ///
    /// # Errors
    /// As [`Self::upload_series`].
    pub(crate) fn begin_upload(&self, volume: Arc<Volume>, first: usize) -> Result<SeriesUpload, UploadError> {
        let (handle, textures) = self.room_for(&volume)?;
        let mut order: Vec<usize> = (0..volume.slices()).collect();
        order.sort_by_key(|slice| std::cmp::Reverse(slice.abs_diff(first)));
        Ok(SeriesUpload { handle, textures, volume, order })
    }

    /// Textures for a series, still without pixels.
    fn room_for(&self, volume: &Volume) -> Result<(SeriesHandle, Vec<wgpu::Texture>), UploadError> {
        let gpu = &self.0;
        let limits = gpu.device.limits();
        let [slices, rows, columns] = volume.shape();
        if rows.max(columns) > limits.max_texture_dimension_2d as usize {
            return Err(UploadError::SliceTooLarge { columns, rows, limit: limits.max_texture_dimension_2d });
        }
        // One less, for the layer that `array_texture` may add.
        let layers_per_texture = (limits.max_texture_array_layers as usize - 1).min(slices);
        let made = (0..slices).step_by(layers_per_texture).map(|first| {
            let layers = layers_per_texture.min(slices - first);
            try_array_texture(&gpu.device, columns, rows, layers)
                .ok_or(UploadError::OutOfMemory { mebibytes: (volume.voxels().len() * 4) >> 20 })
        });
        let made: Vec<wgpu::Texture> = made.collect::<Result<_, _>>()?;
        let textures = made.iter().map(|texture| bind_image(&gpu.device, &gpu.image_layout, texture)).collect();
        let (gpu, shape) = (Arc::clone(gpu), volume.shape());
        Ok((SeriesHandle(Arc::new(SeriesTexture { gpu, shape, layers_per_texture, textures })), made))
    }

    /// Puts the evidence of a disc volume (`[9, 112, 224]`, in the place `frame`) on the GPU. May be called on any thread.
    ///
    /// # Errors
    /// If `values` has another size, or the adapter's memory runs out.
    pub(crate) fn upload_evidence(&self, values: &[f32], frame: &DiscFrame) -> Result<EvidenceHandle, UploadError> {
        let gpu = &self.0;
        if values.len() != PATCH_VOXELS {
            return Err(UploadError::EvidenceSize(values.len()));
        }
        let texture = try_array_texture(&gpu.device, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES)
            .ok_or(UploadError::OutOfMemory { mebibytes: 1 })?;
        write_layers(&gpu.queue, &texture, 0, values, PATCH_COLUMNS, PATCH_ROWS);
        let binding = bind_image(&gpu.device, &gpu.image_layout, &texture);
        Ok(EvidenceHandle(Arc::new(EvidenceTexture { frame: frame.clone(), binding })))
    }
}

/// A series on its way to the GPU.
pub(crate) struct SeriesUpload {
    handle: SeriesHandle,
    textures: Vec<wgpu::Texture>,
    volume: Arc<Volume>,
    /// Slices that are still to come, the next one last.
    order: Vec<usize>,
}

impl SeriesUpload {
    /// The series, to be drawn already.
    #[must_use]
    pub(crate) fn handle(&self) -> SeriesHandle {
        self.handle.clone()
    }

    /// Brings over slices for about as long as `time`, one at least; says whether all are there.
    pub(crate) fn advance(&mut self, time: Duration) -> bool {
        let begun = Instant::now();
        while let Some(slice) = self.order.pop() {
            self.handle.write_slice(&self.textures, &self.volume, slice);
            if begun.elapsed() >= time {
                break;
            }
        }
        self.order.is_empty()
    }
}

impl SeriesHandle {
    fn write_slice(&self, textures: &[wgpu::Texture], volume: &Volume, slice: usize) {
        let SeriesTexture { gpu, layers_per_texture, .. } = self.0.as_ref();
        let (texture, layer) = (&textures[slice / layers_per_texture], slice % layers_per_texture);
        write_layers(&gpu.queue, texture, layer as u32, volume.slice(slice), volume.columns(), volume.rows());
    }
}

impl SeriesTexture {
    /// The texture that holds `slice`, and its layer there; the layer is `None` past the last slice.
    pub(super) fn place(&self, slice: usize) -> (&wgpu::BindGroup, Option<u32>) {
        let layer = (slice < self.shape[0]).then_some((slice % self.layers_per_texture) as u32);
        let texture = layer.map_or(0, |_| slice / self.layers_per_texture);
        (&self.textures[texture], layer)
    }
}

impl EvidenceHandle {
    /// Where the evidence lies in the scan.
    #[must_use]
    pub(crate) fn frame(&self) -> &DiscFrame {
        &self.0.frame
    }
}

impl fmt::Debug for SeriesHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesHandle").field("shape", &self.0.shape).finish_non_exhaustive()
    }
}

impl fmt::Debug for EvidenceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvidenceHandle").field("frame", &self.0.frame).finish_non_exhaustive()
    }
}

/// An array texture of 32-bit floats with at least `layers` layers.
pub(super) fn array_texture(device: &wgpu::Device, columns: usize, rows: usize, layers: usize) -> wgpu::Texture {
    // wgpu's OpenGL back end takes one layer for a plain texture and a multiple of six for a cube.
    let layers = if layers == 1 || layers.is_multiple_of(6) { layers + 1 } else { layers };
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("slices"),
        size: wgpu::Extent3d { width: columns as u32, height: rows as u32, depth_or_array_layers: layers as u32 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::R32Float,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

/// The same, `None` where memory runs out.
fn try_array_texture(device: &wgpu::Device, columns: usize, rows: usize, layers: usize) -> Option<wgpu::Texture> {
    let scope = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let texture = array_texture(device, columns, rows, layers);
    // Outside a browser the answer is there at once.
    let answer = pin!(scope.pop()).poll(&mut Context::from_waker(Waker::noop()));
    matches!(answer, Poll::Ready(None)).then_some(texture)
}

/// Writes whole layers from `first_layer` on.
fn write_layers(
    queue: &wgpu::Queue,
    texture: &wgpu::Texture,
    first_layer: u32,
    pixels: &[f32],
    columns: usize,
    rows: usize,
) {
    let (width, height) = (columns as u32, rows as u32);
    queue.write_texture(
        wgpu::TexelCopyTextureInfo {
            texture,
            mip_level: 0,
            origin: wgpu::Origin3d { x: 0, y: 0, z: first_layer },
            aspect: wgpu::TextureAspect::All,
        },
        bytemuck::cast_slice(pixels),
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * width), rows_per_image: Some(height) },
        wgpu::Extent3d { width, height, depth_or_array_layers: (pixels.len() / (columns * rows)) as u32 },
    );
}

/// Binds all layers of a texture as the shader's image array.
pub(super) fn bind_image(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    texture: &wgpu::Texture,
) -> wgpu::BindGroup {
    let view = texture.create_view(&wgpu::TextureViewDescriptor {
        dimension: Some(wgpu::TextureViewDimension::D2Array),
        ..wgpu::TextureViewDescriptor::default()
    });
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("slices"),
        layout,
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&view) }],
    })
}
