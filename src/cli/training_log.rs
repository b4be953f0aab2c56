//! Pictures of training logs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::picture::{Curve, LineChart, chart_sheet};

/// Draws every `log.csv` in `folder` and one folder below as `log.png` beside it; returns the pictures.
pub(crate) fn draw_logs(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list: {}", folder.display()))? {
        folders.extend(entry.ok().map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    folders.sort();
    let mut pictures = Vec::new();
    for folder in folders {
        let log = folder.join("log.csv");
        if !log.is_file() {
            continue;
        }
        let columns = read_columns(&log).with_context(|| format!("cannot read the log: {}", log.display()))?;
        let charts = charts(&columns);
        if !charts.is_empty() {
            let picture = folder.join("log.png");
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            chart_sheet(&format!("Training, {name}"), &charts, 2, &[]).write(&picture)?;
            pictures.push(picture);
        }
    }
    Ok(pictures)
}

/// Numbers of each column by line; lines without a number in it are missing.
fn read_columns(log: &Path) -> anyhow::Result<BTreeMap<String, Vec<(f64, f64)>>> {
    let mut reader = csv::Reader::from_path(log)?;
    let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let mut columns: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for (line, record) in reader.records().enumerate() {
        let record = record?;
        for (name, cell) in names.iter().zip(&record) {
            let value = cell.parse::<f64>().ok();
            columns.entry(name.clone()).or_default().extend(value.map(|value| ((line + 1) as f64, value)));
        }
    }
    columns.retain(|_, points| !points.is_empty());
    Ok(columns)
}

/// Loss of everything, loss of each part, accuracy of each grading on the discs learned from and on those set aside.
fn charts(columns: &BTreeMap<String, Vec<(f64, f64)>>) -> Vec<LineChart> {
    let curve = |column: &str, name: &str| {
        let points = columns.get(column)?.clone();
        Some(Curve { name: name.replace('_', " "), points, stressed: None })
    };
    let prefixed = |prefix: &str| -> Vec<Curve> {
        let names = columns.keys().filter_map(|column| column.strip_prefix(prefix)).filter(|name| *name != "loss");
        names.filter_map(|name| curve(&format!("{prefix}{name}"), name)).collect()
    };
    let known =
        ["stage", "epoch", "step", "steps", "seconds", "learning_rate", "gradient_norm", "loss", "validation_loss"];
    let is_part = |column: &&String| {
        !known.contains(&column.as_str()) && !column.starts_with("accuracy_") && !column.starts_with("validation_")
    };
    let parts = columns.keys().filter(is_part).filter_map(|column| curve(column, column)).collect();
    let totals = [curve("loss", "learned from"), curve("validation_loss", "set aside")].into_iter().flatten().collect();
    let of = [
        ("Loss", "Loss", totals),
        ("Loss by part", "Loss", parts),
        ("Accuracy, learned from", "Balanced accuracy, %", prefixed("accuracy_")),
        ("Accuracy, set aside", "Balanced accuracy, %", prefixed("validation_")),
    ];
    of.into_iter().filter(|(_, _, curves): &(_, _, Vec<Curve>)| !curves.is_empty()).map(chart).collect()
}

fn chart((title, y_name, curves): (&str, &str, Vec<Curve>)) -> LineChart {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let last = points().map(|point| point.0).fold(1.0, f64::max);
    let highest = points().map(|point| point.1).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let ticks = (0..=4).map(|tick| 1.0 + (last - 1.0) * f64::from(tick) / 4.0);
    LineChart {
        title: title.to_owned(),
        x_name: "Line of the log".to_owned(),
        y_name: y_name.to_owned(),
        x_ticks: ticks.map(|tick| (tick, format!("{tick:.0}"))).collect(),
        y_range: (0.0, highest),
        curves,
    }
}
