//! Times of the convolutions and of pooling at the grading network's shapes, at the paper's width and at the shipped one.
//!
//! `benches/compare.py layers` puts PyTorch's times beside them.

use std::hint::black_box;
use std::time::Duration;

use candle_core::{Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use spinenet_viewer::model::{Dimensions, GradingConfig};
use spinenet_viewer::nn::{
    ConvWindow, conv3d, conv3d_input_gradient, conv3d_weight_gradient, max_pool_2x2, max_unpool_2x2,
};

/// Name, input `[slice, row, column]`, kernel, stride, padding; channels come from the configuration.
type Layer = (&'static str, [usize; 3], [usize; 3], [usize; 3], [usize; 3]);

const LAYERS: [Layer; 5] = [
    ("conv1", [9, 112, 224], [3, 7, 7], [1, 2, 2], [1, 3, 3]),
    ("conv2", [9, 28, 56], [3, 5, 5], [1, 1, 1], [1, 2, 2]),
    ("conv3", [9, 14, 28], [3, 3, 3], [1, 1, 1], [1, 1, 1]),
    ("conv4", [9, 14, 28], [9, 3, 3], [1, 1, 1], [0, 1, 1]),
    ("conv5", [1, 14, 28], [1, 3, 3], [1, 1, 1], [0, 1, 1]),
];

fn random(shape: &[usize]) -> Tensor {
    Tensor::rand(0.0_f32, 1.0, shape, &Device::Cpu).expect("memory for a layer")
}

fn layers(criterion: &mut Criterion) {
    let networks = [("paper", GradingConfig::paper(Dimensions::Three)), ("shipped", GradingConfig::shipped())];
    for (network, config) in networks {
        for batch in [1, 8] {
            let mut channels = 1;
            for ((name, input, kernel, stride, padding), filters) in LAYERS.into_iter().zip(config.channels) {
                let id = |direction: &str| format!("{network}-{batch}-{name}-{direction}");
                let window = ConvWindow { stride, padding };
                let input_shape = [batch, channels, input[0], input[1], input[2]];
                let weight_shape = [filters, channels, kernel[0], kernel[1], kernel[2]];
                let (input, weight) = (random(&input_shape), random(&weight_shape));
                let output = conv3d(&input, &weight, None, window).expect("shapes that fit");
                let gradient = random(output.dims());
                criterion.bench_function(&id("forward"), |bencher| {
                    bencher.iter(|| black_box(conv3d(&input, &weight, None, window)));
                });
                criterion.bench_function(&id("to_input"), |bencher| {
                    bencher.iter(|| black_box(conv3d_input_gradient(&gradient, &weight, input_shape, window)));
                });
                criterion.bench_function(&id("to_weights"), |bencher| {
                    bencher.iter(|| black_box(conv3d_weight_gradient(&gradient, &input, &weight_shape, window)));
                });
                if name == "conv1" {
                    let pooled = random(max_pool_2x2(&output).expect("even sizes").dims());
                    let id = |direction: &str| format!("{network}-{batch}-pool1-{direction}");
                    criterion.bench_function(&id("forward"), |bencher| {
                        bencher.iter(|| black_box(max_pool_2x2(&output)));
                    });
                    criterion.bench_function(&id("to_input"), |bencher| {
                        bencher.iter(|| black_box(max_unpool_2x2(&pooled, &output)));
                    });
                }
                channels = filters;
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = layers
}
criterion_main!(benches);
