//! The languages of texts: they are written in English where they are used, and looked up in a table.
//!
//! The English text is the key, so the program needs no table for English, and a table that lacks a text still gives
//! something readable. `say!(language, "Open folder…")` is a text without places; `say!(language, "Slice {slice}",
//! slice = 3)` fills places by name, so that a translation may have them in another order. A count chooses among the
//! plural forms of the language: `say!(language, count = slices; one "{count} slice", other "{count} slices")`. Where one
//! English text needs two translations, a context tells which: `say!(language, in "measurement", "Slip")`.

mod places;
mod table;

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use thiserror::Error;

pub(crate) use places::filled;
pub(crate) use table::LanguageError;
pub use table::Table;

/// The tables that come with the program.
static SHIPPED: LazyLock<Vec<&'static Table>> = LazyLock::new(|| {
    let files = [
        ("de", include_str!("../../assets/languages/de.toml")),
        ("es", include_str!("../../assets/languages/es.toml")),
        ("fr", include_str!("../../assets/languages/fr.toml")),
    ];
    files.map(|(code, text)| Table::parse(code, text).expect("a test reads the tables of the program").keep()).to_vec()
});

/// The language of a text: English, in which texts are written, or that of a table.
#[derive(Clone, Copy, Default)]
pub struct Language(Option<&'static Table>);

impl Language {
    /// English, which needs no table.
    pub const ENGLISH: Self = Self(None);

    /// The language of a table.
    #[must_use]
    pub const fn of(table: &'static Table) -> Self {
        Self(Some(table))
    }

    /// Its table; `None` for English.
    #[must_use]
    pub const fn table(self) -> Option<&'static Table> {
        self.0
    }

    /// English, and the languages that come with the program.
    #[must_use]
    pub fn shipped() -> Vec<Self> {
        [Self::ENGLISH].into_iter().chain(SHIPPED.iter().map(|table| Self::of(table))).collect()
    }

    /// Its code: `en`, `de`.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.map_or("en", Table::code)
    }

    /// What it is called in itself.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.map_or("English", Table::name)
    }

    /// What the table has for an English text, places unfilled; `None` where it stays English.
    #[must_use]
    pub(crate) fn translation(self, english: &str) -> Option<&'static str> {
        self.0?.text(english)
    }

    /// An English text in this language. For names that the tables of other modules hold; others are written in `say!`
    /// or `tr!`, which the test of the tables finds.
    #[must_use]
    pub fn text(self, english: &str) -> &str {
        self.translation(english).unwrap_or(english)
    }

    /// An English text in this language, where it means something else than elsewhere.
    #[must_use]
    pub fn text_in<'a>(self, context: &str, english: &'a str) -> &'a str {
        self.translation_in(context, english).unwrap_or(english)
    }

    /// What the table has for an English text in a context, places unfilled; `None` where it stays English.
    #[must_use]
    pub fn translation_in(self, context: &str, english: &str) -> Option<&'static str> {
        self.0?.text_in(context, english)
    }

    /// A number with so many digits after the decimal mark of this language.
    #[must_use]
    pub fn decimal(self, number: f64, digits: usize) -> String {
        let number = format!("{number:.digits$}");
        self.0.map_or_else(|| number.clone(), |table| number.replace('.', table.decimal_mark()))
    }

    /// A message of a file in this language: files hold English. It is found by the text that `message!` made it from, and
    /// stays English where the table has none that it fits.
    #[must_use]
    pub fn message(self, english: &str) -> String {
        self.0.and_then(|table| table.message(english)).unwrap_or_else(|| english.to_owned())
    }

    /// What the table has for a count of things; `other` is the English text for several. `None` where it stays English.
    #[must_use]
    pub fn plural(self, count: usize, other: &str) -> Option<&'static str> {
        self.0?.plural(count, other)
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Eq for Language {}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A code that names no language.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("unknown language \"{code}\"; choose {}", Language::shipped().iter().map(|known| known.code()).collect::<Vec<_>>().join(", "))]
pub struct UnknownLanguage {
    code: String,
}

/// From the code of a language that comes with the program.
impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(code: &str) -> Result<Self, UnknownLanguage> {
        let found = Self::shipped().into_iter().find(|known| known.code() == code);
        found.ok_or_else(|| UnknownLanguage { code: code.to_owned() })
    }
}

/// A text in a language: `&'static str`, or a `String` where it has places to fill. In English it is `format!` itself, so
/// a place without a value, or a value without a place, does not compile. Numbers that are shown with few digits are
/// formatted before.
macro_rules! say {
    ($language:expr, in $context:literal, $english:literal) => {
        $language.text_in($context, $english)
    };
    ($language:expr, in $context:literal, $english:literal, $($place:ident = $value:expr),+ $(,)?) => {
        match ($(&$value,)+) {
            ($($place,)+) => match $language.translation_in($context, $english) {
                None => format!($english, $($place = $place),+),
                Some(text) => $crate::language::filled(text, &[$((stringify!($place), &$place)),+]),
            },
        }
    };
    ($language:expr, $count:ident = $number:expr; one $one:literal, other $other:literal $(, $place:ident = $value:expr)* $(,)?) => {
        match ($number, $(&$value,)*) {
            ($count, $($place,)*) => match $language.plural($count, $other) {
                Some(text) => $crate::language::filled(
                    text,
                    &[(stringify!($count), &$count), $((stringify!($place), &$place)),*],
                ),
                None if $count == 1 => format!($one, $count = $count, $($place = $place),*),
                None => format!($other, $count = $count, $($place = $place),*),
            },
        }
    };
    ($language:expr, $english:literal) => {
        $language.text($english)
    };
    ($language:expr, $english:literal, $($place:ident = $value:expr),+ $(,)?) => {
        match ($(&$value,)+) {
            ($($place,)+) => match $language.translation($english) {
                None => format!($english, $($place = $place),+),
                Some(text) => $crate::language::filled(text, &[$((stringify!($place), &$place)),+]),
            },
        }
    };
}
pub(crate) use say;

/// A message for files, in English; [`Language::message`] translates it where it is shown.
macro_rules! message {
    ($($text:tt)+) => {
        $crate::language::say!($crate::language::Language::ENGLISH, in "message", $($text)+)
    };
}
pub(crate) use message;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_needs_no_table() {
        let english = Language::ENGLISH;
        assert_eq!(say!(english, "Open"), "Open");
        assert_eq!(say!(english, in "measurement", "Slip"), "Slip");
        let (a, b) = (1, 2);
        assert_eq!(say!(english, "{b} of {a}", a = b, b = a), "1 of 2");
        let slices = |count| say!(english, count = count; one "{count} slice in {file}", other "{count} slices in {file}", file = "a");
        assert_eq!([slices(0), slices(1), slices(2)], ["0 slices in a", "1 slice in a", "2 slices in a"]);
    }

    #[test]
    fn a_table_gives_the_form_of_a_count_and_the_meaning_of_a_context() {
        let table = r#"
            name = "Polski"
            [texts]
            "Slip" = "Zsunięcie"
            "{count} slices" = { one = "{count} warstwa", few = "{count} warstwy", many = "{count} warstw", other = "{count} warstwy" }
            "{count} views" = "widoki: {count}"
            [contexts.measurement]
            "Slip" = "Przesunięcie"
        "#;
        let polish = Language::of(Table::parse("pl", table).expect("a table").keep());
        let slices = |count| say!(polish, count = count; one "{count} slice", other "{count} slices");
        let said = ["1 warstwa", "2 warstwy", "5 warstw", "22 warstwy"];
        assert_eq!([1, 2, 5, 22].map(slices), said);
        let views = |count| say!(polish, count = count; one "{count} view", other "{count} views");
        assert_eq!(views(1), "widoki: 1", "one form may serve for all");
        assert_eq!([say!(polish, "Slip"), say!(polish, in "measurement", "Slip")], ["Zsunięcie", "Przesunięcie"]);
        assert_eq!(say!(polish, in "window", "Level"), "Level", "what the table lacks stays English");
    }

    #[test]
    fn messages_of_files_are_found_by_what_they_were_made_from() {
        let table = r#"
            name = "Deutsch"
            decimal_mark = ","
            [texts]
            "{a}" = "{a}"
            [contexts.message]
            "slices are {least} to {most} mm apart" = "Schichtabstände von {least} bis {most} mm"
            "slices are {spacing}" = "Schichten {spacing}"
            "the header names no modality" = "der Header nennt keine Modalität"
            "not chosen: {obstacle}" = "nicht gewählt: {obstacle}"
        "#;
        let german = Language::of(Table::parse("de", table).expect("a table").keep());
        let message = message!("slices are {least} to {most} mm apart", least = "3.90", most = "4.40");
        assert_eq!(message, "slices are 3.90 to 4.40 mm apart");
        assert_eq!(german.message(&message), "Schichtabstände von 3,90 bis 4,40 mm");
        assert_eq!(german.message("the header names no modality"), "der Header nennt keine Modalität");
        assert_eq!(german.message("of an older version"), "of an older version");
        let within = german.message("not chosen: the header names no modality");
        assert_eq!(within, "nicht gewählt: der Header nennt keine Modalität");
        assert_eq!(german.decimal(-7.25, 1), "-7,2");
        assert_eq!(Language::ENGLISH.message(&message), message);
    }

    #[test]
    fn the_languages_of_the_program_are_chosen_by_their_codes() {
        let codes: Vec<&str> = Language::shipped().into_iter().map(Language::code).collect();
        assert_eq!(codes, ["en", "de", "es", "fr"]);
        assert_eq!("de".parse::<Language>().map(Language::name), Ok("Deutsch"));
        assert_eq!("en".parse(), Ok(Language::ENGLISH));
        let unknown = "tlh".parse::<Language>().expect_err("no such table");
        assert_eq!(unknown.to_string(), "unknown language \"tlh\"; choose en, de, es, fr");
    }
}
