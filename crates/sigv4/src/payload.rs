//! What the last line of a canonical request says about the body.

use sha2::{Digest, Sha256};

/// SHA-256 of no bytes, in hex: what a request without a body signs.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Lower-case hex of the SHA-256 of `bytes`.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The value of `x-amz-content-sha256`: what the signature says about the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The body's SHA-256, 64 lower-case hex digits: whoever reads the body must check it.
    Sha256(String),
    /// `UNSIGNED-PAYLOAD`: the body is not covered.
    Unsigned,
    /// One of S3's `STREAMING-…` values: the body is in `aws-chunked` framing, and the value tells whether its chunks and
    /// trailer are signed.
    Streaming(String),
}

impl Payload {
    /// The payload of a whole body.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self::Sha256(sha256_hex(body))
    }

    /// Reads a value of `x-amz-content-sha256`; `None` for anything that is neither a digest nor a known literal.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        match value {
            "UNSIGNED-PAYLOAD" => Some(Self::Unsigned),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
            | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
            | "STREAMING-AWS4-HMAC-SHA256-EVENTS"
            | "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Some(Self::Streaming(value.to_owned())),
            digest if is_sha256_hex(digest) => Some(Self::Sha256(digest.to_ascii_lowercase())),
            _ => None,
        }
    }

    /// The text that stands in the header and in the canonical request.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sha256(digest) => digest,
            Self::Unsigned => "UNSIGNED-PAYLOAD",
            Self::Streaming(value) => value,
        }
    }
}

/// Whether `text` has the form of a hex SHA-256.
pub(crate) fn is_sha256_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form_and_nothing_else() {
        assert_eq!(Payload::parse(EMPTY_SHA256), Some(Payload::of(b"")));
        assert_eq!(Payload::parse("UNSIGNED-PAYLOAD"), Some(Payload::Unsigned));
        for value in ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
            assert_eq!(Payload::parse(value).map(|p| p.as_str().to_owned()).as_deref(), Some(value));
        }
        for value in ["", "unsigned-payload", "STREAMING-", &EMPTY_SHA256[1..], &EMPTY_SHA256.replace('e', "g")] {
            assert_eq!(Payload::parse(value), None, "{value}");
        }
    }
}
