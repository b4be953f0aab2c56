//! A table of texts in another language than English.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::{fmt, fs};

use intl_pluralrules::{PluralCategory, PluralRuleType, PluralRules};
use serde::Deserialize;
use thiserror::Error;
use unic_langid::LanguageIdentifier;

use super::places::{filled, places, values_of};

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

/// Texts in another language, by the English ones.
pub struct Table {
    code: String,
    name: String,
    decimal_mark: String,
    plural_rules: Option<PluralRules>,
    texts: HashMap<String, Translation>,
    contexts: HashMap<String, HashMap<String, Translation>>,
    refused: Vec<String>,
}

/// What the file of a table holds.
#[derive(Deserialize)]
struct TableFile {
    name: String,
    #[serde(default = "point")]
    decimal_mark: String,
    #[serde(default)]
    texts: BTreeMap<String, Translation>,
    #[serde(default)]
    contexts: BTreeMap<String, BTreeMap<String, Translation>>,
}

fn point() -> String {
    ".".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Translation {
    Text(String),
    /// By the plural categories of CLDR: `zero`, `one`, `two`, `few`, `many`, `other`.
    Forms(BTreeMap<String, String>),
}

impl Translation {
    fn forms(&self) -> Vec<&String> {
        match self {
            Self::Text(text) => vec![text],
            Self::Forms(forms) => forms.values().collect(),
        }
    }

    /// Whether it has been made: an empty text is one to be translated yet.
    fn is_made(&self) -> bool {
        self.forms().iter().all(|form| !form.is_empty())
    }

    /// Whether each form shows what the English text shows, and there is one for every count.
    fn stands_for(&self, english: &str) -> bool {
        let has_other = match self {
            Self::Text(_) => true,
            Self::Forms(forms) => forms.contains_key("other"),
        };
        has_other && self.forms().iter().all(|form| places(form) == places(english))
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Forms(_) => None,
        }
    }
}

impl Table {
    /// Reads the table in a file; its name without the ending is the code of the language.
    ///
    /// # Errors
    /// If the file cannot be read or is no table.
    pub fn read(file: &Path) -> Result<Self, LanguageError> {
        let code = file.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&code, &fs::read_to_string(file)?)
    }

    /// The table in a text of the form `name = "Deutsch"`, `[texts]`, `"Open folder…" = "Ordner öffnen…"`,
    /// `"{count} slices" = { one = "{count} Schicht", other = "{count} Schichten" }`, `[contexts.measurement]`,
    /// `"Slip" = "Versatz"`.
    ///
    /// A translation that lacks a place of the English text, or has another one, would hide a value from the reader; it
    /// is refused, and the text stays English. So it does where the translation is empty, which is one yet to be made.
    ///
    /// # Errors
    /// If the text is no such table.
    pub fn parse(code: &str, text: &str) -> Result<Self, LanguageError> {
        let TableFile { name, decimal_mark, texts, contexts } = toml::from_str(text)?;
        let mut refused = Vec::new();
        let mut kept = |texts: BTreeMap<String, Translation>| -> HashMap<String, Translation> {
            let made = texts.into_iter().filter(|(_, made)| made.is_made());
            let (kept, lossy): (BTreeMap<_, _>, BTreeMap<_, _>) =
                made.partition(|(english, made)| made.stands_for(english));
            refused.extend(lossy.into_keys());
            kept.into_iter().collect()
        };
        let texts = kept(texts);
        let contexts = contexts.into_iter().map(|(context, texts)| (context, kept(texts))).collect();
        Ok(Self {
            code: code.to_owned(),
            name,
            decimal_mark,
            plural_rules: plural_rules(code),
            texts,
            contexts,
            refused,
        })
    }

    /// Keeps the table until the program ends, so that its texts can be lent to every frame. For tables read at the start.
    #[must_use]
    pub(crate) fn keep(self) -> &'static Self {
        Box::leak(Box::new(self))
    }

    /// What settings call the language.
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

    pub(super) fn decimal_mark(&self) -> &str {
        &self.decimal_mark
    }

    pub(super) fn text(&self, english: &str) -> Option<&str> {
        self.texts.get(english)?.text()
    }

    pub(super) fn text_in(&self, context: &str, english: &str) -> Option<&str> {
        self.contexts.get(context)?.get(english)?.text()
    }

    /// The translation of a text that was made from one of the messages, and of those within it; of several that fit, from
    /// that with the most letters of its own.
    pub(super) fn message(&self, english: &str) -> Option<String> {
        let fitting = self.contexts.get("message")?.iter().filter_map(|(pattern, translation)| {
            let values = values_of(pattern, english)?;
            let in_values: usize = values.iter().map(|(_, value)| value.len()).sum();
            Some((in_values, values, translation.text()?))
        });
        let (_, values, text) = fitting.min_by_key(|(in_values, ..)| *in_values)?;
        let shown = |value: &str| match value.parse::<f64>() {
            Ok(_) => value.replace('.', &self.decimal_mark),
            // A message of nothing but a place would hold itself without end.
            Err(_) if value.len() < english.len() => self.message(value).unwrap_or_else(|| value.to_owned()),
            Err(_) => value.to_owned(),
        };
        let values: Vec<(&str, String)> = values.into_iter().map(|(place, value)| (place, shown(value))).collect();
        let shown: Vec<(&str, &dyn fmt::Display)> = values.iter().map(|(place, value)| (*place, value as _)).collect();
        Some(filled(text, &shown))
    }

    /// The form for a count; `other` for those that the table does not tell apart.
    pub(super) fn plural(&self, count: usize, english: &str) -> Option<&str> {
        match self.texts.get(english)? {
            Translation::Text(text) => Some(text),
            Translation::Forms(forms) => {
                forms.get(self.category(count)).or_else(|| forms.get("other")).map(String::as_str)
            }
        }
    }

    /// The plural category of a count in this language.
    #[must_use]
    pub fn category(&self, count: usize) -> &'static str {
        let category = self.plural_rules.as_ref().and_then(|rules| rules.select(count).ok());
        match category {
            Some(PluralCategory::ZERO) => "zero",
            Some(PluralCategory::ONE) => "one",
            Some(PluralCategory::TWO) => "two",
            Some(PluralCategory::FEW) => "few",
            Some(PluralCategory::MANY) => "many",
            Some(PluralCategory::OTHER) | None => "other",
        }
    }
}

/// The rules of a language, or of what it is a variety of; `None` where none are known.
fn plural_rules(code: &str) -> Option<PluralRules> {
    let language: LanguageIdentifier = code.parse().ok()?;
    let bare = LanguageIdentifier::from_parts(language.language, None, None, &[]);
    [language, bare].into_iter().find_map(|known| PluralRules::create(known, PluralRuleType::CARDINAL).ok())
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.code).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gives_its_texts_and_refuses_those_that_lose_a_value() {
        let table = Table::parse(
            "de",
            r#"
            name = "Deutsch"
            [texts]
            "Open" = "Öffnen"
            "Save" = ""
            "Slice {slice} of {count}" = "Schicht {slice}"
            "{done} of {total}" = "von {total} {done}"
            "{count} slices" = { one = "eine Schicht", other = "{count} Schichten" }
            "{count} views" = { one = "{count} Ansicht" }
            "#,
        )
        .expect("a table");
        assert_eq!((table.code(), table.name()), ("de", "Deutsch"));
        assert_eq!(table.refused(), ["Slice {slice} of {count}", "{count} slices", "{count} views"]);
        assert_eq!(table.text("Open"), Some("Öffnen"));
        assert_eq!(table.text("Save"), None, "an empty text is one that is not translated yet");
        assert_eq!(table.text("{done} of {total}"), Some("von {total} {done}"));
        assert_eq!(table.plural(2, "{count} slices"), None);
    }

    #[test]
    fn what_is_no_table_is_an_error() {
        assert!(Table::parse("de", "").is_err(), "a language has a name");
        assert!(Table::parse("de", "name = \"Deutsch\"\n[texts]\n\"Open\" = 3").is_err());
        assert!(Table::parse("de", "name = \"Deutsch\"").is_ok(), "a table may be empty");
        let missing = tempfile::tempdir().expect("a temporary folder").path().join("de.toml");
        assert!(matches!(Table::read(&missing), Err(LanguageError::Io(_))));
    }

    #[test]
    fn counts_have_the_categories_of_the_language() {
        let categories = |code, counts: [usize; 3]| {
            let table = Table::parse(code, "name = \"\"").expect("a table");
            counts.map(|count| table.category(count))
        };
        assert_eq!(categories("de", [0, 1, 2]), ["other", "one", "other"]);
        assert_eq!(categories("fr", [0, 1, 2]), ["one", "one", "other"], "in French, none is singular");
        assert_eq!(categories("pt-BR", [0, 1, 2]), ["one", "one", "other"]);
        assert_eq!(categories("ja", [0, 1, 2]), ["other"; 3]);
        assert_eq!(categories("my own", [0, 1, 2]), ["other"; 3], "no known language");
    }
}
