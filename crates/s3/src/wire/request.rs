//! What is done to a request before s3s reads it: the signature comes off, the body is decoded or checked.

use super::chunked::{ChunkSigning, Trailers, decode};
use super::rest::Rest;
use super::{integrity, overlooked};
use crate::rules::hosts;
use aws::Error;
use aws::s3::{Body, error};
use bytes::Bytes;
use futures::TryStreamExt;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full, StreamBody};
use sha2::{Digest, Sha256};
use std::io;

/// The most bytes of a body that is XML.
const LARGEST_XML: usize = 20 * 1024 * 1024;
const CONTENT_SHA256: &str = "x-amz-content-sha256";
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";

/// What the adapter learns of a body, in the request's extensions.
#[derive(Clone, Default)]
pub(super) struct Framing {
    /// The trailers of an `aws-chunked` body.
    pub(super) trailers: Option<Trailers>,
    /// The SHA-256 in hex that the body must have, where that is not checked yet.
    pub(super) sha256: Option<String>,
    /// The content's length in bytes.
    pub(super) length: Option<u64>,
}

/// Marks a request whose URI is in path style already, whatever its host means.
#[derive(Clone, Copy)]
pub(super) struct InPathStyle;

/// The request's URI in path style, also where its host means a bucket.
pub(super) fn in_path_style(parts: &Parts, public_host: Option<&str>) -> Uri {
    if parts.extensions.get::<InPathStyle>().is_some() {
        return parts.uri.clone();
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).or(parts.uri.host());
    let Some(bucket) = host.and_then(|host| hosts::bucket(host, public_host)) else { return parts.uri.clone() };
    let rest = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut uri = parts.uri.clone().into_parts();
    if let Ok(path) = PathAndQuery::try_from(format!("/{}{rest}", bucket.to_ascii_lowercase())) {
        uri.path_and_query = Some(path);
    }
    Uri::from_parts(uri).unwrap_or_else(|_| parts.uri.clone())
}

/// Why a request without a caller is refused. Signature version 2 is named, since boto3 presigns with it by default.
pub(super) fn anonymous(headers: &HeaderMap, uri: &Uri) -> Error {
    let query = uri.query().unwrap_or_default();
    let presigned =
        ["AWSAccessKeyId=", "Signature="].iter().all(|name| query.split('&').any(|pair| pair.starts_with(name)));
    let authorization = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    if presigned || authorization.starts_with(b"AWS ") {
        let message = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
        return error::invalid_request(message);
    }
    error::access_denied("Anonymous access is not allowed: sign the request.")
}

/// The request as s3s shall see it.
///
/// # Errors
/// Bodies that are too large, in an unknown form, or not what was signed.
pub(super) async fn prepare(request: Request<Rest>, trusting: bool) -> Result<Request<s3s::Body>, Error> {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(AUTHORIZATION);
    overlooked::settle(&mut parts.headers);
    parts.uri = without_signature(&parts.uri);
    let length = number(&parts.headers, CONTENT_LENGTH.as_str());
    let body = Body::from_stream(body, length);
    let payload = parts.headers.get(CONTENT_SHA256).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (framing, body) = match payload {
        Some(form) if form.starts_with("STREAMING-") => {
            let (framing, body) = unframed(&mut parts, &form, body, trusting)?;
            // s3s reads nothing of an empty body, but its trailers are behind it.
            let empty = framing.length == Some(0);
            (framing, if empty { Body::from(whole(body, 0).await?) } else { body })
        }
        Some(hash) if hash != "UNSIGNED-PAYLOAD" && !stores_body(&parts) => {
            (Framing::default(), Body::from(checked(body, Some(&hash), claims_of_body(&parts)).await?))
        }
        Some(hash) if hash != "UNSIGNED-PAYLOAD" => (Framing { sha256: Some(hash), length, trailers: None }, body),
        _ if !stores_body(&parts) => {
            (Framing::default(), Body::from(checked(body, None, claims_of_body(&parts)).await?))
        }
        _ => (Framing { length, ..Framing::default() }, body),
    };
    parts.extensions.insert(framing);
    Ok(Request::from_parts(parts, to_s3s(body)))
}

/// Takes an `aws-chunked` body out of its frame.
fn unframed(parts: &mut Parts, form: &str, body: Body, trusting: bool) -> Result<(Framing, Body), Error> {
    let signing = parts.extensions.get::<ChunkSigning>().cloned();
    let signing = match (form, signing) {
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", _) => None,
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", Some(signing)) => {
            Some(signing)
        }
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", None) if trusting => None,
        _ => {
            let message =
                format!("Bodies of the form {form} are not implemented; use STREAMING-UNSIGNED-PAYLOAD-TRAILER.");
            return Err(Error::modelled("NotImplemented", 501, message));
        }
    };
    let length = number(&parts.headers, DECODED_LENGTH);
    let (body, trailers) = decode(body, length, signing);
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(TRANSFER_ENCODING);
    if let Some(length) = length {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    strip_encoding(&mut parts.headers);
    Ok((Framing { trailers: Some(trailers), sha256: None, length }, body))
}

/// `aws-chunked` was the transfer's, not the object's.
fn strip_encoding(headers: &mut HeaderMap) {
    let Some(encoding) = headers.remove(CONTENT_ENCODING) else { return };
    let kept: Vec<&str> = encoding
        .to_str()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty() && *part != "aws-chunked")
        .collect();
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_str(&kept.join(","))) {
        headers.insert(CONTENT_ENCODING, value);
    }
}

/// Whether the body becomes an object or a part: that is hashed where it is stored.
fn stores_body(parts: &Parts) -> bool {
    let path = parts.uri.path().trim_start_matches('/');
    let has_key = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let query = parts.uri.query().unwrap_or_default();
    let plain = query.split('&').all(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        matches!(name, "" | "partNumber" | "uploadId" | "x-id") || name.to_ascii_lowercase().starts_with("x-amz-")
    });
    parts.method == Method::PUT && has_key && plain
}

/// The headers that may claim something of a body that is no object's. Those of a completed upload are about the object.
fn claims_of_body(parts: &Parts) -> Option<&HeaderMap> {
    let query = parts.uri.query().unwrap_or_default();
    (!query.split('&').any(|pair| pair.starts_with("uploadId="))).then_some(&parts.headers)
}

/// A whole small body that has the hash that was signed, and what its headers claim.
async fn checked(body: Body, hash: Option<&str>, claims: Option<&HeaderMap>) -> Result<Bytes, Error> {
    let bytes = whole(body, LARGEST_XML).await?;
    if let Some(claims) = claims {
        integrity::verify(claims, &bytes)?;
    }
    let Some(hash) = hash else { return Ok(bytes) };
    let computed = hex::encode(Sha256::digest(&bytes));
    if computed == hash {
        return Ok(bytes);
    }
    let message = format!("The provided {CONTENT_SHA256} ({hash}) does not match what was computed ({computed}).");
    Err(Error::new("XAmzContentSHA256Mismatch", message))
}

/// The bytes of a body that has at most so many.
async fn whole(body: Body, most: usize) -> Result<Bytes, Error> {
    body.collect(most).await.map_err(|cause| match cause.kind() {
        io::ErrorKind::FileTooLarge => {
            Error::new("MaxMessageLengthExceeded", format!("Your request was too big: at most {most} bytes."))
        }
        // What the decoder found wrong comes as it is.
        _ => match cause.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(error) => error.clone(),
            None => Error::new("IncompleteBody", format!("The request body could not be read to its end: {cause}")),
        },
    })
}

/// Without the parameters of a presigned URL, which the listener has verified.
fn without_signature(uri: &Uri) -> Uri {
    const SIGNATURE: [&str; 11] = [
        // Signature version 2, which boto3 still presigns with unless told otherwise.
        "AWSAccessKeyId",
        "Signature",
        "Expires",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "x-amz-security-token",
    ];
    let Some(query) = uri.query() else { return uri.clone() };
    let kept: Vec<&str> =
        query.split('&').filter(|pair| !SIGNATURE.contains(&pair.split('=').next().unwrap_or_default())).collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    let rest = PathAndQuery::try_from(format!("{}{mark}{}", uri.path(), kept.join("&")));
    let mut parts = uri.clone().into_parts();
    if let Ok(rest) = rest {
        parts.path_and_query = Some(rest);
    }
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// A body for s3s. A known length lets it answer without chunked framing.
pub(super) fn to_s3s(body: Body) -> s3s::Body {
    if body.length() == Some(0) {
        return s3s::Body::http_body_unsync(Full::<Bytes>::default().map_err(|never| -> io::Error { match never {} }));
    }
    s3s::Body::http_body_unsync(StreamBody::new(body.map_ok(http_body::Frame::data)))
}

/// Checks a claim that the caller makes in a number that must not be negative.
pub(super) fn unsigned(name: &str, value: Option<i32>) -> Result<Option<usize>, Error> {
    match value.map(usize::try_from).transpose() {
        Ok(value) => Ok(value),
        Err(_) => Err(error::invalid_argument(format!("Argument {name} must be an integer between 0 and 2147483647."))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn signatures_come_off_urls_and_nothing_else() {
        let table = [
            ("/b/k", "/b/k"),
            ("/b/k?X-Amz-Signature=1&X-Amz-Expires=2", "/b/k"),
            (
                "/b/a%20b?versionId=x&X-Amz-Date=1&response-content-type=a%2Fb",
                "/b/a%20b?versionId=x&response-content-type=a%2Fb",
            ),
            ("/b?uploads&X-Amz-Credential=a", "/b?uploads"),
        ];
        for (before, after) in table {
            assert_eq!(without_signature(&before.parse().unwrap()), after);
        }
    }

    #[test]
    fn hosts_of_buckets_become_paths() {
        let table = [
            ("127.0.0.1:4566", "/b/k?x=1", "/b/k?x=1"),
            ("My-b.localhost:4566", "/a%20b//c?x=1", "/my-b/a%20b//c?x=1"),
            ("b.s3.eu-west-1.amazonaws.com", "/", "/b/"),
            ("b.ci.example.org", "/?list-type=2", "/b/?list-type=2"),
        ];
        for (host, uri, expected) in table {
            let parts = Request::builder().uri(uri).header(HOST, host).body(()).unwrap().into_parts().0;
            assert_eq!(in_path_style(&parts, Some("ci.example.org")), expected, "{host}");
        }
    }

    #[test]
    fn bodies_of_objects_and_parts_are_told_from_xml() {
        let stores = |method: Method, uri: &str| {
            stores_body(&Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0)
        };
        assert!(stores(Method::PUT, "/b/k"));
        assert!(stores(Method::PUT, "/b/k?x-id=PutObject"));
        assert!(stores(Method::PUT, "/b/k?partNumber=1&uploadId=u"));
        assert!(!stores(Method::PUT, "/b"));
        assert!(!stores(Method::PUT, "/b?versioning"));
        assert!(!stores(Method::PUT, "/b/k?tagging"));
        assert!(!stores(Method::POST, "/b/k?uploadId=u"));
    }

    #[tokio::test]
    async fn whole_bodies_must_have_the_hash_that_was_signed() {
        let hash = sigv4::sha256_hex(b"<xml/>");
        let hash = Some(hash.as_str());
        assert_eq!(checked(Body::from("<xml/>"), hash, None).await.unwrap(), "<xml/>");
        assert!(checked(Body::from("<xmI/>"), hash, None).await.unwrap_err().is("XAmzContentSHA256Mismatch"));
        let large = Body::from(vec![0; LARGEST_XML + 1]);
        assert!(checked(large, None, None).await.unwrap_err().is("MaxMessageLengthExceeded"));
    }

    #[test]
    fn transfer_encodings_are_not_the_objects() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aws-chunked, gzip"));
        strip_encoding(&mut headers);
        assert_eq!(headers[CONTENT_ENCODING], "gzip");
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aws-chunked"));
        strip_encoding(&mut headers);
        assert!(!headers.contains_key(CONTENT_ENCODING));
    }
}
