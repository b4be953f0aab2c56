//! `spinenet train` and `spinenet experiment`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use image::RgbImage;
use serde::de::DeserializeOwned;

use super::Outcome;
use super::console::{Console, ProgressLine};
use super::training_log::draw_logs;
use crate::causes::with_causes;
use crate::files::write_whole;
use crate::language::Language;
use crate::model::weights::WeightsFolder;
use crate::picture::study_overview;
use crate::pipeline::DeviceChoice;
use crate::task::{CancelToken, Progress};
use crate::training::TrainingJob;
use crate::training::contrast::ContrastRow;
use crate::training::grading::{Experiment, GradingExample};
use crate::training::located::LeftOut;
use crate::training::location::LocationRow;
use crate::training::manifest::{DataManifest, DataSet, DataSource, DataUse, TrainingCohort, TrainingData};
use crate::training::spider::load_cases;
use crate::training::{contrast, detector, grading, location};

/// Arguments of `spinenet train`.
#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    #[command(subcommand)]
    network: Network,
}

#[derive(Debug, Subcommand)]
enum Network {
    /// Train the network that finds and labels vertebrae.
    Detector(Files),
    /// Train the network that grades discs.
    Grading(Files),
    /// Learn to tell contrasts by the image, and measure it on patients left out: contrast.json.
    Contrast(SmallModel),
    /// Learn where findings lie from readers' boxes, and measure it on patients left out: location.json.
    Location(SmallModel),
    /// Draw the logs of a training, also while it runs: log.png beside each log.csv.
    Log {
        /// The folder of the training.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// A model of a few numbers, which needs no configuration.
#[derive(Debug, Args)]
struct SmallModel {
    /// Data manifest (TOML): `assets/training/contrast.toml` or `location.toml`, or one of your own.
    #[arg(long, value_name = "MANIFEST")]
    data: PathBuf,
    /// Folder for the file.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Arguments of `spinenet experiment`.
#[derive(Debug, Args)]
pub(crate) struct ExperimentArguments {
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
    /// Where the networks learn: auto, cpu, cuda or metal.
    #[arg(long, default_value_t = DeviceChoice::Cpu, value_name = "DEVICE")]
    device: DeviceChoice,
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

/// A training that is about to start.
struct Job<'a> {
    files: &'a Files,
    manifest: DataManifest,
    training: TrainingJob,
    console: Console,
    line: ProgressLine,
}

impl<'a> Job<'a> {
    fn new(files: &'a Files, console: Console) -> anyhow::Result<Self> {
        make_folder(&files.out)?;
        let manifest = DataManifest::read(&files.data)?;
        let (resume, device) = (files.resume, files.device.open()?);
        let training = TrainingJob { resume, device, ..TrainingJob::new(&files.out) };
        if !resume && training.is_begun() {
            let folder = files.out.display();
            bail!("{folder} holds a training that was begun: add --resume to go on with it, or choose another folder");
        }
        Ok(Self { files, manifest, training, console, line: console.long_progress("") })
    }

    /// Trains the detector; `None` where it is only measured.
    fn detector(&self) -> anyhow::Result<Option<WeightsFolder>> {
        let Self { files, training, line, .. } = self;
        let show = &mut |progress: Progress| line.show(progress);
        let (config, (folder, _), out) = (files.config()?, self.manifest.detector_data()?, &files.out);
        if self.manifest.purpose == DataUse::Measure {
            let outcome = detector::train_on_phantoms(&config, &self.manifest, training, show)?;
            draw_failures(folder, &outcome.measured.failures, out)?;
            return Ok(None);
        }
        let outcome = detector::cross_validate_and_train(&config, &self.manifest, training, show)?;
        draw_failures(folder, &outcome.measured.failures, out)?;
        Ok(Some(detector::publish(out, &config, &outcome, &files.command("detector"), &self.sources())?))
    }

    /// Trains the grading network; `None` where it is only measured.
    fn grading(&self) -> anyhow::Result<Option<WeightsFolder>> {
        let Self { files, training, line, .. } = self;
        let show = &mut |progress: Progress| line.show(progress);
        let (config, examples, out) = (files.config()?, self.examples()?, &files.out);
        if self.manifest.purpose == DataUse::Measure {
            grading::train_on_phantoms(&config, &examples, training, show)?;
            return Ok(None);
        }
        let outcome = grading::train(&config, &examples, training, show)?;
        Ok(grading::publish(out, &config, &outcome, &files.command("grading"), &self.sources())?)
    }

    /// Where the scans come from.
    fn sources(&self) -> Vec<DataSource> {
        self.manifest.data.iter().map(DataSet::source).collect()
    }

    /// The discs of the manifest; scans that cannot be used are told, and listed in `left-out.csv`.
    fn examples(&self) -> anyhow::Result<Vec<GradingExample>> {
        let TrainingData { cohorts, left_out } =
            self.manifest.load(&self.training.cancel, &mut |progress| self.line.show(progress))?;
        let scans = cohorts.iter().map(|cohort| cohort.cases.len()).sum();
        tell_left_out(&self.files.out, &left_out, scans, self.console)?;
        let mut examples = Vec::new();
        for TrainingCohort { name, cases } in cohorts {
            examples.extend(GradingExample::of_cases(&name, cases)?);
        }
        Ok(examples)
    }
}

/// Runs `spinenet train`.
pub(super) fn run(arguments: &TrainArguments, console: Console) -> anyhow::Result<Outcome> {
    let (files, weights) = match &arguments.network {
        Network::Detector(files) => (files, Job::new(files, console)?.detector()?),
        Network::Grading(files) => (files, Job::new(files, console)?.grading()?),
        Network::Contrast(model) => return learn_contrasts(model, console),
        Network::Location(model) => return learn_locations(model, console),
        Network::Log { out } => return show_logs(out, console),
    };
    draw_logs(&files.out)?;
    match weights {
        Some(weights) => console.say(&format!("weights in {}", weights.path.display())),
        None => console.say(&format!("measures in {}", files.out.display())),
    }
    Ok(Outcome::Done)
}

impl SmallModel {
    /// Lets `learn` learn from the data.
    fn learned<T, E: Error + Send + Sync + 'static>(
        &self,
        console: Console,
        learn: impl FnOnce(&DataManifest, &CancelToken, &mut dyn FnMut(Progress)) -> Result<T, E>,
    ) -> anyhow::Result<T> {
        make_folder(&self.out)?;
        let manifest = DataManifest::read(&self.data)?;
        let line = console.long_progress("");
        Ok(learn(&manifest, &CancelToken::default(), &mut |progress| line.show(progress))?)
    }

    /// Writes what was learned, and says so behind its measures.
    fn write(&self, name: &str, json: &[u8], measures: &[String], console: Console) -> anyhow::Result<Outcome> {
        let file = self.out.join(name);
        write_whole(&file, json).with_context(|| format!("cannot write: {}", file.display()))?;
        for row in measures {
            console.say(row);
        }
        console.say(&format!("model in {}", file.display()));
        Ok(Outcome::Done)
    }
}

fn learn_contrasts(model: &SmallModel, console: Console) -> anyhow::Result<Outcome> {
    let learned = model.learned(console, contrast::learn)?;
    let row = |row: &ContrastRow| {
        let ContrastRow { source, contrast, scans, without_spine, judged } = row;
        format!("{source} ({contrast:?}): {scans} scans, {without_spine} without spine, {judged:?}")
    };
    let measures: Vec<String> = learned.measured.iter().map(row).collect();
    model.write("contrast.json", &serde_json::to_vec_pretty(&learned)?, &measures, console)
}

fn learn_locations(model: &SmallModel, console: Console) -> anyhow::Result<Outcome> {
    let learned = model.learned(console, location::learn)?;
    tell_left_out(&model.out, &learned.left_out, learned.scans, console)?;
    ensure!(!learned.measured.is_empty(), "none of the {} scans has a boxed finding", learned.scans);
    let row = |row: &LocationRow| {
        let LocationRow { grading, discs, patients, iou, fixed_place_iou, above_fixed_place, .. } = row;
        let [low, high] = row.above_fixed_place_interval;
        let kept = if row.beats_fixed_place() { "kept" } else { "not kept" };
        format!(
            "{grading}: {discs} discs of {patients} patients, IoU {iou:.3}, a fixed place {fixed_place_iou:.3}, difference \
             {above_fixed_place:+.3} ({low:+.3} to {high:+.3}): {kept}"
        )
    };
    let measures: Vec<String> = learned.measured.iter().map(row).collect();
    model.write("location.json", &serde_json::to_vec(&learned)?, &measures, console)
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder: {}", folder.display()))
}

fn show_logs(out: &Path, console: Console) -> anyhow::Result<Outcome> {
    let pictures = draw_logs(out)?;
    ensure!(!pictures.is_empty(), "there is no log.csv in {} or below", out.display());
    for picture in &pictures {
        console.say(&picture.display().to_string());
    }
    Ok(Outcome::Done)
}

/// Runs `spinenet experiment`.
pub(crate) fn run_experiment(arguments: &ExperimentArguments, console: Console) -> anyhow::Result<Outcome> {
    let files = &arguments.files;
    let experiment = match arguments.experiment {
        ExperimentName::Tasks => Experiment::Tasks,
        ExperimentName::Dimensions => Experiment::Dimensions,
        ExperimentName::Levels => Experiment::Levels,
        ExperimentName::Views => Experiment::Views,
    };
    let job = Job::new(files, console)?;
    let (config, examples) = (files.config()?, job.examples()?);
    let show = &mut |progress: Progress| job.line.show(progress);
    let result = experiment.run(&config, &examples, &job.training, show)?;
    drop(job);
    let text = result.markdown();
    for (name, bytes) in
        [("experiment.json", serde_json::to_vec_pretty(&result)?), ("experiment.md", text.clone().into())]
    {
        let file = files.out.join(name);
        write_whole(&file, &bytes).with_context(|| format!("cannot write: {}", file.display()))?;
    }
    console.say(text.trim_end());
    Ok(Outcome::Done)
}

/// Tells of scans that cannot be used beside `used` others, and lists them in `left-out.csv` of `folder`.
fn tell_left_out(folder: &Path, left_out: &[LeftOut], used: usize, console: Console) -> anyhow::Result<()> {
    let file = folder.join("left-out.csv");
    if left_out.is_empty() {
        // A list of an earlier try would not be true any more.
        let _ = fs::remove_file(&file);
        return Ok(());
    }
    write_left_out(&file, left_out).with_context(|| format!("cannot write: {}", file.display()))?;
    let (count, file) = (left_out.len(), file.display());
    console.note(&format!("{count} of {} scans are left out: {file} says why", count + used));
    Ok(())
}

fn write_left_out(file: &Path, left_out: &[LeftOut]) -> anyhow::Result<()> {
    let mut table = csv::Writer::from_path(file)?;
    table.write_record(["scan", "reason"])?;
    for LeftOut { path, error } in left_out {
        table.write_record([path.display().to_string(), with_causes(error)])?;
    }
    Ok(table.flush()?)
}

/// Draws each held-out patient's scan with discs that were not found to `failures/<scan>.png`: the labels on the left, what
/// was detected on the right.
fn draw_failures(data: &Path, failures: &[detector::MissedDiscs], out: &Path) -> anyhow::Result<()> {
    let folder = out.join("failures");
    make_folder(&folder)?;
    for case in load_cases(data)? {
        let Some(missed) = failures.iter().find(|missed| missed.scan == case.name) else { continue };
        let found = missed.detection.as_ref().map(|detection| detection.vertebrae.as_slice()).unwrap_or_default();
        let labelled =
            study_overview(&case.volume, &case.vertebrae, &[], &format!("{}, labelled", case.name), Language::ENGLISH);
        let title = missed.error.as_deref().unwrap_or("detected");
        let detected = study_overview(&case.volume, found, &[], title, Language::ENGLISH);
        let mut both = RgbImage::new(labelled.width() + detected.width(), labelled.height().max(detected.height()));
        image::imageops::replace(&mut both, &labelled, 0, 0);
        image::imageops::replace(&mut both, &detected, i64::from(labelled.width()), 0);
        let file = folder.join(format!("{}.png", case.name));
        both.save(&file).with_context(|| format!("cannot write: {}", file.display()))?;
    }
    Ok(())
}
