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
use std::collections::{BTreeMap, BTreeSet};
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
/// Parameters that only say which part of a list is wanted. They are not signed, and nothing else may be beside the signed
/// ones: S3 has since learned to be asked for more than version 2 signs.
const UNSIGNED: &[&str] = &[
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "prefix",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "x-id",
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
        says_one_thing(request.query)
            && sign(secret, &self.string_to_sign(request)).as_bytes().ct_eq(self.signature.as_bytes()).into()
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

/// Whether all that a query says is signed, and nothing twice: names as they are known, none in another spelling that S3
/// would decode and the signature passes over.
fn says_one_thing(query: &str) -> bool {
    let known = |name: &str| {
        OWN.contains(&name)
            || HEADERS.contains(&name)
            || SIGNED.contains(&name)
            || UNSIGNED.contains(&name)
            || name.starts_with(AMZ) && !name.contains(['%', '+'])
    };
    let mut seen = BTreeSet::new();
    query.split('&').filter(|pair| !pair.is_empty()).all(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        known(name) && seen.insert(name)
    })
}

/// Headers of AWS's own, sorted by name: those of the request, values of one name one after the other, and those that stand
/// in the query alone.
fn amz_headers(request: &Request<'_>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with(AMZ)) {
        let value = String::from_utf8_lossy(value).trim().to_owned();
        let values = all.entry(name.to_ascii_lowercase());
        values.and_modify(|before| *before = format!("{before},{value}")).or_insert(value);
    }
    for pair in request.query.split('&').filter(|pair| pair.starts_with(AMZ)) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        all.entry(name.to_owned()).or_insert_with(|| decode(value));
    }
    all
}

/// The path, and the signed parameters, decoded, sorted by name.
fn resource(request: &Request<'_>) -> String {
    let pairs = request.query.split('&').map(|pair| pair.split_once('=').map_or((pair, None), |(n, v)| (n, Some(v))));
    let mut signed: Vec<_> = pairs.filter(|(name, _)| SIGNED.contains(name)).collect();
    signed.sort_by_key(|(name, _)| *name);
    let texts: Vec<String> = signed
        .into_iter()
        .map(|(name, value)| value.map_or_else(|| name.to_owned(), |value| format!("{name}={}", decode(value))))
        .collect();
    // Of a bucket alone the slash behind it is signed, and not always sent.
    let of_bucket = request.path.len() > 1 && request.path.rfind('/') == Some(0);
    let path = format!("{}{}", request.path, if of_bucket { "/" } else { "" });
    if texts.is_empty() { path } else { format!("{path}?{}", texts.join("&")) }
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
    fn nothing_can_be_added_to_a_url() {
        let (method, target, _) = URLS[0];
        for (added, verified) in [
            ("", true),
            ("&prefix=a&max-keys=1&list-type=2", true),
            ("&tagging", false),
            ("&%74agging", false),
            ("&attributes", false),
            ("&versionId=1", false),
            ("&response%2Dcontent-type=text/html", false),
            ("&x-amz-acl=private", false),
            ("&x-amz-%61cl=private", false),
            ("&Expires=1440938160", false),
        ] {
            let target = format!("{target}{added}");
            let request = Request::new(method, &target, &[]);
            assert_eq!(
                PresignedV2::parse(&request).is_some_and(|url| url.verify(&request, SECRET)),
                verified,
                "{added}"
            );
        }
        // What is there already is there once: signed is the one, S3 might read the other.
        let (method, target, headers) = URLS[1];
        let target = target.replace('?', "?x-amz-acl=public-read&");
        let request = Request::new(method, &target, headers);
        assert!(!PresignedV2::parse(&request).unwrap().verify(&request, SECRET));
        let twice = [headers[0], ("x-amz-acl", b"public-read"), ("x-amz-acl", b"private")];
        let request = Request::new(method, URLS[1].1, &twice);
        assert!(!PresignedV2::parse(&request).unwrap().verify(&request, SECRET));
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
