//! Texts of all specific character sets, with code extensions (PS3.3 C.12.1.1.2, PS3.5 6.1), which dicom-rs does not know.

use std::borrow::Cow;

use dicom_core::value::{PrimitiveValue, Value};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7,
    ISO_8859_8, ISO_8859_15, WINDOWS_874, WINDOWS_1252, WINDOWS_1254,
};

const ESCAPE: u8 = 0x1B;

/// A set of characters that bytes of one half of the code table (high bit clear or set) stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Set {
    /// ISO 646, also in its Japanese form, whose yen sign stands where the backslash parts values.
    Ascii,
    /// One byte each.
    Single(&'static Encoding),
    /// JIS X 0201, the half with katakana.
    Katakana,
    /// Two bytes each, of which EUC is the form with high bits set.
    Double(&'static Encoding),
    /// JIS X 0212, as three bytes of EUC.
    Supplementary,
}

/// How a text begins, and what its escape sequences may bring.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CharacterSets {
    /// Without code extensions, all of a text is in one encoding.
    whole: Option<&'static Encoding>,
    /// High half at the beginning.
    high: Option<Set>,
    /// High half of the further sets, for texts that leave out to invoke it.
    declared: Option<Set>,
}

/// What an escape sequence changes.
enum Half {
    Low(Set),
    High(Set),
}

/// Escape sequences without the escape itself (PS3.3 tables C.12-3 and C.12-4).
const ESCAPES: [(&[u8], Half); 20] = [
    (b"(B", Half::Low(Set::Ascii)),
    (b"(J", Half::Low(Set::Ascii)),
    (b")I", Half::High(Set::Katakana)),
    (b"-A", Half::High(Set::Single(WINDOWS_1252))),
    (b"-B", Half::High(Set::Single(ISO_8859_2))),
    (b"-C", Half::High(Set::Single(ISO_8859_3))),
    (b"-D", Half::High(Set::Single(ISO_8859_4))),
    (b"-L", Half::High(Set::Single(ISO_8859_5))),
    (b"-G", Half::High(Set::Single(ISO_8859_6))),
    (b"-F", Half::High(Set::Single(ISO_8859_7))),
    (b"-H", Half::High(Set::Single(ISO_8859_8))),
    (b"-M", Half::High(Set::Single(WINDOWS_1254))),
    (b"-b", Half::High(Set::Single(ISO_8859_15))),
    (b"-T", Half::High(Set::Single(WINDOWS_874))),
    (b"$B", Half::Low(Set::Double(EUC_JP))),
    (b"$@", Half::Low(Set::Double(EUC_JP))),
    (b"$(D", Half::Low(Set::Supplementary)),
    (b"$)C", Half::High(Set::Double(EUC_KR))),
    (b"$)A", Half::High(Set::Double(GBK))),
    (b"%G", Half::Low(Set::Ascii)),
];

/// High half of a registered set: the number in its defined term.
fn registered(number: u32) -> Option<Set> {
    Some(match number {
        13 => Set::Katakana,
        58 => Set::Double(GBK),
        100 => Set::Single(WINDOWS_1252),
        101 => Set::Single(ISO_8859_2),
        109 => Set::Single(ISO_8859_3),
        110 => Set::Single(ISO_8859_4),
        126 => Set::Single(ISO_8859_7),
        127 => Set::Single(ISO_8859_6),
        138 => Set::Single(ISO_8859_8),
        144 => Set::Single(ISO_8859_5),
        148 => Set::Single(WINDOWS_1254),
        149 => Set::Double(EUC_KR),
        166 => Set::Single(WINDOWS_874),
        203 => Set::Single(ISO_8859_15),
        _ => return None,
    })
}

/// The number at the end of a defined term, however it is written (`ISO_IR 100`, `ISO 2022 IR 100`, `ISO_IR_100`).
fn number(term: &str) -> Option<u32> {
    let digits = term.len() - term.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    term[term.len() - digits..].parse().ok()
}

impl CharacterSets {
    /// From the value of Specific Character Set; empty where it is absent.
    pub(super) fn of(value: &str) -> Self {
        let mut terms = value.split('\\').map(|term| term.trim_matches(['\0', ' ']).to_ascii_uppercase());
        let first = terms.next().unwrap_or_default();
        let whole = match (first.as_str(), number(&first)) {
            ("GB18030", _) => Some(GB18030),
            ("GBK" | "GB2312", _) => Some(GBK),
            (term, Some(192)) if term.contains("IR") => Some(encoding_rs::UTF_8),
            (term, Some(8)) if term.starts_with("UTF") => Some(encoding_rs::UTF_8),
            _ => None,
        };
        let high = number(&first).filter(|_| first.contains("IR")).and_then(registered);
        let declared = terms.find_map(|term| number(&term).and_then(registered));
        Self { whole, high, declared }
    }

    /// The text that bytes stand for; what they cannot mean becomes U+FFFD.
    pub(crate) fn decode(&self, bytes: &[u8], vr: VR) -> String {
        if let Some(encoding) = self.whole {
            return encoding.decode_without_bom_handling(bytes).0.into_owned();
        }
        let is_extended = self.declared.is_some() || bytes.contains(&ESCAPE);
        if self.high.is_none() && !is_extended {
            // Nothing was declared: what is UTF-8 by its form, else Western European.
            return match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
            };
        }
        let mut text = String::with_capacity(bytes.len());
        let (mut low, mut high) = (Set::Ascii, self.high);
        let mut rest = bytes;
        while let [byte, behind @ ..] = rest {
            if *byte == ESCAPE {
                let known = ESCAPES.iter().find(|(sequence, _)| behind.starts_with(sequence));
                match known {
                    Some((_, Half::Low(set))) => low = *set,
                    Some((_, Half::High(set))) => high = Some(*set),
                    None => {}
                }
                rest = &behind[known.map_or(0, |(sequence, _)| sequence.len())..];
                continue;
            }
            let set = if *byte < 0x80 { low } else { high.or(self.declared).unwrap_or(Set::Single(WINDOWS_1252)) };
            let (letters, length) = next(set, rest);
            text.push_str(&letters);
            if length == 1 && ends_extension(*byte, vr) {
                (low, high) = (Set::Ascii, self.high.or(high));
            }
            rest = &rest[length..];
        }
        text
    }
}

/// The next character, and how many bytes it took.
fn next(set: Set, bytes: &[u8]) -> (Cow<'static, str>, usize) {
    let byte = bytes[0];
    let decoded = |encoding: &'static Encoding, code: &[u8]| -> Cow<'static, str> {
        encoding.decode_without_bom_handling(code).0.into_owned().into()
    };
    // A graphic character of the same half must follow.
    let second = bytes.get(1).copied().filter(|second| {
        let is_graphic = |byte: u8| (0x21..=0x7E).contains(&(byte & 0x7F));
        is_graphic(byte) && is_graphic(*second) && (byte ^ second) < 0x80
    });
    match (set, second) {
        (Set::Double(encoding), Some(second)) => (decoded(encoding, &[byte | 0x80, second | 0x80]), 2),
        (Set::Supplementary, Some(second)) => (decoded(EUC_JP, &[0x8F, byte | 0x80, second | 0x80]), 2),
        (Set::Single(encoding), _) if byte >= 0x80 => (decoded(encoding, &[byte]), 1),
        (Set::Katakana, _) if (0xA1..=0xDF).contains(&byte) => {
            let letter = char::from_u32(0xFF61 + u32::from(byte - 0xA1)).unwrap_or(char::REPLACEMENT_CHARACTER);
            (letter.to_string().into(), 1)
        }
        _ if byte < 0x80 => (char::from(byte).to_string().into(), 1),
        _ => ("\u{FFFD}".into(), 1),
    }
}

/// Whether the sets that were active at the beginning are so again behind this byte (PS3.5 6.1.2.5.3).
fn ends_extension(byte: u8, vr: VR) -> bool {
    match byte {
        b'\t' | b'\n' | 0x0C | b'\r' => true,
        b'\\' => has_several_values(vr),
        b'^' | b'=' => vr == VR::PN,
        _ => false,
    }
}

fn has_several_values(vr: VR) -> bool {
    matches!(vr, VR::LO | VR::PN | VR::SH | VR::UC)
}

/// Decodes the texts of a data set that were read byte by byte, each byte a letter (as ISO 8859-1 does).
pub(super) fn decode_texts(object: &mut InMemDicomObject, sets: &CharacterSets) {
    let mut decoded = Vec::new();
    for element in &*object {
        let (tag, vr) = (element.header().tag, element.vr());
        match element.value() {
            Value::Primitive(value) if has_several_values(vr) || matches!(vr, VR::LT | VR::ST | VR::UT) => {
                let letters = value.to_raw_str();
                if letters.bytes().all(|byte| byte < 0x80 && byte != ESCAPE) {
                    continue;
                }
                // Letters beyond a byte come from an item that names a set of its own, which dicom-rs decoded.
                let bytes: Option<Vec<u8>> = letters.chars().map(|letter| u8::try_from(letter).ok()).collect();
                let Some(bytes) = bytes else { continue };
                let text = sets.decode(&bytes, vr);
                let value = if has_several_values(vr) {
                    PrimitiveValue::Strs(text.split('\\').map(str::to_owned).collect())
                } else {
                    PrimitiveValue::Str(text)
                };
                decoded.push(DataElement::new(tag, vr, value));
            }
            Value::Sequence(sequence) => {
                let mut items = sequence.items().to_vec();
                for item in &mut items {
                    let own = item.get(tags::SPECIFIC_CHARACTER_SET).and_then(|own| own.to_str().ok());
                    let own = own.map(|own| CharacterSets::of(&own));
                    decode_texts(item, own.as_ref().unwrap_or(sets));
                }
                if items != sequence.items() {
                    decoded.push(DataElement::new(tag, vr, dicom_core::value::DataSetSequence::from(items)));
                }
            }
            _ => {}
        }
    }
    for element in decoded {
        object.put(element);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names as PS3.5 annexes H, I, J and K write them, and as pydicom encodes the others.
    #[test]
    fn names_in_all_sets() {
        for (sets, bytes, expected) in [
            (
                "\\ISO 2022 IR 87",
                &b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"[..],
                "Yamada^Tarou=山田^太郎=やまだ^たろう",
            ),
            (
                "ISO 2022 IR 13\\ISO 2022 IR 87",
                b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
                "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
            ),
            (
                "\\ISO 2022 IR 149",
                b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
                "Hong^Gildong=洪^吉洞=홍^길동",
            ),
            ("\\ISO 2022 IR 58", b"Wang^XiaoDong=\x1b$)A\xcd\xf5^\x1b$)A\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
            // A letter of the second half of the table that a delimiter must not end.
            ("\\ISO 2022 IR 87", b"A=\x1b$B1^\x1b(B^B", "A=厭^B"),
            ("\\ISO 2022 IR 159", b"A=\x1b$(D3(\x1b(B^B", "A=凞^B"),
            ("ISO 2022 IR 100\\ISO 2022 IR 126", b"Dionysios=\x1b-F\xc4\xe9\xef", "Dionysios=Διο"),
            ("ISO 2022 IR 100\\ISO 2022 IR 144", b"J\xe9r\xf4me=\x1b-L\xbb\xee\xda\xe1^\x1b-L\xb5\xdc", "Jérôme=Люкс^Ем"),
            ("ISO_IR 148", b"\xc7avu\xfeo\xf0lu^I\xfe\xfdk", "Çavuşoğlu^Işık"),
            ("ISO_IR 101", b"Wa\xb3\xeasa^\xa3ukasz", "Wałęsa^Łukasz"),
            ("ISO_IR 109", b"\xa6usa^\xf8i", "Ĥusa^ĝi"),
            ("ISO_IR 110", b"K\xe3rli\xf2\xf0", "Kãrliōđ"),
            ("ISO_IR 126", b"\xc4\xe9\xef\xed", "Διον"),
            ("ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
            ("ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
            ("ISO_IR 144", b"\xbb\xee\xda\xe1\xd5\xdc\xd1\xe3\xe0\xd3", "Люксембург"),
            ("ISO_IR 166", b"\xca\xc1\xaa\xd2\xc2", "สมชาย"),
            ("ISO_IR 203", b"\xa4uro^\xbcuvre", "€uro^Œuvre"),
            ("ISO_IR 13", b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
            ("GB18030", b"Wang=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang=王^小东"),
            ("GBK", b"A=\x81\x5c^B", "A=乗^B"),
            ("ISO_IR 192", "Łukasz=王".as_bytes(), "Łukasz=王"),
            // Not as it should be, but clear: no escape, another spelling, nothing declared.
            ("ISO 2022 IR 149", b"\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동"),
            ("\\ISO 2022 IR 149", b"=\xc8\xab", "=홍"),
            ("ISO_IR_100", b"M\xfcller", "Müller"),
            ("", b"M\xfcller", "Müller"),
            ("", "Müller".as_bytes(), "Müller"),
            ("ISO_IR 6", b"Doe^John", "Doe^John"),
        ] {
            assert_eq!(CharacterSets::of(sets).decode(bytes, VR::PN), expected, "{sets}");
        }
    }

    #[test]
    fn values_are_parted_behind_the_letters_and_not_within() {
        let mut object = InMemDicomObject::new_empty();
        let letters = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
        // The second byte of a letter of GB 18030 is a backslash.
        object.put(DataElement::new(tags::OTHER_PATIENT_NAMES, VR::PN, PrimitiveValue::from(letters(b"\x81\x5c\\B"))));
        object.put(DataElement::new(tags::PATIENT_COMMENTS, VR::LT, PrimitiveValue::from(letters(b"\xcd\xf5 a\\b"))));
        decode_texts(&mut object, &CharacterSets::of("GB18030"));
        let names = object.get(tags::OTHER_PATIENT_NAMES).and_then(|names| names.to_multi_str().ok()).expect("names");
        assert_eq!(names.as_ref(), ["乗", "B"]);
        let words = object.get(tags::PATIENT_COMMENTS).and_then(|words| words.to_str().ok()).expect("words");
        assert_eq!(words, "王 a\\b");
    }
}
