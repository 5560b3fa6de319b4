//! URI encoding as Signature Version 4 defines it, and the canonical forms of path and query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use std::borrow::Cow;

/// All bytes but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, leaving the slashes of a path.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// Percent-encodes all bytes but `A-Za-z0-9-._~`, with upper-case digits.
#[must_use]
pub fn uri_encode(bytes: &[u8]) -> String {
    percent_encode(bytes, RESERVED).to_string()
}

/// The canonical path of a path as it is on the wire (already encoded once).
///
/// S3 signs object keys as they are: the path is only brought to one form of encoding. All other services normalise
/// (`.`, `..`, empty segments) and encode the wire form once more.
#[must_use]
pub fn canonical_path(wire: &str, service: &str) -> String {
    if matches!(service, "s3" | "s3express" | "s3-outposts") {
        let decoded: Cow<'_, [u8]> = percent_decode_str(wire).into();
        let encoded = percent_encode(&decoded, RESERVED_IN_PATH).to_string();
        return if encoded.is_empty() { "/".into() } else { encoded };
    }
    percent_encode(normalize(wire).as_bytes(), RESERVED_IN_PATH).to_string()
}

/// Removes `.`, `..` and empty segments (RFC 3986, section 5.2.4); a trailing slash stays.
fn normalize(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let trailing = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) && !segments.is_empty();
    format!("/{}{}", segments.join("/"), if trailing { "/" } else { "" })
}

/// The canonical query of a query string as it is on the wire: each key and value brought to one encoding (`+` is a
/// space), sorted by key, then by value; keys may repeat. `without` names a key to leave out (`X-Amz-Signature`).
#[must_use]
pub fn canonical_query(wire: &str, without: Option<&str>) -> String {
    let mut pairs: Vec<(String, String)> = split_query(wire)
        .map(|(key, value)| (uri_encode(&decode_query(key)), uri_encode(&decode_query(value))))
        .filter(|(key, _)| without != Some(key.as_str()))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join("&")
}

/// First value of a key in a wire query, decoded; `None` also where the value is not UTF-8.
pub(crate) fn query_value(wire: &str, name: &str) -> Option<String> {
    let (_, value) = split_query(wire).find(|(key, _)| decode_query(key) == name.as_bytes())?;
    String::from_utf8(decode_query(value)).ok()
}

fn split_query(wire: &str) -> impl Iterator<Item = (&str, &str)> {
    wire.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn decode_query(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths() {
        for (wire, service, canonical) in [
            ("/", "codebuild", "/"),
            ("", "codebuild", "/"),
            ("/a%20b", "codebuild", "/a%2520b"),
            ("/a%20b", "s3", "/a%20b"),
            ("/a b", "s3", "/a%20b"),
            ("/b//k/../x", "s3", "/b//k/../x"),
            ("/b//k/../x", "codebuild", "/b/x"),
            ("/a/./b/", "codebuild", "/a/b/"),
            ("/a/b/..", "codebuild", "/a/"),
            ("/../..", "codebuild", "/"),
            ("/key%2Bplus+", "s3", "/key%2Bplus%2B"),
            ("", "s3", "/"),
        ] {
            assert_eq!(canonical_path(wire, service), canonical, "{service} {wire}");
        }
    }

    #[test]
    fn queries() {
        for (wire, canonical) in [
            ("", ""),
            ("uploads", "uploads="),
            ("b=2&a=1&a=0", "a=0&a=1&b=2"),
            ("a=x+y", "a=x%20y"),
            ("a=x%20y&&", "a=x%20y"),
            ("k=a=b", "k=a%3Db"),
            ("a=%zz", "a=%25zz"),
            ("a=~.-_", "a=~.-_"),
            ("a=%ff%FE", "a=%FF%FE"),
        ] {
            assert_eq!(canonical_query(wire, None), canonical, "{wire}");
        }
        assert_eq!(canonical_query("X-Amz-Signature=1&a=2", Some("X-Amz-Signature")), "a=2");
    }

    proptest! {
        #[test]
        fn a_canonical_query_is_its_own_canonical_form(wire in "\\PC{0,60}") {
            let once = canonical_query(&wire, None);
            prop_assert_eq!(canonical_query(&once, None), once);
        }

        #[test]
        fn a_canonical_s3_path_is_its_own_canonical_form(wire in "/\\PC{0,60}") {
            let once = canonical_path(&wire, "s3");
            prop_assert_eq!(canonical_path(&once, "s3"), once);
        }
    }
}
