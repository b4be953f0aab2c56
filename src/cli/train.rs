//! `spinenet train` and `spinenet experiment`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use image::RgbImage;
use serde::de::DeserializeOwned;

use super::Outcome;
use super::console::Console;
use super::training_log::draw_logs;
use crate::picture::study_overview;
use crate::task::{CancelToken, Progress};
use crate::training::grading::Experiment;
use crate::training::located::LeftOut;
use crate::training::manifest::{DataManifest, DataSet, DataUse, TrainingData};
use crate::training::spider::load_cases;
use crate::training::{ScanCase, detector, grading};

/// Arguments of `spinenet train`.
#[derive(Debug, Args)]
pub struct TrainArguments {
    #[command(subcommand)]
    network: Network,
}

#[derive(Debug, Subcommand)]
enum Network {
    /// Train the network that finds and labels vertebrae.
    Detector(Files),
    /// Train the network that grades discs.
    Grading(Files),
    /// Draw the logs of a training, also while it runs: log.png beside each log.csv.
    Log {
        /// The folder of the training.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Arguments of `spinenet experiment`.
#[derive(Debug, Args)]
pub struct ExperimentArguments {
    /// What is changed: gradings learned together, dimensions, whether the level is told, or views.
    #[arg(value_enum)]
    experiment: ExperimentName,
    #[command(flatten)]
    files: Files,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExperimentName {
    Tasks,
    Dimensions,
    Levels,
    Views,
}

#[derive(Debug, Args)]
struct Files {
    /// Data manifest (TOML), such as `assets/training/spider-dev.toml`.
    #[arg(long, value_name = "MANIFEST")]
    data: PathBuf,
    /// Everything that decides the training beside the data (TOML); the shipped weights' are in `assets/training`.
    #[arg(long, value_name = "CONFIG")]
    config: PathBuf,
    /// Folder for log, checkpoints, measures and weights.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on from the checkpoints in the folder, to the same result as without the interruption.
    #[arg(long)]
    resume: bool,
}

impl Files {
    fn config<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let text = fs::read_to_string(&self.config)
            .with_context(|| format!("cannot read the training configuration: {}", self.config.display()))?;
        toml::from_str(&text).with_context(|| format!("not a training configuration: {}", self.config.display()))
    }

    /// The command that trains the same again.
    fn command(&self, network: &str) -> String {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("spinenet train {network} --data {} --config {}", name(&self.data), name(&self.config))
    }
}

/// Runs `spinenet train`.
pub fn run(arguments: &TrainArguments, console: Console) -> anyhow::Result<Outcome> {
    let files = match &arguments.network {
        Network::Detector(files) | Network::Grading(files) => files,
        Network::Log { out } => {
            let pictures = draw_logs(out)?;
            anyhow::ensure!(!pictures.is_empty(), "there is no log.csv in {} or below", out.display());
            for picture in &pictures {
                console.say(&picture.display().to_string());
            }
            return Ok(Outcome::Done);
        }
    };
    fs::create_dir_all(&files.out).with_context(|| format!("cannot make the folder: {}", files.out.display()))?;
    let line = console.long_progress("");
    let mut show = |progress: Progress| line.show(progress);
    let manifest = DataManifest::read(&files.data)?;
    let cancel = CancelToken::default();
    let weights = match &arguments.network {
        Network::Detector(files) if manifest.purpose == DataUse::Measure => {
            let config = files.config()?;
            let (folder, out) = (manifest.landmarks()?, &files.out);
            let outcome = detector::train_on_phantoms(&config, folder, out, files.resume, &cancel, &mut show)?;
            detector::write_measures(&files.out, &outcome.measured)?;
            draw_failures(folder, &outcome.measured.failures, out)?;
            None
        }
        Network::Grading(files) if manifest.purpose == DataUse::Measure => {
            let config = files.config()?;
            grading::train_on_phantoms(
                &config,
                read_data(&manifest, &files.out, console, &cancel, &mut show)?,
                &files.out,
                files.resume,
                &cancel,
                &mut show,
            )?;
            None
        }
        Network::Detector(files) => {
            let (config, folder) = (files.config()?, manifest.landmarks()?);
            let outcome =
                detector::cross_validate_and_train(&config, folder, &files.out, files.resume, &cancel, &mut show)?;
            draw_failures(folder, &outcome.measured.failures, &files.out)?;
            Some(detector::publish(&files.out, &config, &outcome, &files.command("detector"))?)
        }
        Network::Grading(files) => {
            let config = files.config()?;
            let cases = read_data(&manifest, &files.out, console, &cancel, &mut show)?;
            let examples = grading::GradingExample::of_cases(cases)?;
            let outcome = grading::train(&config, &examples, &files.out, files.resume, &cancel, &mut show)?;
            let sources: Vec<_> = manifest.data.iter().map(DataSet::source).collect();
            grading::publish(&files.out, &config, &outcome, &files.command("grading"), &sources)?
        }
        Network::Log { .. } => None,
    };
    drop(line);
    draw_logs(&files.out)?;
    match weights {
        Some(weights) => console.say(&format!("weights in {}", weights.path.display())),
        None => console.say(&format!("measures in {}", files.out.display())),
    }
    Ok(Outcome::Done)
}

/// Runs `spinenet experiment`.
pub fn run_experiment(arguments: &ExperimentArguments, console: Console) -> anyhow::Result<Outcome> {
    let files = &arguments.files;
    let experiment = match arguments.experiment {
        ExperimentName::Tasks => Experiment::Tasks,
        ExperimentName::Dimensions => Experiment::Dimensions,
        ExperimentName::Levels => Experiment::Levels,
        ExperimentName::Views => Experiment::Views,
    };
    fs::create_dir_all(&files.out).with_context(|| format!("cannot make the folder: {}", files.out.display()))?;
    let line = console.long_progress("");
    let mut show = |progress: Progress| line.show(progress);
    let cancel = CancelToken::default();
    let (manifest, config) = (DataManifest::read(&files.data)?, files.config()?);
    let cases = read_data(&manifest, &files.out, console, &cancel, &mut show)?;
    let examples = grading::GradingExample::of_cases(cases)?;
    let result = experiment.run(&config, &examples, &files.out, files.resume, &cancel, &mut show)?;
    drop(line);
    let file = files.out.join("experiment.json");
    fs::write(&file, serde_json::to_vec_pretty(&result)?)
        .with_context(|| format!("cannot write: {}", file.display()))?;
    let text = result.markdown();
    let file = files.out.join("experiment.md");
    fs::write(&file, &text).with_context(|| format!("cannot write: {}", file.display()))?;
    console.say(text.trim_end());
    Ok(Outcome::Done)
}

/// Reads the scans of a manifest; those that cannot be used are told, and listed in `left-out.csv`.
fn read_data(
    manifest: &DataManifest,
    out: &Path,
    console: Console,
    cancel: &CancelToken,
    on_progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Vec<ScanCase>> {
    let TrainingData { cases, left_out } = manifest.load(cancel, on_progress)?;
    let file = out.join("left-out.csv");
    if left_out.is_empty() {
        // A list of an earlier try would not be true any more.
        let _ = fs::remove_file(&file);
        return Ok(cases);
    }
    let mut table = csv::Writer::from_path(&file).with_context(|| format!("cannot write: {}", file.display()))?;
    table.write_record(["scan", "reason"])?;
    for LeftOut { path, error } in &left_out {
        table.write_record([path.display().to_string(), error.to_string()])?;
    }
    table.flush().with_context(|| format!("cannot write: {}", file.display()))?;
    let (count, file) = (left_out.len(), file.display());
    console.note(&format!("{count} of {} scans are left out: {file} says why", count + cases.len()));
    Ok(cases)
}

/// Draws each held-out patient's scan with discs that were not found to `failures/<scan>.png`: the labels on the left, what
/// was detected on the right.
fn draw_failures(data: &Path, failures: &[detector::MissedDiscs], out: &Path) -> anyhow::Result<()> {
    let folder = out.join("failures");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder: {}", folder.display()))?;
    for case in load_cases(data)? {
        let Some(missed) = failures.iter().find(|missed| missed.scan == case.name) else { continue };
        let found = missed.detection.as_ref().map(|detection| detection.vertebrae.as_slice()).unwrap_or_default();
        let labelled = study_overview(&case.volume, &case.vertebrae, &[], &format!("{}, labelled", case.name));
        let detected = study_overview(&case.volume, found, &[], missed.error.as_deref().unwrap_or("detected"));
        let mut both = RgbImage::new(labelled.width() + detected.width(), labelled.height().max(detected.height()));
        image::imageops::replace(&mut both, &labelled, 0, 0);
        image::imageops::replace(&mut both, &detected, i64::from(labelled.width()), 0);
        let file = folder.join(format!("{}.png", case.name));
        both.save(&file).with_context(|| format!("cannot write: {}", file.display()))?;
    }
    Ok(())
}
