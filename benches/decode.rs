//! Seconds to scan the folder of one series and to decode its pixels.
//!
//! `cargo bench --bench decode -- FOLDER`; the output is JSON for `benches/compare.py decode`.

#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

use std::path::PathBuf;
use std::time::Instant;

use spinenet_viewer::dicom::{load_series, scan_folder};
use spinenet_viewer::task::{CancelToken, Progress};

/// The largest amount of memory that this process held, bytes.
fn peak_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0)
}

fn main() {
    // Cargo adds an option of its own.
    let folder = std::env::args_os().skip(1).map(PathBuf::from).find(|argument| argument.is_dir());
    let folder = folder.expect("the folder of one series: cargo bench --bench decode -- FOLDER");
    let token = CancelToken::default();
    let mut quiet = |_: Progress| ();
    let start = Instant::now();
    let scan = scan_folder(&folder, &token, &mut quiet).expect("readable");
    let headers = start.elapsed().as_secs_f64();
    let [series] = scan.series.as_slice() else { panic!("{} series instead of one", scan.series.len()) };
    let start = Instant::now();
    let loaded = load_series(series, &token, &mut quiet).expect("decodable");
    let pixels = start.elapsed().as_secs_f64();
    let voxel_bytes = size_of_val(loaded.volume.voxels()) as f64;
    let memory = peak_bytes().unwrap_or(f64::NAN) / voxel_bytes;
    let sum: f64 = loaded.volume.voxels().iter().map(|value| f64::from(*value)).sum();
    println!("{{\"headers\": {headers}, \"pixels\": {pixels}, \"memory\": {memory}, \"sum\": {sum}}}");
}
