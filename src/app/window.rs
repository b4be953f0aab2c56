//! The native window around the viewer.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui;
use thiserror::Error;

use super::{ReaderStore, Viewer};
use crate::files::user_data_folder;
use crate::pipeline::{DEMO_SEED, DeviceChoice, Software};
use crate::render::SliceRenderer;
use crate::ui::theme;
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
    #[error("a background thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Smallest window in which everything has its place.
const SMALLEST: egui::Vec2 = egui::vec2(960.0, 600.0);
/// Window at the start.
const FIRST: egui::Vec2 = egui::vec2(1280.0, 800.0);

/// Shown by the system beside the title.
const ICON: &[u8] = include_bytes!("../../assets/package/spinenet-viewer.png");

/// Opens the window and returns when it is closed.
///
/// # Errors
/// If there is no display, no usable graphics adapter, or the device asked for is not there.
pub fn run(options: AppOptions) -> Result<(), AppError> {
    // The file is part of the program; without it the system shows its own icon.
    let icon = eframe::icon_data::from_png_bytes(ICON).unwrap_or_default();
    let viewport = egui::ViewportBuilder::default()
        .with_title("SpineNet Viewer")
        .with_app_id("spinenet-viewer")
        .with_icon(icon)
        .with_inner_size(FIRST)
        .with_min_inner_size(SMALLEST);
    let native = eframe::NativeOptions { viewport, renderer: eframe::Renderer::Wgpu, ..Default::default() };
    let make = move |context: &eframe::CreationContext<'_>| {
        Window::new(context, options).map(|window| Box::new(window) as Box<dyn eframe::App>).map_err(Into::into)
    };
    eframe::run_native("spinenet-viewer", native, Box::new(make)).map_err(|error| AppError::Window(error.to_string()))
}

struct Window {
    viewer: Viewer<Inference>,
}

impl Window {
    fn new(context: &eframe::CreationContext<'_>, options: AppOptions) -> Result<Self, AppError> {
        theme::install(&context.egui_ctx);
        let render_state = context.wgpu_render_state.as_ref();
        let render_state = render_state.ok_or_else(|| AppError::Window("no graphics adapter was found".to_owned()))?;
        let renderer = SliceRenderer::new(render_state);
        let ctx = context.egui_ctx.clone();
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || ctx.request_repaint());
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
        if let Some(demo) = options.demo {
            viewer.open_demo(demo);
        } else if let Some(folder) = options.open {
            viewer.open_folder(folder);
        } else if let Some(folder) = viewer.interrupted_study() {
            viewer.reopen(folder);
        }
        Ok(Self { viewer })
    }
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.viewer.logic(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.viewer.ui(ui);
    }

    fn on_exit(&mut self) {
        self.viewer.forget_open_study();
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        theme::PANEL.to_normalized_gamma_f32()
    }
}
