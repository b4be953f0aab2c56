//! Which contrast a series has and which part of the signal it shows, by its header.

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;

use super::choice::{Study, Written, times};
use super::put;
use crate::dicom::*;

/// The image type of the chosen stack of a series that holds a stack of each of `image_types`.
fn chosen_image_type(image_types: &[&str]) -> Option<String> {
    let mut study = Study::new();
    study.add_changed(
        Written { slices: 5 * image_types.len(), description: "T2W SAG", ..Written::default() },
        |index, object| {
            put(object, tags::IMAGE_TYPE, VR::CS, image_types[index / 5]);
            let position = format!("{}\\-60\\80", 4 * (index % 5));
            put(object, tags::IMAGE_POSITION_PATIENT, VR::DS, position);
        },
    );
    let scan = study.scan();
    assert!(scan.series.iter().all(|series| series.slices == 5 && !series.choice.reason.is_empty()));
    scan.t2_sagittal().map(|series| series.image_type.clone())
}

#[test]
fn of_dixon_images_those_in_phase_are_chosen_else_water() {
    let siemens = ["DERIVED\\PRIMARY\\DIXON\\FAT", "DERIVED\\PRIMARY\\DIXON\\WATER"];
    let philips = [
        "ORIGINAL\\PRIMARY\\F\\F\\DERIVED",
        "ORIGINAL\\PRIMARY\\OP\\OP\\DERIVED",
        "ORIGINAL\\PRIMARY\\W\\W\\DERIVED",
        "ORIGINAL\\PRIMARY\\IP\\IP\\DERIVED",
    ];
    assert_eq!(chosen_image_type(&philips).as_deref(), Some(philips[3]));
    assert_eq!(chosen_image_type(&philips[..3]).as_deref(), Some(philips[2]));
    assert_eq!(chosen_image_type(&philips[..2]), None);
    assert_eq!(chosen_image_type(&siemens).as_deref(), Some(siemens[1]));
    for spelling in [
        ["FAT ONLY", "WATER ONLY", "OUT PHASE", "IN PHASE"],
        ["FATIMAGE", "WATERIMAGE", "OUTPHASEIMAGE", "INPHASEIMAGE"],
        ["FAT_IMAGE", "WATER_IMAGE", "OPP_PHASE", "IN_PHASE_IMAGE"],
        ["FI", "WI", "OPPOSED", "INPHASE"],
    ] {
        let types = spelling.map(|name| format!("ORIGINAL\\PRIMARY\\M\\{name}"));
        let types: Vec<&str> = types.iter().map(String::as_str).collect();
        assert_eq!(chosen_image_type(&types).as_deref(), Some(types[3]));
        assert_eq!(chosen_image_type(&types[..3]).as_deref(), Some(types[1]));
    }
    let parts = [
        "ORIGINAL\\PRIMARY\\I\\ND",
        "ORIGINAL\\PRIMARY\\M\\ND",
        "ORIGINAL\\PRIMARY\\P\\ND",
        "ORIGINAL\\PRIMARY\\R\\ND",
    ];
    assert_eq!(chosen_image_type(&parts).as_deref(), Some(parts[1]));
    for names in [
        ["FAT: Sag T2 FLEX", "WATER: Sag T2 FLEX", "OutPhase: Sag T2 FLEX", "InPhase: Sag T2 FLEX"],
        ["t2_tse_dixon_sag_F", "t2_tse_dixon_sag_W", "t2_tse_dixon_sag_opp", "t2_tse_dixon_sag_in"],
        ["T2 Dixon Fett sag", "T2 Dixon Wasser sag", "T2 Dixon Gegenphase sag", "T2 Dixon Gleichphase sag"],
        ["SAG T2 IDEAL graisse", "SAG T2 IDEAL eau", "SAG T2 IDEAL hors phase", "SAG T2 IDEAL en phase"],
        ["F mDIXON T2 TSE sag", "W mDIXON T2 TSE sag", "OP mDIXON T2 TSE sag", "IP mDIXON T2 TSE sag"],
        ["t2_dixon_sag_F_ND", "t2_dixon_sag_W_ND", "t2_dixon_sag_OP_ND", "t2_dixon_sag_IP_ND"],
    ] {
        let mut study = Study::new();
        for (place, description) in names.into_iter().enumerate() {
            study.add(Written { description, ..Written::default() });
            let expected = [None, Some(2), Some(2), Some(4)][place];
            assert_eq!(study.chosen(), expected, "{:?}", &names[..=place]);
        }
    }
}

/// The echo time of the chosen stack of a series with these echoes.
fn chosen_echo(description: &str, echoes: &[&str]) -> Option<f64> {
    let mut study = Study::new();
    add_echoes(&mut study, description, echoes);
    study.scan().t2_sagittal().and_then(|series| series.texts.echo_time_ms)
}

fn add_echoes(study: &mut Study, description: &str, echoes: &[&str]) {
    let slices = 5 * echoes.len();
    study.add_changed(Written { description, slices, ..Written::default() }, |index, object| {
        times(object, "3500", echoes[index % echoes.len()]);
        let position = format!("{}\\-60\\80", 4 * (index / echoes.len()));
        put(object, tags::IMAGE_POSITION_PATIENT, VR::DS, position);
    });
}

#[test]
fn of_several_echoes_the_t2_weighted_one_is_chosen() {
    for description in ["SAG PD/T2", "t2_tse_sag_dual", "SAG DUAL ECHO", "Sag DP T2"] {
        assert_eq!(chosen_echo(description, &["17", "100"]), Some(100.0), "{description}");
    }
    assert_eq!(chosen_echo("SAG T2", &["12", "24", "36", "48", "60", "72", "84", "96", "180"]), Some(84.0));
    let mut study = Study::new();
    add_echoes(&mut study, "sag_8echoes", &["12", "24", "36", "48", "60", "72", "84", "96"]);
    study.add(Written { slices: 5, description: "t2_tse_sag", ..Written::default() });
    assert_eq!(study.chosen(), Some(2), "a T2 series before the echoes of a map");
}

#[test]
fn echoes_that_only_their_numbers_tell_apart_are_not_mixed_and_the_later_one_is_chosen() {
    let mut study = Study::new();
    study.add_changed(Written { description: "SAG PD/T2", slices: 12, ..Written::default() }, |index, object| {
        object.remove_element(tags::ECHO_TIME);
        put(object, tags::ECHO_NUMBERS, VR::IS, format!("{}", index % 2 + 1));
        put(object, tags::IMAGE_POSITION_PATIENT, VR::DS, format!("{}\\-60\\80", 4 * (index / 2)));
        put(object, tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(vec![index as u16 % 2 + 1; 4].into()));
    });
    let scan = study.scan();
    assert_eq!(scan.series.iter().map(|series| series.slices).collect::<Vec<_>>(), [6, 6]);
    let volume = super::load(scan.t2_sagittal().unwrap()).unwrap().volume;
    assert!(volume.voxels().iter().all(|voxel| *voxel == 2.0), "the second echo alone");
    let reason = &scan.series[0].choice.reason;
    assert!(reason.contains("an earlier echo, and so less T2-weighted"), "{reason}");
}

/// Puts an element into the first block of a private group (PS3.5 7.8.1).
fn put_private(
    object: &mut DefaultDicomObject,
    (group, creator, place): (u16, &str, u16),
    vr: VR,
    value: PrimitiveValue,
) {
    put(object, Tag(group, 0x0010), VR::LO, creator);
    put(object, Tag(group, 0x1000 | place), vr, value);
}

#[test]
fn what_makers_say_in_private_elements_alone_is_read() {
    // GE's magnitude, phase, real and imaginary images, whose image type is the same.
    for is_unknown in [false, true] {
        let mut study = Study::new();
        study.add_changed(Written { slices: 20, ..Written::default() }, |index, object| {
            put(object, tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\OTHER");
            put(object, tags::IMAGE_POSITION_PATIENT, VR::DS, format!("{}\\-60\\80", 4 * (index / 4)));
            let part = 3 - index as i16 % 4;
            let sample = PrimitiveValue::U16(vec![part as u16; 4].into());
            put(object, tags::PIXEL_DATA, VR::OW, sample);
            let (vr, value) = if is_unknown {
                (VR::UN, PrimitiveValue::U8(part.to_le_bytes().to_vec().into()))
            } else {
                (VR::SS, PrimitiveValue::from(part))
            };
            put_private(object, (0x0043, "GEMS_PARM_01", 0x2F), vr, value);
        });
        let scan = study.scan();
        assert_eq!(scan.series.len(), 4);
        let volume = super::load(scan.t2_sagittal().unwrap()).unwrap().volume;
        assert!(volume.voxels().iter().all(|voxel| *voxel == 0.0), "the magnitude alone");
        let mut reasons: Vec<&str> = scan.series.iter().map(|series| series.choice.reason.as_str()).collect();
        reasons.sort_unstable();
        assert_eq!(reasons[0], "chosen: T2 sagittal, 5 slices");
        for (reason, part) in reasons[1..].iter().zip(["the imaginary part", "the phase", "the real part"]) {
            assert!(reason.contains(part), "{reason}");
        }
    }
    // Diffusion that is not told by the standard's elements.
    for (group, creator, place, vr, value) in [
        (0x0019, "SIEMENS MR HEADER", 0x0C, VR::IS, PrimitiveValue::from("500")),
        (0x0019, "SIEMENS MR HEADER", 0x0C, VR::UN, PrimitiveValue::U8(b"500 ".to_vec().into())),
        (0x2001, "Philips Imaging DD 001", 0x03, VR::FL, PrimitiveValue::from(500_f32)),
        (0x0029, "MMCPrivate", 0x30, VR::FD, PrimitiveValue::from(500_f64)),
        (0x0065, "Image Private Header", 0x09, VR::FD, PrimitiveValue::from(500_f64)),
        (
            0x0043,
            "GEMS_PARM_01",
            0x39,
            VR::IS,
            PrimitiveValue::Strs(["500", "8", "0", "0"].map(str::to_owned).to_vec().into()),
        ),
        (0x0043, "GEMS_PARM_01", 0x39, VR::UN, PrimitiveValue::U8(b"1000000500\\8\\0\\0".to_vec().into())),
    ] {
        let mut study = Study::new();
        study.add_changed(Written::default(), |_, object| {
            put_private(object, (group, creator, place), vr, value.clone());
        });
        assert_eq!(study.scan().series[0].weighting, Weighting::Diffusion, "{creator}");
        let mut other = Study::new();
        other.add_changed(Written::default(), |_, object| {
            put_private(object, (group, "ANOTHER MAKER", place), vr, value.clone());
        });
        assert_eq!(other.chosen(), Some(1), "the block is not of {creator}");
    }
}

#[test]
fn images_of_ge_without_diffusion_say_so_in_the_same_element() {
    for value in ["0\\8\\0\\0", "1000000000\\8\\0\\0"] {
        let mut study = Study::new();
        study.add_changed(Written::default(), |_, object| {
            put_private(object, (0x0043, "GEMS_PARM_01", 0x39), VR::IS, PrimitiveValue::from(value));
        });
        assert_eq!(study.chosen(), Some(1), "{value}");
    }
}

#[test]
fn sequences_of_diffusion_are_told_by_their_names() {
    for (sequence, description) in
        [("*ep_b800t", "sag"), ("ep_b500#3", "sag"), ("*ep2d1_128", "sag"), ("", "SAG SE-EPI")]
    {
        let mut study = Study::new();
        let words = Written { description, ..Written::default() };
        study.add_changed(words, |_, object| put(object, tags::SEQUENCE_NAME, VR::SH, sequence));
        assert_eq!(study.chosen(), None, "{sequence} {description}");
    }
    let mut study = Study::new();
    study.add_changed(Written::default(), |_, object| put(object, tags::SEQUENCE_NAME, VR::SH, "*tse2d1_17"));
    assert_eq!(study.chosen(), Some(1));
}

/// Parts of a Dixon series as departments and makers call them: fat, opposed phase, water, in phase.
#[test]
fn of_the_parts_of_a_dixon_series_the_one_in_phase_is_chosen_in_any_language() {
    for names in [
        ["T2 矢状位 脂相", "T2 矢状位 反相位", "T2 矢状位 水相", "T2 矢状位 同相位"],
        ["T2 SAG 脂肪画像", "T2 SAG 逆位相", "T2 SAG 水画像", "T2 SAG 同位相"],
        ["T2 SAG DIXON ЖИР", "T2 SAG DIXON ПРОТИВОФАЗА", "T2 SAG DIXON ВОДА", "T2 SAG DIXON СИНФАЗА"],
        ["T2 SAG DIXON TLUSZCZ", "T2 SAG DIXON PRZECIWFAZA", "T2 SAG DIXON WODA", "T2 SAG DIXON W FAZIE"],
        ["T2 sag Dixon tuk", "T2 sag Dixon protifáze", "T2 sag Dixon voda", "T2 sag Dixon ve fázi"],
        ["T2 sag Dixon yağ", "T2 sag Dixon faz dışı", "T2 sag Dixon su", "T2 sag Dixon faz içi"],
        ["T2 sag Dixon fett", "T2 sag Dixon motfas", "T2 sag Dixon vatten", "T2 sag Dixon infas"],
    ] {
        let mut study = Study::new();
        for description in names {
            study.add(Written { description, ..Written::default() });
        }
        assert_eq!(study.chosen(), Some(4), "{names:?}");
        study = Study::new();
        for description in &names[..3] {
            study.add(Written { description, ..Written::default() });
        }
        assert_eq!(study.chosen(), Some(3), "water where nothing else is left: {names:?}");
    }
    let mut study = Study::new();
    for image_type in ["FATIMG", "OUTPHASEIMG", "WATERIMG", "INPHASEIMG"] {
        study.add_changed(Written::default(), |_, object| {
            put(object, tags::IMAGE_TYPE, VR::CS, format!("ORIGINAL\\PRIMARY\\{image_type}"));
        });
    }
    assert_eq!(study.chosen(), Some(4));
}

fn contrast(tr: Option<f64>, te: Option<f64>, ti: Option<f64>, sequence: &str, words: &str) -> Weighting {
    use crate::dicom::contrast::ContrastHints;
    let hints = ContrastHints {
        echo_time_ms: te,
        repetition_time_ms: tr,
        inversion_time_ms: ti,
        scanning_sequence: sequence,
        description: words,
        ..ContrastHints::default()
    };
    hints.judge().weighting
}

#[test]
fn contrast_follows_times_then_words() {
    assert_eq!(contrast(Some(3500.0), Some(110.0), None, "SE", ""), Weighting::T2);
    assert_eq!(contrast(Some(600.0), Some(10.0), None, "SE", ""), Weighting::T1);
    assert_eq!(contrast(Some(3000.0), Some(25.0), None, "SE", ""), Weighting::ProtonDensity);
    assert_eq!(contrast(Some(3500.0), Some(17.0), None, "SE", "T2 SAG"), Weighting::ProtonDensity);
    assert_eq!(contrast(Some(4000.0), Some(60.0), Some(160.0), "IR", ""), Weighting::Stir);
    assert_eq!(contrast(Some(2000.0), Some(12.0), Some(860.0), "IR", "T1 FLAIR"), Weighting::T1);
    assert_eq!(contrast(Some(2000.0), Some(12.0), None, "SE", "T1 FLAIR"), Weighting::T1);
    assert_eq!(contrast(Some(500.0), Some(15.0), None, "GR", "T2* MEDIC"), Weighting::GradientEcho);
    assert_eq!(contrast(None, None, None, "", "sag_t2_tse"), Weighting::T2);
    assert_eq!(contrast(None, None, None, "", "T2 TIRM sag"), Weighting::Stir);
    assert_eq!(contrast(None, None, None, "", "survey"), Weighting::Unknown);
}

#[test]
fn fat_that_is_suppressed_is_no_image_of_fat() {
    for description in [
        "SAG T2 FSE FAT-SAT",
        "SAG T2 fat supp",
        "T2 saturation graisse",
        "T2 SAG SUPRESION GRASA",
        "T2 SAG YAĞ BASKILI",
        "T2 sag z saturacją tłuszczu",
        "T2 sag s potlačením tuku",
        "T2 SAG с жироподавлением",
        "T2 SAG 抑脂",
        "sag T2 SFS",
        "T2W_FS_SAG",
        "T2 sag fettmättnad",
        "T2 矢状 脂肪飽和",
        "T2 szag zsírelnyomott",
        "T2 sag supresie grăsime",
    ] {
        let mut study = Study::new();
        study.add(Written { description, ..Written::default() });
        assert_eq!(study.chosen(), Some(1), "{description}");
        study.add(Written { description: "T2 SAG", slices: 6, ..Written::default() });
        assert_eq!(study.chosen(), Some(2), "{description} comes behind one without suppression");
    }
}

#[test]
fn converted_images_keep_their_times() {
    use dicom_core::DataElement;
    use dicom_core::value::DataSetSequence;
    use dicom_object::InMemDicomObject;
    let mut study = Study::new();
    study.add_changed(Written { slices: 1, description: "SAG TSE", ..Written::default() }, |_, object| {
        let mut kept = InMemDicomObject::new_empty();
        put(&mut kept, tags::ECHO_TIME, VR::DS, "100");
        put(&mut kept, tags::REPETITION_TIME, VR::DS, "3500");
        let sequence = |object| DataSetSequence::from(vec![object]);
        let mut shared = InMemDicomObject::new_empty();
        shared.put(DataElement::new(tags::UNASSIGNED_SHARED_CONVERTED_ATTRIBUTES_SEQUENCE, VR::SQ, sequence(kept)));
        object.put(DataElement::new(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, VR::SQ, sequence(shared)));
        object.remove_element(tags::ECHO_TIME);
        object.remove_element(tags::REPETITION_TIME);
    });
    let scan = study.scan();
    assert_eq!(scan.series[0].texts.echo_time_ms, Some(100.0));
    assert_eq!(scan.series[0].weighting, Weighting::T2);
}
