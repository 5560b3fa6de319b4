//! URLs presigned by Signature Version 2, S3's first: the form that `aws s3 presign` and boto3 still write unless they are
//! told otherwise.
//!
//! Source: "Signing and authenticating REST requests" (query string authentication), Amazon S3 API Reference, and what
//! botocore's `HmacV1QueryAuth` sends.

use crate::canonical::Request;
use crate::encoding::query_value;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use sha1::Sha1;
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

/// The parameters of the signature itself.
const OWN: [&str; 3] = ["AWSAccessKeyId", "Signature", "Expires"];
/// Headers that stand in the query too.
const HEADERS: [&str; 2] = ["content-md5", "content-type"];
/// The prefix of headers that may stand in the query instead.
const AMZ: &str = "x-amz-";
/// Parameters that say what is asked for, and so are signed.
const SIGNED: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];
/// Longest query that is read.
const MAX_QUERY: usize = 32 * 1024;

/// A presigned URL: well-formed, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresignedV2 {
    /// Whose key it claims to be.
    pub access_key_id: String,
    /// Seconds since the epoch until which it is good.
    pub expires: i64,
    /// Session token, if the key is temporary.
    pub session_token: Option<String>,
    /// Base64, as it came.
    signature: String,
}

impl PresignedV2 {
    /// Reads the signature of a URL; `None` where it has none of this kind.
    #[must_use]
    pub fn parse(request: &Request<'_>) -> Option<Self> {
        let query = request.query;
        if query.len() > MAX_QUERY || !query.contains("AWSAccessKeyId=") {
            return None;
        }
        Some(Self {
            access_key_id: query_value(query, "AWSAccessKeyId")?,
            expires: query_value(query, "Expires")?.parse().ok()?,
            session_token: query_value(query, "x-amz-security-token"),
            signature: query_value(query, "Signature")?,
        })
    }

    /// Whether the signature is that of `secret` over `request`, which names its bucket in the path. Says nothing about time.
    #[must_use]
    pub fn verify(&self, request: &Request<'_>, secret: &str) -> bool {
        sign(secret, &self.string_to_sign(request)).as_bytes().ct_eq(self.signature.as_bytes()).into()
    }

    fn string_to_sign(&self, request: &Request<'_>) -> String {
        let header = |name: &str| request.header(name).unwrap_or_default();
        let mut text =
            format!("{}\n{}\n{}\n{}\n", request.method, header("content-md5"), header("content-type"), self.expires);
        for (name, value) in amz_headers(request) {
            text.push_str(&format!("{name}:{value}\n"));
        }
        text + &resource(request)
    }
}

/// A query without its signature of version 2, and the headers that stood in it.
#[must_use]
pub fn without_signature(query: &str) -> (String, Vec<(String, String)>) {
    let mut headers = Vec::new();
    let mut rest = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name.starts_with(AMZ) && name != "x-amz-security-token" {
            headers.push((name.to_owned(), decode(value)));
        }
        if !OWN.contains(&name) && !HEADERS.contains(&name) && !name.starts_with(AMZ) {
            rest.push(pair);
        }
    }
    (rest.join("&"), headers)
}

/// Headers of AWS's own, from the query and the request, sorted by name.
fn amz_headers(request: &Request<'_>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for pair in request.query.split('&').filter(|pair| pair.starts_with(AMZ)) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        all.insert(name.to_owned(), decode(value));
    }
    for (name, value) in request.headers {
        let name = name.to_ascii_lowercase();
        if name.starts_with(AMZ) {
            all.insert(name, String::from_utf8_lossy(value).trim().to_owned());
        }
    }
    all
}

/// The path as it is on the wire, and the signed parameters, decoded, sorted by name.
fn resource(request: &Request<'_>) -> String {
    let pairs = request.query.split('&').map(|pair| pair.split_once('=').map_or((pair, None), |(n, v)| (n, Some(v))));
    let mut signed: Vec<_> = pairs.filter(|(name, _)| SIGNED.contains(name)).collect();
    signed.sort_by_key(|(name, _)| *name);
    let texts: Vec<String> = signed
        .into_iter()
        .map(|(name, value)| value.map_or_else(|| name.to_owned(), |value| format!("{name}={}", decode(value))))
        .collect();
    if texts.is_empty() { request.path.to_owned() } else { format!("{}?{}", request.path, texts.join("&")) }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn sign(secret: &str, text: &str) -> String {
    use base64::Engine as _;
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    type Url = (&'static str, &'static str, &'static [(&'static str, &'static [u8])]);

    /// Method, target and sent headers, presigned by botocore 1.44.5 with the secret above and the time held at 1440934560.
    const URLS: [Url; 4] = [
        (
            "GET",
            "/b/a%20b/%C3%BC%2B.txt?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=xEasQ1sGWSEgH7JUBhBlphxCDEs%3D&Expires=1440938160",
            &[("host", b"127.0.0.1:4566")],
        ),
        (
            "PUT",
            "/b/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=CLZkxGae3NCT04QatohbglJ13GA%3D&content-type=text%2Fcss&\
             x-amz-acl=private&x-amz-security-token=to%2Fken%2B%3D&Expires=1440938160",
            &[("Content-Type", b"text/css")],
        ),
        (
            "GET",
            "/b/k?versionId=v%201&response-content-type=a%2Fb&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&\
             Signature=bFbyUE943OUliR0CbbduQWVoRY0%3D&Expires=1440938160",
            &[],
        ),
        (
            "PUT",
            "/b/k?uploadId=u%3D&partNumber=2&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=jXUEpXzz%2FjlBTqhmiQCOwvIFXjE%3D&\
             Expires=1440938160",
            &[],
        ),
    ];

    #[test]
    fn urls_of_botocore() {
        for (method, target, headers) in URLS {
            let request = Request::new(method, target, headers);
            let presigned = PresignedV2::parse(&request).unwrap();
            assert!(presigned.verify(&request, SECRET), "{target}");
            assert!(!presigned.verify(&request, "another"), "{target}");
            assert_eq!((presigned.access_key_id.as_str(), presigned.expires), ("AKIAIOSFODNN7EXAMPLE", 1_440_938_160));
            assert!(!presigned.verify(&Request { method: "DELETE", ..request }, SECRET), "{target}");
            assert!(!presigned.verify(&Request { path: "/b/other", ..request }, SECRET), "{target}");
            let later = PresignedV2 { expires: presigned.expires + 1, ..presigned };
            assert!(!later.verify(&request, SECRET), "{target}");
        }
    }

    #[test]
    fn what_stood_in_the_query_becomes_headers() {
        let query = "versionId=1&AWSAccessKeyId=A&Signature=x%3D&Expires=1&x-amz-acl=private&content-type=a%2Fb&x-amz-security-token=t";
        let headers = vec![("x-amz-acl".to_owned(), "private".to_owned())];
        assert_eq!(without_signature(query), ("versionId=1".to_owned(), headers));
        assert_eq!(without_signature(""), (String::new(), Vec::new()));
    }

    proptest! {
        #[test]
        fn reading_never_panics(query in "\\PC{0,80}", value in "\\PC{0,20}") {
            let target = format!("/b/k?AWSAccessKeyId={value}&Expires=1&Signature={query}");
            let request = Request::new("GET", &target, &[]);
            let _ = PresignedV2::parse(&request).map(|presigned| presigned.verify(&request, SECRET));
            let _ = without_signature(&query);
        }
    }
}
