//! `spinenet evaluate`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Outcome;
use super::console::Console;
use super::grade_table::aligned;
use crate::pipeline::{BoxesFile, TruthTable, measure_boxes, measure_grades, read_reports, write_whole};

/// Arguments of `spinenet evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Compare computed grades with true ones: CSV with `series_instance_uid`, `level` and a column for each grading.
    Grades(Files),
    /// Compare predicted boxes with true ones, both as `spinenet-boxes/1`.
    Boxes(Files),
}

#[derive(Debug, Args)]
struct Files {
    /// The truth.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    truth: Vec<PathBuf>,
    /// What was computed.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    predictions: Vec<PathBuf>,
    /// Write the measures as JSON too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs `spinenet evaluate`.
pub fn run(arguments: &EvaluateArguments, console: Console) -> anyhow::Result<Outcome> {
    match &arguments.what {
        What::Grades(files) => grades(files, console),
        What::Boxes(files) => boxes(files, console),
    }
}

fn grades(files: &Files, console: Console) -> anyhow::Result<Outcome> {
    let mut truth = TruthTable::default();
    for file in &files.truth {
        truth.grades.extend(TruthTable::read(file)?.grades);
    }
    let mut reports = Vec::new();
    for file in &files.predictions {
        reports.extend(read_reports(file)?);
    }
    let measures = measure_grades(&truth, &reports);
    anyhow::ensure!(!measures.gradings.is_empty(), "no disc has both a true and a computed grade");
    let heads = ["Grading", "Discs", "Balanced accuracy", "Accuracy", "Within one", "Kappa (quadratic)"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(measures.gradings.iter().map(|measured| {
        vec![
            measured.grading.name().to_owned(),
            measured.discs.to_string(),
            number(measured.balanced_accuracy),
            number(measured.accuracy),
            number(measured.accuracy_within_one),
            number(measured.kappa_quadratic),
        ]
    }));
    print(&rows, console);
    if measures.discs_without_prediction > 0 {
        console.say(&format!("{} discs with truth have no computed grade", measures.discs_without_prediction));
    }
    save(files.out.as_deref(), &measures)
}

fn boxes(files: &Files, console: Console) -> anyhow::Result<Outcome> {
    let read = |paths: &[PathBuf]| -> anyhow::Result<Vec<BoxesFile>> {
        paths.iter().map(|path| BoxesFile::read(path).with_context(|| path.display().to_string())).collect()
    };
    let measures = measure_boxes(&read(&files.truth)?, &read(&files.predictions)?)?;
    anyhow::ensure!(!measures.gradings.is_empty(), "the truth holds no box");
    let mut rows =
        vec![["Grading", "Discs", "Not predicted", "IoU", "IoU on slices with truth"].map(str::to_owned).to_vec()];
    rows.extend(measures.gradings.iter().map(|overlap| {
        vec![
            overlap.grading.name().to_owned(),
            overlap.discs.to_string(),
            overlap.discs_without_prediction.to_string(),
            number(Some(overlap.mean_iou)),
            number(Some(overlap.mean_iou_slices_with_truth)),
        ]
    }));
    print(&rows, console);
    save(files.out.as_deref(), &measures)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

fn print(rows: &[Vec<String>], console: Console) {
    for line in aligned(rows) {
        console.say(&line);
    }
}

fn save(file: Option<&Path>, measures: &impl Serialize) -> anyhow::Result<Outcome> {
    if let Some(file) = file {
        let text = serde_json::to_string_pretty(measures)? + "\n";
        write_whole(file, text.as_bytes()).with_context(|| format!("cannot write: {}", file.display()))?;
    }
    Ok(Outcome::Done)
}
