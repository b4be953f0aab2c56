//! Another examination that stands beside the one that is read: its grades, and what changed.

use std::sync::Arc;

use super::reader_store::{SavedWork, SeenImages, StoreError};
use super::{Command, Event, Viewer};
use crate::dicom::Series;
use crate::model::Views;
use crate::pipeline::{GradeOutcome, OpenSeries};
use crate::records::{Prior, Review, ReviewFile};
use crate::spine::{Disc, Vertebra, discs_between};
use crate::worker::{JobId, Work};

/// The other examination while its discs are graded.
pub(super) struct PriorReading {
    pub(super) job: JobId,
    series: Arc<Series>,
    days_before: Option<i64>,
    vertebrae: Vec<Vertebra>,
    discs: Vec<Disc>,
    review: Review,
    outcomes: Vec<GradeOutcome>,
}

/// The other examination before what its reader decided about it is read.
pub(super) struct FoundPrior {
    series: Arc<Series>,
    days_before: Option<i64>,
    vertebrae: Vec<Vertebra>,
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Has the examination in a view beside graded, if it is the same patient's: with the bodies that its reader corrected, else with
    /// those that were `found`.
    pub(super) fn grade_prior(&mut self, view: usize, found: &[Vertebra]) {
        (self.companion_jobs.prior, self.companion_jobs.found_prior) = (None, None);
        let (Some(read), Some(shown)) = (self.state.loaded(), self.state.companions[view].image.ready()) else {
            return;
        };
        if !read.series.summary.is_of_patient(&shown.series.summary) {
            return;
        }
        let series = Arc::clone(&shown.series);
        let key = SeenImages::of(&series);
        if let Err(message) = self.store.request_work(key) {
            return self.tell_error(message.to_owned());
        }
        let days_before = self.state.days_before(&self.state.companions[view]);
        self.companion_jobs.found_prior = Some(FoundPrior { series, days_before, vertebrae: found.to_vec() });
    }

    /// What its reader decided about the examination beside is known.
    pub(super) fn prior_work_read(&mut self, key: &SeenImages, work: Result<Box<SavedWork>, StoreError>) {
        let awaited = &mut self.companion_jobs.found_prior;
        let Some(FoundPrior { series, days_before, vertebrae: found }) =
            awaited.take_if(|found| SeenImages::of(&found.series) == *key)
        else {
            return;
        };
        // Work that cannot be read is told of when that examination is read itself.
        let saved = work.ok().and_then(|saved| saved.review);
        let corrected = saved.as_ref().and_then(ReviewFile::corrected_vertebrae);
        let vertebrae = corrected.unwrap_or(found);
        let review = saved.map(|file| file.review).unwrap_or_default();
        let discs = discs_between(&vertebrae);
        if discs.is_empty() {
            return;
        }
        if let Some(job) =
            self.submit(Command::GradeBeside { volume: Arc::clone(&series.volume), discs: discs.clone() })
        {
            let outcomes = Vec::new();
            self.companion_jobs.prior =
                Some(PriorReading { job, series, days_before, vertebrae, discs, review, outcomes });
        }
    }

    /// Whether a job grades the examination beside; if so, takes in one of its discs.
    pub(super) fn prior_disc_graded(&mut self, job: JobId, outcome: impl FnOnce() -> GradeOutcome) -> bool {
        match &mut self.companion_jobs.prior {
            Some(prior) if prior.job == job => {
                prior.outcomes.push(outcome());
                true
            }
            Some(_) | None => false,
        }
    }

    /// All discs of the examination beside are graded: it is what the report is compared with from now on.
    pub(super) fn prior_graded(&mut self, job: JobId) {
        let Some(graded) = self.companion_jobs.prior.take_if(|prior| prior.job == job) else { return };
        let PriorReading { series, days_before, vertebrae, discs, review, outcomes, .. } = graded;
        let open = OpenSeries {
            series,
            vertebrae,
            doubts: Vec::new(),
            judgement: None,
            discs,
            outcomes,
            views: Some(Views::FiftyFour),
            review,
            prior: None,
            models: self.models_in_use(),
            seconds: None,
        };
        self.state.reading.prior = Some(Prior::of_report(&open.report(), days_before));
        self.sum_up();
    }
}
