//! Additional checksums (Amazon S3 User Guide, "Checking object integrity").

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A checksum algorithm that current SDKs send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChecksumAlgorithm {
    /// CRC-32 as in zip; boto3's default.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32C,
    /// CRC-64/NVME; AWS CLI v2's default, and S3's own where the client names none.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ChecksumAlgorithm {
    /// Every algorithm, in the order of S3's documentation.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32C, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32C => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header or trailer that carries its value.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32C => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The algorithm of a wire name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether checksums of parts combine to that of the whole.
    pub const fn combines(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32C | Self::Crc64Nvme)
    }
}

impl fmt::Display for ChecksumAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a multipart object's checksum covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumKind {
    /// The content.
    #[default]
    FullObject,
    /// The checksums of the parts; the value ends in `-N`.
    Composite,
}

impl ChecksumKind {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

/// A stored checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// Its algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// In base64, with `-N` behind it where it is a composite of N parts.
    pub value: String,
    /// What it covers.
    #[serde(default)]
    pub kind: ChecksumKind,
}

/// A checksum to compute over a body, and what it must be.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// The value that the body must have.
    pub value: Expectation,
}

/// Where the expected value of a checksum comes from.
#[derive(Clone)]
pub enum Expectation {
    /// Nowhere: compute and store it.
    Any,
    /// Known before the body, in base64.
    Value(String),
    /// Known only when the body has been read: a trailer. `None` then means that the client sent none.
    Trailer(Arc<dyn Fn() -> Option<String> + Send + Sync>),
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::Value(value) => f.debug_tuple("Value").field(value).finish(),
            Self::Trailer(_) => f.write_str("Trailer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wire() {
        for algorithm in ChecksumAlgorithm::ALL {
            assert_eq!(ChecksumAlgorithm::parse(algorithm.name()), Some(algorithm));
            let header = format!("x-amz-checksum-{}", algorithm.name().to_lowercase());
            assert_eq!(algorithm.header(), header);
        }
        assert_eq!(ChecksumAlgorithm::parse("MD5"), None);
    }
}
