//! Seconds to evidence maps, and what stopping early costs.
//!
//! `cargo bench --bench evidence [-- --discs N] [-- --weights DIR]
//! [-- --precision SHARE]` explains the predicted grades of the first N discs (6
//! unless told) of synthetic studies that no training used. The last line is JSON for `benches/compare.py evidence`.

#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use spinenet_viewer::model::{Grader, Views};
use spinenet_viewer::phantom::Phantom;
use spinenet_viewer::pipeline::DeviceChoice;
use spinenet_viewer::saliency::{CONVERGED, SaliencyMap, SaliencyMethod, SaliencyPlan, SaliencyTarget, explain_all};
use spinenet_viewer::spine::{Disc, Grading, discs_between, most_probable};
use spinenet_viewer::task::CancelToken;
use spinenet_viewer::volume::Volume;

/// Trainings count the seeds of their studies from 1000.
const FIRST_SEED: u64 = 770_000;
const PERCENTILE: f64 = 97.0;

struct Run {
    first: f64,
    all: f64,
    maps: HashMap<Grading, SaliencyMap>,
}

fn run(grader: &Grader, volume: &Volume, disc: &Disc, targets: &[SaliencyTarget], precision: Option<f32>) -> Run {
    let method = SaliencyMethod::ContrastiveExcitation;
    let plan = SaliencyPlan { method, layer: None, smoothing_mm: 0.0, augmentations: 150, precision, seed: 0 };
    let (start, mut first) = (Instant::now(), None);
    let mut maps = HashMap::new();
    explain_all(grader.network(), volume, disc, targets, &plan, &CancelToken::default(), &mut |map| {
        first.get_or_insert_with(|| start.elapsed().as_secs_f64());
        maps.insert(map.grading, map);
    })
    .expect("explained");
    Run { first: first.unwrap_or_default(), all: start.elapsed().as_secs_f64(), maps }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Euclidean distance as a share of the reference's size, and the overlap (Jaccard) of the hotspots.
fn difference(map: &SaliencyMap, reference: &SaliencyMap) -> (f64, f64) {
    let pairs = || map.values.iter().zip(&reference.values).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let distance: f64 = pairs().map(|(a, b)| (a - b).powi(2)).sum();
    let size: f64 = pairs().map(|(_, b)| b * b).sum();
    let (low, high) = (f64::from(map.threshold(PERCENTILE)), f64::from(reference.threshold(PERCENTILE)));
    let both = pairs().filter(|(a, b)| *a > low && *b > high).count();
    let either = pairs().filter(|(a, b)| *a > low || *b > high).count();
    ((distance / size).sqrt(), both as f64 / either.max(1) as f64)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| arguments.iter().position(|word| word == name).and_then(|at| arguments.get(at + 1));
    let wanted: usize = option("--discs").map_or(6, |count| count.parse().expect("a number"));
    let weights = option("--weights").map(PathBuf::from);
    let precision: f32 = option("--precision").map_or(CONVERGED, |share| share.parse().expect("a number"));
    let device = DeviceChoice::Auto.open().expect("the processor at least");
    let grader = Grader::load(weights.as_deref(), &device).expect("weights");
    let scans: Vec<(Volume, Vec<Disc>)> = (0..wanted.div_ceil(6) as u64)
        .map(|study| {
            let study = Phantom::generate(FIRST_SEED + study);
            (study.volume, discs_between(&study.vertebrae))
        })
        .collect();
    let discs = || scans.iter().flat_map(|(volume, discs)| discs.iter().map(move |disc| (volume, disc))).take(wanted);
    let mut seconds: HashMap<&str, Vec<f64>> = HashMap::new();
    let (mut views, mut distances, mut overlaps, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (volume, disc) in discs() {
        let prediction = grader.grade(volume, disc, Views::FiftyFour, &CancelToken::default()).expect("graded");
        let target =
            |(grading, classes): (Grading, &Vec<f32>)| SaliencyTarget { grading, class: most_probable(classes) };
        let all: Vec<SaliencyTarget> = prediction.probabilities.iter().map(target).collect();
        let mut put = |name, value| seconds.entry(name).or_default().push(value);
        for (targets, names) in [
            (&all[..1], ["first_of_one", "converged_one", "fixed_150_one"]),
            (&all[..], ["first_of_eight", "converged_eight", "fixed_150_eight"]),
        ] {
            let converged = run(&grader, volume, disc, targets, Some(precision));
            let fixed = run(&grader, volume, disc, targets, None);
            put(names[0], fixed.first);
            put(names[1], converged.all);
            put(names[2], fixed.all);
            if targets.len() == all.len() {
                for (grading, map) in &converged.maps {
                    let (distance, overlap) = difference(map, &fixed.maps[grading]);
                    views.push(map.augmentations as f64);
                    distances.push(distance);
                    overlaps.push(overlap);
                    errors.push(f64::from(fixed.maps[grading].relative_error.unwrap_or(f32::NAN)));
                }
            }
        }
    }
    println!("weights {} {}, contrastive excitation, {} discs", grader.info().name, grader.info().version, wanted);
    let medians: HashMap<&str, f64> = seconds.into_iter().map(|(name, values)| (name, median(values))).collect();
    for (what, names) in [
        ("one grading", ["first_of_one", "converged_one", "fixed_150_one"]),
        ("all eight", ["first_of_eight", "converged_eight", "fixed_150_eight"]),
    ] {
        let [first, converged, fixed] = names.map(|name| medians[name]);
        println!("{what:11}: first map {first:.3} s, converged {converged:.2} s, 150 views {fixed:.2} s");
    }
    let least = overlaps.iter().copied().fold(f64::INFINITY, f64::min);
    let most = distances.iter().copied().fold(0.0, f64::max);
    println!(
        "converged maps: {:.0} views (median), differ from those of 150 by {:.3} of their size (median; largest {most:.3}), \
         hotspots above percentile {PERCENTILE} overlap by {:.2} (median; least {least:.2})",
        median(views),
        median(distances),
        median(overlaps)
    );
    println!("estimated distance of 150 views from endless ones: {:.3} of their size (median)", median(errors));
    let pairs: Vec<String> = medians.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    println!("{{{}}}", pairs.join(", "));
}
