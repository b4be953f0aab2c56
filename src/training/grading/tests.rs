//! Training on small made-up scans: what is learned, resumed, measured and written.

use std::path::Path;

use candle_core::Device;
use glam::{DVec2, DVec3};

use super::examples::ScanKind;
use super::familiar::Spoiled;
use super::measure::MeasuredGrading;
use super::*;
use crate::model::weights::{EXPERIMENTAL_GRADINGS, WeightsFolder, find_weights};
use crate::model::{Dimensions, Grader, Views};
use crate::spine::{Corners, DiscLevel, Grading, Vertebra, VertebraLabel, VertebraOutline, discs_between};
use crate::task::CancelToken;
use crate::training::TrainingJob;
use crate::training::labels::{ClassSet, DiscLabels};
use crate::training::manifest::DataSet;
use crate::training::spider::{LabelledDisc, ScanCase};
use crate::volume::{Volume, VolumeGeometry};

/// Two bodies and the disc L4-L5 between them on `slices` slices; the disc of an odd patient is bright and of grade I,
/// of an even one dark and of grade V.
pub(super) fn scan_case(patient: u32, slices: usize) -> ScanCase {
    let bright = patient % 2 == 1;
    let outline = |slice, top: f64| VertebraOutline {
        slice,
        corners: Corners {
            sa: DVec2::new(20.0, top),
            sp: DVec2::new(54.0, top),
            ip: DVec2::new(54.0, top + 26.0),
            ia: DVec2::new(20.0, top + 26.0),
        },
    };
    let body = |label, top| Vertebra {
        label,
        confidence: 1.0,
        outlines: (0..slices).map(|slice| outline(slice, top)).collect(),
    };
    let vertebrae = vec![body(VertebraLabel::L4, 10.0), body(VertebraLabel::L5, 46.0)];
    let disc = if bright { 180.0 } else { 20.0 };
    let mut voxels = Vec::new();
    for slice in 0..slices {
        for row in 0..90 {
            let inside = |column: i32| (20..=54).contains(&column);
            let value = |column| match row {
                36..46 if inside(column) => disc,
                10..=72 if inside(column) => 100.0 + slice as f32,
                _ => 40.0 + (row as f32 * 0.9).sin() * 10.0,
            };
            voxels.extend((0..80).map(value));
        }
    }
    let origins = (0..slices).map(|slice| DVec3::X * (slice as f64 * 4.0)).collect();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
    let volume = Volume::new(90, 80, voxels, geometry).expect("matching size");
    let mut labels = DiscLabels::default();
    labels.gradings.insert(Grading::Pfirrmann, ClassSet::exactly(if bright { 0 } else { 4 }));
    let discs =
        discs_between(&vertebrae).into_iter().map(|disc| LabelledDisc { disc, labels: labels.clone() }).collect();
    ScanCase {
        patient,
        name: format!("{patient}_made"),
        volume,
        vertebrae,
        top_is_extrapolated: false,
        discs,
        boxes: Vec::new(),
    }
}

fn cases() -> Vec<ScanCase> {
    (0..8).map(|patient| scan_case(patient, 1 + 4 * usize::from(patient > 3))).collect()
}

fn examples() -> Vec<GradingExample> {
    GradingExample::of_cases("made", cases()).expect("discs have frames")
}

fn stage(epochs: usize, peak: f64) -> Stage {
    let schedule = CosineSchedule { peak, warm_up_steps: 2 };
    Stage { epochs, batch: 4, mid_sagittal: 99, stack: 99, phantom: 0, schedule, plateau: None, patience: None }
}

fn config(flat: usize, deep: usize) -> GradingTrainingConfig {
    GradingTrainingConfig {
        seed: 3,
        folds: 0,
        split: SplitKind::Folds,
        validation_share: 0.0,
        tasks: None,
        measured_folds: None,
        start: None,
        optimizer: UpdateRule::AdamW,
        final_network: true,
        dropout: 0.1,
        weight_decay: 0.01,
        largest_gradient: 5.0,
        averaging: 0.5,
        context_share: 0.5,
        network: GradingConfig {
            dimensions: Dimensions::Three,
            channels: [3, 4, 4, 4, 4],
            fully_connected: 8,
            ..GradingConfig::paper(Dimensions::Three)
        },
        augmentation: Augmentation {
            rotation_degrees: 5.0,
            // As far as the 54 views are shifted.
            shift_columns: 16.0,
            shift_rows: 16.0,
            shift_slices: 1,
            scale: 0.05,
            intensity: 0.02,
            mirror_slices: true,
            drop_slices: 0.3,
        },
        flat: stage(flat, 1e-2),
        deep: stage(deep, 1e-3),
        phantoms: PhantomMix { first_seed: 3, loss_weight: 1.0 },
    }
}

fn run(
    config: &GradingTrainingConfig,
    out: &Path,
    resume: bool,
    cancel: &CancelToken,
) -> Result<TrainingOutcome, GradingTrainingError> {
    let job = TrainingJob { resume, cancel: cancel.clone(), ..TrainingJob::new(out) };
    train(config, &examples(), &job, &mut |_| {})
}

fn parameters(outcome: &TrainingOutcome) -> Vec<f32> {
    let (_, variables) = outcome.network.as_ref().expect("trained");
    let named = crate::training::optimizer::sorted(variables);
    named.iter().flat_map(|(_, v)| v.flatten_all().and_then(|v| v.to_vec1::<f32>()).expect("values")).collect()
}

#[test]
fn bright_and_dark_discs_are_told_apart_in_patients_left_out() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut config = GradingTrainingConfig { folds: 2, final_network: false, ..config(40, 1) };
    config.network.familiarity = true;
    let outcome = run(&config, folder.path(), false, &CancelToken::default()).expect("training");
    let measured = outcome.cross_validation.expect("asked for");
    let scans: Vec<_> = measured.table.iter().map(|row| (row.grading, row.scans, row.discs)).collect();
    assert_eq!(
        scans,
        [ScanKind::MidSagittal, ScanKind::Stack].map(|kind| (MeasuredGrading::One(Grading::Pfirrmann), kind, 4))
    );
    for row in measured.table.iter().chain(&measured.plain_table).chain(&measured.flat_table) {
        assert_eq!(row.pooled_balanced_accuracy, 100.0, "{row:?}");
    }
    assert_eq!(outcome.untrained_gradings.len(), 7, "only Pfirrmann has labels");
    let familiarity = outcome.familiarity_measures.expect("asked for");
    assert_eq!((familiarity.discs, familiarity.flagged[&Spoiled::No]), (8, 0.0), "the limit is the farthest of eight");
    assert!(familiarity.flagged[&Spoiled::Noise] > 0.5, "{familiarity:?}");
    assert_eq!(outcome.patients, 8);
}

#[test]
fn an_interrupted_training_ends_as_an_uninterrupted_one() {
    let (straight, broken) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let mut config = config(2, 2);
    // Phantoms are fresh in every epoch, the same ones after an interruption.
    (config.flat.phantom, config.deep.phantom) = (3, 2);
    let expected = parameters(&run(&config, straight.path(), false, &CancelToken::default()).expect("training"));
    for stop_after in 1..=3 {
        // Each attempt goes on from the last checkpoint and stops after one more epoch.
        let job = TrainingJob { resume: true, ..TrainingJob::new(broken.path()) };
        let stopped = train(&config, &examples(), &job, &mut |_| job.cancel.cancel());
        assert!(matches!(stopped, Err(GradingTrainingError::Cancelled(_))), "stopped after epoch {stop_after}");
    }
    let other = GradingTrainingConfig { dropout: 0.2, ..config.clone() };
    let refused = run(&other, broken.path(), true, &CancelToken::default());
    assert!(matches!(refused, Err(GradingTrainingError::OtherConfig { .. })));
    let resumed = parameters(&run(&config, broken.path(), true, &CancelToken::default()).expect("training"));
    assert_eq!(resumed, expected);
    let log = std::fs::read_to_string(broken.path().join("final/log.csv")).expect("a log");
    assert_eq!(log.lines().count(), 5, "a header and four epochs:\n{log}");
}

#[test]
fn published_weights_load_and_grade() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut config = config(1, 1);
    (config.network.familiarity, config.network.level_units) = (true, 2);
    let outcome = run(&config, folder.path(), false, &CancelToken::default()).expect("training");
    let sources = [DataSet::SpiderDev { folder: folder.path().to_owned() }.source()];
    let saved =
        publish(folder.path(), &config, &outcome, "train again", &sources).expect("written").expect("a network");
    assert_eq!(saved.path, folder.path().join("grading-0.4.0"));
    assert!(saved.metadata.attribution[0].contains("CC BY 4.0"));
    assert_eq!(find_weights("grading", Some(folder.path())).expect("found").metadata, saved.metadata);
    let grader = Grader::load(Some(folder.path()), &Device::Cpu).expect("whole weights");
    let experimental = &saved.metadata.training.results[EXPERIMENTAL_GRADINGS];
    assert_eq!(experimental["central_canal_stenosis"], "not trained: no labels");
    assert!(experimental["pfirrmann"].is_null());

    let case = scan_case(1, 5);
    let disc = &case.discs[0].disc;
    let token = CancelToken::default();
    let one = grader.grade(&case.volume, disc, Views::One, &token).expect("graded");
    let all = grader.grade(&case.volume, disc, Views::FiftyFour, &token).expect("graded");
    assert_eq!(one.level, DiscLevel::L4L5);
    assert!(one.is_familiar, "it was learned from");
    for (grading, probabilities) in all.probabilities.iter() {
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{grading}");
    }
    assert_ne!(one, all);
    token.cancel();
    assert!(grader.grade(&case.volume, disc, Views::One, &token).is_err());
}

#[test]
fn the_shipped_weights_are_whole_and_of_the_shipped_configuration() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = WeightsFolder::open(&source.join("weights/grading-0.4.0")).expect("shipped");
    let grader = Grader::from_folder(&folder, &Device::Cpu).expect("whole");
    assert_eq!(grader.network().config(), &GradingConfig::shipped());
    let experimental = &folder.metadata.training.results[EXPERIMENTAL_GRADINGS];
    assert!(experimental["central_canal_stenosis"].is_null(), "readers graded it");
    assert!(experimental["disc_herniation"].is_string(), "it was not good enough");
    let text = std::fs::read_to_string(source.join("assets/training/grading.toml")).expect("shipped");
    let config: GradingTrainingConfig = toml::from_str(&text).expect("valid");
    assert_eq!(config.network, GradingConfig::shipped());
}

#[test]
fn phantoms_alone_are_measured_on_every_patient() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut config = GradingTrainingConfig { folds: 0, final_network: false, ..config(1, 1) };
    (config.flat.phantom, config.deep.phantom) = (6, 2);
    let job = TrainingJob::new(folder.path());
    let measured = train_on_phantoms(&config, &examples(), &job, &mut |_| {}).expect("training");
    let discs: usize = measured.table.iter().map(|row| row.discs).sum();
    assert_eq!(discs, 8, "every labelled disc, of both kinds of scans");
    assert!(folder.path().join("measures.json").is_file());
}

#[test]
fn more_folds_than_patients_are_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let config = GradingTrainingConfig { folds: 9, ..config(1, 0) };
    let refused = run(&config, folder.path(), false, &CancelToken::default());
    assert!(matches!(refused, Err(GradingTrainingError::TooFewPatients { patients: 8, folds: 9 })));
}

/// Patients set aside decide when a stage ends, and its best epoch stays; the log tells their accuracy.
#[test]
fn a_stage_ends_when_the_patients_set_aside_gain_no_more() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut config = GradingTrainingConfig {
        folds: 2,
        validation_share: 0.5,
        final_network: false,
        optimizer: UpdateRule::Sgd,
        tasks: Some([(Grading::Pfirrmann, 2.0)].into()),
        ..config(6, 0)
    };
    // Nothing is learned, so the first epoch stays the best.
    config.flat.schedule.peak = 0.0;
    config.flat.patience = Some(1);
    let outcome = run(&config, folder.path(), false, &CancelToken::default()).expect("training");
    assert_eq!(outcome.untrained_gradings.len(), 7);
    let log = std::fs::read_to_string(folder.path().join("fold-0/log.csv")).expect("a log");
    let mut rows = csv::Reader::from_reader(log.as_bytes());
    let names = rows.headers().expect("a header").clone();
    let column = |name: &str| names.iter().position(|other| other == name).expect("a column");
    let rows: Vec<csv::StringRecord> = rows.records().map(|row| row.expect("a row")).collect();
    let losses: Vec<f64> = rows.iter().map(|row| row[column("validation_loss")].parse().expect("a number")).collect();
    assert!(rows.iter().all(|row| !row[column("validation_pfirrmann")].is_empty()));
    assert!(rows.iter().all(|row| !row[column("accuracy_pfirrmann")].is_empty()));
    assert_eq!((losses.len(), losses[0].to_bits()), (2, losses[1].to_bits()), "one epoch without gain ends it");
    assert!(folder.path().join("fold-0/best-flat.safetensors").is_file());
}

/// The configuration decides which heads the network has and which of them learn.
#[test]
fn optional_gradings_are_learned_where_the_configuration_asks_for_them() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let gradings = [Grading::Pfirrmann, Grading::DiscHerniation];
    let mut config =
        GradingTrainingConfig { tasks: Some(gradings.map(|grading| (grading, 1.0)).into()), ..config(1, 1) };
    let refused = run(&config, folder.path(), false, &CancelToken::default());
    assert!(matches!(refused, Err(GradingTrainingError::NoHead(Grading::DiscHerniation))));
    config.network.gradings = gradings.into();
    let mut cases = cases();
    for case in &mut cases {
        let herniated = ClassSet::exactly(usize::from(case.patient % 2 == 1));
        case.discs[0].labels.gradings.insert(Grading::DiscHerniation, herniated);
    }
    let examples = GradingExample::of_cases("synthetic", cases).expect("discs have frames");
    let outcome = train(&config, &examples, &TrainingJob::new(folder.path()), &mut |_| {}).expect("training");
    assert!(outcome.untrained_gradings.is_empty() && outcome.phantom_only_gradings.is_empty());
    let network = &outcome.network.expect("a network").0;
    assert_eq!(network.config().gradings, gradings.into());
    let log = std::fs::read_to_string(folder.path().join("final/log.csv")).expect("a log");
    let head = log.lines().next().expect("a header");
    assert!(head.contains("accuracy_disc_herniation") && !head.contains("spondylolisthesis"), "{head}");
}
