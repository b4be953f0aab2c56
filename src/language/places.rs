//! Places for values in a text, as `{name}`.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};

/// A text with its places filled. A place without a value stays as it is.
pub(crate) fn filled(text: &str, values: &[(&str, &dyn Display)]) -> String {
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
pub(super) fn places(text: &str) -> BTreeSet<&str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_taken_for_places() {
        assert_eq!(filled("{a} and {b}{c}", &[("a", &"{b}"), ("b", &2)]), "{b} and 2{c}");
        assert_eq!(filled("an open { stays", &[]), "an open { stays");
        assert_eq!(places("{b} of {a} and {b}"), BTreeSet::from(["a", "b"]));
    }
}
