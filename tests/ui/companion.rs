//! Other series beside the read one: an axial stack of the same examination, and a prior that lies elsewhere.

use super::*;

use std::path::PathBuf;

use glam::DVec3;
use spinenet_viewer::dicom::{SeriesHeader, load_series, scan_folder, write_series};
use spinenet_viewer::pipeline::{DEMO_SEED, DeviceChoice, prepare_demo};
use spinenet_viewer::task::CancelToken;
use spinenet_viewer::ui::action::{FileAction, ReadAction, UiAction, ViewAction};
use spinenet_viewer::ui::companion::{CommonSpace, CompanionAction};
use spinenet_viewer::ui::state::{PathPurpose, SeriesGrid, ViewLayout};
use spinenet_viewer::volume::{SectionAxis, Volume, VolumeGeometry};
use spinenet_viewer::worker::{Inference, WorkerHandle};

/// Where the patient of the prior lies relative to the other examination, mm.
const MOVED: DVec3 = DVec3::new(6.0, -14.0, 38.0);

/// Folders of an examination with a sagittal and an axial series, and of one a year before.
pub(crate) struct Examinations {
    pub(crate) today: PathBuf,
    pub(crate) prior: PathBuf,
}

fn header(examination: &str, date: &str) -> SeriesHeader {
    let mut header = SeriesHeader::synthetic_t2_sagittal(&format!("companion {examination}"));
    date.clone_into(&mut header.texts.study_date);
    header
}

/// Axial slices 8 mm apart, cut out of a sagittal stack.
pub(crate) fn axial_stack(volume: &Volume) -> Volume {
    let step = (8.0 / volume.geometry().row_spacing_mm()).round() as usize;
    let rows = (0..volume.rows()).rev().step_by(step);
    let sections: Vec<_> = rows.filter_map(|row| volume.section(SectionAxis::Row, row as f64)).collect();
    let first = sections[0].volume.geometry();
    let origins = sections.iter().map(|section| section.volume.geometry().slice_origins_lps()[0]).collect();
    let spacing = (first.row_spacing_mm(), first.column_spacing_mm());
    let geometry = VolumeGeometry::new(origins, first.column_direction(), first.row_direction(), spacing.0, spacing.1);
    let shape = sections[0].volume.shape();
    let voxels = sections.iter().flat_map(|section| section.volume.voxels().to_vec()).collect();
    Volume::new(shape[1], shape[2], voxels, geometry.expect("valid")).expect("matching size")
}

/// The same patient, lying elsewhere in the scanner.
fn moved(volume: &Volume) -> Volume {
    let geometry = volume.geometry();
    let origins = geometry.slice_origins_lps().iter().map(|origin| *origin + MOVED).collect();
    let spacing = (geometry.row_spacing_mm(), geometry.column_spacing_mm());
    let moved =
        VolumeGeometry::new(origins, geometry.column_direction(), geometry.row_direction(), spacing.0, spacing.1);
    Volume::new(volume.rows(), volume.columns(), volume.voxels().to_vec(), moved.expect("valid")).expect("same size")
}

pub(crate) fn examinations(folder: &Path) -> Examinations {
    let cancel = CancelToken::default();
    let made = prepare_demo(Some(&folder.join("made")), DEMO_SEED, &cancel, &mut |_| ()).expect("a study");
    let scan = scan_folder(made.folder(), &cancel, &mut |_| ()).expect("readable");
    let volume = load_series(scan.t2_sagittal().expect("one"), &cancel, &mut |_| ()).expect("readable").volume;
    let (today, prior) = (folder.join("today"), folder.join("prior"));
    write_series(&today.join("sagittal"), &volume, &header("today", "20260301")).expect("written");
    let mut axial = header("today", "20260301");
    axial.series_number = 2;
    "T2 TSE AX".clone_into(&mut axial.texts.series_description);
    write_series(&today.join("axial"), &axial_stack(&volume), &axial).expect("written");
    write_series(&prior, &moved(&volume), &header("prior", "20250210")).expect("written");
    Examinations { today, prior }
}

fn opened(study: &Path, work: &Path) -> WindowOf<Inference> {
    let worker = WorkerHandle::spawn(DeviceChoice::Cpu, None, || ()).expect("the processor and a thread");
    let mut window = window_of(worker, work, SIZE, 1.0);
    window.state_mut().open_folder(study.to_owned());
    wait_for(&mut window, "the vertebrae", |viewer| !viewer.state.reading.discs.is_empty());
    window
}

fn ask(window: &mut WindowOf<Inference>, action: impl Into<UiAction>) {
    let context = window.ctx.clone();
    window.state_mut().apply(&context, action);
    window.run();
}

/// The place that the read series shows, LPS.
fn looked_at(window: &WindowOf<Inference>) -> DVec3 {
    let state = &window.state().state;
    let [row, column] = state.crosshair();
    state.loaded().expect("a series").volume.geometry().lps_from_voxel([state.view.slice as f64, row, column])
}

#[test]
fn an_axial_series_follows_the_disc_and_a_prior_is_matched_by_its_vertebrae() {
    let folder = scratch();
    let Examinations { today, prior } = examinations(folder.path());
    let mut window = opened(&today, &folder.path().join("work"));
    ask(&mut window, ViewAction::SetLayout(ViewLayout::Series(SeriesGrid::OneByTwo)));
    wait_for(&mut window, "the axial series", |viewer| viewer.state.beside().image.ready().is_some());
    let axial = window.state().state.beside().image.ready().expect("loaded").clone();
    assert!(axial.volume.geometry().normal().z.abs() > 0.99);

    // Another disc, another axial slice; the sagittal image shows where it lies.
    for level in [DiscLevel::L2L3, DiscLevel::L4L5] {
        ask(&mut window, ReadAction::SelectDisc(level));
        let companion = window.state().state.beside();
        let height = axial.volume.geometry().slice_origins_lps()[companion.slice].z;
        assert!((height - looked_at(&window).z).abs() <= 4.5, "{level}");
        let read = window.state().state.loaded().expect("a series");
        let line = companion.line_on(read, window.state().state.view.slice).expect("it crosses the image");
        let [_, row, _] = window.state().state.disc(level).expect("found").center_voxel;
        assert!((line[0].y - row).abs() * read.volume.geometry().row_spacing_mm() <= 4.5, "{level}: {line:?}");
    }
    // Scrolling through the axial slices moves the place that the sagittal image shows.
    let before = looked_at(&window);
    let at = window.get_by_label_contains("Series beside").rect().center();
    window.hover_at(at);
    window.step();
    let (unit, delta) = (MouseWheelUnit::Line, vec2(0.0, -1.0));
    let (phase, source, modifiers) = (TouchPhase::Move, MouseWheelSource::Unknown, Modifiers::NONE);
    window.event(Event::MouseWheel { unit, delta, phase, source, modifiers });
    window.run();
    let step = looked_at(&window) - before;
    assert!((step.z.abs() - 8.0).abs() < 4.5 && step.truncate().length() < 0.5, "{step}");

    // A prior joins: its own examination in the list, matched by the vertebrae.
    let listed = window.state().state.study.series_list.len();
    ask(&mut window, FileAction::Chosen(PathPurpose::AddStudy, prior.clone()));
    wait_for(&mut window, "the match", |viewer| matches!(viewer.state.beside().space, CommonSpace::BySpine(_)));
    assert_eq!(window.state().state.study.series_list.len(), listed + 1);
    window.get_by_label_contains("2025-02-10  Synthetic");
    assert!(window.state().state.banners.is_empty(), "the same patient");
    ask(&mut window, ReadAction::SelectDisc(DiscLevel::L4L5));
    let state = &window.state().state;
    let found = state.beside().there(looked_at(&window)) - looked_at(&window);
    assert!((found - MOVED).length() < 2.0, "{found}");
    let read = state.loaded().expect("a series");
    assert!(state.beside().is_parallel(read) && state.beside().line_on(read, state.view.slice).is_none());
    assert_eq!(state.beside().slice, state.view.slice, "the same slice of the same stack");

    // Unlinked it leafs alone; linked again, what is shown then is one place.
    ask(&mut window, CompanionAction::ToggleLink);
    ask(&mut window, CompanionAction::Step(2));
    assert_eq!(window.state().state.beside().slice, window.state().state.view.slice + 2);
    ask(&mut window, CompanionAction::ToggleLink);
    ask(&mut window, ViewAction::StepSlices(-1));
    assert_eq!(window.state().state.beside().slice, window.state().state.view.slice + 2, "they move together");

    // The same folder again adds nothing.
    ask(&mut window, FileAction::Chosen(PathPurpose::AddStudy, prior));
    wait_for(&mut window, "the message", |viewer| !viewer.state.banners.is_empty());
    window.get_by_label("No study was added. It is open already.");
    assert_eq!(window.state().state.study.series_list.len(), listed + 1);

    // The study of somebody else opens beside it too, but not without a word.
    let stranger = folder.path().join("stranger");
    let mut other = header("stranger", "20250101");
    "SOMEBODY".clone_into(&mut other.texts.patient_id);
    let read = window.state().state.loaded().expect("a series").volume.clone();
    write_series(&stranger, &read, &other).expect("written");
    ask(&mut window, FileAction::Chosen(PathPurpose::AddStudy, stranger));
    wait_for(&mut window, "the warning", |viewer| viewer.state.banners.len() > 1);
    window.get_by_label_contains("names another patient");
}
