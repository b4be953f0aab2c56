//! What makers of scanners say in private elements only, where the standard has an element of its own that they leave out.

use dicom_core::VR;
use dicom_core::value::PrimitiveValue;
use dicom_object::InMemDicomObject;

use super::contrast::SignalPart;
use super::elements::Element;

/// A number in a private element (PS3.5 7.8.1).
struct PrivateNumber {
    group: u16,
    /// Who reserved the block that it stands in.
    creator: &'static str,
    /// Its place in the block.
    place: u8,
    /// How it is written where the file does not say so.
    vr: VR,
}

/// GE: 0 magnitude, 1 phase, 2 real, 3 imaginary.
const IMAGE_TYPE: PrivateNumber = PrivateNumber { group: 0x0043, creator: "GEMS_PARM_01", place: 0x2F, vr: VR::SS };

/// Diffusion weightings, s/mm²: Siemens, Philips, Hitachi, United Imaging, GE.
const B_VALUES: [PrivateNumber; 5] = [
    PrivateNumber { group: 0x0019, creator: "SIEMENS MR HEADER", place: 0x0C, vr: VR::IS },
    PrivateNumber { group: 0x2001, creator: "Philips Imaging DD 001", place: 0x03, vr: VR::FL },
    PrivateNumber { group: 0x0029, creator: "MMCPrivate", place: 0x30, vr: VR::FD },
    PrivateNumber { group: 0x0065, creator: "Image Private Header", place: 0x09, vr: VR::FD },
    PrivateNumber { group: 0x0043, creator: "GEMS_PARM_01", place: 0x39, vr: VR::IS },
];

/// What newer scanners of GE add to the diffusion weighting.
const ADDED_BY_GE: f64 = 1e9;

/// Longest value that is looked at: a creator, or a number.
const LONGEST_BYTES: u32 = 64;

/// Whether an element may be one of these, or say who reserved their block.
pub(super) fn is_known(element: &Element) -> bool {
    let (group, number) = (element.tag.group(), element.tag.element());
    let is_of = |known: &PrivateNumber| {
        known.group == group && ((0x10..=0xFF).contains(&number) || number.to_be_bytes()[1] == known.place)
    };
    B_VALUES.iter().chain([&IMAGE_TYPE]).any(is_of) && element.length.is_some_and(|length| length <= LONGEST_BYTES)
}

/// The part of the signal that an image shows.
pub(super) fn signal_part(header: &InMemDicomObject) -> Option<SignalPart> {
    match IMAGE_TYPE.read(header)? {
        1.0 => Some(SignalPart::Phase),
        2.0 => Some(SignalPart::Real),
        3.0 => Some(SignalPart::Imaginary),
        _ => None,
    }
}

/// The diffusion weighting, s/mm².
pub(super) fn diffusion_b_value(header: &InMemDicomObject) -> Option<f64> {
    let value = B_VALUES.iter().find_map(|known| known.read(header))?;
    Some(if value >= ADDED_BY_GE { value - ADDED_BY_GE } else { value })
}

impl PrivateNumber {
    fn read(&self, header: &InMemDicomObject) -> Option<f64> {
        let element = header.private_element(self.group, self.creator, self.place).ok()?;
        let number = match element.value().primitive()? {
            // Written as UN, or without value representations.
            PrimitiveValue::U8(bytes) => self.decode(bytes)?,
            value => value.to_float64().ok()?,
        };
        number.is_finite().then_some(number)
    }

    fn decode(&self, bytes: &[u8]) -> Option<f64> {
        match self.vr {
            VR::SS => Some(f64::from(i16::from_le_bytes(bytes.try_into().ok()?))),
            VR::FL => Some(f64::from(f32::from_le_bytes(bytes.try_into().ok()?))),
            VR::FD => Some(f64::from_le_bytes(bytes.try_into().ok()?)),
            // The first of several.
            _ => std::str::from_utf8(bytes).ok()?.split('\\').next()?.trim_matches(['\0', ' ']).parse().ok(),
        }
    }
}
