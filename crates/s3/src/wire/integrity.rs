//! What headers claim of a body that is a document: its MD5 and checksums.

use crate::rules::digest::{Hasher, verify_checksum, verify_md5};
use aws::Error;
use aws::s3::ChecksumAlgorithm;
use http::HeaderMap;

/// Whether a document is what its headers claim.
///
/// # Errors
/// `BadDigest` for another document, `InvalidDigest` or `InvalidRequest` for what is no digest.
pub(super) fn verify(headers: &HeaderMap, document: &[u8]) -> Result<(), Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let given = |algorithm: ChecksumAlgorithm| Some((algorithm, text(algorithm.header())?));
    let claimed: Vec<_> = ChecksumAlgorithm::ALL.into_iter().filter_map(given).collect();
    let md5 = text("content-md5");
    if md5.is_none() && claimed.is_empty() {
        return Ok(());
    }
    let mut hasher = Hasher::new(claimed.iter().map(|(algorithm, _)| *algorithm));
    hasher.update(document);
    let digests = hasher.finish();
    if let Some(md5) = md5 {
        verify_md5(&digests, md5)?;
    }
    claimed.into_iter().try_for_each(|(algorithm, value)| verify_checksum(&digests, algorithm, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn documents_are_what_their_headers_claim() {
        let table = [
            ("x-other", "x", "ok"),
            ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==", "ok"),
            ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==", "BadDigest"),
            ("content-md5", "short", "InvalidDigest"),
            ("x-amz-checksum-crc32", "NhCmhg==", "ok"),
            ("x-amz-checksum-crc32", "AAAAAA==", "BadDigest"),
            ("x-amz-checksum-crc32", "A", "InvalidRequest"),
        ];
        for (name, value, expected) in table {
            let headers =
                HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static(value))]);
            let code = verify(&headers, b"hello").err().map_or_else(|| "ok".to_owned(), |error| error.code);
            assert_eq!(code, expected, "{name}: {value}");
        }
    }
}
