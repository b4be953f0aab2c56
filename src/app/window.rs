//! The native window around the viewer.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eframe::egui_wgpu::RenderState;
use thiserror::Error;

use super::looks::Looks;
use super::settings::{SETTINGS_FILE, Settings};
use super::{ReaderStore, Viewer};
use crate::files::user_data_folder;
use crate::pipeline::{DEMO_SEED, DeviceChoice};
use crate::records::Software;
use crate::render::SliceRenderer;
use crate::ui::language::tr;
use crate::ui::{self, theme};
use crate::worker::{Inference, StartError, WorkerHandle};

/// How the window starts.
#[derive(Debug, Clone, Default)]
pub struct AppOptions {
    /// Folder of a study to open at once.
    pub open: Option<PathBuf>,
    /// Write and open the synthetic study at once.
    pub demo: Option<DemoOptions>,
    /// Folder of the user's own weights, searched before the shipped ones.
    pub weights: Option<PathBuf>,
    /// Where the networks run.
    pub device: DeviceChoice,
}

/// Which synthetic study is made, and where.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Which synthetic patient.
    pub seed: u64,
    /// Folder for the study; `None`: one that is deleted when the window closes.
    pub out: Option<PathBuf>,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { seed: DEMO_SEED, out: None }
    }
}

/// Why the window could not be opened.
#[derive(Debug, Error)]
pub enum AppError {
    /// The system gives no window: no display, or no graphics adapter that can draw into it.
    #[error("no window could be opened: {0}")]
    Window(String),
    /// The background worker did not start, or the device asked for is not there.
    #[error(transparent)]
    Worker(#[from] StartError),
    /// The system gives no thread.
    #[error("a background thread cannot be started")]
    Thread(#[from] std::io::Error),
}

/// Smallest window in which everything has its place.
const SMALLEST: egui::Vec2 = egui::vec2(960.0, 600.0);
/// Window at the first start.
const FIRST: egui::Vec2 = egui::vec2(1280.0, 800.0);

/// Shown by the system beside the title.
const ICON: &[u8] = include_bytes!("../../assets/package/spinenet-viewer.png");

/// How often the program started itself again after the graphics card was lost; set for the next start.
const RESTARTS: &str = "SPINENET_GRAPHICS_RESTARTS";
/// Times that it does.
const MOST_RESTARTS: usize = 3;
/// How long the thread that saves a reader's work is given where nothing can wait for it any more.
const LAST_SAVES: Duration = Duration::from_secs(1);
/// How long a device that may be lost is given to finish its work and say so.
const LAST_ANSWER: Duration = Duration::from_secs(5);

/// Opens the window and returns when it is closed. Where the graphics card is lost meanwhile (taken out, its driver
/// restarted), the program starts again on what is left, with the study and all saved work.
///
/// # Errors
/// If there is no display, no usable graphics adapter, or the device asked for is not there.
pub fn run(options: AppOptions) -> Result<(), AppError> {
    let graphics = Arc::new(Graphics::default());
    let watched = Arc::clone(&graphics);
    let make = move |context: &eframe::CreationContext<'_>| {
        let window = Window::new(context, options, watched)?;
        Ok(Box::new(window) as Box<dyn eframe::App>)
    };
    // The window opens as it was left; its size must be known before there is a window.
    let settings = user_data_folder().map(|folder| Settings::read(&folder.join(SETTINGS_FILE))).unwrap_or_default();
    let shown = || eframe::run_native("spinenet-viewer", native_options(&settings.looks), Box::new(make));
    // The toolkit panics where a lost device gives it no memory; unwinding saves the reader's work.
    start_again_from_second_panic(&graphics);
    let ended = catch_unwind(AssertUnwindSafe(shown));
    if graphics.were_lost() {
        return start_again();
    }
    let ended = ended.unwrap_or_else(|panic| resume_unwind(panic));
    ended.map_err(|error| AppError::Window(error.to_string()))
}

/// While one panic over a lost device unwinds, parts of the toolkit that are dropped may panic too (wgpu-hal 30.0.1, for an
/// image that the screen still had). That would abort the program, so it starts again before it comes to that.
fn start_again_from_second_panic(graphics: &Arc<Graphics>) {
    let (window_thread, graphics) = (std::thread::current().id(), Arc::clone(graphics));
    let (is_unwinding, before) = (AtomicBool::new(false), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        let is_first = std::thread::current().id() != window_thread || !is_unwinding.swap(true, Ordering::Relaxed);
        if !is_first && graphics.were_lost() {
            std::thread::sleep(LAST_SAVES);
            if let Err(error) = start_again() {
                tracing::error!(%error, "the program could not start again");
            }
        }
    }));
}

/// How often the program started itself again.
fn restarts() -> usize {
    std::env::var(RESTARTS).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Puts a fresh start of this program in the place of this one: neither toolkit nor driver can be trusted any more.
fn start_again() -> Result<(), AppError> {
    if restarts() >= MOST_RESTARTS {
        return Err(AppError::Window("the graphics card was lost again and again".to_owned()));
    }
    tracing::warn!("the graphics device was lost; the program starts again");
    let failed = |error: std::io::Error| AppError::Window(format!("the graphics card was lost: {error}"));
    let mut program = Command::new(std::env::current_exe().map_err(failed)?);
    program.args(std::env::args_os().skip(1)).env(RESTARTS, (restarts() + 1).to_string());
    #[cfg(unix)]
    return Err(failed(std::os::unix::process::CommandExt::exec(&mut program)));
    #[cfg(not(unix))]
    program.spawn().map(drop).map_err(failed)
}

fn native_options(looks: &Looks) -> eframe::NativeOptions {
    // The file is part of the program; without it the system shows its own icon.
    let icon = eframe::icon_data::from_png_bytes(ICON).unwrap_or_default();
    let viewport = egui::ViewportBuilder::default()
        .with_title("SpineNet Viewer")
        .with_app_id("spinenet-viewer")
        .with_icon(icon)
        .with_inner_size(looks.first_size().unwrap_or(FIRST))
        .with_maximized(looks.is_maximized)
        .with_clamp_size_to_monitor_size(true)
        .with_min_inner_size(SMALLEST);
    eframe::NativeOptions { viewport, renderer: eframe::Renderer::Wgpu, ..Default::default() }
}

/// Whether the graphics device of a window still answers.
#[derive(Default)]
struct Graphics {
    /// Asked once more when the window is gone; `None` before it opens and after it was closed in order. A device reports
    /// its loss only as long as it has its queue.
    device: Mutex<Option<(wgpu::Device, wgpu::Queue)>>,
    lost: AtomicBool,
    /// The window is being closed; its device goes with it.
    closing: AtomicBool,
}

impl Graphics {
    fn are_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether a window that is gone ended because of its device. The toolkit may panic over a lost device before the
    /// device reports its loss, which it does only when all its work is done; so it is made to finish and report.
    fn were_lost(&self) -> bool {
        let device = self.device.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((device, _queue)) = device {
            let last = wgpu::PollType::Wait { submission_index: None, timeout: Some(LAST_ANSWER) };
            // The wait panics where the driver itself says that the device is lost, after reporting it; on this thread, which
            // may be in a panic already, that would end the program.
            let _ = std::thread::scope(|threads| threads.spawn(|| device.poll(last)).join());
        }
        self.are_lost()
    }

    /// The window is being closed in order, and its device with it.
    fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        drop(self.device.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Hears of the loss; without this the first error of a lost device would end the program.
    fn watch(self: &Arc<Self>, window: &RenderState, wake: &Arc<dyn Fn() + Send + Sync>) {
        let RenderState { device, queue, .. } = window;
        *self.device.lock().unwrap_or_else(PoisonError::into_inner) = Some((device.clone(), queue.clone()));
        #[cfg(debug_assertions)]
        lose_on_request(device, wake);
        let (graphics, wake) = (Arc::clone(self), Arc::clone(wake));
        device.set_device_lost_callback(move |_reason, _message| {
            if !graphics.closing.load(Ordering::Relaxed) {
                graphics.lost.store(true, Ordering::Relaxed);
                wake();
            }
        });
        let graphics = Arc::clone(self);
        device.on_uncaptured_error(Arc::new(move |error| {
            // After a loss everything fails; otherwise it is a defect of this program, told where logs are read.
            if !graphics.are_lost() {
                tracing::error!(%error, "the graphics device refused a command");
            }
        }));
    }
}

/// For the test of a loss: takes the device away a while after the first start. It reports that at once where the test
/// asks for a loss that is `reported`, or `twice` a panic; otherwise the next frame meets a device that is lost and has not
/// said so.
#[cfg(debug_assertions)]
fn lose_on_request(device: &wgpu::Device, wake: &Arc<dyn Fn() + Send + Sync>) {
    let (Ok(way), 0) = (std::env::var("SPINENET_TEST_GRAPHICS_LOSS"), restarts()) else { return };
    let (device, wake) = (device.clone(), Arc::clone(wake));
    let losing = std::thread::Builder::new().name("losing graphics".into()).spawn(move || {
        std::thread::sleep(Duration::from_secs(5));
        device.destroy();
        if way != "unreported" {
            let _ = device.poll(wgpu::PollType::Poll);
        }
        wake();
    });
    drop(losing);
}

/// For the test of a loss: what panics when it is dropped.
#[cfg(debug_assertions)]
struct SecondPanic;

#[cfg(debug_assertions)]
impl Drop for SecondPanic {
    fn drop(&mut self) {
        panic!("a part that was dropped");
    }
}

/// For the test of a loss: where it asks for a loss that panics `twice`, does so once the device is gone.
#[cfg(debug_assertions)]
fn panic_twice_on_request(graphics: &Graphics) {
    if graphics.are_lost() && std::env::var("SPINENET_TEST_GRAPHICS_LOSS").as_deref() == Ok("twice") {
        let _second = SecondPanic;
        panic!("the toolkit met a device that is gone");
    }
}

struct Window {
    viewer: Viewer<Inference>,
    graphics: Arc<Graphics>,
}

impl Window {
    fn new(
        context: &eframe::CreationContext<'_>,
        options: AppOptions,
        graphics: Arc<Graphics>,
    ) -> Result<Self, AppError> {
        ui::install(&context.egui_ctx);
        let render_state = context.wgpu_render_state.as_ref();
        let render_state = render_state.ok_or_else(|| AppError::Window("no graphics adapter was found".to_owned()))?;
        let ctx = context.egui_ctx.clone();
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || ctx.request_repaint());
        graphics.watch(render_state, &wake);
        let renderer = SliceRenderer::new(render_state);
        // On a thread, because the folder of the system may be large and slow, and so that the first report need not wait
        // for the hash of the program.
        let cleaning = std::thread::Builder::new().name("cleaning".into()).spawn(|| {
            crate::files::remove_abandoned_studies();
            let _ = Software::hashed();
        });
        if let Err(error) = cleaning {
            tracing::warn!(%error, "studies that an earlier run left are not looked for");
        }
        let woken_by_worker = Arc::clone(&wake);
        let worker = WorkerHandle::spawn(options.device, options.weights, move || woken_by_worker())?;
        let woken_by_store = Arc::clone(&wake);
        let store = ReaderStore::start(user_data_folder(), move || woken_by_store())?;
        let mut viewer = Viewer::new(worker, store, Some(renderer), wake);
        viewer.apply_settings(&context.egui_ctx);
        if let Some(folder) = viewer.interrupted_study().filter(|_| restarts() > 0) {
            let told = tr!(
                "The graphics card stopped answering, so the program started again. The study that was open is opened \
                 again, with all saved work."
            );
            viewer.reopen(folder, told);
        } else if let Some(demo) = options.demo {
            viewer.open_demo(demo);
            viewer.offer_tour();
        } else if let Some(folder) = options.open {
            viewer.open_folder(folder);
        } else if let Some(folder) = viewer.interrupted_study() {
            let told = tr!(
                "The program ended unexpectedly last time. The study that was open is opened again, with all saved work."
            );
            viewer.reopen(folder, told);
        }
        Ok(Self { viewer, graphics })
    }
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.viewer.logic(ctx);
        #[cfg(debug_assertions)]
        panic_twice_on_request(&self.graphics);
        if self.graphics.are_lost() {
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.viewer.ui(ui);
    }

    fn on_exit(&mut self) {
        self.graphics.close();
        // After a loss it is opened again.
        if !self.graphics.are_lost() {
            self.viewer.forget_open_study();
        }
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        theme::PANEL.to_normalized_gamma_f32()
    }
}
