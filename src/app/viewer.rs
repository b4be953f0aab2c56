//! The viewer: the state on screen, the worker behind it, and the actions that change it.

use std::sync::Arc;

use eframe::egui;

use super::box_store::BoxStore;
use super::correction::GradeBook;
use super::dialog::{DialogOutcome, FolderDialog};
use super::history::History;
use super::{Command, DemoOptions, Event, navigation};
use crate::dicom::FolderScan;
use crate::render::SliceRenderer;
use crate::saliency::SaliencyMap;
use crate::ui::action::UiAction;
use crate::ui::state::{Banner, BannerKind, ViewerState};
use crate::ui::viewer_ui;
use crate::worker::{Handle, JobId, Work};

/// Everything that lives as long as the window. Generic over the work, so that tests can answer for the networks.
pub struct Viewer<W: Work<Command = Command, Event = Event>> {
    /// What is on screen.
    pub state: ViewerState,
    pub(super) worker: Handle<W>,
    pub(super) boxes: BoxStore,
    pub(super) history: History,
    pub(super) grade_book: GradeBook,
    pub(super) scan: Option<Arc<FolderScan>>,
    /// The series that is shown or on its way: its place in the scan.
    pub(super) series: Option<usize>,
    pub(super) demo_job: Option<JobId>,
    pub(super) grading_job: Option<JobId>,
    /// The job that reported progress last.
    pub(super) reporting_job: Option<JobId>,
    /// Finished maps, so that a second look needs no second computation.
    pub(super) finished_maps: Vec<Arc<SaliencyMap>>,
    /// Explain the worst finding when grading is done, as the demo does.
    pub(super) explains_worst: bool,
    renderer: Option<SliceRenderer>,
    dialog: Option<FolderDialog>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// A viewer with nothing open. Without a renderer everything works but the pixels stay black.
    /// `wake` makes the window run again after something happened on another thread.
    #[must_use]
    pub fn new(
        worker: Handle<W>,
        boxes: BoxStore,
        renderer: Option<SliceRenderer>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            state: ViewerState::default(),
            worker,
            boxes,
            history: History::default(),
            grade_book: GradeBook::default(),
            scan: None,
            series: None,
            demo_job: None,
            grading_job: None,
            reporting_job: None,
            finished_maps: Vec::new(),
            explains_worst: false,
            renderer,
            dialog: None,
            wake,
        }
    }

    /// Takes in what happened on other threads and what was dropped on the window; draws nothing.
    pub fn logic(&mut self, ctx: &egui::Context) {
        while let Some(event) = self.worker.poll() {
            self.receive(event);
        }
        while let Some(error) = self.boxes.failure() {
            self.tell_error(format!("A box was not saved. {error}"));
        }
        if let Some(outcome) = self.dialog.as_ref().and_then(FolderDialog::outcome) {
            self.dialog = None;
            match outcome {
                DialogOutcome::Chosen(folder) => self.open_folder(folder),
                DialogOutcome::Nothing { is_missing: true } => self.state.path_entry = Some(String::new()),
                DialogOutcome::Nothing { is_missing: false } => {}
            }
        }
        let dropped = ctx.input(|input| input.raw.dropped_files.first().map(|file| file.path().to_owned()));
        if let Some(path) = dropped {
            self.open_folder(path);
        }
    }

    /// Draws the window and then does what was asked for in it.
    pub fn ui(&mut self, ui: &mut egui::Ui) {
        let mut actions = Vec::new();
        viewer_ui(ui, &self.state, &mut actions);
        if !actions.is_empty() {
            // What the actions change is seen in the next frame only.
            ui.ctx().request_repaint();
        }
        for action in actions {
            self.apply(ui.ctx(), action);
        }
    }

    /// Does what was asked for.
    pub fn apply(&mut self, ctx: &egui::Context, action: UiAction) {
        if action == UiAction::ResetView && std::mem::take(&mut self.state.help_open) {
            // The first Escape closes the page that lies on top.
            return;
        }
        let Some(action) = navigation::apply(&mut self.state, action) else { return };
        match action {
            UiAction::AskForFolder => self.ask_for_folder(),
            UiAction::OpenPath(folder) => self.open_folder(folder),
            UiAction::OpenDemo => self.open_demo(DemoOptions::default()),
            UiAction::CloseStudy => self.close_study(),
            UiAction::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
            UiAction::LoadSeries(index) => self.load_series(index),
            UiAction::EditPath(text) => self.state.path_entry = text,
            UiAction::Grade => self.detect(),
            UiAction::Viewport(viewport) => self.state.view.viewport = Some(viewport),
            UiAction::SelectDisc(level) => self.select_disc(level),
            UiAction::Explain(selection) => self.explain(selection),
            UiAction::SetEvidenceClass(class) => self.set_class(class),
            UiAction::SetEvidenceMethod(method) => self.set_method(method),
            UiAction::SetEvidenceOpacity(opacity) => self.state.evidence.opacity = opacity,
            UiAction::SetEvidencePercentile(percentile) => self.set_percentile(percentile),
            UiAction::SetColorMap(color_map) => self.state.evidence.color_map = color_map,
            UiAction::ToggleEvidence => self.state.evidence.shown = !self.state.evidence.shown,
            UiAction::HoldEvidence(held) => self.state.evidence.held_back = held,
            UiAction::RelabelDisc { from, to } => self.relabel_disc(from, to),
            UiAction::AddBox(rect) => self.add_box(rect),
            UiAction::ChangeBox { index, rect } => self.change_box(index, rect),
            UiAction::SelectBox(index) => self.select_box(index),
            UiAction::DeleteBox => self.delete_box(),
            UiAction::Undo => self.undo(),
            UiAction::Redo => self.redo(),
            UiAction::CancelJob => self.cancel_job(),
            UiAction::DismissBanner(index) => self.dismiss(index),
            UiAction::ToggleHelp => self.state.help_open = !self.state.help_open,
            // The rest changes the view of a series, and none is shown.
            _ => {}
        }
    }

    /// A message about something that did not work.
    pub(super) fn tell_error(&mut self, text: String) {
        self.tell(BannerKind::Error, text);
    }

    /// A message, unless the same one is there already.
    pub(super) fn tell(&mut self, kind: BannerKind, text: String) {
        const MOST: usize = 4;
        let banner = Banner { kind, text };
        if !self.state.banners.contains(&banner) {
            self.state.banners.push(banner);
        }
        if self.state.banners.len() > MOST {
            self.state.banners.remove(0);
        }
    }

    fn dismiss(&mut self, index: usize) {
        if index < self.state.banners.len() {
            self.state.banners.remove(index);
        }
    }

    /// Puts the pixels of the shown series on the GPU.
    pub(super) fn upload_series(&mut self) {
        self.state.image_texture = None;
        let (Some(renderer), Some(series)) = (&self.renderer, self.state.loaded()) else { return };
        match renderer.upload_series(&series.volume) {
            Ok(texture) => self.state.image_texture = Some(texture),
            Err(error) => self.tell_error(format!("The images cannot be shown: {error}.")),
        }
    }

    /// Puts the newest evidence map on the GPU.
    pub(super) fn upload_evidence(&mut self) {
        self.state.evidence.texture = None;
        let (Some(renderer), Some(map)) = (&self.renderer, &self.state.evidence.map) else { return };
        match renderer.upload_evidence(&map.values, &map.frame) {
            Ok(texture) => self.state.evidence.texture = Some(texture),
            Err(error) => self.tell_error(format!("The evidence cannot be shown: {error}.")),
        }
    }

    fn ask_for_folder(&mut self) {
        if self.dialog.is_some() {
            return;
        }
        let wake = Arc::clone(&self.wake);
        match FolderDialog::open(move || wake()) {
            Ok(dialog) => self.dialog = Some(dialog),
            Err(error) => self.tell_error(format!("The folder dialog could not be opened: {error}.")),
        }
    }
}
