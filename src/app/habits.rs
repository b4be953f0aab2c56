//! What the program keeps of its user's habits: recent studies, name, theme; and the cine that runs by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui;

use super::{Command, DemoOptions, Event, Viewer, navigation, present};
use crate::language::Language;
use crate::ui::action::ProgramAction;
use crate::ui::keymap::{Keymap, KeysAction};
use crate::ui::language::{self, tr};
use crate::ui::state::{Approach, BannerKind, Page, SidePanel};
use crate::ui::theme;
use crate::worker::{Loadable, Work};

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Applies language, theme, keys and scale of the last run, once at the start.
    pub fn apply_settings(&self, ctx: &egui::Context) {
        language::install(self.language_of(&self.settings.language));
        theme::set_light(ctx, self.settings.light_theme);
        Keymap::from_texts(&self.settings.keys).install(ctx);
        if self.settings.ui_scale > 0.0 {
            ctx.set_zoom_factor(self.settings.ui_scale);
        }
    }

    /// The study that was open when the last run was cut off.
    #[must_use]
    pub fn interrupted_study(&self) -> Option<PathBuf> {
        self.settings.open_study.clone().filter(|folder| folder.exists())
    }

    /// Notes the study that is open, for the recent ones and for a restart after a crash.
    pub(super) fn remember_study(&mut self, folder: &Path) {
        self.settings.remember(folder);
        self.settings.open_study = Some(folder.to_owned());
        self.state.recent.clone_from(&self.settings.recent);
    }

    /// Notes that no study is open any more.
    pub(crate) fn forget_open_study(&mut self) {
        self.settings.open_study = None;
    }

    /// Saves the settings, once they were changed.
    pub(super) fn keep_settings(&mut self) {
        if self.settings != self.kept_settings {
            self.kept_settings.clone_from(&self.settings);
            self.store.save_settings(self.settings.clone());
        }
    }

    /// Notes the size of the window's texts for the next run, once it was changed.
    pub(super) fn keep_scale(&mut self, ctx: &egui::Context) {
        let scale = ctx.zoom_factor();
        let kept = if self.settings.ui_scale > 0.0 { self.settings.ui_scale } else { 1.0 };
        if (scale - kept).abs() > 1e-3 {
            self.settings.ui_scale = scale;
        }
    }

    /// Does what was asked of the window itself.
    pub(super) fn apply_program(&mut self, ctx: &egui::Context, action: ProgramAction) {
        match action {
            ProgramAction::Copy(text) => ctx.copy_text(text),
            ProgramAction::CopyReport => match self.report_text() {
                Some(text) => {
                    ctx.copy_text(text);
                    self.tell(BannerKind::Done, tr!("The report is on the clipboard.").to_owned());
                }
                None => self.tell_error(tr!("There is nothing to report yet: no disc was found.").to_owned()),
            },
            ProgramAction::EditPalette(text) => self.state.palette = text,
            ProgramAction::ToggleTheme => self.toggle_theme(ctx),
            ProgramAction::SetLanguage(code) => self.set_language(code),
            ProgramAction::ToggleRightDrag => self.toggle_right_drag(),
            ProgramAction::ToggleDiscZoom => self.toggle_disc_zoom(),
            ProgramAction::KeepWindow(name) => self.keep_window(name),
            ProgramAction::OwnWindow(index) => self.show_own_window(ctx, index),
            ProgramAction::ForgetWindow(index) => self.forget_window(index),
            ProgramAction::TogglePanel(panel) => self.toggle_panel(ctx, panel),
            ProgramAction::ResizePanel(panel, width) => {
                self.state.panel_widths.insert(panel, width);
            }
            ProgramAction::ToggleFullScreen => {
                let fills = ctx.input(|input| input.viewport().fullscreen.unwrap_or_default());
                ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(!fills));
            }
            ProgramAction::CancelJob => self.cancel_job(),
            ProgramAction::DismissBanner(index) => {
                if index < self.state.banners.len() {
                    self.state.banners.remove(index);
                }
            }
            ProgramAction::Tour(step) => self.show_tour(step),
            ProgramAction::NamePatient(is_named) => self.name_patient(is_named),
            ProgramAction::TogglePage(page) => self.toggle_page(page),
            ProgramAction::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
    }

    /// Opens a page, or closes it where it is open.
    fn toggle_page(&mut self, page: Page) {
        self.state.awaiting_keys = None;
        if self.state.page == Some(page) {
            self.state.page = None;
            return;
        }
        match page {
            Page::Report if self.state.evidence.blind => self.tell_report_is_hidden(),
            Page::Agreement => self.show_agreement(),
            Page::Help | Page::Report | Page::About => self.state.page = Some(page),
        }
    }

    /// A step of the guided first minute, on the demo where nothing is open; it comes by itself but once.
    pub(super) fn show_tour(&mut self, step: Option<usize>) {
        self.state.tour = step;
        if step.is_some() && matches!(self.state.study.folder, Loadable::Idle) {
            self.open_demo(DemoOptions::default());
            self.state.tour = step;
        }
        self.settings.tour_was_shown = true;
    }

    /// Begins the guided first minute, unless it was shown before.
    pub(super) fn offer_tour(&mut self) {
        if !self.settings.tour_was_shown {
            self.show_tour(Some(0));
        }
    }

    pub(super) fn clear_recent(&mut self) {
        self.settings.recent.clear();
        self.state.recent.clear();
    }

    pub(super) fn set_reader(&mut self, reader: String) {
        self.settings.reader.clone_from(&reader);
        self.state.reader = reader;
        self.go_on_reading_blind();
    }

    fn name_patient(&mut self, is_named: bool) {
        (self.settings.pdf_names_patient, self.state.pdf_names_patient) = (is_named, is_named);
    }

    fn toggle_theme(&mut self, ctx: &egui::Context) {
        self.settings.light_theme = !self.settings.light_theme;
        self.state.light_theme = self.settings.light_theme;
        theme::set_light(ctx, self.settings.light_theme);
    }

    /// Shows all texts in the language of this code, also those of the open study, and keeps it for the next run.
    fn set_language(&mut self, code: String) {
        language::install(self.language_of(&code));
        self.settings.language = code;
        self.list_series();
        if let Some(scan) = &self.study.scan {
            self.state.study.folder_warnings = present::folder_warnings(scan);
        }
        let beside = self.state.companions.iter_mut().map(|beside| &mut beside.image);
        for image in beside.chain([&mut self.state.reading.image]) {
            if let Loadable::Ready(loaded) = image {
                *loaded = Arc::new(present::told_again(loaded));
            }
        }
    }

    /// The language of a code; English where there is no such table.
    fn language_of(&self, code: &str) -> Language {
        let found = self.state.languages.iter().copied().find(|language| language.code() == code);
        found.unwrap_or(Language::ENGLISH)
    }

    /// Finds the languages to choose from, once at the start. The first frame tells which tables cannot be used, or not
    /// wholly, because a study that is opened before takes all messages away.
    pub(super) fn find_languages(&mut self) {
        let found = self.store.load_languages();
        for (file, error) in found.broken {
            tracing::warn!(%error, "a table of texts cannot be used");
            self.startup_warnings.push(tr!("The language file {file} cannot be used.", file = file));
        }
        for language in found.tables.iter().filter(|table| !table.refused().is_empty()) {
            self.startup_warnings.push(tr!(
                "Some texts of {language} stay English ({count}): their places in braces are not those of the English text.",
                language = language.name(),
                count = language.refused().len()
            ));
        }
        // A user's table stands for the program's own of the same language.
        self.state.languages = Language::shipped();
        self.state.languages.retain(|shipped| found.tables.iter().all(|own| own.code() != shipped.code()));
        self.state.languages.extend(found.tables.into_iter().map(|table| Language::of(table.keep())));
    }

    /// Finds the user's own template of reports, once at the start; one that cannot be used is told of.
    pub(super) fn find_template(&mut self) {
        match self.store.load_template() {
            None => {}
            Some(Ok(template)) => self.template = template,
            Some(Err(error)) => self.startup_warnings.push(tr!(
                "Your report template cannot be used, so reports are as the program has them. {reason}",
                reason = error
            )),
        }
    }

    fn toggle_right_drag(&mut self) {
        self.settings.right_drag_windows = !self.settings.right_drag_windows;
        self.state.right_drag_windows = self.settings.right_drag_windows;
    }

    fn toggle_panel(&mut self, ctx: &egui::Context, panel: SidePanel) {
        let is_shown = panel.is_shown(&self.settings.panels, ctx.content_rect().width());
        self.settings.panels.insert(panel, !is_shown);
        self.state.panels.clone_from(&self.settings.panels);
    }

    fn toggle_disc_zoom(&mut self) {
        self.settings.approach = match self.settings.approach {
            Approach::Zoom => Approach::Stay,
            Approach::Stay => Approach::Zoom,
        };
        self.state.approach = self.settings.approach;
    }

    /// Changes keys, and keeps them for the next run.
    pub(super) fn change_keys(&mut self, ctx: &egui::Context, action: KeysAction) {
        let mut keymap = Keymap::of(ctx).as_ref().clone();
        self.state.awaiting_keys = None;
        let loser = match action {
            KeysAction::Await(command) => {
                self.state.awaiting_keys = command;
                return;
            }
            KeysAction::Set(command, shortcut) => keymap.set(command, shortcut),
            KeysAction::Reset(command) => keymap.reset(command),
            KeysAction::ResetAll => {
                keymap = Keymap::default();
                None
            }
        };
        keymap.install(ctx);
        if let Some(loser) = loser {
            let left = loser.keys_text(ctx);
            let text = if left.is_empty() {
                tr!("“{command}” has no key now.", command = loser.label())
            } else {
                tr!("“{command}” is on {keys} now.", command = loser.label(), keys = left)
            };
            self.tell(BannerKind::Warning, text);
        }
        self.settings.keys = keymap.to_texts();
    }

    /// Shows the next slice when its time has come, and asks to be called again.
    pub(super) fn run_cine(&mut self, ctx: &egui::Context) {
        let now = ctx.input(|input| input.time);
        if let Some(wait) = navigation::step_cine(&mut self.state, now) {
            ctx.request_repaint_after_secs(wait as f32);
        }
    }
}
