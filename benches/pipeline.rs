//! Seconds from a folder to its first slice, its discs and its grades, on the DICOM cases of the development data.
//!
//! `cargo bench --bench pipeline`

#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

#[path = "../tests/needs/mod.rs"]
mod needs;

use std::path::PathBuf;
use std::time::Instant;

use spinenet_viewer::model::Views;
use spinenet_viewer::pipeline::{DeviceChoice, Models, Study, analyze_series};
use spinenet_viewer::task::{CancelToken, Progress};

const ROUNDS: usize = 3;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The largest amount of memory that this process held, MB.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}

fn main() {
    let Some(folder) = needs::data("dicom") else {
        println!("the development data are not here (SPINENET_DATA): no cases are timed");
        return;
    };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("DICOM cases")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let token = CancelToken::default();
    let mut quiet = |_: Progress| ();
    let (mut slice, mut discs, mut grades) = (Vec::new(), Vec::new(), Vec::new());
    for folder in folders.iter().flat_map(|folder| std::iter::repeat_n(folder, ROUNDS)) {
        // Fresh networks: a user opens a folder once.
        let mut models = Models::new(DeviceChoice::Cpu, None).expect("the processor");
        let start = Instant::now();
        let study = Study::open(folder, &token, &mut quiet, &mut |_| ()).expect("readable");
        let chosen = study.choose(None).expect("a T2 sagittal series");
        let series = study.load(chosen, &token, &mut quiet).expect("readable");
        slice.push(start.elapsed().as_secs_f64());
        let analysis = analyze_series(series, &mut models, Some(Views::FiftyFour), &token, &mut quiet).expect("graded");
        grades.push(start.elapsed().as_secs_f64());
        discs.push(start.elapsed().as_secs_f64() - analysis.seconds.expect("measured").grade);
    }
    println!(
        "{} DICOM cases, {ROUNDS} rounds, medians: folder to first slice {:.2} s, to discs {:.2} s, to all grades \
         (54 views) {:.2} s; peak memory {:.0} MB",
        folders.len(),
        median(slice),
        median(discs),
        median(grades),
        peak_megabytes().unwrap_or(f64::NAN)
    );
}
