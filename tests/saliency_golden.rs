//! Evidence maps against an independent PyTorch computation on the same weights: `tests/golden/saliency.py` made the
//! numbers in `tests/golden/saliency.json`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use spinenet_viewer::model::grading::disc_tensor;
use spinenet_viewer::model::{Dimensions, Grader, GradingConfig, GradingNetwork, WeightsFolder};
use spinenet_viewer::saliency::{SaliencyLayer, SaliencyMethod, SaliencyTarget, Tracer};
use spinenet_viewer::spine::{DiscLevel, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_VOXELS};

/// Of each map every so many voxels are kept.
const STRIDE: usize = 997;
/// Largest difference, as a share of the map's greatest value (of sum and norm: of themselves).
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    network: String,
    grading: Grading,
    class: usize,
    method: SaliencyMethod,
    layer: SaliencyLayer,
    logits: Vec<f64>,
    sum: f64,
    norm: f64,
    greatest: f64,
    values: Vec<f64>,
}

/// Numbers in [-1, 1) of the linear congruential generator of Numerical Recipes.
fn numbers(count: usize, mut state: u32) -> Vec<f64> {
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state) / f64::from(1_u32 << 31) - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The network of seeded weights: tensor by tensor in the order of their names.
fn seeded(dimensions: Dimensions) -> Result<GradingNetwork> {
    let config = GradingConfig {
        dimensions,
        channels: [3, 4, 5, 6, 7],
        fully_connected: 16,
        ..GradingConfig::paper(Dimensions::Three)
    };
    let shapes: BTreeMap<String, Vec<usize>> = config.parameters().into_iter().collect();
    let mut tensors = HashMap::new();
    for (index, (name, shape)) in shapes.into_iter().enumerate() {
        let bound = match shape.as_slice() {
            [outputs, inputs, taps @ ..] => (6.0 / ((outputs + inputs) * taps.iter().product::<usize>()) as f64).sqrt(),
            _ => 0.05,
        };
        let values = numbers(shape.iter().product(), 7919 * index as u32 + 1);
        let values: Vec<f32> = values.into_iter().map(|value| (value * bound) as f32).collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    let mean = if dimensions == Dimensions::Two { 9 } else { 1 };
    tensors.insert("input_mean".to_owned(), Tensor::full(0.4_f32, mean, &Device::Cpu)?);
    GradingNetwork::new(&config, VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
}

/// Blocks of equal noise, so that there is structure of every size.
fn disc() -> Vec<f32> {
    let noise: Vec<f64> = numbers(PATCH_VOXELS, 12_345).into_iter().map(|value| value / 2.0 + 0.5).collect();
    (0..PATCH_VOXELS)
        .map(|index| {
            let (slice, row, column) =
                (index / (PATCH_ROWS * PATCH_COLUMNS), index / PATCH_COLUMNS % PATCH_ROWS, index % PATCH_COLUMNS);
            let block = (slice * PATCH_ROWS + row / 8 * 8) * PATCH_COLUMNS + column / 8 * 8;
            (0.7 * noise[block] + 0.3 * noise[index]) as f32
        })
        .collect()
}

#[test]
fn maps_are_those_of_pytorch() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("tests/golden/saliency.json")).expect("golden numbers");
    let golden: Golden = serde_json::from_str(&text).expect("golden numbers");
    assert_eq!(golden.cases.len(), 48);
    let shipped = WeightsFolder::open(&root.join("weights/grading-0.3.0")).expect("shipped");
    let shipped = Grader::from_folder(&shipped, &Device::Cpu).expect("whole");
    let networks = HashMap::from([
        ("seeded-3d", seeded(Dimensions::Three).expect("small")),
        ("seeded-2d", seeded(Dimensions::Two).expect("small")),
        ("grading-0.3.0", shipped.network().at_level(DiscLevel::L4L5).expect("a bias")),
    ]);
    let discs = disc_tensor([disc().as_slice()], &Device::Cpu).expect("a disc");
    let mut worst = 0.0_f64;
    for case in &golden.cases {
        let name = format!("{}, {} at {}", case.network, case.method, case.layer);
        let network = &networks[case.network.as_str()];
        let logits =
            network.forward(&discs).expect("computed")[case.grading].flatten_all().and_then(|l| l.to_vec1::<f32>());
        for (got, expected) in logits.expect("computed").iter().zip(&case.logits) {
            assert!(
                (f64::from(*got) - expected).abs() < TOLERANCE * expected.abs().max(0.01),
                "{name}: {got}, {expected}"
            );
        }
        let tracer = Tracer::new(network, case.method, Some(case.layer)).expect("filters");
        let target = SaliencyTarget { grading: case.grading, class: case.class };
        let map = tracer.evidence(&discs, &[target]).and_then(|map| map.flatten_all()?.to_vec1::<f32>());
        let map: Vec<f64> = map.expect("computed").into_iter().map(f64::from).collect();
        let norm = map.iter().map(|value| value * value).sum::<f64>().sqrt();
        for (what, got, expected) in [("sum", map.iter().sum(), case.sum), ("norm", norm, case.norm)] {
            assert!((got - expected).abs() <= TOLERANCE * expected, "{what} of {name}: {got} instead of {expected}");
        }
        assert_eq!(case.values.len(), PATCH_VOXELS.div_ceil(STRIDE));
        for (got, expected) in map.iter().step_by(STRIDE).zip(&case.values) {
            let difference = (got - expected).abs() / case.greatest;
            worst = worst.max(difference);
            assert!(difference <= TOLERANCE, "{name}: {got} instead of {expected}");
        }
    }
    eprintln!("largest difference {worst:.1e} of the greatest value of its map");
}
