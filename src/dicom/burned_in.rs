//! Pictures into whose pixels a name is likely to be burned: what the header gives away.

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::file::{integer, text};
use super::vocabulary::{Concept, concepts};

/// Beginnings of the classes of pictures that were not acquired as such, or that scanners write the patient's name into:
/// secondary capture, ultrasound, photographs and video.
const CLASSES: [&str; 4] = [
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.6.",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.77.",
];
/// Beginning of all classes that are not private.
const OF_THE_STANDARD: &str = "1.2.840.10008.";

/// Why text may be burned into the pixels of an image, in words that follow "files left out"; `None` where the header gives
/// no hint.
pub(super) fn suspicion(header: &InMemDicomObject, media_sop_class: Option<&str>) -> Option<&'static str> {
    let word = |tag| text(header, tag).unwrap_or_default();
    if word(tags::BURNED_IN_ANNOTATION).eq_ignore_ascii_case("YES") {
        return Some("text is burned into them");
    }
    let class = word(tags::SOP_CLASS_UID);
    let classes = || [Some(class.as_str()), media_sop_class].into_iter().flatten().filter(|class| !class.is_empty());
    let is_of = |class: &str| CLASSES.iter().any(|beginning| class.starts_with(beginning));
    if classes().any(is_of) || !word(tags::CONVERSION_TYPE).is_empty() {
        return Some("they were captured or photographed, and such pictures often show the patient's name");
    }
    if classes().any(|class| !class.starts_with(OF_THE_STANDARD)) {
        return Some("they are of a class that their maker alone knows, and may show the patient's name");
    }
    let said = [tags::IMAGE_TYPE, tags::SERIES_DESCRIPTION, tags::PROTOCOL_NAME, tags::IMAGE_COMMENTS].map(word);
    if said.iter().any(|text| concepts(text).contains(&Concept::ScreenCopy)) {
        return Some("they are a copy of a screen, which often shows the patient's name");
    }
    let is_color = integer(header, tags::SAMPLES_PER_PIXEL).is_some_and(|samples| samples > 1)
        || word(tags::PHOTOMETRIC_INTERPRETATION).starts_with("PALETTE");
    is_color.then_some("they are in color, as copies of a screen are, and may show the patient's name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_core::value::PrimitiveValue;
    use dicom_core::{DataElement, Tag, VR};

    fn suspected(elements: &[(Tag, VR, &str)]) -> bool {
        let mut header = InMemDicomObject::new_empty();
        for (tag, vr, value) in elements {
            header.put(DataElement::new(*tag, *vr, PrimitiveValue::from(*value)));
        }
        suspicion(&header, None).is_some()
    }

    #[test]
    fn pictures_of_screens_are_suspected_and_scans_are_not() {
        let class = |uid: &'static str| (tags::SOP_CLASS_UID, VR::UI, uid);
        let (mr, capture) = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7.4");
        assert!(suspected(&[class(capture)]));
        assert!(suspected(&[class("1.3.46.670589.11.0.0.12.1")]), "a private class");
        assert!(suspected(&[class(mr), (tags::BURNED_IN_ANNOTATION, VR::CS, "yes")]));
        assert!(suspected(&[class(mr), (tags::CONVERSION_TYPE, VR::CS, "WSD")]));
        assert!(suspected(&[class(mr), (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "PALETTE COLOR")]));
        for image_type in
            ["DERIVED\\SECONDARY\\SCREEN SAVE", "DERIVED\\PRIMARY\\SCREENSHOT", "DERIVED\\SECONDARY\\SCREEN_SAVE"]
        {
            assert!(suspected(&[class(mr), (tags::IMAGE_TYPE, VR::CS, image_type)]), "{image_type}");
        }
        for description in [
            "Screen Save",
            "screenshot 2",
            "Capture d'écran",
            "Bildschirmfoto",
            "Captura de pantalla",
            "Zrzut ekranu",
            "Ekran görüntüsü",
            "Skjermbilde",
            "Снимок экрана",
            "截屏",
            "画面キャプチャ",
            "t2_tse_sag PosDisp",
        ] {
            assert!(suspected(&[class(mr), (tags::SERIES_DESCRIPTION, VR::LO, description)]), "{description}");
        }
        for (image_type, description) in [
            ("ORIGINAL\\PRIMARY\\M\\ND", "T2 TSE SAG"),
            ("DERIVED\\SECONDARY\\MPR", "3D SPACE sag MPR"),
            ("DERIVED\\PRIMARY\\M\\DIS2D", "t2_tse_sag captured coil"),
        ] {
            let said = [(tags::IMAGE_TYPE, VR::CS, image_type), (tags::SERIES_DESCRIPTION, VR::LO, description)];
            assert!(!suspected(&[&[class(mr)], &said[..]].concat()), "{description}");
        }
    }
}
