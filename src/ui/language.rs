//! The language of the window: texts are written in English where they are shown, and looked up in a table.
//!
//! The English text is the key, so the program needs no table for English and a table that lacks a text still shows
//! something readable. `tr!("Open folder…")` is a text without places; `tr!("Slice {slice}", slice = 3)` fills places by
//! name, so that a translation may put several in another order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{Display, Write};
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;
use thiserror::Error;

/// Name of the language that the texts are written in.
pub const ENGLISH: &str = "English";

/// The tables that were ever in force; more than anybody has.
static INSTALLED: [OnceLock<&'static Language>; 64] = [const { OnceLock::new() }; 64];

/// The language of this process: its place in [`INSTALLED`]; [`NONE`] is English. One for all windows, because `tr!` is
/// also asked where no window is at hand, and without a lock, because every text of every frame asks.
static IN_FORCE: AtomicUsize = AtomicUsize::new(NONE);
const NONE: usize = usize::MAX;

/// Why a table cannot be used.
#[derive(Debug, Error)]
pub enum LanguageError {
    /// Its file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its file is no table of texts.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
}

/// A table of texts in another language than English.
#[derive(Debug)]
pub struct Language {
    code: String,
    name: String,
    texts: HashMap<String, String>,
    refused: Vec<String>,
}

/// What the file of a table holds.
#[derive(Deserialize)]
struct LanguageFile {
    name: String,
    #[serde(default)]
    texts: BTreeMap<String, String>,
}

impl Language {
    /// Reads the table in a file; its name without the ending is the code of the language.
    ///
    /// # Errors
    /// If the file cannot be read or is no table.
    pub fn read(file: &Path) -> Result<Self, LanguageError> {
        let code = file.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&code, &std::fs::read_to_string(file)?)
    }

    /// The table in a text of the form `name = "Deutsch"`, `[texts]`, `"Open folder…" = "Ordner öffnen…"`.
    ///
    /// A translation that lacks a place of the English text, or has another one, would hide a value from the reader; it
    /// is refused, and the text stays English. So it does where the translation is empty, which is one yet to be made.
    ///
    /// # Errors
    /// If the text is no such table.
    pub fn parse(code: &str, text: &str) -> Result<Self, LanguageError> {
        let LanguageFile { name, texts } = toml::from_str(text)?;
        let made = texts.into_iter().filter(|(_, text)| !text.is_empty());
        let (texts, refused): (BTreeMap<_, _>, BTreeMap<_, _>) =
            made.partition(|(english, text)| places(english) == places(text));
        let (code, texts, refused) = (code.to_owned(), texts.into_iter().collect(), refused.into_keys().collect());
        Ok(Self { code, name, texts, refused })
    }

    /// Keeps the table until the program ends, so that its texts can be lent to every frame. For tables read at the start.
    #[must_use]
    pub fn keep(self) -> &'static Self {
        Box::leak(Box::new(self))
    }

    /// What settings call it.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What it is called in itself, for the menu.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// English texts whose translation was refused.
    #[must_use]
    pub fn refused(&self) -> &[String] {
        &self.refused
    }
}

/// Makes a language that of all texts from now on; `None` is English.
pub fn install(language: Option<&'static Language>) {
    let place = language.and_then(|language| {
        let is_here = |slot: &OnceLock<_>| std::ptr::eq(*slot.get_or_init(|| language), language);
        INSTALLED.iter().position(is_here)
    });
    IN_FORCE.store(place.unwrap_or(NONE), Ordering::Release);
}

/// The language of the texts; `None` is English.
#[must_use]
pub fn in_force() -> Option<&'static Language> {
    INSTALLED.get(IN_FORCE.load(Ordering::Acquire))?.get().copied()
}

/// What the language in force has for an English text, places unfilled; `None` where it stays English.
#[must_use]
pub fn translation(english: &str) -> Option<&'static str> {
    in_force()?.texts.get(english).map(String::as_str)
}

/// An English text in the language in force. For names that the layers below give; others are written in `tr!`, which
/// the test of the table finds.
#[must_use]
pub fn translated(english: &str) -> &str {
    translation(english).unwrap_or(english)
}

/// A text with its places filled. A place without a value stays as it is.
#[must_use]
pub fn filled(text: &str, values: &[(&str, &dyn Display)]) -> String {
    let (mut whole, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, place, after)) = next_place(rest) {
        whole.push_str(before);
        match values.iter().find(|(name, _)| *name == place) {
            // Writing into a text cannot fail.
            Some((_, value)) => drop(write!(whole, "{value}")),
            None => drop(write!(whole, "{{{place}}}")),
        }
        rest = after;
    }
    whole + rest
}

/// Names of the places of a text.
fn places(text: &str) -> BTreeSet<&str> {
    let mut rest = text;
    std::iter::from_fn(|| {
        let (_, place, after) = next_place(rest)?;
        rest = after;
        Some(place)
    })
    .collect()
}

/// The text before the first place, the place's name, and the text after it.
fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, inside) = text.split_once('{')?;
    let (place, after) = inside.split_once('}')?;
    Some((before, place, after))
}

/// A text in the language in force: `&'static str`, or a `String` where it has places to fill. In English it is
/// `format!` itself, so a place without a value, or a value without a place, does not compile. Numbers that are shown
/// with few digits are formatted before.
macro_rules! tr {
    ($english:literal) => {
        $crate::ui::language::translated($english)
    };
    ($english:literal, $($place:ident = $value:expr),+ $(,)?) => {
        match ($(&$value,)+) {
            ($($place,)+) => match $crate::ui::language::translation($english) {
                None => format!($english, $($place = $place),+),
                Some(text) => $crate::ui::language::filled(text, &[$((stringify!($place), &$place)),+]),
            },
        }
    };
}
pub(crate) use tr;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gives_its_texts_and_refuses_those_that_lose_a_value() {
        let language = Language::parse(
            "de",
            r#"
            name = "Deutsch"
            [texts]
            "Open" = "Öffnen"
            "Save" = ""
            "Slice {slice} of {count}" = "Schicht {slice}"
            "{done} of {total}" = "von {total} {done}"
            "#,
        )
        .expect("a table");
        assert_eq!((language.code(), language.name()), ("de", "Deutsch"));
        assert_eq!(language.refused(), ["Slice {slice} of {count}"]);
        assert_eq!(language.texts.len(), 2, "an empty text is one that is not translated yet");
        assert_eq!(language.texts["Open"], "Öffnen");
        assert_eq!(filled(&language.texts["{done} of {total}"], &[("done", &1), ("total", &2)]), "von 2 1");
    }

    #[test]
    fn what_is_no_table_is_an_error() {
        assert!(Language::parse("de", "").is_err(), "a language has a name");
        assert!(Language::parse("de", "name = \"Deutsch\"\n[texts]\n\"Open\" = 3").is_err());
        assert!(Language::parse("de", "name = \"Deutsch\"").is_ok(), "a table may be empty");
        let missing = tempfile::tempdir().expect("a temporary folder").path().join("de.toml");
        assert!(matches!(Language::read(&missing), Err(LanguageError::Io(_))));
    }

    #[test]
    fn values_are_not_taken_for_places() {
        assert_eq!(filled("{a} and {b}{c}", &[("a", &"{b}"), ("b", &2)]), "{b} and 2{c}");
        assert_eq!(filled("an open { stays", &[]), "an open { stays");
    }

    #[test]
    fn english_needs_no_table() {
        assert_eq!(tr!("Open"), "Open");
        let (a, b) = (1, 2);
        assert_eq!(tr!("{b} of {a}", a = b, b = a), "1 of 2");
    }
}
