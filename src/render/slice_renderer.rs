//! The pipeline that draws slices.

use std::num::NonZeroU64;
use std::sync::Arc;

use eframe::egui_wgpu::RenderState;
use wgpu::util::DeviceExt;

use crate::picture::{COLOR_ENTRIES, ColorMap, EvidenceFill, SliceScene};

/// Words of 32 bits in the shader's `Scene`.
const SCENE_WORDS: usize = 32;
const SCENE_BYTES: u64 = 4 * SCENE_WORDS as u64;

const INVERT: u32 = 1;
const SMOOTH: u32 = 2;
const GRADED: u32 = 4;
const CONTOUR: u32 = 8;

/// Draws slices into an egui window; a cheap handle, to be made once per window.
#[derive(Clone)]
pub struct SliceRenderer(pub(super) Arc<Gpu>);

/// What all views share.
pub(super) struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) pipeline: wgpu::RenderPipeline,
    scene_layout: wgpu::BindGroupLayout,
    pub(super) image_layout: wgpu::BindGroupLayout,
    colors: wgpu::TextureView,
    /// Bound where a view has no evidence.
    pub(super) no_evidence: wgpu::BindGroup,
}

impl SliceRenderer {
    /// A renderer for the window that `state` draws (`eframe::CreationContext::wgpu_render_state`).
    ///
    /// The window must have no multisampling and no depth buffer, as eframe makes it by default.
    #[must_use]
    pub fn new(state: &RenderState) -> Self {
        Self::for_target(&state.device, &state.queue, state.target_format)
    }

    /// A renderer for any color target of `format`, single-sampled.
    #[must_use]
    pub(crate) fn for_target(device: &wgpu::Device, queue: &wgpu::Queue, format: wgpu::TextureFormat) -> Self {
        let scene_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("slice scene"),
            entries: &[
                wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::FRAGMENT,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: NonZeroU64::new(SCENE_BYTES),
                    },
                    count: None,
                },
                texture_entry(1, wgpu::TextureViewDimension::D2),
            ],
        });
        let image_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("slice image"),
            entries: &[texture_entry(0, wgpu::TextureViewDimension::D2Array)],
        });
        let pipeline =
            create_pipeline(device, format, &[Some(&scene_layout), Some(&image_layout), Some(&image_layout)]);
        let nothing = super::upload::array_texture(device, 1, 1, 1);
        let no_evidence = super::upload::bind_image(device, &image_layout, &nothing);
        let colors = color_texture(device, queue);
        let (device, queue) = (device.clone(), queue.clone());
        Self(Arc::new(Gpu { device, queue, pipeline, scene_layout, image_layout, colors, no_evidence }))
    }
}

impl Gpu {
    /// Binds the numbers of one view; each view of each frame has its own.
    pub(super) fn bind_scene(&self, scene: &SliceScene, layer: Option<u32>) -> wgpu::BindGroup {
        let buffer = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("slice scene"),
            contents: bytemuck::bytes_of(&scene_words(scene, layer)),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("slice scene"),
            layout: &self.scene_layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::TextureView(&self.colors) },
            ],
        })
    }
}

/// The shader's `Scene`, field by field.
fn scene_words(scene: &SliceScene, layer: Option<u32>) -> [u32; SCENE_WORDS] {
    let look = &scene.look;
    let mut words = Vec::with_capacity(SCENE_WORDS);
    let mut push_row = |row: [f32; 3]| words.extend([row[0], row[1], row[2], 0.0].map(f32::to_bits));
    let patch_from_image = scene.evidence.map_or([[0.0; 3]; 2], |evidence| evidence.patch_from_image);
    scene.image_from_screen.into_iter().chain(patch_from_image).for_each(&mut push_row);
    push_row(look.background.map(|channel| f32::from(channel) / 255.0));

    let missing = -1_i32 as u32;
    let mut flags = if look.invert { INVERT } else { 0 } | if look.smooth { SMOOTH } else { 0 };
    let mut evidence_words = [0.0, 1.0, 0.0, 1.0, 0.0].map(f32::to_bits);
    let (mut patch_layer, mut color_row) = (missing, 0);
    if let Some(evidence) = &scene.evidence {
        let look = &evidence.look;
        evidence_words = [look.range.0, evidence.range_width(), look.threshold, evidence.soft_edge(), look.opacity]
            .map(f32::to_bits);
        patch_layer = evidence.patch_slice as u32;
        color_row = look.color_map.index() as u32;
        flags |= match look.fill {
            EvidenceFill::Even => 0,
            EvidenceFill::Graded => GRADED,
            EvidenceFill::Contour => CONTOUR,
        };
    }
    words.extend([look.window.center, look.window.width].map(f32::to_bits));
    words.extend(evidence_words);
    words.extend([scene.samples, layer.unwrap_or(missing), patch_layer, color_row, flags]);
    words.try_into().expect("five rows of four and twelve single words")
}

fn texture_entry(binding: u32, view_dimension: wgpu::TextureViewDimension) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty: wgpu::BindingType::Texture {
            // 32-bit floats are not filterable everywhere; the shader interpolates itself.
            sample_type: wgpu::TextureSampleType::Float { filterable: false },
            view_dimension,
            multisampled: false,
        },
        count: None,
    }
}

fn create_pipeline(
    device: &wgpu::Device,
    format: wgpu::TextureFormat,
    layouts: &[Option<&wgpu::BindGroupLayout>],
) -> wgpu::RenderPipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("slice"),
        source: wgpu::ShaderSource::Wgsl(include_str!("../../shaders/slice.wgsl").into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("slice"),
        bind_group_layouts: layouts,
        immediate_size: 0,
    });
    // egui blends in sRGB values and so do we; only a target that encodes by itself needs linear ones.
    let fragment = if format.is_srgb() { "fragment_linear" } else { "fragment_gamma" };
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("slice"),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("vertex_main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState::default(),
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some(fragment),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            targets: &[Some(format.into())],
        }),
        multiview_mask: None,
        cache: None,
    })
}

/// All color maps, one a row.
fn color_texture(device: &wgpu::Device, queue: &wgpu::Queue) -> wgpu::TextureView {
    let texels: Vec<[f32; 4]> =
        ColorMap::ALL.iter().flat_map(|map| map.table().map(|[red, green, blue]| [red, green, blue, 1.0])).collect();
    let texture = device.create_texture_with_data(
        queue,
        &wgpu::TextureDescriptor {
            label: Some("color maps"),
            size: wgpu::Extent3d {
                width: COLOR_ENTRIES as u32,
                height: ColorMap::ALL.len() as u32,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Float,
            usage: wgpu::TextureUsages::TEXTURE_BINDING,
            view_formats: &[],
        },
        wgpu::util::TextureDataOrder::LayerMajor,
        bytemuck::cast_slice(&texels),
    );
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}
