//! Asking for evidence maps and taking them in.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui;

use super::{Command, Event, Viewer, navigation};
use crate::export::FigureOrder;
use crate::model::location::LocationModel;
use crate::picture::EvidenceFill;
use crate::pipeline::{CURVE_PERCENTILES, Evidence};
use crate::records::Report;
use crate::saliency::{
    CONVERGED, EvidenceWay, MOST_VIEWS, SaliencyLayer, SaliencyMap, SaliencyMethod, SaliencyPlan, SaliencyTarget,
};
use crate::spine::{ClassIndex, DiscLevel, Grading, SliceBox, interpolated_boxes};
use crate::task::Progress;
use crate::ui::action::EvidenceAction;
use crate::ui::language::tr;
use crate::ui::state::{
    Approach, BannerKind, BesideChoice, EvidenceChoice, JobStatus, MapState, PathPurpose, Selection, ViewLayout,
};
use crate::worker::{JobId, JobKind, Loadable, Work};

/// Seed of the augmentations, so that the same question gets the same answer.
const SEED: u64 = 0;
/// Percentile with the strongest color: the few voxels above it would leave everything else pale.
const PEAK_PERCENTILE: f64 = 99.8;
/// Finished maps kept; each takes about 2 MB.
const KEPT_MAPS: usize = 48;

/// What a map is asked for.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct MapWanted {
    level: DiscLevel,
    grading: Grading,
    class: ClassIndex,
    method: SaliencyMethod,
    /// The method's usual one if `None`.
    layer: Option<SaliencyLayer>,
    smoothing_mm: f64,
}

impl MapWanted {
    fn new(level: DiscLevel, grading: Grading, class: ClassIndex, way: &EvidenceWay) -> Self {
        let EvidenceWay { method, layer, smoothing_mm, .. } = *way;
        Self { level, grading, class, method, layer, smoothing_mm }
    }
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Changes what map is shown, and how.
    pub(super) fn apply_evidence(&mut self, action: EvidenceAction) {
        let evidence = &mut self.state.evidence;
        match action {
            EvidenceAction::SetClass(class) => {
                evidence.class = class;
                self.request_evidence();
            }
            EvidenceAction::SetWay(way) => {
                self.set_way(way);
                self.request_evidence();
            }
            EvidenceAction::SetMethod(method) => {
                self.set_way(Some(EvidenceWay { method, layer: None, ..self.state.evidence_way() }));
                self.request_evidence();
            }
            EvidenceAction::SetOpacity(opacity) => evidence.opacity = opacity,
            EvidenceAction::SetPercentile(percentile) => {
                self.set_way(Some(EvidenceWay { percentile, ..self.state.evidence_way() }));
                self.measure_evidence();
            }
            EvidenceAction::SetColorMap(color_map) => evidence.color_map = color_map,
            EvidenceAction::SetFill(fill) => evidence.fill = fill,
            EvidenceAction::ToggleContour => {
                let is_contour = evidence.fill == EvidenceFill::Contour;
                evidence.fill = if is_contour { EvidenceFill::Even } else { EvidenceFill::Contour };
            }
            EvidenceAction::SetBoxRule(box_rule) => {
                self.set_way(Some(EvidenceWay { box_rule, ..self.state.evidence_way() }));
                self.state.evidence.by_percentile.clear();
                self.measure_evidence();
            }
            EvidenceAction::SetBeside(choice) => {
                evidence.beside_choice = choice;
                self.request_beside();
            }
            EvidenceAction::Toggle => evidence.shown = !evidence.shown,
            EvidenceAction::ToggleLearnedLocation => {
                evidence.learned_location = !evidence.learned_location;
                self.locate_findings();
            }
            EvidenceAction::Hold(held) => evidence.held_back = held,
            EvidenceAction::ToggleBlind => self.toggle_blind(),
        }
    }

    /// Takes a way to make maps, for the selected disc and those that no way was chosen for.
    fn set_way(&mut self, way: Option<EvidenceWay>) {
        let evidence = &mut self.state.evidence;
        evidence.own_way = way;
        let selected = self.state.reading.selection.and_then(|selection| evidence.choices.get_mut(&selection.level));
        if let Some(choice) = selected {
            choice.own_way = way;
        }
    }

    /// Selects a disc and what was last looked at of it, or keeps the grading, and shows the disc; explains it if it was
    /// graded.
    pub(super) fn select_disc(&mut self, level: DiscLevel, approach: Approach) {
        let last = self.state.evidence.choices.get(&level).map(|choice| choice.grading);
        let now = self.state.reading.selection.map(|selection| selection.grading);
        if let Some(grading) = last.or(now).or(self.state.columns().first().copied()) {
            self.explain_from(Selection { level, grading }, approach);
        }
    }

    /// Selects a grade, zooms to its disc and asks for its evidence.
    pub(super) fn explain(&mut self, selection: Selection) {
        self.explain_from(selection, self.state.approach);
    }

    /// The same with the image as it is wanted; class and way are those that were last chosen for the grade.
    fn explain_from(&mut self, selection: Selection, approach: Approach) {
        let is_other_disc = self.state.reading.selection.is_none_or(|selected| selected.level != selection.level);
        if self.state.reading.selection != Some(selection) {
            self.state.reading.selection = Some(selection);
            self.state.reading.selected_box = None;
            let evidence = &mut self.state.evidence;
            let last = evidence.choices.get(&selection.level);
            evidence.class = last.filter(|choice| choice.grading == selection.grading).and_then(|choice| choice.class);
            evidence.own_way = last.map_or(evidence.own_way, |choice| choice.own_way);
        }
        self.state.evidence.shown = true;
        // Another grade of the same disc leaves the image where the reader has it.
        if approach == Approach::Zoom && is_other_disc {
            navigation::zoom_to_disc(&mut self.state, selection.level);
        } else {
            navigation::show_disc(&mut self.state, selection.level);
        }
        self.request_evidence();
    }

    /// Asks for the map of the selection, unless it is there already.
    pub(super) fn request_evidence(&mut self) {
        self.clear_evidence();
        // What nobody may see need not be computed.
        if self.state.evidence.blind {
            return;
        }
        let Some((selection, class)) = self.explained() else { return };
        let evidence = &mut self.state.evidence;
        let Selection { level, grading } = selection;
        let choice = EvidenceChoice { grading, class: evidence.class, own_way: evidence.own_way };
        evidence.choices.insert(level, choice);
        let wanted = MapWanted::new(level, grading, class, &evidence.way(grading));
        if let Some(map) = self.finished(wanted) {
            self.state.evidence.main.request = Loadable::Ready(Arc::clone(&map));
            self.show_map(map);
        } else if let Some(job) = self.submit_map(wanted, false) {
            self.state.evidence.main.request = Loadable::Pending(job);
            if self.jobs.values().any(|kind| *kind == JobKind::Grade) {
                // Somebody waits for this map: grading stops and goes on behind it.
                self.grade_missing();
            }
        }
        self.request_beside();
    }

    /// Asks for the second map, where it is shown.
    pub(super) fn request_beside(&mut self) {
        if let Some(job) = self.state.evidence.beside.request.pending() {
            self.worker.cancel(job);
        }
        self.state.evidence.beside = MapState::default();
        if self.state.view.layout != ViewLayout::Compare || self.state.evidence.blind {
            return;
        }
        let Some((selection, class)) = self.explained() else { return };
        let BesideChoice { grading, method } = self.state.evidence.beside_choice;
        let (grading, class) = match grading.filter(|grading| *grading != selection.grading) {
            None => (selection.grading, class),
            Some(grading) => {
                let predicted = self.state.grades_of(selection.level).and_then(|grades| grades.class(grading));
                (grading, predicted.unwrap_or_default())
            }
        };
        let way = EvidenceWay { method, ..EvidenceWay::PAPER };
        let wanted = MapWanted::new(selection.level, grading, class, &way);
        if let Some(map) = self.finished(wanted) {
            self.state.evidence.beside.request = Loadable::Ready(Arc::clone(&map));
            self.show_beside(map);
        } else if let Some(job) = self.submit_map(wanted, true) {
            self.state.evidence.beside.request = Loadable::Pending(job);
        }
    }

    /// The second map appears with its layout, and is computed no longer without it.
    pub(super) fn follow_layout(&mut self) {
        let (evidence, layout) = (&self.state.evidence, self.state.view.layout);
        let is_there = !matches!(evidence.beside.request, Loadable::Idle);
        if is_there != (layout == ViewLayout::Compare && !evidence.blind) {
            self.request_beside();
        }
    }

    /// The selection with the class that its map explains, once it is graded.
    fn explained(&self) -> Option<(Selection, ClassIndex)> {
        let selection = self.state.reading.selection?;
        let predicted = self.state.grades_of(selection.level)?.class(selection.grading)?;
        Some((selection, self.state.evidence.class.unwrap_or(predicted)))
    }

    fn finished(&self, wanted: MapWanted) -> Option<Arc<SaliencyMap>> {
        let mut finished = self.reading.finished_maps.iter();
        finished.find(|(asked, _)| *asked == wanted).map(|(_, map)| Arc::clone(map))
    }

    fn submit_map(&mut self, wanted: MapWanted, is_beside: bool) -> Option<JobId> {
        let MapWanted { level, grading, class, method, layer, smoothing_mm } = wanted;
        let (series, disc) = (self.state.loaded()?, self.state.disc(level)?);
        let precision = Some(CONVERGED);
        let command = Command::ExplainGrade {
            volume: Arc::clone(&series.volume),
            disc: disc.clone(),
            grading,
            class,
            plan: SaliencyPlan { method, layer, smoothing_mm, augmentations: MOST_VIEWS, precision, seed: SEED },
            is_beside,
        };
        let job = self.submit(command)?;
        self.reading.wanted_maps.insert(job, wanted);
        Some(job)
    }

    /// Takes in a map that is not final yet.
    pub(super) fn evidence_refined(&mut self, job: JobId, map: Arc<SaliencyMap>) {
        let is_main = self.state.evidence.main.request.awaits(job);
        if is_main || self.state.evidence.beside.request.awaits(job) {
            let progress = Progress { step: tr!("Computing evidence"), done: map.augmentations, total: MOST_VIEWS };
            self.reporting_job = Some(job);
            self.state.job = Some(JobStatus { progress });
            if is_main { self.show_map(map) } else { self.show_beside(map) }
        }
    }

    /// Takes in the final map.
    pub(super) fn evidence_finished(&mut self, job: JobId, map: Arc<SaliencyMap>) {
        let wanted = self.reading.wanted_maps.remove(&job);
        let is_main = self.state.evidence.main.request.resolve(job, Arc::clone(&map));
        if !is_main && !self.state.evidence.beside.request.resolve(job, Arc::clone(&map)) {
            return;
        }
        self.reading.finished_maps.extend(wanted.map(|wanted| (wanted, Arc::clone(&map))));
        if self.reading.finished_maps.len() > KEPT_MAPS {
            self.reading.finished_maps.remove(0);
        }
        if is_main {
            self.show_map(map);
        } else {
            self.show_beside(map);
        }
    }

    /// The finished map of the selection, with all that its files say.
    pub(super) fn shown_evidence(&self, report: &Report) -> Option<Evidence> {
        self.evidence_of(report, Arc::clone(self.state.evidence.main.request.ready()?))
    }

    /// A finished map with all that its files say.
    pub(super) fn evidence_of(&self, report: &Report, map: Arc<SaliencyMap>) -> Option<Evidence> {
        let volume = Arc::clone(&self.state.loaded()?.volume);
        let grades = self.state.grades_of(map.level);
        let EvidenceWay { percentile, box_rule, .. } = self.state.evidence.way(map.grading);
        Some(Evidence {
            probability: grades.and_then(|grades| grades.probability(map.grading, map.class)),
            map,
            seed: SEED,
            percentile,
            box_rule,
            volume,
            study_instance_uid: report.study_instance_uid.clone(),
            series_instance_uid: report.series_instance_uid.clone(),
            sop_instance_uids: report.sop_instance_uids.clone(),
            weights: report.weights.clone(),
            device: report.device.clone(),
            reader_boxes: self.state.reading.findings.boxes.clone(),
        })
    }

    /// After levels changed: the maps carry the old ones, so the selection is explained anew.
    pub(super) fn follow_selection(&mut self) {
        self.reading.finished_maps.clear();
        self.state.evidence.choices.clear();
        self.request_evidence();
    }

    pub(super) fn clear_evidence(&mut self) {
        let evidence = &mut self.state.evidence;
        for map in [&mut evidence.main, &mut evidence.beside] {
            if let Some(job) = map.request.pending() {
                self.worker.cancel(job);
            }
            *map = MapState::default();
        }
        evidence.by_percentile.clear();
    }

    fn show_map(&mut self, map: Arc<SaliencyMap>) {
        let texture = self.upload_evidence(&map);
        let main = &mut self.state.evidence.main;
        (main.map, main.texture) = (Some(map), texture);
        self.measure_evidence();
    }

    fn show_beside(&mut self, map: Arc<SaliencyMap>) {
        let texture = self.upload_evidence(&map);
        let beside = &mut self.state.evidence.beside;
        (beside.map, beside.texture) = (Some(map), texture);
        self.measure_evidence();
    }

    /// Threshold, peak and boxes of the maps shown.
    fn measure_evidence(&mut self) {
        self.locate_findings();
        let Some(series) = self.state.loaded().cloned() else { return };
        let EvidenceWay { percentile, box_rule, .. } = self.state.evidence_way();
        let evidence = &mut self.state.evidence;
        for shown in [&mut evidence.main, &mut evidence.beside] {
            let Some(map) = &shown.map else { continue };
            shown.threshold = map.threshold(percentile);
            shown.peak = map.threshold(PEAK_PERCENTILE);
            let boxes = map.image_boxes(&series.volume, percentile, box_rule);
            shown.predicted_boxes = with_those_between(&boxes, map.frame.slice_step());
        }
    }

    /// Where readers would probably box the findings that the maps are of, where that is wanted and the grade that counts abnormal.
    pub(super) fn locate_findings(&mut self) {
        let located = |shown: &MapState| {
            let map = shown.map.as_ref().filter(|_| self.state.evidence.learned_location)?;
            let (disc, volume) = (self.state.disc(map.level)?, &self.state.loaded()?.volume);
            let class = self.state.reading.summary.disc(map.level)?.of(map.grading)?.class;
            let boxes = LocationModel::shipped().boxes(volume, disc, &map.frame, (map.grading, class));
            Some(with_those_between(&boxes, map.frame.slice_step()))
        };
        let evidence = &self.state.evidence;
        let [main, beside] = [&evidence.main, &evidence.beside].map(|shown| located(shown).unwrap_or_default());
        (self.state.evidence.main.learned_boxes, self.state.evidence.beside.learned_boxes) = (main, beside);
    }

    /// Boxes of the finished map at the next percentile of the curve, where a reader's box asks for the curve: one a frame,
    /// since all of them would hold the window up.
    pub(super) fn grow_curve(&mut self, ctx: &egui::Context) {
        let (Some(series), Some(map)) = (self.state.loaded(), self.state.evidence.main.request.ready()) else { return };
        let known = self.state.evidence.by_percentile.len();
        let Some(percentile) = CURVE_PERCENTILES.get(known).copied() else { return };
        if self.state.selected_boxes().next().is_none() {
            return;
        }
        let boxes = map.image_boxes(&series.volume, percentile, self.state.evidence.way(map.grading).box_rule);
        self.state.evidence.by_percentile.push((percentile, boxes));
        ctx.request_repaint();
    }

    /// Asks for the folder of the figures.
    pub(super) fn ask_for_figure_folder(&mut self) {
        if self.explained().is_none() {
            self.tell(
                BannerKind::Warning,
                tr!("Select a graded disc first: the figures show its evidence.").to_owned(),
            );
        } else {
            self.open_dialog(PathPurpose::SaveFigures);
        }
    }

    /// Writes the figures of the selection into a folder.
    pub(super) fn save_figures(&mut self, folder: PathBuf) {
        let Some((selection, class)) = self.explained() else { return };
        let (Some(series), Some(disc)) = (self.state.loaded(), self.state.disc(selection.level)) else { return };
        let Selection { level, grading } = selection;
        let probability = self.state.grades_of(level).and_then(|grades| grades.probability(grading, class));
        let order = FigureOrder {
            volume: Arc::clone(&series.volume),
            series_instance_uid: series.series.summary.series_instance_uid.clone(),
            disc: disc.clone(),
            target: SaliencyTarget { grading, class },
            probability,
            augmentations: MOST_VIEWS,
            seed: SEED,
            way: self.state.evidence.way(grading),
            reader_boxes: self.state.reading.findings.boxes.clone(),
            with_randomization: false,
        };
        self.submit(Command::DrawFigures { order: Arc::new(order), folder });
    }
}

/// Boxes with those on the slices of a thin stack that the network does not look at.
fn with_those_between(boxes: &[SliceBox], step: usize) -> Vec<SliceBox> {
    let Some(first) = boxes.first() else { return Vec::new() };
    let by_slice = boxes.iter().map(|one| (one.slice, one.rect)).collect();
    let whole = interpolated_boxes(&by_slice, step).into_iter();
    whole.map(|(slice, rect)| SliceBox { slice, rect, ..first.clone() }).collect()
}
