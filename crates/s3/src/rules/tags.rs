//! Which tags S3 takes (Amazon S3 User Guide, "Categorizing your objects using tags").

use aws::Error;
use aws::s3::{Tags, error};
use percent_encoding::percent_decode_str;

/// The most tags of an object.
const MOST: usize = 10;

/// Whether an object may have these tags.
///
/// # Errors
/// `BadRequest` for more than ten, else `InvalidTag`.
pub(crate) fn check_object_tags(tags: &Tags) -> Result<(), Error> {
    if tags.len() > MOST {
        return Err(Error::new("BadRequest", "Object tags cannot be greater than 10"));
    }
    check_tags(tags)
}

/// Whether a bucket may have these tags.
///
/// # Errors
/// `InvalidTag`.
pub(crate) fn check_tags(tags: &Tags) -> Result<(), Error> {
    kernel::tags::validate(tags).map_err(|broken| error::invalid_tag(format!("The tag is not valid: {broken}.")))
}

/// The tags of a `x-amz-tagging` header: `key=value&…`, percent-encoded.
///
/// # Errors
/// `InvalidArgument` for what is no such text, `InvalidTag` for a key that is there twice.
pub(crate) fn parse_header(text: &str) -> Result<Tags, Error> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(key)?, decoded(value)?))
    });
    let malformed = || {
        error::invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
        )
    };
    unique(pairs.collect::<Option<Vec<_>>>().ok_or_else(malformed)?)
}

/// Tags from a list.
///
/// # Errors
/// `InvalidTag` for a key that is there twice.
pub(crate) fn unique(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for (key, value) in pairs {
        if tags.insert(key, value).is_some() {
            return Err(error::invalid_tag("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(tags)
}

fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    #[test]
    fn headers_are_read_as_queries() {
        let table = [
            ("", vec![]),
            ("a=b", vec![("a", "b")]),
            ("a=b&c=&d", vec![("a", "b"), ("c", ""), ("d", "")]),
            ("a%20b=c+d&%C3%BC=1%3D1", vec![("a b", "c d"), ("ü", "1=1")]),
        ];
        for (text, expected) in table {
            let tags = parse_header(text).unwrap();
            let read: Vec<_> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(read, expected, "{text}");
        }
        assert!(parse_header("a=1&a=2").unwrap_err().is("InvalidTag"));
        assert!(parse_header("a=%ff").unwrap_err().is("InvalidArgument"));
    }

    #[test]
    fn objects_have_ten_tags_and_buckets_fifty() {
        let some = |count: usize| (0..count).map(|n| (format!("k{n}"), String::new())).collect::<Tags>();
        assert!(check_object_tags(&some(10)).is_ok());
        assert!(check_object_tags(&some(11)).unwrap_err().is("BadRequest"));
        assert!(check_tags(&some(50)).is_ok());
        assert!(check_tags(&some(51)).unwrap_err().is("InvalidTag"));
        assert!(check_tags(&Tags::from([("aws:x".to_owned(), String::new())])).unwrap_err().is("InvalidTag"));
    }

    proptest! {
        /// What is encoded is read back.
        #[test]
        fn encoding_is_undone(tags in prop::collection::btree_map("\\PC{1,8}", "\\PC{0,8}", 0..6)) {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
            prop_assert_eq!(parse_header(&pairs.join("&")).unwrap(), tags);
        }
    }
}
