//! The window is never in the way: time per frame with a large series, and silence while nothing happens.

use super::*;
use spinenet_viewer::ui::action::{ReadAction, ViewAction};
use spinenet_viewer::ui::state::{SeriesGrid, ViewLayout};

/// Frames measured in each layout.
const FRAMES: usize = 320;
/// 99th percentile of the processor time of a frame, without a GPU and its driver.
const LIMIT: Duration = Duration::from_millis(4);

#[test]
#[ignore = "measures time, so nothing may run beside it: cargo test --test ui -- --ignored frames_of"]
fn frames_of_a_large_series_are_quick_and_idle_asks_for_none() {
    let folder = scratch();
    let worker = Handle::start("answers", Answers::default(), || ()).expect("a thread");
    let store = ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
    let mut viewer = Viewer::new(worker, store, None, std::sync::Arc::new(|| ()));
    let viewer = &mut viewer;
    let context = egui::Context::default();
    theme::install(&context);
    let nothing = (Modifiers::NONE, Key::F20);
    viewer.open_folder("large".into());
    while !viewer.state.is_graded() {
        timed_frame(&context, viewer, nothing, 0);
    }
    assert_eq!(viewer.state.loaded().expect("a series").volume.shape(), [30, 1024, 1024]);
    // Every evidence map is there.
    let levels: Vec<DiscLevel> = viewer.state.reading.discs.iter().map(|disc| disc.level).collect();
    for (level, grading) in levels.iter().flat_map(|level| Grading::PAPER.map(|grading| (*level, grading))) {
        viewer.apply(&context, ReadAction::Select(Selection { level, grading }));
        while viewer.state.evidence.main.request.ready().is_none() {
            timed_frame(&context, viewer, nothing, 0);
        }
    }
    for _ in 0..10 {
        let _ = context.run_ui(egui::RawInput::default(), |ui| {
            viewer.logic(ui.ctx());
            viewer.ui(ui);
        });
    }
    assert!(!context.has_requested_repaint(), "nothing happens, nothing is drawn");
    let grids = [SeriesGrid::TwoByTwo, SeriesGrid::OneByTwo].map(ViewLayout::Series);
    for layout in [ViewLayout::Single, ViewLayout::Disc, ViewLayout::Planes].into_iter().chain(grids) {
        viewer.apply(&context, ViewAction::SetLayout(layout));
        // Fonts are laid out once.
        timed_frame(&context, viewer, nothing, 0);
        for (what, modifiers) in [("slices", Modifiers::NONE), ("discs", Modifiers::ALT)] {
            let key = |frame: usize| (modifiers, [Key::ArrowDown, Key::ArrowUp][frame % 40 / 20]);
            judge(&format!("{layout:?}, {what}"), || {
                (0..FRAMES).map(|frame| timed_frame(&context, viewer, key(frame), frame)).collect()
            });
        }
    }
    // Opened again: the series arrives and its discs are graded meanwhile.
    judge("opening", || {
        let mut times = Vec::new();
        for _ in 0..3 {
            viewer.open_folder("large".into());
            while !viewer.state.is_graded() {
                times.push(timed_frame(&context, viewer, (Modifiers::NONE, Key::ArrowDown), times.len()));
            }
            times.extend(
                (0..FRAMES / 3).map(|frame| timed_frame(&context, viewer, (Modifiers::NONE, Key::ArrowDown), frame)),
            );
        }
        times
    });
}

/// Measures up to ten rounds, in which the same keys are pressed, and takes each frame as quick as it was in any of them: a
/// machine that others share has slow moments; what the program itself is slow at is slow in all rounds.
#[allow(clippy::print_stdout, reason = "the figures for the documentation")]
fn judge(what: &str, mut measured: impl FnMut() -> Vec<Duration>) {
    let mut quickest: Vec<Duration> = Vec::new();
    let mut slow = Vec::new();
    for _ in 0..10 {
        let times = measured();
        // Opening takes as many frames as the answers need, so that frames of its rounds cannot be compared.
        let are_comparable = times.len() == quickest.len();
        quickest = if are_comparable {
            quickest.iter().zip(&times).map(|(one, other)| *one.min(other)).collect()
        } else {
            times
        };
        let mut sorted = quickest.clone();
        sorted.sort();
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
        let (median, p99, longest) = (at(0.5), at(0.99), at(1.0));
        println!("{what}: {} frames, median {median:?}, 99th percentile {p99:?}, longest {longest:?}", sorted.len());
        if p99 <= LIMIT {
            return;
        }
        slow.push(p99);
        std::thread::sleep(Duration::from_millis(500));
    }
    panic!("{what}: {slow:?}");
}

/// Processor time of one frame in which a key is pressed and the pointer moves over the image: logic, panels, actions,
/// tessellation.
fn timed_frame(
    context: &egui::Context,
    viewer: &mut Viewer<Answers>,
    (modifiers, key): (Modifiers, Key),
    frame: usize,
) -> Duration {
    let pressed = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
    let pointer = Event::PointerMoved(egui::pos2(300.0 + frame as f32 % 200.0, 400.0));
    let input = egui::RawInput {
        screen_rect: Some(egui::Rect::from_min_size(Pos2::ZERO, SIZE)),
        events: vec![pressed(true), pointer, pressed(false)],
        ..egui::RawInput::default()
    };
    let begun = time_used();
    let mut output = context.run_ui(input, |ui| {
        viewer.logic(ui.ctx());
        viewer.ui(ui);
    });
    let _ = context.tessellate(output.shapes, output.pixels_per_point);
    output.textures_delta.clear();
    time_used().saturating_sub(begun)
}

/// Processor time of this thread, which other work on the machine does not lengthen; elapsed time where the system does
/// not tell it.
fn time_used() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
    #[cfg(not(target_os = "linux"))]
    {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}
