//! `spinenet evaluate boxes`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{number, print, save, save_json, with_interval};
use crate::cli::Outcome;
use crate::cli::console::Console;
use crate::export::read_boxes;
use crate::measuring::{
    BoxFiles, GradingOverlap, PercentileChoice, PercentileFrom, box_measures_chart, box_measures_csv, measure_boxes,
};
use crate::records::BoxesFile;

/// Arguments of `spinenet evaluate boxes`.
#[derive(Debug, Args)]
pub(crate) struct BoxesArguments {
    /// A reader's boxes, one file a series.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    truth: Vec<PathBuf>,
    /// Predicted boxes, such as the `…_boxes-by-percentile.json` of `explain`.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    predictions: Vec<PathBuf>,
    /// A reader's boxes of other patients: the percentile of each grading is the best one there.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "validation_predictions", conflicts_with = "percentile")]
    validation_truth: Vec<PathBuf>,
    /// Predicted boxes of these.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "validation_truth")]
    validation_predictions: Vec<PathBuf>,
    /// Report overlap at this percentile.
    #[arg(long, value_name = "PERCENT")]
    percentile: Option<f64>,
    /// CSV with `series_instance_uid` and `patient`, where patients have several series: intervals are drawn by patient.
    #[arg(long, value_name = "FILE")]
    patients: Option<PathBuf>,
    /// Write all measures as JSON, those of every finding too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the table as CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw overlap against percentile: .png, .svg or .pdf.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    plot: Vec<PathBuf>,
}

/// Runs `spinenet evaluate boxes`.
pub(super) fn run(arguments: &BoxesArguments, console: Console) -> anyhow::Result<Outcome> {
    let read = |paths: &[PathBuf]| -> anyhow::Result<Vec<BoxesFile>> {
        paths.iter().map(|path| read_boxes(path).with_context(|| path.display().to_string())).collect()
    };
    let (truth, predicted) = (read(&arguments.truth)?, read(&arguments.predictions)?);
    let validation = (read(&arguments.validation_truth)?, read(&arguments.validation_predictions)?);
    let choice = match arguments.percentile {
        Some(percentile) => PercentileChoice::Fixed(percentile),
        None if arguments.validation_truth.is_empty() => PercentileChoice::Default,
        None => PercentileChoice::Validated(BoxFiles { truth: &validation.0, predicted: &validation.1 }),
    };
    let patients = arguments.patients.as_deref().map(read_patients).transpose()?.unwrap_or_default();
    let measures = measure_boxes(BoxFiles { truth: &truth, predicted: &predicted }, choice, &patients)?;
    anyhow::ensure!(!measures.gradings.is_empty(), "the truth holds no box");
    print(&table(&measures.gradings), console);
    console.say("IoU: mean over discs (95 % interval by resampling patients). Whole slices are the baseline.");
    if measures.gradings.iter().any(|overlap| overlap.percentile_from == PercentileFrom::Default) {
        console.say("The percentile was not chosen on other patients (--validation-truth, --validation-predictions).");
    }
    if let Some(file) = &arguments.out {
        save_json(file, &measures)?;
    }
    if let Some(file) = &arguments.csv {
        save(file, &box_measures_csv(&measures))?;
    }
    for file in &arguments.plot {
        box_measures_chart(&measures).write(file)?;
    }
    Ok(Outcome::Done)
}

fn table(gradings: &[GradingOverlap]) -> Vec<Vec<String>> {
    let heads = [
        "Grading",
        "Discs",
        "Not predicted",
        "Percentile",
        "IoU",
        "IoU on slices with truth",
        "Whole slices",
        "Times",
        "Pointing game",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(gradings.iter().map(|overlap| {
        vec![
            overlap.grading.name().to_owned(),
            overlap.discs.to_string(),
            overlap.discs_without_prediction.to_string(),
            overlap.percentile.map_or_else(|| "-".to_owned(), |percentile| percentile.to_string()),
            with_interval(overlap.mean_iou, overlap.mean_iou_interval),
            with_interval(overlap.mean_iou_slices_with_truth, overlap.mean_iou_slices_with_truth_interval),
            number(overlap.whole_slice_iou),
            overlap.times_whole_slice.map_or_else(|| "-".to_owned(), |times| format!("{times:.1}")),
            number(overlap.pointing_game),
        ]
    }));
    rows
}

/// Patients by series.
fn read_patients(file: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(file).with_context(|| file.display().to_string())?;
    let head = reader.headers()?.clone();
    let column = |name: &str| {
        let at = head.iter().position(|column| column.trim() == name);
        at.with_context(|| format!("column {name} is missing: {}", file.display()))
    };
    let (series, patient) = (column("series_instance_uid")?, column("patient")?);
    let cell = |row: &csv::StringRecord, at: usize| row.get(at).unwrap_or_default().trim().to_owned();
    reader.records().map(|row| row.map(|row| (cell(&row, series), cell(&row, patient))).map_err(Into::into)).collect()
}
