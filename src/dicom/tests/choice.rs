//! Which series is chosen, by what headers say.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;
use glam::DVec3;

use super::{edit, put, scan};
use crate::dicom::warning::WarningCode;
use crate::dicom::*;
use crate::volume::{Volume, VolumeGeometry};

/// A study that is written series by series.
pub(super) struct Study {
    folder: tempfile::TempDir,
    series: u32,
}

/// What one of its series is like.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) description: &'a str,
    pub(super) body_part: &'a str,
    pub(super) slices: usize,
    /// How far its middle lies above that of the others, mm.
    pub(super) above: f64,
}

impl Default for Written<'_> {
    fn default() -> Self {
        Self { description: "T2 SAG", body_part: "SPINE", slices: 10, above: 0.0 }
    }
}

impl Study {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), series: 0 }
    }

    pub(super) fn add(&mut self, series: Written) -> &mut Self {
        self.add_changed(series, |_, _| ())
    }

    /// Writes a series; `change` sees each file with the number of its slice.
    pub(super) fn add_changed(
        &mut self,
        series: Written,
        change: impl Fn(usize, &mut DefaultDicomObject),
    ) -> &mut Self {
        self.series += 1;
        let origins = (0..series.slices).map(|slice| DVec3::new(20.0 - 4.0 * slice as f64, -60.0, 80.0 + series.above));
        let geometry = VolumeGeometry::new(origins.collect(), DVec3::Y, -DVec3::Z, 1.0, 1.0).unwrap();
        let volume = Volume::new(2, 2, vec![1.0; 4 * series.slices], geometry).unwrap();
        let mut header = SeriesHeader::synthetic_t2_sagittal("study");
        header.series_number = self.series;
        header.texts.study_description = String::new();
        header.texts.series_description = series.description.to_owned();
        header.body_part = series.body_part.to_owned();
        let paths = write_series(&self.folder.path().join(self.series.to_string()), &volume, &header).unwrap();
        for (slice, path) in paths.iter().enumerate() {
            edit(path, |object| change(slice, object));
        }
        self
    }

    pub(super) fn scan(&self) -> FolderScan {
        scan(self.folder.path())
    }

    /// Number of the chosen series.
    pub(super) fn chosen(&self) -> Option<i64> {
        self.scan().t2_sagittal().map(|series| series.series_number.unwrap())
    }
}

pub(super) fn times(object: &mut DefaultDicomObject, repetition: &str, echo: &str) {
    put(object, tags::REPETITION_TIME, VR::DS, repetition);
    put(object, tags::ECHO_TIME, VR::DS, echo);
}

#[test]
fn the_t2_sagittal_series_is_chosen_and_others_say_why_not() {
    let mut study = Study::new();
    let named = |description, slices| Written { description, slices, ..Written::default() };
    study
        .add_changed(named("LOCALIZER", 3), |_, object| times(object, "3000", "90"))
        .add_changed(named("T1 TSE SAG", 15), |_, object| times(object, "550", "9"))
        .add_changed(named("T2 TSE SAG FS", 20), |_, object| times(object, "3500", "80"))
        .add(named("T2 TSE SAG", 15))
        .add_changed(named("STIR SAG", 15), |_, object| times(object, "4000", "60"))
        .add(named("T2 TSE SAG HWS", 15))
        .add(named("t2_space_sag", 15));
    let scan = study.scan();
    assert_eq!(scan.t2_sagittal().unwrap().series_number, Some(4));
    let reasons: Vec<_> = scan.series.iter().map(|series| series.choice.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "not chosen: a localizer",
            "not chosen: sagittal, but T1",
            "not chosen: T2 sagittal too, but fat-suppressed, where another is not (series 4)",
            "chosen: T2 sagittal, 15 slices; series 7 is nearly as good",
            "not chosen: sagittal, but STIR",
            "not chosen: T2 sagittal, but of the cervical spine by its header",
            "not chosen: T2 sagittal too, and as good as series 4, which comes first",
        ]
    );
    let close = scan.series[3].warnings.iter().find(|warning| warning.is(WarningCode::CloseChoice)).unwrap();
    assert!(close.message.starts_with("series 7 is T2 sagittal too"), "{}", close.message);
}

/// Neck, chest and loin in one study, the loin with the fewest slices and last, first or in the middle.
fn chosen_of_three(names: [&str; 3], body_parts: [&str; 3], above: f64) -> Vec<Option<usize>> {
    [[0, 1, 2], [2, 1, 0], [1, 2, 0]]
        .map(|order| {
            let mut study = Study::new();
            for part in order {
                study.add(Written {
                    description: names[part],
                    body_part: body_parts[part],
                    slices: [14, 12, 8][part],
                    above: above * (2.0 - part as f64),
                });
            }
            study.chosen().map(|number| order[number as usize - 1])
        })
        .to_vec()
}

#[test]
fn the_lumbar_series_is_chosen_in_the_languages_of_departments() {
    let lumbar = vec![Some(2); 3];
    for names in [
        ["T2 SAG C-SPINE", "T2 SAG T-SPINE", "T2 SAG L-SPINE"],
        ["SAG T2 C SPINE", "SAG T2 T SPINE", "SAG T2 L SPINE"],
        ["SagT2CSpine", "SagT2TSpine", "SagT2LSpine"],
        ["t2_tse_sag_c", "t2_tse_sag_t", "t2_tse_sag_l"],
        ["T2 C2-C7 SAG", "T2 TH1-TH12 SAG", "T2 L1-S1 SAG"],
        ["SAG T2 CERV", "SAG T2 DORSAL", "SAG T2 LOMBAR"],
        ["SAG T2 cervical", "SAG T2 torácica", "SAG T2 lombo-sacra"],
        ["T2 SAG CERVICAL", "T2 SAG DORSAL", "T2 SAG LUMBAR"],
        ["Sag T2 columna C", "Sag T2 columna D", "Sag T2 columna L"],
        ["SAG T2 RACHIS CERVICAL", "SAG T2 RACHIS DORSAL", "SAG T2 RACHIS LOMBAIRE"],
        ["T2 SAG HWS", "T2 SAG BWS", "T2 SAG LWS"],
        ["T2 sag Halswirbelsäule", "T2 sag Brustwirbelsäule", "T2 sag Lendenwirbelsäule"],
        ["T2 SAG CERVICALE", "T2 SAG DORSALE", "T2 SAG LOMBARE"],
        ["T2 sag CWK", "T2 sag thoracaal", "T2 sag lumbaal"],
        ["T2 sag szyjny", "T2 sag piersiowy", "T2 sag lędźwiowy"],
        ["T2 sag krční", "T2 sag hrudní", "T2 sag bederní"],
        ["T2 SAG SERVIKAL", "T2 SAG TORAKAL", "T2 SAG LOMBER"],
        ["T2 sag halsrygg", "T2 sag bröstrygg", "T2 sag ländrygg"],
        ["T2 sag nakke", "T2 sag brystryg", "T2 sag lænderyg"],
        ["T2 sag kaularanka", "T2 sag rintaranka", "T2 sag lanneranka"],
        ["T2 sag nyaki", "T2 sag háti", "T2 sag ágyéki"],
        ["T2 ШЕЙНЫЙ SAG", "T2 ГРУДНОЙ SAG", "T2 ПОЯСНИЧНЫЙ SAG"],
        ["T2 SAG ΑΥΧΕΝΙΚΗ", "T2 SAG ΘΩΡΑΚΙΚΗ", "T2 SAG ΟΣΦΥΪΚΗ"],
        ["颈椎 T2 SAG", "胸椎 T2 SAG", "腰椎 T2 SAG"],
        ["경추 T2", "흉추 T2", "요추 T2"],
        ["T2 SAG 목", "T2 SAG 등", "T2 SAG 허리"],
        ["T2 SAG шиен", "T2 SAG гръден", "T2 SAG лумбален"],
        ["T2 SAG ШОП", "T2 SAG ГОП", "T2 SAG ПОП"],
        ["T2 SAG עורפי", "T2 SAG גבי", "T2 SAG מותני"],
        ["T2 SAG گردن", "T2 SAG پشت", "T2 SAG کمر"],
        ["T2 SAG ग्रीवा", "T2 SAG वक्ष", "T2 SAG कटि"],
        ["Sag T2 Neck", "Sag T2 Mid-back", "Sag T2 Low back"],
        ["T2 SAG UPPER", "T2 SAG MID", "T2 SAG LOWER"],
        ["T2 SAG C/T", "T2 SAG THOR", "T2 SAG T/L"],
        ["t2_tse_sag_boyun", "t2_tse_sag_sırt", "t2_tse_sag_bel"],
        ["T2 sag nek", "T2 sag borst", "T2 sag lage rug"],
        ["T2 sag nakkesøyle", "T2 sag brystsøyle", "T2 sag lendesøyle"],
        ["T2 sag hálshryggur", "T2 sag brjósthryggur", "T2 sag lendhryggur"],
        ["SAG T2 SHEYNYY", "SAG T2 GRUDNOY", "SAG T2 POYASNICHNYY"],
        ["T2 САГ вратен", "T2 САГ граден", "T2 САГ поясен"],
        ["T2WI SAG KEITSUI", "T2WI SAG KYOUTSUI", "T2WI SAG YOUTSUI"],
        ["頸部 T2WI Sag", "胸部脊椎 T2WI Sag", "腰部 T2WI Sag"],
        ["SAG T2 JINGZHUI", "SAG T2 XIONGZHUI", "SAG T2 YAOZHUI"],
        ["T2 SAG AMSS", "T2 SAG THMSS", "T2 SAG OMSS"],
        ["T2 SAG עמש\"צ", "T2 SAG עמש\"ג", "T2 SAG עמש\"מ"],
        ["T2 SAG กระดูกคอ", "T2 SAG กระดูกอก", "T2 SAG กระดูกเอว"],
        ["T2 SAG CSC", "T2 SAG CSN", "T2 SAG CSTL"],
        ["SAG T2 Cx", "SAG T2 Tx", "SAG T2 Lx"],
        ["T2 SAG RAQUIS CERV", "T2 SAG RAQUIS DOR", "T2 SAG RAQUIS LUM"],
        ["SAG T2 charnière cervico-dorsale", "SAG T2 rachis D", "SAG T2 charnière lombo-sacrée"],
        ["T2 sag obere WS", "T2 sag mittlere WS", "T2 sag untere WS"],
        ["T2 SAG SZYJA", "T2 SAG PIERŚ", "T2 SAG LĘDŹWIA"],
        ["T2 sag шыйны", "T2 sag грудны", "T2 sag паяснічны"],
        ["T2 sag კისრის", "T2 sag გულმკერდის", "T2 sag წელის"],
        ["T2 sag պարանոցային", "T2 sag կրծքային", "T2 sag գոտկային"],
        ["T2 sag qafë", "T2 sag kraharor", "T2 sag mesit"],
        ["T2 sag lepoa", "T2 sag bizkarra", "T2 sag gerria"],
        ["sag T2 krk", "sag T2 hrudník", "sag T2 bedra"],
        ["t2_sag_шея", "t2_sag_грудь", "t2_sag_поясница"],
        ["T2 ШИЯ", "T2 ГЪРДИ", "T2 КРЪСТ"],
        ["T2 SAG SHOP", "T2 SAG GOP", "T2 SAG PKOP"],
        ["ケイツイ T2 SAG", "キョウツイ T2 SAG", "ヨウツイ T2 SAG"],
        ["C-spine 矢状位T2", "T-spine 矢状位T2", "L-spine 矢状位T2"],
        ["T2 SAG צוואר", "T2 SAG עמוד שדרה גבי", "T2 SAG מותן"],
        ["T2 sag vratna kičma", "T2 sag grudna kičma", "T2 sag slabinska kičma"],
        ["T2 sag kakla daļa", "T2 sag krūšu daļa", "T2 sag jostas daļa"],
        ["T2 sag kaelalülid", "T2 sag rinnalülid", "T2 sag nimmelülid"],
        ["T2 SAG CỘT SỐNG CỔ", "T2 SAG CỘT SỐNG NGỰC", "T2 SAG CỘT SỐNG THẮT LƯNG"],
        ["SAG T2 C2-T1", "SAG T2 Th1-Th12", "SAG T2 Th12-S2"],
        ["SAG T2 TOP", "SAG T2 MIDDLE", "SAG T2 BOTTOM"],
    ] {
        assert_eq!(chosen_of_three(names, ["SPINE"; 3], 0.0), lumbar, "{names:?}");
        // What the console was told for the first part is not believed.
        assert_eq!(chosen_of_three(names, ["CSPINE"; 3], 0.0), lumbar, "{names:?}");
    }
    for description in ["T2 SAG T12-S1", "sag T2 Th11-S3", "T2 SAG D12-S1"] {
        let mut study = Study::new();
        study.add(Written { description, body_part: "", ..Written::default() });
        assert_eq!(study.scan().series[0].choice.reason, "chosen: T2 sagittal of the lumbar spine, 10 slices");
    }
    let unnamed = ["T2 SAG"; 3];
    assert_eq!(chosen_of_three(unnamed, ["CSPINE", "TSPINE", "LSPINE"], 0.0), lumbar, "by body part");
    assert_eq!(chosen_of_three(unnamed, ["SPINE"; 3], 250.0), lumbar, "the lowest in the patient");
    assert_eq!(chosen_of_three(["T2 SAG WHOLE SPINE", "T2 SAG TL SPINE", "T2 SAG LS"], [""; 3], 0.0), lumbar);
}

#[test]
fn what_shows_other_parts_only_is_not_chosen() {
    for (description, body_part) in [
        ("T2 SAG", "SHOULDER"),
        ("T2 SAG KNEE L", ""),
        ("T2 sag Schulter links", ""),
        ("T2 SAG GENOU", "LSPINE"),
        ("T2 SAG DORSAL", "SPINE"),
        ("T2 SAG HWS", "LSPINE"),
    ] {
        let mut study = Study::new();
        study.add(Written { description, body_part, ..Written::default() });
        assert_eq!(study.chosen(), None, "{description} {body_part}");
        let series = &study.scan().series[0];
        assert_eq!(series.choice.place, Some(0), "its images may be asked");
        assert!(series.choice.reason.contains("by its header"), "{}", series.choice.reason);
        study.add(Written { description: "T2 SAG LSPINE", slices: 6, ..Written::default() });
        assert_eq!(study.chosen(), Some(2), "{description} {body_part}");
    }
}

#[test]
fn diffusion_is_no_t2_whatever_its_times() {
    let changes: [fn(&mut DefaultDicomObject); 5] = [
        |object| put(object, tags::DIFFUSION_B_VALUE, VR::FD, 500.0),
        |object| put(object, tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE\\ND"),
        |object| put(object, tags::IMAGE_TYPE, VR::CS, "DERIVED\\PRIMARY\\ADC"),
        |object| put(object, tags::SCANNING_SEQUENCE, VR::CS, "EP\\SE"),
        |object| put(object, tags::SERIES_DESCRIPTION, VR::LO, "Sag difusión b500"),
    ];
    for change in changes {
        let mut study = Study::new();
        let sagittal = |slices| Written { description: "sag", slices, ..Written::default() };
        study.add_changed(sagittal(30), |_, object| {
            times(object, "4200", "78");
            change(object);
        });
        assert_eq!(study.chosen(), None);
        study.add(Written { description: "t2_tse_sag", ..sagittal(8) });
        assert_eq!(study.chosen(), Some(2));
    }
    // Some scanners write a weighting of zero into every image.
    let mut study = Study::new();
    study.add_changed(Written::default(), |_, object| put(object, tags::DIFFUSION_B_VALUE, VR::FD, 0.0));
    assert_eq!(study.chosen(), Some(1));
}

#[test]
fn absent_attributes_are_not_wrong_ones() {
    let mut study = Study::new();
    study.add_changed(Written { description: "T2", body_part: "", ..Written::default() }, |_, object| {
        for tag in [tags::MODALITY, tags::REPETITION_TIME, tags::ECHO_TIME, tags::IMAGE_TYPE, tags::SCANNING_SEQUENCE] {
            object.remove_element(tag);
        }
    });
    assert_eq!(study.chosen(), Some(1));
    let mut bare = Study::new();
    bare.add_changed(Written { description: "", body_part: "", ..Written::default() }, |_, object| {
        for tag in [tags::MODALITY, tags::REPETITION_TIME, tags::ECHO_TIME, tags::SOP_CLASS_UID] {
            object.remove_element(tag);
        }
        object.update_meta(|meta| meta.media_storage_sop_class_uid = "1.2.840.10008.5.1.4.1.1.7".to_owned());
    });
    let scan = bare.scan();
    let chosen = scan.t2_sagittal().unwrap();
    assert_eq!(chosen.weighting, Weighting::Unknown);
    assert_eq!(super::codes(chosen), ["assumed_modality", "contrast_not_known"]);
    assert_eq!(chosen.choice.reason, "chosen: sagittal, taken to be T2, 10 slices");
    bare.add(Written { slices: 5, ..Written::default() });
    assert_eq!(bare.chosen(), Some(2), "a series that names its contrast comes first");
    let mut ct = Study::new();
    ct.add_changed(Written::default(), |_, object| {
        object.remove_element(tags::MODALITY);
        put(object, tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2");
    });
    assert_eq!(ct.scan().series[0].choice.reason, "not chosen: modality CT, not MR");
}

#[test]
fn nobody_is_chosen_among_several_patients() {
    let mut study = Study::new();
    let patient = |name: &'static str, id: &'static str| {
        move |_: usize, object: &mut DefaultDicomObject| {
            put(object, tags::PATIENT_NAME, VR::PN, name);
            put(object, tags::PATIENT_ID, VR::LO, id);
        }
    };
    study.add_changed(Written::default(), patient("ONE^A", "P1")).add_changed(Written::default(), patient("", ""));
    assert_eq!((study.scan().patients(), study.chosen()), (1, Some(1)));
    study.add_changed(Written::default(), patient("TWO^B", "P2"));
    let scan = study.scan();
    assert_eq!((scan.patients(), study.chosen()), (2, None));
    assert_eq!(scan.series[0].choice.reason, "not chosen: the folder holds images of 2 patients");
}

#[test]
fn patients_are_told_apart_by_number_name_and_date_of_birth() {
    // Name, number and date of birth of two series, and how many patients they are of.
    for (one, other, patients) in [
        (["ONE^A", "1", "19500101"], ["ONE^A^^", "1", "19500101"], 1),
        (["Müller^Änne", "", "19500101"], ["MULLER^ANNE", "", ""], 1),
        (["MAIDEN^A", "1", "19500101"], ["MARRIED^A", "1", "19500101"], 1),
        (["ONE^A", "1", "19500101"], ["ONE^A", "1", "19500110"], 1),
        (["ONE^A", "1", "19500101"], ["TWO^B", "1", "19620202"], 2),
        (["ONE^A", "1", "19500101"], ["ONE^A", "2", "19500101"], 2),
        (["ONE^A", "", "19500101"], ["ONE^A", "", "19620202"], 2),
        (["ONE^A", "", ""], ["TWO^B", "7", ""], 2),
        // Marks that tell letters apart, letters that were lost, and other characters for the same sounds.
        (["カワダ^ア", "", ""], ["カワタ^ア", "", ""], 2),
        (["राम", "", ""], ["रमा", "", ""], 2),
        (["???^??", "", ""], ["???^?", "", ""], 2),
        (["YAMADA^TARO=山田^太郎", "", ""], ["YAMADA^TARO=山田^多郎", "", ""], 2),
        (["Yamada^Taro=山田^太郎", "", ""], ["YAMADA^TARO", "", ""], 1),
        (["=山田^太郎", "", ""], ["YAMADA^TARO=山田^太郎", "", ""], 1),
    ] {
        let mut study = Study::new();
        for [name, id, born] in [one, other] {
            study.add_changed(Written::default(), |_, object| {
                put(object, tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
                put(object, tags::PATIENT_NAME, VR::PN, name);
                put(object, tags::PATIENT_ID, VR::LO, id);
                put(object, tags::PATIENT_BIRTH_DATE, VR::DA, born);
            });
        }
        assert_eq!(study.scan().patients(), patients, "{one:?} {other:?}");
    }
}

#[test]
fn one_number_of_two_issuers_is_of_two_patients_where_names_differ() {
    for (name, issuer, patients) in
        [("TWO^B", "NORTH", 2), ("TWO^B", "SOUTH", 1), ("TWO^B", "", 1), ("ONE^A", "NORTH", 1)]
    {
        let mut study = Study::new();
        for [name, issuer] in [["ONE^A", "SOUTH"], [name, issuer]] {
            study.add_changed(Written::default(), |_, object| {
                put(object, tags::PATIENT_NAME, VR::PN, name);
                put(object, tags::PATIENT_ID, VR::LO, "7");
                put(object, tags::ISSUER_OF_PATIENT_ID, VR::LO, issuer);
            });
        }
        assert_eq!(study.scan().patients(), patients, "{name} {issuer}");
    }
}

#[test]
fn in_other_coordinates_the_lower_series_comes_first_but_the_other_is_named() {
    let mut study = Study::new();
    study.add(Written { above: 300.0, ..Written::default() });
    study.add_changed(Written::default(), |_, object| put(object, tags::FRAME_OF_REFERENCE_UID, VR::UI, "2.25.77"));
    let scan = study.scan();
    let chosen = scan.t2_sagittal().unwrap();
    assert_eq!(chosen.series_number, Some(2));
    assert_eq!(chosen.choice.reason, "chosen: T2 sagittal, 10 slices; series 1 is nearly as good");
}

#[test]
fn localizers_and_images_made_of_others_are_known_by_name() {
    for description in [
        "SmartPlan sag",
        "PLAN SCAN",
        "Scano T2 sag",
        "Planung sag",
        "Whole spine counter",
        "sag T2 overview",
        "スカウト",
        "Suchlauf sag",
    ] {
        let mut study = Study::new();
        study.add(Written { description, ..Written::default() });
        assert_eq!(study.scan().series[0].choice.reason, "not chosen: a localizer", "{description}");
    }
    for description in
        ["MAGiC T2 sag", "Syn T2W sag", "SyMRI T2W sag", "SAG T2 CartiGram", "T2-Kartierung sag", "T2 Rekonstruktion"]
    {
        let mut study = Study::new();
        study.add(Written { description, slices: 20, ..Written::default() });
        study.add(Written { description: "T2 SAG", slices: 6, ..Written::default() });
        assert_eq!(study.chosen(), Some(2), "{description}");
    }
}
