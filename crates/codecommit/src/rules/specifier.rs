//! How a request names a commit.

use crate::model::{HEADS, TAGS};

/// Whether this is a full object id: 40 lower-case hex digits.
pub(crate) fn is_object_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// What a commit specifier may mean.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Specifier {
    /// The tip of the default branch.
    Default,
    /// This object.
    Object(String),
    /// The first of these references that exists.
    References(Vec<String>),
}

/// Reads a specifier: nothing or `HEAD`, a full commit id, a full reference, or a branch's or tag's name, where
/// a branch goes first. Git's own expressions (`main~1`) mean nothing here.
pub(crate) fn parse(text: Option<&str>) -> Specifier {
    match text {
        None | Some("" | "HEAD") => Specifier::Default,
        Some(id) if is_object_id(id) => Specifier::Object(id.to_owned()),
        Some(full) if full.starts_with("refs/") => Specifier::References(vec![full.to_owned()]),
        Some(name) => Specifier::References(vec![format!("{HEADS}{name}"), format!("{TAGS}{name}")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_are_read_in_their_order() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let references = |names: &[&str]| Specifier::References(names.iter().map(|name| (*name).to_owned()).collect());
        let table = [
            (None, Specifier::Default),
            (Some("HEAD"), Specifier::Default),
            (Some(id), Specifier::Object(id.to_owned())),
            (Some("refs/heads/main"), references(&["refs/heads/main"])),
            (Some("v1"), references(&["refs/heads/v1", "refs/tags/v1"])),
            (Some("main~1"), references(&["refs/heads/main~1", "refs/tags/main~1"])),
            (Some(&id[..39]), references(&[&format!("refs/heads/{}", &id[..39]), &format!("refs/tags/{}", &id[..39])])),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), expected);
        }
    }
}
