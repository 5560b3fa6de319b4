//! URLs presigned by Signature Version 2, brought into the form that S3 reads: the door has verified them.

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};

/// Whether a URL says that it is presigned by version 2.
pub(super) fn by_version_2(parts: &Parts) -> bool {
    parts.uri.query().is_some_and(|query| query.contains("AWSAccessKeyId="))
}

/// Takes the signature out of the URL; headers that stood in the query become headers, unless they were sent as such.
pub(super) fn without_signature(parts: &mut Parts) {
    if !by_version_2(parts) {
        return;
    }
    let query = parts.uri.query().unwrap_or_default();
    let (rest, headers) = sigv4::v2::without_signature(query);
    let path = parts.uri.path();
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
    let mut whole = parts.uri.clone().into_parts();
    let Ok(target) = PathAndQuery::try_from(target) else { return };
    whole.path_and_query = Some(target);
    let Ok(uri) = Uri::from_parts(whole) else { return };
    parts.uri = uri;
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            parts.headers.entry(name).or_insert(value);
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    fn shown(target: &str) -> (String, String) {
        let request = http::Request::get(target).header("x-amz-tagging", "sent").body(()).expect("a request");
        let mut parts = request.into_parts().0;
        without_signature(&mut parts);
        let headers = ["x-amz-acl", "x-amz-tagging"].map(|name| parts.headers.get(name).cloned());
        let headers = headers.iter().flatten().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(" ");
        (parts.uri.to_string(), headers)
    }

    #[test]
    fn only_what_is_not_the_signatures_stays() {
        for (target, uri, headers) in [
            ("/b/k?AWSAccessKeyId=A&Signature=x&Expires=1", "/b/k", "sent"),
            ("/b/k?uploads&AWSAccessKeyId=A&Signature=x&Expires=1", "/b/k?uploads", "sent"),
            ("/b/k?AWSAccessKeyId=A&x-amz-acl=private&x-amz-tagging=a", "/b/k", "private sent"),
            ("http://h:1/b/k?AWSAccessKeyId=A&versionId=1", "http://h:1/b/k?versionId=1", "sent"),
            ("/b/k?X-Amz-Signature=0", "/b/k?X-Amz-Signature=0", "sent"),
            ("/b/k", "/b/k", "sent"),
        ] {
            assert_eq!(shown(target), (uri.to_owned(), headers.to_owned()), "{target}");
        }
    }
}
