//! `spinenet evaluate`.

mod boxes;
mod evidence;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Outcome;
use super::console::Console;
use super::grade_table::aligned;
use crate::files::write_whole;
use crate::measuring::{GradingMeasures, grade_measures_csv, measure_grades, reliability_charts};
use crate::records::{TruthTable, read_reports};

/// Arguments of `spinenet evaluate`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Compare computed grades with true ones: CSV with `series_instance_uid`, `level` and a column for each grading.
    Grades(Files),
    /// Compare predicted boxes with true ones, each as `spinenet-boxes/1` or COCO.
    Boxes(boxes::BoxesArguments),
    /// Measure evidence on boxes, of synthetic studies or of patients: every map, beside a box that is always in one place.
    Evidence(evidence::EvidenceArguments),
}

#[derive(Debug, Args)]
struct Files {
    /// The truth.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    truth: Vec<PathBuf>,
    /// What was computed.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    predictions: Vec<PathBuf>,
    /// Grades of a second reader, as the truth: how well readers agree.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    second_rater: Vec<PathBuf>,
    /// Take the most probable grade, and its probability, where classes are as common as among the discs that the weights
    /// were measured on, instead of equally common.
    #[arg(long)]
    at_prevalence: bool,
    /// Write the measures as JSON too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the measures as a table too, with a row for every level.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw how often grades are right against their probability: .png, .svg or .pdf.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    plot: Vec<PathBuf>,
}

/// Runs `spinenet evaluate`.
pub(super) fn run(arguments: &EvaluateArguments, console: Console) -> anyhow::Result<Outcome> {
    match &arguments.what {
        What::Grades(files) => grades(files, console),
        What::Boxes(arguments) => boxes::run(arguments, console),
        What::Evidence(arguments) => evidence::run(arguments, console),
    }
}

fn grades(files: &Files, console: Console) -> anyhow::Result<Outcome> {
    let read = |files: &[PathBuf]| -> anyhow::Result<TruthTable> {
        let mut table = TruthTable::default();
        for file in files {
            table.extend(TruthTable::read(file)?);
        }
        Ok(table)
    };
    let truth = read(&files.truth)?;
    let second_rater = if files.second_rater.is_empty() { None } else { Some(read(&files.second_rater)?) };
    let mut reports = Vec::new();
    for file in &files.predictions {
        reports.extend(read_reports(file)?);
    }
    let measures = measure_grades(&truth, &reports, second_rater.as_ref(), files.at_prevalence);
    anyhow::ensure!(!measures.gradings.is_empty(), "no disc has both a true and a computed grade");
    print(&agreement(&measures.gradings), console);
    if !measures.second_rater.is_empty() {
        console.say("Second rater against the truth:");
        print(&agreement(&measures.second_rater), console);
    }
    if measures.discs_without_prediction > 0 {
        console.say(&format!("{} discs with truth have no computed grade", measures.discs_without_prediction));
    }
    if let Some(file) = &files.out {
        save_json(file, &measures)?;
    }
    if let Some(file) = &files.csv {
        save(file, &grade_measures_csv(&measures))?;
    }
    for file in &files.plot {
        reliability_charts(&measures).write(file)?;
    }
    Ok(Outcome::Done)
}

/// One row a grading.
fn agreement(measures: &[GradingMeasures]) -> Vec<Vec<String>> {
    let heads = [
        "Grading",
        "Discs",
        "Balanced accuracy",
        "Accuracy",
        "Within one",
        "Kappa",
        "(quadratic)",
        "Sensitivity",
        "Specificity",
        "AUC",
        "Calibration error",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(measures.iter().map(|measured| {
        let balanced = match (measured.balanced_accuracy, measured.balanced_accuracy_interval) {
            (Some(mean), Some(interval)) => with_interval(mean, interval),
            (mean, _) => number(mean),
        };
        vec![
            measured.grading.name().to_owned(),
            measured.discs.to_string(),
            balanced,
            number(measured.accuracy),
            number(measured.accuracy_within_one),
            number(measured.kappa),
            number(measured.kappa_quadratic),
            number(measured.sensitivity),
            number(measured.specificity),
            number(measured.area_under_curve),
            number(measured.calibration.as_ref().map(|calibration| calibration.expected_error)),
        ]
    }));
    rows
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

/// A mean with its interval.
fn with_interval(mean: f64, [low, high]: [f64; 2]) -> String {
    format!("{mean:.3} ({low:.3}–{high:.3})")
}

fn print(rows: &[Vec<String>], console: Console) {
    for line in aligned(rows) {
        console.say(&line);
    }
}

fn save_json(file: &Path, measures: &impl Serialize) -> anyhow::Result<()> {
    save(file, &(serde_json::to_string_pretty(measures)? + "\n"))
}

fn save(file: &Path, text: &str) -> anyhow::Result<()> {
    write_whole(file, text.as_bytes()).with_context(|| format!("cannot write: {}", file.display()))
}
