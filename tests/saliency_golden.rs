//! Evidence maps, and gradients of learning, against an independent PyTorch computation on the same weights: `tests/golden/saliency.py` made the
//! numbers in `tests/golden/saliency.json`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use candle_nn::loss::cross_entropy;
use serde::Deserialize;
use spinenet_viewer::model::grading::disc_tensor;
use spinenet_viewer::model::{Dimensions, Grader, GradingConfig, GradingNetwork, WeightsFolder};
use spinenet_viewer::saliency::{SaliencyLayer, SaliencyMethod, SaliencyTarget, Tracer};
use spinenet_viewer::spine::{DiscLevel, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_VOXELS};

/// Of each map every so many voxels are kept.
const STRIDE: usize = 997;
/// Of each parameter's gradient.
const PARAMETER_STRIDE: usize = 97;
/// Largest difference, as a share of the map's greatest value (of sum and norm: of themselves).
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    learning: Vec<Learning>,
}

/// The cross-entropy of the last class of every grading, summed, and its gradient to every parameter.
#[derive(Deserialize)]
struct Learning {
    network: String,
    loss: f64,
    gradients: BTreeMap<String, ParameterGradient>,
}

#[derive(Deserialize)]
struct ParameterGradient {
    norm: f64,
    values: Vec<f64>,
}

impl Golden {
    fn read() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/saliency.json");
        serde_json::from_str(&fs::read_to_string(file).expect("golden numbers")).expect("golden numbers")
    }
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
    Ok(seeded_variables(dimensions)?.0)
}

fn seeded_variables(dimensions: Dimensions) -> Result<(GradingNetwork, BTreeMap<String, Var>)> {
    let config = GradingConfig {
        dimensions,
        channels: [3, 4, 5, 6, 7],
        fully_connected: 16,
        ..GradingConfig::paper(Dimensions::Three)
    };
    let shapes: BTreeMap<String, Vec<usize>> = config.parameters().into_iter().collect();
    let mut variables = BTreeMap::new();
    for (index, (name, shape)) in shapes.into_iter().enumerate() {
        let bound = match shape.as_slice() {
            [outputs, inputs, taps @ ..] => (6.0 / ((outputs + inputs) * taps.iter().product::<usize>()) as f64).sqrt(),
            _ => 0.05,
        };
        let values = numbers(shape.iter().product(), 7919 * index as u32 + 1);
        let values: Vec<f32> = values.into_iter().map(|value| (value * bound) as f32).collect();
        variables.insert(name, Var::from_vec(values, shape, &Device::Cpu)?);
    }
    let mean = if dimensions == Dimensions::Two { 9 } else { 1 };
    let mut tensors: HashMap<String, Tensor> =
        variables.iter().map(|(name, variable)| (name.clone(), variable.as_tensor().clone())).collect();
    tensors.insert("input_mean".to_owned(), Tensor::full(0.4_f32, mean, &Device::Cpu)?);
    let network = GradingNetwork::new(&config, VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))?;
    Ok((network, variables))
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
    let golden = Golden::read();
    assert_eq!(golden.cases.len(), 72);
    let shipped = WeightsFolder::open(&root.join("weights/grading-0.4.0")).expect("shipped");
    let shipped = Grader::from_folder(&shipped, &Device::Cpu).expect("whole");
    let networks = HashMap::from([
        ("seeded-3d", seeded(Dimensions::Three).expect("small")),
        ("seeded-2d", seeded(Dimensions::Two).expect("small")),
        ("grading-0.4.0", shipped.network().at_level(DiscLevel::L4L5).expect("a bias")),
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

#[test]
fn gradients_of_learning_are_those_of_pytorch() {
    let discs = disc_tensor([disc().as_slice()], &Device::Cpu).expect("a disc");
    let learning = Golden::read().learning;
    let names: Vec<_> = learning.iter().map(|golden| golden.network.as_str()).collect();
    assert_eq!(names, ["seeded-3d", "seeded-2d", "seeded-3d-unreduced"]);
    let mut worst = 0.0_f64;
    for (golden, dimensions) in learning.iter().zip([Dimensions::Three, Dimensions::Two, Dimensions::ThreeUnreduced]) {
        let (network, variables) = seeded_variables(dimensions).expect("small");
        let logits = network.forward(&discs).expect("computed");
        let mut total = Tensor::zeros((), DType::F32, &Device::Cpu).expect("zero");
        for (grading, logits) in logits.iter() {
            let class = Tensor::new(&[grading.classes() as u32 - 1], &Device::Cpu).expect("a class");
            total = (total + cross_entropy(logits, &class).expect("computed")).expect("a sum");
        }
        let loss = f64::from(total.to_scalar::<f32>().expect("a number"));
        assert!((loss - golden.loss).abs() < TOLERANCE * golden.loss, "{}: {loss}", golden.network);
        let gradients = total.backward().expect("differentiable");
        assert_eq!(variables.len(), golden.gradients.len(), "every parameter");
        for (name, expected) in &golden.gradients {
            let gradient = gradients.get(&variables[name]).expect("every parameter learns");
            let gradient = gradient.flatten_all().and_then(|g| g.to_vec1::<f32>()).expect("numbers");
            let norm = gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            assert!((norm - expected.norm).abs() <= TOLERANCE * expected.norm, "{}, {name}: {norm}", golden.network);
            assert_eq!(gradient.len().div_ceil(PARAMETER_STRIDE), expected.values.len(), "{name}");
            for (got, value) in gradient.iter().step_by(PARAMETER_STRIDE).zip(&expected.values) {
                let difference = (f64::from(*got) - value).abs() / expected.norm;
                worst = worst.max(difference);
                assert!(difference <= TOLERANCE, "{}, {name}: {got} instead of {value}", golden.network);
            }
        }
    }
    eprintln!("largest difference {worst:.1e} of the norm of its gradient");
}
