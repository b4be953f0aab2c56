//! Hours of use: memory, open files and the time of a frame stay what they were.

use super::*;

use spinenet_viewer::pipeline::{DeviceChoice, prepare_demo};
use spinenet_viewer::spine::PixelBox;
use spinenet_viewer::task::CancelToken;
use spinenet_viewer::ui::action::{BoxAction, FileAction, ReadAction};
use spinenet_viewer::worker::WorkerHandle;

/// Synthetic studies that are opened by turns.
const STUDIES: u64 = 5;
/// Studies before anything is compared: everything is loaded and every cache is full.
const WARM_UP: usize = 2 * STUDIES as usize;

/// What this process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    memory_mib: f64,
    files: usize,
}

fn held() -> Held {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    let memory_mib = memory.and_then(|kib| kib.parse::<f64>().ok()).expect("a figure") / 1024.0;
    Held { memory_mib, files: std::fs::read_dir("/proc/self/fd").expect("Linux").count() }
}

/// Opens, grades, explains, boxes, comments, undoes, closes; gives the times of the frames on the way.
fn read_study<W: Work<Command = Command, Event = worker::Event>>(
    window: &mut WindowOf<W>,
    study: &Path,
    reading: usize,
) -> Vec<Duration> {
    window.state_mut().open_folder(study.to_owned());
    wait_for(window, "grades of all discs", |viewer| viewer.state.is_graded());
    let context = window.ctx.clone();
    let disc = window.state().state.reading.discs[reading % window.state().state.reading.discs.len()].clone();
    let grading = Grading::PAPER[reading % Grading::PAPER.len()];
    window.state_mut().apply(&context, ReadAction::Select(Selection { level: disc.level, grading }));
    wait_for(window, "the evidence", |viewer| viewer.state.evidence.main.request.ready().is_some());
    let [_, row, column] = disc.center_voxel;
    let rect = PixelBox { x: column - 20.0, y: row - 10.0, width: 40.0, height: 20.0 };
    window.state_mut().apply(&context, BoxAction::Add(rect));
    let text = format!("reading {reading}");
    window.state_mut().apply(&context, ReadAction::SetComment { level: disc.level, text });
    let mut frames = Vec::new();
    for frame in 0..60 {
        let key = if frame % 20 < 10 { Key::ArrowDown } else { Key::ArrowUp };
        window.key_press(key);
        let begun = Instant::now();
        window.step();
        frames.push(begun.elapsed());
    }
    window.state_mut().apply(&context, ReadAction::Undo);
    window.state_mut().apply(&context, ReadAction::Undo);
    window.state_mut().apply(&context, FileAction::Close);
    window.run();
    // The graphics card gives back what was dropped when it draws next.
    window.render().expect("drawn");
    frames
}

fn percentile_99(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "takes SPINENET_SOAK_MINUTES, 120 unless told: cargo test --test ui -- --ignored hours_of_use --nocapture"]
fn hours_of_use_change_nothing() {
    let minutes = std::env::var("SPINENET_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(120);
    let folder = scratch();
    let studies: Vec<_> = (0..STUDIES)
        .map(|seed| {
            let study = folder.path().join(seed.to_string());
            let made = prepare_demo(Some(&study), seed, &CancelToken::default(), &mut |_| ());
            made.expect("a study").folder().to_owned()
        })
        .collect();
    let worker = WorkerHandle::spawn(DeviceChoice::Cpu, None, || ()).expect("the processor and a thread");
    let mut window = window_of(worker, &folder.path().join("work"), SIZE, 1.0);
    let begun = Instant::now();
    let (mut first, mut last, mut early, mut late) = (None, None, Vec::new(), Vec::new());
    let mut reading = 0;
    while begun.elapsed() < Duration::from_mins(minutes) || reading < 2 * WARM_UP || reading % studies.len() != 0 {
        let frames = read_study(&mut window, &studies[reading % studies.len()], reading);
        reading += 1;
        // Studies differ in size, so what is held is compared after the same one.
        if reading.is_multiple_of(studies.len()) {
            last = Some(held());
        }
        match reading {
            0..WARM_UP => (),
            WARM_UP => first = last,
            _ if early.len() < 600 => early.extend(frames),
            _ => late.extend(frames),
        }
        if reading % 20 == 0 {
            println!("{reading} studies, {:.0} min: {:?}", begun.elapsed().as_secs_f64() / 60.0, held());
        }
    }
    let (first, last) = (first.expect("warmed up"), last.expect("warmed up"));
    println!("{reading} studies: {first:?}, then {last:?}");
    let times = (!late.is_empty()).then(|| (percentile_99(&mut early), percentile_99(&mut late)));
    if let Some((early, late)) = times {
        println!("99th percentile of a frame with drawing: {early:?}, then {late:?}");
    }
    assert!(last.memory_mib < 1.05 * first.memory_mib, "memory grows");
    assert!(last.files <= first.files, "open files grow");
    assert!(times.is_none_or(|(early, late)| late < early.mul_f64(1.3)), "frames slow down");
}
