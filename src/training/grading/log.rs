//! The log of a training: a table with one line an epoch.

use std::fs::OpenOptions;
use std::path::Path;

use super::GradingTrainingError;
use super::measure::MeasuredGrading;
use crate::spine::PerGrading;

/// Loss and balanced accuracy in percent of an epoch.
pub(super) struct Watched {
    pub(super) loss: f64,
    /// One for each of [`LogLine::measured`].
    pub(super) accuracies: Vec<Option<f64>>,
}

/// A line of the log.
pub(super) struct LogLine<'a> {
    pub(super) stage: &'static str,
    pub(super) epoch: usize,
    pub(super) steps: usize,
    pub(super) seconds: f64,
    /// On the discs learned from, as they were changed.
    pub(super) losses: &'a PerGrading<f64>,
    /// What accuracies are told of.
    pub(super) measured: &'a [MeasuredGrading],
    pub(super) learned: Watched,
    /// On the patients set aside.
    pub(super) watched: Option<Watched>,
}

impl LogLine<'_> {
    /// Appends the line, after a header if the file is new.
    pub(super) fn append_to(&self, path: &Path) -> Result<(), GradingTrainingError> {
        let failed = |source| GradingTrainingError::File { source, path: path.to_owned() };
        let fresh = !path.exists();
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        let mut table = csv::Writer::from_writer(file);
        if fresh {
            table.write_record(self.columns()).map_err(|error| failed(error.into()))?;
        }
        table.write_record(self.cells()).map_err(|error| failed(error.into()))?;
        table.flush().map_err(failed)
    }

    fn columns(&self) -> Vec<String> {
        let losses = self.losses.iter().map(|(grading, _)| grading.key().to_owned());
        let accuracies = |of: &'static str| self.measured.iter().map(move |grading| format!("{of}_{}", grading.key()));
        let first = ["stage", "epoch", "steps", "seconds", "loss"].map(str::to_owned).into_iter();
        let columns = first.chain(losses).chain(accuracies("accuracy"));
        columns.chain(["validation_loss".to_owned()]).chain(accuracies("validation")).collect()
    }

    fn cells(&self) -> Vec<String> {
        let Self { stage, epoch, steps, seconds, losses, measured, learned, watched } = self;
        let accuracies = |watched: Option<&Watched>| {
            let of = |place: usize| watched.and_then(|watched| watched.accuracies[place]);
            let cells = (0..measured.len()).map(|place| of(place).map_or_else(String::new, |p| format!("{p:.1}")));
            cells.collect::<Vec<_>>()
        };
        let mut cells = vec![(*stage).to_owned(), (epoch + 1).to_string(), steps.to_string(), format!("{seconds:.1}")];
        cells.push(format!("{:.4}", learned.loss));
        cells.extend(losses.iter().map(|(_, loss)| format!("{loss:.4}")));
        cells.extend(accuracies(Some(learned)));
        cells.push(watched.as_ref().map_or_else(String::new, |watched| format!("{:.4}", watched.loss)));
        cells.extend(accuracies(watched.as_ref()));
        cells
    }
}
