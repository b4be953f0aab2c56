//! The search for the series to grade: headers say which to try first, and the image of each whether it is the one.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Command, Event, Viewer};
use crate::detection::Detection;
use crate::dicom::FolderScan;
use crate::pipeline::{ImageJudgement, passed_over};
use crate::ui::language::tr;
use crate::ui::state::BannerKind;
use crate::worker::{JobId, Work};

/// Series that may be the one to grade, by their places in the list.
pub(super) struct Search {
    /// The one that was tried first.
    pub(super) first: usize,
    /// Those still to be tried.
    left: VecDeque<usize>,
    /// What was told of those that were tried.
    passed_over: Vec<String>,
}

impl Search {
    /// `None` if there is nothing to try.
    pub(super) fn new(scan: &FolderScan) -> Option<Self> {
        let mut left: VecDeque<usize> = scan.candidates().into();
        Some(Self { first: left.pop_front()?, left, passed_over: Vec::new() })
    }
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// The reader chose a series: whatever it shows, no other is looked for.
    pub(super) fn choose_series(&mut self, index: usize) {
        self.study.search = None;
        self.load_series(index);
    }

    /// Takes in the vertebrae. An image that must not be graded is not, and where the program chose it, it tries the next one.
    pub(super) fn detected(&mut self, job: JobId, detection: &Detection) {
        let reading = &mut self.state.reading;
        if !reading.detection.resolve(job, Arc::new(())) {
            return;
        }
        reading.findings.vertebrae.clone_from(&detection.vertebrae);
        reading.level_doubts = detection.doubts();
        let told = self.study.search.as_ref().map_or_else(Vec::new, |search| search.passed_over.clone());
        let fitness = detection.fitness();
        reading.judgement = Some(ImageJudgement { fitness, passed_over: told.clone() });
        if let Err(unfit) = fitness
            && self.try_next(&unfit.to_string())
        {
            return;
        }
        self.study.search = None;
        self.vertebrae_found();
        if let Some(unfit) = self.state.unfit() {
            let words = tr!("Not graded: {reason}. “Grade this series” grades it all the same.", reason = unfit);
            self.tell(BannerKind::Warning, words);
        } else if !told.is_empty() {
            self.tell(BannerKind::Warning, tr!("Another series is graded: {reason}.", reason = told.join("; ")));
        }
    }

    /// Loads the next series of the search, because the one shown must not be graded for a reason; at the end of the search the
    /// first one again. `false` if what is shown stays.
    pub(super) fn try_next(&mut self, reason: &str) -> bool {
        let (Some(search), Some(shown)) = (&mut self.study.search, self.reading.index) else { return false };
        let Some(scan) = &self.study.scan else { return false };
        search.passed_over.push(passed_over(&scan.series[shown], reason));
        if let Some(next) = search.left.pop_front() {
            self.load_series(next);
            return true;
        }
        let first = search.first;
        let has_t2 = scan.series[first].choice.is_chosen;
        self.study.search = None;
        if !has_t2 {
            self.tell_no_t2();
        }
        if first != shown {
            self.load_series(first);
        }
        first != shown
    }
}
