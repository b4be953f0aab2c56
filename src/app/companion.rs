//! Other series beside the one that is read: priors, axial stacks, other contrasts. Read on a thread of their own, so that
//! neither waits for grading; shown at the place that the reader looks at.

use std::path::PathBuf;
use std::sync::Arc;

use glam::DVec3;

use super::prior::{FoundPrior, PriorReading};
use super::{Command, Event, Viewer, navigation, present};
use crate::detection::Detection;
use crate::dicom::{FolderScan, Series, SeriesSummary};
use crate::pipeline::Study;
use crate::spine::SpineAlignment;
use crate::ui::companion::{CommonSpace, Companion, CompanionAction};
use crate::ui::language::tr;
use crate::ui::state::{BannerKind, ViewLayout};
use crate::volume::PlaneOrientation;
use crate::worker::{Handle, JobContext, JobError, JobEvent, JobId, Loadable, Notice, Work};

/// The thread that reads.
pub(crate) type ReadingHandle = Handle<Reading>;

/// What it can read. It has no `Debug`: folders and series are patient data.
pub(crate) enum ReadingCommand {
    /// The headers of another study.
    Scan(PathBuf),
    /// The images of a series.
    Load(Arc<SeriesSummary>),
}

/// What it tells.
pub(crate) enum ReadingEvent {
    /// The study's series.
    Scanned(Arc<FolderScan>),
    Loaded(Arc<Series>),
    /// It could not be read.
    Failed(Arc<JobError>),
    /// Nothing that is shown.
    Other,
}

impl From<Notice> for ReadingEvent {
    fn from(notice: Notice) -> Self {
        if let Notice::Failed(error) = notice { Self::Failed(error) } else { Self::Other }
    }
}

/// Kinds of its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadingKind {
    /// A study.
    Scan,
    /// A series.
    Load,
}

/// Reads headers and images.
#[derive(Default)]
pub(crate) struct Reading(Study);

impl Work for Reading {
    type Command = ReadingCommand;
    type Kind = ReadingKind;
    type Event = ReadingEvent;

    fn kind(command: &ReadingCommand) -> ReadingKind {
        match command {
            ReadingCommand::Scan(_) => ReadingKind::Scan,
            ReadingCommand::Load(_) => ReadingKind::Load,
        }
    }

    fn supersedes(newer: ReadingKind, older: ReadingKind) -> bool {
        newer == older
    }

    fn run(&mut self, command: ReadingCommand, job: &JobContext<ReadingEvent>) -> Result<ReadingEvent, JobError> {
        let mut on_progress = |progress| job.progress(progress);
        match command {
            ReadingCommand::Scan(path) => {
                let study = Study::open(&path, job.cancel(), &mut on_progress, &mut |_| ());
                self.0 = study.map_err(JobError::failed)?;
                Ok(ReadingEvent::Scanned(Arc::clone(self.0.scan())))
            }
            ReadingCommand::Load(series) => {
                let loaded = self.0.load(&series, job.cancel(), &mut on_progress);
                Ok(ReadingEvent::Loaded(loaded.map_err(JobError::failed)?))
            }
        }
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// A study whose headers are being read while another one is open.
struct WantedStudy {
    job: JobId,
    path: PathBuf,
    /// It stands beside the open one; otherwise it takes its place.
    is_added: bool,
}

/// What belongs to the companion and is not on the screen.
#[derive(Default)]
pub(super) struct CompanionJobs {
    /// Started with the first thing that is asked of it.
    reading: Option<ReadingHandle>,
    /// The study that is being looked for.
    wanted: Option<WantedStudy>,
    /// The job that looks for the companion's vertebrae.
    comparing: Option<JobId>,
    /// The examination beside while it is graded.
    pub(super) prior: Option<PriorReading>,
    /// The examination beside while what its reader decided is read.
    pub(super) found_prior: Option<FoundPrior>,
    /// The place of the read series that the companion shows, LPS, mm.
    followed: Option<DVec3>,
}

impl<W: Work<Command = Command, Event = Event>> Viewer<W> {
    /// Reads the headers of another study and adds its series to the list.
    pub(super) fn add_study(&mut self, path: PathBuf) {
        if self.study.scan.is_none() {
            return self.open_folder(path);
        }
        if let Some(job) = self.read(ReadingCommand::Scan(path.clone())) {
            self.companion_jobs.wanted = Some(WantedStudy { job, path, is_added: true });
        }
    }

    /// Reads the headers of a study that takes the place of the open one, if it is one.
    pub(super) fn scan_instead(&mut self, path: PathBuf) {
        if let Some(job) = self.read(ReadingCommand::Scan(path.clone())) {
            self.companion_jobs.wanted = Some(WantedStudy { job, path, is_added: false });
        }
    }

    /// Does what was asked for in the view of the companion.
    pub(super) fn companion(&mut self, action: CompanionAction) {
        let companion = &mut self.state.companion;
        match action {
            CompanionAction::Show(index) => self.show_companion(index),
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

    /// Forgets the companion; added studies go with the list.
    pub(super) fn clear_companion(&mut self) {
        if let Some(reading) = &self.companion_jobs.reading {
            reading.cancel_all();
        }
        let reading = self.companion_jobs.reading.take();
        self.companion_jobs = CompanionJobs { reading, ..CompanionJobs::default() };
        self.state.companion = Companion::default();
    }

    /// Chooses a companion when its view is opened, and lets it show the place that is looked at.
    pub(super) fn follow_companion(&mut self) {
        if self.state.view.layout != ViewLayout::Companion || self.state.loaded().is_none() {
            return;
        }
        if self.state.companion.index.is_none()
            && let Some(index) = self.best_companion()
        {
            self.show_companion(index);
        }
        self.compare_vertebrae();
        let place = self.looked_at();
        let companion = &mut self.state.companion;
        if companion.is_unlinked || companion.image.ready().is_none() || self.companion_jobs.followed == place {
            return;
        }
        self.companion_jobs.followed = place;
        if let Some(slice) = place.and_then(|place| companion.nearest_slice(companion.there(place))) {
            companion.slice = slice;
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

    /// Axial images of the read study first, then the graded series of another study, then whatever there is.
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
        let others = scan.series.iter().enumerate().filter(|(index, _)| Some(*index) != self.reading.index);
        others.min_by_key(|(_, series)| rank(series)).map(|(index, _)| index)
    }

    pub(super) fn show_companion(&mut self, index: usize) {
        let Some(series) = self.study.scan.as_ref().and_then(|scan| scan.series.get(index)).cloned() else { return };
        if let Some(job) = self.read(ReadingCommand::Load(Arc::new(series))) {
            self.companion_jobs.comparing = None;
            self.companion_jobs.followed = None;
            let image = Loadable::Pending(job);
            self.state.companion = Companion { index: Some(index), image, ..Companion::default() };
        }
    }

    fn step_companion(&mut self, steps: isize) {
        let place = self.looked_at();
        let companion = &mut self.state.companion;
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
        self.companion_jobs.followed = self.looked_at();
    }

    /// Links what both views show now, or lets them go.
    fn toggle_link(&mut self) {
        let place = self.looked_at();
        let companion = &mut self.state.companion;
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
        self.companion_jobs.followed = place;
    }

    /// Starts reading; the thread for it is made with the first job.
    fn read(&mut self, command: ReadingCommand) -> Option<JobId> {
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
                } else if self.state.companion.image.fail(job, error) {
                    self.tell_error(tr!("The series beside could not be loaded. {reason}", reason = reason));
                }
            }
            ReadingEvent::Other => {}
        }
    }

    /// Opens a study in the place of the open one; a folder without images changes nothing.
    fn study_instead(&mut self, scan: Arc<FolderScan>, path: PathBuf) {
        if scan.series.is_empty() {
            return self.tell_error(tr!("No DICOM images were found in this folder.").to_owned());
        }
        self.close_study();
        self.study.open_paths = vec![(0, path)];
        self.study.is_kept = true;
        self.state.study.folder = Loadable::Ready(Arc::new(()));
        self.study_found(scan);
    }

    /// Puts the series of another study behind those that are listed, and shows the one of them that could be graded.
    fn study_added(&mut self, other: FolderScan, path: PathBuf) {
        let Some(scan) = self.study.scan.clone() else { return };
        let is_known = |series: &SeriesSummary| scan.series.iter().any(|listed| listed.is_stack_of(series));
        let (known, new): (Vec<_>, Vec<_>) = other.series.iter().cloned().partition(is_known);
        let Some(first) = new.first() else {
            let text = if known.is_empty() {
                tr!("No study was added. No DICOM images were found in it.")
            } else {
                tr!("No study was added. It is open already.")
            };
            return self.tell(BannerKind::Warning, text.to_owned());
        };
        if scan.series.first().is_some_and(|open| !open.is_of_patient(first)) {
            let text =
                tr!("The added study names another patient than the open one. Compare the names above both images.");
            self.tell(BannerKind::Warning, text.to_owned());
        }
        let first = scan.series.len();
        let chosen = first + new.iter().position(|series| series.choice.is_chosen).unwrap_or(0);
        let mut scan = Arc::unwrap_or_clone(scan);
        scan.add(FolderScan { series: new, ..other });
        self.state.study.folder_warnings = present::folder_warnings(&scan);
        self.request_thumbnails(&scan.series);
        self.study.scan = Some(Arc::new(scan));
        self.study.open_paths.push((first, path));
        self.list_series();
        self.state.view.layout = ViewLayout::Companion;
        self.show_companion(chosen);
    }

    fn companion_loaded(&mut self, job: JobId, series: Arc<Series>) {
        let summary = series.summary.clone();
        let series = Arc::new(present::loaded_series(series));
        if !self.state.companion.image.resolve(job, Arc::clone(&series)) {
            return;
        }
        let slice = series.volume.slices() / 2;
        let texture = self.upload_series(&series.volume, slice);
        let companion = &mut self.state.companion;
        (companion.slice, companion.texture) = (slice, texture);
        self.companion_jobs.followed = None;
        self.compare_spaces(&summary);
    }

    /// Finds out how places of the read series lie in the companion.
    fn compare_spaces(&mut self, summary: &SeriesSummary) {
        let Some(read) =
            self.study.scan.as_ref().zip(self.reading.index).and_then(|(scan, index)| scan.series.get(index))
        else {
            return;
        };
        let is_shared = match (&read.frame_of_reference_uid, &summary.frame_of_reference_uid) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => read.study_instance_uid == summary.study_instance_uid,
        };
        self.state.companion.space = match summary.plane {
            _ if is_shared => CommonSpace::Shared,
            Some(PlaneOrientation::Sagittal) => CommonSpace::Comparing,
            _ => CommonSpace::Unknown,
        };
    }

    /// Looks for the vertebrae of the companion as soon as those of the read series are known.
    fn compare_vertebrae(&mut self) {
        let is_due = self.state.companion.space == CommonSpace::Comparing && self.companion_jobs.comparing.is_none();
        if !is_due || self.state.reading.findings.vertebrae.is_empty() {
            return;
        }
        if let Some(shown) = self.state.companion.image.ready() {
            let volume = Arc::clone(&shown.volume);
            self.companion_jobs.comparing = self.submit(Command::DetectBeside { volume });
            if self.companion_jobs.comparing.is_none() {
                self.state.companion.space = CommonSpace::Unknown;
            }
        }
    }

    /// The vertebrae of the companion are found: puts both examinations on each other.
    pub(super) fn companion_detected(&mut self, job: JobId, detection: &Detection) {
        if self.companion_jobs.comparing != Some(job) {
            return;
        }
        self.companion_jobs.comparing = None;
        let (Some(read), Some(shown)) = (self.state.loaded(), self.state.companion.image.ready()) else { return };
        let ours = (&self.state.reading.findings.vertebrae[..], read.volume.geometry());
        let theirs = (&detection.vertebrae[..], shown.volume.geometry());
        let alignment = SpineAlignment::between(ours, theirs);
        self.state.companion.space = alignment.map_or(CommonSpace::Unknown, CommonSpace::BySpine);
        self.companion_jobs.followed = None;
        // Like any other image, that of a prior is graded only if it is a T2 image of the lumbar spine.
        if detection.fitness().is_ok() {
            self.grade_prior(&detection.vertebrae);
        }
    }

    /// The comparison ended without a result.
    pub(super) fn comparison_ended(&mut self, job: JobId) {
        if self.companion_jobs.comparing == Some(job) {
            self.companion_jobs.comparing = None;
            self.state.companion.space = CommonSpace::Unknown;
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
