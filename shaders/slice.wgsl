// One slice of a series with its evidence. The CPU twin is src/picture/shade.rs; keep the two alike, name by name.
// Colors are sRGB throughout, as egui blends them.

struct Scene {
    image_x_from_screen: vec4<f32>,     // a, b, c: x = a * screen.x + b * screen.y + c
    image_y_from_screen: vec4<f32>,
    patch_row_from_image: vec4<f32>,
    patch_column_from_image: vec4<f32>,
    background: vec4<f32>,
    window_center: f32,
    window_width: f32,
    range_start: f32,                   // evidence at the weak end of the color map
    range_width: f32,
    threshold: f32,
    soft_edge: f32,
    opacity: f32,
    samples: u32,                       // averaged per screen pixel and axis
    image_layer: i32,                   // -1: no such slice
    patch_layer: i32,                   // -1: no evidence on this slice
    color_row: i32,
    flags: u32,
}

const INVERT: u32 = 1u;
const SMOOTH: u32 = 2u;
const GRADED: u32 = 4u;
const CONTOUR: u32 = 8u;
const CONTOUR_EDGE = vec2<f32>(0.9, 0.8);   // half the width of the line and of its soft edge, screen pixels
const CONTOUR_STRENGTH: f32 = 0.8;

@group(0) @binding(0) var<uniform> scene: Scene;
@group(0) @binding(1) var colors: texture_2d<f32>;      // one color map a row
@group(1) @binding(0) var series: texture_2d_array<f32>;
@group(2) @binding(0) var evidence: texture_2d_array<f32>;

// One triangle that covers the viewport.
@vertex
fn vertex_main(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let corner = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    return vec4<f32>(corner * 2.0 - 1.0, 0.0, 1.0);
}

@fragment
fn fragment_gamma(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    return vec4<f32>(color_at(position.xy), 1.0);
}

// For targets that encode sRGB themselves.
@fragment
fn fragment_linear(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let color = color_at(position.xy);
    let low = color / 12.92;
    let high = pow((color + 0.055) / 1.055, vec3<f32>(2.4));
    return vec4<f32>(select(high, low, color <= vec3<f32>(0.04045)), 1.0);
}

// The mean color of one screen pixel.
fn color_at(screen: vec2<f32>) -> vec3<f32> {
    var sum = vec3<f32>(0.0);
    for (var row = 0u; row < scene.samples; row++) {
        for (var column = 0u; column < scene.samples; column++) {
            let offset = (vec2<f32>(f32(column), f32(row)) + 0.5) / f32(scene.samples) - 0.5;
            sum += sample_color(screen + offset);
        }
    }
    return sum / f32(scene.samples * scene.samples);
}

// The color at one exact screen position.
fn sample_color(screen: vec2<f32>) -> vec3<f32> {
    let at = vec2<f32>(transform(scene.image_x_from_screen, screen), transform(scene.image_y_from_screen, screen));
    let size = vec2<f32>(textureDimensions(series));
    if scene.image_layer < 0 || !contains(at, size) {
        return scene.background.rgb;
    }
    var value: f32;
    if (scene.flags & SMOOTH) != 0u {
        value = bilinear(series, scene.image_layer, at, size);
    } else {
        let nearest = clamp(floor(at + 0.5), vec2<f32>(0.0), size - 1.0);
        value = textureLoad(series, vec2<i32>(nearest), scene.image_layer, 0).r;
    }
    var gray = clamp((value - scene.window_center) / scene.window_width + 0.5, 0.0, 1.0);
    if (scene.flags & INVERT) != 0u {
        gray = 1.0 - gray;
    }
    return over(vec3<f32>(gray), at);
}

// `color` with the evidence at image position `at` drawn over it.
fn over(color: vec3<f32>, at: vec2<f32>) -> vec3<f32> {
    if scene.patch_layer < 0 || !contains(patch_from_image(at), vec2<f32>(textureDimensions(evidence))) {
        return color;
    }
    let value = evidence_at(at);
    if (scene.flags & CONTOUR) != 0u {
        return mix(color, map_color(CONTOUR_STRENGTH), contour(at, value));
    }
    let strength = clamp((value - scene.range_start) / scene.range_width, 0.0, 1.0);
    let rise = clamp((value - scene.threshold) / scene.soft_edge, 0.0, 1.0);
    let graded = select(1.0, strength, (scene.flags & GRADED) != 0u);
    let cover = scene.opacity * rise * rise * (3.0 - 2.0 * rise) * graded;
    return mix(color, map_color(strength), cover);
}

// Cover by the line along the threshold, from the rise of evidence over a screen pixel to the right and one down.
fn contour(at: vec2<f32>, value: f32) -> f32 {
    let right = vec2<f32>(scene.image_x_from_screen.x, scene.image_y_from_screen.x);
    let down = vec2<f32>(scene.image_x_from_screen.y, scene.image_y_from_screen.y);
    let rise = vec2<f32>(evidence_at(at + right) - evidence_at(at - right), evidence_at(at + down) - evidence_at(at - down));
    let distance = abs(value - scene.threshold) / max(length(rise) / 2.0, 1.17549435e-38);
    return scene.opacity * clamp((CONTOUR_EDGE.x + CONTOUR_EDGE.y - distance) / CONTOUR_EDGE.y, 0.0, 1.0);
}

fn patch_from_image(at: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(transform(scene.patch_column_from_image, at), transform(scene.patch_row_from_image, at));
}

fn evidence_at(at: vec2<f32>) -> f32 {
    return bilinear(evidence, scene.patch_layer, patch_from_image(at), vec2<f32>(textureDimensions(evidence)));
}

fn map_color(strength: f32) -> vec3<f32> {
    let last = i32(textureDimensions(colors).x) - 1;
    let place = strength * f32(last);
    let below = i32(floor(place));
    let low = textureLoad(colors, vec2<i32>(below, scene.color_row), 0).rgb;
    let high = textureLoad(colors, vec2<i32>(min(below + 1, last), scene.color_row), 0).rgb;
    return mix(low, high, place - floor(place));
}

fn transform(row: vec4<f32>, point: vec2<f32>) -> f32 {
    return row.x * point.x + row.y * point.y + row.z;
}

fn contains(at: vec2<f32>, size: vec2<f32>) -> bool {
    return all(at >= vec2<f32>(-0.5)) && all(at <= size - 0.5);
}

fn bilinear(image: texture_2d_array<f32>, layer: i32, at: vec2<f32>, size: vec2<f32>) -> f32 {
    let held = clamp(at, vec2<f32>(0.0), size - 1.0);
    let low = vec2<i32>(floor(held));
    let high = min(low + 1, vec2<i32>(size) - 1);
    let between = held - floor(held);
    let upper_left = textureLoad(image, low, layer, 0).r;
    let upper_right = textureLoad(image, vec2<i32>(high.x, low.y), layer, 0).r;
    let lower_left = textureLoad(image, vec2<i32>(low.x, high.y), layer, 0).r;
    let lower_right = textureLoad(image, high, layer, 0).r;
    return mix(mix(upper_left, upper_right, between.x), mix(lower_left, lower_right, between.x), between.y);
}
