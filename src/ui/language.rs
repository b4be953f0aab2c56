//! The language of the window, in which `tr!` gives texts; what a language is, [`crate::language`] says.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::language::{Language, Table};

/// The tables that were ever in force; more than anybody has.
static INSTALLED: [OnceLock<&'static Table>; 64] = [const { OnceLock::new() }; 64];

/// The language of this process: its place in [`INSTALLED`]; [`NONE`] is English. One for all windows, because `tr!` is
/// also asked where no window is at hand, and without a lock, because every text of every frame asks.
static IN_FORCE: AtomicUsize = AtomicUsize::new(NONE);
const NONE: usize = usize::MAX;

/// Makes a language that of all texts from now on.
pub(crate) fn install(language: Language) {
    let place = language.table().and_then(|table| {
        let is_here = |slot: &OnceLock<_>| std::ptr::eq(*slot.get_or_init(|| table), table);
        INSTALLED.iter().position(is_here)
    });
    IN_FORCE.store(place.unwrap_or(NONE), Ordering::Release);
}

/// The language of the texts.
#[must_use]
pub(crate) fn in_force() -> Language {
    let table = INSTALLED.get(IN_FORCE.load(Ordering::Acquire)).and_then(OnceLock::get);
    table.map_or(Language::ENGLISH, |table| Language::of(table))
}

/// An English text in the language in force. For names that the layers below give; others are written in `tr!`.
#[must_use]
pub(crate) fn translated(english: &str) -> &str {
    in_force().text(english)
}

/// A text in the language in force, otherwise as `say!`.
macro_rules! tr {
    ($($text:tt)+) => {
        $crate::language::say!($crate::ui::language::in_force(), $($text)+)
    };
}
pub(crate) use tr;

#[cfg(test)]
mod tests {
    #[test]
    fn texts_are_english_until_a_language_is_chosen() {
        assert_eq!(tr!("Open"), "Open");
        assert_eq!(tr!("{done} of {total}", done = 1, total = 2), "1 of 2");
        assert_eq!(tr!(count = 1; one "{count} view", other "{count} views"), "1 view");
    }
}
