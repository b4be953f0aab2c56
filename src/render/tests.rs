//! The shader against its CPU twin, on a software Vulkan driver where there is no other.
//!
//! Bound: at most 1 of 255 in every channel, on all but 2 of 1000 pixels (a pixel whose sample falls on the border of
//! an image pixel, to the last bit of a float, may go either way).

use std::f64::consts::FRAC_PI_6;
use std::path::Path;
use std::sync::Arc;

use eframe::egui_wgpu::{RenderState, Renderer, RendererOptions, ScreenDescriptor, WgpuSetup};
use eframe::epaint::{ClippedPrimitive, Primitive};
use egui::{Pos2, Rect, Vec2};
use glam::{DAffine2, DMat2, DVec2, DVec3};
use image::RgbImage;
use wgpu::naga;

use super::upload::UploadError;
use super::*;
use crate::picture::{ColorMap, EvidenceFill, EvidenceLook, ImageFromScreen, SliceLook};
use crate::spine::{
    Corners, Disc, DiscFrame, DiscLevel, PATCH_COLUMNS, PATCH_ROWS, PATCH_VOXELS, Vertebra, VertebraLabel,
    VertebraOutline,
};
use crate::volume::{Volume, VolumeGeometry, WindowLevel};

const PIXEL_MM: DVec2 = DVec2::new(0.8, 0.5);
const SIZE: [u32; 2] = [210, 160];

/// A Vulkan device, a software one where there is a choice.
fn vulkan() -> RenderState {
    let mut setup = egui_kittest::wgpu::default_wgpu_setup();
    let WgpuSetup::CreateNew(new) = &mut setup else { unreachable!("the default setup makes its own device") };
    new.instance_descriptor.backends = wgpu::Backends::VULKAN;
    new.native_adapter_selector = Some(Arc::new(|adapters, _surface| {
        let software_first = |adapter: &&wgpu::Adapter| adapter.get_info().device_type != wgpu::DeviceType::Cpu;
        adapters.iter().min_by_key(software_first).cloned().ok_or_else(|| {
            "these tests need a Vulkan driver; on Debian or Ubuntu: apt-get install libvulkan1 mesa-vulkan-drivers"
                .to_owned()
        })
    }));
    egui_kittest::wgpu::create_render_state(setup, RendererOptions::PREDICTABLE)
}

/// Draws views through egui's renderer, as the window does: rectangles in points.
fn draw(state: &RenderState, views: Vec<(Rect, SlicePaint)>, scale: f32) -> RgbImage {
    let (device, queue) = (&state.device, &state.queue);
    let primitives: Vec<ClippedPrimitive> = views
        .into_iter()
        .map(|(rect, paint)| {
            let egui::Shape::Callback(callback) = paint.shape(rect) else { unreachable!("a callback shape") };
            ClippedPrimitive { clip_rect: rect, primitive: Primitive::Callback(callback) }
        })
        .collect();
    let screen = ScreenDescriptor { size_in_pixels: SIZE, pixels_per_point: scale };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: SIZE[0], height: SIZE[1], depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: state.target_format,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut renderer = state.renderer.write();
    renderer.update_buffers(device, queue, &mut encoder, &primitives, &screen);
    let attachment = wgpu::RenderPassColorAttachment {
        view: &view,
        depth_slice: None,
        resolve_target: None,
        ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::RED), store: wgpu::StoreOp::Store },
    };
    let descriptor =
        wgpu::RenderPassDescriptor { color_attachments: &[Some(attachment)], ..wgpu::RenderPassDescriptor::default() };
    renderer.render(&mut encoder.begin_render_pass(&descriptor).forget_lifetime(), &primitives, &screen);
    queue.submit([encoder.finish()]);
    read_back(device, queue, &texture)
}

fn read_back(device: &wgpu::Device, queue: &wgpu::Queue, texture: &wgpu::Texture) -> RgbImage {
    let stride = (SIZE[0] * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(stride * SIZE[1]),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(stride), rows_per_image: None };
    let target = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
    encoder.copy_texture_to_buffer(texture.as_image_copy(), target, texture.size());
    queue.submit([encoder.finish()]);
    buffer.slice(..).map_async(wgpu::MapMode::Read, |mapped| mapped.expect("a readable buffer"));
    device.poll(wgpu::PollType::wait_indefinitely()).expect("the device finishes");
    let bytes = buffer.slice(..).get_mapped_range().expect("a mapped buffer");
    RgbImage::from_fn(SIZE[0], SIZE[1], |x, y| {
        let at = (y * stride + x * 4) as usize;
        image::Rgb([bytes[at], bytes[at + 1], bytes[at + 2]])
    })
}

/// Slices of 60 × 40 pixels with smooth structure and noise-like detail.
fn volume(slices: usize) -> Volume {
    let origins = (0..slices).map(|slice| DVec3::new(slice as f64 * 4.0, 0.0, 0.0)).collect();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, PIXEL_MM.y, PIXEL_MM.x).expect("valid geometry");
    let value = |index: usize| {
        let (slice, row, column) = (index / 2400, index / 40 % 60, index % 40);
        let wave = ((row as f32) * 0.31 + slice as f32).sin() * ((column as f32) * 0.23).cos();
        500.0 + 300.0 * wave + ((index * 7919) % 101) as f32
    };
    Volume::new(60, 40, (0..slices * 2400).map(value).collect(), geometry).expect("matching size")
}

/// A tilted disc in the middle of `volume`.
fn frame(volume: &Volume) -> DiscFrame {
    let body = |label, y: f64| {
        let at = |x: f64, dy: f64| DVec2::new(x, y + dy + 0.2 * x);
        let corners = Corners { sa: at(8.0, -8.0), sp: at(32.0, -8.0), ip: at(32.0, 8.0), ia: at(8.0, 8.0) };
        let outlines = (0..volume.slices()).map(|slice| VertebraOutline { slice, corners }).collect();
        Vertebra { label, confidence: 1.0, outlines }
    };
    let (upper, lower) = (body(VertebraLabel::L3, 14.0), body(VertebraLabel::L4, 38.0));
    let disc = Disc::between(DiscLevel::L3L4, &upper, &lower).expect("outlines");
    DiscFrame::of_disc(volume, &disc).expect("good outlines")
}

fn evidence_values() -> Vec<f32> {
    let value = |index: usize| {
        let (slice, rest) = (index / (PATCH_ROWS * PATCH_COLUMNS), index % (PATCH_ROWS * PATCH_COLUMNS));
        let (row, column) = ((rest / PATCH_COLUMNS) as f32 - 55.0, (rest % PATCH_COLUMNS) as f32 - 100.0);
        (1.0 + slice as f32 * 0.2) * (-(row * row + column * column) / 900.0).exp()
    };
    (0..PATCH_VOXELS).map(value).collect()
}

fn window_rect(scale: f32) -> Rect {
    Rect::from_min_size(Pos2::ZERO, Vec2::new(SIZE[0] as f32, SIZE[1] as f32) / scale)
}

fn fitted(scale: f32) -> ImageFromScreen {
    let size = DVec2::new(f64::from(SIZE[0]), f64::from(SIZE[1])) / f64::from(scale);
    ImageFromScreen::fit(40, 60, PIXEL_MM, DVec2::ZERO, size)
}

fn base_look() -> SliceLook {
    SliceLook::new(WindowLevel { center: 550.0, width: 600.0 })
}

fn evidence_look() -> EvidenceLook {
    EvidenceLook {
        opacity: 0.7,
        threshold: 0.3,
        range: (0.1, 1.6),
        color_map: ColorMap::Ember,
        fill: EvidenceFill::Even,
    }
}

fn assert_alike(gpu: &RgbImage, cpu: &RgbImage, case: &str) {
    assert_eq!(gpu.dimensions(), cpu.dimensions());
    let apart = |(a, b): (&image::Rgb<u8>, &image::Rgb<u8>)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 1);
    let wrong = gpu.pixels().zip(cpu.pixels()).filter(|pair| apart(*pair)).count();
    let all = (SIZE[0] * SIZE[1]) as usize;
    assert!(wrong * 1000 <= all * 2, "{case}: {wrong} of {all} pixels differ by more than 1 of 255");
}

/// `view` after a linear change of the screen about `fixed`.
fn changed(view: ImageFromScreen, screen_from_changed: DMat2, fixed: DVec2) -> ImageFromScreen {
    let about = DAffine2::from_mat2_translation(screen_from_changed, fixed - screen_from_changed * fixed);
    ImageFromScreen::from_affine(view.affine() * about)
}

fn zoomed(view: ImageFromScreen, factor: f64, fixed: DVec2) -> ImageFromScreen {
    changed(view, DMat2::from_diagonal(DVec2::splat(1.0 / factor)), fixed)
}

#[test]
fn the_shader_and_its_twin_draw_the_same_slices() {
    let state = vulkan();
    let renderer = SliceRenderer::new(&state);
    let volume = volume(5);
    let series = renderer.upload_series(&volume).expect("a small series");
    let middle = DVec2::new(100.0, 70.0);
    let rotated = changed(fitted(1.0), DMat2::from_angle(-FRAC_PI_6), middle);
    let dragged =
        ImageFromScreen::from_affine(fitted(1.5).affine() * DAffine2::from_translation(DVec2::new(-13.0, 4.0)));
    let cases = [
        ("fitted", base_look(), fitted(1.0), 1.0),
        ("inverted", SliceLook { invert: true, ..base_look() }, fitted(1.0), 1.0),
        (
            "narrow window",
            SliceLook { window: WindowLevel { center: 480.0, width: 40.0 }, ..base_look() },
            fitted(1.0),
            1.0,
        ),
        ("nearest", SliceLook { smooth: false, ..base_look() }, zoomed(fitted(1.0), 2.3, middle), 1.0),
        ("rotated, magnified", base_look(), zoomed(rotated, 3.7, middle), 1.0),
        ("flipped", base_look(), changed(fitted(1.0), DMat2::from_diagonal(DVec2::NEG_ONE), middle), 1.0),
        (
            "shrunk, on color",
            SliceLook { background: [30, 60, 200], ..base_look() },
            zoomed(fitted(1.0), 0.2, middle),
            1.0,
        ),
        ("dense screen", base_look(), dragged, 1.5),
    ];
    for (case, look, image_from_screen, scale) in cases {
        let paint = SlicePaint { series: series.clone(), slice: 3, image_from_screen, look, evidence: None };
        let cpu = paint.scene(scale).draw(&volume, 3, None, SIZE[0], SIZE[1]);
        let gpu = draw(&state, vec![(window_rect(scale), paint)], scale);
        let shown = cpu.pixels().filter(|pixel| pixel.0 != look.background).count();
        assert!(shown > 500, "{case}: the picture is not empty");
        assert_alike(&gpu, &cpu, case);
    }
}

#[test]
fn the_shader_and_its_twin_draw_the_same_evidence() {
    let state = vulkan();
    let renderer = SliceRenderer::new(&state);
    let volume = volume(5);
    let series = renderer.upload_series(&volume).expect("a small series");
    let (values, frame) = (evidence_values(), frame(&volume));
    let map = renderer.upload_evidence(&values, &frame).expect("a disc volume");
    let looks = ColorMap::ALL.map(|color_map| EvidenceLook { color_map, ..evidence_look() });
    let graded = EvidenceLook { fill: EvidenceFill::Graded, threshold: 0.0, opacity: 1.0, ..evidence_look() };
    let strict = EvidenceLook { threshold: 1.1, ..evidence_look() };
    let flat_range = EvidenceLook { range: (0.5, 0.5), ..evidence_look() };
    let contour = EvidenceLook { fill: EvidenceFill::Contour, ..evidence_look() };
    for look in looks.into_iter().chain([graded, strict, flat_range, contour]) {
        for slice in [1, 2, 4] {
            let paint = SlicePaint {
                series: series.clone(),
                slice,
                image_from_screen: changed(fitted(1.0), DMat2::from_angle(-0.2), DVec2::new(100.0, 80.0)),
                look: base_look(),
                evidence: Some(EvidencePaint { map: map.clone(), look }),
            };
            let cpu = paint.scene(1.0).draw(&volume, slice, Some(&values), SIZE[0], SIZE[1]);
            let gpu = draw(&state, vec![(window_rect(1.0), paint)], 1.0);
            let colored = cpu.pixels().filter(|pixel| pixel.0[0].abs_diff(pixel.0[2]) > 10).count();
            assert!(colored > 100, "{look:?} covers something");
            assert_alike(&gpu, &cpu, &format!("{look:?} on slice {slice}"));
        }
    }
}

#[test]
fn several_views_in_one_frame_keep_their_own_settings() {
    let state = vulkan();
    let renderer = SliceRenderer::new(&state);
    let volume = volume(5);
    let series = renderer.upload_series(&volume).expect("a small series");
    let half = DVec2::new(105.0, 160.0);
    let view = |slice: usize, left: f64, invert: bool| {
        let corner = DVec2::new(left, 0.0);
        let rect = Rect::from_min_size(Pos2::new(left as f32, 0.0), Vec2::new(105.0, 160.0));
        let look = SliceLook { invert, ..base_look() };
        let image_from_screen = ImageFromScreen::fit(40, 60, PIXEL_MM, corner, half);
        (rect, SlicePaint { series: series.clone(), slice, image_from_screen, look, evidence: None })
    };
    let views = vec![view(0, 0.0, false), view(4, 105.0, true)];
    let mut cpu = RgbImage::new(SIZE[0], SIZE[1]);
    for (rect, paint) in &views {
        let whole = paint.scene(1.0).draw(&volume, paint.slice, None, SIZE[0], SIZE[1]);
        for (x, y, pixel) in whole.enumerate_pixels().filter(|(x, ..)| rect.x_range().contains(*x as f32 + 0.5)) {
            cpu.put_pixel(x, y, *pixel);
        }
    }
    let gpu = draw(&state, views, 1.0);
    assert_alike(&gpu, &cpu, "two views");
}

#[test]
fn a_target_that_encodes_srgb_itself_shows_the_same_colors() {
    let mut state = vulkan();
    state.target_format = wgpu::TextureFormat::Rgba8UnormSrgb;
    *state.renderer.write() = Renderer::new(&state.device, state.target_format, RendererOptions::PREDICTABLE);
    let renderer = SliceRenderer::new(&state);
    let volume = volume(2);
    let series = renderer.upload_series(&volume).expect("a small series");
    let paint = SlicePaint { series, slice: 1, image_from_screen: fitted(1.0), look: base_look(), evidence: None };
    let cpu = paint.scene(1.0).draw(&volume, 1, None, SIZE[0], SIZE[1]);
    let gpu = draw(&state, vec![(window_rect(1.0), paint)], 1.0);
    assert_alike(&gpu, &cpu, "sRGB target");
}

#[test]
fn a_series_with_more_slices_than_layers_is_split() {
    let state = vulkan();
    let renderer = SliceRenderer::new(&state);
    let slices = state.device.limits().max_texture_array_layers as usize + 7;
    let volume = volume(slices);
    let series = renderer.upload_series(&volume).expect("slices are small");
    for slice in [0, slices - 9, slices - 8, slices - 1] {
        let paint = SlicePaint {
            series: series.clone(),
            slice,
            image_from_screen: fitted(1.0),
            look: base_look(),
            evidence: None,
        };
        let cpu = paint.scene(1.0).draw(&volume, slice, None, SIZE[0], SIZE[1]);
        let gpu = draw(&state, vec![(window_rect(1.0), paint)], 1.0);
        assert_alike(&gpu, &cpu, &format!("slice {slice}"));
    }
    let past = SlicePaint {
        series,
        slice: slices,
        image_from_screen: fitted(1.0),
        look: SliceLook { background: [9, 9, 9], ..base_look() },
        evidence: None,
    };
    let gpu = draw(&state, vec![(window_rect(1.0), past)], 1.0);
    assert!(gpu.pixels().all(|pixel| pixel.0 == [9; 3]), "past the last slice there is only background");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let state = vulkan();
    let renderer = SliceRenderer::new(&state);
    let limit = state.device.limits().max_texture_dimension_2d;
    let columns = limit as usize + 1;
    let geometry = VolumeGeometry::new(vec![DVec3::ZERO], DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
    let wide = Volume::new(1, columns, vec![0.0; columns], geometry).expect("matching size");
    let refused = renderer.upload_series(&wide).expect_err("too wide");
    assert_eq!(refused, UploadError::SliceTooLarge { columns, rows: 1, limit });
    let refused = renderer.upload_evidence(&[0.0; 5], &frame(&volume(5))).expect_err("too few");
    assert_eq!(refused, UploadError::EvidenceSize(5));
}

#[test]
fn every_shader_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut checked = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder of shaders") {
        let path = entry.expect("a readable entry").path();
        if path.extension().is_none_or(|extension| extension != "wgsl") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a readable shader");
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|error| panic!("{}", error.emit_to_string_with_path(&text, &path.display().to_string())));
        let capabilities = naga::valid::Capabilities::empty();
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
            .validate(&module)
            .unwrap_or_else(|error| panic!("{}: {}", path.display(), error.emit_to_string(&text)));
        assert!(text.lines().count() <= 150, "{} is longer than 150 lines", path.display());
        checked += 1;
    }
    assert!(checked > 0, "no shader found in {}", folder.display());
}
