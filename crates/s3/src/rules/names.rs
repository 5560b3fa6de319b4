//! Which names S3 takes (Amazon S3 User Guide, "General purpose bucket naming rules" and "Naming Amazon S3 objects").

use aws::Error;
use aws::s3::error;
use std::collections::BTreeMap;

/// The most bytes of a key.
const LONGEST_KEY: usize = 1024;
/// What AWS keeps for itself.
const RESERVED_STARTS: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_ENDS: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
/// The most bytes of user metadata, names and values together.
const LARGEST_METADATA: usize = 2048;

/// Whether a new bucket may have that name.
///
/// # Errors
/// `InvalidBucketName` with the rule that it breaks.
pub(crate) fn check_bucket(name: &str) -> Result<(), Error> {
    match broken_rule(name) {
        Some(rule) => Err(error::invalid_bucket_name(name, rule)),
        None => Ok(()),
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    if !(3..=63).contains(&name.len()) {
        Some("it needs 3 to 63 characters")
    } else if !name.bytes().all(allowed) {
        Some("only lower-case letters, digits, dots and hyphens are allowed")
    } else if !edge(name.as_bytes().first()) || !edge(name.as_bytes().last()) {
        Some("it must begin and end with a letter or digit")
    } else if name.contains("..") {
        Some("two dots must not follow each other")
    } else if name.parse::<std::net::Ipv4Addr>().is_ok() {
        Some("it must not look like an IP address")
    } else if RESERVED_STARTS.iter().any(|start| name.starts_with(start))
        || RESERVED_ENDS.iter().any(|end| name.ends_with(end))
    {
        Some("this prefix or suffix is reserved")
    } else {
        None
    }
}

/// Whether an object may have that key. NUL is refused: it separates keys from versions in the store.
///
/// # Errors
/// `KeyTooLongError` or `InvalidArgument`.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() {
        Err(error::invalid_argument("A key needs at least one character."))
    } else if key.len() > LONGEST_KEY {
        Err(error::key_too_long(key.len()))
    } else if key.contains('\0') {
        Err(error::invalid_argument("A key must not contain NUL."))
    } else {
        Ok(())
    }
}

/// Whether a text may be the id of a version.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn check_version(id: Option<&str>) -> Result<(), Error> {
    match id {
        Some("") => Err(error::invalid_argument("Version id cannot be the empty string")),
        Some(id) if id != "null" && !is_version(id) => Err(error::invalid_argument("Invalid version id specified")),
        _ => Ok(()),
    }
}

/// Whether a text has the form that all version ids have: 32 letters, digits, dots and underscores.
fn is_version(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte))
}

/// Whether user metadata is small enough.
///
/// # Errors
/// `MetadataTooLarge`.
pub(crate) fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), Error> {
    let size = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > LARGEST_METADATA {
        return Err(error::metadata_too_large(size));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_rules() {
        for good in ["abc", "my-bucket.2", "0a9", &"a".repeat(63)] {
            assert!(check_bucket(good).is_ok(), "{good}");
        }
        let bad = [
            "ab",
            "",
            "A-bucket",
            "a_b",
            "-ab",
            "ab-",
            "a..b",
            "192.168.5.4",
            "xn--abc",
            "x-s3alias",
            "sthree-a",
            "amzn-s3-demo-a",
            "a--x-s3",
        ];
        for bad in bad.iter().copied().chain([&*"a".repeat(64)]) {
            assert!(check_bucket(bad).is_err_and(|error| error.is("InvalidBucketName")), "{bad}");
        }
    }

    #[test]
    fn keys_are_bounded_in_bytes() {
        assert!(check_key(&"ä".repeat(512)).is_ok());
        assert!(check_key(&"ä".repeat(513)).is_err_and(|error| error.is("KeyTooLongError")));
        assert!(check_key("").is_err());
        assert!(check_key("a\0b").is_err());
    }

    #[test]
    fn version_ids_are_texts_for_headers() {
        let long = "v".repeat(33);
        let known = "3L4kqt._".repeat(4);
        let table = [
            (None, true),
            (Some("null"), true),
            (Some(known.as_str()), true),
            (Some(""), false),
            (Some("a b"), false),
            (Some("\0"), false),
            (Some("ü"), false),
            (Some(&long), false),
        ];
        for (id, expected) in table {
            assert_eq!(check_version(id).is_ok(), expected, "{id:?}");
        }
    }

    #[test]
    fn metadata_is_bounded() {
        let of = |size: usize| BTreeMap::from([("n".to_owned(), "v".repeat(size - 1))]);
        assert!(check_metadata(&of(2048)).is_ok());
        assert!(check_metadata(&of(2049)).is_err_and(|error| error.is("MetadataTooLarge")));
    }
}
