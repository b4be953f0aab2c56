//! Golden vectors and properties of the evidence methods, and of the averaged maps.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use glam::{DVec2, DVec3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::augment::random_augmentation;
use super::mean::RunningMean;
use super::methods::{head_excitation, pooled_shape};
use super::*;
use crate::model::grading::{GradingNetwork, disc_tensor};
use crate::model::{Dimensions, GradingConfig};
use crate::nn::ConvWindow;
use crate::spine::{
    BoxRule, Corners, Disc, DiscFrame, DiscLevel, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PATCH_VOXELS, Vertebra,
    VertebraLabel, VertebraOutline,
};
use crate::task::CancelToken;
use crate::volume::{Volume, VolumeGeometry};

const REQUEST: SaliencyRequest = SaliencyRequest { grading: Grading::Pfirrmann, class: 2, plan: PLAN };

const PLAN: SaliencyPlan = SaliencyPlan {
    smoothing_mm: 0.0,
    method: SaliencyMethod::ContrastiveExcitation,
    layer: None,
    augmentations: 3,
    precision: None,
    seed: 5,
};

fn planned(augmentations: usize, seed: u64) -> SaliencyRequest {
    SaliencyRequest { plan: SaliencyPlan { augmentations, seed, ..PLAN }, ..REQUEST }
}

/// A small network with random weights; its biases are zero, so every active unit has excitatory input.
fn network(seed: u64) -> Result<GradingNetwork> {
    network_with(Dimensions::Three, seed, Ok)
}

fn network_with(
    dimensions: Dimensions,
    seed: u64,
    change: impl Fn(Tensor) -> Result<Tensor>,
) -> Result<GradingNetwork> {
    let config = GradingConfig {
        dimensions,
        channels: [3, 4, 5, 6, 7],
        fully_connected: 16,
        ..GradingConfig::paper(Dimensions::Three)
    };
    let variables = config.initial_variables(seed, &Device::Cpu)?;
    let data = variables.data().lock().expect("not poisoned");
    let changed = data.iter().map(|(name, variable)| Ok((name.clone(), change(variable.as_detached_tensor())?)));
    let tensors = changed.collect::<Result<_>>()?;
    GradingNetwork::new(&config, VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
}

fn discs(samples: usize) -> Result<Tensor> {
    let wave = |index: usize| 0.5 + 0.3 * (index as f32 * 0.013).sin() + 0.2 * (index as f32 * 0.0007).cos();
    let voxels: Vec<f32> = (0..samples * PATCH_VOXELS).map(wave).collect();
    disc_tensor([voxels.as_slice()], &Device::Cpu)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32")
}

fn total(tensor: &Tensor) -> f64 {
    values(tensor).into_iter().map(f64::from).sum()
}

fn assert_near(tensor: &Tensor, expected: &[f32]) {
    for (got, expected) in values(tensor).iter().zip(expected) {
        assert!((got - expected).abs() < 1e-4, "{got} instead of {expected}");
    }
}

fn square(x: f64, y: f64) -> Corners {
    let at = |dx, dy| DVec2::new(x + dx, y + dy);
    Corners { sa: at(0.0, 0.0), sp: at(60.0, 0.0), ip: at(60.0, 44.0), ia: at(0.0, 44.0) }
}

fn body(label: VertebraLabel, y: f64) -> Vertebra {
    let outlines = (0..7).map(|slice| VertebraOutline { slice, corners: square(70.0, y) }).collect();
    Vertebra { label, confidence: 1.0, outlines }
}

/// Seven slices with structure, and a disc in their middle.
fn scan() -> (Volume, Disc) {
    let origins = (0..7).map(|slice| DVec3::new(f64::from(slice) * 4.0, 0.0, 0.0)).collect();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 0.6, 0.6).expect("valid geometry");
    let value = |slice: usize, row: usize, column: usize| {
        100.0 + 60.0 * (row as f32 * 0.2 + slice as f32).sin() * (column as f32 * 0.15).cos()
    };
    let mut voxels = Vec::new();
    for slice in 0..7 {
        for row in 0..200 {
            voxels.extend((0..200).map(|column| value(slice, row, column)));
        }
    }
    let volume = Volume::new(200, 200, voxels, geometry).expect("matching size");
    let disc = Disc::between(DiscLevel::L4L5, &body(VertebraLabel::L4, 45.0), &body(VertebraLabel::L5, 105.0));
    (volume, disc.expect("outlines"))
}

/// ```python
/// # x → h = relu(W1 x + b1) → W2 h, without bias in W2; the numbers of the reference document, recomputed:
/// import torch
/// x = torch.tensor([1., 2, 3]); W1 = torch.tensor([[1, -1, .5], [.5, 1, -1], [.2, .3, .4]]); b1 = torch.tensor([.1, 1, -.5])
/// W2 = torch.tensor([[1, -2, .5], [-1, 1, 2.]]); h = torch.relu(W1 @ x + b1)
/// mwp = lambda w, x, p: x * ((w.clamp(min=0).T) @ torch.nan_to_num(p / (w.clamp(min=0) @ x), 0, 0, 0))
/// for c in range(2):
///     e = torch.eye(2)[c]; p, q = mwp(W2, h, e), mwp(-W2, h, e)
///     print(p, q, mwp(W1, x, p), mwp(W1, x, p - q))
/// ```
/// Evidence `[n, 9, 112, 224]` for `class` in disc volumes `[n, 9, 112, 224]`, read off at the method's usual layer.
fn evidence(
    network: &GradingNetwork,
    discs: &Tensor,
    grading: Grading,
    class: usize,
    method: SaliencyMethod,
) -> Result<Tensor> {
    Tracer::new(network, method, None)?.evidence(discs, &[SaliencyTarget { grading, class }])
}

#[test]
fn golden_vectors_of_excitation_backpropagation() -> Result<()> {
    let tensor = |rows: Vec<[f32; 3]>| Tensor::new(rows.as_slice().concat(), &Device::Cpu)?.reshape(((), 3));
    let x = tensor(vec![[1., 2., 3.]])?;
    let h = tensor(vec![[0.6, 0.5, 1.5]])?;
    let w1 = tensor(vec![[1., -1., 0.5], [0.5, 1., -1.], [0.2, 0.3, 0.4]])?;
    let w2 = tensor(vec![[1., -2., 0.5], [-1., 1., 2.]])?;
    let targets = [[1_f32, 0.], [0., 1.]];
    let expected: [[[f32; 3]; 4]; 2] = [
        [[0.44444, 0., 0.55556], [0., 1., 0.], [0.23333, 0.16667, 0.6], [0.03333, -0.63333, 0.6]],
        [[0., 0.14286, 0.85714], [1., 0., 0.], [0.11429, 0.37143, 0.51429], [-0.28571, 0.37143, -0.08571]],
    ];
    for (target, [positive, negative, at_x, signed]) in targets.iter().zip(expected) {
        let top = Tensor::new(&[*target], &Device::Cpu)?;
        let p = mwp::linear(&top, &h, &w2)?;
        assert_near(&p, &positive);
        assert_near(&mwp::linear(&top, &h, &w2.neg()?)?, &negative);
        assert_near(&mwp::linear(&p, &x, &w1)?, &at_x);
        let difference = mwp::contrastive_linear(&top, &h, &w2)?;
        assert_near(&mwp::linear(&difference, &x, &w1)?, &signed);
        // The size of the activations does not matter.
        assert_near(&mwp::linear(&p, &(&x * 1000.0)?, &w1)?, &at_x);
    }
    Ok(())
}

#[test]
fn a_convolution_passes_excitation_as_the_linear_layer_of_the_same_weights() -> Result<()> {
    // A 1 × 1 × 1 convolution over two pixels is the same linear layer twice.
    let weight = Tensor::new(&[[1_f32, -1., 0.5], [0.5, 1., -1.]], &Device::Cpu)?;
    let input = Tensor::new(&[[1_f32, 2., 3.], [0., 0.7, 0.]], &Device::Cpu)?;
    let p = Tensor::new(&[[0.2_f32, 0.3], [0.5, 0.]], &Device::Cpu)?;
    let as_pixels = |t: &Tensor| t.t()?.reshape((1, t.dim(1)?, 1, 1, t.dim(0)?));
    let window = ConvWindow::same([1, 1, 1]);
    let kernel = weight.reshape((2, 3, 1, 1, 1))?;
    let passed = mwp::convolution(&as_pixels(&p)?, &as_pixels(&input)?, &kernel.relu()?, window)?;
    let expected = as_pixels(&mwp::linear(&p, &input, &weight)?)?;
    assert_near(&passed, &values(&expected));
    // The second pixel's unit 0 has no excitatory input: its half of the mass is lost, the rest is kept.
    assert!((total(&passed) - 0.5).abs() < 1e-6);
    Ok(())
}

/// Probabilities that arrive at each layer down to the input, those of convolutions at their pooled output.
fn layers(
    network: &GradingNetwork,
    discs: &Tensor,
    grading: Grading,
    top: &Tensor,
    method: SaliencyMethod,
) -> Result<Vec<(&'static str, Tensor)>> {
    let trunk = &network.trace_trunk(discs)?;
    let head = network.trace_head(grading, &trunk.features)?;
    let is_contrastive = method == SaliencyMethod::ContrastiveExcitation;
    let mut layers = Vec::new();
    let mut on_layer = |name, p: &Tensor| layers.push((name, p.clone()));
    let features = head_excitation(trunk, &head, network.head(grading)?, top, is_contrastive, &mut on_layer)?;
    let pool5 = features.reshape(pooled_shape(trunk)?)?;
    let tracer = Tracer::new(network, method, Some(SaliencyLayer::Input))?;
    let read_off = tracer.trunk_excitation(trunk, discs, pool5, &mut on_layer)?;
    layers.push(("input", read_off));
    Ok(layers)
}

#[test]
fn probabilities_keep_their_sum_at_every_layer_and_contrastive_ones_sum_to_zero() -> Result<()> {
    for (seed, dimensions) in
        [(0, Dimensions::Three), (1, Dimensions::Three), (2, Dimensions::Two), (3, Dimensions::ThreeUnreduced)]
    {
        let (network, discs) = (network_with(dimensions, seed, Ok)?, discs(2)?);
        for grading in Grading::PAPER {
            let class = grading.classes() - 1;
            let mut top = vec![0.0_f32; 2 * grading.classes()];
            (top[class], top[grading.classes() + class]) = (1.0, 1.0);
            let top = Tensor::from_vec(top, (2, grading.classes()), &Device::Cpu)?;
            let plain = layers(&network, &discs, grading, &top, SaliencyMethod::Excitation)?;
            let names: Vec<_> = plain.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1", "input"]);
            for (name, p) in &plain {
                assert!(values(p).iter().all(|value| *value >= 0.0), "{name}");
                for sample in 0..2 {
                    let sum = total(&p.narrow(0, sample, 1)?);
                    assert!((sum - 1.0).abs() < 1e-4, "seed {seed}, {grading}, {name}: {sum}");
                }
            }
            let contrastive = layers(&network, &discs, grading, &top, SaliencyMethod::ContrastiveExcitation)?;
            for (name, p) in &contrastive {
                assert!(total(p).abs() < 1e-4, "seed {seed}, {grading}, {name}");
                assert!(values(p).iter().any(|value| *value < 0.0), "{name} is signed");
            }
        }
    }
    Ok(())
}

#[test]
fn maps_are_per_sample_not_negative_and_change_with_the_weights() -> Result<()> {
    let network_a = network(1)?;
    let network_b = network(2)?;
    let discs = discs(2)?;
    for method in SaliencyMethod::ALL {
        let map = evidence(&network_a, &discs, Grading::Pfirrmann, 1, method)?;
        assert_eq!(map.dims(), [2, PATCH_SLICES, PATCH_ROWS, PATCH_COLUMNS]);
        assert!(values(&map).iter().all(|value| *value >= 0.0));
        assert!(total(&map) > 0.0, "{method}");
        let alone = evidence(&network_a, &discs.narrow(0, 1, 1)?, Grading::Pfirrmann, 1, method)?;
        for (a, b) in values(&alone).iter().zip(values(&map.narrow(0, 1, 1)?)) {
            assert!((a - b).abs() <= 1e-6 + 1e-4 * b.abs(), "{method} depends on the other sample");
        }
        let other = values(&evidence(&network_b, &discs, Grading::Pfirrmann, 1, method)?);
        let size = |map: &[f32]| map.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
        let map = values(&map);
        let product: f64 = map.iter().zip(&other).map(|(a, b)| f64::from(a * b)).sum();
        assert!(product / size(&map) / size(&other) < 0.98, "{method} does not depend on the weights");
        assert!(evidence(&network_a, &discs, Grading::Pfirrmann, 5, method).is_err());
    }
    Ok(())
}

#[test]
fn the_gradient_is_that_of_autograd_and_guided_differs_only_by_negative_signals() -> Result<()> {
    for dimensions in Dimensions::ALL {
        gradient_is_that_of_autograd(dimensions)?;
    }
    Ok(())
}

fn gradient_is_that_of_autograd(dimensions: Dimensions) -> Result<()> {
    let network = network_with(dimensions, 4, Ok)?;
    let discs = Var::from_tensor(&discs(1)?)?;
    let logit = network.forward(&discs)?[Grading::DiscNarrowing].narrow(1, 3, 1)?.sum_all()?;
    let gradients = logit.backward()?;
    let expected = values(&gradients.get(&discs).expect("gradient").abs()?);
    let map = values(&evidence(&network, &discs, Grading::DiscNarrowing, 3, SaliencyMethod::Gradient)?);
    let largest = expected.iter().copied().fold(0.0, f32::max);
    assert!(largest > 0.0);
    for (got, expected) in map.iter().zip(&expected) {
        assert!((got - expected).abs() < 1e-4 * largest);
    }
    let guided = values(&evidence(&network, &discs, Grading::DiscNarrowing, 3, SaliencyMethod::Guided)?);
    assert_ne!(guided, map);
    // Without negative weights there is no negative signal to stop.
    let positive = network_with(dimensions, 4, |tensor| tensor.abs())?;
    let map = |method| evidence(&positive, &discs, Grading::DiscNarrowing, 3, method).map(|map| values(&map));
    assert_eq!(map(SaliencyMethod::Guided)?, map(SaliencyMethod::Gradient)?);
    Ok(())
}

#[test]
fn the_gradient_is_that_of_numerical_differences() -> Result<()> {
    for dimensions in Dimensions::ALL {
        // Large weights, so that differences stand out of the rounding.
        let network = network_with(dimensions, 4, |tensor| tensor * 3.0)?;
        let voxels = values(&discs(1)?);
        let logit = |voxels: &[f32]| -> Result<f64> {
            let discs = disc_tensor([voxels], &Device::Cpu)?;
            Ok(f64::from(values(&network.forward(&discs)?[Grading::DiscNarrowing])[3]))
        };
        let map = values(&evidence(
            &network,
            &disc_tensor([voxels.as_slice()], &Device::Cpu)?,
            Grading::DiscNarrowing,
            3,
            SaliencyMethod::Gradient,
        )?);
        let mut strongest: Vec<usize> = (0..map.len()).collect();
        strongest.sort_by(|a, b| map[*b].total_cmp(&map[*a]));
        // The steepest voxels of the map, far from each other. Long steps meet kinks of ReLUs and pooling, short ones
        // rounding: one of several lengths gives the slope.
        let mut near = 0;
        for index in strongest.iter().step_by(400).take(10) {
            let at = |step: f32| {
                let mut moved = voxels.clone();
                moved[*index] += step;
                logit(&moved)
            };
            let mut is_near = false;
            for step in [0.01_f32, 0.003, 0.001, 0.0003] {
                let slope = ((at(step)? - at(-step)?) / (2.0 * f64::from(step))).abs();
                is_near |= (slope - f64::from(map[*index])).abs() < 0.03 * slope;
            }
            near += usize::from(is_near);
        }
        assert!(near >= 7, "{near} of 10 slopes in {} are those of the map", dimensions.name());
    }
    Ok(())
}

#[test]
fn evidence_is_read_off_at_every_layer_and_a_layer_without_slices_shows_the_same_on_all() -> Result<()> {
    for dimensions in Dimensions::ALL {
        let (network, discs) = (network_with(dimensions, 5, Ok)?, discs(1)?);
        for method in SaliencyMethod::ALL {
            let usual = SaliencyLayer::usual(method, dimensions);
            for layer in SaliencyLayer::ALL {
                let tracer = Tracer::new(&network, method, Some(layer))?;
                let target = SaliencyTarget { grading: Grading::Pfirrmann, class: 3 };
                let map = values(&tracer.evidence(&discs, &[target])?);
                assert_eq!(map.len(), PATCH_VOXELS);
                assert!(map.iter().all(|value| *value >= 0.0) && map.iter().any(|value| *value > 0.0));
                let slices: Vec<&[f32]> = map.chunks_exact(PATCH_ROWS * PATCH_COLUMNS).collect();
                let has_slices = match dimensions {
                    Dimensions::Two => layer == SaliencyLayer::Input,
                    Dimensions::Three => layer <= SaliencyLayer::Conv3,
                    Dimensions::ThreeUnreduced => true,
                };
                assert_eq!(slices[3] != slices[4], has_slices, "{method} at {layer}");
                if layer == usual {
                    assert_eq!(map, values(&evidence(&network, &discs, Grading::Pfirrmann, 3, method)?));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn layers_unlearn_from_the_top_down_and_the_maps_change() -> Result<()> {
    let trained = network(1)?;
    let discs = discs(1)?;
    for layers in 0..=CASCADE.len() {
        let network = randomized(&trained, layers, 7)?;
        let (before, after) = (trained.tensors(), network.tensors());
        for (name, tensor) in before.iter().filter(|(name, _)| name.ends_with("weight")) {
            let is_unlearned = CASCADE[..layers].iter().any(|layer| name.contains(layer));
            assert_eq!(values(tensor) != values(&after[name]), is_unlearned, "{name} after {layers} layers");
        }
        for method in SaliencyMethod::ALL {
            let map = |network| evidence(network, &discs, Grading::Pfirrmann, 2, method).map(|map| values(&map));
            assert_eq!(map(&network)? != map(&trained)?, layers > 0, "{method} after {layers} layers");
        }
    }
    // What a layer unlearns to does not depend on how many have.
    let (one, all) = (randomized(&trained, 1, 7)?.tensors(), randomized(&trained, 8, 7)?.tensors());
    assert_eq!(values(&one["pfirrmann.fc8.weight"]), values(&all["pfirrmann.fc8.weight"]));
    Ok(())
}

#[test]
fn refined_maps_stream_and_the_seed_fixes_them() {
    let (volume, disc) = scan();
    let network = network(3).expect("small network");
    let run = |request: &SaliencyRequest| {
        let mut maps = Vec::new();
        let last = explain(&network, &volume, &disc, request, &CancelToken::default(), &mut |map| maps.push(map))
            .expect("good outlines");
        assert_eq!(maps.last(), Some(&last));
        maps
    };
    let maps = run(&planned(11, 5));
    let counts: Vec<usize> = maps.iter().map(|map| map.augmentations).collect();
    assert_eq!(counts, [1, 2, 4, 8, 11]);
    assert_eq!(run(&planned(11, 5)), maps);
    assert_ne!(run(&planned(11, 6))[4], maps[4]);

    // The first map is that of the plain view.
    let patch = DiscFrame::of_disc(&volume, &disc).expect("good outlines").sample(&volume);
    let plain = disc_tensor([patch.voxels.as_slice()], &Device::Cpu)
        .and_then(|discs| evidence(&network, &discs, REQUEST.grading, REQUEST.class, PLAN.method))
        .expect("same network");
    let (plain, first) = (values(&plain), &maps[0].values);
    // Seven slices around the middle one; the outermost patch slices do not exist in the scan.
    let slice = PATCH_ROWS * PATCH_COLUMNS;
    assert!(first[..slice].iter().chain(&first[8 * slice..]).all(|value| *value == 0.0));
    for (got, expected) in first[slice..8 * slice].iter().zip(&plain[slice..]) {
        assert!((got - expected).abs() < 1e-6);
    }
}

#[test]
fn grades_explained_together_get_the_maps_they_get_alone_and_stop_when_converged() {
    let (volume, disc) = scan();
    let network = network(3).expect("small network");
    let targets: Vec<SaliencyTarget> =
        Grading::PAPER.into_iter().map(|grading| SaliencyTarget { grading, class: grading.classes() - 1 }).collect();
    let token = CancelToken::default();
    for method in [SaliencyMethod::Guided, SaliencyMethod::ContrastiveExcitation] {
        // Loose enough for some maps to converge early.
        let plan =
            SaliencyPlan { method, layer: None, smoothing_mm: 0.0, augmentations: 40, precision: Some(0.35), seed: 5 };
        let mut last = std::collections::HashMap::new();
        explain_all(&network, &volume, &disc, &targets, &plan, &token, &mut |map| {
            last.insert(map.grading, map);
        })
        .expect("good outlines");
        assert_eq!(last.len(), 8);
        for SaliencyTarget { grading, class } in &targets {
            let request = SaliencyRequest { grading: *grading, class: *class, plan };
            let alone = explain(&network, &volume, &disc, &request, &token, &mut |_| ()).expect("good outlines");
            let together = &last[grading];
            assert_eq!(alone.augmentations, together.augmentations, "{method}, {grading}");
            let largest = alone.values.iter().copied().fold(0.0, f32::max);
            for (a, b) in alone.values.iter().zip(&together.values) {
                assert!((a - b).abs() <= 1e-4 * largest, "{method}, {grading}: {a} and {b}");
            }
            let error = together.relative_error.expect("enough views");
            assert!(error > 0.0 && (error <= 0.35 || together.augmentations == 40));
            assert!(together.augmentations >= 16);
        }
        assert!(last.values().any(|map| map.augmentations < 40), "{method}: some map has converged");
    }
}

#[test]
fn the_estimated_error_is_that_of_the_mean() {
    let (volume, disc) = scan();
    let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
    // Views that see 1 ± 0.5 everywhere by turns: the standard error of the mean of n is 0.5 · √(1 / (n − 1)).
    let mut mean = RunningMean::new(frame.clone());
    assert_eq!(mean.relative_error(), None);
    for view in 0..26 {
        let seen = vec![if view % 2 == 0 { 0.5 } else { 1.5 }; PATCH_VOXELS];
        RunningMean::add_all(&mut [&mut mean], &frame, &[&seen]);
    }
    let error = mean.relative_error().expect("enough views");
    assert!((error - 0.1).abs() < 1e-3, "{error}");
    let errors = mean.standard_errors().expect("enough views");
    for (index, error) in errors.iter().enumerate() {
        let is_there = frame.scan_slice(index / (PATCH_ROWS * PATCH_COLUMNS)).is_some();
        assert!((error - if is_there { 0.1 } else { 0.0 }).abs() < 1e-3, "voxel {index}: {error}");
    }
}

#[test]
fn there_is_no_halo_where_views_end() {
    // Evidence that is the same everywhere stays so: what views did not see counts neither as evidence nor against it.
    let (volume, disc) = scan();
    let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut mean = RunningMean::new(frame.clone());
    let mut seen = vec![0; PATCH_VOXELS];
    for _ in 0..12 {
        let view = frame.augmented(&random_augmentation(&mut random));
        RunningMean::add_all(&mut [&mut mean], &view, &[&vec![1.0; PATCH_VOXELS]]);
        seen.iter_mut().zip(mean.values()).for_each(|(seen, value)| *seen += usize::from(value > 0.0));
    }
    let present = |index: &usize| frame.scan_slice(index / (PATCH_ROWS * PATCH_COLUMNS)).is_some();
    let values = mean.values();
    let level = (0..PATCH_VOXELS).filter(present).filter(|index| (values[*index] - 1.0).abs() < 1e-6).count();
    let unseen = (0..PATCH_VOXELS).filter(present).filter(|index| values[*index] == 0.0).count();
    assert_eq!(level + unseen, 7 * PATCH_ROWS * PATCH_COLUMNS);
    assert!(unseen < level / 100, "{unseen} voxels that no view saw");
    assert!(seen.iter().any(|views| (1..12).contains(views)), "some voxels were first seen late");
}

#[test]
fn a_cancelled_explanation_stops_between_views_and_bad_requests_are_refused() {
    let (volume, mut disc) = scan();
    let network = network(3).expect("small network");
    let cancel = CancelToken::default();
    let mut shown = 0;
    let request = planned(150, 5);
    let result = explain(&network, &volume, &disc, &request, &cancel, &mut |_| {
        shown += 1;
        cancel.cancel();
    });
    assert!(matches!(result, Err(SaliencyError::Cancelled(_))));
    assert_eq!(shown, 1);
    let fresh = CancelToken::default();
    let bad_class = SaliencyRequest { grading: Grading::Spondylolisthesis, class: 2, ..REQUEST };
    let result = explain(&network, &volume, &disc, &bad_class, &fresh, &mut |_| {});
    assert!(matches!(result, Err(SaliencyError::Class { class: 2, .. })));
    disc.upper.outlines.clear();
    let result = explain(&network, &volume, &disc, &REQUEST, &fresh, &mut |_| {});
    assert!(matches!(result, Err(SaliencyError::Frame(_))));
}

#[test]
fn augmented_maps_come_back_to_where_they_belong() {
    let (volume, disc) = scan();
    let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
    let mut random = ChaCha8Rng::seed_from_u64(1);
    // What an ideal network would say: evidence that is a smooth function of the place in the patient.
    let truth = |frame: &DiscFrame| -> Vec<f32> {
        let at = |index: usize| {
            let (slice, pixel) = (index / (PATCH_ROWS * PATCH_COLUMNS), index % (PATCH_ROWS * PATCH_COLUMNS));
            let image = frame.image_from_patch((pixel / PATCH_COLUMNS) as f64, (pixel % PATCH_COLUMNS) as f64);
            let scan = frame.scan_from_patch_slice(slice as f64);
            (2.0 + (0.1 * image.x).sin() + (0.1 * image.y).cos() + 0.1 * scan) as f32
        };
        (0..PATCH_VOXELS).map(at).collect()
    };
    let plain = truth(&frame);
    let mut mean = RunningMean::new(frame.clone());
    for _ in 0..20 {
        let view = frame.augmented(&random_augmentation(&mut random));
        RunningMean::add_all(&mut [&mut mean], &view, &[&truth(&view)]);
    }
    let mut compared = 0;
    for (index, (got, expected)) in mean.values().iter().zip(&plain).enumerate() {
        if frame.scan_slice(index / (PATCH_ROWS * PATCH_COLUMNS)).is_none() {
            assert_eq!(*got, 0.0);
        } else if *got != 0.0 {
            assert!((got - expected).abs() < 0.01, "voxel {index}: {got} instead of {expected}");
            compared += 1;
        }
    }
    assert!(compared > 7 * PATCH_ROWS * PATCH_COLUMNS * 95 / 100, "20 views see nearly every voxel: {compared}");
}

#[test]
fn random_augmentations_stay_in_the_ranges_of_the_paper_and_fill_them() {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let drawn: Vec<_> = (0..500).map(|_| random_augmentation(&mut random)).collect();
    let reach = |value: &dyn Fn(&crate::spine::PatchAugmentation) -> f64| {
        drawn.iter().map(|change| value(change).abs()).fold(0.0, f64::max)
    };
    for (got, limit) in [
        (reach(&|change| change.rotation.to_degrees()), 15.0),
        (reach(&|change| change.shift.x), 32.0),
        (reach(&|change| change.shift.y), 24.0),
        (reach(&|change| change.slice_shift as f64), 2.0),
        (reach(&|change| change.scale - 1.0), 0.1),
        (reach(&|change| f64::from(change.intensity)), 0.1),
    ] {
        assert!(got <= limit + 1e-6 && got > 0.95 * limit, "{got} of {limit}");
    }
    assert!(drawn.iter().any(|change| change.mirror_slices) && drawn.iter().any(|change| !change.mirror_slices));
}

fn map_with(frame: DiscFrame, hot: impl Fn(usize, usize, usize) -> f32) -> SaliencyMap {
    let mut values = Vec::with_capacity(PATCH_VOXELS);
    for slice in 0..PATCH_SLICES {
        for row in 0..PATCH_ROWS {
            values.extend((0..PATCH_COLUMNS).map(|column| hot(slice, row, column)));
        }
    }
    let SaliencyRequest { grading, class, plan: SaliencyPlan { method, .. } } = REQUEST;
    SaliencyMap {
        values,
        standard_errors: None,
        frame,
        level: DiscLevel::L4L5,
        grading,
        class,
        method,
        layer: SaliencyLayer::Conv1,
        smoothing_mm: 0.0,
        augmentations: 1,
        relative_error: None,
        ranks: Ranks::default(),
    }
}

#[test]
fn hotspots_become_one_box_per_slice_of_the_scan() {
    let (volume, disc) = scan();
    let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
    let inside = |row: usize, column: usize| (20..=40).contains(&row) && (30..=90).contains(&column);
    let map = map_with(frame.clone(), |slice, row, column| {
        f32::from(u8::from((slice == 0 || slice == 3) && inside(row, column)))
    });
    let boxes = map.image_boxes(&volume, 95.0, BoxRule::All);
    // Slice 0 of the patch lies outside the scan; slice 3 is one before the middle of seven.
    assert_eq!(boxes.iter().map(|found| found.slice).collect::<Vec<_>>(), [2]);
    let rect = boxes[0].rect;
    let (low, high) = (frame.image_from_patch(19.5, 29.5), frame.image_from_patch(40.5, 90.5));
    assert!((rect.x - low.x).abs() < 1e-9 && (rect.y - low.y).abs() < 1e-9, "{rect:?} from {low}");
    assert!((rect.x + rect.width - high.x).abs() < 1e-9 && (rect.y + rect.height - high.y).abs() < 1e-9);
    assert_eq!((boxes[0].source, boxes[0].percentile), (crate::spine::BoxSource::Predicted, Some(95.0)));
    let empty = map_with(frame, |_, _, _| 0.0);
    assert!(empty.image_boxes(&volume, 95.0, BoxRule::All).is_empty());
}

#[test]
fn a_box_encloses_all_hotspots_or_the_largest_region_of_them() {
    let (volume, disc) = scan();
    let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
    let within = |row: usize, column: usize, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
        rows.contains(&row) && columns.contains(&column)
    };
    // Slice 3: a square and a larger bar; slice 4: the square goes on and is stronger; slice 6: a speck.
    let map = map_with(frame.clone(), |slice, row, column| {
        let square = within(row, column, 10..20, 10..20);
        let is_hot = match slice {
            3 => square || within(row, column, 50..55, 100..130),
            4 => square,
            6 => within(row, column, 80..81, 80..82),
            _ => false,
        };
        f32::from(u8::from(is_hot)) * if slice == 4 { 2.0 } else { 1.0 }
    });
    let patch_boxes = |rule: BoxRule| -> Vec<(usize, [f64; 4])> {
        let boxes = map.hotspot_boxes(&volume, 99.0, rule);
        boxes.iter().map(|found| (found.patch_slice, found.patch.into())).collect()
    };
    let (square, bar) = ([9.5, 9.5, 10.0, 10.0], [99.5, 49.5, 30.0, 5.0]);
    let speck = (6, [79.5, 79.5, 2.0, 1.0]);
    assert_eq!(patch_boxes(BoxRule::All), [(3, [9.5, 9.5, 120.0, 45.0]), (4, square), speck]);
    assert_eq!(patch_boxes(BoxRule::LargestOfSlice), [(3, bar), (4, square), speck]);
    // 200 voxels of the square over two slices are more than the 150 of the bar.
    assert_eq!(patch_boxes(BoxRule::LargestOfVolume), [(3, square), (4, square)]);

    // The same box in the image and in the patient.
    let found = map.hotspot_boxes(&volume, 99.0, BoxRule::LargestOfVolume)[1];
    assert_eq!(found.slice, frame.scan_slice(4).expect("the middle slice"));
    let corner = frame.image_from_patch(9.5, 9.5);
    assert!((found.image.x - corner.x).abs() < 1e-9 && (found.image.y - corner.y).abs() < 1e-9);
    let [top_left, top_right, bottom_right, _] = found.corners_lps(volume.geometry());
    let voxel = [found.slice as f64, found.image.y, found.image.x];
    assert!((top_left - volume.geometry().lps_from_voxel(voxel)).length() < 1e-9);
    assert!(((top_right - top_left).length() - found.image.width * 0.6).abs() < 1e-9, "0.6 mm a pixel");
    assert!(((bottom_right - top_right).length() - found.image.height * 0.6).abs() < 1e-9);

    let peak = map.peak().expect("there is evidence");
    assert_eq!((peak.slice, peak.image), (found.slice, frame.image_from_patch(10.0, 10.0)));
    assert_eq!(map_with(frame, |_, _, _| 0.0).peak(), None);
}

#[test]
fn names_of_layers_and_rules_read_back() {
    for layer in SaliencyLayer::ALL {
        assert_eq!(layer.to_string().parse(), Ok(layer));
        assert_eq!(serde_json::to_value(layer).expect("plain enum"), layer.key());
    }
    for rule in BoxRule::ALL {
        assert_eq!(rule.to_string().parse(), Ok(rule));
        assert_eq!(serde_json::to_value(rule).expect("plain enum"), rule.key());
    }
    assert!("fc6".parse::<SaliencyLayer>().is_err() && "some".parse::<BoxRule>().is_err());
}

#[test]
fn the_threshold_is_a_percentile_of_the_present_slices() {
    let (volume, disc) = scan();
    let frame = DiscFrame::of_disc(&volume, &disc).expect("good outlines");
    // Present slices hold 0, 1, 2, … in order of rows and columns; absent ones a value that must not count.
    let map = map_with(frame, |slice, row, column| match slice {
        0 | 8 => 1e9,
        _ => (row * PATCH_COLUMNS + column) as f32,
    });
    let pixels = PATCH_ROWS * PATCH_COLUMNS;
    assert_eq!(map.threshold(0.0), 0.0);
    assert_eq!(map.threshold(100.0), (pixels - 1) as f32);
    assert_eq!(map.threshold(75.0), (pixels * 3 / 4 - 1) as f32);
}

#[test]
fn methods_read_back_from_their_names() {
    for method in SaliencyMethod::ALL {
        assert_eq!(method.to_string().parse(), Ok(method));
        assert_eq!(serde_json::to_value(method).expect("plain enum"), method.key());
    }
    assert!("cam".parse::<SaliencyMethod>().is_err());
}
