//! The written pictures, drawn from a synthetic scan; on real scans too where the development data is at hand.

use std::path::PathBuf;

use glam::{DVec2, DVec3};

use super::*;
use crate::language::Language;
use crate::spine::{
    BoxRule, BoxSource, Corners, Disc, DiscFrame, DiscLevel, Grading, PATCH_COLUMNS, PATCH_ROWS, PATCH_VOXELS,
    PixelBox, SliceBox, Vertebra, VertebraLabel, VertebraOutline,
};
use crate::volume::{Volume, VolumeGeometry};

/// Slices of 120 × 100 pixels, bright bodies on gray.
fn scan(slices: usize) -> (Volume, Vec<Vertebra>) {
    let origins = (0..slices).map(|slice| DVec3::new(slice as f64 * 4.0, 0.0, 0.0)).collect();
    let geometry = VolumeGeometry::new(origins, DVec3::Y, -DVec3::Z, 1.0, 1.0).expect("valid geometry");
    let body = |label, y: f64| {
        let at = |x: f64, dy: f64| DVec2::new(x, y + dy);
        let corners = Corners { sa: at(30.0, 0.0), sp: at(64.0, 0.0), ip: at(64.0, 26.0), ia: at(30.0, 26.0) };
        let outlines = (0..slices).map(|slice| VertebraOutline { slice, corners }).collect();
        Vertebra { label, confidence: 1.0, outlines }
    };
    let vertebrae = vec![body(VertebraLabel::L4, 15.0), body(VertebraLabel::L5, 50.0), body(VertebraLabel::S1, 85.0)];
    let mut voxels = Vec::new();
    for _ in 0..slices {
        for index in 0..12_000 {
            let (x, y) = (f64::from(index % 100), f64::from(index / 100));
            let bright = vertebrae.iter().any(|body| body.outlines[0].corners.contains(DVec2::new(x, y)));
            voxels.push(if bright { 200.0 } else { 60.0 });
        }
    }
    (Volume::new(120, 100, voxels, geometry).expect("matching size"), vertebrae)
}

fn frame(volume: &Volume, vertebrae: &[Vertebra]) -> DiscFrame {
    let disc = Disc::between(DiscLevel::L4L5, &vertebrae[0], &vertebrae[1]).expect("outlines");
    DiscFrame::of_disc(volume, &disc).expect("good outlines")
}

/// One hot spot in the posterior disc, strongest on the middle slice.
fn values() -> Vec<f32> {
    let value = |index: usize| {
        let (slice, rest) = (index / (PATCH_ROWS * PATCH_COLUMNS), index % (PATCH_ROWS * PATCH_COLUMNS));
        let (row, column) = ((rest / PATCH_COLUMNS) as f32 - 56.0, (rest % PATCH_COLUMNS) as f32 - 180.0);
        let depth = slice as f32 - 4.0;
        (-(row * row + column * column) / 400.0 - depth * depth / 6.0).exp()
    };
    (0..PATCH_VOXELS).map(value).collect()
}

fn figure<'a>(values: &'a [f32], frame: &'a DiscFrame, boxes: Vec<SliceBox>) -> EvidenceFigure<'a> {
    EvidenceFigure {
        language: Language::ENGLISH,
        values,
        frame,
        level: DiscLevel::L4L5,
        grading: Grading::CentralCanalStenosis,
        class: 1,
        probability: Some(0.93),
        method: "Contrastive excitation".to_owned(),
        reading: "at Conv1".to_owned(),
        augmentations: 150,
        percentile: 95.0,
        threshold: 0.35,
        box_rule: BoxRule::All,
        boxes,
        color_map: ColorMap::Ember,
    }
}

fn slice_box(slice: usize, source: BoxSource, rect: [f64; 4]) -> SliceBox {
    let (level, grading) = (DiscLevel::L4L5, Grading::CentralCanalStenosis);
    SliceBox { level, grading, slice, rect: PixelBox::from(rect), source, percentile: None }
}

/// Keeps a picture for a reader's eye where `SPINENET_PICTURES` names a folder.
fn keep(picture: &image::RgbImage, name: &str) {
    if let Some(folder) = std::env::var_os("SPINENET_PICTURES") {
        write_png(picture, &PathBuf::from(folder).join(name)).expect("a writable folder");
    }
}

fn colorful(picture: &image::RgbImage) -> usize {
    picture.pixels().filter(|pixel| pixel.0[0].abs_diff(pixel.0[2]) > 40).count()
}

#[test]
fn an_overlay_shows_evidence_only_on_slices_that_have_it() {
    let (volume, vertebrae) = scan(5);
    let (values, frame) = (values(), frame(&volume, &vertebrae));
    let shown = figure(&values, &frame, vec![slice_box(2, BoxSource::Predicted, [60.0, 40.0, 20.0, 12.0])]);
    let style = OverlayStyle { height: 480, ..OverlayStyle::default() };
    let plain = overlay(&volume, 2, None, &style);
    let covered = overlay(&volume, 2, Some(&shown), &style);
    let edge = overlay(&volume, 0, Some(&shown), &style);
    assert_eq!((plain.width(), plain.height()), (400, 480 + 72));
    assert_eq!(colorful(&plain), 0);
    assert!(colorful(&covered) > 500);
    assert!(colorful(&edge) < colorful(&covered) / 2, "evidence fades away from the middle slice");
    keep(&covered, "overlay.png");
}

#[test]
fn a_box_is_drawn_where_it_lies_in_the_image() {
    let (volume, vertebrae) = scan(5);
    let (values, frame) = (vec![0.0; PATCH_VOXELS], frame(&volume, &vertebrae));
    let boxes = vec![slice_box(2, BoxSource::Predicted, [20.0, 30.0, 40.0, 20.0])];
    let picture = overlay(
        &volume,
        2,
        Some(&figure(&values, &frame, boxes)),
        &OverlayStyle { height: 480, ..OverlayStyle::default() },
    );
    // Four picture pixels to an image pixel, whose (0, 0) is the center of the first pixel.
    let near = |x: u32, y: u32| {
        let pixel = picture.get_pixel(x, y).0;
        pixel[2] > 200 && pixel[0] < 160
    };
    assert!(near((20 * 4) + 2, 40 * 4) && near(60 * 4 + 2, 40 * 4), "left and right edges");
    assert!(near(40 * 4, 30 * 4 + 2) && near(40 * 4, 50 * 4 + 2), "upper and lower edges");
}

#[test]
fn the_sheet_has_a_column_for_each_slice_of_the_scan() {
    let (volume, vertebrae) = scan(11);
    let (values, frame) = (values(), frame(&volume, &vertebrae));
    let boxes = vec![
        slice_box(5, BoxSource::Predicted, [60.0, 40.0, 14.0, 10.0]),
        slice_box(5, BoxSource::Reader, [58.0, 38.0, 12.0, 12.0]),
    ];
    let sheet = figure_sheet(&volume, &figure(&values, &frame, boxes), "Synthetic scan").raster();
    // Nine columns of 224 pixels; the heat map between them is never the color of paper.
    let paper_runs = (0..sheet.width()).filter(|x| {
        let paper = |x: u32| sheet.get_pixel(x, 400).0 == canvas::PAPER;
        *x > 0 && paper(*x) && !paper(*x - 1)
    });
    assert_eq!(paper_runs.count(), 9);
    assert!(colorful(&sheet) > 5000);
    keep(&sheet, "sheet.png");
}

#[test]
fn an_all_zero_map_still_makes_a_sheet() {
    let (volume, vertebrae) = scan(5);
    let (values, frame) = (vec![0.0; PATCH_VOXELS], frame(&volume, &vertebrae));
    let empty = EvidenceFigure { threshold: 0.0, probability: None, ..figure(&values, &frame, vec![]) };
    assert_eq!(empty.strongest(), 1.0);
    assert!(figure_sheet(&volume, &empty, "").width() > 1000);
}

#[test]
fn the_overview_labels_bodies_and_discs() {
    let (volume, vertebrae) = scan(5);
    let note = |level, severity| DiscNote {
        level,
        headline: "Pfirrmann IV".to_owned(),
        detail: "narrowing 3, stenosis".to_owned(),
        severity,
    };
    let notes = [note(DiscLevel::L4L5, 0.2), note(DiscLevel::L5S1, 0.9)];
    let with_notes = study_overview(&volume, &vertebrae, &notes, "Lumbar spine", Language::ENGLISH);
    let without = study_overview(&volume, &[], &[], "Lumbar spine", Language::ENGLISH);
    assert!(with_notes.width() > without.width());
    assert!(colorful(&with_notes) > 1000, "outlines and dots have color");
    keep(&with_notes, "overview.png");
}

#[test]
fn a_picture_that_cannot_be_written_names_its_file() {
    let error = write_png(&image::RgbImage::new(2, 2), "/no-such-folder/x.png".as_ref()).expect_err("no folder");
    assert!(error.to_string().ends_with("/no-such-folder/x.png"), "{error}");
}

/// Pictures of real scans, in the folder that `SPINENET_PICTURES` names.
#[test]
#[ignore = "makes pictures for a reader's eye"]
fn real_scans_make_sheets() {
    let data = crate::needs::data("spider-dev").expect("the development data");
    let cases = crate::training::spider::load_cases(&data).expect("readable data");
    let stack = cases.iter().find(|case| case.volume.slices() > 20).expect("a stack");
    let single = cases.iter().find(|case| case.volume.slices() == 1 && case.discs.len() > 4).expect("a single slice");
    for (case, name) in [(stack, "stack"), (single, "single")] {
        let disc = case.discs.iter().find(|disc| disc.disc.level == DiscLevel::L5S1).expect("an L5-S1 disc");
        let frame = DiscFrame::of_disc(&case.volume, &disc.disc).expect("good outlines");
        let (values, middle) = (values(), case.volume.slices() / 2);
        let center = frame.image_from_patch(56.0, 180.0);
        let boxes = (0..case.volume.slices())
            .map(|slice| slice_box(slice, BoxSource::Predicted, [center.x - 12.0, center.y - 14.0, 24.0, 26.0]))
            .collect();
        let shown = EvidenceFigure { level: DiscLevel::L5S1, ..figure(&values, &frame, boxes) };
        for color_map in ColorMap::ALL {
            let shown = EvidenceFigure { color_map, ..shown.clone() };
            let file = format!("{name}-sheet-{}.png", color_map.name());
            keep(&figure_sheet(&case.volume, &shown, "T2 sagittal").raster(), &file);
        }
        keep(&overlay(&case.volume, middle, Some(&shown), &OverlayStyle::default()), &format!("{name}-overlay.png"));
        let note = |disc: &crate::training::spider::LabelledDisc| DiscNote {
            level: disc.disc.level,
            headline: "Pfirrmann III".to_owned(),
            detail: "Narrowing 2, upper endplate defect, central canal stenosis".to_owned(),
            severity: disc.disc.level.index() as f32 / 5.0,
        };
        let notes: Vec<DiscNote> = case.discs.iter().map(note).collect();
        let overview = study_overview(&case.volume, &case.vertebrae, &notes, "T2 sagittal", Language::ENGLISH);
        keep(&overview, &format!("{name}-overview.png"));
    }
}
