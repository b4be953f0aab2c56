//! Milliseconds to a synthetic study and to what training draws from synthetic patients, on one core.
//!
//! `cargo bench --bench phantom`; another patient in every round, the patient's own drawing included.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use spinenet_viewer::phantom::{PhantomPatient, PhantomSettings};
use spinenet_viewer::spine::{DiscFrame, DiscLevel};

/// Slices beside the middle one of a disc volume, and of one that training shifts.
const DISC_VOLUME: usize = 4;
const SHIFTED: usize = 5;

/// One disc of each patient after the other, as training asks for them.
fn disc(number: &mut u64, beside: usize) -> Vec<f32> {
    *number += 1;
    let patient = PhantomPatient::draw(&PhantomSettings::new(*number / 6));
    let level = DiscLevel::ALL[(*number % 6) as usize];
    let Some(disc) = patient.disc(level, beside) else { return Vec::new() };
    let frame = DiscFrame::of_disc(&disc.volume, &disc.disc).expect("whole outlines");
    frame.sample(&disc.volume).voxels
}

fn phantom(criterion: &mut Criterion) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("no pool was made before");
    let mut number = 0;
    for (name, beside) in [("disc volume", DISC_VOLUME), ("disc volume, shifted", SHIFTED), ("disc slice", 0)] {
        criterion.bench_function(&format!("phantom/{name}"), |bencher| {
            bencher.iter(|| black_box(disc(&mut number, beside)));
        });
    }
    let mut seed = 0;
    let mut patient = || {
        seed += 1;
        PhantomPatient::draw(&PhantomSettings::new(seed))
    };
    criterion.bench_function("phantom/patient", |bencher| bencher.iter(|| black_box(patient().slices())));
    criterion.bench_function("phantom/slice", |bencher| {
        bencher.iter(|| {
            let patient = patient();
            black_box(patient.slice(patient.slices() / 2))
        });
    });
    criterion.bench_function("phantom/study", |bencher| bencher.iter(|| black_box(patient().study())));
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().sample_size(30);
    targets = phantom
}
criterion_main!(benches);
