//! Enums whose values files and the command line name by a word.

use thiserror::Error;

/// A word that names no value.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("unknown {what} \"{word}\"; choose {choices}")]
pub struct UnknownWord {
    /// What it should name, such as "method".
    pub what: &'static str,
    pub word: String,
    /// The words that there are.
    pub choices: String,
}

/// The value that `word` names; case, spaces, hyphens and underscores do not matter.
///
/// # Errors
/// If it names none, with those that there are.
pub(crate) fn find<T: Copy>(
    what: &'static str,
    all: &[T],
    key: impl Fn(T) -> &'static str,
    word: &str,
) -> Result<T, UnknownWord> {
    let bare = |word: &str| word.replace([' ', '-', '_'], "").to_ascii_lowercase();
    let found = all.iter().copied().find(|value| bare(key(*value)) == bare(word));
    found.ok_or_else(|| {
        let choices = all.iter().map(|value| key(*value)).collect::<Vec<_>>().join(", ");
        UnknownWord { what, word: word.to_owned(), choices }
    })
}

/// Gives each value of an enum its word: `ALL`, `key`, and the conversions to and from text, those for serde included
/// (`#[serde(into = "&'static str", try_from = "String")]`).
macro_rules! words {
    ($type:ident, $what:literal, [$($value:ident $word:literal),* $(,)?]) => {
        // As visible as the enum itself.
        #[allow(unreachable_pub)]
        impl $type {
            /// All values in order.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$value),*];

            /// Name in files and on the command line.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)*
                }
            }
        }

        $crate::words::conversions!($type, $what);
    };
}

/// The conversions of [`words!`] for an enum that has `ALL` and `key` already.
macro_rules! conversions {
    ($type:ident, $what:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // `pad` lets callers align words in printed tables.
                f.pad(self.key())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::words::UnknownWord;

            fn from_str(word: &str) -> ::std::result::Result<Self, Self::Err> {
                $crate::words::find($what, &Self::ALL, Self::key, word)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::words::UnknownWord;

            fn try_from(word: String) -> ::std::result::Result<Self, Self::Error> {
                word.parse()
            }
        }

        impl From<$type> for &'static str {
            fn from(value: $type) -> Self {
                value.key()
            }
        }
    };
}

pub(crate) use {conversions, words};

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    enum Side {
        Left,
        FarRight,
    }

    words!(Side, "side", [Left "left", FarRight "far-right"]);

    #[test]
    fn words_read_back_and_others_are_refused_with_the_choices() {
        for side in Side::ALL {
            assert_eq!(side.to_string().parse(), Ok(side));
            let json = serde_json::to_string(&side).expect("a word");
            assert_eq!(json, format!("\"{side}\""));
            assert_eq!(serde_json::from_str::<Side>(&json).expect("its own word"), side);
        }
        assert_eq!("Far right".parse(), Ok(Side::FarRight));
        let refused = "up".parse::<Side>().expect_err("no side");
        assert_eq!(refused.to_string(), "unknown side \"up\"; choose left, far-right");
        assert_eq!(format!("{:6}|", Side::Left), "left  |");
    }
}
