//! How evidence is chosen, shown, compared and measured.

use super::*;
use spinenet_viewer::picture::EvidenceFill;
use spinenet_viewer::pipeline::CURVE_PERCENTILES;
use spinenet_viewer::saliency::{EvidenceWay, SaliencyLayer, SaliencyMethod};
use spinenet_viewer::spine::{BoxRule, BoxSource};
use spinenet_viewer::ui::action::{EvidenceAction, ReadAction, ViewAction};
use spinenet_viewer::ui::state::{BesideChoice, ViewLayout};

fn select(window: &mut Window, level: DiscLevel, grading: Grading) {
    apply(window, ReadAction::Select(Selection { level, grading }));
    wait_for(window, "the evidence map", |viewer| viewer.state.evidence.main.request.ready().is_some());
}

/// Share of the pixels around the middle of L4-L5 in which two pictures of the window differ.
fn changed(window: &Window, [one, other]: [&RgbaImage; 2], size: Vec2) -> f64 {
    let center = disc(DiscLevel::L4L5).center_voxel;
    let area = egui::Rect::from_center_size(on_screen(window, DVec2::new(center[2], center[1])), size);
    let (one, other) = (cut(one, area), cut(other, area));
    let differs = |(a, b): &(&image::Rgba<u8>, &image::Rgba<u8>)| (0..3).any(|at| a.0[at].abs_diff(b.0[at]) > 20);
    let count = one.pixels().zip(other.pixels()).filter(differs).count();
    count as f64 / f64::from(one.width() * one.height())
}

#[test]
fn evidence_is_shown_filled_or_as_its_contour() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let filled = picture(&mut window);
    window.key_press(Key::E);
    let bare = picture(&mut window);
    window.key_press(Key::E);
    window.key_press(Key::G);
    let contour = picture(&mut window);
    assert_eq!(window.state().state.evidence.fill, EvidenceFill::Contour);
    // Within the hotspot, and with its border.
    let (inside, around) = (vec2(6.0, 4.0), vec2(250.0, 140.0));
    assert!(changed(&window, [&filled, &bare], inside) > 0.9);
    assert!(changed(&window, [&contour, &bare], inside) < 0.1, "the image is seen inside of the contour");
    let (filled, contour) = (changed(&window, [&filled, &bare], around), changed(&window, [&contour, &bare], around));
    assert!(contour > 0.01 && contour < filled, "{contour} and {filled}");
    window.key_press(Key::G);
    window.run();
    assert_eq!(window.state().state.evidence.fill, EvidenceFill::Even);
}

#[test]
fn every_disc_keeps_its_grading_class_and_method() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    apply(&mut window, EvidenceAction::SetMethod(SaliencyMethod::Gradient));
    apply(&mut window, EvidenceAction::SetClass(Some(1)));
    select(&mut window, DiscLevel::L5S1, Grading::DiscNarrowing);
    apply(&mut window, EvidenceAction::SetMethod(SaliencyMethod::Guided));
    assert_eq!(window.state().state.evidence.class, None, "the class was chosen for the other disc");
    apply(&mut window, ReadAction::SelectDisc(DiscLevel::L4L5));
    let state = &window.state().state;
    assert_eq!(state.reading.selection, Some(Selection { level: DiscLevel::L4L5, grading: Grading::Pfirrmann }));
    assert_eq!((state.evidence.class, state.evidence_way().method), (Some(1), SaliencyMethod::Gradient));
    apply(&mut window, ReadAction::SelectDisc(DiscLevel::L5S1));
    let state = &window.state().state;
    assert_eq!(state.reading.selection.map(|selection| selection.grading), Some(Grading::DiscNarrowing));
    assert_eq!(state.evidence_way().method, SaliencyMethod::Guided);
}

#[test]
fn maps_are_made_as_measured_best_and_the_papers_own_are_one_click_away() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    window.get_by_label("Evidence in detail").click();
    window.run();
    window.get_by_label_contains("was never measured");
    let block = r#"{"disc_narrowing": {
        "method": "gradient", "layer": "conv3", "smoothing_mm": 2.0, "box_rule": "largest-of-slice", "percentile": 88.0,
        "measured": {"on": "12 scans", "discs": 30, "iou": 0.41, "iou_interval": [0.35, 0.47],
                     "fixed_place_iou": 0.5, "paper_iou": 0.12}}}"#;
    window.state_mut().state.evidence.defaults = serde_json::from_str(block).expect("valid");
    select(&mut window, DiscLevel::L4L5, Grading::DiscNarrowing);
    let map = |window: &Window| window.state().state.evidence.main.request.ready().cloned().expect("waited for");
    let made = map(&window);
    assert_eq!((made.method, made.layer, made.smoothing_mm), (SaliencyMethod::Gradient, SaliencyLayer::Conv3, 2.0));
    assert_eq!(window.state().state.evidence_way().percentile, 88.0);
    window.run();
    window.get_by_label("at Conv3, smoothed by 2 mm");
    window.get_by_label_contains("Measured on 30 discs (12 scans): its boxes overlap true ones by 0.41");
    window.get_by_label_contains("no better than anatomy does");
    window.get_by_label("as in the paper").click();
    window.run();
    wait_for(&mut window, "the paper's map", |viewer| viewer.state.evidence.main.request.ready().is_some());
    assert_eq!(window.state().state.evidence_way(), EvidenceWay::PAPER);
    assert_eq!(map(&window).method, SaliencyMethod::ContrastiveExcitation);
    window.run();
    window.get_by_label_contains("the paper's own maps overlap true ones by 0.12");
    window.get_by_label("as measured best").click();
    window.run();
    assert_eq!(window.state().state.evidence_way().method, SaliencyMethod::Gradient);
    // Of a grading that was not measured, the paper's way is the usual one.
    select(&mut window, DiscLevel::L4L5, Grading::Pfirrmann);
    assert_eq!(window.state().state.evidence_way(), EvidenceWay::PAPER);
}

#[test]
fn a_learned_location_is_shown_if_wanted_and_only_where_the_grade_that_counts_is_abnormal() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    let stenosis = Selection { level: DiscLevel::L4L5, grading: Grading::CentralCanalStenosis };
    let boxes = |window: &Window| window.state().state.evidence.main.learned_boxes.clone();
    select(&mut window, stenosis.level, stenosis.grading);
    assert_eq!(boxes(&window), [], "off unless chosen");
    let bare = picture(&mut window);
    apply(&mut window, EvidenceAction::ToggleLearnedLocation);
    let found = boxes(&window);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].source, found[0].slice), (BoxSource::LearnedLocation, window.state().state.view.slice));
    // The canal lies behind the disc.
    let rect = found[0].rect;
    let [_, _, center] = disc(DiscLevel::L4L5).center_voxel;
    assert!(rect.x > center && rect.x < center + 40.0 && rect.width < 60.0, "{rect:?}");
    let shown = picture(&mut window);
    assert!(changed(&window, [&shown, &bare], vec2(400.0, 240.0)) > 0.001);
    window.get_by_label("Evidence in detail").click();
    window.run();
    window.get_by_label_contains("(not evidence)");
    // Whoever reads it as normal sees none, and neither does a disc that is graded normal, or a grading that no box taught.
    apply(&mut window, ReadAction::SetGrade { selection: stenosis, class: Some(0) });
    assert_eq!(boxes(&window), []);
    apply(&mut window, ReadAction::SetGrade { selection: stenosis, class: None });
    assert_eq!(boxes(&window).len(), 1);
    select(&mut window, DiscLevel::L3L4, Grading::CentralCanalStenosis);
    assert_eq!(boxes(&window), []);
    select(&mut window, DiscLevel::L4L5, Grading::Pfirrmann);
    assert_eq!(boxes(&window), []);
}

#[test]
fn two_maps_stand_beside_each_other() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    apply(&mut window, ViewAction::SetLayout(ViewLayout::Compare));
    let beside = |viewer: &Viewer<Answers>| viewer.state.evidence.beside.request.ready().cloned();
    wait_for(&mut window, "the second map", |viewer| beside(viewer).is_some());
    let map = beside(window.state()).expect("waited for");
    assert_eq!((map.grading, map.method), (Grading::Pfirrmann, SaliencyMethod::Guided));
    window.get_by_label_contains("Second map, slice");
    let choice = BesideChoice { grading: Some(Grading::Spondylolisthesis), method: SaliencyMethod::Excitation };
    apply(&mut window, EvidenceAction::SetBeside(choice));
    wait_for(&mut window, "another map", |viewer| beside(viewer).is_some());
    let map = beside(window.state()).expect("waited for");
    assert_eq!((map.grading, map.method), (Grading::Spondylolisthesis, SaliencyMethod::Excitation));
    // It follows the selection, and goes with its layout.
    select(&mut window, DiscLevel::L3L4, Grading::Pfirrmann);
    wait_for(&mut window, "the map of the other disc", |viewer| beside(viewer).is_some());
    assert_eq!(beside(window.state()).expect("waited for").level, DiscLevel::L3L4);
    apply(&mut window, ViewAction::SetLayout(ViewLayout::Single));
    assert!(window.state().state.evidence.beside.map.is_none());
}

#[test]
fn overlap_is_shown_by_percentile_and_for_each_rule_of_boxes() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    assert!(window.state().state.iou_by_percentile().is_empty(), "no box is drawn yet");
    window.key_press(Key::B);
    window.run();
    let center = disc(DiscLevel::L4L5).center_voxel;
    let point = |dx: f64, dy: f64| DVec2::new(center[2] + dx, center[1] + dy);
    let (from, to) = (on_screen(&window, point(-14.0, -8.0)), on_screen(&window, point(14.0, 8.0)));
    drag(&mut window, from, to);
    let curve = window.state().state.iou_by_percentile();
    assert_eq!(curve.iter().map(|(percentile, _)| *percentile).collect::<Vec<_>>(), CURVE_PERCENTILES);
    assert!(curve.iter().any(|(_, overlap)| *overlap > 0.0) && curve[0].1 != curve[14].1, "{curve:?}");
    let now = window.state().state.evidence_way().percentile;
    let at = curve.iter().find(|(percentile, _)| *percentile == now).expect("97 is on the curve");
    assert_eq!(window.state().state.volume_iou(), Some(at.1), "the curve and the number agree");
    window.get_by_label_contains("Overlap by percentile, best");
    for rule in BoxRule::ALL {
        apply(&mut window, EvidenceAction::SetBoxRule(rule));
        assert_eq!(window.state().state.evidence_way().box_rule, rule);
        assert!(window.state().state.volume_iou().is_some());
    }
}

#[test]
fn reading_blind_shows_nothing_computed_and_goes_from_disc_to_disc() {
    let folder = scratch();
    let mut window = explained_window(folder.path());
    apply(&mut window, ReadAction::SetReader("AB".to_owned()));
    window.key_press_modifiers(Modifiers::COMMAND, Key::B);
    window.run();
    window.get_by_label("L4-L5 Pfirrmann grade: hidden");
    window.get_by_label_contains("Reading blind");
    assert!(window.query_by_label_contains("85 %").is_none(), "no probability is left on the screen");
    assert!(window.query_by_label_contains("views").is_none(), "nor which class is explained");
    assert!(visible_map(&window).is_none());
    window.key_press(Key::Minus);
    window.run();
    assert_eq!(window.state().state.reading.findings.review, spinenet_viewer::records::Review::default());
    window.get_by_label("L4-L5 Pfirrmann grade: I, read blind");
    // A reading that is under way stays blind; this one is taken back.
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    // A box, the same on the next slice, then the next disc that has none.
    window.key_press(Key::B);
    window.run();
    let [_, row, column] = disc(DiscLevel::L4L5).center_voxel;
    let at = |d: f64| DVec2::new(column + d, row + d);
    let (from, to) = (on_screen(&window, at(-12.0)), on_screen(&window, at(12.0)));
    drag(&mut window, from, to);
    window.key_press_modifiers(Modifiers::SHIFT, Key::B);
    window.run();
    let boxes = window.state().state.reading.findings.boxes.clone();
    assert_eq!((boxes.len(), boxes[1].slice, boxes[1].rect), (2, boxes[0].slice + 1, boxes[0].rect));
    assert_eq!(window.state().state.view.slice, boxes[1].slice);
    assert_eq!(window.state().state.volume_iou(), None, "an overlap would tell where the evidence is");
    let mut levels = Vec::new();
    for _ in 0..6 {
        window.key_press(Key::J);
        window.run();
        levels.push(window.state().state.reading.selection.expect("selected").level);
    }
    assert!(!levels.contains(&DiscLevel::L4L5), "it has a box: {levels:?}");
    assert_eq!((levels[0], levels[5]), (DiscLevel::L5S1, DiscLevel::L5S1), "round the spine without L4-L5");
    window.key_press_modifiers(Modifiers::SHIFT, Key::J);
    window.run();
    assert_eq!(window.state().state.reading.selection.expect("selected").level, DiscLevel::L3L4);
    window.key_press_modifiers(Modifiers::COMMAND, Key::B);
    select(&mut window, DiscLevel::L4L5, Grading::Pfirrmann);
    assert!(window.state().state.volume_iou().is_some() && visible_map(&window).is_some());
    window.get_by_label("L4-L5 Pfirrmann grade: V, 85 %");
}
