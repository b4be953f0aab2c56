//! What the menu of files and the dialogs ask for: opening, saving, closing.

use std::path::PathBuf;

use eframe::egui;

use super::pictures::PictureTarget;
use super::{Command, DemoOptions, Event, Viewer};
use crate::ui::action::FileAction;
use crate::ui::state::PathPurpose;
use crate::worker::Work;

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Opens, saves and closes.
    pub(super) fn apply_file(&mut self, ctx: &egui::Context, action: FileAction) {
        match action {
            FileAction::Ask(purpose) => self.ask_for_path(purpose),
            FileAction::Chosen(purpose, path) => self.use_path(ctx, purpose, path),
            FileAction::EditPath(entry) => self.state.path_entry = entry,
            FileAction::OpenDemo => {
                self.open_demo(DemoOptions::default());
                self.offer_tour();
            }
            FileAction::ShowSeries(index) => self.show_series(index),
            FileAction::GradeInstead(index) => self.grade_instead(index),
            FileAction::StepSeries(step) => self.step_series(step),
            FileAction::CopyImage => self.picture(ctx, PictureTarget::Clipboard),
            FileAction::ClearRecent => self.clear_recent(),
            FileAction::Close => self.close_study(),
        }
    }

    /// Asks for a path, where there is something to do with it.
    fn ask_for_path(&mut self, purpose: PathPurpose) {
        match purpose {
            PathPurpose::OpenStudy | PathPurpose::AddStudy | PathPurpose::OpenFile | PathPurpose::LoadBoxes => {
                self.open_dialog(purpose);
            }
            PathPurpose::SaveBoxes => self.ask_for_boxes_file(),
            PathPurpose::SaveReport => self.ask_for_report_file(),
            PathPurpose::SaveFigures => self.ask_for_figure_folder(),
            PathPurpose::SaveImage => self.ask_for_image_file(),
            PathPurpose::SaveAgreement => self.ask_for_agreement_folder(),
            PathPurpose::SaveCopy => self.ask_for_copy_folder(),
        }
    }

    /// Does what the path was asked for.
    fn use_path(&mut self, ctx: &egui::Context, purpose: PathPurpose, path: PathBuf) {
        self.state.path_entry = None;
        match purpose {
            PathPurpose::OpenStudy | PathPurpose::OpenFile => self.open_folder(path),
            PathPurpose::AddStudy => self.add_study(path),
            PathPurpose::SaveReport => self.save_report(path),
            PathPurpose::SaveFigures => self.save_figures(path),
            PathPurpose::SaveImage => self.picture(ctx, PictureTarget::File(path)),
            PathPurpose::SaveBoxes => self.save_boxes_as(path),
            PathPurpose::LoadBoxes => self.load_boxes(path),
            PathPurpose::SaveAgreement => self.save_agreement(path),
            PathPurpose::SaveCopy => self.save_anonymized_copy(path),
        }
    }
}
