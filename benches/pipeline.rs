//! Seconds from a folder to its first slice, its discs and its grades, on the DICOM cases of the development data; with
//! them the time to scan and to decode a folder of 1,000 slices of 512 × 512 pixels.
//!
//! `cargo bench --bench pipeline`; the last line is JSON for `benches/compare.py dicom`.

#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

#[path = "../tests/needs/mod.rs"]
mod needs;

use std::path::{Path, PathBuf};
use std::time::Instant;

use glam::DVec3;
use spinenet_viewer::dicom::{SeriesHeader, load_series, scan_folder, write_series};
use spinenet_viewer::model::Views;
use spinenet_viewer::pipeline::{DeviceChoice, Models, Study, analyze_series};
use spinenet_viewer::task::{CancelToken, Progress};
use spinenet_viewer::volume::{Volume, VolumeGeometry};

const ROUNDS: usize = 3;

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

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

fn cases() {
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

/// Writes 1,000 slices, and times the scan of their headers and the decoding of their pixels.
fn thousand_slices(folder: &Path) {
    const EDGE: usize = 512;
    const SLICES: usize = 1000;
    let origins = (0..SLICES).map(|slice| DVec3::X * (0.5 * slice as f64)).collect();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 0.5, 0.5).expect("valid geometry");
    let value = |index: usize| (index * 7919 % 4001) as f32;
    let voxels = (0..SLICES * EDGE * EDGE).map(value).collect();
    let volume = Volume::new(EDGE, EDGE, voxels, geometry).expect("matching size");
    write_series(folder, &volume, &SeriesHeader::synthetic_t2_sagittal("thousand slices")).expect("written");
    drop(volume);
    let token = CancelToken::default();
    let mut quiet = |_: Progress| ();
    let (mut headers, mut pixels) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut scan = None;
        headers.push(seconds(|| scan = scan_folder(folder, &token, &mut quiet).ok()));
        let scan = scan.expect("scanned");
        let series = scan.t2_sagittal().expect("a T2 sagittal series");
        pixels.push(seconds(|| {
            load_series(series, &token, &mut quiet).expect("decoded");
        }));
    }
    let (headers, pixels) = (median(headers), median(pixels));
    println!("1,000 slices of 512 × 512: headers {headers:.3} s, pixels {pixels:.3} s");
    println!("{{\"headers\": {headers}, \"pixels\": {pixels}}}");
}

fn main() {
    cases();
    let kept = std::env::var_os("THOUSAND_SLICES").map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("temporary folder");
    thousand_slices(kept.as_deref().unwrap_or(temporary.path()));
}
