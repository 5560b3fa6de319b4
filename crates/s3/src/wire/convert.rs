//! Between our types and those of s3s.

use super::chunked::Trailers;
use super::request::to_s3s;
use super::to_s3s as error_to_s3s;
use aws::Error;
use aws::s3::{
    Body, ByteRange, Checksum, ChecksumAlgorithm, ChecksumKind, ContentHeaders, Expectation, Expected, error,
};
use futures::TryStreamExt;
use kernel::{Caller, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{self, ETag, ETagCondition, StreamingBlob, TimestampFormat};
use s3s::{S3Error, S3Request, S3Result};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The caller that the listener left in the request.
pub(super) fn caller<T>(request: &S3Request<T>) -> S3Result<Caller> {
    let caller = request.extensions.get::<Caller>().cloned();
    caller.ok_or_else(|| error_to_s3s(error::access_denied("Anonymous access is not allowed: sign the request."), ""))
}

/// The error as s3s answers it, with the request's id.
pub(super) fn refused(caller: &Caller) -> impl Fn(Error) -> S3Error + '_ {
    |error| error_to_s3s(error, &caller.request_id)
}

pub(super) fn time(timestamp: Timestamp) -> dto::Timestamp {
    let millis = u64::try_from(timestamp.millis()).unwrap_or_default();
    dto::Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
}

pub(super) fn timestamp(time: &dto::Timestamp) -> Option<Timestamp> {
    let mut text = Vec::new();
    time.format(TimestampFormat::EpochSeconds, &mut text).ok()?;
    Timestamp::parse_epoch(std::str::from_utf8(&text).ok()?).ok()
}

pub(super) fn etag(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

pub(super) fn condition(condition: &ETagCondition) -> String {
    condition.as_etag().map_or_else(|| "*".to_owned(), |etag| etag.value().to_owned())
}

/// A size that fits the wire's signed integer; nothing stored is larger.
pub(super) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(super) fn range(range: dto::Range) -> ByteRange {
    match range {
        dto::Range::Int { first, last: Some(last) } => ByteRange::Between(first, last),
        dto::Range::Int { first, last: None } => ByteRange::From(first),
        dto::Range::Suffix { length } => ByteRange::Last(length),
    }
}

/// A body that s3s read, for us.
pub(super) fn incoming(blob: Option<StreamingBlob>, length: Option<u64>) -> Body {
    match blob {
        Some(blob) => Body::from_stream(blob.map_err(unwrap), length),
        None => Body::empty(),
    }
}

/// s3s hands errors through as they came: ours are ours again.
fn unwrap(cause: Box<dyn std::error::Error + Send + Sync>) -> io::Error {
    match cause.downcast::<io::Error>() {
        Ok(cause) => *cause,
        Err(cause) => io::Error::other(cause),
    }
}

/// A body of ours, for s3s.
pub(super) fn outgoing(body: Body) -> StreamingBlob {
    StreamingBlob::from(to_s3s(body))
}

/// Up to five checksums of a request, one for each algorithm.
pub(super) type Given = [(ChecksumAlgorithm, Option<String>); 5];

/// Gathers the five checksum members that many shapes have.
macro_rules! given {
    ($shape:expr) => {{
        use aws::s3::ChecksumAlgorithm::{Crc32, Crc32C, Crc64Nvme, Sha1, Sha256};
        [
            (Crc32, $shape.checksum_crc32.clone()),
            (Crc32C, $shape.checksum_crc32c.clone()),
            (Crc64Nvme, $shape.checksum_crc64nvme.clone()),
            (Sha1, $shape.checksum_sha1.clone()),
            (Sha256, $shape.checksum_sha256.clone()),
        ]
    }};
}
pub(super) use given;

/// Spreads a checksum over the five members that many shapes have.
macro_rules! put_checksum {
    ($shape:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            use aws::s3::ChecksumAlgorithm::{Crc32, Crc32C, Crc64Nvme, Sha1, Sha256};
            let value = Some(checksum.value.clone());
            match checksum.algorithm {
                Crc32 => $shape.checksum_crc32 = value,
                Crc32C => $shape.checksum_crc32c = value,
                Crc64Nvme => $shape.checksum_crc64nvme = value,
                Sha1 => $shape.checksum_sha1 = value,
                Sha256 => $shape.checksum_sha256 = value,
            }
        }
    };
}
pub(super) use put_checksum;

pub(super) fn kind(checksum: Option<&Checksum>) -> Option<dto::ChecksumType> {
    checksum.map(|checksum| dto::ChecksumType::from(checksum.kind.name().to_owned()))
}

pub(super) fn algorithm_name(algorithm: ChecksumAlgorithm) -> dto::ChecksumAlgorithm {
    dto::ChecksumAlgorithm::from(algorithm.name().to_owned())
}

pub(super) fn algorithm(name: Option<&dto::ChecksumAlgorithm>) -> Result<Option<ChecksumAlgorithm>, Error> {
    let Some(name) = name else { return Ok(None) };
    let known = ChecksumAlgorithm::parse(&name.as_str().to_ascii_uppercase());
    let message = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                   [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
    known.map(Some).ok_or_else(|| error::invalid_request(message))
}

pub(super) fn checksum_kind(name: Option<&dto::ChecksumType>) -> Result<Option<ChecksumKind>, Error> {
    match name.map(dto::ChecksumType::as_str) {
        None => Ok(None),
        Some("FULL_OBJECT") => Ok(Some(ChecksumKind::FullObject)),
        Some("COMPOSITE") => Ok(Some(ChecksumKind::Composite)),
        Some(_) => Err(error::invalid_request("Value for x-amz-checksum-type header is invalid.")),
    }
}

/// The one checksum of these that the client gave.
pub(super) fn only(given: Given) -> Option<(ChecksumAlgorithm, String)> {
    given.into_iter().find_map(|(algorithm, value)| Some((algorithm, value?)))
}

/// What to expect of a body: checksums in headers, in the announced trailers, or just an algorithm.
///
/// # Errors
/// `InvalidRequest` for more than one header.
pub(super) fn expected(
    given: Given,
    named: Option<ChecksumAlgorithm>,
    announced: Option<&str>,
    trailers: Option<&Trailers>,
) -> Result<Vec<Expected>, Error> {
    let mut expected: Vec<Expected> = given
        .into_iter()
        .filter_map(|(algorithm, value)| Some(Expected { algorithm, value: Expectation::Value(value?) }))
        .collect();
    if expected.len() > 1 {
        return Err(error::invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ));
    }
    if let (Some(announced), Some(trailers)) = (announced, trailers) {
        expected.extend(ChecksumAlgorithm::ALL.into_iter().filter(|one| names(announced, *one)).map(|algorithm| {
            let trailers = trailers.clone();
            let read = Arc::new(move || trailers.get(algorithm.header()));
            Expected { algorithm, value: Expectation::Trailer(read) }
        }));
    }
    if let (true, Some(algorithm)) = (expected.is_empty(), named) {
        expected.push(Expected { algorithm, value: Expectation::Any });
    }
    Ok(expected)
}

fn names(announced: &str, algorithm: ChecksumAlgorithm) -> bool {
    announced.split(',').any(|name| name.trim().eq_ignore_ascii_case(algorithm.header()))
}

/// The six content headers that several shapes have.
macro_rules! content_headers {
    ($shape:expr) => {
        aws::s3::ContentHeaders {
            content_type: $shape.content_type.clone(),
            content_encoding: $shape.content_encoding.clone(),
            content_language: $shape.content_language.clone(),
            content_disposition: $shape.content_disposition.clone(),
            cache_control: $shape.cache_control.clone(),
            expires: $shape.expires.as_ref().and_then($crate::wire::convert::timestamp),
        }
    };
}
pub(super) use content_headers;

/// The Content-Type that S3 gives an object without one.
pub(super) fn content_type(headers: &ContentHeaders) -> String {
    headers.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned())
}

pub(super) fn metadata(metadata: Option<dto::Metadata>) -> BTreeMap<String, String> {
    metadata.unwrap_or_default().into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// A key or prefix of a listing, percent-encoded where the client asked for that.
pub(super) fn listed(text: &str, encoding: Option<&dto::EncodingType>) -> String {
    match encoding.map(dto::EncodingType::as_str) {
        Some("url") => utf8_percent_encode(text, PLAIN).to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_wire() {
        let moment = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(timestamp(&time(moment)), Some(moment));
    }

    #[test]
    fn keys_are_encoded_on_request_only() {
        let url = dto::EncodingType::from("url".to_owned());
        assert_eq!(listed("a b+c/ä", Some(&url)), "a%20b%2Bc/%C3%A4");
        assert_eq!(listed("a b+c/ä", None), "a b+c/ä");
    }

    #[test]
    fn one_checksum_is_expected_wherever_it_comes_from() {
        let none = || ChecksumAlgorithm::ALL.map(|algorithm| (algorithm, None));
        assert!(expected(none(), None, None, None).unwrap().is_empty());
        let named = expected(none(), Some(ChecksumAlgorithm::Sha1), None, None).unwrap();
        assert!(matches!(named[..], [Expected { algorithm: ChecksumAlgorithm::Sha1, value: Expectation::Any }]));
        let announced = Some("x-amz-checksum-crc32c");
        let trailed = expected(none(), None, announced, Some(&Trailers::default())).unwrap();
        assert!(matches!(
            trailed[..],
            [Expected { algorithm: ChecksumAlgorithm::Crc32C, value: Expectation::Trailer(_) }]
        ));
        let both = ChecksumAlgorithm::ALL.map(|algorithm| (algorithm, Some("x".to_owned())));
        assert!(expected(both, None, None, None).unwrap_err().is("InvalidRequest"));
    }
}
