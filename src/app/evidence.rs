//! Asking for evidence maps and taking them in.

use std::sync::Arc;

use super::{Command, Event, Viewer, navigation};
use crate::saliency::{CONVERGED, SaliencyMap, SaliencyMethod, SaliencyPlan};
use crate::spine::{ClassIndex, DiscLevel, Grading};
use crate::task::Progress;
use crate::ui::state::{EvidenceState, JobStatus, Selection, predicted_class};
use crate::worker::{JobId, Loadable, Work};

/// Augmented views averaged into one map, at most: the paper's number; most maps converge earlier.
pub const AUGMENTATIONS: usize = 150;
/// Seed of the augmentations, so that the same question gets the same answer.
const SEED: u64 = 0;
/// Percentile with the strongest color: the few voxels above it would leave everything else pale.
const PEAK_PERCENTILE: f64 = 99.8;
/// Finished maps kept; each takes about 1 MB.
const KEPT_MAPS: usize = 48;

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Selects a disc, keeps the grading, and shows the disc; explains it if it was graded.
    pub(super) fn select_disc(&mut self, level: DiscLevel) {
        let grading = self.state.selection.map_or(Grading::Pfirrmann, |selection| selection.grading);
        self.explain(Selection { level, grading });
    }

    /// Selects a grade, shows its disc and asks for its evidence.
    pub(super) fn explain(&mut self, selection: Selection) {
        if self.state.selection != Some(selection) {
            self.state.selection = Some(selection);
            self.state.selected_box = None;
            self.state.evidence.class = None;
        }
        self.state.evidence.shown = true;
        navigation::show_disc(&mut self.state, selection.level);
        self.request_evidence();
    }

    pub(super) fn set_class(&mut self, class: Option<ClassIndex>) {
        self.state.evidence.class = class;
        self.request_evidence();
    }

    pub(super) fn set_method(&mut self, method: SaliencyMethod) {
        self.state.evidence.method = method;
        self.request_evidence();
    }

    pub(super) fn set_percentile(&mut self, percentile: f64) {
        self.state.evidence.percentile = percentile;
        self.measure_evidence();
    }

    /// Asks for the map of the selection, unless it is there already.
    pub(super) fn request_evidence(&mut self) {
        self.clear_evidence();
        let Some(selection) = self.state.selection else { return };
        let (Some(series), Some(disc), Some(grades)) =
            (self.state.loaded(), self.state.disc(selection.level), self.state.grades_of(selection.level))
        else {
            return;
        };
        let evidence = &self.state.evidence;
        let class = evidence.class.unwrap_or_else(|| predicted_class(&grades[selection.grading]));
        let method = evidence.method;
        let is_same = |map: &Arc<SaliencyMap>| {
            (map.level, map.grading, map.class, map.method) == (selection.level, selection.grading, class, method)
        };
        if let Some(map) = self.finished_maps.iter().find(|map| is_same(map)) {
            let map = Arc::clone(map);
            self.state.evidence.request = Loadable::Ready(Arc::clone(&map));
            self.show_map(map);
            return;
        }
        let command = Command::ExplainGrade {
            volume: Arc::clone(&series.volume),
            disc: disc.clone(),
            grading: selection.grading,
            class,
            plan: SaliencyPlan { method, augmentations: AUGMENTATIONS, precision: Some(CONVERGED), seed: SEED },
        };
        if let Some(job) = self.submit(command) {
            self.state.evidence.request = Loadable::Pending(job);
            if self.grading_job.is_some() {
                // Somebody waits for this map: grading stops and goes on behind it.
                self.grade_missing();
            }
        }
    }

    /// Takes in a map that is not final yet.
    pub(super) fn evidence_refined(&mut self, job: JobId, map: Arc<SaliencyMap>) {
        if self.state.evidence.request.awaits(job) {
            let progress = Progress { step: "Computing evidence", done: map.augmentations, total: AUGMENTATIONS };
            self.reporting_job = Some(job);
            self.state.job = Some(JobStatus { progress });
            self.show_map(map);
        }
    }

    /// Takes in the final map.
    pub(super) fn evidence_finished(&mut self, job: JobId, map: Arc<SaliencyMap>) {
        if self.state.evidence.request.resolve(job, Arc::clone(&map)) {
            self.finished_maps.push(Arc::clone(&map));
            if self.finished_maps.len() > KEPT_MAPS {
                self.finished_maps.remove(0);
            }
            self.show_map(map);
        }
    }

    /// After levels changed: the maps carry the old ones, so the selection is explained anew.
    pub(super) fn follow_selection(&mut self) {
        self.finished_maps.clear();
        self.request_evidence();
    }

    pub(super) fn clear_evidence(&mut self) {
        if let Some(job) = self.state.evidence.request.pending() {
            self.worker.cancel(job);
        }
        let evidence = &mut self.state.evidence;
        *evidence = EvidenceState {
            map: None,
            texture: None,
            request: Loadable::Idle,
            predicted_boxes: Vec::new(),
            threshold: 0.0,
            peak: 0.0,
            ..std::mem::take(evidence)
        };
    }

    fn show_map(&mut self, map: Arc<SaliencyMap>) {
        self.state.evidence.map = Some(map);
        self.measure_evidence();
        self.upload_evidence();
    }

    /// Threshold, peak and boxes of the map shown.
    fn measure_evidence(&mut self) {
        let Some(series) = self.state.loaded().cloned() else { return };
        let evidence = &mut self.state.evidence;
        let Some(map) = &evidence.map else { return };
        evidence.threshold = map.threshold(evidence.percentile);
        evidence.peak = map.threshold(PEAK_PERCENTILE);
        evidence.predicted_boxes = map.image_boxes(&series.volume, evidence.percentile);
    }
}
