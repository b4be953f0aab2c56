//! Faces of text: the one that comes with the program, and those of the system for letters that it lacks.
//!
//! The window finds them in the same way, through the library of its toolkit.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use fontique::{
    Blob, Collection, CollectionOptions, FallbackKey, GenericFamily, Language, QueryFamily, QueryStatus, Script,
    SourceCache, SourceCacheOptions,
};
use skrifa::{FontRef, MetadataProvider};
use unicode_script::UnicodeScript;

/// One face of a font file.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    file: Blob<u8>,
    index: u32,
}

impl Face {
    /// The one that comes with the program.
    #[must_use]
    pub fn bundled() -> Self {
        BUNDLED.clone()
    }

    /// The bytes of the file, and the number of the face in it.
    #[must_use]
    pub(crate) fn file(&self) -> (Arc<dyn AsRef<[u8]> + Send + Sync>, u32) {
        (self.file.clone().into_raw_parts().0, self.index)
    }

    /// The face as it is drawn from; `None` for a broken file.
    pub(super) fn font(&self) -> Option<FontRef<'_>> {
        FontRef::from_index(self.file.as_ref(), self.index).ok()
    }

    /// Whether it can draw a letter.
    #[must_use]
    pub fn has(&self, letter: char) -> bool {
        self.font().is_some_and(|font| {
            font.charmap().map(letter).is_some_and(|glyph| font.outline_glyphs().get(glyph).is_some())
        })
    }
}

static BUNDLED: LazyLock<Face> =
    LazyLock::new(|| Face { file: Blob::new(Arc::new(epaint_default_fonts::UBUNTU_LIGHT)), index: 0 });

/// The parts of a text, each with the face to draw it in. Letters that no face has stay with the bundled one, which
/// draws a box.
#[must_use]
pub(crate) fn faces_of(text: &str) -> Vec<(Face, &str)> {
    let mut starts: Vec<(usize, Face)> = Vec::new();
    for (start, letter) in text.char_indices() {
        let last = starts.last().map(|(_, face)| face);
        // Spaces and marks stay with the letters before them.
        if last.is_some_and(|last| !letter.is_alphanumeric() && last.has(letter)) {
            continue;
        }
        let is_bundled = letter.is_control() || BUNDLED.has(letter);
        let face = (!is_bundled).then(|| system_face(letter, text)).flatten().unwrap_or_else(Face::bundled);
        if last != Some(&face) {
            starts.push((start, face));
        }
    }
    let ends: Vec<usize> = starts.iter().skip(1).map(|(start, _)| *start).chain([text.len()]).collect();
    starts.into_iter().zip(ends).map(|((start, face), end)| (face, &text[start..end])).collect()
}

/// The fonts of the system, and the faces found among them.
struct System {
    fonts: Collection,
    files: SourceCache,
    found: HashMap<(char, &'static str), Option<Face>>,
}

/// Listing the fonts takes a while, so it is left until a letter needs them.
static SYSTEM: LazyLock<Mutex<System>> = LazyLock::new(|| {
    Mutex::new(System {
        fonts: Collection::new(CollectionOptions { system_fonts: true, ..CollectionOptions::default() }),
        files: SourceCache::new(SourceCacheOptions::default()),
        found: HashMap::new(),
    })
});

/// A face of the system that has a letter of a text.
fn system_face(letter: char, text: &str) -> Option<Face> {
    let languages = languages_of(text);
    let mut system = SYSTEM.lock().unwrap_or_else(PoisonError::into_inner);
    let System { fonts, files, found } = &mut *system;
    let search = || languages.iter().find_map(|language| face_in(fonts, files, letter, language));
    found.entry((letter, languages[0])).or_insert_with(search).clone()
}

fn face_in(fonts: &mut Collection, files: &mut SourceCache, letter: char, language: &str) -> Option<Face> {
    let mut query = fonts.query(files);
    query.set_families([GenericFamily::SansSerif, GenericFamily::Serif].map(QueryFamily::Generic));
    if let Ok(script) = Script::parse(letter.script().short_name()) {
        query.set_fallbacks(FallbackKey::new(script, Language::parse(language).ok().as_ref()));
    }
    let mut found = None;
    query.matches_with(|font| {
        let face = Face { file: font.blob.clone(), index: font.index };
        if !face.has(letter) {
            return QueryStatus::Continue;
        }
        found = Some(face);
        QueryStatus::Stop
    });
    found
}

/// Languages whose fonts are asked for the Chinese characters of a text, the likeliest first: each has its own forms of
/// them, and lacks those that only others use.
fn languages_of(text: &str) -> [&'static str; 4] {
    use unicode_script::Script::{Hangul, Hiragana, Katakana};
    if text.chars().any(|letter| matches!(letter.script(), Hiragana | Katakana)) {
        ["ja", "zh-SG", "zh-TW", "ko"]
    } else if text.chars().any(|letter| letter.script() == Hangul) {
        ["ko", "zh-TW", "ja", "zh-SG"]
    } else {
        ["zh-SG", "zh-TW", "ja", "ko"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_the_bundled_face_need_no_other() {
        assert_eq!(faces_of("Łukasz Müller, L4-L5: größer als 5 mm; Δ Ж").len(), 1);
        assert!(faces_of("").is_empty());
    }

    /// Whatever is installed, no letter gets lost, and a face that is chosen has its letters.
    #[test]
    fn parts_make_the_text_and_their_faces_have_the_letters() {
        for text in ["Hong Gildong (洪 吉洞, 홍 길동)", "שרון דבורה", "قباني نزار: 5 mm", "สมชาย", "გიორგი", "Ա"]
        {
            let parts = faces_of(text);
            assert_eq!(parts.iter().map(|(_, part)| *part).collect::<String>(), text);
            for (face, part) in parts.iter().filter(|(face, _)| *face != Face::bundled()) {
                assert!(part.chars().all(|letter| face.has(letter)), "{part}");
            }
        }
    }

    #[test]
    fn the_other_letters_of_a_text_tell_its_language() {
        assert_eq!(languages_of("山田 太郎 (やまだ たろう)")[0], "ja");
        assert_eq!(languages_of("洪 吉洞 (홍 길동)")[0], "ko");
        assert_eq!(languages_of("王 小东")[0], "zh-SG");
    }
}
