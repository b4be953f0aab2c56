//! Sizes, loading and gradients of the grading networks.

use candle_core::Var;
use candle_nn::VarMap;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn tiny() -> GradingConfig {
    tiny_of(Dimensions::Three)
}

fn tiny_of(dimensions: Dimensions) -> GradingConfig {
    GradingConfig {
        dimensions,
        channels: [2, 3, 4, 4, 5],
        fully_connected: 6,
        ..GradingConfig::paper(Dimensions::Three)
    }
}

fn network(config: &GradingConfig, seed: u64) -> Result<(VarMap, GradingNetwork)> {
    let variables = config.initial_variables(seed, &Device::Cpu)?;
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    Ok((variables.clone(), GradingNetwork::new(config, vb)?))
}

fn discs(samples: usize) -> Result<Tensor> {
    let voxels: Vec<f32> =
        (0..samples * PATCH_SLICES * PATCH_ROWS * PATCH_COLUMNS).map(|i| 0.5 + 0.5 * (i as f32 * 0.37).sin()).collect();
    Tensor::from_vec(voxels, (samples, PATCH_SLICES, PATCH_ROWS, PATCH_COLUMNS), &Device::Cpu)
}

/// Multiplications and additions of a forward pass of one disc.
fn operations(config: &GradingConfig) -> usize {
    // Output pixels of each convolution, over all slices.
    let slices = if config.dimensions == Dimensions::Two { 1 } else { PATCH_SLICES };
    let kept = config.dimensions.pooled_slices();
    let pixels = [slices * 56 * 112, slices * 28 * 56, slices * 14 * 28, kept * 14 * 28, kept * 14 * 28];
    let weights = config.parameters().into_iter().filter(|(_, shape)| shape.len() > 1);
    weights
        .enumerate()
        .map(|(layer, (_, shape))| 2 * shape.iter().product::<usize>() * pixels.get(layer).copied().unwrap_or(1))
        .sum()
}

#[test]
fn the_paper_size_has_448_million_parameters() {
    // Counted by hand: five convolutions, then per grading FC6 50,176 -> 1024, FC7, and FC8 over 21 classes in all.
    let trunk = (147 + 1) * 96 + (7200 + 1) * 256 + (6912 + 1) * 512 + (41_472 + 1) * 512 + (4608 + 1) * 512;
    let heads = 8 * ((50_176 + 1) * 1024 + (1024 + 1) * 1024) + (1024 + 1) * 21;
    let paper = GradingConfig::paper(Dimensions::Three);
    assert_eq!(paper.parameter_count(), trunk + heads);
    assert_eq!(trunk + heads, 448_459_413);
    assert!((96..100).contains(&(operations(&paper) / 1_000_000_000)));
    assert!((1_900_000_000..2_200_000_000).contains(&operations(&GradingConfig::shipped())));
}

#[test]
fn the_paper_size_in_two_dimensions_has_426_million_parameters() {
    // As above with filters one slice thick, and the nine slices as channels of Conv1.
    let trunk = (9 * 49 + 1) * 96 + (2400 + 1) * 256 + (2304 + 1) * 512 + 2 * (4608 + 1) * 512;
    let heads = 8 * ((50_176 + 1) * 1024 + (1024 + 1) * 1024) + (1024 + 1) * 21;
    let paper = GradingConfig::paper(Dimensions::Two);
    assert_eq!(paper.parameter_count(), trunk + heads);
    assert_eq!(trunk + heads, 426_025_173);
    assert_eq!(paper.parameters()[1], ("conv1.weight".to_owned(), vec![96, 9, 1, 7, 7]));
    assert_eq!(paper.tensors().last(), Some(&(INPUT_MEAN.to_owned(), vec![9])));
    assert_eq!(operations(&paper) / 1_000_000_000, 7);
}

#[test]
fn without_the_reduction_at_conv4_all_nine_slices_reach_the_branches() -> Result<()> {
    // Conv4 of three slices, and nine times as many inputs of every FC6.
    let paper = GradingConfig::paper(Dimensions::ThreeUnreduced);
    let reduced = GradingConfig::paper(Dimensions::Three).parameter_count();
    assert_eq!(paper.parameter_count(), reduced - 6 * 4608 * 512 + 8 * 8 * 50_176 * 1024);
    let (_, network) = network(&tiny_of(Dimensions::ThreeUnreduced), 1)?;
    let discs = discs(2)?;
    let trace = network.trace_trunk(&discs)?;
    let shapes: Vec<&[usize]> = trace.steps[3..].iter().map(|step| step.rectified.dims()).collect();
    assert_eq!(shapes, [&[2, 4, 9, 14, 28], &[2, 5, 9, 14, 28]]);
    assert_eq!(trace.features.dims(), [2, 5 * 9 * 7 * 14]);
    let wide = Tensor::cat(&[&discs.narrow(1, 7, 2)?, &discs], 1)?;
    assert_eq!(network.pool5(&wide)?.dims(), [2, 5, 11, 7, 14], "nine at each of three places");
    let logits = network.forward(&discs)?;
    assert!(logits.iter().all(|(grading, logits)| logits.dims() == [2, grading.classes()]));
    Ok(())
}

#[test]
fn slices_are_channels_in_two_dimensions_and_windows_of_a_wide_volume() -> Result<()> {
    let (_, network) = network(&tiny_of(Dimensions::Two), 1)?;
    let discs = discs(2)?;
    let trace = network.trace_trunk(&discs)?;
    let shapes: Vec<&[usize]> = trace.steps.iter().map(|step| step.rectified.dims()).collect();
    let expected: [&[usize]; 5] =
        [&[2, 2, 1, 56, 112], &[2, 3, 1, 28, 56], &[2, 4, 1, 14, 28], &[2, 4, 1, 14, 28], &[2, 5, 1, 14, 28]];
    assert_eq!(shapes, expected);
    assert_eq!(trace.steps[0].input.dims(), [2, 9, 1, PATCH_ROWS, PATCH_COLUMNS]);
    // Eleven slices are three windows of nine, each what the trunk sees of those nine alone.
    let wide = Tensor::cat(&[&discs.narrow(1, 7, 2)?, &discs], 1)?;
    let pool5 = network.pool5(&wide)?;
    assert_eq!(pool5.dims(), [2, 5, 3, 7, 14]);
    for window in 0..3 {
        let alone = network.pool5(&wide.narrow(1, window, PATCH_SLICES)?.contiguous()?)?;
        let there = pool5.narrow(2, window, 1)?;
        assert_eq!(there.flatten_all()?.to_vec1::<f32>()?, alone.flatten_all()?.to_vec1::<f32>()?);
    }
    assert!(network.pool5(&discs.narrow(1, 0, 8)?).is_err());
    Ok(())
}

#[test]
fn every_slice_has_its_own_mean_in_two_dimensions() -> Result<()> {
    let (variables, network) = network(&tiny_of(Dimensions::Two), 3)?;
    let means: Vec<f32> = (0..9).map(|slice| 0.1 + 0.05 * slice as f32).collect();
    let discs = discs(1)?;
    let mean = Tensor::from_vec(means, (1, 9, 1, 1), &Device::Cpu)?;
    let before = network.forward(&discs.broadcast_sub(&mean)?)?[Grading::Pfirrmann].to_vec2::<f32>()?;
    variables.data().lock().expect("not poisoned")[INPUT_MEAN].set(&mean.flatten_all()?)?;
    let after = network.forward(&discs)?[Grading::Pfirrmann].to_vec2::<f32>()?;
    for (a, b) in before[0].iter().zip(&after[0]) {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
    Ok(())
}

#[test]
fn weights_of_one_dimension_are_refused_by_the_other() -> Result<()> {
    use crate::model::weights::{WeightsError, WeightsMetadata, save_weights};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tensors = |config: &GradingConfig| -> Result<HashMap<String, Tensor>> {
        let variables = config.initial_variables(1, &Device::Cpu)?;
        let data = variables.data().lock().expect("not poisoned");
        Ok(data.iter().map(|(name, variable)| (name.clone(), variable.as_tensor().clone())).collect())
    };
    for dimensions in [Dimensions::Two, Dimensions::Three] {
        let config = tiny_of(dimensions);
        let name = format!("grading-{}", dimensions.name());
        let metadata = WeightsMetadata { name, version: "0.0.1".to_owned(), ..WeightsMetadata::default() };
        let mut saved = save_weights(folder.path(), &config, metadata, &tensors(&config)?, true).expect("saved");
        assert_eq!(saved.load::<GradingConfig>(&Device::Cpu).expect("whole").config, config);
        // The name and the sizes must say the same.
        let other = if dimensions == Dimensions::Two { "spinenet-3d/1" } else { "spinenet-2d/1" };
        assert_ne!(saved.metadata.architecture, other);
        saved.metadata.architecture = other.to_owned();
        let refused = saved.load::<GradingConfig>(&Device::Cpu);
        assert!(matches!(refused, Err(WeightsError::Architecture { .. })));
    }
    let (two, three) = (tiny_of(Dimensions::Two), tiny_of(Dimensions::Three));
    let vb = VarBuilder::from_tensors(tensors(&two)?, DType::F32, &Device::Cpu);
    assert!(GradingNetwork::new(&three, vb).is_err());
    Ok(())
}

#[test]
fn layers_have_the_sizes_of_the_paper_and_all_gradings_their_classes() -> Result<()> {
    let config = tiny();
    let (_, network) = network(&config, 1)?;
    let trace = network.trace_trunk(&discs(2)?)?;
    let shapes: Vec<&[usize]> = trace.steps.iter().map(|step| step.rectified.dims()).collect();
    let expected: [&[usize]; 5] =
        [&[2, 2, 9, 56, 112], &[2, 3, 9, 28, 56], &[2, 4, 9, 14, 28], &[2, 4, 1, 14, 28], &[2, 5, 1, 14, 28]];
    assert_eq!(shapes, expected);
    assert_eq!(trace.features.dims(), [2, 5 * 7 * 14]);
    let logits = network.forward(&discs(2)?)?;
    for (grading, logits) in logits.iter() {
        assert_eq!(logits.dims(), [2, grading.classes()]);
        let head = network.trace_head(grading, &trace.features)?;
        assert_eq!(head.logits.to_vec2::<f32>()?, logits.to_vec2::<f32>()?);
        let values = logits.to_vec2::<f32>()?;
        assert!(values.iter().flatten().all(|value| value.is_finite()));
    }
    assert!(network.forward(&discs(1)?.narrow(1, 0, 8)?).is_err());
    Ok(())
}

#[test]
fn a_seed_fixes_the_parameters_and_every_one_of_them_gets_a_gradient() -> Result<()> {
    let config = tiny();
    let (variables, network) = network(&config, 7)?;
    let logits = network.forward(&discs(2)?)?;
    let mut loss = Tensor::zeros((), DType::F32, &Device::Cpu)?;
    for (_, logits) in logits.iter() {
        loss = (loss + logits.sqr()?.sum_all()?)?;
    }
    let gradients = loss.backward()?;
    let data = variables.data().lock().expect("not poisoned");
    assert_eq!(data.len(), config.tensors().len());
    let again = config.initial_variables(7, &Device::Cpu)?;
    let again = again.data().lock().expect("not poisoned");
    for (name, variable) in data.iter() {
        assert_eq!(gradients.get(variable).is_some(), name != INPUT_MEAN, "{name}");
        let values = |var: &Var| var.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).expect("f32");
        assert_eq!(values(variable), values(&again[name]));
    }
    Ok(())
}

#[test]
fn the_mean_is_subtracted_and_dropout_repeats_with_its_seed() -> Result<()> {
    let config = tiny();
    let (variables, network) = network(&config, 3)?;
    let discs = discs(1)?;
    let before = network.forward(&(&discs - 0.25)?)?;
    variables.data().lock().expect("not poisoned")[INPUT_MEAN].set(&Tensor::new(&[0.25_f32], &Device::Cpu)?)?;
    let after = network.forward(&discs)?;
    let pfirrmann = |logits: &PerGrading<Tensor>| logits[Grading::Pfirrmann].to_vec2::<f32>();
    for (a, b) in pfirrmann(&before)?[0].iter().zip(&pfirrmann(&after)?[0]) {
        assert!((a - b).abs() < 1e-5);
    }
    let drop = |seed: u64, rate: f32| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let features = network.pool5(&discs)?.flatten_from(1)?;
        pfirrmann(&network.classify(&features, None, Some(&mut Dropout { rate, random: &mut random }))?)
    };
    assert_eq!(drop(1, 0.5)?, drop(1, 0.5)?);
    assert_ne!(drop(1, 0.5)?, drop(2, 0.5)?);
    assert_eq!(drop(1, 0.0)?, pfirrmann(&after)?);
    Ok(())
}

#[test]
fn the_level_is_a_bias_of_each_branch() -> Result<()> {
    let config = GradingConfig { level_units: 3, ..tiny() };
    let (_, network) = network(&config, 5)?;
    assert_eq!(config.parameter_count(), tiny().parameter_count() + (6 + 1) * 3 + 8 * 3 * 6);
    let discs = discs(2)?;
    let features = network.pool5(&discs)?.flatten_from(1)?;
    assert!(network.classify(&features, None, None).is_err(), "it has to be told the levels");
    let levels = [DiscLevel::L1L2, DiscLevel::L5S1];
    let together = network.classify(&features, Some(&levels), None)?;
    for (row, level) in levels.into_iter().enumerate() {
        let alone = network.at_level(level)?;
        assert_eq!(alone.tensors().len(), tiny().tensors().len(), "an ordinary network");
        for (grading, logits) in alone.forward(&discs.narrow(0, row, 1)?)?.iter() {
            let difference = (logits - together[grading].narrow(0, row, 1)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(difference < 1e-5, "{grading} at {level}: {difference}");
        }
    }
    let logits = |level| network.at_level(level)?.forward(&discs)?[Grading::DiscNarrowing].to_vec2::<f32>();
    assert_ne!(logits(DiscLevel::L1L2)?, logits(DiscLevel::L5S1)?);
    assert_eq!(logits(DiscLevel::L6S1)?, logits(DiscLevel::L5S1)?);
    Ok(())
}

#[test]
fn tensors_of_another_shape_are_refused() -> Result<()> {
    let zeros = |shapes: Vec<(String, Vec<usize>)>| -> Result<HashMap<String, Tensor>> {
        shapes.into_iter().map(|(name, shape)| Ok((name, Tensor::zeros(shape, DType::F32, &Device::Cpu)?))).collect()
    };
    let tensors = zeros(tiny().tensors())?;
    let wider = GradingConfig { fully_connected: 7, ..tiny() };
    let vb = |tensors| VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    assert!(GradingNetwork::new(&tiny(), vb(tensors.clone())).is_ok());
    assert!(GradingNetwork::new(&wider, vb(tensors)).is_err());
    Ok(())
}

#[test]
fn a_network_has_the_gradings_of_its_configuration_and_no_others() -> Result<()> {
    use crate::model::weights::{WeightsError, WeightsMetadata, save_weights};
    let two = [Grading::Pfirrmann, Grading::DiscHerniation];
    let config = GradingConfig { gradings: two.into(), level_units: 3, ..tiny() };
    let (variables, network) = network(&config, 9)?;
    let (_, of_paper) = self::network(&tiny(), 9)?;
    assert_eq!(of_paper.forward(&discs(1)?)?.gradings().collect::<Vec<_>>(), Grading::PAPER);
    let tensors = network.tensors();
    assert!(tensors.contains_key("disc_herniation.fc7_level.weight"));
    assert!(!tensors.keys().any(|name| name.contains("disc_narrowing") || name.contains("disc_bulging")));
    let network = network.at_level(DiscLevel::L4L5)?;
    assert_eq!(network.forward(&discs(1)?)?.gradings().collect::<Vec<_>>(), two);
    let trace = network.trace_trunk(&discs(1)?)?;
    assert!(network.trace_head(Grading::DiscHerniation, &trace.features).is_ok());
    let refused = network.trace_head(Grading::DiscBulging, &trace.features).expect_err("no such branch");
    assert!(refused.to_string().contains("does not grade disc_bulging"), "{refused}");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let metadata =
        WeightsMetadata { name: "two".to_owned(), version: "0.0.1".to_owned(), ..WeightsMetadata::default() };
    let data = variables.data().lock().expect("not poisoned");
    let tensors = data.iter().map(|(name, variable)| (name.clone(), variable.as_tensor().clone())).collect();
    let mut saved = save_weights(folder.path(), &config, metadata, &tensors, true).expect("saved");
    assert_eq!(saved.metadata.config["gradings"], serde_json::json!(["pfirrmann", "disc_herniation"]));
    assert_eq!(saved.load::<GradingConfig>(&Device::Cpu).expect("whole").config, config);
    // A head too many or too few, a grading that nobody knows, a key that nobody knows.
    let mut load = |gradings: serde_json::Value| {
        saved.metadata.config["gradings"] = gradings;
        saved.load::<GradingConfig>(&Device::Cpu).map(|_| ()).expect_err("refused")
    };
    let missing = load(serde_json::json!(["pfirrmann", "disc_bulging", "disc_herniation"]));
    assert!(matches!(missing, WeightsError::MissingTensor { name, .. } if name.starts_with("disc_bulging.")));
    let superfluous = load(serde_json::json!(["pfirrmann"]));
    assert!(matches!(superfluous, WeightsError::UnexpectedTensor { name, .. } if name.starts_with("disc_herniation.")));
    assert!(matches!(load(serde_json::json!(["disc_colour"])), WeightsError::Metadata { .. }));
    let unknown = serde_json::json!({"channels": [2, 3, 4, 4, 5], "fully_connected": 6, "attention": true});
    assert!(serde_json::from_value::<GradingConfig>(unknown).is_err());
    Ok(())
}
