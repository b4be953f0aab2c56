//! `spinenet figures`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::Outcome;
use super::console::{Console, RESEARCH_USE_ONLY};
use super::explain::{Augmentations, DiscArguments, Prepared};
use crate::export::{FigureRequest, read_boxes, write_figures};
use crate::spine::{BoxSource, Grading};
use crate::task::{CancelToken, Progress};

/// Arguments of `spinenet figures`.
#[derive(Debug, Args)]
pub(crate) struct FiguresArguments {
    #[command(flatten)]
    disc: DiscArguments,
    /// Grading, such as pfirrmann or `upper_marrow_change`.
    #[arg(long, value_name = "GRADING")]
    grading: Grading,
    /// Randomly changed inputs that each map is averaged over.
    #[arg(long, value_name = "N", default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    augmentations: u32,
    /// A reader's boxes, drawn beside the predicted ones.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Leave out the figure of unlearning layers, which takes longest.
    #[arg(long)]
    no_randomization: bool,
    /// Folder for the figures.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs `spinenet figures`.
pub(super) fn run(arguments: &FiguresArguments, console: Console) -> anyhow::Result<Outcome> {
    let cancel = CancelToken::default();
    let line = console.progress("");
    let mut show = |progress: Progress| line.show(progress);
    let Prepared { mut models, analysis, prediction } = arguments.disc.prepare(&cancel, &mut show)?;
    let target = arguments.disc.target(arguments.grading, &prediction)?;
    let augmentations = arguments.augmentations as usize;
    let disc = analysis.disc(arguments.disc.disc)?;
    let explanation = arguments.disc.explanation(&analysis, Augmentations { most: augmentations, precision: None });
    let mut evidence = explanation.evidence(&mut models, disc, &prediction, &[target], &cancel, &mut show)?;
    let mut evidence = evidence.pop().context("one map was asked for")?;
    if let Some(file) = &arguments.truth {
        let truth = read_boxes(file).with_context(|| file.display().to_string())?;
        evidence.reader_boxes = truth.boxes.into_iter().filter(|found| found.source == BoxSource::Reader).collect();
    }
    let request = FigureRequest {
        disc,
        target,
        evidence: &evidence,
        augmentations,
        with_randomization: !arguments.no_randomization,
    };
    let figures = request.draw(models.grader()?.network(), &cancel, &mut show)?;
    let files = write_figures(&arguments.out, target, disc, &figures)?;
    drop(line);
    console.say(&format!("{} files in {}", files.len(), arguments.out.display()));
    console.say(&format!("Supporting evidence, not a segmentation. {RESEARCH_USE_ONLY}"));
    Ok(Outcome::Done)
}
