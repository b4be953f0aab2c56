//! Other series beside the one that is read: priors, axial stacks, other contrasts; shown at the place that the reader
//! looks at.

use std::sync::Arc;

use glam::DVec3;

use super::added_study::WantedStudy;
use super::prior::{FoundPrior, PriorReading};
use super::series_reader::{Reading, ReadingCommand, ReadingEvent, ReadingHandle};
use super::{Command, Event, Viewer, navigation, present};
use crate::detection::Detection;
use crate::dicom::{Series, SeriesSummary};
use crate::spine::SpineAlignment;
use crate::ui::companion::{CommonSpace, Companion, CompanionAction, MOST_BESIDE};
use crate::ui::language::tr;
use crate::ui::state::{SeriesGrid, ViewLayout};
use crate::volume::{PlaneOrientation, SectionAxis};
use crate::worker::{JobEvent, JobId, Loadable, Work};

/// What belongs to the series beside and is not on the screen. A view is the place of its series in
/// [`ViewerState::companions`](crate::ui::state::ViewerState::companions).
#[derive(Default)]
pub(super) struct CompanionJobs {
    /// Started with the first thing that is asked of it.
    reading: Option<ReadingHandle>,
    /// The study that is being looked for.
    pub(super) wanted: Option<WantedStudy>,
    /// The view whose vertebrae are looked for, and the job that does.
    comparing: Option<(usize, JobId)>,
    /// The examination beside while it is graded.
    pub(super) prior: Option<PriorReading>,
    /// The examination beside while what its reader decided is read.
    pub(super) found_prior: Option<FoundPrior>,
    /// The place of the read series that each view shows, LPS, mm.
    followed: [Option<DVec3>; MOST_BESIDE],
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Does what was asked for in the view that is worked with.
    pub(super) fn companion(&mut self, action: CompanionAction) {
        let active = self.state.active;
        let companion = &mut self.state.companions[active];
        match action {
            CompanionAction::Activate(view) => self.state.active = view.min(MOST_BESIDE - 1),
            CompanionAction::Show(index) => {
                self.state.view.planes[active] = None;
                self.show_companion(active, index);
            }
            CompanionAction::ShowPlane(axis) => {
                self.state.view.planes[active] = Some(axis);
                self.show_plane(active, axis);
            }
            CompanionAction::Step(steps) => self.step_companion(steps),
            CompanionAction::SetWindow(window) => companion.window = window,
            CompanionAction::SetCamera(camera) => companion.camera = camera,
            CompanionAction::ToggleLink => self.toggle_link(),
            CompanionAction::PointAt(voxel) => {
                let Some(shown) = companion.image.ready() else { return };
                let place = companion.here(shown.volume.geometry().lps_from_voxel(voxel));
                self.point_at(place);
            }
        }
    }

    /// Forgets the series beside; added studies go with the list.
    pub(super) fn clear_companions(&mut self) {
        if let Some(reading) = &self.companion_jobs.reading {
            reading.cancel_all();
        }
        let reading = self.companion_jobs.reading.take();
        self.companion_jobs = CompanionJobs { reading, ..CompanionJobs::default() };
        self.state.companions = Default::default();
        self.state.active = 0;
    }

    /// Chooses series for views that are empty, and lets all show the place that is looked at.
    pub(super) fn follow_companions(&mut self) {
        let views = self.state.view.layout.beside();
        if views == 0 || self.state.loaded().is_none() {
            return;
        }
        self.state.active = self.state.active.min(views - 1);
        for view in 0..views {
            let companion = &self.state.companions[view];
            if companion.index.is_some() || companion.plane.is_some() {
                continue;
            }
            if let Some(axis) = self.state.view.planes[view].filter(|_| self.has_planes()) {
                self.show_plane(view, axis);
            } else if let Some(index) = self.best_companion() {
                self.show_companion(view, index);
            } else if let Some(axis) = self.unseen_plane() {
                self.show_plane(view, axis);
            }
        }
        self.compare_vertebrae();
        let place = self.looked_at();
        for (companion, followed) in self.state.companions.iter_mut().zip(&mut self.companion_jobs.followed).take(views)
        {
            if companion.is_unlinked || companion.image.ready().is_none() || *followed == place {
                continue;
            }
            *followed = place;
            if let Some(slice) = place.and_then(|place| companion.nearest_slice(companion.there(place))) {
                companion.slice = slice;
            }
        }
    }

    /// The place of the crosshair, LPS, mm.
    fn looked_at(&self) -> Option<DVec3> {
        let [row, column] = self.state.crosshair();
        let geometry = self.state.loaded()?.volume.geometry();
        Some(geometry.lps_from_voxel([self.state.view.slice as f64, row, column]))
    }

    /// Moves crosshair and slice of the read series to a place.
    fn point_at(&mut self, place: DVec3) {
        let Some(read) = self.state.loaded() else { return };
        let [slice, row, column] = read.volume.geometry().voxel_from_lps(place);
        navigation::show_place(&mut self.state, slice.round().max(0.0) as usize, [row, column]);
    }

    /// Of what no view shows: axial images of the read study first, then the graded series of another study, then whatever
    /// there is.
    fn best_companion(&self) -> Option<usize> {
        let scan = self.study.scan.as_ref()?;
        let read = scan.series.get(self.reading.index?)?;
        let rank = |series: &SeriesSummary| {
            let same_study = series.study_instance_uid == read.study_instance_uid;
            match series.plane {
                Some(PlaneOrientation::Axial) if same_study => 0,
                _ if !same_study && series.choice.is_chosen => 1,
                _ if same_study => 2,
                _ => 3,
            }
        };
        let is_seen = |index: usize| {
            Some(index) == self.reading.index || self.state.companions.iter().any(|beside| beside.index == Some(index))
        };
        let others = scan.series.iter().enumerate().filter(|(index, _)| !is_seen(*index));
        others.min_by_key(|(_, series)| rank(series)).map(|(index, _)| index)
    }

    /// Whether the read series can be cut across; a single slice cannot.
    fn has_planes(&self) -> bool {
        self.state.loaded().is_some_and(|series| series.volume.slices() > 1)
    }

    /// A plane that no view shows; none of a single slice.
    fn unseen_plane(&self) -> Option<SectionAxis> {
        let is_seen = |axis: &SectionAxis| self.state.companions.iter().any(|beside| beside.plane == Some(*axis));
        SectionAxis::ALL.into_iter().find(|axis| self.has_planes() && !is_seen(axis))
    }

    /// Shows a plane through the crosshair in a view.
    pub(super) fn show_plane(&mut self, view: usize, axis: SectionAxis) {
        self.empty_view(view);
        self.state.companions[view] = Companion { plane: Some(axis), ..Companion::default() };
    }

    /// Gives up what is read for a view.
    fn empty_view(&mut self, view: usize) {
        let before = self.state.companions[view].image.pending();
        if let (Some(reading), Some(job)) = (&self.companion_jobs.reading, before) {
            reading.cancel(job);
        }
        self.companion_jobs.comparing.take_if(|(of, _)| *of == view);
        self.companion_jobs.followed[view] = None;
    }

    /// Shows a series in the view that was worked with last, and opens one where the layout has none.
    pub(super) fn show_series_beside(&mut self, index: usize) {
        if self.state.view.layout.beside() == 0 {
            self.state.view.layout = ViewLayout::Series(SeriesGrid::OneByTwo);
            self.state.active = 0;
        }
        // A view that is alone in sight would hide it.
        self.state.view.maximized = None;
        match self.state.shown_beside().iter().position(|beside| beside.index == Some(index)) {
            Some(view) => self.state.active = view,
            None => self.companion(CompanionAction::Show(index)),
        }
    }

    /// Shows a series in a view.
    pub(super) fn show_companion(&mut self, view: usize, index: usize) {
        let Some(series) = self.study.scan.as_ref().and_then(|scan| scan.series.get(index)).cloned() else { return };
        if let Some(job) = self.read(ReadingCommand::Load(Arc::new(series))) {
            self.empty_view(view);
            let image = Loadable::Pending(job);
            self.state.companions[view] = Companion { index: Some(index), image, ..Companion::default() };
        }
    }

    fn step_companion(&mut self, steps: isize) {
        let (place, active) = (self.looked_at(), self.state.active);
        let companion = &mut self.state.companions[active];
        let Some(shown) = companion.image.ready() else { return };
        let geometry = shown.volume.geometry();
        let slice = companion.slice.saturating_add_signed(steps).min(shown.volume.slices() - 1);
        let origin = geometry.slice_origins_lps()[slice];
        companion.slice = slice;
        let Some(place) = place.filter(|_| !companion.is_unlinked) else { return };
        // The same point of the image, on the new slice.
        let there = companion.there(place);
        let moved = companion.here(there + geometry.normal() * (origin - there).dot(geometry.normal()));
        self.point_at(moved);
        self.companion_jobs.followed[active] = self.looked_at();
    }

    /// Links what the slice and the view beside show now, or lets them go.
    fn toggle_link(&mut self) {
        let (place, active) = (self.looked_at(), self.state.active);
        let companion = &mut self.state.companions[active];
        companion.is_unlinked ^= true;
        if companion.is_unlinked {
            return;
        }
        if let (Some(shown), Some(place)) = (companion.image.ready(), place) {
            let geometry = shown.volume.geometry();
            let normal = geometry.normal();
            let origin = geometry.slice_origins_lps()[companion.slice];
            let shift = normal * (origin - companion.there(place)).dot(normal);
            companion.shift += shift;
        }
        self.companion_jobs.followed[active] = place;
    }

    /// Starts reading; the thread for it is made with the first job.
    pub(super) fn read(&mut self, command: ReadingCommand) -> Option<JobId> {
        if self.companion_jobs.reading.is_none() {
            let wake = Arc::clone(&self.wake);
            self.companion_jobs.reading = ReadingHandle::start("reading", Reading::default(), move || wake()).ok();
        }
        match self.companion_jobs.reading.as_mut().map(|reading| reading.submit(command)) {
            Some(Ok(job)) => Some(job),
            Some(Err(error)) => {
                self.tell_error(tr!("This could not be started: {reason}.", reason = error));
                None
            }
            None => {
                self.tell_error(tr!("The system gives no thread to read with.").to_owned());
                None
            }
        }
    }

    /// Takes in what was read.
    pub(super) fn take_reading(&mut self) {
        while let Some(event) = self.companion_jobs.reading.as_mut().and_then(ReadingHandle::poll) {
            self.receive_reading(event);
        }
    }

    fn receive_reading(&mut self, JobEvent { job, event, ends_job }: JobEvent<ReadingEvent>) {
        let wanted = self.companion_jobs.wanted.take_if(|wanted| wanted.job == job && ends_job);
        match event {
            ReadingEvent::Scanned(scan) => match wanted {
                Some(WantedStudy { path, is_added: true, .. }) => self.study_added(Arc::unwrap_or_clone(scan), path),
                Some(WantedStudy { path, .. }) => self.study_instead(scan, path),
                None => {}
            },
            ReadingEvent::Loaded(series) => self.companion_loaded(job, series),
            ReadingEvent::Failed(error) => {
                let reason = error.chain();
                if let Some(WantedStudy { is_added, .. }) = wanted {
                    self.tell_error(if is_added {
                        tr!("The study could not be added. {reason}", reason = reason)
                    } else {
                        tr!("The study could not be opened. {reason}", reason = reason)
                    });
                } else if self.state.companions.iter_mut().any(|beside| beside.image.fail(job, Arc::clone(&error))) {
                    self.tell_error(tr!("The series beside could not be loaded. {reason}", reason = reason));
                }
            }
            ReadingEvent::Other => {}
        }
    }

    fn companion_loaded(&mut self, job: JobId, series: Arc<Series>) {
        let Some(view) = self.state.companions.iter().position(|beside| beside.image.awaits(job)) else { return };
        let summary = series.summary.clone();
        let series = Arc::new(present::loaded_series(series));
        self.state.companions[view].image.resolve(job, Arc::clone(&series));
        let slice = series.volume.slices() / 2;
        let texture = self.upload_series(&series.volume, slice);
        let space = self.space_of(&summary);
        let companion = &mut self.state.companions[view];
        (companion.slice, companion.texture, companion.space) = (slice, texture, space);
        self.companion_jobs.followed[view] = None;
    }

    /// How places of the read series lie in another one, as far as headers tell.
    fn space_of(&self, summary: &SeriesSummary) -> CommonSpace {
        let scan = self.study.scan.as_ref().zip(self.reading.index);
        let Some(read) = scan.and_then(|(scan, index)| scan.series.get(index)) else { return CommonSpace::Unknown };
        let is_shared = match (&read.frame_of_reference_uid, &summary.frame_of_reference_uid) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => read.study_instance_uid == summary.study_instance_uid,
        };
        match summary.plane {
            _ if is_shared => CommonSpace::Shared,
            Some(PlaneOrientation::Sagittal) => CommonSpace::Comparing,
            _ => CommonSpace::Unknown,
        }
    }

    /// Looks for the vertebrae of a series beside as soon as those of the read series are known, one after the other.
    fn compare_vertebrae(&mut self) {
        let jobs = &self.companion_jobs;
        let is_busy = jobs.comparing.is_some() || jobs.found_prior.is_some() || jobs.prior.is_some();
        if is_busy || self.state.reading.findings.vertebrae.is_empty() {
            return;
        }
        let waits = |beside: &Companion| beside.space == CommonSpace::Comparing && beside.image.ready().is_some();
        let Some(view) = self.state.shown_beside().iter().position(waits) else { return };
        let Some(shown) = self.state.companions[view].image.ready() else { return };
        let volume = Arc::clone(&shown.volume);
        match self.submit(Command::DetectBeside { volume }) {
            Some(job) => self.companion_jobs.comparing = Some((view, job)),
            None => self.state.companions[view].space = CommonSpace::Unknown,
        }
    }

    /// The vertebrae of a series beside are found: puts both examinations on each other.
    pub(super) fn companion_detected(&mut self, job: JobId, detection: &Detection) {
        let Some((view, _)) = self.companion_jobs.comparing.take_if(|(_, of)| *of == job) else { return };
        let companion = &self.state.companions[view];
        let (Some(read), Some(shown)) = (self.state.loaded(), companion.image.ready()) else { return };
        let ours = (&self.state.reading.findings.vertebrae[..], read.volume.geometry());
        let theirs = (&detection.vertebrae[..], shown.volume.geometry());
        let alignment = SpineAlignment::between(ours, theirs);
        self.state.companions[view].space = alignment.map_or(CommonSpace::Unknown, CommonSpace::BySpine);
        self.companion_jobs.followed[view] = None;
        // Like any other image, that of a prior is graded only if it is a T2 image of the lumbar spine.
        if detection.fitness().is_ok() {
            self.grade_prior(view, &detection.vertebrae);
        }
    }

    /// The comparison, or the grading that followed it, ended without a result.
    pub(super) fn comparison_ended(&mut self, job: JobId) {
        self.companion_jobs.prior.take_if(|prior| prior.job == job);
        if let Some((view, _)) = self.companion_jobs.comparing.take_if(|(_, of)| *of == job) {
            self.state.companions[view].space = CommonSpace::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use eframe::egui::Rect;

    use super::*;
    use crate::app::testing::{series_of, state_with_series};
    use crate::ui::camera::{Camera, SliceTransform};
    use crate::ui::companion::Companion;
    use crate::ui::state::{LoadedSeries, ViewerState};
    use crate::volume::{Volume, VolumeGeometry};

    fn loaded_with(geometry: VolumeGeometry, rows: usize, columns: usize) -> LoadedSeries {
        let voxels = (0..geometry.slices() * rows * columns).map(|index| (index % 251) as f32).collect();
        series_of(Volume::new(rows, columns, voxels, geometry).expect("matching size"))
    }

    /// Five axial slices 10 mm apart around the middle of the series of [`state_with_series`].
    fn axial(state: &ViewerState) -> LoadedSeries {
        let read = state.loaded().expect("a series");
        let (rows, columns) = (read.volume.rows() as f64, read.volume.columns() as f64);
        let middle = read.volume.geometry().lps_from_voxel([4.0, rows / 2.0, columns / 2.0]);
        let corner = middle - DVec3::new(50.0, 60.0, 20.0);
        let origins = (0..5).map(|slice| corner + DVec3::Z * 10.0 * f64::from(slice)).collect();
        loaded_with(VolumeGeometry::new(origins, DVec3::X, DVec3::Y, 1.0, 1.0).expect("valid"), 120, 100)
    }

    fn companion(series: LoadedSeries) -> Companion {
        Companion { index: Some(1), image: Loadable::Ready(Arc::new(series)), ..Companion::default() }
    }

    #[test]
    fn an_axial_slice_cuts_a_sagittal_one_in_a_level_line_and_the_other_way_round() {
        let state = state_with_series();
        let read = state.loaded().expect("a series");
        let mut companion = companion(axial(&state));
        assert!(!companion.is_parallel(read));
        companion.slice = 2;
        let [from, to] = companion.line_on(read, 4).expect("they cross");
        let middle_row = read.volume.rows() as f64 / 2.0;
        assert!((from.y - middle_row).abs() < 1e-6 && (to.y - middle_row).abs() < 1e-6, "{from} {to}");
        let length = (from.x - to.x).abs() * read.frame().pixel_size_mm.x;
        assert!((length - 120.0).abs() < 1e-6, "as long as the axial slice is deep");
        let [from, to] = companion.line_of(read, 4).expect("they cross");
        assert!((from.x - 50.0).abs() < 1e-6 && (to.x - 50.0).abs() < 1e-6, "{from} {to}");
        companion.shift = DVec3::Z * 1000.0;
        assert_eq!(companion.line_on(read, 4).map(|line| line[0].y > read.volume.rows() as f64), Some(true));
    }

    #[test]
    fn a_parallel_series_shows_the_same_place_at_the_same_size() {
        let mut state = state_with_series();
        let viewport = Rect::from_min_size(eframe::egui::pos2(0.0, 0.0), eframe::egui::vec2(500.0, 400.0));
        state.view.viewport = Some(viewport);
        let read = state.loaded().expect("a series").clone();
        state.view.camera = Some(Camera { zoom: 3.0, ..Camera::fit(&read.frame()) });
        let geometry = read.volume.geometry();
        let shift = DVec3::new(0.0, 7.0, -11.0);
        let origins = geometry.slice_origins_lps().iter().map(|origin| *origin + shift).collect();
        let (across, down) = (geometry.column_direction(), geometry.row_direction());
        let moved = VolumeGeometry::new(origins, across, down, 0.4, 0.4).expect("valid");
        let companion = Companion { shift, ..companion(loaded_with(moved, 300, 300)) };
        assert!(companion.is_parallel(&read));
        let camera = companion.camera_in(viewport, &state).expect("both are there");
        let shown = companion.image.ready().expect("there");
        let transform = SliceTransform::new(&shown.frame(), viewport, &camera);
        let ours = SliceTransform::new(&read.frame(), viewport, &state.view.camera.expect("set"));
        assert!((transform.points_per_mm - ours.points_per_mm).abs() < 1e-9);
        let at = eframe::egui::pos2(130.0, 90.0);
        let (here, there) = (ours.image_from_screen(at), transform.image_from_screen(at));
        let here = companion.there(geometry.lps_from_voxel([2.0, here.y, here.x]));
        let there = shown.volume.geometry().lps_from_voxel([2.0, there.y, there.x]);
        assert!((here - there).length() < 1e-4, "{here} {there}");
        assert_eq!(companion.nearest_slice(there), Some(2));
    }
}
