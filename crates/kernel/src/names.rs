//! Rules for names that users choose.

use std::ops::RangeInclusive;

/// What a name may be: a length and a set of characters, as in AWS's patterns `[\w\.-]{1,100}`.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Length in characters.
    pub length: RangeInclusive<usize>,
    /// Characters allowed besides ASCII letters and digits.
    pub besides: &'static str,
}

/// Why a text is not an allowed name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Too short or too long.
    #[error("must be {min} to {max} characters long, not {actual}")]
    Length {
        /// Shortest allowed.
        min: usize,
        /// Longest allowed.
        max: usize,
        /// The length given.
        actual: usize,
    },
    /// A character outside the set.
    #[error("may hold only letters, digits and any of '{besides}', not '{found}'")]
    Character {
        /// The first character that is not allowed.
        found: char,
        /// What is allowed besides letters and digits.
        besides: &'static str,
    },
}

impl Rule {
    /// Checks `name`.
    pub fn check(&self, name: &str) -> Result<(), NameError> {
        let actual = name.chars().count();
        if !self.length.contains(&actual) {
            return Err(NameError::Length { min: *self.length.start(), max: *self.length.end(), actual });
        }
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || self.besides.contains(letter);
        match name.chars().find(|letter| !allowed(*letter)) {
            Some(found) => Err(NameError::Character { found, besides: self.besides }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_to_length_and_characters() {
        let rule = Rule { length: 1..=5, besides: "._-" };
        let table = [("a.b-c", true), ("", false), ("abcdef", false), ("a/b", false), ("é", false), ("_", true)];
        for (name, allowed) in table {
            assert_eq!(rule.check(name).is_ok(), allowed, "{name}");
        }
        let error = rule.check("a b").map_err(|error| error.to_string());
        assert_eq!(error, Err("may hold only letters, digits and any of '._-', not ' '".to_owned()));
    }
}
