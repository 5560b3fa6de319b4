//! Versions as programs print them.

use std::fmt;

/// Major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32, pub(super) u32);

impl Version {
    /// The first version in a text: `git version 2.39.5 (Debian)`, `runc version 1.1.5+ds1`, `6.18.44-fc-v669`.
    pub(super) fn find(text: &str) -> Option<Self> {
        text.split(|character: char| character.is_whitespace()).find_map(Self::parse)
    }

    fn parse(word: &str) -> Option<Self> {
        let end = word.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(word.len());
        let mut parts = word[..end].split('.').map(str::parse::<u32>);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some(Self(major, minor, parts.next().and_then(Result::ok).unwrap_or(0)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("git version 2.39.5", Some(Version(2, 39, 5))),
            ("git version 2.34.1 (Apple Git-1)", Some(Version(2, 34, 1))),
            ("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1\nspec: 1.0.2-dev", Some(Version(1, 1, 5))),
            ("crun version 1.8.1", Some(Version(1, 8, 1))),
            ("6.18.44-fc-v669", Some(Version(6, 18, 44))),
            ("5.4", Some(Version(5, 4, 0))),
            ("runc version 1.1.0-rc.1", Some(Version(1, 1, 0))),
            ("no version", None),
            ("", None),
        ] {
            assert_eq!(Version::find(text), version, "{text}");
        }
    }
}
