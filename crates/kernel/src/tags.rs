//! Tags, by the rules that all services share.

use std::collections::BTreeMap;

/// A resource's tags.
pub type Tags = BTreeMap<String, String>;

/// The most tags that a resource may have.
pub const MOST: usize = 50;

/// Which rule a set of tags breaks; each service words its own message around it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// More than [`MOST`] tags.
    #[error("a resource can have at most 50 tags, not {0}")]
    TooMany(usize),
    /// A key of 0 or more than 128 characters.
    #[error("a tag key must be 1 to 128 characters long: '{0}'")]
    KeyLength(String),
    /// A value of more than 256 characters.
    #[error("the value of tag '{0}' is longer than 256 characters")]
    ValueLength(String),
    /// A key that only AWS may set.
    #[error("tag keys must not begin with 'aws:': '{0}'")]
    Reserved(String),
    /// A character outside of letters, digits, spaces and `_.:/=+-@`.
    #[error("tag '{0}' holds a character that is not a letter, digit, space or one of _.:/=+-@")]
    Character(String),
}

/// Checks a resource's whole set of tags, after any merge.
pub fn validate(tags: &Tags) -> Result<(), TagError> {
    if tags.len() > MOST {
        return Err(TagError::TooMany(tags.len()));
    }
    tags.iter().try_for_each(|(key, value)| validate_one(key, value))
}

fn validate_one(key: &str, value: &str) -> Result<(), TagError> {
    let shown = || key.chars().take(128).collect::<String>();
    if !(1..=128).contains(&key.chars().count()) {
        return Err(TagError::KeyLength(shown()));
    }
    if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        return Err(TagError::Reserved(shown()));
    }
    if value.chars().count() > 256 {
        return Err(TagError::ValueLength(shown()));
    }
    if !key.chars().chain(value.chars()).all(allowed) {
        return Err(TagError::Character(shown()));
    }
    Ok(())
}

fn allowed(letter: char) -> bool {
    letter.is_alphanumeric() || letter == ' ' || "_.:/=+-@".contains(letter)
}

/// `existing` with `new` laid over it: what TagResource leaves behind.
pub fn merge(existing: &Tags, new: &Tags) -> Result<Tags, TagError> {
    let mut merged = existing.clone();
    merged.extend(new.iter().map(|(key, value)| (key.clone(), value.clone())));
    validate(&merged).map(|()| merged)
}

/// `existing` without `keys`: what UntagResource leaves behind. Absent keys do not matter.
pub fn remove<'a>(existing: &Tags, keys: impl IntoIterator<Item = &'a str>) -> Tags {
    let mut rest = existing.clone();
    for key in keys {
        rest.remove(key);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_rules_for_one_tag() {
        let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
        let table = [
            ("team", "core", None),
            ("größe", "1 + 1 = 2", None),
            ("", "x", Some(TagError::KeyLength(String::new()))),
            (&long_key, "x", Some(TagError::KeyLength("k".repeat(128)))),
            ("k", &long_value, Some(TagError::ValueLength("k".to_owned()))),
            ("AWS:x", "x", Some(TagError::Reserved("AWS:x".to_owned()))),
            ("k", "a;b", Some(TagError::Character("k".to_owned()))),
        ];
        for (key, value, error) in table {
            assert_eq!(validate(&tags(&[(key, value)])).err(), error, "{key}");
        }
    }

    #[test]
    fn merging_replaces_and_counts_the_whole_set() {
        let full: Tags = (0..MOST).map(|n| (format!("k{n}"), "v".to_owned())).collect();
        assert_eq!(merge(&full, &tags(&[("k0", "new")])).map(|all| all["k0"].clone()), Ok("new".to_owned()));
        assert_eq!(merge(&full, &tags(&[("one more", "")])), Err(TagError::TooMany(51)));
        assert_eq!(remove(&full, ["k0", "absent"]).len(), MOST - 1);
    }
}
