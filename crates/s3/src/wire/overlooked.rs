//! What S3 overlooks and s3s would refuse: ranges and dates that are none (RFC 9110 has servers ignore them).

use http::header::{HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, RANGE};
use kernel::Timestamp;

/// The greatest place in an object that s3s reads.
const GREATEST: u64 = i64::MAX as u64;

/// Brings the headers of a read into the form that s3s reads; takes those away that say nothing.
pub(super) fn settle(headers: &mut HeaderMap) {
    rewrite(headers, RANGE, range);
    rewrite(headers, IF_MODIFIED_SINCE, date);
    rewrite(headers, IF_UNMODIFIED_SINCE, date);
}

fn rewrite(headers: &mut HeaderMap, name: HeaderName, form: fn(&str) -> Option<String>) {
    let Some(value) = headers.remove(&name) else { return };
    let formed = value.to_str().ok().and_then(form).and_then(|text| HeaderValue::from_str(&text).ok());
    if let Some(formed) = formed {
        headers.insert(name, formed);
    }
}

/// One range of bytes; numbers that are too great stand for the greatest.
fn range(text: &str) -> Option<String> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let formed = match (first.trim(), last.trim()) {
        ("", count) => format!("bytes=-{}", place(count)?),
        (first, "") => format!("bytes={}-", place(first)?),
        (first, last) => {
            let (first, last) = (place(first)?, place(last)?);
            (first <= last).then(|| format!("bytes={first}-{last}"))?
        }
    };
    Some(formed)
}

fn place(digits: &str) -> Option<u64> {
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| digits.parse().unwrap_or(GREATEST).min(GREATEST))
}

fn date(text: &str) -> Option<String> {
    Timestamp::parse_rfc822(text).ok().map(Timestamp::rfc822)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_one_stretch_of_bytes() {
        let table = [
            ("bytes=0-9", Some("bytes=0-9")),
            ("bytes=5-", Some("bytes=5-")),
            ("bytes=-5", Some("bytes=-5")),
            ("bytes=0-99999999999999999999999999", Some("bytes=0-9223372036854775807")),
            ("bytes=99999999999999999999999999-", Some("bytes=9223372036854775807-")),
            ("bytes=3-1", None),
            ("bytes=x-y", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("bytes=0-1,3-4", None),
            ("lines=1-2", None),
        ];
        for (given, expected) in table {
            assert_eq!(range(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn dates_that_are_none_are_overlooked() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MODIFIED_SINCE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        headers.insert(IF_UNMODIFIED_SINCE, HeaderValue::from_static("31 Feb"));
        settle(&mut headers);
        assert_eq!(headers.get(IF_MODIFIED_SINCE), Some(&HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT")));
        assert!(!headers.contains_key(IF_UNMODIFIED_SINCE));
    }

    proptest! {
        /// What comes out is read as the same again.
        #[test]
        fn settled_ranges_stay(text in "(bytes=)?[0-9]{0,25}-[0-9]{0,25}") {
            if let Some(once) = range(&text) {
                prop_assert_eq!(range(&once), Some(once.clone()));
            }
        }
    }
}
