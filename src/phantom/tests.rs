use std::sync::OnceLock;

use glam::DVec2;

use super::*;
use crate::spine::{Corners, PixelBox, VertebraLabel, discs_between};

const LEVELS_WITH_FINDINGS: [DiscLevel; 2] = [DiscLevel::L2L3, DiscLevel::L4L5];

fn healthy() -> &'static PhantomStudy {
    static STUDY: OnceLock<PhantomStudy> = OnceLock::new();
    STUDY.get_or_init(|| Phantom::with_settings(&PhantomSettings::new(3).healthy()))
}

/// The same patient with every finding at two levels, the other four discs healthy.
fn sick() -> &'static PhantomStudy {
    static STUDY: OnceLock<PhantomStudy> = OnceLock::new();
    STUDY.get_or_init(|| {
        let mut settings = PhantomSettings::new(3).healthy();
        for level in LEVELS_WITH_FINDINGS {
            for grading in Grading::ALL {
                let worst = grading.grade_from_class(grading.classes() - 1);
                settings = settings.with_grade(level, grading, worst).expect("the worst grade exists");
            }
        }
        Phantom::with_settings(&settings)
    })
}

fn vertebra(study: &PhantomStudy, label: VertebraLabel) -> &Vertebra {
    study.vertebrae.iter().find(|vertebra| vertebra.label == label).expect("T12 to S1 are in the image")
}

/// Slice through the middle of the disc, and its neighbours' corners there.
fn mid_disc(study: &PhantomStudy, level: DiscLevel) -> (usize, Corners, Corners) {
    let disc = discs_between(&study.vertebrae).into_iter().find(|disc| disc.level == level).expect("all discs");
    let slice = disc.center_voxel[0].round();
    let corners = |vertebra: &Vertebra| vertebra.corners_at(slice).expect("outlines");
    (slice as usize, corners(&disc.upper), corners(&disc.lower))
}

fn mean_around(study: &PhantomStudy, slice: usize, center: DVec2) -> f32 {
    let near = (-2..=2).flat_map(|row| (-2..=2).map(move |column| DVec2::new(f64::from(column), f64::from(row))));
    let values: Vec<f32> =
        near.map(|step| study.volume.sample_bilinear(slice, center.x + step.x, center.y + step.y).unwrap()).collect();
    values.iter().sum::<f32>() / values.len() as f32
}

fn disc_middle(upper: &Corners, lower: &Corners) -> DVec2 {
    (upper.ia + upper.ip + lower.sa + lower.sp) / 4.0
}

#[test]
fn a_seed_gives_the_same_study_whatever_the_number_of_threads() {
    let with_threads = |count| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().expect("threads");
        pool.install(|| Phantom::generate(11))
    };
    let (one, three) = (with_threads(1), with_threads(3));
    assert_eq!(one, three);
    assert_ne!(one.volume.voxels(), healthy().volume.voxels());
}

#[test]
fn the_study_is_a_sagittal_series_of_clinical_size() {
    for study in [healthy(), sick()] {
        let geometry = study.volume.geometry();
        assert_eq!(geometry.plane(), crate::volume::PlaneOrientation::Sagittal);
        assert_eq!(crate::volume::orientation_letters(geometry.column_direction()), "P");
        assert_eq!(crate::volume::orientation_letters(geometry.row_direction()), "F");
        let spacing = geometry.slice_spacing_mm().expect("several slices");
        assert!((4.0..4.8).contains(&spacing) && (13..=17).contains(&study.volume.slices()));
        assert!(study.volume.voxels().iter().all(|value| *value >= 0.0 && value.fract() == 0.0 && *value < 32_767.0));
    }
}

#[test]
fn bodies_t12_to_s1_are_outlined_in_order() {
    for study in [healthy(), sick()] {
        let labels: Vec<VertebraLabel> = study.vertebrae.iter().map(|vertebra| vertebra.label).collect();
        assert!(labels.is_sorted() && labels.contains(&VertebraLabel::T12) && labels.ends_with(&[VertebraLabel::S1]));
        assert_eq!(discs_between(&study.vertebrae).len(), 6);
        for vertebra in &study.vertebrae {
            assert!(vertebra.outlines.len() >= 5, "{} on {} slices", vertebra.label, vertebra.outlines.len());
            assert!(vertebra.outlines.windows(2).all(|pair| pair[0].slice < pair[1].slice));
            for outline in &vertebra.outlines {
                let corners = outline.corners;
                assert!(corners.sa.x < corners.sp.x && corners.ia.x < corners.ip.x, "anterior is left");
                assert!(corners.sa.y < corners.ia.y && corners.sp.y < corners.ip.y, "superior is up");
                assert!(corners.contains(corners.center()));
            }
        }
    }
}

#[test]
fn outlines_lie_on_the_edge_of_the_bone() {
    // Just inside a corner there is marrow or cortex; the middle of each side has dark cortex near it and marrow within.
    let study = healthy();
    for label in [VertebraLabel::L1, VertebraLabel::L3, VertebraLabel::L4] {
        let body = vertebra(study, label);
        let slice = body.center_slice().round();
        let corners = body.corners_at(slice).expect("outlines");
        let marrow = mean_around(study, slice as usize, corners.center());
        for (a, b) in [(corners.sa, corners.sp), (corners.ip, corners.ia)] {
            let middle = (a + b) / 2.0;
            let inward = (corners.center() - middle).normalize();
            let darkest = (-4..=8)
                .map(|step| middle + inward * (0.5 * f64::from(step)))
                .map(|at| study.volume.sample_bilinear(slice as usize, at.x, at.y).expect("inside"))
                .fold(f32::INFINITY, f32::min);
            assert!(darkest < 0.65 * marrow, "{label}: {darkest} against marrow {marrow}");
            let within = mean_around(study, slice as usize, middle + inward * 14.0);
            assert!((within / marrow - 1.0).abs() < 0.5, "{label}: {within} within against {marrow}");
        }
    }
}

#[test]
fn asked_grades_are_given_and_impossible_ones_refused() {
    for (level, grades) in &sick().grades {
        for (grading, grade) in grades.iter() {
            let class = if LEVELS_WITH_FINDINGS.contains(level) { grading.classes() - 1 } else { 0 };
            assert_eq!(*grade, grading.grade_from_class(class), "{level} {grading}");
        }
    }
    let refused = PhantomSettings::new(1).with_grade(DiscLevel::L4L5, Grading::Pfirrmann, 6);
    assert_eq!(refused, Err(PhantomError::NoSuchGrade { grading: Grading::Pfirrmann, grade: 6 }));
}

#[test]
fn degeneration_darkens_and_narrowing_flattens_the_disc() {
    for level in LEVELS_WITH_FINDINGS {
        let look = |study: &PhantomStudy| {
            let (slice, upper, lower) = mid_disc(study, level);
            let nucleus = mean_around(study, slice, disc_middle(&upper, &lower));
            let marrow = mean_around(study, slice, upper.center());
            // Across the disc only: the body has slipped as well.
            let down = (lower.sp - lower.sa).normalize().perp();
            (nucleus / marrow, (lower.sa + lower.sp - upper.ia - upper.ip).dot(down) / 2.0)
        };
        let ((bright, tall), (dark, flat)) = (look(healthy()), look(sick()));
        assert!(bright > 1.3, "{level}: a nucleus of grade I is brighter than marrow, got {bright}");
        assert!(dark < 0.7, "{level}: a disc of grade V is black, got {dark}");
        assert!(flat < 0.6 * tall, "{level}: {flat} against {tall} pixels");
    }
}

#[test]
fn a_slip_moves_the_upper_body_forward() {
    for level in LEVELS_WITH_FINDINGS {
        let slip = |study: &PhantomStudy| {
            let (_, upper, lower) = mid_disc(study, level);
            let depth = lower.sp - lower.sa;
            (lower.sp - upper.ip).dot(depth) / depth.length_squared()
        };
        assert!(slip(healthy()).abs() < 0.09, "{level}: {}", slip(healthy()));
        assert!(slip(sick()) > 0.10, "{level}: {}", slip(sick()));
    }
}

#[test]
fn stenosis_takes_the_fluid_out_of_the_canal() {
    let level = DiscLevel::L4L5;
    let settings = PhantomSettings::new(3).healthy().with_grade(level, Grading::CentralCanalStenosis, 1);
    let stenotic = Phantom::with_settings(&settings.expect("there is such a grade"));
    assert_eq!(stenotic.vertebrae, healthy().vertebrae, "one finding leaves the rest of the patient alone");
    let bright = |study: &PhantomStudy| {
        let (slice, upper, lower) = mid_disc(study, level);
        let marrow = mean_around(study, slice, upper.center());
        let posterior = (lower.sp - lower.sa).normalize();
        let wall = (upper.ip + lower.sp) / 2.0;
        // The sac lies within 13 mm of the wall.
        let steps = (13.0 / study.volume.geometry().column_spacing_mm()) as u32;
        let value = |step: u32| {
            let at = wall + posterior * f64::from(step);
            study.volume.sample_bilinear(slice, at.x, at.y).expect("inside")
        };
        (2..steps).filter(|step| value(*step) > 1.3 * marrow).count()
    };
    let (open, narrow) = (bright(healthy()), bright(&stenotic));
    assert!(narrow * 2 < open, "{narrow} of {open} bright pixels");
}

#[test]
fn findings_have_boxes_and_nothing_else_has() {
    assert!(healthy().boxes.is_empty());
    let study = sick();
    for level in DiscLevel::ALL {
        for grading in Grading::ALL {
            let count = study.boxes.iter().filter(|found| found.level == level && found.grading == grading).count();
            let boxed = !matches!(grading, Grading::Pfirrmann | Grading::DiscNarrowing);
            let expected = boxed && LEVELS_WITH_FINDINGS.contains(&level);
            assert_eq!(count > 0, expected, "{level} {grading}: {count} boxes");
        }
    }
    let edge = PixelBox { x: -0.5, y: -0.5, width: study.volume.columns() as f64, height: study.volume.rows() as f64 };
    for found in &study.boxes {
        assert!(found.slice < study.volume.slices());
        assert!(found.rect.area() > 4.0 && (found.rect.intersection(&edge) - found.rect.area()).abs() < 1e-9);
        let body = match found.grading {
            Grading::UpperEndplateDefect | Grading::UpperMarrowChange => found.level.upper(),
            _ => found.level.lower(),
        };
        let corners = vertebra(study, body).corners_at(found.slice as f64).expect("outlines");
        let center = DVec2::new(found.rect.x + found.rect.width / 2.0, found.rect.y + found.rect.height / 2.0);
        assert!(center.distance(corners.center()) < 80.0, "{} {} lies far from {body}", found.level, found.grading);
    }
}

#[test]
fn marrow_changes_show_in_their_boxes() {
    let study = sick();
    for level in LEVELS_WITH_FINDINGS {
        let boxes =
            study.boxes.iter().filter(|found| found.level == level && found.grading == Grading::LowerMarrowChange);
        let ratios: Vec<f32> = boxes
            .map(|found| {
                let rect = found.rect;
                let values: Vec<f32> = (0..25)
                    .map(|step| {
                        let (x, y) = (f64::from(step % 5) * 0.2 + 0.1, f64::from(step / 5) * 0.2 + 0.1);
                        let at = (rect.x + x * rect.width, rect.y + y * rect.height);
                        study.volume.sample_bilinear(found.slice, at.0, at.1).expect("inside")
                    })
                    .collect();
                let corners = vertebra(study, level.lower()).corners_at(found.slice as f64).expect("outlines");
                let marrow = mean_around(study, found.slice, (corners.ia + corners.ip + corners.center()) / 3.0);
                let highest = values.iter().copied().fold(0.0, f32::max);
                let lowest = values.iter().copied().fold(f32::INFINITY, f32::min);
                (highest / marrow).max(marrow / lowest.max(1.0) * 0.5)
            })
            .collect();
        let most = ratios.iter().copied().fold(0.0, f32::max);
        assert!(most > 1.2, "{level}: contrast {most}");
    }
}

#[test]
fn usual_pathology_has_every_grade_about_as_often_as_in_life() {
    let mut counts = PerGrading::from_fn(|grading| vec![0_usize; grading.classes()]);
    for seed in 0..400 {
        let settings = PhantomSettings::new(seed);
        for finding in pathology::draw(&mut stream(seed, 0), &settings).values() {
            for (grading, grade) in finding.grades.iter() {
                counts[grading][grading.class_from_grade(*grade).expect("drawn grades exist")] += 1;
            }
        }
    }
    for (grading, counts) in counts.iter() {
        let share = |class: usize| counts[class] as f64 / 2400.0;
        assert!((0..grading.classes()).all(|class| share(class) > 0.015), "{grading}: {counts:?}");
    }
    // SPIDER: Pfirrmann III at three discs of ten, endplate defects at 40 %, slips at 2.7 %.
    let share = |grading: Grading, class: usize| counts[grading][class] as f64 / 2400.0;
    assert!((0.2..0.4).contains(&share(Grading::Pfirrmann, 2)), "{counts:?}");
    assert!((0.25..0.5).contains(&share(Grading::UpperEndplateDefect, 1)), "{counts:?}");
    assert!((0.02..0.08).contains(&share(Grading::Spondylolisthesis, 1)), "{counts:?}");
}
