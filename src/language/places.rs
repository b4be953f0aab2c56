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

/// What stands at the places of `pattern` in a text that was made from it, each up to the next letters of the pattern;
/// `None` if the text was made from another one.
pub(super) fn values_of<'a>(pattern: &'a str, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let Some((before, place, after)) = next_place(pattern) else { return (pattern == text).then(Vec::new) };
    let text = text.strip_prefix(before)?;
    let next = next_place(after).map_or(after, |(next, ..)| next);
    let end = if next.is_empty() { text.len() } else { text.find(next)? };
    let (value, rest) = text.split_at(end);
    let mut values = vec![(place, value)];
    values.extend(values_of(after, rest)?);
    Some(values)
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
        let pattern = "{count} slices of {whole} mm";
        assert_eq!(values_of(pattern, "3 slices of 4 mm"), Some(vec![("count", "3"), ("whole", "4")]));
        assert_eq!(values_of(pattern, "3 slices of 4 mm each"), None);
        assert_eq!(values_of("no place", "no place"), Some(vec![]));
        assert_eq!(places("{b} of {a} and {b}"), BTreeSet::from(["a", "b"]));
    }
}
