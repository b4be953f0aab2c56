//! The viewer: the state on screen, the worker behind it, and the actions that change it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eframe::egui;

use super::companion::CompanionJobs;
use super::dialog::{DialogOutcome, PathDialog};
use super::listing::ListingHandle;
use super::looks::Looks;
use super::pictures::AwaitedPicture;
use super::reader_store::{ReaderStore, StoreEvent};
use super::settings::Settings;
use super::study::{OpenedSeries, OpenedStudy};
use super::thumbnails::{ThumbnailEvent, ThumbnailHandle, ThumbnailRequest, Thumbnails};
use super::{Command, Event, navigation};
use crate::causes::with_causes;
use crate::dicom::SeriesSummary;
use crate::export::ReportTemplate;
use crate::pipeline::ModelsInfo;
use crate::render::{EvidenceHandle, SeriesHandle, SeriesUpload, SliceRenderer};
use crate::saliency::SaliencyMap;
use crate::ui::action::{Actions, FileAction, UiAction, ViewAction};
use crate::ui::archive::ArchiveAction;
use crate::ui::language::tr;
use crate::ui::state::{Banner, BannerKind, EvidenceState, PathPurpose, ViewerState};
use crate::ui::viewer_ui;
use crate::volume::Volume;
use crate::worker::{Handle, JobId, JobKind, NetworkHandle, Work};

/// Time that a frame spends on putting slices on the GPU.
const UPLOAD_TIME: Duration = Duration::from_millis(1);

/// Everything that lives as long as the window. Generic over the work, so that tests can answer for the networks.
pub struct Viewer<W: Work<Command = Command, Event = Event>> {
    /// What is on screen.
    pub state: ViewerState,
    pub(super) worker: Handle<W>,
    pub(super) store: ReaderStore,
    /// A change is not on the disk; it is tried again.
    is_unsaved: bool,
    /// Closing the window was refused once; the next time is meant.
    was_held_open: bool,
    pub(super) settings: Settings,
    /// The settings that were saved last.
    pub(super) kept_settings: Settings,
    /// How the window looks since the last frame, if that is not kept yet.
    pub(super) new_looks: Option<Looks>,
    pub(super) study: OpenedStudy,
    pub(super) reading: OpenedSeries,
    /// Unfinished jobs of the worker whose results are waited for.
    pub(super) jobs: BTreeMap<JobId, JobKind>,
    pub(super) companion_jobs: CompanionJobs,
    /// Which networks were used.
    pub(super) models: Option<ModelsInfo>,
    /// The job that reported progress last.
    pub(super) reporting_job: Option<JobId>,
    pub(super) renderer: Option<SliceRenderer>,
    /// Series on their way to the GPU.
    uploads: Vec<SeriesUpload>,
    /// Talks with archives; started with the first thing that is asked of one.
    pub(super) network: Option<NetworkHandle>,
    /// The job there whose end is waited for.
    pub(super) network_job: Option<JobId>,
    /// A picture that the next frame will give.
    pub(super) awaited_picture: Option<AwaitedPicture>,
    /// Warnings of the start, for the first frame.
    pub(super) startup_warnings: Vec<String>,
    /// What reports say and in which order: the user's own, or that of the program.
    pub(super) template: ReportTemplate,
    dialog: Option<PathDialog>,
    /// This system has none: the path field is opened at once, so that what is typed then is its text.
    dialogs_are_missing: bool,
    /// Lists folders while a path is typed, with the folder asked for last.
    pub(super) listing: Option<(ListingHandle, PathBuf)>,
    /// Makes the small pictures; `None` where the system gave no thread for it.
    thumbnails: Option<ThumbnailHandle>,
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// A viewer with nothing open. Without a renderer everything works but the pixels stay black.
    /// `wake` makes the window run again after something happened on another thread.
    #[must_use]
    pub fn new(
        worker: Handle<W>,
        store: ReaderStore,
        renderer: Option<SliceRenderer>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        let settings = store.load_settings();
        let reader = if settings.reader.is_empty() { user_name() } else { settings.reader.clone() };
        let mut state = ViewerState {
            reader,
            recent: settings.recent.clone(),
            light_theme: settings.light_theme,
            right_drag_windows: settings.right_drag_windows,
            approach: settings.approach,
            windows: settings.windows.clone(),
            panels: settings.panels.clone(),
            pdf_names_patient: settings.pdf_names_patient,
            data_folder: store.folder().map(Path::to_owned),
            evidence: EvidenceState { blind: settings.reads_blind, ..EvidenceState::default() },
            ..ViewerState::default()
        };
        settings.looks.apply(&mut state);
        let mut viewer = Self {
            state,
            worker,
            store,
            is_unsaved: false,
            was_held_open: false,
            kept_settings: settings.clone(),
            settings,
            new_looks: None,
            study: OpenedStudy::default(),
            reading: OpenedSeries::default(),
            jobs: BTreeMap::new(),
            companion_jobs: CompanionJobs::default(),
            models: None,
            reporting_job: None,
            renderer,
            uploads: Vec::new(),
            network: None,
            network_job: None,
            awaited_picture: None,
            startup_warnings: Vec::new(),
            template: ReportTemplate::default(),
            dialog: None,
            dialogs_are_missing: false,
            listing: None,
            thumbnails: {
                let wake = Arc::clone(&wake);
                Handle::start("thumbnails", Thumbnails, move || wake()).ok()
            },
            wake,
        };
        viewer.find_languages();
        viewer.find_template();
        viewer
    }

    /// Asks for paths in the window and never by a dialog of the system, as where there is none.
    pub fn ask_in_window(&mut self) {
        self.dialogs_are_missing = true;
    }

    /// Takes in what happened on other threads and what was dropped on the window; draws nothing.
    pub fn logic(&mut self, ctx: &egui::Context) {
        while let Some(event) = self.worker.poll() {
            self.receive(event);
        }
        for text in std::mem::take(&mut self.startup_warnings) {
            self.tell(BannerKind::Warning, text);
        }
        while let Some(event) = self.store.poll() {
            match event {
                StoreEvent::Work(key, work) => self.work_read(&key, work),
                StoreEvent::NotSaved(error) => {
                    self.is_unsaved = true;
                    self.tell_error(tr!("Your last change was not saved. {reason}", reason = with_causes(&error)));
                }
                StoreEvent::SavedAfterAll => {
                    self.is_unsaved = false;
                    self.tell(BannerKind::Done, tr!("What could not be saved before is saved now.").to_owned());
                }
                StoreEvent::Joined { ours, joined } => self.work_joined(&ours, joined),
            }
        }
        if let Some((wanted, outcome)) =
            self.dialog.as_ref().and_then(|dialog| Some((dialog.wanted, dialog.outcome()?)))
        {
            self.dialog = None;
            self.dialog_closed(ctx, wanted, outcome);
        }
        self.hold_close(ctx);
        self.follow_path_field();
        self.keep_scale(ctx);
        self.keep_looks(ctx);
        self.take_thumbnails(ctx);
        self.take_network();
        self.take_reading();
        self.take_picture(ctx);
        self.run_cine(ctx);
        self.follow_crosshair();
        self.follow_disc();
        self.follow_companions();
        self.follow_layout();
        self.grow_curve(ctx);
        self.advance_uploads(ctx);
        let dropped = ctx.input(|input| input.raw.dropped_files.first().map(|file| file.path().to_owned()));
        if let Some(path) = dropped {
            self.open_folder(path);
        }
        self.keep_settings();
    }

    /// Closing the window would lose what is not on the disk: the first time it stays and says so.
    fn hold_close(&mut self, ctx: &egui::Context) {
        let is_writing = self.jobs.values().any(|kind| *kind == JobKind::Export);
        let is_asked = ctx.input(|input| input.viewport().close_requested());
        if !is_asked || !(self.is_unsaved || is_writing) || std::mem::replace(&mut self.was_held_open, true) {
            return;
        }
        ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
        let text = if self.is_unsaved {
            tr!(
                "Changes are not saved yet, so the window stays open. See that the folder of your work can be written to, or \
                 close again to lose them."
            )
        } else {
            tr!("Files are still being written, so the window stays open. Close again to stop that.")
        };
        self.tell(BannerKind::Warning, text.to_owned());
    }

    /// Draws the window and then does what was asked for in it.
    pub fn ui(&mut self, ui: &mut egui::Ui) {
        let mut actions = Actions::default();
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
    pub fn apply(&mut self, ctx: &egui::Context, action: impl Into<UiAction>) {
        match action.into() {
            // The first Escape closes the page that lies on top.
            UiAction::View(ViewAction::Escape) if self.close_page() => {}
            UiAction::File(action) => self.apply_file(ctx, action),
            UiAction::Active(action) => self.apply_active(ctx, action),
            UiAction::View(action) => navigation::apply(&mut self.state, ctx, action),
            UiAction::Read(action) => self.apply_read(action),
            UiAction::Vertebra(action) => self.apply_vertebra(action),
            UiAction::Measure(action) => self.apply_measure(action),
            UiAction::KeyImage(action) => self.apply_key_image(action),
            UiAction::Box(action) => self.apply_box(action),
            UiAction::Evidence(action) => self.apply_evidence(action),
            UiAction::Blind(action) => self.apply_blind(action),
            UiAction::Companion(action) => self.companion(action),
            UiAction::Archive(action) => self.archive(action),
            UiAction::Keys(action) => self.change_keys(ctx, action),
            UiAction::Program(action) => self.apply_program(ctx, action),
        }
        self.keep_settings();
    }

    /// Closes the page that lies on top, or a message; says whether there was one.
    fn close_page(&mut self) -> bool {
        let state = &mut self.state;
        if state.palette.take().is_some() || state.path_entry.take().is_some() {
            return true;
        }
        if state.page.take().is_some() {
            return true;
        }
        if state.archive.page.is_some() {
            self.archive(ArchiveAction::Close);
            return true;
        }
        state.banners.pop().is_some()
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

    /// Begins to put a series on the GPU, from `first` on: the slices follow in the next frames.
    pub(super) fn upload_series(&mut self, volume: &Arc<Volume>, first: usize) -> Option<SeriesHandle> {
        match self.renderer.as_ref()?.begin_upload(Arc::clone(volume), first) {
            Ok(upload) => {
                let handle = upload.handle();
                self.uploads.push(upload);
                Some(handle)
            }
            Err(error) => {
                self.tell_error(tr!("The images cannot be shown: {reason}.", reason = error));
                None
            }
        }
    }

    /// Puts a few more slices on the GPU.
    fn advance_uploads(&mut self, ctx: &egui::Context) {
        let Some(upload) = self.uploads.first_mut() else { return };
        if upload.advance(UPLOAD_TIME) {
            self.uploads.remove(0);
        }
        ctx.request_repaint();
    }

    /// Puts an evidence map on the GPU.
    pub(super) fn upload_evidence(&mut self, map: &SaliencyMap) -> Option<EvidenceHandle> {
        match self.renderer.as_ref()?.upload_evidence(&map.values, &map.frame) {
            Ok(texture) => Some(texture),
            Err(error) => {
                self.tell_error(tr!("The evidence cannot be shown: {reason}.", reason = error));
                None
            }
        }
    }

    /// Asks for small pictures of all series, and for a larger one of the series that will be read where none is shown.
    pub(super) fn request_thumbnails(&mut self, series: &[SeriesSummary]) {
        self.state.study.thumbnails.clear();
        let is_awaited = self.state.loaded().is_none();
        let preview = series.iter().find(|series| is_awaited && series.choice.is_chosen).cloned().map(Arc::new);
        let series = series.iter().cloned().map(Arc::new).collect();
        if let Some(thumbnails) = &mut self.thumbnails {
            // Too many waiting means that the folder was left already.
            let _ = thumbnails.submit(ThumbnailRequest { series, preview });
        }
    }

    fn take_thumbnails(&mut self, ctx: &egui::Context) {
        let Some(thumbnails) = &mut self.thumbnails else { return };
        while let Some(event) = thumbnails.poll() {
            if !thumbnails.is_latest(event.job) {
                continue;
            }
            let texture = |image| ctx.load_texture("series", image, egui::TextureOptions::LINEAR);
            match event.event {
                ThumbnailEvent::Made(index, image) => {
                    self.state.study.thumbnails.insert(index, texture(image));
                }
                ThumbnailEvent::Preview(image) if self.state.reading.image.ready().is_none() => {
                    self.state.study.preview = Some(texture(image));
                }
                ThumbnailEvent::Preview(_) | ThumbnailEvent::Ended => {}
            }
        }
    }

    /// Opens a dialog, unless one is open.
    pub(super) fn open_dialog(&mut self, wanted: PathPurpose) {
        if self.dialog.is_some() {
            return;
        }
        if self.dialogs_are_missing {
            return self.open_path_field(wanted);
        }
        let wake = Arc::clone(&self.wake);
        match PathDialog::open(wanted, move || wake()) {
            Ok(dialog) => self.dialog = Some(dialog),
            Err(error) => self.tell_error(tr!("The dialog could not be opened: {reason}.", reason = error)),
        }
    }

    fn dialog_closed(&mut self, ctx: &egui::Context, wanted: PathPurpose, outcome: DialogOutcome) {
        match outcome {
            DialogOutcome::Chosen(path) => self.apply(ctx, FileAction::Chosen(wanted, path)),
            DialogOutcome::Nothing { is_missing: true } => {
                self.dialogs_are_missing = true;
                self.open_path_field(wanted);
            }
            DialogOutcome::Nothing { is_missing: false } => {}
        }
    }
}

/// Name of the user who is logged in, to sign with until another one is entered.
fn user_name() -> String {
    std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_default()
}
