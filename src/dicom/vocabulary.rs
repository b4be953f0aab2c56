//! The words of series descriptions: which regions, contrasts and kinds of images they name, in any department's language.
//!
//! The words themselves are data: `assets/dicom/vocabulary.toml`.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Most words that one term joins, as in `OUT OF PHASE`.
const LONGEST_TERM: usize = 4;

/// What a word or a group of words stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of the table")]
pub(super) enum Concept {
    Lumbar,
    LumbarAndThoracic,
    WholeSpine,
    Thoracic,
    Cervical,
    Sacrum,
    Elsewhere,
    LumbarLetter,
    ThoracicLetter,
    CervicalLetter,
    SacralLetter,
    Localizer,
    T2,
    T1,
    ProtonDensity,
    Stir,
    FluidNulled,
    GradientEcho,
    EchoPlanar,
    Diffusion,
    Myelogram,
    Perfusion,
    InPhase,
    OpposedPhase,
    Water,
    Fat,
    PhaseImage,
    Real,
    Imaginary,
    Dixon,
    FatSuppressed,
    Suppression,
    Reformatted,
    Map,
    ScreenCopy,
    Nothing,
}

/// The table in the form in which it is looked up.
struct Vocabulary {
    words: HashMap<String, Vec<Concept>>,
    beginnings: Vec<(String, Concept)>,
    parts: Vec<(String, Concept)>,
}

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let table: HashMap<Concept, Vec<String>> =
        toml::from_str(include_str!("../../assets/dicom/vocabulary.toml")).expect("a test reads the table");
    let mut vocabulary = Vocabulary { words: HashMap::new(), beginnings: Vec::new(), parts: Vec::new() };
    for (concept, terms) in table {
        for term in terms {
            let term: String = without_accents(&term).collect();
            match (term.strip_prefix('*'), term.strip_suffix('*')) {
                (Some(part), _) => vocabulary.parts.push((part.trim_end_matches('*').to_owned(), concept)),
                (None, Some(beginning)) => vocabulary.beginnings.push((beginning.to_owned(), concept)),
                (None, None) => vocabulary.words.entry(term).or_default().push(concept),
            }
        }
    }
    vocabulary
});

impl Vocabulary {
    /// What words in a row stand for as one term: the whole if it is known, else its longest known beginning that reaches into
    /// the last of them.
    fn meanings(&self, words: &[String]) -> Vec<Concept> {
        let term = words.concat();
        if let Some(concepts) = self.words.get(&term) {
            return concepts.clone();
        }
        let before_last = term.len() - words.last().map_or(0, String::len);
        let reaches = |beginning: &str| beginning.len() > before_last && term.starts_with(beginning);
        let fitting = || self.beginnings.iter().filter(|(beginning, _)| reaches(beginning));
        let longest = fitting().map(|(beginning, _)| beginning.len()).max();
        fitting().filter(|(beginning, _)| Some(beginning.len()) == longest).map(|(_, concept)| *concept).collect()
    }
}

/// Everything that `text` names. Of overlapping terms the longest counts.
pub(super) fn concepts(text: &str) -> BTreeSet<Concept> {
    let vocabulary = &*VOCABULARY;
    let words = words(text);
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < words.len() {
        let longest = LONGEST_TERM.min(words.len() - at);
        let term = (1..=longest).rev().find_map(|count| {
            let concepts = vocabulary.meanings(&words[at..at + count]);
            (!concepts.is_empty()).then_some((count, concepts))
        });
        let (count, concepts) = term.unwrap_or((1, Vec::new()));
        found.extend(concepts);
        found.extend(level(&words[at]));
        if is_b_value(&words[at]) {
            found.insert(Concept::Diffusion);
        }
        at += count;
    }
    let whole = words.concat();
    found
        .extend(vocabulary.parts.iter().filter(|(part, _)| whole.contains(part.as_str())).map(|(_, concept)| *concept));
    found
}

/// The region of a vertebral level such as `L5`, `TH10` or `C7`; `T1` and `T2` are contrasts.
fn level(word: &str) -> Option<Concept> {
    let (letters, rest) = word.split_at(word.find(|letter: char| letter.is_ascii_digit())?);
    let number = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    match (letters, number.parse().ok()?) {
        ("L" | "LWK", 1..=6) => Some(Concept::LumbarLetter),
        ("TH" | "D" | "BWK", 1..=12) | ("T", 3..=12) => Some(Concept::ThoracicLetter),
        ("C" | "HWK", 1..=7) => Some(Concept::CervicalLetter),
        ("S" | "SWK", 1..=5) => Some(Concept::SacralLetter),
        _ => None,
    }
}

/// Whether a word gives a diffusion weighting: `B0`, `B800`, `B800T` (of all directions).
fn is_b_value(word: &str) -> bool {
    let number = word.strip_prefix('B').and_then(|number| number.trim_end_matches('T').parse::<u32>().ok());
    number.is_some_and(|value| value == 0 || (50..=5000).contains(&value))
}

/// Words in capitals without accents; `T2*` becomes `T2 STAR`, `w/o` becomes `WITHOUT`, `SagT2` and `T2SAG` become two words, as
/// do scripts that do not part words and what stands beside them: `腰椎T2`.
pub(super) fn words(text: &str) -> Vec<String> {
    let text = text.replace("T2*", "T2STAR").replace("t2*", "t2star");
    let text = text.replace("W/O", "WITHOUT ").replace("w/o", "without ");
    let letters: Vec<char> = without_accents(&text).collect();
    let mut parted = String::with_capacity(text.len() + 8);
    let (mut before, mut run) = (' ', 0);
    for (at, &letter) in letters.iter().enumerate() {
        let following = letters[at..].iter().take_while(|letter| letter.is_alphabetic()).count();
        let starts_in_capitals = before.is_lowercase() && letter.is_uppercase();
        let follows_number = before.is_ascii_digit() && following >= 3;
        // `SAGT2`: a contrast at the end of a word.
        let is_contrast = run >= 3 && matches!(letter, 'T' | 't') && matches!(letters.get(at + 1), Some('1' | '2'));
        let changes_script = before.is_alphanumeric() && is_east_asian(before) != is_east_asian(letter);
        if starts_in_capitals || follows_number || is_contrast || changes_script {
            parted.push(' ');
            run = 0;
        }
        run = if letter.is_alphabetic() { run + 1 } else { 0 };
        parted.push(letter);
        before = letter;
    }
    let words = parted.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.to_uppercase().replace('Œ', "OE").replace('Æ', "AE")).collect()
}

/// Whether a letter is of the ideographs, syllables and kana of East Asia.
fn is_east_asian(letter: char) -> bool {
    ('\u{2E80}'..'\u{E000}').contains(&letter) || letter >= '\u{20000}'
}

/// The letters that remain of `text` where accents and strokes are left off.
fn without_accents(text: &str) -> impl Iterator<Item = char> {
    let plain = text.nfkd().filter(|letter| !is_combining_mark(*letter)).nfc();
    plain.map(|letter| match letter {
        'ø' => 'o',
        'Ø' => 'O',
        'ł' => 'l',
        'Ł' => 'L',
        'đ' => 'd',
        'Đ' => 'D',
        'ı' => 'i',
        _ => letter,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_accents_case_and_separators() {
        assert_eq!(words("Sag T2-w_Lendenwirbelsäule"), ["SAG", "T2", "W", "LENDENWIRBELSAULE"]);
        assert_eq!(words("SagT2LSpine"), ["SAG", "T2", "LSPINE"]);
        assert_eq!(words("T2SAG SAGT2 t2*"), ["T2", "SAG", "SAG", "T2", "T2", "STAR"]);
        assert_eq!(words("kręgosłup lędźwiowy ΟΣΦΥΪΚΗ"), ["KREGOSLUP", "LEDZWIOWY", "ΟΣΦΥΙΚΗ"]);
        assert_eq!(words("OutPhase: 3D T2w"), ["OUT", "PHASE", "3D", "T2W"]);
        assert_eq!(words("腰椎T2強調 T2강조"), ["腰椎", "T2", "強調", "T2", "강조"]);
    }

    #[test]
    fn the_longest_term_counts() {
        let named = |text: &str| concepts(text).into_iter().collect::<Vec<_>>();
        assert_eq!(named("T2 SAG L-SPINE"), [Concept::Lumbar, Concept::T2]);
        assert_eq!(named("T2 FAT SAT"), [Concept::T2, Concept::FatSuppressed]);
        assert_eq!(named("SAG T2 FSE FAT-SATURATED"), [Concept::T2, Concept::FatSuppressed]);
        assert_eq!(named("SmartPlan"), [Concept::Localizer]);
        assert_eq!(named("Sag T2 LUMBAR"), [Concept::Lumbar, Concept::T2]);
        assert_eq!(named("FAT: T2 FLEX"), [Concept::T2, Concept::Fat, Concept::Dixon]);
        assert_eq!(named("t2_map"), [Concept::T2, Concept::Map]);
        assert_eq!(named("sag b800"), [Concept::Diffusion]);
        assert_eq!(named("T2 L1-S1"), [Concept::LumbarLetter, Concept::SacralLetter, Concept::T2]);
        assert_eq!(named("MR 腰椎"), [Concept::Lumbar]);
        assert_eq!(named("T-11503, 122494005"), [Concept::Lumbar, Concept::Cervical]);
        assert_eq!(named("t2_tse_sag_DeepResolve"), [Concept::T2, Concept::Nothing]);
        assert_eq!(named("SAG T2 w/o fat sat"), [Concept::T2, Concept::Nothing]);
    }

    /// What departments write for things that no lumbar T2 series is.
    #[test]
    fn words_of_ten_languages_are_known() {
        for (concept, texts) in [
            (Concept::T2, ["T2強調 矢状断", "T2강조 SAG", "腰椎T2", "Т2 ВИ саг"].as_slice()),
            (Concept::T1, &["T1強調", "T1강조", "Т1 ВИ саг"]),
            (Concept::Diffusion, &["弥散", "扩散加权 SAG", "拡散強調", "확산강조", "ИКД", "difüzyon"]),
            (
                Concept::FatSuppressed,
                &["T2 脂肪飽和", "T2 去脂", "T2脂抑", "지방포화 T2", "T2 ЖП", "sag T2 vetverzadigd"],
            ),
            (Concept::OpposedPhase, &["T2 opposizione di fase", "T2 out faz", "T2 fora de fase", "T2 逆位相"]),
            (Concept::InPhase, &["T2 in faz", "T2 em fase", "T2 同相位"]),
            (Concept::Fat, &["水脂分离 脂像", "T2 tłuszcz"]),
            (Concept::Localizer, &["overzicht", "разметка", "kılavuz", "plánovací", "로컬라이저", "스카우트"]),
            (Concept::Myelogram, &["MR miyelografi", "МР-миелография", "척수조영", "椎管水成像"]),
            (Concept::Reformatted, &["реконструкция T2", "T2 重建", "T2 再構成"]),
            (Concept::Map, &["T2 карта", "T2マップ"]),
            (Concept::WholeSpine, &["脊椎全長", "全脊柱", "tüm omurga"]),
            (Concept::Sacrum, &["копчик", "尾骨", "kość ogonowa", "kuyruk sokumu", "꼬리뼈"]),
            (
                Concept::Elsewhere,
                &["SI gewrichten", "гипофиз", "고관절", "骨盤", "HİPOFİZ", "staw skokowy", "mano", "SHLDR"],
            ),
        ] {
            for text in texts {
                assert!(concepts(text).contains(&concept), "{text}: {:?}", concepts(text));
            }
        }
    }

    #[test]
    fn terms_are_written_as_words_come_out() {
        let table: HashMap<Concept, Vec<String>> =
            toml::from_str(include_str!("../../assets/dicom/vocabulary.toml")).expect("the table");
        for term in table.values().flatten() {
            let bare = term.trim_matches('*');
            assert!(!bare.is_empty() && words(bare).concat() == without_accents(bare).collect::<String>(), "{term}");
        }
    }
}
