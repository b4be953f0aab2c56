//! A whole, tiny training.

use std::fs;

use super::*;

fn tiny() -> DetectorTrainingConfig {
    DetectorTrainingConfig {
        seed: 5,
        folds: 2,
        measured_folds: 0,
        steps: 6,
        final_steps: 6,
        batch: 2,
        edge: 64,
        weight_decay: 0.01,
        largest_gradient: 5.0,
        checkpoint_every: 3,
        shares: Shares { mid_sagittal: 0.0, stacks: 0.0, boxed: 0.0, phantoms: 1.0 },
        measured_phantoms: 0,
        first_phantom: 1,
        network: DetectorConfig { channels: [8; 4], head_channels: 8, group_size: 4, pixel_mm: 2.5 },
        schedule: CosineSchedule { peak: 2e-3, warm_up_steps: 2 },
        augmentation: AugmentationConfig {
            rotation_degrees: 10.0,
            scale: [0.9, 1.1],
            stretch: 0.05,
            shift_mm: 20.0,
            gamma: 0.1,
            bias_field: 0.1,
            noise: 0.05,
            blur_share: 0.5,
            dark_fluid_share: 0.1,
        },
    }
}

fn phantom_set(config: &DetectorTrainingConfig) -> TrainingSet {
    let mut set = TrainingSet::default();
    set.add_phantoms(1.0, config.first_phantom, config.network.pixel_mm);
    set
}

fn values(variables: &VarMap) -> Vec<f32> {
    let flat = |(_, variable): (String, candle_core::Var)| variable.flatten_all().and_then(|v| v.to_vec1::<f32>());
    sorted(variables).into_iter().flat_map(|named| flat(named).expect("values")).collect()
}

#[test]
fn a_resumed_training_ends_where_an_uninterrupted_one_does() {
    let config = tiny();
    let set = phantom_set(&config);
    let (straight, broken) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let whole = train(&config, &set, None, &TrainingJob::new(straight.path()), &mut |_| {}).expect("trains");

    let stopped = TrainingJob::new(broken.path());
    let interrupted = train(&config, &set, None, &stopped, &mut |progress| {
        if progress.done == 4 {
            stopped.cancel.cancel();
        }
    });
    assert!(matches!(interrupted, Err(DetectorTrainingError::Cancelled(_))));
    let again = TrainingJob { resume: true, ..TrainingJob::new(broken.path()) };
    let resumed = train(&config, &set, None, &again, &mut |_| {}).expect("goes on");
    assert_eq!(values(&whole), values(&resumed));

    let lines = |folder: &Path| fs::read_to_string(folder.join("log.csv")).expect("log").lines().count();
    assert_eq!((lines(straight.path()), lines(broken.path())), (7, 7));

    let other = DetectorTrainingConfig { seed: 6, ..config };
    let refused = train(&other, &set, None, &again, &mut |_| {});
    assert!(matches!(refused, Err(DetectorTrainingError::Checkpoint { .. })));
}

#[test]
fn training_without_scans_says_so() {
    let folder = tempfile::tempdir().expect("folder");
    let failed = train(&tiny(), &TrainingSet::default(), None, &TrainingJob::new(folder.path()), &mut |_| {});
    assert!(matches!(failed, Err(DetectorTrainingError::NoScans)));
}

#[test]
fn the_shipped_configuration_is_read() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/training/detector.toml"));
    let config: DetectorTrainingConfig = toml::from_str(&text.expect("in the source tree")).expect("valid");
    assert_eq!(config.network, DetectorConfig::shipped());
}
