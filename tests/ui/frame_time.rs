//! The window is never in the way: time per frame with a large series, and silence while nothing happens.

use super::*;
use spinenet_viewer::ui::action::UiAction;
use spinenet_viewer::ui::state::ViewLayout;

/// Frames measured in each layout.
const FRAMES: usize = 150;
/// Mean processor time of a frame without the GPU, at the optimization of tests.
const LIMIT: Duration = Duration::from_millis(8);

#[test]
#[ignore = "measures time, so nothing may run beside it: cargo test --test ui -- --ignored frames_of"]
fn frames_of_a_large_series_are_quick_and_idle_asks_for_none() {
    let folder = scratch();
    let mut window = window(folder.path());
    window.state_mut().open_folder("large".into());
    wait_for(&mut window, "six graded discs", |viewer| viewer.state.is_graded());
    let shape = window.state().state.loaded().expect("a series").volume.shape();
    assert_eq!(shape, [30, 1024, 1024]);
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %").click();
    wait_for(&mut window, "the evidence map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    let context = window.ctx.clone();
    window.remove_cursor();
    window.run();
    assert!(!context.has_requested_repaint(), "nothing happens, nothing is drawn");
    // From here on without the test harness, whose own work would be measured too.
    let context = egui::Context::default();
    theme::install(&context);
    for layout in [ViewLayout::Single, ViewLayout::Disc, ViewLayout::Planes] {
        window.state_mut().apply(&context, UiAction::SetLayout(layout));
        timed_frame(&context, window.state_mut(), 0);
        let begun = time_used();
        let mut times: Vec<Duration> =
            (0..FRAMES).map(|frame| timed_frame(&context, window.state_mut(), frame)).collect();
        let mean = time_used().saturating_sub(begun) / FRAMES as u32;
        times.sort();
        let (median, p99) = (times[FRAMES / 2], times[FRAMES * 99 / 100]);
        println!("{layout:?}: processor {mean:?} a frame; elapsed: median {median:?}, 99th percentile {p99:?}");
        assert!(mean < LIMIT, "{layout:?}: {mean:?}");
    }
}

/// One frame in which the slice changes and the pointer moves over the image: logic, panels, actions, tessellation.
fn timed_frame(context: &egui::Context, viewer: &mut Viewer<Answers>, frame: usize) -> Duration {
    let key = if frame % 40 < 20 { Key::ArrowDown } else { Key::ArrowUp };
    let modifiers = Modifiers::NONE;
    let pressed = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
    let pointer = Event::PointerMoved(egui::pos2(300.0 + frame as f32, 400.0));
    let input = egui::RawInput {
        screen_rect: Some(egui::Rect::from_min_size(Pos2::ZERO, SIZE)),
        events: vec![pressed(true), pointer, pressed(false)],
        ..egui::RawInput::default()
    };
    let begun = Instant::now();
    let mut output = context.run_ui(input, |ui| {
        viewer.logic(ui.ctx());
        viewer.ui(ui);
    });
    let _ = context.tessellate(output.shapes, output.pixels_per_point);
    let took = begun.elapsed();
    output.textures_delta.clear();
    took
}

/// Processor time of this thread, which other work on the machine does not lengthen; elapsed time where the system does
/// not tell it.
fn time_used() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = schedule.split_whitespace().next().and_then(|first| first.parse().ok());
    nanoseconds.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}
