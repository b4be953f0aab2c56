//! What the program keeps of its user's habits: recent studies, name, theme; and the cine that runs by itself.

use std::path::{Path, PathBuf};

use eframe::egui;

use super::{Command, Event, Viewer, navigation};
use crate::language::Language;
use crate::ui::action::ProgramAction;
use crate::ui::keymap::{Keymap, KeysAction};
use crate::ui::language::{self, tr};
use crate::ui::state::{Approach, BannerKind, SidePanel};
use crate::ui::theme;
use crate::worker::Work;

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
        self.store.save_settings(self.settings.clone());
    }

    /// Notes that no study is open any more.
    pub fn forget_open_study(&mut self) {
        if self.settings.open_study.take().is_some() {
            self.store.save_settings(self.settings.clone());
        }
    }

    /// Keeps the size of the window's texts for the next run, once it was changed.
    pub(super) fn keep_scale(&mut self, ctx: &egui::Context) {
        let scale = ctx.zoom_factor();
        let kept = if self.settings.ui_scale > 0.0 { self.settings.ui_scale } else { 1.0 };
        if (scale - kept).abs() > 1e-3 {
            self.settings.ui_scale = scale;
            self.store.save_settings(self.settings.clone());
        }
    }

    /// Does what was asked of the window itself.
    pub(super) fn apply_program(&mut self, ctx: &egui::Context, action: ProgramAction) {
        match action {
            ProgramAction::Copy(text) => ctx.copy_text(text),
            ProgramAction::EditPalette(text) => self.state.palette = text,
            ProgramAction::ToggleTheme => self.toggle_theme(ctx),
            ProgramAction::SetLanguage(code) => self.set_language(code),
            ProgramAction::ToggleRightDrag => self.toggle_right_drag(),
            ProgramAction::ToggleDiscZoom => self.toggle_disc_zoom(),
            ProgramAction::TogglePanel(panel) => self.toggle_panel(ctx, panel),
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
            ProgramAction::NamePatient(is_named) => self.name_patient(is_named),
            ProgramAction::TogglePage(page) => {
                self.state.page = Some(page).filter(|page| self.state.page != Some(*page));
                self.state.awaiting_keys = None;
            }
            ProgramAction::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
    }

    pub(super) fn clear_recent(&mut self) {
        self.settings.recent.clear();
        self.state.recent.clear();
        self.store.save_settings(self.settings.clone());
    }

    pub(super) fn set_reader(&mut self, reader: String) {
        self.settings.reader.clone_from(&reader);
        self.state.reader = reader;
        self.store.save_settings(self.settings.clone());
    }

    fn name_patient(&mut self, is_named: bool) {
        (self.settings.pdf_names_patient, self.state.pdf_names_patient) = (is_named, is_named);
        self.store.save_settings(self.settings.clone());
    }

    fn toggle_theme(&mut self, ctx: &egui::Context) {
        self.settings.light_theme = !self.settings.light_theme;
        self.state.light_theme = self.settings.light_theme;
        theme::set_light(ctx, self.settings.light_theme);
        self.store.save_settings(self.settings.clone());
    }

    /// Shows all texts in the language of this code, and keeps it for the next run. Texts that a study was opened with
    /// stay as they are until it is opened again.
    fn set_language(&mut self, code: String) {
        language::install(self.language_of(&code));
        self.settings.language = code;
        self.store.save_settings(self.settings.clone());
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

    fn toggle_right_drag(&mut self) {
        self.settings.right_drag_windows = !self.settings.right_drag_windows;
        self.state.right_drag_windows = self.settings.right_drag_windows;
        self.store.save_settings(self.settings.clone());
    }

    fn toggle_panel(&mut self, ctx: &egui::Context, panel: SidePanel) {
        let is_shown = panel.is_shown(&self.settings.panels, ctx.content_rect().width());
        self.settings.panels.insert(panel, !is_shown);
        self.state.panels.clone_from(&self.settings.panels);
        self.store.save_settings(self.settings.clone());
    }

    fn toggle_disc_zoom(&mut self) {
        self.settings.approach = match self.settings.approach {
            Approach::Zoom => Approach::Stay,
            Approach::Stay => Approach::Zoom,
        };
        self.state.approach = self.settings.approach;
        self.store.save_settings(self.settings.clone());
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
        self.store.save_settings(self.settings.clone());
    }

    /// Shows the next slice when its time has come, and asks to be called again.
    pub(super) fn run_cine(&mut self, ctx: &egui::Context) {
        let now = ctx.input(|input| input.time);
        if let Some(wait) = navigation::step_cine(&mut self.state, now) {
            ctx.request_repaint_after_secs(wait as f32);
        }
    }
}
