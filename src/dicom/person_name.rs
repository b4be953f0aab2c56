//! Names of persons as people write them.

/// A name (PS3.5 6.2.1) without its delimiters: parts parted by spaces, further spellings (ideographic, phonetic) in brackets.
/// The first group that is there comes first.
#[must_use]
pub(crate) fn readable_name(name: &str) -> String {
    let group = |group: &str| {
        let parts: Vec<&str> = group.split(['^', ' ']).filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    };
    let mut groups = name.split('=').map(group).filter(|group| !group.is_empty());
    let first = groups.next().unwrap_or_default();
    let others: Vec<String> = groups.collect();
    if others.is_empty() { first } else { format!("{first} ({})", others.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_parts_are_read_without_their_delimiters() {
        for (name, expected) in [
            ("Doe^John^^Dr.", "Doe John Dr."),
            ("Hong^Gildong=洪^吉洞=홍^길동", "Hong Gildong (洪 吉洞, 홍 길동)"),
            ("=洪^吉洞", "洪 吉洞"),
            ("van Dyke^Bea==", "van Dyke Bea"),
            ("^", ""),
            ("", ""),
        ] {
            assert_eq!(readable_name(name), expected);
        }
    }
}
