use std::sync::OnceLock;

use glam::DVec2;

use super::parameters::{DistractorRates, PathologyRates, Span};
use super::scene::{MASK_CANAL, MASK_DISC, MASK_VERTEBRA};
use super::*;
use crate::spine::{
    Corners, DiscFrame, PATCH_COLUMNS, PATCH_ROWS, PATCH_SLICES, PixelBox, VertebraLabel, discs_between,
};

const LEVELS_WITH_FINDINGS: [DiscLevel; 2] = [DiscLevel::L2L3, DiscLevel::L4L5];

/// A patient without lookalikes in a quiet TSE scan, so that differences are those asked for.
fn plain() -> PhantomSettings {
    let mut settings = PhantomSettings::new(3).healthy();
    let parameters = &mut settings.parameters;
    parameters.pathology = PathologyRates { lumbarized: 0.0, sacralized: 0.0, ..PathologyRates::default() };
    parameters.distractors =
        DistractorRates { hemangioma: 0.0, fracture: 0.0, tarlov_cyst: 0.0, facet_fluid: 0.0, laminectomy: 0.0 };
    let scanner = &mut parameters.scanner;
    (scanner.space, scanner.saturation, scanner.ghosted, scanner.moved) = (0.0, 0.0, 0.0, 0.0);
    (scanner.thickness_mm, scanner.slices) = (Span { low: 4.0, high: 4.4 }, [13, 17]);
    scanner.pixel_mm = Span { low: 0.55, high: 0.68 };
    (scanner.stretched, scanner.phase_across, scanner.wrapped) = (0.0, 0.0, 0.0);
    settings
}

fn healthy() -> &'static PhantomStudy {
    static STUDY: OnceLock<PhantomStudy> = OnceLock::new();
    STUDY.get_or_init(|| Phantom::with_settings(&plain()))
}

/// The same patient with every finding at two levels, the other four discs healthy.
fn sick() -> &'static PhantomStudy {
    static STUDY: OnceLock<PhantomStudy> = OnceLock::new();
    STUDY.get_or_init(|| {
        let mut settings = plain();
        for level in LEVELS_WITH_FINDINGS {
            for grading in PhantomSettings::GRADINGS {
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
        assert!((4.0..5.3).contains(&spacing) && (13..=17).contains(&study.volume.slices()));
        assert!(study.volume.voxels().iter().all(|value| *value >= 0.0 && value.fract() == 0.0 && *value < 4096.0));
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
    let refused = PhantomSettings::new(1).with_grade(DiscLevel::L4L5, Grading::DiscBulging, 1);
    assert_eq!(refused, Err(PhantomError::NoSuchGrading(Grading::DiscBulging)));
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
        assert!(bright > 1.1, "{level}: a nucleus of grade I is brighter than marrow, got {bright}");
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
    let settings = plain().with_grade(level, Grading::CentralCanalStenosis, 1);
    let stenotic = Phantom::with_settings(&settings.expect("there is such a grade"));
    assert!(stenotic.vertebrae == healthy().vertebrae, "one finding leaves the rest of the patient alone");
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
        for grading in PhantomSettings::GRADINGS {
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

/// Shares of its disc volume that the boxes of every finding of a grading take: the overlap that whole slices reach.
fn shares_of_disc_volume(patients: std::ops::Range<u64>) -> BTreeMap<Grading, Vec<f64>> {
    let mut shares: BTreeMap<Grading, Vec<f64>> = BTreeMap::new();
    for patient in patients.map(|seed| PhantomPatient::draw(&PhantomSettings::new(seed))) {
        let (geometry, boxes) = (patient.geometry(), patient.boxes());
        let (rows, columns) = (patient.acquisition.rows(), patient.acquisition.columns());
        // Where a disc volume lies does not depend on what the slices show, as long as they show something.
        let gray = vec![1.0; geometry.slices() * rows * columns];
        let volume = Volume::new(rows, columns, gray, geometry.clone()).expect("of that size");
        for disc in discs_between(&patient.vertebrae()) {
            let frame = DiscFrame::of_disc(&volume, &disc).expect("outlines are sound");
            let seen: Vec<usize> = (0..PATCH_SLICES).filter_map(|slice| frame.scan_slice(slice)).collect();
            let pixel = geometry.row_spacing_mm() * geometry.column_spacing_mm();
            let whole = (PATCH_ROWS * PATCH_COLUMNS * seen.len()) as f64 * frame.mm_per_patch_pixel().powi(2) / pixel;
            for grading in Grading::ALL {
                let of_finding = boxes.iter().filter(|found| (found.level, found.grading) == (disc.level, grading));
                let area: f64 = of_finding.filter(|found| seen.contains(&found.slice)).map(|b| b.rect.area()).sum();
                if area > 0.0 {
                    shares.entry(grading).or_default().push(area / whole);
                }
            }
        }
    }
    shares
}

#[test]
fn findings_take_as_much_of_a_disc_volume_as_readers_boxed_in_patients() {
    let shares = shares_of_disc_volume(0..200);
    // What whole slices reach in Table 3 of Jamaludin et al. 2017.
    for (gradings, counted) in [
        (&[Grading::UpperEndplateDefect, Grading::LowerEndplateDefect][..], 0.013),
        (&[Grading::UpperMarrowChange, Grading::LowerMarrowChange], 0.023),
        (&[Grading::CentralCanalStenosis], 0.053),
    ] {
        let of_kind: Vec<f64> = gradings.iter().flat_map(|grading| shares[grading].clone()).collect();
        let mean = of_kind.iter().sum::<f64>() / of_kind.len() as f64;
        assert!((mean / counted - 1.0).abs() < 0.2, "{gradings:?}: {mean:.4} against {counted}");
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
fn usual_pathology_is_as_common_and_as_correlated_as_in_the_development_scans() {
    const PATIENTS: u64 = 1500;
    let patients: Vec<_> =
        (0..PATIENTS).map(|seed| pathology::draw(&mut stream(seed, 0), &PhantomSettings::new(seed)).discs).collect();
    let grade = |discs: &BTreeMap<DiscLevel, pathology::DiscPathology>, level: DiscLevel, grading: Grading| {
        f64::from(discs[&level].grades[grading])
    };
    let share = |grading: Grading, class: usize| {
        let wanted = f64::from(grading.grade_from_class(class));
        let all = patients.iter().flat_map(|discs| DiscLevel::ALL.map(|level| grade(discs, level, grading)));
        all.filter(|grade| *grade == wanted).count() as f64 / (6 * PATIENTS) as f64
    };
    for grading in PhantomSettings::GRADINGS {
        assert!((0..grading.classes()).all(|class| share(grading, class) > 0.015), "{grading}");
    }
    // Counted in 970 graded discs: (grading, class, share).
    for (grading, class, counted) in [
        (Grading::Pfirrmann, 0, 0.17),
        (Grading::Pfirrmann, 1, 0.25),
        (Grading::Pfirrmann, 2, 0.28),
        (Grading::Pfirrmann, 3, 0.17),
        (Grading::Pfirrmann, 4, 0.13),
        (Grading::DiscNarrowing, 0, 0.61),
        (Grading::UpperEndplateDefect, 1, 0.40),
        (Grading::LowerEndplateDefect, 1, 0.40),
    ] {
        let drawn = share(grading, class);
        assert!((drawn - counted).abs() < 0.06, "{grading} class {class}: {drawn:.3} against {counted}");
    }
    // Neighbouring levels: (grading, correlation).
    for (grading, counted) in [
        (Grading::Pfirrmann, 0.64),
        (Grading::DiscNarrowing, 0.39),
        (Grading::UpperEndplateDefect, 0.49),
        (Grading::LowerEndplateDefect, 0.50),
    ] {
        let pairs = patients.iter().flat_map(|discs| {
            DiscLevel::ALL.windows(2).map(|pair| [pair[0], pair[1]].map(|level| grade(discs, level, grading)))
        });
        let drawn = correlation(&pairs.collect::<Vec<_>>());
        assert!((drawn - counted).abs() < 0.13, "{grading}: {drawn:.2} against {counted}");
    }
    let ends = patients.iter().flat_map(|discs| {
        DiscLevel::ALL.map(|level| {
            [Grading::UpperEndplateDefect, Grading::LowerEndplateDefect].map(|grading| grade(discs, level, grading))
        })
    });
    let drawn = correlation(&ends.collect::<Vec<_>>());
    assert!((drawn - 0.85).abs() < 0.05, "the two endplates of a disc: {drawn:.2}");
}

fn correlation(pairs: &[[f64; 2]]) -> f64 {
    let count = pairs.len() as f64;
    let mean = [0, 1].map(|side: usize| pairs.iter().map(|pair| pair[side]).sum::<f64>() / count);
    let moment =
        |a: usize, b: usize| pairs.iter().map(|pair| (pair[a] - mean[a]) * (pair[b] - mean[b])).sum::<f64>() / count;
    moment(0, 1) / (moment(0, 0) * moment(1, 1)).sqrt()
}

#[test]
fn a_disc_alone_is_the_disc_of_the_study() {
    let patient = PhantomPatient::draw(&plain());
    let study = healthy();
    for level in DiscLevel::ALL {
        let alone = patient.disc(level, 5).expect("in the image");
        assert_eq!(alone.grades, study.grades[&level]);
        let whole = discs_between(&study.vertebrae).into_iter().find(|disc| disc.level == level).expect("all discs");
        let distance =
            alone.disc.center_lps(alone.volume.geometry()).distance(whole.center_lps(study.volume.geometry()));
        assert!(distance < 0.6 * study.volume.geometry().slice_spacing_mm().expect("slices"), "{level}: {distance} mm");
        let frame = crate::spine::DiscFrame::of_disc(&alone.volume, &alone.disc).expect("a frame");
        let reference = crate::spine::DiscFrame::of_disc(&study.volume, &whole).expect("a frame");
        let (a, b) = (frame.sample(&alone.volume).voxels, reference.sample(&study.volume).voxels);
        let middle = crate::spine::PATCH_VOXELS / 2;
        let pairs: Vec<[f64; 2]> =
            (middle - 5000..middle + 5000).map(|at| [f64::from(a[at]), f64::from(b[at])]).collect();
        assert!(correlation(&pairs) > 0.9, "{level}: {}", correlation(&pairs));
    }
}

#[test]
fn masks_agree_with_the_outlines() {
    let patient = PhantomPatient::draw(&plain());
    let (masks, study) = (patient.masks(), healthy());
    let [_, rows, columns] = study.volume.shape();
    let at = |slice: usize, place: DVec2| {
        masks[(slice * rows + place.y.round() as usize) * columns + place.x.round() as usize]
    };
    for level in DiscLevel::ALL {
        let (slice, upper, lower) = mid_disc(study, level);
        assert_eq!(at(slice, disc_middle(&upper, &lower)), MASK_DISC, "{level}");
        assert_eq!(at(slice, upper.center()), MASK_VERTEBRA, "{level}");
        if level != DiscLevel::L5S1 {
            let posterior = (upper.sp - upper.sa).normalize() * (9.0 / study.volume.geometry().column_spacing_mm());
            assert_eq!(at(slice, (upper.sp + upper.ip) / 2.0 + posterior), MASK_CANAL, "{level}");
        }
    }
    assert_eq!(
        at(mid_disc(study, DiscLevel::L5S1).0, vertebra(study, VertebraLabel::S1).corners_at(7.0).unwrap().center()),
        0
    );
}

#[test]
fn t1_and_localizers_are_in_the_same_study() {
    let patient = PhantomPatient::draw(&plain());
    let (t2, others) = (patient.t2(), patient.companions());
    let kinds: Vec<_> = others.iter().map(|series| series.sequence).collect();
    assert_eq!(kinds, [Sequence::Localizer, Sequence::T1Tse]);
    let localizers = std::iter::once(&others[0].volume).chain(&others[0].other_planes);
    let planes: std::collections::BTreeSet<String> =
        localizers.map(|volume| format!("{:?}", volume.geometry().plane())).collect();
    assert_eq!(planes.len(), 3, "{planes:?}");
    let t1 = &others[1].volume;
    assert_eq!(t1.geometry(), t2.volume.geometry());
    // Fluid is bright on T2 and dark on T1, against the marrow.
    let study = healthy();
    let (slice, upper, lower) = mid_disc(study, DiscLevel::L3L4);
    let behind = (lower.sp - lower.sa).normalize() * (6.0 / t1.geometry().column_spacing_mm());
    let fluid = |volume: &Volume| {
        let value = |at: DVec2| volume.sample_bilinear(slice, at.x, at.y).expect("inside");
        value((lower.sp + lower.ip) / 2.0 + behind) / value(upper.center())
    };
    assert!(fluid(&t2.volume) > 1.4 && fluid(t1) < 0.8, "{} {}", fluid(&t2.volume), fluid(t1));
}

#[test]
fn transitional_anatomy_and_lookalikes_occur() {
    let mut settings = PhantomSettings::new(0);
    let mut counts = std::collections::BTreeMap::new();
    let mut lookalikes = [0; 4];
    for seed in 0..600 {
        settings.seed = seed;
        let drawn = pathology::draw(&mut stream(seed, 0), &settings);
        *counts.entry(format!("{:?}", drawn.transition)).or_insert(0) += 1;
        let present = [
            drawn.fracture.is_some(),
            !drawn.laminectomy.is_empty(),
            !drawn.facet_fluid.is_empty(),
            drawn.tarlov_mm.is_some(),
        ];
        (0..4).for_each(|index| lookalikes[index] += i32::from(present[index]));
    }
    assert!(counts["Lumbarized"] > 5 && counts["Sacralized"] > 5 && counts["None"] > 520, "{counts:?}");
    assert!(lookalikes.iter().all(|count| *count > 8), "{lookalikes:?}");
}

/// Mean difference of the middle slices of two studies of one patient by row, or by column, after equal scaling.
fn differences(a: &PhantomStudy, b: &PhantomStudy, by_row: bool) -> Vec<f32> {
    let [slices, rows, columns] = a.volume.shape();
    let slice = |study: &PhantomStudy| {
        let values = study.volume.slice(slices / 2).to_vec();
        let center = values[rows / 2 * columns..(rows / 2 + 1) * columns].iter().sum::<f32>();
        values.into_iter().map(|value| value * columns as f32 / center).collect::<Vec<f32>>()
    };
    let (a, b) = (slice(a), slice(b));
    let lines = if by_row { rows } else { columns };
    let mut sums = vec![0.0; lines];
    for index in 0..rows * columns {
        let line = if by_row { index / columns } else { index % columns };
        sums[line] += (a[index] - b[index]).abs() * lines as f32 / (rows * columns) as f32;
    }
    sums
}

/// Seed of a patient with a rectangular field of view.
const NARROW: u64 = 5;

#[test]
fn what_lies_beyond_the_field_folds_over_its_ends() {
    for by_row in [true, false] {
        let with = |wrapped: f64| {
            let mut settings = plain();
            // A patient whose field of view is narrower than high, so that something lies beyond its sides, too.
            settings.seed = NARROW;
            let scanner = &mut settings.parameters.scanner;
            scanner.rectangular = Span { low: 0.55, high: 0.55 };
            (scanner.wrapped, scanner.phase_across) = (wrapped, if by_row { 0.0 } else { 1.0 });
            scanner.oversampled_mm = Span { low: 0.0, high: 0.0 };
            scanner.folded = Span { low: 0.9, high: 0.9 };
            Phantom::with_settings(&settings)
        };
        let changed = differences(&with(0.0), &with(1.0), by_row);
        let middle = changed[changed.len() / 2 - 10..changed.len() / 2 + 10].iter().copied().fold(0.0, f32::max);
        let ends = changed[..4].iter().chain(&changed[changed.len() - 4..]).copied().fold(0.0, f32::max);
        assert!(ends > 0.1 && ends > 10.0 * middle, "rows: {by_row}, ends {ends}, middle {middle}");
    }
}

#[test]
fn pixels_that_are_not_square_show_the_same_patient() {
    let mut settings = plain();
    let scanner = &mut settings.parameters.scanner;
    (scanner.stretched, scanner.stretch) = (1.0, Span { low: 1.35, high: 1.35 });
    let patient = PhantomPatient::draw(&settings);
    let study = patient.study();
    let geometry = study.volume.geometry();
    let ratio = geometry.row_spacing_mm() / geometry.column_spacing_mm();
    assert!((ratio - 1.35).abs() < 1e-9, "{ratio}");
    let masks = patient.masks();
    let [_, rows, columns] = study.volume.shape();
    for level in DiscLevel::ALL {
        let (slice, upper, lower) = mid_disc(&study, level);
        let at = |place: DVec2| masks[(slice * rows + place.y.round() as usize) * columns + place.x.round() as usize];
        assert_eq!([at(upper.center()), at(disc_middle(&upper, &lower))], [MASK_VERTEBRA, MASK_DISC], "{level}");
        let body = |study: &PhantomStudy, corners: &Corners| {
            ((corners.sp - corners.sa) * study.volume.geometry().pixel_size_mm()).length()
        };
        let (_, square, _) = mid_disc(healthy(), level);
        let depths = [body(&study, &upper), body(healthy(), &square)];
        assert!((depths[0] - depths[1]).abs() < 1.5, "{level}: {depths:?} mm");
    }
}

#[test]
fn a_slice_alone_is_a_slice_of_the_study() {
    let patient = PhantomPatient::draw(&plain());
    let middle = patient.slices() / 2;
    let (alone, study) = (patient.slice(middle), healthy());
    assert_eq!(alone.geometry().slice_origins_lps()[0], study.volume.geometry().slice_origins_lps()[middle]);
    let pairs = alone.slice(0).iter().zip(study.volume.slice(middle)).map(|(a, b)| [f64::from(*a), f64::from(*b)]);
    let alike = correlation(&pairs.collect::<Vec<_>>());
    assert!(alike > 0.98, "{alike}");
    assert_eq!(patient.vertebrae(), study.vertebrae);
}
