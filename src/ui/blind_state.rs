//! What a blind reading has of grades and lacks.

use super::state::{Selection, ViewerState};
use crate::records::BlindReading;
use crate::spine::{ClassIndex, Disc};

impl ViewerState {
    /// The present reader's blind reading of this series.
    #[must_use]
    pub fn own_reading(&self) -> Option<&BlindReading> {
        let reader = self.reader.trim();
        self.reading.findings.readings.iter().find(|reading| reading.reader == reader)
    }

    /// The present reader's blind class, once the reading is finished.
    #[must_use]
    pub fn finished_blind_class(&self, Selection { level, grading }: Selection) -> Option<ClassIndex> {
        self.own_reading().filter(|reading| reading.finished.is_some())?.class_of(level, grading)
    }

    /// Blind grades given, and how many there are to give.
    #[must_use]
    pub fn blind_progress(&self) -> (usize, usize) {
        let class = |level, grading| self.own_reading()?.class_of(level, grading);
        let levels = || self.reading.discs.iter().map(|disc| disc.level);
        let given = |level| self.columns().iter().filter(|grading| class(level, **grading).is_some()).count();
        (levels().map(given).sum(), levels().count() * self.columns().len())
    }

    /// The next blind grade that is missing behind `from`, disc by disc and round to the start.
    #[must_use]
    pub fn next_missing(&self, from: Option<Selection>) -> Option<Selection> {
        let row = |disc: &Disc| {
            let level = disc.level;
            self.columns().iter().map(move |grading| Selection { level, grading: *grading })
        };
        let mut cells: Vec<Selection> = self.reading.discs.iter().flat_map(row).collect();
        let behind = from.and_then(|from| cells.iter().position(|cell| *cell == from)).map_or(0, |at| at + 1);
        let behind = behind.min(cells.len());
        cells.rotate_left(behind);
        let is_missing = |cell: &Selection| self.own_reading()?.class_of(cell.level, cell.grading);
        cells.into_iter().find(|cell| is_missing(cell).is_none())
    }
}
