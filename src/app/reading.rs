//! What the reader asks of grades, comments, measurements and the signature.

use super::{Command, Event, Viewer, review};
use crate::spine::{Measurement, MeasurementKind};
use crate::ui::action::{MeasureAction, ReadAction};
use crate::ui::state::Approach;
use crate::worker::Work;

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Selects and changes grades, comments and the signature.
    pub(super) fn apply_read(&mut self, action: ReadAction) {
        match action {
            ReadAction::Grade => {
                self.state.reading.grades_anyway = true;
                self.detect();
            }
            ReadAction::SelectDisc(level) => self.select_disc(level, self.state.approach),
            ReadAction::PointAtDisc(level) => self.select_disc(level, Approach::Stay),
            ReadAction::Select(selection) => self.explain(selection),
            ReadAction::MoveSelection { discs, gradings } => {
                if let Some(selection) = review::moved_selection(&self.state, discs, gradings) {
                    self.explain(selection);
                }
            }
            ReadAction::SetGrade { selection, class } => self.set_grade(selection, class),
            ReadAction::StepGrade(steps) => self.step_grade(steps),
            ReadAction::ResetGrade => {
                if let Some(selection) = self.state.reading.selection {
                    self.set_grade(selection, None);
                }
            }
            ReadAction::SetComment { level, text } => self.set_comment(level, &text),
            ReadAction::SetNarrative(narrative) => self.set_narrative(narrative),
            ReadAction::SetReader(reader) => self.set_reader(reader),
            ReadAction::SignOff => self.sign_off(),
            ReadAction::WithdrawSignOff => self.withdraw_sign_off(),
            ReadAction::DeleteSelected => self.delete_selected(),
            ReadAction::Undo => self.undo(),
            ReadAction::Redo => self.redo(),
        }
    }

    /// Adds, moves and selects measurements.
    pub(super) fn apply_measure(&mut self, action: MeasureAction) {
        match action {
            MeasureAction::Add(measurement) => self.add_measurement(measurement),
            MeasureAction::Change { index, measurement } => self.change_measurement(index, measurement),
            MeasureAction::Select(index) => self.select_measurement(index),
            MeasureAction::Show(index) => self.show_measurement(index),
            MeasureAction::Delete(index) => self.delete_measurement(index),
            MeasureAction::OfDisc(kind) => self.measure_disc(|disc, slice| match kind {
                MeasurementKind::Slip => Measurement::slip_of(disc, slice),
                MeasurementKind::DiscHeight => Measurement::height_of(disc, slice),
                // These need a hand that places their points.
                MeasurementKind::Length
                | MeasurementKind::Angle
                | MeasurementKind::Cobb
                | MeasurementKind::CanalWidth => None,
            }),
        }
    }
}
