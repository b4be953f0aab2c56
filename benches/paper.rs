//! The networks at the paper's size with drawn weights: time and memory to write, load, grade and explain.
//!
//! `cargo bench --bench paper -- 2d` and `-- 3d`: one network a process, so that the peak of memory is its own. With `cuda`
//! or `metal` behind it everything runs on that device, and the evidence of all gradings over the paper's 150 views is
//! timed too, which takes a processor minutes.

#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

use std::collections::HashMap;
use std::time::Instant;

use candle_core::Device;
use spinenet_viewer::model::weights::{Training, WeightsMetadata, save_weights};
use spinenet_viewer::model::{Dimensions, Grader, GradingConfig, Views};
use spinenet_viewer::phantom::Phantom;
use spinenet_viewer::pipeline::DeviceChoice;
use spinenet_viewer::saliency::{SaliencyMethod, SaliencyPlan, SaliencyRequest, SaliencyTarget, explain, explain_all};
use spinenet_viewer::spine::{Grading, discs_between};
use spinenet_viewer::task::CancelToken;

/// Memory of this process, MiB: `VmRSS` now, `VmHWM` at most so far.
fn mebibytes(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.split_whitespace().nth(1));
    line.and_then(|kibibytes| kibibytes.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    let (seconds, now, most) = (start.elapsed().as_secs_f64(), mebibytes("VmRSS"), mebibytes("VmHWM"));
    println!("{what:24} {seconds:8.2} s, {now:6.0} MiB then, {most:6.0} MiB at most so far");
    done
}

fn main() {
    let dimensions = match std::env::args().find(|argument| argument == "2d" || argument == "3d").as_deref() {
        Some("2d") => Dimensions::Two,
        Some("3d") => Dimensions::Three,
        _ => return println!("which network? `-- 2d` or `-- 3d`"),
    };
    let card = [DeviceChoice::Cuda, DeviceChoice::Metal]
        .into_iter()
        .find(|choice| std::env::args().any(|argument| argument == choice.key()));
    let device = card.unwrap_or(DeviceChoice::Cpu).open().expect("the device that was asked for");
    let config = GradingConfig::paper(dimensions);
    let folder = std::env::temp_dir().join(format!("spinenet-paper-{}", std::process::id()));
    // A process of its own draws and writes the weights, or its memory would count.
    if std::env::args().any(|argument| argument == "write") {
        let folder = std::env::var_os("SPINENET_PAPER").expect("the folder");
        let variables = config.initial_variables(1, &Device::Cpu).expect("drawn");
        let data = variables.data().lock().expect("one thread");
        let tensors: HashMap<_, _> =
            data.iter().map(|(name, value)| (name.clone(), value.as_tensor().clone())).collect();
        let metadata = WeightsMetadata {
            name: "grading".to_owned(),
            version: "0.0.1".to_owned(),
            training: Training::default(),
            ..WeightsMetadata::default()
        };
        save_weights(folder.as_ref(), &config, metadata, &tensors, true).expect("written");
        return;
    }
    println!("{}: {:.1} M parameters", dimensions.name(), config.parameter_count() as f64 / 1e6);
    std::fs::create_dir_all(&folder).expect("a folder");
    let program = std::env::current_exe().expect("this program");
    let written = timed("drawn and written", || {
        let arguments = std::env::args().skip(1).chain(["write".to_owned()]);
        std::process::Command::new(program).args(arguments).env("SPINENET_PAPER", &folder).status().expect("started")
    });
    assert!(written.success(), "the weights are written");
    let grader = timed("loaded and checked", || Grader::load(Some(&folder), &device).expect("whole"));
    let study = Phantom::generate(4);
    let disc = &discs_between(&study.vertebrae)[4];
    let token = CancelToken::default();
    timed("one view", || grader.grade(&study.volume, disc, Views::One, &token).expect("graded"));
    timed("54 views", || grader.grade(&study.volume, disc, Views::FiftyFour, &token).expect("graded"));
    let plan = |augmentations| SaliencyPlan {
        method: SaliencyMethod::ContrastiveExcitation,
        layer: None,
        smoothing_mm: 0.0,
        augmentations,
        precision: None,
        seed: 0,
    };
    for augmentations in [1, 8] {
        let request = SaliencyRequest { grading: Grading::Pfirrmann, class: 3, plan: plan(augmentations) };
        timed(&format!("evidence, {augmentations} views"), || {
            explain(grader.network(), &study.volume, disc, &request, &token, &mut |_| ()).expect("explained")
        });
    }
    if card.is_some() {
        let targets: Vec<_> =
            config.gradings.iter().map(|&grading| SaliencyTarget { grading, class: grading.classes() - 1 }).collect();
        timed("all gradings, 150 views", || {
            explain_all(grader.network(), &study.volume, disc, &targets, &plan(150), &token, &mut |_| ())
                .expect("explained");
        });
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}
