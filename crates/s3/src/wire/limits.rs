//! Headers that ask for what is not built: refused, never accepted and forgotten.
//!
//! Server-side encryption with S3's or KMS's keys is the exception: clients send it as a matter of course (CDK on each
//! upload). It is let through, and no reply says that the content is encrypted.

use aws::Error;
use aws::s3::error;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Uri};

/// A header, the values of it that change nothing, and what the others are answered.
type Row = (&'static str, &'static [&'static str], fn(&str) -> Error);

/// The names of checksums, as SDKs write them.
const ALGORITHMS: &[&str] =
    &["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

const ROWS: &[Row] = &[
    ("x-amz-acl", &["private", "bucket-owner-full-control"], no_acl),
    ("x-amz-grant-full-control", &[], no_acl),
    ("x-amz-grant-read", &[], no_acl),
    ("x-amz-grant-read-acp", &[], no_acl),
    ("x-amz-grant-write", &[], no_acl),
    ("x-amz-grant-write-acp", &[], no_acl),
    ("x-amz-storage-class", &["STANDARD"], no_storage_class),
    ("x-amz-website-redirect-location", &[], not_implemented),
    ("x-amz-object-lock-mode", &[], not_implemented),
    ("x-amz-object-lock-retain-until-date", &[], not_implemented),
    ("x-amz-object-lock-legal-hold", &["OFF"], not_implemented),
    ("x-amz-bucket-object-lock-enabled", &["false"], not_implemented),
    ("x-amz-server-side-encryption-customer-algorithm", &[], not_implemented),
    ("x-amz-copy-source-server-side-encryption-customer-algorithm", &[], not_implemented),
    ("x-amz-write-offset-bytes", &[], not_implemented),
    ("x-amz-server-side-encryption", &["AES256", "aws:kms", "aws:kms:dsse"], no_encryption),
    ("x-amz-sdk-checksum-algorithm", ALGORITHMS, no_algorithm),
];

/// Whether a request asks for something that would not happen.
///
/// # Errors
/// `NotImplemented` naming the header, or S3's own error where it has one.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Error> {
    for (name, harmless, refusal) in ROWS {
        let value = headers.get(*name).map(|value| value.to_str().unwrap_or_default());
        if value.is_some_and(|value| !harmless.contains(&value)) {
            return Err(refusal(name));
        }
    }
    if headers.get("content-md5").is_some_and(HeaderValue::is_empty) {
        return Err(error::invalid_digest("Content-MD5"));
    }
    Ok(())
}

/// Whether there are such requests.
///
/// # Errors
/// `MethodNotAllowed`, or `InvalidArgument` for an encoding of listings that is none.
pub(super) fn check_target(method: &Method, uri: &Uri) -> Result<(), Error> {
    let known = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::OPTIONS];
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS];
    if !known.contains(method) || (uri.path() == "/" && !reads.contains(method)) {
        return Err(error::method_not_allowed("The specified method is not allowed against this resource."));
    }
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut encodings = pairs.filter_map(|pair| pair.strip_prefix("encoding-type="));
    if encodings.any(|encoding| !encoding.is_empty() && encoding != "url") {
        return Err(error::invalid_argument("Invalid Encoding Method specified in Request"));
    }
    Ok(())
}

/// Whether a request is the form of a browser: s3s would hold its file in memory, and nothing verifies its policy.
///
/// # Errors
/// `NotImplemented`.
pub(super) fn check_form(method: &Method, headers: &HeaderMap) -> Result<(), Error> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = kind.get(..19).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"));
    if *method == Method::POST && form { Err(error::not_implemented("uploads by a browser's form")) } else { Ok(()) }
}

/// Whether the bucket is whose the client thinks. Only the owner's account comes so far as to be told otherwise.
///
/// # Errors
/// `AccessDenied`.
pub(super) fn check_owner(headers: &HeaderMap, account: &str) -> Result<(), Error> {
    let names = ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];
    let other = names.iter().filter_map(|name| headers.get(*name)).any(|owner| owner.as_bytes() != account.as_bytes());
    if other { Err(error::access_denied("The bucket's owner is not the one you expect.")) } else { Ok(()) }
}

fn not_implemented(header: &str) -> Error {
    error::not_implemented(header)
}

fn no_acl(_: &str) -> Error {
    error::acl_not_supported()
}

fn no_encryption(_: &str) -> Error {
    Error::new(
        "InvalidEncryptionAlgorithmError",
        "The encryption request you specified is not valid: AES256 or aws:kms.",
    )
}

fn no_algorithm(_: &str) -> Error {
    error::invalid_request(
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, \
         CRC64NVME, SHA1, SHA256]",
    )
}

fn no_storage_class(_: &str) -> Error {
    Error::new("InvalidStorageClass", "The storage class you specified is not valid: only STANDARD is kept here.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn code(headers: &[(&'static str, &'static str)]) -> String {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let checked = check(&map).and_then(|()| check_owner(&map, "111111111111"));
        checked.err().map_or_else(|| "ok".to_owned(), |error| error.code)
    }

    #[test]
    fn there_are_methods_and_targets_that_are_none() {
        let table = [
            ("GET", "/", "ok"),
            ("DELETE", "/", "MethodNotAllowed"),
            ("PATCH", "/b/k", "MethodNotAllowed"),
            ("PUT", "/b", "ok"),
            ("GET", "/b?list-type=2&encoding-type=url", "ok"),
            ("GET", "/b?encoding-type=rot13", "InvalidArgument"),
        ];
        for (method, uri, expected) in table {
            let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
            let checked = check_target(&method, &uri.parse().unwrap_or_default());
            assert_eq!(checked.err().map_or_else(|| "ok".to_owned(), |error| error.code), expected, "{method} {uri}");
        }
    }

    #[test]
    fn forms_of_browsers_are_refused() {
        let of = |kind: &'static str| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let form = of("Multipart/form-data; boundary=x");
        assert!(check_form(&Method::POST, &form).is_err_and(|error| error.is("NotImplemented")));
        assert!(check_form(&Method::PUT, &form).is_ok());
        assert!(check_form(&Method::POST, &of("application/xml")).is_ok());
    }

    #[test]
    fn what_would_not_happen_is_refused() {
        let table = [
            (("x-amz-acl", "private"), "ok"),
            (("x-amz-acl", "public-read"), "AccessControlListNotSupported"),
            (("x-amz-tagging", "a=b"), "ok"),
            (("x-amz-storage-class", "STANDARD"), "ok"),
            (("x-amz-storage-class", "GLACIER"), "InvalidStorageClass"),
            (("x-amz-object-lock-mode", "COMPLIANCE"), "NotImplemented"),
            (("x-amz-server-side-encryption", "aws:kms"), "ok"),
            (("x-amz-server-side-encryption", "rot13"), "InvalidEncryptionAlgorithmError"),
            (("x-amz-sdk-checksum-algorithm", "SHA256"), "ok"),
            (("x-amz-sdk-checksum-algorithm", "CRC99"), "InvalidRequest"),
            (("content-md5", ""), "InvalidDigest"),
            (("x-amz-server-side-encryption-customer-algorithm", "AES256"), "NotImplemented"),
            (("x-amz-expected-bucket-owner", "111111111111"), "ok"),
            (("x-amz-expected-bucket-owner", "222222222222"), "AccessDenied"),
        ];
        for (header, expected) in table {
            assert_eq!(code(&[header]), expected, "{header:?}");
        }
    }
}
