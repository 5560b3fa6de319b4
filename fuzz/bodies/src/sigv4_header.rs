//! Signature Version 4 in the `Authorization` header.
//!
//! Held: what [`Signer`] signs, [`Presented`] reads and verifies, and nothing verifies with another secret, another
//! signature or another path; canonical forms are their own canonical forms; texts stay in proportion to the request.

use crate::input::HttpRequest;
use sigv4::{
    AmzDate, Credentials, Payload, Presented, Request, Signer, SigningKey, canonical_path, canonical_query,
};

/// The time of all signatures here.
pub(crate) const SECONDS: i64 = 1_440_938_160;
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The body.
pub fn body(data: &[u8]) {
    let Some(sent) = HttpRequest::read(data) else { return };
    let request = Request::new(sent.method, sent.target, &sent.headers);
    canonical_forms(&request);
    read(&request, sent.body);
    if sent.is_http() {
        sign(&sent, &request);
    }
}

fn canonical_forms(request: &Request<'_>) {
    let query = canonical_query(request.query, None);
    assert_eq!(canonical_query(&query, None), query);
    let path = canonical_path(request.path, "s3");
    assert_eq!(canonical_path(&path, "s3"), path);
    let normal = canonical_path(request.path, "codebuild");
    assert!(normal.starts_with('/') && !normal.contains("/../") && !normal.contains("//"), "{normal}");
}

/// What a stranger sends is read or refused, and verifies only with the signature that its reader computes.
pub(crate) fn read(request: &Request<'_>, body: &[u8]) {
    let Ok(mut presented) = Presented::parse(request) else { return };
    assert_eq!(presented.time.day(), presented.scope.day);
    assert_eq!(AmzDate::parse(&presented.time.to_string()), Some(presented.time));
    if let Some(payload) = &presented.payload {
        assert_eq!(Payload::parse(payload.as_str()).as_ref(), Some(payload));
    }
    let key = SigningKey::derive(SECRET, &presented.scope);
    let payload = Payload::of(body);
    let canonical = presented.canonical_request(request, payload.as_str());
    let names = presented.signed_headers.len();
    let all: usize = request.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let most = 1_000 + 12 * (request.path.len() + request.query.len()) + (names + 1) * (3 * all + 200);
    assert!(canonical.len() <= most, "{} bytes of {most}", canonical.len());
    presented.signature = key.sign(&presented.string_to_sign(&canonical));
    assert!(presented.verify(request, &key, payload.as_str()));
    assert!(!presented.verify(request, &SigningKey::derive("another", &presented.scope), payload.as_str()));
    let method = format!("X{}", request.method);
    assert!(!presented.verify(&Request { method: &method, ..*request }, &key, payload.as_str()));
    let flipped = if presented.signature.starts_with('0') { "1" } else { "0" };
    presented.signature.replace_range(..1, flipped);
    assert!(!presented.verify(request, &key, payload.as_str()));
}

fn sign(sent: &HttpRequest<'_>, request: &Request<'_>) {
    let mine = |name: &str| !name.to_ascii_lowercase().starts_with("x-amz-") && !name.eq_ignore_ascii_case("authorization");
    let mut headers: Vec<(&str, &[u8])> = sent.headers.iter().filter(|(name, _)| mine(name)).copied().collect();
    headers.push(("host", b"127.0.0.1:4566"));
    let mut names: Vec<String> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > 100 || names.iter().map(|name| name.len() + 1).sum::<usize>() > 30_000 {
        return;
    }
    for service in ["s3", "codebuild"] {
        let signer = signer(service);
        let payload = Payload::of(sent.body);
        let request = Request { headers: &headers, ..*request };
        let added = signer.sign_headers(&request, &payload);
        let mut all = headers.clone();
        all.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
        verify(&Request { headers: &all, ..request }, &payload, &Presented::parse(&Request { headers: &all, ..request }));
    }
}

pub(crate) fn signer(service: &str) -> Signer<'_> {
    let time = AmzDate::from_epoch_seconds(SECONDS);
    let credentials =
        Credentials { access_key_id: "AKIAIOSFODNN7EXAMPLE", secret_access_key: SECRET, session_token: Some("to/k+en=") };
    Signer { credentials, region: "eu-west-1", service, time }
}

/// What was signed for `request` verifies, and not for another path.
pub(crate) fn verify(request: &Request<'_>, payload: &Payload, presented: &Result<Presented, sigv4::ParseError>) {
    let presented = presented.as_ref().expect("what was signed is read");
    assert_eq!(presented.access_key_id, "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(presented.session_token.as_deref(), Some("to/k+en="));
    let key = SigningKey::derive(SECRET, &presented.scope);
    assert!(presented.verify(request, &key, payload.as_str()), "what was signed verifies");
    let path = format!("{}x", request.path);
    assert!(!presented.verify(&Request { path: &path, ..*request }, &key, payload.as_str()), "another path");
}
