//! Presigned URLs, of Signature Version 4 and of S3's version 2.
//!
//! Held: as for headers; and a presigned URL that gets one more signed parameter verifies no more.

use crate::input::HttpRequest;
use crate::sigv4_header::{SECRET, read, signer, verify};
use sigv4::v2::{PresignedV2, without_signature};
use sigv4::{MAX_PRESIGNED_SECONDS, Payload, Place, Presented, Request, SigningKey};

/// The body.
pub fn body(data: &[u8]) {
    let Some(sent) = HttpRequest::read(data) else { return };
    let request = Request::new(sent.method, sent.target, &sent.headers);
    read(&request, sent.body);
    version_2(&request);
    let own = ["X-Amz-", "AWSAccessKeyId"].iter().any(|own| request.query.to_ascii_lowercase().contains(&own.to_ascii_lowercase()));
    // Names may come percent-encoded, too.
    if sent.is_http() && !own && !request.query.contains('%') && request.query.len() < 10_000 {
        sign(&request);
    }
}

fn sign(request: &Request<'_>) {
    let headers: [(&str, &[u8]); 1] = [("host", b"127.0.0.1:4566")];
    let request = Request { headers: &headers, ..*request };
    let signer = signer("s3");
    let query = signer.presign(&request, MAX_PRESIGNED_SECONDS, &Payload::Unsigned);
    let signed = Request { query: &query, ..request };
    let presented = Presented::parse(&signed);
    verify(&signed, &Payload::Unsigned, &presented);
    let presented = presented.expect("it was verified");
    assert_eq!(presented.place, Place::Query { seconds: MAX_PRESIGNED_SECONDS });
    let key = SigningKey::derive(SECRET, &presented.scope);
    let more = format!("{query}&versionId=1");
    assert!(!presented.verify(&Request { query: &more, ..signed }, &key, "UNSIGNED-PAYLOAD"));
}

fn version_2(request: &Request<'_>) {
    if let Some(presigned) = PresignedV2::parse(request) {
        assert!(!presigned.verify(request, "nobody's"), "another secret");
    }
    let (rest, headers) = without_signature(request.query);
    assert!(rest.len() <= request.query.len());
    assert!(headers.iter().all(|(name, _)| name.starts_with("x-amz-")));
    let (again, none) = without_signature(&rest);
    assert_eq!((again, none), (rest, vec![]), "nothing is left of it");
}
