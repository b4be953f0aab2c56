//! Another examination that stands beside the one that is read: its grades, and what changed.

use std::sync::Arc;

use super::{Command, Event, Viewer};
use crate::dicom::Series;
use crate::model::Views;
use crate::pipeline::{GradeOutcome, OpenSeries};
use crate::records::{Prior, Review, ReviewFile};
use crate::spine::{Disc, Vertebra, discs_between};
use crate::worker::{JobId, Work};

/// The other examination while its discs are graded.
pub(super) struct PriorReading {
    job: JobId,
    series: Arc<Series>,
    days_before: Option<i64>,
    vertebrae: Vec<Vertebra>,
    discs: Vec<Disc>,
    review: Review,
    outcomes: Vec<GradeOutcome>,
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Grades the examination beside, if it is the same patient's: with the bodies that its reader corrected, else with
    /// those that were `found`.
    pub(super) fn grade_prior(&mut self, found: &[Vertebra]) {
        self.companion_jobs.prior = None;
        let (Some(read), Some(shown)) = (self.state.loaded(), self.state.companion.image.ready()) else { return };
        if !read.series.summary.is_of_patient(&shown.series.summary) {
            return;
        }
        let (volume, series) = (Arc::clone(&shown.volume), Arc::clone(&shown.series));
        // Work that cannot be read is told of when that examination is read itself.
        let saved = self.store.load(&series.summary.series_instance_uid, &series.voxel_sha256).ok();
        let saved = saved.and_then(|saved| saved.review);
        let corrected = saved.as_ref().and_then(ReviewFile::corrected_vertebrae);
        let vertebrae = corrected.unwrap_or_else(|| found.to_vec());
        let review = saved.map(|file| file.review).unwrap_or_default();
        let discs = discs_between(&vertebrae);
        if discs.is_empty() {
            return;
        }
        if let Some(job) = self.submit(Command::GradeBeside { volume, discs: discs.clone() }) {
            let (days_before, outcomes) = (self.state.companion_days_before(), Vec::new());
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
