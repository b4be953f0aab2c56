//! How much 54 views cost against one pass, and how well views that share their trunk agree with separate ones.
//!
//! `cargo bench --bench views [-- --weights DIR] [-- --separate N]` grades N discs (600 unless told) each way: those of
//! all stacks and of mid-sagittal images of the development data, where they are, and of synthetic studies whose seeds
//! no training used.

#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

#[path = "../tests/needs/mod.rs"]
mod needs;

use std::path::PathBuf;
use std::time::Instant;

use spinenet_viewer::model::{Grader, Views};
use spinenet_viewer::phantom::Phantom;
use spinenet_viewer::pipeline::DeviceChoice;
use spinenet_viewer::spine::{Disc, DiscPrediction, discs_between};
use spinenet_viewer::task::CancelToken;
use spinenet_viewer::training::spider::load_cases;
use spinenet_viewer::volume::Volume;

/// Synthetic studies; trainings count their seeds from 1000.
const FIRST_SEED: u64 = 770_000;
const STUDIES: u64 = 40;

struct Scan {
    source: &'static str,
    volume: Volume,
    discs: Vec<Disc>,
}

fn scans() -> Vec<Scan> {
    let mut scans = Vec::new();
    if let Some(folder) = needs::data("spider-dev") {
        for case in load_cases(&folder).expect("the development data can be read") {
            let source = if case.volume.slices() == 1 { "mid-sagittal" } else { "stack" };
            let discs = case.discs.into_iter().map(|labelled| labelled.disc).collect();
            scans.push(Scan { source, volume: case.volume, discs });
        }
    }
    // Stacks first: there are few.
    scans.sort_by_key(|scan| scan.source != "stack");
    let phantoms = (FIRST_SEED..FIRST_SEED + STUDIES).map(|seed| {
        let study = Phantom::generate(seed);
        Scan { source: "phantom", discs: discs_between(&study.vertebrae), volume: study.volume }
    });
    scans.splice(0..0, phantoms);
    scans
}

#[derive(Default)]
struct Agreement {
    discs: usize,
    grades: usize,
    equal: usize,
    largest: f32,
    sum: f64,
    probabilities: usize,
}

impl Agreement {
    fn add(&mut self, shared: &DiscPrediction, separate: &DiscPrediction) {
        self.discs += 1;
        for grading in shared.probabilities.gradings() {
            self.grades += 1;
            self.equal += usize::from(shared.class(grading) == separate.class(grading));
            for (a, b) in shared.probabilities[grading].iter().zip(&separate.probabilities[grading]) {
                self.largest = self.largest.max((a - b).abs());
                self.sum += f64::from((a - b).abs());
                self.probabilities += 1;
            }
        }
    }

    fn print(&self, name: &str) {
        println!(
            "{name:13} {:4} discs: {:.2} % of grades equal, |Δp| mean {:.4}, largest {:.3}",
            self.discs,
            100.0 * self.equal as f64 / self.grades as f64,
            self.sum / self.probabilities as f64,
            self.largest
        );
    }
}

fn median_seconds(runs: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut seconds: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[runs / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| arguments.iter().position(|word| word == name).and_then(|at| arguments.get(at + 1));
    let weights = option("--weights").map(PathBuf::from);
    let wanted: usize = option("--separate").map_or(600, |count| count.parse().expect("a number"));
    let device = DeviceChoice::Auto.open().expect("the processor at least");
    let grader = Grader::load(weights.as_deref(), &device).expect("weights");
    println!("weights {} {}", grader.info().name, grader.info().version);
    let token = CancelToken::default();
    let scans = scans();
    let first = &scans[0];
    let time = |views, runs| {
        median_seconds(runs, || {
            grader.grade(&first.volume, &first.discs[3], views, &token).expect("graded");
        })
    };
    let [one, shared, separate] = [time(Views::One, 21), time(Views::FiftyFour, 11), time(Views::FiftyFourSeparate, 3)];
    println!(
        "one view {:.1} ms; 54 views {:.1} ms = {:.2} x one; 54 bare patches {:.0} ms = {:.1} x one",
        one * 1e3,
        shared * 1e3,
        shared / one,
        separate * 1e3,
        separate / one
    );
    let mut by_source: Vec<(&str, [Agreement; 2])> = Vec::new();
    let mut all: [Agreement; 2] = Default::default();
    let discs = scans.iter().flat_map(|scan| scan.discs.iter().map(move |disc| (scan, disc)));
    for (scan, disc) in discs.take(wanted) {
        let grade = |views| grader.grade(&scan.volume, disc, views, &token).expect("graded");
        let shared = grade(Views::FiftyFour);
        if by_source.last().is_none_or(|(source, _)| *source != scan.source) {
            by_source.push((scan.source, Default::default()));
        }
        for (index, views) in [Views::FiftyFourSeparate, Views::FiftyFourBare].into_iter().enumerate() {
            let reference = grade(views);
            if let Some((_, agreements)) = by_source.last_mut() {
                agreements[index].add(&shared, &reference);
            }
            all[index].add(&shared, &reference);
        }
    }
    by_source.push(("all", all));
    for (index, reference) in ["the same views in separate passes", "bare patches"].into_iter().enumerate() {
        println!("against {reference}:");
        for (source, agreements) in &by_source {
            agreements[index].print(source);
        }
    }
}
